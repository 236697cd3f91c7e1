// SPDX-License-Identifier: MIT
#include "lattice/collab/crdt/internal/sequence.hpp"

#include "lattice/base/error.hpp"

namespace lattice::crdt::internal {

uint32_t SequenceIndex::new_leaf() {
  if (!free_leaves_.empty()) {
    uint32_t leaf = free_leaves_.back();
    free_leaves_.pop_back();
    leaves_[leaf] = Leaf{};
    return leaf;
  }
  leaves_.emplace_back();
  return static_cast<uint32_t>(leaves_.size() - 1);
}

uint32_t SequenceIndex::new_inner() {
  if (!free_inners_.empty()) {
    uint32_t node = free_inners_.back();
    free_inners_.pop_back();
    inners_[node] = Inner{};
    return node;
  }
  inners_.emplace_back();
  return static_cast<uint32_t>(inners_.size() - 1);
}

void SequenceIndex::insert(uint32_t& root, Ref ref) {
  if (is_deferred_) [[unlikely]]
    return;
  Item& item = items_[ref];
  uint32_t visible = item.visible();
  uint32_t formats = item.kind == Content::Format && !item.deleted();
  uint32_t leaf;
  if (item.left != kNil) {
    leaf = items_[item.left].sub;
  } else if (item.right != kNil) {
    leaf = items_[item.right].sub;
    leaves_[leaf].first = ref;
  } else {
    leaf = new_leaf();
    leaves_[leaf].first = ref;
    root = leaf | kLeafBit;
  }
  item.sub = leaf;
  Leaf& node = leaves_[leaf];
  ++node.count;
  node.visible += visible;
  node.formats += formats;
  if (visible != 0 || formats != 0) add_up(leaf | kLeafBit, node.parent, visible, formats);
  if (node.count > kLeafMax) split_leaf(root, leaf);
}

void SequenceIndex::insert_split(uint32_t& root, Ref ref) {
  if (is_deferred_) [[unlikely]]
    return;
  Item& item = items_[ref];
  item.sub = items_[item.left].sub;
  if (++leaves_[item.sub].count > kLeafMax) split_leaf(root, item.sub);
}

void SequenceIndex::split_leaf(uint32_t& root, uint32_t leaf) {
  uint32_t right = new_leaf();
  Leaf& from = leaves_[leaf];
  Leaf& to = leaves_[right];
  Ref last = from.first;
  uint32_t keep = from.count / 2;
  for (uint32_t i = 1; i < keep; ++i) last = items_[last].right;
  Ref item = items_[last].right;
  to.first = item;
  to.count = from.count - keep;
  for (uint32_t i = 0; i < to.count; ++i) {
    Item& it = items_[item];
    it.sub = right;
    to.visible += it.visible();
    to.formats += it.kind == Content::Format && !it.deleted();
    item = it.right;
  }
  from.count = keep;
  from.visible -= to.visible;
  from.formats -= to.formats;
  insert_child(root, leaf | kLeafBit, right | kLeafBit, to.visible, to.formats);
}

// `right` was split off `left`: it takes its sums from the left one's slot.
void SequenceIndex::insert_child(uint32_t& root, uint32_t left, uint32_t right,
                                 uint32_t right_visible, uint32_t right_formats) {
  uint32_t parent = parent_of(left);
  if (parent == kNoNode) {
    uint32_t top = new_inner();
    Inner& node = inners_[top];
    node.count = 1;
    node.child[0] = left;
    if (left & kLeafBit) {
      const Leaf& leaf = leaves_[left & ~kLeafBit];
      node.visible[0] = leaf.visible + right_visible;
      node.formats[0] = leaf.formats + right_formats;
    } else {
      const Inner& inner = inners_[left];
      for (uint32_t i = 0; i < inner.count; ++i) {
        node.visible[0] += inner.visible[i];
        node.formats[0] += inner.formats[i];
      }
      node.visible[0] += right_visible;
      node.formats[0] += right_formats;
    }
    parent_of(left) = top;
    root = top;
    parent = top;
  }
  if (inners_[parent].count == kInnerMax) {
    uint32_t sibling = new_inner();
    Inner& from = inners_[parent];
    Inner& to = inners_[sibling];
    constexpr uint32_t kKeep = kInnerMax / 2;
    uint32_t visible = 0;
    uint32_t formats = 0;
    for (uint32_t i = kKeep; i < kInnerMax; ++i) {
      to.child[i - kKeep] = from.child[i];
      to.visible[i - kKeep] = from.visible[i];
      to.formats[i - kKeep] = from.formats[i];
      visible += from.visible[i];
      formats += from.formats[i];
      parent_of(from.child[i]) = sibling;
    }
    to.count = kInnerMax - kKeep;
    from.count = kKeep;
    insert_child(root, parent, sibling, visible, formats);
    parent = parent_of(left);
  }
  Inner& node = inners_[parent];
  uint32_t slot = slot_of(node, left);
  for (uint32_t i = node.count; i > slot + 1; --i) {
    node.child[i] = node.child[i - 1];
    node.visible[i] = node.visible[i - 1];
    node.formats[i] = node.formats[i - 1];
  }
  ++node.count;
  node.child[slot + 1] = right;
  node.visible[slot + 1] = right_visible;
  node.formats[slot + 1] = right_formats;
  node.visible[slot] -= right_visible;
  node.formats[slot] -= right_formats;
  parent_of(right) = parent;
}

void SequenceIndex::remove(uint32_t& root, Ref ref) {
  const Item& item = items_[ref];
  uint32_t leaf = item.sub;
  Leaf& node = leaves_[leaf];
  uint32_t visible = item.visible();
  uint32_t formats = item.kind == Content::Format && !item.deleted();
  if (node.first == ref) node.first = item.right;
  --node.count;
  node.visible -= visible;
  node.formats -= formats;
  if (visible != 0 || formats != 0) {
    add_up(leaf | kLeafBit, node.parent, 0u - visible, 0u - formats);
  }
  if (node.count == 0) {
    uint32_t parent = node.parent;
    free_leaves_.push_back(leaf);
    if (parent == kNoNode) {
      root = kNoNode;
    } else {
      remove_child(root, parent, leaf | kLeafBit);
    }
  }
}

void SequenceIndex::remove_child(uint32_t& root, uint32_t parent, uint32_t child) {
  Inner& node = inners_[parent];
  uint32_t slot = slot_of(node, child);
  --node.count;
  for (uint32_t i = slot; i < node.count; ++i) {
    node.child[i] = node.child[i + 1];
    node.visible[i] = node.visible[i + 1];
    node.formats[i] = node.formats[i + 1];
  }
  if (node.count == 0) {
    uint32_t above = node.parent;
    free_inners_.push_back(parent);
    if (above == kNoNode) {
      root = kNoNode;
    } else {
      remove_child(root, above, parent);
    }
  } else if (node.count == 1 && node.parent == kNoNode) {
    root = node.child[0];
    parent_of(root) = kNoNode;
    free_inners_.push_back(parent);
  }
}

SequenceIndex::Place SequenceIndex::find(uint32_t root, uint32_t index) const noexcept {
  if (root == kNoNode) return {};
  uint32_t node = root;
  while (!(node & kLeafBit)) {
    const Inner& inner = inners_[node];
    uint32_t slot = 0;
    while (slot < inner.count && index >= inner.visible[slot]) index -= inner.visible[slot++];
    if (slot == inner.count) return {};
    node = inner.child[slot];
  }
  const Leaf& leaf = leaves_[node & ~kLeafBit];
  if (index >= leaf.visible) return {};
  Ref ref = leaf.first;
  for (;;) {
    const Item& item = items_[ref];
    uint32_t visible = item.visible();
    if (index < visible) return {ref, index};
    index -= visible;
    ref = item.right;
  }
}

Ref SequenceIndex::last(uint32_t root) const noexcept {
  if (root == kNoNode) return kNil;
  uint32_t node = root;
  while (!(node & kLeafBit)) node = inners_[node].child[inners_[node].count - 1];
  Ref ref = leaves_[node & ~kLeafBit].first;
  while (items_[ref].right != kNil) ref = items_[ref].right;
  return ref;
}

uint32_t SequenceIndex::index_of(Ref ref) const noexcept {
  uint32_t leaf = items_[ref].sub;
  uint32_t index = 0;
  for (Ref item = leaves_[leaf].first; item != ref; item = items_[item].right) {
    index += items_[item].visible();
  }
  uint32_t child = leaf | kLeafBit;
  uint32_t parent = leaves_[leaf].parent;
  while (parent != kNoNode) {
    const Inner& node = inners_[parent];
    for (uint32_t i = 0; node.child[i] != child; ++i) index += node.visible[i];
    child = parent;
    parent = node.parent;
  }
  return index;
}

void SequenceIndex::clear(uint32_t& root) {
  if (root == kNoNode) return;
  std::vector<uint32_t> nodes{root};
  while (!nodes.empty()) {
    uint32_t node = nodes.back();
    nodes.pop_back();
    if (node & kLeafBit) {
      free_leaves_.push_back(node & ~kLeafBit);
    } else {
      const Inner& inner = inners_[node];
      nodes.insert(nodes.end(), inner.child, inner.child + inner.count);
      free_inners_.push_back(node);
    }
  }
  root = kNoNode;
}

void SequenceIndex::build(uint32_t& root, Ref first) {
  clear(root);
  if (first == kNil) return;
  struct Sum {
    uint32_t node, visible, formats;
  };
  std::vector<Sum> level;
  for (Ref item = first; item != kNil;) {
    uint32_t leaf = new_leaf();
    Leaf& node = leaves_[leaf];
    node.first = item;
    while (item != kNil && node.count < kLeafMax * 3 / 4) {
      Item& it = items_[item];
      it.sub = leaf;
      ++node.count;
      node.visible += it.visible();
      node.formats += it.kind == Content::Format && !it.deleted();
      item = it.right;
    }
    level.push_back({leaf | kLeafBit, node.visible, node.formats});
  }
  while (level.size() > 1) {
    std::vector<Sum> above;
    for (size_t i = 0; i < level.size();) {
      uint32_t parent = new_inner();
      Inner& node = inners_[parent];
      Sum sum{parent, 0, 0};
      // Never leave a single child over: a node of one child would only be a longer way down.
      size_t left = level.size() - i;
      size_t take = left <= kInnerMax          ? left
                    : left < kInnerMax * 3 / 2 ? left / 2
                                               : kInnerMax * 3 / 4;
      for (size_t k = 0; k < take; ++k, ++i) {
        node.child[node.count] = level[i].node;
        node.visible[node.count] = level[i].visible;
        node.formats[node.count] = level[i].formats;
        ++node.count;
        sum.visible += level[i].visible;
        sum.formats += level[i].formats;
        parent_of(level[i].node) = parent;
      }
      above.push_back(sum);
    }
    level = std::move(above);
  }
  root = level[0].node;
}

}  // namespace lattice::crdt::internal
