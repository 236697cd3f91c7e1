// SPDX-License-Identifier: MIT
#include "lattice/jit/compiler.hpp"

#include "lattice/jit/passes/dce.hpp"

namespace lattice::jit {

Optimised optimise(const ir::Function& function) {
  Optimised out;
  auto pass = [&](const char* name, ir::Function result) {
    size_t before = out.passes.empty() ? function.nodes.size() : out.function.nodes.size();
    out.function = std::move(result);
    out.passes.push_back({name, before, out.function.nodes.size()});
  };
  pass("dce", passes::dce(function));
  return out;
}

}  // namespace lattice::jit
