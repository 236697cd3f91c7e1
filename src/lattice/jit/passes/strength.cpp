// SPDX-License-Identifier: MIT
#include "lattice/jit/passes/strength.hpp"

#include <bit>

#include "lattice/jit/passes/rewrite.hpp"

namespace lattice::jit::passes {

namespace {

using Wide = unsigned __int128;

struct Magic {
  uint64_t multiplier;
  int shift;
  bool add;  // unsigned: the multiplier has one bit more than the type
};

// Smallest shift with which multiplier/2^(width+shift) gives x/divisor exactly for every x.
Magic signed_magic(int64_t divisor, int width) {
  // divisor >= 2. For n = width - 1 bits: 2^(n+s) has a multiple of d close above.
  uint64_t d = static_cast<uint64_t>(divisor);
  for (int shift = 0;; ++shift) {
    Wide power = Wide{1} << (width + shift);
    Wide multiplier = power / d + 1;
    Wide error = multiplier * d - power;
    if (error <= (Wide{1} << (shift + 1))) return {static_cast<uint64_t>(multiplier), shift, false};
  }
}
Magic unsigned_magic(uint64_t d, int width) {
  int bits = 64 - std::countl_zero(d - 1);  // ceil(log2(d))
  for (int shift = 0; shift <= bits; ++shift) {
    if (width + shift > 126) break;
    Wide power = Wide{1} << (width + shift);
    Wide multiplier = power / d + 1;
    Wide error = multiplier * d - power;
    if (error <= (Wide{1} << shift)) {
      bool add = multiplier >> width != 0;
      return {static_cast<uint64_t>(multiplier), shift, add};
    }
  }
  return {0, -1, false};
}

class Strength final : public Walk {
 public:
  using Walk::Walk;

 private:
  NodeId value(const Node& node, NodeId) override {
    bool divides = node.op == Op::FloorDiv || node.op == Op::Mod;
    if (!divides || !is_int(builder_[node.a].type) || builder_[node.b].op != Op::Const) {
      return builder_.emit(node);
    }
    Type type = builder_[node.a].type;
    int width = bit_size(type);
    Bits bits = builder_[node.b].imm;
    // Negative divisors are rare; zero reports.
    bool negative = is_signed_int(type) && (bits >> (width - 1) & 1) != 0;
    if (bits == 0 || negative) return builder_.emit(node);
    if (std::has_single_bit(bits)) {
      if (node.op == Op::Mod) {
        return builder_.binary(Op::And, node.a, builder_.constant(type, bits - 1));
      }
      int shift = std::countr_zero(bits);
      return shift == 0 ? node.a
                        : builder_.binary(Op::Shr, node.a,
                                          builder_.constant(type, static_cast<Bits>(shift)));
    }
    if (width < 32) return builder_.emit(node);
    NodeId quotient = divide(node.a, type, bits);
    if (quotient == kNone) return builder_.emit(node);
    if (node.op == Op::FloorDiv) return quotient;
    return builder_.binary(Op::Sub, node.a,
                           builder_.binary(Op::Mul, quotient, builder_.constant(type, bits)));
  }

  NodeId shift_right(NodeId x, Type type, int by) {
    return by == 0 ? x
                   : builder_.binary(Op::Shr, x, builder_.constant(type, static_cast<Bits>(by)));
  }

  NodeId divide(NodeId x, Type type, Bits divisor) {
    int width = bit_size(type);
    if (is_signed_int(type)) {
      Magic magic = signed_magic(static_cast<int64_t>(divisor), width);
      // The multiplier may look negative: then one x is missing from the product.
      // floor(x/d) = ~floor(~x/d): negative x are mirrored, so that the product is of non-negative
      // numbers and rounding down is right for both.
      NodeId sign = builder_.binary(Op::Shr, x, builder_.constant(type, Bits(width - 1)));
      NodeId mirrored = builder_.binary(Op::Xor, x, sign);
      NodeId high =
          builder_.binary(Op::MulHigh, mirrored, builder_.constant(type, magic.multiplier));
      // A multiplier that looks negative misses one x in the product.
      if ((magic.multiplier >> (width - 1) & 1) != 0) {
        high = builder_.binary(Op::Add, high, mirrored);
      }
      return builder_.binary(Op::Xor, shift_right(high, type, magic.shift), sign);
    }
    if ((divisor >> (width - 1) & 1) != 0) {  // the quotient is 0 or 1
      return builder_.cast(builder_.compare(Op::Le, builder_.constant(type, divisor), x), type);
    }
    Magic magic = unsigned_magic(divisor, width);
    if (magic.shift < 0) return kNone;
    NodeId high = builder_.binary(Op::MulHigh, x, builder_.constant(type, magic.multiplier));
    if (!magic.add) return shift_right(high, type, magic.shift);
    // (x + high) may overflow: half of the difference is added instead.
    NodeId half = shift_right(builder_.binary(Op::Sub, x, high), type, 1);
    return shift_right(builder_.binary(Op::Add, half, high), type, magic.shift - 1);
  }
};

}  // namespace

Function reduce_strength(const Function& function) { return Strength(function).run(); }

}  // namespace lattice::jit::passes
