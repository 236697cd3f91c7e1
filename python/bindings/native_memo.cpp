// SPDX-License-Identifier: MIT
#include "native_memo.hpp"

#include <nanobind/nanobind.h>

#include <cstdlib>
#include <string_view>

#include "jit_ir.hpp"
#include "lattice/jit/compiled_memo.hpp"
#include "recursion.hpp"

namespace lattice::python {

using lattice::jit::Bits;
using lattice::jit::from_bits;
using lattice::jit::MemoProgram;
using lattice::jit::MemoStep;
using lattice::jit::ScalarFunction;
using lattice::jit::to_bits;
using lattice::jit::Type;

namespace {

constexpr uint8_t kTracesMax = 4;
constexpr uint8_t kFailuresMax = 64;

// What the program took for constant. All references are strong.
struct CellGuard {
  PyObject* cell;
  PyObject* expected;
};
struct NameGuard {
  PyObject* scope;     // a dict
  PyObject* builtins;  // the dict behind it, or null
  PyObject* name;
  PyObject* expected;
};
struct CodeGuard {
  PyObject* function;
  PyObject* code;
  PyObject* defaults;  // or null
};
// A dict as it was when the names in it were last looked at.
struct DictVersion {
  PyObject* dict;  // borrowed from a NameGuard
  uint64_t version;
};

#if PY_VERSION_HEX < 0x030C0000
uint64_t version_of(PyObject* dict) noexcept {
  return reinterpret_cast<PyDictObject*>(dict)->ma_version_tag;
}
#else
// No version to be had: names are looked up each time.
constexpr uint64_t version_of(PyObject*) noexcept { return 0; }
#endif
constexpr bool kHasVersions = PY_VERSION_HEX < 0x030C0000;

}  // namespace

struct NativeMemo {
  Bits bits = 0;
  Type type = Type::Void;  // of bits
  bool is_demanded = false;
  bool is_forbidden = false;
  bool is_hopeless = false;  // considered, and will not be again
  bool is_stale = false;     // the function was replaced while it ran
  uint8_t traces = 0;
  uint8_t failures = 0;  // in a row
  std::shared_ptr<const MemoProgram> program;
  std::vector<NodeObject*> sources;
  std::vector<CellGuard> cells;
  std::vector<NameGuard> names;
  std::vector<CodeGuard> codes;
  std::vector<DictVersion> dicts;
  PyObject* reason = nullptr;
};

namespace {

NativeMemo& native_of(NodeObject* self) {
  if (self->native == nullptr) self->native = new NativeMemo;
  return *self->native;
}

void drop_program(NativeMemo& native) {
  native.program = nullptr;
  auto sources = std::exchange(native.sources, {});
  auto cells = std::exchange(native.cells, {});
  auto names = std::exchange(native.names, {});
  auto codes = std::exchange(native.codes, {});
  native.dicts.clear();
  for (NodeObject* source : sources) discard(as_object(source));
  for (const CellGuard& guard : cells) {
    discard(guard.cell);
    discard(guard.expected);
  }
  for (const NameGuard& guard : names) {
    for (PyObject* object : {guard.scope, guard.builtins, guard.name, guard.expected}) {
      discard(object);
    }
  }
  for (const CodeGuard& guard : codes) {
    for (PyObject* object : {guard.function, guard.code, guard.defaults}) discard(object);
  }
}

void make_python(NodeObject* self) {
  if (self->node != nullptr) self->node->type = types.memo_node;
}

// --- numbers

bool unbox(PyObject* value, Type type, Bits& bits) noexcept {
  switch (type) {
    case Type::F64:
      if (!PyFloat_CheckExact(value)) return false;
      bits = to_bits(PyFloat_AS_DOUBLE(value));
      return true;
    case Type::Bool:
      if (!PyBool_Check(value)) return false;
      bits = value == Py_True ? 1 : 0;
      return true;
    default: {
      if (!PyLong_CheckExact(value)) return false;
      int overflow = 0;
      bits = static_cast<Bits>(PyLong_AsLongLongAndOverflow(value, &overflow));
      return overflow == 0;
    }
  }
}

PyObject* boxed(Type type, Bits bits) noexcept {
  if (type == Type::F64) return PyFloat_FromDouble(from_bits<double>(bits));
  if (type == Type::Bool) return Py_NewRef((bits & 1) != 0 ? Py_True : Py_False);
  return PyLong_FromLongLong(from_bits<int64_t>(bits));
}

// "auto" of two numbers of one type.
bool differs(Type type, Bits before, Bits after) noexcept {
  if (type != Type::F64) return before != after;
  const auto x = from_bits<double>(before), y = from_bits<double>(after);
  return !(x == y || (x != x && y != y));
}

bool is_number(PyObject* value) noexcept {
  return value != nullptr &&
         (PyFloat_CheckExact(value) || PyLong_CheckExact(value) || PyBool_Check(value));
}

// --- guards

bool name_holds(const NameGuard& guard) noexcept {
  PyObject* found = PyDict_GetItemWithError(guard.scope, guard.name);
  if (found == nullptr && !PyErr_Occurred() && guard.builtins != nullptr) {
    found = PyDict_GetItemWithError(guard.builtins, guard.name);
  }
  if (found == nullptr) PyErr_Clear();
  return found == guard.expected;
}

bool names_hold(NativeMemo& native) noexcept {
  for (const NameGuard& guard : native.names) {
    if (!name_holds(guard)) return false;
  }
  for (DictVersion& seen : native.dicts) seen.version = version_of(seen.dict);
  return true;
}

bool guards_hold(NativeMemo& native) noexcept {
  for (const CodeGuard& guard : native.codes) {
    auto* function = reinterpret_cast<PyFunctionObject*>(guard.function);
    if (function->func_code != guard.code || function->func_defaults != guard.defaults)
      return false;
  }
  for (const CellGuard& guard : native.cells) {
    if (PyCell_GET(guard.cell) != guard.expected) return false;
  }
  if (!kHasVersions) return names_hold(native);
  for (const DictVersion& seen : native.dicts) {
    if (version_of(seen.dict) != seen.version) [[unlikely]]
      return names_hold(native);
  }
  return true;
}

// Somebody looks at every line that runs: a debugger, a profiler, a measure of coverage.
bool is_watched() noexcept {
#if PY_VERSION_HEX < 0x030D0000
  const PyThreadState* state = _PyThreadState_UncheckedGet();
#else
  const PyThreadState* state = PyThreadState_GetUnchecked();
#endif
  return state->c_tracefunc != nullptr || state->c_profilefunc != nullptr;
}

// --- a run

struct Reader {
  enum class Failure : uint8_t { Program, Type, Gone };

  Graph& graph;
  ComputationNode* node;
  NodeObject* self;
  NativeMemo& native;
  Failure failure = Failure::Program;
  std::shared_ptr<const MemoProgram> kept = nullptr;  // while others run

  bool fail(Failure why) noexcept {
    failure = why;
    return false;
  }
  bool tracked(NodeObject* source, Node* dep) noexcept {
    if (graph.track_known(reactive::index_of(dep))) [[likely]]
      return true;
    return guarded(false,
                   [&] {
                     track(graph, source);
                     return true;
                   }) ||
           dropped_error();
  }
  static bool dropped_error() noexcept {
    PyErr_Clear();
    return false;
  }

  bool read(uint32_t index, Type type, Bits& slot) noexcept {
    NodeObject* source = native.sources[index];
    if (source->graph != &graph || source->extra != nullptr) [[unlikely]]
      return read_by_python(source, type, slot);
    Node* dep = source->node;
    if (source->kind == NodeKind::Signal) {
      if (source->pending != nullptr) [[unlikely]]
        return read_by_python(source, type, slot);
      if (!unbox(source->value, type, slot)) [[unlikely]]
        return fail(Failure::Type);
      return tracked(source, dep);
    }
    if (reactive::needs_clean(dep)) [[unlikely]] {
      if (!clean(source, dep)) return false;
    }
    if (dep->flags & reactive::kError) [[unlikely]]
      return false;
    if (dep->flags & reactive::kEmpty) {
      const NativeMemo& other = *source->native;
      if (other.type != type) return fail(Failure::Type);
      slot = other.bits;
    } else if (source->value == nullptr || !unbox(source->value, type, slot)) {
      return fail(Failure::Type);
    }
    return tracked(source, dep);
  }

  bool touch(uint32_t index) noexcept {
    NodeObject* source = native.sources[index];
    if (source->graph == &graph && source->extra == nullptr) [[likely]]
      return tracked(source, source->node);
    PyObject* value = nullptr;
    const bool is_read = outside(source, [&] {
      value = read_node(source, true);
      return value != nullptr;
    });
    discard(value);
    return is_read;
  }

  bool is_stale(uint32_t index) const noexcept {
    NodeObject* source = native.sources[index];
    if (source->graph != &graph) return true;
    return source->kind == NodeKind::Memo && reactive::needs_clean(source->node);
  }

  // Around what may run anything: this memo and its program must be there afterwards.
  template <class Body>
  bool outside(NodeObject* source, Body&& body) noexcept {
    kept = native.program;
    Py_INCREF(as_object(self));
    Py_INCREF(as_object(source));
    const bool is_done = body();
    if (!is_done) PyErr_Clear();
    const bool is_gone = node->self != self;
    discard(as_object(source));
    if (is_gone) {
      failure = Failure::Gone;
      held_self = true;  // its memory is still looked at
      return false;
    }
    discard(as_object(self));
    return is_done;
  }

  bool clean(NodeObject* source, Node* dep) noexcept {
    const bool is_cycle = (dep->flags & (reactive::kRunning | reactive::kChecking)) != 0;
    if (is_cycle || thread_face.callbacks > kNestedRunsMax) return false;  // Python says so
    const bool is_clean = outside(source, [&] {
      return guarded(-1, [&] {
               graph.clean(static_cast<Computation*>(dep));
               return 0;
             }) == 0;
    });
    return is_clean && source->node == dep;
  }

  // With all that a read can be: of another session's template, of a mirror, pending.
  bool read_by_python(NodeObject* source, Type type, Bits& slot) noexcept {
    PyObject* value = nullptr;
    const bool is_read = outside(source, [&] {
      value = read_node(source, true);
      return value != nullptr;
    });
    if (!is_read) {
      discard(value);
      return false;
    }
    const bool fits = unbox(value, type, slot);
    discard(value);
    return fits || fail(Failure::Type);
  }

  bool held_self = false;
};

// The links that the program has read so far count as not read: the function starts from the first.
void read_anew(Graph& graph, ComputationNode* node) noexcept {
  reactive::Frame& frame = graph.frame();
  frame.cursor = reactive::index_of(node) + reactive::kHeadOffset;
  frame.repeated = 0;
}

void retrace(NodeObject* self, NativeMemo& native) {
  drop_program(native);
  make_python(self);
  self->native_due = true;
}

// Python's run of a memo that is native, or was a moment ago.
bool run_by_python(Graph& graph, ComputationNode* node, NodeObject* self) noexcept {
  if ((node->flags & reactive::kEmpty) && box_native(self) == nullptr) {
    PyErr_Clear();  // no memory: then it counts as a first run
    node->flags &= static_cast<Flags>(~reactive::kEmpty);
  }
  return run_function(graph, node, self);
}

// The first result after an error, or the first at all: as the function's would be kept.
bool keep_boxed(NodeObject* self, ComputationNode* node, Bits bits, Type type) noexcept {
  PyObject* value = boxed(type, bits);
  if (value == nullptr) {
    PyErr_Clear();
    return true;
  }
  if (node->flags & reactive::kError) {
    node->flags &= static_cast<Flags>(~reactive::kError);
    discard(std::exchange(self->extra->error, nullptr));
    discard(std::exchange(self->extra->traceback, nullptr));
  }
  discard(std::exchange(self->value, value));
  return true;
}

bool keep_result(NodeObject* self, ComputationNode* node, NativeMemo& native, Bits bits,
                 Type type) noexcept {
  if (node->flags & reactive::kEmpty) [[likely]] {
    if (native.type == type && !differs(type, native.bits, bits)) return false;
  } else if (node->flags & reactive::kError || self->value == nullptr) [[unlikely]] {
    return keep_boxed(self, node, bits, type);
  } else {
    Bits before = 0;
    if (unbox(self->value, type, before)) {
      if (!differs(type, before, bits)) return false;
    } else if (!is_number(self->value)) {
      return keep_boxed(self, node, bits, type);
    }
  }
  native.bits = bits;
  native.type = type;
  node->flags |= reactive::kEmpty;
  return true;
}

}  // namespace

bool update_native_memo(Graph& graph, Node* base) noexcept {
  auto* node = static_cast<ComputationNode*>(base);
  NodeObject* self = node->self;
  if (self == nullptr || self->function == nullptr) [[unlikely]]
    return false;
  NativeMemo& native = *self->native;
  ++self->runs;
  if (native.is_stale || native.program == nullptr || !guards_hold(native)) [[unlikely]] {
    native.is_stale = false;
    retrace(self, native);
    return run_by_python(graph, node, self);
  }
  if (is_watched()) [[unlikely]]
    return run_by_python(graph, node, self);
  Reader reader{graph, node, self, native};
  Bits bits = 0;
  Type type = Type::Void;
  if (!native.program->run(reader, bits, type)) [[unlikely]] {
    if (reader.held_self) {
      discard(as_object(self));
      return true;
    }
    read_anew(graph, node);
    if (reader.failure == Reader::Failure::Type || ++native.failures >= kFailuresMax) {
      native.failures = 0;
      retrace(self, native);
    }
    return run_by_python(graph, node, self);
  }
  native.failures = 0;
  const bool is_changed = keep_result(self, node, native, bits, type);
  if (held_is_stale(self, graph)) [[unlikely]]
    refresh_held(self, graph, node);
  return is_changed;
}

PyObject* box_native(NodeObject* self) noexcept {
  const NativeMemo& native = *self->native;
  PyObject* old = self->value;
  if (native.type == Type::F64 && old != nullptr && PyFloat_CheckExact(old) &&
      Py_REFCNT(old) == 1) {  // nobody else has seen it
    reinterpret_cast<PyFloatObject*>(old)->ob_fval = from_bits<double>(native.bits);
  } else {
    PyObject* value = boxed(native.type, native.bits);
    if (value == nullptr) return nullptr;
    self->value = value;
    Py_XDECREF(old);  // runs nothing: a number
  }
  self->node->flags &= static_cast<Flags>(~reactive::kEmpty);
  return self->value;
}

// --- becoming native

namespace {

// LATTICE_NATIVE_MEMOS: "off", "eager" (for tests: every memo as soon as it can be), or nothing.
std::string_view setting() noexcept {
  static const char* text = std::getenv("LATTICE_NATIVE_MEMOS");
  return text != nullptr ? text : "";
}
bool is_enabled() noexcept { return setting() != "off"; }

PyObject* consider_function() {
  static PyObject* function = nullptr;
  if (function == nullptr) {
    PyObject* module = PyImport_ImportModule("lattice._jit.memo");
    if (module != nullptr) function = PyObject_GetAttrString(module, "consider");
    Py_XDECREF(module);
  }
  return function;
}

void give_up(NativeMemo& native, PyObject* reason) {
  native.is_hopeless = true;
  Py_XSETREF(native.reason, Py_NewRef(reason));
}

MemoStep::Kind kind_named(const char* name) {
  const std::string_view text(name);
  if (text == "return") return MemoStep::Kind::Return;
  if (text == "branch") return MemoStep::Kind::Branch;
  if (text == "check") return MemoStep::Kind::Check;
  return MemoStep::Kind::Leave;
}

// (kind, [(source, type)], Ir or None, checked, yes, no)
MemoStep step_of(PyObject* item) {
  MemoStep step;
  const char* kind = nullptr;
  PyObject *reads = nullptr, *ir = nullptr;
  if (!PyArg_ParseTuple(item, "sO!OIII", &kind, &PyList_Type, &reads, &ir, &step.checked, &step.yes,
                        &step.no)) {
    throw nanobind::python_error();
  }
  step.kind = kind_named(kind);
  for (Py_ssize_t k = 0; k < PyList_GET_SIZE(reads); ++k) {
    MemoStep::Read read{};
    const char* type = nullptr;
    if (!PyArg_ParseTuple(PyList_GET_ITEM(reads, k), "Is", &read.source, &type)) {
      throw nanobind::python_error();
    }
    read.type = *type != 0 ? lattice::jit::type_from_name(type) : Type::Void;
    step.reads.push_back(read);
  }
  if (ir != Py_None) {
    const auto* function = jit::ir_of(ir);
    if (function == nullptr) throw nanobind::python_error();
    auto copy = *function;
    copy.math = lattice::jit::ir::MathPolicy::Libm;
    step.function = ScalarFunction::compile(std::move(copy));
    const Type result = step.function->result();
    if (result != Type::F64 && result != Type::I64 && result != Type::Bool) {
      throw lattice::jit::CompileError("jit: a memo's value is no Python number");
    }
  }
  return step;
}

void take_guards(NativeMemo& native, PyObject* sources, PyObject* cells, PyObject* names,
                 PyObject* codes) {
  for (Py_ssize_t k = 0; k < PyList_GET_SIZE(sources); ++k) {
    native.sources.push_back(as_node(Py_NewRef(PyList_GET_ITEM(sources, k))));
  }
  auto item = [](PyObject* tuple, Py_ssize_t at) {
    PyObject* found = PyTuple_GET_ITEM(tuple, at);
    return found == Py_None ? nullptr : Py_NewRef(found);
  };
  for (Py_ssize_t k = 0; k < PyList_GET_SIZE(cells); ++k) {
    PyObject* tuple = PyList_GET_ITEM(cells, k);
    native.cells.push_back({item(tuple, 0), Py_NewRef(PyTuple_GET_ITEM(tuple, 1))});
  }
  for (Py_ssize_t k = 0; k < PyList_GET_SIZE(names); ++k) {
    PyObject* tuple = PyList_GET_ITEM(names, k);
    native.names.push_back(
        {item(tuple, 0), item(tuple, 1), item(tuple, 2), Py_NewRef(PyTuple_GET_ITEM(tuple, 3))});
  }
  for (Py_ssize_t k = 0; k < PyList_GET_SIZE(codes); ++k) {
    PyObject* tuple = PyList_GET_ITEM(codes, k);
    native.codes.push_back({item(tuple, 0), item(tuple, 1), item(tuple, 2)});
  }
  auto note = [&](PyObject* dict) {
    for (const DictVersion& seen : native.dicts) {
      if (seen.dict == dict) return;
    }
    if (dict != nullptr) native.dicts.push_back({dict, 0});
  };
  for (const NameGuard& guard : native.names) {
    note(guard.scope);
    note(guard.builtins);
  }
}

// What stands in the way besides the function's source; null: nothing.
const char* obstacle(NodeObject* self) {
  if (self->equality != Equality::Auto)
    return "equals= is given: the results are compared in Python";
  if (self->app_scope) return "it is shared by the app (scope=\"app\")";
  if (self->keeps_sources) return "it is a linked memo";
  if (!PyFunction_Check(self->function)) return "its function is not a plain Python function";
  return nullptr;
}

int refuse_demand(NodeObject* self, const char* why) {
  PyErr_Format(trace_error, "native=True: %s cannot be native: %s", quoted_name(self).c_str(), why);
  return -1;
}

int adopt_program(NodeObject* self, NativeMemo& native, PyObject* answer) {
  PyObject *steps = nullptr, *sources = nullptr, *cells = nullptr, *names = nullptr,
           *codes = nullptr;
  if (!PyArg_ParseTuple(answer, "O!O!O!O!O!", &PyList_Type, &steps, &PyList_Type, &sources,
                        &PyList_Type, &cells, &PyList_Type, &names, &PyList_Type, &codes)) {
    return -1;
  }
  return guarded(-1, [&] {
    std::vector<MemoStep> made;
    for (Py_ssize_t k = 0; k < PyList_GET_SIZE(steps); ++k) {
      made.push_back(step_of(PyList_GET_ITEM(steps, k)));
    }
    auto program = std::make_shared<const MemoProgram>(
        std::move(made), static_cast<size_t>(PyList_GET_SIZE(sources)));
    drop_program(native);
    native.program = std::move(program);
    take_guards(native, sources, cells, names, codes);
    Py_CLEAR(native.reason);
    self->node->type = types.native_memo_node;
    return 0;
  });
}

}  // namespace

uint32_t native_run_mask = setting() == "eager" ? 0 : 63;

int consider_native(NodeObject* self, ComputationNode* node, Graph& graph) {
  const bool is_demanded = self->native != nullptr && self->native->is_demanded;
  self->native_due = false;
  if (!is_enabled() || (self->native != nullptr && self->native->is_hopeless)) return 0;
  if (!is_demanded && !is_number(self->value)) return 0;
  NativeMemo& native = native_of(self);
  if (native.is_forbidden) {
    native.is_hopeless = true;
    return 0;
  }
  if (const char* why = obstacle(self)) {
    if (is_demanded) return refuse_demand(self, why);
    PyObject* reason = PyUnicode_FromString(why);
    if (reason != nullptr) give_up(native, reason);
    Py_XDECREF(reason);
    PyErr_Clear();
    return 0;
  }
  if (native.traces == kTracesMax) {
    PyObject* reason = PyUnicode_FromString(
        "what it reads or captures changed its type or was rebound several times");
    if (reason != nullptr) give_up(native, reason);
    Py_XDECREF(reason);
    PyErr_Clear();
    return 0;
  }
  reactive::UntrackedGuard untracked(graph);
  Py_INCREF(as_object(self));
  PyObject* function = Py_NewRef(self->function);
  PyObject* consider = consider_function();
  PyObject* answer = consider != nullptr
                         ? PyObject_CallFunctionObjArgs(consider, function,
                                                        is_demanded ? Py_True : Py_False, nullptr)
                         : nullptr;
  int result = answer != nullptr ? 0 : -1;
  const bool is_here = node->self == self && self->native == &native && self->function == function;
  if (is_here && answer != nullptr) {
    if (PyUnicode_Check(answer)) {
      give_up(native, answer);
    } else if (answer == Py_None) {
      self->native_due = is_demanded;
    } else {
      ++native.traces;
      result = adopt_program(self, native, answer);
    }
  }
  if (result < 0 && !is_demanded) {
    PyObject* error = take_raised();
    PyObject* text = PyObject_Str(error);
    if (text != nullptr && is_here) give_up(native, text);
    Py_XDECREF(text);
    discard(error);
    PyErr_Clear();
    result = 0;
  }
  Py_XDECREF(answer);
  discard(function);
  discard(as_object(self));
  return result;
}

void forget_program(NodeObject* self) noexcept {
  if (self->native == nullptr) return;
  NativeMemo& native = *self->native;
  native.is_hopeless = false;
  native.traces = 0;
  if (self->node != nullptr && (self->node->flags & reactive::kRunning)) {
    native.is_stale = true;
    return;
  }
  if (self->node != nullptr && (self->node->flags & reactive::kEmpty) &&
      box_native(self) == nullptr) {
    PyErr_Clear();
    return;
  }
  drop_program(native);
  make_python(self);
  self->native_due = native.is_demanded;
}

int traverse_native(NativeMemo* native, visitproc visit, void* arg) {
  for (NodeObject* source : native->sources) Py_VISIT(as_object(source));
  for (const CellGuard& guard : native->cells) {
    Py_VISIT(guard.cell);
    Py_VISIT(guard.expected);
  }
  for (const NameGuard& guard : native->names) {
    Py_VISIT(guard.scope);
    Py_VISIT(guard.builtins);
    Py_VISIT(guard.expected);
  }
  for (const CodeGuard& guard : native->codes) {
    Py_VISIT(guard.function);
    Py_VISIT(guard.code);
    Py_VISIT(guard.defaults);
  }
  return 0;
}

void clear_native(NativeMemo* native) { drop_program(*native); }

void delete_native(NativeMemo* native) {
  drop_program(*native);
  Py_CLEAR(native->reason);
  delete native;
}

// --- what users see

PyObject* memo_native(PyObject* object, void*) {
  NodeObject* self = shown_instance(as_node(object));
  return PyBool_FromLong(self->node != nullptr && self->node->type == types.native_memo_node);
}

PyObject* memo_native_reason(PyObject* object, void*) {
  NodeObject* self = shown_instance(as_node(object));
  if (self->node != nullptr && self->node->type == types.native_memo_node) Py_RETURN_NONE;
  if (self->native != nullptr && self->native->reason != nullptr) {
    return Py_NewRef(self->native->reason);
  }
  if (self->native != nullptr && self->native->is_forbidden) {
    return PyUnicode_FromString("native=False");
  }
  if (!is_enabled()) return PyUnicode_FromString("LATTICE_NATIVE_MEMOS=off in the environment");
  return PyUnicode_FromFormat(
      "not tried yet: it has run %u times, and is tried every %u runs while its value is a number",
      self->runs, native_run_mask + 1);
}

PyObject* memo_demand_native(PyObject* object, PyObject* demanded) {
  NodeObject* self = as_node(object);
  const int is_demanded = PyObject_IsTrue(demanded);
  if (is_demanded < 0) return nullptr;
  NativeMemo& native = native_of(self);
  native.is_demanded = is_demanded != 0;
  native.is_forbidden = is_demanded == 0;
  self->native_due = is_demanded != 0;
  if (is_demanded) {
    if (const char* why = obstacle(self)) {
      refuse_demand(self, why);
      return nullptr;
    }
  }
  Py_RETURN_NONE;
}

PyObject* native_value(PyObject* object) {
  NodeObject* self = as_node(object);
  const Resolved resolved = resolve_node(self);
  if (resolved.object == nullptr) return nullptr;
  PyObject* value = nullptr;
  if (resolved.object->kind == NodeKind::Signal) {
    value = signal_latest(resolved.object);
  } else if (resolved.object->node != nullptr &&
             !(resolved.object->node->flags & reactive::kError)) {
    value = boxed_value(resolved.object);
  }
  return Py_BuildValue("(OO)", value != nullptr ? Py_True : Py_False,
                       value != nullptr ? value : Py_None);
}

}  // namespace lattice::python
