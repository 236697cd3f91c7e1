// SPDX-License-Identifier: MIT
// rewrite(): the walk that every pass is made of.
//
// Visits a Function's nodes in order of execution and builds a new Function; the hook says what
// becomes of each value. The new builder hash-conses, so every pass is a CSE pass as well. Linear:
// one hook call and one insertion per node.
//
//   Function out = rewrite(in, [](Builder& b, const Node& node, NodeId old) {
//     if (node.op == Op::Sin) return expand_sin(b, node.a);
//     return b.emit(node);
//   });
//
// The hook gets the node with its operands already mapped to the new function; `node.region` means
// nothing there. It is not asked about Loop, If, Arg, Exit, Guard and Result: those are copied.
// It may open and close regions of its own.
#pragma once

#include <vector>

#include "lattice/jit/ir/builder.hpp"

namespace lattice::jit::passes {

using ir::Builder;
using ir::Function;
using ir::kNone;
using ir::Node;
using ir::NodeId;
using ir::RegionId;

// Everything of a function but its code.
void copy_header(const Function& from, Builder& to);

template <class Hook>
class Rewriter {
 public:
  Rewriter(const Function& from, Hook& hook)
      : from_(from), hook_(hook), map_(from.nodes.size(), kNone) {
    copy_header(from, builder_);
  }

  Function run() {
    region(0);
    std::vector<NodeId> outputs = mapped(from_.regions[0].yields);
    return builder_.finish(outputs);
  }

 private:
  std::vector<NodeId> mapped(std::span<const NodeId> values) const {
    std::vector<NodeId> out;
    out.reserve(values.size());
    for (NodeId value : values) out.push_back(map_[value]);
    return out;
  }

  void region(RegionId id) {
    for (NodeId old : from_.regions[id].nodes) {
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
        case Op::Result:
          map_[old] = builder_.result(map_[node.a], static_cast<int>(node.imm));
          break;
        case Op::Loop: {
          RegionId body = builder_.begin_loop(mapped(from_.inits(node)));
          const ir::Region& source = from_.regions[node.c];
          for (size_t k = 0; k < source.args.size(); ++k) {
            map_[source.args[k]] = builder_.arg(body, static_cast<int>(k));
          }
          region(node.c);
          map_[old] = builder_.end_loop(mapped(source.yields));
          break;
        }
        case Op::If:
          builder_.begin_if(map_[node.a]);
          region(node.b);
          builder_.begin_else(mapped(from_.regions[node.b].yields));
          region(node.c);
          map_[old] = builder_.end_if(mapped(from_.regions[node.c].yields));
          break;
        default: {
          Node copy = node;
          if (copy.a != kNone) copy.a = map_[copy.a];
          if (copy.b != kNone) copy.b = map_[copy.b];
          if (copy.c != kNone) copy.c = map_[copy.c];
          if (copy.d != kNone) copy.d = map_[copy.d];
          map_[old] = hook_(builder_, copy, old);
        }
      }
    }
  }

  const Function& from_;
  Hook& hook_;
  Builder builder_;
  std::vector<NodeId> map_;
};

template <class Hook>
Function rewrite(const Function& from, Hook&& hook) {
  return Rewriter<std::remove_reference_t<Hook>>(from, hook).run();
}

}  // namespace lattice::jit::passes
