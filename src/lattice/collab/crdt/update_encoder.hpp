// SPDX-License-Identifier: MIT
// Writes the fields of an update in its two encodings; the other side of update_decoder.hpp.
//
// Both have the same members. Written in the order in which Yjs writes them, the bytes are Yjs's.
// Encoders may be cleared and used again: they keep their room.
// Text may hold halves of surrogate pairs (utf.hpp); what leaves is well-formed.
// Source: Yjs 13.6 UpdateEncoder.js.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lattice/collab/crdt/any.hpp"
#include "lattice/collab/crdt/columns.hpp"
#include "lattice/collab/crdt/id.hpp"
#include "lattice/collab/crdt/id_set.hpp"
#include "lattice/collab/crdt/utf.hpp"

namespace lattice::crdt {

class UpdateEncoderV1 {
 public:
  static constexpr Encoding kEncoding = Encoding::V1;

  Encoder& rest() noexcept { return rest_; }
  void client(ClientId client) { rest_.var_uint(client); }
  void left_id(Id id) {
    rest_.var_uint(id.client);
    rest_.var_uint(id.clock);
  }
  void right_id(Id id) { left_id(id); }
  void info(uint8_t info) { rest_.u8(info); }
  void parent_root(bool is_root) { rest_.u8(is_root ? 1 : 0); }
  void type_ref(uint64_t type) { rest_.var_uint(type); }
  void length(uint64_t length) { rest_.var_uint(length); }
  void text(std::string_view text) { write_text(rest_, text); }
  // As text(), when its length in UTF-16 units is known.
  void text(std::string_view text, uint64_t units) {
    // As many units as bytes: ASCII, and no halves in it.
    if (units == text.size()) {
      rest_.var_string(text);
    } else {
      write_text(rest_, text);
    }
  }
  void key(std::string_view key) { text(key); }
  void buffer(ByteView bytes) { rest_.var_bytes(bytes); }
  // Anys that are encoded already.
  void encoded_anys(ByteView bytes) { rest_.raw(bytes); }
  void any(const Any& value) { write_any(rest_, value); }
  // The value of an embed or a format. Undefined has no JSON text: Yjs throws there, we write null.
  void json_value(const Any& value) { text(to_json(value).value_or("null")); }

  // After the last field.
  void finish(Encoder& out) { out.raw(rest_.bytes()); }
  std::vector<uint8_t> finish() { return rest_.to_vector(); }
  void clear() noexcept { rest_.clear(); }

 private:
  Encoder rest_;
};

class UpdateEncoderV2 {
 public:
  static constexpr Encoding kEncoding = Encoding::V2;

  Encoder& rest() noexcept { return rest_; }
  void client(ClientId client) { client_.write(client); }
  void left_id(Id id) {
    client_.write(id.client);
    left_clock_.write(id.clock);
  }
  void right_id(Id id) {
    client_.write(id.client);
    right_clock_.write(id.clock);
  }
  void info(uint8_t info) { info_.write(info); }
  void parent_root(bool is_root) { parent_info_.write(is_root ? 1 : 0); }
  void type_ref(uint64_t type) { type_ref_.write(type); }
  void length(uint64_t length) { length_.write(length); }
  void text(std::string_view text) { string_.write(text); }
  void text(std::string_view text, uint64_t units) { string_.write(text, units); }
  // Every key gets a number of its own, as Yjs does it: older readers know no back-references.
  void key(std::string_view key) {
    key_clock_.write(key_count_++);
    string_.write(key);
  }
  void buffer(ByteView bytes) { rest_.var_bytes(bytes); }
  void encoded_anys(ByteView bytes) { rest_.raw(bytes); }
  void any(const Any& value) { write_any(rest_, value); }
  void json_value(const Any& value) { write_any(rest_, value); }

  void finish(Encoder& out) {
    out.u8(0);
    out.var_bytes(key_clock_.finish());
    out.var_bytes(client_.finish());
    out.var_bytes(left_clock_.finish());
    out.var_bytes(right_clock_.finish());
    out.var_bytes(info_.finish());
    string_.finish(out);
    out.var_bytes(parent_info_.finish());
    out.var_bytes(type_ref_.finish());
    out.var_bytes(length_.finish());
    out.raw(rest_.bytes());
  }
  std::vector<uint8_t> finish() {
    Encoder out;
    finish(out);
    return out.to_vector();
  }
  void clear() noexcept {
    rest_.clear();
    key_clock_.clear();
    client_.clear();
    left_clock_.clear();
    right_clock_.clear();
    info_.clear();
    string_.clear();
    parent_info_.clear();
    type_ref_.clear();
    length_.clear();
    key_count_ = 0;
  }

 private:
  Encoder rest_;
  IntDiffOptRleWriter key_clock_;
  UintOptRleWriter client_;
  IntDiffOptRleWriter left_clock_;
  IntDiffOptRleWriter right_clock_;
  RleWriter info_;
  StringColumnWriter string_;
  RleWriter parent_info_;
  UintOptRleWriter type_ref_;
  UintOptRleWriter length_;
  uint64_t key_count_ = 0;
};

}  // namespace lattice::crdt
