// SPDX-License-Identifier: MIT
#include "lattice/jit/autodiff/internal/shapes.hpp"

#include <algorithm>

namespace lattice::jit::autodiff {

namespace {

enum Memo : uint64_t { kSlice, kCount };

}  // namespace

Shapes::Shapes(const ir::Function& from, std::span<const uint32_t> unit_axes)
    : from_(from), unit_axes_(unit_axes), dims_(from.nodes.size()) {
  region(0);
  for (Dims& dims : dims_) {
    for (int k = 0; k < dims.rank; ++k) dims.axis[k] = find(dims.axis[k]);
  }
}

uint32_t Shapes::fresh() {
  parent_.push_back(static_cast<uint32_t>(parent_.size()));
  return parent_.back();
}

uint32_t Shapes::find(uint32_t dim) const {
  while (parent_[dim] != dim) dim = parent_[dim] = parent_[parent_[dim]];
  return dim;
}

uint32_t Shapes::memo(uint64_t kind, uint64_t a, uint64_t b) {
  auto [found, is_new] = memo_.try_emplace({kind, a, b}, 0);
  if (is_new) found->second = fresh();
  return found->second;
}

Dims Shapes::broadcast(const Dims& x, NodeId x_id, const Dims& y, NodeId y_id) {
  Dims out;
  out.rank = std::max(x.rank, y.rank);
  for (int k = 0; k < out.rank; ++k) {
    const uint32_t a = find(x.from_back(k));
    const uint32_t b = find(y.from_back(k));
    out.axis[static_cast<size_t>(out.rank - 1 - k)] = a == 0 ? b : a;
    if (a == b || a == 0 || b == 0) continue;
    parent_[std::max(a, b)] = std::min(a, b);
    const auto in_body = [&](NodeId id) { return id != ir::kNone && from_[id].region == 0; };
    if (in_body(x_id) && in_body(y_id)) {
      equal_.push_back({x_id, y_id, x.rank - 1 - k, y.rank - 1 - k});
    }
  }
  return out;
}

Dims Shapes::operands(const ir::Node& node) {
  Dims out;
  NodeId last = ir::kNone;
  ir::for_each_operand(from_, node, [&](NodeId operand) {
    // The one that gave the axes stands for what is broadcast so far.
    const Dims next = broadcast(out, last, dims_[operand], operand);
    if (last == ir::kNone || dims_[operand].rank >= out.rank) last = operand;
    out = next;
  });
  return out;
}

void Shapes::gather(RegionId id, Dims& all) const {
  for (NodeId at : from_.regions[id].nodes) {
    const ir::Node& node = from_[at];
    if (node.op == Op::Loop) gather(node.c, all);
    if (node.op == Op::If) {
      gather(node.b, all);
      gather(node.c, all);
    }
    const Dims& one = dims_[at];
    Dims out;
    out.rank = std::max(all.rank, one.rank);
    for (int k = 0; k < out.rank; ++k) {
      out.axis[static_cast<size_t>(out.rank - 1 - k)] =
          all.from_back(k) == 0 ? one.from_back(k) : all.from_back(k);
    }
    all = out;
  }
}

Dims Shapes::of_structure(NodeId id) const {
  const ir::Node& node = from_[id];
  Dims all = node.op == Op::If ? dims_[node.a] : Dims{};
  if (node.op == Op::If) gather(node.b, all);
  gather(node.c, all);
  return all;
}

void Shapes::region(RegionId id) {
  for (NodeId at : from_.regions[id].nodes) {
    const ir::Node& node = from_[at];
    if (node.op == Op::If) {
      region(node.b);
      region(node.c);
    } else if (node.op == Op::Loop) {
      const ir::Region& body = from_.regions[node.c];
      const std::span<const NodeId> inits = from_.inits(node);
      for (size_t k = 0; k < inits.size(); ++k) dims_[body.args[k]] = dims_[inits[k]];
      for (int round = 0; round < 2 * ir::kRankMax + 2; ++round) {
        region(node.c);
        Dims leaves;
        for (NodeId inner : body.nodes) {
          if (from_[inner].op == Op::Exit) leaves = dims_[from_[inner].a];
        }
        bool is_settled = true;
        for (size_t k = 0; k < inits.size(); ++k) {
          const NodeId arg = body.args[k];
          Dims now = broadcast(dims_[arg], inits[k], dims_[body.yields[k]], body.yields[k]);
          now = broadcast(now, ir::kNone, leaves, ir::kNone);
          is_settled = is_settled && now == dims_[arg];
          dims_[arg] = now;
        }
        if (is_settled) break;
      }
    } else if (node.op != Op::Arg && node.op != Op::Exit && node.op != Op::Guard) {
      dims_[at] = of(at, node);
    }
  }
}

Dims Shapes::of(NodeId id, const ir::Node& node) {
  Dims out;
  switch (node.op) {
    case Op::Const:
    case Op::LaneIndex:
    case Op::Extent:
      return out;
    case Op::Param: {
      out.rank = node.rank();
      const uint32_t units = node.imm < unit_axes_.size() ? unit_axes_[node.imm] : 0;
      for (int k = 0; k < out.rank; ++k) {
        const bool is_unit = (units >> k & 1) != 0;
        out.axis[static_cast<size_t>(k)] =
            is_unit ? 0 : memo(kCount, id, static_cast<uint64_t>(k) + 1);
      }
      return out;
    }
    case Op::Result: {
      const ir::Node& owner = from_[node.a];
      const auto k = static_cast<size_t>(node.imm);
      if (owner.op == Op::Loop) return dims_[from_.regions[owner.c].args[k]];
      const NodeId yes = from_.regions[owner.b].yields[k];
      const NodeId no = from_.regions[owner.c].yields[k];
      const Dims both = broadcast(dims_[yes], yes, dims_[no], no);
      return broadcast(dims_[owner.a], owner.a, both, yes);
    }
    case Op::Iota: {
      out.rank = node.rank();
      const ir::Node& count = from_[node.a];
      // The extent of one axis makes that axis again.
      if (count.op == Op::Extent && __builtin_popcountll(count.imm) == 1) {
        out.axis[0] = dims_[count.a].axis[static_cast<size_t>(__builtin_ctzll(count.imm))];
      } else {
        out.axis[0] = memo(kCount, node.a, 0);
      }
      return out;
    }
    case Op::View: {
      const Dims& source = dims_[node.a];
      int axis = 0;
      for (const ir::ViewItem& item : from_.views[node.imm]) {
        if (item.kind == ir::ViewItem::Kind::NewAxis) {
          out.axis[static_cast<size_t>(out.rank++)] = 0;
          continue;
        }
        const uint32_t from = find(source.axis[static_cast<size_t>(axis++)]);
        if (item.kind == ir::ViewItem::Kind::Index) continue;
        const bool is_whole =
            !item.has_start && !item.has_stop && (item.step == 1 || item.step == -1);
        uint32_t made = from;
        if (!is_whole) {
          // Equal slices of equal axes are equal; the bounds stand in for the extent.
          const uint64_t bounds =
              (static_cast<uint64_t>(item.start) * 1000003 + static_cast<uint64_t>(item.stop)) *
                  1000003 +
              static_cast<uint64_t>(item.step) * 4 + (item.has_start ? 2 : 0) +
              (item.has_stop ? 1 : 0);
          made = memo(kSlice, from, bounds);
        }
        out.axis[static_cast<size_t>(out.rank++)] = made;
      }
      return out;
    }
    case Op::Transpose: {
      const Dims& source = dims_[node.a];
      out.rank = source.rank;
      for (int k = 0; k < out.rank; ++k) {
        out.axis[static_cast<size_t>(k)] = source.axis[node.imm >> (4 * k) & 15];
      }
      return out;
    }
    case Op::Scatter:
      return dims_[node.a];
    case Op::Gather: {
      Dims made;
      for (NodeId index : {node.b, node.c, node.d}) {
        if (index != ir::kNone) made = broadcast(made, ir::kNone, dims_[index], index);
      }
      return made;
    }
    default:
      break;
  }
  if (op_kind(node.op) == OpKind::Reduce) {
    const Dims& source = dims_[node.a];
    for (int k = 0; k < source.rank; ++k) {
      const bool is_gone = (node.imm >> k & 1) != 0;
      if (is_gone && (node.flags & ir::kKeepDims) == 0) continue;
      out.axis[static_cast<size_t>(out.rank++)] = is_gone ? 0 : source.axis[static_cast<size_t>(k)];
    }
    return out;
  }
  if (op_kind(node.op) == OpKind::Scan) return dims_[node.a];
  return operands(node);
}

}  // namespace lattice::jit::autodiff
