// SPDX-License-Identifier: MIT
#include "lattice/collab/crdt/lib0.hpp"

#include <gtest/gtest.h>

#include <array>

#include "lattice/collab/crdt/columns.hpp"

namespace lattice::crdt {
namespace {

using Bytes = std::vector<uint8_t>;

TEST(Lib0, VarUintsOfEveryLengthComeBack) {
  for (int bits = 0; bits <= 53; ++bits) {
    for (const int64_t step : {-1, 0, 1}) {
      const uint64_t value = (uint64_t{1} << bits) + static_cast<uint64_t>(step);
      if (value > kSafeIntegerMax) continue;
      Encoder encoder;
      encoder.var_uint(value);
      encoder.u8(0xEE);
      Decoder decoder(encoder.bytes());
      EXPECT_EQ(decoder.var_uint(), value);
      EXPECT_EQ(decoder.u8(), 0xEE);
      // The last one of the bytes as well, where no more than its own can be looked at.
      Decoder alone(encoder.bytes().first(encoder.size() - 1));
      EXPECT_EQ(alone.var_uint(), value);
      EXPECT_TRUE(alone.ok() && alone.at_end());
    }
  }
}

TEST(Lib0, NumbersBeyondSafeIntegersFail) {
  Encoder encoder;
  encoder.var_uint(kSafeIntegerMax + 1);
  Decoder decoder(encoder.bytes());
  decoder.var_uint();
  EXPECT_FALSE(decoder.ok());
  const Bytes endless(20, 0x80);
  Decoder other(endless);
  other.var_uint();
  EXPECT_FALSE(other.ok());
  Decoder signed_one(endless);
  signed_one.var_int();
  EXPECT_FALSE(signed_one.ok());
}

TEST(Lib0, MinusZeroIsAnotherVarintThanZero) {
  Encoder encoder;
  encoder.var_int(SignedVarint{0, true});
  encoder.var_int(int64_t{0});
  encoder.var_int(int64_t{-64});
  Decoder decoder(encoder.bytes());
  const SignedVarint minus_zero = decoder.var_int();
  EXPECT_TRUE(minus_zero.negative && minus_zero.magnitude == 0);
  EXPECT_FALSE(decoder.var_int().negative);
  const SignedVarint minus_64 = decoder.var_int();
  EXPECT_TRUE(minus_64.negative && minus_64.magnitude == 64);
}

TEST(Lib0, AnErrorSticksAndTellsWhereItHappened) {
  const Bytes bytes = {1, 9, 5};
  Decoder decoder(bytes);
  decoder.u8();
  EXPECT_TRUE(decoder.var_bytes().empty());
  EXPECT_FALSE(decoder.ok());
  EXPECT_EQ(decoder.offset(), 2U);
  const char* const first = decoder.error();
  EXPECT_EQ(decoder.u8(), 0);
  EXPECT_EQ(decoder.error(), first);
}

TEST(Columns, WhatIsWrittenIsReadAgain) {
  const std::vector<uint64_t> values = {0, 0, 0, 5, 5, 1, 0, kSafeIntegerMax, 7, 8, 9, 10, 3, 0, 0};
  UintOptRleWriter uints;
  IntDiffOptRleWriter diffs;  // twice a difference must be a safe integer
  RleWriter bytes;
  for (const uint64_t value : values) {
    uints.write(value);
    diffs.write(value >> 1);
    bytes.write(static_cast<uint8_t>(value));
  }
  UintOptRleReader uint_reader{uints.finish()};
  IntDiffOptRleReader diff_reader{diffs.finish()};
  RleReader byte_reader{bytes.finish()};
  for (const uint64_t value : values) {
    EXPECT_EQ(uint_reader.read(), value);
    EXPECT_EQ(diff_reader.read(), value >> 1);
    EXPECT_EQ(byte_reader.read(), static_cast<uint8_t>(value));
  }
  EXPECT_TRUE(uint_reader.bytes().ok() && uint_reader.bytes().at_end());
  EXPECT_TRUE(diff_reader.bytes().ok() && diff_reader.bytes().at_end());
  // The last run of bytes has no end.
  EXPECT_EQ(byte_reader.read(), 0);
  EXPECT_TRUE(byte_reader.bytes().ok());
}

TEST(Columns, ADifferenceThatLeavesTheSafeIntegersFails) {
  IntDiffOptRleWriter writer;
  writer.write(5);
  writer.write(2);
  Encoder column;
  column.raw(writer.finish());
  column.var_int(int64_t{-100});
  IntDiffOptRleReader reader(column.bytes());
  EXPECT_EQ(reader.read(), 5U);
  EXPECT_EQ(reader.read(), 2U);
  reader.read();
  EXPECT_FALSE(reader.bytes().ok());
}

TEST(Columns, HalvesOfAPairInTwoStringsAreJoinedOnTheWireAndCutAgain) {
  const std::string high = "\xED\xA0\xBD";  // D83D
  const std::string low = "\xED\xB8\x80";   // DE00
  StringColumnWriter writer;
  writer.write("a" + high);
  writer.write(low + "b");
  writer.write(high);
  writer.write("中");
  Encoder out;
  writer.finish(out);
  Decoder decoder(out.bytes());
  const ByteView column = decoder.var_bytes();
  Decoder text(column);
  EXPECT_EQ(text.var_string(),
            "a\xF0\x9F\x98\x80"
            "b\xEF\xBF\xBD中");
  StringColumnReader reader(column);
  EXPECT_EQ(reader.read().text, "a" + high);
  const StringColumnReader::Text second = reader.read();
  EXPECT_EQ(second.text, low + "b");
  EXPECT_EQ(second.units, 2U);
  EXPECT_EQ(reader.read().text, "\xEF\xBF\xBD");
  EXPECT_EQ(reader.read().text, "中");
  EXPECT_TRUE(reader.bytes().ok());
  reader.read();
  EXPECT_FALSE(reader.bytes().ok());
}

TEST(Columns, TextThatIsNoUtf8OrTooShortFails) {
  Encoder bad;
  bad.var_string("\xFF\xFE");
  EXPECT_FALSE(StringColumnReader(bad.bytes()).bytes().ok());
  for (const std::string_view text : {"ab", "中😀"}) {
    Encoder column;
    column.var_string(text);
    column.var_int(int64_t{4});
    StringColumnReader reader(column.bytes());
    reader.read();
    EXPECT_FALSE(reader.bytes().ok()) << text;
  }
}

}  // namespace
}  // namespace lattice::crdt
