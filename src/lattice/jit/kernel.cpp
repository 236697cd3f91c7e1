// SPDX-License-Identifier: MIT
// The driver: walks a plan over arrays in memory, and each stage over outer axes.
#include "lattice/jit/kernel.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <unordered_map>

#if defined(__SSE2__)
#include <xmmintrin.h>
#else
#include <cfenv>
#endif

#include "lattice/jit/compiler.hpp"
#include "lattice/jit/internal/reduce_ops.hpp"
#include "lattice/jit/internal/stage_runner.hpp"
#include "lattice/jit/interpreter.hpp"
#include "lattice/jit/ir/canonical.hpp"
#include "lattice/jit/ir/text.hpp"
#include "lattice/jit/schedule.hpp"

namespace lattice::jit {

using internal::StridedArray;
using ir::Function;
using ir::kNone;
using ir::kRankMax;
using ir::Node;
using ir::NodeId;
using ir::RegionId;

namespace {

// IEEE flags that the run raises, as NumPy's warnings report them.
class FpFlags {
 public:
#if defined(__SSE2__)
  // Writing the register is slow, and mostly there is nothing to clear but "inexact".
  FpFlags() : saved_(_mm_getcsr()) {
    if ((saved_ & kReported) != 0) _mm_setcsr(saved_ & ~kReported);
  }
  uint32_t end() {
    uint32_t raised = _mm_getcsr();
    if ((saved_ & kReported) != 0) _mm_setcsr(saved_ | (raised & 0x3f));
    return ((raised & 1) != 0 ? uint32_t{kStatusFpInvalid} : 0) |
           ((raised & 4) != 0 ? uint32_t{kStatusFpDivide} : 0) |
           ((raised & 8) != 0 ? uint32_t{kStatusFpOverflow} : 0) |
           ((raised & 16) != 0 ? uint32_t{kStatusFpUnderflow} : 0);
  }

 private:
  static constexpr uint32_t kReported = 1 | 4 | 8 | 16;
  uint32_t saved_;
#else
  FpFlags() { std::feclearexcept(FE_ALL_EXCEPT); }
  uint32_t end() {
    int raised = std::fetestexcept(FE_ALL_EXCEPT);
    return ((raised & FE_INVALID) != 0 ? uint32_t{kStatusFpInvalid} : 0) |
           ((raised & FE_DIVBYZERO) != 0 ? uint32_t{kStatusFpDivide} : 0) |
           ((raised & FE_OVERFLOW) != 0 ? uint32_t{kStatusFpOverflow} : 0) |
           ((raised & FE_UNDERFLOW) != 0 ? uint32_t{kStatusFpUnderflow} : 0);
  }
#endif
};

std::string shape_text(const Shape& shape) {
  std::string text = "(";
  for (int k = 0; k < shape.rank; ++k) {
    text += std::to_string(shape.extent[k]);
    if (k + 1 < shape.rank || shape.rank == 1) text += ",";
    if (k + 1 < shape.rank) text += " ";
  }
  return text + ")";
}

void broadcast_into(Shape& shape, const Shape& other) {
  int rank = std::max(shape.rank, other.rank);
  Shape out;
  out.rank = rank;
  for (int k = 0; k < rank; ++k) {
    int a = k - (rank - shape.rank);
    int b = k - (rank - other.rank);
    int64_t x = a < 0 ? 1 : shape.extent[a];
    int64_t y = b < 0 ? 1 : other.extent[b];
    if (x != y && x != 1 && y != 1) {
      throw ShapeError("operands could not be broadcast together with shapes " + shape_text(shape) +
                       " " + shape_text(other));
    }
    out.extent[k] = x == 1 ? y : x;
  }
  shape = out;
}

std::array<int64_t, kRankMax> contiguous_strides(const Shape& shape, int bytes) {
  std::array<int64_t, kRankMax> stride{};
  int64_t each = bytes;
  for (int k = shape.rank; k-- > 0;) {
    stride[k] = each;
    each *= shape.extent[k];
  }
  return stride;
}

// Memory that a run reuses between its steps.
class BufferPool {
 public:
  ~BufferPool() {
    for (auto& [bytes, list] : free_) {
      for (void* memory : list) std::free(memory);
    }
  }
  std::shared_ptr<void> take(size_t bytes) {
    bytes = std::max<size_t>((bytes + 63) / 64 * 64, 64);
    std::vector<void*>& list = free_[bytes];
    void* memory = nullptr;
    if (list.empty()) {
      memory = std::aligned_alloc(64, bytes);
      if (memory == nullptr) throw std::bad_alloc();
    } else {
      memory = list.back();
      list.pop_back();
    }
    return std::shared_ptr<void>(memory, [this, bytes](void* p) { free_[bytes].push_back(p); });
  }

 private:
  std::unordered_map<size_t, std::vector<void*>> free_;
};

struct Value {
  StridedArray array;
  std::shared_ptr<void> owner;
  Bits bits = 0;          // of a scalar; array.data points here
  bool is_set = false;    // the shape is known
  bool is_known = false;  // the elements are
};

// The smallest and one past the largest byte that an array touches.
std::pair<const char*, const char*> byte_range(const ArrayView& view) {
  const char* low = static_cast<const char*>(view.data);
  const char* high = low + byte_size(view.type);
  for (int k = 0; k < view.rank; ++k) {
    if (view.extent[k] == 0) return {low, low};
    int64_t reach = view.stride[k] * (view.extent[k] - 1);
    (reach < 0 ? low : high) += reach;
  }
  return {low, high};
}

// C order without gaps; an axis of one element may have any stride.
bool is_contiguous(const ArrayView& view) {
  int64_t each = byte_size(view.type);
  for (int k = view.rank; k-- > 0;) {
    if (view.extent[k] != 1 && view.stride[k] != each) return false;
    each *= view.extent[k];
  }
  return true;
}

bool same_layout(const ArrayView& x, const ArrayView& y) {
  if (x.data != y.data || x.rank != y.rank || byte_size(x.type) != byte_size(y.type)) return false;
  for (int k = 0; k < x.rank; ++k) {
    if (x.extent[k] != y.extent[k] || (x.extent[k] > 1 && x.stride[k] != y.stride[k])) return false;
  }
  return true;
}

}  // namespace

class CompiledKernel final : public Kernel {
 public:
  CompiledKernel(Function function, const CompileOptions& options)
      : options_(options),
        source_(std::move(function)),
        optimised_(optimise(source_)),
        hash_(ir::content_hash(source_)) {
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
      scalar_ = std::make_unique<internal::StageRunner>(std::move(stage), options_);
    } else {
      Schedule plan = schedule(f);
      for (Stage& stage : plan.stages) {
        stages_.push_back(std::make_unique<internal::StageRunner>(std::move(stage), options_));
      }
      plan_ = std::move(plan.plan);
      plan_flat();
    }
  }

  const Function& source() const noexcept override { return source_; }
  const Function& optimised() const noexcept override { return optimised_.function; }
  void infer(std::span<const ArrayView> args, std::span<Shape> outputs) const override;
  uint32_t run(std::span<const ArrayView> args, std::span<const ArrayView> outputs) override;
  bool is_flat() const noexcept override { return flat_.is_flat; }
  bool run_flat(const void* const* args, void* const* outputs, int64_t n,
                uint32_t& status) noexcept override;
  ScalarEntry scalar_entry() override {
    return {scalar_ == nullptr ? nullptr : scalar_->scalar_code()};
  }
  uint32_t run_scalar(const Bits* args, Bits* results) override;
  Tier tier() const noexcept override;
  std::string ir() const override;
  std::string assembly() const override;
  std::string explain() const override;
  std::span<const uint8_t, 16> content_hash() const noexcept override { return hash_; }

 private:
  friend class Run;

  // More operands or outputs go through the driver.
  static constexpr size_t kFlatMax = 16;

  // What run_flat() needs to know of a plan that is one stage over arrays of one shape: where the
  // stage's operands and outputs come from in the caller's lists.
  struct Flat {
    struct Array {
      uint16_t argument;
      uint16_t bytes;  // of an element
    };
    struct Scalar {
      int32_t argument;  // -1: a constant
      uint32_t bytes;
      Bits bits;
    };
    bool is_flat = false;
    std::vector<Array> arrays;     // every argument of rank > 0
    std::vector<uint16_t> inputs;  // by Element slot: the argument
    std::vector<Scalar> scalars;   // by Scalar slot
    std::vector<Array> outputs;    // by output of the stage: the kernel's
    std::vector<int64_t> in_stride;
    std::vector<int64_t> out_stride;
  };
  void plan_flat();
  bool run_views_flat(std::span<const ArrayView> args, std::span<const ArrayView> outputs,
                      uint32_t& status) noexcept;

  // Scalars throughout, so the whole function is one call.
  static bool is_one_stage(const Function& f) {
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

  CompileOptions options_;
  Function source_;
  Optimised optimised_;
  std::vector<std::unique_ptr<internal::StageRunner>> stages_;
  Plan plan_;
  Flat flat_;
  std::unique_ptr<internal::StageRunner> scalar_;
  ir::ContentHash hash_;
  // Lanes that the program would not have computed may raise flags: then none are reported.
  uint32_t reported_ = ~uint32_t{0};
};

// One call of a kernel: values by node, and where they lie.
class Run {
 public:
  Run(const CompiledKernel& kernel, std::span<const ArrayView> args,
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
    if (!infer_only_) plan_outputs();
  }

  uint32_t run() {
    plan(kernel_.plan_);
    for (size_t k = 0; k < outputs_.size(); ++k) finish_output(k);
    return status_;
  }

  void infer(std::span<Shape> shapes) {
    plan(kernel_.plan_);
    for (size_t k = 0; k < shapes.size(); ++k) shapes[k] = value(f_.outputs()[k]).array.shape;
  }

 private:
  // Which outputs may be written in place of a temporary.
  void plan_outputs() {
    if (outputs_.size() != f_.outputs().size()) {
      throw ShapeError("jit: " + std::to_string(f_.outputs().size()) + " outputs expected, " +
                       std::to_string(outputs_.size()) + " given");
    }
    bool one_step = kernel_.plan_.steps.size() == 1;
    for (size_t k = 0; k < outputs_.size(); ++k) {
      NodeId node = f_.outputs()[k];
      if (outputs_[k].type != f_[node].type) {
        throw ShapeError("jit: output " + std::to_string(k) + " must be " +
                         std::string(type_name(f_[node].type)));
      }
      if (direct_.count(node) != 0) continue;  // the same value twice: copied
      bool direct = true;
      auto [low, high] = byte_range(outputs_[k]);
      for (const ArrayView& arg : args_) {
        if (arg.rank == 0) continue;
        auto [arg_low, arg_high] = byte_range(arg);
        if (arg_low >= high || low >= arg_high) continue;
        // In place is fine when element i is read before it is written, and by nothing later.
        direct = direct && one_step && same_layout(arg, outputs_[k]) && !has_sources();
      }
      if (direct) direct_[node] = static_cast<int>(k);
    }
  }

  bool has_sources() const {
    const PlanStep& step = kernel_.plan_.steps[0];
    if (step.stage < 0) return true;
    for (const StageOperand& operand : kernel_.stages_[step.stage]->stage().operands) {
      if (operand.kind == OperandKind::Source) return true;
    }
    return false;
  }

  void finish_output(size_t k) {
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
        stride[j] =
            from_axis < 0 || array.shape.extent[from_axis] == 1 ? 0 : array.stride[from_axis];
      }
      array.shape = shape;
      array.stride = stride;
    }
    internal::copy_array(array, out.data, out.stride);
  }

  [[noreturn]] static void wrong_output(size_t k, const Shape& made, const Shape& given) {
    throw ShapeError("jit: output " + std::to_string(k) + " has shape " + shape_text(made) +
                     ", but the array for it has shape " + shape_text(given));
  }

  static Shape shape_of(const ArrayView& view) {
    Shape shape;
    shape.rank = view.rank;
    std::copy_n(view.extent, view.rank, shape.extent.begin());
    return shape;
  }

  // The value of a node that is in memory.
  Value& value(NodeId id) {
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

  static void set_scalar(Value& v, Type type, Bits bits) {
    v.array = StridedArray{};
    v.array.type = type;
    v.bits = bits;
    v.array.data = &v.bits;
    v.owner = nullptr;
    v.is_set = v.is_known = true;
  }

  // A C-contiguous temporary (or a scalar) of a shape.
  void allocate(Value& v, Type type, const Shape& shape) {
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

  void assign(NodeId to, const Value& from) {
    Value& v = values_[to];
    if (&v == &from) return;
    bool is_scalar = from.array.data == &from.bits;
    v = from;
    if (is_scalar) v.array.data = &v.bits;
  }

  Shape broadcast(const std::vector<NodeId>& leaves) {
    Shape shape;
    for (NodeId leaf : leaves) broadcast_into(shape, value(leaf).array.shape);
    return shape;
  }

  void plan(const Plan& plan) {
    for (const PlanStep& step : plan.steps) run_step(step);
  }

  void run_step(const PlanStep& step) {
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

  // --- stages ---

  struct Axes {
    int count = 0;
    std::array<int64_t, kRankMax> extent{};
    // By operand (Element slots, then outputs).
    std::vector<std::array<int64_t, kRankMax>> stride;
  };

  // Operands in the axes of a domain: broadcast axes have stride 0; order by the first output's
  // strides, so that memory is walked as it lies; neighbouring axes merged where every operand
  // allows.
  static Axes plan_axes(const Shape& domain, std::span<const StridedArray* const> operands) {
    Axes axes;
    axes.stride.resize(operands.size());
    std::array<int, kRankMax> order{};
    int rank = 0;
    for (int k = 0; k < domain.rank; ++k) {
      if (domain.extent[k] != 1) order[rank++] = k;
    }
    auto stride_of = [&](size_t j, int axis) -> int64_t {
      const StridedArray& array = *operands[j];
      int own = axis - (domain.rank - array.shape.rank);
      return own < 0 || array.shape.extent[own] == 1 ? 0 : array.stride[own];
    };
    if (!operands.empty()) {
      size_t last = operands.size() - 1;
      std::stable_sort(order.begin(), order.begin() + rank, [&](int x, int y) {
        return std::abs(stride_of(last, x)) > std::abs(stride_of(last, y));
      });
    }
    for (int i = 0; i < rank; ++i) {
      int axis = order[i];
      bool merges = axes.count > 0;
      for (size_t j = 0; j < operands.size() && merges; ++j) {
        merges = axes.stride[j][axes.count - 1] == stride_of(j, axis) * domain.extent[axis];
      }
      int at = merges ? axes.count - 1 : axes.count++;
      axes.extent[at] = (merges ? axes.extent[at] : 1) * domain.extent[axis];
      for (size_t j = 0; j < operands.size(); ++j) axes.stride[j][at] = stride_of(j, axis);
    }
    if (axes.count == 0) {
      axes.count = 1;
      axes.extent[0] = 1;
    }
    return axes;
  }

  struct Operands {
    std::vector<const StridedArray*> elements;
    std::vector<Bits> scalars;
    std::vector<SourceArray> sources;
    bool known = true;
  };

  Operands collect(const Stage& stage, const std::vector<NodeId>& inputs) {
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

  void execute(internal::StageRunner& runner, const Operands& operands, const Shape& domain,
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
    internal::StageRunner::Prepared code = runner.prepare(call, domain.count());
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

  void map(const PlanStep& step) {
    internal::StageRunner& runner = *kernel_.stages_[step.stage];
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

  // --- the other steps ---

  void reduce(const PlanStep& step) {
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
      internal::reduce_array(node.op, temporary.array, axes, chunked, result);
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
    internal::reduce_array(node.op, array, axes, chunked, result);
  }

  static bool is_arg(Op op) noexcept { return op == Op::ReduceArgMin || op == Op::ReduceArgMax; }

  // A full reduction whose operands lie in one run is computed tile by tile.
  bool fused_reduce(const PlanStep& step, const Shape& domain, bool is_full, bool chunked,
                    void* result) {
    if (!is_full) return false;
    internal::StageRunner& runner = *kernel_.stages_[step.stage];
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
    internal::StageRunner::Prepared code = runner.prepare(call, domain.count());
    std::shared_ptr<void> memory =
        pool_.take(static_cast<size_t>(internal::kFusedTile * byte_size(type)));
    auto fill = [&](int64_t first, int64_t count, void* to) {
      for (size_t j = 0; j < element_count; ++j) {
        in[j] = static_cast<const char*>(operands.elements[j]->data) + first * in_stride[j];
      }
      tile = to;
      call.n = count;
      runner.run(code, call, scratch_);
    };
    internal::reduce_tiles(node.op, type, domain.count(), chunked, fill, memory.get(), result);
    status_ |= call.status;
    return true;
  }

  void scan(const PlanStep& step) {
    const Node& node = f_[step.node];
    Value& from = value(step.inputs[0]);
    Value& v = values_[step.node];
    allocate(v, node.type, from.array.shape);
    if (infer_only_) return;
    internal::scan_array(node.op, from.array, static_cast<int>(node.imm),
                         const_cast<void*>(v.array.data));
  }

  void scatter(const PlanStep& step) {
    const Node& node = f_[step.node];
    Value& base = value(step.inputs[0]);
    StridedArray index = value(step.inputs[1]).array;
    StridedArray from = value(step.inputs[2]).array;
    Value& v = values_[step.node];
    allocate(v, node.type, base.array.shape);
    if (infer_only_) return;
    internal::copy_array(base.array, const_cast<void*>(v.array.data), v.array.stride.data());
    Shape both = index.shape;
    broadcast_into(both, from.shape);
    if (!(both == index.shape) && index.shape.count() == 1) {
      index.stride = {};
      index.shape = both;
    }
    status_ |= internal::scatter_elements(static_cast<ir::ScatterMode>(node.imm), node.type,
                                          const_cast<void*>(v.array.data), v.array.shape.extent[0],
                                          index, from);
  }

  void view(const PlanStep& step) {
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

  void transpose(const PlanStep& step) {
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

  void extent(const PlanStep& step) {
    const Node& node = f_[step.node];
    Shape shape = broadcast(step.leaves);
    int shift = f_[node.a].rank() - shape.rank;
    int64_t n = 1;
    for (int k = shift; k < f_[node.a].rank(); ++k) {
      if ((node.imm >> k & 1) != 0) n *= shape.extent[k - shift];
    }
    set_scalar(values_[step.node], Type::I64, static_cast<Bits>(n));
  }

  void iota(const PlanStep& step) {
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

  void set_results(const PlanStep& step, const std::vector<NodeId>& from) {
    for (NodeId result : step.outputs) assign(result, value(from[f_[result].imm]));
  }

  static bool truth(const Value& v) { return *static_cast<const uint8_t*>(v.array.data) != 0; }

  void loop(const PlanStep& step) {
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
    if (infer_only_) {
      for (NodeId arg : body.args) values_[arg].is_known = false;
      plan(*step.condition);
      plan(*step.body);
      carry();
      for (NodeId arg : body.args) values_[arg].is_known = false;
    } else {
      for (;;) {
        plan(*step.condition);
        if (!truth(value(f_[exit].a))) break;
        plan(*step.body);
        carry();
      }
    }
    set_results(step, body.args);
  }

  void branch(const PlanStep& step) {
    const Node& node = f_[step.node];
    const Value& condition = value(node.a);
    bool yes = infer_only_ ? !condition.is_known || truth(condition) : truth(condition);
    plan(yes ? *step.body : *step.otherwise);
    set_results(step, f_.regions[yes ? node.b : node.c].yields);
  }

  const CompiledKernel& kernel_;
  const Function& f_;
  std::span<const ArrayView> args_;
  std::span<const ArrayView> outputs_;
  bool infer_only_;
  uint32_t status_ = 0;
  BufferPool pool_;
  std::vector<Value> values_;
  std::unordered_map<NodeId, int> direct_;
  TileScratch scratch_;
};

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
  if (code == nullptr) return false;
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
      if (from != low || array.bytes != output.bytes) return false;
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
std::string CompiledKernel::assembly() const { return {}; }

std::string CompiledKernel::explain() const {
  std::string text;
  for (const PassReport& report : optimised_.passes) {
    text += report.pass + ": " + std::to_string(report.nodes_before) + " -> " +
            std::to_string(report.nodes_after) + " nodes\n";
  }
  return text;
}

std::shared_ptr<Kernel> Kernel::compile(ir::Function function, const CompileOptions& options) {
  return std::make_shared<CompiledKernel>(std::move(function), options);
}

}  // namespace lattice::jit
