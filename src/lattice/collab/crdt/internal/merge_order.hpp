// SPDX-License-Identifier: MIT
// Whose turn it is when sorted streams of structs are merged.
//
// The stream at the highest client and there at the lowest clock has its turn. What comes first
// among streams at the same struct shows in the bytes: one peer may have collected a struct that
// another still has. Yjs sorts all streams anew on every turn, with the one that just had its turn
// in front; a stable sort then leaves that one before all that are equal to it.
//
// But the comparison that Yjs gives to the sort is none when a collected struct meets an item: it
// says that either comes before the other. What happens then is decided by the steps of
// JavaScript's sort. `FewStreams` takes the steps that V8's takes for less than 64 elements (count
// the first run, then insert by bisection), so that its results are Yjs's under node and in
// Chromium. `ManyStreams` is a heap and leaves equal streams in the order of their last turns.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "lattice/collab/crdt/id.hpp"

namespace lattice::crdt::internal {

struct StreamPlace {
  ClientId client = 0;
  Clock clock = 0;
  bool is_gc = false;
  // The stream's number; its owner knows what that means.
  uint32_t stream = 0;

  bool is_at(const StreamPlace& other) const noexcept {
    return client == other.client && clock == other.clock;
  }
  bool is_strictly_before(const StreamPlace& other) const noexcept {
    return client != other.client ? client > other.client : clock < other.clock;
  }
};

class FewStreams {
 public:
  static constexpr size_t kMax = 63;

  void add(const StreamPlace& place) { places_.push_back(place); }
  bool is_empty() const noexcept { return places_.empty(); }
  // REQUIRES: sort() after the last change.
  StreamPlace& front() noexcept { return places_.front(); }
  void drop_front() { places_.erase(places_.begin()); }

  // As V8 sorts less than 64 elements.
  void sort() {
    if (places_.size() < 2) return;
    size_t run = 2;
    const bool is_descending = compares_before(places_[1], places_[0]);
    while (run < places_.size() &&
           compares_before(places_[run], places_[run - 1]) == is_descending) {
      ++run;
    }
    if (is_descending) {
      std::reverse(places_.begin(), places_.begin() + static_cast<std::ptrdiff_t>(run));
    }
    for (size_t i = run; i < places_.size(); ++i) insert(i);
  }

 private:
  static bool compares_before(const StreamPlace& a, const StreamPlace& b) noexcept {
    return a.is_at(b) ? a.is_gc != b.is_gc : a.is_strictly_before(b);
  }
  void insert(size_t from) {
    const StreamPlace pivot = places_[from];
    size_t left = 0;
    size_t right = from;
    while (left < right) {
      const size_t middle = left + (right - left) / 2;
      if (compares_before(pivot, places_[middle])) {
        right = middle;
      } else {
        left = middle + 1;
      }
    }
    for (size_t i = from; i > left; --i) places_[i] = places_[i - 1];
    places_[left] = pivot;
  }

  std::vector<StreamPlace> places_;
};

// Streams that have not begun are told from those that have: their places are sorted once, and a
// stream is opened when its turn comes. Of 260,000 updates in a row one is open at a time.
class ManyStreams {
 public:
  void reserve(size_t count) { waiting_.reserve(count); }
  // REQUIRES: in the order in which equal ones shall begin.
  void add_waiting(const StreamPlace& place) { waiting_.push_back(place); }
  void sort_waiting() {
    const auto is_before = [](const StreamPlace& a, const StreamPlace& b) {
      return a.is_strictly_before(b);
    };
    if (!std::is_sorted(waiting_.begin(), waiting_.end(), is_before)) {
      std::stable_sort(waiting_.begin(), waiting_.end(), is_before);
    }
  }
  void add_open(const StreamPlace& place) {
    open_.push_back({place, ++turns_});
    std::push_heap(open_.begin(), open_.end(), comes_later);
  }

  struct Turn {
    StreamPlace place;
    bool is_open = false;
  };
  // False when there is none left.
  bool next(Turn& turn) {
    const bool has_waiting = next_waiting_ != waiting_.size();
    // Equal ones that have begun go before those that have not.
    if (!open_.empty() &&
        (!has_waiting || !waiting_[next_waiting_].is_strictly_before(open_.front().place))) {
      std::pop_heap(open_.begin(), open_.end(), comes_later);
      turn = {open_.back().place, true};
      open_.pop_back();
      return true;
    }
    if (!has_waiting) return false;
    turn = {waiting_[next_waiting_++], false};
    return true;
  }

 private:
  struct Open {
    StreamPlace place;
    uint64_t turn = 0;
  };
  static bool comes_later(const Open& a, const Open& b) noexcept {
    return a.place.is_at(b.place) ? a.turn < b.turn : b.place.is_strictly_before(a.place);
  }

  std::vector<StreamPlace> waiting_;
  size_t next_waiting_ = 0;
  std::vector<Open> open_;
  uint64_t turns_ = 0;
};

}  // namespace lattice::crdt::internal
