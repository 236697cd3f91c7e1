// SPDX-License-Identifier: MIT
// Attributes from Python: normalised names, checked values, style and class dicts opened up.
#include <Python.h>
#include <datetime.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

#include "lattice/base/error.hpp"
#include "lattice/ui/vdom/attributes.hpp"
#include "vdom_internal.hpp"

namespace nb = nanobind;

namespace lattice::python {

namespace {

// A cached name costs one dict lookup per attribute; names that a program makes up at run time must
// not grow the cache without bound.
constexpr size_t kCachedNamesMax = 4096;

// HTML attributes of several words that are written without a separator.
constexpr auto kJoinedNames =
    std::to_array<std::string_view>({"accesskey",     "allowfullscreen", "autocapitalize",
                                     "autocomplete",  "autofocus",       "autoplay",
                                     "bgcolor",       "colspan",         "contenteditable",
                                     "crossorigin",   "datetime",        "dirname",
                                     "elementtiming", "enctype",         "enterkeyhint",
                                     "exportparts",   "fetchpriority",   "formaction",
                                     "formenctype",   "formmethod",      "formnovalidate",
                                     "formtarget",    "hreflang",        "imagesizes",
                                     "imagesrcset",   "inputmode",       "ismap",
                                     "itemid",        "itemprop",        "itemref",
                                     "itemscope",     "itemtype",        "maxlength",
                                     "minlength",     "nomodule",        "novalidate",
                                     "playsinline",   "popovertarget",   "popovertargetaction",
                                     "readonly",      "referrerpolicy",  "rowspan",
                                     "srcset",        "srclang",         "tabindex",
                                     "usemap"});

// SVG attributes in camel case, found by their lower-case form.
constexpr auto kCamelNames = std::to_array<std::string_view>({"attributeName",
                                                              "attributeType",
                                                              "baseFrequency",
                                                              "baseProfile",
                                                              "calcMode",
                                                              "clipPathUnits",
                                                              "diffuseConstant",
                                                              "edgeMode",
                                                              "filterUnits",
                                                              "gradientTransform",
                                                              "gradientUnits",
                                                              "kernelMatrix",
                                                              "kernelUnitLength",
                                                              "keyPoints",
                                                              "keySplines",
                                                              "keyTimes",
                                                              "lengthAdjust",
                                                              "limitingConeAngle",
                                                              "markerHeight",
                                                              "markerUnits",
                                                              "markerWidth",
                                                              "maskContentUnits",
                                                              "maskUnits",
                                                              "numOctaves",
                                                              "pathLength",
                                                              "patternContentUnits",
                                                              "patternTransform",
                                                              "patternUnits",
                                                              "pointsAtX",
                                                              "pointsAtY",
                                                              "pointsAtZ",
                                                              "preserveAlpha",
                                                              "preserveAspectRatio",
                                                              "primitiveUnits",
                                                              "refX",
                                                              "refY",
                                                              "repeatCount",
                                                              "repeatDur",
                                                              "requiredExtensions",
                                                              "requiredFeatures",
                                                              "specularConstant",
                                                              "specularExponent",
                                                              "spreadMethod",
                                                              "startOffset",
                                                              "stdDeviation",
                                                              "surfaceScale",
                                                              "systemLanguage",
                                                              "tableValues",
                                                              "targetX",
                                                              "targetY",
                                                              "textLength",
                                                              "viewBox",
                                                              "xChannelSelector",
                                                              "yChannelSelector",
                                                              "zoomAndPan"});

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

std::string hyphened(std::string_view name) {
  std::string out(name);
  std::ranges::replace(out, '_', '-');
  return out;
}

std::string spell_name(std::string_view name) {
  if (name.starts_with("style.") || name.starts_with("class.")) return std::string(name);
  if (name.starts_with("on_")) return "on_" + vdom::event_name(name);
  if (name.size() > 1 && name.ends_with('_')) name.remove_suffix(1);
  if (name.find('_') == std::string_view::npos) return std::string(name);
  if (name.starts_with("data_") || name.starts_with("aria_")) return hyphened(name);
  for (std::string_view prefix : {"xlink_", "xml_", "xmlns_"}) {
    if (name.starts_with(prefix)) {
      std::string out(name);
      out[prefix.size() - 1] = ':';
      return out;
    }
  }
  std::string joined(name);
  std::erase(joined, '_');
  if (std::ranges::find(kJoinedNames, joined) != kJoinedNames.end()) return joined;
  for (std::string_view camel : kCamelNames) {
    if (equal_ignoring_case(camel, joined)) return std::string(camel);
  }
  return hyphened(name);
}

struct Name {
  PyObject* text;  // interned, kept forever
  enum class Special : uint8_t { None, Class, Style, Handler } special;
};

Name make_name(std::string_view raw) {
  const std::string name = normalize_name(raw);
  Name out{to_str(name).release().ptr(), Name::Special::None};
  PyUnicode_InternInPlace(&out.text);
  if (name == "class") out.special = Name::Special::Class;
  if (name == "style") out.special = Name::Special::Style;
  if (name.starts_with("on_")) out.special = Name::Special::Handler;
  return out;
}

// Raw name -> position in the list of names.
const Name& name_of(PyObject* raw) {
  static PyObject* positions = PyDict_New();
  static std::vector<Name> names = [] {
    std::vector<Name> list;
    list.reserve(kCachedNamesMax);  // references into it stay good
    return list;
  }();
  if (!PyUnicode_Check(raw)) {
    raise(PyExc_TypeError, "attribute names are str, not %s", Py_TYPE(raw)->tp_name);
  }
  if (PyObject* found = PyDict_GetItemWithError(positions, raw)) {
    return names[PyLong_AsSize_t(found)];
  }
  if (PyErr_Occurred() != nullptr) throw nb::python_error();
  thread_local Name uncached{};
  Name fresh = make_name(utf8(raw));
  if (names.size() == kCachedNamesMax) {
    // Beyond the bound a name lives until the next one; its attribute holds its own reference.
    Py_XDECREF(uncached.text);
    return uncached = fresh;
  }
  nb::object position = check(PyLong_FromSize_t(names.size()));
  check(PyDict_SetItem(positions, raw, position.ptr()));
  names.push_back(fresh);
  return names.back();
}

bool is_lattice_class(PyTypeObject* type) noexcept {
  PyObject* module = PyObject_GetAttrString(reinterpret_cast<PyObject*>(type), "__module__");
  bool own = false;
  if (module != nullptr && PyUnicode_Check(module)) {
    const char* text = PyUnicode_AsUTF8(module);
    const std::string_view name = text == nullptr ? "" : text;
    own = name == "lattice" || name.starts_with("lattice.");
  }
  Py_XDECREF(module);
  PyErr_Clear();
  return own;
}

bool has_marker(PyTypeObject* type) noexcept {
  PyObject* marker = PyObject_GetAttrString(reinterpret_cast<PyObject*>(type), "__lattice_slot__");
  const bool marked = marker == Py_True;
  Py_XDECREF(marker);
  PyErr_Clear();
  return marked;
}

std::string str_of(PyObject* object) {
  nb::object text = check(PyObject_Str(object));
  return std::string(utf8(text.ptr()));
}

vdom::Value int_value(PyObject* number) {
  int overflow = 0;
  const long long value = PyLong_AsLongLongAndOverflow(number, &overflow);
  if (overflow == 0 && value == -1 && PyErr_Occurred() != nullptr) throw nb::python_error();
  if (overflow != 0) {
    nb::object plain = check(PyNumber_Index(number));
    return str_of(plain.ptr());
  }
  return static_cast<int64_t>(value);
}

bool is_date_or_time(PyObject* object) noexcept {
  if (PyDateTimeAPI == nullptr) PyDateTime_IMPORT;
  if (PyDateTimeAPI == nullptr) {
    PyErr_Clear();
    return false;
  }
  return PyDate_Check(object) || PyTime_Check(object) || PyDelta_Check(object);
}

vdom::Value scalar_value(PyObject* number) {
  if (PyIndex_Check(number) != 0) {
    nb::object plain = check(PyNumber_Index(number));
    return int_value(plain.ptr());
  }
  return str_of(number);
}

template <class Each>
void for_each_word(const std::string& text, Each&& each) {
  constexpr const char* kSpace = " \t\n\f\r";
  for (size_t at = text.find_first_not_of(kSpace); at != std::string::npos;) {
    const size_t end = std::min(text.find_first_of(kSpace, at), text.size());
    each(std::string_view(text).substr(at, end - at));
    at = text.find_first_not_of(kSpace, end);
  }
}

}  // namespace

void AttrsBuilder::add(PyObject* raw, PyObject* value) {
  const Name& name = name_of(raw);
  switch (name.special) {
    case Name::Special::Class:
      return add_class(name.text, value);
    case Name::Special::Style:
      return add_style(name.text, value);
    case Name::Special::Handler:
      check_handler(name.text, value);
      break;
    case Name::Special::None:
      check_value(name.text, value);
      break;
  }
  set(name.text, value);
}

void AttrsBuilder::set(PyObject* name, PyObject* value) {
  if (!attrs_) attrs_ = check(PyDict_New());
  check(PyDict_SetItem(attrs_.ptr(), name, value));
}

void AttrsBuilder::check_handler(PyObject* name, PyObject* value) const {
  if (value == Py_None || is_slot_object(value)) return;
  const std::string handler(utf8(name));
  nb::object shown = check(PyObject_Repr(value));
  std::string short_form(utf8(shown.ptr()).substr(0, 60));
  raise(PyExc_TypeError, "%s got %s: pass the function itself (%s=add), not its result (add())",
        handler.c_str(), short_form.c_str(), handler.c_str());
}

void AttrsBuilder::check_value(PyObject* name, PyObject* value) const {
  if (PyUnicode_Check(value)) {
    const std::string_view text = utf8(value);
    if (text.find(':') != std::string_view::npos) {
      vdom::check_attribute(utf8(name), std::string(text));
    }
    return;
  }
  if (is_plain(value) || is_slot_object(value) || is_other_scalar(value)) return;
  const std::string shown(utf8(name));
  raise(PyExc_TypeError,
        "<%s %s=...> got a %s: expected text, a number, True, False, None, "
        "a signal or a function",
        tag_, shown.c_str(), Py_TYPE(value)->tp_name);
}

void AttrsBuilder::add_style(PyObject* name, PyObject* value) {
  if (PyDict_Check(value) == 0) {
    check_value(name, value);
    return set(name, value);
  }
  PyObject* key = nullptr;
  PyObject* entry = nullptr;
  Py_ssize_t position = 0;
  while (PyDict_Next(value, &position, &key, &entry) != 0) {
    if (!PyUnicode_Check(key)) raise(PyExc_TypeError, "style names are str");
    const nb::object full = to_str("style." + css_name(utf8(key)));
    vdom::check_attribute_name(utf8(full.ptr()));
    check_value(full.ptr(), entry);
    set(full.ptr(), entry);
  }
}

void AttrsBuilder::add_class(PyObject* name, PyObject* value) {
  if (PyList_Check(value) == 0 && PyTuple_Check(value) == 0 && PyDict_Check(value) == 0) {
    check_value(name, value);
    return set(name, value);
  }
  std::string plain;
  collect_classes(value, plain, 0);
  if (plain.empty()) return;
  if (!has_switches_) return set(name, to_str(plain).ptr());
  // One "class" beside switches would wipe them whenever it is set, so all become switches.
  for_each_word(plain, [&](std::string_view word) { add_switch(word, Py_True); });
}

void AttrsBuilder::collect_classes(PyObject* value, std::string& plain, size_t depth) {
  vdom::internal::check_depth(depth);
  if (value == Py_None || value == Py_False) return;
  if (PyUnicode_Check(value)) {
    if (!plain.empty()) plain += ' ';
    plain += utf8(value);
  } else if (PyDict_Check(value)) {
    class_dict(value);
  } else if (PyList_Check(value) || PyTuple_Check(value)) {
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(value); ++i) {
      collect_classes(PySequence_Fast_GET_ITEM(value, i), plain, depth + 1);
    }
  } else {
    raise(PyExc_TypeError,
          "<%s class_=[...]> got a %s: a list holds text and dicts; "
          "write class_={\"name\": signal} to switch a class",
          tag_, Py_TYPE(value)->tp_name);
  }
}

void AttrsBuilder::class_dict(PyObject* dict) {
  has_switches_ = true;
  PyObject* key = nullptr;
  PyObject* entry = nullptr;
  Py_ssize_t position = 0;
  while (PyDict_Next(dict, &position, &key, &entry) != 0) {
    if (!PyUnicode_Check(key)) raise(PyExc_TypeError, "class names are str");
    nb::object on = nb::borrow(entry);
    if (!is_slot_object(entry)) {
      const int truth = PyObject_IsTrue(entry);
      check(truth);
      on = nb::bool_(truth != 0);
    }
    for_each_word(std::string(utf8(key)),
                  [&](std::string_view word) { add_switch(word, on.ptr()); });
  }
}

void AttrsBuilder::add_switch(std::string_view word, PyObject* on) {
  const nb::object full = to_str(std::string("class.").append(word));
  vdom::check_attribute_name(utf8(full.ptr()));
  set(full.ptr(), on);
}

bool is_other_scalar(PyObject* object) noexcept {
  if (is_date_or_time(object)) return true;
  const PyTypeObject* type = Py_TYPE(object);
  const bool is_container =
      (type->tp_as_sequence != nullptr && type->tp_as_sequence->sq_length != nullptr) ||
      (type->tp_as_mapping != nullptr && type->tp_as_mapping->mp_length != nullptr);
  return !is_container && PyNumber_Check(object) != 0 && PyComplex_Check(object) == 0 &&
         !is_slot_object(object);
}

bool is_slot_object(PyObject* object) noexcept {
  if (is_vnode(object)) return false;
  if (PyCallable_Check(object) != 0) return true;
  PyTypeObject* type = Py_TYPE(object);
  if (is_plain(object) || PyList_CheckExact(object) || PyDict_CheckExact(object)) return false;
  return is_lattice_class(type) || has_marker(type);
}

bool to_value(PyObject* object, vdom::Value& out) {
  if (PyUnicode_Check(object)) {
    out = std::string(utf8(object));
  } else if (object == Py_None) {
    out = nullptr;
  } else if (PyBool_Check(object)) {
    out = object == Py_True;
  } else if (PyLong_Check(object)) {
    out = int_value(object);
  } else if (PyFloat_Check(object)) {
    out = PyFloat_AS_DOUBLE(object);
  } else if (is_other_scalar(object)) {
    out = scalar_value(object);
  } else {
    return false;
  }
  return true;
}

nb::object from_value(const vdom::Value& value) {
  if (const bool* flag = std::get_if<bool>(&value)) return nb::bool_(*flag);
  if (const int64_t* number = std::get_if<int64_t>(&value)) return nb::int_(*number);
  if (const double* real = std::get_if<double>(&value)) return nb::float_(*real);
  if (const std::string* text = std::get_if<std::string>(&value)) return to_str(*text);
  LATTICE_ASSERT(std::holds_alternative<std::nullptr_t>(value));
  return nb::none();
}

std::string normalize_name(std::string_view name) {
  std::string out = spell_name(name);
  vdom::check_attribute_name(out);
  return out;
}

std::string css_name(std::string_view name) {
  if (name.starts_with("--")) return std::string(name);
  if (name.size() > 1 && name.ends_with('_')) name.remove_suffix(1);
  std::string out;
  for (char c : name) {
    if (c >= 'A' && c <= 'Z') {
      out += '-';
      out += static_cast<char>(c + 32);
    } else {
      out += c == '_' ? '-' : c;
    }
  }
  return out;
}

}  // namespace lattice::python
