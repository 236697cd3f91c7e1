// SPDX-License-Identifier: MIT
#include "lattice/jit/thread_pool.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

namespace lattice::jit::internal {
namespace {

double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

TEST(ThreadPool, EachChunkRunsOnce) {
  for (int threads : {1, 2, 3, 8}) {
    for (int64_t chunks : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> seen(static_cast<size_t>(chunks));
      std::vector<int> by_participant(8);  // without locks: no two threads have one number
      ThreadPool::instance().run(chunks, threads, [&](int64_t chunk, int participant) {
        ASSERT_LT(participant, threads);
        ++seen[static_cast<size_t>(chunk)];
        ++by_participant[static_cast<size_t>(participant)];
      });
      int64_t total = 0;
      for (int count : by_participant) total += count;
      EXPECT_EQ(total, chunks);
      for (auto& count : seen) EXPECT_EQ(count, 1);
    }
  }
  EXPECT_LE(ThreadPool::instance().started(), 7);
}

TEST(ThreadPool, CallersShareTheThreads) {
  std::vector<std::thread> callers;
  std::atomic<int64_t> sum{0};
  for (int k = 0; k < 6; ++k) {
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        ThreadPool::instance().run(40, 3, [&](int64_t chunk, int) { sum += chunk; });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(sum, 6 * 50 * (39 * 40 / 2));
  EXPECT_LE(ThreadPool::instance().started(), 7);
}

TEST(ThreadPool, AnExceptionReachesTheCaller) {
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> calls{0};
    EXPECT_THROW(ThreadPool::instance().run(1000, 4,
                                            [&](int64_t chunk, int) {
                                              ++calls;
                                              if (chunk == 5) throw std::runtime_error("five");
                                            }),
                 std::runtime_error);
    EXPECT_GE(calls, 1);
  }
  int64_t sum = 0;
  ThreadPool::instance().run(1, 4, [&](int64_t, int) { ++sum; });
  EXPECT_EQ(sum, 1);
}

TEST(ThreadPool, IdleThreadsTakeNoTime) {
  ThreadPool::instance().run(100, 4, [](int64_t, int) {});
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  double before = processor_seconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_LT(processor_seconds() - before, 0.02);
}

// A child made while other threads are inside of a run has a pool of its own, and it works.
TEST(ThreadPool, AForkInTheMiddleOfARunIsSafe) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "ThreadSanitizer allows no new threads in the child of several";
#endif
  std::atomic<bool> stop{false};
  std::vector<std::thread> callers;
  for (int k = 0; k < 2; ++k) {
    callers.emplace_back([&] {
      while (!stop) {
        std::atomic<int64_t> sum{0};
        ThreadPool::instance().run(64, 3, [&](int64_t chunk, int) { sum += chunk; });
        if (sum != 63 * 64 / 2) std::abort();
      }
    });
  }
  for (int round = 0; round < 30; ++round) {
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      alarm(20);
      std::atomic<int64_t> sum{0};
      for (int k = 0; k < 10; ++k) {
        ThreadPool::instance().run(64, 3, [&](int64_t chunk, int) { sum += chunk; });
      }
      _exit(sum == 10 * (63 * 64 / 2) ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }
  stop = true;
  for (std::thread& caller : callers) caller.join();
}

TEST(ThreadCount, IsASetting) {
  int before = thread_count();
  EXPECT_GE(before, 1);
  set_thread_count(3);
  EXPECT_EQ(thread_count(), 3);
  set_thread_count(1'000'000);
  EXPECT_EQ(thread_count(), kThreadsMax);
  set_thread_count(0);
  EXPECT_EQ(thread_count(), before);
}

}  // namespace
}  // namespace lattice::jit::internal
