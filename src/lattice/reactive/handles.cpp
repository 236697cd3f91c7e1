// SPDX-License-Identifier: MIT
// Cold paths of the typed handles.
#include <string>

#include "lattice/base/error.hpp"
#include "lattice/reactive/memo.hpp"
#include "lattice/reactive/remote.hpp"
#include "lattice/reactive/runtime.hpp"
#include "lattice/reactive/signal.hpp"

namespace lattice::reactive {

void throw_disposed(const char* kind, NodeHandle handle) {
  const Graph* graph = Graph::current_fast();
  const bool is_here = handle.index != 0 && graph_of(at<Node>(handle.index)) == graph;
  const std::string name = is_here ? graph->ended_name(handle) : "";
  const std::string which =
      name.empty() ? std::string("this ") + kind : std::string("the ") + kind + " '" + name + "'";
  throw DisposedError(which +
                      " was used after its end: it was disposed, or the run or Scope that made it "
                      "is over. Make it under an owner that lives as long as its users, or ask "
                      "alive() first.");
}

void throw_foreign(Graph&, const Node* node) {
  Graph* owner = graph_of(node);
  std::string name = owner != nullptr ? owner->name_of(node) : "?";
  throw AccessError("'" + name + "' belongs to another runtime; use remote() from other threads");
}

void rethrow_error(Graph& graph, const Node* node) { std::rethrow_exception(graph.error_of(node)); }

std::shared_ptr<Mailbox> mailbox_of(NodeHandle handle) {
  Node* node = node_of(handle);
  if (node == nullptr) throw_disposed("signal", handle);
  return static_cast<Runtime*>(graph_of(node)->host)->shared_mailbox();
}

void keep_exception(Node* memo) noexcept {
  if (!(memo->flags & kDisposed)) graph_of(memo)->set_error(memo, std::current_exception());
}

}  // namespace lattice::reactive
