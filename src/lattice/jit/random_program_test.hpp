// SPDX-License-Identifier: MIT
// Random IR programs, and an evaluator that runs one element at a time.
//
// The evaluator is as plain as can be: a walk over regions with scalar::evaluate, no tiles, no
// masks, no passes. What kernels compute is compared with it lane by lane.
#pragma once

#include <algorithm>
#include <limits>
#include <map>
#include <random>
#include <span>
#include <vector>

#include "lattice/jit/ir/builder.hpp"
#include "lattice/jit/ir/scalar_ops.hpp"

namespace lattice::jit::testing {

inline constexpr Type kTypes[] = {Type::Bool, Type::I8,  Type::I16, Type::I32, Type::I64, Type::U8,
                                  Type::U16,  Type::U32, Type::U64, Type::F32, Type::F64};

// Zeros, units, limits, halves, powers of two at the edges of other types, nan, subnormals.
inline std::vector<Bits> special_values(Type type) {
  std::vector<Bits> out;
  dispatch_type(type, [&]<class T>() {
    auto add = [&](T value) { out.push_back(to_bits(value)); };
    if constexpr (std::is_same_v<T, bool>) {
      add(false);
      add(true);
    } else if constexpr (std::is_floating_point_v<T>) {
      using L = std::numeric_limits<T>;
      for (T v : {T(0),
                  T(1),
                  T(2),
                  T(3),
                  T(0.5),
                  T(1.5),
                  T(2.5),
                  T(0.1),
                  T(1e-3),
                  T(127),
                  T(128),
                  T(255),
                  T(256),
                  T(32768),
                  T(65536),
                  T(2147483648.0),
                  T(4294967296.0),
                  T(9223372036854775808.0),
                  T(18446744073709551616.0),
                  T(9007199254740993.0),
                  T(1e20),
                  L::max(),
                  L::min(),
                  L::denorm_min(),
                  L::infinity(),
                  L::epsilon()}) {
        add(v);
        add(-v);
      }
      add(L::quiet_NaN());
    } else {
      using L = std::numeric_limits<T>;
      for (int v : {0, 1, 2, 3, 5, 7, 8, 31, 32, 63, 64, 100, 127}) {
        add(static_cast<T>(v));
        add(static_cast<T>(-v));
      }
      for (T v : {L::max(), L::min(), static_cast<T>(L::max() - 1), static_cast<T>(L::min() + 1),
                  static_cast<T>(L::max() / 2), static_cast<T>(L::max() / 2 + 1)}) {
        add(v);
      }
    }
  });
  return out;
}

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  uint64_t below(uint64_t n) { return engine_() % n; }
  bool chance(int percent) { return below(100) < static_cast<uint64_t>(percent); }
  uint64_t bits() { return engine_(); }
  Bits value(Type type) {
    std::vector<Bits>& special = special_[static_cast<int>(type)];
    if (special.empty()) special = special_values(type);
    if (chance(50)) return special[below(special.size())];
    if (type == Type::F64) return to_bits((static_cast<double>(below(20001)) - 10000) / 128);
    if (type == Type::F32) return to_bits((static_cast<float>(below(20001)) - 10000) / 128);
    if (type == Type::Bool) return below(2);
    Bits bits = engine_() >> below(64);
    int width = bit_size(type);
    return width == 64 ? bits : bits & ((Bits{1} << width) - 1);
  }

 private:
  std::mt19937_64 engine_;
  std::vector<Bits> special_[kTypeCount];
};

// A function of `elements` arrays, two scalars and one array that gathers read (the last param).
class ProgramGenerator {
 public:
  explicit ProgramGenerator(Random& random) : random_(random) {}

  ir::Function make(int size) {
    b_ = ir::Builder("random");
    values_.clear();
    scopes_.clear();
    int elements = 2 + static_cast<int>(random_.below(3));
    for (int k = 0; k < elements; ++k) add(b_.param(any_type(), 1));
    for (int k = 0; k < 2; ++k) add(b_.param(any_type(), 0));
    source_ = b_.param(any_type(), 1);
    for (int k = 0; k < size; ++k) step(2);
    std::vector<ir::NodeId> outputs;
    for (int k = 0; k < 4; ++k)
      outputs.push_back(
          values_[values_.size() - 1 - random_.below(std::min<size_t>(values_.size(), 12))]);
    return b_.finish(outputs);
  }

 private:
  Type any_type() { return kTypes[random_.below(std::size(kTypes))]; }
  void add(ir::NodeId id) { values_.push_back(id); }

  ir::NodeId any() {
    return values_[values_.size() - 1 - random_.below(std::min<size_t>(values_.size(), 16))];
  }
  ir::NodeId of(Type type) {
    if (random_.chance(15)) return b_.constant(type, random_.value(type));
    for (int tries = 0; tries < 12; ++tries) {
      ir::NodeId id = any();
      if (b_[id].type == type) return id;
    }
    return b_.cast(any(), type);
  }
  // nans may differ in sign, so nothing may look at it.
  ir::NodeId no_nan(ir::NodeId x) {
    Type type = b_[x].type;
    ir::NodeId one = type == Type::F64 ? b_.constant(1.0) : b_.constant(1.0f);
    return b_.select(b_.unary(Op::IsNan, x), one, x);
  }

  void step(int depth) {
    uint64_t kind = random_.below(100);
    if (depth > 0 && kind < 6) return branch(depth);
    if (depth > 0 && kind < 11) return loop(depth);
    if (kind < 14) {
      ir::NodeId index[1] = {of(Type::I64)};
      auto mode = static_cast<ir::BoundsMode>(random_.below(3));
      return add(b_.gather(source_, index, mode));
    }
    if (kind < 20) return add(b_.cast(any(), any_type()));
    if (kind < 26) {
      Type type = any_type();
      return add(b_.select(of(Type::Bool), of(type), of(type)));
    }
    if (kind < 28) {
      Type type = random_.chance(50) ? Type::F64 : Type::F32;
      return add(b_.fma(of(type), of(type), of(type)));
    }
    for (;;) {
      Op op = static_cast<Op>(random_.below(kOpCount));
      const OpInfo& info = op_info(op);
      if (info.kind != OpKind::Unary && info.kind != OpKind::Binary && info.kind != OpKind::Test &&
          info.kind != OpKind::Compare) {
        continue;
      }
      Type type = any_type();
      uint8_t is = type == Type::Bool ? kB : is_int(type) ? kI : kF;
      if ((info.types & is) == 0) continue;
      uint16_t flags = is_int(type) && random_.chance(10) ? ir::kChecked : 0;
      ir::NodeId x = of(type);
      if (op == Op::SignBit) x = no_nan(x);
      if (info.operand_count == 1) return add(b_.unary(op, x, flags));
      ir::NodeId y = of(type);
      if (op == Op::CopySign) y = no_nan(y);
      return add(b_.binary(op, x, y, flags));
    }
  }

  // Values of a closed region are out of sight.
  struct Scope {
    std::vector<ir::NodeId>& values;
    size_t size;
    explicit Scope(std::vector<ir::NodeId>& v) : values(v), size(v.size()) {}
    ~Scope() { values.resize(size); }
  };

  void branch(int depth) {
    int count = 1 + static_cast<int>(random_.below(3));
    std::vector<Type> types;
    for (int k = 0; k < count; ++k) types.push_back(any_type());
    auto side = [&] {
      Scope scope(values_);
      for (uint64_t k = random_.below(8); k > 0; --k) step(depth - 1);
      std::vector<ir::NodeId> yields;
      for (Type type : types) yields.push_back(of(type));
      return yields;
    };
    b_.begin_if(of(Type::Bool));
    b_.begin_else(side());
    ir::NodeId node = b_.end_if(side());
    for (int k = 0; k < count; ++k) add(b_.result(node, k));
  }

  void loop(int depth) {
    int count = 1 + static_cast<int>(random_.below(3));
    std::vector<ir::NodeId> inits{b_.constant(int64_t{0})};
    for (int k = 0; k < count; ++k) inits.push_back(of(any_type()));
    ir::NodeId one = b_.constant(int64_t{1});
    ir::NodeId trips =
        b_.binary(Op::Mod, of(Type::I64), b_.constant(int64_t(1 + random_.below(6))));
    ir::RegionId body = b_.begin_loop(inits);
    std::vector<ir::NodeId> nexts;
    {
      Scope scope(values_);
      for (int k = 1; k <= count; ++k) add(b_.arg(body, k));
      if (random_.chance(40)) step(0);
      b_.exit_unless(b_.binary(Op::And, b_.compare(Op::Lt, b_.arg(body, 0), trips),
                               random_.chance(30) ? of(Type::Bool) : b_.constant(true)));
      for (uint64_t k = random_.below(8); k > 0; --k) step(depth - 1);
      nexts.push_back(b_.binary(Op::Add, b_.arg(body, 0), one));
      for (int k = 1; k <= count; ++k) nexts.push_back(of(b_[inits[k]].type));
    }
    ir::NodeId node = b_.end_loop(nexts);
    for (int k = 0; k <= count; ++k) add(b_.result(node, k));
  }

  Random& random_;
  ir::Builder b_;
  std::vector<ir::NodeId> values_;
  std::vector<size_t> scopes_;
  ir::NodeId source_ = ir::kNone;
};

// One lane of a function whose nodes are all lane-wise.
class LaneEvaluator {
 public:
  LaneEvaluator(const ir::Function& f, std::span<const Bits> args, std::span<const Bits> source)
      : f_(f), args_(args), source_(source), values_(f.nodes.size()) {}

  std::vector<Bits> run() {
    region(0);
    std::vector<Bits> out;
    for (ir::NodeId id : f_.outputs()) out.push_back(values_[id]);
    return out;
  }
  uint32_t status() const { return status_; }

 private:
  bool region(ir::RegionId id) {
    for (ir::NodeId node_id : f_.regions[id].nodes) {
      const ir::Node& node = f_[node_id];
      switch (node.op) {
        case Op::Param:
          values_[node_id] = node.imm < args_.size() ? args_[node.imm] : 0;
          break;
        case Op::Const:
          values_[node_id] = node.imm;
          break;
        case Op::Arg:
          break;
        case Op::Result:
          values_[node_id] = results_[node_id] = result(node);
          break;
        case Op::Guard:
          if (values_[node.a] == 0) status_ |= kStatusGuard;
          break;
        case Op::Exit:
          if (values_[node.a] == 0) return false;
          break;
        case Op::Loop:
          loop(node);
          break;
        case Op::If: {
          bool yes = values_[node.a] != 0;
          region(yes ? node.b : node.c);
          std::vector<Bits> out;
          for (ir::NodeId value : f_.regions[yes ? node.b : node.c].yields) {
            out.push_back(values_[value]);
          }
          finals_[node_id] = std::move(out);
          break;
        }
        case Op::Gather:
          values_[node_id] = gather(node);
          break;
        default: {
          Type type = node.op == Op::Select ? f_[node.b].type : f_[node.a].type;
          auto in = [&](ir::NodeId operand) { return operand == ir::kNone ? 0 : values_[operand]; };
          values_[node_id] = scalar::evaluate(node.op, type, node.type, node.checked(), in(node.a),
                                              in(node.b), in(node.c), status_);
        }
      }
      if (node.op == Op::Loop) {
        std::vector<Bits> out;
        for (ir::NodeId arg : f_.regions[node.c].args) out.push_back(values_[arg]);
        finals_[node_id] = std::move(out);
      }
    }
    return true;
  }

  Bits result(const ir::Node& node) { return finals_[node.a][node.imm]; }

  void loop(const ir::Node& node) {
    const ir::Region& body = f_.regions[node.c];
    std::span<const ir::NodeId> inits = f_.inits(node);
    for (size_t k = 0; k < inits.size(); ++k) values_[body.args[k]] = values_[inits[k]];
    while (region(node.c)) {
      std::vector<Bits> next;
      for (ir::NodeId value : body.yields) next.push_back(values_[value]);
      for (size_t k = 0; k < next.size(); ++k) values_[body.args[k]] = next[k];
    }
  }

  Bits gather(const ir::Node& node) {
    auto index = static_cast<int64_t>(values_[node.b]);
    auto n = static_cast<int64_t>(source_.size());
    switch (static_cast<ir::BoundsMode>(node.imm)) {
      case ir::BoundsMode::Raise:
        if (index < 0) index += n;
        if (index < 0 || index >= n) {
          status_ |= kStatusOutOfBounds;
          return 0;
        }
        break;
      case ir::BoundsMode::Clip:
        index = std::clamp<int64_t>(index, 0, n - 1);
        break;
      default:
        index = ((index % n) + n) % n;
    }
    return source_[static_cast<size_t>(index)];
  }

  const ir::Function& f_;
  std::span<const Bits> args_;
  std::span<const Bits> source_;
  std::vector<Bits> values_;
  std::map<ir::NodeId, Bits> results_;
  std::map<ir::NodeId, std::vector<Bits>> finals_;
  uint32_t status_ = 0;
};

inline bool same_value(Type type, Bits x, Bits y) {
  if (x == y) return true;
  if (type == Type::F64)
    return std::isnan(from_bits<double>(x)) && std::isnan(from_bits<double>(y));
  if (type == Type::F32) return std::isnan(from_bits<float>(x)) && std::isnan(from_bits<float>(y));
  return false;
}

}  // namespace lattice::jit::testing
