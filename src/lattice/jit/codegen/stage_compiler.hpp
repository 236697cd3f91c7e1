// SPDX-License-Identifier: MIT
// Machine code for stages: StageFn and ScalarFn made by AsmJit with a register allocator of our
// own.
//
// Refusal is no error: a null result means that the caller stays in the interpreter, and `why` says
// what stands in the way (an operation, the processor, the system that grants no such memory).
#pragma once

#include <memory>
#include <span>
#include <string>

#include "lattice/jit/codegen/executable_memory.hpp"
#include "lattice/jit/codegen/isa.hpp"
#include "lattice/jit/ir/stage.hpp"

namespace lattice::jit {

struct StageCode {
  CodeBlock block;
  StageFn fn = nullptr;
  Isa isa = Isa::Interpreter;
  int lanes = 0;  // Elements per iteration.
};

struct ScalarCode {
  CodeBlock block;
  ScalarFn fn = nullptr;
  Isa isa = Isa::Interpreter;
};

// `strides`: one class for each operand of the stage, then one for each output; operands that are
// not Element are ignored. Library functions must have been expanded (passes/expand_math).
[[nodiscard]] std::shared_ptr<const StageCode> compile_stage(const Stage& stage,
                                                             std::span<const StrideClass> strides,
                                                             Isa isa, std::string& why);

// All operands Scalar, in the order of the params.
[[nodiscard]] std::shared_ptr<const ScalarCode> compile_scalar(const Stage& stage, Isa isa,
                                                               std::string& why);

// The same code as text, one instruction a line, with the IR node that each group comes from. It is
// compiled anew: kernels do not carry text.
[[nodiscard]] std::string stage_assembly(const Stage& stage, std::span<const StrideClass> strides,
                                         Isa isa);
[[nodiscard]] std::string scalar_assembly(const Stage& stage, Isa isa);

}  // namespace lattice::jit
