// SPDX-License-Identifier: MIT
// Updates as bytes: merged, cut and converted without a document.
//
// Nothing here builds items. Structs are read one by one (struct_reader.hpp) and written again
// (struct_writer.hpp), so memory is the output plus what the readers hold at a time, and work is
// linear in the structs, times the logarithm of the number of updates that overlap.
// For updates that Yjs wrote, the bytes are those that Yjs's functions of the same names give.
//
// Two things differ from Yjs on purpose, both for bytes that it never writes itself: values pass
// through as they are encoded (Yjs decodes and encodes them again), and clocks end at 2^32 - 1.
// Source: Yjs 13.6 updates.js.
#pragma once

#include <span>
#include <vector>

#include "lattice/base/result.hpp"
#include "lattice/collab/crdt/id_set.hpp"
#include "lattice/collab/crdt/lib0.hpp"
#include "lattice/collab/crdt/state_vector.hpp"

namespace lattice::crdt {

// One update with all that the given ones hold. Structs between them that nobody has become skips.
// Nothing is collected: what a document would drop stays.
Result<std::vector<uint8_t>> merge_updates(std::span<const ByteView> updates,
                                           Encoding encoding = Encoding::V1);

// What of `update` a peer at `state` does not have. The delete set stays whole.
Result<std::vector<uint8_t>> diff_update(ByteView update, const StateVector& state,
                                         Encoding encoding = Encoding::V1);

Result<std::vector<uint8_t>> convert_update(ByteView update, Encoding from, Encoding to);

// How far a document gets that applies nothing but `update`: for each client the end of what has no
// gap, counted from clock 0.
Result<StateVector> state_vector_of_update(ByteView update, Encoding encoding = Encoding::V1);

// For each client where its structs in the update begin and end, gaps counted in.
struct UpdateMeta {
  StateVector from;
  StateVector to;
};
Result<UpdateMeta> update_meta(ByteView update, Encoding encoding = Encoding::V1);

// Whether a document with this state and these deletions has all of the update.
Result<bool> contains_update(const StateVector& state, const IdSet& deleted, ByteView update,
                             Encoding encoding = Encoding::V1);

}  // namespace lattice::crdt
