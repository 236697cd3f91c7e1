// SPDX-License-Identifier: MIT
// Signal: a value that can be written and whose readers follow.
//
// A write outside of everything commits at once. Inside a batch or a running function the new value
// is set aside (`pending`) and committed when it is first read or when effects are about to run; a
// value that has been written back by then was never a change.
// The handle is 8 bytes, copies freely and is const throughout; the value lives in the graph until
// its owner is disposed. A stale handle throws DisposedError.
#pragma once

#include <memory>
#include <new>
#include <string_view>
#include <utility>

#include "lattice/reactive/equality.hpp"
#include "lattice/reactive/graph.hpp"
#include "lattice/reactive/remote.hpp"
#include "lattice/reactive/scope.hpp"
#include "lattice/reactive/value_text.hpp"

namespace lattice {

namespace reactive {

[[noreturn]] void throw_disposed(const char* kind, NodeHandle handle);
[[noreturn]] void throw_foreign(Graph& graph, const Node* node);

template <class T, class Equal>
struct SignalNode : Node {
  [[no_unique_address]] Equal equal;
  union {
    T current;
  };
  union {
    T pending;  // constructed while kDirty
  };

  static uint16_t type() {
    static const uint16_t type =
        register_node_type({&SignalNode::update, &SignalNode::destroy, sizeof(SignalNode), false,
                            inspect::kHasText<T> ? &SignalNode::describe : nullptr});
    return type;
  }

  static void describe(const Graph&, const Node* node, inspect::Ask ask, inspect::Facts& facts) {
    if constexpr (inspect::kHasText<T>) {
      auto* self = static_cast<const SignalNode*>(node);
      if (ask == inspect::Ask::Label) return;
      facts.value = inspect::value_text(self->flags & kDirty ? self->pending : self->current);
    }
  }

  bool same(Graph& graph, const T& before, const T& after) const {
    if constexpr (kComparesPlainly<T, Equal>) {
      return equal(before, after);
    } else {
      UntrackedGuard guard(graph);
      return equal(before, after);
    }
  }

  // Commits the pending value. An equality function that throws counts as "changed"; a value whose
  // assignment throws is lost.
  static bool update(Graph& graph, Node* node) noexcept {
    auto* self = static_cast<SignalNode*>(node);
    self->flags &= static_cast<Flags>(~kDirty);
    bool changed = true;
    try {
      changed = !self->same(graph, self->current, self->pending);
    } catch (...) {
      graph.report(self, std::current_exception());
    }
    try {
      if (changed) self->current = std::move(self->pending);
    } catch (...) {
      graph.report(self, std::current_exception());
    }
    std::destroy_at(&self->pending);
    return changed;
  }

  static void destroy(Graph&, Node* node) noexcept {
    auto* self = static_cast<SignalNode*>(node);
    if (self->flags & kDirty) std::destroy_at(&self->pending);
    std::destroy_at(&self->current);
    std::destroy_at(&self->equal);
  }

  // Values too large for a slot are boxed by Signal, so this always fits.
  static_assert(sizeof(T) <= kSlotBytesMax / 4, "box large values: Signal<std::shared_ptr<T>>");
};

}  // namespace reactive

template <class T, class Equal = DefaultEqual>
class Signal {
  using Node = reactive::SignalNode<T, Equal>;
  using Graph = reactive::Graph;

 public:
  using value_type = T;

  Signal() : Signal(T{}) {}
  explicit(false) Signal(T initial, Equal equal = {}, std::string_view name = {}) {
    Graph& graph = Graph::current();
    auto* node = static_cast<Node*>(graph.create(Node::type(), reactive::kMutable));
    reactive::fill_in(graph, node, node->equal, std::move(equal), node->current,
                      std::move(initial));
    handle_ = reactive::handle_of(node);
    if (!name.empty()) graph.name_node(node, name);
  }
  Signal(T initial, std::string_view name) : Signal(std::move(initial), Equal{}, name) {}

  // The value; the running effect or memo subscribes.
  T get() const { return *read(true); }
  T operator()() const { return *read(true); }
  // The value, without subscribing.
  T peek() const { return *read(false); }
  // Reads in place, without a copy. The reference is valid until the next write.
  template <class F>
  decltype(auto) with(F&& body) const {
    return std::forward<F>(body)(static_cast<const T&>(*read(true)));
  }

  void set(T value) const {
    Node* node = live();
    Graph* graph = Graph::current_fast();
    if (reactive::graph_of(node) != graph) [[unlikely]]
      graph = enter(node);
    if (node->flags & reactive::kDirty) {
      if (node->same(*graph, node->pending, value)) return;
      node->pending = std::move(value);
      graph->changed_later(node);
      return;
    }
    if (node->same(*graph, node->current, value)) return;
    if (node->subs == 0) {
      node->current = std::move(value);
    } else if (graph->idle()) {
      node->current = std::move(value);
      graph->changed(node);
    } else {
      new (&node->pending) T(std::move(value));
      node->flags |= reactive::kDirty;
      graph->changed_later(node);
    }
  }
  // set(body(latest value)); the read does not subscribe.
  template <class F>
  void update(F&& body) const {
    set(std::forward<F>(body)(static_cast<const T&>(latest())));
  }

  // A thread-safe weak handle that writes through the runtime's mailbox.
  Remote<Signal> remote() const { return Remote<Signal>(*this); }

  bool alive() const noexcept { return reactive::node_of(handle_) != nullptr; }
  void dispose() const noexcept {
    if (auto* node = reactive::node_of(handle_)) reactive::graph_of(node)->dispose(node);
  }
  reactive::NodeHandle handle() const noexcept { return handle_; }

 private:
  Node* live() const {
    auto* node = reactive::node_of(handle_);
    if (node == nullptr) [[unlikely]]
      reactive::throw_disposed("signal", handle_);
    return static_cast<Node*>(node);
  }

  const T* read(bool track) const {
    Node* node = live();
    Graph* graph = Graph::current_fast();
    if (node->flags & reactive::kDirty) [[unlikely]] {
      graph = reactive::graph_of(node);
      commit(*graph, node);
    }
    if (track) graph->track(node, handle_.index);
    return &node->current;
  }

  static void commit(Graph& graph, Node* node) {
    if (Node::update(graph, node)) graph.promote(node);
  }

  const T& latest() const {
    Node* node = live();
    return node->flags & reactive::kDirty ? node->pending : node->current;
  }

  // A thread with no runtime current yet: its default one, which must be the signal's.
  static Graph* enter(Node* node) {
    Graph& graph = Graph::current();
    if (reactive::graph_of(node) != &graph) reactive::throw_foreign(graph, node);
    return &graph;
  }

  reactive::NodeHandle handle_;
};

template <class T>
Signal(T) -> Signal<T>;

}  // namespace lattice
