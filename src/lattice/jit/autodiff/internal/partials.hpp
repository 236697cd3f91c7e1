// SPDX-License-Identifier: MIT
// Partial derivatives of element-wise operations, shared by both modes.
#pragma once

#include <string>

#include "lattice/jit/autodiff/autodiff.hpp"
#include "lattice/jit/ir/builder.hpp"

namespace lattice::jit::autodiff {

using ir::Builder;
using ir::Function;
using ir::kNone;
using ir::Node;
using ir::NodeId;
using ir::RegionId;

// How a change of an operand changes the result.
struct Partial {
  enum class Kind : uint8_t {
    Zero,
    One,
    Minus,
    Times,  // by `id`
    Over,   // divided by `id`
    Where,  // one where `id`, else zero
    WhereNot,
    Cast,  // the same number in another type
  };
  Kind kind = Kind::Zero;
  NodeId id = kNone;
};

// Of operand `k` (0, 1, 2 = a, b, c). `node` has the operands in `b`; `result` is its value there.
Partial partial(Builder& b, const Node& node, NodeId result, int k, const Function& from,
                NodeId old);

// `change` scaled by a partial; `type` is that of the outcome. kNone for zero.
NodeId apply(Builder& b, const Partial& by, NodeId change, Type type);

// A float constant of a type.
NodeId number(Builder& b, Type type, double value);
NodeId plus(Builder& b, NodeId x, NodeId y);

[[noreturn]] void refuse(const Function& from, NodeId old, const std::string& why);

// Values, or a node's operands, of one function as those of another.
std::vector<ir::NodeId> mapped(std::span<const ir::NodeId> values,
                               const std::vector<ir::NodeId>& map);
ir::Node mapped(const ir::Node& node, const std::vector<ir::NodeId>& map);

// Which values depend on the params `wrt` through floats.
std::vector<uint8_t> varied(const Function& from, std::span<const uint32_t> wrt);

// x with its order along an axis reversed.
NodeId reversed(Builder& b, NodeId x, int axis);
// A view that keeps axes of `rank`; the caller changes one.
ir::ViewSpec whole_view(int rank);

}  // namespace lattice::jit::autodiff
