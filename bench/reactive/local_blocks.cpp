// SPDX-License-Identifier: MIT
// Counts the basic blocks of local_visits.cpp; compiled without the instrumentation.
#include <cstdint>

namespace {
uint64_t count = 0;
}

extern "C" void __sanitizer_cov_trace_pc() { ++count; }

namespace lattice::bench {
uint64_t blocks() noexcept { return count; }
}  // namespace lattice::bench
