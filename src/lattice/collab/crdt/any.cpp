// SPDX-License-Identifier: MIT
#include "lattice/collab/crdt/any.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "lattice/collab/crdt/internal/any_builder.hpp"
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

// A key's number and its first eight bytes, which decide most comparisons.
struct KeyPlace {
  uint64_t prefix = 0;
  uint32_t entry = 0;
};

uint64_t prefix_of(std::string_view key) noexcept {
  uint64_t prefix = 0;
  for (size_t i = 0; i < 8; ++i) {
    prefix = prefix << 8 | (i < key.size() ? static_cast<uint8_t>(key[i]) : 0U);
  }
  return prefix;
}

// Marks entries whose key came before, and moves the last value of equal keys to the first of them.
// By sorting: whoever chooses the keys could make any hash table slow.
std::vector<bool> mark_repeated_keys(std::span<Any::Entry> entries) {
  std::vector<KeyPlace> places;
  places.reserve(entries.size());
  for (uint32_t i = 0; i < entries.size(); ++i) {
    places.push_back({prefix_of(entries[i].first), i});
  }
  std::sort(places.begin(), places.end(), [entries](const KeyPlace& a, const KeyPlace& b) {
    if (a.prefix != b.prefix) return a.prefix < b.prefix;
    const int comparison = entries[a.entry].first.compare(entries[b.entry].first);
    return comparison != 0 ? comparison < 0 : a.entry < b.entry;
  });
  std::vector<bool> is_repeated(entries.size());
  for (size_t i = places.size(); i-- > 1;) {
    Any::Entry& earlier = entries[places[i - 1].entry];
    Any::Entry& later = entries[places[i].entry];
    if (places[i - 1].prefix != places[i].prefix || earlier.first != later.first) continue;
    is_repeated[places[i].entry] = true;
    earlier.second = std::move(later.second);
  }
  return is_repeated;
}

bool has_repeated_key(std::span<const Any::Entry> entries) noexcept {
  for (size_t i = 1; i < entries.size(); ++i) {
    for (size_t k = 0; k < i; ++k) {
      if (entries[k].first == entries[i].first) return true;
    }
  }
  return false;
}

// The entries in JavaScript's order, by their numbers; empty when they have it already.
std::vector<uint32_t> javascript_order(std::span<Any::Entry> entries) {
  constexpr size_t kScanMax = 16;
  std::vector<bool> is_repeated;
  if (entries.size() > kScanMax || has_repeated_key(entries)) {
    is_repeated = mark_repeated_keys(entries);
  }
  std::vector<std::pair<uint32_t, uint32_t>> indices;
  std::vector<uint32_t> others;
  for (uint32_t i = 0; i < entries.size(); ++i) {
    if (!is_repeated.empty() && is_repeated[i]) continue;
    if (const std::optional<uint32_t> index = array_index(entries[i].first)) {
      indices.emplace_back(*index, i);
    } else {
      others.push_back(i);
    }
  }
  if (others.size() == entries.size()) return {};
  std::sort(indices.begin(), indices.end());
  std::vector<uint32_t> order;
  order.reserve(indices.size() + others.size());
  for (const auto& [index, i] : indices) order.push_back(i);
  order.insert(order.end(), others.begin(), others.end());
  return order;
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

// Reads values. No value takes less than a byte, so all counts together may name as many as there
// are bytes: memory for them is set aside before they are read.
class AnyReader {
 public:
  explicit AnyReader(Decoder& decoder) noexcept
      : decoder_(decoder), values_left_(decoder.remaining()) {}

  Any read(size_t depth) {
    if (depth > kAnyDepthMax) return fail("value is nested too deeply");
    switch (decoder_.u8()) {
      case kUndefined:
        return {};
      case kNull:
        return nullptr;
      case kInteger:
        return read_integer(decoder_);
      case kFloat32:
        return static_cast<double>(std::bit_cast<float>(decoder_.u32_big_endian()));
      case kFloat64:
        return std::bit_cast<double>(decoder_.u64_big_endian());
      case kBigInt:
        return Any::bigint(static_cast<int64_t>(decoder_.u64_big_endian()));
      case kFalse:
        return false;
      case kTrue:
        return true;
      case kString:
        return read_text(decoder_);
      case kObject:
        return read_object(depth);
      case kArray:
        return read_array(depth);
      case kBytes: {
        return Any::bytes(decoder_.var_bytes());
      }
      default:
        return fail("unknown kind of value");
    }
  }

 private:
  Any fail(const char* reason) noexcept {
    decoder_.fail(reason);
    return {};
  }
  bool take(uint64_t count, uint64_t values_each) noexcept {
    if (count > values_left_ / values_each) return false;
    values_left_ -= count * values_each;
    return true;
  }
  Any read_array(size_t depth) {
    const uint64_t count = decoder_.var_uint();
    if (!take(count, 1)) return fail("array is longer than its bytes");
    internal::ListBuilder<Any> items(static_cast<size_t>(count));
    for (uint64_t i = 0; i < count && decoder_.ok(); ++i) items.add(read(depth + 1));
    return decoder_.ok() ? items.finish() : Any();
  }
  Any read_object(size_t depth) {
    const uint64_t count = decoder_.var_uint();
    if (!take(count, 2)) return fail("object is longer than its bytes");
    internal::ListBuilder<Any::Entry> entries(static_cast<size_t>(count));
    for (uint64_t i = 0; i < count && decoder_.ok(); ++i) {
      const std::string_view key = read_text(decoder_);
      entries.add({std::string(key), read(depth + 1)});
    }
    return decoder_.ok() ? entries.finish() : Any();
  }

  Decoder& decoder_;
  uint64_t values_left_;
};

bool equal_objects(const Any::ObjectView& a, const Any& b) {
  const Any::ObjectView& others = b.as_object();
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

template <>
Any internal::ListBuilder<uint8_t>::finish() {
  Any any;
  any.kind_ = Any::Kind::Bytes;
  any.payload_.bytes = std::exchange(list_, nullptr);
  return any;
}

template <>
Any internal::ListBuilder<Any>::finish() {
  Any any;
  any.kind_ = Any::Kind::Array;
  any.payload_.array = std::exchange(list_, nullptr);
  return any;
}

template <>
Any internal::ListBuilder<Any::Entry>::finish() {
  const std::vector<uint32_t> order = javascript_order({begin(), size()});
  if (!order.empty()) {
    ListBuilder ordered(order.size());
    for (const uint32_t i : order) ordered.add(std::move(begin()[i]));
    std::swap(list_, ordered.list_);
  }
  Any any;
  any.kind_ = Any::Kind::Object;
  any.payload_.object = std::exchange(list_, nullptr);
  return any;
}

Any::Any(std::string_view text) : kind_(Kind::String) {
  // Strings of one ASCII character are made once: there may be very many of them.
  constexpr size_t kSingles = 128;
  struct Singles {
    std::array<StringBox*, kSingles> boxes;
    Singles() {
      for (size_t i = 0; i < kSingles; ++i) {
        boxes[i] = new StringBox(std::string(1, static_cast<char>(i)));
      }
    }
  };
  if (text.empty()) return;
  if (text.size() == 1 && static_cast<uint8_t>(text[0]) < kSingles) {
    // Never freed: values of static lifetime may outlive any owner.
    static const Singles* const kBoxes = new Singles();
    payload_.string = kBoxes->boxes[static_cast<uint8_t>(text[0])];
    payload_.string->retain();
    return;
  }
  payload_.string = new StringBox(std::string(text));
}

Any Any::bytes(ByteView bytes) {
  internal::ListBuilder<uint8_t> builder(bytes.size());
  builder.add_all(bytes);
  return builder.finish();
}

Any Any::array(Array items) {
  internal::ListBuilder<Any> builder(items.size());
  for (Any& item : items) builder.add(std::move(item));
  return builder.finish();
}

Any Any::object(Object entries) {
  internal::ListBuilder<Entry> builder(entries.size());
  for (Entry& entry : entries) builder.add(std::move(entry));
  return builder.finish();
}

void Any::retain_shared() noexcept {
  switch (kind_) {
    case Kind::String:
      return payload_.string->retain();
    case Kind::Bytes:
      return payload_.bytes->retain();
    case Kind::Array:
      return payload_.array->retain();
    default:
      return payload_.object->retain();
  }
}

void Any::release_shared() noexcept {
  switch (kind_) {
    case Kind::String:
      return payload_.string->release();
    case Kind::Bytes:
      return payload_.bytes->release();
    case Kind::Array:
      return payload_.array->release();
    default:
      return payload_.object->release();
  }
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
      return std::equal(a.as_bytes().begin(), a.as_bytes().end(), b.as_bytes().begin(),
                        b.as_bytes().end());
    case Any::Kind::Array:
      return std::equal(a.as_array().begin(), a.as_array().end(), b.as_array().begin(),
                        b.as_array().end());
    case Any::Kind::Object:
      return equal_objects(a.as_object(), b);
    case Any::Kind::Boolean:
      return a.as_boolean() == b.as_boolean();
    case Any::Kind::BigInt:
      return a.as_bigint() == b.as_bigint();
    default:
      return true;
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

Any read_any(Decoder& decoder) { return AnyReader(decoder).read(0); }

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
