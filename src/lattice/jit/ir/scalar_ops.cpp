// SPDX-License-Identifier: MIT
#include "lattice/jit/ir/scalar_ops.hpp"

#include "lattice/base/error.hpp"

namespace lattice::jit::scalar {

namespace {

template <class T>
Bits evaluate_unary(Op op, bool checked, Bits a, uint32_t& status) {
  switch (op) {
#define LATTICE_JIT_CASE(name)                                 \
  case Op::name:                                               \
    if constexpr (accepts<Op::name, T>()) {                    \
      status |= report<Op::name, T>(from_bits<T>(a), checked); \
      return to_bits(apply<Op::name, T>(from_bits<T>(a)));     \
    }                                                          \
    break;
    LATTICE_JIT_UNARY_OPS(LATTICE_JIT_CASE)
#undef LATTICE_JIT_CASE
    default:
      break;
  }
  LATTICE_ASSERT(!"a unary operation of this type");
}

template <class T>
Bits evaluate_binary(Op op, bool checked, Bits a, Bits b, uint32_t& status) {
  switch (op) {
#define LATTICE_JIT_CASE(name)                                                  \
  case Op::name:                                                                \
    if constexpr (accepts<Op::name, T>()) {                                     \
      status |= report<Op::name, T>(from_bits<T>(a), from_bits<T>(b), checked); \
      return to_bits(apply<Op::name, T>(from_bits<T>(a), from_bits<T>(b)));     \
    }                                                                           \
    break;
    LATTICE_JIT_BINARY_OPS(LATTICE_JIT_CASE)
#undef LATTICE_JIT_CASE
    default:
      break;
  }
  LATTICE_ASSERT(!"a binary operation of this type");
}

}  // namespace

Bits evaluate(Op op, Type type, Type to, bool checked, Bits a, Bits b, Bits c, uint32_t& status) {
  switch (op) {
    case Op::Select:
      return (a & 1) != 0 ? b : c;
    case Op::Bitcast:
      return a;
    case Op::Like:
      return a;
    case Op::Fma:
      return type == Type::F64
                 ? to_bits(
                       std::fma(from_bits<double>(a), from_bits<double>(b), from_bits<double>(c)))
                 : to_bits(std::fma(from_bits<float>(a), from_bits<float>(b), from_bits<float>(c)));
    case Op::Cast:
      return dispatch_type(type, [&]<class From>() {
        return dispatch_type(to, [&]<class To>() { return to_bits(cast<To>(from_bits<From>(a))); });
      });
    default:
      break;
  }
  return dispatch_type(type, [&]<class T>() {
    return op_info(op).operand_count == 1 ? evaluate_unary<T>(op, checked, a, status)
                                          : evaluate_binary<T>(op, checked, a, b, status);
  });
}

}  // namespace lattice::jit::scalar
