// SPDX-License-Identifier: MIT
#include "lattice/ui/internal/live_links.hpp"

namespace lattice::ui::internal {

uint32_t first_dom_id(const LiveNode& node) {
  if (!node.attached) return 0;
  if (node.is_dom()) return node.id;
  for (const auto& child : node.children) {
    if (!child) continue;
    if (uint32_t id = first_dom_id(*child)) return id;
  }
  return 0;
}

uint32_t next_dom_id(const LiveNode& node) {
  for (const LiveNode* at = &node; at->parent != nullptr; at = at->parent) {
    const auto& siblings = at->parent->children;
    for (size_t i = at->index + 1; i < siblings.size(); ++i) {
      if (!siblings[i]) continue;
      if (uint32_t id = first_dom_id(*siblings[i])) return id;
    }
    if (at->parent->is_dom()) return 0;
  }
  return 0;
}

uint32_t dom_parent_id(const LiveNode& node) {
  for (const LiveNode* at = node.parent; at != nullptr; at = at->parent) {
    if (at->is_dom()) return at->id;
  }
  return 0;
}

}  // namespace lattice::ui::internal
