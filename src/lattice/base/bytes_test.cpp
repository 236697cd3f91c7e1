// SPDX-License-Identifier: MIT
#include "lattice/base/bytes.hpp"

#include <gtest/gtest.h>

namespace lattice {
namespace {

TEST(Bytes, VarintsOfEveryLengthRoundTrip) {
  ByteWriter writer;
  std::vector<uint64_t> values{0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX};
  for (int shift = 0; shift < 64; ++shift) values.push_back(uint64_t{1} << shift);
  for (uint64_t value : values) writer.varint(value);
  ByteReader reader(writer.bytes());
  for (uint64_t value : values) EXPECT_EQ(reader.varint(), value);
  EXPECT_TRUE(reader.ok());
  EXPECT_TRUE(reader.at_end());
}

TEST(Bytes, SignedVarintsRoundTrip) {
  ByteWriter writer;
  for (int64_t value : {int64_t{0}, int64_t{-1}, INT64_MIN, INT64_MAX}) writer.svarint(value);
  ByteReader reader(writer.bytes());
  for (int64_t value : {int64_t{0}, int64_t{-1}, INT64_MIN, INT64_MAX}) {
    EXPECT_EQ(reader.svarint(), value);
  }
}

TEST(Bytes, OverlongVarintFails) {
  std::vector<uint8_t> bytes(11, 0x80);
  ByteReader reader(bytes);
  reader.varint();
  EXPECT_FALSE(reader.ok());
}

TEST(Bytes, TruncationFailsAtEveryByte) {
  ByteWriter writer;
  writer.varint(300);
  writer.string("hello");
  writer.f64(1.5);
  for (size_t length = 0; length < writer.size(); ++length) {
    ByteReader reader(std::span(writer.bytes()).first(length));
    reader.varint();
    reader.string();
    reader.f64();
    EXPECT_FALSE(reader.ok()) << length;
  }
}

TEST(Bytes, LengthBeyondTheInputFailsWithoutReading) {
  ByteWriter writer;
  writer.varint(UINT64_MAX);
  ByteReader reader(writer.bytes());
  EXPECT_TRUE(reader.string().empty());
  EXPECT_FALSE(reader.ok());
}

TEST(Utf8, RejectsOverlongSurrogatesAndBeyondUnicode) {
  EXPECT_TRUE(is_valid_utf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
  EXPECT_FALSE(is_valid_utf8("\xc0\x80"));
  EXPECT_FALSE(is_valid_utf8("\xed\xa0\x80"));
  EXPECT_FALSE(is_valid_utf8("\xf4\x90\x80\x80"));
  EXPECT_FALSE(is_valid_utf8("\xe2\x82"));
}

}  // namespace
}  // namespace lattice
