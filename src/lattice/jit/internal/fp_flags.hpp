// SPDX-License-Identifier: MIT
// IEEE flags that a run raises, as NumPy's warnings report them.
#pragma once

#include <cstdint>

#if defined(__SSE2__)
#include <xmmintrin.h>
#else
#include <cfenv>
#endif

#include "lattice/jit/ir/stage.hpp"

namespace lattice::jit::internal {

// Of the thread that makes it, from then on. The thread's own flags are kept.
class FpFlags {
 public:
#if defined(__SSE2__)
  // Writing the register is slow, and mostly there is nothing to clear but "inexact".
  FpFlags() : saved_(_mm_getcsr()) {
    if ((saved_ & kReported) != 0) _mm_setcsr(saved_ & ~kReported);
  }
  uint32_t end() {
    uint32_t raised = _mm_getcsr();
    if ((saved_ & kReported) != 0) _mm_setcsr(saved_ | (raised & 0x3f));
    return ((raised & 1) != 0 ? uint32_t{kStatusFpInvalid} : 0) |
           ((raised & 4) != 0 ? uint32_t{kStatusFpDivide} : 0) |
           ((raised & 8) != 0 ? uint32_t{kStatusFpOverflow} : 0) |
           ((raised & 16) != 0 ? uint32_t{kStatusFpUnderflow} : 0);
  }

 private:
  static constexpr uint32_t kReported = 1 | 4 | 8 | 16;
  uint32_t saved_;
#else
  FpFlags() { std::feclearexcept(FE_ALL_EXCEPT); }
  uint32_t end() {
    int raised = std::fetestexcept(FE_ALL_EXCEPT);
    return ((raised & FE_INVALID) != 0 ? uint32_t{kStatusFpInvalid} : 0) |
           ((raised & FE_DIVBYZERO) != 0 ? uint32_t{kStatusFpDivide} : 0) |
           ((raised & FE_OVERFLOW) != 0 ? uint32_t{kStatusFpOverflow} : 0) |
           ((raised & FE_UNDERFLOW) != 0 ? uint32_t{kStatusFpUnderflow} : 0);
  }
#endif
};

}  // namespace lattice::jit::internal
