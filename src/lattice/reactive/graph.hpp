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

#include <algorithm>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lattice/base/error.hpp"
#include "lattice/reactive/arena.hpp"
#include "lattice/reactive/effect_queue.hpp"

// Diagnostics (recorder.hpp, inspect.hpp). Off, they cost a null check per call of changed() and
// changed_later(), and nothing else.
namespace lattice::inspect {
class Recorder;
struct RecorderEnd {
  void operator()(Recorder* recorder) const noexcept;
};
struct Facts;
enum class Ask : uint8_t;
}  // namespace lattice::inspect

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
inline constexpr Flags kEmpty = 1 << 12;       // a memo whose value storage is not constructed
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
  // Tells what diagnostics show of a node, if it can be told (see inspect::Ask). May be null.
  void (*describe)(const Graph&, const Node*, inspect::Ask, inspect::Facts&) = nullptr;
};
uint16_t register_node_type(const NodeType& type);
[[gnu::visibility("hidden")]] extern NodeType node_types[];
// NodeType::update by type, on its own: the one entry that the walks need. While diagnostics are on
// it is a wrapper that records the run and calls the real one.
using UpdateFunction = bool (*)(Graph&, Node*) noexcept;
[[gnu::visibility("hidden")]] extern UpdateFunction node_updates[];
// Puts `wrapper` (null: each type's own function) in front of the updates of all types, also of
// those registered later. REQUIRES: no graph runs on another thread meanwhile.
void wrap_updates(UpdateFunction wrapper);

// True when a memo cannot be read as it is: stale, disposed, or in a cycle.
inline bool needs_clean(const Node* node) noexcept {
  return (node->flags & (kDirty | kPending | kRunning | kChecking)) != 0;
}

namespace internal {
[[gnu::visibility("hidden")]] extern constinit thread_local Graph* current_graph
    [[gnu::tls_model("initial-exec")]];
}

// What a read or a creation attaches to.
struct Context {
  Index observer;  // 0: untracked
  Index owner;
};

// What is being run, innermost first. The outermost frame of a graph runs nothing.
struct Frame {
  Context context;
  Index next;        // the link that the last run made at this point; 0: none
  uint32_t version;  // id of the run
  Computation* node;
  Frame* outer;
  Index repeated;  // what was last read once more, with others in between
};
// Where the cursor of a run stands once its node is disposed: no link either, but not the end.
inline constexpr Index kNextOfDisposed = sizeof(Link) / kGranuleBytes;

// std::vector without the parts that a walk's inner loop need not pay for: a walk has its own copy
// of `top` and tells it only when others may push meanwhile. Growing moves the entries.
template <class T>
class WalkStack {
 public:
  // Returns the new top.
  [[nodiscard]] T* push(T* top, T entry) {
    if (top == end_) [[unlikely]]
      top = grow(top);
    *top = entry;
    return top + 1;
  }
  T* top() const noexcept { return top_; }
  void set_top(T* top) noexcept { top_ = top; }

 private:
  [[gnu::noinline]] T* grow(T* top) {
    const auto size = top - entries_.get();
    const auto told = top_ - entries_.get();
    const auto capacity = size == 0 ? 64 : size * 2;
    auto entries = std::make_unique<T[]>(static_cast<size_t>(capacity));
    std::copy_n(entries_.get(), size, entries.get());
    entries_ = std::move(entries);
    top_ = entries_.get() + told;
    end_ = entries_.get() + capacity;
    return entries_.get() + size;
  }

  T* top_ = nullptr;
  T* end_ = nullptr;
  std::unique_ptr<T[]> entries_;
};

class RunFrame;

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
  // Takes back a create() whose node could not be filled in.
  void abandon(Node* node) noexcept;
  void dispose_owned(Computation* owner) noexcept;
  // The body of an entered owner has ended (scope.cpp).
  void leave(Computation* owner) noexcept {
    owner->flags &= static_cast<Flags>(~kRunning);
    if (owner->flags & kDisposed) finish(owner);
  }
  // Between these no slot is released.
  void begin_walk() noexcept { ++walks_; }
  void end_walk() noexcept {
    if (--walks_ == 0 && has_late_) [[unlikely]]
      release_late();
  }
  // Everything but the root; what cleanups write runs nothing.
  void dispose_all() noexcept;
  Index root() const noexcept { return root_; }

  // --- reads
  bool tracking() const noexcept { return frame_->context.observer != 0; }
  // Subscribes the observer, if there is one. REQUIRES: dep_index == index_of(dep).
  void track(Node* dep, Index dep_index) {
    if (!track_known(dep_index)) [[unlikely]]
      track_news(dep, dep_index);
  }
  // The part of it that serves nearly every read: false when there is more to do.
  bool track_known(Index dep_index) noexcept {
    if (last_read_ == dep_index) return true;
    Frame& frame = *frame_;
    if (frame.context.observer == 0) return true;
    Link* expected = at<Link>(frame.next);
    if (expected->dep != dep_index) [[unlikely]]
      return frame.repeated == dep_index;
    last_read_ = dep_index;
    frame.node->deps_tail = frame.next;
    frame.next = expected->next_dep;
    expected->version = frame.version;
    return true;
  }
  // Makes a memo current. Throws CycleError when it is being computed already.
  void clean(Computation* memo);

  // --- writes
  // A memo's or effect's function is on the stack.
  bool running() const noexcept { return frame_ != &outermost_; }
  // Nothing runs and no batch is open: a new value can be committed at once.
  bool idle() const noexcept { return (batch_depth_ | flushing_) == 0 && frame_ == &outermost_; }
  // REQUIRES: idle(). The committed value differs: mark subscribers Dirty and run effects.
  void changed(Node* source);
  // The pending value differs from what readers saw: mark; effects run when things settle.
  void changed_later(Node* source) noexcept;
  // A source updated on the way of a read: its Pending subscribers become Dirty.
  void promote(Node* source) noexcept {
    if (source->subs != 0) shallow_propagate(source->subs);
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
  // Defers: a batch stays open, and `request`, which must not throw, is called once when something
  // is queued; whoever it asks calls flush() later. Null ends that, with a flush.
  void set_flush_request(std::function<void()> request);
  bool defers_flushes() const noexcept { return flush_request_ != nullptr; }
  // settle(), also while flushes are deferred. Inside a batch or a run it does nothing.
  void flush();
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
  // To the node's own handler, else that of an owner above it (boundary.hpp; without a node: above
  // what is current), else the graph's, else stderr.
  void report(const Node* node, std::exception_ptr error) noexcept;

  // Null unless runs of this graph are, or were, recorded.
  inspect::Recorder* recorder() const noexcept { return recorder_.get(); }

  // The first part of report(). False when none has taken it; `error` is then what the last threw.
  bool handle_error(const Node* node, std::exception_ptr& error) noexcept;

  // --- context (context.hpp)
  void provide(uint64_t key, std::shared_ptr<void> value);
  // From the current owner upwards; null when nobody has provided it.
  const void* find_provided(uint64_t key) const noexcept;
  void withdraw(Node* owner, uint64_t key) noexcept;

  Context& context() noexcept { return frame_->context; }
  Frame* frame() noexcept { return frame_; }
  const Arena& arena() const noexcept { return arena_; }
  void* host = nullptr;  // the Runtime that owns this graph

 private:
  friend class RunFrame;
  friend class inspect::Recorder;
  struct CheckWalk;
  // On the way up from a computation to a source.
  struct Step {
    Link* link;  // null where a walk begins
    Computation* sub;
  };

  static Graph& make_default();  // runtime.cpp

  struct Extra {
    std::string name;
    std::exception_ptr error;
    std::function<void(std::exception_ptr)> on_error;
    std::vector<std::pair<uint64_t, std::shared_ptr<void>>> provided;
  };

  // graph.cpp
  void track_news(Node* dep, Index dep_index);
  void link(Node* dep, Computation* sub);
  Index unlink(Link* link) noexcept;
  void unlink_all(Computation* sub) noexcept;
  void purge(Computation* sub) noexcept;
  void release_link(Link* link) noexcept;
  void unwatch(Node* dep) noexcept;
  void drain_unwatched() noexcept;
  void commit_written() noexcept;
  void propagate(Index first, bool inner) noexcept;
  Flags mark_again(const Link* link, Computation* sub) noexcept;
  void shallow_propagate(Index first) noexcept;
  void promote_from(Link* link) noexcept;
  bool check_dirty(Computation* sub) noexcept;
  void end_check(const CheckWalk& walk, Step* top) noexcept;
  void promote_others(const Node* source, const Link* link) noexcept;
  bool is_current_link(const Link* link) const noexcept;
  bool update(Node* node) noexcept { return node_updates[node->type](*this, node); }
  void refresh(Computation* memo) noexcept;
  void refresh_deep(Computation* memo);
  [[noreturn]] void throw_cycle(const Computation* memo) const;
  [[noreturn]] void throw_nesting(const Computation* memo) const;
  std::string join_names(const std::vector<Index>& path) const;

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
  void request_flush() noexcept;
  void run_queue();
  void run_effect(Computation* effect);
  void run_if_stale(Computation* effect);
  bool must_run(Computation* effect) noexcept;
  void run_ancestors(Computation* effect);
  [[noreturn]] void give_up(Computation* effect);

  Index last_read_ = 0;  // by the observer of the frame; 0 after a change of frame
  Frame* frame_ = &outermost_;
  uint32_t version_ = 0;  // the newest id of a run
  uint32_t batch_depth_ = 0;
  uint32_t flushing_ = 0;
  uint32_t walks_ = 0;     // above 0 links and nodes must stay readable
  bool has_late_ = false;  // late_nodes_ or late_links_ are not empty
  Index root_ = 0;
  const CheckWalk* walk_ = nullptr;
  WalkStack<Link*> propagate_stack_;
  WalkStack<Step> check_stack_;
  EffectQueue queue_;
  Frame outermost_{};
  Arena arena_;
  std::vector<Index> unwatched_;
  std::vector<NodeHandle> written_;  // signals that a running function wrote
  std::vector<Index> late_nodes_;
  std::vector<Index> late_links_;
  std::unordered_map<Index, Extra> extras_;
  ErrorHandler error_handler_;
  std::function<void()> flush_request_;  // set: flushes are deferred
  bool is_flush_requested_ = false;
  std::unique_ptr<inspect::Recorder, inspect::RecorderEnd> recorder_;

 public:
  struct StandIn {};
  explicit Graph(StandIn) noexcept;  // what current_fast() gives when there is none
};

// Moves into a new node what it holds. When a constructor throws, the node has never been.
template <class Part>
void fill_in(Graph& graph, Node* node, Part& place, Part&& part) {
  try {
    new (&place) Part(std::move(part));
  } catch (...) {
    graph.abandon(node);
    throw;
  }
}
template <class Part, class Last>
void fill_in(Graph& graph, Node* node, Part& place, Part&& part, Last& last_place, Last&& last) {
  fill_in(graph, node, place, std::move(part));
  try {
    new (&last_place) Last(std::move(last));
  } catch (...) {
    std::destroy_at(&place);
    graph.abandon(node);
    throw;
  }
}

// One run of a computation: observer and owner are the node from construction until finish().
class RunFrame : private Frame {
 public:
  RunFrame(Graph& graph, Computation* running) noexcept : graph_(graph) {
    const Index index = index_of(running);
    context.observer = index;
    next = running->deps;
    outer = graph.frame_;
    keep_stores_apart();
    context.owner = index;
    version = ++graph.version_;
    node = running;
    repeated = 0;
    graph.last_read_ = 0;
    graph.frame_ = this;
    running->deps_tail = 0;
    constexpr Flags kOver = kDirty | kPending | kRecursed | kChecking;
    running->flags = static_cast<Flags>((running->flags & ~kOver) | kRunning);
  }
  RunFrame(const RunFrame&) = delete;
  RunFrame& operator=(const RunFrame&) = delete;

  // Disposes what the last run made. Returns false when that disposed the node itself.
  [[nodiscard]] bool prepare() noexcept {
    if (!(node->flags & kOwns)) [[likely]]
      return true;
    graph_.dispose_owned(node);
    return !(node->flags & kDisposed);
  }

  // User code called from here on (an equality function) is untracked.
  void stop_tracking() noexcept { context.observer = 0; }

  // Drops the sources that were not read again. Returns false when the node disposed itself: then
  // it must not be touched any more.
  bool finish() noexcept {
    graph_.frame_ = outer;
    graph_.last_read_ = 0;
    node->flags &= static_cast<Flags>(~kRunning);
    if (next == 0) [[likely]]
      return true;
    return finish_news();
  }

 private:
  friend class Graph;
  bool finish_news() noexcept;
  // GCC gathers neighbouring words in vector registers to store them at once, which takes longer
  // than two stores: 7 % of the time of a chain of memos.
  static void keep_stores_apart() noexcept { asm volatile("" ::: "memory"); }

  Graph& graph_;
};

}  // namespace lattice::reactive
