// SPDX-License-Identifier: MIT
// serve(component): a page on a port, from a C++ program.
//
//   int main() { return lattice::serve(counter, {.port = 8000}); }
//
// Each visitor's tab gets a session with an instance of the component; sessions run on a pool of
// threads, one segment at a time each.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "lattice/app/server.hpp"
#include "lattice/ui/component.hpp"

namespace lattice {

struct ServeOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 8000;  // 0: any free one
  std::string title = "Lattice";
  std::string language = "en";
  bool dev = false;  // the page shows errors with their messages
  // A folder with client.js and client.css, in place of the browser runtime that is compiled in.
  std::string client_folder = {};
  // Everything else; what is named above wins over it.
  app::ServerOptions server = {};
};

class Server {
 public:
  // Throws Error when there is no browser runtime, or options contradict each other.
  explicit Server(ui::ComponentSource page, ServeOptions options = {});

  // Throws Error, with one line that says what to do, when it cannot bind.
  void start() { server_->start(); }
  uint16_t port() const { return server_->port(); }
  std::string url() const { return server_->url(); }
  // Graceful; see app::Server::stop.
  void stop() { server_->stop(); }
  void wait() { server_->wait(); }
  app::ServerStats stats() const { return server_->stats(); }

 private:
  std::unique_ptr<app::Server> server_;
};

// Serves until SIGINT or SIGTERM, then stops gracefully. Returns the exit code: 0, or 2 when it
// could not start (one line on standard error says why).
int serve(ui::ComponentSource page, ServeOptions options = {});

}  // namespace lattice
