// SPDX-License-Identifier: MIT
#include "lattice/jit/internal/stage_walk.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "lattice/jit/internal/fp_flags.hpp"
#include "lattice/jit/thread_pool.hpp"

namespace lattice::jit::internal {

using ir::kRankMax;

namespace {

// Waking a thread costs some ten microseconds: each has to get several times of that to do.
constexpr double kWorthAThreadNs = 40'000;
constexpr double kChunkNs = 30'000;
constexpr int64_t kChunkStep = 1024;

// Memory beyond the second cache is what counts for a run that does little per element.
constexpr double kFarBytes = 2e6;
constexpr double kNsPerNearByte = 0.01;
constexpr double kNsPerFarByte = 0.04;

// Outputs below stay in a cache, where the next kernel finds them.
constexpr int64_t kStreamBytes = int64_t{6} << 20;
constexpr int64_t kLine = 64;

// The order of elements, and where each operand of the stage is at one of them.
struct Walk {
  StageRunner& runner;
  const StageArrays& arrays;
  std::span<const StridedArray> outputs;
  Axes axes;
  std::vector<int64_t> in_stride;
  std::vector<int64_t> out_stride;
  StageRunner::Prepared plain;
  StageRunner::Prepared stream;  // no code: nothing is streamed
  int64_t head = 0;              // elements before the outputs are aligned

  Walk(StageRunner& stage, const StageArrays& all, std::span<const StridedArray> out,
       const Shape& domain)
      : runner(stage), arrays(all), outputs(out) {
    std::vector<const StridedArray*> operands = arrays.elements;
    for (const StridedArray& output : outputs) operands.push_back(&output);
    axes = plan_axes(domain, operands);
    size_t elements = arrays.elements.size();
    auto inner = static_cast<size_t>(axes.count - 1);
    for (size_t j = 0; j < elements; ++j) in_stride.push_back(axes.stride[j][inner]);
    for (size_t j = 0; j < outputs.size(); ++j) {
      out_stride.push_back(axes.stride[elements + j][inner]);
    }
  }

  int64_t inner_extent() const noexcept { return axes.extent[static_cast<size_t>(axes.count - 1)]; }

  StageCall call(const std::vector<const void*>& in, const std::vector<void*>& out) const noexcept {
    return {in.data(),
            in_stride.data(),
            arrays.scalars.data(),
            arrays.sources.data(),
            out.data(),
            out_stride.data(),
            nullptr,
            0,
            0};
  }

  uint32_t run(int64_t first, int64_t last, TileScratch& scratch) const;
  void run_row(StageCall& call, std::vector<const void*>& in, std::vector<void*>& out,
               TileScratch& scratch) const;
  void plan_stream(int64_t n);
};

void move(std::vector<const void*>& in, const std::vector<int64_t>& by, int64_t times) noexcept {
  for (size_t j = 0; j < in.size(); ++j) in[j] = static_cast<const char*>(in[j]) + by[j] * times;
}
void move(std::vector<void*>& out, const std::vector<int64_t>& by, int64_t times) noexcept {
  for (size_t j = 0; j < out.size(); ++j) out[j] = static_cast<char*>(out[j]) + by[j] * times;
}

uint32_t Walk::run(int64_t first, int64_t last, TileScratch& scratch) const {
  size_t elements = arrays.elements.size();
  std::vector<const void*> in(elements);
  std::vector<void*> out(outputs.size());
  for (size_t j = 0; j < elements; ++j) in[j] = arrays.elements[j]->data;
  for (size_t j = 0; j < outputs.size(); ++j) out[j] = const_cast<void*>(outputs[j].data);
  auto step = [&](size_t axis, int64_t times) {
    for (size_t j = 0; j < elements; ++j) {
      in[j] = static_cast<const char*>(in[j]) + axes.stride[j][axis] * times;
    }
    for (size_t j = 0; j < outputs.size(); ++j) {
      out[j] = static_cast<char*>(out[j]) + axes.stride[elements + j][axis] * times;
    }
  };
  int64_t inner = inner_extent();
  int64_t row = first / inner;
  int64_t at = first % inner;
  std::array<int64_t, kRankMax> position{};
  for (auto axis = static_cast<size_t>(axes.count - 1); axis-- > 0;) {
    position[axis] = row % axes.extent[axis];
    row /= axes.extent[axis];
    step(axis, position[axis]);
  }
  StageCall call = this->call(in, out);
  for (int64_t left = last - first;;) {
    call.n = std::min(inner - at, left);
    left -= call.n;
    if (at != 0) {
      move(in, in_stride, at);
      move(out, out_stride, at);
    }
    if (stream.code != nullptr) {
      run_row(call, in, out, scratch);
    } else {
      runner.run(plain, call, scratch);
    }
    if (left == 0) return call.status;
    if (at != 0) {
      move(in, in_stride, -at);
      move(out, out_stride, -at);
      at = 0;
    }
    for (auto axis = static_cast<size_t>(axes.count - 1); axis-- > 0;) {
      step(axis, 1);
      if (++position[axis] < axes.extent[axis]) break;
      step(axis, -axes.extent[axis]);
      position[axis] = 0;
    }
  }
}

// The one row there is, or a part of it: to the first boundary of a line as ever, then whole blocks
// past the caches, and the rest as ever.
void Walk::run_row(StageCall& call, std::vector<const void*>& in, std::vector<void*>& out,
                   TileScratch& scratch) const {
  int64_t n = call.n;
  auto part = [&](const StageRunner::Prepared& code, int64_t count) {
    if (count == 0) return;
    call.n = count;
    runner.run(code, call, scratch);
    move(in, in_stride, count);
    move(out, out_stride, count);
    n -= count;
  };
  int64_t each = out_stride[0];
  auto past = static_cast<int64_t>(reinterpret_cast<uintptr_t>(out[0]) % kLine);
  part(plain, std::min(n, past == 0 ? 0 : (kLine - past) / each));
  part(stream, n - n % kStreamLanes);
  part(plain, n);
}

void Walk::plan_stream(int64_t n) {
  if (axes.count != 1 || outputs.empty()) return;
  // Aligned together, and each of a size that divides a line.
  int64_t bytes = 0;
  for (const StridedArray& output : outputs) {
    int64_t each = byte_size(output.type);
    bytes += n * each;
    if (output.stride.empty() || each != out_stride[0] || each < 4) return;
    if ((reinterpret_cast<uintptr_t>(output.data) - reinterpret_cast<uintptr_t>(outputs[0].data)) %
            kLine !=
        0) {
      return;
    }
  }
  for (size_t j = 0; j < outputs.size(); ++j) {
    if (out_stride[j] != byte_size(outputs[j].type)) return;
    // In place, the line has been read anyway.
    for (const StridedArray* input : arrays.elements) {
      if (input->data == outputs[j].data) return;
    }
  }
  if (bytes < kStreamBytes ||
      reinterpret_cast<uintptr_t>(outputs[0].data) % static_cast<uintptr_t>(out_stride[0]) != 0) {
    return;
  }
  std::vector<const void*> in;
  std::vector<void*> out;
  stream = runner.prepare(call(in, out), n, true);
}

}  // namespace

Chunks plan_chunks(int64_t n, double ns, int threads) noexcept {
  double total = static_cast<double>(n) * ns;
  auto chunk = static_cast<int64_t>(std::min(kChunkNs / ns, 1e9));
  Chunks chunks;
  chunks.elements = std::max(kChunkStep, chunk / kChunkStep * kChunkStep);
  double worth = std::min(total / kWorthAThreadNs,
                          static_cast<double>(n) / static_cast<double>(chunks.elements));
  chunks.threads = static_cast<int>(std::clamp(worth, 1.0, static_cast<double>(threads)));
  return chunks;
}

WalkStatus walk_stage(StageRunner& runner, const StageArrays& arrays, const Shape& domain,
                      std::span<const StridedArray> outputs, const WalkOptions& options,
                      TileScratch& scratch) {
  int64_t n = domain.count();
  if (n == 0) return {};
  Walk walk(runner, arrays, outputs, domain);
  {
    std::vector<const void*> in;
    std::vector<void*> out;
    walk.plain = runner.prepare(walk.call(in, out), n);
  }
  if (options.streams && walk.plain.code != nullptr) walk.plan_stream(n);
  Chunks chunks;
  if (options.threads > 1) {
    double bytes = 0;
    for (const StridedArray* array : arrays.elements) {
      bytes += static_cast<double>(byte_size(array->type));
    }
    for (const StridedArray& array : outputs) bytes += static_cast<double>(byte_size(array.type));
    bool is_far = bytes * static_cast<double>(n) > kFarBytes;
    chunks = plan_chunks(n,
                         std::max(runner.ns_per_element(walk.plain),
                                  bytes * (is_far ? kNsPerFarByte : kNsPerNearByte)),
                         options.threads);
  }
  WalkStatus status;
  if (chunks.threads <= 1) {
    status.stage = walk.run(0, n, scratch);
  } else {
    std::vector<TileScratch> scratches(static_cast<size_t>(chunks.threads));
    std::atomic<uint32_t> stage{0};
    std::atomic<uint32_t> flags{0};
    FpControl control;
    ThreadPool::instance().run((n + chunks.elements - 1) / chunks.elements, chunks.threads,
                               [&](int64_t chunk, int participant) {
                                 uint32_t of_stage = 0;
                                 int64_t first = chunk * chunks.elements;
                                 uint32_t of_flags = control.call([&] {
                                   of_stage = walk.run(first, std::min(n, first + chunks.elements),
                                                       scratches[static_cast<size_t>(participant)]);
#if defined(__SSE2__)
                                   if (walk.stream.code != nullptr) _mm_sfence();
#endif
                                 });
                                 stage.fetch_or(of_stage, std::memory_order_relaxed);
                                 flags.fetch_or(of_flags, std::memory_order_relaxed);
                               });
    status = {stage.load(std::memory_order_relaxed), flags.load(std::memory_order_relaxed)};
  }
#if defined(__SSE2__)
  // Stores past the caches are not ordered with others until then.
  if (walk.stream.code != nullptr) _mm_sfence();
#endif
  return status;
}

}  // namespace lattice::jit::internal
