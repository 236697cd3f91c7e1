// SPDX-License-Identifier: MIT
#include "lattice/jit/kernel.hpp"

#include <cstring>
#include <string>

#include "lattice/jit/internal/compiled_kernel.hpp"
#include "lattice/jit/internal/fp_flags.hpp"
#include "lattice/jit/internal/run.hpp"
#include "lattice/jit/ir/text.hpp"

namespace lattice::jit {

namespace internal {

using ir::Function;
using ir::Node;

namespace {

// Scalars throughout, so the whole function is one call.
bool is_one_stage(const Function& f) {
  for (const Node& node : f.nodes) {
    switch (op_kind(node.op)) {
      case OpKind::Reduce:
      case OpKind::Scan:
        return false;
      case OpKind::Shape:
        if (node.op != Op::Like) return false;
        break;
      case OpKind::Memory:
        if (node.op != Op::Lookup) return false;
        break;
      default:
        if (node.op == Op::Iota) return false;
    }
  }
  return true;
}

// Statuses that mean that the results are not Python's. A zero division is one of numbers only;
// numbers are what checked operations are for.
uint32_t abort_statuses(const Function& f) {
  uint32_t statuses = kStatusIntOverflow | kStatusGuard | kStatusOutOfBounds | kStatusNegativePower;
  for (const Node& node : f.nodes) {
    if (node.checked()) statuses |= kStatusZeroDivision;
  }
  return statuses;
}

bool may_abort(const Function& f) {
  for (const Node& node : f.nodes) {
    if (node.checked() || node.op == Op::Guard || node.op == Op::Gather || node.op == Op::Scatter ||
        node.op == Op::IPow) {
      return true;
    }
  }
  return false;
}

}  // namespace

CompiledKernel::CompiledKernel(Function function, const CompileOptions& options)
    : options_(options),
      source_(std::move(function)),
      optimised_(optimise(source_)),
      hash_(ir::content_hash(source_)),
      abort_statuses_(internal::abort_statuses(source_)),
      may_abort_(internal::may_abort(optimised_.function)) {
  const Function& f = optimised_.function;
  if (source_.regions.size() > 1) {
    reported_ =
        ~uint32_t{kStatusFpInvalid | kStatusFpDivide | kStatusFpOverflow | kStatusFpUnderflow};
  }
  if (source_.is_scalar_function() && is_one_stage(f)) {
    Stage stage;
    stage.body = f;
    for (size_t k = 0; k < f.params.size(); ++k) {
      stage.operands.push_back(
          {OperandKind::Scalar, f.params[k].type, 0, static_cast<uint16_t>(k)});
    }
    scalar_ = std::make_unique<StageRunner>(std::move(stage), options_);
  } else {
    Schedule plan = schedule(f);
    for (Stage& stage : plan.stages) {
      stages_.push_back(std::make_unique<StageRunner>(std::move(stage), options_));
    }
    plan_ = std::move(plan.plan);
    plan_flat();
  }
}

void CompiledKernel::infer(std::span<const ArrayView> args, std::span<Shape> outputs) const {
  if (scalar_ != nullptr) {
    for (Shape& shape : outputs) shape = Shape{};
    return;
  }
  Run(*this, args, {}, true).infer(outputs);
}

uint32_t CompiledKernel::run(std::span<const ArrayView> args, std::span<const ArrayView> outputs) {
  if (scalar_ != nullptr) {
    std::vector<Bits> in(args.size());
    std::vector<Bits> out(outputs.size());
    if (args.size() != source_.params.size() || outputs.size() != source_.outputs().size()) {
      throw ShapeError("jit: wrong number of arguments or outputs");
    }
    for (size_t k = 0; k < args.size(); ++k) {
      std::memcpy(&in[k], args[k].data, static_cast<size_t>(byte_size(args[k].type)));
    }
    uint32_t status = run_scalar(in.data(), out.data());
    for (size_t k = 0; k < outputs.size(); ++k) {
      std::memcpy(outputs[k].data, &out[k], static_cast<size_t>(byte_size(outputs[k].type)));
    }
    return status;
  }
  uint32_t status = 0;
  if (flat_.is_flat && run_views_flat(args, outputs, status)) return status;
  FpFlags flags;
  status = Run(*this, args, outputs, false).run();
  return status | (flags.end() & reported_);
}

uint32_t CompiledKernel::run_scalar(const Bits* args, Bits* results) {
  if (scalar_ == nullptr) throw CompileError("jit: run_scalar() of a function of arrays");
  FpFlags flags;
  uint32_t status = scalar_->run_scalar(args, results);
  return status | (flags.end() & reported_);
}

Tier CompiledKernel::tier() const noexcept {
  if (scalar_ != nullptr) return scalar_->tier();
  for (const auto& stage : stages_) {
    if (stage->tier() == Tier::Interpreter) return Tier::Interpreter;
  }
  return stages_.empty() ? Tier::Interpreter : Tier::Machine;
}

std::string CompiledKernel::ir() const { return ir::print(optimised_.function, true); }

std::string CompiledKernel::assembly() const {
  if (scalar_ != nullptr) return scalar_->assembly();
  std::string text;
  for (size_t k = 0; k < stages_.size(); ++k) {
    const std::string code = stages_[k]->assembly();
    if (code.empty()) continue;
    text += "; stage " + std::to_string(k) + "\n" + code;
  }
  return text;
}

std::string CompiledKernel::explain() const {
  std::string text;
  for (const PassReport& report : optimised_.passes) {
    text += report.pass + ": " + std::to_string(report.nodes_before) + " -> " +
            std::to_string(report.nodes_after) + " nodes\n";
  }
  const auto tell = [&](const std::string& what, const internal::StageRunner& runner) {
    const std::string why = runner.refusal();
    text += what + ": " + std::to_string(runner.stage().body.nodes.size()) + " nodes, " +
            (runner.tier() == Tier::Machine ? "machine code" : "interpreter");
    text += why.empty() ? "\n" : " (no machine code: " + why + ")\n";
  };
  if (scalar_ != nullptr) tell("scalar function", *scalar_);
  for (size_t k = 0; k < stages_.size(); ++k) tell("stage " + std::to_string(k), *stages_[k]);
  return text;
}

}  // namespace internal

std::shared_ptr<Kernel> Kernel::compile(ir::Function function, const CompileOptions& options) {
  return std::make_shared<internal::CompiledKernel>(std::move(function), options);
}

}  // namespace lattice::jit
