// SPDX-License-Identifier: MIT
// lattice._core.Ir: a recorded function, before it is compiled.
#pragma once

#include <Python.h>

#include <memory>

#include "lattice/jit/ir/function.hpp"

namespace lattice::python::jit {

// New reference; null with an error set.
PyObject* make_ir(lattice::jit::ir::Function function);
// Null with TypeError when the object is none.
const lattice::jit::ir::Function* ir_of(PyObject* object);

int init_dispatch_type(PyObject* module);

}  // namespace lattice::python::jit
