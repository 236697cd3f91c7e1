// SPDX-License-Identifier: MIT
// Keyed reconciliation: the fewest moves that turn one child list into another.
//
// The common prefix and suffix pair up first. In the middle, keyed children pair by key and type,
// unkeyed ones in order among those of equal type. Of the pairs, those on a longest increasing
// subsequence of old positions stay put; only the others move. O(n log n).
//
//   before  a b c d e        source  0  3  1 -1  4
//   after   a d b x e        stay    1  0  1  0  1      removed  2
//
// Used by the pure diff and by the live tree of ui. keyed_test.cpp checks minimality by brute
// force. Source: the LIS approach of ivi and Vue 3.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "lattice/ui/vdom/vnode.hpp"

namespace lattice::vdom {

// What decides whether an old child can become a new one. Borrows key and tag for one call.
struct ChildIdentity {
  const Key* key = nullptr;  // null: unkeyed
  std::string_view tag;
  uint64_t type = 0;  // node kind, component: whatever must be equal beside the tag
};

ChildIdentity identity_of(const VNode& node) noexcept;

struct ChildPlan {
  std::vector<int32_t> source;    // per new child: the index of the old child that it reuses, or -1
  std::vector<uint8_t> stay;      // per new child: 1 if its node need not move, else 0
  std::vector<uint32_t> removed;  // old indices without a successor, ascending

  // True when nothing is created, moved or removed.
  bool is_identity() const noexcept;
};

// Throws Error, naming the key, when `after` uses a key twice. REQUIRES: keys unique in `before`.
ChildPlan plan_children(std::span<const ChildIdentity> before,
                        std::span<const ChildIdentity> after);

// Throws Error, naming the key, when a key occurs twice: for lists that are built without a plan.
void check_unique_keys(std::span<const ChildIdentity> children);

}  // namespace lattice::vdom
