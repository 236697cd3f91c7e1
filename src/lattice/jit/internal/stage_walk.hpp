// SPDX-License-Identifier: MIT
// Runs a stage over a domain: outer axes, threads, and stores past the caches.
//
// The elements of the domain are numbered in the order in which memory is walked, and cut into
// chunks by the work that one is: the same chunks for any number of threads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lattice/jit/internal/layout.hpp"
#include "lattice/jit/internal/stage_runner.hpp"

namespace lattice::jit::internal {

// What one run of a stage reads and writes.
struct StageArrays {
  std::vector<const StridedArray*> elements;
  std::vector<Bits> scalars;
  std::vector<SourceArray> sources;
};

struct WalkOptions {
  int threads = 1;       // at most
  bool streams = false;  // outputs are not read soon, by nothing that is left to do
};

// Whether n elements are worth more than one thread, and how many elements a chunk has.
struct Chunks {
  int threads = 1;
  int64_t elements = 0;  // of a chunk
};
// `ns` for one element.
Chunks plan_chunks(int64_t n, double ns, int threads) noexcept;

struct WalkStatus {
  uint32_t stage = 0;
  uint32_t flags = 0;  // floating-point flags that other threads raised, as status bits
};

WalkStatus walk_stage(StageRunner& runner, const StageArrays& arrays, const Shape& domain,
                      std::span<const StridedArray> outputs, const WalkOptions& options,
                      TileScratch& scratch);

}  // namespace lattice::jit::internal
