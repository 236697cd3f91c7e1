// SPDX-License-Identifier: MIT
// Random programs whose effects and memos write: once things have settled every value is what an
// oracle computes that knows each written signal as a function of what its writer reads.
//
// Every signal has at most one writer, which reads earlier nodes only, so there is exactly one
// fixed point, whatever the order of the effects. Some writers scribble first, read what they
// write, or write inside a batch or untracked; some effects and memos dispose an effect on their
// way.
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "lattice/reactive.hpp"
#include "lattice/reactive/random_engines_test.hpp"
#include "lattice/reactive/random_program_test.hpp"

namespace lattice {
namespace {

using namespace random_program;  // NOLINT: the vocabulary of this file

enum class Style : uint8_t { Plain, Scribbles, ReadsItself, Batched, Untracked, FromCleanup };
constexpr int kStyles = 6;

// What a writer writes when its formula gave this.
int written(const Outcome& outcome) { return (outcome.value * 3 + (outcome.failed ? 5 : 1)) % 8; }

class WritingProgram {
 public:
  WritingProgram(uint32_t seed, bool verbose) : random_(seed), habits_(random_), verbose_(verbose) {
    for (int n = 2 + below(random_, 4); n > 0; --n) add_signal(data_);
  }

  std::string apply(const Operation& operation) {
    Random random(operation.seed);
    runs_ = 0;
    step(operation.kind, random);
    return difference(chance(random, 15));
  }

 private:
  struct Node {
    std::optional<Signal<int>> signal;
    std::optional<Memo<int>> memo;
    std::shared_ptr<Formula> formula;  // of a memo, or of the living writer of a signal
    int value = 0;                     // of a signal that nobody writes
  };
  struct Log {
    std::optional<Effect> effect;
    std::shared_ptr<Formula> formula;
    std::shared_ptr<Outcome> seen = std::make_shared<Outcome>();
    int writes = -1;        // this node
    int victim = -1;        // disposes this effect when its value is a multiple of 3
    int follows_memo = -1;  // keeps alive a memo that writes or disposes
    bool alive = true;
    bool keeps_history = false;
  };

  // As an engine for evaluate().
  struct Reader {
    WritingProgram& program;
    int read(int number) {
      const Node& node = program.nodes_[static_cast<size_t>(number)];
      return node.signal ? node.signal->get() : node.memo->get();
    }
    void peek(int number) {
      static_cast<void>(outcome_of([&] { return untracked([&] { return read(number); }); }));
    }
    int read_through_inner(int number, int) {
      WritingProgram* self = &program;
      auto inner = memo([self, number] { return evaluate_inner(Reader{*self}.read(number)); });
      return inner.get();
    }
  };
  struct Wanted {
    const WritingProgram& program;
    std::map<int, Outcome> known = {};
    int read(int number) {
      const Node& node = program.nodes_[static_cast<size_t>(number)];
      if (node.formula == nullptr) return node.value;
      auto found = known.find(number);
      if (found == known.end()) {
        Outcome outcome = outcome_of([&] { return evaluate(*node.formula, 0, *this); });
        if (node.signal) outcome = {false, written(outcome)};
        found = known.emplace(number, outcome).first;
      }
      if (found->second.failed) throw Failure{found->second.value};
      return found->second.value;
    }
    void peek(int) {}
    int read_through_inner(int number, int) { return evaluate_inner(read(number)); }
  };

  template <class... Parts>
  void say(const Parts&... parts) {
    if (!verbose_) return;
    std::ostringstream line;
    (line << ... << parts);
    std::fprintf(stderr, "  %s\n", line.str().c_str());
  }

  int add_signal(std::vector<int>& group) {
    group.push_back(static_cast<int>(nodes_.size()));
    nodes_.push_back({Signal<int>(0), std::nullopt, nullptr});
    return group.back();
  }
  std::shared_ptr<Formula> random_formula(Random& random) {
    auto formula = std::make_shared<Formula>();
    for (int n = 1 + below(random, 4); n > 0; --n) {
      const size_t window = chance(random, 50) ? std::min<size_t>(nodes_.size(), 5) : nodes_.size();
      formula->sources.push_back(static_cast<int>(nodes_.size() - 1 - random() % window));
    }
    formula->modulus = 2 + below(random, 9);
    formula->branches = chance(random, 30);
    if (habits_.fails && chance(random, 30)) formula->fails_at = below(random, 11);
    formula->catches = chance(random, 40);
    formula->repeats = chance(random, 20);
    formula->peeks = chance(random, 10);
    formula->inner = habits_.inner && chance(random, 25);
    return formula;
  }
  static std::string text_of(const Formula& formula) {
    std::ostringstream out;
    for (int source : formula.sources) out << source << ' ';
    out << "mod " << formula.modulus << (formula.branches ? " branches" : "")
        << (formula.catches ? " catches" : "") << (formula.inner ? " inner" : "") << " fails at "
        << formula.fails_at;
    return out.str();
  }

  Outcome run(const Formula& formula) {
    ++runs_;
    Reader reader{*this};
    return outcome_of([&] { return evaluate(formula, 0, reader); });
  }
  void write(int number, Style style, const Outcome& outcome) {
    const Signal<int> target = *nodes_[static_cast<size_t>(number)].signal;
    const int value = written(outcome);
    switch (style) {
      case Style::Plain:
        return target.set(value);
      case Style::Scribbles:
        target.set(value + 100);
        return target.set(value);
      case Style::ReadsItself:
        if (target.get() != value) target.set(value);
        return;
      case Style::Batched:
        return batch([&] {
          target.set(-1);
          target.set(value);
        });
      case Style::Untracked:
        return untracked([&] { target.update([&](int before) { return before * 0 + value; }); });
      case Style::FromCleanup:  // of the run: what a cleanup writes stands until the run writes
        on_cleanup([target] { target.set(-7); });
        return target.set(value);
    }
  }

  void new_memo(Random& random) {
    auto formula = random_formula(random);
    say("memo ", nodes_.size(), " reads ", text_of(*formula));
    Node node{std::nullopt, memo([this, formula = formula.get()] {
                const Outcome outcome = run(*formula);
                if (outcome.failed) throw Failure{outcome.value};
                return outcome.value;
              }),
              formula};
    nodes_.push_back(std::move(node));
  }
  // An effect that looks on, writes a signal of its own, or disposes another; or a memo that does,
  // with an effect that keeps it alive.
  void new_effect(Random& random) {
    const bool is_writer = chance(random, 50);
    const bool in_memo = chance(random, 30);
    auto style = static_cast<Style>(below(random, kStyles));
    Log log;
    log.formula = random_formula(random);
    if (in_memo) {
      log.formula->catches = true;
      if (style == Style::ReadsItself) style = Style::Plain;  // a memo that reads what it writes
    }
    if (is_writer) {
      std::vector<int> sinks;
      log.writes = add_signal(sinks);
    } else if (!logs_.empty() && chance(random, 30)) {
      log.victim = below(random, logs_.size());
      // Only one that writes nothing: a value must not depend on when its writer was disposed.
      if (logs_[static_cast<size_t>(log.victim)].writes >= 0) log.victim = -1;
    }
    say("effect ", logs_.size(), in_memo ? " through a memo" : "", " reads ", text_of(*log.formula),
        " writes ", log.writes, " style ", static_cast<int>(style), " victim ", log.victim);
    const size_t self = logs_.size();
    EffectOptions options;
    if (habits_.phases && chance(random, 30)) options.phase = Phase::Render;
    if (habits_.phases) options.priority = below(random, 5) - 2;
    options.on_error = [](std::exception_ptr) {};
    auto act = [this, self, style, formula = log.formula.get(), seen = log.seen,
                writes = log.writes, victim = log.victim] {
      const Outcome outcome = run(*formula);
      *seen = outcome;
      if (writes >= 0) write(writes, style, outcome);
      if (victim >= 0 && outcome.value % 3 == 0) dispose(static_cast<size_t>(victim));
      if (!logs_[self].alive) found_ = "effect " + std::to_string(self) + " ran after its disposal";
      if (outcome.failed) throw Failure{outcome.value};
      return outcome.value;
    };
    if (log.writes >= 0) nodes_[static_cast<size_t>(log.writes)].formula = log.formula;
    logs_.push_back(std::move(log));
    std::optional<Effect> made;
    if (in_memo) {
      auto acting = memo(act);
      made = effect([acting] { acting.get(); }, options);
    } else {
      made = effect(act, options);
    }
    logs_[self].effect = made;
    if (!logs_[self].alive) made->dispose();
  }
  void dispose(size_t which) {
    Log& log = logs_[which];
    if (!log.alive) return;
    log.alive = false;
    if (log.effect) log.effect->dispose();
  }
  void dispose_some_effect(Random& random) {
    if (logs_.empty()) return;
    const size_t which = random() % logs_.size();
    Log& log = logs_[which];
    if (!log.alive) return;
    say("dispose effect ", which);
    dispose(which);
    if (log.writes < 0) return;
    // What it wrote last stays, until somebody else writes: from now on anybody may.
    Node& node = nodes_[static_cast<size_t>(log.writes)];
    node.formula = nullptr;
    node.value = untracked([&] { return node.signal->get(); });
    data_.push_back(log.writes);
  }
  void set(int number, int value) {
    say("set ", number, " = ", value);
    Node& node = nodes_[static_cast<size_t>(number)];
    node.value = value;
    node.signal->set(value);
  }
  void write_some(Random& random) {
    for (int n = 1 + below(random, 3); n > 0; --n) {
      set(data_[random() % data_.size()], below(random, 8));
    }
    if (chance(random, 20)) Reader{*this}.peek(below(random, nodes_.size()));
  }

  void step(Kind kind, Random& random) {
    switch (kind) {
      case Kind::NewMemo:
        return chance(random, 70) ? new_memo(random) : new_effect(random);
      case Kind::NewEffect:
        return new_effect(random);
      case Kind::Batch:
      case Kind::BatchBack:
        return batch([&] { write_some(random); });
      case Kind::BatchThrow:
        static_cast<void>(outcome_of([&]() -> int {
          batch([&] {
            write_some(random);
            throw Failure{0};
          });
          return 0;
        }));
        return;
      case Kind::DisposeEffect:
        return dispose_some_effect(random);
      case Kind::Schedule:
        if (!logs_.empty()) logs_[random() % logs_.size()].effect->schedule();
        return Runtime::current().flush();
      default:
        return set(data_[random() % data_.size()], below(random, 8));
    }
  }

  // Reading memos that nobody watches keeps them warm: not after every operation.
  std::string difference(bool read_all) {
    if (!found_.empty()) return found_;
    // Each effect at most once for each writer that it may be downstream of, and once more.
    if (runs_ > (nodes_.size() + logs_.size()) * (logs_.size() + 2)) {
      return std::to_string(runs_) + " runs";
    }
    std::ostringstream out;
    Wanted wanted{*this};
    for (size_t i = 0; i < logs_.size(); ++i) {
      if (!logs_[i].alive) continue;
      const Outcome expected = outcome_of([&] { return evaluate(*logs_[i].formula, 0, wanted); });
      if (*logs_[i].seen == expected) continue;
      out << "effect " << i << " has seen " << text(*logs_[i].seen) << ", the oracle expects "
          << text(expected) << "; ";
    }
    Reader reader{*this};
    for (size_t i = 0; read_all && i < nodes_.size(); ++i) {
      const int number = static_cast<int>(i);
      const Outcome real = outcome_of([&] { return reader.read(number); });
      const Outcome expected = outcome_of([&] { return wanted.read(number); });
      if (real == expected) continue;
      out << "node " << i << " is " << text(real) << ", the oracle expects " << text(expected)
          << "; ";
    }
    return out.str();
  }

  Random random_;
  Habits habits_;
  bool verbose_;
  std::vector<Node> nodes_;
  std::vector<int> data_;  // signals that the program may write from outside
  std::vector<Log> logs_;
  std::string found_;
  size_t runs_ = 0;
};

std::string failure_of(uint32_t seed, const std::vector<Operation>& operations, bool verbose) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  runtime.set_error_handler([](std::exception_ptr, const char*) {});
  {
    Scope scope;
    WritingProgram program(seed, verbose);
    for (size_t i = 0; i < operations.size(); ++i) {
      if (verbose) std::fprintf(stderr, "operation %zu\n", i);
      const std::string found = program.apply(operations[i]);
      if (found.empty()) continue;
      scope.dispose();
      return "after operation " + std::to_string(i) + ": " + found;
    }
    scope.dispose();
  }
  const reactive::Arena& arena = runtime.graph().arena();
  if (arena.nodes_live() == 1 && arena.links_live() == 0) return "";
  return std::to_string(arena.nodes_live()) + " nodes and " + std::to_string(arena.links_live()) +
         " links are left";
}

TEST(RandomWrites, SettleWhereEveryWrittenSignalIsWhatItsWriterComputes) {
  check_seeds(150, failure_of);
}

}  // namespace
}  // namespace lattice
