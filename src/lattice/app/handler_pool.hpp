// SPDX-License-Identifier: MIT
// Handler threads: a pool that grows while its threads are busy, and strands on top of it.
//
// A Strand runs its segments one at a time, in order, on whatever pool thread is free; many strands
// share the pool, so a segment that blocks holds one thread and stalls only its own strand. The
// pool starts a thread when a job finds none idle, up to `threads_max`; idle threads end after a
// while. Exceptions of a segment are logged and end only that segment.
//
// Ownership: pool and strands are shared, since a segment that outlives stop() (it blocks for ever)
// still needs them; its thread is then abandoned, not joined.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "lattice/app/hosted_session.hpp"
#include "lattice/net/log.hpp"

namespace lattice::app {

using net::Log;
using net::LogLevel;

// A segment that has been running longer than the watchdog allows.
struct SlowSegment {
  std::string session_id;
  int64_t thread_id = 0;  // gettid() of its thread
  uint64_t token = 0;     // what the embedding layer set by set_segment_token, else 0
  std::chrono::milliseconds elapsed{0};
};

// Called by the embedding layer inside a segment (or around it): names this thread in its own
// terms, for instance Python's thread identifier. It lasts to the end of the segment.
void set_segment_token(uint64_t token) noexcept;

struct HandlerPoolOptions {
  unsigned threads_max = 64;
  std::chrono::milliseconds idle_timeout{5000};
  Log log;  // may be empty
};

class HandlerPool : public std::enable_shared_from_this<HandlerPool> {
 public:
  using Clock = std::chrono::steady_clock;
  using Job = std::function<void()>;

  static std::shared_ptr<HandlerPool> create(HandlerPoolOptions options);
  ~HandlerPool();
  HandlerPool(const HandlerPool&) = delete;
  HandlerPool& operator=(const HandlerPool&) = delete;

  // Runs `job` on a pool thread. Returns false (and drops it) once the pool has stopped.
  bool post(Job job);
  // Waits until nothing runs and nothing is queued. Returns whether that happened in time.
  bool wait_idle(Clock::time_point deadline);
  // Takes no more jobs, ends the threads. Returns how many were still busy and were abandoned.
  size_t stop(Clock::time_point deadline);

  // Calls `report` once for each segment that has been running longer than `limit`.
  void report_slow_segments(std::chrono::milliseconds limit,
                            const std::function<void(const SlowSegment&)>& report);

  size_t thread_count() const;
  // Whether the calling thread belongs to a pool (this one or another).
  static bool on_pool_thread() noexcept;

 private:
  friend class Strand;
  friend void set_segment_token(uint64_t token) noexcept;
  struct Worker;

  explicit HandlerPool(HandlerPoolOptions options);
  void start_worker();  // REQUIRES: mutex_ held.
  void join_ended(std::unique_lock<std::mutex>& lock);
  void run_worker(const std::shared_ptr<Worker>& worker);
  void run_segment(const std::string& name, const AroundSegment& around, Job& job);
  void log_failure(const std::string& name, const char* what) const;

  static thread_local Worker* current_worker_;

  const HandlerPoolOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable changed_;  // a job or a worker ended
  std::deque<Job> jobs_;
  std::list<std::shared_ptr<Worker>> workers_;
  std::list<std::shared_ptr<Worker>> ended_;  // to be joined
  size_t idle_ = 0;
  size_t busy_ = 0;
  bool stopped_ = false;
};

// REQUIRES: bounded use: whoever posts bounds how much is queued (received messages by credit,
// wakes by coalescing).
class Strand : public std::enable_shared_from_this<Strand> {
 public:
  // `name` (the session's id) is what logs and the watchdog say.
  static std::shared_ptr<Strand> create(std::shared_ptr<HandlerPool> pool, std::string name,
                                        AroundSegment around = {});
  Strand(const Strand&) = delete;
  Strand& operator=(const Strand&) = delete;

  // Queues a segment. The function is also destroyed inside the segment.
  void post(std::function<void()> segment);
  const std::string& name() const noexcept { return name_; }

 private:
  Strand(std::shared_ptr<HandlerPool> pool, std::string name, AroundSegment around);
  void run();

  const std::shared_ptr<HandlerPool> pool_;
  const std::string name_;
  const AroundSegment around_;
  std::mutex mutex_;
  std::deque<std::function<void()>> segments_;
  bool scheduled_ = false;
};

}  // namespace lattice::app
