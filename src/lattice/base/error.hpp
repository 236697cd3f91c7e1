// SPDX-License-Identifier: MIT
// The errors of Lattice, by origin.
//
// Caller's misuse throws a type derived from `Error`; Python sees the same name under `lattice`.
// Our own bug fails LATTICE_ASSERT: it stays on in release, calls the failure hook and aborts.
// Outside bytes never throw: decoders return Result (base/result.hpp).
#pragma once

#include <stdexcept>
#include <string>

namespace lattice {

// Python: lattice.LatticeError.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A memo or effect depends on itself; the message names the path.
class CycleError : public Error {
 public:
  using Error::Error;
};

// Memos compute one another deeper than the stack can grow. They stay stale: read in an order that
// begins with the sources, each is computed.
class NestingError : public Error {
 public:
  using Error::Error;
};

// A handle outlived what it points to.
class DisposedError : public Error {
 public:
  using Error::Error;
};

// State reached from a session, thread or phase that may not touch it.
class AccessError : public Error {
 public:
  using Error::Error;
};

// Bytes handed in by the program itself (not by a peer) do not decode.
class DecodeError : public Error {
 public:
  using Error::Error;
};

// Called with file, line and condition before the process aborts; a host program may log with it.
using AssertHook = void (*)(const char* file, int line, const char* condition);
void set_assert_hook(AssertHook hook) noexcept;

namespace internal {
[[noreturn]] void assert_failed(const char* file, int line, const char* condition) noexcept;
}

}  // namespace lattice

#define LATTICE_ASSERT(condition) \
  (static_cast<bool>(condition)   \
       ? static_cast<void>(0)     \
       : ::lattice::internal::assert_failed(__FILE__, __LINE__, #condition))
