// SPDX-License-Identifier: MIT
#include "lattice/reactive/runtime.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "lattice/reactive.hpp"

namespace lattice {
namespace {

TEST(Runtime, EntriesNestAndRestore) {
  Runtime outer, inner;
  RuntimeEntry first(outer);
  {
    RuntimeEntry second(inner);
    RuntimeEntry again(inner);
    EXPECT_EQ(&Runtime::current(), &inner);
  }
  EXPECT_EQ(&Runtime::current(), &outer);
}

TEST(Runtime, ThreadWithoutOneHasNone) {
  std::thread([] {
    EXPECT_EQ(Runtime::current_or_null(), nullptr);
    Signal<int> x{1};
    EXPECT_NE(Runtime::current_or_null(), nullptr);
    EXPECT_EQ(x.get(), 1);
  }).join();
}

TEST(Runtime, SignalOfAnotherRuntimeIsRefused) {
  Runtime mine, other;
  std::unique_ptr<Signal<int>> foreign;
  {
    RuntimeEntry entry(other);
    foreign = std::make_unique<Signal<int>>(1);
  }
  RuntimeEntry entry(mine);
  EXPECT_THROW(foreign->set(2), AccessError);
  auto reader = memo([&] { return foreign->get(); });
  EXPECT_THROW(reader.get(), AccessError);
}

TEST(Runtime, SecondThreadInsideIsRefusedUntilTheFirstLeaves) {
  Runtime runtime;
  {
    RuntimeEntry entry(runtime);
    std::thread([&] { EXPECT_THROW(RuntimeEntry second{runtime}, AccessError); }).join();
  }
  std::thread([&] { EXPECT_NO_THROW(RuntimeEntry entry{runtime}); }).join();
}

TEST(Runtime, IsHandedFromThreadToThread) {
  Runtime runtime;
  std::unique_ptr<Signal<int>> x;
  int seen = 0;
  {
    RuntimeEntry entry(runtime);
    x = std::make_unique<Signal<int>>(0);
    effect([&] { seen = x->get(); });
  }
  for (int i = 1; i <= 8; ++i) {
    std::thread([&] {
      RuntimeEntry entry(runtime);
      x->set(i);
    }).join();
    EXPECT_EQ(seen, i);
  }
}

TEST(Mailbox, MessagesRunInOneBatchInOrder) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  Signal<int> x{0};
  std::vector<int> seen;
  effect([&] { seen.push_back(x.get()); });
  for (int i = 1; i <= 3; ++i) runtime.mailbox().post([=] { x.set(x.peek() * 10 + i); });
  runtime.drain_mailbox();
  EXPECT_EQ(seen, (std::vector<int>{0, 123}));
}

TEST(Mailbox, WakesOncePerBurst) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  int wakes = 0;
  runtime.mailbox().set_wake([&] { ++wakes; });
  for (int i = 0; i < 5; ++i) runtime.mailbox().post([] {});
  EXPECT_EQ(wakes, 1);
  runtime.drain_mailbox();
  runtime.mailbox().post([] {});
  EXPECT_EQ(wakes, 2);
}

TEST(Mailbox, MessageThatThrowsIsReportedAndTheRestRuns) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  int errors = 0, ran = 0;
  runtime.set_error_handler([&](std::exception_ptr, const char*) { ++errors; });
  runtime.mailbox().post([] { throw std::runtime_error("no"); });
  runtime.mailbox().post([&] { ++ran; });
  runtime.drain_mailbox();
  EXPECT_EQ(errors, 1);
  EXPECT_EQ(ran, 1);
}

TEST(Remote, WritesFromOtherThreadsAllArrive) {
  constexpr int kThreads = 4, kPosts = 2000;
  Runtime runtime;
  RuntimeEntry entry(runtime);
  Signal<int> x{0};
  std::atomic<int> done{0};
  auto remote = x.remote();
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, remote] {
      for (int k = 0; k < kPosts; ++k) remote.post_update([](int value) { return value + 1; });
      ++done;
    });
  }
  while (done < kThreads) runtime.drain_mailbox();
  for (auto& thread : threads) thread.join();
  runtime.drain_mailbox();
  EXPECT_EQ(x.get(), kThreads * kPosts);
}

TEST(Remote, PostToAnEndedRuntimeIsDropped) {
  auto runtime = std::make_unique<Runtime>();
  std::unique_ptr<Remote<Signal<int>>> remote;
  {
    RuntimeEntry entry(*runtime);
    remote = std::make_unique<Remote<Signal<int>>>(Signal<int>{0}.remote());
  }
  runtime.reset();
  EXPECT_FALSE(remote->post(1));
}

TEST(Runtime, ManyOnManyThreadsExchangeMessages) {
  constexpr size_t kRuntimes = 4;
  constexpr int kMessages = 500;
  std::vector<std::unique_ptr<Runtime>> runtimes;
  for (size_t i = 0; i < kRuntimes; ++i) runtimes.push_back(std::make_unique<Runtime>());
  std::atomic<int> finished{0};
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kRuntimes; ++i) {
    threads.emplace_back([&, i] {
      RuntimeEntry entry(*runtimes[i]);
      Signal<int> count{0};
      auto twice = memo([=] { return count.get() * 2; });
      int seen = 0;
      effect([&] { seen = twice.get(); });
      auto next = [&] { count.update([](int value) { return value + 1; }); };
      for (int k = 0; k < kMessages; ++k) {
        runtimes[(i + 1) % kRuntimes]->mailbox().post([] {
          Scope scope;
          Signal<int> local{1};
          effect([=] { local.get(); });
          local.set(2);
        });
        next();
        runtimes[i]->drain_mailbox();
      }
      EXPECT_EQ(seen, kMessages * 2);
      ++finished;
      while (finished < static_cast<int>(kRuntimes)) std::this_thread::yield();
      runtimes[i]->drain_mailbox();
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST(RuntimeLoan, AnotherThreadReadsForTheMemoThatIsBeingComputed) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  Signal<int> count{1};
  int runs = 0;
  auto elsewhere = memo([&] {
    ++runs;
    int value = 0;
    RuntimeLoan loan(runtime);
    EXPECT_NE(Runtime::current_or_null(), &runtime);
    std::thread([&] {
      RuntimeEntry borrowed(loan.runtime());
      value = count.get();
    }).join();
    return value;
  });
  EXPECT_EQ(elsewhere.get(), 1);
  EXPECT_EQ(Runtime::current_or_null(), &runtime);
  count.set(2);
  EXPECT_EQ(elsewhere.get(), 2);
  EXPECT_EQ(runs, 2);
}

TEST(RuntimeLoan, KeepsTheDepthOfNestedEntries) {
  Runtime runtime;
  {
    RuntimeEntry outer(runtime);
    RuntimeEntry inner(runtime);
    RuntimeLoan loan(runtime);
    std::thread([&] {
      RuntimeEntry borrowed(runtime);
      RuntimeEntry again(runtime);
    }).join();
  }
  std::thread([&] { RuntimeEntry free_again(runtime); }).join();
}

TEST(RuntimeLoan, OnlyOfARuntimeThatThisThreadHasEntered) {
  Runtime runtime;
  EXPECT_THROW(RuntimeLoan{runtime}, AccessError);
  RuntimeEntry entry(runtime);
  std::thread([&] { EXPECT_THROW(RuntimeLoan{runtime}, AccessError); }).join();
}

TEST(DeferredFlush, EffectsWaitForTheFlushThatIsRequestedOnce) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  int requests = 0, runs = 0, seen = 0;
  Signal<int> count{0};
  auto twice = memo([=] { return count.get() * 2; });
  runtime.set_flush_request([&] { ++requests; });
  auto log = effect([&] { ++runs, seen = twice.get(); });
  EXPECT_EQ(runs, 1);  // a first run does not wait
  count.set(1);
  count.set(2);
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(requests, 1);
  EXPECT_EQ(twice.get(), 4);  // reads never wait
  runtime.flush();
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(seen, 4);
  count.set(3);
  count.set(2);
  EXPECT_EQ(requests, 2);
  runtime.flush();
  EXPECT_EQ(runs, 2);  // written and written back
}

TEST(DeferredFlush, WhatEffectsWriteBelongsToTheSameFlush) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  int requests = 0, seen = 0;
  Signal<int> first{0}, second{0};
  runtime.set_flush_request([&] { ++requests; });
  auto copy = effect([=] { second.set(first.get()); });
  auto log = effect([&] { seen = second.get(); });
  first.set(5);
  runtime.flush();
  EXPECT_EQ(seen, 5);
  EXPECT_EQ(requests, 1);
}

TEST(DeferredFlush, AFlushInsideABatchOrARunDoesNothing) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  int runs = 0;
  Signal<int> count{0};
  runtime.set_flush_request([] {});
  auto log = effect([&] { count.get(), ++runs; });
  batch([&] {
    count.set(1);
    runtime.flush();
    EXPECT_EQ(runs, 1);
  });
  EXPECT_EQ(runs, 1);
  auto reads = memo([&] {
    runtime.flush();
    return runs;
  });
  EXPECT_EQ(reads.get(), 1);
  runtime.flush();
  EXPECT_EQ(runs, 2);
}

TEST(DeferredFlush, EndingItRunsWhatWaits) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  int runs = 0, requests = 0;
  Signal<int> count{0};
  auto log = effect([&] { count.get(), ++runs; });
  runtime.set_flush_request([&] { ++requests; });
  count.set(1);
  runtime.set_flush_request(nullptr);
  EXPECT_EQ(runs, 2);
  count.set(2);
  EXPECT_EQ(runs, 3);
  EXPECT_EQ(requests, 1);
}

TEST(DeferredFlush, AfterEffectsThatTriggerEachOtherTheNextWriteIsRequestedAgain) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  int requests = 0;
  bool is_endless = true;
  Signal<int> a{0}, b{0};
  runtime.set_flush_request([&] { ++requests; });
  auto forth = effect([&] {
    const int value = a.get();
    if (is_endless) b.set(value + 1);
  });
  auto back = effect([&] {
    const int value = b.get();
    if (is_endless) a.set(value + 1);
  });
  a.set(100);
  EXPECT_THROW(runtime.flush(), CycleError);
  is_endless = false;
  const int before = requests;
  a.set(-1);
  EXPECT_EQ(requests, before + 1);
  runtime.flush();
}

}  // namespace
}  // namespace lattice
