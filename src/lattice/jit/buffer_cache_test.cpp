// SPDX-License-Identifier: MIT
#include "lattice/jit/buffer_cache.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

namespace lattice::jit {
namespace {

TEST(BufferCache, BuffersAreAlignedAndLargeEnough) {
  for (size_t bytes : {size_t{0}, size_t{1}, size_t{64}, size_t{1000}, (size_t{1} << 20) - 64,
                       size_t{1} << 20, size_t{3'000'001}, size_t{80'000'000}}) {
    void* memory = take_buffer(bytes);
    ASSERT_NE(memory, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % kBufferAlignment, 0u);
    EXPECT_GE(buffer_capacity(memory), bytes);
    EXPECT_LE(buffer_capacity(memory), bytes + bytes / 8 + 8192);
    std::memset(memory, 1, bytes);
    give_buffer(memory);
  }
  give_buffer(nullptr);
  EXPECT_EQ(take_buffer(SIZE_MAX / 2), nullptr);
}

TEST(BufferCache, ALargeBufferComesBack) {
  set_buffer_limit(size_t{64} << 20);
  void* first = take_buffer(10'000'000);
  give_buffer(first);
  uint64_t reused = buffer_statistics().reused;
  void* second = take_buffer(9'990'000);  // of about that size
  EXPECT_EQ(second, first);
  EXPECT_EQ(buffer_statistics().reused, reused + 1);
  void* third = take_buffer(9'990'000);
  EXPECT_NE(third, second);
  give_buffer(second);
  give_buffer(third);
}

TEST(BufferCache, WhatIsKeptHasALimit) {
  set_buffer_limit(size_t{32} << 20);
  std::vector<void*> all;
  for (int k = 0; k < 20; ++k) all.push_back(take_buffer(size_t{5} << 20));
  for (void* memory : all) give_buffer(memory);
  EXPECT_LE(buffer_statistics().kept, size_t{32} << 20);
  EXPECT_GE(buffer_statistics().kept, size_t{20} << 20);
  give_buffer(take_buffer(size_t{40} << 20));  // larger than the limit: not kept, evicts nothing
  EXPECT_GE(buffer_statistics().kept, size_t{20} << 20);
  give_buffer(take_buffer(size_t{20} << 20));
  EXPECT_LE(buffer_statistics().kept, size_t{32} << 20);
  set_buffer_limit(0);
  EXPECT_EQ(buffer_statistics().kept, 0u);
  give_buffer(take_buffer(size_t{5} << 20));
  EXPECT_EQ(buffer_statistics().kept, 0u);
  set_buffer_limit(size_t{256} << 20);
}

TEST(BufferCache, ThreadsAndForksShareIt) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      while (!stop) {
        size_t bytes = (size_t{1} << 20) + random() % (size_t{3} << 20);
        auto* memory = static_cast<unsigned char*>(take_buffer(bytes));
        memory[0] = static_cast<unsigned char>(t);
        memory[bytes - 1] = static_cast<unsigned char>(t);
        if (memory[0] != t || memory[bytes - 1] != t) std::abort();
        give_buffer(memory);
      }
    });
  }
  for (int round = 0; round < 20; ++round) {
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      alarm(20);
      for (int k = 0; k < 10; ++k) give_buffer(take_buffer(size_t{2} << 20));
      _exit(0);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace lattice::jit
