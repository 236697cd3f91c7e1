// SPDX-License-Identifier: MIT
#include "lattice/collab/room.hpp"

#include <algorithm>

#include "lattice/collab/sync_protocol.hpp"
#include "lattice/reactive/runtime.hpp"

namespace lattice {

namespace collab {

namespace {

constexpr uint16_t kNormal = 1000, kUnsupportedData = 1003;
constexpr int32_t kBeforeOthers = -1'000'000;

crdt::DocOptions doc_options(const RoomSettings& settings) {
  crdt::DocOptions options;
  options.client_id = settings.client_id;
  return options;
}

crdt::Origin new_origin() { return std::shared_ptr<const void>(std::make_shared<char>('o')); }

}  // namespace

RoomState::RoomState(std::string the_room_id, RoomSettings settings)
    : room_id(std::move(the_room_id)),
      doc(doc_options(settings)),
      owner(Owner::root().create_child()),
      awareness(doc.client_id(), settings.awareness),
      connected(owner.run([] { return Signal<bool>(false); })),
      synced(owner.run([] { return Signal<bool>(false); })),
      presence_version(owner.run([] { return Signal<uint64_t>(0); })),
      trouble(owner.run([] { return Signal<std::string>(std::string()); })),
      dropped(owner.run([] { return Signal<uint64_t>(0); })),
      own_origin_(new_origin()),
      remote_origin_(new_origin()),
      commit_request_(owner.run([] { return Signal<uint64_t>(0); })) {
  owner.run([this] {
    // Runs when the batch that wrote to the room ends, before everybody else.
    effect(
        [this] {
          commit_request_.get();
          untracked([this] { commit(); });
        },
        {Phase::Render, kBeforeOthers, "room transaction", {}});
  });
  update_observer_ =
      doc.on_update([this](std::span<const uint8_t> update, crdt::Transaction& transaction) {
        if (is_connected_ && !(transaction.origin() == remote_origin_)) send(encode_update(update));
      });
  const crdt::Map signals = doc.map("signals");
  keep(signals, signals.observe([this](crdt::Event& event) {
    if (is_own(event.transaction())) return;  // written to the signals already
    batch([&] {
      for (const std::string& key : event.keys_changed()) {
        auto follower = followers.find(key);
        if (follower == followers.end()) continue;
        const crdt::Type& target = event.target();
        follower->second(crdt::Map(target.document(), target.index()).get(key));
      }
    });
  }));
  if (settings.keeps_undo) {
    crdt::UndoOptions options;
    options.capture_timeout_ms = settings.undo_together_ms;
    options.tracked_origins = {own_origin_};
    undo_.emplace(doc, std::move(options));
  }
}

RoomState::~RoomState() {
  inbox->set_wake({});
  if (link_) link_->close(kNormal, "left");
  undo_.reset();
  for (const auto& [type, id] : observers_) type.unobserve(id);
  doc.off(update_observer_);
  transaction_.reset();
  if (owner.alive()) owner.dispose();
}

void RoomState::begin() {
  // First: this refuses where nothing may be written.
  commit_request_.update([](uint64_t request) { return request + 1; });
  if (!transaction_) transaction_.emplace(doc, own_origin_, true);
}

void RoomState::commit() {
  if (!transaction_) return;
  // Emptied whatever close() throws.
  struct Emptied {
    std::optional<crdt::Doc::Scope>& scope;
    ~Emptied() { scope.reset(); }
  } emptied{transaction_};
  transaction_->close();
}

Result<void> RoomState::apply_update(std::span<const uint8_t> update) {
  commit();
  return batch([&] { return doc.apply_update(update, crdt::UpdateVersion::V1, remote_origin_); });
}

bool RoomState::undo() {
  commit();
  return undo_ && batch([&] { return undo_->undo(); });
}
bool RoomState::redo() {
  commit();
  return undo_ && batch([&] { return undo_->redo(); });
}
bool RoomState::can_undo() const { return undo_ && undo_->can_undo(); }
bool RoomState::can_redo() const { return undo_ && undo_->can_redo(); }

// --- the link

void RoomState::attach(std::shared_ptr<RoomLink> link) {
  detach(kNormal, "replaced");
  link_ = std::move(link);
  inbox->set_wake([mailbox = Runtime::current().shared_mailbox(), weak = weak_from_this(),
                   also_wake = also_wake] {
    mailbox->post([weak] {
      if (auto room = weak.lock()) room->receive();
    });
    if (also_wake) also_wake();
  });
}

void RoomState::detach(uint16_t code, std::string reason) {
  if (!link_) return;
  inbox->set_wake({});
  std::shared_ptr<RoomLink> link = std::exchange(link_, nullptr);
  link->close(code, std::move(reason));
  on_disconnected({});
  // What it pushed is of no use to another link.
  for (RoomArrival& arrival : inbox->take()) {
    if (arrival.consumed) arrival.consumed();
  }
}

void RoomState::receive() {
  commit();
  std::deque<RoomArrival> arrivals = inbox->take();
  batch([&] {
    for (RoomArrival& arrival : arrivals) {
      switch (arrival.kind) {
        case RoomArrival::Kind::Connected:
          on_connected();
          break;
        case RoomArrival::Kind::Message:
          if (link_) receive_message(arrival.message);
          break;
        case RoomArrival::Kind::Disconnected:
          on_disconnected(arrival.reason);
          break;
        case RoomArrival::Kind::Tick: {
          Awareness::Tick tick = awareness.tick(Clock::now());
          note(tick.change);
          if (tick.renewed) {
            const uint64_t own = *awareness.client_id();
            send_presence(std::span(&own, 1));
          }
          break;
        }
      }
      if (arrival.consumed) arrival.consumed();
    }
  });
}

void RoomState::on_connected() {
  is_connected_ = true;
  connected.set(true);
  trouble.set(std::string());
  send(encode_sync_step1(doc.encode_state_vector()));
  const uint64_t own = *awareness.client_id();
  if (awareness.state(own) != nullptr) send_presence(std::span(&own, 1));
}

void RoomState::on_disconnected(const std::string& reason) {
  is_connected_ = false;
  connected.set(false);
  synced.set(false);
  if (!reason.empty()) trouble.set(reason);
  // The others may come back, but nobody would say so when they do not.
  std::vector<uint64_t> others;
  for (const auto& [client, state] : awareness.clients()) {
    if (client != awareness.client_id()) others.push_back(client);
  }
  note(awareness.remove(others, Clock::now()));
}

void RoomState::receive_message(std::span<const uint8_t> message) {
  Result<RoomMessage> decoded = decode_message(message);
  if (!decoded) return refuse(decoded.error());
  const std::span<const uint8_t> payload = decoded.value().payload;
  switch (decoded.value().kind) {
    case MessageKind::SyncStep1: {
      Result<crdt::StateVector> state = crdt::StateVector::decode(payload);
      if (!state) return refuse(state.error());
      return send(encode_sync_step2(doc.encode_state_as_update(state.value())));
    }
    case MessageKind::SyncStep2:
    case MessageKind::Update: {
      Result<void> applied = doc.apply_update(payload, crdt::UpdateVersion::V1, remote_origin_);
      if (!applied) return refuse(applied.error());
      if (decoded.value().kind == MessageKind::SyncStep2) synced.set(true);
      return;
    }
    case MessageKind::Awareness: {
      Result<Awareness::Applied> applied = awareness.apply(payload, Clock::now());
      if (!applied) return refuse(applied.error());
      note(applied.value().change);
      if (applied.value().reannounce) {
        const uint64_t own = *awareness.client_id();
        send_presence(std::span(&own, 1));
      }
      return;
    }
    case MessageKind::QueryAwareness:
      return send(encode_awareness(awareness.encode_present()));
    case MessageKind::PermissionDenied:
      return trouble.set("the server refused: " + std::string(decoded.value().text));
    case MessageKind::Unknown:
      return;
  }
}

// A server that sends nonsense is not asked again: the document here stays as it is.
void RoomState::refuse(const std::string& reason) {
  if (link_) link_->close(kUnsupportedData, reason);
  on_disconnected("the server's message is malformed: " + reason);
  link_ = nullptr;
}

void RoomState::send(std::vector<uint8_t> message) {
  if (link_) link_->send(std::move(message));
}

void RoomState::send_presence(std::span<const uint64_t> clients) {
  if (is_connected_) send(encode_awareness(awareness.encode(clients)));
}

void RoomState::note(const AwarenessChange& change) {
  if (change.empty()) return;
  presence_version.update([](uint64_t version) { return version + 1; });
}

void RoomState::set_local_presence(std::optional<std::string> json) {
  batch([&] {
    // The signal first: it refuses where nothing may be written.
    presence_version.update([](uint64_t version) { return version + 1; });
    awareness.set_local_state(std::move(json), Clock::now());
    const uint64_t own = *awareness.client_id();
    send_presence(std::span(&own, 1));
  });
}

}  // namespace collab

using collab::RoomState;

Room::Room(std::string room_id, RoomSettings settings)
    : state_(std::make_shared<RoomState>(std::move(room_id), settings)) {}

crdt::Bytes Room::get_update(const crdt::StateVector& state) const {
  state_->commit();
  return state_->doc.encode_state_as_update(state);
}

std::map<uint64_t, std::string> Room::presence() const {
  state_->presence_version.get();
  std::map<uint64_t, std::string> present;
  for (const auto& [client, state] : state_->awareness.clients()) {
    if (state.json) present.emplace(client, *state.json);
  }
  return present;
}

// ------------------------------------------------------------------------------------ counter

namespace {

double sum_of(const crdt::Map& map) {
  double sum = 0;
  for (const auto& [client, value] : map.to_vector()) {
    if (value.is_any() && value.any().kind() == crdt::Any::Kind::Number) {
      sum += value.any().as_number();
    }
  }
  return sum;
}

uint64_t next(uint64_t version) { return version + 1; }

}  // namespace

SharedCounter Room::counter(const std::string& key) const {
  using View = SharedCounter::View;
  auto shown = view<View>("counter:" + key, [&] {
    const crdt::Map map = state_->doc.map("counter:" + key);
    auto made = std::make_shared<View>(View{map, Signal<double>(sum_of(map), key)});
    state_->keep(map, map.observe([made = made.get(), room = state_.get()](crdt::Event& event) {
      if (!room->is_own(event.transaction())) made->signal.set(sum_of(made->map));
    }));
    return made;
  });
  return {state_, std::move(shown)};
}

void SharedCounter::increment(double by) const {
  room_->change([&] {
    const std::string own = std::to_string(room_->doc.client_id());
    std::optional<crdt::Value> value = view_->map.get(own);
    const bool is_number =
        value && value->is_any() && value->any().kind() == crdt::Any::Kind::Number;
    view_->map.set(own, (is_number ? value->any().as_number() : 0.0) + by);
    view_->signal.update([by](double sum) { return sum + by; });
  });
}

// --------------------------------------------------------------------------------------- text

SharedText Room::text(const std::string& key) const {
  using View = SharedText::View;
  auto shown = view<View>("text:" + key, [&] {
    const crdt::Text text = state_->doc.text(key);
    auto made = std::make_shared<View>(View{text, Signal<uint64_t>(0)});
    state_->keep(text, text.observe([made = made.get(), room = state_.get()](crdt::Event& event) {
      if (!room->is_own(event.transaction())) made->version.update(next);
    }));
    return made;
  });
  return {state_, std::move(shown)};
}

std::string SharedText::get() const {
  view_->version.get();
  return view_->text.to_string();
}

uint32_t SharedText::length() const {
  view_->version.get();
  return view_->text.length();
}

void SharedText::insert(uint32_t index, std::string_view text) const {
  room_->change([&] {
    view_->text.insert(index, text);
    view_->version.update(next);
  });
}

void SharedText::erase(uint32_t index, uint32_t count) const {
  room_->change([&] {
    view_->text.erase(index, count);
    view_->version.update(next);
  });
}

namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

uint32_t utf16_length(std::string_view text) {
  uint32_t length = 0;
  for (char c : text) {
    if (!is_continuation(c)) length += static_cast<unsigned char>(c) >= 0xf0 ? 2 : 1;
  }
  return length;
}

}  // namespace

void SharedText::set(std::string_view text) const {
  const std::string before = view_->text.to_string();
  if (before == text) return;
  const std::string_view old = before;
  size_t prefix = static_cast<size_t>(
      std::mismatch(old.begin(), old.end(), text.begin(), text.end()).first - old.begin());
  // Whole characters: a byte in common may be part of two different ones.
  while (prefix > 0 && ((prefix < old.size() && is_continuation(old[prefix])) ||
                        (prefix < text.size() && is_continuation(text[prefix])))) {
    --prefix;
  }
  size_t suffix = 0;
  const size_t most = std::min(old.size(), text.size()) - prefix;
  while (suffix < most && old[old.size() - 1 - suffix] == text[text.size() - 1 - suffix]) ++suffix;
  while (suffix > 0 && is_continuation(old[old.size() - suffix])) --suffix;
  const std::string_view erased = old.substr(prefix, old.size() - prefix - suffix);
  const std::string_view inserted = text.substr(prefix, text.size() - prefix - suffix);
  const uint32_t at = utf16_length(old.substr(0, prefix));
  room_->change([&] {
    if (!erased.empty()) view_->text.erase(at, utf16_length(erased));
    if (!inserted.empty()) view_->text.insert(at, inserted);
    view_->version.update(next);
  });
}

// --------------------------------------------------------------------------------------- list

namespace {

std::vector<crdt::Any> plain(const std::vector<crdt::Value>& values) {
  std::vector<crdt::Any> result;
  result.reserve(values.size());
  for (const crdt::Value& value : values) result.push_back(value.to_json());
  return result;
}

void apply_delta(const List<crdt::Any>& items, const std::vector<crdt::DeltaOp>& delta) {
  size_t at = 0;
  for (const crdt::DeltaOp& op : delta) {
    switch (op.action) {
      case crdt::DeltaOp::Action::Retain:
        at += op.count;
        break;
      case crdt::DeltaOp::Action::Delete:
        items.erase(at, op.count);
        break;
      case crdt::DeltaOp::Action::Insert:
        items.insert(at, plain(op.values));
        at += op.values.size();
        break;
    }
  }
}

}  // namespace

SharedList Room::list(const std::string& key) const {
  using View = SharedList::View;
  auto shown = view<View>("list:" + key, [&] {
    const crdt::Array array = state_->doc.array(key);
    auto made = std::make_shared<View>(View{array, List<crdt::Any>(plain(array.to_vector()))});
    state_->keep(array, array.observe([made = made.get(), room = state_.get()](crdt::Event& event) {
      batch([&] {
        if (!room->is_own(event.transaction())) return apply_delta(made->items, event.delta());
        // Written past the view, to the document itself, in the same transaction.
        if (made->items.peek().size() != made->array.length()) {
          made->items.assign(plain(made->array.to_vector()));
        }
      });
    }));
    return made;
  });
  return {state_, std::move(shown)};
}

void SharedList::insert(size_t index, crdt::Any value) const {
  room_->change([&] {
    view_->array.insert(static_cast<uint32_t>(index), value);
    view_->items.insert(index, std::move(value));
  });
}

void SharedList::push_back(crdt::Any value) const {
  room_->change([&] {
    view_->array.push(value);
    view_->items.push_back(std::move(value));
  });
}

void SharedList::erase(size_t index, size_t count) const {
  room_->change([&] {
    view_->array.erase(static_cast<uint32_t>(index), static_cast<uint32_t>(count));
    view_->items.erase(index, count);
  });
}

// ---------------------------------------------------------------------------------------- map

void SharedMap::View::touch(std::string_view key, bool is_membership) {
  if (auto found = versions.find(key); found != versions.end()) found->second.update(next);
  if (is_membership) keys_version.update(next);
}

SharedMap Room::map(const std::string& key) const {
  using View = SharedMap::View;
  auto shown = view<View>("map:" + key, [&] {
    const crdt::Map map = state_->doc.map(key);
    auto made = std::make_shared<View>(View{state_.get(), map, Signal<uint64_t>(0), {}});
    state_->keep(map, map.observe([made = made.get(), room = state_.get()](crdt::Event& event) {
      if (room->is_own(event.transaction())) return;
      batch([&] {
        for (const auto& [name, change] : event.keys()) {
          made->touch(name, change.action != crdt::KeyChange::Action::Update);
        }
      });
    }));
    return made;
  });
  return {state_, std::move(shown)};
}

std::optional<crdt::Any> SharedMap::get(std::string_view key) const {
  auto found = view_->versions.find(key);
  if (found == view_->versions.end()) {
    found = room_->owner.run(
        [&] { return view_->versions.emplace(std::string(key), Signal<uint64_t>(0)).first; });
  }
  found->second.get();
  std::optional<crdt::Value> value = view_->map.get(key);
  return value ? std::optional<crdt::Any>(value->to_json()) : std::nullopt;
}

std::vector<std::string> SharedMap::keys() const {
  view_->keys_version.get();
  return view_->map.keys();
}

size_t SharedMap::size() const {
  view_->keys_version.get();
  return view_->map.size();
}

void SharedMap::set(std::string_view key, crdt::Any value) const {
  room_->change([&] {
    const bool is_new = !view_->map.has(key);
    view_->map.set(key, std::move(value));
    view_->touch(key, is_new);
  });
}

void SharedMap::erase(std::string_view key) const {
  room_->change([&] {
    if (!view_->map.has(key)) return;
    view_->map.erase(key);
    view_->touch(key, true);
  });
}

}  // namespace lattice
