// SPDX-License-Identifier: MIT
// Memory for arrays: aligned, and large pieces kept for the next array of about that size.
//
// A fresh array of many megabytes costs more than the kernel that fills it: the system gives pages
// one by one, each cleared. Pieces of a megabyte and more are therefore kept when they are given
// back, up to a limit for all together, the oldest first to go; they are asked for in huge pages.
// Whoever takes a buffer finds in it what was there before, and has to write all of it.
//
// Thread safety: everything here may be called from any thread, and in the child of a fork.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lattice::jit {

inline constexpr size_t kBufferAlignment = 64;

// At least `bytes` bytes at a multiple of kBufferAlignment, with unspecified contents. Null when
// there is no memory.
[[nodiscard]] void* take_buffer(size_t bytes) noexcept;
// What take_buffer() has returned, or null.
void give_buffer(void* memory) noexcept;
// How many bytes can be used; at least those asked for.
size_t buffer_capacity(const void* memory) noexcept;

struct BufferStatistics {
  size_t kept = 0;   // bytes that wait for the next array
  size_t limit = 0;  // and how many may
  uint64_t reused = 0;
  uint64_t mapped = 0;  // large pieces that the system was asked for
};
BufferStatistics buffer_statistics() noexcept;
// At first an eighth of the machine's memory, at most 1 GiB, or LATTICE_JIT_BUFFERS (in MiB) of the
// environment. What is beyond the new limit goes back to the system.
void set_buffer_limit(size_t bytes) noexcept;

}  // namespace lattice::jit
