// SPDX-License-Identifier: MIT
// Which axes of which values have equal extents, as far as that is known before a kernel runs.
#pragma once

#include <array>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "lattice/jit/ir/function.hpp"

namespace lattice::jit::autodiff {

using ir::NodeId;
using ir::RegionId;

// Extents by axis: 0 is the extent 1, other numbers are unknown extents.
struct Dims {
  int rank = 0;
  std::array<uint32_t, ir::kRankMax> axis{};

  bool operator==(const Dims&) const = default;
  // As an operand of an operation of a higher rank sees it: axis k from the back.
  uint32_t from_back(int k) const { return k < rank ? axis[static_cast<size_t>(rank - 1 - k)] : 0; }
};

class Shapes {
 public:
  Shapes(const ir::Function& from, std::span<const uint32_t> unit_axes);

  const Dims& operator[](NodeId id) const { return dims_[id]; }
  // The broadcast of all values that are made inside a loop or if, and of its results.
  Dims of_structure(NodeId id) const;

  // Two axes of values of the body that broadcast, and that must have one extent.
  struct Equal {
    NodeId a, b;
    int axis_a, axis_b;
  };
  std::span<const Equal> equal() const { return equal_; }

 private:
  void region(RegionId id);
  Dims of(NodeId id, const ir::Node& node);
  Dims broadcast(const Dims& x, NodeId x_id, const Dims& y, NodeId y_id);
  Dims operands(const ir::Node& node);
  void gather(RegionId id, Dims& all) const;
  uint32_t fresh();
  uint32_t find(uint32_t dim) const;
  uint32_t memo(uint64_t kind, uint64_t a, uint64_t b);

  const ir::Function& from_;
  std::span<const uint32_t> unit_axes_;
  std::vector<Dims> dims_;
  mutable std::vector<uint32_t> parent_{0};
  std::map<std::array<uint64_t, 3>, uint32_t> memo_;
  std::vector<Equal> equal_;
};

}  // namespace lattice::jit::autodiff
