// SPDX-License-Identifier: MIT
#include "lattice/jit/compiled_memo.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <string>

#include "lattice/jit/ir/canonical.hpp"

namespace lattice::jit {

using ir::Builder;
using ir::Function;
using ir::kNone;
using ir::Node;
using ir::NodeId;

namespace {

using Unary = double (*)(double);
using Binary = double (*)(double, double);

Unary unary_of(Op op) noexcept {
  switch (op) {
    case Op::Exp:
      return &std::exp;
    case Op::Exp2:
      return &std::exp2;
    case Op::Expm1:
      return &std::expm1;
    case Op::Log:
      return &std::log;
    case Op::Log2:
      return &std::log2;
    case Op::Log10:
      return &std::log10;
    case Op::Log1p:
      return &std::log1p;
    case Op::Sin:
      return &std::sin;
    case Op::Cos:
      return &std::cos;
    case Op::Tan:
      return &std::tan;
    case Op::Asin:
      return &std::asin;
    case Op::Acos:
      return &std::acos;
    case Op::Atan:
      return &std::atan;
    case Op::Sinh:
      return &std::sinh;
    case Op::Cosh:
      return &std::cosh;
    case Op::Tanh:
      return &std::tanh;
    case Op::Asinh:
      return &std::asinh;
    case Op::Acosh:
      return &std::acosh;
    case Op::Atanh:
      return &std::atanh;
    case Op::Cbrt:
      return &std::cbrt;
    case Op::Erf:
      return &std::erf;
    case Op::Erfc:
      return &std::erfc;
    default:
      return nullptr;
  }
}

Binary binary_of(Op op) noexcept {
  switch (op) {
    case Op::Pow:
      return &std::pow;
    case Op::Atan2:
      return &std::atan2;
    default:
      return nullptr;
  }
}

bool is_call(const Node& node) noexcept {
  return node.type == Type::F64 && (unary_of(node.op) != nullptr || binary_of(node.op) != nullptr);
}

// The part of a function without regions that computes `outputs`, as a function of its parameters
// and of the results of the calls before, which are `calls`.
class Part {
 public:
  Part(const Function& from, const std::vector<NodeId>& calls)
      : from_(from), map_(from.nodes.size(), kNone), builder_(from.name) {
    builder_.function().fp = from.fp;
    builder_.function().math = from.math;
    builder_.function().tables = from.tables;
    for (const ir::Parameter& param : from.params) {
      params_.push_back(builder_.param(param.type, 0, param.name));
    }
    for (NodeId call : calls) map_[call] = builder_.param(Type::F64, 0);
  }

  Function finish(std::span<const NodeId> outputs, bool with_guards) {
    std::vector<uint8_t> needed(from_.nodes.size(), 0);
    for (NodeId output : outputs) needed[output] = 1;
    for (size_t id = from_.nodes.size(); id-- > 0;) {
      const Node& node = from_.nodes[id];
      if (with_guards && node.op == Op::Guard) needed[id] = 1;
      if (needed[id] == 0 || map_[id] != kNone) continue;
      ir::for_each_operand(from_, node, [&](NodeId operand) { needed[operand] = 1; });
    }
    for (NodeId id : from_.regions[0].nodes) {
      if (needed[id] != 0 && map_[id] == kNone) map_[id] = copy(from_[id]);
    }
    std::vector<NodeId> made;
    for (NodeId output : outputs) made.push_back(map_[output]);
    return builder_.finish(made);
  }

 private:
  NodeId copy(Node node) {
    if (node.op == Op::Param) return params_[node.imm];
    for (NodeId* operand : {&node.a, &node.b, &node.c, &node.d}) {
      if (*operand != kNone) *operand = map_[*operand];
    }
    if (node.op == Op::Guard) return builder_.guard(node.a);
    return builder_.emit(node);
  }

  const Function& from_;
  std::vector<NodeId> map_;
  std::vector<NodeId> params_;
  Builder builder_;
};

}  // namespace

ScalarFunction::Piece ScalarFunction::piece_of(Function function) {
  Piece piece;
  piece.kernel = Kernel::compile(std::move(function));
  piece.code = piece.kernel->scalar_entry().code;
  return piece;
}

uint32_t ScalarFunction::interpret(const Piece& piece, const Bits* slots, Bits* results) noexcept {
  try {
    return piece.kernel->run_scalar(slots, results);
  } catch (...) {  // no memory for its tiles
    return kStatusGuard;
  }
}

bool ScalarFunction::is_machine_code() const noexcept {
  return last_.code != nullptr && std::all_of(calls_.begin(), calls_.end(), [](const Call& call) {
           return call.arguments.code != nullptr;
         });
}

uint32_t ScalarFunction::run_calls(Bits* slots, Bits* result) const noexcept {
  Bits* made = slots + arguments_;
  uint32_t status = 0;
  auto run = [&](const Piece& piece, Bits* results) {
    status |= piece.code != nullptr ? piece.code(slots, results) : interpret(piece, slots, results);
  };
  for (const Call& call : calls_) {
    Bits values[2] = {0, 0};
    run(call.arguments, values);
    const auto x = from_bits<double>(values[0]);
    *made++ = to_bits(call.unary != nullptr ? call.unary(x)
                                            : call.binary(x, from_bits<double>(values[1])));
  }
  run(last_, result);
  return status;
}

void ScalarFunction::split(const Function& function) {
  std::vector<NodeId> made;
  for (NodeId id : function.regions[0].nodes) {
    const Node& node = function[id];
    if (!is_call(node)) continue;
    std::vector<NodeId> operands{node.a};
    if (binary_of(node.op) != nullptr) operands.push_back(node.b);
    calls_.push_back({piece_of(Part(function, made).finish(operands, false)), unary_of(node.op),
                      binary_of(node.op)});
    made.push_back(id);
  }
  last_ = piece_of(Part(function, made).finish(function.outputs(), true));
}

std::shared_ptr<const ScalarFunction> ScalarFunction::compile(Function function) {
  if (!function.is_scalar_function() || function.outputs().size() != 1 ||
      function[function.outputs()[0]].rank() != 0) {
    throw CompileError("jit: a memo's function is one of scalars with one result");
  }
  // Equal functions of many memos are one. Names count in no way; the library's policy does.
  static std::mutex mutex;
  static std::map<std::pair<ir::ContentHash, ir::MathPolicy>, std::weak_ptr<const ScalarFunction>>
      known;
  const auto key = std::make_pair(ir::content_hash(function), function.math);
  {
    const std::lock_guard lock(mutex);
    if (auto found = known.find(key); found != known.end()) {
      if (auto alive = found->second.lock()) return alive;
    }
  }
  auto made = std::make_shared<ScalarFunction>();
  made->arguments_ = function.params.size();
  made->result_ = function[function.outputs()[0]].type;
  const bool has_calls = function.math == ir::MathPolicy::Libm && function.regions.size() == 1 &&
                         std::any_of(function.nodes.begin(), function.nodes.end(), &is_call);
  if (has_calls) {
    made->split(function);
  } else {
    made->last_ = piece_of(function);
  }
  made->source_ = std::move(function);
  if (made->arguments_ + made->calls() > kSlotsMax) {
    throw CompileError("jit: a memo reads " + std::to_string(made->arguments_) +
                       " values and has " + std::to_string(made->calls()) +
                       " calls of library functions; " + std::to_string(kSlotsMax) +
                       " in all are possible");
  }
  const std::lock_guard lock(mutex);
  if (known.size() > 4096) std::erase_if(known, [](auto& entry) { return entry.second.expired(); });
  known[key] = made;
  return made;
}

MemoProgram::MemoProgram(std::vector<MemoStep> steps, size_t sources)
    : steps_(std::move(steps)), sources_(sources) {
  std::vector<size_t> slots(steps_.size(), 0);
  auto refuse = [](const char* what) { throw CompileError(std::string("jit: a memo's ") + what); };
  if (steps_.empty()) refuse("program has no step");
  for (size_t k = 0; k < steps_.size(); ++k) {
    const MemoStep& step = steps_[k];
    for (const MemoStep::Read& read : step.reads) {
      if (read.source >= sources) refuse("step reads a source that there is not");
      slots[k] += read.type != Type::Void ? 1 : 0;
    }
    if (step.kind == MemoStep::Kind::Leave) continue;
    if (step.function == nullptr || step.function->arguments() != slots[k]) {
      refuse("step has no function of what was read");
    }
    if (slots[k] + step.function->calls() > ScalarFunction::kSlotsMax) {
      refuse("body reads too many values");
    }
    auto follow = [&](uint32_t next) {
      if (next <= k || next >= steps_.size()) refuse("steps do not follow one another");
      slots[next] = slots[k];
    };
    if (step.kind == MemoStep::Kind::Return) continue;
    follow(step.yes);
    if (step.kind == MemoStep::Kind::Branch) {
      follow(step.no);
      if (step.function->result() != Type::Bool) refuse("branch is not on a bool");
    } else if (step.checked >= sources) {
      refuse("step checks before a source that there is not");
    }
  }
}

namespace internal {

void throw_arithmetic(uint32_t status) {
  const char* what = (status & kStatusIntOverflow) != 0    ? "an integer leaves 64 bits"
                     : (status & kStatusZeroDivision) != 0 ? "division by zero"
                     : (status & kStatusNegativePower) != 0
                         ? "an integer to a negative power"
                         : "a value for which the function is not defined";
  throw ArithmeticError(std::string("a compiled memo met ") + what +
                        "; readers get this error until a source changes");
}

}  // namespace internal

}  // namespace lattice::jit
