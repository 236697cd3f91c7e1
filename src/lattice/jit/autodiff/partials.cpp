// SPDX-License-Identifier: MIT
#include "lattice/jit/autodiff/internal/partials.hpp"

#include <cmath>
#include <numbers>

namespace lattice::jit::autodiff {

namespace {

using Kind = Partial::Kind;

Partial times(NodeId id) { return {Kind::Times, id}; }
Partial over(NodeId id) { return {Kind::Over, id}; }

Partial power(Builder& b, const Node& node, NodeId result, int k) {
  const Type type = node.type;
  const NodeId one = number(b, type, 1.0);
  if (k == 0) {
    const Node& exponent = b[node.b];
    if (exponent.op == Op::Const) {
      const double value = type == Type::F64 ? from_bits<double>(exponent.imm)
                                             : static_cast<double>(from_bits<float>(exponent.imm));
      if (value == 0.0) return {};
      if (value == 1.0) return {Kind::One, kNone};
      if (value == 2.0) return times(b.binary(Op::Mul, node.b, node.a));
      const NodeId less = number(b, type, value - 1.0);
      return times(b.binary(Op::Mul, node.b, b.binary(Op::Pow, node.a, less)));
    }
    const NodeId less = b.binary(Op::Sub, node.b, one);
    const NodeId slope = b.binary(Op::Mul, node.b, b.binary(Op::Pow, node.a, less));
    // x ** 0 is 1 for every x, zero included.
    const NodeId zero = number(b, type, 0.0);
    return times(b.select(b.compare(Op::Eq, node.b, zero), zero, slope));
  }
  // At a zero base the result does not move with the exponent, as long as that is positive.
  const NodeId is_zero = b.compare(Op::Eq, node.a, number(b, type, 0.0));
  return times(b.binary(Op::Mul, result, b.unary(Op::Log, b.select(is_zero, one, node.a))));
}

}  // namespace

NodeId number(Builder& b, Type type, double value) {
  return type == Type::F32 ? b.constant(static_cast<float>(value)) : b.constant(value);
}

NodeId plus(Builder& b, NodeId x, NodeId y) {
  if (x == kNone) return y;
  return y == kNone ? x : b.binary(Op::Add, x, y);
}

void refuse(const Function& from, NodeId old, const std::string& why) {
  const ir::SourceLocation at =
      old < from.locations.size() ? from.locations[old] : ir::SourceLocation{};
  const std::string file = at.line != 0 && at.file < from.files.size() ? from.files[at.file] : "";
  std::string text = "no derivative of " + from.name + ": " + why;
  if (!file.empty()) text += " (" + file + ", line " + std::to_string(at.line) + ")";
  throw DerivativeError(text, file, at.line);
}

Partial partial(Builder& b, const Node& node, NodeId result, int k, const Function& from,
                NodeId old) {
  const Type type = node.type;
  const NodeId x = node.a;
  const NodeId y = node.b;
  const auto value = [&](double c) { return number(b, type, c); };
  const auto square_plus = [&](NodeId v, double sign, double add) {
    const NodeId squared = b.binary(Op::Mul, v, v);
    return sign > 0 ? b.binary(Op::Add, squared, value(add))
                    : b.binary(Op::Sub, value(add), squared);
  };
  switch (node.op) {
    case Op::Add:
      return {Kind::One, kNone};
    case Op::Sub:
      return {k == 0 ? Kind::One : Kind::Minus, kNone};
    case Op::Mul:
      return times(k == 0 ? y : x);
    case Op::Div:
      if (k == 0) return over(y);
      return times(b.binary(Op::Div, b.unary(Op::Neg, result), y));
    case Op::Fma:
      return k == 2 ? Partial{Kind::One, kNone} : times(k == 0 ? y : x);
    case Op::Neg:
      return {Kind::Minus, kNone};
    case Op::Abs:
      return times(b.unary(Op::Sign, x));
    case Op::Mod:
      if (k == 0) return {Kind::One, kNone};
      return times(b.unary(Op::Neg, b.binary(Op::FloorDiv, x, y)));
    case Op::FMod:
      if (k == 0) return {Kind::One, kNone};
      return times(b.unary(Op::Neg, b.unary(Op::Trunc, b.binary(Op::Div, x, y))));
    case Op::FloorDiv:
    case Op::Sign:
    case Op::Floor:
    case Op::Ceil:
    case Op::Trunc:
    case Op::Rint:
      return {};
    case Op::Min:
    case Op::Max:
    case Op::FMin:
    case Op::FMax: {
      const bool is_min = node.op == Op::Min || node.op == Op::FMin;
      const bool is_nan_kept = node.op == Op::Min || node.op == Op::Max;
      const NodeId less = is_min ? b.compare(Op::Lt, x, y) : b.compare(Op::Lt, y, x);
      const NodeId first = b.binary(Op::Or, less, b.unary(Op::IsNan, is_nan_kept ? x : y));
      return {k == 0 ? Kind::Where : Kind::WhereNot, first};
    }
    case Op::CopySign: {
      if (k == 1) return {};
      const NodeId same = b.binary(Op::Xor, b.unary(Op::SignBit, x), b.unary(Op::SignBit, y));
      return times(b.select(same, value(-1.0), value(1.0)));
    }
    case Op::Sqrt:
      return over(b.binary(Op::Mul, value(2.0), result));
    case Op::Select:
      if (k == 0) return {};
      return {k == 1 ? Kind::Where : Kind::WhereNot, x};
    case Op::Cast:
      return {is_float(type) ? Kind::Cast : Kind::Zero, kNone};
    case Op::Like:
      return {k == 0 ? Kind::One : Kind::Zero, kNone};
    case Op::Exp:
      return times(result);
    case Op::Exp2:
      return times(b.binary(Op::Mul, result, value(std::numbers::ln2)));
    case Op::Expm1:
      return times(b.binary(Op::Add, result, value(1.0)));
    case Op::Log:
      return over(x);
    case Op::Log2:
      return over(b.binary(Op::Mul, x, value(std::numbers::ln2)));
    case Op::Log10:
      return over(b.binary(Op::Mul, x, value(std::numbers::ln10)));
    case Op::Log1p:
      return over(b.binary(Op::Add, x, value(1.0)));
    case Op::Sin:
      return times(b.unary(Op::Cos, x));
    case Op::Cos:
      return times(b.unary(Op::Neg, b.unary(Op::Sin, x)));
    case Op::Tan:
      return times(square_plus(result, 1, 1.0));
    case Op::Asin:
      return over(b.unary(Op::Sqrt, square_plus(x, -1, 1.0)));
    case Op::Acos:
      return over(b.unary(Op::Neg, b.unary(Op::Sqrt, square_plus(x, -1, 1.0))));
    case Op::Atan:
      return over(square_plus(x, 1, 1.0));
    case Op::Sinh:
      return times(b.unary(Op::Cosh, x));
    case Op::Cosh:
      return times(b.unary(Op::Sinh, x));
    case Op::Tanh:
      return times(square_plus(result, -1, 1.0));
    case Op::Asinh:
      return over(b.unary(Op::Sqrt, square_plus(x, 1, 1.0)));
    case Op::Acosh: {
      // (x - 1) (x + 1) keeps the digits that x * x - 1 loses near 1.
      const NodeId low = b.binary(Op::Sub, x, value(1.0));
      const NodeId high = b.binary(Op::Add, x, value(1.0));
      return over(b.binary(Op::Mul, b.unary(Op::Sqrt, low), b.unary(Op::Sqrt, high)));
    }
    case Op::Atanh:
      return over(square_plus(x, -1, 1.0));
    case Op::Cbrt:
      return over(b.binary(Op::Mul, value(3.0), b.binary(Op::Mul, result, result)));
    case Op::Erf:
    case Op::Erfc: {
      const double scale = 2.0 / std::sqrt(std::numbers::pi) * (node.op == Op::Erf ? 1.0 : -1.0);
      const NodeId bell = b.unary(Op::Exp, b.unary(Op::Neg, b.binary(Op::Mul, x, x)));
      return times(b.binary(Op::Mul, value(scale), bell));
    }
    case Op::Pow:
      return power(b, node, result, k);
    case Op::Atan2: {
      const NodeId norm = b.binary(Op::Add, b.binary(Op::Mul, x, x), b.binary(Op::Mul, y, y));
      return times(b.binary(Op::Div, k == 0 ? y : b.unary(Op::Neg, x), norm));
    }
    case Op::Hypot:
      return times(b.binary(Op::Div, k == 0 ? x : y, result));
    default:
      if (!is_float(type)) return {};
      refuse(from, old, std::string(op_name(node.op)) + " has no derivative here");
  }
}

NodeId apply(Builder& b, const Partial& by, NodeId change, Type type) {
  if (change == kNone) return kNone;
  const auto zero = [&] { return number(b, type, 0.0); };
  switch (by.kind) {
    case Kind::Zero:
      return kNone;
    case Kind::One:
      return change;
    case Kind::Minus:
      return b.unary(Op::Neg, change);
    case Kind::Times:
      return b.binary(Op::Mul, change, by.id);
    case Kind::Over:
      return b.binary(Op::Div, change, by.id);
    case Kind::Where:
      return b.select(by.id, change, zero());
    case Kind::WhereNot:
      return b.select(by.id, zero(), change);
    case Kind::Cast:
      return b.cast(change, type);
  }
  return kNone;
}

ir::ViewSpec whole_view(int rank) { return ir::ViewSpec(static_cast<size_t>(rank)); }

NodeId reversed(Builder& b, NodeId x, int axis) {
  ir::ViewSpec items = whole_view(b[x].rank());
  items[static_cast<size_t>(axis)].step = -1;
  return b.view(x, std::move(items));
}

std::vector<NodeId> mapped(std::span<const NodeId> values, const std::vector<NodeId>& map) {
  std::vector<NodeId> out;
  for (NodeId id : values) out.push_back(map[id]);
  return out;
}

Node mapped(const Node& node, const std::vector<NodeId>& map) {
  Node copy = node;
  for (NodeId* operand : {&copy.a, &copy.b, &copy.c, &copy.d}) {
    if (*operand != kNone) *operand = map[*operand];
  }
  return copy;
}

namespace {

class Varied {
 public:
  Varied(const Function& from, std::span<const uint32_t> wrt)
      : from_(from), wrt_(from.params.size(), 0), on_(from.nodes.size(), 0) {
    for (uint32_t index : wrt) {
      if (index < wrt_.size()) wrt_[index] = 1;  // others are refused by who asked
    }
  }

  std::vector<uint8_t> run() {
    region(0);
    return std::move(on_);
  }

 private:
  // Whether anything new was found.
  bool region(RegionId id) {
    bool grew = false;
    for (NodeId at : from_.regions[id].nodes) {
      if (on_[at] != 0 && from_[at].op != Op::Loop && from_[at].op != Op::If) continue;
      bool is_on = false;
      const Node& node = from_[at];
      switch (node.op) {
        case Op::Param:
          is_on = wrt_[node.imm] != 0;
          break;
        case Op::Arg:
        case Op::Exit:
        case Op::Guard:
          continue;
        case Op::If:
          grew |= region(node.b);
          grew |= region(node.c);
          continue;
        case Op::Loop:
          grew |= loop(node);
          continue;
        case Op::Result: {
          const Node& owner = from_[node.a];
          const auto k = static_cast<size_t>(node.imm);
          is_on = owner.op == Op::Loop ? on_[from_.regions[owner.c].args[k]] != 0
                                       : on_[from_.regions[owner.b].yields[k]] != 0 ||
                                             on_[from_.regions[owner.c].yields[k]] != 0;
          break;
        }
        default:
          ir::for_each_operand(from_, node, [&](NodeId operand) { is_on |= on_[operand] != 0; });
          is_on = is_on && node.op != Op::Extent && node.op != Op::Iota;
      }
      if (is_on && is_float(node.type)) {
        on_[at] = 1;
        grew = true;
      }
    }
    return grew;
  }

  bool loop(const Node& node) {
    const ir::Region& body = from_.regions[node.c];
    const std::span<const NodeId> inits = from_.inits(node);
    bool grew = false;
    for (bool again = true; again;) {
      again = false;
      for (size_t k = 0; k < body.args.size(); ++k) {
        const bool is_on =
            is_float(from_[body.args[k]].type) && (on_[inits[k]] != 0 || on_[body.yields[k]] != 0);
        if (is_on && on_[body.args[k]] == 0) {
          on_[body.args[k]] = 1;
          again = true;
        }
      }
      again |= region(node.c);
      grew |= again;
    }
    return grew;
  }

  const Function& from_;
  std::vector<uint8_t> wrt_;
  std::vector<uint8_t> on_;
};

}  // namespace

std::vector<uint8_t> varied(const Function& from, std::span<const uint32_t> wrt) {
  return Varied(from, wrt).run();
}

}  // namespace lattice::jit::autodiff
