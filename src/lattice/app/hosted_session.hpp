// SPDX-License-Identifier: MIT
// What the server hosts: one session per visitor's tab, made by a factory, driven on its own
// strand.
//
// The server knows nothing about components or Python; the embedding layer implements
// SessionFactory and HostedSession. Every call to a HostedSession, its construction and its
// destruction included, comes from the session's strand: never two at a time, but from changing
// threads, each wrapped by AroundSegment.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lattice/base/result.hpp"

namespace lattice::app {

struct SessionRequest {
  std::string id;      // random, for logs; not a secret and not the token
  std::string target;  // as sent
  std::string path;    // percent-decoded
  std::string query;   // percent-encoded
  std::string user_agent;
  std::string remote_address;
  std::vector<std::pair<std::string, std::string>> headers;
};

// Where a session's frames go. Thread-safe; a sink outlives its connection and then drops them.
class FrameSink {
 public:
  virtual ~FrameSink() = default;
  virtual void send(std::vector<uint8_t> frame) = 0;
  virtual void close(uint16_t code, std::string reason) = 0;
};

class HostedSession {
 public:
  virtual ~HostedSession() = default;
  // The whole HTML document. The token and the client's URLs were given to the factory.
  virtual std::string first_paint() = 0;
  // The page's socket is there; the next call is receive() with its HELLO frame.
  virtual void connect(std::shared_ptr<FrameSink> sink) = 0;
  // A failure closes the connection with close_code().
  virtual Result<void> receive(std::span<const uint8_t> frame) = 0;
  // Its mailbox was woken by the factory's `wake`.
  virtual void drain() = 0;
  // Whether the handler of an event is not over yet, although its segment is (it awaits something):
  // the frames that follow wait. Asked after receive() and drain().
  virtual bool is_waiting() const { return false; }
  // The last call before destruction.
  virtual void close() = 0;

  // The HTTP status of the first paint, asked after it: 404 for a path that no route serves.
  virtual uint16_t page_status() const { return 200; }
  // The close code of the last failed receive().
  virtual uint16_t close_code() const { return 1002; }
  // The dependency graph as the inspector's page wants it, as JSON. Only in dev mode.
  virtual std::string inspect(std::string_view query) {
    (void)query;
    return {};
  }
  // Events dropped so far, since their node or listener was gone; for the server's statistics.
  virtual uint64_t dropped_events() const { return 0; }
};

struct PageContext {
  std::string token;
  std::string client_script_url;
  std::string client_style_url;
  bool dev = false;
};

class SessionFactory {
 public:
  virtual ~SessionFactory() = default;
  // The first call of a session, on its strand. `wake` is thread-safe, may be called at any time
  // (also after the session's end) and leads to one drain() per burst.
  virtual std::unique_ptr<HostedSession> create(const SessionRequest& request,
                                                const PageContext& page,
                                                std::function<void()> wake) = 0;
  // Whether a GET of this (decoded) path makes a page. Called on I/O threads: it must not block and
  // must not enter the embedding layer.
  virtual bool serves(std::string_view path) const { return path == "/"; }
};

// Runs a segment; the embedding layer may take the GIL or enter a Runtime around it.
using AroundSegment = std::function<void(const std::function<void()>& segment)>;

}  // namespace lattice::app
