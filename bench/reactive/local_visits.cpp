// SPDX-License-Identifier: MIT
// The work of one write that touches ten nodes, in a graph of a million and in one of a thousand.
//
// This program holds a copy of the engine in which the compiler has put a call at the start of
// every basic block (-fsanitize-coverage=trace-pc). Whatever a write visits, links, nodes or
// entries of a queue, it visits in some block, so equal counts of blocks mean equal work.
#include "local.hpp"

namespace lattice::bench {
uint64_t blocks() noexcept;  // local_blocks.cpp

namespace {

// Blocks per write of the same ten nodes, once they have settled.
double blocks_of_write(int nodes) {
  constexpr int kSettling = 1'000;
  constexpr int kWrites = 1'000;
  Crowd crowd(nodes);
  RuntimeEntry entry(crowd.runtime());
  const size_t middle = crowd.size() / 2;
  for (int i = 1; i <= kSettling; ++i) crowd.write(middle, i);
  const int64_t runs = crowd.runs();
  const uint64_t before = blocks();
  for (int i = 1; i <= kWrites; ++i) crowd.write(middle, -i);
  const uint64_t after = blocks();
  check(crowd.runs() - runs == Crowd::kRunsOfWrite * kWrites, "local: runs");
  check(after > before, "local: blocks are not counted");
  return static_cast<double>(after - before) / kWrites;
}

}  // namespace
}  // namespace lattice::bench

int main(int argc, char** argv) {
  using namespace lattice::bench;
  constexpr std::string_view kVisits = "local/visits of 10 nodes of 1M";
  if (!options_of(argc, argv).wants(kVisits)) return 0;
  print({.name = kVisits,
         .unit = "blocks",
         .value = blocks_of_write(kMillion),
         .reference_name = "in a graph of 1k",
         .reference = blocks_of_write(kThousand)});
}
