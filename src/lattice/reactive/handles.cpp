// SPDX-License-Identifier: MIT
// Cold paths of the typed handles.
#include <string>

#include "lattice/base/error.hpp"
#include "lattice/reactive/memo.hpp"
#include "lattice/reactive/remote.hpp"
#include "lattice/reactive/runtime.hpp"
#include "lattice/reactive/signal.hpp"

namespace lattice::reactive {

void throw_disposed(const char* what) {
  throw DisposedError(std::string("this ") + what + " was disposed with its owner");
}

void throw_foreign(Graph&, const Node* node) {
  Graph* owner = graph_of(node);
  std::string name = owner != nullptr ? owner->name_of(node) : "?";
  throw AccessError("'" + name + "' belongs to another runtime; use remote() from other threads");
}

void rethrow_error(Graph& graph, const Node* node) { std::rethrow_exception(graph.error_of(node)); }

std::shared_ptr<Mailbox> mailbox_of(NodeHandle handle) {
  Node* node = node_of(handle);
  if (node == nullptr) throw_disposed("signal");
  return static_cast<Runtime*>(graph_of(node)->host)->shared_mailbox();
}

}  // namespace lattice::reactive
