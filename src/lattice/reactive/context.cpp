// SPDX-License-Identifier: MIT
#include "lattice/reactive/context.hpp"

#include <algorithm>
#include <atomic>
#include <new>

namespace lattice::reactive {

namespace {

// Owned by the computation that provided, and so disposed before its next run.
struct ProvidedNode : Node {
  Index owner;
  uint64_t key;

  static void destroy(Graph& graph, Node* node) noexcept {
    auto* self = static_cast<ProvidedNode*>(node);
    graph.withdraw(at<Node>(self->owner), self->key);
  }
};

uint16_t provided_type() {
  static const uint16_t type =
      register_node_type({nullptr, &ProvidedNode::destroy, sizeof(ProvidedNode), false});
  return type;
}

}  // namespace

uint64_t new_context_key() noexcept {
  static std::atomic<uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

void Graph::provide(uint64_t key, std::shared_ptr<void> value) {
  auto* owner = at<Computation>(living_owner(frame_.owner));
  auto& provided = extra_of(owner).provided;
  auto found = std::find_if(provided.begin(), provided.end(),
                            [&](const auto& entry) { return entry.first == key; });
  if (found != provided.end()) {
    std::swap(found->second, value);  // the old one ends when everything is in place
    return;
  }
  provided.emplace_back(key, std::move(value));
  if (!(owner->flags & (kMutable | kWatching))) return;
  auto* node = static_cast<ProvidedNode*>(create(provided_type(), 0));
  node->owner = index_of(owner);
  node->key = key;
}

const void* Graph::find_provided(uint64_t key) const noexcept {
  for (Index index = frame_.owner; index != 0; index = at<Computation>(index)->owner) {
    if (!(at<Node>(index)->flags & kHasExtra)) continue;
    auto extra = extras_.find(index);
    if (extra == extras_.end()) continue;
    for (const auto& [known, value] : extra->second.provided) {
      if (known == key) return value.get();
    }
  }
  return nullptr;
}

void Graph::withdraw(Node* owner, uint64_t key) noexcept {
  if (!(owner->flags & kHasExtra)) return;
  auto extra = extras_.find(index_of(owner));
  if (extra == extras_.end()) return;
  auto& provided = extra->second.provided;
  auto found = std::find_if(provided.begin(), provided.end(),
                            [&](const auto& entry) { return entry.first == key; });
  if (found == provided.end()) return;
  std::shared_ptr<void> kept = std::move(found->second);  // its destructor may run anything
  provided.erase(found);
}

}  // namespace lattice::reactive
