// SPDX-License-Identifier: MIT
// NumPy's C API for the files that read arrays directly: one table, loaded on first use, so that
// `import lattice` does not import numpy.
#pragma once

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL lattice_numpy_api
#ifndef LATTICE_OWNS_NUMPY_API
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>
#include <numpy/arrayscalars.h>

#include "jit_trace.hpp"

namespace lattice::python::jit {

constexpr Type type_of_numpy(int number) noexcept {
  switch (number) {
    case NPY_BOOL:
      return Type::Bool;
    case NPY_BYTE:
      return Type::I8;
    case NPY_SHORT:
      return Type::I16;
    case NPY_INT:
      return Type::I32;
    case NPY_LONG:
      return sizeof(long) == 8 ? Type::I64 : Type::I32;
    case NPY_LONGLONG:
      return Type::I64;
    case NPY_UBYTE:
      return Type::U8;
    case NPY_USHORT:
      return Type::U16;
    case NPY_UINT:
      return Type::U32;
    case NPY_ULONG:
      return sizeof(long) == 8 ? Type::U64 : Type::U32;
    case NPY_ULONGLONG:
      return Type::U64;
    case NPY_FLOAT:
      return Type::F32;
    case NPY_DOUBLE:
      return Type::F64;
    default:
      return Type::Void;
  }
}

constexpr int numpy_of_type(Type type) noexcept {
  constexpr int kNumbers[lattice::jit::kTypeCount] = {
      NPY_NOTYPE, NPY_BOOL,   NPY_INT8,   NPY_INT16,  NPY_INT32,   NPY_INT64,
      NPY_UINT8,  NPY_UINT16, NPY_UINT32, NPY_UINT64, NPY_FLOAT32, NPY_FLOAT64};
  return kNumbers[static_cast<int>(type)];
}

// An array for a result, not initialised; a large one uses memory of dead ones.
PyObject* new_result(int rank, const npy_intp* extent, Type type);

}  // namespace lattice::python::jit
