// SPDX-License-Identifier: MIT
// Kernels on several threads: the same bits and statuses as on one.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <thread>

#include "lattice/jit/ir/builder.hpp"
#include "lattice/jit/kernel.hpp"
#include "lattice/jit/testing_arrays_test.hpp"
#include "lattice/jit/thread_pool.hpp"

namespace lattice::jit {
namespace {

using ir::Builder;
using ir::NodeId;
using testing::Array;
using testing::run;

CompileOptions with_threads(int threads, bool machine) {
  CompileOptions options;
  options.allow_machine_code = machine;
  options.machine_code_threshold = 0;
  options.threads = threads;
  return options;
}

std::vector<double> random_doubles(size_t n, unsigned seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(-2, 2);
  std::vector<double> out(n);
  for (double& x : out) x = uniform(random);
  return out;
}

bool same_bits(const std::vector<double>& x, const std::vector<double>& y) {
  return x.size() == y.size() && std::memcmp(x.data(), y.data(), 8 * x.size()) == 0;
}

class Threads : public ::testing::TestWithParam<bool> {};

// exp(x) * y + y / x over a matrix and a row, and sums of it along every axis.
ir::Function expression() {
  Builder b;
  NodeId x = b.param(Type::F64, 2);
  NodeId y = b.param(Type::F64, 1);
  NodeId value =
      b.binary(Op::Add, b.binary(Op::Mul, b.unary(Op::Exp, x), y), b.binary(Op::Div, y, x));
  return b.finish({value, b.reduce(Op::ReduceSum, value, 3), b.reduce(Op::ReduceSum, value, 1),
                   b.reduce(Op::ReduceMax, value, 2), b.reduce(Op::ReduceArgMin, value, 1),
                   b.reduce(Op::ReduceSum, x, 3), b.reduce(Op::ReduceProd, x, 3),
                   b.reduce(Op::ReduceMin, value, 3)});
}

TEST_P(Threads, ResultsDoNotDependOnTheirNumber) {
  for (auto [rows, columns] : {std::pair<int64_t, int64_t>{517, 301}, {3, 70000}, {90001, 2}}) {
    auto n = static_cast<size_t>(rows * columns);
    Array<double> x({rows, columns}, random_doubles(n, 1));
    Array<double> y({columns}, random_doubles(static_cast<size_t>(columns), 2));
    std::vector<std::vector<double>> first;
    for (int threads : {1, 2, 3, 7}) {
      auto kernel = Kernel::compile(expression(), with_threads(threads, GetParam()));
      for (int round = 0; round < (threads == 1 ? 1 : 3); ++round) {
        Array<double> value({rows, columns});
        Array<double> by_column({columns});
        Array<double> by_row({rows});
        Array<int64_t> where({columns});
        Array<double> sum({}), plain({}), product({}), least({});
        uint32_t status = run(*kernel, {x.view(), y.view()},
                              {value.view(), sum.view(), by_column.view(), by_row.view(),
                               where.view(), plain.view(), product.view(), least.view()});
        EXPECT_EQ(status & ~kStatusFpUnderflow, 0u);
        std::vector<double> places;
        for (int64_t at : where.values()) places.push_back(static_cast<double>(at));
        std::vector<std::vector<double>> all = {value.values(),   sum.values(),  by_column.values(),
                                                by_row.values(),  places,        plain.values(),
                                                product.values(), least.values()};
        if (first.empty()) first = all;
        for (size_t k = 0; k < all.size(); ++k) {
          EXPECT_TRUE(same_bits(all[k], first[k])) << "output " << k << ", threads " << threads;
        }
      }
    }
  }
}

TEST_P(Threads, FlagsAndStatusesOfEveryThreadAreReported) {
  Builder b;
  NodeId x = b.param(Type::F64, 1);
  NodeId n = b.param(Type::I64, 1);
  auto kernel = Kernel::compile(
      b.finish({b.binary(Op::Div, b.constant(1.0), x), b.binary(Op::Mul, n, n, ir::kChecked)}),
      with_threads(3, GetParam()));
  constexpr int64_t kLength = 2'000'000;
  Array<double> xs({kLength}, 1.0), out({kLength});
  for (int64_t at : {int64_t{-1}, int64_t{0}, int64_t{999'999}, kLength - 1}) {
    std::vector<double> values(kLength, 2.0);
    std::vector<int64_t> ints(kLength, 3);
    if (at >= 0) {
      values[static_cast<size_t>(at)] = 0.0;
      ints[static_cast<size_t>(kLength - 1 - at)] = int64_t{1} << 40;
    }
    Array<double> zero({kLength}, values);
    Array<int64_t> big({kLength}, ints), squares({kLength});
    uint32_t status = run(*kernel, {zero.view(), big.view()}, {out.view(), squares.view()});
    EXPECT_EQ(status, at < 0 ? 0u : kStatusFpDivide | kStatusIntOverflow) << at;
  }
  Builder sum;
  NodeId y = sum.param(Type::F64, 1);
  auto total =
      Kernel::compile(sum.finish({sum.reduce(Op::ReduceSum, y, 1)}), with_threads(3, GetParam()));
  std::vector<double> values(kLength, 1.0);
  values[1'500'000] = std::numeric_limits<double>::infinity();
  values[1'500'008] = -std::numeric_limits<double>::infinity();
  Array<double> infinite({kLength}, values);
  Array<double> one({});
  EXPECT_EQ(run(*total, {infinite.view()}, {one.view()}), uint32_t{kStatusFpInvalid});
}

TEST_P(Threads, InPlaceAndStridesAndStreams) {
  Builder b;
  NodeId x = b.param(Type::F64, 1);
  NodeId y = b.param(Type::F64, 1);
  ir::Function f =
      b.finish({b.binary(Op::Add, b.binary(Op::Mul, x, y), x), b.binary(Op::Sub, x, y)});
  constexpr int64_t kLength = 3'000'017;  // both outputs together are worth streaming
  std::vector<double> xs = random_doubles(kLength, 3);
  std::vector<double> ys = random_doubles(kLength, 4);
  for (int threads : {1, 3}) {
    auto kernel = Kernel::compile(ir::Function(f), with_threads(threads, GetParam()));
    for (int64_t offset : {0, 1, 3}) {
      std::vector<double> p(kLength + 8), q(kLength + 8);
      int64_t n = kLength;
      int64_t stride = 8;
      auto view = [&](std::vector<double>& of, int64_t from) {
        return ArrayView{of.data() + from, Type::F64, 1, &n, &stride};
      };
      run(*kernel, {view(xs, 0), view(ys, 0)}, {view(p, offset), view(q, offset)});
      for (size_t i = 0; i < kLength; ++i) {
        ASSERT_EQ(p[i + static_cast<size_t>(offset)], xs[i] * ys[i] + xs[i]) << i;
        ASSERT_EQ(q[i + static_cast<size_t>(offset)], xs[i] - ys[i]) << i;
      }
      EXPECT_EQ(p[static_cast<size_t>(kLength + offset)], 0.0);
    }
    std::vector<double> p = xs;
    std::vector<double> q(kLength);
    int64_t n = kLength;
    int64_t stride = 8;
    int64_t back = -8;
    run(*kernel, {{p.data(), Type::F64, 1, &n, &stride}, {ys.data(), Type::F64, 1, &n, &stride}},
        {{p.data(), Type::F64, 1, &n, &stride}, {q.data() + kLength - 1, Type::F64, 1, &n, &back}});
    for (size_t i = 0; i < kLength; ++i) {
      ASSERT_EQ(p[i], xs[i] * ys[i] + xs[i]);
      ASSERT_EQ(q[kLength - 1 - i], xs[i] - ys[i]);
    }
  }
}

TEST_P(Threads, KernelsRunFromManyThreadsAtOnce) {
  auto kernel = Kernel::compile(expression(), with_threads(2, GetParam()));
  int64_t rows = 400;
  int64_t columns = 300;
  Array<double> x({rows, columns}, random_doubles(120000, 1));
  Array<double> y({columns}, random_doubles(300, 2));
  std::vector<std::vector<double>> results(4);
  std::vector<std::thread> callers;
  for (auto& result : results) {
    callers.emplace_back([&] {
      for (int round = 0; round < 3; ++round) {
        Array<double> value({rows, columns});
        Array<double> by_column({columns});
        Array<double> by_row({rows});
        Array<int64_t> where({columns});
        Array<double> sum({}), plain({}), product({}), least({});
        run(*kernel, {x.view(), y.view()},
            {value.view(), sum.view(), by_column.view(), by_row.view(), where.view(), plain.view(),
             product.view(), least.view()});
        result = value.values();
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  for (const auto& result : results) EXPECT_TRUE(same_bits(result, results[0]));
}

INSTANTIATE_TEST_SUITE_P(Tiers, Threads, ::testing::Values(false, true));

}  // namespace
}  // namespace lattice::jit
