// SPDX-License-Identifier: MIT
// Python components, bindings and handlers as ui slots.
//
// Every function here, and every method of the slots it makes, needs the GIL: sessions take it
// around each segment (app.cpp).
#pragma once

#include <nanobind/nanobind.h>

#include <exception>
#include <memory>

#include "lattice/ui/slot.hpp"

namespace lattice::python {

// The slot of a lattice.component.ComponentElement. Throws TypeError for anything else.
std::unique_ptr<ui::Component> make_component(nanobind::object element);

// For what C++ reports of a Python exception.
std::exception_ptr to_exception_ptr(PyObject* exception);

}  // namespace lattice::python
