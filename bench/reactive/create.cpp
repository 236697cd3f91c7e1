// SPDX-License-Identifier: MIT
// What nodes cost to make, in time (fastest of several repetitions; what was made is disposed
// between them) and in memory.
#include <vector>

#include "lattice/reactive.hpp"
#include "measure.hpp"

namespace lattice::bench {
namespace {

int repetitions(int count) { return count < 1'000'000 ? 10 : 5; }

// Nanoseconds per signal.
void run_signals(std::string_view name, int count) {
  std::vector<Signal<int>> signals;
  signals.reserve(static_cast<size_t>(count));
  double best = 1e300;
  for (int i = 0; i < repetitions(count); ++i) {
    Scope scope;
    signals.clear();
    best = std::min(best, time_ns([&] {
                      for (int value = 0; value < count; ++value) signals.emplace_back(value);
                    }));
    check(signals.back().get() == count - 1, name);
  }
  print({.name = name, .value = best / count});
}

struct Made {
  std::vector<Signal<int>> signals;
  int64_t runs = 0;

  // Per element a signal, a memo that reads it and an effect that reads the memo.
  void make(int count) {
    for (int value = 0; value < count; ++value) {
      Signal<int> source{value};
      auto next = memo([source] { return source.get() + 1; });
      effect([next, runs = &runs] { *runs += next.get() != 0; });
      signals.push_back(source);
    }
  }
};

// Nanoseconds per signal, memo and effect together.
void run_chains(std::string_view name, int count) {
  Made made;
  made.signals.reserve(static_cast<size_t>(count));
  double best = 1e300;
  for (int i = 0; i < repetitions(count); ++i) {
    Scope scope;
    made.signals.clear();
    made.runs = 0;
    best = std::min(best, time_ns([&] { made.make(count); }));
    check(made.runs == count, name);
  }
  print({.name = name, .value = best / count});
}

constexpr int kCounted = 200'000;

// Growth of the runtime's arena while `body` makes kCounted of something, for one of them.
template <class F>
double arena_bytes(F&& body) {
  const auto& arena = Runtime::current().graph().arena();
  const size_t before = arena.bytes_reserved();
  for (size_t i = 0; i < kCounted; ++i) body(i);
  return static_cast<double>(arena.bytes_reserved() - before) / kCounted;
}

// Bytes of a signal, a memo and an effect with their two links, and of each of them. What else a
// node may take (a name, say) these have not; their heap is the allocations printed beside.
void run_bytes(std::string_view name) {
  Scope scope;
  Made made;
  made.signals.reserve(kCounted);
  const uint64_t allocated = allocations();
  const double all = arena_bytes([&](size_t) { made.make(1); });
  const auto heap = static_cast<double>(allocations() - allocated) / kCounted;

  std::vector<Signal<int>> signals;
  std::vector<Memo<int>> memos;
  const double signal = arena_bytes([&](size_t) { signals.emplace_back(1); });
  const double memo_and_link = arena_bytes([&](size_t i) {
    memos.push_back(memo([source = signals[i]] { return source.get() + 1; }));
    memos.back().get();
  });
  const double effect_and_link =
      arena_bytes([&](size_t i) { effect([source = memos[i]] { source.get(); }); });
  const double effect_of_two = arena_bytes([&](size_t i) {
    effect([a = memos[i], b = signals[i]] { static_cast<void>(a.get() + b.get()); });
  });
  print({.name = name,
         .unit = "bytes",
         .value = all,
         .same = {},
         .beside = {{"signal", signal},
                    {"memo and link", memo_and_link},
                    {"effect and link", effect_and_link},
                    {"second link and a captured handle", effect_of_two - effect_and_link},
                    {"allocations", heap}}});
}

}  // namespace

void run_create(const Options& options) {
  constexpr std::string_view kBytes = "bytes/signal + memo + effect";
  constexpr std::string_view kChains = "create/signal + memo + effect 1M";
  constexpr int kMillion = 1'000'000;
  // First, while the arena has nothing free.
  if (options.wants(kBytes)) run_bytes(kBytes);
  if (options.wants("create/1k")) run_signals("create/1k", 1000);
  if (options.wants("create/100k")) run_signals("create/100k", 100'000);
  if (options.wants("create/signals 1M")) run_signals("create/signals 1M", kMillion);
  if (options.wants(kChains)) run_chains(kChains, kMillion);
}

}  // namespace lattice::bench
