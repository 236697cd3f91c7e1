// SPDX-License-Identifier: MIT
// Transactions: what happens between the first change and the update that leaves.
//
// The order at the end is Yjs's, since it decides the bytes: sort the deletions, observers, deep
// observers, formatting clean-up, collect what was deleted, merge around deletions, merge new
// structs, merge around splits, emit. Observers may open transactions of their own; those wait in
// `cleanups` until this one has ended.
// Source: Yjs 13.6 Transaction.js.
#include <algorithm>

#include "lattice/collab/crdt/internal/document.hpp"

namespace lattice::crdt::internal {

bool Document::begin(Origin origin, bool local) {
  if (current != nullptr) return false;
  uint32_t serial = ++last_serial;
  std::unique_ptr<TransactionState> state;
  if (spare) {
    state = std::move(spare);
    state->face.serial = serial;
  } else {
    state = std::make_unique<TransactionState>(*this, serial);
  }
  state->origin = std::move(origin);
  state->local = local;
  current = state.get();
  cleanups.push_back(std::move(state));
  std::exception_ptr error;
  if (cleanups.size() == 1) emit(DocEvent::BeforeAllTransactions, current->face, error);
  emit(DocEvent::BeforeTransaction, current->face, error);
  if (error) {
    commit();
    std::rethrow_exception(error);
  }
  return true;
}

void Document::commit() {
  const bool first = current == cleanups.front().get();
  current = nullptr;
  if (!first) return;
  std::exception_ptr error;
  for (size_t i = 0; i < cleanups.size(); ++i) cleanup(i, error);
  std::unique_ptr<TransactionState> kept = std::move(cleanups.front());
  if (cleanups.size() == 1) {
    cleanups.clear();
    if (text.wants_compaction()) compact_text();
    emit(DocEvent::AfterAllTransactions, kept->face, error);
  } else {
    std::vector<std::unique_ptr<TransactionState>> ended;
    ended.swap(cleanups);
    if (text.wants_compaction()) compact_text();
    emit(DocEvent::AfterAllTransactions, ended.back()->face, error);
  }
  if (!spare) {
    spare = std::move(kept);
    spare->clear();
  }
  if (error) std::rethrow_exception(error);
}

TransactionState& Document::transaction_of(uint32_t serial) {
  for (auto& state : cleanups) {
    if (state->face.serial == serial) return *state;
  }
  throw Error("Transaction: it has ended; an event or a transaction is valid in its callback only");
}

uint32_t Document::before_clock(const TransactionState& transaction, uint32_t client) const {
  bool reached = false;
  for (const auto& state : cleanups) {
    reached |= state.get() == &transaction;
    if (!reached) continue;
    for (const auto& touched : state->touched) {
      if (touched.client == client) return touched.before;
    }
  }
  return clients[client].state;
}

void Document::sort_deletes(TransactionState& transaction) {
  transaction.sorted = true;
  auto& deletes = transaction.deletes;
  if (deletes.size() < 2) return;
  // Who comes first: the places where the client changes, of each client the first.
  std::vector<std::pair<uint32_t, TransactionState::DeleteClient>> seen;
  for (uint32_t i = 0; i < deletes.size(); ++i) {
    if (i == 0 || deletes[i].client != deletes[i - 1].client) {
      seen.push_back({i, {deletes[i].client, 0, 0}});
    }
  }
  auto is_before = [&](const DeleteRange& a, const DeleteRange& b) {
    if (a.client != b.client) return clients[a.client].id > clients[b.client].id;
    return a.clock < b.clock;
  };
  // What was loaded comes sorted.
  if (!std::is_sorted(deletes.begin(), deletes.end(), is_before)) {
    std::sort(deletes.begin(), deletes.end(), is_before);
  }
  size_t kept = 0;
  for (size_t i = 1; i < deletes.size(); ++i) {
    DeleteRange& left = deletes[kept];
    const DeleteRange& right = deletes[i];
    if (left.client == right.client && left.clock + left.length >= right.clock) {
      left.length = std::max(left.length, right.clock + right.length - left.clock);
    } else {
      deletes[++kept] = right;
    }
  }
  deletes.resize(kept + 1);
  if (seen.size() == 1) return;
  std::stable_sort(seen.begin(), seen.end(), [&](const auto& a, const auto& b) {
    return clients[a.second.client].id > clients[b.second.client].id;
  });
  seen.erase(
      std::unique(seen.begin(), seen.end(),
                  [](const auto& a, const auto& b) { return a.second.client == b.second.client; }),
      seen.end());
  uint32_t range = 0;
  for (auto& [place, of] : seen) {
    of.first = range;
    while (range < deletes.size() && deletes[range].client == of.client) ++range;
    of.end = range;
  }
  std::sort(seen.begin(), seen.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [place, of] : seen) transaction.delete_clients.push_back(of);
}

bool Document::deleted_in(const TransactionState& transaction, ItemId id) const {
  const auto& deletes = transaction.deletes;
  const ClientId client = clients[id.client].id;
  auto after = std::upper_bound(deletes.begin(), deletes.end(), id,
                                [&](const ItemId& wanted, const DeleteRange& range) {
                                  if (wanted.client != range.client) {
                                    return client > clients[range.client].id;
                                  }
                                  return wanted.clock < range.clock;
                                });
  if (after == deletes.begin()) return false;
  const DeleteRange& range = *--after;
  return range.client == id.client && id.clock - range.clock < range.length;
}

void Document::collect(std::span<const DeleteRange> deletes) {
  for (auto range = deletes.rbegin(); range != deletes.rend(); ++range) {
    ClientRuns& client = clients[range->client];
    const uint32_t end = range->clock + range->length;
    RunIndex::Position p = client.runs.find(range->clock);
    for (;;) {
      Ref ref = client.runs.at(p).item;
      const Item& item = items[ref];
      if (item.clock >= end) break;
      if (item.kind != Content::Gc && item.deleted() && !item.keep() &&
          (!gc_filter || gc_filter(ItemView(*this, ref)))) {
        if (item.kind != Content::Deleted) gc_item(ref, false);
      }
      if (client.runs.is_last(p)) break;
      p = client.runs.next(p);
    }
  }
}

bool Document::try_merge(Ref left_ref, Ref right_ref) {
  Item& left = items[left_ref];
  Item& right = items[right_ref];
  if (left.kind != right.kind) return false;
  if (left.kind == Content::Gc) {
    left.length += right.length;
    return true;
  }
  if (left.deleted() != right.deleted() || left.right != right_ref ||
      !(right.origin == left.last_id()) || !(left.right_origin == right.right_origin) ||
      ((left.flags | right.flags) & Item::kHasRedone)) {
    return false;
  }
  if (left.kind != Content::String && left.kind != Content::Any && left.kind != Content::Deleted &&
      left.kind != Content::Json) {
    return false;
  }
  if (!siblings.empty()) {
    siblings.forget({left.parent, left.has_sub() ? left.sub : UINT32_MAX, left.last_id()});
  }
  TypeData& parent = types[left.parent];
  const uint32_t visible = right.visible();
  if (!right.has_sub()) {
    sequences.remove(parent.root, right_ref);
    parent.cursor_item = kNil;
  }
  merge_content(left, right);
  left.length += right.length;
  if (visible != 0 && !right.has_sub()) sequences.changed(left_ref, visible);
  left.right = right.right;
  if (left.right != kNil) items[left.right].left = left_ref;
  left.flags |= right.flags & Item::kKeep;
  if (right.has_sub() && parent.keys.get(right.sub) == right_ref) {
    parent.keys.set(right.sub, left_ref);
  }
  return true;
}

RunIndex::Position Document::merge_lefts(ClientRuns& client, RunIndex::Position p,
                                         uint32_t& merged) {
  while (!client.runs.is_first(p)) {
    RunIndex::Position before = client.runs.previous(p);
    Ref right = client.runs.at(p).item;
    if (!try_merge(client.runs.at(before).item, right)) break;
    p = client.runs.erase(p);
    items.free(right);
    ++merged;
  }
  return p;
}

void Document::merge_deletes(std::span<const DeleteRange> deletes) {
  uint32_t merged = 0;
  for (auto range = deletes.rbegin(); range != deletes.rend(); ++range) {
    ClientRuns& client = clients[range->client];
    RunIndex::Position p = client.runs.find(range->clock + range->length - 1);
    if (!client.runs.is_last(p)) p = client.runs.next(p);
    while (!client.runs.is_first(p) && client.runs.at(p).clock >= range->clock) {
      p = merge_lefts(client, p, merged);
      if (client.runs.is_first(p)) break;
      p = client.runs.previous(p);
    }
  }
}

bool Document::may_extend(const Item& item) {
  if (!siblings.empty()) {
    siblings.forget({item.parent, item.has_sub() ? item.sub : UINT32_MAX, item.last_id()});
  }
  return item_observers == 0 || item.clock >= before_now(item.client);
}

void Document::collect_and_merge(TransactionState& t) {
  if (gc) collect(t.deletes);
  merge_deletes(t.deletes);
  for (const auto& touched : t.touched) {
    ClientRuns& client = clients[touched.client];
    if (touched.before == client.state) continue;
    uint32_t first = client.runs.at(client.runs.find(touched.before)).clock;
    uint32_t merged = 0;
    RunIndex::Position p = client.runs.last();
    while (!client.runs.is_first(p) && client.runs.at(p).clock >= first) {
      p = merge_lefts(client, p, merged);
      if (client.runs.is_first(p)) break;
      p = client.runs.previous(p);
    }
  }
  for (size_t k = t.merge_structs.size(); k-- > 0;) {
    const ItemId id = t.merge_structs[k];
    ClientRuns& client = clients[id.client];
    RunIndex::Position p = client.runs.find(id.clock);
    if (!client.runs.is_last(p)) {
      uint32_t merged = 0;
      merge_lefts(client, client.runs.next(p), merged);
      if (merged > 1) continue;
      p = client.runs.find(id.clock);
    }
    uint32_t merged = 0;
    merge_lefts(client, p, merged);
  }
}

void Document::cleanup(size_t i, std::exception_ptr& error) {
  TransactionState& t = *cleanups[i];
  sort_deletes(t);
  for (auto& touched : t.touched) touched.after = clients[touched.client].state;
  emit(DocEvent::BeforeObserverCalls, t.face, error);
  if (!t.changed.empty()) call_observers(t, error);
  emit(DocEvent::AfterTransaction, t.face, error);
  if (t.needs_formatting_cleanup) cleanup_after(t);

  if (!t.settled || cleanups.size() > 1) collect_and_merge(t);
  if (!t.local && own_index_ != kNoClient && clients[own_index_].id == client_id) {
    for (const auto& touched : t.touched) {
      // Somebody else writes under our id: take another before ours collide.
      if (touched.client == own_index_ && touched.before != touched.after) {
        client_id = random_client_id();
        break;
      }
    }
  } else if (!t.local) {
    for (const auto& touched : t.touched) {
      if (clients[touched.client].id == client_id) {
        client_id = random_client_id();
        break;
      }
    }
  }
  emit(DocEvent::AfterTransactionCleanup, t.face, error);
  emit_updates(t, error);
  emit_subdocs(t, error);
}

}  // namespace lattice::crdt::internal
