// SPDX-License-Identifier: MIT
// Where a live node stands in the DOM: regions have no DOM node, so neighbours are searched.
#pragma once

#include "lattice/ui/live_tree.hpp"

#include <cstdint>

namespace lattice::ui::internal {

// Calls visit for each topmost DOM node at or below `node`, in document order.
template <class F>
void for_each_dom_root(LiveNode& node, const F& visit) {
  if (node.is_dom()) return visit(node);
  for (auto& child : node.children) {
    if (child) for_each_dom_root(*child, visit);
  }
}

// The id of the first attached DOM node at or below `node`, or 0.
uint32_t first_dom_id(const LiveNode& node);

// The id of the DOM node that follows `node` under its DOM parent, or 0 at the end. Only looks at
// attached nodes, and only to the right: patch_children works from right to left and relies on it.
uint32_t next_dom_id(const LiveNode& node);

// The id of the element (or 0, the root container) that holds the DOM nodes of `node`.
uint32_t dom_parent_id(const LiveNode& node);

}  // namespace lattice::ui::internal
