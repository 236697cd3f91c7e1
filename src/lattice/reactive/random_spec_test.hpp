// SPDX-License-Identifier: MIT
// What the engine ought to do, as slowly and plainly as it can be said: no flags, no marking.
//
// Every node has a version that moves when its value really changes. A memo or effect remembers
// which versions it has read, in order. When one is known to have moved it runs; otherwise its
// sources are brought up to date one by one until one moves, and if none does it does not run. That
// is the definition of the fewest runs, and random_graph_test.cpp compares every count with it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "lattice/reactive/random_program_test.hpp"

namespace lattice::random_program {

class Spec {
 public:
  explicit Spec(const Habits& habits) : habits_(habits), batches_(habits.deferred ? 1 : 0) {}

  // --- what formulas use; nodes by public number
  int read(int number) { return read_node(nodes_by_number_[static_cast<size_t>(number)]); }
  void peek(int number) {
    static_cast<void>(outcome_of([&] { return peek_value(number); }));
  }
  int read_through_inner(int number, int tag) {
    const int inner = create(Type::Memo, tag);
    node(inner).body = [this, number] { return evaluate_inner(read(number)); };
    return read_node(inner);
  }

  // --- operations; those outside of a batch settle
  void add_signal(int value) {
    const int signal = create(Type::Signal, -1);
    node(signal).value = value;
    nodes_by_number_.push_back(signal);
  }
  void add_memo(int tag, const Formula& formula) {
    const int memo = create(Type::Memo, tag);
    node(memo).never_equal = formula.never_equal;
    node(memo).body = [this, &formula, tag] { return evaluate(formula, tag, *this); };
    nodes_by_number_.push_back(memo);
  }
  // Returns what dispose_effect() and schedule() take.
  int add_effect(int tag, const Formula& formula, Order order) {
    return add_effect(tag, formula, order, 0);
  }
  void set(int number, int value) {
    Node& signal = node(nodes_by_number_[static_cast<size_t>(number)]);
    if (signal.disposed || signal.pending.value_or(signal.value) == value) return;
    ++epoch_;
    if (!signal.pending && (signal.subscribers == 0 || batches_ == 0)) {
      signal.value = value;
      ++signal.version;
    } else {
      signal.pending = value;
    }
    settle();
  }
  template <class F>
  void batch(F&& body) {
    ++batches_;
    try {
      body();
    } catch (...) {
      --batches_;
      settle();
      throw;
    }
    --batches_;
    settle();
  }
  int peek_value(int number) {
    const int index = nodes_by_number_[static_cast<size_t>(number)];
    const int observer = std::exchange(running_, -1);
    const Outcome outcome = outcome_of([&] { return read_node(index); });
    running_ = observer;
    settle();
    if (outcome.failed) throw Failure{outcome.value};
    return outcome.value;
  }
  void flush() {
    --batches_;
    settle();
    ++batches_;
  }
  void hold(bool held) {
    held_ = held;
    settle();
  }
  void schedule(int effect) {
    node(effect).forced = true;
    settle();
  }
  void dispose_node(int number) {
    dispose(nodes_by_number_[static_cast<size_t>(number)]);
    settle();
  }
  void dispose_effect(int effect) {
    dispose(effect);
    settle();
  }

  // --- what there is to compare; by tag
  std::vector<int> runs;
  std::vector<std::optional<Outcome>> seen;  // by living effects
  size_t living_inner = 0;                   // memos and effects made by runs

 private:
  enum class Type : uint8_t { Signal, Memo, Effect };
  struct Dependency {
    int node;
    uint64_t version;
  };
  struct Node {
    Type type = Type::Signal;
    Order order;
    int tag = -1;
    int owner = -1;
    std::function<int()> body;
    int value = 0;
    std::optional<int> pending;
    std::optional<int> failure;
    uint64_t version = 0;
    uint64_t checked = 0;  // the epoch in which it was last found up to date
    std::vector<Dependency> dependencies;
    int subscribers = 0;
    bool valid = false;  // has run since it was last cold
    bool has_value = false;
    bool never_equal = false;
    bool forced = false;
    bool disposed = false;
    std::vector<int> owned;
  };

  Node& node(int index) { return nodes_[static_cast<size_t>(index)]; }

  int create(Type type, int tag) {
    const int index = static_cast<int>(nodes_.size());
    nodes_.emplace_back();
    node(index).type = type;
    node(index).tag = tag;
    if (tag >= 0 && runs.size() < static_cast<size_t>(tag) + kTagBlock) {
      runs.resize(static_cast<size_t>(tag) + kTagBlock);
      seen.resize(runs.size());
    }
    if (running_ >= 0) {
      node(running_).owned.push_back(index);
      node(index).owner = running_;
      ++living_inner;
    }
    return index;
  }

  int add_effect(int tag, const Formula& formula, Order order, int depth) {
    const int effect = create(Type::Effect, tag);
    node(effect).order = order;
    node(effect).body = [this, &formula, tag, order, depth] {
      const int value = evaluate(formula, tag, *this);
      for (int k = 0; formula.child != nullptr && k < value % 3; ++k) {
        const int child = child_tag(tag, k, depth);
        add_effect(child, *formula.child, child_order(order, habits_, child), depth + 1);
      }
      return value;
    };
    node(effect).forced = true;
    effects_.push_back(effect);
    if (!is_held(effect)) {
      update(effect);
      settle();
    }
    return effect;
  }
  bool is_held(int effect) { return held_ && node(effect).order.phase == Phase::User; }

  int read_node(int index) {
    if (node(index).disposed) throw Failure{kDisposedCode};
    refresh(index);
    if (running_ >= 0) depend(running_, index);
    if (node(index).failure) throw Failure{*node(index).failure};
    return node(index).value;
  }

  void depend(int reader, int source) {
    for (const Dependency& known : node(reader).dependencies) {
      if (known.node == source) return;
    }
    node(reader).dependencies.push_back({source, node(source).version});
    ++node(source).subscribers;
  }

  void forget(const std::vector<Dependency>& dependencies) {
    for (const Dependency& old : dependencies) {
      if (--node(old.node).subscribers == 0) lost_.push_back(old.node);
    }
  }

  void refresh(int index) {
    if (node(index).disposed) return;
    if (node(index).type == Type::Signal) {
      if (!node(index).pending) return;
      const int value = *std::exchange(node(index).pending, std::nullopt);
      if (value == node(index).value) return;
      node(index).value = value;
      ++node(index).version;
      return;
    }
    if (node(index).checked == epoch_ && node(index).valid && !node(index).forced) return;
    if (is_stale(index)) {
      update(index);
    } else {
      node(index).checked = epoch_;
    }
  }

  bool is_stale(int index) {
    if (!node(index).valid || node(index).forced) return true;
    const std::vector<Dependency> dependencies = node(index).dependencies;
    auto has_moved = [&](const Dependency& known) {
      return node(known.node).version != known.version;
    };
    for (const Dependency& known : dependencies) {
      if (std::any_of(dependencies.begin(), dependencies.end(), has_moved)) return true;
      refresh(known.node);
    }
    return !dependencies.empty() && has_moved(dependencies.back());
  }

  void update(int index) {
    dispose_owned(index);
    node(index).valid = true;
    node(index).forced = false;
    const std::vector<Dependency> old = std::exchange(node(index).dependencies, {});
    const int outer = std::exchange(running_, index);
    ++running_depth_;
    ++runs[static_cast<size_t>(node(index).tag)];
    const std::function<int()> body = node(index).body;
    const Outcome outcome = outcome_of(body);
    --running_depth_;
    running_ = outer;
    forget(old);
    Node& self = node(index);
    self.checked = epoch_;
    if (self.type == Type::Effect) {
      seen[static_cast<size_t>(self.tag)] = outcome;
      return;
    }
    if (outcome.failed || self.failure || !self.has_value || self.never_equal ||
        outcome.value != self.value) {
      ++self.version;
    }
    self.failure = outcome.failed ? std::optional(outcome.value) : std::nullopt;
    if (!outcome.failed) {
      self.value = outcome.value;
      self.has_value = true;
    }
  }

  void dispose_owned(int index) {
    while (!node(index).owned.empty()) {
      const int child = node(index).owned.back();
      node(index).owned.pop_back();
      dispose(child);
      --living_inner;
    }
  }

  void dispose(int index) {
    if (node(index).disposed) return;
    dispose_owned(index);
    Node& self = node(index);
    self.disposed = true;
    self.pending.reset();
    if (self.type == Type::Effect) seen[static_cast<size_t>(self.tag)].reset();
    forget(std::exchange(self.dependencies, {}));
  }

  // Effects by phase and priority, but owners before what they own; then memos that nobody watches
  // any more go cold.
  void settle() {
    if (batches_ != 0 || running_depth_ != 0) return;
    ++running_depth_;  // a flush does not nest
    std::erase_if(effects_, [&](int effect) { return node(effect).disposed; });
    std::vector<int> queue = effects_;
    std::stable_sort(queue.begin(), queue.end(), [&](int left, int right) {
      const Order &a = node(left).order, &b = node(right).order;
      return std::pair(a.phase, a.priority) < std::pair(b.phase, b.priority);
    });
    for (int effect : queue) refresh_with_owners(effect);
    --running_depth_;
    while (!lost_.empty()) {
      const int index = lost_.back();
      lost_.pop_back();
      if (node(index).type != Type::Memo || node(index).disposed) continue;
      if (node(index).subscribers != 0) continue;
      node(index).valid = false;
      forget(std::exchange(node(index).dependencies, {}));
    }
  }

  void refresh_with_owners(int effect) {
    if (effect < 0) return;
    refresh_with_owners(node(effect).owner);
    if (!is_held(effect)) refresh(effect);
  }

  const Habits& habits_;
  std::vector<Node> nodes_;
  std::vector<int> effects_;
  std::vector<int> nodes_by_number_;
  std::vector<int> lost_;  // have lost their last subscriber since things were settled
  uint64_t epoch_ = 1;
  int running_ = -1;
  int running_depth_ = 0;
  int batches_;  // 1 at least where flushes are deferred
  bool held_ = false;
};

}  // namespace lattice::random_program
