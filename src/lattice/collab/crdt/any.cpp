// SPDX-License-Identifier: MIT
#include "lattice/collab/crdt/any.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "lattice/collab/crdt/utf.hpp"

namespace lattice::crdt {
namespace {

enum Tag : uint8_t {
  kBytes = 116,
  kArray = 117,
  kObject = 118,
  kString = 119,
  kTrue = 120,
  kFalse = 121,
  kBigInt = 122,
  kFloat64 = 123,
  kFloat32 = 124,
  kInteger = 125,
  kNull = 126,
  kUndefined = 127,
};

constexpr double kIntegerMax = 0x7fffffff;

// The key as an array index ("0", "17", but not "017" nor "4294967295"); nullopt for others.
std::optional<uint32_t> array_index(std::string_view key) noexcept {
  if (key.empty() || key.size() > 10 || (key[0] == '0' && key.size() > 1)) return std::nullopt;
  uint64_t value = 0;
  for (const char c : key) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  if (value >= UINT32_MAX) return std::nullopt;
  return static_cast<uint32_t>(value);
}

// Of equal keys the last value stays, in the first one's place.
void drop_repeated_keys(Any::Object& entries) {
  constexpr size_t kScanMax = 16;
  const auto keep = [&entries](size_t kept, size_t i) {
    if (kept != i) entries[kept] = std::move(entries[i]);
  };
  size_t kept = 0;
  if (entries.size() <= kScanMax) {
    for (size_t i = 0; i < entries.size(); ++i) {
      const auto end = entries.begin() + static_cast<std::ptrdiff_t>(kept);
      const auto found = std::find_if(entries.begin(), end, [&](const Any::Entry& entry) {
        return entry.first == entries[i].first;
      });
      if (found != end) {
        found->second = std::move(entries[i].second);
      } else {
        keep(kept++, i);
      }
    }
  } else {
    std::unordered_map<std::string, size_t> places;
    places.reserve(entries.size());
    for (size_t i = 0; i < entries.size(); ++i) {
      const auto [place, is_new] = places.try_emplace(entries[i].first, kept);
      if (is_new) {
        keep(kept++, i);
      } else {
        entries[place->second].second = std::move(entries[i].second);
      }
    }
  }
  entries.resize(kept);
}

void write_number(Encoder& encoder, double value) {
  const bool is_integer = std::trunc(value) == value && std::abs(value) <= kIntegerMax;
  if (is_integer) {
    encoder.u8(kInteger);
    encoder.var_int(SignedVarint{static_cast<uint64_t>(std::abs(value)), std::signbit(value)});
    return;
  }
  const bool fits_float =
      std::isinf(value) ||
      (std::abs(value) <= static_cast<double>(std::numeric_limits<float>::max()) &&
       static_cast<double>(static_cast<float>(value)) == value);
  if (fits_float) {
    encoder.u8(kFloat32);
    encoder.u32_big_endian(std::bit_cast<uint32_t>(static_cast<float>(value)));
  } else {
    encoder.u8(kFloat64);
    // Every NaN is the one that JavaScript writes.
    const double canonical = std::isnan(value) ? std::numeric_limits<double>::quiet_NaN() : value;
    encoder.u64_big_endian(std::bit_cast<uint64_t>(canonical));
  }
}

double read_integer(Decoder& decoder) {
  const SignedVarint value = decoder.var_int();
  const auto magnitude = static_cast<double>(value.magnitude);
  return value.negative ? -magnitude : magnitude;
}

std::string_view read_text(Decoder& decoder) {
  const std::string_view text = decoder.var_string();
  if (checked_utf16_length(text) < 0) {
    decoder.fail("text is no well-formed UTF-8");
    return {};
  }
  return text;
}

Any read_nested(Decoder& decoder, size_t depth);

Any read_array(Decoder& decoder, size_t depth) {
  const uint64_t count = decoder.var_uint();
  if (count > decoder.remaining()) decoder.fail("array is longer than its bytes");
  Any::Array items;
  for (uint64_t i = 0; i < count && decoder.ok(); ++i) {
    items.push_back(read_nested(decoder, depth + 1));
  }
  return decoder.ok() ? Any::array(std::move(items)) : Any();
}

Any read_object(Decoder& decoder, size_t depth) {
  const uint64_t count = decoder.var_uint();
  if (count > decoder.remaining() / 2) decoder.fail("object is longer than its bytes");
  Any::Object entries;
  for (uint64_t i = 0; i < count && decoder.ok(); ++i) {
    const std::string_view key = read_text(decoder);
    entries.emplace_back(std::string(key), read_nested(decoder, depth + 1));
  }
  return decoder.ok() ? Any::object(std::move(entries)) : Any();
}

Any read_nested(Decoder& decoder, size_t depth) {
  if (depth > kAnyDepthMax) {
    decoder.fail("value is nested too deeply");
    return {};
  }
  switch (decoder.u8()) {
    case kUndefined:
      return {};
    case kNull:
      return nullptr;
    case kInteger:
      return read_integer(decoder);
    case kFloat32:
      return static_cast<double>(std::bit_cast<float>(decoder.u32_big_endian()));
    case kFloat64:
      return std::bit_cast<double>(decoder.u64_big_endian());
    case kBigInt:
      return Any::bigint(static_cast<int64_t>(decoder.u64_big_endian()));
    case kFalse:
      return false;
    case kTrue:
      return true;
    case kString:
      return read_text(decoder);
    case kObject:
      return read_object(decoder, depth);
    case kArray:
      return read_array(decoder, depth);
    case kBytes: {
      const ByteView bytes = decoder.var_bytes();
      return Any::bytes({bytes.begin(), bytes.end()});
    }
    default:
      decoder.fail("unknown kind of value");
      return {};
  }
}

bool equal_objects(const Any::Object& a, const Any& b) {
  const Any::Object& others = b.as_object();
  if (a.size() != others.size()) return false;
  constexpr size_t kScanMax = 16;
  std::unordered_map<std::string_view, const Any*> places;
  const auto find = [&](std::string_view key) -> const Any* {
    if (others.size() <= kScanMax) return b.find(key);
    if (places.empty()) {
      for (const Any::Entry& entry : others) places.emplace(entry.first, &entry.second);
    }
    const auto place = places.find(key);
    return place == places.end() ? nullptr : place->second;
  };
  for (size_t i = 0; i < a.size(); ++i) {
    // Mostly both have the same order.
    const Any* other = others[i].first == a[i].first ? &others[i].second : find(a[i].first);
    if (other == nullptr || !(a[i].second == *other)) return false;
  }
  return true;
}

}  // namespace

Any Any::object(Object entries) {
  drop_repeated_keys(entries);
  const auto is_index = [](const Entry& entry) { return array_index(entry.first).has_value(); };
  const auto others = std::stable_partition(entries.begin(), entries.end(), is_index);
  std::sort(entries.begin(), others, [](const Entry& a, const Entry& b) {
    return *array_index(a.first) < *array_index(b.first);
  });
  Any any;
  any.value_ = std::make_shared<const Object>(std::move(entries));
  return any;
}

const Any* Any::find(std::string_view key) const noexcept {
  if (!is_object()) return nullptr;
  for (const Entry& entry : as_object()) {
    if (entry.first == key) return &entry.second;
  }
  return nullptr;
}

bool operator==(const Any& a, const Any& b) {
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Any::Kind::Number:
      return a.as_number() == b.as_number() ||
             (std::isnan(a.as_number()) && std::isnan(b.as_number()));
    case Any::Kind::String:
      return a.as_string() == b.as_string();
    case Any::Kind::Bytes:
      return a.as_bytes() == b.as_bytes();
    case Any::Kind::Array:
      return a.as_array() == b.as_array();
    case Any::Kind::Object:
      return equal_objects(a.as_object(), b);
    default:
      return a.value_ == b.value_;
  }
}

void write_any(Encoder& encoder, const Any& value) {
  switch (value.kind()) {
    case Any::Kind::Undefined:
      encoder.u8(kUndefined);
      break;
    case Any::Kind::Null:
      encoder.u8(kNull);
      break;
    case Any::Kind::Boolean:
      encoder.u8(value.as_boolean() ? kTrue : kFalse);
      break;
    case Any::Kind::Number:
      write_number(encoder, value.as_number());
      break;
    case Any::Kind::BigInt:
      encoder.u8(kBigInt);
      encoder.u64_big_endian(static_cast<uint64_t>(value.as_bigint()));
      break;
    case Any::Kind::String:
      encoder.u8(kString);
      write_text(encoder, value.as_string());
      break;
    case Any::Kind::Bytes:
      encoder.u8(kBytes);
      encoder.var_bytes(value.as_bytes());
      break;
    case Any::Kind::Array:
      encoder.u8(kArray);
      encoder.var_uint(value.as_array().size());
      for (const Any& item : value.as_array()) write_any(encoder, item);
      break;
    case Any::Kind::Object:
      encoder.u8(kObject);
      encoder.var_uint(value.as_object().size());
      for (const Any::Entry& entry : value.as_object()) {
        write_text(encoder, entry.first);
        write_any(encoder, entry.second);
      }
      break;
  }
}

Any read_any(Decoder& decoder) { return read_nested(decoder, 0); }

void skip_any(Decoder& decoder) {
  // Values still to come on each level; an object's level also has a key before each value.
  struct Level {
    uint64_t left;
    bool has_keys;
  };
  std::array<Level, kAnyDepthMax + 1> levels;  // not cleared: most values are one level
  levels[0] = {1, false};
  size_t depth = 0;
  while (decoder.ok()) {
    while (levels[depth].left == 0) {
      if (depth == 0) return;
      --depth;
    }
    --levels[depth].left;
    if (levels[depth].has_keys) read_text(decoder);
    switch (decoder.u8()) {
      case kUndefined:
      case kNull:
      case kFalse:
      case kTrue:
        break;
      case kInteger:
        decoder.var_int();
        break;
      case kFloat32:
        decoder.raw(4);
        break;
      case kFloat64:
      case kBigInt:
        decoder.raw(8);
        break;
      case kString:
        read_text(decoder);
        break;
      case kBytes:
        decoder.var_bytes();
        break;
      case kArray: {
        const uint64_t count = decoder.var_uint();
        if (count > decoder.remaining()) {
          decoder.fail("array is longer than its bytes");
        } else if (depth == kAnyDepthMax && count > 0) {
          decoder.fail("value is nested too deeply");
        } else if (count > 0) {
          levels[++depth] = {count, false};
        }
        break;
      }
      case kObject: {
        const uint64_t count = decoder.var_uint();
        if (count > decoder.remaining() / 2) {
          decoder.fail("object is longer than its bytes");
        } else if (depth == kAnyDepthMax && count > 0) {
          decoder.fail("value is nested too deeply");
        } else if (count > 0) {
          levels[++depth] = {count, true};
        }
        break;
      }
      default:
        decoder.fail("unknown kind of value");
    }
  }
}

}  // namespace lattice::crdt
