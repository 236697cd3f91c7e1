// SPDX-License-Identifier: MIT
// A shared type's keys in order of first use, each with its rightmost item.
#pragma once

#include <cstdint>
#include <vector>

#include "lattice/collab/crdt/internal/item.hpp"

namespace lattice::crdt::internal {

class KeyMap {
 public:
  struct Entry {
    uint32_t key;
    Ref item;
    uint32_t changed_in = 0;  // serial of the transaction that last changed it
  };

  Entry* find(uint32_t key) noexcept {
    if (slots_.empty()) {
      for (Entry& entry : entries_) {
        if (entry.key == key) return &entry;
      }
      return nullptr;
    }
    for (uint32_t i = hash(key);; ++i) {
      uint32_t slot = slots_[i & mask_];
      if (slot == 0) return nullptr;
      if (entries_[slot - 1].key == key) return &entries_[slot - 1];
    }
  }
  const Entry* find(uint32_t key) const noexcept { return const_cast<KeyMap*>(this)->find(key); }
  Ref get(uint32_t key) const noexcept {
    const Entry* entry = find(key);
    return entry ? entry->item : kNil;
  }
  void set(uint32_t key, Ref item) {
    if (Entry* entry = find(key)) {
      entry->item = item;
      return;
    }
    entries_.push_back({key, item});
    if (!slots_.empty() && entries_.size() * 2 <= slots_.size()) {
      place(static_cast<uint32_t>(entries_.size()));
    } else if (entries_.size() > 8) {
      slots_.assign(slots_.empty() ? 32 : slots_.size() * 2, 0);
      mask_ = static_cast<uint32_t>(slots_.size() - 1);
      for (uint32_t i = 1; i <= entries_.size(); ++i) place(i);
    }
  }
  void clear() {
    entries_ = {};
    slots_ = {};
    mask_ = 0;
  }
  const std::vector<Entry>& entries() const noexcept { return entries_; }
  size_t memory() const noexcept {
    return entries_.capacity() * sizeof(Entry) + slots_.capacity() * sizeof(uint32_t);
  }

 private:
  static uint32_t hash(uint32_t key) noexcept {
    uint32_t h = key * 0x9E3779B1u;
    return h ^ (h >> 15);
  }
  void place(uint32_t number) {
    for (uint32_t i = hash(entries_[number - 1].key);; ++i) {
      if (slots_[i & mask_] == 0) {
        slots_[i & mask_] = number;
        return;
      }
    }
  }
  std::vector<Entry> entries_;
  std::vector<uint32_t> slots_;  // 1 + index into entries_; empty while few
  uint32_t mask_ = 0;
};

}  // namespace lattice::crdt::internal
