// SPDX-License-Identifier: MIT
// What Kernel::compile() makes: the optimised function, its schedule and the stages' code.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lattice/jit/compiler.hpp"
#include "lattice/jit/internal/stage_runner.hpp"
#include "lattice/jit/ir/canonical.hpp"
#include "lattice/jit/kernel.hpp"
#include "lattice/jit/schedule.hpp"

namespace lattice::jit::internal {

class CompiledKernel final : public Kernel {
 public:
  // Throws CompileError or IrError.
  CompiledKernel(ir::Function function, const CompileOptions& options);

  const ir::Function& source() const noexcept override { return source_; }
  const ir::Function& optimised() const noexcept override { return optimised_.function; }
  void infer(std::span<const ArrayView> args, std::span<Shape> outputs) const override;
  uint32_t run(std::span<const ArrayView> args, std::span<const ArrayView> outputs) override;
  bool is_flat() const noexcept override { return flat_.is_flat; }
  bool run_flat(const void* const* args, void* const* outputs, int64_t n,
                uint32_t& status) noexcept override;
  ScalarEntry scalar_entry() override {
    return {scalar_ == nullptr ? nullptr : scalar_->scalar_code()};
  }
  uint32_t run_scalar(const Bits* args, Bits* results) override;
  uint32_t abort_statuses() const noexcept override { return abort_statuses_; }
  Tier tier() const noexcept override;
  std::string ir() const override;
  std::string assembly() const override;
  std::string explain() const override;
  std::span<const uint8_t, 16> content_hash() const noexcept override { return hash_; }

 private:
  friend class Run;

  // More operands or outputs go through the driver.
  static constexpr size_t kFlatMax = 16;

  // What run_flat() needs to know of a plan that is one stage over arrays of one shape: where the
  // stage's operands and outputs come from in the caller's lists.
  struct Flat {
    struct Array {
      uint16_t argument;
      uint16_t bytes;  // of an element
    };
    struct Scalar {
      int32_t argument;  // -1: a constant
      uint32_t bytes;
      Bits bits;
    };
    bool is_flat = false;
    std::vector<Array> arrays;     // every argument of rank > 0
    std::vector<uint16_t> inputs;  // by Element slot: the argument
    std::vector<Scalar> scalars;   // by Scalar slot
    std::vector<Array> outputs;    // by output of the stage: the kernel's
    std::vector<int64_t> in_stride;
    std::vector<int64_t> out_stride;
  };
  void plan_flat();
  bool run_views_flat(std::span<const ArrayView> args, std::span<const ArrayView> outputs,
                      uint32_t& status) noexcept;

  CompileOptions options_;
  ir::Function source_;
  Optimised optimised_;
  std::vector<std::unique_ptr<StageRunner>> stages_;
  Plan plan_;
  Flat flat_;
  std::unique_ptr<StageRunner> scalar_;
  ir::ContentHash hash_;
  // Lanes that the program would not have computed may raise flags: then none are reported.
  uint32_t reported_ = ~uint32_t{0};
  uint32_t abort_statuses_;
  bool may_abort_;  // some node may raise one of them
};

}  // namespace lattice::jit::internal
