// SPDX-License-Identifier: MIT
// Marking: a write tells everything downstream that it may be stale, and queues effects.
//
// Where the links of the graph have not changed for some writes of a source, the walk is noted, as
// a plan: the next writes mark by one pass over an array. With it goes, for each effect, the row of
// memos that lead to it; bringing those up to date in order replaces the walk back from the effect.
// Neither changes what runs, or in which order.
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
          rows.add(link->sub);
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

// Marks as mark() would.
template <bool kAtOnce>
void Graph::mark_by_plan(const Plan& plan) noexcept {
  static_assert(kPending >> 1 == kDirty);
  const PlanStep* last = plans_.steps.data() + plan.end;
  for (const PlanStep* step = plans_.steps.data() + plan.begin; step != last; ++step) {
    auto* node = computation_at(step->node & ~kOwnerBit);
    const uint32_t is_dirty = kAtOnce ? step->node >> 31 : 0;
    const Flags flags = node->flags;
    if (flags & kMarked) [[unlikely]] {
      if ((flags & (kRecursed | kWatching)) == (kRecursed | kWatching)) notify(node, step->path);
      node->flags = static_cast<Flags>((node->flags & ~kRecursed) | (kPending >> is_dirty));
      continue;
    }
    node->flags = static_cast<Flags>(flags | (kPending >> is_dirty));
    if (flags & kWatching) notify(node, step->path);
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
  plan.begin = begin;
  plan.end = static_cast<uint32_t>(plans_.steps.size());
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
    plan = {index, 0, topology_, 0, 0};
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
