// SPDX-License-Identifier: MIT
// Element types of the IR, and scalars as 64-bit patterns.
//
// A scalar of any type travels as `Bits`: the value's own bits, zero-extended to 64 (a bool is 0 or
// 1, an i8 of -1 is 0xff, an f32 its IEEE bits). `load<T>` and `store<T>` are the only places that
// convert, so both tiers, the folder and the Python face agree on the form.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace lattice::jit {

enum class Type : uint8_t { Void, Bool, I8, I16, I32, I64, U8, U16, U32, U64, F32, F64 };
inline constexpr int kTypeCount = 12;

using Bits = uint64_t;

constexpr int byte_size(Type type) noexcept {
  constexpr int8_t kBytes[kTypeCount] = {0, 1, 1, 2, 4, 8, 1, 2, 4, 8, 4, 8};
  return kBytes[static_cast<int>(type)];
}
constexpr int bit_size(Type type) noexcept { return type == Type::Bool ? 1 : 8 * byte_size(type); }
constexpr bool is_float(Type type) noexcept { return type >= Type::F32; }
constexpr bool is_signed_int(Type type) noexcept { return type >= Type::I8 && type <= Type::I64; }
constexpr bool is_unsigned_int(Type type) noexcept { return type >= Type::U8 && type <= Type::U64; }
constexpr bool is_int(Type type) noexcept { return type >= Type::I8 && type <= Type::U64; }

// "f64", "bool", ...; "void" for Type::Void.
constexpr std::string_view type_name(Type type) noexcept {
  constexpr std::string_view kNames[kTypeCount] = {"void", "bool", "i8",  "i16", "i32", "i64",
                                                   "u8",   "u16",  "u32", "u64", "f32", "f64"};
  return kNames[static_cast<int>(type)];
}
// Type::Void for an unknown name.
constexpr Type type_from_name(std::string_view name) noexcept {
  for (int i = 1; i < kTypeCount; ++i) {
    if (type_name(static_cast<Type>(i)) == name) return static_cast<Type>(i);
  }
  return Type::Void;
}

template <class T>
constexpr Type type_of() noexcept {
  if constexpr (std::is_same_v<T, bool>) return Type::Bool;
  if constexpr (std::is_same_v<T, float>) return Type::F32;
  if constexpr (std::is_same_v<T, double>) return Type::F64;
  if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    constexpr int kLog = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
    return static_cast<Type>(static_cast<int>(std::is_signed_v<T> ? Type::I8 : Type::U8) + kLog);
  }
  return Type::Void;
}

// The signed or unsigned integer type of a width in bytes.
constexpr Type int_type(int bytes, bool is_signed) noexcept {
  int log = bytes == 1 ? 0 : bytes == 2 ? 1 : bytes == 4 ? 2 : 3;
  return static_cast<Type>(static_cast<int>(is_signed ? Type::I8 : Type::U8) + log);
}

template <class T>
constexpr Bits to_bits(T value) noexcept {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? 1 : 0;
  } else if constexpr (std::is_same_v<T, double>) {
    return std::bit_cast<uint64_t>(value);
  } else if constexpr (std::is_same_v<T, float>) {
    return std::bit_cast<uint32_t>(value);
  } else {
    return static_cast<std::make_unsigned_t<T>>(value);
  }
}
template <class T>
constexpr T from_bits(Bits bits) noexcept {
  if constexpr (std::is_same_v<T, bool>) {
    return (bits & 1) != 0;
  } else if constexpr (std::is_same_v<T, double>) {
    return std::bit_cast<double>(bits);
  } else if constexpr (std::is_same_v<T, float>) {
    return std::bit_cast<float>(static_cast<uint32_t>(bits));
  } else {
    return static_cast<T>(bits);
  }
}

// Calls fn.template operator()<T>() with the C++ type of an element type.
template <class Fn>
decltype(auto) dispatch_type(Type type, Fn&& fn) {
  switch (type) {
    case Type::Bool:
      return fn.template operator()<bool>();
    case Type::I8:
      return fn.template operator()<int8_t>();
    case Type::I16:
      return fn.template operator()<int16_t>();
    case Type::I32:
      return fn.template operator()<int32_t>();
    case Type::I64:
      return fn.template operator()<int64_t>();
    case Type::U8:
      return fn.template operator()<uint8_t>();
    case Type::U16:
      return fn.template operator()<uint16_t>();
    case Type::U32:
      return fn.template operator()<uint32_t>();
    case Type::U64:
      return fn.template operator()<uint64_t>();
    case Type::F32:
      return fn.template operator()<float>();
    default:
      return fn.template operator()<double>();
  }
}

}  // namespace lattice::jit
