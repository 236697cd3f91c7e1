// SPDX-License-Identifier: MIT
// The C++ face of pages: elements, components, lists, bound text.
#pragma once

#include "lattice/reactive.hpp"
#include "lattice/ui/component.hpp"
#include "lattice/ui/control.hpp"
#include "lattice/ui/element.hpp"
#include "lattice/ui/text.hpp"
