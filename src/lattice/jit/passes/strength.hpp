// SPDX-License-Identifier: MIT
// Strength reduction: integer division and remainder by a constant become shifts, masks and
// multiplications by a reciprocal.
//
// Powers of two: // is an arithmetic shift and % a mask, since both round down. Other divisors of
// 32- and 64-bit types: the upper half of a product with a magic number, as in Hacker's Delight
// (H. Warren, 2nd ed., chapter 10), for rounding down.
#pragma once

#include "lattice/jit/ir/function.hpp"

namespace lattice::jit::passes {

ir::Function reduce_strength(const ir::Function& function);

}  // namespace lattice::jit::passes
