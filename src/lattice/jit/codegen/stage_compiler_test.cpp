// SPDX-License-Identifier: MIT
// Machine code against ir/scalar_ops, lane by lane: every operation and type, random programs with
// loops and ifs, lengths around vector edges, strides, buffers that end at a page nobody may touch.
#include "lattice/jit/codegen/stage_compiler.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "lattice/jit/ir/builder.hpp"
#include "lattice/jit/ir/scalar_ops.hpp"
#include "lattice/jit/ir/text.hpp"
#include "lattice/jit/passes/expand_math.hpp"

namespace lattice::jit {
namespace {

using ir::Builder;
using ir::kNone;
using ir::Node;
using ir::NodeId;
using ir::RegionId;
using Random = std::mt19937_64;

constexpr Type kTypes[] = {Type::Bool, Type::I8,  Type::I16, Type::I32, Type::I64, Type::U8,
                           Type::U16,  Type::U32, Type::U64, Type::F32, Type::F64};

// --- the oracle: one lane at a time --------------------------------------------------------------

class LaneOracle {
 public:
  LaneOracle(const Stage& stage, const StageCall& call, int64_t lane)
      : stage_(stage), call_(call), lane_(lane), values_(stage.body.nodes.size()) {}

  std::vector<Bits> run(uint32_t& status) {
    region(0);
    status |= status_;
    std::vector<Bits> out;
    for (const NodeId id : stage_.body.outputs()) out.push_back(values_[id]);
    return out;
  }

 private:
  static Bits read(Type type, const void* from) {
    Bits bits = 0;
    std::memcpy(&bits, from, static_cast<size_t>(byte_size(type)));
    return bits;
  }

  bool region(RegionId id) {
    const ir::Function& f = stage_.body;
    for (const NodeId at : f.regions[id].nodes) {
      const Node& n = f[at];
      const auto value = [&](NodeId operand) { return operand == kNone ? 0 : values_[operand]; };
      switch (n.op) {
        case Op::Const:
          values_[at] = n.imm;
          break;
        case Op::Param: {
          const StageOperand& operand = stage_.operands[n.imm];
          if (operand.kind == OperandKind::Scalar) values_[at] = call_.scalar[operand.slot];
          if (operand.kind == OperandKind::Element) {
            values_[at] = read(operand.type, static_cast<const std::byte*>(call_.in[operand.slot]) +
                                                 lane_ * call_.in_stride[operand.slot]);
          }
          break;
        }
        case Op::LaneIndex:
          values_[at] = call_.index[n.imm] + (n.imm == 0 ? lane_ : 0);
          break;
        case Op::Lookup:
          values_[at] = f.tables[n.imm].values[values_[n.a] % f.tables[n.imm].values.size()];
          break;
        case Op::Gather:
          gather(at, n);
          break;
        case Op::Arg:
        case Op::Result:
          break;
        case Op::Exit:
          if ((values_[n.a] & 1) == 0) return false;
          break;
        case Op::Guard:
          if ((values_[n.a] & 1) == 0) status_ |= kStatusGuard;
          break;
        case Op::Loop: {
          const auto& body = f.regions[n.c];
          const auto inits = f.inits(n);
          std::vector<Bits> next;
          for (const NodeId init : inits) next.push_back(values_[init]);
          for (;;) {
            for (size_t k = 0; k < next.size(); ++k) values_[body.args[k]] = next[k];
            if (!region(n.c)) break;
            for (size_t k = 0; k < next.size(); ++k) next[k] = values_[body.yields[k]];
          }
          results(at, body.args);
          break;
        }
        case Op::If: {
          const RegionId side = (values_[n.a] & 1) != 0 ? n.b : n.c;
          region(side);
          results(at, f.regions[side].yields);
          break;
        }
        default: {
          const Type type = op_info(n.op).operand_count == 0 ? n.type
                            : n.op == Op::Select             ? n.type
                                                             : f[n.a].type;
          values_[at] = scalar::evaluate(n.op, type, n.type, n.checked(), value(n.a), value(n.b),
                                         value(n.c), status_);
        }
      }
    }
    return true;
  }

  void results(NodeId owner, const std::vector<NodeId>& from) {
    for (size_t id = 0; id < stage_.body.nodes.size(); ++id) {
      const Node& n = stage_.body.nodes[id];
      if (n.op == Op::Result && n.a == owner) values_[id] = values_[from[n.imm]];
    }
  }

  void gather(NodeId at, const Node& n) {
    const ir::Function& f = stage_.body;
    const StageOperand& operand = stage_.operands[f[n.a].imm];
    const SourceArray& source = call_.source[operand.slot];
    const auto mode = static_cast<ir::BoundsMode>(n.imm);
    int64_t offset = 0;
    const NodeId indices[] = {n.b, n.c, n.d};
    for (int axis = 0; axis < operand.rank; ++axis) {
      uint32_t ignored = 0;
      auto index =
          static_cast<int64_t>(scalar::evaluate(Op::Cast, f[indices[axis]].type, Type::I64, false,
                                                values_[indices[axis]], 0, 0, ignored));
      const int64_t extent = source.extent[axis];
      if (mode == ir::BoundsMode::Clip) index = std::min(std::max<int64_t>(index, 0), extent - 1);
      if (mode == ir::BoundsMode::Raise && index < 0) index += extent;
      if (index < 0 || index >= extent) {
        if (mode == ir::BoundsMode::Raise) status_ |= kStatusOutOfBounds;
        values_[at] = 0;
        return;
      }
      offset += index * source.stride[axis];
    }
    values_[at] = read(n.type, static_cast<const std::byte*>(source.base) + offset);
  }

  const Stage& stage_;
  const StageCall& call_;
  int64_t lane_;
  std::vector<Bits> values_;
  uint32_t status_ = 0;
};

// --- data ----------------------------------------------------------------------------------------

// Memory that ends (or begins) at a page that faults.
class GuardedBuffer {
 public:
  explicit GuardedBuffer(size_t bytes, bool at_end = true) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t inner = (bytes + page - 1) / page * page;
    mapped_ = inner + 2 * page;
    base_ = static_cast<std::byte*>(
        mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(base_ + page, inner, PROT_READ | PROT_WRITE);
    start_ = base_ + page + (at_end ? inner - bytes : 0);
  }
  GuardedBuffer(const GuardedBuffer&) = delete;
  GuardedBuffer(GuardedBuffer&& other) noexcept
      : base_(std::exchange(other.base_, nullptr)), start_(other.start_), mapped_(other.mapped_) {}
  ~GuardedBuffer() {
    if (base_) munmap(base_, mapped_);
  }
  [[nodiscard]] std::byte* start() const { return start_; }

 private:
  std::byte* base_;
  std::byte* start_;
  size_t mapped_;
};

Bits random_bits(Random& random, Type type) {
  const uint64_t raw = random();
  if (type == Type::Bool) return raw & 1;
  if (type == Type::F64) {
    constexpr double kInf = std::numeric_limits<double>::infinity();
    constexpr double kSpecial[] = {0.0,    -0.0,      1.0,     -1.0,   kInf,  -kInf, NAN,
                                   5e-324, -2.2e-308, 0.5,     2.5,    -3.5,  1e300, -1e-300,
                                   0x1p53, 0x1p63,    -0x1p63, 0x1p31, 0x1p64};
    if (raw % 4 == 0) return to_bits(kSpecial[(raw >> 8) % std::size(kSpecial)]);
    if (raw % 4 == 1) return random();
    return to_bits(std::ldexp(static_cast<double>(static_cast<int64_t>(random())), -60));
  }
  if (type == Type::F32) {
    constexpr float kInf = std::numeric_limits<float>::infinity();
    constexpr float kSpecial[] = {0.0f,  -0.0f,   1.0f,      -1.0f,    kInf,    -kInf,
                                  NAN,   1e-45f,  -1.1e-38f, 0.5f,     2.5f,    -3.5f,
                                  1e38f, 0x1p24f, 0x1p31f,   -0x1p31f, 0x1p63f, 0x1p32f};
    if (raw % 4 == 0) return to_bits(kSpecial[(raw >> 8) % std::size(kSpecial)]);
    if (raw % 4 == 1) return random() & 0xffffffff;
    return to_bits(std::ldexp(static_cast<float>(static_cast<int32_t>(random())), -28));
  }
  const int width = bit_size(type);
  const Bits mask = width == 64 ? ~Bits{0} : (Bits{1} << width) - 1;
  switch (raw % 4) {
    case 0:
      return (raw >> 8) % 8 & mask;
    case 1:
      return ~((raw >> 8) % 4) & mask;
    case 2:
      return ((Bits{1} << (width - 1)) - (raw >> 8) % 3) & mask;
    default:
      return random() & mask;
  }
}

// Equal, nans of any payload taken as equal.
bool same(Type type, Bits a, Bits b) {
  if (type == Type::F64 && std::isnan(from_bits<double>(a)))
    return std::isnan(from_bits<double>(b));
  if (type == Type::F32 && std::isnan(from_bits<float>(a))) return std::isnan(from_bits<float>(b));
  return a == b;
}

// --- one run -------------------------------------------------------------------------------------

struct Layout {
  std::vector<StrideClass> strides;
  int64_t n;
};

// Runs machine code on random data with guard pages and compares all of it with the oracle; a text
// that says what differs, empty when nothing does.
std::string check(const Stage& stage, const Layout& layout, Isa isa, Random& random) {
  std::string why;
  const auto code = compile_stage(stage, layout.strides, isa, why);
  if (!code) return "refused: " + why;
  const int64_t n = layout.n;
  std::vector<GuardedBuffer> buffers;
  std::vector<const void*> in;
  std::vector<int64_t> in_stride;
  std::vector<Bits> scalars;
  std::vector<SourceArray> sources;
  for (size_t p = 0; p < stage.operands.size(); ++p) {
    const StageOperand& operand = stage.operands[p];
    const auto size = static_cast<int64_t>(byte_size(operand.type));
    if (operand.kind == OperandKind::Scalar) {
      scalars.push_back(random_bits(random, operand.type));
      continue;
    }
    if (operand.kind == OperandKind::Source) {
      const int64_t extents[] = {7, 3, 2};
      SourceArray source{};
      int64_t stride = size;
      for (int axis = operand.rank; axis-- > 0;) {
        source.extent[axis] = extents[axis];
        source.stride[axis] = stride;
        stride *= extents[axis];
      }
      buffers.emplace_back(static_cast<size_t>(stride));
      for (int64_t at = 0; at < stride; at += size) {
        const Bits bits = random_bits(random, operand.type);
        std::memcpy(buffers.back().start() + at, &bits, static_cast<size_t>(size));
      }
      source.base = buffers.back().start();
      sources.push_back(source);
      continue;
    }
    const int64_t stride = layout.strides[p] == StrideClass::Contiguous  ? size
                           : layout.strides[p] == StrideClass::Broadcast ? 0
                           : random() % 2 != 0                           ? 3 * size
                                                                         : -2 * size;
    const int64_t span = n == 0 ? 0 : (n - 1) * std::abs(stride) + size;
    buffers.emplace_back(static_cast<size_t>(span), random() % 2 != 0);
    std::byte* first = buffers.back().start() + (stride < 0 ? span - size : 0);
    for (int64_t k = 0; k < n; ++k) {
      const Bits bits = random_bits(random, operand.type);
      std::memcpy(first + k * stride, &bits, static_cast<size_t>(size));
    }
    in.push_back(first);
    in_stride.push_back(stride);
  }
  const auto outputs = stage.body.outputs();
  std::vector<void*> out;
  std::vector<int64_t> out_stride;
  for (size_t k = 0; k < outputs.size(); ++k) {
    const auto size = static_cast<int64_t>(byte_size(stage.body[outputs[k]].type));
    const StrideClass form = layout.strides[stage.operands.size() + k];
    const int64_t stride = form == StrideClass::Contiguous ? size : 2 * size;
    buffers.emplace_back(static_cast<size_t>(n == 0 ? 0 : (n - 1) * stride + size));
    out.push_back(buffers.back().start());
    out_stride.push_back(stride);
  }
  const int64_t index[] = {5, 17, -3};
  StageCall call{in.data(),  in_stride.data(),  scalars.data(), sources.data(),
                 out.data(), out_stride.data(), index,          n,
                 0};
  code->fn(&call);
  uint32_t status = 0;
  for (int64_t lane = 0; lane < n; ++lane) {
    const std::vector<Bits> wanted = LaneOracle(stage, call, lane).run(status);
    for (size_t k = 0; k < outputs.size(); ++k) {
      const Type type = stage.body[outputs[k]].type;
      Bits got = 0;
      std::memcpy(&got, static_cast<std::byte*>(out[k]) + lane * out_stride[k],
                  static_cast<size_t>(byte_size(type)));
      if (!same(type, got, wanted[k])) {
        return "lane " + std::to_string(lane) + " of " + std::to_string(n) + ", output " +
               std::to_string(k) + " (" + std::string(type_name(type)) + "): got " +
               std::to_string(got) + ", want " + std::to_string(wanted[k]);
      }
    }
  }
  if (call.status != status) {
    return "status: got " + std::to_string(call.status) + ", want " + std::to_string(status);
  }
  return "";
}

Stage stage_of(Builder& b, std::span<const NodeId> outputs) {
  Stage stage;
  stage.body = b.finish(outputs);
  uint16_t slot = 0;
  for (const ir::Parameter& param : stage.body.params) {
    stage.operands.push_back({OperandKind::Element, param.type, 0, slot++});
  }
  return stage;
}

std::vector<Isa> isas() {
  std::vector<Isa> found;
  for (const Isa isa : {Isa::Avx2, Isa::Avx512}) {
    if (runs(isa)) found.push_back(isa);
  }
  return found;
}

bool accepts(Op op, Type type) {
  const uint8_t types = op_info(op).types;
  return (type == Type::Bool && (types & kB) != 0) || (is_int(type) && (types & kI) != 0) ||
         (is_float(type) && (types & kF) != 0);
}

// Left to IR that expands them (passes/expand_math).
bool is_expanded(Op op, Type type) {
  return op_kind(op) == OpKind::Math ||
         (is_float(type) && (op == Op::FloorDiv || op == Op::Mod || op == Op::FMod));
}

// --- tests ---------------------------------------------------------------------------------------

TEST(StageCompiler, MachineCodeRunsHereWithAvx2AtLeast) {
  std::string found;
  for (const Isa isa : isas()) found += " " + std::string(name(isa));
  std::printf("machine code checked:%s\n", found.c_str());
#if defined(__x86_64__) && defined(LATTICE_JIT_MACHINE_CODE)
  EXPECT_TRUE(runs(Isa::Avx2));
#endif
}

TEST(StageCompiler, EveryElementwiseOperationAgreesWithItsDefinition) {
  Random random(1);
  for (const Isa isa : isas()) {
    for (int number = 0; number < kOpCount; ++number) {
      const Op op = static_cast<Op>(number);
      if (!is_elementwise(op) || op == Op::Lookup || op == Op::Like || op == Op::Cast ||
          op == Op::Bitcast || op == Op::Gather) {
        continue;
      }
      for (const Type type : kTypes) {
        if (!accepts(op, type) || is_expanded(op, type)) continue;
        for (const uint16_t flags : {uint16_t{0}, uint16_t{ir::kChecked}}) {
          if (flags != 0 && !scalar::can_report(op, type, true)) continue;
          for (const int64_t n : {1, 7, 8, 29, 64, 2000}) {
            Builder b;
            const NodeId x = op == Op::Select ? b.param(Type::Bool, 1) : b.param(type, 1);
            const int count = op_info(op).operand_count;
            const NodeId y = count > 1 ? b.param(type, 1) : kNone;
            const NodeId z = count > 2 ? b.param(type, 1) : kNone;
            Node node{};
            node.op = op;
            node.type = type;
            node.flags = flags;
            node.a = x;
            node.b = y;
            node.c = z;
            node.d = kNone;
            const NodeId result = b.emit(node);
            const Stage stage = stage_of(b, std::array{result});
            const Layout layout{std::vector<StrideClass>(stage.operands.size() + 1), n};
            const std::string problem = check(stage, layout, isa, random);
            if (flags != 0 && problem.starts_with("refused")) continue;
            EXPECT_EQ(problem, "") << name(isa) << " " << op_name(op) << " " << type_name(type)
                                   << (flags != 0 ? " checked" : "");
          }
        }
      }
    }
  }
}

TEST(StageCompiler, EveryCastAgreesWithItsDefinition) {
  Random random(2);
  for (const Isa isa : isas()) {
    for (const Type from : kTypes) {
      for (const Type to : kTypes) {
        Builder b;
        const NodeId x = b.param(from, 1);
        std::vector<NodeId> outputs{b.cast(x, to)};
        if (from != Type::Bool && to != Type::Bool && byte_size(from) == byte_size(to)) {
          outputs.push_back(b.bitcast(x, to));
        }
        const Stage stage = stage_of(b, outputs);
        for (const int64_t n : {3, 40, 200}) {
          const Layout layout{std::vector<StrideClass>(1 + outputs.size()), n};
          EXPECT_EQ(check(stage, layout, isa, random), "")
              << name(isa) << " " << type_name(from) << " to " << type_name(to);
        }
      }
    }
  }
}

// --- random programs -----------------------------------------------------------------------------

class ProgramMaker {
 public:
  // `loop_first`: whatever else there is, there is a loop.
  ProgramMaker(Random& random, int nodes, bool scalars_only, bool loop_first = false)
      : random_(random), nodes_(nodes), scalars_only_(scalars_only), loop_first_(loop_first) {}

  Stage make(Layout& layout) {
    const size_t params = 1 + pick(5);
    uint16_t elements = 0;
    uint16_t scalars = 0;
    uint16_t sources = 0;
    Stage stage;
    for (size_t p = 0; p < params; ++p) {
      const Type type = kTypes[pick(std::size(kTypes))];
      values_.push_back(b_.param(type, scalars_only_ ? 0 : 1));
      if (scalars_only_ || pick(4) == 0) {
        stage.operands.push_back({OperandKind::Scalar, type, 0, scalars++});
        layout.strides.push_back(StrideClass::Contiguous);
      } else {
        stage.operands.push_back({OperandKind::Element, type, 0, elements++});
        constexpr StrideClass kForms[] = {StrideClass::Contiguous, StrideClass::Contiguous,
                                          StrideClass::Strided, StrideClass::Broadcast};
        layout.strides.push_back(kForms[pick(4)]);
      }
    }
    if (!scalars_only_ && pick(2) == 0) {
      const Type type = kTypes[pick(std::size(kTypes))];
      const auto rank = static_cast<uint8_t>(1 + pick(3));
      source_ = b_.param(type, rank);
      source_rank_ = rank;
      stage.operands.push_back({OperandKind::Source, type, rank, sources++});
      layout.strides.push_back(StrideClass::Contiguous);
    }
    if (!scalars_only_ && pick(3) == 0) values_.push_back(b_.lane_index(static_cast<int>(pick(3))));
    if (loop_first_) loop_region(0);
    for (int k = 0; k < nodes_; ++k) step(0);
    std::vector<NodeId> outputs;
    const size_t count = 1 + pick(4);
    for (size_t k = 0; k < count; ++k) {
      outputs.push_back(k == 0 ? values_.back() : values_[pick(values_.size())]);
      if (pick(12) == 0) {
        const Type type = kTypes[pick(std::size(kTypes))];
        outputs.back() = b_.constant(type, random_bits(random_, type));
      }
      layout.strides.push_back(pick(4) == 0 ? StrideClass::Strided : StrideClass::Contiguous);
    }
    stage.body = b_.finish(outputs);
    return stage;
  }

 private:
  size_t pick(size_t count) { return random_() % count; }
  Type type_of_value(NodeId id) const { return b_[id].type; }

  // Recent values are likelier: long chains, and old values that stay alive.
  NodeId any() {
    const size_t window = pick(3) == 0 ? values_.size() : std::min<size_t>(values_.size(), 8);
    return values_[values_.size() - 1 - pick(window)];
  }
  NodeId of(Type type) {
    if (pick(8) == 0) return b_.constant(type, random_bits(random_, type));
    for (int tries = 0; tries < 12; ++tries) {
      const NodeId id = any();
      if (type_of_value(id) == type) return id;
    }
    return b_.cast(any(), type);
  }

  void step(int depth) {
    const size_t choice = pick(40);
    if (choice == 0 && depth < 3) return if_region(depth);
    if (choice == 1 && depth < 2) return loop_region(depth);
    if (choice == 2) {
      // Of a table of a power of two of entries the low bits of any index choose one.
      ir::Table table{pick(2) == 0 ? Type::F64 : Type::I32, {}};
      const size_t sizes[] = {4, 8, 16, 16, 21, 32, 64};
      const size_t size = sizes[pick(std::size(sizes))];
      for (size_t k = 0; k < size; ++k) table.values.push_back(random_bits(random_, table.type));
      NodeId index = of(Type::I64);
      if (size == 21) index = b_.binary(Op::And, index, b_.constant(int64_t{15}));
      return values_.push_back(b_.lookup(table, index));
    }
    if (choice == 3 && source_ != kNone && !is_in_loop_) {
      std::vector<NodeId> indices;
      for (int axis = 0; axis < source_rank_; ++axis) {
        const NodeId small =
            b_.binary(Op::And, of(Type::I64), b_.constant(int64_t{pick(2) ? 1 : -5}));
        indices.push_back(small);
      }
      const auto mode = pick(2) == 0 ? ir::BoundsMode::Raise : ir::BoundsMode::Clip;
      return values_.push_back(b_.gather(source_, indices, mode));
    }
    if (choice == 4) return values_.push_back(b_.cast(any(), kTypes[pick(std::size(kTypes))]));
    if (choice == 5 && pick(4) == 0 && !is_in_loop_) {
      b_.guard(of(Type::Bool));
      return;
    }
    for (;;) {
      const Op op = static_cast<Op>(pick(kOpCount));
      const Type type = pick(2) == 0 ? type_of_value(any()) : kTypes[pick(std::size(kTypes))];
      // What shows a nan's sign or payload is no matter of agreement.
      if (op == Op::SignBit || op == Op::CopySign || op == Op::Bitcast || op == Op::Cast) continue;
      if (!is_elementwise(op) || op == Op::Lookup || op == Op::Like || op == Op::Gather) continue;
      if (!accepts(op, type) || is_expanded(op, type)) continue;
      const int count = op_info(op).operand_count;
      Node node{};
      node.op = op;
      node.type = type;
      node.a = op == Op::Select ? of(Type::Bool) : of(type);
      node.b = count > 1 ? of(type) : kNone;
      node.c = count > 2 ? of(type) : kNone;
      node.d = kNone;
      return values_.push_back(b_.emit(node));
    }
  }

  void if_region(int depth) {
    const size_t kept = values_.size();
    const size_t count = 1 + pick(3);
    std::vector<Type> types;
    for (size_t k = 0; k < count; ++k) types.push_back(kTypes[pick(std::size(kTypes))]);
    const auto side = [&] {
      for (size_t k = pick(8); k-- > 0;) step(depth + 1);
      std::vector<NodeId> yields;
      for (const Type type : types) yields.push_back(of(type));
      return yields;
    };
    b_.begin_if(of(Type::Bool));
    const std::vector<NodeId> yes = side();
    values_.resize(kept);
    b_.begin_else(yes);
    const std::vector<NodeId> no = side();
    values_.resize(kept);
    const NodeId node = b_.end_if(no);
    for (size_t k = 0; k < count; ++k) values_.push_back(b_.result(node, static_cast<int>(k)));
  }

  void loop_region(int depth) {
    const size_t kept = values_.size();
    const NodeId limit = b_.binary(Op::And, of(Type::I32), b_.constant(int32_t{7}));
    std::vector<NodeId> inits{b_.constant(int32_t{0})};
    const size_t count = 1 + pick(4);
    std::vector<Type> types;
    for (size_t k = 0; k < count; ++k) {
      types.push_back(kTypes[pick(std::size(kTypes))]);
      inits.push_back(of(types.back()));
    }
    const bool was_in_loop = std::exchange(is_in_loop_, true);
    const RegionId body = b_.begin_loop(inits);
    const NodeId counter = b_.arg(body, 0);
    for (size_t k = 0; k < count; ++k) values_.push_back(b_.arg(body, static_cast<int>(k + 1)));
    for (size_t k = pick(4); k-- > 0;) step(depth + 1);
    NodeId condition = b_.compare(Op::Lt, counter, limit);
    if (pick(2) == 0) condition = b_.binary(Op::And, condition, of(Type::Bool));
    b_.exit_unless(condition);
    for (size_t k = pick(10); k-- > 0;) step(depth + 1);
    Node count_up{};
    count_up.op = Op::Add;
    count_up.type = Type::I32;
    count_up.flags = pick(2) == 0 ? ir::kChecked : 0;
    count_up.a = counter;
    count_up.b = b_.constant(int32_t{1});
    count_up.c = count_up.d = kNone;
    std::vector<NodeId> nexts{b_.emit(count_up)};
    for (const Type type : types) nexts.push_back(of(type));
    values_.resize(kept);
    const NodeId loop = b_.end_loop(nexts);
    is_in_loop_ = was_in_loop;
    for (size_t k = 0; k <= count; ++k) values_.push_back(b_.result(loop, static_cast<int>(k)));
  }

  Random& random_;
  int nodes_;
  bool scalars_only_;
  bool loop_first_;
  bool is_in_loop_ = false;  // there the builder cannot tell ranks yet, which gathers need
  Builder b_;
  std::vector<NodeId> values_;
  NodeId source_ = kNone;
  int source_rank_ = 0;
};

int programs() {
  const char* wanted = std::getenv("LATTICE_JIT_PROGRAMS");
  return wanted ? std::atoi(wanted) : 1500;
}

int first_program() {
  const char* wanted = std::getenv("LATTICE_JIT_SEED");
  return wanted ? std::atoi(wanted) : 0;
}

TEST(StageCompiler, RandomProgramsAgreeLaneByLane) {
  const int count = programs();
  for (int seed = first_program(); seed < first_program() + count; ++seed) {
    for (const Isa isa : isas()) {
      Random random(static_cast<uint64_t>(seed));
      Layout layout;
      constexpr int kSizes[] = {4, 12, 40, 150};
      ProgramMaker maker(random, kSizes[seed % 4], false);
      const Stage stage = maker.make(layout);
      constexpr int64_t kLengths[] = {0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 50};
      layout.n = kLengths[random() % std::size(kLengths)];
      const std::string problem = check(stage, layout, isa, random);
      ASSERT_EQ(problem, "") << name(isa) << ", LATTICE_JIT_SEED=" << seed << "\n"
                             << ir::print(stage.body);
    }
  }
}

TEST(StageCompiler, RandomLoopsAgreeSideBySide) {
  const int count = programs();
  int interleaved = 0;
  for (int seed = first_program(); seed < first_program() + count; ++seed) {
    for (const Isa isa : isas()) {
      Random random(static_cast<uint64_t>(seed) + 2000000);
      Layout layout;
      constexpr int kSizes[] = {0, 2, 5};
      ProgramMaker maker(random, kSizes[seed % 3], false, true);
      const Stage stage = maker.make(layout);
      constexpr int64_t kLengths[] = {1, 5, 8, 15, 16, 17, 23, 24, 31, 32, 33, 63, 64, 65, 131};
      layout.n = kLengths[random() % std::size(kLengths)];
      const std::string problem = check(stage, layout, isa, random);
      ASSERT_EQ(problem, "") << name(isa) << ", LATTICE_JIT_SEED=" << seed << "\n"
                             << ir::print(stage.body);
      std::string why;
      const int lanes = compile_stage(stage, layout.strides, isa, why)->lanes;
      interleaved += lanes > (isa == Isa::Avx512 ? 16 : 8) ? 1 : 0;
    }
  }
  EXPECT_GT(interleaved, count / 4);
}

// z = z * z + c until |z| leaves 2 or 50 rounds are over: the form that interleaving is for.
TEST(StageCompiler, EscapeTimesOfSeveralVectorsAtOnce) {
  Builder b;
  const NodeId c[] = {b.param(Type::F64, 1), b.param(Type::F64, 1)};
  const RegionId loop = b.begin_loop({b.constant(int64_t{0}), c[0], c[1]});
  const NodeId n = b.arg(loop, 0);
  const NodeId re = b.arg(loop, 1);
  const NodeId im = b.arg(loop, 2);
  const NodeId re2 = b.binary(Op::Mul, re, re);
  const NodeId im2 = b.binary(Op::Mul, im, im);
  b.exit_unless(b.binary(Op::And, b.compare(Op::Lt, n, b.constant(int64_t{50})),
                         b.compare(Op::Lt, b.binary(Op::Add, re2, im2), b.constant(4.0))));
  const NodeId twice = b.binary(Op::Mul, b.binary(Op::Add, re, re), im);
  const NodeId done = b.end_loop({b.binary(Op::Add, n, b.constant(int64_t{1})),
                                  b.binary(Op::Add, b.binary(Op::Sub, re2, im2), c[0]),
                                  b.binary(Op::Add, twice, c[1])});
  const NodeId outputs[] = {b.result(done, 0), b.result(done, 2)};
  const Stage stage = stage_of(b, outputs);
  const std::vector<StrideClass> strides(4, StrideClass::Contiguous);
  for (const Isa isa : isas()) {
    std::string why;
    const auto code = compile_stage(stage, strides, isa, why);
    ASSERT_TRUE(code) << why;
    EXPECT_GE(code->lanes, isa == Isa::Avx512 ? 32 : 8);
    for (int64_t count = 0; count <= 70; ++count) {
      std::vector<double> x(static_cast<size_t>(count));
      std::vector<double> y(x.size());
      for (size_t k = 0; k < x.size(); ++k) {
        x[k] = -2.0 + 0.037 * static_cast<double>(k);
        y[k] = -1.0 + 0.029 * static_cast<double>(k);
      }
      std::vector<int64_t> rounds(x.size(), -1);
      std::vector<double> last = y;
      const void* in[] = {x.data(), last.data()};
      void* out[] = {rounds.data(), last.data()};  // one output in place
      const int64_t stride[] = {8, 8};
      StageCall call{in, stride, nullptr, nullptr, out, stride, nullptr, count, 0};
      code->fn(&call);
      for (size_t k = 0; k < x.size(); ++k) {
        double r = x[k];
        double i = y[k];
        int64_t round = 0;
        for (; round < 50 && r * r + i * i < 4.0; ++round) {
          const double next = r * r - i * i + x[k];
          i = (r + r) * i + y[k];
          r = next;
        }
        ASSERT_EQ(rounds[k], round) << name(isa) << " lane " << k << " of " << count;
        ASSERT_EQ(to_bits(last[k]), to_bits(i)) << name(isa) << " lane " << k << " of " << count;
      }
    }
  }
}

TEST(StageCompiler, RandomScalarFunctionsAgree) {
  const int count = programs();
  for (int seed = first_program(); seed < first_program() + count; ++seed) {
    for (const Isa isa : isas()) {
      Random random(static_cast<uint64_t>(seed) + 1000000);
      Layout layout;
      ProgramMaker maker(random, seed % 2 == 0 ? 6 : 60, true);
      const Stage stage = maker.make(layout);
      std::string why;
      const auto code = compile_scalar(stage, isa, why);
      ASSERT_TRUE(code) << why << ", seed " << seed;
      for (int round = 0; round < 4; ++round) {
        std::vector<Bits> args;
        for (const StageOperand& operand : stage.operands)
          args.push_back(random_bits(random, operand.type));
        StageCall call{};
        call.scalar = args.data();
        call.n = 1;
        uint32_t status = 0;
        const std::vector<Bits> wanted = LaneOracle(stage, call, 0).run(status);
        std::vector<Bits> got(wanted.size());
        const uint32_t got_status = code->fn(args.data(), got.data());
        for (size_t k = 0; k < got.size(); ++k) {
          ASSERT_TRUE(same(stage.body[stage.body.outputs()[k]].type, got[k], wanted[k]))
              << name(isa) << ", seed " << seed << ", output " << k << ": " << got[k] << ", want "
              << wanted[k];
        }
        ASSERT_EQ(got_status, status) << name(isa) << ", seed " << seed;
      }
    }
  }
}

TEST(StageCompiler, LibraryFunctionsAndFloatRemaindersAgreeBitForBitOnceExpanded) {
  Random random(3);
  for (int number = 0; number < kOpCount; ++number) {
    const Op op = static_cast<Op>(number);
    for (const Type type : {Type::F32, Type::F64}) {
      if (!is_elementwise(op) || !is_expanded(op, type)) continue;
      Builder b;
      const NodeId x = b.param(type, 1);
      const NodeId y = op_info(op).operand_count > 1 ? b.param(type, 1) : kNone;
      const NodeId result = y == kNone ? b.unary(op, x) : b.binary(op, x, y);
      Stage stage = stage_of(b, std::array{result});
      const ir::Function before = stage.body;
      stage.body = passes::expand_math(stage.body);
      bool is_left = false;
      for (const Node& n : stage.body.nodes) is_left = is_left || op_kind(n.op) == OpKind::Math;
      if (is_left) continue;
      for (const Isa isa : isas()) {
        const Layout layout{std::vector<StrideClass>(stage.operands.size() + 1), 300};
        EXPECT_EQ(check(stage, layout, isa, random), "")
            << name(isa) << " " << op_name(op) << " " << type_name(type);
      }
      if (op_kind(op) == OpKind::Math) continue;
      // Remainders are NumPy's to the bit: the expansion is compared with their definition.
      Stage defined = stage;
      defined.body = before;
      for (int round = 0; round < 3000; ++round) {
        const Bits args[] = {random_bits(random, type), random_bits(random, type)};
        const void* in[] = {&args[0], &args[1]};
        const int64_t strides[] = {0, 0};
        const StageCall call{in, strides, nullptr, nullptr, nullptr, nullptr, nullptr, 1, 0};
        uint32_t status = 0;
        const Bits own = LaneOracle(stage, call, 0).run(status)[0];
        const Bits wanted = LaneOracle(defined, call, 0).run(status)[0];
        ASSERT_TRUE(same(type, own, wanted)) << op_name(op) << " " << args[0] << " " << args[1]
                                             << ": " << own << ", want " << wanted;
      }
    }
  }
}

TEST(StageCompiler, InPlaceOutputsSeeTheOperandsAsTheyWere) {
  for (const Isa isa : isas()) {
    Builder b;
    const NodeId x = b.param(Type::F64, 1);
    const NodeId y = b.param(Type::F64, 1);
    const Stage stage = stage_of(b, std::array{b.binary(Op::Add, x, y), x});
    std::string why;
    const auto code = compile_stage(stage, std::vector<StrideClass>(4), isa, why);
    ASSERT_TRUE(code) << why;
    std::vector<double> a(21);
    std::vector<double> c(21);
    std::vector<double> second(21);
    for (size_t k = 0; k < a.size(); ++k) {
      a[k] = static_cast<double>(k);
      c[k] = 100.0;
    }
    const void* in[] = {a.data(), c.data()};
    const int64_t strides[] = {8, 8};
    void* out[] = {a.data(), second.data()};
    StageCall call{in, strides, nullptr, nullptr, out, strides, nullptr, 21, 0};
    code->fn(&call);
    for (size_t k = 0; k < a.size(); ++k) {
      EXPECT_EQ(a[k], static_cast<double>(k) + 100.0);
      EXPECT_EQ(second[k], static_cast<double>(k));
    }
  }
}

}  // namespace
}  // namespace lattice::jit
