// SPDX-License-Identifier: MIT
// The rooms that a server keeps: documents that members edit together, and who is in them.
//
//   socket --strand--> ServedRoom --> Doc --update--> log
//   page's session --> (locked)          \-- message --> every member but the sender
//
// A member speaks y-protocols (collab/sync_protocol.hpp). Joining subscribes it and sends the
// room's state vector and presence in one step under the room's lock, so that no update falls
// between the snapshot and what follows it.
//
// A room lives as long as the server: while somebody is in, as a document; `park_after` its last
// member has left, as bytes in the log alone. Which log decides whether it outlives the server.
//
// Threads: everything is thread-safe. A room has one lock, held for one message at a time; sockets
// take their turn on the room's strand, so that a busy room occupies one pool thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lattice/app/handler_pool.hpp"
#include "lattice/base/result.hpp"
#include "lattice/collab/awareness.hpp"
#include "lattice/net/exchange.hpp"
#include "lattice/roomlog/room_log.hpp"

namespace lattice::app {

struct RoomOptions {
  size_t rooms_max = 10'000;                      // as documents; beyond: joining is refused
  size_t members_max = 1'000;                     // of one room; beyond: joining is refused
  size_t name_bytes_max = 200;                    // beyond: refused
  size_t document_bytes_max = 256 * 1024 * 1024;  // beyond: writers are closed with 1009

  // What one socket may send; beyond: it is read more slowly, nothing is lost.
  double messages_per_second = 2'000, messages_burst = 10'000;
  double bytes_per_second = 8e6, bytes_burst = 64e6;

  size_t presences_per_member_max = 256;  // beyond: that member is closed with 1008
  collab::AwarenessOptions awareness = {};

  std::chrono::milliseconds park_after{60'000};
  uint64_t compact_after_entries = 1'000;  // of the log
};

enum class RoomAccess : uint8_t { Read, Write };

// The receiving end of a member. Called with the room locked, from any thread: it must not block
// and not call the room back.
class RoomMember {
 public:
  virtual ~RoomMember() = default;
  virtual void send(net::Message message) = 0;
};

class ServedRoom;

// A member's place in a room; letting it go is leaving.
class RoomSeat {
 public:
  RoomSeat(std::shared_ptr<ServedRoom> room, uint64_t number) noexcept
      : room_(std::move(room)), number_(number) {}
  ~RoomSeat();
  RoomSeat(const RoomSeat&) = delete;
  RoomSeat& operator=(const RoomSeat&) = delete;

  // A message of this member. A failure means that it is malformed, or beyond a bound: the member
  // is to be let go, with close_code().
  Result<void> receive(std::span<const uint8_t> message);
  uint16_t close_code() const noexcept { return close_code_; }

 private:
  friend class ServedRoom;
  const std::shared_ptr<ServedRoom> room_;
  const uint64_t number_;
  uint16_t close_code_ = 1003;
};

struct RoomCounts {
  uint64_t rooms = 0;  // with a document in memory
  uint64_t members = 0;
  uint64_t messages_in = 0, messages_out = 0;
  uint64_t updates = 0;    // that changed a document
  uint64_t refused = 0;    // joins
  uint64_t denied = 0;     // writes of readers
  uint64_t malformed = 0;  // messages
};

class RoomHub : public std::enable_shared_from_this<RoomHub> {
 public:
  using Clock = std::chrono::steady_clock;

  RoomHub(RoomOptions options, std::shared_ptr<roomlog::RoomLog> log,
          std::shared_ptr<HandlerPool> pool, Log log_records);
  ~RoomHub();
  RoomHub(const RoomHub&) = delete;
  RoomHub& operator=(const RoomHub&) = delete;

  // Takes a seat; the member has the room's first messages before this returns. The failure says
  // which bound stands in the way.
  Result<std::unique_ptr<RoomSeat>> join(std::string_view name, std::shared_ptr<RoomMember> member,
                                         RoomAccess access);
  // The strand on which sockets of a room take their turn. A failure: no room of such a name.
  Result<std::shared_ptr<Strand>> strand(std::string_view name);
  // Every few seconds: presence that is outdated, rooms to be parked.
  void tick(Clock::time_point now);
  // Lets nobody join any more.
  void close();

  RoomCounts counts() const;
  const RoomOptions& options() const noexcept { return options_; }

 private:
  friend class ServedRoom;

  Result<std::shared_ptr<ServedRoom>> find_or_make(std::string_view name);
  void log(LogLevel level, const std::string& message) const {
    if (log_records_) log_records_(level, message);
  }

  struct Counters {
    std::atomic<uint64_t> members{0}, messages_in{0}, messages_out{0}, updates{0}, refused{0},
        denied{0}, malformed{0};
  };

  const RoomOptions options_;
  const std::shared_ptr<roomlog::RoomLog> log_;
  const std::shared_ptr<HandlerPool> pool_;
  const Log log_records_;
  Counters counters_;
  mutable std::mutex mutex_;  // of the table; never taken while a room is locked
  std::map<std::string, std::shared_ptr<ServedRoom>, std::less<>> rooms_;
  bool is_closed_ = false;
};

// Whether `name` may name a room: not empty, UTF-8, no control characters, short enough.
bool is_room_name(std::string_view name, size_t bytes_max) noexcept;

}  // namespace lattice::app
