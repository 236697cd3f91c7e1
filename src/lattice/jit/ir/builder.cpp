// SPDX-License-Identifier: MIT
#include "lattice/jit/ir/builder.hpp"

#include <algorithm>

namespace lattice::jit::ir {

namespace {

constexpr Node blank(Op op, Type type = Type::Void, NodeId a = kNone, NodeId b = kNone,
                     NodeId c = kNone, NodeId d = kNone) {
  return Node{op, type, 0, 0, a, b, c, d, 0};
}

uint64_t mix(uint64_t h) noexcept {
  h ^= h >> 32;
  h *= 0xd6e8feb86659fd93ULL;
  h ^= h >> 32;
  h *= 0xd6e8feb86659fd93ULL;
  return h ^ (h >> 32);
}

// Rank and region are consequences of the operands, so they are no part of the key.
uint64_t hash(const Node& node) noexcept {
  uint64_t h = (static_cast<uint64_t>(node.op) << 8 | static_cast<uint64_t>(node.type)) << 16 |
               (node.flags & ~kRankMask);
  h = mix(h ^ (static_cast<uint64_t>(node.a) << 32 | node.b));
  h = (h ^ (static_cast<uint64_t>(node.c) << 32 | node.d)) * 0x9e3779b97f4a7c15ULL;
  return mix(h ^ node.imm);
}

bool is_equal(const Node& x, const Node& y) noexcept {
  return x.op == y.op && x.type == y.type && ((x.flags ^ y.flags) & ~kRankMask) == 0 &&
         x.a == y.a && x.b == y.b && x.c == y.c && x.d == y.d && x.imm == y.imm;
}

bool accepts(uint8_t classes, Type type) noexcept {
  if (type == Type::Bool) return (classes & kB) != 0;
  if (is_int(type)) return (classes & kI) != 0;
  return is_float(type) && (classes & kF) != 0;
}

[[noreturn]] void fail(Op op, std::string_view why) {
  throw IrError("ir: " + std::string(op_name(op)) + ": " + std::string(why));
}

std::string mismatch(Type x, Type y) {
  return "operands have types " + std::string(type_name(x)) + " and " + std::string(type_name(y)) +
         "; cast one of them first";
}

int view_rank(int rank, const ViewSpec& items) {
  int axes = 0;
  int out = 0;
  for (const ViewItem& item : items) {
    axes += item.kind != ViewItem::Kind::NewAxis;
    out += item.kind != ViewItem::Kind::Index;
    constexpr int64_t kStepMax = int64_t{1} << 40;
    if (item.step == 0 || item.step > kStepMax || item.step < -kStepMax) {
      fail(Op::View, "step is 0 or out of range");
    }
  }
  if (axes != rank) {
    fail(Op::View, "has items for " + std::to_string(axes) + " axes, but the operand has " +
                       std::to_string(rank));
  }
  return out;
}

}  // namespace

Builder::Builder(std::string name) {
  function_.name = std::move(name);
  function_.files.emplace_back("?");
  function_.regions.emplace_back();
  open_.push_back(0);
  is_open_.push_back(1);
  slots_.assign(64, kNone);
}

bool Builder::is_visible(RegionId region) const noexcept { return is_open_[region] != 0; }

void Builder::grow() {
  std::vector<NodeId> old(slots_.size() * 2, kNone);
  old.swap(slots_);
  size_t mask = slots_.size() - 1;
  used_ = 0;
  for (NodeId id : old) {
    if (id == kNone || !is_visible(function_.nodes[id].region)) continue;
    size_t i = hash(function_.nodes[id]) & mask;
    while (slots_[i] != kNone) i = (i + 1) & mask;
    slots_[i] = id;
    ++used_;
  }
}

NodeId Builder::append(const Node& node) {
  if (function_.nodes.size() >= kNodesMax) {
    throw IrError("ir: a function of more than " + std::to_string(kNodesMax) +
                  " nodes; use a loop instead of unrolling");
  }
  auto id = static_cast<NodeId>(function_.nodes.size());
  function_.nodes.push_back(node);
  function_.locations.push_back(location_);
  function_.regions[node.region].nodes.push_back(id);
  return id;
}

NodeId Builder::insert(const Node& node) {
  if (2 * (used_ + 1) > slots_.size()) grow();
  size_t mask = slots_.size() - 1;
  size_t i = hash(node) & mask;
  for (;; i = (i + 1) & mask) {
    ++probes_;
    NodeId id = slots_[i];
    if (id == kNone) break;
    if (!is_equal(function_.nodes[id], node)) continue;
    if (is_visible(function_.nodes[id].region)) {
      ++hits_;
      return id;
    }
    // Its region is closed: nobody can use it from here on.
    return slots_[i] = append(node);
  }
  ++used_;
  return slots_[i] = append(node);
}

void Builder::check_operand(NodeId id, const char* what) const {
  if (id >= function_.nodes.size()) {
    throw IrError(std::string("ir: ") + what + ": no node has number " + std::to_string(id));
  }
  if (!is_visible(function_.nodes[id].region)) {
    throw IrError(std::string("ir: ") + what + ": value %" + std::to_string(id) +
                  " was made inside a loop or branch that has ended; yield it as a result instead");
  }
  if (function_.nodes[id].type == Type::Void) {
    throw IrError(std::string("ir: ") + what + ": %" + std::to_string(id) + " is no value");
  }
}

void Builder::infer(Node& node) const {
  const OpInfo& info = op_info(node.op);
  const NodeId operands[4] = {node.a, node.b, node.c, node.d};
  int count = 0;
  int rank = 0;
  while (count < 4 && operands[count] != kNone) {
    check_operand(operands[count], info.text.data());
    rank = std::max(rank, function_.nodes[operands[count]].rank());
    ++count;
  }
  bool many_indices = node.op == Op::Gather;
  if (count < info.operand_count || (count > info.operand_count && !many_indices)) {
    fail(node.op,
         "takes " + std::to_string(info.operand_count) + " operands, not " + std::to_string(count));
  }
  auto type = [&](int k) { return function_.nodes[operands[k]].type; };
  auto rank_of = [&](int k) { return function_.nodes[operands[k]].rank(); };
  if (count > 0 && node.op != Op::Select && !accepts(info.types, type(0))) {
    fail(node.op, "does not take " + std::string(type_name(type(0))));
  }
  switch (info.kind) {
    case OpKind::Leaf:
      if (node.op == Op::Iota) {
        if (type(0) != Type::I64 || rank != 0) fail(node.op, "length must be an i64 scalar");
        if (node.imm >= static_cast<uint64_t>(kRankMax)) fail(node.op, "too many axes");
        node.type = Type::I64;
        rank = 1 + static_cast<int>(node.imm);
      } else if (node.op == Op::LaneIndex) {
        if (node.imm >= static_cast<uint64_t>(kRankMax)) fail(node.op, "no such axis");
        node.type = Type::I64;
      } else {
        rank = node.rank();
      }
      break;
    case OpKind::Unary:
      node.type = type(0);
      break;
    case OpKind::Test:
      node.type = Type::Bool;
      break;
    case OpKind::Convert:
      if (node.type == Type::Void) fail(node.op, "has no result type");
      if (node.op == Op::Bitcast && byte_size(node.type) != byte_size(type(0))) {
        fail(node.op, mismatch(type(0), node.type));
      }
      break;
    case OpKind::Binary:
    case OpKind::Math:
    case OpKind::Compare:
      if (count == 2 && type(0) != type(1)) fail(node.op, mismatch(type(0), type(1)));
      node.type = info.kind == OpKind::Compare ? Type::Bool : type(0);
      break;
    case OpKind::Ternary:
      if (node.op == Op::Select) {
        if (type(0) != Type::Bool) fail(node.op, "condition is no bool");
        if (type(1) != type(2)) fail(node.op, mismatch(type(1), type(2)));
      } else if (type(0) != type(1) || type(0) != type(2)) {
        fail(node.op, mismatch(type(0), type(0) != type(1) ? type(1) : type(2)));
      }
      node.type = type(1);
      break;
    case OpKind::Reduce: {
      if (node.imm == 0 || node.imm >> rank != 0) {
        fail(node.op, "axis out of range for rank " + std::to_string(rank));
      }
      bool is_arg = node.op == Op::ReduceArgMin || node.op == Op::ReduceArgMax;
      int axes = __builtin_popcountll(node.imm);
      if (is_arg && axes != 1 && axes != rank) fail(node.op, "takes one axis or all of them");
      node.type = is_arg ? Type::I64 : type(0);
      if ((node.flags & kKeepDims) == 0) rank -= axes;
      break;
    }
    case OpKind::Scan:
      if (node.imm >= static_cast<uint64_t>(rank)) fail(node.op, "axis out of range");
      node.type = type(0);
      break;
    case OpKind::Shape:
      node.type = node.op == Op::Extent ? Type::I64 : type(0);
      if (node.op == Op::View) {
        if (node.imm >= function_.views.size()) fail(node.op, "no such view");
        rank = view_rank(rank, function_.views[node.imm]);
      } else if (node.op == Op::Extent) {
        if (node.imm >> rank != 0) fail(node.op, "axis out of range");
        rank = 0;
      } else if (node.op == Op::Transpose) {
        uint32_t seen = 0;
        for (int k = 0; k < rank; ++k) seen |= 1u << (node.imm >> (4 * k) & 15);
        if (seen != (1u << rank) - 1) fail(node.op, "is no permutation of the axes");
      }
      break;
    case OpKind::Memory:
      if (node.op == Op::Lookup) {
        if (node.imm >= function_.tables.size()) fail(node.op, "no such table");
        node.type = function_.tables[node.imm].type;
        break;
      }
      for (int k = 1; k < count; ++k) {
        if (type(k) != Type::I64 && !(node.op == Op::Scatter && k == 2)) {
          fail(node.op, "index is " + std::string(type_name(type(k))) + "; cast it to i64");
        }
      }
      node.type = type(0);
      if (node.imm > (node.op == Op::Gather ? 3u : 4u)) fail(node.op, "has an unknown mode");
      if (node.op == Op::Gather) {
        if (count - 1 != rank_of(0)) {
          fail(node.op, "has " + std::to_string(count - 1) + " indices for a source of rank " +
                            std::to_string(rank_of(0)));
        }
        rank = 0;
        for (int k = 1; k < count; ++k) rank = std::max(rank, rank_of(k));
      } else {
        if (rank_of(0) != 1) fail(node.op, "base must have rank 1");
        if (type(2) != type(0)) fail(node.op, mismatch(type(0), type(2)));
        rank = 1;
      }
      break;
    case OpKind::Structure:
      break;
  }
  if (rank > kRankMax) fail(node.op, "more than " + std::to_string(kRankMax) + " axes");
  node.flags = static_cast<uint16_t>((node.flags & ~kRankMask) | rank);
}

NodeId Builder::emit(Node node) {
  node.region = open_.back();
  infer(node);
  // Integers only: which nan comes out of a float operation depends on the order.
  if (is_commutative(node.op) && !is_float(function_.nodes[node.a].type)) {
    const Node& a = function_.nodes[node.a];
    const Node& b = function_.nodes[node.b];
    bool a_const = a.op == Op::Const;
    bool b_const = b.op == Op::Const;
    if (a_const != b_const ? a_const : node.a > node.b) std::swap(node.a, node.b);
  }
  return insert(node);
}

NodeId Builder::param(Type type, int rank, std::string name) {
  if (type == Type::Void || rank < 0 || rank > kRankMax)
    throw IrError("ir: param: bad type or rank");
  Node node = blank(Op::Param, type);
  node.flags = static_cast<uint16_t>(rank);
  node.imm = function_.params.size();
  if (name.empty()) name = "p" + std::to_string(node.imm);
  function_.params.push_back({type, static_cast<uint8_t>(rank), std::move(name)});
  return insert(node);
}

NodeId Builder::constant(Type type, Bits bits) {
  if (type == Type::Void) throw IrError("ir: const: has no type");
  Node node = blank(Op::Const, type);
  int width = bit_size(type);
  node.imm = width == 64 ? bits : bits & ((Bits{1} << width) - 1);
  return insert(node);  // region 0
}

NodeId Builder::iota(NodeId n, int trailing) {
  Node node = blank(Op::Iota, Type::I64, n);
  node.imm = static_cast<uint64_t>(trailing);
  return emit(node);
}

NodeId Builder::lane_index(int axis) {
  Node node = blank(Op::LaneIndex, Type::I64);
  node.imm = static_cast<uint64_t>(axis);
  return emit(node);
}

NodeId Builder::unary(Op op, NodeId a, uint16_t flags) {
  Node node = blank(op, Type::Void, a);
  node.flags = flags;
  return emit(node);
}

NodeId Builder::binary(Op op, NodeId a, NodeId b, uint16_t flags) {
  Node node = blank(op, Type::Void, a, b);
  node.flags = flags;
  return emit(node);
}

NodeId Builder::select(NodeId condition, NodeId yes, NodeId no) {
  return emit(blank(Op::Select, Type::Void, condition, yes, no));
}

NodeId Builder::fma(NodeId a, NodeId b, NodeId c) {
  return emit(blank(Op::Fma, Type::Void, a, b, c));
}

NodeId Builder::cast(NodeId a, Type to) {
  check_operand(a, "cast");
  if (function_.nodes[a].type == to) return a;
  return emit(blank(Op::Cast, to, a));
}

NodeId Builder::bitcast(NodeId a, Type to) {
  check_operand(a, "bitcast");
  if (function_.nodes[a].type == to) return a;
  return emit(blank(Op::Bitcast, to, a));
}

NodeId Builder::lookup(Table table, NodeId index) {
  auto found = std::find(function_.tables.begin(), function_.tables.end(), table);
  Node node = blank(Op::Lookup, table.type, index);
  node.imm = static_cast<uint64_t>(found - function_.tables.begin());
  if (found == function_.tables.end()) function_.tables.push_back(std::move(table));
  return emit(node);
}

NodeId Builder::like(NodeId a, NodeId shape_of) {
  check_operand(shape_of, "like");
  if (function_.nodes[shape_of].rank() == 0) return a;
  return emit(blank(Op::Like, Type::Void, a, shape_of));
}

NodeId Builder::reduce(Op op, NodeId a, uint32_t axes, bool keep_dims, uint16_t flags) {
  check_operand(a, "reduce");
  int rank = function_.nodes[a].rank();
  Node node = blank(op, Type::Void, a);
  node.imm = axes == 0 ? (1u << rank) - 1 : axes;
  node.flags = static_cast<uint16_t>(flags | (keep_dims ? kKeepDims : 0));
  return emit(node);
}

NodeId Builder::scan(Op op, NodeId a, int axis) {
  Node node = blank(op, Type::Void, a);
  node.imm = static_cast<uint64_t>(axis);
  return emit(node);
}

NodeId Builder::view(NodeId a, ViewSpec items) {
  auto found = std::find(function_.views.begin(), function_.views.end(), items);
  Node node = blank(Op::View, Type::Void, a);
  node.imm = static_cast<uint64_t>(found - function_.views.begin());
  if (found == function_.views.end()) function_.views.push_back(std::move(items));
  return emit(node);
}

NodeId Builder::transpose(NodeId a, std::span<const int> permutation) {
  check_operand(a, "transpose");
  if (permutation.size() != static_cast<size_t>(function_.nodes[a].rank())) {
    fail(Op::Transpose, "is no permutation of the axes");
  }
  Node node = blank(Op::Transpose, Type::Void, a);
  for (size_t k = 0; k < permutation.size(); ++k) {
    node.imm |= static_cast<uint64_t>(permutation[k] & 15) << (4 * k);
  }
  return emit(node);
}

NodeId Builder::extent(NodeId a, uint32_t axes) {
  Node node = blank(Op::Extent, Type::Void, a);
  node.imm = axes;
  return emit(node);
}

NodeId Builder::gather(NodeId source, std::span<const NodeId> indices, BoundsMode mode) {
  if (indices.empty() || indices.size() > 3) fail(Op::Gather, "takes one to three indices");
  Node node = blank(Op::Gather, Type::Void, source, indices[0]);
  if (indices.size() > 1) node.c = indices[1];
  if (indices.size() > 2) node.d = indices[2];
  node.imm = static_cast<uint64_t>(mode);
  return emit(node);
}

NodeId Builder::scatter(NodeId base, NodeId index, NodeId value, ScatterMode mode) {
  Node node = blank(Op::Scatter, Type::Void, base, index, value);
  node.imm = static_cast<uint64_t>(mode);
  return emit(node);
}

void Builder::open_region(RegionKind kind) {
  Region region;
  region.kind = kind;
  region.parent = open_.back();
  region.depth = function_.regions[open_.back()].depth + 1;
  if (region.depth > 200) throw IrError("ir: loops and branches nest deeper than 200");
  open_.push_back(static_cast<RegionId>(function_.regions.size()));
  function_.regions.push_back(std::move(region));
  is_open_.push_back(1);
}

void Builder::close_region() {
  is_open_[open_.back()] = 0;
  open_.pop_back();
}

RegionId Builder::begin_loop(std::span<const NodeId> inits) {
  for (NodeId init : inits) check_operand(init, "loop");
  open_region(RegionKind::Loop);
  RegionId id = open_.back();
  for (size_t k = 0; k < inits.size(); ++k) {
    Node node = blank(Op::Arg, function_.nodes[inits[k]].type);
    node.flags = static_cast<uint16_t>(function_.nodes[inits[k]].rank());
    node.region = id;
    node.imm = k;
    node.d = kNone;
    function_.regions[id].args.push_back(append(node));
  }
  pending_inits_.emplace_back(inits.begin(), inits.end());
  return id;
}

NodeId Builder::exit_unless(NodeId condition) {
  check_operand(condition, "exit_unless");
  Region& region = function_.regions[open_.back()];
  if (region.kind != RegionKind::Loop) fail(Op::Exit, "stands outside a loop's own region");
  if (function_.nodes[condition].type != Type::Bool) fail(Op::Exit, "condition is no bool");
  for (NodeId id : region.nodes) {
    if (function_.nodes[id].op == Op::Exit) fail(Op::Exit, "the loop has one already");
  }
  Node node = blank(Op::Exit, Type::Void, condition);
  node.region = open_.back();
  node.flags = static_cast<uint16_t>(function_.nodes[condition].rank());
  return append(node);
}

// Recomputes ranks in a region whose args were given a higher one.
void Builder::raise_ranks(RegionId region) {
  for (NodeId id : function_.regions[region].nodes) {
    Node& node = function_.nodes[id];
    switch (node.op) {
      case Op::Arg:
        break;
      case Op::Exit:
        node.flags = static_cast<uint16_t>(function_.nodes[node.a].rank());
        break;
      case Op::Loop:
        raise_ranks(node.c);  // its nodes may use what was raised outside
        node.flags = static_cast<uint16_t>(settle_loop(node.c, function_.inits(node)));
        break;
      case Op::If: {
        raise_ranks(node.b);
        raise_ranks(node.c);
        int rank = function_.nodes[node.a].rank();
        for (RegionId side : {node.b, node.c}) {
          for (NodeId value : function_.regions[side].yields) {
            rank = std::max(rank, function_.nodes[value].rank());
          }
        }
        node.flags = static_cast<uint16_t>((node.flags & ~kRankMask) | rank);
        break;
      }
      case Op::Result:
        node.flags = static_cast<uint16_t>((node.flags & ~kRankMask) |
                                           value_rank(function_.nodes[node.a], node.imm));
        break;
      default: {
        if (op_kind(node.op) == OpKind::Leaf) break;
        bool has_axes = !is_elementwise(node.op) && node.op != Op::Gather;
        int rank = 0;
        const NodeId operands[4] = {node.a, node.b, node.c, node.d};
        for (int k = node.op == Op::Gather ? 1 : 0; k < 4; ++k) {
          if (operands[k] != kNone) rank = std::max(rank, function_.nodes[operands[k]].rank());
        }
        if (rank != node.rank() && has_axes) {
          fail(node.op, "acts on axes of a value whose rank the loop changes");
        }
        if (!has_axes) node.flags = static_cast<uint16_t>((node.flags & ~kRankMask) | rank);
      }
    }
  }
}

// Gives each arg of a loop the rank that it has after any number of iterations: that of its init,
// its next value and, since lanes leave one by one, the condition. Returns the largest of them.
int Builder::settle_loop(RegionId region, std::span<const NodeId> inits) {
  const std::vector<NodeId>& args = function_.regions[region].args;
  int exit_rank = 0;
  // A value that moves from arg to arg takes a round for each; after some, all get the largest
  // rank, so that time stays linear.
  constexpr int kRoundsMax = 16;
  int floor = 0;
  for (int round = 0;; ++round) {
    for (NodeId inner : function_.regions[region].nodes) {
      const Node& node = function_.nodes[inner];
      if (node.op == Op::Exit) exit_rank = node.rank();
    }
    bool changed = false;
    int most = exit_rank;
    for (size_t k = 0; k < args.size(); ++k) {
      Node& arg = function_.nodes[args[k]];
      int rank = std::max({arg.rank(), exit_rank, floor, function_.nodes[inits[k]].rank(),
                           function_.nodes[function_.regions[region].yields[k]].rank()});
      changed = changed || rank != arg.rank();
      arg.flags = static_cast<uint16_t>((arg.flags & ~kRankMask) | rank);
      most = std::max(most, rank);
    }
    if (!changed) return most;
    if (round >= kRoundsMax) floor = most;
    raise_ranks(region);
  }
}

int Builder::value_rank(const Node& owner, uint64_t k) const {
  auto rank = [&](NodeId id) { return function_.nodes[id].rank(); };
  if (owner.op == Op::Loop) return rank(function_.regions[owner.c].args[k]);
  return std::max({rank(owner.a), rank(function_.regions[owner.b].yields[k]),
                   rank(function_.regions[owner.c].yields[k])});
}

NodeId Builder::structure(Node node) {
  node.region = open_.back();
  NodeId id = append(node);
  function_.regions[node.c].owner = id;
  if (node.op == Op::If) function_.regions[node.b].owner = id;
  return id;
}

NodeId Builder::end_loop(std::span<const NodeId> nexts) {
  RegionId id = open_.back();
  if (open_.size() < 2 || function_.regions[id].kind != RegionKind::Loop) {
    throw IrError("ir: end_loop: no loop is open");
  }
  std::vector<NodeId> inits = std::move(pending_inits_.back());
  if (nexts.size() != inits.size()) {
    fail(Op::Loop, "has " + std::to_string(inits.size()) + " values but gets " +
                       std::to_string(nexts.size()) + " next values");
  }
  NodeId exit = kNone;
  for (NodeId node : function_.regions[id].nodes) {
    if (function_.nodes[node].op == Op::Exit) exit = node;
  }
  if (exit == kNone) fail(Op::Loop, "has no exit_unless");
  for (size_t k = 0; k < nexts.size(); ++k) {
    check_operand(nexts[k], "loop");
    Type before = function_.nodes[inits[k]].type;
    Type after = function_.nodes[nexts[k]].type;
    if (before != after) {
      fail(Op::Loop, "value " + std::to_string(k) + " changes its type from " +
                         std::string(type_name(before)) + " to " + std::string(type_name(after)));
    }
  }
  pending_inits_.pop_back();
  function_.regions[id].yields.assign(nexts.begin(), nexts.end());
  int rank = settle_loop(id, inits);
  close_region();
  Node node = blank(Op::Loop, Type::Void);
  node.a = static_cast<uint32_t>(function_.lists.size());
  node.b = static_cast<uint32_t>(inits.size());
  node.c = id;
  node.flags = static_cast<uint16_t>(rank);
  function_.lists.insert(function_.lists.end(), inits.begin(), inits.end());
  return structure(node);
}

RegionId Builder::begin_if(NodeId condition) {
  check_operand(condition, "if");
  if (function_.nodes[condition].type != Type::Bool) fail(Op::If, "condition is no bool");
  open_region(RegionKind::Then);
  pending_ifs_.push_back({condition, open_.back()});
  return open_.back();
}

RegionId Builder::begin_else(std::span<const NodeId> then_values) {
  RegionId then = open_.back();
  if (function_.regions[then].kind != RegionKind::Then) {
    throw IrError("ir: begin_else: no then-branch is open");
  }
  for (NodeId value : then_values) check_operand(value, "if");
  function_.regions[then].yields.assign(then_values.begin(), then_values.end());
  close_region();
  open_region(RegionKind::Else);
  return open_.back();
}

NodeId Builder::end_if(std::span<const NodeId> else_values) {
  RegionId otherwise = open_.back();
  if (function_.regions[otherwise].kind != RegionKind::Else) {
    throw IrError("ir: end_if: no else-branch is open");
  }
  RegionId then = pending_ifs_.back().then_region;
  const std::vector<NodeId>& yes = function_.regions[then].yields;
  if (yes.size() != else_values.size()) {
    fail(Op::If, "branches give " + std::to_string(yes.size()) + " and " +
                     std::to_string(else_values.size()) + " values");
  }
  NodeId condition = pending_ifs_.back().condition;
  int rank = function_.nodes[condition].rank();
  for (size_t k = 0; k < yes.size(); ++k) {
    check_operand(else_values[k], "if");
    const Node& x = function_.nodes[yes[k]];
    const Node& y = function_.nodes[else_values[k]];
    if (x.type != y.type) {
      fail(Op::If, "value " + std::to_string(k) + ": " + mismatch(x.type, y.type));
    }
    rank = std::max({rank, x.rank(), y.rank()});
  }
  pending_ifs_.pop_back();
  function_.regions[otherwise].yields.assign(else_values.begin(), else_values.end());
  close_region();
  Node node = blank(Op::If, Type::Void, condition);
  node.b = then;
  node.c = otherwise;
  node.flags = static_cast<uint16_t>(rank);
  return structure(node);
}

NodeId Builder::result(NodeId owner, int k) {
  if (owner >= function_.nodes.size()) fail(Op::Result, "no such node");
  const Node& from = function_.nodes[owner];
  if (from.op != Op::Loop && from.op != Op::If) fail(Op::Result, "of neither a loop nor an if");
  if (!is_visible(from.region)) fail(Op::Result, "of a loop or if that is out of sight");
  const Region& region = function_.regions[from.c];
  if (k < 0 || static_cast<size_t>(k) >= region.yields.size()) fail(Op::Result, "out of range");
  Node node = blank(Op::Result, function_.nodes[region.yields[k]].type, owner);
  node.flags = static_cast<uint16_t>(value_rank(from, static_cast<uint64_t>(k)));
  node.imm = static_cast<uint64_t>(k);
  node.region = open_.back();
  return insert(node);
}

NodeId Builder::guard(NodeId condition) {
  check_operand(condition, "guard");
  if (function_.nodes[condition].type != Type::Bool) fail(Op::Guard, "condition is no bool");
  Node node = blank(Op::Guard, Type::Void, condition);
  node.region = open_.back();
  node.flags = static_cast<uint16_t>(function_.nodes[condition].rank());
  return insert(node);
}

Builder::Checkpoint Builder::checkpoint() const noexcept {
  return {function_.nodes.size(), function_.lists.size(), function_.regions.size(),
          open_.size(),           pending_inits_.size(),  pending_ifs_.size()};
}

void Builder::rollback(const Checkpoint& to) {
  LATTICE_ASSERT(to.open <= open_.size() && to.nodes <= function_.nodes.size());
  open_.resize(to.open);
  is_open_.resize(to.regions);
  function_.regions.resize(to.regions);
  function_.lists.resize(to.lists);
  pending_inits_.resize(to.loops);
  pending_ifs_.resize(to.ifs);
  for (RegionId region : open_) {
    std::vector<NodeId>& nodes = function_.regions[region].nodes;
    while (!nodes.empty() && nodes.back() >= to.nodes) nodes.pop_back();
  }
  function_.nodes.resize(to.nodes);
  function_.locations.resize(to.nodes);
  std::fill(slots_.begin(), slots_.end(), kNone);
  used_ = 0;
  size_t mask = slots_.size() - 1;
  for (NodeId id = 0; id < function_.nodes.size(); ++id) {
    const Node& node = function_.nodes[id];
    if (!is_visible(node.region) || node.op == Op::Arg || node.op == Op::Exit ||
        node.op == Op::Loop || node.op == Op::If) {
      continue;
    }
    size_t i = hash(node) & mask;
    while (slots_[i] != kNone) i = (i + 1) & mask;
    slots_[i] = id;
    ++used_;
  }
}

uint32_t Builder::file(std::string_view path) {
  for (size_t i = 0; i < function_.files.size(); ++i) {
    if (function_.files[i] == path) return static_cast<uint32_t>(i);
  }
  function_.files.emplace_back(path);
  return static_cast<uint32_t>(function_.files.size() - 1);
}

Function Builder::finish(std::span<const NodeId> outputs) {
  if (open_.size() != 1) throw IrError("ir: finish: a loop or branch is still open");
  for (NodeId output : outputs) check_operand(output, "output");
  function_.regions[0].yields.assign(outputs.begin(), outputs.end());
  Function done = std::move(function_);
  *this = Builder();
  return done;
}

}  // namespace lattice::jit::ir
