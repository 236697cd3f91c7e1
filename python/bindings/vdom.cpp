// SPDX-License-Identifier: MIT
#include "vdom.hpp"

#include "lattice/base/error.hpp"
#include "vdom_internal.hpp"

namespace nb = nanobind;

namespace lattice::python {

void raise_error(const std::exception& error) {
  PyObject* type = nullptr;
  PyObject* core = PyImport_ImportModule("lattice._core");
  if (core != nullptr) type = PyObject_GetAttrString(core, "LatticeError");
  PyErr_Clear();
  PyErr_SetString(type == nullptr ? PyExc_ValueError : type, error.what());
  Py_XDECREF(core);
  Py_XDECREF(type);
  throw nb::python_error();
}

}  // namespace lattice::python

void bind_vdom(nb::module_& module) {
  using namespace lattice::python;
  make_vnode_type(module);
  make_builder_type(module);
  module.def("diff_trees", &diff_trees, nb::arg("old"), nb::arg("new"),
             nb::sig("def diff_trees(old: object, new: object) -> "
                     "list[tuple[str, tuple[int, ...], Any]]"),
             "Patches as (type, path, data) tuples; lattice.diff says what they hold.");
  module.def("apply_patches", &apply_patches, nb::arg("tree"), nb::arg("patches"),
             nb::sig("def apply_patches(tree: object, patches: list[tuple[str, tuple[int, ...], "
                     "Any]]) -> Any"),
             "The tree after the patches, given as (type, path, data) tuples.");
  module.def(
      "is_slot_object", [](nb::handle object) { return is_slot_object(object.ptr()); },
      nb::arg("object"), "Whether the object is bound to its place: a signal, a callable ...");
  module.def(
      "normalize_attribute_name",
      [](const char* name) {
        try {
          return to_str(normalize_name(name));
        } catch (const lattice::Error& error) {
          raise_error(error);
        }
      },
      nb::arg("name"), nb::sig("def normalize_attribute_name(name: str) -> str"),
      "class_ -> class, data_x -> data-x, on_key_down -> on_keydown.");
}
