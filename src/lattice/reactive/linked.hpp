// SPDX-License-Identifier: MIT
// Linked: a memo that can be written. A write stands until a source changes; then the value is the
// function's again.
//
//     auto page = linked([=] { return first_page_of(query.get()); });
//     page.set(7);          // 7, until `query` changes
//
// Three nodes: `base` computes the function, `written` holds the last write and the run of `base`
// that it was made on top of, `result` chooses. A write is void as soon as `base` has run again,
// whether or not its value is another. Batches, cut-off and reverted writes follow from that. So
// that only a source makes it run again, `base` keeps its sources also while nobody reads it.
#pragma once

#include <concepts>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "lattice/reactive/memo.hpp"
#include "lattice/reactive/scope.hpp"
#include "lattice/reactive/signal.hpp"

namespace lattice {

template <class Equal = DefaultEqual>
struct LinkedOptions {
  Equal equal = {};  // of results: what is no change for readers
  std::string_view name = {};
};

namespace reactive {

template <class T>
struct Written {
  T value;
  uint32_t run;  // of the base
};
template <class T>
using WrittenSignal = Signal<std::optional<Written<T>>, NeverEqual>;

// A memo that counts as already waiting to be unlinked, so that it never is.
template <class T, class F>
struct LinkedBase : MemoNode<T, F, NeverEqual> {
  static uint16_t type() {
    static const uint16_t type =
        register_node_type({&LinkedBase::update, &LinkedBase::destroy, sizeof(LinkedBase), true});
    return type;
  }
  static void destroy(Graph& graph, Node* node) noexcept {
    node->flags &= static_cast<Flags>(~kUnwatched);
    MemoNode<T, F, NeverEqual>::destroy(graph, node);
  }
};

template <class T, class F>
Memo<T> make_linked_base(F function, std::string_view name) {
  using Base = LinkedBase<T, F>;
  Graph& graph = Graph::current();
  auto* node =
      static_cast<Base*>(graph.create(Base::type(), kMutable | kDirty | kEmpty | kUnwatched));
  node->runs = 0;
  fill_in(graph, node, node->function, std::move(function));
  if (!name.empty()) graph.name_node(node, name);
  return Memo<T>(handle_of(node));
}

// Inside a run of the base: calls function(pointer to the value so far, or null at first).
template <class T, class F>
struct WithPrevious {
  F function;
  WrittenSignal<T> written;
  std::optional<T> last = {};

  T operator()() {
    const auto* base = at<MemoBase<T>>(Graph::current().owner());
    std::optional<T> previous = last;
    if (auto write = written.peek(); write.has_value() && write->run + 1 == base->runs) {
      previous = std::move(write->value);
    }
    last = function(previous.has_value() ? std::to_address(previous) : nullptr);
    return *last;
  }
};

}  // namespace reactive

template <class T>
class Linked {
 public:
  using value_type = T;

  // The value, computed if need be; the running effect or memo subscribes. Throws what the function
  // threw, unless a value was written since.
  T get() const { return result_.get(); }
  T operator()() const { return result_.get(); }
  T peek() const { return result_.peek(); }
  template <class F>
  decltype(auto) with(F&& body) const {
    return result_.with(std::forward<F>(body));
  }
  // Stands until a source changes that has not changed yet.
  void set(T value) const {
    const uint32_t run = current_run();
    written_.set(reactive::Written<T>{std::move(value), run});
  }
  // set(body(latest value)); the read does not subscribe.
  template <class F>
  void update(F&& body) const {
    set(std::forward<F>(body)(peek()));
  }
  // How often the function ran.
  uint32_t runs() const { return base_.runs(); }

  bool alive() const noexcept { return result_.alive(); }
  void dispose() const noexcept {
    result_.dispose();
    written_.dispose();
    base_.dispose();
  }
  reactive::NodeHandle handle() const noexcept { return result_.handle(); }

  Linked(Memo<T> base, reactive::WrittenSignal<T> written, Memo<T> result) noexcept
      : base_(base), written_(written), result_(result) {}

 private:
  // Brings the base up to date: a change that came before the write must not void it later. An
  // error of the base stays in it.
  uint32_t current_run() const {
    auto* node = static_cast<reactive::Computation*>(reactive::node_of(base_.handle()));
    if (node == nullptr) reactive::throw_disposed("linked memo", base_.handle());
    if (node->flags & reactive::kRunning) {
      throw Error("a linked memo is written by its own function: return the value instead");
    }
    reactive::Graph& graph = reactive::Graph::current();
    if (reactive::graph_of(node) != &graph) reactive::throw_foreign(graph, node);
    if (reactive::needs_clean(node)) graph.clean(node);
    return base_.runs();
  }

  Memo<T> base_;
  reactive::WrittenSignal<T> written_;
  Memo<T> result_;
};

namespace reactive {

template <class T>
T choose_linked(const Memo<T>& base, const WrittenSignal<T>& written) {
  auto choose = [&](const T* computed) -> std::optional<T> {
    return written.with([&](const std::optional<Written<T>>& write) -> std::optional<T> {
      if (write.has_value() && write->run == base.runs()) return write->value;
      return computed != nullptr ? std::optional<T>(*computed) : std::nullopt;
    });
  };
  try {
    return *base.with([&](const T& computed) { return choose(&computed); });
  } catch (...) {
    if (std::optional<T> value = choose(nullptr)) return *std::move(value);
    throw;
  }
}

template <class T, class F, class Equal>
Linked<T> make_linked(F function, const WrittenSignal<T>& written, LinkedOptions<Equal> options) {
  const Memo<T> base = make_linked_base<T>(std::move(function), options.name);
  const Memo<T> result =
      memo([base, written] { return choose_linked(base, written); },
           MemoOptions<Equal>{.equal = std::move(options.equal), .name = options.name});
  return Linked<T>(base, written, result);
}

}  // namespace reactive

template <class F, class Equal = DefaultEqual>
  requires std::invocable<std::decay_t<F>&>
auto linked(F&& function, LinkedOptions<Equal> options = {}) {
  using T = std::decay_t<std::invoke_result_t<std::decay_t<F>&>>;
  return reactive::make_linked<T>(std::decay_t<F>(std::forward<F>(function)),
                                  reactive::WrittenSignal<T>(), std::move(options));
}

// function(const T* previous): what the value was before, written or computed; null at first.
template <class T, class F, class Equal = DefaultEqual>
  requires std::invocable<std::decay_t<F>&, const T*>
Linked<T> linked(F&& function, LinkedOptions<Equal> options = {}) {
  const reactive::WrittenSignal<T> written;
  return reactive::make_linked<T>(
      reactive::WithPrevious<T, std::decay_t<F>>{std::forward<F>(function), written}, written,
      std::move(options));
}

}  // namespace lattice
