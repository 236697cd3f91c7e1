// SPDX-License-Identifier: MIT
#include "lattice/reactive/context.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "lattice/reactive.hpp"

namespace lattice {
namespace {

const Context<std::string> theme{"light"};

TEST(Context, IsTheDefaultWhereNobodyProvides) {
  Scope scope;
  EXPECT_EQ(theme.use(), "light");
}

TEST(Context, NearestProviderWinsAndEndsWithItsScope) {
  Scope outer;
  theme.provide("dark");
  EXPECT_EQ(theme.use(), "dark");
  {
    Scope inner;
    EXPECT_EQ(theme.use(), "dark");
    theme.provide("blue");
    EXPECT_EQ(theme.use(), "blue");
  }
  EXPECT_EQ(theme.use(), "dark");
}

TEST(Context, ProvidingAgainReplaces) {
  Scope scope;
  theme.provide("a");
  theme.provide("b");
  EXPECT_EQ(theme.use(), "b");
}

TEST(Context, ContextsAreIndependent) {
  Scope scope;
  const Context<int> depth{1}, width{2};
  depth.provide(10);
  EXPECT_EQ(depth.use(), 10);
  EXPECT_EQ(width.use(), 2);
}

TEST(Context, EffectsAndMemosBelowFindItWhenTheyRunLater) {
  Scope scope;
  Signal<int> trigger{0};
  std::vector<std::string> seen;
  Owner::create().run([&] {
    theme.provide("dark");
    auto shown = memo([=] { return theme.use() + std::to_string(trigger.get()); });
    effect([&, shown] { seen.push_back(shown.get()); });
  });
  trigger.set(1);
  EXPECT_EQ(theme.use(), "light");
  EXPECT_EQ(seen, (std::vector<std::string>{"dark0", "dark1"}));
}

TEST(Context, WhatAnEffectProvidesIsSeenBelowItAndGoneWithItsNextRun) {
  Scope scope;
  Signal<bool> provides{true};
  std::vector<std::string> seen;
  effect([&, provides] {
    if (provides.get()) theme.provide("dark");
    effect([&] { seen.push_back(theme.use()); });
  });
  provides.set(false);
  EXPECT_EQ(theme.use(), "light");
  EXPECT_EQ(seen, (std::vector<std::string>{"dark", "light"}));
}

TEST(Context, MayHoldASignalThatReadersFollow) {
  Scope scope;
  const Context<Signal<int>> level{Signal<int>{0}};
  level.provide(Signal<int>{5});
  std::vector<int> seen;
  effect([&] { seen.push_back(level.use().get()); });
  level.use().set(6);
  EXPECT_EQ(seen, (std::vector<int>{5, 6}));
}

TEST(Context, ValueIsReleasedWithItsOwner) {
  const Context<std::shared_ptr<int>> held;
  auto value = std::make_shared<int>(1);
  std::weak_ptr<int> weak = value;
  {
    Scope scope;
    held.provide(std::move(value));
    EXPECT_EQ(*held.use(), 1);
  }
  EXPECT_TRUE(weak.expired());
}

}  // namespace
}  // namespace lattice
