// SPDX-License-Identifier: MIT
// Shapes, strides and the bytes that arrays touch; how a stage walks its operands.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lattice/jit/internal/reduce_ops.hpp"
#include "lattice/jit/kernel.hpp"

namespace lattice::jit::internal {

std::string shape_text(const Shape& shape);

// `shape` and `other` broadcast together. Throws ShapeError.
void broadcast_into(Shape& shape, const Shape& other);

std::array<int64_t, ir::kRankMax> contiguous_strides(const Shape& shape, int bytes);

// C order without gaps; an axis of one element may have any stride.
bool is_contiguous(const ArrayView& view);

// The same elements at the same places.
bool same_layout(const ArrayView& x, const ArrayView& y);

// May be true of arrays that share no byte (interleaved ones), never false of arrays that do.
bool may_overlap(const ArrayView& x, const ArrayView& y);

// Two elements of the array may be the same memory.
bool may_overlap_itself(const ArrayView& view);

struct Axes {
  int count = 0;
  std::array<int64_t, ir::kRankMax> extent{};
  // By operand (Element slots, then outputs).
  std::vector<std::array<int64_t, ir::kRankMax>> stride;
};

// Operands in the axes of a domain: broadcast axes have stride 0; order by the last operand's
// strides, so that memory is walked as it lies; neighbouring axes merged where every operand
// allows. There is always one axis.
Axes plan_axes(const Shape& domain, std::span<const StridedArray* const> operands);

}  // namespace lattice::jit::internal
