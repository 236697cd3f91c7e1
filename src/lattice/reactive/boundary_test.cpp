// SPDX-License-Identifier: MIT
#include "lattice/reactive/boundary.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "lattice/reactive.hpp"

namespace lattice {
namespace {

std::string message_of(std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& known) {
    return known.what();
  }
}

class Boundary : public testing::Test {
 protected:
  Boundary() : entry_(runtime_) {
    runtime_.set_error_handler(
        [this](std::exception_ptr error, const char*) { unhandled_.push_back(message_of(error)); });
  }
  std::function<void(std::exception_ptr)> into(std::vector<std::string>& list) {
    return [&list](std::exception_ptr error) { list.push_back(message_of(error)); };
  }

  Runtime runtime_;
  RuntimeEntry entry_;
  std::vector<std::string> unhandled_, outer_, inner_;
};

TEST_F(Boundary, TakesErrorsOfEffectsBelowItFirstRunAndLater) {
  Signal<int> source{0};
  error_boundary(
      [&] { effect([=] { throw std::runtime_error("run " + std::to_string(source.get())); }); },
      into(inner_));
  source.set(1);
  EXPECT_EQ(inner_, (std::vector<std::string>{"run 0", "run 1"}));
  EXPECT_TRUE(unhandled_.empty());
}

TEST_F(Boundary, NearestOneTakesItAndOthersSeeNothing) {
  error_boundary(
      [&] {
        error_boundary([] { effect([] { throw std::runtime_error("deep"); }); }, into(inner_));
        effect([] { throw std::runtime_error("beside"); });
      },
      into(outer_));
  effect([] { throw std::runtime_error("outside"); });
  EXPECT_EQ(inner_, (std::vector<std::string>{"deep"}));
  EXPECT_EQ(outer_, (std::vector<std::string>{"beside"}));
  EXPECT_EQ(unhandled_, (std::vector<std::string>{"outside"}));
}

TEST_F(Boundary, WhatTheBodyOrAHandlerThrowsGoesUp) {
  error_boundary(
      [&] {
        error_boundary([] { throw std::runtime_error("body"); },
                       [&](std::exception_ptr error) {
                         inner_.push_back(message_of(error));
                         throw std::runtime_error("handler");
                       });
      },
      into(outer_));
  EXPECT_EQ(inner_, (std::vector<std::string>{"body"}));
  EXPECT_EQ(outer_, (std::vector<std::string>{"handler"}));
  error_boundary([] { throw std::runtime_error("body"); },
                 [](std::exception_ptr) { throw std::runtime_error("last"); });
  EXPECT_EQ(unhandled_, (std::vector<std::string>{"last"}));
}

TEST_F(Boundary, OwnHandlerOfAnEffectComesFirstAndIsForItAlone) {
  error_boundary(
      [&] {
        effect(
            [] {
              effect([] { throw std::runtime_error("nested"); });
              throw std::runtime_error("own");
            },
            EffectOptions{.on_error = into(inner_)});
      },
      into(outer_));
  EXPECT_EQ(inner_, (std::vector<std::string>{"own"}));
  EXPECT_EQ(outer_, (std::vector<std::string>{"nested"}));
}

TEST_F(Boundary, TakesErrorsOfCleanupsOnReRunAndAtTheEnd) {
  Signal<int> source{0};
  Effect failing{reactive::NodeHandle{}};
  error_boundary(
      [&] {
        failing = effect([=] {
          const int run = source.get();
          on_cleanup([=] { throw std::runtime_error("cleanup " + std::to_string(run)); });
        });
      },
      into(inner_));
  source.set(1);
  failing.dispose();
  EXPECT_EQ(inner_, (std::vector<std::string>{"cleanup 0", "cleanup 1"}));
}

TEST_F(Boundary, SeesAMemosErrorWhenAnEffectReadsIt) {
  Signal<int> source{0};
  error_boundary(
      [&] {
        auto broken = memo([=]() -> int {
          if (source.get() < 2) throw std::runtime_error("memo");
          return source.get();
        });
        EXPECT_TRUE(inner_.empty());
        effect([=] { broken.get(); });
      },
      into(inner_));
  source.set(1);
  source.set(2);
  EXPECT_EQ(inner_, (std::vector<std::string>{"memo", "memo"}));
}

TEST_F(Boundary, HandlerMayDisposeTheBoundary) {
  Signal<int> source{0};
  Owner owner = Owner::root();
  owner = error_boundary(
      [&] {
        effect([=] {
          if (source.get() == 1) throw std::runtime_error("end");
        });
      },
      [&](std::exception_ptr error) {
        inner_.push_back(message_of(error));
        owner.dispose();
      });
  source.set(1);
  source.set(0);
  source.set(1);
  EXPECT_EQ(inner_, (std::vector<std::string>{"end"}));
  EXPECT_FALSE(owner.alive());
}

}  // namespace
}  // namespace lattice
