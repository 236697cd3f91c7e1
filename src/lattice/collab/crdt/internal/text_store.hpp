// SPDX-License-Identifier: MIT
// The text of all items of a document: one buffer of UTF-8, in which every string item owns a
// stretch. Bytes 0xFF, which no UTF-8 holds, are free and belong to the stretch before them, so a
// run grows in place while free bytes follow it; else it moves to the end and takes room with it.
// Freed bytes become 0xFF; when they outweigh the text, the owner rewrites the buffer (compact).
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace lattice::crdt::internal {

class TextStore {
 public:
  static constexpr char kFree = static_cast<char>(0xFF);

  std::string_view view(uint32_t offset, uint32_t bytes) const noexcept {
    return {bytes_.data() + offset, bytes};
  }
  uint32_t add(std::string_view text) {
    uint32_t offset = static_cast<uint32_t>(bytes_.size());
    bytes_.append(text);
    used_ += text.size();
    return offset;
  }
  void free(uint32_t offset, uint32_t bytes) noexcept {
    used_ -= bytes;
    if (offset + bytes == bytes_.size()) {
      bytes_.resize(offset);
    } else {
      std::memset(bytes_.data() + offset, kFree, bytes);
    }
  }
  // Makes the stretch longer by `text`; returns where it is now.
  uint32_t extend(uint32_t offset, uint32_t bytes, std::string_view text) {
    size_t end = size_t{offset} + bytes;
    used_ += text.size();
    if (end == bytes_.size()) {
      bytes_.append(text);
      return offset;
    }
    size_t room = 0;
    while (room < text.size() && end + room < bytes_.size() && bytes_[end + room] == kFree) ++room;
    if (room == text.size()) {
      std::memcpy(bytes_.data() + end, text.data(), text.size());
      return offset;
    }
    if (end + room == bytes_.size()) {
      bytes_.resize(end);
      bytes_.append(text);
      return offset;
    }
    uint32_t moved = static_cast<uint32_t>(bytes_.size());
    size_t slack = bytes < 16 ? 8 : bytes / 2;
    bytes_.resize(moved + bytes + text.size() + slack, kFree);
    std::memcpy(bytes_.data() + moved, bytes_.data() + offset, bytes);
    std::memcpy(bytes_.data() + moved + bytes, text.data(), text.size());
    std::memset(bytes_.data() + offset, kFree, bytes);
    return moved;
  }
  size_t size() const noexcept { return bytes_.size(); }
  size_t used() const noexcept { return used_; }
  bool wants_compaction() const noexcept {
    return bytes_.size() > 4096 && bytes_.size() > used_ + used_ / 2;
  }
  // Starts a new buffer; the owner adds every live stretch again from the old one.
  std::string take() noexcept {
    used_ = 0;
    std::string old;
    old.swap(bytes_);
    return old;
  }
  void reserve(size_t bytes) { bytes_.reserve(bytes); }
  // Gives back room that was reserved for more text than came.
  void trim() {
    if (bytes_.capacity() > bytes_.size() + bytes_.size() / 4 + 64) bytes_.shrink_to_fit();
  }
  size_t memory() const noexcept { return bytes_.capacity(); }

 private:
  std::string bytes_;
  size_t used_ = 0;
};

}  // namespace lattice::crdt::internal
