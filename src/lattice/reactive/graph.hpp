// SPDX-License-Identifier: MIT
// The graph engine: who depends on whom, what is stale, what runs next. It never sees a value.
//
// Algorithm (alien-signals 3): a write pushes flags down the subscriber links (`propagate`), reads
// and queued effects pull (`check_dirty`): a Pending node looks at its sources in read order and
// recomputes only when one really changed. Both walks are loops over a reusable stack. Links are
// doubly linked on the subscriber side; on the source side they form a list in read order, which
// a run re-uses in place with a cursor, so that an unchanged run allocates and writes nothing.
//
//        signal --subs--> link --next_sub--> link          Link { sub, prev_sub, next_sub, order,
//                          |sub               |sub                next_dep, dep }
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
//   - update() of a computation just calls the function: the graph has set up the frame in which
//     reads subscribe, and drops afterwards what was not read again;
//   - handles: handle_of(node), and node_of(handle), which is null once the node was disposed;
//   - g.dispose(node); g.name_node(node, "x"); g.set_error(node, e) / clear_error(node).
//
// Lifetimes: a node belongs to the owner that was current at its creation and is disposed with it,
// last first. Disposing bumps the generation at once; memory is released when nothing can reach it
// any more (not running, not queued, no link from a subscriber, no walk in progress).
// Threads: a graph belongs to one thread at a time (RuntimeEntry in runtime.hpp).
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lattice/base/error.hpp"
#include "lattice/reactive/arena.hpp"
#include "lattice/reactive/effect_queue.hpp"
#include "lattice/reactive/plan.hpp"

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
inline constexpr Flags kHasExtra = 1 << 9;      // has an entry in the side table
inline constexpr Flags kNested = 1 << 10;       // below an effect or memo in the ownership tree
inline constexpr Flags kChecking = 1 << 11;     // on the stack of check_dirty
inline constexpr Flags kEmpty = 1 << 12;        // a memo whose value storage is not constructed
inline constexpr Flags kComputation = 1 << 13;  // derived from Computation
inline constexpr Flags kUnwatched = 1 << 14;    // waits in the list of memos to unlink
inline constexpr Flags kOwns = 1 << 15;         // a computation with owned nodes

struct Node {
  Flags flags;
  uint16_t type;
  uint32_t generation;
  Index next_owned;  // the sibling created before this one
  Index prev_owned;  // the sibling created after it; of the newest: its owner, with kOwnerBit
  Index subs;
  Index subs_tail;
};
inline constexpr Index kOwnerBit = Index{1} << 31;  // the arena ends below it

// A field that is read through two types: see Computation::deps.
using SharedIndex [[gnu::may_alias]] = uint32_t;

struct Link {
  Index sub;
  Index prev_sub;
  Index next_sub;
  uint32_t order;  // grows along the links of `sub`
  SharedIndex next_dep;
  SharedIndex dep;  // 0 in an inline link that is not in use
};

// The link to the first source lies in the computation itself: most have no other, it shares the
// cache line, and the walks can guess a subscriber's address from its link's (subscriber_of).
//
// `deps` and `no_source` stand where next_dep and dep would be in a link one granule behind the
// node's start: a cursor that begins there (kHeadOffset) needs no case for "nothing read so far".
struct Computation : Node {
  SharedIndex deps;       // first link in read order
  SharedIndex no_source;  // 0
  Index owned;            // newest child
  Index owner;
  Link first_link;
};
inline constexpr Index kHeadOffset = 1;
static_assert(sizeof(Node) == 24 && sizeof(Computation) == 64 && sizeof(Link) == 24);
static_assert(sizeof(Node) == kHeadOffset * kGranuleBytes + offsetof(Link, next_dep));
static_assert(offsetof(Link, dep) == offsetof(Link, next_dep) + sizeof(Index));

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
  // A computation is called in a frame of its own.
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

// What is being run. The graph holds the innermost; each lies in the one that it interrupted.
struct Frame {
  Index running;   // 0 in the outermost
  Index owner;     // of what is created
  Index cursor;    // the link that was read last (see kHeadOffset); 0: untracked
  Index repeated;  // what was last read once more, with others in between
  Index hidden;    // the cursor while untracked
  Frame* outer;

  // As if by assigning each; two stores.
  void begin(Index node) noexcept {
    const uint64_t twice = (uint64_t{node} << 32) | node;
    const uint64_t cursor_alone = node + kHeadOffset;
    auto* bytes = reinterpret_cast<char*>(this);
    std::memcpy(bytes, &twice, sizeof(twice));
    std::memcpy(bytes + sizeof(twice), &cursor_alone, sizeof(cursor_alone));
  }
  Index position() const noexcept { return cursor != 0 ? cursor : hidden; }
};
static_assert(offsetof(Frame, owner) == 4 && offsetof(Frame, repeated) == 12);
static_assert(std::endian::native == std::endian::little);
// Where the cursor of a run stands once its node is disposed. Its next_dep is not 0, so that the
// end of the run takes the long way, and leads to no source.
inline constexpr Index kCursorOfDisposed = 64;

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
  bool tracking() const noexcept { return frame_.cursor != 0; }
  // What is running and subscribes to what it reads; 0: nothing.
  Index observer() const noexcept { return frame_.cursor != 0 ? frame_.running : 0; }
  // Subscribes the observer, if there is one. REQUIRES: dep_index == index_of(dep).
  void track(Node* dep, Index dep_index) {
    if (!track_known(dep_index)) [[unlikely]]
      track_news(dep, dep_index);
  }
  // The part of it that serves nearly every read: false when there is more to do.
  bool track_known(Index dep_index) noexcept {
    const Index cursor = frame_.cursor;
    const Link* last = at<Link>(cursor);
    if (last->dep == dep_index) return true;
    const Index next = last->next_dep;
    if (at<Link>(next)->dep == dep_index) [[likely]] {
      frame_.cursor = next;
      return true;
    }
    return cursor == 0 || frame_.repeated == dep_index;
  }
  // The rest. Returns whether a link was made.
  bool track_news(Node* dep, Index dep_index);
  // The newest source of the observer, 0 if there is none.
  Index last_read() const noexcept { return at<Link>(frame_.cursor)->dep; }
  // The link of the newest source of what is running, 0 if there is none.
  Index last_link() const noexcept {
    const Index position = frame_.position();
    return position == frame_.running + kHeadOffset || position == kCursorOfDisposed ? 0 : position;
  }
  // Whether the last run of what is running read sources that this one has not come to.
  bool has_unread() const noexcept { return at<Link>(frame_.position())->next_dep != 0; }
  // Reads between these subscribe nothing. They nest: `saved` is what hide_cursor() returned.
  Index hide_cursor() noexcept {
    if (frame_.cursor != 0) frame_.hidden = frame_.cursor;
    return std::exchange(frame_.cursor, Index{0});
  }
  void show_cursor(Index saved) noexcept {
    if (saved != 0 && frame_.cursor == 0) frame_.cursor = frame_.hidden;
  }
  // Makes a memo current. Throws CycleError when it is being computed already.
  void clean(Computation* memo);

  // --- writes
  // Nothing runs and no batch is open: a new value can be committed at once.
  bool idle() const noexcept { return (batch_depth_ | flushing_ | frame_.running) == 0; }
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
  // What a disposed node was called; "" when it had no name or many others have ended since.
  const char* ended_name(NodeHandle handle) const noexcept;
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

  // The innermost; the others hang on `outer`.
  Frame& frame() noexcept { return frame_; }
  // The owner of what is created.
  Index owner() const noexcept { return frame_.owner; }
  Index exchange_owner(Index owner) noexcept { return std::exchange(frame_.owner, owner); }
  // The node whose function is on the stack; 0: none.
  Index running() const noexcept { return frame_.running; }
  const Arena& arena() const noexcept { return arena_; }
  void* host = nullptr;  // the Runtime that owns this graph

 private:
  friend class inspect::Recorder;
  struct CheckWalk;
  class FrameSave;
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

  struct EndedName {
    NodeHandle handle;
    std::string name;
  };

  // mark.cpp
  template <bool kAtOnce>
  void mark(Node* source) noexcept;
  template <Flags kMore>
  void mark_below(Index first) noexcept;
  bool plan_steps(Node* source);
  void make_plan(Node* source, Plan& plan) noexcept;
  void sort_steps(Plan& plan) noexcept;
  template <bool kAtOnce>
  void mark_by_plan(const Plan& plan) noexcept;
  template <bool kAtOnce>
  void queue_by_plan(const Plan& plan) noexcept;
  template <bool kAtOnce>
  void mark_all(Node* source) noexcept;
  Flags mark_again(const Link* link, Computation* sub) noexcept;
  void notify(Computation* effect, uint32_t path = 0) noexcept;
  void shallow_propagate(Index first) noexcept;
  void promote_from(Link* link) noexcept;
  bool is_current_link(const Link* link) const noexcept;

  // graph.cpp
  void link(Node* dep, Computation* sub);
  Index unlink(Link* link) noexcept;
  void unlink_all(Computation* sub) noexcept;
  void purge() noexcept;
  bool end_with_news(Computation* node) noexcept;
  bool prepare_owner(Computation* node) noexcept;
  void release_link(Link* link) noexcept;
  void unwatch(Node* dep) noexcept;
  void drain_unwatched() noexcept;
  void commit_written() noexcept;
  void accept_own_writes(Computation* effect, Flags queued_before) noexcept;
  bool check_dirty(Computation* sub) noexcept;
  void end_check(const CheckWalk& walk, Step* top) noexcept;
  void promote_others(const Node* source, const Link* link) noexcept;
  void renumber(Computation* sub) noexcept;
  static bool is_read(const Frame& frame, const Link* link) noexcept;
  void refresh(Computation* memo) noexcept;
  void refresh_deep(Computation* memo);
  void refresh_owner(Computation* memo) noexcept;
  bool commit(Node* source) noexcept;
  bool run_in_frame(Computation* node, Index index) noexcept;
  bool run(Computation* node) noexcept;
  bool update(Node* node) noexcept;
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
  void drop_extra(Node* node) noexcept;

  // flush.cpp
  bool is_stale(Computation* sub) noexcept;
  bool is_stale_here(Computation* memo) noexcept;
  bool commit_for(Computation* memo, const Link* link) noexcept;
  void run_row(uint32_t path, Index effect) noexcept;
  void run_row_with_care(uint32_t step, Index effect) noexcept;
  void tell_next(const Computation* memo, Index next, Index effect) noexcept;
  void request_flush() noexcept;
  void run_queue();
  void run_effect(EffectQueue::Entry entry);
  void run_if_stale(Computation* effect);
  void run_ancestors(Computation* effect);
  [[noreturn]] void give_up(Computation* effect);

  Frame frame_{};
  uint32_t batch_depth_ = 0;
  uint32_t flushing_ = 0;
  uint32_t walks_ = 0;     // above 0 links and nodes must stay readable
  bool has_late_ = false;  // late_nodes_ or late_links_ are not empty
  Index root_ = 0;
  const CheckWalk* walk_ = nullptr;
  WalkStack<Link*> propagate_stack_;
  WalkStack<Step> check_stack_;
  EffectQueue queue_;
  Plans plans_;
  uint64_t topology_ = 1;  // grows with every link made or dropped
  Arena arena_;
  std::vector<Index> unwatched_;
  std::vector<NodeHandle> written_;  // signals that a running function wrote
  std::vector<Index> late_nodes_;
  std::vector<Index> late_links_;
  std::unordered_map<Index, Extra> extras_;
  std::vector<EndedName> ended_names_;  // the newest of them; a ring
  size_t next_ended_ = 0;
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
void fill_in(Graph& graph, Node* node, Part& place, std::type_identity_t<Part>&& part) {
  try {
    new (&place) Part(std::move(part));
  } catch (...) {
    graph.abandon(node);
    throw;
  }
}
template <class Part, class Last>
void fill_in(Graph& graph, Node* node, Part& place, std::type_identity_t<Part>&& part,
             Last& last_place, std::type_identity_t<Last>&& last) {
  fill_in(graph, node, place, std::move(part));
  try {
    new (&last_place) Last(std::move(last));
  } catch (...) {
    std::destroy_at(&place);
    graph.abandon(node);
    throw;
  }
}

}  // namespace lattice::reactive
