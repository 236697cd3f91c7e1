// SPDX-License-Identifier: MIT
// The eight kairo cases of milomg/js-reactivity-benchmark: small graphs, written to in a loop.
//
// Nanoseconds per signal write, flush and the case's own reads included: the fastest of ten
// repetitions after a warm-up, as in the original; kairo_alien.mjs does the same under node. Each
// graph is built a second time with memos that count their runs, so that counting costs no time.
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "lattice/reactive.hpp"
#include "measure.hpp"

namespace lattice::bench {
namespace {

using Iteration = std::function<void()>;

struct Case {
  std::string_view name;
  int writes;  // signal writes of one iteration, by which times are divided
  // Builds the graph in the current scope; the result runs one iteration and checks what it sees.
  std::function<Iteration()> build;
  std::function<Iteration()> build_counted;
};

int64_t recomputations = 0;

// A memo of a case's graph.
template <bool counted, class F>
auto node(F function) {
  if constexpr (counted) {
    return memo([function] {
      ++recomputations;
      return function();
    });
  } else {
    return memo(function);
  }
}

void write(const Signal<int>& signal, int value) {
  batch([&] { signal.set(value); });
}

// Stands for work; the compiler must not see through it.
void busy() {
  for (int i = 0; i < 100; ++i) asm volatile("" : "+r"(i));
}

// Change that stops at a memo whose value stays the same.
template <bool counted>
Iteration avoidable() {
  Signal<int> head{0};
  auto computed1 = node<counted>([=] { return head.get(); });
  auto computed2 = node<counted>([=] { return computed1.get(), 0; });
  auto computed3 = node<counted>([=] { return busy(), computed2.get() + 1; });
  auto computed4 = node<counted>([=] { return computed3.get() + 2; });
  auto computed5 = node<counted>([=] { return computed4.get() + 3; });
  effect([=] {
    computed5.get();
    busy();
  });
  return [=] {
    write(head, 1);
    check(computed5.get() == 6, "avoidable");
    for (int i = 0; i < 1000; ++i) {
      write(head, i);
      check(computed5.get() == 6, "avoidable");
    }
  };
}

template <bool counted>
Iteration broad() {
  Signal<int> head{0};
  auto count = std::make_shared<int>(0);
  std::vector<Memo<int>> lasts;
  for (int i = 0; i < 50; ++i) {
    auto current = node<counted>([=] { return head.get() + i; });
    auto current2 = node<counted>([=] { return current.get() + 1; });
    effect([=, count = count.get()] {
      current2.get();
      ++*count;
    });
    lasts.push_back(current2);
  }
  return [=, last = lasts.back()] {
    write(head, 1);
    *count = 0;
    for (int i = 0; i < 50; ++i) {
      write(head, i);
      check(last.get() == i + 50, "broad");
    }
    check(*count == 50 * 50, "broad count");
  };
}

template <bool counted>
Iteration deep() {
  constexpr int kLength = 50;
  Signal<int> head{0};
  auto current = node<counted>([=] { return head.get() + 1; });
  for (int i = 1; i < kLength; ++i) current = node<counted>([=] { return current.get() + 1; });
  auto count = std::make_shared<int>(0);
  effect([=, count = count.get()] {
    current.get();
    ++*count;
  });
  return [=] {
    write(head, 1);
    *count = 0;
    for (int i = 0; i < 50; ++i) {
      write(head, i);
      check(current.get() == kLength + i, "deep");
    }
    check(*count == 50, "deep count");
  };
}

template <bool counted>
Iteration diamond() {
  constexpr int kWidth = 5;
  Signal<int> head{0};
  std::vector<Memo<int>> current;
  for (int i = 0; i < kWidth; ++i) current.push_back(node<counted>([=] { return head.get() + 1; }));
  auto sum = node<counted>([=] {
    int total = 0;
    for (const auto& memo : current) total += memo.get();
    return total;
  });
  auto count = std::make_shared<int>(0);
  effect([=, count = count.get()] {
    sum.get();
    ++*count;
  });
  return [=] {
    write(head, 1);
    check(sum.get() == 2 * kWidth, "diamond");
    *count = 0;
    for (int i = 0; i < 500; ++i) {
      write(head, i);
      check(sum.get() == (i + 1) * kWidth, "diamond");
    }
    check(*count == 500, "diamond count");
  };
}

template <bool counted>
Iteration mux() {
  std::vector<Signal<int>> heads;
  for (int i = 0; i < 100; ++i) heads.emplace_back(0);
  auto all = node<counted>([=] {
    std::vector<int> values;
    values.reserve(heads.size());
    for (const auto& head : heads) values.push_back(head.get());
    return values;
  });
  std::vector<Memo<int>> split;
  for (size_t i = 0; i < heads.size(); ++i) {
    auto one =
        node<counted>([=] { return all.with([i](const auto& values) { return values[i]; }); });
    split.push_back(node<counted>([=] { return one.get() + 1; }));
  }
  for (const auto& one : split) effect([=] { one.get(); });
  return [=] {
    for (int i = 0; i < 10; ++i) {
      write(heads[static_cast<size_t>(i)], i);
      check(split[static_cast<size_t>(i)].get() == i + 1, "mux");
    }
    for (int i = 0; i < 10; ++i) {
      write(heads[static_cast<size_t>(i)], i * 2);
      check(split[static_cast<size_t>(i)].get() == i * 2 + 1, "mux");
    }
  };
}

// One memo that reads the same signal many times.
template <bool counted>
Iteration repeated() {
  constexpr int kSize = 30;
  Signal<int> head{0};
  auto current = node<counted>([=] {
    int result = 0;
    for (int i = 0; i < kSize; ++i) result += head.get();
    return result;
  });
  auto count = std::make_shared<int>(0);
  effect([=, count = count.get()] {
    current.get();
    ++*count;
  });
  return [=] {
    write(head, 1);
    check(current.get() == kSize, "repeated");
    *count = 0;
    for (int i = 0; i < 100; ++i) {
      write(head, i);
      check(current.get() == i * kSize, "repeated");
    }
    check(*count == 100, "repeated count");
  };
}

// A chain whose every member is also read by one sum.
template <bool counted>
Iteration triangle() {
  constexpr int kWidth = 10;
  Signal<int> head{0};
  std::vector<Memo<int>> list;
  for (int i = 1; i < kWidth; ++i) {
    if (list.empty()) {
      list.push_back(node<counted>([=] { return head.get() + 1; }));
    } else {
      list.push_back(node<counted>([before = list.back()] { return before.get() + 1; }));
    }
  }
  auto sum = node<counted>([=] {
    int total = head.get();
    for (const auto& memo : list) total += memo.get();
    return total;
  });
  auto count = std::make_shared<int>(0);
  effect([=, count = count.get()] {
    sum.get();
    ++*count;
  });
  // The last memo of the original's chain is read by nobody, so it never computes.
  node<counted>([last = list.back()] { return last.get() + 1; });
  return [=] {
    constexpr int kConstant = kWidth * (kWidth + 1) / 2;
    write(head, 1);
    check(sum.get() == kConstant, "triangle");
    *count = 0;
    for (int i = 0; i < 100; ++i) {
      write(head, i);
      check(sum.get() == kConstant - kWidth + i * kWidth, "triangle");
    }
    check(*count == 100, "triangle count");
  };
}

// Sources change with every write.
template <bool counted>
Iteration unstable() {
  Signal<int> head{0};
  auto twice = node<counted>([=] { return head.get() * 2; });
  auto inverse = node<counted>([=] { return -head.get(); });
  auto current = node<counted>([=] {
    int result = 0;
    for (int i = 0; i < 20; ++i) result += head.get() % 2 ? twice.get() : inverse.get();
    return result;
  });
  auto count = std::make_shared<int>(0);
  effect([=, count = count.get()] {
    current.get();
    ++*count;
  });
  return [=] {
    write(head, 1);
    check(current.get() == 40, "unstable");
    *count = 0;
    for (int i = 0; i < 100; ++i) {
      write(head, i);
      check(current.get() == (i % 2 ? i * 2 * 20 : i * -20), "unstable");
    }
    check(*count == 100, "unstable count");
  };
}

const Case kCases[] = {
    {"kairo/deep", 51, deep<false>, deep<true>},
    {"kairo/broad", 51, broad<false>, broad<true>},
    {"kairo/diamond", 501, diamond<false>, diamond<true>},
    {"kairo/triangle", 101, triangle<false>, triangle<true>},
    {"kairo/mux", 20, mux<false>, mux<true>},
    {"kairo/repeated", 101, repeated<false>, repeated<true>},
    {"kairo/unstable", 101, unstable<false>, unstable<true>},
    {"kairo/avoidable", 1001, avoidable<false>, avoidable<true>},
};

// Of one iteration in the steady state.
int64_t recomputed(const Case& which) {
  constexpr int kWarm = 20;
  Scope scope;
  auto iterate = which.build_counted();
  for (int i = 0; i < kWarm; ++i) iterate();
  recomputations = 0;
  iterate();
  return recomputations;
}

void run_case(const Case& which, int iterations) {
  constexpr int kRepetitions = 10;
  Scope scope;
  auto iterate = which.build();
  for (int i = 0; i < 3; ++i) iterate();
  uint64_t allocated = 0;
  double ns = fastest_ns(kRepetitions, [&] {
    const uint64_t before = allocations();
    for (int i = 0; i < iterations; ++i) iterate();
    allocated = allocations() - before;
  });
  const double writes = static_cast<double>(iterations) * which.writes;
  print({.name = which.name,
         .value = ns / writes,
         .same = {{"recomputed", static_cast<double>(recomputed(which))}},
         .beside = {{"allocations/write", static_cast<double>(allocated) / writes}}});
}

// Calls of operator new and chunks taken from the arena per write, once a graph has settled. mux is
// not among them: its own function makes a vector.
void run_allocations(std::string_view name) {
  constexpr int kIterations = 100;
  double taken = 0;
  double writes = 0;
  for (const Case& which : kCases) {
    if (which.name == "kairo/mux") continue;
    Scope scope;
    auto iterate = which.build();
    for (int i = 0; i < 20; ++i) iterate();
    const auto& arena = Runtime::current().graph().arena();
    const size_t reserved = arena.bytes_reserved();
    const size_t live = arena.nodes_live() + arena.links_live();
    const uint64_t before = allocations();
    for (int i = 0; i < kIterations; ++i) iterate();
    taken += static_cast<double>(allocations() - before);
    taken += static_cast<double>(arena.bytes_reserved() - reserved) / reactive::kChunkBytes;
    check(arena.nodes_live() + arena.links_live() == live, "nodes that stay");
    writes += static_cast<double>(kIterations) * which.writes;
  }
  print({.name = name, .unit = "count", .value = taken / writes, .beside = {{"writes", writes}}});
}

}  // namespace

void run_kairo(const Options& options) {
  constexpr std::string_view kAllocations = "allocations/write";
  if (options.wants(kAllocations)) run_allocations(kAllocations);
  for (const Case& which : kCases) {
    if (options.wants(which.name)) run_case(which, options.iterations);
  }
}

}  // namespace lattice::bench
