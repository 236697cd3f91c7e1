// SPDX-License-Identifier: MIT
// Who owns what is created, and the dynamic extents: batch, untracked, on_cleanup.
//
// Owner is a handle to a node of the ownership tree; Scope is the RAII form. Effects and memos own
// what their function creates until its next run.
#pragma once

#include <functional>
#include <type_traits>
#include <utility>

#include "lattice/reactive/graph.hpp"

namespace lattice {

// A small copyable handle. Operations on a disposed owner throw DisposedError, but for dispose()
// and alive().
class Owner {
 public:
  // Child of the current owner (the runtime's root when there is none).
  static Owner create();
  // The running effect or memo, else the entered owner, else the root.
  static Owner current();
  // The root of the current runtime: what it owns lives as long as the runtime.
  static Owner root();

  Owner create_child() const;
  // Current owner = this while `body` runs; tracking is unchanged.
  template <class F>
  decltype(auto) run(F&& body) const {
    Entered entered(*this);
    return std::forward<F>(body)();
  }
  // Disposes everything below, last first, then itself. Idempotent.
  void dispose() const;
  // Disposes everything below; the owner itself stays.
  void clear() const;
  bool alive() const noexcept { return reactive::node_of(handle_) != nullptr; }

  reactive::NodeHandle handle() const noexcept { return handle_; }
  explicit Owner(reactive::NodeHandle handle) noexcept : handle_(handle) {}

 private:
  friend class Scope;
  // While it exists the owner is current; an owner disposed meanwhile is released at the end.
  class Entered {
   public:
    explicit Entered(const Owner& owner);
    ~Entered();
    Entered(const Entered&) = delete;
    Entered& operator=(const Entered&) = delete;

   private:
    reactive::Graph& graph_;
    reactive::Computation* node_;
    reactive::Index saved_;
    bool is_scope_;
    bool outermost_;
  };
  reactive::Computation* node() const;

  reactive::NodeHandle handle_;
};

// Owns what is created while it exists (innermost scope first); disposes it at its end.
class Scope {
 public:
  Scope() : owner_(Owner::create()), entered_(owner_) {}
  ~Scope() { owner_.dispose(); }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  Owner owner() const noexcept { return owner_; }
  void dispose() const { owner_.dispose(); }

 private:
  Owner owner_;
  Owner::Entered entered_;
};

// Runs at the next run of the current effect or memo, or when the current owner is disposed;
// untracked, last registered first. What it throws goes to the runtime's error handler.
void on_cleanup(std::function<void()> cleanup);

namespace reactive {
class UntrackedGuard {
 public:
  explicit UntrackedGuard(Graph& graph) noexcept : graph_(graph), saved_(graph.hide_cursor()) {}
  ~UntrackedGuard() { graph_.show_cursor(saved_); }
  UntrackedGuard(const UntrackedGuard&) = delete;
  UntrackedGuard& operator=(const UntrackedGuard&) = delete;

 private:
  Graph& graph_;
  Index saved_;
};
}  // namespace reactive

// Effects run once, after `body`, also when it throws. Writing a value and writing the old one back
// runs nothing. Batches nest; the outermost flushes.
template <class F>
decltype(auto) batch(F&& body) {
  reactive::Graph& graph = reactive::Graph::current();
  graph.open_batch();
  auto run = [&]() -> decltype(auto) {
    try {
      return std::forward<F>(body)();
    } catch (...) {
      graph.unwind_batch();
      throw;
    }
  };
  if constexpr (std::is_void_v<std::invoke_result_t<F>>) {
    run();
    graph.close_batch();
  } else {
    decltype(auto) result = run();
    graph.close_batch();
    return result;
  }
}

// Reads in `body` subscribe nothing.
template <class F>
decltype(auto) untracked(F&& body) {
  reactive::UntrackedGuard guard(reactive::Graph::current());
  return std::forward<F>(body)();
}

}  // namespace lattice
