// SPDX-License-Identifier: MIT
#include "lattice/app/internal/room_socket.hpp"

#include <algorithm>
#include <utility>

namespace lattice::app::internal {

namespace {
constexpr uint16_t kTryAgainLater = 1013;
}

SendRate::SendRate(const RoomOptions& options, Clock::time_point now)
    : messages_{options.messages_per_second, options.messages_burst, options.messages_burst},
      bytes_{options.bytes_per_second, options.bytes_burst, options.bytes_burst},
      last_(now) {}

double SendRate::Bucket::take(double amount, double elapsed) {
  level = std::min(burst, level + elapsed * rate) - amount;
  return level >= 0 ? 0 : -level / rate;
}

SendRate::Clock::time_point SendRate::take(size_t bytes, Clock::time_point now) {
  const double elapsed = std::chrono::duration<double>(now - std::exchange(last_, now)).count();
  const double wait =
      std::max(messages_.take(1, elapsed), bytes_.take(static_cast<double>(bytes), elapsed));
  return now + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(wait));
}

void RoomSocket::Debts::add(SendRate::Clock::time_point when,
                            std::shared_ptr<net::MessageSink> sink) {
  std::scoped_lock lock(mutex_);
  owed_.emplace_back(when, std::move(sink));
}

void RoomSocket::Debts::pay(SendRate::Clock::time_point now) {
  std::vector<std::shared_ptr<net::MessageSink>> due;
  {
    std::scoped_lock lock(mutex_);
    std::erase_if(owed_, [&](auto& debt) {
      if (debt.first > now) return false;
      due.push_back(std::move(debt.second));
      return true;
    });
  }
  for (const auto& sink : due) sink->consumed();
}

RoomSocket::RoomSocket(std::shared_ptr<RoomHub> hub, std::string room, RoomAccess access,
                       std::shared_ptr<Debts> debts)
    : hub_(std::move(hub)),
      room_(std::move(room)),
      access_(access),
      debts_(std::move(debts)),
      rate_(hub_->options(), SendRate::Clock::now()) {}

void RoomSocket::on_open(std::shared_ptr<net::MessageSink> sink) {
  sink_ = std::move(sink);
  Result<std::shared_ptr<Strand>> strand = hub_->strand(room_);
  if (!strand) return sink_->close({kTryAgainLater, strand.error()});
  strand_ = strand.value();
  // Not here: the document may have to be loaded first.
  strand_->post([self = shared_from_this()] {
    Result<std::unique_ptr<RoomSeat>> seat = self->hub_->join(self->room_, self, self->access_);
    if (seat) {
      self->seat_ = std::move(seat).value();
    } else {
      self->has_failed_ = true;
      self->sink_->close({kTryAgainLater, seat.error()});
    }
  });
}

void RoomSocket::on_message(std::vector<uint8_t> message) {
  if (!strand_) return sink_->consumed();
  strand_->post(
      [self = shared_from_this(), message = std::move(message)] { self->receive(message); });
}

void RoomSocket::receive(const std::vector<uint8_t>& message) {
  if (seat_ && !has_failed_) {
    if (Result<void> result = seat_->receive(message); !result) {
      has_failed_ = true;
      sink_->close({seat_->close_code(), result.error()});
      seat_.reset();
    }
  }
  const SendRate::Clock::time_point now = SendRate::Clock::now();
  const SendRate::Clock::time_point when = rate_.take(message.size(), now);
  if (when <= now) return sink_->consumed();
  debts_->add(when, sink_);
}

void RoomSocket::on_close(const net::CloseReason&) {
  if (!strand_) return;
  // The member holds this and this holds the seat: letting the seat go parts them.
  strand_->post([self = shared_from_this()] {
    self->has_failed_ = true;
    self->seat_.reset();
  });
}

}  // namespace lattice::app::internal
