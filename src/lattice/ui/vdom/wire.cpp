// SPDX-License-Identifier: MIT
#include "lattice/ui/vdom/wire.hpp"

#include <array>

#include "lattice/base/error.hpp"

namespace lattice::vdom {

namespace {

using Kind = VNode::Kind;

bool is_absent(const Value& value) noexcept {
  const bool* flag = std::get_if<bool>(&value);
  return std::holds_alternative<std::nullptr_t>(value) || (flag != nullptr && !*flag);
}

Op op_of(AttributeKind kind) noexcept {
  switch (kind) {
    case AttributeKind::Property:
    case AttributeKind::InputValue:
      return Op::SetProp;  // a new element has no edits to respect
    case AttributeKind::Style:
      return Op::SetStyle;
    case AttributeKind::Class:
      return Op::SetClass;
    case AttributeKind::Listen:
      return Op::Listen;
    case AttributeKind::Attribute:
      break;
  }
  return Op::SetAttr;
}

// A fresh element is without the attribute anyway; only a custom element may want to hear `false`.
bool skip_on_new_element(std::string_view tag, AttributeKind kind, const Attribute& attr) {
  if (kind == AttributeKind::InputValue) return std::holds_alternative<std::nullptr_t>(attr.value);
  const bool is_custom = tag.find('-') != std::string_view::npos;
  if (kind == AttributeKind::Property && is_custom) return false;
  return is_absent(wire_value(kind, attr.name, attr.value));
}

// Children with fragments opened up: what the wire counts.
size_t count_siblings(const std::vector<VNode>& children, size_t depth) {
  internal::check_depth(depth);
  size_t count = 0;
  for (const VNode& child : children) {
    count += child.kind == Kind::Fragment ? count_siblings(child.children, depth + 1) : 1;
  }
  return count;
}

bool as_switch(const Value& value, std::string_view name) {
  if (is_absent(value)) return false;
  if (std::holds_alternative<bool>(value)) return true;
  throw Error("class '" + std::string(name) + "' is switched by True or False");
}

}  // namespace

void FrameEncoder::begin(uint64_t seq, uint64_t ack) {
  LATTICE_ASSERT(!is_open());
  writer_.u8(kProtocolVersion);
  writer_.varint(seq);
  writer_.varint(ack);
  header_bytes_ = writer_.size();
}

std::vector<uint8_t> FrameEncoder::take() noexcept {
  header_bytes_ = 0;
  return writer_.take();
}

// Runs one op; if it throws, the frame and the atom table are as before it.
template <class Body>
void FrameEncoder::transact(Body&& body) {
  LATTICE_ASSERT(is_open());
  const size_t bytes = writer_.size();
  const size_t atoms = atom_names_.size();
  try {
    body();
  } catch (...) {
    rollback(bytes, atoms);
    throw;
  }
}

void FrameEncoder::rollback(size_t bytes, size_t atoms) {
  std::vector<uint8_t> written = writer_.take();
  writer_.append(std::span<const uint8_t>(written).first(bytes));
  while (atom_names_.size() > atoms) {
    atoms_.erase(atoms_.find(*atom_names_.back()));
    atom_names_.pop_back();
  }
}

void FrameEncoder::op(Op code, uint32_t id) {
  LATTICE_ASSERT(is_open());
  writer_.u8(static_cast<uint8_t>(code));
  writer_.varint(id);
}

void FrameEncoder::atom(std::string_view name) {
  const auto known = atoms_.find(name);
  if (known != atoms_.end()) return writer_.varint(known->second);
  if (atom_names_.size() >= kAtomsMax) {
    writer_.varint(kLiteralAtom);
    return writer_.string(name);
  }
  const auto number = static_cast<uint32_t>(atom_names_.size() + 1);
  const auto added = atoms_.emplace(std::string(name), number).first;
  atom_names_.push_back(&added->first);
  writer_.varint(0);
  writer_.string(name);
}

void FrameEncoder::value(const Value& value) {
  const auto tag = [this](ValueTag code) { writer_.u8(static_cast<uint8_t>(code)); };
  if (const bool* flag = std::get_if<bool>(&value)) {
    tag(*flag ? ValueTag::True : ValueTag::False);
  } else if (const int64_t* number = std::get_if<int64_t>(&value)) {
    tag(ValueTag::Int);
    writer_.svarint(*number);
  } else if (const double* real = std::get_if<double>(&value)) {
    tag(ValueTag::Float);
    writer_.f64(*real);
  } else if (const std::string* text = std::get_if<std::string>(&value)) {
    tag(ValueTag::String);
    writer_.string(*text);
  } else if (std::holds_alternative<std::nullptr_t>(value)) {
    tag(ValueTag::Null);
  } else {
    throw Error("a slot has no wire form: resolve it before encoding");
  }
}

void FrameEncoder::options(const ListenOptions& options) {
  uint8_t flags = 0;
  const auto flag = [&](bool on, ListenFlag bit) {
    if (on) flags |= static_cast<uint8_t>(bit);
  };
  flag(options.prevent_default, ListenFlag::PreventDefault);
  flag(options.stop_propagation, ListenFlag::StopPropagation);
  flag(options.debounce_ms != 0, ListenFlag::Debounce);
  flag(options.throttle_ms != 0, ListenFlag::Throttle);
  flag(!options.keys.empty(), ListenFlag::Keys);
  flag(options.two_way, ListenFlag::TwoWay);
  writer_.u8(flags);
  if (options.debounce_ms != 0) writer_.varint(options.debounce_ms);
  if (options.throttle_ms != 0) writer_.varint(options.throttle_ms);
  if (options.keys.empty()) return;
  writer_.varint(options.keys.size());
  for (const std::string& key : options.keys) writer_.string(key);
}

void FrameEncoder::text(uint32_t id, std::string_view text) {
  op(Op::Text, id);
  writer_.string(text);
}

void FrameEncoder::set_attr(uint32_t id, std::string_view name, const Value& value) {
  check_attribute(name, value);
  transact([&] {
    op(Op::SetAttr, id);
    atom(name);
    this->value(wire_value(AttributeKind::Attribute, name, value));
  });
}

void FrameEncoder::set_prop(uint32_t id, std::string_view name, const Value& value) {
  check_attribute(name, value);
  transact([&] {
    op(Op::SetProp, id);
    atom(name);
    this->value(wire_value(AttributeKind::Property, name, value));
  });
}

void FrameEncoder::set_style(uint32_t id, std::string_view name, const Value& value) {
  transact([&] {
    op(Op::SetStyle, id);
    atom(name);
    this->value(is_absent(value) ? Value() : wire_value(AttributeKind::Style, name, value));
  });
}

void FrameEncoder::set_class(uint32_t id, std::string_view name, bool on) {
  op(Op::SetClass, id);
  atom(name);
  writer_.u8(on ? 1 : 0);
}

void FrameEncoder::insert(uint32_t parent, uint32_t before, uint32_t first_id, const VNode& tree,
                          const ListenResolver& listen_options) {
  transact([&] {
    op(Op::Insert, parent);
    writer_.varint(before);
    writer_.varint(first_id);
    this->tree(tree, listen_options, 0);
  });
}

void FrameEncoder::remove(uint32_t id) { op(Op::Remove, id); }

void FrameEncoder::move(uint32_t id, uint32_t parent, uint32_t before) {
  op(Op::Move, id);
  writer_.varint(parent);
  writer_.varint(before);
}

void FrameEncoder::listen(uint32_t id, std::string_view event, const ListenOptions& options) {
  op(Op::Listen, id);
  atom(event);
  this->options(options);
}

void FrameEncoder::unlisten(uint32_t id, std::string_view event) {
  op(Op::Unlisten, id);
  atom(event);
}

void FrameEncoder::input_value(uint32_t id, uint64_t revision, const Value& value) {
  transact([&] {
    op(Op::InputValue, id);
    writer_.varint(revision);
    // A boolean is a checked, open or selected state here, not the text of a field.
    const bool is_state = std::holds_alternative<bool>(value);
    this->value(is_state ? value : wire_value(AttributeKind::InputValue, "value", value));
  });
}

void FrameEncoder::reset() {
  LATTICE_ASSERT(is_open());
  writer_.u8(static_cast<uint8_t>(Op::Reset));
}

void FrameEncoder::title(std::string_view title) {
  LATTICE_ASSERT(is_open());
  writer_.u8(static_cast<uint8_t>(Op::Title));
  writer_.string(title);
}

void FrameEncoder::reload(std::string_view reason) {
  LATTICE_ASSERT(is_open());
  writer_.u8(static_cast<uint8_t>(Op::Reload));
  writer_.string(reason);
}

void FrameEncoder::error(uint32_t id, std::string_view title, std::string_view detail) {
  op(Op::Error, id);
  writer_.string(title);
  writer_.string(detail);
}

void FrameEncoder::clear_error(uint32_t id) { op(Op::ClearError, id); }

void FrameEncoder::set(uint32_t id, std::string_view tag, std::string_view name, const Value& value,
                       uint64_t revision) {
  check_attribute(name, value);
  const std::string_view local = local_name(name);
  switch (attribute_kind(tag, name)) {
    case AttributeKind::Attribute:
      return set_attr(id, local, value);
    case AttributeKind::Property:
      return set_prop(id, local, value);
    case AttributeKind::InputValue:
      return input_value(id, revision, wire_value(AttributeKind::InputValue, name, value));
    case AttributeKind::Style:
      return set_style(id, local, value);
    case AttributeKind::Class:
      return set_class(id, local, as_switch(value, local));
    case AttributeKind::Listen:
      break;
  }
  LATTICE_ASSERT(false);
}

void FrameEncoder::tree(const VNode& node, const ListenResolver& resolve, size_t depth) {
  internal::check_depth(depth);
  switch (node.kind) {
    case Kind::Element:
      return element(node, resolve, depth);
    case Kind::Text:
      writer_.u8(static_cast<uint8_t>(TreeKind::Text));
      return writer_.string(to_text(node.value));
    case Kind::RawHtml:
      writer_.u8(static_cast<uint8_t>(TreeKind::RawHtml));
      return writer_.string(to_text(node.value));
    case Kind::Fragment:
      throw Error("a fragment is inserted child by child");
    case Kind::Slot:
      throw Error("a slot has no wire form: resolve it before encoding");
  }
}

void FrameEncoder::element(const VNode& node, const ListenResolver& resolve, size_t depth) {
  check_tag(node.tag);
  if (node.tag == "textarea" && !node.children.empty()) {
    throw Error("<textarea> takes its text as value, not as children");
  }
  writer_.u8(static_cast<uint8_t>(TreeKind::Element));
  atom(node.tag);
  attributes(node, resolve);
  writer_.varint(count_siblings(node.children, depth + 1));
  for (const VNode& child : node.children) tree_child(child, resolve, depth + 1);
}

// Plain attributes go first (setting "class" drops class switches), an input's value last (a range
// input clamps it to the min and max it has by then).
void FrameEncoder::attributes(const VNode& node, const ListenResolver& resolve) {
  std::array<std::vector<const Attribute*>, 3> passes;
  for (const Attribute& attr : node.attrs) {
    check_attribute(attr.name, attr.value);
    const AttributeKind kind = attribute_kind(node.tag, attr.name);
    if (skip_on_new_element(node.tag, kind, attr)) continue;
    const size_t pass = kind == AttributeKind::Attribute    ? 0
                        : kind == AttributeKind::InputValue ? 2
                                                            : 1;
    passes[pass].push_back(&attr);
  }
  writer_.varint(passes[0].size() + passes[1].size() + passes[2].size());
  for (const auto& pass : passes) {
    for (const Attribute* attr : pass) tree_attribute(node.tag, *attr, resolve);
  }
}

void FrameEncoder::tree_attribute(std::string_view tag, const Attribute& attr,
                                  const ListenResolver& resolve) {
  const AttributeKind kind = attribute_kind(tag, attr.name);
  const std::string_view local = local_name(attr.name);
  writer_.u8(static_cast<uint8_t>(op_of(kind)));
  if (kind == AttributeKind::Listen) {
    const SlotId* handler = std::get_if<SlotId>(&attr.value);
    if (handler == nullptr) throw Error("attribute '" + attr.name + "' needs a handler");
    const ListenOptions* found = resolve ? resolve(*handler) : nullptr;
    atom(event_name(attr.name));
    return options(found == nullptr ? ListenOptions{} : *found);
  }
  atom(local);
  if (kind == AttributeKind::Class) return writer_.u8(as_switch(attr.value, local) ? 1 : 0);
  value(wire_value(kind, attr.name, attr.value));
}

void FrameEncoder::tree_child(const VNode& child, const ListenResolver& resolve, size_t depth) {
  if (child.kind != Kind::Fragment) return tree(child, resolve, depth);
  for (const VNode& inner : child.children) tree_child(inner, resolve, depth + 1);
}

}  // namespace lattice::vdom
