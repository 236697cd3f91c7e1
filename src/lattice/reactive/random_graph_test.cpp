// SPDX-License-Identifier: MIT
// Random dynamic graphs: every value against an oracle that recomputes everything, every run count
// against the executable specification.
//
// The seeds of the gate are fixed. LATTICE_RANDOM_SEEDS=n tries n more, from a random start;
// LATTICE_RANDOM_SEED=s runs that one and prints each operation before it is done. A failing
// program is shrunk to the operations that it needs.
#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "lattice/reactive.hpp"
#include "lattice/reactive/random_program_test.hpp"
#include "lattice/reactive/random_spec_test.hpp"

namespace lattice {
namespace {

using random_program::below;
using random_program::chance;
using random_program::child_order;
using random_program::child_tag;
using random_program::evaluate;
using random_program::Failure;
using random_program::Formula;
using random_program::Habits;
using random_program::inner_tag;
using random_program::Kind;
using random_program::kTagBlock;
using random_program::Operation;
using random_program::Order;
using random_program::Outcome;
using random_program::outcome_of;
using random_program::Random;
using random_program::random_operations;
using random_program::Spec;
using random_program::text;

// The engine under test behind the interface of Spec.
class RealGraph {
 public:
  explicit RealGraph(const Habits& habits) : habits_(habits) {}

  int read(int number) {
    const Source& source = sources_[static_cast<size_t>(number)];
    try {
      return source.signal ? source.signal->get() : source.memo->get();
    } catch (const DisposedError&) {
      throw Failure{random_program::kDisposedCode};
    }
  }
  void peek(int number) {
    static_cast<void>(outcome_of([&] { return peek_value(number); }));
  }
  int read_through_inner(int number, int tag) {
    auto inner = memo([this, number, tag] {
      ++runs[static_cast<size_t>(tag)];
      return random_program::evaluate_inner(read(number));
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
  void hold(bool held) { Runtime::current().hold_user_effects(held); }
  void schedule(int effect) {
    effects_[static_cast<size_t>(effect)].schedule();
    Runtime::current().flush();
  }
  void dispose_node(int number) {
    const Source& source = sources_[static_cast<size_t>(number)];
    source.signal ? source.signal->dispose() : source.memo->dispose();
  }
  void dispose_effect(int effect) { effects_[static_cast<size_t>(effect)].dispose(); }

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
      throw Failure{random_program::kDisposedCode};
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
  int read_through_inner(int number, int) { return random_program::evaluate_inner(read(number)); }

  bool depends_on_history = false;

 private:
  const std::vector<Source>& sources_;
  std::map<int, Outcome> known_;
};

// One program on the real graph and on the specification, compared after each operation.
class Comparison {
 public:
  Comparison(uint32_t seed, bool verbose) : random_(seed), habits_(random_), verbose_(verbose) {
    for (int n = 1 + below(random_, 5); n > 0; --n) add_signal(data_);
    for (int n = 0; n < 2; ++n) add_signal(switches_);
    for (int n = 0; n < 2; ++n) add_signal(poisons_);
  }

  // The first difference, empty when there is none.
  std::string apply(const Operation& operation) {
    Random random(operation.seed);
    real_.order_of_runs.clear();
    step(operation.kind, random);
    return difference(random);
  }

 private:
  struct LogEffect {
    int tag;
    int real, spec;
    Order order;
    std::shared_ptr<Formula> formula;
    bool alive = true;
  };

  void add_signal(std::vector<int>& group) {
    group.push_back(static_cast<int>(sources_.size()));
    sources_.push_back({});
    real_.add_signal(0);
    spec_.add_signal(0);
  }

  template <class... Parts>
  void say(const Parts&... parts) {
    if (!verbose_) return;
    std::ostringstream line;
    (line << ... << parts);
    std::fprintf(stderr, "  %s\n", line.str().c_str());
  }

  int pick(Random& random, const std::vector<int>& group) { return group[random() % group.size()]; }
  int pick_source(Random& random) {
    if (memos_.empty() || chance(random, 40)) return pick(random, data_);
    // Mostly recent ones: deep graphs.
    const size_t window = chance(random, 50) ? std::min<size_t>(memos_.size(), 3) : memos_.size();
    return memos_[memos_.size() - 1 - random() % window];
  }
  std::shared_ptr<Formula> random_formula(Random& random, bool is_effect) {
    auto formula = std::make_shared<Formula>();
    formula->branches = chance(random, 40);
    if (formula->branches && !habits_.branches_on_data) {
      formula->sources.push_back(pick(random, switches_));
    }
    for (int n = 1 + below(random, chance(random, 10) ? 12 : 4); n > 0; --n) {
      formula->sources.push_back(pick_source(random));
    }
    formula->modulus = 2 + below(random, 9);
    if (habits_.fails_on_data && chance(random, 40)) formula->fails_at = below(random, 11);
    if (habits_.fails && chance(random, 30)) formula->poison = pick(random, poisons_);
    formula->catches = chance(random, 30);
    formula->repeats = chance(random, 20);
    formula->peeks = chance(random, 10);
    formula->inner = habits_.inner && chance(random, 25);
    formula->never_equal = habits_.never_equal && chance(random, 20);
    if (is_effect && habits_.children && chance(random, 50)) {
      formula->child = random_formula(random, false);
      if (chance(random, 40)) formula->child->child = random_formula(random, false);
    }
    return formula;
  }
  std::string text_of(const Formula& formula) const {
    std::ostringstream out;
    out << "reads";
    for (int source : formula.sources) out << ' ' << source;
    out << " mod " << formula.modulus;
    if (formula.branches) out << " branches";
    if (formula.fails_at >= 0) out << " fails_at " << formula.fails_at;
    if (formula.poison >= 0) out << " poison " << formula.poison;
    if (formula.catches) out << " catches";
    if (formula.repeats) out << " repeats";
    if (formula.peeks) out << " peeks";
    if (formula.inner) out << " inner";
    if (formula.never_equal) out << " never_equal";
    if (formula.child) out << " child { " << text_of(*formula.child) << " }";
    return out.str();
  }

  // On both sides.
  void set(int number, int value) {
    say("set ", number, " = ", value);
    if (!sources_[static_cast<size_t>(number)].disposed) {
      sources_[static_cast<size_t>(number)].value = value;
    }
    real_.set(number, value);
    spec_.set(number, value);
  }
  void check_peek(int number) {
    say("peek ", number);
    const Outcome real = outcome_of([&] { return real_.peek_value(number); });
    const Outcome spec = outcome_of([&] { return spec_.peek_value(number); });
    expect_same("value of node " + std::to_string(number), real, spec);
    Oracle oracle(sources_);
    const Outcome wanted = outcome_of([&] { return oracle.read(number); });
    if (!oracle.depends_on_history) {
      expect_same("value of node " + std::to_string(number) + " by the oracle", real, wanted);
    }
  }
  template <class F>
  void batch(F&& body) {
    say("batch");
    spec_.batch([&] { real_.batch(body); });
    say("end of batch");
  }

  void step(Kind kind, Random& random) {
    switch (kind) {
      case Kind::NewMemo:
        return new_memo(random);
      case Kind::NewEffect:
        return new_effect(random);
      case Kind::Write:
        return set(pick(random, data_), below(random, 8));
      case Kind::Batch:
        return batch([&] { write_some(random); });
      case Kind::BatchBack:
        return batch([&] { write_and_write_back(random); });
      case Kind::BatchThrow:
        try {
          batch([&] {
            write_some(random);
            throw Failure{0};
          });
        } catch (const Failure&) {
        }
        return;
      case Kind::Flip:
        return set(pick(random, switches_), below(random, 2));
      case Kind::Poison:
        return set(pick(random, poisons_), below(random, 2));
      case Kind::Peek:
        return check_peek(below(random, sources_.size()));
      case Kind::PeekAll:
        for (size_t i = 0; i < sources_.size(); ++i) check_peek(static_cast<int>(i));
        return;
      case Kind::Hold:
        held_ = !held_;
        say(held_ ? "hold" : "release");
        real_.hold(held_);
        spec_.hold(held_);
        return;
      default:
        return step_with_victim(kind, random);
    }
  }
  void step_with_victim(Kind kind, Random& random) {
    if (kind == Kind::DisposeNode) {
      if (memos_.empty() || chance(random, 50)) return;
      const int number = chance(random, 85) ? pick(random, memos_) : pick(random, data_);
      say("dispose node ", number);
      sources_[static_cast<size_t>(number)].disposed = true;
      real_.dispose_node(number);
      spec_.dispose_node(number);
      return;
    }
    if (effects_.empty()) return;
    LogEffect& victim = effects_[random() % effects_.size()];
    if (!victim.alive) return;
    say(kind == Kind::Schedule ? "schedule" : "dispose", " effect ", victim.tag);
    if (kind == Kind::Schedule) {
      real_.schedule(victim.real);
      spec_.schedule(victim.spec);
    } else {
      victim.alive = false;
      real_.dispose_effect(victim.real);
      spec_.dispose_effect(victim.spec);
    }
  }
  void new_memo(Random& random) {
    auto formula = random_formula(random, false);
    formulas_.push_back(formula);
    memos_.push_back(static_cast<int>(sources_.size()));
    say("memo ", memos_.back(), " tag ", next_tag_, ' ', text_of(*formula));
    sources_.push_back({0, formula.get()});
    real_.add_memo(next_tag_, *formula);
    spec_.add_memo(next_tag_, *formula);
    next_tag_ += kTagBlock;
  }
  void new_effect(Random& random) {
    auto formula = random_formula(random, true);
    Order order;
    if (habits_.phases && chance(random, 30)) order.phase = Phase::Render;
    if (habits_.phases && chance(random, 50)) order.priority = below(random, 5) - 2;
    if (habits_.ranked) order.priority = order.priority * 1'000'000 + next_tag_;
    say("effect ", next_tag_, order.phase == Phase::Render ? " render " : " user ", order.priority,
        ' ', text_of(*formula));
    const int real = real_.add_effect(next_tag_, *formula, order);
    const int spec = spec_.add_effect(next_tag_, *formula, order);
    effects_.push_back({next_tag_, real, spec, order, std::move(formula)});
    next_tag_ += kTagBlock;
  }
  void write_some(Random& random) {
    for (int n = 1 + below(random, 4); n > 0; --n) {
      set(pick(random, data_), below(random, 8));
      if (chance(random, 20)) check_peek(below(random, sources_.size()));
    }
  }
  void write_and_write_back(Random& random) {
    std::map<int, int> before;
    for (int n = 1 + below(random, 3); n > 0; --n) {
      const int number = pick(random, data_);
      before.emplace(number, sources_[static_cast<size_t>(number)].value);
      set(number, below(random, 8));
    }
    if (chance(random, 25)) check_peek(below(random, sources_.size()));
    for (const auto& [number, value] : before) set(number, value);
  }

  void expect_same(const std::string& what, const Outcome& real, const Outcome& wanted) {
    if (real == wanted || !found_.empty()) return;
    found_ = what + " is " + text(real) + ", expected " + text(wanted);
  }
  std::string difference(Random& random) {
    if (found_.empty() && chance(random, 10)) check_peek(below(random, sources_.size()));
    if (!found_.empty()) return found_;
    std::ostringstream out;
    for (size_t tag = 0; tag < real_.runs.size(); ++tag) {
      if (!habits_.counts_are_exact() && !is_effect(tag)) continue;
      if (real_.runs[tag] != spec_.runs[tag]) {
        out << "tag " << tag << " ran " << real_.runs[tag] << " times in all, expected "
            << spec_.runs[tag] << "; ";
      }
      if (real_.seen[tag] != spec_.seen[tag]) {
        out << "effect " << tag << " has seen "
            << (real_.seen[tag] ? text(*real_.seen[tag]) : "nothing") << ", expected "
            << (spec_.seen[tag] ? text(*spec_.seen[tag]) : "nothing") << "; ";
      }
    }
    if (real_.living_inner != spec_.living_inner) {
      out << real_.living_inner << " nodes made by runs, expected " << spec_.living_inner << "; ";
    }
    const auto& order = real_.order_of_runs;
    if (!std::is_sorted(order.begin(), order.end(), [](const Order& a, const Order& b) {
          return std::pair(a.phase, a.priority) < std::pair(b.phase, b.priority);
        })) {
      out << "effects ran out of the order of phase and priority; ";
    }
    compare_with_oracle(out);
    return out.str();
  }
  bool is_effect(size_t tag) const {
    const size_t offset = tag % kTagBlock;
    if (offset >= static_cast<size_t>(inner_tag(0))) return false;
    return std::any_of(effects_.begin(), effects_.end(), [&](const LogEffect& effect) {
      return static_cast<size_t>(effect.tag) == tag - offset;
    });
  }
  void compare_with_oracle(std::ostringstream& out) {
    for (const LogEffect& effect : effects_) {
      if (!effect.alive || (held_ && effect.order.phase == Phase::User)) continue;
      Oracle oracle(sources_);
      const Outcome wanted = outcome_of([&] { return evaluate(*effect.formula, 0, oracle); });
      const auto& real = real_.seen[static_cast<size_t>(effect.tag)];
      if (oracle.depends_on_history || real == wanted) continue;
      out << "effect " << effect.tag << " has seen " << (real ? text(*real) : "nothing")
          << ", the oracle expects " << text(wanted) << "; ";
    }
  }

  Random random_;
  Habits habits_;
  bool verbose_;
  std::vector<Oracle::Source> sources_;
  std::vector<int> data_, switches_, poisons_, memos_;
  std::vector<std::shared_ptr<Formula>> formulas_;
  std::vector<LogEffect> effects_;
  int next_tag_ = 0;
  bool held_ = false;
  std::string found_;
  RealGraph real_{habits_};
  Spec spec_{habits_};
};

// Runs a program; returns what went wrong first, empty when nothing did.
std::string failure_of(uint32_t seed, const std::vector<Operation>& operations, bool verbose) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  {
    Scope scope;
    auto comparison = std::make_unique<Comparison>(seed, verbose);
    for (size_t i = 0; i < operations.size(); ++i) {
      if (verbose) std::fprintf(stderr, "operation %zu\n", i);
      const std::string found = comparison->apply(operations[i]);
      if (!found.empty()) {
        scope.dispose();
        return "after operation " + std::to_string(i) + ": " + found;
      }
    }
    scope.dispose();                   // before what the closures refer to
    runtime.hold_user_effects(false);  // the queue lets go of the effects that were disposed in it
  }
  const reactive::Arena& arena = runtime.graph().arena();
  if (arena.nodes_live() != 1 || arena.links_live() != 0) {
    return std::to_string(arena.nodes_live()) + " nodes and " + std::to_string(arena.links_live()) +
           " links are left";
  }
  return "";
}

// Leaves out whatever the failure does not need, in ever smaller pieces.
std::vector<Operation> shrunk(uint32_t seed, std::vector<Operation> operations) {
  for (size_t piece = operations.size() / 2; piece > 0; piece /= 2) {
    for (size_t from = 0; from < operations.size();) {
      std::vector<Operation> fewer = operations;
      const size_t end = std::min(from + piece, fewer.size());
      fewer.erase(fewer.begin() + static_cast<ptrdiff_t>(from),
                  fewer.begin() + static_cast<ptrdiff_t>(end));
      if (failure_of(seed, fewer, false).empty()) {
        from += piece;
      } else {
        operations = std::move(fewer);
      }
    }
  }
  return operations;
}

volatile std::sig_atomic_t current_seed = 0;

// A crash leaves no time for gtest to say which seed it was.
void print_seed_and_die(int signal) {
  std::fprintf(stderr, "crashed in the program of LATTICE_RANDOM_SEED=%u\n",
               static_cast<unsigned>(current_seed));
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void check_seed(uint32_t seed, bool verbose) {
  current_seed = static_cast<std::sig_atomic_t>(seed);
  Random random(seed);
  const std::vector<Operation> operations = random_operations(random);
  const std::string found = failure_of(seed, operations, verbose);
  if (found.empty()) return;
  const std::vector<Operation> fewer = shrunk(seed, operations);
  std::fprintf(stderr, "seed %u, shrunk from %zu to %zu operations:\n", seed, operations.size(),
               fewer.size());
  const std::string again = failure_of(seed, fewer, true);
  ADD_FAILURE() << "seed " << seed << ": " << found << "\nshrunk: " << again
                << "\nreplay with LATTICE_RANDOM_SEED=" << seed;
}

void check_seeds(uint32_t count) {
  auto* before = std::signal(SIGABRT, print_seed_and_die);
  if (const char* one = std::getenv("LATTICE_RANDOM_SEED")) {
    check_seed(static_cast<uint32_t>(std::strtoul(one, nullptr, 10)), true);
    return;
  }
  for (uint32_t seed = 1; seed <= count; ++seed) check_seed(seed, false);
  if (const char* more = std::getenv("LATTICE_RANDOM_SEEDS")) {
    const uint32_t start = std::random_device{}();
    for (uint32_t i = 0; i < std::strtoul(more, nullptr, 10) && !testing::Test::HasFailure(); ++i) {
      check_seed(start + i, false);
    }
  }
  std::signal(SIGABRT, before);
}

TEST(RandomPrograms, RunAsOftenAsTheSpecificationSaysAndSeeWhatTheOracleComputes) {
  check_seeds(400);
}

}  // namespace
}  // namespace lattice
