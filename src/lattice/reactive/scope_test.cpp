// SPDX-License-Identifier: MIT
#include "lattice/reactive/scope.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "lattice/reactive.hpp"

namespace lattice {
namespace {

using Log = std::vector<std::string>;

TEST(Scope, DisposesLastFirst) {
  Log log;
  {
    Scope scope;
    on_cleanup([&] { log.push_back("first"); });
    effect([&] { on_cleanup([&] { log.push_back("effect"); }); });
    on_cleanup([&] { log.push_back("last"); });
  }
  EXPECT_EQ(log, (Log{"last", "effect", "first"}));
}

TEST(Scope, OwnsWhatIsCreatedWhileItExists) {
  Signal<int> x{0};
  int runs = 0;
  {
    Scope scope;
    effect([&] { x.get(), ++runs; });
  }
  x.set(1);
  EXPECT_EQ(runs, 1);
  x.dispose();
}

TEST(Owner, RunMakesItCurrentAndKeepsTracking) {
  Scope scope;
  Owner owner = Owner::create();
  Signal<int> x{0};
  int runs = 0;
  std::optional<Signal<int>> inside;
  effect([&] {
    ++runs;
    owner.run([&] {
      x.get();
      if (!inside) inside.emplace(1);
    });
  });
  x.set(1);
  EXPECT_EQ(runs, 2);
  EXPECT_TRUE(inside->alive());
  owner.dispose();
  EXPECT_FALSE(inside->alive());
}

TEST(Owner, DisposeIsIdempotentAndEndsChildren) {
  Scope scope;
  Owner parent = Owner::create();
  Owner child = parent.create_child();
  parent.dispose();
  parent.dispose();
  EXPECT_FALSE(child.alive());
  EXPECT_THROW(child.run([] {}), DisposedError);
  EXPECT_THROW(child.create_child(), DisposedError);
}

TEST(Owner, DisposedWhileEnteredEndsWhatItStillMakes) {
  Scope scope;
  Owner owner = Owner::create();
  std::optional<Signal<int>> late;
  owner.run([&] {
    owner.dispose();
    late.emplace(1);
    EXPECT_EQ(late->get(), 1);
  });
  EXPECT_FALSE(late->alive());
}

TEST(Owner, ClearKeepsTheOwner) {
  Log log;
  Scope scope;
  Owner owner = Owner::create();
  owner.run([&] { on_cleanup([&] { log.push_back("gone"); }); });
  owner.clear();
  EXPECT_EQ(log.size(), 1u);
  EXPECT_TRUE(owner.alive());
}

TEST(Owner, EffectCreatedUnderARootSurvivesItsCreatorsNextRun) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  Signal<int> x{0}, y{0};
  int runs = 0;
  std::optional<Effect> once;
  effect([&] {
    x.get();
    if (!once) {
      Owner::root().run([&] { once = effect([&] { y.get(), ++runs; }); });
    }
  });
  x.set(1);
  y.set(1);
  EXPECT_EQ(runs, 2);
}

TEST(Owner, EnteringAnEffectsOwnerFromOutsideDoesNotMuteIt) {
  Scope scope;
  Signal<int> x{0};
  int runs = 0;
  std::optional<Owner> inside;
  effect([&] {
    x.get();
    ++runs;
    inside = Owner::current();
  });
  inside->run([&] { x.set(1); });
  EXPECT_EQ(runs, 2);
}

TEST(Owner, WritesInCleanupsRunEffectsAfterTheDisposal) {
  Log log;
  Scope scope;
  Signal<int> x{0};
  effect([&] { log.push_back("effect " + std::to_string(x.get())); });
  Owner owner = Owner::create();
  owner.run([&] {
    on_cleanup([&] { log.push_back("outer"); });
    on_cleanup([&] { x.set(1); });
  });
  log.clear();
  owner.dispose();
  EXPECT_EQ(log, (Log{"outer", "effect 1"}));
}

TEST(Scope, DisposingManySignalsOldestFirstIsLinear) {
  // Quadratic, this takes minutes.
  std::vector<Signal<int>> signals;
  for (int i = 0; i < 300'000; ++i) signals.emplace_back(i);
  for (const Signal<int>& signal : signals) signal.dispose();
  for (const Signal<int>& signal : signals) ASSERT_FALSE(signal.alive());
}

}  // namespace
}  // namespace lattice
