// SPDX-License-Identifier: MIT
#include "lattice/jit/compiled_memo.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "lattice/reactive/effect.hpp"
#include "lattice/reactive/runtime.hpp"
#include "lattice/reactive/scope.hpp"

namespace lattice::jit {
namespace {

using ir::Builder;

ir::Function libm_function() {
  Builder b("f");
  const auto x = b.param(Type::F64, 0, "x");
  const auto y = b.param(Type::F64, 0, "y");
  const auto inner = b.binary(Op::Mul, b.unary(Op::Sin, x), y);
  const auto outer = b.binary(Op::Pow, b.unary(Op::Abs, inner), b.constant(1.5));
  b.function().math = ir::MathPolicy::Libm;
  b.guard(b.compare(Op::Lt, x, b.constant(10.0)));
  return b.finish({b.binary(Op::Add, outer, b.unary(Op::Exp, y))});
}

TEST(ScalarFunction, CallsLibmBetweenItsPieces) {
  const auto function = ScalarFunction::compile(libm_function());
  EXPECT_EQ(function->calls(), 3u);
  for (const double x : {0.0, -1.5, 0.3, 9.99}) {
    for (const double y : {0.1, 2.0, -3.5}) {
      Bits slots[ScalarFunction::kSlotsMax] = {to_bits(x), to_bits(y)};
      Bits result = 0;
      EXPECT_EQ((*function)(slots, &result) & kStatusFailed, 0u);
      EXPECT_EQ(from_bits<double>(result), std::pow(std::fabs(std::sin(x) * y), 1.5) + std::exp(y));
    }
  }
  Bits slots[ScalarFunction::kSlotsMax] = {to_bits(11.0), to_bits(1.0)};
  Bits result = 0;
  EXPECT_NE((*function)(slots, &result) & kStatusGuard, 0u);
}

TEST(ScalarFunction, EqualFunctionsAreOne) {
  const auto one = ScalarFunction::compile(libm_function());
  EXPECT_EQ(one, ScalarFunction::compile(libm_function()));
}

TEST(ScalarFunction, RefusesArraysAndSeveralResults) {
  Builder b("f");
  const auto x = b.param(Type::F64, 1, "x");
  EXPECT_THROW(ScalarFunction::compile(b.finish({x})), CompileError);
  Builder c("g");
  const auto y = c.param(Type::F64, 0, "y");
  EXPECT_THROW(ScalarFunction::compile(c.finish({y, y})), CompileError);
}

TEST(CompiledMemo, IsAMemoOfItsSources) {
  Scope scope;
  Signal<double> x{3.0};
  Signal<double> y{4.0};
  auto sum = compiled_memo<double(double, double)>([](auto a, auto b) { return a * b; },
                                                   {.name = "product"}, x, y);
  auto big = compiled_memo<bool(double)>([](auto a) { return a > 10.0; }, {}, sum);
  int runs = 0;
  bool seen = false;
  auto log = effect([&] {
    ++runs;
    seen = big.get();
  });
  EXPECT_EQ(sum.get(), 12.0);
  EXPECT_TRUE(seen);
  x.set(5.0);
  EXPECT_EQ(sum.get(), 20.0);
  EXPECT_EQ(runs, 1) << "cut off: still above ten";
  batch([&] {
    x.set(2.0);
    y.set(3.0);
  });
  EXPECT_EQ(runs, 2);
  EXPECT_FALSE(seen);
  EXPECT_EQ(sum.runs(), 3u);
  EXPECT_EQ(big.runs(), 3u);
}

TEST(CompiledMemo, IsLazyAndSeesNoChangeInAnEqualValue) {
  Scope scope;
  Signal<int64_t> x{1};
  auto parity = compiled_memo<int64_t(int64_t)>([](auto a) { return a & int64_t{1}; }, {}, x);
  auto twice = compiled_memo<int64_t(int64_t)>([](auto a) { return a * int64_t{2}; }, {}, parity);
  EXPECT_EQ(parity.runs(), 0u);
  EXPECT_EQ(twice.get(), 2);
  auto keep = effect([&] { twice.get(); });
  x.set(3);
  EXPECT_EQ(parity.runs(), 2u);
  EXPECT_EQ(twice.runs(), 1u);
}

TEST(CompiledMemo, KeepsWhatItCannotComputeAsAnError) {
  Scope scope;
  Builder b("divide");
  const auto x = b.param(Type::I64, 0, "x");
  const auto y = b.param(Type::I64, 0, "y");
  const auto divide =
      ScalarFunction::compile(b.finish({b.binary(Op::FloorDiv, x, y, ir::kChecked)}));
  Signal<int64_t> top{7};
  Signal<int64_t> bottom{0};
  auto quotient = compiled_memo<int64_t>(divide, {}, top, bottom);
  EXPECT_THROW(quotient.get(), ArithmeticError);
  EXPECT_THROW(quotient.get(), ArithmeticError);
  EXPECT_EQ(quotient.runs(), 1u);
  bottom.set(2);
  EXPECT_EQ(quotient.get(), 3);
}

// x > 0 ? y * 2 : z, of sources 0, 1 and 2; sources 3 is what a check stands before.
MemoProgram branching() {
  Builder test("test");
  const auto x = test.param(Type::F64, 0);
  auto positive =
      ScalarFunction::compile(test.finish({test.compare(Op::Lt, test.constant(0.0), x)}));
  Builder yes("yes");
  (void)yes.param(Type::F64, 0);
  const auto y = yes.param(Type::F64, 0);
  auto doubled = ScalarFunction::compile(yes.finish({yes.binary(Op::Mul, y, yes.constant(2.0))}));
  Builder no("no");
  (void)no.param(Type::F64, 0);
  const auto z = no.param(Type::I64, 0);
  auto same = ScalarFunction::compile(no.finish({z}));
  using Kind = MemoStep::Kind;
  return MemoProgram({{Kind::Branch, {{0, Type::F64}}, positive, 0, 1, 2},
                      {Kind::Return, {{1, Type::F64}}, doubled, 0, 0, 0},
                      {Kind::Return, {{2, Type::I64}}, same, 0, 0, 0}},
                     3);
}

struct ListReader {
  Bits values[3];
  std::vector<uint32_t> reads;
  uint32_t failing = 99;
  bool read(uint32_t source, Type, Bits& slot) {
    reads.push_back(source);
    slot = values[source];
    return source != failing;
  }
  bool touch(uint32_t source) {
    reads.push_back(source);
    return true;
  }
  bool is_stale(uint32_t) { return false; }
};

TEST(MemoProgram, ReadsWhatTheTakenBranchReads) {
  const MemoProgram program = branching();
  Bits result = 0;
  Type type = Type::Void;
  ListReader reader{{to_bits(1.0), to_bits(4.0), to_bits(int64_t{9})}, {}};
  ASSERT_TRUE(program.run(reader, result, type));
  EXPECT_EQ(type, Type::F64);
  EXPECT_EQ(from_bits<double>(result), 8.0);
  EXPECT_EQ(reader.reads, (std::vector<uint32_t>{0, 1}));
  reader = {{to_bits(-1.0), to_bits(4.0), to_bits(int64_t{9})}, {}};
  ASSERT_TRUE(program.run(reader, result, type));
  EXPECT_EQ(type, Type::I64);
  EXPECT_EQ(from_bits<int64_t>(result), 9);
  EXPECT_EQ(reader.reads, (std::vector<uint32_t>{0, 2}));
  reader = {{to_bits(-1.0), 0, 0}, {}, 2};
  EXPECT_FALSE(program.run(reader, result, type));
}

TEST(MemoProgram, RefusesStepsThatAreNoTree) {
  auto steps = branching().steps();
  steps[0].no = 0;
  EXPECT_THROW(MemoProgram(steps, 3), CompileError);
  steps = branching().steps();
  steps[2].reads[0].source = 3;
  EXPECT_THROW(MemoProgram(steps, 3), CompileError);
  steps = branching().steps();
  steps[1].reads.clear();
  EXPECT_THROW(MemoProgram(steps, 3), CompileError);
  EXPECT_THROW(MemoProgram({}, 0), CompileError);
}

}  // namespace
}  // namespace lattice::jit
