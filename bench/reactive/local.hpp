// SPDX-License-Identifier: MIT
// A graph of many small graphs of ten nodes each: a signal, a chain of eight memos, an effect.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "lattice/reactive.hpp"
#include "measure.hpp"

namespace lattice::bench {

class Crowd {
 public:
  static constexpr int kNodes = 10;
  static constexpr int64_t kRunsOfWrite = kNodes - 1;  // all but the signal have a function

  explicit Crowd(int nodes) {
    RuntimeEntry entry(*runtime_);
    for (int i = 0; i < nodes / kNodes; ++i) {
      Signal<int> head{0};
      auto last = memo([head, runs = runs_.get()] { return ++*runs, head.get() + 1; });
      for (int length = 1; length < kNodes - 2; ++length) {
        last = memo([last, runs = runs_.get()] { return ++*runs, last.get() + 1; });
      }
      effect([last, sum = sum_.get(), runs = runs_.get()] {
        ++*runs;
        *sum = last.get();
      });
      heads_.push_back(head);
    }
  }

  size_t size() const { return heads_.size(); }
  Runtime& runtime() const { return *runtime_; }
  // REQUIRES: the runtime is entered.
  void write(size_t which, int value) { heads_[which].set(value); }
  // Functions run so far.
  int64_t runs() const { return *runs_; }
  // What the effect that ran last saw.
  int seen() const { return *sum_; }

 private:
  std::unique_ptr<int64_t> runs_ = std::make_unique<int64_t>(0);
  std::unique_ptr<int> sum_ = std::make_unique<int>(0);
  std::unique_ptr<Runtime> runtime_ = std::make_unique<Runtime>();
  std::vector<Signal<int>> heads_;
};

inline constexpr int kThousand = 1000;
inline constexpr int kMillion = 1'000'000;

}  // namespace lattice::bench
