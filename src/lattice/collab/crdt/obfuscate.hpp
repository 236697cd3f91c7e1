// SPDX-License-Identifier: MIT
// An update with its contents replaced, to attach to a bug report: the structure, that is ids,
// lengths, origins and what was deleted, stays; texts, values, keys, names and options do not.
//
// Each replacement is the number of the item that needed it first. Equal keys, names and format
// values stay equal, the end of a format stays an end. Names of root types stay.
// Source: Yjs 13.6 updates.js, obfuscateUpdate.
#pragma once

#include <vector>

#include "lattice/base/result.hpp"
#include "lattice/collab/crdt/id_set.hpp"
#include "lattice/collab/crdt/lib0.hpp"

namespace lattice::crdt {

Result<std::vector<uint8_t>> obfuscate_update(ByteView update, Encoding encoding = Encoding::V1);

}  // namespace lattice::crdt
