// SPDX-License-Identifier: MIT
// Canonical bytes: what a kernel pickles as, and what its content hash is taken of.
//
// Two functions with the same meaning node by node have the same canonical bytes: numbers are
// positions in the order of execution, and names and source locations are left out (encode() can
// append them for a pickle). decode() takes hostile bytes: work and memory are bounded by their
// number, and every mistake is a Failure.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "lattice/base/result.hpp"
#include "lattice/jit/ir/function.hpp"

namespace lattice::jit::ir {

// Changes whenever the bytes or the meaning of an operation do.
inline constexpr uint8_t kFormatVersion = 1;

using ContentHash = std::array<uint8_t, 16>;

std::vector<uint8_t> canonical_bytes(const Function& function);
ContentHash content_hash(const Function& function);

// Canonical bytes, then names and locations.
std::vector<uint8_t> encode(const Function& function);
// Takes the output of either.
Result<Function> decode(std::span<const uint8_t> bytes);

}  // namespace lattice::jit::ir
