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

inline constexpr uint32_t kFpStatuses =
    kStatusFpInvalid | kStatusFpDivide | kStatusFpOverflow | kStatusFpUnderflow;

#if defined(__SSE2__)

inline uint32_t fp_statuses(uint32_t raised) noexcept {
  return ((raised & 1) != 0 ? uint32_t{kStatusFpInvalid} : 0) |
         ((raised & 4) != 0 ? uint32_t{kStatusFpDivide} : 0) |
         ((raised & 8) != 0 ? uint32_t{kStatusFpOverflow} : 0) |
         ((raised & 16) != 0 ? uint32_t{kStatusFpUnderflow} : 0);
}

// Of the thread that makes it, from then on. The thread's own flags are kept.
class FpFlags {
 public:
  // Writing the register is slow, and mostly there is nothing to clear but "inexact".
  FpFlags() noexcept : saved_(_mm_getcsr()) {
    if ((saved_ & kReported) != 0) _mm_setcsr(saved_ & ~kReported);
  }
  uint32_t end() noexcept {
    uint32_t raised = _mm_getcsr();
    if ((saved_ & kReported) != 0) _mm_setcsr(saved_ | (raised & kFlags));
    return fp_statuses(raised);
  }

 private:
  static constexpr uint32_t kReported = 1 | 4 | 8 | 16;
  static constexpr uint32_t kFlags = 0x3f;
  uint32_t saved_;
};

// Rounding and the treatment of subnormals of one thread, to be used by others that work for it.
class FpControl {
 public:
  FpControl() noexcept : control_(_mm_getcsr() & ~uint32_t{0x3f}) {}
  // Calls fn in that mode; returns the statuses that it raised.
  template <class Fn>
  uint32_t call(Fn&& fn) const {
    uint32_t saved = _mm_getcsr();
    _mm_setcsr(control_);
    fn();
    uint32_t raised = _mm_getcsr();
    _mm_setcsr(saved);
    return fp_statuses(raised);
  }

 private:
  uint32_t control_;
};

#else

inline uint32_t fp_statuses(int raised) noexcept {
  return ((raised & FE_INVALID) != 0 ? uint32_t{kStatusFpInvalid} : 0) |
         ((raised & FE_DIVBYZERO) != 0 ? uint32_t{kStatusFpDivide} : 0) |
         ((raised & FE_OVERFLOW) != 0 ? uint32_t{kStatusFpOverflow} : 0) |
         ((raised & FE_UNDERFLOW) != 0 ? uint32_t{kStatusFpUnderflow} : 0);
}

class FpFlags {
 public:
  FpFlags() noexcept { std::feclearexcept(FE_ALL_EXCEPT); }
  uint32_t end() noexcept { return fp_statuses(std::fetestexcept(FE_ALL_EXCEPT)); }
};

class FpControl {
 public:
  FpControl() noexcept { std::fegetenv(&environment_); }
  template <class Fn>
  uint32_t call(Fn&& fn) const {
    std::fenv_t saved;
    std::fegetenv(&saved);
    std::fesetenv(&environment_);
    std::feclearexcept(FE_ALL_EXCEPT);
    fn();
    int raised = std::fetestexcept(FE_ALL_EXCEPT);
    std::fesetenv(&saved);
    return fp_statuses(raised);
  }

 private:
  std::fenv_t environment_;
};

#endif

// While it lives with `is_quiet`, what comes raises no "invalid": C's comparisons do for a nan,
// NumPy's do not.
class InvalidFlag {
 public:
  explicit InvalidFlag(bool is_quiet) : is_quiet_(is_quiet) {
#if defined(__SSE2__)
    if (is_quiet_) was_raised_ = (_mm_getcsr() & 1) != 0;
  }
  ~InvalidFlag() {
    if (!is_quiet_ || was_raised_) return;
    const uint32_t now = _mm_getcsr();
    if ((now & 1) != 0) _mm_setcsr(now & ~1u);
  }
#else
    if (is_quiet_) was_raised_ = std::fetestexcept(FE_INVALID) != 0;
  }
  ~InvalidFlag() {
    if (is_quiet_ && !was_raised_) std::feclearexcept(FE_INVALID);
  }
#endif
  InvalidFlag(const InvalidFlag&) = delete;
  InvalidFlag& operator=(const InvalidFlag&) = delete;

 private:
  bool is_quiet_;
  bool was_raised_ = false;
};

}  // namespace lattice::jit::internal
