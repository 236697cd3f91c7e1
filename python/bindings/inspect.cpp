// SPDX-License-Identifier: MIT
// Binding of diagnostics: what Python nodes tell of themselves, and the functions behind
// lattice.inspect, explain and graph (python/lattice/_inspect.py).
//
// Values become text in the middle of writes and runs, where no user code may run: only exact
// built-in types are shown then, others by the name of their type. Between runs a repr is asked.
#include "lattice/reactive/inspect.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <string>

#include "lattice/reactive/inspect_text.hpp"
#include "native_memo.hpp"
#include "reactive_node.hpp"

namespace nb = nanobind;

namespace lattice::python {

namespace {

using inspect::Ask;
using inspect::Facts;
using inspect::kTextBytesMax;

constexpr int kNestingMax = 3;
constexpr Py_ssize_t kItemsMax = 6;
constexpr size_t kIntegerBitsMax = 256;

std::string text_of(PyObject* string) {
  const char* text = string != nullptr ? PyUnicode_AsUTF8(string) : nullptr;
  if (text == nullptr) PyErr_Clear();
  return text != nullptr ? text : "";
}

std::string repr_of(PyObject* value) {
  PyObject* text = PyObject_Repr(value);
  if (text == nullptr) PyErr_Clear();
  std::string result = text_of(text);
  Py_XDECREF(text);
  return result;
}

std::string type_text(PyObject* value) {
  const std::string name = Py_TYPE(value)->tp_name;
  return std::string("<").append(name, name.rfind('.') + 1).append(">");
}

void append_value(std::string& out, PyObject* value, int depth);

void append_item(std::string& out, PyObject* value, int depth, Py_ssize_t at) {
  if (at != 0) out += ", ";
  append_value(out, value, depth + 1);
}

void append_sequence(std::string& out, PyObject* value, int depth) {
  const bool is_list = PyList_CheckExact(value);
  const Py_ssize_t size = PySequence_Fast_GET_SIZE(value);
  out += is_list ? '[' : '(';
  for (Py_ssize_t at = 0; at != std::min(size, kItemsMax); ++at) {
    append_item(out, PySequence_Fast_GET_ITEM(value, at), depth, at);
  }
  if (size > kItemsMax) out += ", … " + std::to_string(size) + " items";
  if (size == 1 && !is_list) out += ',';
  out += is_list ? ']' : ')';
}

void append_dict(std::string& out, PyObject* value, int depth) {
  out += '{';
  Py_ssize_t place = 0, at = 0;
  PyObject *key = nullptr, *item = nullptr;
  while (at != kItemsMax && PyDict_Next(value, &place, &key, &item)) {
    append_item(out, key, depth, at++);
    out += ": ";
    append_value(out, item, depth + 1);
  }
  const Py_ssize_t size = PyDict_GET_SIZE(value);
  if (size > kItemsMax) out += ", … " + std::to_string(size) + " items";
  out += '}';
}

void append_string(std::string& out, PyObject* value) {
  const Py_ssize_t length = PyUnicode_GET_LENGTH(value);
  constexpr auto kShown = static_cast<Py_ssize_t>(kTextBytesMax / 2);
  PyObject* shown = length > kShown ? PyUnicode_Substring(value, 0, kShown) : Py_NewRef(value);
  if (shown == nullptr) return PyErr_Clear();
  out += repr_of(shown);
  if (length > kShown) out += "…";
  Py_DECREF(shown);
}

// Calls no code of the user's, and allocates nothing that Python's collector tracks.
void append_value(std::string& out, PyObject* value, int depth) {
  if (out.size() > kTextBytesMax) return;
  if (PyUnicode_CheckExact(value)) return append_string(out, value);
  if (value == Py_None || PyBool_Check(value) || PyFloat_CheckExact(value) ||
      PyComplex_CheckExact(value)) {
    out += repr_of(value);
  } else if (PyLong_CheckExact(value)) {
    const size_t bits = _PyLong_NumBits(value);
    out += bits <= kIntegerBitsMax ? repr_of(value)
                                   : std::to_string(bits).insert(0, "<int, ").append(" bits>");
  } else if (PyBytes_CheckExact(value)) {
    const Py_ssize_t size = PyBytes_GET_SIZE(value);
    const bool is_short = static_cast<size_t>(size) <= kTextBytesMax / 2;
    out += is_short ? repr_of(value) : std::to_string(size).insert(0, "<bytes, ").append(">");
  } else if (depth == kNestingMax) {
    out += "…";
  } else if (PyList_CheckExact(value) || PyTuple_CheckExact(value)) {
    append_sequence(out, value, depth);
  } else if (PyDict_CheckExact(value)) {
    append_dict(out, value, depth);
  } else if (PyAnySet_CheckExact(value)) {
    out += PySet_CheckExact(value) ? "<set, " : "<frozenset, ";
    out += std::to_string(PySet_GET_SIZE(value)) + " items>";
  } else {
    out += type_text(value);
  }
}

bool is_array_like(PyObject* value) {
  const bool has_shape = PyObject_HasAttrString(value, "shape");
  PyErr_Clear();
  return has_shape;
}

std::string array_text(PyObject* value) {
  PyObject* shape = PyObject_GetAttrString(value, "shape");
  std::string text = shape != nullptr ? repr_of(shape) : "";
  PyErr_Clear();
  Py_XDECREF(shape);
  const std::string type = type_text(value);
  return type.substr(0, type.size() - 1) + " " + inspect::shortened(text, 40) + ">";
}

std::string value_text(Graph& graph, PyObject* value, bool is_code_allowed) {
  std::string text;
  append_value(text, value, 0);
  if (!is_code_allowed || text != type_text(value)) return text;
  reactive::UntrackedGuard untracked(graph);
  PyObject* kept = Py_NewRef(value);
  text = is_array_like(kept) ? array_text(kept) : repr_of(kept);
  Py_DECREF(kept);
  return text;
}

// --- where it was made

std::string short_place(PyObject* filename, int line) {
  const std::string file = text_of(filename);
  return file.empty() ? "" : file.substr(file.rfind('/') + 1) + ":" + std::to_string(line);
}

PyObject* attribute(PyObject* object, const char* name) {
  PyObject* found = object != nullptr ? PyObject_GetAttrString(object, name) : nullptr;
  if (found == nullptr) PyErr_Clear();
  return found;
}

// Of a plain function, or of what a watcher calls.
std::string place_of_function(PyObject* function) {
  PyObject* plain = Py_NewRef(function);
  if (!PyFunction_Check(plain)) {
    PyObject* inner = attribute(function, "function");
    if (inner != nullptr) Py_SETREF(plain, inner);
  }
  std::string place;
  if (PyFunction_Check(plain)) {
    auto* code = reinterpret_cast<PyCodeObject*>(PyFunction_GET_CODE(plain));
    if (!is_package_file(code->co_filename))  // those of linked and async memos
      place = short_place(code->co_filename, code->co_firstlineno);
  }
  Py_DECREF(plain);
  return place;
}

std::string site_of(NodeObject* self) {
  std::string place = self->function != nullptr ? place_of_function(self->function) : "";
  return place.empty() ? made_at(self) : place;
}

std::string locate() {
  if (!PyGILState_Check()) return "";
  SavedError saved;
  const std::string where = user_place().where;
  return where == "?" ? "" : where;
}

void describe_object(const Graph& graph, const Node* node, NodeObject* self, Ask ask,
                     Facts& facts) {
  if (ask == Ask::Label) {
    facts.name = display_name(self);
    facts.site = site_of(self);
    return;
  }
  if (self->kind == NodeKind::Effect) return;
  if (node->flags & reactive::kError) {
    PyObject* error = self->extra != nullptr ? self->extra->error : nullptr;
    facts.value = error != nullptr ? type_text(error) : "";
    return;
  }
  PyObject* value = self->kind == NodeKind::Signal ? signal_latest(self) : boxed_value(self);
  if (value == nullptr) return;
  Py_INCREF(value);  // its repr may replace it
  facts.value = value_text(const_cast<Graph&>(graph), value, ask == Ask::FullValue);
  discard(value);
}

}  // namespace

void describe_node(const Graph& graph, const Node* node, Ask ask, Facts& facts) {
  GilScope gil;
  NodeObject* self = gil ? object_of(const_cast<Node*>(node)) : nullptr;
  if (self == nullptr) return;
  SavedError saved;
  // Finding a name runs Python, and with it the collector, whose garbage this may be.
  Py_INCREF(as_object(self));
  describe_object(graph, node, self, ask, facts);
  discard(as_object(self));
}

namespace {

// --- functions

void record(bool on, size_t events_max) {
  if (!on) return inspect::stop_all();
  inspect::RecordOptions options{.events_max = std::max<size_t>(events_max, 1)};
  inspect::record_all(options);
  // This thread's nodes at once, so that the first write knows the value before.
  inspect::record(Runtime::current(), options);
  settle_trash();
}

bool is_node(PyObject* object) noexcept {
  return is_readable(object) || Py_TYPE(object) == types.effect;
}

// The handle of the object's node in the current runtime; none when it has ended or has none here.
reactive::NodeHandle handle_here(nb::handle object) {
  if (!is_node(object.ptr())) {
    PyErr_Format(PyExc_TypeError, "a signal, memo or effect is wanted, not %R", object.ptr());
    throw nb::python_error();
  }
  NodeObject* self = shown_instance(as_node(object.ptr()));
  if (self->node == nullptr) return {};
  if (self->graph != Graph::current_fast()) {
    raise_error(access_error, quoted_name(self) +
                                  " belongs to another thread's session; ask there, or look at "
                                  "that session on the inspector's page");
    throw nb::python_error();
  }
  return reactive::handle_of(self->node);
}

std::string explain(nb::handle object) {
  inspect::Explanation explanation = inspect::explain(handle_here(object));
  if (!explanation.is_alive) {
    NodeObject* self = shown_instance(as_node(object.ptr()));
    explanation.name = display_name(self);
    explanation.site = site_of(self);
    static constexpr inspect::Kind kKinds[] = {inspect::Kind::Signal, inspect::Kind::Memo,
                                               inspect::Kind::Effect};
    explanation.kind = kKinds[static_cast<size_t>(self->kind)];
  }
  settle_trash();
  return explanation.json();
}

std::string explain_id(const std::string& id) {
  const reactive::NodeHandle handle = inspect::handle_of_id(id);
  const Node* node = handle.index != 0 ? reactive::node_of(handle) : nullptr;
  const bool is_here = node != nullptr && reactive::graph_of(node) == Graph::current_fast();
  return inspect::explain(is_here ? handle : reactive::NodeHandle{}).json();
}

inspect::Order order_named(const std::string& name) {
  if (name == "runs") return inspect::Order::Runs;
  if (name == "time") return inspect::Order::Time;
  if (name == "created") return inspect::Order::Created;
  PyErr_Format(PyExc_ValueError, "order= is 'runs', 'time' or 'created', not %s", name.c_str());
  throw nb::python_error();
}

inspect::Snapshot snapshot(nb::handle around, const std::string& around_id, size_t nodes_max,
                           const std::string& order, const std::string& filter, bool full_values,
                           bool explained) {
  inspect::SnapshotOptions options;
  options.nodes_max = nodes_max;
  options.order = order_named(order);
  options.filter = filter;
  options.full_values = full_values;
  options.explained = explained;
  if (!around.is_none()) {
    options.around = handle_here(around);
    if (options.around == reactive::NodeHandle{}) options.nodes_max = 0;  // it has ended
  } else if (!around_id.empty()) {
    options.around = inspect::handle_of_id(around_id);
    if (options.around == reactive::NodeHandle{}) options.nodes_max = 0;
  }
  inspect::Snapshot made = inspect::snapshot(Runtime::current(), options);
  settle_trash();
  return made;
}

uint64_t events_count() {
  const inspect::Recorder* recorder = Graph::current_fast()->recorder();
  return recorder != nullptr ? recorder->events_count() : 0;
}

}  // namespace
}  // namespace lattice::python

void bind_inspect(nb::module_& module) {
  using namespace lattice::python;
  namespace inspect = lattice::inspect;
  inspect::set_locator(&locate);
  nb::class_<inspect::Snapshot>(module, "GraphSnapshot", "A graph as it was; see lattice.graph.")
      .def("json", [](const inspect::Snapshot& self) { return inspect::json(self); })
      .def("dot", [](const inspect::Snapshot& self) { return inspect::dot(self); });
  module.def("inspect_record", &record, nb::arg("on"), nb::arg("events_max"),
             "Records every runtime of the process, or none.");
  module.def(
      "inspect_record_here", [] { inspect::record(lattice::Runtime::current()); },
      "Records the current runtime.");
  module.def("inspect_is_recording",
             [] { return inspect::is_recording(lattice::Runtime::current()); });
  module.def("inspect_events_count", &events_count);
  module.def("inspect_explain", &explain, nb::arg("node"),
             nb::sig("def inspect_explain(node: object) -> str"));
  module.def("inspect_explain_id", &explain_id, nb::arg("id"));
  module.def("inspect_snapshot", &snapshot, nb::arg("around").none(), nb::arg("around_id"),
             nb::arg("nodes_max"), nb::arg("order"), nb::arg("filter"), nb::arg("full_values"),
             nb::arg("explained"),
             nb::sig("def inspect_snapshot(around: object, around_id: str, nodes_max: int, order: "
                     "str, filter: str, full_values: bool, explained: bool) -> GraphSnapshot"));
}
