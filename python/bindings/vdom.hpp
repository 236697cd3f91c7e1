// SPDX-License-Identifier: MIT
// The Python face of the tree: VNode, element builders, and how both become a vdom::VNode.
//
// VNode is a plain C-API type, since pages build thousands of them per render: tag, attrs (under
// their normalised names, style and class dicts opened up), children as passed (iterators become
// lists), key. What cannot be right (a dict as a child, on_click=add()) raises in the constructor,
// where the traceback shows the user's line; lowering then only walks.
//
// Every function here needs the GIL. References are borrowed unless said otherwise.
#pragma once

#include <nanobind/nanobind.h>

#include <string>
#include <string_view>

#include "lattice/ui/vdom/vnode.hpp"

void bind_vdom(nanobind::module_& module);

namespace lattice::python {

// Python's tag for children without an element, and for trusted HTML. Neither is an element name.
inline constexpr std::string_view kFragmentTag = "#fragment";
inline constexpr std::string_view kRawHtmlTag = "#html";

bool is_vnode(PyObject* object) noexcept;

// The fields of a VNode, borrowed. `attrs` is a dict or null (no attributes), `children` a list,
// `key` None, a str or an int.
struct VNodeFields {
  PyObject* tag;
  PyObject* attrs;
  PyObject* children;
  PyObject* key;
};
// REQUIRES: is_vnode(object).
VNodeFields vnode_fields(PyObject* object) noexcept;

// A new VNode, as the Python constructor makes it: attrs a dict or null, children a list or tuple
// or null, key None or null for none. Throws nanobind::python_error.
nanobind::object make_vnode(std::string_view tag, nanobind::handle attrs, nanobind::handle children,
                            nanobind::handle key);

// Whether the object is to be bound to its place: a callable, an instance of a class of the lattice
// package (signal, memo, component element ...), or of one that says `__lattice_slot__ = True`.
bool is_slot_object(PyObject* object) noexcept;

// None, bool, int (text when beyond 64 bits), float, str and other numbers (NumPy scalars, Decimal)
// as a vdom::Value. Returns false, with no Python error set, for anything else. Throws python_error
// when the object's own conversion does.
bool to_value(PyObject* object, vdom::Value& out);
nanobind::object from_value(const vdom::Value& value);  // REQUIRES: no SlotId

// Where lowering asks what stands behind an object that is not plain.
class SlotSink {
 public:
  virtual ~SlotSink() = default;
  // A child for which is_slot_object() holds.
  virtual vdom::VNode child(PyObject* object) = 0;
  // An attribute's value; handlers come under their on_* name, the content of raw_html under
  // "html".
  virtual vdom::Value attribute(std::string_view tag, std::string_view name, PyObject* object) = 0;
};

// A VNode or any other single child, lowered; a list becomes a Fragment, None and False become an
// empty one. Throws python_error (TypeError for what is no child), and Error for trees too deep.
vdom::VNode lower(PyObject* object, SlotSink& sink);

// The normalised attribute name: class_ -> class, data_x -> data-x, view_box -> viewBox,
// on_key_down -> on_keydown. Throws Error for a name that is refused.
std::string normalize_name(std::string_view name);

// background_color or backgroundColor -> background-color; --custom stays.
std::string css_name(std::string_view name);

// Sets LatticeError (or ValueError, before that exists) and throws python_error.
[[noreturn]] void raise_error(const std::exception& error);

}  // namespace lattice::python
