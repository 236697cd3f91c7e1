// SPDX-License-Identifier: MIT
#include "lattice/reactive/memo.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "lattice/reactive.hpp"

namespace lattice {
namespace {

std::string what_of(const auto& body) {
  try {
    body();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "nothing thrown";
}

TEST(Memo, UnreadNeverComputes) {
  Scope scope;
  Signal<int> x{0};
  auto twice = memo([=] { return x.get() * 2; });
  x.set(1);
  x.set(2);
  EXPECT_EQ(twice.runs(), 0u);
  EXPECT_EQ(twice.get(), 4);
  EXPECT_EQ(twice.runs(), 1u);
}

TEST(Memo, IsCachedUntilASourceChanges) {
  Scope scope;
  Signal<int> x{1};
  auto twice = memo([=] { return x.get() * 2; });
  twice.get();
  twice.peek();
  EXPECT_EQ(twice.runs(), 1u);
  x.set(2);
  EXPECT_EQ(twice.get(), 4);
  EXPECT_EQ(twice.runs(), 2u);
}

TEST(Memo, EqualResultStopsPropagation) {
  Scope scope;
  Signal<int> x{1};
  auto parity = memo([=] { return x.get() % 2; });
  auto text = memo([=] { return std::to_string(parity.get()); });
  int runs = 0;
  effect([&] { text.get(), ++runs; });
  x.set(3);
  EXPECT_EQ(parity.runs(), 2u);
  EXPECT_EQ(text.runs(), 1u);
  EXPECT_EQ(runs, 1);
}

TEST(Memo, DiamondComputesEachNodeOnce) {
  Scope scope;
  Signal<int> x{1};
  auto left = memo([=] { return x.get() + 1; });
  auto right = memo([=] { return x.get() * 10; });
  auto sum = memo([=] { return left.get() + right.get(); });
  std::vector<int> seen;
  effect([&] { seen.push_back(sum.get()); });
  x.set(2);
  EXPECT_EQ(seen, (std::vector<int>{12, 23}));
  EXPECT_EQ(sum.runs(), 2u);
}

TEST(Memo, JoinUpdatesWhenOnlyTheLastOfThreeSourcesChanged) {
  Scope scope;
  Signal<int> x{1};
  auto a = memo([=] { return x.get() * 0; });
  auto b = memo([=] { return x.get() * 0; });
  auto c = memo([=] { return x.get(); });
  auto join = memo([=] { return a.get() + b.get() + c.get(); });
  int seen = 0;
  effect([&] { seen = join.get(); });
  x.set(5);
  EXPECT_EQ(seen, 5);
  EXPECT_EQ(join.runs(), 2u);
}

TEST(Memo, BranchNotTakenIsNotComputed) {
  Scope scope;
  Signal<bool> first{true};
  Signal<int> x{1};
  auto a = memo([=] { return x.get(); });
  auto b = memo([=] { return -x.get(); });
  auto pick = memo([=] { return first.get() ? a.get() : b.get(); });
  int seen = 0;
  effect([&] { seen = pick.get(); });
  EXPECT_EQ(b.runs(), 0u);
  batch([&] {
    first.set(false);
    x.set(2);
  });
  EXPECT_EQ(seen, -2);
  EXPECT_EQ(a.runs(), 1u);
  x.set(3);
  EXPECT_EQ(a.runs(), 1u);
  EXPECT_EQ(seen, -3);
}

TEST(Memo, LosesItsSourcesWithItsLastSubscriberAndStaysCorrect) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  Signal<int> x{1};
  auto twice = memo([=] { return x.get() * 2; });
  auto log = effect([=] { twice.get(); });
  EXPECT_EQ(runtime.graph().arena().links_live(), 0u);  // both links are inline
  log.dispose();
  x.set(2);
  x.set(3);
  EXPECT_EQ(twice.runs(), 1u);
  EXPECT_EQ(twice.get(), 6);
  int seen = 0;
  effect([&] { seen = twice.get(); });
  x.set(4);
  EXPECT_EQ(seen, 8);
}

TEST(Memo, WithoutSourcesNeverRunsAgain) {
  Scope scope;
  auto constant = memo([] { return 1; });
  constant.get();
  constant.get();
  EXPECT_EQ(constant.runs(), 1u);
}

TEST(Memo, ErrorIsCachedAndRethrownToEveryReader) {
  Scope scope;
  Signal<int> x{0};
  auto risky = memo([=] {
    if (x.get() == 0) throw std::runtime_error("zero");
    return 10 / x.get();
  });
  auto next = memo([=] { return risky.get() + 1; });
  EXPECT_THROW(risky.get(), std::runtime_error);
  EXPECT_THROW(risky.get(), std::runtime_error);
  EXPECT_THROW(next.get(), std::runtime_error);
  EXPECT_EQ(risky.runs(), 1u);
  x.set(5);
  EXPECT_EQ(next.get(), 3);
  x.set(0);
  EXPECT_THROW(next.get(), std::runtime_error);
}

TEST(Memo, ErrorAfterAValueReachesItsEffectAndRecovers) {
  Scope scope;
  Signal<int> x{1};
  auto risky = memo([=] {
    if (x.get() == 0) throw std::runtime_error("zero");
    return x.get();
  });
  std::vector<std::string> log;
  effect([&] { log.push_back(what_of([&] { risky.get(); })); });
  x.set(0);
  x.set(1);
  EXPECT_EQ(log, (std::vector<std::string>{"nothing thrown", "zero", "nothing thrown"}));
}

TEST(Memo, EqualityThatThrowsIsTheMemosError) {
  Scope scope;
  Signal<int> x{0};
  auto equal = [](int, int) -> bool { throw std::logic_error("cannot compare"); };
  auto same = memo([=] { return x.get(); }, MemoOptions<decltype(equal)>{equal});
  EXPECT_EQ(same.get(), 0);
  x.set(1);
  EXPECT_THROW(same.get(), std::logic_error);
}

TEST(Memo, EqualityFunctionRunsUntracked) {
  Scope scope;
  Signal<int> x{0}, tolerance{0};
  auto equal = [=](int a, int b) { return a == b + tolerance.get(); };
  auto same = memo([=] { return x.get(); }, MemoOptions<decltype(equal)>{equal});
  int runs = 0;
  effect([&] { same.get(), ++runs; });
  x.set(1);
  tolerance.set(3);
  EXPECT_EQ(same.runs(), 2u);
  EXPECT_EQ(runs, 2);
}

TEST(Memo, SelfReadNamesThePath) {
  Scope scope;
  Memo<int> self{{}};
  self = memo([&] { return self.get() + 1; }, "a");
  EXPECT_EQ(what_of([&] { self.get(); }), "cycle: a -> a");
}

TEST(Memo, CycleNamesThePathFromItsFirstMember) {
  Scope scope;
  Memo<int> b{{}};
  auto a = memo([&] { return b.get(); }, "a");
  b = memo([=] { return a.get(); }, "b");
  auto outside = memo([=] { return a.get(); }, "outside");
  EXPECT_EQ(what_of([&] { outside.get(); }), "cycle: a -> b -> a");
}

TEST(Memo, CycleFoundWhilePollingSourcesIsNamedAndRecovers) {
  Scope scope;
  Signal<bool> closed{false};
  Memo<int> a{{}};
  auto c = memo([&] { return closed.get() ? a.get() : 1; }, "c");
  auto b = memo([=] { return c.get(); }, "b");
  a = memo([=] { return b.get(); }, "a");
  EXPECT_EQ(a.get(), 1);
  closed.set(true);
  EXPECT_EQ(what_of([&] { a.get(); }), "cycle: a -> b -> c -> a");
  closed.set(false);
  EXPECT_EQ(a.get(), 1);
}

TEST(Memo, MayWriteSignalsAndEffectsRunOnceTheReadIsDone) {
  Scope scope;
  Signal<int> x{1}, copy{0};
  std::vector<int> seen;
  effect([&] { seen.push_back(copy.get()); });
  auto writer = memo([=] {
    copy.set(x.get());
    return copy.peek();
  });
  EXPECT_EQ(writer.get(), 1);
  EXPECT_EQ(seen, (std::vector<int>{0, 1}));
}

TEST(Memo, CleanupRunsBeforeTheNextRunAndAtTheEnd) {
  std::vector<std::string> log;
  {
    Scope scope;
    Signal<int> x{1};
    auto noisy = memo([&, x] {
      int value = x.get();
      on_cleanup([&log, value] { log.push_back("clean " + std::to_string(value)); });
      return value;
    });
    noisy.get();
    x.set(2);
    EXPECT_TRUE(log.empty());
    noisy.get();
    EXPECT_EQ(log, (std::vector<std::string>{"clean 1"}));
  }
  EXPECT_EQ(log.back(), "clean 2");
}

TEST(Memo, ReadingTheSameSourcesOftenMakesNoMoreLinks) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  std::vector<Signal<int>> sources;
  for (int i = 0; i < 10; ++i) sources.emplace_back(i);
  auto sum = memo([=] {
    int total = 0;
    for (int round = 0; round < 1000; ++round) {
      for (const auto& source : sources) total += source.get();
    }
    return total;
  });
  for (int i = 1; i < 5; ++i) {
    sum.get();
    sources[0].set(i);
  }
  EXPECT_LE(runtime.graph().arena().links_live(), 10u);
}

TEST(Memo, BigValuesWork) {
  Scope scope;
  Signal<int> x{2};
  auto text = memo([=] { return std::string(static_cast<size_t>(x.get()), 'a'); });
  EXPECT_EQ(text.get(), "aa");
  x.set(100);
  EXPECT_EQ(text.with([](const std::string& value) { return value.size(); }), 100u);
}

TEST(Memo, LongChainsNeedNoStackOnceTheyHaveRun) {
  Scope scope;
  constexpr int kLength = 20'000;
  Signal<int> x{0};
  std::vector<Memo<int>> chain{memo([=] { return x.get(); })};
  for (int i = 1; i < kLength; ++i) {
    chain.push_back(memo([before = chain.back()] { return before.get() + 1; }));
    chain.back().get();  // from the front, so that first runs do not nest
  }
  int seen = 0;
  auto log = effect([&] { seen = chain.back().get(); });
  x.set(5);
  EXPECT_EQ(seen, kLength + 4);
  log.dispose();
}

}  // namespace
}  // namespace lattice
