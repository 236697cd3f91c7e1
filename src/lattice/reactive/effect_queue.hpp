// SPDX-License-Identifier: MIT
// Which effect runs next: the Render phase before the User phase, lower priority numbers first,
// otherwise in the order in which they were queued.
//
// Priority 0, the common case, is a plain FIFO; other priorities sit in a small binary heap beside
// it. The order is decided at each pop, so an urgent effect queued during a flush overtakes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "lattice/reactive/arena.hpp"

namespace lattice {

enum class Phase : uint8_t { Render, User };

namespace reactive {

class EffectQueue {
 public:
  // `path`: where the memos stand that lead to it (Plans::rows), 0: unknown.
  struct Entry {
    Index effect;  // 0: there is none
    uint32_t path;
  };

  void push(Entry entry, Phase phase, int32_t priority) {
    ++size_;
    Lane& lane = lanes_[static_cast<size_t>(phase)];
    if (priority != 0) [[unlikely]]
      return push_ranked(lane, entry, priority);
    if (lane.end == lane.capacity) [[unlikely]]
      make_room(lane);
    lane.fifo[lane.end++] = entry;
  }
  // Many at once, all of priority 0: where to write them, if there is room; end_push() tells the
  // end of what was written.
  bool has_room(Phase phase, uint32_t count) const noexcept {
    const Lane& lane = lanes_[static_cast<size_t>(phase)];
    return lane.capacity - lane.end >= count;
  }
  Entry* begin_push(Phase phase) noexcept {
    Lane& lane = lanes_[static_cast<size_t>(phase)];
    return lane.fifo.get() + lane.end;
  }
  void end_push(Phase phase, const Entry* end) noexcept {
    Lane& lane = lanes_[static_cast<size_t>(phase)];
    const auto now = static_cast<uint32_t>(end - lane.fifo.get());
    size_ += now - lane.end;
    lane.end = now;
  }
  // The next effect that may run.
  Entry pop() noexcept {
    if (ranked_ != 0) [[unlikely]]
      return pop_ranked_first();
    Lane* lane = &lanes_[0];
    if (lane->head == lane->end) {
      lane = &lanes_[1];
      if (lane->head == lane->end || user_held_) return {0, 0};
    }
    --size_;
    return pop_fifo(*lane);
  }
  bool empty() const noexcept { return size_ == 0; }
  // Effects that pop() would give if nothing were added.
  size_t runnable() const noexcept { return user_held_ ? runnable_of_render() : size_; }

  void hold_user(bool held) noexcept { user_held_ = held; }
  bool user_held() const noexcept { return user_held_; }

 private:
  struct Ranked {
    int32_t priority;
    uint32_t sequence;
    Entry entry;
  };
  struct Lane {
    std::unique_ptr<Entry[]> fifo;
    uint32_t head = 0;  // entries before this are popped
    uint32_t end = 0;
    uint32_t capacity = 0;
    std::vector<Ranked> ranked;
    size_t size() const noexcept { return end - head + ranked.size(); }
  };
  size_t runnable_of_render() const noexcept;
  void push_ranked(Lane& lane, Entry entry, int32_t priority);
  static void make_room(Lane& lane);
  static Entry pop_fifo(Lane& lane) noexcept {
    const Entry entry = lane.fifo[lane.head++];
    if (lane.head == lane.end) lane.head = lane.end = 0;
    return entry;
  }
  Entry pop_ranked_first() noexcept;
  Entry pop_from(Lane& lane) noexcept;
  Entry pop_ranked(Lane& lane) noexcept;

  Lane lanes_[2];
  size_t size_ = 0;
  size_t ranked_ = 0;  // how many of them have a priority
  uint32_t sequence_ = 0;
  bool user_held_ = false;
};

}  // namespace reactive
}  // namespace lattice
