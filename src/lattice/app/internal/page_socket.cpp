// SPDX-License-Identifier: MIT
#include "lattice/app/internal/page_socket.hpp"

#include <utility>

#include "lattice/base/bytes.hpp"

namespace lattice::app::internal {

namespace {

constexpr uint8_t kWireVersion = 1;
constexpr uint8_t kHelloKind = 1;
constexpr size_t kTokenBytesMax = 256;
constexpr uint16_t kProtocolError = 1002;
constexpr uint16_t kInvalidUtf8 = 1007;
constexpr uint16_t kServiceRestart = 1012;
constexpr uint16_t kTokenUnknown = 4001;

}  // namespace

std::optional<std::string> parse_hello(std::span<const uint8_t> frame) {
  ByteReader reader(frame);
  const uint8_t version = reader.u8();
  const uint8_t kind = reader.u8();
  std::string_view token = reader.string();
  reader.varint();  // the adopted node count is the session's business
  if (!reader.ok() || !reader.at_end()) return std::nullopt;
  if (version != kWireVersion || kind != kHelloKind || token.size() > kTokenBytesMax) {
    return std::nullopt;
  }
  return std::string(token);
}

void PageSocket::on_open(std::shared_ptr<net::MessageSink> sink) {
  sink_ = std::move(sink);
  if (directory_->is_stopping()) return sink_->close({kServiceRestart, "service restart"});
  directory_->await_hello(weak_from_this());
}

void PageSocket::on_message(std::vector<uint8_t> message) {
  // Not consumed: reading pauses, and the close is on its way.
  if (directory_->is_stopping()) return;
  if (host_) return host_->deliver(std::move(message));
  if (!is_greeted_.exchange(true)) return greet(std::move(message));
  sink_->consumed();  // after a refused or late HELLO
}

void PageSocket::greet(std::vector<uint8_t> message) {
  std::optional<std::string> token = parse_hello(message);
  if (!token) {
    directory_->count_protocol_error();
    return sink_->close({kProtocolError, "HELLO expected"});
  }
  if (!is_valid_utf8(*token)) {
    directory_->count_protocol_error();
    return sink_->close({kInvalidUtf8, "the token is not UTF-8"});
  }
  host_ = directory_->adopt(*token);
  if (!host_) return sink_->close({kTokenUnknown, "token unknown or expired"});
  host_->connect(sink_, std::move(message));
}

void PageSocket::on_close(const net::CloseReason&) {
  is_greeted_ = true;
  if (host_) directory_->dispose(std::exchange(host_, nullptr));
}

void PageSocket::expire() {
  if (is_greeted_.exchange(true)) return;
  directory_->count_protocol_error();
  sink_->close({kProtocolError, "no HELLO in time"});
}

}  // namespace lattice::app::internal
