// SPDX-License-Identifier: MIT
// Derivatives of functions of the IR, as functions of the IR: reverse mode and forward mode.
//
// Reverse mode computes what is derived once and then goes through it backwards. A loop is run
// backwards without a tape: its state at the head of a round is computed again from a checkpoint,
// one for each ceil(sqrt(n)) rounds, so n rounds cost about n * sqrt(n) and no memory. Branches are
// computed again inside their own backward branch.
//
// Broadcast operands get the sum over the axes along which they were repeated. Extents are known
// only when a kernel runs: two axes that may broadcast are guarded to be equal unless one is known
// to have the extent 1 (a new axis, a reduction that keeps its dimensions, `unit_axes`).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lattice/base/error.hpp"
#include "lattice/jit/ir/function.hpp"

namespace lattice::jit {

// Something that has no derivative, or none that is implemented; names the operation and its line.
class DerivativeError : public Error {
 public:
  DerivativeError(const std::string& what, std::string path, uint32_t source_line)
      : Error(what), file(std::move(path)), line(source_line) {}

  std::string file;  // empty when not known
  uint32_t line = 0;
};

struct GradientOptions {
  // Indices into Function::params; each must be f32 or f64.
  std::vector<uint32_t> wrt;
  // The outputs of the function come first, then the gradients.
  bool with_value = false;
  // All params are elements of arrays (vectorize): derivatives stay element by element, and the
  // output may be an array. Otherwise the output must be a scalar.
  bool per_element = false;
  // By param: bit k set when axis k has the extent 1. May be shorter than the params.
  std::vector<uint32_t> unit_axes;
};

// The gradient of a function's first output: a function of the same params whose outputs have the
// params' types and shapes. Throws DerivativeError.
ir::Function gradient(const ir::Function& function, const GradientOptions& options);

// The directional derivative. The tangent of param wrt[k] is param tangents[k], which the function
// does not read; without `tangents` they are added behind the params. Outputs: those of the
// function, then the tangent of each (zeros for outputs that are no floats). Throws
// DerivativeError.
ir::Function jvp(const ir::Function& function, std::span<const uint32_t> wrt,
                 std::span<const uint32_t> tangents = {});

}  // namespace lattice::jit
