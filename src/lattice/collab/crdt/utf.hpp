// SPDX-License-Identifier: MIT
// Text is stored as UTF-8 and counted in UTF-16 units, as JavaScript counts it.
//
// JavaScript strings may hold one half of a surrogate pair. Inside, such a half is kept in three
// bytes the way UTF-8 would encode its code point (ED A0..BF xx, "WTF-8"), and counts one unit. The
// wire never carries it: bytes from outside must be well-formed UTF-8, and `write_text` replaces
// each half by U+FFFD, which has three bytes as well.
//
// Cutting a pair in two: Yjs replaces both halves by U+FFFD when it splits an item (`split_text`),
// and keeps the second half when it writes an item from an offset (`text_from`).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lattice/collab/crdt/lib0.hpp"

namespace lattice::crdt {

inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

// UTF-16 units that a lead byte stands for; 0 for continuation bytes.
constexpr uint32_t utf16_units_of_lead(uint8_t byte) noexcept {
  return (byte & 0xC0) == 0x80 ? 0 : byte >= 0xF0 ? 2 : 1;
}
// Bytes of the character that a lead byte begins.
constexpr uint32_t utf8_bytes_of_lead(uint8_t byte) noexcept {
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

namespace internal {
bool is_ascii_long(std::string_view text) noexcept;
uint32_t utf16_length_long(std::string_view text) noexcept;
int64_t checked_utf16_length_long(std::string_view text) noexcept;
}  // namespace internal

inline bool is_ascii(std::string_view text) noexcept { return internal::is_ascii_long(text); }

// REQUIRES: UTF-8 or WTF-8, under 4 GB.
inline uint32_t utf16_length(std::string_view text) noexcept {
  return internal::utf16_length_long(text);
}

// The length in UTF-16 units of bytes from outside; -1 when they are no well-formed UTF-8 (as
// Unicode 15, table 3-7, has it) or hold 2^32 units or more.
inline int64_t checked_utf16_length(std::string_view text) noexcept {
  if (text.size() == 1 && static_cast<uint8_t>(text[0]) < 0x80) [[likely]]
    return 1;
  return internal::checked_utf16_length_long(text);
}

struct TextOffset {
  size_t bytes = 0;        // of the first whole character at or after the offset
  bool cuts_pair = false;  // the offset lies between two halves; `bytes` is where that pair begins
};
// Where unit `units` of the text begins. REQUIRES: units <= utf16_length(text).
TextOffset utf8_offset(std::string_view text, uint32_t units) noexcept;

// The second half of a pair, from its four bytes, as WTF-8.
std::string low_surrogate_of(std::string_view pair);
std::string high_surrogate_of(std::string_view pair);

// `text` from unit `units` on, as JavaScript's slice has it: a cut pair leaves its second half.
// `scratch` owns the bytes when they are not a part of `text`.
std::string_view text_from(std::string_view text, uint32_t units, std::string& scratch);

struct SplitText {
  std::string left, right;
};
// Splits as Yjs splits an item: both halves of a cut pair become U+FFFD.
SplitText split_text(std::string_view text, uint32_t units);
// The right side alone, without copying when no pair is cut.
std::string_view split_text_right(std::string_view text, uint32_t units, std::string& scratch);

// Whether the text holds a half of a surrogate pair.
bool has_lone_surrogate(std::string_view text) noexcept;
// Appends `text` to `out`; joins a half at the end of `out` with one at the start of `text`.
void append_text(std::string& out, std::string_view text);
// Replaces halves by U+FFFD, in place: the length in bytes does not change.
void replace_lone_surrogates(char* text, size_t size) noexcept;
std::string without_lone_surrogates(std::string_view text);
// The text as a varstring, halves replaced.
void write_text(Encoder& encoder, std::string_view text);

std::u16string utf16_of(std::string_view text);
// Unpaired halves become WTF-8.
std::string utf8_of(std::u16string_view text);

}  // namespace lattice::crdt
