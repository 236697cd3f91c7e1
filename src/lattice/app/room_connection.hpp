// SPDX-License-Identifier: MIT
// Where a Room's other end is: a server elsewhere, by WebSocket, or this process's own rooms.
//
//   lattice::Room room("board");
//   lattice::connect(room, "ws://localhost:8000/rooms/board");
//
// A connection that is lost is made anew, after a wait that doubles from 100 ms to 5 s; what was
// written meanwhile is exchanged by state vector. It ends with the room.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "lattice/app/room_hub.hpp"
#include "lattice/collab/room.hpp"
#include "lattice/net/client_loop.hpp"

namespace lattice {

struct ConnectOptions {
  net::ClientOptions client = {};
  std::chrono::milliseconds wait_min{100};
  std::chrono::milliseconds wait_max{5'000};
  // Whose thread the connection lives on; null: one of its own.
  std::shared_ptr<net::ClientLoop> loop = {};
};

// Returns at once; `room.connected()` and `room.synced()` tell. What arrives is taken when the
// room's runtime drains its mailbox. Throws Error for what is no address.
void connect(const Room& room, std::string_view url, ConnectOptions options = {});
void disconnect(const Room& room);

namespace app {

// Takes a seat in a room of this process; what it holds is in `room` when this returns. Waits for
// the lock of the served room. Throws Error when the hub refuses.
void join(const Room& room, const std::shared_ptr<RoomHub>& hub,
          RoomAccess access = RoomAccess::Write);

// The same in steps, for a host that must hold nothing while it waits.
class Joining {
 public:
  // In the room's runtime.
  Joining(const Room& room, std::shared_ptr<RoomHub> hub, RoomAccess access);
  // Waits for the lock of the served room; touches nothing of the runtime.
  void ask();
  // In the room's runtime. Throws Error when the hub has refused.
  void finish();

 private:
  const Room room_;
  const std::shared_ptr<RoomHub> hub_;
  const RoomAccess access_;
  const std::vector<uint8_t> question_;
  std::shared_ptr<collab::RoomLink> link_;
  std::string refused_;
};

}  // namespace app
}  // namespace lattice
