// SPDX-License-Identifier: MIT
// Memory that a run reuses between its steps.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <unordered_map>
#include <vector>

namespace lattice::jit::internal {

class BufferPool {
 public:
  ~BufferPool() {
    for (auto& [bytes, list] : free_) {
      for (void* memory : list) std::free(memory);
    }
  }
  std::shared_ptr<void> take(size_t bytes) {
    bytes = std::max<size_t>((bytes + 63) / 64 * 64, 64);
    std::vector<void*>& list = free_[bytes];
    void* memory = nullptr;
    if (list.empty()) {
      memory = std::aligned_alloc(64, bytes);
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
