// SPDX-License-Identifier: MIT
#include "extents.hpp"

#include <algorithm>

#include "lattice/base/error.hpp"

namespace lattice::python {

namespace {

using reactive::Context;
using reactive::Frame;

struct OpenBlock {
  const void* holder;
  uint64_t serial;         // of the runtime's state, which no other ever has
  const Frame* frame;      // what ran when it was entered,
  uint32_t version;        // and which run of it
  Index Context::* field;  // what it changed there; null for a batch
  Index saved;             // what stood there before
  Computation* owner;      // of a scope
  bool has_marked_owner;   // as running, which keeps the slot of a scope disposed in its own block
};

std::vector<OpenBlock>& open_blocks() {
  // Never freed: a generator that is closed at the very end of a thread still ends its blocks.
  static constinit thread_local std::vector<OpenBlock>* blocks = nullptr;
  if (blocks == nullptr) blocks = new std::vector<OpenBlock>;
  return *blocks;
}

uint64_t serial_of(Graph& graph) {
  return SessionState::of(*static_cast<Runtime*>(graph.host)).serial();
}

bool is_current(const OpenBlock& block) {
  Graph* graph = Graph::current_fast();
  return graph->host != nullptr && serial_of(*graph) == block.serial;
}

OpenBlock new_block(const void* holder, Graph& graph) {
  const Frame* frame = graph.frame();
  return {holder, serial_of(graph), frame, frame->version, nullptr, 0, nullptr, false};
}

struct Taken {
  OpenBlock block;
  size_t place;
};

Taken take_block(const void* holder, const char* what) {
  std::vector<OpenBlock>& blocks = open_blocks();
  for (size_t place = blocks.size(); place-- > 0;) {
    if (blocks[place].holder != holder) continue;
    const OpenBlock block = blocks[place];
    blocks.erase(blocks.begin() + static_cast<ptrdiff_t>(place));
    return {block, place};
  }
  throw Error(std::string("this ") + what +
              " is not open here: a block ends once, on the thread that entered it");
}

void forget_blocks(const void* holder) noexcept {
  std::erase_if(open_blocks(), [&](const OpenBlock& block) { return block.holder == holder; });
}

// Puts back what stood in the context before, or leaves that to a block entered there later.
void restore_context(const Taken& taken) {
  const OpenBlock& block = taken.block;
  std::vector<OpenBlock>& blocks = open_blocks();
  for (size_t place = taken.place; place < blocks.size(); ++place) {
    OpenBlock& later = blocks[place];
    if (later.serial == block.serial && later.frame == block.frame &&
        later.version == block.version && later.field == block.field) {
      later.saved = block.saved;
      return;
    }
  }
  for (Frame* frame = Graph::current_fast()->frame(); frame != nullptr; frame = frame->outer) {
    if (frame == block.frame && frame->version == block.version) {
      frame->context.*block.field = block.saved;
    }
  }
}

}  // namespace

// --- batch

Batch::~Batch() { forget_blocks(this); }

void Batch::enter() {
  Graph& graph = Graph::current();
  open_blocks().push_back(new_block(this, graph));
  graph.open_batch();
}

void Batch::exit() {
  const OpenBlock block = take_block(this, "batch").block;
  if (!is_current(block)) {
    throw AccessError("a batch ends in the session in which it began");
  }
  Graph::current().close_batch();
  settle_trash();
}

// --- untracked

Untracked::~Untracked() { forget_blocks(this); }

void Untracked::enter() {
  Graph& graph = Graph::current();
  OpenBlock block = new_block(this, graph);
  block.field = &Context::observer;
  block.saved = std::exchange(graph.context().observer, Index{0});
  open_blocks().push_back(block);
}

void Untracked::exit() {
  const Taken taken = take_block(this, "untracked()");
  if (is_current(taken.block)) restore_context(taken);
}

// --- scope

PyScope::~PyScope() { forget_blocks(this); }

void PyScope::enter() {
  Node* node = reactive::node_of(owner_.handle());
  if (node == nullptr) throw DisposedError("this scope was disposed and cannot be entered again");
  Graph& graph = Graph::current();
  if (reactive::graph_of(node) != &graph) {
    throw AccessError("this scope belongs to another session or thread; make one here: lt.Scope()");
  }
  OpenBlock block = new_block(this, graph);
  block.field = &Context::owner;
  block.owner = static_cast<Computation*>(node);
  block.has_marked_owner = !(node->flags & reactive::kRunning);
  block.saved = std::exchange(graph.context().owner, owner_.handle().index);
  node->flags |= reactive::kRunning;
  open_blocks().push_back(block);
}

void PyScope::exit() {
  const Taken taken = take_block(this, "scope");
  if (!is_current(taken.block)) return;  // its runtime has ended, and the scope with it
  restore_context(taken);
  if (!taken.block.has_marked_owner) return;
  for (OpenBlock& other : open_blocks()) {
    if (other.owner == taken.block.owner) {
      other.has_marked_owner = true;
      return;
    }
  }
  Graph::current().leave(taken.block.owner);
  settle_trash();
}

void PyScope::dispose() {
  Node* node = reactive::node_of(owner_.handle());
  if (node != nullptr && reactive::graph_of(node) != Graph::current_fast()) {
    // Of another thread or session, which does it when it gets to its mailbox.
    mailbox_->post([owner = owner_] { owner.dispose(); });
  } else {
    owner_.dispose();
  }
  settle_trash();
}

}  // namespace lattice::python
