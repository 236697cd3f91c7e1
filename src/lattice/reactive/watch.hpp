// SPDX-License-Identifier: MIT
// watch: calls a function with the new and the old value whenever a source changes, not at first.
#pragma once

#include <concepts>
#include <optional>
#include <type_traits>
#include <utility>

#include "lattice/reactive/effect.hpp"
#include "lattice/reactive/equality.hpp"
#include "lattice/reactive/scope.hpp"

namespace lattice {

// `source` is a signal, a memo or a function; what a function reads is watched, and its result is
// passed on when it differs by DefaultEqual. `function(new, old)` runs untracked.
template <class Source, class F>
  requires std::invocable<const Source&>
Effect watch(Source source, F&& function, EffectOptions options = {}) {
  using T = std::decay_t<std::invoke_result_t<const Source&>>;
  auto run = [source = std::move(source), call = std::forward<F>(function),
              seen = std::optional<T>{}]() mutable {
    T now = source();
    if (!seen.has_value()) {
      seen.emplace(std::move(now));
      return;
    }
    // A signal or memo runs this for a change only; a function may give the same again.
    if constexpr (!requires { typename Source::value_type; }) {
      if (untracked([&] { return DefaultEqual{}(*seen, now); })) return;
    }
    const T old = std::exchange(*seen, now);
    untracked([&] { call(static_cast<const T&>(now), old); });
  };
  return effect(std::move(run), std::move(options));
}

}  // namespace lattice
