// SPDX-License-Identifier: MIT
#include "lattice/collab/crdt/internal/pending.hpp"

#include <algorithm>

#include "lattice/base/error.hpp"
#include "lattice/collab/crdt/update.hpp"
#include "lattice/collab/crdt/update_encoder.hpp"

namespace lattice::crdt::internal {

namespace {

constexpr size_t kMergedAtOnce = 16;

void lower(StateVector& into, const StateVector& from) {
  for (const auto& entry : from.entries()) {
    if (!into.contains(entry.client) || into.get(entry.client) > entry.clock) {
      into.set(entry.client, entry.clock);
    }
  }
}

bool starts_later(const IdRange& a, const IdRange& b) noexcept { return a.clock > b.clock; }

}  // namespace

void PendingStructs::add(const StateVector& missing, const StateVector& needed, Bytes update_v2) {
  lower(missing_, missing);
  lower(needed_, needed);
  parts_.push_back({0, std::move(update_v2)});
  while (parts_.size() >= kMergedAtOnce &&
         parts_[parts_.size() - kMergedAtOnce].level == parts_.back().level) {
    merge_from(parts_.size() - kMergedAtOnce);
  }
}

// Two at a time, as Yjs merges what arrives with what it has: which of two versions of a struct is
// kept depends on that.
void PendingStructs::merge_from(size_t first) {
  Bytes& all = parts_[first].update_v2;
  for (size_t i = first + 1; i < parts_.size(); ++i) {
    const ByteView two[] = {all, parts_[i].update_v2};
    Result<Bytes> merged = merge_updates(two, Encoding::V2);
    LATTICE_ASSERT(merged.ok());  // all parts are our own
    all = std::move(merged).value();
  }
  ++parts_[first].level;
  parts_.resize(first + 1);
}

const Bytes& PendingStructs::update_v2() {
  if (parts_.size() > 1) merge_from(0);
  return parts_[0].update_v2;
}

Bytes PendingStructs::take() {
  update_v2();
  Bytes bytes = std::move(parts_[0].update_v2);
  parts_.clear();
  missing_ = StateVector();
  needed_ = StateVector();
  return bytes;
}

size_t PendingStructs::memory() const noexcept {
  size_t bytes = parts_.capacity() * sizeof(Part);
  for (const Part& part : parts_) bytes += part.update_v2.capacity();
  return bytes;
}

void PendingDeletes::add(const IdRange& range) {
  std::vector<IdRange>& heap = heaps_[range.client];
  heap.push_back(range);
  std::push_heap(heap.begin(), heap.end(), starts_later);
}

IdRange PendingDeletes::pop(std::vector<IdRange>& heap) {
  std::pop_heap(heap.begin(), heap.end(), starts_later);
  const IdRange range = heap.back();
  heap.pop_back();
  return range;
}

Bytes PendingDeletes::update_v2() const {
  IdSet all;
  for (const auto& [client, heap] : heaps_) {
    for (const IdRange& range : heap) all.append(range);
  }
  all.normalize();
  UpdateEncoderV2 writer;
  writer.rest().var_uint(0);
  all.write(writer.rest(), Encoding::V2);
  return writer.finish();
}

size_t PendingDeletes::memory() const noexcept {
  size_t bytes = 0;
  for (const auto& [client, heap] : heaps_) bytes += 64 + heap.capacity() * sizeof(IdRange);
  return bytes;
}

}  // namespace lattice::crdt::internal
