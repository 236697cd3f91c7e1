// SPDX-License-Identifier: MIT
// Just enough JSON to read protocol/golden/ in tests. Throws std::runtime_error on what it does not
// know; not for bytes of strangers.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace lattice::vdom::internal {

struct Json {
  using Array = std::vector<Json>;
  using Object = std::map<std::string, Json, std::less<>>;
  std::variant<std::nullptr_t, bool, int64_t, double, std::string, Array, Object> data;

  const Array& array() const& { return std::get<Array>(data); }
  Array array() && { return std::get<Array>(std::move(data)); }  // for loops over a temporary
  const Object& object() const { return std::get<Object>(data); }
  const std::string& string() const { return std::get<std::string>(data); }
  int64_t integer() const { return std::get<int64_t>(data); }
  bool boolean() const { return std::get<bool>(data); }
  const Json* find(std::string_view name) const {
    const auto found = object().find(name);
    return found == object().end() ? nullptr : &found->second;
  }
  const Json& operator[](std::string_view name) const {
    const Json* found = find(name);
    if (found == nullptr) throw std::runtime_error("no member " + std::string(name));
    return *found;
  }
};

class JsonParser {
 public:
  explicit JsonParser(std::string_view text) : text_(text) {}

  Json parse() {
    Json out = value();
    skip_space();
    if (at_ != text_.size()) fail();
    return out;
  }

 private:
  [[noreturn]] void fail() const {
    throw std::runtime_error("bad JSON at byte " + std::to_string(at_));
  }
  void skip_space() {
    while (at_ < text_.size() && std::string_view(" \n\r\t").find(text_[at_]) != text_.npos) ++at_;
  }
  bool take(std::string_view word) {
    skip_space();
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  void need(std::string_view word) {
    if (!take(word)) fail();
  }

  Json value() {
    if (take("null")) return {nullptr};
    if (take("true")) return {true};
    if (take("false")) return {false};
    if (take("\"")) return {string()};
    if (take("[")) return {array()};
    if (take("{")) return {object()};
    return number();
  }

  Json::Array array() {
    Json::Array out;
    if (take("]")) return out;
    do out.push_back(value());
    while (take(","));
    need("]");
    return out;
  }

  Json::Object object() {
    Json::Object out;
    if (take("}")) return out;
    do {
      need("\"");
      std::string name = string();
      need(":");
      out.emplace(std::move(name), value());
    } while (take(","));
    need("}");
    return out;
  }

  Json number() {
    const size_t end = text_.find_first_not_of("+-.0123456789eE", at_);
    const std::string word(text_.substr(at_, end - at_));
    if (word.empty()) fail();
    at_ += word.size();
    if (word.find_first_of(".eE") == std::string::npos) return {int64_t{std::stoll(word)}};
    return {std::stod(word)};
  }

  std::string string() {
    std::string out;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (text_[at_] != '\\') {
        out += text_[at_++];
        continue;
      }
      ++at_;
      escape(out);
    }
    need("\"");
    return out;
  }

  void escape(std::string& out) {
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kBytes = "\"\\/\b\f\n\r\t";
    const char c = text_[at_++];
    if (c != 'u') {
      out += kBytes.at(kNames.find(c));
      return;
    }
    uint32_t code = hex4();
    if (code >= 0xD800 && code < 0xDC00) {
      at_ += 2;  // \u of the low half
      code = 0x10000 + ((code - 0xD800) << 10) + (hex4() - 0xDC00);
    }
    append_utf8(out, code);
  }

  uint32_t hex4() {
    const std::string digits(text_.substr(at_, 4));
    at_ += 4;
    return static_cast<uint32_t>(std::stoul(digits, nullptr, 16));
  }

  static void append_utf8(std::string& out, uint32_t code) {
    const auto byte = [&](uint32_t bits) { out += static_cast<char>(bits); };
    if (code < 0x80) return byte(code);
    if (code < 0x800) {
      byte(0xC0 | (code >> 6));
    } else if (code < 0x10000) {
      byte(0xE0 | (code >> 12));
      byte(0x80 | ((code >> 6) & 0x3F));
    } else {
      byte(0xF0 | (code >> 18));
      byte(0x80 | ((code >> 12) & 0x3F));
      byte(0x80 | ((code >> 6) & 0x3F));
    }
    byte(0x80 | (code & 0x3F));
  }

  std::string_view text_;
  size_t at_ = 0;
};

inline Json read_golden(const std::string& file) {
  std::ifstream in(std::string(LATTICE_SOURCE_DIR) + "/protocol/golden/" + file);
  if (!in) throw std::runtime_error("cannot read protocol/golden/" + file);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  return JsonParser(text).parse();
}

inline std::vector<uint8_t> from_hex(std::string_view hex) {
  std::vector<uint8_t> out;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    out.push_back(
        static_cast<uint8_t>(std::strtoul(std::string(hex.substr(i, 2)).c_str(), nullptr, 16)));
  }
  return out;
}

inline std::string to_hex(const std::vector<uint8_t>& bytes) {
  std::string out;
  for (uint8_t byte : bytes) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

}  // namespace lattice::vdom::internal
