// SPDX-License-Identifier: MIT
// The order-statistic index over the linked lists of a document's sequences.
//
// The list of items (Item::left, Item::right) is the truth; a leaf names a stretch of up to 32
// consecutive items by its first one and sums their visible units, inner nodes sum up to 16
// children. An item knows its leaf, nodes know their parents, so an index finds its item and an
// item its index in O(log n). A short sequence is a single leaf.
#pragma once

#include <cstdint>
#include <vector>

#include "lattice/collab/crdt/internal/item.hpp"

namespace lattice::crdt::internal {

class SequenceIndex {
 public:
  static constexpr uint32_t kLeafMax = 32;
  static constexpr uint32_t kInnerMax = 16;
  static constexpr uint32_t kNoNode = 0;

  explicit SequenceIndex(ItemArena& items) : items_(items) {
    leaves_.emplace_back();
    inners_.emplace_back();
  }

  // `ref` has been linked into the list; `root` is the sequence's root and may change.
  void insert(uint32_t& root, Ref ref);
  // `ref` was split off its left neighbour, so its units are in the sums already.
  void insert_split(uint32_t& root, Ref ref);
  // Call before `ref` is unlinked. Its visible units leave the sums.
  void remove(uint32_t& root, Ref ref);
  // `ref`'s visible units changed by `delta`, its live formats by `formats`.
  void changed(Ref ref, int64_t delta, int formats = 0) {
    uint32_t leaf = items_[ref].sub;
    leaves_[leaf].visible += static_cast<uint32_t>(delta);
    leaves_[leaf].formats += static_cast<uint32_t>(formats);
    add_up(leaf | kLeafBit, leaves_[leaf].parent, static_cast<uint32_t>(delta),
           static_cast<uint32_t>(formats));
  }
  struct Place {
    Ref item = kNil;
    uint32_t offset = 0;  // units into the item
  };
  // The item that holds the visible unit `index`; nil past the end.
  Place find(uint32_t root, uint32_t index) const noexcept;
  // The last item of the sequence; nil when it is empty.
  Ref last(uint32_t root) const noexcept;
  // Visible units before `ref`.
  uint32_t index_of(Ref ref) const noexcept;
  // Calls f(item) for the live formats left of `end` (all, when it is nil), from the left, without
  // walking the text between them.
  template <class F>
  void for_each_format_before(uint32_t root, Ref end, F&& f) const;
  // Frees all nodes of a sequence.
  void clear(uint32_t& root);
  uint32_t visible(uint32_t root) const noexcept {
    if (root == kNoNode) return 0;
    if (root & kLeafBit) return leaves_[root & ~kLeafBit].visible;
    const Inner& node = inners_[root];
    uint32_t sum = 0;
    for (uint32_t i = 0; i < node.count; ++i) sum += node.visible[i];
    return sum;
  }
  // Builds the index of a list from scratch, bottom up.
  void build(uint32_t& root, Ref first);
  // While it is deferred, items may be linked, split and changed, and the index knows none of them:
  // whoever defers builds every sequence afterwards. REQUIRES: no item is in an index yet.
  void defer(bool on) noexcept {
    is_deferred_ = on;
    leaves_[0] = Leaf{};  // where changed() counted meanwhile
  }
  size_t memory() const noexcept {
    return leaves_.capacity() * sizeof(Leaf) + inners_.capacity() * sizeof(Inner);
  }

 private:
  static constexpr uint32_t kLeafBit = 0x80000000u;
  struct Leaf {
    uint32_t parent = kNoNode;
    Ref first = kNil;
    uint32_t count = 0;
    uint32_t visible = 0;
    uint32_t formats = 0;
  };
  struct Inner {
    uint32_t parent = kNoNode;
    uint32_t count = 0;
    uint32_t child[kInnerMax] = {};
    uint32_t visible[kInnerMax] = {};
    uint32_t formats[kInnerMax] = {};
  };

  static uint32_t slot_of(const Inner& node, uint32_t child) noexcept {
    uint32_t slot = 0;
    while (node.child[slot] != child) ++slot;
    return slot;
  }
  void add_up(uint32_t child, uint32_t parent, uint32_t visible, uint32_t formats) noexcept {
    while (parent != kNoNode) {
      Inner& node = inners_[parent];
      uint32_t slot = slot_of(node, child);
      node.visible[slot] += visible;
      node.formats[slot] += formats;
      child = parent;
      parent = node.parent;
    }
  }
  uint32_t& parent_of(uint32_t node) noexcept {
    return node & kLeafBit ? leaves_[node & ~kLeafBit].parent : inners_[node].parent;
  }
  uint32_t new_leaf();
  uint32_t new_inner();
  void split_leaf(uint32_t& root, uint32_t leaf);
  void insert_child(uint32_t& root, uint32_t left, uint32_t right, uint32_t right_visible,
                    uint32_t right_formats);
  void remove_child(uint32_t& root, uint32_t parent, uint32_t child);

  ItemArena& items_;
  bool is_deferred_ = false;
  std::vector<Leaf> leaves_;  // 0 is the leaf of items that are in no index
  std::vector<Inner> inners_;
  std::vector<uint32_t> free_leaves_;
  std::vector<uint32_t> free_inners_;
};

template <class F>
void SequenceIndex::for_each_format_before(uint32_t root, Ref end, F&& f) const {
  if (root == kNoNode) return;
  // The leaves from the left up to `end`'s, skipping subtrees without formats.
  uint32_t end_leaf = end == kNil ? kNoNode : items_[end].sub | kLeafBit;
  std::vector<uint32_t> end_path;  // ancestors of end_leaf
  for (uint32_t n = end_leaf; n != kNoNode;
       n = n & kLeafBit ? leaves_[n & ~kLeafBit].parent : inners_[n].parent) {
    end_path.push_back(n);
  }
  auto visit = [&](auto& self, uint32_t node, bool on_path) -> bool {  // false: stop
    if (node & kLeafBit) {
      const Leaf& leaf = leaves_[node & ~kLeafBit];
      Ref item = leaf.first;
      for (uint32_t i = 0; i < leaf.count; ++i) {
        if (item == end) return false;
        const Item& it = items_[item];
        if (it.kind == Content::Format && !it.deleted()) f(item);
        item = it.right;
      }
      return !on_path;
    }
    const Inner& inner = inners_[node];
    for (uint32_t i = 0; i < inner.count; ++i) {
      bool child_on_path = false;
      if (on_path) {
        for (uint32_t n : end_path) child_on_path |= n == inner.child[i];
      }
      if (inner.formats[i] != 0 || child_on_path) {
        if (!self(self, inner.child[i], child_on_path)) return false;
      }
    }
    return true;
  };
  visit(visit, root, end != kNil);
}

}  // namespace lattice::crdt::internal
