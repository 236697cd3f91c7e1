// SPDX-License-Identifier: MIT
// Which sessions there are, and in which state: painting -> parked -> live -> gone.
//
// Painting sessions count as parked, so that the bounds hold before the first page is out.
// Thread-safe; knows no clock of its own.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "lattice/app/internal/session_host.hpp"

namespace lattice::app::internal {

class SessionTable {
 public:
  using Clock = std::chrono::steady_clock;
  struct Limits {
    size_t sessions_max = 0;
    size_t parked_max = 0;
    size_t parked_per_address_max = 0;
  };
  enum class Admission : uint8_t {
    Admitted,
    TooManySessions,
    TooManyParked,
    TooManyForAddress,
    Closed
  };
  struct Counts {
    size_t live = 0;
    size_t parked = 0;  // painting ones included
  };

  explicit SessionTable(Limits limits) : limits_(limits) {}

  // Takes a painting session in, if there is room.
  Admission admit(const std::shared_ptr<SessionHost>& host, const std::string& address);
  // Painted: its token is good until the deadline. Returns false when it has been removed
  // meanwhile.
  bool park(const SessionHost& host, Clock::time_point deadline);
  // Uses a token up. Null when it is unknown, used or expired.
  std::shared_ptr<SessionHost> adopt(const std::string& token, Clock::time_point now);
  // Parked sessions whose time is over; their tokens are gone. They stay counted until remove().
  std::vector<std::shared_ptr<SessionHost>> expire(Clock::time_point now);
  void remove(const SessionHost& host);
  // Admits nobody any more; returns everybody.
  std::vector<std::shared_ptr<SessionHost>> close();
  Counts counts() const;
  // Null when there is none of that id.
  std::shared_ptr<SessionHost> find(const std::string& id) const;
  struct Row {
    std::shared_ptr<SessionHost> host;
    bool is_live;
  };
  // All sessions, in no order.
  std::vector<Row> rows() const;

 private:
  struct Entry {
    std::shared_ptr<SessionHost> host;
    std::string address;
    bool is_live = false;
  };
  struct Ticket {
    std::string id;
    Clock::time_point deadline;
  };
  void leave_parking(Entry& entry);  // REQUIRES: mutex_ held, !entry.is_live.

  const Limits limits_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;   // by session id
  std::unordered_map<std::string, Ticket> tickets_;  // by token
  std::unordered_map<std::string, size_t> parked_by_address_;
  size_t parked_ = 0;
  bool closed_ = false;
};

}  // namespace lattice::app::internal
