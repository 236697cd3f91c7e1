// SPDX-License-Identifier: MIT
// VNode: what a page should look like, as a plain value.
//
// A tree holds elements, texts, fragments (children without an element of their own), slots (places
// that the ui layer fills: a component, a binding) and trusted raw HTML. Values are scalars or a
// SlotId, a handle into the ui layer's slot table; nothing here knows signals, handlers or Python.
//
// Invariants: attribute names are unique in a node; trees are at most kTreeDepthMax levels deep
// (walkers throw Error beyond). Values copy and compare; a VNode may be used from any one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace lattice::vdom {

// Deep enough for any page, shallow enough for a recursive walk on a 256 KiB stack.
inline constexpr size_t kTreeDepthMax = 512;

struct SlotId {
  uint32_t value = 0;
  friend bool operator==(SlotId, SlotId) = default;
};

using Value = std::variant<std::nullptr_t, bool, int64_t, double, std::string, SlotId>;
using Key = std::variant<int64_t, std::string>;

// Equal type and equal content; NaN equals itself, and 0.0 differs from -0.0, since they show
// apart.
bool same_value(const Value& a, const Value& b) noexcept;

// How a scalar shows: "" for null, True and False, floats like Python's repr (shortest text that
// reads back as the same number, "1.0" for one). REQUIRES: no SlotId.
std::string to_text(const Value& value);

// A key as messages show it: 7 or 'seven'.
std::string to_text(const Key& key);

// One attribute under its normalised name: "class", "for", "data-x", "aria-x", "style.color" and
// "class.done" (one entry of a dict each), "on_click" (its value is the handler's SlotId or null).
struct Attribute {
  std::string name;
  Value value;
  friend bool operator==(const Attribute& a, const Attribute& b) noexcept {
    return a.name == b.name && same_value(a.value, b.value);
  }
};

struct VNode {
  enum class Kind : uint8_t { Element, Text, Fragment, Slot, RawHtml };

  Kind kind = Kind::Element;
  std::string tag;               // Element only
  std::vector<Attribute> attrs;  // Element only
  std::vector<VNode> children;   // Element and Fragment
  std::optional<Key> key;
  Value value;  // Text: any scalar; Slot: its SlotId; RawHtml: the HTML

  static VNode element(std::string tag, std::vector<Attribute> attrs = {},
                       std::vector<VNode> children = {}, std::optional<Key> key = {});
  static VNode text(Value value);
  static VNode fragment(std::vector<VNode> children, std::optional<Key> key = {});
  static VNode slot(SlotId id, std::optional<Key> key = {});
  static VNode raw_html(std::string html, std::optional<Key> key = {});

  const Value* find_attr(std::string_view name) const noexcept;

  // The order of attributes does not count.
  friend bool operator==(const VNode& a, const VNode& b);
};

// How many ids the tree takes on the wire: elements, texts and raw HTML count, fragments do not.
size_t count_nodes(const VNode& node);

namespace internal {
// Throws Error when `depth` (0 at the root) is beyond kTreeDepthMax.
void check_depth(size_t depth);
}  // namespace internal

}  // namespace lattice::vdom
