// SPDX-License-Identifier: MIT
// The Python objects of signals, memos and effects, as the files that implement them see them.
//
// One NodeObject per lattice.Signal, Memo or Effect. The value and the function live in the object,
// where Python's collector sees them; the graph's node holds a pointer back, so reading needs one
// compare (does my graph equal the current one?) and no look into the arena.
//
//   who keeps whom          subscriber object --held--> source objects     (strong, visited by gc)
//                           parent memo/effect --children--> its effects and cleanup functions
//                           (same) graph --> effects of the root or of a scope    (strong: gc
//                           roots) node --> object                                (borrowed
//                           otherwise)
// So a memo lives while anyone reads it, and a cycle through a closure is garbage like any other.
//
// States: bound (node != null), template (node == null, neither disposed): made at module level and
// its thread is gone, or made to be shared; `disposed`: its owner ended.
#pragma once

#include <Python.h>
#include <structmember.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "lattice/reactive/graph.hpp"
#include "lattice/reactive/recorder.hpp"
#include "lattice/reactive/runtime.hpp"
#include "lattice/reactive/scope.hpp"
#include "reactive.hpp"
#include "session_state.hpp"

namespace lattice::python {

using reactive::Computation;
using reactive::Flags;
using reactive::Graph;
using reactive::Index;
using reactive::Link;
using reactive::Node;

enum class NodeKind : uint8_t { Signal, Memo, Effect };
enum class Equality : uint8_t { Auto, Is, Equal, Never, Function };

struct NodeObject;
struct NativeMemo;  // native_memo.hpp

struct SignalNode : Node {
  NodeObject* self;
};
struct ComputationNode : Computation {  // memos and effects
  NodeObject* self;
};
struct CleanupNode : Node {
  PyObject* function;  // owned when parent is null, else by the parent's children
  NodeObject* parent;
};

struct Child {
  PyObject* object;      // strong: an effect, or a cleanup function
  CleanupNode* cleanup;  // null for an effect
};

struct Mirror;       // app_scope.cpp: of an app-scoped node in a session
struct Publication;  // app_scope.cpp: of an app-scoped node in the actor
struct MailSlot;     // signal_type.cpp: a value on its way from another thread

// What few nodes have.
struct Extra {
  PyObject* equals = nullptr;
  PyObject* error = nullptr;      // a memo's cached exception
  PyObject* traceback = nullptr;  // as it was when the memo's function raised
  std::vector<Child> children;
  std::shared_ptr<MailSlot> mail;
  std::shared_ptr<Mirror> mirror;
  std::shared_ptr<Publication> publication;
  int32_t priority = 0;
};

struct NodeObject {
  PyObject ob_base;
  Graph* graph;  // null when unbound
  Node* node;
  PyObject* value;
  PyObject* pending;   // a signal's value until the batch or run commits it
  PyObject* function;  // a memo's or effect's
  vectorcallfunc vectorcall;
  Extra* extra;
  uint64_t cached_serial;       // the session that last used this template,
  NodeObject* cached_instance;  // and its instance; valid while that session is current
  NodeObject* parent;           // of an effect among the children of another computation
  PyObject* name;
  PyObject* origin;  // code object that made it; with the offset: where, and the assigned name
  int32_t origin_offset;
  uint32_t runs;
  std::vector<NodeObject*> held;  // strong: sources of this computation
  NativeMemo* native;             // of a memo that was considered for machine code
  PyObject* weakrefs;
  NodeKind kind;
  Equality equality;
  bool app_scope;
  bool disposed;
  bool root_owned;     // ends only with its runtime: may serve as a template
  bool ending;         // being disposed by name
  bool kept_by_graph;  // an effect to which the graph holds a strong reference
  bool weak;           // an effect that nobody keeps
  bool user_phase;
  bool is_factory;     // an effect whose function makes the function to run, per session
  bool registered;     // in the list of module-level effects
  bool held_stale;     // a source was added in this run
  bool native_due;     // consider it for machine code before its next run
  bool keeps_sources;  // a memo that stays subscribed while nobody reads it
  bool is_store;       // the anchor of a store, see store_node.hpp
  bool is_mutated;     // a signal's pending value was changed in place: a change, if it is the same
};

inline NodeObject* as_node(PyObject* object) noexcept {
  return reinterpret_cast<NodeObject*>(object);
}
inline PyObject* as_object(NodeObject* node) noexcept { return reinterpret_cast<PyObject*>(node); }

// --- the types, set once by bind_reactive
struct Types {
  PyTypeObject* signal = nullptr;
  PyTypeObject* memo = nullptr;
  PyTypeObject* effect = nullptr;
  PyTypeObject* mutation = nullptr;
  uint16_t signal_node = 0;
  uint16_t memo_node = 0;
  uint16_t native_memo_node = 0;
  uint16_t effect_node = 0;
  uint16_t cleanup_node = 0;
  uint16_t sentinel_node = 0;
};
extern Types types;
extern PyObject* value_name;  // interned "value"

PyTypeObject* make_signal_type();
PyTypeObject* make_mutation_type();
PyTypeObject* make_memo_type();
PyTypeObject* make_effect_type();
void register_node_types();
void register_sentinel_type();

inline bool is_python_computation(const Node* node) noexcept {
  return node->type == types.memo_node || node->type == types.effect_node ||
         node->type == types.native_memo_node;
}
inline NodeObject*& object_of(Node* node) noexcept {
  return node->type == types.signal_node ? static_cast<SignalNode*>(node)->self
                                         : static_cast<ComputationNode*>(node)->self;
}

// --- per thread
struct ThreadFace {
  const std::string* rendering = nullptr;  // name of the component whose body runs
  uint32_t callbacks = 0;                  // Python functions of memos and effects on the stack
  uint32_t callbacks_at_render = 0;
  uint32_t loading = 0;
  bool is_event_loop = false;  // of a served app: state is used here in sessions only
  Index late_reader = 0;       // whose coroutine runs a step after an await; see AsyncRun
  uint32_t deallocations = 0;  // nested ones
  size_t trash_count = 0;
  std::vector<PyObject*>* trash = nullptr;  // see discard(); made once, never freed
};
extern constinit thread_local ThreadFace thread_face [[gnu::tls_model("initial-exec")]];

// --- node_object.cpp: life of objects, shared by the three types
NodeObject* new_node_object(PyTypeObject* type, NodeKind kind);
Extra& extra_of(NodeObject* self);
// Sets name=, equals=, scope= of a new object. -1 with an error.
int set_options(NodeObject* self, PyObject* name, PyObject* equals, PyObject* scope);
void remember_origin(NodeObject* self);
// The instance of the current session if there is one already, else the object itself.
NodeObject* shown_instance(NodeObject* self);
std::string display_name(NodeObject* self);
// "'count'", or "this signal".
std::string quoted_name(NodeObject* self);
// "app.py:12", where it was made; "" when that is not known.
std::string made_at(NodeObject* self);
// DisposedError that says where it was made and where it is used. Returns null.
PyObject* raise_ended(NodeObject* self);
// Gives it a node in the current graph, under the current owner. -1 with an error.
int bind_here(NodeObject* self);
// As bind_here, but owned by the runtime itself.
int bind_to_root(NodeObject* self);
void dispose_object(NodeObject* self);
void destroy_node(Graph& graph, Node* node) noexcept;
void node_dealloc(PyObject* object);
int node_traverse(PyObject* object, visitproc visit, void* arg);
int node_clear(PyObject* object);
void node_finalize(PyObject* object);
PyObject* node_class_getitem(PyObject* type, PyObject* item);
PyObject* node_dispose(PyObject* object, PyObject*);
PyObject* node_name(PyObject* object, void*);
PyObject* node_runs(PyObject* object, void*);
// `<Signal count=5>`, with the repr of a value that the object shows now.
PyObject* repr_with_value(PyObject* object, const char* type, PyObject* value);
// For copy and pickle: TypeError.
PyObject* node_reduce(PyObject* object, PyObject*);
extern PyMemberDef node_members[];
// Slots with which a signal or memo refuses to be used as its value.
std::vector<PyType_Slot> refusing_slots();
PyObject* node_format(PyObject* object, PyObject* spec);
void add_child(NodeObject* parent, Child child);
// The Python memo or effect that owns what is created now; null when a scope or the root does.
NodeObject* owning_computation(Graph& graph) noexcept;

// --- reading and writing
// The running Python computation keeps a source that it has just subscribed to alive.
void hold(Computation* sub, NodeObject* dep);
// A read after an await subscribes nothing: says so, once for each place.
// Throws nanobind::python_error when warnings are errors.
void note_late_read(Graph& graph, NodeObject* dep);
// Makes `dep` a source of the running computation. REQUIRES: graph.tracking().
inline void track(Graph& graph, NodeObject* dep) {
  const Index index = reactive::index_of(dep->node);
  if (graph.track_known(index)) [[likely]]
    return;
  if (graph.running() == 0) {
    note_late_read(graph, dep);
  } else if (graph.track_news(dep->node, index)) {
    hold(reactive::at<Computation>(graph.running()), dep);
  }
}
// At the end of a run, within its frame: keeps exactly the sources that were read.
void refresh_held(NodeObject* self, Graph& graph, Computation* node);
inline bool held_is_stale(const NodeObject* self, const Graph& graph) noexcept {
  return self->held_stale || graph.has_unread();
}

// Whether the end of such an object runs no code but its type's own: nothing below it, no weak
// references, no `__del__`.
inline bool ends_silently(PyTypeObject* type) noexcept {
  constexpr unsigned long kMayRun = Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HEAPTYPE;
  return (PyType_GetFlags(type) & kMayRun) == 0 && type->tp_weaklistoffset == 0;
}

// Dropping a reference may run user code, which must not happen in the middle of a walk.
void discard_later(PyObject* object);
void empty_trash() noexcept;
inline void discard(PyObject* object) noexcept {
  if (object == nullptr) return;
  if (Py_REFCNT(object) > 1 || ends_silently(Py_TYPE(object))) {
    Py_DECREF(object);
  } else {
    discard_later(object);
  }
}
inline void settle_trash() noexcept {
  if (thread_face.trash_count != 0) [[unlikely]]
    empty_trash();
}

// Each for an object that belongs to the current graph.
PyObject* signal_read_here(NodeObject* self, Graph& graph, bool tracked);
PyObject* memo_read_here(NodeObject* self, Graph& graph, bool tracked);
int signal_write_here(NodeObject* self, Graph& graph, PyObject* value);
PyObject* signal_latest(NodeObject* self) noexcept;  // borrowed: pending, else committed
PyObject* read_node(NodeObject* self, bool tracked);
int write_node(NodeObject* self, PyObject* value);
int refuse_write_while_rendering(NodeObject* self);  // raises LT102, returns -1
// Tells readers that the value was changed in place, whatever its equality says. -1 with an error.
int signal_mutated_here(NodeObject* self, Graph& graph);
bool update_signal(Graph& graph, Node* node) noexcept;
bool update_memo(Graph& graph, Node* node) noexcept;
bool update_effect(Graph& graph, Node* node) noexcept;
NodeObject* new_signal_object(PyObject* value);
NodeObject* new_memo_object(PyObject* function);
// An effect with the same function in the current runtime, owned by the root. Null with an error.
NodeObject* new_effect_like(NodeObject* of_template);
NodeObject* new_effect(PyObject* function, std::string_view name, bool user_phase);
void start_effect(NodeObject* self);  // may throw CycleError
// Of the running effect or memo, else of the current owner. -1 with an error.
int add_cleanup(PyObject* function);

// A memo of Python is considered for machine code before each run whose number has none of these
// bits: every 64th, with LATTICE_NATIVE_MEMOS=eager in the environment each.
extern uint32_t native_run_mask;

// --- creation.cpp
// A function of reactive.py whose usual call makes the node without it. Null with an error.
PyObject* quick_signal(PyObject* function);
PyObject* quick_memo(PyObject* function);

// --- equality.cpp
// 1: a change, 0: none, -1: error. Runs untracked.
int is_change(NodeObject* self, PyObject* before, PyObject* after);
inline bool is_plainly_same(const NodeObject* self, PyObject* before, PyObject* after) noexcept {
  static_assert(Equality::Equal < Equality::Never && Equality::Never < Equality::Function);
  return before == after && self->equality < Equality::Never &&
         (PyLong_CheckExact(after) || PyUnicode_CheckExact(after) || after == Py_None);
}
// What "auto" says of two ints or two floats, -1 of anything else. Runs nothing.
inline int number_change(PyObject* before, PyObject* after) noexcept {
  PyTypeObject* type = Py_TYPE(after);
  if (type != Py_TYPE(before)) return -1;
  if (type == &PyLong_Type) {
    auto* a = reinterpret_cast<PyLongObject*>(before);
    auto* b = reinterpret_cast<PyLongObject*>(after);
#if PY_VERSION_HEX < 0x030C0000
    const Py_ssize_t size = Py_SIZE(a);
    if (size != Py_SIZE(b)) return 1;
    if (size == 1) return a->ob_digit[0] != b->ob_digit[0];
    const auto digits = static_cast<size_t>(size < 0 ? -size : size);
    return std::memcmp(a->ob_digit, b->ob_digit, digits * sizeof(digit)) != 0;
#else
    if (!PyUnstable_Long_IsCompact(a) || !PyUnstable_Long_IsCompact(b)) return -1;
    return PyUnstable_Long_CompactValue(a) != PyUnstable_Long_CompactValue(b);
#endif
  }
  if (type != &PyFloat_Type) return -1;
  const double x = PyFloat_AS_DOUBLE(before), y = PyFloat_AS_DOUBLE(after);
  return !(x == y || (x != x && y != y));
}
// The same for "auto", without a node.
bool is_auto_change(PyObject* before, PyObject* after);
// Values that must not be shared between sessions: containers and dataclasses.
bool is_copied_per_session(PyObject* value);
bool is_mutable_dataclass(PyObject* value);

// --- session_state.cpp
enum class Place : uint8_t { Here, Foreign, App, Error };
struct Resolved {
  NodeObject* object;
  Place place;
};
// Which object of the current graph stands for `self`. Foreign: of another thread's runtime, and
// there is no session here. App: belongs to the actor, and this is neither a session nor the actor.
Resolved resolve_node(NodeObject* self);
void register_template_effect(NodeObject* effect);
// The main thread drains its mailbox at its next safe point. Any thread, with the GIL.
void drain_later();
// Ends all module-level effects, for another load of the app and for tests.
void dispose_template_effects();
void forget_template_effect(NodeObject* effect) noexcept;
bool is_served_here() noexcept;  // a session or the actor is current

// --- app_scope.cpp
NodeObject* app_instance(NodeObject* of_template);     // on the actor
NodeObject* mirror_instance(NodeObject* of_template);  // in a session
PyObject* app_peek(NodeObject* of_template);           // elsewhere
int app_write(NodeObject* of_template, PyObject* value);
PyObject* app_update(NodeObject* of_template, PyObject* function);
int mirror_write(NodeObject* mirror, Graph& graph, PyObject* value);
PyObject* mirror_update(NodeObject* mirror, PyObject* function);
void note_mirror_read(NodeObject* mirror, Graph& graph);
PyObject* mirror_error(NodeObject* mirror);  // borrowed, null when it has a value
void publish(NodeObject* app_node);          // after a change in the actor
// --- bridge.cpp
// Reads another thread's signal or memo for what runs in this graph, which follows it from now on.
PyObject* bridge_read(NodeObject* source, Graph& graph);
void publish_mutation(NodeObject* source);
void bridge_source_ended(NodeObject* source);

int traverse_app(Extra& extra, visitproc visit, void* arg);
void clear_app(Extra& extra);

// --- inspect.cpp
// Name, place and value for diagnostics.
void describe_node(const Graph& graph, const Node* node, inspect::Ask ask, inspect::Facts& facts);

// --- python_errors.cpp
extern PyObject* lattice_error;
extern PyObject* access_error;
extern PyObject* disposed_error;
extern PyObject* not_ready_error;
extern PyObject* trace_error;
int init_errors(PyObject* module);
PyObject* raise_error(PyObject* type, const std::string& message);  // returns null
// Raises a copy of a cached exception, so that neither frames nor traceback entries pile up on it.
void raise_copy(PyObject* exception, PyObject* traceback);
// Lets go of the frames in its traceback and those of its causes, keeping what they show.
void detach_frames(PyObject* exception);
// What a memo does not keep: a lack of stack or memory, or what says so itself by a true attribute
// `_is_transient`.
bool is_transient_error(PyObject* exception);
// A coroutine that `function` gave, and nothing would run: closes it and raises TypeError. `cure`
// says what takes async functions. Steals the coroutine, returns null.
PyObject* refuse_coroutine(PyObject* coroutine, PyObject* function, const char* cure);
inline bool is_coroutine(PyObject* object) noexcept {
  return object != nullptr && PyCoro_CheckExact(object);
}
// To the nearest error boundary above the effect (without one: above what is current), else to the
// session or the log.
void report_error(Graph& graph, PyObject* exception, const std::string& what, const char* name,
                  reactive::NodeHandle effect = {});
// The second half alone. Steals `exception` too.
void report_unhandled(Graph& graph, PyObject* exception, const std::string& what, const char* name,
                      reactive::NodeHandle effect = {});
// "app.py:12" of the innermost frame outside the package; its function's name.
struct UserPlace {
  std::string where, function;
};
UserPlace user_place();
bool is_package_file(PyObject* filename);  // of this package

// Runs `body`; what it throws becomes Python's error and `failure` is returned.
template <class Body, class Result>
Result guarded(Result failure, Body&& body) noexcept {
  try {
    return body();
  } catch (...) {
    set_python_error(std::current_exception());
    return failure;
  }
}

// The GIL, from any thread; false when the interpreter is gone.
class GilScope {
 public:
  GilScope() noexcept : usable_(Py_IsInitialized() != 0) {
    if (usable_) state_ = PyGILState_Ensure();
  }
  ~GilScope() {
    if (usable_) PyGILState_Release(state_);
  }
  GilScope(const GilScope&) = delete;
  GilScope& operator=(const GilScope&) = delete;
  explicit operator bool() const noexcept { return usable_; }

 private:
  bool usable_;
  PyGILState_STATE state_{};
};

// A strong reference that may be dropped by any thread; copying needs the GIL.
class SharedRef {
 public:
  explicit SharedRef(PyObject* object) noexcept : object_(Py_XNewRef(object)) {}
  explicit SharedRef(NodeObject* object) noexcept : SharedRef(as_object(object)) {}
  SharedRef(const SharedRef& other) noexcept : object_(Py_XNewRef(other.object_)) {}
  SharedRef(SharedRef&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  SharedRef& operator=(const SharedRef&) = delete;
  ~SharedRef() {
    if (object_ == nullptr) return;
    if (GilScope gil; gil) Py_DECREF(object_);
  }
  PyObject* get() const noexcept { return object_; }

 private:
  PyObject* object_;
};

// Keeps a raised exception while other code runs.
class SavedError {
 public:
  SavedError() noexcept { PyErr_Fetch(&type_, &value_, &traceback_); }
  ~SavedError() { PyErr_Restore(type_, value_, traceback_); }
  SavedError(const SavedError&) = delete;
  SavedError& operator=(const SavedError&) = delete;

 private:
  PyObject* type_;
  PyObject* value_;
  PyObject* traceback_;
};

}  // namespace lattice::python
