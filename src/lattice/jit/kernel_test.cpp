// SPDX-License-Identifier: MIT
#include "lattice/jit/kernel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "lattice/jit/codegen/isa.hpp"
#include "lattice/jit/ir/builder.hpp"
#include "lattice/jit/testing_arrays_test.hpp"

namespace lattice::jit {
namespace {

using ir::Builder;
using ir::NodeId;
using ir::RegionId;
using testing::Array;
using testing::run;

std::vector<double> random_doubles(size_t n, unsigned seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(-2, 2);
  std::vector<double> out(n);
  for (double& x : out) x = uniform(random);
  return out;
}

TEST(Kernel, FusesArithmeticOfArraysAndScalars) {
  Builder b;
  NodeId x = b.param(Type::F64, 1);
  NodeId y = b.param(Type::F64, 1);
  NodeId s = b.param(Type::F64, 0);
  NodeId t = b.binary(Op::Mul, s, b.constant(2.0));  // computed once, not once per element
  auto kernel = Kernel::compile(b.finish({b.binary(Op::Add, b.binary(Op::Mul, x, t), y)}));
  for (int64_t n : {0, 1, 7, 64, 1000, 5000}) {
    Array<double> xs({n}, random_doubles(static_cast<size_t>(n), 1));
    Array<double> ys({n}, random_doubles(static_cast<size_t>(n), 2));
    Array<double> ss({}, {1.5});
    Array<double> out({n});
    EXPECT_EQ(run(*kernel, {xs.view(), ys.view(), ss.view()}, {out.view()}), 0u);
    for (size_t i = 0; i < out.size(); ++i) EXPECT_EQ(out[i], xs[i] * 3.0 + ys[i]);
  }
}

TEST(Kernel, MachineCodeCanBeReadOnceThereIsSome) {
  if (chosen_isa() == Isa::Interpreter) GTEST_SKIP();
  Builder b;
  NodeId x = b.param(Type::F64, 1);
  CompileOptions options;
  options.machine_code_threshold = 0;
  auto kernel =
      Kernel::compile(b.finish({b.unary(Op::Sqrt, x), b.like(b.constant(int64_t{7}), x)}), options);
  EXPECT_EQ(kernel->assembly(), "");
  Array<double> xs({40}, random_doubles(40, 1));
  Array<double> roots({40});
  Array<int64_t> sevens({40});
  run(*kernel, {xs.view()}, {roots.view(), sevens.view()});
  // An output that is one value for all lanes is no reason for the interpreter.
  EXPECT_EQ(kernel->tier(), Tier::Machine);
  for (size_t i = 0; i < 40; ++i) EXPECT_EQ(sevens[i], 7);
  EXPECT_NE(kernel->assembly().find("vsqrtpd"), std::string::npos);
  EXPECT_NE(kernel->explain().find("machine code"), std::string::npos);
}

TEST(Kernel, BroadcastsAndInfersShapes) {
  Builder b;
  NodeId x = b.param(Type::F64, 2);
  NodeId y = b.param(Type::F64, 1);
  auto kernel = Kernel::compile(b.finish({b.binary(Op::Sub, x, y)}));
  Array<double> xs({3, 1}, {1, 2, 3});
  Array<double> ys({4}, {10, 20, 30, 40});
  std::vector<ArrayView> args{xs.view(), ys.view()};
  Shape shape;
  kernel->infer(args, std::span(&shape, 1));
  EXPECT_EQ(shape.rank, 2);
  EXPECT_EQ(shape.extent[0], 3);
  EXPECT_EQ(shape.extent[1], 4);
  Array<double> out({3, 4});
  run(*kernel, args, {out.view()});
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 4; ++j) EXPECT_EQ(out[i * 4 + j], xs[i] - ys[j]);
  }
  Array<double> bad({3, 3});
  std::vector<ArrayView> mismatched{bad.view(), ys.view()};
  try {
    kernel->infer(mismatched, std::span(&shape, 1));
    FAIL();
  } catch (const ShapeError& error) {
    EXPECT_STREQ(error.what(), "operands could not be broadcast together with shapes (3, 3) (4,)");
  }
}

TEST(Kernel, ReadsAndWritesStrides) {
  Builder b;
  NodeId x = b.param(Type::I32, 1);
  auto kernel = Kernel::compile(b.finish({b.binary(Op::Add, x, b.constant(int32_t{1}))}));
  std::vector<int32_t> memory(20);
  for (int i = 0; i < 20; ++i) memory[i] = i;
  int64_t n = 5;
  int64_t back = -8;
  int64_t skip = 12;
  std::vector<int32_t> out(15, -1);
  ArrayView from{&memory[18], Type::I32, 1, &n, &back};
  ArrayView to{out.data(), Type::I32, 1, &n, &skip};
  run(*kernel, {from}, {to});
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(out[3 * i], 18 - 2 * i + 1);
    EXPECT_EQ(out[3 * i + 1], -1);
  }
}

// Contiguous arrays of one shape skip the driver (run_flat()); strides of two elements go through
// it.
TEST(Kernel, FlatCallsAgreeWithTheDriver) {
  Builder b;
  NodeId x = b.param(Type::F64, 1);
  NodeId s = b.param(Type::F64, 0);
  NodeId y = b.param(Type::F64, 1);
  NodeId sum = b.binary(Op::Add, b.binary(Op::Mul, x, s), b.binary(Op::Mul, y, b.constant(2.0)));
  NodeId difference = b.binary(Op::Sub, y, x);
  auto kernel = Kernel::compile(b.finish({difference, sum}));
  ASSERT_TRUE(kernel->is_flat());
  double scale = 1.5;
  ArrayView scalar{&scale, Type::F64, 0, nullptr, nullptr};
  int64_t packed = 8;
  int64_t spread = 16;
  for (int64_t n : {0, 1, 7, 8, 9, 1000}) {
    auto size = static_cast<size_t>(n);
    std::vector<double> xs = random_doubles(size, 1);
    std::vector<double> ys = random_doubles(size, 2);
    std::vector<double> wide_x(2 * size);
    std::vector<double> wide_y(2 * size);
    std::vector<double> wide_out(2 * size, -1.0);
    for (size_t i = 0; i < size; ++i) {
      wide_x[2 * i] = xs[i];
      wide_y[2 * i] = ys[i];
    }
    std::vector<double> out(size);
    std::vector<double> other(size);
    std::vector<double> wide_other(2 * size);
    auto view = [&](std::vector<double>& of, int64_t& stride) {
      return ArrayView{of.data(), Type::F64, 1, &n, &stride};
    };
    for (int round = 0; round < 3; ++round) {  // the first run may be the interpreter's
      run(*kernel, {view(xs, packed), scalar, view(ys, packed)},
          {view(other, packed), view(out, packed)});
      run(*kernel, {view(wide_x, spread), scalar, view(wide_y, spread)},
          {view(wide_other, spread), view(wide_out, spread)});
      for (size_t i = 0; i < size; ++i) {
        ASSERT_EQ(out[i], xs[i] * scale + ys[i] * 2.0) << n;
        ASSERT_EQ(other[i], ys[i] - xs[i]);
        ASSERT_EQ(wide_out[2 * i], out[i]);
        ASSERT_EQ(wide_other[2 * i], other[i]);
      }
    }
    // In place: one output is an argument exactly.
    std::vector<double> here = xs;
    run(*kernel, {view(here, packed), scalar, view(ys, packed)},
        {view(other, packed), view(here, packed)});
    EXPECT_EQ(here, out);
    // Shifted by one against an argument: as if inputs were read first.
    for (int shift : {-1, 1}) {
      std::vector<double> memory(size + 2);
      std::copy(xs.begin(), xs.end(), memory.begin() + 1);
      ArrayView from{memory.data() + 1, Type::F64, 1, &n, &packed};
      ArrayView to{memory.data() + 1 + shift, Type::F64, 1, &n, &packed};
      run(*kernel, {from, scalar, view(ys, packed)}, {view(other, packed), to});
      EXPECT_TRUE(std::equal(out.begin(), out.end(), memory.begin() + 1 + shift)) << n << shift;
    }
  }
}

TEST(Kernel, FlatRunsRefuseWhatTheyDoNotCover) {
  Builder b;
  NodeId x = b.param(Type::F64, 1);
  NodeId y = b.param(Type::F32, 1);
  auto kernel = Kernel::compile(b.finish({b.binary(Op::Add, x, b.cast(y, Type::F64))}));
  std::vector<double> memory = random_doubles(64, 3);
  std::vector<float> floats(64, 0.5F);
  std::vector<double> out(64);
  const void* args[] = {memory.data(), floats.data()};
  void* outputs[] = {out.data()};
  uint32_t status = 0;
  EXPECT_FALSE(kernel->run_flat(args, outputs, 8, status));  // no machine code yet
  int64_t n = 8;
  int64_t eight = 8;
  int64_t four = 4;
  ArrayView xs{memory.data(), Type::F64, 1, &n, &eight};
  ArrayView ys{floats.data(), Type::F32, 1, &n, &four};
  ArrayView to{out.data(), Type::F64, 1, &n, &eight};
  for (int round = 0; round < 3; ++round) run(*kernel, {xs, ys}, {to});
  if (kernel->tier() != Tier::Machine) GTEST_SKIP() << "no machine code here";
  std::fill(out.begin(), out.end(), 0.0);
  EXPECT_TRUE(kernel->run_flat(args, outputs, 8, status));
  EXPECT_EQ(out[7], memory[7] + 0.5);
  EXPECT_EQ(out[8], 0.0);
  EXPECT_FALSE(kernel->run_flat(args, outputs, 0, status));
  std::vector<double> before = memory;
  void* in_place[] = {memory.data()};
  void* shifted[] = {memory.data() + 1};
  void* behind[] = {memory.data() + 8};
  EXPECT_FALSE(kernel->run_flat(args, shifted, 8, status));
  EXPECT_EQ(memory, before);
  EXPECT_TRUE(kernel->run_flat(args, behind, 8, status));
  EXPECT_EQ(memory[8], before[0] + 0.5);
  EXPECT_TRUE(kernel->run_flat(args, in_place, 8, status));
  EXPECT_EQ(memory[0], before[0] + 0.5);
  // The same address, but elements of another size.
  const void* mixed[] = {memory.data(), out.data()};
  EXPECT_FALSE(kernel->run_flat(mixed, outputs, 8, status));
  // A division by zero is reported, and only by the run that did it.
  Builder c;
  NodeId p = c.param(Type::F64, 1);
  auto divide = Kernel::compile(c.finish({c.binary(Op::Div, c.constant(1.0), p)}));
  std::vector<double> zero(8, 0.0);
  std::vector<double> one(8, 1.0);
  ArrayView zeros{zero.data(), Type::F64, 1, &n, &eight};
  ArrayView ones{one.data(), Type::F64, 1, &n, &eight};
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(run(*divide, {zeros}, {to}), uint32_t{kStatusFpDivide});
    EXPECT_EQ(run(*divide, {ones}, {to}), 0u);
  }
  EXPECT_FALSE(Kernel::compile(ir::Function(divide->source()))->run_flat(args, outputs, 8, status));
}

TEST(Kernel, OutputsMayOverlapInputs) {
  Builder b;
  NodeId x = b.param(Type::F64, 1);
  auto kernel = Kernel::compile(b.finish({b.binary(Op::Add, x, x)}));
  std::vector<double> memory(3001);
  for (size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<double>(i);
  int64_t n = 3000;
  int64_t stride = 8;
  ArrayView from{memory.data(), Type::F64, 1, &n, &stride};
  ArrayView shifted{memory.data() + 1, Type::F64, 1, &n, &stride};
  run(*kernel, {from}, {shifted});
  for (int64_t i = 0; i < n; ++i) ASSERT_EQ(memory[i + 1], 2.0 * static_cast<double>(i));
  std::vector<double> before = memory;
  run(*kernel, {from}, {from});
  for (int64_t i = 0; i < n; ++i) ASSERT_EQ(memory[i], 2 * before[i]);
}

TEST(Kernel, LoopsActPerLane) {
  // Steps of the Collatz sequence to 1.
  Builder b;
  NodeId n = b.param(Type::I64, 1);
  NodeId one = b.constant(int64_t{1});
  NodeId two = b.constant(int64_t{2});
  RegionId body = b.begin_loop({n, b.constant(int64_t{0})});
  NodeId x = b.arg(body, 0);
  b.exit_unless(b.compare(Op::Lt, one, x));
  NodeId odd = b.compare(Op::Eq, b.binary(Op::Mod, x, two), one);
  b.begin_if(odd);
  NodeId up = b.binary(Op::Add, b.binary(Op::Mul, x, b.constant(int64_t{3})), one);
  b.begin_else({up});
  NodeId down = b.binary(Op::FloorDiv, x, two);
  NodeId branch = b.end_if({down});
  NodeId loop = b.end_loop({b.result(branch, 0), b.binary(Op::Add, b.arg(body, 1), one)});
  auto kernel = Kernel::compile(b.finish({b.result(loop, 1)}));
  Array<int64_t> in({3000});
  std::vector<int64_t> starts(3000);
  for (int64_t i = 0; i < 3000; ++i) starts[i] = i + 1;
  in = Array<int64_t>({3000}, starts);
  Array<int64_t> out({3000});
  EXPECT_EQ(run(*kernel, {in.view()}, {out.view()}), 0u);
  for (int64_t i = 0; i < 3000; ++i) {
    int64_t steps = 0;
    for (int64_t v = i + 1; v > 1; v = v % 2 == 1 ? 3 * v + 1 : v / 2) ++steps;
    ASSERT_EQ(out[i], steps) << i;
  }
}

TEST(Kernel, CarriedValuesMaySwapAndNest) {
  // Fibonacci by swapping, n times, then an inner loop that counts down.
  Builder b;
  NodeId n = b.param(Type::I64, 1);
  NodeId one = b.constant(int64_t{1});
  NodeId zero = b.constant(int64_t{0});
  RegionId outer = b.begin_loop({zero, one, n, zero});
  b.exit_unless(b.compare(Op::Lt, zero, b.arg(outer, 2)));
  RegionId inner = b.begin_loop({b.arg(outer, 2), b.arg(outer, 3)});
  b.exit_unless(b.compare(Op::Lt, zero, b.arg(inner, 0)));
  NodeId inner_loop = b.end_loop(
      {b.binary(Op::Sub, b.arg(inner, 0), one), b.binary(Op::Add, b.arg(inner, 1), one)});
  NodeId loop = b.end_loop({b.arg(outer, 1), b.binary(Op::Add, b.arg(outer, 0), b.arg(outer, 1)),
                            b.binary(Op::Sub, b.arg(outer, 2), one), b.result(inner_loop, 1)});
  auto kernel = Kernel::compile(b.finish({b.result(loop, 0), b.result(loop, 3)}));
  std::vector<int64_t> ns;
  for (int64_t i = 0; i < 70; ++i) ns.push_back((i * 37) % 71);
  Array<int64_t> in({70}, ns);
  Array<int64_t> fib({70});
  Array<int64_t> count({70});
  run(*kernel, {in.view()}, {fib.view(), count.view()});
  for (size_t i = 0; i < 70; ++i) {
    int64_t a = 0, c = 1, steps = 0;
    for (int64_t k = ns[i]; k > 0; --k) {
      int64_t t = a + c;
      a = c;
      c = t;
      steps += k;
    }
    ASSERT_EQ(fib[i], a);
    ASSERT_EQ(count[i], steps);
  }
}

TEST(Kernel, ReportsOnlyOfActiveLanes) {
  Builder b;
  NodeId x = b.param(Type::I64, 1);
  NodeId zero = b.constant(int64_t{0});
  b.begin_if(b.compare(Op::Ne, x, zero));
  NodeId quotient = b.binary(Op::FloorDiv, b.constant(int64_t{100}), x, ir::kChecked);
  b.begin_else({quotient});
  NodeId safe = b.result(b.end_if({zero}), 0);
  auto kernel = Kernel::compile(b.finish({safe}));
  Array<int64_t> in({4}, {0, 3, 0, -7});
  Array<int64_t> out({4});
  EXPECT_EQ(run(*kernel, {in.view()}, {out.view()}), 0u);
  EXPECT_EQ(out.values(), (std::vector<int64_t>{0, 33, 0, -15}));

  Builder c;
  NodeId y = c.param(Type::I64, 1);
  auto unsafe = Kernel::compile(
      c.finish({c.binary(Op::FloorDiv, c.constant(int64_t{100}), y, ir::kChecked)}));
  EXPECT_EQ(run(*unsafe, {in.view()}, {out.view()}), uint32_t{kStatusZeroDivision});
}

TEST(Kernel, ScalarFunctionsReportOverflowAndGuards) {
  Builder b;
  NodeId x = b.param(Type::I64, 0);
  NodeId y = b.param(Type::I64, 0);
  b.guard(b.compare(Op::Ne, y, b.constant(int64_t{13})));
  auto kernel = Kernel::compile(b.finish({b.binary(Op::Mul, x, y, ir::kChecked)}));
  auto call = [&](int64_t p, int64_t q, int64_t& result) {
    Bits args[2] = {to_bits(p), to_bits(q)};
    Bits out = 0;
    uint32_t status = kernel->run_scalar(args, &out);
    result = from_bits<int64_t>(out);
    return status;
  };
  int64_t result = 0;
  EXPECT_EQ(call(6, -7, result), 0u);
  EXPECT_EQ(result, -42);
  EXPECT_EQ(call(int64_t{1} << 40, int64_t{1} << 40, result), uint32_t{kStatusIntOverflow});
  EXPECT_EQ(call(1, 13, result), uint32_t{kStatusGuard});
}

// NumPy's sum of a contiguous run, written recursively.
double numpy_sum(const double* x, int64_t n) {
  if (n < 8) {
    double s = -0.0;
    for (int64_t i = 0; i < n; ++i) s += x[i];
    return s;
  }
  if (n <= 128) {
    double r[8];
    for (int k = 0; k < 8; ++k) r[k] = x[k];
    int64_t i = 8;
    for (; i < n - n % 8; i += 8) {
      for (int k = 0; k < 8; ++k) r[k] += x[i + k];
    }
    double s = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    for (; i < n; ++i) s += x[i];
    return s;
  }
  int64_t half = n / 2;
  half -= half % 8;
  return numpy_sum(x, half) + numpy_sum(x + half, n - half);
}

TEST(Kernel, SumOfAnExpressionIsFusedInNumpysOrder) {
  Builder b;
  NodeId x = b.param(Type::F64, 1);
  NodeId y = b.param(Type::F64, 1);
  NodeId d = b.binary(Op::Sub, x, y);
  auto kernel = Kernel::compile(b.finish({b.reduce(Op::ReduceSum, b.binary(Op::Mul, d, d), 0)}));
  for (int64_t n : {0, 1, 7, 8, 129, 4096, 4097, 8193, 100003}) {
    Array<double> xs({n}, random_doubles(static_cast<size_t>(n), 3));
    Array<double> ys({n}, random_doubles(static_cast<size_t>(n), 4));
    std::vector<double> squares;
    for (size_t i = 0; i < xs.size(); ++i) squares.push_back((xs[i] - ys[i]) * (xs[i] - ys[i]));
    Array<double> out({});
    run(*kernel, {xs.view(), ys.view()}, {out.view()});
    EXPECT_EQ(out[0], 0.0 + numpy_sum(squares.data(), n)) << n;
  }
}

TEST(Kernel, CentringByTheMeanOfAnAxis) {
  Builder b;
  NodeId x = b.param(Type::F64, 2);
  NodeId count = b.cast(b.extent(x, 1), Type::F64);
  NodeId mean = b.binary(Op::Div, b.reduce(Op::ReduceSum, x, 1, true), count);
  auto kernel = Kernel::compile(b.finish({b.binary(Op::Sub, x, mean), mean}));
  Array<double> xs({50, 3}, random_doubles(150, 5));
  Array<double> out({50, 3});
  Array<double> means({1, 3});
  run(*kernel, {xs.view()}, {out.view(), means.view()});
  for (int j = 0; j < 3; ++j) {
    double sum = 0;
    for (int i = 0; i < 50; ++i) sum += xs[i * 3 + j];
    EXPECT_EQ(means[j], sum / 50);
    for (int i = 0; i < 50; ++i) EXPECT_EQ(out[i * 3 + j], xs[i * 3 + j] - sum / 50);
  }
}

TEST(Kernel, ReductionsOfEveryKindAlongAnAxis) {
  Array<int32_t> xs({2, 3}, {3, -1, 2, 5, 5, -9});
  auto reduce = [&](Op op, uint32_t axes, std::vector<int64_t> shape, auto sample) {
    using T = decltype(sample);
    Builder b;
    auto kernel = Kernel::compile(b.finish({b.reduce(op, b.param(Type::I32, 2), axes)}));
    Array<T> out(shape);
    run(*kernel, {xs.view()}, {out.view()});
    return out.values();
  };
  EXPECT_EQ(reduce(Op::ReduceSum, 2, {2}, int32_t{}), (std::vector<int32_t>{4, 1}));
  EXPECT_EQ(reduce(Op::ReduceProd, 1, {3}, int32_t{}), (std::vector<int32_t>{15, -5, -18}));
  EXPECT_EQ(reduce(Op::ReduceMin, 0, {}, int32_t{}), (std::vector<int32_t>{-9}));
  EXPECT_EQ(reduce(Op::ReduceMax, 1, {3}, int32_t{}), (std::vector<int32_t>{5, 5, 2}));
  EXPECT_EQ(reduce(Op::ReduceArgMax, 2, {2}, int64_t{}), (std::vector<int64_t>{0, 0}));
  EXPECT_EQ(reduce(Op::ReduceArgMin, 1, {3}, int64_t{}), (std::vector<int64_t>{0, 0, 1}));
  EXPECT_EQ(reduce(Op::ReduceArgMin, 0, {}, int64_t{}), (std::vector<int64_t>{5}));
}

TEST(Kernel, MinimumOfNothingIsRefused) {
  Builder b;
  auto kernel = Kernel::compile(b.finish({b.reduce(Op::ReduceMin, b.param(Type::F64, 1), 0)}));
  Array<double> none({0});
  Array<double> out({});
  EXPECT_THROW(run(*kernel, {none.view()}, {out.view()}), ShapeError);
}

TEST(Kernel, HeatEquationStepsInADriverLoop) {
  // u[1:-1] + k*(u[2:] - 2u[1:-1] + u[:-2]), steps times, by views and a scatter-free rebuild.
  using Item = ir::ViewItem;
  Builder b;
  NodeId u0 = b.param(Type::F64, 1);
  NodeId steps = b.param(Type::I64, 0);
  NodeId one = b.constant(int64_t{1});
  auto slice = [&](NodeId v, int64_t start, int64_t stop, bool open) {
    Item item;
    item.has_start = true;
    item.start = start;
    item.has_stop = !open;
    item.stop = stop;
    return b.view(v, {item});
  };
  RegionId body = b.begin_loop({u0, b.constant(int64_t{0})});
  NodeId u = b.arg(body, 0);
  b.exit_unless(b.compare(Op::Lt, b.arg(body, 1), steps));
  // Periodic ends by gather, so that the shape stays.
  NodeId n = b.extent(u, 1);
  NodeId i = b.iota(n);
  NodeId left[1] = {b.binary(Op::Sub, i, one)};
  NodeId right[1] = {b.binary(Op::Add, i, one)};
  NodeId l = b.gather(u, left, ir::BoundsMode::Wrap);
  NodeId r = b.gather(u, right, ir::BoundsMode::Wrap);
  NodeId next = b.binary(
      Op::Add, u,
      b.binary(Op::Mul, b.constant(0.1),
               b.binary(Op::Sub, b.binary(Op::Add, l, r), b.binary(Op::Mul, b.constant(2.0), u))));
  NodeId loop = b.end_loop({next, b.binary(Op::Add, b.arg(body, 1), one)});
  NodeId final = b.result(loop, 0);
  NodeId inner = slice(final, 1, -1, false);
  auto kernel =
      Kernel::compile(b.finish({final, b.binary(Op::Sub, slice(final, 2, 0, true), inner)}));
  int64_t size = 40;
  std::vector<double> expected = random_doubles(40, 7);
  Array<double> in({size}, expected);
  Array<int64_t> count({}, {25});
  Array<double> out({size});
  Array<double> diff({size - 2});
  run(*kernel, {in.view(), count.view()}, {out.view(), diff.view()});
  for (int s = 0; s < 25; ++s) {
    std::vector<double> old = expected;
    for (int64_t k = 0; k < size; ++k) {
      double lv = old[(k + size - 1) % size];
      double rv = old[(k + 1) % size];
      expected[k] = old[k] + 0.1 * ((lv + rv) - 2.0 * old[k]);
    }
  }
  for (int64_t k = 0; k < size; ++k) ASSERT_EQ(out[k], expected[k]) << k;
  for (int64_t k = 0; k < size - 2; ++k) ASSERT_EQ(diff[k], expected[k + 2] - expected[k + 1]);
}

TEST(Kernel, GatherChecksBoundsInActiveLanes) {
  Builder b;
  NodeId x = b.param(Type::F64, 1);
  NodeId at = b.param(Type::I64, 1);
  NodeId index[1] = {at};
  auto kernel = Kernel::compile(b.finish({b.gather(x, index, ir::BoundsMode::Raise)}));
  Array<double> xs({3}, {10, 20, 30});
  Array<int64_t> good({4}, {2, -1, 0, -3});
  Array<double> out({4});
  EXPECT_EQ(run(*kernel, {xs.view(), good.view()}, {out.view()}), 0u);
  EXPECT_EQ(out.values(), (std::vector<double>{30, 30, 10, 10}));
  Array<int64_t> bad({4}, {2, 3, 0, -4});
  EXPECT_EQ(run(*kernel, {xs.view(), bad.view()}, {out.view()}), uint32_t{kStatusOutOfBounds});
}

TEST(Kernel, ScalarLoopOverAnArray) {
  // Sequential sum of x[i] while the sum is small: a scalar loop that gathers.
  Builder b;
  NodeId x = b.param(Type::F64, 1);
  NodeId n = b.extent(x, 1);
  RegionId body = b.begin_loop({b.constant(int64_t{0}), b.constant(0.0)});
  NodeId i = b.arg(body, 0);
  b.exit_unless(b.compare(Op::Lt, i, n));
  NodeId index[1] = {i};
  NodeId sum = b.binary(Op::Add, b.arg(body, 1), b.gather(x, index, ir::BoundsMode::Raise));
  NodeId loop = b.end_loop({b.binary(Op::Add, i, b.constant(int64_t{1})), sum});
  auto kernel = Kernel::compile(b.finish({b.result(loop, 1)}));
  Array<double> xs({100}, random_doubles(100, 9));
  Array<double> out({});
  EXPECT_EQ(run(*kernel, {xs.view()}, {out.view()}), 0u);
  double expected = 0;
  for (size_t k = 0; k < 100; ++k) expected += xs[k];
  EXPECT_EQ(out[0], expected);
}

TEST(Kernel, ScansAndScatters) {
  Builder b;
  NodeId x = b.param(Type::I64, 2);
  auto scan = Kernel::compile(b.finish({b.scan(Op::ScanSum, x, 0), b.scan(Op::ScanMax, x, 1)}));
  Array<int64_t> xs({2, 3}, {1, 5, 3, 4, 2, 9});
  Array<int64_t> sums({2, 3});
  Array<int64_t> maxima({2, 3});
  run(*scan, {xs.view()}, {sums.view(), maxima.view()});
  EXPECT_EQ(sums.values(), (std::vector<int64_t>{1, 5, 3, 5, 7, 12}));
  EXPECT_EQ(maxima.values(), (std::vector<int64_t>{1, 5, 5, 4, 4, 9}));

  Builder c;
  NodeId base = c.param(Type::I64, 1);
  NodeId index = c.param(Type::I64, 1);
  auto histogram = Kernel::compile(
      c.finish({c.scatter(base, index, c.constant(int64_t{1}), ir::ScatterMode::Add)}));
  Array<int64_t> zeros({4});
  Array<int64_t> at({6}, {0, 3, 3, -1, 1, 0});
  Array<int64_t> out({4});
  EXPECT_EQ(run(*histogram, {zeros.view(), at.view()}, {out.view()}), 0u);
  EXPECT_EQ(out.values(), (std::vector<int64_t>{2, 1, 0, 3}));
}

TEST(Kernel, AReductionInsideAPerElementLoopIsRefused) {
  Builder b;
  NodeId x = b.param(Type::F64, 1);
  RegionId body = b.begin_loop({x});
  NodeId v = b.arg(body, 0);
  b.exit_unless(b.compare(Op::Lt, v, b.constant(1.0)));
  NodeId loop = b.end_loop({b.binary(Op::Add, v, b.reduce(Op::ReduceSum, v, 0))});
  EXPECT_THROW(Kernel::compile(b.finish({b.result(loop, 0)})), CompileError);
}

TEST(Kernel, FloatingPointFlagsAreReported) {
  Builder b;
  NodeId x = b.param(Type::F64, 1);
  auto kernel = Kernel::compile(b.finish({b.binary(Op::Div, b.constant(1.0), x)}));
  Array<double> zero({2}, {0.0, 1.0});
  Array<double> one({2}, {1.0, 1.0});
  Array<double> out({2});
  EXPECT_EQ(run(*kernel, {zero.view()}, {out.view()}) & kStatusFpDivide, uint32_t{kStatusFpDivide});
  EXPECT_EQ(run(*kernel, {one.view()}, {out.view()}), 0u);
}

TEST(Kernel, BranchesReportNoFlagsOfLanesThatDidNotTakeThem) {
  Builder b;
  NodeId x = b.param(Type::F64, 1);
  b.begin_if(b.compare(Op::Ne, x, b.constant(0.0)));
  NodeId inverse = b.binary(Op::Div, b.constant(1.0), x);
  b.begin_else({inverse});
  NodeId branch = b.end_if({x});
  auto kernel = Kernel::compile(b.finish({b.result(branch, 0)}));
  Array<double> in({3}, {0.0, 2.0, 4.0});
  Array<double> out({3});
  for (int round = 0; round < 3; ++round) EXPECT_EQ(run(*kernel, {in.view()}, {out.view()}), 0u);
  EXPECT_EQ(out.values(), (std::vector<double>{0.0, 0.5, 0.25}));
}

TEST(Kernel, LibraryFunctionsOfOrdinaryValuesRaiseNoFlags) {
  for (Op op : {Op::Exp, Op::Log, Op::Sin, Op::Cos, Op::Tanh, Op::Expm1, Op::Log1p, Op::Sinh}) {
    Builder b;
    auto kernel = Kernel::compile(b.finish({b.unary(op, b.param(Type::F64, 1))}));
    Array<double> in({4}, {0.25, 1.0, 2.0, 3.5});
    Array<double> out({4});
    for (int round = 0; round < 3; ++round) {
      EXPECT_EQ(run(*kernel, {in.view()}, {out.view()}), 0u) << op_name(op) << " " << round;
    }
  }
}

}  // namespace
}  // namespace lattice::jit
