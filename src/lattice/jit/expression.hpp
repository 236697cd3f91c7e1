// SPDX-License-Identifier: MIT
// Expression<T>: a number of C++ code that is being traced.
//
// Inside jit::compile's function every argument is one. Operators append nodes to the Builder that
// the function is traced into; integers follow NumPy (wrapping, // and % rounding down by
// floor_div and mod; / and % of C++ truncate, as for int). Types do not mix: cast<To>(x).
//
// Control flow on traced values: select(c, a, b), and loop_while(state, condition, step).
//
// Lifetime: an Expression points to the Builder of the compile() call it was made in.
#pragma once

#include <concepts>
#include <tuple>
#include <type_traits>
#include <utility>

#include "lattice/jit/ir/builder.hpp"

namespace lattice::jit {

template <class T>
concept Element = type_of<T>() != Type::Void;

template <Element T>
class Expression {
 public:
  using value_type = T;

  Expression(ir::Builder& builder, ir::NodeId node) : builder_(&builder), node_(node) {}

  ir::Builder& builder() const noexcept { return *builder_; }
  ir::NodeId node() const noexcept { return node_; }

  Expression& operator+=(const Expression& y) { return *this = *this + y; }
  Expression& operator-=(const Expression& y) { return *this = *this - y; }
  Expression& operator*=(const Expression& y) { return *this = *this * y; }
  Expression& operator/=(const Expression& y) { return *this = *this / y; }

  // Operators are found through either argument, so a constant converts on both sides.
#define LATTICE_JIT_OPERATOR(symbol, op)                                        \
  friend Expression operator symbol(const Expression& x, const Expression& y) { \
    return {x.builder(), x.builder().binary(op, x.node(), y.node())};           \
  }                                                                             \
  template <class U>                                                            \
    requires std::is_arithmetic_v<U>                                            \
  friend Expression operator symbol(const Expression& x, U y) {                 \
    return x symbol x.constant(y);                                              \
  }                                                                             \
  template <class U>                                                            \
    requires std::is_arithmetic_v<U>                                            \
  friend Expression operator symbol(U x, const Expression& y) {                 \
    return y.constant(x) symbol y;                                              \
  }
  LATTICE_JIT_OPERATOR(+, Op::Add)
  LATTICE_JIT_OPERATOR(-, Op::Sub)
  LATTICE_JIT_OPERATOR(*, Op::Mul)
  LATTICE_JIT_OPERATOR(/, (std::is_floating_point_v<T> ? Op::Div : Op::TruncDiv))
  LATTICE_JIT_OPERATOR(%, Op::FMod)
  LATTICE_JIT_OPERATOR(&, Op::And)
  LATTICE_JIT_OPERATOR(|, Op::Or)
  LATTICE_JIT_OPERATOR(^, Op::Xor)
  LATTICE_JIT_OPERATOR(<<, Op::Shl)
  LATTICE_JIT_OPERATOR(>>, Op::Shr)
#undef LATTICE_JIT_OPERATOR

#define LATTICE_JIT_COMPARISON(symbol, op, first, second)                               \
  friend Expression<bool> operator symbol(const Expression & x, const Expression & y) { \
    return {x.builder(), x.builder().compare(op, first.node(), second.node())};         \
  }                                                                                     \
  template <class U>                                                                    \
    requires std::is_arithmetic_v<U>                                                    \
  friend Expression<bool> operator symbol(const Expression & x, U y) {                  \
    return x symbol x.constant(y);                                                      \
  }                                                                                     \
  template <class U>                                                                    \
    requires std::is_arithmetic_v<U>                                                    \
  friend Expression<bool> operator symbol(U x, const Expression & y) {                  \
    return y.constant(x) symbol y;                                                      \
  }
  LATTICE_JIT_COMPARISON(<, Op::Lt, x, y)
  LATTICE_JIT_COMPARISON(<=, Op::Le, x, y)
  LATTICE_JIT_COMPARISON(>, Op::Lt, y, x)
  LATTICE_JIT_COMPARISON(>=, Op::Le, y, x)
  LATTICE_JIT_COMPARISON(==, Op::Eq, x, y)
  LATTICE_JIT_COMPARISON(!=, Op::Ne, x, y)
#undef LATTICE_JIT_COMPARISON

  friend Expression operator-(const Expression& x) {
    return {x.builder(), x.builder().unary(Op::Neg, x.node())};
  }
  friend Expression operator!(const Expression& x)
    requires std::same_as<T, bool>
  {
    return {x.builder(), x.builder().unary(Op::Not, x.node())};
  }
  // Both sides are always computed.
  friend Expression operator&&(const Expression& x, const Expression& y)
    requires std::same_as<T, bool>
  {
    return x & y;
  }
  friend Expression operator||(const Expression& x, const Expression& y)
    requires std::same_as<T, bool>
  {
    return x | y;
  }

  template <class U>
    requires std::is_arithmetic_v<U>
  Expression constant(U value) const {
    return {*builder_, builder_->constant(static_cast<T>(value))};
  }

 private:
  ir::Builder* builder_;
  ir::NodeId node_;
};

#define LATTICE_JIT_FUNCTION(name, op)                         \
  template <Element T>                                         \
  Expression<T> name(const Expression<T>& x) {                 \
    return {x.builder(), x.builder().unary(Op::op, x.node())}; \
  }
LATTICE_JIT_FUNCTION(sqrt, Sqrt)
LATTICE_JIT_FUNCTION(abs, Abs)
LATTICE_JIT_FUNCTION(floor, Floor)
LATTICE_JIT_FUNCTION(ceil, Ceil)
LATTICE_JIT_FUNCTION(trunc, Trunc)
LATTICE_JIT_FUNCTION(rint, Rint)
LATTICE_JIT_FUNCTION(exp, Exp)
LATTICE_JIT_FUNCTION(expm1, Expm1)
LATTICE_JIT_FUNCTION(log, Log)
LATTICE_JIT_FUNCTION(log1p, Log1p)
LATTICE_JIT_FUNCTION(log2, Log2)
LATTICE_JIT_FUNCTION(log10, Log10)
LATTICE_JIT_FUNCTION(sin, Sin)
LATTICE_JIT_FUNCTION(cos, Cos)
LATTICE_JIT_FUNCTION(tan, Tan)
LATTICE_JIT_FUNCTION(asin, Asin)
LATTICE_JIT_FUNCTION(acos, Acos)
LATTICE_JIT_FUNCTION(atan, Atan)
LATTICE_JIT_FUNCTION(sinh, Sinh)
LATTICE_JIT_FUNCTION(cosh, Cosh)
LATTICE_JIT_FUNCTION(tanh, Tanh)
LATTICE_JIT_FUNCTION(erf, Erf)
LATTICE_JIT_FUNCTION(cbrt, Cbrt)
#undef LATTICE_JIT_FUNCTION

#define LATTICE_JIT_FUNCTION(name, op)                                                       \
  template <Element T>                                                                       \
  Expression<T> name(const Expression<T>& x, const std::type_identity_t<Expression<T>>& y) { \
    return {x.builder(), x.builder().binary(Op::op, x.node(), y.node())};                    \
  }                                                                                          \
  template <Element T, class U>                                                              \
    requires std::is_arithmetic_v<U>                                                         \
  Expression<T> name(const Expression<T>& x, U y) {                                          \
    return name(x, x.constant(y));                                                           \
  }
LATTICE_JIT_FUNCTION(pow, Pow)
LATTICE_JIT_FUNCTION(atan2, Atan2)
LATTICE_JIT_FUNCTION(hypot, Hypot)
LATTICE_JIT_FUNCTION(copysign, CopySign)
LATTICE_JIT_FUNCTION(min, Min)
LATTICE_JIT_FUNCTION(max, Max)
LATTICE_JIT_FUNCTION(floor_div, FloorDiv)
LATTICE_JIT_FUNCTION(mod, Mod)
#undef LATTICE_JIT_FUNCTION

template <Element To, Element T>
Expression<To> cast(const Expression<T>& x) {
  return {x.builder(), x.builder().cast(x.node(), type_of<To>())};
}

template <Element T>
Expression<T> select(const Expression<bool>& condition, const Expression<T>& yes,
                     const std::type_identity_t<Expression<T>>& no) {
  return {yes.builder(), yes.builder().select(condition.node(), yes.node(), no.node())};
}

// While condition(state...) holds, state = step(state...). `step` returns a tuple of as many
// values; returns the final ones as a tuple.
template <class Condition, class Step, Element... T>
std::tuple<Expression<T>...> loop_while(std::tuple<Expression<T>...> state, Condition&& condition,
                                        Step&& step) {
  static_assert(sizeof...(T) > 0, "a loop needs a state");
  ir::Builder& b = std::get<0>(state).builder();
  std::apply([&](auto&... value) { b.begin_loop({value.node()...}); }, state);
  ir::RegionId body = b.region();
  auto values = [&]<size_t... I>(std::index_sequence<I...>) {
    return std::tuple<Expression<T>...>(Expression<T>(b, b.arg(body, static_cast<int>(I)))...);
  }(std::index_sequence_for<T...>());
  b.exit_unless(std::apply(condition, values).node());
  std::tuple<Expression<T>...> next = std::apply(step, values);
  ir::NodeId loop = std::apply([&](auto&... value) { return b.end_loop({value.node()...}); }, next);
  return [&]<size_t... I>(std::index_sequence<I...>) {
    return std::tuple<Expression<T>...>(Expression<T>(b, b.result(loop, static_cast<int>(I)))...);
  }(std::index_sequence_for<T...>());
}

}  // namespace lattice::jit
