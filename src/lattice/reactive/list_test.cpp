// SPDX-License-Identifier: MIT
#include "lattice/reactive/list.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <string>

#include "lattice/reactive.hpp"

namespace lattice {
namespace {

using Ints = std::vector<int>;

int identity(int n) { return n; }

TEST(List, OperationsTellReadersOnce) {
  Scope scope;
  List<int> list(Ints{1, 2, 3});
  Ints seen;
  int runs = 0;
  effect([&] { seen = list.get(), ++runs; });
  list.push_back(4);
  list.insert(0, Ints{8, 9});
  list.erase(1);
  list.set(1, 7);
  list.set(1, 7);  // no change
  list.move(0, 3);
  EXPECT_EQ(seen, (Ints{7, 2, 3, 8, 4}));
  EXPECT_EQ(runs, 6);
  batch([&] {
    list.clear();
    list.push_back(5);
    EXPECT_EQ(list.size(), 1u);
  });
  EXPECT_EQ(seen, Ints{5});
  EXPECT_EQ(runs, 7);
  list.assign({1, 2});
  list.update(0, [](int n) { return n + 10; });
  EXPECT_EQ(seen, (Ints{11, 2}));
}

TEST(List, AnIndexThatIsNotThereIsRefusedAndChangesNothing) {
  Scope scope;
  List<int> list(Ints{1, 2});
  EXPECT_THROW(list.at(2), std::out_of_range);
  EXPECT_THROW(list.set(2, 0), std::out_of_range);
  EXPECT_THROW(list.insert(3, 0), std::out_of_range);
  EXPECT_THROW(list.erase(1, 2), std::out_of_range);
  EXPECT_THROW(list.erase(1, ~size_t{0}), std::out_of_range);
  EXPECT_THROW(list.move(0, 2), std::out_of_range);
  EXPECT_EQ(list.peek(), (Ints{1, 2}));
}

// Its operator== takes items away from the list in which it is compared.
struct Shrinking {
  std::string text;
  std::function<void()> compared;
  bool operator==(const Shrinking& other) const {
    if (compared) compared();
    return text == other.text;
  }
};

TEST(List, AnItemThatGoesWhileItIsComparedIsNotWritten) {
  List<Shrinking> list;
  const std::string text(100, 'a');
  const auto clear = [&list] {
    if (!list.empty()) list.erase(0, list.peek().size());
  };
  for (int i = 0; i < 3; ++i) list.push_back({text, clear});
  EXPECT_THROW(list.set(2, {"b", {}}), std::out_of_range);
  EXPECT_EQ(list.peek().size(), 0u);
  // Equal: nothing to write, wherever the item is by now.
  list.push_back({text, clear});
  EXPECT_NO_THROW(list.set(0, {text, {}}));
  EXPECT_EQ(list.peek().size(), 0u);
  // It is there still, though not at its old address.
  list.push_back({text, [&list] {
                    for (int i = 0; i < 100; ++i) list.push_back({"more", {}});
                  }});
  list.set(0, {"b", {}});
  EXPECT_EQ(list.peek().size(), 101u);
  EXPECT_EQ(list.peek()[0].text, "b");
}

TEST(List, UseAfterItsOwnerEndedThrows) {
  Owner owner = Owner::create();
  List<int> list = owner.run([] { return List<int>(Ints{1}); });
  auto doubled = owner.run([&] { return map_keyed(list, identity, [](int n) { return n * 2; }); });
  EXPECT_EQ(doubled.get(), Ints{2});
  owner.dispose();
  EXPECT_THROW(list.push_back(1), DisposedError);
  EXPECT_THROW(list.size(), DisposedError);
  EXPECT_THROW(doubled.get(), DisposedError);
}

TEST(MapKeyed, MapsAnItemOnceWhileItIsThere) {
  Scope scope;
  List<int> list(Ints{1, 2, 3});
  int calls = 0;
  auto mapped = map_keyed(list, identity, [&](int n) { return ++calls, n * 10; });
  EXPECT_EQ(mapped.get(), (Ints{10, 20, 30}));
  EXPECT_EQ(calls, 3);
  list.move(0, 2);
  list.push_back(4);
  EXPECT_EQ(mapped.get(), (Ints{20, 30, 10, 40}));
  EXPECT_EQ(calls, 4);
  batch([&] {
    list.erase(0);
    list.push_back(2);
  });
  EXPECT_EQ(mapped.get(), (Ints{30, 10, 40, 20}));
  EXPECT_EQ(calls, 4);
  list.assign({4, 3, 2, 1, 5});
  EXPECT_EQ(mapped.get(), (Ints{40, 30, 20, 10, 50}));
  EXPECT_EQ(calls, 5);
}

TEST(MapKeyed, WhatTheFunctionCreatesEndsWithItsItem) {
  std::vector<std::string> log;  // outlives the scope, whose end is logged
  Scope scope;
  List<int> list(Ints{1, 2});
  Signal<int> tick{0};
  auto mapped = map_keyed(list, identity, [&](int n) {
    effect(
        [&log, tick, n] { log.push_back(std::to_string(n) + "@" + std::to_string(tick.get())); });
    on_cleanup([&log, n] { log.push_back(std::to_string(n) + " ends"); });
    return n;
  });
  effect([&] { mapped.size(); });
  EXPECT_EQ(log, (std::vector<std::string>{"1@0", "2@0"}));
  log.clear();
  list.erase(0);
  tick.set(1);
  EXPECT_EQ(log, (std::vector<std::string>{"1 ends", "2@1"}));
}

TEST(MapKeyed, AFunctionThatThrowsIsRethrownAndRecovers) {
  int ended = 0;  // outlives the scope
  Scope scope;
  List<int> list(Ints{1, 0, 2});
  auto mapped = map_keyed(list, identity, [&](int n) {
    on_cleanup([&] { ++ended; });
    if (n == 0) throw std::runtime_error("zero");
    return 12 / n;
  });
  EXPECT_THROW(mapped.get(), std::runtime_error);
  EXPECT_EQ(ended, 2);  // nothing of the attempt is left
  list.set(1, 3);
  EXPECT_EQ(mapped.get(), (Ints{12, 4, 6}));
  list.push_back(0);
  EXPECT_THROW(mapped.get(), std::runtime_error);
  list.erase(3);
  EXPECT_EQ(mapped.get(), (Ints{12, 4, 6}));
  EXPECT_EQ(ended, 3);
}

TEST(Filter, AsksOnlyAboutWhatCame) {
  Scope scope;
  Ints many(1000);
  for (int i = 0; i < 1000; ++i) many[static_cast<size_t>(i)] = i;
  List<int> list(many);
  int calls = 0, runs = 0;
  auto even = filter(list, [&](int n) { return ++calls, n % 2 == 0; });
  effect([&] { even.size(), ++runs; });
  EXPECT_EQ(calls, 1000);
  list.insert(500, 1001);  // odd: readers do not run
  EXPECT_EQ(calls, 1001);
  EXPECT_EQ(runs, 1);
  list.set(3, 44);
  list.move(3, 0);
  list.erase(700, 10);
  EXPECT_EQ(calls, 1002);
  EXPECT_EQ(even.at(0), 44);
}

TEST(Sorted, IsStableAndComparesInLogarithmicNumber) {
  Scope scope;
  using Row = std::pair<int, int>;
  std::vector<Row> rows;
  for (int i = 0; i < 1024; ++i) rows.emplace_back(i * 7 % 16, i);
  List<Row> list(rows);
  int calls = 0;
  auto by_key =
      sorted(list, [&](const Row& a, const Row& b) { return ++calls, a.first < b.first; });
  auto check = [&] {
    std::vector<Row> expected = list.peek();
    std::stable_sort(expected.begin(), expected.end(),
                     [](const Row& a, const Row& b) { return a.first < b.first; });
    EXPECT_EQ(by_key.peek(), expected);
  };
  check();
  calls = 0;
  list.insert(17, Row{5, 9999});
  check();
  EXPECT_LE(calls, 2 * 12);
  calls = 0;
  list.move(900, 3);
  check();
  EXPECT_LE(calls, 4 * 12);
}

TEST(DerivedList, AgreesWithARecomputationForRandomOperations) {
  for (uint32_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    auto below = [&](size_t n) { return static_cast<size_t>(random() % std::max<size_t>(n, 1)); };
    Scope scope;
    List<int> list;
    int serial = 0, mapped_calls = 0, filter_calls = 0;
    auto next = [&] { return ++serial * 8 + static_cast<int>(random() % 8); };
    auto small = [](int n) { return n % 8 < 4; };
    auto less = [](int a, int b) { return a % 8 < b % 8; };
    auto minus = map_keyed(list, identity, [&](int n) { return ++mapped_calls, -n; });
    auto some = filter(list, [&](int n) { return ++filter_calls, small(n); });
    auto order = sorted(list, less);
    auto chain = map_keyed(sorted(some, less), identity, [](int n) { return n + 1; });
    if (seed % 2 == 0) effect([=] { chain.size(), minus.size(); });
    auto change = [&] {
      const size_t size = list.peek().size();
      switch (random() % (size == 0 ? 2 : 8)) {
        case 0:
          return list.insert(below(size + 1), next());
        case 1: {
          Ints several(1 + below(5));
          for (int& n : several) n = next();
          return list.insert(below(size + 1), several);
        }
        case 2: {
          const size_t at = below(size);
          return list.erase(at, below(std::min<size_t>(size - at, 4) + 1));
        }
        case 3:
          return list.set(below(size), next());
        case 4:
        case 5:
          return list.move(below(size), below(size));
        case 6: {
          Ints items = list.peek();
          std::shuffle(items.begin(), items.end(), random);
          return list.assign(items);
        }
        default:
          if (below(10) == 0) list.clear();
      }
    };
    for (int step = 0; step < 300; ++step) {
      if (below(4) == 0) {
        batch([&] {
          for (size_t i = below(4); i > 0; --i) change();
          const size_t size = minus.size();
          EXPECT_EQ(size, list.size());
        });
      } else {
        change();
      }
      if (below(3) != 0) continue;
      const Ints items = list.peek();
      Ints negative, kept;
      for (int n : items) {
        negative.push_back(-n);
        if (small(n)) kept.push_back(n);
      }
      Ints sorted_items = items, sorted_kept = kept;
      std::stable_sort(sorted_items.begin(), sorted_items.end(), less);
      std::stable_sort(sorted_kept.begin(), sorted_kept.end(), less);
      for (int& n : sorted_kept) ++n;
      ASSERT_EQ(minus.get(), negative);
      ASSERT_EQ(some.get(), kept);
      ASSERT_EQ(order.get(), sorted_items);
      ASSERT_EQ(chain.get(), sorted_kept);
    }
    EXPECT_LE(mapped_calls, serial);
  }
}

TEST(DerivedList, ACutLogIsMadeUpForWithoutMappingTwice) {
  Scope scope;
  List<int> list(Ints{1, 2, 3, 4});
  int calls = 0;
  auto mapped = map_keyed(list, identity, [&](int n) { return ++calls, n; });
  auto even = filter(list, [](int n) { return n % 2 == 0; });
  mapped.get(), even.get();
  for (int i = 0; i < 5000; ++i) list.move(0, 3);
  list.push_back(6);
  EXPECT_EQ(mapped.get(), list.get());
  EXPECT_EQ(calls, 5);
  EXPECT_EQ(even.get(), (Ints{2, 4, 6}));
}

TEST(DerivedList, LabelsAreMadeAnewWhenThereIsNoRoom) {
  Scope scope;
  List<int> list(Ints{0, 1});
  auto odd = filter(list, [](int n) { return n % 2 == 1; });
  odd.get();
  for (int i = 2; i < 300; ++i) {
    list.insert(1, i);  // always at the same place
    Ints expected;
    for (int n : list.get()) {
      if (n % 2 == 1) expected.push_back(n);
    }
    ASSERT_EQ(odd.get(), expected);
  }
}

TEST(DerivedList, DeltasReplayToTheSameItems) {
  Scope scope;
  std::mt19937 random(7);
  List<int> list;
  auto small = filter(list, [](int n) { return n % 4 < 2; });
  Ints copy;
  uint64_t seen = small.content().version();
  for (int step = 0; step < 500; ++step) {
    const size_t size = list.size();
    if (size > 0 && random() % 3 == 0) {
      list.erase(random() % size);
    } else if (size > 0 && random() % 3 == 0) {
      list.set(random() % size, static_cast<int>(random() % 100));
    } else {
      list.insert(random() % (size + 1), static_cast<int>(random() % 100));
    }
    auto deltas = small.content().since(seen);
    ASSERT_TRUE(deltas.has_value());
    for (const ListDelta<int>& delta : *deltas) {
      const auto at = copy.begin() + static_cast<ptrdiff_t>(delta.index);
      if (delta.op == ListOp::Insert) {
        copy.insert(at, delta.items.begin(), delta.items.end());
      } else if (delta.op == ListOp::Erase) {
        copy.erase(at, at + static_cast<ptrdiff_t>(delta.count));
      } else {
        copy = delta.items;
      }
    }
    seen = small.content().version();
    ASSERT_EQ(copy, small.get());
  }
}

}  // namespace
}  // namespace lattice
