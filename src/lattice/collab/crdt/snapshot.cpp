// SPDX-License-Identifier: MIT
// Source: Yjs 13.6 Snapshot.js.
#include "lattice/collab/crdt/snapshot.hpp"

#include "lattice/collab/crdt/internal/document.hpp"
#include "lattice/collab/crdt/internal/visibility.hpp"
#include "lattice/collab/crdt/update.hpp"
#include "lattice/collab/crdt/update_encoder.hpp"

namespace lattice::crdt {

using internal::Content;
using internal::Document;
using internal::Item;
using internal::kNil;
using internal::Ref;

namespace internal {

void split_at(Document& document, const Snapshot& snapshot) {
  for (const auto& entry : snapshot.state.entries()) {
    const uint32_t client = document.find_client(entry.client);
    if (client != kNoClient && entry.clock < document.clients[client].state) {
      document.clean_start({client, entry.clock});
    }
  }
  for (const IdRange& range : snapshot.delete_set.ranges()) {
    const uint32_t client = document.find_client(range.client);
    if (client == kNoClient) continue;
    const uint32_t state = document.clients[client].state;
    if (range.clock < state) document.clean_start({client, range.clock});
    if (range.end() < state) document.clean_start({client, range.end()});
  }
}

}  // namespace internal

Snapshot take_snapshot(const Doc& doc) {
  Snapshot snapshot;
  snapshot.delete_set = doc.delete_set();
  snapshot.state = doc.state_vector();
  return snapshot;
}

Bytes encode(const Snapshot& snapshot, UpdateVersion version) {
  Encoder encoder;
  snapshot.delete_set.write(encoder, version);
  snapshot.state.write(encoder);
  return encoder.to_vector();
}

Result<Snapshot> decode_snapshot(std::span<const uint8_t> bytes, UpdateVersion version) {
  Decoder decoder(bytes);
  Snapshot snapshot;
  snapshot.delete_set = DeleteSet::read(decoder, version);
  snapshot.state = StateVector::read(decoder);
  if (!decoder.ok()) return failure_of("snapshot", decoder, bytes.size());
  if (!snapshot.delete_set.is_normalized()) snapshot.delete_set.normalize();
  return snapshot;
}

Doc restore(const Doc& doc, const Snapshot& snapshot, DocOptions options) {
  Document& document = *doc.document();
  if (document.gc) {
    throw Error(
        "restore: the document collects garbage, so what the snapshot had may be gone; "
        "make it with gc = false");
  }
  for (const auto& entry : snapshot.state.entries()) {
    if (entry.clock > document.state_of(entry.client)) {
      throw Error("restore: the snapshot knows more than the document");
    }
  }
  Doc restored(std::move(options));
  Bytes update;
  doc.transact([&] {
    UpdateEncoderV2 writer;
    uint64_t clients = 0;
    for (const auto& entry : snapshot.state.entries()) clients += entry.clock > 0;
    writer.rest().var_uint(clients);
    for (const auto& entry : snapshot.state.entries()) {
      if (entry.clock == 0) continue;
      document.write_client_until(writer, document.find_client(entry.client), entry.clock);
    }
    snapshot.delete_set.write(writer.rest(), UpdateVersion::V2);
    update = writer.finish();
  });
  Result<void> applied =
      restored.apply_update(update, UpdateVersion::V2, Origin(std::string("snapshot")));
  if (!applied.ok()) throw Error("restore: " + applied.error());
  return restored;
}

Result<bool> contains_update(const Snapshot& snapshot, std::span<const uint8_t> update,
                             UpdateVersion version) {
  return contains_update(snapshot.state, snapshot.delete_set, update, version);
}

std::vector<Value> to_vector_at(const Array& array, const Snapshot& snapshot) {
  std::vector<Value> out;
  Document& document = *array.document();
  array.doc().transact([&] {
    internal::split_at(document, snapshot);
    for (Ref ref = document.types[array.index()].start; ref != kNil;
         ref = document.items[ref].right) {
      const Item& item = document.items[ref];
      if (!item.countable() || !internal::is_visible(document, item, &snapshot)) continue;
      for (uint32_t i = 0; i < item.length; ++i) out.push_back(document.value_at(item, i));
    }
  });
  return out;
}

namespace {

Ref entry_at(Document& document, Ref ref, const Snapshot& snapshot) {
  while (ref != kNil) {
    const Id id = document.wire_id(document.items[ref].id());
    if (id.clock < snapshot.state.get(id.client)) break;
    ref = document.items[ref].left;
  }
  return ref != kNil && internal::is_visible(document, document.items[ref], &snapshot) ? ref : kNil;
}

}  // namespace

std::optional<Value> get_at(const Type& map, std::string_view key, const Snapshot& snapshot) {
  Document& document = *map.document();
  const Ref ref = entry_at(
      document, document.types[map.index()].keys.get(document.strings.find(key)), snapshot);
  if (ref == kNil) return std::nullopt;
  return document.value_at(document.items[ref], document.items[ref].length - 1);
}

std::vector<std::pair<std::string, Value>> entries_at(const Type& map, const Snapshot& snapshot) {
  std::vector<std::pair<std::string, Value>> out;
  Document& document = *map.document();
  for (const auto& entry : document.types[map.index()].keys.entries()) {
    const Ref ref = entry_at(document, entry.item, snapshot);
    if (ref == kNil) continue;
    const Item& item = document.items[ref];
    out.emplace_back(document.strings[entry.key], document.value_at(item, item.length - 1));
  }
  return out;
}

}  // namespace lattice::crdt
