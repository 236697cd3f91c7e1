// SPDX-License-Identifier: MIT
// The app's own runtime: state that all sessions share lives here, on one thread, behind a mailbox.
//
// Sessions post functions; the actor runs them in order, those of one burst in one batch, each
// burst wrapped by AroundSegment with the runtime current. A session may wait for the app; the app
// never waits for a session, so that no two can wait for each other. The thread starts with the
// first post: a program without shared state has none.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "lattice/app/hosted_session.hpp"
#include "lattice/net/log.hpp"

namespace lattice {
class Mailbox;
class Runtime;
}  // namespace lattice

namespace lattice::app {

class AppActor {
 public:
  explicit AppActor(AroundSegment around = {}, net::Log log = {});
  ~AppActor();  // stops
  AppActor(const AppActor&) = delete;
  AppActor& operator=(const AppActor&) = delete;

  // Any thread. What `message` throws goes to the runtime's error handler. Returns false (and drops
  // it) after stop().
  bool post(std::function<void()> message);
  // Runs `message` on the actor and waits for it; rethrows what it throws. On the actor's own
  // thread it runs at once. Returns false when it did not run (stopped, or no turn within the
  // timeout) or did not finish in time: capture by value what it uses. Callers that hold the GIL
  // release it first.
  bool post_and_wait(std::function<void()> message, std::chrono::milliseconds timeout);

  // Whether the calling thread is the actor's.
  bool is_current() const noexcept;
  // REQUIRES: is_current(), or before the first post.
  Runtime& runtime() noexcept { return *runtime_; }

  // Runs what is in the mailbox, disposes the runtime, joins the thread. Idempotent.
  void stop();

 private:
  void start();  // REQUIRES: the bell's mutex held.
  void run();
  void run_burst();
  void run_around(const std::function<void()>& segment);

  const AroundSegment around_;
  const net::Log log_;
  std::unique_ptr<Runtime> runtime_;
  const std::shared_ptr<Mailbox> mailbox_;  // outlives the runtime, for posts that race with stop()
  std::mutex stop_mutex_;                   // one stop() at a time

  // Shared with the mailbox's wake function, which a late post may still be calling.
  struct Bell {
    std::mutex mutex;
    std::condition_variable changed;
    bool is_woken = false;
    bool is_stopping = false;
  };
  const std::shared_ptr<Bell> bell_ = std::make_shared<Bell>();
  bool has_thread_ = false;  // guarded by the bell's mutex
  std::thread thread_;
};

}  // namespace lattice::app
