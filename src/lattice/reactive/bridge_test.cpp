// SPDX-License-Identifier: MIT
// Reading what belongs to another runtime. TSan reads along.
#include "lattice/reactive/bridge.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <barrier>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "lattice/reactive.hpp"

namespace lattice {
namespace {

// Two runtimes of one thread: what arrives when is up to the test.
struct Pair {
  Runtime there, here;

  template <class F>
  auto in_there(F&& body) {
    RuntimeEntry entry(there);
    return body();
  }
  template <class F>
  auto in_here(F&& body) {
    RuntimeEntry entry(here);
    return body();
  }
  void exchange_mail() {
    in_there([&] { there.drain_mailbox(); });
    in_here([&] { here.drain_mailbox(); });
  }
  size_t nodes_there() { return there.graph().arena().nodes_live(); }
};

TEST(Bridge, ShowsTheInitialValueThenWhatTheSourceHasAndFollowsIt) {
  Pair pair;
  auto source = pair.in_there([] { return Signal<int>{1}; });
  std::vector<int> seen;
  auto mirror = pair.in_here([&] {
    auto made = bridge(source, -1);
    auto twice = memo([=] { return 2 * made.get(); });
    effect([&, twice] { seen.push_back(twice.get()); });
    return made;
  });
  pair.exchange_mail();
  pair.in_there([&] { source.set(2); });
  pair.in_there([&] { source.set(3); });
  EXPECT_EQ(pair.in_here([&] { return mirror.peek(); }), 1);
  pair.exchange_mail();
  EXPECT_EQ(seen, (std::vector<int>{-2, 2, 6}));
  EXPECT_TRUE(pair.in_here([&] { return mirror.has_arrived(); }));
}

TEST(Bridge, WhatOneFlushHasChangedArrivesInOneBatch) {
  Pair pair;
  auto [left, right] = pair.in_there([] { return std::pair(Signal<int>{0}, Signal<int>{0}); });
  std::vector<std::pair<int, int>> seen;
  pair.in_here([&, left = left, right = right] {
    auto a = bridge(left);
    auto b = bridge(right);
    effect([&, a, b] { seen.emplace_back(a.get(), b.get()); });
  });
  pair.exchange_mail();
  int messages = 0;
  pair.here.mailbox().set_wake([&] { ++messages; });
  for (int i = 1; i < 4; ++i) {
    pair.in_there([&, left = left, right = right] {
      batch([&] {
        left.set(i);
        right.set(i);
      });
    });
    pair.exchange_mail();
  }
  EXPECT_EQ(seen, (std::vector<std::pair<int, int>>{{0, 0}, {0, 0}, {1, 1}, {2, 2}, {3, 3}}));
  EXPECT_EQ(messages, 3);
}

TEST(Bridge, OfAMemoComputesOverThereAndPassesErrorsOn) {
  Pair pair;
  auto source = pair.in_there([] { return Signal<int>{1}; });
  auto root = pair.in_there([&] {
    return memo([=] {
      if (source.get() < 0) throw Error("negative");
      return source.get() * source.get();
    });
  });
  auto mirror = pair.in_here([&] { return bridge(root); });
  pair.exchange_mail();
  EXPECT_EQ(pair.in_here([&] { return mirror.get(); }), 1);
  pair.in_there([&] { source.set(-1); });
  pair.exchange_mail();
  EXPECT_THROW(pair.in_here([&] { return mirror.get(); }), Error);
  pair.in_there([&] { source.set(3); });
  pair.exchange_mail();
  EXPECT_EQ(pair.in_here([&] { return mirror.get(); }), 9);
}

TEST(Bridge, ItsEndTakesTheEffectOnTheOtherSideWithIt) {
  Pair pair;
  auto source = pair.in_there([] { return Signal<int>{1}; });
  pair.in_here([&] { bridge(source).dispose(); });
  pair.exchange_mail();
  const size_t before = pair.nodes_there();
  {
    std::optional<Owner> owner;
    pair.in_here([&] {
      owner = Owner::create();
      owner->run([&] { bridge(source); });
    });
    pair.exchange_mail();
    EXPECT_GT(pair.nodes_there(), before);
    pair.in_here([&] { owner->dispose(); });
    pair.exchange_mail();
  }
  EXPECT_EQ(pair.nodes_there(), before);
  pair.in_there([&] { source.set(2); });
  EXPECT_TRUE(pair.here.mailbox().empty());
}

TEST(Bridge, KeepsTheLastValueWhenTheSourceOrItsRuntimeHasEnded) {
  auto there = std::make_unique<Runtime>();
  Runtime here;
  std::optional<Signal<int>> source, ended;
  {
    RuntimeEntry entry(*there);
    source.emplace(7);
    ended.emplace(8);
    ended->dispose();
  }
  RuntimeEntry entry(here);
  auto mirror = bridge(*source);
  auto never = bridge(*ended, -1);
  {
    RuntimeEntry inside(*there);
    there->drain_mailbox();
  }
  here.drain_mailbox();
  there.reset();
  EXPECT_EQ(mirror.get(), 7);
  EXPECT_EQ(never.get(), -1);
  EXPECT_FALSE(never.has_arrived());
  mirror.dispose();
  EXPECT_FALSE(mirror.alive());
}

// Each thread owns a signal, reads those of all others through bridges, sleeps until it is woken,
// and stops when it has seen the last value of each.
TEST(Bridge, RuntimesOnSeveralThreadsSeeOneAnothersLastValues) {
  constexpr size_t kThreads = 4;
  constexpr int kWrites = 300;
  std::array<std::optional<Signal<int>>, kThreads> first, second;
  std::atomic<size_t> torn{0}, backwards{0};
  std::barrier ready(kThreads), over(kThreads);
  std::atomic<size_t> finished{0};
  std::array<std::atomic<Runtime*>, kThreads> runtimes{};
  auto work = [&](size_t self) {
    Runtime runtime;
    RuntimeEntry entry(runtime);
    // Runtimes that end tell those that live, which may have stopped listening.
    struct Bell {
      std::mutex mutex;
      std::condition_variable woken;
      bool has_mail = false;
    };
    auto bell = std::make_shared<Bell>();
    auto wake = [bell] {
      std::scoped_lock lock(bell->mutex);
      bell->has_mail = true;
      bell->woken.notify_one();
    };
    runtime.mailbox().set_wake(wake);
    first[self].emplace(0);
    second[self].emplace(0);
    runtimes[self] = &runtime;
    ready.arrive_and_wait();
    std::array<int, kThreads> latest{};
    for (size_t other = 0; other < kThreads; ++other) {
      if (other == self) continue;
      auto a = bridge(*first[other]);
      auto b = bridge(*second[other]);
      // Each bridge begins on its own; from when both have, they agree.
      auto both = memo([=] { return std::pair(a.get(), b.get()); });
      effect([&, a, b, both, other] {
        const auto [x, y] = both.get();
        torn += a.has_arrived() && b.has_arrived() && x != y;
        backwards += x < latest[other];
        latest[other] = x;
      });
    }
    int written = 0;
    bool has_all = false, has_told = false;
    while (finished.load() != kThreads) {
      if (written < kWrites) {
        ++written;
        batch([&] {
          first[self]->set(written);
          second[self]->set(written);
        });
      } else {
        std::unique_lock lock(bell->mutex);
        bell->woken.wait(lock, [&] { return bell->has_mail; });
        bell->has_mail = false;
      }
      runtime.drain_mailbox();
      has_all = true;
      for (size_t other = 0; other < kThreads; ++other) {
        has_all = has_all && (other == self || latest[other] == kWrites);
      }
      if (!has_all || has_told) continue;
      has_told = true;
      finished.fetch_add(1);
      for (auto& each : runtimes) each.load()->mailbox().post([] {});
    }
    over.arrive_and_wait();  // posts to each runtime are over
  };
  {
    std::vector<std::jthread> threads;
    for (size_t self = 0; self < kThreads; ++self) threads.emplace_back(work, self);
  }
  EXPECT_EQ(torn.load(), 0u);
  EXPECT_EQ(backwards.load(), 0u);
}

TEST(Bridge, EitherRuntimeMayEndWhileTheOtherIsAtWork) {
  for (int round = 0; round < 20; ++round) {
    std::optional<Signal<int>> source;
    std::atomic<bool> is_made{false}, is_bridged{false};
    std::jthread owner([&] {
      Runtime runtime;
      RuntimeEntry entry(runtime);
      source.emplace(0);
      is_made = true;
      while (!is_bridged) std::this_thread::yield();
      for (int i = 1; i < 50 + round; ++i) {
        source->set(i);
        runtime.drain_mailbox();
      }
    });
    while (!is_made) std::this_thread::yield();
    Runtime runtime;
    RuntimeEntry entry(runtime);
    auto mirror = bridge(*source);
    int runs = 0;
    effect([&] {
      mirror.get();
      ++runs;
    });
    is_bridged = true;
    for (int i = 0; i < 60 - 3 * round; ++i) runtime.drain_mailbox();
    EXPECT_GE(runs, 1);
  }
}

}  // namespace
}  // namespace lattice
