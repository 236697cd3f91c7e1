// SPDX-License-Identifier: MIT
// What marking notes down (mark.cpp): plans, and in them rows of memos that lead to effects.
//
// A row: the memos on the way to a queued effect, sources first, as far as each has only the one
// before it as its source. A plan: the steps of one marking, valid while no link of the graph has
// changed. Both hold plain indices: a node that is disposed empties all rows (forget), and every
// plan ends with the topology that it was made in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lattice/reactive/arena.hpp"

namespace lattice::reactive {

inline constexpr Index kSharedBit = Index{1} << 31;  // the arena ends below it

// Rows in one array, each ended by 0. The path of an effect is where its row begins, 0: none.
class Rows {
 public:
  // kSharedBit: others read the memo too, not only the next in the row (or the effect).
  Index operator[](uint32_t step) const noexcept { return entries_[step]; }

  // The row that is being written: what stands after the last finished one.
  void add(Index memo) { entries_.push_back(memo); }
  void restart() noexcept { entries_.resize(finished_); }
  // Ends it, for an effect. Returns its path.
  uint32_t finish();

  void clear() noexcept;
  // A memo may be among them that goes away: they lead nowhere from now on. Returns whether there
  // was any.
  bool forget() noexcept {
    if (forgotten_ == finished_) [[likely]]
      return false;
    empty_rows();
    return true;
  }

 private:
  void empty_rows() noexcept;

  std::vector<Index> entries_ = {0};
  size_t finished_ = 1;
  size_t forgotten_ = 1;  // rows before it are empty already
};

struct PlanStep {
  Index node;  // of an effect, kOwnerBit: reads the source itself
  uint32_t path;
};

// Its steps: the memos that read the source itself, the other memos, the effects, each in the order
// of the walk.
struct Plan {
  Index source;
  uint32_t seen;  // writes since the topology changed
  uint64_t topology;
  uint32_t begin;  // begin == end: there is no plan
  uint32_t others;
  uint32_t effects;
  uint32_t end;
  // Of all of its effects, if they agree and none has a priority; else kMixedPhases.
  uint32_t phase;
};
inline constexpr uint32_t kMixedPhases = ~uint32_t{0};
inline constexpr uint32_t kWritesBeforePlan = 8;

// One plan for each of the sources written last, as far as they do not collide.
class Plans {
 public:
  Plans();

  Plan& of(Index source) noexcept { return plans_[(source >> 2) % kPlans]; }
  // Makes room for another plan of this topology. False when there can be none now.
  bool start(uint64_t topology, bool is_queue_empty) noexcept;
  // In which the rows that may still be waited for were made.
  uint64_t topology() const noexcept { return topology_; }
  bool is_full() const noexcept { return steps.size() >= kStepsMax; }

  const bool enabled;  // LATTICE_PLANS=off in the environment: no plan is ever made
  std::vector<PlanStep> steps;
  Rows rows;

 private:
  static constexpr size_t kPlans = 64;
  static constexpr size_t kStepsMax = size_t{1} << 20;  // of all plans of a graph: 8 MiB
  Plan plans_[kPlans] = {};
  uint64_t topology_ = 0;  // of all plans there are
};

}  // namespace lattice::reactive
