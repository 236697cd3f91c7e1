// SPDX-License-Identifier: MIT
// The steps that run stages: element-wise maps and reductions of them.
#include <algorithm>
#include <atomic>
#include <cstring>

#include "lattice/jit/internal/fp_flags.hpp"
#include "lattice/jit/internal/parallel_reduce.hpp"
#include "lattice/jit/internal/run.hpp"
#include "lattice/jit/ir/scalar_ops.hpp"
#include "lattice/jit/thread_pool.hpp"

namespace lattice::jit::internal {

using ir::kNone;
using ir::kRankMax;
using ir::Node;
using ir::NodeId;

namespace {

bool is_arg(Op op) noexcept { return op == Op::ReduceArgMin || op == Op::ReduceArgMax; }

// Time to read and add, per byte that a fused reduction reads.
constexpr double kNsPerReducedByte = 0.02;

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
                  std::span<const StridedArray> outputs, bool is_last) {
  WalkStatus status = walk_stage(runner, operands, domain, outputs,
                                 {.threads = threads_, .streams = is_last}, scratch_);
  status_ |= status.stage | (status.flags & kernel_.reported_);
}

void Run::map(const PlanStep& step) {
  StageRunner& runner = *kernel_.stages_[step.stage];
  Shape domain = broadcast(step.leaves);
  Operands operands = collect(runner.stage(), step.inputs);
  std::vector<StridedArray> outputs;
  bool is_last = kernel_.plan_.steps.size() == 1;
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
    is_last = false;
    outputs.push_back(v.array);
  }
  if (infer_only_ && (!operands.known || domain.rank != 0)) {
    for (NodeId id : step.outputs) {
      values_[id].is_known = false;
      Bits bits = 0;
      // A length may stand in one stage with what only the run knows.
      if (domain.rank == 0 && f_[id].type == Type::I64 && known_scalar(id, bits, 64)) {
        set_scalar(values_[id], Type::I64, bits);
      }
    }
    return;
  }
  execute(runner, operands, domain, outputs, is_last);
}

bool Run::known_scalar(NodeId id, Bits& bits, int depth) {
  const Node& node = f_[id];
  if (depth == 0 || node.rank() != 0) return false;
  if (node.op == Op::Const || node.op == Op::Param || values_[id].is_known) {
    bits = value(id).bits;
    return true;
  }
  if (!is_elementwise(node.op) || node.op == Op::Lookup) return false;
  Bits operands[3] = {};
  const NodeId from[3] = {node.a, node.b, node.c};
  for (int k = 0; k < 3; ++k) {
    if (from[k] != kNone && !known_scalar(from[k], operands[k], depth - 1)) return false;
  }
  uint32_t status = 0;
  const Type type = f_[node.op == Op::Select ? node.b : node.a].type;
  bits = scalar::evaluate(node.op, type, node.type, node.checked(), operands[0], operands[1],
                          operands[2], status);
  return true;
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
            std::span(&temporary.array, 1), false);
    status_ |= kernel_.reported_ &
               reduce_array_on_threads(node.op, temporary.array, axes, chunked, result, threads_);
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
  status_ |=
      kernel_.reported_ & reduce_array_on_threads(node.op, array, axes, chunked, result, threads_);
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
  int64_t n = domain.count();
  size_t element_count = operands.elements.size();
  std::vector<int64_t> in_stride(element_count);
  double bytes_read = 0;
  for (size_t j = 0; j < element_count; ++j) {
    in_stride[j] = axes.stride[j][0];
    bytes_read += byte_size(operands.elements[j]->type);
  }
  int64_t out_stride = byte_size(type);
  auto call_of = [&](const std::vector<const void*>& in, void*& tile) {
    return StageCall{in.data(),
                     in_stride.data(),
                     operands.scalars.data(),
                     operands.sources.data(),
                     &tile,
                     &out_stride,
                     nullptr,
                     0,
                     0};
  };
  StageRunner::Prepared code;
  {
    std::vector<const void*> in;
    void* tile = nullptr;
    code = runner.prepare(call_of(in, tile), n);
  }
  auto tile_bytes = static_cast<size_t>(kFusedTile * byte_size(type));
  // The elements [first, last) into one result.
  auto reduce_piece = [&](int64_t first, int64_t last, TileScratch& scratch, void* memory,
                          void* to) {
    std::vector<const void*> in(element_count);
    void* tile = nullptr;
    StageCall call = call_of(in, tile);
    auto fill = [&](int64_t at, int64_t count, void* target) {
      for (size_t j = 0; j < element_count; ++j) {
        in[j] = static_cast<const char*>(operands.elements[j]->data) + (first + at) * in_stride[j];
      }
      tile = target;
      call.n = count;
      runner.run(code, call, scratch);
    };
    reduce_tiles(node.op, type, last - first, chunked, fill, memory, to);
    return call.status;
  };
  std::vector<int64_t> starts = reduction_pieces(node.op, type, n, chunked);
  auto count = static_cast<int64_t>(starts.size()) - 1;
  if (count == 1) {
    std::shared_ptr<void> memory = pool_.take(tile_bytes);
    status_ |= reduce_piece(0, n, scratch_, memory.get(), result);
    return true;
  }
  auto bytes = static_cast<size_t>(byte_size(type));
  std::vector<Bits> partial((static_cast<size_t>(count) * bytes + 7) / 8);
  Chunks chunks =
      plan_chunks(n, runner.ns_per_element(code) + kNsPerReducedByte * bytes_read, threads_);
  auto participants = static_cast<size_t>(chunks.threads);
  std::vector<TileScratch> scratches(participants);
  std::vector<std::shared_ptr<void>> tiles;
  for (size_t k = 0; k < participants; ++k) tiles.push_back(pool_.take(tile_bytes));
  std::atomic<uint32_t> of_stage{0};
  std::atomic<uint32_t> of_flags{0};
  FpControl control;
  ThreadPool::instance().run(count, chunks.threads, [&](int64_t k, int participant) {
    auto at = static_cast<size_t>(k);
    auto who = static_cast<size_t>(participant);
    uint32_t status = 0;
    uint32_t flags = control.call([&] {
      status = reduce_piece(starts[at], starts[at + 1], scratches[who], tiles[who].get(),
                            reinterpret_cast<char*>(partial.data()) + at * bytes);
    });
    of_stage.fetch_or(status, std::memory_order_relaxed);
    of_flags.fetch_or(flags, std::memory_order_relaxed);
  });
  combine_pieces(node.op, type, n, chunked, partial.data(), count, result);
  status_ |= of_stage.load(std::memory_order_relaxed) |
             (of_flags.load(std::memory_order_relaxed) & kernel_.reported_);
  return true;
}

}  // namespace lattice::jit::internal
