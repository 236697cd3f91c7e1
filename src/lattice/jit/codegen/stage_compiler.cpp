// SPDX-License-Identifier: MIT
#include "lattice/jit/codegen/stage_compiler.hpp"

#if defined(LATTICE_JIT_MACHINE_CODE) && defined(__x86_64__)
#define LATTICE_JIT_X86 1
#include "lattice/jit/codegen/internal/x86_stage.hpp"
#endif

namespace lattice::jit {
namespace {

#ifdef LATTICE_JIT_X86
std::vector<std::byte> generate(const Stage& stage, std::span<const StrideClass> strides, Isa isa,
                                bool is_scalar, asmjit::StringLogger* logger, int& lanes,
                                std::string& why) {
  using Effort = internal::X86Stage::Effort;
  for (const Effort effort : {Effort::Interleaved, Effort::Plain, Effort::Frugal}) {
    internal::X86Stage x86(stage, strides, isa, is_scalar, effort);
    std::vector<std::byte> bytes = x86.compile(logger);
    lanes = x86.lanes();
    if (!bytes.empty()) return bytes;
    why = x86.why();
    if (!x86.lacks_registers()) break;
    if (logger != nullptr) logger->clear();
  }
  return {};
}
#endif

// Machine code of a stage, copied into executable memory.
CodeBlock compile(const Stage& stage, std::span<const StrideClass> strides, Isa isa, bool is_scalar,
                  int& lanes, std::string& why) {
#ifdef LATTICE_JIT_X86
  if (isa == Isa::Avx512 || isa == Isa::Avx2) {
    const std::vector<std::byte> bytes =
        generate(stage, strides, isa, is_scalar, nullptr, lanes, why);
    if (bytes.empty()) return {};
    CodeBlock block = add_code(bytes);
    if (!block) why = "the system grants no executable memory";
    return block;
  }
#else
  (void)stage, (void)strides, (void)is_scalar, (void)lanes;
#endif
  why = "no machine code for " + std::string(name(isa));
  return {};
}

std::string assembly(const Stage& stage, std::span<const StrideClass> strides, Isa isa,
                     bool is_scalar) {
#ifdef LATTICE_JIT_X86
  if (isa == Isa::Avx512 || isa == Isa::Avx2) {
    asmjit::StringLogger logger;
    int lanes = 0;
    std::string why;
    const std::vector<std::byte> bytes =
        generate(stage, strides, isa, is_scalar, &logger, lanes, why);
    return bytes.empty() ? "" : std::string(logger.data(), logger.dataSize());
  }
#else
  (void)stage, (void)strides, (void)is_scalar;
#endif
  (void)isa;
  return "";
}

}  // namespace

std::shared_ptr<const StageCode> compile_stage(const Stage& stage,
                                               std::span<const StrideClass> strides, Isa isa,
                                               std::string& why) {
  auto code = std::make_shared<StageCode>();
  code->block = compile(stage, strides, isa, false, code->lanes, why);
  if (!code->block) return nullptr;
  code->fn = reinterpret_cast<StageFn>(reinterpret_cast<uintptr_t>(code->block.entry()));
  code->isa = isa;
  return code;
}

std::shared_ptr<const ScalarCode> compile_scalar(const Stage& stage, Isa isa, std::string& why) {
  auto code = std::make_shared<ScalarCode>();
  int lanes = 0;
  code->block = compile(stage, {}, isa, true, lanes, why);
  if (!code->block) return nullptr;
  code->fn = reinterpret_cast<ScalarFn>(reinterpret_cast<uintptr_t>(code->block.entry()));
  code->isa = isa;
  return code;
}

std::string stage_assembly(const Stage& stage, std::span<const StrideClass> strides, Isa isa) {
  return assembly(stage, strides, isa, false);
}

std::string scalar_assembly(const Stage& stage, Isa isa) { return assembly(stage, {}, isa, true); }

}  // namespace lattice::jit
