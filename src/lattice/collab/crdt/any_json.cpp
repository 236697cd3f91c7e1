// SPDX-License-Identifier: MIT
// JSON text of values, as JavaScript writes and reads it.
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "lattice/collab/crdt/any.hpp"
#include "lattice/collab/crdt/internal/any_builder.hpp"
#include "lattice/collab/crdt/utf.hpp"

namespace lattice::crdt {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

void append_unicode_escape(std::string& out, uint32_t unit) {
  out.append("\\u");
  for (int shift = 12; shift >= 0; shift -= 4) out.push_back(kHexDigits[unit >> shift & 0xf]);
}

void append_quoted(std::string& out, std::string_view text) {
  out.push_back('"');
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<uint8_t>(text[i]);
    switch (c) {
      case '"':
        out.append("\\\"");
        break;
      case '\\':
        out.append("\\\\");
        break;
      case '\b':
        out.append("\\b");
        break;
      case '\f':
        out.append("\\f");
        break;
      case '\n':
        out.append("\\n");
        break;
      case '\r':
        out.append("\\r");
        break;
      case '\t':
        out.append("\\t");
        break;
      default: {
        const bool is_half =
            c == 0xED && i + 2 < text.size() && static_cast<uint8_t>(text[i + 1]) >= 0xA0;
        if (c < 0x20) {
          append_unicode_escape(out, c);
        } else if (is_half) {
          append_unicode_escape(out, 0xD000 | (static_cast<uint8_t>(text[i + 1]) & 0x3fU) << 6 |
                                         (static_cast<uint8_t>(text[i + 2]) & 0x3fU));
          i += 2;
        } else {
          out.push_back(text[i]);
        }
      }
    }
  }
  out.push_back('"');
}

// False when there is a bigint in it.
bool append_json(std::string& out, const Any& value);

bool append_json_array(std::string& out, const Any::ArrayView& items) {
  out.push_back('[');
  for (size_t i = 0; i < items.size(); ++i) {
    if (i != 0) out.push_back(',');
    if (items[i].is_undefined()) {
      out.append("null");
    } else if (!append_json(out, items[i])) {
      return false;
    }
  }
  out.push_back(']');
  return true;
}

bool append_json_object(std::string& out, const Any::ObjectView& entries) {
  out.push_back('{');
  bool is_first = true;
  for (const auto& [key, value] : entries) {
    if (value.is_undefined()) continue;
    if (!is_first) out.push_back(',');
    is_first = false;
    append_quoted(out, key);
    out.push_back(':');
    if (!append_json(out, value)) return false;
  }
  out.push_back('}');
  return true;
}

// A Uint8Array is an object with its indices as keys.
void append_json_bytes(std::string& out, const Any::BytesView& bytes) {
  out.push_back('{');
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i != 0) out.push_back(',');
    out.append("\"").append(std::to_string(i)).append("\":").append(std::to_string(bytes[i]));
  }
  out.push_back('}');
}

bool append_json(std::string& out, const Any& value) {
  switch (value.kind()) {
    case Any::Kind::Undefined:
    case Any::Kind::Null:
      out.append("null");
      return true;
    case Any::Kind::Boolean:
      out.append(value.as_boolean() ? "true" : "false");
      return true;
    case Any::Kind::Number:
      out.append(std::isfinite(value.as_number()) ? number_text(value.as_number()) : "null");
      return true;
    case Any::Kind::BigInt:
      return false;
    case Any::Kind::String:
      append_quoted(out, value.as_string());
      return true;
    case Any::Kind::Bytes:
      append_json_bytes(out, value.as_bytes());
      return true;
    case Any::Kind::Array:
      return append_json_array(out, value.as_array());
    case Any::Kind::Object:
      return append_json_object(out, value.as_object());
  }
  return false;
}

// The tokens of JSON; both the reader that builds values and the one that only checks use it.
class JsonScanner {
 public:
  explicit JsonScanner(std::string_view text) noexcept : text_(text) {}

  void skip_space() noexcept {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) {
      ++at_;
    }
  }
  char peek() const noexcept { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool at_end() const noexcept { return at_ == text_.size(); }
  bool take(char c) noexcept {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view word) noexcept {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  size_t offset() const noexcept { return at_; }

  // The characters of a number; empty when there is none.
  std::string_view number() noexcept {
    const size_t begin = at_;
    take('-');
    if (!take('0') && !digits()) return fail_at(begin);
    if (take('.') && !digits()) return fail_at(begin);
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (!take('+')) take('-');
      if (!digits()) return fail_at(begin);
    }
    return text_.substr(begin, at_ - begin);
  }
  // A string with its quotes; appends its text unless `out` is null.
  bool string(std::string* out) {
    if (!take('"')) return false;
    while (at_ < text_.size()) {
      const auto c = static_cast<uint8_t>(text_[at_]);
      if (c == '"') {
        ++at_;
        return true;
      }
      if (c < 0x20) return false;
      if (c != '\\') {
        if (out != nullptr) out->push_back(text_[at_]);
        ++at_;
      } else if (++at_; !escape(out)) {
        return false;
      }
    }
    return false;
  }

 private:
  std::string_view fail_at(size_t begin) noexcept {
    at_ = begin;
    return {};
  }
  bool digits() noexcept {
    const size_t begin = at_;
    while (peek() >= '0' && peek() <= '9') ++at_;
    return at_ != begin;
  }
  bool escape(std::string* out) {
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kValues = "\"\\/\b\f\n\r\t";
    const char name = peek();
    ++at_;
    if (name == 'u') {
      uint32_t unit = 0;
      for (int i = 0; i < 4; ++i, ++at_) {
        const char c = peek();
        const uint32_t digit = c >= '0' && c <= '9'   ? static_cast<uint32_t>(c - '0')
                               : c >= 'a' && c <= 'f' ? static_cast<uint32_t>(c - 'a' + 10)
                               : c >= 'A' && c <= 'F' ? static_cast<uint32_t>(c - 'A' + 10)
                                                      : 16;
        if (digit == 16) return false;
        unit = unit << 4 | digit;
      }
      const auto unit16 = static_cast<char16_t>(unit);
      // Joins with the half before, if there is one.
      if (out != nullptr) append_text(*out, utf8_of({&unit16, 1}));
      return true;
    }
    const size_t which = name == '\0' ? std::string_view::npos : kNames.find(name);
    if (which == std::string_view::npos) return false;
    if (out != nullptr) out->push_back(kValues[which]);
    return true;
  }

  std::string_view text_;
  size_t at_ = 0;
};

// Reads JSON twice: the first pass checks the text and counts what is in each array and object, the
// second builds them in as much memory as they need. The counts stand in the order in which arrays
// and objects begin.
class JsonReader {
 public:
  explicit JsonReader(std::string_view text) noexcept : scanner_(text) {}

  // Checks only; counts into `counts` unless that is null.
  bool check(std::vector<uint32_t>* counts) {
    counts_ = counts;
    if (!read(0, nullptr)) return false;
    scanner_.skip_space();
    return scanner_.at_end();
  }
  // REQUIRES: check() of the same text filled `counts`.
  Any build(std::vector<uint32_t>& counts) {
    counts_ = &counts;
    Any value;
    read(0, &value);
    return value;
  }
  size_t offset() const noexcept { return scanner_.offset(); }

 private:
  bool read(size_t depth, Any* out);
  bool read_array(size_t depth, Any* out);
  bool read_object(size_t depth, Any* out);
  // Where the count of the array or object that begins here stands; while building, it is there.
  size_t begin_list(bool is_building) {
    if (counts_ != nullptr && !is_building) counts_->push_back(0);
    return is_building ? next_count_++ : counts_ != nullptr ? counts_->size() - 1 : 0;
  }

  JsonScanner scanner_;
  std::vector<uint32_t>* counts_ = nullptr;
  size_t next_count_ = 0;
};

bool JsonReader::read_array(size_t depth, Any* out) {
  const size_t place = begin_list(out != nullptr);
  internal::ListBuilder<Any> items(out != nullptr ? (*counts_)[place] : 0);
  uint32_t count = 0;
  scanner_.skip_space();
  if (!scanner_.take(']')) {
    do {
      Any item;
      if (!read(depth + 1, out != nullptr ? &item : nullptr)) return false;
      if (out != nullptr) items.add(std::move(item));
      ++count;
      scanner_.skip_space();
    } while (scanner_.take(','));
    if (!scanner_.take(']')) return false;
  }
  if (out != nullptr) {
    *out = items.finish();
  } else if (counts_ != nullptr) {
    (*counts_)[place] = count;
  }
  return true;
}

bool JsonReader::read_object(size_t depth, Any* out) {
  const size_t place = begin_list(out != nullptr);
  internal::ListBuilder<Any::Entry> entries(out != nullptr ? (*counts_)[place] : 0);
  uint32_t count = 0;
  scanner_.skip_space();
  if (!scanner_.take('}')) {
    do {
      std::string key;
      Any value;
      scanner_.skip_space();
      if (!scanner_.string(out != nullptr ? &key : nullptr)) return false;
      scanner_.skip_space();
      if (!scanner_.take(':')) return false;
      if (!read(depth + 1, out != nullptr ? &value : nullptr)) return false;
      if (out != nullptr) entries.add({std::move(key), std::move(value)});
      ++count;
      scanner_.skip_space();
    } while (scanner_.take(','));
    if (!scanner_.take('}')) return false;
  }
  if (out != nullptr) {
    *out = entries.finish();
  } else if (counts_ != nullptr) {
    (*counts_)[place] = count;
  }
  return true;
}

bool JsonReader::read(size_t depth, Any* out) {
  if (depth > kAnyDepthMax) return false;
  const auto set = [out](Any value) {
    if (out != nullptr) *out = std::move(value);
    return true;
  };
  scanner_.skip_space();
  switch (scanner_.peek()) {
    case '[':
      scanner_.take('[');
      return read_array(depth, out);
    case '{':
      scanner_.take('{');
      return read_object(depth, out);
    case '"': {
      if (out == nullptr) return scanner_.string(nullptr);
      std::string text;
      return scanner_.string(&text) && set(std::move(text));
    }
    case 't':
      return scanner_.take("true") && set(true);
    case 'f':
      return scanner_.take("false") && set(false);
    case 'n':
      return scanner_.take("null") && set(nullptr);
    default: {
      const std::string_view digits = scanner_.number();
      if (digits.empty()) return false;
      if (out == nullptr) return true;
      double value = 0;
      const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value);
      // Out of range: strtod knows whether that is an infinity or (a signed) zero.
      if (result.ec != std::errc()) value = std::strtod(std::string(digits).c_str(), nullptr);
      return set(value);
    }
  }
}

}  // namespace

std::string number_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  if (value == 0) return "0";
  // Shortest digits that read back as the same number, as d.ddde+xx; then laid out as ECMAScript
  // 6.1.6.1.20 wants them.
  std::array<char, 32> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), std::abs(value),
                                 std::chars_format::scientific)
                       .ptr;
  const std::string_view text(buffer.data(), static_cast<size_t>(end - buffer.data()));
  const size_t e = text.find('e');
  std::string digits(text.substr(0, 1));
  if (e > 2) digits.append(text.substr(2, e - 2));
  int exponent = 0;
  const char* exponent_at = text.data() + e + 1;
  std::from_chars(*exponent_at == '+' ? exponent_at + 1 : exponent_at, end, exponent);
  const int point = exponent + 1;  // digits before the point
  const int count = static_cast<int>(digits.size());
  std::string out = value < 0 ? "-" : "";
  if (point > 21 || point <= -6) {
    out.push_back(digits[0]);
    if (count > 1) out.append(".").append(digits, 1);
    out.append(exponent < 0 ? "e-" : "e+").append(std::to_string(std::abs(exponent)));
  } else if (point <= 0) {
    out.append("0.").append(static_cast<size_t>(-point), '0').append(digits);
  } else if (count <= point) {
    out.append(digits).append(static_cast<size_t>(point - count), '0');
  } else {
    out.append(digits, 0, static_cast<size_t>(point)).append(".");
    out.append(digits, static_cast<size_t>(point));
  }
  return out;
}

std::optional<std::string> to_json(const Any& value) {
  if (value.is_undefined()) return std::nullopt;
  std::string out;
  if (!append_json(out, value)) return std::nullopt;
  return out;
}

Result<Any> parse_json(std::string_view text) {
  std::vector<uint32_t> counts;
  JsonReader checker(text);
  if (checked_utf16_length(text) < 0 || !checker.check(&counts)) {
    return Failure{"JSON text cannot be read at byte " + std::to_string(checker.offset()) + " of " +
                   std::to_string(text.size())};
  }
  return JsonReader(text).build(counts);
}

bool is_valid_json(std::string_view text) { return JsonReader(text).check(nullptr); }

}  // namespace lattice::crdt
