// SPDX-License-Identifier: MIT
#include "lattice/reactive/runtime.hpp"

namespace lattice {

namespace {

// A graph that is never used for anything but its fields: "no observer, no frame".
union StandIn {
  StandIn() : graph(reactive::Graph::StandIn{}) {}
  ~StandIn() {}
  reactive::Graph graph;
};
StandIn stand_in;

// Distinct per thread and never 0; an address would be re-used by a later thread.
uint64_t thread_token() noexcept {
  static std::atomic<uint64_t> next{1};
  thread_local const uint64_t token = next.fetch_add(1, std::memory_order_relaxed);
  return token;
}

}  // namespace

namespace reactive {

namespace internal {
constinit thread_local Graph* current_graph = &stand_in.graph;
}

Graph* Graph::make_current(Graph* graph) noexcept {
  Graph* previous = internal::current_graph;
  internal::current_graph = graph != nullptr ? graph : &stand_in.graph;
  return previous == &stand_in.graph ? nullptr : previous;
}

Graph& Graph::make_default() { return Runtime::current().graph(); }

}  // namespace reactive

Runtime::Runtime() : mailbox_(std::make_shared<Mailbox>()) { graph_.host = this; }

Runtime::~Runtime() {
  mailbox_->close();
  reactive::Graph* previous = reactive::Graph::make_current(&graph_);
  graph_.dispose_all();
  reactive::Graph::make_current(previous == &graph_ ? nullptr : previous);
}

Runtime* Runtime::current_or_null() noexcept {
  reactive::Graph* graph = reactive::Graph::current_fast();
  return graph == &stand_in.graph ? nullptr : static_cast<Runtime*>(graph->host);
}

Runtime& Runtime::current() {
  if (Runtime* runtime = current_or_null()) return *runtime;
  // By pointer: space for thread-locals of a library that is loaded late is scarce.
  thread_local const auto default_runtime = std::make_unique<Runtime>();
  reactive::Graph::make_current(&default_runtime->graph());
  return *default_runtime;
}

void Runtime::drain_mailbox() {
  graph_.open_batch();
  mailbox_->drain([this](std::function<void()>& message) {
    try {
      message();
    } catch (...) {
      graph_.report(nullptr, std::current_exception());
    }
  });
  graph_.close_batch();
}

RuntimeEntry::RuntimeEntry(Runtime& runtime) : runtime_(runtime) {
  const uint64_t self = thread_token();
  if (runtime.inside_.load(std::memory_order_relaxed) != self) {
    uint64_t nobody = 0;
    if (!runtime.inside_.compare_exchange_strong(nobody, self, std::memory_order_acquire)) {
      throw AccessError("runtime entered by two threads at once");
    }
  }
  ++runtime.depth_;
  previous_ = reactive::Graph::make_current(&runtime.graph_);
}

RuntimeEntry::~RuntimeEntry() {
  reactive::Graph::make_current(previous_);
  if (--runtime_.depth_ == 0) runtime_.inside_.store(0, std::memory_order_release);
}

RuntimeLoan::RuntimeLoan(Runtime& runtime) : runtime_(runtime), depth_(runtime.depth_) {
  if (runtime.inside_.load(std::memory_order_relaxed) != thread_token()) {
    throw AccessError("only the thread that has entered a runtime can lend it");
  }
  current_ = reactive::Graph::make_current(nullptr);
  runtime.depth_ = 0;
  runtime.inside_.store(0, std::memory_order_release);
}

RuntimeLoan::~RuntimeLoan() {
  uint64_t nobody = 0;
  LATTICE_ASSERT(
      runtime_.inside_.compare_exchange_strong(nobody, thread_token(), std::memory_order_acquire));
  runtime_.depth_ = depth_;
  reactive::Graph::make_current(current_);
}

}  // namespace lattice
