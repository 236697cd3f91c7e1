// SPDX-License-Identifier: MIT
// One client's structs in clock order, without gaps: a list of short sorted chunks. Appending is
// O(1), finding O(log n) with the last hit remembered, inserting or erasing in the middle moves one
// chunk of at most 2 KB. What a loader adopts is one long chunk, which the first insertion or
// erasure in it cuts into short ones.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "lattice/base/error.hpp"
#include "lattice/collab/crdt/internal/item.hpp"

namespace lattice::crdt::internal {

class RunIndex {
 public:
  struct Run {
    uint32_t clock;
    Ref item;
  };
  struct Position {
    uint32_t chunk = 0;
    uint32_t slot = 0;
    friend bool operator==(const Position&, const Position&) = default;
  };

  bool empty() const noexcept { return size_ == 0; }
  uint32_t size() const noexcept { return size_; }
  Run& at(Position p) noexcept { return chunks_[p.chunk][p.slot]; }
  const Run& at(Position p) const noexcept { return chunks_[p.chunk][p.slot]; }
  Position last() const noexcept {
    return {static_cast<uint32_t>(chunks_.size() - 1),
            static_cast<uint32_t>(chunks_.back().size() - 1)};
  }
  bool is_first(Position p) const noexcept { return p.chunk == 0 && p.slot == 0; }
  bool is_last(Position p) const noexcept { return p == last(); }
  // REQUIRES: !is_first(p).
  Position previous(Position p) const noexcept {
    if (p.slot > 0) return {p.chunk, p.slot - 1};
    return {p.chunk - 1, static_cast<uint32_t>(chunks_[p.chunk - 1].size() - 1)};
  }
  // REQUIRES: !is_last(p).
  Position next(Position p) const noexcept {
    if (p.slot + 1 < chunks_[p.chunk].size()) return {p.chunk, p.slot + 1};
    return {p.chunk + 1, 0};
  }
  bool valid(Position p) const noexcept {
    return p.chunk < chunks_.size() && p.slot < chunks_[p.chunk].size();
  }

  void append(uint32_t clock, Ref item) {
    if (chunks_.empty() || chunks_.back().size() >= kChunkMax) chunks_.emplace_back();
    chunks_.back().push_back({clock, item});
    ++size_;
  }
  // The run that holds `clock`. REQUIRES: not empty, and clock below the client's state.
  Position find(uint32_t clock) const noexcept {
    if (valid(hit_)) {
      const auto& chunk = chunks_[hit_.chunk];
      if (chunk[hit_.slot].clock <= clock) {
        if (hit_.slot + 1 < chunk.size()) {
          if (clock < chunk[hit_.slot + 1].clock) return hit_;
          if (hit_.slot + 2 < chunk.size() && clock < chunk[hit_.slot + 2].clock) {
            return hit_ = {hit_.chunk, hit_.slot + 1};
          }
        } else if (hit_.chunk + 1 == chunks_.size() || clock < chunks_[hit_.chunk + 1][0].clock) {
          return hit_;
        }
      }
    }
    uint32_t low = 0;
    uint32_t count = static_cast<uint32_t>(chunks_.size());
    if (chunks_.back()[0].clock <= clock) {
      low = count - 1;
    } else {
      while (count > 1) {
        uint32_t half = count / 2;
        if (chunks_[low + half][0].clock <= clock) low += half;
        count -= half;
      }
    }
    const auto& chunk = chunks_[low];
    uint32_t slot = 0;
    uint32_t runs = static_cast<uint32_t>(chunk.size());
    while (runs > 1) {
      uint32_t half = runs / 2;
      if (chunk[slot + half].clock <= clock) slot += half;
      runs -= half;
    }
    return hit_ = {low, slot};
  }
  // All runs at once. REQUIRES: empty().
  void adopt(std::vector<Run> runs) {
    size_ = static_cast<uint32_t>(runs.size());
    chunks_.clear();
    if (size_ != 0) chunks_.push_back(std::move(runs));
  }
  // Inserts behind `p`; returns the new run's position.
  Position insert_after(Position p, uint32_t clock, Ref item) {
    ++size_;
    if (chunks_[p.chunk].size() > kChunkMax) [[unlikely]]
      p = cut(p);
    std::vector<Run>& chunk = chunks_[p.chunk];
    if (chunk.size() < kChunkMax) {
      chunk.insert(chunk.begin() + p.slot + 1, {clock, item});
      return {p.chunk, p.slot + 1};
    }
    std::vector<Run> tail(chunk.begin() + kChunkMax / 2, chunk.end());
    chunk.resize(kChunkMax / 2);
    chunks_.insert(chunks_.begin() + p.chunk + 1, std::move(tail));
    if (p.slot >= kChunkMax / 2) p = {p.chunk + 1, p.slot - kChunkMax / 2};
    auto& target = chunks_[p.chunk];
    target.insert(target.begin() + p.slot + 1, {clock, item});
    return {p.chunk, p.slot + 1};
  }
  // Returns the position before it. REQUIRES: !is_first(p).
  Position erase(Position p) {
    --size_;
    if (chunks_[p.chunk].size() > kChunkMax) [[unlikely]]
      p = cut(p);
    const Position before = previous(p);
    auto& chunk = chunks_[p.chunk];
    chunk.erase(chunk.begin() + p.slot);
    if (chunk.empty()) chunks_.erase(chunks_.begin() + p.chunk);
    return before;
  }
  template <class F>
  void for_each(F&& f) const {
    for (const auto& chunk : chunks_) {
      for (const Run& run : chunk) f(run);
    }
  }
  uint32_t count_from(Position p) const noexcept {
    if (p.chunk + 1 == chunks_.size()) {
      return static_cast<uint32_t>(chunks_[p.chunk].size()) - p.slot;
    }
    size_t count = chunks_[p.chunk].size() - p.slot;
    for (size_t i = p.chunk + 1; i < chunks_.size(); ++i) count += chunks_[i].size();
    return static_cast<uint32_t>(count);
  }
  template <class F>
  void for_each_after(Position p, F&& f) const {
    for (size_t slot = p.slot + 1; slot < chunks_[p.chunk].size(); ++slot)
      f(chunks_[p.chunk][slot]);
    for (size_t i = p.chunk + 1; i < chunks_.size(); ++i) {
      for (const Run& run : chunks_[i]) f(run);
    }
  }
  size_t memory() const noexcept {
    size_t bytes = chunks_.capacity() * sizeof(chunks_[0]);
    for (const auto& chunk : chunks_) bytes += chunk.capacity() * sizeof(Run);
    return bytes;
  }
  void reserve_exact() {
    for (auto& chunk : chunks_) chunk.shrink_to_fit();
  }

 private:
  static constexpr uint32_t kChunkMax = 256;
  static constexpr uint32_t kChunkCut = 192;

  // Makes short chunks of a long one; returns where `p` is then.
  Position cut(Position p) {
    const std::vector<Run> all = std::move(chunks_[p.chunk]);
    std::vector<std::vector<Run>> parts;
    parts.reserve(all.size() / kChunkCut + 1);
    for (size_t begin = 0; begin < all.size(); begin += kChunkCut) {
      const size_t end = std::min<size_t>(begin + kChunkCut, all.size());
      parts.emplace_back(all.begin() + static_cast<ptrdiff_t>(begin),
                         all.begin() + static_cast<ptrdiff_t>(end));
    }
    const auto at = chunks_.begin() + p.chunk;
    *at = std::move(parts.front());
    chunks_.insert(at + 1, std::make_move_iterator(parts.begin() + 1),
                   std::make_move_iterator(parts.end()));
    hit_ = {};
    return {p.chunk + p.slot / kChunkCut, p.slot % kChunkCut};
  }

  std::vector<std::vector<Run>> chunks_;
  uint32_t size_ = 0;
  mutable Position hit_;
};

}  // namespace lattice::crdt::internal
