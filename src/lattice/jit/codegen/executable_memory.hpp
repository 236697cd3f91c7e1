// SPDX-License-Identifier: MIT
// Memory for machine code that is never writable and executable at once.
//
// A chunk is one memfd mapped twice: a view that may be written and one that may be executed. Code
// is copied through the first and runs in the second; blocks are cut from chunks with a free list.
//
// fork: the views are shared with the child, so neither side may write where the other may still
// run. The parent never again reuses what had been handed out in a chunk at the time of a fork; the
// child lets all chunks be (their code stays valid in it) and cuts its blocks from chunks of its
// own.
//
// When the system refuses such memory (hardened kernels, no memfd), `add` says so and the caller
// stays in the interpreter. Thread-safe.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace lattice::jit {

namespace internal {
struct CodeChunk;
}

// Owns a piece of executable memory; empty when default-constructed or moved from.
class CodeBlock {
 public:
  CodeBlock() noexcept = default;
  CodeBlock(CodeBlock&& other) noexcept;
  CodeBlock& operator=(CodeBlock&& other) noexcept;
  ~CodeBlock();

  [[nodiscard]] explicit operator bool() const noexcept { return entry_ != nullptr; }
  [[nodiscard]] const std::byte* entry() const noexcept { return entry_; }
  [[nodiscard]] size_t bytes() const noexcept { return bytes_; }

 private:
  friend CodeBlock add_code(std::span<const std::byte> code) noexcept;
  CodeBlock(internal::CodeChunk* chunk, const std::byte* entry, size_t bytes) noexcept
      : chunk_(chunk), entry_(entry), bytes_(bytes) {}

  internal::CodeChunk* chunk_ = nullptr;
  const std::byte* entry_ = nullptr;
  size_t bytes_ = 0;
};

// Copies position-independent code into executable memory, 64-byte aligned. Empty on refusal.
[[nodiscard]] CodeBlock add_code(std::span<const std::byte> code) noexcept;

struct CodeMemoryStats {
  size_t chunks = 0;
  size_t bytes_mapped = 0;  // Per view.
  size_t bytes_live = 0;    // Handed out and not yet given back.
};
[[nodiscard]] CodeMemoryStats code_memory_stats() noexcept;

}  // namespace lattice::jit
