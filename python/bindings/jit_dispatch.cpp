// SPDX-License-Identifier: MIT
// Dispatcher: what @jit and @vectorize return. Finds the kernel for the arguments of a call.
//
// A call compares its arguments' kinds with those of the specialisations, newest hit first, checks
// the guards (globals and closure cells that were constants of the trace), reads the arrays'
// headers directly and runs the kernel. Whatever does not fit goes to `impl`, the Python object
// that traces (lattice._jit.compiler.Compiled), which answers the call and may add a
// specialisation. A kernel that reports what only Python can do (an int that outgrows 64 bits, a
// division by zero of Python numbers, a guard) makes the call run in Python.
//
// Thread safety: with the GIL. A kernel runs without it when the work is worth it; its
// specialisation is shared and stays alive meanwhile.
#include <Python.h>
#include <structmember.h>

#include <cstring>
#include <vector>

#include "jit_ir.hpp"
#include "jit_numpy.hpp"
#include "lattice/jit/kernel.hpp"
#include "reactive.hpp"

namespace lattice::python::jit {

namespace ir = lattice::jit::ir;
using lattice::jit::ArrayView;
using lattice::jit::from_bits;
using lattice::jit::Kernel;
using lattice::jit::ScalarFn;
using lattice::jit::Shape;
using lattice::jit::to_bits;

namespace {

constexpr int kArgumentsMax = 32;
constexpr int kOutputsMax = 16;
constexpr size_t kSpecialisationsMax = 64;
// Element operations from which on the GIL is given up: about 10 us.
constexpr int64_t kWorthReleasing = 40000;
// Arguments of a call that run_flat() takes.
constexpr size_t kFlatArgumentsMax = 8;

enum class Kind : uint8_t { PyFloat, PyInt, PyBool, Scalar, Array, Static, Other };

// What a specialisation is about, of one argument.
struct ArgumentKey {
  Kind kind = Kind::Other;
  Type type = Type::Void;
  uint8_t rank = 0;
  bool operator==(const ArgumentKey& other) const noexcept {
    return kind == other.kind && type == other.type && rank == other.rank;
  }
};

struct Output {
  Type type;
  uint8_t rank;
  bool is_weak;
};

struct Specialisation {
  std::vector<ArgumentKey> keys;
  std::vector<PyObject*> statics;  // by argument; null for others
  std::vector<Output> outputs;
  std::vector<PyObject*> captured;  // arrays, after the arguments
  PyObject* build = nullptr;        // list of outputs -> result; null: the single output
  bool is_tuple = false;
  std::shared_ptr<Kernel> kernel;
  ScalarFn code = nullptr;
  bool is_scalar = false;  // params and outputs are scalars
  bool is_flat = false;    // may be called by run_flat()
  uint32_t aborts = 0;     // statuses with which the call runs in Python
  int64_t node_count = 0;
  uint64_t calls = 0;

  ~Specialisation() {
    for (PyObject* object : statics) Py_XDECREF(object);
    for (PyObject* object : captured) Py_XDECREF(object);
    Py_XDECREF(build);
  }
};

// A global or a closure cell that was a constant when the function was traced.
struct Guard {
  PyObject* holder;  // dict, cell or list
  PyObject* name;    // null for a cell or list
  PyObject* value;   // of a list: a tuple of its items
};

struct DispatcherObject {
  PyObject_HEAD vectorcallfunc vectorcall;
  PyObject* function;
  PyObject* impl;
  PyObject* dict;
  PyObject* weakrefs;
  PyObject* names;        // tuple of argument names
  PyObject* defaults;     // tuple as long as names; null where there is none
  Py_ssize_t positional;  // how many may be passed by position
  Py_ssize_t out_index_unused;
  bool is_plain;  // fallen back for good
  bool is_lanes;
  std::vector<std::shared_ptr<Specialisation>>* specialisations;
  std::vector<Guard>* guards;
  PyObject* static_flags;  // bytes: 1 for a static argument
};

PyTypeObject* dispatcher_type = nullptr;
PyObject* out_name = nullptr;

DispatcherObject* as_dispatcher(PyObject* object) {
  return reinterpret_cast<DispatcherObject*>(object);
}

ArgumentKey key_of(PyObject* object) noexcept {
  PyTypeObject* type = Py_TYPE(object);
  if (type == &PyFloat_Type) return {Kind::PyFloat, Type::F64, 0};
  if (type == &PyLong_Type) return {Kind::PyInt, Type::I64, 0};
  if (type == &PyBool_Type) return {Kind::PyBool, Type::Bool, 0};
  if (!is_numpy_loaded()) return {};
  if (type == &PyArray_Type || PyArray_Check(object)) {
    auto* array = reinterpret_cast<PyArrayObject*>(object);
    const Type element = type_of_numpy(PyArray_TYPE(array));
    const int rank = PyArray_NDIM(array);
    if (element == Type::Void || rank > ir::kRankMax || !PyArray_ISNOTSWAPPED(array) ||
        !PyArray_ISALIGNED(array) || type != &PyArray_Type) {
      return {};
    }
    return {rank == 0 ? Kind::Scalar : Kind::Array, element, static_cast<uint8_t>(rank)};
  }
  if (PyArray_IsScalar(object, Generic)) {
    const Type element = numpy_type(object);
    return element == Type::Void ? ArgumentKey{} : ArgumentKey{Kind::Scalar, element, 0};
  }
  return {};
}

// The bits of a scalar argument; false when a Python int does not fit.
inline bool scalar_bits(PyObject* object, const ArgumentKey& key, Bits& bits) noexcept {
  switch (key.kind) {
    case Kind::PyFloat:
      bits = to_bits(PyFloat_AS_DOUBLE(object));
      return true;
    case Kind::PyInt: {
      int overflow = 0;
      const long long number = PyLong_AsLongLongAndOverflow(object, &overflow);
      bits = static_cast<Bits>(number);
      return overflow == 0;
    }
    case Kind::PyBool:
      bits = object == Py_True ? 1 : 0;
      return true;
    case Kind::Scalar:
      if (PyArray_Check(object)) {
        bits = 0;
        auto* array = reinterpret_cast<PyArrayObject*>(object);
        std::memcpy(&bits, PyArray_DATA(array), static_cast<size_t>(byte_size(key.type)));
      } else {
        bits = numpy_scalar_bits(object, key.type);
      }
      return true;
    default:
      return false;
  }
}

inline PyObject* scalar_result(const Output& output, Bits bits) {
  if (output.is_weak) {
    if (output.type == Type::F64) return PyFloat_FromDouble(from_bits<double>(bits));
    if (output.type == Type::Bool) return Py_NewRef((bits & 1) != 0 ? Py_True : Py_False);
    return PyLong_FromLongLong(from_bits<int64_t>(bits));
  }
  return numpy_scalar_from_bits(output.type, bits);
}

bool guards_hold(DispatcherObject* self) noexcept {
  for (const Guard& guard : *self->guards) {
    if (PyList_CheckExact(guard.holder)) {
      const Py_ssize_t count = PyList_GET_SIZE(guard.holder);
      if (count != PyTuple_GET_SIZE(guard.value)) return false;
      for (Py_ssize_t k = 0; k < count; ++k) {
        if (PyList_GET_ITEM(guard.holder, k) != PyTuple_GET_ITEM(guard.value, k)) return false;
      }
      continue;
    }
    PyObject* now = guard.name != nullptr ? PyDict_GetItemWithError(guard.holder, guard.name)
                                          : PyCell_GET(guard.holder);
    if (now == guard.value) continue;
    if (now == nullptr) return PyErr_Clear(), false;
    // Another object of the same number is the same constant.
    if (Py_TYPE(now) == Py_TYPE(guard.value) &&
        ((PyFloat_CheckExact(now) &&
          to_bits(PyFloat_AS_DOUBLE(now)) == to_bits(PyFloat_AS_DOUBLE(guard.value))) ||
         (PyLong_CheckExact(now) && PyObject_RichCompareBool(now, guard.value, Py_EQ) == 1))) {
      continue;
    }
    return false;
  }
  return true;
}

// Calls impl.<name>(arguments tuple, keywords or None).
PyObject* ask_impl(DispatcherObject* self, const char* name, PyObject* const* args,
                   Py_ssize_t count, PyObject* names) {
  PyObject* tuple = PyTuple_New(count);
  if (tuple == nullptr) return nullptr;
  for (Py_ssize_t k = 0; k < count; ++k) PyTuple_SET_ITEM(tuple, k, Py_NewRef(args[k]));
  PyObject* keywords = PyDict_New();
  if (names != nullptr) {
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(names); ++k) {
      PyDict_SetItem(keywords, PyTuple_GET_ITEM(names, k), args[count + k]);
    }
  }
  PyObject* result = PyObject_CallMethod(self->impl, name, "OO", tuple, keywords);
  Py_DECREF(tuple);
  Py_DECREF(keywords);
  return result;
}

// Lays the arguments out by position: keywords and defaults in their places. Returns false when
// the call is not one of that form (Python then tells what is wrong with it).
bool lay_out(DispatcherObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names,
             PyObject** placed, PyObject*& out) {
  const Py_ssize_t total = PyTuple_GET_SIZE(self->names);
  if (count > self->positional || total > kArgumentsMax) return false;
  for (Py_ssize_t k = 0; k < count; ++k) placed[k] = args[k];
  for (Py_ssize_t k = count; k < total; ++k) placed[k] = nullptr;
  if (names != nullptr) {
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(names); ++k) {
      PyObject* name = PyTuple_GET_ITEM(names, k);
      Py_ssize_t at = 0;
      while (at < total && PyTuple_GET_ITEM(self->names, at) != name) ++at;
      if (at == total) {  // not interned?
        at = 0;
        while (at < total && PyUnicode_Compare(PyTuple_GET_ITEM(self->names, at), name) != 0) ++at;
      }
      if (at == total) {
        if (name != out_name && PyUnicode_Compare(name, out_name) != 0) return false;
        out = args[count + k];
        continue;
      }
      if (placed[at] != nullptr) return false;
      placed[at] = args[count + k];
    }
  }
  for (Py_ssize_t k = 0; k < total; ++k) {
    if (placed[k] != nullptr) continue;
    placed[k] = PyTuple_GET_ITEM(self->defaults, k);
    if (placed[k] == Py_Ellipsis) return false;
  }
  return true;
}

Specialisation* find(DispatcherObject* self, PyObject* const* placed, const ArgumentKey* keys,
                     Py_ssize_t count, std::shared_ptr<Specialisation>& found) {
  auto& all = *self->specialisations;
  for (size_t s = 0; s < all.size(); ++s) {
    const Specialisation& one = *all[s];
    if (static_cast<Py_ssize_t>(one.keys.size()) != count) continue;
    bool fits = true;
    for (Py_ssize_t k = 0; fits && k < count; ++k) {
      if (one.keys[static_cast<size_t>(k)].kind == Kind::Static) {
        PyObject* wanted = one.statics[static_cast<size_t>(k)];
        fits = wanted == placed[k] || (Py_TYPE(wanted) == Py_TYPE(placed[k]) &&
                                       PyObject_RichCompareBool(wanted, placed[k], Py_EQ) == 1);
        if (PyErr_Occurred()) PyErr_Clear();
      } else {
        fits = one.keys[static_cast<size_t>(k)] == keys[k];
      }
    }
    if (!fits) continue;
    if (s != 0) std::swap(all[s], all[0]);
    found = all[0];
    return found.get();
  }
  return nullptr;
}

PyObject* assemble(const Specialisation& one, PyObject** results) {
  if (one.build == nullptr && !one.is_tuple) return results[0];
  const auto count = static_cast<Py_ssize_t>(one.outputs.size());
  PyObject* tuple = PyTuple_New(count);
  for (Py_ssize_t k = 0; k < count; ++k) PyTuple_SET_ITEM(tuple, k, results[k]);
  if (one.build == nullptr) return tuple;
  PyObject* made = PyObject_CallOneArg(one.build, tuple);
  Py_DECREF(tuple);
  return made;
}

using lattice::jit::kStatusFpDivide;
using lattice::jit::kStatusFpInvalid;
using lattice::jit::kStatusFpOverflow;
using lattice::jit::kStatusFpUnderflow;
using lattice::jit::kStatusZeroDivision;
constexpr uint32_t kWarned = kStatusFpDivide | kStatusFpInvalid | kStatusFpOverflow |
                             kStatusFpUnderflow | kStatusZeroDivision;

// Warnings as np.errstate asks for; -1 when that raises.
int report_flags(DispatcherObject* self, uint32_t status) {
  PyObject* answer = PyObject_CallMethod(self->impl, "flags", "I", status & kWarned);
  Py_XDECREF(answer);
  return answer != nullptr ? 0 : -1;
}

PyObject* run_scalar(DispatcherObject* self, Specialisation& one, PyObject* const* placed,
                     Py_ssize_t count, bool& in_python) {
  Bits bits[kArgumentsMax];
  Bits results[kOutputsMax];
  Py_ssize_t used = 0;
  for (Py_ssize_t k = 0; k < count; ++k) {
    const ArgumentKey& key = one.keys[static_cast<size_t>(k)];
    if (key.kind == Kind::Static) continue;
    if (!scalar_bits(placed[k], key, bits[used++])) return in_python = true, nullptr;
  }
  uint32_t status = 0;
  if (one.code != nullptr) {
    status = one.code(bits, results);
  } else {
    status = one.kernel->run_scalar(bits, results);
  }
  if (status != 0) {
    if ((status & one.aborts) != 0) return in_python = true, nullptr;
    const bool is_numpy = !one.outputs.empty() && !one.outputs[0].is_weak;
    if (is_numpy && (status & kWarned) != 0 && report_flags(self, status) < 0) return nullptr;
  }
  PyObject* made[kOutputsMax];
  for (size_t k = 0; k < one.outputs.size(); ++k) {
    made[k] = scalar_result(one.outputs[k], results[k]);
    if (made[k] == nullptr) {
      while (k > 0) Py_DECREF(made[--k]);
      return nullptr;
    }
  }
  return assemble(one, made);
}

struct Buffers {
  ArrayView args[kArgumentsMax + 16];
  Bits scalars[kArgumentsMax + 16];
};

// `out` as arrays, borrowed; false with an error set.
bool take_out(PyObject* out, const Specialisation& one, PyArrayObject** arrays) {
  const size_t count = one.outputs.size();
  PyObject* const* items = &out;
  if (PyTuple_Check(out)) {
    if (static_cast<size_t>(PyTuple_GET_SIZE(out)) != count) {
      PyErr_Format(PyExc_ValueError, "out= has %zd arrays, but there are %zu results",
                   PyTuple_GET_SIZE(out), count);
      return false;
    }
    items = &PyTuple_GET_ITEM(out, 0);
  } else if (count != 1) {
    PyErr_Format(PyExc_ValueError, "out= must be a tuple of %zu arrays", count);
    return false;
  }
  for (size_t k = 0; k < count; ++k) {
    if (!PyArray_Check(items[k])) {
      PyErr_Format(PyExc_TypeError, "out= takes arrays, not %.100s", Py_TYPE(items[k])->tp_name);
      return false;
    }
    arrays[k] = reinterpret_cast<PyArrayObject*>(items[k]);
    if (!PyArray_ISWRITEABLE(arrays[k])) {
      PyErr_SetString(PyExc_ValueError, "out= is read-only");
      return false;
    }
    if (type_of_numpy(PyArray_TYPE(arrays[k])) != one.outputs[k].type ||
        !PyArray_ISNOTSWAPPED(arrays[k]) || !PyArray_ISALIGNED(arrays[k])) {
      PyErr_Format(PyExc_TypeError, "out= has dtype %S, but the result is %s",
                   reinterpret_cast<PyObject*>(PyArray_DESCR(arrays[k])),
                   std::string(type_name(one.outputs[k].type)).c_str());
      return false;
    }
  }
  return true;
}

bool view_argument(PyObject* object, const ArgumentKey& key, ArrayView& view, Bits& bits) {
  view.type = key.type;
  view.rank = key.rank;
  if (key.kind == Kind::Array) {
    auto* array = reinterpret_cast<PyArrayObject*>(object);
    static_assert(sizeof(npy_intp) == sizeof(int64_t));
    view.data = PyArray_DATA(array);
    view.extent = reinterpret_cast<const int64_t*>(PyArray_DIMS(array));
    view.stride = reinterpret_cast<const int64_t*>(PyArray_STRIDES(array));
    return true;
  }
  if (!scalar_bits(object, key, bits)) return false;
  view.data = &bits;
  view.extent = nullptr;
  view.stride = nullptr;
  return true;
}

PyObject* run_arrays(DispatcherObject* self, const std::shared_ptr<Specialisation>& keep,
                     PyObject* const* placed, Py_ssize_t count, PyObject* out, bool& in_python) {
  Specialisation& one = *keep;
  Buffers buffers;
  size_t used = 0;
  for (Py_ssize_t k = 0; k < count; ++k) {
    const ArgumentKey& key = one.keys[static_cast<size_t>(k)];
    if (key.kind == Kind::Static) continue;
    if (!view_argument(placed[k], key, buffers.args[used], buffers.scalars[used])) {
      return in_python = true, nullptr;
    }
    ++used;
  }
  for (PyObject* array : one.captured) {
    if (!view_argument(array, key_of(array), buffers.args[used], buffers.scalars[used])) {
      return in_python = true, nullptr;
    }
    ++used;
  }
  const std::span<const ArrayView> args(buffers.args, used);
  const size_t outputs = one.outputs.size();
  Shape shapes[kOutputsMax];
  try {
    one.kernel->infer(args, {shapes, outputs});
  } catch (const lattice::jit::ShapeError&) {
    return in_python = true, nullptr;  // NumPy tells it in its own words
  }
  PyArrayObject* given[kOutputsMax] = {};
  if (out != nullptr && !take_out(out, one, given)) return nullptr;
  PyObject* made[kOutputsMax] = {};
  ArrayView views[kOutputsMax];
  Bits scalars[kOutputsMax] = {};
  int64_t elements = 1;
  for (size_t k = 0; k < used; ++k) {
    int64_t n = 1;
    for (int axis = 0; axis < args[k].rank; ++axis) n *= args[k].extent[axis];
    elements = std::max(elements, n);
  }
  bool is_bad = false;
  for (size_t k = 0; k < outputs && !is_bad; ++k) {
    const Output& output = one.outputs[k];
    views[k].type = output.type;
    views[k].rank = shapes[k].rank;
    elements = std::max(elements, shapes[k].count());
    if (given[k] != nullptr) {
      bool is_same = PyArray_NDIM(given[k]) == shapes[k].rank;
      for (int axis = 0; is_same && axis < shapes[k].rank; ++axis) {
        is_same = PyArray_DIM(given[k], axis) == shapes[k].extent[static_cast<size_t>(axis)];
      }
      if (!is_same) {
        PyErr_SetString(PyExc_ValueError, "out= does not have the result's shape");
        is_bad = true;
        break;
      }
      made[k] = Py_NewRef(reinterpret_cast<PyObject*>(given[k]));
    } else if (shapes[k].rank > 0) {
      npy_intp extent[ir::kRankMax];
      for (int axis = 0; axis < shapes[k].rank; ++axis) {
        extent[axis] = shapes[k].extent[static_cast<size_t>(axis)];
      }
      made[k] = new_result(shapes[k].rank, extent, output.type);
      is_bad = made[k] == nullptr;
      if (is_bad) break;
    }
    if (made[k] != nullptr) {
      auto* array = reinterpret_cast<PyArrayObject*>(made[k]);
      views[k].data = PyArray_DATA(array);
      views[k].extent = reinterpret_cast<const int64_t*>(PyArray_DIMS(array));
      views[k].stride = reinterpret_cast<const int64_t*>(PyArray_STRIDES(array));
    } else {
      views[k].data = &scalars[k];
    }
  }
  uint32_t status = 0;
  if (!is_bad) {
    try {
      const std::span<const ArrayView> targets(views, outputs);
      if (elements * one.node_count >= kWorthReleasing) {
        PyThreadState* state = PyEval_SaveThread();
        try {
          status = one.kernel->run(args, targets);
        } catch (...) {
          PyEval_RestoreThread(state);
          throw;
        }
        PyEval_RestoreThread(state);
      } else {
        status = one.kernel->run(args, targets);
      }
    } catch (const lattice::jit::ShapeError& error) {
      PyErr_SetString(PyExc_ValueError, error.what());
      is_bad = true;
    } catch (const std::bad_alloc&) {
      PyErr_NoMemory();
      is_bad = true;
    } catch (const std::exception& error) {
      PyErr_SetString(PyExc_RuntimeError, error.what());
      is_bad = true;
    }
  }
  if (!is_bad && status != 0) {
    if ((status & one.aborts) != 0) {
      in_python = is_bad = true;
    } else if ((status & kWarned) != 0) {
      is_bad = report_flags(self, status) < 0;
    }
  }
  for (size_t k = 0; k < outputs && !is_bad; ++k) {
    if (made[k] != nullptr) continue;
    made[k] = scalar_result({one.outputs[k].type, 0, one.outputs[k].is_weak}, scalars[k]);
    is_bad = made[k] == nullptr;
  }
  if (is_bad) {
    for (PyObject* object : made) Py_XDECREF(object);
    return nullptr;
  }
  return assemble(one, made);
}

// An array as run_flat() takes it: a plain, aligned, C-contiguous ndarray of a type and rank.
inline bool is_flat_array(PyObject* object, Type type, int rank) noexcept {
  if (Py_TYPE(object) != &PyArray_Type) return false;
  auto* array = reinterpret_cast<PyArrayObject*>(object);
  constexpr int kFlags = NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED;
  return PyArray_NDIM(array) == rank && (PyArray_FLAGS(array) & kFlags) == kFlags &&
         type_of_numpy(PyArray_TYPE(array)) == type && PyArray_ISNOTSWAPPED(array);
}

// A small call on contiguous arrays of one shape, with one result: no view of an array is built, no
// shape inferred. False when the call is not of that form, with nothing done and no error set; then
// the general path answers, which also words the errors. True with a null `result` for an error, or
// for Python to run the call (`in_python`).
bool run_flat(DispatcherObject* self, PyObject* const* args, size_t count, PyObject* out,
              PyObject*& result, bool& in_python) {
  Specialisation& one = *self->specialisations->front();
  if (one.keys.size() != count || !is_numpy_loaded()) return false;
  const void* data[kFlatArgumentsMax];
  Bits bits[kFlatArgumentsMax];
  PyArrayObject* first = nullptr;
  auto has_shape_of_first = [&](PyArrayObject* array) {
    const npy_intp* extent = PyArray_DIMS(array);
    const npy_intp* wanted = PyArray_DIMS(first);
    for (int k = 0; k < PyArray_NDIM(first); ++k) {
      if (extent[k] != wanted[k]) return false;
    }
    return true;
  };
  for (size_t k = 0; k < count; ++k) {
    const ArgumentKey& key = one.keys[k];
    if (key.kind == Kind::Array) {
      if (!is_flat_array(args[k], key.type, key.rank)) return false;
      auto* array = reinterpret_cast<PyArrayObject*>(args[k]);
      if (first == nullptr) {
        first = array;
      } else if (PyArray_NDIM(first) != key.rank || !has_shape_of_first(array)) {
        return false;
      }
      data[k] = PyArray_DATA(array);
    } else {
      if (!(key_of(args[k]) == key) || !scalar_bits(args[k], key, bits[k])) return false;
      data[k] = &bits[k];
    }
  }
  if (first == nullptr) return false;
  const Output& output = one.outputs[0];
  const int rank = PyArray_NDIM(first);
  if (output.rank != rank) return false;
  int64_t n = 1;
  for (int k = 0; k < rank; ++k) n *= PyArray_DIM(first, k);
  if (n == 0 || n * one.node_count >= kWorthReleasing || !guards_hold(self)) return false;
  PyObject* made = nullptr;
  if (out != nullptr) {
    if (!is_flat_array(out, output.type, rank)) return false;
    auto* array = reinterpret_cast<PyArrayObject*>(out);
    if (!PyArray_ISWRITEABLE(array) || !has_shape_of_first(array)) return false;
    made = Py_NewRef(out);
  } else {
    made = PyArray_SimpleNew(rank, PyArray_DIMS(first), numpy_of_type(output.type));
    if (made == nullptr) return result = nullptr, true;
  }
  void* target = PyArray_DATA(reinterpret_cast<PyArrayObject*>(made));
  uint32_t status = 0;
  if (!one.kernel->run_flat(data, &target, n, status)) return Py_DECREF(made), false;
  ++one.calls;
  if (status != 0) {
    in_python = (status & one.aborts) != 0;
    // Python runs from here on, and may have dropped `one`.
    if (in_python || ((status & kWarned) != 0 && report_flags(self, status) < 0)) {
      Py_DECREF(made);
      made = nullptr;
    }
  }
  result = made;
  return true;
}

PyObject* dispatch_slowly(DispatcherObject* self, PyObject* const* args, Py_ssize_t count,
                          PyObject* names) {
  if (self->is_plain) {
    return ask_impl(self, "plain", args, count, names);
  }
  PyObject* placed[kArgumentsMax];
  PyObject* out = nullptr;
  if (!lay_out(self, args, count, names, placed, out)) {
    if (PyErr_Occurred()) return nullptr;
    return ask_impl(self, "plain", args, count, names);
  }
  if (out == Py_None) out = nullptr;
  const Py_ssize_t total = PyTuple_GET_SIZE(self->names);
  ArgumentKey keys[kArgumentsMax];
  for (Py_ssize_t k = 0; k < total; ++k) keys[k] = key_of(placed[k]);
  if (!guards_hold(self)) {
    PyObject* answer = PyObject_CallMethod(self->impl, "guards_broken", nullptr);
    if (answer == nullptr) return nullptr;
    Py_DECREF(answer);
  }
  std::shared_ptr<Specialisation> one;
  for (int attempt = 0;; ++attempt) {
    if (find(self, placed, keys, total, one) != nullptr) break;
    if (attempt == 1) return ask_impl(self, "plain", args, count, names);
    PyObject* tuple = PyTuple_New(total);
    for (Py_ssize_t k = 0; k < total; ++k) PyTuple_SET_ITEM(tuple, k, Py_NewRef(placed[k]));
    PyObject* answer = PyObject_CallMethod(self->impl, "specialise", "(O)", tuple);
    Py_DECREF(tuple);
    if (answer == nullptr) return nullptr;
    const bool is_made = answer == Py_True;
    Py_DECREF(answer);
    for (Py_ssize_t k = 0; k < total; ++k) keys[k] = key_of(placed[k]);  // NumPy may be known now
    if (!is_made) return ask_impl(self, "plain", args, count, names);
  }
  ++one->calls;
  bool in_python = false;
  PyObject* result = nullptr;
  if (one->is_scalar && out == nullptr) {
    result = run_scalar(self, *one, placed, total, in_python);
  } else {
    result = run_arrays(self, one, placed, total, out, in_python);
  }
  if (!in_python) return result;
  return ask_impl(self, "plain", args, count, names);
}

PyObject* dispatch(PyObject* object, PyObject* const* args, size_t flagged, PyObject* names) {
  DispatcherObject* self = as_dispatcher(object);
  const Py_ssize_t count = PyVectorcall_NARGS(flagged);
  if (!self->specialisations->empty() && !self->is_plain) {
    Specialisation& one = *self->specialisations->front();
    if (one.is_flat) {
      const bool has_out = names != nullptr;
      PyObject* out = has_out ? args[count] : nullptr;
      PyObject* result = nullptr;
      bool in_python = false;
      if ((!has_out || (PyTuple_GET_SIZE(names) == 1 && PyTuple_GET_ITEM(names, 0) == out_name)) &&
          out != Py_None && count <= self->positional &&
          run_flat(self, args, static_cast<size_t>(count), out, result, in_python)) {
        return in_python ? ask_impl(self, "plain", args, count, names) : result;
      }
    } else if (names == nullptr && one.is_scalar && one.code != nullptr &&
               one.outputs.size() == 1 && !one.is_tuple && one.build == nullptr &&
               static_cast<Py_ssize_t>(one.keys.size()) == count) {
      Bits bits[kArgumentsMax];
      Bits result = 0;
      bool fits = true;
      for (Py_ssize_t k = 0; fits && k < count; ++k) {
        const ArgumentKey& key = one.keys[static_cast<size_t>(k)];
        PyObject* given = args[k];
        if (key.kind == Kind::PyFloat) {
          fits = PyFloat_CheckExact(given);
          if (fits) bits[k] = to_bits(PyFloat_AS_DOUBLE(given));
        } else if (key.kind == Kind::PyInt) {
          fits = PyLong_CheckExact(given) && scalar_bits(given, key, bits[k]);
        } else {
          fits = key.kind == Kind::PyBool && PyBool_Check(given);
          if (fits) bits[k] = given == Py_True ? 1 : 0;
        }
      }
      if (fits && guards_hold(self) && one.code(bits, &result) == 0) {
        ++one.calls;
        return scalar_result(one.outputs[0], result);
      }
    }
  }
  try {
    return dispatch_slowly(self, args, count, names);
  } catch (...) {
    set_python_error(std::current_exception());
    return nullptr;
  }
}

// --- the Python object

// Dispatcher(function, impl, names, defaults, positional, static flags, lanes)
PyObject* dispatcher_new(PyTypeObject* type, PyObject* arguments, PyObject*) {
  PyObject* function = nullptr;
  PyObject* impl = nullptr;
  PyObject* names = nullptr;
  PyObject* defaults = nullptr;
  PyObject* static_flags = nullptr;
  Py_ssize_t positional = 0;
  int is_lanes = 0;
  if (!PyArg_ParseTuple(arguments, "OOO!O!nSp", &function, &impl, &PyTuple_Type, &names,
                        &PyTuple_Type, &defaults, &positional, &static_flags, &is_lanes)) {
    return nullptr;
  }
  auto* self = as_dispatcher(type->tp_alloc(type, 0));
  if (self == nullptr) return nullptr;
  self->vectorcall = dispatch;
  self->function = Py_NewRef(function);
  self->impl = Py_NewRef(impl);
  self->names = Py_NewRef(names);
  self->defaults = Py_NewRef(defaults);
  self->static_flags = Py_NewRef(static_flags);
  self->positional = positional;
  self->is_lanes = is_lanes != 0;
  self->specialisations = new std::vector<std::shared_ptr<Specialisation>>;
  self->guards = new std::vector<Guard>;
  return reinterpret_cast<PyObject*>(self);
}

void drop_guards(DispatcherObject* self) {
  std::vector<Guard> old;
  old.swap(*self->guards);
  for (const Guard& guard : old) {
    Py_XDECREF(guard.holder);
    Py_XDECREF(guard.name);
    Py_XDECREF(guard.value);
  }
}

int dispatcher_traverse(PyObject* object, visitproc visit, void* arg) {
  DispatcherObject* self = as_dispatcher(object);
  Py_VISIT(Py_TYPE(object));
  Py_VISIT(self->function);
  Py_VISIT(self->impl);
  Py_VISIT(self->dict);
  Py_VISIT(self->defaults);
  for (const Guard& guard : *self->guards) {
    Py_VISIT(guard.holder);
    Py_VISIT(guard.value);
  }
  return 0;
}
int dispatcher_clear(PyObject* object) {
  DispatcherObject* self = as_dispatcher(object);
  Py_CLEAR(self->impl);
  Py_CLEAR(self->dict);
  drop_guards(self);
  return 0;
}
void dispatcher_dealloc(PyObject* object) {
  PyObject_GC_UnTrack(object);
  DispatcherObject* self = as_dispatcher(object);
  if (self->weakrefs != nullptr) PyObject_ClearWeakRefs(object);
  drop_guards(self);
  delete self->guards;
  delete self->specialisations;
  Py_XDECREF(self->function);
  Py_XDECREF(self->impl);
  Py_XDECREF(self->dict);
  Py_XDECREF(self->names);
  Py_XDECREF(self->defaults);
  Py_XDECREF(self->static_flags);
  PyTypeObject* type = Py_TYPE(object);
  type->tp_free(object);
  Py_DECREF(type);
}

PyObject* dispatcher_getattr(PyObject* object, PyObject* name) {
  if (PyObject* found = PyObject_GenericGetAttr(object, name)) return found;
  if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return nullptr;
  PyErr_Clear();
  DispatcherObject* self = as_dispatcher(object);
  const char* text = PyUnicode_AsUTF8(name);
  const bool is_private = text != nullptr && text[0] == '_';
  return PyObject_GetAttr(is_private ? self->function : self->impl, name);
}

PyObject* dispatcher_bind(PyObject* object, PyObject* instance, PyObject*) {
  if (instance == nullptr || instance == Py_None) return Py_NewRef(object);
  return PyMethod_New(object, instance);
}

PyObject* dispatcher_repr(PyObject* object) {
  return PyObject_CallMethod(as_dispatcher(object)->impl, "describe", nullptr);
}

PyObject* dispatcher_reduce(PyObject* object, PyObject*) {
  return PyObject_CallMethod(as_dispatcher(object)->impl, "reduce", nullptr);
}

// _add(ir, keys, statics, outputs, captured, build, is_tuple, threads, fp): keys are
// (kind, type, rank), outputs (type, rank, weak).
PyObject* dispatcher_add(PyObject* object, PyObject* arguments) {
  PyObject* ir_object = nullptr;
  PyObject* keys = nullptr;
  PyObject* statics = nullptr;
  PyObject* outputs = nullptr;
  PyObject* captured = nullptr;
  PyObject* build = nullptr;
  int is_tuple = 0;
  int threads = 1;
  const char* fp = nullptr;
  if (!PyArg_ParseTuple(arguments, "OO!O!O!O!Opis", &ir_object, &PyTuple_Type, &keys, &PyTuple_Type,
                        &statics, &PyTuple_Type, &outputs, &PyList_Type, &captured, &build,
                        &is_tuple, &threads, &fp)) {
    return nullptr;
  }
  const ir::Function* function = ir_of(ir_object);
  if (function == nullptr) return nullptr;
  DispatcherObject* self = as_dispatcher(object);
  if (self->specialisations->size() >= kSpecialisationsMax) self->specialisations->pop_back();
  auto one = std::make_shared<Specialisation>();
  bool all_scalar = true;
  for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(keys); ++k) {
    int kind = 0;
    const char* type = nullptr;
    int rank = 0;
    if (!PyArg_ParseTuple(PyTuple_GET_ITEM(keys, k), "isi", &kind, &type, &rank)) return nullptr;
    one->keys.push_back(
        {static_cast<Kind>(kind), lattice::jit::type_from_name(type), static_cast<uint8_t>(rank)});
    all_scalar = all_scalar && static_cast<Kind>(kind) != Kind::Array;
    PyObject* fixed = PyTuple_GET_ITEM(statics, k);
    one->statics.push_back(static_cast<Kind>(kind) == Kind::Static ? Py_NewRef(fixed) : nullptr);
  }
  for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(outputs); ++k) {
    const char* type = nullptr;
    int rank = 0;
    int is_weak = 0;
    if (!PyArg_ParseTuple(PyTuple_GET_ITEM(outputs, k), "sip", &type, &rank, &is_weak)) {
      return nullptr;
    }
    one->outputs.push_back(
        {lattice::jit::type_from_name(type), static_cast<uint8_t>(rank), is_weak != 0});
    all_scalar = all_scalar && rank == 0;
  }
  if (one->keys.size() > kArgumentsMax || one->outputs.size() > kOutputsMax ||
      PyList_GET_SIZE(captured) > 16) {
    PyErr_SetString(PyExc_ValueError, "more than 32 arguments, 16 results or 16 outer arrays");
    return nullptr;
  }
  for (Py_ssize_t k = 0; k < PyList_GET_SIZE(captured); ++k) {
    one->captured.push_back(Py_NewRef(PyList_GET_ITEM(captured, k)));
    all_scalar = false;
  }
  if (build != Py_None) one->build = Py_NewRef(build);
  one->is_tuple = is_tuple != 0;
  one->node_count = static_cast<int64_t>(function->nodes.size());
  try {
    lattice::jit::CompileOptions options;
    options.threads = threads;
    ir::Function copy = *function;
    const std::string_view policy = fp;
    copy.fp = policy == "fast"       ? ir::FpPolicy::Fast
              : policy == "contract" ? ir::FpPolicy::Contract
                                     : ir::FpPolicy::Strict;
    one->kernel = Kernel::compile(std::move(copy), options);
    one->aborts = one->kernel->abort_statuses();
    // Arrays may appear in between, as in np.arange(n).sum().
    for (const ir::Node& node : function->nodes) all_scalar = all_scalar && node.rank() == 0;
    one->is_scalar = all_scalar && one->kernel->source().is_scalar_function();
    if (one->is_scalar) one->code = one->kernel->scalar_entry().code;
    bool has_static = false;
    for (const ArgumentKey& key : one->keys) has_static = has_static || key.kind == Kind::Static;
    const int owns_out = PySequence_Contains(self->names, out_name);  // then out= is an argument
    if (owns_out < 0) return nullptr;
    one->is_flat = one->kernel->is_flat() && !has_static && owns_out == 0 &&
                   one->captured.empty() && one->keys.size() <= kFlatArgumentsMax &&
                   one->outputs.size() == 1 && !one->is_tuple && one->build == nullptr;
  } catch (...) {
    set_python_error(std::current_exception());
    return nullptr;
  }
  self->specialisations->insert(self->specialisations->begin(), one);
  Py_RETURN_NONE;
}

// _guard(holder, name or None, value)
PyObject* dispatcher_guard(PyObject* object, PyObject* arguments) {
  PyObject* holder = nullptr;
  PyObject* name = nullptr;
  PyObject* value = nullptr;
  if (!PyArg_ParseTuple(arguments, "OOO", &holder, &name, &value)) return nullptr;
  const bool is_cell = name == Py_None;
  if (is_cell ? !PyCell_Check(holder) && !(PyList_CheckExact(holder) && PyTuple_Check(value))
              : !PyDict_Check(holder)) {
    PyErr_SetString(PyExc_TypeError, "a guard looks into a dict, a cell or a list");
    return nullptr;
  }
  as_dispatcher(object)->guards->push_back(
      {Py_NewRef(holder), is_cell ? nullptr : Py_NewRef(name), Py_NewRef(value)});
  Py_RETURN_NONE;
}

PyObject* dispatcher_reset(PyObject* object, PyObject*) {
  DispatcherObject* self = as_dispatcher(object);
  drop_guards(self);
  self->specialisations->clear();
  self->is_plain = false;
  Py_RETURN_NONE;
}

PyObject* dispatcher_fall_back(PyObject* object, PyObject*) {
  as_dispatcher(object)->is_plain = true;
  Py_RETURN_NONE;
}

// _key(argument): (kind, type, rank)
PyObject* dispatcher_key(PyObject*, PyObject* argument) {
  const ArgumentKey key = key_of(argument);
  return Py_BuildValue("(isi)", static_cast<int>(key.kind),
                       std::string(type_name(key.type)).c_str(), key.rank);
}

// _kernels(): (optimised IR, assembly, explanation, tier, calls) of each specialisation
PyObject* dispatcher_kernels(PyObject* object, PyObject*) {
  PyObject* list = PyList_New(0);
  for (const auto& one : *as_dispatcher(object)->specialisations) {
    try {
      PyObject* item =
          Py_BuildValue("(sssiK)", one->kernel->ir().c_str(), one->kernel->assembly().c_str(),
                        one->kernel->explain().c_str(), static_cast<int>(one->kernel->tier()),
                        static_cast<unsigned long long>(one->calls));
      if (item == nullptr || PyList_Append(list, item) < 0) return Py_DECREF(list), nullptr;
      Py_DECREF(item);
    } catch (...) {
      set_python_error(std::current_exception());
      return Py_DECREF(list), nullptr;
    }
  }
  return list;
}

PyMethodDef dispatcher_methods[] = {{"_add", dispatcher_add, METH_VARARGS, nullptr},
                                    {"_guard", dispatcher_guard, METH_VARARGS, nullptr},
                                    {"_reset", dispatcher_reset, METH_NOARGS, nullptr},
                                    {"_fall_back", dispatcher_fall_back, METH_NOARGS, nullptr},
                                    {"_key", dispatcher_key, METH_O | METH_STATIC, nullptr},
                                    {"_kernels", dispatcher_kernels, METH_NOARGS, nullptr},
                                    {"__reduce__", dispatcher_reduce, METH_NOARGS, nullptr},
                                    {nullptr, nullptr, 0, nullptr}};

PyMemberDef dispatcher_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(DispatcherObject, vectorcall), READONLY, nullptr},
    {"__dictoffset__", T_PYSSIZET, offsetof(DispatcherObject, dict), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(DispatcherObject, weakrefs), READONLY, nullptr},
    {"__wrapped__", T_OBJECT, offsetof(DispatcherObject, function), READONLY, nullptr},
    {"_impl", T_OBJECT, offsetof(DispatcherObject, impl), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

PyObject* dispatcher_doc(PyObject* object, void*) {
  return PyObject_GetAttrString(as_dispatcher(object)->function, "__doc__");
}
PyObject* dispatcher_module(PyObject* object, void*) {
  return PyObject_GetAttrString(as_dispatcher(object)->function, "__module__");
}
PyGetSetDef dispatcher_getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {"__doc__", dispatcher_doc, nullptr, nullptr, nullptr},
    {"__module__", dispatcher_module, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

}  // namespace

int init_dispatch_type(PyObject* module) {
  out_name = PyUnicode_InternFromString("out");
  PyType_Slot slots[] = {{Py_tp_new, reinterpret_cast<void*>(dispatcher_new)},
                         {Py_tp_dealloc, reinterpret_cast<void*>(dispatcher_dealloc)},
                         {Py_tp_traverse, reinterpret_cast<void*>(dispatcher_traverse)},
                         {Py_tp_clear, reinterpret_cast<void*>(dispatcher_clear)},
                         {Py_tp_getattro, reinterpret_cast<void*>(dispatcher_getattr)},
                         {Py_tp_repr, reinterpret_cast<void*>(dispatcher_repr)},
                         {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                         {Py_tp_descr_get, reinterpret_cast<void*>(dispatcher_bind)},
                         {Py_tp_methods, dispatcher_methods},
                         {Py_tp_members, dispatcher_members},
                         {Py_tp_getset, dispatcher_getset},
                         {0, nullptr}};
  PyType_Spec spec = {"lattice._core.Dispatcher", sizeof(DispatcherObject), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
                          Py_TPFLAGS_IMMUTABLETYPE,
                      slots};
  dispatcher_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  if (dispatcher_type == nullptr) return -1;
  return PyModule_AddObjectRef(module, "Dispatcher", reinterpret_cast<PyObject*>(dispatcher_type));
}

}  // namespace lattice::python::jit
