// SPDX-License-Identifier: MIT
// Arguments and outputs as random views of one piece of memory: results are as if everything had
// been computed from copies and stored afterwards, and a run that aborts leaves arguments alone.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "lattice/jit/ir/builder.hpp"
#include "lattice/jit/kernel.hpp"

namespace lattice::jit {
namespace {

using ir::Builder;
using ir::NodeId;

// A view of some of the elements, with its extents and strides.
struct View {
  std::vector<int64_t> extent;
  std::vector<int64_t> stride;
  int64_t first = 0;

  ArrayView on(double* memory) const {
    return {memory + first, Type::F64, static_cast<int>(extent.size()), extent.data(),
            stride.data()};
  }
  template <class Fn>
  void each(Fn&& fn) const {
    std::vector<int64_t> at(extent.size());
    for (;;) {
      int64_t index = first;
      for (size_t k = 0; k < at.size(); ++k) index += at[k] * stride[k] / 8;
      fn(static_cast<size_t>(index));
      size_t k = at.size();
      while (k > 0 && ++at[k - 1] == extent[k - 1]) at[--k] = 0;
      if (k == 0) return;
    }
  }
  std::vector<double> values(const std::vector<double>& memory) const {
    std::vector<double> out;
    each([&](size_t index) { out.push_back(memory[index]); });
    return out;
  }
};

class Aliasing : public ::testing::TestWithParam<int> {
 protected:
  static constexpr size_t kMemory = 6000;

  View random_view(const std::vector<int64_t>& extent) {
    View view{extent, std::vector<int64_t>(extent.size()), 0};
    int64_t each = 8;
    int64_t low = 0;
    int64_t high = 0;
    bool swapped = extent.size() == 2 && pick(3) == 0;
    for (size_t j = extent.size(); j-- > 0;) {
      size_t k = swapped ? extent.size() - 1 - j : j;
      view.stride[k] = each * (pick(3) == 0 ? 1 + pick(2) : 1) * (pick(4) == 0 ? -1 : 1);
      each = std::abs(view.stride[k]) * extent[k];
      (view.stride[k] < 0 ? low : high) += view.stride[k] / 8 * (extent[k] - 1);
    }
    // Mostly close to one another.
    view.first = -low + pick(pick(2) == 0 ? 3 : 40);
    EXPECT_LT(view.first + high, static_cast<int64_t>(kMemory));
    return view;
  }
  int64_t pick(int64_t n) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(n)); }

  std::mt19937_64 random_;
};

// (x + 1, y, x * y): a value that is computed, an argument handed through, another computed one.
std::shared_ptr<Kernel> make_kernel(int rank, int outputs, bool has_guard, bool has_sum,
                                    const CompileOptions& options) {
  Builder b;
  NodeId x = b.param(Type::F64, rank);
  NodeId y = b.param(Type::F64, rank);
  NodeId limit = b.param(Type::F64, 0);
  if (has_guard) b.guard(b.compare(Op::Lt, x, limit));
  NodeId sum = has_sum ? b.reduce(Op::ReduceSum, y, (1u << rank) - 1) : b.constant(1.0);
  std::vector<NodeId> all = {b.binary(Op::Add, x, sum), y, b.binary(Op::Mul, x, y)};
  all.resize(static_cast<size_t>(outputs));
  return Kernel::compile(b.finish(all), options);
}

TEST_P(Aliasing, ResultsAreThoseOfCopies) {
  CompileOptions options;
  options.allow_machine_code = GetParam() != 0;
  options.machine_code_threshold = 0;
  for (int rank : {1, 2}) {
    for (int round = 0; round < 600; ++round) {
      random_.seed(static_cast<uint64_t>(rank) * 10000 + static_cast<uint64_t>(round));
      int outputs = 1 + static_cast<int>(pick(3));
      bool has_guard = pick(2) == 0;
      auto kernel = make_kernel(rank, outputs, has_guard, pick(3) == 0, options);
      std::vector<int64_t> extent = rank == 1
                                        ? std::vector<int64_t>{1 + pick(pick(2) == 0 ? 40 : 900)}
                                        : std::vector<int64_t>{1 + pick(12), 1 + pick(30)};
      std::vector<double> memory(kMemory);
      for (double& value : memory) value = static_cast<double>(pick(1000));
      double limit = pick(2) == 0 ? 2000.0 : 500.0;
      View x = random_view(extent);
      View y = pick(3) == 0 ? x : random_view(extent);
      std::vector<View> outs;
      for (int k = 0; k < outputs; ++k) {
        int64_t which = pick(4);
        outs.push_back(which == 0 ? x : which == 1 ? y : random_view(extent));
      }
      // What copies give.
      auto dense = [&](const View& view) {
        View copy = view;
        copy.first = 0;
        int64_t each = 8;
        for (size_t k = extent.size(); k-- > 0; each *= extent[k]) copy.stride[k] = each;
        return copy;
      };
      View plain = dense(x);
      std::vector<double> xs = x.values(memory);
      std::vector<double> ys = y.values(memory);
      std::vector<std::vector<double>> expected(outs.size(), std::vector<double>(xs.size()));
      ArrayView limit_view{&limit, Type::F64, 0, nullptr, nullptr};
      std::vector<ArrayView> expected_views;
      for (auto& one : expected) expected_views.push_back(plain.on(one.data()));
      uint32_t expected_status =
          kernel->run(std::vector<ArrayView>{plain.on(xs.data()), plain.on(ys.data()), limit_view},
                      expected_views);

      std::vector<double> before = memory;
      std::vector<ArrayView> views;
      for (const View& out : outs) views.push_back(out.on(memory.data()));
      uint32_t status = kernel->run(
          std::vector<ArrayView>{x.on(memory.data()), y.on(memory.data()), limit_view}, views);
      ASSERT_EQ(status, expected_status);
      if ((status & kernel->abort_statuses()) != 0) {
        ASSERT_EQ(x.values(memory), xs) << "rank " << rank << " round " << round;
        ASSERT_EQ(y.values(memory), ys) << "rank " << rank << " round " << round;
        continue;
      }
      for (size_t k = 0; k < outs.size(); ++k) {
        size_t i = 0;
        outs[k].each([&](size_t index) { before[index] = expected[k][i++]; });
      }
      ASSERT_EQ(memory, before) << "rank " << rank << " round " << round;
    }
  }
}

TEST(AliasingOfOneArray, ElementsThatShareMemoryKeepTheLastValue) {
  Builder b;
  NodeId x = b.param(Type::F64, 1);
  auto kernel = Kernel::compile(b.finish({b.binary(Op::Add, x, x)}));
  std::vector<double> memory(64);
  std::vector<double> from(64);
  for (size_t i = 0; i < 64; ++i) from[i] = static_cast<double>(i);
  int64_t n = 64;
  int64_t step = 8;
  int64_t none = 0;
  kernel->run(std::vector<ArrayView>{{from.data(), Type::F64, 1, &n, &step}},
              std::vector<ArrayView>{{memory.data(), Type::F64, 1, &n, &none}});
  EXPECT_EQ(memory[0], 126.0);
  EXPECT_EQ(memory[1], 0.0);
}

INSTANTIATE_TEST_SUITE_P(Tiers, Aliasing, ::testing::Values(0, 1));

}  // namespace
}  // namespace lattice::jit
