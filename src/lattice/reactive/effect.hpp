// SPDX-License-Identifier: MIT
// Effect: a function that runs now and again whenever something it read has really changed.
//
// It runs at once when created, also inside a batch (unless its phase is held); later in the order
// phase, priority, queue. What it creates, and its cleanups, are disposed before the next run and
// at the end, last first. It stays subscribed after an exception, which goes to `on_error`, else to
// the runtime's error handler.
#pragma once

#include <concepts>
#include <exception>
#include <functional>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

#include "lattice/reactive/effect_queue.hpp"
#include "lattice/reactive/graph.hpp"

namespace lattice {

struct EffectOptions {
  Phase phase = Phase::User;
  int32_t priority = 0;  // lower runs first within its phase
  std::string_view name = {};
  std::function<void(std::exception_ptr)> on_error = {};
};

namespace reactive {

template <class F>
struct EffectNode : Computation {
  union {
    F function;
  };

  static uint16_t type() {
    static const uint16_t type =
        register_node_type({&EffectNode::update, &EffectNode::destroy, sizeof(EffectNode), true});
    return type;
  }

  static bool update(Graph& graph, Node* node) noexcept {
    auto* self = static_cast<EffectNode*>(node);
    try {
      static_cast<void>(self->function());
    } catch (...) {
      graph.report(self, std::current_exception());
    }
    return true;
  }

  static void destroy(Graph&, Node* node) noexcept {
    std::destroy_at(&static_cast<EffectNode*>(node)->function);
  }
};

}  // namespace reactive

class [[maybe_unused]] Effect {
 public:
  explicit Effect(reactive::NodeHandle handle) noexcept : handle_(handle) {}

  // Runs its cleanups; never runs again. Idempotent; allowed while it runs.
  void dispose() const noexcept {
    if (auto* node = reactive::node_of(handle_)) reactive::graph_of(node)->dispose(node);
  }
  bool alive() const noexcept { return reactive::node_of(handle_) != nullptr; }
  // Runs again at the next flush, changed or not.
  void schedule() const {
    if (auto* node = reactive::node_of(handle_)) {
      reactive::graph_of(node)->schedule(static_cast<reactive::Computation*>(node));
    }
  }
  reactive::NodeHandle handle() const noexcept { return handle_; }

 private:
  reactive::NodeHandle handle_;
};

template <class F>
  requires std::invocable<std::decay_t<F>&>
Effect effect(F&& function, EffectOptions options = {}) {
  using Node = reactive::EffectNode<std::decay_t<F>>;
  reactive::Graph& graph = reactive::Graph::current();
  std::decay_t<F> body(std::forward<F>(function));
  auto* node = static_cast<Node*>(graph.create(Node::type(), reactive::kWatching));
  node->subs = static_cast<uint32_t>(options.priority);
  node->subs_tail = static_cast<uint32_t>(options.phase);
  reactive::fill_in(graph, node, node->function, std::move(body));
  if (!options.name.empty()) graph.name_node(node, options.name);
  if (options.on_error) graph.set_node_error_handler(node, std::move(options.on_error));
  Effect handle(reactive::handle_of(node));
  graph.start(node);
  return handle;
}

}  // namespace lattice
