// SPDX-License-Identifier: MIT
// Memory that a run reuses between its steps.
#pragma once

#include <algorithm>
#include <memory>
#include <new>
#include <unordered_map>
#include <vector>

#include "lattice/jit/buffer_cache.hpp"

namespace lattice::jit::internal {

class BufferPool {
 public:
  BufferPool() = default;
  ~BufferPool() {
    for (auto& [bytes, list] : free_) {
      for (void* memory : list) give_buffer(memory);
    }
  }
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // REQUIRES: the pool outlives the memory.
  std::shared_ptr<void> take(size_t bytes) {
    bytes = std::max(bytes, size_t{1});
    std::vector<void*>& list = free_[bytes];
    void* memory = nullptr;
    if (list.empty()) {
      memory = take_buffer(bytes);
      if (memory == nullptr) throw std::bad_alloc();
    } else {
      memory = list.back();
      list.pop_back();
    }
    return std::shared_ptr<void>(memory, [this, bytes](void* p) { free_[bytes].push_back(p); });
  }

 private:
  std::unordered_map<size_t, std::vector<void*>> free_;
};

}  // namespace lattice::jit::internal
