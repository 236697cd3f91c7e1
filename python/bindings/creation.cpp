// SPDX-License-Identifier: MIT
// lattice.signal and lattice.memo: the functions of reactive.py, with the usual call answered here.
//
// A call with nothing but the value or a plain function, outside a component's body, needs none of
// what those functions decide; it makes the node at once. Every other call goes to the function.
// But for being called, a QuickFunction is as its function: signature, documentation, name.
#include "reactive_node.hpp"

namespace lattice::python {

namespace {

struct QuickFunction {
  PyObject ob_base;
  PyObject* function;
  vectorcallfunc vectorcall;
};

QuickFunction* as_quick(PyObject* object) { return reinterpret_cast<QuickFunction*>(object); }

// Steals `self`.
PyObject* made(NodeObject* self) {
  if (self == nullptr) return nullptr;
  remember_origin(self);
  if (bind_here(self) < 0) return Py_DECREF(as_object(self)), nullptr;
  return as_object(self);
}

bool is_usual_call(size_t count, PyObject* names) noexcept {
  return PyVectorcall_NARGS(count) == 1 && names == nullptr && thread_face.rendering == nullptr;
}

PyObject* call_signal(PyObject* object, PyObject* const* args, size_t count, PyObject* names) {
  if (is_usual_call(count, names)) [[likely]]
    return made(new_signal_object(args[0]));
  return PyObject_Vectorcall(as_quick(object)->function, args, count, names);
}

// What nobody could object to: a Python function that can be called without arguments and is
// neither async nor a generator, nor marked as anything.
bool is_plain_function(PyObject* object) noexcept {
  if (!PyFunction_Check(object)) return false;
  auto* function = reinterpret_cast<PyFunctionObject*>(object);
  auto* code = reinterpret_cast<PyCodeObject*>(function->func_code);
  constexpr int kOthers = CO_GENERATOR | CO_COROUTINE | CO_ITERABLE_COROUTINE | CO_ASYNC_GENERATOR;
  const Py_ssize_t defaults =
      function->func_defaults != nullptr ? PyTuple_GET_SIZE(function->func_defaults) : 0;
  return (code->co_flags & kOthers) == 0 && code->co_argcount <= defaults &&
         code->co_kwonlyargcount == 0 &&
         (function->func_dict == nullptr || PyDict_GET_SIZE(function->func_dict) == 0);
}

PyObject* call_memo(PyObject* object, PyObject* const* args, size_t count, PyObject* names) {
  if (is_usual_call(count, names) && is_plain_function(args[0])) [[likely]]
    return made(new_memo_object(args[0]));
  return PyObject_Vectorcall(as_quick(object)->function, args, count, names);
}

// --- the type

PyTypeObject* quick_type = nullptr;

bool is_own(PyObject* name) {
  for (const char* own : {"__class__", "__wrapped__", "__reduce__", "__reduce_ex__"}) {
    if (PyUnicode_CompareWithASCIIString(name, own) == 0) return true;
  }
  return false;
}

PyObject* quick_getattro(PyObject* object, PyObject* name) {
  if (is_own(name)) return PyObject_GenericGetAttr(object, name);
  return PyObject_GetAttr(as_quick(object)->function, name);
}

// As an attribute of a class it stays what it is, like a function of C.
PyObject* quick_get(PyObject* object, PyObject*, PyObject*) { return Py_NewRef(object); }
PyObject* quick_repr(PyObject* object) { return PyObject_Repr(as_quick(object)->function); }

// Pickled and copied by its name.
PyObject* quick_reduce(PyObject* object, PyObject*) {
  return PyObject_GetAttrString(as_quick(object)->function, "__qualname__");
}

int quick_traverse(PyObject* object, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(object));
  Py_VISIT(as_quick(object)->function);
  return 0;
}

int quick_clear(PyObject* object) {
  Py_CLEAR(as_quick(object)->function);
  return 0;
}

void quick_dealloc(PyObject* object) {
  PyObject_GC_UnTrack(object);
  quick_clear(object);
  PyTypeObject* type = Py_TYPE(object);
  type->tp_free(object);
  Py_DECREF(type);
}

PyMemberDef quick_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(QuickFunction, vectorcall), READONLY, nullptr},
    {"__wrapped__", T_OBJECT_EX, offsetof(QuickFunction, function), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

// pydoc asks past __getattribute__.
PyObject* get_doc(PyObject* object, void*) {
  return PyObject_GetAttrString(as_quick(object)->function, "__doc__");
}

PyGetSetDef quick_getset[] = {{"__doc__", &get_doc, nullptr, nullptr, nullptr},
                              {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMethodDef quick_methods[] = {{"__reduce__", &quick_reduce, METH_NOARGS, nullptr},
                               {nullptr, nullptr, 0, nullptr}};

PyTypeObject* make_quick_type() {
  PyType_Slot slots[] = {{Py_tp_call, reinterpret_cast<void*>(&PyVectorcall_Call)},
                         {Py_tp_dealloc, reinterpret_cast<void*>(&quick_dealloc)},
                         {Py_tp_traverse, reinterpret_cast<void*>(&quick_traverse)},
                         {Py_tp_clear, reinterpret_cast<void*>(&quick_clear)},
                         {Py_tp_getattro, reinterpret_cast<void*>(&quick_getattro)},
                         {Py_tp_descr_get, reinterpret_cast<void*>(&quick_get)},
                         {Py_tp_repr, reinterpret_cast<void*>(&quick_repr)},
                         {Py_tp_members, &quick_members[0]},
                         {Py_tp_getset, &quick_getset[0]},
                         {Py_tp_methods, &quick_methods[0]},
                         {0, nullptr}};
  PyType_Spec spec = {"lattice._core.function", sizeof(QuickFunction), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
                          Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                      slots};
  return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
}

PyObject* wrap(PyObject* function, vectorcallfunc vectorcall) {
  if (quick_type == nullptr && (quick_type = make_quick_type()) == nullptr) return nullptr;
  PyObject* object = quick_type->tp_alloc(quick_type, 0);
  if (object == nullptr) return nullptr;
  as_quick(object)->function = Py_NewRef(function);
  as_quick(object)->vectorcall = vectorcall;
  return object;
}

}  // namespace

PyObject* quick_signal(PyObject* function) { return wrap(function, &call_signal); }
PyObject* quick_memo(PyObject* function) { return wrap(function, &call_memo); }

}  // namespace lattice::python
