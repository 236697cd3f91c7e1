// SPDX-License-Identifier: MIT
// What X86Stage plans before it emits: which conditions, next values and negations need no
// instruction of their own, which checks cannot fail, how many registers a loop's arguments may
// take.
#include <algorithm>

#include "lattice/jit/codegen/internal/x86_stage.hpp"

namespace lattice::jit::internal {

namespace I = x86::Inst;
using ir::kNone;
using ir::RegionId;

void X86Stage::plan_loops() {
  const size_t count = body().nodes.size();
  defer_.assign(count, Defer::No);
  is_proven_sum_.assign(count, false);
  std::vector<uint32_t> use_counts(count, 0);
  for (const Node& n : body().nodes) {
    if (n.op == Op::Result) continue;
    ir::for_each_operand(body(), n, [&](NodeId operand) { ++use_counts[operand]; });
  }
  for (const ir::Region& region : body().regions) {
    for (const NodeId value : region.yields) ++use_counts[value];
  }
  plan_negations(use_counts);
  if (!is_avx512()) return;  // AVX2 cannot merge into registers.
  for (RegionId region = 1; region < body().regions.size(); ++region) {
    if (body().regions[region].kind == ir::RegionKind::Loop) plan_loop(region, use_counts);
  }
}

// A negation that only Fmas read: they have forms that negate.
void X86Stage::plan_negations(std::span<const uint32_t> use_counts) {
  std::vector<uint32_t> left(use_counts.begin(), use_counts.end());
  for (const Node& n : body().nodes) {
    if (n.op != Op::Fma) continue;
    for (const NodeId operand : {n.a, n.b, n.c}) --left[operand];
  }
  for (NodeId id = 0; id < body().nodes.size(); ++id) {
    const Node& n = node(id);
    if (n.op == Op::Neg && is_float(n.type) && left[id] == 0 && use_counts[id] > 0 &&
        !values_[id].is_invariant && node(n.a).op != Op::Neg) {
      defer_[id] = Defer::ToFma;
    }
  }
}

void X86Stage::plan_loop(RegionId id, std::span<const uint32_t> use_counts) {
  const ir::Region& region = body().regions[id];
  size_t exit_at = 0;
  for (size_t k = 0; k < region.nodes.size(); ++k) {
    if (node(region.nodes[k]).op != Op::Exit) continue;
    exit_at = k;
    plan_exit(region.nodes[k], node(region.nodes[k]).a, use_counts);
  }
  for (size_t k = 0; k < region.yields.size(); ++k) {
    const NodeId next = region.yields[k];
    if (use_counts[next] != 1 || node(next).region != id) continue;
    // What stands before the Exit is computed in lanes that leave there, too.
    const auto first = region.nodes.begin() + static_cast<ptrdiff_t>(exit_at);
    if (std::find(first, region.nodes.end(), next) == region.nodes.end()) continue;
    if (may_go_home(next, k, region)) defer_[next] = Defer::ToHome;
  }
}

// Comparisons that only this Exit reads are made where it stands, under the active mask.
void X86Stage::plan_exit(NodeId exit, NodeId condition, std::span<const uint32_t> use_counts) {
  const Node& n = node(condition);
  if (use_counts[condition] != 1 || n.region != node(exit).region) return;
  if (n.op == Op::And) {
    defer_[condition] = Defer::ToExit;
    plan_exit(exit, n.a, use_counts);
    plan_exit(exit, n.b, use_counts);
  } else if (op_kind(n.op) == OpKind::Compare && node(n.a).type != Type::Bool) {
    defer_[condition] = Defer::ToExit;
  }
}

// One instruction that can merge into the argument's register, and reads no argument that was
// written before it.
bool X86Stage::may_go_home(NodeId next, size_t index, const ir::Region& region) const {
  const Node& n = node(next);
  const NodeId arg = region.args[index];
  if (values_[next].cls == Class::Mask) return false;
  if (is_int(n.type) && byte_size(n.type) < 4) return false;
  bool reads_others = false;
  ir::for_each_operand(body(), n, [&](NodeId operand) {
    reads_others = reads_others || (operand != arg && node(operand).op == Op::Arg &&
                                    node(operand).region == n.region);
  });
  if (reads_others) return false;
  switch (n.op) {
    case Op::Add:
    case Op::Sub:
      return true;  // Checks that turn out to be needed: emit_to_home().
    case Op::Mul:
    case Op::Div:
      return !n.checked();
    case Op::Fma:
      for (const NodeId operand : {n.a, n.b, n.c}) {
        if (defer_[operand] == Defer::ToFma) return false;
      }
      return n.c == arg || (n.a == arg && n.b != arg) || (n.b == arg && n.a != arg);
    default:
      return false;
  }
}

// REQUIRES: may_go_home().
void X86Stage::emit_to_home(NodeId id, NodeId home) {
  const Node& n = node(id);
  part_ = part_of(id);
  const Class cls = values_[home].cls;
  const bool is_checked = n.checked() && is_int(n.type) && !is_proven_sum_[id];
  if (is_checked || values_[home].slot_valid) {
    emit_op(id);
    set_home(home, id, true);
    release(id);
    return;
  }
  const x86::Vec to = vec(values_[home].reg, cls);
  const auto mask = static_cast<int>(active_k().id());
  if (n.op == Op::Fma) {
    const bool is_double = n.type == Type::F64;
    if (n.c == home) {
      const NodeId first = is_memory_constant(n.a) ? n.b : n.a;
      const int a = use(first);
      const Operand b = use_any(first == n.a ? n.b : n.a);
      with_mask(mask);
      op(is_double ? I::kIdVfmadd231pd : I::kIdVfmadd231ps, to, vec(a, cls), b);
    } else {
      const int a = use(n.a == home ? n.b : n.a);
      const Operand added = use_any(n.c);
      with_mask(mask);
      op(is_double ? I::kIdVfmadd213pd : I::kIdVfmadd213ps, to, vec(a, cls), added);
    }
    return;
  }
  const bool commutes = n.op == Op::Add || n.op == Op::Mul;
  const bool is_swapped = commutes && is_memory_constant(n.a);
  const int a = use(is_swapped ? n.b : n.a);
  const Operand b = use_any(is_swapped ? n.a : n.b);
  with_mask(mask);
  op(arithmetic_id(n.op, n.type), to, vec(a, cls), b);
}

// --- checks --------------------------------------------------------------------------------------

// The counter of a loop: after `x < y`, x + 1 is no overflow.
void X86Stage::prove_sums() {
  if (body().regions.size() == 1) return;
  for (RegionId id = 1; id < body().regions.size(); ++id) {
    const ir::Region& region = body().regions[id];
    if (region.kind != ir::RegionKind::Loop) continue;
    for (const NodeId exit : region.nodes) {
      if (node(exit).op != Op::Exit) continue;
      for (const NodeId sum : region.nodes) {
        const Node& n = node(sum);
        if (n.checked() && is_int(n.type) && (n.op == Op::Add || n.op == Op::Sub) &&
            position_[sum] > position_[exit] && is_proven(sum, node(exit).a)) {
          is_proven_sum_[sum] = true;
        }
      }
    }
  }
}

bool X86Stage::is_proven(NodeId sum, NodeId condition) const {
  const Node& n = node(sum);
  const Node& c = node(condition);
  if (c.op == Op::And) return is_proven(sum, c.a) || is_proven(sum, c.b);
  if (c.op != Op::Lt || node(c.a).type != n.type) return false;
  const auto is_one = [&](NodeId value) {
    return node(value).op == Op::Const && node(value).imm == 1;
  };
  if (n.op == Op::Sub) return c.b == n.a && is_one(n.b);
  return (c.a == n.a && is_one(n.b)) || (c.a == n.b && is_one(n.a));
}

// --- registers -----------------------------------------------------------------------------------

// How many registers the operations of a region (and of those inside it) may need at once.
int X86Stage::home_reserve(RegionId id) const {
  constexpr int kGreediest = 12;  // gathers on AVX2
  int reserve = 2 * parts_ + 2;
  for (const NodeId inner : body().regions[id].nodes) {
    const Node& n = node(inner);
    if (n.op == Op::Loop) reserve = std::max(reserve, home_reserve(n.c));
    if (n.op == Op::If) {
      reserve = std::max({reserve, home_reserve(n.b), home_reserve(n.c)});
    }
    switch (n.op) {
      case Op::Add:
      case Op::Sub:
      case Op::Mul:
        if (is_int(n.type) && !is_proven_sum_[inner] && (n.checked() || !is_avx512())) {
          return kGreediest;
        }
        break;
      case Op::Const:
      case Op::Arg:
      case Op::Result:
      case Op::Exit:
      case Op::Loop:
      case Op::If:
      case Op::Div:
      case Op::Fma:
      case Op::And:
      case Op::Or:
      case Op::Xor:
      case Op::Not:
      case Op::Sqrt:
      case Op::Select:
      case Op::Floor:
      case Op::Rint:
        break;
      case Op::Neg:
      case Op::Abs:
      case Op::Eq:
      case Op::Ne:
      case Op::Lt:
      case Op::Le:
      case Op::Min:
      case Op::Max:
        if (!is_avx512() || n.checked()) reserve = std::max(reserve, 6);
        break;
      default:
        return kGreediest;
    }
  }
  return reserve;
}

}  // namespace lattice::jit::internal
