// SPDX-License-Identifier: MIT
// Ownership tree, disposal and the side table of names, errors and handlers.
//
// A computation's children form a list, newest first. Disposal is depth first and newest first,
// in a loop. A disposed node keeps its slot while it runs, is queued, has subscribers, waits to be
// unlinked, or a walk is in progress; whichever of these ends last releases it.
#include "lattice/reactive/graph.hpp"

#include <cxxabi.h>

#include <cstdio>
#include <typeinfo>
#include <utility>

#include "lattice/reactive/recorder.hpp"

namespace lattice::reactive {

namespace {
bool is_computation(const Node* node) noexcept { return (node->flags & kComputation) != 0; }
bool is_newest(const Node* node) noexcept { return (node->prev_owned & kOwnerBit) != 0; }
Computation* owner_of_newest(const Node* node) noexcept {
  return at<Computation>(node->prev_owned & ~kOwnerBit);
}

uint16_t root_type() {
  static const uint16_t type = register_node_type({nullptr, nullptr, sizeof(Computation), true});
  return type;
}
}  // namespace

Graph::Graph() : arena_(*this) {
  Index index = arena_.allocate_node(sizeof(Computation));
  auto* node = at<Computation>(index);
  *node = Computation{{kComputation, root_type(), node->generation, 0, 0, 0, 0}, 0, 0, 0, 0, {}};
  root_ = frame_.owner = index;
}

Graph::Graph(StandIn) noexcept : arena_(*this) {}

Graph::~Graph() {
  if (root_ != 0) dispose_all();
}

void Graph::dispose_all() noexcept {
  ++batch_depth_;  // never closed: nobody is left to run
  dispose_owned(at<Computation>(root_));
  while (Index queued = queue_.pop().effect) {
    at<Node>(queued)->flags &= static_cast<Flags>(~kQueued);
    release_slot(at<Node>(queued));
  }
  drain_unwatched();
}

Node* Graph::create(uint16_t type, Flags flags) {
  const NodeType& description = node_types[type];
  Index index = arena_.allocate_node(description.bytes);
  auto* node = at<Computation>(index);
  node->flags = description.is_computation ? static_cast<Flags>(flags | kComputation) : flags;
  node->type = type;
  node->subs = node->subs_tail = 0;
  if (description.is_computation) {
    node->deps = node->no_source = node->owned = node->first_link.dep = 0;
  }
  adopt(node);
  if (description.is_computation) node->owner = index_of(owner_of_newest(node));
  return node;
}

void Graph::adopt(Node* node) noexcept {
  auto* owner = at<Computation>(frame_.owner);
  if ((owner->flags & (kDisposed | kRunning)) == kDisposed) [[unlikely]] {
    owner = at<Computation>(living_owner(frame_.owner));
  }
  Index index = index_of(node);
  node->next_owned = owner->owned;
  node->prev_owned = index_of(owner) | kOwnerBit;
  if (owner->flags & (kMutable | kWatching | kNested)) node->flags |= kNested;
  if (owner->owned != 0) at<Node>(owner->owned)->prev_owned = index;
  owner->owned = index;
  owner->flags |= kOwns;
}

void Graph::detach(Node* node) noexcept {
  if (is_newest(node)) {
    Computation* owner = owner_of_newest(node);
    owner->owned = node->next_owned;
    if (owner->owned == 0) owner->flags &= static_cast<Flags>(~kOwns);
  } else {
    at<Node>(node->prev_owned)->next_owned = node->next_owned;
  }
  if (node->next_owned == 0) return;
  at<Node>(node->next_owned)->prev_owned = node->prev_owned;
}

Index Graph::living_owner(Index owner) const noexcept {
  while (at<Node>(owner)->flags & kDisposed) owner = at<Computation>(owner)->owner;
  return owner;
}

void Graph::mark_disposed(Node* node) noexcept {
  node->flags |= kDisposed;
  if ((node->flags & (kMutable | kComputation)) == (kMutable | kComputation)) {
    if (plans_.rows.forget()) ++topology_;
  }
  if (++node->generation == 0) node->generation = 1;
}

void Graph::dispose(Node* node) noexcept {
  if (node->flags & kDisposed) return;
  // A source knows only its siblings, and finding its owner through them would be linear; what its
  // destructor may create goes to the root.
  const Index owner = is_computation(node) ? static_cast<Computation*>(node)->owner : root_;
  const Index saved_cursor = hide_cursor();
  const Index saved_owner = exchange_owner(living_owner(owner));
  ++batch_depth_;
  begin_walk();  // a cleanup may dispose the owner that is current meanwhile
  dispose_tree(node);
  end_walk();
  --batch_depth_;
  exchange_owner(saved_owner);
  show_cursor(saved_cursor);
  try {
    settle();
  } catch (...) {
    report(nullptr, std::current_exception());
  }
}

void Graph::abandon(Node* node) noexcept {
  mark_disposed(node);
  detach(node);
  if (node->flags & kHasExtra) extras_.erase(index_of(node));
  release_slot(node);
}

// Keeps the name for who still has a handle.
void Graph::drop_extra(Node* node) noexcept {
  constexpr size_t kEndedNamesMax = 256;
  auto found = extras_.find(index_of(node));
  if (found == extras_.end()) return;
  if (!found->second.name.empty()) {
    const uint32_t generation = node->generation == 1 ? ~uint32_t{0} : node->generation - 1;
    EndedName ended{{index_of(node), generation}, std::move(found->second.name)};
    if (ended_names_.size() < kEndedNamesMax) {
      ended_names_.push_back(std::move(ended));
    } else {
      ended_names_[next_ended_++ % kEndedNamesMax] = std::move(ended);
    }
  }
  extras_.erase(found);
}

// Children go with their cleanups as if by dispose(), but the owner lives on.
void Graph::dispose_owned(Computation* owner) noexcept {
  Index living = owner->owner != 0 ? living_owner(owner->owner) : index_of(owner);
  const Index saved_cursor = hide_cursor();
  const Index saved_owner = exchange_owner(living);
  ++batch_depth_;
  begin_walk();
  while (owner->owned != 0) dispose_tree(at<Node>(owner->owned));
  end_walk();
  --batch_depth_;
  exchange_owner(saved_owner);
  show_cursor(saved_cursor);
}

void Graph::dispose_tree(Node* root) noexcept {
  Node* node = root;
  mark_disposed(node);
  for (;;) {
    if (node->flags & kOwns) {
      node = at<Node>(static_cast<Computation*>(node)->owned);
      mark_disposed(node);
      continue;
    }
    if (node == root) return retire(node);
    // It was its owner's newest child; only what a cleanup has created meanwhile is newer.
    Node* first = node;
    while (!is_newest(first)) first = at<Node>(first->prev_owned);
    Node* parent = owner_of_newest(first);
    retire(node);
    node = parent;
  }
}

// REQUIRES: marked disposed, no children left.
void Graph::retire(Node* node) noexcept {
  detach(node);
  if (is_computation(node)) unlink_all(static_cast<Computation*>(node));
  if (!(node->flags & kRunning)) return finish(node);
  // It ends when its function does; its owner may be gone by then.
  if (is_computation(node)) static_cast<Computation*>(node)->owner = root_;
}

// Destroys what the node holds, then releases its slot as soon as nothing refers to it.
void Graph::finish(Node* node) noexcept {
  if (node->flags & kOwns) dispose_owned(static_cast<Computation*>(node));
  const NodeType& type = node_types[node->type];
  if (type.destroy != nullptr) type.destroy(*this, node);
  if (node->flags & kHasExtra) drop_extra(node);
  const bool has_readers = (node->flags & kMutable) && node->subs != 0;
  node->flags &= kDisposed | kQueued | kUnwatched | kComputation;
  if (!has_readers && !(node->flags & (kQueued | kUnwatched))) release_slot(node);
}

void Graph::release_slot(Node* node) noexcept {
  if (walks_ != 0) {
    late_nodes_.push_back(index_of(node));
    has_late_ = true;
  } else {
    arena_.release_node(index_of(node), node_types[node->type].bytes);
  }
}

void Graph::release_late() noexcept {
  has_late_ = false;
  for (Index index : std::exchange(late_nodes_, {})) release_slot(at<Node>(index));
  for (Index index : late_links_) arena_.release_link(index);
  late_links_.clear();
}

// --- side table

Graph::Extra& Graph::extra_of(Node* node) {
  node->flags |= kHasExtra;
  return extras_[index_of(node)];
}

void Graph::name_node(Node* node, std::string_view name) { extra_of(node).name = name; }

const char* Graph::name_of(const Node* node) const noexcept {
  if (!(node->flags & kHasExtra)) return "?";
  auto found = extras_.find(index_of(node));
  return found == extras_.end() || found->second.name.empty() ? "?" : found->second.name.c_str();
}

const char* Graph::ended_name(NodeHandle handle) const noexcept {
  for (const EndedName& ended : ended_names_) {
    if (ended.handle == handle) return ended.name.c_str();
  }
  return "";
}

void Graph::set_error(Node* node, std::exception_ptr error) {
  extra_of(node).error = std::move(error);
  node->flags |= kError;
  // A lack of stack says nothing about the node: the next reader tries again.
  const std::type_info* type = abi::__cxa_current_exception_type();
  if (type != nullptr && *type == typeid(NestingError)) node->flags |= kDirty;
}

void Graph::clear_error(Node* node) noexcept {
  node->flags &= static_cast<Flags>(~kError);
  if (auto found = extras_.find(index_of(node)); found != extras_.end()) found->second.error = {};
}

std::exception_ptr Graph::error_of(const Node* node) const {
  auto found = extras_.find(index_of(node));
  return found == extras_.end() ? nullptr : found->second.error;
}

void Graph::set_node_error_handler(Node* node, std::function<void(std::exception_ptr)> handler) {
  extra_of(node).on_error = std::move(handler);
}

void Graph::report(const Node* node, std::exception_ptr error) noexcept {
  const Index saved_cursor = hide_cursor();
  const Index saved_owner = owner();
  try {
    if (handle_error(node, error)) {
      // by a boundary
    } else if (ErrorHandler handler = error_handler_) {  // a copy: it may set another
      handler(error, node ? name_of(node) : "?");
    } else {
      std::rethrow_exception(error);
    }
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "lattice: error in '%s': %s\n", node ? name_of(node) : "?",
                 failure.what());
  } catch (...) {
    std::fprintf(stderr, "lattice: error in '%s'\n", node ? name_of(node) : "?");
  }
  exchange_owner(saved_owner);
  show_cursor(saved_cursor);
}

}  // namespace lattice::reactive
