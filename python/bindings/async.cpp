// SPDX-License-Identifier: MIT
// What lattice/_async.py needs below Python: where the steps of a coroutine run, and on whose
// behalf.
//
//   AsyncRun       the run of a memo or effect that started a coroutine. Inside `with run:` it owns
//                  what is created, as if its function still ran; reads subscribe nothing, but are
//                  seen (note_late_read).
//   RuntimeLoan    a session's thread lets the event loop's thread have the session's runtime for
//                  one step and waits meanwhile, without the GIL.
//   flush requests see Graph::set_flush_request.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <functional>
#include <optional>
#include <string>

#include "reactive.hpp"
#include "reactive_node.hpp"

namespace nb = nanobind;

namespace lattice::python {

namespace {

class AsyncRun {
 public:
  AsyncRun() {
    Graph& graph = Graph::current();
    graph_ = &graph;
    serial_ = SessionState::of(*static_cast<Runtime*>(graph.host)).serial();
    const Index owner = graph.owner();
    run_ = reactive::handle_of(reactive::at<Node>(owner != 0 ? owner : graph.root()));
  }

  // False when the memo or effect has ended, or another runtime is current.
  bool is_alive() const { return node() != nullptr; }

  void enter() {
    Node* owner = node();
    if (owner == nullptr) throw DisposedError("the memo or effect of this coroutine has ended");
    saved_cursor_ = graph_->hide_cursor();
    saved_owner_ = graph_->exchange_owner(run_.index);
    saved_reader_ = thread_face.late_reader;
    const bool is_watched = is_python_computation(owner) && graph_->running() == 0;
    if (is_watched) graph_->frame().cursor = reactive::kCursorOfDisposed;  // reads nothing, is told
    thread_face.late_reader = is_watched ? run_.index : 0;
    graph_->begin_walk();  // disposed inside the block, it keeps its memory until the end
  }
  void exit(nb::args) {
    graph_->frame().cursor = 0;
    graph_->show_cursor(saved_cursor_);
    graph_->exchange_owner(saved_owner_);
    thread_face.late_reader = saved_reader_;
    graph_->end_walk();
    settle_trash();
  }

  // As if the memo's or effect's function had raised it.
  void report(nb::handle exception, const std::string& what, const std::string& name) const {
    report_error(Graph::current(), Py_NewRef(exception.ptr()), what, name.c_str(), run_);
  }

 private:
  Node* node() const {
    Graph* current = Graph::current_fast();
    if (current != graph_) return nullptr;
    auto* state = static_cast<SessionState*>(static_cast<Runtime*>(current->host)->host);
    return state != nullptr && state->serial() == serial_ ? reactive::node_of(run_) : nullptr;
  }

  Graph* graph_;
  uint64_t serial_;
  reactive::NodeHandle run_;
  Index saved_cursor_ = 0;
  Index saved_owner_ = 0;
  Index saved_reader_ = 0;
};

class BorrowedRuntime {
 public:
  explicit BorrowedRuntime(Runtime& runtime) : runtime_(runtime) {}
  void enter() { entry_.emplace(runtime_); }
  void exit(nb::args) {
    settle_trash();
    entry_.reset();
  }

 private:
  Runtime& runtime_;
  std::optional<RuntimeEntry> entry_;
};

class PyRuntimeLoan {
 public:
  void enter() { loan_.emplace(Runtime::current()); }
  void exit(nb::args) { loan_.reset(); }
  BorrowedRuntime* borrow() {
    if (!loan_) throw AccessError("this loan is over");
    return new BorrowedRuntime(loan_->runtime());
  }

 private:
  std::optional<RuntimeLoan> loan_;
};

// Calls a Python function from any thread; what it raises is written to the error stream.
std::function<void()> call_of(nb::handle callable) {
  return [function = SharedRef(callable.ptr())] {
    GilScope gil;
    if (!gil) return;
    SavedError saved;
    PyObject* result = PyObject_CallNoArgs(function.get());
    if (result == nullptr) PyErr_WriteUnraisable(function.get());
    Py_XDECREF(result);
  };
}

void set_flush_request(nb::object request) {
  Runtime& runtime = Runtime::current();
  if (request.is_none()) {
    runtime.set_flush_request(nullptr);
  } else {
    runtime.set_flush_request(call_of(request));
  }
  settle_trash();
}

template <class Extent>
void bind_block(nb::class_<Extent>& type, const char* enter) {
  auto enter_and_return = [](nb::object self) {
    nb::cast<Extent&>(self).enter();
    return self;
  };
  type.def("__enter__", enter_and_return, nb::sig(enter))
      .def("__exit__", &Extent::exit, nb::sig("def __exit__(self, *args: object) -> None"));
}

}  // namespace

void note_late_read(Graph& graph, NodeObject* source) {
  if (thread_face.late_reader == 0) return;
  const auto* reader = reactive::at<Computation>(thread_face.late_reader);
  const Index read = reactive::index_of(source->node);
  for (Index at = reader->deps; at != 0; at = reactive::at<Link>(at)->next_dep) {
    if (reactive::at<Link>(at)->dep == read) return;  // subscribed before the first await
  }
  reactive::UntrackedGuard untracked(graph);
  nb::module_::import_("lattice._async").attr("note_late_read")(nb::borrow(as_object(source)));
  if (source->node != nullptr) return;
  raise_ended(source);  // who shows the warning has disposed it
  throw nb::python_error();
}

}  // namespace lattice::python

void bind_async(nb::module_& module) {
  using namespace lattice::python;
  auto run = nb::class_<AsyncRun>(module, "AsyncRun",
                                  "The run of a memo or effect to which a coroutine belongs.");
  run.def(nb::init<>())
      .def_prop_ro("alive", &AsyncRun::is_alive)
      .def("report", &AsyncRun::report, nb::arg("exception"), nb::arg("what"), nb::arg("name"));
  bind_block(run, "def __enter__(self) -> AsyncRun");
  auto borrowed = nb::class_<BorrowedRuntime>(module, "BorrowedRuntime",
                                              "Another thread's runtime, inside a `with` block.");
  bind_block(borrowed, "def __enter__(self) -> BorrowedRuntime");
  auto loan = nb::class_<PyRuntimeLoan>(
      module, "RuntimeLoan", "Lets another thread have this thread's runtime inside the block.");
  loan.def(nb::init<>())
      .def("borrow", &PyRuntimeLoan::borrow, nb::rv_policy::take_ownership, nb::keep_alive<0, 1>());
  bind_block(loan, "def __enter__(self) -> RuntimeLoan");
  module.def("set_flush_request", &set_flush_request, nb::arg("request").none(),
             nb::sig("def set_flush_request(request: collections.abc.Callable[[], object] | None) "
                     "-> None"),
             "Called once when effects are queued, which then wait for flush(); None: they run at "
             "once.");
  module.def(
      "refuse_state_on_this_thread", [] { thread_face.is_event_loop = true; },
      "State is used here inside a session only: the thread of an app's asyncio loop.");
  module.def(
      "wake_by",
      [](nb::object wake) {
        lattice::Runtime& runtime = lattice::Runtime::current();
        SessionState::of(runtime);
        runtime.mailbox().set_wake(call_of(wake));
      },
      nb::arg("wake"), nb::sig("def wake_by(wake: collections.abc.Callable[[], object]) -> None"),
      "Called, by any thread, when something is posted to this thread's state.");
  module.def("drain_later", &drain_later,
             "Drains the main thread's state at its next safe point; from any thread.");
  module.def("defers_flushes", [] { return Graph::current().defers_flushes(); });
}
