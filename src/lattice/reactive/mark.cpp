// SPDX-License-Identifier: MIT
// Marking: a write tells everything downstream that it may be stale, and queues effects.
//
// Where the links of the graph have not changed for some writes of a source, the walk is noted, as
// a plan: the next writes mark by one pass over an array. With it goes, for each effect, the row of
// memos that lead to it; bringing those up to date in order replaces the walk back from the effect.
// Neither changes what runs, or in which order.
#include <algorithm>
#include <unordered_set>
#include <vector>

#include "lattice/reactive/graph.hpp"
#include "lattice/reactive/inspect.hpp"
#include "lattice/reactive/internal/links.hpp"

namespace lattice::reactive {

namespace {
constexpr Flags kMarked = kRunning | kRecursed | kDirty | kPending;
}  // namespace

bool Graph::is_current_link(const Link* link) const noexcept {
  for (const Frame* frame = &frame_; frame->running != 0; frame = frame->outer) {
    if (frame->running == link->sub) return is_read(*frame, link);
  }
  return false;
}

// Marks a subscriber that is marked or running. Returns its flags as far as they say what is left
// to do: nothing when it was marked already, for then so is what lies below.
Flags Graph::mark_again(const Link* link, Computation* sub) noexcept {
  const Flags flags = sub->flags;
  if (!(flags & (kRunning | kRecursed))) return 0;
  if (!(flags & kRunning)) {
    sub->flags = static_cast<Flags>((flags & ~kRecursed) | kPending);
    return flags;
  }
  if ((flags & (kDirty | kPending)) || !is_current_link(link)) return 0;
  // It wrote what it has read: stale again, but not to be run again by itself.
  sub->flags = flags | kRecursed | kPending;
  return flags & kMutable;
}

// Marks everything downstream Pending and queues effects, in subscription order, depth first.
// kAtOnce: the source has its new value already, so direct subscribers become Dirty.
// REQUIRES: nothing runs.
template <bool kAtOnce>
void Graph::mark(Node* source) noexcept {
  for (Index index = source->subs; index != 0;) {
    Link* link = at<Link>(index);
    Computation* sub = subscriber_of(link);
    Flags flags = sub->flags;
    if constexpr (kAtOnce) {
      sub->flags = static_cast<Flags>((flags & ~kRecursed) | kDirty);
      if ((flags & (kDirty | kPending)) && !(flags & kRecursed)) flags = 0;
    } else if (!(flags & kMarked)) {
      sub->flags = flags | kPending;
    } else {
      flags = mark_again(link, sub);
    }
    if (flags & kWatching) {
      notify(sub);
    } else if ((flags & kMutable) && sub->subs != 0) {
      mark_below<0>(sub->subs);
    }
    index = link->next_sub;
  }
}

// kMore: kRecursed for a write that a running function makes, since what it marks may have to be
// marked again.
template <Flags kMore>
void Graph::mark_below(Index first) noexcept {
  Link** top = propagate_stack_.top();
  Link* link = at<Link>(first);
  for (;;) {
    Computation* sub = subscriber_of(link);
    Flags flags = sub->flags;
    if (!(flags & kMarked)) [[likely]] {
      sub->flags = flags | kPending | kMore;
    } else {
      flags = mark_again(link, sub);
    }
    const Index sibling = link->next_sub;
    if (flags & kMutable) {
      if (const Index below = sub->subs; below != 0) {
        if (sibling != 0) top = propagate_stack_.push(top, at<Link>(sibling));
        link = at<Link>(below);
        continue;
      }
    } else if (flags & kWatching) {
      notify(sub);
    }
    if (sibling != 0) {
      link = at<Link>(sibling);
    } else if (top != propagate_stack_.top()) {
      link = *--top;
    } else {
      return;
    }
  }
}

// --- plans

// Its only source is what the link leads to.
[[gnu::always_inline]] inline bool is_only_link(const Link* link, const Computation* sub) noexcept {
  return link->next_dep == 0 && link == first_link_of(const_cast<Computation*>(sub));
}

// Walks as mark() would if nothing were marked, and notes the steps. False: too many.
bool Graph::plan_steps(Node* source) {
  std::unordered_set<Index> seen;
  std::vector<const Link*> siblings;
  Rows& rows = plans_.rows;
  for (Index index = source->subs; index != 0; index = at<Link>(index)->next_sub) {
    const Link* link = at<Link>(index);
    bool is_direct = true;
    rows.restart();
    for (;;) {
      Computation* sub = subscriber_of(link);
      const bool is_new = seen.insert(link->sub).second;
      const bool is_memo = (sub->flags & kMutable) != 0;
      if (is_new || is_direct) {
        const bool ends_row = !is_memo && !is_direct && link == first_link_of(sub);
        const uint32_t path = ends_row ? rows.finish() : 0;
        plans_.steps.push_back({link->sub | (is_direct ? kOwnerBit : 0), path});
        if (plans_.is_full()) return false;
      }
      if (!is_direct && link->next_sub != 0) siblings.push_back(at<Link>(link->next_sub));
      if (is_new && is_memo && sub->subs != 0) {
        if (is_only_link(link, sub)) {
          rows.add(link->sub | (sub->subs != sub->subs_tail ? kSharedBit : 0));
        } else {
          rows.restart();
        }
        link = at<Link>(sub->subs);
      } else {
        rows.restart();
        if (siblings.empty()) break;
        link = siblings.back();
        siblings.pop_back();
      }
      is_direct = false;
    }
  }
  return true;
}

namespace {
inline void mark_memos(const PlanStep* step, const PlanStep* last, Flags more) noexcept {
  for (; step != last; ++step) {
    auto* memo = computation_at(step->node);
    memo->flags = static_cast<Flags>((memo->flags & ~kRecursed) | more);
  }
}
}  // namespace

// Marks as mark() would. Calls nothing but on its way out.
template <bool kAtOnce>
void Graph::mark_by_plan(const Plan& plan) noexcept {
  constexpr Flags kOfDirect = kAtOnce ? kDirty : kPending;
  const PlanStep* steps = plans_.steps.data();
  mark_memos(steps + plan.begin, steps + plan.others, kOfDirect);
  mark_memos(steps + plan.others, steps + plan.effects, kPending);
  const auto phase = static_cast<Phase>(plan.phase);
  if (plan.phase == kMixedPhases || !queue_.has_room(phase, plan.end - plan.effects)) [[unlikely]]
    return queue_by_plan<kAtOnce>(plan);
  EffectQueue::Entry* entry = queue_.begin_push(phase);
  const PlanStep* last = steps + plan.end;
  for (const PlanStep* step = steps + plan.effects; step != last; ++step) {
    const Index index = step->node & ~kOwnerBit;
    auto* effect = computation_at(index);
    const Flags flags = effect->flags;
    const Flags more = step->node & kOwnerBit ? kOfDirect : kPending;
    if (flags & (kMarked | kQueued)) [[unlikely]] {
      effect->flags = static_cast<Flags>((flags & ~kRecursed) | more);
      if ((flags & kQueued) || !(flags & kRecursed)) continue;
    }
    effect->flags = static_cast<Flags>((flags & ~kRecursed) | more | kQueued);
    *entry++ = {index, step->path};
  }
  queue_.end_push(phase, entry);
}

// The second part of it, where effects wait in several lanes or a lane is to grow.
template <bool kAtOnce>
[[gnu::noinline]] void Graph::queue_by_plan(const Plan& plan) noexcept {
  for (uint32_t at_step = plan.effects; at_step != plan.end; ++at_step) {
    const PlanStep step = plans_.steps[at_step];
    auto* effect = computation_at(step.node & ~kOwnerBit);
    const Flags more = kAtOnce && (step.node & kOwnerBit) ? kDirty : kPending;
    const Flags flags = effect->flags;
    effect->flags = static_cast<Flags>((flags & ~kRecursed) | more);
    if (!(flags & kMarked) || (flags & kRecursed)) notify(effect, step.path);
  }
}

// Puts the steps in the order that Plan describes.
void Graph::sort_steps(Plan& plan) noexcept {
  const auto rank = [](const PlanStep& step) {
    if (computation_at(step.node & ~kOwnerBit)->flags & kWatching) return 2;
    return step.node & kOwnerBit ? 0 : 1;
  };
  PlanStep* first = plans_.steps.data() + plan.begin;
  PlanStep* last = plans_.steps.data() + plan.end;
  std::stable_sort(first, last, [&](const PlanStep& one, const PlanStep& other) {
    return rank(one) < rank(other);
  });
  plan.phase = 0;
  for (PlanStep* step = first; step != last; ++step) {
    auto* node = computation_at(step->node & ~kOwnerBit);
    const int kind = rank(*step);
    if (kind == 0) ++plan.others;
    if (kind != 2) {
      ++plan.effects;
      step->node &= ~kOwnerBit;
    } else {
      const uint32_t phase = node->subs != 0 ? kMixedPhases : node->subs_tail;
      if (step == plans_.steps.data() + plan.effects) plan.phase = phase;
      if (phase != plan.phase) plan.phase = kMixedPhases;
    }
  }
}

[[gnu::noinline]] void Graph::make_plan(Node* source, Plan& plan) noexcept {
  if (!plans_.start(topology_, queue_.empty())) {
    --plan.seen;  // the next write tries again
    return;
  }
  const auto begin = static_cast<uint32_t>(plans_.steps.size());
  if (!plan_steps(source)) {
    plans_.steps.resize(begin);
    return;
  }
  plan.begin = plan.others = plan.effects = begin;
  plan.end = static_cast<uint32_t>(plans_.steps.size());
  sort_steps(plan);
}

template <bool kAtOnce>
[[gnu::always_inline]] inline void Graph::mark_all(Node* source) noexcept {
  const Index index = index_of(source);
  Plan& plan = plans_.of(index);
  if (plan.source == index && plan.topology == topology_) [[likely]] {
    if (plan.begin != plan.end) return mark_by_plan<kAtOnce>(plan);
    if (plan.seen < kWritesBeforePlan && ++plan.seen == kWritesBeforePlan) [[unlikely]] {
      make_plan(source, plan);
      if (plan.begin != plan.end) return mark_by_plan<kAtOnce>(plan);
    }
  } else if (plans_.enabled) {
    plan = {index, 0, topology_, 0, 0, 0, 0, 0};
  }
  mark<kAtOnce>(source);
}

void Graph::notify(Computation* effect, uint32_t path) noexcept {
  if (effect->flags & kQueued) return;
  effect->flags |= kQueued;
  // Effects have no subscribers: these words hold priority and phase.
  queue_.push({index_of(effect), path}, static_cast<Phase>(effect->subs_tail),
              static_cast<int32_t>(effect->subs));
}

// A source has really changed: those that were waiting to know are Dirty. Often nobody was, so the
// search for the first is a loop that calls nothing.
void Graph::shallow_propagate(Index first) noexcept {
  for (Index index = first; index != 0;) {
    Link* link = at<Link>(index);
    if ((subscriber_of(link)->flags & (kPending | kDirty)) == kPending) return promote_from(link);
    index = link->next_sub;
  }
}

[[gnu::noinline]] void Graph::promote_from(Link* link) noexcept {
  for (;;) {
    Computation* sub = subscriber_of(link);
    const Flags flags = sub->flags;
    if ((flags & (kPending | kDirty)) == kPending) {
      sub->flags = flags | kDirty;
      if ((flags & (kWatching | kRunning)) == kWatching) notify(sub);
    }
    if (link->next_sub == 0) return;
    link = at<Link>(link->next_sub);
  }
}

void Graph::changed(Node* source) {
  if (recorder_ != nullptr && !recorder_->note_write(source)) [[unlikely]]
    return;
  mark_all<true>(source);
  if (!queue_.empty()) run_queue();
}

void Graph::changed_later(Node* source) noexcept {
  if (recorder_ != nullptr && !recorder_->note_write(source)) [[unlikely]]
    return;
  const bool inner = frame_.running != 0;
  if (inner) {
    written_.push_back(handle_of(source));
    if (source->subs != 0) mark_below<kRecursed>(source->subs);
  } else {
    mark_all<false>(source);
  }
  if (flush_request_) [[unlikely]]
    request_flush();
}

}  // namespace lattice::reactive
