// SPDX-License-Identifier: MIT
#include "extents.hpp"

#include <algorithm>

#include "lattice/base/error.hpp"

namespace lattice::python {

namespace {

using reactive::Frame;

// What a block changes in the frame in which it begins.
enum class Change : uint8_t { Nothing, Cursor, Owner };

struct OpenBlock {
  const void* holder;
  uint64_t serial;  // of the runtime's state, which no other ever has
  Index running;    // whose function ran when it was entered,
  uint32_t run;     // and which run of it
  Change change;
  Index saved;            // what stood there before
  Computation* owner;     // of a scope
  bool has_marked_owner;  // as running, which keeps the slot of a scope disposed in its own block
};

uint32_t run_of(Index running) {
  if (running == 0) return 0;
  auto* node = reactive::at<Node>(running);
  if (!is_python_computation(node)) return 0;
  NodeObject* self = object_of(node);
  return self != nullptr ? self->runs : 0;
}

std::vector<OpenBlock>& open_blocks() {
  static thread_local std::vector<OpenBlock> blocks;
  return blocks;
}

uint64_t serial_of(Graph& graph) {
  return SessionState::of(*static_cast<Runtime*>(graph.host)).serial();
}

bool is_current(const OpenBlock& block) {
  Graph* graph = Graph::current_fast();
  return graph->host != nullptr && serial_of(*graph) == block.serial;
}

OpenBlock new_block(const void* holder, Graph& graph) {
  const Index running = graph.running();
  return {holder, serial_of(graph), running, run_of(running), Change::Nothing, 0, nullptr, false};
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

// Puts back what stood in the frame before, or leaves that to a block entered there later.
void restore_frame(const Taken& taken) {
  const OpenBlock& block = taken.block;
  std::vector<OpenBlock>& blocks = open_blocks();
  for (size_t place = taken.place; place < blocks.size(); ++place) {
    OpenBlock& later = blocks[place];
    if (later.serial == block.serial && later.running == block.running && later.run == block.run &&
        later.change == block.change) {
      later.saved = block.saved;
      return;
    }
  }
  Frame* found = nullptr;
  for (Frame* frame = &Graph::current_fast()->frame(); frame != nullptr; frame = frame->outer) {
    if (frame->running == block.running) found = frame;
  }
  if (found == nullptr || run_of(block.running) != block.run) return;  // that run is over
  if (block.change == Change::Owner) {
    found->owner = block.saved;
  } else if (block.saved != 0 && found->cursor == 0) {
    found->cursor = found->hidden;
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
  block.change = Change::Cursor;
  block.saved = graph.hide_cursor();
  open_blocks().push_back(block);
}

void Untracked::exit() {
  const Taken taken = take_block(this, "untracked()");
  if (is_current(taken.block)) restore_frame(taken);
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
  block.change = Change::Owner;
  block.owner = static_cast<Computation*>(node);
  block.has_marked_owner = !(node->flags & reactive::kRunning);
  block.saved = graph.exchange_owner(owner_.handle().index);
  node->flags |= reactive::kRunning;
  open_blocks().push_back(block);
}

void PyScope::exit() {
  const Taken taken = take_block(this, "scope");
  if (!is_current(taken.block)) return;  // its runtime has ended, and the scope with it
  restore_frame(taken);
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
