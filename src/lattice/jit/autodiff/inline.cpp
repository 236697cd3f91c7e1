// SPDX-License-Identifier: MIT
#include "lattice/jit/autodiff/inline.hpp"

#include <string>

namespace lattice::jit {

namespace {

using ir::kNone;
using ir::Node;
using ir::NodeId;

class Inline {
 public:
  Inline(ir::Builder& into, const ir::Function& from, std::span<const NodeId> arguments)
      : b_(into), from_(from), arguments_(arguments), map_(from.nodes.size(), kNone) {
    for (const std::string& file : from.files) files_.push_back(into.file(file));
  }

  std::vector<NodeId> run() {
    region(0);
    return mapped(from_.regions[0].yields);
  }

 private:
  std::vector<NodeId> mapped(std::span<const NodeId> values) const {
    std::vector<NodeId> out;
    for (NodeId id : values) out.push_back(map_[id]);
    return out;
  }

  void region(ir::RegionId id) {
    for (NodeId old : from_.regions[id].nodes) {
      const Node& node = from_[old];
      if (old < from_.locations.size()) {
        ir::SourceLocation at = from_.locations[old];
        at.file = files_[at.file];
        b_.set_location(at);
      }
      switch (node.op) {
        case Op::Arg:
          break;
        case Op::Param:
          map_[old] = argument(node);
          break;
        case Op::Exit:
          b_.exit_unless(map_[node.a]);
          break;
        case Op::Guard:
          b_.guard(map_[node.a]);
          break;
        case Op::Result:
          map_[old] = b_.result(map_[node.a], static_cast<int>(node.imm));
          break;
        case Op::Loop: {
          const ir::Region& body = from_.regions[node.c];
          const ir::RegionId made = b_.begin_loop(mapped(from_.inits(node)));
          for (size_t k = 0; k < body.args.size(); ++k) {
            map_[body.args[k]] = b_.arg(made, static_cast<int>(k));
          }
          region(node.c);
          map_[old] = b_.end_loop(mapped(body.yields));
          break;
        }
        case Op::If:
          b_.begin_if(map_[node.a]);
          region(node.b);
          b_.begin_else(mapped(from_.regions[node.b].yields));
          region(node.c);
          map_[old] = b_.end_if(mapped(from_.regions[node.c].yields));
          break;
        default:
          map_[old] = value(node);
      }
    }
  }

  NodeId argument(const Node& node) const {
    const NodeId given = arguments_[node.imm];
    if (b_[given].type != node.type || b_[given].rank() != node.rank()) {
      throw ir::IrError("ir: inline: an argument has not the type and rank of its parameter");
    }
    return given;
  }

  NodeId value(const Node& node) {
    if (node.op == Op::Const) return b_.constant(node.type, node.imm);
    if (node.op == Op::View) return b_.view(map_[node.a], from_.views[node.imm]);
    if (node.op == Op::Lookup) return b_.lookup(from_.tables[node.imm], map_[node.a]);
    Node copy = node;
    if (copy.a != kNone) copy.a = map_[copy.a];
    if (copy.b != kNone) copy.b = map_[copy.b];
    if (copy.c != kNone) copy.c = map_[copy.c];
    if (copy.d != kNone) copy.d = map_[copy.d];
    return b_.emit(copy);
  }

  ir::Builder& b_;
  const ir::Function& from_;
  std::span<const NodeId> arguments_;
  std::vector<NodeId> map_;
  std::vector<uint32_t> files_;
};

}  // namespace

std::vector<NodeId> inline_function(ir::Builder& into, const ir::Function& function,
                                    std::span<const NodeId> arguments) {
  if (arguments.size() != function.params.size()) {
    throw ir::IrError("ir: inline: a parameter has no argument");
  }
  return Inline(into, function, arguments).run();
}

}  // namespace lattice::jit
