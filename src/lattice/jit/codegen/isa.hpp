// SPDX-License-Identifier: MIT
// Which machine code this process may run.
#pragma once

#include <cstdint>
#include <string_view>

namespace lattice::jit {

enum class Isa : uint8_t {
  Interpreter,  // No machine code: the tile interpreter.
  Avx2,         // AVX2 with FMA, BMI1 and BMI2.
  Avx512,       // F, VL, DQ, BW, CD.
  Neon,         // AArch64.
};

// The best this processor and this build run, the environment not considered.
[[nodiscard]] Isa best_isa() noexcept;

// best_isa(), lowered by LATTICE_JIT_ISA = interp | avx2 | avx512 | neon (for tests). An unknown
// name, or one the processor lacks, means the interpreter. Read once per process.
[[nodiscard]] Isa chosen_isa() noexcept;

[[nodiscard]] bool runs(Isa isa) noexcept;
[[nodiscard]] std::string_view name(Isa isa) noexcept;

}  // namespace lattice::jit
