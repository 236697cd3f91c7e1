// SPDX-License-Identifier: MIT
// Reductions of one contiguous run, with the widest vectors that the processor has. The order of
// operations, and so every bit, is the same on all of them.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "lattice/jit/codegen/isa.hpp"
#include "lattice/jit/ir/scalar_ops.hpp"

namespace lattice::jit::internal {

// NumPy's block: up to 128 elements in eight accumulators, one vector register of f64.
inline constexpr int64_t kSumBlock = 128;

constexpr int64_t left_half(int64_t n) noexcept { return n / 2 - (n / 2) % 8; }

// What one more element does to a result.
template <Op op, class T>
T combine(T result, T x) noexcept {
  if constexpr (op == Op::ReduceSum || op == Op::ScanSum)
    return scalar::apply<Op::Add>(result, x);
  else if constexpr (op == Op::ReduceProd || op == Op::ScanProd)
    return scalar::apply<Op::Mul>(result, x);
  else if constexpr (op == Op::ReduceMin || op == Op::ScanMin)
    return scalar::apply<Op::Min>(result, x);
  else if constexpr (op == Op::ReduceMax || op == Op::ScanMax)
    return scalar::apply<Op::Max>(result, x);
  else if constexpr (op == Op::ReduceAny)
    return scalar::apply<Op::Or>(result, x);
  else
    return scalar::apply<Op::And>(result, x);
}

namespace baseline {
#define LATTICE_VECTORS
#include "lattice/jit/internal/reduce_lanes.inc"
#undef LATTICE_VECTORS
}  // namespace baseline

#if defined(__x86_64__) && defined(__GNUC__)
namespace avx2 {
#define LATTICE_VECTORS [[gnu::target("avx2")]]
#include "lattice/jit/internal/reduce_lanes.inc"
#undef LATTICE_VECTORS
}  // namespace avx2
namespace avx512 {
#define LATTICE_VECTORS \
  [[gnu::target("avx512f,avx512vl,avx512bw,avx512dq,prefer-vector-width=512")]]
#include "lattice/jit/internal/reduce_lanes.inc"
#undef LATTICE_VECTORS
}  // namespace avx512

// The processor's, the environment not considered: the bits are the same.
inline Isa vectors() noexcept {
  static const Isa isa = best_isa();
  return isa;
}
#define LATTICE_WIDEST(...)                       \
  (vectors() == Isa::Avx512 ? avx512::__VA_ARGS__ \
   : vectors() == Isa::Avx2 ? avx2::__VA_ARGS__   \
                            : baseline::__VA_ARGS__)
#else
#define LATTICE_WIDEST(...) baseline::__VA_ARGS__
#endif

template <class T>
T pairwise(const T* x, int64_t n) noexcept {
  return LATTICE_WIDEST(pairwise_run(x, n));
}

// A contiguous run into a result, for operations whose order is free.
template <Op op, class T>
T reduce_contiguous(T result, const T* x, int64_t n) noexcept {
  if constexpr (scalar::kIsBool<T>) {
    const auto size = static_cast<size_t>(n);
    if constexpr (op == Op::ReduceAny || op == Op::ReduceMax || op == Op::ReduceSum)
      return result || std::memchr(x, 1, size) != nullptr;
    else
      return result && std::memchr(x, 0, size) == nullptr;
  } else {
    return LATTICE_WIDEST(reduce_lanes<op, T>(result, x, n));
  }
}

// The first position of the extreme; nan counts as the extreme. REQUIRES: n > 0.
template <bool is_max, class T>
int64_t arg_contiguous(const T* x, int64_t n) noexcept {
  if constexpr (scalar::kIsBool<T>) {
    const void* found = std::memchr(x, is_max ? 1 : 0, static_cast<size_t>(n));
    return found == nullptr ? 0 : static_cast<const T*>(found) - x;
  } else {
    return LATTICE_WIDEST(arg_lanes<is_max, T>(x, n));
  }
}

#undef LATTICE_WIDEST

}  // namespace lattice::jit::internal
