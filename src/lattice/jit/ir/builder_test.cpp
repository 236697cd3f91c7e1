// SPDX-License-Identifier: MIT
#include "lattice/jit/ir/builder.hpp"

#include <gtest/gtest.h>

namespace lattice::jit::ir {
namespace {

TEST(Builder, EqualNodesAreOneNode) {
  Builder b;
  NodeId x = b.param(Type::F64, 1);
  NodeId y = b.param(Type::F64, 1);
  EXPECT_EQ(b.binary(Op::Add, x, y), b.binary(Op::Add, x, y));
  EXPECT_NE(b.binary(Op::Add, x, y), b.binary(Op::Add, y, x));  // nans tell them apart
  EXPECT_EQ(b.constant(1.5), b.constant(1.5));
  EXPECT_NE(b.constant(0.0), b.constant(-0.0));
}

TEST(Builder, IntegerOperandsOfCommutativeOpsAreOrdered) {
  Builder b;
  NodeId x = b.param(Type::I32, 0);
  NodeId y = b.param(Type::I32, 0);
  EXPECT_EQ(b.binary(Op::Add, x, y), b.binary(Op::Add, y, x));
  EXPECT_NE(b.binary(Op::Sub, x, y), b.binary(Op::Sub, y, x));
}

TEST(Builder, RankIsTheLargestOfTheOperands) {
  Builder b;
  NodeId x = b.param(Type::F32, 2);
  NodeId s = b.param(Type::F32, 0);
  EXPECT_EQ(b[b.binary(Op::Mul, x, s)].rank(), 2);
  EXPECT_EQ(b[b.reduce(Op::ReduceSum, x, 1)].rank(), 1);
  EXPECT_EQ(b[b.reduce(Op::ReduceSum, x, 0, true)].rank(), 2);
  EXPECT_EQ(b[b.compare(Op::Lt, x, s)].type, Type::Bool);
}

TEST(Builder, MismatchedTypesThrowAndNameBoth) {
  Builder b;
  NodeId x = b.param(Type::F32, 0);
  NodeId y = b.param(Type::F64, 0);
  try {
    b.binary(Op::Add, x, y);
    FAIL();
  } catch (const IrError& error) {
    EXPECT_NE(std::string(error.what()).find("f32 and f64"), std::string::npos) << error.what();
  }
  EXPECT_THROW(b.binary(Op::And, x, x), IrError);
  EXPECT_THROW(b.select(x, x, x), IrError);
  EXPECT_THROW(b.reduce(Op::ReduceSum, x, 1), IrError);
}

// sum of 1..n by a loop
NodeId counting_loop(Builder& b, NodeId n) {
  RegionId body = b.begin_loop({b.constant(int64_t{0}), b.constant(int64_t{0})});
  NodeId i = b.arg(body, 0);
  NodeId sum = b.arg(body, 1);
  b.exit_unless(b.compare(Op::Lt, i, n));
  NodeId next = b.binary(Op::Add, i, b.constant(int64_t{1}));
  return b.end_loop({next, b.binary(Op::Add, sum, next)});
}

TEST(Builder, ValuesOfAClosedLoopAreOutOfSight) {
  Builder b;
  NodeId n = b.param(Type::I64, 0);
  RegionId body = b.begin_loop({n});
  NodeId less = b.compare(Op::Lt, b.arg(body, 0), n);
  b.exit_unless(less);
  NodeId next = b.binary(Op::Add, b.arg(body, 0), b.constant(int64_t{1}));
  NodeId loop = b.end_loop({next});
  EXPECT_THROW(b.unary(Op::Not, less), IrError);
  NodeId result = b.result(loop, 0);
  EXPECT_EQ(b[result].type, Type::I64);
  EXPECT_EQ(b[loop].rank(), 0);
}

TEST(Builder, ALoopTakesTheRankThatItsConditionHas) {
  Builder b;
  NodeId n = b.param(Type::I64, 1);
  NodeId loop = counting_loop(b, n);
  EXPECT_EQ(b[loop].rank(), 1);
  EXPECT_EQ(b[b.result(loop, 1)].rank(), 1);
  const Region& body = b.function().regions[b[loop].c];
  EXPECT_EQ(b[body.args[1]].rank(), 1);
  EXPECT_EQ(b[body.yields[1]].rank(), 1);
  EXPECT_EQ(body.owner, loop);
}

TEST(Builder, OperandsComeBeforeTheirUsers) {
  Builder b;
  NodeId loop = counting_loop(b, b.param(Type::I64, 1));
  Function f = b.finish({b.result(loop, 1)});
  for (NodeId id = 0; id < f.nodes.size(); ++id) {
    for_each_operand(f, f.nodes[id], [&](NodeId operand) { EXPECT_LT(operand, id); });
  }
}

TEST(Builder, RollbackForgetsALoopAndItsNodes) {
  Builder b;
  NodeId n = b.param(Type::I64, 0);
  NodeId doubled = b.binary(Op::Add, n, n);
  Builder::Checkpoint before = b.checkpoint();
  size_t nodes = b.function().nodes.size();
  b.begin_loop({n});
  b.binary(Op::Mul, n, n);
  b.rollback(before);
  EXPECT_EQ(b.function().nodes.size(), nodes);
  EXPECT_EQ(b.function().regions.size(), 1u);
  EXPECT_EQ(b.binary(Op::Add, n, n), doubled);
  EXPECT_EQ(b[b.binary(Op::Mul, n, n)].region, 0u);
}

TEST(Builder, InsertionIsLinear) {
  for (int count : {100, 1000, 20000}) {
    Builder b;
    NodeId x = b.param(Type::F64, 1);
    NodeId y = x;
    for (int i = 0; i < count; ++i) y = b.binary(Op::Add, y, x);
    EXPECT_EQ(b.function().nodes.size(), static_cast<size_t>(count) + 1);
    EXPECT_LT(b.probes(), 4u * static_cast<uint64_t>(count));
  }
}

}  // namespace
}  // namespace lattice::jit::ir
