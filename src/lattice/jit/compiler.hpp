// SPDX-License-Identifier: MIT
// The pipeline of passes, top to bottom, and what each of them did.
#pragma once

#include <string>
#include <vector>

#include "lattice/jit/ir/function.hpp"

namespace lattice::jit {

struct PassReport {
  std::string pass;
  size_t nodes_before;
  size_t nodes_after;
};

struct Optimised {
  ir::Function function;
  std::vector<PassReport> passes;
};

// All passes are linear and keep results bit for bit (under FpPolicy::Strict).
Optimised optimise(const ir::Function& function);

}  // namespace lattice::jit
