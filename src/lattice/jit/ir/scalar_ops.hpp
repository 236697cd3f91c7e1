// SPDX-License-Identifier: MIT
// What each operation means, on one element: the definition that tier 0's loops and the folding
// pass instantiate, and that machine code is tested against.
//
// NumPy >= 2 on x86-64 decides the corners (docs/jit_ir.md lists them). Everything here must be
// compiled with -ffp-contract=off: a*b+c is two roundings, Fma is one.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "lattice/jit/ir/opcode.hpp"
#include "lattice/jit/ir/stage.hpp"
#include "lattice/jit/ir/types.hpp"

namespace lattice::jit::scalar {

template <class T>
inline constexpr bool kIsFloat = std::is_floating_point_v<T>;
template <class T>
inline constexpr bool kIsBool = std::is_same_v<T, bool>;
template <class T>
inline constexpr bool kIsInt = std::is_integral_v<T> && !kIsBool<T>;

// Unsigned and at least as wide as int: narrow operands do not become signed by promotion.
template <class T>
using Wide = std::common_type_t<unsigned, std::make_unsigned_t<T>>;

template <class T>
inline constexpr int kWidth = static_cast<int>(8 * sizeof(T));

template <class T>
constexpr T wrap(Wide<T> value) noexcept {
  return static_cast<T>(value);
}

template <class T>
constexpr bool is_min_by_minus_one(T a, T b) noexcept {
  if constexpr (std::is_signed_v<T>) {
    return b == -1 && a == std::numeric_limits<T>::min();
  } else {
    return false;
  }
}

template <class T>
constexpr T int_trunc_div(T a, T b) noexcept {
  if (b == 0) return 0;
  if (is_min_by_minus_one(a, b)) return a;
  return static_cast<T>(a / b);
}
template <class T>
constexpr T int_rem(T a, T b) noexcept {
  if (b == 0 || is_min_by_minus_one(a, b)) return 0;
  return static_cast<T>(a % b);
}
template <class T>
constexpr T int_floor_div(T a, T b) noexcept {
  T quotient = int_trunc_div(a, b);
  if constexpr (std::is_signed_v<T>) {
    if (int_rem(a, b) != 0 && (a < 0) != (b < 0)) --quotient;
  }
  return quotient;
}
template <class T>
constexpr T int_mod(T a, T b) noexcept {
  T rest = int_rem(a, b);
  if constexpr (std::is_signed_v<T>) {
    if (rest != 0 && (rest < 0) != (b < 0)) rest = static_cast<T>(rest + b);
  }
  return rest;
}
template <class T>
constexpr T int_pow(T base, T exponent) noexcept {
  if constexpr (std::is_signed_v<T>) {
    if (exponent < 0) return 0;
  }
  Wide<T> result = 1;
  Wide<T> square = static_cast<Wide<T>>(base);
  for (auto left = static_cast<std::make_unsigned_t<T>>(exponent); left != 0; left >>= 1) {
    if ((left & 1) != 0) result *= square;
    square *= square;
  }
  return wrap<T>(result);
}
template <class T>
constexpr T int_mul_high(T a, T b) noexcept {
  if constexpr (sizeof(T) == 8) {
    if constexpr (std::is_signed_v<T>) {
      return static_cast<T>((static_cast<__int128>(a) * b) >> 64);
    } else {
      return static_cast<T>((static_cast<unsigned __int128>(a) * b) >> 64);
    }
  } else {
    using Double = std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>;
    return static_cast<T>((static_cast<Double>(a) * static_cast<Double>(b)) >> kWidth<T>);
  }
}

// fmod with the divisor's sign; a zero result has it too.
template <class T>
T float_mod(T a, T b) noexcept {
  T rest = std::fmod(a, b);
  if (b == 0) return rest;  // nan
  if (rest == 0) return std::copysign(T{0}, b);
  return (b < 0) != (rest < 0) ? rest + b : rest;
}
// Not floor(a / b): 1 // 0.1 is 9, since 0.1 is a little more than a tenth.
template <class T>
T float_floor_div(T a, T b) noexcept {
  if (b == 0) return a / b;
  T rest = std::fmod(a, b);
  T quotient = (a - rest) / b;
  if (rest != 0 && (b < 0) != (rest < 0)) quotient -= 1;
  if (quotient == 0) return std::copysign(T{0}, a / b);
  T whole = std::floor(quotient);
  return quotient - whole > T{0.5} ? whole + 1 : whole;
}

// As vscalefpd: x * 2^floor(k), rounded once.
template <class T>
T float_scale(T x, T k) noexcept {
  if (std::isnan(x) || std::isnan(k)) return x + k;
  if (std::isinf(k)) {
    if (k > 0) return x == 0 ? std::numeric_limits<T>::quiet_NaN() : std::copysign(k, x);
    return std::isinf(x) ? std::numeric_limits<T>::quiet_NaN() : std::copysign(T{0}, x);
  }
  T whole = std::floor(k);
  int exponent = whole > 5000 ? 5000 : whole < -5000 ? -5000 : static_cast<int>(whole);
  return std::ldexp(x, exponent);
}
template <class T>
T float_mantissa(T x) noexcept {
  if (std::isnan(x)) return x + x;
  if (x == 0 || std::isinf(x)) return std::copysign(T{1}, x);
  int exponent = 0;
  return 2 * std::frexp(x, &exponent);
}
template <class T>
T float_logb(T x) noexcept {
  if (std::isnan(x)) return x + x;
  if (std::isinf(x)) return std::numeric_limits<T>::infinity();
  if (x == 0) return -std::numeric_limits<T>::infinity();
  return std::logb(x);
}

template <class T>
T float_lgamma(T x) noexcept {
  int sign = 0;  // lgamma() would write the global signgam, which races.
  if constexpr (std::is_same_v<T, double>) {
    return ::lgamma_r(x, &sign);
  } else {
    return ::lgammaf_r(x, &sign);
  }
}

// --- conversion ---

// cvttsd2si: truncates; what the type cannot hold, and nan, give its minimum.
template <class To, class From>
To float_to_signed(From x) noexcept {
  constexpr From kLimit = static_cast<From>(uint64_t{1} << (kWidth<To> - 1));
  return x >= -kLimit && x < kLimit ? static_cast<To>(x) : std::numeric_limits<To>::min();
}
// What compilers make of it on x86: values from 2^(w-1) on are shifted down first.
template <class To, class From>
To float_to_unsigned(From x) noexcept {
  using Signed = std::make_signed_t<To>;
  constexpr From kHalf = static_cast<From>(uint64_t{1} << (kWidth<To> - 1));
  constexpr To kTop = static_cast<To>(To{1} << (kWidth<To> - 1));
  if (!(x >= kHalf)) return static_cast<To>(float_to_signed<Signed>(x));
  return static_cast<To>(static_cast<To>(float_to_signed<Signed>(x - kHalf)) ^ kTop);
}

template <class To, class From>
To cast(From x) noexcept {
  if constexpr (kIsBool<To>) {
    return x != From{0};
  } else if constexpr (kIsFloat<From> && !kIsFloat<To>) {
    if constexpr (sizeof(To) < 4) {
      return static_cast<To>(float_to_signed<int32_t>(x));
    } else if constexpr (std::is_signed_v<To>) {
      return float_to_signed<To>(x);
    } else {
      return float_to_unsigned<To>(x);
    }
  } else {
    return static_cast<To>(x);
  }
}

// --- the operations ---

template <Op op, class T>
constexpr bool accepts() noexcept {
  constexpr uint8_t kTypes = op_info(op).types;
  return (kIsBool<T> && (kTypes & kB) != 0) || (kIsInt<T> && (kTypes & kI) != 0) ||
         (kIsFloat<T> && (kTypes & kF) != 0);
}

// Unary and Test operations, and library functions of one argument.
template <Op op, class T>
auto apply(T a) noexcept {
  if constexpr (op == Op::Neg) {
    if constexpr (kIsFloat<T>)
      return -a;
    else
      return wrap<T>(Wide<T>{0} - static_cast<Wide<T>>(a));
  } else if constexpr (op == Op::Abs) {
    if constexpr (kIsFloat<T>)
      return std::fabs(a);
    else if constexpr (std::is_signed_v<T>) {
      return a < 0 ? wrap<T>(Wide<T>{0} - static_cast<Wide<T>>(a)) : a;
    } else
      return a;
  } else if constexpr (op == Op::Sign) {
    if constexpr (kIsFloat<T>) {
      return a > 0 ? T{1} : a < 0 ? T{-1} : a == 0 ? T{0} : a;
    } else if constexpr (std::is_signed_v<T>) {
      return static_cast<T>(a > 0 ? 1 : a < 0 ? -1 : 0);
    } else {
      return static_cast<T>(a > 0 ? 1 : 0);
    }
  } else if constexpr (op == Op::Not) {
    if constexpr (kIsBool<T>)
      return !a;
    else
      return static_cast<T>(~a);
  } else if constexpr (op == Op::Clz) {
    return static_cast<T>(std::countl_zero(static_cast<std::make_unsigned_t<T>>(a)));
  } else if constexpr (op == Op::Sqrt) {
    return std::sqrt(a);
  } else if constexpr (op == Op::Floor) {
    return std::floor(a);
  } else if constexpr (op == Op::Ceil) {
    return std::ceil(a);
  } else if constexpr (op == Op::Trunc) {
    return std::trunc(a);
  } else if constexpr (op == Op::Rint) {
    return std::nearbyint(a);
  } else if constexpr (op == Op::LogB) {
    return float_logb(a);
  } else if constexpr (op == Op::Mantissa) {
    return float_mantissa(a);
  } else if constexpr (op == Op::IsNan) {
    return a != a;
  } else if constexpr (op == Op::IsInf) {
    return std::fabs(a) == std::numeric_limits<T>::infinity();
  } else if constexpr (op == Op::IsFinite) {
    return std::fabs(a) < std::numeric_limits<T>::infinity();
  } else if constexpr (op == Op::SignBit) {
    return std::signbit(a);
  } else if constexpr (op == Op::Exp) {
    return std::exp(a);
  } else if constexpr (op == Op::Exp2) {
    return std::exp2(a);
  } else if constexpr (op == Op::Expm1) {
    return std::expm1(a);
  } else if constexpr (op == Op::Log) {
    return std::log(a);
  } else if constexpr (op == Op::Log2) {
    return std::log2(a);
  } else if constexpr (op == Op::Log10) {
    return std::log10(a);
  } else if constexpr (op == Op::Log1p) {
    return std::log1p(a);
  } else if constexpr (op == Op::Sin) {
    return std::sin(a);
  } else if constexpr (op == Op::Cos) {
    return std::cos(a);
  } else if constexpr (op == Op::Tan) {
    return std::tan(a);
  } else if constexpr (op == Op::Asin) {
    return std::asin(a);
  } else if constexpr (op == Op::Acos) {
    return std::acos(a);
  } else if constexpr (op == Op::Atan) {
    return std::atan(a);
  } else if constexpr (op == Op::Sinh) {
    return std::sinh(a);
  } else if constexpr (op == Op::Cosh) {
    return std::cosh(a);
  } else if constexpr (op == Op::Tanh) {
    return std::tanh(a);
  } else if constexpr (op == Op::Asinh) {
    return std::asinh(a);
  } else if constexpr (op == Op::Acosh) {
    return std::acosh(a);
  } else if constexpr (op == Op::Atanh) {
    return std::atanh(a);
  } else if constexpr (op == Op::Cbrt) {
    return std::cbrt(a);
  } else if constexpr (op == Op::Erf) {
    return std::erf(a);
  } else if constexpr (op == Op::Erfc) {
    return std::erfc(a);
  } else if constexpr (op == Op::Gamma) {
    return std::tgamma(a);
  } else {
    static_assert(op == Op::LGamma);
    return float_lgamma(a);
  }
}

// Binary and Compare operations, and library functions of two arguments.
template <Op op, class T>
auto apply(T a, T b) noexcept {
  if constexpr (op == Op::Add) {
    if constexpr (kIsFloat<T>)
      return a + b;
    else
      return wrap<T>(static_cast<Wide<T>>(a) + static_cast<Wide<T>>(b));
  } else if constexpr (op == Op::Sub) {
    if constexpr (kIsFloat<T>)
      return a - b;
    else
      return wrap<T>(static_cast<Wide<T>>(a) - static_cast<Wide<T>>(b));
  } else if constexpr (op == Op::Mul) {
    if constexpr (kIsFloat<T>)
      return a * b;
    else
      return wrap<T>(static_cast<Wide<T>>(a) * static_cast<Wide<T>>(b));
  } else if constexpr (op == Op::MulHigh) {
    return int_mul_high(a, b);
  } else if constexpr (op == Op::Div) {
    return a / b;
  } else if constexpr (op == Op::FloorDiv) {
    if constexpr (kIsFloat<T>)
      return float_floor_div(a, b);
    else
      return int_floor_div(a, b);
  } else if constexpr (op == Op::Mod) {
    if constexpr (kIsFloat<T>)
      return float_mod(a, b);
    else
      return int_mod(a, b);
  } else if constexpr (op == Op::TruncDiv) {
    return int_trunc_div(a, b);
  } else if constexpr (op == Op::FMod) {
    if constexpr (kIsFloat<T>)
      return std::fmod(a, b);
    else
      return int_rem(a, b);
  } else if constexpr (op == Op::IPow) {
    return int_pow(a, b);
  } else if constexpr (op == Op::Min) {
    if constexpr (kIsBool<T>)
      return a && b;
    else if constexpr (kIsFloat<T>)
      return a < b || a != a ? a : b;
    else
      return a < b ? a : b;
  } else if constexpr (op == Op::Max) {
    if constexpr (kIsBool<T>)
      return a || b;
    else if constexpr (kIsFloat<T>)
      return a > b || a != a ? a : b;
    else
      return a > b ? a : b;
  } else if constexpr (op == Op::FMin) {
    return a < b || b != b ? a : b;
  } else if constexpr (op == Op::FMax) {
    return a > b || b != b ? a : b;
  } else if constexpr (op == Op::CopySign) {
    return std::copysign(a, b);
  } else if constexpr (op == Op::Scale) {
    return float_scale(a, b);
  } else if constexpr (op == Op::And) {
    if constexpr (kIsBool<T>)
      return a && b;
    else
      return static_cast<T>(a & b);
  } else if constexpr (op == Op::Or) {
    if constexpr (kIsBool<T>)
      return a || b;
    else
      return static_cast<T>(a | b);
  } else if constexpr (op == Op::Xor) {
    if constexpr (kIsBool<T>)
      return a != b;
    else
      return static_cast<T>(a ^ b);
  } else if constexpr (op == Op::Shl) {
    // Also when b is negative: as unsigned it is large.
    using U = std::make_unsigned_t<T>;
    return static_cast<U>(b) < static_cast<U>(kWidth<T>)
               ? wrap<T>(static_cast<Wide<T>>(a) << static_cast<U>(b))
               : T{0};
  } else if constexpr (op == Op::Shr) {
    using U = std::make_unsigned_t<T>;
    bool is_inside = static_cast<U>(b) < static_cast<U>(kWidth<T>);
    if constexpr (std::is_signed_v<T>) {
      return static_cast<T>(a >> (is_inside ? b : T{kWidth<T> - 1}));
    } else {
      return is_inside ? static_cast<T>(a >> b) : T{0};
    }
  } else if constexpr (op == Op::Eq) {
    return a == b;
  } else if constexpr (op == Op::Ne) {
    return a != b;
  } else if constexpr (op == Op::Lt) {
    return a < b;
  } else if constexpr (op == Op::Le) {
    return a <= b;
  } else if constexpr (op == Op::Pow) {
    return std::pow(a, b);
  } else if constexpr (op == Op::Atan2) {
    return std::atan2(a, b);
  } else {
    static_assert(op == Op::Hypot);
    return std::hypot(a, b);
  }
}

// --- what the operations report ---

// Status bits of one element; `checked` is the node's kChecked. Only integers, Div, FloorDiv and
// Mod report here; NumPy's floating-point warnings come from the machine's own flags.
template <Op op, class T>
uint32_t report(T a, bool checked) noexcept {
  if constexpr ((op == Op::Neg || op == Op::Abs) && kIsInt<T> && std::is_signed_v<T>) {
    if (checked && a == std::numeric_limits<T>::min()) return kStatusIntOverflow;
  } else if constexpr (op == Op::Neg && kIsInt<T>) {
    if (checked && a != 0) return kStatusIntOverflow;
  }
  return 0;
}

template <class T>
bool pow_overflows(T base, T exponent) noexcept {
  if constexpr (std::is_signed_v<T>) {
    if (exponent < 0) return false;
  }
  T result = 1;
  T square = base;
  for (T left = exponent;;) {
    if ((left & 1) != 0 && __builtin_mul_overflow(result, square, &result)) return true;
    left = static_cast<T>(left >> 1);
    if (left == 0) return false;
    if (__builtin_mul_overflow(square, square, &square)) return true;
  }
}

template <Op op, class T>
uint32_t report(T a, T b, bool checked) noexcept {
  constexpr bool kDivides =
      op == Op::FloorDiv || op == Op::Mod || op == Op::TruncDiv || op == Op::FMod;
  if constexpr (kIsFloat<T>) {
    if constexpr (kDivides || op == Op::Div) {
      if (checked && b == 0) return kStatusZeroDivision;
    }
    return 0;
  } else if constexpr (kDivides) {
    if (b == 0) return checked ? uint32_t{kStatusZeroDivision} : uint32_t{kStatusFpDivide};
    if ((op == Op::FloorDiv || op == Op::TruncDiv) && is_min_by_minus_one(a, b)) {
      return checked ? uint32_t{kStatusIntOverflow} : uint32_t{kStatusFpOverflow};
    }
    return 0;
  } else if constexpr (op == Op::IPow) {
    if constexpr (std::is_signed_v<T>) {
      if (b < 0) return kStatusNegativePower;
    }
    return checked && pow_overflows(a, b) ? uint32_t{kStatusIntOverflow} : 0u;
  } else if constexpr (kIsInt<T>) {
    if (!checked) return 0;
    [[maybe_unused]] T ignored{};
    bool overflows = false;
    if constexpr (op == Op::Add) overflows = __builtin_add_overflow(a, b, &ignored);
    if constexpr (op == Op::Sub) overflows = __builtin_sub_overflow(a, b, &ignored);
    if constexpr (op == Op::Mul) overflows = __builtin_mul_overflow(a, b, &ignored);
    if constexpr (op == Op::Shl) {
      // Python raises for negative counts and keeps every bit: both are the caller's to re-run.
      T shifted = apply<Op::Shl>(a, b);
      overflows = (std::is_signed_v<T> && b < T{0}) ||
                  (a != 0 && (static_cast<uint64_t>(b) >= static_cast<uint64_t>(kWidth<T>) ||
                              apply<Op::Shr>(shifted, b) != a));
    }
    if constexpr (op == Op::Shr) overflows = std::is_signed_v<T> && b < T{0};
    return overflows ? uint32_t{kStatusIntOverflow} : 0u;
  }
  return 0;
}

// Whether a node can report anything at all: tier 0 then looks at each active lane.
constexpr bool can_report(Op op, Type type, bool checked) noexcept {
  if (is_float(type)) {
    return checked && (op == Op::Div || op == Op::FloorDiv || op == Op::Mod || op == Op::FMod);
  }
  switch (op) {
    case Op::FloorDiv:
    case Op::Mod:
    case Op::TruncDiv:
    case Op::FMod:
    case Op::IPow:
      return true;
    case Op::Add:
    case Op::Sub:
    case Op::Mul:
    case Op::Neg:
    case Op::Abs:
    case Op::Shl:
    case Op::Shr:
      return checked;
    default:
      return false;
  }
}

// Calls fn.template operator()<op>() for the run-time op of a unary operation (Unary, Test, Math).
// clang-format off
#define LATTICE_JIT_UNARY_OPS(X)                                                              \
  X(Neg) X(Abs) X(Sign) X(Sqrt) X(Floor) X(Ceil) X(Trunc) X(Rint) X(LogB) X(Mantissa) X(Not)  \
  X(Clz) X(IsNan) X(IsInf) X(IsFinite) X(SignBit) X(Exp) X(Exp2) X(Expm1) X(Log) X(Log2)      \
  X(Log10) X(Log1p) X(Sin) X(Cos) X(Tan) X(Asin) X(Acos) X(Atan) X(Sinh) X(Cosh) X(Tanh)      \
  X(Asinh) X(Acosh) X(Atanh) X(Cbrt) X(Erf) X(Erfc) X(Gamma) X(LGamma)
#define LATTICE_JIT_BINARY_OPS(X)                                                             \
  X(Add) X(Sub) X(Mul) X(MulHigh) X(Div) X(FloorDiv) X(Mod) X(TruncDiv) X(FMod) X(IPow)       \
  X(Min) X(Max) X(FMin) X(FMax) X(CopySign) X(Scale) X(And) X(Or) X(Xor) X(Shl) X(Shr)        \
  X(Eq) X(Ne) X(Lt) X(Le) X(Pow) X(Atan2) X(Hypot)
// clang-format on

// One element-wise operation on bit patterns; `type` is the operands' type (Select: of b), `to` the
// result's. Status bits are or-ed into `status`. The folder runs this.
Bits evaluate(Op op, Type type, Type to, bool checked, Bits a, Bits b, Bits c, uint32_t& status);

}  // namespace lattice::jit::scalar
