// SPDX-License-Identifier: MIT
// Reductions and scans over arrays in memory, in NumPy's order.
//
// NumPy 2 sums a contiguous run pairwise: halves (rounded to a multiple of 8) down to blocks of at
// most 128, each with eight interleaved accumulators. Axes are visited in order of their strides,
// as NumPy's iterator does; a run of the innermost axis is summed pairwise when that axis is
// reduced, and added element by element when it is not. All of this was measured against
// NumPy 2.4 (tests/python/jit has the comparison).
#pragma once

#include <array>
#include <cstdint>
#include <functional>

#include "lattice/jit/ir/function.hpp"
#include "lattice/jit/kernel.hpp"

namespace lattice::jit::internal {

inline constexpr int64_t kNumpyBufferElements = 8192;

struct StridedArray {
  const void* data = nullptr;
  Type type = Type::F64;
  Shape shape;
  std::array<int64_t, ir::kRankMax> stride{};  // bytes
};

// Reduces the axes in `axes` of `from` into `to`, a C-contiguous array of the kept axes in order.
// REQUIRES: nothing reduced is empty for Min, Max, ArgMin and ArgMax.
void reduce_array(Op op, const StridedArray& from, uint32_t axes, bool chunked, void* to);

// Writes `count` elements, beginning at element `first`, to `tile`.
using FillTile = std::function<void(int64_t first, int64_t count, void* tile)>;

// The same for a sequence of n elements that exists only tile by tile; any op but ArgMin, ArgMax.
// `tile` holds kFusedTile elements.
inline constexpr int64_t kFusedTile = 2048;
void reduce_tiles(Op op, Type type, int64_t n, bool chunked, const FillTile& fill, void* tile,
                  void* to);

// Along `axis`, into a C-contiguous array of the same shape.
void scan_array(Op op, const StridedArray& from, int axis, void* to);

// base is C-contiguous of n elements and is changed; returns status bits.
uint32_t scatter_elements(ir::ScatterMode mode, Type type, void* base, int64_t n,
                          const StridedArray& index, const StridedArray& value);

// Copies into strides; shapes are equal.
void copy_array(const StridedArray& from, void* to, const int64_t* stride);

}  // namespace lattice::jit::internal
