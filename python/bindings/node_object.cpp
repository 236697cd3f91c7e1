// SPDX-License-Identifier: MIT
// Life of the Python objects of signals, memos and effects: creation, disposal, collection, names.
#include "reactive_node.hpp"

#include <algorithm>
#include <cstddef>

#include "native_memo.hpp"

namespace lattice::python {

Types types;
PyObject* value_name = nullptr;
constinit thread_local ThreadFace thread_face;

// --- deferred references

void discard_later(PyObject* object) {
  ThreadFace& face = thread_face;
  if (face.trash == nullptr) face.trash = new std::vector<PyObject*>;
  face.trash->push_back(object);
  ++face.trash_count;
}

namespace {

void empty_trash_to(size_t count) noexcept {
  SavedError saved;
  ThreadFace& face = thread_face;
  while (face.trash_count > count) {
    PyObject* object = face.trash->back();
    face.trash->pop_back();
    --face.trash_count;
    Py_DECREF(object);
  }
}

// A memo keeps the one before it, as source and in its function's closure: the end of a chain would
// be a recursion as deep as the chain is long. Below a few levels references wait in the trash
// until the outermost deallocation is done with its own.
class Deallocation {
 public:
  Deallocation() noexcept : trash_before_(thread_face.trash_count) { ++thread_face.deallocations; }
  ~Deallocation() {
    if (thread_face.deallocations == 1 && thread_face.trash_count > trash_before_) {
      empty_trash_to(trash_before_);
    }
    --thread_face.deallocations;
  }
  Deallocation(const Deallocation&) = delete;
  Deallocation& operator=(const Deallocation&) = delete;

 private:
  size_t trash_before_;
};

void drop(PyObject* object) noexcept {
  constexpr uint32_t kNestedMax = 20;
  if (object == nullptr) return;
  if (thread_face.deallocations < kNestedMax || Py_REFCNT(object) > 1) {
    Py_DECREF(object);
  } else {
    discard_later(object);
  }
}

}  // namespace

void empty_trash() noexcept { empty_trash_to(0); }

// --- creation

NodeObject* new_node_object(PyTypeObject* type, NodeKind kind) {
  auto* self = as_node(type->tp_alloc(type, 0));
  if (self == nullptr) return nullptr;
  new (&self->held) std::vector<NodeObject*>();
  self->kind = kind;
  self->origin_offset = -1;
  return self;
}

Extra& extra_of(NodeObject* self) {
  if (self->extra == nullptr) self->extra = new Extra;
  return *self->extra;
}

namespace {

int set_equality(NodeObject* self, PyObject* equals) {
  if (equals == nullptr || equals == Py_None) return 0;
  if (PyUnicode_Check(equals)) {
    constexpr std::pair<const char*, Equality> kNamed[] = {{"auto", Equality::Auto},
                                                           {"is", Equality::Is},
                                                           {"==", Equality::Equal},
                                                           {"never", Equality::Never}};
    for (auto [text, equality] : kNamed) {
      if (PyUnicode_CompareWithASCIIString(equals, text) == 0) {
        self->equality = equality;
        return 0;
      }
    }
  } else if (PyCallable_Check(equals)) {
    self->equality = Equality::Function;
    extra_of(self).equals = Py_NewRef(equals);
    return 0;
  }
  PyErr_Format(PyExc_ValueError,
               "equals= is 'auto', 'is', '==', 'never' or a function of two values, not %R",
               equals);
  return -1;
}

int set_scope(NodeObject* self, PyObject* scope) {
  if (scope == nullptr || scope == Py_None) return 0;
  if (PyUnicode_Check(scope)) {
    self->app_scope = PyUnicode_CompareWithASCIIString(scope, "app") == 0;
    if (self->app_scope) extra_of(self);  // keeps it off the fast path
    if (self->app_scope || PyUnicode_CompareWithASCIIString(scope, "session") == 0) return 0;
  }
  PyErr_Format(PyExc_ValueError, "scope= is 'session' or 'app', not %R", scope);
  return -1;
}

}  // namespace

int set_options(NodeObject* self, PyObject* name, PyObject* equals, PyObject* scope) {
  if (name != nullptr && name != Py_None) {
    if (!PyUnicode_Check(name)) {
      PyErr_Format(PyExc_TypeError, "name= is a string, not %R", name);
      return -1;
    }
    self->name = Py_NewRef(name);
  }
  return set_equality(self, equals) < 0 || set_scope(self, scope) < 0 ? -1 : 0;
}

NodeObject* owning_computation(Graph& graph) noexcept {
  const Index owner = graph.owner();
  if (owner == 0) return nullptr;
  auto* node = reactive::at<Node>(owner);
  return is_python_computation(node) ? object_of(node) : nullptr;
}

int bind_here(NodeObject* self) {
  return guarded(-1, [&] {
    Graph& graph = Graph::current();
    SessionState::of(*static_cast<Runtime*>(graph.host)).sweep();
    Node* node = nullptr;
    switch (self->kind) {
      case NodeKind::Signal:
        node = graph.create(types.signal_node, reactive::kMutable);
        break;
      case NodeKind::Memo:
        node = graph.create(types.memo_node, reactive::kMutable | reactive::kDirty);
        if (self->keeps_sources) node->flags |= reactive::kUnwatched;
        break;
      case NodeKind::Effect:
        node = graph.create(types.effect_node, reactive::kWatching);
        node->subs = static_cast<uint32_t>(self->extra != nullptr ? self->extra->priority : 0);
        node->subs_tail = static_cast<uint32_t>(self->user_phase ? Phase::User : Phase::Render);
        break;
    }
    object_of(node) = self;
    self->node = node;
    self->graph = &graph;
    self->root_owned = graph.owner() == graph.root();
    return 0;
  });
}

int bind_to_root(NodeObject* self) {
  return guarded(-1, [&] {
    Graph& graph = Graph::current();
    const Index saved = graph.exchange_owner(graph.root());
    const int result = bind_here(self);
    graph.exchange_owner(saved);
    return result;
  });
}

void add_child(NodeObject* parent, Child child) { extra_of(parent).children.push_back(child); }

namespace {

// The children of an object that is going away are kept by the graph until their nodes end.
void give_children_to_graph(NodeObject* self) {
  if (self->extra == nullptr) return;
  for (Child& child : std::exchange(self->extra->children, {})) {
    if (child.cleanup != nullptr) {
      child.cleanup->parent = nullptr;
    } else {
      as_node(child.object)->parent = nullptr;
      as_node(child.object)->kept_by_graph = true;
    }
  }
}

// Takes the reference that keeps an effect: the graph's or its parent's. Null when it has none.
PyObject* take_keeper(NodeObject* self) noexcept {
  if (std::exchange(self->kept_by_graph, false)) return as_object(self);
  NodeObject* parent = std::exchange(self->parent, nullptr);
  if (parent == nullptr || parent->extra == nullptr) return nullptr;
  auto& children = parent->extra->children;
  auto found = std::find_if(children.rbegin(), children.rend(), [&](const Child& child) {
    return child.object == as_object(self) && child.cleanup == nullptr;
  });
  if (found == children.rend()) return nullptr;
  PyObject* reference = found->object;
  children.erase(std::next(found).base());
  return reference;
}

void drop_content(NodeObject* self, bool keep_function) {
  std::vector<NodeObject*> held = std::exchange(self->held, {});
  PyObject* pending = std::exchange(self->pending, nullptr);
  PyObject* value = nullptr;
  PyObject* function = nullptr;
  if (!keep_function || self->kind == NodeKind::Memo) value = std::exchange(self->value, nullptr);
  if (!keep_function) function = std::exchange(self->function, nullptr);
  Extra* extra = self->extra;
  PyObject* error = extra != nullptr ? std::exchange(extra->error, nullptr) : nullptr;
  PyObject* traceback = extra != nullptr ? std::exchange(extra->traceback, nullptr) : nullptr;
  for (NodeObject* source : held) drop(as_object(source));
  for (PyObject* object : {pending, value, function, error, traceback}) drop(object);
}

}  // namespace

// A memo that keeps its sources counts as waiting to be unlinked, so that it never is; at its end
// it is a memo like others.
void unwatch_as_others(const NodeObject* self, Node* node) noexcept {
  if (self->keeps_sources) node->flags &= static_cast<Flags>(~reactive::kUnwatched);
}

// Called by the graph when the node's owner ends, or the runtime, or by dispose_object.
void destroy_node(Graph& graph, Node* node) noexcept {
  GilScope gil;
  NodeObject* self = object_of(node);
  if (!gil || self == nullptr) return;
  SavedError saved;
  Py_INCREF(as_object(self));
  object_of(node) = nullptr;
  unwatch_as_others(self, node);
  auto* state = static_cast<SessionState*>(static_cast<Runtime*>(graph.host)->host);
  const bool is_default = state == nullptr || state->kind() == SessionState::Kind::Default;
  // Nodes of a thread that ends live on as templates.
  self->disposed = self->ending || !self->root_owned || !is_default;
  self->node = nullptr;
  self->graph = nullptr;
  if (self->kind == NodeKind::Signal && self->pending != nullptr && !self->disposed) {
    std::swap(self->value, self->pending);
  }
  if (self->extra != nullptr && self->extra->publication != nullptr) bridge_source_ended(self);
  PyObject* keeper = take_keeper(self);
  drop_content(self, !self->disposed);
  Py_XDECREF(keeper);
  Py_DECREF(as_object(self));
}

void dispose_object(NodeObject* self) {
  self->ending = true;
  Py_INCREF(as_object(self));
  if (self->registered) forget_template_effect(self);
  if (self->node == nullptr) {
    self->disposed = true;
    drop_content(self, false);
  } else if (self->graph == Graph::current_fast()) {
    self->graph->dispose(self->node);
  } else {
    // Of another thread, which does it when it gets to its mailbox.
    const reactive::NodeHandle handle = reactive::handle_of(self->node);
    static_cast<Runtime*>(self->graph->host)->mailbox().post([handle] {
      if (Node* node = reactive::node_of(handle)) reactive::graph_of(node)->dispose(node);
    });
  }
  Py_DECREF(as_object(self));
  settle_trash();
}

// --- collection

int node_traverse(PyObject* object, visitproc visit, void* arg) {
  NodeObject* self = as_node(object);
  Py_VISIT(Py_TYPE(object));
  Py_VISIT(self->value);
  Py_VISIT(self->pending);
  Py_VISIT(self->function);
  for (NodeObject* source : self->held) Py_VISIT(as_object(source));
  if (self->native != nullptr) {
    if (const int stop = traverse_native(self->native, visit, arg)) return stop;
  }
  if (self->extra == nullptr) return 0;
  Py_VISIT(self->extra->equals);
  Py_VISIT(self->extra->error);
  Py_VISIT(self->extra->traceback);
  for (const Child& child : self->extra->children) Py_VISIT(child.object);
  return traverse_app(*self->extra, visit, arg);
}

int node_clear(PyObject* object) {
  NodeObject* self = as_node(object);
  for (NodeObject* source : std::exchange(self->held, {})) drop(as_object(source));
  drop(std::exchange(self->value, nullptr));
  drop(std::exchange(self->pending, nullptr));
  drop(std::exchange(self->function, nullptr));
  if (self->native != nullptr) clear_native(self->native);
  if (self->extra == nullptr) return 0;
  Py_CLEAR(self->extra->equals);
  Py_CLEAR(self->extra->error);
  Py_CLEAR(self->extra->traceback);
  give_children_to_graph(self);
  clear_app(*self->extra);
  return 0;
}

// Runs before an unreachable cycle is cleared, and before a deallocation when there is a reason:
// cleanups run while everything is whole, and a memo that C++ still subscribes to stays.
void node_finalize(PyObject* object) {
  NodeObject* self = as_node(object);
  if (self->node == nullptr || self->graph != Graph::current_fast()) return;
  SavedError saved;
  if (self->kind == NodeKind::Memo && self->node->subs != 0) {
    // Subscribers of Python hold their sources: these are garbage too, or there are none.
    for (Index index = self->node->subs; index != 0;) {
      Link* link = reactive::at<Link>(index);
      if (!is_python_computation(reactive::at<Node>(link->sub))) {
        SessionState::of(*static_cast<Runtime*>(self->graph->host)).keep_orphan(self);
        return;
      }
      index = link->next_sub;
    }
  }
  if (self->extra != nullptr && !self->extra->children.empty()) self->graph->dispose(self->node);
}

namespace {

void leave_graph(NodeObject* self) {
  Node* node = std::exchange(self->node, nullptr);
  Graph* graph = std::exchange(self->graph, nullptr);
  if (node == nullptr) return;
  give_children_to_graph(self);
  object_of(node) = nullptr;
  unwatch_as_others(self, node);
  if (graph == Graph::current_fast()) {
    SavedError saved;
    graph->dispose(node);
    return;
  }
  if (void* state = static_cast<Runtime*>(graph->host)->host) {
    static_cast<SessionState*>(state)->release(reactive::handle_of(node));
  }
}

}  // namespace

void node_dealloc(PyObject* object) {
  Deallocation deallocation;
  NodeObject* self = as_node(object);
  const bool has_children = self->extra != nullptr && !self->extra->children.empty();
  if (self->node != nullptr && (has_children || self->kind == NodeKind::Memo)) {
    const bool must_finalize = has_children || self->node->subs != 0;
    if (must_finalize && PyObject_CallFinalizerFromDealloc(object) < 0) return;
  }
  PyObject_GC_UnTrack(object);
  if (self->weakrefs != nullptr) PyObject_ClearWeakRefs(object);
  if (self->registered) forget_template_effect(self);
  leave_graph(self);
  node_clear(object);
  Py_CLEAR(self->name);
  Py_CLEAR(self->origin);
  delete self->extra;
  if (self->native != nullptr) delete_native(self->native);
  self->held.~vector();
  PyTypeObject* type = Py_TYPE(object);
  type->tp_free(object);
  Py_DECREF(type);
}

// --- sources of a computation

void hold(Computation* sub, NodeObject* dep) {
  if (!is_python_computation(sub)) return;
  NodeObject* reader = object_of(sub);
  if (reader == nullptr) return;
  reader->held_stale = true;
  reader->held.push_back(as_node(Py_NewRef(as_object(dep))));
}

void refresh_held(NodeObject* self, Graph& graph, Computation* node) {
  self->held_stale = false;
  std::vector<NodeObject*> held;
  const Index last = graph.last_link();
  for (Index index = last != 0 ? node->deps : 0; index != 0;) {
    Link* link = reactive::at<Link>(index);
    Node* dep = reactive::at<Node>(link->dep);
    if (dep->type == types.signal_node || dep->type == types.memo_node ||
        dep->type == types.native_memo_node) {
      if (NodeObject* source = object_of(dep);
          source != nullptr && !(dep->flags & reactive::kDisposed)) {
        held.push_back(as_node(Py_NewRef(as_object(source))));
      }
    }
    index = index == last ? 0 : link->next_dep;
  }
  std::swap(held, self->held);
  for (NodeObject* source : held) discard(as_object(source));
}

// --- names

bool is_package_file(PyObject* filename) {
  static const std::string package = [] {
    std::string path;
    if (PyObject* module = PyImport_ImportModule("lattice._state")) {
      if (PyObject* file = PyObject_GetAttrString(module, "__file__")) {
        if (const char* text = PyUnicode_AsUTF8(file)) path = text;
        Py_DECREF(file);
      }
      Py_DECREF(module);
    }
    PyErr_Clear();
    const size_t slash = path.rfind('/');
    return slash == std::string::npos ? std::string("<lattice>") : path.substr(0, slash + 1);
  }();
  const char* text = PyUnicode_AsUTF8(filename);
  if (text == nullptr) PyErr_Clear();
  return text != nullptr && std::string_view(text).starts_with(package);
}

namespace {

// Whether it is code of the package. Remembers the user's file that asked last.
bool is_package_code(const PyCodeObject* code) {
  static PyObject* user_file = nullptr;
  if (code->co_filename == user_file) return false;
  if (is_package_file(code->co_filename)) return true;
  Py_XSETREF(user_file, Py_NewRef(code->co_filename));
  return false;
}

// The innermost frame outside the package, new reference; null when there is none.
PyFrameObject* user_frame() {
  PyFrameObject* frame = PyThreadState_GetFrame(PyThreadState_Get());
  while (frame != nullptr) {
    PyCodeObject* code = PyFrame_GetCode(frame);
    const bool is_package = is_package_code(code);
    Py_DECREF(code);
    if (!is_package) return frame;
    PyFrameObject* back = PyFrame_GetBack(frame);
    Py_DECREF(frame);
    frame = back;
  }
  return nullptr;
}

std::string text_of(PyObject* string) {
  const char* text =
      string != nullptr && PyUnicode_Check(string) ? PyUnicode_AsUTF8(string) : nullptr;
  if (text == nullptr) PyErr_Clear();
  return text != nullptr ? text : "";
}

std::string function_name(PyObject* function) {
  if (function == nullptr) return "";
  PyObject* name = PyObject_GetAttrString(function, "__name__");
  if (name == nullptr) PyErr_Clear();
  std::string text = text_of(name);
  Py_XDECREF(name);
  return text == "<lambda>" ? "" : text;
}

// What the result of the creating call was assigned to, found in its bytecode.
std::string assigned_name(NodeObject* self) {
  if (self->origin == nullptr) return "";
  std::string text;
  PyObject* module = PyImport_ImportModule("lattice._state");
  PyObject* name = module != nullptr ? PyObject_CallMethod(module, "name_at", "Oi", self->origin,
                                                           static_cast<int>(self->origin_offset))
                                     : nullptr;
  if (name != nullptr) text = text_of(name);
  PyErr_Clear();
  Py_XDECREF(name);
  Py_XDECREF(module);
  return text;
}

}  // namespace

void remember_origin(NodeObject* self) {
  PyFrameObject* frame = user_frame();
  if (frame == nullptr) return;
  self->origin = reinterpret_cast<PyObject*>(PyFrame_GetCode(frame));
  self->origin_offset = PyFrame_GetLasti(frame);
  Py_DECREF(frame);
}

NodeObject* shown_instance(NodeObject* self) {
  SessionState* state = SessionState::current();
  NodeObject* instance = state != nullptr ? state->find_instance(self) : nullptr;
  return instance != nullptr ? instance : self;
}

std::string display_name(NodeObject* self) {
  SavedError saved;
  if (self->name == nullptr) {
    std::string name = function_name(self->function);
    if (name.empty()) name = assigned_name(self);
    self->name = PyUnicode_FromStringAndSize(name.data(), static_cast<Py_ssize_t>(name.size()));
    PyErr_Clear();
  }
  return text_of(self->name);
}

std::string quoted_name(NodeObject* self) {
  static constexpr const char* kNames[] = {"this signal", "this memo", "this effect"};
  std::string name = display_name(self);
  return name.empty() ? kNames[static_cast<size_t>(self->kind)] : "'" + name + "'";
}

std::string made_at(NodeObject* self) {
  if (self->origin == nullptr) return "";
  auto* code = reinterpret_cast<PyCodeObject*>(self->origin);
  const std::string file = text_of(code->co_filename);
  return file.substr(file.rfind('/') + 1) + ":" +
         std::to_string(PyCode_Addr2Line(code, self->origin_offset));
}

PyObject* raise_ended(NodeObject* self) {
  std::string message = quoted_name(self) + " was disposed and cannot be used any more";
  const std::string made = made_at(self), used = user_place().where;
  if (!made.empty()) message += ": made at " + made + ", used at " + used;
  return raise_error(disposed_error, message +
                                         ". The scope, component or session that made it has "
                                         "ended, or its dispose() was called.");
}

UserPlace user_place() {
  UserPlace place{"?", ""};
  PyFrameObject* frame = user_frame();
  if (frame == nullptr) return place;
  PyCodeObject* code = PyFrame_GetCode(frame);
  std::string file = text_of(code->co_filename);
  place.where =
      file.substr(file.rfind('/') + 1) + ":" + std::to_string(PyFrame_GetLineNumber(frame));
  place.function = text_of(code->co_name);
  Py_DECREF(code);
  Py_DECREF(frame);
  return place;
}

// --- what the types have in common

PyMemberDef node_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(NodeObject, weakrefs), READONLY, nullptr},
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(NodeObject, vectorcall), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

PyObject* node_class_getitem(PyObject* type, PyObject* item) { return Py_GenericAlias(type, item); }

PyObject* node_dispose(PyObject* object, PyObject*) {
  NodeObject* self = as_node(object);
  if (!self->disposed) {
    NodeObject* target = self;
    // A served app's effect ends in this session only; the template stays for the others.
    if (is_served_here() && self->kind == NodeKind::Effect) target = shown_instance(self);
    dispose_object(target);
  }
  Py_RETURN_NONE;
}

PyObject* node_name(PyObject* object, void*) {
  return PyUnicode_FromString(display_name(as_node(object)).c_str());
}

PyObject* node_runs(PyObject* object, void*) {
  return PyLong_FromUnsignedLong(shown_instance(as_node(object))->runs);
}

PyObject* repr_with_value(PyObject* object, const char* type, PyObject* value) {
  const int recursive = Py_ReprEnter(object);
  if (recursive != 0) return recursive > 0 ? PyUnicode_FromFormat("<%s ...>", type) : nullptr;
  PyObject* kept = Py_NewRef(value);
  const std::string name = display_name(as_node(object));
  reactive::UntrackedGuard untracked(*Graph::current_fast());
  PyObject* text = name.empty() ? PyUnicode_FromFormat("<%s %R>", type, kept)
                                : PyUnicode_FromFormat("<%s %s=%R>", type, name.c_str(), kept);
  Py_DECREF(kept);
  Py_ReprLeave(object);
  return text;
}

PyObject* node_reduce(PyObject* object, PyObject*) {
  NodeObject* self = as_node(object);
  static constexpr const char* kTypes[] = {"a Signal", "a Memo", "an Effect"};
  std::string message = quoted_name(self) + " is " + kTypes[static_cast<size_t>(self->kind)] +
                        ": it belongs to its runtime and is neither copied nor pickled";
  if (self->kind != NodeKind::Effect) {
    const std::string name = display_name(self);
    message += "; copy its value, " + (name.empty() ? "" : name) + ".value";
  }
  return raise_error(PyExc_TypeError, message);
}

namespace {

// "'count' is a Signal; write count.value"
PyObject* refuse(PyObject* object) {
  NodeObject* self = as_node(object);
  const char* type = self->kind == NodeKind::Signal ? "Signal" : "Memo";
  const std::string name = display_name(self);
  PyErr_Format(PyExc_TypeError, "%s is a %s; write %s.value", quoted_name(self).c_str(), type,
               name.empty() ? "" : name.c_str());
  return nullptr;
}

PyObject* refuse_unary(PyObject* object) { return refuse(object); }
Py_hash_t hash_identity(PyObject* object) {
  const auto address = reinterpret_cast<uintptr_t>(object);
  return static_cast<Py_hash_t>((address >> 4) | (address << 60));
}
int refuse_int(PyObject* object) { return refuse(object), -1; }
Py_ssize_t refuse_size(PyObject* object) { return refuse(object), -1; }
int refuse_contains(PyObject* object, PyObject*) { return refuse(object), -1; }
PyObject* refuse_subscript(PyObject* object, PyObject*) { return refuse(object); }
PyObject* refuse_binary(PyObject* a, PyObject* b) { return refuse(is_readable(a) ? a : b); }
PyObject* refuse_power(PyObject* a, PyObject* b, PyObject*) { return refuse_binary(a, b); }

// A signal is equal to itself only; it may be a key of a dict.
PyObject* compare(PyObject* a, PyObject* b, int operation) {
  if (operation == Py_EQ) return PyBool_FromLong(a == b);
  if (operation == Py_NE) return PyBool_FromLong(a != b);
  return refuse_binary(a, b);
}

template <class Function>
PyType_Slot slot(int id, Function* function) {
  return {id, reinterpret_cast<void*>(function)};
}

}  // namespace

PyObject* node_format(PyObject* object, PyObject*) { return refuse(object); }

std::vector<PyType_Slot> refusing_slots() {
  std::vector<PyType_Slot> slots = {
      slot(Py_nb_bool, &refuse_int),
      slot(Py_sq_length, &refuse_size),
      slot(Py_tp_iter, &refuse_unary),
      slot(Py_sq_contains, &refuse_contains),
      slot(Py_tp_richcompare, &compare),
      slot(Py_tp_hash, &hash_identity),
      slot(Py_mp_subscript, &refuse_subscript),
      slot(Py_nb_power, &refuse_power),
      slot(Py_nb_inplace_power, &refuse_power),
  };
  for (int id : {Py_nb_int, Py_nb_float, Py_nb_index, Py_nb_negative, Py_nb_positive,
                 Py_nb_absolute, Py_nb_invert}) {
    slots.push_back(slot(id, &refuse_unary));
  }
  for (int id : {Py_nb_add,
                 Py_nb_subtract,
                 Py_nb_multiply,
                 Py_nb_remainder,
                 Py_nb_divmod,
                 Py_nb_lshift,
                 Py_nb_rshift,
                 Py_nb_and,
                 Py_nb_xor,
                 Py_nb_or,
                 Py_nb_floor_divide,
                 Py_nb_true_divide,
                 Py_nb_matrix_multiply,
                 Py_nb_inplace_add,
                 Py_nb_inplace_subtract,
                 Py_nb_inplace_multiply,
                 Py_nb_inplace_remainder,
                 Py_nb_inplace_lshift,
                 Py_nb_inplace_rshift,
                 Py_nb_inplace_and,
                 Py_nb_inplace_xor,
                 Py_nb_inplace_or,
                 Py_nb_inplace_floor_divide,
                 Py_nb_inplace_true_divide,
                 Py_nb_inplace_matrix_multiply}) {
    slots.push_back(slot(id, &refuse_binary));
  }
  return slots;
}

}  // namespace lattice::python
