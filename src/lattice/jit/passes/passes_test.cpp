// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <random>

#include "lattice/jit/ir/builder.hpp"
#include "lattice/jit/ir/scalar_ops.hpp"
#include "lattice/jit/ir/text.hpp"
#include "lattice/jit/ir/verify.hpp"
#include "lattice/jit/passes/dce.hpp"
#include "lattice/jit/passes/licm.hpp"
#include "lattice/jit/passes/rewrite.hpp"
#include "lattice/jit/passes/simplify.hpp"
#include "lattice/jit/passes/strength.hpp"

namespace lattice::jit::passes {
namespace {

// The text of one output's definition after simplification and dead code elimination.
template <class Make>
std::string simplified(Type type, int rank, Make&& make) {
  Builder b;
  NodeId x = b.param(type, rank);
  NodeId y = b.param(type, rank);
  Function f = b.finish({make(b, x, y)});
  Function out = dce(simplify(f));
  EXPECT_TRUE(ir::verify(out).ok()) << ir::verify(out).error();
  std::string text = ir::print(out);
  return text.substr(text.find('%'));
}

TEST(Simplify, AppliesWhatIeeeAllows) {
  const std::string same = "%0: f64[1] = param 0\nreturn %0\n";
  auto f64 = [](auto make) { return simplified(Type::F64, 1, make); };
  EXPECT_EQ(f64([](Builder& b, NodeId x, NodeId) { return b.binary(Op::Mul, x, b.constant(1.0)); }),
            same);
  EXPECT_EQ(f64([](Builder& b, NodeId x, NodeId) { return b.binary(Op::Sub, x, b.constant(0.0)); }),
            same);
  EXPECT_EQ(
      f64([](Builder& b, NodeId x, NodeId) { return b.binary(Op::Add, x, b.constant(-0.0)); }),
      same);
  EXPECT_EQ(f64([](Builder& b, NodeId x, NodeId) { return b.unary(Op::Neg, b.unary(Op::Neg, x)); }),
            same);
  EXPECT_NE(f64([](Builder& b, NodeId x, NodeId) {
              return b.binary(Op::Div, x, b.constant(8.0));
            }).find("mul %0, %1"),
            std::string::npos);
}

TEST(Simplify, LeavesAloneWhatZerosNansAndRoundingForbid) {
  auto keeps = [](std::string_view op, auto make) {
    return simplified(Type::F64, 1, make).find(op) != std::string::npos;
  };
  EXPECT_TRUE(keeps(
      "add", [](Builder& b, NodeId x, NodeId) { return b.binary(Op::Add, x, b.constant(0.0)); }));
  EXPECT_TRUE(keeps(
      "mul", [](Builder& b, NodeId x, NodeId) { return b.binary(Op::Mul, x, b.constant(0.0)); }));
  EXPECT_TRUE(keeps("sub", [](Builder& b, NodeId x, NodeId) { return b.binary(Op::Sub, x, x); }));
  EXPECT_TRUE(keeps("div", [](Builder& b, NodeId x, NodeId) { return b.binary(Op::Div, x, x); }));
  EXPECT_TRUE(keeps(
      "div", [](Builder& b, NodeId x, NodeId) { return b.binary(Op::Div, x, b.constant(3.0)); }));
  EXPECT_TRUE(keeps("eq", [](Builder& b, NodeId x, NodeId) { return b.binary(Op::Eq, x, x); }));
  EXPECT_TRUE(keeps("sub", [](Builder& b, NodeId x, NodeId y) {
    return b.binary(Op::Sub, b.binary(Op::Add, x, y), x);
  }));
}

TEST(Simplify, ConstantsFoldByTheOperationsOfTierZero) {
  std::string text = simplified(Type::F64, 0, [](Builder& b, NodeId, NodeId) {
    return b.binary(Op::FloorDiv, b.constant(1.0), b.constant(0.1));
  });
  EXPECT_EQ(text, "%0: f64 = const 9.0\nreturn %0\n");
  // A division by zero keeps its warning.
  text = simplified(Type::I64, 0, [](Builder& b, NodeId, NodeId) {
    return b.binary(Op::FloorDiv, b.constant(int64_t{1}), b.constant(int64_t{0}));
  });
  EXPECT_NE(text.find("floor_div"), std::string::npos);
}

TEST(Simplify, DroppedOperandsKeepTheirShape) {
  Builder b;
  NodeId x = b.param(Type::F64, 1);
  NodeId y = b.param(Type::F64, 2);
  Function f = simplify(b.finish({b.select(b.constant(true), x, y)}));
  EXPECT_EQ(f[f.outputs()[0]].rank(), 2);
}

TEST(Simplify, ABranchWithAKnownConditionIsTaken) {
  Builder b;
  NodeId x = b.param(Type::F64, 1);
  b.begin_if(b.compare(Op::Lt, b.constant(1.0), b.constant(2.0)));
  NodeId yes = b.binary(Op::Add, x, x);
  b.begin_else({yes});
  NodeId branch = b.end_if({x});
  Function f = dce(simplify(b.finish({b.result(branch, 0)})));
  EXPECT_EQ(f.regions.size(), 1u);
  EXPECT_EQ(f[f.outputs()[0]].op, Op::Add);
}

TEST(Dce, DropsWhatALoopCarriesForNobody) {
  Builder b;
  NodeId n = b.param(Type::I64, 0);
  NodeId one = b.constant(int64_t{1});
  RegionId body = b.begin_loop({n, one, one});
  b.exit_unless(b.compare(Op::Lt, one, b.arg(body, 0)));
  NodeId loop = b.end_loop({b.binary(Op::Sub, b.arg(body, 0), one),
                            b.binary(Op::Mul, b.arg(body, 1), b.arg(body, 0)),
                            b.binary(Op::Add, b.arg(body, 2), b.arg(body, 1))});
  Function f = dce(b.finish({b.result(loop, 1)}));
  EXPECT_TRUE(ir::verify(f).ok());
  EXPECT_EQ(f.regions[1].args.size(), 2u);  // the third goes, the first decides the end
}

TEST(Licm, InvariantsLeaveTheLoopAndReportsStay) {
  Builder b;
  NodeId n = b.param(Type::I64, 0);
  NodeId a = b.param(Type::F64, 0);
  NodeId one = b.constant(int64_t{1});
  RegionId body = b.begin_loop({n, b.constant(0.0), one});
  b.exit_unless(b.compare(Op::Lt, one, b.arg(body, 0)));
  NodeId invariant = b.unary(Op::Sqrt, b.binary(Op::Mul, a, a));
  NodeId may_report = b.binary(Op::Add, n, n, ir::kChecked);
  NodeId loop = b.end_loop({b.binary(Op::Sub, b.arg(body, 0), one),
                            b.binary(Op::Add, b.arg(body, 1), invariant),
                            b.binary(Op::Add, b.arg(body, 2), may_report)});
  Function f = hoist_and_flatten(b.finish({b.result(loop, 1), b.result(loop, 2)}));
  EXPECT_TRUE(ir::verify(f).ok()) << ir::verify(f).error();
  for (const Node& node : f.nodes) {
    EXPECT_TRUE(node.op != Op::Sqrt || node.region == 0);
    EXPECT_TRUE(!node.checked() || node.region == 1);
  }
}

TEST(Licm, CheapBranchesBecomeSelects) {
  Builder b;
  NodeId x = b.param(Type::F64, 1);
  b.begin_if(b.compare(Op::Lt, x, b.constant(0.0)));
  NodeId yes = b.unary(Op::Neg, x);
  b.begin_else({yes});
  NodeId branch = b.end_if({x});
  Function f = dce(hoist_and_flatten(b.finish({b.result(branch, 0)})));
  EXPECT_EQ(f.regions.size(), 1u);
  EXPECT_EQ(f[f.outputs()[0]].op, Op::Select);
}

// Runs a function of one integer by scalar::evaluate.
template <class T>
T interpret(const Function& f, T x) {
  std::vector<Bits> values(f.nodes.size());
  uint32_t status = 0;
  for (NodeId id = 0; id < f.nodes.size(); ++id) {
    const Node& node = f[id];
    auto in = [&](NodeId operand) { return operand == kNone ? 0 : values[operand]; };
    values[id] = node.op == Op::Param ? to_bits(x)
                 : node.op == Op::Const
                     ? node.imm
                     : scalar::evaluate(node.op, f[node.a].type, node.type, false, in(node.a),
                                        in(node.b), 0, status);
  }
  return from_bits<T>(values[f.outputs()[0]]);
}

template <class T>
void check_division(uint64_t seed) {
  std::mt19937_64 random(seed);
  constexpr T kMin = std::numeric_limits<T>::min();
  constexpr T kMax = std::numeric_limits<T>::max();
  std::vector<T> divisors{kMax, static_cast<T>(kMax - 1), static_cast<T>(kMax / 2 + 1)};
  for (int d : {1, 2, 3, 5, 6, 7, 9, 10, 60, 100, 641, 1000, 1024}) {
    if (static_cast<T>(d) > 0) divisors.push_back(static_cast<T>(d));
  }
  for (int i = 0; i < 60; ++i) {
    T d = static_cast<T>(random() >> (random() % (8 * sizeof(T))));
    if (d > 0) divisors.push_back(d);
  }
  for (T d : divisors) {
    for (Op op : {Op::FloorDiv, Op::Mod}) {
      Builder b;
      NodeId x = b.param(type_of<T>(), 0);
      Function f = reduce_strength(b.finish({b.binary(op, x, b.constant(d))}));
      if (sizeof(T) >= 4 || (d & (d - 1)) == 0) {
        for (const Node& node : f.nodes) EXPECT_NE(node.op, op) << +d;
      }
      std::vector<T> values{0,
                            1,
                            kMin,
                            kMax,
                            static_cast<T>(kMin + 1),
                            d,
                            static_cast<T>(d - 1),
                            scalar::apply<Op::Add>(d, T{1}),
                            static_cast<T>(-d),
                            static_cast<T>(-d - 1),
                            static_cast<T>(kMax - kMax % d),
                            static_cast<T>(kMax - kMax % d - 1)};
      for (int i = 0; i < 200; ++i) {
        T v = static_cast<T>(random() >> (random() % (8 * sizeof(T))));
        values.push_back(v);
        values.push_back(static_cast<T>(v - v % d));  // a multiple
      }
      for (T v : values) {
        T expected = op == Op::FloorDiv ? scalar::int_floor_div(v, d) : scalar::int_mod(v, d);
        ASSERT_EQ(interpret(f, v), expected) << +v << " by " << +d;
      }
    }
  }
}

TEST(Strength, DivisionByConstantsIsExactForEveryType) {
  check_division<int8_t>(1);
  check_division<uint8_t>(2);
  check_division<int16_t>(3);
  check_division<uint16_t>(4);
  check_division<int32_t>(5);
  check_division<uint32_t>(6);
  check_division<int64_t>(7);
  check_division<uint64_t>(8);
}

TEST(Passes, WorkIsLinearInNodes) {
  for (int count : {100, 1000, 20000}) {
    Builder b;
    NodeId x = b.param(Type::F64, 1);
    NodeId y = b.param(Type::F64, 1);
    NodeId v = x;
    for (int i = 0; i < count; ++i)
      v = b.binary(i % 2 == 0 ? Op::Add : Op::Mul, v, i % 3 == 0 ? x : y);
    Function f = b.finish({v});
    uint64_t calls = 0;
    Function out = rewrite(f, [&](Builder& builder, const Node& node, NodeId) {
      ++calls;
      return builder.emit(node);
    });
    EXPECT_EQ(calls, f.nodes.size());
    EXPECT_EQ(dce(simplify(out)).nodes.size(), f.nodes.size());
  }
}

}  // namespace
}  // namespace lattice::jit::passes
