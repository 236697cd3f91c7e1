// SPDX-License-Identifier: MIT
// Python's recursion limit and memos that compute one another.
//
// The first read of a chain of memos calls one function inside the other. Python counts these calls
// against its limit (1000 by default) although the stack grows by itself (side_stack.hpp). So every
// nested run gets the full budget of its own, and a stack that is good for it; the nesting itself
// ends at kNestedRunsMax. A function that recurses without end meets its limit as ever.
#pragma once

#include <Python.h>

#include <cstdint>

namespace lattice::python {

inline constexpr uint32_t kNestedRunsMax = 10'000;

// Of a thread's interpreter state, as far as this version of Python lets it be restored.
// Python 3.14 compares addresses with the bounds of the thread's stack: nothing can be done there,
// and deep chains end with Python's own RecursionError.
class RecursionBudget {
 public:
#if PY_VERSION_HEX < 0x030C0000
  static constexpr bool kIsRestorable = true;
  RecursionBudget() noexcept
      : state_(PyThreadState_Get()), added_(state_->recursion_limit - state_->recursion_remaining) {
    state_->recursion_remaining += added_;
  }
  // By difference: the function may have changed the limit.
  ~RecursionBudget() { state_->recursion_remaining -= added_; }
  static size_t stack_needed() noexcept {
    return stack_for_frames(PyThreadState_Get()->recursion_limit);
  }

 private:
  PyThreadState* state_;
  int added_;
#elif PY_VERSION_HEX < 0x030E0000
  static constexpr bool kIsRestorable = true;
  RecursionBudget() noexcept
      : state_(PyThreadState_Get()),
        added_(state_->py_recursion_limit - state_->py_recursion_remaining),
        added_native_(kNativeLimit - state_->c_recursion_remaining) {
    state_->py_recursion_remaining += added_;
    state_->c_recursion_remaining += added_native_;
  }
  ~RecursionBudget() {
    state_->py_recursion_remaining -= added_;
    state_->c_recursion_remaining -= added_native_;
  }
  // Python's own estimate: its limit of native calls fits a stack of 8 MiB.
  static size_t stack_needed() noexcept { return size_t{8} << 20; }

 private:
#if PY_VERSION_HEX < 0x030D0000
  static constexpr int kNativeLimit = C_RECURSION_LIMIT;
#else
  static constexpr int kNativeLimit = Py_C_RECURSION_LIMIT;
#endif
  PyThreadState* state_;
  int added_;
  int added_native_;
#else
  static constexpr bool kIsRestorable = false;
  RecursionBudget() noexcept = default;
  static size_t stack_needed() noexcept { return 0; }
#endif

 public:
  RecursionBudget(const RecursionBudget&) = delete;
  RecursionBudget& operator=(const RecursionBudget&) = delete;

 private:
  static size_t stack_for_frames(int frames) noexcept {
    constexpr size_t kFrameBytes = 2048, kMax = size_t{16} << 20;
    const size_t bytes = static_cast<size_t>(frames) * kFrameBytes;
    return bytes < kMax ? bytes : kMax;
  }
};

// function(), inside another memo's or effect's. Null with an error, as from PyObject_CallNoArgs.
PyObject* call_nested(PyObject* function) noexcept;

}  // namespace lattice::python
