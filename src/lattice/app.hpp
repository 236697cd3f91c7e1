// SPDX-License-Identifier: MIT
// Pages from C++, and the server that shows them.
#pragma once

#include "lattice/app/serve.hpp"
#include "lattice/ui.hpp"
