// SPDX-License-Identifier: MIT
// Any: a JavaScript value as lib0 carries it: undefined, null, booleans, numbers, bigints, strings,
// bytes, arrays and objects.
//
// Sixteen bytes. Copies share their contents, which never change after they were made: copying is
// cheap and safe across threads. Objects keep the order that JavaScript would give them: keys that
// are array indices first, in ascending order, then the others as they were first put in.
//
// On the wire: tag byte 116..127, then the value. In update encoding v1 embeds and format values
// travel as JSON text instead. `to_json` writes what JSON.stringify writes, byte for byte;
// `parse_json` reads what JSON.parse reads.
// Text is WTF-8 (utf.hpp).
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lattice/base/error.hpp"
#include "lattice/base/result.hpp"
#include "lattice/collab/crdt/lib0.hpp"

namespace lattice::crdt {

// Arrays and objects in one another deeper than this are refused, on the wire and as JSON.
inline constexpr size_t kAnyDepthMax = 500;

class Any;

namespace internal {

template <class T>
class ListBuilder;

// A list that is shared and never changes: its header and its items are one block, so that a value
// of a few bytes on the wire does not become hundreds in memory. Empty lists have no block at all.
template <class T>
class SharedList {
 public:
  SharedList(const SharedList&) = delete;
  SharedList& operator=(const SharedList&) = delete;

  size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  const T* data() const noexcept { return reinterpret_cast<const T*>(this + 1); }
  const T* begin() const noexcept { return data(); }
  const T* end() const noexcept { return data() + size_; }
  const T& operator[](size_t i) const noexcept { return data()[i]; }
  const T& front() const noexcept { return data()[0]; }
  const T& back() const noexcept { return data()[size_ - 1]; }
  operator std::vector<T>() const { return {begin(), end()}; }  // a copy to change

 private:
  template <class>
  friend class ListBuilder;
  friend class lattice::crdt::Any;

  SharedList() noexcept = default;
  static const SharedList& none() noexcept {
    static const SharedList kNone;
    return kNone;
  }
  T* items() noexcept { return reinterpret_cast<T*>(this + 1); }
  void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    std::destroy_n(items(), size_);
    this->~SharedList();
    ::operator delete(static_cast<void*>(this));
  }
  ~SharedList() = default;

  std::atomic<uint32_t> references_{1};
  uint32_t size_ = 0;
};

struct SharedString {
  explicit SharedString(std::string contents) noexcept : value(std::move(contents)) {}
  void retain() noexcept { references.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    if (references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  const std::string value;
  std::atomic<uint32_t> references{1};
};

}  // namespace internal

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
  // What arrays and objects are made from, and what they are then (the same to read).
  using Array = std::vector<Any>;
  using Entry = std::pair<std::string, Any>;
  using Object = std::vector<Entry>;
  using BytesView = internal::SharedList<uint8_t>;
  using ArrayView = internal::SharedList<Any>;
  using ObjectView = internal::SharedList<Entry>;

  Any() noexcept = default;  // undefined
  Any(std::nullptr_t) noexcept : kind_(Kind::Null) {}
  Any(bool value) noexcept : kind_(Kind::Boolean) { payload_.boolean = value; }
  Any(double value) noexcept : kind_(Kind::Number) { payload_.number = value; }
  Any(int value) noexcept : Any(static_cast<double>(value)) {}
  Any(const char* text) : Any(std::string_view(text)) {}
  Any(std::string_view text);
  Any(std::string text) : kind_(Kind::String) {
    payload_.string = text.empty() ? nullptr : new StringBox(std::move(text));
  }
  Any(const Any& other) noexcept : kind_(other.kind_), payload_(other.payload_) { retain(); }
  Any(Any&& other) noexcept : kind_(other.kind_), payload_(other.payload_) {
    other.kind_ = Kind::Undefined;
  }
  Any& operator=(const Any& other) noexcept {
    Any copy(other);
    swap(copy);
    return *this;
  }
  Any& operator=(Any&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Any() { release(); }

  static Any undefined() noexcept { return {}; }
  static Any null() noexcept { return nullptr; }
  static Any number(double value) noexcept { return value; }
  static Any bigint(int64_t value) noexcept {
    Any any;
    any.kind_ = Kind::BigInt;
    any.payload_.bigint = value;
    return any;
  }
  static Any bytes(ByteView bytes);
  static Any bytes(std::initializer_list<uint8_t> bytes) {
    return Any::bytes(ByteView(bytes.begin(), bytes.size()));
  }
  static Any array(Array items);
  // Orders the entries as JavaScript would; of equal keys the last value stays, in the first place.
  static Any object(Object entries);

  Kind kind() const noexcept { return kind_; }
  bool is_undefined() const noexcept { return kind() == Kind::Undefined; }
  bool is_null() const noexcept { return kind() == Kind::Null; }
  bool is_string() const noexcept { return kind() == Kind::String; }
  bool is_object() const noexcept { return kind() == Kind::Object; }
  bool is_array() const noexcept { return kind() == Kind::Array; }

  // REQUIRES: the kind that each of them names.
  bool as_boolean() const {
    expect(Kind::Boolean);
    return payload_.boolean;
  }
  double as_number() const {
    expect(Kind::Number);
    return payload_.number;
  }
  int64_t as_bigint() const {
    expect(Kind::BigInt);
    return payload_.bigint;
  }
  const std::string& as_string() const {
    static const std::string kNone;
    expect(Kind::String);
    return payload_.string == nullptr ? kNone : payload_.string->value;
  }
  const BytesView& as_bytes() const {
    expect(Kind::Bytes);
    return payload_.bytes == nullptr ? BytesView::none() : *payload_.bytes;
  }
  const ArrayView& as_array() const {
    expect(Kind::Array);
    return payload_.array == nullptr ? ArrayView::none() : *payload_.array;
  }
  const ObjectView& as_object() const {
    expect(Kind::Object);
    return payload_.object == nullptr ? ObjectView::none() : *payload_.object;
  }
  // The entry of an object; nullptr when there is none, or when this is no object.
  const Any* find(std::string_view key) const noexcept;

  // Equal as values: numbers as JavaScript's ===, except that NaN equals NaN; objects whatever the
  // order of their keys.
  friend bool operator==(const Any& a, const Any& b);

 private:
  template <class>
  friend class internal::ListBuilder;

  using StringBox = internal::SharedString;

  void expect(Kind kind) const { LATTICE_ASSERT(kind_ == kind); }
  void swap(Any& other) noexcept {
    std::swap(kind_, other.kind_);
    std::swap(payload_, other.payload_);
  }
  void retain() noexcept {
    if (kind_ >= Kind::String && payload_.string != nullptr) retain_shared();
  }
  void release() noexcept {
    if (kind_ >= Kind::String && payload_.string != nullptr) release_shared();
  }
  void retain_shared() noexcept;
  void release_shared() noexcept;

  Kind kind_ = Kind::Undefined;
  union {
    StringBox* string;  // first: a value without payload has no pointer to release
    bool boolean;
    double number;
    int64_t bigint;
    BytesView* bytes;
    ArrayView* array;
    ObjectView* object;
  } payload_{};
};
static_assert(sizeof(Any) == 16);

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
bool is_valid_json(std::string_view text);

// A number as JavaScript's String(number) has it.
std::string number_text(double value);

}  // namespace lattice::crdt
