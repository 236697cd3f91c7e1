// SPDX-License-Identifier: MIT
// List: a reactive list, and lists made of others that follow its changes: map_keyed, filter,
// sorted.
//
//   List --deltas--> map_keyed --deltas--> filter --deltas--> sorted ...
//
// Every operation adds a delta to a bounded log. A derived list is a memo that, when read, takes
// the deltas since its last run, calls the user's function for what they brought and emits deltas
// of its own: the number of calls is that of changed items, positions are found in O(log n), and
// only pointers move in memory. When the log was cut it rebuilds; map_keyed still maps nothing
// twice.
//
// Readers subscribe to a list as a whole. The functions given to map_keyed, filter and sorted are
// called untracked: they are functions of the item alone. What follows signals inside an item is
// made by map_keyed's function (memos and effects, owned by the item's own Owner and disposed with
// it).
//
// Handles are copies of one list; use after its owner was disposed throws DisposedError.
#pragma once

#include <algorithm>
#include <concepts>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "lattice/reactive/equality.hpp"
#include "lattice/reactive/list_delta.hpp"
#include "lattice/reactive/memo.hpp"
#include "lattice/reactive/scope.hpp"
#include "lattice/reactive/signal.hpp"

namespace lattice {

template <class T>
class List {
 public:
  using value_type = T;
  using Content = reactive::ListContent<T>;

  List() : List(std::vector<T>{}) {}
  explicit(false) List(std::vector<T> initial) : state_(std::make_shared<State>()) {
    if (!initial.empty()) state_->content.assign(std::move(initial));
  }

  // --- reads; the running effect or memo subscribes
  size_t size() const { return content().items().size(); }
  bool empty() const { return content().items().empty(); }
  T at(size_t index) const {
    const std::vector<T>& items = content().items();
    require(index < items.size(), "at", index, items.size());
    return items[index];
  }
  std::vector<T> get() const { return content().items(); }
  // Reads in place; the reference is valid until the next write.
  template <class F>
  decltype(auto) with(F&& body) const {
    return std::forward<F>(body)(content().items());
  }
  std::vector<T> peek() const {
    state_->version.peek();
    return state_->content.items();
  }
  // With the log; for those that follow it.
  const Content& content() const {
    state_->version.get();
    return state_->content;
  }

  // --- writes; each is one change. Throw std::out_of_range for an index that is not there.
  void push_back(T item) const { insert(size_now(), std::move(item)); }
  void insert(size_t index, T item) const {
    std::vector<T> items;
    items.push_back(std::move(item));
    insert(index, std::move(items));
  }
  void insert(size_t index, std::vector<T> items) const {
    require(index <= size_now(), "insert", index, size_now());
    if (items.empty()) return;
    change([&](Content& content) { content.insert(index, std::move(items)); });
  }
  void erase(size_t index, size_t count = 1) const {
    require(index + count <= size_now() && index <= index + count, "erase", index, size_now());
    if (count == 0) return;
    change([&](Content& content) { content.erase(index, count); });
  }
  // An equal item is no change.
  void set(size_t index, T item) const {
    require(index < size_now(), "set", index, size_now());
    if (is_now(index, item)) return;
    require(index < size_now(), "set", index, size_now());  // comparing may have shortened the list
    change([&](Content& content) { content.set(index, std::move(item)); });
  }
  template <class F>
  void update(size_t index, F&& body) const {
    require(index < size_now(), "update", index, size_now());
    set(index, untracked([&] { return body(state_->content.items()[index]); }));
  }
  // The item at `from` is at `to` afterwards.
  void move(size_t from, size_t to) const {
    require(from < size_now(), "move", from, size_now());
    require(to < size_now(), "move", to, size_now());
    if (from == to) return;
    change([&](Content& content) { content.move(from, to); });
  }
  void assign(std::vector<T> items) const {
    change([&](Content& content) { content.assign(std::move(items)); });
  }
  void clear() const {
    if (size_now() != 0) erase(0, size_now());
  }

  bool alive() const noexcept { return state_->version.alive(); }
  void dispose() const noexcept { state_->version.dispose(); }

 private:
  struct State {
    Content content;
    Signal<uint64_t> version{0};
  };

  size_t size_now() const {
    state_->version.peek();
    return state_->content.items().size();
  }
  // A user's operator== may write to the list: it gets a copy, which stays while it looks at it.
  bool is_now(size_t index, const T& item) const {
    if constexpr (reactive::kComparesPlainly<T, DefaultEqual> || std::same_as<T, std::string>) {
      return DefaultEqual{}(state_->content.items()[index], item);
    } else if constexpr (std::equality_comparable<T>) {
      const T before = state_->content.items()[index];
      return untracked([&] { return DefaultEqual{}(before, item); });
    } else {
      return false;
    }
  }
  static void require(bool holds, const char* what, size_t index, size_t size) {
    if (holds) [[likely]]
      return;
    throw std::out_of_range("List::" + std::string(what) + ": index " + std::to_string(index) +
                            " of a list of " + std::to_string(size));
  }
  // The signal first: it refuses the wrong thread before anything has changed.
  template <class F>
  void change(F&& body) const {
    batch([&] {
      state_->version.update([](uint64_t version) { return version + 1; });
      body(state_->content);
    });
  }

  std::shared_ptr<State> state_;
};

// A read-only list that follows another; up to date whenever it is read. Made by map_keyed, filter
// and sorted.
template <class T>
class DerivedList {
 public:
  using value_type = T;
  using Content = reactive::ListContent<T>;

  class Follower {
   public:
    virtual ~Follower() = default;
    virtual const Content& follow() = 0;  // tracked
    virtual const Content& content() const noexcept = 0;
  };

  explicit DerivedList(std::shared_ptr<Follower> follower)
      : follower_(std::move(follower)),
        version_(memo([follower = follower_] { return follower->follow().version(); })) {}

  size_t size() const { return content().items().size(); }
  bool empty() const { return content().items().empty(); }
  T at(size_t index) const { return content().items().at(index); }
  std::vector<T> get() const { return content().items(); }
  template <class F>
  decltype(auto) with(F&& body) const {
    return std::forward<F>(body)(content().items());
  }
  std::vector<T> peek() const {
    version_.peek();
    return follower_->content().items();
  }
  const Content& content() const {
    version_.get();
    return follower_->content();
  }
  // How often it looked at its source.
  uint32_t runs() const { return version_.runs(); }
  bool alive() const noexcept { return version_.alive(); }

 private:
  std::shared_ptr<Follower> follower_;
  Memo<uint64_t> version_;
};

namespace reactive {

// Takes a source's deltas one after the other. `Derived` has
//   begin(); splice(index, erased, added); move(from, to); end(); and reset() for a new start.
template <class Source, class Out, class Derived>
class FollowerOf : public DerivedList<Out>::Follower {
 public:
  using T = typename Source::value_type;
  using Content = typename DerivedList<Out>::Content;

  explicit FollowerOf(Source source) : source_(std::move(source)) {}

  const Content& content() const noexcept override { return content_; }

  const Content& follow() override {
    const ListContent<T>& source = source_.content();
    auto& self = static_cast<Derived&>(*this);
    UntrackedGuard untracked(Graph::current());
    auto deltas = is_broken_ ? std::nullopt : source.since(seen_);
    const uint64_t version = source.version();
    // Until all went well: a function of the user's may throw, or write to the source.
    is_broken_ = true;
    if (deltas) {
      self.begin();
      for (ListDelta<T>& delta : *deltas) take(self, delta);
      self.end();
    } else {
      self.rebuild(std::vector<T>(source.items()));
    }
    is_broken_ = false;
    seen_ = version;
    return content_;
  }

 protected:
  Content content_;

 private:
  static void take(Derived& self, ListDelta<T>& delta) {
    switch (delta.op) {
      case ListOp::Insert:
        return self.splice(delta.index, 0, delta.items);
      case ListOp::Erase:
      case ListOp::Set:
      case ListOp::Assign:
        return self.splice(delta.index, delta.count, delta.items);
      case ListOp::Move:
        return self.move(delta.index, delta.to);
    }
  }

  Source source_;
  uint64_t seen_ = 0;
  bool is_broken_ = true;  // also before the first time
};

template <class T>
void emit_splice(ListContent<T>& content, size_t index, size_t erased, std::vector<T> added) {
  if (erased == 1 && added.size() == 1) return content.set(index, std::move(added.front()));
  if (erased != 0) content.erase(index, erased);
  if (!added.empty()) content.insert(index, std::move(added));
}

// --- map_keyed

template <class Source, class KeyOf, class F>
using MappedOf = std::decay_t<std::invoke_result_t<F&, const typename Source::value_type&>>;

template <class Source, class KeyOf, class F>
class MapFollower final
    : public FollowerOf<Source, MappedOf<Source, KeyOf, F>, MapFollower<Source, KeyOf, F>> {
  using Base = FollowerOf<Source, MappedOf<Source, KeyOf, F>, MapFollower>;
  using T = typename Source::value_type;
  using Out = MappedOf<Source, KeyOf, F>;
  using Key = std::decay_t<std::invoke_result_t<KeyOf&, const T&>>;

  struct Entry {
    T item;
    Key key;
    Owner owner;
    Out result;
  };

 public:
  MapFollower(Source source, KeyOf key_of, F function)
      : Base(std::move(source)),
        key_of_(std::move(key_of)),
        function_(std::move(function)),
        owner_(Owner::create()) {}

  void begin() {}
  void end() { empty_pool(); }

  void splice(size_t index, size_t erased, const std::vector<T>& items) {
    std::vector<Entry> made = make(index, erased, items);
    std::vector<Out> results;
    for (const Entry& entry : made) results.push_back(entry.result);
    const auto at = entries_.begin() + static_cast<ptrdiff_t>(index);
    entries_.erase(at, at + static_cast<ptrdiff_t>(erased));
    entries_.insert(entries_.begin() + static_cast<ptrdiff_t>(index),
                    std::make_move_iterator(made.begin()), std::make_move_iterator(made.end()));
    emit_splice(this->content_, index, erased, std::move(results));
  }

  void move(size_t from, size_t to) {
    const auto at = [&](size_t index) { return entries_.begin() + static_cast<ptrdiff_t>(index); };
    if (from < to) {
      std::rotate(at(from), at(from + 1), at(to + 1));
    } else {
      std::rotate(at(to), at(from), at(from + 1));
    }
    this->content_.move(from, to);
  }

  // What the ends have in common stays, what lies between is matched by key.
  void rebuild(const std::vector<T>& items) {
    empty_pool();
    size_t start = 0, old_stop = entries_.size(), new_stop = items.size();
    while (start < std::min(old_stop, new_stop) && is_same(entries_[start], items[start])) ++start;
    while (old_stop > start && new_stop > start &&
           is_same(entries_[old_stop - 1], items[new_stop - 1])) {
      --old_stop, --new_stop;
    }
    if (start < old_stop || start < new_stop) {
      splice(start, old_stop - start,
             std::vector<T>(items.begin() + static_cast<ptrdiff_t>(start),
                            items.begin() + static_cast<ptrdiff_t>(new_stop)));
    }
    empty_pool();
  }

 private:
  bool is_same(const Entry& entry, const T& item) {
    return DefaultEqual{}(entry.key, key_of_(item)) && DefaultEqual{}(entry.item, item);
  }

  // The entries that will stand at [index, index + items.size()). Those that are erased go to the
  // pool, from which later splices of this run may take them again.
  std::vector<Entry> make(size_t index, size_t erased, const std::vector<T>& items) {
    std::vector<Entry> made;
    made.reserve(items.size());
    for (size_t i = index; i < index + erased; ++i) pool_.emplace(entries_[i].key, entries_[i]);
    Owner fresh = owner_;
    try {
      for (const T& item : items) {
        Key key = key_of_(item);
        auto [found, last] = pool_.equal_range(key);
        while (found != last && !DefaultEqual{}(found->second.item, item)) ++found;
        if (found != last) {
          made.push_back(std::move(found->second));
          pool_.erase(found);
          continue;
        }
        fresh = owner_.create_child();
        Out result = fresh.run([&]() -> Out { return function_(item); });
        made.push_back(Entry{item, std::move(key), fresh, std::move(result)});
      }
    } catch (...) {
      if (fresh.handle() != owner_.handle()) fresh.dispose();
      give_up(made);
      throw;
    }
    return made;
  }

  void empty_pool() {
    auto pool = std::exchange(pool_, {});
    for (auto& [key, entry] : pool) entry.owner.dispose();
  }

  // Ends what was made or taken out in this run, but for what still stands in the list.
  void give_up(const std::vector<Entry>& made) {
    std::unordered_set<Index> standing;
    for (const Entry& entry : entries_) standing.insert(entry.owner.handle().index);
    auto drop = [&](const Entry& entry) {
      if (!standing.contains(entry.owner.handle().index)) entry.owner.dispose();
    };
    for (const Entry& entry : made) drop(entry);
    for (const auto& [key, entry] : std::exchange(pool_, {})) drop(entry);
  }

  KeyOf key_of_;
  F function_;
  Owner owner_;
  std::vector<Entry> entries_;
  std::unordered_multimap<Key, Entry> pool_;  // taken out in this run
};

// --- filter and sorted

// The source's items in their order, each with a label that grows along it; a label tells which of
// two items comes first without asking where they are.
template <class T>
struct OrderedEntry {
  T item;
  uint64_t order = 0;
  bool is_shown = false;
};

template <class Source, class Derived>
class OrderedFollower : public FollowerOf<Source, typename Source::value_type, Derived> {
  using Base = FollowerOf<Source, typename Source::value_type, Derived>;

 protected:
  using T = typename Source::value_type;
  using Entry = OrderedEntry<T>;

 public:
  using Base::Base;

  void begin() {}
  void end() {}

  void splice(size_t index, size_t erased, std::vector<T>& items) {
    std::vector<std::unique_ptr<Entry>> made;
    for (T& item : items) {
      made.push_back(std::make_unique<Entry>(Entry{std::move(item)}));
      made.back()->is_shown = self().shows(made.back()->item);
    }
    const auto at = entries_.begin() + static_cast<ptrdiff_t>(index);
    for (size_t i = 0; i < erased; ++i) hide(*entries_[index + i]);
    entries_.erase(at, at + static_cast<ptrdiff_t>(erased));
    entries_.insert(entries_.begin() + static_cast<ptrdiff_t>(index),
                    std::make_move_iterator(made.begin()), std::make_move_iterator(made.end()));
    label(index, items.size());
    for (size_t i = index; i < index + items.size(); ++i) show(*entries_[i]);
  }

  void move(size_t from, size_t to) {
    hide(*entries_[from]);
    auto moved = std::move(entries_[from]);
    entries_.erase(entries_.begin() + static_cast<ptrdiff_t>(from));
    entries_.insert(entries_.begin() + static_cast<ptrdiff_t>(to), std::move(moved));
    label(to, 1);
    show(*entries_[to]);
  }

  void rebuild(std::vector<T> items) {
    shown_.clear();
    entries_.clear();
    for (T& item : items) {
      entries_.push_back(std::make_unique<Entry>(Entry{std::move(item)}));
      Entry& entry = *entries_.back();
      entry.order = kMiddle + entries_.size() * kGap;
      entry.is_shown = self().shows(entry.item);
      if (entry.is_shown) shown_.push_back(&entry);
    }
    self().arrange(shown_);
    std::vector<T> result;
    for (const Entry* entry : shown_) result.push_back(entry->item);
    this->content_.assign(std::move(result));
  }

 private:
  static constexpr uint64_t kGap = uint64_t{1} << 24;
  static constexpr uint64_t kMiddle = uint64_t{1} << 63;

  Derived& self() { return static_cast<Derived&>(*this); }

  size_t position(const Entry& entry) {
    const auto found = std::lower_bound(
        shown_.begin(), shown_.end(), &entry,
        [this](const Entry* a, const Entry* b) { return self().comes_before(*a, *b); });
    return static_cast<size_t>(found - shown_.begin());
  }
  void show(Entry& entry) {
    if (!entry.is_shown) return;
    const size_t at = position(entry);
    shown_.insert(shown_.begin() + static_cast<ptrdiff_t>(at), &entry);
    this->content_.insert(at, std::vector<T>{entry.item});
  }
  void hide(Entry& entry) {
    if (!entry.is_shown) return;
    const size_t at = position(entry);
    shown_.erase(shown_.begin() + static_cast<ptrdiff_t>(at));
    this->content_.erase(at, 1);
  }

  // Labels for [index, index + count) between those of their neighbours; for all when there is no
  // room. The order of what is shown stays as it is.
  void label(size_t index, size_t count) {
    const size_t stop = index + count;
    const uint64_t low = index == 0 ? 0 : entries_[index - 1]->order;
    const uint64_t high = stop == entries_.size() ? ~uint64_t{0} : entries_[stop]->order;
    uint64_t step = (high - low) / (count + 1);
    uint64_t next = low;
    if (index == 0 && stop == entries_.size()) {
      next = kMiddle, step = kGap;
    } else if (stop == entries_.size()) {
      step = std::min(step, kGap);
    } else if (index == 0) {
      step = std::min(step, kGap);
      next = high - (count + 1) * step;
    }
    if (step == 0) {
      uint64_t order = kMiddle - entries_.size() / 2 * kGap;
      for (auto& entry : entries_) entry->order = order += kGap;
      return;
    }
    for (size_t i = index; i < stop; ++i) entries_[i]->order = next += step;
  }

  std::vector<std::unique_ptr<Entry>> entries_;
  std::vector<Entry*> shown_;
};

template <class Source, class Predicate>
class FilterFollower final : public OrderedFollower<Source, FilterFollower<Source, Predicate>> {
  using Base = OrderedFollower<Source, FilterFollower>;
  using typename Base::Entry;
  using typename Base::T;

 public:
  FilterFollower(Source source, Predicate predicate)
      : Base(std::move(source)), predicate_(std::move(predicate)) {}
  bool shows(const T& item) { return static_cast<bool>(predicate_(item)); }
  bool comes_before(const Entry& a, const Entry& b) const { return a.order < b.order; }
  void arrange(std::vector<Entry*>&) {}

 private:
  Predicate predicate_;
};

template <class Source, class Less>
class SortFollower final : public OrderedFollower<Source, SortFollower<Source, Less>> {
  using Base = OrderedFollower<Source, SortFollower>;
  using typename Base::Entry;
  using typename Base::T;

 public:
  SortFollower(Source source, Less less) : Base(std::move(source)), less_(std::move(less)) {}
  bool shows(const T&) { return true; }
  bool comes_before(const Entry& a, const Entry& b) {
    if (less_(a.item, b.item)) return true;
    return !less_(b.item, a.item) && a.order < b.order;
  }
  void arrange(std::vector<Entry*>& shown) {
    std::sort(shown.begin(), shown.end(),
              [this](const Entry* a, const Entry* b) { return comes_before(*a, *b); });
  }

 private:
  Less less_;
};

}  // namespace reactive

// function(item) for each item, called once while the item is there: it may move, and an item that
// is taken out and put in again within one run counts as there. What the function creates belongs
// to the item. key_of(item) must be hashable; an item that differs under the same key is mapped
// anew.
template <class Source, class KeyOf, class F>
auto map_keyed(Source source, KeyOf key_of, F function) {
  using Follower = reactive::MapFollower<Source, KeyOf, F>;
  return DerivedList<reactive::MappedOf<Source, KeyOf, F>>(
      std::make_shared<Follower>(std::move(source), std::move(key_of), std::move(function)));
}

// The items for which predicate(item) holds, in the order of the source.
template <class Source, class Predicate>
auto filter(Source source, Predicate predicate) {
  using Follower = reactive::FilterFollower<Source, Predicate>;
  return DerivedList<typename Source::value_type>(
      std::make_shared<Follower>(std::move(source), std::move(predicate)));
}

// The items in ascending order; equal ones in the order of the source. REQUIRES: `less` is a strict
// weak order.
template <class Source, class Less = std::less<>>
auto sorted(Source source, Less less = {}) {
  using Follower = reactive::SortFollower<Source, Less>;
  return DerivedList<typename Source::value_type>(
      std::make_shared<Follower>(std::move(source), std::move(less)));
}

}  // namespace lattice
