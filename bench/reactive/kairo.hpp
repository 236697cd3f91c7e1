// SPDX-License-Identifier: MIT
// The eight kairo cases of milomg/js-reactivity-benchmark: small graphs, written to in a loop.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

namespace lattice::bench {

struct Case {
  std::string_view name;
  int writes;  // signal writes of one iteration, by which times are divided
  // Builds the graph in the current scope; the result runs one iteration and checks what it sees.
  std::function<std::function<void()>()> build;
};

std::vector<Case> kairo_cases();

}  // namespace lattice::bench
