// SPDX-License-Identifier: MIT
// StateVector: for every client the clock up to which its stream is known.
//
// A flat list sorted by client, highest first, as the wire has it. Few clients write to one
// document, so a sorted list is both the smallest and the fastest thing to search.
#pragma once

#include <algorithm>
#include <vector>

#include "lattice/base/result.hpp"
#include "lattice/collab/crdt/id.hpp"
#include "lattice/collab/crdt/lib0.hpp"

namespace lattice::crdt {

class StateVector {
 public:
  struct Entry {
    ClientId client = 0;
    Clock clock = 0;
    friend bool operator==(const Entry&, const Entry&) = default;
  };

  // 0 for a client that is not listed.
  Clock get(ClientId client) const noexcept {
    const auto at = find(client);
    return at != entries_.end() && at->client == client ? at->clock : 0;
  }
  bool contains(ClientId client) const noexcept {
    const auto at = find(client);
    return at != entries_.end() && at->client == client;
  }
  void set(ClientId client, Clock clock) {
    if (entries_.empty() || entries_.back().client > client) {
      entries_.push_back({client, clock});
      return;
    }
    const auto at = entries_.begin() + (find(client) - entries_.cbegin());
    if (at->client == client) {
      at->clock = clock;
    } else {
      entries_.insert(at, {client, clock});
    }
  }
  // For a whole list at once, in any order; of one client's entries the last one counts.
  static StateVector from_entries(std::vector<Entry> entries) {
    StateVector state;
    std::stable_sort(entries.begin(), entries.end(),
                     [](const Entry& a, const Entry& b) { return a.client > b.client; });
    for (const Entry& entry : entries) {
      if (!state.entries_.empty() && state.entries_.back().client == entry.client) {
        state.entries_.back() = entry;
      } else {
        state.entries_.push_back(entry);
      }
    }
    return state;
  }
  bool is_empty() const noexcept { return entries_.empty(); }
  size_t size() const noexcept { return entries_.size(); }
  const std::vector<Entry>& entries() const noexcept { return entries_; }  // highest client first
  friend bool operator==(const StateVector&, const StateVector&) = default;

  void write(Encoder& encoder) const {
    encoder.var_uint(entries_.size());
    for (const Entry& entry : entries_) {
      encoder.var_uint(entry.client);
      encoder.var_uint(entry.clock);
    }
  }
  std::vector<uint8_t> encode() const {
    Encoder encoder;
    write(encoder);
    return encoder.to_vector();
  }
  // Empty, and a failed decoder, when the bytes are no state vector.
  static StateVector read(Decoder& decoder) {
    const uint64_t count = decoder.var_uint();
    if (count > decoder.remaining() / 2) decoder.fail("state vector is longer than its bytes");
    std::vector<Entry> entries;
    for (uint64_t i = 0; i < count && decoder.ok(); ++i) {
      const ClientId client = decoder.var_uint();
      entries.push_back({client, decoder.var_uint32()});
    }
    return decoder.ok() ? from_entries(std::move(entries)) : StateVector();
  }
  static Result<StateVector> decode(ByteView bytes);

 private:
  std::vector<Entry>::const_iterator find(ClientId client) const noexcept {
    return std::lower_bound(
        entries_.begin(), entries_.end(), client,
        [](const Entry& entry, ClientId wanted) { return entry.client > wanted; });
  }

  std::vector<Entry> entries_;
};

// "state vector: number does not fit in 32 bits at byte 12 of 40".
inline Failure failure_of(const char* what, const Decoder& decoder, size_t size) {
  return Failure{std::string(what) + ": " + (decoder.error() != nullptr ? decoder.error() : "?") +
                 " at byte " + std::to_string(decoder.offset()) + " of " + std::to_string(size)};
}

inline Result<StateVector> StateVector::decode(ByteView bytes) {
  Decoder decoder(bytes);
  StateVector state = read(decoder);
  if (!decoder.ok()) return failure_of("state vector", decoder, bytes.size());
  return state;
}

}  // namespace lattice::crdt
