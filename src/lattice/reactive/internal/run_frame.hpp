// SPDX-License-Identifier: MIT
// How a computation's function is run: the part that the walks and the flush inline.
#pragma once

#include "lattice/reactive/graph.hpp"

namespace lattice::reactive {

// Keeps the frame that is interrupted while others are set up in its place.
class Graph::FrameSave {
 public:
  explicit FrameSave(Graph& graph) noexcept : graph_(graph), saved_(graph.frame_) {
    graph.frame_.outer = &saved_;
  }
  ~FrameSave() { graph_.frame_ = saved_; }
  FrameSave(const FrameSave&) = delete;
  FrameSave& operator=(const FrameSave&) = delete;
  const Frame* frame() const noexcept { return &saved_; }

 private:
  Graph& graph_;
  Frame saved_;
};

// REQUIRES: a FrameSave, and that the node's slot stays (a walk, or it is not nested).
[[gnu::always_inline]] inline bool Graph::run_in_frame(Computation* node, Index index) noexcept {
  frame_.begin(index);
  constexpr Flags kOver = kDirty | kPending | kRecursed | kChecking;
  const auto flags = static_cast<Flags>((node->flags & ~kOver) | kRunning);
  node->flags = flags;
  bool changed = true;
  if (!(flags & kOwns) || prepare_owner(node)) [[likely]]
    changed = node_updates[node->type](*this, node);
  if (at<Link>(frame_.cursor)->next_dep != 0) [[unlikely]]
    return end_with_news(node) && changed;
  node->flags &= static_cast<Flags>(~kRunning);
  return changed;
}

}  // namespace lattice::reactive
