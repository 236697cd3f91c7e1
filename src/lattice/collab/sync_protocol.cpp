// SPDX-License-Identifier: MIT
#include "lattice/collab/sync_protocol.hpp"

#include "lattice/base/bytes.hpp"

namespace lattice::collab {

namespace {

// Numbers on the wire, as y-websocket has them.
constexpr uint8_t kSync = 0, kAwareness = 1, kAuth = 2, kQueryAwareness = 3;
constexpr uint8_t kStep1 = 0, kStep2 = 1, kUpdate = 2;
constexpr uint8_t kPermissionDenied = 0;

std::span<const uint8_t> as_bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string_view as_text(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::vector<uint8_t> with_payload(uint8_t type, int step, std::span<const uint8_t> payload) {
  ByteWriter writer;
  writer.u8(type);
  if (step >= 0) writer.u8(static_cast<uint8_t>(step));
  writer.string(as_text(payload));
  return writer.take();
}

// "sync" and "auth" have a second number.
MessageKind kind_of(ByteReader& reader) {
  switch (reader.varint()) {
    case kSync:
      switch (reader.varint()) {
        case kStep1:
          return MessageKind::SyncStep1;
        case kStep2:
          return MessageKind::SyncStep2;
        case kUpdate:
          return MessageKind::Update;
        default:
          return MessageKind::Unknown;
      }
    case kAwareness:
      return MessageKind::Awareness;
    case kAuth:
      return reader.varint() == kPermissionDenied ? MessageKind::PermissionDenied
                                                  : MessageKind::Unknown;
    case kQueryAwareness:
      return MessageKind::QueryAwareness;
    default:
      return MessageKind::Unknown;
  }
}

}  // namespace

Result<RoomMessage> decode_message(std::span<const uint8_t> message) {
  ByteReader reader(message);
  RoomMessage decoded;
  decoded.kind = kind_of(reader);
  if (!reader.ok()) return Failure{"room: a message ends before it says what it is"};
  if (decoded.kind == MessageKind::Unknown) return decoded;
  if (decoded.kind != MessageKind::QueryAwareness) decoded.text = reader.string();
  if (!reader.ok()) return Failure{"room: a message is shorter than it says"};
  if (!reader.at_end()) return Failure{"room: bytes after the end of a message"};
  if (decoded.kind == MessageKind::PermissionDenied) {
    if (!is_valid_utf8(decoded.text)) return Failure{"room: a reason is not UTF-8"};
  } else {
    decoded.payload = as_bytes(decoded.text);
    decoded.text = {};
  }
  return decoded;
}

std::vector<uint8_t> encode_sync_step1(std::span<const uint8_t> state_vector) {
  return with_payload(kSync, kStep1, state_vector);
}
std::vector<uint8_t> encode_sync_step2(std::span<const uint8_t> update) {
  return with_payload(kSync, kStep2, update);
}
std::vector<uint8_t> encode_update(std::span<const uint8_t> update) {
  return with_payload(kSync, kUpdate, update);
}
std::vector<uint8_t> encode_awareness(std::span<const uint8_t> awareness_update) {
  return with_payload(kAwareness, -1, awareness_update);
}
std::vector<uint8_t> encode_query_awareness() { return {kQueryAwareness}; }
std::vector<uint8_t> encode_permission_denied(std::string_view reason) {
  return with_payload(kAuth, kPermissionDenied, as_bytes(reason));
}

}  // namespace lattice::collab
