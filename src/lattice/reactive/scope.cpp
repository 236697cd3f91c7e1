// SPDX-License-Identifier: MIT
#include "lattice/reactive/scope.hpp"

#include <new>

#include "lattice/base/error.hpp"

namespace lattice {

using reactive::Computation;
using reactive::Flags;
using reactive::Graph;
using reactive::Node;

namespace {

uint16_t owner_type() {
  static const uint16_t type =
      reactive::register_node_type({nullptr, nullptr, sizeof(Computation), true});
  return type;
}

struct CleanupNode : Node {
  std::function<void()> run;

  static void destroy(Graph& graph, Node* node) noexcept {
    auto body = std::move(static_cast<CleanupNode*>(node)->run);
    static_cast<CleanupNode*>(node)->run.~function();
    try {
      body();
    } catch (...) {
      graph.report(nullptr, std::current_exception());
    }
  }
};

uint16_t cleanup_type() {
  static const uint16_t type =
      reactive::register_node_type({nullptr, &CleanupNode::destroy, sizeof(CleanupNode), false});
  return type;
}

}  // namespace

Owner Owner::create() {
  return Owner(reactive::handle_of(Graph::current().create(owner_type(), 0)));
}

Owner Owner::current() {
  Graph& graph = Graph::current();
  return Owner(reactive::handle_of(reactive::at<Node>(graph.owner())));
}

Owner Owner::root() {
  Graph& graph = Graph::current();
  return Owner(reactive::handle_of(reactive::at<Node>(graph.root())));
}

Owner Owner::create_child() const {
  return run([] { return Owner::create(); });
}

Computation* Owner::node() const {
  Node* node = reactive::node_of(handle_);
  if (node == nullptr) throw DisposedError("this owner was disposed");
  return static_cast<Computation*>(node);
}

void Owner::dispose() const {
  Node* node = reactive::node_of(handle_);
  if (node == nullptr) return;
  Graph* graph = reactive::graph_of(node);
  if (handle_.index == graph->root()) return graph->dispose_owned(static_cast<Computation*>(node));
  graph->dispose(node);
}

void Owner::clear() const {
  Graph& graph = *reactive::graph_of(node());
  graph.dispose_owned(node());
  graph.settle();
}

// A scope that is entered counts as running, which keeps its slot. An effect or memo entered from
// outside must not look as if its function ran; for it releases are held back altogether.
Owner::Entered::Entered(const Owner& owner)
    : graph_(*reactive::graph_of(owner.node())),
      node_(owner.node()),
      saved_(graph_.exchange_owner(owner.handle_.index)),
      is_scope_(!(node_->flags & (reactive::kMutable | reactive::kWatching))),
      outermost_(!(node_->flags & reactive::kRunning)) {
  if (is_scope_) {
    node_->flags |= reactive::kRunning;
  } else {
    graph_.begin_walk();
  }
}

Owner::Entered::~Entered() {
  graph_.exchange_owner(saved_);
  if (!is_scope_) {
    graph_.end_walk();
  } else if (outermost_) {
    graph_.leave(node_);
  }
}

void on_cleanup(std::function<void()> cleanup) {
  Graph& graph = Graph::current();
  Node* node = graph.create(cleanup_type(), 0);
  new (&static_cast<CleanupNode*>(node)->run) std::function<void()>(std::move(cleanup));
}

}  // namespace lattice
