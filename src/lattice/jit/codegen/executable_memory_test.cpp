// SPDX-License-Identifier: MIT
#include "lattice/jit/codegen/executable_memory.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <vector>

namespace lattice::jit {
namespace {

// Machine code of `int f() { return value; }`.
std::vector<std::byte> returning(uint32_t value, size_t padding = 0) {
#if defined(__x86_64__)
  std::vector<std::byte> code(6 + padding, std::byte{0xCC});
  code[0] = std::byte{0xB8};
  std::memcpy(&code[1], &value, 4);
  code[5] = std::byte{0xC3};
#else
  std::vector<std::byte> code(12 + padding);
  const std::array<uint32_t, 3> words{0x52800000u | (value & 0xFFFF) << 5,
                                      0x72A00000u | (value >> 16) << 5, 0xD65F03C0u};
  std::memcpy(code.data(), words.data(), 12);
#endif
  return code;
}

uint32_t call(const CodeBlock& block) {
  return reinterpret_cast<uint32_t (*)()>(reinterpret_cast<uintptr_t>(block.entry()))();
}

TEST(ExecutableMemory, CodeRunsAndNoPageIsWritableAndExecutable) {
  const CodeBlock block = add_code(returning(4711));
  ASSERT_TRUE(block);
  EXPECT_EQ(call(block), 4711u);
  std::ifstream maps("/proc/self/maps");
  int views = 0;
  for (std::string line; std::getline(maps, line);) {
    const std::string access = line.substr(line.find(' ') + 1, 4);
    EXPECT_FALSE(access[1] == 'w' && access[2] == 'x') << line;
    views += line.find("lattice-jit") != std::string::npos;
  }
  EXPECT_GE(views, 2);
}

TEST(ExecutableMemory, RandomlyFreedBlocksAreReusedAndNeverOverlap) {
  std::mt19937 random(20261124);
  std::vector<std::pair<CodeBlock, uint32_t>> live;
  const size_t live_before = code_memory_stats().bytes_live;
  for (uint32_t i = 0; i < 4000; ++i) {
    if (live.size() > 100 || (!live.empty() && random() % 3 == 0)) {
      std::swap(live[random() % live.size()], live.back());
      ASSERT_EQ(call(live.back().first), live.back().second);
      live.pop_back();
    } else {
      live.emplace_back(add_code(returning(i, random() % 3000)), i);
      ASSERT_TRUE(live.back().first);
    }
  }
  for (const auto& [block, value] : live) ASSERT_EQ(call(block), value);
  EXPECT_LE(code_memory_stats().bytes_mapped, size_t{1} << 20);
  live.clear();
  EXPECT_EQ(code_memory_stats().bytes_live, live_before);
}

TEST(ExecutableMemory, BlocksLargerThanAChunkGetTheirOwn) {
  const CodeBlock block = add_code(returning(7, size_t{6} << 20));
  ASSERT_TRUE(block);
  EXPECT_EQ(call(block), 7u);
}

// Runs `body` in a child; its result is the child's exit code.
template <class Body>
int in_child(Body body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

TEST(ExecutableMemory, AfterForkTheChildKeepsItsCodeAndCutsNewBlocksFromChunksOfItsOwn) {
  const CodeBlock block = add_code(returning(11));
  const size_t chunks = code_memory_stats().chunks;
  EXPECT_EQ(in_child([&] {
              if (call(block) != 11) return 1;
              const CodeBlock own = add_code(returning(12));
              if (!own || call(own) != 12 || call(block) != 11) return 2;
              return code_memory_stats().chunks == chunks + 1 ? 0 : 3;
            }),
            0);
  EXPECT_EQ(call(block), 11u);
}

TEST(ExecutableMemory, TheParentDoesNotOverwriteWhatAChildMayStillRun) {
  auto block = std::make_unique<CodeBlock>(add_code(returning(21)));
  std::array<int, 2> pipe_ends{};
  ASSERT_EQ(pipe(pipe_ends.data()), 0);
  const pid_t child = fork();
  if (child == 0) {
    char go = 0;
    const bool told = read(pipe_ends[0], &go, 1) == 1;
    _exit(told && call(*block) == 21 ? 0 : 1);
  }
  block.reset();
  std::vector<CodeBlock> others;
  for (int i = 0; i < 50; ++i) others.push_back(add_code(returning(99)));
  ASSERT_EQ(write(pipe_ends[1], "g", 1), 1);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

}  // namespace
}  // namespace lattice::jit
