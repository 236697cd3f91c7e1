// SPDX-License-Identifier: MIT
// Links, marking and checking: the alien-signals walks over index links.
#include "lattice/reactive/graph.hpp"

#include <algorithm>
#include <mutex>

namespace lattice::reactive {

namespace {
constexpr size_t kNodeTypesMax = size_t{1} << 16;
std::mutex node_types_mutex;
size_t node_types_count = 0;

Computation* computation_at(Index index) noexcept { return at<Computation>(index); }
}  // namespace

// 2 MiB of address space, of which only the pages of types in use are ever touched.
NodeType node_types[kNodeTypesMax];

uint16_t register_node_type(const NodeType& type) {
  std::scoped_lock lock(node_types_mutex);
  LATTICE_ASSERT(node_types_count < kNodeTypesMax);
  LATTICE_ASSERT(type.bytes <= kSlotBytesMax);
  node_types[node_types_count] = type;
  return static_cast<uint16_t>(node_types_count++);
}

// --- links

void Graph::link(Node* dep, Computation* sub, Index tail, Index next) {
  if (sub->flags & kDisposed) return;  // it disposed itself and still runs
  // Read before in this run, with other sources in between. Only found while `sub` is the newest
  // subscriber; otherwise a second link is made, once: later runs re-use both in place.
  if (dep->subs_tail != 0) {
    Link* last = at<Link>(dep->subs_tail);
    if (last->version == context_.version && last->sub == context_.observer) return;
  }
  if (graph_of(dep) != this) {
    throw AccessError(std::string("'") + name_of(dep) + "' belongs to another runtime");
  }
  Index index = arena_.allocate_link();
  *at<Link>(index) = {index_of(dep), context_.observer, dep->subs_tail, 0, next, context_.version};
  (tail != 0 ? at<Link>(tail)->next_dep : sub->deps) = index;
  (dep->subs_tail != 0 ? at<Link>(dep->subs_tail)->next_sub : dep->subs) = index;
  dep->subs_tail = index;
  sub->deps_tail = index;
}

void Graph::release_link(Link* link) noexcept {
  if (walks_ != 0) {
    late_links_.push_back(index_of(link));
  } else {
    arena_.release_link(index_of(link));
  }
}

// Takes the link out of its source's list and frees it; returns the next link in read order.
// The subscriber's list is the caller's business: it always drops a suffix.
Index Graph::unlink(Link* link) noexcept {
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
  sub->deps = sub->deps_tail = 0;
  while (link != 0) link = unlink(at<Link>(link));
}

void Graph::purge(Computation* sub) noexcept {
  Index& end = sub->deps_tail != 0 ? at<Link>(sub->deps_tail)->next_dep : sub->deps;
  Index link = end;
  end = 0;
  while (link != 0) link = unlink(at<Link>(link));
}

// The last subscriber is gone. A memo will let go of its sources when things settle, unless it has
// been subscribed to again by then; a disposed node was only waiting for this.
void Graph::unwatch(Node* dep) noexcept {
  if ((dep->flags & (kDisposed | kMutable)) == kDisposed) return release_slot(dep);
  if (!node_types[dep->type].is_computation || (dep->flags & (kUnwatched | kDisposed))) return;
  dep->flags |= kUnwatched;
  unwatched_.push_back(index_of(dep));
}

void Graph::drain_unwatched() noexcept {
  while (!unwatched_.empty()) {
    Computation* memo = computation_at(unwatched_.back());
    unwatched_.pop_back();
    memo->flags &= static_cast<Flags>(~kUnwatched);
    if (memo->flags & kDisposed) {
      release_slot(memo);
    } else if (memo->subs == 0) {
      memo->flags = static_cast<Flags>((memo->flags & ~(kPending | kRecursed)) | kDirty);
      unlink_all(memo);
    }
  }
}

// --- marking

bool Graph::is_current_link(const Link* link) const noexcept {
  for (const RunFrame* frame = frame_; frame != nullptr; frame = frame->outer_) {
    if (index_of(frame->node_) == link->sub) return frame->version_ == link->version;
  }
  return false;
}

// Marks everything downstream Pending and queues effects, in subscription order, depth first.
// `inner`: the write came from a running function, so what it marks may have to be marked again.
void Graph::propagate(Index first, bool inner) noexcept {
  const size_t base = propagate_stack_.size();
  const Flags mark = inner ? kPending | kRecursed : kPending;
  Link* link = at<Link>(first);
  for (;;) {
    Computation* sub = computation_at(link->sub);
    Flags flags = sub->flags;
    if (!(flags & (kRunning | kRecursed | kDirty | kPending))) {
      sub->flags = flags | mark;
    } else if (!(flags & (kRunning | kRecursed))) {
      flags = 0;  // marked already, and so is what lies below
    } else if (!(flags & kRunning)) {
      sub->flags = static_cast<Flags>((flags & ~kRecursed) | kPending);
    } else if (!(flags & (kDirty | kPending)) && is_current_link(link)) {
      // It wrote what it has read: stale again, but not to be run again by itself.
      sub->flags = flags | kRecursed | kPending;
      flags &= kMutable;
    } else {
      flags = 0;
    }
    if (flags & kWatching) notify(sub);
    if ((flags & kMutable) && sub->subs != 0) {
      if (link->next_sub != 0) propagate_stack_.push_back(link->next_sub);
      link = at<Link>(sub->subs);
    } else if (link->next_sub != 0) {
      link = at<Link>(link->next_sub);
    } else if (propagate_stack_.size() > base) {
      link = at<Link>(propagate_stack_.back());
      propagate_stack_.pop_back();
    } else {
      return;
    }
  }
}

// A source has really changed: those that were waiting to know are Dirty.
void Graph::shallow_propagate(Index first) noexcept {
  for (Index index = first; index != 0;) {
    Link* link = at<Link>(index);
    Computation* sub = computation_at(link->sub);
    Flags flags = sub->flags;
    if ((flags & (kPending | kDirty)) == kPending) {
      sub->flags = flags | kDirty;
      if ((flags & (kWatching | kRunning)) == kWatching) notify(sub);
    }
    index = link->next_sub;
  }
}

void Graph::changed(Node* source) {
  for (Index index = source->subs; index != 0;) {
    Link* link = at<Link>(index);
    Computation* sub = computation_at(link->sub);
    Flags flags = sub->flags;
    sub->flags = static_cast<Flags>((flags & ~kRecursed) | kDirty);
    if (!(flags & (kDirty | kPending)) || (flags & kRecursed)) {
      if (flags & kWatching) {
        notify(sub);
      } else if (sub->subs != 0) {
        propagate(sub->subs, false);
      }
    }
    index = link->next_sub;
  }
  if (!queue_.empty()) run_queue();
}

void Graph::changed_later(Node* source) noexcept {
  if (source->subs != 0) propagate(source->subs, frame_ != nullptr);
}

// --- checking

// Whether a Pending computation must run: updates its sources in read order, deepest first, and
// stops at the first that changed. A loop: sources that are Pending themselves go on the stack.
bool Graph::check_dirty(Computation* sub) noexcept {
  ++walks_;
  check_stack_.push_back(sub->deps);  // so that a cycle can name the root of this walk
  const size_t base = check_stack_.size();
  sub->flags |= kChecking;
  Index next = sub->deps;
  bool dirty = false;
  while (next != 0) {
    Link* link = at<Link>(next);
    Node* dep = at<Node>(link->dep);
    Flags flags = dep->flags;
    if (sub->flags & kDirty) {
      dirty = true;
    } else if ((flags & (kMutable | kDirty)) == (kMutable | kDirty)) {
      if (update(dep)) {
        promote(dep);
        dirty = true;
      }
    } else if ((flags & (kMutable | kPending)) == (kMutable | kPending)) {
      check_stack_.push_back(next);
      dep->flags = flags | kChecking;
      sub = static_cast<Computation*>(dep);
      next = sub->deps;
      continue;
    }
    next = dirty ? 0 : link->next_dep;
    if (next == 0) ascend(sub, next, base, dirty);
  }
  check_stack_.pop_back();
  sub->flags &= static_cast<Flags>(~kChecking);
  const bool must_run = dirty && !(sub->flags & kDisposed);
  end_walk();
  return must_run;
}

// All sources of `sub` are known: settle it and go up until one has a source left to look at.
void Graph::ascend(Computation*& sub, Index& next, size_t base, bool& dirty) noexcept {
  while (check_stack_.size() > base) {
    Link* link = at<Link>(check_stack_.back());
    check_stack_.pop_back();
    sub->flags &= static_cast<Flags>(~kChecking);
    if (!dirty) {
      sub->flags &= static_cast<Flags>(~kPending);
    } else if (!(sub->flags & kDisposed)) {
      dirty = update(sub);
      if (dirty) promote(sub);
    }
    sub = computation_at(link->sub);
    if (!dirty && link->next_dep != 0) {
      next = link->next_dep;
      return;
    }
  }
}

void Graph::clean(Computation* memo) {
  if (memo->flags & (kRunning | kChecking)) throw_cycle(memo);
  ++walks_;
  if ((memo->flags & kDirty) || check_dirty(memo)) {
    if (update(memo)) promote(memo);
  } else {
    memo->flags &= static_cast<Flags>(~kPending);
  }
  end_walk();
  settle();
}

void Graph::throw_cycle(const Computation* memo) const {
  // In progress, outermost first: walks of check_dirty and running functions, interleaved.
  std::vector<const RunFrame*> frames;
  for (const RunFrame* frame = frame_; frame; frame = frame->outer_) frames.push_back(frame);
  std::reverse(frames.begin(), frames.end());
  std::vector<Index> path;
  auto add = [&](Index index) {
    if (path.empty() || path.back() != index) path.push_back(index);
  };
  size_t done = 0;
  for (const RunFrame* frame : frames) {
    for (; done < frame->check_height_; ++done) {
      const Link* link = at<Link>(check_stack_[done]);
      add(link->sub);
      if (at<Node>(link->dep)->flags & kChecking) add(link->dep);
    }
    add(index_of(frame->node_));
  }
  Index start = index_of(memo);
  auto from = std::find(path.rbegin(), path.rend(), start);
  std::string message = "cycle: ";
  for (auto at_node = from == path.rend() ? path.begin() : from.base() - 1; at_node != path.end();
       ++at_node) {
    message += std::string(name_of(at<Node>(*at_node))) + " -> ";
  }
  throw CycleError(message + name_of(memo));
}

}  // namespace lattice::reactive
