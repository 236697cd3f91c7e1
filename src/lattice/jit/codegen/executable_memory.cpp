// SPDX-License-Identifier: MIT
#include "lattice/jit/codegen/executable_memory.hpp"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace lattice::jit {
namespace internal {

struct CodeChunk {
  std::byte* writable = nullptr;
  std::byte* executable = nullptr;
  size_t bytes = 0;
  size_t used = 0;                // Everything from here on was never handed out.
  size_t live = 0;                // Bytes in blocks.
  size_t sealed = 0;              // Below, freed space may still run in a child (or a parent).
  bool foreign = false;           // Made before this process was forked off.
  std::map<size_t, size_t> free;  // Offset -> bytes, neighbours merged.
};

}  // namespace internal

namespace {

using internal::CodeChunk;

constexpr size_t kGranule = 64;
constexpr size_t kChunkBytesMin = size_t{64} << 10;
constexpr size_t kChunkBytesMax = size_t{4} << 20;

// One pool per process: kernels of all threads share pages, and fork acts on all of them at once.
struct Pool {
  std::mutex mutex;
  std::vector<std::unique_ptr<CodeChunk>> chunks;
  size_t next_chunk_bytes = kChunkBytesMin;
};

Pool& pool();

void before_fork() { pool().mutex.lock(); }

void seal_all(bool foreign) {
  for (auto& chunk : pool().chunks) {
    chunk->sealed = chunk->used;
    chunk->free.clear();
    chunk->foreign = chunk->foreign || foreign;
  }
}

void after_fork_in_parent() {
  seal_all(false);
  pool().mutex.unlock();
}

void after_fork_in_child() {
  seal_all(true);
  pool().mutex.unlock();
}

Pool& pool() {
  // Never destroyed: kernels held by other statics may outlive this file's.
  static Pool* const instance = [] {
    auto* made = new Pool;
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    return made;
  }();
  return *instance;
}

std::unique_ptr<CodeChunk> map_chunk(size_t bytes) {
  // The seal flag MFD_EXEC (newer kernels) only silences a log line; older ones refuse it.
#ifdef MFD_EXEC
  int fd = memfd_create("lattice-jit", MFD_CLOEXEC | MFD_EXEC);
  if (fd < 0) fd = memfd_create("lattice-jit", MFD_CLOEXEC);
#else
  const int fd = memfd_create("lattice-jit", MFD_CLOEXEC);
#endif
  if (fd < 0) return nullptr;
  void* writable = MAP_FAILED;
  void* executable = MAP_FAILED;
  if (ftruncate(fd, static_cast<off_t>(bytes)) == 0) {
    writable = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    executable = mmap(nullptr, bytes, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
  }
  close(fd);
  if (writable == MAP_FAILED || executable == MAP_FAILED) {
    if (writable != MAP_FAILED) munmap(writable, bytes);
    if (executable != MAP_FAILED) munmap(executable, bytes);
    return nullptr;
  }
  auto chunk = std::make_unique<CodeChunk>();
  chunk->writable = static_cast<std::byte*>(writable);
  chunk->executable = static_cast<std::byte*>(executable);
  chunk->bytes = bytes;
  return chunk;
}

constexpr size_t kNoRoom = SIZE_MAX;

size_t cut(CodeChunk& chunk, size_t bytes) {
  if (chunk.foreign) return kNoRoom;
  for (auto it = chunk.free.begin(); it != chunk.free.end(); ++it) {
    if (it->second < bytes) continue;
    const auto [offset, length] = *it;
    chunk.free.erase(it);
    if (length > bytes) chunk.free.emplace(offset + bytes, length - bytes);
    return offset;
  }
  if (chunk.bytes - chunk.used < bytes) return kNoRoom;
  return std::exchange(chunk.used, chunk.used + bytes);
}

void give_back(CodeChunk& chunk, size_t offset, size_t bytes) {
  if (chunk.foreign || offset < chunk.sealed) return;
  auto [it, _] = chunk.free.emplace(offset, bytes);
  if (auto next = std::next(it); next != chunk.free.end() && offset + bytes == next->first) {
    it->second += next->second;
    chunk.free.erase(next);
  }
  if (it != chunk.free.begin()) {
    if (auto before = std::prev(it); before->first + before->second == it->first) {
      before->second += it->second;
      chunk.free.erase(it);
    }
  }
}

void release(CodeChunk* chunk, const std::byte* entry, size_t bytes) {
  Pool& all = pool();
  const std::lock_guard lock(all.mutex);
  chunk->live -= bytes;
  give_back(*chunk, static_cast<size_t>(entry - chunk->executable), bytes);
  // The last chunk is kept: a kernel that is made and dropped in turns must not map each time.
  if (chunk->live != 0 || all.chunks.size() < 2) return;
  munmap(chunk->writable, chunk->bytes);
  munmap(chunk->executable, chunk->bytes);
  std::erase_if(all.chunks, [&](const auto& owned) { return owned.get() == chunk; });
}

size_t rounded(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

}  // namespace

CodeBlock::CodeBlock(CodeBlock&& other) noexcept
    : chunk_(std::exchange(other.chunk_, nullptr)),
      entry_(std::exchange(other.entry_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)) {}

CodeBlock& CodeBlock::operator=(CodeBlock&& other) noexcept {
  std::swap(chunk_, other.chunk_);
  std::swap(entry_, other.entry_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

CodeBlock::~CodeBlock() {
  if (entry_) release(chunk_, entry_, rounded(bytes_, kGranule));
}

CodeBlock add_code(std::span<const std::byte> code) noexcept {
  if (code.empty()) return {};
  try {
    const size_t bytes = rounded(code.size(), kGranule);
    Pool& all = pool();
    const std::lock_guard lock(all.mutex);
    CodeChunk* home = nullptr;
    size_t offset = kNoRoom;
    // Newest first: older chunks are mostly full.
    for (auto it = all.chunks.rbegin(); it != all.chunks.rend() && offset == kNoRoom; ++it) {
      home = it->get();
      offset = cut(*home, bytes);
    }
    if (offset == kNoRoom) {
      auto chunk = map_chunk(std::max(all.next_chunk_bytes, rounded(bytes, kChunkBytesMin)));
      if (!chunk) return {};
      all.next_chunk_bytes = std::min(2 * all.next_chunk_bytes, kChunkBytesMax);
      home = chunk.get();
      all.chunks.push_back(std::move(chunk));
      offset = cut(*home, bytes);
    }
    home->live += bytes;
    std::memcpy(home->writable + offset, code.data(), code.size());
    std::byte* entry = home->executable + offset;
    __builtin___clear_cache(reinterpret_cast<char*>(entry),
                            reinterpret_cast<char*>(entry + code.size()));
    return {home, entry, code.size()};
  } catch (const std::bad_alloc&) {
    return {};
  }
}

CodeMemoryStats code_memory_stats() noexcept {
  Pool& all = pool();
  const std::lock_guard lock(all.mutex);
  CodeMemoryStats stats{.chunks = all.chunks.size()};
  for (const auto& chunk : all.chunks) {
    stats.bytes_mapped += chunk->bytes;
    stats.bytes_live += chunk->live;
  }
  return stats;
}

}  // namespace lattice::jit
