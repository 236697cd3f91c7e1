// SPDX-License-Identifier: MIT
// Room: a shared document as part of the reactive graph.
//
//   signal.set --+                       +--> update --> link --> every other member
//   text.insert -+-> one transaction ----+
//   list.erase --+   per batch           +--> undo
//
//   link --> inbox --> (runtime's mailbox) --> Doc --events--> signals, lists, counters
//
// Each Room is a replica with a document of its own: what is written here shows here at once,
// connected or not, and merges with the others' when it can. Everything written in one batch is one
// transaction and goes out as one update.
//
// Where it lies in the document (a Yjs client finds it there):
//   signal(key)   key of the root Map "signals"; the last writer wins. The initial value is shown
//                 while there is no such key, and never written.
//   counter(key)  root Map "counter:" + key: each client's own sum under its id, so that concurrent
//                 increments all count
//   text, list, map: the root of that name
//
// A Room belongs to the runtime in which it is made; handles are copies of one room. It ends with
// its last handle, or with the runtime.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <typeinfo>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lattice/base/result.hpp"
#include "lattice/collab/awareness.hpp"
#include "lattice/collab/crdt/doc.hpp"
#include "lattice/collab/crdt/undo_manager.hpp"
#include "lattice/collab/room_link.hpp"
#include "lattice/reactive/effect.hpp"
#include "lattice/reactive/list.hpp"
#include "lattice/reactive/scope.hpp"
#include "lattice/reactive/signal.hpp"

namespace lattice {

struct RoomSettings {
  uint64_t client_id = 0;  // 0: random
  bool keeps_undo = true;  // costs the memory of what was deleted
  int64_t undo_together_ms = 500;
  collab::AwarenessOptions awareness = {};
};

namespace collab {

// How a C++ type is kept in a document. Nothing: the value there is of another type.
template <class T>
struct SharedValue;

template <>
struct SharedValue<crdt::Any> {
  static crdt::Any to(const crdt::Any& value) { return value; }
  static std::optional<crdt::Any> from(const crdt::Any& value) { return value; }
};
template <>
struct SharedValue<bool> {
  static crdt::Any to(bool value) { return value; }
  static std::optional<bool> from(const crdt::Any& value) {
    if (value.kind() != crdt::Any::Kind::Boolean) return std::nullopt;
    return value.as_boolean();
  }
};
template <std::integral T>
  requires(!std::same_as<T, bool> && sizeof(T) <= sizeof(int32_t))
struct SharedValue<T> {
  static crdt::Any to(T value) { return static_cast<double>(value); }
  static std::optional<T> from(const crdt::Any& value) {
    if (value.kind() != crdt::Any::Kind::Number) return std::nullopt;
    const double number = value.as_number();
    if (!(number >= static_cast<double>(std::numeric_limits<T>::min()) &&
          number <= static_cast<double>(std::numeric_limits<T>::max()))) {
      return std::nullopt;
    }
    const T converted = static_cast<T>(number);
    return static_cast<double>(converted) == number ? std::optional<T>(converted) : std::nullopt;
  }
};
template <>
struct SharedValue<double> {
  static crdt::Any to(double value) { return value; }
  static std::optional<double> from(const crdt::Any& value) {
    if (value.kind() != crdt::Any::Kind::Number) return std::nullopt;
    return value.as_number();
  }
};
template <>
struct SharedValue<std::string> {
  static crdt::Any to(const std::string& value) { return std::string_view(value); }
  static std::optional<std::string> from(const crdt::Any& value) {
    if (!value.is_string()) return std::nullopt;
    return value.as_string();
  }
};

// The room itself; shared by handles and views.
class RoomState : public std::enable_shared_from_this<RoomState> {
 public:
  using Clock = std::chrono::steady_clock;

  RoomState(std::string room_id, RoomSettings settings);
  ~RoomState();
  RoomState(const RoomState&) = delete;
  RoomState& operator=(const RoomState&) = delete;

  // Runs `body` in the transaction of the current batch. Refused where a signal may not be written.
  template <class Body>
  void change(Body&& body) {
    batch([&] {
      begin();
      body();
    });
  }
  // Joins the transaction of the current batch, which ends with it. REQUIRES: in a batch.
  void begin();
  // Ends the open transaction, if there is one, before its batch does.
  void commit();
  // Deals with what has arrived. In the room's runtime.
  void receive();
  // Sends what `link` lacks and takes what it has; what comes is pushed to the inbox.
  void attach(std::shared_ptr<RoomLink> link);
  void detach(uint16_t code, std::string reason);

  Result<void> apply_update(std::span<const uint8_t> update);
  void set_local_presence(std::optional<std::string> json);
  bool undo();
  bool redo();

  std::string room_id;
  crdt::Doc doc;
  Owner owner;  // of everything reactive here
  Awareness awareness;
  Signal<bool> connected, synced;
  Signal<uint64_t> presence_version;
  Signal<std::string> trouble;  // why the link ended, or what the server refused
  Signal<uint64_t> dropped;     // values of another type than their signal's
  const std::shared_ptr<RoomInbox> inbox = std::make_shared<RoomInbox>();
  // Called beside the runtime's own wake, on the thread that pushes: for a host whose thread sleeps
  // elsewhere. Set it before a link is attached.
  std::function<void()> also_wake;

  // Views made so far, so that one key has one view.
  std::unordered_map<std::string, std::shared_ptr<void>> views;
  // What follows a key of "signals": called with its value, or nothing.
  std::unordered_map<std::string, std::function<void(const std::optional<crdt::Value>&)>> followers;
  // The one place that keeps observers, to end them with the room.
  void keep(const crdt::Type& type, crdt::ObserverId id) { observers_.emplace_back(type, id); }

  bool is_own(const crdt::Transaction& transaction) const {
    return transaction.origin() == own_origin_;
  }
  bool can_undo() const;
  bool can_redo() const;

 private:
  void receive_message(std::span<const uint8_t> message);
  void refuse(const std::string& reason);
  void on_connected();
  void on_disconnected(const std::string& reason);
  void send(std::vector<uint8_t> message);
  void send_presence(std::span<const uint64_t> clients);
  void note(const AwarenessChange& change);

  crdt::Origin own_origin_, remote_origin_;
  Signal<uint64_t> commit_request_;
  std::optional<crdt::Doc::Scope> transaction_;
  std::optional<crdt::UndoManager> undo_;
  std::shared_ptr<RoomLink> link_;
  bool is_connected_ = false;
  std::vector<std::pair<crdt::Type, crdt::ObserverId>> observers_;
  crdt::ObserverId update_observer_ = 0;
};

}  // namespace collab

// A shared value that is read and written like a signal. Made by Room::signal.
template <class T>
class CollaborativeSignal {
 public:
  using value_type = T;

  T get() const { return view_->signal.get(); }
  T operator()() const { return get(); }
  T peek() const { return view_->signal.peek(); }
  void set(T value) const {
    view_->room->change([&] {
      view_->room->doc.map("signals").set(view_->key, collab::SharedValue<T>::to(value));
      view_->signal.set(std::move(value));
    });
  }
  template <class F>
  void update(F&& body) const {
    set(body(peek()));
  }
  const std::string& key() const noexcept { return view_->key; }
  // The signal behind it, for what takes signals; write to this, not to that.
  Signal<T> signal() const { return view_->signal; }

 private:
  friend class Room;
  struct View {
    collab::RoomState* room;  // which owns this
    std::string key;
    T initial;
    Signal<T> signal;
  };
  CollaborativeSignal(std::shared_ptr<collab::RoomState> room, std::shared_ptr<View> view)
      : room_(std::move(room)), view_(std::move(view)) {}
  std::shared_ptr<collab::RoomState> room_;
  std::shared_ptr<View> view_;
};

// A number that many count up at the same time. Made by Room::counter.
class SharedCounter {
 public:
  double get() const { return view_->signal.get(); }
  double operator()() const { return get(); }
  double peek() const { return view_->signal.peek(); }
  void increment(double by = 1) const;
  void decrement(double by = 1) const { increment(-by); }

 private:
  friend class Room;
  struct View {
    crdt::Map map;
    Signal<double> signal;
  };
  SharedCounter(std::shared_ptr<collab::RoomState> room, std::shared_ptr<View> view)
      : room_(std::move(room)), view_(std::move(view)) {}
  std::shared_ptr<collab::RoomState> room_;
  std::shared_ptr<View> view_;
};

// Shared text; positions are UTF-16 code units. Made by Room::text.
class SharedText {
 public:
  std::string get() const;  // the running effect or memo subscribes
  std::string operator()() const { return get(); }
  uint32_t length() const;
  void insert(uint32_t index, std::string_view text) const;
  void erase(uint32_t index, uint32_t count) const;
  // The fewest characters at one place that turn the text into `text`: for fields that tell only
  // what they hold now.
  void set(std::string_view text) const;
  const crdt::Text& text() const noexcept { return view_->text; }

 private:
  friend class Room;
  struct View {
    crdt::Text text;
    Signal<uint64_t> version;
  };
  SharedText(std::shared_ptr<collab::RoomState> room, std::shared_ptr<View> view)
      : room_(std::move(room)), view_(std::move(view)) {}
  std::shared_ptr<collab::RoomState> room_;
  std::shared_ptr<View> view_;
};

// A shared list of plain values; its changes enter the graph as the deltas of a List, which
// map_keyed, filter and sorted follow. Made by Room::list.
class SharedList {
 public:
  size_t size() const { return view_->items.size(); }
  crdt::Any at(size_t index) const { return view_->items.at(index); }
  std::vector<crdt::Any> get() const { return view_->items.get(); }
  void insert(size_t index, crdt::Any value) const;
  void push_back(crdt::Any value) const;
  void erase(size_t index, size_t count = 1) const;
  // To be read and followed; write to this, not to that.
  const List<crdt::Any>& items() const noexcept { return view_->items; }

 private:
  friend class Room;
  struct View {
    crdt::Array array;
    List<crdt::Any> items;
  };
  SharedList(std::shared_ptr<collab::RoomState> room, std::shared_ptr<View> view)
      : room_(std::move(room)), view_(std::move(view)) {}
  std::shared_ptr<collab::RoomState> room_;
  std::shared_ptr<View> view_;
};

// A shared dictionary of plain values; readers of one key are told of that key alone. Made by
// Room::map.
class SharedMap {
 public:
  std::optional<crdt::Any> get(std::string_view key) const;
  std::vector<std::string> keys() const;
  size_t size() const;
  void set(std::string_view key, crdt::Any value) const;
  void erase(std::string_view key) const;

 private:
  friend class Room;
  struct View {
    collab::RoomState* room;
    crdt::Map map;
    Signal<uint64_t> keys_version;
    std::map<std::string, Signal<uint64_t>, std::less<>> versions;  // of keys that were read

    void touch(std::string_view key, bool is_membership);
  };
  SharedMap(std::shared_ptr<collab::RoomState> room, std::shared_ptr<View> view)
      : room_(std::move(room)), view_(std::move(view)) {}
  std::shared_ptr<collab::RoomState> room_;
  std::shared_ptr<View> view_;
};

class Room {
 public:
  explicit Room(std::string room_id, RoomSettings settings = {});

  const std::string& room_id() const noexcept { return state_->room_id; }
  const crdt::Doc& doc() const noexcept { return state_->doc; }
  bool connected() const { return state_->connected.get(); }
  // Whether the first exchange with the server is over since it is connected.
  bool synced() const { return state_->synced.get(); }
  std::string trouble() const { return state_->trouble.get(); }
  uint64_t dropped() const { return state_->dropped.get(); }

  // `accepts`: values that it refuses are dropped and counted, as those of another type are.
  template <class T>
  CollaborativeSignal<T> signal(std::string key, T initial,
                                std::function<bool(const T&)> accepts = {}) const;
  CollaborativeSignal<std::string> signal(std::string key, const char* initial) const {
    return signal<std::string>(std::move(key), initial);
  }
  template <class T>
  CollaborativeSignal<T> get_signal(std::string key, T initial) const {
    return signal<T>(std::move(key), std::move(initial));
  }
  SharedCounter counter(const std::string& key) const;
  SharedText text(const std::string& key) const;
  SharedList list(const std::string& key) const;
  SharedMap map(const std::string& key) const;

  // For transports of one's own.
  crdt::Bytes get_update(const crdt::StateVector& state = {}) const;
  Result<void> apply_update(std::span<const uint8_t> update) const {
    return state_->apply_update(update);
  }

  // Who is here: each client's JSON by its id, this one's included.
  std::map<uint64_t, std::string> presence() const;
  // REQUIRES: well-formed JSON. Nothing: this client is not shown any more.
  void set_local_presence(std::optional<std::string> json) const {
    state_->set_local_presence(std::move(json));
  }
  uint64_t client_id() const { return state_->doc.client_id(); }

  // Of what was written here.
  bool undo() const { return state_->undo(); }
  bool redo() const { return state_->redo(); }

  // Everything written in `body` is one transaction, also outside of a batch.
  template <class Body>
  void transact(Body&& body) const {
    state_->change(std::forward<Body>(body));
  }

  const std::shared_ptr<collab::RoomState>& state() const noexcept { return state_; }
  explicit Room(std::shared_ptr<collab::RoomState> state) noexcept : state_(std::move(state)) {}

 private:
  template <class View, class Make>
  std::shared_ptr<View> view(const std::string& name, Make&& make) const {
    std::shared_ptr<void>& place = state_->views[name];
    if (place == nullptr) place = state_->owner.run(std::forward<Make>(make));
    return std::static_pointer_cast<View>(place);
  }
  std::shared_ptr<collab::RoomState> state_;
};

// The name that the original design gives it.
template <class T>
CollaborativeSignal<T> collaborative_signal(const Room& room, std::string key, T initial) {
  return room.signal<T>(std::move(key), std::move(initial));
}

template <class T>
CollaborativeSignal<T> Room::signal(std::string key, T initial,
                                    std::function<bool(const T&)> accepts) const {
  using View = typename CollaborativeSignal<T>::View;
  // One key may be read as two types; each sees the values of its own.
  auto shown = view<View>(std::string("signal:") + typeid(T).name() + ":" + key, [&] {
    auto made = std::make_shared<View>(View{state_.get(), key, initial, Signal<T>(initial, key)});
    auto follow = [made = made.get(), room = state_.get(),
                   accepts = std::move(accepts)](const std::optional<crdt::Value>& value) {
      if (!value) return made->signal.set(made->initial);
      std::optional<T> typed =
          value->is_any() ? collab::SharedValue<T>::from(value->any()) : std::nullopt;
      if (typed && (!accepts || accepts(*typed))) return made->signal.set(std::move(*typed));
      room->dropped.update([](uint64_t count) { return count + 1; });
    };
    auto& follower = state_->followers[key];
    follower = follower ? [first = follower, second = follow](const std::optional<crdt::Value>& value) {
      first(value);
      second(value);
    } : std::function<void(const std::optional<crdt::Value>&)>(follow);
    if (std::optional<crdt::Value> value = state_->doc.map("signals").get(key)) follow(value);
    return made;
  });
  return {state_, std::move(shown)};
}

}  // namespace lattice
