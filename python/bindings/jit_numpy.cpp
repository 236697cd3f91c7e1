// SPDX-License-Identifier: MIT
#define LATTICE_OWNS_NUMPY_API
#include "jit_numpy.hpp"

namespace lattice::python::jit {

namespace {
bool is_loaded = false;
}

bool load_numpy() noexcept {
  if (is_loaded) return true;
  if (_import_array() < 0) return false;
  is_loaded = true;
  return true;
}

bool is_numpy_loaded() noexcept { return is_loaded; }

bool is_array(PyObject* object) noexcept { return is_loaded && PyArray_Check(object); }

bool is_numpy_scalar(PyObject* object) noexcept {
  return is_loaded && PyArray_IsScalar(object, Generic);
}

Type numpy_type(PyObject* object) noexcept {
  if (is_array(object)) {
    auto* array = reinterpret_cast<PyArrayObject*>(object);
    return PyArray_ISNOTSWAPPED(array) ? type_of_numpy(PyArray_TYPE(array)) : Type::Void;
  }
  if (!is_numpy_scalar(object)) return Type::Void;
  PyArray_Descr* descr = PyArray_DescrFromScalar(object);
  if (descr == nullptr) {
    PyErr_Clear();
    return Type::Void;
  }
  const Type type = type_of_numpy(descr->type_num);
  Py_DECREF(descr);
  return type;
}

int array_rank(PyObject* array) noexcept {
  return PyArray_NDIM(reinterpret_cast<PyArrayObject*>(array));
}

Bits numpy_scalar_bits(PyObject* scalar, Type type) {
  Bits bits = 0;
  PyArray_ScalarAsCtype(scalar, &bits);  // little-endian: the low bytes
  if (type == Type::Bool) bits = (bits & 0xff) != 0;
  return bits;
}

PyObject* numpy_scalar_from_bits(Type type, Bits bits) {
  PyArray_Descr* descr = PyArray_DescrFromType(numpy_of_type(type));
  if (descr == nullptr) return nullptr;
  PyObject* made = PyArray_Scalar(&bits, descr, nullptr);
  Py_DECREF(descr);
  return made;
}

}  // namespace lattice::python::jit
