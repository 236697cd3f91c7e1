// SPDX-License-Identifier: MIT
#include "lattice/app/app_actor.hpp"

#include <exception>
#include <string>
#include <utility>

#include "lattice/reactive/runtime.hpp"

namespace lattice::app {

namespace {

thread_local const AppActor* current_actor = nullptr;

// One post_and_wait: shared by the waiter and the message, either may be gone first.
struct Call {
  enum class State : uint8_t { Waiting, Running, Done, Dropped, Cancelled };
  std::mutex mutex;
  std::condition_variable changed;
  State state = State::Waiting;
  std::exception_ptr error;

  bool begin() {
    std::lock_guard lock(mutex);
    if (state != State::Waiting) return false;
    state = State::Running;
    return true;
  }
  void end(State result, std::exception_ptr failure) {
    {
      std::lock_guard lock(mutex);
      if (state != State::Waiting && state != State::Running) return;
      state = result;
      error = std::move(failure);
    }
    changed.notify_all();
  }
};

// The message of a Call; when it is destroyed without having run, its waiter hears of it.
class CallMessage {
 public:
  CallMessage(std::shared_ptr<Call> call, std::function<void()> body)
      : call_(std::move(call)), body_(std::move(body)) {}
  ~CallMessage() { call_->end(Call::State::Dropped, nullptr); }
  CallMessage(const CallMessage&) = delete;
  CallMessage& operator=(const CallMessage&) = delete;

  void run() {
    if (!call_->begin()) return;
    std::exception_ptr failure;
    try {
      body_();
    } catch (...) {
      failure = std::current_exception();
    }
    body_ = nullptr;
    call_->end(Call::State::Done, std::move(failure));
  }

 private:
  const std::shared_ptr<Call> call_;
  std::function<void()> body_;
};

}  // namespace

AppActor::AppActor(AroundSegment around, net::Log log)
    : around_(std::move(around)),
      log_(std::move(log)),
      runtime_(std::make_unique<Runtime>()),
      mailbox_(runtime_->shared_mailbox()) {
  mailbox_->set_wake([bell = bell_] {
    {
      std::lock_guard lock(bell->mutex);
      bell->is_woken = true;
    }
    bell->changed.notify_all();
  });
}

AppActor::~AppActor() { stop(); }

bool AppActor::is_current() const noexcept { return current_actor == this; }

bool AppActor::post(std::function<void()> message) {
  {
    std::lock_guard lock(bell_->mutex);
    if (bell_->is_stopping) return false;
    start();
  }
  // Posts that race with stop() are dropped by the closed mailbox at worst.
  return mailbox_->post(std::move(message));
}

bool AppActor::post_and_wait(std::function<void()> message, std::chrono::milliseconds timeout) {
  if (is_current()) {
    message();
    return true;
  }
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  auto call = std::make_shared<Call>();
  auto body = std::make_shared<CallMessage>(call, std::move(message));
  if (!post([body = std::move(body)] { body->run(); })) return false;
  std::unique_lock lock(call->mutex);
  auto is_over = [&] {
    return call->state != Call::State::Waiting && call->state != Call::State::Running;
  };
  if (!call->changed.wait_until(lock, deadline, is_over)) {
    if (call->state == Call::State::Waiting) call->state = Call::State::Cancelled;
    return false;
  }
  if (call->error) std::rethrow_exception(call->error);
  return call->state == Call::State::Done;
}

void AppActor::start() {
  if (std::exchange(has_thread_, true)) return;
  thread_ = std::thread([this] { run(); });
}

void AppActor::run_around(const std::function<void()>& segment) {
  try {
    if (around_) {
      around_(segment);
    } else {
      segment();
    }
  } catch (const std::exception& error) {
    if (log_) log_(net::LogLevel::Error, std::string("the app's actor: ").append(error.what()));
  }
}

void AppActor::run_burst() {
  run_around([this] {
    RuntimeEntry entry(*runtime_);
    runtime_->drain_mailbox();
  });
}

void AppActor::run() {
  current_actor = this;
  while (true) {
    bool is_last = false;
    {
      std::unique_lock lock(bell_->mutex);
      bell_->changed.wait(lock, [this] { return bell_->is_woken || bell_->is_stopping; });
      bell_->is_woken = false;
      is_last = bell_->is_stopping;
    }
    run_burst();
    if (is_last) break;
  }
  // Here and not in the destructor: what it holds may need the embedding layer to be let go.
  run_around([this] { runtime_.reset(); });
}

void AppActor::stop() {
  if (is_current()) throw AccessError("the app's actor cannot stop itself");
  std::lock_guard stop_lock(stop_mutex_);
  {
    std::lock_guard lock(bell_->mutex);
    bell_->is_stopping = true;
  }
  bell_->changed.notify_all();
  if (thread_.joinable()) thread_.join();
  if (runtime_) run_around([this] { runtime_.reset(); });
}

}  // namespace lattice::app
