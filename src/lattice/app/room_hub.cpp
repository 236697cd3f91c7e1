// SPDX-License-Identifier: MIT
#include "lattice/app/room_hub.hpp"

#include <algorithm>
#include <utility>

#include "lattice/app/internal/served_room.hpp"
#include "lattice/base/bytes.hpp"

namespace lattice::app {

namespace {

constexpr uint16_t kUnsupportedData = 1003, kPolicy = 1008, kTooBig = 1009;

net::Message shared(std::vector<uint8_t> bytes) {
  return std::make_shared<const std::vector<uint8_t>>(std::move(bytes));
}

}  // namespace

bool is_room_name(std::string_view name, size_t bytes_max) noexcept {
  if (name.empty() || name.size() > bytes_max || !is_valid_utf8(name)) return false;
  return std::none_of(name.begin(), name.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

RoomSeat::~RoomSeat() { room_->leave(number_); }

Result<void> RoomSeat::receive(std::span<const uint8_t> message) {
  return room_->receive(*this, message);
}

// -------------------------------------------------------------------------------------- one room

ServedRoom::ServedRoom(std::shared_ptr<RoomHub> hub, std::string name)
    : hub_(std::move(hub)),
      name_(std::move(name)),
      strand_(Strand::create(hub_->pool_, "room " + name_)),
      awareness_(std::nullopt, hub_->options_.awareness),
      empty_since_(Clock::now()) {}

Result<void> ServedRoom::open() {
  if (doc_) return {};
  Result<std::vector<roomlog::LogEntry>> entries = hub_->log_->read(name_, 0);
  if (!entries) return Failure{entries.error()};
  crdt::Doc doc;
  for (const roomlog::LogEntry& entry : entries.value()) {
    if (Result<void> applied = doc.apply_update(entry.update); !applied) {
      return Failure{"the log of room '" + name_ + "' is damaged at entry " +
                     std::to_string(entry.number) + ": " + applied.error()};
    }
    log_end_ = entry.number;
  }
  entries_since_compaction_ = entries.value().size();
  doc.on_update([this](std::span<const uint8_t> update, crdt::Transaction&) { on_update(update); });
  doc_.emplace(std::move(doc));
  return {};
}

Result<std::unique_ptr<RoomSeat>> ServedRoom::join(std::shared_ptr<RoomMember> member,
                                                   RoomAccess access) {
  std::scoped_lock lock(mutex_);
  if (is_retired_) return std::unique_ptr<RoomSeat>();
  if (members_.size() >= hub_->options_.members_max) {
    return Failure{"room '" + name_ + "' is full"};
  }
  if (Result<void> opened = open(); !opened) return Failure{opened.error()};
  const uint64_t number = next_seat_++;
  Member& entry = members_[number];
  entry.receiver = std::move(member);
  entry.access = access;
  ++hub_->counters_.members;
  send(entry, collab::encode_sync_step1(doc_->encode_state_vector()));
  if (awareness_.present_count() != 0) {
    send(entry, collab::encode_awareness(awareness_.encode_present()));
  }
  return std::make_unique<RoomSeat>(shared_from_this(), number);
}

void ServedRoom::leave(uint64_t seat) {
  std::scoped_lock lock(mutex_);
  auto found = members_.find(seat);
  if (found == members_.end()) return;
  std::vector<uint64_t> gone;
  for (uint64_t client : found->second.presences) {
    auto speaker = speakers_.find(client);
    // One that has come back on another connection meanwhile is not gone.
    if (speaker == speakers_.end() || speaker->second != seat) continue;
    speakers_.erase(speaker);
    gone.push_back(client);
  }
  members_.erase(found);
  --hub_->counters_.members;
  announce(awareness_.remove(gone, Clock::now()), 0);
  if (members_.empty()) empty_since_ = Clock::now();
}

Result<void> ServedRoom::receive(RoomSeat& seat, std::span<const uint8_t> message) {
  std::scoped_lock lock(mutex_);
  auto found = members_.find(seat.number_);
  if (found == members_.end() || !doc_) return {};
  Member& member = found->second;
  ++hub_->counters_.messages_in;
  auto fail = [&](uint16_t code, std::string reason) {
    ++hub_->counters_.malformed;
    seat.close_code_ = code;
    return Failure{std::move(reason)};
  };
  Result<collab::RoomMessage> decoded = collab::decode_message(message);
  if (!decoded) return fail(kUnsupportedData, decoded.error());
  switch (decoded.value().kind) {
    case collab::MessageKind::SyncStep1: {
      crdt::Decoder decoder(decoded.value().payload);
      const crdt::StateVector known = crdt::StateVector::read(decoder);
      if (!decoder.ok() || !decoder.at_end()) {
        return fail(kUnsupportedData, "room: a state vector is malformed");
      }
      send(member, collab::encode_sync_step2(doc_->encode_state_as_update(known)));
      return {};
    }
    case collab::MessageKind::SyncStep2:
    case collab::MessageKind::Update: {
      Result<void> applied = apply(seat, member, decoded.value().payload);
      if (!applied) ++hub_->counters_.malformed;
      return applied;
    }
    case collab::MessageKind::Awareness: {
      Result<void> taken = take_awareness(seat, member, decoded.value().payload);
      if (!taken) ++hub_->counters_.malformed;
      return taken;
    }
    case collab::MessageKind::QueryAwareness:
      send(member, collab::encode_awareness(awareness_.encode_present()));
      return {};
    case collab::MessageKind::PermissionDenied:
    case collab::MessageKind::Unknown:
      return {};
  }
  return {};
}

Result<void> ServedRoom::apply(RoomSeat& seat, Member& member, std::span<const uint8_t> update) {
  constexpr size_t kEmptyUpdateBytes = 2;
  if (member.access != RoomAccess::Write) {
    // An empty answer to step 1 writes nothing.
    if (update.size() <= kEmptyUpdateBytes) return {};
    ++hub_->counters_.denied;
    if (!std::exchange(member.is_told_to_read_only, true)) {
      send(member, collab::encode_permission_denied("this room may only be read"));
    }
    return {};
  }
  if (update.size() > kEmptyUpdateBytes &&
      doc_->memory_used() > hub_->options_.document_bytes_max) {
    seat.close_code_ = kTooBig;
    return Failure{"room: the document has reached its bound of " +
                   std::to_string(hub_->options_.document_bytes_max) + " bytes"};
  }
  sender_ = seat.number_;
  Result<void> applied = doc_->apply_update(update);
  sender_ = 0;
  if (!applied) {
    seat.close_code_ = kUnsupportedData;
    return Failure{"room: an update is malformed: " + applied.error()};
  }
  if (entries_since_compaction_ > hub_->options_.compact_after_entries) compact();
  return {};
}

void ServedRoom::on_update(std::span<const uint8_t> update) {
  ++hub_->counters_.updates;
  Result<uint64_t> number = hub_->log_->append(name_, update);
  if (number) {
    log_end_ = number.value();
    ++entries_since_compaction_;
    has_log_failed_ = false;
  } else if (!std::exchange(has_log_failed_, true)) {
    hub_->log(LogLevel::Error, "room '" + name_ + "' is not kept: " + number.error());
  }
  broadcast(shared(collab::encode_update(update)), sender_);
}

Result<void> ServedRoom::take_awareness(RoomSeat& seat, Member& member,
                                        std::span<const uint8_t> update) {
  Result<collab::Awareness::Applied> applied = awareness_.apply(update, Clock::now());
  if (!applied) {
    seat.close_code_ = kUnsupportedData;
    return Failure{applied.error()};
  }
  for (uint64_t client : applied.value().named) {
    if (awareness_.state(client) != nullptr) claim(client, seat.number_);
  }
  if (member.presences.size() > hub_->options_.presences_per_member_max) {
    seat.close_code_ = kPolicy;
    return Failure{"room: one connection speaks for too many clients"};
  }
  // Also when only clocks have moved: others would take the client for gone.
  if (!applied.value().named.empty()) {
    broadcast(shared(collab::encode_awareness(awareness_.encode(applied.value().named))),
              seat.number_);
  }
  return {};
}

void ServedRoom::claim(uint64_t client, uint64_t seat) {
  auto [speaker, is_new] = speakers_.try_emplace(client, seat);
  if (!is_new && speaker->second == seat) return;
  // From the seat that spoke for it before, perhaps of a connection that is dying.
  if (!is_new) {
    if (auto before = members_.find(speaker->second); before != members_.end()) {
      auto& theirs = before->second.presences;
      auto at = std::lower_bound(theirs.begin(), theirs.end(), client);
      if (at != theirs.end() && *at == client) theirs.erase(at);
    }
    speaker->second = seat;
  }
  auto& mine = members_.at(seat).presences;
  auto at = std::lower_bound(mine.begin(), mine.end(), client);
  if (at == mine.end() || *at != client) mine.insert(at, client);
}

void ServedRoom::announce(const collab::AwarenessChange& change, uint64_t except) {
  if (change.empty() || members_.empty()) return;
  broadcast(shared(collab::encode_awareness(awareness_.encode(change.clients()))), except);
}

void ServedRoom::broadcast(const net::Message& message, uint64_t except) {
  for (auto& [number, member] : members_) {
    if (number == except) continue;
    ++hub_->counters_.messages_out;
    member.receiver->send(message);
  }
}

void ServedRoom::send(Member& member, std::vector<uint8_t> message) {
  ++hub_->counters_.messages_out;
  member.receiver->send(shared(std::move(message)));
}

void ServedRoom::compact() {
  if (log_end_ == 0) return;
  entries_since_compaction_ = 0;
  Result<void> compacted = hub_->log_->compact(name_, log_end_, doc_->encode_state_as_update());
  if (!compacted) hub_->log(LogLevel::Error, "room '" + name_ + "': " + compacted.error());
}

bool ServedRoom::tick(Clock::time_point now) {
  std::scoped_lock lock(mutex_);
  collab::Awareness::Tick outdated = awareness_.tick(now);
  for (uint64_t client : outdated.change.removed) {
    auto speaker = speakers_.find(client);
    if (speaker == speakers_.end()) continue;
    if (auto member = members_.find(speaker->second); member != members_.end()) {
      std::erase(member->second.presences, client);
    }
    speakers_.erase(speaker);
  }
  announce(outdated.change, 0);
  if (!members_.empty() || now - empty_since_ < hub_->options_.park_after) return false;
  if (doc_ && entries_since_compaction_ > 1) compact();
  doc_.reset();
  is_retired_ = true;
  return true;
}

// --------------------------------------------------------------------------------------- all rooms

RoomHub::RoomHub(RoomOptions options, std::shared_ptr<roomlog::RoomLog> log,
                 std::shared_ptr<HandlerPool> pool, Log log_records)
    : options_(options),
      log_(std::move(log)),
      pool_(std::move(pool)),
      log_records_(std::move(log_records)) {}

RoomHub::~RoomHub() = default;

Result<std::shared_ptr<ServedRoom>> RoomHub::find_or_make(std::string_view name) {
  if (!is_room_name(name, options_.name_bytes_max)) {
    return Failure{"a room's name has 1 to " + std::to_string(options_.name_bytes_max) +
                   " bytes of UTF-8 without control characters"};
  }
  std::scoped_lock lock(mutex_);
  if (is_closed_) return Failure{"the server is stopping"};
  auto found = rooms_.find(name);
  if (found != rooms_.end()) return found->second;
  if (rooms_.size() >= options_.rooms_max) return Failure{"too many rooms are open"};
  auto room = std::make_shared<ServedRoom>(shared_from_this(), std::string(name));
  rooms_.emplace(name, room);
  return room;
}

Result<std::unique_ptr<RoomSeat>> RoomHub::join(std::string_view name,
                                                std::shared_ptr<RoomMember> member,
                                                RoomAccess access) {
  for (;;) {
    Result<std::shared_ptr<ServedRoom>> room = find_or_make(name);
    if (!room) {
      ++counters_.refused;
      return Failure{room.error()};
    }
    Result<std::unique_ptr<RoomSeat>> seat = room.value()->join(member, access);
    if (!seat) ++counters_.refused;
    if (!seat || seat.value() != nullptr) return seat;
    // Parked at this very moment; its entry is about to go.
    std::scoped_lock lock(mutex_);
    auto found = rooms_.find(name);
    if (found != rooms_.end() && found->second == room.value()) rooms_.erase(found);
  }
}

Result<std::shared_ptr<Strand>> RoomHub::strand(std::string_view name) {
  Result<std::shared_ptr<ServedRoom>> room = find_or_make(name);
  if (!room) {
    ++counters_.refused;
    return Failure{room.error()};
  }
  return room.value()->strand();
}

void RoomHub::tick(Clock::time_point now) {
  std::vector<std::shared_ptr<ServedRoom>> rooms;
  {
    std::scoped_lock lock(mutex_);
    for (const auto& [name, room] : rooms_) rooms.push_back(room);
  }
  for (const auto& room : rooms) {
    if (!room->tick(now)) continue;
    std::scoped_lock lock(mutex_);
    auto found = rooms_.find(room->name());
    if (found != rooms_.end() && found->second == room) rooms_.erase(found);
  }
}

void RoomHub::close() {
  std::scoped_lock lock(mutex_);
  is_closed_ = true;
}

RoomCounts RoomHub::counts() const {
  RoomCounts counts;
  {
    std::scoped_lock lock(mutex_);
    counts.rooms = rooms_.size();
  }
  counts.members = counters_.members;
  counts.messages_in = counters_.messages_in;
  counts.messages_out = counters_.messages_out;
  counts.updates = counters_.updates;
  counts.refused = counters_.refused;
  counts.denied = counters_.denied;
  counts.malformed = counters_.malformed;
  return counts;
}

}  // namespace lattice::app
