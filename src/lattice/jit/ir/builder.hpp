// SPDX-License-Identifier: MIT
// Builder: appends nodes to a Function, hash-consing each one at insertion.
//
// An equal pure node that is visible from the open region (it stands there or in an enclosing
// region) is returned instead of a new one. Constants always stand in the body, so every region
// shares them. Types and ranks are inferred; operands of unequal types are the front end's mistake
// and throw IrError. Builder does no algebra: passes do.
//
// Loops are built in the order of execution:
//
//   RegionId body = b.begin_loop({init...});
//   ... b.arg(body, k) ... b.exit_unless(condition) ...
//   NodeId loop = b.end_loop({next...});       // one for each init
//   b.result(loop, k)
//
//   b.begin_if(condition); ...; b.begin_else({then values}); ...; NodeId node = b.end_if({else});
//
// Thread safety: none; one builder belongs to one thread.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "lattice/base/error.hpp"
#include "lattice/jit/ir/function.hpp"

namespace lattice::jit::ir {

// The front end built something that has no meaning: types that differ, a rank out of range, ...
class IrError : public Error {
 public:
  using Error::Error;
};

class Builder {
 public:
  explicit Builder(std::string name = "kernel");

  // --- leaves ---
  // Params and constants stand in the body, wherever they are made.
  NodeId param(Type type, int rank, std::string name = {});
  NodeId constant(Type type, Bits bits);
  template <class T>
  NodeId constant(T value) {
    return constant(type_of<T>(), to_bits(value));
  }
  // [0, n) as i64 with `trailing` axes of extent 1 behind; n is an i64 scalar.
  NodeId iota(NodeId n, int trailing = 0);
  NodeId lane_index(int axis);

  // --- element-wise ---
  NodeId unary(Op op, NodeId a, uint16_t flags = 0);
  NodeId binary(Op op, NodeId a, NodeId b, uint16_t flags = 0);
  NodeId compare(Op op, NodeId a, NodeId b) { return binary(op, a, b); }
  NodeId select(NodeId condition, NodeId yes, NodeId no);
  NodeId fma(NodeId a, NodeId b, NodeId c);
  NodeId cast(NodeId a, Type to);  // returns `a` itself when it has that type
  NodeId bitcast(NodeId a, Type to);
  NodeId lookup(Table table, NodeId index);
  NodeId like(NodeId a, NodeId shape_of);

  // --- arrays ---
  // `axes`: bit k is axis k; 0 means all axes.
  NodeId reduce(Op op, NodeId a, uint32_t axes, bool keep_dims = false, uint16_t flags = 0);
  NodeId scan(Op op, NodeId a, int axis);
  NodeId view(NodeId a, ViewSpec items);
  NodeId transpose(NodeId a, std::span<const int> permutation);
  NodeId extent(NodeId a, uint32_t axes);  // i64 scalar
  NodeId gather(NodeId source, std::span<const NodeId> indices, BoundsMode mode);
  NodeId scatter(NodeId base, NodeId index, NodeId value, ScatterMode mode);

  // --- structure ---
  RegionId begin_loop(std::span<const NodeId> inits);
  RegionId begin_loop(std::initializer_list<NodeId> inits) {
    return begin_loop(std::span(inits.begin(), inits.size()));
  }
  NodeId arg(RegionId loop, int k) const { return function_.regions[loop].args[k]; }
  NodeId exit_unless(NodeId condition);
  NodeId end_loop(std::span<const NodeId> nexts);
  NodeId end_loop(std::initializer_list<NodeId> nexts) {
    return end_loop(std::span(nexts.begin(), nexts.size()));
  }
  RegionId begin_if(NodeId condition);
  RegionId begin_else(std::span<const NodeId> then_values);
  RegionId begin_else(std::initializer_list<NodeId> values) {
    return begin_else(std::span(values.begin(), values.size()));
  }
  NodeId end_if(std::span<const NodeId> else_values);
  NodeId end_if(std::initializer_list<NodeId> values) {
    return end_if(std::span(values.begin(), values.size()));
  }
  NodeId result(NodeId owner, int k);
  // The run is void (status kStatusGuard) unless `condition` holds in every active lane.
  NodeId guard(NodeId condition);

  // Abandoning what was built since a checkpoint, for a front end that records a loop anew because
  // a value's type changed. Params, views and tables stay.
  struct Checkpoint {
    size_t nodes, lists, regions, open, loops, ifs;
  };
  Checkpoint checkpoint() const noexcept;
  // REQUIRES: every region that was open at the checkpoint is open still.
  void rollback(const Checkpoint& to);

  // The general form of all of the above but structure: infers type (Cast, Bitcast and Const keep
  // node.type) and rank, checks, looks up, inserts.
  NodeId emit(Node node);

  // Nodes inserted from now on carry this location.
  void set_location(SourceLocation location) { location_ = location; }
  uint32_t file(std::string_view path);

  // Ends the function. REQUIRES: no region open. The builder is empty afterwards.
  Function finish(std::span<const NodeId> outputs);
  Function finish(std::initializer_list<NodeId> outputs) {
    return finish(std::span(outputs.begin(), outputs.size()));
  }

  const Function& function() const noexcept { return function_; }
  Function& function() noexcept { return function_; }
  const Node& operator[](NodeId id) const noexcept { return function_.nodes[id]; }
  RegionId region() const noexcept { return open_.back(); }
  // How often an equal node was found, and slots of the hash table looked at: work counters.
  uint64_t hits() const noexcept { return hits_; }
  uint64_t probes() const noexcept { return probes_; }

 private:
  struct PendingIf {
    NodeId condition;
    RegionId then_region;
  };

  NodeId insert(const Node& node);
  NodeId append(const Node& node);
  void infer(Node& node) const;
  void check_operand(NodeId id, const char* what) const;
  bool is_visible(RegionId region) const noexcept;
  void open_region(RegionKind kind);
  void close_region();
  void grow();
  void raise_ranks(RegionId region);
  int settle_loop(RegionId region, std::span<const NodeId> inits);
  int value_rank(const Node& owner, uint64_t k) const;
  NodeId structure(Node node);

  Function function_;
  std::vector<RegionId> open_;                      // stack of open regions, the body first
  std::vector<uint8_t> is_open_;                    // by region
  std::vector<NodeId> slots_;                       // hash table of node ids, kNone = empty
  std::vector<std::vector<NodeId>> pending_inits_;  // of the open loops
  std::vector<PendingIf> pending_ifs_;
  size_t used_ = 0;
  uint64_t hits_ = 0;
  uint64_t probes_ = 0;
  SourceLocation location_;
};

}  // namespace lattice::jit::ir
