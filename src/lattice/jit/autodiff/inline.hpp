// SPDX-License-Identifier: MIT
// Puts a function into another one that is being built.
#pragma once

#include <span>
#include <vector>

#include "lattice/jit/ir/builder.hpp"

namespace lattice::jit {

// Copies `function` behind what `into` has, with `arguments` (of the params' types) for its params.
// Returns its outputs there.
std::vector<ir::NodeId> inline_function(ir::Builder& into, const ir::Function& function,
                                        std::span<const ir::NodeId> arguments);

}  // namespace lattice::jit
