// SPDX-License-Identifier: MIT
#include "crdt_values.hpp"

#include <cmath>
#include <unordered_set>

namespace nb = nanobind;

namespace lattice::python {

namespace {

constexpr int kDepthMax = 200;
constexpr double kSafeIntegerMax = 9007199254740991.0;

using crdt::Any;

Any number_from(PyObject* object) {
  int overflow = 0;
  const long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
  if (overflow != 0) {
    PyErr_SetString(PyExc_OverflowError, "an int beyond 64 bit has no place in a shared document");
    throw nb::python_error();
  }
  if (value == -1 && PyErr_Occurred()) throw nb::python_error();
  const bool is_safe = value >= -static_cast<long long>(kSafeIntegerMax) &&
                       value <= static_cast<long long>(kSafeIntegerMax);
  return is_safe ? Any(static_cast<double>(value)) : Any::bigint(value);
}

struct DepthGuard {
  explicit DepthGuard(int& the_depth) : depth(the_depth) {
    if (++depth > kDepthMax) {
      PyErr_SetString(PyExc_ValueError,
                      "the value is nested deeper than 200 levels, or contains itself");
      throw nb::python_error();
    }
  }
  ~DepthGuard() { --depth; }
  int& depth;
};

std::optional<Any> sequence_from(PyObject* object, int& depth);
std::optional<Any> dict_from(PyObject* object, int& depth);

std::optional<Any> any_from(PyObject* object, int& depth) {
  if (object == Py_None) return Any::null();
  if (PyUnicode_Check(object)) {
    std::string scratch;
    return Any(text_view(object, scratch));
  }
  if (PyBool_Check(object)) return Any(object == Py_True);
  if (PyFloat_Check(object)) return Any(PyFloat_AS_DOUBLE(object));
  if (PyLong_Check(object)) return number_from(object);
  if (PyBytes_Check(object)) {
    const auto* data = reinterpret_cast<const uint8_t*>(PyBytes_AS_STRING(object));
    return Any::bytes({data, data + PyBytes_GET_SIZE(object)});
  }
  if (PyByteArray_Check(object)) {
    const auto* data = reinterpret_cast<const uint8_t*>(PyByteArray_AS_STRING(object));
    return Any::bytes({data, data + PyByteArray_GET_SIZE(object)});
  }
  if (PyList_Check(object) || PyTuple_Check(object)) return sequence_from(object, depth);
  if (PyDict_Check(object)) return dict_from(object, depth);
  // NumPy's scalars and others of that kind.
  if (PyIndex_Check(object)) {
    nb::object index = nb::steal(PyNumber_Index(object));
    if (!index.is_valid()) throw nb::python_error();
    return number_from(index.ptr());
  }
  return std::nullopt;
}

std::optional<Any> sequence_from(PyObject* object, int& depth) {
  DepthGuard guard(depth);
  Any::Array items;
  items.reserve(static_cast<size_t>(PySequence_Fast_GET_SIZE(object)));
  // The size is asked anew: converting an item may run code that changes the list.
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(object); ++i) {
    nb::object item = nb::borrow(PySequence_Fast_GET_ITEM(object, i));
    std::optional<Any> converted = any_from(item.ptr(), depth);
    if (!converted) return std::nullopt;
    items.push_back(std::move(*converted));
  }
  return Any::array(std::move(items));
}

std::optional<Any> dict_from(PyObject* object, int& depth) {
  DepthGuard guard(depth);
  Any::Object entries;
  nb::object items = nb::steal(PyDict_Items(object));
  if (!items.is_valid()) throw nb::python_error();
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items.ptr()); ++i) {
    PyObject* pair = PyList_GET_ITEM(items.ptr(), i);
    PyObject* key = PyTuple_GET_ITEM(pair, 0);
    if (!PyUnicode_Check(key)) {
      PyErr_Format(PyExc_TypeError, "keys of a shared value are strings, not %.100s",
                   Py_TYPE(key)->tp_name);
      throw nb::python_error();
    }
    std::string scratch;
    std::string name(text_view(key, scratch));
    std::optional<Any> converted = any_from(PyTuple_GET_ITEM(pair, 1), depth);
    if (!converted) return std::nullopt;
    entries.emplace_back(std::move(name), std::move(*converted));
  }
  return Any::object(std::move(entries));
}

// Origins that are Python objects; the same shared pointer type carries origins of C++ as well.
std::unordered_set<const void*>& python_origins() {
  static auto* origins = new std::unordered_set<const void*>;
  return *origins;
}

}  // namespace

Unlocked::Unlocked(DocCell& cell, bool is_worth) : cell_(cell) {
  if (!is_worth || cell.busy != std::thread::id()) return;
  cell_.busy = std::this_thread::get_id();
  state_ = PyEval_SaveThread();
}

Unlocked::~Unlocked() {
  if (state_ == nullptr) return;
  PyEval_RestoreThread(state_);
  cell_.busy = std::thread::id();
}

std::string_view text_view(PyObject* text, std::string& scratch) {
  Py_ssize_t size = 0;
  if (const char* data = PyUnicode_AsUTF8AndSize(text, &size)) {
    return {data, static_cast<size_t>(size)};
  }
  if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) throw nb::python_error();
  PyErr_Clear();
  nb::object bytes = nb::steal(PyUnicode_AsEncodedString(text, "utf-8", "surrogatepass"));
  if (!bytes.is_valid()) throw nb::python_error();
  scratch.assign(PyBytes_AS_STRING(bytes.ptr()),
                 static_cast<size_t>(PyBytes_GET_SIZE(bytes.ptr())));
  return scratch;
}

nb::str text_object(std::string_view text) {
  PyObject* object =
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "surrogatepass");
  if (object == nullptr) throw nb::python_error();
  return nb::steal<nb::str>(object);
}

std::optional<crdt::Any> any_from(PyObject* object) {
  int depth = 0;
  return any_from(object, depth);
}

nb::object any_object(const Any& value) {
  switch (value.kind()) {
    case Any::Kind::Undefined:
    case Any::Kind::Null:
      return nb::none();
    case Any::Kind::Boolean:
      return nb::bool_(value.as_boolean());
    case Any::Kind::Number: {
      const double number = value.as_number();
      const bool is_integer = number == std::floor(number) &&
                              std::fabs(number) <= kSafeIntegerMax &&
                              !(number == 0 && std::signbit(number));
      if (!is_integer) return nb::float_(number);
      return nb::steal(PyLong_FromLongLong(static_cast<long long>(number)));
    }
    case Any::Kind::BigInt:
      return nb::steal(PyLong_FromLongLong(value.as_bigint()));
    case Any::Kind::String:
      return text_object(value.as_string());
    case Any::Kind::Bytes:
      return bytes_object(value.as_bytes());
    case Any::Kind::Array: {
      nb::list items;
      for (const Any& item : value.as_array()) items.append(any_object(item));
      return items;
    }
    case Any::Kind::Object: {
      nb::dict entries;
      for (const auto& [key, item] : value.as_object()) {
        entries[text_object(key)] = any_object(item);
      }
      return entries;
    }
  }
  return nb::none();
}

crdt::Attributes attributes_from(nb::handle dict) {
  crdt::Attributes attributes;
  if (dict.is_none()) return attributes;
  std::optional<Any> object = PyDict_Check(dict.ptr()) ? any_from(dict.ptr()) : std::nullopt;
  if (!object) {
    PyErr_SetString(PyExc_TypeError, "attributes are a dict of strings to plain values");
    throw nb::python_error();
  }
  for (const auto& [key, value] : object->as_object()) attributes.emplace_back(key, value);
  return attributes;
}

nb::object attributes_object(const std::shared_ptr<DocCell>&, const crdt::Attributes& attributes) {
  if (attributes.empty()) return nb::none();
  nb::dict result;
  for (const auto& [key, value] : attributes) result[text_object(key)] = any_object(value);
  return result;
}

crdt::Origin origin_from(nb::handle object) {
  if (object.is_none()) return {};
  if (PyUnicode_Check(object.ptr())) {
    std::string scratch;
    return std::string(text_view(object.ptr(), scratch));
  }
  if (PyLong_CheckExact(object.ptr())) {
    int overflow = 0;
    const long long value = PyLong_AsLongLongAndOverflow(object.ptr(), &overflow);
    if (overflow == 0) return static_cast<int64_t>(value);
  }
  PyObject* held = Py_NewRef(object.ptr());
  python_origins().insert(held);
  return std::shared_ptr<const void>(held, [](const void* pointer) {
    auto* origin = static_cast<PyObject*>(const_cast<void*>(pointer));
    if (!Py_IsInitialized()) return;
    const PyGILState_STATE gil = PyGILState_Ensure();
    // Several pointers may hold one object; the last of them to go takes the mark away, and one
    // that goes earlier only makes the object look foreign.
    python_origins().erase(origin);
    Py_DECREF(origin);
    PyGILState_Release(gil);
  });
}

nb::object origin_object(const crdt::Origin& origin) {
  if (const auto* number = std::get_if<int64_t>(&origin)) return nb::int_(*number);
  if (const auto* text = std::get_if<std::string>(&origin)) return text_object(*text);
  if (const auto* held = std::get_if<std::shared_ptr<const void>>(&origin)) {
    if (python_origins().count(held->get()) != 0) {
      return nb::borrow(static_cast<PyObject*>(const_cast<void*>(held->get())));
    }
  }
  return nb::none();
}

}  // namespace lattice::python
