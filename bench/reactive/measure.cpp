// SPDX-License-Identifier: MIT
#include "measure.hpp"

#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>

namespace {

// By thread, so that counting needs no lock.
constinit thread_local uint64_t allocation_count = 0;

void* allocate(size_t bytes) {
  ++allocation_count;
  if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(size_t bytes) { return allocate(bytes); }
void* operator new[](size_t bytes) { return allocate(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }

namespace lattice::bench {

double now_ns() noexcept {
  static const clockid_t clock = [] {
    const char* wanted = std::getenv("LATTICE_BENCH_CLOCK");
    const bool cpu = wanted != nullptr && std::strcmp(wanted, "cpu") == 0;
    return cpu ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
  }();
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

Options options_of(int argc, char** argv) {
  Options options;
  const char* quick = std::getenv("LATTICE_BENCH_QUICK");
  if (quick != nullptr && std::strcmp(quick, "1") == 0) {
    options.quick = true;
    options.iterations = 50;
  }
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--case") == 0) options.prefix = argv[i + 1];
    if (std::strcmp(argv[i], "--iterations") == 0) options.iterations = std::atoi(argv[i + 1]);
  }
  return options;
}

uint64_t allocations() noexcept { return allocation_count; }

void check(bool held, std::string_view what) {
  if (held) return;
  std::fprintf(stderr, "wrong result in %.*s\n", static_cast<int>(what.size()), what.data());
  std::exit(1);
}

namespace {

void print_figures(const char* key, const Figures& figures) {
  if (figures.empty()) return;
  std::printf(", \"%s\": {", key);
  const char* separator = "";
  for (const auto& [name, value] : figures) {
    std::printf("%s\"%.*s\": %.17g", separator, static_cast<int>(name.size()), name.data(), value);
    separator = ", ";
  }
  std::printf("}");
}

}  // namespace

void print(const Line& line) {
  std::printf("{\"case\": \"%.*s\", \"%.*s\": %.4f", static_cast<int>(line.name.size()),
              line.name.data(), static_cast<int>(line.unit.size()), line.unit.data(), line.value);
  if (!line.reference_name.empty()) {
    std::printf(", \"reference\": %.4f, \"reference_name\": \"%.*s\"", line.reference,
                static_cast<int>(line.reference_name.size()), line.reference_name.data());
  }
  print_figures("same", line.same);
  print_figures("beside", line.beside);
  std::printf("}\n");
  std::fflush(stdout);
}

}  // namespace lattice::bench
