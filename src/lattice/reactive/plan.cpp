// SPDX-License-Identifier: MIT
#include "lattice/reactive/plan.hpp"

#include <algorithm>
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

uint32_t Rows::finish() {
  if (entries_.size() == finished_) return 0;
  const auto path = static_cast<uint32_t>(finished_);
  entries_.push_back(0);
  finished_ = entries_.size();
  return path;
}

void Rows::clear() noexcept {
  entries_.resize(1);
  finished_ = forgotten_ = 1;
}

void Rows::empty_rows() noexcept {
  std::fill(entries_.begin() + static_cast<ptrdiff_t>(forgotten_),
            entries_.begin() + static_cast<ptrdiff_t>(finished_), Index{0});
  forgotten_ = finished_;
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
