// SPDX-License-Identifier: MIT
// Waiting for SIGINT, SIGTERM and the like as ordinary values.
//
// While a SignalSet lives, its signals are written into a pipe instead of ending the program;
// wait() reads them from there. One at a time per process; the previous handlers come back after.
#pragma once

#include <chrono>
#include <initializer_list>
#include <memory>
#include <optional>

namespace lattice::app {

class SignalSet {
 public:
  // Throws Error when another SignalSet lives.
  explicit SignalSet(std::initializer_list<int> signals);
  ~SignalSet();
  SignalSet(const SignalSet&) = delete;
  SignalSet& operator=(const SignalSet&) = delete;

  // The next signal's number.
  int wait();
  // Nothing after the timeout.
  std::optional<int> wait_for(std::chrono::milliseconds timeout);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lattice::app
