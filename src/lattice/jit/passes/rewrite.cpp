// SPDX-License-Identifier: MIT
#include "lattice/jit/passes/rewrite.hpp"

namespace lattice::jit::passes {

void copy_header(const Function& from, Builder& to) {
  Function& out = to.function();
  out.name = from.name;
  out.fp = from.fp;
  out.math = from.math;
  out.params = from.params;
  out.views = from.views;
  out.tables = from.tables;
  out.files = from.files;
}

Function Walk::run() {
  region(0);
  std::vector<NodeId> outputs = mapped(from_.regions[0].yields);
  return builder_.finish(outputs);
}

std::vector<NodeId> Walk::mapped(std::span<const NodeId> values) const {
  std::vector<NodeId> out;
  out.reserve(values.size());
  for (NodeId id : values) out.push_back(map_[id]);
  return out;
}

Node Walk::mapped(const Node& node) const {
  Node copy = node;
  if (copy.a != kNone) copy.a = map_[copy.a];
  if (copy.b != kNone) copy.b = map_[copy.b];
  if (copy.c != kNone) copy.c = map_[copy.c];
  if (copy.d != kNone) copy.d = map_[copy.d];
  return copy;
}

void Walk::region(RegionId id) {
  for (NodeId old : from_.regions[id].nodes) {
    if (map_[old] != kNone) continue;  // an arg, or hoisted
    const Node& node = from_[old];
    builder_.set_location(from_.locations.empty() ? ir::SourceLocation{} : from_.locations[old]);
    switch (node.op) {
      case Op::Arg:
        break;
      case Op::Exit:
        builder_.exit_unless(map_[node.a]);
        break;
      case Op::Guard:
        builder_.guard(map_[node.a]);
        break;
      case Op::Result: {
        auto gone = replaced_.find(node.a);
        map_[old] = gone != replaced_.end()
                        ? gone->second[node.imm]
                        : builder_.result(map_[node.a], static_cast<int>(node.imm));
        break;
      }
      case Op::Loop:
        loop(old, node);
        break;
      case Op::If:
        branch(old, node);
        break;
      default:
        map_[old] = value(mapped(node), old);
    }
  }
}

void Walk::loop(NodeId old, const Node& node) {
  RegionId body = builder_.begin_loop(mapped(from_.inits(node)));
  const ir::Region& source = from_.regions[node.c];
  for (size_t k = 0; k < source.args.size(); ++k) {
    map_[source.args[k]] = builder_.arg(body, static_cast<int>(k));
  }
  region(node.c);
  map_[old] = builder_.end_loop(mapped(source.yields));
}

void Walk::branch(NodeId old, const Node& node) {
  builder_.begin_if(map_[node.a]);
  region(node.b);
  builder_.begin_else(mapped(from_.regions[node.b].yields));
  region(node.c);
  map_[old] = builder_.end_if(mapped(from_.regions[node.c].yields));
}

}  // namespace lattice::jit::passes
