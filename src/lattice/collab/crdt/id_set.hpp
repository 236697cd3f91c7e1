// SPDX-License-Identifier: MIT
// IdSet: ranges of units by client; as a delete set, the units that are gone.
//
// One flat list of ranges. `add` appends and may leave it in any order; `normalize` sorts it
// (highest client first, clocks ascending) and joins what overlaps or touches. `contains` and the
// encoders need that order, except that v1 also takes ranges in the order in which they came.
//
// Wire: number of clients, then per client, highest first, its id, its number of ranges, and per
// range clock and length: absolute in v1; in v2 the distance from the end of the range before and
// length - 1.
// Source: Yjs 13.6 DeleteSet.js.
#pragma once

#include <cstddef>
#include <vector>

#include "lattice/collab/crdt/id.hpp"
#include "lattice/collab/crdt/lib0.hpp"

namespace lattice::crdt {

enum class Encoding : uint8_t { V1, V2 };

struct IdRange {
  ClientId client = 0;
  Clock clock = 0;
  Clock length = 0;

  // REQUIRES: decoded, or made from structs: no wrap.
  Clock end() const noexcept { return clock + length; }
  friend bool operator==(const IdRange&, const IdRange&) = default;
};

class IdSet {
 public:
  // Appends; a range that goes on where the last one ended makes that one longer.
  void add(ClientId client, Clock clock, Clock length) {
    if (!ranges_.empty()) {
      IdRange& last = ranges_.back();
      if (last.client == client && last.end() == clock) {
        last.length += length;
        return;
      }
    }
    ranges_.push_back({client, clock, length});
  }
  // Appends as it is.
  void append(IdRange range) { ranges_.push_back(range); }
  void append(const IdSet& other) {
    ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end());
  }
  void normalize();
  bool is_normalized() const noexcept;
  void clear() noexcept { ranges_.clear(); }
  void reserve(size_t count) { ranges_.reserve(count); }

  bool is_empty() const noexcept { return ranges_.empty(); }
  size_t size() const noexcept { return ranges_.size(); }
  const std::vector<IdRange>& ranges() const noexcept { return ranges_; }

  // REQUIRES: normalized.
  bool contains(Id id) const noexcept { return find(id) != nullptr; }
  // The range that holds the id; nullptr when there is none.
  const IdRange* find(Id id) const noexcept;
  // The client's ranges, ascending.
  std::span<const IdRange> of_client(ClientId client) const noexcept;
  friend bool operator==(const IdSet&, const IdSet&) = default;

  void write(Encoder& encoder, Encoding encoding) const;
  // Empty, and a failed decoder, when the bytes are no delete set. Ranges stand as they came: a
  // peer may send them in any order, overlapping too.
  static IdSet read(Decoder& decoder, Encoding encoding);

 private:
  std::vector<IdRange> ranges_;
};

using DeleteSet = IdSet;

// Reads a delete set range by range, without keeping it: take(client, clock, length). Ranges of no
// length are left out.
template <class Take>
void read_id_ranges(Decoder& decoder, Encoding encoding, Take&& take) {
  const uint64_t clients = decoder.var_uint();
  if (clients > decoder.remaining() / 2) decoder.fail("delete set is longer than its bytes");
  for (uint64_t i = 0; i < clients && decoder.ok(); ++i) {
    const ClientId client = decoder.var_uint();
    const uint64_t count = decoder.var_uint();
    if (count > decoder.remaining() / 2) decoder.fail("delete set is longer than its bytes");
    uint64_t end = 0;
    for (uint64_t k = 0; k < count && decoder.ok(); ++k) {
      uint64_t clock = decoder.var_uint();
      uint64_t length = decoder.var_uint();
      if (encoding == Encoding::V2) {
        clock += end;
        length += 1;
      }
      // Both are below 2^54 here.
      end = clock + length;
      if (end > kClockMax) {
        decoder.fail("deleted range ends past clock 2^32 - 1");
      } else if (decoder.ok() && length != 0) {
        take(client, static_cast<Clock>(clock), static_cast<Clock>(length));
      }
    }
  }
}

}  // namespace lattice::crdt
