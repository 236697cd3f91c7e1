// SPDX-License-Identifier: MIT
// Running queued effects until nothing is queued, within a bound.
//
// A flush never nests: what an effect writes marks and queues, and the loop gets to it. Effects
// that keep triggering one another make rounds; after kRoundsMax of them the flush gives up with a
// CycleError that names one. What was still queued stays stale and runs after the next write.
#include "lattice/reactive/graph.hpp"

namespace lattice::reactive {

namespace {
constexpr uint32_t kRoundsMax = 10'000;
}

void Graph::notify(Computation* effect) noexcept {
  if (effect->flags & kQueued) return;
  effect->flags |= kQueued;
  // Effects have no subscribers: these words hold priority and phase.
  queue_.push(index_of(effect), static_cast<Phase>(effect->subs_tail),
              static_cast<int32_t>(effect->subs));
}

void Graph::unwind_batch() noexcept {
  try {
    close_batch();
  } catch (...) {
    report(nullptr, std::current_exception());
  }
}

void Graph::run_queue() {
  struct Flushing {
    explicit Flushing(Graph& g) : graph(g) { graph.flushing_ = 1; }
    ~Flushing() { graph.flushing_ = 0; }
    Graph& graph;
  };
  {
    Flushing guard(*this);
    size_t left_in_round = queue_.runnable();
    uint32_t rounds = 0;
    while (Index index = queue_.pop()) {
      auto* effect = at<Computation>(index);
      if (left_in_round == 0) {
        left_in_round = queue_.runnable() + 1;
        if (++rounds == kRoundsMax) give_up(effect);
      }
      --left_in_round;
      run_effect(effect);
    }
  }
  commit_written();
  drain_unwatched();
}

void Graph::run_effect(Computation* effect) {
  if (effect->flags & kNested) run_ancestors(effect);
  effect->flags &= static_cast<Flags>(~kQueued);
  if (effect->flags & kDisposed) return release_slot(effect);
  run_if_stale(effect);
}

void Graph::run_if_stale(Computation* effect) {
  if (!(effect->flags & kDirty)) {
    if (!(effect->flags & kPending)) return;
    ++walks_;  // the effect may be disposed by a memo that is checked
    const bool must_run = check_dirty(effect);
    if (!must_run) effect->flags &= static_cast<Flags>(~(kPending | kRecursed));
    end_walk();
    if (!must_run) return;
  }
  update(effect);
}

// An owner that is stale runs before what it owns, which it will dispose. Outermost first, each at
// most once: one that writes what it reads stays stale.
void Graph::run_ancestors(Computation* effect) {
  Index last_run = 0;
  while (!(effect->flags & kDisposed)) {
    Computation* outermost = nullptr;
    for (Index owner = effect->owner; owner != last_run; owner = at<Computation>(owner)->owner) {
      auto* ancestor = at<Computation>(owner);
      const Flags flags = ancestor->flags;
      if ((flags & kQueued) && (flags & (kDirty | kPending)) && !(flags & kRunning) &&
          !(user_effects_held() && static_cast<Phase>(ancestor->subs_tail) == Phase::User)) {
        outermost = ancestor;
      }
    }
    if (outermost == nullptr) return;
    last_run = index_of(outermost);
    run_if_stale(outermost);
  }
}

void Graph::give_up(Computation* effect) {
  std::string name = name_of(effect);
  for (Index index = index_of(effect); index != 0; index = queue_.pop()) {
    auto* queued = at<Computation>(index);
    queued->flags &= static_cast<Flags>(~kQueued);
    if (queued->flags & kDisposed) {
      release_slot(queued);
    } else {
      queued->flags |= kRecursed;  // marked, but to be notified again by the next write
    }
  }
  throw CycleError("effects keep triggering one another: '" + name + "' is queued again after " +
                   std::to_string(kRoundsMax) + " rounds");
}

void Graph::schedule(Computation* effect) noexcept {
  effect->flags |= kDirty;
  notify(effect);
}

void Graph::hold_user_effects(bool held) {
  queue_.hold_user(held);
  if (!held) settle();
}

void Graph::start(Computation* effect) {
  if (user_effects_held() && static_cast<Phase>(effect->subs_tail) == Phase::User) {
    schedule(effect);
    return;
  }
  update(effect);
  settle();
}

}  // namespace lattice::reactive
