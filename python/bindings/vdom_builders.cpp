// SPDX-License-Identifier: MIT
// Element builders: callables that make a VNode of one tag, by vectorcall.
#include <nanobind/nanobind.h>
#include <structmember.h>  // T_PYSSIZET: Python 3.11 has it nowhere else

#include <string>

#include "lattice/ui/vdom/attributes.hpp"
#include "vdom_internal.hpp"

namespace nb = nanobind;

namespace lattice::python {

namespace {

struct BuilderObject {
  PyObject_HEAD PyObject* tag;
  PyObject* name;
  PyObject* doc;
  vectorcallfunc vectorcall;
};

BuilderObject* as_builder(PyObject* object) noexcept {
  return reinterpret_cast<BuilderObject*>(object);
}

// builder(*children, key=None, **attrs)
PyObject* build(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  return guarded([&] {
    PyObject* tag = as_builder(self)->tag;
    const std::string_view tag_text = utf8(tag);
    const Py_ssize_t count = PyVectorcall_NARGS(nargsf);
    nb::object children;
    if (count > 0) {
      children = check(PyList_New(count));
      for (Py_ssize_t i = 0; i < count; ++i) {
        PyList_SET_ITEM(children.ptr(), i, Py_NewRef(args[i]));
      }
      check_children(tag_text.data(), children.ptr());
      check_child_count(tag_text, children.ptr());
    }
    PyObject* key = Py_None;
    AttrsBuilder attrs(tag_text.data());
    const Py_ssize_t named = kwnames == nullptr ? 0 : PyTuple_GET_SIZE(kwnames);
    for (Py_ssize_t i = 0; i < named; ++i) {
      PyObject* name = PyTuple_GET_ITEM(kwnames, i);
      if (PyUnicode_CompareWithASCIIString(name, "key") == 0) {
        key = args[count + i];
        check_key(tag_text.data(), key);
      } else {
        attrs.add(name, args[count + i]);
      }
    }
    return new_vnode(tag, attrs.release(), children.release().ptr(), key);
  });
}

PyObject* builder_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"tag", "doc", "name", nullptr};
  PyObject* tag = nullptr;
  PyObject* doc = Py_None;
  PyObject* name = nullptr;
  if (PyArg_ParseTupleAndKeywords(args, kwargs, "U|OU:ElementBuilder", const_cast<char**>(names),
                                  &tag, &doc, &name) == 0) {
    return nullptr;
  }
  return guarded([&] {
    const std::string text(utf8(tag));
    if (text != kFragmentTag) vdom::check_tag(text);
    PyObject* self = type->tp_alloc(type, 0);
    if (self == nullptr) throw nb::python_error();
    BuilderObject* builder = as_builder(self);
    builder->tag = Py_NewRef(tag);
    PyUnicode_InternInPlace(&builder->tag);
    builder->name = Py_NewRef(name == nullptr ? tag : name);
    builder->doc = Py_NewRef(doc);
    builder->vectorcall = build;
    return self;
  });
}

void builder_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  Py_XDECREF(as_builder(self)->tag);
  Py_XDECREF(as_builder(self)->name);
  Py_XDECREF(as_builder(self)->doc);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* builder_name(PyObject* self, void*) { return Py_NewRef(as_builder(self)->name); }
PyObject* builder_tag(PyObject* self, void*) { return Py_NewRef(as_builder(self)->tag); }

// Doc and module differ per builder. As descriptors they would hide those of the type itself.
PyObject* builder_getattro(PyObject* self, PyObject* name) {
  if (PyUnicode_CompareWithASCIIString(name, "__doc__") == 0) {
    return Py_NewRef(as_builder(self)->doc);
  }
  if (PyUnicode_CompareWithASCIIString(name, "__module__") == 0) {
    return PyUnicode_FromString("lattice.ui");
  }
  return PyObject_GenericGetAttr(self, name);
}

PyObject* builder_repr(PyObject* self) {
  return PyUnicode_FromFormat("<element builder %U>", as_builder(self)->name);
}

}  // namespace

void make_builder_type(nb::module_& module) {
  static PyGetSetDef getters[] = {{"tag", builder_tag, nullptr, "Element name.", nullptr},
                                  {"__name__", builder_name, nullptr, nullptr, nullptr},
                                  {"__qualname__", builder_name, nullptr, nullptr, nullptr},
                                  {nullptr, nullptr, nullptr, nullptr, nullptr}};
  static PyMemberDef members[] = {
      {"__vectorcalloffset__", T_PYSSIZET, offsetof(BuilderObject, vectorcall), READONLY, nullptr},
      {nullptr, 0, 0, 0, nullptr}};
  static PyType_Slot slots[] = {
      {Py_tp_new, reinterpret_cast<void*>(builder_new)},
      {Py_tp_dealloc, reinterpret_cast<void*>(builder_dealloc)},
      {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
      {Py_tp_repr, reinterpret_cast<void*>(builder_repr)},
      {Py_tp_getattro, reinterpret_cast<void*>(builder_getattro)},
      {Py_tp_doc, const_cast<char*>("ElementBuilder(tag, doc=None, name=None)\n--\n\nBuilds "
                                    "elements of one tag: builder(*children, key=None, **attrs).")},
      {Py_tp_getset, getters},
      {Py_tp_members, members},
      {0, nullptr}};
  static PyType_Spec spec = {"lattice._core.ElementBuilder", sizeof(BuilderObject), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL, slots};
  module.attr("ElementBuilder") = check(PyType_FromSpec(&spec));
}

}  // namespace lattice::python
