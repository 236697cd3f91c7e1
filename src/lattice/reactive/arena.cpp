// SPDX-License-Identifier: MIT
#include "lattice/reactive/arena.hpp"

#include "lattice/base/error.hpp"
#include "lattice/reactive/graph.hpp"

#include <sys/mman.h>

#include <cstring>
#include <mutex>
#include <new>

#ifdef LATTICE_POISON_SLOTS
#include <sanitizer/asan_interface.h>
#endif

namespace lattice::reactive {

namespace {

// What index 0 refers to: a link to nothing, and a node that no handle matches. The cursor of a run
// whose node was disposed stands on a link with a successor, which leads to nothing as well.
constexpr size_t kNothingBytes = 1024;
struct Nothing {
  uint32_t words[kNothingBytes / sizeof(uint32_t)] = {};
  constexpr Nothing() {
    words[1] = ~uint32_t{0};
    words[kCursorOfDisposed * kGranuleBytes / sizeof(uint32_t) + 4] = kCursorOfDisposed + 4;
  }
};
static_assert(offsetof(Link, next_dep) == 4 * sizeof(uint32_t));
alignas(kGranuleBytes) constinit Nothing nothing_yet;

constexpr size_t kRangeBytesMax = size_t{kOwnerBit} * kGranuleBytes;
constexpr size_t kRangeBytesMin = size_t{64} << 20;
// ThreadSanitizer resets shadow memory for every mapping, in time proportional to its size.
#if defined(__SANITIZE_THREAD__)
constexpr size_t kRangeBytesWanted = size_t{1} << 30;
#else
constexpr size_t kRangeBytesWanted = kRangeBytesMax;
#endif
// Free chunks that keep their pages; more than these give them back to the system.
constexpr size_t kWarmChunksMax = 256;

// The process-wide source of chunks. Never destroyed: graphs of other threads may outlive main().
class ChunkSource {
 public:
  static ChunkSource& instance() {
    static ChunkSource* source = new ChunkSource;
    return *source;
  }

  char* take() {
    std::scoped_lock lock(mutex_);
    if (!free_.empty()) {
      char* chunk = free_.back();
      free_.pop_back();
      return chunk;
    }
    if (next_ + kChunkBytes > end_) throw std::bad_alloc();
    char* chunk = next_;
    next_ += kChunkBytes;
    return chunk;
  }

  void give_back(char* chunk) noexcept {
    std::scoped_lock lock(mutex_);
    // The header must stay readable (a stale handle may look at it), the rest may go.
    if (free_.size() >= kWarmChunksMax) madvise(chunk, kChunkBytes, MADV_DONTNEED);
    free_.push_back(chunk);
  }

  // A different start for each chunk, so that a handle into a recycled chunk does not match.
  uint32_t next_generation_seed() noexcept {
    std::scoped_lock lock(mutex_);
    return (generation_seed_ += 0x9e3779b9u) | 1u;
  }

 private:
  ChunkSource() {
    for (size_t bytes = kRangeBytesWanted; bytes >= kRangeBytesMin; bytes /= 2) {
      void* range = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (range == MAP_FAILED) continue;
      madvise(range, bytes, MADV_DONTDUMP);
      auto address = reinterpret_cast<uintptr_t>(range);
      auto aligned = (address + kChunkBytes - 1) & ~(uintptr_t{kChunkBytes} - 1);
      char* start = reinterpret_cast<char*>(aligned);
      new (start) Nothing;
      next_ = start + kChunkBytes;
      arena_base = start;
      end_ = reinterpret_cast<char*>(address + bytes);
      free_.reserve(1024);
      return;
    }
    throw std::bad_alloc();
  }

  std::mutex mutex_;
  std::vector<char*> free_;
  char* next_ = nullptr;
  char* end_ = nullptr;
  uint32_t generation_seed_ = 1;
};

}  // namespace

char* arena_base = reinterpret_cast<char*>(&nothing_yet);

Arena::~Arena() {
  for (char* chunk : chunks_) {
#ifdef LATTICE_POISON_SLOTS
    ASAN_UNPOISON_MEMORY_REGION(chunk, kChunkBytes);
#endif
    reinterpret_cast<ChunkHeader*>(chunk)->graph = nullptr;
    ChunkSource::instance().give_back(chunk);
  }
}

Index Arena::carve(size_t granules) {
  if (end_ - next_ < granules) {
    // What is left of the old chunk (under 1 KiB of 64) is given up.
    char* chunk = ChunkSource::instance().take();
    chunks_.push_back(chunk);
    generation_seed_ = ChunkSource::instance().next_generation_seed();
    new (chunk) ChunkHeader{&graph_};
    Index first = index_of(chunk);
    next_ = first + static_cast<Index>(sizeof(ChunkHeader) / kGranuleBytes);
    // The very last granule of the range would overflow the index; the range ends there anyway.
    end_ = first + static_cast<Index>(kChunkBytes / kGranuleBytes - 1);
  }
  Index index = next_;
  next_ += static_cast<Index>(granules);
  return index;
}

Index Arena::carve_node(size_t granules) {
  LATTICE_ASSERT(granules <= kSlotBytesMax / kGranuleBytes);
  Index index = carve(granules);
  word(index, 1) = generation_seed_;
  return index;
}

#ifdef LATTICE_POISON_SLOTS
void Arena::poison(Index index, size_t granules, size_t kept_bytes) noexcept {
  ASAN_POISON_MEMORY_REGION(at<char>(index) + kept_bytes, granules * kGranuleBytes - kept_bytes);
}
void Arena::unpoison(Index index, size_t granules) noexcept {
  ASAN_UNPOISON_MEMORY_REGION(at<char>(index), granules * kGranuleBytes);
}
#endif

}  // namespace lattice::reactive
