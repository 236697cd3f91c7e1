// SPDX-License-Identifier: MIT
// StructView: one struct of an update, as views into the update's bytes.
//
// It holds what the wire says and nothing that a document would have to look up: an item with an
// origin or a right origin has no parent of its own ("inherited"), and takes over parent and key of
// its neighbours when it is integrated.
//
// Everything in it has been checked: text is well-formed, values can be read, JSON can be parsed,
// the clocks end at kClockMax at the latest. Lifetime: the views live as long as the update's bytes
// and, in update encoding v2, as the reader that made them.
#pragma once

#include <cstdint>
#include <string_view>

#include "lattice/collab/crdt/id.hpp"
#include "lattice/collab/crdt/lib0.hpp"

namespace lattice::crdt {

// The low five bits of a struct's info byte.
enum class StructKind : uint8_t {
  Gc = 0,       // collected: nothing but its length is left
  Deleted = 1,  // an item whose content is gone
  Json = 2,     // values as JSON text (written by Yjs before 13)
  Binary = 3,
  String = 4,
  Embed = 5,
  Format = 6,
  Type = 7,
  Any = 8,  // values as lib0's any
  Doc = 9,
  Skip = 10  // units that this update does not have
};

namespace info_bits {
inline constexpr uint8_t kKind = 0x1f;
inline constexpr uint8_t kParentSub = 0x20;
inline constexpr uint8_t kRightOrigin = 0x40;
inline constexpr uint8_t kOrigin = 0x80;
}  // namespace info_bits

enum class TypeRef : uint8_t {
  Array = 0,
  Map = 1,
  Text = 2,
  XmlElement = 3,
  XmlFragment = 4,
  XmlHook = 5,
  XmlText = 6
};
inline constexpr uint64_t kTypeRefMax = 6;
constexpr bool has_node_name(TypeRef type) noexcept {
  return type == TypeRef::XmlElement || type == TypeRef::XmlHook;
}

enum class ParentKind : uint8_t { Inherited, Root, Item };

struct StructView {
  Id id;
  Clock length = 0;  // units; never 0
  StructKind kind = StructKind::Gc;

  // Items only, from here on.
  bool has_origin = false;
  bool has_right_origin = false;
  bool has_parent_sub = false;  // `parent_sub` came on the wire
  ParentKind parent_kind = ParentKind::Inherited;
  TypeRef type_ref = TypeRef::Array;
  // Embed, Format: `value` is JSON text (v1) and not an any (v2).
  bool is_json_value = false;
  Id origin;
  Id right_origin;
  Id parent;                     // ParentKind::Item
  std::string_view parent_root;  // ParentKind::Root
  std::string_view parent_sub;

  // String: the text; Format: the key; Type: the node name; Doc: the guid.
  std::string_view text;
  // Binary: the bytes; Any: `length` anys; Json: `length` varstrings, each JSON or "undefined";
  // Embed, Format: the value; Doc: the options, an any.
  ByteView value;

  Clock end() const noexcept { return id.clock + length; }
  bool is_item() const noexcept { return kind != StructKind::Gc && kind != StructKind::Skip; }
};

}  // namespace lattice::crdt
