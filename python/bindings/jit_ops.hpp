// SPDX-License-Identifier: MIT
// NumPy's and Python's operators on Values: promote (NEP 50), cast, emit.
//
// Between weak values the rules are Python's: integers are checked for overflow, division by zero
// is reported, int / int is true division of exact integers. Otherwise they are NumPy's. Failures
// are thrown: TraceFailure, PythonFailure (indicator set) or IrError.
#pragma once

#include <span>
#include <string_view>

#include "jit_trace.hpp"

namespace lattice::python::jit {

// What a front end asks for; Op is what the builder takes.
enum class Arith : uint8_t { Add, Sub, Mul, TrueDiv, FloorDiv, Mod, Pow, And, Or, Xor, Shl, Shr };
enum class Relation : uint8_t { Lt, Le, Eq, Ne, Gt, Ge };

Value constant_of(Builder& b, Type type, Bits bits, bool is_weak);
Value constant_int(Builder& b, int64_t value);
Value constant_float(Builder& b, double value);
bool is_constant(const Builder& b, const Value& value) noexcept;

Value cast_to(Builder& b, const Value& value, Type type);
// The kind (strong or weak) and type of an operation on both.
Value promoted(Builder& b, const Value& x, const Value& y);
// `value` as an operand of a promoted type; a weak int constant that does not fit raises
// OverflowError as in NumPy.
Value operand(Builder& b, const Value& value, const Value& target);

Value arith(Builder& b, Arith op, Value x, Value y);
Value relate(Builder& b, Relation op, Value x, Value y);
Value negative(Builder& b, Value x);
Value absolute(Builder& b, Value x);
Value inverted(Builder& b, Value x);
Value truth(Builder& b, const Value& x);
// Python computes the call when a Python int that `target` holds as float is not exact there; only
// where `taken` is true, unless that is kNone.
void guard_merge(Builder& b, const Value& value, const Value& target, NodeId taken);
Value select_value(Builder& b, const Value& condition, Value x, Value y);

// A NumPy function by name, "sin" or "maximum"; false when there is none of that name and arity.
bool numpy_function(Builder& b, std::string_view name, std::span<const Value> arguments,
                    Value& result);
// A function of Python's math module: of Python floats, with guards where Python raises.
bool math_function(Builder& b, std::string_view name, std::span<const Value> arguments,
                   Value& result);
Value reduce_value(Builder& b, std::string_view name, const Value& x, uint32_t axes, bool keep_dims,
                   bool any_order);

std::string describe(const Value& value);  // "float64 array of rank 1", "int"

}  // namespace lattice::python::jit
