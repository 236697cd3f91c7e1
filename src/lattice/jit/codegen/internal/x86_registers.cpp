// SPDX-License-Identifier: MIT
// The register allocator of X86Stage: see x86_stage.hpp.
#include <bit>
#include <cstring>

#include "lattice/jit/codegen/internal/x86_stage.hpp"

namespace lattice::jit::internal {

using asmjit::Label;

namespace {
constexpr ir::NodeId kFree = ir::kNone;
constexpr ir::NodeId kTemp = ir::kNone - 1;
}  // namespace

X86Stage::Bank X86Stage::bank_of(Class cls) const noexcept {
  return cls == Class::Mask && is_avx512() ? kPredicate : kVec;
}

int X86Stage::value_bytes(Class cls) const noexcept {
  if (cls == Class::Mask && is_avx512()) return 8;
  if (cls == Class::Narrow && is_wide_) return std::max(vec_bytes_ / 2, 16);
  return vec_bytes_;
}

x86::Vec X86Stage::vec_bytes(int reg, int bytes) const noexcept {
  const auto id = static_cast<uint32_t>(reg);
  if (bytes == 64) return x86::Zmm(id);
  if (bytes == 32) return x86::Ymm(id);
  return x86::Xmm(id);
}

x86::Vec X86Stage::vec(int reg, Class cls) const noexcept {
  return vec_bytes(reg, value_bytes(cls));
}

bool X86Stage::is_dead(NodeId value, uint32_t position) const noexcept {
  return values_[value].last <= position;
}

uint32_t X86Stage::next_use(NodeId value) const noexcept {
  // Positions only grow, so what lies behind is passed over once.
  const Value& held = values_[value];
  while (held.first_use < held.end_use && uses_[held.first_use] < now_) ++held.first_use;
  return held.first_use < held.end_use ? uses_[held.first_use] : held.last;
}

int32_t X86Stage::new_slot(int bytes) {
  for (size_t k = 0; k < free_slots_.size(); ++k) {
    if (free_slots_[k].second != bytes) continue;
    const int32_t slot = free_slots_[k].first;
    free_slots_[k] = free_slots_.back();
    free_slots_.pop_back();
    return slot;
  }
  frame_ = (frame_ + bytes - 1) / bytes * bytes;
  const int32_t slot = frame_;
  frame_ += bytes;
  return slot;
}

x86::Mem X86Stage::slot_memory(NodeId value) const noexcept {
  return x86::ptr(x86::rsp, values_[value].slot);
}

// Copies a register to the frame; for lane-by-lane code and spills.
int32_t X86Stage::spill_to_frame(int reg, Class cls) {
  const int32_t slot = new_slot(value_bytes(cls));
  const x86::Mem memory = x86::ptr(x86::rsp, slot);
  if (bank_of(cls) == kPredicate) {
    asm_.kmovw(memory, x86::KReg(static_cast<uint32_t>(reg)));
  } else {
    op(x86::Inst::kIdVmovups, memory, vec(reg, cls));
  }
  return slot;
}

void X86Stage::store_to_slot(NodeId value) {
  Value& held = values_[value];
  if (held.slot_valid) return;
  if (held.slot < 0) held.slot = new_slot(value_bytes(held.cls));
  if (bank_of(held.cls) == kPredicate) {
    asm_.kmovw(slot_memory(value), x86::KReg(static_cast<uint32_t>(held.reg)));
  } else {
    op(x86::Inst::kIdVmovups, slot_memory(value), vec(held.reg, held.cls));
  }
  held.slot_valid = true;
}

void X86Stage::evict(Bank bank, int reg) {
  const NodeId value = owner_[bank][static_cast<size_t>(reg)];
  if (!is_reloadable(value)) store_to_slot(value);
  drop(value);
}

// Forgets the register of a value.
void X86Stage::drop(NodeId value) {
  Value& held = values_[value];
  if (held.reg < 0) return;
  const Bank bank = bank_of(held.cls);
  owner_[bank][static_cast<size_t>(held.reg)] = kFree;
  free_[bank] |= 1u << held.reg;
  held.reg = -1;
}

int X86Stage::take_register(Bank bank) {
  if (free_[bank] == 0) {
    int victim = -1;
    uint32_t farthest = 0;
    const int count = bank == kPredicate ? 8 : is_avx512() ? 32 : 16;
    for (int reg = 0; reg < count; ++reg) {
      if (((pinned_[bank] | fixed_[bank]) >> reg & 1) != 0) continue;
      const NodeId value = owner_[bank][static_cast<size_t>(reg)];
      if (value == kFree || value == kTemp) continue;
      // What need not be stored goes first among equals.
      uint32_t distance = 2 * next_use(value) + (values_[value].slot_valid ? 1 : 0);
      if (is_memory_constant(value)) distance += 1;
      if (victim < 0 || distance > farthest) {
        victim = reg;
        farthest = distance;
      }
    }
    if (victim < 0) {
      lacks_registers_ = true;
      refuse("an operation needs more registers than there are");
      return bank == kPredicate ? 2 : 0;
    }
    evict(bank, victim);
  }
  const int reg = std::countr_zero(free_[bank]);
  free_[bank] &= ~(1u << reg);
  pinned_[bank] |= 1u << reg;
  return reg;
}

int X86Stage::temp(Class cls) {
  const Bank bank = bank_of(cls);
  const int reg = take_register(bank);
  owner_[bank][static_cast<size_t>(reg)] = kTemp;
  temps_.emplace_back(bank, reg);
  return reg;
}

// Those taken since there were `kept` of them.
void X86Stage::release_temps(size_t kept) {
  for (; temps_.size() > kept; temps_.pop_back()) {
    const auto [bank, reg] = temps_.back();
    owner_[bank][static_cast<size_t>(reg)] = kFree;
    free_[bank] |= 1u << reg;
    pinned_[bank] &= ~(1u << reg);
  }
}

int X86Stage::define(NodeId value) {
  Value& held = values_[value];
  const Bank bank = bank_of(held.cls);
  const int reg = take_register(bank);
  owner_[bank][static_cast<size_t>(reg)] = value;
  held.reg = static_cast<int8_t>(reg);
  held.slot_valid = false;
  touch(value);
  return reg;
}

bool X86Stage::is_memory_constant(NodeId value) const noexcept {
  const Node& n = node(value);
  return n.op == Op::Const || (n.op == Op::Param && param_pointer_[n.imm] < 0);
}

// Read again from where it came from instead of being kept in the frame.
bool X86Stage::is_reloadable(NodeId value) const noexcept {
  return is_memory_constant(value) || (node(value).op == Op::Param && loads_plainly(value));
}

// Where a constant or scalar stands; not a broadcast operand yet.
x86::Mem X86Stage::memory_of_constant(NodeId value) {
  const Node& n = node(value);
  if (n.op == Op::Param) {
    const int32_t slot = scalar_slots_[n.imm];
    return slot >= 0 ? x86::ptr(x86::rsp, slot)
                     : x86::ptr(x86::rdi, static_cast<int32_t>(8 * n.imm));
  }
  Value& held = values_[value];
  if (held.slot < 0) held.slot = new_constant(extended(n.imm, n.type), held.cls);
  return x86::ptr(pool_, held.slot);
}

void X86Stage::load_value(NodeId value, int reg) {
  const Value& held = values_[value];
  const Bank bank = bank_of(held.cls);
  const Node& n = node(value);
  if (is_memory_constant(value)) {
    const x86::Mem memory = memory_of_constant(value);
    if (bank == kPredicate) {
      asm_.kmovw(x86::KReg(static_cast<uint32_t>(reg)), memory);
    } else if (is_avx512()) {
      op(held.cls == Class::Wide ? x86::Inst::kIdVpbroadcastq : x86::Inst::kIdVpbroadcastd,
         vec(reg, held.cls), memory);
    } else {
      op(x86::Inst::kIdVmovups, vec(reg, held.cls), memory);
    }
  } else if (n.op == Op::Param && !held.slot_valid) {
    load_param(value, reg);
  } else if (!held.slot_valid) {
    refuse("a value is read before it is there");
  } else if (bank == kPredicate) {
    asm_.kmovw(x86::KReg(static_cast<uint32_t>(reg)), slot_memory(value));
  } else {
    op(x86::Inst::kIdVmovups, vec(reg, held.cls), slot_memory(value));
  }
}

int X86Stage::use(NodeId value) {
  Value& held = values_[value];
  const Bank bank = bank_of(held.cls);
  touch(value);
  if (held.reg < 0) {
    const int reg = take_register(bank);
    load_value(value, reg);
    owner_[bank][static_cast<size_t>(reg)] = value;
    held.reg = static_cast<int8_t>(reg);
  }
  pinned_[bank] |= 1u << held.reg;
  return held.reg;
}

X86Stage::Operand X86Stage::use_any(NodeId value) {
  Value& held = values_[value];
  const bool is_vector = bank_of(held.cls) == kVec;
  if (held.reg < 0 && is_vector) {
    const Node& n = node(value);
    if (is_memory_constant(value)) return broadcast(memory_of_constant(value), held.cls);
    if (n.op == Op::Param && loads_plainly(value)) {
      if (held.use_count == 1) return param_memory(value);
    } else if (held.slot_valid) {
      touch(value);
      return slot_memory(value);
    }
  }
  const int reg = use(value);
  if (!is_vector) return x86::KReg(static_cast<uint32_t>(reg));
  return vec(reg, held.cls);
}

void X86Stage::release(NodeId value) {
  Value& held = values_[value];
  if (held.is_fixed) return;
  drop(value);
  if (held.slot >= 0 && !held.is_invariant && !is_reloadable(value)) {
    free_slots_.emplace_back(held.slot, value_bytes(held.cls));
    held.slot = -1;
    held.slot_valid = false;
  }
}

// Operands whose last use is the present node: their registers are free for its result. The
// caller has read the register numbers by then and emits one instruction.
void X86Stage::release_dead_operands() {
  for (size_t k = 0; k < touched_.size();) {
    const NodeId value = touched_[k];
    Value& held = values_[value];
    if (is_dead(value, now_) && !held.is_fixed && position_[value] != now_) {
      if (held.reg >= 0) pinned_[bank_of(held.cls)] &= ~(1u << held.reg);
      // The slot may be the instruction's memory operand: it is given back by end_node().
      drop(value);
    }
    ++k;
  }
}

void X86Stage::end_node() {
  for (const NodeId value : touched_) {
    if (is_dead(value, now_)) release(value);
  }
  touched_.clear();
  end_step();
}

// Temps and pins end here, the node goes on.
void X86Stage::end_step() {
  release_temps(0);
  pinned_ = {};
}

// A home in the frame that is cached in a register is as any other value.
bool X86Stage::is_fixed_in_register(NodeId value) const noexcept {
  return values_[value].is_fixed && !values_[value].slot_valid;
}

std::vector<X86Stage::Held> X86Stage::snapshot() const {
  std::vector<Held> held;
  for (const Bank bank : {kVec, kPredicate}) {
    for (size_t reg = 0; reg < 32; ++reg) {
      const NodeId value = owner_[bank][reg];
      if (value == kFree || value == kTemp) continue;
      if (is_fixed_in_register(value)) continue;
      held.push_back(
          {value, static_cast<int8_t>(reg), values_[value].slot_valid || is_reloadable(value)});
    }
  }
  return held;
}

// Brings what was in registers when control flow forked back to where it was, so that both ways to
// this point agree. At a loop's end all of it must be there; elsewhere what has a valid slot on
// both ways may as well be read from there.
void X86Stage::restore(const std::vector<Held>& state, bool is_loop_end) {
  std::vector<Held> kept;
  for (const Held& entry : state) {
    Value& held = values_[entry.value];
    if (!is_loop_end && is_dead(entry.value, now_)) continue;
    if (held.reg != entry.reg) {
      if (!is_loop_end && entry.slot_valid) continue;
      load_value(entry.value, entry.reg);
    }
    kept.push_back(entry);
  }
  set_state(kept);
}

void X86Stage::set_state(const std::vector<Held>& state) {
  for (const Bank bank : {kVec, kPredicate}) {
    for (size_t reg = 0; reg < 32; ++reg) {
      const NodeId value = owner_[bank][reg];
      if (value == kFree || value == kTemp || is_fixed_in_register(value)) continue;
      drop(value);
    }
  }
  for (const Held& entry : state) {
    Value& held = values_[entry.value];
    const Bank bank = bank_of(held.cls);
    held.reg = entry.reg;
    owner_[bank][static_cast<size_t>(entry.reg)] = entry.value;
    free_[bank] &= ~(1u << entry.reg);
    if (!is_reloadable(entry.value)) held.slot_valid = entry.slot_valid;
  }
}

// --- constants -----------------------------------------------------------------------------------

x86::Mem X86Stage::broadcast(x86::Mem element, Class cls) const noexcept {
  if (!is_avx512()) return element;
  const int count = value_bytes(cls) / (cls == Class::Wide ? 8 : 4);
  return count == 2   ? element._1to2()
         : count == 4 ? element._1to4()
         : count == 8 ? element._1to8()
                      : element._1to16();
}

x86::Mem X86Stage::constant_bytes(const void* bytes, size_t count, int alignment) {
  while (pool_bytes_.size() % static_cast<size_t>(alignment) != 0) pool_bytes_.push_back({});
  const auto offset = static_cast<int32_t>(pool_bytes_.size());
  const auto* first = static_cast<const std::byte*>(bytes);
  pool_bytes_.insert(pool_bytes_.end(), first, first + count);
  return x86::ptr(pool_, offset);
}

// An element as it stands in a register: narrow integers are extended to 32 bits.
Bits X86Stage::extended(Bits bits, Type type) noexcept {
  switch (type) {
    case Type::Bool:
      return (bits & 1) != 0 ? ~Bits{0} : 0;
    case Type::I8:
      return static_cast<uint32_t>(static_cast<int8_t>(bits));
    case Type::I16:
      return static_cast<uint32_t>(static_cast<int16_t>(bits));
    default:
      return bits;
  }
}

// Appends a constant to the pool: one element for AVX-512, which broadcasts operands, else a
// register's worth. Returns its offset.
int32_t X86Stage::new_constant(Bits bits, Class cls) {
  const size_t element = cls == Class::Narrow ? 4 : 8;
  const size_t count = is_avx512() ? element : static_cast<size_t>(vec_bytes_);
  std::array<std::byte, 64> bytes{};
  for (size_t k = 0; k < count; k += element) std::memcpy(bytes.data() + k, &bits, element);
  return static_cast<int32_t>(
      constant_bytes(bytes.data(), count, static_cast<int>(count)).offset());
}

// Constants that operations need for themselves; the bits are those in a register.
x86::Mem X86Stage::constant(Bits bits, Class cls) {
  const bool is_narrow = cls == Class::Narrow;
  if (is_narrow) bits &= 0xffffffff;
  for (const Constant& made : constants_) {
    if (made.bits == bits && made.is_narrow == is_narrow) {
      return broadcast(x86::ptr(pool_, made.offset), cls);
    }
  }
  const int32_t offset = new_constant(bits, cls);
  constants_.push_back({bits, offset, is_narrow});
  return broadcast(x86::ptr(pool_, offset), cls);
}

int X86Stage::load_constant(Bits bits, Class cls) {
  const int reg = temp(cls);
  load_constant_to(reg, bits, cls);
  return reg;
}

void X86Stage::load_constant_to(int reg, Bits bits, Class cls) {
  const x86::Mem memory = constant(bits, cls)._1to1();
  if (is_avx512()) {
    op(cls == Class::Wide ? x86::Inst::kIdVpbroadcastq : x86::Inst::kIdVpbroadcastd, vec(reg, cls),
       memory);
  } else {
    op(x86::Inst::kIdVmovups, vec(reg, cls), memory);
  }
}

}  // namespace lattice::jit::internal
