// SPDX-License-Identifier: MIT
// When is a new value no change? The policy of a signal or memo, part of its type.
#pragma once

#include <concepts>
#include <type_traits>

namespace lattice {

// operator== where the type has one, else every value counts as new. NaN equals itself: a memo
// that stays NaN must not run its readers for ever.
struct DefaultEqual {
  template <class T>
  bool operator()(const T& before, const T& after) const {
    if constexpr (std::floating_point<T>) {
      return before == after || (before != before && after != after);
    } else if constexpr (std::equality_comparable<T>) {
      return before == after;
    } else {
      return false;
    }
  }
};

// Every write and every recomputation counts as a change.
struct NeverEqual {
  template <class T>
  bool operator()(const T&, const T&) const noexcept {
    return false;
  }
};

// The first value stands: nothing counts as a change.
struct AlwaysEqual {
  template <class T>
  bool operator()(const T&, const T&) const noexcept {
    return true;
  }
};

namespace reactive {
// Comparing these runs no user code, so tracking need not be suspended for it.
template <class T, class Equal>
inline constexpr bool kComparesPlainly =
    std::is_empty_v<Equal> &&
    (std::is_arithmetic_v<T> || std::is_enum_v<T> || std::is_pointer_v<T>) &&
    (std::same_as<Equal, DefaultEqual> || std::same_as<Equal, NeverEqual> ||
     std::same_as<Equal, AlwaysEqual>);
}  // namespace reactive

}  // namespace lattice
