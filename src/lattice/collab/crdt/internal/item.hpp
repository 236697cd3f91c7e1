// SPDX-License-Identifier: MIT
// Items: runs of units that one client inserted at one place. They live in an arena and are named
// by 32-bit refs; 0 is no item. References to an Item stay valid while the arena grows.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace lattice::crdt::internal {

using Ref = uint32_t;
inline constexpr Ref kNil = 0;
inline constexpr uint32_t kNoClient = UINT32_MAX;

// An id whose client is interned per document.
struct ItemId {
  uint32_t client = kNoClient;
  uint32_t clock = 0;
  friend bool operator==(const ItemId& a, const ItemId& b) noexcept {
    return a.client == b.client && (a.clock == b.clock || a.client == kNoClient);
  }
  explicit operator bool() const noexcept { return client != kNoClient; }
};

// The wire's content references.
enum class Content : uint8_t {
  Gc = 0,
  Deleted = 1,
  Json = 2,
  Binary = 3,
  String = 4,
  Embed = 5,
  Format = 6,
  Type = 7,
  Any = 8,
  Doc = 9,
  Skip = 10,
};

struct Item {
  static constexpr uint8_t kDeleted = 1;
  static constexpr uint8_t kKeep = 2;        // undo may need it: not collected
  static constexpr uint8_t kHasSub = 4;      // a map entry: `sub` is its key, else `sub` is a leaf
  static constexpr uint8_t kWide = 8;        // text that is not ASCII: `content` is a Wide entry
  static constexpr uint8_t kHasRedone = 16;  // Document::redone_ says where undo re-created it

  uint32_t clock = 0;
  uint32_t length = 0;
  uint32_t client = 0;
  Ref left = kNil;
  Ref right = kNil;
  ItemId origin;
  ItemId right_origin;
  uint32_t parent = 0;   // type index; 0 for collected structs
  uint32_t sub = 0;      // key, or leaf of the parent's sequence
  uint32_t content = 0;  // offset into the text, or an entry of the pool of its kind
  Content kind = Content::Gc;
  uint8_t flags = 0;

  bool deleted() const noexcept { return flags & kDeleted; }
  bool keep() const noexcept { return flags & kKeep; }
  bool has_sub() const noexcept { return flags & kHasSub; }
  bool countable() const noexcept {
    return kind != Content::Gc && kind != Content::Deleted && kind != Content::Format;
  }
  // Units that an index into the sequence counts.
  uint32_t visible() const noexcept { return !deleted() && countable() ? length : 0; }
  uint32_t end() const noexcept { return clock + length; }
  ItemId id() const noexcept { return {client, clock}; }
  ItemId last_id() const noexcept { return {client, clock + length - 1}; }
};
static_assert(sizeof(Item) == 52, "13 words per run: memory of a document is counted in these");

class ItemArena {
 public:
  ItemArena() { size_ = 1; }

  Item& operator[](Ref ref) noexcept { return blocks_[ref >> kShift][ref & kMask]; }
  const Item& operator[](Ref ref) const noexcept { return blocks_[ref >> kShift][ref & kMask]; }

  Ref make() {
    ++live_;
    if (free_ != kNil) {
      Ref ref = free_;
      Item& item = (*this)[ref];
      free_ = item.left;
      item = Item{};
      return ref;
    }
    if ((size_ >> kShift) >= blocks_.size()) {
      blocks_.push_back(std::make_unique_for_overwrite<Item[]>(kMask + 1));
    }
    Ref ref = size_++;
    (*this)[ref] = Item{};
    return ref;
  }
  void free(Ref ref) noexcept {
    --live_;
    (*this)[ref].left = free_;
    (*this)[ref].parent = 0;
    (*this)[ref].kind = Content::Gc;
    free_ = ref;
  }
  uint32_t size() const noexcept { return size_; }
  uint32_t live() const noexcept { return live_; }
  size_t memory() const noexcept {
    return blocks_.size() * (kMask + 1) * sizeof(Item) + blocks_.capacity() * sizeof(blocks_[0]);
  }

 private:
  static constexpr uint32_t kShift = 6;
  static constexpr uint32_t kMask = (1u << kShift) - 1;
  std::vector<std::unique_ptr<Item[]>> blocks_;
  uint32_t size_ = 0;
  uint32_t live_ = 0;
  Ref free_ = kNil;
};

// Values of one kind beside the items; entries are reused.
template <class T>
class Pool {
 public:
  uint32_t add(T value) {
    if (!free_.empty()) {
      uint32_t index = free_.back();
      free_.pop_back();
      entries_[index] = std::move(value);
      return index;
    }
    entries_.push_back(std::move(value));
    return static_cast<uint32_t>(entries_.size() - 1);
  }
  void free(uint32_t index) {
    entries_[index] = T{};
    free_.push_back(index);
  }
  T& operator[](uint32_t index) noexcept { return entries_[index]; }
  const T& operator[](uint32_t index) const noexcept { return entries_[index]; }
  size_t memory() const noexcept {
    return entries_.capacity() * sizeof(T) + free_.capacity() * sizeof(uint32_t);
  }
  size_t size() const noexcept { return entries_.size(); }

 private:
  std::vector<T> entries_;
  std::vector<uint32_t> free_;
};

}  // namespace lattice::crdt::internal
