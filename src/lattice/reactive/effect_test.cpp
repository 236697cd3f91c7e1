// SPDX-License-Identifier: MIT
#include "lattice/reactive/effect.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "lattice/reactive.hpp"

namespace lattice {
namespace {

using Log = std::vector<std::string>;

TEST(Effect, RunsInCreationOrder) {
  Scope scope;
  Signal<int> x{0};
  Log log;
  effect([&] { x.get(), log.push_back("a"); });
  effect([&] { x.get(), log.push_back("b"); });
  log.clear();
  x.set(1);
  EXPECT_EQ(log, (Log{"a", "b"}));
}

TEST(Effect, RenderBeforeUserAndLowerPriorityFirst) {
  Scope scope;
  Signal<int> x{0};
  Log log;
  auto add = [&](std::string name, EffectOptions options) {
    effect([&, name] { x.get(), log.push_back(name); }, std::move(options));
  };
  add("user 0", {});
  add("user 5", {.priority = 5});
  add("user -1", {.priority = -1});
  add("render 1", {.phase = Phase::Render, .priority = 1});
  add("render 0", {.phase = Phase::Render});
  log.clear();
  x.set(1);
  EXPECT_EQ(log, (Log{"render 0", "render 1", "user -1", "user 0", "user 5"}));
}

TEST(Effect, HeldUserEffectsWaitTheirFirstRunToo) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  Signal<int> x{0};
  Log log;
  runtime.hold_user_effects(true);
  effect([&] { x.get(), log.push_back("user"); });
  effect([&] { x.get(), log.push_back("render"); }, {.phase = Phase::Render});
  x.set(1);
  EXPECT_EQ(log, (Log{"render", "render"}));
  runtime.hold_user_effects(false);
  EXPECT_EQ(log.back(), "user");
  EXPECT_EQ(log.size(), 3u);
}

TEST(Effect, ScheduleRunsItAtTheNextFlush) {
  Scope scope;
  int runs = 0;
  auto log = effect([&] { ++runs; });
  log.schedule();
  EXPECT_EQ(runs, 1);
  Runtime::current().flush();
  EXPECT_EQ(runs, 2);
}

TEST(Effect, CleanupsRunLastFirstBeforeTheNextRunAndAtTheEnd) {
  Log log;
  Scope scope;
  Signal<int> x{0};
  auto run = effect([&] {
    x.get();
    log.push_back("run");
    on_cleanup([&] { log.push_back("first"); });
    on_cleanup([&] { log.push_back("second"); });
  });
  x.set(1);
  EXPECT_EQ(log, (Log{"run", "second", "first", "run"}));
  log.clear();
  run.dispose();
  EXPECT_EQ(log, (Log{"second", "first"}));
}

TEST(Effect, CleanupIsUntrackedAndItsWriteDoesNotRetrigger) {
  int runs = 0;
  Scope scope;
  Signal<int> x{0}, other{0};
  effect([&] {
    ++runs;
    x.get();
    on_cleanup([&] {
      other.get();
      x.set(100);
    });
  });
  x.set(1);
  EXPECT_EQ(runs, 2);
  other.set(1);
  EXPECT_EQ(runs, 2);
}

TEST(Effect, CleanupThatThrowsGoesToTheErrorHandler) {
  int errors = 0, runs = 0;
  Runtime runtime;
  RuntimeEntry entry(runtime);
  runtime.set_error_handler([&](std::exception_ptr, const char*) { ++errors; });
  Signal<int> x{0};
  effect([&] {
    x.get();
    ++runs;
    on_cleanup([] { throw std::runtime_error("cleanup"); });
  });
  x.set(1);
  EXPECT_EQ(errors, 1);
  EXPECT_EQ(runs, 2);
}

TEST(Effect, ErrorLeavesItSubscribedAndOthersRun) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  Log errors;
  runtime.set_error_handler([&](std::exception_ptr, const char* name) { errors.push_back(name); });
  Signal<int> x{0};
  int others = 0;
  effect(
      [&] {
        if (x.get() == 1) throw std::runtime_error("one");
      },
      {.name = "fragile"});
  effect([&] { x.get(), ++others; });
  x.set(1);
  x.set(2);
  x.set(1);
  EXPECT_EQ(errors, (Log{"fragile", "fragile"}));
  EXPECT_EQ(others, 4);
}

TEST(Effect, OwnErrorHandlerComesFirst) {
  Scope scope;
  std::string seen;
  effect([] { throw std::runtime_error("mine"); }, {.on_error = [&](std::exception_ptr error) {
           try {
             std::rethrow_exception(error);
           } catch (const std::exception& caught) {
             seen = caught.what();
           }
         }});
  EXPECT_EQ(seen, "mine");
}

TEST(Effect, NestedEffectIsDisposedBeforeTheParentRunsAgain) {
  Log log;
  Scope scope;
  Signal<int> x{0};
  effect([&] {
    log.push_back("outer");
    x.get();
    effect([&] {
      log.push_back("inner");
      x.get();
      on_cleanup([&] { log.push_back("inner ends"); });
    });
  });
  log.clear();
  x.set(1);
  EXPECT_EQ(log, (Log{"inner ends", "outer", "inner"}));
}

TEST(Effect, OuterRunsFirstEvenWhenTheInnerWasQueuedFirst) {
  Scope scope;
  Signal<int> x{0}, outer_only{0};
  Log log;
  effect([&] {
    log.push_back("outer");
    effect([&] {
      log.push_back("inner");
      x.get();
    });
    effect([&] { x.get(); });
    outer_only.get();
    x.get();
  });
  log.clear();
  batch([&] {
    x.set(1);
    outer_only.set(1);
  });
  EXPECT_EQ(log, (Log{"outer", "inner"}));
}

TEST(Effect, ThreeLevelsAreDisposedTogether) {
  Scope scope;
  Signal<bool> shown{true};
  Signal<int> x{0};
  int innermost = 0;
  effect([&] {
    if (!shown.get()) return;
    effect([&] { effect([&] { x.get(), ++innermost; }); });
  });
  x.set(1);
  EXPECT_EQ(innermost, 2);
  batch([&] {
    x.set(2);
    shown.set(false);
  });
  x.set(3);
  EXPECT_EQ(innermost, 2);
}

TEST(Effect, ChildsOwnSignalDoesNotRunTheParent) {
  Scope scope;
  int outer = 0;
  std::optional<Signal<int>> own;
  effect([&] {
    ++outer;
    own.emplace(0);
    effect([&] { own->get(); });
  });
  own->set(1);
  EXPECT_EQ(outer, 1);
}

TEST(Effect, DisposesItselfWhileRunning) {
  int runs = 0, cleaned = 0;
  Runtime runtime;
  RuntimeEntry entry(runtime);
  Signal<int> x{0};
  std::optional<Effect> self;
  self = effect([&] {
    ++runs;
    on_cleanup([&] { ++cleaned; });
    if (x.get() == 1) {
      self->dispose();
      x.get();
      effect([&] { x.get(), ++runs; });
    }
  });
  x.set(1);
  EXPECT_FALSE(self->alive());
  EXPECT_EQ(cleaned, 2);
  const int before = runs;
  x.set(2);
  EXPECT_EQ(runs, before);
  self->dispose();
}

TEST(Effect, DisposedInAPendingBatchDoesNotRun) {
  Scope scope;
  Signal<int> x{0};
  int runs = 0;
  auto log = effect([&] { x.get(), ++runs; });
  batch([&] {
    x.set(1);
    log.dispose();
    log.dispose();
  });
  EXPECT_EQ(runs, 1);
}

TEST(Effect, MemoThatDisposesAnEffectDuringTheCheckSkipsItAndSiblingsRun) {
  Scope scope;
  Signal<int> x{0};
  std::optional<Effect> first;
  int first_runs = 0, second = -1;
  auto killer = memo([&] {
    if (x.get() == 1) first->dispose();
    return x.get();
  });
  first = effect([&] { killer.get(), ++first_runs; });
  effect([&] { second = killer.get(); });
  x.set(1);
  EXPECT_EQ(first_runs, 1);
  EXPECT_EQ(second, 1);
}

TEST(Effect, WritesSettleAndObserversSeeOnlySettledValues) {
  Scope scope;
  Signal<int> a{0}, b{0}, c{0};
  std::vector<int> seen;
  effect([=] {
    int value = a.get();
    b.set(value + 1);
    c.set(value + 2);
  });
  auto sum = memo([=] { return b.get() + c.get(); });
  effect([&] { seen.push_back(sum.get()); });
  seen.clear();
  a.set(10);
  EXPECT_EQ(seen, (std::vector<int>{23}));
}

TEST(Effect, WriteToASourceReadThroughAMemoDoesNotBlockLaterWrites) {
  Scope scope;
  Signal<int> x{0};
  auto same = memo([=] { return x.get(); });
  int runs = 0;
  effect([&] {
    ++runs;
    if (same.get() > 0) x.set(0);
  });
  for (int i = 1; i < 4; ++i) {
    const int before = runs;
    x.set(i);
    EXPECT_GT(runs, before);
    EXPECT_EQ(x.get(), 0);
  }
}

TEST(Effect, RunawayIsBoundedAndNamedAndTheGraphStaysUsable) {
  Scope scope;
  Signal<int> a{0}, b{0};
  Signal<bool> armed{false};
  effect(
      [=] {
        if (armed.get()) b.set(a.get() + 1);
      },
      {.name = "ping"});
  effect(
      [=] {
        if (armed.get()) a.set(b.get() + 1);
      },
      {.name = "pong"});
  std::string message;
  try {
    armed.set(true);
  } catch (const CycleError& error) {
    message = error.what();
  }
  EXPECT_TRUE(message.find("ping") != message.npos || message.find("pong") != message.npos)
      << message;
  Signal<int> x{0};
  int runs = 0;
  effect([&] { x.get(), ++runs; });
  batch([&] {
    armed.set(false);
    x.set(1);
  });
  EXPECT_EQ(runs, 2);
}

TEST(Effect, ManyQueuedEffectsAreNoRunaway) {
  Scope scope;
  Signal<int> x{0};
  int runs = 0;
  for (int i = 0; i < 50'000; ++i) effect([&] { x.get(), ++runs; });
  x.set(1);
  EXPECT_EQ(runs, 100'000);
}

TEST(Effect, CreatedInACleanupTracksItsOwnSources) {
  int late = 0;
  Scope scope;
  Signal<int> x{0}, y{0};
  auto first = effect([&] {
    x.get();
    on_cleanup([&] { effect([&] { y.get(), ++late; }); });
  });
  first.dispose();
  y.set(1);
  EXPECT_EQ(late, 2);
}

TEST(Effect, WhatItWritesToItsOwnSourceIsWhatTheNextWriteIsComparedWith) {
  Scope scope;
  Signal<int> level{5};
  std::vector<int> seen;
  [[maybe_unused]] auto clamp = effect([&, level] {
    seen.push_back(level.get());
    level.set(std::min(level.get(), 10));
  });
  level.set(20);
  level.set(30);
  level.set(3);
  EXPECT_EQ(seen, (std::vector<int>{5, 20, 30, 3}));
  level.set(20);  // clamped to 10
  level.set(20);  // another value than the 10 that is there
  EXPECT_EQ(seen, (std::vector<int>{5, 20, 30, 3, 20, 20}));
  EXPECT_EQ(level.peek(), 10);
  batch([&] { level.set(20); });
  EXPECT_EQ(seen.size(), 7u);
  level.set(10);  // what is there already
  Signal<int> other{0};
  [[maybe_unused]] auto unrelated = effect([=] { other.get(); });
  other.set(1);
  EXPECT_EQ(seen.size(), 7u);
}

TEST(Effect, IsNotRunAgainByItsOwnWriteWhoeverElseReadsIt) {
  for (const bool is_watched : {false, true}) {
    Scope scope;
    Signal<int> signal{0};
    std::vector<int> seen, watched;
    effect([&] {
      seen.push_back(signal.get());
      if (signal.get() == 1) signal.set(0);
    });
    if (is_watched) effect([&] { watched.push_back(signal.get()); });
    signal.set(1);
    EXPECT_EQ(seen, (std::vector<int>{0, 1}));
    signal.set(1);
    EXPECT_EQ(seen, (std::vector<int>{0, 1, 1}));
    EXPECT_EQ(signal.peek(), 0);
    EXPECT_TRUE(watched.empty() || watched.back() == 0);
  }
}

// Case 180 of the public suite allows a second run for the own write, or this.
TEST(Effect, WhatItWritesThroughAMemoLeavesTheMemoAsItWasUntilSomebodyReadsIt) {
  Scope scope;
  Signal<int> signal{0};
  auto same = memo([=] { return signal.get(); });
  int runs = 0;
  effect([&] {
    ++runs;
    if (same.get() > 0) signal.set(0);
  });
  signal.set(3);
  EXPECT_EQ(signal.peek(), 0);
  EXPECT_EQ(runs, 2);
  signal.set(3);  // for the memo, which nobody has read meanwhile, no change
  EXPECT_EQ(signal.peek(), 3);
  EXPECT_EQ(runs, 2);
  signal.set(4);
  EXPECT_EQ(signal.peek(), 0);
  EXPECT_EQ(runs, 3);
  EXPECT_EQ(same.peek(), 0);
  signal.set(4);
  EXPECT_EQ(signal.peek(), 0);
  EXPECT_EQ(runs, 4);
}

TEST(Effect, WhatItWroteThroughAMemoIsFoundWhenAnotherSourceAsks) {
  Scope scope;
  Signal<int> signal{0}, other{0};
  auto same = memo([=] { return signal.get(); });
  auto parity = memo([=] { return other.get() % 2; });
  int runs = 0;
  effect([&] {
    ++runs;
    parity.get();
    if (same.get() > 0) signal.set(0);
  });
  signal.set(1);
  EXPECT_EQ(runs, 2);
  other.set(2);
  EXPECT_EQ(runs, 3);
  EXPECT_EQ(signal.peek(), 0);
}

TEST(Effect, AMemoThatWritesWhileAnEffectsOwnWriteIsTakenUpDoesNotTriggerIt) {
  Scope scope;
  Signal<int> counter{0};
  auto counting = memo([=] {
    counter.set(counter.get() + 1);
    return counter.get();
  });
  int runs = 0;
  effect([&] {
    ++runs;
    counting.get();
    counting.get();  // computed again: it is stale by its own write
  });
  EXPECT_EQ(runs, 1);
  counter.set(100);
  EXPECT_EQ(runs, 2);
}

TEST(Effect, MayDisposeItselfWhereItsOwnWriteIsTakenUp) {
  Scope scope;
  Signal<int> signal{0};
  std::optional<Effect> self;
  auto ending = memo([&, signal] {
    if (signal.get() == 2) self->dispose();
    return signal.get();
  });
  int runs = 0;
  self = effect([&] {
    ++runs;
    if (ending.get() == 1) signal.set(2);
  });
  signal.set(1);
  EXPECT_EQ(ending.get(), 2);
  EXPECT_FALSE(self->alive());
  signal.set(1);
  EXPECT_EQ(runs, 2);
}

TEST(Effect, ScheduledByItselfRunsAgainAlsoWhenItWroteWhatItReads) {
  Scope scope;
  Signal<int> signal{0};
  std::optional<Effect> self;
  int runs = 0;
  self = effect([&] {
    ++runs;
    if (signal.get() == 1) {
      signal.set(2);
      self->schedule();
    }
  });
  signal.set(1);
  EXPECT_EQ(runs, 3);
}

TEST(Effect, OfAMemoDoesNotRunOnceMoreBeforeTheMemoThatWillDisposeIt) {
  Scope scope;
  Signal<int> source{0};
  std::vector<int> inner;
  auto outer = memo([&] {
    effect([&] { inner.push_back(source.get()); });  // subscribes first
    return source.get();
  });
  effect([=] { outer.get(); });
  source.set(1);
  source.set(2);
  EXPECT_EQ(inner, (std::vector<int>{0, 1, 2}));
}

TEST(Effect, OfAMemoThatNobodyWatchesStillRuns) {
  Scope scope;
  Signal<int> source{0};
  int runs = 0;
  auto outer = memo([&] {
    effect([&] {
      ++runs;
      source.get();
    });
    return source.get();
  });
  outer.get();
  source.set(1);
  EXPECT_EQ(runs, 2);
}

TEST(Effect, AnErrorHandlerMayReplaceItself) {
  Scope scope;
  Runtime& runtime = Runtime::current();
  std::vector<std::string> heard;
  runtime.set_error_handler(
      [&, kept = std::string(100, 'x')](std::exception_ptr, const char* name) {
        runtime.set_error_handler(
            [&](std::exception_ptr, const char* later) { heard.push_back(later); });
        heard.push_back(name + kept.substr(0, 1));
      });
  Signal<int> signal{0};
  effect(
      [=] {
        signal.get();
        throw Error("wrong");
      },
      {.name = "broken"});
  signal.set(1);
  runtime.set_error_handler(nullptr);
  EXPECT_EQ(heard, (std::vector<std::string>{"brokenx", "broken"}));
}

TEST(Effect, MemoOfASignalThatAnEffectWroteBackIsNotStale) {
  Scope scope;
  Signal<int> level{5};
  auto doubled = memo([=] { return level.get() * 2; });
  [[maybe_unused]] auto clamp = effect([=] { level.set(std::min(level.get(), 10)); });
  EXPECT_EQ(doubled.get(), 10);
  level.set(20);
  EXPECT_EQ(doubled.get(), 20);
  level.set(30);
  level.set(7);
  EXPECT_EQ(doubled.get(), 14);
}

TEST(Effect, FirstRunThatWritesItsOwnSourceCommitsIt) {
  Scope scope;
  Signal<int> level{50};
  int runs = 0;
  [[maybe_unused]] auto clamp = effect([&, level] {
    ++runs;
    level.set(std::min(level.get(), 10));
  });
  level.set(50);
  EXPECT_EQ(runs, 2);
}

TEST(Effect, AWriteAfterEffectsGaveUpRunsThemAtOnce) {
  Signal<int> a{0}, b{0};
  int runs = 0;
  Signal<bool> forever{false};
  effect([&] {
    ++runs;
    if (a.get() >= 0 && forever.get()) b.set(a.get() + 1);
  });
  effect([&] {
    ++runs;
    if (b.get() >= 0 && forever.get()) a.set(b.get() + 1);
  });
  EXPECT_THROW(forever.set(true), CycleError);
  for (const Signal<int>& signal : {a, b}) {
    runs = 0;
    signal.set(-10);  // one of them holds a value that nobody has read yet
    EXPECT_GE(runs, 1);
  }
}

}  // namespace
}  // namespace lattice
