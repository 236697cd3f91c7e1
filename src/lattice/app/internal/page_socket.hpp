// SPDX-License-Identifier: MIT
// A page's WebSocket: finds the session by its HELLO, then passes frames on.
//
// The callbacks come from I/O threads, one at a time; expire() comes from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lattice/app/internal/session_host.hpp"
#include "lattice/net/exchange.hpp"

namespace lattice::app::internal {

// The token of a HELLO frame (protocol/README.md), nothing when it is malformed.
std::optional<std::string> parse_hello(std::span<const uint8_t> frame);

class PageSocket final : public net::MessageHandler,
                         public std::enable_shared_from_this<PageSocket> {
 public:
  // What the server does for a socket.
  class Directory {
   public:
    virtual ~Directory() = default;
    virtual void await_hello(std::weak_ptr<PageSocket> socket) = 0;
    virtual std::shared_ptr<SessionHost> adopt(const std::string& token) = 0;
    virtual void dispose(const std::shared_ptr<SessionHost>& host) = 0;
    virtual bool is_stopping() const = 0;
    virtual void count_protocol_error() = 0;
  };

  explicit PageSocket(std::shared_ptr<Directory> directory) : directory_(std::move(directory)) {}

  void on_open(std::shared_ptr<net::MessageSink> sink) override;
  void on_message(std::vector<uint8_t> message) override;
  void on_close(const net::CloseReason& reason) override;

  // Too late for a HELLO: closes, unless it has come.
  void expire();

 private:
  void greet(std::vector<uint8_t> message);

  const std::shared_ptr<Directory> directory_;
  std::shared_ptr<net::MessageSink> sink_;
  std::shared_ptr<SessionHost> host_;
  std::atomic<bool> is_greeted_{false};
};

}  // namespace lattice::app::internal
