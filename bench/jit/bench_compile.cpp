// SPDX-License-Identifier: MIT
// What does a node of the IR cost until machine code runs? Optimiser, schedule and code generator,
// and the first call, for programs of 100 to 20,000 nodes that all are needed.
//
// Prints one line of JSON a case: nanoseconds for a node by the size of the program, and the worst
// of them. Use: bench_jit [--case PREFIX]
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "lattice/jit/ir/builder.hpp"
#include "lattice/jit/kernel.hpp"

using namespace lattice::jit;

namespace {

double now_ns() {
  const char* clock = std::getenv("LATTICE_BENCH_CLOCK");
  timespec time{};
  clock_gettime(clock != nullptr && std::string_view(clock) == "cpu" ? CLOCK_THREAD_CPUTIME_ID
                                                                     : CLOCK_MONOTONIC,
                &time);
  return 1e9 * static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec);
}

// Each node uses the one before it and another, so that none can be dropped.
ir::Function program(size_t nodes) {
  std::mt19937 random(7);
  ir::Builder b;
  std::vector<ir::NodeId> made;
  for (int k = 0; k < 4; ++k) made.push_back(b.param(Type::F64, 1));
  constexpr Op kOps[] = {Op::Add, Op::Sub, Op::Mul, Op::Max, Op::Min, Op::Add};
  while (made.size() < nodes) {
    ir::NodeId last = made.back();
    size_t reach = std::min<size_t>(made.size(), random() % 8 == 0 ? made.size() : 16);
    ir::NodeId other = made[made.size() - 1 - random() % reach];
    if (random() % 6 == 0) {
      made.push_back(b.unary(random() % 2 == 0 ? Op::Abs : Op::Neg, last));
      made.push_back(b.binary(Op::Add, made.back(), last));
    } else {
      made.push_back(b.binary(kOps[random() % 6], last, other));
    }
  }
  return b.finish({made.back()});
}

// Nanoseconds until the first result is there.
double compile(const ir::Function& function) {
  constexpr int64_t kLength = 8;
  std::vector<double> memory(5 * kLength, 0.5);
  int64_t extent = kLength;
  int64_t stride = sizeof(double);
  auto view = [&](int64_t k) {
    return ArrayView{memory.data() + k * kLength, Type::F64, 1, &extent, &stride};
  };
  std::vector<ArrayView> args;
  for (int64_t k = 0; k < 4; ++k) args.push_back(view(k));
  std::vector<ArrayView> outputs = {view(4)};
  CompileOptions options;
  options.machine_code_threshold = 0;
  ir::Function copy = function;
  double begin = now_ns();
  auto kernel = Kernel::compile(std::move(copy), options);
  kernel->run(args, outputs);
  double time = now_ns() - begin;
  if (kernel->tier() != Tier::Machine) {
    std::fprintf(stderr, "not compiled to machine code:\n%s\n", kernel->explain().c_str());
    std::exit(1);
  }
  return time;
}

}  // namespace

int main(int argc, char** argv) {
  std::string prefix;
  for (int k = 1; k + 1 < argc; ++k) {
    if (std::string(argv[k]) == "--case") prefix = argv[k + 1];
  }
  const bool quick = std::getenv("LATTICE_BENCH_QUICK") != nullptr;
  auto say = [&](const std::string& name, const char* unit, double value) {
    if (name.rfind(prefix, 0) != 0) return;
    std::printf("{\"case\": \"%s\", \"%s\": %.4f}\n", name.c_str(), unit, value);
    std::fflush(stdout);
  };
  double worst = 0;
  for (size_t nodes : {100, 1000, 5000, 20000}) {
    ir::Function function = program(nodes);
    double best = 1e300;
    for (int round = 0; round < (quick ? 5 : 20); ++round) best = std::min(best, compile(function));
    double each = best / static_cast<double>(function.nodes.size());
    worst = std::max(worst, each);
    say("compile/" + std::to_string(nodes) + " nodes", "ns", each);
  }
  say("compile/per IR node", "us", worst / 1e3);
}
