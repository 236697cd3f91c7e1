// SPDX-License-Identifier: MIT
// Outgoing WebSockets: any number of them on one I/O thread, which starts with the first.
//
// A connection speaks to the same MessageHandler and MessageSink as one that a listener accepted:
// binary messages only, everything bounded, calls of one handler one at a time. It does not
// reconnect; whoever wants that asks again, `after` a while.
//
// All methods are thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "lattice/base/result.hpp"
#include "lattice/net/exchange.hpp"

namespace lattice::net {

struct WebSocketUrl {
  bool is_secure = false;
  std::string host;  // without the brackets of an IPv6 address
  uint16_t port = 80;
  std::string target = "/";

  std::string authority() const;  // as the Host header has it
};

// "ws://host[:port]/path?query" or "wss://...". The failure says what was expected.
Result<WebSocketUrl> parse_websocket_url(std::string_view url);

struct ClientOptions {
  Headers headers = {};  // beside those of the handshake
  // Trusted beside the system's certificates, for wss: a PEM file.
  std::string ca_file = {};
  size_t message_bytes_max = 64 * 1024 * 1024;            // beyond: closed with 1009
  size_t messages_unconsumed_max = 64;                    // beyond: reading pauses
  size_t write_queue_bytes_max = 64 * 1024 * 1024;        // beyond: closed with 1013, queue dropped
  std::chrono::milliseconds connect_timeout{10'000};      // to the end of the handshake
  std::chrono::milliseconds socket_idle_timeout{60'000};  // pings at half of it; beyond: 1006
  std::chrono::milliseconds close_timeout{3'000};
};

class ClientLoop {
 public:
  ClientLoop();
  ~ClientLoop();  // stops
  ClientLoop(const ClientLoop&) = delete;
  ClientLoop& operator=(const ClientLoop&) = delete;

  // The handler is told on_open once the handshake is over; when that fails, on_close alone, with
  // code 1006 and the reason (an HTTP status other than 101 is in it).
  void connect(WebSocketUrl url, ClientOptions options, std::shared_ptr<MessageHandler> handler);
  // Calls `function` on the I/O thread, once. Dropped by stop().
  void after(std::chrono::milliseconds delay, std::function<void()> function);
  // Cuts what is connected (handlers are told) and joins the thread. Idempotent.
  void stop();

 private:
  class Implementation;
  std::shared_ptr<Implementation> implementation_;
};

}  // namespace lattice::net
