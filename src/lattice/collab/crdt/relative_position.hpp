// SPDX-License-Identifier: MIT
// Positions that stay beside the same characters while others edit: an item's id, or a type's end.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "lattice/collab/crdt/doc.hpp"

namespace lattice::crdt {

// `item` wins over `root_name`, that over `type`: the wire holds one of them. `assoc` >= 0 sticks
// to the character on the right, < 0 to the one on the left.
struct RelativePosition {
  std::optional<Id> type;
  std::optional<std::string> root_name;
  std::optional<Id> item;
  int32_t assoc = 0;

  friend bool operator==(const RelativePosition&, const RelativePosition&) = default;
};

struct AbsolutePosition {
  Type type;
  uint32_t index = 0;
  int32_t assoc = 0;
};

RelativePosition make_relative_position(const Type& type, uint32_t index, int32_t assoc = 0);
// None when the position's type or item is unknown here (yet) or its type is gone.
std::optional<AbsolutePosition> resolve(const RelativePosition& position, const Doc& doc,
                                        bool follow_undone = true);
Bytes encode(const RelativePosition& position);
Result<RelativePosition> decode_relative_position(std::span<const uint8_t> bytes);
Any to_json(const RelativePosition& position);
Result<RelativePosition> relative_position_from_json(const Any& json);

}  // namespace lattice::crdt
