// SPDX-License-Identifier: MIT
// sin, cos, tan: see vector_math.hpp.
#pragma once

#include "lattice/jit/passes/internal/vector_math.hpp"

namespace lattice::jit::passes::math {

// x = (q mod 4) * pi/2 + hi + lo; the quadrant is in the two lowest bits of q.
template <class T>
struct Angle {
  T hi, lo;
  typename T::Bits q;
};

// 2/pi in binary digits, 64 to a word; one word of zeros in front makes room for small shifts.
inline constexpr std::array<uint64_t, 22> kTwoOverPi{0,
                                                     0xa2f9836e4e441529,
                                                     0xfc2757d1f534ddc0,
                                                     0xdb6295993c439041,
                                                     0xfe5163abdebbc561,
                                                     0xb7246e3a424dd2e0,
                                                     0x06492eea09d1921c,
                                                     0xfe1deb1cb129a73e,
                                                     0xe88235f52ebb4484,
                                                     0xe99c7026b45f7e41,
                                                     0x3991d639835339f4,
                                                     0x9c845f8bbdf9283b,
                                                     0x1ff897ffde05980f,
                                                     0xef2f118b5a0a6d1f,
                                                     0x6d367ecf27cb09b7,
                                                     0x4f463f669e5fea2d,
                                                     0x7527bac7ebe5f17b,
                                                     0x3d0739f78a5292ea,
                                                     0x6bfb5fb11f8d5d08,
                                                     0x56033046fc7b6bab,
                                                     0xf0cfbc209af4361d,
                                                     0xa9e391615ee61b08};

// After Payne and Hanek, for |x| >= 2^20: of 2/pi only the 192 digits that matter are multiplied.
template <class T>
Angle<T> reduce_large(T x) {
  using B = typename T::Bits;
  const B raw = bits(abs(x));
  // |x| = m 2^s; digits before number s - 1 (from 1) give multiples of 4.
  const B s = (raw >> 52) + uint64_t(-1075);
  const B m = (raw & 0xfffffffffffff) ^ (uint64_t{1} << 52);
  const B first = s + uint64_t{62};  // digits in front of it, the word of zeros included
  const B word = first >> 6;
  const B shift = first & 63;
  const auto digits = [&](uint64_t at) {
    const B upper = lookup(kTwoOverPi, word + at);
    const B lower = lookup(kTwoOverPi, word + (at + 1));
    return (upper << shift) ^ ((lower >> 1) >> (shift ^ 63));
  };
  const B w0 = digits(0);
  const B w1 = digits(1);
  const B w2 = digits(2);
  const B middle = m * w1 + mul_high(m, w2);
  const B carry = select(middle < m * w1, middle.of(1), middle.of(0));
  const B top = m * w0 + mul_high(m, w1) + carry;
  // top : middle is x * 2/pi mod 4 in units of 2^-126; the quarter turn's fraction is centred.
  const B fraction = (top << 2) ^ (middle >> 62);
  const B below = middle << 2;
  const B is_upper = fraction >> 63;
  const B q = (top >> 62) + is_upper;
  // Signed words of 32 bits, each exact as a double.
  const T f1 = signed_value(shift_right_signed(fraction, 32)) * 0x1p-32;
  const T f2 = signed_value(fraction & 0xffffffff) * 0x1p-64;
  const T f3 = signed_value(below >> 32) * 0x1p-96;
  const T f4 = signed_value(below & 0xffffffff) * 0x1p-128;
  const Pair<T> upper = two_sum(f1, f2);
  const Pair<T> lower = fast_two_sum(f3, f4);
  const Pair<T> sum = two_sum(upper.hi, lower.hi);
  const Pair<T> turn = fast_two_sum(sum.hi, sum.lo + (upper.lo + lower.lo));
  const Pair<T> angle = multiply(turn, 0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54);
  const Pair<T> y = fast_two_sum(angle.hi, angle.lo);
  const auto is_negative = x < x.of(0.0);
  const auto is_finite = abs(x) < x.of(kInf);
  const T hi = select(is_negative, -y.hi, y.hi);
  return {select(is_finite, hi, x - x), select(is_negative, -y.lo, y.lo),
          select(is_negative, q.of(0) - q, q)};
}

template <class T>
Angle<T> reduce(T x) {
  constexpr double kMagic = 0x1.8p52;
  const T shifted = fma(x, x.of(0x1.45f306dc9c883p-1), x.of(kMagic));
  const T k = shifted - kMagic;
  const T first = fma(-k, x.of(0x1.921fb54442d18p+0), x);  // exact
  const Pair<T> second = two_product(k, x.of(0x1.1a62633145c07p-54));
  const T hi = first - second.hi;
  const T lo = fma(k, x.of(0x1.f1976b7ed8fbcp-110), ((first - hi) - second.hi) - second.lo);
  const Angle<T> near{hi, lo, bits(shifted)};
  return rarely(!(abs(x) < x.of(0x1p26)), near, [&] { return reduce_large(x); });
}

// sin and cos of a reduced angle as sums.
template <class T>
Pair<T> sin_of(T hi, T lo, T z) {
  constexpr std::array kC{-0x1.5555555555555p-3, 0x1.1111111111110p-7,   -0x1.a01a01a019926p-13,
                          0x1.71de3a545e700p-19, -0x1.ae64540f0ba18p-26, 0x1.61217c1864fa1p-33,
                          -0x1.ab161757f0c63p-41};
  return {hi, fma(hi * z, horner(z, kC), fma(lo * -0.5, z, lo))};
}
template <class T>
Pair<T> cos_of(T hi, T lo, T z) {
  constexpr std::array kC{0x1.5555555555555p-5,   -0x1.6c16c16c16c16p-10, 0x1.a01a01a019d02p-16,
                          -0x1.27e4fb7711e1dp-22, 0x1.1eed8de9ef73ep-29,  -0x1.9394b76d1f265p-37,
                          0x1.ab76cf6e9b365p-45};
  const T half = z * 0.5;
  const T near = hi.of(1.0) - half;
  const T lost = (hi.of(1.0) - near) - half;
  return {near, fma(z * z, horner(z, kC), fma(-hi, lo, lost))};
}

template <class T>
T sin_from(Angle<T> angle, typename T::Bits q) {
  const T z = angle.hi * angle.hi;
  const Pair<T> s = sin_of(angle.hi, angle.lo, z);
  const Pair<T> c = cos_of(angle.hi, angle.lo, z);
  const auto is_odd = is_set(q & 1);
  const T value = select(is_odd, c.hi, s.hi) + select(is_odd, c.lo, s.lo);
  return from_bits(bits(value) ^ ((q & 2) << 62));
}

template <class T>
T sin(T x) {
  const Angle<T> angle = reduce(x);
  return select(x == x.of(0.0), x, sin_from(angle, angle.q));
}

template <class T>
T cos(T x) {
  const Angle<T> angle = reduce(x);
  return sin_from(angle, angle.q + uint64_t{1});
}

template <class T>
T tan(T x) {
  const Angle<T> angle = reduce(x);
  const T z = angle.hi * angle.hi;
  const Pair<T> raw_s = sin_of(angle.hi, angle.lo, z);
  const Pair<T> raw_c = cos_of(angle.hi, angle.lo, z);
  const Pair<T> s = fast_two_sum(raw_s.hi, raw_s.lo);
  const Pair<T> c = fast_two_sum(raw_c.hi, raw_c.lo);
  const auto is_odd = is_set(angle.q & 1);
  const Pair<T> top{select(is_odd, -c.hi, s.hi), select(is_odd, -c.lo, s.lo)};
  const Pair<T> bottom{select(is_odd, s.hi, c.hi), select(is_odd, s.lo, c.lo)};
  return select(abs(x) < x.of(0x1p-500), x, divide(top, bottom));
}

}  // namespace lattice::jit::passes::math
