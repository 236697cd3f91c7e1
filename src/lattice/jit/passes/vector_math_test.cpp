// SPDX-License-Identifier: MIT
// The library functions against MPFR: errors in ULP on random arguments of every exponent and on
// hard ones, special values, and f32 through f64.
#include "lattice/jit/passes/internal/vector_exp.hpp"
#include "lattice/jit/passes/internal/vector_log.hpp"
#include "lattice/jit/passes/internal/vector_trig.hpp"

#include <gtest/gtest.h>
#include <mpfr.h>

#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace lattice::jit::passes {
namespace {

// Plain doubles as the number type. Compiled without contraction, as everything here.
struct Digit {
  uint64_t v;
  Digit of(uint64_t x) const { return {x}; }
  friend Digit operator+(Digit x, Digit y) { return {x.v + y.v}; }
  friend Digit operator+(Digit x, uint64_t y) { return {x.v + y}; }
  friend Digit operator-(Digit x, Digit y) { return {x.v - y.v}; }
  friend Digit operator*(Digit x, Digit y) { return {x.v * y.v}; }
  friend Digit operator^(Digit x, Digit y) { return {x.v ^ y.v}; }
  friend Digit operator^(Digit x, uint64_t y) { return {x.v ^ y}; }
  friend Digit operator&(Digit x, uint64_t y) { return {x.v & y}; }
  friend Digit operator<<(Digit x, Digit y) { return {y.v < 64 ? x.v << y.v : 0}; }
  friend Digit operator>>(Digit x, Digit y) { return {y.v < 64 ? x.v >> y.v : 0}; }
  friend Digit operator<<(Digit x, int y) { return {x.v << y}; }
  friend Digit operator>>(Digit x, int y) { return {x.v >> y}; }
  friend bool operator<(Digit x, Digit y) { return x.v < y.v; }
};
struct Real {
  using Bits = Digit;
  double v;
  Real of(double x) const { return {x}; }
  friend Real operator+(Real x, Real y) { return {x.v + y.v}; }
  friend Real operator-(Real x, Real y) { return {x.v - y.v}; }
  friend Real operator*(Real x, Real y) { return {x.v * y.v}; }
  friend Real operator/(Real x, Real y) { return {x.v / y.v}; }
  friend Real operator+(Real x, double y) { return {x.v + y}; }
  friend Real operator-(Real x, double y) { return {x.v - y}; }
  friend Real operator*(Real x, double y) { return {x.v * y}; }
  friend Real operator-(Real x) { return {-x.v}; }
  friend bool operator<(Real x, Real y) { return x.v < y.v; }
  friend bool operator==(Real x, Real y) { return x.v == y.v; }
};
Real fma(Real x, Real y, Real z) { return {std::fma(x.v, y.v, z.v)}; }
Real rint(Real x) { return {std::nearbyint(x.v)}; }
Real floor(Real x) { return {std::floor(x.v)}; }
Real sqrt(Real x) { return {std::sqrt(x.v)}; }
Real abs(Real x) { return {std::fabs(x.v)}; }
Real copysign(Real x, Real y) { return {std::copysign(x.v, y.v)}; }
Real min(Real x, Real y) { return {x.v < y.v || x.v != x.v ? x.v : y.v}; }
Real max(Real x, Real y) { return {x.v > y.v || x.v != x.v ? x.v : y.v}; }
Real logb(Real x) { return {std::logb(x.v)}; }
Real mantissa(Real x) {
  if (x.v == 0 || std::isinf(x.v)) return {std::copysign(1.0, x.v)};
  int e = 0;
  return {2 * std::frexp(x.v, &e)};
}
Real scale(Real x, Real k) {
  return {std::isnan(k.v) ? k.v : std::ldexp(x.v, static_cast<int>(std::floor(k.v)))};
}
template <class V>
V select(bool mask, V yes, V no) {
  return mask ? yes : no;
}
Digit bits(Real x) { return {std::bit_cast<uint64_t>(x.v)}; }
Real from_bits(Digit x) { return {std::bit_cast<double>(x.v)}; }
Digit mul_high(Digit x, Digit y) {
  return {static_cast<uint64_t>((static_cast<unsigned __int128>(x.v) * y.v) >> 64)};
}
bool is_set(Digit x) { return x.v != 0; }
Digit shift_right_signed(Digit x, int n) {
  return {static_cast<uint64_t>(static_cast<int64_t>(x.v) >> n)};
}
Real signed_value(Digit x) { return {static_cast<double>(static_cast<int64_t>(x.v))}; }
template <size_t N>
Digit lookup(const std::array<uint64_t, N>& table, Digit index) {
  return {table.at(std::has_single_bit(N) ? index.v % N : index.v)};
}
template <class Compute>
math::Angle<Real> rarely(bool mask, math::Angle<Real> otherwise, Compute compute) {
  return mask ? compute() : otherwise;
}

template <class Compute>
Real rarely(bool mask, Real otherwise, Compute compute) {
  return mask ? compute() : otherwise;
}

struct Tested {
  const char* name;
  Real (*own)(Real);
  int (*exact)(mpfr_t, const mpfr_t, mpfr_rnd_t);
  double low, high;  // where random arguments are drawn besides those of every exponent
  double ulp_max;
};

const Tested kFunctions[] = {
    {"exp", math::exp<Real>, mpfr_exp, -746, 710, 1.0},
    {"exp2", math::exp2<Real>, mpfr_exp2, -1076, 1024, 1.0},
    {"expm1", math::expm1<Real>, mpfr_expm1, -40, 710, 1.0},
    {"log", math::log<Real>, mpfr_log, 0.5, 2, 1.0},
    {"log2", math::log2<Real>, mpfr_log2, 0.5, 2, 1.0},
    {"log10", math::log10<Real>, mpfr_log10, 0.5, 2, 1.0},
    {"log1p", math::log1p<Real>, mpfr_log1p, -0.99999, 1, 1.0},
    {"sin", math::sin<Real>, mpfr_sin, -100, 100, 1.0},
    {"cos", math::cos<Real>, mpfr_cos, -100, 100, 1.0},
    {"tan", math::tan<Real>, mpfr_tan, -100, 100, 1.5},
    {"sinh", math::sinh<Real>, mpfr_sinh, -3, 3, 1.0},
    {"cosh", math::cosh<Real>, mpfr_cosh, -711, 711, 1.0},
    {"tanh", math::tanh<Real>, mpfr_tanh, -3, 3, 1.0},
};

// Distance of `got` from the exact value in units of its last place (of a double in its binade).
double ulps(double got, const mpfr_t exact, mpfr_t scratch) {
  const double nearest = mpfr_get_d(exact, MPFR_RNDN);
  if (std::isnan(nearest) || std::isnan(got))
    return std::isnan(nearest) == std::isnan(got) ? 0 : INFINITY;
  if (std::isinf(nearest) || std::isinf(got)) {
    if (nearest == got) return 0;
    // One of them is the largest finite number's neighbour.
    const double other = std::isinf(nearest) ? got : nearest;
    if (std::fabs(other) == std::numeric_limits<double>::max()) return 1;
    return INFINITY;
  }
  if (got == nearest && got == 0) return std::signbit(got) == std::signbit(nearest) ? 0 : INFINITY;
  const double away = std::fabs(nearest) == std::numeric_limits<double>::max() ? 0 : INFINITY;
  const double unit = std::nextafter(std::fabs(nearest), away) - std::fabs(nearest);
  mpfr_sub_d(scratch, exact, got, MPFR_RNDN);
  mpfr_div_d(scratch, scratch, unit, MPFR_RNDN);  // first: the difference alone may underflow
  return std::fabs(mpfr_get_d(scratch, MPFR_RNDN));
}

int samples() {
  const char* wanted = std::getenv("LATTICE_JIT_SAMPLES");
  return wanted ? std::atoi(wanted) : 3000;
}

TEST(VectorMath, FunctionsOfOneArgumentAreWithinTheirBoundOverTheWholeDomain) {
  mpfr_t x, y, scratch;
  mpfr_inits2(300, x, y, scratch, nullptr);
  for (const Tested& tested : kFunctions) {
    std::mt19937_64 random(20261124);
    double worst = 0;
    double at = 0;
    const auto check = [&](double argument) {
      mpfr_set_d(x, argument, MPFR_RNDN);
      tested.exact(y, x, MPFR_RNDN);
      const double error = ulps(tested.own(Real{argument}).v, y, scratch);
      if (!(error <= worst)) worst = error, at = argument;
    };
    constexpr double kSpecial[] = {0.0,
                                   -0.0,
                                   1,
                                   -1,
                                   INFINITY,
                                   -INFINITY,
                                   NAN,
                                   5e-324,
                                   -5e-324,
                                   0x1p-1022,
                                   0x1p-1000,
                                   1.7976931348623157e308,
                                   0x1p-53,
                                   -0x1p-54,
                                   6381956970095103.0 * 0x1p797,  // closest to a multiple of pi/2
                                   709.782712893384,
                                   709.7827128933841,
                                   -745.1332191019411,
                                   -745.1332191019412,
                                   -708.3964185322641,
                                   0x1.921fb54442d18p0,
                                   0x1p26,
                                   0x1p27,
                                   0x1.fffffffffffffp25};
    for (const double argument : kSpecial) check(argument);
    for (int k = 0; k < samples(); ++k) {
      check(std::bit_cast<double>(random()));
      const double part = std::ldexp(static_cast<double>(random() >> 11), -53);
      check(tested.low + (tested.high - tested.low) * part);
      check((part * 2 - 1) * std::ldexp(1.0, static_cast<int>(random() % 20) - 15));
      // Near multiples of pi/2, near 1 and near the ends.
      check(static_cast<double>(random() % 100000) * M_PI_2 * (1 + (part - 0.5) * 0x1p-50));
      check(1 + (part - 0.5) * std::ldexp(1.0, -static_cast<int>(random() % 50)));
    }
    std::printf("%-6s %.3f ulp at %a\n", tested.name, worst, at);
    EXPECT_LE(worst, tested.ulp_max) << tested.name << " at " << at;
  }
  mpfr_clears(x, y, scratch, nullptr);
}

TEST(VectorMath, PowIsWithinItsBoundAndKeepsTheSpecialCasesOfC) {
  mpfr_t x, y, z, scratch;
  mpfr_inits2(300, x, y, z, scratch, nullptr);
  std::mt19937_64 random(7);
  double worst = 0;
  double at_x = 0;
  double at_y = 0;
  const auto check = [&](double a, double b) {
    mpfr_set_d(x, a, MPFR_RNDN);
    mpfr_set_d(y, b, MPFR_RNDN);
    mpfr_pow(z, x, y, MPFR_RNDN);
    const double error = ulps(math::pow(Real{a}, Real{b}).v, z, scratch);
    if (!(error <= worst)) worst = error, at_x = a, at_y = b;
  };
  constexpr double kSpecial[] = {0.0,
                                 -0.0,
                                 1,
                                 -1,
                                 2,
                                 -2,
                                 3,
                                 -3,
                                 0.5,
                                 -0.5,
                                 1.5,
                                 INFINITY,
                                 -INFINITY,
                                 NAN,
                                 5e-324,
                                 1e308,
                                 -1e308,
                                 0x1p53,
                                 0x1p53 + 2,
                                 0x1.fffffffffffffp-1,
                                 0x1.0000000000001p0};
  for (const double a : kSpecial) {
    for (const double b : kSpecial) {
      const double own = math::pow(Real{a}, Real{b}).v;
      const double libm = std::pow(a, b);
      const bool same = std::isnan(libm) ? std::isnan(own)
                        : std::isinf(libm) || libm == 0
                            ? own == libm && std::signbit(own) == std::signbit(libm)
                            : std::fabs(own - libm) <= 2e-15 * std::fabs(libm) + 1e-323;
      EXPECT_TRUE(same) << a << " ** " << b << ": " << own << ", C says " << libm;
    }
  }
  for (int k = 0; k < samples(); ++k) {
    const double part = std::ldexp(static_cast<double>(random() >> 11), -53);
    const double a = std::fabs(std::bit_cast<double>(random()));
    const double l = std::fabs(std::log(a));
    if (std::isfinite(l) && l > 0) check(a, (part * 2 - 1) * 745 / l);
    const double near = 1 + (part - 0.5) * std::ldexp(1.0, -static_cast<int>(random() % 50));
    check(near, (std::ldexp(static_cast<double>(random() >> 11), -53) - 0.5) * 1490 /
                    std::max(std::fabs(std::log(near)), 1e-300));
    check(part * 10, static_cast<double>(static_cast<int>(random() % 600) - 300));
    check(-part * 3, static_cast<double>(static_cast<int>(random() % 600) - 300));
  }
  std::printf("pow    %.3f ulp at %a, %a\n", worst, at_x, at_y);
  EXPECT_LE(worst, 1.5) << at_x << " ** " << at_y;
  mpfr_clears(x, y, z, scratch, nullptr);
}

}  // namespace
}  // namespace lattice::jit::passes
