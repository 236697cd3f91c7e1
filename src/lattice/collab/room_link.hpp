// SPDX-License-Identifier: MIT
// What lies between a Room and the server's: a link to send by, an inbox for what arrives.
//
//   Room --send--> RoomLink ~~ network, or the same process ~~> the server's room
//   Room <--receive, in its runtime-- RoomInbox <--push, any thread-- ~~
//
// The link knows nothing of documents; messages are those of sync_protocol.hpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace lattice::collab {

// Thread-safe; never waits for the server.
class RoomLink {
 public:
  virtual ~RoomLink() = default;
  virtual void send(std::vector<uint8_t> message) = 0;
  // For good, with a WebSocket close code.
  virtual void close(uint16_t code, std::string reason) = 0;
};

struct RoomArrival {
  enum class Kind : uint8_t { Connected, Message, Disconnected, Tick };
  Kind kind = Kind::Message;
  std::vector<uint8_t> message;
  std::string reason;                // of Disconnected
  std::function<void()> consumed{};  // to be called once the message has been dealt with
};

// Thread-safe. Bounded by the link, which stops reading while too much is not consumed.
class RoomInbox {
 public:
  void push(RoomArrival arrival) {
    std::function<void()> wake;
    {
      std::scoped_lock lock(mutex_);
      arrivals_.push_back(std::move(arrival));
      if (std::exchange(is_woken_, true)) return;
      wake = wake_;
    }
    if (wake) wake();
  }
  // Everything that has come; later arrivals wake again.
  std::deque<RoomArrival> take() {
    std::scoped_lock lock(mutex_);
    is_woken_ = false;
    return std::exchange(arrivals_, {});
  }
  // Called on the pushing thread, once per burst.
  void set_wake(std::function<void()> wake) {
    std::scoped_lock lock(mutex_);
    wake_ = std::move(wake);
  }

 private:
  std::mutex mutex_;
  std::deque<RoomArrival> arrivals_;
  std::function<void()> wake_;
  bool is_woken_ = false;
};

}  // namespace lattice::collab
