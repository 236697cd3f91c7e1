// SPDX-License-Identifier: MIT
// lattice.Signal: a value that is written, and read with tracking.
//
// `.value` is answered by tp_getattro for the interned name itself, before any descriptor lookup;
// it costs a type slot call, two compares and a reference count. A write while nothing runs commits
// at once; inside a batch or a run it waits in `pending` until somebody pulls, so that writing a
// value and writing the old one back is no change.
#include "native_memo.hpp"
#include "reactive_node.hpp"

namespace lattice::python {

// The newest value written by other threads; later writes replace it while it waits in the mailbox.
struct MailSlot {
  PyObject* value;
  explicit MailSlot(PyObject* first) noexcept : value(Py_NewRef(first)) {}
  ~MailSlot() {
    if (GilScope gil; gil) Py_DECREF(value);
  }
  MailSlot(const MailSlot&) = delete;
  MailSlot& operator=(const MailSlot&) = delete;
};

namespace {

Runtime& runtime_of(NodeObject* self) { return *static_cast<Runtime*>(self->graph->host); }

// --- other threads

void apply_mail(NodeObject* self, const std::shared_ptr<MailSlot>& slot) {
  Extra& extra = extra_of(self);
  if (extra.mail == slot) extra.mail = nullptr;
  if (self->node == nullptr || self->graph != Graph::current_fast()) return;
  if (write_node(self, slot->value) < 0)
    report_error(*self->graph, take_raised(), "a write from another thread", "");
}

int post_write(NodeObject* self, PyObject* value) {
  Extra& extra = extra_of(self);
  if (extra.mail != nullptr) {
    Py_SETREF(extra.mail->value, Py_NewRef(value));
    return 0;
  }
  auto slot = extra.mail = std::make_shared<MailSlot>(value);
  runtime_of(self).mailbox().post([target = SharedRef(self), slot] {
    GilScope gil;
    apply_mail(as_node(target.get()), slot);
  });
  return 0;
}

int update_node(NodeObject* self, PyObject* function);

int post_update(NodeObject* self, PyObject* function) {
  extra_of(self).mail = nullptr;  // later writes come after this update
  runtime_of(self).mailbox().post([target = SharedRef(self), body = SharedRef(function)] {
    GilScope gil;
    NodeObject* node = as_node(target.get());
    if (node->node == nullptr || node->graph != Graph::current_fast()) return;
    if (update_node(node, body.get()) < 0) {
      report_error(*node->graph, take_raised(), "an update from another thread", "");
    }
  });
  return 0;
}

// --- writes here

}  // namespace

int refuse_write_while_rendering(NodeObject* self) {
  const UserPlace place = user_place();
  const std::string& component = *thread_face.rendering;
  std::string message = "LT102: " + place.where + ": " + quoted_name(self) + " is written while '" +
                        component + "' renders. ";
  const bool is_called =
      !place.function.empty() && place.function[0] != '<' && place.function != component;
  if (is_called) {
    message +=
        "Did you mean on_click=" + place.function + ", not on_click=" + place.function + "()? ";
  }
  raise_error(lattice_error, message +
                                 "A body only describes the page: write from a handler, an "
                                 "effect or a task.");
  return -1;
}

namespace {

void replace_value(NodeObject* self, PyObject* value) {
  PyObject* old = std::exchange(self->value, Py_NewRef(value));
  discard(old);
}

int commit_now(NodeObject* self, Graph& graph, PyObject* value) {
  PyObject* old = std::exchange(self->value, Py_NewRef(value));
  const int result = guarded(-1, [&] {
    graph.changed(self->node);
    return 0;
  });
  Py_DECREF(old);
  settle_trash();
  return result;
}

int write_later(NodeObject* self, Graph& graph, PyObject* value) {
  PyObject* old = std::exchange(self->pending, Py_NewRef(value));
  self->node->flags |= reactive::kDirty;
  graph.changed_later(self->node);
  Py_XDECREF(old);
  return 0;
}

int update_node(NodeObject* self, PyObject* function) {
  if (self->extra != nullptr && self->extra->mirror != nullptr) {
    PyObject* result = mirror_update(self, function);
    Py_XDECREF(result);
    return result != nullptr ? 0 : -1;
  }
  PyObject* before = Py_NewRef(signal_latest(self));
  PyObject* after = nullptr;
  {
    reactive::UntrackedGuard guard(*self->graph);
    after = PyObject_CallOneArg(function, before);
  }
  Py_DECREF(before);
  if (is_coroutine(after)) [[unlikely]]
    after = refuse_coroutine(after, function, "await first, then update");
  if (after == nullptr) return -1;
  const int result = write_node(self, after);
  Py_DECREF(after);
  return result;
}

}  // namespace

static bool is_published(const NodeObject* self) noexcept {
  return self->extra != nullptr && self->extra->publication != nullptr;
}

PyObject* signal_latest(NodeObject* self) noexcept {
  return self->pending != nullptr ? self->pending : self->value;
}

int signal_write_here(NodeObject* self, Graph& graph, PyObject* value) {
  if (thread_face.rendering != nullptr) [[unlikely]]
    return refuse_write_while_rendering(self);
  PyObject* latest = signal_latest(self);
  if (is_plainly_same(self, latest, value)) return 0;
  const int change = is_change(self, latest, value);
  if (change <= 0) return change;
  if (self->node == nullptr) return raise_ended(self), -1;  // an equality function disposed it
  int result = 0;
  if (self->pending == nullptr && self->node->subs == 0) {
    replace_value(self, value);
    settle_trash();
  } else if (self->pending == nullptr && graph.idle()) {
    result = commit_now(self, graph, value);
  } else {
    result = write_later(self, graph, value);
  }
  if (is_published(self)) publish(self);
  return result;
}

int signal_mutated_here(NodeObject* self, Graph& graph) {
  if (self->node == nullptr) return raise_ended(self), -1;
  if (self->node->subs == 0) {
    if (is_published(self)) publish_mutation(self);
    return 0;
  }
  PyObject* value = Py_NewRef(signal_latest(self));
  int result = 0;
  if (self->pending == nullptr && graph.idle()) {
    result = commit_now(self, graph, value);
  } else {
    self->is_mutated = true;
    result = write_later(self, graph, value);
  }
  Py_DECREF(value);
  if (is_published(self)) publish_mutation(self);
  return result;
}

int write_node(NodeObject* self, PyObject* value) {
  Graph* graph = Graph::current_fast();
  if (self->graph == graph && self->extra == nullptr) [[likely]]
    return signal_write_here(self, *graph, value);
  const Resolved resolved = resolve_node(self);
  switch (resolved.place) {
    case Place::Here:
      graph = Graph::current_fast();
      if (resolved.object->extra != nullptr && resolved.object->extra->mirror != nullptr) {
        return mirror_write(resolved.object, *graph, value);
      }
      return signal_write_here(resolved.object, *graph, value);
    case Place::Foreign:
      return post_write(resolved.object, value);
    case Place::App:
      return app_write(self, value);
    case Place::Error:
      break;
  }
  return -1;
}

// Commits what was written while something ran. Returns whether readers see another value.
bool update_signal(Graph& graph, Node* node) noexcept {
  NodeObject* self = object_of(node);
  node->flags &= static_cast<Flags>(~reactive::kDirty);
  if (self == nullptr || self->pending == nullptr) return false;
  Py_INCREF(as_object(self));
  PyObject* value = std::exchange(self->pending, nullptr);
  int change = std::exchange(self->is_mutated, false) ? 1 : is_change(self, self->value, value);
  if (change < 0) {
    report_error(graph, take_raised(), "the equality function of " + quoted_name(self), "");
    change = 1;
  }
  if (self->node != node) change = 0;  // disposed meanwhile
  discard(change != 0 ? std::exchange(self->value, value) : value);
  discard(as_object(self));
  return change != 0;
}

PyObject* signal_read_here(NodeObject* self, Graph& graph, bool tracked) {
  // Who subscribes to a value must see it committed; others do not settle what may be written back.
  if (self->pending != nullptr && tracked && graph.tracking()) [[unlikely]] {
    const bool is_changed = update_signal(graph, self->node);
    if (self->node == nullptr) return raise_ended(self);  // an equality function disposed it
    if (is_changed) graph.promote(self->node);
  }
  if (tracked && graph.tracking()) {
    const int failed = guarded(-1, [&] {
      track(graph, self);
      return 0;
    });
    if (failed) return nullptr;
  }
  if (self->extra != nullptr && self->extra->mirror != nullptr) [[unlikely]] {
    if (tracked) note_mirror_read(self, graph);
    if (PyObject* error = mirror_error(self)) {
      raise_copy(error, nullptr);
      return nullptr;
    }
  }
  return Py_NewRef(signal_latest(self));
}

PyObject* read_node(NodeObject* self, bool tracked) {
  const Resolved resolved = resolve_node(self);
  Graph& graph = *Graph::current_fast();
  NodeObject* object = resolved.object;
  switch (resolved.place) {
    case Place::Here:
      return object->kind == NodeKind::Signal ? signal_read_here(object, graph, tracked)
                                              : memo_read_here(object, graph, tracked);
    case Place::Foreign:
      if (tracked && graph.observer() != 0) return bridge_read(object, graph);
      if (object->kind == NodeKind::Signal) return Py_NewRef(signal_latest(object));
      if (!reactive::needs_clean(object->node) && !(object->node->flags & reactive::kError) &&
          boxed_value(object) != nullptr) {
        return Py_NewRef(object->value);
      }
      return raise_error(access_error,
                         quoted_name(object) +
                             " is a memo of another thread's session and not up to date; only that "
                             "session can compute it. Wrap the function that runs on this thread: "
                             "lt.in_session(fn), read the memo in an effect or memo here, which "
                             "will follow it, or before you start the thread.");
    case Place::App:
      return app_peek(self);
    case Place::Error:
      break;
  }
  return nullptr;
}

// --- the type

namespace {

inline PyObject* read_value(NodeObject* self) {
  Graph* graph = Graph::current_fast();
  if (self->graph == graph && self->pending == nullptr && self->extra == nullptr) [[likely]] {
    if (graph->tracking()) {
      const bool tracked = guarded(false, [&] {
        track(*graph, self);
        return true;
      });
      if (!tracked) return nullptr;
    }
    return Py_NewRef(self->value);
  }
  return read_node(self, true);
}

PyObject* signal_getattro(PyObject* object, PyObject* name) {
  if (name == value_name) [[likely]]
    return read_value(as_node(object));
  return PyObject_GenericGetAttr(object, name);
}

int refuse_delete(PyObject* object) {
  PyErr_Format(PyExc_AttributeError, "the value of %s cannot be deleted",
               quoted_name(as_node(object)).c_str());
  return -1;
}

// write_node for most writes: a number here, outside a batch or run. The old value is a number too,
// whose end runs nothing.
inline int write_value(NodeObject* self, PyObject* value) {
  Graph* graph = Graph::current_fast();
  const bool is_plain = self->graph == graph && self->extra == nullptr &&
                        self->pending == nullptr && self->equality == Equality::Auto &&
                        thread_face.rendering == nullptr;
  if (!is_plain) [[unlikely]]
    return write_node(self, value);
  PyObject* old = self->value;
  const int change = number_change(old, value);
  if (change <= 0) return change == 0 ? 0 : signal_write_here(self, *graph, value);
  Node* node = self->node;
  if (node->subs == 0) {
    self->value = Py_NewRef(value);
    Py_DECREF(old);
    return 0;
  }
  if (!graph->idle()) [[unlikely]]
    return write_later(self, *graph, value);
  self->value = Py_NewRef(value);
  Py_DECREF(old);
  const int result = guarded(-1, [&] {
    graph->changed(node);
    return 0;
  });
  settle_trash();
  return result;
}

int signal_setattro(PyObject* object, PyObject* name, PyObject* value) {
  if (name == value_name && value != nullptr) [[likely]]
    return write_value(as_node(object), value);
  return PyObject_GenericSetAttr(object, name, value);
}

PyObject* get_value(PyObject* object, void*) { return read_value(as_node(object)); }
int set_value(PyObject* object, PyObject* value, void*) {
  return value != nullptr ? write_node(as_node(object), value) : refuse_delete(object);
}

PyObject* signal_peek(PyObject* object, PyObject*) { return read_node(as_node(object), false); }

PyObject* signal_update(PyObject* object, PyObject* function) {
  NodeObject* self = as_node(object);
  if (!PyCallable_Check(function)) {
    PyErr_Format(PyExc_TypeError, "update() takes a function of the value, not %R", function);
    return nullptr;
  }
  const Resolved resolved = resolve_node(self);
  int result = -1;
  switch (resolved.place) {
    case Place::Here:
      result = update_node(resolved.object, function);
      break;
    case Place::Foreign:
      result = post_update(resolved.object, function);
      break;
    case Place::App: {
      PyObject* value = app_update(self, function);
      Py_XDECREF(value);
      result = value != nullptr ? 0 : -1;
      break;
    }
    case Place::Error:
      break;
  }
  if (result < 0) return nullptr;
  Py_RETURN_NONE;
}

// --- mutate()

struct Mutation {
  PyObject ob_base;
  NodeObject* signal;   // as the user has it
  NodeObject* entered;  // the session's own, inside the block
};

Mutation* as_mutation(PyObject* object) { return reinterpret_cast<Mutation*>(object); }

PyObject* signal_mutate(PyObject* object, PyObject*) {
  auto* mutation = as_mutation(types.mutation->tp_alloc(types.mutation, 0));
  if (mutation != nullptr) mutation->signal = as_node(Py_NewRef(object));
  return reinterpret_cast<PyObject*>(mutation);
}

PyObject* mutation_enter(PyObject* object, PyObject*) {
  Mutation* self = as_mutation(object);
  if (self->entered != nullptr) {
    return raise_error(lattice_error, "this mutate() is in use already; call mutate() again");
  }
  const Resolved resolved = resolve_node(self->signal);
  if (resolved.place == Place::Error) return nullptr;
  NodeObject* signal = resolved.object;
  if (resolved.place == Place::Foreign) {
    return raise_error(access_error,
                       quoted_name(signal) +
                           " belongs to another thread's session, which may be reading its value; "
                           "wrap the function that runs on this thread: lt.in_session(fn)");
  }
  if (resolved.place == Place::App || signal->app_scope || self->signal->app_scope) {
    return raise_error(access_error,
                       quoted_name(self->signal) +
                           " is shared by the app (scope=\"app\"): sessions on other threads read "
                           "its value while you would change it. Write a new one: "
                           ".update(lambda old: ...)");
  }
  if (thread_face.rendering != nullptr) return refuse_write_while_rendering(signal), nullptr;
  self->entered = as_node(Py_NewRef(as_object(signal)));
  return Py_NewRef(signal_latest(signal));
}

PyObject* mutation_exit(PyObject* object, PyObject*) {
  NodeObject* signal = std::exchange(as_mutation(object)->entered, nullptr);
  if (signal == nullptr) Py_RETURN_NONE;
  int result = 0;
  if (signal->graph == Graph::current_fast()) result = signal_mutated_here(signal, *signal->graph);
  Py_DECREF(as_object(signal));
  if (result < 0) return nullptr;
  Py_RETURN_NONE;
}

int mutation_traverse(PyObject* object, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(object));
  if (NodeObject* signal = as_mutation(object)->signal) Py_VISIT(as_object(signal));
  if (NodeObject* signal = as_mutation(object)->entered) Py_VISIT(as_object(signal));
  return 0;
}

int mutation_clear(PyObject* object) {
  Mutation* self = as_mutation(object);
  for (NodeObject* signal :
       {std::exchange(self->signal, nullptr), std::exchange(self->entered, nullptr)}) {
    if (signal != nullptr) Py_DECREF(as_object(signal));
  }
  return 0;
}

void mutation_dealloc(PyObject* object) {
  PyObject_GC_UnTrack(object);
  mutation_clear(object);
  PyTypeObject* type = Py_TYPE(object);
  type->tp_free(object);
  Py_DECREF(type);
}

PyMethodDef mutation_methods[] = {{"__enter__", &mutation_enter, METH_NOARGS, nullptr},
                                  {"__exit__", &mutation_exit, METH_VARARGS, nullptr},
                                  {nullptr, nullptr, 0, nullptr}};

PyObject* signal_repr(PyObject* object) {
  NodeObject* self = as_node(object);
  PyObject* value = signal_latest(shown_instance(self));
  if (value == nullptr)
    return PyUnicode_FromFormat("<Signal %s, disposed>", quoted_name(self).c_str());
  return repr_with_value(object, "Signal", value);
}

PyObject* signal_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"initial", "name", "equals", "scope", nullptr};
  PyObject *initial = nullptr, *name = nullptr, *equals = nullptr, *scope = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$OOO", const_cast<char**>(names), &initial,
                                   &name, &equals, &scope)) {
    return nullptr;
  }
  NodeObject* self = new_signal_object(initial);
  if (self == nullptr) return nullptr;
  if (set_options(self, name, equals, scope) < 0) return Py_DECREF(as_object(self)), nullptr;
  remember_origin(self);
  // Shared state has no place in a session's runtime.
  const bool is_unbound = self->app_scope && is_served_here();
  if (!is_unbound && bind_here(self) < 0) return Py_DECREF(as_object(self)), nullptr;
  return as_object(self);
}

PyGetSetDef signal_getset[] = {
    {"value", &get_value, &set_value,
     "The value. Reading it in a memo, effect or component subscribes; writing it notifies.",
     nullptr},
    {"name", &node_name, nullptr, "The name given or assigned, for messages.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMethodDef signal_methods[] = {
    {"peek", &signal_peek, METH_NOARGS, "peek()\n--\n\nThe value, without subscribing."},
    {"update", &signal_update, METH_O,
     "update(function, /)\n--\n\nSets the value to function(value); the read does not subscribe."},
    {"mutate", &signal_mutate, METH_NOARGS,
     "mutate()\n--\n\nA context manager that gives the value to be changed in place, and tells "
     "readers once\nat its end."},
    {"dispose", &node_dispose, METH_NOARGS,
     "dispose()\n--\n\nEnds it; later use raises DisposedError."},
    {"__format__", &node_format, METH_O, nullptr},
    {"__reduce_ex__", &node_reduce, METH_O, nullptr},
    {"__class_getitem__", &node_class_getitem, METH_O | METH_CLASS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

NodeObject* new_signal_object(PyObject* value) {
  NodeObject* self = new_node_object(types.signal, NodeKind::Signal);
  if (self != nullptr) self->value = Py_NewRef(value);
  return self;
}

PyTypeObject* make_mutation_type() {
  PyType_Slot slots[] = {{Py_tp_doc, const_cast<char*>("The block of Signal.mutate().")},
                         {Py_tp_dealloc, reinterpret_cast<void*>(&mutation_dealloc)},
                         {Py_tp_traverse, reinterpret_cast<void*>(&mutation_traverse)},
                         {Py_tp_clear, reinterpret_cast<void*>(&mutation_clear)},
                         {Py_tp_methods, &mutation_methods[0]},
                         {0, nullptr}};
  PyType_Spec spec = {"lattice._core.Mutation", sizeof(Mutation), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
                          Py_TPFLAGS_DISALLOW_INSTANTIATION,
                      slots};
  return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
}

PyTypeObject* make_signal_type() {
  std::vector<PyType_Slot> slots = refusing_slots();
  auto add = [&](int id, auto* content) {
    slots.push_back({id, reinterpret_cast<void*>(content)});
  };
  add(Py_tp_doc,
      const_cast<char*>("A value that tells its readers when it changes; see lattice.signal."));
  add(Py_tp_new, &signal_new);
  add(Py_tp_dealloc, &node_dealloc);
  add(Py_tp_traverse, &node_traverse);
  add(Py_tp_clear, &node_clear);
  add(Py_tp_finalize, &node_finalize);
  add(Py_tp_getattro, &signal_getattro);
  add(Py_tp_setattro, &signal_setattro);
  add(Py_tp_repr, &signal_repr);
  add(Py_tp_members, &node_members[0]);
  add(Py_tp_getset, &signal_getset[0]);
  add(Py_tp_methods, &signal_methods[0]);
  slots.push_back({0, nullptr});
  PyType_Spec spec = {"lattice.Signal", sizeof(NodeObject), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
                      slots.data()};
  return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
}

}  // namespace lattice::python
