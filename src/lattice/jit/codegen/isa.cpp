// SPDX-License-Identifier: MIT
#include "lattice/jit/codegen/isa.hpp"

#include <cstdlib>

namespace lattice::jit {
namespace {

Isa isa_from_environment() noexcept {
  const char* wanted = std::getenv("LATTICE_JIT_ISA");
  if (!wanted || !*wanted) return best_isa();
  for (const Isa isa : {Isa::Avx2, Isa::Avx512, Isa::Neon}) {
    if (name(isa) == wanted && runs(isa)) return isa;
  }
  return Isa::Interpreter;
}

}  // namespace

bool runs(Isa isa) noexcept {
  if (isa == Isa::Interpreter) return true;
#if defined(LATTICE_JIT_MACHINE_CODE) && defined(__x86_64__)
  // The builtin also asks the operating system (XGETBV) whether it saves the registers.
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  if (isa == Isa::Avx2) return avx2;
  if (isa == Isa::Avx512) {
    return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd");
  }
#endif
  return false;
}

Isa best_isa() noexcept {
  for (const Isa isa : {Isa::Avx512, Isa::Avx2, Isa::Neon}) {
    if (runs(isa)) return isa;
  }
  return Isa::Interpreter;
}

Isa chosen_isa() noexcept {
  static const Isa chosen = isa_from_environment();
  return chosen;
}

std::string_view name(Isa isa) noexcept {
  switch (isa) {
    case Isa::Interpreter:
      return "interp";
    case Isa::Avx2:
      return "avx2";
    case Isa::Avx512:
      return "avx512";
    case Isa::Neon:
      return "neon";
  }
  return "";
}

}  // namespace lattice::jit
