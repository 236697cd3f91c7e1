// SPDX-License-Identifier: MIT
#include "lattice/roomlog/memory_log.hpp"

#include <algorithm>
#include <utility>

namespace lattice::roomlog {

namespace {

// Entries are sorted by number.
auto first_after(std::vector<LogEntry>& entries, uint64_t number) {
  return std::upper_bound(entries.begin(), entries.end(), number,
                          [](uint64_t left, const LogEntry& right) { return left < right.number; });
}

}  // namespace

Result<uint64_t> MemoryLog::append(std::string_view room, std::span<const uint8_t> update) {
  std::scoped_lock lock(mutex_);
  if (update.size() > bytes_max_ - std::min(bytes_, bytes_max_)) {
    return Failure{"room log: the bound of " + std::to_string(bytes_max_) + " bytes is reached"};
  }
  auto found = rooms_.find(room);
  if (found == rooms_.end()) found = rooms_.emplace(std::string(room), Room{}).first;
  Room& entry = found->second;
  entry.entries.push_back({++entry.last, {update.begin(), update.end()}});
  bytes_ += update.size();
  return entry.last;
}

Result<std::vector<LogEntry>> MemoryLog::read(std::string_view room, uint64_t after) {
  std::scoped_lock lock(mutex_);
  auto found = rooms_.find(room);
  if (found == rooms_.end()) return std::vector<LogEntry>{};
  std::vector<LogEntry>& entries = found->second.entries;
  return std::vector<LogEntry>(first_after(entries, after), entries.end());
}

Result<void> MemoryLog::compact(std::string_view room, uint64_t through,
                                std::span<const uint8_t> update) {
  std::scoped_lock lock(mutex_);
  auto found = rooms_.find(room);
  if (found == rooms_.end() || through > found->second.last) {
    return Failure{"room log: room '" + std::string(room) + "' has no entry " +
                   std::to_string(through)};
  }
  std::vector<LogEntry>& entries = found->second.entries;
  auto end = first_after(entries, through);
  for (auto entry = entries.begin(); entry != end; ++entry) bytes_ -= entry->update.size();
  entries.erase(entries.begin(), end);
  entries.insert(entries.begin(), LogEntry{through, {update.begin(), update.end()}});
  bytes_ += update.size();
  return {};
}

Result<void> MemoryLog::remove(std::string_view room) {
  std::scoped_lock lock(mutex_);
  auto found = rooms_.find(room);
  if (found == rooms_.end()) return {};
  for (const LogEntry& entry : found->second.entries) bytes_ -= entry.update.size();
  rooms_.erase(found);
  return {};
}

size_t MemoryLog::bytes() const {
  std::scoped_lock lock(mutex_);
  return bytes_;
}

}  // namespace lattice::roomlog
