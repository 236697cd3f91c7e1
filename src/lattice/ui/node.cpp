// SPDX-License-Identifier: MIT
#include "lattice/ui/node.hpp"

#include <algorithm>
#include <charconv>

namespace lattice::ui {

Node Node::text(vdom::Value value) {
  Node node;
  node.kind = vdom::VNode::Kind::Text;
  node.value = std::move(value);
  return node;
}

Node Node::of_slot(std::unique_ptr<Slot> slot) {
  Node node;
  node.kind = vdom::VNode::Kind::Slot;
  node.slot = std::move(slot);
  return node;
}

void Node::add(Attribute attribute) {
  if (kind != vdom::VNode::Kind::Element) {
    throw Error("attribute '" + attribute.name + "' is given to what is no element");
  }
  auto same = [&](const Attribute& known) { return known.name == attribute.name; };
  if (std::ranges::any_of(attributes, same)) {
    throw Error("attribute '" + attribute.name + "' of <" + tag + "> is given twice");
  }
  attributes.push_back(std::move(attribute));
}

namespace {

vdom::VNode lower_at(Node&& node, SlotArena& arena, size_t depth) {
  vdom::internal::check_depth(depth);
  vdom::VNode made;
  made.kind = node.kind;
  made.tag = std::move(node.tag);
  made.key = std::move(node.key);
  made.value = node.slot ? vdom::Value{arena.add(std::move(node.slot))} : std::move(node.value);
  made.attrs.reserve(node.attributes.size());
  for (Attribute& attribute : node.attributes) {
    vdom::Value value = attribute.slot ? vdom::Value{arena.add(std::move(attribute.slot))}
                                       : std::move(attribute.value);
    made.attrs.push_back({std::move(attribute.name), std::move(value)});
  }
  made.children.reserve(node.children.size());
  for (Node& child : node.children) {
    made.children.push_back(lower_at(std::move(child), arena, depth + 1));
  }
  return made;
}

}  // namespace

vdom::VNode lower(Node&& node, SlotArena& arena) { return lower_at(std::move(node), arena, 0); }

namespace internal {

namespace {

std::string_view trimmed(std::string_view text) {
  size_t begin = text.find_first_not_of(" \t\n\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\n\r") - begin + 1);
}

template <class T>
bool parse_number(const Edit& edit, T& out) {
  if (!edit.event.value) return false;
  std::string_view text = trimmed(*edit.event.value);
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

bool parse_edit(const Edit& edit, std::string& out) {
  if (!edit.event.value) return false;
  out = *edit.event.value;
  return true;
}

bool parse_edit(const Edit& edit, bool& out) {
  const auto& flag = edit.attribute == "open" ? edit.event.open : edit.event.checked;
  if (!flag) return false;
  out = *flag;
  return true;
}

bool parse_edit(const Edit& edit, int64_t& out) { return parse_number(edit, out); }
bool parse_edit(const Edit& edit, double& out) { return parse_number(edit, out); }

}  // namespace internal
}  // namespace lattice::ui
