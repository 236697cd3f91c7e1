// SPDX-License-Identifier: MIT
#include "lattice/jit/passes/licm.hpp"

#include "lattice/jit/ir/scalar_ops.hpp"
#include "lattice/jit/passes/rewrite.hpp"

namespace lattice::jit::passes {

namespace {

// Nodes on both sides of an If that are cheaper than masks and a jump.
constexpr size_t kFlattenMax = 8;

class Hoist final : public Walk {
 public:
  using Walk::Walk;

 private:
  NodeId value(const Node& node, NodeId) override { return builder_.emit(node); }

  // May run although the program would not have run it.
  bool is_pure(const Node& node) const {
    if (node.op == Op::Const || node.op == Op::Like) return true;
    if (!is_elementwise(node.op) || node.op == Op::Lookup) return false;
    Type type = node.a == kNone ? node.type : from_[node.a].type;
    if (!scalar::can_report(node.op, type, node.checked())) return true;
    bool divides = node.op == Op::FloorDiv || node.op == Op::Mod || node.op == Op::TruncDiv ||
                   node.op == Op::FMod;
    // By a constant that is neither 0 nor -1 nothing can go wrong.
    return divides && !node.checked() && is_int(type) && from_[node.b].op == Op::Const &&
           from_[node.b].imm != 0 && (from_[node.b].imm >> (bit_size(type) - 1) & 1) == 0;
  }

  void loop(NodeId old, const Node& node) override {
    hoist_from(node.c);
    Walk::loop(old, node);
  }

  void hoist_from(RegionId id) {
    for (NodeId inner : from_.regions[id].nodes) {
      const Node& node = from_[inner];
      if (node.op == Op::Loop) hoist_from(node.c);
      if (map_[inner] != kNone || !is_pure(node)) continue;
      bool invariant = true;
      ir::for_each_operand(
          from_, node, [&](NodeId operand) { invariant = invariant && map_[operand] != kNone; });
      if (invariant) map_[inner] = value(mapped(node), inner);
    }
  }

  void branch(NodeId old, const Node& node) override {
    const ir::Region& yes = from_.regions[node.b];
    const ir::Region& no = from_.regions[node.c];
    bool flat = yes.nodes.size() + no.nodes.size() <= kFlattenMax;
    for (const ir::Region* side : {&yes, &no}) {
      for (NodeId inner : side->nodes) {
        // A square root takes longer than the jump; and rarely needed ways have one.
        flat = flat && is_pure(from_[inner]) && op_kind(from_[inner].op) != OpKind::Math &&
               from_[inner].op != Op::Sqrt;
      }
    }
    if (!flat) return Walk::branch(old, node);
    region(node.b);
    region(node.c);
    std::vector<NodeId> results;
    for (size_t k = 0; k < yes.yields.size(); ++k) {
      results.push_back(builder_.select(map_[node.a], map_[yes.yields[k]], map_[no.yields[k]]));
    }
    replace(old, std::move(results));
  }
};

}  // namespace

Function hoist_and_flatten(const Function& function) { return Hoist(function).run(); }

}  // namespace lattice::jit::passes
