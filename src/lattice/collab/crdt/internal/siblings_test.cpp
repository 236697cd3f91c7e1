// SPDX-License-Identifier: MIT
#include "lattice/collab/crdt/internal/siblings.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "lattice/collab/crdt/doc.hpp"
#include "lattice/collab/crdt/internal/document.hpp"

namespace lattice::crdt {
namespace {

Doc make(ClientId client) {
  DocOptions options;
  options.client_id = client;
  return Doc(options);
}

// Documents whose scans make lists at once find the places that plain scans find: three kinds of
// lists, many clients, concurrent edits that are delivered in random order.
TEST(Siblings, PlacesAreThoseOfAPlainScan) {
  for (uint32_t seed = 0; seed < 60; ++seed) {
    std::mt19937 random(seed);
    const uint32_t clients = 3 + seed % 14;
    std::vector<Doc> peers;
    std::vector<Bytes> updates;
    for (uint32_t i = 0; i < clients; ++i) {
      peers.push_back(make(1 + (i * 7919) % 101));
      peers.back().on_update([&](std::span<const uint8_t> update, Transaction& transaction) {
        if (transaction.local()) updates.emplace_back(update.begin(), update.end());
      });
    }
    for (uint32_t step = 0; step < 160; ++step) {
      const Doc& peer = peers[random() % clients];
      const Text text = peer.text("t");
      const uint32_t roll = random() % 10;
      // Mostly at few places, so that siblings meet.
      const uint32_t at = std::min(text.length(), static_cast<uint32_t>(random() % 3));
      if (roll < 5) {
        text.insert(at, random() % 2 == 0 ? "a" : "bc");
      } else if (roll == 5 && text.length() > at) {
        text.erase(at, 1);
      } else if (roll == 6) {
        peer.map("m").set("k", static_cast<int>(step));
      } else if (roll == 7 && text.length() > at) {
        text.format(at, 1, {{"b", random() % 2 == 0}});
      } else if (!updates.empty()) {
        for (uint32_t i = random() % 4; i > 0; --i) {
          ASSERT_TRUE(peer.apply_update(updates[random() % updates.size()]).ok());
        }
      }
    }
    std::vector<size_t> order(updates.size());
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random);
    const Doc plain = make(1000);
    plain.document()->siblings.scan_max = UINT32_MAX;
    const Doc listed = make(1000);
    listed.document()->siblings.scan_max = 0;
    listed.document()->siblings.cost_min = 0;
    for (const size_t i : order) {
      ASSERT_TRUE(plain.apply_update(updates[i]).ok());
      ASSERT_TRUE(listed.apply_update(updates[i]).ok());
      ASSERT_EQ(to_json(plain.to_json()), to_json(listed.to_json())) << "seed " << seed;
    }
    EXPECT_EQ(plain.encode_state_as_update(), listed.encode_state_as_update()) << "seed " << seed;
    EXPECT_FALSE(listed.pending_structs());
  }
}

// Each client inserts at one spot, and its update arrives in some order: steps, not seconds.
TEST(Siblings, ManyClientsAtOneSpotTakeFewSteps) {
  constexpr uint32_t kClients = 3000;
  for (const char* base : {"", "base"}) {
    for (const std::string kind : {"text", "map"}) {
      const Doc first = make(20001);
      first.text("t").insert(0, base);
      std::vector<Bytes> updates;
      for (uint32_t i = 0; i < kClients; ++i) {
        const Doc peer = make(10000 + i);
        ASSERT_TRUE(peer.apply_update(first.encode_state_as_update()).ok());
        const StateVector before = peer.state_vector();
        if (kind == "text") {
          peer.text("t").insert(0, "xy");
        } else {
          peer.map("m").set("k", static_cast<int>(i));
        }
        updates.push_back(peer.encode_state_as_update(before));
      }
      std::vector<uint32_t> ascending(kClients);
      std::iota(ascending.begin(), ascending.end(), 0);
      std::vector<uint32_t> descending(ascending.rbegin(), ascending.rend());
      std::vector<uint32_t> shuffled = ascending;
      std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(7));
      std::vector<Any> seen;
      for (const auto* order : {&ascending, &descending, &shuffled}) {
        const Doc doc = make(1);
        ASSERT_TRUE(doc.apply_update(first.encode_state_as_update()).ok());
        for (const uint32_t i : *order) ASSERT_TRUE(doc.apply_update(updates[i]).ok());
        EXPECT_LT(doc.document()->scan_steps, 20 * kClients) << base << kind;
        seen.push_back(doc.to_json());
        EXPECT_EQ(seen[0], seen.back());
      }
    }
  }
}

}  // namespace
}  // namespace lattice::crdt
