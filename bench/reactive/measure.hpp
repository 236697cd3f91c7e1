// SPDX-License-Identifier: MIT
// What the programs of this bench share: options, the clock, and the line of one case.
//
// A line is JSON: {"case": "kairo/deep", "ns": 123.4, "same": {...}, "beside": {...}}. `same` holds
// what every contestant must have got alike (sums, recomputations): the harness compares it.
// `beside` is printed beside the time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lattice::bench {

struct Options {
  std::string prefix;    // only cases that begin with it
  int iterations = 500;  // of one timed repetition of a kairo case
  bool quick = false;    // a fraction of the work, for a look
  bool wants(std::string_view name) const { return name.starts_with(prefix); }
};

Options options_of(int argc, char** argv);

using Figures = std::vector<std::pair<std::string_view, double>>;

struct Line {
  std::string_view name;
  std::string_view unit = "ns";
  double value = 0;
  // What `value` is to be compared with when no rival does the same, and what that is.
  std::string_view reference_name = {};
  double reference = 0;
  Figures same = {};
  Figures beside = {};
};
void print(const Line& line);

// Ends the process when a result is wrong: a fast wrong answer is no figure.
void check(bool held, std::string_view what);

// Nanoseconds. Of the wall; of this thread's processor time with LATTICE_BENCH_CLOCK=cpu, for
// figures on a machine that does other things as well.
double now_ns() noexcept;

template <class F>
double time_ns(F&& body) {
  const double start = now_ns();
  body();
  return now_ns() - start;
}

template <class F>
double fastest_ns(int repetitions, F&& body) {
  double best = 1e300;
  for (int i = 0; i < repetitions; ++i) best = std::min(best, time_ns(body));
  return best;
}

// Calls of operator new in this process so far, on any thread.
uint64_t allocations() noexcept;

void run_kairo(const Options& options);
void run_dynamic(const Options& options);
void run_cellx(const Options& options);
void run_create(const Options& options);
void run_local(const Options& options);
void run_scaling(const Options& options);

}  // namespace lattice::bench
