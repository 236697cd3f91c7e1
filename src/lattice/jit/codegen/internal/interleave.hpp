// SPDX-License-Identifier: MIT
// Several vectors side by side in one iteration of a stage.
//
// A loop per lane is a chain of dependent instructions whose length no processor can look past:
// where each round waits for the one before, one vector leaves most of the units idle. The
// interleaved body holds `parts` copies of every node that differs from lane to lane; part p works
// on the p-th vector of the iteration. Copies of one node stand next to each other, a Loop is one
// loop that all parts run together, each with an Exit of its own, and it ends when no part has a
// lane left. Ifs, and what stands in them, follow one another part by part.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lattice/jit/ir/stage.hpp"

namespace lattice::jit::internal {

struct Interleaved {
  ir::Function body;           // outputs: those of part 0, then those of part 1, ...
  std::vector<uint8_t> parts;  // of each node; nodes that all parts share have 0
};

// `is_shared`: by node of the stage's body, whether one copy serves all parts.
[[nodiscard]] Interleaved interleave(const ir::Function& body, const std::vector<bool>& is_shared,
                                     int parts);

// How many vectors pay for a body and this many vector registers; 1 for a body without loops.
[[nodiscard]] int choose_parts(const ir::Function& body, int registers);

}  // namespace lattice::jit::internal
