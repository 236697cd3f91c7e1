// SPDX-License-Identifier: MIT
// Library functions become arithmetic: exp, log, sin, ... as IR with explicit fma, and float % and
// //.
//
// The same nodes run in every tier, so results are the same bits on every machine. f32 is computed
// in f64 and rounded once. What is not here (asin, acos, atan, atan2, asinh, acosh, atanh, cbrt,
// hypot, erf, erfc, gamma, lgamma) stays a Math node, which only tier 0 runs, with the C library.
#pragma once

#include "lattice/jit/ir/function.hpp"

namespace lattice::jit::passes {

// MathPolicy::Libm keeps the C library's functions; % and // are expanded all the same.
ir::Function expand_math(const ir::Function& function);

}  // namespace lattice::jit::passes
