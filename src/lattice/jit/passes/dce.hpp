// SPDX-License-Identifier: MIT
// Dead code elimination: keeps what outputs and guards need, renumbers the rest away.
//
// Values that a loop carries but nobody needs go too: a carried value is live when its result, the
// exit condition or a live carried value of the same loop uses it.
#pragma once

#include "lattice/jit/ir/function.hpp"

namespace lattice::jit::passes {

ir::Function dce(const ir::Function& function);

}  // namespace lattice::jit::passes
