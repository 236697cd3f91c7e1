// SPDX-License-Identifier: MIT
// One hosted session from its first paint to its disposal, driven on its strand.
//
// The methods are thread-safe and only post; the members below `On the strand` are touched by
// segments alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lattice/app/handler_pool.hpp"
#include "lattice/app/hosted_session.hpp"
#include "lattice/net/exchange.hpp"

namespace lattice::app::internal {

// What all sessions of a server count together; shared, since segments may outlive the server.
struct SessionCounters {
  std::atomic<uint64_t> created{0}, expired{0}, refused{0};
  std::atomic<uint64_t> frames_in{0}, frames_out{0}, bytes_in{0}, bytes_out{0};
  std::atomic<uint64_t> dropped_events{0}, protocol_errors{0}, origins_refused{0};
  std::atomic<uint64_t> slow_segments{0};
};

class SessionHost : public std::enable_shared_from_this<SessionHost> {
 public:
  struct Parts {
    std::shared_ptr<SessionFactory> factory;
    std::shared_ptr<HandlerPool> pool;
    AroundSegment around;
    std::shared_ptr<SessionCounters> counters;
  };
  struct FirstPaint {
    uint16_t status = 500;
    std::string html;
  };
  // Called on the strand with the page, or with status 500 and no page when the session failed.
  using PaintedCallback = std::function<void(FirstPaint)>;

  SessionHost(Parts parts, SessionRequest request, PageContext page);
  ~SessionHost();
  SessionHost(const SessionHost&) = delete;
  SessionHost& operator=(const SessionHost&) = delete;

  const std::string& id() const noexcept { return id_; }
  const std::string& token() const noexcept { return page_.token; }
  const std::string& path() const noexcept { return path_; }
  const std::string& user_agent() const noexcept { return user_agent_; }

  // REQUIRES: called once, before anything else.
  void paint(PaintedCallback painted);
  void connect(std::shared_ptr<net::MessageSink> sink, std::vector<uint8_t> hello);
  void deliver(std::vector<uint8_t> frame);
  // Coalesced: one drain() per burst.
  void wake();
  // Asks the session what the inspector shows; `done` is called on the strand, with "" when the
  // session is gone. False, and `done` is dropped, when several questions wait already.
  bool inspect(std::string query, std::function<void(std::string)> done);
  // `disposed` is called on the strand, once the session is gone (also when it never was).
  void dispose(std::function<void()> disposed);

 private:
  void create_and_paint(const PaintedCallback& painted);
  void receive(std::vector<uint8_t> frame);
  void receive_waiting();
  void receive_now(const std::vector<uint8_t>& frame);
  void count_dropped_events();
  void end_session();

  const Parts parts_;
  const std::string id_;
  const std::string path_, user_agent_;  // for the inspector; empty unless in dev mode
  const PageContext page_;
  const std::shared_ptr<Strand> strand_;
  std::atomic<bool> is_woken_{false};
  std::atomic<int> inspections_waiting_{0};

  // On the strand.
  std::unique_ptr<const SessionRequest> request_;  // until the session is made: headers are large
  std::unique_ptr<HostedSession> session_;
  std::shared_ptr<net::MessageSink> sink_;
  // Received while a handler was not over; the socket's credit bounds them.
  std::deque<std::vector<uint8_t>> waiting_;
  bool has_failed_ = false;
  uint64_t dropped_events_ = 0;
};

}  // namespace lattice::app::internal
