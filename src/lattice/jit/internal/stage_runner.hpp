// SPDX-License-Identifier: MIT
// A stage with its code: the interpreter always, machine code by the operands' stride classes once
// it is worth making.
//
// Thread safety: prepare() and scalar_code() may be called from several threads; a variant is made
// once, under a lock, and never changes afterwards.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "lattice/jit/interpreter.hpp"
#include "lattice/jit/ir/stage.hpp"
#include "lattice/jit/kernel.hpp"

namespace lattice::jit::internal {

class StageRunner {
 public:
  StageRunner(Stage stage, const CompileOptions& options);
  ~StageRunner();

  struct Prepared {
    StageFn code = nullptr;  // null: the interpreter
  };

  // Code for the strides in `call`; `elements` is how many the whole run has. `streams`: outputs of
  // class Stream (their strides are those of contiguous ones), or no code.
  Prepared prepare(const StageCall& call, int64_t elements, bool streams = false);
  // What an element costs, roughly, without reading and writing it.
  double ns_per_element(const Prepared& prepared) const noexcept {
    return work_per_element_ * (prepared.code != nullptr ? kMachineNs : kInterpreterNs);
  }
  void run(const Prepared& prepared, StageCall& call, TileScratch& scratch) const {
    if (prepared.code != nullptr) {
      prepared.code(&call);
    } else {
      interpreter().run(call, scratch);
    }
  }

  // Code for operands and outputs that all are contiguous (or scalars), once prepare() has made it;
  // null until then. It takes no lock.
  StageFn contiguous_code() const noexcept { return contiguous_.load(std::memory_order_acquire); }

  // For a stage of scalars.
  ScalarFn scalar_code();
  uint32_t run_scalar(const Bits* args, Bits* results);

  const Stage& stage() const noexcept { return stage_; }
  Tier tier() const noexcept { return tier_.load(std::memory_order_relaxed); }
  // Why machine code was refused; empty when it was not.
  std::string refusal() const;
  // The machine code of each variant as text, made anew; empty without any.
  std::string assembly() const;

 private:
  struct Variants;

  // Of a simple operation on an element.
  static constexpr double kMachineNs = 0.04;
  static constexpr double kInterpreterNs = 0.5;

  const Interpreter& interpreter() const;

  const Stage stage_;
  const CompileOptions options_;
  const double work_per_element_;  // simple operations
  mutable std::mutex mutex_;
  mutable std::unique_ptr<Interpreter> interpreter_;
  mutable std::atomic<const Interpreter*> ready_{nullptr};
  std::unique_ptr<Variants> variants_;
  std::atomic<StageFn> contiguous_{nullptr};
  std::atomic<Tier> tier_{Tier::Interpreter};
  std::atomic<int64_t> work_{0};  // element operations so far
};

}  // namespace lattice::jit::internal
