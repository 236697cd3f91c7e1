// SPDX-License-Identifier: MIT
#include "lattice/jit/internal/stage_runner.hpp"

#include <algorithm>

#if __has_include("lattice/jit/codegen/stage_compiler.hpp")
#include "lattice/jit/codegen/stage_compiler.hpp"
#define LATTICE_JIT_HAS_COMPILER 1
#endif

namespace lattice::jit::internal {

struct StageRunner::Variants {
#ifdef LATTICE_JIT_HAS_COMPILER
  struct Variant {
    std::vector<StrideClass> classes;
    std::shared_ptr<const StageCode> code;  // null: refused
  };
  std::vector<Variant> list;
  std::shared_ptr<const ScalarCode> scalar;
#endif
  bool scalar_tried = false;
  std::string refusal;
};

namespace {

// How many simple operations an element takes. Nobody knows how often a loop runs.
double work_of(const ir::Function& body, ir::RegionId region, double weight) {
  constexpr double kRounds = 16;
  constexpr double kLibraryCall = 200;
  double work = 0;
  for (ir::NodeId id : body.regions[region].nodes) {
    const ir::Node& node = body[id];
    if (node.op == Op::Loop) {
      work += work_of(body, node.c, std::min(weight * kRounds, kRounds * kRounds));
    } else if (node.op == Op::If) {
      work += work_of(body, node.b, weight) + work_of(body, node.c, weight);
    } else if (op_kind(node.op) != OpKind::Leaf) {
      work += weight * (op_kind(node.op) == OpKind::Math ? kLibraryCall : 1);
    }
  }
  return work;
}

}  // namespace

StageRunner::StageRunner(Stage stage, const CompileOptions& options)
    : stage_(std::move(stage)),
      options_(options),
      work_per_element_(1 + work_of(stage_.body, 0, 1)),
      variants_(std::make_unique<Variants>()) {}

StageRunner::~StageRunner() = default;

const Interpreter& StageRunner::interpreter() const {
  if (const Interpreter* ready = ready_.load(std::memory_order_acquire)) return *ready;
  std::lock_guard lock(mutex_);
  if (interpreter_ == nullptr) interpreter_ = std::make_unique<Interpreter>(stage_);
  ready_.store(interpreter_.get(), std::memory_order_release);
  return *interpreter_;
}

std::string StageRunner::refusal() const {
  std::lock_guard lock(mutex_);
  return variants_->refusal;
}

std::string StageRunner::assembly() const {
  std::string text;
#ifdef LATTICE_JIT_HAS_COMPILER
  constexpr std::string_view kNames[] = {"contiguous", "broadcast", "strided", "stream"};
  std::lock_guard lock(mutex_);
  if (variants_->scalar != nullptr) {
    text += "; scalars, " + std::string(name(variants_->scalar->isa)) + "\n";
    text += scalar_assembly(stage_, variants_->scalar->isa);
  }
  for (const Variants::Variant& variant : variants_->list) {
    if (variant.code == nullptr) continue;
    text += "; " + std::string(name(variant.code->isa)) + ", " +
            std::to_string(variant.code->lanes) + " elements an iteration;";
    for (StrideClass stride : variant.classes) {
      text += ' ';
      text += kNames[static_cast<size_t>(stride)];
    }
    text += '\n';
    text += stage_assembly(stage_, variant.classes, variant.code->isa);
  }
#endif
  return text;
}

StageRunner::Prepared StageRunner::prepare(const StageCall& call, int64_t elements, bool streams) {
#ifdef LATTICE_JIT_HAS_COMPILER
  if (!options_.allow_machine_code) return {};
  int64_t work = elements * static_cast<int64_t>(stage_.body.nodes.size());
  // The first small run stays in the interpreter; a second one shows that there will be more.
  bool is_first = work_.fetch_add(work + 1, std::memory_order_relaxed) == 0;
  if (is_first && !streams && work < options_.machine_code_threshold) return {};
  std::vector<StrideClass> classes;
  bool is_contiguous = true;
  auto classify = [&](int64_t stride, Type type) {
    is_contiguous = is_contiguous && stride == byte_size(type);
    classes.push_back(stride == byte_size(type) ? StrideClass::Contiguous
                      : stride == 0             ? StrideClass::Broadcast
                                                : StrideClass::Strided);
  };
  for (const StageOperand& operand : stage_.operands) {
    if (operand.kind == OperandKind::Element) {
      classify(call.in_stride[operand.slot], operand.type);
    } else {
      classes.push_back(StrideClass::Broadcast);
    }
  }
  for (size_t k = 0; k < stage_.body.outputs().size(); ++k) {
    classify(call.out_stride[k], stage_.body[stage_.body.outputs()[k]].type);
    // Of one element, any class will do.
    if (classes.back() == StrideClass::Broadcast) classes.back() = StrideClass::Strided;
    if (streams) classes.back() = StrideClass::Stream;
  }
  std::lock_guard lock(mutex_);
  for (const Variants::Variant& variant : variants_->list) {
    if (variant.classes == classes) return {variant.code == nullptr ? nullptr : variant.code->fn};
  }
  std::string why;
  std::shared_ptr<const StageCode> code = compile_stage(stage_, classes, chosen_isa(), why);
  if (streams && code != nullptr && kStreamLanes % code->lanes != 0) code = nullptr;
  variants_->list.push_back({std::move(classes), code});
  if (code == nullptr) {
    if (!streams) variants_->refusal = why;
    return {};
  }
  tier_.store(Tier::Machine, std::memory_order_relaxed);
  if (is_contiguous && !streams) contiguous_.store(code->fn, std::memory_order_release);
  return {code->fn};
#else
  (void)call;
  (void)elements;
  (void)streams;
  return {};
#endif
}

ScalarFn StageRunner::scalar_code() {
#ifdef LATTICE_JIT_HAS_COMPILER
  if (!options_.allow_machine_code) return nullptr;
  std::lock_guard lock(mutex_);
  if (!variants_->scalar_tried) {
    variants_->scalar_tried = true;
    variants_->scalar = compile_scalar(stage_, chosen_isa(), variants_->refusal);
    if (variants_->scalar != nullptr) tier_.store(Tier::Machine, std::memory_order_relaxed);
  }
  return variants_->scalar == nullptr ? nullptr : variants_->scalar->fn;
#else
  return nullptr;
#endif
}

uint32_t StageRunner::run_scalar(const Bits* args, Bits* results) {
  size_t count = stage_.body.outputs().size();
  std::vector<void*> out(count);
  std::vector<int64_t> stride(count, 8);
  for (size_t k = 0; k < count; ++k) {
    results[k] = 0;
    out[k] = &results[k];
  }
  StageCall call{nullptr, nullptr, args, nullptr, out.data(), stride.data(), nullptr, 1, 0};
  TileScratch scratch;
  interpreter().run(call, scratch);
  return call.status;
}

}  // namespace lattice::jit::internal
