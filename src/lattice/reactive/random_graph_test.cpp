// SPDX-License-Identifier: MIT
// Random dynamic graphs: every value against an oracle that recomputes everything, every run count
// against the executable specification.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <thread>

#include "lattice/reactive.hpp"
#include "lattice/reactive/inspect.hpp"
#include "lattice/reactive/random_engines_test.hpp"
#include "lattice/reactive/random_program_test.hpp"
#include "lattice/reactive/random_spec_test.hpp"

namespace lattice {
namespace {

using namespace random_program;  // NOLINT: the vocabulary of this file

// One program on the real graph and on the specification, compared after each operation.
class Comparison {
 public:
  Comparison(uint32_t seed, bool verbose, bool deferred = false)
      : random_(seed), habits_(random_), verbose_(verbose) {
    habits_.deferred = deferred;
    real_.emplace(habits_);
    spec_.emplace(habits_);
    for (int n = 1 + below(random_, 5); n > 0; --n) add_signal(data_);
    for (int n = 0; n < 2; ++n) add_signal(switches_);
    for (int n = 0; n < 2; ++n) add_signal(poisons_);
  }

  // The first difference, empty when there is none.
  std::string apply(const Operation& operation) {
    Random random(operation.seed);
    real_->order_of_runs.clear();
    is_settled_ = !habits_.deferred;
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
    real_->add_signal(0);
    spec_->add_signal(0);
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
    real_->set(number, value);
    spec_->set(number, value);
  }
  void check_peek(int number) {
    say("peek ", number);
    const Outcome real = outcome_of([&] { return real_->peek_value(number); });
    const Outcome spec = outcome_of([&] { return spec_->peek_value(number); });
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
    spec_->batch([&] { real_->batch(body); });
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
      case Kind::Flush:
        if (habits_.deferred) flush();
        return;
      case Kind::Hold:
        held_ = !held_;
        say(held_ ? "hold" : "release");
        real_->hold(held_);
        spec_->hold(held_);
        return;
      default:
        return step_with_victim(kind, random);
    }
  }
  void flush() {
    say("flush");
    const int requests = std::exchange(real_->requests, 0);
    real_->flush();
    spec_->flush();
    if (requests == 0 && !real_->order_of_runs.empty()) {
      found_ = "effects were waiting for a flush that nobody had asked for";
    } else if (requests > 1) {
      found_ = "one flush was asked for " + std::to_string(requests) + " times";
    }
    is_settled_ = true;
  }
  void step_with_victim(Kind kind, Random& random) {
    if (kind == Kind::DisposeNode) {
      if (memos_.empty() || chance(random, 50)) return;
      const int number = chance(random, 85) ? pick(random, memos_) : pick(random, data_);
      say("dispose node ", number);
      sources_[static_cast<size_t>(number)].disposed = true;
      real_->dispose_node(number);
      spec_->dispose_node(number);
      return;
    }
    if (effects_.empty()) return;
    LogEffect& victim = effects_[random() % effects_.size()];
    if (!victim.alive) return;
    say(kind == Kind::Schedule ? "schedule" : "dispose", " effect ", victim.tag);
    if (kind == Kind::Schedule) {
      real_->schedule(victim.real);
      spec_->schedule(victim.spec);
    } else {
      victim.alive = false;
      real_->dispose_effect(victim.real);
      spec_->dispose_effect(victim.spec);
    }
  }
  void new_memo(Random& random) {
    auto formula = random_formula(random, false);
    formulas_.push_back(formula);
    memos_.push_back(static_cast<int>(sources_.size()));
    say("memo ", memos_.back(), " tag ", next_tag_, ' ', text_of(*formula));
    sources_.push_back({0, formula.get()});
    real_->add_memo(next_tag_, *formula);
    spec_->add_memo(next_tag_, *formula);
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
    const int real = real_->add_effect(next_tag_, *formula, order);
    const int spec = spec_->add_effect(next_tag_, *formula, order);
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
    for (size_t tag = 0; tag < real_->runs.size(); ++tag) {
      if (!habits_.counts_are_exact() && !is_effect(tag)) continue;
      if (real_->runs[tag] != spec_->runs[tag]) {
        out << "tag " << tag << " ran " << real_->runs[tag] << " times in all, expected "
            << spec_->runs[tag] << "; ";
      }
      if (real_->seen[tag] != spec_->seen[tag]) {
        out << "effect " << tag << " has seen "
            << (real_->seen[tag] ? text(*real_->seen[tag]) : "nothing") << ", expected "
            << (spec_->seen[tag] ? text(*spec_->seen[tag]) : "nothing") << "; ";
      }
    }
    if (real_->living_inner != spec_->living_inner) {
      out << real_->living_inner << " nodes made by runs, expected " << spec_->living_inner << "; ";
    }
    const auto& order = real_->order_of_runs;
    if (!std::is_sorted(order.begin(), order.end(), [](const Order& a, const Order& b) {
          return std::pair(a.phase, a.priority) < std::pair(b.phase, b.priority);
        })) {
      out << "effects ran out of the order of phase and priority; ";
    }
    if (is_settled_) compare_with_oracle(out);
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
      const auto& real = real_->seen[static_cast<size_t>(effect.tag)];
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
  bool is_settled_ = false;  // nothing has happened since a flush
  std::string found_;
  std::optional<RealGraph> real_;
  std::optional<Spec> spec_;
};

// Runs a program; returns what went wrong first, empty when nothing did.
std::string failure_of(uint32_t seed, const std::vector<Operation>& operations, bool verbose,
                       bool deferred) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  {
    Scope scope;
    auto comparison = std::make_unique<Comparison>(seed, verbose, deferred);
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

std::string at_once(uint32_t seed, const std::vector<Operation>& operations, bool verbose) {
  return failure_of(seed, operations, verbose, false);
}
std::string deferred(uint32_t seed, const std::vector<Operation>& operations, bool verbose) {
  return failure_of(seed, operations, verbose, true);
}

TEST(RandomPrograms, OnSeveralThreadsDoNotDisturbOneAnother) {
  std::array<std::string, 4> found;
  {
    std::vector<std::jthread> threads;
    for (uint32_t self = 0; self < found.size(); ++self) {
      threads.emplace_back([&, self] {
        for (uint32_t seed = 1000 * self; seed < 1000 * self + 15; ++seed) {
          Random random(seed);
          found[self] += failure_of(seed, random_operations(random), false, seed % 2 != 0);
        }
      });
    }
  }
  for (const std::string& what : found) EXPECT_EQ(what, "");
}

// The order in which a write reaches effects of the same phase and priority: depth first along
// subscriptions, oldest first. Memos and effects that read the same nodes in every run.
class StaticProgram {
 public:
  explicit StaticProgram(Random& random) : random_(random) {
    for (int n = 1 + below(random, 4); n > 0; --n) signals_.emplace_back(0);
    const int memos = below(random, 25);
    subscribers_.resize(signals_.size() + static_cast<size_t>(memos));
    for (int n = 0; n < memos; ++n) {
      const int self = static_cast<int>(nodes());
      memos_.push_back(memo([this, self, sources = some_nodes()] { return sum(self, sources); }));
    }
    for (int n = 1 + below(random, 10); n > 0; --n) {
      const int self = -n;
      effect([this, self, sources = some_nodes()] {
        ran_.push_back(self);
        sum(self, sources);
      });
    }
  }

  // Writes some signals and compares the order of the effects that ran.
  void check_a_write() {
    std::vector<int> expected;
    std::set<int> marked;
    ran_.clear();
    batch([&] {
      for (int n = 1 + below(random_, 3); n > 0; --n) {
        const int which = below(random_, signals_.size());
        const Signal<int>& signal = signals_[static_cast<size_t>(which)];
        const int value = below(random_, 4);
        if (signal.peek() != value) mark(which, marked, expected);
        signal.set(value);
      }
    });
    std::erase_if(expected, [&](int effect) { return std::ranges::count(ran_, effect) == 0; });
    ASSERT_EQ(ran_, expected);
  }

 private:
  size_t nodes() const { return signals_.size() + memos_.size(); }
  std::vector<int> some_nodes() {
    std::vector<int> some;
    for (int n = 1 + below(random_, 4); n > 0; --n) some.push_back(below(random_, nodes()));
    return some;
  }
  int sum(int self, const std::vector<int>& sources) {
    int total = 0;
    for (int source : sources) {
      const auto which = static_cast<size_t>(source);
      total +=
          which < signals_.size() ? signals_[which].get() : memos_[which - signals_.size()].get();
      auto& readers = subscribers_[which];
      if (std::ranges::count(readers, self) == 0) readers.push_back(self);
    }
    return total % 5;
  }
  void mark(int node, std::set<int>& marked, std::vector<int>& effects) const {
    if (!marked.insert(node).second) return;
    if (node < 0) return effects.push_back(node);
    for (int reader : subscribers_[static_cast<size_t>(node)]) mark(reader, marked, effects);
  }

  Random& random_;
  std::vector<Signal<int>> signals_;
  std::vector<Memo<int>> memos_;
  std::vector<std::vector<int>> subscribers_;  // in order of their first read
  std::vector<int> ran_;
};

TEST(RandomPrograms, EffectsRunInTheOrderInWhichWritesReachThem) {
  for (uint32_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    Runtime runtime;
    RuntimeEntry entry(runtime);
    StaticProgram program(random);
    for (int step = 0; step < 40 && !HasFailure(); ++step) program.check_a_write();
  }
}

TEST(RandomPrograms, RunAsOftenAsTheSpecificationSaysAndSeeWhatTheOracleComputes) {
  check_seeds(200, at_once);
}

TEST(RandomPrograms, RunAsOftenAsTheSpecificationSaysWhereFlushesAreDeferred) {
  check_seeds(200, deferred);
}

TEST(RandomPrograms, RunTheSameWhileTheyAreRecorded) {
  inspect::record_all({.events_max = 64});
  check_seeds(100, at_once);
  inspect::stop_all();
}

}  // namespace
}  // namespace lattice
