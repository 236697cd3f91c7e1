// SPDX-License-Identifier: MIT
// The opcodes of the IR, in one table: name, kind, number of value operands, accepted types.
//
// Semantics are NumPy's (NumPy >= 2) unless said; docs/jit_ir.md has the table with every corner
// case, and ir/scalar_ops.hpp is the executable definition which both the folder and tier 0 use.
//
// Type classes of operands: B bool, I any integer, F f32 or f64. Binary operands have one type; the
// front end inserts casts (promotion is its matter, not the IR's).
#pragma once

#include <cstdint>
#include <string_view>

namespace lattice::jit {

enum class OpKind : uint8_t {
  Leaf,       // Const, Param, Arg, Iota, LaneIndex
  Unary,      // result has the operand's type
  Test,       // unary, result bool
  Convert,    // unary, result type free (Cast, Bitcast)
  Binary,     // result has the operands' type
  Compare,    // binary, result bool
  Ternary,    // Select, Fma
  Math,       // unary or binary library function; passes/expand_math turns it into the above
  Reduce,     // over axes of an array
  Scan,       // along one axis of an array
  Shape,      // View, Transpose, Like, Extent: no arithmetic
  Memory,     // Gather, Scatter, Lookup
  Structure,  // Loop, If, Exit, Result
};

// Accepted operand types, as a set of bits.
enum TypeClass : uint8_t {
  kB = 1,
  kI = 2,
  kF = 4,
  kIF = kI | kF,
  kBI = kB | kI,
  kAny = kB | kI | kF,
};

// X(enumerator, text, kind, operands, operand types)
#define LATTICE_JIT_OPS(X)                                                                         \
  /* Leaves. */                                                                                    \
  X(Const, "const", Leaf, 0, kAny) /* imm = Bits */                                                \
  X(Param, "param", Leaf, 0, kAny) /* imm = index into Function::params */                         \
  X(Arg, "arg", Leaf, 0, kAny)     /* imm = index; block argument of its own region */             \
  X(Iota, "iota", Leaf, 1, kI)     /* a: i64 scalar n; [0..n) with imm trailing axes of 1 */       \
  X(LaneIndex, "lane_index", Leaf, 0, kI) /* stage bodies: index along axis imm (0 innermost) */   \
  /* Arithmetic. Integers wrap; with kChecked an overflow is reported in the status. */            \
  X(Add, "add", Binary, 2, kIF)                                                                    \
  X(Sub, "sub", Binary, 2, kIF)                                                                    \
  X(Mul, "mul", Binary, 2, kIF)                                                                    \
  X(MulHigh, "mul_high", Binary, 2, kI)    /* upper half of the double-width product */            \
  X(Div, "div", Binary, 2, kF)             /* true division */                                     \
  X(FloorDiv, "floor_div", Binary, 2, kIF) /* x // 0 = 0, MIN // -1 = MIN for ints */              \
  X(Mod, "mod", Binary, 2, kIF)            /* sign of the divisor; x % 0 = 0 for ints */           \
  X(TruncDiv, "trunc_div", Binary, 2, kI)  /* C's division; x / 0 = 0, MIN / -1 = MIN */           \
  X(FMod, "fmod", Binary, 2, kIF)          /* sign of the dividend; x fmod 0 = 0 for ints */       \
  X(IPow, "ipow", Binary, 2, kI)           /* wraps; a negative exponent gives 0 and a status */   \
  X(Neg, "neg", Unary, 1, kIF)                                                                     \
  X(Abs, "abs", Unary, 1, kIF)   /* |MIN| = MIN */                                                 \
  X(Sign, "sign", Unary, 1, kIF) /* nan stays nan; -0.0 gives 0.0 */                               \
  X(Min, "min", Binary, 2, kAny) /* np.minimum: nan wins */                                        \
  X(Max, "max", Binary, 2, kAny) /* np.maximum: nan wins */                                        \
  X(FMin, "fmin", Binary, 2, kF) /* np.fmin: nan loses */                                          \
  X(FMax, "fmax", Binary, 2, kF)                                                                   \
  X(CopySign, "copysign", Binary, 2, kF)                                                           \
  X(Sqrt, "sqrt", Unary, 1, kF)                                                                    \
  X(Floor, "floor", Unary, 1, kF)                                                                  \
  X(Ceil, "ceil", Unary, 1, kF)                                                                    \
  X(Trunc, "trunc", Unary, 1, kF)                                                                  \
  X(Rint, "rint", Unary, 1, kF)    /* ties to even */                                              \
  X(Fma, "fma", Ternary, 3, kF)    /* a*b+c rounded once */                                        \
  X(Scale, "scale", Binary, 2, kF) /* a * 2^b rounded once; b integral, huge or inf saturates */   \
  X(LogB, "logb", Unary, 1, kF)    /* floor(log2|a|), exact; 0: -inf, inf: inf, nan: nan */        \
  X(Mantissa, "mantissa", Unary, 1, kF) /* a * 2^-logb(a), in [1, 2); 0 and inf: +-1; nan: nan */  \
  /* Bits. */                                                                                      \
  X(And, "and", Binary, 2, kBI)                                                                    \
  X(Or, "or", Binary, 2, kBI)                                                                      \
  X(Xor, "xor", Binary, 2, kBI)                                                                    \
  X(Not, "not", Unary, 1, kBI)                                                                     \
  X(Shl, "shl", Binary, 2, kI) /* count outside [0, width): 0 */                                   \
  X(Shr, "shr", Binary, 2, kI) /* arithmetic for signed; count outside: 0 or -1 */                 \
  X(Clz, "clz", Unary, 1, kI)  /* leading zeros; width for 0 */                                    \
  /* Comparison: ordered, false with nan; Ne is true with nan. a > b is Lt(b, a). */               \
  X(Eq, "eq", Compare, 2, kAny)                                                                    \
  X(Ne, "ne", Compare, 2, kAny)                                                                    \
  X(Lt, "lt", Compare, 2, kAny)                                                                    \
  X(Le, "le", Compare, 2, kAny)                                                                    \
  X(IsNan, "isnan", Test, 1, kF)                                                                   \
  X(IsInf, "isinf", Test, 1, kF)                                                                   \
  X(IsFinite, "isfinite", Test, 1, kF)                                                             \
  X(SignBit, "signbit", Test, 1, kF)                                                               \
  X(Select, "select", Ternary, 3, kAny) /* a: bool; b where a, else c */                           \
  /* Conversion. Float to int as x86's cvtt: out of range and nan give the minimum, see docs. */   \
  X(Cast, "cast", Convert, 1, kAny)                                                                \
  X(Bitcast, "bitcast", Convert, 1, kIF) /* same width */                                          \
  /* Library functions. */                                                                         \
  X(Exp, "exp", Math, 1, kF)                                                                       \
  X(Exp2, "exp2", Math, 1, kF)                                                                     \
  X(Expm1, "expm1", Math, 1, kF)                                                                   \
  X(Log, "log", Math, 1, kF)                                                                       \
  X(Log2, "log2", Math, 1, kF)                                                                     \
  X(Log10, "log10", Math, 1, kF)                                                                   \
  X(Log1p, "log1p", Math, 1, kF)                                                                   \
  X(Sin, "sin", Math, 1, kF)                                                                       \
  X(Cos, "cos", Math, 1, kF)                                                                       \
  X(Tan, "tan", Math, 1, kF)                                                                       \
  X(Asin, "asin", Math, 1, kF)                                                                     \
  X(Acos, "acos", Math, 1, kF)                                                                     \
  X(Atan, "atan", Math, 1, kF)                                                                     \
  X(Sinh, "sinh", Math, 1, kF)                                                                     \
  X(Cosh, "cosh", Math, 1, kF)                                                                     \
  X(Tanh, "tanh", Math, 1, kF)                                                                     \
  X(Asinh, "asinh", Math, 1, kF)                                                                   \
  X(Acosh, "acosh", Math, 1, kF)                                                                   \
  X(Atanh, "atanh", Math, 1, kF)                                                                   \
  X(Cbrt, "cbrt", Math, 1, kF)                                                                     \
  X(Erf, "erf", Math, 1, kF)                                                                       \
  X(Erfc, "erfc", Math, 1, kF)                                                                     \
  X(Gamma, "gamma", Math, 1, kF)                                                                   \
  X(LGamma, "lgamma", Math, 1, kF)                                                                 \
  X(Pow, "pow", Math, 2, kF)                                                                       \
  X(Atan2, "atan2", Math, 2, kF)                                                                   \
  X(Hypot, "hypot", Math, 2, kF)                                                                   \
  /* Reductions: imm = mask of reduced axes (bit k = axis k from the front); kKeepDims. */         \
  X(ReduceSum, "reduce_sum", Reduce, 1, kIF)                                                       \
  X(ReduceProd, "reduce_prod", Reduce, 1, kIF)                                                     \
  X(ReduceMin, "reduce_min", Reduce, 1, kAny)                                                      \
  X(ReduceMax, "reduce_max", Reduce, 1, kAny)                                                      \
  X(ReduceAny, "reduce_any", Reduce, 1, kB)                                                        \
  X(ReduceAll, "reduce_all", Reduce, 1, kB)                                                        \
  X(ReduceArgMin, "reduce_argmin", Reduce, 1, kAny) /* i64; one axis or all */                     \
  X(ReduceArgMax, "reduce_argmax", Reduce, 1, kAny)                                                \
  /* Scans: imm = axis. */                                                                         \
  X(ScanSum, "scan_sum", Scan, 1, kIF)                                                             \
  X(ScanProd, "scan_prod", Scan, 1, kIF)                                                           \
  X(ScanMin, "scan_min", Scan, 1, kAny)                                                            \
  X(ScanMax, "scan_max", Scan, 1, kAny)                                                            \
  /* Shapes. */                                                                                    \
  X(View, "view", Shape, 1, kAny)           /* basic indexing; imm = index into Function::views */ \
  X(Transpose, "transpose", Shape, 1, kAny) /* imm = permutation, 4 bits an axis, axis 0 lowest */ \
  X(Like, "like", Shape, 2, kAny)           /* a, broadcast with b's shape; b's type is free */    \
  X(Extent, "extent", Shape, 1, kAny)       /* i64: product of a's extents over the axes in imm */ \
  /* Memory. */                                                                                    \
  X(Gather, "gather", Memory, 2, kAny)   /* a[b], a[b, c], a[b, c, d]; imm = BoundsMode */         \
  X(Scatter, "scatter", Memory, 3, kAny) /* copy of a with [b] combined with c; imm = mode */      \
  X(Lookup, "lookup", Memory, 1, kI)     /* tables[imm][a], a mod size if size is 2^n */           \
  /* Structure: see function.hpp. */                                                               \
  X(Loop, "loop", Structure, 0, kAny)                                                              \
  X(If, "if", Structure, 1, kB)                                                                    \
  X(Exit, "exit_unless", Structure, 1, kB)                                                         \
  X(Guard, "guard", Structure, 1, kB) /* false in an active lane: status kStatusGuard */           \
  X(Result, "result", Structure, 1, kAny)

enum class Op : uint8_t {
#define LATTICE_JIT_ENUM(name, text, kind, arity, classes) name,
  LATTICE_JIT_OPS(LATTICE_JIT_ENUM)
#undef LATTICE_JIT_ENUM
};

inline constexpr int kOpCount = 0
#define LATTICE_JIT_COUNT(name, text, kind, arity, classes) +1
    LATTICE_JIT_OPS(LATTICE_JIT_COUNT)
#undef LATTICE_JIT_COUNT
    ;

struct OpInfo {
  std::string_view text;
  OpKind kind;
  uint8_t operand_count;  // fixed value operands; Gather and Scatter may have more indices
  uint8_t types;          // TypeClass bits
};

inline constexpr OpInfo kOps[kOpCount] = {
#define LATTICE_JIT_INFO(name, text, kind, arity, classes) {text, OpKind::kind, arity, classes},
    LATTICE_JIT_OPS(LATTICE_JIT_INFO)
#undef LATTICE_JIT_INFO
};

constexpr const OpInfo& op_info(Op op) noexcept { return kOps[static_cast<int>(op)]; }
constexpr std::string_view op_name(Op op) noexcept { return op_info(op).text; }
constexpr OpKind op_kind(Op op) noexcept { return op_info(op).kind; }

constexpr bool is_commutative(Op op) noexcept {
  switch (op) {
    case Op::Add:
    case Op::Mul:
    case Op::MulHigh:
    case Op::And:
    case Op::Or:
    case Op::Xor:
    case Op::Eq:
    case Op::Ne:
      return true;
    default:
      return false;  // Min and Max are not: which zero or nan comes out depends on order.
  }
}

// Value by value, with no memory of other elements: what a stage may contain.
constexpr bool is_elementwise(Op op) noexcept {
  switch (op_kind(op)) {
    case OpKind::Unary:
    case OpKind::Test:
    case OpKind::Convert:
    case OpKind::Binary:
    case OpKind::Compare:
    case OpKind::Ternary:
    case OpKind::Math:
      return true;
    default:
      return op == Op::Like || op == Op::Lookup;
  }
}

}  // namespace lattice::jit
