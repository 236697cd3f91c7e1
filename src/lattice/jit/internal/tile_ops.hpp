// SPDX-License-Identifier: MIT
// The loops of tier 0: one function per operation and type, over a tile of contiguous elements.
//
// Each is a plain loop around the definition in ir/scalar_ops.hpp, left to the compiler to
// vectorise; inactive lanes are computed as well, since no operation traps.
#pragma once

#include <cstdint>

#include "lattice/jit/ir/opcode.hpp"
#include "lattice/jit/ir/types.hpp"

namespace lattice::jit::internal {

// Unused operands are null.
using TileFn = void (*)(const void* a, const void* b, const void* c, void* out, int64_t n);
// Status bits of the lanes whose mask byte is 1 (null: all lanes).
using ReportFn = uint32_t (*)(const void* a, const void* b, const uint8_t* mask, int64_t n,
                              bool checked);

// `type` is the type of operand a (Select: of b). Null when the operation has no such type.
TileFn unary_tile(Op op, Type type) noexcept;
TileFn binary_tile(Op op, Type type) noexcept;
TileFn ternary_tile(Op op, Type type) noexcept;  // Select, Fma
TileFn cast_tile(Type from, Type to) noexcept;
ReportFn report_tile(Op op, Type type) noexcept;

// out[k] = mask[k] ? from[k] : out[k].
void merge_tile(int bytes, const uint8_t* mask, const void* from, void* out, int64_t n) noexcept;
void fill_tile(int bytes, Bits bits, void* out, int64_t n) noexcept;
void load_strided(int bytes, const void* from, int64_t stride, void* out, int64_t n) noexcept;
void store_strided(int bytes, const void* from, void* out, int64_t stride, int64_t n) noexcept;

}  // namespace lattice::jit::internal
