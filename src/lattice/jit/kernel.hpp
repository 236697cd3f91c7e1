// SPDX-License-Identifier: MIT
// Kernel: a compiled Function, shared and immutable, that runs on arrays and scalars.
//
// A Kernel owns the optimised IR, the schedule (its stages) and each stage's code. Tier 0, the tile
// interpreter, is always there; machine code (tier 1) is made on the first run that is worth it, on
// the calling thread. run() may be called from several threads at once and never needs Python.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lattice/base/error.hpp"
#include "lattice/jit/ir/function.hpp"
#include "lattice/jit/ir/stage.hpp"

namespace lattice::jit {

// Arguments that do not fit: shapes that do not broadcast, a dtype that is not the signature's.
class ShapeError : public Error {
 public:
  using Error::Error;
};
// The IR asks for something that no tier can do (the message names it).
class CompileError : public Error {
 public:
  using Error::Error;
};

struct Shape {
  int rank = 0;
  std::array<int64_t, ir::kRankMax> extent{};

  int64_t count() const noexcept {
    int64_t n = 1;
    for (int k = 0; k < rank; ++k) n *= extent[k];
    return n;
  }
  bool operator==(const Shape& other) const noexcept {
    if (rank != other.rank) return false;
    for (int k = 0; k < rank; ++k) {
      if (extent[k] != other.extent[k]) return false;
    }
    return true;
  }
};

// An argument or output as the caller holds it. For rank 0 `data` points to one element.
// Strides are in bytes and may be negative or 0; elements are aligned to their size.
struct ArrayView {
  void* data = nullptr;
  Type type = Type::F64;
  int rank = 0;
  const int64_t* extent = nullptr;
  const int64_t* stride = nullptr;
};

enum class Tier : uint8_t { Interpreter, Machine };

struct CompileOptions {
  bool allow_machine_code = true;
  // Element operations (elements x nodes) below which the first run stays in tier 0.
  int64_t machine_code_threshold = 20000;
  // Threads for large runs; 0 means thread_count(), 1 none but the caller's.
  int threads = 1;
};

class Kernel {
 public:
  // Optimises and schedules. Throws CompileError or IrError.
  static std::shared_ptr<Kernel> compile(ir::Function function, const CompileOptions& options = {});
  virtual ~Kernel() = default;

  // As handed in and as optimised; the first one is what pickles.
  virtual const ir::Function& source() const noexcept = 0;
  virtual const ir::Function& optimised() const noexcept = 0;

  // Shapes of the outputs for these arguments. Throws ShapeError.
  virtual void infer(std::span<const ArrayView> args, std::span<Shape> outputs) const = 0;

  // Runs. Outputs must have the inferred shapes and the output types; they may be the same memory
  // as arguments, and overlap them or one another in any way: the result is as if all were computed
  // first and stored then, in their order. Returns StatusBits. With one of abort_statuses() among
  // them the outputs hold nothing of use, but the arguments are what they were.
  virtual uint32_t run(std::span<const ArrayView> args, std::span<const ArrayView> outputs) = 0;

  // Small calls without the driver. is_flat(): the kernel is one stage over its array arguments, so
  // that arrays of one shape give outputs of that shape. run_flat() then runs it on arrays that all
  // are C-contiguous with the `n` elements of one shape: data pointers by argument (a scalar's to
  // its element, none null) and by output. False when it has done nothing, and run() has to: the
  // kernel is not flat, has no machine code for contiguous arrays yet, n is 0, or an output
  // overlaps another array otherwise than by being an argument (or overlaps one at all, and the
  // kernel may abort). It does not allocate or throw.
  virtual bool is_flat() const noexcept = 0;
  virtual bool run_flat(const void* const* args, void* const* outputs, int64_t n,
                        uint32_t& status) noexcept = 0;

  // For functions of scalars only, else null: the whole function as one call. Valid as long as the
  // kernel lives. Never null for a scalar function once scalar_entry() has returned.
  struct ScalarEntry {
    // Machine code, or null: then call run_scalar().
    ScalarFn code = nullptr;
  };
  virtual ScalarEntry scalar_entry() = 0;
  virtual uint32_t run_scalar(const Bits* args, Bits* results) = 0;

  // The bits after which the caller has to compute the result in another way (or to raise).
  virtual uint32_t abort_statuses() const noexcept = 0;

  virtual Tier tier() const noexcept = 0;
  virtual std::string ir() const = 0;        // optimised IR as text
  virtual std::string assembly() const = 0;  // empty in tier 0
  virtual std::string explain() const = 0;   // passes, stages, tier, why not vectorised
  virtual std::span<const uint8_t, 16> content_hash() const noexcept = 0;

 protected:
  Kernel() = default;
};

}  // namespace lattice::jit
