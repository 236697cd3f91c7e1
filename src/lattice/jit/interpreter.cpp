// SPDX-License-Identifier: MIT
#include "lattice/jit/interpreter.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <unordered_map>

#include "lattice/jit/internal/fp_flags.hpp"
#include "lattice/jit/ir/scalar_ops.hpp"
#include "lattice/jit/kernel.hpp"

namespace lattice::jit {

using ir::BoundsMode;
using ir::Function;
using ir::kNone;
using ir::Node;
using ir::NodeId;
using ir::Region;
using ir::RegionId;
using ir::RegionKind;

namespace {

constexpr uint32_t kNoSlot = 0xffffffff;

// All tiles together should stay in a second-level cache.
int tile_length(int slots) noexcept {
  constexpr int kBytes = 512 * 1024;
  int length = kBytes / (8 * std::max(slots, 1));
  return std::clamp(length / 64 * 64, 64, 1024);
}

bool any(const uint8_t* mask, int64_t n) noexcept { return std::memchr(mask, 1, n) != nullptr; }

}  // namespace

void* TileScratch::reserve(size_t bytes) {
  if (bytes > bytes_) {
    memory_ = std::make_unique<std::byte[]>(bytes + 64);
    bytes_ = bytes;
  }
  auto address = reinterpret_cast<uintptr_t>(memory_.get());
  return reinterpret_cast<void*>((address + 63) & ~uintptr_t{63});
}

// Turns the body into steps and gives each value a slot.
//
// Values are node numbers and, behind them, numbers for masks, results of ifs and saved args. A
// Result of a loop shares the loop's arg. A value used inside a loop that it was not made in lives
// until that loop ends.
class Interpreter::Planner {
 public:
  Planner(Interpreter& into, const Function& body) : into_(into), body_(body) {
    for (NodeId id = 0; id < body.nodes.size(); ++id) alias_.push_back(id);
  }

  void plan() {
    into_.regions_.resize(body_.regions.size());
    last_use_.assign(body_.nodes.size(), 0);
    made_in_.assign(body_.nodes.size(), 0);
    number(0);
    assign();
    for (NodeId output : body_.outputs()) into_.outputs_.push_back(alias_[output]);
    into_.slot_of_ = std::move(slot_of_);
    into_.alias_ = std::move(alias_);
    into_.slot_count_ = static_cast<int>(slots_);
    into_.tile_ = tile_length(into_.slot_count_);
  }

 private:
  uint32_t extra_value(RegionId region) {
    alias_.push_back(static_cast<uint32_t>(alias_.size()));
    last_use_.push_back(0);
    made_in_.push_back(region);
    return alias_.back();
  }

  void use(NodeId value, RegionId user, uint32_t at) {
    uint32_t owner = alias_[value];
    uses_.push_back({owner, user, at});
  }

  // First walk: positions in order of execution, plans of loops and ifs, and every use.
  void number(RegionId id) {
    ++position_;
    const Region& region = body_.regions[id];
    for (NodeId arg : region.args) made_in_[arg] = id;
    for (NodeId node_id : region.nodes) {
      const Node& node = body_[node_id];
      ++position_;
      if (node.op == Op::Loop) {
        number_loop(node_id, node, id);
      } else if (node.op == Op::If) {
        number_if(node_id, node, id);
      } else if (node.op == Op::Result) {
        const Node& owner = body_[node.a];
        uint32_t k = static_cast<uint32_t>(node.imm);
        alias_[node_id] =
            owner.op == Op::Loop ? body_.regions[owner.c].args[k] : results_[node.a][k];
      } else {
        made_in_[node_id] = id;
        ir::for_each_operand(body_, node, [&](NodeId operand) { use(operand, id, position_); });
      }
    }
    if (id == 0) {
      ++position_;
      for (NodeId output : region.yields) use(output, 0, position_);
    }
    ++position_;
  }

  void number_loop(NodeId id, const Node& node, RegionId parent) {
    const Region& region = body_.regions[node.c];
    LoopPlan plan;
    plan.region = node.c;
    plan.mask = extra_value(parent);
    std::span<const NodeId> inits = body_.inits(node);
    for (size_t k = 0; k < inits.size(); ++k) {
      use(inits[k], parent, position_);
      Type type = body_[inits[k]].type;
      plan.inits.push_back(
          {alias_[inits[k]], region.args[k], static_cast<uint8_t>(byte_size(type)), type});
      made_in_[region.args[k]] = parent;  // lives on as the loop's result
    }
    number(node.c);
    uint32_t end = ++position_;
    for (size_t k = 0; k < inits.size(); ++k) {
      Merge merge = plan.inits[k];
      merge.to = region.args[k];
      uint32_t next = alias_[region.yields[k]];
      use(region.yields[k], node.c, end);
      extend(region.args[k], end);
      if (next != merge.to) {
        const Node& value = body_[region.yields[k]];
        if (value.op == Op::Arg &&
            std::find(region.args.begin(), region.args.end(), next) != region.args.end()) {
          uint32_t saved = extra_value(parent);
          extend(saved, end);
          plan.saves.push_back({next, saved, merge.bytes, merge.type});
          next = saved;
        }
        merge.from = next;
        plan.nexts.push_back(merge);
      }
    }
    extend(plan.mask, end);
    loop_end_[node.c] = end;
    loop_of_[id] = static_cast<uint32_t>(into_.loops_.size());
    into_.loops_.push_back(std::move(plan));
  }

  void number_if(NodeId id, const Node& node, RegionId parent) {
    IfPlan plan;
    plan.condition = alias_[node.a];
    plan.then_region = node.b;
    plan.else_region = node.c;
    plan.then_mask = extra_value(parent);
    plan.else_mask = extra_value(parent);
    std::vector<uint32_t>& results = results_[id];
    const Region& yes = body_.regions[node.b];
    const Region& no = body_.regions[node.c];
    for (size_t k = 0; k < yes.yields.size(); ++k) results.push_back(extra_value(parent));
    number(node.b);
    number(node.c);
    uint32_t end = ++position_;
    use(node.a, parent, end);
    for (size_t k = 0; k < yes.yields.size(); ++k) {
      Type type = body_[yes.yields[k]].type;
      auto bytes = static_cast<uint8_t>(byte_size(type));
      use(yes.yields[k], node.b, end);
      use(no.yields[k], node.c, end);
      extend(results[k], end);
      plan.then_values.push_back({alias_[yes.yields[k]], results[k], bytes, type});
      plan.else_values.push_back({alias_[no.yields[k]], results[k], bytes, type});
    }
    extend(plan.then_mask, end);
    extend(plan.else_mask, end);
    if_of_[id] = static_cast<uint32_t>(into_.ifs_.size());
    into_.ifs_.push_back(std::move(plan));
  }

  void extend(uint32_t value, uint32_t at) { last_use_[value] = std::max(last_use_[value], at); }

  // The position until which a value must live for a use: the end of the outermost loop between.
  uint32_t lifetime(uint32_t value, RegionId user, uint32_t at) const {
    for (RegionId r = user; r != made_in_[value] && r != 0; r = body_.regions[r].parent) {
      auto found = loop_end_.find(r);
      if (found != loop_end_.end()) at = std::max(at, found->second);
    }
    return at;
  }

  // Second walk: slots and steps.
  void assign() {
    for (const Use& u : uses_) extend(u.value, lifetime(u.value, u.region, u.at));
    slot_of_.assign(alias_.size(), kNoSlot);
    expiring_.resize(position_ + 2);
    position_ = 0;
    emit_region(0);
  }

  uint32_t take(uint32_t value) {
    if (slot_of_[value] != kNoSlot) return value;
    uint32_t slot;
    if (free_.empty()) {
      slot = slots_++;
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    slot_of_[value] = slot;
    // An unused value is overwritten right away.
    expiring_[std::max(last_use_[value], position_)].push_back(slot);
    return value;
  }

  // Slots whose last use lies before the present position can be taken again: never those of the
  // operands of the node in hand, so that input and output tiles differ.
  void advance() {
    for (uint32_t slot : expiring_[position_]) free_.push_back(slot);
    ++position_;
  }

  void emit_region(RegionId id) {
    advance();
    const Region& region = body_.regions[id];
    for (NodeId node_id : region.nodes) {
      const Node& node = body_[node_id];
      advance();
      emit_node(id, node_id, node);
    }
    if (id == 0) advance();
    advance();
  }

  void emit_node(RegionId id, NodeId node_id, const Node& node) {
    switch (node.op) {
      case Op::Arg:
      case Op::Result:
        return;
      case Op::Const:
        into_.constants_.push_back(pin(node_id));
        return;
      case Op::Param:
        into_.params_.push_back(node_id);
        if (into_.stage_.operands[node.imm].kind != OperandKind::Source) {
          pin(node_id);
        }
        return;
      case Op::Loop: {
        uint32_t index = loop_of_[node_id];
        take(into_.loops_[index].mask);
        for (NodeId arg : body_.regions[node.c].args) take(arg);
        for (const Merge& save : into_.loops_[index].saves) take(save.to);
        emit_region(node.c);
        advance();
        Step step{Kind::Loop};
        step.extra = index;
        into_.regions_[id].push_back(step);
        return;
      }
      case Op::If: {
        uint32_t index = if_of_[node_id];
        take(into_.ifs_[index].then_mask);
        take(into_.ifs_[index].else_mask);
        for (uint32_t result : results_[node_id]) take(result);
        emit_region(node.b);
        emit_region(node.c);
        advance();
        Step step{Kind::If};
        step.extra = index;
        into_.regions_[id].push_back(step);
        return;
      }
      default:
        break;
    }
    Step step{Kind::Tile};
    step.checked = node.checked();
    step.bytes = static_cast<uint8_t>(byte_size(node.type));
    auto value = [&](NodeId operand) { return operand == kNone ? 0 : alias_[operand]; };
    step.a = value(node.a);
    step.b = value(node.b);
    step.c = value(node.c);
    Type type = node.a == kNone ? node.type : body_[node.a].type;
    switch (op_kind(node.op)) {
      case OpKind::Unary:
      case OpKind::Test:
        step.tile = internal::unary_tile(node.op, type);
        break;
      case OpKind::Binary:
      case OpKind::Compare:
        step.tile = internal::binary_tile(node.op, type);
        break;
      case OpKind::Math:
        step.tile = op_info(node.op).operand_count == 1 ? internal::unary_tile(node.op, type)
                                                        : internal::binary_tile(node.op, type);
        break;
      case OpKind::Ternary:
        step.tile = internal::ternary_tile(node.op, node.type);
        break;
      case OpKind::Convert:
        if (node.op == Op::Bitcast) {
          step.kind = Kind::Copy;
        } else {
          step.tile = internal::cast_tile(type, node.type);
        }
        break;
      default:
        if (node.op == Op::Gather) {
          step.kind = Kind::Gather;
          step.extra = node_id;
        } else if (node.op == Op::Lookup) {
          step.kind = Kind::Lookup;
          step.extra = static_cast<uint32_t>(node.imm);
        } else if (node.op == Op::LaneIndex) {
          step.kind = Kind::LaneIndex;
          step.extra = static_cast<uint32_t>(node.imm);
        } else if (node.op == Op::Like) {
          step.kind = Kind::Copy;
        } else if (node.op == Op::Exit) {
          step.kind = Kind::Exit;
        } else if (node.op == Op::Guard) {
          step.kind = Kind::Guard;
        } else {
          throw CompileError("jit: " + std::string(op_name(node.op)) + " cannot stand in a stage");
        }
    }
    if (step.kind == Kind::Tile && step.tile == nullptr) {
      throw CompileError("jit: " + std::string(op_name(node.op)) + " does not take " +
                         std::string(type_name(type)));
    }
    step.is_quiet =
        is_float(type) &&
        (node.op == Op::Lt || node.op == Op::Le || node.op == Op::Min || node.op == Op::Max ||
         node.op == Op::FMin || node.op == Op::FMax || node.op == Op::Sign);
    if (step.kind != Kind::Exit && step.kind != Kind::Guard) step.out = take(node_id);
    into_.regions_[id].push_back(step);
    if (step.kind == Kind::Tile && scalar::can_report(node.op, type, node.checked())) {
      step.kind = Kind::Report;
      step.report = internal::report_tile(node.op, type);
      if (step.report != nullptr) into_.regions_[id].push_back(step);
    }
  }

  // Constants and operands are filled once, before anything runs: their slots are nobody else's,
  // neither before nor after.
  uint32_t pin(uint32_t value) {
    slot_of_[value] = slots_++;
    return value;
  }

  struct Use {
    uint32_t value;
    RegionId region;
    uint32_t at;
  };

  Interpreter& into_;
  const Function& body_;
  uint32_t position_ = 0;
  std::vector<uint32_t> alias_;  // node or extra value -> value that holds it
  std::vector<uint32_t> last_use_;
  std::vector<RegionId> made_in_;
  std::vector<Use> uses_;
  std::unordered_map<RegionId, uint32_t> loop_end_;
  std::unordered_map<NodeId, uint32_t> loop_of_, if_of_;
  std::unordered_map<NodeId, std::vector<uint32_t>> results_;
  std::vector<uint32_t> slot_of_;
  std::vector<uint32_t> free_;
  std::vector<std::vector<uint32_t>> expiring_;
  uint32_t slots_ = 0;
};

Interpreter::Interpreter(const Stage& stage) : stage_(stage) { Planner(*this, stage.body).plan(); }

struct Interpreter::Frame {
  StageCall* call;
  std::vector<void*> at;  // value -> its tile, or the operand's memory
  int64_t offset;         // lane of the call at which the tile begins
  int64_t n;
  uint32_t status;

  template <class T>
  T* as(uint32_t value) const noexcept {
    return static_cast<T*>(at[value]);
  }
};

void Interpreter::run(StageCall& call, TileScratch& scratch) const {
  if (call.n <= 0) return;
  const Function& body = stage_.body;
  int64_t length = std::min<int64_t>(call.n, tile_);
  size_t bytes = static_cast<size_t>((length * 8 + 63) / 64 * 64);
  auto* memory = static_cast<std::byte*>(scratch.reserve(bytes * static_cast<size_t>(slot_count_)));
  Frame frame{&call, std::vector<void*>(slot_of_.size()), 0, 0, 0};
  for (size_t v = 0; v < slot_of_.size(); ++v) {
    if (slot_of_[v] != kNoSlot) frame.at[v] = memory + bytes * slot_of_[v];
  }
  for (NodeId id : constants_) {
    internal::fill_tile(byte_size(body[id].type), body[id].imm, frame.at[id], length);
  }
  for (NodeId id : params_) {
    const StageOperand& operand = stage_.operands[body[id].imm];
    if (operand.kind == OperandKind::Scalar) {
      internal::fill_tile(byte_size(operand.type), call.scalar[operand.slot], frame.at[id], length);
    } else if (operand.kind == OperandKind::Element && call.in_stride[operand.slot] == 0) {
      Bits bits = 0;
      std::memcpy(&bits, call.in[operand.slot], static_cast<size_t>(byte_size(operand.type)));
      internal::fill_tile(byte_size(operand.type), bits, frame.at[id], length);
    }
  }
  for (frame.offset = 0; frame.offset < call.n; frame.offset += length) {
    frame.n = std::min(length, call.n - frame.offset);
    for (NodeId id : params_) {
      const StageOperand& operand = stage_.operands[body[id].imm];
      if (operand.kind != OperandKind::Element) continue;
      int64_t stride = call.in_stride[operand.slot];
      if (stride == 0) continue;
      const char* from = static_cast<const char*>(call.in[operand.slot]) + frame.offset * stride;
      if (stride == byte_size(operand.type)) {
        frame.at[id] = const_cast<char*>(from);
      } else {
        internal::load_strided(byte_size(operand.type), from, stride, frame.at[id], frame.n);
      }
    }
    run_region(0, frame, nullptr);
    for (size_t k = 0; k < outputs_.size(); ++k) {
      int size = byte_size(body[body.outputs()[k]].type);
      int64_t stride = call.out_stride[k];
      char* to = static_cast<char*>(call.out[k]) + frame.offset * stride;
      if (stride == size) {
        std::memmove(to, frame.at[outputs_[k]], static_cast<size_t>(frame.n * size));
      } else {
        internal::store_strided(size, frame.at[outputs_[k]], to, stride, frame.n);
      }
    }
  }
  call.status |= frame.status;
}

// Returns false when an Exit left no lane in `mask`, which it narrows.
bool Interpreter::run_region(uint32_t region, Frame& frame, const uint8_t* mask) const {
  for (const Step& step : regions_[region]) {
    switch (step.kind) {
      case Kind::Tile: {
        const internal::InvalidFlag before(step.is_quiet);
        step.tile(frame.at[step.a], frame.at[step.b], frame.at[step.c], frame.at[step.out],
                  frame.n);
        break;
      }
      case Kind::Report:
        frame.status |=
            step.report(frame.at[step.a], frame.at[step.b], mask, frame.n, step.checked);
        break;
      case Kind::Copy:
        std::memcpy(frame.at[step.out], frame.at[step.a],
                    static_cast<size_t>(frame.n) * step.bytes);
        break;
      case Kind::Gather:
        gather(step, frame, mask);
        break;
      case Kind::Lookup: {
        const ir::Table& table = stage_.body.tables[step.extra];
        Type type = stage_.body[step.a].type;
        for (int64_t i = 0; i < frame.n; ++i) {
          uint64_t index = 0;
          std::memcpy(&index, frame.as<char>(step.a) + i * byte_size(type),
                      static_cast<size_t>(byte_size(type)));
          if (std::has_single_bit(table.values.size())) index &= table.values.size() - 1;
          // Lanes that are not active may hold anything.
          Bits bits = index < table.values.size() ? table.values[index] : 0;
          std::memcpy(frame.as<char>(step.out) + i * step.bytes, &bits, step.bytes);
        }
        break;
      }
      case Kind::LaneIndex: {
        int64_t first = frame.call->index == nullptr ? 0 : frame.call->index[step.extra];
        int64_t each = step.extra == 0 ? 1 : 0;
        if (each != 0) first += frame.offset;
        for (int64_t i = 0; i < frame.n; ++i) frame.as<int64_t>(step.out)[i] = first + i * each;
        break;
      }
      case Kind::Guard: {
        const uint8_t* condition = frame.as<uint8_t>(step.a);
        for (int64_t i = 0; i < frame.n; ++i) {
          if (condition[i] == 0 && (mask == nullptr || mask[i] != 0)) frame.status |= kStatusGuard;
        }
        break;
      }
      case Kind::Exit: {
        // The mask of a loop is its own tile, which this loop's plan made writable.
        auto* active = const_cast<uint8_t*>(mask);
        const uint8_t* condition = frame.as<uint8_t>(step.a);
        for (int64_t i = 0; i < frame.n; ++i) active[i] &= condition[i];
        if (!any(active, frame.n)) return false;
        break;
      }
      case Kind::Loop:
        run_loop(loops_[step.extra], frame, mask);
        break;
      case Kind::If:
        run_if(ifs_[step.extra], frame, mask);
        break;
    }
  }
  return true;
}

void Interpreter::run_loop(const LoopPlan& plan, Frame& frame, const uint8_t* mask) const {
  auto* active = frame.as<uint8_t>(plan.mask);
  if (mask == nullptr) {
    std::memset(active, 1, static_cast<size_t>(frame.n));
  } else {
    std::memcpy(active, mask, static_cast<size_t>(frame.n));
  }
  for (const Merge& init : plan.inits) {
    std::memcpy(frame.at[init.to], frame.at[init.from], static_cast<size_t>(frame.n) * init.bytes);
  }
  while (run_region(plan.region, frame, active)) {
    for (const Merge& save : plan.saves) {
      std::memcpy(frame.at[save.to], frame.at[save.from],
                  static_cast<size_t>(frame.n) * save.bytes);
    }
    for (const Merge& next : plan.nexts) {
      internal::merge_tile(next.bytes, active, frame.at[next.from], frame.at[next.to], frame.n);
    }
  }
}

void Interpreter::run_if(const IfPlan& plan, Frame& frame, const uint8_t* mask) const {
  auto* then_mask = frame.as<uint8_t>(plan.then_mask);
  auto* else_mask = frame.as<uint8_t>(plan.else_mask);
  const uint8_t* condition = frame.as<uint8_t>(plan.condition);
  for (int64_t i = 0; i < frame.n; ++i) {
    uint8_t active = mask == nullptr ? 1 : mask[i];
    then_mask[i] = active & condition[i];
    else_mask[i] = active & (condition[i] ^ 1);
  }
  bool some_then = any(then_mask, frame.n);
  if (some_then) run_region(plan.then_region, frame, then_mask);
  if (any(else_mask, frame.n)) {
    run_region(plan.else_region, frame, else_mask);
    for (const Merge& value : plan.else_values) {
      std::memcpy(frame.at[value.to], frame.at[value.from],
                  static_cast<size_t>(frame.n) * value.bytes);
    }
  }
  if (some_then) {
    for (const Merge& value : plan.then_values) {
      internal::merge_tile(value.bytes, then_mask, frame.at[value.from], frame.at[value.to],
                           frame.n);
    }
  }
}

void Interpreter::gather(const Step& step, Frame& frame, const uint8_t* mask) const {
  const Node& node = stage_.body[step.extra];
  const StageOperand& operand = stage_.operands[stage_.body[node.a].imm];
  const SourceArray& source = frame.call->source[operand.slot];
  auto mode = static_cast<BoundsMode>(node.imm);
  const int64_t* indices[3] = {};
  int count = 0;
  for (NodeId index : {node.b, node.c, node.d}) {
    if (index != kNone) indices[count++] = frame.as<int64_t>(alias_[index]);
  }
  char* out = frame.as<char>(step.out);
  for (int64_t i = 0; i < frame.n; ++i) {
    Bits bits = 0;
    if (mask == nullptr || mask[i] != 0) {
      const char* from = static_cast<const char*>(source.base);
      bool is_inside = true;
      for (int k = 0; k < count; ++k) {
        int64_t index = indices[k][i];
        int64_t extent = source.extent[k];
        switch (mode) {
          case BoundsMode::Raise:
            if (index < 0) index += extent;
            is_inside = is_inside && index >= 0 && index < extent;
            break;
          case BoundsMode::Clip:
            index = std::clamp<int64_t>(index, 0, std::max<int64_t>(extent - 1, 0));
            break;
          case BoundsMode::Wrap:
            if (extent > 0) index = scalar::int_mod(index, extent);
            break;
          case BoundsMode::Proven:
            break;
        }
        if (extent <= 0) is_inside = false;
        if (is_inside) from += index * source.stride[k];
      }
      if (is_inside) {
        std::memcpy(&bits, from, step.bytes);
      } else {
        frame.status |= kStatusOutOfBounds;
      }
    }
    std::memcpy(out + i * step.bytes, &bits, step.bytes);
  }
}

}  // namespace lattice::jit
