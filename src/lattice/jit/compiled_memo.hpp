// SPDX-License-Identifier: MIT
// Compiled memos: nodes of the graph whose function is machine code over unboxed scalars.
//
//   Signal<double> spot{100.0};
//   Memo<double> payoff = jit::compiled_memo<double(double)>(
//       [](auto s) { return (s - 100.0) * 2.0; }, {}, spot);
//
// A body whose reads depend on values is a MemoProgram: a tree of steps. Each step reads sources
// into slots, computes from all slots so far, and then branches on a bool or ends with the result.
// So exactly those sources are read, and in the order, that the body would read. What a program
// cannot answer (an integer that overflows, a division by zero, a source of another type, a branch
// that raises) it leaves to the caller, who runs the body itself.
//
// Thread safety: programs and functions are immutable and may be shared by threads; nodes belong to
// their graph's thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "lattice/jit/expression.hpp"
#include "lattice/jit/kernel.hpp"
#include "lattice/reactive/memo.hpp"

namespace lattice::jit {

// Status bits that say that Python (or an exception) has to answer; the others are NumPy's
// warnings.
inline constexpr uint32_t kStatusFailed = kStatusIntOverflow | kStatusZeroDivision |
                                          kStatusOutOfBounds | kStatusNegativePower | kStatusGuard;

// A compiled memo of C++ whose function cannot compute its value: the memo's cached exception.
class ArithmeticError : public Error {
 public:
  using Error::Error;
};

// A function of scalars to one scalar. With MathPolicy::Libm its library functions are calls of the
// process's libm between pieces of machine code.
class ScalarFunction {
 public:
  // More arguments and calls of libm than this are refused (CompileError).
  static constexpr size_t kSlotsMax = 64;

  // One function for equal IR, while somebody holds it. Throws CompileError or IrError.
  static std::shared_ptr<const ScalarFunction> compile(ir::Function function);

  // `slots`: the arguments, and behind them room for calls() more. Returns status bits.
  uint32_t operator()(Bits* slots, Bits* result) const noexcept {
    if (calls_.empty()) [[likely]]
      return last_.code != nullptr ? last_.code(slots, result) : interpret(last_, slots, result);
    return run_calls(slots, result);
  }
  size_t calls() const noexcept { return calls_.size(); }
  size_t arguments() const noexcept { return arguments_; }
  Type result() const noexcept { return result_; }
  const ir::Function& source() const noexcept { return source_; }
  // Whether no part of it runs in the interpreter.
  bool is_machine_code() const noexcept;

 private:
  struct Piece {
    std::shared_ptr<Kernel> kernel;
    ScalarFn code = nullptr;
  };
  // Computes the arguments of a library function, and calls it.
  struct Call {
    Piece arguments;
    double (*unary)(double) = nullptr;
    double (*binary)(double, double) = nullptr;
  };

  static Piece piece_of(ir::Function function);
  static uint32_t interpret(const Piece& piece, const Bits* slots, Bits* results) noexcept;
  uint32_t run_calls(Bits* slots, Bits* result) const noexcept;
  void split(const ir::Function& function);

  ir::Function source_;
  size_t arguments_ = 0;
  Type result_ = Type::Void;
  std::vector<Call> calls_;
  Piece last_;
};

struct MemoStep {
  enum class Kind : uint8_t {
    Check,   // fails here what may fail, before a source that is stale is computed
    Branch,  // on the function's bool
    Return,
    Leave,  // the body itself must run
  };
  struct Read {
    uint32_t source;
    Type type;  // Void: read before, and read again: tracked, but no slot
  };

  Kind kind = Kind::Leave;
  std::vector<Read> reads;
  std::shared_ptr<const ScalarFunction> function;  // null for Leave
  uint32_t checked = 0;                            // Check: the source that is read next
  uint32_t yes = 0;                                // steps; always behind this one
  uint32_t no = 0;
};

class MemoProgram {
 public:
  // Throws CompileError when steps are not a tree in order, or a path has too many reads.
  explicit MemoProgram(std::vector<MemoStep> steps, size_t sources);

  // A Reader has
  //   bool read(uint32_t source, Type, Bits& slot)  tracks; false: not of this type, or failed
  //   bool touch(uint32_t source)                   tracks what was read before
  //   bool is_stale(uint32_t source)                whether reading it runs something
  // False: the body itself must run. What was read until then is tracked.
  template <class Reader>
  bool run(Reader&& reader, Bits& result, Type& type) const {
    std::array<Bits, ScalarFunction::kSlotsMax> slots;
    Bits* next = slots.data();
    const MemoStep* step = steps_.data();
    for (;;) {
      for (const MemoStep::Read& read : step->reads) {
        if (read.type == Type::Void) {
          if (!reader.touch(read.source)) [[unlikely]]
            return false;
          continue;
        }
        if (!reader.read(read.source, read.type, *next)) [[unlikely]]
          return false;
        ++next;
      }
      switch (step->kind) {
        case MemoStep::Kind::Leave:
          return false;
        case MemoStep::Kind::Check:
          if (reader.is_stale(step->checked) && fails(*step, slots.data(), result)) return false;
          step = &steps_[step->yes];
          break;
        case MemoStep::Kind::Branch:
          if (fails(*step, slots.data(), result)) return false;
          step = &steps_[result != 0 ? step->yes : step->no];
          break;
        case MemoStep::Kind::Return:
          type = step->function->result();
          return !fails(*step, slots.data(), result);
      }
    }
  }

  const std::vector<MemoStep>& steps() const noexcept { return steps_; }
  size_t sources() const noexcept { return sources_; }
  // Without branches: one step, whose function takes the sources it reads in their order.
  bool is_straight() const noexcept { return steps_.size() == 1; }

 private:
  static bool fails(const MemoStep& step, Bits* slots, Bits& result) noexcept {
    result = 0;
    return ((*step.function)(slots, &result) & kStatusFailed) != 0;
  }

  std::vector<MemoStep> steps_;
  size_t sources_;
};

// --- C++ alone

namespace internal {

[[noreturn]] void throw_arithmetic(uint32_t status);

// What a compiled memo of C++ calls to compute its value.
template <class R, class... Sources>
struct CompiledBody {
  std::shared_ptr<const ScalarFunction> function;
  std::tuple<Sources...> sources;

  R operator()() const {
    std::array<Bits, ScalarFunction::kSlotsMax> slots;
    Bits* next = slots.data();
    std::apply([&](const Sources&... source) { ((*next++ = to_bits(source.get())), ...); },
               sources);
    Bits result = 0;
    const uint32_t status = (*function)(slots.data(), &result);
    if ((status & kStatusFailed) != 0) [[unlikely]]
      throw_arithmetic(status);
    return from_bits<R>(result);
  }
};

template <class Signature>
struct CompiledTraits;
template <class R, class... A>
struct CompiledTraits<R(A...)> {
  using Result = R;
  template <class Fn>
  static ir::Function trace(const Fn& fn) {
    ir::Builder builder("memo");
    // Braces: params are made in order.
    std::tuple<Expression<A>...> args{Expression<A>(builder, builder.param(type_of<A>(), 0))...};
    Expression<R> result = std::apply(fn, args);
    return builder.finish({result.node()});
  }
  static constexpr bool kTakes(size_t sources) { return sources == sizeof...(A); }
};

}  // namespace internal

// A memo of signals and memos whose function is `function`, called with their values. The result is
// an ordinary Memo: lazy, cut off by equality, counted; what its function cannot compute is an
// ArithmeticError that its readers get. REQUIRES: the function's types are the sources'.
template <class R, class... Sources>
Memo<R> compiled_memo(std::shared_ptr<const ScalarFunction> function, MemoOptions<> options,
                      Sources... sources) {
  return lattice::memo(
      internal::CompiledBody<R, Sources...>{std::move(function), {std::move(sources)...}}, options);
}

// The same from a C++ function of Expressions, as for jit::compile.
template <class Signature, class Fn, class... Sources>
auto compiled_memo(Fn&& fn, MemoOptions<> options, Sources... sources) {
  using Traits = internal::CompiledTraits<Signature>;
  static_assert(Traits::kTakes(sizeof...(Sources)), "one source for each parameter");
  return compiled_memo<typename Traits::Result>(ScalarFunction::compile(Traits::trace(fn)), options,
                                                std::move(sources)...);
}

}  // namespace lattice::jit
