// SPDX-License-Identifier: MIT
#include "lattice/app/internal/session_table.hpp"

#include <utility>

namespace lattice::app::internal {

SessionTable::Admission SessionTable::admit(const std::shared_ptr<SessionHost>& host,
                                            const std::string& address) {
  std::lock_guard lock(mutex_);
  if (closed_) return Admission::Closed;
  if (entries_.size() >= limits_.sessions_max) return Admission::TooManySessions;
  if (parked_ >= limits_.parked_max) return Admission::TooManyParked;
  size_t& here = parked_by_address_[address];
  if (here >= limits_.parked_per_address_max) return Admission::TooManyForAddress;
  ++here;
  ++parked_;
  entries_.emplace(host->id(), Entry{host, address, false});
  return Admission::Admitted;
}

bool SessionTable::park(const SessionHost& host, Clock::time_point deadline) {
  std::lock_guard lock(mutex_);
  if (closed_ || !entries_.contains(host.id())) return false;
  tickets_.emplace(host.token(), Ticket{host.id(), deadline});
  return true;
}

std::shared_ptr<SessionHost> SessionTable::adopt(const std::string& token, Clock::time_point now) {
  std::lock_guard lock(mutex_);
  auto ticket = tickets_.find(token);
  if (closed_ || ticket == tickets_.end() || ticket->second.deadline <= now) return nullptr;
  Entry& entry = entries_.at(ticket->second.id);
  tickets_.erase(ticket);
  leave_parking(entry);
  entry.is_live = true;
  return entry.host;
}

std::vector<std::shared_ptr<SessionHost>> SessionTable::expire(Clock::time_point now) {
  std::vector<std::shared_ptr<SessionHost>> expired;
  std::lock_guard lock(mutex_);
  for (auto ticket = tickets_.begin(); ticket != tickets_.end();) {
    if (ticket->second.deadline > now) {
      ++ticket;
      continue;
    }
    expired.push_back(entries_.at(ticket->second.id).host);
    ticket = tickets_.erase(ticket);
  }
  return expired;
}

void SessionTable::remove(const SessionHost& host) {
  std::shared_ptr<SessionHost> last;  // dies outside the lock
  std::lock_guard lock(mutex_);
  auto found = entries_.find(host.id());
  if (found == entries_.end()) return;
  if (!found->second.is_live) leave_parking(found->second);
  tickets_.erase(host.token());
  last = std::move(found->second.host);
  entries_.erase(found);
}

void SessionTable::leave_parking(Entry& entry) {
  --parked_;
  auto here = parked_by_address_.find(entry.address);
  if (--here->second == 0) parked_by_address_.erase(here);
}

std::vector<std::shared_ptr<SessionHost>> SessionTable::close() {
  std::vector<std::shared_ptr<SessionHost>> all;
  std::lock_guard lock(mutex_);
  closed_ = true;
  for (const auto& [id, entry] : entries_) all.push_back(entry.host);
  return all;
}

std::shared_ptr<SessionHost> SessionTable::find(const std::string& id) const {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  return found != entries_.end() ? found->second.host : nullptr;
}

std::vector<SessionTable::Row> SessionTable::rows() const {
  std::lock_guard lock(mutex_);
  std::vector<Row> rows;
  for (const auto& [id, entry] : entries_) rows.push_back({entry.host, entry.is_live});
  return rows;
}

SessionTable::Counts SessionTable::counts() const {
  std::lock_guard lock(mutex_);
  return {entries_.size() - parked_, parked_};
}

}  // namespace lattice::app::internal
