// SPDX-License-Identifier: MIT
// The text form of the IR: print() and parse(). docs/jit_ir.md has the grammar.
//
//   kernel "heat" fp=strict math=own
//   param u: f64[1]
//   %0: f64[1] = param 0
//   %1: f64 = const 0.5
//   %2: f64[1] = mul %0, %1
//   return %2
//
// Values are numbered in the order of the text, so print(parse(print(f))) is print(f).
#pragma once

#include <string>
#include <string_view>

#include "lattice/base/result.hpp"
#include "lattice/jit/ir/function.hpp"

namespace lattice::jit::ir {

// With `locations`, each line ends with "; file:line" of the user's source where it is known.
std::string print(const Function& function, bool locations = false);

// Failure messages begin with the line number.
Result<Function> parse(std::string_view text);

}  // namespace lattice::jit::ir
