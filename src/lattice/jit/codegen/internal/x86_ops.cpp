// SPDX-License-Identifier: MIT
// Operations of X86Stage but conversions (x86_casts.cpp). ir/scalar_ops.hpp says what each means.
#include <bit>
#include <cmath>
#include <limits>

#include "lattice/jit/codegen/internal/x86_stage.hpp"

namespace lattice::jit::internal {

using asmjit::Label;
namespace I = x86::Inst;

namespace {

constexpr uint64_t kSign64 = uint64_t{1} << 63;
constexpr uint64_t kSign32 = uint64_t{1} << 31;

// By kind of element: f32, f64, 32-bit integers, 64-bit integers. 0: there is none.
struct ByType {
  uint32_t f32, f64, i32, i64;
  uint32_t of(Type type) const {
    if (type == Type::F32) return f32;
    if (type == Type::F64) return f64;
    return byte_size(type) == 8 ? i64 : i32;
  }
};

constexpr ByType kAddIds{I::kIdVaddps, I::kIdVaddpd, I::kIdVpaddd, I::kIdVpaddq};
constexpr ByType kSubIds{I::kIdVsubps, I::kIdVsubpd, I::kIdVpsubd, I::kIdVpsubq};
constexpr ByType kMulIds{I::kIdVmulps, I::kIdVmulpd, I::kIdVpmulld, I::kIdVpmullq};
constexpr ByType kDivIds{I::kIdVdivps, I::kIdVdivpd, 0, 0};

bool is_narrow_int(Type type) { return is_int(type) && byte_size(type) < 4; }

x86::KReg kreg(int reg) { return x86::KReg(static_cast<uint32_t>(reg)); }

Bits min_bits(Type type) {
  return byte_size(type) == 8 ? kSign64 : uint32_t(-(int64_t{1} << (bit_size(type) - 1)));
}

}  // namespace

uint32_t X86Stage::arithmetic_id(Op op, Type type) noexcept {
  const ByType& ids = op == Op::Add   ? kAddIds
                      : op == Op::Sub ? kSubIds
                      : op == Op::Mul ? kMulIds
                                      : kDivIds;
  return ids.of(type);
}

void X86Stage::emit_op(NodeId id) {
  const Node& n = node(id);
  if (op_kind(n.op) == OpKind::Math)
    return refuse("library function " + std::string(op_name(n.op)));
  if (n.type == Type::Bool && (n.op == Op::And || n.op == Op::Or || n.op == Op::Xor ||
                               n.op == Op::Not || n.op == Op::Min || n.op == Op::Max)) {
    return emit_bool(id);
  }
  switch (n.op) {
    case Op::Add:
    case Op::Sub:
    case Op::Div:
    case Op::And:
    case Op::Or:
    case Op::Xor:
      return emit_binary(id);
    case Op::Mul:
      return emit_mul(id);
    case Op::MulHigh:
      return emit_mul_high(id);
    case Op::FloorDiv:
    case Op::Mod:
    case Op::TruncDiv:
    case Op::FMod:
      return emit_int_division(id);
    case Op::IPow:
      return emit_int_pow(id);
    case Op::Min:
    case Op::Max:
    case Op::FMin:
    case Op::FMax:
      return emit_min_max(id);
    case Op::Shl:
    case Op::Shr:
      return emit_shift(id);
    case Op::Clz:
      return emit_clz(id);
    case Op::Fma:
      return emit_fma(id);
    case Op::CopySign: {
      const Class cls = values_[id].cls;
      const Bits sign = cls == Class::Wide ? kSign64 : kSign32;
      const int b = use(n.b);
      const int a = use(n.a);
      if (is_avx512()) {
        // The mask's bits from b, the others from a.
        constexpr int kChoose = 0xd8;
        const bool takes_over = n.a != n.b && dies_in_register(n.a);
        const int dst = takes_over ? take_over(id, n.a) : define(id);
        if (!takes_over) copy(dst, a, cls);
        return op(cls == Class::Wide ? I::kIdVpternlogq : I::kIdVpternlogd, vec(dst, cls),
                  vec(b, cls), constant(sign, cls), kChoose);
      }
      const int dst = define(id);
      if (is_avx512()) {
        // Bit by bit: the mask (dst), b, a -> mask ? b : a.
        load_constant_to(dst, sign, cls);
        op(cls == Class::Wide ? I::kIdVpternlogq : I::kIdVpternlogd, vec(dst, cls), vec(b, cls),
           vec(a, cls), asmjit::Imm(0xca));
        return;
      }
      const int kept = temp(cls);
      bitwise(kAnd, dst, a, constant(sign - 1, cls), cls);
      bitwise(kAnd, kept, b, constant(sign, cls), cls);
      return bitwise(kOr, dst, dst, vec(kept, cls), cls);
    }
    case Op::Scale:
      return emit_scale(id);
    case Op::LogB:
      return emit_logb(id);
    case Op::Mantissa:
      return emit_mantissa(id);
    case Op::Eq:
    case Op::Ne:
    case Op::Lt:
    case Op::Le:
      return emit_compare(id);
    case Op::IsNan:
    case Op::IsInf:
    case Op::IsFinite:
    case Op::SignBit:
      return emit_test(id);
    case Op::Select:
      return emit_select(id);
    case Op::Cast:
    case Op::Bitcast:
      return emit_cast(id);
    case Op::Lookup:
      return load_lookup(id);
    case Op::Gather:
      return load_gather(id);
    case Op::LaneIndex:
      return lane_index(id);
    case Op::Like: {
      const int from = use(n.a);
      copy(define(id), from, values_[id].cls);
      return;
    }
    case Op::Guard: {
      const int holds = use(n.a);
      const int fails = temp(Class::Mask);
      if (is_avx512()) {
        asm_.knotw(kreg(fails), kreg(holds));
      } else {
        const x86::Vec mask = vec_bytes(fails, vec_bytes_);
        op(I::kIdVpcmpeqd, mask, mask, mask);
        op(I::kIdVpxor, mask, mask, vec_bytes(holds, vec_bytes_));
      }
      return raise(fails, kStatusGuard);
    }
    default:
      return emit_unary(id);
  }
}

// --- pieces --------------------------------------------------------------------------------------

void X86Stage::copy(int dst, int src, Class cls) {
  if (dst == src) return;
  if (bank_of(cls) == kPredicate)
    asm_.kmovw(kreg(dst), kreg(src));
  else
    op(I::kIdVmovaps, vec(dst, cls), vec(src, cls));
}

void X86Stage::bitwise(Bitwise which, int dst, int a, const Operand& b, Class cls) {
  constexpr uint32_t kVex[] = {I::kIdVpand, I::kIdVpor, I::kIdVpxor, I::kIdVpandn};
  constexpr uint32_t kD[] = {I::kIdVpandd, I::kIdVpord, I::kIdVpxord, I::kIdVpandnd};
  constexpr uint32_t kQ[] = {I::kIdVpandq, I::kIdVporq, I::kIdVpxorq, I::kIdVpandnq};
  const uint32_t* ids = !is_avx512() ? kVex : cls == Class::Wide ? kQ : kD;
  op(ids[which], vec(dst, cls), vec(a, cls), b);
}

// Integers narrower than 32 bits: wraps the 32-bit lane to the type's range.
void X86Stage::normalise(Type type, int reg, int from) {
  const Class cls = Class::Narrow;
  if (!is_narrow_int(type)) return copy(reg, from, cls);
  const int width = bit_size(type);
  if (is_signed_int(type)) {
    op(I::kIdVpslld, vec(reg, cls), vec(from, cls), 32 - width);
    op(I::kIdVpsrad, vec(reg, cls), vec(reg, cls), 32 - width);
  } else {
    bitwise(kAnd, reg, from, constant((Bits{1} << width) - 1, cls), cls);
  }
}

// AVX2 has no 64-bit multiplication: low halves by three of 32 bits. dst differs from a and b.
void X86Stage::mul64(int dst, int a, int b) {
  const auto v = [&](int reg) { return vec(reg, Class::Wide); };
  if (is_avx512()) {
    op(I::kIdVpmullq, v(dst), v(a), v(b));
    return;
  }
  const TempScope scope(*this);
  const int cross = temp(Class::Wide);
  op(I::kIdVpsrlq, v(dst), v(a), 32);
  op(I::kIdVpmuludq, v(dst), v(dst), v(b));
  op(I::kIdVpsrlq, v(cross), v(b), 32);
  op(I::kIdVpmuludq, v(cross), v(cross), v(a));
  op(I::kIdVpaddq, v(dst), v(dst), v(cross));
  op(I::kIdVpsllq, v(dst), v(dst), 32);
  op(I::kIdVpmuludq, v(cross), v(a), v(b));
  op(I::kIdVpaddq, v(dst), v(dst), v(cross));
}

// mode: 0 to even, 1 down, 2 up, 3 to zero. 8 keeps the inexact flag down, as libm does.
void X86Stage::round_to(int dst, const Operand& from, Type type, int mode) {
  const Class cls = class_of(type);
  const bool is_double = type == Type::F64;
  const uint32_t id = is_avx512() ? (is_double ? I::kIdVrndscalepd : I::kIdVrndscaleps)
                                  : (is_double ? I::kIdVroundpd : I::kIdVroundps);
  op(id, vec(dst, cls), from, asmjit::Imm(8 | mode));
}

int X86Stage::narrow_mask(int mask) {
  const int narrow = temp(Class::Narrow);
  const x86::Xmm to(static_cast<uint32_t>(narrow));
  const x86::Xmm low(static_cast<uint32_t>(mask));
  if (vec_bytes_ == 32) {
    asm_.vextractf128(to, low.ymm(), 1);
    asm_.vshufps(to, low, to, 0x88);
  } else {
    asm_.vshufps(to, low, low, 0x88);
  }
  return narrow;
}

// AVX2: the mask in lanes of a class.
int X86Stage::mask_for(int mask, Class cls) {
  return cls == Class::Narrow && is_wide_ ? narrow_mask(mask) : mask;
}

void X86Stage::blend(int dst, int mask, const Operand& yes, int no, Class cls) {
  const TempScope scope(*this);
  if (is_avx512()) {
    with_mask(mask);
    op(cls == Class::Wide ? I::kIdVpblendmq : I::kIdVpblendmd, vec(dst, cls), vec(no, cls), yes);
  } else {
    op(I::kIdVblendvps, vec(dst, cls), vec(no, cls), yes, vec(mask_for(mask, cls), cls));
  }
}

// Into a mask register; on AVX2 that differs from a and b.
void X86Stage::compare(int dst, int a, const Operand& b, Type type, Predicate predicate) {
  const TempScope scope(*this);
  const Class cls = class_of(type);
  const bool is_double = byte_size(type) == 8;
  constexpr int kFloatImm[] = {0, 17, 18, 4, 3};
  constexpr int kIntImm[] = {0, 1, 2, 4, 0};
  if (is_avx512()) {
    if (is_float(type)) {
      op(is_double ? I::kIdVcmppd : I::kIdVcmpps, kreg(dst), vec(a, cls), b,
         asmjit::Imm(kFloatImm[predicate]));
    } else {
      const bool is_signed = is_signed_int(type);
      const uint32_t id = is_double ? (is_signed ? I::kIdVpcmpq : I::kIdVpcmpuq)
                                    : (is_signed ? I::kIdVpcmpd : I::kIdVpcmpud);
      op(id, kreg(dst), vec(a, cls), b, asmjit::Imm(kIntImm[predicate]));
    }
    return;
  }
  const x86::Vec to = vec(dst, cls);
  if (is_float(type)) {
    op(is_double ? I::kIdVcmppd : I::kIdVcmpps, to, vec(a, cls), b,
       asmjit::Imm(kFloatImm[predicate]));
  } else {
    int left = a;
    int right = 0;
    if (b.isMem()) {
      right = temp(cls);
      op(I::kIdVmovups, vec(right, cls), b);
    } else {
      right = static_cast<int>(b.as<x86::Vec>().id());
    }
    // Narrow unsigned types are zero-extended, so that the signed comparison does.
    if (is_unsigned_int(type) && byte_size(type) >= 4 && predicate != kEq && predicate != kNe) {
      const Bits sign = is_double ? kSign64 : kSign32;
      const int flipped_left = temp(cls);
      const int flipped_right = temp(cls);
      bitwise(kXor, flipped_left, left, constant(sign, cls), cls);
      bitwise(kXor, flipped_right, right, constant(sign, cls), cls);
      left = flipped_left;
      right = flipped_right;
    }
    const uint32_t greater = is_double ? I::kIdVpcmpgtq : I::kIdVpcmpgtd;
    const uint32_t equal = is_double ? I::kIdVpcmpeqq : I::kIdVpcmpeqd;
    switch (predicate) {
      case kLt:
        op(greater, to, vec(right, cls), vec(left, cls));
        break;
      case kLe:
        op(greater, to, vec(left, cls), vec(right, cls));
        break;
      default:
        op(equal, to, vec(left, cls), vec(right, cls));
        break;
    }
    if (predicate == kLe || predicate == kNe) {
      const x86::Vec ones = vec(temp(cls), cls);
      op(I::kIdVpcmpeqd, ones, ones, ones);
      op(I::kIdVpxor, to, to, ones);
    }
  }
  if (cls == Class::Narrow && is_wide_) {
    op(I::kIdVpmovsxdq, vec_bytes(dst, vec_bytes_), x86::Xmm(static_cast<uint32_t>(dst)));
  }
}

// The register of an operand that dies here becomes the result's.
int X86Stage::take_over(NodeId id, NodeId operand) {
  Value& from = values_[operand];
  Value& to = values_[id];
  to.reg = std::exchange(from.reg, int8_t{-1});
  to.slot_valid = false;
  owner_[bank_of(to.cls)][static_cast<size_t>(to.reg)] = id;
  touch(id);
  return to.reg;
}

bool X86Stage::dies_in_register(NodeId operand) const noexcept {
  const Value& held = values_[operand];
  return held.reg >= 0 && !held.is_fixed && is_dead(operand, now_);
}

// --- arithmetic ----------------------------------------------------------------------------------

void X86Stage::emit_unary(NodeId id) {
  const Node& n = node(id);
  const Class cls = values_[id].cls;
  const bool is_wide = cls == Class::Wide;
  const Bits sign = is_wide ? kSign64 : kSign32;
  if (n.checked() && is_int(n.type) && (n.op == Op::Neg || n.op == Op::Abs)) {
    const int a = use(n.a);
    const int bad = temp(Class::Mask);
    const bool is_signed = is_signed_int(n.type);
    if (is_signed)
      compare(bad, a, constant(min_bits(n.type), cls), n.type, kEq);
    else if (n.op == Op::Neg)
      compare(bad, a, constant(0, cls), n.type, kNe);
    if (is_signed || n.op == Op::Neg) raise(bad, kStatusIntOverflow);
  }
  const auto single = [&](uint32_t instruction) {
    const Operand a = use_any(n.a);
    release_dead_operands();
    op(instruction, vec(define(id), cls), a);
  };
  const auto with_constant = [&](Bitwise which, Bits bits) {
    const int a = use(n.a);
    release_dead_operands();
    bitwise(which, define(id), a, constant(bits, cls), cls);
  };
  switch (n.op) {
    case Op::Neg: {
      if (is_float(n.type)) return with_constant(kXor, sign);
      const Operand a = use_any(n.a);
      const int zero = temp(cls);
      bitwise(kXor, zero, zero, vec(zero, cls), cls);
      const int dst = define(id);
      op(is_wide ? I::kIdVpsubq : I::kIdVpsubd, vec(dst, cls), vec(zero, cls), a);
      if (is_narrow_int(n.type)) normalise(n.type, dst, dst);
      return;
    }
    case Op::Abs: {
      if (is_float(n.type)) return with_constant(kAnd, sign - 1);
      if (is_unsigned_int(n.type)) {
        const int a = use(n.a);
        return copy(define(id), a, cls);
      }
      if (!is_wide || is_avx512()) {
        single(is_wide ? I::kIdVpabsq : I::kIdVpabsd);
        const int dst = values_[id].reg;
        if (is_narrow_int(n.type)) normalise(n.type, dst, dst);
        return;
      }
      const int a = use(n.a);
      const int negative = temp(cls);
      const int dst = define(id);
      op(I::kIdVpxor, vec(negative, cls), vec(negative, cls), vec(negative, cls));
      op(I::kIdVpcmpgtq, vec(negative, cls), vec(negative, cls), vec(a, cls));
      op(I::kIdVpxor, vec(dst, cls), vec(a, cls), vec(negative, cls));
      op(I::kIdVpsubq, vec(dst, cls), vec(dst, cls), vec(negative, cls));
      return;
    }
    case Op::Not: {
      const Bits ones = is_unsigned_int(n.type) && byte_size(n.type) < 4
                            ? (Bits{1} << bit_size(n.type)) - 1
                            : ~Bits{0};
      return with_constant(kXor, ones);
    }
    case Op::Sqrt:
      return single(n.type == Type::F64 ? I::kIdVsqrtpd : I::kIdVsqrtps);
    case Op::Rint:
    case Op::Floor:
    case Op::Ceil:
    case Op::Trunc: {
      const int mode = n.op == Op::Rint ? 0 : n.op == Op::Floor ? 1 : n.op == Op::Ceil ? 2 : 3;
      const Operand a = use_any(n.a);
      release_dead_operands();
      return round_to(define(id), a, n.type, mode);
    }
    case Op::Sign: {
      // 1 or -1 by comparison; floats keep nan, and both zeros give 0.
      const int a = use(n.a);
      const int dst = define(id);
      const int mask = temp(Class::Mask);
      const Bits one = n.type == Type::F64   ? std::bit_cast<uint64_t>(1.0)
                       : n.type == Type::F32 ? std::bit_cast<uint32_t>(1.0f)
                                             : 1;
      const Bits minus = is_float(n.type) ? one | sign : ~Bits{0};
      const int zero = load_constant(0, cls);
      copy(dst, zero, cls);
      compare(mask, zero, vec(a, cls), n.type, kLt);
      blend(dst, mask, vec(load_constant(one, cls), cls), dst, cls);
      if (!is_unsigned_int(n.type)) {
        compare(mask, a, vec(zero, cls), n.type, kLt);
        blend(dst, mask, vec(load_constant(minus, cls), cls), dst, cls);
      }
      if (is_float(n.type)) {
        compare(mask, a, vec(a, cls), n.type, kUnordered);
        blend(dst, mask, vec(a, cls), dst, cls);
      }
      return;
    }
    default:
      return refuse("operation " + std::string(op_name(n.op)));
  }
}

void X86Stage::check_add_sub(NodeId id, int a, int b, int result) {
  const Node& n = node(id);
  const Class cls = values_[id].cls;
  const int bad = temp(Class::Mask);
  const bool is_add = n.op == Op::Add;
  if (is_narrow_int(n.type)) {
    // `result` is still the exact sum in 32 bits.
    const int wrapped = temp(cls);
    normalise(n.type, wrapped, result);
    compare(bad, wrapped, vec(result, cls), Type::I32, kNe);
  } else if (is_unsigned_int(n.type)) {
    if (is_add)
      compare(bad, result, vec(a, cls), n.type, kLt);
    else
      compare(bad, a, vec(b, cls), n.type, kLt);
  } else {
    // The sum differs in sign from both terms; the difference from a while b does not agree with a.
    const int left = temp(cls);
    const int right = temp(cls);
    bitwise(kXor, left, a, vec(result, cls), cls);
    if (is_add)
      bitwise(kXor, right, b, vec(result, cls), cls);
    else
      bitwise(kXor, right, a, vec(b, cls), cls);
    bitwise(kAnd, left, left, vec(right, cls), cls);
    compare(bad, left, vec(load_constant(0, cls), cls), n.type, kLt);
  }
  raise(bad, kStatusIntOverflow);
}

void X86Stage::emit_binary(NodeId id) {
  const Node& n = node(id);
  const Class cls = values_[id].cls;
  if (n.op == Op::And || n.op == Op::Or || n.op == Op::Xor) {
    NodeId first = n.a;
    NodeId second = n.b;
    if (is_memory_constant(first)) std::swap(first, second);
    const int a = use(first);
    const Operand b = use_any(second);
    release_dead_operands();
    return bitwise(n.op == Op::And ? kAnd : n.op == Op::Or ? kOr : kXor, define(id), a, b, cls);
  }
  const ByType& ids = n.op == Op::Add ? kAddIds : n.op == Op::Sub ? kSubIds : kDivIds;
  if (n.checked() && is_int(n.type) && !is_proven_sum_[id]) {
    const int a = use(n.a);
    const int b = use(n.b);
    const int dst = define(id);
    op(ids.of(n.type), vec(dst, cls), vec(a, cls), vec(b, cls));
    check_add_sub(id, a, b, dst);
    if (is_narrow_int(n.type)) normalise(n.type, dst, dst);
    return;
  }
  if (n.checked() && n.op == Op::Div) {
    const int b = use(n.b);
    const int zero = temp(Class::Mask);
    compare(zero, b, constant(0, cls), n.type, kEq);
    raise(zero, kStatusZeroDivision);
  }
  NodeId first = n.a;
  NodeId second = n.b;
  if (n.op == Op::Add && is_memory_constant(first)) std::swap(first, second);
  const int a = use(first);
  const Operand b = use_any(second);
  release_dead_operands();
  const int dst = define(id);
  op(ids.of(n.type), vec(dst, cls), vec(a, cls), b);
  if (is_narrow_int(n.type)) normalise(n.type, dst, dst);
}

void X86Stage::emit_mul(NodeId id) {
  const Node& n = node(id);
  const Class cls = values_[id].cls;
  if (n.checked() && is_int(n.type)) {
    if (is_narrow_int(n.type)) {
      const int a = use(n.a);
      const Operand b = use_any(n.b);
      const int dst = define(id);
      const int wrapped = temp(cls);
      const int bad = temp(Class::Mask);
      op(I::kIdVpmulld, vec(dst, cls), vec(a, cls), b);
      normalise(n.type, wrapped, dst);
      compare(bad, wrapped, vec(dst, cls), Type::I32, kNe);
      copy(dst, wrapped, cls);
      return raise(bad, kStatusIntOverflow);
    }
    per_lane(id, [&](int lane, const x86::Mem& a, const x86::Mem& b, const x86::Mem& to) {
      const Label fits = asm_.newLabel();
      const bool is_64 = byte_size(n.type) == 8;
      const x86::Gp rax = is_64 ? x86::Gp(x86::rax) : x86::Gp(x86::eax);
      asm_.mov(rax, a);
      if (is_signed_int(n.type))
        asm_.imul(rax, b);
      else if (is_64)
        asm_.mul(x86::rdx, x86::rax, b);
      else
        asm_.mul(x86::edx, x86::eax, b);
      asm_.jno(fits);
      asm_.or_(x86::r11d, 1 << lane);
      asm_.bind(fits);
      asm_.mov(to, rax);
    });
    return raise_bits(x86::r11, kStatusIntOverflow);
  }
  NodeId first = n.a;
  NodeId second = n.b;
  if (is_memory_constant(first)) std::swap(first, second);
  if (cls == Class::Wide && is_int(n.type) && !is_avx512()) {
    const int a = use(first);
    const int b = use(second);
    return mul64(define(id), a, b);
  }
  const int a = use(first);
  const Operand b = use_any(second);
  release_dead_operands();
  const int dst = define(id);
  op(kMulIds.of(n.type), vec(dst, cls), vec(a, cls), b);
  if (is_narrow_int(n.type)) normalise(n.type, dst, dst);
}

void X86Stage::emit_mul_high(NodeId id) {
  const Node& n = node(id);
  const Class cls = values_[id].cls;
  const bool is_signed = is_signed_int(n.type);
  if (is_narrow_int(n.type)) {
    const int a = use(n.a);
    const Operand b = use_any(n.b);
    release_dead_operands();
    const int dst = define(id);
    op(I::kIdVpmulld, vec(dst, cls), vec(a, cls), b);
    op(is_signed ? I::kIdVpsrad : I::kIdVpsrld, vec(dst, cls), vec(dst, cls), bit_size(n.type));
    return;
  }
  if (cls == Class::Narrow) {
    // Even and odd lanes by 32 x 32 -> 64 multiplications.
    const uint32_t multiply = is_signed ? I::kIdVpmuldq : I::kIdVpmuludq;
    const int a = use(n.a);
    const int b = use(n.b);
    const int odd = temp(cls);
    const int other = temp(cls);
    const int dst = define(id);
    op(multiply, vec(dst, cls), vec(a, cls), vec(b, cls));
    op(I::kIdVpsrlq, vec(odd, cls), vec(a, cls), 32);
    op(I::kIdVpsrlq, vec(other, cls), vec(b, cls), 32);
    op(multiply, vec(odd, cls), vec(odd, cls), vec(other, cls));
    op(I::kIdVpsrlq, vec(dst, cls), vec(dst, cls), 32);
    op(I::kIdVpsrlq, vec(odd, cls), vec(odd, cls), 32);
    op(I::kIdVpsllq, vec(odd, cls), vec(odd, cls), 32);
    return bitwise(kOr, dst, dst, vec(odd, cls), cls);
  }
  // Schoolbook in 32-bit digits: hh + (lh >> 32) + (hl >> 32) + carry of the middle column. Signed:
  // minus b where a is negative, minus a where b is.
  const auto v = [&](int reg) { return vec(reg, cls); };
  const int a = use(n.a);
  const int b = use(n.b);
  const int ah = temp(cls);
  const int bh = temp(cls);
  const int low = temp(cls);
  const int cross = temp(cls);
  const int mask = temp(cls);
  const int dst = define(id);
  op(I::kIdVpsrlq, v(ah), v(a), 32);
  op(I::kIdVpsrlq, v(bh), v(b), 32);
  op(I::kIdVpmuludq, v(low), v(a), v(b));
  op(I::kIdVpsrlq, v(low), v(low), 32);
  op(I::kIdVpmuludq, v(cross), v(ah), v(b));
  op(I::kIdVpaddq, v(cross), v(cross), v(low));
  op(I::kIdVpmuludq, v(low), v(a), v(bh));
  op(I::kIdVpmuludq, v(dst), v(ah), v(bh));
  bitwise(kAnd, mask, cross, constant(0xffffffff, cls), cls);
  op(I::kIdVpaddq, v(low), v(low), v(mask));
  op(I::kIdVpsrlq, v(cross), v(cross), 32);
  op(I::kIdVpsrlq, v(low), v(low), 32);
  op(I::kIdVpaddq, v(dst), v(dst), v(cross));
  op(I::kIdVpaddq, v(dst), v(dst), v(low));
  if (!is_signed) return;
  for (const auto& [sign, other] : {std::pair{a, b}, std::pair{b, a}}) {
    if (is_avx512()) {
      op(I::kIdVpsraq, v(mask), v(sign), 63);
    } else {
      op(I::kIdVpxor, v(mask), v(mask), v(mask));
      op(I::kIdVpcmpgtq, v(mask), v(mask), v(sign));
    }
    bitwise(kAnd, mask, mask, v(other), cls);
    op(I::kIdVpsubq, v(dst), v(dst), v(mask));
  }
}

void X86Stage::emit_int_division(NodeId id) {
  const Node& n = node(id);
  const Class cls = values_[id].cls;
  if (!is_int(n.type)) return refuse("operation " + std::string(op_name(n.op)) + " of floats");
  const bool is_signed = is_signed_int(n.type);
  const bool wants_quotient = n.op == Op::FloorDiv || n.op == Op::TruncDiv;
  const bool is_floor = n.op == Op::FloorDiv || n.op == Op::Mod;
  {
    const int b = use(n.b);
    const int bad = temp(Class::Mask);
    compare(bad, b, constant(0, cls), n.type, kEq);
    raise(bad, n.checked() ? kStatusZeroDivision : kStatusFpDivide);
    if (is_signed && wants_quotient) {
      const int a = use(n.a);
      const int other = temp(Class::Mask);
      compare(bad, b, constant(~Bits{0}, cls), n.type, kEq);
      compare(other, a, constant(min_bits(n.type), cls), n.type, kEq);
      if (is_avx512())
        asm_.kandw(kreg(bad), kreg(bad), kreg(other));
      else
        op(I::kIdVandps, vec_bytes(bad, vec_bytes_), vec_bytes(bad, vec_bytes_),
           vec_bytes(other, vec_bytes_));
      raise(bad, n.checked() ? kStatusIntOverflow : kStatusFpOverflow);
    }
    end_step();
  }
  const bool is_64 = cls == Class::Wide;
  const auto gp = [&](const x86::Gp& reg) {
    return is_64 ? x86::Gp(reg.r64()) : x86::Gp(reg.r32());
  };
  const x86::Gp rax = gp(x86::rax);
  const x86::Gp rcx = gp(x86::rcx);
  const x86::Gp rdx = gp(x86::rdx);
  per_lane(id, [&](int, const x86::Mem& a, const x86::Mem& b, const x86::Mem& to) {
    const Label zero = asm_.newLabel();
    const Label negate = asm_.newLabel();
    const Label done = asm_.newLabel();
    asm_.mov(rcx, b);
    asm_.mov(rax, a);
    asm_.test(rcx, rcx);
    asm_.jz(zero);
    if (is_signed) {
      asm_.cmp(rcx, -1);
      asm_.je(negate);
      if (is_64)
        asm_.cqo();
      else
        asm_.cdq();
      asm_.idiv(rdx, rax, rcx);
      if (is_floor) {
        asm_.test(rdx, rdx);
        asm_.jz(done);
        asm_.mov(gp(x86::r10), rdx);
        asm_.xor_(gp(x86::r10), rcx);
        asm_.jns(done);
        if (wants_quotient)
          asm_.dec(rax);
        else
          asm_.add(rdx, rcx);
      }
      asm_.jmp(done);
      asm_.bind(negate);
      asm_.neg(rax);
      asm_.xor_(x86::edx, x86::edx);
      asm_.jmp(done);
    } else {
      asm_.xor_(x86::edx, x86::edx);
      asm_.div(rdx, rax, rcx);
      asm_.jmp(done);
    }
    asm_.bind(zero);
    asm_.xor_(x86::eax, x86::eax);
    asm_.xor_(x86::edx, x86::edx);
    asm_.bind(done);
    asm_.mov(to, wants_quotient ? rax : rdx);
  });
}

void X86Stage::emit_int_pow(NodeId id) {
  const Node& n = node(id);
  const Class cls = values_[id].cls;
  const bool is_signed = is_signed_int(n.type);
  const bool is_64 = cls == Class::Wide;
  if (n.checked() && (is_narrow_int(n.type) || !is_signed))
    return refuse("checked power of " + std::string(type_name(n.type)));
  if (is_signed) {
    const int b = use(n.b);
    const int negative = temp(Class::Mask);
    compare(negative, b, vec(load_constant(0, cls), cls), n.type, kLt);
    raise(negative, kStatusNegativePower);
    end_step();
  }
  const auto gp = [&](const x86::Gp& reg) {
    return is_64 ? x86::Gp(reg.r64()) : x86::Gp(reg.r32());
  };
  per_lane(id, [&](int lane, const x86::Mem& a, const x86::Mem& b, const x86::Mem& to) {
    const Label again = asm_.newLabel();
    const Label even = asm_.newLabel();
    const Label done = asm_.newLabel();
    const auto multiply = [&](const x86::Gp& into, const x86::Gp& by) {
      asm_.imul(into, by);
      if (!n.checked()) return;
      const Label fits = asm_.newLabel();
      asm_.jno(fits);
      asm_.or_(x86::r11d, 1 << lane);
      asm_.bind(fits);
    };
    const x86::Gp result = gp(x86::rax);
    const x86::Gp square = gp(x86::rcx);
    const x86::Gp left = gp(x86::rdx);
    asm_.xor_(x86::eax, x86::eax);
    asm_.mov(square, a);
    asm_.mov(left, b);
    if (is_signed) {
      asm_.test(left, left);
      asm_.js(done);
    }
    asm_.mov(x86::eax, 1);
    asm_.bind(again);
    asm_.test(x86::dl, 1);
    asm_.jz(even);
    multiply(result, square);
    asm_.bind(even);
    asm_.shr(left, 1);
    asm_.jz(done);
    multiply(square, square);
    asm_.jmp(again);
    asm_.bind(done);
    asm_.mov(to, result);
  });
  if (n.checked()) raise_bits(x86::r11, kStatusIntOverflow);
}

void X86Stage::emit_clz(NodeId id) {
  const Node& n = node(id);
  const Class cls = values_[id].cls;
  const int width = bit_size(n.type);
  if (!is_avx512()) {
    return per_lane(id, [&](int, const x86::Mem& a, const x86::Mem&, const x86::Mem& to) {
      const x86::Gp rax = cls == Class::Wide ? x86::Gp(x86::rax) : x86::Gp(x86::eax);
      asm_.mov(rax, a);
      if (width < 32) asm_.and_(x86::eax, (1 << width) - 1);
      asm_.lzcnt(rax, rax);
      if (width < 32) asm_.sub(x86::eax, 32 - width);
      asm_.mov(to, rax);
    });
  }
  const int a = use(n.a);
  const int dst = define(id);
  if (width >= 32) {
    op(cls == Class::Wide ? I::kIdVplzcntq : I::kIdVplzcntd, vec(dst, cls), vec(a, cls));
    return;
  }
  bitwise(kAnd, dst, a, constant((Bits{1} << width) - 1, cls), cls);
  op(I::kIdVplzcntd, vec(dst, cls), vec(dst, cls));
  op(I::kIdVpsubd, vec(dst, cls), vec(dst, cls), constant(static_cast<Bits>(32 - width), cls));
}

void X86Stage::emit_shift(NodeId id) {
  const Node& n = node(id);
  const Class cls = values_[id].cls;
  if (n.checked()) return refuse("a checked shift");
  const bool is_wide = cls == Class::Wide;
  const bool is_arithmetic = n.op == Op::Shr && is_signed_int(n.type);
  const auto v = [&](int reg) { return vec(reg, cls); };
  if (is_arithmetic && is_wide && !is_avx512()) {
    // The sign bits are taken out and put back around a logical shift.
    const int a = use(n.a);
    const Operand b = use_any(n.b);
    const int sign = temp(cls);
    const int dst = define(id);
    op(I::kIdVpxor, v(sign), v(sign), v(sign));
    op(I::kIdVpcmpgtq, v(sign), v(sign), v(a));
    op(I::kIdVpxor, v(dst), v(a), v(sign));
    op(I::kIdVpsrlvq, v(dst), v(dst), b);
    op(I::kIdVpxor, v(dst), v(dst), v(sign));
    return;
  }
  const int a = use(n.a);
  int dst = 0;
  if (node(n.b).op == Op::Const) {
    const Bits bits = node(n.b).imm;
    const auto count = static_cast<int>(
        std::min<uint64_t>(bits, static_cast<uint64_t>(is_arithmetic ? bit_size(n.type) - 1 : 64)));
    const uint32_t shift = n.op == Op::Shl ? (is_wide ? I::kIdVpsllq : I::kIdVpslld)
                           : is_arithmetic ? (is_wide ? I::kIdVpsraq : I::kIdVpsrad)
                                           : (is_wide ? I::kIdVpsrlq : I::kIdVpsrld);
    release_dead_operands();
    dst = define(id);
    op(shift, v(dst), v(a), count);
  } else {
    const Operand b = use_any(n.b);
    const uint32_t shift = n.op == Op::Shl ? (is_wide ? I::kIdVpsllvq : I::kIdVpsllvd)
                           : is_arithmetic ? (is_wide ? I::kIdVpsravq : I::kIdVpsravd)
                                           : (is_wide ? I::kIdVpsrlvq : I::kIdVpsrlvd);
    release_dead_operands();
    dst = define(id);
    op(shift, v(dst), v(a), b);
  }
  if (n.op == Op::Shl && is_narrow_int(n.type)) normalise(n.type, dst, dst);
}

void X86Stage::emit_fma(NodeId id) {
  Node n = node(id);
  const Class cls = values_[id].cls;
  const bool is_double = n.type == Type::F64;
  const auto v = [&](int reg) { return vec(reg, cls); };
  bool negates_product = false;
  bool negates_term = false;
  const auto strip = [&](NodeId& operand, bool& is_negated) {
    if (defer_[operand] != Defer::ToFma) return;
    operand = node(operand).a;
    is_negated = !is_negated;
  };
  strip(n.a, negates_product);
  strip(n.b, negates_product);
  strip(n.c, negates_term);
  // By what is negated (nothing, the term, the product, both) and type.
  constexpr uint32_t kForm213[4][2] = {{I::kIdVfmadd213ps, I::kIdVfmadd213pd},
                                       {I::kIdVfmsub213ps, I::kIdVfmsub213pd},
                                       {I::kIdVfnmadd213ps, I::kIdVfnmadd213pd},
                                       {I::kIdVfnmsub213ps, I::kIdVfnmsub213pd}};
  constexpr uint32_t kForm231[4][2] = {{I::kIdVfmadd231ps, I::kIdVfmadd231pd},
                                       {I::kIdVfmsub231ps, I::kIdVfmsub231pd},
                                       {I::kIdVfnmadd231ps, I::kIdVfnmadd231pd},
                                       {I::kIdVfnmsub231ps, I::kIdVfnmsub231pd}};
  const int form = (negates_product ? 2 : 0) + (negates_term ? 1 : 0);
  const uint32_t form213 = kForm213[form][is_double];
  const uint32_t form231 = kForm231[form][is_double];
  NodeId a = n.a;
  NodeId b = n.b;
  if (dies_in_register(n.c)) {
    if (is_memory_constant(a)) std::swap(a, b);
    const int left = use(a);
    const Operand right = use_any(b);
    use(n.c);
    op(form231, v(take_over(id, n.c)), v(left), right);
    return;
  }
  if (dies_in_register(b) && !dies_in_register(a)) std::swap(a, b);
  if (dies_in_register(a)) {
    const int right = use(b);
    const Operand added = use_any(n.c);
    use(a);
    op(form213, v(take_over(id, a)), v(right), added);
    return;
  }
  if (is_memory_constant(a)) std::swap(a, b);
  const int left = use(a);
  if (is_memory_constant(n.c) && !is_memory_constant(b)) {
    // A constant term stays in memory: the copy is one of a register.
    const int right = use(b);
    const Operand added = use_any(n.c);
    const int dst = define(id);
    copy(dst, left, cls);
    op(form213, v(dst), v(right), added);
    return;
  }
  const Operand right = use_any(b);
  if (is_memory_constant(n.c) && values_[n.c].reg < 0) {
    const int dst = define(id);
    load_value(n.c, dst);
    op(form231, v(dst), v(left), right);
    return;
  }
  const int added = use(n.c);
  const int dst = define(id);
  copy(dst, added, cls);
  op(form231, v(dst), v(left), right);
}

// --- comparison and choice -----------------------------------------------------------------------

void X86Stage::emit_bool(NodeId id) {
  const Node& n = node(id);
  const int a = use(n.a);
  const int b = n.op == Op::Not ? a : use(n.b);
  const int dst = define(id);
  if (is_avx512()) {
    switch (n.op) {
      case Op::And:
      case Op::Min:
        asm_.kandw(kreg(dst), kreg(a), kreg(b));
        return;
      case Op::Or:
      case Op::Max:
        asm_.korw(kreg(dst), kreg(a), kreg(b));
        return;
      case Op::Xor:
        asm_.kxorw(kreg(dst), kreg(a), kreg(b));
        return;
      default:
        asm_.knotw(kreg(dst), kreg(a));
        return;
    }
  }
  const auto v = [&](int reg) { return vec_bytes(reg, vec_bytes_); };
  switch (n.op) {
    case Op::And:
    case Op::Min:
      op(I::kIdVpand, v(dst), v(a), v(b));
      return;
    case Op::Or:
    case Op::Max:
      op(I::kIdVpor, v(dst), v(a), v(b));
      return;
    case Op::Xor:
      op(I::kIdVpxor, v(dst), v(a), v(b));
      return;
    default:
      op(I::kIdVpcmpeqd, v(dst), v(dst), v(dst));
      op(I::kIdVpxor, v(dst), v(dst), v(a));
  }
}

void X86Stage::emit_compare(NodeId id) {
  const Node& n = node(id);
  const Type type = node(n.a).type;
  if (type == Type::Bool) {
    const int a = use(n.a);
    const int b = use(n.b);
    const int dst = define(id);
    if (is_avx512()) {
      switch (n.op) {
        case Op::Eq:
          asm_.kxnorw(kreg(dst), kreg(a), kreg(b));
          return;
        case Op::Ne:
          asm_.kxorw(kreg(dst), kreg(a), kreg(b));
          return;
        case Op::Lt:
          asm_.kandnw(kreg(dst), kreg(a), kreg(b));
          return;
        default:
          asm_.knotw(kreg(dst), kreg(a));
          asm_.korw(kreg(dst), kreg(dst), kreg(b));
          return;
      }
    }
    const auto v = [&](int reg) { return vec_bytes(reg, vec_bytes_); };
    const int ones = temp(Class::Mask);
    op(I::kIdVpcmpeqd, v(ones), v(ones), v(ones));
    switch (n.op) {
      case Op::Ne:
        op(I::kIdVpxor, v(dst), v(a), v(b));
        return;
      case Op::Lt:
        op(I::kIdVpandn, v(dst), v(a), v(b));
        return;
      case Op::Eq:
        op(I::kIdVpxor, v(dst), v(a), v(b));
        op(I::kIdVpxor, v(dst), v(dst), v(ones));
        return;
      default:
        op(I::kIdVpxor, v(dst), v(a), v(ones));
        op(I::kIdVpor, v(dst), v(dst), v(b));
        return;
    }
  }
  const int a = use(n.a);
  const Operand b = use_any(n.b);
  compare(define(id), a, b, type, predicate_of(n.op));
}

void X86Stage::emit_test(NodeId id) {
  const Node& n = node(id);
  const Type type = node(n.a).type;
  const Class cls = class_of(type);
  const bool is_double = type == Type::F64;
  const int a = use(n.a);
  const int dst = define(id);
  if (n.op == Op::IsNan) return compare(dst, a, vec(a, cls), type, kUnordered);
  if (n.op == Op::SignBit) {
    if (is_avx512()) {
      op(is_double ? I::kIdVpmovq2m : I::kIdVpmovd2m, kreg(dst), vec(a, cls));
      return;
    }
    const int zero = load_constant(0, cls);
    return compare(dst, a, vec(zero, cls), is_double ? Type::I64 : Type::I32, kLt);
  }
  const Bits sign = is_double ? kSign64 : kSign32;
  const Bits infinity = is_double ? std::bit_cast<uint64_t>(std::numeric_limits<double>::infinity())
                                  : std::bit_cast<uint32_t>(std::numeric_limits<float>::infinity());
  const int magnitude = temp(cls);
  bitwise(kAnd, magnitude, a, constant(sign - 1, cls), cls);
  compare(dst, magnitude, constant(infinity, cls), type, n.op == Op::IsInf ? kEq : kLt);
}

void X86Stage::emit_select(NodeId id) {
  const Node& n = node(id);
  const Class cls = values_[id].cls;
  const int mask = use(n.a);
  if (cls == Class::Mask) {
    const int yes = use(n.b);
    const int no = use(n.c);
    const int dst = define(id);
    if (is_avx512()) {
      const int kept = temp(cls);
      asm_.kandw(kreg(dst), kreg(mask), kreg(yes));
      asm_.kandnw(kreg(kept), kreg(mask), kreg(no));
      asm_.korw(kreg(dst), kreg(dst), kreg(kept));
    } else {
      op(I::kIdVblendvps, vec(dst, cls), vec(no, cls), vec(yes, cls), vec(mask, cls));
    }
    return;
  }
  const int no = use(n.c);
  const Operand yes = use_any(n.b);
  if (!is_avx512()) return blend(define(id), mask, yes, no, cls);
  release_dead_operands();
  blend(define(id), mask, yes, no, cls);
}

void X86Stage::emit_min_max(NodeId id) {
  const Node& n = node(id);
  const Class cls = values_[id].cls;
  const auto v = [&](int reg) { return vec(reg, cls); };
  const bool is_min = n.op == Op::Min || n.op == Op::FMin;
  const int a = use(n.a);
  const int b = use(n.b);
  const int dst = define(id);
  if (is_float(n.type)) {
    // The smaller by a comparison, which is quiet about nans (vminpd is not); b for nan and for
    // equal zeros. Then a where a (fmin: b) is nan.
    const bool is_double = n.type == Type::F64;
    const int mask = temp(Class::Mask);
    compare(mask, is_min ? a : b, v(is_min ? b : a), n.type, kLt);
    blend(dst, mask, v(a), b, cls);
    const bool is_bounded_by_constant = (n.op == Op::Min || n.op == Op::Max) &&
                                        node(n.a).op == Op::Const &&
                                        (is_double ? !std::isnan(from_bits<double>(node(n.a).imm))
                                                   : !std::isnan(from_bits<float>(node(n.a).imm)));
    if (is_bounded_by_constant) return;
    const int tested = n.op == Op::FMin || n.op == Op::FMax ? b : a;
    compare(mask, tested, v(tested), n.type, kUnordered);
    return blend(dst, mask, v(a), dst, cls);
  }
  const bool is_signed = is_signed_int(n.type);
  if (cls == Class::Wide && !is_avx512()) {
    const int mask = temp(Class::Mask);
    if (is_min)
      compare(mask, a, v(b), n.type, kLt);
    else
      compare(mask, b, v(a), n.type, kLt);
    return blend(dst, mask, v(a), b, cls);
  }
  const uint32_t id32 = is_min ? (is_signed ? I::kIdVpminsd : I::kIdVpminud)
                               : (is_signed ? I::kIdVpmaxsd : I::kIdVpmaxud);
  const uint32_t id64 = is_min ? (is_signed ? I::kIdVpminsq : I::kIdVpminuq)
                               : (is_signed ? I::kIdVpmaxsq : I::kIdVpmaxuq);
  op(cls == Class::Wide ? id64 : id32, v(dst), v(a), v(b));
}

// --- exponents -----------------------------------------------------------------------------------

namespace {

// What AVX2 needs to take a float apart.
struct FloatForm {
  double bias, subnormal_scale_log, magic, clamp, exponent_min;
  int fraction_bits;
  Bits sign, exponent_mask, one, infinity;
};
constexpr FloatForm kF64Form{1023,
                             54,
                             6755399441055744.0,
                             2200,
                             -1022,
                             52,
                             kSign64,
                             uint64_t{0x7ff} << 52,
                             uint64_t{0x3ff} << 52,
                             uint64_t{0x7ff} << 52};
constexpr FloatForm kF32Form{127,
                             25,
                             12582912.0,
                             300,
                             -126,
                             23,
                             kSign32,
                             uint64_t{0xff} << 23,
                             uint64_t{0x7f} << 23,
                             uint64_t{0xff} << 23};

Bits float_bits(double value, Type type) {
  return type == Type::F64 ? std::bit_cast<uint64_t>(value)
                           : std::bit_cast<uint32_t>(static_cast<float>(value));
}

}  // namespace

void X86Stage::emit_scale(NodeId id) {
  const Node& n = node(id);
  const Class cls = values_[id].cls;
  const bool is_double = n.type == Type::F64;
  if (is_avx512()) {
    const uint32_t scale = is_double ? I::kIdVscalefpd : I::kIdVscalefps;
    const int a = use(n.a);
    const Operand b = use_any(n.b);
    if (n.imm == ir::kFiniteExponent) {
      release_dead_operands();
      op(scale, vec(define(id), cls), vec(a, cls), b);
      return;
    }
    // The instruction makes 0 or inf of a nan whose exponent is infinite.
    const int dst = define(id);
    const int mask = temp(Class::Mask);
    op(scale, vec(dst, cls), vec(a, cls), b);
    compare(mask, a, vec(a, cls), n.type, kUnordered);
    with_mask(mask);
    op(kAddIds.of(n.type), vec(dst, cls), vec(a, cls), b);
    return;
  }
  // By two small factors and one large: only the last product can round (it is the one that may
  // leave the normal range), so the result is rounded once.
  const FloatForm& form = is_double ? kF64Form : kF32Form;
  const auto v = [&](int reg) { return vec(reg, cls); };
  const auto c = [&](double value) { return constant(float_bits(value, n.type), cls); };
  const uint32_t add = kAddIds.of(n.type);
  const uint32_t sub = kSubIds.of(n.type);
  const uint32_t mul = kMulIds.of(n.type);
  const uint32_t min = is_double ? I::kIdVminpd : I::kIdVminps;
  const uint32_t max = is_double ? I::kIdVmaxpd : I::kIdVmaxps;
  const int a = use(n.a);
  const int k = use(n.b);
  const int whole = temp(cls);
  const int large = temp(cls);
  const int half = temp(cls);
  const int power = temp(cls);
  const int mask = temp(Class::Mask);
  const int dst = define(id);
  const auto multiply = [&](int exponent) {
    op(add, v(power), v(exponent), c(form.magic + form.bias));
    op(is_double ? I::kIdVpsllq : I::kIdVpslld, v(power), v(power), form.fraction_bits);
    op(mul, v(dst), v(dst), v(power));
  };
  round_to(whole, v(k), n.type, 1);
  op(min, v(whole), v(whole), c(form.clamp));
  op(max, v(whole), v(whole), c(-form.clamp));
  op(min, v(large), v(whole), c(form.bias));
  op(max, v(large), v(large), c(form.exponent_min));
  op(sub, v(whole), v(whole), v(large));
  op(mul, v(half), v(whole), c(0.5));
  round_to(half, v(half), n.type, 1);
  op(sub, v(whole), v(whole), v(half));
  copy(dst, a, cls);
  multiply(half);
  multiply(whole);
  multiply(large);
  if (n.imm == ir::kFiniteExponent) return;
  // An exponent that is not finite: a times 2^k as such.
  op(max, v(half), v(k), c(0));  // nan gives 0
  op(mul, v(half), v(half), v(a));
  compare(mask, k, v(k), n.type, kUnordered);
  op(add, v(power), v(a), v(k));
  blend(half, mask, v(power), half, cls);
  op(sub, v(power), v(k), v(k));
  compare(mask, power, v(power), n.type, kUnordered);
  blend(dst, mask, v(half), dst, cls);
}

void X86Stage::emit_logb(NodeId id) {
  const Node& n = node(id);
  const Class cls = values_[id].cls;
  const bool is_double = n.type == Type::F64;
  if (is_avx512()) {
    const Operand a = use_any(n.a);
    release_dead_operands();
    op(is_double ? I::kIdVgetexppd : I::kIdVgetexpps, vec(define(id), cls), a);
    return;
  }
  const FloatForm& form = is_double ? kF64Form : kF32Form;
  const auto v = [&](int reg) { return vec(reg, cls); };
  const auto c = [&](double value) { return constant(float_bits(value, n.type), cls); };
  const int a = use(n.a);
  const int magnitude = temp(cls);
  const int scaled = temp(cls);
  const int lowered = temp(cls);
  const int mask = temp(Class::Mask);
  const int dst = define(id);
  const double smallest_normal =
      is_double ? std::numeric_limits<double>::min() : std::numeric_limits<float>::min();
  bitwise(kAnd, magnitude, a, constant(form.sign - 1, cls), cls);
  compare(mask, magnitude, c(smallest_normal), n.type, kLt);
  op(kMulIds.of(n.type), v(scaled), v(magnitude), c(is_double ? 0x1p54 : 0x1p25));
  blend(scaled, mask, v(scaled), magnitude, cls);
  op(is_double ? I::kIdVpsrlq : I::kIdVpsrld, v(dst), v(scaled), form.fraction_bits);
  // As a float: the integer in the fraction of 1.5 * 2^fraction_bits, less that and the bias.
  bitwise(kOr, dst, dst, c(form.magic), cls);
  op(kSubIds.of(n.type), v(dst), v(dst), c(form.magic + form.bias));
  op(kSubIds.of(n.type), v(lowered), v(dst), c(form.subnormal_scale_log));
  blend(dst, mask, v(lowered), dst, cls);
  compare(mask, magnitude, c(0), n.type, kEq);
  const Bits infinity = form.infinity;
  blend(dst, mask, v(load_constant(infinity | form.sign, cls)), dst, cls);
  compare(mask, magnitude, constant(infinity, cls), n.type, kEq);
  blend(dst, mask, v(magnitude), dst, cls);
  compare(mask, a, v(a), n.type, kUnordered);
  op(kAddIds.of(n.type), v(lowered), v(a), v(a));
  blend(dst, mask, v(lowered), dst, cls);
}

void X86Stage::emit_mantissa(NodeId id) {
  const Node& n = node(id);
  const Class cls = values_[id].cls;
  const bool is_double = n.type == Type::F64;
  if (is_avx512()) {
    const Operand a = use_any(n.a);
    release_dead_operands();
    op(is_double ? I::kIdVgetmantpd : I::kIdVgetmantps, vec(define(id), cls), a, asmjit::Imm(0));
    return;
  }
  const FloatForm& form = is_double ? kF64Form : kF32Form;
  const auto v = [&](int reg) { return vec(reg, cls); };
  const auto c = [&](double value) { return constant(float_bits(value, n.type), cls); };
  const int a = use(n.a);
  const int other = temp(cls);
  const int mask = temp(Class::Mask);
  const int dst = define(id);
  const double smallest_normal =
      is_double ? std::numeric_limits<double>::min() : std::numeric_limits<float>::min();
  bitwise(kAnd, other, a, constant(form.sign - 1, cls), cls);
  compare(mask, other, c(smallest_normal), n.type, kLt);
  op(kMulIds.of(n.type), v(other), v(a), c(is_double ? 0x1p54 : 0x1p25));
  blend(dst, mask, v(other), a, cls);
  bitwise(kAnd, dst, dst, constant(~form.exponent_mask, cls), cls);
  bitwise(kOr, dst, dst, constant(form.one, cls), cls);
  op(kAddIds.of(n.type), v(other), v(a), v(a));
  compare(mask, a, v(a), n.type, kUnordered);
  blend(dst, mask, v(other), dst, cls);
}

}  // namespace lattice::jit::internal
