// SPDX-License-Identifier: MIT
// The rooms that the running server keeps, as the sessions of its pages find them.
#pragma once

#include <memory>

namespace lattice::app {
class RoomHub;
}

namespace lattice::python {

// Null: nothing is served. GIL needed.
void set_room_hub(std::shared_ptr<app::RoomHub> hub);
const std::shared_ptr<app::RoomHub>& room_hub();

}  // namespace lattice::python
