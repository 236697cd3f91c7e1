// SPDX-License-Identifier: MIT
// The library functions as straight-line code over any number type with explicit fma: what all of
// them use. The functions are in vector_exp.hpp, vector_log.hpp, vector_trig.hpp.
//
// T is a value of an IR under construction (expand_math.cpp) or a plain double (the MPFR test), so
// what is checked against MPFR is what every tier runs. Errors are below 1 ULP (pow, tan: 1.5) over
// the whole domain. Sources: reductions after Cody and Waite and Payne and Hanek, log's form and
// the treatment of remainders after fdlibm; the coefficients are our own Chebyshev fits.
//
// T needs: + - * / with T and double, < <= == giving T's Mask, Mask & | !, and found by ADL: fma,
// rint, floor, abs, sqrt, scale(x, k), logb, mantissa, copysign, select, min and max (the first
// where it is less or greater or nan, else the second), bits (to T's Bits, which needs + & ^ << >>
// and != 0), from_bits, lookup(table, index), which takes the index's low bits where the table has
// a power of two of entries, and rarely(mask, otherwise, function) for a T or an Angle.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace lattice::jit::passes::math {

using std::size_t;

inline constexpr double kInf = std::numeric_limits<double>::infinity();
inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// An unevaluated sum, |lo| at most half an ulp of hi or nearly so.
template <class T>
struct Pair {
  T hi, lo;
};

// REQUIRES: |a| >= |b| or a is 0.
template <class T>
Pair<T> fast_two_sum(T a, T b) {
  const T sum = a + b;
  return {sum, b - (sum - a)};
}
template <class T>
Pair<T> two_sum(T a, T b) {
  const T sum = a + b;
  const T b_part = sum - a;
  return {sum, (a - (sum - b_part)) + (b - b_part)};
}
template <class T>
Pair<T> two_product(T a, T b) {
  const T product = a * b;
  return {product, fma(a, b, -product)};
}

template <class T, size_t N>
T horner(T x, const std::array<double, N>& c) {
  T sum = fma(x.of(c[N - 1]), x, x.of(c[N - 2]));
  for (size_t k = N - 2; k-- > 0;) sum = fma(sum, x, x.of(c[k]));
  return sum;
}

// nan stays: the bounds come first, and min and max give their second operand for a nan.
template <class T>
T clamp(T x, double low, double high) {
  return min(x.of(high), max(x.of(low), x));
}

// The quotient of two sums, nearly correctly rounded, where 1 / b.hi is a normal number.
template <class T>
T divide(Pair<T> a, Pair<T> b) {
  const T inverse = a.hi.of(1.0) / b.hi;
  const T q = a.hi * inverse;
  const T rest = fma(-q, b.hi, a.hi) + fma(-q, b.lo, a.lo);
  return fma(rest, inverse, q);
}

}  // namespace lattice::jit::passes::math
