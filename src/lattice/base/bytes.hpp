// SPDX-License-Identifier: MIT
// Reading and writing bytes: unsigned LEB128 varints, length-prefixed UTF-8, little-endian doubles.
//
// ByteReader never reads past its span: after the first short or malformed read it fails, stays
// failed, and every later read returns zero or empty. Callers check ok() once, at the end of a
// unit.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lattice {

class ByteWriter {
 public:
  void u8(uint8_t value) { bytes_.push_back(value); }
  void varint(uint64_t value) {
    while (value >= 0x80) {
      bytes_.push_back(static_cast<uint8_t>(value) | 0x80);
      value >>= 7;
    }
    bytes_.push_back(static_cast<uint8_t>(value));
  }
  // Zigzag: small magnitudes of either sign stay short.
  void svarint(int64_t value) {
    varint((static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63));
  }
  void f64(double value) {
    auto bits = std::bit_cast<uint64_t>(value);
    for (int i = 0; i < 8; ++i) bytes_.push_back(static_cast<uint8_t>(bits >> (8 * i)));
  }
  void string(std::string_view text) {
    varint(text.size());
    bytes_.insert(bytes_.end(), text.begin(), text.end());
  }
  void append(std::span<const uint8_t> raw) { bytes_.insert(bytes_.end(), raw.begin(), raw.end()); }

  size_t size() const noexcept { return bytes_.size(); }
  bool empty() const noexcept { return bytes_.empty(); }
  void clear() noexcept { bytes_.clear(); }
  const std::vector<uint8_t>& bytes() const noexcept { return bytes_; }
  std::vector<uint8_t> take() noexcept { return std::exchange(bytes_, {}); }

 private:
  std::vector<uint8_t> bytes_;
};

class ByteReader {
 public:
  explicit ByteReader(std::span<const uint8_t> bytes) noexcept : bytes_(bytes) {}

  uint8_t u8() noexcept {
    if (failed_ || offset_ >= bytes_.size()) return fail();
    return bytes_[offset_++];
  }
  // At most ten bytes; an eleventh, or bits beyond 64, fail.
  uint64_t varint() noexcept {
    uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      uint8_t byte = u8();
      if (failed_) return 0;
      if (shift == 63 && byte > 1) return fail();
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    return fail();
  }
  uint32_t varint32() noexcept {
    uint64_t value = varint();
    if (value > UINT32_MAX) return fail();
    return static_cast<uint32_t>(value);
  }
  int64_t svarint() noexcept {
    uint64_t raw = varint();
    return static_cast<int64_t>(raw >> 1) ^ -static_cast<int64_t>(raw & 1);
  }
  double f64() noexcept {
    if (failed_ || bytes_.size() - offset_ < 8) return fail();
    uint64_t bits = 0;
    for (int i = 0; i < 8; ++i) bits |= static_cast<uint64_t>(bytes_[offset_ + i]) << (8 * i);
    offset_ += 8;
    return std::bit_cast<double>(bits);
  }
  // A view into the input span; the caller keeps that alive.
  std::string_view string() noexcept {
    uint64_t length = varint();
    if (failed_ || length > bytes_.size() - offset_) return fail(), std::string_view{};
    std::string_view text(reinterpret_cast<const char*>(bytes_.data()) + offset_, length);
    offset_ += length;
    return text;
  }

  bool ok() const noexcept { return !failed_; }
  bool at_end() const noexcept { return offset_ == bytes_.size(); }
  size_t remaining() const noexcept { return bytes_.size() - offset_; }
  size_t offset() const noexcept { return offset_; }

 private:
  uint8_t fail() noexcept {
    failed_ = true;
    return 0;
  }

  std::span<const uint8_t> bytes_;
  size_t offset_ = 0;
  bool failed_ = false;
};

// Well-formed UTF-8 per Unicode 15, table 3-7: no overlong forms, no surrogates, at most U+10FFFF.
bool is_valid_utf8(std::string_view text) noexcept;

}  // namespace lattice
