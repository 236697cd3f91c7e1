// SPDX-License-Identifier: MIT
// Observers and events. Nothing is computed for whom nobody listens: an event finds its delta and
// its keys from the items when it is asked, by comparing clocks with those before the transaction.
// Source: Yjs 13.6 YEvent.js, YText.js (YTextEvent), AbstractType.js (callTypeObservers).
#include <algorithm>

#include "lattice/collab/crdt/internal/document.hpp"
#include "lattice/collab/crdt/utf.hpp"

namespace lattice::crdt::internal {

bool same_attribute(const Any& a, const Any& b);

ObserverId Document::observe(DocObserver observer) {
  observer.id = next_observer++;
  if (observer.event) {
    ++event_counts_[static_cast<size_t>(observer.kind)];
    ++item_observers;
  }
  if (observer.update) ++update_listeners_[static_cast<size_t>(observer.version)];
  observers.push_back(std::make_shared<DocObserver>(std::move(observer)));
  return observers.back()->id;
}

void Document::unobserve(ObserverId id) {
  for (size_t i = 0; i < observers.size(); ++i) {
    const std::shared_ptr<DocObserver> observer = observers[i];
    if (observer->id != id) continue;
    if (observer->event) {
      --event_counts_[static_cast<size_t>(observer->kind)];
      --item_observers;
    }
    if (observer->update) --update_listeners_[static_cast<size_t>(observer->version)];
    observers.erase(observers.begin() + static_cast<ptrdiff_t>(i));
    return;
  }
}

ObserverId Document::observe_type(uint32_t type, Observer observer) {
  observer.id = next_observer++;
  auto& list = types[type].observers;
  if (!list) list = std::make_unique<std::vector<Observer>>();
  list->push_back(std::move(observer));
  ++item_observers;
  ++type_observers_;
  return list->back().id;
}

void Document::unobserve_type(uint32_t type, ObserverId id) {
  auto& list = types[type].observers;
  if (!list) return;
  const size_t erased = std::erase_if(*list, [&](const Observer& o) { return o.id == id; });
  item_observers -= static_cast<uint32_t>(erased);
  type_observers_ -= static_cast<uint32_t>(erased);
  if (list->empty()) list.reset();
}

void Document::emit_to_observers(DocEvent kind, Transaction& transaction,
                                 std::exception_ptr& error) {
  for (const auto& observer : std::vector<std::shared_ptr<DocObserver>>(observers)) {
    if (!observer->event || observer->kind != kind) continue;
    try {
      observer->event(transaction);
    } catch (...) {
      if (!error) error = std::current_exception();
    }
  }
}

void Document::emit_subdocs(TransactionState& t, std::exception_ptr& error) {
  if (t.subdocs_added.empty() && t.subdocs_removed.empty() && t.subdocs_loaded.empty()) return;
  SubdocsEvent event;
  for (const auto& subdoc : t.subdocs_added) {
    subdoc->client_id = client_id;
    if (!subdoc->has_collection_id) {
      subdoc->collection_id = collection_id;
      subdoc->has_collection_id = has_collection_id;
    }
    if (std::find(subdocs.begin(), subdocs.end(), subdoc) == subdocs.end()) {
      subdocs.push_back(subdoc);
    }
    event.added.emplace_back(subdoc);
  }
  for (const auto& subdoc : t.subdocs_removed) {
    std::erase(subdocs, subdoc);
    event.removed.emplace_back(subdoc);
  }
  for (const auto& subdoc : t.subdocs_loaded) event.loaded.emplace_back(subdoc);
  for (const auto& observer : std::vector<std::shared_ptr<DocObserver>>(observers)) {
    if (!observer->subdocs) continue;
    try {
      observer->subdocs(event, t.face);
    } catch (...) {
      if (!error) error = std::current_exception();
    }
  }
  const auto removed = t.subdocs_removed;
  for (const auto& subdoc : removed) Doc(subdoc).destroy();
}

std::unique_ptr<Event> Document::make_event(Type target, Transaction& transaction,
                                            std::vector<std::string> keys, bool list) {
  auto event = std::make_unique<Event>();
  event->current_target_ = target;
  event->target_ = std::move(target);
  event->transaction_ = &transaction;
  event->keys_changed_ = std::move(keys);
  event->child_list_changed_ = list;
  return event;
}

void Document::call_observers(TransactionState& t, std::exception_ptr& error) {
  if (type_observers_ == 0) {
    if (t.local) return;
    for (const auto& changed : t.changed) {
      const TypeData& type = types[changed.type];
      if (type.has_formatting && !type_deleted(type) &&
          (type.kind == TypeKind::Text || type.kind == TypeKind::XmlText)) {
        t.needs_formatting_cleanup = true;
      }
    }
    return;
  }
  std::unordered_map<uint32_t, uint32_t> parent_entries;
  for (uint32_t i = 0; i < t.changed.size(); ++i) {
    const uint32_t index = t.changed[i].type;
    if (type_deleted(types[index])) continue;
    if (type_observers_ != 0) {
      std::vector<std::string> keys;
      for (const auto& [entry, key] : t.changed_keys) {
        if (entry == i) keys.push_back(strings[key]);
      }
      t.events.push_back(make_event(handle(index), t.face, std::move(keys), t.changed[i].list));
      const uint32_t event = static_cast<uint32_t>(t.events.size() - 1);
      for (uint32_t type = index; type != 0; type = types[type].parent) {
        auto [at, added] =
            parent_entries.emplace(type, static_cast<uint32_t>(t.changed_parents.size()));
        if (added) t.changed_parents.emplace_back(type, std::vector<uint32_t>{});
        t.changed_parents[at->second].second.push_back(event);
      }
      if (types[index].observers) {
        for (const Observer& observer : std::vector<Observer>(*types[index].observers)) {
          if (!observer.shallow) continue;
          try {
            observer.shallow(*t.events[event]);
          } catch (...) {
            if (!error) error = std::current_exception();
          }
        }
      }
    }
    const TypeData& type = types[index];
    if (!t.local && type.has_formatting &&
        (type.kind == TypeKind::Text || type.kind == TypeKind::XmlText)) {
      t.needs_formatting_cleanup = true;
    }
  }
  for (const auto& [index, list] : t.changed_parents) {
    const TypeData& type = types[index];
    if (!type.observers || type_deleted(type)) continue;
    if (std::none_of(type.observers->begin(), type.observers->end(),
                     [](const Observer& o) { return static_cast<bool>(o.deep); })) {
      continue;
    }
    std::vector<std::pair<size_t, Event>> sorted;
    for (uint32_t e : list) {
      Event event = *t.events[e];
      if (type_deleted(types[event.target_.index()])) continue;
      event.current_target_ = handle(index);
      sorted.emplace_back(path_between(index, event.target_.index()).size(), std::move(event));
    }
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<Event> events;
    events.reserve(sorted.size());
    for (auto& entry : sorted) events.push_back(std::move(entry.second));
    for (const Observer& observer : std::vector<Observer>(*type.observers)) {
      if (!observer.deep) continue;
      try {
        observer.deep(events);
      } catch (...) {
        if (!error) error = std::current_exception();
      }
    }
  }
}

std::vector<PathStep> Document::path_between(uint32_t from, uint32_t to) const {
  std::vector<PathStep> path;
  while (to != from && types[to].item != kNil) {
    const Item& item = items[types[to].item];
    if (item.has_sub()) {
      path.emplace_back(strings[item.sub]);
    } else {
      path.emplace_back(sequences.index_of(types[to].item));
    }
    to = item.parent;
  }
  std::reverse(path.begin(), path.end());
  return path;
}

std::vector<std::pair<std::string, KeyChange>> Document::key_changes(const Event& event) {
  std::vector<std::pair<std::string, KeyChange>> changes;
  TransactionState& t = transaction_of(event.transaction_->serial);
  const TypeData& type = types[event.target_.index()];
  auto adds = [&](const Item& item) { return item.clock >= before_clock(t, item.client); };
  auto deletes = [&](const Item& item) { return deleted_in(t, item.id()); };
  auto last = [&](const Item& item) { return value_at(item, item.length - 1); };
  for (const std::string& key : event.keys_changed_) {
    const Ref ref = type.keys.get(strings.find(key));
    if (ref == kNil) continue;
    const Item& item = items[ref];
    KeyChange change;
    if (adds(item)) {
      Ref previous = item.left;
      while (previous != kNil && adds(items[previous])) previous = items[previous].left;
      const bool replaced = previous != kNil && deletes(items[previous]);
      if (deletes(item)) {
        if (!replaced) continue;
        change.action = KeyChange::Action::Delete;
      } else {
        change.action = replaced ? KeyChange::Action::Update : KeyChange::Action::Add;
      }
      if (replaced) change.old_value = last(items[previous]);
    } else if (deletes(item)) {
      change.action = KeyChange::Action::Delete;
      change.old_value = last(item);
    } else {
      continue;
    }
    changes.emplace_back(key, std::move(change));
  }
  return changes;
}

std::vector<DeltaOp> Document::list_delta(const Event& event) {
  std::vector<DeltaOp> delta;
  if (!event.child_list_changed_) return delta;
  TransactionState& t = transaction_of(event.transaction_->serial);
  auto op = [&](DeltaOp::Action action) -> DeltaOp& {
    if (delta.empty() || delta.back().action != action) delta.emplace_back().action = action;
    return delta.back();
  };
  for (Ref ref = types[event.target_.index()].start; ref != kNil; ref = items[ref].right) {
    const Item& item = items[ref];
    const bool adds = item.clock >= before_clock(t, item.client);
    if (item.deleted()) {
      if (!adds && deleted_in(t, item.id())) op(DeltaOp::Action::Delete).count += item.length;
    } else if (adds) {
      DeltaOp& insert = op(DeltaOp::Action::Insert);
      if (item.countable()) {
        for (uint32_t i = 0; i < item.length; ++i) insert.values.push_back(value_at(item, i));
      }
    } else {
      op(DeltaOp::Action::Retain).count += item.length;
    }
  }
  if (!delta.empty() && delta.back().action == DeltaOp::Action::Retain) delta.pop_back();
  return delta;
}

namespace {

const Any* find_value(const AttributeMap& map, uint32_t key) {
  for (const auto& entry : map) {
    if (entry.first == key) return &entry.second;
  }
  return nullptr;
}
Any value_or_null(const AttributeMap& map, uint32_t key) {
  const Any* value = find_value(map, key);
  return value == nullptr || value->is_undefined() ? Any::null() : *value;
}
void set_value(AttributeMap& map, uint32_t key, const Any& value) {
  for (auto& entry : map) {
    if (entry.first == key) {
      entry.second = value;
      return;
    }
  }
  map.emplace_back(key, value);
}
void erase_value(AttributeMap& map, uint32_t key) {
  std::erase_if(map, [&](const auto& entry) { return entry.first == key; });
}

}  // namespace

std::vector<DeltaOp> Document::text_delta(const Event& event) {
  const uint32_t serial = event.transaction_->serial;
  TransactionState& t = transaction_of(serial);
  const bool outermost = begin(Origin{}, true);
  std::vector<DeltaOp> delta;
  AttributeMap current_attributes;
  AttributeMap old_attributes;
  AttributeMap changes;  // of the retain in the making
  enum class Action { None, Insert, Retain, Delete };
  Action action = Action::None;
  std::string insert;
  std::optional<Value> embed;
  uint32_t retain = 0;
  uint32_t deleted = 0;
  auto flush = [&] {
    DeltaOp op;
    bool any = false;
    if (action == Action::Delete) {
      op.action = DeltaOp::Action::Delete;
      op.count = deleted;
      any = deleted > 0;
      deleted = 0;
    } else if (action == Action::Insert) {
      op.action = DeltaOp::Action::Insert;
      any = embed || !insert.empty();
      if (embed) {
        op.values.push_back(std::move(*embed));
      } else {
        op.text = std::move(insert);
      }
      for (const auto& [key, value] : current_attributes) {
        if (!value.is_null()) op.attributes.emplace_back(strings[key], value);
      }
      insert.clear();
      embed.reset();
    } else if (action == Action::Retain) {
      op.action = DeltaOp::Action::Retain;
      op.count = retain;
      any = retain > 0;
      if (any) op.attributes = from_map(changes);
      retain = 0;
    }
    if (any) delta.push_back(std::move(op));
    action = Action::None;
  };
  auto become = [&](Action next) {
    if (action != next) {
      flush();
      action = next;
    }
  };
  auto adds = [&](const Item& item) { return item.clock >= before_clock(t, item.client); };
  auto deletes = [&](const Item& item) { return deleted_in(t, item.id()); };
  for (Ref ref = types[event.target_.index()].start; ref != kNil; ref = items[ref].right) {
    const Item& item = items[ref];
    switch (item.kind) {
      case Content::Type:
      case Content::Embed:
        if (adds(item)) {
          if (!deletes(item)) {
            flush();
            action = Action::Insert;
            embed = value_at(item, 0);
            flush();
          }
        } else if (deletes(item)) {
          become(Action::Delete);
          deleted += 1;
        } else if (!item.deleted()) {
          become(Action::Retain);
          retain += 1;
        }
        break;
      case Content::String:
        if (adds(item)) {
          if (!deletes(item)) {
            become(Action::Insert);
            crdt::append_text(insert, text_of(item));
          }
        } else if (deletes(item)) {
          become(Action::Delete);
          deleted += item.length;
        } else if (!item.deleted()) {
          become(Action::Retain);
          retain += item.length;
        }
        break;
      case Content::Deleted:
        break;
      case Content::Format: {
        const uint32_t key = formats[item.content].key;
        const Any value = formats[item.content].value;
        if (adds(item)) {
          if (!deletes(item)) {
            const Any now = value_or_null(current_attributes, key);
            if (!same_attribute(now, value)) {
              if (action == Action::Retain) flush();
              if (same_attribute(value, value_or_null(old_attributes, key))) {
                erase_value(changes, key);
              } else {
                set_value(changes, key, value);
              }
            } else if (!value.is_null()) {
              delete_item(ref);
            }
          }
        } else if (deletes(item)) {
          set_value(old_attributes, key, value);
          const Any now = value_or_null(current_attributes, key);
          if (!same_attribute(now, value)) {
            if (action == Action::Retain) flush();
            set_value(changes, key, now);
          }
        } else if (!item.deleted()) {
          set_value(old_attributes, key, value);
          if (const Any* found = find_value(changes, key)) {
            const Any change = *found;
            if (!same_attribute(change, value)) {
              if (action == Action::Retain) flush();
              if (value.is_null()) {
                erase_value(changes, key);
              } else {
                set_value(changes, key, value);
              }
            } else if (!change.is_null()) {
              delete_item(ref);
            }
          }
        }
        if (!item.deleted()) {
          if (action == Action::Insert) flush();
          update_attributes(current_attributes, item);
        }
        break;
      }
      default:
        break;
    }
  }
  flush();
  while (!delta.empty() && delta.back().action == DeltaOp::Action::Retain &&
         delta.back().attributes.empty()) {
    delta.pop_back();
  }
  if (outermost) commit();
  return delta;
}

}  // namespace lattice::crdt::internal

namespace lattice::crdt {

using internal::Content;
using internal::Document;
using internal::Item;

std::vector<PathStep> Event::path() const {
  return transaction_->document.path_between(current_target_.index(), target_.index());
}

const std::vector<DeltaOp>& Event::delta() const {
  if (!delta_) {
    Document& document = transaction_->document;
    const TypeKind kind = target_.kind();
    delta_ = kind == TypeKind::Text || kind == TypeKind::XmlText ? document.text_delta(*this)
                                                                 : document.list_delta(*this);
  }
  return *delta_;
}

const std::vector<std::pair<std::string, KeyChange>>& Event::keys() const {
  if (!keys_) keys_ = transaction_->document.key_changes(*this);
  return *keys_;
}

bool Event::adds(const ItemView& view) const {
  Document& document = transaction_->document;
  const Item& item = document.items[view.ref()];
  return item.clock >=
         document.before_clock(document.transaction_of(transaction_->serial), item.client);
}

bool Event::deletes(const ItemView& view) const {
  Document& document = transaction_->document;
  return document.deleted_in(document.transaction_of(transaction_->serial),
                             document.items[view.ref()].id());
}

std::vector<ItemView> Event::added() const {
  std::vector<ItemView> out;
  if (!child_list_changed_) return out;
  for (const ItemView& item : target_.items()) {
    if (!item.deleted() && adds(item)) out.push_back(item);
  }
  return out;
}

std::vector<ItemView> Event::deleted() const {
  std::vector<ItemView> out;
  if (!child_list_changed_) return out;
  for (const ItemView& item : target_.items()) {
    if (item.deleted() && deletes(item) && !adds(item)) out.push_back(item);
  }
  return out;
}

// --- Transaction
// ----------------------------------------------------------------------------------

Doc Transaction::doc() const { return Doc(document.shared_from_this()); }
const Origin& Transaction::origin() const { return document.transaction_of(serial).origin; }
bool Transaction::local() const { return document.transaction_of(serial).local; }

DeleteSet Transaction::delete_set() const {
  DeleteSet set;
  for (const auto& range : document.transaction_of(serial).deletes) {
    set.append({document.clients[range.client].id, range.clock, range.length});
  }
  if (!set.is_normalized()) set.normalize();
  return set;
}

uint64_t Transaction::before_clock(ClientId client) const {
  const uint32_t index = document.find_client(client);
  if (index == internal::kNoClient) return 0;
  return document.before_clock(document.transaction_of(serial), index);
}

StateVector Transaction::before_state() const {
  const auto& state = document.transaction_of(serial);
  std::vector<StateVector::Entry> entries;
  for (uint32_t index : document.store_order) {
    const uint32_t clock = document.before_clock(state, index);
    if (clock != 0) entries.push_back({document.clients[index].id, clock});
  }
  return StateVector::from_entries(std::move(entries));
}

StateVector Transaction::after_state() const {
  const auto& state = document.transaction_of(serial);
  StateVector after = document.state_vector();
  for (const auto& touched : state.touched) {
    if (state.sorted) after.set(document.clients[touched.client].id, touched.after);
  }
  return after;
}

std::vector<std::pair<Type, std::vector<std::optional<std::string>>>> Transaction::changed() const {
  const auto& state = document.transaction_of(serial);
  std::vector<std::pair<Type, std::vector<std::optional<std::string>>>> out;
  for (uint32_t i = 0; i < state.changed.size(); ++i) {
    if (document.type_deleted(document.types[state.changed[i].type])) continue;
    std::vector<std::optional<std::string>> keys;
    if (state.changed[i].list) keys.emplace_back(std::nullopt);
    for (const auto& [entry, key] : state.changed_keys) {
      if (entry == i) keys.emplace_back(document.strings[key]);
    }
    out.emplace_back(document.handle(state.changed[i].type), std::move(keys));
  }
  return out;
}

bool Transaction::changed(const Type& type) const {
  if (type.document().get() != &document) return false;
  for (const auto& entry : document.transaction_of(serial).changed) {
    if (document.type_deleted(document.types[entry.type])) continue;
    for (uint32_t at = entry.type; at != 0; at = document.types[at].parent) {
      if (at == type.index()) return true;
    }
  }
  return false;
}

Bytes Transaction::update(UpdateVersion version) const {
  return document.transaction_update(document.transaction_of(serial), version);
}

}  // namespace lattice::crdt
