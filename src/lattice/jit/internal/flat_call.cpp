// SPDX-License-Identifier: MIT
// Calls on contiguous arrays of one shape, past the driver: nothing is allocated or planned.
#include <algorithm>
#include <cstring>

#include "lattice/jit/internal/compiled_kernel.hpp"
#include "lattice/jit/internal/fp_flags.hpp"
#include "lattice/jit/internal/layout.hpp"

namespace lattice::jit::internal {

using ir::Function;
using ir::Node;
using ir::NodeId;

void CompiledKernel::plan_flat() {
  const Function& f = optimised_.function;
  if (plan_.steps.size() != 1 || plan_.steps[0].kind != PlanStep::Kind::Map) return;
  const PlanStep& step = plan_.steps[0];
  const Stage& stage = stages_[static_cast<size_t>(step.stage)]->stage();
  size_t output_count = f.outputs().size();
  if (output_count == 0 || f.params.size() > kFlatMax || step.inputs.size() > kFlatMax ||
      output_count > kFlatMax || step.outputs.size() != output_count) {
    return;
  }
  Flat flat;
  auto bytes_of = [](Type type) { return static_cast<uint16_t>(byte_size(type)); };
  for (size_t k = 0; k < f.params.size(); ++k) {
    if (f.params[k].rank == 0) continue;
    flat.arrays.push_back({static_cast<uint16_t>(k), bytes_of(f.params[k].type)});
  }
  // The outputs' shape is that of the leaves; without an array among them it is a scalar's.
  bool has_array = false;
  for (NodeId leaf : step.leaves) {
    const Node& node = f[leaf];
    if (node.op == Op::Const) continue;
    if (node.op != Op::Param) return;
    has_array = has_array || f.params[node.imm].rank > 0;
  }
  if (!has_array) return;
  size_t elements = 0;
  for (const StageOperand& operand : stage.operands) {
    if (operand.kind == OperandKind::Source) return;
    if (operand.kind == OperandKind::Element) ++elements;
  }
  flat.inputs.resize(elements);
  flat.in_stride.resize(elements);
  flat.scalars.resize(stage.operands.size() - elements);
  for (size_t k = 0; k < stage.operands.size(); ++k) {
    const StageOperand& operand = stage.operands[k];
    const Node& node = f[step.inputs[k]];
    if (node.op != Op::Param && node.op != Op::Const) return;
    bool is_array = node.op == Op::Param && f.params[node.imm].rank > 0;
    if (is_array != (operand.kind == OperandKind::Element)) return;
    if (is_array) {
      flat.inputs[operand.slot] = static_cast<uint16_t>(node.imm);
      flat.in_stride[operand.slot] = byte_size(operand.type);
    } else {
      bool is_param = node.op == Op::Param;
      flat.scalars[operand.slot] = {is_param ? static_cast<int32_t>(node.imm) : -1,
                                    bytes_of(node.type), is_param ? Bits{0} : node.imm};
    }
  }
  for (NodeId id : step.outputs) {
    // One place for each: a value that is returned twice is copied by the driver.
    if (std::count(f.outputs().begin(), f.outputs().end(), id) != 1) return;
    auto at = std::find(f.outputs().begin(), f.outputs().end(), id) - f.outputs().begin();
    flat.outputs.push_back({static_cast<uint16_t>(at), bytes_of(f[id].type)});
    flat.out_stride.push_back(byte_size(f[id].type));
  }
  flat.is_flat = true;
  flat_ = std::move(flat);
}

bool CompiledKernel::run_flat(const void* const* args, void* const* outputs, int64_t n,
                              uint32_t& status) noexcept {
  if (!flat_.is_flat || n <= 0) return false;
  StageFn code = stages_[static_cast<size_t>(plan_.steps[0].stage)]->contiguous_code();
  // Above that, threads may be worth it, or stores past the caches.
  constexpr int64_t kElementsMax = 8192;
  if (code == nullptr || n > kElementsMax) return false;
  const void* in[kFlatMax];
  Bits scalars[kFlatMax];
  void* out[kFlatMax];
  for (size_t k = 0; k < flat_.outputs.size(); ++k) {
    const Flat::Array& output = flat_.outputs[k];
    auto low = reinterpret_cast<uintptr_t>(outputs[output.argument]);
    uintptr_t high = low + static_cast<uintptr_t>(n) * output.bytes;
    for (const Flat::Array& array : flat_.arrays) {
      auto from = reinterpret_cast<uintptr_t>(args[array.argument]);
      if (from >= high || low >= from + static_cast<uintptr_t>(n) * array.bytes) continue;
      if (from != low || array.bytes != output.bytes || may_abort_) return false;
    }
    for (size_t j = 0; j < k; ++j) {
      auto other = reinterpret_cast<uintptr_t>(out[j]);
      if (other < high && low < other + static_cast<uintptr_t>(n) * flat_.outputs[j].bytes) {
        return false;
      }
    }
    out[k] = outputs[output.argument];
  }
  for (size_t k = 0; k < flat_.inputs.size(); ++k) in[k] = args[flat_.inputs[k]];
  for (size_t k = 0; k < flat_.scalars.size(); ++k) {
    const Flat::Scalar& scalar = flat_.scalars[k];
    scalars[k] = scalar.bits;
    if (scalar.argument >= 0) std::memcpy(&scalars[k], args[scalar.argument], scalar.bytes);
  }
  StageCall call{
      in, flat_.in_stride.data(), scalars, nullptr, out, flat_.out_stride.data(), nullptr, n, 0};
  FpFlags flags;
  code(&call);
  status = call.status | (flags.end() & reported_);
  return true;
}

// The same of views, when they are what run_flat() asks for.
bool CompiledKernel::run_views_flat(std::span<const ArrayView> args,
                                    std::span<const ArrayView> outputs, uint32_t& status) noexcept {
  const Function& f = optimised_.function;
  if (args.size() != f.params.size() || outputs.size() != f.outputs().size()) return false;
  const ArrayView& first = outputs[0];
  auto fits = [&](const ArrayView& view) {
    return view.rank == first.rank &&
           std::equal(view.extent, view.extent + view.rank, first.extent) && is_contiguous(view);
  };
  const void* in[kFlatMax];
  void* out[kFlatMax];
  for (size_t k = 0; k < outputs.size(); ++k) {
    if (outputs[k].type != f[f.outputs()[k]].type || !fits(outputs[k])) return false;
    out[k] = outputs[k].data;
  }
  for (size_t k = 0; k < args.size(); ++k) {
    if (args[k].type != f.params[k].type || args[k].rank != f.params[k].rank) return false;
    if (args[k].rank > 0 && !fits(args[k])) return false;
    in[k] = args[k].data;
  }
  int64_t n = 1;
  for (int k = 0; k < first.rank; ++k) n *= first.extent[k];
  return run_flat(in, out, n, status);
}

}  // namespace lattice::jit::internal
