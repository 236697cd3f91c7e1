// SPDX-License-Identifier: MIT
// Regions that follow state: For (a keyed list) and show (one of two branches).
//
// Each row and each branch is a region of its own with a scope of its own: what it creates ends
// when it goes away or runs again. A row runs again when its item or something it read has changed;
// rows whose items are equal are left alone, whatever happens to the list.
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "lattice/ui/node.hpp"

namespace lattice::ui {

namespace internal {

template <class T>
vdom::Key to_key(const T& key) {
  if constexpr (Text<T>) {
    return std::string(std::string_view(key));
  } else {
    static_assert(std::integral<T>, "a key is a text or an integer");
    return static_cast<int64_t>(key);
  }
}

// ---- For ----

template <class Key, class Render>
struct ListFunctions {
  Key key;
  Render render;
};

template <class Item, class Functions>
class RowInstance final : public Instance {
 public:
  RowInstance(std::shared_ptr<Functions> functions, Item item, size_t index)
      : functions_(std::move(functions)), item_(std::move(item)), index_(index) {}

  vdom::VNode render(SlotArena& arena) override {
    return lower(scope_.run([&] { return to_node(call()); }), arena);
  }
  bool update(Item item, size_t index) {
    bool changed = kWithIndex && index != index_;
    if constexpr (std::equality_comparable<Item>) {
      changed = changed || !(item == item_);
    } else {
      changed = true;
    }
    item_ = std::move(item);
    index_ = index;
    return changed;
  }

 private:
  using Render = decltype(Functions::render);
  static constexpr bool kWithIndex = std::invocable<Render&, const Item&, size_t>;

  auto call() {
    const Item& item = item_;
    if constexpr (kWithIndex) {
      return std::invoke(functions_->render, item, index_);
    } else {
      return std::invoke(functions_->render, item);
    }
  }

  std::shared_ptr<Functions> functions_;  // with the list and its other rows
  Item item_;
  size_t index_;
  RunScope scope_;
};

template <class Item, class Functions>
class Row final : public Component {
  using Made = RowInstance<Item, Functions>;

 public:
  Row(std::shared_ptr<Functions> functions, Item item, size_t index)
      : functions_(std::move(functions)), item_(std::move(item)), index_(index) {}
  std::string_view name() const override { return "a row"; }
  bool same_component(const Component& next) const override {
    auto* other = dynamic_cast<const Row*>(&next);
    return other != nullptr && other->functions_ == functions_;
  }
  uint64_t type_token() const override { return reinterpret_cast<uintptr_t>(functions_.get()); }
  std::unique_ptr<Instance> instantiate() override {
    return std::make_unique<Made>(functions_, std::move(item_), index_);
  }
  bool update(Instance& instance) override {
    return static_cast<Made&>(instance).update(std::move(item_), index_);
  }

 private:
  std::shared_ptr<Functions> functions_;  // with the list and its other rows
  Item item_;
  size_t index_;
};

template <class Each, class Functions>
class ListBinding final : public Binding {
 public:
  ListBinding(Each each, Functions functions)
      : each_(std::move(each)), functions_(std::make_shared<Functions>(std::move(functions))) {}

  vdom::VNode content(SlotArena& arena) override {
    std::vector<vdom::VNode> rows;
    auto add = [&](const auto& item) {
      using Item = std::remove_cvref_t<decltype(item)>;
      auto row = std::make_unique<Row<Item, Functions>>(functions_, item, rows.size());
      rows.push_back(
          vdom::VNode::slot(arena.add(std::move(row)), to_key(std::invoke(functions_->key, item))));
    };
    auto add_all = [&](const auto& items) {
      for (const auto& item : items) add(item);
    };
    if constexpr (Readable<Each>) {
      each_.with(add_all);
    } else if constexpr (Function<Each>) {
      add_all(each_());
    } else {
      add_all(each_);
    }
    return vdom::VNode::fragment(std::move(rows));
  }
  vdom::Value value(std::string_view) override { throw Error("ui::For is no attribute value"); }
  bool same_source(const Binding&) const override { return false; }

 private:
  Each each_;
  std::shared_ptr<Functions> functions_;  // with the rows
};

// ---- show ----

template <class F>
class BranchInstance final : public Instance {
 public:
  explicit BranchInstance(std::shared_ptr<F> body) : body_(std::move(body)) {}
  vdom::VNode render(SlotArena& arena) override {
    return lower(scope_.run([&] { return to_node((*body_)()); }), arena);
  }

 private:
  std::shared_ptr<F> body_;  // with the choice
  RunScope scope_;
};

template <class F>
class Branch final : public Component {
 public:
  explicit Branch(std::shared_ptr<F> body) : body_(std::move(body)) {}
  std::string_view name() const override { return "ui::show"; }
  bool same_component(const Component& next) const override {
    auto* other = dynamic_cast<const Branch*>(&next);
    return other != nullptr && other->body_ == body_;
  }
  uint64_t type_token() const override { return reinterpret_cast<uintptr_t>(body_.get()); }
  std::unique_ptr<Instance> instantiate() override {
    return std::make_unique<BranchInstance<F>>(body_);
  }
  bool update(Instance&) override { return false; }

 private:
  std::shared_ptr<F> body_;  // with the choice
};

template <class When, class Then, class Otherwise>
class ChoiceBinding final : public Binding {
 public:
  ChoiceBinding(When when, Then then, Otherwise otherwise)
      : when_(std::move(when)),
        then_(std::make_shared<Then>(std::move(then))),
        otherwise_(std::make_shared<Otherwise>(std::move(otherwise))) {}

  vdom::VNode content(SlotArena& arena) override {
    return is_on() ? branch(then_, arena) : branch(otherwise_, arena);
  }
  vdom::Value value(std::string_view) override { throw Error("ui::show is no attribute value"); }
  bool same_source(const Binding&) const override { return false; }

 private:
  bool is_on() {
    if constexpr (Readable<When>) {
      return static_cast<bool>(when_.get());
    } else {
      return static_cast<bool>(when_());
    }
  }
  template <class F>
  static vdom::VNode branch(const std::shared_ptr<F>& body, SlotArena& arena) {
    return vdom::VNode::slot(arena.add(std::make_unique<Branch<F>>(body)));
  }

  When when_;
  std::shared_ptr<Then> then_;  // with the branch that is shown
  std::shared_ptr<Otherwise> otherwise_;
};

}  // namespace internal

// One region per item of `each` (a signal, memo, function or plain range), kept by its key: a text
// or an integer, unique in the list. `render` takes the item, or the item and its index.
template <class Each, class Key, class Render>
[[nodiscard]] Node For(Each&& each, Key&& key, Render&& render) {
  using Functions = internal::ListFunctions<std::decay_t<Key>, std::decay_t<Render>>;
  using Made = internal::ListBinding<std::decay_t<Each>, Functions>;
  return Node::of_slot(std::make_unique<Made>(
      std::forward<Each>(each), Functions{std::forward<Key>(key), std::forward<Render>(render)}));
}

// What `then` builds while `when` (a signal, memo or function) is true, else what `otherwise`
// builds.
template <class When, class Then, class Otherwise>
[[nodiscard]] Node show(When&& when, Then&& then, Otherwise&& otherwise) {
  using Made =
      internal::ChoiceBinding<std::decay_t<When>, std::decay_t<Then>, std::decay_t<Otherwise>>;
  return Node::of_slot(std::make_unique<Made>(std::forward<When>(when), std::forward<Then>(then),
                                              std::forward<Otherwise>(otherwise)));
}
template <class When, class Then>
[[nodiscard]] Node show(When&& when, Then&& then) {
  return show(std::forward<When>(when), std::forward<Then>(then), [] { return nullptr; });
}

}  // namespace lattice::ui
