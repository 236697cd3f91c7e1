// SPDX-License-Identifier: MIT
#include "lattice/reactive/signal.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>

#include "lattice/reactive.hpp"

namespace lattice {
namespace {

static_assert(sizeof(Signal<std::string>) == 8);
static_assert(sizeof(reactive::SignalNode<int, DefaultEqual>) <= 32);

TEST(Signal, WriteRunsEffectThroughMemo) {
  Scope scope;
  Signal<int> count{0};
  auto doubled = memo([=] { return count.get() * 2; });
  int seen = -1;
  effect([&] { seen = doubled.get(); });
  EXPECT_EQ(seen, 0);
  count.set(5);
  EXPECT_EQ(seen, 10);
}

TEST(Signal, EqualWriteRunsNothing) {
  Scope scope;
  Signal<std::string> name{"a"};
  int runs = 0;
  effect([&] { name.with([](const std::string&) {}), ++runs; });
  name.set("a");
  EXPECT_EQ(runs, 1);
}

TEST(Signal, NanEqualsItself) {
  Scope scope;
  Signal<double> x{std::numeric_limits<double>::quiet_NaN()};
  int runs = 0;
  effect([&] { x.get(), ++runs; });
  x.set(std::nan(""));
  EXPECT_EQ(runs, 1);
  x.set(1.0);
  EXPECT_EQ(runs, 2);
}

TEST(Signal, NeverEqualRunsOnEveryWrite) {
  Scope scope;
  Signal<int, NeverEqual> x{1};
  int runs = 0;
  effect([&] { x.get(), ++runs; });
  x.set(1);
  EXPECT_EQ(runs, 2);
}

TEST(Signal, AlwaysEqualKeepsItsFirstValue) {
  Scope scope;
  Signal<int, AlwaysEqual> x{1};
  x.set(2);
  EXPECT_EQ(x.get(), 1);
}

TEST(Signal, EqualityFunctionRunsUntracked) {
  Scope scope;
  Signal<int> tolerance{1};
  auto close = [=](int a, int b) { return std::abs(a - b) <= tolerance.get(); };
  Signal<int, decltype(close)> x{10, close};
  Signal<int> trigger{0};
  int runs = 0;
  effect([&] {
    ++runs;
    trigger.get();
    x.set(11);
  });
  tolerance.set(2);
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(x.peek(), 10);
}

TEST(Signal, UpdateDoesNotSubscribe) {
  Scope scope;
  Signal<int> x{0};
  int runs = 0;
  effect([&] {
    ++runs;
    x.update([](int value) { return value + 1; });
  });
  EXPECT_EQ(x.get(), 1);
  x.set(7);
  EXPECT_EQ(runs, 1);
}

TEST(Signal, PeekDoesNotSubscribe) {
  Scope scope;
  Signal<int> x{0};
  int runs = 0;
  effect([&] { x.peek(), ++runs; });
  x.set(1);
  EXPECT_EQ(runs, 1);
}

TEST(Signal, WriteThenReadInOneEffectDoesNotLoop) {
  Scope scope;
  Signal<int> x{0};
  int runs = 0;
  effect([&] {
    ++runs;
    x.set(runs);
    EXPECT_EQ(x.get(), runs);
  });
  EXPECT_EQ(runs, 1);
}

template <class F>
std::string message_of(F&& body) {
  try {
    body();
  } catch (const DisposedError& error) {
    return error.what();
  }
  return "";
}

TEST(Signal, DisposedErrorNamesWhatWasNamedAndSaysWhatToDo) {
  Scope scope;
  Signal<int> count{1, "count"}, nameless{2};
  auto twice = memo([=] { return 2 * count.get(); }, "twice");
  twice.get();
  count.dispose();
  twice.dispose();
  nameless.dispose();
  EXPECT_NE(message_of([&] { count.get(); }).find("the signal 'count'"), std::string::npos);
  EXPECT_NE(message_of([&] { count.set(1); }).find("alive()"), std::string::npos);
  EXPECT_NE(message_of([&] { twice.get(); }).find("the memo 'twice'"), std::string::npos);
  EXPECT_NE(message_of([&] { nameless.get(); }).find("this signal"), std::string::npos);
  // Whoever has its slot now does not change that.
  Signal<int> other{3, "other"};
  EXPECT_NE(message_of([&] { count.get(); }).find("'count'"), std::string::npos);
  EXPECT_EQ(other.get(), 3);
  // The names that are kept are bounded.
  for (int i = 0; i < 1000; ++i) Signal<int>{0, "passing"}.dispose();
  EXPECT_NE(message_of([&] { count.get(); }).find("this signal"), std::string::npos);
}

TEST(Signal, StaleHandleThrows) {
  auto scope = std::make_unique<Scope>();
  Signal<int> x{0};
  scope.reset();
  EXPECT_FALSE(x.alive());
  EXPECT_THROW(x.get(), DisposedError);
  EXPECT_THROW(x.set(1), DisposedError);
  Scope next;
  Signal<int> same_slot{5};
  EXPECT_THROW(x.get(), DisposedError);
}

TEST(Signal, DisposedSignalFailsOnlyItsReaders) {
  Scope scope;
  Signal<int> gone{0};
  Signal<int> trigger{0};
  auto reader = memo([=] { return gone.get() + trigger.get(); });
  EXPECT_EQ(reader.get(), 0);
  gone.dispose();
  EXPECT_EQ(reader.get(), 0);
  trigger.set(1);
  EXPECT_THROW(reader.get(), DisposedError);
}

TEST(Batch, RunsEffectsOnceAtTheEnd) {
  Scope scope;
  Signal<int> a{0}, b{0};
  int runs = 0, sum = 0;
  effect([&] { sum = a.get() + b.get(), ++runs; });
  batch([&] {
    a.set(1);
    batch([&] { b.set(2); });
    EXPECT_EQ(runs, 1);
    EXPECT_EQ(a.get(), 1);
  });
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(sum, 3);
}

TEST(Batch, WritingBackRunsNothing) {
  Scope scope;
  Signal<int> x{1};
  auto twice = memo([=] { return x.get() * 2; });
  int runs = 0;
  effect([&] { twice.get(), ++runs; });
  batch([&] {
    x.set(2);
    x.set(1);
  });
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(twice.runs(), 1u);
}

TEST(Batch, MemoReadInTheMiddleOfARevertedBatchIsNotStale) {
  Scope scope;
  Signal<int> x{1};
  auto twice = memo([=] { return x.get() * 2; });
  int runs = 0;
  effect([&] { twice.get(), ++runs; });
  batch([&] {
    x.set(2);
    EXPECT_EQ(twice.get(), 4);
    x.set(1);
  });
  EXPECT_EQ(twice.get(), 2);
}

TEST(Batch, LazyMemoFirstReadInsideSeesNewValue) {
  Scope scope;
  Signal<int> x{1};
  auto twice = memo([=] { return x.get() * 2; });
  batch([&] {
    x.set(5);
    EXPECT_EQ(twice.get(), 10);
  });
}

TEST(Batch, ReadingAMemoDoesNotFlush) {
  Scope scope;
  Signal<int> x{0};
  auto plus = memo([=] { return x.get() + 1; });
  int runs = 0;
  effect([&] { x.get(), ++runs; });
  batch([&] {
    x.set(1);
    EXPECT_EQ(plus.get(), 2);
    EXPECT_EQ(runs, 1);
  });
  EXPECT_EQ(runs, 2);
}

TEST(Batch, ThrowingBodyStillRunsEffectsAndRestoresDepth) {
  Scope scope;
  Signal<int> x{0};
  int runs = 0;
  effect([&] { x.get(), ++runs; });
  EXPECT_THROW(batch([&] {
                 x.set(1);
                 throw std::runtime_error("no");
               }),
               std::runtime_error);
  EXPECT_EQ(runs, 2);
  x.set(2);
  EXPECT_EQ(runs, 3);
}

TEST(Batch, EffectCreatedInsideRunsAtOnce) {
  Scope scope;
  Signal<int> x{0};
  int runs = 0;
  batch([&] {
    effect([&] { x.get(), ++runs; });
    EXPECT_EQ(runs, 1);
    x.set(1);
    EXPECT_EQ(runs, 1);
  });
  EXPECT_EQ(runs, 2);
}

TEST(Batch, ReturnsTheResultOfItsBody) {
  EXPECT_EQ(batch([] { return 3; }), 3);
}

TEST(Untracked, ReadsSubscribeNothingButAreFresh) {
  Scope scope;
  Signal<int> a{0}, b{0};
  auto twice = memo([=] { return b.get() * 2; });
  int runs = 0, seen = 0;
  effect([&] {
    ++runs;
    a.get();
    seen = untracked([&] { return twice.get(); });
  });
  b.set(4);
  EXPECT_EQ(runs, 1);
  a.set(1);
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(seen, 8);
}

TEST(Untracked, TrackingResumesAfterwards) {
  Scope scope;
  Signal<int> a{0}, b{0};
  int runs = 0;
  effect([&] {
    ++runs;
    untracked([&] { a.get(); });
    b.get();
    a.get();
  });
  a.set(1);
  b.set(1);
  EXPECT_EQ(runs, 3);
}

}  // namespace
}  // namespace lattice
