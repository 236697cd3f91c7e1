// SPDX-License-Identifier: MIT
// How long does one update of a signal graph take, and what does a node cost to make?
//
// Prints one JSON line per case: {"case": "kairo/deep", "ns": 123.4}. kairo: nanoseconds per signal
// write, flush and the case's own reads included; create: per signal. Each figure is the fastest of
// ten repetitions after a warm-up, as in the original; kairo_alien.mjs does the same under node.
//
//   bench_reactive [--case PREFIX] [--iterations N]       LATTICE_BENCH_QUICK=1: a tenth of the
//   work
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "kairo.hpp"
#include "lattice/reactive.hpp"

namespace {

using lattice::bench::Case;

constexpr int kRepetitions = 10;

struct Arguments {
  std::string prefix;
  int iterations = 500;
};

template <class F>
double fastest_ns(int repetitions, F&& body) {
  double best = 1e300;
  for (int i = 0; i < repetitions; ++i) {
    auto start = std::chrono::steady_clock::now();
    body();
    auto took = std::chrono::steady_clock::now() - start;
    best = std::min(best, std::chrono::duration<double, std::nano>(took).count());
  }
  return best;
}

void print(std::string_view name, double ns) {
  std::printf("{\"case\": \"%.*s\", \"ns\": %.2f}\n", static_cast<int>(name.size()), name.data(),
              ns);
  std::fflush(stdout);
}

void run_kairo(const Case& which, int iterations) {
  lattice::Scope scope;
  auto iterate = which.build();
  for (int i = 0; i < 3; ++i) iterate();
  double ns = fastest_ns(kRepetitions, [&] {
    for (int i = 0; i < iterations; ++i) iterate();
  });
  print(which.name, ns / iterations / which.writes);
}

// Creation alone; what was made is disposed between the repetitions.
void run_create(std::string_view name, int count) {
  std::vector<lattice::Signal<int>> signals;
  signals.reserve(static_cast<size_t>(count));
  double best = 1e300;
  for (int i = 0; i < kRepetitions; ++i) {
    lattice::Scope scope;
    signals.clear();
    best = std::min(best, fastest_ns(1, [&] {
                      for (int value = 0; value < count; ++value) signals.emplace_back(value);
                    }));
  }
  print(name, best / count);
}

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  const char* quick = std::getenv("LATTICE_BENCH_QUICK");
  if (quick != nullptr && std::strcmp(quick, "1") == 0) arguments.iterations = 50;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--case") == 0) arguments.prefix = argv[i + 1];
    if (std::strcmp(argv[i], "--iterations") == 0) arguments.iterations = std::atoi(argv[i + 1]);
  }
  return arguments;
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  auto wanted = [&](std::string_view name) { return name.starts_with(arguments.prefix); };
  for (const Case& which : lattice::bench::kairo_cases()) {
    if (wanted(which.name)) run_kairo(which, arguments.iterations);
  }
  if (wanted("create/1k")) run_create("create/1k", 1000);
  if (wanted("create/100k")) run_create("create/100k", 100'000);
}
