// SPDX-License-Identifier: MIT
// VNode as a Python type: construction with its checks, and the slots of the type.
#include <string>

#include "lattice/base/error.hpp"
#include "lattice/ui/vdom/attributes.hpp"
#include "vdom_internal.hpp"

namespace nb = nanobind;

namespace lattice::python {

PyTypeObject* vnode_type = nullptr;

namespace {

nb::object check_child(const char* tag, PyObject* child, size_t depth);

// A list or tuple inside the children. Returns a copy when something in it had to be replaced,
// since the original is the user's; else null.
nb::object check_nested(const char* tag, PyObject* items, size_t depth) {
  vdom::internal::check_depth(depth);
  nb::object copy;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items); ++i) {
    nb::object replaced = check_child(tag, PySequence_Fast_GET_ITEM(items, i), depth + 1);
    if (!replaced) continue;
    if (!copy) copy = check(PySequence_List(items));
    check(PyList_SetItem(copy.ptr(), i, replaced.release().ptr()));
  }
  return copy;
}

// Refuses what is no child, naming the element. Returns what takes its place, if anything does.
nb::object check_child(const char* tag, PyObject* child, size_t depth) {
  if (is_vnode(child) || is_plain(child)) return {};
  if (PyList_Check(child) || PyTuple_Check(child)) return check_nested(tag, child, depth);
  if (is_slot_object(child) || is_other_scalar(child)) return {};
  if (!is_iterator_child(child)) raise_not_a_child(tag, child);
  nb::object list = check(PySequence_List(child));
  nb::object copy = check_nested(tag, list.ptr(), depth);
  return copy ? copy : list;
}

}  // namespace

void check_children(const char* tag, PyObject* list) {
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i) {
    nb::object replaced = check_child(tag, PyList_GET_ITEM(list, i), 0);
    if (replaced) check(PyList_SetItem(list, i, replaced.release().ptr()));
  }
}

void raise_not_a_child(const char* tag, PyObject* child) {
  raise(PyExc_TypeError,
        "<%s> got a child of type %s: expected text, a number, an element, a list, "
        "None, a signal or a function",
        tag, Py_TYPE(child)->tp_name);
}

void check_child_count(std::string_view tag, PyObject* children) {
  if (PyList_GET_SIZE(children) == 0) return;
  const std::string name(tag);
  if (vdom::is_void_tag(tag)) raise(PyExc_TypeError, "<%s> takes no children", name.c_str());
  if (tag == "textarea") {
    raise(PyExc_TypeError, "<textarea> takes its text as value=..., not as children");
  }
}

void check_key(const char* tag, PyObject* key) {
  if (key == Py_None || PyUnicode_Check(key)) return;
  if (PyLong_Check(key) && !PyBool_Check(key)) {
    int overflow = 0;
    PyLong_AsLongLongAndOverflow(key, &overflow);
    if (overflow == 0) return;
    raise(PyExc_TypeError, "<%s key=...> got an int beyond 64 bits: use str(key)", tag);
  }
  raise(PyExc_TypeError, "<%s key=...> got a %s: keys are str or int; use str(key)", tag,
        Py_TYPE(key)->tp_name);
}

PyObject* new_vnode(PyObject* tag, PyObject* attrs, PyObject* children, PyObject* key) {
  nb::object own_attrs = nb::steal(attrs);
  nb::object own_children = nb::steal(children);
  PyObject* self = vnode_type->tp_alloc(vnode_type, 0);
  if (self == nullptr) throw nb::python_error();
  VNodeObject* node = as_vnode(self);
  node->tag = Py_NewRef(tag);
  node->attrs = own_attrs.release().ptr();
  node->children = own_children.release().ptr();
  node->key = Py_NewRef(key);
  return self;
}

namespace {

bool is_special_tag(std::string_view tag) noexcept {
  return tag == kFragmentTag || tag == kRawHtmlTag;
}

// VNode(tag, attrs=None, children=None, key=None)
PyObject* construct_vnode(PyObject* tag, PyObject* attrs, PyObject* children, PyObject* key) {
  if (!PyUnicode_Check(tag)) {
    raise(PyExc_TypeError, "VNode tag is a str, not %s", Py_TYPE(tag)->tp_name);
  }
  const std::string name(utf8(tag));
  if (!is_special_tag(name)) vdom::check_tag(name);
  AttrsBuilder builder(name.c_str());
  if (attrs != nullptr && attrs != Py_None) {
    if (PyDict_Check(attrs) == 0) {
      raise(PyExc_TypeError, "VNode attrs is a dict or None, not %s", Py_TYPE(attrs)->tp_name);
    }
    PyObject* attr = nullptr;
    PyObject* value = nullptr;
    Py_ssize_t position = 0;
    while (PyDict_Next(attrs, &position, &attr, &value) != 0) builder.add(attr, value);
  }
  nb::object list;
  if (children != nullptr && children != Py_None) {
    if (PyUnicode_Check(children) || is_vnode(children)) {
      raise(PyExc_TypeError, "VNode children is a list: write [...] around the child");
    }
    list = check(PySequence_List(children));
    check_children(name.c_str(), list.ptr());
    check_child_count(name, list.ptr());
  }
  check_key(name.c_str(), key);
  return new_vnode(tag, builder.release(), list.release().ptr(), key);
}

PyObject* vnode_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"tag", "attrs", "children", "key", nullptr};
  PyObject* tag = nullptr;
  PyObject* attrs = Py_None;
  PyObject* children = Py_None;
  PyObject* key = Py_None;
  if (PyArg_ParseTupleAndKeywords(args, kwargs, "O|OOO:VNode", const_cast<char**>(names), &tag,
                                  &attrs, &children, &key) == 0) {
    return nullptr;
  }
  return guarded([&] { return construct_vnode(tag, attrs, children, key); });
}

int vnode_traverse(PyObject* self, visitproc visit, void* arg) {
  VNodeObject* node = as_vnode(self);
  Py_VISIT(node->tag);
  Py_VISIT(node->attrs);
  Py_VISIT(node->children);
  Py_VISIT(node->key);
  Py_VISIT(Py_TYPE(self));
  return 0;
}

int vnode_clear(PyObject* self) {
  VNodeObject* node = as_vnode(self);
  Py_CLEAR(node->tag);
  Py_CLEAR(node->attrs);
  Py_CLEAR(node->children);
  Py_CLEAR(node->key);
  return 0;
}

void vnode_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  // A deep tree is freed without deep recursion.
  Py_TRASHCAN_BEGIN(self, vnode_dealloc) vnode_clear(self);
  type->tp_free(self);
  Py_DECREF(type);
  Py_TRASHCAN_END
}

PyObject* vnode_get_tag(PyObject* self, void*) { return Py_NewRef(as_vnode(self)->tag); }
PyObject* vnode_get_key(PyObject* self, void*) { return Py_NewRef(as_vnode(self)->key); }

PyObject* vnode_get_attrs(PyObject* self, void*) {
  VNodeObject* node = as_vnode(self);
  if (node->attrs == nullptr) node->attrs = PyDict_New();
  return Py_XNewRef(node->attrs);
}

PyObject* vnode_get_children(PyObject* self, void*) {
  VNodeObject* node = as_vnode(self);
  if (node->children == nullptr) node->children = PyList_New(0);
  return Py_XNewRef(node->children);
}

PyObject* vnode_repr(PyObject* self) {
  // Guards against endless recursion through a list that holds its own parent.
  const int entered = Py_ReprEnter(self);
  if (entered != 0) return entered > 0 ? PyUnicode_FromString("VNode(...)") : nullptr;
  PyObject* result = guarded([&] {
    const VNodeObject* node = as_vnode(self);
    nb::object attrs = node->attrs != nullptr ? nb::borrow(node->attrs) : check(PyDict_New());
    nb::object children =
        node->children != nullptr ? nb::borrow(node->children) : check(PyList_New(0));
    if (node->key == Py_None) {
      return PyUnicode_FromFormat("VNode(%R, %R, %R)", node->tag, attrs.ptr(), children.ptr());
    }
    return PyUnicode_FromFormat("VNode(%R, %R, %R, key=%R)", node->tag, attrs.ptr(), children.ptr(),
                                node->key);
  });
  Py_ReprLeave(self);
  return result;
}

}  // namespace

void make_vnode_type(nb::module_& module) {
  static PyGetSetDef getters[] = {
      {"tag", vnode_get_tag, nullptr, "Element name; '#fragment' and '#html' are not elements.",
       nullptr},
      {"attrs", vnode_get_attrs, nullptr, "Attributes under their normalised names.", nullptr},
      {"children", vnode_get_children, nullptr, "Children as passed.", nullptr},
      {"key", vnode_get_key, nullptr, "Identity among siblings, or None.", nullptr},
      {nullptr, nullptr, nullptr, nullptr, nullptr}};
  static PyMethodDef methods[] = {
      {"to_dict", vnode_to_dict, METH_NOARGS,
       "to_dict($self, /)\n--\n\n"
       "The tree as plain data: {'tag', 'attrs', 'children', 'key'}.\n\n"
       "Children are nested dicts and str: lists are opened up, None and False are left out, "
       "numbers\n"
       "show as text. A signal or memo shows what it holds now (without tracking), another "
       "callable\n"
       "its name, as '<name>'."},
      {nullptr, nullptr, 0, nullptr}};
  static PyType_Slot slots[] = {
      {Py_tp_doc,
       const_cast<char*>("VNode(tag, attrs=None, children=None, key=None)\n--\n\n"
                         "One element of a page as a plain value.\n\n"
                         "Compares by content; signals and callables in it compare by identity.")},
      {Py_tp_new, reinterpret_cast<void*>(vnode_new)},
      {Py_tp_dealloc, reinterpret_cast<void*>(vnode_dealloc)},
      {Py_tp_traverse, reinterpret_cast<void*>(vnode_traverse)},
      {Py_tp_clear, reinterpret_cast<void*>(vnode_clear)},
      {Py_tp_richcompare, reinterpret_cast<void*>(vnode_compare)},
      {Py_tp_hash, reinterpret_cast<void*>(PyObject_HashNotImplemented)},
      {Py_tp_repr, reinterpret_cast<void*>(vnode_repr)},
      {Py_tp_getset, getters},
      {Py_tp_methods, methods},
      {0, nullptr}};
  static PyType_Spec spec = {"lattice._core.VNode", sizeof(VNodeObject), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, slots};
  vnode_type = reinterpret_cast<PyTypeObject*>(check(PyType_FromSpec(&spec)).release().ptr());
  module.attr("VNode") = nb::handle(reinterpret_cast<PyObject*>(vnode_type));
}

bool is_vnode(PyObject* object) noexcept { return Py_TYPE(object) == vnode_type; }

VNodeFields vnode_fields(PyObject* object) noexcept {
  VNodeObject* node = as_vnode(object);
  if (node->children == nullptr) node->children = PyList_New(0);
  return {node->tag, node->attrs, node->children, node->key};
}

nb::object make_vnode(std::string_view tag, nb::handle attrs, nb::handle children, nb::handle key) {
  const nb::object name = to_str(tag);
  PyObject* key_object = key.ptr() == nullptr ? Py_None : key.ptr();
  try {
    return nb::steal(construct_vnode(name.ptr(), attrs.ptr(), children.ptr(), key_object));
  } catch (const Error& error) {
    raise_error(error);
  }
}

}  // namespace lattice::python
