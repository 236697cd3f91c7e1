// SPDX-License-Identifier: MIT
// Fusion as scheduling: a Function over whole arrays becomes a list of steps.
//
// Element-wise nodes between two values in memory are fused into one stage (one pass over the
// elements). In memory are: params, outputs, what reductions, scans, views, gathers and scatters
// read and make, and scalars that arrays use. Values that are computed at the same level from the
// same leaves have the same shape, so they become outputs of one stage; a value that two stages
// need and that is not in memory is computed twice. A loop or if whose body is element-wise is part
// of a stage and acts per lane; any other runs in the driver, step by step, and needs a scalar
// condition.
#pragma once

#include <memory>
#include <vector>

#include "lattice/jit/ir/function.hpp"
#include "lattice/jit/ir/stage.hpp"

namespace lattice::jit {

struct Plan;

struct PlanStep {
  enum class Kind : uint8_t {
    Map,     // stage over the broadcast of `leaves`; writes `outputs`
    Reduce,  // `node`; of inputs[0], or fused with `stage` when there is one
    Scan,
    Scatter,
    View,
    Transpose,
    Extent,
    Iota,
    Loop,  // driver loops and ifs
    If,
  };
  Kind kind;
  ir::NodeId node = ir::kNone;
  int stage = -1;                   // index into Schedule::stages
  std::vector<ir::NodeId> inputs;   // of the stage, parallel to its operands; else of the node
  std::vector<ir::NodeId> outputs;  // values the step brings into memory
  std::vector<ir::NodeId> leaves;   // their shapes broadcast to the step's shape
  bool may_overwrite = false;  // Scatter: in the rounds of a loop, nothing reads the array later
  std::unique_ptr<Plan> condition;  // Loop: up to the Exit
  std::unique_ptr<Plan> body;       // Loop; If: then
  std::unique_ptr<Plan> otherwise;  // If: else
};

struct Plan {
  std::vector<PlanStep> steps;
};

struct Schedule {
  std::vector<Stage> stages;
  Plan plan;
  // Node visits: a work counter that stays linear.
  uint64_t visits = 0;
};

// Throws CompileError for a reduction (or another operation on axes) inside a loop whose condition
// differs from element to element.
Schedule schedule(const ir::Function& function);

}  // namespace lattice::jit
