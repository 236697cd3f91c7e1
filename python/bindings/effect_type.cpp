// SPDX-License-Identifier: MIT
// lattice.Effect: a function that runs now and whenever what it read has changed; cleanups and
// scopes.
//
// What keeps an effect: the memo or effect that runs while it is made (in its `children`, which
// Python's collector sees), else the graph, on behalf of the scope, component or runtime that owns
// it. With weak=True nobody does: it ends with the last reference to it.
#include <algorithm>

#include "native_memo.hpp"
#include "reactive_node.hpp"

namespace lattice::python {

namespace {

void keep_alive(NodeObject* self) {
  if (self->weak) return;
  Py_INCREF(as_object(self));
  NodeObject* parent = owning_computation(*self->graph);
  if (parent != nullptr) {
    self->parent = parent;
    add_child(parent, {as_object(self), nullptr});
  } else {
    self->kept_by_graph = true;
  }
}

bool is_rendering_body() noexcept {
  return thread_face.rendering != nullptr &&
         thread_face.callbacks == thread_face.callbacks_at_render;
}

void name_in_graph(NodeObject* self) {
  const std::string name = display_name(self);
  if (!name.empty()) self->graph->name_node(self->node, name);
}

// -1 with an error: effects that keep triggering one another.
int begin(NodeObject* self, bool is_queued) {
  return guarded(-1, [&] {
    keep_alive(self);
    name_in_graph(self);
    auto* node = static_cast<Computation*>(self->node);
    Graph& graph = *self->graph;
    if (is_queued || (self->user_phase && is_rendering_body())) {
      graph.schedule(node);
    } else {
      graph.start(node);
    }
    return 0;
  });
}

// The function to run, which a factory makes anew for each session.
int set_function(NodeObject* self, PyObject* function) {
  PyObject* made = self->is_factory ? PyObject_CallNoArgs(function) : Py_NewRef(function);
  Py_XSETREF(self->function, made);
  return made != nullptr ? 0 : -1;
}

int set_phase(NodeObject* self, PyObject* phase) {
  self->user_phase = true;
  if (phase == nullptr || phase == Py_None) return 0;
  if (PyUnicode_Check(phase)) {
    self->user_phase = PyUnicode_CompareWithASCIIString(phase, "render") != 0;
    if (!self->user_phase || PyUnicode_CompareWithASCIIString(phase, "user") == 0) return 0;
  }
  PyErr_Format(PyExc_ValueError, "phase= is 'user' or 'render', not %R", phase);
  return -1;
}

int bind_effect(NodeObject* self, PyObject* function, bool is_queued) {
  if (thread_face.loading != 0 && !is_served_here()) {
    // A served app's file is being imported: each session will have its own.
    self->function = Py_NewRef(function);
    self->root_owned = true;
    register_template_effect(self);
    return 0;
  }
  PyObject* factory = self->is_factory ? Py_NewRef(function) : nullptr;
  int result = set_function(self, function);
  if (result == 0) result = bind_here(self);
  if (result == 0) {
    if (factory != nullptr)
      extra_of(self).equals = Py_NewRef(factory);  // an effect compares nothing
    if (self->root_owned && !is_served_here()) register_template_effect(self);
    result = begin(self, is_queued);
  }
  Py_XDECREF(factory);
  return result;
}

PyObject* effect_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"function", "phase",   "priority", "weak",
                                "name",     "factory", "queued",   nullptr};
  PyObject *function = nullptr, *phase = nullptr, *name = nullptr;
  int priority = 0, weak = 0, factory = 0, queued = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$OipOpp", const_cast<char**>(names), &function,
                                   &phase, &priority, &weak, &name, &factory, &queued)) {
    return nullptr;
  }
  if (!PyCallable_Check(function)) {
    PyErr_Format(PyExc_TypeError, "an effect is made of a function without arguments, not %R",
                 function);
    return nullptr;
  }
  NodeObject* self = new_node_object(types.effect, NodeKind::Effect);
  if (self == nullptr) return nullptr;
  self->weak = weak != 0;
  self->is_factory = factory != 0;
  if (priority != 0) extra_of(self).priority = priority;
  int result = set_phase(self, phase);
  if (result == 0) result = set_options(self, name, nullptr, nullptr);
  if (result == 0) remember_origin(self);
  if (result == 0) result = bind_effect(self, function, queued != 0);
  if (result < 0) return Py_DECREF(as_object(self)), nullptr;
  return as_object(self);
}

PyObject* get_alive(PyObject* object, void*) {
  const NodeObject* shown = shown_instance(as_node(object));
  // While it runs, a disposed effect keeps its node.
  const bool is_ending = shown->node != nullptr && (shown->node->flags & reactive::kDisposed) != 0;
  return PyBool_FromLong(!shown->disposed && !is_ending);
}
PyObject* get_function(PyObject* object, void*) {
  PyObject* function = as_node(object)->function;
  return Py_NewRef(function != nullptr ? function : Py_None);
}

PyObject* effect_call(PyObject* object, PyObject*, PyObject*) {
  PyErr_Format(PyExc_TypeError,
               "%s is an effect: it runs by itself when what it read changes, and is not called",
               quoted_name(as_node(object)).c_str());
  return nullptr;
}

PyObject* effect_replace(PyObject* object, PyObject* const* args, Py_ssize_t count) {
  if (count != 2) return PyErr_SetString(PyExc_TypeError, "_replace(function, dirty)"), nullptr;
  NodeObject* self = as_node(object);
  const int dirty = PyObject_IsTrue(args[1]);
  if (dirty < 0) return nullptr;
  if (self->is_factory && !dirty) Py_RETURN_NONE;
  PyObject* old = Py_XNewRef(self->function);
  const int result = set_function(self, args[0]);
  if (result == 0 && dirty && self->node != nullptr && self->graph == Graph::current_fast()) {
    self->graph->schedule(static_cast<Computation*>(self->node));
  }
  Py_XDECREF(old);
  if (result < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* effect_repr(PyObject* object) {
  NodeObject* self = as_node(object);
  const std::string name = display_name(self);
  return PyUnicode_FromFormat("<Effect%s%s%s>", name.empty() ? "" : " ", name.c_str(),
                              shown_instance(self)->disposed ? ", disposed" : "");
}

PyGetSetDef effect_getset[] = {
    {"runs", &node_runs, nullptr, "How often the function ran.", nullptr},
    {"alive", &get_alive, nullptr, "False once it was disposed.", nullptr},
    {"name", &node_name, nullptr, "The name given, of the function, or assigned.", nullptr},
    {"__wrapped__", &get_function, nullptr, "The function.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMethodDef effect_methods[] = {
    {"dispose", &node_dispose, METH_NOARGS,
     "dispose()\n--\n\nRuns its cleanups; it never runs again."},
    {"_replace", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(&effect_replace)),
     METH_FASTCALL, nullptr},
    {"__reduce_ex__", &node_reduce, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr}};

// --- cleanups

PyObject* take_cleanup(CleanupNode* node) {
  NodeObject* parent = node->parent;
  if (parent != nullptr && parent->extra != nullptr) {
    auto& children = parent->extra->children;
    auto found = std::find_if(children.rbegin(), children.rend(),
                              [&](const Child& child) { return child.cleanup == node; });
    if (found != children.rend()) children.erase(std::next(found).base());
  }
  return std::exchange(node->function, nullptr);
}

void destroy_cleanup(Graph& graph, Node* base) noexcept {
  GilScope gil;
  if (!gil) return;
  SavedError saved;
  PyObject* function = take_cleanup(static_cast<CleanupNode*>(base));
  if (function == nullptr) return;
  const std::string* rendering = std::exchange(thread_face.rendering, nullptr);
  PyObject* result = PyObject_CallNoArgs(function);
  thread_face.rendering = rendering;
  if (result == nullptr) report_error(graph, take_raised(), "a cleanup", "");
  Py_XDECREF(result);
  Py_DECREF(function);
}

}  // namespace

NodeObject* new_effect_like(NodeObject* of_template) {
  NodeObject* self = new_node_object(types.effect, NodeKind::Effect);
  if (self == nullptr) return nullptr;
  self->user_phase = of_template->user_phase;
  self->is_factory = of_template->is_factory;
  if (of_template->extra != nullptr && of_template->extra->priority != 0) {
    extra_of(self).priority = of_template->extra->priority;
  }
  const std::string name = display_name(of_template);
  self->name = PyUnicode_FromString(name.c_str());
  PyObject* function = of_template->function;
  if (of_template->is_factory && of_template->extra != nullptr &&
      of_template->extra->equals != nullptr) {
    function = of_template->extra->equals;
  }
  if (set_function(self, function) < 0 || bind_to_root(self) < 0) {
    return Py_DECREF(as_object(self)), nullptr;
  }
  self->kept_by_graph = true;
  Py_INCREF(as_object(self));
  return self;
}

NodeObject* new_effect(PyObject* function, std::string_view name, bool user_phase) {
  NodeObject* self = new_node_object(types.effect, NodeKind::Effect);
  if (self == nullptr) return nullptr;
  self->user_phase = user_phase;
  self->function = Py_NewRef(function);
  self->name = PyUnicode_FromStringAndSize(name.data(), static_cast<Py_ssize_t>(name.size()));
  if (bind_to_root(self) < 0) return Py_DECREF(as_object(self)), nullptr;
  self->kept_by_graph = true;
  Py_INCREF(as_object(self));
  return self;
}

void start_effect(NodeObject* self) { self->graph->start(static_cast<Computation*>(self->node)); }

int add_cleanup(PyObject* function) {
  return guarded(-1, [&] {
    Graph& graph = Graph::current();
    auto* node = static_cast<CleanupNode*>(graph.create(types.cleanup_node, 0));
    node->function = Py_NewRef(function);
    node->parent = owning_computation(graph);
    if (node->parent != nullptr) add_child(node->parent, {function, node});
    return 0;
  });
}

void register_node_types() {
  using reactive::register_node_type;
  types.signal_node = register_node_type(
      {&update_signal, &destroy_node, sizeof(SignalNode), false, &describe_node});
  types.memo_node = register_node_type(
      {&update_memo, &destroy_node, sizeof(ComputationNode), true, &describe_node});
  types.native_memo_node = register_node_type(
      {&update_native_memo, &destroy_node, sizeof(ComputationNode), true, &describe_node});
  types.effect_node = register_node_type(
      {&update_effect, &destroy_node, sizeof(ComputationNode), true, &describe_node});
  types.cleanup_node = register_node_type({nullptr, &destroy_cleanup, sizeof(CleanupNode), false});
}

PyTypeObject* make_effect_type() {
  std::vector<PyType_Slot> slots;
  auto add = [&](int id, auto* content) {
    slots.push_back({id, reinterpret_cast<void*>(content)});
  };
  add(Py_tp_doc,
      const_cast<char*>("A function that runs when what it read changes; see lattice.effect."));
  add(Py_tp_new, &effect_new);
  add(Py_tp_call, &effect_call);
  add(Py_tp_dealloc, &node_dealloc);
  add(Py_tp_traverse, &node_traverse);
  add(Py_tp_clear, &node_clear);
  add(Py_tp_finalize, &node_finalize);
  add(Py_tp_repr, &effect_repr);
  add(Py_tp_members, &node_members[0]);
  add(Py_tp_getset, &effect_getset[0]);
  add(Py_tp_methods, &effect_methods[0]);
  slots.push_back({0, nullptr});
  PyType_Spec spec = {"lattice.Effect", sizeof(NodeObject), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
                      slots.data()};
  return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
}

}  // namespace lattice::python
