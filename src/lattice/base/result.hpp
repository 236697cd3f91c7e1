// SPDX-License-Identifier: MIT
// Result<T>: what a decoder of outside bytes returns. Either a value or a Failure with a message.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "lattice/base/error.hpp"

namespace lattice {

struct Failure {
  std::string message;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Failure failure) : state_(std::in_place_index<1>, std::move(failure)) {}

  bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }
  // REQUIRES: ok().
  T& value() & {
    LATTICE_ASSERT(ok());
    return std::get<0>(state_);
  }
  const T& value() const& {
    LATTICE_ASSERT(ok());
    return std::get<0>(state_);
  }
  T&& value() && {
    LATTICE_ASSERT(ok());
    return std::get<0>(std::move(state_));
  }
  // REQUIRES: !ok().
  const std::string& error() const {
    LATTICE_ASSERT(!ok());
    return std::get<1>(state_).message;
  }

 private:
  std::variant<T, Failure> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Failure failure) : failure_(std::move(failure)) {}

  bool ok() const noexcept { return !failure_.has_value(); }
  explicit operator bool() const noexcept { return ok(); }
  const std::string& error() const {
    LATTICE_ASSERT(!ok());
    return failure_->message;
  }

 private:
  std::optional<Failure> failure_;
};

}  // namespace lattice
