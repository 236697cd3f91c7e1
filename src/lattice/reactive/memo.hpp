// SPDX-License-Identifier: MIT
// Memo: a value computed from others when it is read, kept until one of them really changes.
//
// Lazy: without a reader it never computes. An exception is a value too: it is cached, rethrown to
// every reader and gone with the next change. What the function creates belongs to the memo until
// its next run. Writes to signals inside are allowed: they take effect at once for later reads and
// run effects once the outermost read is done.
#pragma once

#include <concepts>
#include <exception>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

#include "lattice/reactive/equality.hpp"
#include "lattice/reactive/graph.hpp"
#include "lattice/reactive/signal.hpp"
#include "lattice/reactive/value_text.hpp"

namespace lattice {

template <class Equal = DefaultEqual>
struct MemoOptions {
  Equal equal = {};
  std::string_view name = {};
};

namespace reactive {

[[noreturn]] void rethrow_error(Graph& graph, const Node* node);
// The exception that is being handled becomes the memo's, unless it was disposed.
void keep_exception(Node* memo) noexcept;

// What Memo<T> knows: where the value is. The function's type is known only to update().
template <class T>
struct MemoBase : Computation {
  uint32_t runs;
  union {
    T value;  // constructed unless kEmpty
  };
};

template <class T, class F, class Equal>
struct MemoNode : MemoBase<T> {
  union {
    F function;
  };
  [[no_unique_address]] Equal equal;

  static uint16_t type() {
    static const uint16_t type =
        register_node_type({&MemoNode::update, &MemoNode::destroy, sizeof(MemoNode), true,
                            inspect::kHasText<T> ? &MemoNode::describe : nullptr});
    return type;
  }

  static void describe(const Graph&, const Node* node, inspect::Ask ask, inspect::Facts& facts) {
    if constexpr (inspect::kHasText<T>) {
      auto* self = static_cast<const MemoNode*>(node);
      if (ask == inspect::Ask::Label || (self->flags & (kEmpty | kError))) return;
      facts.value = inspect::value_text(self->value);
    }
  }

  static bool update(Graph&, Node* node) noexcept {
    auto* self = static_cast<MemoNode*>(node);
    ++self->runs;
    try {
      return self->recompute();
    } catch (...) {
      keep_exception(self);
      return true;
    }
  }

  bool recompute() {
    T next = function();
    if constexpr (kComparesPlainly<T, Equal>) {
      return store(std::move(next));
    } else {
      UntrackedGuard guard(*graph_of(this));
      return store(std::move(next));
    }
  }

  [[gnu::always_inline]] bool store(T&& next) {
    if (this->flags & (kEmpty | kError)) [[unlikely]]
      return store_news(std::move(next));
    if (equal(this->value, next)) return false;
    this->value = std::move(next);
    return true;
  }

  // The first value, and the first after an error.
  bool store_news(T next) {
    if (this->flags & kEmpty) {
      new (&this->value) T(std::move(next));
      this->flags &= static_cast<Flags>(~kEmpty);
    } else {
      this->value = std::move(next);
    }
    if (this->flags & kError) graph_of(this)->clear_error(this);
    return true;
  }

  static void destroy(Graph&, Node* node) noexcept {
    auto* self = static_cast<MemoNode*>(node);
    if (!(self->flags & kEmpty)) std::destroy_at(&self->value);
    std::destroy_at(&self->function);
    std::destroy_at(&self->equal);
  }
};

}  // namespace reactive

template <class T>
class Memo {
  using Node = reactive::MemoBase<T>;
  using Graph = reactive::Graph;

 public:
  using value_type = T;

  explicit Memo(reactive::NodeHandle handle) noexcept : handle_(handle) {}

  // The value, computed if need be; the running effect or memo subscribes. Throws what the function
  // threw, CycleError when it depends on itself.
  T get() const { return *read(true); }
  T operator()() const { return *read(true); }
  T peek() const { return *read(false); }
  template <class F>
  decltype(auto) with(F&& body) const {
    return std::forward<F>(body)(static_cast<const T&>(*read(true)));
  }
  // How often the function ran.
  uint32_t runs() const { return live()->runs; }

  bool alive() const noexcept { return reactive::node_of(handle_) != nullptr; }
  void dispose() const noexcept {
    if (auto* node = reactive::node_of(handle_)) reactive::graph_of(node)->dispose(node);
  }
  reactive::NodeHandle handle() const noexcept { return handle_; }

 private:
  Node* live() const {
    auto* node = reactive::node_of(handle_);
    if (node == nullptr) [[unlikely]]
      reactive::throw_disposed("memo", handle_);
    return static_cast<Node*>(node);
  }

  // Inline, so that a read in a memo's function saves no registers of its own.
  [[gnu::always_inline]] const T* read(bool track) const {
    Node* node = live();
    if (reactive::needs_clean(node) || (node->flags & reactive::kError)) [[unlikely]]
      return read_with_care(node, track);
    if (track && !Graph::current_fast()->track_known(handle_.index)) [[unlikely]]
      return read_with_care(node, track);
    return &node->value;
  }

  [[gnu::noinline]] const T* read_with_care(Node* node, bool track) const {
    Graph* graph = Graph::current_fast();
    if (reactive::graph_of(node) != graph) [[unlikely]]
      graph = enter(node);
    if (reactive::needs_clean(node)) {
      graph->clean(node);
      node = live();
    }
    if (track) graph->track(node, handle_.index);
    if (node->flags & reactive::kError) reactive::rethrow_error(*graph, node);
    return &node->value;
  }

  static Graph* enter(Node* node) {
    Graph& graph = Graph::current();
    if (reactive::graph_of(node) != &graph) reactive::throw_foreign(graph, node);
    return &graph;
  }

  reactive::NodeHandle handle_;
};

template <class F, class Equal = DefaultEqual>
  requires std::invocable<std::decay_t<F>&>
auto memo(F&& function, MemoOptions<Equal> options = {}) {
  using T = std::decay_t<std::invoke_result_t<std::decay_t<F>&>>;
  using Node = reactive::MemoNode<T, std::decay_t<F>, Equal>;
  reactive::Graph& graph = reactive::Graph::current();
  std::decay_t<F> body(std::forward<F>(function));
  auto* node = static_cast<Node*>(
      graph.create(Node::type(), reactive::kMutable | reactive::kDirty | reactive::kEmpty));
  node->runs = 0;
  reactive::fill_in(graph, node, node->function, std::move(body), node->equal,
                    std::move(options.equal));
  if (!options.name.empty()) graph.name_node(node, options.name);
  return Memo<T>(reactive::handle_of(node));
}

template <class F>
  requires std::invocable<std::decay_t<F>&>
auto memo(F&& function, std::string_view name) {
  return memo(std::forward<F>(function), MemoOptions<>{.name = name});
}

}  // namespace lattice
