// SPDX-License-Identifier: MIT
// RoomLog: the updates of each room, in the order in which the server took them.
//
// The log is the truth of a room; a document in memory is a view of it. Updates are opaque bytes
// that commute and may be applied twice, so a log may be compacted to one update that stands for
// many, and a reader that crashed in between reads some again.
//
// Implementations are thread-safe; calls of one room come one at a time.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "lattice/base/result.hpp"

namespace lattice::roomlog {

struct LogEntry {
  uint64_t number = 0;  // counts up within a room, from 1; gaps are allowed
  std::vector<uint8_t> update;
};

class RoomLog {
 public:
  virtual ~RoomLog() = default;

  // Returns the entry's number. A failure (disk full, bound reached) means that it is not kept.
  virtual Result<uint64_t> append(std::string_view room, std::span<const uint8_t> update) = 0;
  // The entries numbered higher than `after`, in order. A room without any is no failure.
  virtual Result<std::vector<LogEntry>> read(std::string_view room, uint64_t after) = 0;
  // Puts one update in the place of all entries up to and including number `through`.
  virtual Result<void> compact(std::string_view room, uint64_t through,
                               std::span<const uint8_t> update) = 0;
  virtual Result<void> remove(std::string_view room) = 0;
};

}  // namespace lattice::roomlog
