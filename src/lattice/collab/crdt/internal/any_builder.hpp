// SPDX-License-Identifier: MIT
// Builds the shared lists of Any in place, for readers that know how long they get.
#pragma once

#include <memory>
#include <span>

#include "lattice/collab/crdt/any.hpp"

namespace lattice::crdt::internal {

// T is Any (arrays), Any::Entry (objects) or uint8_t (bytes).
template <class T>
class ListBuilder {
 public:
  // REQUIRES: at most `capacity` calls of add.
  explicit ListBuilder(size_t capacity) {
    if (capacity == 0) return;
    static_assert(alignof(T) <= sizeof(SharedList<T>));
    void* const block = ::operator new(sizeof(SharedList<T>) + capacity * sizeof(T));
    list_ = ::new (block) SharedList<T>();
  }
  ListBuilder(const ListBuilder&) = delete;
  ListBuilder& operator=(const ListBuilder&) = delete;
  ~ListBuilder() {
    if (list_ != nullptr) list_->release();
  }

  void add(T item) { ::new (list_->items() + list_->size_++) T(std::move(item)); }
  T* begin() noexcept { return list_ == nullptr ? nullptr : list_->items(); }
  size_t size() const noexcept { return list_ == nullptr ? 0 : list_->size_; }
  // REQUIRES: as many as there is room for.
  void add_all(std::span<const T> items) {
    if (items.empty()) return;
    std::uninitialized_copy(items.begin(), items.end(), list_->items());
    list_->size_ = static_cast<uint32_t>(items.size());
  }

  // The list as a value; an object's entries are put in JavaScript's order first.
  Any finish();

 private:
  SharedList<T>* list_ = nullptr;
};

template <>
Any ListBuilder<uint8_t>::finish();
template <>
Any ListBuilder<Any>::finish();
template <>
Any ListBuilder<Any::Entry>::finish();

}  // namespace lattice::crdt::internal
