// SPDX-License-Identifier: MIT
// Do runtimes on two threads get in each other's way? How much longer the same work takes when two
// threads each do it, with four runtimes of their own, than when one does; the reference is a loop
// that touches no memory, in turns with it. 1 is perfect scaling; a machine with less than two free
// cores shows above 1 in both.
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "lattice/reactive.hpp"
#include "measure.hpp"

namespace lattice::bench {
namespace {

// Threads begin together.
class Start {
 public:
  explicit Start(int threads) : missing_(threads) {}
  void arrive_and_wait() {
    missing_.fetch_sub(1);
    while (missing_.load() > 0) {
    }
  }

 private:
  std::atomic<int> missing_;
};

// One runtime with a graph of 64 memos: a wide diamond below each of four signals.
class Graph {
 public:
  Graph() {
    RuntimeEntry entry(runtime_);
    for (int i = 0; i < 4; ++i) {
      Signal<int> head{0};
      std::vector<Memo<int>> middle;
      for (int k = 0; k < 15; ++k) middle.push_back(memo([=] { return head.get() + k; }));
      auto sum = memo([middle] {
        int total = 0;
        for (const auto& one : middle) total += one.get();
        return total;
      });
      effect([sum, seen = &seen_] { *seen = sum.get(); });
      heads_.push_back(head);
    }
  }
  void write(int value) {
    RuntimeEntry entry(runtime_);
    for (const auto& head : heads_) {
      head.set(value);
      check(seen_ == 15 * value + 105, "scaling");
    }
  }

 private:
  Runtime runtime_;
  int seen_ = 0;
  std::vector<Signal<int>> heads_;
};

struct Graphs {
  std::vector<std::unique_ptr<Graph>> all;
  Graphs() {
    for (int i = 0; i < 4; ++i) all.push_back(std::make_unique<Graph>());
    for (int i = 0; i < 50; ++i) write(i);
  }
  void write(int value) {
    for (auto& graph : all) graph->write(value);
  }
  void work(int amount) {
    for (int i = 1; i <= amount; ++i) write(i);
  }
};

struct Spin {
  void work(int amount) {
    for (int i = 0; i < amount * 10'000; ++i) asm volatile("" : "+r"(i));
  }
};

// Nanoseconds until the last of `threads` has done the work.
template <class Worker>
double work_ns(int threads, int amount) {
  Start start(threads);
  std::vector<double> took(static_cast<size_t>(threads));
  std::vector<std::thread> all;
  for (double& mine : took) {
    all.emplace_back([&start, &mine, amount] {
      Worker worker;
      start.arrive_and_wait();
      mine = time_ns([&] { worker.work(amount); });
    });
  }
  for (auto& thread : all) thread.join();
  return *std::max_element(took.begin(), took.end());
}

}  // namespace

void run_scaling(const Options& options) {
  constexpr std::string_view kName = "scaling/2 threads";
  if (!options.wants(kName)) return;
  const int amount = options.quick ? 100 : 300;
  double spin_one = 1e300, spin_two = 1e300, one = 1e300, two = 1e300;
  for (int i = 0; i < (options.quick ? 10 : 40); ++i) {
    spin_one = std::min(spin_one, work_ns<Spin>(1, amount));
    one = std::min(one, work_ns<Graphs>(1, amount));
    spin_two = std::min(spin_two, work_ns<Spin>(2, amount));
    two = std::min(two, work_ns<Graphs>(2, amount));
  }
  print({.name = kName,
         .unit = "x",
         .value = two / one,
         .reference_name = "spin loop",
         .reference = spin_two / spin_one,
         .same = {},
         .beside = {{"ms of one thread", one / 1e6}, {"ms of the spin loop", spin_one / 1e6}}});
}

}  // namespace lattice::bench
