// SPDX-License-Identifier: MIT
#include "lattice/jit/codegen/internal/interleave.hpp"

#include <algorithm>

namespace lattice::jit::internal {

using ir::kNone;
using ir::Node;
using ir::NodeId;
using ir::RegionId;

namespace {

class Interleaver {
 public:
  Interleaver(const ir::Function& from, const std::vector<bool>& is_shared, int parts)
      : from_(from), is_shared_(is_shared), map_(static_cast<size_t>(parts)) {
    for (std::vector<NodeId>& map : map_) map.assign(from.nodes.size(), kNone);
  }

  Interleaved run() {
    ir::Function& to = made_.body;
    to.name = from_.name;
    to.fp = from_.fp;
    to.math = from_.math;
    to.params = from_.params;
    to.tables = from_.tables;
    to.views = from_.views;
    to.regions.push_back({from_.regions[0].kind, 0, 0, kNone, {}, {}, {}});
    region(0, 0, 0, map_.size());
    return std::move(made_);
  }

 private:
  NodeId add(Node node, RegionId region, size_t part) {
    node.region = region;
    const auto id = static_cast<NodeId>(made_.body.nodes.size());
    made_.body.nodes.push_back(node);
    made_.body.regions[region].nodes.push_back(id);
    made_.parts.push_back(static_cast<uint8_t>(part));
    return id;
  }

  RegionId new_region(RegionId like, RegionId parent, NodeId owner) {
    const ir::Region& old = from_.regions[like];
    made_.body.regions.push_back({old.kind, parent, old.depth, owner, {}, {}, {}});
    return static_cast<RegionId>(made_.body.regions.size() - 1);
  }

  // The nodes of a region for the parts [first, last).
  void region(RegionId from, RegionId to, size_t first, size_t last) {
    for (const NodeId id : from_.regions[from].nodes) {
      const Node& node = from_[id];
      if (is_shared_[id]) {
        const NodeId copy = add(mapped(node, first), to, 0);
        for (size_t part = first; part < last; ++part) map_[part][id] = copy;
      } else if (node.op == Op::Loop) {
        loop(id, to, first, last);
      } else {
        for (size_t part = first; part < last; ++part) copy_node(id, to, part);
      }
    }
    for (size_t part = first; part < last; ++part) {
      for (const NodeId value : from_.regions[from].yields) {
        made_.body.regions[to].yields.push_back(map_[part][value]);
      }
    }
  }

  Node mapped(Node node, size_t part) const {
    ir::for_each_operand(const_cast<ir::Function&>(from_), node,
                         [&](NodeId& operand) { operand = map_[part][operand]; });
    return node;
  }

  void copy_node(NodeId id, RegionId to, size_t part) {
    Node node = from_[id];
    if (node.op == Op::If) {
      node.a = map_[part][node.a];
      const NodeId made = add(node, to, part);
      const RegionId sides[] = {from_[id].b, from_[id].c};
      for (const RegionId side : sides) {
        const RegionId copy = new_region(side, to, made);
        (side == sides[0] ? made_.body.nodes[made].b : made_.body.nodes[made].c) = copy;
        region(side, copy, part, part + 1);
      }
      map_[part][id] = made;
      return;
    }
    if (node.op == Op::Result && from_[node.a].op == Op::Loop) {
      const size_t count = from_.regions[from_[node.a].c].args.size();
      node.imm += (part - loop_first_[map_[part][node.a]]) * count;
    }
    node = mapped(node, part);
    if (node.op == Op::Arg) {
      ir::Region& region = made_.body.regions[to];
      node.imm = region.args.size();
      map_[part][id] = add(node, to, part);
      // Of one argument after another here, of one part after another in the end: see loop().
      made_.body.regions[to].args.push_back(map_[part][id]);
      return;
    }
    map_[part][id] = add(node, to, part);
  }

  void loop(NodeId id, RegionId to, size_t first, size_t last) {
    Node node = from_[id];
    const std::span<const NodeId> inits = from_.inits(node);
    const RegionId body = node.c;
    node.a = static_cast<uint32_t>(made_.body.lists.size());
    node.b = static_cast<uint32_t>(inits.size() * (last - first));
    for (size_t part = first; part < last; ++part) {
      for (const NodeId init : inits) made_.body.lists.push_back(map_[part][init]);
    }
    const NodeId made = add(node, to, first);
    const RegionId copy = new_region(body, to, made);
    made_.body.nodes[made].c = copy;
    for (size_t part = first; part < last; ++part) map_[part][id] = made;
    loop_first_.resize(made_.body.nodes.size(), 0);
    loop_first_[made] = first;
    region(body, copy, first, last);
    std::vector<NodeId> args;
    for (size_t part = first; part < last; ++part) {
      for (const NodeId arg : from_.regions[body].args) {
        made_.body.nodes[map_[part][arg]].imm = args.size();
        args.push_back(map_[part][arg]);
      }
    }
    made_.body.regions[copy].args = std::move(args);
  }

  const ir::Function& from_;
  const std::vector<bool>& is_shared_;
  std::vector<std::vector<NodeId>> map_;  // by part and node of from_
  std::vector<size_t> loop_first_;        // by Loop node made: its first part
  Interleaved made_;
};

struct LoopSize {
  size_t nodes = 0;  // that compute something, nested regions included
  size_t args = 0;
  bool has_branch = false;
};

void measure(const ir::Function& body, RegionId region, LoopSize& size) {
  size.args += body.regions[region].args.size();
  for (const NodeId id : body.regions[region].nodes) {
    const Node& node = body[id];
    if (node.op == Op::Loop) measure(body, node.c, size);
    if (node.op == Op::If) {
      size.has_branch = true;
      measure(body, node.b, size);
      measure(body, node.c, size);
    }
    if (op_kind(node.op) != OpKind::Leaf && op_kind(node.op) != OpKind::Structure) ++size.nodes;
  }
}

// Values from outside that a loop reads: they stay in registers as its arguments do.
size_t count_outer(const ir::Function& body, RegionId loop) {
  std::vector<bool> seen(body.nodes.size(), false);
  size_t count = 0;
  const auto note = [&](NodeId value) {
    if (body[value].op == Op::Const || seen[value]) return;
    for (RegionId at = body[value].region; at != 0; at = body.regions[at].parent) {
      if (at == loop) return;
    }
    seen[value] = true;
    ++count;
  };
  const auto walk = [&](auto&& self, RegionId region) -> void {
    for (const NodeId id : body.regions[region].nodes) {
      const Node& node = body[id];
      if (node.op == Op::Result) continue;
      ir::for_each_operand(body, node, note);
      if (node.op == Op::Loop) self(self, node.c);
      if (node.op == Op::If) {
        self(self, node.b);
        self(self, node.c);
      }
    }
    for (const NodeId value : body.regions[region].yields) note(value);
  };
  walk(walk, loop);
  return count;
}

// Straight-line code whose longest chain of dependent instructions fills a processor's schedulers
// before the next iteration's can start: library functions.
int parts_of_chain(const ir::Function& body) {
  if (body.regions.size() > 1) return 1;
  constexpr size_t kFour = 36;
  constexpr size_t kTwo = 110;
  constexpr uint32_t kLongChain = 12;
  size_t count = 0;
  uint32_t longest = 0;
  std::vector<uint32_t> depth(body.nodes.size(), 0);
  for (const NodeId id : body.regions[0].nodes) {
    const Node& node = body[id];
    if (op_kind(node.op) == OpKind::Leaf) continue;
    ++count;
    ir::for_each_operand(
        body, node, [&](NodeId operand) { depth[id] = std::max(depth[id], depth[operand] + 1); });
    longest = std::max(longest, depth[id]);
  }
  if (longest < kLongChain) return 1;
  return count <= kFour ? 4 : count <= kTwo ? 2 : 1;
}

}  // namespace

Interleaved interleave(const ir::Function& body, const std::vector<bool>& is_shared, int parts) {
  return Interleaver(body, is_shared, parts).run();
}

int choose_parts(const ir::Function& body, int registers) {
  int parts = 8;
  bool has_loop = false;
  for (const NodeId id : body.regions[0].nodes) {
    if (body[id].op != Op::Loop) continue;
    has_loop = true;
    LoopSize size;
    measure(body, body[id].c, size);
    const size_t held = size.args + count_outer(body, body[id].c);
    // Code grows with every part, and what does not fit into registers goes to memory.
    constexpr size_t kFour = 40;
    constexpr size_t kTwo = 240;
    const auto fits = [&](size_t count) {
      return count * held + 6 <= static_cast<size_t>(registers);
    };
    int wanted = 1;
    if (size.nodes <= kFour && fits(4) && !size.has_branch)
      wanted = 4;
    else if (size.nodes <= kTwo && (fits(2) || size.nodes > kFour))
      wanted = 2;
    parts = std::min(parts, wanted);
  }
  return has_loop ? parts : parts_of_chain(body);
}

}  // namespace lattice::jit::internal
