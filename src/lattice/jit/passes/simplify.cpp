// SPDX-License-Identifier: MIT
#include "lattice/jit/passes/simplify.hpp"

#include <cmath>

#include "lattice/jit/ir/scalar_ops.hpp"
#include "lattice/jit/passes/rewrite.hpp"

namespace lattice::jit::passes {

namespace {

bool is_finite(Type type, Bits bits) {
  if (type == Type::F64) return std::isfinite(from_bits<double>(bits));
  if (type == Type::F32) return std::isfinite(from_bits<float>(bits));
  return true;
}

Bits all_ones(Type type) {
  int width = bit_size(type);
  return width == 64 ? ~Bits{0} : (Bits{1} << width) - 1;
}

class Simplify final : public Walk {
 public:
  using Walk::Walk;

 private:
  const Node& at(NodeId id) const { return builder_[id]; }
  bool is_const(NodeId id) const { return id != kNone && at(id).op == Op::Const; }
  // A float constant of this value; +0 and -0 are told apart.
  bool is_float_const(NodeId id, double value) const {
    if (!is_const(id)) return false;
    if (at(id).type == Type::F64) return at(id).imm == to_bits(value);
    if (at(id).type == Type::F32) return at(id).imm == to_bits(static_cast<float>(value));
    return false;
  }
  bool is_int_const(NodeId id, Bits value) const {
    return is_const(id) && !is_float(at(id).type) && at(id).imm == value;
  }
  NodeId float_const(Type type, double value) {
    return type == Type::F64 ? builder_.constant(value)
                             : builder_.constant(static_cast<float>(value));
  }
  // A constant with the shape of another value.
  NodeId spread(Type type, Bits bits, NodeId like) {
    return builder_.like(builder_.constant(type, bits), like);
  }

  NodeId value(const Node& node, NodeId) override {
    if (NodeId folded = fold(node); folded != kNone) return folded;
    NodeId simpler = kNone;
    switch (op_kind(node.op)) {
      case OpKind::Unary:
        simpler = unary(node);
        break;
      case OpKind::Binary:
        simpler = is_float(at(node.a).type) ? binary_float(node) : binary_int(node);
        break;
      case OpKind::Compare:
        simpler = compare(node);
        break;
      case OpKind::Ternary:
        simpler = node.op == Op::Select ? select(node) : kNone;
        break;
      case OpKind::Convert:
        simpler = convert(node);
        break;
      case OpKind::Math:
        simpler = node.op == Op::Pow ? power(node) : kNone;
        break;
      default:
        break;
    }
    return simpler == kNone ? builder_.emit(node) : simpler;
  }

  NodeId fold(const Node& node) {
    if (!is_elementwise(node.op) || node.op == Op::Like || node.op == Op::Lookup) return kNone;
    // Library functions are folded when they have been expanded.
    if (op_kind(node.op) == OpKind::Math && from_.math == ir::MathPolicy::Own) return kNone;
    Bits in[3] = {};
    bool finite = true;
    int count = 0;
    for (NodeId operand : {node.a, node.b, node.c}) {
      if (operand == kNone) break;
      if (!is_const(operand)) return kNone;
      in[count++] = at(operand).imm;
      finite = finite && is_finite(at(operand).type, at(operand).imm);
    }
    Type type = node.op == Op::Select ? at(node.b).type : at(node.a).type;
    Type to = op_kind(node.op) == OpKind::Compare || op_kind(node.op) == OpKind::Test ? Type::Bool
              : op_kind(node.op) == OpKind::Convert                                   ? node.type
                                                                                      : type;
    uint32_t status = 0;
    Bits bits = scalar::evaluate(node.op, type, to, node.checked(), in[0], in[1], in[2], status);
    // What warns at run time goes on warning.
    if (status != 0 || (finite && !is_finite(to, bits))) return kNone;
    return builder_.constant(to, bits);
  }

  NodeId unary(const Node& node) {
    if ((node.op == Op::Neg || node.op == Op::Not) && !node.checked() && at(node.a).op == node.op &&
        !at(node.a).checked()) {
      return at(node.a).a;
    }
    if (node.op == Op::Abs && at(node.a).op == Op::Abs) return node.a;
    return kNone;
  }

  NodeId binary_float(const Node& node) {
    NodeId a = node.a;
    NodeId b = node.b;
    switch (node.op) {
      case Op::Mul:
        if (is_float_const(b, 1)) return a;
        if (is_float_const(a, 1)) return b;
        if (is_float_const(b, 2)) return builder_.binary(Op::Add, a, a);
        if (is_float_const(a, 2)) return builder_.binary(Op::Add, b, b);
        return kNone;
      case Op::Div:
        return node.checked() && !is_const(b) ? kNone : divide(node);
      case Op::Add:
        if (is_float_const(b, -0.0)) return a;
        if (is_float_const(a, -0.0)) return b;
        return kNone;
      case Op::Sub:
        return is_float_const(b, 0.0) ? a : kNone;
      case Op::Min:
      case Op::Max:
        return a == b ? a : kNone;
      default:
        return kNone;
    }
  }

  NodeId divide(const Node& node) {
    if (is_float_const(node.b, 1)) return node.a;
    if (!is_const(node.b)) return kNone;
    // Exact when the reciprocal is a power of two in the normal range.
    Type type = at(node.b).type;
    double divisor = type == Type::F64 ? from_bits<double>(at(node.b).imm)
                                       : static_cast<double>(from_bits<float>(at(node.b).imm));
    int exponent = 0;
    double fraction = std::frexp(divisor, &exponent);
    int limit = type == Type::F64 ? 1000 : 120;
    if (std::fabs(fraction) != 0.5 || std::abs(exponent) > limit) return kNone;
    return builder_.binary(Op::Mul, node.a, float_const(type, 1 / divisor));
  }

  NodeId binary_int(const Node& node) {
    NodeId a = node.a;
    NodeId b = node.b;
    Type type = at(a).type;
    switch (node.op) {
      case Op::Add:
      case Op::Xor:
      case Op::Or:
        if (is_int_const(b, 0)) return a;
        if (is_int_const(a, 0)) return b;
        if (node.op == Op::Or && a == b) return a;
        if (node.op == Op::Or && is_int_const(b, all_ones(type))) {
          return spread(type, all_ones(type), a);
        }
        return kNone;
      case Op::Sub:
      case Op::Shl:
      case Op::Shr:
        return is_int_const(b, 0) ? a : kNone;
      case Op::Mul:
        if (is_int_const(b, 1)) return a;
        if (is_int_const(a, 1)) return b;
        if (is_int_const(b, 0)) return spread(type, 0, a);
        return kNone;
      case Op::And:
        if (a == b || is_int_const(b, all_ones(type))) return a;
        if (is_int_const(a, all_ones(type))) return b;
        if (is_int_const(b, 0)) return spread(type, 0, a);
        return kNone;
      case Op::Min:
      case Op::Max:
        return a == b ? a : kNone;
      default:
        return kNone;
    }
  }

  NodeId compare(const Node& node) {
    if (node.a != node.b || is_float(at(node.a).type)) return kNone;  // nan is unlike itself
    bool holds = node.op == Op::Eq || node.op == Op::Le;
    return spread(Type::Bool, holds ? 1 : 0, node.a);
  }

  NodeId select(const Node& node) {
    if (is_const(node.a)) {
      bool yes = at(node.a).imm != 0;
      return builder_.like(yes ? node.b : node.c, yes ? node.c : node.b);
    }
    if (node.b == node.c) return builder_.like(node.b, node.a);
    if (at(node.a).op == Op::Not) return builder_.select(at(node.a).a, node.c, node.b);
    if (at(node.b).type == Type::Bool && is_const(node.b) && is_const(node.c)) {
      return at(node.b).imm != 0 ? node.a : builder_.unary(Op::Not, node.a);
    }
    return kNone;
  }

  NodeId convert(const Node& node) {
    const Node& inner = at(node.a);
    if (node.op == Op::Bitcast) {
      if (inner.op != Op::Bitcast) return node.type == inner.type ? node.a : kNone;
      return at(inner.a).type == node.type ? inner.a : builder_.bitcast(inner.a, node.type);
    }
    if (node.type == inner.type) return node.a;
    if (inner.op != Op::Cast || at(inner.a).type != node.type) return kNone;
    // There and back through a type that holds every value.
    Type narrow = node.type;
    Type wide = inner.type;
    bool lossless = (is_int(narrow) && is_int(wide) && byte_size(wide) >= byte_size(narrow)) ||
                    (narrow == Type::F32 && wide == Type::F64) || narrow == Type::Bool ||
                    (is_int(narrow) && is_float(wide) && byte_size(wide) > byte_size(narrow));
    return lossless ? inner.a : kNone;
  }

  NodeId power(const Node& node) {
    if (!is_const(node.b) || from_.math != ir::MathPolicy::Own || node.checked()) return kNone;
    Type type = at(node.b).type;
    NodeId x = node.a;
    if (is_float_const(node.b, 2)) return builder_.binary(Op::Mul, x, x);
    if (is_float_const(node.b, 1)) return x;
    if (is_float_const(node.b, -1)) return builder_.binary(Op::Div, float_const(type, 1), x);
    if (is_float_const(node.b, 0) || is_float_const(node.b, -0.0)) {
      return builder_.like(float_const(type, 1), x);
    }
    // pow(-0.0, 0.5) is 0.0, sqrt(-0.0) is -0.0: NumPy takes the root of arrays, Python does not.
    if (is_float_const(node.b, 0.5) && at(x).rank() > 0) return builder_.unary(Op::Sqrt, x);
    return kNone;
  }

  void branch(NodeId old, const Node& node) override {
    NodeId condition = map_[node.a];
    if (!is_const(condition)) return Walk::branch(old, node);
    RegionId taken = at(condition).imm != 0 ? node.b : node.c;
    RegionId other = taken == node.b ? node.c : node.b;
    for (size_t k = 0; k < from_.regions[taken].yields.size(); ++k) {
      // The branch that goes may have given the result its rank.
      if (from_[from_.regions[other].yields[k]].rank() >
          from_[from_.regions[taken].yields[k]].rank()) {
        return Walk::branch(old, node);
      }
    }
    region(taken);
    replace(old, mapped(from_.regions[taken].yields));
  }
};

}  // namespace

Function simplify(const Function& function) { return Simplify(function).run(); }

}  // namespace lattice::jit::passes
