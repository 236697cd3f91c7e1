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
    const Index saved_cursor = hide_cursor();
    const Index saved_owner = owner();
    bool is_handled = false;
    try {
      auto found = extras_.find(index);
      if (found != extras_.end() && found->second.on_error) {
        auto handler = found->second.on_error;  // it may dispose the node
        exchange_owner(living_owner(above != 0 ? above : root_));
        handler(error);
        is_handled = true;
      }
    } catch (...) {
      error = std::current_exception();
    }
    exchange_owner(saved_owner);
    show_cursor(saved_cursor);
    return is_handled;
  };
  bool is_handled = false;
  Index asking = owner();
  if (node != nullptr && (node->flags & kComputation)) {
    asking = static_cast<const Computation*>(node)->owner;
    if (node->flags & kHasExtra) is_handled = handled_by(index_of(node), asking);
  }
  while (!is_handled && asking != 0) {
    const auto* asked = at<Computation>(asking);
    const Index above = asked->owner;
    if ((asked->flags & (kHasExtra | kMutable | kWatching)) == kHasExtra) {
      is_handled = handled_by(asking, above);
    }
    asking = above;
  }
  end_walk();
  return is_handled;
}

}  // namespace lattice::reactive
