// SPDX-License-Identifier: MIT
// Error boundary: what fails below an owner is dealt with there.
//
// An error of an effect, a cleanup or an equality function goes to the effect's own on_error, else
// to the nearest boundary above it in the ownership tree, else to the runtime's handler. What a
// handler throws goes on upwards. A memo keeps its error and rethrows it to its readers: a boundary
// sees it when an effect below has read it. The effect that failed stays subscribed.
#pragma once

#include <exception>
#include <functional>
#include <utility>

#include "lattice/reactive/scope.hpp"

namespace lattice {

namespace reactive {
Owner create_boundary(std::function<void(std::exception_ptr)> handler);
void report_at(const Owner& owner, std::exception_ptr error) noexcept;
}  // namespace reactive

// Runs `body` with a new owner, child of the current one; what it throws goes to `handler` too. The
// handler runs untracked, and what it creates belongs to the owner around the boundary. Dispose the
// owner returned, there or later, to end what the body has made.
template <class Body>
Owner error_boundary(Body&& body, std::function<void(std::exception_ptr)> handler) {
  Owner owner = reactive::create_boundary(std::move(handler));
  try {
    owner.run(std::forward<Body>(body));
  } catch (...) {
    reactive::report_at(owner, std::current_exception());
  }
  return owner;
}

}  // namespace lattice
