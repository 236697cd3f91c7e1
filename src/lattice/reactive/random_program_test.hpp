// SPDX-License-Identifier: MIT
// Random reactive programs: what memos and effects compute, apart from the engine that runs them.
//
// A formula reads nodes by number through an engine, so that the real graph, the executable
// specification (random_spec_test.hpp) and the oracle, which recomputes everything, run the same
// text. A program is a list of operations whose choices come from their own seeds: any sublist is a
// program too, which is what shrinking a failure needs.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "lattice/reactive/effect_queue.hpp"

namespace lattice::random_program {

using Random = std::mt19937;

inline bool chance(Random& random, unsigned percent) { return random() % 100 < percent; }
inline int below(Random& random, size_t end) { return static_cast<int>(random() % end); }

// What a formula throws, or what reading a disposed node throws.
struct Failure {
  int code;
};
inline constexpr int kDisposedCode = 999;

// A value or a failure.
struct Outcome {
  bool failed = false;
  int value = 0;
  bool operator==(const Outcome&) const = default;
};
template <class F>
Outcome outcome_of(F&& body) {
  try {
    return {false, body()};
  } catch (const Failure& failure) {
    return {true, failure.code};
  }
}
inline std::string text(const Outcome& outcome) {
  return (outcome.failed ? "failure " : "") + std::to_string(outcome.value);
}

struct Formula {
  std::vector<int> sources;  // numbers of earlier nodes
  int modulus = 7;           // small: equal results are frequent
  int fails_at = -1;         // throws when the total modulo 11 is this
  int poison = -1;           // throws while this signal is odd
  bool branches = false;     // the first source's parity decides which of the others are read
  bool catches = false;      // a source's failure is a value
  bool repeats = false;      // reads the first source again and again
  bool peeks = false;        // brings the last source up to date without depending on it
  bool inner = false;        // reads its second source through a memo that each run makes anew
  bool never_equal = false;
  std::shared_ptr<Formula> child;  // effects: makes (value % 3) effects with this formula
};

// Numbers for counting runs: each formula with all that it makes has a block of them.
inline constexpr int kTagBlock = 64;
inline int child_tag(int tag, int which, int depth) {
  return depth == 0 ? tag + 1 + which : tag + 3 + 3 * (tag % kTagBlock - 1) + which;
}
inline int inner_tag(int tag) { return tag + 32; }

// Engine: int read(node), void peek(node), int read_through_inner(node, tag).
template <class Engine>
int evaluate(const Formula& formula, int tag, Engine& engine) {
  auto guarded = [&](auto&& read) {
    if (!formula.catches) return read();
    const Outcome outcome = outcome_of(read);
    return outcome.failed ? 50 + outcome.value % 7 : outcome.value;
  };
  auto read = [&](int node) { return guarded([&] { return engine.read(node); }); };
  int total = read(formula.sources[0]);
  const bool odd = total % 2 != 0;
  for (size_t k = 1; k < formula.sources.size(); ++k) {
    if (formula.branches && (k % 2 == 0) == odd) continue;
    const int source = formula.sources[k];
    const int value =
        formula.inner && k == 1
            ? guarded([&] { return engine.read_through_inner(source, inner_tag(tag)); })
            : read(source);
    total += value * static_cast<int>(k + 1);
    if (formula.repeats) total += read(formula.sources[0]);
  }
  if (formula.peeks) engine.peek(formula.sources.back());
  if (formula.poison >= 0 && engine.read(formula.poison) % 2 != 0) throw Failure{total + 1};
  if (total % 11 == formula.fails_at) throw Failure{total};
  return total % formula.modulus;
}
inline int evaluate_inner(int value) { return value / 2; }

enum class Kind : uint8_t {
  NewMemo,
  NewEffect,
  Write,
  Batch,
  BatchBack,   // writes and writes back, perhaps with reads in between
  BatchThrow,  // its body throws
  Flip,        // a signal that decides branches
  Poison,      // a signal that makes formulas throw
  Peek,
  PeekAll,
  Schedule,
  Hold,  // user effects: held or let go
  DisposeEffect,
  DisposeNode,
  Flush,  // where flushes are deferred
};

struct Operation {
  Kind kind;
  uint32_t seed;
};

// What may occur in a program at all; from the program's seed.
struct Habits {
  bool dynamic, never_equal, phases;
  bool ranked;          // every effect has a priority of its own
  bool children_first;  // by their priority; their owners must run first all the same
  bool branches_on_data, fails_on_data, fails, children, inner;
  bool deferred = false;  // effects wait for Flush
  explicit Habits(Random& random)
      : dynamic(chance(random, 75)),
        never_equal(chance(random, 30)),
        phases(chance(random, 50)),
        ranked(chance(random, 60)),
        children_first(chance(random, 50)),
        branches_on_data(dynamic && chance(random, 30)),
        fails_on_data(dynamic && chance(random, 20)),
        fails(dynamic && chance(random, 50)),
        children(dynamic && chance(random, 40)),
        inner(dynamic && chance(random, 40)) {}
  // The order in which sources of effects are brought up to date matters to what is dropped
  // meanwhile: counts of memos are exact when that order is fixed, or nothing is ever dropped.
  bool counts_are_exact() const { return ranked || !dynamic; }
};
struct Order {
  Phase phase = Phase::User;
  int32_t priority = 0;
};
// Of an effect made by another.
inline Order child_order(Order order, const Habits& habits, int tag) {
  const int offset = tag % kTagBlock;
  if (habits.ranked) order.priority += habits.children_first ? -offset : offset;
  return order;
}

// Long stretches of writes that keep the topology (unless data decides branches), with changes of
// the topology between them.
inline std::vector<Operation> random_operations(Random& random) {
  std::vector<Operation> operations;
  auto add = [&](Kind kind) { operations.push_back({kind, static_cast<uint32_t>(random())}); };
  const size_t memos_max = chance(random, 10) ? 100 : 20;
  for (size_t n = 1 + random() % memos_max; n > 0; --n) add(Kind::NewMemo);
  for (size_t n = 1 + random() % 8; n > 0; --n) add(Kind::NewEffect);
  static constexpr Kind kChanges[] = {
      Kind::NewMemo,  Kind::NewEffect,     Kind::NewEffect,   Kind::Flip,      Kind::Flip,
      Kind::Flip,     Kind::Poison,        Kind::Poison,      Kind::Peek,      Kind::PeekAll,
      Kind::Schedule, Kind::Hold,          Kind::Hold,        Kind::BatchBack, Kind::BatchThrow,
      Kind::Batch,    Kind::DisposeEffect, Kind::DisposeNode, Kind::Write};
  for (int round = 0; round < 4; ++round) {
    for (size_t n = 20 + random() % 40; n > 0; --n) {
      const unsigned which = static_cast<unsigned>(random() % 10);
      add(which < 6 ? Kind::Write : which < 9 ? Kind::Batch : Kind::BatchBack);
      if (random() % 4 == 0) add(Kind::Flush);
    }
    for (size_t n = 1 + random() % 8; n > 0; --n) add(kChanges[random() % std::size(kChanges)]);
  }
  return operations;
}

}  // namespace lattice::random_program
