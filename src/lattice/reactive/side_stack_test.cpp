// SPDX-License-Identifier: MIT
#include "lattice/reactive/side_stack.hpp"

#include <gtest/gtest.h>
#include <pthread.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "lattice/reactive.hpp"

namespace lattice {
namespace {

// Sanitizers make frames several times as large, and keep stacks of their own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kLong = 100'000;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr int kLong = 100'000;
#else
constexpr int kLong = 1'000'000;
#endif
#else
constexpr int kLong = 1'000'000;
#endif

// memo i reads memo i - 1; nothing is computed yet.
std::vector<Memo<int>> chain_on(const Signal<int>& source, int length) {
  std::vector<Memo<int>> chain;
  chain.push_back(memo([=] { return source.get(); }));
  for (int i = 1; i < length; ++i) {
    chain.push_back(memo([last = chain.back()] { return last.get() + 1; }));
  }
  return chain;
}

// In a thread with a stack of `bytes`.
void run_with_stack(size_t bytes, std::function<void()> body) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, bytes), 0);
  pthread_t thread;
  auto run = [](void* argument) -> void* {
    (*static_cast<std::function<void()>*>(argument))();
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, run, &body), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

TEST(SideStack, FirstReadOfALongChainComputesEachMemoOnce) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  Signal<int> source{1};
  auto chain = chain_on(source, kLong);
  EXPECT_EQ(chain.back().get(), kLong);
  EXPECT_EQ(chain.front().runs(), 1u);
  EXPECT_EQ(chain[kLong / 2].runs(), 1u);
  EXPECT_LE(reactive::side_segments(), 1u);
  source.set(2);
  EXPECT_EQ(chain.back().get(), kLong + 1);
  EXPECT_EQ(chain.back().runs(), 2u);
}

TEST(SideStack, FirstReadOfALongChainWorksOnASmallStack) {
  int result = 0;
  run_with_stack(size_t{256} << 10, [&] {
    Signal<int> source{1};
    result = chain_on(source, kLong).back().get();
  });
  EXPECT_EQ(result, kLong);
}

TEST(SideStack, EffectReadsALongChainAndFollowsIt) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  Signal<int> source{1};
  auto last = chain_on(source, kLong).back();
  std::vector<int> seen;
  effect([&] { seen.push_back(last.get()); });
  source.set(5);
  EXPECT_EQ(seen, (std::vector<int>{kLong, kLong + 4}));
}

TEST(SideStack, ErrorAtTheFarEndReachesTheReader) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  Signal<int> source{-1};
  Memo<int> last = memo([=] {
    if (source.get() < 0) throw std::out_of_range("far end");
    return source.get();
  });
  constexpr int kLength = kLong / 10;
  for (int i = 1; i < kLength; ++i) last = memo([last] { return last.get() + 1; });
  EXPECT_THROW(last.get(), std::out_of_range);
  EXPECT_THROW(last.get(), std::out_of_range);
  EXPECT_EQ(last.runs(), 1u);
  source.set(1);
  EXPECT_EQ(last.get(), kLength);
}

TEST(SideStack, LongCycleIsAnErrorWithAShortMessageAndCanBeBroken) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  constexpr int kLength = kLong / 10;
  Signal<bool> closed{true};
  std::vector<Memo<int>> chain;
  chain.reserve(kLength);
  chain.push_back(memo([&, closed] { return closed.get() ? chain.back().get() : 1; }, "first"));
  for (int i = 1; i < kLength; ++i) {
    chain.push_back(memo([last = chain.back()] { return last.get() + 1; }));
  }
  try {
    chain.back().get();
    FAIL() << "a cycle gave a value";
  } catch (const CycleError& error) {
    const std::string message = error.what();
    EXPECT_LT(message.size(), 400u);
    const std::string left_out = "(" + std::to_string(kLength + 1 - 16) + " more)";
    EXPECT_NE(message.find(left_out), std::string::npos) << message;
    EXPECT_NE(message.find("first"), std::string::npos) << message;
  }
  closed.set(false);
  EXPECT_EQ(chain.back().get(), kLength);
}

TEST(SideStack, NestedCallsComeBackToTheirCallersInOrder) {
  std::vector<int> order;
  size_t before = reactive::stack_left();
  const bool called = reactive::on_side_stack([&]() noexcept {
    order.push_back(1);
    EXPECT_TRUE(reactive::on_side_stack([&]() noexcept { order.push_back(2); }));
    try {
      throw std::runtime_error("caught on its own stack");
    } catch (const std::runtime_error&) {
      order.push_back(3);
    }
  });
  EXPECT_TRUE(called);
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(reactive::stack_left(), before);
  EXPECT_EQ(reactive::side_segments(), 1u);
}

TEST(SideStack, WithoutMoreStackTheChainStaysStaleAndIsReadFromItsSource) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  // Each memo makes the next and reads it: without end.
  struct Endless {
    static int read(std::vector<Memo<int>>& made) {
      char room[256 << 10];
      asm volatile("" ::"r"(room) : "memory");
      if (made.size() < 1'000'000) made.push_back(memo([&made] { return read(made) + 1; }));
      const Memo<int> next = made.back();
      return next.get();
    }
  };
  std::vector<Memo<int>> made;
  Memo<int> first = memo([&] { return Endless::read(made); }, "first");
  try {
    first.get();
    FAIL() << "there was always more stack";
  } catch (const NestingError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("first -> "), std::string::npos) << message;
    EXPECT_LT(message.size(), 400u);
  }
  EXPECT_LE(reactive::side_segments(), 1u);
  // Not cached: it is the reader who had no stack.
  made.clear();
  EXPECT_THROW(first.get(), NestingError);
  EXPECT_EQ(first.runs(), 2u);
}

}  // namespace
}  // namespace lattice
