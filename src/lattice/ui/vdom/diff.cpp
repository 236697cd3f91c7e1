// SPDX-License-Identifier: MIT
#include "lattice/ui/vdom/diff.hpp"

#include <algorithm>
#include <iterator>

#include "lattice/base/error.hpp"
#include "lattice/ui/vdom/keyed.hpp"

namespace lattice::vdom {

namespace {

using Kind = VNode::Kind;

bool same_node(const VNode& a, const VNode& b) noexcept {
  return a.kind == b.kind && a.tag == b.tag && a.key == b.key;
}

std::vector<ChildIdentity> identities(const std::vector<VNode>& children) {
  std::vector<ChildIdentity> out;
  out.reserve(children.size());
  std::ranges::transform(children, std::back_inserter(out), identity_of);
  return out;
}

class Differ {
 public:
  std::vector<Patch> run(const VNode& before, const VNode& after) {
    node(before, after, 0);
    return std::move(patches_);
  }

 private:
  Patch& emit(PatchType type) {
    Patch& patch = patches_.emplace_back();
    patch.type = type;
    patch.path = path_;
    return patch;
  }

  Patch& emit_at(PatchType type, uint32_t index) {
    Patch& patch = emit(type);
    patch.path.push_back(index);
    return patch;
  }

  void node(const VNode& before, const VNode& after, size_t depth) {
    internal::check_depth(depth);
    const bool must_replace =
        !same_node(before, after) || ((after.kind == Kind::Slot || after.kind == Kind::RawHtml) &&
                                      !same_value(before.value, after.value));
    if (must_replace) {
      emit(PatchType::Replace).node = after;
    } else if (after.kind == Kind::Text) {
      if (!same_value(before.value, after.value)) emit(PatchType::Text).text = after.value;
    } else {
      attributes(before.attrs, after.attrs);
      children(before.children, after.children, depth);
    }
  }

  void attributes(const std::vector<Attribute>& before, const std::vector<Attribute>& after) {
    if (before == after) return;
    std::vector<Attribute> set;
    std::vector<std::string> removed;
    for (const Attribute& attr : after) {
      if (std::ranges::find(before, attr) == before.end()) set.push_back(attr);
    }
    for (const Attribute& attr : before) {
      if (std::ranges::find(after, attr.name, &Attribute::name) == after.end()) {
        removed.push_back(attr.name);
      }
    }
    if (set.empty() && removed.empty()) return;
    Patch& patch = emit(PatchType::Update);
    patch.set = std::move(set);
    patch.removed = std::move(removed);
  }

  void children(const std::vector<VNode>& before, const std::vector<VNode>& after, size_t depth) {
    const ChildPlan plan = plan_children(identities(before), identities(after));
    for (size_t i = plan.removed.size(); i-- > 0;) emit_at(PatchType::Remove, plan.removed[i]);
    reorder(plan, before.size());
    for (uint32_t i = 0; i < after.size(); ++i) {
      if (plan.source[i] < 0) emit_at(PatchType::Create, i).node = after[i];
    }
    for (uint32_t i = 0; i < after.size(); ++i) {
      if (plan.source[i] < 0) continue;
      path_.push_back(i);
      node(before[static_cast<size_t>(plan.source[i])], after[i], depth + 1);
      path_.pop_back();
    }
  }

  // Moves run from the back: each goes in front of its right neighbour, which is in place by then.
  void reorder(const ChildPlan& plan, size_t before_count) {
    std::vector<uint32_t> survivor_index(before_count, 0);
    for (uint32_t old_index : plan.removed) survivor_index[old_index] = 1;
    uint32_t survivors = 0;
    for (uint32_t& entry : survivor_index) entry = entry == 1 ? 0 : survivors++;
    std::vector<ChildMove> moves;
    std::optional<uint32_t> right;
    for (size_t i = plan.source.size(); i-- > 0;) {
      if (plan.source[i] < 0) continue;
      const uint32_t self = survivor_index[static_cast<size_t>(plan.source[i])];
      if (plan.stay[i] == 0) moves.push_back({.from = self, .before = right});
      right = self;
    }
    if (!moves.empty()) emit(PatchType::Reorder).moves = std::move(moves);
  }

  std::vector<Patch> patches_;
  std::vector<uint32_t> path_;
};

[[noreturn]] void throw_misfit(const char* what) {
  throw Error(std::string("the patch does not fit the tree: ") + what);
}

VNode& find(VNode& root, std::span<const uint32_t> path) {
  VNode* node = &root;
  for (uint32_t index : path) {
    if (index >= node->children.size()) throw_misfit("no node at its path");
    node = &node->children[index];
  }
  return *node;
}

// The child list and index that the path ends in. REQUIRES of the caller: index within bounds + 1.
std::pair<std::vector<VNode>*, uint32_t> find_place(VNode& root, std::span<const uint32_t> path) {
  if (path.empty()) throw_misfit("the root can neither be created nor removed");
  return {&find(root, path.first(path.size() - 1)).children, path.back()};
}

void update(VNode& node, const Patch& patch) {
  std::erase_if(node.attrs, [&](const Attribute& attr) {
    return std::ranges::find(patch.removed, attr.name) != patch.removed.end();
  });
  for (const Attribute& attr : patch.set) {
    const auto found = std::ranges::find(node.attrs, attr.name, &Attribute::name);
    if (found == node.attrs.end()) {
      node.attrs.push_back(attr);
    } else {
      found->value = attr.value;
    }
  }
}

// A doubly linked list over the old indices makes each move O(1); `count` stands for the end.
std::vector<uint32_t> order_after(std::span<const ChildMove> moves, uint32_t count) {
  std::vector<uint32_t> next(count + 1);
  std::vector<uint32_t> previous(count + 1);
  for (uint32_t i = 0; i <= count; ++i) {
    next[i] = i == count ? 0 : i + 1;
    previous[i] = i == 0 ? count : i - 1;
  }
  for (const ChildMove& move : moves) {
    const uint32_t before = move.before.value_or(count);
    if (move.from >= count || before > count || move.from == before) {
      throw_misfit("a move names no child");
    }
    next[previous[move.from]] = next[move.from];
    previous[next[move.from]] = previous[move.from];
    next[move.from] = before;
    previous[move.from] = previous[before];
    next[previous[before]] = move.from;
    previous[before] = move.from;
  }
  std::vector<uint32_t> order;
  order.reserve(count);
  for (uint32_t i = next[count]; i != count; i = next[i]) order.push_back(i);
  return order;
}

void reorder(std::vector<VNode>& children, std::span<const ChildMove> moves) {
  std::vector<VNode> sorted;
  sorted.reserve(children.size());
  for (uint32_t i : order_after(moves, static_cast<uint32_t>(children.size()))) {
    sorted.push_back(std::move(children[i]));
  }
  children = std::move(sorted);
}

void apply_one(VNode& root, const Patch& patch) {
  switch (patch.type) {
    case PatchType::Create: {
      auto [children, index] = find_place(root, patch.path);
      if (index > children->size()) throw_misfit("created beyond the end");
      children->insert(children->begin() + index, patch.node);
      return;
    }
    case PatchType::Remove: {
      auto [children, index] = find_place(root, patch.path);
      if (index >= children->size()) throw_misfit("no node at its path");
      children->erase(children->begin() + index);
      return;
    }
    case PatchType::Replace:
      find(root, patch.path) = VNode(patch.node);
      return;
    case PatchType::Update:
      return update(find(root, patch.path), patch);
    case PatchType::Text: {
      VNode& node = find(root, patch.path);
      if (node.kind != Kind::Text) throw_misfit("not a text");
      node.value = patch.text;
      return;
    }
    case PatchType::Reorder:
      return reorder(find(root, patch.path).children, patch.moves);
  }
}

}  // namespace

std::vector<Patch> diff(const VNode& before, const VNode& after) {
  return Differ().run(before, after);
}

VNode apply(VNode tree, std::span<const Patch> patches) {
  for (const Patch& patch : patches) apply_one(tree, patch);
  return tree;
}

}  // namespace lattice::vdom
