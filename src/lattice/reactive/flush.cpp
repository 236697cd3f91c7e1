// SPDX-License-Identifier: MIT
// Running queued effects until nothing is queued, within a bound.
//
// A flush never nests: what an effect writes marks and queues, and the loop gets to it. Effects
// that keep triggering one another make rounds; after kRoundsMax of them the flush gives up with a
// CycleError that names one. What was still queued stays stale and runs after the next write.
#include "lattice/reactive/graph.hpp"
#include "lattice/reactive/internal/links.hpp"
#include "lattice/reactive/internal/run_frame.hpp"

namespace lattice::reactive {

namespace {
constexpr uint32_t kRoundsMax = 10'000;
}

void Graph::unwind_batch() noexcept {
  try {
    close_batch();
  } catch (...) {
    report(nullptr, std::current_exception());
  }
}

// --- rows

// A Pending computation: must it run?
// REQUIRES: where user code may dispose it, begin_walk().
[[gnu::noinline]] bool Graph::is_stale(Computation* sub) noexcept {
  ++walks_;
  Link* link = first_link_of(sub);
  Node* dep = at<Node>(link->dep);
  bool is_stale = false;
  if (link->next_dep != 0 || (dep->flags & (kComputation | kDirty)) != kDirty) {
    is_stale = check_dirty(sub);
  } else if (commit(dep)) {  // a signal, and its only source
    if ((link->prev_sub | link->next_sub) != 0 && dep->subs != 0) shallow_propagate(dep->subs);
    is_stale = !(sub->flags & kDisposed);
  }
  end_walk();
  return is_stale;
}

// The same; a memo that need not run is Pending no longer.
inline bool Graph::is_stale_here(Computation* memo) noexcept {
  const NodeHandle handle = handle_of(memo);
  if (!is_settled(memo) && is_stale(memo)) return true;
  if (node_of(handle) != nullptr) memo->flags &= static_cast<Flags>(~kPending);
  return false;
}

// The same where the only source is a signal that was written. Nothing runs, so that its commit
// (see there) may have the frame.
inline bool Graph::commit_for(Computation* memo, const Link* link) noexcept {
  Node* source = at<Node>(link->dep);
  ++walks_;
  frame_.running = 0;
  frame_.cursor = 0;
  frame_.hidden = kCursorOfDisposed;
  frame_.owner = root_;
  const bool has_changed = node_updates[source->type](*this, source);
  const bool is_alive = !(memo->flags & kDisposed);
  if (!has_changed) {
    if (is_alive) memo->flags &= static_cast<Flags>(~kPending);
  } else if ((link->prev_sub | link->next_sub) != 0 && source->subs != 0) {
    shallow_propagate(source->subs);
  }
  end_walk();
  return has_changed && is_alive;
}

// A memo of a row has changed: those that read it are Dirty. `next` is 0 where the row has ended.
void Graph::tell_next(const Computation* memo, Index next, Index effect) noexcept {
  if (memo->subs == 0) return;
  // Mostly there is one reader: the next in the row.
  const Link* link = at<Link>(memo->subs);
  if (link->next_sub == 0 && (link->sub == next || link->sub == effect)) {
    at<Computation>(link->sub)->flags |= kDirty;
  } else {
    shallow_propagate(memo->subs);
  }
}

// run_row() from a step on, after links have changed.
[[gnu::noinline]] void Graph::run_row_with_care(uint32_t step, Index effect) noexcept {
  const Rows& rows = plans_.rows;  // all 0 from when a memo is disposed
  for (Index entry; (entry = rows[step]) != 0; ++step) {
    const Index index = entry & ~kSharedBit;
    Computation* memo = computation_at(index);
    const bool is_dirty =
        (memo->flags & kDirty) || ((memo->flags & kPending) && is_stale_here(memo));
    if (!is_dirty) continue;
    if (memo->subs == 0) {  // nobody needs it any more
      memo->flags |= kDirty;
    } else if (run_in_frame(memo, index)) {
      tell_next(memo, rows[step + 1] & ~kSharedBit, effect);
    }
  }
}

// Brings the memos on the way to an effect up to date, sources first: each has one source only, the
// one before it, so that asking the effect (check_dirty) would come to the same in the same order.
// Nothing must run before; afterwards the effect's flags tell.
//
// While no link has changed since the row was noted, the row itself says who reads what.
inline void Graph::run_row(uint32_t path, Index effect) noexcept {
  const uint64_t topology = plans_.topology();
  if (topology_ != topology) [[unlikely]]
    return run_row_with_care(path, effect);
  const Rows& rows = plans_.rows;
  const Computation* before = nullptr;
  bool is_dirty = false;  // `before` has changed, which the next one's flags need not tell
  uint32_t step = path;
  for (Index entry; (entry = rows[step]) != 0; ++step) {
    const Index index = entry & ~kSharedBit;
    Computation* memo = computation_at(index);
    if (!is_dirty) {
      const Flags flags = memo->flags;
      if (!(flags & kDirty)) {
        if (before != nullptr && !(before->flags & (kDirty | kPending | kRunning))) {
          memo->flags = static_cast<Flags>(flags & ~kPending);
          before = memo;
          continue;
        }
        if (flags & kPending) {
          const Link* link = first_link_of(memo);
          const bool is_written =
              (at<Node>(link->dep)->flags & (kComputation | kDirty)) == kDirty;  // a signal
          is_dirty = is_written ? commit_for(memo, link) : is_stale_here(memo);
        }
        if (topology_ != topology) [[unlikely]] {
          if (is_dirty) memo->flags |= kDirty;
          return run_row_with_care(step, effect);
        }
        if (!is_dirty) {
          before = memo;
          continue;
        }
      }
    }
    is_dirty = run_in_frame(memo, index);
    if (topology_ != topology) [[unlikely]] {
      if (is_dirty) tell_next(memo, rows[step + 1] & ~kSharedBit, effect);
      return run_row_with_care(step + 1, effect);
    }
    if (is_dirty && (entry & kSharedBit)) {
      shallow_propagate(memo->subs);
      is_dirty = false;
    }
    before = memo;
  }
  if (is_dirty) at<Computation>(effect)->flags |= kDirty;
}

inline void Graph::run_if_stale(Computation* effect) {
  const Flags flags = effect->flags;
  if (!(flags & kDirty)) {
    if (!(flags & kPending)) return;
    if (is_settled(effect)) {
      effect->flags = static_cast<Flags>(flags & ~(kPending | kRecursed));
      return;
    }
    frame_.running = 0;  // not what ran before this effect
    begin_walk();        // the effect may be disposed by a memo that is checked
    const bool must_run = is_stale(effect);
    if (!must_run) effect->flags &= static_cast<Flags>(~(kPending | kRecursed));
    end_walk();
    if (!must_run) return;
  }
  run_in_frame(effect, index_of(effect));
  if (effect->flags & kRecursed) [[unlikely]] {
    frame_.running = 0;
    accept_own_writes(effect, flags & kQueued);
  }
}

inline void Graph::run_effect(EffectQueue::Entry entry) {
  auto* effect = at<Computation>(entry.effect);
  if (effect->flags & kNested) [[unlikely]]
    run_ancestors(effect);
  if (entry.path != 0 && (effect->flags & (kDirty | kPending)) == kPending)
    run_row(entry.path, entry.effect);
  const auto flags = static_cast<Flags>(effect->flags & ~kQueued);
  effect->flags = flags;
  if (flags & kDisposed) [[unlikely]]
    return release_slot(effect);
  run_if_stale(effect);
}

void Graph::run_queue() {
  struct Flushing {
    explicit Flushing(Graph& g) : graph(g) { graph.flushing_ = 1; }
    ~Flushing() { graph.flushing_ = 0; }
    Graph& graph;
  };
  {
    Flushing guard(*this);
    FrameSave save(*this);
    size_t left_in_round = queue_.runnable();
    uint32_t rounds = 0;
    for (EffectQueue::Entry entry; (entry = queue_.pop()).effect != 0;) {
      if (left_in_round-- == 0) [[unlikely]] {
        left_in_round = queue_.runnable();
        if (++rounds == kRoundsMax) give_up(at<Computation>(entry.effect));
      }
      run_effect(entry);
    }
  }
  if (!written_.empty()) commit_written();
  if (!unwatched_.empty()) drain_unwatched();
}

// An owner that is stale runs before what it owns, which it will dispose: an effect that is queued,
// a memo that somebody watches. Outermost first, each at most once.
void Graph::run_ancestors(Computation* effect) {
  Index last_run = 0;
  while (!(effect->flags & kDisposed)) {
    Computation* outermost = nullptr;
    for (Index owner = effect->owner; owner != last_run; owner = at<Computation>(owner)->owner) {
      auto* ancestor = at<Computation>(owner);
      const Flags flags = ancestor->flags;
      if (!(flags & (kDirty | kPending)) || (flags & (kRunning | kChecking))) continue;
      if (flags & kMutable) {
        if (ancestor->subs != 0) outermost = ancestor;
      } else if ((flags & kQueued) &&
                 !(user_effects_held() && static_cast<Phase>(ancestor->subs_tail) == Phase::User)) {
        outermost = ancestor;
      }
    }
    if (outermost == nullptr) return;
    last_run = index_of(outermost);
    if (outermost->flags & kMutable) {
      frame_.running = 0;
      refresh_owner(outermost);
    } else {
      run_if_stale(outermost);
    }
  }
}

void Graph::give_up(Computation* effect) {
  std::string name = name_of(effect);
  for (Index index = index_of(effect); index != 0; index = queue_.pop().effect) {
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
  if (flush_request_) [[unlikely]]
    request_flush();
}

// --- deferred flushes

void Graph::request_flush() noexcept {
  if (is_flush_requested_ || flushing_ != 0 || queue_.empty()) return;
  is_flush_requested_ = true;
  flush_request_();
}

void Graph::set_flush_request(std::function<void()> request) {
  const bool was_deferred = flush_request_ != nullptr;
  flush_request_ = std::move(request);
  is_flush_requested_ = false;
  if (flush_request_) {
    if (!was_deferred) open_batch();
    request_flush();
  } else if (was_deferred) {
    close_batch();
  }
}

void Graph::flush() {
  if (!flush_request_) return settle();
  if (batch_depth_ != 1 || flushing_ != 0 || frame_.running != 0) return;
  is_flush_requested_ = false;
  struct Reopen {
    Graph& graph;
    ~Reopen() { graph.open_batch(); }
  } reopen{*this};
  close_batch();
}

void Graph::hold_user_effects(bool held) {
  queue_.hold_user(held);
  if (held) return;
  if (flush_request_) [[unlikely]]
    request_flush();
  settle();
}

void Graph::start(Computation* effect) {
  if (user_effects_held() && static_cast<Phase>(effect->subs_tail) == Phase::User) {
    schedule(effect);
    return;
  }
  update(effect);
  if (effect->flags & kRecursed) [[unlikely]]
    accept_own_writes(effect, 0);
  settle();
}

}  // namespace lattice::reactive
