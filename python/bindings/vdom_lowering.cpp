// SPDX-License-Identifier: MIT
// Lowering: Python trees to vdom::VNode and back; the methods and functions built on it.
#include <algorithm>
#include <iterator>
#include <optional>
#include <unordered_map>
#include <vector>

#include "lattice/base/error.hpp"
#include "lattice/ui/vdom/diff.hpp"
#include "vdom_internal.hpp"

namespace nb = nanobind;

namespace lattice::python {

namespace {

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
    raise_not_a_child("fragment", child);
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

}  // namespace

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

vdom::VNode lower(PyObject* object, SlotSink& sink) {
  std::vector<vdom::VNode> nodes;
  const bool is_list = PyList_Check(object) || PyTuple_Check(object);
  lower_child(object, nodes, sink, 0);
  if (nodes.size() == 1 && !is_list) return std::move(nodes.front());
  return vdom::VNode::fragment(std::move(nodes));
}

}  // namespace lattice::python
