// SPDX-License-Identifier: MIT
// The native transport: one port for HTTP/1.1 and WebSocket, plain or TLS, on a few I/O threads.
//
// What arrives is bounded everywhere: head and body bytes, time for each, messages, messages not
// yet consumed, bytes waiting to be written, connections. The bounds and what happens at them stand
// beside the options. The handler is called on an I/O thread.
//
// Built on Boost.Beast and Asio, which only listener.cpp sees. permessage-deflate is never
// negotiated: frames are small, and its windows cost tens of kilobytes per connection.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "lattice/base/error.hpp"
#include "lattice/net/exchange.hpp"
#include "lattice/net/log.hpp"

namespace lattice::net {

// Another program (or server) has the port.
class AddressInUseError : public Error {
 public:
  using Error::Error;
};

// The address cannot be bound for another reason (unknown host, no permission).
class BindError : public Error {
 public:
  using Error::Error;
};

// Certificate or key are missing, unreadable or do not belong together.
class TlsError : public Error {
 public:
  using Error::Error;
};

struct ListenerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 8000;
  unsigned io_threads = 2;
  std::string ssl_cert = {};  // PEM chain; with ssl_key: TLS 1.2 or newer
  std::string ssl_key = {};

  size_t connections_max = 20'000;                 // beyond: closed at once
  size_t header_bytes_max = 16 * 1024;             // beyond: 431
  size_t body_bytes_max = 1024 * 1024;             // beyond: 413
  size_t message_bytes_max = 1024 * 1024;          // beyond: closed with 1009
  size_t messages_unconsumed_max = 16;             // beyond: reading pauses
  size_t write_queue_bytes_max = 8 * 1024 * 1024;  // beyond: closed with 1013, queue dropped

  std::chrono::milliseconds header_timeout{10'000};  // TLS handshake, head, body: each; beyond: 408
  std::chrono::milliseconds idle_timeout{60'000};    // between requests; beyond: closed
  std::chrono::milliseconds write_timeout{30'000};   // per 64 KiB of a response
  std::chrono::milliseconds socket_idle_timeout{60'000};  // pings at half of it; beyond: 1006
  std::chrono::milliseconds close_timeout{3'000};         // for the peer's half of a close
};

struct ListenerStats {
  uint64_t connections_open = 0;
  uint64_t connections_accepted = 0;
  uint64_t connections_refused = 0;
  uint64_t sockets_open = 0;
  uint64_t requests = 0;
  uint64_t messages_in = 0, messages_out = 0;
  uint64_t bytes_in = 0, bytes_out = 0;  // of messages
  uint64_t slow_readers = 0;
  uint64_t protocol_errors = 0;  // bad heads, text messages, oversized or malformed frames
};

class Listener {
 public:
  Listener(ListenerOptions options, ExchangeHandler handler, Log log);
  ~Listener();  // stops
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // Binds and starts the I/O threads. Throws AddressInUseError, BindError, TlsError.
  void start();
  // REQUIRES: started.
  uint16_t port() const;
  void stop_accepting();
  // Closes every WebSocket after what it has queued.
  void close_sockets(CloseReason reason);
  // Waits for connections to end until the deadline, then cuts them and joins the threads.
  // Idempotent.
  void stop(std::chrono::steady_clock::time_point deadline);
  ListenerStats stats() const;

 private:
  class Implementation;
  std::shared_ptr<Implementation> implementation_;  // shared with its connections
};

}  // namespace lattice::net
