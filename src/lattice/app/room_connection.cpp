// SPDX-License-Identifier: MIT
#include "lattice/app/room_connection.hpp"

#include <algorithm>
#include <mutex>
#include <random>
#include <utility>

#include "lattice/collab/sync_protocol.hpp"

namespace lattice {

using collab::RoomArrival;
using collab::RoomInbox;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kTick{3'000};
constexpr uint16_t kUnsupportedData = 1003;

// One room's connection, over all its attempts. I/O thread but for RoomLink's methods.
class SocketLink final : public collab::RoomLink,
                         public net::MessageHandler,
                         public std::enable_shared_from_this<SocketLink> {
 public:
  SocketLink(net::WebSocketUrl url, ConnectOptions options, std::shared_ptr<RoomInbox> inbox)
      : url_(std::move(url)),
        options_(std::move(options)),
        loop_(options_.loop ? options_.loop : std::make_shared<net::ClientLoop>()),
        inbox_(std::move(inbox)),
        wait_(options_.wait_min) {}

  void open() {
    loop_->connect(url_, options_.client, shared_from_this());
    tick_later();
  }

  void send(std::vector<uint8_t> message) override {
    std::scoped_lock lock(mutex_);
    if (sink_) sink_->send(std::make_shared<const std::vector<uint8_t>>(std::move(message)));
  }

  void close(uint16_t code, std::string reason) override {
    std::shared_ptr<net::MessageSink> sink;
    {
      std::scoped_lock lock(mutex_);
      is_closed_ = true;
      sink = std::exchange(sink_, nullptr);
    }
    if (sink) sink->close({code, std::move(reason)});
  }

  void on_open(std::shared_ptr<net::MessageSink> sink) override {
    {
      std::scoped_lock lock(mutex_);
      if (!is_closed_) sink_ = sink;
    }
    if (is_closed()) return sink->close({1000, "left"});
    wait_ = options_.wait_min;
    current_ = std::move(sink);
    inbox_->push({RoomArrival::Kind::Connected, {}, {}, {}});
  }

  void on_message(std::vector<uint8_t> message) override {
    if (is_closed()) return current_->consumed();
    inbox_->push({RoomArrival::Kind::Message, std::move(message), {}, [sink = current_] {
                    sink->consumed();
                  }});
  }

  void on_close(const net::CloseReason& reason) override {
    current_ = nullptr;
    {
      std::scoped_lock lock(mutex_);
      sink_ = nullptr;
      if (is_closed_) return;
    }
    std::string text = reason.text.empty() ? "the connection was lost" : reason.text;
    if (reason.code != 1006) text += " (" + std::to_string(reason.code) + ")";
    inbox_->push({RoomArrival::Kind::Disconnected, {}, std::move(text), {}});
    retry();
  }

 private:
  bool is_closed() {
    std::scoped_lock lock(mutex_);
    return is_closed_;
  }

  // Spread, so that those whom a restart has cut do not all come back at once.
  void retry() {
    std::uniform_real_distribution<double> spread(0.5, 1.0);
    const auto wait =
        milliseconds(static_cast<int64_t>(static_cast<double>(wait_.count()) * spread(random_)));
    wait_ = std::min(wait_ * 2, options_.wait_max);
    loop_->after(wait, [weak = weak_from_this()] {
      auto self = weak.lock();
      if (self && !self->is_closed()) {
        self->loop_->connect(self->url_, self->options_.client, self);
      }
    });
  }

  void tick_later() {
    loop_->after(kTick, [weak = weak_from_this()] {
      auto self = weak.lock();
      if (!self || self->is_closed()) return;
      self->inbox_->push({RoomArrival::Kind::Tick, {}, {}, {}});
      self->tick_later();
    });
  }

  const net::WebSocketUrl url_;
  const ConnectOptions options_;
  const std::shared_ptr<net::ClientLoop> loop_;
  const std::shared_ptr<RoomInbox> inbox_;

  std::mutex mutex_;
  std::shared_ptr<net::MessageSink> sink_;  // while open
  bool is_closed_ = false;                  // by the room

  // On the I/O thread.
  std::shared_ptr<net::MessageSink> current_;
  milliseconds wait_;
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace

void connect(const Room& room, std::string_view url, ConnectOptions options) {
  Result<net::WebSocketUrl> parsed = net::parse_websocket_url(url);
  if (!parsed) throw Error(parsed.error());
  auto link = std::make_shared<SocketLink>(std::move(parsed).value(), std::move(options),
                                           room.state()->inbox);
  room.state()->attach(link);
  link->open();
}

void disconnect(const Room& room) { room.state()->detach(1000, "left"); }

namespace app {

namespace {

// A room of this process. Sending takes its turn on the room's strand, so that a handler never
// waits for the room's lock while it holds whatever it holds.
class HubLink final : public collab::RoomLink,
                      public RoomMember,
                      public std::enable_shared_from_this<HubLink> {
 public:
  HubLink(std::shared_ptr<Strand> strand, std::shared_ptr<RoomInbox> inbox)
      : strand_(std::move(strand)), inbox_(std::move(inbox)) {}

  // From the served room, with its lock held.
  void send(net::Message message) override {
    inbox_->push({RoomArrival::Kind::Message, *message, {}, {}});
  }

  void send(std::vector<uint8_t> message) override {
    strand_->post([self = shared_from_this(), message = std::move(message)] {
      if (!self->seat_) return;
      if (Result<void> result = self->seat_->receive(message); !result) {
        self->seat_.reset();
        self->inbox_->push({RoomArrival::Kind::Disconnected, {}, result.error(), {}});
      }
    });
  }

  void close(uint16_t, std::string) override {
    strand_->post([self = shared_from_this()] { self->seat_.reset(); });
  }

  // Before anything is posted.
  void take(std::unique_ptr<RoomSeat> seat) { seat_ = std::move(seat); }
  Result<void> receive_now(std::span<const uint8_t> message) { return seat_->receive(message); }

 private:
  const std::shared_ptr<Strand> strand_;
  const std::shared_ptr<RoomInbox> inbox_;
  std::unique_ptr<RoomSeat> seat_;  // on the strand, once it is taken
};

}  // namespace

Joining::Joining(const Room& room, std::shared_ptr<RoomHub> hub, RoomAccess access)
    : room_(room),
      hub_(std::move(hub)),
      access_(access),
      question_(collab::encode_sync_step1(room.state()->doc.encode_state_vector())) {
  Result<std::shared_ptr<Strand>> strand = hub_->strand(room.room_id());
  if (!strand) {
    refused_ = strand.error();
    return;
  }
  link_ = std::make_shared<HubLink>(strand.value(), room.state()->inbox);
  room.state()->attach(link_);
  room.state()->inbox->push({RoomArrival::Kind::Connected, {}, {}, {}});
}

void Joining::ask() {
  if (!refused_.empty()) return;
  auto link = std::static_pointer_cast<HubLink>(link_);
  Result<std::unique_ptr<RoomSeat>> seat = hub_->join(room_.room_id(), link, access_);
  if (!seat) {
    refused_ = seat.error();
    return;
  }
  link->take(std::move(seat).value());
  // What the room holds comes back at once, not by way of the strand.
  Result<void> asked = link->receive_now(question_);
  LATTICE_ASSERT(asked.ok());
}

void Joining::finish() {
  if (refused_.empty()) return room_.state()->receive();
  room_.state()->detach(kUnsupportedData, refused_);
  throw Error(refused_);
}

void join(const Room& room, const std::shared_ptr<RoomHub>& hub, RoomAccess access) {
  Joining joining(room, hub, access);
  joining.ask();
  joining.finish();
}

}  // namespace app
}  // namespace lattice
