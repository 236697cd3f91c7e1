// SPDX-License-Identifier: MIT
// The exchange: what a transport and the application say to each other, free of any transport.
//
// A transport reads one request and hands an Exchange to the application, which answers it exactly
// once: with a Response, or (for a WebSocket request) by `upgrade`, which turns it into a stream of
// binary messages. The native listener (net/listener.hpp) is one transport; ASGI can be another.
//
// Threads: the ExchangeHandler and the MessageHandler are called on I/O threads and must not block.
// Everything that the application calls (respond, upgrade, send, close, consumed) is thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lattice::net {

using Headers = std::vector<std::pair<std::string, std::string>>;

// ASCII case-insensitive, as header names are.
bool equal_ignoring_case(std::string_view left, std::string_view right) noexcept;
// The first header of that name, else empty.
std::string_view find_header(const Headers& headers, std::string_view name) noexcept;

struct RequestHead {
  std::string method;
  std::string target;  // as sent; always begins with '/'
  std::string path;    // the target before '?', still percent-encoded
  std::string query;   // after '?', still percent-encoded
  Headers headers;
  std::string remote_address;  // without the port
  bool is_secure = false;      // arrived by TLS
  bool is_upgrade = false;     // asks for a WebSocket

  std::string_view header(std::string_view name) const noexcept {
    return find_header(headers, name);
  }
};

// The body is shared, so that one asset serves every request without a copy.
struct Response {
  uint16_t status = 200;
  Headers headers;
  std::shared_ptr<const std::string> body;  // null = empty

  static Response text(uint16_t status, std::string_view message);
};

using Message = std::shared_ptr<const std::vector<uint8_t>>;

struct CloseReason {
  uint16_t code = 1006;  // 1006 = the connection was lost
  std::string text;
};

// The sending side of one WebSocket.
class MessageSink {
 public:
  virtual ~MessageSink() = default;
  // Queues a binary message. A queue beyond its bound closes the connection with 1013.
  virtual void send(Message message) = 0;
  // Closes after what is queued; messages received later are dropped.
  virtual void close(CloseReason reason) = 0;
  // One received message has been dealt with: reading stops while too many have not.
  virtual void consumed() = 0;
};

// The receiving side; calls come one at a time.
class MessageHandler {
 public:
  virtual ~MessageHandler() = default;
  virtual void on_open(std::shared_ptr<MessageSink> sink) = 0;  // first; the sink may be kept
  virtual void on_message(std::vector<uint8_t> message) = 0;
  virtual void on_close(const CloseReason& reason) = 0;  // exactly once after on_open, last
};

class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual const RequestHead& head() const noexcept = 0;
  virtual const std::string& body() const noexcept = 0;
  // An exchange dropped without an answer is answered with 500.
  virtual void respond(Response response) = 0;
  // REQUIRES: head().is_upgrade.
  virtual void upgrade(std::shared_ptr<MessageHandler> handler) = 0;
};

using ExchangeHandler = std::function<void(std::shared_ptr<Exchange>)>;

// The standard phrase of a status code.
std::string_view reason_phrase(uint16_t status) noexcept;

}  // namespace lattice::net
