// SPDX-License-Identifier: MIT
#include "lattice/app/signal_set.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <utility>
#include <vector>

#include "lattice/base/error.hpp"

namespace lattice::app {

namespace {

// A signal handler gets no argument of ours: the pipe's end has to be reachable from everywhere.
std::atomic<int> pipe_in{-1};

void on_signal(int number) {
  const int saved = errno;
  const auto byte = static_cast<unsigned char>(number);
  const int end = pipe_in.load();
  // A full pipe drops the signal; 64 KiB of them are waiting then.
  if (end >= 0 && ::write(end, &byte, 1) < 0) errno = saved;
  errno = saved;
}

}  // namespace

struct SignalSet::State {
  int ends[2] = {-1, -1};
  std::vector<std::pair<int, struct sigaction>> before;
};

SignalSet::SignalSet(std::initializer_list<int> signals) : state_(std::make_unique<State>()) {
  if (::pipe2(state_->ends, O_CLOEXEC | O_NONBLOCK) != 0) throw Error("cannot make a pipe");
  int none = -1;
  if (!pipe_in.compare_exchange_strong(none, state_->ends[1])) {
    ::close(state_->ends[0]);
    ::close(state_->ends[1]);
    throw Error("another SignalSet is alive");
  }
  for (int number : signals) {
    struct sigaction action{};
    struct sigaction before{};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    ::sigaction(number, &action, &before);
    state_->before.emplace_back(number, before);
  }
}

SignalSet::~SignalSet() {
  for (const auto& [number, before] : state_->before) ::sigaction(number, &before, nullptr);
  pipe_in = -1;
  ::close(state_->ends[0]);
  ::close(state_->ends[1]);
}

int SignalSet::wait() {
  while (true) {
    if (auto number = wait_for(std::chrono::hours(1))) return *number;
  }
}

std::optional<int> SignalSet::wait_for(std::chrono::milliseconds timeout) {
  struct pollfd waiting{state_->ends[0], POLLIN, 0};
  unsigned char byte = 0;
  if (::poll(&waiting, 1, static_cast<int>(timeout.count())) <= 0) return std::nullopt;
  if (::read(state_->ends[0], &byte, 1) != 1) return std::nullopt;
  return byte;
}

}  // namespace lattice::app
