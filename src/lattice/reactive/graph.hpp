// SPDX-License-Identifier: MIT
// The graph engine: who depends on whom, what is stale, what runs next. It never sees a value.
//
// Algorithm (alien-signals 3): a write pushes flags down the subscriber links (`propagate`), reads
// and queued effects pull (`check_dirty`): a Pending node looks at its sources in read order and
// recomputes only when one really changed. Both walks are loops over a reusable stack. Links are
// doubly linked on the subscriber side; on the source side they form a list in read order, which
// a run re-uses in place with a cursor (`deps_tail`), so that an unchanged run allocates nothing.
//
//        signal --subs--> link --next_sub--> link          Link { dep, sub, version,
//                          |sub               |sub                prev_sub, next_sub, next_dep }
//                          v                  v
//        effect <--deps-- link --next_dep--> link
//
// Engine API, for typed nodes (signal.hpp, memo.hpp, effect.hpp) and for bindings:
//   - describe a node type once: register_node_type({update, destroy, bytes}); derive the node
//     struct from Node (sources) or Computation (memos, effects) and keep value and closure inline;
//   - Graph::current().create(type, flags) gives zeroed, adopted, stable memory: fill it in;
//   - read:  memos first: if (needs_clean(node)) g.clean(node);  then g.track(node, index);
//   - write: if (g.idle()) { store the new value; g.changed(node); }          (also when no subs)
//            else { store it aside; g.changed_later(node); }  -> update() must commit it on demand;
//   - run inside update(): RunFrame frame(g, node); if (frame.prepare()) call it; frame.finish();
//   - handles: handle_of(node), and node_of(handle), which is null once the node was disposed;
//   - g.dispose(node); g.name_node(node, "x"); g.set_error(node, e) / clear_error(node).
//
// Lifetimes: a node belongs to the owner that was current at its creation and is disposed with it,
// last first. Disposing bumps the generation at once; memory is released when nothing can reach it
// any more (not running, not queued, no link from a subscriber, no walk in progress).
// Threads: a graph belongs to one thread at a time (RuntimeEntry in runtime.hpp).
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lattice/base/error.hpp"
#include "lattice/reactive/arena.hpp"
#include "lattice/reactive/effect_queue.hpp"

namespace lattice::reactive {

using Flags = uint16_t;
inline constexpr Flags kMutable = 1 << 0;   // a source of others: signal or memo
inline constexpr Flags kWatching = 1 << 1;  // an effect: queued when marked
inline constexpr Flags kRunning = 1 << 2;   // its function (or a scope's body) is on the stack
inline constexpr Flags kRecursed = 1 << 3;  // marked by a write made inside a run
inline constexpr Flags kDirty = 1 << 4;     // must update
inline constexpr Flags kPending = 1 << 5;   // a source may have changed: check first
inline constexpr Flags kError = 1 << 6;     // a memo whose value is an exception
inline constexpr Flags kQueued = 1 << 7;    // an effect in the queue
inline constexpr Flags kDisposed = 1 << 8;
inline constexpr Flags kHasExtra = 1 << 9;     // has an entry in the side table
inline constexpr Flags kNested = 1 << 10;      // below an effect or memo in the ownership tree
inline constexpr Flags kChecking = 1 << 11;    // on the stack of check_dirty
inline constexpr Flags kHasValue = 1 << 12;    // a memo whose value storage is constructed
inline constexpr Flags kFirstOwned = 1 << 13;  // prev_owned is the owner, not a sibling
inline constexpr Flags kUnwatched = 1 << 14;   // waits in the list of memos to unlink
inline constexpr Flags kOwns = 1 << 15;        // a computation with owned nodes

struct Node {
  Flags flags;
  uint16_t type;
  uint32_t generation;
  Index next_owned;  // the sibling created before this one
  Index prev_owned;
  Index subs;
  Index subs_tail;
};

struct Link {
  Index dep;  // 0 in an inline link that is not in use
  Index sub;
  Index prev_sub;
  Index next_sub;
  Index next_dep;
  uint32_t version;  // id of the run that last read through this link
};

// The link to the first source lies in the computation itself: most have no other, it shares the
// cache line, and the walks can guess a subscriber's address from its link's (subscriber_of).
struct Computation : Node {
  Index deps;
  Index deps_tail;  // while running: the last source read so far
  Index owned;      // newest child
  Index owner;
  Link first_link;
};
static_assert(sizeof(Node) == 24 && sizeof(Computation) == 64 && sizeof(Link) == 24);

struct NodeHandle {
  Index index = 0;
  uint32_t generation = 0;
  bool operator==(const NodeHandle&) const = default;
};

inline NodeHandle handle_of(const Node* node) noexcept {
  return {index_of(node), node->generation};
}
// Null when the node was disposed (or never was).
inline Node* node_of(NodeHandle handle) noexcept {
  if (handle.index == 0) return nullptr;
  Node* node = at<Node>(handle.index);
  return node->generation == handle.generation ? node : nullptr;
}

struct NodeType {
  // Memo: recompute; effect: run; signal: commit the pending value. Returns whether it changed.
  bool (*update)(Graph&, Node*) noexcept;
  // Destroys value and closure. May be null.
  void (*destroy)(Graph&, Node*) noexcept;
  uint32_t bytes;
  bool is_computation;  // derived from Computation
};
uint16_t register_node_type(const NodeType& type);
[[gnu::visibility("hidden")]] extern NodeType node_types[];
// NodeType::update by type, on its own: the one entry that the walks need.
using UpdateFunction = bool (*)(Graph&, Node*) noexcept;
[[gnu::visibility("hidden")]] extern UpdateFunction node_updates[];

// True when a memo cannot be read as it is: stale, disposed, or in a cycle.
inline bool needs_clean(const Node* node) noexcept {
  return (node->flags & (kDirty | kPending | kRunning | kChecking)) != 0;
}
// False on the way that nearly every read of a memo takes.
inline bool needs_care(const Node* node) noexcept {
  return (node->flags & (kDirty | kPending | kRunning | kChecking | kError)) != 0;
}

namespace internal {
[[gnu::visibility("hidden")]] extern constinit thread_local Graph* current_graph
    [[gnu::tls_model("initial-exec")]];
}

// What a read or a creation attaches to.
struct Context {
  Index observer = 0;  // 0: untracked
  Index owner = 0;
};

class RunFrame;

// std::vector without the parts that a walk's inner loop need not pay for.
class IndexStack {
 public:
  void push(Index index) {
    if (size_ == capacity_) [[unlikely]]
      grow();
    entries_[size_++] = index;
  }
  Index pop() noexcept { return entries_[--size_]; }
  // For a walk that keeps the size in a register: put at it, tell it before others push.
  void put(uint32_t position, Index index) {
    if (position == capacity_) [[unlikely]]
      grow();
    entries_[position] = index;
  }
  void set_size(uint32_t size) noexcept { size_ = size; }
  uint32_t size() const noexcept { return size_; }
  Index operator[](uint32_t position) const noexcept { return entries_[position]; }

 private:
  void grow();

  std::unique_ptr<Index[]> entries_;
  uint32_t size_ = 0;
  uint32_t capacity_ = 0;
};

class Graph {
 public:
  using ErrorHandler = std::function<void(std::exception_ptr, const char* node_name)>;

  Graph();
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  // This thread's current graph; its default runtime's on first use.
  static Graph& current() {
    Graph* graph = current_fast();
    return graph->root_ != 0 ? *graph : make_default();
  }
  // Never null: without a runtime an empty stand-in that tracks nothing.
  static Graph* current_fast() noexcept { return internal::current_graph; }
  // Puts a graph in front on this thread (null: none); returns the one before.
  static Graph* make_current(Graph* graph) noexcept;

  // --- creation and disposal
  Node* create(uint16_t type, Flags flags);
  Computation* create_computation(uint16_t type, Flags flags) {
    return static_cast<Computation*>(create(type, flags));
  }
  void dispose(Node* node) noexcept;
  void dispose_owned(Computation* owner) noexcept;
  // The body of an entered owner has ended (scope.cpp).
  void leave(Computation* owner) noexcept {
    owner->flags &= static_cast<Flags>(~kRunning);
    if (owner->flags & kDisposed) finish(owner);
  }
  // Between these no slot is released.
  void begin_walk() noexcept { ++walks_; }
  void end_walk() noexcept {
    if (--walks_ == 0 && !(late_nodes_.empty() && late_links_.empty())) release_late();
  }
  // Everything but the root; what cleanups write runs nothing.
  void dispose_all() noexcept;
  // Frees the slot of a node whose construction failed.
  void abandon(Node* node) noexcept;
  Index root() const noexcept { return root_; }

  // --- reads
  bool tracking() const noexcept { return context_.observer != 0; }
  // Subscribes the observer, if there is one. REQUIRES: dep_index == index_of(dep).
  void track(Node* dep, Index dep_index) {
    if (last_read_ == dep_index || context_.observer == 0) return;
    auto* sub = at<Computation>(context_.observer);
    last_read_ = dep_index;
    Index tail = sub->deps_tail;
    Index next = sub->deps;
    if (tail != 0) {
      Link* last = at<Link>(tail);
      if (last->dep == dep_index) return;
      next = last->next_dep;
    }
    if (next != 0) {
      Link* reused = at<Link>(next);
      if (reused->dep == dep_index) {
        reused->version = run_version_;
        sub->deps_tail = next;
        return;
      }
    }
    link(dep, sub, tail, next);
  }
  // Makes a memo current. Throws CycleError when it is being computed already.
  void clean(Computation* memo);

  // --- writes
  // Nothing runs and no batch is open: a new value can be committed at once.
  bool idle() const noexcept { return (batch_depth_ | flushing_) == 0 && frame_ == nullptr; }
  // REQUIRES: idle(). The committed value differs: mark subscribers Dirty and run effects.
  void changed(Node* source);
  // The pending value differs from what readers saw: mark; effects run when things settle.
  void changed_later(Node* source) noexcept;
  // A source updated on the way of a read: its Pending subscribers become Dirty.
  void promote(Node* source) noexcept {
    if (source->subs != 0) shallow_propagate(source->subs);
  }
  // The same for a walk that came over `link`, the subscriber of which needs no telling.
  void promote_others(Node* source, const Link* link) noexcept {
    const Index self = index_of(link);
    if (source->subs == self && source->subs_tail == self) [[likely]]
      return;
    promote(source);
  }

  // --- effects
  void open_batch() noexcept { ++batch_depth_; }
  void close_batch() {
    --batch_depth_;
    settle();
  }
  // The same on the way of an exception, which goes on: what the flush throws is reported.
  void unwind_batch() noexcept;
  // What every outermost operation ends with: run what was queued, unless someone else will.
  // Throws CycleError when effects keep triggering one another.
  void settle() {
    if (!(queue_.empty() && unwatched_.empty() && written_.empty()) && idle()) run_queue();
  }
  void schedule(Computation* effect) noexcept;
  void hold_user_effects(bool held);
  bool user_effects_held() const noexcept { return queue_.user_held(); }
  // First run of a new effect: at once, or queued when its phase is held.
  void start(Computation* effect);

  // --- names, errors
  void name_node(Node* node, std::string_view name);
  // "?" when it has none.
  const char* name_of(const Node* node) const noexcept;
  void set_error(Node* node, std::exception_ptr error);
  void clear_error(Node* node) noexcept;
  std::exception_ptr error_of(const Node* node) const;
  void set_node_error_handler(Node* node, std::function<void(std::exception_ptr)> handler);
  void set_error_handler(ErrorHandler handler) { error_handler_ = std::move(handler); }
  // To the node's own handler, else the graph's, else stderr.
  void report(const Node* node, std::exception_ptr error) noexcept;

  Context& context() noexcept { return context_; }
  const Arena& arena() const noexcept { return arena_; }
  void* host = nullptr;  // the Runtime that owns this graph

 private:
  friend class RunFrame;
  struct CheckWalk;

  static Graph& make_default();  // runtime.cpp

  struct Extra {
    std::string name;
    std::exception_ptr error;
    std::function<void(std::exception_ptr)> on_error;
  };

  // graph.cpp
  void link(Node* dep, Computation* sub, Index tail, Index next);
  Index unlink(Link* link) noexcept;
  void unlink_all(Computation* sub) noexcept;
  void purge(Computation* sub) noexcept;
  void release_link(Link* link) noexcept;
  void unwatch(Node* dep) noexcept;
  void drain_unwatched() noexcept;
  void commit_written() noexcept;
  void propagate(Index first, bool inner) noexcept;
  void shallow_propagate(Index first) noexcept;
  bool check_dirty(Computation* sub) noexcept;
  bool is_current_link(const Link* link) const noexcept;
  bool update(Node* node) noexcept { return node_updates[node->type](*this, node); }
  [[noreturn]] void throw_cycle(const Computation* memo) const;

  // ownership.cpp
  void adopt(Node* node) noexcept;
  void detach(Node* node) noexcept;
  void mark_disposed(Node* node) noexcept;
  void retire(Node* node) noexcept;
  void finish(Node* node) noexcept;
  void release_slot(Node* node) noexcept;
  void dispose_tree(Node* node) noexcept;
  void release_late() noexcept;
  Index living_owner(Index owner) const noexcept;
  Extra& extra_of(Node* node);

  // flush.cpp
  void notify(Computation* effect) noexcept;
  void run_queue();
  void run_effect(Computation* effect);
  void run_if_stale(Computation* effect);
  void run_ancestors(Computation* effect);
  [[noreturn]] void give_up(Computation* effect);

  Context context_;
  Index last_read_ = 0;       // what the observer has just read; 0 after a change of observer
  uint32_t run_version_ = 0;  // id of the observer's run
  uint32_t version_ = 0;      // the newest id
  uint32_t batch_depth_ = 0;
  uint32_t flushing_ = 0;
  uint32_t walks_ = 0;  // above 0 links and nodes must stay readable
  RunFrame* frame_ = nullptr;
  const CheckWalk* walk_ = nullptr;
  Index root_ = 0;
  Arena arena_;
  EffectQueue queue_;
  IndexStack propagate_stack_;
  IndexStack check_stack_;
  std::vector<Index> unwatched_;
  std::vector<NodeHandle> written_;  // signals that a running function wrote
  std::vector<Index> late_nodes_;
  std::vector<Index> late_links_;
  std::unordered_map<Index, Extra> extras_;
  ErrorHandler error_handler_;

 public:
  struct StandIn {};
  explicit Graph(StandIn) noexcept;  // what current_fast() gives when there is none
};

// One run of a computation: observer and owner are the node from construction until finish().
class RunFrame {
 public:
  RunFrame(Graph& graph, Computation* node) noexcept
      : graph_(graph),
        outer_(graph.frame_),
        node_(node),
        saved_(graph.context_),
        saved_version_(graph.run_version_) {
    graph.frame_ = this;
    Index index = index_of(node);
    graph.context_ = {index, index};
    graph.last_read_ = 0;
    graph.run_version_ = ++graph.version_;
    node->deps_tail = 0;
    node->flags = static_cast<Flags>((node->flags & ~(kDirty | kPending | kRecursed)) | kRunning);
  }
  RunFrame(const RunFrame&) = delete;
  RunFrame& operator=(const RunFrame&) = delete;

  // Disposes what the last run made. Returns false when that disposed the node itself.
  [[nodiscard]] bool prepare() noexcept {
    if (!(node_->flags & kOwns)) [[likely]]
      return true;
    graph_.dispose_owned(node_);
    return !(node_->flags & kDisposed);
  }

  // User code called from here on (an equality function) is untracked.
  void stop_tracking() noexcept { graph_.context_.observer = 0; }

  // Drops the sources that were not read again. Returns false when the node disposed itself: then
  // it must not be touched any more.
  bool finish() noexcept {
    graph_.frame_ = outer_;
    graph_.context_ = saved_;
    graph_.last_read_ = 0;
    graph_.run_version_ = saved_version_;
    const Flags flags = node_->flags & static_cast<Flags>(~kRunning);
    node_->flags = flags;
    Index rest = node_->deps_tail != 0 ? at<Link>(node_->deps_tail)->next_dep : node_->deps;
    if (rest != 0) graph_.purge(node_);
    if (!(flags & kDisposed)) [[likely]]
      return true;
    graph_.finish(node_);
    return false;
  }

 private:
  friend class Graph;
  Graph& graph_;
  RunFrame* outer_;
  Computation* node_;
  Context saved_;
  uint32_t saved_version_;
};

}  // namespace lattice::reactive
