// SPDX-License-Identifier: MIT
// What runs a random program: the engine under test, the oracle, and the search for seeds that
// fail.
//
// The seeds of the gate are fixed. LATTICE_RANDOM_SEEDS=n tries n more, from a random start;
// LATTICE_RANDOM_SEED=s runs that one and prints each operation before it is done. A failing
// program is shrunk to the operations that it needs.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lattice/base/error.hpp"
#include "lattice/reactive/effect.hpp"
#include "lattice/reactive/memo.hpp"
#include "lattice/reactive/random_program_test.hpp"
#include "lattice/reactive/runtime.hpp"
#include "lattice/reactive/scope.hpp"
#include "lattice/reactive/signal.hpp"

namespace lattice::random_program {

// The engine under test behind the interface of Spec.
class RealGraph {
 public:
  explicit RealGraph(const Habits& habits) : habits_(habits) {
    if (habits.deferred) Runtime::current().set_flush_request([this] { ++requests; });
  }
  ~RealGraph() { Runtime::current().set_flush_request(nullptr); }

  int read(int number) {
    const Source& source = sources_[static_cast<size_t>(number)];
    try {
      return source.signal ? source.signal->get() : source.memo->get();
    } catch (const DisposedError&) {
      throw Failure{kDisposedCode};
    }
  }
  void peek(int number) {
    static_cast<void>(outcome_of([&] { return peek_value(number); }));
  }
  int read_through_inner(int number, int tag) {
    auto inner = memo([this, number, tag] {
      ++runs[static_cast<size_t>(tag)];
      return evaluate_inner(read(number));
    });
    count_until_cleanup();
    return inner.get();
  }

  void add_signal(int value) { sources_.push_back({Signal<int>(value), std::nullopt}); }
  void add_memo(int tag, const Formula& formula) {
    make_room(tag);
    auto body = [this, &formula, tag] {
      ++runs[static_cast<size_t>(tag)];
      return evaluate(formula, tag, *this);
    };
    sources_.push_back(
        {std::nullopt, formula.never_equal ? memo(body, MemoOptions<NeverEqual>{}) : memo(body)});
  }
  int add_effect(int tag, const Formula& formula, Order order) {
    make_room(tag);
    effects_.push_back(make_effect(tag, formula, order, 0));
    return static_cast<int>(effects_.size()) - 1;
  }
  void set(int number, int value) {
    const Source& source = sources_[static_cast<size_t>(number)];
    if (source.signal->alive()) source.signal->set(value);
  }
  template <class F>
  void batch(F&& body) {
    lattice::batch(std::forward<F>(body));
  }
  int peek_value(int number) {
    return untracked([&] { return read(number); });
  }
  void flush() { Runtime::current().flush(); }
  void hold(bool held) { Runtime::current().hold_user_effects(held); }
  void schedule(int effect) {
    effects_[static_cast<size_t>(effect)].schedule();
    if (!habits_.deferred) Runtime::current().flush();
  }
  void dispose_node(int number) {
    const Source& source = sources_[static_cast<size_t>(number)];
    source.signal ? source.signal->dispose() : source.memo->dispose();
  }
  void dispose_effect(int effect) { effects_[static_cast<size_t>(effect)].dispose(); }

  int requests = 0;  // for a flush
  std::vector<int> runs;
  std::vector<std::optional<Outcome>> seen;
  size_t living_inner = 0;
  std::vector<Order> order_of_runs;  // of effects; for the caller to clear

 private:
  struct Source {
    std::optional<Signal<int>> signal;
    std::optional<Memo<int>> memo;
  };

  void make_room(int tag) {
    runs.resize(std::max(runs.size(), static_cast<size_t>(tag) + kTagBlock));
    seen.resize(runs.size());
  }
  void count_until_cleanup() {
    ++living_inner;
    on_cleanup([this] { --living_inner; });
  }

  Effect make_effect(int tag, const Formula& formula, Order order, int depth) {
    auto body = [this, tag, &formula, order, depth] {
      on_cleanup([this, tag] { seen[static_cast<size_t>(tag)].reset(); });
      ++runs[static_cast<size_t>(tag)];
      if (depth == 0) order_of_runs.push_back(order);
      auto& outcome = seen[static_cast<size_t>(tag)];
      try {
        const int value = evaluate(formula, tag, *this);
        for (int k = 0; formula.child != nullptr && k < value % 3; ++k) {
          const int child = child_tag(tag, k, depth);
          make_effect(child, *formula.child, child_order(order, habits_, child), depth + 1);
          count_until_cleanup();
        }
        outcome = Outcome{false, value};
      } catch (const Failure& failure) {
        outcome = Outcome{true, failure.code};
        throw;
      }
    };
    return effect(body, {order.phase, order.priority, {}, [](std::exception_ptr) {}});
  }

  const Habits& habits_;
  std::vector<Source> sources_;
  std::vector<Effect> effects_;
};

// Recomputes everything for every question.
class Oracle {
 public:
  struct Source {
    int value = 0;
    const Formula* formula = nullptr;  // of a memo
    bool disposed = false;
  };

  explicit Oracle(const std::vector<Source>& sources) : sources_(sources) {}

  int read(int number) {
    const Source& source = sources_[static_cast<size_t>(number)];
    if (source.disposed) {
      depends_on_history = true;  // a reader keeps the value that it has until it runs again
      throw Failure{kDisposedCode};
    }
    if (source.formula == nullptr) return source.value;
    auto found = known_.find(number);
    if (found == known_.end()) {
      const Outcome outcome = outcome_of([&] { return evaluate(*source.formula, 0, *this); });
      found = known_.emplace(number, outcome).first;
    }
    if (found->second.failed) throw Failure{found->second.value};
    return found->second.value;
  }
  void peek(int) {}
  int read_through_inner(int number, int) { return evaluate_inner(read(number)); }

  bool depends_on_history = false;

 private:
  const std::vector<Source>& sources_;
  std::map<int, Outcome> known_;
};

// Runs a program; returns what went wrong first, empty when nothing did.
using RunProgram = std::function<std::string(
    uint32_t seed, const std::vector<Operation>& operations, bool verbose)>;

// Leaves out whatever the failure does not need, in ever smaller pieces.
inline std::vector<Operation> shrunk(const RunProgram& run, uint32_t seed,
                                     std::vector<Operation> operations) {
  for (size_t piece = operations.size() / 2; piece > 0; piece /= 2) {
    for (size_t from = 0; from < operations.size();) {
      std::vector<Operation> fewer = operations;
      const size_t end = std::min(from + piece, fewer.size());
      fewer.erase(fewer.begin() + static_cast<ptrdiff_t>(from),
                  fewer.begin() + static_cast<ptrdiff_t>(end));
      if (run(seed, fewer, false).empty()) {
        from += piece;
      } else {
        operations = std::move(fewer);
      }
    }
  }
  return operations;
}

inline volatile std::sig_atomic_t current_seed = 0;

// A crash leaves no time for gtest to say which seed it was.
inline void print_seed_and_die(int signal) {
  std::fprintf(stderr, "crashed in the program of LATTICE_RANDOM_SEED=%u\n",
               static_cast<unsigned>(current_seed));
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

inline void check_seed(const RunProgram& run, uint32_t seed, bool verbose) {
  current_seed = static_cast<std::sig_atomic_t>(seed);
  Random random(seed);
  const std::vector<Operation> operations = random_operations(random);
  const std::string found = run(seed, operations, verbose);
  if (found.empty()) return;
  const std::vector<Operation> fewer = shrunk(run, seed, operations);
  std::fprintf(stderr, "seed %u, shrunk from %zu to %zu operations:\n", seed, operations.size(),
               fewer.size());
  const std::string again = run(seed, fewer, true);
  ADD_FAILURE() << "seed " << seed << ": " << found << "\nshrunk: " << again
                << "\nreplay with LATTICE_RANDOM_SEED=" << seed;
}

inline void check_seeds(uint32_t count, const RunProgram& run) {
  auto* before = std::signal(SIGABRT, print_seed_and_die);
  if (const char* one = std::getenv("LATTICE_RANDOM_SEED")) {
    check_seed(run, static_cast<uint32_t>(std::strtoul(one, nullptr, 10)), true);
    return;
  }
  for (uint32_t seed = 1; seed <= count; ++seed) check_seed(run, seed, false);
  if (const char* more = std::getenv("LATTICE_RANDOM_SEEDS")) {
    const uint32_t start = std::random_device{}();
    for (uint32_t i = 0; i < std::strtoul(more, nullptr, 10) && !testing::Test::HasFailure(); ++i) {
      check_seed(run, start + i, false);
    }
  }
  std::signal(SIGABRT, before);
}

}  // namespace lattice::random_program
