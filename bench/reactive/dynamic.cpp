// SPDX-License-Identifier: MIT
// The dynamic graph of milomg/js-reactivity-benchmark: a rectangle of memos, each of which sums a
// few of the row above, some leaving one of them out depending on what they read.
//
// The six configurations, with the sums and recomputation counts that the original publishes for
// them; dynamic_alien.mjs is the same. Nanoseconds per iteration: one write and all leaves read.
// The graph's shape hangs on the random numbers, so these are the original's generator: sfc32,
// seeded by MurmurHash3 of the word "seed".
#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "lattice/reactive.hpp"
#include "measure.hpp"

namespace lattice::bench {
namespace {

struct Config {
  std::string_view name;
  int width;
  int layers;  // the row of signals is one of them
  double static_fraction;
  int sources;  // of one memo
  double read_fraction;
  int iterations;
  double sum;
  int64_t count;
};

constexpr Config kConfigs[] = {
    {"dynamic/2-10x5 lazy80", 10, 5, 1, 2, 0.2, 600'000, 19199968, 3'480'000},
    {"dynamic/6-10x10 dyn25 lazy80", 10, 10, 0.75, 6, 0.2, 15'000, 302310782860, 1'155'000},
    {"dynamic/4-1000x12 dyn5", 1000, 12, 0.95, 4, 1, 7'000, 29355933696000, 1'463'000},
    {"dynamic/25-1000x5", 1000, 5, 1, 25, 1, 3'000, 1171484375000, 732'000},
    {"dynamic/3-5x500", 5, 500, 1, 3, 1, 500, 3.0239642676898464e241, 1'246'500},
    {"dynamic/6-100x15 dyn50", 100, 15, 0.5, 6, 1, 2'000, 15664996402790400, 1'078'000},
};

class Random {
 public:
  Random() {
    uint32_t hash = 2166136261U;
    constexpr std::string_view kSeed = "seed";
    for (char c : kSeed) {
      hash ^= rotate(static_cast<uint32_t>(c) * 3432918353U, 15) * 461845907U;
      hash = rotate(hash, 13) * 5 + 3864292196U;
    }
    hash ^= static_cast<uint32_t>(kSeed.size());
    for (uint32_t& word : state_) {
      hash = (hash ^ (hash >> 16)) * 2246822507U;
      hash = (hash ^ (hash >> 13)) * 3266489909U;
      hash ^= hash >> 16;
      word = hash;
    }
  }
  double operator()() {
    auto& [a, b, c, counter] = state_;
    uint32_t result = a + b + counter + 1;
    a = b ^ (b >> 9);
    b = c + (c << 3);
    c = rotate(c, 21) + result;
    ++counter;
    return result / 4294967296.0;
  }

 private:
  static uint32_t rotate(uint32_t word, int bits) { return word << bits | word >> (32 - bits); }
  std::array<uint32_t, 4> state_{};
};

template <class Source>
Memo<double> fixed_sum(std::vector<Source> sources, int64_t* count) {
  return memo([sources = std::move(sources), count] {
    ++*count;
    double sum = 0;
    for (const Source& source : sources) sum += source.get();
    return sum;
  });
}

// Leaves one source out while the first is odd.
template <class Source>
Memo<double> changing_sum(std::vector<Source> sources, int64_t* count) {
  return memo(
      [first = sources[0], tail = std::vector<Source>(sources.begin() + 1, sources.end()), count] {
        ++*count;
        double sum = first.get();
        const auto whole = static_cast<int64_t>(sum);  // 2^53 at most in these graphs
        const bool drops = whole % 2 != 0;
        const auto dropped = static_cast<size_t>(whole % static_cast<int64_t>(tail.size()));
        for (size_t i = 0; i < tail.size(); ++i) {
          if (!drops || i != dropped) sum += tail[i].get();
        }
        return sum;
      });
}

template <class Source>
std::vector<Memo<double>> make_row(const std::vector<Source>& above, const Config& config,
                                   Random& random, int64_t* count) {
  std::vector<Memo<double>> row;
  row.reserve(above.size());
  for (size_t column = 0; column < above.size(); ++column) {
    std::vector<Source> sources;
    for (int i = 0; i < config.sources; ++i) {
      sources.push_back(above[(column + static_cast<size_t>(i)) % above.size()]);
    }
    const bool is_static = random() < config.static_fraction;
    row.push_back(is_static ? fixed_sum(std::move(sources), count)
                            : changing_sum(std::move(sources), count));
  }
  return row;
}

struct Grid {
  std::vector<Signal<double>> sources;
  std::vector<Memo<double>> leaves;  // those that are read
  std::unique_ptr<int64_t> count = std::make_unique<int64_t>(0);

  explicit Grid(const Config& config) {
    for (int i = 0; i < config.width; ++i) sources.emplace_back(i);
    Random shape;
    auto row = make_row(sources, config, shape, count.get());
    for (int layer = 2; layer < config.layers; ++layer) {
      row = make_row(row, config, shape, count.get());
    }
    Random choice;
    const auto skipped = std::lround(config.width * (1 - config.read_fraction));
    for (long i = 0; i < skipped; ++i) {
      const auto at = std::floor(choice() * static_cast<double>(row.size()));
      row.erase(row.begin() + static_cast<ptrdiff_t>(at));
    }
    leaves = std::move(row);
    effect([leaves = leaves] {
      for (const auto& leaf : leaves) leaf.get();
    });
  }

  double run(int iterations) {
    for (int i = 0; i < iterations; ++i) {
      const auto column = static_cast<size_t>(i) % sources.size();
      batch([&] { sources[column].set(static_cast<double>(i) + static_cast<double>(column)); });
      for (const auto& leaf : leaves) leaf.get();
    }
    double sum = 0;
    for (const auto& leaf : leaves) sum = leaf.get() + sum;
    return sum;
  }
};

void run_config(const Config& config, bool quick) {
  constexpr int kRepetitions = 5;
  // At least two rounds of the sources, or a repetition would write what is there already.
  const int few = std::max(config.iterations / 20, 2 * config.width);
  const int iterations = quick ? few : config.iterations;
  Scope scope;
  Grid grid(config);
  for (int i = 0; i < (quick ? 1 : 3); ++i) grid.run(iterations);
  double sum = 0;
  uint64_t allocated = 0;
  double ns = fastest_ns(quick ? 2 : kRepetitions, [&] {
    *grid.count = 0;
    const uint64_t before = allocations();
    sum = grid.run(iterations);
    allocated = allocations() - before;
  });
  if (!quick) {
    check(sum == config.sum, config.name);
    check(*grid.count == config.count, config.name);
  }
  print({.name = config.name,
         .value = ns / iterations,
         .same = {{"sum", sum}, {"recomputed", static_cast<double>(*grid.count)}},
         .beside = {{"allocations/write", static_cast<double>(allocated) / iterations}}});
}

}  // namespace

void run_dynamic(const Options& options) {
  for (const Config& config : kConfigs) {
    if (options.wants(config.name)) run_config(config, options.quick);
  }
}

}  // namespace lattice::bench
