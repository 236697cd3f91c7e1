// SPDX-License-Identifier: MIT
// Python components, bindings and handlers as ui slots.
//
// Every function here, and every method of the slots it makes, needs the GIL: sessions take it
// around each segment (app.cpp).
#pragma once

#include <nanobind/nanobind.h>

#include <memory>

#include "lattice/ui/slot.hpp"

namespace lattice::python {

// The slot of a lattice.component.ComponentElement. Throws TypeError for anything else.
std::unique_ptr<ui::Component> make_component(nanobind::object element);

}  // namespace lattice::python
