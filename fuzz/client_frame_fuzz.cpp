// SPDX-License-Identifier: MIT
// libFuzzer target for decode_client_frame: no crash, no leak, and a failure always has a close
// code.
//
//   cmake -S . -B build/fuzz -G Ninja -DCMAKE_CXX_COMPILER=clang++-19 -DLATTICE_FUZZ=ON
//   cmake --build build/fuzz --target client_frame_fuzz
//   build/fuzz/fuzz/client_frame_fuzz -max_total_time=60
#include <cstdint>
#include <span>

#include "lattice/base/error.hpp"
#include "lattice/ui/vdom/frame_decoder.hpp"
#include "lattice/ui/vdom/wire.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const uint8_t> bytes(data, size);
  uint16_t code = 0;
  const bool ok = lattice::vdom::decode_client_frame(bytes, &code).ok();
  LATTICE_ASSERT(ok == (code == 0));
  // The frames of the server go through the same reader; a browser is not the only one to read
  // them.
  lattice::vdom::FrameDecoder decoder;
  static_cast<void>(decoder.decode(bytes));
  return 0;
}
