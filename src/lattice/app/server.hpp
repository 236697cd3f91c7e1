// SPDX-License-Identifier: MIT
// The server: one port, pages and their sockets, assets and health, from start to a graceful stop.
//
// It connects the transport (net) to sessions (HostedSession) and to rooms (RoomHub), and owns what
// they need: the handler pool, the table of parked and live sessions, static files, the watchdog.
//
// A page's life: GET makes a session on its strand and answers its first paint; the session is then
// parked under a single-use token; the page's socket adopts it by the token in its HELLO frame, in
// time, or it is disposed; when the socket closes, it is disposed.
//
// Threads: I/O threads parse, route and move frames; they never run a session's code and never
// enter the embedding layer. All methods are thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lattice/app/handler_pool.hpp"
#include "lattice/app/hosted_session.hpp"
#include "lattice/app/room_hub.hpp"
#include "lattice/net/log.hpp"

namespace lattice::app {

// Files below `folder` are served under `prefix` ("/static" serves "/static/a.png" from "a.png").
struct StaticDirectory {
  std::string prefix = {};
  std::string folder = {};
};

struct ServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 8000;       // 0 = any free one, see Server::port()
  std::string ssl_cert = {};  // PEM files; both or neither
  std::string ssl_key = {};
  bool dev = false;

  // Host names beside the bind address that a request may name, "example.org" (any port) or
  // "example.org:8443"; "*" allows all. Empty: loopback binds accept only loopback names (against
  // DNS rebinding), others accept any.
  std::vector<std::string> allowed_hosts = {};
  // Origins that may open a socket beside the page's own, in full: "https://example.org".
  std::vector<std::string> allowed_origins = {};

  // The browser runtime's bytes; URLs and caching follow from their hash.
  std::string client_script = {};
  std::string client_style = {};
  std::vector<StaticDirectory> static_dirs = {};

  // The inspector's page (internal/inspector.hpp); served only in dev mode and to this machine.
  std::string inspector_page = {};
  std::string inspector_script = {};

  unsigned io_threads = 2;
  unsigned handler_threads_max = 64;
  std::chrono::milliseconds handler_idle_timeout{5000};

  size_t connections_max = 20'000;
  size_t sessions_max = 20'000;  // parked, live and in their first paint
  size_t parked_max = 1'024;
  size_t parked_per_address_max = 256;
  size_t header_bytes_max = 16 * 1024;
  size_t body_bytes_max = 1024 * 1024;
  size_t message_bytes_max = 1024 * 1024;
  size_t write_queue_bytes_max = 8 * 1024 * 1024;
  size_t static_file_bytes_max = 64 * 1024 * 1024;

  std::chrono::milliseconds header_timeout{10'000};
  std::chrono::milliseconds idle_timeout{60'000};         // keep-alive between two requests
  std::chrono::milliseconds socket_idle_timeout{60'000};  // pings go out at half of it
  std::chrono::milliseconds token_timeout{15'000};        // first paint to HELLO
  std::chrono::milliseconds hello_timeout{10'000};        // socket to HELLO
  std::chrono::milliseconds drain_timeout{5'000};
  std::chrono::milliseconds watchdog{1'000};  // 0 = off

  // Rooms, at /rooms/{name}: open to programs on this machine when the server is bound to
  // loopback, refused otherwise.
  RoomOptions rooms = {};
  std::shared_ptr<roomlog::RoomLog> room_log = {};  // null: in memory, as long as the server lives

  AroundSegment around_segment = {};
  // On the watchdog's thread, once per slow segment.
  std::function<void(const SlowSegment&)> on_slow_segment = {};
  Log log = {};  // empty = standard error, from Info on
};

struct ServerStats {
  uint64_t connections_open = 0;
  uint64_t connections_accepted = 0;
  uint64_t connections_refused = 0;
  uint64_t requests = 0;
  uint64_t sockets_open = 0;
  uint64_t sessions_live = 0;
  uint64_t sessions_parked = 0;
  uint64_t sessions_created = 0;
  uint64_t sessions_expired = 0;  // never adopted
  uint64_t sessions_refused = 0;  // answered with 503
  uint64_t frames_in = 0, frames_out = 0;
  uint64_t bytes_in = 0, bytes_out = 0;  // of frames
  uint64_t dropped_events = 0;
  uint64_t slow_readers = 0;
  uint64_t protocol_errors = 0;
  uint64_t origins_refused = 0;
  uint64_t slow_segments = 0;
  uint64_t handler_threads = 0;
  RoomCounts rooms;
};

class Server {
 public:
  // Throws Error on options that contradict each other.
  Server(std::shared_ptr<SessionFactory> factory, ServerOptions options);
  ~Server();  // stops
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Binds and serves. Throws net::AddressInUseError, net::BindError, net::TlsError, each with one
  // line that says what to do.
  void start();
  // REQUIRES: started.
  uint16_t port() const;
  // "http://127.0.0.1:8000", to be opened in a browser.
  std::string url() const;
  // Accepts no more, lets running segments finish (up to drain_timeout), closes sockets with 1012,
  // disposes the sessions, joins the threads. Idempotent; a second caller waits for the first.
  // Throws AccessError when called from a session's handler, which it would wait for.
  void stop();
  // Waits until stop() is done.
  void wait();
  ServerStats stats() const;
  // The rooms that this server keeps; the sessions of its pages take seats there too.
  const std::shared_ptr<RoomHub>& rooms() const;

  const std::string& client_script_url() const;
  const std::string& client_style_url() const;

 private:
  struct Core;
  std::shared_ptr<Core> core_;  // shared with segments that outlive stop()
};

}  // namespace lattice::app
