// SPDX-License-Identifier: MIT
#include "lattice/collab/crdt/doc.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <random>

#include "lattice/collab/crdt/relative_position.hpp"
#include "lattice/collab/crdt/snapshot.hpp"

namespace lattice::crdt {
namespace {

Doc make(uint64_t client, bool gc = true) {
  DocOptions options;
  options.client_id = client;
  options.gc = gc;
  return Doc(options);
}

std::string json(const Any& value) { return to_json(value).value_or("undefined"); }

void sync(const Doc& a, const Doc& b) {
  ASSERT_TRUE(b.apply_update(a.encode_state_as_update(b.state_vector())).ok());
  ASSERT_TRUE(a.apply_update(b.encode_state_as_update(a.state_vector())).ok());
}

// The bytes are those of npm yjs 13.6 for the same program.
TEST(Doc, TypingEmitsTheUpdateThatYjsEmits) {
  Doc doc = make(1);
  std::vector<Bytes> updates;
  doc.on_update([&](std::span<const uint8_t> update, Transaction&) {
    updates.emplace_back(update.begin(), update.end());
  });
  Text text = doc.text("t");
  text.insert(0, "a");
  text.insert(1, "b");
  text.erase(0, 1);
  ASSERT_EQ(updates.size(), 3u);
  EXPECT_EQ(updates[0], (Bytes{1, 1, 1, 0, 4, 1, 1, 't', 1, 'a', 0}));
  EXPECT_EQ(updates[1], (Bytes{1, 1, 1, 1, 0x84, 1, 0, 1, 'b', 0}));
  EXPECT_EQ(updates[2], (Bytes{0, 1, 1, 1, 0, 1}));
  EXPECT_EQ(text.to_string(), "b");
}

TEST(Doc, ConcurrentInsertsAtOnePlaceConvergeByClient) {
  Doc a = make(1), b = make(2);
  a.text("t").insert(0, "from a");
  b.text("t").insert(0, "from b");
  sync(a, b);
  EXPECT_EQ(a.text("t").to_string(), "from afrom b");
  EXPECT_EQ(b.text("t").to_string(), "from afrom b");
}

TEST(Doc, UpdatesThatComeTooEarlyWaitForTheirCause) {
  Doc a = make(1), b = make(2);
  std::vector<Bytes> updates;
  a.on_update([&](std::span<const uint8_t> update, Transaction&) {
    updates.emplace_back(update.begin(), update.end());
  });
  a.text("t").insert(0, "one");
  a.text("t").insert(3, " two");
  a.text("t").erase(0, 1);
  for (size_t i = updates.size(); i-- > 0;) ASSERT_TRUE(b.apply_update(updates[i]).ok());
  EXPECT_EQ(b.text("t").to_string(), "ne two");
  EXPECT_FALSE(b.pending_structs());
  EXPECT_FALSE(b.pending_delete_set());
  EXPECT_EQ(a.encode_state_as_update(), b.encode_state_as_update());
}

TEST(Doc, ManyRunsOfOneClientSurviveRemoteDeletions) {
  Doc a = make(1), b = make(2);
  a.on_update([&](std::span<const uint8_t> update, Transaction&) {
    ASSERT_TRUE(b.apply_update(update).ok());
  });
  Text text = a.text("t");
  text.insert(0, std::string(5000, 'x'));
  std::mt19937 random(7);
  for (int i = 0; i < 1500; ++i) {
    text.erase(random() % text.length(), 1);
    ASSERT_EQ(b.text("t").length(), text.length()) << i;
  }
  EXPECT_EQ(a.encode_state_as_update(), b.encode_state_as_update());
}

TEST(Doc, TruncatedUpdateIsRefusedAtEveryByteAndChangesNothing) {
  Doc a = make(1);
  a.text("t").insert(0, "hello");
  a.text("t").format(1, 2, {{"bold", Any(true)}});
  a.map("m").set("k", Any::object({{"x", Any(1)}}));
  Bytes update = a.encode_state_as_update();
  for (size_t size = 0; size + 1 < update.size(); ++size) {
    Doc b = make(2);
    EXPECT_FALSE(b.apply_update(std::span(update).first(size)).ok()) << size;
    EXPECT_TRUE(b.state_vector().is_empty());
  }
}

TEST(Doc, ObserversOfATypeSeeWhatChanged) {
  Doc doc = make(1);
  Text text = doc.text("t");
  text.insert(0, "hello");
  std::vector<DeltaOp> delta;
  text.observe([&](Event& event) { delta = event.delta(); });
  text.insert(5, "!");
  ASSERT_EQ(delta.size(), 2u);
  EXPECT_EQ(delta[0].count, 5u);
  EXPECT_EQ(delta[1].text, "!");
}

TEST(Doc, DeepObserversGetPathsFromTheOutside) {
  Doc doc = make(1);
  Map map = doc.map("m");
  std::vector<PathStep> path;
  size_t events = 0;
  map.observe_deep([&](std::span<Event> all) {
    events = all.size();
    path = all.back().path();
  });
  Type list = map.set("list", NewType{TypeKind::Array, ""});
  Array array(list.document(), list.index());
  array.push(Any(1));
  EXPECT_EQ(events, 1u);
  EXPECT_EQ(path, std::vector<PathStep>{std::string("list")});
  EXPECT_EQ(json(doc.to_json()), R"({"m":{"list":[1]}})");
}

TEST(Doc, AnExceptionOfAnObserverLeavesAfterTheUpdateWasEmitted) {
  Doc doc = make(1);
  size_t updates = 0;
  doc.on_update([&](std::span<const uint8_t>, Transaction&) { ++updates; });
  doc.map("m").observe([](Event&) { throw std::runtime_error("observer"); });
  EXPECT_THROW(doc.map("m").set("k", Any(1)), std::runtime_error);
  EXPECT_EQ(updates, 1u);
  EXPECT_EQ(doc.map("m").size(), 1u);
}

TEST(Doc, IndexPastTheEndThrowsAndSaysTheLength) {
  Doc doc = make(1);
  Array array = doc.array("a");
  array.push(Any(1));
  EXPECT_THROW(array.insert(2, Any(2)), Error);
  EXPECT_THROW(array.erase(0, 2), Error);
  EXPECT_THROW((void)doc.text("a"), Error);
}

TEST(Snapshot, RestoresADocumentAsItWas) {
  Doc doc = make(1, false);
  doc.text("t").insert(0, "before");
  Snapshot snapshot = take_snapshot(doc);
  doc.text("t").erase(0, 6);
  doc.text("t").insert(0, "after");
  EXPECT_EQ(restore(doc, snapshot).text("t").to_string(), "before");
  EXPECT_EQ(decode_snapshot(encode(snapshot)).value(), snapshot);
  EXPECT_EQ(decode_snapshot(encode(snapshot, Encoding::V2), Encoding::V2).value(), snapshot);
}

TEST(RelativePosition, StaysBesideItsCharacter) {
  Doc doc = make(1);
  Text text = doc.text("t");
  text.insert(0, "abc");
  RelativePosition position = make_relative_position(text, 1);
  text.insert(0, "xx");
  EXPECT_EQ(resolve(position, doc)->index, 3u);
  EXPECT_EQ(decode_relative_position(encode(position)).value().item, position.item);
}

TEST(Doc, RandomEditsConvergeInAnyOrder) {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    std::vector<Doc> docs;
    std::vector<Bytes> updates;
    for (uint64_t i = 0; i < 3; ++i) {
      docs.push_back(make(i + 1));
      docs.back().on_update([&](std::span<const uint8_t> update, Transaction& transaction) {
        if (transaction.local()) updates.emplace_back(update.begin(), update.end());
      });
    }
    for (int i = 0; i < 200; ++i) {
      Doc& doc = docs[random() % 3];
      Text text = doc.text("t");
      const uint32_t length = text.length();
      switch (random() % 4) {
        case 0:
          if (length > 0) text.erase(random() % length, 1);
          break;
        case 1:
          if (length > 3) text.format(random() % (length - 2), 2, {{"b", Any(random() % 2 == 0)}});
          break;
        case 2:
          doc.map("m").set(std::string(1, static_cast<char>('a' + random() % 3)),
                           Any(static_cast<int>(random() % 9)));
          break;
        default:
          text.insert(random() % (length + 1), random() % 2 ? "ab" : "\u6f22");
      }
      if (!updates.empty() && random() % 3 == 0) {
        const Bytes& update = updates[random() % updates.size()];
        ASSERT_TRUE(docs[random() % 3].apply_update(update).ok());
      }
    }
    for (int round = 0; round < 2; ++round) {
      for (Doc& to : docs) {
        for (Doc& from : docs) {
          ASSERT_TRUE(to.apply_update(from.encode_state_as_update(to.state_vector())).ok());
        }
      }
    }
    for (Doc& doc : docs) {
      EXPECT_EQ(doc.to_json(), docs[0].to_json()) << json(doc.to_json());
      EXPECT_EQ(doc.state_vector(), docs[0].state_vector());
      EXPECT_EQ(doc.delete_set(), docs[0].delete_set());
      EXPECT_FALSE(doc.pending_structs());
    }
  }
}

Bytes bytes_of(std::string_view hex) {
  Bytes bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

// The bytes are npm yjs's.
TEST(Doc, AnEmbeddedTypeIsFilledBeforeTheMarksBehindItAreMade) {
  const Bytes expected = bytes_of(
      "010a01000601017404626f6c6404747275658401000161840101016286010204626f6c64046e756c6cc601010102"
      "066974616c69630474727565c60104010204626f6c64046e756c6cc7010501020128000106016b017d01c6010601"
      "02066974616c6963046e756c6cc60108010204626f6c64047472756500");
  const Attributes italic{{"italic", true}};
  auto fill = [](const Type& made) { Map(made.document(), made.index()).set("k", 1); };
  Doc doc = make(1);
  doc.text("t").insert(0, "ab", {{"bold", true}});
  Type made;
  doc.transact(
      [&] { made = doc.text("t").insert_embed(1, NewType{TypeKind::Map, ""}, &italic, fill); });
  EXPECT_EQ(json(made.to_json()), R"({"k":1})");
  EXPECT_EQ(doc.encode_state_as_update(), expected);

  Doc by_delta = make(1);
  by_delta.text("t").insert(0, "ab", {{"bold", true}});
  DeltaOp keep;
  keep.count = 1;
  DeltaOp embed;
  embed.action = DeltaOp::Action::Insert;
  embed.new_type = NewType{TypeKind::Map, ""};
  embed.fill = fill;
  embed.attributes = italic;
  const DeltaOp delta[] = {keep, embed};
  by_delta.text("t").apply_delta(delta);
  EXPECT_EQ(by_delta.encode_state_as_update(), expected);
}

// A struct that came before cuts the runs where its neighbours are, as in Yjs, whose pair is then
// cut for good. The bytes are npm yjs's.
TEST(Doc, AStructThatIsKnownStillCutsTheRunBesideIt) {
  Doc doc = make(4, false);
  ASSERT_TRUE(doc.apply_update(bytes_of("010101000401017404f09f91be00")).ok());
  doc.text("t").erase(0, 2);
  ASSERT_TRUE(doc.apply_update(bytes_of("010201000401017403efbfbd810100010101010101")).ok());
  EXPECT_EQ(doc.encode_state_as_update(), bytes_of("010101000401017406efbfbdefbfbd0101010002"));
}

// Updates that arrive the wrong way round wait as bytes, which are merged by many at once: merging
// at each arrival would copy 10^9 structs here.
TEST(Doc, UpdatesInReverseOrderWait) {
  constexpr int kUpdates = 30000;
  Doc writer = make(1);
  std::vector<Bytes> updates;
  writer.on_update([&](std::span<const uint8_t> update, Transaction&) {
    updates.emplace_back(update.begin(), update.end());
  });
  const Text text = writer.text("t");
  for (int i = 0; i < kUpdates; ++i) {
    if (i % 3 == 2) {
      text.erase(i / 7 % (text.length() - 1), 1);
    } else {
      text.insert(i / 5 % (text.length() + 1), "ab");
    }
  }
  const auto begun = std::chrono::steady_clock::now();
  const Doc reader = make(2);
  for (size_t i = updates.size(); i-- > 0;) {
    if (i == 20) {
      EXPECT_TRUE(reader.pending_structs());
      EXPECT_TRUE(reader.pending_delete_set());
    }
    ASSERT_TRUE(reader.apply_update(updates[i]).ok());
  }
  EXPECT_FALSE(reader.pending_structs());
  EXPECT_FALSE(reader.pending_delete_set());
  EXPECT_EQ(reader.text("t").to_string(), text.to_string());
  EXPECT_EQ(reader.delete_set(), writer.delete_set());
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begun;
  RecordProperty("seconds", std::to_string(seconds.count()));
  std::printf("    %d updates in reverse order: %.2f s\n", kUpdates, seconds.count());
}

}  // namespace
}  // namespace lattice::crdt
