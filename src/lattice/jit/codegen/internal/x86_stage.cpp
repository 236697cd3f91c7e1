// SPDX-License-Identifier: MIT
// Analysis and control flow of X86Stage: see x86_stage.hpp.
#include "lattice/jit/codegen/internal/x86_stage.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <utility>

namespace lattice::jit::internal {

using asmjit::Label;
using ir::kNone;
using ir::RegionId;

X86Stage::X86Stage(const Stage& stage, std::span<const StrideClass> strides, Isa isa,
                   bool is_scalar, Effort effort)
    : stage_(stage),
      source_(&stage.body),
      strides_(strides),
      isa_(isa),
      is_scalar_(is_scalar),
      effort_(effort) {}

void X86Stage::handleError(asmjit::Error, const char* message, asmjit::BaseEmitter*) {
  refuse(std::string("AsmJit: ") + message);
}

void X86Stage::refuse(std::string why) {
  if (why_.empty()) why_ = std::move(why);
}

std::vector<std::byte> X86Stage::compile(asmjit::Logger* logger) {
  code_.init(asmjit::Environment::host());
  code_.setErrorHandler(this);
  if (logger) code_.setLogger(logger);
  code_.attach(&asm_);
  pool_ = asm_.newLabel();

  choose_width();
  assign_pointers();
  divide_into_parts();
  analyse();
  if (!why_.empty()) return {};

  free_[kVec] = is_avx512() ? 0xffffffffu : 0xffffu;
  // k0 cannot mask, those from k1 on are the parts' active masks.
  free_[kPredicate] = is_avx512() ? 0xffu & ~((2u << parts_) - 1) : 0;
  for (auto& bank : owner_) bank.fill(kNone);

  emit_prologue();
  emit_iteration();
  emit_epilogue();
  if (!why_.empty()) return {};

  asm_.align(asmjit::AlignMode::kZero, 64);
  asm_.bind(pool_);
  if (!pool_bytes_.empty()) asm_.embed(pool_bytes_.data(), pool_bytes_.size());
  if (code_.hasUnresolvedLinks()) code_.resolveUnresolvedLinks();
  if (!why_.empty()) return {};
  const asmjit::CodeBuffer& buffer = code_.textSection()->buffer();
  std::vector<std::byte> bytes(buffer.size());
  std::copy_n(reinterpret_cast<const std::byte*>(buffer.data()), buffer.size(), bytes.begin());
  // The frame's size is known only now.
  const auto frame = static_cast<uint32_t>((frame_ + 63) / 64 * 64);
  for (int k = 0; k < 4; ++k) bytes[frame_patch_ + k] = static_cast<std::byte>(frame >> 8 * k);
  return bytes;
}

// --- analysis ------------------------------------------------------------------------------------

void X86Stage::choose_width() {
  for (const Node& n : body().nodes) {
    // Constants too: what reads one (a cast, a test) computes in its lanes.
    if (byte_size(n.type) == 8) is_wide_ = true;
    if (n.op == Op::Lookup || n.op == Op::Gather) is_wide_ = true;
  }
  vec_bytes_ = is_scalar_ ? 16 : is_avx512() ? 64 : 32;
  lanes_ = vec_bytes_ / (is_wide_ ? 8 : 4);
}

// Whether a value, or what an operation reads, is the same for all lanes.
void X86Stage::divide_into_parts() {
  if (is_scalar_ || effort_ != Effort::Interleaved) return;
  const int parts = choose_parts(body(), is_avx512() ? 32 : 16);
  if (parts == 1) return;
  std::vector<bool> is_shared(body().nodes.size());
  values_.assign(body().nodes.size(), {});
  mark_invariants();
  for (NodeId id = 0; id < is_shared.size(); ++id) {
    is_shared[id] = is_memory_constant(id) || values_[id].is_invariant;
  }
  expanded_ = interleave(stage_.body, is_shared, parts);
  source_ = &expanded_.body;
  parts_ = parts;
}

X86Stage::Class X86Stage::class_of(Type type) const noexcept {
  if (type == Type::Void) return Class::None;
  if (type == Type::Bool) return Class::Mask;
  return byte_size(type) == 8 ? Class::Wide : Class::Narrow;
}

void X86Stage::analyse() {
  const size_t count = body().nodes.size();
  values_.assign(count, {});
  position_.assign(count, 0);
  region_end_.assign(body().regions.size(), 0);
  for (size_t id = 0; id < count; ++id) values_[id].cls = class_of(body().nodes[id].type);
  mark_invariants();
  plan_loops();
  now_ = 1;
  for (const NodeId id : body().regions[0].nodes) {
    if (values_[id].is_invariant) position_[id] = ++now_;
  }
  number_region(0);
  end_ = now_ + 1;
  prove_sums();
  for (size_t id = 0; id < count; ++id) values_[id].last = position_[id];

  std::vector<std::pair<NodeId, uint32_t>> found;
  found.reserve(3 * count);
  collect_uses(0, found);
  // Counting sort by value; positions of one value ascend by themselves but for loop ends.
  for (const auto& [value, _] : found) ++values_[value].end_use;
  uint32_t sum = 0;
  for (Value& value : values_) {
    value.first_use = sum;
    sum += std::exchange(value.end_use, sum);
  }
  uses_.resize(sum);
  for (const auto& [value, position] : found) {
    Value& used = values_[value];
    uses_[used.end_use++] = position;
    used.last = std::max(used.last, position);
  }
  for (Value& value : values_) value.use_count = value.end_use - value.first_use;
  for (NodeId id = 0; id < count; ++id) {
    if (body().nodes[id].op == Op::Result) results_.emplace_back(body().nodes[id].a, id);
  }
  std::sort(results_.begin(), results_.end());
}

// Body nodes that no element changes are computed once, before the loop.
void X86Stage::mark_invariants() {
  if (is_scalar_) return;
  for (const NodeId id : body().regions[0].nodes) {
    const Node& n = node(id);
    if (op_kind(n.op) == OpKind::Leaf || op_kind(n.op) == OpKind::Structure ||
        op_kind(n.op) == OpKind::Memory) {
      continue;
    }
    bool is_invariant = true;
    ir::for_each_operand(body(), n, [&](NodeId operand) {
      is_invariant = is_invariant && (is_memory_constant(operand) || values_[operand].is_invariant);
    });
    values_[id].is_invariant = is_invariant;
  }
}

void X86Stage::number_region(RegionId region) {
  for (const NodeId id : body().regions[region].nodes) {
    if (region == 0 && values_[id].is_invariant) continue;
    position_[id] = ++now_;
    const Node& n = node(id);
    if (n.op == Op::Loop) {
      number_region(n.c);
    } else if (n.op == Op::If) {
      number_region(n.b);
      ++now_;  // the test for the else side
      number_region(n.c);
    }
  }
  for (const NodeId value : body().regions[region].yields) {
    if (defer_[value] == Defer::ToHome) position_[value] = ++now_;
  }
  region_end_[region] = ++now_;
  for (const NodeId id : body().regions[region].nodes) {
    if (node(id).op != Op::Exit) continue;
    const auto move = [&](auto&& self, NodeId condition) -> void {
      if (defer_[condition] != Defer::ToExit) return;
      position_[condition] = position_[id];
      if (node(condition).op != Op::And) return;
      self(self, node(condition).a);
      self(self, node(condition).b);
    };
    move(move, node(id).a);
  }
}

// Appends a use; a value from outside of a loop is needed until the loop's end.
void X86Stage::note_use(NodeId value, RegionId region, uint32_t position) {
  const RegionId home = node(value).region;
  uint32_t until = position;
  while (region != home && region != 0) {
    if (body().regions[region].kind == ir::RegionKind::Loop) until = region_end_[region];
    region = body().regions[region].parent;
  }
  if (values_[value].is_invariant) until = end_;
  values_[value].last = std::max(values_[value].last, until);
}

void X86Stage::collect_uses(RegionId region, std::vector<std::pair<NodeId, uint32_t>>& uses) {
  const auto add = [&](NodeId value, uint32_t position) {
    uses.emplace_back(value, position);
    note_use(value, region, position);
  };
  for (const NodeId id : body().regions[region].nodes) {
    const Node& n = node(id);
    // A Result is the home that the owner filled; it reads nothing.
    if (n.op == Op::Result || defer_[id] != Defer::No) continue;
    const auto add_operand = [&](auto&& self, NodeId operand) -> void {
      if (defer_[operand] != Defer::ToExit && defer_[operand] != Defer::ToFma) {
        return add(operand, position_[id]);
      }
      ir::for_each_operand(body(), node(operand), [&](NodeId inner) { self(self, inner); });
    };
    ir::for_each_operand(body(), n, [&](NodeId operand) { add_operand(add_operand, operand); });
    if (n.op == Op::Loop) {
      collect_uses(n.c, uses);
    } else if (n.op == Op::If) {
      collect_uses(n.b, uses);
      add(n.a, region_end_[n.b] + 1);  // once more, for the lanes of the else side
      collect_uses(n.c, uses);
    }
  }
  for (const NodeId value : body().regions[region].yields) {
    if (defer_[value] != Defer::ToHome) continue;
    ir::for_each_operand(body(), node(value),
                         [&](NodeId operand) { add(operand, position_[value]); });
  }
  for (const NodeId value : body().regions[region].yields) {
    if (defer_[value] != Defer::ToHome) add(value, region_end_[region]);
  }
  if (region == 0) return;
  // Arguments live as long as their loop.
  for (const NodeId arg : body().regions[region].args) {
    values_[arg].last = std::max(values_[arg].last, region_end_[region]);
  }
}

// --- frame ---------------------------------------------------------------------------------------

namespace {
constexpr uint32_t kSavedRegisters[] = {3, 12, 13, 14, 15};  // rbx, r12 ... r15
}

void X86Stage::emit_prologue() {
  asm_.push(x86::rbp);
  asm_.mov(x86::rbp, x86::rsp);
  for (int k = 0; k < callee_saved_; ++k) asm_.push(x86::gpq(kSavedRegisters[k]));
  if (is_scalar_) {
    // Aligned by need only: entry and pushes are counted, vectors are stored unaligned.
    asm_.long_().sub(x86::rsp, 0x7fffffff);
    frame_patch_ = asm_.offset() - 4;
  } else {
    asm_.long_().sub(x86::rsp, 0x7fffffff);
    frame_patch_ = asm_.offset() - 4;
    asm_.and_(x86::rsp, -64);
  }
  status_slot_ = new_slot(8);
  asm_.mov(x86::dword_ptr(x86::rsp, status_slot_), 0);
  nothing_ = asm_.newLabel();
  if (!is_scalar_) {
    // Without elements there is none that a broadcast operand could read.
    asm_.cmp(x86::qword_ptr(x86::rdi, offsetof(StageCall, n)), 0);
    asm_.jle(nothing_);
  }
  if (is_avx512()) {
    asm_.mov(x86::eax, is_scalar_ ? 1 : (1 << lanes_) - 1);
    for (part_ = 0; part_ < parts_; ++part_) asm_.kmovw(active_k(), x86::eax);
  } else {
    active_slot_ = new_slot(vec_bytes_ * parts_);
    const x86::Vec ones = vec_bytes(0, vec_bytes_);
    if (is_scalar_) {
      uint64_t first_lane[2] = {is_wide_ ? ~uint64_t{0} : 0xffffffffu, 0};
      op(x86::Inst::kIdVmovups, ones, constant_bytes(first_lane, 16, 16));
    } else {
      op(x86::Inst::kIdVpcmpeqd, ones, ones, ones);
    }
    for (part_ = 0; part_ < parts_; ++part_) op(x86::Inst::kIdVmovups, active_memory(), ones);
  }
  part_ = 0;
  load_scalars();
  if (!is_scalar_) start_pointers();
}

void X86Stage::emit_epilogue() {
  asm_.bind(nothing_);
  if (is_scalar_) {
    asm_.mov(x86::eax, x86::dword_ptr(x86::rsp, status_slot_));
  } else {
    asm_.mov(x86::eax, x86::dword_ptr(x86::rsp, status_slot_));
    asm_.or_(x86::dword_ptr(x86::rdi, offsetof(StageCall, status)), x86::eax);
  }
  // Scalar functions touch no upper halves: their registers are xmm.
  if (!is_scalar_) asm_.vzeroupper();
  if (callee_saved_ == 0) {
    asm_.mov(x86::rsp, x86::rbp);
  } else {
    asm_.lea(x86::rsp, x86::ptr(x86::rbp, -8 * callee_saved_));
  }
  for (int k = callee_saved_; k-- > 0;) asm_.pop(x86::gpq(kSavedRegisters[k]));
  asm_.pop(x86::rbp);
  asm_.ret();
}

void X86Stage::emit_iteration() {
  for (const NodeId id : body().regions[0].nodes) {
    if (!values_[id].is_invariant) continue;
    now_ = position_[id];
    emit_node(id);
    end_node();
  }
  if (is_scalar_) {
    emit_region(0);
    now_ = region_end_[0];
    store_outputs();
    end_node();
    return;
  }

  const Label full = asm_.newLabel();
  const Label tail = asm_.newLabel();
  const Label finish = asm_.newLabel();
  const Label done = asm_.newLabel();
  prepare_for_loop(end_);
  const std::vector<Held> at_head = snapshot();
  asm_.xor_(x86::esi, x86::esi);
  asm_.mov(x86::rax, x86::ptr(x86::rdi, offsetof(StageCall, n)));
  asm_.cmp(x86::rax, lanes());
  asm_.jl(tail);
  asm_.align(asmjit::AlignMode::kCode, 16);
  asm_.bind(full);
  emit_region(0);
  now_ = region_end_[0];
  store_outputs();
  end_node();
  now_ = end_;
  restore(at_head, true);
  asm_.cmp(x86::qword_ptr(x86::rsp, tail_slot_), 0);
  asm_.jne(finish);
  asm_.add(x86::rsi, lanes());
  for (const Pointer& pointer : pointers_) {
    if (pointer.stride != StrideClass::Strided) continue;
    asm_.mov(x86::rax, x86::ptr(x86::rsp, pointer.stride_slot));
    asm_.imul(x86::rax, x86::rax, lanes());
    asm_.add(x86::ptr(x86::rsp, pointer.slot), x86::rax);
  }
  asm_.mov(x86::rax, x86::ptr(x86::rdi, offsetof(StageCall, n)));
  asm_.sub(x86::rax, x86::rsi);
  asm_.cmp(x86::rax, lanes());
  asm_.jge(full);
  asm_.bind(tail);
  asm_.test(x86::rax, x86::rax);
  asm_.jle(done);
  enter_tail();
  restore(at_head, true);
  asm_.jmp(full);
  asm_.bind(finish);
  leave_tail();
  asm_.bind(done);
}

// --- regions -------------------------------------------------------------------------------------

void X86Stage::emit_region(RegionId region) {
  for (const NodeId id : body().regions[region].nodes) {
    if (region == 0 && values_[id].is_invariant) continue;
    if (defer_[id] != Defer::No) continue;
    if (!why_.empty()) return;
    now_ = position_[id];
    emit_node(id);
    end_node();
  }
}

void X86Stage::emit_node(NodeId id) {
  part_ = part_of(id);
  switch (node(id).op) {
    case Op::Param:
      // Operands that take more than a move are read before any branch: whether their slot is
      // valid must not depend on the way.
      if (body().regions.size() > 1 && !is_reloadable(id) && !is_dead(id, now_) &&
          param_pointer_[node(id).imm] >= 0) {
        use(id);
      }
      return;
    case Op::Const:
    case Op::Arg:
    case Op::Result:
      return;  // Read where it is used, or a home.
    case Op::Loop:
      return emit_loop(id);
    case Op::Exit:
      return emit_exit(id);
    case Op::If:
      return emit_if(id);
    default:
      return emit_op(id);
  }
}

// Values that the loop does not touch go to the frame; the others get a valid slot, so that their
// eviction inside costs no store and their return at the end is a load.
void X86Stage::prepare_for_loop(uint32_t end) {
  for (const Held& entry : snapshot()) {
    const NodeId value = entry.value;
    if (is_dead(value, now_)) continue;
    if (is_memory_constant(value)) {
      drop(value);
      continue;
    }
    if (!is_reloadable(value)) store_to_slot(value);
    const uint32_t now = std::exchange(now_, now_ + 1);
    const bool is_used_inside = next_use(value) <= end;
    now_ = now;
    if (!is_used_inside) drop(value);
  }
}

// Whether so many registers are free; of predicates always as many as any operation needs.
bool X86Stage::has_registers(Bank bank, int count) const noexcept {
  if (effort_ == Effort::Frugal) return false;
  return std::popcount(free_[bank]) >= (bank == kPredicate ? 6 : count);
}

// Gives a loop argument or an If's result the place where it stays.
// `reserve`: registers that have to stay free.
void X86Stage::make_home(NodeId value, int reserve) {
  Value& home = values_[value];
  const Bank bank = bank_of(home.cls);
  home.is_fixed = true;
  if (has_registers(bank, reserve + 1)) {
    const int reg = take_register(bank);
    owner_[bank][static_cast<size_t>(reg)] = value;
    fixed_[bank] |= 1u << reg;
    home.reg = static_cast<int8_t>(reg);
    home.slot_valid = false;
  } else {
    home.reg = -1;
    home.slot = new_slot(value_bytes(home.cls));
    home.slot_valid = true;
  }
}

// A home in the frame may be cached in a register; those are ordinary ones.
void X86Stage::set_home(NodeId home, NodeId from, bool masked) {
  part_ = part_of(home);
  const bool in_frame = values_[home].slot_valid;
  if (in_frame) drop(home);
  set_home_register(home, use(from), masked);
}

void X86Stage::set_home_register(NodeId home, int source, bool masked) {
  Value& to = values_[home];
  const Bank bank = bank_of(to.cls);
  const bool in_frame = to.slot_valid;
  if (!masked) {
    if (in_frame) {
      if (bank == kPredicate) {
        asm_.kmovw(slot_memory(home), x86::KReg(static_cast<uint32_t>(source)));
      } else {
        op(x86::Inst::kIdVmovups, slot_memory(home), vec(source, to.cls));
      }
    } else {
      copy(to.reg, source, to.cls);
    }
    return;
  }
  if (bank == kPredicate) {
    const x86::KReg old(static_cast<uint32_t>(in_frame ? temp(to.cls) : to.reg));
    const x86::KReg kept(static_cast<uint32_t>(temp(to.cls)));
    const x86::KReg taken(static_cast<uint32_t>(temp(to.cls)));
    if (in_frame) asm_.kmovw(old, slot_memory(home));
    asm_.kandnw(kept, active_k(), old);
    asm_.kandw(taken, active_k(), x86::KReg(static_cast<uint32_t>(source)));
    asm_.korw(old, kept, taken);
    if (in_frame) asm_.kmovw(slot_memory(home), old);
  } else if (is_avx512()) {
    with_mask(static_cast<int>(active_k().id()));
    if (in_frame) {
      op(to.cls == Class::Wide ? x86::Inst::kIdVmovupd : x86::Inst::kIdVmovups, slot_memory(home),
         vec(source, to.cls));
    } else {
      op(to.cls == Class::Wide ? x86::Inst::kIdVmovapd : x86::Inst::kIdVmovaps, vec(to.reg, to.cls),
         vec(source, to.cls));
    }
  } else {
    const int mask = mask_for(active(), to.cls);
    if (in_frame) {
      const int old = temp(to.cls);
      op(x86::Inst::kIdVmovups, vec(old, to.cls), slot_memory(home));
      op(x86::Inst::kIdVblendvps, vec(old, to.cls), vec(old, to.cls), vec(source, to.cls),
         vec(mask, to.cls));
      op(x86::Inst::kIdVmovups, slot_memory(home), vec(old, to.cls));
    } else {
      op(x86::Inst::kIdVblendvps, vec(to.reg, to.cls), vec(to.reg, to.cls), vec(source, to.cls),
         vec(mask, to.cls));
    }
  }
}

// The region is over: the home's place goes to the Result that reads it, if there is one.
void X86Stage::finish_home(NodeId home, NodeId result) {
  Value& from = values_[home];
  const Bank bank = bank_of(from.cls);
  if (from.slot_valid) drop(home);
  from.is_fixed = false;
  if (from.reg >= 0) fixed_[bank] &= ~(1u << from.reg);
  if (result == kNone || values_[result].last <= position_[result]) {
    release(home);
    return;
  }
  if (home == result) return;
  Value& to = values_[result];
  to.reg = std::exchange(from.reg, int8_t{-1});
  to.slot = std::exchange(from.slot, -1);
  to.slot_valid = std::exchange(from.slot_valid, false);
  if (to.reg >= 0) owner_[bank][static_cast<size_t>(to.reg)] = result;
}

// Result nodes of a Loop or If, by index; kNone where nobody reads one.
std::vector<ir::NodeId> X86Stage::results_of(NodeId owner, size_t count) const {
  std::vector<NodeId> found(count, kNone);
  auto it = std::lower_bound(results_.begin(), results_.end(), std::pair{owner, NodeId{0}});
  for (; it != results_.end() && it->first == owner; ++it) found[node(it->second).imm] = it->second;
  return found;
}

void X86Stage::emit_loop(NodeId id) {
  const Node& n = node(id);
  const RegionId region = n.c;
  const auto& args = body().regions[region].args;
  const auto& nexts = body().regions[region].yields;
  const std::span<const NodeId> inits = body().inits(n);
  prepare_for_loop(region_end_[region]);
  const int reserve = home_reserve(region);
  for (size_t k = 0; k < args.size(); ++k) {
    const auto later = inits.subspan(k + 1);
    const NodeId init = inits[k];
    Value& from = values_[init];
    if (std::find(later.begin(), later.end(), init) == later.end() && dies_in_register(init) &&
        !from.is_invariant && !is_memory_constant(init) &&
        has_registers(bank_of(from.cls), reserve)) {
      // The register becomes the home.
      Value& home = values_[args[k]];
      home.is_fixed = true;
      home.reg = std::exchange(from.reg, int8_t{-1});
      owner_[bank_of(home.cls)][static_cast<size_t>(home.reg)] = args[k];
      fixed_[bank_of(home.cls)] |= 1u << home.reg;
      touch(init);
      continue;
    }
    make_home(args[k], reserve);
    if (is_memory_constant(init) && values_[args[k]].reg >= 0) {
      load_value(init, values_[args[k]].reg);
    } else {
      set_home(args[k], init, false);
    }
    end_step();
  }
  const Label exit = asm_.newLabel();
  end_node();
  // Constants that the copies brought in would have to be there on every round.
  for (const Held& entry : snapshot()) {
    if (is_memory_constant(entry.value)) drop(entry.value);
  }
  // Each part that runs the loop has an Exit in it.
  std::vector<int> parts;
  std::vector<int32_t> saved;
  for (const NodeId inner : body().regions[region].nodes) {
    if (node(inner).op != Op::Exit) continue;
    part_ = part_of(inner);
    parts.push_back(part_);
    saved.push_back(save_active());
  }
  loops_.push_back({region, exit, parts, parts.size(), {}});
  const std::vector<Held> at_head = snapshot();
  const Label head = asm_.newLabel();
  asm_.bind(head);
  emit_region(region);
  if (!why_.empty()) return;
  ++now_;
  // A next value that is another argument's home must be read before that home is written.
  std::vector<std::pair<size_t, int32_t>> copies;
  for (size_t k = 0; k < nexts.size(); ++k) {
    if (nexts[k] == args[k]) continue;
    const bool is_home = std::find(args.begin(), args.end(), nexts[k]) != args.end();
    if (!is_home) continue;
    copies.emplace_back(k, spill_to_frame(use(nexts[k]), values_[nexts[k]].cls));
    end_step();
  }
  for (size_t k = 0; k < nexts.size(); ++k) {
    if (defer_[nexts[k]] != Defer::ToHome) continue;
    now_ = position_[nexts[k]];
    emit_to_home(nexts[k], args[k]);
    end_node();
  }
  now_ = region_end_[region];
  for (size_t k = 0; k < nexts.size(); ++k) {
    if (nexts[k] == args[k] || defer_[nexts[k]] == Defer::ToHome) continue;
    const auto copied = std::find_if(copies.begin(), copies.end(),
                                     [&](const auto& entry) { return entry.first == k; });
    if (copied == copies.end()) {
      set_home(args[k], nexts[k], true);
    } else {
      const Class cls = values_[args[k]].cls;
      const int source = temp(cls);
      const x86::Mem from = x86::ptr(x86::rsp, copied->second);
      if (bank_of(cls) == kPredicate)
        asm_.kmovw(x86::KReg(static_cast<uint32_t>(source)), from);
      else
        op(x86::Inst::kIdVmovups, vec(source, cls), from);
      if (values_[args[k]].slot_valid) drop(args[k]);
      part_ = part_of(args[k]);
      set_home_register(args[k], source, true);
      free_slots_.emplace_back(copied->second, value_bytes(cls));
    }
    end_step();
  }
  end_step();
  restore(at_head, true);
  end_node();
  asm_.jmp(head);
  asm_.bind(exit);
  const LoopState state = std::move(loops_.back());
  loops_.pop_back();
  std::vector<Held> after;
  for (const Held& entry : state.at_exit) {
    if (!is_dead(entry.value, now_)) after.push_back(entry);
  }
  set_state(after);
  for (size_t k = 0; k < parts.size(); ++k) {
    part_ = parts[k];
    load_active(saved[k]);
    free_slots_.emplace_back(saved[k], is_avx512() ? 8 : vec_bytes_);
  }
  const std::vector<NodeId> results = results_of(id, args.size());
  for (size_t k = 0; k < args.size(); ++k) finish_home(args[k], results[k]);
}

void X86Stage::emit_exit(NodeId id) {
  LoopState& loop = loops_.back();
  and_active(node(id).a);
  if (--loop.exits_left > 0) return;
  test_active(loop.parts);
  end_node();
  asm_.jz(loop.exit);
  loop.at_exit = snapshot();
}

void X86Stage::emit_if(NodeId id) {
  const Node& n = node(id);
  const auto& then_values = body().regions[n.b].yields;
  const auto& else_values = body().regions[n.c].yields;
  const std::vector<NodeId> results = results_of(id, then_values.size());
  const int reserve = std::max(home_reserve(n.b), home_reserve(n.c));
  use(n.a);  // The condition must not be evicted between the two sides' tests for want of a slot.
  for (const NodeId result : results) {
    if (result != kNone) make_home(result, reserve);
  }
  const int32_t saved = save_active();
  const Label skip_then = asm_.newLabel();
  const Label skip_else = asm_.newLabel();
  end_node();

  const auto side = [&](RegionId region, const std::vector<NodeId>& values, const Label& skip,
                        bool masked) {
    const std::vector<Held> at_fork = snapshot();
    emit_region(region);
    now_ = region_end_[region];
    for (size_t k = 0; k < values.size(); ++k) {
      if (results[k] == kNone) continue;
      set_home(results[k], values[k], masked);
      end_step();
    }
    end_node();
    for (const NodeId result : results) {
      if (result != kNone && values_[result].slot_valid) drop(result);
    }
    restore(at_fork, false);
    asm_.bind(skip);
  };
  and_active(n.a);
  test_active({&part_, 1});
  asm_.jz(skip_then);
  end_node();
  side(n.b, then_values, skip_then, false);
  if (!why_.empty()) return;
  now_ = region_end_[n.b] + 1;
  part_ = part_of(id);
  and_not_active(saved, n.a, skip_else);
  end_node();
  side(n.c, else_values, skip_else, true);
  part_ = part_of(id);
  load_active(saved);
  free_slots_.emplace_back(saved, is_avx512() ? 8 : vec_bytes_);
  for (const NodeId result : results) {
    if (result != kNone) finish_home(result, result);
  }
}

// --- the active mask -----------------------------------------------------------------------------

int32_t X86Stage::save_active() {
  const TempScope scope(*this);
  if (is_avx512()) {
    const int32_t slot = new_slot(8);
    asm_.kmovw(x86::ptr(x86::rsp, slot), active_k());
    return slot;
  }
  const int32_t slot = new_slot(vec_bytes_);
  const x86::Vec mask = vec_bytes(active(), vec_bytes_);
  op(x86::Inst::kIdVmovups, x86::ptr(x86::rsp, slot), mask);
  return slot;
}

void X86Stage::load_active(int32_t slot) {
  const TempScope scope(*this);
  if (is_avx512()) {
    asm_.kmovw(active_k(), x86::ptr(x86::rsp, slot));
    return;
  }
  const x86::Vec mask = vec_bytes(temp(Class::Mask), vec_bytes_);
  op(x86::Inst::kIdVmovups, mask, x86::ptr(x86::rsp, slot));
  op(x86::Inst::kIdVmovups, active_memory(), mask);
}

int X86Stage::active() {
  if (is_avx512()) return 1;
  const int mask = temp(Class::Mask);
  op(x86::Inst::kIdVmovups, vec_bytes(mask, vec_bytes_), active_memory());
  return mask;
}

void X86Stage::and_active(NodeId condition) {
  const TempScope scope(*this);
  if (defer_[condition] == Defer::ToExit) {
    const Node& n = node(condition);
    if (n.op == Op::And) {
      and_active(n.a);
      return and_active(n.b);
    }
    // A comparison under the mask is one and a conjunction.
    const int a = use(n.a);
    const Operand b = use_any(n.b);
    with_mask(static_cast<int>(active_k().id()));
    return compare(static_cast<int>(active_k().id()), a, b, node(n.a).type, predicate_of(n.op));
  }
  const int mask = use(condition);
  if (is_avx512()) {
    asm_.kandw(active_k(), active_k(), x86::KReg(static_cast<uint32_t>(mask)));
  } else {
    const x86::Vec both = vec_bytes(temp(Class::Mask), vec_bytes_);
    op(x86::Inst::kIdVandps, both, vec_bytes(mask, vec_bytes_), active_memory());
    op(x86::Inst::kIdVmovups, active_memory(), both);
  }
}

void X86Stage::test_active(std::span<const int> parts) {
  const TempScope scope(*this);
  const int given = part_;
  part_ = parts.front();
  if (is_avx512()) {
    x86::KReg any = active_k();
    for (size_t k = 1; k + 1 < parts.size(); ++k) {
      const x86::KReg both(static_cast<uint32_t>(k == 1 ? temp(Class::Mask) : any.id()));
      part_ = parts[k];
      asm_.korw(both, any, active_k());
      any = both;
    }
    part_ = parts.back();
    asm_.kortestw(any, active_k());
  } else {
    const x86::Vec any = vec_bytes(temp(Class::Mask), vec_bytes_);
    op(x86::Inst::kIdVmovups, any, active_memory());
    for (const int part : parts.subspan(1)) {
      part_ = part;
      op(x86::Inst::kIdVorps, any, any, active_memory());
    }
    op(x86::Inst::kIdVptest, any, any);
  }
  part_ = given;
}

void X86Stage::and_not_active(int32_t saved, NodeId condition, Label if_none) {
  const TempScope scope(*this);
  const int mask = use(condition);
  if (is_avx512()) {
    asm_.kmovw(active_k(), x86::ptr(x86::rsp, saved));
    asm_.kandnw(active_k(), x86::KReg(static_cast<uint32_t>(mask)), active_k());
    asm_.kortestw(active_k(), active_k());
  } else {
    const x86::Vec both = vec_bytes(temp(Class::Mask), vec_bytes_);
    op(x86::Inst::kIdVandnps, both, vec_bytes(mask, vec_bytes_), x86::ptr(x86::rsp, saved));
    op(x86::Inst::kIdVmovups, active_memory(), both);
    op(x86::Inst::kIdVptest, both, both);
  }
  asm_.jz(if_none);
}

void X86Stage::raise(int mask_reg, uint32_t status) {
  const Label none = asm_.newLabel();
  if (is_avx512()) {
    asm_.ktestw(active_k(), x86::KReg(static_cast<uint32_t>(mask_reg)));
  } else {
    op(x86::Inst::kIdVptest, vec_bytes(mask_reg, vec_bytes_), active_memory());
  }
  asm_.jz(none);
  asm_.or_(x86::dword_ptr(x86::rsp, status_slot_), status);
  asm_.bind(none);
}

// `lanes`: one bit a lane, in a scratch register that is not rax.
void X86Stage::raise_bits(const x86::Gp& lanes, uint32_t status) {
  const TempScope scope(*this);
  const Label none = asm_.newLabel();
  if (is_avx512()) {
    asm_.kmovw(x86::eax, active_k());
  } else {
    const x86::Vec mask = vec_bytes(active(), vec_bytes_);
    op(is_wide_ ? x86::Inst::kIdVmovmskpd : x86::Inst::kIdVmovmskps, x86::eax, mask);
  }
  asm_.test(x86::eax, lanes.r32());
  asm_.jz(none);
  asm_.or_(x86::dword_ptr(x86::rsp, status_slot_), status);
  asm_.bind(none);
}

}  // namespace lattice::jit::internal
