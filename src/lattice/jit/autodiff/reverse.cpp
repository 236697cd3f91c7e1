// SPDX-License-Identifier: MIT
#include <algorithm>
#include <map>

#include "lattice/jit/autodiff/internal/partials.hpp"
#include "lattice/jit/autodiff/internal/shapes.hpp"
#include "lattice/jit/passes/rewrite.hpp"

namespace lattice::jit {

namespace autodiff {

namespace {

class Reverse {
 public:
  Reverse(const Function& from, const GradientOptions& options)
      : from_(from),
        options_(options),
        on_(varied(from, options.wrt)),
        shapes_(from, options.unit_axes),
        map_(from.nodes.size(), kNone),
        adjoint_(from.nodes.size(), kNone),
        trips_(from.nodes.size(), kNone) {
    passes::copy_header(from, b_);
    b_.function().name = "grad_" + from.name;
    sum_later_ = options.per_element;
  }

  Function run() {
    const NodeId output = from_.regions[0].yields.at(0);
    check(output);
    forward(0);
    check_extents();
    frames_.push_back({0, {}});
    if (on_[output] != 0) {
      add(output, b_.like(number(b_, from_[output].type, 1.0), map_[output]));
      backward(0);
    }
    std::vector<NodeId> outputs;
    if (options_.with_value) {
      for (NodeId id : from_.regions[0].yields) outputs.push_back(map_[id]);
    }
    for (uint32_t index : options_.wrt) outputs.push_back(gradient_of(index, output));
    return b_.finish(outputs);
  }

 private:
  // The innermost region that is gone through backwards, and what flows out of it.
  struct Frame {
    RegionId region;
    std::map<NodeId, NodeId> outer;  // values of outer regions -> their adjoints
  };

  void check(NodeId output) {
    const Node& node = from_[output];
    if (!is_float(node.type)) refuse(from_, output, "the result is no float");
    if (node.rank() != 0 && !options_.per_element) {
      refuse(from_, output, "the result is an array; a gradient is that of one number");
    }
    for (uint32_t index : options_.wrt) {
      if (index >= from_.params.size() || !is_float(from_.params[index].type)) {
        refuse(from_, output, "it is asked for by a parameter that is no float");
      }
    }
  }

  void check_extents() {
    if (options_.per_element) return;
    for (const Shapes::Equal& pair : shapes_.equal()) {
      if (map_[pair.a] == kNone || map_[pair.b] == kNone) continue;
      b_.guard(b_.compare(Op::Eq, b_.extent(map_[pair.a], 1u << pair.axis_a),
                          b_.extent(map_[pair.b], 1u << pair.axis_b)));
    }
    for (NodeId id : from_.regions[0].nodes) {
      const Node& node = from_[id];
      if (node.op != Op::Param || node.imm >= options_.unit_axes.size()) continue;
      for (int axis = 0; axis < node.rank(); ++axis) {
        if ((options_.unit_axes[node.imm] >> axis & 1) == 0) continue;
        b_.guard(b_.compare(Op::Eq, b_.extent(map_[id], 1u << axis), b_.constant(int64_t{1})));
      }
    }
  }

  NodeId gradient_of(uint32_t index, NodeId output) {
    NodeId param = kNone;
    for (NodeId id : from_.regions[0].nodes) {
      if (from_[id].op == Op::Param && from_[id].imm == index) param = id;
    }
    const ir::Parameter& declared = from_.params[index];
    if (param == kNone) {  // never read
      Node node{Op::Param, declared.type, declared.rank, 0, kNone, kNone, kNone, kNone, index};
      const NodeId made = b_.emit(node);
      return b_.like(number(b_, declared.type, 0.0), made);
    }
    NodeId found = adjoint_[param];
    if (found == kNone) found = number(b_, declared.type, 0.0);
    // Element by element, everything has the result's shape.
    return b_.like(found, options_.per_element ? map_[output] : map_[param]);
  }

  // --- forwards

  // A region's nodes, but its exit.
  void forward(RegionId id) {
    for (NodeId at : from_.regions[id].nodes) forward_one(at);
  }

  // The loop with one value more, its number of rounds.
  void forward_loop(NodeId at, const Node& node) {
    const ir::Region& body = from_.regions[node.c];
    std::vector<NodeId> inits = mapped(from_.inits(node), map_);
    const bool is_counted = matters(at);
    if (is_counted) inits.push_back(b_.constant(int64_t{0}));
    const RegionId made = b_.begin_loop(inits);
    for (size_t k = 0; k < body.args.size(); ++k)
      map_[body.args[k]] = b_.arg(made, static_cast<int>(k));
    for (NodeId inner : body.nodes) {
      if (from_[inner].op == Op::Exit) {
        b_.exit_unless(map_[from_[inner].a]);
      } else {
        forward_one(inner);
      }
    }
    std::vector<NodeId> nexts = mapped(body.yields, map_);
    if (is_counted) {
      const NodeId count = b_.arg(made, static_cast<int>(body.args.size()));
      nexts.push_back(b_.binary(Op::Add, count, b_.constant(int64_t{1})));
    }
    map_[at] = b_.end_loop(nexts);
    if (is_counted) trips_[at] = b_.result(map_[at], static_cast<int>(body.args.size()));
  }

  void forward_one(NodeId at) {
    const Node& node = from_[at];
    place(at);
    switch (node.op) {
      case Op::Arg:
      case Op::Exit:
        return;
      case Op::Guard:
        b_.guard(map_[node.a]);
        return;
      case Op::Result:
        map_[at] = b_.result(map_[node.a], static_cast<int>(node.imm));
        return;
      case Op::Loop:
        return forward_loop(at, node);
      case Op::If:
        b_.begin_if(map_[node.a]);
        forward(node.b);
        b_.begin_else(mapped(from_.regions[node.b].yields, map_));
        forward(node.c);
        map_[at] = b_.end_if(mapped(from_.regions[node.c].yields, map_));
        return;
      default:
        map_[at] = b_.emit(mapped(node, map_));
    }
  }

  // The state after `rounds` rounds from `state`.
  std::vector<NodeId> replay(const Node& node, const std::vector<NodeId>& state, NodeId rounds) {
    const ir::Region& body = from_.regions[node.c];
    std::vector<NodeId> inits = state;
    inits.push_back(b_.constant(int64_t{0}));
    const RegionId made = b_.begin_loop(inits);
    const int count = static_cast<int>(body.args.size());
    b_.exit_unless(b_.compare(Op::Lt, b_.arg(made, count), rounds));
    for (int k = 0; k < count; ++k) map_[body.args[static_cast<size_t>(k)]] = b_.arg(made, k);
    forward(node.c);
    std::vector<NodeId> nexts = mapped(body.yields, map_);
    nexts.push_back(b_.binary(Op::Add, b_.arg(made, count), b_.constant(int64_t{1})));
    const NodeId loop = b_.end_loop(nexts);
    std::vector<NodeId> out;
    for (int k = 0; k < count; ++k) out.push_back(b_.result(loop, k));
    return out;
  }

  // --- backwards

  // Whether a loop or if makes anything that depends on what is derived by.
  bool matters(NodeId owner) const {
    const Node& node = from_[owner];
    const auto any = [&](const std::vector<NodeId>& ids) {
      return std::any_of(ids.begin(), ids.end(), [&](NodeId id) { return on_[id] != 0; });
    };
    if (node.op == Op::Loop) return any(from_.regions[node.c].args);
    return any(from_.regions[node.b].yields) || any(from_.regions[node.c].yields);
  }

  bool is_inside(RegionId region, RegionId outer) const {
    while (region != outer && region != 0) region = from_.regions[region].parent;
    return region == outer;
  }

  // The values of outer regions that a region reads and that matter.
  void reads(RegionId id, RegionId outer, std::vector<NodeId>& found) const {
    const auto note = [&](NodeId operand) {
      if (on_[operand] != 0 && !is_inside(from_[operand].region, outer) &&
          std::find(found.begin(), found.end(), operand) == found.end()) {
        found.push_back(operand);
      }
    };
    for (NodeId at : from_.regions[id].nodes) {
      const Node& node = from_[at];
      ir::for_each_operand(from_, node, note);
      if (node.op == Op::Loop) reads(node.c, outer, found);
      if (node.op == Op::If) {
        reads(node.b, outer, found);
        reads(node.c, outer, found);
      }
    }
    for (NodeId value : from_.regions[id].yields) note(value);
  }

  bool is_elementwise_region(RegionId id) const {
    for (NodeId at : from_.regions[id].nodes) {
      const Node& node = from_[at];
      const OpKind kind = op_kind(node.op);
      if (kind == OpKind::Reduce || kind == OpKind::Scan || node.op == Op::Transpose ||
          node.op == Op::View || node.op == Op::Scatter || node.op == Op::Iota ||
          (node.op == Op::Gather && on_[node.a] != 0)) {
        return false;
      }
      if (node.op == Op::Loop && !is_elementwise_region(node.c)) return false;
      if (node.op == Op::If && (!is_elementwise_region(node.b) || !is_elementwise_region(node.c))) {
        return false;
      }
    }
    return true;
  }

  void place(NodeId old) {
    b_.set_location(old < from_.locations.size() ? from_.locations[old] : ir::SourceLocation{});
  }

  // `change` belongs to `value`, and has at least its shape.
  void add(NodeId value, NodeId change) {
    if (change == kNone || on_[value] == 0) return;
    Frame& frame = frames_.back();
    NodeId& to = from_[value].region == frame.region
                     ? adjoint_[value]
                     : frame.outer.try_emplace(value, kNone).first->second;
    to = plus(b_, to, change);
  }

  // A change whose axes are those of `dims`, summed to the axes of `value`.
  void add_summed(NodeId value, NodeId change, const Dims& dims) {
    if (change == kNone || on_[value] == 0) return;
    if (!sum_later_) change = summed(change, dims, shapes_[value]);
    add(value, change);
  }

  NodeId summed(NodeId change, const Dims& dims, const Dims& to) {
    const int rank = b_[change].rank();
    const int extra = rank - to.rank;
    if (extra > 0) {
      change = b_.reduce(Op::ReduceSum, change, (1u << extra) - 1);
    }
    uint32_t repeated = 0;
    const int now = std::min(rank, to.rank);
    for (int k = 0; k < now; ++k) {
      if (to.from_back(k) == 0 && dims.from_back(k) != 0) repeated |= 1u << (now - 1 - k);
    }
    return repeated == 0 ? change : b_.reduce(Op::ReduceSum, change, repeated, true);
  }

  void backward(RegionId id) {
    const std::vector<NodeId>& nodes = from_.regions[id].nodes;
    for (size_t at = nodes.size(); at-- > 0;) {
      const NodeId old = nodes[at];
      const Node& node = from_[old];
      place(old);
      if (node.op == Op::Loop) {
        backward_loop(old, node);
      } else if (node.op == Op::If) {
        backward_if(old, node);
      } else if (node.op == Op::Result) {
        // Collected by its loop or if; further inside, it stands for the one beside it.
        if (adjoint_[old] != kNone && from_[node.a].region != id) {
          for (NodeId other : all_results(node.a)) {
            if (from_[other].imm == node.imm && from_[other].region == from_[node.a].region) {
              add(other, adjoint_[old]);
              adjoint_[old] = kNone;
              break;
            }
          }
          if (adjoint_[old] != kNone) refuse(from_, old, "a result is read out of place");
        }
      } else if (on_[old] != 0 && adjoint_[old] != kNone && op_kind(node.op) != OpKind::Leaf) {
        value(old, node, adjoint_[old]);
      }
    }
  }

  void value(NodeId old, const Node& node, NodeId change) {
    switch (op_kind(node.op)) {
      case OpKind::Reduce:
        return backward_reduce(old, node, change);
      case OpKind::Scan:
        return backward_scan(old, node, change);
      case OpKind::Shape:
      case OpKind::Memory:
        if (node.op != Op::Like) return backward_memory(old, node, change);
        break;
      default:
        break;
    }
    const Node now = mapped(node, map_);
    const NodeId operands[3] = {node.a, node.b, node.c};
    for (int k = 0; k < 3; ++k) {
      if (operands[k] == kNone || on_[operands[k]] == 0) continue;
      const Partial by = partial(b_, now, map_[old], k, from_, old);
      add_summed(operands[k], apply(b_, by, change, from_[operands[k]].type), shapes_[old]);
    }
  }

  // Gives a reduced value its axes back, as extents of 1.
  NodeId with_axes(NodeId reduced, const Node& node) {
    const int rank = from_[node.a].rank();
    if ((node.flags & ir::kKeepDims) != 0 || b_[reduced].rank() == rank ||
        b_[reduced].rank() == 0) {
      return reduced;
    }
    ir::ViewSpec items;
    for (int k = 0; k < rank; ++k) {
      ir::ViewItem item;
      if ((node.imm >> k & 1) != 0) item.kind = ir::ViewItem::Kind::NewAxis;
      items.push_back(item);
    }
    return b_.view(reduced, std::move(items));
  }

  void backward_reduce(NodeId old, const Node& node, NodeId change) {
    const NodeId x = map_[node.a];
    const Type type = node.type;
    const NodeId wide = b_.like(with_axes(change, node), x);
    const auto axes = static_cast<uint32_t>(node.imm);
    switch (node.op) {
      case Op::ReduceSum:
        return add(node.a, wide);
      case Op::ReduceMin:
      case Op::ReduceMax: {
        // Equal extremes share.
        const NodeId hit = b_.compare(Op::Eq, x, b_.like(with_axes(map_[old], node), x));
        const NodeId count = b_.reduce(Op::ReduceSum, b_.cast(hit, type), axes, true);
        const NodeId share = b_.binary(Op::Div, wide, b_.like(count, x));
        return add(node.a, b_.select(hit, share, number(b_, type, 0.0)));
      }
      case Op::ReduceProd: {
        const NodeId zero = number(b_, type, 0.0);
        const NodeId one = number(b_, type, 1.0);
        const NodeId is_zero = b_.compare(Op::Eq, x, zero);
        const NodeId others =
            b_.like(b_.reduce(Op::ReduceProd, b_.select(is_zero, one, x), axes, true), x);
        const NodeId zeros =
            b_.like(b_.reduce(Op::ReduceSum, b_.cast(is_zero, type), axes, true), x);
        const NodeId without = b_.binary(Op::Div, others, b_.select(is_zero, one, x));
        const NodeId none = b_.select(b_.compare(Op::Eq, zeros, zero), without, zero);
        const NodeId only = b_.binary(Op::And, is_zero, b_.compare(Op::Eq, zeros, one));
        return add(node.a, b_.binary(Op::Mul, wide, b_.select(only, others, none)));
      }
      default:
        refuse(from_, old, std::string(op_name(node.op)) + " has no derivative");
    }
  }

  void backward_scan(NodeId old, const Node& node, NodeId change) {
    const int axis = static_cast<int>(node.imm);
    const auto from_the_end = [&](NodeId x) {
      return reversed(b_, b_.scan(Op::ScanSum, reversed(b_, x, axis), axis), axis);
    };
    if (node.op == Op::ScanSum) return add(node.a, from_the_end(change));
    if (node.op != Op::ScanProd) {
      refuse(from_, old, std::string(op_name(node.op)) + " has no derivative here");
    }
    const NodeId x = map_[node.a];
    const NodeId has_zero = b_.compare(Op::Ne, x, number(b_, node.type, 0.0));
    b_.guard(b_.reduce(Op::ReduceAll, has_zero, 0));  // by division
    add(node.a, b_.binary(Op::Div, from_the_end(b_.binary(Op::Mul, change, map_[old])), x));
  }

  void backward_memory(NodeId old, const Node& node, NodeId change) {
    switch (node.op) {
      case Op::Transpose: {
        const int rank = node.rank();
        std::vector<int> inverse(static_cast<size_t>(rank));
        for (int k = 0; k < rank; ++k) inverse[node.imm >> (4 * k) & 15] = k;
        return add(node.a, b_.transpose(change, inverse));
      }
      case Op::View:
        return add(node.a, unviewed(old, node, change));
      case Op::Gather:
        return backward_gather(old, node, change);
      case Op::Scatter: {
        if (node.imm > static_cast<uint64_t>(ir::ScatterMode::Add)) {
          refuse(from_, old, "this kind of element assignment has no derivative here");
        }
        const bool is_set = node.imm == static_cast<uint64_t>(ir::ScatterMode::Set);
        if (on_[node.c] != 0) {
          const NodeId index = map_[node.b];
          const NodeId back = b_.gather(change, std::span(&index, 1), ir::BoundsMode::Raise);
          Dims dims = shapes_[node.b];
          add_summed(node.c, back, dims);
        }
        if (on_[node.a] != 0) {
          const NodeId zero = number(b_, node.type, 0.0);
          add(node.a,
              is_set ? b_.scatter(change, map_[node.b], zero, ir::ScatterMode::Set) : change);
        }
        return;
      }
      default:
        refuse(from_, old, std::string(op_name(node.op)) + " has no derivative here");
    }
  }

  // [0, extent) along `axis` of a value of `rank` axes.
  NodeId position(NodeId value, int axis) {
    const int rank = b_[value].rank();
    return b_.iota(b_.extent(value, 1u << axis), rank - 1 - axis);
  }

  void backward_gather(NodeId old, const Node& node, NodeId change) {
    if (on_[node.a] == 0) return;
    const NodeId source = map_[node.a];
    const int rank = b_[source].rank();
    const NodeId indices[3] = {node.b, node.c, node.d};
    bool are_scalar = true;
    for (int k = 0; k < rank; ++k) are_scalar = are_scalar && b_[map_[indices[k]]].rank() == 0;
    const NodeId zero = number(b_, node.type, 0.0);
    const auto counted = [&](NodeId index, int axis) {
      // From the end, as the gather has taken it.
      if (node.imm == static_cast<uint64_t>(ir::BoundsMode::Proven)) return index;
      const NodeId n = b_.extent(source, 1u << axis);
      if (node.imm == static_cast<uint64_t>(ir::BoundsMode::Clip)) {
        const NodeId last = b_.binary(Op::Sub, n, b_.constant(int64_t{1}));
        return b_.binary(Op::Min, b_.binary(Op::Max, index, b_.constant(int64_t{0})), last);
      }
      return b_.select(b_.compare(Op::Lt, index, b_.constant(int64_t{0})),
                       b_.binary(Op::Add, index, n), index);
    };
    if (are_scalar && b_[change].rank() == 0) {
      NodeId here = kNone;
      for (int k = 0; k < rank; ++k) {
        const NodeId hit = b_.compare(Op::Eq, position(source, k), counted(map_[indices[k]], k));
        here = here == kNone ? hit : b_.binary(Op::And, here, hit);
      }
      return add(node.a, b_.like(b_.select(here, change, zero), source));
    }
    if (rank != 1 || node.rank() != 1 || node.imm == static_cast<uint64_t>(ir::BoundsMode::Wrap)) {
      refuse(from_, old, "indexing by arrays has a derivative for one axis only");
    }
    const NodeId empty = b_.like(zero, source);
    add(node.a, b_.scatter(empty, counted(map_[node.b], 0), change, ir::ScatterMode::Add));
  }

  // The adjoint of a view's operand: `change` where the view looked, zeros elsewhere.
  NodeId unviewed(NodeId old, const Node& node, NodeId change) {
    const NodeId source = map_[node.a];
    const int rank = b_[source].rank();
    const ir::ViewSpec items = from_.views[node.imm];
    // First the axes: those that came are dropped, those that went come back with extent 1.
    ir::ViewSpec axes;
    bool is_view = false;
    for (const ir::ViewItem& item : items) {
      ir::ViewItem made;
      if (item.kind == ir::ViewItem::Kind::NewAxis) {
        made.kind = ir::ViewItem::Kind::Index;
        is_view = true;
      } else if (item.kind == ir::ViewItem::Kind::Index) {
        made.kind = ir::ViewItem::Kind::NewAxis;
        is_view = true;
      } else if (!item.has_start && !item.has_stop && item.step == -1) {
        made.step = -1;
        is_view = true;
      }
      axes.push_back(made);
    }
    if (is_view) change = b_.view(change, std::move(axes));
    // Then the places. `where` is false outside of the view.
    NodeId where = kNone;
    std::vector<NodeId> index(static_cast<size_t>(rank), kNone);
    bool is_moved = false;
    int axis = 0;
    for (const ir::ViewItem& item : items) {
      if (item.kind == ir::ViewItem::Kind::NewAxis) continue;
      const int k = axis++;
      const NodeId at = position(source, k);
      const NodeId n = b_.extent(source, 1u << k);
      const NodeId zero = b_.constant(int64_t{0});
      index[static_cast<size_t>(k)] = at;
      NodeId hit = kNone;
      if (item.kind == ir::ViewItem::Kind::Index) {
        NodeId wanted = b_.constant(item.start);
        if (item.start < 0) wanted = b_.binary(Op::Add, n, wanted);
        hit = b_.compare(Op::Eq, at, wanted);
        index[static_cast<size_t>(k)] = zero;
      } else if (item.has_start || item.has_stop || (item.step != 1 && item.step != -1)) {
        const bool is_up = item.step > 0;
        const NodeId low = is_up ? zero : b_.constant(int64_t{-1});
        const NodeId high = is_up ? n : b_.binary(Op::Sub, n, b_.constant(int64_t{1}));
        const auto bound = [&](bool is_given, int64_t given, NodeId otherwise) {
          if (!is_given) return otherwise;
          NodeId made = b_.constant(given);
          if (given < 0) made = b_.binary(Op::Add, n, made);
          return b_.binary(Op::Min, b_.binary(Op::Max, made, low), high);
        };
        const NodeId start = bound(item.has_start, item.start, is_up ? zero : high);
        const NodeId stop = bound(item.has_stop, item.stop, is_up ? n : low);
        const NodeId step = b_.constant(is_up ? item.step : -item.step);
        const NodeId far = is_up ? b_.binary(Op::Sub, at, start) : b_.binary(Op::Sub, start, at);
        hit = b_.binary(Op::And, b_.compare(Op::Le, zero, far),
                        is_up ? b_.compare(Op::Lt, at, stop) : b_.compare(Op::Lt, stop, at));
        NodeId moved = far;
        if (item.step != 1 && item.step != -1) {
          hit = b_.binary(Op::And, hit, b_.compare(Op::Eq, b_.binary(Op::Mod, far, step), zero));
          moved = b_.binary(Op::FloorDiv, far, step);
        }
        index[static_cast<size_t>(k)] = moved;
        is_moved = true;
      }
      if (hit != kNone) where = where == kNone ? hit : b_.binary(Op::And, where, hit);
    }
    if (where == kNone) return change;
    const NodeId zero = number(b_, node.type, 0.0);
    if (is_moved) {
      if (rank > 3) refuse(from_, old, "a slice of more than three axes has no derivative here");
      // Outside, some element that is there: the index of 0 is, unless the view is empty.
      for (NodeId& one : index) {
        if (one != b_.constant(int64_t{0})) one = b_.select(where, one, b_.constant(int64_t{0}));
      }
      change = b_.gather(change, index, ir::BoundsMode::Clip);
    }
    return b_.like(b_.select(where, change, zero), source);
  }

  // --- branches and loops

  // Adjoints of an owner's results, by number. Results stand in its region or in inner ones.
  std::vector<NodeId> changes_of(NodeId owner, size_t count) {
    std::vector<NodeId> out(count, kNone);
    for (NodeId id : all_results(owner)) {
      NodeId found = kNone;
      if (from_[id].region == frames_.back().region) {
        found = adjoint_[id];
      } else if (auto it = frames_.back().outer.find(id); it != frames_.back().outer.end()) {
        found = it->second;
      }
      NodeId& to = out[from_[id].imm];
      to = plus(b_, to, found);
    }
    return out;
  }
  const std::vector<NodeId>& all_results(NodeId owner) {
    if (results_.empty()) {
      results_.resize(from_.nodes.size());
      for (NodeId id = 0; id < from_.nodes.size(); ++id) {
        if (from_[id].op == Op::Result) results_[from_[id].a].push_back(id);
      }
    }
    return results_[owner];
  }

  // Begins a region that is gone through backwards: nothing has flowed in yet.
  void enter(RegionId id) {
    for (NodeId at : from_.regions[id].nodes) adjoint_[at] = kNone;
    frames_.push_back({id, {}});
  }
  std::map<NodeId, NodeId> leave() {
    std::map<NodeId, NodeId> outer = std::move(frames_.back().outer);
    frames_.pop_back();
    return outer;
  }

  void backward_if(NodeId old, const Node& node) {
    if (!matters(old)) return;
    const std::vector<NodeId> changes = changes_of(old, from_.regions[node.b].yields.size());
    if (std::all_of(changes.begin(), changes.end(), [](NodeId id) { return id == kNone; })) return;
    std::vector<NodeId> outer;
    reads(node.b, node.b, outer);
    reads(node.c, node.c, outer);
    outer.erase(std::remove_if(outer.begin(), outer.end(),
                               [&](NodeId id) {
                                 return is_inside(from_[id].region, node.b) ||
                                        is_inside(from_[id].region, node.c);
                               }),
                outer.end());
    const bool was_later = sum_later_;
    const bool is_lanes = from_[node.a].rank() > 0 ||
                          (is_elementwise_region(node.b) && is_elementwise_region(node.c));
    if (from_[node.a].rank() > 0 &&
        !(is_elementwise_region(node.b) && is_elementwise_region(node.c))) {
      refuse(from_, old, "a branch per element that indexes arrays has no derivative here");
    }
    sum_later_ = sum_later_ || is_lanes;
    const auto side = [&](RegionId id) {
      forward(id);
      enter(id);
      for (size_t k = 0; k < changes.size(); ++k) {
        if (changes[k] != kNone) add(from_.regions[id].yields[k], changes[k]);
      }
      backward(id);
      std::map<NodeId, NodeId> found = leave();
      std::vector<NodeId> out;
      for (NodeId value : outer) {
        const auto at = found.find(value);
        out.push_back(at != found.end() && at->second != kNone ? at->second : zero_of(value));
      }
      return out;
    };
    // What the branches made is out of sight afterwards; what the map says outside stays.
    b_.begin_if(map_[node.a]);
    const std::vector<NodeId> yes = side(node.b);
    b_.begin_else(yes);
    const NodeId made = b_.end_if(side(node.c));
    sum_later_ = was_later;
    const Dims dims = shapes_.of_structure(old);
    for (size_t k = 0; k < outer.size(); ++k) {
      add_summed(outer[k], b_.result(made, static_cast<int>(k)), dims);
    }
  }

  NodeId zero_of(NodeId value) { return b_.like(number(b_, from_[value].type, 0.0), map_[value]); }

  void backward_loop(NodeId old, const Node& node) {
    if (!matters(old)) return;
    const ir::Region& body = from_.regions[node.c];
    const std::vector<NodeId> changes = changes_of(old, body.args.size());
    if (std::all_of(changes.begin(), changes.end(), [](NodeId id) { return id == kNone; })) return;
    bool is_lanes = false;
    for (NodeId inner : body.nodes) {
      if (from_[inner].op == Op::Exit) is_lanes = from_[from_[inner].a].rank() > 0;
    }
    const bool is_elementwise = is_elementwise_region(node.c);
    if (is_lanes && !is_elementwise) {
      refuse(from_, old, "a loop per element that indexes arrays has no derivative here");
    }
    std::vector<size_t> state;  // args that are derived by
    for (size_t k = 0; k < body.args.size(); ++k) {
      if (on_[body.args[k]] != 0) state.push_back(k);
    }
    std::vector<NodeId> outer;
    reads(node.c, node.c, outer);
    const bool was_later = sum_later_;
    sum_later_ = sum_later_ || is_elementwise;

    const NodeId zero = b_.constant(int64_t{0});
    const NodeId one = b_.constant(int64_t{1});
    const NodeId n = trips_[old];
    const NodeId root = b_.unary(Op::Ceil, b_.unary(Op::Sqrt, b_.cast(n, Type::F64)));
    const NodeId size = b_.binary(Op::Max, b_.cast(root, Type::I64), one);
    const NodeId segments =
        b_.binary(Op::FloorDiv, b_.binary(Op::Sub, b_.binary(Op::Add, n, size), one), size);
    const std::vector<NodeId> inits = mapped(from_.inits(node), map_);

    // Carried backwards: a counter, the adjoints of the state, those of outer values.
    std::vector<NodeId> carried{segments};
    for (size_t k : state) {
      const NodeId shape = b_.result(map_[old], static_cast<int>(k));
      carried.push_back(changes[k] != kNone
                            ? changes[k]
                            : b_.like(number(b_, from_[body.args[k]].type, 0.0), shape));
    }
    for (NodeId value : outer) carried.push_back(zero_of(value));

    const RegionId by_segment = b_.begin_loop(carried);
    const NodeId segment = b_.arg(by_segment, 0);
    b_.exit_unless(b_.compare(Op::Lt, zero, segment));
    const NodeId first = b_.binary(Op::Mul, b_.binary(Op::Sub, segment, one), size);
    const std::vector<NodeId> checkpoint = replay(node, inits, first);
    std::vector<NodeId> inner{b_.binary(Op::Min, size, b_.binary(Op::Sub, n, first))};
    for (size_t k = 1; k < carried.size(); ++k)
      inner.push_back(b_.arg(by_segment, static_cast<int>(k)));

    const RegionId by_round = b_.begin_loop(inner);
    const NodeId left = b_.arg(by_round, 0);
    b_.exit_unless(b_.compare(Op::Lt, zero, left));
    const NodeId before = b_.binary(Op::Sub, left, one);
    const std::vector<NodeId> head = replay(node, checkpoint, before);
    for (size_t k = 0; k < body.args.size(); ++k) map_[body.args[k]] = head[k];
    forward(node.c);
    enter(node.c);
    for (size_t k = 0; k < state.size(); ++k) {
      add(body.yields[state[k]], b_.arg(by_round, static_cast<int>(k) + 1));
    }
    backward(node.c);
    std::vector<NodeId> nexts{before};
    for (size_t k : state) {
      const NodeId arg = body.args[k];
      nexts.push_back(adjoint_[arg] != kNone ? adjoint_[arg] : zero_of(arg));
    }
    const std::map<NodeId, NodeId> found = leave();
    for (size_t k = 0; k < outer.size(); ++k) {
      const auto at = found.find(outer[k]);
      const NodeId sum = b_.arg(by_round, static_cast<int>(1 + state.size() + k));
      nexts.push_back(at != found.end() ? plus(b_, sum, at->second) : sum);
    }
    const NodeId rounds = b_.end_loop(nexts);
    std::vector<NodeId> segment_nexts{b_.binary(Op::Sub, segment, one)};
    for (size_t k = 1; k < carried.size(); ++k)
      segment_nexts.push_back(b_.result(rounds, static_cast<int>(k)));
    const NodeId made = b_.end_loop(segment_nexts);

    sum_later_ = was_later;
    const Dims dims = shapes_.of_structure(old);
    for (size_t k = 0; k < state.size(); ++k) {
      add_summed(from_.inits(node)[state[k]], b_.result(made, static_cast<int>(k) + 1), dims);
    }
    for (size_t k = 0; k < outer.size(); ++k) {
      add_summed(outer[k], b_.result(made, static_cast<int>(1 + state.size() + k)), dims);
    }
  }

  const Function& from_;
  const GradientOptions& options_;
  std::vector<uint8_t> on_;
  Shapes shapes_;
  Builder b_;
  std::vector<NodeId> map_;      // old value -> its latest copy
  std::vector<NodeId> adjoint_;  // of values of the regions that are open backwards
  std::vector<NodeId> trips_;    // by loop: its number of rounds
  std::vector<std::vector<NodeId>> results_;
  std::vector<Frame> frames_;
  bool sum_later_ = false;  // adjoints keep the shape of the lanes
};

}  // namespace
}  // namespace autodiff

ir::Function gradient(const ir::Function& function, const GradientOptions& options) {
  return autodiff::Reverse(function, options).run();
}

}  // namespace lattice::jit
