// SPDX-License-Identifier: MIT
// exp, exp2, expm1, sinh, cosh, tanh: see vector_math.hpp.
#pragma once

#include "lattice/jit/passes/internal/vector_math.hpp"

namespace lattice::jit::passes::math {

inline constexpr double kLog2E = 0x1.71547652b82fep+0;
inline constexpr double kLn2High = 0x1.62e42fefa3800p-1;  // 42 bits: times an exponent it is exact
inline constexpr double kLn2Low = 0x1.ef35793c76730p-45;
inline constexpr double kLn2Hi = 0x1.62e42fefa39efp-1;
inline constexpr double kLn2Lo = 0x1.abc9e3b39803fp-56;

// 2^k * (1 + r + t) with |r| <= ln2 / 2: t is what exp adds to 1 + r.
template <class T>
struct Exponential {
  T k, r, t;
  Pair<T> mantissa() const {
    const Pair<T> one_plus = fast_two_sum(r.of(1.0), r);
    return {one_plus.hi, one_plus.lo + t};
  }
};

template <class T>
Exponential<T> exp_of_reduced(T k, T r, T low) {
  // (e^r - 1 - r) / r^2
  constexpr std::array kC{0x1.0000000000001p-1,  0x1.5555555555556p-3,  0x1.5555555553d4fp-5,
                          0x1.11111111109adp-7,  0x1.6c16c17893833p-10, 0x1.a01a01a7c8d47p-13,
                          0x1.a019b8ef67c6cp-16, 0x1.71de0d9c145d0p-19, 0x1.2891a8c1d838dp-22,
                          0x1.af38d53857513p-26};
  return {k, r, fma(r * r, horner(r, kC), low)};
}

// REQUIRES: |x| < 2000.
template <class T>
Exponential<T> exponential(T x, T low) {
  const T k = rint(x * kLog2E);
  const T high = fma(-k, x.of(kLn2High), x);
  const T rest = fma(-k, x.of(kLn2Low), low);
  const Pair<T> r = fast_two_sum(high, rest);
  return exp_of_reduced(k, r.hi, r.lo);
}

// exp by a table. x = (k + j/16) ln2 + r, and e^x = 2^k * t[j] * (1 + p(r)), where t[j] is
// A * 2^(j/16) and p the rest of e^r / A: with this A no entry is farther than 0.2 ULP from its
// double, which leaves the result below 0.8 ULP.
inline constexpr std::array<uint64_t, 16> kExpTable{
    0x3ff00c86b3a5c69d, 0x3ff0c26d19a9bfab, 0x3ff180612b59ded9, 0x3ff246be2fde39a9,
    0x3ff315e378ec501e, 0x3ff3ee349094c20e, 0x3ff4d019691828b0, 0x3ff5bbfe8eda105c,
    0x3ff6b2555c8a1301, 0x3ff7b394319c23dd, 0x3ff8c036ab2a3917, 0x3ff9d8bddf5aa881,
    0x3ffafdb09b67c29d, 0x3ffc2f9ba4667a7d, 0x3ffd6f11faeb3ae9, 0x3ffebcad21ad6a0a};
inline constexpr double kSixteenthsPerLn2 = 0x1.71547652b82fep+4;
inline constexpr double kRoundingMagic = 0x1.8p52;  // the sum's low bits are the integer

// `main` where |x| < bound. The others are rare: `main` of them clamped to [low, high], which
// overflows and underflows as it should; `at_ends` of infinities and nans. IEEE flags are the
// function's own: neither way sees what would raise others.
template <class T, class Main, class AtEnds>
T bounded(T x, double bound, double low, double high, Main main, AtEnds at_ends) {
  const auto is_plain = abs(x) < x.of(bound);
  return rarely(!is_plain, main(select(is_plain, x, x.of(0.0))), [&] {
    const T rare = select(is_plain, x.of(0.0), x);
    const auto is_finite = abs(rare) < rare.of(kInf);
    const T result = main(clamp(select(is_finite, rare, rare.of(0.0)), low, high));
    return select(is_finite, result, at_ends(rare));
  });
}

template <class T>
T exp(T x) {
  constexpr std::array kC{-0x1.8f9d9a365fb9cp-9, 0x1.fe706265c9a04p-1, 0x1.fe706265c9a28p-2,
                          0x1.544aec43e0a18p-3,  0x1.544aec42220b3p-5, 0x1.103bebdd85735p-7,
                          0x1.6afc9d119a9b3p-10, 0x1.a385054c2318cp-13};
  const auto main = [&](T y) {
    const T shifted = fma(y, y.of(kSixteenthsPerLn2), y.of(kRoundingMagic));
    const T k = shifted - kRoundingMagic;
    const T high = fma(k, y.of(kLn2High * -0x1p-4), y);
    const T r = fma(k, y.of(kLn2Low * -0x1p-4), high);
    const T t = from_bits(lookup(kExpTable, bits(shifted)));
    return scale(fma(t, horner(r, kC), t), k * 0x1p-4);
  };
  return bounded(x, 707.0, -1000.0, 1000.0, main,
                 [](T end) { return select(end < end.of(0.0), end.of(0.0), end); });
}

template <class T>
T exp2(T x) {
  const auto main = [&](T y) {
    const T k = rint(y);
    const T f = y - k;
    const Pair<T> r = two_product(f, y.of(kLn2Hi));
    const Exponential<T> e = exp_of_reduced(k, r.hi, fma(f, y.of(kLn2Lo), r.lo));
    const Pair<T> m = e.mantissa();
    return scale(m.hi + m.lo, e.k);
  };
  return bounded(x, 1021.0, -1500.0, 1500.0, main,
                 [](T end) { return select(end < end.of(0.0), end.of(0.0), end); });
}

// e^x = m * (1 + r + rest), where m is 2^(j/16) times a power of two and |r| <= ln2 / 32; `rest` is
// small, and what the double m lacks is in it. The table has the bits of 2^(j/16) less j in the
// exponent's place, where k and j are added at once. `quarters`: m is a quarter of that, so that it
// is finite where a multiple of the result still is.
inline constexpr std::array<uint64_t, 16> kPowerTable{
    0x3ff0000000000000, 0x3fefb5586cf9890f, 0x3fef72b83c7d517b, 0x3fef387a6e756238,
    0x3fef06fe0a31b715, 0x3feedea64c123422, 0x3feebfdad5362a27, 0x3feeab07dd485429,
    0x3feea09e667f3bcd, 0x3feea11473eb0187, 0x3feeace5422aa0db, 0x3feec49182a3f090,
    0x3feee89f995ad3ad, 0x3fef199bdd85529c, 0x3fef5818dcfba487, 0x3fefa4afa2a490da};
inline constexpr std::array<uint64_t, 16> kPowerRest{
    0x0000000000000000, 0x3c979aa65d837b6c, 0xbc801b15eaa59348, 0x3c968efde3a8a893,
    0x3c834d754db0abb6, 0x3c859f48a72a4c6c, 0x3c7690cebb7aafb0, 0x3c9063e1e21c5409,
    0xbc93b3efbf5e2229, 0xbc7b32dcb94da51d, 0x3c8db72fc1f0eab4, 0x3c71affc2b91ce27,
    0x3c8c1a7792cb3386, 0x3c736eae30af0cb3, 0x3c74a385a63d07a7, 0xbc8ff7128fd391f1};

template <class T>
struct Power {
  T m, r, rest;
};

// REQUIRES: |x| <= 711 with `quarters`, -60 <= x <= 1 without.
template <class T>
Power<T> power_of(T x, bool quarters) {
  // (e^r - 1 - r) / r^2
  constexpr std::array kC{0x1.0000000000004p-1, 0x1.555555555555ap-3,  0x1.55555554847c1p-5,
                          0x1.1111111072071p-7, 0x1.6c183e46a1760p-10, 0x1.a01badbdde6bcp-13};
  const T shifted = fma(x, x.of(kSixteenthsPerLn2), x.of(kRoundingMagic));
  const T k = shifted - kRoundingMagic;
  const T r = fma(k, x.of(kLn2High * -0x1p-4), x);  // exact
  // What r and the table lack, as a factor 1 + lacking.
  const T lacking = fma(k, x.of(kLn2Low * -0x1p-4), from_bits(lookup(kPowerRest, bits(shifted))));
  auto exponent = bits(shifted) << 48;
  if (quarters) exponent = exponent + (~uint64_t{0} << 53);
  const T m = from_bits(lookup(kPowerTable, bits(shifted)) + exponent);
  const T tail = horner(r, kC);
  if (!quarters) return {m, r, fma(r * r, tail, fma(lacking, r, lacking))};
  // Where k is large, `lacking` is, and its product with the tail counts.
  const T more = r * r * tail;
  return {m, r, fma(lacking, r + more, lacking) + more};
}

// m (1 + r + rest) - one with `less` = m - one: a sum whose second term is as small as `rest`.
template <class T>
Pair<T> less_one(Power<T> e, Pair<T> less) {
  const T sum = fma(e.m, e.r, less.hi);
  const T lost = fma(e.m, e.r, less.hi - sum);
  return {sum, lost + fma(e.m, e.rest, less.lo)};
}

template <class T>
T expm1(T x) {
  const auto main = [&](T y) {
    const Power<T> e = power_of(y, true);
    const Pair<T> quarter = less_one(e, two_sum(e.m, y.of(-0.25)));
    return select(abs(y) < y.of(0x1p-54), y, (quarter.hi + quarter.lo) * 4.0);
  };
  return bounded(x, 700.0, -700.0, 711.0, main,
                 [](T end) { return select(end < end.of(0.0), end.of(-1.0), end); });
}

// e^|x| = 2^k (m.hi + m.lo) and e^-|x| = 2^k (w.hi + w.lo).
template <class T>
struct TwoExponentials {
  T k;
  Pair<T> m, w;
};
template <class T>
TwoExponentials<T> two_exponentials(T magnitude) {
  const Exponential<T> e = exponential(magnitude, magnitude.of(0.0));
  const Pair<T> raw = e.mantissa();
  const Pair<T> m = fast_two_sum(raw.hi, raw.lo);
  const T inverse = magnitude.of(1.0) / m.hi;
  const T rest = fma(-inverse, m.hi, inverse.of(1.0)) - inverse * m.lo;
  const T down = e.k * -2.0;
  return {e.k, m, {scale(inverse, down), scale(inverse * rest, down)}};
}
template <class T>
Pair<T> sum_of(Pair<T> a, Pair<T> b) {
  const Pair<T> sum = two_sum(a.hi, b.hi);
  return {sum.hi, sum.lo + (a.lo + b.lo)};
}
// (E + E / (1 + E)) / 2 with E = e^|x| - 1.
template <class T>
T sinh(T x) {
  const auto main = [&](T y) {
    const T magnitude = abs(y);
    const Power<T> e = power_of(magnitude, true);
    const Pair<T> raw = less_one(e, two_sum(e.m, y.of(-0.25)));
    const Pair<T> quarter = fast_two_sum(raw.hi, raw.lo);
    const Pair<T> below = two_sum(quarter.hi, y.of(0.25));
    const T fraction = divide(quarter, Pair<T>{below.hi, below.lo + quarter.lo});
    const Pair<T> sum = two_sum(quarter.hi, fraction * 0.25);
    const T result = copysign((sum.hi + (sum.lo + quarter.lo)) * 2.0, y);
    return select(magnitude < y.of(0x1p-28), y, result);
  };
  return bounded(x, 707.0, -711.0, 711.0, main, [](T end) { return end; });
}

template <class T>
T cosh(T x) {
  const auto main = [&](T y) {
    const TwoExponentials<T> e = two_exponentials(abs(y));
    const Pair<T> s = sum_of(e.m, e.w);
    return scale(s.hi + s.lo, e.k - 1.0);
  };
  return bounded(x, 707.0, -1000.0, 1000.0, main, [](T end) { return abs(end); });
}

// tanh |x| = -E / (2 + E) with E = e^(-2|x|) - 1.
template <class T>
T tanh(T x) {
  // A comparison, because a minimum would report the nan.
  const T magnitude = abs(x);
  const T clamped = select(magnitude.of(30.0) < magnitude, magnitude.of(30.0), magnitude);
  const Power<T> e = power_of(clamped * -2.0, false);
  const T less = e.m - 1.0;
  const Pair<T> minus = less_one(e, Pair<T>{less, e.m - (less + 1.0)});
  // Of the numerator's sum only the rest of the division needs both terms.
  const T numerator = minus.hi + minus.lo;
  const T below = numerator + 2.0;
  const T below_low = ((x.of(2.0) - below) + minus.hi) + minus.lo;
  const T inverse = x.of(-1.0) / below;
  const T quotient = numerator * inverse;
  const T rest = fma(quotient, below_low, fma(quotient, below, minus.hi) + minus.lo);
  return copysign(fma(rest, inverse, quotient), x);
}

}  // namespace lattice::jit::passes::math
