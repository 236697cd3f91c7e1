// SPDX-License-Identifier: MIT
// The run-length columns of update encoding v2.
//
//   Rle          value, then count - 1 when the value changes; the last run has no count and has no
//                end: a reader that runs out of bytes goes on with the last value
//   UintOptRle   one value v as varint +v; a run as varint -v and count - 2 (a run of zeros: -0)
//   IntDiffOptRle  differences: varint 2 * diff (+ 1 when count - 2 follows)
//   strings      all text as one varstring, then the lengths in UTF-16 units as UintOptRle
//
// A few bytes may stand for 2^53 values, so a reader of columns needs a bound of its own on how
// many structs it takes out (struct_reader.hpp has it). Readers allocate nothing, except for text
// whose surrogate pair was cut between two strings. Source: lib0 0.2 encoding.js: RleEncoder,
// UintOptRleEncoder, IntDiffOptRleEncoder, StringEncoder.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lattice/collab/crdt/lib0.hpp"
#include "lattice/collab/crdt/utf.hpp"

namespace lattice::crdt {

class RleReader {
 public:
  RleReader() noexcept = default;
  explicit RleReader(ByteView bytes) noexcept : bytes_(bytes) {}

  uint8_t read() noexcept {
    if (count_ == 0) [[unlikely]] {
      value_ = bytes_.u8();
      // A last run without a count lasts for ever.
      count_ = bytes_.at_end() ? UINT64_MAX : bytes_.var_uint() + 1;
    }
    --count_;
    return value_;
  }
  const Decoder& bytes() const noexcept { return bytes_; }

 private:
  Decoder bytes_;
  uint64_t count_ = 0;
  uint8_t value_ = 0;
};

class UintOptRleReader {
 public:
  UintOptRleReader() noexcept = default;
  explicit UintOptRleReader(ByteView bytes) noexcept : bytes_(bytes) {}
  explicit UintOptRleReader(Decoder bytes) noexcept : bytes_(bytes) {}

  uint64_t read() noexcept {
    if (count_ == 0) {
      const SignedVarint head = bytes_.var_int();
      value_ = head.magnitude;
      count_ = head.negative ? bytes_.var_uint() + 2 : 1;
    }
    --count_;
    return value_;
  }
  const Decoder& bytes() const noexcept { return bytes_; }
  void fail(const char* reason) noexcept { bytes_.fail(reason); }

 private:
  Decoder bytes_;
  uint64_t count_ = 0;
  uint64_t value_ = 0;
};

class IntDiffOptRleReader {
 public:
  IntDiffOptRleReader() noexcept = default;
  explicit IntDiffOptRleReader(ByteView bytes) noexcept : bytes_(bytes) {}

  // A safe integer that is not negative: fails otherwise.
  uint64_t read() noexcept {
    if (count_ == 0) {
      const SignedVarint head = bytes_.var_int();
      // floor(diff / 2): an odd negative number rounds away from zero. The lowest bit of a negative
      // number in two's complement is that of its magnitude.
      const auto encoded = static_cast<int64_t>(head.magnitude);
      diff_ = (head.negative ? -encoded : encoded) >> 1;
      count_ = (head.magnitude & 1) != 0 ? bytes_.var_uint() + 2 : 1;
    }
    --count_;
    // Both are below 2^53 in magnitude, so the sum does not overflow.
    value_ += diff_;
    if (value_ < 0 || value_ > static_cast<int64_t>(kSafeIntegerMax)) [[unlikely]] {
      bytes_.fail("clock is no safe integer");
      value_ = 0;
      count_ = 0;
    }
    return static_cast<uint64_t>(value_);
  }
  const Decoder& bytes() const noexcept { return bytes_; }

 private:
  Decoder bytes_;
  uint64_t count_ = 0;
  int64_t value_ = 0;
  int64_t diff_ = 0;
};

// Bytes that stay where they are until the arena goes.
class TextArena {
 public:
  char* allocate(size_t size) {
    if (size > left_) {
      left_ = size > kBlockBytes ? size : kBlockBytes;
      blocks_.emplace_back(new char[left_]);
      at_ = blocks_.back().get();
    }
    char* place = at_;
    at_ += size;
    left_ -= size;
    return place;
  }

 private:
  static constexpr size_t kBlockBytes = 1024;
  std::vector<std::unique_ptr<char[]>> blocks_;
  char* at_ = nullptr;
  size_t left_ = 0;
};

class StringColumnReader {
 public:
  StringColumnReader() = default;
  explicit StringColumnReader(ByteView bytes) {
    Decoder decoder(bytes);
    text_ = decoder.var_string();
    if (checked_utf16_length(text_) < 0) decoder.fail("text is no well-formed UTF-8");
    is_ascii_ = is_ascii(text_);
    lengths_ = UintOptRleReader(decoder);
  }

  struct Text {
    std::string_view text;
    uint64_t units = 0;
  };
  // A view into the column, or into this reader for a half of a cut pair.
  Text read() {
    const uint64_t units = lengths_.read();
    const uint64_t left = text_.size() - offset_;
    // Units never outnumber bytes.
    if (units > left) [[unlikely]] {
      lengths_.fail("string runs past the end of its column");
      return {};
    }
    if (is_ascii_) [[likely]] {
      const std::string_view text = text_.substr(offset_, units);
      offset_ += units;
      return {text, units};
    }
    return read_utf8(static_cast<uint32_t>(units));
  }
  const Decoder& bytes() const noexcept { return lengths_.bytes(); }

 private:
  Text read_utf8(uint32_t units);

  std::string_view text_;
  size_t offset_ = 0;
  bool is_ascii_ = true;
  // The first half of the pair at offset_ belonged to the string before.
  bool in_pair_ = false;
  UintOptRleReader lengths_;
  TextArena halves_;
};

class RleWriter {
 public:
  void write(uint8_t value) {
    if (count_ != 0 && value == value_) {
      ++count_;
      return;
    }
    if (count_ != 0) bytes_.var_uint(count_ - 1);
    count_ = 1;
    bytes_.u8(value);
    value_ = value;
  }
  // The last run's count is not written, so the bytes are complete at any time.
  ByteView finish() noexcept { return bytes_.bytes(); }
  void clear() noexcept {
    bytes_.clear();
    count_ = 0;
  }

 private:
  Encoder bytes_;
  uint64_t count_ = 0;
  uint8_t value_ = 0;
};

class UintOptRleWriter {
 public:
  void write(uint64_t value) {
    if (value == value_) {
      ++count_;
      return;
    }
    flush();
    count_ = 1;
    value_ = value;
  }
  ByteView finish() {
    flush();
    count_ = 0;
    return bytes_.bytes();
  }
  void clear() noexcept {
    bytes_.clear();
    count_ = 0;
    value_ = 0;
  }

 private:
  void flush() {
    if (count_ == 0) return;
    bytes_.var_int(SignedVarint{value_, count_ > 1});
    if (count_ > 1) bytes_.var_uint(count_ - 2);
  }

  Encoder bytes_;
  uint64_t count_ = 0;
  uint64_t value_ = 0;
};

class IntDiffOptRleWriter {
 public:
  void write(uint64_t value) {
    const int64_t diff = static_cast<int64_t>(value) - value_;
    value_ = static_cast<int64_t>(value);
    if (diff == diff_) {
      ++count_;
      return;
    }
    flush();
    count_ = 1;
    diff_ = diff;
  }
  ByteView finish() {
    flush();
    count_ = 0;
    return bytes_.bytes();
  }
  void clear() noexcept {
    bytes_.clear();
    count_ = 0;
    value_ = 0;
    diff_ = 0;
  }

 private:
  void flush() {
    if (count_ == 0) return;
    bytes_.var_int(diff_ * 2 + (count_ > 1 ? 1 : 0));
    if (count_ > 1) bytes_.var_uint(count_ - 2);
  }

  Encoder bytes_;
  uint64_t count_ = 0;
  int64_t value_ = 0;
  int64_t diff_ = 0;
};

class StringColumnWriter {
 public:
  void write(std::string_view text, uint64_t units) {
    lengths_.write(units);
    // Joining needs a look at three bytes, so short ASCII text goes straight in.
    append_text(text_, text);
  }
  void write(std::string_view text) { write(text, utf16_length(text)); }
  // Appends the column's bytes to `out`, with its length in front.
  void finish(Encoder& out);
  void clear() noexcept {
    text_.clear();
    lengths_.clear();
  }

 private:
  std::string text_;
  UintOptRleWriter lengths_;
};

}  // namespace lattice::crdt
