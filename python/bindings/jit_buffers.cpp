// SPDX-License-Identifier: MIT
// Result arrays whose memory comes from the JIT's buffers, and goes back there when they die.
//
// NumPy lets an array bring its allocator along: the array owns its data as any other does
// (resize() works, there is no `base`).
#include "jit_numpy.hpp"

#include <algorithm>
#include <cstring>

#include "lattice/jit/buffer_cache.hpp"

namespace lattice::python::jit {

namespace {

using lattice::jit::buffer_capacity;
using lattice::jit::give_buffer;
using lattice::jit::take_buffer;

// Below, malloc is as fast, and setting an allocator costs more than it saves.
constexpr int64_t kRecycledBytes = 256 << 10;

void* allocate(void*, size_t bytes) { return take_buffer(bytes); }

void* allocate_cleared(void*, size_t count, size_t each) {
  size_t bytes = 0;
  if (__builtin_mul_overflow(count, each, &bytes)) return nullptr;
  void* memory = take_buffer(bytes);
  if (memory != nullptr) std::memset(memory, 0, bytes);
  return memory;
}

void* reallocate(void*, void* memory, size_t bytes) {
  if (memory == nullptr) return take_buffer(bytes);
  const size_t capacity = buffer_capacity(memory);
  if (bytes <= capacity && bytes >= capacity / 2) return memory;
  void* made = take_buffer(bytes);
  if (made == nullptr) return nullptr;
  std::memcpy(made, memory, std::min(bytes, capacity));
  give_buffer(memory);
  return made;
}

void release(void*, void* memory, size_t) { give_buffer(memory); }

PyDataMem_Handler handler = {
    "lattice", 1, {nullptr, allocate, allocate_cleared, reallocate, release}};

// Made once, and kept: arrays refer to it.
PyObject* handler_capsule() {
  static PyObject* capsule = PyCapsule_New(&handler, "mem_handler", nullptr);
  return capsule;
}

}  // namespace

PyObject* new_result(int rank, const npy_intp* extent, Type type) {
  auto* dims = const_cast<npy_intp*>(extent);
  int64_t bytes = byte_size(type);
  for (int k = 0; k < rank; ++k) bytes *= extent[k];
  PyObject* capsule = bytes >= kRecycledBytes ? handler_capsule() : nullptr;
  PyObject* before = capsule != nullptr ? PyDataMem_SetHandler(capsule) : nullptr;
  if (before == nullptr) {
    PyErr_Clear();
    return PyArray_SimpleNew(rank, dims, numpy_of_type(type));
  }
  PyObject* made = PyArray_SimpleNew(rank, dims, numpy_of_type(type));
  PyObject* mine = PyDataMem_SetHandler(before);
  Py_DECREF(before);
  if (mine == nullptr) {
    Py_XDECREF(made);
    return nullptr;
  }
  Py_DECREF(mine);
  return made;
}

}  // namespace lattice::python::jit
