// SPDX-License-Identifier: MIT
// lattice.Memo: a value computed by a Python function when it is read, kept until a source changes.
//
// The function runs in update_memo, called by the graph; its result, or what it raised, is kept in
// the object. An exception is raised to every reader as a copy with the traceback that the function
// left, so that readers neither lengthen the cached one nor are kept alive by it.
#include <unordered_set>

#include "native_memo.hpp"
#include "reactive_node.hpp"
#include "recursion.hpp"

namespace lattice::python {

namespace {

constexpr Flags kNotPlain = reactive::kDirty | reactive::kPending | reactive::kRunning |
                            reactive::kChecking | reactive::kError | reactive::kEmpty;

// The memos and effects whose functions run on this thread, innermost first.
struct RunningCallback {
  ComputationNode* node;
  RunningCallback* outer;
};
constinit thread_local RunningCallback* running [[gnu::tls_model("initial-exec")]] = nullptr;

struct CallbackScope : RunningCallback {
  explicit CallbackScope(ComputationNode* node) noexcept : RunningCallback{node, running} {
    running = this;
    ++thread_face.callbacks;
  }
  ~CallbackScope() {
    running = outer;
    --thread_face.callbacks;
  }
};

// Gives the graph the Python names of what the message of a CycleError may mention: what runs, and
// what its walks may have come by.
void name_cycle(Graph& graph, Computation* start) {
  constexpr size_t kNamedMax = 10'000;
  std::vector<Computation*> todo{start};
  for (RunningCallback* at = running; at != nullptr; at = at->outer) todo.push_back(at->node);
  std::unordered_set<Computation*> seen;
  while (!todo.empty() && seen.size() < kNamedMax) {
    Computation* node = todo.back();
    todo.pop_back();
    if (!seen.insert(node).second) continue;
    if (NodeObject* self = object_of(node)) {
      const std::string name = display_name(self);
      graph.name_node(node, name.empty() ? "?" : name);
    }
    for (Index at = node->deps; at != 0; at = reactive::at<Link>(at)->next_dep) {
      Node* dep = reactive::at<Node>(reactive::at<Link>(at)->dep);
      if (is_python_computation(dep)) todo.push_back(static_cast<Computation*>(dep));
    }
  }
}

// Memos compute one another kNestedRunsMax deep. Nothing is cached: read from the other end, each
// has its value.
PyObject* raise_nesting(NodeObject* self) {
  constexpr size_t kEndShown = 4;
  std::vector<NodeObject*> chain{self};
  for (RunningCallback* at = running; at != nullptr; at = at->outer) {
    if (at->node->self != nullptr) chain.push_back(at->node->self);
  }
  std::string names;
  for (size_t i = 0; i < chain.size(); ++i) {
    if (i == kEndShown && chain.size() > 2 * kEndShown) {
      i = chain.size() - kEndShown;
      names += " -> ...";
    }
    names += (names.empty() ? "" : " -> ") + quoted_name(chain[chain.size() - 1 - i]);
  }
  return raise_error(PyExc_RecursionError,
                     std::to_string(chain.size()) +
                         " memos compute one another, which is too deep: " + names +
                         ". None was changed; read them from the far end of the chain on, a few "
                         "thousand at a time.");
}

// Whether the new value, or the end of an error, is news to readers. -1: the equality function
// raised.
int store_value(NodeObject* self, ComputationNode* node, Graph& graph, PyObject* value) {
  int change = 1;
  if (node->flags & reactive::kError) {
    node->flags &= static_cast<Flags>(~reactive::kError);
    discard(std::exchange(self->extra->error, nullptr));
    discard(std::exchange(self->extra->traceback, nullptr));
  } else if (self->value != nullptr) {
    if (is_plainly_same(self, self->value, value)) {
      change = 0;
    } else {
      reactive::UntrackedGuard guard(graph);
      change = is_change(self, self->value, value);
    }
  }
  if (change > 0) {
    discard(std::exchange(self->value, value));
  } else {
    discard(value);
  }
  return change;
}

// Keeps what was raised. Returns whether it may be kept: a lack of stack or memory is the reader's.
bool store_error(NodeObject* self, ComputationNode* node) {
  PyObject* error = take_raised();
  const bool is_kept = !is_transient_error(error);
  if (is_kept) detach_frames(error);
  Extra& extra = extra_of(self);
  node->flags |= reactive::kError;
  discard(std::exchange(extra.error, error));
  discard(std::exchange(extra.traceback, PyException_GetTraceback(error)));
  return is_kept;
}

// function(), without what PyObject_CallNoArgs has for callables of all kinds.
inline PyObject* call(PyObject* function) {
  if (PyFunction_Check(function)) [[likely]] {
    return reinterpret_cast<PyFunctionObject*>(function)->vectorcall(function, nullptr, 0, nullptr);
  }
  return PyObject_CallNoArgs(function);
}

// The end of a run, whatever it gave (null: it raised). Returns whether readers see another value.
[[gnu::noinline]] bool finish_run(NodeObject* self, ComputationNode* node, Graph& graph,
                                  PyObject* function, PyObject* value) {
  if (is_coroutine(value)) [[unlikely]]
    value = refuse_coroutine(value, function, "make it with @lt.async_memo");
  bool is_changed = true;
  if (node->self != self) {  // disposed meanwhile, and perhaps gone
    if (value == nullptr) PyErr_Clear();
    discard(value);
  } else {
    Py_INCREF(as_object(self));
    const int change = value != nullptr ? store_value(self, node, graph, value) : -1;
    is_changed = change != 0;
    if (change < 0 && !store_error(self, node)) node->flags |= reactive::kDirty;
    if (held_is_stale(self, graph)) refresh_held(self, graph, node);
    discard(as_object(self));
  }
  discard(function);
  return is_changed;
}

// native=True demands what cannot be: that is the memo's error.
bool refused(NodeObject* self, ComputationNode* node, Graph& graph) {
  return finish_run(self, node, graph, Py_NewRef(self->function), nullptr);
}

}  // namespace

bool update_memo(Graph& graph, Node* base) noexcept {
  auto* node = static_cast<ComputationNode*>(base);
  NodeObject* self = node->self;
  PyObject* function = self != nullptr ? self->function : nullptr;
  if (function == nullptr) [[unlikely]]
    return false;
  ++self->runs;
  if ((self->runs & native_run_mask) == 0 || self->native_due) [[unlikely]] {
    if (consider_native(self, node, graph) < 0) return refused(self, node, graph);
    if (node->self != self || self->function == nullptr) return true;
  }
  return run_function(graph, node, self);
}

bool run_function(Graph& graph, ComputationNode* node, NodeObject* self) noexcept {
  PyObject* function = Py_NewRef(self->function);
  PyObject* value = nullptr;
  {
    CallbackScope scope(node);
    value = scope.outer == nullptr ? call(function) : call_nested(function);
  }
  // While it runs the node stays; the object does not, unless the node still knows it.
  if (value == nullptr || node->self != self || self->equality != Equality::Auto ||
      self->value == nullptr || (node->flags & reactive::kError) || Py_REFCNT(function) == 1)
      [[unlikely]] {
    return finish_run(self, node, graph, function, value);
  }
  const int change = number_change(self->value, value);
  if (change < 0) return finish_run(self, node, graph, function, value);
  Py_DECREF(change != 0 ? std::exchange(self->value, value) : value);  // runs nothing: a number
  if (held_is_stale(self, graph)) [[unlikely]]
    refresh_held(self, graph, node);
  Py_DECREF(function);
  return change != 0;
}

bool update_effect(Graph& graph, Node* base) noexcept {
  auto* node = static_cast<ComputationNode*>(base);
  NodeObject* self = node->self;
  if (self == nullptr || self->function == nullptr) return false;
  Py_INCREF(as_object(self));
  const reactive::NodeHandle handle = reactive::handle_of(node);
  ++self->runs;
  PyObject* function = Py_NewRef(self->function);
  const std::string* rendering = std::exchange(thread_face.rendering, nullptr);
  PyObject* result = nullptr;
  {
    CallbackScope scope(node);
    result = call(function);
  }
  thread_face.rendering = rendering;
  if (is_coroutine(result)) [[unlikely]]
    result = refuse_coroutine(result, function, "give lt.effect the async function itself");
  PyObject* error = result == nullptr ? take_raised() : nullptr;
  // It waits for a value that is being loaded, and has subscribed to it.
  if (error != nullptr && PyErr_GivenExceptionMatches(error, not_ready_error))
    discard(std::exchange(error, nullptr));
  if (self->node == node && held_is_stale(self, graph)) refresh_held(self, graph, node);
  const bool is_quiet =
      result != nullptr && (Py_REFCNT(result) > 1 || ends_silently(Py_TYPE(result)));
  if (is_quiet && Py_REFCNT(function) > 1 && Py_REFCNT(as_object(self)) > 1) [[likely]] {
    Py_DECREF(result);
    Py_DECREF(function);
    Py_DECREF(as_object(self));
    settle_trash();
    return true;
  }
  reactive::UntrackedGuard untracked(graph);  // what ends now may run anything
  discard(result);
  discard(function);
  if (error != nullptr) {
    const std::string name = display_name(self);
    report_error(graph, error, name.empty() ? "an effect" : "effect " + quoted_name(self),
                 name.c_str(), handle);
  }
  discard(as_object(self));
  settle_trash();
  return true;
}

PyObject* memo_read_here(NodeObject* self, Graph& graph, bool tracked) {
  auto* node = static_cast<ComputationNode*>(self->node);
  if (reactive::needs_clean(node)) {
    if (node->flags & (reactive::kRunning | reactive::kChecking)) {
      name_cycle(graph, node);
    } else if (thread_face.callbacks > kNestedRunsMax) [[unlikely]] {
      return raise_nesting(self);
    }
    Py_INCREF(as_object(self));
    const int failed = guarded(-1, [&] {
      graph.clean(node);
      return 0;
    });
    if (thread_face.trash_count != 0 && graph.idle()) [[unlikely]]
      empty_trash();
    const bool is_gone = self->node == nullptr;
    PyObject* result = failed ? nullptr : is_gone ? raise_ended(self) : as_object(self);
    Py_DECREF(as_object(self));
    if (result == nullptr) return nullptr;
  }
  if (tracked && graph.tracking()) {
    const int failed = guarded(-1, [&] {
      track(graph, self);
      return 0;
    });
    if (failed) return nullptr;
  }
  if (node->flags & reactive::kError) {
    raise_copy(self->extra->error, self->extra->traceback);
    return nullptr;
  }
  if ((node->flags & reactive::kEmpty) && box_native(self) == nullptr) return nullptr;
  if (self->value == nullptr) return raise_ended(self);
  return Py_NewRef(self->value);
}

namespace {

inline PyObject* read_value(NodeObject* self) {
  Graph* graph = Graph::current_fast();
  if (self->graph == graph && !(self->extra != nullptr && self->app_scope)) [[likely]] {
    const Flags flags = self->node->flags & kNotPlain;
    const bool is_plain = flags == 0 || (flags == reactive::kEmpty && box_native(self) != nullptr);
    if (is_plain) [[likely]] {
      if (graph->tracking()) {
        const bool tracked = guarded(false, [&] {
          track(*graph, self);
          return true;
        });
        if (!tracked) return nullptr;
      }
      return Py_NewRef(self->value);
    }
    return memo_read_here(self, *graph, true);
  }
  return read_node(self, true);
}

PyObject* memo_getattro(PyObject* object, PyObject* name) {
  if (name == value_name) [[likely]]
    return read_value(as_node(object));
  return PyObject_GenericGetAttr(object, name);
}

PyObject* memo_vectorcall(PyObject* object, PyObject* const*, size_t count, PyObject* names) {
  if (PyVectorcall_NARGS(count) != 0 || (names != nullptr && PyTuple_GET_SIZE(names) != 0)) {
    PyErr_Format(PyExc_TypeError, "%s takes no arguments", quoted_name(as_node(object)).c_str());
    return nullptr;
  }
  return read_value(as_node(object));
}

PyObject* get_value(PyObject* object, void*) { return read_value(as_node(object)); }
PyObject* get_function(PyObject* object, void*) {
  PyObject* function = as_node(object)->function;
  return Py_NewRef(function != nullptr ? function : Py_None);
}
PyObject* memo_peek(PyObject* object, PyObject*) { return read_node(as_node(object), false); }

// A component rendered again: its body made the same memo with a new function.
PyObject* memo_replace(PyObject* object, PyObject* const* args, Py_ssize_t count) {
  if (count != 2) return PyErr_SetString(PyExc_TypeError, "_replace(function, dirty)"), nullptr;
  NodeObject* self = as_node(object);
  PyObject* old = std::exchange(self->function, Py_NewRef(args[0]));
  const int dirty = PyObject_IsTrue(args[1]);
  if (dirty > 0 && self->node != nullptr && self->graph == Graph::current_fast() &&
      !(self->node->flags & reactive::kRunning)) {
    self->node->flags |= reactive::kDirty;
    self->graph->changed_later(self->node);
  }
  forget_program(self);
  Py_XDECREF(old);
  if (dirty < 0) return nullptr;
  Py_RETURN_NONE;
}

// For linked memos, right after creation: only a source makes it run again, whoever stops reading.
PyObject* memo_keep_sources(PyObject* object, PyObject*) {
  NodeObject* self = as_node(object);
  self->keeps_sources = true;
  if (self->node != nullptr) self->node->flags |= reactive::kUnwatched;
  Py_RETURN_NONE;
}

PyObject* memo_repr(PyObject* object) {
  NodeObject* self = as_node(object);
  NodeObject* shown = shown_instance(self);
  const std::string name = display_name(self);
  const std::string label = name.empty() ? "" : " " + name;
  if (self->disposed) return PyUnicode_FromFormat("<Memo%s, disposed>", label.c_str());
  const bool is_current = shown->node != nullptr && boxed_value(shown) != nullptr &&
                          (shown->kind == NodeKind::Signal || !(shown->node->flags & kNotPlain));
  if (!is_current) return PyUnicode_FromFormat("<Memo%s, not computed>", label.c_str());
  return repr_with_value(object, "Memo", shown->value);
}

PyObject* memo_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"function", "name", "equals", "scope", nullptr};
  PyObject *function = nullptr, *name = nullptr, *equals = nullptr, *scope = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$OOO", const_cast<char**>(names), &function,
                                   &name, &equals, &scope)) {
    return nullptr;
  }
  if (!PyCallable_Check(function)) {
    PyErr_Format(PyExc_TypeError, "a memo is made of a function without arguments, not %R",
                 function);
    return nullptr;
  }
  NodeObject* self = new_memo_object(function);
  if (self == nullptr) return nullptr;
  if (set_options(self, name, equals, scope) < 0) return Py_DECREF(as_object(self)), nullptr;
  remember_origin(self);
  const bool is_unbound = self->app_scope && is_served_here();
  if (!is_unbound && bind_here(self) < 0) return Py_DECREF(as_object(self)), nullptr;
  return as_object(self);
}

int refuse_value(PyObject* object, PyObject*, void*) {
  raise_error(PyExc_AttributeError,
              quoted_name(as_node(object)) +
                  " is a Memo: its value is what its function computes. Write what it reads, or "
                  "make it with lt.linked, which can be written.");
  return -1;
}

PyGetSetDef memo_getset[] = {
    {"value", &get_value, &refuse_value,
     "The value, computed if a source changed; the reader subscribes.", nullptr},
    {"runs", &node_runs, nullptr, "How often the function ran.", nullptr},
    {"name", &node_name, nullptr, "The name given, of the function, or assigned.", nullptr},
    {"native", &memo_native, nullptr, "Whether it runs as machine code.", nullptr},
    {"native_reason", &memo_native_reason, nullptr,
     "Why it does not run as machine code; None when it does.", nullptr},
    {"__wrapped__", &get_function, nullptr, "The function.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMethodDef memo_methods[] = {
    {"peek", &memo_peek, METH_NOARGS, "peek()\n--\n\nThe value, without subscribing."},
    {"dispose", &node_dispose, METH_NOARGS,
     "dispose()\n--\n\nEnds it; later use raises DisposedError."},
    {"_replace", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(&memo_replace)),
     METH_FASTCALL, nullptr},
    {"_demand_native", &memo_demand_native, METH_O, nullptr},
    {"_keep_sources", &memo_keep_sources, METH_NOARGS, nullptr},
    {"__format__", &node_format, METH_O, nullptr},
    {"__reduce_ex__", &node_reduce, METH_O, nullptr},
    {"__class_getitem__", &node_class_getitem, METH_O | METH_CLASS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

NodeObject* new_memo_object(PyObject* function) {
  NodeObject* self = new_node_object(types.memo, NodeKind::Memo);
  if (self == nullptr) return nullptr;
  self->function = Py_NewRef(function);
  self->vectorcall = &memo_vectorcall;
  return self;
}

PyTypeObject* make_memo_type() {
  std::vector<PyType_Slot> slots = refusing_slots();
  auto add = [&](int id, auto* content) {
    slots.push_back({id, reinterpret_cast<void*>(content)});
  };
  add(Py_tp_doc, const_cast<char*>("A computed value; see lattice.memo."));
  add(Py_tp_new, &memo_new);
  add(Py_tp_call, &PyVectorcall_Call);
  add(Py_tp_dealloc, &node_dealloc);
  add(Py_tp_traverse, &node_traverse);
  add(Py_tp_clear, &node_clear);
  add(Py_tp_finalize, &node_finalize);
  add(Py_tp_getattro, &memo_getattro);
  add(Py_tp_repr, &memo_repr);
  add(Py_tp_members, &node_members[0]);
  add(Py_tp_getset, &memo_getset[0]);
  add(Py_tp_methods, &memo_methods[0]);
  slots.push_back({0, nullptr});
  PyType_Spec spec = {"lattice.Memo", sizeof(NodeObject), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
                          Py_TPFLAGS_HAVE_VECTORCALL,
                      slots.data()};
  return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
}

}  // namespace lattice::python
