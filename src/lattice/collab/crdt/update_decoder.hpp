// SPDX-License-Identifier: MIT
// The fields of an update in its two encodings: v1 is one stream, v2 has a column for each field.
//
// Both decoders have the same members, so that whatever reads updates is written once, as a
// template. Errors stick (lib0.hpp); v2's columns fail one by one, and ok() looks at all of them.
// Source: Yjs 13.6 UpdateDecoder.js.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lattice/base/result.hpp"
#include "lattice/collab/crdt/any.hpp"
#include "lattice/collab/crdt/columns.hpp"
#include "lattice/collab/crdt/id.hpp"
#include "lattice/collab/crdt/id_set.hpp"
#include "lattice/collab/crdt/utf.hpp"

namespace lattice::crdt {

class UpdateDecoderV1 {
 public:
  static constexpr Encoding kEncoding = Encoding::V1;
  using Text = StringColumnReader::Text;

  UpdateDecoderV1() noexcept = default;
  explicit UpdateDecoderV1(ByteView update) : rest_(update) {}

  // What no column holds: counts, start clocks, the delete set.
  Decoder& rest() noexcept { return rest_; }
  uint64_t client() noexcept { return rest_.var_uint(); }
  Id left_id() noexcept {
    const ClientId client = rest_.var_uint();
    return {client, rest_.var_uint32()};
  }
  Id right_id() noexcept { return left_id(); }
  uint8_t info() noexcept { return rest_.u8(); }
  bool is_parent_root() noexcept { return rest_.var_uint() == 1; }
  uint64_t type_ref() noexcept { return rest_.var_uint(); }
  uint64_t length() noexcept { return rest_.var_uint(); }
  Text text() noexcept {
    const std::string_view text = rest_.var_string();
    const int64_t units = checked_utf16_length(text);
    if (units < 0) [[unlikely]] {
      rest_.fail("text is no well-formed UTF-8");
      return {};
    }
    return {text, static_cast<uint64_t>(units)};
  }
  std::string_view key() noexcept { return text().text; }
  ByteView buffer() noexcept { return rest_.var_bytes(); }
  ByteView any() noexcept {
    const uint8_t* const begin = rest_.position();
    skip_any(rest_);
    return rest_.ok() ? ByteView(begin, rest_.position()) : ByteView();
  }
  // `count` anys in a row.
  ByteView anys(uint64_t count) noexcept {
    const uint8_t* const begin = rest_.position();
    for (uint64_t i = 0; i < count && rest_.ok(); ++i) skip_any(rest_);
    return rest_.ok() ? ByteView(begin, rest_.position()) : ByteView();
  }
  // The value of an embed or a format: JSON text here.
  static constexpr bool kValueIsJson = true;
  ByteView json_value() {
    const std::string_view text = rest_.var_string();
    if (!is_valid_json_text(text)) {
      rest_.fail("value is no JSON");
      return {};
    }
    return bytes_of(text);
  }
  // `count` varstrings, each JSON or "undefined".
  ByteView json_strings(uint64_t count) {
    const uint8_t* const begin = rest_.position();
    for (uint64_t i = 0; i < count && rest_.ok(); ++i) check_json_string(rest_.var_string());
    return rest_.ok() ? ByteView(begin, rest_.position()) : ByteView();
  }

  bool ok() const noexcept { return rest_.ok(); }
  void fail(const char* reason) noexcept { rest_.fail(reason); }
  Failure failure() const {
    return Failure{"update (v1): " + std::string(rest_.error() != nullptr ? rest_.error() : "?") +
                   " at byte " + std::to_string(rest_.offset())};
  }

 private:
  static bool is_valid_json_text(std::string_view text) {
    // "true" and "null" are what formats mostly say.
    return text == "true" || text == "null" ||
           (checked_utf16_length(text) >= 0 && is_valid_json(text));
  }
  void check_json_string(std::string_view text) {
    if (text != "undefined" && !is_valid_json_text(text)) rest_.fail("value is no JSON");
  }

  Decoder rest_;
};

class UpdateDecoderV2 {
 public:
  static constexpr Encoding kEncoding = Encoding::V2;
  using Text = StringColumnReader::Text;

  UpdateDecoderV2() = default;
  explicit UpdateDecoderV2(ByteView update) : rest_(update) {
    rest_.var_uint();  // a feature flag that nobody uses yet
    key_clock_ = IntDiffOptRleReader(rest_.var_bytes());
    client_ = UintOptRleReader(rest_.var_bytes());
    left_clock_ = IntDiffOptRleReader(rest_.var_bytes());
    right_clock_ = IntDiffOptRleReader(rest_.var_bytes());
    info_ = RleReader(rest_.var_bytes());
    string_ = StringColumnReader(rest_.var_bytes());
    parent_info_ = RleReader(rest_.var_bytes());
    type_ref_ = UintOptRleReader(rest_.var_bytes());
    length_ = UintOptRleReader(rest_.var_bytes());
  }

  Decoder& rest() noexcept { return rest_; }
  uint64_t client() noexcept { return client_.read(); }
  Id left_id() noexcept {
    const ClientId client = client_.read();
    return {client, clock(left_clock_.read())};
  }
  Id right_id() noexcept {
    const ClientId client = client_.read();
    return {client, clock(right_clock_.read())};
  }
  uint8_t info() noexcept { return info_.read(); }
  bool is_parent_root() noexcept { return parent_info_.read() == 1; }
  uint64_t type_ref() noexcept { return type_ref_.read(); }
  uint64_t length() noexcept { return length_.read(); }
  Text text() { return string_.read(); }
  // Yjs writes every key anew, and reads back-references.
  std::string_view key() {
    const uint64_t number = key_clock_.read();
    if (number < keys_.size()) return keys_[number];
    const std::string_view key = string_.read().text;
    keys_.push_back(key);
    return key;
  }
  ByteView buffer() noexcept { return rest_.var_bytes(); }
  ByteView any() noexcept { return anys(1); }
  ByteView anys(uint64_t count) noexcept {
    const uint8_t* const begin = rest_.position();
    for (uint64_t i = 0; i < count && rest_.ok(); ++i) skip_any(rest_);
    return rest_.ok() ? ByteView(begin, rest_.position()) : ByteView();
  }
  // An any here.
  static constexpr bool kValueIsJson = false;
  ByteView json_value() noexcept { return any(); }
  ByteView json_strings(uint64_t count);

  bool ok() const noexcept {
    const auto bit = [](const char* error) { return reinterpret_cast<uintptr_t>(error); };
    return (bit(rest_.error()) | bit(key_clock_.bytes().error()) | bit(client_.bytes().error()) |
            bit(left_clock_.bytes().error()) | bit(right_clock_.bytes().error()) |
            bit(info_.bytes().error()) | bit(string_.bytes().error()) |
            bit(parent_info_.bytes().error()) | bit(type_ref_.bytes().error()) |
            bit(length_.bytes().error())) == 0;
  }
  void fail(const char* reason) noexcept { rest_.fail(reason); }
  Failure failure() const;

 private:
  Clock clock(uint64_t value) noexcept {
    if (value > UINT32_MAX) [[unlikely]] {
      rest_.fail("number does not fit in 32 bits");
      return 0;
    }
    return static_cast<Clock>(value);
  }

  Decoder rest_;
  IntDiffOptRleReader key_clock_;
  UintOptRleReader client_;
  IntDiffOptRleReader left_clock_;
  IntDiffOptRleReader right_clock_;
  RleReader info_;
  StringColumnReader string_;
  RleReader parent_info_;
  UintOptRleReader type_ref_;
  UintOptRleReader length_;
  std::vector<std::string_view> keys_;
  TextArena json_;
};

}  // namespace lattice::crdt
