// SPDX-License-Identifier: MIT
#include "lattice/reactive/side_stack.hpp"

#include <algorithm>
#include <atomic>

#if defined(__linux__)
#include <pthread.h>
#include <sys/mman.h>

#include <utility>
#if !defined(__x86_64__) && !defined(__aarch64__)
#include <ucontext.h>
#endif
#endif

#if defined(__SANITIZE_ADDRESS__)
#define LATTICE_ASAN_FIBERS 1
#elif defined(__SANITIZE_THREAD__)
#define LATTICE_TSAN_FIBERS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LATTICE_ASAN_FIBERS 1
#elif __has_feature(thread_sanitizer)
#define LATTICE_TSAN_FIBERS 1
#endif
#endif

#if defined(LATTICE_ASAN_FIBERS)
#include <sanitizer/common_interface_defs.h>
#elif defined(LATTICE_TSAN_FIBERS)
#include <sanitizer/tsan_interface.h>
#endif

namespace lattice::reactive {

namespace internal {
constinit thread_local uintptr_t stack_limit = UINTPTR_MAX;
}

namespace {
using internal::stack_limit;

constinit thread_local uintptr_t stack_low = 0;  // end of the current stack
std::atomic<bool> is_forbidden{false};

uintptr_t here() noexcept { return reinterpret_cast<uintptr_t>(__builtin_frame_address(0)); }

// What a user's function may need until the next memo is read.
constexpr size_t kHeadroomMin = size_t{48} << 10;
constexpr size_t kHeadroomMax = size_t{1} << 20;

void enter_bounds(uintptr_t low, size_t bytes) noexcept {
  stack_low = low;
  stack_limit = low + std::clamp(bytes / 4, kHeadroomMin, kHeadroomMax);
}
}  // namespace

void forbid_side_stacks() noexcept { is_forbidden.store(true, std::memory_order_relaxed); }

#if defined(__linux__)

namespace {

#if defined(LATTICE_TSAN_FIBERS)
// ThreadSanitizer's own stack of return addresses holds 64 Ki of them for each fiber.
constexpr size_t kSegmentBytes = size_t{2} << 20;
constexpr size_t kThreadBytesUsed = size_t{2} << 20;
#else
constexpr size_t kSegmentBytes = size_t{64} << 20;
constexpr size_t kThreadBytesUsed = SIZE_MAX;
#endif
constexpr size_t kGuardBytes = size_t{64} << 10;
constexpr size_t kPagesKeptBytes = size_t{256} << 10;

void measure_thread() noexcept {
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) {
    enter_bounds(here() - kHeadroomMin * 2, 0);
    return;
  }
  void* low = nullptr;
  size_t bytes = 0, guard = 0;
  pthread_attr_getstack(&attributes, &low, &bytes);
  pthread_attr_getguardsize(&attributes, &guard);
  pthread_attr_destroy(&attributes);
  const auto end = reinterpret_cast<uintptr_t>(low) + bytes;
  const size_t used = std::min(bytes - guard, kThreadBytesUsed);
  enter_bounds(end - used, used);
}

struct Segment {
  char* base = nullptr;
  void* fiber = nullptr;  // ThreadSanitizer's

  char* top() const noexcept { return base + kSegmentBytes; }

  bool map() noexcept {
    void* memory = mmap(nullptr, kSegmentBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) return false;
    base = static_cast<char*>(memory);
    mprotect(base, kGuardBytes, PROT_NONE);
#if defined(LATTICE_TSAN_FIBERS)
    fiber = __tsan_create_fiber(0);
#endif
    return true;
  }
  void unmap() noexcept {
    if (base == nullptr) return;
#if defined(LATTICE_TSAN_FIBERS)
    __tsan_destroy_fiber(fiber);
#endif
    munmap(std::exchange(base, nullptr), kSegmentBytes);
  }
  void drop_pages() noexcept {
    madvise(base + kGuardBytes, kSegmentBytes - kGuardBytes - kPagesKeptBytes, MADV_DONTNEED);
  }
};

constinit thread_local bool thread_is_ending = false;

struct ThreadSegments {
  Segment spare;
  size_t in_use = 0;

  ThreadSegments() = default;
  ~ThreadSegments() {
    thread_is_ending = true;
    spare.unmap();
  }
  ThreadSegments(const ThreadSegments&) = delete;
  ThreadSegments& operator=(const ThreadSegments&) = delete;

  bool take(Segment& segment) noexcept {
    if ((in_use + 1) * kSegmentBytes > kSideBytesMax) return false;
    segment = std::exchange(spare, {});
    if (segment.base == nullptr && !segment.map()) return false;
    ++in_use;
    return true;
  }
  void give(Segment segment) noexcept {
    --in_use;
    if (thread_is_ending) return segment.unmap();
    spare.unmap();
    segment.drop_pages();
    spare = segment;
  }
};
thread_local ThreadSegments segments;

struct Call {
  void (*function)(void*);
  void* argument;
#if defined(LATTICE_ASAN_FIBERS)
  const void* caller_low = nullptr;
  size_t caller_bytes = 0;
#endif
};

// First on the new stack, last before the return to the old one.
void run_call(void* argument) {
  auto* call = static_cast<Call*>(argument);
#if defined(LATTICE_ASAN_FIBERS)
  __sanitizer_finish_switch_fiber(nullptr, &call->caller_low, &call->caller_bytes);
#endif
  call->function(call->argument);
#if defined(LATTICE_ASAN_FIBERS)
  __sanitizer_start_switch_fiber(nullptr, call->caller_low, call->caller_bytes);
#endif
}

}  // namespace

#if defined(__x86_64__) || defined(__aarch64__)
// Its frame's canonical address is kept in the frame pointer, so that unwinders find the caller.
extern "C" [[gnu::visibility("hidden")]] void lattice_call_on_stack(void* argument,
                                                                    void (*function)(void*),
                                                                    void* top);
namespace {
void switch_to(const Segment& segment, Call& call) {
  lattice_call_on_stack(&call, &run_call, segment.top());
}
}  // namespace
#endif

#if defined(__x86_64__)
asm(R"(
.text
.p2align 4
.globl lattice_call_on_stack
.hidden lattice_call_on_stack
.type lattice_call_on_stack, @function
lattice_call_on_stack:
  .cfi_startproc
  endbr64
  pushq %rbp
  .cfi_def_cfa_offset 16
  .cfi_offset %rbp, -16
  movq %rsp, %rbp
  .cfi_def_cfa_register %rbp
  movq %rdx, %rsp
  callq *%rsi
  movq %rbp, %rsp
  popq %rbp
  .cfi_def_cfa %rsp, 8
  retq
  .cfi_endproc
.size lattice_call_on_stack, .-lattice_call_on_stack
)");
#elif defined(__aarch64__)
asm(R"(
.text
.p2align 2
.globl lattice_call_on_stack
.hidden lattice_call_on_stack
.type lattice_call_on_stack, %function
lattice_call_on_stack:
  .cfi_startproc
  hint #34
  stp x29, x30, [sp, #-16]!
  .cfi_def_cfa_offset 16
  .cfi_offset 29, -16
  .cfi_offset 30, -8
  mov x29, sp
  .cfi_def_cfa_register 29
  mov sp, x2
  blr x1
  mov sp, x29
  .cfi_def_cfa_register 31
  ldp x29, x30, [sp], #16
  .cfi_restore 29
  .cfi_restore 30
  .cfi_def_cfa_offset 0
  ret
  .cfi_endproc
.size lattice_call_on_stack, .-lattice_call_on_stack
)");
#else
namespace {
constinit thread_local Call* starting = nullptr;  // makecontext passes ints only

void switch_to(const Segment& segment, Call& call) {
  ucontext_t caller, callee;
  getcontext(&callee);
  callee.uc_stack.ss_sp = segment.base;
  callee.uc_stack.ss_size = kSegmentBytes;
  callee.uc_link = &caller;
  starting = &call;
  makecontext(&callee, [] { run_call(starting); }, 0);
  swapcontext(&caller, &callee);
}
}  // namespace
#endif

size_t stack_left() noexcept {
  if (stack_limit == UINTPTR_MAX) measure_thread();
  const uintptr_t at = here();
  return at > stack_low ? at - stack_low : 0;
}

size_t side_segments() noexcept {
  return segments.in_use + (segments.spare.base != nullptr ? 1 : 0);
}

bool call_on_side_stack(void (*function)(void*), void* argument) noexcept {
  Segment segment;
  if (is_forbidden.load(std::memory_order_relaxed) || !segments.take(segment)) return false;
  const uintptr_t low = stack_low, limit = stack_limit;
  enter_bounds(reinterpret_cast<uintptr_t>(segment.base) + kGuardBytes,
               kSegmentBytes - kGuardBytes);
  Call call{function, argument};
#if defined(LATTICE_ASAN_FIBERS)
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, segment.base, kSegmentBytes);
  switch_to(segment, call);
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#elif defined(LATTICE_TSAN_FIBERS)
  void* caller = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(segment.fiber, 0);
  switch_to(segment, call);
  __tsan_switch_to_fiber(caller, 0);
#else
  switch_to(segment, call);
#endif
  stack_low = low;
  stack_limit = limit;
  segments.give(segment);
  return true;
}

#else  // no segments: as much nesting as the stack allows

size_t stack_left() noexcept {
  if (stack_limit == UINTPTR_MAX) enter_bounds(here() - (size_t{512} << 10), 0);
  const uintptr_t at = here();
  return at > stack_low ? at - stack_low : 0;
}
size_t side_segments() noexcept { return 0; }
bool call_on_side_stack(void (*)(void*), void*) noexcept { return false; }

#endif

}  // namespace lattice::reactive
