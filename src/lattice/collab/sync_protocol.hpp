// SPDX-License-Identifier: MIT
// The messages of y-protocols: how two peers of a room come to hold the same document.
//
//   peer A                                  peer B
//   step 1: my state vector         ->
//                                   <-      step 2: the updates that A lacks
//                                   <-      step 1: B's state vector
//   step 2: the updates that B lacks ->
//   update, update, ...             <->     update, update, ...
//
// One WebSocket message is one of these. Payloads (state vectors, updates, awareness) are opaque
// here. Decoding reads outside bytes: it never reads past them and takes no memory of its own.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "lattice/base/result.hpp"

namespace lattice::collab {

enum class MessageKind : uint8_t {
  SyncStep1,         // payload: a state vector
  SyncStep2,         // payload: an update, in encoding v1
  Update,            // payload: an update, in encoding v1
  Awareness,         // payload: an awareness update
  QueryAwareness,    // asks for an awareness update of everyone
  PermissionDenied,  // text: the reason
  Unknown,           // of a later protocol: to be ignored
};

struct RoomMessage {
  MessageKind kind = MessageKind::Unknown;
  std::span<const uint8_t> payload;  // into the message
  std::string_view text;             // into the message
};

Result<RoomMessage> decode_message(std::span<const uint8_t> message);

std::vector<uint8_t> encode_sync_step1(std::span<const uint8_t> state_vector);
std::vector<uint8_t> encode_sync_step2(std::span<const uint8_t> update);
std::vector<uint8_t> encode_update(std::span<const uint8_t> update);
std::vector<uint8_t> encode_awareness(std::span<const uint8_t> awareness_update);
std::vector<uint8_t> encode_query_awareness();
std::vector<uint8_t> encode_permission_denied(std::string_view reason);

}  // namespace lattice::collab
