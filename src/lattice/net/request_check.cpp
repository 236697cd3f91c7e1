// SPDX-License-Identifier: MIT
#include "lattice/net/request_check.hpp"

#include <algorithm>

#include "lattice/net/exchange.hpp"

namespace lattice::net {

namespace {

HeadVerdict bad(std::string reason) { return {400, std::move(reason)}; }

bool is_token_char(char c) noexcept {
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
  return std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

bool has_control(std::string_view text) noexcept {
  return std::any_of(text.begin(), text.end(), [](char c) {
    auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7f;
  });
}

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

HeadVerdict check_request_line(std::string_view line) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return bad("malformed request line");
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(method)) return bad("malformed method");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return {505, "only HTTP/1.1 is spoken here"};
  if (target.empty() || target.front() != '/') return bad("the target must begin with '/'");
  const bool is_visible = std::all_of(target.begin(), target.end(), [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7f;
  });
  if (!is_visible) return bad("the target has bytes that must be percent-encoded");
  return {};
}

struct FramingCounts {
  int content_length = 0;
  int transfer_encoding = 0;
  int host = 0;
};

HeadVerdict check_field(std::string_view line, FramingCounts& counts) {
  if (line.front() == ' ' || line.front() == '\t') return bad("folded header line");
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return bad("header line without a colon");
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trim(line.substr(colon + 1));
  if (!is_token(name)) return bad("malformed header name");
  if (has_control(value)) return bad("control character in a header");
  if (equal_ignoring_case(name, "Content-Length")) {
    ++counts.content_length;
    const bool is_number =
        !value.empty() && value.size() <= 18 &&
        std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!is_number) return bad("malformed Content-Length");
  } else if (equal_ignoring_case(name, "Transfer-Encoding")) {
    ++counts.transfer_encoding;
    if (!equal_ignoring_case(value, "chunked")) return {501, "unknown Transfer-Encoding"};
  } else if (equal_ignoring_case(name, "Host")) {
    ++counts.host;
  }
  return {};
}

}  // namespace

HeadVerdict check_request_head(std::string_view head) {
  FramingCounts counts;
  bool is_first = true;
  bool is_old = false;
  while (!head.empty()) {
    const size_t end = head.find("\r\n");
    if (end == std::string_view::npos) return bad("head without an end");
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + 2);
    if (line.find_first_of("\r\n") != std::string_view::npos) return bad("bare CR or LF");
    if (is_first) {
      if (HeadVerdict verdict = check_request_line(line); !verdict.ok()) return verdict;
      is_old = line.ends_with("HTTP/1.0");
      is_first = false;
    } else if (line.empty()) {
      break;
    } else if (HeadVerdict verdict = check_field(line, counts); !verdict.ok()) {
      return verdict;
    }
  }
  if (is_first) return bad("empty head");
  if (counts.content_length > 1 || counts.transfer_encoding > 1 ||
      counts.content_length + counts.transfer_encoding > 1) {
    return bad("more than one message length");
  }
  if (counts.transfer_encoding > 0 && is_old) return bad("Transfer-Encoding in HTTP/1.0");
  if (counts.host > 1 || (counts.host == 0 && !is_old)) return bad("exactly one Host is required");
  return {};
}

}  // namespace lattice::net
