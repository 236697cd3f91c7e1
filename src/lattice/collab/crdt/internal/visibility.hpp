// SPDX-License-Identifier: MIT
// What of a document was there at a snapshot.
#pragma once

#include "lattice/collab/crdt/internal/document.hpp"
#include "lattice/collab/crdt/snapshot.hpp"

namespace lattice::crdt::internal {

// Without a snapshot: now. REQUIRES: items split at the snapshot (split_at).
inline bool is_visible(const Document& document, const Item& item, const Snapshot* snapshot) {
  if (snapshot == nullptr) return !item.deleted();
  const Id id = document.wire_id(item.id());
  return snapshot->state.get(id.client) > id.clock && !snapshot->delete_set.contains(id);
}

// Makes the snapshot's ends and deletions boundaries of items. REQUIRES: an open transaction, which
// merges them again.
void split_at(Document& document, const Snapshot& snapshot);

}  // namespace lattice::crdt::internal
