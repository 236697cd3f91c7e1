// SPDX-License-Identifier: MIT
// Runtime: one dependency graph with its effect queue and mailbox; one owner thread at a time.
//
// Every thread has a current runtime: the one a RuntimeEntry on its stack has entered, else the
// thread's own default, made on first use. Nodes are created in the current runtime and must be
// read and written while it is current; other threads post to its mailbox (or use Remote).
// Hand-over: a runtime may be entered by different threads one after another. Entering while
// another thread is inside throws AccessError.
#pragma once

#include <atomic>
#include <memory>

#include "lattice/reactive/graph.hpp"
#include "lattice/reactive/mailbox.hpp"

namespace lattice {

class Runtime {
 public:
  using ErrorHandler = reactive::Graph::ErrorHandler;

  Runtime();
  // Disposes everything left, last first. REQUIRES: nobody has it entered but this thread.
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  static Runtime& current();
  // Null when this thread neither entered a runtime nor used its default.
  static Runtime* current_or_null() noexcept;

  // Runs queued effects; does nothing inside a batch, a flush or a running function.
  // Throws CycleError when effects keep triggering one another.
  void flush() { graph_.flush(); }
  // Effects wait for flush(), which `request` asks for: it is called once when something was
  // queued, by the thread that wrote, must not throw and not flush itself. Null: they run at once
  // again.
  void set_flush_request(std::function<void()> request) {
    graph_.set_flush_request(std::move(request));
  }
  // While held, user-phase effects (first runs too) stay queued. Releasing flushes.
  void hold_user_effects(bool held) { graph_.hold_user_effects(held); }
  // Takes what effects and cleanups throw unless they have their own handler. Default: stderr.
  void set_error_handler(ErrorHandler handler) { graph_.set_error_handler(std::move(handler)); }

  Mailbox& mailbox() noexcept { return *mailbox_; }
  // Outlives the runtime; posts to it are dropped from then on.
  const std::shared_ptr<Mailbox>& shared_mailbox() const noexcept { return mailbox_; }
  // Owner only: runs all posted functions inside one batch, then flushes. What they throw goes to
  // the error handler.
  void drain_mailbox();

  reactive::Graph& graph() noexcept { return graph_; }

  void* host = nullptr;  // for the embedding layer

 private:
  friend class RuntimeEntry;
  friend class RuntimeLoan;

  reactive::Graph graph_;
  std::shared_ptr<Mailbox> mailbox_;
  std::atomic<uint64_t> inside_{0};  // token of the thread that has entered, 0: none
  uint32_t depth_ = 0;               // entries of that thread
};

// Makes a runtime current on this thread for its own lifetime; entries nest.
class [[nodiscard]] RuntimeEntry {
 public:
  explicit RuntimeEntry(Runtime& runtime);
  ~RuntimeEntry();
  RuntimeEntry(const RuntimeEntry&) = delete;
  RuntimeEntry& operator=(const RuntimeEntry&) = delete;

 private:
  Runtime& runtime_;
  reactive::Graph* previous_;
};

// Lets other threads enter a runtime that this thread has entered, for its own lifetime, in which
// this thread has no current runtime: a step of a coroutine runs where its event loop is, in the
// middle of whatever this thread does with the runtime.
// REQUIRES: made and ended by the thread that entered; at the end nobody else is inside.
class [[nodiscard]] RuntimeLoan {
 public:
  // Throws AccessError when this thread has not entered.
  explicit RuntimeLoan(Runtime& runtime);
  ~RuntimeLoan();
  RuntimeLoan(const RuntimeLoan&) = delete;
  RuntimeLoan& operator=(const RuntimeLoan&) = delete;

  Runtime& runtime() noexcept { return runtime_; }

 private:
  Runtime& runtime_;
  reactive::Graph* current_;
  uint32_t depth_;
};

}  // namespace lattice
