// SPDX-License-Identifier: MIT
#include "lattice/jit/internal/parallel_reduce.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "lattice/jit/internal/fp_flags.hpp"
#include "lattice/jit/internal/layout.hpp"
#include "lattice/jit/internal/stage_walk.hpp"
#include "lattice/jit/thread_pool.hpp"

namespace lattice::jit::internal {

namespace {

// As NumPy halves a run.
constexpr int64_t left_half(int64_t n) noexcept { return n / 2 - (n / 2) % 8; }

void split(int64_t first, int64_t n, std::vector<int64_t>& starts) {
  if (n <= kReducePiece) {
    starts.push_back(first);
    return;
  }
  int64_t left = left_half(n);
  split(first, left, starts);
  split(first + left, n - left, starts);
}

template <class T>
T join(int64_t n, const T*& piece) noexcept {
  if (n <= kReducePiece) return *piece++;
  int64_t left = left_half(n);
  T sum = join(left, piece);
  return sum + join(n - left, piece);
}

bool is_float_sum(Op op, Type type) noexcept { return op == Op::ReduceSum && is_float(type); }

bool is_arg(Op op) noexcept { return op == Op::ReduceArgMin || op == Op::ReduceArgMax; }

template <class T>
void join_sum(int64_t n, bool chunked, const void* pieces, int64_t count, void* to) noexcept {
  const T* piece = static_cast<const T*>(pieces);
  T result = 0;
  if (chunked) {
    for (int64_t k = 0; k < count; ++k) result = result + piece[k];
  } else {
    result = result + join(n, piece);
  }
  *static_cast<T*>(to) = result;
}

// Time per element of a reduction that reads memory.
constexpr double kNsPerElement = 0.15;

}  // namespace

std::vector<int64_t> reduction_pieces(Op op, Type type, int64_t n, bool chunked) {
  std::vector<int64_t> starts;
  bool has_order = is_arg(op) || (op == Op::ReduceProd && is_float(type));
  if (n < 2 * kReducePiece || has_order) {
    starts.push_back(0);
  } else if (is_float_sum(op, type) && !chunked) {
    split(0, n, starts);
  } else {
    int64_t each = is_float_sum(op, type) ? kNumpyBufferElements : kReducePiece;
    for (int64_t at = 0; at < n; at += each) starts.push_back(at);
  }
  starts.push_back(n);
  return starts;
}

void combine_pieces(Op op, Type type, int64_t n, bool chunked, const void* pieces, int64_t count,
                    void* to) {
  if (count == 1) {
    std::memcpy(to, pieces, static_cast<size_t>(byte_size(type)));
  } else if (is_float_sum(op, type)) {
    if (type == Type::F64) {
      join_sum<double>(n, chunked, pieces, count, to);
    } else {
      join_sum<float>(n, chunked, pieces, count, to);
    }
  } else {
    StridedArray array;
    array.data = pieces;
    array.type = type;
    array.shape.rank = 1;
    array.shape.extent[0] = count;
    array.stride[0] = byte_size(type);
    reduce_array(op, array, 1, false, to);
  }
}

namespace {

template <class Fn>
uint32_t run_pieces(int64_t count, int threads, Fn&& fn) {
  std::atomic<uint32_t> flags{0};
  FpControl control;
  ThreadPool::instance().run(count, threads, [&](int64_t k, int) {
    flags.fetch_or(control.call([&] { fn(k); }), std::memory_order_relaxed);
  });
  return flags.load(std::memory_order_relaxed);
}

// Everything, when it is one run.
bool reduce_run_on_threads(Op op, const StridedArray& from, bool chunked, void* to, int threads,
                           uint32_t& flags) {
  const StridedArray* operand = &from;
  Axes all = plan_axes(from.shape, std::span(&operand, 1));
  if (all.count != 1) return false;
  int64_t n = all.extent[0];
  std::vector<int64_t> starts = reduction_pieces(op, from.type, n, chunked);
  auto count = static_cast<int64_t>(starts.size()) - 1;
  if (count == 1) return false;
  int64_t stride = all.stride[0][0];
  const char* data = static_cast<const char*>(from.data);
  auto bytes = static_cast<size_t>(byte_size(from.type));
  std::vector<Bits> partial((static_cast<size_t>(count) * bytes + 7) / 8);
  auto reduce_piece = [&](int64_t k) {
    auto at = static_cast<size_t>(k);
    StridedArray piece;
    piece.data = data + starts[at] * stride;
    piece.type = from.type;
    piece.shape.rank = 1;
    piece.shape.extent[0] = starts[at + 1] - starts[at];
    piece.stride[0] = stride;
    reduce_array(op, piece, 1, chunked, reinterpret_cast<char*>(partial.data()) + at * bytes);
  };
  Chunks chunks = plan_chunks(n, kNsPerElement, threads);
  flags = run_pieces(count, chunks.threads, reduce_piece);
  combine_pieces(op, from.type, n, chunked, partial.data(), count, to);
  return true;
}

}  // namespace

uint32_t reduce_array_on_threads(Op op, const StridedArray& from, uint32_t axes, bool chunked,
                                 void* to, int threads) {
  int64_t total = from.shape.count();
  uint32_t flags = 0;
  auto alone = [&] {
    reduce_array(op, from, axes, chunked, to);
    return flags;
  };
  if (total < 2 * kReducePiece) return alone();
  uint32_t all = (uint32_t{1} << from.shape.rank) - 1;
  if ((axes & all) == all) {
    return reduce_run_on_threads(op, from, chunked, to, threads, flags) ? flags : alone();
  }
  Chunks chunks = plan_chunks(total, kNsPerElement, threads);
  // The outermost axis of the result is cut; each result is computed by one thread, as ever. Of an
  // axis with one element NumPy's order would be another, so no piece has one.
  int axis = 0;
  while ((axes >> axis & 1) != 0 || (from.shape.extent[axis] == 1 && axis + 1 < from.shape.rank)) {
    if (++axis == from.shape.rank) return alone();
  }
  int64_t extent = from.shape.extent[axis];
  int64_t pieces = std::min(extent / 2, total / kReducePiece);
  if (chunks.threads <= 1 || pieces < 2) return alone();
  int64_t row_bytes = is_arg(op) ? 8 : byte_size(from.type);
  for (int k = axis + 1; k < from.shape.rank; ++k) {
    if ((axes >> k & 1) == 0) row_bytes *= from.shape.extent[k];
  }
  return run_pieces(pieces, chunks.threads, [&](int64_t k) {
    int64_t first = extent * k / pieces;
    StridedArray piece = from;
    piece.shape.extent[axis] = extent * (k + 1) / pieces - first;
    piece.data = static_cast<const char*>(from.data) + first * from.stride[axis];
    reduce_array(op, piece, axes, chunked, static_cast<char*>(to) + first * row_bytes);
  });
}

}  // namespace lattice::jit::internal
