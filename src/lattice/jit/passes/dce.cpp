// SPDX-License-Identifier: MIT
#include "lattice/jit/passes/dce.hpp"

#include <unordered_map>
#include <vector>

#include "lattice/jit/passes/rewrite.hpp"

namespace lattice::jit::passes {

namespace {

class Eliminator {
 public:
  explicit Eliminator(const Function& from) : from_(from) {
    live_.assign(from.nodes.size(), 0);
    map_.assign(from.nodes.size(), kNone);
  }

  Function run() {
    // A guard is needed, and so are the structures that it stands in.
    for (NodeId id = 0; id < from_.nodes.size(); ++id) {
      if (from_[id].op != Op::Guard) continue;
      need(id);
      for (RegionId r = from_[id].region; r != 0; r = from_.regions[r].parent) {
        need(from_.regions[r].owner);
      }
    }
    for (NodeId output : from_.outputs()) need(output);
    while (!work_.empty()) {
      NodeId id = work_.back();
      work_.pop_back();
      visit(id);
    }
    copy_header(from_, builder_);
    copy_region(0);
    std::vector<NodeId> outputs;
    for (NodeId output : from_.outputs()) outputs.push_back(map_[output]);
    return builder_.finish(outputs);
  }

 private:
  void need(NodeId id) {
    if (live_[id] != 0) return;
    live_[id] = 1;
    work_.push_back(id);
  }

  void visit(NodeId id) {
    const Node& node = from_[id];
    switch (node.op) {
      case Op::Loop:
        // The condition decides how long; which values are carried is asked one by one.
        for (NodeId inner : from_.regions[node.c].nodes) {
          if (from_[inner].op == Op::Exit) need(inner);
        }
        break;
      case Op::If:
        need(node.a);
        break;
      case Op::Arg: {
        // Live: so are its init and its next value.
        NodeId owner = from_.regions[node.region].owner;
        need(owner);
        need(from_.inits(from_[owner])[node.imm]);
        need(from_.regions[node.region].yields[node.imm]);
        break;
      }
      case Op::Result: {
        need(node.a);
        const Node& owner = from_[node.a];
        if (owner.op == Op::Loop) {
          need(from_.regions[owner.c].args[node.imm]);
        } else {
          need(from_.regions[owner.b].yields[node.imm]);
          need(from_.regions[owner.c].yields[node.imm]);
        }
        break;
      }
      default:
        ir::for_each_operand(from_, node, [&](NodeId operand) { need(operand); });
    }
    // Whatever is live inside a loop or branch keeps that alive.
    if (node.region != 0) need(from_.regions[node.region].owner);
  }

  // Which values of a loop or if are kept; the new number of each.
  std::vector<int> kept_values(const Node& node) {
    const ir::Region& region = from_.regions[node.c];
    std::vector<int> number(region.yields.size(), -1);
    int next = 0;
    for (size_t k = 0; k < number.size(); ++k) {
      bool live = node.op == Op::Loop
                      ? live_[region.args[k]] != 0
                      : live_[region.yields[k]] != 0 && live_[from_.regions[node.b].yields[k]] != 0;
      if (live) number[k] = next++;
    }
    return number;
  }

  std::vector<NodeId> pick(std::span<const NodeId> values, const std::vector<int>& number) const {
    std::vector<NodeId> out;
    for (size_t k = 0; k < values.size(); ++k) {
      if (number[k] >= 0) out.push_back(map_[values[k]]);
    }
    return out;
  }

  void copy_region(RegionId region) {
    for (NodeId id : from_.regions[region].nodes) {
      if (live_[id] == 0) continue;
      const Node& node = from_[id];
      builder_.set_location(from_.locations.empty() ? ir::SourceLocation{} : from_.locations[id]);
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
          map_[id] = builder_.result(map_[node.a], numbers_[node.a][node.imm]);
          break;
        case Op::Loop: {
          std::vector<int> number = kept_values(node);
          RegionId body = builder_.begin_loop(pick(from_.inits(node), number));
          const ir::Region& source = from_.regions[node.c];
          for (size_t k = 0; k < number.size(); ++k) {
            if (number[k] >= 0) map_[source.args[k]] = builder_.arg(body, number[k]);
          }
          copy_region(node.c);
          map_[id] = builder_.end_loop(pick(source.yields, number));
          numbers_[id] = std::move(number);
          break;
        }
        case Op::If: {
          std::vector<int> number = kept_values(node);
          builder_.begin_if(map_[node.a]);
          copy_region(node.b);
          builder_.begin_else(pick(from_.regions[node.b].yields, number));
          copy_region(node.c);
          map_[id] = builder_.end_if(pick(from_.regions[node.c].yields, number));
          numbers_[id] = std::move(number);
          break;
        }
        default: {
          Node copy = node;
          if (copy.a != kNone) copy.a = map_[copy.a];
          if (copy.b != kNone) copy.b = map_[copy.b];
          if (copy.c != kNone) copy.c = map_[copy.c];
          if (copy.d != kNone) copy.d = map_[copy.d];
          map_[id] = builder_.emit(copy);
        }
      }
    }
  }

  const Function& from_;
  Builder builder_;
  std::vector<uint8_t> live_;
  std::vector<NodeId> work_;
  std::vector<NodeId> map_;
  std::unordered_map<NodeId, std::vector<int>> numbers_;
};

}  // namespace

Function dce(const Function& function) { return Eliminator(function).run(); }

}  // namespace lattice::jit::passes
