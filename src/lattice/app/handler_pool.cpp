// SPDX-License-Identifier: MIT
#include "lattice/app/handler_pool.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <exception>
#include <utility>

namespace lattice::app {

namespace {

// A strand gives its thread back after so many segments, so that others get their turn.
constexpr int kSegmentsPerTurnMax = 32;

int64_t native_thread_id() { return static_cast<int64_t>(::syscall(SYS_gettid)); }

}  // namespace

// Shared by the pool and its thread: an abandoned thread outlives the pool's interest in it.
struct HandlerPool::Worker {
  std::thread thread;
  int64_t thread_id = 0;

  std::mutex mutex;  // guards what the watchdog reads
  bool is_running = false;
  bool is_reported = false;
  std::string name;
  uint64_t token = 0;
  Clock::time_point started;

  void begin(const std::string& segment_name) {
    std::lock_guard lock(mutex);
    name = segment_name;
    started = Clock::now();
    token = 0;
    is_reported = false;
    is_running = true;
  }
  void end() {
    std::lock_guard lock(mutex);
    is_running = false;
  }
};

thread_local HandlerPool::Worker* HandlerPool::current_worker_ = nullptr;

void set_segment_token(uint64_t token) noexcept {
  HandlerPool::Worker* worker = HandlerPool::current_worker_;
  if (worker == nullptr) return;
  std::lock_guard lock(worker->mutex);
  worker->token = token;
}

std::shared_ptr<HandlerPool> HandlerPool::create(HandlerPoolOptions options) {
  return std::shared_ptr<HandlerPool>(new HandlerPool(std::move(options)));
}

HandlerPool::HandlerPool(HandlerPoolOptions options) : options_(std::move(options)) {
  LATTICE_ASSERT(options_.threads_max > 0);
}

// Only threads that have left run_worker() can still be unjoined here: a running one holds the
// pool.
HandlerPool::~HandlerPool() {
  for (auto* list : {&workers_, &ended_}) {
    for (auto& worker : *list) {
      if (worker->thread.joinable()) worker->thread.detach();
    }
  }
}

bool HandlerPool::on_pool_thread() noexcept { return current_worker_ != nullptr; }

size_t HandlerPool::thread_count() const {
  std::lock_guard lock(mutex_);
  return workers_.size();
}

bool HandlerPool::post(Job job) {
  std::unique_lock lock(mutex_);
  if (stopped_) return false;
  jobs_.push_back(std::move(job));
  if (jobs_.size() > idle_ && workers_.size() < options_.threads_max) start_worker();
  join_ended(lock);
  lock.unlock();
  work_.notify_one();
  return true;
}

void HandlerPool::start_worker() {
  auto worker = std::make_shared<Worker>();
  workers_.push_back(worker);
  try {
    worker->thread = std::thread([self = shared_from_this(), worker] { self->run_worker(worker); });
  } catch (const std::exception& error) {
    // The job stays queued for the threads that there are.
    workers_.pop_back();
    log_failure("pool", error.what());
  }
}

void HandlerPool::join_ended(std::unique_lock<std::mutex>& lock) {
  if (ended_.empty()) return;
  auto ended = std::exchange(ended_, {});
  lock.unlock();
  for (auto& worker : ended) worker->thread.join();
  lock.lock();
}

void HandlerPool::run_worker(const std::shared_ptr<Worker>& worker) {
  std::unique_lock lock(mutex_);
  worker->thread_id = native_thread_id();
  current_worker_ = worker.get();
  while (true) {
    ++idle_;
    bool has_work =
        work_.wait_for(lock, options_.idle_timeout, [this] { return stopped_ || !jobs_.empty(); });
    --idle_;
    if (!has_work || jobs_.empty()) break;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    ++busy_;
    lock.unlock();
    job();
    job = nullptr;
    lock.lock();
    --busy_;
    changed_.notify_all();
  }
  workers_.remove(worker);
  // After stop() has given up on this thread, nobody would join it: it was detached.
  if (worker->thread.joinable()) ended_.push_back(worker);
  changed_.notify_all();
}

void HandlerPool::run_segment(const std::string& name, const AroundSegment& around, Job& job) {
  Worker* worker = current_worker_;
  if (worker != nullptr) worker->begin(name);
  try {
    auto segment = [&job] {
      // What the job holds (a user's objects) dies inside the segment, also when it throws.
      Job running = std::exchange(job, nullptr);
      running();
    };
    if (around) {
      around(segment);
    } else {
      segment();
    }
  } catch (const std::exception& error) {
    log_failure(name, error.what());
  } catch (...) {
    log_failure(name, "an exception that is no std::exception");
  }
  if (worker != nullptr) worker->end();
}

void HandlerPool::log_failure(const std::string& name, const char* what) const {
  if (options_.log) options_.log(LogLevel::Error, "segment of " + name + " failed: " + what);
}

bool HandlerPool::wait_idle(Clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, deadline, [this] { return busy_ == 0 && jobs_.empty(); });
}

size_t HandlerPool::stop(Clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  stopped_ = true;
  work_.notify_all();
  changed_.wait_until(lock, deadline, [this] { return workers_.empty(); });
  size_t abandoned = workers_.size();
  for (auto& worker : workers_) worker->thread.detach();
  auto dropped = std::exchange(jobs_, {});
  join_ended(lock);
  lock.unlock();
  return abandoned;
}

void HandlerPool::report_slow_segments(std::chrono::milliseconds limit,
                                       const std::function<void(const SlowSegment&)>& report) {
  std::vector<SlowSegment> slow;
  {
    std::lock_guard lock(mutex_);
    const Clock::time_point now = Clock::now();
    for (auto& worker : workers_) {
      std::lock_guard worker_lock(worker->mutex);
      if (!worker->is_running || worker->is_reported || now - worker->started < limit) continue;
      worker->is_reported = true;
      slow.push_back(
          {worker->name, worker->thread_id, worker->token,
           std::chrono::duration_cast<std::chrono::milliseconds>(now - worker->started)});
    }
  }
  for (const SlowSegment& segment : slow) report(segment);
}

std::shared_ptr<Strand> Strand::create(std::shared_ptr<HandlerPool> pool, std::string name,
                                       AroundSegment around) {
  return std::shared_ptr<Strand>(new Strand(std::move(pool), std::move(name), std::move(around)));
}

Strand::Strand(std::shared_ptr<HandlerPool> pool, std::string name, AroundSegment around)
    : pool_(std::move(pool)), name_(std::move(name)), around_(std::move(around)) {}

void Strand::post(std::function<void()> segment) {
  {
    std::lock_guard lock(mutex_);
    segments_.push_back(std::move(segment));
    if (std::exchange(scheduled_, true)) return;
  }
  if (pool_->post([self = shared_from_this()] { self->run(); })) return;
  // The pool has stopped. What is queued may hold this strand: dropped, or it would never die.
  std::deque<std::function<void()>> dropped;
  std::lock_guard lock(mutex_);
  dropped.swap(segments_);
  scheduled_ = false;
}

void Strand::run() {
  for (int turn = 0;; ++turn) {
    std::function<void()> segment;
    {
      std::lock_guard lock(mutex_);
      if (segments_.empty()) {
        scheduled_ = false;
        return;
      }
      // A stopped pool takes no more turns: what is queued then runs here.
      if (turn < kSegmentsPerTurnMax) {
        segment = std::move(segments_.front());
        segments_.pop_front();
      }
    }
    if (!segment) {
      if (pool_->post([self = shared_from_this()] { self->run(); })) return;
      turn = 0;
      continue;
    }
    pool_->run_segment(name_, around_, segment);
  }
}

}  // namespace lattice::app
