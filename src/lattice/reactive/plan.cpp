// SPDX-License-Identifier: MIT
#include "lattice/reactive/plan.hpp"

#include <cstdlib>
#include <string_view>

namespace lattice::reactive {

namespace {
bool plans_enabled() noexcept {
  static const bool enabled = [] {
    const char* value = std::getenv("LATTICE_PLANS");
    return value == nullptr || std::string_view(value) != "off";
  }();
  return enabled;
}
}  // namespace

Index* Rows::grow(Index*& row, Index* end) {
  const auto at_row = row - entries_.get();
  const auto size = end - entries_.get();
  const uint32_t capacity = capacity_ * 2;
  auto entries = std::make_unique<Index[]>(capacity);
  std::copy_n(entries_.get(), size, entries.get());
  entries_ = std::move(entries);
  capacity_ = capacity;
  row = entries_.get() + at_row;
  return entries_.get() + size;
}

void Rows::empty_rows() noexcept {
  std::fill(entries_.get() + known_, entries_.get() + finished_, 0);
  known_ = finished_;
}

Plans::Plans() : enabled(plans_enabled()) {}

bool Plans::start(uint64_t topology, bool is_queue_empty) noexcept {
  if (topology_ != topology) {
    if (!is_queue_empty) return false;  // rows of old plans may be waited for
    topology_ = topology;
    steps.clear();
    rows.clear();
  }
  return !is_full();
}

}  // namespace lattice::reactive
