// SPDX-License-Identifier: MIT
#include "kairo.hpp"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "lattice/reactive.hpp"

namespace lattice::bench {
namespace {

using Iteration = std::function<void()>;

void check(bool held, const char* what) {
  if (held) return;
  std::fprintf(stderr, "kairo: wrong result in %s\n", what);
  std::exit(1);
}

void write(const Signal<int>& signal, int value) {
  batch([&] { signal.set(value); });
}

// Stands for work; the compiler must not see through it.
void busy() {
  for (int i = 0; i < 100; ++i) asm volatile("" : "+r"(i));
}

// Change that stops at a memo whose value stays the same.
Iteration avoidable() {
  Signal<int> head{0};
  auto computed1 = memo([=] { return head.get(); });
  auto computed2 = memo([=] { return computed1.get(), 0; });
  auto computed3 = memo([=] { return busy(), computed2.get() + 1; });
  auto computed4 = memo([=] { return computed3.get() + 2; });
  auto computed5 = memo([=] { return computed4.get() + 3; });
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

Iteration broad() {
  Signal<int> head{0};
  auto count = std::make_shared<int>(0);
  std::vector<Memo<int>> lasts;
  for (int i = 0; i < 50; ++i) {
    auto current = memo([=] { return head.get() + i; });
    auto current2 = memo([=] { return current.get() + 1; });
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

Iteration deep() {
  constexpr int kLength = 50;
  Signal<int> head{0};
  auto current = memo([=] { return head.get() + 1; });
  for (int i = 1; i < kLength; ++i) current = memo([=] { return current.get() + 1; });
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

Iteration diamond() {
  constexpr int kWidth = 5;
  Signal<int> head{0};
  std::vector<Memo<int>> current;
  for (int i = 0; i < kWidth; ++i) current.push_back(memo([=] { return head.get() + 1; }));
  auto sum = memo([=] {
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

Iteration mux() {
  std::vector<Signal<int>> heads;
  for (int i = 0; i < 100; ++i) heads.emplace_back(0);
  auto all = memo([=] {
    std::vector<int> values;
    values.reserve(heads.size());
    for (const auto& head : heads) values.push_back(head.get());
    return values;
  });
  std::vector<Memo<int>> split;
  for (size_t i = 0; i < heads.size(); ++i) {
    auto one = memo([=] { return all.with([i](const auto& values) { return values[i]; }); });
    split.push_back(memo([=] { return one.get() + 1; }));
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
Iteration repeated() {
  constexpr int kSize = 30;
  Signal<int> head{0};
  auto current = memo([=] {
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
Iteration triangle() {
  constexpr int kWidth = 10;
  Signal<int> head{0};
  std::vector<Memo<int>> list;
  for (int i = 1; i < kWidth; ++i) {
    if (list.empty()) {
      list.push_back(memo([=] { return head.get() + 1; }));
    } else {
      list.push_back(memo([before = list.back()] { return before.get() + 1; }));
    }
  }
  auto sum = memo([=] {
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
  memo([last = list.back()] { return last.get() + 1; });
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
Iteration unstable() {
  Signal<int> head{0};
  auto twice = memo([=] { return head.get() * 2; });
  auto inverse = memo([=] { return -head.get(); });
  auto current = memo([=] {
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

}  // namespace

std::vector<Case> kairo_cases() {
  return {
      {"kairo/deep", 51, deep},
      {"kairo/broad", 51, broad},
      {"kairo/diamond", 501, diamond},
      {"kairo/triangle", 101, triangle},
      {"kairo/mux", 20, mux},
      {"kairo/repeated", 101, repeated},
      {"kairo/unstable", 101, unstable},
      {"kairo/avoidable", 1001, avoidable},
  };
}

}  // namespace lattice::bench
