// SPDX-License-Identifier: MIT
// component(fn): a piece of page with state of its own, made anew for each place that shows it.
//
//   auto counter = ui::component("counter", [](int start) {
//     Signal<int> count{start};                      // belongs to this instance
//     return ui::p(ui::text("Count: {}", count));    // a hole: bound to one text
//   });
//   ui::div(counter(1), counter(2))                  // without props, `counter` alone is a child
//
// The body runs once per instance and only describes; what changes later are its holes. Reading a
// signal or memo with get() in the body itself would be read once and never again, so it is an
// Error that names the signal; pass the handle, or a function, or say peek().
//
// A parent that describes the component again keeps the instance when the props compare equal, else
// it gets a new one: what may change while an instance lives is passed as a signal.
//
// Threads: one component may serve many sessions at once, so the function must be callable as
// const.
#pragma once

#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "lattice/ui/node.hpp"

namespace lattice::ui {

namespace internal {

// Throws Error when the running effect has read anything.
void refuse_reads(std::string_view component_name);

template <class F>
struct Definition {
  std::string name;
  F function;
};

// A prop as it is kept: a literal becomes a string, so that it compares by content.
template <class T>
using Prop = std::conditional_t<Text<std::decay_t<T>>, std::string, std::decay_t<T>>;

template <class T>
bool same_prop(const T& a, const T& b) {
  if constexpr (Readable<T>) {
    return a.handle() == b.handle();
  } else if constexpr (std::equality_comparable<T>) {
    return a == b;
  } else {
    return false;
  }
}

// Copies stay for later comparison; what cannot be copied (a Node) is handed over.
template <class T>
decltype(auto) pass(T& prop) {
  if constexpr (std::copy_constructible<T>) {
    return static_cast<const T&>(prop);
  } else {
    return std::move(prop);
  }
}

template <class F, class... Props>
struct ComponentProps {
  std::shared_ptr<const Definition<F>> definition;  // shared by all instances in all sessions
  std::tuple<Props...> props;
};

template <class F, class... Props>
class FunctionInstance final : public Instance {
 public:
  explicit FunctionInstance(std::shared_ptr<ComponentProps<F, Props...>> shared)
      : shared_(std::move(shared)) {}

  vdom::VNode render(SlotArena& arena) override {
    // Woken by a read that was refused: the body does not run again, so neither does its failure.
    if (failure_) std::rethrow_exception(failure_);
    try {
      Node node = describe();
      refuse_reads(shared_->definition->name);
      return lower(std::move(node), arena);
    } catch (...) {
      failure_ = std::current_exception();
      throw;
    }
  }

 private:
  Node describe() {
    return std::apply(
        [&](auto&... props) { return to_node(shared_->definition->function(pass(props)...)); },
        shared_->props);
  }

  std::shared_ptr<ComponentProps<F, Props...>> shared_;  // with the Component that made it
  std::exception_ptr failure_;
};

template <class F, class... Props>
class FunctionComponent final : public Component {
 public:
  FunctionComponent(std::shared_ptr<const Definition<F>> definition, Props... props)
      : shared_(std::make_shared<ComponentProps<F, Props...>>(
            ComponentProps<F, Props...>{std::move(definition), {std::move(props)...}})) {}

  std::string_view name() const override { return shared_->definition->name; }
  bool same_component(const Component& next) const override {
    auto* other = dynamic_cast<const FunctionComponent*>(&next);
    return other != nullptr && other->shared_->definition == shared_->definition &&
           same_props(*other, std::index_sequence_for<Props...>{});
  }
  uint64_t type_token() const override {
    return reinterpret_cast<uintptr_t>(shared_->definition.get());
  }
  std::unique_ptr<Instance> instantiate() override {
    return std::make_unique<FunctionInstance<F, Props...>>(shared_);
  }
  bool update(Instance&) override { return false; }

 private:
  template <size_t... I>
  bool same_props(const FunctionComponent& next, std::index_sequence<I...>) const {
    return (same_prop(std::get<I>(shared_->props), std::get<I>(next.shared_->props)) && ...);
  }

  std::shared_ptr<ComponentProps<F, Props...>> shared_;
};

}  // namespace internal

// What component() returns: copies freely, and may be kept at namespace scope.
template <class F>
class ComponentFunction {
 public:
  ComponentFunction(std::string name, F function)
      : definition_(std::make_shared<const internal::Definition<F>>(
            internal::Definition<F>{std::move(name), std::move(function)})) {}

  // A child that shows an instance with these props.
  template <class... Props>
  [[nodiscard]] Node operator()(Props&&... props) const {
    using Made = internal::FunctionComponent<F, internal::Prop<Props>...>;
    return Node::of_slot(std::make_unique<Made>(definition_, std::forward<Props>(props)...));
  }
  std::unique_ptr<Component> make_component() const
    requires std::invocable<const F&>
  {
    return std::make_unique<internal::FunctionComponent<F>>(definition_);
  }

 private:
  std::shared_ptr<const internal::Definition<F>> definition_;
};

template <class F>
[[nodiscard]] auto component(std::string_view name, F&& function) {
  return ComponentFunction<std::decay_t<F>>(std::string(name), std::forward<F>(function));
}
template <class F>
  requires(!internal::Text<std::decay_t<F>>)
[[nodiscard]] auto component(F&& function) {
  return component("component", std::forward<F>(function));
}

// Any component without props: what a server shows.
class ComponentSource {
 public:
  template <internal::MakesComponent C>
    requires(!std::same_as<C, ComponentSource>)
  ComponentSource(C component)
      : make_([component = std::move(component)] { return component.make_component(); }) {}
  std::unique_ptr<Component> make_component() const { return make_(); }

 private:
  std::function<std::unique_ptr<Component>()> make_;
};

}  // namespace lattice::ui
