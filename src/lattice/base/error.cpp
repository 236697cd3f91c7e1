// SPDX-License-Identifier: MIT
#include "lattice/base/error.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace lattice {
namespace {
std::atomic<AssertHook> assert_hook{nullptr};
}

void set_assert_hook(AssertHook hook) noexcept { assert_hook.store(hook); }

namespace internal {
void assert_failed(const char* file, int line, const char* condition) noexcept {
  if (AssertHook hook = assert_hook.load()) hook(file, line, condition);
  std::fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
  std::abort();
}
}  // namespace internal
}  // namespace lattice
