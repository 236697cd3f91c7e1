// SPDX-License-Identifier: MIT
// More stack for memos that compute one another: a chain of them calls itself through user code.
//
// The first read of a chain of memos is a recursion that nobody can unroll: memo, function, read,
// memo. When little is left of the stack, Graph::clean goes on upon a segment of its own (mapped
// without reserve, a guard page below) and comes back when that memo is current. The caller waits
// meanwhile, so nothing but the stack pointer changes: exceptions end in NodeType::update, which is
// noexcept, and debuggers see through it.
//
//     thread's stack             side segment               side segment
//     ... clean() --call-->  clean() ... clean() --call-->  clean() ...
//          ^ less than the headroom left        ^ likewise
//
// A thread keeps the one segment that it used last, without its pages; the others are unmapped as
// soon as they are left. Where segments are not available (not Linux, or forbidden), or their sum
// reaches kSideBytesMax, Graph::clean throws NestingError instead.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace lattice::reactive {

inline constexpr size_t kSideBytesMax = size_t{4} << 30;  // of one thread

namespace internal {
// Below this address little is left of the current stack. At first everything is below.
[[gnu::visibility("hidden")]] extern constinit thread_local uintptr_t stack_limit
    [[gnu::tls_model("initial-exec")]];
}  // namespace internal

// True on a thread's first call, too; then stack_left() finds out.
[[gnu::always_inline]] inline bool stack_is_low() noexcept {
  return reinterpret_cast<uintptr_t>(__builtin_frame_address(0)) < internal::stack_limit;
}
// Bytes between here and the end of the stack.
size_t stack_left() noexcept;
// For tests: segments that this thread has mapped.
size_t side_segments() noexcept;
// For a host program that checks stack addresses itself.
void forbid_side_stacks() noexcept;

// Calls function(argument) on another segment. False when there is none.
bool call_on_side_stack(void (*function)(void*), void* argument) noexcept;

// REQUIRES: `body` does not throw.
template <class Body>
[[nodiscard]] bool on_side_stack(Body&& body) noexcept {
  return call_on_side_stack([](void* argument) { (*static_cast<std::decay_t<Body>*>(argument))(); },
                            std::addressof(body));
}

}  // namespace lattice::reactive
