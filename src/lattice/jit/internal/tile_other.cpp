// SPDX-License-Identifier: MIT
// Casts, Select, Fma, status reports, and moving elements between memory and tiles.
#include <cstring>

#include "lattice/jit/internal/tile_ops.hpp"
#include "lattice/jit/ir/scalar_ops.hpp"

namespace lattice::jit::internal {

namespace {

template <class From, class To>
void cast_loop(const void* a, const void*, const void*, void* out, int64_t n) {
  const From* x = static_cast<const From*>(a);
  To* r = static_cast<To*>(out);
  for (int64_t i = 0; i < n; ++i) r[i] = scalar::cast<To>(x[i]);
}

template <class U>
void select_loop(const void* a, const void* b, const void* c, void* out, int64_t n) {
  const uint8_t* condition = static_cast<const uint8_t*>(a);
  const U* yes = static_cast<const U*>(b);
  const U* no = static_cast<const U*>(c);
  U* r = static_cast<U*>(out);
  for (int64_t i = 0; i < n; ++i) r[i] = condition[i] != 0 ? yes[i] : no[i];
}

template <class T>
void fma_loop(const void* a, const void* b, const void* c, void* out, int64_t n) {
  const T* x = static_cast<const T*>(a);
  const T* y = static_cast<const T*>(b);
  const T* z = static_cast<const T*>(c);
  T* r = static_cast<T*>(out);
  for (int64_t i = 0; i < n; ++i) r[i] = std::fma(x[i], y[i], z[i]);
}

template <Op op, class T>
uint32_t report_unary(const void* a, const void*, const uint8_t* mask, int64_t n, bool checked) {
  const T* x = static_cast<const T*>(a);
  uint32_t status = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (mask == nullptr || mask[i] != 0) status |= scalar::report<op, T>(x[i], checked);
  }
  return status;
}
template <Op op, class T>
uint32_t report_binary(const void* a, const void* b, const uint8_t* mask, int64_t n, bool checked) {
  const T* x = static_cast<const T*>(a);
  const T* y = static_cast<const T*>(b);
  uint32_t status = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (mask == nullptr || mask[i] != 0) status |= scalar::report<op, T>(x[i], y[i], checked);
  }
  return status;
}

template <class T>
ReportFn report_of(Op op) noexcept {
  switch (op) {
    case Op::Neg:
      if constexpr (scalar::kIsInt<T>) return report_unary<Op::Neg, T>;
      return nullptr;
    case Op::Abs:
      if constexpr (scalar::kIsInt<T>) return report_unary<Op::Abs, T>;
      return nullptr;
#define LATTICE_JIT_CASE(name)                                                       \
  case Op::name:                                                                     \
    if constexpr (scalar::accepts<Op::name, T>()) return report_binary<Op::name, T>; \
    return nullptr;
      LATTICE_JIT_CASE(Add)
      LATTICE_JIT_CASE(Sub)
      LATTICE_JIT_CASE(Mul)
      LATTICE_JIT_CASE(Div)
      LATTICE_JIT_CASE(FloorDiv)
      LATTICE_JIT_CASE(Mod)
      LATTICE_JIT_CASE(TruncDiv)
      LATTICE_JIT_CASE(FMod)
      LATTICE_JIT_CASE(IPow)
      LATTICE_JIT_CASE(Shl)
      LATTICE_JIT_CASE(Shr)
#undef LATTICE_JIT_CASE
    default:
      return nullptr;
  }
}

// By width only: no operation on the value.
template <class Fn>
void dispatch_bytes(int bytes, Fn&& fn) {
  switch (bytes) {
    case 1:
      return fn.template operator()<uint8_t>();
    case 2:
      return fn.template operator()<uint16_t>();
    case 4:
      return fn.template operator()<uint32_t>();
    default:
      return fn.template operator()<uint64_t>();
  }
}

}  // namespace

TileFn cast_tile(Type from, Type to) noexcept {
  return dispatch_type(from, [&]<class From>() {
    return dispatch_type(to, [&]<class To>() -> TileFn { return cast_loop<From, To>; });
  });
}

TileFn ternary_tile(Op op, Type type) noexcept {
  if (op == Op::Fma) return type == Type::F64 ? fma_loop<double> : fma_loop<float>;
  switch (byte_size(type)) {
    case 1:
      return select_loop<uint8_t>;
    case 2:
      return select_loop<uint16_t>;
    case 4:
      return select_loop<uint32_t>;
    default:
      return select_loop<uint64_t>;
  }
}

ReportFn report_tile(Op op, Type type) noexcept {
  return dispatch_type(type, [&]<class T>() { return report_of<T>(op); });
}

void merge_tile(int bytes, const uint8_t* mask, const void* from, void* out, int64_t n) noexcept {
  dispatch_bytes(bytes, [&]<class U>() {
    const U* x = static_cast<const U*>(from);
    U* r = static_cast<U*>(out);
    for (int64_t i = 0; i < n; ++i) r[i] = mask[i] != 0 ? x[i] : r[i];
  });
}

void fill_tile(int bytes, Bits bits, void* out, int64_t n) noexcept {
  dispatch_bytes(bytes, [&]<class U>() {
    U* r = static_cast<U*>(out);
    for (int64_t i = 0; i < n; ++i) r[i] = static_cast<U>(bits);
  });
}

void load_strided(int bytes, const void* from, int64_t stride, void* out, int64_t n) noexcept {
  dispatch_bytes(bytes, [&]<class U>() {
    const char* x = static_cast<const char*>(from);
    U* r = static_cast<U*>(out);
    for (int64_t i = 0; i < n; ++i, x += stride) std::memcpy(&r[i], x, sizeof(U));
  });
}

void store_strided(int bytes, const void* from, void* out, int64_t stride, int64_t n) noexcept {
  dispatch_bytes(bytes, [&]<class U>() {
    const U* x = static_cast<const U*>(from);
    char* r = static_cast<char*>(out);
    for (int64_t i = 0; i < n; ++i, r += stride) std::memcpy(r, &x[i], sizeof(U));
  });
}

}  // namespace lattice::jit::internal
