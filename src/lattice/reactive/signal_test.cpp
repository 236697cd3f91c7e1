// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "lattice/reactive.hpp"

namespace lattice {
namespace {

TEST(Signal, WriteRunsEffectThroughMemo) {
  Scope scope;
  Signal<int> count{0};
  auto doubled = memo([=] { return count.get() * 2; });
  int seen = -1;
  effect([&] { seen = doubled.get(); });
  EXPECT_EQ(seen, 0);
  count.set(5);
  EXPECT_EQ(seen, 10);
}

}  // namespace
}  // namespace lattice
