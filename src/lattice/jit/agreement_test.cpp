// SPDX-License-Identifier: MIT
// Random programs: the tile interpreter after every pass, and machine code, against an evaluator
// that runs one element at a time. LATTICE_JIT_SEED and LATTICE_JIT_PROGRAMS choose others.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "lattice/jit/ir/text.hpp"
#include "lattice/jit/ir/verify.hpp"
#include "lattice/jit/kernel.hpp"
#include "lattice/jit/passes/dce.hpp"
#include "lattice/jit/random_program_test.hpp"

namespace lattice::jit {
namespace {

using testing::LaneEvaluator;
using testing::ProgramGenerator;
using testing::Random;
using testing::same_value;

uint64_t setting(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

struct Operand {
  std::vector<std::byte> memory;
  int64_t extent = 0;
  int64_t stride = 0;
  int rank = 1;
  Type type = Type::F64;

  Operand(Type t, int r, int64_t n, int64_t step) : extent(n), rank(r), type(t) {
    int bytes = byte_size(t);
    stride = step * bytes;
    memory.resize(static_cast<size_t>((std::abs(stride) * std::max<int64_t>(n, 1)) + bytes));
  }
  std::byte* at(int64_t i) {
    std::byte* first = memory.data();
    if (stride < 0) first += -stride * (extent - 1);
    return first + (rank == 0 ? 0 : i * stride);
  }
  void set(int64_t i, Bits bits) {
    std::memcpy(at(i), &bits, static_cast<size_t>(byte_size(type)));
  }
  Bits get(int64_t i) {
    Bits bits = 0;
    std::memcpy(&bits, at(i), static_cast<size_t>(byte_size(type)));
    return bits;
  }
  ArrayView view() { return {at(0), type, rank, &extent, &stride}; }
};

void check_program(uint64_t seed) {
  SCOPED_TRACE("LATTICE_JIT_SEED=" + std::to_string(seed));
  Random random(seed);
  ir::Function f =
      passes::dce(ProgramGenerator(random).make(4 + static_cast<int>(random.below(30))));
  ASSERT_TRUE(ir::verify(f).ok()) << ir::verify(f).error() << ir::print(f);
  constexpr int64_t kLengths[] = {1, 3, 7, 8, 9, 16, 31, 33, 64, 65, 200, 1025};
  int64_t n = kLengths[random.below(std::size(kLengths))];
  int64_t source_length = 1 + static_cast<int64_t>(random.below(9));

  std::vector<Operand> args;
  std::vector<Bits> source;
  for (size_t k = 0; k < f.params.size(); ++k) {
    const ir::Parameter& param = f.params[k];
    bool is_source = k + 1 == f.params.size();
    constexpr int64_t kSteps[] = {1, 1, 1, 2, -1, 3};
    int64_t step = kSteps[random.below(std::size(kSteps))];
    int64_t length = param.rank == 0 ? 1 : is_source ? source_length : n;
    args.emplace_back(param.type, param.rank, length, step);
    for (int64_t i = 0; i < length; ++i) {
      Bits bits = random.value(param.type);
      args.back().set(i, bits);
      if (is_source) source.push_back(bits);
    }
  }
  std::vector<ArrayView> views;
  for (Operand& arg : args) views.push_back(arg.view());

  // What each lane should be.
  std::vector<std::vector<Bits>> expected;
  uint32_t expected_status = 0;
  for (int64_t i = 0; i < n; ++i) {
    std::vector<Bits> lane;
    for (Operand& arg : args) lane.push_back(arg.get(arg.rank == 0 ? 0 : i % arg.extent));
    LaneEvaluator evaluator(f, lane, source);
    expected.push_back(evaluator.run());
    expected_status |= evaluator.status();
  }

  constexpr uint32_t kFromFlags =
      kStatusFpInvalid | kStatusFpDivide | kStatusFpOverflow | kStatusFpUnderflow;
  for (bool machine : {false, true}) {
    CompileOptions options;
    options.allow_machine_code = machine;
    options.machine_code_threshold = 0;
    auto kernel = Kernel::compile(f, options);
    if (std::getenv("LATTICE_JIT_PRINT") != nullptr) {
      std::cerr << ir::print(f) << kernel->ir();
    }
    std::vector<Shape> shapes(f.outputs().size());
    kernel->infer(views, shapes);
    std::vector<Operand> outputs;
    std::vector<ArrayView> out_views;
    for (size_t k = 0; k < shapes.size(); ++k) {
      outputs.emplace_back(f[f.outputs()[k]].type, shapes[k].rank,
                           shapes[k].rank == 0 ? 1 : shapes[k].extent[0], 1 + (seed + k) % 2);
    }
    for (Operand& output : outputs) out_views.push_back(output.view());
    uint32_t status = kernel->run(views, out_views);
    EXPECT_EQ(status & ~kFromFlags & ~expected_status, 0u) << "machine=" << machine;
    for (size_t k = 0; k < outputs.size(); ++k) {
      Type type = f[f.outputs()[k]].type;
      int64_t length = shapes[k].rank == 0 ? 1 : n;
      ASSERT_TRUE(shapes[k].rank == 0 || shapes[k].extent[0] == n ||
                  shapes[k].extent[0] == source_length);
      if (shapes[k].rank != 0 && shapes[k].extent[0] != n) continue;  // a param handed through
      for (int64_t i = 0; i < length; ++i) {
        Bits got = outputs[k].get(i);
        Bits want = expected[static_cast<size_t>(i)][k];
        ASSERT_TRUE(same_value(type, got, want))
            << "output " << k << " (" << type_name(type) << ") lane " << i << " of " << n << ": "
            << std::hex << got << ", expected " << want << ", machine=" << machine << " tier "
            << static_cast<int>(kernel->tier()) << "\n"
            << ir::print(f) << "\n"
            << kernel->ir();
      }
    }
  }
}

TEST(Agreement, TiersAndPassesMatchOneElementAtATime) {
  uint64_t seed = setting("LATTICE_JIT_SEED", 1);
  uint64_t programs = setting("LATTICE_JIT_PROGRAMS", 400);
  for (uint64_t k = 0; k < programs && !::testing::Test::HasFailure(); ++k) check_program(seed + k);
}

}  // namespace
}  // namespace lattice::jit
