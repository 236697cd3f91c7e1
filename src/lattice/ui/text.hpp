// SPDX-License-Identifier: MIT
// text("Count: {}", count): one bound text, formatted by {fmt}, its format checked when compiled.
//
// Arguments are copied: handles of signals and memos and functions are read at each run, other
// values once. Without anything that changes it is a plain text.
#pragma once

#include <fmt/core.h>

#include <iterator>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include "lattice/ui/node.hpp"

namespace lattice::ui {

namespace internal {

template <class T>
decltype(auto) read(const T& argument) {
  if constexpr (Readable<T>) {
    return argument.get();
  } else if constexpr (Function<const T>) {
    return argument();
  } else {
    return (argument);
  }
}

// A text argument is kept as a string: the caller's may be gone at the next run.
template <class T>
using Argument = std::conditional_t<Text<std::decay_t<T>>, std::string, std::decay_t<T>>;
template <class T>
using Shown = std::remove_cvref_t<decltype(read(std::declval<const Argument<T>&>()))>;

template <class... Arguments>
class TextBinding final : public Binding {
 public:
  explicit TextBinding(fmt::string_view format, Arguments... arguments)
      : format_(format), arguments_(std::move(arguments)...) {}

  std::string now() const {
    return std::apply([&](const auto&... arguments) { return join(read(arguments)...); },
                      arguments_);
  }
  vdom::VNode content(SlotArena&) override { return vdom::VNode::text(now()); }
  vdom::Value value(std::string_view) override { return now(); }
  bool same_source(const Binding&) const override { return false; }

 private:
  std::string join(const auto&... values) const {
    return fmt::vformat(format_, fmt::make_format_args(values...));
  }

  fmt::string_view format_;  // of a literal
  std::tuple<Arguments...> arguments_;
};

}  // namespace internal

template <class... Arguments>
[[nodiscard]] Node text(fmt::format_string<internal::Shown<Arguments>...> format,
                        Arguments&&... arguments) {
  using Made = internal::TextBinding<internal::Argument<Arguments>...>;
  auto made = std::make_unique<Made>(format, std::forward<Arguments>(arguments)...);
  constexpr bool kChanges = ((internal::Readable<std::decay_t<Arguments>> ||
                              internal::Function<const std::decay_t<Arguments>>) ||
                             ...);
  if constexpr (kChanges) {
    return Node::of_slot(std::move(made));
  } else {
    return Node::text(made->now());
  }
}

}  // namespace lattice::ui
