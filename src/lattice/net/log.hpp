// SPDX-License-Identifier: MIT
// Where log records go: one callback, one line per record.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace lattice::net {

enum class LogLevel : uint8_t { Debug, Info, Warning, Error };

// Called from any thread; must not block for long.
using Log = std::function<void(LogLevel, std::string_view message)>;

}  // namespace lattice::net
