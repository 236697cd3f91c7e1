// SPDX-License-Identifier: MIT
// Conversions of X86Stage: see scalar::cast in ir/scalar_ops.hpp for what they mean.
#include <bit>

#include "lattice/jit/codegen/internal/x86_stage.hpp"

namespace lattice::jit::internal {

using asmjit::Label;
namespace I = x86::Inst;

void X86Stage::emit_cast(NodeId id) {
  const Node& n = node(id);
  const Type from = node(n.a).type;
  const Type to = n.type;
  const Class from_cls = values_[n.a].cls;
  const Class cls = values_[id].cls;
  const auto v = [&](int reg) { return vec(reg, cls); };
  const auto from_v = [&](int reg) { return vec(reg, from_cls); };

  if (n.op == Op::Bitcast || from == to) {
    const int a = use(n.a);
    const int dst = dies_in_register(n.a) ? take_over(id, n.a) : define(id);
    copy(dst, a, cls);
    if (cls == Class::Narrow) normalise(to, dst, dst);
    return;
  }
  if (to == Type::Bool) {
    const int a = use(n.a);
    return compare(define(id), a, constant(0, from_cls), from, kNe);
  }
  if (from == Type::Bool) {
    const Bits one = to == Type::F64   ? std::bit_cast<uint64_t>(1.0)
                     : to == Type::F32 ? std::bit_cast<uint32_t>(1.0f)
                                       : 1;
    const int mask = use(n.a);
    if (is_avx512()) {
      const int dst = define(id);
      asm_.k(x86::KReg(static_cast<uint32_t>(mask))).z();
      op(cls == Class::Wide ? I::kIdVpbroadcastq : I::kIdVpbroadcastd, v(dst),
         constant(one, cls)._1to1());
    } else {
      const int lanes = mask_for(mask, cls);
      bitwise(kAnd, define(id), lanes, constant(one, cls), cls);
    }
    return;
  }
  if (is_int(from) && is_int(to)) return cast_int_to_int(id);
  if (is_float(from) && is_float(to)) {
    const Operand a = use_any(n.a);
    // A broadcast memory operand would have the wrong element size: constants are folded, scalars
    // not.
    const int source = a.isMem() ? use(n.a) : static_cast<int>(a.as<x86::Vec>().id());
    const int dst = define(id);
    if (to == Type::F64)
      op(I::kIdVcvtps2pd, v(dst), from_v(source));
    else
      op(I::kIdVcvtpd2ps, v(dst), from_v(source));
    return;
  }
  if (is_int(from)) return cast_int_to_float(id);
  cast_float_to_int(id);
}

void X86Stage::cast_int_to_int(NodeId id) {
  const Node& n = node(id);
  const Type from = node(n.a).type;
  const Class from_cls = values_[n.a].cls;
  const Class cls = values_[id].cls;
  const int a = use(n.a);
  const int dst = define(id);
  if (from_cls == Class::Narrow && cls == Class::Wide) {
    op(is_signed_int(from) ? I::kIdVpmovsxdq : I::kIdVpmovzxdq, vec(dst, cls), vec(a, from_cls));
    return;
  }
  if (from_cls == Class::Wide && cls == Class::Narrow) {
    if (is_avx512()) {
      op(I::kIdVpmovqd, vec(dst, cls), vec(a, from_cls));
    } else {
      copy(dst, narrow_mask(a), cls);  // the low half of each lane
    }
    return normalise(n.type, dst, dst);
  }
  if (cls == Class::Narrow)
    normalise(n.type, dst, a);
  else
    copy(dst, a, cls);
}

void X86Stage::cast_int_to_float(NodeId id) {
  const Node& n = node(id);
  const Type from = node(n.a).type;
  const Class from_cls = values_[n.a].cls;
  const Class cls = values_[id].cls;
  const bool to_double = n.type == Type::F64;
  if (from_cls == Class::Narrow && from != Type::U32) {
    const int a = use(n.a);
    op(to_double ? I::kIdVcvtdq2pd : I::kIdVcvtdq2ps, vec(define(id), cls), vec(a, from_cls));
    return;
  }
  if (is_avx512()) {
    const int a = use(n.a);
    const int dst = define(id);
    const bool is_signed = is_signed_int(from);
    if (from == Type::U32) {
      op(to_double ? I::kIdVcvtudq2pd : I::kIdVcvtudq2ps, vec(dst, cls), vec(a, from_cls));
    } else if (to_double) {
      op(is_signed ? I::kIdVcvtqq2pd : I::kIdVcvtuqq2pd, vec(dst, cls), vec(a, from_cls));
    } else {
      op(is_signed ? I::kIdVcvtqq2ps : I::kIdVcvtuqq2ps, vec(dst, cls), vec(a, from_cls));
    }
    return;
  }
  const int scratch = temp(Class::Narrow);
  const x86::Xmm x(static_cast<uint32_t>(scratch));
  const auto convert = [&] {
    asm_.vxorps(x, x, x);
    if (to_double)
      asm_.vcvtsi2sd(x, x, x86::rax);
    else
      asm_.vcvtsi2ss(x, x, x86::rax);
  };
  per_lane(id, [&](int, const x86::Mem& a, const x86::Mem&, const x86::Mem& to) {
    if (from == Type::U32)
      asm_.mov(x86::eax, a);
    else
      asm_.mov(x86::rax, a);
    if (from == Type::U64) {
      // The upper half of the range: half the value, its lowest bit kept for rounding, twice.
      const Label small = asm_.newLabel();
      const Label done = asm_.newLabel();
      asm_.test(x86::rax, x86::rax);
      asm_.jns(small);
      asm_.mov(x86::rcx, x86::rax);
      asm_.and_(x86::ecx, 1);
      asm_.shr(x86::rax, 1);
      asm_.or_(x86::rax, x86::rcx);
      convert();
      if (to_double)
        asm_.vaddsd(x, x, x);
      else
        asm_.vaddss(x, x, x);
      asm_.jmp(done);
      asm_.bind(small);
      convert();
      asm_.bind(done);
    } else {
      convert();
    }
    if (to_double)
      asm_.vmovsd(to, x);
    else
      asm_.vmovss(to, x);
  });
}

void X86Stage::cast_float_to_int(NodeId id) {
  const Node& n = node(id);
  const Type from = node(n.a).type;
  const Type to = n.type;
  const Class from_cls = values_[n.a].cls;
  const Class cls = values_[id].cls;
  const bool from_double = from == Type::F64;
  const bool is_high_unsigned = to == Type::U32 || to == Type::U64;
  int a = use(n.a);
  int top = -1;  // the mask of lanes from 2^(w-1) on
  if (is_high_unsigned) {
    const double half = to == Type::U64 ? 0x1p63 : 0x1p31;
    const Bits bits = from_double ? std::bit_cast<uint64_t>(half)
                                  : std::bit_cast<uint32_t>(static_cast<float>(half));
    top = temp(Class::Mask);
    const int limit = load_constant(bits, from_cls);
    const int lowered = temp(from_cls);
    compare(top, limit, vec(a, from_cls), from, kLe);
    op(from_double ? I::kIdVsubpd : I::kIdVsubps, vec(lowered, from_cls), vec(a, from_cls),
       vec(limit, from_cls));
    blend(lowered, top, vec(lowered, from_cls), a, from_cls);
    a = lowered;
  }
  int dst = 0;
  if (cls == Class::Narrow) {
    dst = define(id);
    op(from_double ? I::kIdVcvttpd2dq : I::kIdVcvttps2dq, vec(dst, cls), vec(a, from_cls));
    if (byte_size(to) < 4) normalise(to, dst, dst);
  } else if (is_avx512()) {
    dst = define(id);
    op(from_double ? I::kIdVcvttpd2qq : I::kIdVcvttps2qq, vec(dst, cls), vec(a, from_cls));
  } else {
    const int32_t source = spill_to_frame(a, from_cls);
    const int32_t slot = new_slot(vec_bytes_);
    for (int lane = 0; lane < lanes_; ++lane) {
      if (from_double)
        asm_.vcvttsd2si(x86::rax, x86::qword_ptr(x86::rsp, source + 8 * lane));
      else
        asm_.vcvttss2si(x86::rax, x86::dword_ptr(x86::rsp, source + 4 * lane));
      asm_.mov(x86::ptr(x86::rsp, slot + 8 * lane), x86::rax);
    }
    dst = define(id);
    op(I::kIdVmovups, vec(dst, cls), x86::ptr(x86::rsp, slot));
    free_slots_.emplace_back(source, value_bytes(from_cls));
    free_slots_.emplace_back(slot, vec_bytes_);
  }
  if (!is_high_unsigned) return;
  const int flipped = temp(cls);
  bitwise(kXor, flipped, dst, constant(to == Type::U64 ? Bits{1} << 63 : Bits{1} << 31, cls), cls);
  blend(dst, top, vec(flipped, cls), dst, cls);
}

}  // namespace lattice::jit::internal
