// SPDX-License-Identifier: MIT
// verify(): whether a Function keeps the rules of ir/function.hpp.
//
// Replays it through a Builder, which checks operands, types, ranks and structure, and compares
// what the nodes claim with what is inferred. For tests, and for passes that edit nodes in place.
#pragma once

#include "lattice/base/result.hpp"
#include "lattice/jit/ir/function.hpp"

namespace lattice::jit::ir {

Result<void> verify(const Function& function);

}  // namespace lattice::jit::ir
