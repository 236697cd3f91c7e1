// SPDX-License-Identifier: MIT
// Node: a piece of a page as the C++ face builds it, and what may stand in one.
//
//   ui::div("Hello ", name, ui::class_("note"), [=] { return count.get() > 3 ? "!" : ""; })
//           text      signal -> bound text       callable -> runs again when what it read changes
//
// A Node holds the bindings, handlers and components below it, and is used once: it is moved into
// its parent, and the live tree takes it apart. Children are: texts and numbers, nodes, signals and
// memos, callables without arguments that return any of these, components, optionals and ranges of
// all that. nullptr and empty optionals vanish.
//
// Threads: a node belongs to the session whose component makes it.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "lattice/base/error.hpp"
#include "lattice/reactive/memo.hpp"
#include "lattice/reactive/scope.hpp"
#include "lattice/reactive/signal.hpp"
#include "lattice/ui/slot.hpp"
#include "lattice/ui/vdom/vnode.hpp"

namespace lattice::ui {

// What an attribute builder makes: a value, a binding or a handler under the attribute's name.
struct Attribute {
  std::string name;
  vdom::Value value;
  std::unique_ptr<Slot> slot;
};

struct KeyAttribute {
  vdom::Key key;
};

struct Node {
  vdom::VNode::Kind kind = vdom::VNode::Kind::Fragment;
  std::string tag;
  std::vector<Attribute> attributes;
  std::vector<Node> children;
  std::optional<vdom::Key> key;
  vdom::Value value;           // of a text or raw HTML
  std::unique_ptr<Slot> slot;  // a component or a binding

  static Node text(vdom::Value value);
  static Node of_slot(std::unique_ptr<Slot> slot);
  // Throws Error when the name was given already.
  void add(Attribute attribute);
};

// Hands the node's slots to the arena and describes the rest.
vdom::VNode lower(Node&& node, SlotArena& arena);

namespace internal {

template <class T>
concept Text = std::convertible_to<const T&, std::string_view> && !std::same_as<T, std::nullptr_t>;

template <class T>
concept Scalar = Text<T> || std::is_arithmetic_v<T>;

template <class T>
struct OptionalOf : std::false_type {};
template <class T>
struct OptionalOf<std::optional<T>> : std::true_type {
  using value_type = T;
};

// A scalar, or an optional one: what a text or an attribute can show.
template <class T>
concept Showable =
    Scalar<T> || (OptionalOf<T>::value && Scalar<typename OptionalOf<T>::value_type>);

// A signal or a memo.
template <class T>
concept Readable = requires(const T& source) {
  typename T::value_type;
  { source.get() } -> std::convertible_to<typename T::value_type>;
  source.handle();
};
template <class T>
concept Writable = Readable<T> && requires(const T& source, typename T::value_type value) {
  source.set(std::move(value));
};

template <class T>
concept MakesComponent = requires(const T& source) {
  { source.make_component() } -> std::convertible_to<std::unique_ptr<Component>>;
};

template <class T>
concept Function = std::invocable<T&> && !Readable<T> && !MakesComponent<T>;

template <class T>
concept Range = std::ranges::input_range<T> && !Text<std::remove_cvref_t<T>>;

template <Showable T>
vdom::Value to_value(const T& shown) {
  if constexpr (OptionalOf<T>::value) {
    return shown ? to_value(*shown) : vdom::Value{nullptr};
  } else if constexpr (std::same_as<T, bool>) {
    return shown;
  } else if constexpr (Text<T>) {
    return std::string(std::string_view(shown));
  } else if constexpr (std::same_as<T, char>) {
    return std::string(1, shown);
  } else if constexpr (std::integral<T>) {
    return static_cast<int64_t>(shown);
  } else {
    return static_cast<double>(shown);
  }
}

// As text, a bool reads as in C++; `true` and `false` as attributes mean "there" and "not there".
template <Showable T>
vdom::Value to_text_value(const T& shown) {
  vdom::Value value = to_value(shown);
  if (const bool* flag = std::get_if<bool>(&value)) return std::string(*flag ? "true" : "false");
  return value;
}

// The edited value as each type reads it; false when it does not parse.
bool parse_edit(const Edit& edit, std::string& out);
bool parse_edit(const Edit& edit, bool& out);
bool parse_edit(const Edit& edit, int64_t& out);
bool parse_edit(const Edit& edit, double& out);

template <class T>
inline constexpr bool kEditable =
    std::same_as<T, std::string> || std::same_as<T, bool> ||
    (std::is_arithmetic_v<T> && !std::same_as<T, char>) || [] {
      if constexpr (OptionalOf<T>::value)
        return std::is_arithmetic_v<typename OptionalOf<T>::value_type>;
      return false;
    }();

template <class T>
bool parse_into(const Edit& edit, T& out) {
  if constexpr (std::same_as<T, std::string> || std::same_as<T, bool>) {
    return parse_edit(edit, out);
  } else if constexpr (OptionalOf<T>::value) {
    std::string text;
    if (!parse_edit(edit, text)) return false;
    if (text.empty()) return out.reset(), true;
    typename OptionalOf<T>::value_type value{};
    if (!parse_into(edit, value)) return false;
    out = value;
    return true;
  } else {
    using Wide = std::conditional_t<std::integral<T>, int64_t, double>;
    Wide wide{};
    if (!parse_edit(edit, wide)) return false;
    if constexpr (std::integral<T>) {
      if (!std::in_range<T>(wide)) return false;
    }
    out = static_cast<T>(wide);
    return true;
  }
}

template <class T>
Node to_node(T&& content);

// Owns what a function makes in one run, until its next run.
class RunScope {
 public:
  template <class F>
  decltype(auto) run(F&& body) {
    if (owner_.alive()) owner_.dispose();
    owner_ = Owner::create();
    return owner_.run(std::forward<F>(body));
  }

 private:
  Owner owner_{reactive::NodeHandle{}};  // below the component's or binding's own
};

// Bound to a signal or memo.
template <Readable S>
class ReadableBinding final : public Binding {
  using T = typename S::value_type;

 public:
  explicit ReadableBinding(S source) : source_(source) {}

  vdom::VNode content(SlotArena& arena) override {
    if constexpr (Showable<T>) {
      return vdom::VNode::text(source_.with([](const T& now) { return to_text_value(now); }));
    } else {
      return lower(to_node(source_.get()), arena);
    }
  }
  vdom::Value value(std::string_view name) override {
    if constexpr (Showable<T>) {
      return source_.with([](const T& now) { return to_value(now); });
    } else {
      throw Error("attribute '" + std::string(name) + "' is bound to what is no text or number");
    }
  }
  bool same_source(const Binding& next) const override {
    auto* other = dynamic_cast<const ReadableBinding*>(&next);
    return other != nullptr && other->source_.handle() == source_.handle();
  }
  bool writable() const override { return Writable<S> && kEditable<T>; }
  bool write(const Edit& edit) override {
    if constexpr (Writable<S> && kEditable<T>) {
      T next{};
      if (!parse_into(edit, next)) return false;
      source_.set(std::move(next));
      return true;
    } else {
      return false;
    }
  }

 private:
  S source_;
};

// Bound to a function, which runs again when what it read changes.
template <class F>
class FunctionBinding final : public Binding {
  using R = std::remove_cvref_t<std::invoke_result_t<F&>>;

 public:
  explicit FunctionBinding(F function) : function_(std::move(function)) {}

  vdom::VNode content(SlotArena& arena) override {
    if constexpr (Showable<R>) {
      return vdom::VNode::text(to_text_value<R>(function_()));
    } else {
      return lower(to_node(scope_.run(function_)), arena);
    }
  }
  vdom::Value value(std::string_view name) override {
    if constexpr (Showable<R>) {
      return to_value<R>(function_());
    } else {
      throw Error("the function bound to attribute '" + std::string(name) +
                  "' returns neither a text nor a number");
    }
  }
  bool same_source(const Binding&) const override { return false; }

 private:
  F function_;
  RunScope scope_;
};

// The binding to anything that can change.
template <class T>
std::unique_ptr<Binding> to_binding(T&& source) {
  using U = std::decay_t<T>;
  if constexpr (Readable<U>) {
    return std::make_unique<ReadableBinding<U>>(std::forward<T>(source));
  } else {
    return std::make_unique<FunctionBinding<U>>(std::forward<T>(source));
  }
}

template <class T>
void append(Node& parent, T&& content) {
  using U = std::remove_cvref_t<T>;
  if constexpr (std::same_as<U, Attribute>) {
    static_assert(!std::is_lvalue_reference_v<T>, "an attribute is used once: std::move it");
    parent.add(std::forward<T>(content));
  } else if constexpr (std::same_as<U, KeyAttribute>) {
    parent.key = std::forward<T>(content).key;
  } else if constexpr (std::same_as<U, std::nullptr_t>) {
    // vanishes
  } else if constexpr (OptionalOf<U>::value) {
    if (content) append(parent, *std::forward<T>(content));
  } else if constexpr (Range<T> && !std::same_as<U, Node>) {
    for (auto&& each : content) {
      if constexpr (std::is_lvalue_reference_v<T>) {
        append(parent, std::forward<decltype(each)>(each));
      } else {
        append(parent, std::move(each));
      }
    }
  } else {
    parent.children.push_back(to_node(std::forward<T>(content)));
  }
}

template <class T>
Node to_node(T&& content) {
  using U = std::remove_cvref_t<T>;
  if constexpr (std::same_as<U, Node>) {
    static_assert(!std::is_lvalue_reference_v<T>, "a node is used once: std::move it");
    return std::forward<T>(content);
  } else if constexpr (Text<std::decay_t<T>> || std::is_arithmetic_v<U>) {
    static_assert(!std::same_as<U, bool>,
                  "a bool is no child: use ui::show, or ui::text(\"{}\", flag)");
    return Node::text(to_value<std::decay_t<T>>(content));
  } else if constexpr (MakesComponent<U>) {
    return Node::of_slot(content.make_component());
  } else if constexpr (Readable<U> || Function<U>) {
    return Node::of_slot(to_binding(std::forward<T>(content)));
  } else {
    static_assert(OptionalOf<U>::value || Range<T> || std::same_as<U, std::nullptr_t>,
                  "this is no child: expected text, a number, a node, a signal, a memo, a function "
                  "without arguments, a component, or a range of these");
    Node fragment;
    append(fragment, std::forward<T>(content));
    return fragment;
  }
}

}  // namespace internal
}  // namespace lattice::ui
