// SPDX-License-Identifier: MIT
// The tracer's objects: Tracer records what is done with TracedValues as IR.
//
// A TracedValue is a node of the tracer's builder with its element type, rank and *kind*: Python
// scalars (int, float, bool) are weak in NumPy's promotion and keep Python's semantics among
// themselves; everything else is NumPy's. Every operator promotes first (NEP 50), casts, and then
// emits, so the builder only sees operands of one type.
//
// Functions here need the GIL; failures are C++ exceptions until the C slots turn them into
// Python's error indicator.
#pragma once

#include <Python.h>

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "lattice/jit/ir/builder.hpp"

namespace lattice::python::jit {

using lattice::jit::Bits;
using lattice::jit::Op;
using lattice::jit::Type;
using lattice::jit::ir::Builder;
using lattice::jit::ir::NodeId;

struct Value {
  NodeId id = lattice::jit::ir::kNone;
  Type type = Type::Void;
  uint8_t rank = 0;
  bool is_weak = false;
  bool is_mixed = false;  // a weak float that is an int in Python on some ways to here
};

// What a failure is, as the class of lattice._jit.errors that tells it.
struct TraceFailure {
  const char* kind;
  std::string what;
  std::string cure;
};
// Python's error indicator is set already.
struct PythonFailure {};

// An array of traced code is a cell, as in NumPy: assignment to elements changes what every name of
// it sees. A change is written down, so that a branch or loop can take it back and merge it.
struct Change {
  PyObject* object;  // TracedObject, owned
  Value old;
  uint64_t old_seen;
  bool is_refresh;  // a view was computed again; nothing that the program did
};

struct TracerObject {
  PyObject_HEAD Builder* builder;
  bool is_open;
  bool is_lanes;       // @vectorize: values are elements, and arrays may decide
  PyObject* decide;    // replay: callable(TracedValue) -> bool, or null
  PyObject* captured;  // list of arrays that became parameters by being used
  std::vector<NodeId>* captured_ids;
  std::unordered_map<PyObject*, uint32_t>* files;  // code objects seen: file + 1, or 0 for ours
  PyObject* kept_codes;                            // keeps their addresses from being reused
  std::vector<Change>* changes;
  uint64_t born;  // objects made so far
};

struct TracedObject {
  PyObject_HEAD TracerObject* tracer;
  Value value;
  bool is_parameter;
  PyObject* name;    // or null
  PyObject* link;    // of a view: (array, read(), write(value) or None); else null
  uint64_t version;  // changes of the value so far
  uint64_t seen;     // of a view: the array's version when it was read
  uint64_t serial;   // of its birth
};

extern PyTypeObject* tracer_type;
extern PyTypeObject* traced_type;

int init_trace_types(PyObject* module);

inline bool is_traced(PyObject* object) noexcept { return Py_TYPE(object) == traced_type; }
inline TracedObject* as_traced(PyObject* object) noexcept {
  return reinterpret_cast<TracedObject*>(object);
}
PyObject* make_traced(TracerObject* tracer, Value value, PyObject* name = nullptr);

// NumPy's promotion of two strong types; Void when there is none here (float16, complex).
Type promote_strong(Type a, Type b) noexcept;

// --- numpy, loaded on first use

bool load_numpy() noexcept;       // imports it; false with an error set
bool is_numpy_loaded() noexcept;  // load_numpy() has succeeded
bool is_array(PyObject* object) noexcept;
bool is_numpy_scalar(PyObject* object) noexcept;
// Element type of an array or NumPy scalar; Void for one the IR does not have.
Type numpy_type(PyObject* object) noexcept;
int array_rank(PyObject* array) noexcept;
Bits numpy_scalar_bits(PyObject* scalar, Type type);
PyObject* numpy_scalar_from_bits(Type type, Bits bits);

}  // namespace lattice::python::jit
