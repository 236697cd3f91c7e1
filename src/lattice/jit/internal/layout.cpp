// SPDX-License-Identifier: MIT
#include "lattice/jit/internal/layout.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace lattice::jit::internal {

using ir::kRankMax;

namespace {

// The smallest and one past the largest byte that an array touches.
std::pair<uintptr_t, uintptr_t> byte_range(const ArrayView& view) {
  auto low = reinterpret_cast<uintptr_t>(view.data);
  uintptr_t high = low + static_cast<uintptr_t>(byte_size(view.type));
  for (int k = 0; k < view.rank; ++k) {
    if (view.extent[k] == 0) return {low, low};
    int64_t reach = view.stride[k] * (view.extent[k] - 1);
    (reach < 0 ? low : high) += static_cast<uintptr_t>(reach);
  }
  return {low, high};
}

}  // namespace

std::string shape_text(const Shape& shape) {
  std::string text = "(";
  for (int k = 0; k < shape.rank; ++k) {
    text += std::to_string(shape.extent[k]);
    if (k + 1 < shape.rank || shape.rank == 1) text += ",";
    if (k + 1 < shape.rank) text += " ";
  }
  return text + ")";
}

void broadcast_into(Shape& shape, const Shape& other) {
  int rank = std::max(shape.rank, other.rank);
  Shape out;
  out.rank = rank;
  for (int k = 0; k < rank; ++k) {
    int a = k - (rank - shape.rank);
    int b = k - (rank - other.rank);
    int64_t x = a < 0 ? 1 : shape.extent[a];
    int64_t y = b < 0 ? 1 : other.extent[b];
    if (x != y && x != 1 && y != 1) {
      throw ShapeError("operands could not be broadcast together with shapes " + shape_text(shape) +
                       " " + shape_text(other));
    }
    out.extent[k] = x == 1 ? y : x;
  }
  shape = out;
}

std::array<int64_t, kRankMax> contiguous_strides(const Shape& shape, int bytes) {
  std::array<int64_t, kRankMax> stride{};
  int64_t each = bytes;
  for (int k = shape.rank; k-- > 0;) {
    stride[k] = each;
    each *= shape.extent[k];
  }
  return stride;
}

bool is_contiguous(const ArrayView& view) {
  int64_t each = byte_size(view.type);
  for (int k = view.rank; k-- > 0;) {
    if (view.extent[k] != 1 && view.stride[k] != each) return false;
    each *= view.extent[k];
  }
  return true;
}

bool same_layout(const ArrayView& x, const ArrayView& y) {
  if (x.data != y.data || x.rank != y.rank || byte_size(x.type) != byte_size(y.type)) return false;
  for (int k = 0; k < x.rank; ++k) {
    if (x.extent[k] != y.extent[k] || (x.extent[k] > 1 && x.stride[k] != y.stride[k])) return false;
  }
  return true;
}

bool may_overlap(const ArrayView& x, const ArrayView& y) {
  auto [x_low, x_high] = byte_range(x);
  auto [y_low, y_high] = byte_range(y);
  return x_low < y_high && y_low < x_high;
}

bool may_overlap_itself(const ArrayView& view) {
  // By growing stride, an axis must step over all that those before it span.
  std::array<int, kRankMax> order{};
  int rank = 0;
  for (int k = 0; k < view.rank; ++k) {
    if (view.extent[k] == 0) return false;
    if (view.extent[k] > 1) order[rank++] = k;
  }
  std::stable_sort(order.begin(), order.begin() + rank, [&](int x, int y) {
    return std::abs(view.stride[x]) < std::abs(view.stride[y]);
  });
  int64_t span = byte_size(view.type);
  for (int k = 0; k < rank; ++k) {
    int64_t stride = std::abs(view.stride[order[k]]);
    if (stride < span) return true;
    span += stride * (view.extent[order[k]] - 1);
  }
  return false;
}

Axes plan_axes(const Shape& domain, std::span<const StridedArray* const> operands) {
  Axes axes;
  axes.stride.resize(operands.size());
  std::array<int, kRankMax> order{};
  int rank = 0;
  for (int k = 0; k < domain.rank; ++k) {
    if (domain.extent[k] != 1) order[rank++] = k;
  }
  auto stride_of = [&](size_t j, int axis) -> int64_t {
    const StridedArray& array = *operands[j];
    int own = axis - (domain.rank - array.shape.rank);
    return own < 0 || array.shape.extent[own] == 1 ? 0 : array.stride[own];
  };
  if (!operands.empty()) {
    size_t last = operands.size() - 1;
    std::stable_sort(order.begin(), order.begin() + rank, [&](int x, int y) {
      return std::abs(stride_of(last, x)) > std::abs(stride_of(last, y));
    });
  }
  for (int i = 0; i < rank; ++i) {
    int axis = order[i];
    bool merges = axes.count > 0;
    for (size_t j = 0; j < operands.size() && merges; ++j) {
      merges = axes.stride[j][axes.count - 1] == stride_of(j, axis) * domain.extent[axis];
    }
    int at = merges ? axes.count - 1 : axes.count++;
    axes.extent[at] = (merges ? axes.extent[at] : 1) * domain.extent[axis];
    for (size_t j = 0; j < operands.size(); ++j) axes.stride[j][at] = stride_of(j, axis);
  }
  if (axes.count == 0) {
    axes.count = 1;
    axes.extent[0] = 1;
  }
  return axes;
}

}  // namespace lattice::jit::internal
