// SPDX-License-Identifier: MIT
#include "lattice/collab/room.hpp"

#include <gtest/gtest.h>

#include "lattice/collab/sync_protocol.hpp"
#include "lattice/reactive/effect.hpp"
#include "lattice/reactive/memo.hpp"
#include "lattice/reactive/runtime.hpp"

namespace lattice {
namespace {

using Bytes = std::vector<uint8_t>;
using collab::RoomArrival;

void exchange(const Room& one, const Room& other) {
  ASSERT_TRUE(other.apply_update(one.get_update()));
  ASSERT_TRUE(one.apply_update(other.get_update()));
}

struct RoomTest : testing::Test {
  Runtime runtime;
  RuntimeEntry entry{runtime};
};

TEST_F(RoomTest, SignalsFollowOthersWrites) {
  Room ada("board"), ben("board");
  auto title = ada.signal("title", "Untitled");
  auto theirs = ben.signal("title", "Untitled");
  std::vector<std::string> seen;
  auto watcher = effect([&] { seen.push_back(theirs.get()); });
  title.set("Plans");
  exchange(ada, ben);
  EXPECT_EQ(seen, (std::vector<std::string>{"Untitled", "Plans"}));
  watcher.dispose();
}

TEST_F(RoomTest, ValuesOfAnotherTypeAreDroppedAndCounted) {
  Room ada("board"), ben("board");
  auto number = ada.signal("n", 1);
  auto text = ben.signal("n", "x");
  text.set("seven");
  exchange(ada, ben);
  EXPECT_EQ(number.get(), 1);
  EXPECT_EQ(ada.dropped(), 1u);
  EXPECT_EQ(collab::SharedValue<int>::from(crdt::Any(1.5)), std::nullopt);
  EXPECT_EQ(collab::SharedValue<int>::from(crdt::Any(1e12)), std::nullopt);
  EXPECT_EQ(collab::SharedValue<uint8_t>::from(crdt::Any(200)), 200);
}

TEST_F(RoomTest, ABatchIsOneTransactionAndOneUpdate) {
  Room room("board");
  int updates = 0;
  room.doc().on_update([&](std::span<const uint8_t>, crdt::Transaction&) { ++updates; });
  int runs = 0;
  auto body = room.text("body");
  auto votes = room.counter("votes");
  auto watcher = effect([&] {
    body.get();
    votes.get();
    ++runs;
  });
  batch([&] {
    body.insert(0, "a");
    votes.increment(2);
    room.signal("title", "").set("t");
    EXPECT_EQ(body.get(), "a");
    EXPECT_EQ(votes.get(), 2);
  });
  EXPECT_EQ(updates, 1);
  EXPECT_EQ(runs, 2);
  body.insert(1, "b");
  EXPECT_EQ(updates, 2);
  EXPECT_EQ(runs, 3);
  watcher.dispose();
}

TEST_F(RoomTest, EveryIncrementCounts) {
  Room ada("board"), ben("board");
  ada.counter("n").increment();
  ben.counter("n").increment(2);
  ada.counter("n").increment();
  exchange(ada, ben);
  EXPECT_EQ(ada.counter("n").get(), 4);
  EXPECT_EQ(ben.counter("n").get(), 4);
}

TEST_F(RoomTest, AListsChangesEnterTheGraphAsDeltas) {
  Room ada("board"), ben("board");
  for (int i = 0; i < 100; ++i) ada.list("notes").push_back(i);
  exchange(ada, ben);
  int mapped = 0;
  auto doubled = map_keyed(
      ben.list("notes").items(), [](const crdt::Any& item) { return item.as_number(); },
      [&](const crdt::Any& item) {
        ++mapped;
        return item.as_number() * 2;
      });
  EXPECT_EQ(doubled.size(), 100u);
  EXPECT_EQ(mapped, 100);
  ada.list("notes").insert(50, 1000);
  ada.list("notes").erase(0);
  exchange(ada, ben);
  EXPECT_EQ(doubled.size(), 100u);
  EXPECT_EQ(mapped, 101) << "one item came, so one is mapped";
  EXPECT_EQ(doubled.at(49), 2000);
}

TEST_F(RoomTest, AReaderOfOneKeyHearsOfThatKeyAlone) {
  Room ada("board"), ben("board");
  int runs = 0;
  auto watcher = effect([&] {
    ben.map("cells").get("a");
    ++runs;
  });
  ada.map("cells").set("b", 1);
  exchange(ada, ben);
  EXPECT_EQ(runs, 1);
  ada.map("cells").set("a", 2);
  exchange(ada, ben);
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(ben.map("cells").keys().size(), 2u);
  watcher.dispose();
}

TEST_F(RoomTest, SettingATextChangesTheFewestCharacters) {
  Room ada("board"), ben("board");
  ada.text("t").set("one two three");
  exchange(ada, ben);
  ada.text("t").set("one 2 three");
  ben.text("t").set("one two three four");
  exchange(ada, ben);
  exchange(ada, ben);
  EXPECT_EQ(ada.text("t").get(), "one 2 three four");
  EXPECT_EQ(ben.text("t").get(), "one 2 three four");
}

// What a room sends, and nobody at the other end.
class Tape final : public collab::RoomLink {
 public:
  void send(Bytes message) override { sent.push_back(std::move(message)); }
  void close(uint16_t code, std::string) override { closed = code; }
  std::vector<Bytes> sent;
  uint16_t closed = 0;
};

TEST_F(RoomTest, AConnectionExchangesStateAndSendsWhatIsWritten) {
  Room room("board");
  room.text("t").insert(0, "offline");
  auto tape = std::make_shared<Tape>();
  room.state()->attach(tape);
  EXPECT_TRUE(tape->sent.empty()) << "not before it is connected";
  room.state()->inbox->push({RoomArrival::Kind::Connected, {}, {}, {}});
  runtime.drain_mailbox();
  EXPECT_TRUE(room.connected());
  ASSERT_EQ(tape->sent.size(), 1u);
  EXPECT_EQ(collab::decode_message(tape->sent[0]).value().kind, collab::MessageKind::SyncStep1);
  room.text("t").insert(7, "!");
  ASSERT_EQ(tape->sent.size(), 2u);
  EXPECT_EQ(collab::decode_message(tape->sent[1]).value().kind, collab::MessageKind::Update);
  // The server asks for what it lacks.
  int consumed = 0;
  room.state()->inbox->push({RoomArrival::Kind::Message,
                             collab::encode_sync_step1(crdt::StateVector().encode()),
                             {},
                             [&] { ++consumed; }});
  runtime.drain_mailbox();
  EXPECT_EQ(consumed, 1);
  ASSERT_EQ(tape->sent.size(), 3u);
  crdt::Doc doc;
  ASSERT_TRUE(doc.apply_update(collab::decode_message(tape->sent[2]).value().payload));
  EXPECT_EQ(doc.text("t").to_string(), "offline!");
  // What comes from the server is not sent back.
  doc.text("t").insert(0, "> ");
  room.state()->inbox->push({RoomArrival::Kind::Message,
                             collab::encode_sync_step2(doc.encode_state_as_update()),
                             {},
                             {}});
  runtime.drain_mailbox();
  EXPECT_EQ(room.text("t").get(), "> offline!");
  EXPECT_TRUE(room.synced());
  EXPECT_EQ(tape->sent.size(), 3u);
}

TEST_F(RoomTest, AServerThatSendsNonsenseIsLeft) {
  Room room("board");
  room.text("t").insert(0, "mine");
  auto tape = std::make_shared<Tape>();
  room.state()->attach(tape);
  room.state()->inbox->push({RoomArrival::Kind::Connected, {}, {}, {}});
  room.state()->inbox->push({RoomArrival::Kind::Message, Bytes{0, 2, 2, 255, 255}, {}, {}});
  runtime.drain_mailbox();
  EXPECT_EQ(tape->closed, 1003);
  EXPECT_FALSE(room.connected());
  EXPECT_NE(room.trouble(), "");
  EXPECT_EQ(room.text("t").get(), "mine");
}

TEST_F(RoomTest, TheOthersAreGoneWhenTheConnectionIs) {
  Room room("board");
  room.set_local_presence("1");
  auto tape = std::make_shared<Tape>();
  room.state()->attach(tape);
  room.state()->inbox->push({RoomArrival::Kind::Connected, {}, {}, {}});
  room.state()->inbox->push(
      {RoomArrival::Kind::Message, collab::encode_awareness(Bytes{1, 9, 0, 1, '2'}), {}, {}});
  runtime.drain_mailbox();
  EXPECT_EQ(room.presence().size(), 2u);
  room.state()->inbox->push({RoomArrival::Kind::Disconnected, {}, "cut", {}});
  runtime.drain_mailbox();
  EXPECT_EQ(room.presence().size(), 1u);
  EXPECT_EQ(room.trouble(), "cut");
}

TEST_F(RoomTest, ARoomThatIsGoneLeavesItsServer) {
  auto tape = std::make_shared<Tape>();
  {
    Room room("board");
    room.state()->attach(tape);
    room.state()->inbox->push({RoomArrival::Kind::Connected, {}, {}, {}});
  }
  runtime.drain_mailbox();
  EXPECT_EQ(tape->closed, 1000);
}

}  // namespace
}  // namespace lattice
