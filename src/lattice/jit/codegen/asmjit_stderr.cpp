// SPDX-License-Identifier: MIT
// The `stderr` that AsmJit's static library sees inside a shared object.
//
// Debian builds libasmjit.a without -fPIC, so its default logger refers to libc's `stderr` by a
// 32-bit distance, which a shared object cannot hold for a symbol of another library. The shared
// objects are linked with --wrap=stderr (module.cmake): that reference becomes one to the hidden
// variable below. Executables are linked without the option and never look at it.
#include <cstdio>

extern "C" {
// `__real_stderr` is libc's own under --wrap=stderr. It is weak because an executable, linked
// without the option, has no such symbol.
extern FILE* __real_stderr __attribute__((weak));
extern FILE* __wrap_stderr;
__attribute__((visibility("hidden"))) FILE* __wrap_stderr = nullptr;
}

namespace {
[[gnu::constructor]] void take_stderr() {
  if (&__real_stderr != nullptr) __wrap_stderr = __real_stderr;
}
}  // namespace
