// SPDX-License-Identifier: MIT
// Uses the installed headers and libraries: a memo over a signal, printed.
#include <iostream>

#include "lattice/reactive/memo.hpp"
#include "lattice/reactive/signal.hpp"

int main() {
  lattice::Signal<int> count{20};
  auto doubled = lattice::memo([=] { return count.get() * 2; });
  count.set(21);
  std::cout << doubled.get() << '\n';
}
