// SPDX-License-Identifier: MIT
#include "lattice/app/app_actor.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "lattice/net/testing/loopback_client.hpp"
#include "lattice/reactive/effect.hpp"
#include "lattice/reactive/runtime.hpp"
#include "lattice/reactive/signal.hpp"

namespace lattice::app {
namespace {

using net::testing::kPatience;
using std::chrono::milliseconds;

TEST(AppActor, PostedFunctionsRunInOrderInItsOwnRuntime) {
  AppActor actor;
  std::vector<int> order;
  for (int i = 0; i < 100; ++i) {
    actor.post([&, i] {
      EXPECT_EQ(&Runtime::current(), &actor.runtime());
      EXPECT_TRUE(actor.is_current());
      order.push_back(i);
    });
  }
  EXPECT_TRUE(actor.post_and_wait([] {}, kPatience));
  ASSERT_EQ(order.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST(AppActor, SignalsLiveOnItAndEffectsRunAfterABurst) {
  AppActor actor;
  std::atomic<int> seen{-1};
  auto signal = std::make_shared<std::optional<Signal<int>>>();
  ASSERT_TRUE(actor.post_and_wait(
      [&, signal] {
        signal->emplace(1);
        effect([&seen, held = **signal] { seen = held.get(); });
      },
      kPatience));
  ASSERT_TRUE(actor.post_and_wait([signal] { (*signal)->set(5); }, kPatience));
  ASSERT_TRUE(actor.post_and_wait([] {}, kPatience));
  EXPECT_EQ(seen, 5);
}

TEST(AppActor, WaiterGetsTheExceptionOfItsFunction) {
  AppActor actor;
  EXPECT_THROW(actor.post_and_wait([] { throw std::runtime_error("oops"); }, kPatience),
               std::runtime_error);
  EXPECT_TRUE(actor.post_and_wait([] {}, kPatience));
}

TEST(AppActor, WaiterThatGetsNoTurnInTimeIsCancelled) {
  AppActor actor;
  std::promise<void> gate;
  actor.post([&] { gate.get_future().wait(); });
  auto has_run = std::make_shared<std::atomic<bool>>(false);
  EXPECT_FALSE(actor.post_and_wait([has_run] { *has_run = true; }, milliseconds(10)));
  gate.set_value();
  EXPECT_TRUE(actor.post_and_wait([] {}, kPatience));
  EXPECT_FALSE(*has_run);
}

TEST(AppActor, WaitingOnItselfRunsAtOnce) {
  AppActor actor;
  bool has_run = false;
  EXPECT_TRUE(actor.post_and_wait(
      [&] { EXPECT_TRUE(actor.post_and_wait([&] { has_run = true; }, kPatience)); }, kPatience));
  EXPECT_TRUE(has_run);
}

TEST(AppActor, AroundWrapsEveryBurstAndTheEndOfTheRuntime) {
  static thread_local bool is_inside;
  std::atomic<bool> died_inside{false};
  AppActor actor([](const std::function<void()>& segment) {
    is_inside = true;
    segment();
    is_inside = false;
  });
  bool ran_inside = false;
  actor.post_and_wait([&] { ran_inside = is_inside; }, kPatience);
  actor.post_and_wait(
      [&] {
        std::shared_ptr<int> held(new int(1), [&](const int* value) {
          died_inside = is_inside;
          delete value;
        });
        effect([held] {});
      },
      kPatience);
  actor.stop();
  EXPECT_TRUE(ran_inside);
  EXPECT_TRUE(died_inside);
}

TEST(AppActor, StopRunsWhatWasPostedAndRefusesLaterPosts) {
  AppActor actor;
  std::atomic<int> runs{0};
  for (int i = 0; i < 50; ++i) actor.post([&] { ++runs; });
  actor.stop();
  EXPECT_EQ(runs, 50);
  EXPECT_FALSE(actor.post([&] { ++runs; }));
  EXPECT_FALSE(actor.post_and_wait([] {}, kPatience));
  actor.stop();
}

TEST(AppActor, ManyThreadsMayPostWhileItStops) {
  AppActor actor;
  std::vector<std::thread> posters;
  std::atomic<int> started{0};
  for (int i = 0; i < 4; ++i) {
    posters.emplace_back([&] {
      ++started;
      while (actor.post_and_wait([] {}, milliseconds(5'000))) {
      }
    });
  }
  ASSERT_TRUE(net::testing::eventually([&] { return started == 4; }));
  actor.stop();
  for (std::thread& poster : posters) poster.join();
}

}  // namespace
}  // namespace lattice::app
