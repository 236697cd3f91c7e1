// SPDX-License-Identifier: MIT
#include "lattice/collab/crdt/undo_manager.hpp"

#include <gtest/gtest.h>

namespace lattice::crdt {
namespace {

struct Undo : ::testing::Test {
  Undo() {
    DocOptions options;
    options.client_id = 1;
    doc = Doc(options);
  }
  UndoOptions options() {
    UndoOptions made;
    made.now_ms = [this] { return clock; };
    return made;
  }
  void from_peer(const std::function<void(const Doc&)>& edit) {
    DocOptions made;
    made.client_id = 2;
    Doc peer(made);
    ASSERT_TRUE(peer.apply_update(doc.encode_state_as_update()).ok());
    edit(peer);
    ASSERT_TRUE(doc.apply_update(peer.encode_state_as_update(doc.state_vector()), Encoding::V1,
                                 Origin(std::string("peer")))
                    .ok());
  }
  Doc doc{};
  int64_t clock = 1000;
};

TEST_F(Undo, UndoAndRedoOfTypingLeaveWhatOthersWrote) {
  Text text = doc.text("t");
  const Type scope[] = {text};
  UndoManager undo(doc, scope, options());
  text.insert(0, "mine");
  from_peer([](const Doc& peer) { peer.text("t").insert(4, " theirs"); });
  EXPECT_TRUE(undo.undo());
  EXPECT_EQ(text.to_string(), " theirs");
  EXPECT_TRUE(undo.redo());
  EXPECT_EQ(text.to_string(), "mine theirs");
  EXPECT_FALSE(undo.can_redo());
}

TEST_F(Undo, TransactionsCloserThanTheTimeoutAreOneStackItem) {
  Text text = doc.text("t");
  const Type scope[] = {text};
  UndoManager undo(doc, scope, options());
  text.insert(0, "a");
  clock += 499;
  text.insert(1, "b");
  clock += 500;
  text.insert(2, "c");
  EXPECT_EQ(undo.undo_stack().size(), 2u);
  EXPECT_TRUE(undo.undo());
  EXPECT_EQ(text.to_string(), "ab");
  EXPECT_TRUE(undo.undo());
  EXPECT_EQ(text.to_string(), "");
  EXPECT_FALSE(undo.undo());
}

TEST_F(Undo, OnlyTrackedOriginsAreUndone) {
  Map map = doc.map("m");
  const Type scope[] = {map};
  UndoManager undo(doc, scope, options());
  doc.transact([&] { map.set("k", Any(1)); }, Origin(std::string("sync")));
  EXPECT_FALSE(undo.can_undo());
  undo.add_tracked_origin(Origin(std::string("sync")));
  doc.transact([&] { map.set("k", Any(2)); }, Origin(std::string("sync")));
  EXPECT_TRUE(undo.undo());
  EXPECT_EQ(map.get("k")->any(), Any(1));
}

TEST_F(Undo, AKeyThatSomebodyElseHasSetSinceStays) {
  Map map = doc.map("m");
  map.set("k", Any(1));
  const Type scope[] = {map};
  UndoManager undo(doc, scope, options());
  map.set("k", Any(2));
  from_peer([](const Doc& peer) { peer.map("m").set("k", Any(3)); });
  undo.undo();
  EXPECT_EQ(map.get("k")->any(), Any(3));
}

TEST_F(Undo, ADeletedTypeComesBackWithWhatWasInIt) {
  Map map = doc.map("m");
  Type nested = map.set("n", NewType{TypeKind::Map, ""});
  Map(nested.document(), nested.index()).set("x", Any(1));
  UndoManager undo(doc, options());
  map.erase("n");
  EXPECT_TRUE(undo.undo());
  EXPECT_EQ(to_json(map.to_json()).value(), R"({"n":{"x":1}})");
}

// As Yjs's Map of deletions has it: in the order in which clients were first deleted from.
TEST_F(Undo, WhatWasDeletedFirstComesBackFirst) {
  for (const uint64_t client : {3, 2}) {
    DocOptions made;
    made.client_id = client;
    Doc peer(made);
    peer.array("a").insert(0, std::vector<Any>{Any(client == 3 ? "x" : "y")});
    ASSERT_TRUE(
        doc.apply_update(peer.encode_state_as_update(), Encoding::V1, Origin(std::string("peer")))
            .ok());
  }
  const Array array = doc.array("a");
  const Type scope[] = {array};
  UndoManager undo(doc, scope, options());
  doc.transact([&] {
    array.erase(0, 1);
    array.erase(0, 1);
  });
  Bytes update;
  doc.on_update([&](std::span<const uint8_t> bytes, Transaction&) {
    update.assign(bytes.begin(), bytes.end());
  });
  EXPECT_TRUE(undo.undo());
  EXPECT_EQ(to_json(array.to_json()), R"(["y","x"])");
  // What npm yjs emits.
  EXPECT_EQ(update, (Bytes{0x01, 0x02, 0x01, 0x00, 0x48, 0x02, 0x00, 0x01, 0x77, 0x01, 0x79,
                           0xc8, 0x02, 0x00, 0x03, 0x00, 0x01, 0x77, 0x01, 0x78, 0x00}));
}

}  // namespace
}  // namespace lattice::crdt
