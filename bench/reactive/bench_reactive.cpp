// SPDX-License-Identifier: MIT
// How long does one update of a signal graph take, and what does a node cost to make?
//
// Prints one line per case (measure.hpp). Each file beside this one holds a family of cases, and
// says what its figures are; *_alien.mjs do the same under node.
//
//   bench_reactive [--case PREFIX] [--iterations N]   LATTICE_BENCH_QUICK=1: a tenth of the work
#include "measure.hpp"

int main(int argc, char** argv) {
  using namespace lattice::bench;
  const Options options = options_of(argc, argv);
  run_kairo(options);
  run_dynamic(options);
  run_cellx(options);
  run_create(options);
  run_local(options);
  run_scaling(options);
}
