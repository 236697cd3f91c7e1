// SPDX-License-Identifier: MIT
// The pure diff of two trees as path-addressed patches, applied one after the other.
//
// apply(before, diff(before, after)) == after for all trees (diff_test.cpp, on random ones).
// A path lists child indices from the root, in the tree as the earlier patches left it. For one
// parent the order is: removals from the back, one reorder, creations from the front, then the
// children's own patches. Slots compare by id. The live tree of ui does not use patches: it shares
// only the child planner.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lattice/ui/vdom/vnode.hpp"

namespace lattice::vdom {

enum class PatchType : uint8_t { Create, Remove, Replace, Update, Text, Reorder };

// Moves one child in front of another. Both are indices of the child list as it was before the
// whole reorder, so moves do not shift each other; they are carried out in the order given.
struct ChildMove {
  uint32_t from = 0;
  std::optional<uint32_t> before;  // nothing: to the end
  friend bool operator==(const ChildMove&, const ChildMove&) = default;
};

struct Patch {
  PatchType type = PatchType::Update;
  std::vector<uint32_t> path;        // Create: where the new node will be; else the node itself
  VNode node;                        // Create, Replace
  std::vector<Attribute> set;        // Update: new or changed attributes
  std::vector<std::string> removed;  // Update: attributes that are gone
  Value text;                        // Text
  std::vector<ChildMove> moves;      // Reorder: of the node's children, the fewest possible
  friend bool operator==(const Patch&, const Patch&) = default;
};

// Throws Error for duplicate keys and for trees beyond kTreeDepthMax.
std::vector<Patch> diff(const VNode& before, const VNode& after);

// Throws Error when a patch does not fit the tree.
VNode apply(VNode tree, std::span<const Patch> patches);

}  // namespace lattice::vdom
