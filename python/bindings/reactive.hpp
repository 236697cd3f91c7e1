// SPDX-License-Identifier: MIT
// What other bindings may do with Python's signals and memos, without knowing how they are made.
//
// Conventions: every function needs the GIL. A failure is Python's error indicator, as in CPython's
// own C API: null or -1 is returned, nothing is thrown. Objects are resolved for the session that
// is current on this thread (its Runtime entered), so a module-level signal gives that session's
// value. A flush or read of a runtime that holds Python nodes calls back into Python: hold the GIL
// for it.
#pragma once

#include <Python.h>

#include <exception>
#include <string>
#include <string_view>

namespace lattice::python {

bool is_signal(PyObject* object) noexcept;
bool is_memo(PyObject* object) noexcept;
// A signal or a memo.
bool is_readable(PyObject* object) noexcept;

// The value, new reference. The running effect or memo of the current runtime (of C++ as well)
// subscribes.
PyObject* read_tracked(PyObject* readable);
// The value, new reference, without subscribing. A stale memo is computed.
PyObject* peek(PyObject* readable);
// 0, or -1 with an error (LT102 while a component renders). Only for signals.
int write(PyObject* signal, PyObject* value);

// The instance that belongs to the current session: borrowed, the session keeps it; `readable`
// itself when it belongs here or there is no session. Null with AccessError when it is another
// session's.
PyObject* resolve(PyObject* readable);
// Equal for two objects exactly when they resolve to the same node; null as in resolve().
const void* identity(PyObject* readable);

// "auto" equality of lattice.signal, but the very same mutable object is equal to itself. Never
// fails.
bool values_equal(PyObject* a, PyObject* b);

// The name that the user gave or assigned it to, else "".
std::string name_of(PyObject* node);

// Sets Python's error indicator to what `error` stands for: lattice errors by name, Python errors
// as they are, the rest as RuntimeError.
void set_python_error(std::exception_ptr error) noexcept;
// One record of the logger "lattice", with the user's own frame first. Takes no reference; clears
// nothing. `what` is "effect 'log'", "the handler of 'on_click'".
void log_exception(PyObject* exception, std::string_view what) noexcept;
// NotReady: a value that is being loaded.
bool is_not_ready(PyObject* exception) noexcept;
// What is raised right now, as a normalised exception with its traceback; the indicator is cleared.
// New reference, null when nothing is raised.
PyObject* take_raised() noexcept;
// Raises it again as it is. Steals the reference.
void raise_again(PyObject* exception) noexcept;

}  // namespace lattice::python
