// SPDX-License-Identifier: MIT
#include "lattice/jit/compiler.hpp"

#include <utility>

#include "lattice/jit/passes/dce.hpp"
#include "lattice/jit/passes/licm.hpp"
#include "lattice/jit/passes/simplify.hpp"
#include "lattice/jit/passes/strength.hpp"
#if __has_include("lattice/jit/passes/expand_math.hpp")
#include "lattice/jit/passes/expand_math.hpp"
#define LATTICE_JIT_HAS_EXPAND_MATH 1
#endif

namespace lattice::jit {

namespace {

template <class Test>
bool any_node(const ir::Function& function, Test&& test) {
  for (const ir::Node& node : function.nodes) {
    if (test(node)) return true;
  }
  return false;
}

bool has_math(const ir::Function& function) {
  const bool is_own = function.math == ir::MathPolicy::Own;
  return any_node(function, [&](const ir::Node& node) {
    if (op_kind(node.op) == OpKind::Math) return is_own;
    return is_float(node.type) &&
           (node.op == Op::FloorDiv || node.op == Op::Mod || node.op == Op::FMod);
  });
}

bool divides_integers(const ir::Function& function) {
  return any_node(function, [](const ir::Node& node) {
    return (node.op == Op::FloorDiv || node.op == Op::Mod) && is_int(node.type);
  });
}

}  // namespace

Optimised optimise(const ir::Function& function) {
  Optimised out;
  const ir::Function* now = &function;
  auto pass = [&](const char* name, ir::Function result) {
    size_t before = now->nodes.size();
    out.function = std::move(result);
    now = &out.function;
    out.passes.push_back({name, before, now->nodes.size()});
  };
  // Each pass rebuilds the function, and so finds common subexpressions as well.
  pass("simplify", passes::simplify(*now));
#ifdef LATTICE_JIT_HAS_EXPAND_MATH
  if (has_math(*now)) {
    pass("expand_math", passes::expand_math(*now));
    pass("simplify", passes::simplify(*now));
  }
#else
  (void)has_math;
#endif
  if (divides_integers(*now)) pass("strength", passes::reduce_strength(*now));
  if (now->regions.size() > 1) pass("licm", passes::hoist_and_flatten(*now));
  pass("dce", passes::dce(*now));
  return out;
}

}  // namespace lattice::jit
