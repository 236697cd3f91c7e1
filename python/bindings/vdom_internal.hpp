// SPDX-License-Identifier: MIT
// What the files of the vdom binding share: small C-API wrappers, the layout of a VNode, the
// builder of attribute dicts. Private to python/bindings/vdom*.cpp.
#pragma once

#include <nanobind/nanobind.h>

#include <exception>
#include <string>
#include <string_view>

#include "vdom.hpp"

namespace lattice::python {

static inline std::string_view utf8(PyObject* text) {
  Py_ssize_t size = 0;
  const char* bytes = PyUnicode_AsUTF8AndSize(text, &size);
  if (bytes == nullptr) throw nanobind::python_error();
  return {bytes, static_cast<size_t>(size)};
}

static inline nanobind::object to_str(std::string_view text) {
  PyObject* object =
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), nullptr);
  if (object == nullptr) throw nanobind::python_error();
  return nanobind::steal(object);
}

template <class... Args>
[[noreturn]] static void raise(PyObject* type, const char* format, Args... args) {
  PyErr_Format(type, format, args...);
  throw nanobind::python_error();
}

static inline void check(int status) {
  if (status < 0) throw nanobind::python_error();
}

static inline nanobind::object check(PyObject* fresh) {
  if (fresh == nullptr) throw nanobind::python_error();
  return nanobind::steal(fresh);
}

// Turns a C++ exception into the Python error that a C slot returns with.
template <class Body>
static PyObject* guarded(Body&& body) noexcept {
  try {
    return body();
  } catch (nanobind::python_error& error) {
    error.restore();
  } catch (const std::exception& error) {
    try {
      raise_error(error);
    } catch (nanobind::python_error& raised) {
      raised.restore();
    }
  }
  return nullptr;
}

struct VNodeObject {
  PyObject_HEAD PyObject* tag;
  PyObject* attrs;     // dict, or null while there are none
  PyObject* children;  // list, or null while there are none
  PyObject* key;       // None, str or int
};

extern PyTypeObject* vnode_type;

static inline VNodeObject* as_vnode(PyObject* object) noexcept {
  return reinterpret_cast<VNodeObject*>(object);
}

// None, str, bool, int, float: what every place takes.
static inline bool is_plain(PyObject* object) noexcept {
  return object == Py_None || PyUnicode_Check(object) || PyBool_Check(object) ||
         PyLong_Check(object) || PyFloat_Check(object);
}

// NumPy scalars, Decimal, Fraction, dates and times; not arrays, which have a number's slots too.
// All but integers show as str() gives them.
bool is_other_scalar(PyObject* object) noexcept;

// An iterator is read into a list when it becomes a child, so that its node can be read often.
static inline bool is_iterator_child(PyObject* child) noexcept {
  return PyIter_Check(child) != 0 && !is_slot_object(child);
}

// Builds the attrs of one element; knows the element's name for messages. Opens up style and class
// dicts. Throws python_error and Error.
class AttrsBuilder {
 public:
  explicit AttrsBuilder(const char* tag) : tag_(tag) {}
  void add(PyObject* raw_name, PyObject* value);
  // A dict, owned by the caller, or null when there are none.
  PyObject* release() noexcept { return attrs_.release().ptr(); }

 private:
  void set(PyObject* name, PyObject* value);
  void check_handler(PyObject* name, PyObject* value) const;
  void check_value(PyObject* name, PyObject* value) const;
  void add_style(PyObject* name, PyObject* value);
  void add_class(PyObject* name, PyObject* value);
  void collect_classes(PyObject* value, std::string& plain, size_t depth);
  void class_dict(PyObject* dict);
  void add_switch(std::string_view word, PyObject* on);

  const char* tag_;
  nanobind::object attrs_;
  bool has_switches_ = false;
};

// Refuses what is no child, naming the element; iterators in the list become lists. The list must
// be our own, lists inside it may be the user's.
void check_children(const char* tag, PyObject* list);
// Refuses children of elements that take none.
void check_child_count(std::string_view tag, PyObject* children);
void check_key(const char* tag, PyObject* key);
[[noreturn]] void raise_not_a_child(const char* tag, PyObject* child);

// Steals attrs (may be null) and children (a list, may be null), also when it throws.
PyObject* new_vnode(PyObject* tag, PyObject* attrs, PyObject* children, PyObject* key);

// Methods of VNode that lower it first.
PyObject* vnode_to_dict(PyObject* self, PyObject*);
PyObject* vnode_compare(PyObject* self, PyObject* other, int op);

void make_vnode_type(nanobind::module_& module);
void make_builder_type(nanobind::module_& module);
nanobind::list diff_trees(nanobind::handle before, nanobind::handle after);
nanobind::object apply_patches(nanobind::handle tree, nanobind::handle triples);

}  // namespace lattice::python
