// SPDX-License-Identifier: MIT
// A moment of a document: which structs it had and which of them were deleted. Reading a document
// at a snapshot needs what was deleted since, so the document must be made with gc = false.
#pragma once

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "lattice/collab/crdt/doc.hpp"

namespace lattice::crdt {

class Snapshot {
 public:
  DeleteSet delete_set;
  StateVector state;
  friend bool operator==(const Snapshot&, const Snapshot&) = default;
};

Snapshot take_snapshot(const Doc& doc);
Bytes encode(const Snapshot& snapshot, UpdateVersion version = UpdateVersion::V1);
Result<Snapshot> decode_snapshot(std::span<const uint8_t> bytes,
                                 UpdateVersion version = UpdateVersion::V1);
// A document as `doc` was then. Throws Error when `doc` collects garbage.
Doc restore(const Doc& doc, const Snapshot& snapshot, DocOptions options = {});
// Whether applying `update` to a document at `snapshot` changes nothing.
Result<bool> contains_update(const Snapshot& snapshot, std::span<const uint8_t> update,
                             UpdateVersion version = UpdateVersion::V1);
std::vector<Value> to_vector_at(const Array& array, const Snapshot& snapshot);
std::optional<Value> get_at(const Type& map, std::string_view key, const Snapshot& snapshot);
std::vector<std::pair<std::string, Value>> entries_at(const Type& map, const Snapshot& snapshot);

}  // namespace lattice::crdt
