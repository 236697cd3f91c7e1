// SPDX-License-Identifier: MIT
#include "lattice/app/upgrade_check.hpp"

#include <algorithm>
#include <charconv>

namespace lattice::app {

namespace {

constexpr size_t kAuthorityBytesMax = 260;

bool is_name_char(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}
bool is_address_char(char c) noexcept {
  return (c >= 'a' && c <= 'f') || (c >= '0' && c <= '9') || c == ':' || c == '.';
}

std::string lowered(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return result;
}

std::optional<uint16_t> parse_port(std::string_view text) {
  uint16_t port = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

struct Origin {
  bool is_secure = false;
  Authority authority;
  friend bool operator==(const Origin&, const Origin&) = default;
};

std::optional<Origin> parse_origin(std::string_view text) {
  const std::string lower = lowered(text);
  std::string_view rest = lower;
  Origin origin;
  if (rest.starts_with("https://")) {
    origin.is_secure = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return std::nullopt;  // "null", extensions, files
  }
  auto authority = parse_authority(rest, origin.is_secure ? 443 : 80);
  if (!authority) return std::nullopt;
  origin.authority = std::move(*authority);
  return origin;
}

// How often a header occurs: a second Origin or Host makes the request ambiguous.
size_t count_header(const net::RequestHead& head, std::string_view name) {
  return static_cast<size_t>(std::count_if(
      head.headers.begin(), head.headers.end(),
      [&](const auto& header) { return net::equal_ignoring_case(header.first, name); }));
}

bool is_allowed_host(const Authority& host, const AccessPolicy& policy) {
  for (const std::string& allowed : policy.allowed_hosts) {
    if (allowed == "*") return true;
    // Without a port, an entry stands for all of them: parsing with the request's own port says so.
    auto entry = parse_authority(allowed, host.port);
    if (entry && *entry == host) return true;
  }
  if (policy.is_loopback_bind) return is_loopback_name(host.host);
  return policy.allowed_hosts.empty();
}

}  // namespace

std::optional<Authority> parse_authority(std::string_view text, uint16_t default_port) {
  if (text.empty() || text.size() > kAuthorityBytesMax) return std::nullopt;
  const std::string lower = lowered(text);
  std::string_view rest = lower;
  Authority authority;
  if (rest.front() == '[') {
    const size_t end = rest.find(']');
    if (end == std::string_view::npos || end < 3) return std::nullopt;
    std::string_view address = rest.substr(1, end - 1);
    if (!std::all_of(address.begin(), address.end(), is_address_char)) return std::nullopt;
    authority.host = std::string(rest.substr(0, end + 1));
    rest.remove_prefix(end + 1);
  } else {
    const size_t end = std::min(rest.find(':'), rest.size());
    std::string_view name = rest.substr(0, end);
    rest.remove_prefix(end);
    if (name.ends_with('.')) name.remove_suffix(1);  // the absolute form of the same name
    if (name.empty() || name.front() == '.' || name.find("..") != std::string_view::npos) {
      return std::nullopt;
    }
    if (!std::all_of(name.begin(), name.end(), is_name_char)) return std::nullopt;
    authority.host = std::string(name);
  }
  authority.port = default_port;
  if (rest.empty()) return authority;
  if (rest.front() != ':') return std::nullopt;
  auto port = parse_port(rest.substr(1));
  if (!port) return std::nullopt;
  authority.port = *port;
  return authority;
}

bool is_loopback_name(std::string_view host) noexcept {
  return host == "localhost" || host.ends_with(".localhost") || host == "127.0.0.1" ||
         host == "[::1]" || host == "::1";
}

AccessVerdict check_host(const net::RequestHead& head, const AccessPolicy& policy) {
  if (count_header(head, "Host") != 1) return {400, "exactly one Host is required"};
  auto host = parse_authority(head.header("Host"), head.is_secure ? 443 : 80);
  if (!host) return {400, "malformed Host"};
  if (!is_allowed_host(*host, policy)) {
    return {421, "this server does not answer to " + host->host + "; allow it with --allowed-host"};
  }
  return {};
}

AccessVerdict check_upgrade(const net::RequestHead& head, const AccessPolicy& policy) {
  if (AccessVerdict verdict = check_host(head, policy); !verdict.ok()) {
    return {403, std::move(verdict.reason)};
  }
  const size_t origins = count_header(head, "Origin");
  if (origins == 0) return {};
  auto origin = parse_origin(head.header("Origin"));
  if (origins > 1 || !origin) return {403, "origin refused"};
  for (const std::string& allowed : policy.allowed_origins) {
    auto entry = parse_origin(allowed);
    if (entry && *entry == *origin) return {};
  }
  auto host = parse_authority(head.header("Host"), head.is_secure ? 443 : 80);
  if (origin->is_secure == head.is_secure && origin->authority == *host) return {};
  return {403, "origin refused"};
}

AccessVerdict check_loopback(const net::RequestHead& head, const AccessPolicy& policy) {
  const std::string_view peer = head.remote_address;
  const bool is_near = peer.starts_with("127.") || peer == "::1" || peer.starts_with("::ffff:127.");
  auto host = parse_authority(head.header("Host"), head.is_secure ? 443 : 80);
  if (policy.is_loopback_bind && is_near && host && is_loopback_name(host->host)) return {};
  return {403, "rooms are open on loopback only"};
}

}  // namespace lattice::app
