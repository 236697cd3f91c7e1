// SPDX-License-Identifier: MIT
// Operands, outputs and gathers of X86Stage.
//
// Contiguous operands are addressed by pointer + element index. The last, partial iteration runs on
// copies in the frame, padded with the first of its elements: the body needs no masked loads, and
// lanes beyond the end compute what a real lane computes, so they raise no floating-point flag of
// their own.
#include <bit>
#include <cstddef>
#include <numeric>

#include "lattice/jit/codegen/internal/x86_stage.hpp"

namespace lattice::jit::internal {

using asmjit::Label;

namespace {

// Scratch: rax, rcx, rdx, r10, r11. rdi is the call, rsi the element index.
constexpr int8_t kPointerRegisters[] = {8, 9, 3, 12, 13, 14, 15};
constexpr int kFreePointerRegisters = 2;  // the first ones need not be saved

uint32_t log_size(Type type) {
  return static_cast<uint32_t>(std::countr_zero(unsigned(byte_size(type))));
}

x86::Gp part(const x86::Gp& reg, int bytes) {
  return bytes == 8   ? x86::Gp(reg.r64())
         : bytes == 4 ? x86::Gp(reg.r32())
         : bytes == 2 ? x86::Gp(reg.r16())
                      : x86::Gp(reg.r8());
}

}  // namespace

void X86Stage::assign_pointers() {
  const size_t params = body().params.size();
  param_pointer_.assign(params, -1);
  scalar_slots_.assign(params, -1);
  if (is_scalar_) return;
  const auto add = [&](StrideClass stride, Type type, bool is_output, uint16_t index) {
    Pointer pointer;
    pointer.stride = stride;
    pointer.type = type;
    pointer.is_output = is_output;
    pointer.index = index;
    pointers_.push_back(pointer);
  };
  for (size_t p = 0; p < params; ++p) {
    const StageOperand& operand = stage_.operands[p];
    if (operand.kind != OperandKind::Element || strides_[p] == StrideClass::Broadcast) continue;
    param_pointer_[p] = static_cast<int32_t>(pointers_.size());
    add(strides_[p], operand.type, false, operand.slot);
  }
  first_output_ = pointers_.size();
  const auto outputs = body().outputs();
  output_count_ = outputs.size();
  for (size_t k = 0; k < outputs.size(); ++k) {
    StrideClass stride = strides_[params + k];
    if (stride == StrideClass::Broadcast) stride = StrideClass::Strided;
    streams_ = stride == StrideClass::Stream;  // of all outputs or none
    if (streams_) stride = StrideClass::Contiguous;
    add(stride, node(outputs[k]).type, true, static_cast<uint16_t>(k));
  }
  size_t next = 0;
  for (Pointer& pointer : pointers_) {
    if (pointer.stride != StrideClass::Contiguous || next == std::size(kPointerRegisters)) continue;
    pointer.reg = kPointerRegisters[next++];
  }
  callee_saved_ = std::max(0, static_cast<int>(next) - kFreePointerRegisters);
}

void X86Stage::load_scalars() {
  for (size_t p = 0; p < stage_.operands.size(); ++p) {
    const StageOperand& operand = stage_.operands[p];
    if (operand.kind == OperandKind::Source || param_pointer_[p] >= 0) continue;
    const Type type = operand.type;
    const bool is_extended = type == Type::Bool || type == Type::I8 || type == Type::I16;
    if (is_scalar_ && is_avx512() && !is_extended) continue;
    x86::Mem from;
    if (is_scalar_) {
      from = x86::ptr(x86::rdi, static_cast<int32_t>(8 * p));
    } else if (operand.kind == OperandKind::Scalar) {
      asm_.mov(x86::rcx, x86::ptr(x86::rdi, offsetof(StageCall, scalar)));
      from = x86::ptr(x86::rcx, 8 * operand.slot);
    } else {
      asm_.mov(x86::rcx, x86::ptr(x86::rdi, offsetof(StageCall, in)));
      asm_.mov(x86::rcx, x86::ptr(x86::rcx, 8 * operand.slot));
      from = x86::ptr(x86::rcx);
    }
    from.setSize(static_cast<uint32_t>(byte_size(type)));
    switch (type) {
      case Type::Bool:
        asm_.xor_(x86::eax, x86::eax);
        asm_.cmp(from, 0);
        asm_.setne(x86::al);
        asm_.neg(x86::rax);
        break;
      case Type::I8:
      case Type::I16:
        asm_.movsx(x86::eax, from);
        break;
      case Type::U8:
      case Type::U16:
        asm_.movzx(x86::eax, from);
        break;
      default:
        asm_.mov(part(x86::rax, byte_size(type)), from);
    }
    const int32_t slot = new_slot(is_avx512() ? 8 : vec_bytes_);
    scalar_slots_[p] = slot;
    if (is_avx512()) {
      asm_.mov(x86::ptr(x86::rsp, slot), x86::rax);
    } else {
      const x86::Vec lanes = vec_bytes(0, vec_bytes_);
      asm_.vmovq(x86::xmm0, x86::rax);
      op(class_of(type) == Class::Narrow ? x86::Inst::kIdVpbroadcastd : x86::Inst::kIdVpbroadcastq,
         lanes, x86::xmm0);
      op(x86::Inst::kIdVmovups, x86::ptr(x86::rsp, slot), lanes);
    }
  }
}

void X86Stage::write_offsets(const Pointer& pointer) {
  asm_.mov(x86::rax, x86::ptr(x86::rsp, pointer.stride_slot));
  asm_.xor_(x86::ecx, x86::ecx);
  for (int lane = 0; lane < lanes(); ++lane) {
    asm_.mov(x86::ptr(x86::rsp, pointer.offsets_slot + 8 * lane), x86::rcx);
    asm_.add(x86::rcx, x86::rax);
  }
}

void X86Stage::start_pointers() {
  tail_slot_ = new_slot(8);
  index_slot_ = new_slot(8);
  asm_.xor_(x86::eax, x86::eax);
  asm_.mov(x86::ptr(x86::rsp, tail_slot_), x86::rax);
  asm_.mov(x86::ptr(x86::rsp, index_slot_), x86::rax);
  for (Pointer& pointer : pointers_) {
    pointer.buffer = new_slot(64 * parts_);
    const auto list = static_cast<int32_t>(pointer.is_output ? offsetof(StageCall, out)
                                                             : offsetof(StageCall, in));
    const x86::Gp reg = pointer.reg >= 0 ? x86::gpq(static_cast<uint32_t>(pointer.reg)) : x86::rax;
    asm_.mov(reg, x86::ptr(x86::rdi, list));
    asm_.mov(reg, x86::ptr(reg, 8 * pointer.index));
    if (pointer.reg < 0) {
      pointer.slot = new_slot(8);
      asm_.mov(x86::ptr(x86::rsp, pointer.slot), reg);
    }
    if (pointer.stride != StrideClass::Strided) continue;
    const auto strides = static_cast<int32_t>(pointer.is_output ? offsetof(StageCall, out_stride)
                                                                : offsetof(StageCall, in_stride));
    pointer.stride_slot = new_slot(8);
    asm_.mov(x86::rax, x86::ptr(x86::rdi, strides));
    asm_.mov(x86::rax, x86::ptr(x86::rax, 8 * pointer.index));
    asm_.mov(x86::ptr(x86::rsp, pointer.stride_slot), x86::rax);
    if (pointer.is_output) continue;
    pointer.offsets_slot = new_slot(parts_ * (lanes_ <= 8 ? 64 : 128));
    write_offsets(pointer);
  }
}

x86::Mem X86Stage::element_address(const Pointer& pointer, int part) {
  const uint32_t shift = log_size(pointer.type);
  const int32_t ahead = part * lanes_ * byte_size(pointer.type);
  if (pointer.reg >= 0) {
    return x86::ptr(x86::gpq(static_cast<uint32_t>(pointer.reg)), x86::rsi, shift, ahead);
  }
  asm_.mov(x86::rax, x86::ptr(x86::rsp, pointer.slot));
  return x86::ptr(x86::rax, x86::rsi, shift, ahead);
}

// rcx elements from [r11] in steps of `step` (rdx when it is null: a stride) to [r10], by way of
// rax.
void X86Stage::copy_elements(int bytes, bool strided_from, bool strided_to) {
  const Label again = asm_.newLabel();
  asm_.bind(again);
  x86::Mem from = x86::ptr(x86::r11);
  x86::Mem to = x86::ptr(x86::r10);
  asm_.mov(part(x86::rax, bytes), from);
  asm_.mov(to, part(x86::rax, bytes));
  if (strided_from)
    asm_.add(x86::r11, x86::rdx);
  else
    asm_.add(x86::r11, bytes);
  if (strided_to)
    asm_.add(x86::r10, x86::rdx);
  else
    asm_.add(x86::r10, bytes);
  asm_.dec(x86::rcx);
  asm_.jnz(again);
}

// A k register with one bit for each byte of the last elements (AVX-512).
int X86Stage::tail_byte_mask(Type type) {
  const int k = temp(Class::Mask);
  asm_.mov(x86::rcx, x86::ptr(x86::rsp, tail_slot_));
  if (log_size(type) != 0) asm_.shl(x86::ecx, log_size(type));
  asm_.mov(x86::rdx, -1);
  asm_.bzhi(x86::rdx, x86::rdx, x86::rcx);
  asm_.kmovq(x86::KReg(static_cast<uint32_t>(k)), x86::rdx);
  return k;
}

void X86Stage::enter_tail() {
  asm_.mov(x86::ptr(x86::rsp, tail_slot_), x86::rax);
  asm_.mov(x86::ptr(x86::rsp, index_slot_), x86::rsi);
  for (const Pointer& pointer : pointers_) {
    const int bytes = byte_size(pointer.type);
    const bool is_strided = pointer.stride == StrideClass::Strided;
    if (pointer.is_output && is_strided) continue;  // store_output counts by itself
    if (!pointer.is_output) {
      constexpr uint32_t kBroadcast[] = {x86::Inst::kIdVpbroadcastb, x86::Inst::kIdVpbroadcastw,
                                         x86::Inst::kIdVpbroadcastd, x86::Inst::kIdVpbroadcastq};
      const x86::Vec padded = vec_bytes(temp(Class::Wide), vec_bytes_);
      x86::Mem first;
      if (is_strided) {
        asm_.mov(x86::r11, x86::ptr(x86::rsp, pointer.slot));
        first = x86::ptr(x86::r11);
      } else {
        first = element_address(pointer, 0);
        asm_.lea(x86::r11, first);
        first = x86::ptr(x86::r11);
      }
      op(kBroadcast[log_size(pointer.type)], padded, first);
      if (is_avx512() && !is_strided && parts_ == 1) {
        const int k = tail_byte_mask(pointer.type);
        with_mask(k);
        asm_.vmovdqu8(padded.zmm(), first);
        op(x86::Inst::kIdVmovups, x86::ptr(x86::rsp, pointer.buffer), padded);
      } else {
        for (int part = 0; part < parts_; ++part) {
          op(x86::Inst::kIdVmovups, x86::ptr(x86::rsp, pointer.buffer + part * vec_bytes_), padded);
        }
        asm_.mov(x86::rcx, x86::ptr(x86::rsp, tail_slot_));
        asm_.lea(x86::r10, x86::ptr(x86::rsp, pointer.buffer));
        if (is_strided) asm_.mov(x86::rdx, x86::ptr(x86::rsp, pointer.stride_slot));
        copy_elements(bytes, is_strided, false);
      }
    }
    asm_.lea(x86::r11, x86::ptr(x86::rsp, pointer.buffer));
    if (pointer.reg >= 0)
      asm_.mov(x86::gpq(static_cast<uint32_t>(pointer.reg)), x86::r11);
    else
      asm_.mov(x86::ptr(x86::rsp, pointer.slot), x86::r11);
    if (is_strided) {
      asm_.mov(x86::qword_ptr(x86::rsp, pointer.stride_slot), bytes);
      write_offsets(pointer);
    }
    end_step();
  }
  if (!is_avx512()) {
    std::array<std::byte, 64> table{};
    std::fill_n(table.begin(), vec_bytes_, std::byte{0xff});
    asm_.lea(x86::r11, constant_bytes(table.data(), 2 * static_cast<size_t>(vec_bytes_), 32));
  }
  for (part_ = 0; part_ < parts_; ++part_) {
    asm_.mov(x86::rcx, x86::ptr(x86::rsp, tail_slot_));
    if (parts_ > 1) {
      // How many of the part's lanes there are: between 0 and all.
      asm_.xor_(x86::eax, x86::eax);
      asm_.sub(x86::rcx, part_ * lanes_);
      asm_.cmovs(x86::rcx, x86::rax);
      asm_.mov(x86::eax, lanes_);
      asm_.cmp(x86::rcx, x86::rax);
      asm_.cmovg(x86::rcx, x86::rax);
    }
    if (is_avx512()) {
      asm_.mov(x86::edx, -1);
      asm_.bzhi(x86::edx, x86::edx, x86::ecx);
      asm_.kmovw(active_k(), x86::edx);
    } else {
      asm_.neg(x86::rcx);
      const x86::Vec mask = vec_bytes(temp(Class::Mask), vec_bytes_);
      op(x86::Inst::kIdVmovups, mask, x86::ptr(x86::r11, x86::rcx, is_wide_ ? 3u : 2u, vec_bytes_));
      op(x86::Inst::kIdVmovups, active_memory(), mask);
      end_step();
    }
  }
  part_ = 0;
  asm_.xor_(x86::esi, x86::esi);
}

void X86Stage::leave_tail() {
  for (size_t k = first_output_; k < pointers_.size(); ++k) {
    const Pointer& pointer = pointers_[k];
    if (pointer.stride == StrideClass::Strided) continue;
    asm_.mov(x86::r10, x86::ptr(x86::rdi, offsetof(StageCall, out)));
    asm_.mov(x86::r10, x86::ptr(x86::r10, 8 * pointer.index));
    asm_.mov(x86::rcx, x86::ptr(x86::rsp, index_slot_));
    asm_.lea(x86::r10, x86::ptr(x86::r10, x86::rcx, log_size(pointer.type)));
    if (is_avx512() && parts_ == 1) {
      const x86::Vec padded = x86::Zmm(static_cast<uint32_t>(temp(Class::Wide)));
      const int mask = tail_byte_mask(pointer.type);
      op(x86::Inst::kIdVmovups, padded, x86::ptr(x86::rsp, pointer.buffer));
      with_mask(mask);
      asm_.vmovdqu8(x86::ptr(x86::r10), padded.zmm());
    } else {
      asm_.mov(x86::rcx, x86::ptr(x86::rsp, tail_slot_));
      asm_.lea(x86::r11, x86::ptr(x86::rsp, pointer.buffer));
      copy_elements(byte_size(pointer.type), false, false);
    }
    end_step();
  }
}

// --- operands ------------------------------------------------------------------------------------

bool X86Stage::loads_plainly(NodeId id) const noexcept {
  const Node& n = node(id);
  const int32_t pointer = param_pointer_[n.imm];
  return pointer >= 0 &&
         pointers_[static_cast<size_t>(pointer)].stride == StrideClass::Contiguous &&
         n.type != Type::Bool && byte_size(n.type) >= 4;
}

x86::Mem X86Stage::param_memory(NodeId id) {
  return element_address(pointers_[static_cast<size_t>(param_pointer_[node(id).imm])], part_of(id));
}

void X86Stage::load_param(NodeId id, int dst) {
  const Type type = node(id).type;
  const Pointer& pointer = pointers_[static_cast<size_t>(param_pointer_[node(id).imm])];
  const Class cls = values_[id].cls;
  const int bytes = byte_size(type);
  if (loads_plainly(id)) {
    op(x86::Inst::kIdVmovups, vec(dst, cls), element_address(pointer, part_of(id)));
    return;
  }
  x86::Mem from;
  const int32_t offsets = pointer.offsets_slot + 8 * lanes_ * part_of(id);
  if (pointer.stride == StrideClass::Contiguous) {
    from = element_address(pointer, part_of(id));
  } else {
    if (bytes == 8 || (bytes == 4 && is_wide_)) {
      asm_.mov(x86::rax, x86::ptr(x86::rsp, pointer.slot));
      const int index = temp(Class::Wide);
      op(x86::Inst::kIdVmovups, vec(index, Class::Wide), x86::ptr(x86::rsp, offsets));
      gather(dst, cls, x86::ptr(x86::rax, vec(index, Class::Wide)), false);
      return;
    }
    asm_.mov(x86::r11, x86::ptr(x86::rsp, pointer.slot));
    const int32_t buffer = new_slot(64);
    for (int lane = 0; lane < lanes_; ++lane) {
      asm_.mov(x86::rcx, x86::ptr(x86::rsp, offsets + 8 * lane));
      asm_.mov(part(x86::rax, bytes), x86::ptr(x86::r11, x86::rcx));
      asm_.mov(x86::ptr(x86::rsp, buffer + bytes * lane), part(x86::rax, bytes));
    }
    free_slots_.emplace_back(buffer, 64);
    from = x86::ptr(x86::rsp, buffer);
    if (bytes == 4) {
      op(x86::Inst::kIdVmovups, vec(dst, cls), from);
      return;
    }
  }
  if (type != Type::Bool) {
    constexpr uint32_t kExtend[2][2] = {{x86::Inst::kIdVpmovzxbd, x86::Inst::kIdVpmovsxbd},
                                        {x86::Inst::kIdVpmovzxwd, x86::Inst::kIdVpmovsxwd}};
    op(kExtend[bytes - 1][is_signed_int(type)], vec(dst, cls), from);
    return;
  }
  if (is_avx512()) {
    const int loaded = temp(Class::Narrow);
    const x86::Xmm flags(static_cast<uint32_t>(loaded));
    if (lanes_ == 8)
      asm_.vmovq(flags, from);
    else
      asm_.vmovdqu(flags, from);
    asm_.vptestmb(x86::KReg(static_cast<uint32_t>(dst)), flags, flags);
  } else {
    const x86::Vec mask = vec_bytes(dst, vec_bytes_);
    const x86::Vec zero = vec_bytes(temp(Class::Mask), vec_bytes_);
    op(x86::Inst::kIdVpxor, zero, zero, zero);
    op(is_wide_ ? x86::Inst::kIdVpmovzxbq : x86::Inst::kIdVpmovzxbd, mask, from);
    op(is_wide_ ? x86::Inst::kIdVpcmpgtq : x86::Inst::kIdVpcmpgtd, mask, mask, zero);
  }
}

// REQUIRES: wide stage. `from` has a vector index of 64-bit lanes. `masked`: active lanes only, the
// others give 0.
void X86Stage::gather(int dst, Class cls, const x86::Mem& from, bool masked) {
  const TempScope scope(*this);
  const x86::Vec to = vec(dst, cls);
  const bool is_wide = cls == Class::Wide;
  if (is_avx512()) {
    const x86::KReg k(static_cast<uint32_t>(temp(Class::Mask)));
    if (masked)
      asm_.kmovw(k, active_k());
    else
      asm_.kxnorw(k, k, k);
    op(x86::Inst::kIdVpxord, to, to, to);
    with_mask(static_cast<int>(k.id()));
    op(is_wide ? x86::Inst::kIdVgatherqpd : x86::Inst::kIdVgatherqps, to, from);
    return;
  }
  const int mask = temp(Class::Mask);
  if (masked) {
    copy(mask, mask_for(active(), cls), Class::Mask);
  } else {
    const x86::Vec all = vec_bytes(mask, vec_bytes_);
    op(x86::Inst::kIdVpcmpeqd, all, all, all);
  }
  op(x86::Inst::kIdVpxor, to, to, to);
  op(is_wide ? x86::Inst::kIdVgatherqpd : x86::Inst::kIdVgatherqps, to, from, vec(mask, cls));
}

// Small tables are registers: dst = table[low bits of index], of 8, 16 or 32 elements of 64 bits.
void X86Stage::permute_table(int dst, int index, int32_t offset, size_t count) {
  const TempScope scope(*this);
  const auto part = [&](int number) { return x86::ptr(pool_, offset + 64 * number, 64); };
  const x86::Vec to = vec(dst, Class::Wide);
  const x86::Vec at = vec(index, Class::Wide);
  if (count == 8) return op(x86::Inst::kIdVpermpd, to, at, part(0));
  op(x86::Inst::kIdVmovupd, to, part(0));
  op(x86::Inst::kIdVpermt2pd, to, at, part(1));
  if (count == 16) return;
  const x86::KReg is_upper(static_cast<uint32_t>(temp(Class::Mask)));
  const x86::Vec upper = vec(temp(Class::Wide), Class::Wide);
  op(x86::Inst::kIdVmovupd, upper, part(2));
  op(x86::Inst::kIdVpermt2pd, upper, at, part(3));
  op(x86::Inst::kIdVptestmq, is_upper, at, constant(16, Class::Wide));
  with_mask(static_cast<int>(is_upper.id()));
  op(x86::Inst::kIdVmovapd, to, upper);
}

void X86Stage::load_lookup(NodeId id) {
  const Node& n = node(id);
  const ir::Table& table = body().tables[n.imm];
  int32_t offset = -1;
  for (const auto& [made, at] : tables_) {
    if (made == &table) offset = at;
  }
  const Class cls = values_[id].cls;
  if (cls == Class::Mask) return refuse("a table of bools");
  if (offset < 0) {
    std::vector<std::byte> bytes;
    for (const Bits bits : table.values) {
      const Bits element = extended(bits, table.type);
      const auto* first = reinterpret_cast<const std::byte*>(&element);
      bytes.insert(bytes.end(), first, first + (cls == Class::Wide ? 8 : 4));
    }
    offset = static_cast<int32_t>(constant_bytes(bytes.data(), bytes.size(), 64).offset());
    tables_.emplace_back(&table, offset);
  }
  const size_t size = table.values.size();
  const int index = wide_index(n.a);
  if (is_avx512() && cls == Class::Wide && vec_bytes_ == 64 &&
      (size == 8 || size == 16 || size == 32)) {
    return permute_table(define(id), index, offset, size);
  }
  int place = index;
  if (std::has_single_bit(size)) {
    place = temp(Class::Wide);
    bitwise(kAnd, place, index, constant(size - 1, Class::Wide), Class::Wide);
  }
  const int dst = define(id);
  asm_.lea(x86::rax, x86::ptr(pool_, offset));
  // With any index in range all lanes read: zeros in those beyond the end would raise flags.
  const bool is_masked = place == index;
  gather(dst, cls, x86::ptr(x86::rax, vec(place, Class::Wide), cls == Class::Wide ? 3u : 2u),
         is_masked);
}

// An integer of any type in 64-bit lanes.
int X86Stage::wide_index(NodeId id) {
  if (values_[id].cls == Class::Wide) return use(id);
  const int narrow = use(id);
  const int wide = temp(Class::Wide);
  op(is_signed_int(node(id).type) ? x86::Inst::kIdVpmovsxdq : x86::Inst::kIdVpmovzxdq,
     vec(wide, Class::Wide), vec(narrow, Class::Narrow));
  return wide;
}

// The node at hand has read the value for the last time: its register may go to a temp.
void X86Stage::unpin(NodeId value) noexcept {
  if (values_[value].reg >= 0) pinned_[bank_of(values_[value].cls)] &= ~(1u << values_[value].reg);
}

void X86Stage::load_gather(NodeId id) {
  const Node& n = node(id);
  const auto mode = static_cast<ir::BoundsMode>(n.imm);
  if (mode == ir::BoundsMode::Wrap) return refuse("gather with wrap");
  const StageOperand& source = stage_.operands[node(n.a).imm];
  const auto at = static_cast<int32_t>(sizeof(SourceArray) * source.slot);
  const Class cls = values_[id].cls;
  const int dst = define(id);
  const int offsets = temp(Class::Wide);
  const int saved = is_avx512() ? temp(Class::Mask) : -1;
  const int32_t saved_slot = is_avx512() ? -1 : save_active();
  if (is_avx512()) asm_.kmovw(x86::KReg(static_cast<uint32_t>(saved)), active_k());
  const NodeId indices[] = {n.b, n.c, n.d};
  const int index = temp(Class::Wide);
  const int extent = temp(Class::Wide);
  const int other = temp(Class::Wide);
  const int last = mode == ir::BoundsMode::Clip ? temp(Class::Wide) : -1;
  const int mask = mode == ir::BoundsMode::Proven ? -1 : temp(Class::Mask);
  const int outside = mode == ir::BoundsMode::Proven ? -1 : temp(Class::Mask);
  for (int axis = 0; axis < source.rank; ++axis) {
    const int given = use(indices[axis]);
    const auto v = [&](int reg) { return vec(reg, Class::Wide); };
    asm_.mov(x86::rax, x86::ptr(x86::rdi, offsetof(StageCall, source)));
    op(x86::Inst::kIdVpbroadcastq, v(extent),
       x86::ptr(x86::rax, at + static_cast<int32_t>(offsetof(SourceArray, extent)) + 8 * axis));
    copy(index, given, Class::Wide);
    unpin(indices[axis]);
    if (mode != ir::BoundsMode::Proven) {
      // `below`: lanes with a negative index. `inside`: lanes that read.
      bitwise(kXor, other, other, v(other), Class::Wide);
      compare(mask, index, v(other), Type::I64, kLt);
      if (mode == ir::BoundsMode::Raise) {
        op(x86::Inst::kIdVpaddq, v(other), v(index), v(extent));
      }
      if (is_avx512()) {
        with_mask(mask);
        op(x86::Inst::kIdVmovdqa64, v(index), v(other));
      } else {
        op(x86::Inst::kIdVblendvpd, v(index), v(index), v(other), v(mask));
      }
      if (mode == ir::BoundsMode::Clip) {
        op(x86::Inst::kIdVpaddq, v(last), v(extent), constant(~Bits{0}, Class::Wide));
        compare(mask, last, v(index), Type::I64, kLt);
        if (is_avx512()) {
          with_mask(mask);
          op(x86::Inst::kIdVmovdqa64, v(index), v(last));
        } else {
          op(x86::Inst::kIdVblendvpd, v(index), v(index), v(last), v(mask));
        }
      }
      // 0 <= index < extent, as one comparison without sign.
      compare(mask, index, v(extent), Type::U64, kLt);
      if (is_avx512()) {
        const x86::KReg inside(static_cast<uint32_t>(mask));
        asm_.knotw(x86::KReg(static_cast<uint32_t>(outside)), inside);
        if (mode == ir::BoundsMode::Raise) raise(outside, kStatusOutOfBounds);
        asm_.kandw(active_k(), active_k(), inside);
      } else {
        op(x86::Inst::kIdVpcmpeqd, v(outside), v(outside), v(outside));
        op(x86::Inst::kIdVpxor, v(outside), v(outside), v(mask));
        if (mode == ir::BoundsMode::Raise) raise(outside, kStatusOutOfBounds);
        op(x86::Inst::kIdVandps, v(mask), v(mask), active_memory());
        op(x86::Inst::kIdVmovups, active_memory(), v(mask));
      }
    }
    asm_.mov(x86::rax, x86::ptr(x86::rdi, offsetof(StageCall, source)));
    op(x86::Inst::kIdVpbroadcastq, v(extent),
       x86::ptr(x86::rax, at + static_cast<int32_t>(offsetof(SourceArray, stride)) + 8 * axis));
    if (axis == 0) {
      mul64(offsets, index, extent);
    } else {
      mul64(other, index, extent);
      op(x86::Inst::kIdVpaddq, v(offsets), v(offsets), v(other));
    }
  }
  asm_.mov(x86::rax, x86::ptr(x86::rdi, offsetof(StageCall, source)));
  asm_.mov(x86::r11, x86::ptr(x86::rax, at + static_cast<int32_t>(offsetof(SourceArray, base))));
  if (n.type != Type::Bool && byte_size(n.type) >= 4) {
    gather(dst, cls, x86::ptr(x86::r11, vec(offsets, Class::Wide)), true);
  } else {
    const int32_t slots = spill_to_frame(offsets, Class::Wide);
    const int32_t buffer = new_slot(64);
    if (is_avx512()) {
      asm_.kmovw(x86::edx, active_k());
    } else {
      op(x86::Inst::kIdVmovmskpd, x86::edx, vec(active(), Class::Wide));
    }
    for (int lane = 0; lane < lanes_; ++lane) {
      const Label skip = asm_.newLabel();
      asm_.xor_(x86::eax, x86::eax);
      asm_.bt(x86::edx, lane);
      asm_.jnc(skip);
      asm_.mov(x86::rcx, x86::ptr(x86::rsp, slots + 8 * lane));
      x86::Mem element = x86::ptr(x86::r11, x86::rcx);
      element.setSize(static_cast<uint32_t>(byte_size(n.type)));
      if (is_signed_int(n.type))
        asm_.movsx(x86::eax, element);
      else
        asm_.movzx(x86::eax, element);
      asm_.bind(skip);
      asm_.mov(x86::dword_ptr(x86::rsp, buffer + 4 * lane), x86::eax);
    }
    if (n.type == Type::Bool) {
      const int flags = temp(Class::Narrow);
      const int zero = load_constant(0, Class::Narrow);
      op(x86::Inst::kIdVmovups, vec(flags, Class::Narrow), x86::ptr(x86::rsp, buffer));
      compare(dst, flags, vec(zero, Class::Narrow), Type::I32, kNe);
    } else {
      op(x86::Inst::kIdVmovups, vec(dst, cls), x86::ptr(x86::rsp, buffer));
    }
    free_slots_.emplace_back(buffer, 64);
    free_slots_.emplace_back(slots, value_bytes(Class::Wide));
  }
  if (is_avx512()) {
    asm_.kmovw(active_k(), x86::KReg(static_cast<uint32_t>(saved)));
  } else {
    load_active(saved_slot);
    free_slots_.emplace_back(saved_slot, vec_bytes_);
  }
}

void X86Stage::lane_index(NodeId id) {
  const Node& n = node(id);
  if (n.type != Type::I64) return refuse("a lane index that is not i64");
  const int dst = define(id);
  asm_.mov(x86::rax, x86::ptr(x86::rdi, offsetof(StageCall, index)));
  asm_.mov(x86::rax, x86::ptr(x86::rax, static_cast<int32_t>(8 * n.imm)));
  if (n.imm == 0) {
    asm_.add(x86::rax, x86::rsi);
    asm_.add(x86::rax, x86::ptr(x86::rsp, index_slot_));
    if (part_ > 0) asm_.add(x86::rax, part_ * lanes_);
  }
  const x86::Vec to = vec(dst, Class::Wide);
  asm_.vmovq(x86::Xmm(static_cast<uint32_t>(dst)), x86::rax);
  op(x86::Inst::kIdVpbroadcastq, to, x86::Xmm(static_cast<uint32_t>(dst)));
  if (n.imm != 0) return;
  std::array<int64_t, 8> lanes{};
  std::iota(lanes.begin(), lanes.end(), 0);
  op(x86::Inst::kIdVpaddq, to, to, constant_bytes(lanes.data(), 64, 64));
}

// --- outputs -------------------------------------------------------------------------------------

void X86Stage::store_outputs() {
  const auto outputs = body().outputs();
  if (is_scalar_) {
    for (size_t k = 0; k < outputs.size(); ++k) {
      const Type type = node(outputs[k]).type;
      const int reg = use(outputs[k]);
      const x86::Mem to = x86::ptr(x86::rsi, static_cast<int32_t>(8 * k));
      if (type == Type::Bool) {
        if (is_avx512())
          asm_.kmovw(x86::eax, x86::KReg(static_cast<uint32_t>(reg)));
        else
          asm_.vmovd(x86::eax, x86::Xmm(static_cast<uint32_t>(reg)));
        asm_.and_(x86::eax, 1);
        asm_.mov(to, x86::rax);
      } else if (byte_size(type) == 8) {
        asm_.vmovq(to, x86::Xmm(static_cast<uint32_t>(reg)));
      } else {
        asm_.vmovd(x86::eax, x86::Xmm(static_cast<uint32_t>(reg)));
        if (byte_size(type) == 1) asm_.movzx(x86::eax, x86::al);
        if (byte_size(type) == 2) asm_.movzx(x86::eax, x86::ax);
        asm_.mov(to, x86::rax);
      }
      end_step();
    }
    return;
  }
  // An output may be the memory of an operand: operands that are outputs too are read before the
  // first store.
  std::vector<int32_t> copies(outputs.size(), -1);
  if (outputs.size() > 1) {
    for (size_t k = 0; k < outputs.size(); ++k) {
      const Node& n = node(outputs[k]);
      if (n.op != Op::Param || param_pointer_[n.imm] < 0) continue;
      copies[k] = spill_to_frame(use(outputs[k]), values_[outputs[k]].cls);
      drop(outputs[k]);
      end_step();
    }
  }
  for (size_t k = 0; k < outputs.size(); ++k) {
    part_ = static_cast<int>(k / output_count_);
    const Class cls = values_[outputs[k]].cls;
    int reg = 0;
    if (copies[k] < 0) {
      reg = use(outputs[k]);
    } else {
      reg = temp(cls);
      const x86::Mem from = x86::ptr(x86::rsp, copies[k]);
      if (bank_of(cls) == kPredicate)
        asm_.kmovw(x86::KReg(static_cast<uint32_t>(reg)), from);
      else
        op(x86::Inst::kIdVmovups, vec(reg, cls), from);
      free_slots_.emplace_back(copies[k], value_bytes(cls));
    }
    store_output(k % output_count_, reg);
    end_step();
  }
  part_ = 0;
}

void X86Stage::store_output(size_t index, int reg) {
  const Pointer& pointer = pointers_[first_output_ + index];
  const Type type = pointer.type;
  const int bytes = byte_size(type);
  const bool is_strided = pointer.stride == StrideClass::Strided;
  const x86::Mem to = is_strided ? x86::ptr(x86::rsp, pointer.buffer + part_ * lanes_ * bytes)
                                 : element_address(pointer, part_);
  const Class cls = class_of(type);
  if (type == Type::Bool) {
    if (is_avx512()) {
      const x86::Xmm flags(static_cast<uint32_t>(temp(Class::Narrow)));
      asm_.vpmovm2b(flags, x86::KReg(static_cast<uint32_t>(reg)));
      asm_.vpabsb(flags, flags);
      if (lanes_ == 8)
        asm_.vmovq(to, flags);
      else
        asm_.vmovdqu(to, flags);
    } else {
      op(is_wide_ ? x86::Inst::kIdVmovmskpd : x86::Inst::kIdVmovmskps, x86::ecx,
         vec_bytes(reg, vec_bytes_));
      asm_.mov(x86::rdx, 0x0101010101010101);
      asm_.pdep(x86::rcx, x86::rcx, x86::rdx);
      if (lanes_ == 4)
        asm_.mov(to, x86::ecx);
      else
        asm_.mov(to, x86::rcx);
    }
  } else if (bytes >= 4) {
    op(streams_ ? x86::Inst::kIdVmovntps : x86::Inst::kIdVmovups, to, vec(reg, cls));
  } else if (is_avx512()) {
    op(bytes == 1 ? x86::Inst::kIdVpmovdb : x86::Inst::kIdVpmovdw, to, vec(reg, cls));
  } else {
    // The low bytes of each lane to the front of each half.
    std::array<uint8_t, 32> pick{};
    pick.fill(0x80);
    for (size_t half = 0; half < 32; half += 16) {
      for (size_t lane = 0; lane < 4; ++lane) {
        for (size_t byte = 0; byte < static_cast<size_t>(bytes); ++byte) {
          pick[half + lane * static_cast<size_t>(bytes) + byte] =
              static_cast<uint8_t>(4 * lane + byte);
        }
      }
    }
    const x86::Vec packed = vec(temp(cls), cls);
    op(x86::Inst::kIdVpshufb, packed, vec(reg, cls), constant_bytes(pick.data(), 32, 32));
    const x86::Xmm low(packed.id());
    if (lanes_ == 8) {
      const x86::Xmm high(static_cast<uint32_t>(temp(cls)));
      asm_.vextracti128(high, packed.ymm(), 1);
      if (bytes == 1)
        asm_.vpunpckldq(low, low, high);
      else
        asm_.vpunpcklqdq(low, low, high);
    }
    const int total = bytes * lanes_;
    if (total == 4)
      asm_.vmovd(to, low);
    else if (total == 8)
      asm_.vmovq(to, low);
    else
      asm_.vmovdqu(to, low);
  }
  if (!is_strided || part_ + 1 < parts_) return;
  const Label counted = asm_.newLabel();
  asm_.mov(x86::rcx, x86::ptr(x86::rsp, tail_slot_));
  asm_.test(x86::rcx, x86::rcx);
  asm_.jnz(counted);
  asm_.mov(x86::ecx, lanes());
  asm_.bind(counted);
  asm_.lea(x86::r11, x86::ptr(x86::rsp, pointer.buffer));
  asm_.mov(x86::r10, x86::ptr(x86::rsp, pointer.slot));
  asm_.mov(x86::rdx, x86::ptr(x86::rsp, pointer.stride_slot));
  copy_elements(bytes, false, true);
}

}  // namespace lattice::jit::internal
