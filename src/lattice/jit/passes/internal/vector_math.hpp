// SPDX-License-Identifier: MIT
// The library functions as straight-line code over any number type with explicit fma.
//
// T is a value of an IR under construction (expand_math.cpp) or a plain double (the MPFR test), so
// what is checked against MPFR is what every tier runs. Errors are below 1 ULP (pow, tan: 1.5) over
// the whole domain. Sources: reductions after Cody and Waite and Payne and Hanek, log's form and
// the treatment of remainders after fdlibm; the coefficients are our own Chebyshev fits.
//
// T needs: + - * / with T and double, < <= == giving T's Mask, Mask & | !, and found by ADL: fma,
// rint, floor, abs, sqrt, scale(x, k), logb, mantissa, copysign, select, min and max (the first
// where it is less or greater or nan, else the second), bits (to T's Bits, which needs + & ^ << >>
// and != 0), from_bits, and rarely(mask, else values, function).
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

// (a + al) / (b + bl), nearly correctly rounded.
template <class T>
T divide(Pair<T> a, Pair<T> b) {
  const T q = a.hi / b.hi;
  const T rest = fma(-q, b.hi, a.hi) + (a.lo - q * b.lo);
  return q + rest / b.hi;
}

// --- exponentials --------------------------------------------------------------------------------

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

template <class T>
T exp(T x) {
  // Without the mantissa's second term: within 0.95 ULP, and the fastest matters most here.
  const Exponential<T> e = exponential(clamp(x, -1000, 1000), x.of(0.0));
  return scale((e.r + e.t) + 1.0, e.k);
}

template <class T>
T exp2(T x) {
  x = clamp(x, -1500, 1500);
  const T k = rint(x);
  const T f = x - k;
  const Pair<T> r = two_product(f, x.of(kLn2Hi));
  const Exponential<T> e = exp_of_reduced(k, r.hi, fma(f, x.of(kLn2Lo), r.lo));
  const Pair<T> m = e.mantissa();
  return scale(m.hi + m.lo, e.k);
}

template <class T>
T expm1(T x) {
  const Exponential<T> e = exponential(clamp(x, -60, 1000), x.of(0.0));
  // Half of everything, so that 2^k does not overflow before the result does.
  const T power = scale(x.of(0.5), e.k);
  const T less = power - 0.5;
  const T lost = (power - less) - 0.5;
  const Pair<T> sum = two_sum(less, power * e.r);
  const T result = (sum.hi + (sum.lo + fma(power, e.t, lost))) * 2.0;
  const auto is_huge = x.of(709.9) < x;
  return select(abs(x) < x.of(0x1p-54), x, select(is_huge, x.of(kInf), result));
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
template <class T>
Pair<T> difference_of(Pair<T> a, Pair<T> b) {
  return sum_of(a, Pair<T>{-b.hi, -b.lo});
}

template <class T>
T sinh(T x) {
  constexpr std::array kC{0x1.5555555555555p-3,  0x1.1111111111112p-7,  0x1.a01a01a019355p-13,
                          0x1.71de3a5bfdf1ep-19, 0x1.ae6425a1e6e22p-26, 0x1.61cbe81b6ea87p-33};
  const T z = x * x;
  const T small = fma(x * z, horner(z, kC), x);
  const T magnitude = abs(x);
  const TwoExponentials<T> e = two_exponentials(clamp(magnitude, 0, 1000));
  const Pair<T> d = difference_of(e.m, e.w);
  const T large = copysign(scale(d.hi + d.lo, e.k - 1.0), x);
  return select(magnitude < x.of(0.36), small, large);
}

template <class T>
T cosh(T x) {
  const TwoExponentials<T> e = two_exponentials(clamp(abs(x), 0, 1000));
  const Pair<T> s = sum_of(e.m, e.w);
  return scale(s.hi + s.lo, e.k - 1.0);
}

template <class T>
T tanh(T x) {
  constexpr std::array kC{-0x1.5555555555555p-2,  0x1.1111111111001p-3,  -0x1.ba1ba1b9e4c9fp-5,
                          0x1.664f4860b4982p-6,   -0x1.226e2ac253da6p-7, 0x1.d6d0174b2a874p-9,
                          -0x1.7d409576496f3p-10, 0x1.2f5213308eddfp-11, -0x1.8db818f74d236p-13};
  const T z = x * x;
  const T small = copysign(fma(x * z, horner(z, kC), x), x);
  const T magnitude = abs(x);
  const TwoExponentials<T> e = two_exponentials(clamp(magnitude, 0, 30));
  const T large = copysign(divide(difference_of(e.m, e.w), sum_of(e.m, e.w)), x);
  return select(magnitude < x.of(0.36), small, large);
}

// --- logarithms ----------------------------------------------------------------------------------

// x = 2^e * (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)); f is exact.
template <class T>
struct Split {
  T e, f;
};
template <class T>
Split<T> split(T x) {
  const T m = mantissa(x);
  const T e = logb(x);
  const auto is_upper = x.of(0x1.6a09e667f3bcdp+0) < m;
  return {select(is_upper, e + 1.0, e), select(is_upper, m * 0.5, m) - 1.0};
}

// log where x is not a positive finite number.
template <class T>
T log_or_special(T x, T log) {
  const auto is_plain = (x.of(0.0) < x) & (x < x.of(kInf));
  const T special = select(x == x.of(0.0), x.of(-kInf), select(x < x.of(0.0), x.of(kNan), x));
  return select(is_plain, log, special);
}

// log(2^e (1 + f)) as a sum; the first term is a double's logarithm but for its last bits.
template <class T>
Pair<T> log_of(Split<T> x) {
  // (log((1+s)/(1-s)) - 2s) / s^3 in s^2
  constexpr std::array kC{0x1.5555555555555p-1, 0x1.9999999999a38p-2, 0x1.2492492476b73p-2,
                          0x1.c71c72017f306p-3, 0x1.745cf8f4a7ec6p-3, 0x1.3b1c38bb12df2p-3,
                          0x1.0fbe3b6c6987dp-3, 0x1.0c074d9f1dd73p-3};
  const T f = x.f;
  const T s = f / (f + 2.0);
  const T z = s * s;
  const T half_square = f * f * 0.5;
  const T inner = s * fma(z, horner(z, kC), half_square);
  const Pair<T> sum = fast_two_sum(x.e * kLn2High, f);
  return {sum.hi, sum.lo - (half_square - fma(x.e, f.of(kLn2Low), inner))};
}

template <class T>
T log(T x) {
  const Pair<T> sum = log_of(split(x));
  return log_or_special(x, sum.hi + sum.lo);
}

template <class T>
T log1p(T x) {
  const Pair<T> u = two_sum(x.of(1.0), x);
  const Split<T> parts = split(u.hi);
  const Pair<T> sum = log_of(parts);
  const T lost = scale(u.lo, -parts.e) / (parts.f + 1.0);
  const T result = sum.hi + (sum.lo + lost);
  return select(abs(x) < x.of(0x1p-54), x, log_or_special(u.hi, result));
}

// log(1 + f) to about 2^-66 of its size.
template <class T>
Pair<T> log_of_pair(T f) {
  // After 2 s + 2/3 s^3: in s^2, times s^5.
  constexpr std::array kC{0x1.999999999999ap-2, 0x1.2492492492522p-2, 0x1.c71c71c6ea81dp-3,
                          0x1.745d177ab1a23p-3, 0x1.3b1395c693565p-3, 0x1.1118ca5739a59p-3,
                          0x1.df7c45d976e07p-4, 0x1.e033ca1735265p-4};
  const Pair<T> d = fast_two_sum(f.of(2.0), f);
  const T s = f / d.hi;
  const T s_low = (fma(-s, d.hi, f) - s * d.lo) / d.hi;
  Pair<T> z = two_product(s, s);
  z.lo = z.lo + s * s_low * 2.0;
  // u = 2/3 + z Q(z), then 2 s + s z u.
  const T tail = z.hi * horner(z.hi, kC);
  Pair<T> u = fast_two_sum(f.of(0x1.5555555555555p-1), tail);
  u.lo = u.lo + 0x1.5555555555555p-55;
  Pair<T> zu = two_product(z.hi, u.hi);
  zu.lo = zu.lo + fma(z.hi, u.lo, z.lo * u.hi);
  Pair<T> cube = two_product(s, zu.hi);
  cube.lo = cube.lo + fma(s, zu.lo, s_low * zu.hi);
  const Pair<T> sum = fast_two_sum(s * 2.0, cube.hi);
  return fast_two_sum(sum.hi, sum.lo + (cube.lo + s_low * 2.0));
}

template <class T>
Pair<T> multiply(Pair<T> a, double hi, double lo) {
  const Pair<T> product = two_product(a.hi, a.hi.of(hi));
  return {product.hi, product.lo + fma(a.hi, a.hi.of(lo), a.lo * hi)};
}

template <class T>
T log2(T x) {
  const Split<T> parts = split(x);
  const Pair<T> m = multiply(log_of_pair(parts.f), kLog2E, 0x1.777d0ffda0d24p-56);
  const Pair<T> sum = fast_two_sum(parts.e, m.hi);
  return log_or_special(x, sum.hi + (sum.lo + m.lo));
}

template <class T>
T log10(T x) {
  // log10(2) in 42 bits and the rest.
  const Split<T> parts = split(x);
  const Pair<T> m = multiply(log_of_pair(parts.f), 0x1.bcb7b1526e50ep-2, 0x1.95355baaafad3p-57);
  const Pair<T> sum = fast_two_sum(parts.e * 0x1.34413509f7800p-2, m.hi);
  return log_or_special(x, sum.hi + (sum.lo + fma(parts.e, x.of(0x1.fef311f12b358p-46), m.lo)));
}

template <class T>
T pow(T x, T y) {
  const T magnitude = abs(x);
  const Split<T> parts = split(magnitude);
  const Pair<T> m = log_of_pair(parts.f);
  const Pair<T> e = fast_two_sum(parts.e * kLn2High, m.hi);
  // e ln2 has a second term of relative weight 2^-44, the sum's own rests come behind.
  Pair<T> log = two_sum(e.hi, parts.e * kLn2Low);
  log.lo = log.lo + (e.lo + fma(parts.e, x.of(0x1.f97b57a079a19p-103), m.lo));
  log = fast_two_sum(log.hi, log.lo);
  const auto is_plain = (x.of(0.0) < magnitude) & (magnitude < x.of(kInf));
  log.hi = log_or_special(magnitude, log.hi);
  log.lo = select(is_plain, log.lo, x.of(0.0));
  const T product = y * log.hi;
  const T low = fma(y, log.hi, -product) + y * log.lo;
  const T exponent = clamp(product, -1000, 1000);
  const Exponential<T> power =
      exponential(exponent, select(abs(product) < x.of(1000.0), low, x.of(0.0)));
  const Pair<T> p = power.mantissa();
  T result = scale(p.hi + p.lo, power.k);
  const auto is_integer = floor(y) == y;
  const T half = y * 0.5;
  const auto is_odd = is_integer & !(floor(half) == half);
  const auto is_negative = x < x.of(0.0);
  const auto has_sign = is_odd & (copysign(x.of(1.0), x) < x.of(0.0));
  result = select(has_sign, -result, result);
  result = select(is_negative & !is_integer & (magnitude < x.of(kInf)), x.of(kNan), result);
  const auto is_one =
      (x == x.of(1.0)) | (y == y.of(0.0)) | ((magnitude == x.of(1.0)) & (abs(y) == y.of(kInf)));
  return select(is_one, x.of(1.0), result);
}

// --- trigonometric -------------------------------------------------------------------------------

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
