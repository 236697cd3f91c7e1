// SPDX-License-Identifier: MIT
#include "lattice/jit/autodiff/autodiff.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "lattice/jit/autodiff/inline.hpp"
#include "lattice/jit/ir/builder.hpp"
#include "lattice/jit/ir/verify.hpp"
#include "lattice/jit/kernel.hpp"

namespace lattice::jit {
namespace {

using ir::Builder;
using ir::Function;
using ir::NodeId;

std::vector<double> run(const Function& function, const std::vector<double>& at) {
  EXPECT_TRUE(ir::verify(function).ok()) << ir::verify(function).error();
  auto kernel = Kernel::compile(function);
  std::vector<Bits> in;
  for (double value : at) in.push_back(to_bits(value));
  std::vector<Bits> out(function.outputs().size());
  EXPECT_EQ(kernel->run_scalar(in.data(), out.data()) & kStatusGuard, 0u);
  std::vector<double> values;
  for (Bits bits : out) values.push_back(from_bits<double>(bits));
  return values;
}

// Both modes against central differences at a point.
void expect_derivative(const Function& function, const std::vector<double>& at) {
  GradientOptions options;
  std::vector<uint32_t> all;
  for (uint32_t k = 0; k < at.size(); ++k) all.push_back(k);
  options.wrt = all;
  options.with_value = true;
  const std::vector<double> found = run(gradient(function, options), at);
  const double value = run(function, at)[0];
  ASSERT_EQ(found.size(), at.size() + 1);
  EXPECT_EQ(found[0], value);
  std::vector<double> direction = at;
  double along = 0.0;
  for (size_t k = 0; k < at.size(); ++k) {
    std::vector<double> point = at;
    const double h = 1e-6;
    point[k] = at[k] + h;
    const double above = run(function, point)[0];
    point[k] = at[k] - h;
    const double below = run(function, point)[0];
    const double want = (above - below) / (2 * h);
    EXPECT_NEAR(found[k + 1], want, 1e-6 * (1 + std::fabs(want))) << "by parameter " << k;
    direction.push_back(0.5 - static_cast<double>(k));
    along += found[k + 1] * direction.back();
  }
  const std::vector<double> forward = run(jvp(function, all), direction);
  EXPECT_EQ(forward[0], value);
  EXPECT_NEAR(forward[1], along, 1e-11 * (1 + std::fabs(along)));
}

TEST(Autodiff, Arithmetic) {
  Builder b("f");
  NodeId x = b.param(Type::F64, 0);
  NodeId y = b.param(Type::F64, 0);
  NodeId product = b.binary(Op::Mul, x, b.unary(Op::Sin, y));
  NodeId quotient = b.binary(Op::Div, product, b.binary(Op::Pow, y, x));
  NodeId result = b.fma(quotient, b.unary(Op::Tanh, x), b.binary(Op::Max, x, y));
  Function f = b.finish({result});
  expect_derivative(f, {0.7, 1.3});
  expect_derivative(f, {1.7, 0.4});
}

// x = x * a + sin(x * b), `rounds` times, with a branch per round.
Function looped(int64_t rounds) {
  Builder b("looped");
  NodeId a = b.param(Type::F64, 0);
  NodeId c = b.param(Type::F64, 0);
  auto body = b.begin_loop({b.constant(int64_t{0}), a});
  NodeId i = b.arg(body, 0);
  NodeId x = b.arg(body, 1);
  b.exit_unless(b.compare(Op::Lt, i, b.constant(rounds)));
  NodeId big = b.compare(Op::Lt, b.constant(0.8), x);
  b.begin_if(big);
  NodeId yes = b.binary(Op::Mul, b.unary(Op::Log1p, x), c);
  b.begin_else({yes});
  NodeId no = b.binary(Op::Add, b.binary(Op::Mul, x, a), b.unary(Op::Cos, b.binary(Op::Mul, x, c)));
  NodeId branch = b.end_if({no});
  NodeId loop = b.end_loop({b.binary(Op::Add, i, b.constant(int64_t{1})), b.result(branch, 0)});
  return b.finish({b.binary(Op::Mul, b.result(loop, 1), c)});
}

TEST(Autodiff, LoopsAndBranchesForEveryNumberOfRounds) {
  for (int64_t rounds = 0; rounds < 20; ++rounds) {
    SCOPED_TRACE(rounds);
    expect_derivative(looped(rounds), {0.61, 0.93});
  }
}

TEST(Autodiff, SecondDerivativesOfLoops) {
  Function f = looped(9);
  Function first = gradient(f, {{0}, false, false, {}});
  Function second = gradient(first, {{0}, false, false, {}});
  const double h = 1e-6;
  const double above = run(first, {0.61 + h, 0.93})[0];
  const double below = run(first, {0.61 - h, 0.93})[0];
  const double want = (above - below) / (2 * h);
  EXPECT_NEAR(run(second, {0.61, 0.93})[0], want, 1e-6 * std::fabs(want));
}

TEST(Autodiff, RandomExpressions) {
  std::mt19937_64 random(11);
  for (int seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    Builder b("random");
    std::vector<NodeId> values{b.param(Type::F64, 0), b.param(Type::F64, 0), b.constant(1.25)};
    auto pick = [&] { return values[random() % values.size()]; };
    for (int k = 0; k < 25; ++k) {
      NodeId x = pick();
      NodeId y = pick();
      switch (random() % 9) {
        case 0:
          values.push_back(b.binary(Op::Add, x, y));
          break;
        case 1:
          values.push_back(b.unary(Op::Sin, b.binary(Op::Mul, x, y)));
          break;
        case 2:
          values.push_back(b.unary(Op::Tanh, x));
          break;
        case 3:
          values.push_back(
              b.binary(Op::Div, x, b.binary(Op::Add, b.constant(2.5), b.unary(Op::Cos, y))));
          break;
        case 4:
          values.push_back(b.select(b.compare(Op::Lt, x, y), x, b.binary(Op::Sub, y, x)));
          break;
        case 5:
          values.push_back(b.unary(Op::Exp, b.unary(Op::Neg, b.binary(Op::Mul, x, x))));
          break;
        case 6:
          values.push_back(
              b.binary(Op::Atan2, x, b.binary(Op::Add, b.constant(3.0), b.unary(Op::Sin, y))));
          break;
        case 7:
          values.push_back(b.unary(Op::Log1p, b.binary(Op::Mul, x, x)));
          break;
        default:
          values.push_back(b.unary(Op::Atan, b.binary(Op::Sub, x, y)));
      }
    }
    Function f =
        b.finish({b.binary(Op::Add, values.back(), b.binary(Op::Mul, values[0], values[1]))});
    expect_derivative(f, {0.37, -0.82});
  }
}

TEST(Autodiff, RefusesWithTheLine) {
  Builder b("f");
  NodeId x = b.param(Type::F64, 0);
  b.set_location({b.file("user.py"), 42, 0});
  Function f = b.finish({b.unary(Op::Gamma, x)});
  try {
    gradient(f, {{0}, false, false, {}});
    FAIL() << "gamma has no derivative here";
  } catch (const DerivativeError& error) {
    EXPECT_EQ(error.file, "user.py");
    EXPECT_EQ(error.line, 42u);
    EXPECT_NE(std::string(error.what()).find("gamma"), std::string::npos);
  }
  Builder c("g");
  NodeId v = c.param(Type::F64, 1);
  Function g = c.finish({c.binary(Op::Mul, v, v)});
  EXPECT_THROW(gradient(g, {{0}, false, false, {}}), DerivativeError);
  EXPECT_THROW(gradient(g, {{5}, false, true, {}}), DerivativeError);
}

TEST(Inline, CopiesLoopsAndBranches) {
  Function f = looped(5);
  Builder b("outer");
  NodeId x = b.param(Type::F64, 0);
  const NodeId arguments[] = {x, b.binary(Op::Mul, x, b.constant(0.5))};
  const std::vector<NodeId> made = inline_function(b, f, arguments);
  Function outer = b.finish(made);
  EXPECT_EQ(run(outer, {0.6})[0], run(f, {0.6, 0.3})[0]);
}

}  // namespace
}  // namespace lattice::jit
