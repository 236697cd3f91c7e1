// SPDX-License-Identifier: MIT
// The items that have one origin in common, where there are so many that looking at each for every
// new one would be quadratic: ten thousand clients that insert at one spot.
//
// YATA's scan, told by siblings: behind an origin stand its children, each followed by what
// descends from it. A new child passes children of lower clients with all their descendants, is not
// moved by those of higher clients, and stops at a child of a higher client with its own right
// origin, or at its right neighbour. So it goes behind the descendants of the last child before
// that stop whose client is lower: two look-ups here, O(log n + n / 512).
//
// A list is made once scans at its origin have cost more than making it (Document::scan_conflicts).
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "lattice/collab/crdt/id.hpp"
#include "lattice/collab/crdt/internal/item.hpp"

namespace lattice::crdt::internal {

// Children are told apart by where they hang, since roots of all lists have no origin.
struct SiblingKey {
  uint32_t parent = 0;
  uint32_t sub = UINT32_MAX;  // of map entries
  ItemId origin;
  friend bool operator==(const SiblingKey&, const SiblingKey&) = default;
};
struct SiblingKeyHash {
  size_t operator()(const SiblingKey& key) const noexcept {
    uint64_t hash = key.origin.clock + (uint64_t{key.origin.client} << 32);
    hash = (hash ^ (uint64_t{key.parent} << 32 | key.sub)) * 0x9e3779b97f4a7c15u;
    return static_cast<size_t>(hash ^ hash >> 29);
  }
};

class Siblings {
 public:
  struct Found {
    Ref before = kNil;  // the new one goes behind it and its descendants; nil: first of all
    Ref next = kNil;    // the child behind it
  };

  size_t size() const noexcept { return block_of_.size(); }
  Ref first() const noexcept { return blocks_.empty() ? kNil : blocks_[0]->refs[0]; }

  // Where a child of `client` goes whose right origin is the item `right`, named `right_origin`.
  Found find(ClientId client, ItemId right_origin, Ref right) const {
    Place stop{static_cast<uint32_t>(blocks_.size()), 0};
    auto stopper = stoppers_.lower_bound({right_origin.client, right_origin.clock, client + 1});
    if (stopper != stoppers_.end() && std::get<0>(stopper->first) == right_origin.client &&
        std::get<1>(stopper->first) == right_origin.clock) {
      stop = std::min(stop, place_of(stopper->second));
    }
    if (right != kNil && block_of_.contains(right)) stop = std::min(stop, place_of(right));
    for (uint32_t b = std::min(stop.block + 1, static_cast<uint32_t>(blocks_.size())); b-- > 0;) {
      const Block& block = *blocks_[b];
      if (block.lowest >= client) continue;
      for (uint32_t i = b == stop.block ? stop.slot : static_cast<uint32_t>(block.refs.size());
           i-- > 0;) {
        if (block.clients[i] < client) return {block.refs[i], at_or_after({b, i + 1})};
      }
    }
    return {kNil, first()};
  }

  // The child behind `ref`. REQUIRES: `ref` is in the list.
  Ref next_of(Ref ref) const {
    const Place place = place_of(ref);
    return at_or_after({place.block, place.slot + 1});
  }

  // Behind `before`, or first.
  void insert(Ref before, Ref ref, ClientId client, ItemId right_origin) {
    Place at;
    if (blocks_.empty()) blocks_.push_back(std::make_unique<Block>());
    if (before != kNil) {
      at = place_of(before);
      ++at.slot;
    }
    Block& block = *blocks_[at.block];
    block.refs.insert(block.refs.begin() + at.slot, ref);
    block.clients.insert(block.clients.begin() + at.slot, client);
    block.lowest = std::min(block.lowest, client);
    block_of_[ref] = &block;
    stoppers_.insert_or_assign({right_origin.client, right_origin.clock, client}, ref);
    if (block.refs.size() > kBlockMax) split(at.block);
  }

 private:
  static constexpr uint32_t kBlockMax = 512;
  struct Block {
    uint32_t ordinal = 0;
    ClientId lowest = UINT64_MAX;
    std::vector<Ref> refs;
    std::vector<ClientId> clients;
  };
  struct Place {
    uint32_t block = 0;
    uint32_t slot = 0;
    friend auto operator<=>(const Place&, const Place&) = default;
  };

  Place place_of(Ref ref) const {
    const Block& block = *block_of_.at(ref);
    const auto found = std::find(block.refs.begin(), block.refs.end(), ref);
    return {block.ordinal, static_cast<uint32_t>(found - block.refs.begin())};
  }
  Ref at_or_after(Place place) const {
    if (place.slot < blocks_[place.block]->refs.size()) {
      return blocks_[place.block]->refs[place.slot];
    }
    return place.block + 1 < blocks_.size() ? blocks_[place.block + 1]->refs[0] : kNil;
  }
  void split(uint32_t index) {
    Block& left = *blocks_[index];
    auto right = std::make_unique<Block>();
    constexpr uint32_t kHalf = kBlockMax / 2;
    right->refs.assign(left.refs.begin() + kHalf, left.refs.end());
    right->clients.assign(left.clients.begin() + kHalf, left.clients.end());
    left.refs.resize(kHalf);
    left.clients.resize(kHalf);
    for (Block* block : {&left, right.get()}) {
      block->lowest = *std::min_element(block->clients.begin(), block->clients.end());
    }
    for (Ref ref : right->refs) block_of_[ref] = right.get();
    blocks_.insert(blocks_.begin() + index + 1, std::move(right));
    for (uint32_t i = index + 1; i < blocks_.size(); ++i) blocks_[i]->ordinal = i;
  }

  std::vector<std::unique_ptr<Block>> blocks_;
  std::unordered_map<Ref, Block*> block_of_;
  // By right origin and client: those with one right origin stand in the order of their clients.
  std::map<std::tuple<uint32_t, uint32_t, ClientId>, Ref> stoppers_;
};

// The lists of a document.
class SiblingLists {
 public:
  // A longer scan is charged to its origin; an origin that has cost more gets a list. Tests lower
  // both, so that small documents have lists.
  uint32_t scan_max = 64;
  uint32_t cost_min = 256;

  bool empty() const noexcept { return lists_.empty(); }
  Siblings* find(const SiblingKey& key) {
    auto found = lists_.find(key);
    return found == lists_.end() ? nullptr : &found->second;
  }
  // A scan has passed `steps` items; returns how many may be walked to make a list, 0: not yet.
  uint32_t charge(const SiblingKey& key, uint32_t steps) {
    if (costs_.size() >= kCostsMax) costs_.clear();
    uint32_t& cost = costs_[key];
    cost = steps > UINT32_MAX / 8 - cost ? UINT32_MAX / 8 : cost + steps;
    return cost < cost_min ? 0 : 4 * cost;
  }
  void add(const SiblingKey& key, Siblings list) {
    if (lists_.size() >= kListsMax) lists_.clear();
    lists_.insert_or_assign(key, std::move(list));
  }
  // Units that follow `id` have become part of its run, or its list has gone.
  void forget(const SiblingKey& key) { lists_.erase(key); }
  void forget_type(uint32_t parent) {
    std::erase_if(lists_, [&](const auto& entry) { return entry.first.parent == parent; });
  }

 private:
  static constexpr size_t kCostsMax = 1024;
  static constexpr size_t kListsMax = 16;
  std::unordered_map<SiblingKey, Siblings, SiblingKeyHash> lists_;
  std::unordered_map<SiblingKey, uint32_t, SiblingKeyHash> costs_;
};

}  // namespace lattice::crdt::internal
