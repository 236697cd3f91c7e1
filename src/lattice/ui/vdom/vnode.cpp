// SPDX-License-Identifier: MIT
#include "lattice/ui/vdom/vnode.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>

#include "lattice/base/error.hpp"

namespace lattice::vdom {

namespace {

bool same_double(double a, double b) noexcept {
  return (std::isnan(a) && std::isnan(b)) ||
         std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
}

// Python's repr: the shortest digits, with an exponent below 1e-4 and from 1e16 on.
std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[32];
  const auto written =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  std::string_view shortest(buffer, static_cast<size_t>(written.ptr - buffer));
  const size_t e = shortest.find('e');
  int exponent = 0;
  const char* digits = shortest.data() + e + (shortest[e + 1] == '+' ? 2 : 1);
  std::from_chars(digits, shortest.data() + shortest.size(), exponent);
  const bool plain = exponent >= -4 && exponent < 16;
  if (!plain) return std::string(shortest);
  const auto fixed = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed);
  std::string text(buffer, fixed.ptr);
  if (text.find('.') == std::string::npos) text += ".0";
  return text;
}

bool same_attrs(const std::vector<Attribute>& a, const std::vector<Attribute>& b) {
  if (a == b) return true;
  if (a.size() != b.size()) return false;
  return std::ranges::all_of(
      a, [&](const Attribute& attr) { return std::ranges::find(b, attr) != b.end(); });
}

bool same_tree(const VNode& a, const VNode& b, size_t depth) {
  internal::check_depth(depth);
  if (a.kind != b.kind || a.tag != b.tag || a.key != b.key) return false;
  if (!same_value(a.value, b.value) || !same_attrs(a.attrs, b.attrs)) return false;
  if (a.children.size() != b.children.size()) return false;
  for (size_t i = 0; i < a.children.size(); ++i) {
    if (!same_tree(a.children[i], b.children[i], depth + 1)) return false;
  }
  return true;
}

size_t count_nodes_below(const VNode& node, size_t depth) {
  internal::check_depth(depth);
  size_t count = node.kind == VNode::Kind::Fragment ? 0 : 1;
  for (const VNode& child : node.children) count += count_nodes_below(child, depth + 1);
  return count;
}

}  // namespace

bool same_value(const Value& a, const Value& b) noexcept {
  if (a.index() != b.index()) return false;
  if (const double* x = std::get_if<double>(&a)) return same_double(*x, *std::get_if<double>(&b));
  return a == b;
}

std::string to_text(const Value& value) {
  struct Show {
    std::string operator()(std::nullptr_t) const { return {}; }
    std::string operator()(bool v) const { return v ? "True" : "False"; }
    std::string operator()(int64_t v) const { return std::to_string(v); }
    std::string operator()(double v) const { return float_text(v); }
    std::string operator()(const std::string& v) const { return v; }
    std::string operator()(SlotId) const {
      throw Error("a slot has no text: resolve it before encoding");
    }
  };
  return std::visit(Show{}, value);
}

std::string to_text(const Key& key) {
  if (const int64_t* number = std::get_if<int64_t>(&key)) return std::to_string(*number);
  return std::string("'").append(std::get<std::string>(key)).append("'");
}

VNode VNode::element(std::string tag, std::vector<Attribute> attrs, std::vector<VNode> children,
                     std::optional<Key> key) {
  VNode node;
  node.tag = std::move(tag);
  node.attrs = std::move(attrs);
  node.children = std::move(children);
  node.key = std::move(key);
  return node;
}

VNode VNode::text(Value value) {
  VNode node;
  node.kind = Kind::Text;
  node.value = std::move(value);
  return node;
}

VNode VNode::fragment(std::vector<VNode> children, std::optional<Key> key) {
  VNode node;
  node.kind = Kind::Fragment;
  node.children = std::move(children);
  node.key = std::move(key);
  return node;
}

VNode VNode::slot(SlotId id, std::optional<Key> key) {
  VNode node;
  node.kind = Kind::Slot;
  node.value = id;
  node.key = std::move(key);
  return node;
}

VNode VNode::raw_html(std::string html, std::optional<Key> key) {
  VNode node;
  node.kind = Kind::RawHtml;
  node.value = std::move(html);
  node.key = std::move(key);
  return node;
}

const Value* VNode::find_attr(std::string_view name) const noexcept {
  const auto found = std::ranges::find(attrs, name, &Attribute::name);
  return found == attrs.end() ? nullptr : &found->value;
}

bool operator==(const VNode& a, const VNode& b) { return same_tree(a, b, 0); }

size_t count_nodes(const VNode& node) { return count_nodes_below(node, 0); }

void internal::check_depth(size_t depth) {
  if (depth <= kTreeDepthMax) return;
  throw Error("the tree is nested deeper than " + std::to_string(kTreeDepthMax) + " levels");
}

}  // namespace lattice::vdom
