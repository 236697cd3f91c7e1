// SPDX-License-Identifier: MIT
// Context: a value that everything below an owner finds without being handed it.
//
// provide() leaves the value with the current owner: a scope, an error boundary, a component, the
// running effect or memo. use() looks from the current owner upwards and takes the nearest, else
// the default. What an effect or memo has provided is gone with its next run. A lookup costs one
// step for each owner on the way and is not tracked; put a Signal in when readers should follow.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "lattice/reactive/graph.hpp"

namespace lattice {

namespace reactive {
uint64_t new_context_key() noexcept;
}

// Copies stand for the same context. May be a global; any thread may use it.
template <class T>
class Context {
 public:
  explicit Context(T initial = T{})
      : key_(reactive::new_context_key()), default_(std::move(initial)) {}

  void provide(T value) const {
    reactive::Graph::current().provide(key_, std::make_shared<T>(std::move(value)));
  }
  T use() const {
    const void* found = reactive::Graph::current().find_provided(key_);
    return found != nullptr ? *static_cast<const T*>(found) : default_;
  }

 private:
  uint64_t key_;
  T default_;
};

}  // namespace lattice
