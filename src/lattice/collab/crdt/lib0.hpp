// SPDX-License-Identifier: MIT
// lib0's primitives over bytes: what every message of the Yjs family is made of.
//
// A varuint is LEB128 of at most 53 bits. A varint holds its sign in bit 6 of the first byte, and
// minus zero is a value of its own (the run-length columns use it as "zero, with a count").
// Floats and bigints are big-endian; strings and buffers carry their length in bytes first.
//
// Decoder: views into the input, no copies, no allocation. An error sticks: the decoder jumps to
// the end, every later read returns zero, and `error()` says what happened first. So a caller reads
// a whole structure and asks once. Counts read from the input are never trusted with memory.
// Encoder: a growing buffer that its owner may clear and use again.
// Source: lib0 0.2 encoding.js and decoding.js.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace lattice::crdt {

using ByteView = std::span<const uint8_t>;

inline constexpr uint64_t kSafeIntegerMax = (uint64_t{1} << 53) - 1;

inline ByteView bytes_of(std::string_view text) noexcept {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
inline std::string_view text_of(ByteView bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A varint as it stands on the wire; `negative` with `magnitude` 0 is minus zero.
struct SignedVarint {
  uint64_t magnitude = 0;
  bool negative = false;
};

class Decoder {
 public:
  Decoder() noexcept = default;
  explicit Decoder(ByteView bytes) noexcept
      : at_(bytes.data()), begin_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  uint8_t u8() noexcept {
    if (at_ == end_) [[unlikely]] {
      fail("unexpected end of bytes");
      return 0;
    }
    return *at_++;
  }
  uint64_t var_uint() noexcept {
    if (at_ != end_ && *at_ < 0x80) [[likely]]
      return *at_++;
    return long_var_uint();
  }
  // Fails above 2^32 - 1: for what can only be an offset into something in memory, or a clock.
  uint32_t var_uint32() noexcept {
    const uint64_t value = var_uint();
    if (value > UINT32_MAX) [[unlikely]] {
      fail("number does not fit in 32 bits");
      return 0;
    }
    return static_cast<uint32_t>(value);
  }
  SignedVarint var_int() noexcept {
    const uint8_t first = u8();
    SignedVarint value{first & uint64_t{0x3f}, (first & 0x40) != 0};
    if ((first & 0x80) == 0) [[likely]]
      return value;
    for (int shift = 6; shift < 63; shift += 7) {
      const uint8_t byte = u8();
      value.magnitude |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) {
        if (value.magnitude > kSafeIntegerMax) break;
        return value;
      }
    }
    fail("varint is no safe integer");
    return {};
  }
  ByteView raw(uint64_t count) noexcept {
    if (count > remaining()) [[unlikely]] {
      fail("length runs past the end of the bytes");
      return {};
    }
    const ByteView view(at_, static_cast<size_t>(count));
    at_ += count;
    return view;
  }
  ByteView var_bytes() noexcept { return raw(var_uint()); }
  // Bytes as they are: well-formedness is for whoever looks into them (utf.hpp).
  std::string_view var_string() noexcept { return text_of(var_bytes()); }
  uint32_t u32_big_endian() noexcept { return static_cast<uint32_t>(big_endian(4)); }
  uint64_t u64_big_endian() noexcept { return big_endian(8); }

  bool ok() const noexcept { return error_ == nullptr; }
  // What went wrong first; nullptr while all is well.
  const char* error() const noexcept { return error_; }
  void fail(const char* reason) noexcept {
    if (error_ == nullptr) {
      error_ = reason;
      error_offset_ = static_cast<size_t>(at_ - begin_);
    }
    at_ = end_;
  }
  bool at_end() const noexcept { return at_ == end_; }
  size_t remaining() const noexcept { return static_cast<size_t>(end_ - at_); }
  // Where the next read begins; after a failure, where that happened.
  size_t offset() const noexcept {
    return error_ != nullptr ? error_offset_ : static_cast<size_t>(at_ - begin_);
  }
  const uint8_t* position() const noexcept { return at_; }

 private:
  uint64_t long_var_uint() noexcept {
    // Clients and clocks mostly take three to five bytes.
    if (end_ - at_ >= 5) [[likely]] {
      const uint8_t* const at = at_;
      uint64_t value = (at[0] & 0x7fU) | static_cast<uint64_t>(at[1] & 0x7f) << 7;
      if (at[1] < 0x80) return at_ += 2, value;
      value |= static_cast<uint64_t>(at[2] & 0x7f) << 14;
      if (at[2] < 0x80) return at_ += 3, value;
      value |= static_cast<uint64_t>(at[3] & 0x7f) << 21;
      if (at[3] < 0x80) return at_ += 4, value;
      value |= static_cast<uint64_t>(at[4] & 0x7f) << 28;
      if (at[4] < 0x80) return at_ += 5, value;
    }
    return longest_var_uint();
  }
  uint64_t longest_var_uint() noexcept {
    uint64_t value = 0;
    for (int shift = 0; shift < 63; shift += 7) {
      const uint8_t byte = u8();
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) {
        if (value > kSafeIntegerMax) break;
        return value;
      }
    }
    fail("varuint is no safe integer");
    return 0;
  }
  uint64_t big_endian(int count) noexcept {
    const ByteView bytes = raw(static_cast<uint64_t>(count));
    uint64_t value = 0;
    for (const uint8_t byte : bytes) value = value << 8 | byte;
    return value;
  }

  const uint8_t* at_ = nullptr;
  const uint8_t* begin_ = nullptr;
  const uint8_t* end_ = nullptr;
  const char* error_ = nullptr;
  size_t error_offset_ = 0;
};

class Encoder {
 public:
  Encoder() noexcept = default;
  Encoder(Encoder&& other) noexcept { swap(other); }
  Encoder& operator=(Encoder&& other) noexcept {
    swap(other);
    return *this;
  }

  void u8(uint8_t value) {
    if (at_ == end_) [[unlikely]]
      grow(1);
    *at_++ = value;
  }
  void var_uint(uint64_t value) {
    if (value < 0x80) [[likely]] {
      u8(static_cast<uint8_t>(value));
      return;
    }
    reserve(10);
    while (value >= 0x80) {
      *at_++ = static_cast<uint8_t>(value) | 0x80;
      value >>= 7;
    }
    *at_++ = static_cast<uint8_t>(value);
  }
  void var_int(SignedVarint value) {
    reserve(11);
    const uint8_t sign = value.negative ? 0x40 : 0;
    uint64_t rest = value.magnitude >> 6;
    *at_++ = static_cast<uint8_t>((rest != 0 ? 0x80 : 0) | sign | (value.magnitude & 0x3f));
    while (rest != 0) {
      *at_++ = static_cast<uint8_t>((rest >= 0x80 ? 0x80 : 0) | (rest & 0x7f));
      rest >>= 7;
    }
  }
  void var_int(int64_t value) {
    const bool negative = value < 0;
    var_int(SignedVarint{negative ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value),
                         negative});
  }
  void raw(ByteView bytes) {
    if (bytes.empty()) return;
    reserve(bytes.size());
    std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  void raw(std::string_view text) { raw(bytes_of(text)); }
  void var_bytes(ByteView bytes) {
    var_uint(bytes.size());
    raw(bytes);
  }
  // REQUIRES: well-formed UTF-8. Text that may hold halves of surrogate pairs goes through
  // write_text (utf.hpp).
  void var_string(std::string_view text) { var_bytes(bytes_of(text)); }
  void u32_big_endian(uint32_t value) { big_endian(value, 4); }
  void u64_big_endian(uint64_t value) { big_endian(value, 8); }

  // Room for `count` more bytes.
  void reserve(size_t count) {
    if (static_cast<size_t>(end_ - at_) < count) [[unlikely]]
      grow(count);
  }
  // For writers that fill reserved room by hand: REQUIRES reserve(count) just before.
  uint8_t* position() noexcept { return at_; }
  void advance(size_t count) noexcept { at_ += count; }

  size_t size() const noexcept { return static_cast<size_t>(at_ - buffer_.get()); }
  bool empty() const noexcept { return at_ == buffer_.get(); }
  ByteView bytes() const noexcept { return {buffer_.get(), size()}; }
  std::vector<uint8_t> to_vector() const { return {buffer_.get(), buffer_.get() + size()}; }
  // Forgets the bytes and keeps the room.
  void clear() noexcept { at_ = buffer_.get(); }
  // Keeps the first `size` bytes. REQUIRES: size <= size().
  void truncate(size_t size) noexcept { at_ = buffer_.get() + size; }
  uint8_t back() const noexcept { return at_[-1]; }
  void swap(Encoder& other) noexcept {
    std::swap(buffer_, other.buffer_);
    std::swap(at_, other.at_);
    std::swap(end_, other.end_);
  }

 private:
  void grow(size_t count) {
    const size_t used = size();
    const auto capacity = static_cast<size_t>(end_ - buffer_.get());
    const size_t wanted = std::bit_ceil(used + count < 64 ? size_t{64} : used + count);
    const size_t room = wanted > capacity * 2 ? wanted : capacity * 2;
    std::unique_ptr<uint8_t[]> larger(new uint8_t[room]);
    if (used != 0) std::memcpy(larger.get(), buffer_.get(), used);
    buffer_ = std::move(larger);
    at_ = buffer_.get() + used;
    end_ = buffer_.get() + room;
  }
  void big_endian(uint64_t value, int count) {
    reserve(8);
    for (int i = count - 1; i >= 0; --i) *at_++ = static_cast<uint8_t>(value >> (8 * i));
  }

  std::unique_ptr<uint8_t[]> buffer_;
  uint8_t* at_ = nullptr;
  uint8_t* end_ = nullptr;
};

}  // namespace lattice::crdt
