// SPDX-License-Identifier: MIT
#include "lattice/collab/sync_protocol.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace lattice::collab {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes payload_of(const RoomMessage& message) {
  return {message.payload.begin(), message.payload.end()};
}

TEST(SyncProtocol, MessagesAreThoseOfYWebsocket) {
  EXPECT_EQ(encode_sync_step1(Bytes{0}), (Bytes{0, 0, 1, 0}));
  EXPECT_EQ(encode_sync_step2(Bytes{0, 0}), (Bytes{0, 1, 2, 0, 0}));
  EXPECT_EQ(encode_update(Bytes{7}), (Bytes{0, 2, 1, 7}));
  EXPECT_EQ(encode_awareness(Bytes{0}), (Bytes{1, 1, 0}));
  EXPECT_EQ(encode_query_awareness(), (Bytes{3}));
  EXPECT_EQ(encode_permission_denied("no"), (Bytes{2, 0, 2, 'n', 'o'}));
}

TEST(SyncProtocol, WhatIsEncodedDecodes) {
  const Bytes payload(300, 9);
  const std::pair<Bytes, MessageKind> cases[] = {
      {encode_sync_step1(payload), MessageKind::SyncStep1},
      {encode_sync_step2(payload), MessageKind::SyncStep2},
      {encode_update(payload), MessageKind::Update},
      {encode_awareness(payload), MessageKind::Awareness},
  };
  for (const auto& [message, kind] : cases) {
    auto decoded = decode_message(message);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded.value().kind, kind);
    EXPECT_EQ(payload_of(decoded.value()), payload);
  }
  EXPECT_EQ(decode_message(encode_query_awareness()).value().kind, MessageKind::QueryAwareness);
  EXPECT_EQ(decode_message(encode_permission_denied("closed")).value().text, "closed");
}

TEST(SyncProtocol, MessagesOfALaterProtocolAreUnknownNotErrors) {
  EXPECT_EQ(decode_message(Bytes{4, 1, 2, 3}).value().kind, MessageKind::Unknown);
  EXPECT_EQ(decode_message(Bytes{0, 9}).value().kind, MessageKind::Unknown);
  EXPECT_EQ(decode_message(Bytes{2, 1, 0}).value().kind, MessageKind::Unknown);
}

TEST(SyncProtocol, EveryTruncationAndEveryTailIsRefused) {
  for (const Bytes& whole : {encode_sync_step1(Bytes(200, 1)), encode_update(Bytes{1, 2, 3}),
                             encode_awareness(Bytes{0}), encode_permission_denied("closed")}) {
    for (size_t size = 0; size < whole.size(); ++size) {
      EXPECT_FALSE(decode_message(std::span(whole).first(size))) << size;
    }
    Bytes longer = whole;
    longer.push_back(0);
    EXPECT_FALSE(decode_message(longer));
  }
}

TEST(SyncProtocol, ALengthBeyondTheMessageIsRefused) {
  EXPECT_FALSE(decode_message(Bytes{0, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0}));
  EXPECT_FALSE(
      decode_message(Bytes{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1}));
}

TEST(SyncProtocol, RandomBytesStayInside) {
  std::mt19937_64 random(20261124);
  for (int i = 0; i < 50'000; ++i) {
    Bytes bytes(random() % 24);
    std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<uint8_t>(random() % 5); });
    auto decoded = decode_message(bytes);
    if (!decoded) continue;
    EXPECT_LE(decoded.value().payload.size(), bytes.size());
  }
}

}  // namespace
}  // namespace lattice::collab
