// SPDX-License-Identifier: MIT
// One room of a RoomHub: its document, its presence, its members. See room_hub.hpp.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "lattice/app/room_hub.hpp"
#include "lattice/collab/awareness.hpp"
#include "lattice/collab/crdt/doc.hpp"
#include "lattice/collab/sync_protocol.hpp"

namespace lattice::app {

class ServedRoom : public std::enable_shared_from_this<ServedRoom> {
 public:
  using Clock = RoomHub::Clock;

  ServedRoom(std::shared_ptr<RoomHub> hub, std::string name);

  const std::string& name() const noexcept { return name_; }
  const std::shared_ptr<Strand>& strand() const noexcept { return strand_; }

  // Null when the room has been retired meanwhile: look for it again.
  Result<std::unique_ptr<RoomSeat>> join(std::shared_ptr<RoomMember> member, RoomAccess access);
  Result<void> receive(RoomSeat& seat, std::span<const uint8_t> message);
  void leave(uint64_t seat);
  // Whether the room was parked and is to be dropped from the table.
  bool tick(Clock::time_point now);

 private:
  struct Member {
    std::shared_ptr<RoomMember> receiver;
    RoomAccess access = RoomAccess::Read;
    bool is_told_to_read_only = false;
    std::vector<uint64_t> presences;  // client ids that it last spoke for; sorted
  };

  // All REQUIRE: mutex_ held.
  Result<void> open();
  void on_update(std::span<const uint8_t> update);
  Result<void> apply(RoomSeat& seat, Member& member, std::span<const uint8_t> update);
  Result<void> take_awareness(RoomSeat& seat, Member& member, std::span<const uint8_t> update);
  void broadcast(const net::Message& message, uint64_t except);
  void send(Member& member, std::vector<uint8_t> message);
  void announce(const collab::AwarenessChange& change, uint64_t except);
  void claim(uint64_t client, uint64_t seat);
  void compact();

  const std::shared_ptr<RoomHub> hub_;
  const std::string name_;
  const std::shared_ptr<Strand> strand_;

  std::mutex mutex_;
  std::optional<crdt::Doc> doc_;  // while open
  collab::Awareness awareness_;
  std::map<uint64_t, Member> members_;
  std::map<uint64_t, uint64_t> speakers_;  // client id -> seat that last spoke for it
  uint64_t next_seat_ = 1;
  uint64_t sender_ = 0;  // the seat whose update is being applied
  uint64_t log_end_ = 0;
  uint64_t entries_since_compaction_ = 0;
  Clock::time_point empty_since_;
  bool is_retired_ = false;
  bool has_log_failed_ = false;
};

}  // namespace lattice::app
