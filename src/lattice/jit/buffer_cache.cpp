// SPDX-License-Identifier: MIT
#include "lattice/jit/buffer_cache.hpp"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <mutex>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace lattice::jit {

namespace {

constexpr size_t kKeptFrom = size_t{1} << 20;
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kKeptMax = 64;  // pieces

// In front of each buffer, as long as its alignment.
struct Header {
  size_t capacity;  // bytes after the header
  size_t mapped;    // of the whole piece; 0: from malloc
};
static_assert(sizeof(Header) <= kBufferAlignment);

Header* header_of(const void* memory) noexcept {
  return reinterpret_cast<Header*>(const_cast<char*>(static_cast<const char*>(memory)) -
                                   kBufferAlignment);
}
void* buffer_of(Header* header) noexcept {
  return reinterpret_cast<char*>(header) + kBufferAlignment;
}

// Eight sizes for each power of two: at most an eighth is wasted, and arrays of about one size
// share their memory.
size_t piece_size(size_t bytes) noexcept {
  size_t step = std::max(std::bit_floor(bytes) / 8, size_t{4096});
  return (bytes + step - 1) / step * step;
}

size_t first_limit() noexcept {
  if (const char* text = std::getenv("LATTICE_JIT_BUFFERS")) {
    return static_cast<size_t>(std::strtoull(text, nullptr, 10)) << 20;
  }
  auto pages = static_cast<size_t>(std::max(0L, sysconf(_SC_PHYS_PAGES)));
  auto page = static_cast<size_t>(std::max(0L, sysconf(_SC_PAGESIZE)));
  return std::min(pages * page / 8, size_t{1} << 30);
}

// Memory at a multiple of the huge page's size, so that huge pages fit.
Header* map_piece(size_t bytes) noexcept {
  size_t room = bytes >= kHugePage ? bytes + kHugePage : bytes;
  void* got = mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (got == MAP_FAILED) return nullptr;
  auto* begin = static_cast<char*>(got);
  if (room != bytes) {
    size_t skip = (kHugePage - reinterpret_cast<uintptr_t>(begin) % kHugePage) % kHugePage;
    if (skip != 0) munmap(begin, skip);
    if (skip != kHugePage) munmap(begin + skip + bytes, kHugePage - skip);
    begin += skip;
#if defined(MADV_HUGEPAGE)
    madvise(begin, bytes, MADV_HUGEPAGE);
#endif
  }
  auto* header = reinterpret_cast<Header*>(begin);
  *header = {bytes - kBufferAlignment, bytes};
  return header;
}

class Cache {
 public:
  Header* take(size_t bytes) noexcept {
    std::lock_guard lock(mutex_);
    for (size_t k = count_; k-- > 0;) {
      if (pieces_[k]->mapped != bytes) continue;
      Header* found = pieces_[k];
      remove(k);
      ++reused_;
#if defined(__SANITIZE_ADDRESS__)
      ASAN_UNPOISON_MEMORY_REGION(buffer_of(found), found->capacity);
#endif
      return found;
    }
    ++mapped_;
    return nullptr;
  }

  void give(Header* header) noexcept {
    size_t bytes = header->mapped;
    std::unique_lock lock(mutex_);
    if (bytes > limit()) {
      lock.unlock();
      munmap(header, bytes);
      return;
    }
    shrink(limit() - bytes, kKeptMax - 1);
#if defined(__SANITIZE_ADDRESS__)
    ASAN_POISON_MEMORY_REGION(buffer_of(header), header->capacity);
#endif
    pieces_[count_++] = header;
    kept_ += bytes;
  }

  BufferStatistics statistics() noexcept {
    std::lock_guard lock(mutex_);
    return {kept_, limit(), reused_, mapped_};
  }

  void set_limit(size_t bytes) noexcept {
    std::lock_guard lock(mutex_);
    limit_ = bytes;
    has_limit_ = true;
    shrink(bytes, kKeptMax);
  }

  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }

 private:
  size_t limit() noexcept {
    if (!has_limit_) {
      limit_ = first_limit();
      has_limit_ = true;
    }
    return limit_;
  }

  void remove(size_t k) noexcept {
    kept_ -= pieces_[k]->mapped;
    std::copy(pieces_.begin() + static_cast<ptrdiff_t>(k) + 1,
              pieces_.begin() + static_cast<ptrdiff_t>(count_),
              pieces_.begin() + static_cast<ptrdiff_t>(k));
    --count_;
  }

  void shrink(size_t bytes, size_t count) noexcept {
    while (count_ > 0 && (kept_ > bytes || count_ > count)) {
      Header* oldest = pieces_[0];
      remove(0);
#if defined(__SANITIZE_ADDRESS__)
      // What is mapped at this address next must not find it poisoned.
      ASAN_UNPOISON_MEMORY_REGION(buffer_of(oldest), oldest->capacity);
#endif
      munmap(oldest, oldest->mapped);
    }
  }

  std::mutex mutex_;
  std::array<Header*, kKeptMax> pieces_{};  // the oldest first
  size_t count_ = 0;
  size_t kept_ = 0;
  size_t limit_ = 0;
  bool has_limit_ = false;
  uint64_t reused_ = 0;
  uint64_t mapped_ = 0;
};

// Never destroyed: arrays outlive static objects.
Cache& cache() noexcept {
  static Cache* const instance = new Cache;
  return *instance;
}

// A child must not find the mutex locked by a thread that it has not.
[[maybe_unused]] const int fork_handlers =
    pthread_atfork([] { cache().lock(); }, [] { cache().unlock(); }, [] { cache().unlock(); });

}  // namespace

void* take_buffer(size_t bytes) noexcept {
  if (bytes > SIZE_MAX / 4) return nullptr;
  size_t whole = bytes + kBufferAlignment;
  if (whole < kKeptFrom) {
    whole = (whole + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
    auto* header = static_cast<Header*>(std::aligned_alloc(kBufferAlignment, whole));
    if (header == nullptr) return nullptr;
    *header = {whole - kBufferAlignment, 0};
    return buffer_of(header);
  }
  whole = piece_size(whole);
  Header* header = cache().take(whole);
  if (header == nullptr) header = map_piece(whole);
  return header == nullptr ? nullptr : buffer_of(header);
}

void give_buffer(void* memory) noexcept {
  if (memory == nullptr) return;
  Header* header = header_of(memory);
  if (header->mapped == 0) {
    std::free(header);
  } else {
    cache().give(header);
  }
}

size_t buffer_capacity(const void* memory) noexcept { return header_of(memory)->capacity; }

BufferStatistics buffer_statistics() noexcept { return cache().statistics(); }

void set_buffer_limit(size_t bytes) noexcept { cache().set_limit(bytes); }

}  // namespace lattice::jit
