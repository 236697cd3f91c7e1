// SPDX-License-Identifier: MIT
// seconds_of_calls(function, count): calls a Python function from C, as an extension's node does.
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <time.h>

#include <cstdlib>
#include <cstring>

namespace {

double now_seconds() {
  const char* wanted = std::getenv("LATTICE_BENCH_CLOCK");
  const bool cpu = wanted != nullptr && std::strcmp(wanted, "cpu") == 0;
  timespec now;
  clock_gettime(cpu ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

PyObject* seconds_of_calls(PyObject*, PyObject* arguments) {
  PyObject* function = nullptr;
  Py_ssize_t count = 0;
  if (!PyArg_ParseTuple(arguments, "On", &function, &count)) return nullptr;
  const double begin = now_seconds();
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* result = PyObject_Vectorcall(function, nullptr, 0, nullptr);
    if (result == nullptr) return nullptr;
    Py_DECREF(result);
  }
  return PyFloat_FromDouble(now_seconds() - begin);
}

PyMethodDef methods[] = {{"seconds_of_calls", seconds_of_calls, METH_VARARGS,
                          "Seconds that `count` calls of `function` take."},
                         {nullptr, nullptr, 0, nullptr}};
PyModuleDef module = {PyModuleDef_HEAD_INIT,
                      "bench_python_floor",
                      nullptr,
                      0,
                      methods,
                      nullptr,
                      nullptr,
                      nullptr,
                      nullptr};

}  // namespace

PyMODINIT_FUNC PyInit_bench_python_floor() { return PyModule_Create(&module); }
