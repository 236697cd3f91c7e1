// SPDX-License-Identifier: MIT
#include "vdom.hpp"

#include <structmember.h>  // T_PYSSIZET: Python 3.11 has it nowhere else

#include <algorithm>
#include <array>
#include <cctype>
#include <exception>
#include <unordered_map>
#include <vector>

#include "lattice/base/error.hpp"
#include "lattice/ui/vdom/attributes.hpp"
#include "lattice/ui/vdom/diff.hpp"
#include "lattice/ui/vdom/html.hpp"

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

std::string_view utf8(PyObject* text) {
  Py_ssize_t size = 0;
  const char* bytes = PyUnicode_AsUTF8AndSize(text, &size);
  if (bytes == nullptr) throw nb::python_error();
  return {bytes, static_cast<size_t>(size)};
}

nb::object to_str(std::string_view text) {
  PyObject* object =
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), nullptr);
  if (object == nullptr) throw nb::python_error();
  return nb::steal(object);
}

template <class... Args>
[[noreturn]] void raise(PyObject* type, const char* format, Args... args) {
  PyErr_Format(type, format, args...);
  throw nb::python_error();
}

void check(int status) {
  if (status < 0) throw nb::python_error();
}

nb::object check(PyObject* fresh) {
  if (fresh == nullptr) throw nb::python_error();
  return nb::steal(fresh);
}

// ---------------------------------------------------------------- names

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

// ---------------------------------------------------------------- plain values and slots

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

// NumPy scalars, Decimal, Fraction; not arrays, which have a number's slots too.
bool is_other_number(PyObject* object) noexcept {
  const PyTypeObject* type = Py_TYPE(object);
  const bool is_container =
      (type->tp_as_sequence != nullptr && type->tp_as_sequence->sq_length != nullptr) ||
      (type->tp_as_mapping != nullptr && type->tp_as_mapping->mp_length != nullptr);
  return !is_container && PyNumber_Check(object) != 0 && PyComplex_Check(object) == 0 &&
         !is_slot_object(object);
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

vdom::Value number_value(PyObject* number) {
  if (PyIndex_Check(number) != 0) {
    nb::object plain = check(PyNumber_Index(number));
    return int_value(plain.ptr());
  }
  return str_of(number);
}

bool is_plain(PyObject* object) noexcept {
  return object == Py_None || PyUnicode_Check(object) || PyBool_Check(object) ||
         PyLong_Check(object) || PyFloat_Check(object);
}

// ---------------------------------------------------------------- VNode, the type

struct VNodeObject {
  PyObject_HEAD PyObject* tag;
  PyObject* attrs;     // dict, or null while there are none
  PyObject* children;  // list, or null while there are none
  PyObject* key;       // None, str or int
};

PyTypeObject* vnode_type = nullptr;

VNodeObject* as_vnode(PyObject* object) noexcept { return reinterpret_cast<VNodeObject*>(object); }

// Turns a C++ exception into the Python error that a C slot returns with.
template <class Body>
PyObject* guarded(Body&& body) noexcept {
  try {
    return body();
  } catch (nb::python_error& error) {
    error.restore();
  } catch (const std::exception& error) {
    try {
      raise_error(error);
    } catch (nb::python_error& raised) {
      raised.restore();
    }
  }
  return nullptr;
}

// Builds the attrs of one element; knows the element's name for messages.
class AttrsBuilder {
 public:
  explicit AttrsBuilder(const char* tag) : tag_(tag) {}

  void add(PyObject* raw, PyObject* value) {
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

  PyObject* release() noexcept { return attrs_.release().ptr(); }

 private:
  void set(PyObject* name, PyObject* value) {
    if (!attrs_) attrs_ = check(PyDict_New());
    check(PyDict_SetItem(attrs_.ptr(), name, value));
  }

  void check_handler(PyObject* name, PyObject* value) const {
    if (value == Py_None || is_slot_object(value)) return;
    const std::string handler(utf8(name));
    nb::object shown = check(PyObject_Repr(value));
    std::string short_form(utf8(shown.ptr()).substr(0, 60));
    raise(PyExc_TypeError, "%s got %s: pass the function itself (%s=add), not its result (add())",
          handler.c_str(), short_form.c_str(), handler.c_str());
  }

  void check_value(PyObject* name, PyObject* value) const {
    if (PyUnicode_Check(value)) {
      const std::string_view text = utf8(value);
      if (text.find(':') != std::string_view::npos) {
        vdom::check_attribute(utf8(name), std::string(text));
      }
      return;
    }
    if (is_plain(value) || is_slot_object(value) || is_other_number(value)) return;
    const std::string shown(utf8(name));
    raise(PyExc_TypeError,
          "<%s %s=...> got a %s: expected text, a number, True, False, None, "
          "a signal or a function",
          tag_, shown.c_str(), Py_TYPE(value)->tp_name);
  }

  void add_style(PyObject* name, PyObject* value) {
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

  void add_class(PyObject* name, PyObject* value) {
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

  void collect_classes(PyObject* value, std::string& plain, size_t depth) {
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

  void class_dict(PyObject* dict) {
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

  void add_switch(std::string_view word, PyObject* on) {
    const nb::object full = to_str(std::string("class.").append(word));
    vdom::check_attribute_name(utf8(full.ptr()));
    set(full.ptr(), on);
  }

  template <class Each>
  static void for_each_word(const std::string& text, Each&& each) {
    constexpr const char* kSpace = " \t\n\f\r";
    for (size_t at = text.find_first_not_of(kSpace); at != std::string::npos;) {
      const size_t end = std::min(text.find_first_of(kSpace, at), text.size());
      each(std::string_view(text).substr(at, end - at));
      at = text.find_first_not_of(kSpace, end);
    }
  }

  const char* tag_;
  nb::object attrs_;
  bool has_switches_ = false;
};

bool is_iterator_child(PyObject* child) noexcept {
  return PyIter_Check(child) != 0 && !is_slot_object(child);
}

// Refuses what is no child, naming the element. Returns a list in place of an iterator, else null.
nb::object check_child(const char* tag, PyObject* child, size_t depth);

void check_children(const char* tag, PyObject* list, size_t depth) {
  vdom::internal::check_depth(depth);
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i) {
    nb::object replaced = check_child(tag, PyList_GET_ITEM(list, i), depth);
    if (replaced) check(PyList_SetItem(list, i, replaced.release().ptr()));
  }
}

nb::object check_child(const char* tag, PyObject* child, size_t depth) {
  if (is_vnode(child) || is_plain(child)) return {};
  if (PyTuple_Check(child)) {
    // A tuple may hold iterators, which cannot be replaced in place.
    nb::object list = check(PySequence_List(child));
    check_children(tag, list.ptr(), depth + 1);
    return list;
  }
  if (PyList_Check(child)) {
    check_children(tag, child, depth + 1);
    return {};
  }
  if (is_slot_object(child) || is_other_number(child)) return {};
  if (is_iterator_child(child)) {
    nb::object list = check(PySequence_List(child));
    check_children(tag, list.ptr(), depth + 1);
    return list;
  }
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

bool is_special_tag(std::string_view tag) noexcept {
  return tag == kFragmentTag || tag == kRawHtmlTag;
}

// Steals attrs (may be null) and children (a list, may be null), also when it throws.
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
    check_children(name.c_str(), list.ptr(), 0);
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

// ---------------------------------------------------------------- lowering

void lower_children(PyObject* list, std::vector<vdom::VNode>& out, SlotSink& sink, size_t depth);

std::optional<vdom::Key> lower_key(PyObject* key) {
  if (key == Py_None) return std::nullopt;
  if (PyUnicode_Check(key)) return std::string(utf8(key));
  const long long number = PyLong_AsLongLong(key);
  if (number == -1 && PyErr_Occurred() != nullptr) throw nb::python_error();
  return static_cast<int64_t>(number);
}

void lower_attrs(PyObject* attrs, vdom::VNode& node, SlotSink& sink) {
  node.attrs.reserve(static_cast<size_t>(PyDict_Size(attrs)));
  PyObject* key = nullptr;
  PyObject* value = nullptr;
  Py_ssize_t position = 0;
  while (PyDict_Next(attrs, &position, &key, &value) != 0) {
    vdom::Attribute& attr = node.attrs.emplace_back();
    attr.name = utf8(key);
    // The sink may run user code that changes the dict.
    const nb::object held = nb::borrow(value);
    if (!to_value(value, attr.value)) attr.value = sink.attribute(node.tag, attr.name, value);
  }
}

vdom::VNode lower_raw(const VNodeObject* self, SlotSink& sink) {
  vdom::VNode node = vdom::VNode::raw_html({}, lower_key(self->key));
  if (self->children == nullptr || PyList_GET_SIZE(self->children) == 0) return node;
  const nb::object html = nb::borrow(PyList_GET_ITEM(self->children, 0));
  if (PyUnicode_Check(html.ptr())) {
    node.value = std::string(utf8(html.ptr()));
  } else {
    node.value = sink.attribute(kRawHtmlTag, "html", html.ptr());
  }
  return node;
}

vdom::VNode lower_node(const VNodeObject* self, SlotSink& sink, size_t depth) {
  vdom::internal::check_depth(depth);
  const std::string_view tag = utf8(self->tag);
  if (tag == kRawHtmlTag) return lower_raw(self, sink);
  vdom::VNode node;
  node.key = lower_key(self->key);
  if (tag == kFragmentTag) {
    node.kind = vdom::VNode::Kind::Fragment;
  } else {
    node.tag = tag;
    if (self->attrs != nullptr) lower_attrs(self->attrs, node, sink);
  }
  if (self->children != nullptr) lower_children(self->children, node.children, sink, depth);
  return node;
}

void lower_child(PyObject* child, std::vector<vdom::VNode>& out, SlotSink& sink, size_t depth) {
  if (child == Py_None || child == Py_False) return;
  if (is_vnode(child)) {
    out.push_back(lower_node(as_vnode(child), sink, depth + 1));
    return;
  }
  if (PyList_Check(child) || PyTuple_Check(child)) {
    vdom::internal::check_depth(depth + 1);
    const nb::object list = check(PySequence_List(child));
    return lower_children(list.ptr(), out, sink, depth + 1);
  }
  vdom::Value value;
  if (to_value(child, value)) {
    out.push_back(vdom::VNode::text(std::move(value)));
  } else if (is_slot_object(child)) {
    out.push_back(sink.child(child));
  } else if (is_iterator_child(child)) {
    const nb::object list = check(PySequence_List(child));
    lower_children(list.ptr(), out, sink, depth + 1);
  } else {
    check_child("fragment", child, depth);
  }
}

void lower_children(PyObject* list, std::vector<vdom::VNode>& out, SlotSink& sink, size_t depth) {
  out.reserve(out.size() + static_cast<size_t>(PyList_GET_SIZE(list)));
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i) {
    const nb::object child = nb::borrow(PyList_GET_ITEM(list, i));
    lower_child(child.ptr(), out, sink, depth);
  }
}

// For the pure diff: every object gets one id, by identity.
class IdentitySink final : public SlotSink {
 public:
  vdom::VNode child(PyObject* object) override { return vdom::VNode::slot(id(object)); }
  vdom::Value attribute(std::string_view, std::string_view, PyObject* object) override {
    return id(object);
  }
  PyObject* object(vdom::SlotId id) const { return objects_.at(id.value).ptr(); }

 private:
  vdom::SlotId id(PyObject* object) {
    const auto [found, added] = ids_.try_emplace(object, static_cast<uint32_t>(objects_.size()));
    if (added) objects_.push_back(nb::borrow(object));
    return {found->second};
  }

  std::unordered_map<PyObject*, uint32_t> ids_;
  std::vector<nb::object> objects_;
};

// ---------------------------------------------------------------- back to Python

nb::object raise_value(const vdom::Value& value, const IdentitySink& sink) {
  if (const vdom::SlotId* id = std::get_if<vdom::SlotId>(&value)) {
    return nb::borrow(sink.object(*id));
  }
  return from_value(value);
}

nb::object raise_key(const std::optional<vdom::Key>& key) {
  if (!key) return nb::none();
  if (const int64_t* number = std::get_if<int64_t>(&*key)) return nb::int_(*number);
  return to_str(std::get<std::string>(*key));
}

nb::object raise_attrs(const std::vector<vdom::Attribute>& attrs, const IdentitySink& sink) {
  nb::object dict = check(PyDict_New());
  for (const vdom::Attribute& attr : attrs) {
    check(PyDict_SetItem(dict.ptr(), to_str(attr.name).ptr(), raise_value(attr.value, sink).ptr()));
  }
  return dict;
}

// The Python node of a lowered one ("raise" is the way back from "lower").
nb::object raise_node(const vdom::VNode& node, const IdentitySink& sink) {
  using Kind = vdom::VNode::Kind;
  if (node.kind == Kind::Text || node.kind == Kind::Slot) return raise_value(node.value, sink);
  std::string_view tag = node.tag;
  if (node.kind == Kind::Fragment) tag = kFragmentTag;
  nb::object children = check(PyList_New(0));
  if (node.kind == Kind::RawHtml) {
    tag = kRawHtmlTag;
    check(PyList_Append(children.ptr(), raise_value(node.value, sink).ptr()));
  }
  for (const vdom::VNode& child : node.children) {
    check(PyList_Append(children.ptr(), raise_node(child, sink).ptr()));
  }
  nb::object attrs = node.attrs.empty() ? nb::object() : raise_attrs(node.attrs, sink);
  const nb::object name = to_str(tag);
  const nb::object key = raise_key(node.key);
  return nb::steal(
      new_vnode(name.ptr(), attrs.release().ptr(), children.release().ptr(), key.ptr()));
}

// ---------------------------------------------------------------- VNode methods

// What a signal holds now; for other callables their name in angle brackets.
nb::object shown_slot(PyObject* object) {
  const nb::handle handle(object);
  if (nb::hasattr(handle, "peek")) return handle.attr("peek")();
  if (nb::hasattr(handle, "__qualname__")) {
    return nb::str("<{}>").format(handle.attr("__qualname__"));
  }
  return check(PyObject_Repr(object));
}

nb::object shown_value(const vdom::Value& value, const IdentitySink& sink) {
  const vdom::SlotId* id = std::get_if<vdom::SlotId>(&value);
  return id == nullptr ? from_value(value) : shown_slot(sink.object(*id));
}

nb::object to_dict(const vdom::VNode& node, const IdentitySink& sink);

nb::object child_to_dict(const vdom::VNode& child, const IdentitySink& sink) {
  using Kind = vdom::VNode::Kind;
  if (child.kind == Kind::Text) return to_str(vdom::to_text(child.value));
  if (child.kind == Kind::Slot) return check(PyObject_Str(shown_value(child.value, sink).ptr()));
  return to_dict(child, sink);
}

nb::object to_dict(const vdom::VNode& node, const IdentitySink& sink) {
  using Kind = vdom::VNode::Kind;
  nb::dict out;
  nb::dict attrs;
  for (const vdom::Attribute& attr : node.attrs) {
    attrs[to_str(attr.name)] = shown_value(attr.value, sink);
  }
  nb::list children;
  for (const vdom::VNode& child : node.children) children.append(child_to_dict(child, sink));
  if (node.kind == Kind::RawHtml) children.append(shown_value(node.value, sink));
  std::string_view tag = node.tag;
  if (node.kind == Kind::Fragment) tag = kFragmentTag;
  if (node.kind == Kind::RawHtml) tag = kRawHtmlTag;
  out["tag"] = to_str(tag);
  out["attrs"] = attrs;
  out["children"] = children;
  out["key"] = raise_key(node.key);
  return out;
}

PyObject* vnode_to_dict(PyObject* self, PyObject*) {
  return guarded([&] {
    IdentitySink sink;
    return to_dict(lower_node(as_vnode(self), sink, 0), sink).release().ptr();
  });
}

PyObject* vnode_compare(PyObject* self, PyObject* other, int op) {
  if (!is_vnode(other) || (op != Py_EQ && op != Py_NE)) return Py_NewRef(Py_NotImplemented);
  return guarded([&] {
    IdentitySink sink;
    const bool same = lower_node(as_vnode(self), sink, 0) == lower_node(as_vnode(other), sink, 0);
    return Py_NewRef(same == (op == Py_EQ) ? Py_True : Py_False);
  });
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

// ---------------------------------------------------------------- element builders

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
      check_children(tag_text.data(), children.ptr(), 0);
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

// ---------------------------------------------------------------- diff and apply

constexpr const char* kPatchNames[] = {"CREATE", "REMOVE", "REPLACE", "UPDATE", "TEXT", "REORDER"};

nb::object raise_moves(const std::vector<vdom::ChildMove>& moves) {
  nb::list out;
  for (const vdom::ChildMove& move : moves) {
    nb::object before = nb::none();
    if (move.before) before = nb::int_(*move.before);
    out.append(nb::make_tuple(move.from, before));
  }
  return out;
}

nb::object patch_data(const vdom::Patch& patch, const IdentitySink& sink) {
  switch (patch.type) {
    case vdom::PatchType::Create:
    case vdom::PatchType::Replace:
      return raise_node(patch.node, sink);
    case vdom::PatchType::Text:
      return raise_value(patch.text, sink);
    case vdom::PatchType::Reorder:
      return raise_moves(patch.moves);
    case vdom::PatchType::Remove:
      return nb::none();
    case vdom::PatchType::Update:
      break;
  }
  nb::dict out;
  nb::list removed;
  for (const std::string& name : patch.removed) removed.append(to_str(name));
  out["set"] = raise_attrs(patch.set, sink);
  out["remove"] = removed;
  return out;
}

vdom::VNode lower_one(nb::handle object, IdentitySink& sink) {
  vdom::VNode node = lower(object.ptr(), sink);
  return node;
}

nb::list diff_trees(nb::handle before, nb::handle after) {
  try {
    IdentitySink sink;
    const vdom::VNode old_tree = lower_one(before, sink);
    const vdom::VNode new_tree = lower_one(after, sink);
    nb::list out;
    for (const vdom::Patch& patch : vdom::diff(old_tree, new_tree)) {
      nb::list path;
      for (uint32_t index : patch.path) path.append(index);
      out.append(nb::make_tuple(kPatchNames[static_cast<size_t>(patch.type)], nb::tuple(path),
                                patch_data(patch, sink)));
    }
    return out;
  } catch (const Error& error) {
    raise_error(error);
  }
}

vdom::PatchType patch_type(nb::handle name) {
  const std::string_view text = utf8(name.ptr());
  const auto found = std::ranges::find(kPatchNames, text);
  if (found == std::end(kPatchNames)) throw Error("unknown type of patch");
  return static_cast<vdom::PatchType>(found - std::begin(kPatchNames));
}

void lower_update(nb::handle data, vdom::Patch& patch, IdentitySink& sink) {
  vdom::VNode carrier;
  const nb::object set = data["set"];
  if (PyDict_Check(set.ptr()) == 0) raise(PyExc_TypeError, "UPDATE: 'set' is a dict");
  lower_attrs(set.ptr(), carrier, sink);
  patch.set = std::move(carrier.attrs);
  for (nb::handle name : data["remove"]) patch.removed.emplace_back(utf8(name.ptr()));
}

vdom::Patch lower_patch(nb::handle triple, IdentitySink& sink) {
  vdom::Patch patch;
  patch.type = patch_type(triple[0]);
  for (nb::handle index : triple[1]) patch.path.push_back(nb::cast<uint32_t>(index));
  const nb::object data = triple[2];
  switch (patch.type) {
    case vdom::PatchType::Create:
    case vdom::PatchType::Replace:
      patch.node = lower_one(data, sink);
      break;
    case vdom::PatchType::Text:
      if (!to_value(data.ptr(), patch.text)) throw Error("TEXT carries text");
      break;
    case vdom::PatchType::Update:
      lower_update(data, patch, sink);
      break;
    case vdom::PatchType::Reorder:
      for (nb::handle move : data) {
        vdom::ChildMove& added = patch.moves.emplace_back();
        added.from = nb::cast<uint32_t>(move[0]);
        if (!move[1].is_none()) added.before = nb::cast<uint32_t>(move[1]);
      }
      break;
    case vdom::PatchType::Remove:
      break;
  }
  return patch;
}

nb::object apply_patches(nb::handle tree, nb::handle triples) {
  try {
    IdentitySink sink;
    vdom::VNode root = lower_one(tree, sink);
    std::vector<vdom::Patch> patches;
    for (nb::handle triple : triples) patches.push_back(lower_patch(triple, sink));
    return raise_node(vdom::apply(std::move(root), patches), sink);
  } catch (const Error& error) {
    raise_error(error);
  }
}

}  // namespace

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
  } else if (is_other_number(object)) {
    out = number_value(object);
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

vdom::VNode lower(PyObject* object, SlotSink& sink) {
  std::vector<vdom::VNode> nodes;
  const bool is_list = PyList_Check(object) || PyTuple_Check(object);
  lower_child(object, nodes, sink, 0);
  if (nodes.size() == 1 && !is_list) return std::move(nodes.front());
  return vdom::VNode::fragment(std::move(nodes));
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
