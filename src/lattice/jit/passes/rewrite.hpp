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

#include <type_traits>
#include <unordered_map>
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

// The walk itself, for passes that change structure too: they override loop() or branch().
class Walk {
 public:
  explicit Walk(const Function& from) : from_(from), map_(from.nodes.size(), kNone) {
    copy_header(from, builder_);
  }
  virtual ~Walk() = default;

  Function run();

 protected:
  // What becomes of a node that is no structure; operands are mapped.
  virtual NodeId value(const Node& node, NodeId old) = 0;
  virtual void loop(NodeId old, const Node& node);
  virtual void branch(NodeId old, const Node& node);

  void region(RegionId id);
  Node mapped(const Node& node) const;
  std::vector<NodeId> mapped(std::span<const NodeId> values) const;
  // Instead of a loop or if that is gone: its results are these.
  void replace(NodeId old, std::vector<NodeId> results) { replaced_[old] = std::move(results); }

  const Function& from_;
  Builder builder_;
  std::vector<NodeId> map_;  // old number -> new number

 private:
  std::unordered_map<NodeId, std::vector<NodeId>> replaced_;
};

template <class Hook>
class Rewriter final : public Walk {
 public:
  Rewriter(const Function& from, Hook& hook) : Walk(from), hook_(hook) {}

 private:
  NodeId value(const Node& node, NodeId old) override { return hook_(builder_, node, old); }

  Hook& hook_;
};

template <class Hook>
Function rewrite(const Function& from, Hook&& hook) {
  return Rewriter<std::remove_reference_t<Hook>>(from, hook).run();
}

}  // namespace lattice::jit::passes
