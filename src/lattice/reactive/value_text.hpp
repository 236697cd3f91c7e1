// SPDX-License-Identifier: MIT
// What diagnostics ask of a node type, and the answer of the C++ nodes: the text of their values,
// for numbers, bools, enums and strings.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace lattice::inspect {

// What a node type is asked to tell.
enum class Ask : uint8_t {
  Label,     // name and site; asked once per node
  Value,     // in the middle of a write or run: no user code may run
  FullValue  // between runs: user code may run (a repr)
};
struct Facts {
  std::string name = {};
  std::string site = {};  // where it was made, "app.py:12"
  std::string value = {};
};

inline constexpr size_t kTextBytesMax = 120;
// Cut at a character's border, with an ellipsis.
std::string shortened(std::string_view text, size_t bytes_max = kTextBytesMax);

template <class T>
inline constexpr bool kHasText =
    std::is_arithmetic_v<T> || std::is_enum_v<T> || std::convertible_to<const T&, std::string_view>;

std::string number_text(double value);
std::string quoted_text(std::string_view text);

template <class T>
std::string value_text(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_enum_v<T>) {
    return std::to_string(static_cast<long long>(value));
  } else if constexpr (std::is_floating_point_v<T>) {
    return number_text(static_cast<double>(value));
  } else if constexpr (std::is_arithmetic_v<T>) {
    return std::to_string(value);
  } else {
    return quoted_text(value);
  }
}

}  // namespace lattice::inspect
