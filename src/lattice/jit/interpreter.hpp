// SPDX-License-Identifier: MIT
// Tier 0: runs a stage tile by tile with the compiled loops of internal/tile_ops.
//
// Portable, no executable memory, nothing to compile at run time: the oracle that machine code is
// compared with. Values live in tiles of a few hundred elements that stay in the first cache;
// tiles are reused after a value's last use. Loops and ifs run every lane of a tile and merge by a
// byte mask; only reports (overflow, bounds, guards) and memory access look at the mask.
//
// Thread safety: an Interpreter is immutable; each thread brings its own TileScratch.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "lattice/jit/internal/tile_ops.hpp"
#include "lattice/jit/ir/stage.hpp"

namespace lattice::jit {

// Memory of one running interpreter; grows to what the largest stage needs.
class TileScratch {
 public:
  void* reserve(size_t bytes);

 private:
  std::unique_ptr<std::byte[]> memory_;
  size_t bytes_ = 0;
};

class Interpreter {
 public:
  // REQUIRES: `stage` outlives the interpreter and its body is in stage form. Throws CompileError
  // for a node that no stage may contain.
  explicit Interpreter(const Stage& stage);

  void run(StageCall& call, TileScratch& scratch) const;

  int tile() const noexcept { return tile_; }
  int slots() const noexcept { return slot_count_; }

 private:
  enum class Kind : uint8_t {
    Tile,
    Report,
    Gather,
    Lookup,
    LaneIndex,
    Exit,
    Guard,
    Loop,
    If,
    Copy
  };

  struct Step {
    Kind kind;
    uint8_t bytes = 0;
    bool checked = false;
    bool is_quiet = false;  // compares floats: a nan there is no invalid operation
    uint32_t out = 0;       // values
    uint32_t a = 0, b = 0, c = 0;
    uint32_t extra = 0;  // Gather: d; Loop and If: index into loops_ or ifs_; LaneIndex: axis
    internal::TileFn tile = nullptr;
    internal::ReportFn report = nullptr;
  };
  struct Merge {
    uint32_t from, to;
    uint8_t bytes;
    Type type;
  };
  struct LoopPlan {
    uint32_t region;
    uint32_t mask;             // value: lanes that are still in the loop
    std::vector<Merge> inits;  // init -> arg
    std::vector<Merge> saves;  // args that another arg takes over, copied first
    std::vector<Merge> nexts;  // next -> arg, in active lanes
  };
  struct IfPlan {
    uint32_t condition, then_region, else_region, then_mask, else_mask;
    std::vector<Merge> then_values, else_values;
  };
  struct Frame;
  class Planner;

  bool run_region(uint32_t region, Frame& frame, const uint8_t* mask) const;
  void run_loop(const LoopPlan& plan, Frame& frame, const uint8_t* mask) const;
  void run_if(const IfPlan& plan, Frame& frame, const uint8_t* mask) const;
  void gather(const Step& step, Frame& frame, const uint8_t* mask) const;

  const Stage& stage_;
  std::vector<std::vector<Step>> regions_;
  std::vector<LoopPlan> loops_;
  std::vector<IfPlan> ifs_;
  std::vector<uint32_t> slot_of_;  // value -> slot
  std::vector<uint32_t> alias_;    // node -> value that holds it
  std::vector<ir::NodeId> constants_;
  std::vector<ir::NodeId> params_;
  std::vector<uint32_t> outputs_;  // values
  int slot_count_ = 0;
  int tile_ = 0;
};

}  // namespace lattice::jit
