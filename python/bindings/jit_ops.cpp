// SPDX-License-Identifier: MIT
#include "jit_ops.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lattice::python::jit {

using namespace lattice::jit;
using ir::kChecked;

namespace {

Value strong(Builder& b, NodeId id) {
  const ir::Node& node = b[id];
  return {id, node.type, static_cast<uint8_t>(node.rank()), false};
}
Value weak(Builder& b, NodeId id) {
  Value value = strong(b, id);
  value.is_weak = true;
  return value;
}
Value like_kind(Builder& b, NodeId id, bool is_weak) {
  return is_weak ? weak(b, id) : strong(b, id);
}

NodeId int_node(Builder& b, Type type, int64_t value) {
  if (type == Type::F64) return b.constant(static_cast<double>(value));
  if (type == Type::F32) return b.constant(static_cast<float>(value));
  return b.constant(type, static_cast<Bits>(value));
}
NodeId float_node(Builder& b, Type type, double value) {
  return type == Type::F32 ? b.constant(static_cast<float>(value)) : b.constant(value);
}

NodeId land(Builder& b, NodeId x, NodeId y) { return b.binary(Op::And, x, y); }
NodeId lor(Builder& b, NodeId x, NodeId y) { return b.binary(Op::Or, x, y); }
NodeId lnot(Builder& b, NodeId x) { return b.unary(Op::Not, x); }

[[noreturn]] void refuse(std::string what, std::string cure) {
  throw TraceFailure{"UnsupportedError", std::move(what), std::move(cure)};
}
[[noreturn]] void raise(PyObject* kind, const std::string& message) {
  PyErr_SetString(kind, message.c_str());
  throw PythonFailure{};
}

const char* numpy_name(Type type) {
  constexpr const char* kNames[kTypeCount] = {"void",   "bool",   "int8",    "int16",
                                              "int32",  "int64",  "uint8",   "uint16",
                                              "uint32", "uint64", "float32", "float64"};
  return kNames[static_cast<int>(type)];
}

int64_t min_of(Type type) {
  return is_signed_int(type) ? -(int64_t{1} << (bit_size(type) - 1)) * 1 : 0;
}
uint64_t max_of(Type type) {
  const int bits = bit_size(type) - (is_signed_int(type) ? 1 : 0);
  return bits == 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
}

int64_t constant_int_of(const Builder& b, const Value& value) {
  return from_bits<int64_t>(b[value.id].imm);
}

bool fits(int64_t value, Type type) {
  if (type == Type::I64) return true;
  if (value < 0) return is_signed_int(type) && value >= min_of(type);
  return static_cast<uint64_t>(value) <= max_of(type);
}

}  // namespace

std::string describe(const Value& value) {
  if (value.is_weak) {
    return value.type == Type::Bool ? "bool" : is_float(value.type) ? "float" : "int";
  }
  std::string name = numpy_name(value.type);
  return value.rank == 0 ? name : name + " array of rank " + std::to_string(value.rank);
}

Value constant_of(Builder& b, Type type, Bits bits, bool is_weak) {
  return {b.constant(type, bits), type, 0, is_weak};
}
Value constant_int(Builder& b, int64_t value) { return weak(b, b.constant(value)); }
Value constant_float(Builder& b, double value) { return weak(b, b.constant(value)); }

bool is_constant(const Builder& b, const Value& value) noexcept {
  return b[value.id].op == Op::Const;
}

Value cast_to(Builder& b, const Value& value, Type type) {
  if (value.type == type) return value;
  Value made = value;
  made.type = type;
  // Casts of constants are settled here: what is written as 2 shall be a constant 2.0 as well.
  if (is_constant(b, value)) {
    const Bits bits = b[value.id].imm;
    if (value.type == Type::I64 && is_float(type)) {
      const auto number = from_bits<int64_t>(bits);
      made.id = type == Type::F64 ? b.constant(static_cast<double>(number))
                                  : b.constant(static_cast<float>(number));
      return made;
    }
    if (value.type == Type::F64 && type == Type::F32) {
      made.id = b.constant(static_cast<float>(from_bits<double>(bits)));
      return made;
    }
    if (value.type == Type::I64 && is_int(type)) {
      made.id = b.constant(type, bits);
      return made;
    }
    if (value.type == Type::Bool) {
      made.id = int_node(b, type, static_cast<int64_t>(bits & 1));
      return made;
    }
  }
  made.id = b.cast(value.id, type);
  return made;
}

Type promote_strong(Type a, Type b) noexcept {
  if (a == b) return a;
  if (a == Type::Bool) return b;
  if (b == Type::Bool) return a;
  if (is_float(a) && is_float(b)) return Type::F64;
  if (is_float(a) || is_float(b)) {
    const Type real = is_float(a) ? a : b;
    const Type integer = is_float(a) ? b : a;
    return real == Type::F32 && byte_size(integer) <= 2 ? Type::F32 : Type::F64;
  }
  if (is_signed_int(a) == is_signed_int(b)) return byte_size(a) > byte_size(b) ? a : b;
  const Type plus = is_signed_int(a) ? a : b;
  const Type bare = is_signed_int(a) ? b : a;
  if (byte_size(plus) > byte_size(bare)) return plus;
  return byte_size(bare) == 8 ? Type::F64 : int_type(2 * byte_size(bare), true);
}

Value promoted(Builder& b, const Value& x, const Value& y) {
  (void)b;
  Value result;
  result.rank = std::max(x.rank, y.rank);
  result.is_weak = x.is_weak && y.is_weak;
  const bool any_int = !is_float(x.type) || !is_float(y.type) || x.is_mixed || y.is_mixed;
  if (x.is_weak == y.is_weak) {
    result.type = promote_strong(x.type, y.type);
    result.is_mixed = result.is_weak && is_float(result.type) && any_int;
    return result;
  }
  const Value& firm = x.is_weak ? y : x;
  const Value& soft = x.is_weak ? x : y;
  if (soft.type == Type::Bool) {
    result.type = firm.type;
  } else if (is_float(soft.type)) {
    result.type = is_float(firm.type) ? firm.type : Type::F64;
  } else {
    result.type = firm.type == Type::Bool ? Type::I64 : firm.type;
  }
  return result;
}

Value operand(Builder& b, const Value& value, const Value& target) {
  if (value.is_weak && !target.is_weak && value.type == Type::I64 && is_int(target.type) &&
      target.type != Type::I64) {
    if (is_constant(b, value)) {
      const int64_t number = constant_int_of(b, value);
      if (!fits(number, target.type)) {
        raise(PyExc_OverflowError, "Python integer " + std::to_string(number) +
                                       " out of bounds for " + numpy_name(target.type));
      }
    } else if (target.type == Type::U64) {
      b.guard(b.binary(Op::Le, int_node(b, Type::I64, 0), value.id));
    } else {
      const auto high = static_cast<int64_t>(max_of(target.type));
      b.guard(land(b, b.binary(Op::Le, int_node(b, Type::I64, min_of(target.type)), value.id),
                   b.binary(Op::Le, value.id, int_node(b, Type::I64, high))));
    }
  }
  Value made = cast_to(b, value, target.type);
  made.is_weak = target.is_weak;
  made.is_mixed = made.is_mixed && made.is_weak;
  return made;
}

namespace {

// Whether float64 holds this int and its neighbours; kNone when that is known.
NodeId is_exact(Builder& b, const Value& value) {
  if (value.type != Type::I64) return ir::kNone;
  constexpr int64_t kBound = int64_t{1} << 53;
  if (is_constant(b, value)) {
    const int64_t number = constant_int_of(b, value);
    if (number >= -kBound && number <= kBound) return ir::kNone;
  }
  return land(b, b.binary(Op::Le, b.constant(-kBound), value.id),
              b.binary(Op::Le, value.id, b.constant(kBound)));
}

// A Python int as float where the exact value counts: a guard refuses what float64 cannot hold.
NodeId exact_float(Builder& b, const Value& value) {
  if (is_float(value.type)) return value.id;
  const NodeId exact = is_exact(b, value);
  if (exact != ir::kNone) b.guard(exact);
  return cast_to(b, value, Type::F64).id;
}

// The type of a ufunc of one type for several operands: NumPy takes the first type to which all
// arrays cast safely, which pairs do not find (int16, uint16 and float32 are float32); Python's
// numbers count by their kind alone.
Type common_type(std::span<const Value> values) {
  constexpr Type kOrder[] = {Type::Bool, Type::I8,  Type::U8,  Type::I16, Type::U16, Type::I32,
                             Type::U32,  Type::I64, Type::U64, Type::F32, Type::F64};
  auto takes_all = [&](Type type) {
    return std::all_of(values.begin(), values.end(), [&](const Value& value) {
      return value.is_weak || promote_strong(value.type, type) == type;
    });
  };
  const Type type = *std::find_if(std::begin(kOrder), std::end(kOrder) - 1, takes_all);
  bool any_int = false;
  for (const Value& value : values) {
    if (!value.is_weak) continue;
    if (is_float(value.type) && !is_float(type)) return Type::F64;
    any_int |= value.type == Type::I64;
  }
  return any_int && type == Type::Bool ? Type::I64 : type;
}

// Division by zero raises even where nobody wants the quotient, so it is a guard: a flag of a node
// goes with the node.
void guard_divisor(Builder& b, const Value& y) {
  const NodeId zero = int_node(b, y.type, 0);
  if (is_constant(b, y)) {
    const Bits bits = b[y.id].imm;
    if (is_float(y.type) ? from_bits<double>(bits) != 0.0 : bits != 0) return;
  }
  b.guard(b.compare(Op::Ne, y.id, zero));
}

// Python's float ** float: guards where it raises or turns complex.
Value python_power(Builder& b, const Value& x, const Value& y) {
  if (is_constant(b, y)) {
    const double exponent = from_bits<double>(b[y.id].imm);
    if (exponent == 2.0) {
      const NodeId square = b.binary(Op::Mul, x.id, x.id);
      b.guard(lor(b, b.unary(Op::IsFinite, square), lnot(b, b.unary(Op::IsFinite, x.id))));
      return weak(b, square);
    }
    if (exponent == 1.0) return x;
  }
  const NodeId zero = b.constant(0.0);
  const NodeId result = b.binary(Op::Pow, x.id, y.id);
  const NodeId x_negative = b.binary(Op::Lt, x.id, zero);
  const NodeId y_integral = b.binary(Op::Eq, b.unary(Op::Floor, y.id), y.id);
  const NodeId x_finite = b.unary(Op::IsFinite, x.id);
  const NodeId complex = land(b, land(b, x_negative, x_finite), lnot(b, y_integral));
  const NodeId by_zero = land(b, b.binary(Op::Eq, x.id, zero), b.binary(Op::Lt, y.id, zero));
  const NodeId overflow =
      land(b, b.unary(Op::IsInf, result), land(b, x_finite, b.unary(Op::IsFinite, y.id)));
  b.guard(lnot(b, lor(b, lor(b, complex, by_zero), overflow)));
  return weak(b, result);
}

Value python_arith(Builder& b, Arith op, Value x, Value y) {
  // A bool is an int here, but for & | ^ of two.
  const bool both_bool = x.type == Type::Bool && y.type == Type::Bool;
  const bool is_bitwise = op == Arith::And || op == Arith::Or || op == Arith::Xor;
  if (!(both_bool && is_bitwise)) {
    if (x.type == Type::Bool) x = cast_to(b, x, Type::I64);
    if (y.type == Type::Bool) y = cast_to(b, y, Type::I64);
  }
  // An int and a float that may be an int make an int in Python: the floats must hold it.
  auto may_be_int = [](const Value& value) { return !is_float(value.type) || value.is_mixed; };
  const bool is_mixed = (is_float(x.type) || is_float(y.type)) && may_be_int(x) && may_be_int(y);
  if (is_mixed) {
    for (const Value& side : {x, y}) {
      const NodeId exact = is_exact(b, side);
      if (exact != ir::kNone) b.guard(exact);
    }
  }
  auto mixed = [&](Value made) {
    if (is_mixed) {
      const NodeId bound = b.constant(9007199254740992.0);
      b.guard(lnot(b, b.compare(Op::Lt, bound, b.unary(Op::Abs, made.id))));
      made.is_mixed = true;
    }
    return made;
  };
  if (op == Arith::TrueDiv) {
    const bool exact = !is_float(x.type) && !is_float(y.type);
    const NodeId top = exact ? exact_float(b, x) : cast_to(b, x, Type::F64).id;
    const NodeId bottom = exact ? exact_float(b, y) : cast_to(b, y, Type::F64).id;
    guard_divisor(b, weak(b, bottom));
    return weak(b, b.binary(Op::Div, top, bottom, kChecked));
  }
  const bool is_real = is_float(x.type) || is_float(y.type);
  if (is_real) {
    x = cast_to(b, x, Type::F64);
    y = cast_to(b, y, Type::F64);
  }
  auto emit = [&](Op which) { return weak(b, b.binary(which, x.id, y.id, kChecked)); };
  switch (op) {
    case Arith::Add:
      return is_real ? mixed(weak(b, b.binary(Op::Add, x.id, y.id))) : emit(Op::Add);
    case Arith::Sub:
      return is_real ? mixed(weak(b, b.binary(Op::Sub, x.id, y.id))) : emit(Op::Sub);
    case Arith::Mul:
      return is_real ? mixed(weak(b, b.binary(Op::Mul, x.id, y.id))) : emit(Op::Mul);
    case Arith::FloorDiv:
      guard_divisor(b, y);
      return mixed(emit(Op::FloorDiv));
    case Arith::Mod:
      guard_divisor(b, y);
      return mixed(emit(Op::Mod));
    case Arith::Pow:
      if (is_real) return mixed(python_power(b, x, y));
      if (is_constant(b, y) && constant_int_of(b, y) == 2) {
        return weak(b, b.binary(Op::Mul, x.id, x.id, kChecked));
      }
      // A negative exponent gives a float: Python does that one.
      b.guard(b.binary(Op::Le, b.constant(int64_t{0}), y.id));
      return emit(Op::IPow);
    case Arith::And:
    case Arith::Or:
    case Arith::Xor:
    case Arith::Shl:
    case Arith::Shr:
      break;
    case Arith::TrueDiv:
      break;
  }
  if (is_real) raise(PyExc_TypeError, "unsupported operand type(s) for bits: 'float'");
  if (op == Arith::And) return weak(b, b.binary(Op::And, x.id, y.id));
  if (op == Arith::Or) return weak(b, b.binary(Op::Or, x.id, y.id));
  if (op == Arith::Xor) return weak(b, b.binary(Op::Xor, x.id, y.id));
  // A negative count raises in Python; a left shift that loses bits would be a big int.
  b.guard(b.binary(Op::Le, b.constant(int64_t{0}), y.id));
  if (op == Arith::Shr) return weak(b, b.binary(Op::Shr, x.id, y.id));
  const NodeId shifted = b.binary(Op::Shl, x.id, y.id);
  b.guard(b.binary(Op::Eq, b.binary(Op::Shr, shifted, y.id), x.id));
  return weak(b, shifted);
}

// The float type in which NumPy computes a function of this type.
Type real_type(Type type, const char* what) {
  if (is_float(type)) return type;
  if (type == Type::Bool || byte_size(type) == 1) {
    refuse(std::string(what) + " of " + numpy_name(type) +
               " is computed in float16, which has no native form",
           "convert it first: x.astype(np.float32)");
  }
  return byte_size(type) == 2 ? Type::F32 : Type::F64;
}

Value numpy_power(Builder& b, Value x, Value y, bool is_operator) {
  // The `**` operator of arrays has short cuts for these exponents; np.power has not.
  if (is_operator && is_constant(b, y) && y.is_weak && is_float(x.type) && !x.is_weak) {
    const Value as_float = cast_to(b, y, Type::F64);
    const double exponent = from_bits<double>(b[as_float.id].imm);
    if (exponent == 2.0) return strong(b, b.binary(Op::Mul, x.id, x.id));
    if (x.rank > 0) {
      if (exponent == 1.0) return x;
      if (exponent == 0.5) return strong(b, b.unary(Op::Sqrt, x.id));
      if (exponent == -1.0) {
        return strong(b, b.binary(Op::Div, float_node(b, x.type, 1.0), x.id));
      }
    }
  }
  Value target = promoted(b, x, y);
  if (target.type == Type::Bool) target.type = Type::I8;
  x = operand(b, x, target);
  y = operand(b, y, target);
  if (is_float(target.type)) return strong(b, b.binary(Op::Pow, x.id, y.id));
  if (is_constant(b, y) && from_bits<int64_t>(b[y.id].imm) == 2 && byte_size(y.type) == 8) {
    return strong(b, b.binary(Op::Mul, x.id, x.id));
  }
  return strong(b, b.binary(Op::IPow, x.id, y.id));
}

}  // namespace

Value arith(Builder& b, Arith op, Value x, Value y) {
  if (x.is_weak && y.is_weak) return python_arith(b, op, x, y);
  if (op == Arith::Pow) return numpy_power(b, x, y, true);
  Value target = promoted(b, x, y);
  if (op == Arith::TrueDiv && !is_float(target.type)) target.type = Type::F64;
  if (target.type == Type::Bool) {
    x = operand(b, x, target);
    y = operand(b, y, target);
    switch (op) {
      case Arith::Add:
      case Arith::Or:
        return strong(b, lor(b, x.id, y.id));
      case Arith::Mul:
      case Arith::And:
        return strong(b, land(b, x.id, y.id));
      case Arith::Xor:
        return strong(b, b.binary(Op::Xor, x.id, y.id));
      case Arith::Sub:
        raise(PyExc_TypeError,
              "numpy boolean subtract, the `-` operator, is not supported, use the bitwise_xor, "
              "the `^` operator, or the logical_xor function instead.");
      default:
        target.type = Type::I8;
    }
  }
  x = operand(b, x, target);
  y = operand(b, y, target);
  const bool is_real = is_float(target.type);
  switch (op) {
    case Arith::Add:
      return strong(b, b.binary(Op::Add, x.id, y.id));
    case Arith::Sub:
      return strong(b, b.binary(Op::Sub, x.id, y.id));
    case Arith::Mul:
      return strong(b, b.binary(Op::Mul, x.id, y.id));
    case Arith::TrueDiv:
      return strong(b, b.binary(Op::Div, x.id, y.id));
    case Arith::FloorDiv:
      return strong(b, b.binary(Op::FloorDiv, x.id, y.id));
    case Arith::Mod:
      return strong(b, b.binary(Op::Mod, x.id, y.id));
    default:
      break;
  }
  if (is_real) {
    raise(PyExc_TypeError,
          "ufunc of bits not supported for the input types " + describe(x) + " and " + describe(y));
  }
  switch (op) {
    case Arith::And:
      return strong(b, b.binary(Op::And, x.id, y.id));
    case Arith::Or:
      return strong(b, b.binary(Op::Or, x.id, y.id));
    case Arith::Xor:
      return strong(b, b.binary(Op::Xor, x.id, y.id));
    case Arith::Shl:
      return strong(b, b.binary(Op::Shl, x.id, y.id));
    default:
      return strong(b, b.binary(Op::Shr, x.id, y.id));
  }
}

namespace {

NodeId emit_relation(Builder& b, Relation op, NodeId x, NodeId y) {
  switch (op) {
    case Relation::Lt:
      return b.compare(Op::Lt, x, y);
    case Relation::Le:
      return b.compare(Op::Le, x, y);
    case Relation::Eq:
      return b.compare(Op::Eq, x, y);
    case Relation::Ne:
      return b.compare(Op::Ne, x, y);
    case Relation::Gt:
      return b.compare(Op::Lt, y, x);
    case Relation::Ge:
      return b.compare(Op::Le, y, x);
  }
  return ir::kNone;
}

Relation mirrored(Relation op) {
  switch (op) {
    case Relation::Lt:
      return Relation::Gt;
    case Relation::Le:
      return Relation::Ge;
    case Relation::Gt:
      return Relation::Lt;
    case Relation::Ge:
      return Relation::Le;
    default:
      return op;
  }
}

// int64 against uint64, exactly, as NumPy does.
NodeId relate_mixed(Builder& b, Relation op, NodeId plus, NodeId bare) {
  const NodeId is_negative = b.compare(Op::Lt, plus, b.constant(int64_t{0}));
  const NodeId same_sign = emit_relation(b, op, b.cast(plus, Type::U64), bare);
  const bool if_negative = op == Relation::Lt || op == Relation::Le || op == Relation::Ne;
  return if_negative ? lor(b, is_negative, same_sign) : land(b, lnot(b, is_negative), same_sign);
}

}  // namespace

Value relate(Builder& b, Relation op, Value x, Value y) {
  const bool both_weak = x.is_weak && y.is_weak;
  if (both_weak && is_float(x.type) != is_float(y.type)) {
    // Python compares an int with a float exactly.
    return weak(b, emit_relation(b, op, exact_float(b, x), exact_float(b, y)));
  }
  if (!both_weak && x.type != y.type) {
    for (int side = 0; side < 2; ++side) {
      const Value& soft = side == 0 ? x : y;
      const Value& firm = side == 0 ? y : x;
      if (!soft.is_weak || soft.type != Type::I64 || !is_int(firm.type)) continue;
      if (!is_constant(b, soft)) {
        if (firm.type != Type::U64) continue;
        const Relation seen = side == 0 ? op : mirrored(op);
        return strong(b, relate_mixed(b, seen, soft.id, firm.id));
      }
      const int64_t number = constant_int_of(b, soft);
      if (fits(number, firm.type)) continue;
      // Outside of the type: known without looking.
      const Relation seen = side == 0 ? op : mirrored(op);
      const bool is_below = number < 0;
      bool known = seen == Relation::Ne;
      if (seen == Relation::Lt || seen == Relation::Le) known = is_below;
      if (seen == Relation::Gt || seen == Relation::Ge) known = !is_below;
      return strong(b, b.like(b.constant(known), firm.id));
    }
  }
  Value target = promoted(b, x, y);
  if (is_int(x.type) && is_int(y.type) && target.type == Type::F64) {
    const bool x_signed = is_signed_int(x.type);
    const NodeId plus = b.cast(x_signed ? x.id : y.id, Type::I64);
    const NodeId bare = x_signed ? y.id : x.id;
    return strong(b, relate_mixed(b, x_signed ? op : mirrored(op), plus, bare));
  }
  // A runtime Python int meets a narrow type: compare in int64, nothing is out of bounds.
  for (const Value& side : {x, y}) {
    if (side.is_weak && side.type == Type::I64 && is_int(target.type) && !is_constant(b, side)) {
      target.type = Type::I64;
    }
  }
  if (both_weak) {
    x = cast_to(b, x, target.type);
    y = cast_to(b, y, target.type);
  } else {
    x = operand(b, x, target);
    y = operand(b, y, target);
  }
  return like_kind(b, emit_relation(b, op, x.id, y.id), both_weak);
}

Value negative(Builder& b, Value x) {
  if (x.is_weak) {
    if (x.type == Type::Bool) x = cast_to(b, x, Type::I64);
    if (is_constant(b, x)) {
      const Bits bits = b[x.id].imm;
      if (is_float(x.type)) return constant_float(b, -from_bits<double>(bits));
      if (from_bits<int64_t>(bits) != std::numeric_limits<int64_t>::min()) {
        return constant_int(b, -from_bits<int64_t>(bits));
      }
    }
    Value made = weak(b, b.unary(Op::Neg, x.id, is_float(x.type) ? 0 : kChecked));
    made.is_mixed = x.is_mixed;
    return made;
  }
  if (x.type == Type::Bool) {
    raise(PyExc_TypeError,
          "The numpy boolean negative, the `-` operator, is not supported, use the `~` operator "
          "or the logical_not function instead.");
  }
  return strong(b, b.unary(Op::Neg, x.id));
}

Value absolute(Builder& b, Value x) {
  if (x.is_weak) {
    if (x.type == Type::Bool) x = cast_to(b, x, Type::I64);
    Value made = weak(b, b.unary(Op::Abs, x.id, is_float(x.type) ? 0 : kChecked));
    made.is_mixed = x.is_mixed;
    return made;
  }
  if (x.type == Type::Bool || is_unsigned_int(x.type)) return x;
  return strong(b, b.unary(Op::Abs, x.id));
}

Value inverted(Builder& b, Value x) {
  if (is_float(x.type)) {
    raise(PyExc_TypeError, x.is_weak ? "bad operand type for unary ~: 'float'"
                                     : "ufunc 'invert' not supported for the input types");
  }
  if (x.is_weak && x.type == Type::Bool) x = cast_to(b, x, Type::I64);
  return like_kind(b, b.unary(Op::Not, x.id), x.is_weak);
}

Value truth(Builder& b, const Value& x) {
  if (x.type == Type::Bool) return x;
  return like_kind(b, b.compare(Op::Ne, x.id, int_node(b, x.type, 0)), x.is_weak);
}

void guard_merge(Builder& b, const Value& value, const Value& target, NodeId taken) {
  if (!value.is_weak || !is_float(target.type)) return;
  const NodeId exact = is_exact(b, value);
  if (exact != ir::kNone) b.guard(taken == ir::kNone ? exact : lor(b, lnot(b, taken), exact));
}

Value select_value(Builder& b, const Value& condition, Value x, Value y) {
  Value target = promoted(b, x, y);
  const bool both_weak = target.is_weak;
  if (both_weak && condition.rank == 0) {
    guard_merge(b, x, target, condition.id);
    guard_merge(b, y, target, lnot(b, condition.id));
  }
  x = both_weak ? cast_to(b, x, target.type) : operand(b, x, target);
  y = both_weak ? cast_to(b, y, target.type) : operand(b, y, target);
  Value made = like_kind(b, b.select(condition.id, x.id, y.id), both_weak && condition.rank == 0);
  made.is_mixed = made.is_weak && target.is_mixed;
  return made;
}

// --- named functions

namespace {

struct NamedUnary {
  std::string_view name;
  Op op;
};
// Of floats; an integer argument becomes the float type that NumPy takes for it.
constexpr NamedUnary kRealFunctions[] = {
    {"sqrt", Op::Sqrt},   {"exp", Op::Exp},       {"exp2", Op::Exp2},     {"expm1", Op::Expm1},
    {"log", Op::Log},     {"log2", Op::Log2},     {"log10", Op::Log10},   {"log1p", Op::Log1p},
    {"sin", Op::Sin},     {"cos", Op::Cos},       {"tan", Op::Tan},       {"arcsin", Op::Asin},
    {"arccos", Op::Acos}, {"arctan", Op::Atan},   {"sinh", Op::Sinh},     {"cosh", Op::Cosh},
    {"tanh", Op::Tanh},   {"arcsinh", Op::Asinh}, {"arccosh", Op::Acosh}, {"arctanh", Op::Atanh},
    {"cbrt", Op::Cbrt},   {"rint", Op::Rint}};
// Of floats; integers stay what they are.
constexpr NamedUnary kRounding[] = {{"floor", Op::Floor}, {"ceil", Op::Ceil}, {"trunc", Op::Trunc}};
constexpr NamedUnary kTests[] = {
    {"isnan", Op::IsNan}, {"isinf", Op::IsInf}, {"isfinite", Op::IsFinite}};

struct NamedArith {
  std::string_view name;
  Arith op;
};
constexpr NamedArith kAriths[] = {{"add", Arith::Add},
                                  {"subtract", Arith::Sub},
                                  {"multiply", Arith::Mul},
                                  {"divide", Arith::TrueDiv},
                                  {"true_divide", Arith::TrueDiv},
                                  {"floor_divide", Arith::FloorDiv},
                                  {"remainder", Arith::Mod},
                                  {"mod", Arith::Mod},
                                  {"bitwise_and", Arith::And},
                                  {"bitwise_or", Arith::Or},
                                  {"bitwise_xor", Arith::Xor},
                                  {"left_shift", Arith::Shl},
                                  {"right_shift", Arith::Shr}};
struct NamedRelation {
  std::string_view name;
  Relation op;
};
constexpr NamedRelation kRelations[] = {{"less", Relation::Lt},    {"less_equal", Relation::Le},
                                        {"greater", Relation::Gt}, {"greater_equal", Relation::Ge},
                                        {"equal", Relation::Eq},   {"not_equal", Relation::Ne}};

// A Python number is NumPy's default type in a NumPy function of Python numbers only.
Value as_numpy(Value value) {
  value.is_weak = value.is_mixed = false;
  return value;
}

bool unary_function(Builder& b, std::string_view name, const Value& given, Value& result) {
  const Value x = as_numpy(given);
  for (const NamedUnary& entry : kRealFunctions) {
    if (entry.name != name) continue;
    const Type type = real_type(x.type, entry.name.data());
    result = strong(b, b.unary(entry.op, cast_to(b, x, type).id));
    return true;
  }
  for (const NamedUnary& entry : kRounding) {
    if (entry.name != name) continue;
    result = is_float(x.type) ? strong(b, b.unary(entry.op, x.id)) : x;
    return true;
  }
  for (const NamedUnary& entry : kTests) {
    if (entry.name != name) continue;
    result = is_float(x.type) ? strong(b, b.unary(entry.op, x.id))
                              : strong(b, b.like(b.constant(name == "isfinite"), x.id));
    return true;
  }
  if (name == "signbit") {
    const Type type = real_type(x.type, "signbit");
    result = strong(b, b.unary(Op::SignBit, cast_to(b, x, type).id));
  } else if (name == "negative") {
    result = negative(b, x);
  } else if (name == "positive") {
    if (x.type == Type::Bool) return false;
    result = x;
  } else if (name == "absolute" || name == "abs") {
    result = absolute(b, x);
  } else if (name == "fabs") {
    const Type type = real_type(x.type, "fabs");
    result = strong(b, b.unary(Op::Abs, cast_to(b, x, type).id));
  } else if (name == "sign") {
    if (x.type == Type::Bool) return false;
    result = strong(b, b.unary(Op::Sign, x.id));
  } else if (name == "square") {
    const Value factor = x.type == Type::Bool ? cast_to(b, x, Type::I8) : x;
    result = arith(b, Arith::Mul, factor, factor);
  } else if (name == "reciprocal") {
    if (!is_float(x.type)) return false;
    result = strong(b, b.binary(Op::Div, float_node(b, x.type, 1.0), x.id));
  } else if (name == "invert" || name == "bitwise_not") {
    result = inverted(b, x);
  } else if (name == "logical_not") {
    result = strong(b, lnot(b, truth(b, x).id));
  } else if (name == "degrees" || name == "rad2deg" || name == "radians" || name == "deg2rad") {
    const Type type = real_type(x.type, "degrees");
    const bool to_degrees = name == "degrees" || name == "rad2deg";
    const double factor = to_degrees ? 180.0 / M_PI : M_PI / 180.0;
    const NodeId scale = type == Type::F32
                             ? b.constant(to_degrees ? 180.0f / static_cast<float>(M_PI)
                                                     : static_cast<float>(M_PI) / 180.0f)
                             : b.constant(factor);
    result = strong(b, b.binary(Op::Mul, cast_to(b, x, type).id, scale));
  } else {
    return false;
  }
  return true;
}

bool binary_function(Builder& b, std::string_view name, const Value& gx, const Value& gy,
                     Value& result) {
  Value x = gx;
  Value y = gy;
  if (x.is_weak && y.is_weak) {
    x = as_numpy(x);
    y = as_numpy(y);
  }
  for (const NamedArith& entry : kAriths) {
    if (entry.name != name) continue;
    result = arith(b, entry.op, x, y);
    return true;
  }
  for (const NamedRelation& entry : kRelations) {
    if (entry.name != name) continue;
    result = relate(b, entry.op, x, y);
    return true;
  }
  if (name == "power") {
    result = numpy_power(b, x, y, false);
    return true;
  }
  if (name == "logical_and" || name == "logical_or" || name == "logical_xor") {
    const Op op = name == "logical_and" ? Op::And : name == "logical_or" ? Op::Or : Op::Xor;
    result = strong(b, b.binary(op, truth(b, x).id, truth(b, y).id));
    return true;
  }
  Value target = promoted(b, x, y);
  auto both = [&](Type type) {
    Value to = target;
    to.type = type;
    x = operand(b, x, to);
    y = operand(b, y, to);
  };
  if (name == "maximum" || name == "minimum" || name == "fmax" || name == "fmin") {
    both(target.type);
    const bool is_max = name.ends_with("max") || name == "maximum";
    const bool skips_nan = name.starts_with("f") && is_float(target.type);
    const Op op = skips_nan ? (is_max ? Op::FMax : Op::FMin) : (is_max ? Op::Max : Op::Min);
    result = strong(b, b.binary(op, x.id, y.id));
    return true;
  }
  if (name == "fmod") {
    both(target.type == Type::Bool ? Type::I8 : target.type);
    result = strong(b, b.binary(Op::FMod, x.id, y.id));
    return true;
  }
  if (name == "float_power") {
    both(Type::F64);
    result = strong(b, b.binary(Op::Pow, x.id, y.id));
    return true;
  }
  const Op op = name == "arctan2"    ? Op::Atan2
                : name == "hypot"    ? Op::Hypot
                : name == "copysign" ? Op::CopySign
                                     : Op::Const;
  if (op == Op::Const) return false;
  both(real_type(target.type, name.data()));
  result = strong(b, b.binary(op, x.id, y.id));
  return true;
}

}  // namespace

bool numpy_function(Builder& b, std::string_view name, std::span<const Value> arguments,
                    Value& result) {
  if (arguments.size() == 1) return unary_function(b, name, arguments[0], result);
  if (arguments.size() == 2) return binary_function(b, name, arguments[0], arguments[1], result);
  if (arguments.size() == 3 && name == "clip") {
    const Value x = as_numpy(arguments[0]);
    Value low = arguments[1];
    Value high = arguments[2];
    // Of an array of integers, a Python int beyond the type is no bound.
    if (is_int(x.type)) {
      auto is_beyond = [&](const Value& bound, bool is_low) {
        if (!bound.is_weak || bound.type != Type::I64 || !is_constant(b, bound)) return false;
        const int64_t number = constant_int_of(b, bound);
        return !fits(number, x.type) && (number < 0) == is_low;
      };
      const bool no_low = is_beyond(low, true);
      const bool no_high = is_beyond(high, false);
      if (no_low && no_high) return result = x, true;
      if (no_low) return binary_function(b, "minimum", x, high, result);
      if (no_high) return binary_function(b, "maximum", x, low, result);
    }
    const Value all[] = {x, low, high};
    Value target = x;
    target.type = common_type(all);
    low = operand(b, low, target);
    high = operand(b, high, target);
    const Value clipped = operand(b, x, target);
    // NumPy has a loop for bounds that are numbers, and it keeps the element that equals a bound;
    // the other loop takes the bound. The zeros 0.0 and -0.0 show it.
    if (low.rank == 0 && high.rank == 0) {
      result = strong(b, b.binary(Op::Min, high.id, b.binary(Op::Max, low.id, clipped.id)));
    } else {
      result = strong(b, b.binary(Op::Min, b.binary(Op::Max, clipped.id, low.id), high.id));
    }
    return true;
  }
  if (arguments.size() == 3 && name == "where") {
    const Value condition = truth(b, arguments[0]);
    Value x = arguments[1];
    Value y = arguments[2];
    if (x.is_weak && y.is_weak) {
      x = as_numpy(x);
      y = as_numpy(y);
    }
    result = as_numpy(select_value(b, condition, x, y));
    return true;
  }
  if (arguments.size() == 3 && name == "fma" && arguments[0].type == Type::F64) {
    result = strong(b, b.fma(arguments[0].id, cast_to(b, arguments[1], Type::F64).id,
                             cast_to(b, arguments[2], Type::F64).id));
    return true;
  }
  return false;
}

namespace {

constexpr NamedUnary kMathFunctions[] = {
    {"sqrt", Op::Sqrt},    {"exp", Op::Exp},     {"exp2", Op::Exp2},   {"expm1", Op::Expm1},
    {"log", Op::Log},      {"log2", Op::Log2},   {"log10", Op::Log10}, {"log1p", Op::Log1p},
    {"sin", Op::Sin},      {"cos", Op::Cos},     {"tan", Op::Tan},     {"asin", Op::Asin},
    {"acos", Op::Acos},    {"atan", Op::Atan},   {"sinh", Op::Sinh},   {"cosh", Op::Cosh},
    {"tanh", Op::Tanh},    {"asinh", Op::Asinh}, {"acosh", Op::Acosh}, {"atanh", Op::Atanh},
    {"cbrt", Op::Cbrt},    {"erf", Op::Erf},     {"erfc", Op::Erfc},   {"gamma", Op::Gamma},
    {"lgamma", Op::LGamma}};

// Python raises where the result of finite arguments is infinite, or nan from no nan.
void guard_like_python(Builder& b, NodeId result, std::span<const NodeId> arguments) {
  NodeId all_finite = b.unary(Op::IsFinite, arguments[0]);
  NodeId any_nan = b.unary(Op::IsNan, arguments[0]);
  for (size_t k = 1; k < arguments.size(); ++k) {
    all_finite = land(b, all_finite, b.unary(Op::IsFinite, arguments[k]));
    any_nan = lor(b, any_nan, b.unary(Op::IsNan, arguments[k]));
  }
  const NodeId bad_nan = land(b, b.unary(Op::IsNan, result), lnot(b, any_nan));
  const NodeId bad_inf = land(b, b.unary(Op::IsInf, result), all_finite);
  b.guard(lnot(b, lor(b, bad_nan, bad_inf)));
}

// The same for one argument, in the shortest form that a function allows.
void guard_domain(Builder& b, Op op, NodeId x, NodeId result) {
  NodeId bad = ir::kNone;
  switch (op) {
    case Op::Atan:
    case Op::Tanh:
    case Op::Asinh:
    case Op::Cbrt:
    case Op::Erf:
    case Op::Erfc:
      return;  // finite everywhere
    case Op::Sin:
    case Op::Cos:
    case Op::Tan:
      bad = b.unary(Op::IsInf, x);
      break;
    case Op::Log:
    case Op::Log2:
    case Op::Log10:
      bad = b.compare(Op::Le, x, b.constant(0.0));
      break;
    case Op::Log1p:
      bad = b.compare(Op::Le, x, b.constant(-1.0));
      break;
    case Op::Sqrt:
      bad = b.compare(Op::Lt, x, b.constant(0.0));
      break;
    case Op::Asin:
    case Op::Acos:
      bad = b.compare(Op::Lt, b.constant(1.0), b.unary(Op::Abs, x));
      break;
    case Op::Atanh:
      bad = b.compare(Op::Le, b.constant(1.0), b.unary(Op::Abs, x));
      break;
    case Op::Acosh:
      bad = b.compare(Op::Lt, x, b.constant(1.0));
      break;
    case Op::Exp:
    case Op::Exp2:
    case Op::Expm1:
    case Op::Sinh:
    case Op::Cosh:
      bad = land(b, b.unary(Op::IsInf, result), b.unary(Op::IsFinite, x));
      break;
    default: {
      const NodeId arguments[1] = {x};
      guard_like_python(b, result, arguments);
      return;
    }
  }
  b.guard(lnot(b, bad));
}

}  // namespace

bool math_function(Builder& b, std::string_view name, std::span<const Value> arguments,
                   Value& result) {
  std::vector<NodeId> floats;
  for (const Value& argument : arguments) floats.push_back(cast_to(b, argument, Type::F64).id);
  if (arguments.size() == 1) {
    for (const NamedUnary& entry : kMathFunctions) {
      if (entry.name != name) continue;
      const NodeId made = b.unary(entry.op, floats[0]);
      guard_domain(b, entry.op, floats[0], made);
      result = weak(b, made);
      return true;
    }
    if (name == "fabs") {
      result = weak(b, b.unary(Op::Abs, floats[0]));
    } else if (name == "floor" || name == "ceil" || name == "trunc") {
      if (!is_float(arguments[0].type)) {
        result = cast_to(b, arguments[0], Type::I64);
        result.is_weak = true;
        return true;
      }
      const Op op = name == "floor" ? Op::Floor : name == "ceil" ? Op::Ceil : Op::Trunc;
      const NodeId made = b.unary(op, floats[0]);
      // An int of any size in Python; here one of 64 bits.
      b.guard(b.compare(Op::Lt, b.unary(Op::Abs, made), b.constant(9223372036854775808.0)));
      result = weak(b, b.cast(made, Type::I64));
    } else if (name == "isnan" || name == "isinf" || name == "isfinite") {
      const Op op = name == "isnan" ? Op::IsNan : name == "isinf" ? Op::IsInf : Op::IsFinite;
      result = weak(b, b.unary(op, floats[0]));
    } else if (name == "degrees" || name == "radians") {
      const double factor = name == "degrees" ? 180.0 / M_PI : M_PI / 180.0;
      result = weak(b, b.binary(Op::Mul, floats[0], b.constant(factor)));
    } else {
      return false;
    }
    return true;
  }
  if (arguments.size() == 2) {
    if (name == "pow") {
      result = python_power(b, weak(b, floats[0]), weak(b, floats[1]));
      // math.pow(-8, 1/3) raises where ** turns complex; both are guards.
      return true;
    }
    if (name == "log") {
      const Value base[1] = {arguments[1]};
      const Value value[1] = {arguments[0]};
      Value top;
      Value bottom;
      if (!math_function(b, "log", value, top) || !math_function(b, "log", base, bottom)) {
        return false;
      }
      result = weak(b, b.binary(Op::Div, top.id, bottom.id, kChecked));
      return true;
    }
    const Op op = name == "atan2"      ? Op::Atan2
                  : name == "hypot"    ? Op::Hypot
                  : name == "copysign" ? Op::CopySign
                  : name == "fmod"     ? Op::FMod
                                       : Op::Const;
    if (op == Op::Const) return false;
    const NodeId made = b.binary(op, floats[0], floats[1]);
    if (op == Op::FMod || op == Op::Hypot) guard_like_python(b, made, floats);
    result = weak(b, made);
    return true;
  }
  return false;
}

Value reduce_value(Builder& b, std::string_view name, const Value& given, uint32_t axes,
                   bool keep_dims, bool any_order) {
  Value x = given;
  const uint16_t flags = any_order ? ir::kAnyOrder : 0;
  auto widen = [&] {
    if (x.type == Type::Bool || is_signed_int(x.type)) x = cast_to(b, x, Type::I64);
    if (is_unsigned_int(x.type)) x = cast_to(b, x, Type::U64);
  };
  Op op = Op::ReduceSum;
  if (name == "sum" || name == "prod") {
    widen();
    op = name == "sum" ? Op::ReduceSum : Op::ReduceProd;
  } else if (name == "min" || name == "max") {
    op = name == "min" ? Op::ReduceMin : Op::ReduceMax;
  } else if (name == "any" || name == "all") {
    x = truth(b, x);
    op = name == "any" ? Op::ReduceAny : Op::ReduceAll;
  } else if (name == "argmin" || name == "argmax") {
    op = name == "argmin" ? Op::ReduceArgMin : Op::ReduceArgMax;
  } else {
    throw TraceFailure{"UnsupportedError", "no reduction " + std::string(name), "write a loop"};
  }
  if (x.rank == 0) {
    if (op == Op::ReduceArgMin || op == Op::ReduceArgMax)
      return constant_of(b, Type::I64, 0, false);
    x.is_weak = false;
    return x;
  }
  return strong(b, b.reduce(op, x.id, axes, keep_dims, flags));
}

}  // namespace lattice::python::jit
