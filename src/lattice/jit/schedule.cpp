// SPDX-License-Identifier: MIT
#include "lattice/jit/schedule.hpp"

#include <algorithm>
#include <map>
#include <string>

#include "lattice/jit/ir/builder.hpp"
#include "lattice/jit/kernel.hpp"
#include "lattice/jit/passes/dce.hpp"

namespace lattice::jit {

using ir::Builder;
using ir::Function;
using ir::kNone;
using ir::Node;
using ir::NodeId;
using ir::Region;
using ir::RegionId;

namespace {

bool is_structure(Op op) noexcept { return op == Op::Loop || op == Op::If; }

class Scheduler {
 public:
  Scheduler(const Function& function, Schedule& out) : f_(function), out_(out) {
    size_t n = f_.nodes.size();
    in_memory_.assign(n, 0);
    level_.assign(n, 0);
    stored_level_.assign(n, -1);
    class_of_.assign(n, 0);
    stamp_.assign(n, 0);
    lane_.assign(n, 0);
    needed_.assign(n, 0);
    effect_.assign(n, 0);
    for (NodeId id = 0; id < n; ++id) {
      if (f_[id].op == Op::Result) results_[f_[id].a].push_back(id);
    }
    classes_.push_back({});
    class_ids_[{}] = 0;
    find_structures();
  }

  void run() { out_.plan = plan_region(0, f_.regions[0].yields, f_.regions[0].nodes.size()); }

 private:
  // --- what may be part of a stage ---

  // Bottom-up over regions (a child's number is larger than its parent's): which loops and ifs are
  // element-wise throughout, and which outside values each of them uses.
  void find_structures() {
    externals_.resize(f_.regions.size());
    for (size_t r = f_.regions.size(); r-- > 1;) {
      const Region& region = f_.regions[r];
      bool lane = true;
      bool effect = false;
      auto external = [&](NodeId operand) {
        RegionId home = f_[operand].region;
        if (home < r && home != r) externals_[r].push_back(operand);
      };
      for (NodeId id : region.nodes) {
        ++out_.visits;
        const Node& node = f_[id];
        ir::for_each_operand(f_, node, external);
        if (is_structure(node.op)) {
          lane = lane && lane_[id] != 0;
          effect = effect || effect_[id] != 0;
          for (RegionId inner : {node.op == Op::If ? node.b : node.c, node.c}) {
            for (NodeId operand : externals_[inner]) external(operand);
          }
        } else if (node.op == Op::Gather) {
          lane = lane && f_[node.a].region < r;
        } else if (!is_lane_op(node.op)) {
          lane = false;
        }
        effect = effect || node.op == Op::Guard;
      }
      for (NodeId id : region.yields) external(id);
      std::sort(externals_[r].begin(), externals_[r].end());
      externals_[r].erase(std::unique(externals_[r].begin(), externals_[r].end()),
                          externals_[r].end());
      region_is_lane_.resize(f_.regions.size(), 1);
      region_is_lane_[r] = lane ? 1 : 0;
      NodeId owner = region.owner;
      if (effect) effect_[owner] = 1;
      const Node& node = f_[owner];
      lane_[owner] = node.op == Op::Loop ? region_is_lane_[r]
                                         : region_is_lane_[node.b] & region_is_lane_[node.c];
    }
  }

  static bool is_lane_op(Op op) noexcept {
    return is_elementwise(op) || op == Op::Const || op == Op::Arg || op == Op::Exit ||
           op == Op::Guard || op == Op::Result;
  }

  bool is_fusible(NodeId id) const noexcept {
    const Node& node = f_[id];
    if (is_structure(node.op)) return lane_[id] != 0;
    if (node.op == Op::Result) return lane_[node.a] != 0;
    return is_elementwise(node.op) || node.op == Op::Gather || node.op == Op::Guard;
  }

  // Every value that a node needs, those used inside its regions too. Gather's source is no lane
  // value and is passed to `source` instead.
  template <class Use, class Source>
  void for_each_input(NodeId id, Use&& use, Source&& source) const {
    const Node& node = f_[id];
    if (node.op == Op::Gather) {
      source(node.a);
      for (NodeId index : {node.b, node.c, node.d}) {
        if (index != kNone) use(index);
      }
      return;
    }
    ir::for_each_operand(f_, node, use);
    if (is_structure(node.op)) {
      for (RegionId inner : {node.op == Op::If ? node.b : node.c, node.c}) {
        for (NodeId operand : externals_[inner]) {
          if (sources_inside(inner, operand))
            source(operand);
          else
            use(operand);
          if (sources_inside(inner, operand) && used_as_lane(inner, operand)) use(operand);
        }
        if (node.op == Op::Loop) break;
      }
    }
  }

  // Sources of gathers inside a region: computed once for each region.
  bool sources_inside(RegionId region, NodeId value) const {
    const auto& [sources, lanes] = gathers_of(region);
    return std::binary_search(sources.begin(), sources.end(), value);
  }
  bool used_as_lane(RegionId region, NodeId value) const {
    const auto& [sources, lanes] = gathers_of(region);
    return std::binary_search(lanes.begin(), lanes.end(), value);
  }
  using Uses = std::pair<std::vector<NodeId>, std::vector<NodeId>>;
  const Uses& gathers_of(RegionId region) const {
    auto [found, is_new] = gathers_.try_emplace(region);
    if (!is_new) return found->second;
    Uses uses;
    for (NodeId id : f_.regions[region].nodes) {
      const Node& node = f_[id];
      if (node.op == Op::Gather) uses.first.push_back(node.a);
      ir::for_each_operand(f_, node, [&](NodeId operand) {
        if (node.op != Op::Gather || operand != node.a) uses.second.push_back(operand);
      });
      if (is_structure(node.op)) {
        for (RegionId inner : {node.op == Op::If ? node.b : node.c, node.c}) {
          const Uses& below = gathers_of(inner);
          uses.first.insert(uses.first.end(), below.first.begin(), below.first.end());
          uses.second.insert(uses.second.end(), below.second.begin(), below.second.end());
        }
      }
    }
    for (NodeId id : f_.regions[region].yields) uses.second.push_back(id);
    for (auto* list : {&uses.first, &uses.second}) {
      std::sort(list->begin(), list->end());
      list->erase(std::unique(list->begin(), list->end()), list->end());
    }
    return gathers_[region] = std::move(uses);
  }

  // --- shape classes: sets of leaves ---

  uint32_t class_with(std::vector<NodeId> leaves) {
    auto [found, is_new] = class_ids_.try_emplace(leaves, static_cast<uint32_t>(classes_.size()));
    if (is_new) classes_.push_back(std::move(leaves));
    return found->second;
  }
  uint32_t unite(uint32_t x, uint32_t y) {
    if (x == y || y == 0) return x;
    if (x == 0) return y;
    auto [found, is_new] = unions_.try_emplace({std::min(x, y), std::max(x, y)}, 0);
    if (is_new) {
      std::vector<NodeId> both;
      std::set_union(classes_[x].begin(), classes_[x].end(), classes_[y].begin(), classes_[y].end(),
                     std::back_inserter(both));
      uint32_t id = class_with(std::move(both));
      unions_[{std::min(x, y), std::max(x, y)}] = id;
      return id;
    }
    return found->second;
  }

  // --- one region ---

  // Steps that bring `roots` into memory, from the first `count` nodes of a region.
  Plan plan_region(RegionId region, const std::vector<NodeId>& roots, size_t count) {
    std::vector<NodeId> nodes(f_.regions[region].nodes.begin(),
                              f_.regions[region].nodes.begin() + static_cast<ptrdiff_t>(count));
    auto is_here = [&](NodeId id) { return f_[id].region == region; };
    // Backwards: what is needed at all, and what is needed in memory.
    std::vector<NodeId> reduced;  // operands of reductions that may be computed on the way
    auto need = [&](NodeId id, bool memory) {
      if (!is_here(id)) return;
      needed_[id] = 1;
      if (memory && f_[id].op != Op::Const) in_memory_[id] = 1;
    };
    for (NodeId root : roots) need(root, true);
    for (size_t i = nodes.size(); i-- > 0;) {
      NodeId id = nodes[i];
      const Node& node = f_[id];
      ++out_.visits;
      if (node.op == Op::Guard) needed_[id] = 1;
      if (is_structure(node.op) && effect_[id] != 0) needed_[id] = 1;
      if (needed_[id] == 0) continue;
      bool fusible = is_fusible(id);
      for_each_input(
          id,
          [&](NodeId operand) {
            if (!fusible && (node.op == Op::Extent || node.op == Op::Result)) {
              need(operand, false);
            } else if (op_kind(node.op) == OpKind::Reduce && is_here(operand) &&
                       is_fusible(operand)) {
              need(operand, false);
              reduced.push_back(operand);
            } else if (!fusible) {
              need(operand, true);
            } else {
              // Scalars are computed once, not once for each element.
              bool is_hoisted = f_[operand].rank() == 0 && node.rank() > 0 &&
                                f_[operand].op != Op::Loop && f_[operand].op != Op::If;
              need(operand, is_hoisted);
            }
          },
          [&](NodeId source) { need(source, true); });
    }
    std::sort(reduced.begin(), reduced.end());
    for (size_t i = 1; i < reduced.size(); ++i) {
      if (reduced[i] == reduced[i - 1]) in_memory_[reduced[i]] = 1;
    }
    // Forwards: levels and shapes.
    std::vector<std::vector<NodeId>> others;                              // by level
    std::map<std::pair<uint32_t, uint32_t>, std::vector<NodeId>> groups;  // level, class
    std::map<std::pair<uint32_t, uint32_t>, std::vector<NodeId>> effects;
    auto at_level = [&](uint32_t level) -> std::vector<NodeId>& {
      if (others.size() <= level) others.resize(level + 1);
      return others[level];
    };
    for (NodeId id : nodes) {
      ++out_.visits;
      const Node& node = f_[id];
      if (node.op == Op::Param || node.op == Op::Const || node.op == Op::Arg) {
        in_memory_[id] = node.op == Op::Const ? 0 : 1;
        level_[id] = 0;
        class_of_[id] = node.rank() == 0 ? 0 : class_with({id});
        continue;
      }
      if (node.op == Op::Exit || needed_[id] == 0) continue;
      uint32_t level = 0;
      uint32_t shape = 0;
      int stored_below = -1;
      for_each_input(
          id, [&](NodeId operand) { shape = unite(shape, class_here(operand, region)); },
          [](NodeId) {});
      for_each_input(
          id,
          [&](NodeId operand) {
            if (!is_here(operand)) return;
            // Stages of one level run in any order, scalars first: what a stage of another shape
            // writes, here or further down this operand's cone, can be read on the next level.
            bool is_stored =
                in_memory_[operand] != 0 && is_fusible(operand) && class_of_[operand] != 0;
            int stored = is_stored ? static_cast<int>(level_[operand]) : stored_level_[operand];
            level = std::max(level, level_[operand]);
            if (class_of_[operand] != shape) {
              level = std::max(level, static_cast<uint32_t>(stored + 1));
            }
            stored_below = std::max(stored_below, stored);
          },
          [&](NodeId source) {
            if (is_here(source)) {
              level = std::max(level, level_[source] + (f_[source].op == Op::Param ? 0 : 1));
            }
          });
      if (is_fusible(id)) {
        level_[id] = level;
        stored_level_[id] = stored_below;
        class_of_[id] = node.rank() == 0 ? 0 : shape;
        bool is_effect = node.op == Op::Guard || (is_structure(node.op) && effect_[id] != 0);
        if (in_memory_[id] != 0) groups[{level, class_of_[id]}].push_back(id);
        if (is_effect) effects[{level, class_of_[id]}].push_back(id);
        at_level(level);
      } else if (node.op == Op::Result) {  // of a driver loop
        level_[id] = level_[node.a];
        in_memory_[id] = 1;
        class_of_[id] = node.rank() == 0 ? 0 : class_with({id});
      } else {
        level_[id] = level + 1;
        in_memory_[id] = 1;
        class_of_[id] = node.rank() == 0 || is_structure(node.op) ? 0 : class_with({id});
        at_level(level + 1).push_back(id);
      }
    }
    for (auto& [key, list] : effects) groups[key];
    at_level(0);
    Plan plan;
    auto group = groups.begin();
    for (uint32_t level = 0; level < others.size(); ++level) {
      for (NodeId id : others[level]) plan.steps.push_back(other_step(id));
      for (; group != groups.end() && group->first.first == level; ++group) {
        const std::vector<NodeId>& effect = effects[group->first];
        if (group->second.empty() && effect.empty()) continue;
        plan.steps.push_back(map_step(group->second, effect, group->first.second, region));
      }
    }
    return plan;
  }

  uint32_t class_here(NodeId id, RegionId region) {
    if (f_[id].rank() == 0) return 0;
    if (f_[id].region == region) return class_of_[id];
    return class_with({id});  // of an enclosing region: in memory
  }

  PlanStep other_step(NodeId id) {
    const Node& node = f_[id];
    PlanStep step{};
    step.node = id;
    if (is_structure(node.op))
      step.outputs = results_[id];
    else
      step.outputs = {id};
    ir::for_each_operand(f_, node, [&](NodeId operand) { step.inputs.push_back(operand); });
    switch (node.op) {
      case Op::View:
        step.kind = PlanStep::Kind::View;
        break;
      case Op::Transpose:
        step.kind = PlanStep::Kind::Transpose;
        break;
      case Op::Extent:
        step.kind = PlanStep::Kind::Extent;
        step.leaves = classes_[class_here(node.a, node.region)];
        break;
      case Op::Iota:
        step.kind = PlanStep::Kind::Iota;
        break;
      case Op::Scatter:
        step.kind = PlanStep::Kind::Scatter;
        break;
      case Op::Loop: {
        step.kind = PlanStep::Kind::Loop;
        const Region& body = f_.regions[node.c];
        size_t before = 0;
        while (f_[body.nodes[before]].op != Op::Exit) ++before;
        NodeId condition = f_[body.nodes[before]].a;
        if (f_[condition].rank() != 0) {
          throw CompileError(
              "jit: a reduction, scan, view or scatter stands inside a loop whose condition "
              "differs from element to element; take it out of the loop, or make the condition a "
              "scalar");
        }
        step.condition = std::make_unique<Plan>(plan_region(node.c, {condition}, before));
        // The condition's plan and the body's choose apart what is in memory.
        for (NodeId inner : body.nodes) in_memory_[inner] = needed_[inner] = 0;
        step.body = std::make_unique<Plan>(plan_region(node.c, body.yields, body.nodes.size()));
        find_overwritable(*step.body, node.c);
        break;
      }
      case Op::If:
        step.kind = PlanStep::Kind::If;
        if (f_[node.a].rank() != 0) {
          throw CompileError(
              "jit: a reduction, scan, view or scatter stands inside a branch whose condition "
              "differs from element to element; take it out of the branch");
        }
        step.body = std::make_unique<Plan>(
            plan_region(node.b, f_.regions[node.b].yields, f_.regions[node.b].nodes.size()));
        step.otherwise = std::make_unique<Plan>(
            plan_region(node.c, f_.regions[node.c].yields, f_.regions[node.c].nodes.size()));
        break;
      default:
        step.kind =
            op_kind(node.op) == OpKind::Scan ? PlanStep::Kind::Scan : PlanStep::Kind::Reduce;
        if (step.kind == PlanStep::Kind::Reduce) fuse_reduce(step);
    }
    return step;
  }

  bool reads(const PlanStep& step, NodeId id) const {
    const auto holds = [&](const std::vector<NodeId>& nodes) {
      return std::find(nodes.begin(), nodes.end(), id) != nodes.end();
    };
    const auto any = [&](const std::unique_ptr<Plan>& plan) {
      return plan != nullptr &&
             std::any_of(plan->steps.begin(), plan->steps.end(),
                         [&](const PlanStep& inner) { return reads(inner, id); });
    };
    if (holds(step.inputs) || any(step.condition) || any(step.body) || any(step.otherwise)) {
      return true;
    }
    const auto yields = [&](ir::RegionId region) { return holds(f_.regions[region].yields); };
    if (step.kind == PlanStep::Kind::Loop) return yields(f_[step.node].c);
    return step.kind == PlanStep::Kind::If && (yields(f_[step.node].b) || yields(f_[step.node].c));
  }

  // `x[i] = ...` in a loop: when nothing of the round reads the old x any more, it can become the
  // new one. Views and copies that share its memory are seen when the step runs.
  void find_overwritable(Plan& plan, ir::RegionId region) {
    const Region& body = f_.regions[region];
    for (size_t k = 0; k < plan.steps.size(); ++k) {
      PlanStep& step = plan.steps[k];
      if (step.kind != PlanStep::Kind::Scatter) continue;
      const NodeId base = f_[step.node].a;
      const bool is_of_round =
          f_[base].region == region ||
          std::find(body.args.begin(), body.args.end(), base) != body.args.end();
      step.may_overwrite =
          is_of_round &&
          std::find(body.yields.begin(), body.yields.end(), base) == body.yields.end() &&
          std::none_of(plan.steps.begin() + static_cast<ptrdiff_t>(k) + 1, plan.steps.end(),
                       [&](const PlanStep& later) { return reads(later, base); });
    }
  }

  // A reduction whose operand nothing else needs computes it on the way.
  void fuse_reduce(PlanStep& step) {
    NodeId operand = step.inputs[0];
    const Node& node = f_[step.node];
    if (f_[operand].region != node.region || in_memory_[operand] != 0 || !is_fusible(operand)) {
      return;
    }
    PlanStep map = map_step({operand}, {}, class_of_[operand], node.region);
    step.stage = map.stage;
    step.inputs = std::move(map.inputs);
    step.leaves = std::move(map.leaves);
  }

  // --- stages ---

  struct StageBuild {
    Builder builder{"stage"};
    std::map<NodeId, NodeId> operands;  // value in memory -> Element or Scalar param
    std::map<NodeId, NodeId> sources;
    std::map<NodeId, NodeId> spread;
    std::map<NodeId, NodeId> values;
    std::vector<StageOperand> kinds;
    std::vector<NodeId> inputs;
    uint16_t elements = 0, scalars = 0, arrays = 0;
  };

  NodeId operand(StageBuild& build, NodeId id) {
    auto [found, is_new] = build.operands.try_emplace(id, kNone);
    if (!is_new) return found->second;
    const Node& node = f_[id];
    bool scalar = node.rank() == 0;
    build.kinds.push_back({scalar ? OperandKind::Scalar : OperandKind::Element, node.type, 0,
                           scalar ? build.scalars++ : build.elements++});
    build.inputs.push_back(id);
    return found->second = build.builder.param(node.type, scalar ? 0 : 1);
  }
  // A scalar with the shape of an array is read as an element with stride 0, so that code for
  // lanes meets no value that all of them share but constants and scalar operands of operations.
  NodeId spread(StageBuild& build, const Node& node) {
    const Node& from = f_[node.a];
    if (from.rank() > 0 || node.rank() == 0 || (from.op != Op::Const && in_memory_[node.a] == 0)) {
      return build.values.at(node.a);
    }
    if (build.builder.region() != 0 && build.spread.count(node.a) == 0) {
      return build.values.at(node.a);  // operands cannot be added inside a loop
    }
    auto [found, is_new] = build.spread.try_emplace(node.a, kNone);
    if (!is_new) return found->second;
    build.kinds.push_back({OperandKind::Element, from.type, 0, build.elements++});
    build.inputs.push_back(node.a);
    return found->second = build.builder.param(from.type, 1);
  }
  NodeId source(StageBuild& build, NodeId id) {
    auto [found, is_new] = build.sources.try_emplace(id, kNone);
    if (!is_new) return found->second;
    const Node& node = f_[id];
    build.kinds.push_back(
        {OperandKind::Source, node.type, static_cast<uint8_t>(node.rank()), build.arrays++});
    build.inputs.push_back(id);
    return found->second = build.builder.param(node.type, node.rank());
  }

  PlanStep map_step(const std::vector<NodeId>& roots, const std::vector<NodeId>& effects,
                    uint32_t shape, RegionId region) {
    PlanStep step{};
    step.kind = PlanStep::Kind::Map;
    step.outputs = roots;
    step.leaves = classes_[shape];
    StageBuild build;
    // The cone of nodes that this stage computes, down to values in memory.
    ++stamp_now_;
    std::vector<NodeId> cone;
    std::vector<NodeId> memory;
    std::vector<NodeId> arrays;
    std::vector<NodeId> stack;
    auto visit = [&](NodeId id, bool is_root) {
      if (stamp_[id] == stamp_now_) return;
      const Node& node = f_[id];
      bool inside = node.region == region;
      if (node.op == Op::Const) {
        stamp_[id] = stamp_now_;
        cone.push_back(id);
        return;
      }
      if (!is_root && (!inside || in_memory_[id] != 0)) {
        stamp_[id] = stamp_now_;
        memory.push_back(id);
        return;
      }
      stamp_[id] = stamp_now_;
      cone.push_back(id);
      stack.push_back(id);
    };
    for (NodeId root : roots) visit(root, true);
    for (NodeId effect : effects) visit(effect, true);
    while (!stack.empty()) {
      NodeId id = stack.back();
      stack.pop_back();
      ++out_.visits;
      for_each_input(
          id, [&](NodeId input) { visit(input, false); },
          [&](NodeId input) { arrays.push_back(input); });
    }
    std::sort(cone.begin(), cone.end());
    std::sort(memory.begin(), memory.end());
    std::sort(arrays.begin(), arrays.end());
    for (NodeId id : memory) build.values[id] = operand(build, id);
    for (NodeId id : arrays) source(build, id);
    for (NodeId id : cone) copy_node(build, id);
    std::vector<NodeId> outputs;
    for (NodeId root : roots) outputs.push_back(build.values[root]);
    Stage stage;
    set_header(build.builder);
    // A loop was copied whole: values that it carries for other stages go.
    stage.body = passes::dce(build.builder.finish(outputs));
    keep_used_operands(stage, step, build);
    step.stage = static_cast<int>(out_.stages.size());
    out_.stages.push_back(std::move(stage));
    return step;
  }

  static void keep_used_operands(Stage& stage, PlanStep& step, const StageBuild& build) {
    std::vector<uint8_t> used(build.kinds.size(), 0);
    for (const Node& node : stage.body.nodes) {
      if (node.op == Op::Param) used[node.imm] = 1;
    }
    std::vector<uint64_t> number(build.kinds.size());
    std::vector<ir::Parameter> params;
    uint16_t slots[3] = {};
    for (size_t k = 0; k < used.size(); ++k) {
      if (used[k] == 0) continue;
      number[k] = params.size();
      params.push_back(stage.body.params[k]);
      StageOperand kind = build.kinds[k];
      kind.slot = slots[static_cast<int>(kind.kind)]++;
      stage.operands.push_back(kind);
      step.inputs.push_back(build.inputs[k]);
    }
    for (Node& node : stage.body.nodes) {
      if (node.op == Op::Param) node.imm = number[node.imm];
    }
    stage.body.params = std::move(params);
  }

  void set_header(Builder& builder) const {
    builder.function().name = f_.name;
    builder.function().fp = f_.fp;
    builder.function().math = f_.math;
    builder.function().files = f_.files;
  }

  void copy_node(StageBuild& build, NodeId id) {
    const Node& node = f_[id];
    Builder& b = build.builder;
    ++out_.visits;
    if (!f_.locations.empty()) b.set_location(f_.locations[id]);
    auto value = [&](NodeId operand) {
      return operand == kNone ? kNone : build.values.at(operand);
    };
    auto values = [&](std::span<const NodeId> list) {
      std::vector<NodeId> out;
      for (NodeId operand : list) out.push_back(value(operand));
      return out;
    };
    switch (node.op) {
      case Op::Arg:
        return;
      case Op::Const:
        build.values[id] = b.constant(node.type, node.imm);
        return;
      case Op::Like:
        build.values[id] = spread(build, node);
        return;
      case Op::Exit:
        b.exit_unless(value(node.a));
        return;
      case Op::Guard:
        b.guard(value(node.a));
        return;
      case Op::Result:
        build.values[id] = b.result(value(node.a), static_cast<int>(node.imm));
        return;
      case Op::Lookup:
        build.values[id] = b.lookup(f_.tables[node.imm], value(node.a));
        return;
      case Op::Gather: {
        std::vector<NodeId> indices;
        for (NodeId index : {node.b, node.c, node.d}) {
          if (index != kNone) indices.push_back(value(index));
        }
        build.values[id] =
            b.gather(source(build, node.a), indices, static_cast<ir::BoundsMode>(node.imm));
        return;
      }
      case Op::Loop: {
        RegionId body = b.begin_loop(values(f_.inits(node)));
        const Region& region = f_.regions[node.c];
        for (size_t k = 0; k < region.args.size(); ++k) {
          build.values[region.args[k]] = b.arg(body, static_cast<int>(k));
        }
        for (NodeId inner : region.nodes) copy_node(build, inner);
        build.values[id] = b.end_loop(values(region.yields));
        return;
      }
      case Op::If:
        b.begin_if(value(node.a));
        for (NodeId inner : f_.regions[node.b].nodes) copy_node(build, inner);
        b.begin_else(values(f_.regions[node.b].yields));
        for (NodeId inner : f_.regions[node.c].nodes) copy_node(build, inner);
        build.values[id] = b.end_if(values(f_.regions[node.c].yields));
        return;
      default: {
        Node copy = node;
        copy.a = value(node.a);
        copy.b = value(node.b);
        copy.c = value(node.c);
        copy.d = value(node.d);
        build.values[id] = b.emit(copy);
      }
    }
  }

  const Function& f_;
  Schedule& out_;
  std::vector<uint8_t> in_memory_;
  std::vector<uint8_t> needed_;
  std::vector<uint8_t> effect_;  // by Loop or If node: a Guard is inside
  std::map<NodeId, std::vector<NodeId>> results_;
  std::vector<uint8_t> lane_;  // by Loop or If node
  std::vector<uint8_t> region_is_lane_;
  std::vector<uint32_t> level_;
  std::vector<int> stored_level_;  // highest level of stored arrays that a node's cone reads
  std::vector<uint32_t> class_of_;
  std::vector<uint32_t> stamp_;
  uint32_t stamp_now_ = 0;
  std::vector<std::vector<NodeId>> externals_;
  std::vector<std::vector<NodeId>> classes_;
  std::map<std::vector<NodeId>, uint32_t> class_ids_;
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> unions_;
  mutable std::map<RegionId, Uses> gathers_;
};

}  // namespace

Schedule schedule(const Function& function) {
  Schedule out;
  Scheduler(function, out).run();
  return out;
}

}  // namespace lattice::jit
