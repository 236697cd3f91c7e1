// SPDX-License-Identifier: MIT
// The driver: one call of a kernel. Walks the plan over arrays in memory, and each stage over outer
// axes.
//
// Outputs are written where the caller wants them as soon as they are computed, unless that memory
// is (or could be) read afterwards: an argument that the output overlaps, another output, an array
// with elements that share memory, or an argument that the call in Python would have to read again
// when the kernel gives up. Those are computed into a temporary and copied at the end.
//
// Thread safety: a Run belongs to one thread.
#pragma once

#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "lattice/jit/internal/buffer_pool.hpp"
#include "lattice/jit/internal/compiled_kernel.hpp"
#include "lattice/jit/internal/layout.hpp"
#include "lattice/jit/internal/reduce_ops.hpp"
#include "lattice/jit/internal/stage_runner.hpp"
#include "lattice/jit/internal/stage_walk.hpp"
#include "lattice/jit/interpreter.hpp"

namespace lattice::jit::internal {

class Run {
 public:
  // Throws ShapeError for arguments or outputs that are not the kernel's.
  Run(const CompiledKernel& kernel, std::span<const ArrayView> args,
      std::span<const ArrayView> outputs, bool infer_only);

  uint32_t run();
  void infer(std::span<Shape> shapes);

 private:
  struct Value {
    StridedArray array;
    std::shared_ptr<void> owner;
    Bits bits = 0;          // of a scalar; array.data points here
    bool is_set = false;    // the shape is known
    bool is_known = false;  // the elements are
  };
  struct Operands : StageArrays {
    bool known = true;
  };

  // --- outputs and values (run.cpp)

  // Which outputs may be written in place of a temporary.
  void plan_outputs();
  // The step may read an argument while it writes the same elements of it.
  bool works_in_place() const;
  void detach_output(size_t k);
  void finish_output(size_t k);
  [[noreturn]] static void wrong_output(size_t k, const Shape& made, const Shape& given);
  static Shape shape_of(const ArrayView& view);
  // The value of a node that is in memory.
  Value& value(ir::NodeId id);
  static void set_scalar(Value& v, Type type, Bits bits);
  // A C-contiguous temporary (or a scalar) of a shape.
  void allocate(Value& v, Type type, const Shape& shape);
  void assign(ir::NodeId to, const Value& from);
  Shape broadcast(const std::vector<ir::NodeId>& leaves);
  void plan(const Plan& plan);
  void run_step(const PlanStep& step);

  // --- steps that run a stage (run_stage.cpp)

  Operands collect(const Stage& stage, const std::vector<ir::NodeId>& inputs);
  // `is_last`: the outputs are the caller's, and nothing reads them.
  void execute(StageRunner& runner, const Operands& operands, const Shape& domain,
               std::span<const StridedArray> outputs, bool is_last);
  void map(const PlanStep& step);
  // While shapes are inferred: the bits of a scalar that follows from arguments and extents alone.
  bool known_scalar(ir::NodeId id, Bits& bits, int depth);
  void reduce(const PlanStep& step);
  // A full reduction whose operands lie in one run is computed tile by tile.
  bool fused_reduce(const PlanStep& step, const Shape& domain, bool is_full, bool chunked,
                    void* result);

  // --- the other steps (run_steps.cpp)

  void scan(const PlanStep& step);
  void scatter(const PlanStep& step);
  void view(const PlanStep& step);
  void transpose(const PlanStep& step);
  void extent(const PlanStep& step);
  void iota(const PlanStep& step);
  void set_results(const PlanStep& step, const std::vector<ir::NodeId>& from);
  void loop(const PlanStep& step);
  void branch(const PlanStep& step);

  const CompiledKernel& kernel_;
  const ir::Function& f_;
  std::span<const ArrayView> args_;
  std::span<const ArrayView> outputs_;
  bool infer_only_;
  int threads_ = 1;
  uint32_t status_ = 0;
  BufferPool pool_;
  std::vector<Value> values_;
  std::unordered_map<ir::NodeId, int> direct_;  // node: the output that it is written to
  TileScratch scratch_;
};

}  // namespace lattice::jit::internal
