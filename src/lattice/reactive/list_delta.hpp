// SPDX-License-Identifier: MIT
// What happened to a list since somebody last looked: its contents with a bounded log of changes.
//
// A reader keeps the version that it has seen and asks for what came after. The log holds the
// newest changes with the items that they brought; when it grows out of proportion it is cut, and
// readers that are further behind compare or rebuild.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

namespace lattice {

enum class ListOp : uint8_t { Insert, Erase, Set, Move, Assign };

template <class T>
struct ListDelta {
  ListOp op = ListOp::Assign;
  size_t index = 0;      // Move: where from
  size_t count = 0;      // items taken away (Erase, Set, Move, Assign) or brought (Insert)
  size_t to = 0;         // Move: the index that the item has afterwards
  std::vector<T> items;  // brought by Insert, Set, Assign
};

namespace reactive {

inline constexpr size_t kListLogMax = 1024;

template <class T>
class ListContent {
 public:
  const std::vector<T>& items() const noexcept { return items_; }
  // Counts changes.
  uint64_t version() const noexcept { return begin_ + log_.size(); }
  // The changes after `version`, oldest first; nothing when they are not known any more.
  std::optional<std::vector<ListDelta<T>>> since(uint64_t version) const {
    if (version < begin_) return std::nullopt;
    return std::vector<ListDelta<T>>(log_.begin() + static_cast<ptrdiff_t>(version - begin_),
                                     log_.end());
  }

  // REQUIRES: the indices lie inside.
  void insert(size_t index, std::vector<T> added) {
    items_.insert(at(index), added.begin(), added.end());
    add({ListOp::Insert, index, added.size(), 0, std::move(added)});
  }
  void erase(size_t index, size_t count) {
    items_.erase(at(index), at(index + count));
    add({ListOp::Erase, index, count, 0, {}});
  }
  void set(size_t index, T item) {
    items_[index] = item;
    std::vector<T> added;
    added.push_back(std::move(item));
    add({ListOp::Set, index, 1, 0, std::move(added)});
  }
  void move(size_t from, size_t to) {
    if (from < to) {
      std::rotate(at(from), at(from + 1), at(to + 1));
    } else {
      std::rotate(at(to), at(from), at(from + 1));
    }
    add({ListOp::Move, from, 1, to, {}});
  }
  void assign(std::vector<T> items) {
    const size_t count = items_.size();
    items_ = items;
    add({ListOp::Assign, 0, count, 0, std::move(items)});
  }

 private:
  auto at(size_t index) { return items_.begin() + static_cast<ptrdiff_t>(index); }

  void add(ListDelta<T> delta) {
    logged_items_ += delta.items.size();
    log_.push_back(std::move(delta));
    if (log_.size() <= kListLogMax && logged_items_ <= 2 * std::max(kListLogMax, items_.size())) {
      return;
    }
    begin_ += log_.size();
    log_.clear();
    logged_items_ = 0;
  }

  std::vector<T> items_;
  std::vector<ListDelta<T>> log_;
  uint64_t begin_ = 0;  // the version before the first delta of the log
  size_t logged_items_ = 0;
};

}  // namespace reactive
}  // namespace lattice
