// SPDX-License-Identifier: MIT
// Several runtimes on several threads: what they post to one another arrives once and in order, a
// runtime may change threads, and ending one while others post is safe. TSan reads along.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <barrier>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "lattice/reactive.hpp"

namespace lattice {
namespace {

constexpr int kThreads = 4;
constexpr int kPosts = 1500;

template <class F>
void on_threads(int count, F&& body) {
  std::vector<std::jthread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back([&body, i] { body(i); });
}

TEST(Threads, EachRuntimeSeesAllThatTheOthersPostedToIt) {
  std::array<std::optional<Remote<Signal<int>>>, kThreads> totals;
  std::array<std::atomic<int>, kThreads> sent{};
  std::array<int, kThreads> received{}, watched{};
  std::barrier ready(kThreads), posted(kThreads);
  on_threads(kThreads, [&](int self) {
    const auto me = static_cast<size_t>(self);
    Runtime runtime;
    RuntimeEntry entry(runtime);
    Signal<int> total{0};
    auto twice = memo([=] { return total.get() * 2; });
    effect([&, twice] { watched[me] = twice.get(); });
    totals[me].emplace(total.remote());
    ready.arrive_and_wait();
    std::mt19937 random(static_cast<uint32_t>(self));
    for (int i = 0; i < kPosts; ++i) {
      const size_t other = random() % kThreads;
      totals[other]->post_update([](int value) { return value + 1; });
      sent[other].fetch_add(1, std::memory_order_relaxed);
      if (random() % 8 == 0) runtime.drain_mailbox();
    }
    posted.arrive_and_wait();
    runtime.drain_mailbox();
    received[me] = total.get();
    posted.arrive_and_wait();  // nobody's runtime ends while its remote may be in use
  });
  for (size_t i = 0; i < kThreads; ++i) {
    EXPECT_EQ(received[i], sent[i].load());
    EXPECT_EQ(watched[i], 2 * received[i]);
  }
}

TEST(Threads, PostsOfOneThreadArriveInOrder) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  std::array<int, kThreads> last{};
  std::vector<Signal<int>> latest(kThreads, Signal<int>{0});
  for (auto& signal : latest) signal = Signal<int>{0};
  for (size_t i = 0; i < kThreads; ++i) {
    effect([&, i] {
      EXPECT_GE(latest[i].get(), last[i]);
      last[i] = latest[i].get();
    });
  }
  std::vector<Remote<Signal<int>>> remotes;
  for (const auto& signal : latest) remotes.push_back(signal.remote());
  std::atomic<int> running{kThreads};
  std::jthread posters([&] {
    on_threads(kThreads, [&](int self) {
      for (int i = 1; i <= kPosts; ++i) remotes[static_cast<size_t>(self)].post(i);
      running.fetch_sub(1);
    });
  });
  while (running.load() != 0) runtime.drain_mailbox();
  posters.join();
  runtime.drain_mailbox();
  for (int value : last) EXPECT_EQ(value, kPosts);
}

TEST(Threads, AWokenOwnerSleepsUntilThereIsSomethingToDrain) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  std::mutex mutex;
  std::condition_variable woken;
  bool has_mail = false;
  runtime.mailbox().set_wake([&] {
    std::scoped_lock lock(mutex);
    has_mail = true;
    woken.notify_one();
  });
  Signal<int> total{0};
  const auto remote = total.remote();
  std::jthread posters([&] {
    on_threads(kThreads, [&](int) {
      for (int i = 0; i < kPosts; ++i) remote.post_update([](int value) { return value + 1; });
    });
  });
  while (total.peek() != kThreads * kPosts) {
    {
      std::unique_lock lock(mutex);
      woken.wait(lock, [&] { return has_mail; });
      has_mail = false;
    }
    runtime.drain_mailbox();
  }
  posters.join();
}

TEST(Threads, ARuntimeIsHandedFromThreadToThread) {
  Runtime runtime;
  std::optional<Signal<int>> count;
  int seen = 0;
  {
    RuntimeEntry entry(runtime);
    count.emplace(0);
    effect([&] { seen = count->get(); });
  }
  std::mutex turn;
  on_threads(kThreads, [&](int) {
    for (int i = 0; i < 200; ++i) {
      std::scoped_lock lock(turn);
      RuntimeEntry entry(runtime);
      count->update([](int value) { return value + 1; });
      effect([&] { static_cast<void>(count->get()); }).dispose();
    }
  });
  EXPECT_EQ(seen, kThreads * 200);
}

TEST(Threads, ARuntimeMayEndWhileOthersPostToIt) {
  for (int round = 0; round < 20; ++round) {
    auto runtime = std::make_unique<Runtime>();
    std::optional<Remote<Signal<int>>> remote;
    {
      RuntimeEntry entry(*runtime);
      remote.emplace(Signal<int>{0}.remote());
    }
    std::atomic<int> refused{0}, started{0};
    std::jthread posters([&] {
      on_threads(kThreads, [&](int) {
        started.fetch_add(1);
        while (remote->post(1)) std::this_thread::yield();
        refused.fetch_add(1);
      });
    });
    while (started.load() != kThreads) std::this_thread::yield();
    {
      RuntimeEntry entry(*runtime);
      runtime->drain_mailbox();
    }
    runtime.reset();
    posters.join();
    EXPECT_EQ(refused.load(), kThreads);
  }
}

TEST(Threads, WritingAnotherThreadsSignalIsRefused) {
  Runtime mine;
  RuntimeEntry entry(mine);
  Signal<int> signal{1};
  std::jthread([&] {
    Runtime theirs;
    RuntimeEntry other(theirs);
    EXPECT_THROW(signal.set(2), AccessError);
    EXPECT_THROW(memo([=] { return signal.get(); }).get(), AccessError);
  }).join();
  EXPECT_EQ(signal.get(), 1);
}

}  // namespace
}  // namespace lattice
