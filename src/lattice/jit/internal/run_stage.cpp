// SPDX-License-Identifier: MIT
// The steps that run stages: element-wise maps and reductions of them.
#include <algorithm>
#include <cstring>

#include "lattice/jit/internal/run.hpp"

namespace lattice::jit::internal {

using ir::kNone;
using ir::kRankMax;
using ir::Node;
using ir::NodeId;

namespace {

bool is_arg(Op op) noexcept { return op == Op::ReduceArgMin || op == Op::ReduceArgMax; }

}  // namespace

Run::Operands Run::collect(const Stage& stage, const std::vector<NodeId>& inputs) {
  Operands out;
  for (size_t k = 0; k < inputs.size(); ++k) {
    Value& v = value(inputs[k]);
    out.known = out.known && v.is_known;
    switch (stage.operands[k].kind) {
      case OperandKind::Element:
        out.elements.push_back(&v.array);
        break;
      case OperandKind::Scalar: {
        Bits bits = 0;
        if (v.is_known) {
          std::memcpy(&bits, v.array.data, static_cast<size_t>(byte_size(v.array.type)));
        }
        out.scalars.push_back(bits);
        break;
      }
      case OperandKind::Source: {
        SourceArray source{v.array.data, {}, {}};
        for (int j = 0; j < v.array.shape.rank && j < 3; ++j) {
          source.extent[j] = v.array.shape.extent[j];
          source.stride[j] = v.array.stride[j];
        }
        out.sources.push_back(source);
      }
    }
  }
  return out;
}

void Run::execute(StageRunner& runner, const Operands& operands, const Shape& domain,
                  std::span<const StridedArray> outputs) {
  if (domain.count() == 0) return;
  std::vector<const StridedArray*> all = operands.elements;
  for (const StridedArray& output : outputs) all.push_back(&output);
  Axes axes = plan_axes(domain, all);
  size_t element_count = operands.elements.size();
  int inner = axes.count - 1;
  std::vector<const void*> in(element_count);
  std::vector<int64_t> in_stride(element_count);
  std::vector<void*> out(outputs.size());
  std::vector<int64_t> out_stride(outputs.size());
  for (size_t j = 0; j < element_count; ++j) {
    in[j] = operands.elements[j]->data;
    in_stride[j] = axes.stride[j][inner];
  }
  for (size_t j = 0; j < outputs.size(); ++j) {
    out[j] = const_cast<void*>(outputs[j].data);
    out_stride[j] = axes.stride[element_count + j][inner];
  }
  StageCall call{in.data(),
                 in_stride.data(),
                 operands.scalars.data(),
                 operands.sources.data(),
                 out.data(),
                 out_stride.data(),
                 nullptr,
                 axes.extent[inner],
                 0};
  StageRunner::Prepared code = runner.prepare(call, domain.count());
  std::array<int64_t, kRankMax> at{};
  for (;;) {
    runner.run(code, call, scratch_);
    int k = inner;
    for (;;) {
      if (k == 0) {
        status_ |= call.status;
        return;
      }
      --k;
      for (size_t j = 0; j < element_count; ++j) {
        in[j] = static_cast<const char*>(in[j]) + axes.stride[j][k];
      }
      for (size_t j = 0; j < outputs.size(); ++j) {
        out[j] = static_cast<char*>(out[j]) + axes.stride[element_count + j][k];
      }
      if (++at[k] < axes.extent[k]) break;
      for (size_t j = 0; j < element_count; ++j) {
        in[j] = static_cast<const char*>(in[j]) - axes.stride[j][k] * axes.extent[k];
      }
      for (size_t j = 0; j < outputs.size(); ++j) {
        out[j] = static_cast<char*>(out[j]) - axes.stride[element_count + j][k] * axes.extent[k];
      }
      at[k] = 0;
    }
  }
}

void Run::map(const PlanStep& step) {
  StageRunner& runner = *kernel_.stages_[step.stage];
  Shape domain = broadcast(step.leaves);
  Operands operands = collect(runner.stage(), step.inputs);
  std::vector<StridedArray> outputs;
  for (NodeId id : step.outputs) {
    Value& v = values_[id];
    auto direct = direct_.find(id);
    // Only steps of the function's own plan run once; a loop's may be read by its next round.
    if (!infer_only_ && direct != direct_.end()) {
      const ArrayView& out = outputs_[direct->second];
      Shape shape = shape_of(out);
      if (!(shape == domain)) wrong_output(direct->second, domain, shape);
      if (out.rank > 0) {
        v.array.data = out.data;
        v.array.type = out.type;
        v.array.shape = domain;
        std::copy_n(out.stride, out.rank, v.array.stride.begin());
        v.owner = nullptr;
        v.is_set = v.is_known = true;
        outputs.push_back(v.array);
        continue;
      }
    }
    allocate(v, f_[id].type, domain);
    outputs.push_back(v.array);
  }
  if (infer_only_ && (!operands.known || domain.rank != 0)) {
    for (NodeId id : step.outputs) values_[id].is_known = false;
    return;
  }
  execute(runner, operands, domain, outputs);
}

void Run::reduce(const PlanStep& step) {
  const Node& node = f_[step.node];
  Shape from = step.stage >= 0 ? broadcast(step.leaves) : value(step.inputs[0]).array.shape;
  auto axes = static_cast<uint32_t>(node.imm);
  int declared = f_[node.a].rank();
  if (from.rank < declared) {  // broadcast to the rank that the axes are counted in
    Shape full;
    full.rank = declared;
    full.extent.fill(1);
    broadcast_into(full, from);
    from = full;
  }
  bool needs_elements = node.op == Op::ReduceMin || node.op == Op::ReduceMax ||
                        node.op == Op::ReduceArgMin || node.op == Op::ReduceArgMax;
  Shape to;
  for (int k = 0; k < from.rank; ++k) {
    bool reduced = (axes >> k & 1) != 0;
    if (reduced && needs_elements && from.extent[k] == 0) {
      throw ShapeError("zero-size array to reduction operation " +
                       std::string(op_name(node.op).substr(7)) + " which has no identity");
    }
    if (!reduced)
      to.extent[to.rank++] = from.extent[k];
    else if ((node.flags & ir::kKeepDims) != 0)
      to.extent[to.rank++] = 1;
  }
  Value& v = values_[step.node];
  allocate(v, node.type, to);
  if (infer_only_) {
    v.is_known = false;
    return;
  }
  bool chunked = (node.flags & ir::kChunked) != 0;
  void* result = const_cast<void*>(v.array.data);
  if (step.stage >= 0) {
    if (fused_reduce(step, from, to.count() == 1 && !is_arg(node.op), chunked, result)) return;
    Value temporary;
    allocate(temporary, f_[node.a].type, from);
    execute(*kernel_.stages_[step.stage],
            collect(kernel_.stages_[step.stage]->stage(), step.inputs), from,
            std::span(&temporary.array, 1));
    reduce_array(node.op, temporary.array, axes, chunked, result);
    return;
  }
  StridedArray array = value(step.inputs[0]).array;
  if (array.shape.rank < from.rank) {
    int shift = from.rank - array.shape.rank;
    std::array<int64_t, kRankMax> stride{};
    for (int k = 0; k < array.shape.rank; ++k) stride[k + shift] = array.stride[k];
    array.stride = stride;
    array.shape = from;
  }
  reduce_array(node.op, array, axes, chunked, result);
}

bool Run::fused_reduce(const PlanStep& step, const Shape& domain, bool is_full, bool chunked,
                       void* result) {
  if (!is_full) return false;
  StageRunner& runner = *kernel_.stages_[step.stage];
  Operands operands = collect(runner.stage(), step.inputs);
  std::vector<const StridedArray*> all = operands.elements;
  const Node& node = f_[step.node];
  Type type = f_[node.a].type;
  StridedArray fresh;
  fresh.shape = domain;
  fresh.stride = contiguous_strides(domain, byte_size(type));
  all.push_back(&fresh);
  Axes axes = plan_axes(domain, all);
  if (axes.count != 1) return false;
  size_t element_count = operands.elements.size();
  std::vector<const void*> in(element_count);
  std::vector<int64_t> in_stride(element_count);
  for (size_t j = 0; j < element_count; ++j) in_stride[j] = axes.stride[j][0];
  void* tile = nullptr;
  int64_t out_stride = byte_size(type);
  StageCall call{in.data(),
                 in_stride.data(),
                 operands.scalars.data(),
                 operands.sources.data(),
                 &tile,
                 &out_stride,
                 nullptr,
                 0,
                 0};
  StageRunner::Prepared code = runner.prepare(call, domain.count());
  std::shared_ptr<void> memory = pool_.take(static_cast<size_t>(kFusedTile * byte_size(type)));
  auto fill = [&](int64_t first, int64_t count, void* to) {
    for (size_t j = 0; j < element_count; ++j) {
      in[j] = static_cast<const char*>(operands.elements[j]->data) + first * in_stride[j];
    }
    tile = to;
    call.n = count;
    runner.run(code, call, scratch_);
  };
  reduce_tiles(node.op, type, domain.count(), chunked, fill, memory.get(), result);
  status_ |= call.status;
  return true;
}

}  // namespace lattice::jit::internal
