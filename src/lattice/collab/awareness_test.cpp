// SPDX-License-Identifier: MIT
#include "lattice/collab/awareness.hpp"

#include <gtest/gtest.h>

#include <random>

#include "lattice/base/bytes.hpp"

namespace lattice::collab {
namespace {

using std::chrono::milliseconds;
using Clients = std::vector<uint64_t>;
const Awareness::TimePoint kStart{};

std::vector<uint8_t> one(uint64_t client, uint64_t clock, std::string_view json) {
  ByteWriter writer;
  writer.varint(1);
  writer.varint(client);
  writer.varint(clock);
  writer.string(json);
  return writer.take();
}

TEST(Awareness, TheFirstStateHasClockZeroAndEachFurtherOneCountsUp) {
  Awareness ada(1);
  EXPECT_EQ(ada.set_local_state("{}", kStart).added, Clients{1});
  EXPECT_EQ(ada.clients().at(1).clock, 0u);
  EXPECT_EQ(ada.set_local_state(R"({"name":"Ada"})", kStart).updated, Clients{1});
  EXPECT_EQ(ada.clients().at(1).clock, 1u);
  EXPECT_EQ(ada.set_local_state(std::nullopt, kStart).removed, Clients{1});
  EXPECT_EQ(ada.clients().at(1).clock, 2u);
  EXPECT_EQ(ada.present_count(), 0u);
}

TEST(Awareness, AStateTravelsWithItsClock) {
  Awareness ada(1), ben(2);
  ada.set_local_state(R"({"name":"Ada"})", kStart);
  auto applied = ben.apply(ada.encode_present(), kStart);
  ASSERT_TRUE(applied);
  EXPECT_EQ(applied.value().change.added, Clients{1});
  EXPECT_EQ(*ben.state(1), R"({"name":"Ada"})");
  // The same once more is no news.
  auto again = ben.apply(ada.encode_present(), kStart);
  EXPECT_TRUE(again.value().change.empty());
}

TEST(Awareness, AnOlderClockChangesNothing) {
  Awareness ben(2);
  ASSERT_TRUE(ben.apply(one(1, 5, "1"), kStart));
  auto old = ben.apply(one(1, 4, "2"), kStart);
  EXPECT_TRUE(old.value().change.empty());
  EXPECT_EQ(*ben.state(1), "1");
}

TEST(Awareness, GoneIsTakenWithAnEqualClockAStateIsNot) {
  Awareness ben(2);
  ASSERT_TRUE(ben.apply(one(1, 5, "1"), kStart));
  EXPECT_TRUE(ben.apply(one(1, 5, "2"), kStart).value().change.empty());
  EXPECT_EQ(ben.apply(one(1, 5, "null"), kStart).value().change.removed, Clients{1});
  EXPECT_EQ(ben.state(1), nullptr);
  // And stays gone for what it said before.
  EXPECT_TRUE(ben.apply(one(1, 5, "1"), kStart).value().change.empty());
  EXPECT_EQ(ben.apply(one(1, 6, "1"), kStart).value().change.added, Clients{1});
}

TEST(Awareness, NobodyElseSaysThatThisClientIsGone) {
  Awareness ada(1);
  ada.set_local_state("{}", kStart);
  auto applied = ada.apply(one(1, 7, "null"), kStart);
  EXPECT_TRUE(applied.value().change.empty());
  EXPECT_TRUE(applied.value().reannounce);
  EXPECT_EQ(ada.clients().at(1).clock, 8u);
  EXPECT_NE(ada.state(1), nullptr);
}

TEST(Awareness, WhoIsSilentTooLongIsGoneAndTheOwnStateIsRenewedAtHalfOfThat) {
  Awareness ada(1);
  ada.set_local_state("{}", kStart);
  ASSERT_TRUE(ada.apply(one(2, 0, "{}"), kStart));
  EXPECT_FALSE(ada.tick(kStart + milliseconds(14'999)).renewed);
  auto half = ada.tick(kStart + milliseconds(15'000));
  EXPECT_TRUE(half.renewed);
  EXPECT_TRUE(half.change.empty());
  EXPECT_EQ(ada.clients().at(1).clock, 1u);
  EXPECT_EQ(ada.tick(kStart + milliseconds(30'000)).change.removed, Clients{2});
  EXPECT_EQ(ada.present_count(), 1u);
}

TEST(Awareness, ARemovedClientIsToldAsNullWithItsClock) {
  Awareness server(std::nullopt), ben(2);
  ASSERT_TRUE(server.apply(one(1, 3, "{}"), kStart));
  ASSERT_TRUE(ben.apply(one(1, 3, "{}"), kStart));
  auto change = server.remove(Clients{1}, kStart);
  EXPECT_EQ(change.removed, Clients{1});
  EXPECT_EQ(server.encode(change.clients()), one(1, 3, "null"));
  EXPECT_EQ(ben.apply(server.encode(change.clients()), kStart).value().change.removed, Clients{1});
}

TEST(Awareness, AMalformedUpdateIsRefusedAsAWhole) {
  Awareness ben(2);
  ByteWriter two;
  two.varint(2);
  two.varint(1), two.varint(0), two.string("{}");
  two.varint(3), two.varint(0), two.string("{");
  EXPECT_FALSE(ben.apply(two.bytes(), kStart));
  EXPECT_TRUE(ben.clients().empty());
  EXPECT_FALSE(ben.apply(std::vector<uint8_t>{0xff, 0xff, 0x03}, kStart));
  EXPECT_FALSE(ben.apply(one(uint64_t{1} << 53, 0, "{}"), kStart));
  EXPECT_FALSE(ben.apply({}, kStart));
}

TEST(Awareness, EveryTruncationIsRefused) {
  Awareness ada(1);
  ada.set_local_state(R"({"name":"Ada","cursor":[1,2]})", kStart);
  const std::vector<uint8_t> whole = ada.encode_present();
  for (size_t size = 0; size < whole.size(); ++size) {
    Awareness ben(2);
    EXPECT_FALSE(ben.apply(std::span(whole).first(size), kStart)) << size;
  }
}

TEST(Awareness, TooManyClientsAndTooLargeStatesAreRefused) {
  AwarenessOptions options;
  options.clients_max = 3;
  options.state_bytes_max = 10;
  Awareness ben(2, options);
  for (uint64_t client = 10; client < 13; ++client) {
    EXPECT_TRUE(ben.apply(one(client, 0, "1"), kStart));
  }
  EXPECT_FALSE(ben.apply(one(13, 0, "1"), kStart));
  // Those who are gone make room.
  EXPECT_TRUE(ben.apply(one(10, 1, "null"), kStart));
  EXPECT_TRUE(ben.apply(one(13, 0, "1"), kStart));
  EXPECT_FALSE(ben.apply(one(11, 1, "\"123456789\""), kStart));
}

TEST(Awareness, RandomBytesNeitherCrashNorHang) {
  std::mt19937_64 random(20261124);
  Awareness ben(2);
  for (int i = 0; i < 20'000; ++i) {
    std::vector<uint8_t> bytes(random() % 40);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    (void)ben.apply(bytes, kStart).ok();
  }
}

TEST(IsJson, TakesWhatTheStandardTakes) {
  for (const char* text : {"null", "0", "-0.5e+10", "\"\\u00e9\\n\"", "[]", "{}",
                           " [1, {\"a\": []}] ", "{\"a\":{\"b\":[true,false,null]},\"c\":1}"}) {
    EXPECT_TRUE(is_json(text, 8)) << text;
  }
  for (const char* text : {"", "nul", "01", "1.", "+1", "\"", "\"\n\"", "[1,]", "[,1]", "{\"a\"}",
                           "{a:1}", "{\"a\":1,}", "[1]]", "[", "\"\\x\"", "1 2", "[1}", "NaN"}) {
    EXPECT_FALSE(is_json(text, 8)) << text;
  }
}

TEST(IsJson, DepthIsBounded) {
  EXPECT_TRUE(is_json("[[[]]]", 2));
  EXPECT_FALSE(is_json("[[[[]]]]", 2));
  EXPECT_FALSE(is_json(std::string(1'000'000, '['), 32));
}

}  // namespace
}  // namespace lattice::collab
