// SPDX-License-Identifier: MIT
#include "lattice/jit/internal/run.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "lattice/jit/thread_pool.hpp"

namespace lattice::jit::internal {

using ir::kNone;
using ir::kRankMax;
using ir::Node;
using ir::NodeId;

Run::Run(const CompiledKernel& kernel, std::span<const ArrayView> args,
         std::span<const ArrayView> outputs, bool infer_only)
    : kernel_(kernel),
      f_(kernel.optimised_.function),
      args_(args),
      outputs_(outputs),
      infer_only_(infer_only),
      values_(f_.nodes.size()) {
  if (args.size() != f_.params.size()) {
    throw ShapeError("jit: " + std::to_string(f_.params.size()) + " arguments expected, " +
                     std::to_string(args.size()) + " given");
  }
  for (size_t k = 0; k < args.size(); ++k) {
    if (args[k].type != f_.params[k].type || args[k].rank != f_.params[k].rank) {
      throw ShapeError("jit: argument " + f_.params[k].name + " is " +
                       std::string(type_name(args[k].type)) + " of rank " +
                       std::to_string(args[k].rank) + "; the kernel was made for " +
                       std::string(type_name(f_.params[k].type)) + " of rank " +
                       std::to_string(f_.params[k].rank));
    }
  }
  if (infer_only_) return;
  threads_ = kernel.options_.threads == 0 ? thread_count() : kernel.options_.threads;
  plan_outputs();
}

uint32_t Run::run() {
  plan(kernel_.plan_);
  // Nothing that an output overlaps has been written so far, and Python may have to read it.
  bool aborted = (status_ & kernel_.abort_statuses_) != 0;
  auto is_needed = [&](const ArrayView& out) {
    return aborted && std::any_of(args_.begin(), args_.end(),
                                  [&](const ArrayView& arg) { return may_overlap(arg, out); });
  };
  for (size_t k = 0; k < outputs_.size(); ++k) detach_output(k);
  for (size_t k = 0; k < outputs_.size(); ++k) {
    if (!is_needed(outputs_[k])) finish_output(k);
  }
  return status_;
}

void Run::infer(std::span<Shape> shapes) {
  plan(kernel_.plan_);
  for (size_t k = 0; k < shapes.size(); ++k) shapes[k] = value(f_.outputs()[k]).array.shape;
}

void Run::plan_outputs() {
  if (outputs_.size() != f_.outputs().size()) {
    throw ShapeError("jit: " + std::to_string(f_.outputs().size()) + " outputs expected, " +
                     std::to_string(outputs_.size()) + " given");
  }
  bool in_place = works_in_place();
  for (size_t k = 0; k < outputs_.size(); ++k) {
    const ArrayView& out = outputs_[k];
    NodeId node = f_.outputs()[k];
    if (out.type != f_[node].type) {
      throw ShapeError("jit: output " + std::to_string(k) + " must be " +
                       std::string(type_name(f_[node].type)));
    }
    if (direct_.count(node) != 0) continue;  // the same value twice: copied
    bool direct = !may_overlap_itself(out);
    for (const ArrayView& arg : args_) {
      if (!direct) break;
      if (!may_overlap(arg, out)) continue;
      direct = in_place && same_layout(arg, out);
    }
    for (size_t j = 0; j < k && direct; ++j) direct = !may_overlap(outputs_[j], out);
    if (direct) direct_[node] = static_cast<int>(k);
  }
}

// Element i must be read before it is written, and by nothing later.
bool Run::works_in_place() const {
  if (kernel_.may_abort_ || kernel_.plan_.steps.size() != 1) return false;
  const PlanStep& step = kernel_.plan_.steps[0];
  if (step.kind != PlanStep::Kind::Map) return false;
  for (const StageOperand& operand : kernel_.stages_[step.stage]->stage().operands) {
    if (operand.kind == OperandKind::Source) return false;
  }
  for (NodeId output : f_.outputs()) {
    if (f_[output].op == Op::Param) return false;  // copied at the end
  }
  return true;
}

// What lies in the caller's memory and would be overwritten by another output is copied aside.
void Run::detach_output(size_t k) {
  Value& from = value(f_.outputs()[k]);
  const StridedArray& array = from.array;
  if (from.owner != nullptr || array.shape.rank == 0 || array.shape.count() == 0) return;
  ArrayView view{const_cast<void*>(array.data), array.type, array.shape.rank,
                 array.shape.extent.data(), array.stride.data()};
  bool is_overwritten = false;
  for (size_t j = 0; j < outputs_.size(); ++j) {
    is_overwritten = is_overwritten || (may_overlap(outputs_[j], view) &&
                                        !(j == k && same_layout(outputs_[j], view)));
  }
  if (!is_overwritten) return;
  Value copy;
  allocate(copy, array.type, array.shape);
  copy_array(array, copy.owner.get(), copy.array.stride.data());
  from = copy;
}

void Run::finish_output(size_t k) {
  const ArrayView& out = outputs_[k];
  Value& from = value(f_.outputs()[k]);
  if (from.array.data == out.data && from.owner == nullptr) {
    auto direct = direct_.find(f_.outputs()[k]);
    if (direct != direct_.end() && direct->second == static_cast<int>(k)) return;
  }
  Shape shape = shape_of(out);
  StridedArray array = from.array;
  if (!(array.shape == shape)) {
    // A loop that never ran leaves its first value, which may have to be broadcast.
    Shape both = array.shape;
    broadcast_into(both, shape);
    if (!(both == shape)) wrong_output(k, array.shape, shape);
    std::array<int64_t, kRankMax> stride{};
    for (int j = 0; j < shape.rank; ++j) {
      int from_axis = j - (shape.rank - array.shape.rank);
      stride[j] = from_axis < 0 || array.shape.extent[from_axis] == 1 ? 0 : array.stride[from_axis];
    }
    array.shape = shape;
    array.stride = stride;
  }
  copy_array(array, out.data, out.stride);
}

void Run::wrong_output(size_t k, const Shape& made, const Shape& given) {
  throw ShapeError("jit: output " + std::to_string(k) + " has shape " + shape_text(made) +
                   ", but the array for it has shape " + shape_text(given));
}

Shape Run::shape_of(const ArrayView& view) {
  Shape shape;
  shape.rank = view.rank;
  std::copy_n(view.extent, view.rank, shape.extent.begin());
  return shape;
}

Run::Value& Run::value(NodeId id) {
  Value& v = values_[id];
  if (v.is_set) return v;
  const Node& node = f_[id];
  if (node.op == Op::Const) {
    set_scalar(v, node.type, node.imm);
  } else {
    LATTICE_ASSERT(node.op == Op::Param);
    const ArrayView& arg = args_[node.imm];
    v.array.data = arg.data;
    v.array.type = arg.type;
    v.array.shape.rank = arg.rank;
    for (int k = 0; k < arg.rank; ++k) {
      v.array.shape.extent[k] = arg.extent[k];
      v.array.stride[k] = arg.stride[k];
    }
    if (arg.rank == 0) {
      std::memcpy(&v.bits, arg.data, static_cast<size_t>(byte_size(arg.type)));
      v.array.data = &v.bits;
    }
    v.is_set = v.is_known = true;
  }
  return v;
}

void Run::set_scalar(Value& v, Type type, Bits bits) {
  v.array = StridedArray{};
  v.array.type = type;
  v.bits = bits;
  v.array.data = &v.bits;
  v.owner = nullptr;
  v.is_set = v.is_known = true;
}

void Run::allocate(Value& v, Type type, const Shape& shape) {
  if (shape.rank == 0) {
    set_scalar(v, type, 0);
    return;
  }
  v.array.type = type;
  v.array.shape = shape;
  v.array.stride = contiguous_strides(shape, byte_size(type));
  v.is_set = true;
  if (infer_only_) {
    v.is_known = false;
    return;
  }
  v.owner = pool_.take(static_cast<size_t>(shape.count()) * static_cast<size_t>(byte_size(type)));
  v.array.data = v.owner.get();
  v.is_known = true;
}

void Run::assign(NodeId to, const Value& from) {
  Value& v = values_[to];
  if (&v == &from) return;
  bool is_scalar = from.array.data == &from.bits;
  v = from;
  if (is_scalar) v.array.data = &v.bits;
}

Shape Run::broadcast(const std::vector<NodeId>& leaves) {
  Shape shape;
  for (NodeId leaf : leaves) broadcast_into(shape, value(leaf).array.shape);
  return shape;
}

void Run::plan(const Plan& plan) {
  for (const PlanStep& step : plan.steps) run_step(step);
}

void Run::run_step(const PlanStep& step) {
  switch (step.kind) {
    case PlanStep::Kind::Map:
      map(step);
      break;
    case PlanStep::Kind::Reduce:
      reduce(step);
      break;
    case PlanStep::Kind::Scan:
      scan(step);
      break;
    case PlanStep::Kind::Scatter:
      scatter(step);
      break;
    case PlanStep::Kind::View:
      view(step);
      break;
    case PlanStep::Kind::Transpose:
      transpose(step);
      break;
    case PlanStep::Kind::Extent:
      extent(step);
      break;
    case PlanStep::Kind::Iota:
      iota(step);
      break;
    case PlanStep::Kind::Loop:
      loop(step);
      break;
    case PlanStep::Kind::If:
      branch(step);
      break;
  }
}

}  // namespace lattice::jit::internal
