// SPDX-License-Identifier: MIT
// Simplification: folding, algebra that IEEE arithmetic allows, selects, casts, branches whose
// condition is known.
//
// Folding runs scalar::evaluate, the operations of tier 0 themselves, so a folded value is the
// value. Nothing is folded that would report (a division by zero keeps its warning).
//
// What holds for floats: x*1, x/1, x-0.0, x+(-0.0), --x, x*2 = x+x, x/2^k = x*2^-k,
// x**2 = x*x, x**0.5 = sqrt(x) for arrays (NumPy does the same), x**-1 = 1/x, x**0 = 1. What does
// not, and is left alone: x+0.0, x*0, x-x, x/x, any reassociation.
//
// A rule may drop an operand only if that cannot change the result's shape: a scalar, or the Like
// operation keeps the shape.
#pragma once

#include "lattice/jit/ir/function.hpp"

namespace lattice::jit::passes {

ir::Function simplify(const ir::Function& function);

}  // namespace lattice::jit::passes
