// SPDX-License-Identifier: MIT
// Reductions in pieces that threads take.
//
// Pieces depend on the number of elements alone, and their results are put together in one order:
// the sum of floats along the tree of NumPy's pairwise summation, whose subtrees the pieces are.
// So the result is the same bits for any number of threads, and for sums those of NumPy.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "lattice/jit/internal/reduce_ops.hpp"

namespace lattice::jit::internal {

// Below twice of that a sequence is one piece.
inline constexpr int64_t kReducePiece = 32768;

// Where the pieces of a sequence of n begin, and n. One piece when the operation has an order of
// its own (products of floats) or there are too few elements.
std::vector<int64_t> reduction_pieces(Op op, Type type, int64_t n, bool chunked);

// The result of the whole from those of its pieces, in order.
void combine_pieces(Op op, Type type, int64_t n, bool chunked, const void* pieces, int64_t count,
                    void* to);

// reduce_array() on up to `threads` threads. Returns the floating-point flags that other threads
// raised, as status bits.
uint32_t reduce_array_on_threads(Op op, const StridedArray& from, uint32_t axes, bool chunked,
                                 void* to, int threads);

}  // namespace lattice::jit::internal
