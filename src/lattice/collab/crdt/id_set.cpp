// SPDX-License-Identifier: MIT
#include "lattice/collab/crdt/id_set.hpp"

#include <algorithm>

namespace lattice::crdt {
namespace {

// Highest client first, then ascending clocks.
bool comes_before(const IdRange& a, const IdRange& b) noexcept {
  return a.client != b.client ? a.client > b.client : a.clock < b.clock;
}

// Sorts whole ranges by client and keeps each client's as they came.
bool is_grouped(const std::vector<IdRange>& ranges) noexcept {
  return std::is_sorted(ranges.begin(), ranges.end(),
                        [](const IdRange& a, const IdRange& b) { return a.client > b.client; });
}

// As is_normalized, but ranges may touch: what v2 can write.
bool is_ascending(const std::vector<IdRange>& ranges) noexcept {
  for (size_t i = 1; i < ranges.size(); ++i) {
    const IdRange& last = ranges[i - 1];
    const bool is_next = last.client != ranges[i].client ? last.client > ranges[i].client
                                                         : last.end() <= ranges[i].clock;
    if (!is_next) return false;
  }
  return true;
}

void write_ranges(Encoder& encoder, Encoding encoding, const std::vector<IdRange>& ranges) {
  size_t clients = 0;
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (i == 0 || ranges[i].client != ranges[i - 1].client) ++clients;
  }
  encoder.var_uint(clients);
  for (size_t i = 0; i < ranges.size();) {
    const ClientId client = ranges[i].client;
    size_t end = i;
    while (end < ranges.size() && ranges[end].client == client) ++end;
    encoder.var_uint(client);
    encoder.var_uint(end - i);
    Clock last_end = 0;
    for (; i < end; ++i) {
      if (encoding == Encoding::V1) {
        encoder.var_uint(ranges[i].clock);
        encoder.var_uint(ranges[i].length);
      } else {
        encoder.var_uint(ranges[i].clock - last_end);
        encoder.var_uint(ranges[i].length - 1);
        last_end = ranges[i].end();
      }
    }
  }
}

}  // namespace

void IdSet::normalize() {
  if (!std::is_sorted(ranges_.begin(), ranges_.end(), comes_before)) {
    std::sort(ranges_.begin(), ranges_.end(), comes_before);
  }
  size_t kept = 0;
  for (size_t i = 0; i < ranges_.size(); ++i) {
    if (ranges_[i].length == 0) continue;
    IdRange* last = kept == 0 ? nullptr : &ranges_[kept - 1];
    if (last != nullptr && last->client == ranges_[i].client && last->end() >= ranges_[i].clock) {
      last->length = std::max(last->end(), ranges_[i].end()) - last->clock;
    } else {
      ranges_[kept++] = ranges_[i];
    }
  }
  ranges_.resize(kept);
}

bool IdSet::is_normalized() const noexcept {
  for (size_t i = 0; i < ranges_.size(); ++i) {
    if (ranges_[i].length == 0) return false;
    if (i == 0) continue;
    const IdRange& last = ranges_[i - 1];
    const bool is_next = last.client != ranges_[i].client ? last.client > ranges_[i].client
                                                          : last.end() < ranges_[i].clock;
    if (!is_next) return false;
  }
  return true;
}

const IdRange* IdSet::find(Id id) const noexcept {
  const auto after = std::upper_bound(ranges_.begin(), ranges_.end(),
                                      IdRange{id.client, id.clock, 0}, comes_before);
  if (after == ranges_.begin()) return nullptr;
  const IdRange& range = *(after - 1);
  return range.client == id.client && id.clock < range.end() ? &range : nullptr;
}

std::span<const IdRange> IdSet::of_client(ClientId client) const noexcept {
  const auto first =
      std::lower_bound(ranges_.begin(), ranges_.end(), client,
                       [](const IdRange& range, ClientId wanted) { return range.client > wanted; });
  auto last =
      std::upper_bound(first, ranges_.end(), client,
                       [](ClientId wanted, const IdRange& range) { return wanted > range.client; });
  return {first, last};
}

void IdSet::write(Encoder& encoder, Encoding encoding) const {
  const bool as_is = encoding == Encoding::V1 ? is_grouped(ranges_) : is_ascending(ranges_);
  if (as_is) {
    write_ranges(encoder, encoding, ranges_);
    return;
  }
  IdSet ordered = *this;
  if (encoding == Encoding::V1) {
    std::stable_sort(ordered.ranges_.begin(), ordered.ranges_.end(),
                     [](const IdRange& a, const IdRange& b) { return a.client > b.client; });
  } else {
    // v2 has no way to write ranges that go back.
    ordered.normalize();
  }
  write_ranges(encoder, encoding, ordered.ranges_);
}

IdSet IdSet::read(Decoder& decoder, Encoding encoding) {
  IdSet set;
  read_id_ranges(decoder, encoding, [&set](ClientId client, Clock clock, Clock length) {
    set.append({client, clock, length});
  });
  if (!decoder.ok()) set.clear();
  return set;
}

}  // namespace lattice::crdt
