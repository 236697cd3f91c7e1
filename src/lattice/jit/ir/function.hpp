// SPDX-License-Identifier: MIT
// ir::Function: typed SSA in structured regions.
//
// Values are dense 32-byte nodes. Each node stands in exactly one region; regions form a tree with
// region 0, the function's body, as root. A node may use nodes of its own region that come before
// it, and those of enclosing regions. Control flow is Loop and If nodes that own regions:
//
//   Loop   inits = list(a, b), body = region c. The region has one Arg for each init and yields as
//          many next values, in that order. Exactly one Exit node stands directly in the region: at
//          that point lanes whose condition is false leave with the args' present values; nodes
//          before it run once more than those after it. Result(loop, k) is the k-th final value.
//   If     condition a, then-region b, else-region c. Both yield the same number and types of
//          values; Result(if, k) is the k-th. No block arguments.
//
// With arrays, loops and ifs act per lane (element): a lane that has left keeps its values.
//
// Ranks: rank 0 is a scalar; an element-wise node has the largest rank of its operands, and its
// shape is their broadcast, which is known at run time. Reduce, View, Transpose, Iota and Extent
// change ranks. A Loop's Arg has the largest rank of its init, its next value and the exit
// condition, a Result of an If that of both values and the condition; Loop and If nodes themselves
// have the largest rank of all their values.
//
// Invariant: verify() accepts every Function that a Builder or a parser hands out.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lattice/jit/ir/opcode.hpp"
#include "lattice/jit/ir/types.hpp"

namespace lattice::jit::ir {

using NodeId = uint32_t;
using RegionId = uint32_t;
inline constexpr NodeId kNone = 0xffffffff;
inline constexpr int kRankMax = 8;
inline constexpr uint32_t kNodesMax = 1u << 20;

// Node::flags: the rank in the low four bits, then these.
enum NodeFlag : uint16_t {
  kRankMask = 0x000f,
  // Python scalar semantics: integer overflow and division by zero (of floats too) are reported in
  // the status, in lanes that are active; the caller then re-runs Python.
  kChecked = 0x0010,
  kKeepDims = 0x0020,  // Reduce
  kAnyOrder = 0x0040,  // Reduce: reduce="fast", the order of additions is free
  // ReduceSum and ReduceProd of a value that NumPy would cast inside the reduction (mean of ints,
  // dtype=): its buffer holds 8192 elements, and each is summed apart.
  kChunked = 0x0080,
};

// Scale: imm = this promises that the exponent is not infinite (passes/expand_math clamps it).
inline constexpr uint64_t kFiniteExponent = 1;

enum class BoundsMode : uint8_t {
  Raise,   // negative indices count from the end; outside: status kOutOfBounds, value 0
  Clip,    // clamped to [0, n)
  Wrap,    // modulo n
  Proven,  // known to be inside
};

enum class ScatterMode : uint8_t { Set, Add, Mul, Min, Max };  // later lanes win

struct Node {
  Op op;
  Type type;
  uint16_t flags;
  RegionId region;
  NodeId a, b, c, d;
  uint64_t imm;

  int rank() const noexcept { return flags & kRankMask; }
  bool checked() const noexcept { return (flags & kChecked) != 0; }
};
static_assert(sizeof(Node) == 32);

enum class RegionKind : uint8_t { Body, Loop, Then, Else };

struct Region {
  RegionKind kind = RegionKind::Body;
  RegionId parent = 0;
  uint32_t depth = 0;
  NodeId owner = kNone;        // the Loop or If node; kNone for the body
  std::vector<NodeId> args;    // Arg nodes; they are in `nodes` as well, first
  std::vector<NodeId> nodes;   // in order of execution
  std::vector<NodeId> yields;  // the body's yields are the function's outputs
};

struct Parameter {
  Type type = Type::F64;
  uint8_t rank = 0;
  std::string name;
};

// One item of basic indexing, as in x[2:, 0, None]; a View has one for each axis of its operand
// and one more for each NewAxis.
struct ViewItem {
  enum class Kind : uint8_t { Slice, Index, NewAxis };
  Kind kind = Kind::Slice;
  bool has_start = false;
  bool has_stop = false;
  int64_t start = 0;  // Slice and Index
  int64_t stop = 0;
  int64_t step = 1;  // never 0

  bool operator==(const ViewItem&) const = default;
};
using ViewSpec = std::vector<ViewItem>;

// Constants of a library function (Lookup).
struct Table {
  Type type = Type::F64;
  std::vector<Bits> values;

  bool operator==(const Table&) const = default;
};

struct SourceLocation {
  uint32_t file = 0;  // index into Function::files
  uint32_t line = 0;  // 0: unknown
  uint32_t column = 0;

  bool operator==(const SourceLocation&) const = default;
};

enum class FpPolicy : uint8_t { Strict, Contract, Fast };
// Own: expanded into IR, the same bits on every machine. Libm: the process's C library, whose
// results are CPython's.
enum class MathPolicy : uint8_t { Own, Libm };

struct Function {
  std::string name = "kernel";
  FpPolicy fp = FpPolicy::Strict;
  MathPolicy math = MathPolicy::Own;
  std::vector<Parameter> params;
  std::vector<Node> nodes;
  std::vector<NodeId> lists;  // Loop inits
  std::vector<Region> regions;
  std::vector<ViewSpec> views;
  std::vector<Table> tables;
  // Parallel to `nodes` (or empty); not part of canonical bytes, so lines do not defeat the cache.
  std::vector<SourceLocation> locations;
  std::vector<std::string> files;

  const Node& operator[](NodeId id) const noexcept { return nodes[id]; }
  Node& operator[](NodeId id) noexcept { return nodes[id]; }
  std::span<const NodeId> outputs() const noexcept { return regions[0].yields; }
  std::span<const NodeId> inits(const Node& loop) const noexcept {
    return {lists.data() + loop.a, loop.b};
  }
  bool is_scalar_function() const noexcept {
    for (const Parameter& param : params) {
      if (param.rank != 0) return false;
    }
    return true;
  }
};

// Calls fn(NodeId&) or fn(NodeId) for each value operand of a node (not for region numbers).
template <class F, class N, class Fn>
void for_each_operand(F& function, N& node, Fn&& fn) {
  switch (node.op) {
    case Op::Loop:
      for (uint32_t i = 0; i < node.b; ++i) fn(function.lists[node.a + i]);
      return;
    case Op::If:
      fn(node.a);
      return;
    default:
      break;
  }
  if (node.a != kNone) fn(node.a);
  if (node.b != kNone) fn(node.b);
  if (node.c != kNone) fn(node.c);
  if (node.d != kNone) fn(node.d);
}

}  // namespace lattice::jit::ir
