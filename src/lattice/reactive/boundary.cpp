// SPDX-License-Identifier: MIT
#include "lattice/reactive/boundary.hpp"

namespace lattice::reactive {

Owner create_boundary(std::function<void(std::exception_ptr)> handler) {
  Owner owner = Owner::create();
  Node* node = node_of(owner.handle());
  graph_of(node)->set_node_error_handler(node, std::move(handler));
  return owner;
}

void report_at(const Owner& owner, std::exception_ptr error) noexcept {
  Graph::current().report(node_of(owner.handle()), std::move(error));
}

// On the way up only plain owners are asked: on_error of an effect is for that effect alone.
bool Graph::handle_error(const Node* node, std::exception_ptr& error) noexcept {
  begin_walk();  // handlers may dispose what is still to be asked
  auto handled_by = [&](Index index, Index above) noexcept {
    const Context saved = context();
    bool is_handled = false;
    try {
      auto found = extras_.find(index);
      if (found != extras_.end() && found->second.on_error) {
        auto handler = found->second.on_error;  // it may dispose the node
        context() = {0, living_owner(above != 0 ? above : root_)};
        handler(error);
        is_handled = true;
      }
    } catch (...) {
      error = std::current_exception();
    }
    context() = saved;
    return is_handled;
  };
  bool is_handled = false;
  Index owner = context().owner;
  if (node != nullptr && node_types[node->type].is_computation) {
    owner = static_cast<const Computation*>(node)->owner;
    if (node->flags & kHasExtra) is_handled = handled_by(index_of(node), owner);
  }
  while (!is_handled && owner != 0) {
    const auto* asked = at<Computation>(owner);
    const Index above = asked->owner;
    if ((asked->flags & (kHasExtra | kMutable | kWatching)) == kHasExtra) {
      is_handled = handled_by(owner, above);
    }
    owner = above;
  }
  end_walk();
  return is_handled;
}

}  // namespace lattice::reactive
