// SPDX-License-Identifier: MIT
// Updates, state vectors, delete sets and snapshots as bytes.
#include "lattice/collab/crdt/update.hpp"

#include "lattice/collab/crdt/obfuscate.hpp"
#include "lattice/collab/crdt/struct_reader.hpp"
#include "lattice/collab/crdt/struct_writer.hpp"
#include "node.hpp"

namespace addon {
namespace {

crdt::Encoding encoding_of(napi_value version) {
  return to_uint(version) == 2 ? crdt::Encoding::V2 : crdt::Encoding::V1;
}
template <class T>
T checked(lattice::Result<T> result) {
  if (!result.ok()) throw lattice::Error(result.error());
  return std::move(result).value();
}

napi_value merge_updates(const Call& call) {
  std::vector<crdt::ByteView> updates;
  for (uint32_t i = 0; i < array_length(call[0]); ++i) {
    updates.push_back(to_bytes(element(call[0], i)));
  }
  return bytes(checked(crdt::merge_updates(updates, encoding_of(call[1]))));
}
napi_value diff_update(const Call& call) {
  const auto state = checked(crdt::StateVector::decode(to_bytes(call[1])));
  return bytes(checked(crdt::diff_update(to_bytes(call[0]), state, encoding_of(call[2]))));
}
napi_value convert_update(const Call& call) {
  const crdt::Encoding from = encoding_of(call[1]);
  const crdt::Encoding to = from == crdt::Encoding::V1 ? crdt::Encoding::V2 : crdt::Encoding::V1;
  return bytes(checked(crdt::convert_update(to_bytes(call[0]), from, to)));
}
napi_value obfuscate_update(const Call& call) {
  return bytes(checked(crdt::obfuscate_update(to_bytes(call[0]), encoding_of(call[1]))));
}
napi_value state_vector_of_update(const Call& call) {
  return bytes(
      checked(crdt::state_vector_of_update(to_bytes(call[0]), encoding_of(call[1]))).encode());
}
napi_value update_meta(const Call& call) {
  const auto meta = checked(crdt::update_meta(to_bytes(call[0]), encoding_of(call[1])));
  const napi_value pair[] = {to_js(meta.from), to_js(meta.to)};
  return array(pair);
}
napi_value encode_state(const Call& call) { return bytes(to_state_vector(call[0]).encode()); }
napi_value decode_state(const Call& call) {
  return to_js(checked(crdt::StateVector::decode(to_bytes(call[0]))));
}

template <class Reader>
crdt::DeleteSet deleted_by(crdt::ByteView update) {
  Reader reader(update);
  for (crdt::StructView view; reader.next(view);) {
  }
  crdt::DeleteSet deleted;
  if (reader.ok()) deleted = reader.read_delete_set();
  if (!reader.ok()) throw lattice::Error(reader.failure().message);
  return deleted;
}
napi_value delete_set_of_update(const Call& call) {
  return to_js(encoding_of(call[1]) == crdt::Encoding::V1
                   ? deleted_by<crdt::StructReaderV1>(to_bytes(call[0]))
                   : deleted_by<crdt::StructReaderV2>(to_bytes(call[0])));
}
napi_value update_of_deletes(const Call& call) {
  const crdt::DeleteSet deleted = to_delete_set(call[0]);
  if (encoding_of(call[1]) == crdt::Encoding::V1) {
    return bytes(crdt::StructWriter<crdt::UpdateEncoderV1>().finish(deleted));
  }
  return bytes(crdt::StructWriter<crdt::UpdateEncoderV2>().finish(deleted));
}
napi_value encode_delete_set(const Call& call) {
  crdt::Encoder encoder;
  to_delete_set(call[0]).write(encoder, crdt::Encoding::V1);
  return bytes(encoder.to_vector());
}
napi_value decode_delete_set(const Call& call) {
  crdt::Decoder decoder(to_bytes(call[0]));
  const crdt::DeleteSet set = crdt::DeleteSet::read(decoder, crdt::Encoding::V1);
  if (!decoder.ok()) throw lattice::Error(decoder.error());
  return to_js(set);
}
napi_value merge_delete_sets(const Call& call) {
  crdt::DeleteSet merged;
  for (uint32_t i = 0; i < array_length(call[0]); ++i) {
    merged.append(to_delete_set(element(call[0], i)));
  }
  merged.normalize();
  return to_js(merged);
}
napi_value delete_set_contains(const Call& call) {
  crdt::DeleteSet set = to_delete_set(call[0]);
  set.normalize();
  return boolean(set.contains({to_id(call[1]), to_uint(call[2])}));
}
napi_value equal_delete_sets(const Call& call) {
  crdt::DeleteSet a = to_delete_set(call[0]), b = to_delete_set(call[1]);
  a.normalize();
  b.normalize();
  return boolean(a == b);
}

napi_value snapshot_to_js(const crdt::Snapshot& snapshot) {
  const napi_value pair[] = {to_js(snapshot.delete_set), to_js(snapshot.state)};
  return array(pair);
}
napi_value take_snapshot(const Call& call) {
  return snapshot_to_js(crdt::take_snapshot(unwrap<crdt::Doc>(call[0])));
}
napi_value encode_snapshot(const Call& call) {
  return bytes(crdt::encode(to_snapshot(call[0]), to_version(call[1])));
}
napi_value decode_snapshot(const Call& call) {
  return snapshot_to_js(checked(crdt::decode_snapshot(to_bytes(call[0]), to_version(call[1]))));
}
napi_value equal_snapshots(const Call& call) {
  return boolean(to_snapshot(call[0]) == to_snapshot(call[1]));
}
napi_value snapshot_contains_update(const Call& call) {
  return boolean(
      checked(crdt::contains_update(to_snapshot(call[0]), to_bytes(call[1]), to_version(call[2]))));
}
napi_value restore(const Call& call) {
  return wrap(crdt::restore(unwrap<crdt::Doc>(call[0]), to_snapshot(call[1])));
}

// In the order of the wire's content references, from 1 on.
napi_value content_names(const Call&) {
  using Kind = crdt::StructKind;
  static constexpr std::pair<Kind, const char*> kNames[] = {
      {Kind::Deleted, "Deleted"}, {Kind::Json, "JSON"},   {Kind::Binary, "Binary"},
      {Kind::String, "String"},   {Kind::Embed, "Embed"}, {Kind::Format, "Format"},
      {Kind::Type, "Type"},       {Kind::Any, "Any"},     {Kind::Doc, "Doc"}};
  std::vector<napi_value> names(std::size(kNames));
  for (const auto& [kind, name] : kNames) names.at(static_cast<size_t>(kind) - 1) = text(name);
  return array(names);
}

}  // namespace

void add_updates(napi_value exports) {
  add<merge_updates>(exports, "mergeUpdates");
  add<diff_update>(exports, "diffUpdate");
  add<convert_update>(exports, "convertUpdate");
  add<obfuscate_update>(exports, "obfuscateUpdate");
  add<state_vector_of_update>(exports, "stateVectorOfUpdate");
  add<update_meta>(exports, "updateMeta");
  add<encode_state>(exports, "encodeState");
  add<decode_state>(exports, "decodeState");
  add<delete_set_of_update>(exports, "deleteSetOfUpdate");
  add<update_of_deletes>(exports, "updateOfDeletes");
  add<encode_delete_set>(exports, "encodeDeleteSet");
  add<decode_delete_set>(exports, "decodeDeleteSet");
  add<merge_delete_sets>(exports, "mergeDeleteSets");
  add<delete_set_contains>(exports, "deleteSetContains");
  add<equal_delete_sets>(exports, "equalDeleteSets");
  add<take_snapshot>(exports, "takeSnapshot");
  add<encode_snapshot>(exports, "encodeSnapshot");
  add<decode_snapshot>(exports, "decodeSnapshot");
  add<equal_snapshots>(exports, "equalSnapshots");
  add<snapshot_contains_update>(exports, "snapshotContainsUpdate");
  add<restore>(exports, "restore");
  add<content_names>(exports, "contentNames");
}

}  // namespace addon
