// SPDX-License-Identifier: MIT
// Log records of the server, handed to Python's logging by a thread of their own: an I/O thread
// that logs must never wait for the GIL.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "lattice/net/log.hpp"

namespace lattice::python {

// Logs at once. Needs the GIL.
void log_to_python(net::LogLevel level, std::string_view message);

class LogThread {
 public:
  LogThread() = default;
  ~LogThread() { stop(); }  // without the GIL
  LogThread(const LogThread&) = delete;
  LogThread& operator=(const LogThread&) = delete;

  void start();
  // Logs what is queued and ends the thread. Without the GIL. Idempotent.
  void stop();
  // Any thread, with or without the GIL. Beyond kQueuedMax records the newest are dropped and their
  // number is logged; after stop() all are.
  void log(net::LogLevel level, std::string_view message);

 private:
  static constexpr size_t kQueuedMax = 1000;
  struct Record {
    net::LogLevel level;
    std::string message;
  };

  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Record> queue_;
  size_t dropped_ = 0;
  bool is_running_ = false;
  std::thread thread_;
};

}  // namespace lattice::python
