// SPDX-License-Identifier: MIT
// Who wrote a piece of a document, and where in that client's stream it lies.
//
// A client is a 53-bit number (JavaScript's safe integers). A client's stream is counted in units:
// one per UTF-16 code unit of text, one per element of anything else. `Id{client, clock}` is one
// unit, and a struct of length n owns the units clock .. clock + n - 1.
//
// The wire carries clocks up to 2^53. Lattice keeps them in 32 bits: every decoder refuses an
// update whose clocks end past kClockMax, so that no later addition of a clock and a length can
// wrap.
#pragma once

#include <compare>
#include <cstdint>

namespace lattice::crdt {

using ClientId = uint64_t;
using Clock = uint32_t;

inline constexpr ClientId kClientIdMax = (uint64_t{1} << 53) - 1;
// End of the longest stream of one client; clock + length never exceeds it.
inline constexpr Clock kClockMax = UINT32_MAX;

struct Id {
  ClientId client = 0;
  Clock clock = 0;

  friend constexpr bool operator==(const Id&, const Id&) = default;
  friend constexpr auto operator<=>(const Id&, const Id&) = default;
};

}  // namespace lattice::crdt
