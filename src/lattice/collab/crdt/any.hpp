// SPDX-License-Identifier: MIT
// Any: a JavaScript value as lib0 carries it: undefined, null, booleans, numbers, bigints, strings,
// bytes, arrays and objects.
//
// Copies share their contents, which never change after they were made: copying is cheap and safe
// across threads. Objects keep the order that JavaScript would give them: keys that are array
// indices first, in ascending order, then the others as they were first put in.
//
// On the wire: tag byte 116..127, then the value. In update encoding v1 embeds and format values
// travel as JSON text instead. `to_json` writes what JSON.stringify writes, byte for byte;
// `parse_json` reads what JSON.parse reads.
// Text is WTF-8 (utf.hpp).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "lattice/base/result.hpp"
#include "lattice/collab/crdt/lib0.hpp"

namespace lattice::crdt {

// Arrays and objects in one another deeper than this are refused, on the wire and as JSON.
inline constexpr size_t kAnyDepthMax = 500;

class Any {
 public:
  enum class Kind : uint8_t {
    Undefined,
    Null,
    Boolean,
    Number,
    BigInt,
    String,
    Bytes,
    Array,
    Object
  };
  using Array = std::vector<Any>;
  using Entry = std::pair<std::string, Any>;
  using Object = std::vector<Entry>;

  Any() noexcept = default;  // undefined
  Any(std::nullptr_t) noexcept : value_(nullptr) {}
  Any(bool value) noexcept : value_(value) {}
  Any(double value) noexcept : value_(value) {}
  Any(int value) noexcept : value_(static_cast<double>(value)) {}
  Any(const char* text) : Any(std::string_view(text)) {}
  Any(std::string_view text) : value_(std::make_shared<const std::string>(text)) {}
  Any(std::string text) : value_(std::make_shared<const std::string>(std::move(text))) {}

  static Any undefined() noexcept { return {}; }
  static Any null() noexcept { return nullptr; }
  static Any number(double value) noexcept { return value; }
  static Any bigint(int64_t value) noexcept {
    Any any;
    any.value_ = BigIntBox{value};
    return any;
  }
  static Any bytes(std::vector<uint8_t> bytes) {
    Any any;
    any.value_ = std::make_shared<const std::vector<uint8_t>>(std::move(bytes));
    return any;
  }
  static Any array(Array items) {
    Any any;
    any.value_ = std::make_shared<const Array>(std::move(items));
    return any;
  }
  // Orders the entries as JavaScript would; of equal keys the last value stays, in the first place.
  static Any object(Object entries);

  Kind kind() const noexcept { return static_cast<Kind>(value_.index()); }
  bool is_undefined() const noexcept { return kind() == Kind::Undefined; }
  bool is_null() const noexcept { return kind() == Kind::Null; }
  bool is_string() const noexcept { return kind() == Kind::String; }
  bool is_object() const noexcept { return kind() == Kind::Object; }
  bool is_array() const noexcept { return kind() == Kind::Array; }

  // REQUIRES: the kind that each of them names.
  bool as_boolean() const { return std::get<bool>(value_); }
  double as_number() const { return std::get<double>(value_); }
  int64_t as_bigint() const { return std::get<BigIntBox>(value_).value; }
  const std::string& as_string() const {
    return *std::get<std::shared_ptr<const std::string>>(value_);
  }
  const std::vector<uint8_t>& as_bytes() const {
    return *std::get<std::shared_ptr<const std::vector<uint8_t>>>(value_);
  }
  const Array& as_array() const { return *std::get<std::shared_ptr<const Array>>(value_); }
  const Object& as_object() const { return *std::get<std::shared_ptr<const Object>>(value_); }
  // The entry of an object; nullptr when there is none, or when this is no object.
  const Any* find(std::string_view key) const noexcept;

  // Equal as values: numbers as JavaScript's ===, except that NaN equals NaN; objects whatever the
  // order of their keys.
  friend bool operator==(const Any& a, const Any& b);

 private:
  struct BigIntBox {
    int64_t value = 0;
    friend bool operator==(const BigIntBox&, const BigIntBox&) = default;
  };
  // In the order of Kind.
  std::variant<std::monostate, std::nullptr_t, bool, double, BigIntBox,
               std::shared_ptr<const std::string>, std::shared_ptr<const std::vector<uint8_t>>,
               std::shared_ptr<const Array>, std::shared_ptr<const Object>>
      value_;
};

// lib0's writeAny.
void write_any(Encoder& encoder, const Any& value);
// lib0's readAny; undefined and a failed decoder when the bytes are not one.
Any read_any(Decoder& decoder);
// Passes over one value without building it; checks all that read_any checks.
void skip_any(Decoder& decoder);

// What JSON.stringify gives; nullopt for undefined (which has no text) and when there is a bigint
// in it (for which JavaScript throws).
std::optional<std::string> to_json(const Any& value);
Result<Any> parse_json(std::string_view text);
// Whether parse_json would take it; allocates nothing.
bool is_valid_json(std::string_view text) noexcept;

// A number as JavaScript's String(number) has it.
std::string number_text(double value);

}  // namespace lattice::crdt
