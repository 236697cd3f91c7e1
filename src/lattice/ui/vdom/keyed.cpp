// SPDX-License-Identifier: MIT
#include "lattice/ui/vdom/keyed.hpp"

#include <algorithm>
#include <bit>
#include <functional>

#include "lattice/base/error.hpp"

namespace lattice::vdom {

namespace {

constexpr int32_t kNone = -1;

bool same_key(const Key* a, const Key* b) noexcept {
  if (a == nullptr || b == nullptr) return a == b;
  return *a == *b;
}

bool same_identity(const ChildIdentity& a, const ChildIdentity& b) noexcept {
  return a.type == b.type && a.tag == b.tag && same_key(a.key, b.key);
}

[[noreturn]] void throw_duplicate(const Key& key) {
  throw Error("duplicate key " + to_text(key) +
              ": keys must be unique among the children of one parent");
}

// Open addressing over positions of one list; it stores no keys of its own. Keyed children hash by
// key alone (so that a key used by two types is seen as a duplicate), unkeyed ones by type.
class PositionTable {
 public:
  PositionTable(std::span<const ChildIdentity> items, size_t count)
      : items_(items), cells_(std::bit_ceil(2 * count + 1), kNone) {}

  // The cell of the entry that equals `wanted`, or the empty cell where it belongs.
  int32_t& cell(const ChildIdentity& wanted) noexcept {
    const size_t mask = cells_.size() - 1;
    size_t at = hash(wanted) & mask;
    while (cells_[at] != kNone && !matches(items_[cells_[at]], wanted)) at = (at + 1) & mask;
    return cells_[at];
  }

 private:
  static size_t hash(const ChildIdentity& item) noexcept {
    const size_t raw = item.key != nullptr
                           ? std::hash<Key>{}(*item.key)
                           : std::hash<std::string_view>{}(item.tag) ^ (item.type * 0x9e3779b9u);
    // std::hash of an integer is the identity: spread it, or strided keys would cluster.
    const uint64_t mixed = static_cast<uint64_t>(raw) * 0x9e3779b97f4a7c15u;
    return static_cast<size_t>(mixed ^ (mixed >> 32));
  }

  static bool matches(const ChildIdentity& a, const ChildIdentity& b) noexcept {
    if (a.key != nullptr || b.key != nullptr) return same_key(a.key, b.key);
    return a.type == b.type && a.tag == b.tag;
  }

  std::span<const ChildIdentity> items_;
  std::vector<int32_t> cells_;
};

class Planner {
 public:
  Planner(std::span<const ChildIdentity> before, std::span<const ChildIdentity> after)
      : before_(before), after_(after) {}

  ChildPlan run() {
    plan_.source.assign(after_.size(), kNone);
    plan_.stay.assign(after_.size(), 0);
    pair_ends();
    if (prefix_ < after_.size() - suffix_) {
      pair_middle();
      check_new_keys();
      keep_longest_run();
    }
    list_removed();
    return std::move(plan_);
  }

 private:
  void pair(size_t new_index, size_t old_index) {
    plan_.source[new_index] = static_cast<int32_t>(old_index);
    plan_.stay[new_index] = 1;
  }

  void pair_ends() {
    const size_t shorter = std::min(before_.size(), after_.size());
    while (prefix_ < shorter && same_identity(before_[prefix_], after_[prefix_])) {
      pair(prefix_, prefix_);
      ++prefix_;
    }
    while (suffix_ < shorter - prefix_ && same_identity(before_[before_.size() - 1 - suffix_],
                                                        after_[after_.size() - 1 - suffix_])) {
      pair(after_.size() - 1 - suffix_, before_.size() - 1 - suffix_);
      ++suffix_;
    }
  }

  void pair_middle() {
    const size_t old_end = before_.size() - suffix_;
    PositionTable table(before_, old_end - prefix_);
    // Unkeyed children of one type form a chain in list order, hence filled from the back. The
    // table holds the first of a chain; cursor says, for that one, which is handed out next.
    std::vector<int32_t> next(old_end - prefix_, kNone);
    std::vector<int32_t> cursor(old_end - prefix_, kNone);
    for (size_t i = old_end; i-- > prefix_;) {
      int32_t& head = table.cell(before_[i]);
      if (head != kNone && before_[i].key != nullptr) throw_duplicate(*before_[i].key);
      next[i - prefix_] = head;
      head = cursor[i - prefix_] = static_cast<int32_t>(i);
    }
    for (size_t i = prefix_; i < after_.size() - suffix_; ++i) {
      const int32_t head = table.cell(after_[i]);
      if (head == kNone) continue;
      int32_t& free = cursor[head - prefix_];
      if (after_[i].key != nullptr) {
        if (free == kNone) throw_duplicate(*after_[i].key);
        if (same_identity(before_[head], after_[i])) plan_.source[i] = head;
        free = kNone;
      } else if (free != kNone) {
        plan_.source[i] = free;
        free = next[free - prefix_];
      }
    }
  }

  // Keys paired with old ones are unique since the old ones are. A created child may still repeat
  // the key of another created one, or of one in the prefix or suffix.
  void check_new_keys() {
    std::vector<size_t> created;
    for (size_t i = prefix_; i < after_.size() - suffix_; ++i) {
      if (plan_.source[i] == kNone && after_[i].key != nullptr) created.push_back(i);
    }
    if (created.empty()) return;
    PositionTable table(after_, created.size());
    for (size_t i : created) {
      int32_t& cell = table.cell(after_[i]);
      if (cell != kNone) throw_duplicate(*after_[i].key);
      cell = static_cast<int32_t>(i);
    }
    for (size_t i = 0; i < after_.size(); ++i) {
      const bool outside = i < prefix_ || i >= after_.size() - suffix_;
      if (outside && after_[i].key != nullptr && table.cell(after_[i]) != kNone) {
        throw_duplicate(*after_[i].key);
      }
    }
  }

  // Marks a longest increasing subsequence of the old positions (patience sorting).
  void keep_longest_run() {
    const size_t end = after_.size() - suffix_;
    std::vector<int32_t> tails;  // new index that ends the best run of length i + 1
    std::vector<int32_t> previous(end - prefix_, kNone);
    for (size_t i = prefix_; i < end; ++i) {
      const int32_t old_index = plan_.source[i];
      if (old_index == kNone) continue;
      auto at = tails.end();
      // Lists mostly keep their order, so try to extend the longest run before searching.
      if (!tails.empty() && plan_.source[tails.back()] > old_index) {
        at = std::ranges::lower_bound(tails, old_index, {},
                                      [&](int32_t tail) { return plan_.source[tail]; });
      }
      if (at != tails.begin()) previous[i - prefix_] = *std::prev(at);
      if (at == tails.end()) {
        tails.push_back(static_cast<int32_t>(i));
      } else {
        *at = static_cast<int32_t>(i);
      }
    }
    int32_t i = tails.empty() ? kNone : tails.back();
    for (; i != kNone; i = previous[i - prefix_]) plan_.stay[i] = 1;
  }

  void list_removed() {
    std::vector<uint8_t> used(before_.size(), 0);
    for (int32_t old_index : plan_.source) {
      if (old_index != kNone) used[old_index] = 1;
    }
    for (size_t i = 0; i < used.size(); ++i) {
      if (used[i] == 0) plan_.removed.push_back(static_cast<uint32_t>(i));
    }
  }

  std::span<const ChildIdentity> before_;
  std::span<const ChildIdentity> after_;
  ChildPlan plan_;
  size_t prefix_ = 0;
  size_t suffix_ = 0;
};

}  // namespace

ChildIdentity identity_of(const VNode& node) noexcept {
  return {.key = node.key ? &*node.key : nullptr,
          .tag = node.tag,
          .type = static_cast<uint64_t>(node.kind)};
}

bool ChildPlan::is_identity() const noexcept {
  return removed.empty() && std::ranges::find(stay, uint8_t{0}) == stay.end();
}

ChildPlan plan_children(std::span<const ChildIdentity> before,
                        std::span<const ChildIdentity> after) {
  return Planner(before, after).run();
}

void check_unique_keys(std::span<const ChildIdentity> children) {
  // With nothing before, the planner sees every keyed child as a new one.
  static_cast<void>(plan_children({}, children));
}

}  // namespace lattice::vdom
