// SPDX-License-Identifier: MIT
#include "lattice/reactive/linked.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "lattice/reactive.hpp"

namespace lattice {
namespace {

TEST(Linked, IsTheFunctionsUntilItIsWrittenAndAgainWhenASourceChanges) {
  Scope scope;
  Signal<int> source{1};
  auto page = linked([=] { return source.get() * 10; });
  EXPECT_EQ(page.runs(), 0u);
  EXPECT_EQ(page.get(), 10);
  page.set(7);
  EXPECT_EQ(page.get(), 7);
  page.update([](int value) { return value + 1; });
  EXPECT_EQ(page.peek(), 8);
  source.set(2);
  EXPECT_EQ(page.get(), 20);
  EXPECT_EQ(page.runs(), 2u);
}

TEST(Linked, WriteBeforeTheFirstReadStands) {
  Scope scope;
  Signal<int> source{1};
  auto page = linked([=] { return source.get(); });
  page.set(7);
  EXPECT_EQ(page.get(), 7);
  source.set(2);
  EXPECT_EQ(page.get(), 2);
}

TEST(Linked, AnySourceThatWasReadVoidsTheWriteThoughTheResultIsTheSame) {
  Scope scope;
  Signal<int> source{1};
  auto sign = linked([=] { return source.get() > 0; });
  EXPECT_TRUE(sign.get());
  sign.set(false);
  source.set(2);
  EXPECT_TRUE(sign.get());
}

TEST(Linked, ChangeThatCameBeforeTheWriteDoesNotVoidIt) {
  Scope scope;
  Signal<int> source{1};
  auto page = linked([=] { return source.get(); });
  page.get();
  source.set(2);
  page.set(7);
  EXPECT_EQ(page.get(), 7);
  batch([&] {
    source.set(3);
    page.set(8);
  });
  EXPECT_EQ(page.get(), 8);
  batch([&] {
    page.set(9);
    source.set(4);
  });
  EXPECT_EQ(page.get(), 4);
}

TEST(Linked, ReadersRunOncePerChangeAndNotForTheSameValue) {
  Scope scope;
  Signal<int> source{1};
  auto page = linked([=] { return source.get(); });
  std::vector<int> seen;
  effect([&, page] { seen.push_back(page.get()); });
  page.set(1);
  page.set(5);
  batch([&] {
    page.set(6);
    page.set(5);
  });
  batch([&] {
    source.set(2);
    page.set(7);
  });
  source.set(3);
  EXPECT_EQ(seen, (std::vector<int>{1, 5, 7, 3}));
}

TEST(Linked, WriteSurvivesTheEndOfItsLastReader) {
  Scope scope;
  Signal<int> source{1};
  auto page = linked([=] { return source.get(); });
  auto reader = effect([=] { page.get(); });
  page.set(7);
  reader.dispose();
  EXPECT_EQ(page.get(), 7);
  EXPECT_EQ(page.runs(), 1u);
  source.set(2);
  EXPECT_EQ(page.get(), 2);
}

TEST(Linked, SourceWrittenBackInABatchKeepsTheWrite) {
  Scope scope;
  Signal<int> source{1};
  auto page = linked([=] { return source.get(); });
  effect([=] { page.get(); });
  page.set(7);
  batch([&] {
    source.set(2);
    source.set(1);
  });
  EXPECT_EQ(page.get(), 7);
}

TEST(Linked, FunctionMayTakeThePreviousValue) {
  Scope scope;
  Signal<int> source{1};
  std::vector<std::string> previous_values;
  auto kept = linked<int>([&, source](const int* previous) {
    previous_values.push_back(previous != nullptr ? std::to_string(*previous) : "none");
    return source.get() + (previous != nullptr ? *previous : 0);
  });
  EXPECT_EQ(kept.get(), 1);
  source.set(2);
  EXPECT_EQ(kept.get(), 3);
  kept.set(100);
  source.set(3);
  EXPECT_EQ(kept.get(), 103);
  EXPECT_EQ(previous_values, (std::vector<std::string>{"none", "1", "100"}));
}

TEST(Linked, ErrorOfTheFunctionIsOverriddenByAWriteAndComesBackWithTheNextRun) {
  Scope scope;
  Signal<int> source{0};
  auto page = linked([=] {
    if (source.get() % 2 == 0) throw std::runtime_error("even");
    return source.get();
  });
  EXPECT_THROW(page.get(), std::runtime_error);
  page.set(7);
  EXPECT_EQ(page.get(), 7);
  source.set(1);
  EXPECT_EQ(page.get(), 1);
  source.set(2);
  EXPECT_THROW(page.get(), std::runtime_error);
}

TEST(Linked, WriteFromItsOwnFunctionIsAnError) {
  Scope scope;
  Signal<int> source{0};
  Linked<int>* self = nullptr;
  auto page = linked([&, source] {
    if (source.get() == 1) self->set(5);
    return source.get();
  });
  self = &page;
  EXPECT_EQ(page.get(), 0);
  source.set(1);
  EXPECT_THROW(page.get(), Error);
  source.set(2);
  EXPECT_EQ(page.get(), 2);
}

TEST(Linked, DisposedOneThrowsAndReleasesItsNodes) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  Signal<int> source{1};
  const size_t before = runtime.graph().arena().nodes_live();
  {
    Scope scope;
    auto page = linked([=] { return source.get(); });
    auto other = linked([=] { return page.get(); });
    effect([=] { other.get(); });
    page.set(3);
    EXPECT_EQ(other.get(), 3);
  }
  auto page = linked([=] { return source.get(); });
  page.get();
  page.dispose();
  EXPECT_FALSE(page.alive());
  EXPECT_THROW(page.get(), DisposedError);
  EXPECT_THROW(page.set(1), DisposedError);
  EXPECT_EQ(runtime.graph().arena().nodes_live(), before);
}

TEST(Watch, PassesNewAndOldButNotAtFirst) {
  Scope scope;
  Signal<int> count{1};
  std::vector<std::string> seen;
  auto note = [&](int now, int old) {
    seen.push_back(std::to_string(old) + ">" + std::to_string(now));
  };
  auto watcher = watch(count, note);
  count.set(2);
  count.set(2);
  batch([&] {
    count.set(3);
    count.set(4);
  });
  EXPECT_EQ(seen, (std::vector<std::string>{"1>2", "2>4"}));
  watcher.dispose();
  count.set(5);
  EXPECT_EQ(seen.size(), 2u);
}

TEST(Watch, FunctionAsSourceIsComparedAndTheCallbackReadsUntracked) {
  Scope scope;
  Signal<int> count{1};
  Signal<int> other{0};
  int calls = 0;
  watch([=] { return count.get() > 0; },
        [&](bool now, bool old) {
          EXPECT_NE(now, old);
          other.get();
          ++calls;
        });
  count.set(2);
  EXPECT_EQ(calls, 0);
  count.set(-1);
  EXPECT_EQ(calls, 1);
  other.set(1);
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace lattice
