// SPDX-License-Identifier: MIT
#include "lattice/collab/crdt/utf.hpp"

#include <bit>

#include "lattice/base/bytes.hpp"

namespace lattice::crdt {
namespace {

constexpr uint64_t kHighBits = 0x8080808080808080;

uint64_t word_at(const char* at) noexcept {
  uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

// Length of the ASCII run at the start.
size_t ascii_prefix(std::string_view text) noexcept {
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    if ((word_at(text.data() + i) & kHighBits) != 0) break;
  }
  while (i < text.size() && static_cast<uint8_t>(text[i]) < 0x80) ++i;
  return i;
}

bool is_high_surrogate_at(std::string_view text, size_t i) noexcept {
  return i + 3 <= text.size() && static_cast<uint8_t>(text[i]) == 0xED &&
         static_cast<uint8_t>(text[i + 1]) >= 0xA0 && static_cast<uint8_t>(text[i + 1]) < 0xB0;
}
bool is_low_surrogate_at(std::string_view text, size_t i) noexcept {
  return i + 3 <= text.size() && static_cast<uint8_t>(text[i]) == 0xED &&
         static_cast<uint8_t>(text[i + 1]) >= 0xB0;
}

uint32_t code_point_at(std::string_view text, size_t i) noexcept {
  auto byte = [&](size_t k) -> uint32_t { return static_cast<uint8_t>(text[i + k]); };
  switch (utf8_bytes_of_lead(static_cast<uint8_t>(text[i]))) {
    case 1:
      return byte(0);
    case 2:
      return (byte(0) & 0x1f) << 6 | (byte(1) & 0x3f);
    case 3:
      return (byte(0) & 0x0f) << 12 | (byte(1) & 0x3f) << 6 | (byte(2) & 0x3f);
    default:
      return (byte(0) & 0x07) << 18 | (byte(1) & 0x3f) << 12 | (byte(2) & 0x3f) << 6 |
             (byte(3) & 0x3f);
  }
}

void append_code_point(std::string& out, uint32_t point) {
  if (point < 0x80) {
    out.push_back(static_cast<char>(point));
  } else if (point < 0x800) {
    out.push_back(static_cast<char>(0xC0 | point >> 6));
    out.push_back(static_cast<char>(0x80 | (point & 0x3f)));
  } else if (point < 0x10000) {
    out.push_back(static_cast<char>(0xE0 | point >> 12));
    out.push_back(static_cast<char>(0x80 | (point >> 6 & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (point & 0x3f)));
  } else {
    out.push_back(static_cast<char>(0xF0 | point >> 18));
    out.push_back(static_cast<char>(0x80 | (point >> 12 & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (point >> 6 & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (point & 0x3f)));
  }
}

}  // namespace

namespace internal {

bool is_ascii_long(std::string_view text) noexcept { return ascii_prefix(text) == text.size(); }

uint32_t utf16_length_long(std::string_view text) noexcept {
  // Units = bytes - continuation bytes + four-byte leads, eight bytes at a time.
  constexpr uint64_t kOnes = 0x0101010101010101;
  size_t units = 0;
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    const uint64_t word = word_at(text.data() + i);
    const uint64_t high = word >> 7 & kOnes;
    const uint64_t continuation = high & ~(word >> 6);
    const uint64_t four = high & word >> 6 & word >> 5 & word >> 4;
    units += 8 - static_cast<size_t>(std::popcount(continuation)) +
             static_cast<size_t>(std::popcount(four));
  }
  for (; i < text.size(); ++i) units += utf16_units_of_lead(static_cast<uint8_t>(text[i]));
  return static_cast<uint32_t>(units);
}

int64_t checked_utf16_length_long(std::string_view text) noexcept {
  const size_t ascii = ascii_prefix(text);
  if (text.size() > UINT32_MAX) return -1;
  if (ascii == text.size()) return static_cast<int64_t>(ascii);
  const std::string_view rest = text.substr(ascii);
  if (!is_valid_utf8(rest)) return -1;
  return static_cast<int64_t>(ascii) + utf16_length_long(rest);
}

}  // namespace internal

TextOffset utf8_offset(std::string_view text, uint32_t units) noexcept {
  size_t i = 0;
  uint32_t left = units;
  while (left >= 8 && i + 8 <= text.size()) {
    if ((word_at(text.data() + i) & kHighBits) != 0) break;
    i += 8;
    left -= 8;
  }
  while (left > 0 && i < text.size()) {
    const auto lead = static_cast<uint8_t>(text[i]);
    const uint32_t step = lead >= 0xF0 ? 2 : 1;
    if (step > left) return {i, true};
    left -= step;
    i += utf8_bytes_of_lead(lead);
  }
  return {i, false};
}

std::string low_surrogate_of(std::string_view pair) {
  std::string half;
  append_code_point(half, 0xDC00 + ((code_point_at(pair, 0) - 0x10000) & 0x3ff));
  return half;
}

std::string high_surrogate_of(std::string_view pair) {
  std::string half;
  append_code_point(half, 0xD800 + ((code_point_at(pair, 0) - 0x10000) >> 10));
  return half;
}

std::string_view text_from(std::string_view text, uint32_t units, std::string& scratch) {
  const TextOffset offset = utf8_offset(text, units);
  if (!offset.cuts_pair) return text.substr(offset.bytes);
  scratch = low_surrogate_of(text.substr(offset.bytes, 4));
  scratch.append(text.substr(offset.bytes + 4));
  return scratch;
}

SplitText split_text(std::string_view text, uint32_t units) {
  const TextOffset offset = utf8_offset(text, units);
  SplitText parts{std::string(text.substr(0, offset.bytes)), {}};
  size_t right = offset.bytes;
  // Yjs looks at the last unit of the left side only: an unpaired high half that ends there is
  // replaced as well, together with whatever unit comes after it.
  bool is_cut = offset.cuts_pair;
  if (is_cut) {
    right += 4;
  } else if (parts.left.size() >= 3 && is_high_surrogate_at(parts.left, parts.left.size() - 3) &&
             right < text.size()) {
    is_cut = true;
    parts.left.resize(parts.left.size() - 3);
    const auto lead = static_cast<uint8_t>(text[right]);
    if (lead >= 0xF0) {
      parts.right = low_surrogate_of(text.substr(right, 4));
    }
    right += utf8_bytes_of_lead(lead);
  }
  if (is_cut) {
    parts.left.append(kReplacementCharacter);
    parts.right.insert(0, kReplacementCharacter);
  }
  parts.right.append(text.substr(right));
  return parts;
}

std::string_view split_text_right(std::string_view text, uint32_t units, std::string& scratch) {
  const TextOffset offset = utf8_offset(text, units);
  const bool ends_in_half =
      offset.bytes >= 3 && is_high_surrogate_at(text.substr(0, offset.bytes), offset.bytes - 3);
  if (!offset.cuts_pair && !ends_in_half) return text.substr(offset.bytes);
  scratch = split_text(text, units).right;
  return scratch;
}

bool has_lone_surrogate(std::string_view text) noexcept {
  for (size_t i = 0; i + 2 < text.size(); ++i) {
    const void* found = std::memchr(text.data() + i, 0xED, text.size() - 2 - i);
    if (found == nullptr) return false;
    i = static_cast<size_t>(static_cast<const char*>(found) - text.data());
    if (static_cast<uint8_t>(text[i + 1]) >= 0xA0) return true;
  }
  return false;
}

void append_text(std::string& out, std::string_view text) {
  if (out.size() >= 3 && is_high_surrogate_at(out, out.size() - 3) &&
      is_low_surrogate_at(text, 0)) {
    const uint32_t high = code_point_at(out, out.size() - 3) - 0xD800;
    const uint32_t low = code_point_at(text, 0) - 0xDC00;
    out.resize(out.size() - 3);
    append_code_point(out, 0x10000 + (high << 10 | low));
    text.remove_prefix(3);
  }
  out.append(text);
}

void replace_lone_surrogates(char* text, size_t size) noexcept {
  const std::string_view view(text, size);
  for (size_t i = 0; i + 2 < size; ++i) {
    const void* found = std::memchr(text + i, 0xED, size - 2 - i);
    if (found == nullptr) return;
    i = static_cast<size_t>(static_cast<const char*>(found) - text);
    if (is_high_surrogate_at(view, i) || is_low_surrogate_at(view, i)) {
      std::memcpy(text + i, kReplacementCharacter.data(), 3);
      i += 2;
    }
  }
}

std::string without_lone_surrogates(std::string_view text) {
  std::string copy(text);
  replace_lone_surrogates(copy.data(), copy.size());
  return copy;
}

void write_text(Encoder& encoder, std::string_view text) {
  encoder.var_uint(text.size());
  encoder.reserve(text.size());
  char* at = reinterpret_cast<char*>(encoder.position());
  if (!text.empty()) std::memcpy(at, text.data(), text.size());
  if (text.size() >= 3) replace_lone_surrogates(at, text.size());
  encoder.advance(text.size());
}

std::u16string utf16_of(std::string_view text) {
  std::u16string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const uint32_t point = code_point_at(text, i);
    if (point >= 0x10000) {
      out.push_back(static_cast<char16_t>(0xD800 + ((point - 0x10000) >> 10)));
      out.push_back(static_cast<char16_t>(0xDC00 + ((point - 0x10000) & 0x3ff)));
    } else {
      out.push_back(static_cast<char16_t>(point));
    }
    i += utf8_bytes_of_lead(static_cast<uint8_t>(text[i]));
  }
  return out;
}

std::string utf8_of(std::u16string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const char16_t unit = text[i];
    const bool is_pair = unit >= 0xD800 && unit < 0xDC00 && i + 1 < text.size() &&
                         text[i + 1] >= 0xDC00 && text[i + 1] < 0xE000;
    if (is_pair) {
      append_code_point(out, 0x10000 + (static_cast<uint32_t>(unit - 0xD800) << 10 |
                                        static_cast<uint32_t>(text[i + 1] - 0xDC00)));
      ++i;
    } else {
      append_code_point(out, unit);
    }
  }
  return out;
}

}  // namespace lattice::crdt
