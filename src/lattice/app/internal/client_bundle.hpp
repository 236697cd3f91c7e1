// SPDX-License-Identifier: MIT
// The browser runtime that was compiled in, from client/dist (see src/lattice/app/module.cmake).
#pragma once

#include <string_view>

namespace lattice::app::internal {

// Empty when the bundle was not built.
std::string_view client_script() noexcept;
std::string_view client_style() noexcept;

}  // namespace lattice::app::internal
