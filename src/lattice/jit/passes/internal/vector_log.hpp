// SPDX-License-Identifier: MIT
// log, log2, log10, log1p, pow: see vector_math.hpp.
#pragma once

#include "lattice/jit/passes/internal/vector_exp.hpp"
#include "lattice/jit/passes/internal/vector_math.hpp"

namespace lattice::jit::passes::math {

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

// `main` of what is positive and finite. The others are rare: -inf for zeros, nan for what is
// negative, and inf and nan for themselves, each with the IEEE flag that it has to raise.
template <class T, class Main>
T of_positive(T x, Main main) {
  const auto is_plain = bits(x) + ~uint64_t{0} < bits(x).of(0x7fefffffffffffff);
  return rarely(!is_plain, main(select(is_plain, x, x.of(1.0))), [&] {
    const T rare = select(is_plain, x.of(1.0), x);
    const auto is_zero = rare == rare.of(0.0);
    return select(is_zero, rare.of(-1.0) / select(is_zero, rare.of(0.0), rare.of(1.0)), sqrt(rare));
  });
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

// log by a table. x = 2^e * m, and m * c - 1 = r is small and exact where c is about 1/m, of seven
// bits, by m's first four digits. c is 1 in the first sixteenth and 1/2 in the last: on both sides
// of 1, then, e ln2 - log c is exactly 0 and the result as precise as r. The high parts are
// multiples of 2^-42, so that their sums with e * kLn2High are exact.
inline constexpr std::array<uint64_t, 16> kLogInverse{
    0x3ff0000000000000, 0x3fed800000000000, 0x3feb800000000000, 0x3fea800000000000,
    0x3fe9000000000000, 0x3fe8000000000000, 0x3fe7000000000000, 0x3fe6000000000000,
    0x3fe5000000000000, 0x3fe4000000000000, 0x3fe3800000000000, 0x3fe2800000000000,
    0x3fe2000000000000, 0x3fe1800000000000, 0x3fe1000000000000, 0x3fe0000000000000};
inline constexpr std::array<uint64_t, 16> kLogHigh{
    0x0000000000000000, 0x3fb4d3115d208000, 0x3fc365fcb015a000, 0x3fc823c16551a000,
    0x3fcf991c6cb3c000, 0x3fd269621134e000, 0x3fd522ae0738a000, 0x3fd7fafa3bd81000,
    0x3fdaf5295248d000, 0x3fde148a1a272000, 0x3fdfb358af7a5000, 0x3fe188ee40f24000,
    0x3fe269621134d800, 0x3fe35028ad9d9000, 0x3fe43d9ff2f92000, 0x3fe62e42fefa3800};
inline constexpr std::array<uint64_t, 16> kLogLow{
    0x0000000000000000, 0xbcf53a2582f4e1ef, 0xbd3fd3a0afb9691b, 0x3d1e0ddb9a631e83,
    0xbd390d04cd7cc834, 0xbd31b61f10522625, 0x3d2ebe708164c759, 0x3d346fb79bf6d4cb,
    0xbd217cc552774458, 0x3d3b36537e3375b2, 0xbd3def40b87d36d9, 0xbd3accec41d52e6c,
    0x3d3c93c1df5bb3b6, 0xbd3bd1f01ab60655, 0x3d3e267b0b7efae1, 0x3d2ef35793c76730};

template <class T>
T log(T x) {
  // (log(1 + r) - r) / r^2 on [-0.043, 0.0625]
  constexpr std::array kC{-0.5,
                          0x1.5555555555544p-2,
                          -0x1.00000000000adp-2,
                          0x1.9999999a183a1p-3,
                          -0x1.555555558ab4ep-3,
                          0x1.24924489567ddp-3,
                          -0x1.ffffcd94d9456p-4,
                          0x1.c7386545780cap-4,
                          -0x1.9aa0df088d806p-4,
                          0x1.59d695fb5fe3cp-4};
  return of_positive(x, [&](T y) {
    const T m = mantissa(y);
    const T e = logb(y);
    const auto index = bits(m) >> 48;
    const T r = fma(m, from_bits(lookup(kLogInverse, index)), y.of(-1.0));
    const T high = fma(e, y.of(kLn2High), from_bits(lookup(kLogHigh, index)));
    const T low = fma(e, y.of(kLn2Low), from_bits(lookup(kLogLow, index)));
    const Pair<T> sum = fast_two_sum(high, r);
    return sum.hi + (sum.lo + fma(r * r, horner(r, kC), low));
  });
}

template <class T>
T log1p(T x) {
  const auto is_plain = (x.of(-1.0) < x) & (x < x.of(kInf));
  const T y = select(is_plain, x, x.of(0.0));
  const Pair<T> u = two_sum(y.of(1.0), y);
  const Split<T> parts = split(u.hi);
  const Pair<T> sum = log_of(parts);
  const T lost = scale(u.lo, -parts.e) / (parts.f + 1.0);
  const T result = select(abs(y) < y.of(0x1p-54), y, sum.hi + (sum.lo + lost));
  return rarely(!is_plain, result, [&] {
    return of_positive(select(is_plain, x, x + 1.0), [](T rare) { return rare; });
  });
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
  return of_positive(x, [&](T y) {
    const Split<T> parts = split(y);
    const Pair<T> m = multiply(log_of_pair(parts.f), kLog2E, 0x1.777d0ffda0d24p-56);
    const Pair<T> sum = fast_two_sum(parts.e, m.hi);
    return sum.hi + (sum.lo + m.lo);
  });
}

template <class T>
T log10(T x) {
  return of_positive(x, [&](T y) {
    // log10(2) in 42 bits and the rest.
    const Split<T> parts = split(y);
    const Pair<T> m = multiply(log_of_pair(parts.f), 0x1.bcb7b1526e50ep-2, 0x1.95355baaafad3p-57);
    const Pair<T> sum = fast_two_sum(parts.e * 0x1.34413509f7800p-2, m.hi);
    return sum.hi + (sum.lo + fma(parts.e, y.of(0x1.fef311f12b358p-46), m.lo));
  });
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
  const T end = select(magnitude == x.of(0.0), x.of(-kInf), magnitude);
  log.hi = select(is_plain, log.hi, end);
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

}  // namespace lattice::jit::passes::math
