// SPDX-License-Identifier: MIT
#include "lattice/roomlog/memory_log.hpp"

#include <gtest/gtest.h>

namespace lattice::roomlog {
namespace {

using Bytes = std::vector<uint8_t>;

std::vector<uint64_t> numbers(const std::vector<LogEntry>& entries) {
  std::vector<uint64_t> result;
  for (const LogEntry& entry : entries) result.push_back(entry.number);
  return result;
}

TEST(MemoryLog, EntriesComeBackInOrderAfterANumber) {
  MemoryLog log;
  for (uint8_t i = 1; i <= 4; ++i) EXPECT_EQ(log.append("a", Bytes{i}).value(), i);
  EXPECT_EQ(log.append("b", Bytes{9}).value(), 1u);
  EXPECT_EQ(numbers(log.read("a", 0).value()), (std::vector<uint64_t>{1, 2, 3, 4}));
  EXPECT_EQ(numbers(log.read("a", 2).value()), (std::vector<uint64_t>{3, 4}));
  EXPECT_TRUE(log.read("a", 4).value().empty());
  EXPECT_TRUE(log.read("nobody", 0).value().empty());
}

TEST(MemoryLog, CompactingPutsOneUpdateInThePlaceOfMany) {
  MemoryLog log;
  for (uint8_t i = 1; i <= 4; ++i) (void)log.append("a", Bytes{i, i});
  ASSERT_TRUE(log.compact("a", 3, Bytes{7}));
  auto entries = log.read("a", 0).value();
  EXPECT_EQ(numbers(entries), (std::vector<uint64_t>{3, 4}));
  EXPECT_EQ(entries[0].update, Bytes{7});
  EXPECT_EQ(log.bytes(), 3u);
  EXPECT_EQ(log.append("a", Bytes{5}).value(), 5u);
  EXPECT_FALSE(log.compact("a", 9, Bytes{}));
}

TEST(MemoryLog, BeyondItsBoundAppendsFailAndRemovingMakesRoom) {
  MemoryLog log(4);
  EXPECT_TRUE(log.append("a", Bytes(3)));
  EXPECT_FALSE(log.append("a", Bytes(2)));
  EXPECT_EQ(numbers(log.read("a", 0).value()), (std::vector<uint64_t>{1}));
  EXPECT_TRUE(log.remove("a"));
  EXPECT_EQ(log.bytes(), 0u);
  EXPECT_TRUE(log.append("b", Bytes(4)));
}

}  // namespace
}  // namespace lattice::roomlog
