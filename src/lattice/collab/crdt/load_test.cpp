// SPDX-License-Identifier: MIT
// Loading an update into an empty document goes a way of its own; it must not show.
#include <gtest/gtest.h>

#include <random>

#include "lattice/collab/crdt/doc.hpp"
#include "lattice/collab/crdt/internal/document.hpp"
#include "lattice/collab/crdt/update.hpp"

namespace lattice::crdt {
namespace {

Doc make(uint64_t client, bool gc = true) {
  DocOptions options;
  options.client_id = client;
  options.gc = gc;
  return Doc(options);
}

std::string json(const Any& value) { return to_json(value).value_or("undefined"); }

// Three peers that edit everything, exchange updates now and then, and meet at the end.
std::vector<Doc> random_history(uint32_t seed, bool gc, int steps) {
  std::mt19937 random(seed);
  std::vector<Doc> docs;
  for (uint64_t i = 0; i < 3; ++i) docs.push_back(make(seed % 2 == 0 ? i + 1 : 7 - i, gc));
  for (int i = 0; i < steps; ++i) {
    const Doc& doc = docs[random() % docs.size()];
    const Text text = doc.text("t");
    const Array array = doc.array("a");
    const Map map = doc.map("m");
    const std::string key(1, static_cast<char>('a' + random() % 3));
    const auto number = static_cast<int>(random() % 9);
    const uint32_t length = text.length();
    switch (random() % 11) {
      case 0:
      case 1:
        if (length > 1) text.erase(random() % (length - 1), 2);
        break;
      case 2:
        if (length > 3) text.format(random() % (length - 2), 2, {{"b", Any(random() % 2 == 0)}});
        break;
      case 3:
        map.set(key, Any(number));
        break;
      case 4: {
        const Type inner = map.set(key, NewType{TypeKind::Array, ""});
        Array(inner.document(), inner.index()).push(Any(number));
        break;
      }
      case 5:
        map.erase(key);
        break;
      case 6:
        array.insert(random() % (array.length() + 1), Any(number));
        break;
      case 7: {
        const Type inner = array.insert(random() % (array.length() + 1), {TypeKind::Map, ""});
        Map(inner.document(), inner.index()).set(key, Any("v"));
        break;
      }
      case 8:
        if (array.length() > 0) array.erase(random() % array.length());
        break;
      default:
        text.insert(random() % (length + 1), random() % 3 ? "ab" : "x\U0001F600\u6f22");
    }
    if (random() % 4 == 0) {
      const Doc& from = docs[random() % docs.size()];
      EXPECT_TRUE(doc.apply_update(from.encode_state_as_update(doc.state_vector())).ok());
    }
  }
  for (int round = 0; round < 2; ++round) {
    for (const Doc& to : docs) {
      for (const Doc& from : docs) {
        EXPECT_TRUE(to.apply_update(from.encode_state_as_update(to.state_vector())).ok());
      }
    }
  }
  return docs;
}

// What a document says of an update: all that a user could see of it.
struct Seen {
  std::string text;
  std::vector<Bytes> updates;
  Bytes v1, v2;
  bool operator==(const Seen&) const = default;
};

std::string describe(std::span<const DeltaOp> delta) {
  std::string out;
  for (const DeltaOp& op : delta) {
    out += std::to_string(static_cast<int>(op.action)) + ":" + std::to_string(op.count) + op.text;
    for (const Value& value : op.values) out += "," + json(value.to_json());
    for (const auto& [key, value] : op.attributes) out += ";" + key + json(value);
  }
  return out + "\n";
}

Seen apply(const Doc& doc, ByteView update, Encoding encoding, bool short_way) {
  const auto shared = std::make_shared<Seen>();  // the callbacks outlive this
  doc.on_update([shared](std::span<const uint8_t> bytes, Transaction&) {
    shared->updates.emplace_back(bytes.begin(), bytes.end());
  });
  // Whoever looks before the structs are in makes every load go the long way.
  if (!short_way) doc.on(DocEvent::BeforeTransaction, [](Transaction&) {});
  const auto observe = [shared](const Type& type) {
    type.observe_deep([shared](std::span<Event> events) {
      std::string& text = shared->text;
      for (Event& event : events) {
        text += describe(event.delta());
        for (const auto& [key, change] : event.keys()) {
          text += key + std::to_string(static_cast<int>(change.action));
        }
        text += std::to_string(event.path().size());
      }
    });
  };
  observe(doc.text("t"));
  observe(doc.map("m"));
  Seen& seen = *shared;
  const Result<void> applied = doc.apply_update(update, encoding, Origin{int64_t{5}});
  seen.text += applied.ok() ? "ok" : applied.error();
  seen.text += json(doc.to_json()) + describe(doc.text("t").to_delta());
  for (const ClientId client : doc.clients()) seen.text += std::to_string(client) + " ";
  seen.v1 = doc.encode_state_as_update();
  seen.v2 = doc.encode_state_as_update({}, Encoding::V2);
  seen.text += std::to_string(doc.pending_structs().has_value());
  return seen;
}

bool goes_the_short_way(ByteView update, Encoding encoding) {
  const Doc doc = make(99);
  Origin origin;
  const auto loaded = doc.text("t").document()->load(update, encoding, origin);
  return loaded.ok() && loaded.value() == internal::Document::Loaded::Yes;
}

TEST(Load, AStateGivesTheDocumentThatIntegratingItGives) {
  int shortly = 0;
  for (uint32_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    const Doc source = random_history(seed, seed % 3 != 0, 40 + static_cast<int>(seed) * 4)[0];
    for (const Encoding encoding : {Encoding::V1, Encoding::V2}) {
      const Bytes state = source.encode_state_as_update({}, encoding);
      const Doc one = make(50);
      const Doc other = make(50);
      ASSERT_EQ(apply(one, state, encoding, true), apply(other, state, encoding, false));
      shortly += goes_the_short_way(state, encoding);
      // And they go on alike.
      for (const Doc& doc : {one, other}) {
        const Text text = doc.text("t");
        for (uint32_t i = 0; i < 8; ++i) {
          text.insert(text.length() * i / 8, "new");
          if (text.length() > 8) text.erase(text.length() * i / 9, 1);
          doc.array("a").insert(doc.array("a").length() / 2, Any(1));
          doc.map("m").set("a", Any(static_cast<int>(i)));
        }
      }
      ASSERT_EQ(one.encode_state_as_update(), other.encode_state_as_update());
    }
  }
  EXPECT_GT(shortly, 100);  // of 120: what is in question is how often the short way is taken
}

TEST(Load, DamagedBytesGiveTheDocumentThatIntegratingThemGives) {
  std::mt19937 random(11);
  for (uint32_t seed = 1; seed <= 12; ++seed) {
    const Doc source = random_history(seed, seed % 3 != 0, 60)[0];
    for (const Encoding encoding : {Encoding::V1, Encoding::V2}) {
      const Bytes state = source.encode_state_as_update({}, encoding);
      for (int i = 0; i < 150; ++i) {
        SCOPED_TRACE(std::to_string(seed) + "/" + std::to_string(i));
        Bytes damaged = state;
        for (uint32_t k = 0; k <= random() % 3; ++k) {
          damaged[random() % damaged.size()] =
              static_cast<uint8_t>(random() % 3 ? random() % 16 : random());
        }
        const Doc one = make(50);
        const Doc other = make(50);
        ASSERT_EQ(apply(one, damaged, encoding, true), apply(other, damaged, encoding, false));
      }
    }
  }
}

TEST(Load, AMergeOfUpdatesIsMergedIntoRuns) {
  const Doc source = make(1);
  std::vector<Bytes> updates;
  source.on_update([&](std::span<const uint8_t> update, Transaction&) {
    updates.emplace_back(update.begin(), update.end());
  });
  for (int i = 0; i < 20; ++i) source.text("t").insert(source.text("t").length(), "word ");
  source.text("t").erase(3, 40);
  const std::vector<ByteView> views(updates.begin(), updates.end());
  const Bytes merged = merge_updates(views).value();
  const Doc loaded = make(2);
  ASSERT_TRUE(loaded.apply_update(merged).ok());
  EXPECT_EQ(loaded.encode_state_as_update(), source.encode_state_as_update());
  EXPECT_TRUE(goes_the_short_way(merged, Encoding::V1));
}

TEST(Load, InsideATransactionItIsAPartOfIt) {
  const Doc source = random_history(4, true, 100)[0];
  const Doc doc = make(9);
  size_t updates = 0;
  doc.on_update([&](std::span<const uint8_t>, Transaction&) { ++updates; });
  doc.transact([&] {
    ASSERT_TRUE(doc.apply_update(source.encode_state_as_update()).ok());
    doc.text("t").insert(0, "more");
  });
  EXPECT_EQ(updates, 1u);
  source.text("t").insert(0, "more");
  EXPECT_EQ(doc.text("t").to_string(), source.text("t").to_string());
}

}  // namespace
}  // namespace lattice::crdt
