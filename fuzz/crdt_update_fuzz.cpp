// SPDX-License-Identifier: MIT
// libFuzzer target for everything that works on updates as bytes: readers, merge, diff, conversion,
// state vectors, delete sets.
//
// The first byte picks encoding and operation. Whatever an operation gives back must be readable
// again, and doing the same to it once more must change nothing.
//
//   cmake -S . -B build/fuzz -G Ninja -DCMAKE_CXX_COMPILER=clang++-19 -DLATTICE_FUZZ=ON
//   cmake --build build/fuzz --target crdt_update_fuzz
//   build/fuzz/fuzz/crdt_update_fuzz -max_total_time=60 -max_len=4096 -timeout=5
#include <array>
#include <cstdint>
#include <vector>

#include "lattice/base/error.hpp"
#include "lattice/collab/crdt/struct_reader.hpp"
#include "lattice/collab/crdt/update.hpp"

namespace {

using namespace lattice::crdt;
using Bytes = std::vector<uint8_t>;

// Merges the input, cut into three at places that its own bytes name.
lattice::Result<Bytes> merge_pieces(ByteView bytes, Encoding encoding) {
  if (bytes.size() < 2) return merge_updates({}, encoding);
  const size_t first = 2 + bytes[0] % (bytes.size() - 1);
  const size_t second = first + bytes[1] % (bytes.size() - first + 1);
  const std::array<ByteView, 3> pieces{bytes.subspan(2, first - 2),
                                       bytes.subspan(first, second - first), bytes.subspan(second)};
  return merge_updates(pieces, encoding);
}

void merge(ByteView bytes, Encoding encoding) {
  const lattice::Result<Bytes> merged = merge_pieces(bytes, encoding);
  if (!merged.ok()) return;
  LATTICE_ASSERT(convert_update(merged.value(), encoding, encoding).ok());
}

void diff(ByteView bytes, Encoding encoding) {
  Decoder decoder(bytes);
  const StateVector state = StateVector::read(decoder);
  if (!decoder.ok()) return;
  const lattice::Result<Bytes> cut = diff_update(decoder.raw(decoder.remaining()), state, encoding);
  if (!cut.ok()) return;
  const lattice::Result<UpdateMeta> meta = update_meta(cut.value(), encoding);
  LATTICE_ASSERT(meta.ok());
}

void convert(ByteView bytes, Encoding encoding) {
  const Encoding other = encoding == Encoding::V1 ? Encoding::V2 : Encoding::V1;
  const lattice::Result<Bytes> there = convert_update(bytes, encoding, other);
  const lattice::Result<Bytes> same = convert_update(bytes, encoding, encoding);
  LATTICE_ASSERT(there.ok() == same.ok());
  if (!there.ok()) return;
  // Values are written as JavaScript writes them only when they change their form, so the first way
  // back may differ from `same`; the second may not differ from the first.
  const lattice::Result<Bytes> back = convert_update(there.value(), other, encoding);
  LATTICE_ASSERT(back.ok());
  const lattice::Result<Bytes> again = convert_update(back.value(), encoding, other);
  LATTICE_ASSERT(again.ok());
  const lattice::Result<Bytes> home = convert_update(again.value(), other, encoding);
  LATTICE_ASSERT(home.ok() && home.value() == back.value());
}

void look(ByteView bytes, Encoding encoding) {
  const lattice::Result<StateVector> state = state_vector_of_update(bytes, encoding);
  const lattice::Result<UpdateMeta> meta = update_meta(bytes, encoding);
  LATTICE_ASSERT(state.ok() == meta.ok());
  Decoder decoder(bytes);
  IdSet deleted = IdSet::read(decoder, encoding);
  static_cast<void>(
      contains_update(StateVector(), deleted, decoder.raw(decoder.remaining()), encoding));
  deleted.normalize();
  LATTICE_ASSERT(deleted.is_normalized());
  Encoder encoder;
  deleted.write(encoder, encoding);
  Decoder again(encoder.bytes());
  LATTICE_ASSERT(IdSet::read(again, encoding) == deleted && again.at_end());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const ByteView bytes(data + 1, size - 1);
  const Encoding encoding = (data[0] & 1) != 0 ? Encoding::V2 : Encoding::V1;
  switch (data[0] >> 1 & 3) {
    case 0:
      merge(bytes, encoding);
      break;
    case 1:
      diff(bytes, encoding);
      break;
    case 2:
      convert(bytes, encoding);
      break;
    default:
      look(bytes, encoding);
  }
  return 0;
}
