// SPDX-License-Identifier: MIT
// A WebSocket in a room: y-websocket's clients, pycrdt's, and Lattice's own rooms elsewhere.
//
// Its messages take their turn on the room's strand. Whoever sends more than the bounds of
// RoomOptions allow is read more slowly: a message beyond them counts as consumed only once its
// time has come, and the transport stops reading while too many are not.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "lattice/app/room_hub.hpp"
#include "lattice/net/exchange.hpp"

namespace lattice::app::internal {

// How fast one socket may send: two buckets that refill with time and may go into debt.
class SendRate {
 public:
  using Clock = std::chrono::steady_clock;

  SendRate(const RoomOptions& options, Clock::time_point now);
  // Takes one message; returns when it may count as consumed (`now`: at once).
  Clock::time_point take(size_t bytes, Clock::time_point now);

 private:
  struct Bucket {
    double rate, burst, level;
    // Seconds until the level is zero again.
    double take(double amount, double elapsed);
  };
  Bucket messages_, bytes_;
  Clock::time_point last_;
};

class RoomSocket final : public net::MessageHandler,
                         public RoomMember,
                         public std::enable_shared_from_this<RoomSocket> {
 public:
  // Sockets that owe time; the server's ticker pays them out.
  class Debts {
   public:
    void add(SendRate::Clock::time_point when, std::shared_ptr<net::MessageSink> sink);
    void pay(SendRate::Clock::time_point now);

   private:
    std::mutex mutex_;
    std::vector<std::pair<SendRate::Clock::time_point, std::shared_ptr<net::MessageSink>>> owed_;
  };

  RoomSocket(std::shared_ptr<RoomHub> hub, std::string room, RoomAccess access,
             std::shared_ptr<Debts> debts);

  void on_open(std::shared_ptr<net::MessageSink> sink) override;
  void on_message(std::vector<uint8_t> message) override;
  void on_close(const net::CloseReason& reason) override;
  void send(net::Message message) override { sink_->send(std::move(message)); }

 private:
  void receive(const std::vector<uint8_t>& message);

  const std::shared_ptr<RoomHub> hub_;
  const std::string room_;
  const RoomAccess access_;
  const std::shared_ptr<Debts> debts_;
  std::shared_ptr<net::MessageSink> sink_;
  std::shared_ptr<Strand> strand_;
  SendRate rate_;

  // On the strand.
  std::unique_ptr<RoomSeat> seat_;
  bool has_failed_ = false;
};

}  // namespace lattice::app::internal
