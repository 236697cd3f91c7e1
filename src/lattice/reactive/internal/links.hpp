// SPDX-License-Identifier: MIT
// From an index or link to the computation: what the walks inline.
#pragma once

#include "lattice/reactive/graph.hpp"

namespace lattice::reactive {

inline Computation* computation_at(Index index) noexcept { return at<Computation>(index); }

inline constexpr size_t kFirstLinkOffset = sizeof(Computation) - sizeof(Link);

// The owner of an inline link is where arithmetic puts it. The guess takes the load of `link->sub`
// off the chain of dependent loads that a walk consists of: the check is a predicted branch.
inline Computation* subscriber_of(const Link* link) noexcept {
  const auto* guess = reinterpret_cast<const char*>(link) - kFirstLinkOffset;
  if (index_of(guess) == link->sub) [[likely]] {
    return reinterpret_cast<Computation*>(const_cast<char*>(guess));
  }
  return computation_at(link->sub);
}

// Its first link in read order, guessed likewise.
inline Link* first_link_of(Computation* sub) noexcept {
  if (sub->deps == index_of(&sub->first_link)) [[likely]]
    return &sub->first_link;
  return at<Link>(sub->deps);
}

// It has one source, and that is settled and has not told of a change.
[[gnu::always_inline]] inline bool is_settled(Computation* sub) {
  const Link* link = first_link_of(sub);
  return link->next_dep == 0 && !(at<Node>(link->dep)->flags & (kDirty | kPending | kRunning));
}

}  // namespace lattice::reactive
