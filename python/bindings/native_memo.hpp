// SPDX-License-Identifier: MIT
// Native memos: Python memos whose runs need no Python.
//
// A memo that runs often and whose function is provably free of side effects gets a MemoProgram
// (lattice._jit.memo walks its source). Its node is then of a type of its own, whose update reads
// the sources' numbers, runs machine code and keeps the result unboxed; a Python object is made
// when somebody reads it. Nothing else changes: the links, counts and errors are those of the
// function, because whatever the program cannot do exactly (another type, an overflow, an
// exception, a captured value that was rebound) is done by calling the function.
//
// The value of a native memo: kEmpty in its node's flags says that it is in NativeMemo::bits alone
// and that NodeObject::value is old, or null.
#pragma once

#include "reactive_node.hpp"

namespace lattice::python {

// Before a run of the Python function, now and then: makes the memo native from the next run on.
// -1 with an error when native=True demands what cannot be.
int consider_native(NodeObject* self, ComputationNode* node, Graph& graph);
bool update_native_memo(Graph& graph, Node* node) noexcept;
// Makes the Python object. Null with an error when there is no memory; else borrowed.
PyObject* box_native(NodeObject* self) noexcept;
// The memo has another function: Python runs it, until it is considered anew.
void forget_program(NodeObject* self) noexcept;
int traverse_native(NativeMemo* native, visitproc visit, void* arg);
void clear_native(NativeMemo* native);
void delete_native(NativeMemo* native);

// memo_type.cpp: the function's run, for a memo of either type.
bool run_function(Graph& graph, ComputationNode* node, NodeObject* self) noexcept;

PyObject* memo_native(PyObject* object, void*);
PyObject* memo_native_reason(PyObject* object, void*);
PyObject* memo_demand_native(PyObject* object, PyObject* demanded);
// native_value(node) -> (known, value): of the signal or memo that stands for it here.
PyObject* native_value(PyObject* object);

inline PyObject* boxed_value(NodeObject* self) noexcept {  // borrowed
  const bool is_unboxed = self->native != nullptr && self->node != nullptr &&
                          self->kind == NodeKind::Memo &&
                          (self->node->flags & reactive::kEmpty) != 0;
  if (is_unboxed && box_native(self) == nullptr) PyErr_Clear();
  return self->value;
}

}  // namespace lattice::python
