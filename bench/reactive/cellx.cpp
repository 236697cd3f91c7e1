// SPDX-License-Identifier: MIT
// cellx: layers of four memos and four effects each on top of four signals, built once and updated
// once. Nanoseconds from the first read of the last layer to the second, with the four signals
// written in one batch between: the mean of ten builds, as in the original, after one for warmth.
#include <array>

#include "lattice/reactive.hpp"
#include "measure.hpp"

namespace lattice::bench {
namespace {

using Values = std::array<int, 4>;
constexpr Values kBefore{-3, -6, -2, 2};
constexpr Values kAfter{-2, -4, 2, 3};

template <class Source>
std::array<Memo<int>, 4> make_layer(const std::array<Source, 4>& above, int64_t* runs) {
  const auto [a, b, c, d] = above;
  std::array<Memo<int>, 4> layer{
      memo([b = b] { return b.get(); }), memo([a = a, c = c] { return a.get() - c.get(); }),
      memo([b = b, d = d] { return b.get() + d.get(); }), memo([c = c] { return c.get(); })};
  for (const auto& one : layer) {
    effect([one, runs] {
      one.get();
      ++*runs;
    });
  }
  return layer;
}

Values read(const std::array<Memo<int>, 4>& layer) {
  return {layer[0].get(), layer[1].get(), layer[2].get(), layer[3].get()};
}

// Nanoseconds of the update; `runs` counts the effects that it ran.
double update_ns(int layers, int64_t* runs) {
  Scope scope;
  std::array<Signal<int>, 4> start{1, 2, 3, 4};
  auto end = make_layer(start, runs);
  for (int i = 1; i < layers; ++i) end = make_layer(end, runs);
  *runs = 0;
  Values before;
  Values after;
  double ns = time_ns([&] {
    before = read(end);
    batch([&] {
      start[0].set(4);
      start[1].set(3);
      start[2].set(2);
      start[3].set(1);
    });
    after = read(end);
  });
  check(before == kBefore, "cellx before the write");
  check(after == kAfter, "cellx after the write");
  return ns;
}

void run_size(std::string_view name, int layers) {
  constexpr int kBuilds = 10;
  int64_t runs = 0;
  update_ns(layers, &runs);
  double total = 0;
  for (int i = 0; i < kBuilds; ++i) total += update_ns(layers, &runs);
  print({.name = name,
         .value = total / kBuilds,
         .same = {{"effects", static_cast<double>(runs)}},
         .beside = {}});
}

}  // namespace

void run_cellx(const Options& options) {
  if (options.wants("cellx/1000")) run_size("cellx/1000", 1000);
  if (options.wants("cellx/2500")) run_size("cellx/2500", 2500);
}

}  // namespace lattice::bench
