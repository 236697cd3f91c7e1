// SPDX-License-Identifier: MIT
#include "lattice/jit/passes/rewrite.hpp"

namespace lattice::jit::passes {

void copy_header(const Function& from, Builder& to) {
  Function& out = to.function();
  out.name = from.name;
  out.fp = from.fp;
  out.math = from.math;
  out.params = from.params;
  out.views = from.views;
  out.tables = from.tables;
  out.files = from.files;
}

}  // namespace lattice::jit::passes
