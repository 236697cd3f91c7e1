// SPDX-License-Identifier: MIT
#include "lattice/jit/compile.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "lattice/jit.hpp"

namespace lattice {
namespace {

TEST(Compile, ALambdaOverNumbersBecomesAFunction) {
  auto axpy = jit::compile<double(double, double, double)>(
      [](auto a, auto x, auto y) { return a * x + y; });
  EXPECT_EQ(axpy(2.0, 3.0, 4.0), 10.0);
  EXPECT_EQ(axpy(0.1, 0.2, 0.3), 0.1 * 0.2 + 0.3);
}

TEST(Compile, MapsOverSpansAndValues) {
  auto blend = jit::compile<float(float, float, float)>(
      [](auto t, auto x, auto y) { return select(t < 0.5f, x, 1.0f - y); });
  std::vector<float> xs(1003), ys(1003), out(1003);
  for (size_t i = 0; i < xs.size(); ++i) {
    xs[i] = static_cast<float>(i);
    ys[i] = -static_cast<float>(i) / 3;
  }
  blend(0.25f, xs, ys, out);
  EXPECT_EQ(out, xs);
  blend(0.75f, std::span<const float>(xs), ys, out);
  for (size_t i = 0; i < out.size(); ++i) ASSERT_EQ(out[i], 1.0f - ys[i]);
  blend(out, 2.0f, out, out);  // in place
  for (size_t i = 0; i < out.size(); ++i) {
    float before = 1.0f - ys[i];
    ASSERT_EQ(out[i], before < 0.5f ? 2.0f : 1.0f - before);
  }
  std::vector<float> few(3);
  EXPECT_THROW(blend(few, 1.0f, 1.0f, out), jit::ShapeError);
}

TEST(Compile, LoopsAndIntegers) {
  auto gcd = jit::compile<int64_t(int64_t, int64_t)>([](auto a, auto b) {
    auto [x, y] = jit::loop_while(
        std::tuple{a, b}, [](auto, auto q) { return q != 0; },
        [](auto p, auto q) { return std::tuple{q, p % q}; });
    return x;
  });
  EXPECT_EQ(gcd(48, 36), 12);
  EXPECT_EQ(gcd(17, 0), 17);
  std::vector<int64_t> as{12, 35, 7, 0, 100}, bs{18, 14, 7, 5, 75}, out(5);
  gcd(as, bs, out);
  EXPECT_EQ(out, (std::vector<int64_t>{6, 7, 7, 5, 25}));
}

TEST(Compile, IntegerDivisionTruncatesAndFloorDivDoesNot) {
  auto cpp = jit::compile<int32_t(int32_t, int32_t)>([](auto x, auto y) { return x / y; });
  auto numpy =
      jit::compile<int32_t(int32_t, int32_t)>([](auto x, auto y) { return floor_div(x, y); });
  EXPECT_EQ(cpp(-7, 2), -3);
  EXPECT_EQ(numpy(-7, 2), -4);
}

TEST(Compile, ConstantsFillTheOutput) {
  auto seven = jit::compile<double(double)>([](auto x) { return x.constant(7); });
  std::vector<double> xs(10), out(10);
  seven(xs, out);
  EXPECT_EQ(out, std::vector<double>(10, 7.0));
}

TEST(Compile, LibraryFunctionsAreClose) {
  auto f = jit::compile<double(double)>([](auto x) { return exp(-x * x) * cos(x); });
  for (double x : {-2.0, -0.5, 0.0, 0.3, 1.7}) {
    EXPECT_NEAR(f(x), std::exp(-x * x) * std::cos(x), 1e-15);
  }
}

TEST(Compile, DerivativesAreFunctionsOfTheSameArguments) {
  auto f = jit::compile<double(double, double)>([](auto x, auto y) { return sin(x * y) + x * x; });
  auto by_x = f.derivative(0);
  EXPECT_NEAR(by_x(0.5, 2.0), std::cos(1.0) * 2.0 + 1.0, 1e-15);
  std::vector<double> xs{0.5, -1.0, 3.0};
  std::vector<double> out(3);
  f.derivative(1)(xs, 2.0, out);
  for (size_t k = 0; k < 3; ++k) EXPECT_NEAR(out[k], std::cos(xs[k] * 2.0) * xs[k], 1e-15);
  EXPECT_NEAR(by_x.derivative(0)(0.5, 2.0), -std::sin(1.0) * 4.0 + 2.0, 1e-14);
}

}  // namespace
}  // namespace lattice
