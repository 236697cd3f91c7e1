// SPDX-License-Identifier: MIT
// jit::compile: a C++ lambda over Expressions becomes a kernel.
//
//   auto axpy = jit::compile<double(double, double, double)>(
//       [](auto a, auto x, auto y) { return a * x + y; });
//   double z = axpy(2.0, 3.0, 4.0);          // one call of machine code
//   axpy(2.0, xs, ys, out);                  // spans: element by element, in one fused loop
//
// The lambda is called once, at compile(). Thread safety: a Compiled is immutable and may be called
// from several threads.
#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "lattice/jit/autodiff/autodiff.hpp"
#include "lattice/jit/expression.hpp"
#include "lattice/jit/kernel.hpp"

namespace lattice::jit {

template <class Signature>
class Compiled;

template <Element R, Element... A>
class Compiled<R(A...)> {
 public:
  template <class Fn>
  explicit Compiled(Fn&& fn, const CompileOptions& options = {})
      : Compiled(Traced([fn](const Ranks& ranks) { return trace(fn, ranks); }), options, 0) {}

  // The partial derivative by argument `k`, element by element, as a function of the same
  // arguments. Throws DerivativeError. REQUIRES: R and that argument are float or double.
  Compiled derivative(uint32_t k) const {
    return Compiled(Traced([traced = trace_, k](const Ranks& ranks) {
                      return gradient(traced(ranks), {{k}, false, true, {}});
                    }),
                    options_, 0);
  }

  R operator()(A... args) const {
    const std::array<Bits, sizeof...(A) + 1> in{to_bits(args)...};
    Bits out = 0;
    if (code_ != nullptr) {
      code_(in.data(), &out);
    } else {
      scalar_->run_scalar(in.data(), &out);
    }
    return from_bits<R>(out);
  }

  // out[i] = f(args[i]...), with `out` behind the arguments; each argument is a value for all
  // elements, or a span of out's size. `out` may be one of the arguments.
  // Throws ShapeError when sizes differ.
  template <class... Args>
    requires(sizeof...(Args) == sizeof...(A) + 1)
  void operator()(Args&&... args) const {
    std::tuple<Args&...> all(args...);
    map(all, std::make_index_sequence<sizeof...(A)>());
  }

  const Kernel& kernel() const noexcept { return *scalar_; }

 private:
  using Ranks = std::array<int, sizeof...(A)>;
  using Traced = std::function<ir::Function(const Ranks&)>;

  // The int keeps this apart from the constructor that takes a lambda.
  Compiled(Traced traced, const CompileOptions& options, int)
      : options_(options), trace_(std::move(traced)) {
    scalar_ = Kernel::compile(trace_(Ranks{}), options);
    code_ = scalar_->scalar_entry().code;
  }

  template <class Tuple, size_t... I>
  void map(Tuple& all, std::index_sequence<I...>) const {
    std::span<R> out(std::get<sizeof...(A)>(all));
    std::tuple<Argument<A>...> held{Argument<A>(std::get<I>(all))...};
    std::array<ArrayView, sizeof...(A)> views{std::get<I>(held).view()...};
    Ranks ranks{views[I].rank...};
    int64_t n = static_cast<int64_t>(out.size());
    int64_t stride = sizeof(R);
    ArrayView result{out.data(), type_of<R>(), 1, &n, &stride};
    for (size_t k = 0; k < views.size(); ++k) {
      if (views[k].rank == 1 && views[k].extent[0] != n) {
        throw ShapeError("jit: argument " + std::to_string(k + 1) + " has " +
                         std::to_string(views[k].extent[0]) + " elements, the output " +
                         std::to_string(n));
      }
    }
    bool any_span = ((views[I].rank == 1) || ...);
    if (!any_span) {  // one value for all elements
      R value = (*this)(std::get<I>(held).value...);
      std::fill(out.begin(), out.end(), value);
      return;
    }
    mapped(ranks)->run(views, std::span(&result, 1));
  }

  template <class Fn>
  static ir::Function trace(const Fn& fn, const Ranks& ranks) {
    ir::Builder builder("cpp");
    std::tuple<Expression<A>...> args = [&]<size_t... I>(std::index_sequence<I...>) {
      // Braces: params are made in order.
      return std::tuple<Expression<A>...>{
          Expression<A>(builder, builder.param(type_of<A>(), ranks[I]))...};
    }(std::make_index_sequence<sizeof...(A)>());
    Expression<R> result = std::apply(fn, args);
    ir::NodeId node = result.node();
    // A result that no array reaches still fills the output.
    std::apply([&](auto&... argument) { ((node = builder.like(node, argument.node())), ...); },
               args);
    return builder.finish({node});
  }

  // An argument of map() while it runs: one value, or a span.
  template <class T>
  struct Argument {
    T value{};
    const T* data = nullptr;
    int64_t n = 0;
    int64_t stride = sizeof(T);
    bool is_span = false;

    Argument(const T& v) : value(v) {}
    Argument(std::span<const T> s)
        : data(s.data()), n(static_cast<int64_t>(s.size())), is_span(true) {}
    Argument(std::span<T> s) : Argument(std::span<const T>(s)) {}
    Argument(const std::vector<T>& v)
      requires(!std::same_as<T, bool>)
        : Argument(std::span<const T>(v)) {}

    ArrayView view() {
      if (!is_span) return {&value, type_of<T>(), 0, nullptr, nullptr};
      return {const_cast<T*>(data), type_of<T>(), 1, &n, &stride};
    }
  };

  std::shared_ptr<Kernel> mapped(const Ranks& ranks) const {
    std::lock_guard lock(cache_->mutex);
    for (auto& [key, kernel] : cache_->kernels) {
      if (key == ranks) return kernel;
    }
    std::shared_ptr<Kernel> kernel = Kernel::compile(trace_(ranks), options_);
    cache_->kernels.emplace_back(ranks, kernel);
    return kernel;
  }

  // Kernels by which arguments are spans; shared so that a Compiled copies.
  struct Cache {
    std::mutex mutex;
    std::vector<std::pair<Ranks, std::shared_ptr<Kernel>>> kernels;
  };

  CompileOptions options_;
  std::shared_ptr<Kernel> scalar_;
  ScalarFn code_ = nullptr;
  Traced trace_;
  std::shared_ptr<Cache> cache_ = std::make_shared<Cache>();
};

template <class Signature, class Fn>
Compiled<Signature> compile(Fn&& fn, const CompileOptions& options = {}) {
  return Compiled<Signature>(std::forward<Fn>(fn), options);
}

}  // namespace lattice::jit
