// SPDX-License-Identifier: MIT
#include "lattice/jit/internal/reduce_ops.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "lattice/jit/internal/fp_flags.hpp"
#include "lattice/jit/internal/reduce_runs.hpp"
#include "lattice/jit/internal/tile_ops.hpp"
#include "lattice/jit/ir/scalar_ops.hpp"

namespace lattice::jit::internal {

namespace {

template <class T>
T pairwise_strided(const char* x, int64_t stride, int64_t n) noexcept {
  if (stride == static_cast<int64_t>(sizeof(T))) return pairwise(reinterpret_cast<const T*>(x), n);
  if (n <= kSumBlock) {
    T block[kSumBlock];
    load_strided(sizeof(T), x, stride, block, n);
    return pairwise(block, n);
  }
  int64_t left = left_half(n);
  return pairwise_strided<T>(x, stride, left) +
         pairwise_strided<T>(x + left * stride, stride, n - left);
}

template <class T>
T load(const char* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

template <Op op, class T>
constexpr T identity() noexcept {
  if constexpr (op == Op::ReduceProd) return T(1);
  if constexpr (op == Op::ReduceAll) return T(true);
  return T(0);
}

template <Op op, class T>
constexpr bool kIsFloatSum = op == Op::ReduceSum && scalar::kIsFloat<T>;

// Lanes may be combined in any order: associative and commutative.
template <Op op, class T>
constexpr bool kAnyLaneOrder = !(op == Op::ReduceProd && scalar::kIsFloat<T>);

// A run of elements into a result.
template <Op op, class T>
T reduce_run(T result, const char* x, int64_t stride, int64_t n, bool chunked) noexcept {
  if constexpr (kIsFloatSum<op, T>) {
    if (!chunked) return result + pairwise_strided<T>(x, stride, n);
    for (int64_t i = 0; i < n; i += kNumpyBufferElements) {
      result = result +
               pairwise_strided<T>(x + i * stride, stride, std::min(kNumpyBufferElements, n - i));
    }
    return result;
  } else {
    if constexpr (kAnyLaneOrder<op, T>) {
      if (stride == static_cast<int64_t>(sizeof(T))) {
        return reduce_contiguous<op, T>(result, reinterpret_cast<const T*>(x), n);
      }
    }
    for (int64_t i = 0; i < n; ++i) result = combine<op, T>(result, load<T>(x + i * stride));
    return result;
  }
}

struct Axis {
  int64_t extent;
  int64_t stride;
  int64_t out_stride;  // 0 when reduced
  bool reduced;
};

// NumPy's order of iteration: by stride, largest outside; neighbours that form one run become one
// axis. A negative stride is walked in the order of the indices.
std::vector<Axis> plan_axes(const StridedArray& from, uint32_t axes, int bytes) {
  std::vector<Axis> list;
  int64_t out_stride = bytes;
  for (int k = from.shape.rank; k-- > 0;) {
    bool reduced = (axes >> k & 1) != 0;
    int64_t extent = from.shape.extent[k];
    Axis axis{extent, from.stride[k], reduced ? 0 : out_stride, reduced};
    if (!reduced) out_stride *= extent;
    if (extent == 1) continue;
    list.push_back(axis);
  }
  std::reverse(list.begin(), list.end());
  std::stable_sort(list.begin(), list.end(), [](const Axis& x, const Axis& y) {
    return std::abs(x.stride) > std::abs(y.stride);
  });
  std::vector<Axis> merged;
  for (const Axis& axis : list) {
    if (!merged.empty()) {
      Axis& outer = merged.back();
      if (outer.reduced == axis.reduced && outer.stride == axis.stride * axis.extent &&
          outer.out_stride == axis.out_stride * axis.extent) {
        outer.extent *= axis.extent;
        outer.stride = axis.stride;
        outer.out_stride = axis.out_stride;
        continue;
      }
    }
    merged.push_back(axis);
  }
  if (merged.empty()) merged.push_back({1, bytes, 0, axes != 0});
  return merged;
}

// Calls fn(input offset, output offset) for each position of all axes but the last.
template <class Fn>
void for_each_outer(const std::vector<Axis>& axes, Fn&& fn) {
  std::array<int64_t, ir::kRankMax> at{};
  size_t outer = axes.size() - 1;
  int64_t in = 0;
  int64_t out = 0;
  for (;;) {
    fn(in, out);
    size_t k = outer;
    for (;;) {
      if (k == 0) return;
      --k;
      in += axes[k].stride;
      out += axes[k].out_stride;
      if (++at[k] < axes[k].extent) break;
      in -= axes[k].stride * axes[k].extent;
      out -= axes[k].out_stride * axes[k].extent;
      at[k] = 0;
    }
  }
}

int64_t kept_count(const StridedArray& from, uint32_t axes) {
  int64_t n = 1;
  for (int k = 0; k < from.shape.rank; ++k) {
    if ((axes >> k & 1) == 0) n *= from.shape.extent[k];
  }
  return n;
}

template <Op op, class T>
void reduce_typed(const StridedArray& from, uint32_t axes, bool chunked, T* to) {
  const char* data = static_cast<const char*>(from.data);
  int64_t kept = kept_count(from, axes);
  if (kept == 0) return;
  std::fill(to, to + kept, identity<op, T>());
  if (from.shape.count() == 0) return;
  std::vector<Axis> list = plan_axes(from, axes, sizeof(T));
  const Axis& inner = list.back();
  if constexpr (op == Op::ReduceMin || op == Op::ReduceMax) {
    // The first element of each result stands for the identity that these lack.
    for_each_outer(list, [&](int64_t in, int64_t out) {
      T* r = reinterpret_cast<T*>(reinterpret_cast<char*>(to) + out);
      int64_t steps = inner.reduced ? 1 : inner.extent;
      for (int64_t i = 0; i < steps; ++i) {
        r[i * inner.out_stride / static_cast<int64_t>(sizeof(T))] =
            load<T>(data + in + i * inner.stride);
      }
    });
  }
  [[maybe_unused]] bool all_reduced =
      std::all_of(list.begin(), list.end(), [](const Axis& a) { return a.reduced; });
  if constexpr (kIsFloatSum<op, T>)
    if (all_reduced && list.size() > 1 && inner.extent <= kNumpyBufferElements) {
      // NumPy copies such a sequence into its buffer, whole runs of the inner axis at a time.
      int64_t rows = kNumpyBufferElements / inner.extent;
      std::unique_ptr<T[]> buffer(new T[static_cast<size_t>(rows * inner.extent)]);
      int64_t filled = 0;
      auto flush = [&] {
        if (filled > 0) {
          *to = combine<Op::ReduceSum, T>(
              *to, pairwise_strided<T>(reinterpret_cast<char*>(buffer.get()), sizeof(T), filled));
        }
        filled = 0;
      };
      for_each_outer(list, [&](int64_t in, int64_t) {
        load_strided(sizeof(T), data + in, inner.stride, buffer.get() + filled, inner.extent);
        filled += inner.extent;
        if (filled == rows * inner.extent) flush();
      });
      flush();
      return;
    }
  for_each_outer(list, [&](int64_t in, int64_t out) {
    T* r = reinterpret_cast<T*>(reinterpret_cast<char*>(to) + out);
    const char* x = data + in;
    if (inner.reduced) {
      *r = reduce_run<op, T>(*r, x, inner.stride, inner.extent, chunked);
    } else if (inner.stride == static_cast<int64_t>(sizeof(T)) &&
               inner.out_stride == static_cast<int64_t>(sizeof(T))) {
      const T* row = reinterpret_cast<const T*>(x);
      for (int64_t i = 0; i < inner.extent; ++i) r[i] = combine<op, T>(r[i], row[i]);
    } else {
      char* o = reinterpret_cast<char*>(r);
      for (int64_t i = 0; i < inner.extent; ++i) {
        T* at = reinterpret_cast<T*>(o + i * inner.out_stride);
        *at = combine<op, T>(*at, load<T>(x + i * inner.stride));
      }
    }
  });
}

// The first position of the extreme, in C order; nan counts as the extreme.
template <bool is_max, class T>
void arg_typed(const StridedArray& from, uint32_t axes, int64_t* to) {
  const Shape& shape = from.shape;
  std::vector<int> kept, reduced;
  for (int k = 0; k < shape.rank; ++k) ((axes >> k & 1) != 0 ? reduced : kept).push_back(k);
  auto walk = [&](const std::vector<int>& list, auto&& fn) {
    std::array<int64_t, ir::kRankMax> at{};
    int64_t total = 1;
    for (int k : list) total *= shape.extent[k];
    int64_t offset = 0;
    for (int64_t i = 0; i < total; ++i) {
      if (!fn(i, offset)) return;
      for (size_t j = list.size(); j-- > 0;) {
        int k = list[j];
        offset += from.stride[k];
        if (++at[j] < shape.extent[k]) break;
        offset -= from.stride[k] * shape.extent[k];
        at[j] = 0;
      }
    }
  };
  // One run for each result: the axes reduced are the inner ones of their part of memory.
  int64_t run = 1;
  bool is_run = true;
  for (size_t j = reduced.size(); j-- > 0;) {
    const int k = reduced[j];
    is_run = is_run && (shape.extent[k] == 1 || from.stride[k] == run * int64_t{sizeof(T)});
    run *= shape.extent[k];
  }
  walk(kept, [&](int64_t result, int64_t base) {
    if (is_run) {
      const char* first = static_cast<const char*>(from.data) + base;
      to[result] = arg_contiguous<is_max>(reinterpret_cast<const T*>(first), run);
      return true;
    }
    T best{};
    int64_t where = 0;
    walk(reduced, [&](int64_t i, int64_t offset) {
      T x = load<T>(static_cast<const char*>(from.data) + base + offset);
      bool is_nan = x != x;
      if (i == 0 || is_nan || (is_max ? x > best : x < best)) {
        best = x;
        where = i;
      }
      return !is_nan;
    });
    to[result] = where;
    return true;
  });
}

template <Op op, class T>
void scan_typed(const StridedArray& from, int axis, T* to) {
  const Shape& shape = from.shape;
  if (shape.count() == 0) return;
  std::array<int64_t, ir::kRankMax> out_stride{};
  int64_t each = 1;
  for (int k = shape.rank; k-- > 0;) {
    out_stride[k] = each;
    each *= shape.extent[k];
  }
  std::array<int64_t, ir::kRankMax> at{};
  int64_t in = 0;
  int64_t out = 0;
  for (;;) {
    const char* x = static_cast<const char*>(from.data) + in;
    T* r = to + out;
    T value = load<T>(x);
    r[0] = value;
    for (int64_t i = 1; i < shape.extent[axis]; ++i) {
      value = combine<op, T>(value, load<T>(x + i * from.stride[axis]));
      r[i * out_stride[axis]] = value;
    }
    int k = shape.rank;
    for (;;) {
      if (k == 0) return;
      --k;
      if (k == axis) continue;
      in += from.stride[k];
      out += out_stride[k];
      if (++at[k] < shape.extent[k]) break;
      in -= from.stride[k] * shape.extent[k];
      out -= out_stride[k] * shape.extent[k];
      at[k] = 0;
    }
  }
}

// Calls fn.template operator()<op>() for a reduction or scan that has combine().
template <class Fn>
void dispatch_combine(Op op, Fn&& fn) {
  switch (op) {
    case Op::ReduceSum:
      return fn.template operator()<Op::ReduceSum>();
    case Op::ReduceProd:
      return fn.template operator()<Op::ReduceProd>();
    case Op::ReduceMin:
      return fn.template operator()<Op::ReduceMin>();
    case Op::ReduceMax:
      return fn.template operator()<Op::ReduceMax>();
    case Op::ReduceAny:
      return fn.template operator()<Op::ReduceAny>();
    case Op::ReduceAll:
      return fn.template operator()<Op::ReduceAll>();
    case Op::ScanSum:
      return fn.template operator()<Op::ScanSum>();
    case Op::ScanProd:
      return fn.template operator()<Op::ScanProd>();
    case Op::ScanMin:
      return fn.template operator()<Op::ScanMin>();
    default:
      return fn.template operator()<Op::ScanMax>();
  }
}

template <Op op, class T>
constexpr bool has_combine() noexcept {
  if constexpr (op == Op::ReduceAny || op == Op::ReduceAll)
    return scalar::kIsBool<T>;
  else if constexpr (scalar::kIsBool<T>) {
    return op == Op::ReduceMin || op == Op::ReduceMax || op == Op::ScanMin || op == Op::ScanMax;
  } else
    return true;
}

// They only compare: a nan on the way is no invalid operation.
bool is_comparing(Op op) noexcept {
  return op == Op::ReduceMin || op == Op::ReduceMax || op == Op::ReduceArgMin ||
         op == Op::ReduceArgMax || op == Op::ScanMin || op == Op::ScanMax;
}

}  // namespace

void reduce_array(Op op, const StridedArray& from, uint32_t axes, bool chunked, void* to) {
  const InvalidFlag before(is_comparing(op) && is_float(from.type));
  dispatch_type(from.type, [&]<class T>() {
    if (op == Op::ReduceArgMin) return arg_typed<false, T>(from, axes, static_cast<int64_t*>(to));
    if (op == Op::ReduceArgMax) return arg_typed<true, T>(from, axes, static_cast<int64_t*>(to));
    dispatch_combine(op, [&]<Op kOp>() {
      if constexpr (has_combine<kOp, T>() && op_kind(kOp) == OpKind::Reduce) {
        reduce_typed<kOp, T>(from, axes, chunked, static_cast<T*>(to));
      }
    });
  });
}

namespace {

template <class T>
T pairwise_tiles(int64_t first, int64_t n, const FillTile& fill, T* tile) {
  if (n <= kFusedTile) {
    fill(first, n, tile);
    return pairwise(tile, n);
  }
  int64_t left = left_half(n);
  T sum = pairwise_tiles(first, left, fill, tile);
  return sum + pairwise_tiles(first + left, n - left, fill, tile);
}

}  // namespace

void reduce_tiles(Op op, Type type, int64_t n, bool chunked, const FillTile& fill, void* tile,
                  void* to) {
  dispatch_type(type, [&]<class T>() {
    dispatch_combine(op, [&]<Op kOp>() {
      if constexpr (has_combine<kOp, T>() && op_kind(kOp) == OpKind::Reduce) {
        T result = identity<kOp, T>();
        T* elements = static_cast<T*>(tile);
        if constexpr (kIsFloatSum<kOp, T>) {
          int64_t chunk = chunked ? kNumpyBufferElements : std::max<int64_t>(n, 1);
          for (int64_t i = 0; i < n; i += chunk) {
            result = result + pairwise_tiles<T>(i, std::min(chunk, n - i), fill, elements);
          }
        } else {
          for (int64_t i = 0; i < n; i += kFusedTile) {
            int64_t count = std::min(kFusedTile, n - i);
            fill(i, count, tile);
            if ((kOp == Op::ReduceMin || kOp == Op::ReduceMax) && i == 0) result = elements[0];
            const InvalidFlag before(is_comparing(kOp) && is_float(type));
            result = reduce_run<kOp, T>(result, reinterpret_cast<const char*>(elements), sizeof(T),
                                        count, false);
          }
        }
        *static_cast<T*>(to) = result;
      }
    });
  });
}

void scan_array(Op op, const StridedArray& from, int axis, void* to) {
  const InvalidFlag before(is_comparing(op) && is_float(from.type));
  dispatch_type(from.type, [&]<class T>() {
    dispatch_combine(op, [&]<Op kOp>() {
      if constexpr (has_combine<kOp, T>() && op_kind(kOp) == OpKind::Scan) {
        scan_typed<kOp, T>(from, axis, static_cast<T*>(to));
      }
    });
  });
}

uint32_t scatter_elements(ir::ScatterMode mode, Type type, void* base, int64_t n,
                          const StridedArray& index, const StridedArray& value) {
  uint32_t status = 0;
  int64_t count = index.shape.count();
  const char* at = static_cast<const char*>(index.data);
  const char* from = static_cast<const char*>(value.data);
  int64_t at_stride = index.shape.rank == 0 ? 0 : index.stride[0];
  int64_t from_stride = value.shape.rank == 0 || value.shape.extent[0] == 1 ? 0 : value.stride[0];
  dispatch_type(type, [&]<class T>() {
    T* to = static_cast<T*>(base);
    for (int64_t i = 0; i < count; ++i) {
      int64_t k = load<int64_t>(at + i * at_stride);
      if (k < 0) k += n;
      if (k < 0 || k >= n) {
        status |= kStatusOutOfBounds;
        continue;
      }
      T x = load<T>(from + i * from_stride);
      switch (mode) {
        case ir::ScatterMode::Set:
          to[k] = x;
          break;
        case ir::ScatterMode::Min:
          to[k] = scalar::apply<Op::Min>(to[k], x);
          break;
        case ir::ScatterMode::Max:
          to[k] = scalar::apply<Op::Max>(to[k], x);
          break;
        case ir::ScatterMode::Add:
          if constexpr (!scalar::kIsBool<T>) to[k] = scalar::apply<Op::Add>(to[k], x);
          break;
        case ir::ScatterMode::Mul:
          if constexpr (!scalar::kIsBool<T>) to[k] = scalar::apply<Op::Mul>(to[k], x);
          break;
      }
    }
  });
  return status;
}

void copy_array(const StridedArray& from, void* to, const int64_t* stride) {
  int bytes = byte_size(from.type);
  const Shape& shape = from.shape;
  if (shape.count() == 0) return;
  if (shape.rank == 0) {
    std::memcpy(to, from.data, static_cast<size_t>(bytes));
    return;
  }
  int last = shape.rank - 1;
  std::array<int64_t, ir::kRankMax> at{};
  const char* x = static_cast<const char*>(from.data);
  char* r = static_cast<char*>(to);
  for (;;) {
    if (stride[last] == bytes && from.stride[last] == bytes) {
      std::memmove(r, x, static_cast<size_t>(bytes * shape.extent[last]));
    } else {
      for (int64_t i = 0; i < shape.extent[last]; ++i) {
        std::memcpy(r + i * stride[last], x + i * from.stride[last], static_cast<size_t>(bytes));
      }
    }
    int k = last;
    for (;;) {
      if (k == 0) return;
      --k;
      x += from.stride[k];
      r += stride[k];
      if (++at[k] < shape.extent[k]) break;
      x -= from.stride[k] * shape.extent[k];
      r -= stride[k] * shape.extent[k];
      at[k] = 0;
    }
  }
}

}  // namespace lattice::jit::internal
