// SPDX-License-Identifier: MIT
#include "lattice/jit/thread_pool.hpp"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lattice::jit {

namespace {

int processors() noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

int first_thread_count() noexcept {
  if (const char* text = std::getenv("LATTICE_JIT_THREADS")) {
    int count = std::atoi(text);
    if (count > 0) return std::min(count, kThreadsMax);
  }
  return std::min(processors(), kThreadsMax);
}

std::atomic<int> setting{0};  // 0: not asked for yet

void relax() noexcept {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Long enough to bridge the gap between two steps of one kernel, a few microseconds; a core that
// waits longer sleeps.
constexpr int kSpins = 256;

std::atomic<internal::ThreadPool*> process_pool{nullptr};

// The child of a fork has none of the threads, and a mutex may be locked by one that is gone: it
// forgets the parent's pool as it is. Registered when the program is loaded, so that no fork comes
// before.
[[maybe_unused]] const int fork_handler = pthread_atfork(
    nullptr, nullptr, [] { process_pool.store(nullptr, std::memory_order_release); });

// Signals are for the program's own threads, except those that a fault of this thread raises.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    for (int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT}) sigdelset(&all, fault);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace

int thread_count() noexcept {
  int count = setting.load(std::memory_order_relaxed);
  if (count != 0) return count;
  count = first_thread_count();
  int expected = 0;
  setting.compare_exchange_strong(expected, count, std::memory_order_relaxed);
  return expected == 0 ? count : expected;
}

void set_thread_count(int count) noexcept {
  setting.store(count <= 0 ? first_thread_count() : std::min(count, kThreadsMax),
                std::memory_order_relaxed);
}

namespace internal {

// Lies on the stack of the caller, who leaves it when no thread works on it any more.
struct ThreadPool::Job {
  Call call;
  void* context;
  int64_t chunks;
  int limit;
  std::atomic<int64_t> next{0};
  std::atomic<int> working{0};    // threads of the pool; written under the mutex
  int joined = 1;                 // under the mutex
  std::exception_ptr error = {};  // under the mutex

  bool wants_more() const noexcept {
    return joined < limit && next.load(std::memory_order_relaxed) < chunks;
  }
};

struct ThreadPool::State {
  std::mutex mutex;
  std::condition_variable posted;
  std::condition_variable finished;
  std::vector<Job*> jobs;
  std::atomic<uint32_t> posts{0};
  int started = 0;

  Job* pick() const noexcept {
    for (Job* job : jobs) {
      if (job->wants_more()) return job;
    }
    return nullptr;
  }

  void take_chunks(Job& job, int participant) noexcept {
    try {
      for (;;) {
        int64_t chunk = job.next.fetch_add(1, std::memory_order_relaxed);
        if (chunk >= job.chunks) return;
        job.call(job.context, chunk, participant);
      }
    } catch (...) {
      job.next.store(job.chunks, std::memory_order_relaxed);
      std::lock_guard lock(mutex);
      if (job.error == nullptr) job.error = std::current_exception();
    }
  }
};

ThreadPool::ThreadPool() : state_(new State) {}

ThreadPool& ThreadPool::instance() {
  ThreadPool* pool = process_pool.load(std::memory_order_acquire);
  if (pool != nullptr) return *pool;
  auto* made = new ThreadPool;
  if (!process_pool.compare_exchange_strong(pool, made, std::memory_order_acq_rel)) {
    delete made->state_;
    delete made;
    return *pool;
  }
  return *made;
}

int ThreadPool::started() const {
  std::lock_guard lock(state_->mutex);
  return state_->started;
}

void ThreadPool::work() {
  State& state = *state_;
#if defined(__linux__)
  pthread_setname_np(pthread_self(), "lattice-jit");
#endif
  std::unique_lock lock(state.mutex);
  for (;;) {
    Job* job = state.pick();
    if (job == nullptr) {
      uint32_t seen = state.posts.load(std::memory_order_relaxed);
      lock.unlock();
      for (int k = 0; k < kSpins && state.posts.load(std::memory_order_relaxed) == seen; ++k) {
        relax();
      }
      lock.lock();
      if (state.pick() == nullptr) state.posted.wait(lock);
      continue;
    }
    int participant = job->joined++;
    job->working.fetch_add(1, std::memory_order_relaxed);
    lock.unlock();
    state.take_chunks(*job, participant);
    lock.lock();
    if (job->working.fetch_sub(1, std::memory_order_acq_rel) == 1) state.finished.notify_all();
  }
}

void ThreadPool::run_erased(int64_t chunks, int threads, Call call, void* context) {
  int limit = static_cast<int>(std::min<int64_t>(chunks, std::min(threads, kThreadsMax)));
  if (limit <= 1) {
    for (int64_t chunk = 0; chunk < chunks; ++chunk) call(context, chunk, 0);
    return;
  }
  State& state = *state_;
  Job job{call, context, chunks, limit};
  {
    std::lock_guard lock(state.mutex);
    while (state.started < limit - 1) {
      SignalsBlocked blocked;  // the new thread inherits it
      try {
        std::thread([this] { work(); }).detach();
      } catch (const std::system_error&) {
        break;  // no more threads to be had: those that there are do
      }
      ++state.started;
    }
    state.jobs.push_back(&job);
    state.posts.fetch_add(1, std::memory_order_relaxed);
  }
  if (limit > 2) {
    state.posted.notify_all();
  } else {
    state.posted.notify_one();
  }
  state.take_chunks(job, 0);
  for (int k = 0; k < kSpins && job.working.load(std::memory_order_acquire) != 0; ++k) relax();
  std::unique_lock lock(state.mutex);
  state.jobs.erase(std::find(state.jobs.begin(), state.jobs.end(), &job));
  state.finished.wait(lock, [&] { return job.working.load(std::memory_order_relaxed) == 0; });
  if (job.error != nullptr) std::rethrow_exception(job.error);
}

}  // namespace internal
}  // namespace lattice::jit
