// SPDX-License-Identifier: MIT
// Who may talk to this server: the checks of Host and Origin, as pure functions.
//
// Host: a page of a foreign site can make its own name point to 127.0.0.1 and then reach a server
// that listens only there (DNS rebinding). So a loopback server answers only to loopback names and
// to those it was told.
//
// Origin: any site can open a WebSocket to any host, with the visitor's cookies. So a socket is
// opened only for pages of this very server: same scheme, host and port, compared exactly, or an
// origin from the list. A request without an Origin comes from no browser; it still needs a token.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lattice/net/exchange.hpp"

namespace lattice::app {

struct AccessPolicy {
  bool is_loopback_bind = true;
  std::vector<std::string> allowed_hosts;    // "name", "name:port", "*"
  std::vector<std::string> allowed_origins;  // "scheme://name[:port]"
};

struct AccessVerdict {
  uint16_t status = 0;  // 0 = let in, else the HTTP status to answer with
  std::string reason;
  bool ok() const noexcept { return status == 0; }
};

// A host and port as in a Host header or an origin, lower case; without a trailing dot.
struct Authority {
  std::string host;
  uint16_t port = 0;
  friend bool operator==(const Authority&, const Authority&) = default;
};

// "host", "host:port", "[::1]:port". Nothing for what is no sane authority (user info, spaces, an
// empty host, port 0, bytes outside ASCII).
std::optional<Authority> parse_authority(std::string_view text, uint16_t default_port);

bool is_loopback_name(std::string_view host) noexcept;

// Every request. 421 for a Host that this server does not answer to, 400 for one that is malformed.
AccessVerdict check_host(const net::RequestHead& head, const AccessPolicy& policy);
// A WebSocket request, Host included. Everything that is refused is 403.
AccessVerdict check_upgrade(const net::RequestHead& head, const AccessPolicy& policy);

// Whether both ends are this machine: the server is bound to loopback, and the request came from
// there and names it. A reverse proxy's requests do not: they name the outside.
AccessVerdict check_loopback(const net::RequestHead& head, const AccessPolicy& policy);

}  // namespace lattice::app
