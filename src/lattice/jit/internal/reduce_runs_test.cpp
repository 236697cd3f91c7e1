// SPDX-License-Identifier: MIT
// The loops for each kind of vectors against one element at a time.
#include "lattice/jit/internal/reduce_runs.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace lattice::jit::internal {
namespace {

template <class T>
std::vector<T> values(size_t n, unsigned seed) {
  std::mt19937_64 random(seed);
  std::vector<T> out(n);
  for (T& x : out) x = static_cast<T>(static_cast<int64_t>(random() % 2001) - 1000) / T(7);
  return out;
}

// NumPy's definition, as its source states it.
template <class T>
T pairwise_as_defined(const T* x, int64_t n) {
  if (n < 8) {
    T sum = T(-0.0);
    for (int64_t i = 0; i < n; ++i) sum += x[i];
    return sum;
  }
  if (n <= 128) {
    T r[8];
    for (int k = 0; k < 8; ++k) r[k] = x[k];
    int64_t i = 8;
    for (; i < n - n % 8; i += 8) {
      for (int k = 0; k < 8; ++k) r[k] += x[i + k];
    }
    T sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    for (; i < n; ++i) sum += x[i];
    return sum;
  }
  int64_t half = n / 2;
  half -= half % 8;
  return pairwise_as_defined(x, half) + pairwise_as_defined(x + half, n - half);
}

template <class T>
class ReduceRuns : public ::testing::Test {};
using Types = ::testing::Types<double, float, int64_t, int32_t, uint16_t, int8_t>;
TYPED_TEST_SUITE(ReduceRuns, Types);

TYPED_TEST(ReduceRuns, VectorsGiveWhatElementsGive) {
  using T = TypeParam;
  for (size_t n : {1, 7, 8, 31, 32, 33, 127, 128, 129, 255, 256, 1000, 1025, 5000}) {
    const std::vector<T> x = values<T>(n, static_cast<unsigned>(n));
    const auto count = static_cast<int64_t>(n);
    T low = x[0];
    T high = x[0];
    T total = 0;
    int64_t at_low = 0;
    int64_t at_high = 0;
    for (size_t i = 0; i < n; ++i) {
      if (x[i] < low) at_low = static_cast<int64_t>(i);
      if (x[i] > high) at_high = static_cast<int64_t>(i);
      low = std::min(low, x[i]);
      high = std::max(high, x[i]);
      total = combine<Op::ReduceSum>(total, x[i]);
    }
    EXPECT_EQ((reduce_contiguous<Op::ReduceMin, T>(x[0], x.data(), count)), low);
    EXPECT_EQ((reduce_contiguous<Op::ReduceMax, T>(x[0], x.data(), count)), high);
    EXPECT_EQ((arg_contiguous<false, T>(x.data(), count)), at_low);
    EXPECT_EQ((arg_contiguous<true, T>(x.data(), count)), at_high);
    if constexpr (std::is_floating_point_v<T>) {
      const T sum = pairwise_as_defined(x.data(), count);
      EXPECT_EQ(baseline::pairwise_run(x.data(), count), sum);
      EXPECT_EQ(pairwise(x.data(), count), sum);
    } else {
      EXPECT_EQ((reduce_contiguous<Op::ReduceSum, T>(T(0), x.data(), count)), total);
    }
  }
}

TEST(ReduceRunsOfFloats, NanIsTheExtremeWhereverItStands) {
  for (size_t n : {1, 40, 64, 3000}) {
    for (size_t at = 0; at < n; at += 13) {
      std::vector<double> x = values<double>(n, 5);
      x[at] = std::numeric_limits<double>::quiet_NaN();
      x[n - 1] = x[at];
      const auto count = static_cast<int64_t>(n);
      EXPECT_TRUE(std::isnan(reduce_contiguous<Op::ReduceMin>(x[0], x.data(), count)));
      EXPECT_TRUE(std::isnan(reduce_contiguous<Op::ReduceMax>(x[0], x.data(), count)));
      EXPECT_EQ((arg_contiguous<false, double>(x.data(), count)), static_cast<int64_t>(at));
      EXPECT_EQ((arg_contiguous<true, double>(x.data(), count)), static_cast<int64_t>(at));
    }
  }
}

}  // namespace
}  // namespace lattice::jit::internal
