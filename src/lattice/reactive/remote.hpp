// SPDX-License-Identifier: MIT
// Remote<Signal<T>>: write a signal from any thread, through its runtime's mailbox.
//
// Weak: a signal or runtime that is gone makes a post do nothing.
#pragma once

#include <memory>
#include <utility>

#include "lattice/reactive/graph.hpp"
#include "lattice/reactive/mailbox.hpp"

namespace lattice {

namespace reactive {
// The mailbox of the runtime that a node belongs to. Throws DisposedError.
std::shared_ptr<Mailbox> mailbox_of(NodeHandle handle);
}  // namespace reactive

template <class Target>
class Remote {
 public:
  // Owner thread only.
  explicit Remote(Target target)
      : target_(target), mailbox_(reactive::mailbox_of(target.handle())) {}

  // Any thread. False when the runtime is gone; a signal that is gone ignores the value.
  bool post(typename Target::value_type value) const {
    return mailbox_->post([target = target_, value = std::move(value)] {
      if (target.alive()) target.set(value);
    });
  }
  // Any thread: `body` maps the value found when it runs to the new one; in order of posting.
  template <class F>
  bool post_update(F body) const {
    return mailbox_->post([target = target_, body = std::move(body)] {
      if (target.alive()) target.update(body);
    });
  }

 private:
  Target target_;
  std::shared_ptr<Mailbox> mailbox_;
};

}  // namespace lattice
