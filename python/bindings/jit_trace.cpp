// SPDX-License-Identifier: MIT
// Tracer and TracedValue as Python types.
#include "jit_trace.hpp"

#include <nanobind/nanobind.h>

#include <algorithm>
#include <optional>

#include "jit_ir.hpp"
#include "jit_numpy.hpp"
#include "jit_ops.hpp"
#include "lattice/base/error.hpp"
#include "lattice/jit/autodiff/inline.hpp"

namespace lattice::python::jit {

namespace ir = lattice::jit::ir;
using lattice::jit::from_bits;
using lattice::jit::is_float;
using lattice::jit::to_bits;

PyTypeObject* tracer_type = nullptr;
PyTypeObject* traced_type = nullptr;

namespace {

thread_local TracerObject* current_tracer = nullptr;

PyObject* as_object(TracerObject* tracer) { return reinterpret_cast<PyObject*>(tracer); }

// Raises a class of lattice._jit.errors with the user's place; `cure` on a line of its own.
void tell(const char* kind, const std::string& what, const std::string& cure) noexcept {
  PyObject* module = PyImport_ImportModule("lattice._jit.errors");
  if (module == nullptr) return;
  PyObject* told = PyObject_GetAttrString(module, "told");
  PyObject* type = PyObject_GetAttrString(module, kind);
  PyObject* arguments =
      told != nullptr && type != nullptr ? Py_BuildValue("(Os)", type, what.c_str()) : nullptr;
  PyObject* keywords =
      arguments != nullptr ? Py_BuildValue("{s:s}", "cure", cure.c_str()) : nullptr;
  if (keywords != nullptr) {
    if (PyObject* error = PyObject_Call(told, arguments, keywords)) {
      PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error)), error);
      Py_DECREF(error);
    }
  }
  Py_XDECREF(keywords);
  Py_XDECREF(arguments);
  Py_XDECREF(type);
  Py_XDECREF(told);
  Py_DECREF(module);
}

template <class R, class Fn>
R guarded(R failed, Fn&& fn) noexcept {
  try {
    return fn();
  } catch (const TraceFailure& failure) {
    tell(failure.kind, failure.what, failure.cure);
  } catch (const PythonFailure&) {
  } catch (const nanobind::python_error&) {
    PyErr_SetString(PyExc_RuntimeError, "tracer");
  } catch (const ir::IrError& error) {
    tell("UnsupportedError", error.what(), "write it in another way, or keep it in Python");
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return failed;
}

// --- places

// The user's line, for the nodes that follow: the innermost frame outside of lattice/_jit.
void note_place(TracerObject* self) {
  PyFrameObject* frame = PyEval_GetFrame();  // borrowed
  Py_XINCREF(frame);
  while (frame != nullptr) {
    PyCodeObject* code = PyFrame_GetCode(frame);
    auto* key = reinterpret_cast<PyObject*>(code);
    auto known = self->files->find(key);
    if (known == self->files->end()) {
      const char* path = PyUnicode_AsUTF8(code->co_filename);
      if (path == nullptr) PyErr_Clear();
      const std::string name = path != nullptr ? path : "?";
      const bool is_ours = name.find("/lattice/_jit/") != std::string::npos;
      known = self->files->emplace(key, is_ours ? 0 : self->builder->file(name) + 1).first;
      if (PyList_Append(self->kept_codes, key) < 0) PyErr_Clear();
    }
    Py_DECREF(code);
    if (known->second != 0) {
      const int line = PyFrame_GetLineNumber(frame);
      self->builder->set_location({known->second - 1, static_cast<uint32_t>(std::max(line, 0)), 0});
      break;
    }
    PyFrameObject* back = PyFrame_GetBack(frame);
    Py_DECREF(frame);
    frame = back;
  }
  Py_XDECREF(frame);
}

void require_open(TracerObject* self) {
  if (self->is_open) return;
  throw TraceFailure{"TraceError", "a traced value is used after its trace has ended",
                     "return it instead of storing it somewhere"};
}

// --- operands

Value array_as_parameter(TracerObject* self, PyObject* array) {
  const Py_ssize_t count = PyList_GET_SIZE(self->captured);
  for (Py_ssize_t k = 0; k < count; ++k) {
    if (PyList_GET_ITEM(self->captured, k) == array) {
      const NodeId id = (*self->captured_ids)[static_cast<size_t>(k)];
      return {id, (*self->builder)[id].type, static_cast<uint8_t>((*self->builder)[id].rank()),
              false};
    }
  }
  const Type type = numpy_type(array);
  if (type == Type::Void) {
    PyObject* dtype = PyObject_GetAttrString(array, "dtype");
    PyObject* text = dtype != nullptr ? PyObject_Str(dtype) : nullptr;
    const std::string name = text != nullptr ? PyUnicode_AsUTF8(text) : "?";
    Py_XDECREF(text);
    Py_XDECREF(dtype);
    PyErr_Clear();
    throw TraceFailure{"UnsupportedError", "an array of dtype " + name + " has no native form",
                       "convert it to float64, float32, an integer type or bool"};
  }
  const int rank = array_rank(array);
  const NodeId id = self->builder->param(type, rank, "captured" + std::to_string(count));
  if (PyList_Append(self->captured, array) < 0) throw PythonFailure{};
  self->captured_ids->push_back(id);
  return {id, type, static_cast<uint8_t>(rank), false};
}

// A value's node of now: a view of an array that has changed is read again.
const Value& current(TracedObject* self) {
  if (self->link == nullptr) return self->value;
  TracedObject* base = as_traced(PyTuple_GET_ITEM(self->link, 0));
  current(base);
  if (base->version == self->seen) return self->value;
  PyObject* made = PyObject_CallNoArgs(PyTuple_GET_ITEM(self->link, 1));
  if (made == nullptr) throw PythonFailure{};
  self->tracer->changes->push_back(
      {Py_NewRef(reinterpret_cast<PyObject*>(self)), self->value, self->seen, true});
  self->value.id = as_traced(made)->value.id;
  self->seen = base->version;
  ++self->version;
  Py_DECREF(made);
  return self->value;
}

// Changes an array in place. `is_own`: the tracer does it, to put merged values into place.
void assign(TracedObject* self, const Value& value, bool is_own) {
  if (self->is_parameter && !is_own) {
    const char* name = self->name != nullptr ? PyUnicode_AsUTF8(self->name) : "x";
    throw TraceFailure{"SideEffectError",
                       std::string("'") + name +
                           "' is an argument; changing it in place "
                           "changes the caller's array",
                       std::string("write ") + name + " = " + name + ".copy() first, or " + name +
                           " = " + name + " + ..., and return it"};
  }
  self->tracer->changes->push_back(
      {Py_NewRef(reinterpret_cast<PyObject*>(self)), self->value, self->seen, false});
  self->value.id = value.id;
  ++self->version;
  if (self->link == nullptr || is_own) return;
  PyObject* write = PyTuple_GET_ITEM(self->link, 2);
  if (write == Py_None) {
    throw TraceFailure{"UnsupportedError",
                       "this is a view of another array that cannot be changed through it",
                       "change the array itself, or a .copy() of the view"};
  }
  PyObject* done = PyObject_CallOneArg(write, reinterpret_cast<PyObject*>(self));
  if (done == nullptr) throw PythonFailure{};
  Py_DECREF(done);
  self->seen = as_traced(PyTuple_GET_ITEM(self->link, 0))->version;
}

// False when the object is nothing that an operator takes.
bool try_value(TracerObject* self, PyObject* object, Value& value) {
  if (is_traced(object)) {
    TracedObject* traced = as_traced(object);
    if (traced->tracer != self) {
      throw TraceFailure{"TraceError", "a value of another trace is used here",
                         "pass it as an argument"};
    }
    value = current(traced);
    return true;
  }
  Builder& b = *self->builder;
  if (PyFloat_CheckExact(object)) {
    value = constant_float(b, PyFloat_AS_DOUBLE(object));
    return true;
  }
  if (PyBool_Check(object)) {
    value = constant_of(b, Type::Bool, object == Py_True ? 1 : 0, true);
    return true;
  }
  if (PyLong_CheckExact(object)) {
    int overflow = 0;
    const long long number = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (overflow != 0) {
      throw TraceFailure{"UnsupportedError", "an int beyond 64 bits has no native form",
                         "use a float, or keep the computation in Python"};
    }
    value = constant_int(b, number);
    return true;
  }
  if (is_numpy_scalar(object)) {
    const Type type = numpy_type(object);
    if (type == Type::Void) return false;
    value = constant_of(b, type, numpy_scalar_bits(object, type), false);
    return true;
  }
  if (is_array(object)) {
    value = array_as_parameter(self, object);
    return true;
  }
  if (PyFloat_Check(object)) {  // a subclass: its value is what counts
    value = constant_float(b, PyFloat_AS_DOUBLE(object));
    return true;
  }
  return false;
}

Value need_value(TracerObject* self, PyObject* object) {
  Value value;
  if (try_value(self, object, value)) return value;
  throw TraceFailure{
      "TypeConflictError",
      std::string("a value of type ") + Py_TYPE(object)->tp_name + " has no native form",
      "use numbers, bools and NumPy arrays"};
}

TracerObject* tracer_of(PyObject* a, PyObject* b) {
  TracerObject* tracer = is_traced(a) ? as_traced(a)->tracer : as_traced(b)->tracer;
  require_open(tracer);
  return tracer;
}

template <class Fn>
PyObject* binary(PyObject* a, PyObject* b, Fn&& fn) {
  return guarded<PyObject*>(nullptr, [&]() -> PyObject* {
    TracerObject* tracer = tracer_of(a, b);
    Value x;
    Value y;
    if (!try_value(tracer, a, x) || !try_value(tracer, b, y)) return Py_NewRef(Py_NotImplemented);
    note_place(tracer);
    return make_traced(tracer, fn(*tracer->builder, x, y));
  });
}
template <Arith op>
PyObject* traced_arith(PyObject* a, PyObject* b) {
  return binary(a, b, [](Builder& to, Value x, Value y) { return arith(to, op, x, y); });
}

PyObject* traced_power(PyObject* a, PyObject* b, PyObject* modulus) {
  if (modulus != Py_None) return Py_NewRef(Py_NotImplemented);
  return traced_arith<Arith::Pow>(a, b);
}

PyObject* traced_divmod(PyObject* a, PyObject* b) {
  PyObject* quotient = traced_arith<Arith::FloorDiv>(a, b);
  if (quotient == nullptr || quotient == Py_NotImplemented) return quotient;
  PyObject* rest = traced_arith<Arith::Mod>(a, b);
  if (rest == nullptr) return Py_DECREF(quotient), nullptr;
  PyObject* pair = PyTuple_Pack(2, quotient, rest);
  Py_DECREF(quotient);
  Py_DECREF(rest);
  return pair;
}

// `value` broadcast to the shape of `target`; Python runs the call when it does not fit there.
Value fitted(TracerObject* tracer, const Value& target, Value value) {
  Builder& b = *tracer->builder;
  for (int axis = 0; axis < target.rank && value.rank == target.rank; ++axis) {
    const uint32_t bit = 1u << axis;
    const NodeId want = b.extent(target.id, bit);
    const NodeId have = b.extent(value.id, bit);
    if (want == have) continue;
    b.guard(b.compare(Op::Eq, want, have));
  }
  if (value.rank < target.rank) value.id = b.like(value.id, target.id);
  value.rank = target.rank;
  return value;
}

// x += y on an array keeps x's type, and changes an argument of the caller.
template <Arith op>
PyObject* traced_inplace(PyObject* a, PyObject* b) {
  if (!is_traced(a)) return traced_arith<op>(a, b);
  TracedObject* self = as_traced(a);
  if (self->value.rank == 0 || self->tracer->is_lanes) return traced_arith<op>(a, b);
  return guarded<PyObject*>(nullptr, [&]() -> PyObject* {
    PyObject* made = traced_arith<op>(a, b);
    if (made == nullptr || made == Py_NotImplemented) return made;
    TracedObject* result = as_traced(made);
    const Type want = self->value.type;
    const Type have = result->value.type;
    const bool is_safe = have == want || promote_strong(have, want) == want ||
                         (is_float(have) == is_float(want) && want != Type::Bool);
    if (!is_safe) {
      const std::string what = "an in-place operator cannot put " + describe(result->value) +
                               " into " + describe(self->value);
      Py_DECREF(made);
      throw TraceFailure{"TypeConflictError", what, "write x = x + ... instead of x += ..."};
    }
    const Value changed = cast_to(*self->tracer->builder, result->value, want);
    const bool is_wider = changed.rank != self->value.rank;
    Py_DECREF(made);
    if (is_wider) {
      throw TraceFailure{"TypeConflictError", "an in-place operator cannot give an array more axes",
                         "write x = x + ... instead of x += ..."};
    }
    assign(self, fitted(self->tracer, self->value, changed), false);
    return Py_NewRef(a);
  });
}

template <Value (*fn)(Builder&, Value)>
PyObject* traced_unary(PyObject* a) {
  return guarded<PyObject*>(nullptr, [&] {
    TracedObject* self = as_traced(a);
    require_open(self->tracer);
    note_place(self->tracer);
    return make_traced(self->tracer, fn(*self->tracer->builder, current(self)));
  });
}

PyObject* traced_positive(PyObject* a) {
  TracedObject* self = as_traced(a);
  if (self->value.is_weak && self->value.type == Type::Bool) {
    return guarded<PyObject*>(nullptr, [&] {
      return make_traced(self->tracer, cast_to(*self->tracer->builder, self->value, Type::I64));
    });
  }
  return Py_NewRef(a);
}

PyObject* traced_compare(PyObject* a, PyObject* b, int op) {
  constexpr Relation kRelations[] = {Relation::Lt, Relation::Le, Relation::Eq,
                                     Relation::Ne, Relation::Gt, Relation::Ge};
  if (b == Py_None && (op == Py_EQ || op == Py_NE)) return PyBool_FromLong(op == Py_NE);
  return binary(a, b,
                [&](Builder& to, Value x, Value y) { return relate(to, kRelations[op], x, y); });
}

std::string name_of_traced(TracedObject* self) {
  if (self->name != nullptr) {
    if (const char* text = PyUnicode_AsUTF8(self->name)) return std::string("'") + text + "'";
    PyErr_Clear();
  }
  return "this value";
}

int traced_bool(PyObject* a) {
  TracedObject* self = as_traced(a);
  return guarded(-1, [&] {
    require_open(self->tracer);
    if (is_constant(*self->tracer->builder, self->value)) {
      const Value flag = truth(*self->tracer->builder, self->value);
      if (is_constant(*self->tracer->builder, flag)) {
        return static_cast<int>((*self->tracer->builder)[flag.id].imm & 1);
      }
    }
    if (self->tracer->decide != nullptr && (self->value.rank == 0 || self->tracer->is_lanes)) {
      PyObject* answer = PyObject_CallOneArg(self->tracer->decide, a);
      if (answer == nullptr) throw PythonFailure{};
      const int is_true = PyObject_IsTrue(answer);
      Py_DECREF(answer);
      return is_true;
    }
    if (self->value.rank > 0 && !self->tracer->is_lanes) {
      throw TraceFailure{"ConcreteValueError",
                         "the truth of " + name_of_traced(self) + " (" + describe(self->value) +
                             ") is asked, and it has one for each element",
                         "@lt.vectorize decides per element; np.where, .any() and .all() work "
                         "with whole arrays"};
    }
    throw TraceFailure{"ConcreteValueError",
                       "the truth of " + name_of_traced(self) +
                           " is known only when the kernel "
                           "runs, and this code was not rewritten",
                       "use if, while, and/or in the function itself or in a plain function that "
                       "it calls"};
  });
}

PyObject* no_number(PyObject* a, const char* what, const char* cure) {
  TracedObject* self = as_traced(a);
  return guarded<PyObject*>(nullptr, [&]() -> PyObject* {
    Builder& b = *self->tracer->builder;
    if (is_constant(b, self->value) && !is_float(self->value.type)) {
      return PyLong_FromLongLong(from_bits<int64_t>(b[self->value.id].imm));
    }
    throw TraceFailure{"ConcreteValueError",
                       std::string(what) + " of " + name_of_traced(self) + " (" +
                           describe(self->value) + ") is known only when the kernel runs",
                       cure};
  });
}
PyObject* traced_int(PyObject* a) {
  return no_number(a, "int", "use x.astype(int), or int(x) in rewritten code");
}
PyObject* traced_index(PyObject* a) {
  return no_number(a, "the index value", "make it a static argument, or index an array with it");
}
PyObject* traced_float(PyObject* a) {
  TracedObject* self = as_traced(a);
  return guarded<PyObject*>(nullptr, [&]() -> PyObject* {
    Builder& b = *self->tracer->builder;
    if (is_constant(b, self->value)) {
      const Value real = cast_to(b, self->value, Type::F64);
      if (is_constant(b, real)) return PyFloat_FromDouble(from_bits<double>(b[real.id].imm));
    }
    throw TraceFailure{"ConcreteValueError",
                       "float of " + name_of_traced(self) + " (" + describe(self->value) +
                           ") is known only when the kernel runs",
                       "use the function of NumPy of that name, which is traced"};
  });
}

PyObject* arrays_module() {
  static PyObject* module = nullptr;
  if (module == nullptr) module = PyImport_ImportModule("lattice._jit.arrays");
  return module;
}

// Calls lattice._jit.arrays.<name>(arguments...).
PyObject* call_arrays(const char* name, PyObject* const* arguments, size_t count,
                      PyObject* keywords = nullptr) {
  PyObject* module = arrays_module();
  if (module == nullptr) return nullptr;
  PyObject* function = PyObject_GetAttrString(module, name);
  if (function == nullptr) return nullptr;
  PyObject* tuple = PyTuple_New(static_cast<Py_ssize_t>(count));
  for (size_t k = 0; k < count; ++k) {
    PyTuple_SET_ITEM(tuple, static_cast<Py_ssize_t>(k), Py_NewRef(arguments[k]));
  }
  PyObject* result = PyObject_Call(function, tuple, keywords);
  Py_DECREF(tuple);
  Py_DECREF(function);
  return result;
}

PyObject* traced_matmul(PyObject* a, PyObject* b) {
  PyObject* const arguments[] = {a, b};
  return call_arrays("matmul", arguments, 2);
}
PyObject* traced_subscript(PyObject* a, PyObject* key) {
  PyObject* const arguments[] = {a, key};
  return call_arrays("subscript", arguments, 2);
}
int traced_set_item(PyObject* a, PyObject* key, PyObject* value) {
  if (value == nullptr) {
    PyErr_SetString(PyExc_TypeError, "elements of an array cannot be deleted");
    return -1;
  }
  PyObject* const arguments[] = {a, key, value};
  PyObject* done = call_arrays("assign", arguments, 3);
  Py_XDECREF(done);
  return done != nullptr ? 0 : -1;
}
PyObject* traced_iter(PyObject* a) {
  PyObject* const arguments[] = {a};
  return call_arrays("iterate", arguments, 1);
}
Py_ssize_t traced_length(PyObject* a) {
  return guarded<Py_ssize_t>(-1, [&]() -> Py_ssize_t {
    throw TraceFailure{"ConcreteValueError",
                       "len of " + name_of_traced(as_traced(a)) + " differs from call to call",
                       "x.shape[0] and x.size are traced"};
  });
}

PyObject* traced_getattr(PyObject* a, PyObject* name) {
  if (PyObject* found = PyObject_GenericGetAttr(a, name)) return found;
  if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return nullptr;
  const char* text = PyUnicode_AsUTF8(name);
  if (text == nullptr || text[0] == '_') return nullptr;
  PyErr_Clear();
  PyObject* const arguments[] = {a, name};
  return call_arrays("attribute", arguments, 2);
}

PyObject* traced_repr(PyObject* a) {
  TracedObject* self = as_traced(a);
  std::string text = "<traced ";
  if (self->name != nullptr) {
    const char* name = PyUnicode_AsUTF8(self->name);
    if (name != nullptr) text += std::string(name) + ": ";
  }
  text += describe(self->value) + ", %" + std::to_string(self->value.id) + ">";
  return PyUnicode_FromString(text.c_str());
}

PyObject* traced_format(PyObject* a, PyObject*) { return traced_repr(a); }

PyObject* traced_array_ufunc(PyObject* a, PyObject* const* arguments, Py_ssize_t count,
                             PyObject* names) {
  // ufunc, method, inputs...; the plain case here, the rest in Python.
  TracedObject* self = as_traced(a);
  if (count >= 3 && count <= 5 && names == nullptr &&
      PyUnicode_CompareWithASCIIString(arguments[1], "__call__") == 0) {
    PyObject* result = guarded<PyObject*>(nullptr, [&]() -> PyObject* {
      require_open(self->tracer);
      PyObject* name = PyObject_GetAttrString(arguments[0], "__name__");
      if (name == nullptr) throw PythonFailure{};
      const char* text = PyUnicode_AsUTF8(name);
      const std::string_view function = text != nullptr ? text : "";
      Value values[3];
      bool is_known = text != nullptr;
      for (Py_ssize_t k = 2; is_known && k < count; ++k) {
        is_known = try_value(self->tracer, arguments[k], values[k - 2]);
      }
      Value made;
      note_place(self->tracer);
      if (is_known) {
        is_known = numpy_function(*self->tracer->builder, function,
                                  {values, static_cast<size_t>(count - 2)}, made);
      }
      Py_DECREF(name);
      return is_known ? make_traced(self->tracer, made) : Py_NewRef(Py_NotImplemented);
    });
    if (result != Py_NotImplemented) return result;
    Py_DECREF(result);
  }
  std::vector<PyObject*> all = {a};
  all.insert(all.end(), arguments, arguments + count);
  PyObject* keywords = nullptr;
  if (names != nullptr) {
    keywords = PyDict_New();
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(names); ++k) {
      PyDict_SetItem(keywords, PyTuple_GET_ITEM(names, k), arguments[count + k]);
    }
  }
  PyObject* result = call_arrays("array_ufunc", all.data(), all.size(), keywords);
  Py_XDECREF(keywords);
  return result;
}

PyObject* traced_array_function(PyObject* a, PyObject* const* arguments, Py_ssize_t count) {
  std::vector<PyObject*> all = {a};
  all.insert(all.end(), arguments, arguments + count);
  return call_arrays("array_function", all.data(), all.size());
}

PyObject* traced_array(PyObject* a, PyObject*, PyObject*) {
  return guarded<PyObject*>(nullptr, [&]() -> PyObject* {
    throw TraceFailure{"ConcreteValueError",
                       "the elements of " + name_of_traced(as_traced(a)) +
                           " are asked for, and are known only when the kernel runs",
                       "use functions of NumPy on it directly; not np.array, np.asarray, lists"};
  });
}

PyObject* traced_get_type(PyObject* a, void*) {
  const Type type = as_traced(a)->value.type;
  return PyUnicode_FromStringAndSize(type_name(type).data(),
                                     static_cast<Py_ssize_t>(type_name(type).size()));
}
PyObject* traced_get_rank(PyObject* a, void*) { return PyLong_FromLong(as_traced(a)->value.rank); }
PyObject* traced_get_mixed(PyObject* a, void*) {
  return PyBool_FromLong(as_traced(a)->value.is_mixed);
}
PyObject* traced_get_weak(PyObject* a, void*) {
  return PyBool_FromLong(as_traced(a)->value.is_weak);
}
PyObject* traced_get_id(PyObject* a, void*) {
  return PyLong_FromUnsignedLong(as_traced(a)->value.id);
}
PyObject* traced_get_serial(PyObject* a, void*) {
  return PyLong_FromUnsignedLongLong(as_traced(a)->serial);
}
PyObject* traced_get_argument(PyObject* a, void*) {
  return PyBool_FromLong(as_traced(a)->is_parameter);
}
PyObject* traced_get_tracer(PyObject* a, void*) {
  return Py_NewRef(as_object(as_traced(a)->tracer));
}
PyObject* traced_get_name(PyObject* a, void*) {
  PyObject* name = as_traced(a)->name;
  return Py_NewRef(name != nullptr ? name : Py_None);
}

PyGetSetDef traced_getset[] = {
    {"_type", traced_get_type, nullptr, nullptr, nullptr},
    {"_mixed", traced_get_mixed, nullptr, nullptr, nullptr},
    {"_weak", traced_get_weak, nullptr, nullptr, nullptr},
    {"_id", traced_get_id, nullptr, nullptr, nullptr},
    {"_tracer", traced_get_tracer, nullptr, nullptr, nullptr},
    {"_serial", traced_get_serial, nullptr, nullptr, nullptr},
    {"_is_argument", traced_get_argument, nullptr, nullptr, nullptr},
    {"ndim", traced_get_rank, nullptr, "Number of axes.", nullptr},
    {"name", traced_get_name, nullptr, "The name it was given, or None.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMethodDef traced_methods[] = {
    {"__array_ufunc__", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(traced_array_ufunc)),
     METH_FASTCALL | METH_KEYWORDS, nullptr},
    {"__array_function__",
     reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(traced_array_function)), METH_FASTCALL,
     nullptr},
    {"__array__", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(traced_array)),
     METH_VARARGS | METH_KEYWORDS, nullptr},
    {"__format__", traced_format, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr}};

int traced_traverse(PyObject* a, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(a));
  Py_VISIT(reinterpret_cast<PyObject*>(as_traced(a)->tracer));
  Py_VISIT(as_traced(a)->link);
  return 0;
}
void traced_dealloc(PyObject* a) {
  PyObject_GC_UnTrack(a);
  TracedObject* self = as_traced(a);
  Py_XDECREF(reinterpret_cast<PyObject*>(self->tracer));
  Py_XDECREF(self->name);
  Py_XDECREF(self->link);
  PyTypeObject* type = Py_TYPE(a);
  type->tp_free(a);
  Py_DECREF(type);
}

// TracedValue(example, name): an input of the trace that is open on this thread.
PyObject* traced_new(PyTypeObject*, PyObject* arguments, PyObject* keywords) {
  static const char* const kNames[] = {"example", "name", nullptr};
  PyObject* example = nullptr;
  PyObject* name = nullptr;
  if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O|O", const_cast<char**>(kNames), &example,
                                   &name)) {
    return nullptr;
  }
  if (current_tracer == nullptr) {
    PyErr_SetString(PyExc_RuntimeError,
                    "TracedValue is an input of a trace: make it inside `with trace():`");
    return nullptr;
  }
  return guarded<PyObject*>(nullptr, [&] {
    TracerObject* tracer = current_tracer;
    require_open(tracer);
    std::string text;
    if (name != nullptr && name != Py_None) {
      const char* given = PyUnicode_AsUTF8(name);
      if (given == nullptr) throw PythonFailure{};
      text = given;
    }
    Type type = Type::Void;
    int rank = 0;
    bool is_weak = true;
    if (PyBool_Check(example)) {
      type = Type::Bool;
    } else if (PyFloat_CheckExact(example)) {
      type = Type::F64;
    } else if (PyLong_CheckExact(example)) {
      type = Type::I64;
    } else {
      load_numpy();
      PyErr_Clear();
      type = numpy_type(example);
      is_weak = false;
      if (is_array(example)) rank = array_rank(example);
    }
    if (type == Type::Void) {
      PyErr_Format(PyExc_TypeError,
                   "TracedValue takes a number, bool or NumPy array as example, not %.100s",
                   Py_TYPE(example)->tp_name);
      throw PythonFailure{};
    }
    const NodeId id = tracer->builder->param(type, rank, text);
    PyObject* made = make_traced(tracer, {id, type, static_cast<uint8_t>(rank), is_weak},
                                 name == Py_None ? nullptr : name);
    if (made != nullptr) as_traced(made)->is_parameter = true;
    return made;
  });
}

// --- Tracer

PyObject* tracer_new(PyTypeObject* type, PyObject* arguments, PyObject* keywords) {
  static const char* const kNames[] = {"name", "lanes", nullptr};
  const char* name = "kernel";
  int is_lanes = 0;
  if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|sp", const_cast<char**>(kNames), &name,
                                   &is_lanes)) {
    return nullptr;
  }
  auto* self = reinterpret_cast<TracerObject*>(type->tp_alloc(type, 0));
  if (self == nullptr) return nullptr;
  self->captured = PyList_New(0);
  self->kept_codes = PyList_New(0);
  self->builder = new Builder(name);
  self->captured_ids = new std::vector<NodeId>;
  self->files = new std::unordered_map<PyObject*, uint32_t>;
  self->changes = new std::vector<Change>;
  self->is_open = true;
  self->is_lanes = is_lanes != 0;
  return as_object(self);
}

TracerObject* as_tracer(PyObject* object) { return reinterpret_cast<TracerObject*>(object); }

void forget_changes(TracerObject* self) {
  std::vector<Change> old;
  old.swap(*self->changes);
  for (const Change& change : old) Py_DECREF(change.object);
}

int tracer_traverse(PyObject* a, visitproc visit, void* arg) {
  TracerObject* self = as_tracer(a);
  for (const Change& change : *self->changes) Py_VISIT(change.object);
  Py_VISIT(Py_TYPE(a));
  Py_VISIT(self->decide);
  Py_VISIT(self->captured);
  Py_VISIT(self->kept_codes);
  return 0;
}
int tracer_clear(PyObject* a) {
  TracerObject* self = as_tracer(a);
  Py_CLEAR(self->decide);
  forget_changes(self);
  return 0;
}
void tracer_dealloc(PyObject* a) {
  PyObject_GC_UnTrack(a);
  TracerObject* self = as_tracer(a);
  if (current_tracer == self) current_tracer = nullptr;
  Py_XDECREF(self->decide);
  Py_XDECREF(self->captured);
  Py_XDECREF(self->kept_codes);
  forget_changes(self);
  delete self->changes;
  delete self->builder;
  delete self->captured_ids;
  delete self->files;
  PyTypeObject* type = Py_TYPE(a);
  type->tp_free(a);
  Py_DECREF(type);
}

template <class Fn>
PyObject* in_tracer(PyObject* a, Fn&& fn) {
  return guarded<PyObject*>(nullptr, [&]() -> PyObject* {
    TracerObject* self = as_tracer(a);
    require_open(self);
    return fn(self);
  });
}

Type need_type(const char* name) {
  const Type type = lattice::jit::type_from_name(name);
  if (type == Type::Void) {
    PyErr_Format(PyExc_ValueError, "no element type is called %s", name);
    throw PythonFailure{};
  }
  return type;
}

std::vector<Value> values_of(TracerObject* self, PyObject* sequence) {
  PyObject* fast = PySequence_Fast(sequence, "a list of values");
  if (fast == nullptr) throw PythonFailure{};
  std::vector<Value> values;
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(fast);
  try {
    for (Py_ssize_t k = 0; k < count; ++k) {
      values.push_back(need_value(self, PySequence_Fast_GET_ITEM(fast, k)));
    }
  } catch (...) {
    Py_DECREF(fast);
    throw;
  }
  Py_DECREF(fast);
  return values;
}

PyObject* list_of(TracerObject* self, const std::vector<Value>& values) {
  PyObject* list = PyList_New(static_cast<Py_ssize_t>(values.size()));
  if (list == nullptr) throw PythonFailure{};
  for (size_t k = 0; k < values.size(); ++k) {
    PyObject* made = make_traced(self, values[k]);
    if (made == nullptr) {
      Py_DECREF(list);
      throw PythonFailure{};
    }
    PyList_SET_ITEM(list, static_cast<Py_ssize_t>(k), made);
  }
  return list;
}

PyObject* tracer_enter(PyObject* a, PyObject*) {
  if (current_tracer != nullptr) {
    PyErr_SetString(PyExc_RuntimeError, "a trace is open on this thread already");
    return nullptr;
  }
  current_tracer = as_tracer(a);
  return Py_NewRef(a);
}
PyObject* tracer_leave(PyObject* a, PyObject*) {
  if (current_tracer == as_tracer(a)) current_tracer = nullptr;
  Py_RETURN_NONE;
}
PyObject* tracer_close(PyObject* a, PyObject*) {
  as_tracer(a)->is_open = false;
  forget_changes(as_tracer(a));
  if (current_tracer == as_tracer(a)) current_tracer = nullptr;
  Py_RETURN_NONE;
}
PyObject* tracer_current(PyObject*, PyObject*) {
  return Py_NewRef(current_tracer != nullptr ? as_object(current_tracer) : Py_None);
}

// param(type, rank, weak, name)
PyObject* tracer_param(PyObject* a, PyObject* arguments) {
  const char* type_text = nullptr;
  int rank = 0;
  int is_weak = 0;
  PyObject* name = nullptr;
  if (!PyArg_ParseTuple(arguments, "sipU", &type_text, &rank, &is_weak, &name)) return nullptr;
  return in_tracer(a, [&](TracerObject* self) {
    const Type type = need_type(type_text);
    const NodeId id = self->builder->param(type, rank, PyUnicode_AsUTF8(name));
    PyObject* made = make_traced(self, {id, type, static_cast<uint8_t>(rank), is_weak != 0}, name);
    if (made != nullptr) as_traced(made)->is_parameter = true;
    return made;
  });
}

PyObject* tracer_value(PyObject* a, PyObject* object) {
  return in_tracer(a, [&](TracerObject* self) -> PyObject* {
    if (is_traced(object)) return Py_NewRef(object);
    return make_traced(self, need_value(self, object));
  });
}

template <bool (*fn)(Builder&, std::string_view, std::span<const Value>, Value&)>
PyObject* tracer_named(PyObject* a, PyObject* const* arguments, Py_ssize_t count) {
  return in_tracer(a, [&](TracerObject* self) -> PyObject* {
    if (count < 2 || count > 4) return Py_NewRef(Py_NotImplemented);
    const char* name = PyUnicode_AsUTF8(arguments[0]);
    if (name == nullptr) throw PythonFailure{};
    Value values[3];
    for (Py_ssize_t k = 1; k < count; ++k) {
      if (!try_value(self, arguments[k], values[k - 1])) return Py_NewRef(Py_NotImplemented);
    }
    note_place(self);
    Value made;
    if (!fn(*self->builder, name, {values, static_cast<size_t>(count - 1)}, made)) {
      return Py_NewRef(Py_NotImplemented);
    }
    return make_traced(self, made);
  });
}

// cast(x, type, weak)
PyObject* tracer_cast(PyObject* a, PyObject* arguments) {
  PyObject* object = nullptr;
  const char* type_text = nullptr;
  int is_weak = 0;
  if (!PyArg_ParseTuple(arguments, "Osp", &object, &type_text, &is_weak)) return nullptr;
  return in_tracer(a, [&](TracerObject* self) {
    note_place(self);
    Value value = cast_to(*self->builder, need_value(self, object), need_type(type_text));
    value.is_weak = is_weak != 0;
    value.is_mixed = false;
    return make_traced(self, value);
  });
}

// select(condition, x, y)
// carry(value, type, is_weak, is_mixed): cast, for a variable of another type on other ways to here
PyObject* tracer_carry(PyObject* a, PyObject* arguments) {
  PyObject* object = nullptr;
  const char* type_text = nullptr;
  int is_weak = 0;
  int is_mixed = 0;
  if (!PyArg_ParseTuple(arguments, "Ospp", &object, &type_text, &is_weak, &is_mixed)) {
    return nullptr;
  }
  return in_tracer(a, [&](TracerObject* self) {
    note_place(self);
    const Value value = need_value(self, object);
    Value carried = value;
    carried.type = need_type(type_text);
    guard_merge(*self->builder, value, carried, ir::kNone);
    carried = cast_to(*self->builder, value, carried.type);
    carried.is_weak = is_weak != 0;
    carried.is_mixed = is_mixed != 0;
    return make_traced(self, carried);
  });
}
PyObject* tracer_select(PyObject* a, PyObject* arguments) {
  PyObject* c = nullptr;
  PyObject* x = nullptr;
  PyObject* y = nullptr;
  if (!PyArg_ParseTuple(arguments, "OOO", &c, &x, &y)) return nullptr;
  return in_tracer(a, [&](TracerObject* self) {
    note_place(self);
    Builder& b = *self->builder;
    const Value condition = truth(b, need_value(self, c));
    return make_traced(self, select_value(b, condition, need_value(self, x), need_value(self, y)));
  });
}

PyObject* tracer_truth(PyObject* a, PyObject* object) {
  return in_tracer(a, [&](TracerObject* self) {
    note_place(self);
    return make_traced(self, truth(*self->builder, need_value(self, object)));
  });
}

PyObject* tracer_not(PyObject* a, PyObject* object) {
  return in_tracer(a, [&](TracerObject* self) {
    note_place(self);
    Value value = truth(*self->builder, need_value(self, object));
    value.id = self->builder->unary(Op::Not, value.id);
    return make_traced(self, value);
  });
}

PyObject* tracer_abs(PyObject* a, PyObject* object) {
  return in_tracer(a, [&](TracerObject* self) {
    note_place(self);
    return make_traced(self, absolute(*self->builder, need_value(self, object)));
  });
}

// both(x, y, is_or): of two conditions.
PyObject* tracer_both(PyObject* a, PyObject* arguments) {
  PyObject* x = nullptr;
  PyObject* y = nullptr;
  int is_or = 0;
  if (!PyArg_ParseTuple(arguments, "OOp", &x, &y, &is_or)) return nullptr;
  return in_tracer(a, [&](TracerObject* self) {
    note_place(self);
    Builder& b = *self->builder;
    Value u = truth(b, need_value(self, x));
    const Value v = truth(b, need_value(self, y));
    u.rank = std::max(u.rank, v.rank);
    u.is_weak = u.is_weak && v.is_weak;
    u.id = b.binary(is_or != 0 ? Op::Or : Op::And, u.id, v.id);
    return make_traced(self, u);
  });
}

// rint(x): half to even, of a float.
PyObject* tracer_rint(PyObject* a, PyObject* object) {
  return in_tracer(a, [&](TracerObject* self) {
    note_place(self);
    Value value = need_value(self, object);
    value.id = self->builder->unary(Op::Rint, value.id);
    return make_traced(self, value);
  });
}

// reduce(name, x, axes, keepdims, any_order)
PyObject* tracer_reduce(PyObject* a, PyObject* arguments) {
  const char* name = nullptr;
  PyObject* x = nullptr;
  unsigned axes = 0;
  int keep_dims = 0;
  int any_order = 0;
  if (!PyArg_ParseTuple(arguments, "sOIpp", &name, &x, &axes, &keep_dims, &any_order)) {
    return nullptr;
  }
  return in_tracer(a, [&](TracerObject* self) {
    note_place(self);
    return make_traced(self, reduce_value(*self->builder, name, need_value(self, x), axes,
                                          keep_dims != 0, any_order != 0));
  });
}

Value from_node(TracerObject* self, NodeId id, bool is_weak = false) {
  const ir::Node& node = (*self->builder)[id];
  return {id, node.type, static_cast<uint8_t>(node.rank()), is_weak};
}

// scan(name, x, axis)
PyObject* tracer_scan(PyObject* a, PyObject* arguments) {
  const char* name = nullptr;
  PyObject* x = nullptr;
  int axis = 0;
  if (!PyArg_ParseTuple(arguments, "sOi", &name, &x, &axis)) return nullptr;
  return in_tracer(a, [&](TracerObject* self) {
    note_place(self);
    Builder& b = *self->builder;
    const std::string_view which = name;
    Value value = need_value(self, x);
    const bool adds = which == "sum" || which == "prod";
    if (adds && (value.type == Type::Bool || lattice::jit::is_signed_int(value.type))) {
      value = cast_to(b, value, Type::I64);
    } else if (adds && lattice::jit::is_unsigned_int(value.type)) {
      value = cast_to(b, value, Type::U64);
    }
    const Op op = which == "sum"    ? Op::ScanSum
                  : which == "prod" ? Op::ScanProd
                  : which == "min"  ? Op::ScanMin
                                    : Op::ScanMax;
    return make_traced(self, from_node(self, b.scan(op, value.id, axis)));
  });
}

// view(x, items): an int, a slice of ints and Nones, or None for each axis.
PyObject* tracer_view(PyObject* a, PyObject* arguments) {
  PyObject* x = nullptr;
  PyObject* items = nullptr;
  if (!PyArg_ParseTuple(arguments, "OO!", &x, &PyTuple_Type, &items)) return nullptr;
  return in_tracer(a, [&](TracerObject* self) {
    note_place(self);
    ir::ViewSpec spec;
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(items); ++k) {
      PyObject* item = PyTuple_GET_ITEM(items, k);
      ir::ViewItem made;
      if (item == Py_None) {
        made.kind = ir::ViewItem::Kind::NewAxis;
      } else if (PySlice_Check(item)) {
        auto* slice = reinterpret_cast<PySliceObject*>(item);
        auto read = [](PyObject* part, bool& has, int64_t& number) {
          if (part == Py_None) return;
          has = true;
          number = PyLong_AsLongLong(part);
          if (number == -1 && PyErr_Occurred()) throw PythonFailure{};
        };
        bool has_step = false;
        read(slice->start, made.has_start, made.start);
        read(slice->stop, made.has_stop, made.stop);
        read(slice->step, has_step, made.step);
      } else {
        made.kind = ir::ViewItem::Kind::Index;
        made.start = PyLong_AsLongLong(item);
        if (made.start == -1 && PyErr_Occurred()) throw PythonFailure{};
      }
      spec.push_back(made);
    }
    return make_traced(
        self, from_node(self, self->builder->view(need_value(self, x).id, std::move(spec))));
  });
}

// transpose(x, permutation)
PyObject* tracer_transpose(PyObject* a, PyObject* arguments) {
  PyObject* x = nullptr;
  PyObject* order = nullptr;
  if (!PyArg_ParseTuple(arguments, "OO!", &x, &PyTuple_Type, &order)) return nullptr;
  return in_tracer(a, [&](TracerObject* self) {
    note_place(self);
    std::vector<int> permutation;
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(order); ++k) {
      permutation.push_back(static_cast<int>(PyLong_AsLong(PyTuple_GET_ITEM(order, k))));
    }
    return make_traced(
        self, from_node(self, self->builder->transpose(need_value(self, x).id, permutation)));
  });
}

// extent(x, axes): a Python int
PyObject* tracer_extent(PyObject* a, PyObject* arguments) {
  PyObject* x = nullptr;
  unsigned axes = 0;
  if (!PyArg_ParseTuple(arguments, "OI", &x, &axes)) return nullptr;
  return in_tracer(a, [&](TracerObject* self) -> PyObject* {
    note_place(self);
    const Value value = need_value(self, x);
    if (value.rank == 0) return PyLong_FromLong(1);
    return make_traced(self, from_node(self, self->builder->extent(value.id, axes), true));
  });
}

PyObject* tracer_like(PyObject* a, PyObject* arguments) {
  PyObject* x = nullptr;
  PyObject* y = nullptr;
  if (!PyArg_ParseTuple(arguments, "OO", &x, &y)) return nullptr;
  return in_tracer(a, [&](TracerObject* self) {
    note_place(self);
    const Value value = need_value(self, x);
    const NodeId id = self->builder->like(value.id, need_value(self, y).id);
    return make_traced(self, from_node(self, id));
  });
}

// iota(n, trailing)
PyObject* tracer_iota(PyObject* a, PyObject* arguments) {
  PyObject* n = nullptr;
  int trailing = 0;
  if (!PyArg_ParseTuple(arguments, "O|i", &n, &trailing)) return nullptr;
  return in_tracer(a, [&](TracerObject* self) {
    note_place(self);
    const NodeId count = cast_to(*self->builder, need_value(self, n), Type::I64).id;
    return make_traced(self, from_node(self, self->builder->iota(count, trailing)));
  });
}

// scatter(x, index, value): a copy of x with elements set.
PyObject* tracer_scatter(PyObject* a, PyObject* arguments) {
  PyObject* x = nullptr;
  PyObject* index = nullptr;
  PyObject* object = nullptr;
  if (!PyArg_ParseTuple(arguments, "OOO", &x, &index, &object)) return nullptr;
  return in_tracer(a, [&](TracerObject* self) {
    note_place(self);
    Builder& b = *self->builder;
    const Value base = need_value(self, x);
    const NodeId at = cast_to(b, need_value(self, index), Type::I64).id;
    const NodeId value = cast_to(b, need_value(self, object), base.type).id;
    return make_traced(self, from_node(self, b.scatter(base.id, at, value, ir::ScatterMode::Set)));
  });
}

// gather(x, indices, is_clipped): with indices from outside of x refused, or moved to its edge.
PyObject* tracer_gather(PyObject* a, PyObject* arguments) {
  PyObject* x = nullptr;
  PyObject* indices = nullptr;
  int is_clipped = 0;
  if (!PyArg_ParseTuple(arguments, "OO|p", &x, &indices, &is_clipped)) return nullptr;
  return in_tracer(a, [&](TracerObject* self) {
    note_place(self);
    std::vector<NodeId> ids;
    for (const Value& index : values_of(self, indices)) {
      ids.push_back(cast_to(*self->builder, index, Type::I64).id);
    }
    const Value source = need_value(self, x);
    return make_traced(
        self, from_node(self, self->builder->gather(
                                  source.id, ids,
                                  is_clipped != 0 ? ir::BoundsMode::Clip : ir::BoundsMode::Raise)));
  });
}

// promote(x, y): (type, weak) of a variable that may be either.
PyObject* tracer_promote(PyObject* a, PyObject* arguments) {
  PyObject* x = nullptr;
  PyObject* y = nullptr;
  if (!PyArg_ParseTuple(arguments, "OO", &x, &y)) return nullptr;
  return in_tracer(a, [&](TracerObject* self) {
    const Value target = promoted(*self->builder, need_value(self, x), need_value(self, y));
    return Py_BuildValue("(sO)", std::string(type_name(target.type)).c_str(),
                         target.is_weak ? Py_True : Py_False);
  });
}

// step(i, by): the counter of a range, which cannot overflow before its end.
PyObject* tracer_step(PyObject* a, PyObject* arguments) {
  PyObject* x = nullptr;
  PyObject* y = nullptr;
  if (!PyArg_ParseTuple(arguments, "OO", &x, &y)) return nullptr;
  return in_tracer(a, [&](TracerObject* self) {
    Value value = need_value(self, x);
    value.id = self->builder->binary(Op::Add, value.id, need_value(self, y).id);
    return make_traced(self, value);
  });
}

// cover(x): x with the shape of all array parameters of an element-wise function, also of those
// that it does not depend on.
PyObject* tracer_cover(PyObject* a, PyObject* object) {
  return in_tracer(a, [&](TracerObject* self) {
    Builder& b = *self->builder;
    Value value = need_value(self, object);
    std::vector<bool> seen(b.function().nodes.size());
    std::vector<NodeId> todo = {value.id};
    while (!todo.empty()) {
      const NodeId id = todo.back();
      todo.pop_back();
      if (seen[id]) continue;
      seen[id] = true;
      const ir::Node& node = b[id];
      // The rank of a loop or if is that of all its values, whichever is asked for.
      ir::for_each_operand(b.function(), node, [&](NodeId operand) { todo.push_back(operand); });
    }
    for (NodeId id = 0; id < seen.size(); ++id) {
      const ir::Node& node = b[id];
      if (node.op != Op::Param || node.rank() == 0 || seen[id]) continue;
      value.id = b.like(value.id, id);
    }
    value.rank = static_cast<uint8_t>(b[value.id].rank());
    return make_traced(self, value);
  });
}

PyObject* tracer_guard(PyObject* a, PyObject* object) {
  return in_tracer(a, [&](TracerObject* self) {
    note_place(self);
    self->builder->guard(truth(*self->builder, need_value(self, object)).id);
    return Py_NewRef(Py_None);
  });
}

// --- structure

PyObject* tracer_begin_if(PyObject* a, PyObject* condition) {
  return in_tracer(a, [&](TracerObject* self) {
    note_place(self);
    self->builder->begin_if(truth(*self->builder, need_value(self, condition)).id);
    return Py_NewRef(Py_None);
  });
}
PyObject* tracer_begin_else(PyObject* a, PyObject*) {
  return in_tracer(a, [&](TracerObject* self) {
    self->builder->begin_else(std::span<const NodeId>());  // the values are settled in end_if
    return Py_NewRef(Py_None);
  });
}

// end_if(condition, then values, else values): the merged values. A pair of unlike types is merged
// in the wider one; where the then side is the narrower, whose region is closed by now, both sides
// come out and a select outside chooses.
PyObject* tracer_end_if(PyObject* a, PyObject* arguments) {
  PyObject* condition = nullptr;
  PyObject* then_list = nullptr;
  PyObject* else_list = nullptr;
  if (!PyArg_ParseTuple(arguments, "OOO", &condition, &then_list, &else_list)) return nullptr;
  return in_tracer(a, [&](TracerObject* self) {
    note_place(self);
    Builder& b = *self->builder;
    const Value flag = truth(b, need_value(self, condition));
    const std::vector<Value> yes = values_of(self, then_list);
    const std::vector<Value> no = values_of(self, else_list);
    struct Merge {
      Value target;
      size_t first;
      bool is_split;
      bool is_flag;
    };
    auto is_bool = [&](const Value& value, Bits wanted) {
      return value.type == Type::Bool && is_constant(b, value) && b[value.id].imm == wanted;
    };
    std::vector<Merge> merges;
    std::vector<NodeId> then_ids;
    std::vector<NodeId> else_ids;
    for (size_t k = 0; k < yes.size(); ++k) {
      Value target = promoted(b, yes[k], no[k]);
      const Type type = target.type;
      // "True here, False there" is the condition itself.
      if (is_bool(yes[k], 1) && is_bool(no[k], 0)) {
        merges.push_back({target, 0, false, true});
        continue;
      }
      const bool is_split = yes[k].type != type && !is_constant(b, yes[k]);
      merges.push_back({target, then_ids.size(), is_split, false});
      if (is_split) {
        then_ids.push_back(yes[k].id);
        else_ids.push_back(b.constant(yes[k].type, 0));
        then_ids.push_back(b.constant(type, 0));
      } else {
        then_ids.push_back(cast_to(b, yes[k], type).id);
      }
      guard_merge(b, no[k], target, ir::kNone);
      else_ids.push_back(cast_to(b, no[k], type).id);
    }
    const ir::RegionId otherwise = b.region();
    // The then-region is the one that was opened before this one at the same depth.
    ir::RegionId then = otherwise - 1;
    const auto& regions = b.function().regions;
    while (regions[then].kind != ir::RegionKind::Then ||
           regions[then].parent != regions[otherwise].parent) {
      --then;
    }
    b.function().regions[then].yields = then_ids;
    const NodeId node = b.end_if(else_ids);
    std::vector<Value> results;
    for (const Merge& merge : merges) {
      if (merge.is_flag) {
        results.push_back(from_node(self, flag.id, merge.target.is_weak));
        continue;
      }
      NodeId id = b.result(node, static_cast<int>(merge.first));
      const Value& then_value = yes[static_cast<size_t>(&merge - merges.data())];
      if (merge.is_split) {
        Value taken = then_value;
        taken.id = id;
        guard_merge(b, taken, merge.target, flag.id);
        const NodeId narrow = b.cast(id, merge.target.type);
        id = b.select(flag.id, narrow, b.result(node, static_cast<int>(merge.first) + 1));
      } else if (then_value.type != merge.target.type) {  // a constant
        guard_merge(b, then_value, merge.target, flag.id);
      }
      results.push_back(from_node(self, id, merge.target.is_weak));
      results.back().is_mixed = merge.target.is_mixed;
    }
    return list_of(self, results);
  });
}

// begin_loop(values): the values at the head of a round
PyObject* tracer_begin_loop(PyObject* a, PyObject* inits) {
  return in_tracer(a, [&](TracerObject* self) {
    note_place(self);
    const std::vector<Value> values = values_of(self, inits);
    std::vector<NodeId> ids;
    for (const Value& value : values) ids.push_back(value.id);
    const ir::RegionId region = self->builder->begin_loop(ids);
    std::vector<Value> args;
    for (size_t k = 0; k < values.size(); ++k) {
      args.push_back(
          from_node(self, self->builder->arg(region, static_cast<int>(k)), values[k].is_weak));
      args.back().is_mixed = values[k].is_mixed;
    }
    return list_of(self, args);
  });
}
PyObject* tracer_exit_unless(PyObject* a, PyObject* condition) {
  return in_tracer(a, [&](TracerObject* self) {
    note_place(self);
    self->builder->exit_unless(truth(*self->builder, need_value(self, condition)).id);
    return Py_NewRef(Py_None);
  });
}
// end_loop(next values of the inits' types, weak flags)
PyObject* tracer_end_loop(PyObject* a, PyObject* nexts) {
  return in_tracer(a, [&](TracerObject* self) {
    note_place(self);
    const std::vector<Value> values = values_of(self, nexts);
    std::vector<NodeId> ids;
    for (const Value& value : values) ids.push_back(value.id);
    const NodeId loop = self->builder->end_loop(ids);
    std::vector<Value> results;
    for (size_t k = 0; k < values.size(); ++k) {
      results.push_back(
          from_node(self, self->builder->result(loop, static_cast<int>(k)), values[k].is_weak));
      results.back().is_mixed = values[k].is_mixed;
    }
    return list_of(self, results);
  });
}

PyObject* tracer_checkpoint(PyObject* a, PyObject*) {
  return in_tracer(a, [&](TracerObject* self) {
    const Builder::Checkpoint at = self->builder->checkpoint();
    return PyBytes_FromStringAndSize(reinterpret_cast<const char*>(&at), sizeof(at));
  });
}
PyObject* tracer_rollback(PyObject* a, PyObject* token) {
  return in_tracer(a, [&](TracerObject* self) {
    Builder::Checkpoint at;
    if (!PyBytes_Check(token) || PyBytes_GET_SIZE(token) != sizeof(at)) {
      PyErr_SetString(PyExc_TypeError, "rollback takes what checkpoint gave");
      throw PythonFailure{};
    }
    std::memcpy(&at, PyBytes_AS_STRING(token), sizeof(at));
    // Arrays from outside that were first met since then are parameters no more.
    while (!self->captured_ids->empty() && self->captured_ids->back() >= at.nodes) {
      self->captured_ids->pop_back();
      const Py_ssize_t count = PyList_GET_SIZE(self->captured);
      if (PyList_SetSlice(self->captured, count - 1, count, nullptr) < 0) throw PythonFailure{};
      self->builder->function().params.pop_back();
    }
    self->builder->rollback(at);
    return Py_NewRef(Py_None);
  });
}

// is_cheap(token, count): whether what was recorded since then is at most `count` nodes that may
// run in lanes that do not need them: no report, no library function, no division.
PyObject* tracer_is_cheap(PyObject* a, PyObject* arguments) {
  PyObject* token = nullptr;
  int count_max = 0;
  if (!PyArg_ParseTuple(arguments, "Si", &token, &count_max)) return nullptr;
  return in_tracer(a, [&](TracerObject* self) {
    Builder::Checkpoint at;
    std::memcpy(&at, PyBytes_AS_STRING(token), sizeof(at));
    const ir::Function& f = self->builder->function();
    int count = 0;
    for (size_t id = at.nodes; id < f.nodes.size(); ++id) {
      const ir::Node& node = f.nodes[id];
      switch (node.op) {
        case Op::Const:
        case Op::Param:
          continue;
        case Op::Div:
        case Op::FloorDiv:
        case Op::Mod:
        case Op::TruncDiv:
        case Op::FMod:
        case Op::IPow:
        case Op::Sqrt:
          Py_RETURN_FALSE;
        default:
          break;
      }
      const bool is_plain = lattice::jit::is_elementwise(node.op) &&
                            lattice::jit::op_kind(node.op) != lattice::jit::OpKind::Math &&
                            !node.checked();
      if (!is_plain || ++count > count_max) Py_RETURN_FALSE;
    }
    Py_RETURN_TRUE;
  });
}

// inline(ir, arguments): a recorded function's outputs for these values of its params' types.
PyObject* tracer_inline(PyObject* a, PyObject* arguments) {
  PyObject* function = nullptr;
  PyObject* given = nullptr;
  if (!PyArg_ParseTuple(arguments, "OO", &function, &given)) return nullptr;
  return in_tracer(a, [&](TracerObject* self) {
    const ir::Function* recorded = ir_of(function);
    if (recorded == nullptr) throw PythonFailure{};
    std::vector<NodeId> ids;
    for (const Value& value : values_of(self, given)) ids.push_back(value.id);
    std::vector<Value> made;
    for (NodeId id : lattice::jit::inline_function(*self->builder, *recorded, ids)) {
      made.push_back(from_node(self, id));
    }
    return list_of(self, made);
  });
}

// --- arrays as cells

// put(array, value, is_own): changes an array in place; the value has its type and rank.
PyObject* tracer_put(PyObject* a, PyObject* arguments) {
  PyObject* target = nullptr;
  PyObject* object = nullptr;
  int is_own = 0;
  if (!PyArg_ParseTuple(arguments, "O!Op", traced_type, &target, &object, &is_own)) return nullptr;
  return in_tracer(a, [&](TracerObject* self) {
    note_place(self);
    Value value = need_value(self, object);
    const Value& old = current(as_traced(target));
    value = cast_to(*self->builder, value, old.type);
    if (value.rank < old.rank) value.id = self->builder->like(value.id, old.id);
    assign(as_traced(target), value, is_own != 0);
    return Py_NewRef(Py_None);
  });
}

// link(view, array, read, write or None): `view` shows part of `array`.
PyObject* tracer_link(PyObject* a, PyObject* arguments) {
  PyObject* view = nullptr;
  PyObject* base = nullptr;
  PyObject* read = nullptr;
  PyObject* write = nullptr;
  if (!PyArg_ParseTuple(arguments, "O!O!OO", traced_type, &view, traced_type, &base, &read,
                        &write)) {
    return nullptr;
  }
  return in_tracer(a, [&](TracerObject*) {
    TracedObject* self = as_traced(view);
    PyObject* link = PyTuple_Pack(3, base, read, write);
    if (link == nullptr) throw PythonFailure{};
    Py_XSETREF(self->link, link);
    self->seen = as_traced(base)->version;
    return Py_NewRef(view);
  });
}

// mark(): where the list of changes ends now.
PyObject* tracer_mark(PyObject* a, PyObject*) {
  return PyLong_FromSize_t(as_tracer(a)->changes->size());
}

// changed(mark): the arrays that the program has changed since then, each once, and their values of
// now, as other objects.
PyObject* tracer_changed(PyObject* a, PyObject* mark) {
  const size_t first = PyLong_AsSize_t(mark);
  if (first == static_cast<size_t>(-1) && PyErr_Occurred()) return nullptr;
  return in_tracer(a, [&](TracerObject* self) {
    PyObject* list = PyList_New(0);
    std::vector<PyObject*> seen;
    for (size_t k = first; k < self->changes->size(); ++k) {
      const Change& change = (*self->changes)[k];
      if (change.is_refresh || std::find(seen.begin(), seen.end(), change.object) != seen.end()) {
        continue;
      }
      seen.push_back(change.object);
      PyObject* now = make_traced(self, current(as_traced(change.object)));
      PyObject* pair = now != nullptr ? PyTuple_Pack(2, change.object, now) : nullptr;
      Py_XDECREF(now);
      if (pair == nullptr || PyList_Append(list, pair) < 0) {
        Py_XDECREF(pair);
        Py_DECREF(list);
        throw PythonFailure{};
      }
      Py_DECREF(pair);
    }
    return list;
  });
}

// undo(mark): everything is as it was then.
PyObject* tracer_undo(PyObject* a, PyObject* mark) {
  const size_t first = PyLong_AsSize_t(mark);
  if (first == static_cast<size_t>(-1) && PyErr_Occurred()) return nullptr;
  std::vector<Change>& changes = *as_tracer(a)->changes;
  while (changes.size() > first) {
    const Change change = changes.back();
    changes.pop_back();
    TracedObject* object = as_traced(change.object);
    object->value = change.old;
    object->seen = change.old_seen;
    ++object->version;
    Py_DECREF(change.object);
  }
  Py_RETURN_NONE;
}
PyObject* tracer_born(PyObject* a, void*) {
  return PyLong_FromUnsignedLongLong(as_tracer(a)->born);
}

// distance(stop, start): stop - start when that follows from how they were made, else None.
PyObject* tracer_distance(PyObject* a, PyObject* arguments) {
  PyObject* stop = nullptr;
  PyObject* start = nullptr;
  if (!PyArg_ParseTuple(arguments, "OO", &stop, &start)) return nullptr;
  return in_tracer(a, [&](TracerObject* self) -> PyObject* {
    const Builder& b = *self->builder;
    struct Sum {
      NodeId base;
      int64_t more;
    };
    const auto split = [&](NodeId id) {
      Sum sum{id, 0};
      for (;;) {
        const ir::Node& node = b[sum.base];
        const bool adds = node.op == Op::Add;
        if (node.type != Type::I64 || (!adds && node.op != Op::Sub)) return sum;
        if (b[node.b].op == Op::Const) {
          const auto by = from_bits<int64_t>(b[node.b].imm);
          sum = {node.a, sum.more + (adds ? by : -by)};
        } else if (adds && b[node.a].op == Op::Const) {
          sum = {node.b, sum.more + from_bits<int64_t>(b[node.a].imm)};
        } else {
          return sum;
        }
      }
    };
    const Sum from = split(need_value(self, start).id);
    const Sum to = split(need_value(self, stop).id);
    if (from.base == to.base) return PyLong_FromLongLong(to.more - from.more);
    const ir::Node& node = b[to.base];
    if (node.op != Op::Add) Py_RETURN_NONE;
    for (int side = 0; side < 2; ++side) {
      const Sum part = split(side == 0 ? node.a : node.b);
      if (part.base != from.base) continue;
      const Value rest = from_node(self, side == 0 ? node.b : node.a, true);
      const int64_t more = to.more + part.more - from.more;
      if (more == 0) return make_traced(self, rest);
      return make_traced(
          self, arith(*self->builder, Arith::Add, rest, constant_int(*self->builder, more)));
    }
    Py_RETURN_NONE;
  });
}

PyObject* tracer_depth(PyObject* a, void*) {
  TracerObject* self = as_tracer(a);
  return PyLong_FromUnsignedLong(self->builder->function().regions[self->builder->region()].depth);
}
PyObject* tracer_node_count(PyObject* a, void*) {
  return PyLong_FromSize_t(as_tracer(a)->builder->function().nodes.size());
}
PyObject* tracer_get_lanes(PyObject* a, void*) { return PyBool_FromLong(as_tracer(a)->is_lanes); }
PyObject* tracer_get_captured(PyObject* a, void*) { return Py_NewRef(as_tracer(a)->captured); }
PyObject* tracer_get_decide(PyObject* a, void*) {
  PyObject* decide = as_tracer(a)->decide;
  return Py_NewRef(decide != nullptr ? decide : Py_None);
}
int tracer_set_decide(PyObject* a, PyObject* value, void*) {
  PyObject* old = as_tracer(a)->decide;
  as_tracer(a)->decide = value == nullptr || value == Py_None ? nullptr : Py_NewRef(value);
  Py_XDECREF(old);
  return 0;
}

// finish(outputs): the recorded Ir. The tracer is closed.
PyObject* tracer_finish(PyObject* a, PyObject* outputs) {
  return in_tracer(a, [&](TracerObject* self) {
    std::vector<NodeId> ids;
    for (const Value& value : values_of(self, outputs)) ids.push_back(value.id);
    ir::Function function = self->builder->finish(ids);
    self->is_open = false;
    if (current_tracer == self) current_tracer = nullptr;
    return make_ir(std::move(function));
  });
}

template <class T>
PyCFunction method(T* function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(function));
}

PyMethodDef tracer_methods[] = {
    {"enter", tracer_enter, METH_NOARGS, nullptr},
    {"leave", tracer_leave, METH_NOARGS, nullptr},
    {"close", tracer_close, METH_NOARGS, nullptr},
    {"current", tracer_current, METH_NOARGS | METH_STATIC, nullptr},
    {"param", tracer_param, METH_VARARGS, nullptr},
    {"value", tracer_value, METH_O, nullptr},
    {"numpy", method(tracer_named<numpy_function>), METH_FASTCALL, nullptr},
    {"math", method(tracer_named<math_function>), METH_FASTCALL, nullptr},
    {"cast", tracer_cast, METH_VARARGS, nullptr},
    {"carry", tracer_carry, METH_VARARGS, nullptr},
    {"select", tracer_select, METH_VARARGS, nullptr},
    {"truth", tracer_truth, METH_O, nullptr},
    {"not_", tracer_not, METH_O, nullptr},
    {"abs", tracer_abs, METH_O, nullptr},
    {"both", tracer_both, METH_VARARGS, nullptr},
    {"rint", tracer_rint, METH_O, nullptr},
    {"reduce", tracer_reduce, METH_VARARGS, nullptr},
    {"scan", tracer_scan, METH_VARARGS, nullptr},
    {"view", tracer_view, METH_VARARGS, nullptr},
    {"transpose", tracer_transpose, METH_VARARGS, nullptr},
    {"extent", tracer_extent, METH_VARARGS, nullptr},
    {"like", tracer_like, METH_VARARGS, nullptr},
    {"iota", tracer_iota, METH_VARARGS, nullptr},
    {"gather", tracer_gather, METH_VARARGS, nullptr},
    {"guard", tracer_guard, METH_O, nullptr},
    {"cover", tracer_cover, METH_O, nullptr},
    {"promote", tracer_promote, METH_VARARGS, nullptr},
    {"step", tracer_step, METH_VARARGS, nullptr},
    {"begin_if", tracer_begin_if, METH_O, nullptr},
    {"begin_else", tracer_begin_else, METH_NOARGS, nullptr},
    {"end_if", tracer_end_if, METH_VARARGS, nullptr},
    {"begin_loop", tracer_begin_loop, METH_O, nullptr},
    {"exit_unless", tracer_exit_unless, METH_O, nullptr},
    {"end_loop", tracer_end_loop, METH_O, nullptr},
    {"checkpoint", tracer_checkpoint, METH_NOARGS, nullptr},
    {"rollback", tracer_rollback, METH_O, nullptr},
    {"is_cheap", tracer_is_cheap, METH_VARARGS, nullptr},
    {"inline", tracer_inline, METH_VARARGS, nullptr},
    {"put", tracer_put, METH_VARARGS, nullptr},
    {"link", tracer_link, METH_VARARGS, nullptr},
    {"mark", tracer_mark, METH_NOARGS, nullptr},
    {"changed", tracer_changed, METH_O, nullptr},
    {"undo", tracer_undo, METH_O, nullptr},
    {"distance", tracer_distance, METH_VARARGS, nullptr},
    {"scatter", tracer_scatter, METH_VARARGS, nullptr},
    {"finish", tracer_finish, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef tracer_getset[] = {{"born", tracer_born, nullptr, nullptr, nullptr},
                               {"depth", tracer_depth, nullptr, nullptr, nullptr},
                               {"node_count", tracer_node_count, nullptr, nullptr, nullptr},
                               {"lanes", tracer_get_lanes, nullptr, nullptr, nullptr},
                               {"captured", tracer_get_captured, nullptr, nullptr, nullptr},
                               {"decide", tracer_get_decide, tracer_set_decide, nullptr, nullptr},
                               {nullptr, nullptr, nullptr, nullptr, nullptr}};

struct Slots {
  std::vector<PyType_Slot> list;
  template <class T>
  void add(int id, T* content) {
    list.push_back({id, reinterpret_cast<void*>(content)});
  }
};

}  // namespace

PyObject* make_traced(TracerObject* tracer, Value value, PyObject* name) {
  auto* self = reinterpret_cast<TracedObject*>(traced_type->tp_alloc(traced_type, 0));
  if (self == nullptr) return nullptr;
  self->tracer = tracer;
  Py_INCREF(reinterpret_cast<PyObject*>(tracer));
  self->value = value;
  self->name = name != nullptr ? Py_NewRef(name) : nullptr;
  self->serial = ++tracer->born;
  return reinterpret_cast<PyObject*>(self);
}

int init_trace_types(PyObject* module) {
  Slots tracer;
  tracer.add(Py_tp_doc, const_cast<char*>("Records what is done with its TracedValues as IR."));
  tracer.add(Py_tp_new, &tracer_new);
  tracer.add(Py_tp_dealloc, &tracer_dealloc);
  tracer.add(Py_tp_traverse, &tracer_traverse);
  tracer.add(Py_tp_clear, &tracer_clear);
  tracer.add(Py_tp_methods, &tracer_methods[0]);
  tracer.add(Py_tp_getset, &tracer_getset[0]);
  tracer.list.push_back({0, nullptr});
  PyType_Spec tracer_spec = {"lattice._core.Tracer", sizeof(TracerObject), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, tracer.list.data()};
  tracer_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&tracer_spec));
  if (tracer_type == nullptr) return -1;

  Slots traced;
  traced.add(Py_tp_doc, const_cast<char*>(
                            "TracedValue(example, name=None)\n--\n\n"
                            "A value that is known when the traced code runs natively.\n\n"
                            "Arithmetic, comparisons and NumPy's functions on it are recorded."));
  traced.add(Py_tp_new, &traced_new);
  traced.add(Py_tp_dealloc, &traced_dealloc);
  traced.add(Py_tp_traverse, &traced_traverse);
  traced.add(Py_tp_getattro, &traced_getattr);
  traced.add(Py_tp_repr, &traced_repr);
  traced.add(Py_tp_richcompare, &traced_compare);
  traced.add(Py_tp_hash, &PyObject_HashNotImplemented);
  traced.add(Py_tp_iter, &traced_iter);
  traced.add(Py_tp_methods, &traced_methods[0]);
  traced.add(Py_tp_getset, &traced_getset[0]);
  traced.add(Py_mp_subscript, &traced_subscript);
  traced.add(Py_mp_ass_subscript, &traced_set_item);
  traced.add(Py_mp_length, &traced_length);
  traced.add(Py_nb_add, &traced_arith<Arith::Add>);
  traced.add(Py_nb_subtract, &traced_arith<Arith::Sub>);
  traced.add(Py_nb_multiply, &traced_arith<Arith::Mul>);
  traced.add(Py_nb_true_divide, &traced_arith<Arith::TrueDiv>);
  traced.add(Py_nb_floor_divide, &traced_arith<Arith::FloorDiv>);
  traced.add(Py_nb_remainder, &traced_arith<Arith::Mod>);
  traced.add(Py_nb_power, &traced_power);
  traced.add(Py_nb_divmod, &traced_divmod);
  traced.add(Py_nb_and, &traced_arith<Arith::And>);
  traced.add(Py_nb_or, &traced_arith<Arith::Or>);
  traced.add(Py_nb_xor, &traced_arith<Arith::Xor>);
  traced.add(Py_nb_lshift, &traced_arith<Arith::Shl>);
  traced.add(Py_nb_rshift, &traced_arith<Arith::Shr>);
  traced.add(Py_nb_inplace_add, &traced_inplace<Arith::Add>);
  traced.add(Py_nb_inplace_subtract, &traced_inplace<Arith::Sub>);
  traced.add(Py_nb_inplace_multiply, &traced_inplace<Arith::Mul>);
  traced.add(Py_nb_inplace_true_divide, &traced_inplace<Arith::TrueDiv>);
  traced.add(Py_nb_inplace_floor_divide, &traced_inplace<Arith::FloorDiv>);
  traced.add(Py_nb_inplace_remainder, &traced_inplace<Arith::Mod>);
  traced.add(Py_nb_inplace_and, &traced_inplace<Arith::And>);
  traced.add(Py_nb_inplace_or, &traced_inplace<Arith::Or>);
  traced.add(Py_nb_inplace_xor, &traced_inplace<Arith::Xor>);
  traced.add(Py_nb_inplace_lshift, &traced_inplace<Arith::Shl>);
  traced.add(Py_nb_inplace_rshift, &traced_inplace<Arith::Shr>);
  traced.add(Py_nb_matrix_multiply, &traced_matmul);
  traced.add(Py_nb_negative, &traced_unary<negative>);
  traced.add(Py_nb_positive, &traced_positive);
  traced.add(Py_nb_absolute, &traced_unary<absolute>);
  traced.add(Py_nb_invert, &traced_unary<inverted>);
  traced.add(Py_nb_bool, &traced_bool);
  traced.add(Py_nb_int, &traced_int);
  traced.add(Py_nb_index, &traced_index);
  traced.add(Py_nb_float, &traced_float);
  traced.list.push_back({0, nullptr});
  PyType_Spec traced_spec = {"lattice.tracer.TracedValue", sizeof(TracedObject), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, traced.list.data()};
  traced_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&traced_spec));
  if (traced_type == nullptr) return -1;
  if (PyModule_AddObjectRef(module, "Tracer", reinterpret_cast<PyObject*>(tracer_type)) < 0) {
    return -1;
  }
  return PyModule_AddObjectRef(module, "TracedValue", reinterpret_cast<PyObject*>(traced_type));
}

}  // namespace lattice::python::jit
