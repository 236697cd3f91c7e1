// SPDX-License-Identifier: MIT
#include "lattice/jit/internal/tile_ops.hpp"
#include "lattice/jit/ir/scalar_ops.hpp"

namespace lattice::jit::internal {

namespace {

template <Op op, class T>
void unary_loop(const void* a, const void*, const void*, void* out, int64_t n) {
  using R = decltype(scalar::apply<op, T>(T{}));
  const T* x = static_cast<const T*>(a);
  R* r = static_cast<R*>(out);
  for (int64_t i = 0; i < n; ++i) r[i] = scalar::apply<op, T>(x[i]);
}

template <class T>
TileFn unary_of(Op op) noexcept {
  switch (op) {
#define LATTICE_JIT_CASE(name)                                                    \
  case Op::name:                                                                  \
    if constexpr (scalar::accepts<Op::name, T>()) return unary_loop<Op::name, T>; \
    return nullptr;
    LATTICE_JIT_UNARY_OPS(LATTICE_JIT_CASE)
#undef LATTICE_JIT_CASE
    default:
      return nullptr;
  }
}

}  // namespace

TileFn unary_tile(Op op, Type type) noexcept {
  return dispatch_type(type, [&]<class T>() { return unary_of<T>(op); });
}

}  // namespace lattice::jit::internal
