// SPDX-License-Identifier: MIT
// Binding of the reactive layer: puts types, errors and functions into lattice._core.
#include "reactive.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <optional>

#include "extents.hpp"
#include "lattice/reactive/boundary.hpp"
#include "lattice/reactive/context.hpp"
#include "lattice/reactive/side_stack.hpp"
#include "native_memo.hpp"
#include "reactive_node.hpp"
#include "recursion.hpp"

namespace nb = nanobind;

namespace lattice::python {

void start_thread_actor();
void stop_thread_actor();
void bind_store(nb::module_& module);

// --- accessors for other bindings

bool is_signal(PyObject* object) noexcept { return Py_TYPE(object) == types.signal; }
bool is_memo(PyObject* object) noexcept { return Py_TYPE(object) == types.memo; }
bool is_readable(PyObject* object) noexcept { return is_signal(object) || is_memo(object); }
PyObject* read_tracked(PyObject* readable) { return read_node(as_node(readable), true); }
PyObject* peek(PyObject* readable) { return read_node(as_node(readable), false); }
int write(PyObject* signal, PyObject* value) { return write_node(as_node(signal), value); }
PyObject* resolve(PyObject* readable) { return as_object(resolve_node(as_node(readable)).object); }
const void* identity(PyObject* readable) { return resolve(readable); }
std::string name_of(PyObject* node) { return display_name(as_node(node)); }

namespace {

void check(int result) {
  if (result < 0) throw nb::python_error();
}

// --- dynamic extents

class Loading {
 public:
  void enter() { ++thread_face.loading; }
  void exit() { --thread_face.loading; }
};

class Rendering {
 public:
  explicit Rendering(std::string name) : name_(std::move(name)) {}
  void enter() { guard_.emplace(name_); }
  void exit() { guard_.reset(); }

 private:
  std::string name_;
  std::optional<RenderingGuard> guard_;
};

void flush() {
  Runtime& runtime = Runtime::current();
  const Graph& graph = runtime.graph();
  const bool may_drain = graph.idle() || (graph.defers_flushes() && !graph.running());
  if (may_drain && !runtime.mailbox().empty()) runtime.drain_mailbox();
  runtime.flush();
  settle_trash();
  auto* state = static_cast<SessionState*>(runtime.host);
  if (state != nullptr && state->on_flush) state->on_flush();
}

bool is_component_body() {
  return thread_face.callbacks ==
         (thread_face.rendering != nullptr ? thread_face.callbacks_at_render : 0);
}

// --- sessions

// What `lattice.in_session` keeps of the runtime in which a function was wrapped.
class SessionHandle {
 public:
  SessionHandle() {
    Runtime& runtime = Runtime::current();
    serial_ = SessionState::of(runtime).serial();
    mailbox_ = runtime.shared_mailbox();
  }
  bool is_current() const {
    Runtime* runtime = Runtime::current_or_null();
    auto* state = runtime != nullptr ? static_cast<SessionState*>(runtime->host) : nullptr;
    return state != nullptr && state->serial() == serial_;
  }
  bool post(nb::object function) const {
    return mailbox_->post([body = SharedRef(function.ptr())] {
      GilScope gil;
      if (!gil) return;
      PyObject* result = PyObject_CallNoArgs(body.get());
      if (result == nullptr)
        report_error(Graph::current(), take_raised(), "a function posted to the session", "");
      Py_XDECREF(result);
    });
  }

 private:
  uint64_t serial_;
  std::shared_ptr<Mailbox> mailbox_;
};

// A session with a runtime of its own, for tests and for embedding without a page.
class PySession {
 public:
  PySession() : state_(std::make_unique<SessionState>(runtime_)) {}
  ~PySession() { dispose(); }

  Runtime& runtime() { return runtime_; }
  SessionState& state() {
    if (state_ == nullptr) throw DisposedError("this session has ended");
    return *state_;
  }
  bool is_alive() const { return state_ != nullptr; }
  uint64_t serial() { return state().serial(); }
  void start() {
    RuntimeEntry entry(runtime_);
    state().start();
  }
  void drain() {
    RuntimeEntry entry(runtime_);
    state().begin_segment();
    runtime_.drain_mailbox();
    settle_trash();
  }
  bool has_mail() { return !runtime_.mailbox().empty(); }
  void hold_user_effects(bool held) {
    RuntimeEntry entry(runtime_);
    runtime_.hold_user_effects(held);
  }
  void dispose() {
    if (state_ == nullptr) return;
    state_->dispose();
    runtime_.mailbox().close();
    state_ = nullptr;
  }

 private:
  Runtime runtime_;
  std::unique_ptr<SessionState> state_;
};

class SessionEntry {
 public:
  explicit SessionEntry(nb::object session) : session_(std::move(session)) {}

  nb::object enter() {
    auto& session = nb::cast<PySession&>(session_);
    session.state();
    entry_ = std::make_unique<RuntimeEntry>(session.runtime());
    outer_ = nb::borrow(session.state().object());
    session.state().set_object(session_.ptr());
    session.state().begin_segment();
    session.runtime().drain_mailbox();
    settle_trash();
    return session_;
  }
  void exit(nb::args) {
    auto& session = nb::cast<PySession&>(session_);
    if (session.is_alive()) session.state().set_object(outer_.ptr());
    outer_.reset();
    entry_ = nullptr;
  }

 private:
  nb::object session_;
  nb::object outer_;  // what it was before, when entries nest
  std::unique_ptr<RuntimeEntry> entry_;
};

nb::object current_session() {
  SessionState* state = SessionState::current();
  if (state == nullptr || state->object() == nullptr) return nb::none();
  return nb::borrow(state->object());
}

// --- context and error boundaries

uint64_t new_context() { return reactive::new_context_key(); }

void provide(uint64_t key, nb::handle value) {
  if (thread_face.loading != 0 && !is_served_here()) {
    raise_error(lattice_error,
                "provide() at module level of a served app reaches no session: give the value as "
                "the default, lt.context(value), or provide it in a component");
    throw nb::python_error();
  }
  Graph::current().provide(key, std::make_shared<SharedRef>(value.ptr()));
}

nb::object provided(uint64_t key, nb::object otherwise) {
  const void* found = Graph::current().find_provided(key);
  return found != nullptr ? nb::borrow(static_cast<const SharedRef*>(found)->get()) : otherwise;
}

void call_handler(const SharedRef& handler, std::exception_ptr error) {
  GilScope gil;
  if (!gil) return;
  set_python_error(error);
  nb::object exception = nb::steal(take_raised());
  PyObject* result = PyObject_CallOneArg(handler.get(), exception.ptr());
  if (result == nullptr) throw nb::python_error();
  Py_DECREF(result);
}

// An owner with an error handler. A component's later render finds its boundary again, with the
// handler of that render.
class Boundary {
 public:
  explicit Boundary(nb::object handler)
      : handler_(std::make_shared<std::optional<SharedRef>>(checked(handler).ptr())),
        owner_(reactive::create_boundary([slot = handler_](std::exception_ptr error) {
          call_handler(SharedRef(slot->value()), error);
        })) {}

  void replace(nb::object handler) {
    const SharedRef before = std::move(handler_->value());  // dropped when all is in place
    handler_->emplace(checked(handler).ptr());
  }
  nb::object run(nb::object function) {
    checked(function);
    PyObject* result = owner_.run([&] { return PyObject_CallNoArgs(function.ptr()); });
    if (result == nullptr) {
      if (!PyErr_ExceptionMatches(PyExc_Exception)) throw nb::python_error();
      report_error(Graph::current(), take_raised(), "the body of an error boundary", "",
                   owner_.handle());
      result = Py_NewRef(Py_None);
    }
    settle_trash();
    return nb::steal(result);
  }

 private:
  static nb::object checked(nb::object function) {
    if (PyCallable_Check(function.ptr())) return function;
    PyErr_Format(PyExc_TypeError, "error_boundary() takes two functions, not %R", function.ptr());
    throw nb::python_error();
  }

  std::shared_ptr<std::optional<SharedRef>> handler_;
  Owner owner_;
};

nb::object made(PyObject* object) {
  if (object == nullptr) throw nb::python_error();
  return nb::steal(object);
}

void add_type(nb::module_& module, const char* name, PyTypeObject*& place, PyTypeObject* type) {
  if (type == nullptr) throw nb::python_error();
  place = type;
  module.attr(name) = nb::handle(reinterpret_cast<PyObject*>(type));
}

constexpr const char* kExit = "def __exit__(self, *args: object) -> None";

// A context manager; `enter` is the signature of its __enter__, for the stub.
template <class Extent, class... Args>
nb::class_<Extent> bind_extent(nb::module_& module, const char* name, const char* doc,
                               const char* enter) {
  auto enter_and_return = [](nb::object self) {
    nb::cast<Extent&>(self).enter();
    return self;
  };
  return nb::class_<Extent>(module, name, doc)
      .def(nb::init<Args...>())
      .def("__enter__", enter_and_return, nb::sig(enter))
      .def("__exit__", [](Extent& self, nb::args) { self.exit(); }, nb::sig(kExit));
}

void bind_sessions(nb::module_& module) {
  nb::class_<SessionHandle>(module, "SessionHandle",
                            "The session in which it was made, for other threads.")
      .def(nb::init<>())
      .def("is_current", &SessionHandle::is_current)
      .def("post", &SessionHandle::post, nb::arg("function"), "False when the session has ended.");
  nb::class_<SessionEntry>(module, "SessionEntry", "Makes a session current inside a `with` block.")
      .def("__enter__", &SessionEntry::enter, nb::sig("def __enter__(self) -> SessionState"))
      .def("__exit__", &SessionEntry::exit, nb::sig(kExit));
  nb::class_<PySession>(module, "SessionState", nb::dynamic_attr(), "A session without a page.")
      .def(nb::init<>())
      .def(
          "enter", [](nb::object self) { return new SessionEntry(std::move(self)); },
          nb::rv_policy::take_ownership)
      .def("start", &PySession::start, "Starts the module-level effects.")
      .def("drain", &PySession::drain, "Runs what other threads and the app have sent.")
      .def("hold_user_effects", &PySession::hold_user_effects, nb::arg("held"))
      .def("dispose", &PySession::dispose, "Ends everything made in it.")
      .def_prop_ro("has_mail", &PySession::has_mail)
      .def_prop_ro("alive", &PySession::is_alive)
      .def_prop_ro("id", [](PySession& self) { return std::to_string(self.serial()); });
  module.def("current_session", &current_session,
             nb::sig("def current_session() -> object | None"));
  module.def("dispose_module_effects", &dispose_template_effects,
             "Ends the effects made at module level.");
  module.def("start_thread_actor", &start_thread_actor, "An app's actor for tests.");
  module.def("stop_thread_actor", &stop_thread_actor);
  module.def("clear_app_actor", [] { set_app_actor(nullptr); });
}

}  // namespace
}  // namespace lattice::python

void bind_reactive(nb::module_& module) {
  using namespace lattice::python;
  value_name = PyUnicode_InternFromString("value");
  check(init_errors(module.ptr()));
  if (!RecursionBudget::kIsRestorable) lattice::reactive::forbid_side_stacks();
  register_node_types();
  register_sentinel_type();
  add_type(module, "Signal", types.signal, make_signal_type());
  add_type(module, "Mutation", types.mutation, make_mutation_type());
  add_type(module, "Memo", types.memo, make_memo_type());
  add_type(module, "Effect", types.effect, make_effect_type());

  bind_extent<Batch>(module, "Batch", "One flush at the end of the block.",
                     "def __enter__(self) -> Batch");
  bind_extent<Untracked>(module, "Untracked", "Reads in the block subscribe nothing.",
                         "def __enter__(self) -> Untracked");
  bind_extent<Loading>(module, "loading", "While a served app's file is imported.",
                       "def __enter__(self) -> loading");
  bind_extent<Rendering, std::string>(module, "rendering", "While a component's body runs.",
                                      "def __enter__(self) -> rendering");
  bind_extent<PyScope>(module, "Scope", "Owns what is made in its block.",
                       "def __enter__(self) -> Scope")
      .def("dispose", &PyScope::dispose, "Ends everything made inside, last first.")
      .def_prop_ro("alive", &PyScope::alive);

  module.def(
      "on_cleanup", [](nb::object function) { check(add_cleanup(function.ptr())); },
      nb::arg("function"));
  module.def("new_context", &new_context, "A key for provide() and provided().");
  module.def("provide", &provide, nb::arg("key"), nb::arg("value").none());
  module.def("provided", &provided, nb::arg("key"), nb::arg("otherwise").none());
  nb::class_<Boundary>(module, "Boundary", "Takes the errors of what its function makes.")
      .def(nb::init<nb::object>(), nb::arg("handler"))
      .def("replace", &Boundary::replace, nb::arg("handler"))
      .def("run", &Boundary::run, nb::arg("function"));
  module.def("flush", &flush, "Runs queued effects, and what other threads have sent.");
  module.def(
      "values_equal", [](nb::handle a, nb::handle b) { return values_equal(a.ptr(), b.ptr()); },
      nb::arg("a").none(), nb::arg("b").none());
  module.def("in_component_body", &is_component_body,
             "Whether no memo or effect function runs inside the component body that runs.");
  constexpr const char* kQuickSignal = "def quick_signal(function: _T) -> _T";
  module.def(
      "quick_signal", [](nb::handle function) { return made(quick_signal(function.ptr())); },
      nb::sig(kQuickSignal), "`function`, whose usual call makes a signal without it.");
  module.def(
      "native_value",
      [](nb::handle node) {
        if (!is_readable(node.ptr())) {
          PyErr_Format(PyExc_TypeError, "a signal or memo is wanted, not %R", node.ptr());
          throw nb::python_error();
        }
        return made(native_value(node.ptr()));
      },
      nb::sig("def native_value(node: object) -> tuple[bool, Any]"),
      "The value of the signal or memo that stands for it here, and whether there is one.");
  module.def(
      "native_run_mask", [](uint32_t mask) { return std::exchange(native_run_mask, mask); },
      nb::arg("mask"), "For tests: see native_run_mask in reactive_node.hpp. Returns the old one.");
  constexpr const char* kQuickMemo = "def quick_memo(function: _T) -> _T";
  module.def(
      "quick_memo", [](nb::handle function) { return made(quick_memo(function.ptr())); },
      nb::sig(kQuickMemo), "`function`, whose usual call makes a memo without it.");
  bind_sessions(module);
  bind_store(module);
}
