// SPDX-License-Identifier: MIT
// The blocks of `with`: batch, untracked and Scope.
//
// A generator or coroutine may hold a block open, so blocks end in any order, in a run other than
// the one in which they began, or after their runtime. What is open on a thread stands in a list:
// only there, and only while the run of its beginning still goes on, has an end anything to
// restore.
#pragma once

#include "lattice/reactive/scope.hpp"
#include "reactive_node.hpp"

namespace lattice::python {

class Batch {
 public:
  void enter();
  void exit();
  ~Batch();
};

class Untracked {
 public:
  void enter();
  void exit();
  ~Untracked();
};

class PyScope {
 public:
  PyScope() : owner_(Owner::create()), mailbox_(Runtime::current().shared_mailbox()) {}
  ~PyScope();

  void enter();
  void exit();
  void dispose();
  bool alive() const { return owner_.alive(); }

 private:
  Owner owner_;
  std::shared_ptr<Mailbox> mailbox_;  // of its runtime
};

}  // namespace lattice::python
