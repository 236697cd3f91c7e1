// SPDX-License-Identifier: MIT
// Values that Yjs wrote are in update_golden_test.cpp; here is what only code can show.
#include "lattice/collab/crdt/any.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

namespace lattice::crdt {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes encoded(const Any& value) {
  Encoder encoder;
  write_any(encoder, value);
  return encoder.to_vector();
}

TEST(Any, ObjectsOrderTheirKeysAsJavaScriptDoes) {
  const Any object = Any::object({{"b", 1}, {"10", 2}, {"2", 3}, {"02", 4}, {"b", 5}});
  EXPECT_EQ(to_json(object), R"({"2":3,"10":2,"b":5,"02":4})");
  EXPECT_EQ(*object.find("b"), Any(5));
  EXPECT_EQ(object.find("c"), nullptr);
}

TEST(Any, ObjectsAreEqualWhateverTheirOrder) {
  Any::Object forth;
  Any::Object back;
  for (int i = 0; i < 40; ++i) forth.emplace_back("k" + std::to_string(i), i);
  for (int i = 39; i >= 0; --i) back.emplace_back("k" + std::to_string(i), i);
  EXPECT_EQ(Any::object(forth), Any::object(back));
  back[3].second = "other";
  EXPECT_FALSE(Any::object(forth) == Any::object(back));
  EXPECT_FALSE(Any(1) == Any("1"));
  EXPECT_FALSE(Any::undefined() == Any::null());
  EXPECT_EQ(Any(std::nan("")), Any(std::nan("")));
}

TEST(Any, NumbersTakeTheShortestFormThatHoldsThem) {
  EXPECT_EQ(encoded(-0.0), (Bytes{125, 0x40}));
  EXPECT_EQ(encoded(2147483647.0).size(), 6U);
  EXPECT_EQ(encoded(2147483648.0)[0], 124);
  EXPECT_EQ(encoded(std::numeric_limits<double>::infinity())[0], 124);
  EXPECT_EQ(encoded(std::nan(""))[0], 123);
  EXPECT_EQ(encoded(0.1)[0], 123);
}

TEST(Any, NumberTextIsThatOfJavaScript) {
  EXPECT_EQ(number_text(1e21), "1e+21");
  EXPECT_EQ(number_text(123456789012345680000.0), "123456789012345680000");
  EXPECT_EQ(number_text(1e-6), "0.000001");
  EXPECT_EQ(number_text(1.5e-7), "1.5e-7");
  EXPECT_EQ(number_text(-0.0), "0");
  EXPECT_EQ(number_text(100.25), "100.25");
  EXPECT_EQ(number_text(5e-324), "5e-324");
}

TEST(Any, JsonLeavesOutWhatItCannotSay) {
  EXPECT_EQ(to_json(Any::undefined()), std::nullopt);
  EXPECT_EQ(to_json(Any::bigint(1)), std::nullopt);
  EXPECT_EQ(to_json(Any::array({Any::undefined(), std::nan("")})), "[null,null]");
  EXPECT_EQ(to_json(Any::object({{"a", Any::undefined()}, {"b", Any::bytes({7})}})),
            R"({"b":{"0":7}})");
  EXPECT_EQ(to_json("\xED\xA0\xBD\x01\"\\"), R"("\ud83d\u0001\"\\")");
}

TEST(Any, JsonIsReadAsJavaScriptReadsIt) {
  const Any value =
      parse_json(R"( {"a":[1.50,-0,true,null,"\ud83d\ude00\/"],"a2":1e400} )").value();
  EXPECT_EQ(value.find("a")->as_array()[4].as_string(), "😀/");
  EXPECT_TRUE(std::signbit(value.find("a")->as_array()[1].as_number()));
  EXPECT_TRUE(std::isinf(value.find("a2")->as_number()));
  for (const char* bad : {"", "01", "1.", "+1", ".5", "[1,]", "{\"a\"}", "\"\x01\"", "'a'", "nul",
                          "1 2", "\"\\x\"", "\"\\u12\"", "\xFF", "[", "\"abc"}) {
    EXPECT_FALSE(parse_json(bad).ok()) << bad;
  }
}

TEST(Any, EmptyStringsListsAndBytesHaveNoBlockAndReadAsEmpty) {
  alignas(Any) unsigned char room[sizeof(Any)];
  std::memset(room, 0xAB, sizeof room);
  Any* const text = ::new (room) Any(std::string_view());
  EXPECT_EQ(text->as_string(), "");
  text->~Any();
  EXPECT_TRUE(Any::array({}).as_array().empty());
  EXPECT_TRUE(Any::object({}).as_object().empty());
  EXPECT_TRUE(Any::bytes({}).as_bytes().empty());
  EXPECT_EQ(Any(std::string("")), Any(""));
}

TEST(Any, DeepNestingIsRefusedByEveryReader) {
  const auto nested = [](size_t depth) {
    Bytes bytes;
    for (size_t i = 0; i < depth; ++i) {
      bytes.push_back(117);
      bytes.push_back(1);
    }
    bytes.push_back(126);
    return bytes;
  };
  for (const bool fits : {true, false}) {
    const Bytes bytes = nested(kAnyDepthMax + (fits ? 0 : 1));
    Decoder reader(bytes);
    Decoder skipper(bytes);
    read_any(reader);
    skip_any(skipper);
    EXPECT_EQ(reader.ok(), fits);
    EXPECT_EQ(skipper.ok(), fits);
  }
  EXPECT_FALSE(parse_json(std::string(100000, '[')).ok());
  EXPECT_FALSE(is_valid_json(std::string(100000, '[')));
}

TEST(Any, CountsAreNotTrusted) {
  for (const uint8_t tag : {116, 117, 118, 119}) {
    Encoder encoder;
    encoder.u8(tag);
    encoder.var_uint(kSafeIntegerMax);
    encoder.u8(0);
    Decoder reader(encoder.bytes());
    Decoder skipper(encoder.bytes());
    read_any(reader);
    skip_any(skipper);
    EXPECT_FALSE(reader.ok());
    EXPECT_FALSE(skipper.ok());
  }
}

}  // namespace
}  // namespace lattice::crdt
