// SPDX-License-Identifier: MIT
#include "lattice/jit/passes/expand_math.hpp"

#include "lattice/jit/passes/internal/vector_exp.hpp"
#include "lattice/jit/passes/internal/vector_log.hpp"
#include "lattice/jit/passes/internal/vector_trig.hpp"
#include "lattice/jit/passes/rewrite.hpp"

namespace lattice::jit::passes {
namespace {

// --- IR values as a number type for vector_math.hpp ----------------------------------------------

struct Value {
  Builder* b;
  NodeId id;
};

struct Mask : Value {
  friend Mask operator&(Mask x, Mask y) { return {{x.b, x.b->binary(Op::And, x.id, y.id)}}; }
  friend Mask operator|(Mask x, Mask y) { return {{x.b, x.b->binary(Op::Or, x.id, y.id)}}; }
  friend Mask operator!(Mask x) { return {{x.b, x.b->unary(Op::Not, x.id)}}; }
};

struct Digits : Value {
  Digits of(uint64_t value) const { return {{b, b->constant(value)}}; }
  friend Digits make(Op op, Digits x, Digits y) { return {{x.b, x.b->binary(op, x.id, y.id)}}; }
  friend Digits operator+(Digits x, Digits y) { return make(Op::Add, x, y); }
  friend Digits operator+(Digits x, uint64_t y) { return make(Op::Add, x, x.of(y)); }
  friend Digits operator-(Digits x, Digits y) { return make(Op::Sub, x, y); }
  friend Digits operator*(Digits x, Digits y) { return make(Op::Mul, x, y); }
  friend Digits operator^(Digits x, Digits y) { return make(Op::Xor, x, y); }
  friend Digits operator^(Digits x, uint64_t y) { return make(Op::Xor, x, x.of(y)); }
  friend Digits operator&(Digits x, uint64_t y) { return make(Op::And, x, x.of(y)); }
  friend Digits operator<<(Digits x, Digits y) { return make(Op::Shl, x, y); }
  friend Digits operator>>(Digits x, Digits y) { return make(Op::Shr, x, y); }
  friend Digits operator<<(Digits x, int y) { return make(Op::Shl, x, x.of(uint64_t(y))); }
  friend Digits operator>>(Digits x, int y) { return make(Op::Shr, x, x.of(uint64_t(y))); }
  friend Mask operator<(Digits x, Digits y) { return {{x.b, x.b->compare(Op::Lt, x.id, y.id)}}; }
};

struct Double : Value {
  using Bits = Digits;
  Double of(double value) const { return {{b, b->constant(value)}}; }
  friend Double make(Op op, Double x, Double y) { return {{x.b, x.b->binary(op, x.id, y.id)}}; }
  friend Double operator+(Double x, Double y) { return make(Op::Add, x, y); }
  friend Double operator-(Double x, Double y) { return make(Op::Sub, x, y); }
  friend Double operator*(Double x, Double y) { return make(Op::Mul, x, y); }
  friend Double operator/(Double x, Double y) { return make(Op::Div, x, y); }
  friend Double operator+(Double x, double y) { return x + x.of(y); }
  friend Double operator-(Double x, double y) { return x - x.of(y); }
  friend Double operator*(Double x, double y) { return x * x.of(y); }
  friend Double operator-(Double x) { return {{x.b, x.b->unary(Op::Neg, x.id)}}; }
  friend Mask operator<(Double x, Double y) { return {{x.b, x.b->compare(Op::Lt, x.id, y.id)}}; }
  friend Mask operator==(Double x, Double y) { return {{x.b, x.b->compare(Op::Eq, x.id, y.id)}}; }
};

Double one(Op op, Double x) { return {{x.b, x.b->unary(op, x.id)}}; }
Double fma(Double x, Double y, Double z) { return {{x.b, x.b->fma(x.id, y.id, z.id)}}; }
Double rint(Double x) { return one(Op::Rint, x); }
Double floor(Double x) { return one(Op::Floor, x); }
Double sqrt(Double x) { return one(Op::Sqrt, x); }
Double abs(Double x) { return one(Op::Abs, x); }
Double logb(Double x) { return one(Op::LogB, x); }
Double mantissa(Double x) { return one(Op::Mantissa, x); }
Double copysign(Double x, Double sign) { return make(Op::CopySign, x, sign); }
Double min(Double x, Double y) { return make(Op::Min, x, y); }
Double max(Double x, Double y) { return make(Op::Max, x, y); }
Double scale(Double x, Double k) {
  Node node{};
  node.op = Op::Scale;
  node.type = Type::F64;
  node.a = x.id;
  node.b = k.id;
  node.c = node.d = kNone;
  node.imm = ir::kFiniteExponent;
  return {{x.b, x.b->emit(node)}};
}
template <class V>
V select(Mask mask, V yes, V no) {
  return {{yes.b, yes.b->select(mask.id, yes.id, no.id)}};
}
Digits bits(Double x) { return {{x.b, x.b->bitcast(x.id, Type::U64)}}; }
Double from_bits(Digits x) { return {{x.b, x.b->bitcast(x.id, Type::F64)}}; }
Digits mul_high(Digits x, Digits y) { return make(Op::MulHigh, x, y); }
Mask is_set(Digits x) { return {{x.b, x.b->compare(Op::Ne, x.id, x.of(0).id)}}; }
Digits shift_right_signed(Digits x, int count) {
  const NodeId as_signed = x.b->bitcast(x.id, Type::I64);
  const NodeId shifted =
      x.b->binary(Op::Shr, as_signed, x.b->constant(static_cast<int64_t>(count)));
  return {{x.b, x.b->bitcast(shifted, Type::U64)}};
}
Double signed_value(Digits x) {
  return {{x.b, x.b->cast(x.b->bitcast(x.id, Type::I64), Type::F64)}};
}
template <size_t N>
Digits lookup(const std::array<uint64_t, N>& digits, Digits index) {
  const ir::Table table{Type::U64, {digits.begin(), digits.end()}};
  return {{index.b, index.b->lookup(table, index.b->bitcast(index.id, Type::I64))}};
}

// `compute` where the mask holds, skipped when it holds nowhere.
template <class Compute>
math::Angle<Double> rarely(Mask mask, math::Angle<Double> otherwise, Compute compute) {
  Builder& b = *mask.b;
  b.begin_if(mask.id);
  const math::Angle<Double> rare = compute();
  b.begin_else({rare.hi.id, rare.lo.id, rare.q.id});
  const NodeId node = b.end_if({otherwise.hi.id, otherwise.lo.id, otherwise.q.id});
  return {{{&b, b.result(node, 0)}}, {{&b, b.result(node, 1)}}, {{&b, b.result(node, 2)}}};
}

template <class Compute>
Double rarely(Mask mask, Double otherwise, Compute compute) {
  Builder& b = *mask.b;
  b.begin_if(mask.id);
  b.begin_else({compute().id});
  return {{&b, b.result(b.end_if({otherwise.id}), 0)}};
}

// --- float remainders ----------------------------------------------------------------------------

// fmod of finite doubles by subtracting multiples of the divisor times a power of two, 50 bits of
// quotient at a time; every step is exact. Infinities and nans: x % inf is x, the rest is nan.
// Lanes that need no loop go through it with harmless numbers, so that they raise no flags.
Double fmod(Double a, Double b) {
  Builder& build = *a.b;
  const Double y = abs(b);
  const Double start = abs(a);
  const Mask is_plain = (y.of(0.0) < y) & (start < y.of(math::kInf));
  const Mask is_longer = is_plain & !(start < y) & (y < y.of(math::kInf));
  const Double divisor = select(is_longer, y, y.of(1.0));
  const ir::RegionId body = build.begin_loop({select(is_longer, start, y.of(0.0)).id});
  const Double x{{a.b, build.arg(body, 0)}};
  build.exit_unless((!(x < divisor)).id);
  const Double distance = logb(x) - logb(divisor);
  const Double power = select(distance < y.of(51.0), y.of(0.0), distance - 50.0);
  const Double step = scale(divisor, power);
  const Double quotient = one(Op::Trunc, x / step);
  const Double rest = fma(-quotient, step, x);
  // The rounded quotient may be one too large.
  const Double next = select(rest < rest.of(0.0), rest + step, rest);
  const NodeId loop = build.end_loop({next.id});
  const Double rest_of_all = select(is_longer, Double{{a.b, build.result(loop, 0)}}, start);
  // An invalid operation for an infinite a and for a zero b, and none for nans.
  const Double dividend = select(is_plain | !(y == y), y.of(0.0), a);
  const Double no_number = dividend * 0.0 / select(is_plain, y.of(1.0), b);
  return select(is_plain, copysign(rest_of_all, a), no_number);
}

// FMod, Mod and FloorDiv as NumPy defines them, see ir/scalar_ops.hpp.
NodeId remainder_op(Builder& builder, const Node& node) {
  const bool is_single = node.type == Type::F32;
  const auto wide = [&](NodeId id) { return Double{{&builder, builder.cast(id, Type::F64)}}; };
  const NodeId a = node.a;
  const NodeId b = node.b;
  const auto zero = builder.constant(node.type, 0);
  const NodeId is_zero = builder.compare(Op::Eq, b, zero);
  // Division by zero: the quotient carries the report of a checked node, and floor_divide's value;
  // of the others NumPy says that the operation is invalid, as fmod() does.
  const bool needs_quotient = node.op == Op::FloorDiv || node.checked();
  const NodeId quotient =
      needs_quotient ? builder.binary(Op::Div, a, b, node.flags & ir::kChecked) : zero;
  const bool is_floor = node.op == Op::FloorDiv;
  const NodeId one = is_single ? builder.constant(1.0F) : builder.constant(1.0);
  const NodeId divisor = is_floor ? builder.select(is_zero, one, b) : b;
  const NodeId dividend = is_floor ? builder.select(is_zero, one, a) : a;
  NodeId rest = builder.cast(fmod(wide(dividend), wide(divisor)).id, node.type);
  if (node.checked()) {
    rest = builder.select(is_zero, builder.binary(Op::Sub, quotient, quotient), rest);
  }
  if (node.op == Op::FMod) return rest;
  const NodeId signs_differ = builder.binary(Op::Xor, builder.compare(Op::Lt, b, zero),
                                             builder.compare(Op::Lt, rest, zero));
  const NodeId has_rest = builder.compare(Op::Ne, rest, zero);
  const NodeId is_off = builder.binary(Op::And, has_rest, signs_differ);
  if (node.op == Op::Mod) {
    const NodeId moved = builder.select(is_off, builder.binary(Op::Add, rest, b), rest);
    const NodeId is_none = builder.compare(Op::Eq, rest, zero);
    return builder.select(is_none, builder.binary(Op::CopySign, zero, b), moved);
  }
  const auto constant = [&](double value) {
    return is_single ? builder.constant(static_cast<float>(value)) : builder.constant(value);
  };
  const NodeId exact = builder.binary(Op::Div, builder.binary(Op::Sub, dividend, rest), divisor);
  const NodeId lowered =
      builder.select(is_off, builder.binary(Op::Sub, exact, constant(1.0)), exact);
  const NodeId whole = builder.unary(Op::Floor, lowered);
  const NodeId is_more =
      builder.compare(Op::Lt, constant(0.5), builder.binary(Op::Sub, lowered, whole));
  NodeId result = builder.select(is_more, builder.binary(Op::Add, whole, constant(1.0)), whole);
  result = builder.select(builder.compare(Op::Eq, lowered, zero),
                          builder.binary(Op::CopySign, zero, quotient), result);
  return builder.select(is_zero, quotient, result);
}

// --- the pass ------------------------------------------------------------------------------------

bool has_expansion(Op op) {
  switch (op) {
    case Op::Exp:
    case Op::Exp2:
    case Op::Expm1:
    case Op::Log:
    case Op::Log2:
    case Op::Log10:
    case Op::Log1p:
    case Op::Sin:
    case Op::Cos:
    case Op::Tan:
    case Op::Sinh:
    case Op::Cosh:
    case Op::Tanh:
    case Op::Pow:
      return true;
    default:
      return false;
  }
}

Double expand(Op op, Double x, Double y) {
  switch (op) {
    case Op::Exp:
      return math::exp(x);
    case Op::Exp2:
      return math::exp2(x);
    case Op::Expm1:
      return math::expm1(x);
    case Op::Log:
      return math::log(x);
    case Op::Log2:
      return math::log2(x);
    case Op::Log10:
      return math::log10(x);
    case Op::Log1p:
      return math::log1p(x);
    case Op::Sin:
      return math::sin(x);
    case Op::Cos:
      return math::cos(x);
    case Op::Tan:
      return math::tan(x);
    case Op::Sinh:
      return math::sinh(x);
    case Op::Cosh:
      return math::cosh(x);
    case Op::Tanh:
      return math::tanh(x);
    default:
      return math::pow(x, y);
  }
}

}  // namespace

Function expand_math(const Function& function) {
  const bool is_own = function.math == ir::MathPolicy::Own;
  return rewrite(function, [&](Builder& b, const Node& node, NodeId) {
    const bool is_remainder = is_float(node.type) && (node.op == Op::FMod || node.op == Op::Mod ||
                                                      node.op == Op::FloorDiv);
    if (is_remainder) return remainder_op(b, node);
    if (!is_own || op_kind(node.op) != OpKind::Math || !has_expansion(node.op)) return b.emit(node);
    const auto wide = [&](NodeId id) { return Double{{&b, b.cast(id, Type::F64)}}; };
    const Double x = wide(node.a);
    const Double y = node.b == kNone ? x : wide(node.b);
    return b.cast(expand(node.op, x, y).id, node.type);
  });
}

}  // namespace lattice::jit::passes
