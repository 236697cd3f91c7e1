// SPDX-License-Identifier: MIT
// The steps that run no stage: views, scans, scatters, loops and branches of whole arrays.
#include <algorithm>
#include <cstring>
#include <string>

#include "lattice/jit/internal/run.hpp"

namespace lattice::jit::internal {

using ir::kNone;
using ir::kRankMax;
using ir::Node;
using ir::NodeId;

namespace {

bool truth(const StridedArray& v) { return *static_cast<const uint8_t*>(v.data) != 0; }

}  // namespace

void Run::scan(const PlanStep& step) {
  const Node& node = f_[step.node];
  Value& from = value(step.inputs[0]);
  Value& v = values_[step.node];
  allocate(v, node.type, from.array.shape);
  if (infer_only_) return;
  scan_array(node.op, from.array, static_cast<int>(node.imm), const_cast<void*>(v.array.data));
}

void Run::scatter(const PlanStep& step) {
  const Node& node = f_[step.node];
  Value& base = value(step.inputs[0]);
  StridedArray index = value(step.inputs[1]).array;
  StridedArray from = value(step.inputs[2]).array;
  Value& v = values_[step.node];
  if (step.may_overwrite && !infer_only_ && base.owner.use_count() == 1 &&
      base.array.data == base.owner.get() &&
      base.array.stride == contiguous_strides(base.array.shape, byte_size(node.type))) {
    v = base;
    base.owner.reset();
  } else {
    allocate(v, node.type, base.array.shape);
    if (infer_only_) return;
    copy_array(base.array, const_cast<void*>(v.array.data), v.array.stride.data());
  }
  Shape both = index.shape;
  broadcast_into(both, from.shape);
  if (!(both == index.shape) && index.shape.count() == 1) {
    index.stride = {};
    index.shape = both;
  }
  status_ |=
      scatter_elements(static_cast<ir::ScatterMode>(node.imm), node.type,
                       const_cast<void*>(v.array.data), v.array.shape.extent[0], index, from);
}

void Run::view(const PlanStep& step) {
  const Node& node = f_[step.node];
  const Value& from = value(step.inputs[0]);
  Value& v = values_[step.node];
  Shape shape;
  std::array<int64_t, kRankMax> stride{};
  int64_t offset = 0;
  int axis = 0;
  for (const ir::ViewItem& item : f_.views[node.imm]) {
    using Kind = ir::ViewItem::Kind;
    if (item.kind == Kind::NewAxis) {
      shape.extent[shape.rank++] = 1;
      continue;
    }
    int64_t n = from.array.shape.extent[axis];
    int64_t each = from.array.stride[axis];
    if (item.kind == Kind::Index) {
      int64_t index = item.start < 0 ? item.start + n : item.start;
      if (index < 0 || index >= n) {
        throw ShapeError("index " + std::to_string(item.start) + " is out of bounds for axis " +
                         std::to_string(axis) + " with size " + std::to_string(n));
      }
      offset += index * each;
    } else {
      // As Python's slice.indices().
      int64_t low = item.step > 0 ? 0 : -1;
      int64_t high = item.step > 0 ? n : n - 1;
      auto clamp = [&](int64_t at) { return std::clamp(at < 0 ? at + n : at, low, high); };
      int64_t start = item.has_start ? clamp(item.start) : (item.step > 0 ? low : high);
      int64_t stop = item.has_stop ? clamp(item.stop) : (item.step > 0 ? high : low);
      int64_t count = item.step > 0 ? (stop - start + item.step - 1) / item.step
                                    : (start - stop - item.step - 1) / -item.step;
      count = std::max<int64_t>(count, 0);
      if (count > 0) offset += start * each;
      stride[shape.rank] = each * item.step;
      shape.extent[shape.rank++] = count;
    }
    ++axis;
  }
  v.owner = from.owner;
  v.bits = from.bits;
  v.array.type = node.type;
  v.array.shape = shape;
  v.array.stride = stride;
  v.array.data =
      from.array.data == nullptr ? nullptr : static_cast<const char*>(from.array.data) + offset;
  v.is_set = true;
  v.is_known = from.is_known;
  if (shape.rank == 0 && v.is_known) {
    Bits bits = 0;
    std::memcpy(&bits, v.array.data, static_cast<size_t>(byte_size(node.type)));
    set_scalar(v, node.type, bits);
  }
}

void Run::transpose(const PlanStep& step) {
  const Node& node = f_[step.node];
  assign(step.node, value(step.inputs[0]));
  Value& v = values_[step.node];
  StridedArray from = v.array;
  for (int k = 0; k < from.shape.rank; ++k) {
    int axis = static_cast<int>(node.imm >> (4 * k) & 15);
    v.array.shape.extent[k] = from.shape.extent[axis];
    v.array.stride[k] = from.stride[axis];
  }
}

void Run::extent(const PlanStep& step) {
  const Node& node = f_[step.node];
  Shape shape = broadcast(step.leaves);
  int shift = f_[node.a].rank() - shape.rank;
  int64_t n = 1;
  for (int k = shift; k < f_[node.a].rank(); ++k) {
    if ((node.imm >> k & 1) != 0) n *= shape.extent[k - shift];
  }
  set_scalar(values_[step.node], Type::I64, static_cast<Bits>(n));
}

void Run::iota(const PlanStep& step) {
  const Node& node = f_[step.node];
  const Value& length = value(step.inputs[0]);
  if (!length.is_known) {
    throw CompileError("jit: the length of an arange depends on array elements");
  }
  Shape shape;
  shape.rank = 1 + static_cast<int>(node.imm);
  shape.extent.fill(1);
  shape.extent[0] = std::max<int64_t>(0, static_cast<int64_t>(length.bits));
  if (shape.extent[0] > (int64_t{1} << 40)) throw ShapeError("jit: arange of that length");
  Value& v = values_[step.node];
  allocate(v, Type::I64, shape);
  if (infer_only_) return;
  auto* out = static_cast<int64_t*>(const_cast<void*>(v.array.data));
  for (int64_t i = 0; i < shape.extent[0]; ++i) out[i] = i;
}

void Run::set_results(const PlanStep& step, const std::vector<NodeId>& from) {
  for (NodeId result : step.outputs) assign(result, value(from[f_[result].imm]));
}

void Run::loop(const PlanStep& step) {
  const Node& node = f_[step.node];
  const ir::Region& body = f_.regions[node.c];
  NodeId exit = kNone;
  for (NodeId id : body.nodes) {
    if (f_[id].op == Op::Exit) exit = id;
  }
  std::span<const NodeId> inits = f_.inits(node);
  std::vector<Value> next(inits.size());
  for (size_t k = 0; k < inits.size(); ++k) assign(body.args[k], value(inits[k]));
  auto carry = [&] {
    for (size_t k = 0; k < inits.size(); ++k) {
      Value& from = value(body.yields[k]);
      bool is_scalar = from.array.data == &from.bits;
      next[k] = from;
      if (is_scalar) next[k].array.data = &next[k].bits;
    }
    for (size_t k = 0; k < inits.size(); ++k) assign(body.args[k], next[k]);
  };
  // Then only the arguments of the next round hold the arrays, which may be overwritten.
  auto release = [&] {
    for (size_t k = 0; k < inits.size(); ++k) {
      next[k].owner.reset();
      const NodeId yield = body.yields[k];
      const bool is_arg = std::find(body.args.begin(), body.args.end(), yield) != body.args.end();
      if (f_[yield].region == node.c && !is_arg) values_[yield].owner.reset();
    }
  };
  if (infer_only_) {
    // Lengths inside are those of the first round.
    plan(*step.condition);
    plan(*step.body);
    carry();
    for (NodeId arg : body.args) values_[arg].is_known = false;
  } else {
    for (;;) {
      plan(*step.condition);
      if (!truth(value(f_[exit].a).array)) break;
      plan(*step.body);
      carry();
      release();
    }
  }
  set_results(step, body.args);
}

void Run::branch(const PlanStep& step) {
  const Node& node = f_[step.node];
  const Value& condition = value(node.a);
  bool yes = infer_only_ ? !condition.is_known || truth(condition.array) : truth(condition.array);
  plan(yes ? *step.body : *step.otherwise);
  set_results(step, f_.regions[yes ? node.b : node.c].yields);
}

}  // namespace lattice::jit::internal
