// SPDX-License-Identifier: MIT
// Does a write cost more in a larger graph? Nanoseconds of one write that touches ten nodes, in a
// graph of a million and, as the reference of the same run, in one of a thousand: always the same
// ten, and ten others each time (then the caches have their say). local_visits.cpp counts the work.
#include "local.hpp"

namespace lattice::bench {
namespace {

// The next of a fixed sequence that looks random.
size_t scatter(size_t& state) {
  state = state * 6364136223846793005U + 1442695040888963407U;
  return state >> 33;
}

// Nanoseconds per write.
double writes_ns(Crowd& crowd, int writes, bool always_the_same) {
  static int value = 0;  // never the one that is there
  size_t state = 1;
  RuntimeEntry entry(crowd.runtime());
  const int64_t runs = crowd.runs();
  const size_t middle = crowd.size() / 2;
  const double ns = time_ns([&] {
    for (int i = 0; i < writes; ++i) {
      crowd.write(always_the_same ? middle : scatter(state) % crowd.size(), ++value);
    }
  });
  check(crowd.seen() == value + Crowd::kNodes - 2, "local: value");
  check(crowd.runs() - runs == Crowd::kRunsOfWrite * writes, "local: visits");
  return ns / writes;
}

void run_pair(std::string_view name, Crowd& small, Crowd& large, bool always_the_same,
              const Options& options) {
  const int writes = options.quick ? 2'000 : 20'000;
  double in_small = 1e300;
  double in_large = 1e300;
  for (int i = 0; i < 20; ++i) {
    in_small = std::min(in_small, writes_ns(small, writes, always_the_same));
    in_large = std::min(in_large, writes_ns(large, writes, always_the_same));
  }
  print({.name = name,
         .value = in_large,
         .reference_name = "in a graph of 1k",
         .reference = in_small,
         .same = {},
         .beside = {{"runs/write", static_cast<double>(Crowd::kRunsOfWrite)}}});
}

}  // namespace

void run_local(const Options& options) {
  constexpr std::string_view kSame = "local/10 nodes of 1M";
  constexpr std::string_view kRandom = "local/10 random nodes of 1M";
  if (!options.wants(kSame) && !options.wants(kRandom)) return;
  Crowd small(kThousand);
  Crowd large(kMillion);
  if (options.wants(kSame)) run_pair(kSame, small, large, true, options);
  if (options.wants(kRandom)) run_pair(kRandom, small, large, false, options);
}

}  // namespace lattice::bench
