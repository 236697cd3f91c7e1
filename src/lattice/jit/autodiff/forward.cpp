// SPDX-License-Identifier: MIT
#include "lattice/jit/autodiff/internal/partials.hpp"
#include "lattice/jit/passes/rewrite.hpp"

namespace lattice::jit {

namespace autodiff {

namespace {

class Forward {
 public:
  Forward(const Function& from, std::span<const uint32_t> wrt, std::span<const uint32_t> given)
      : from_(from),
        wrt_(wrt),
        given_(given),
        on_(varied(from, wrt)),
        map_(from.nodes.size(), kNone),
        tangent_(from.nodes.size(), kNone) {
    passes::copy_header(from, b_);
    b_.function().name = "jvp_" + from.name;
  }

  Function run() {
    for (uint32_t index : wrt_) {
      if (index >= from_.params.size() || !is_float(from_.params[index].type)) {
        throw DerivativeError("no derivative of " + from_.name + " by a parameter that is no float",
                              "", 0);
      }
    }
    std::vector<NodeId> tangents(from_.params.size(), kNone);
    for (size_t k = 0; k < wrt_.size(); ++k) {
      const ir::Parameter declared = from_.params[wrt_[k]];
      if (given_.empty()) {
        tangents[wrt_[k]] = b_.param(declared.type, declared.rank, "d_" + declared.name);
        continue;
      }
      const ir::Parameter& change = from_.params.at(given_[k]);
      if (change.type != declared.type || change.rank != declared.rank) {
        throw DerivativeError("the tangent of " + declared.name + " has another type or rank", "",
                              0);
      }
      Node node{Op::Param, change.type, change.rank, 0, kNone, kNone, kNone, kNone, given_[k]};
      tangents[wrt_[k]] = b_.emit(node);
    }
    params_ = std::move(tangents);
    region(0);
    std::vector<NodeId> outputs;
    for (NodeId id : from_.regions[0].yields) outputs.push_back(map_[id]);
    for (NodeId id : from_.regions[0].yields) outputs.push_back(wide(id));
    return b_.finish(outputs);
  }

 private:
  // The tangent with the value's own shape; zeros where there is none.
  NodeId wide(NodeId old) {
    NodeId found = tangent_[old];
    if (found == kNone) found = b_.constant(from_[old].type, 0);
    return b_.like(found, map_[old]);
  }

  void region(RegionId id) {
    for (NodeId old : from_.regions[id].nodes) {
      const Node& node = from_[old];
      b_.set_location(old < from_.locations.size() ? from_.locations[old] : ir::SourceLocation{});
      switch (node.op) {
        case Op::Arg:
          break;
        case Op::Param:
          map_[old] = b_.emit(node);
          tangent_[old] = params_[node.imm];
          break;
        case Op::Exit:
          b_.exit_unless(map_[node.a]);
          break;
        case Op::Guard:
          b_.guard(map_[node.a]);
          break;
        case Op::Loop:
          loop(old, node);
          break;
        case Op::If:
          branch(old, node);
          break;
        case Op::Result: {
          map_[old] = b_.result(map_[node.a], static_cast<int>(node.imm));
          const int at = place(node);
          tangent_[old] = at < 0 ? kNone : b_.result(map_[node.a], at);
          break;
        }
        default: {
          const Node now = mapped(node, map_);
          map_[old] = b_.emit(now);
          tangent_[old] = on_[old] != 0 ? value(old, node, now) : kNone;
        }
      }
    }
  }

  // Where the tangent of a result stands among the owner's results; -1: it has none.
  int place(const Node& result) const {
    const Node& owner = from_[result.a];
    const std::vector<NodeId>& yields = from_.regions[owner.c].yields;
    int at = static_cast<int>(yields.size());
    for (size_t k = 0; k <= result.imm; ++k) {
      const bool is_on = has_tangent(owner, k);
      if (k == result.imm) return is_on ? at : -1;
      at += is_on;
    }
    return -1;
  }
  bool has_tangent(const Node& owner, size_t k) const {
    if (owner.op == Op::Loop) return on_[from_.regions[owner.c].args[k]] != 0;
    return on_[from_.regions[owner.b].yields[k]] != 0 || on_[from_.regions[owner.c].yields[k]] != 0;
  }

  void loop(NodeId old, const Node& node) {
    const ir::Region& body = from_.regions[node.c];
    std::vector<NodeId> inits = mapped(from_.inits(node), map_);
    for (size_t k = 0; k < body.args.size(); ++k) {
      if (has_tangent(node, k)) inits.push_back(wide(from_.inits(node)[k]));
    }
    const RegionId made = b_.begin_loop(inits);
    int at = static_cast<int>(body.args.size());
    for (size_t k = 0; k < body.args.size(); ++k) {
      map_[body.args[k]] = b_.arg(made, static_cast<int>(k));
      tangent_[body.args[k]] = has_tangent(node, k) ? b_.arg(made, at++) : kNone;
    }
    region(node.c);
    std::vector<NodeId> nexts = mapped(body.yields, map_);
    for (size_t k = 0; k < body.args.size(); ++k) {
      if (has_tangent(node, k)) nexts.push_back(wide(body.yields[k]));
    }
    map_[old] = b_.end_loop(nexts);
  }

  void branch(NodeId old, const Node& node) {
    const auto side = [&](RegionId id) {
      region(id);
      const std::vector<NodeId>& yields = from_.regions[id].yields;
      std::vector<NodeId> out = mapped(yields, map_);
      for (size_t k = 0; k < yields.size(); ++k) {
        if (has_tangent(node, k)) out.push_back(wide(yields[k]));
      }
      return out;
    };
    b_.begin_if(map_[node.a]);
    b_.begin_else(side(node.b));
    map_[old] = b_.end_if(side(node.c));
  }

  NodeId value(NodeId old, const Node& node, const Node& now) {
    const OpKind kind = op_kind(node.op);
    if (kind == OpKind::Reduce) return reduce(old, node);
    if (kind == OpKind::Scan) return scan(old, node);
    Node copy = now;
    switch (node.op) {
      case Op::View:
      case Op::Transpose:
        copy.a = wide(node.a);
        return b_.emit(copy);
      case Op::Gather:
        if (tangent_[node.a] == kNone) return kNone;
        copy.a = wide(node.a);
        return b_.emit(copy);
      case Op::Scatter:
        if (node.imm > static_cast<uint64_t>(ir::ScatterMode::Add)) {
          refuse(from_, old, "this kind of element assignment has no derivative here");
        }
        copy.a = wide(node.a);
        copy.c = wide(node.c);
        return b_.emit(copy);
      default:
        break;
    }
    NodeId sum = kNone;
    const NodeId operands[3] = {node.a, node.b, node.c};
    for (int k = 0; k < 3; ++k) {
      if (operands[k] == kNone || tangent_[operands[k]] == kNone) continue;
      if (node.op == Op::Like && k == 1) continue;
      const Partial by = partial(b_, now, map_[old], k, from_, old);
      sum = plus(b_, sum, apply(b_, by, tangent_[operands[k]], node.type));
    }
    return sum == kNone ? kNone : b_.like(sum, map_[old]);
  }

  NodeId reduce(NodeId old, const Node& node) {
    const NodeId x = map_[node.a];
    const NodeId change = wide(node.a);
    const Type type = node.type;
    const auto axes = static_cast<uint32_t>(node.imm);
    const bool keeps = (node.flags & ir::kKeepDims) != 0;
    const NodeId zero = number(b_, type, 0.0);
    switch (node.op) {
      case Op::ReduceSum: {
        Node copy = node;
        copy.a = change;
        return b_.emit(copy);
      }
      case Op::ReduceMin:
      case Op::ReduceMax: {
        const NodeId best = b_.reduce(node.op, x, axes, true);
        const NodeId hit = b_.compare(Op::Eq, x, b_.like(best, x));
        const NodeId count = b_.reduce(Op::ReduceSum, b_.cast(hit, type), axes, keeps);
        const NodeId all = b_.reduce(Op::ReduceSum, b_.select(hit, change, zero), axes, keeps);
        return b_.binary(Op::Div, all, count);
      }
      case Op::ReduceProd: {
        const NodeId one = number(b_, type, 1.0);
        const NodeId is_zero = b_.compare(Op::Eq, x, zero);
        const NodeId safe = b_.select(is_zero, one, x);
        const NodeId others = b_.like(b_.reduce(Op::ReduceProd, safe, axes, true), x);
        const NodeId zeros =
            b_.like(b_.reduce(Op::ReduceSum, b_.cast(is_zero, type), axes, true), x);
        const NodeId none =
            b_.select(b_.compare(Op::Eq, zeros, zero), b_.binary(Op::Div, others, safe), zero);
        const NodeId only = b_.binary(Op::And, is_zero, b_.compare(Op::Eq, zeros, one));
        const NodeId by = b_.select(only, others, none);
        return b_.reduce(Op::ReduceSum, b_.binary(Op::Mul, change, by), axes, keeps);
      }
      default:
        refuse(from_, old, std::string(op_name(node.op)) + " has no derivative");
    }
  }

  NodeId scan(NodeId old, const Node& node) {
    const int axis = static_cast<int>(node.imm);
    const NodeId change = wide(node.a);
    if (node.op == Op::ScanSum) return b_.scan(Op::ScanSum, change, axis);
    if (node.op != Op::ScanProd) {
      refuse(from_, old, std::string(op_name(node.op)) + " has no derivative here");
    }
    const NodeId x = map_[node.a];
    b_.guard(b_.reduce(Op::ReduceAll, b_.compare(Op::Ne, x, number(b_, node.type, 0.0)), 0));
    return b_.binary(Op::Mul, map_[old], b_.scan(Op::ScanSum, b_.binary(Op::Div, change, x), axis));
  }

  const Function& from_;
  std::span<const uint32_t> wrt_;
  std::span<const uint32_t> given_;
  std::vector<uint8_t> on_;
  Builder b_;
  std::vector<NodeId> map_;
  std::vector<NodeId> tangent_;
  std::vector<NodeId> params_;
};

}  // namespace
}  // namespace autodiff

ir::Function jvp(const ir::Function& function, std::span<const uint32_t> wrt,
                 std::span<const uint32_t> tangents) {
  return autodiff::Forward(function, wrt, tangents).run();
}

}  // namespace lattice::jit
