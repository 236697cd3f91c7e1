// SPDX-License-Identifier: MIT
// Errors across the border: Python classes of lattice's exceptions, cached exceptions, log records.
#include <nanobind/nanobind.h>

#include "lattice/base/error.hpp"
#include "reactive_node.hpp"

namespace lattice::python {

PyObject* lattice_error = nullptr;
PyObject* access_error = nullptr;
PyObject* disposed_error = nullptr;
PyObject* not_ready_error = nullptr;
PyObject* trace_error = nullptr;

namespace {

PyObject* cycle_error = nullptr;
PyObject* decode_error = nullptr;

// The class is known under its public name, `lattice.CycleError`.
PyObject* add_class(PyObject* module, const char* name, PyObject* base, const char* doc) {
  const std::string full = std::string("lattice.") + name;
  PyObject* type = PyErr_NewExceptionWithDoc(full.c_str(), doc, base, nullptr);
  if (type == nullptr || PyModule_AddObjectRef(module, name, type) < 0) return nullptr;
  return type;
}

void set_native_error(std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (const CycleError& known) {
    PyErr_SetString(cycle_error, known.what());
  } catch (const DisposedError& known) {
    PyErr_SetString(disposed_error, known.what());
  } catch (const AccessError& known) {
    PyErr_SetString(access_error, known.what());
  } catch (const DecodeError& known) {
    PyErr_SetString(decode_error, known.what());
  } catch (const NestingError& known) {
    PyErr_SetString(PyExc_RecursionError, known.what());
  } catch (const Error& known) {
    PyErr_SetString(lattice_error, known.what());
  } catch (nanobind::python_error& known) {
    known.restore();
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& known) {
    PyErr_SetString(PyExc_RuntimeError, known.what());
  } catch (...) {
    PyErr_SetString(PyExc_RuntimeError, "unknown C++ exception");
  }
}

}  // namespace

int init_errors(PyObject* module) {
  lattice_error = add_class(module, "LatticeError", PyExc_Exception,
                            "Base of the errors that Lattice raises for misuse.");
  if (lattice_error == nullptr) return -1;
  struct Entry {
    const char* name;
    const char* doc;
    PyObject** place;
  };
  const Entry entries[] = {
      {"CycleError", "A memo or effect depends on itself; the message names the path.",
       &cycle_error},
      {"DisposedError", "Used after the scope, component or session that made it has ended.",
       &disposed_error},
      {"AccessError", "State reached from a session, thread or phase that may not touch it.",
       &access_error},
      {"DecodeError", "Bytes that the program handed in do not decode.", &decode_error},
      {"NotReady", "A value that is still being loaded.", &not_ready_error},
      {"TraceError", "A function cannot be traced to native code.", &trace_error}};
  for (const Entry& entry : entries) {
    *entry.place = add_class(module, entry.name, lattice_error, entry.doc);
    if (*entry.place == nullptr) return -1;
  }
  nanobind::register_exception_translator(
      [](const std::exception_ptr& error, void*) {
        try {
          std::rethrow_exception(error);
        } catch (const Error&) {
          set_native_error(error);
        }
      },
      nullptr);
  return 0;
}

void set_python_error(std::exception_ptr error) noexcept { set_native_error(error); }

PyObject* raise_error(PyObject* type, const std::string& message) {
  PyErr_SetString(type, message.c_str());
  return nullptr;
}

PyObject* take_raised() noexcept {
  PyObject *type = nullptr, *value = nullptr, *traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);
  if (type == nullptr) return nullptr;
  PyErr_NormalizeException(&type, &value, &traceback);
  if (traceback != nullptr) PyException_SetTraceback(value, traceback);
  Py_DECREF(type);
  Py_XDECREF(traceback);
  return value;
}

void raise_again(PyObject* exception) noexcept {
  PyErr_Restore(Py_NewRef(reinterpret_cast<PyObject*>(Py_TYPE(exception))), exception,
                PyException_GetTraceback(exception));
}

// --- copies of cached exceptions

namespace {

// Fields that a built-in exception type keeps outside args and __dict__ (OSError.errno, ...).
void copy_native_fields(PyObject* from, PyObject* to) {
  for (PyTypeObject* type = Py_TYPE(from); type != nullptr; type = type->tp_base) {
    const bool is_native = !(type->tp_flags & Py_TPFLAGS_HEAPTYPE);
    if (!is_native || type == reinterpret_cast<PyTypeObject*>(PyExc_BaseException)) continue;
    for (PyMemberDef* member = type->tp_members; member != nullptr && member->name != nullptr;
         ++member) {
      PyObject* value = PyObject_GetAttrString(from, member->name);
      PyObject* present = PyObject_GetAttrString(to, member->name);
      if (value != nullptr && value != present) PyObject_SetAttrString(to, member->name, value);
      Py_XDECREF(value);
      Py_XDECREF(present);
      PyErr_Clear();
    }
  }
}

// Like the original in all but its traceback; null (nothing raised) when its class cannot be
// copied.
PyObject* copy_exception(PyObject* exception) {
  PyTypeObject* type = Py_TYPE(exception);
  PyObject* args = PyObject_GetAttrString(exception, "args");
  PyObject* copy =
      args != nullptr && PyTuple_Check(args) ? type->tp_new(type, args, nullptr) : nullptr;
  if (copy == nullptr || Py_TYPE(copy) != type) {
    PyErr_Clear();
    Py_XDECREF(args);
    Py_XDECREF(copy);
    return nullptr;
  }
  PyObject_SetAttrString(copy, "args", args);
  Py_DECREF(args);
  copy_native_fields(exception, copy);
  PyObject* fields = PyObject_GetAttrString(exception, "__dict__");
  PyObject* target = fields != nullptr ? PyObject_GetAttrString(copy, "__dict__") : nullptr;
  if (target != nullptr) PyDict_Update(target, fields);
  Py_XDECREF(fields);
  Py_XDECREF(target);
  PyErr_Clear();
  PyException_SetCause(copy, PyException_GetCause(exception));
  PyException_SetContext(copy, PyException_GetContext(exception));
  reinterpret_cast<PyBaseExceptionObject*>(copy)->suppress_context =
      reinterpret_cast<PyBaseExceptionObject*>(exception)->suppress_context;
  return copy;
}

}  // namespace

namespace {

// The same code without free variables: looking at the locals of a frame that never ran fetches
// them from a closure, which a frame of ours does not have. New reference; null with an error.
PyCodeObject* without_closure(PyCodeObject* code) {
  if (PyCode_GetNumFree(code) == 0) {
    return reinterpret_cast<PyCodeObject*>(Py_NewRef(reinterpret_cast<PyObject*>(code)));
  }
  PyObject* replace = PyObject_GetAttrString(reinterpret_cast<PyObject*>(code), "replace");
  PyObject* no_arguments = PyTuple_New(0);
  PyObject* changes = PyDict_New();
  PyObject* copy = nullptr;
  if (replace != nullptr && no_arguments != nullptr && changes != nullptr &&
      PyDict_SetItemString(changes, "co_freevars", no_arguments) == 0) {
    copy = PyObject_Call(replace, no_arguments, changes);
  }
  Py_XDECREF(changes);
  Py_XDECREF(no_arguments);
  Py_XDECREF(replace);
  return reinterpret_cast<PyCodeObject*>(copy);
}

// Made by detached_traceback: its frame has no caller and never came to the line of the entry. (A
// version of Python may pretend that a new frame ran its first instruction.)
bool is_detached(PyTracebackObject* entry) {
  PyFrameObject* back = PyFrame_GetBack(entry->tb_frame);
  Py_XDECREF(back);
  return back == nullptr && PyFrame_GetLasti(entry->tb_frame) != entry->tb_lasti;
}

// The same lines, on frames of their own: without local variables and without callers, whom a real
// frame would keep alive.
PyObject* detached_traceback(PyObject* traceback) {
  if (traceback == nullptr || !PyTraceBack_Check(traceback)) return nullptr;
  auto* entry = reinterpret_cast<PyTracebackObject*>(traceback);
  if (is_detached(entry)) return Py_NewRef(traceback);  // and so is all that follows
  PyObject* next = detached_traceback(reinterpret_cast<PyObject*>(entry->tb_next));
  PyCodeObject* code = PyFrame_GetCode(entry->tb_frame);
  PyObject* globals =
      PyObject_GetAttrString(reinterpret_cast<PyObject*>(entry->tb_frame), "f_globals");
  PyObject* line = PyObject_GetAttrString(traceback, "tb_lineno");
  PyObject* copy = nullptr;
  PyCodeObject* bare = without_closure(code);
  if (globals != nullptr && line != nullptr && bare != nullptr) {
    PyFrameObject* frame = PyFrame_New(PyThreadState_Get(), bare, globals, nullptr);
    if (frame != nullptr) {
      copy = PyObject_CallFunction(reinterpret_cast<PyObject*>(&PyTraceBack_Type), "OOiO",
                                   next != nullptr ? next : Py_None, frame, entry->tb_lasti, line);
      Py_DECREF(frame);
    }
  }
  PyErr_Clear();
  Py_XDECREF(reinterpret_cast<PyObject*>(bare));
  Py_XDECREF(line);
  Py_XDECREF(globals);
  Py_DECREF(code);
  Py_XDECREF(next);
  return copy;
}

void detach_frames_at_depth(PyObject* exception, int depth) {
  if (exception == nullptr || depth > 20) return;
  PyObject* traceback = PyException_GetTraceback(exception);
  PyObject* detached = detached_traceback(traceback);
  PyException_SetTraceback(exception, detached != nullptr ? detached : Py_None);
  Py_XDECREF(detached);
  Py_XDECREF(traceback);
  for (auto* get : {&PyException_GetCause, &PyException_GetContext}) {
    PyObject* earlier = (*get)(exception);
    detach_frames_at_depth(earlier, depth + 1);
    Py_XDECREF(earlier);
  }
}

}  // namespace

void detach_frames(PyObject* exception) { detach_frames_at_depth(exception, 0); }

void raise_copy(PyObject* exception, PyObject* traceback) {
  PyObject* copy = copy_exception(exception);
  if (copy == nullptr) copy = Py_NewRef(exception);
  PyException_SetTraceback(copy, traceback != nullptr ? traceback : Py_None);
  PyErr_Restore(Py_NewRef(reinterpret_cast<PyObject*>(Py_TYPE(copy))), copy, Py_XNewRef(traceback));
}

bool is_transient_error(PyObject* exception) {
  if (PyErr_GivenExceptionMatches(exception, PyExc_RecursionError) ||
      PyErr_GivenExceptionMatches(exception, PyExc_MemoryError) ||
      !PyErr_GivenExceptionMatches(exception, PyExc_Exception)) {
    return true;
  }
  PyObject* mark = PyErr_GivenExceptionMatches(exception, lattice_error)
                       ? PyObject_GetAttrString(exception, "_is_transient")
                       : nullptr;
  PyErr_Clear();
  Py_XDECREF(mark);
  return mark == Py_True;
}

bool is_not_ready(PyObject* exception) noexcept {
  return PyErr_GivenExceptionMatches(exception, not_ready_error) != 0;
}

PyObject* refuse_coroutine(PyObject* coroutine, PyObject* function, const char* cure) {
  PyObject* closed = PyObject_CallMethod(coroutine, "close", nullptr);
  PyErr_Clear();
  Py_XDECREF(closed);
  Py_DECREF(coroutine);
  PyErr_Format(PyExc_TypeError, "%R gave a coroutine, which nothing would run; %s", function, cure);
  return nullptr;
}

// --- reports

void log_exception(PyObject* exception, std::string_view what) noexcept {
  SavedError saved;
  PyObject* module = PyImport_ImportModule("lattice._report");
  const std::string text(what);
  PyObject* result = module != nullptr ? PyObject_CallMethod(module, "log_exception", "Os",
                                                             exception, text.c_str())
                                       : nullptr;
  if (result == nullptr) PyErr_WriteUnraisable(exception);
  Py_XDECREF(result);
  Py_XDECREF(module);
}

void report_error(Graph& graph, PyObject* exception, const std::string& what, const char* name,
                  reactive::NodeHandle effect) {
  if (PyErr_GivenExceptionMatches(exception, PyExc_Exception)) {
    SavedError saved;
    raise_again(exception);
    auto error = std::make_exception_ptr(nanobind::python_error());
    if (graph.handle_error(reactive::node_of(effect), error)) return;
    set_native_error(error);  // as it was, or what the last handler raised
    exception = take_raised();
  }
  report_unhandled(graph, exception, what, name, effect);
}

void report_unhandled(Graph& graph, PyObject* exception, const std::string& what, const char* name,
                      reactive::NodeHandle effect) {
  SavedError saved;
  auto* runtime = static_cast<Runtime*>(graph.host);
  auto* state = runtime != nullptr ? static_cast<SessionState*>(runtime->host) : nullptr;
  bool is_handled = false;
  if (state != nullptr && state->on_error) {
    try {
      is_handled = state->on_error(exception, name, effect);
    } catch (...) {
      PyErr_Clear();
    }
  }
  if (!is_handled) log_exception(exception, what);
  // An interrupt is the program's: raised again at the next safe point. Not before it was logged,
  // since the logger would be the next.
  if (PyErr_GivenExceptionMatches(exception, PyExc_KeyboardInterrupt)) PyErr_SetInterrupt();
  Py_DECREF(exception);
}

}  // namespace lattice::python
