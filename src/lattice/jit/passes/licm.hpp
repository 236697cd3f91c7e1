// SPDX-License-Identifier: MIT
// Loop-invariant code motion, and if-conversion of branches that are cheaper without a branch.
//
// Before a loop is entered, pure nodes of its body (and of loops inside it) whose operands all come
// from outside are computed once. An If whose two sides together are a few pure nodes becomes
// selects. Neither moves what reports: a checked operation, a division that may be by zero, a
// gather that checks bounds.
#pragma once

#include "lattice/jit/ir/function.hpp"

namespace lattice::jit::passes {

ir::Function hoist_and_flatten(const ir::Function& function);

}  // namespace lattice::jit::passes
