// SPDX-License-Identifier: MIT
// Memory of the graph: 32-bit indices into one reserved address range, size-classed free lists.
//
// The process reserves one range of address space (16 GiB where it can, less where it must). An
// Index counts 8-byte granules from its base, so a link of six words takes 24 bytes and a decode is
// one scaled addressing mode. Each graph takes 64 KiB chunks from the range and carves slots from
// them; a freed slot keeps its size class until the graph ends, which is what lets a node's
// generation word outlive the node (see NodeHandle in graph.hpp).
//
// A chunk begins with a ChunkHeader that names its graph: node -> graph costs one mask and one
// load. Invariant: index 0 is never handed out; it means "none". The chunk there belongs to nobody
// and reads as zeros but for one generation, so that hot paths may follow an index before they know
// whether there is one. Threads: one arena belongs to one graph; only taking and returning chunks
// is shared, and locked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lattice::reactive {

using Index = uint32_t;
class Graph;

inline constexpr size_t kGranuleBytes = 8;
inline constexpr size_t kChunkBytes = size_t{64} << 10;
inline constexpr size_t kSlotBytesMax = 1024;

// Start of the reserved range; set before the first index exists, then constant. What lies at index
// 0 is never a node of generation 0.
[[gnu::visibility("hidden")]] extern char* arena_base;

template <class T>
inline T* at(Index index) noexcept {
  return reinterpret_cast<T*>(arena_base + size_t{index} * kGranuleBytes);
}

inline Index index_of(const void* pointer) noexcept {
  return static_cast<Index>((static_cast<const char*>(pointer) - arena_base) / kGranuleBytes);
}

struct ChunkHeader {
  Graph* graph;  // null while no graph owns the chunk
};

inline Graph* graph_of(const void* pointer) noexcept {
  auto address = reinterpret_cast<uintptr_t>(pointer) & ~(uintptr_t{kChunkBytes} - 1);
  return reinterpret_cast<ChunkHeader*>(address)->graph;
}

// Slots of one graph. Nodes and links have separate free lists, so a node slot stays a node slot.
class Arena {
 public:
  explicit Arena(Graph& graph) noexcept : graph_(graph) {}
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // REQUIRES: bytes <= kSlotBytesMax. The second word of a node slot is its generation, already
  // set, never 0; the rest is unspecified.
  Index allocate_node(size_t bytes) {
    size_t size_class = (bytes + kGranuleBytes - 1) / kGranuleBytes;
    ++nodes_live_;
    Index index = free_nodes_[size_class];
    if (index == 0) return carve_node(size_class);
    unpoison(index, size_class);
    const Index next = word(index, kNodeNextWord);
    free_nodes_[size_class] = next;
    __builtin_prefetch(at<char>(next), 1);  // the next one to be made
    return index;
  }
  void release_node(Index index, size_t bytes) noexcept {
    size_t size_class = (bytes + kGranuleBytes - 1) / kGranuleBytes;
    --nodes_live_;
    word(index, kNodeNextWord) = free_nodes_[size_class];
    free_nodes_[size_class] = index;
    poison(index, size_class, kNodeKeptBytes);
  }

  Index allocate_link() {
    ++links_live_;
    Index index = free_links_;
    if (index == 0) return carve(kLinkGranules);
    unpoison(index, kLinkGranules);
    free_links_ = word(index, 0);
    return index;
  }
  void release_link(Index index) noexcept {
    --links_live_;
    word(index, 0) = free_links_;
    free_links_ = index;
    poison(index, kLinkGranules, kLinkKeptBytes);
  }

  size_t nodes_live() const noexcept { return nodes_live_; }
  size_t links_live() const noexcept { return links_live_; }
  size_t bytes_reserved() const noexcept { return chunks_.size() * kChunkBytes; }

 private:
  static constexpr size_t kLinkGranules = 3;
  static constexpr size_t kNodeNextWord = 2;    // after flags+type and the generation
  static constexpr size_t kNodeKeptBytes = 16;  // readable after release: generation, free list
  static constexpr size_t kLinkKeptBytes = 8;

  static uint32_t& word(Index index, size_t offset) noexcept { return at<uint32_t>(index)[offset]; }
  Index carve(size_t granules);
  Index carve_node(size_t granules);
  static void poison(Index index, size_t granules, size_t kept_bytes) noexcept;
  static void unpoison(Index index, size_t granules) noexcept;

  Graph& graph_;
  Index next_ = 0;  // bump pointer into the newest chunk
  Index end_ = 0;
  Index free_links_ = 0;
  uint32_t generation_seed_ = 1;
  size_t nodes_live_ = 0;
  size_t links_live_ = 0;
  Index free_nodes_[kSlotBytesMax / kGranuleBytes + 1] = {};
  std::vector<char*> chunks_;
};

#if defined(__SANITIZE_ADDRESS__)
#define LATTICE_POISON_SLOTS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LATTICE_POISON_SLOTS 1
#endif
#endif

#ifndef LATTICE_POISON_SLOTS
inline void Arena::poison(Index, size_t, size_t) noexcept {}
inline void Arena::unpoison(Index, size_t) noexcept {}
#endif

}  // namespace lattice::reactive
