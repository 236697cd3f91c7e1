// SPDX-License-Identifier: MIT
// What came before what it depends on.
//
// Structs are kept as the bytes of updates, and merged only when somebody asks: a part for each
// arrival would make reading them slow, merging at each arrival makes updates that arrive in
// reverse order quadratic. So parts are merged by 16, and results by 16 again.
//
// Deletions are kept in a heap for each client, lowest clock first: an update looks only at those
// of clients that it has moved.
#pragma once

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lattice/collab/crdt/id_set.hpp"
#include "lattice/collab/crdt/lib0.hpp"
#include "lattice/collab/crdt/state_vector.hpp"

namespace lattice::crdt::internal {

using Bytes = std::vector<uint8_t>;

class PendingStructs {
 public:
  bool empty() const noexcept { return parts_.empty(); }
  // `missing` as Yjs keeps it: clients and the states that they had. `needed`: the clocks that the
  // structs wait for; before one of them is there, trying again would change nothing.
  void add(const StateVector& missing, const StateVector& needed, Bytes update_v2);
  const StateVector& missing() const noexcept { return missing_; }
  const StateVector& needed() const noexcept { return needed_; }
  const Bytes& update_v2();
  // Empties this.
  Bytes take();
  size_t memory() const noexcept;

 private:
  struct Part {
    uint32_t level = 0;
    Bytes update_v2;
  };
  void merge_from(size_t first);

  StateVector missing_;
  StateVector needed_;
  std::vector<Part> parts_;  // in the order of arrival, levels do not rise
};

class PendingDeletes {
 public:
  bool empty() const noexcept { return heaps_.empty(); }
  void add(const IdRange& range);
  // Takes the ranges of `client` that begin below `state`: take(range).
  template <class Take>
  void take_below(ClientId client, Clock state, Take&& take) {
    auto found = heaps_.find(client);
    if (found == heaps_.end()) return;
    std::vector<IdRange>& heap = found->second;
    while (!heap.empty() && heap.front().clock < state) {
      // Those that touch are one, as they are when Yjs merges what waits: its ends cut runs.
      IdRange range = pop(heap);
      while (!heap.empty() && heap.front().clock <= range.end()) {
        range.length = std::max(range.end(), heap.front().end()) - range.clock;
        pop(heap);
      }
      take(range);
    }
    if (heap.empty()) heaps_.erase(found);
  }
  // Sorted, as an update without structs.
  Bytes update_v2() const;
  size_t memory() const noexcept;

 private:
  static IdRange pop(std::vector<IdRange>& heap);
  std::unordered_map<ClientId, std::vector<IdRange>> heaps_;
};

}  // namespace lattice::crdt::internal
