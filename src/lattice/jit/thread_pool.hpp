// SPDX-License-Identifier: MIT
// The threads that large kernels share.
//
// A run is cut into chunks that threads take one after the other, so that a slow or busy core takes
// fewer; the caller is one of the threads and finishes alone when no other comes. Threads are made
// when a run first asks for them, wait asleep, and are never more than thread_count() - 1 for all
// callers together. What a chunk is must not depend on how many threads there are: that is what
// keeps results the same.
//
// Thread safety: everything here may be called from any thread. A child process starts without
// threads and makes its own, whatever the parent's were doing when it forked.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace lattice::jit {

inline constexpr int kThreadsMax = 256;

// How many threads a run may use. At first LATTICE_JIT_THREADS of the environment, or else as many
// as there are processors for this process.
int thread_count() noexcept;
// 0: as at first. Values are limited to kThreadsMax. Runs that have begun go on as they are.
void set_thread_count(int count) noexcept;

namespace internal {

class ThreadPool {
 public:
  // The process's. It is never destroyed: its threads may outlive main().
  static ThreadPool& instance();

  // Calls body(chunk, participant) once for each chunk in [0, chunks), on at most `threads`
  // threads, and returns when all calls have. Participants are numbered from 0, the caller; no two
  // threads have one number. The first exception is thrown again here, and chunks not begun are
  // dropped.
  template <class Body>
  void run(int64_t chunks, int threads, Body&& body) {
    using Plain = std::remove_reference_t<Body>;
    run_erased(
        chunks, threads,
        [](void* context, int64_t chunk, int participant) {
          (*static_cast<Plain*>(context))(chunk, participant);
        },
        const_cast<void*>(static_cast<const void*>(std::addressof(body))));
  }

  // Threads that have been started (the callers are not among them).
  int started() const;

 private:
  using Call = void (*)(void* context, int64_t chunk, int participant);
  struct Job;
  struct State;

  ThreadPool();
  void run_erased(int64_t chunks, int threads, Call call, void* context);
  void work();

  State* state_;
};

}  // namespace internal
}  // namespace lattice::jit
