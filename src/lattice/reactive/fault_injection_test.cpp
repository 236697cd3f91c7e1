// SPDX-License-Identifier: MIT
// Whatever user code throws, wherever the engine calls it, the graph stays usable.
//
// One scenario calls user code at every place there is: bodies of memos and effects, equality,
// cleanups, error handlers, posted messages, constructors and assignments of values, copies of
// closures. It is repeated with an exception from the first such call, the second, and so on until
// one passes without. After each the next writes must give the right values, nothing may be queued
// still, and the end must leave no node, link or value. (Bodies read before they throw: one that
// has read nothing depends on nothing and stays as it is.)
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "lattice/reactive.hpp"

namespace lattice {
namespace {

struct Injected {};

// Throws at the call that was asked for.
class Fault {
 public:
  void arm(int call) {
    calls_left_ = call;
    fired_ = false;
  }
  void disarm() { calls_left_ = 0; }
  bool fired() const { return fired_; }
  void point() {
    if (calls_left_ == 0 || --calls_left_ != 0) return;
    fired_ = true;
    throw Injected{};
  }

 private:
  int calls_left_ = 0;
  bool fired_ = false;
};
Fault fault;

// Every way to make or change one may throw.
struct Value {
  Value(int initial) : number(initial) { count(); }  // NOLINT: implicit on purpose
  Value(const Value& other) : number(other.number) { count(); }
  // NOLINTNEXTLINE(performance-noexcept-move-constructor): throws on purpose
  Value(Value&& other) : number(other.number) { count(); }
  Value& operator=(const Value& other) {
    fault.point();
    number = other.number;
    return *this;
  }
  // NOLINTNEXTLINE(performance-noexcept-move-constructor): throws on purpose
  Value& operator=(Value&& other) {
    fault.point();
    number = other.number;
    return *this;
  }
  ~Value() { --living; }

  int number;
  static inline int living = 0;

 private:
  void count() {
    fault.point();
    ++living;
  }
};

struct SameNumber {
  Value held = 0;  // an equality that is expensive to copy
  bool operator()(const Value& a, const Value& b) const {
    fault.point();
    return a.number == b.number;
  }
};
using Source = Signal<Value, SameNumber>;

// Every node may be missing: its creation may have been what threw.
class Scenario {
 public:
  explicit Scenario(Runtime& runtime) : runtime_(runtime) {
    runtime.set_error_handler([](std::exception_ptr, const char*) { fault.point(); });
  }

  void play() {
    attempt([&] { a_.emplace(Value(1), SameNumber{}); });
    attempt([&] { b_.emplace(Value(2), SameNumber{}, "b"); });
    attempt([&] { mirror_.emplace(Value(0), SameNumber{}); });
    attempt([&] { make_memos(); });
    attempt([&] { make_effects(); });
    attempt([&] { a_.value().set(3); });
    attempt([&] { write_in_a_batch(); });
    attempt([&] { b_.value().update([](const Value& value) { return Value(value.number + 1); }); });
    attempt([&] { untracked([&] { return total_.value().get(); }); });
    attempt([&] { post(); });
    attempt([&] { runtime_.drain_mailbox(); });
    attempt([&] { replace_the_watcher(); });
    attempt([&] { a_.value().set(8); });
    attempt([&] { with_a_scope_of_its_own(); });
  }

  // REQUIRES: disarmed. Two rounds: what one writes must also be seen to change.
  void expect_sound() {
    const int runs = runs_;
    runtime_.flush();
    EXPECT_EQ(runs_, runs) << "an effect was still queued";
    for (int round = 1; round <= 2; ++round) {
      if (a_) a_->set(100 * round);
      if (b_) b_->set(10 * round);
      if (!a_ || !b_ || !mirror_) continue;
      if (total_) {
        EXPECT_EQ(total_->get().number, 110 * round);
      }
      if (total_ && twice_) {
        EXPECT_EQ(twice_->get().number, 220 * round);
      }
      if (total_ && twice_ && watcher_) {
        EXPECT_EQ(seen_, 220 * round);
      }
      if (copier_) {
        EXPECT_EQ(mirror_->get().number, 100 * round);
      }
    }
    EXPECT_EQ(children_, watcher_ ? 1 : 0);
  }

 private:
  template <class F>
  void attempt(F&& body) {
    try {
      body();
    } catch (const Injected&) {
    } catch (const std::bad_optional_access&) {
    }
  }

  void make_memos() {
    total_ = memo(
        [this, one = Value(1)] {
          a_.value().with([](const Value&) { fault.point(); });
          on_cleanup([] { fault.point(); });
          auto inner = memo([this] { return Value(b_.value().get().number); });
          return Value(a_.value().get().number + inner.get().number * one.number);
        },
        MemoOptions<SameNumber>{SameNumber{}, "total"});
    twice_ = memo([this] { return Value(total_.value().get().number * 2); });
  }
  void make_effects() {
    copier_ = effect([this] {
      const Value copied = a_.value().get();
      fault.point();
      mirror_.value().set(copied);
    });
    EffectOptions options{Phase::User, 1, "watcher",
                          [copied = Value(1)](std::exception_ptr) { fault.point(); }};
    watcher_ = effect([this, copied = Value(1)] { watch(); }, std::move(options));
  }
  void watch() {
    ++runs_;
    ++children_;
    on_cleanup([this] {
      --children_;
      fault.point();
    });
    seen_ = twice_.value().get().number;
    effect([this] {
      ++runs_;
      on_cleanup([] { fault.point(); });
      mirror_.value().with([](const Value&) { fault.point(); });
    });
  }
  void write_in_a_batch() {
    batch([&] {
      a_.value().set(4);
      b_.value().set(5);
      fault.point();
      static_cast<void>(twice_.value().get());
      a_.value().set(6);
      b_.value().set(5);
    });
  }
  void post() {
    runtime_.mailbox().post([this] {
      fault.point();
      a_.value().set(7);
    });
    runtime_.mailbox().post([this] { b_.value().set(7); });
  }
  void replace_the_watcher() {
    watcher_.value().dispose();
    watcher_.reset();
    seen_ = 0;
    watcher_ = effect([this, copied = Value(2)] { watch(); });
  }
  void with_a_scope_of_its_own() {
    Scope scope;
    on_cleanup([] { fault.point(); });
    auto local = memo([this] { return a_.value().get(); });
    effect([&] {
      fault.point();
      static_cast<void>(local.get());
    });
    a_.value().set(9);
  }

  Runtime& runtime_;
  std::optional<Source> a_, b_, mirror_;
  std::optional<Memo<Value>> total_, twice_;
  std::optional<Effect> copier_, watcher_;
  int seen_ = 0;
  int runs_ = 0;
  int children_ = 0;
};

TEST(FaultInjection, AnExceptionAtAnyCallOfUserCodeLeavesTheGraphSound) {
  testing::internal::CaptureStderr();  // error handlers that throw are reported there
  int call = 0;
  do {
    SCOPED_TRACE(testing::Message() << "throwing at call " << ++call);
    Runtime runtime;
    RuntimeEntry entry(runtime);
    {
      Scope scope;
      Scenario scenario(runtime);
      fault.arm(call);
      scenario.play();
      fault.disarm();
      scenario.expect_sound();
      scope.dispose();
    }
    EXPECT_EQ(runtime.graph().arena().nodes_live(), 1u);
    EXPECT_EQ(runtime.graph().arena().links_live(), 0u);
    EXPECT_EQ(Value::living, 0);
    Value::living = 0;
  } while (fault.fired() && !HasFailure());
  testing::internal::GetCapturedStderr();
  RecordProperty("calls", call - 1);
  EXPECT_GT(call, 200);
}

}  // namespace
}  // namespace lattice
