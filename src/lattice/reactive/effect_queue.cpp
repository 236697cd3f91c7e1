// SPDX-License-Identifier: MIT
#include "lattice/reactive/effect_queue.hpp"

#include <algorithm>

namespace lattice::reactive {
namespace {
constexpr uint32_t kRoomMin = 64;

// Heap order: std heaps put the greatest first, so "less" means "runs later".
constexpr auto runs_later = [](const auto& a, const auto& b) {
  if (a.priority != b.priority) return a.priority > b.priority;
  return static_cast<int32_t>(a.sequence - b.sequence) > 0;
};
}  // namespace

void EffectQueue::push_ranked(Lane& lane, Entry entry, int32_t priority) {
  ++ranked_;
  lane.ranked.push_back({priority, sequence_++, entry});
  std::push_heap(lane.ranked.begin(), lane.ranked.end(), runs_later);
}

EffectQueue::Entry EffectQueue::pop_ranked(Lane& lane) noexcept {
  std::pop_heap(lane.ranked.begin(), lane.ranked.end(), runs_later);
  const Entry entry = lane.ranked.back().entry;
  lane.ranked.pop_back();
  --ranked_;
  return entry;
}

EffectQueue::Entry EffectQueue::pop_from(Lane& lane) noexcept {
  if (!lane.ranked.empty() && lane.ranked.front().priority < 0) return pop_ranked(lane);
  if (lane.head == lane.end) return lane.ranked.empty() ? Entry{0, 0} : pop_ranked(lane);
  return pop_fifo(lane);
}

// Effects that keep triggering effects: the queue never drains, but must not grow. What is popped
// is given up only when it is half of the room, so that moving the rest is paid for.
void EffectQueue::make_room(Lane& lane) {
  const uint32_t size = lane.end - lane.head;
  const Entry* first = lane.fifo.get() + lane.head;
  if (lane.head >= kRoomMin / 2 && lane.head >= lane.capacity / 2) {
    std::copy_n(first, size, lane.fifo.get());
  } else {
    lane.capacity = std::max(kRoomMin, lane.capacity * 2);
    auto fifo = std::make_unique<Entry[]>(lane.capacity);
    std::copy_n(first, size, fifo.get());
    lane.fifo = std::move(fifo);
  }
  lane.head = 0;
  lane.end = size;
}

EffectQueue::Entry EffectQueue::pop_ranked_first() noexcept {
  Entry entry = pop_from(lanes_[static_cast<size_t>(Phase::Render)]);
  if (entry.effect == 0 && !user_held_) entry = pop_from(lanes_[static_cast<size_t>(Phase::User)]);
  if (entry.effect != 0) --size_;
  return entry;
}

size_t EffectQueue::runnable_of_render() const noexcept {
  return lanes_[static_cast<size_t>(Phase::Render)].size();
}

}  // namespace lattice::reactive
