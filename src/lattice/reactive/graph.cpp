// SPDX-License-Identifier: MIT
// Links, and checking what is stale.
#include "lattice/reactive/graph.hpp"
#include "lattice/reactive/internal/links.hpp"
#include "lattice/reactive/internal/run_frame.hpp"

#include <algorithm>
#include <cstddef>
#include <mutex>

#include "lattice/reactive/recorder.hpp"
#include "lattice/reactive/side_stack.hpp"

namespace lattice::reactive {

namespace {
constexpr size_t kNodeTypesMax = size_t{1} << 16;
std::mutex node_types_mutex;
size_t node_types_count = 0;
UpdateFunction update_wrapper = nullptr;

UpdateFunction wrapped(UpdateFunction update) noexcept {
  return update != nullptr && update_wrapper != nullptr ? update_wrapper : update;
}
}  // namespace

// 2 MiB of address space, of which only the pages of types in use are ever touched.
NodeType node_types[kNodeTypesMax];
UpdateFunction node_updates[kNodeTypesMax];

uint16_t register_node_type(const NodeType& type) {
  std::scoped_lock lock(node_types_mutex);
  LATTICE_ASSERT(node_types_count < kNodeTypesMax);
  LATTICE_ASSERT(type.bytes <= kSlotBytesMax);
  node_types[node_types_count] = type;
  node_updates[node_types_count] = wrapped(type.update);
  return static_cast<uint16_t>(node_types_count++);
}

void wrap_updates(UpdateFunction wrapper) {
  std::scoped_lock lock(node_types_mutex);
  update_wrapper = wrapper;
  for (size_t type = 0; type != node_types_count; ++type) {
    node_updates[type] = wrapped(node_types[type].update);
  }
}

// --- links

// Orders grow by this where links are appended, which leaves room for those that are put between.
constexpr uint32_t kOrderStep = 1 << 12;

// A read that is not the one that the last run made at this point.
bool Graph::track_news(Node* dep, Index dep_index) {
  Computation* sub = computation_at(frame_.running);
  if (sub->flags & kDisposed) return false;  // it disposed itself and still runs
  // Read before in this run, with other sources in between. Only found while `sub` is the newest
  // subscriber; otherwise a second link is made, once: later runs re-use both in place.
  if (dep->subs_tail != 0) {
    const Link* last = at<Link>(dep->subs_tail);
    if (last->sub == frame_.running && is_read(frame_, last)) {
      frame_.repeated = dep_index;
      return false;
    }
  }
  link(dep, sub);
  return true;
}

// Inserts a link between what was read in this run and what is left of the last one.
void Graph::link(Node* dep, Computation* sub) {
  if (graph_of(dep) != this) {
    throw AccessError(std::string("'") + name_of(dep) + "' belongs to another runtime");
  }
  Link* before = at<Link>(frame_.cursor);
  const bool is_first = frame_.cursor == index_of(sub) + kHeadOffset;
  const Index next = before->next_dep;
  const Index index =
      is_first && sub->first_link.dep == 0 ? index_of(&sub->first_link) : arena_.allocate_link();
  const uint32_t order = (is_first ? 0 : before->order) + (next != 0 ? 1 : kOrderStep);
  ++topology_;
  *at<Link>(index) = {index_of(sub), dep->subs_tail, 0, order, next, index_of(dep)};
  before->next_dep = index;
  (dep->subs_tail != 0 ? at<Link>(dep->subs_tail)->next_sub : dep->subs) = index;
  dep->subs_tail = index;
  frame_.cursor = index;
  if (order < kOrderStep || (next != 0 && at<Link>(next)->order <= order)) [[unlikely]]
    renumber(sub);
}

void Graph::renumber(Computation* sub) noexcept {
  uint32_t count = 0;
  for (Index index = sub->deps; index != 0; index = at<Link>(index)->next_dep) ++count;
  const uint32_t step = std::clamp(~uint32_t{0} / (count + 1), uint32_t{1}, kOrderStep);
  uint32_t order = 0;
  for (Index index = sub->deps; index != 0; index = at<Link>(index)->next_dep) {
    at<Link>(index)->order = order += step;
  }
}

// Whether the run of a frame has read through this link of its node.
bool Graph::is_read(const Frame& frame, const Link* link) noexcept {
  const Index position = frame.position();
  return position != frame.running + kHeadOffset && link->order <= at<Link>(position)->order;
}

void Graph::release_link(Link* link) noexcept {
  if (link == &subscriber_of(link)->first_link) {
    // No walk holds it: a computation that is being checked does not run, and one that is disposed
    // keeps its slot until the walk is over.
    link->dep = 0;
  } else if (walks_ != 0) {
    late_links_.push_back(index_of(link));
    has_late_ = true;
  } else {
    arena_.release_link(index_of(link));
  }
}

// Takes the link out of its source's list and frees it; returns the next link in read order.
// The subscriber's list is the caller's business: it always drops a suffix.
Index Graph::unlink(Link* link) noexcept {
  ++topology_;
  Node* dep = at<Node>(link->dep);
  Index next_dep = link->next_dep;
  (link->next_sub != 0 ? at<Link>(link->next_sub)->prev_sub : dep->subs_tail) = link->prev_sub;
  (link->prev_sub != 0 ? at<Link>(link->prev_sub)->next_sub : dep->subs) = link->next_sub;
  release_link(link);
  if (dep->subs == 0) unwatch(dep);
  return next_dep;
}

void Graph::unlink_all(Computation* sub) noexcept {
  Index link = sub->deps;
  sub->deps = 0;
  if (sub->flags & kRunning) {
    const Index index = index_of(sub);
    for (Frame* frame = &frame_; frame != nullptr; frame = frame->outer) {
      if (frame->running != index) continue;
      frame->hidden = kCursorOfDisposed;
      if (frame->cursor != 0) frame->cursor = kCursorOfDisposed;
    }
  }
  while (link != 0) link = unlink(at<Link>(link));
}

// Drops the sources that the run which ends did not come to.
void Graph::purge() noexcept {
  SharedIndex& end = at<Link>(frame_.position())->next_dep;
  Index link = end;
  end = 0;
  while (link != 0) link = unlink(at<Link>(link));
}

// The last subscriber is gone. A memo will let go of its sources when things settle, unless it has
// been subscribed to again by then; a disposed node was only waiting for this, or for that as well.
void Graph::unwatch(Node* dep) noexcept {
  if ((dep->flags & (kDisposed | kMutable)) == kDisposed) {
    if (!(dep->flags & kUnwatched)) release_slot(dep);
    return;
  }
  if ((dep->flags & (kComputation | kUnwatched | kDisposed)) != kComputation) return;
  dep->flags |= kUnwatched;
  unwatched_.push_back(index_of(dep));
}

void Graph::drain_unwatched() noexcept {
  while (!unwatched_.empty()) {
    Computation* memo = computation_at(unwatched_.back());
    unwatched_.pop_back();
    memo->flags &= static_cast<Flags>(~kUnwatched);
    if (memo->flags & kDisposed) {
      if (memo->subs == 0) release_slot(memo);  // otherwise unwatch() does, after the last of them
    } else if (memo->subs == 0) {
      memo->flags = static_cast<Flags>((memo->flags & ~(kPending | kRecursed)) | kDirty);
      unlink_all(memo);
    }
  }
}

// What a running function wrote to a signal and nobody has read since, the writer itself not being
// triggered: it becomes the value now, so that the next write is compared with what people see.
void Graph::commit_written() noexcept {
  while (!written_.empty()) {
    Node* source = node_of(written_.back());
    written_.pop_back();
    if (source == nullptr || !(source->flags & kDirty) || !update(source)) continue;
    // Memos that were marked must know; effects have run, and the writer is not to run again.
    for (Index at_link = source->subs; at_link != 0; at_link = at<Link>(at_link)->next_sub) {
      auto* sub = at<Computation>(at<Link>(at_link)->sub);
      if ((sub->flags & (kMutable | kPending)) == (kMutable | kPending)) sub->flags |= kDirty;
    }
  }
}

// --- running

// Disposes what the last run made. Returns false when that disposed the node itself.
[[gnu::noinline]] bool Graph::prepare_owner(Computation* node) noexcept {
  dispose_owned(node);
  return !(node->flags & kDisposed);
}

// Sources were not read again, or the node was disposed. Returns false when it was: then its slot
// may be gone.
[[gnu::noinline]] bool Graph::end_with_news(Computation* node) noexcept {
  node->flags &= static_cast<Flags>(~kRunning);
  if (!(node->flags & kDisposed)) {
    purge();
    return true;
  }
  frame_.cursor = 0;  // destructors run in finish()
  frame_.hidden = kCursorOfDisposed;
  frame_.owner = root_;
  finish(node);
  return false;
}

bool Graph::run(Computation* node) noexcept {
  FrameSave save(*this);
  return run_in_frame(node, index_of(node));
}

// A source's pending value becomes its value. User code may run: it belongs to no computation.
[[gnu::noinline]] bool Graph::commit(Node* source) noexcept {
  FrameSave save(*this);
  frame_.cursor = 0;
  frame_.hidden = kCursorOfDisposed;
  frame_.owner = root_;
  return node_updates[source->type](*this, source);
}

bool Graph::update(Node* node) noexcept {
  return node->flags & kComputation ? run(static_cast<Computation*>(node)) : commit(node);
}

// --- checking

// A call of check_dirty in progress. Only throw_cycle looks at it.
struct Graph::CheckWalk : FrameSave {
  explicit CheckWalk(Graph& graph) noexcept : FrameSave(graph), outer(graph.walk_) {}
  const CheckWalk* outer;
};

inline void Graph::end_check(const CheckWalk& walk, Step* top) noexcept {
  check_stack_.set_top(top);
  walk_ = walk.outer;
}

// A source that was updated on the way down over `link` has changed: tells its other subscribers.
void Graph::promote_others(const Node* source, const Link* link) noexcept {
  if ((link->prev_sub | link->next_sub) == 0) [[likely]]
    return;
  if (source->subs != 0) shallow_propagate(source->subs);
}

// Whether a Pending computation must run: updates its sources in read order, deepest first, and
// stops at the first that changed. A loop: on the way up to a source that is Pending itself the
// link goes on the stack.
// REQUIRES: begin_walk().
[[gnu::noinline]]  // into clean(), most calls of which do not come here
bool Graph::check_dirty(Computation* sub) noexcept {
  const CheckWalk walk(*this);
  walk_ = &walk;
  Step* top = check_stack_.push(check_stack_.top(), {nullptr, sub});
  sub->flags |= kChecking;
  Link* link = first_link_of(sub);
  for (;;) {
    bool dirty = (sub->flags & kDirty) != 0;  // by what a source wrote
    if (!dirty) {
      Node* dep = at<Node>(link->dep);
      Flags flags = dep->flags;
      while ((flags & (kMutable | kPending | kDirty)) == (kMutable | kPending)) {
        top = check_stack_.push(top, {link, sub});
        dep->flags = flags | kChecking;
        sub = static_cast<Computation*>(dep);
        link = first_link_of(sub);
        dep = at<Node>(link->dep);
        flags = dep->flags;
      }
      if ((flags & (kMutable | kDirty)) == (kMutable | kDirty)) {
        check_stack_.set_top(top);
        dirty = flags & kComputation ? run_in_frame(static_cast<Computation*>(dep), link->dep)
                                     : commit(dep);
        top = check_stack_.top();
        if (dirty) promote_others(dep, link);
      } else if (flags & kRunning) {
        dirty = true;  // it will find that it reads what is being computed
      }
    }
    // All that `sub` needs is known, or there is one more source to look at.
    while (dirty || link->next_dep == 0) {
      const Step step = *--top;
      const Flags flags = sub->flags;
      if (step.link == nullptr) {
        sub->flags = flags & static_cast<Flags>(~kChecking);
        end_check(walk, top);
        return dirty && !(flags & kDisposed);
      }
      if (!dirty) {
        sub->flags = flags & static_cast<Flags>(~(kPending | kChecking));
      } else if (!(flags & kDisposed)) {
        check_stack_.set_top(top);
        dirty = run_in_frame(sub, step.link->dep);
        top = check_stack_.top();
        if (dirty) {
          promote_others(sub, step.link);
        } else {
          sub->flags &= static_cast<Flags>(~kChecking);  // if it did not run
        }
      }
      link = step.link;
      sub = step.sub;
    }
    link = at<Link>(link->next_dep);
  }
}

inline void Graph::refresh(Computation* memo) noexcept {
  ++walks_;
  if ((memo->flags & kDirty) || check_dirty(memo)) {
    if (run(memo)) promote(memo);
  } else {
    memo->flags &= static_cast<Flags>(~kPending);
  }
  end_walk();
}

// An effect has written what it has read, or something that it created has. That is no reason to
// run again: its sources are brought up to date, and it counts as having seen them so. What is
// written next is compared with that.
[[gnu::noinline]] void Graph::accept_own_writes(Computation* effect, Flags queued_before) noexcept {
  if ((effect->flags & kQueued) != queued_before) return;  // it has been scheduled: it runs again
  begin_walk();
  ++batch_depth_;
  effect->flags |= kRunning | kDirty | kPending;  // nothing in here triggers it
  for (Index index = effect->deps; index != 0 && !(effect->flags & kDisposed);) {
    Link* link = at<Link>(index);
    index = link->next_dep;
    Node* source = at<Node>(link->dep);
    if (!(source->flags & (kDirty | kPending)) || (source->flags & (kRunning | kChecking)))
      continue;
    // A memo in between is left as it is: it has not changed until somebody reads it.
    if (!(source->flags & kComputation) && commit(source)) promote(source);
  }
  --batch_depth_;
  Flags over = kRecursed | kPending;
  if ((effect->flags & kQueued) == queued_before) over |= kDirty;
  effect->flags &= static_cast<Flags>(~over);
  leave(effect);
  end_walk();
}

// REQUIRES: somebody watches it. Without stack it is left to those.
void Graph::refresh_owner(Computation* memo) noexcept {
  stack_left();  // on a thread's first call its stack is yet to be measured
  if (!stack_is_low()) refresh(memo);
}

void Graph::clean(Computation* memo) {
  const Flags flags = memo->flags;
  if (flags & (kRunning | kChecking)) throw_cycle(memo);
  if (stack_is_low()) [[unlikely]] {
    refresh_deep(memo);
  } else if (flags & kDirty) {  // refresh(), with the run inlined: most reads that come here
    ++walks_;
    FrameSave save(*this);
    if (run_in_frame(memo, index_of(memo)) && memo->subs != 0) shallow_propagate(memo->subs);
    end_walk();
  } else {
    refresh(memo);
  }
  if (frame_.running == 0) settle();
}

// Memos that are read for the first time compute one another recursively, through user code.
[[gnu::noinline]] void Graph::refresh_deep(Computation* memo) {
  stack_left();  // on a thread's first call its stack is yet to be measured
  if (!stack_is_low()) return refresh(memo);
  if (!on_side_stack([this, memo]() noexcept { refresh(memo); })) throw_nesting(memo);
}

void Graph::throw_cycle(const Computation* memo) const {
  // In progress, innermost first: each run, and before it the walks that led to it.
  std::vector<Index> path;
  auto add = [&](Index index) {
    if (path.empty() || path.back() != index) path.push_back(index);
  };
  const CheckWalk* walk = walk_;
  const Step* step = check_stack_.top();
  for (const Frame* frame = &frame_;; frame = frame->outer) {
    for (; walk != nullptr && walk->frame() == frame; walk = walk->outer) {
      while ((--step)->link != nullptr) add(step->link->dep);
      add(index_of(step->sub));
    }
    if (frame->running == 0) break;
    add(frame->running);
  }
  std::reverse(path.begin(), path.end());
  Index start = index_of(memo);
  auto from = std::find(path.rbegin(), path.rend(), start);
  if (from != path.rend()) path.erase(path.begin(), from.base() - 1);
  path.push_back(start);
  throw CycleError("cycle: " + join_names(path));
}

void Graph::throw_nesting(const Computation* memo) const {
  std::vector<Index> path{index_of(memo)};
  for (const Frame* frame = &frame_; frame->running != 0; frame = frame->outer) {
    if (path.back() != frame->running) path.push_back(frame->running);
  }
  std::reverse(path.begin(), path.end());
  throw NestingError("no stack left for " + std::to_string(path.size()) +
                     " memos that compute one another: " + join_names(path) +
                     ". Read those at the end of the chain first.");
}

// "a -> b -> c", of a long path only both ends.
std::string Graph::join_names(const std::vector<Index>& path) const {
  constexpr size_t kEndShown = 8;
  std::string text;
  for (size_t i = 0; i < path.size(); ++i) {
    if (!text.empty()) text += " -> ";
    if (i == kEndShown && path.size() > 2 * kEndShown + 1) {
      const size_t left_out = path.size() - 2 * kEndShown;
      text += "... (" + std::to_string(left_out) + " more) ... -> ";
      i += left_out;
    }
    text += name_of(at<Node>(path[i]));
  }
  return text;
}

}  // namespace lattice::reactive
