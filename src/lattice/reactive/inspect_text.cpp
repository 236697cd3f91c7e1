// SPDX-License-Identifier: MIT
#include "lattice/reactive/inspect_text.hpp"

#include <algorithm>
#include <charconv>

namespace lattice::inspect {

std::string id_text(reactive::NodeHandle handle) {
  return std::to_string(handle.index) + "." + std::to_string(handle.generation);
}

reactive::NodeHandle handle_of_id(std::string_view id) noexcept {
  reactive::NodeHandle handle;
  const char* end = id.data() + id.size();
  const auto index = std::from_chars(id.data(), end, handle.index);
  if (index.ec != std::errc() || index.ptr == end || *index.ptr != '.') return {};
  const auto generation = std::from_chars(index.ptr + 1, end, handle.generation);
  return generation.ec == std::errc() && generation.ptr == end ? handle : reactive::NodeHandle{};
}

namespace {

// Length of the UTF-8 sequence at the start of `text`, 0 when it is none.
size_t sequence_length(std::string_view text) noexcept {
  auto byte = [&](size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (size_t at = 1; at != length; ++at) {
    if ((byte(at) & 0xc0) != 0x80) return 0;
  }
  const bool is_overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool is_too_high = (first == 0xed && byte(1) >= 0xa0) || (first == 0xf4 && byte(1) >= 0x90);
  return is_overlong || is_too_high ? 0 : length;
}

void append_escaped(std::string& out, char c) {
  static constexpr char kHex[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  if (c == '"' || c == '\\') {
    out += '\\';
    out += c;
  } else if (byte < 0x20 || byte == 0x7f) {
    out += "\\u00";
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  } else {
    out += c;
  }
}

}  // namespace

namespace {

// Calls `ascii` for each ASCII character and appends the rest as it is, made valid.
template <class Ascii>
void append_utf8(std::string& out, std::string_view text, Ascii&& ascii) {
  while (!text.empty()) {
    const size_t length = sequence_length(text);
    if (length == 1) {
      ascii(text[0]);
    } else {
      out += length == 0 ? std::string_view("\xef\xbf\xbd") : text.substr(0, length);
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  append_utf8(out, text, [&](char c) { append_escaped(out, c); });
  out += '"';
}

void append_dot_string(std::string& out, std::string_view text) {
  out += '"';
  append_utf8(out, text, [&](char c) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  });
  out += '"';
}

void JsonWriter::start(std::string_view name) {
  if (needs_comma_) out_ += ',';
  needs_comma_ = true;
  if (name.empty()) return;
  append_json_string(out_, name);
  out_ += ':';
}

void JsonWriter::open(std::string_view name, char bracket) {
  start(name);
  out_ += bracket;
  needs_comma_ = false;
}

void JsonWriter::close(char bracket) {
  out_ += bracket;
  needs_comma_ = true;
}

void JsonWriter::text(std::string_view name, std::string_view value) {
  start(name);
  append_json_string(out_, value);
}
void JsonWriter::number(std::string_view name, uint64_t value) {
  start(name);
  out_ += std::to_string(value);
}
void JsonWriter::seconds(std::string_view name, std::chrono::nanoseconds value) {
  start(name);
  char text[32];
  const double seconds = static_cast<double>(value.count()) / 1e9;
  out_.append(text, std::to_chars(text, text + sizeof(text), seconds).ptr);
}
void JsonWriter::boolean(std::string_view name, bool value) {
  start(name);
  out_ += value ? "true" : "false";
}
void JsonWriter::item(std::string_view value) {
  start({});
  append_json_string(out_, value);
}

}  // namespace lattice::inspect
