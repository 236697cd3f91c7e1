// SPDX-License-Identifier: MIT
// A RoomLog in memory: rooms live as long as it does, bounded by bytes in total.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <string>

#include "lattice/roomlog/room_log.hpp"

namespace lattice::roomlog {

class MemoryLog final : public RoomLog {
 public:
  // Beyond `bytes_max` appends fail; rooms that are there stay readable and can be compacted.
  explicit MemoryLog(size_t bytes_max = size_t{1} << 30) : bytes_max_(bytes_max) {}

  Result<uint64_t> append(std::string_view room, std::span<const uint8_t> update) override;
  Result<std::vector<LogEntry>> read(std::string_view room, uint64_t after) override;
  Result<void> compact(std::string_view room, uint64_t through,
                       std::span<const uint8_t> update) override;
  Result<void> remove(std::string_view room) override;

  size_t bytes() const;

 private:
  struct Room {
    std::vector<LogEntry> entries;
    uint64_t last = 0;
  };

  const size_t bytes_max_;
  mutable std::mutex mutex_;
  std::map<std::string, Room, std::less<>> rooms_;
  size_t bytes_ = 0;
};

}  // namespace lattice::roomlog
