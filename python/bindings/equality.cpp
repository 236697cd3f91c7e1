// SPDX-License-Identifier: MIT
// When a new value is a change: the equality policies.
//
// "auto" compares values of immutable types by type and ==, NaN being equal to itself; everything
// else by identity, since comparing may be slow, ambiguous (arrays) or wrong (an object that is
// changed in place is equal to itself). Assigning the very same container, array or frame is a
// change: that is how one says that it was changed in place.
#include "reactive_node.hpp"

namespace lattice::python {

namespace {

// As in lattice/_equality.py.
enum class ValueClass : long {
  Identity,
  Atom,
  Tuple,
  FrozenDataclass,
  Container,
  Array,
  Dataclass
};

constexpr int kDepthMax = 100;

// lattice._equality: decides what a type is, and remembers it while the type lives.
PyObject* classify_function = nullptr;

ValueClass classify_slowly(PyObject* type) {
  if (classify_function == nullptr) {
    PyObject* module = PyImport_ImportModule("lattice._equality");
    if (module != nullptr) classify_function = PyObject_GetAttrString(module, "classify");
    Py_XDECREF(module);
  }
  PyObject* answer =
      classify_function != nullptr ? PyObject_CallOneArg(classify_function, type) : nullptr;
  const long value = answer != nullptr ? PyLong_AsLong(answer) : 0;
  Py_XDECREF(answer);
  PyErr_Clear();
  return static_cast<ValueClass>(value);
}

ValueClass class_of(PyObject* value) {
  if (PyLong_CheckExact(value) || PyFloat_CheckExact(value) || PyUnicode_CheckExact(value) ||
      value == Py_None || PyBool_Check(value) || PyBytes_CheckExact(value)) {
    return ValueClass::Atom;
  }
  if (PyList_CheckExact(value) || PyDict_CheckExact(value) || PyAnySet_CheckExact(value)) {
    return PyFrozenSet_CheckExact(value) ? ValueClass::Identity : ValueClass::Container;
  }
  if (PyTuple_CheckExact(value)) return ValueClass::Tuple;
  if (PyFunction_Check(value)) return ValueClass::Identity;
  return classify_slowly(reinterpret_cast<PyObject*>(Py_TYPE(value)));
}

// What a comparison raises counts as not equal; an interrupt is raised again at the next safe
// point.
void drop_raised() {
  if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) PyErr_SetInterrupt();
  PyErr_Clear();
}

int compare(PyObject* a, PyObject* b) {
  const int result = PyObject_RichCompareBool(a, b, Py_EQ);
  if (result < 0) drop_raised();
  return result > 0;
}

int is_unequal_to_itself(PyObject* value) {
  PyObject* result = PyObject_RichCompare(value, value, Py_NE);
  const int answer = result != nullptr ? PyObject_IsTrue(result) : 0;
  if (answer < 0 || result == nullptr) drop_raised();
  Py_XDECREF(result);
  return answer > 0;
}

bool atoms_equal(PyObject* a, PyObject* b) {
  if (PyFloat_CheckExact(a)) {
    const double x = PyFloat_AS_DOUBLE(a), y = PyFloat_AS_DOUBLE(b);
    return x == y || (x != x && y != y);
  }
  return compare(a, b) || (is_unequal_to_itself(a) && is_unequal_to_itself(b));
}

bool equal_at_depth(PyObject* a, PyObject* b, int depth);

// What is compared stays until that is done: the user's code may take it out of where it was.
class Held {
 public:
  Held(PyObject* a, PyObject* b) noexcept : a_(Py_NewRef(a)), b_(Py_NewRef(b)) {}
  ~Held() {
    discard(a_);
    discard(b_);
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

 private:
  PyObject* a_;
  PyObject* b_;
};

bool tuples_equal(PyObject* a, PyObject* b, int depth) {
  const Py_ssize_t size = PyTuple_GET_SIZE(a);
  if (size != PyTuple_GET_SIZE(b)) return false;
  for (Py_ssize_t i = 0; i < size; ++i) {
    if (!equal_at_depth(PyTuple_GET_ITEM(a, i), PyTuple_GET_ITEM(b, i), depth + 1)) return false;
  }
  return true;
}

bool fields_equal(PyObject* a, PyObject* b, int depth) {
  PyObject* fields =
      PyObject_GetAttrString(reinterpret_cast<PyObject*>(Py_TYPE(a)), "__dataclass_fields__");
  bool equal = fields != nullptr && PyDict_Check(fields);
  Py_ssize_t position = 0;
  PyObject* name = nullptr;
  while (equal && PyDict_Next(fields, &position, &name, nullptr)) {
    PyObject* left = PyObject_GetAttr(a, name);
    PyErr_Clear();
    PyObject* right = PyObject_GetAttr(b, name);
    PyErr_Clear();
    // ClassVar fields are the same object on both sides.
    equal = left == right ||
            (left != nullptr && right != nullptr && equal_at_depth(left, right, depth + 1));
    Py_XDECREF(left);
    Py_XDECREF(right);
  }
  PyErr_Clear();
  Py_XDECREF(fields);
  return equal;
}

bool equal_at_depth(PyObject* a, PyObject* b, int depth) {
  if (a == b) return true;
  if (Py_TYPE(a) != Py_TYPE(b) || depth > kDepthMax) return false;
  switch (class_of(a)) {
    case ValueClass::Atom:
      return atoms_equal(a, b);
    case ValueClass::Tuple:
      return tuples_equal(a, b, depth);
    case ValueClass::FrozenDataclass:
      return fields_equal(a, b, depth);
    default:
      return false;
  }
}

bool is_changed_in_place(PyObject* value) {
  const ValueClass kind = class_of(value);
  return kind == ValueClass::Container || kind == ValueClass::Array;
}

int is_rich_change(PyObject* before, PyObject* after) {
  const int equal = PyObject_RichCompareBool(before, after, Py_EQ);
  return equal < 0 ? -1 : !equal;
}

int ask_function(NodeObject* self, PyObject* before, PyObject* after) {
  PyObject* answer = PyObject_CallFunctionObjArgs(self->extra->equals, before, after, nullptr);
  if (answer == nullptr) return -1;
  const int equal = PyObject_IsTrue(answer);
  Py_DECREF(answer);
  return equal < 0 ? -1 : !equal;
}

}  // namespace

bool values_equal(PyObject* a, PyObject* b) {
  SavedError saved;
  reactive::UntrackedGuard untracked(*Graph::current_fast());
  const Held held(a, b);
  return equal_at_depth(a, b, 0);
}

int is_change(NodeObject* self, PyObject* before, PyObject* after) {
  if (self->equality == Equality::Auto) {
    if (const int change = number_change(before, after); change >= 0) return change;
  }
  reactive::UntrackedGuard untracked(*Graph::current_fast());
  const Held held(before, after);
  switch (self->equality) {
    case Equality::Auto:
      if (before == after) return is_changed_in_place(after);
      return !equal_at_depth(before, after, 0);
    case Equality::Is:
      return before != after;
    case Equality::Equal:
      return is_rich_change(before, after);
    case Equality::Never:
      return 1;
    case Equality::Function:
      return ask_function(self, before, after);
  }
  return 1;
}

bool is_auto_change(PyObject* before, PyObject* after) {
  if (before == after &&
      (PyLong_CheckExact(after) || PyUnicode_CheckExact(after) || after == Py_None)) {
    return false;
  }
  reactive::UntrackedGuard untracked(*Graph::current_fast());
  const Held held(before, after);
  if (before == after) return is_changed_in_place(after);
  return !equal_at_depth(before, after, 0);
}

bool is_mutable_dataclass(PyObject* value) { return class_of(value) == ValueClass::Dataclass; }

bool is_copied_per_session(PyObject* value) {
  switch (class_of(value)) {
    case ValueClass::Container:
    case ValueClass::Tuple:
    case ValueClass::FrozenDataclass:
    case ValueClass::Dataclass:
      return true;
    default:
      return false;
  }
}

}  // namespace lattice::python
