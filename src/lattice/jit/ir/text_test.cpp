// SPDX-License-Identifier: MIT
#include "lattice/jit/ir/text.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "lattice/jit/ir/builder.hpp"
#include "lattice/jit/ir/canonical.hpp"
#include "lattice/jit/ir/verify.hpp"

namespace lattice::jit::ir {
namespace {

// One of everything.
Function sample() {
  Builder b("sample");
  b.set_location({b.file("model.py"), 3, 7});
  NodeId x = b.param(Type::F64, 2, "x");
  NodeId n = b.param(Type::I64, 0, "n");
  NodeId f = b.param(Type::F32, 0);
  ViewItem all;
  ViewItem at;
  at.kind = ViewItem::Kind::Index;
  at.start = -1;
  ViewItem fresh;
  fresh.kind = ViewItem::Kind::NewAxis;
  ViewItem part;
  part.has_start = part.has_stop = true;
  part.start = 1;
  part.stop = -1;
  part.step = 2;
  NodeId row = b.view(x, {part, at});
  NodeId wide = b.view(row, {fresh, all});
  int order[2] = {1, 0};
  NodeId turned = b.transpose(x, order);
  NodeId total = b.reduce(Op::ReduceSum, turned, 2, true, kChunked);
  NodeId index[1] = {b.binary(Op::FloorDiv, n, b.constant(int64_t{-3}), kChecked)};
  NodeId picked = b.gather(row, index, BoundsMode::Wrap);
  NodeId table = b.lookup({Type::F64, {1, 2, 0x7ff8000000000001}},
                          b.binary(Op::And, n, b.constant(int64_t{1})));
  RegionId body = b.begin_loop({row, n, b.constant(0.0)});
  b.exit_unless(b.compare(Op::Lt, b.constant(int64_t{0}), b.arg(body, 1)));
  b.begin_if(b.compare(Op::Lt, b.arg(body, 0), picked));
  NodeId yes = b.binary(Op::Add, b.arg(body, 0), b.constant(1e-300));
  b.begin_else({yes});
  NodeId branch = b.end_if({b.constant(std::numeric_limits<double>::infinity())});
  NodeId loop = b.end_loop({b.result(branch, 0),
                            b.binary(Op::Sub, b.arg(body, 1), b.constant(int64_t{1}), kChecked),
                            b.binary(Op::Add, b.arg(body, 2), table)});
  b.guard(b.compare(Op::Le, n, b.constant(int64_t{100})));
  NodeId nan = b.constant(Type::F32, 0xffc00001);
  NodeId cast = b.cast(b.binary(Op::Mul, f, nan), Type::U8);
  NodeId scattered = b.scatter(row, b.iota(n), picked, ScatterMode::Add);
  return b.finish({b.result(loop, 0), b.result(loop, 2), wide, total, cast, scattered,
                   b.scan(Op::ScanSum, x, 1), b.extent(x, 3), b.unary(Op::Exp, picked),
                   b.constant(true), b.constant(uint64_t{18446744073709551615u}), b.constant(-0.0),
                   b.like(n, x), b.select(b.constant(false), x, x)});
}

TEST(Text, PrintAndParseRoundTrip) {
  Function f = sample();
  ASSERT_TRUE(verify(f).ok()) << verify(f).error();
  std::string text = print(f);
  Result<Function> again = parse(text);
  ASSERT_TRUE(again.ok()) << again.error() << "\n" << text;
  EXPECT_EQ(print(again.value()), text);
  EXPECT_EQ(canonical_bytes(again.value()), canonical_bytes(f));
}

TEST(Text, LocationsAreComments) {
  std::string text = print(sample(), true);
  EXPECT_NE(text.find("; model.py:3"), std::string::npos);
  Result<Function> again = parse(text);
  ASSERT_TRUE(again.ok()) << again.error();
  EXPECT_EQ(print(again.value()), print(sample()));
}

TEST(Text, MistakesNameTheirLine) {
  auto error = [](std::string_view text) {
    Result<Function> result = parse(text);
    return result.ok() ? std::string("parsed") : result.error();
  };
  const std::string head = "kernel \"k\" fp=strict math=own\nparam a: f64\n%0: f64 = param 0\n";
  EXPECT_EQ(error(head + "%1: f64 = add %0, %9\nreturn %1\n"),
            "line 4: value is used before it is made");
  EXPECT_EQ(error(head + "%1: f64 = frob %0\nreturn %1\n"), "line 4: unknown operation 'frob'");
  EXPECT_EQ(error(head + "%1: i64 = add %0, %0\nreturn %1\n"), "line 4: the value is f64");
  EXPECT_EQ(error(head + "%1: f64 = add %0\nreturn %1\n"),
            "line 4: ir: add: takes 2 operands, not 1");
  EXPECT_EQ(error(head), "line 3: the text ends early");
  EXPECT_EQ(error(head + "return %0\n"), "parsed");
  EXPECT_NE(error(""), "parsed");
}

// Any cut or changed line gives a Failure or a function that verifies; never anything worse.
TEST(Text, DamagedTextNeverCrashes) {
  std::string text = print(sample());
  for (size_t i = 0; i < text.size(); ++i) {
    Result<Function> cut = parse(std::string_view(text).substr(0, i));
    EXPECT_TRUE(!cut.ok() || verify(cut.value()).ok());
    std::string changed = text;
    changed[i] = changed[i] == '1' ? '2' : '1';
    Result<Function> result = parse(changed);
    EXPECT_TRUE(!result.ok() || verify(result.value()).ok());
  }
}

TEST(Canonical, EncodeAndDecodeRoundTrip) {
  Function f = sample();
  Result<Function> again = decode(encode(f));
  ASSERT_TRUE(again.ok()) << again.error();
  EXPECT_EQ(print(again.value(), true), print(f, true));
  EXPECT_EQ(content_hash(again.value()), content_hash(f));
  EXPECT_TRUE(decode(canonical_bytes(f)).ok());
}

TEST(Canonical, NamesAndLinesDoNotChangeTheHash) {
  auto make = [](const char* name, uint32_t line, double constant) {
    Builder b(name);
    b.set_location({0, line, 0});
    return b.finish({b.binary(Op::Mul, b.param(Type::F64, 1, name), b.constant(constant))});
  };
  EXPECT_EQ(content_hash(make("a", 1, 2.0)), content_hash(make("b", 2, 2.0)));
  EXPECT_NE(content_hash(make("a", 1, 0.0)), content_hash(make("a", 1, -0.0)));
}

TEST(Canonical, DamagedBytesAreRefusedOrVerify) {
  std::vector<uint8_t> bytes = encode(sample());
  for (size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_FALSE(decode(std::span(bytes).first(i)).ok() && i < canonical_bytes(sample()).size());
    for (int bit = 0; bit < 8; ++bit) {
      std::vector<uint8_t> changed = bytes;
      changed[i] ^= static_cast<uint8_t>(1 << bit);
      Result<Function> result = decode(changed);
      if (result.ok()) {
        Result<void> verdict = verify(result.value());
        EXPECT_TRUE(verdict.ok()) << verdict.error();
      }
    }
  }
}

TEST(Verify, FindsWrongTypesRanksAndOrder) {
  auto broken = [](auto&& damage) {
    Function f = sample();
    damage(f);
    return !verify(f).ok();
  };
  auto first = [](const Function& f, Op op) {
    NodeId id = 0;
    while (f[id].op != op) ++id;
    return id;
  };
  EXPECT_TRUE(broken([&](Function& f) { f[first(f, Op::Lt)].type = Type::I64; }));
  EXPECT_TRUE(broken([&](Function& f) { f[first(f, Op::Lt)].flags += 1; }));
  EXPECT_TRUE(broken([&](Function& f) { f[first(f, Op::Lt)].b = kNone; }));
  EXPECT_TRUE(broken([&](Function& f) { f[first(f, Op::FloorDiv)].a = first(f, Op::Exp); }));
  EXPECT_TRUE(broken([&](Function& f) { f[first(f, Op::View)].imm = 99; }));
  EXPECT_TRUE(broken([&](Function& f) { f.regions[1].args.pop_back(); }));
  EXPECT_TRUE(broken([&](Function& f) { f.regions[1].yields.pop_back(); }));
  EXPECT_TRUE(broken([&](Function& f) { f.regions[0].yields[0] = 100000; }));
}

}  // namespace
}  // namespace lattice::jit::ir
