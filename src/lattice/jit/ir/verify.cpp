// SPDX-License-Identifier: MIT
#include "lattice/jit/ir/verify.hpp"

#include <string>

#include "lattice/jit/ir/builder.hpp"

namespace lattice::jit::ir {

namespace {

class Verifier {
 public:
  explicit Verifier(const Function& f) : f_(f), map_(f.nodes.size(), kNone) {}

  void run() {
    if (f_.regions.empty()) throw IrError("no body");
    seen_.assign(f_.regions.size(), 0);
    builder_.function().params = f_.params;
    builder_.function().views = f_.views;
    builder_.function().tables = f_.tables;
    region(0);
    for (NodeId output : f_.regions[0].yields) value(output);
    for (size_t id = 0; id < map_.size(); ++id) {
      if (map_[id] == kNone && f_[static_cast<NodeId>(id)].type != Type::Void) {
        throw IrError("%" + std::to_string(id) + " stands in no region");
      }
    }
  }

 private:
  NodeId value(NodeId id) const {
    if (id >= map_.size() || map_[id] == kNone) {
      throw IrError("%" + std::to_string(id) + " is used before it is made");
    }
    return map_[id];
  }
  std::vector<NodeId> values(std::span<const NodeId> list) const {
    std::vector<NodeId> out;
    for (NodeId id : list) out.push_back(value(id));
    return out;
  }

  RegionId inner(RegionId id, NodeId owner, RegionKind kind) {
    if (id >= f_.regions.size() || id == 0 || seen_[id] != 0) throw IrError("bad region");
    const Region& region = f_.regions[id];
    if (region.owner != owner || region.kind != kind || region.parent != f_[owner].region) {
      throw IrError("region " + std::to_string(id) + " does not belong to %" +
                    std::to_string(owner));
    }
    return id;
  }

  void region(RegionId id) {
    seen_[id] = 1;
    NodeId last = 0;
    for (NodeId node_id : f_.regions[id].nodes) {
      if (node_id >= f_.nodes.size()) throw IrError("no such node");
      const Node& node = f_[node_id];
      if (node.region != id || (last != 0 && node_id <= last)) {
        throw IrError("%" + std::to_string(node_id) + " stands in the wrong place");
      }
      last = node_id;
      for_each_operand(f_, node, [&](NodeId operand) {
        if (operand >= node_id) {
          throw IrError("%" + std::to_string(node_id) + " uses a later node");
        }
      });
      replay(node_id, node);
      if (map_[node_id] != kNone && node.type != Type::Void) {
        const Node& copy = builder_[map_[node_id]];
        if (copy.type != node.type || copy.rank() != node.rank()) {
          throw IrError("%" + std::to_string(node_id) + " (" + std::string(op_name(node.op)) +
                        ") claims " + std::string(type_name(node.type)) + " of rank " +
                        std::to_string(node.rank()) + ", but is " +
                        std::string(type_name(copy.type)) + " of rank " +
                        std::to_string(copy.rank()));
        }
      }
    }
  }

  void replay(NodeId id, const Node& node) {
    switch (node.op) {
      case Op::Arg:
        if (map_[id] == kNone) throw IrError("arg outside its loop");
        return;
      case Op::Exit:
        builder_.exit_unless(value(node.a));
        return;
      case Op::Guard:
        builder_.guard(value(node.a));
        return;
      case Op::Result:
        map_[id] = builder_.result(value(node.a), static_cast<int>(node.imm));
        return;
      case Op::Loop: {
        if (node.a > f_.lists.size() || node.b > f_.lists.size() - node.a) {
          throw IrError("loop inits out of range");
        }
        RegionId body = inner(node.c, id, RegionKind::Loop);
        const Region& source = f_.regions[body];
        if (source.args.size() != node.b) throw IrError("loop args and inits differ in number");
        RegionId copy = builder_.begin_loop(values(f_.inits(node)));
        for (size_t k = 0; k < source.args.size(); ++k) {
          if (source.args[k] >= map_.size()) throw IrError("no such arg");
          map_[source.args[k]] = builder_.arg(copy, static_cast<int>(k));
        }
        // Ranks of args settle when the loop ends, so its nodes are compared afterwards.
        late_.push_back(body);
        region_quietly(body);
        map_[id] = builder_.end_loop(values(source.yields));
        late_.pop_back();
        if (late_.empty()) compare(body);
        return;
      }
      case Op::If: {
        RegionId then = inner(node.b, id, RegionKind::Then);
        RegionId otherwise = inner(node.c, id, RegionKind::Else);
        builder_.begin_if(value(node.a));
        late_.empty() ? region(then) : region_quietly(then);
        builder_.begin_else(values(f_.regions[then].yields));
        late_.empty() ? region(otherwise) : region_quietly(otherwise);
        map_[id] = builder_.end_if(values(f_.regions[otherwise].yields));
        return;
      }
      case Op::Param:
        if (node.imm >= f_.params.size() || f_.params[node.imm].type != node.type ||
            f_.params[node.imm].rank != node.rank()) {
          throw IrError("param is not what the signature says");
        }
        [[fallthrough]];
      default: {
        Node copy = node;
        if (copy.a != kNone) copy.a = value(copy.a);
        if (copy.b != kNone) copy.b = value(copy.b);
        if (copy.c != kNone) copy.c = value(copy.c);
        if (copy.d != kNone) copy.d = value(copy.d);
        map_[id] =
            node.op == Op::Const ? builder_.constant(node.type, node.imm) : builder_.emit(copy);
      }
    }
  }

  void region_quietly(RegionId id) {
    seen_[id] = 1;
    for (NodeId node_id : f_.regions[id].nodes) {
      if (node_id >= f_.nodes.size() || f_[node_id].region != id) throw IrError("wrong region");
      replay(node_id, f_[node_id]);
    }
  }

  void compare(RegionId id) {
    for (NodeId node_id : f_.regions[id].nodes) {
      const Node& node = f_[node_id];
      if (node.op == Op::Loop) compare(node.c);
      if (node.op == Op::If) {
        compare(node.b);
        compare(node.c);
      }
      if (map_[node_id] == kNone || node.type == Type::Void) continue;
      const Node& copy = builder_[map_[node_id]];
      if (copy.type != node.type || copy.rank() != node.rank()) {
        throw IrError("%" + std::to_string(node_id) + " claims a type or rank that it has not");
      }
    }
  }

  const Function& f_;
  Builder builder_;
  std::vector<NodeId> map_;
  std::vector<uint8_t> seen_;
  std::vector<RegionId> late_;
};

}  // namespace

Result<void> verify(const Function& function) {
  try {
    Verifier(function).run();
    return {};
  } catch (const IrError& error) {
    return Failure{error.what()};
  }
}

}  // namespace lattice::jit::ir
