// SPDX-License-Identifier: MIT
#include "lattice/app/handler_pool.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "lattice/net/testing/loopback_client.hpp"

namespace lattice::app {
namespace {

using net::testing::eventually;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

Clock::time_point soon() { return Clock::now() + net::testing::kPatience; }

class HandlerPoolTest : public ::testing::Test {
 protected:
  void make(HandlerPoolOptions options = {}) {
    options.log = [this](LogLevel, std::string_view message) {
      std::lock_guard lock(mutex);
      logged.emplace_back(message);
    };
    pool = HandlerPool::create(std::move(options));
  }
  void TearDown() override {
    if (pool) pool->stop(soon());
  }
  std::mutex mutex;
  std::vector<std::string> logged;
  std::shared_ptr<HandlerPool> pool;
};

TEST_F(HandlerPoolTest, StrandRunsItsSegmentsInOrderAndOneAtATime) {
  make();
  auto strand = Strand::create(pool, "s");
  std::vector<int> order;  // unguarded: the strand serialises, and TSan would tell
  for (int i = 0; i < 1000; ++i) strand->post([&order, i] { order.push_back(i); });
  ASSERT_TRUE(pool->wait_idle(soon()));
  ASSERT_EQ(order.size(), 1000u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST_F(HandlerPoolTest, BlockedStrandsDoNotStallAnother) {
  make({.threads_max = 9, .log = {}});
  std::promise<void> gate;
  auto opened = gate.get_future().share();
  std::vector<std::shared_ptr<Strand>> strands;
  for (int i = 0; i < 8; ++i) {
    strands.push_back(Strand::create(pool, "blocked"));
    strands.back()->post([opened] { opened.wait(); });
  }
  auto free = Strand::create(pool, "free");
  std::promise<void> ran;
  free->post([&] { ran.set_value(); });
  EXPECT_EQ(ran.get_future().wait_for(net::testing::kPatience), std::future_status::ready);
  gate.set_value();
}

TEST_F(HandlerPoolTest, ThreadsGrowToTheMaximumAndIdleOnesEnd) {
  make({.threads_max = 3, .idle_timeout = milliseconds(20), .log = {}});
  EXPECT_EQ(pool->thread_count(), 0u);
  std::promise<void> gate;
  auto opened = gate.get_future().share();
  std::atomic<int> running{0};
  for (int i = 0; i < 10; ++i) {
    pool->post([&running, opened] {
      ++running;
      opened.wait();
    });
  }
  EXPECT_TRUE(eventually([&] { return running == 3; }));
  EXPECT_EQ(pool->thread_count(), 3u);
  gate.set_value();
  EXPECT_TRUE(eventually([&] { return running == 10; }));
  EXPECT_TRUE(eventually([&] { return pool->thread_count() == 0; }));
  std::promise<void> again;
  pool->post([&] { again.set_value(); });
  EXPECT_EQ(again.get_future().wait_for(net::testing::kPatience), std::future_status::ready);
}

TEST_F(HandlerPoolTest, ExceptionEndsOnlyItsSegmentAndIsLogged) {
  make();
  auto strand = Strand::create(pool, "s-1");
  bool has_run = false;
  strand->post([] { throw std::runtime_error("oops"); });
  strand->post([] { throw 5; });
  strand->post([&] { has_run = true; });
  ASSERT_TRUE(pool->wait_idle(soon()));
  EXPECT_TRUE(has_run);
  ASSERT_EQ(logged.size(), 2u);
  EXPECT_EQ(logged[0], "segment of s-1 failed: oops");
}

TEST_F(HandlerPoolTest, AroundWrapsEverySegmentAndTheDestructionOfWhatItHolds) {
  make();
  static thread_local bool is_inside;
  std::atomic<int> around{0};
  std::atomic<int> dead_inside{0};
  auto strand = Strand::create(pool, "s", [&](const std::function<void()>& segment) {
    ++around;
    is_inside = true;
    segment();
    is_inside = false;
  });
  for (int i = 0; i < 5; ++i) {
    std::shared_ptr<int> held(new int(i), [&](const int* value) {
      if (is_inside) ++dead_inside;
      delete value;
    });
    strand->post([held = std::move(held)] {});
  }
  ASSERT_TRUE(pool->wait_idle(soon()));
  EXPECT_EQ(around, 5);
  EXPECT_EQ(dead_inside, 5);
}

TEST_F(HandlerPoolTest, BusyStrandGivesItsThreadBack) {
  make({.threads_max = 1, .log = {}});
  auto busy = Strand::create(pool, "busy");
  auto other = Strand::create(pool, "other");
  std::atomic<bool> done{false};
  std::atomic<int> turns{0};
  std::function<void()> again = [&] {
    ++turns;
    if (!done) busy->post(again);
  };
  busy->post(again);
  other->post([&] { done = true; });
  EXPECT_TRUE(eventually([&] { return done.load(); }));
  ASSERT_TRUE(pool->wait_idle(soon()));
}

TEST_F(HandlerPoolTest, SlowSegmentIsReportedOnceWithItsToken) {
  make();
  auto strand = Strand::create(pool, "slow");
  std::promise<void> gate;
  std::atomic<bool> has_begun{false};
  strand->post([&] {
    set_segment_token(42);
    has_begun = true;
    gate.get_future().wait();
  });
  ASSERT_TRUE(eventually([&] { return has_begun.load(); }));
  std::vector<SlowSegment> reports;
  auto report = [&](const SlowSegment& segment) { reports.push_back(segment); };
  pool->report_slow_segments(std::chrono::hours(1), report);
  EXPECT_TRUE(reports.empty());
  pool->report_slow_segments(milliseconds(0), report);
  pool->report_slow_segments(milliseconds(0), report);
  gate.set_value();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].session_id, "slow");
  EXPECT_EQ(reports[0].token, 42u);
  EXPECT_GT(reports[0].thread_id, 0);
}

TEST_F(HandlerPoolTest, StopLeavesBlockedThreadsBehindAndSaysHowMany) {
  make();
  // Shared: the segment outlives this test's stop().
  auto gate = std::make_shared<std::promise<void>>();
  auto after = std::make_shared<std::promise<void>>();
  auto finished = after->get_future();
  auto strand = Strand::create(pool, "stuck");
  std::atomic<bool> has_begun{false};
  strand->post([&has_begun, opened = gate->get_future().share()] {
    has_begun = true;
    opened.wait();
  });
  strand->post([after] { after->set_value(); });
  ASSERT_TRUE(eventually([&] { return has_begun.load(); }));
  EXPECT_FALSE(pool->wait_idle(Clock::now()));
  EXPECT_EQ(pool->stop(Clock::now()), 1u);
  EXPECT_FALSE(pool->post([] {}));
  // What was queued on the strand runs once the thread comes back.
  gate->set_value();
  EXPECT_EQ(finished.wait_for(net::testing::kPatience), std::future_status::ready);
  EXPECT_TRUE(eventually([&] { return pool->thread_count() == 0; }));
}

}  // namespace
}  // namespace lattice::app
