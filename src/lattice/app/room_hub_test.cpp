// SPDX-License-Identifier: MIT
// Served rooms, with members that are plain queues; and rooms of this process in them.
#include "lattice/app/room_hub.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <mutex>

#include "lattice/app/internal/room_socket.hpp"
#include "lattice/app/room_connection.hpp"
#include "lattice/base/bytes.hpp"
#include "lattice/collab/crdt/doc.hpp"
#include "lattice/collab/room.hpp"
#include "lattice/collab/sync_protocol.hpp"
#include "lattice/reactive/runtime.hpp"
#include "lattice/roomlog/memory_log.hpp"

namespace lattice::app {
namespace {

using collab::MessageKind;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Bytes = std::vector<uint8_t>;

class Queue final : public RoomMember {
 public:
  void send(net::Message message) override {
    std::scoped_lock lock(mutex_);
    messages_.push_back(*message);
  }
  std::vector<Bytes> take() {
    std::scoped_lock lock(mutex_);
    return std::exchange(messages_, {});
  }
  // What it got of one kind.
  std::vector<Bytes> payloads(MessageKind kind) {
    std::vector<Bytes> found;
    for (const Bytes& message : take()) {
      auto decoded = collab::decode_message(message).value();
      if (decoded.kind == kind) found.emplace_back(decoded.payload.begin(), decoded.payload.end());
    }
    return found;
  }

 private:
  std::mutex mutex_;
  std::vector<Bytes> messages_;
};

struct House {
  explicit House(RoomOptions options = {})
      : log(std::make_shared<roomlog::MemoryLog>()),
        pool(HandlerPool::create({})),
        hub(std::make_shared<RoomHub>(options, log, pool, Log{})) {}
  ~House() { pool->stop(HandlerPool::Clock::now() + seconds(5)); }

  std::unique_ptr<RoomSeat> sit(std::shared_ptr<Queue> queue, std::string_view room = "board",
                                RoomAccess access = RoomAccess::Write) const {
    return hub->join(room, std::move(queue), access).value();
  }

  std::vector<Bytes> logged() const {
    const std::vector<roomlog::LogEntry> entries = log->read("board", 0).value();
    std::vector<Bytes> updates;
    for (const roomlog::LogEntry& entry : entries) updates.push_back(entry.update);
    return updates;
  }

  std::shared_ptr<roomlog::MemoryLog> log;
  std::shared_ptr<HandlerPool> pool;
  std::shared_ptr<RoomHub> hub;
};

Bytes text_update(std::string_view text) {
  crdt::Doc doc;
  doc.text("body").insert(0, text);
  return doc.encode_state_as_update();
}

std::string text_of(std::span<const Bytes> updates) {
  crdt::Doc doc;
  for (const Bytes& update : updates) EXPECT_TRUE(doc.apply_update(update));
  return doc.text("body").to_string();
}

Bytes presence(uint64_t client, uint64_t clock, std::string_view json) {
  ByteWriter writer;
  writer.varint(1);
  writer.varint(client);
  writer.varint(clock);
  writer.string(json);
  return collab::encode_awareness(writer.bytes());
}

Bytes ask_for_all() { return collab::encode_sync_step1(crdt::StateVector().encode()); }

TEST(RoomHub, AnUpdateGoesToEverybodyButItsSender) {
  House house;
  auto ada = std::make_shared<Queue>(), ben = std::make_shared<Queue>();
  auto ada_seat = house.sit(ada), ben_seat = house.sit(ben);
  EXPECT_EQ(ada->payloads(MessageKind::SyncStep1).size(), 1u);
  (void)ben->take();
  ASSERT_TRUE(ada_seat->receive(collab::encode_update(text_update("hi"))));
  EXPECT_TRUE(ada->take().empty());
  EXPECT_EQ(text_of(ben->payloads(MessageKind::Update)), "hi");
  // What is known already is told to nobody.
  ASSERT_TRUE(
      ben_seat->receive(collab::encode_update(house.log->read("board", 0).value()[0].update)));
  EXPECT_TRUE(ada->take().empty());
}

TEST(RoomHub, StepOneIsAnsweredWithWhatThePeerLacks) {
  House house;
  auto ada = std::make_shared<Queue>(), ben = std::make_shared<Queue>();
  auto ada_seat = house.sit(ada);
  ASSERT_TRUE(ada_seat->receive(collab::encode_sync_step2(text_update("hi"))));
  auto ben_seat = house.sit(ben);
  (void)ben->take();
  ASSERT_TRUE(ben_seat->receive(ask_for_all()));
  EXPECT_EQ(text_of(ben->payloads(MessageKind::SyncStep2)), "hi");
}

TEST(RoomHub, PresenceReachesTheOthersAndGoesWithItsConnection) {
  House house;
  auto ada = std::make_shared<Queue>(), ben = std::make_shared<Queue>();
  auto ada_seat = house.sit(ada), ben_seat = house.sit(ben);
  (void)ben->take();
  ASSERT_TRUE(ada_seat->receive(presence(7, 0, R"({"name":"Ada"})")));
  EXPECT_EQ(ben->payloads(MessageKind::Awareness).size(), 1u);
  // Who comes later is told as well.
  auto late = std::make_shared<Queue>();
  auto late_seat = house.sit(late);
  EXPECT_EQ(late->payloads(MessageKind::Awareness).size(), 1u);
  ada_seat.reset();
  auto gone = ben->payloads(MessageKind::Awareness);
  ASSERT_EQ(gone.size(), 1u);
  EXPECT_EQ(collab::encode_awareness(gone[0]), presence(7, 0, "null"));
}

TEST(RoomHub, AClientThatCameBackOnAnotherConnectionIsNotGoneWithTheOldOne) {
  House house;
  auto ada = std::make_shared<Queue>(), ben = std::make_shared<Queue>();
  auto old_seat = house.sit(ada), new_seat = house.sit(ada), ben_seat = house.sit(ben);
  ASSERT_TRUE(old_seat->receive(presence(7, 0, "1")));
  ASSERT_TRUE(new_seat->receive(presence(7, 1, "1")));
  (void)ben->take();
  old_seat.reset();
  EXPECT_TRUE(ben->take().empty());
  new_seat.reset();
  EXPECT_EQ(ben->payloads(MessageKind::Awareness).size(), 1u);
}

TEST(RoomHub, MalformedMessagesConcernTheirSenderAlone) {
  House house;
  auto ada = std::make_shared<Queue>(), eve = std::make_shared<Queue>();
  auto ada_seat = house.sit(ada), eve_seat = house.sit(eve);
  (void)ada->take();
  for (const Bytes& message :
       {Bytes{0}, Bytes{0, 2, 200, 1}, Bytes{0, 2, 3, 255, 255, 255}, Bytes{0, 0, 2, 255, 255},
        Bytes{1, 3, 255, 255, 255}, Bytes{0, 2, 1, 0, 9, 9}}) {
    EXPECT_FALSE(eve_seat->receive(message));
    EXPECT_EQ(eve_seat->close_code(), 1003);
  }
  EXPECT_TRUE(ada->take().empty());
  EXPECT_EQ(house.hub->counts().malformed, 6u);
  EXPECT_TRUE(ada_seat->receive(collab::encode_update(text_update("fine"))));
}

TEST(RoomHub, AReaderIsToldOnceThatItMayNotWrite) {
  House house;
  auto reader = std::make_shared<Queue>();
  auto seat = house.sit(reader, "board", RoomAccess::Read);
  (void)reader->take();
  ASSERT_TRUE(seat->receive(collab::encode_update(text_update("no"))));
  ASSERT_TRUE(seat->receive(collab::encode_update(text_update("no"))));
  EXPECT_EQ(reader->payloads(MessageKind::PermissionDenied).size(), 1u);
  EXPECT_EQ(house.hub->counts().denied, 2u);
  ASSERT_TRUE(seat->receive(ask_for_all()));
  EXPECT_EQ(text_of(reader->payloads(MessageKind::SyncStep2)), "");
}

TEST(RoomHub, AnEmptyRoomIsParkedAsOneUpdateAndComesBack) {
  RoomOptions options;
  options.park_after = seconds(60);
  House house(options);
  auto ada = std::make_shared<Queue>();
  {
    auto seat = house.sit(ada);
    crdt::Doc doc;
    doc.on_update([&](std::span<const uint8_t> update, crdt::Transaction&) {
      ASSERT_TRUE(seat->receive(collab::encode_update(update)));
    });
    for (int i = 0; i < 50; ++i) doc.text("body").insert(0, "x");
    house.hub->tick(RoomHub::Clock::now() + seconds(600));
    EXPECT_EQ(house.hub->counts().rooms, 1u) << "somebody is in";
  }
  house.hub->tick(RoomHub::Clock::now());
  EXPECT_EQ(house.hub->counts().rooms, 1u) << "it has been empty for a moment only";
  house.hub->tick(RoomHub::Clock::now() + seconds(61));
  EXPECT_EQ(house.hub->counts().rooms, 0u);
  EXPECT_EQ(house.log->read("board", 0).value().size(), 1u);
  auto seat = house.sit(ada);
  (void)ada->take();
  ASSERT_TRUE(seat->receive(ask_for_all()));
  EXPECT_EQ(text_of(ada->payloads(MessageKind::SyncStep2)), std::string(50, 'x'));
}

TEST(RoomHub, TheLogIsCompactedAsItGrows) {
  RoomOptions options;
  options.compact_after_entries = 10;
  House house(options);
  auto ada = std::make_shared<Queue>();
  auto seat = house.sit(ada);
  crdt::Doc doc;
  doc.on_update([&](std::span<const uint8_t> update, crdt::Transaction&) {
    ASSERT_TRUE(seat->receive(collab::encode_update(update)));
  });
  for (int i = 0; i < 200; ++i) doc.text("body").insert(0, "x");
  const std::vector<Bytes> updates = house.logged();
  EXPECT_LE(updates.size(), 12u);
  EXPECT_EQ(text_of(updates), std::string(200, 'x'));
}

TEST(RoomHub, BoundsRefuse) {
  RoomOptions options;
  options.rooms_max = 2;
  options.members_max = 1;
  options.presences_per_member_max = 2;
  House house(options);
  auto queue = std::make_shared<Queue>();
  auto one = house.sit(queue, "a"), two = house.sit(queue, "b");
  EXPECT_FALSE(house.hub->join("a", queue, RoomAccess::Write));
  EXPECT_FALSE(house.hub->join("c", queue, RoomAccess::Write));
  for (const std::string& name :
       {std::string(), std::string("a\nb"), std::string("\xff"), std::string(201, 'a')}) {
    EXPECT_FALSE(house.hub->join(name, queue, RoomAccess::Write)) << name;
  }
  EXPECT_TRUE(one->receive(presence(1, 0, "1")));
  EXPECT_TRUE(one->receive(presence(2, 0, "1")));
  EXPECT_FALSE(one->receive(presence(3, 0, "1")));
  EXPECT_EQ(one->close_code(), 1008);
  house.hub->close();
  EXPECT_FALSE(house.hub->join("a", queue, RoomAccess::Write));
}

TEST(SendRate, WhoSendsFasterOwesTime) {
  RoomOptions options;
  options.messages_per_second = 100;
  options.messages_burst = 10;
  options.bytes_per_second = 1000;
  options.bytes_burst = 1000;
  const internal::SendRate::Clock::time_point start{};
  internal::SendRate rate(options, start);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(rate.take(1, start), start);
  EXPECT_EQ(rate.take(1, start), start + milliseconds(10));
  EXPECT_EQ(rate.take(1, start), start + milliseconds(20));
  const auto later = start + seconds(10);
  EXPECT_EQ(rate.take(1000, later), later);
  EXPECT_EQ(rate.take(500, later), later + milliseconds(500));
}

// --- lattice::Room in the same process

struct Session {
  Session() : entry(runtime) {}
  Runtime runtime;
  RuntimeEntry entry;
};

TEST(RoomJoin, WhatTheRoomHoldsIsThereAtOnceAndWritesReachTheOthers) {
  House house;
  auto ada = std::make_shared<Queue>();
  auto seat = house.sit(ada);
  ASSERT_TRUE(seat->receive(collab::encode_update(text_update("hello"))));
  ASSERT_TRUE(seat->receive(presence(7, 0, R"({"name":"Ada"})")));
  (void)ada->take();
  Session session;
  Room room("board");
  join(room, house.hub);
  EXPECT_TRUE(room.connected());
  EXPECT_TRUE(room.synced());
  EXPECT_EQ(room.text("body").get(), "hello");
  EXPECT_EQ(room.presence().size(), 1u);
  room.text("body").insert(5, " you");
  std::vector<Bytes> updates;
  const auto deadline = std::chrono::steady_clock::now() + seconds(20);
  while (updates.empty() && std::chrono::steady_clock::now() < deadline) {
    updates = ada->payloads(MessageKind::Update);
  }
  ASSERT_EQ(updates.size(), 1u);
  crdt::Doc doc;
  for (const Bytes& update : house.logged()) ASSERT_TRUE(doc.apply_update(update));
  EXPECT_EQ(doc.text("body").to_string(), "hello you");
}

TEST(RoomJoin, AFullRoomRefusesWithAnError) {
  RoomOptions options;
  options.members_max = 1;
  House house(options);
  auto seat = house.sit(std::make_shared<Queue>());
  Session session;
  Room room("board");
  EXPECT_THROW(join(room, house.hub), Error);
  EXPECT_FALSE(room.connected());
}

}  // namespace
}  // namespace lattice::app
