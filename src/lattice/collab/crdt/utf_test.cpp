// SPDX-License-Identifier: MIT
#include "lattice/collab/crdt/utf.hpp"

#include <gtest/gtest.h>

namespace lattice::crdt {
namespace {

constexpr std::string_view kMixed = "aé中😀b";      // 1 + 1 + 1 + 2 + 1 units
constexpr std::string_view kHigh = "\xED\xA0\xBD";  // D83D
constexpr std::string_view kLow = "\xED\xB8\x80";   // DE00
constexpr std::string_view kReplaced = kReplacementCharacter;

TEST(Utf, LengthsCountUtf16Units) {
  EXPECT_EQ(utf16_length(kMixed), 6U);
  EXPECT_EQ(checked_utf16_length(kMixed), 6);
  EXPECT_EQ(utf16_length(std::string(kHigh) + "x"), 2U);
  std::string text;
  std::u16string wide;
  for (int i = 0; i < 40; ++i) {
    text += i % 3 == 0 ? "😀" : i % 3 == 1 ? "é" : "xyz";
    wide = utf16_of(text);
    EXPECT_EQ(utf16_length(text), wide.size());
    EXPECT_EQ(checked_utf16_length(text), static_cast<int64_t>(wide.size()));
    EXPECT_EQ(utf8_of(wide), text);
  }
}

TEST(Utf, BytesFromOutsideMustBeWellFormed) {
  for (const std::string_view bad :
       {std::string_view("\xFF"), std::string_view("abcdefgh\xC3"), kHigh,
        std::string_view("\xC0\x80"), std::string_view("\x80")}) {
    EXPECT_EQ(checked_utf16_length(bad), -1);
  }
}

TEST(Utf, AnOffsetFindsItsByteAndSaysWhenItCutsAPair) {
  const size_t expected[] = {0, 1, 3, 6, 6, 10, 11};
  for (uint32_t units = 0; units <= 6; ++units) {
    const TextOffset offset = utf8_offset(kMixed, units);
    EXPECT_EQ(offset.bytes, expected[units]);
    EXPECT_EQ(offset.cuts_pair, units == 4);
  }
}

TEST(Utf, ASplitThroughAPairReplacesBothHalves) {
  const SplitText parts = split_text(kMixed, 4);
  EXPECT_EQ(parts.left, "aé中" + std::string(kReplaced));
  EXPECT_EQ(parts.right, std::string(kReplaced) + "b");
  std::string scratch;
  EXPECT_EQ(split_text_right(kMixed, 4, scratch), parts.right);
  EXPECT_EQ(split_text(kMixed, 3).right, "😀b");
}

// As Yjs: the unit after an unpaired high half is replaced, whatever it is.
TEST(Utf, ASplitAfterAnUnpairedHighHalfReplacesWhatFollows) {
  const SplitText parts = split_text(std::string(kHigh) + "ab", 1);
  EXPECT_EQ(parts.left, kReplaced);
  EXPECT_EQ(parts.right, std::string(kReplaced) + "b");
  EXPECT_EQ(split_text(std::string(kHigh) + "😀", 1).right,
            std::string(kReplaced) + std::string(kLow));
}

TEST(Utf, ASliceKeepsTheSecondHalf) {
  std::string scratch;
  EXPECT_EQ(text_from("😀b", 1, scratch), std::string(kLow) + "b");
  EXPECT_EQ(text_from("😀b", 2, scratch), "b");
}

TEST(Utf, HalvesJoinWhenTheyMeetAndNeverLeave) {
  std::string text = "x";
  append_text(text, kHigh);
  EXPECT_TRUE(has_lone_surrogate(text));
  append_text(text, std::string(kLow) + "y");
  EXPECT_EQ(text, "x😀y");
  EXPECT_FALSE(has_lone_surrogate(text));
  Encoder encoder;
  write_text(encoder, std::string(kLow) + "한" + std::string(kHigh));
  Decoder decoder(encoder.bytes());
  EXPECT_EQ(decoder.var_string(), std::string(kReplaced) + "한" + std::string(kReplaced));
}

}  // namespace
}  // namespace lattice::crdt
