// SPDX-License-Identifier: MIT
// The C++ face of the JIT: lambdas over numbers become kernels.
#pragma once

#include "lattice/jit/compile.hpp"
