// SPDX-License-Identifier: MIT
// Source: Yjs 13.6 UndoManager.js, Item.js (redoItem).
#include "lattice/collab/crdt/undo_manager.hpp"

#include <algorithm>
#include <chrono>
#include <unordered_set>

#include "lattice/collab/crdt/internal/document.hpp"

namespace lattice::crdt {

using internal::Content;
using internal::Document;
using internal::Item;
using internal::ItemId;
using internal::kNil;
using internal::Ref;
using internal::TransactionState;
using internal::TypeData;

struct UndoManager::State : std::enable_shared_from_this<UndoManager::State> {
  State(const Doc& doc, UndoOptions given) : document(doc.document()), options(std::move(given)) {}

  std::shared_ptr<Document> document;
  UndoOptions options;
  bool whole_document = false;
  std::vector<Type> scope;
  std::vector<StackItem> undo_stack, redo_stack;
  std::optional<StackItem> current;
  bool undoing = false, redoing = false;
  std::optional<int64_t> last_change;
  std::vector<Type> changed_types;  // of the last transaction that was captured
  std::vector<std::pair<ObserverId, std::function<void(UndoEvent&)>>> observers;
  ObserverId next_observer = 1;
  ObserverId after_transaction = 0;

  Origin origin() { return Origin(std::shared_ptr<const void>(shared_from_this())); }

  int64_t now() const {
    if (options.now_ms) return options.now_ms();
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }
  void emit(UndoEvent& event) {
    const auto all = observers;
    for (const auto& observer : all) observer.second(event);
  }
  bool tracks(const Origin& from) const {
    if (const auto* pointer = std::get_if<std::shared_ptr<const void>>(&from)) {
      if (pointer->get() == this) return true;
    }
    const auto& tracked = options.tracked_origins;
    if (std::find(tracked.begin(), tracked.end(), from) != tracked.end()) return true;
    return from.index() != 0 && options.tracks_origin && options.tracks_origin(from);
  }
  bool in_scope(const Item& item) const {
    if (whole_document) return true;
    for (uint32_t type = item.parent; type != 0; type = document->types[type].parent) {
      for (const Type& wanted : scope) {
        if (wanted.index() == type) return true;
      }
    }
    return false;
  }
  void keep(Ref ref, bool keeps) {
    while (ref != kNil && document->items[ref].keep() != keeps) {
      document->items[ref].flags ^= Item::kKeep;
      const uint32_t parent = document->items[ref].parent;
      ref = parent == 0 ? kNil : document->types[parent].item;
    }
  }
  // The structs of a set, cut at the ends of its ranges. Cuts belong to `transaction`.
  std::vector<Ref> structs_of(const DeleteSet& set, const std::vector<ClientId>& order,
                              TransactionState& transaction) {
    Document& d = *document;
    TransactionState* const open = std::exchange(d.current, &transaction);
    std::vector<Ref> refs;
    auto add = [&](const IdRange& range) {
      const uint32_t index = d.find_client(range.client);
      if (index == internal::kNoClient) return;
      internal::ClientRuns& client = d.clients[index];
      if (range.clock >= client.state) return;
      const uint32_t end = std::min(range.end(), client.state);
      d.clean_start({index, range.clock});
      if (end < client.state) d.clean_start({index, end});
      auto p = client.runs.find(range.clock);
      for (;;) {
        const Ref ref = client.runs.at(p).item;
        if (d.items[ref].clock >= end) break;
        refs.push_back(ref);
        if (client.runs.is_last(p)) break;
        p = client.runs.next(p);
      }
    };
    for (const ClientId client : order) {
      for (const IdRange& range : set.of_client(client)) add(range);
    }
    d.current = open;
    return refs;
  }

  void captured(Transaction& transaction);
  bool pop(bool undo);
  void clear(bool undo, bool redo);
  void release(const StackItem& item);
  Ref redo_item(Ref ref, const std::unordered_set<Ref>& redo_items, const DeleteSet& insertions);
  bool is_deleted_by(const std::vector<StackItem>& stack, Id id) const {
    return std::any_of(stack.begin(), stack.end(),
                       [&](const StackItem& item) { return item.deletions.contains(id); });
  }
};

namespace {

// Those of `more` that `order` lacks go behind it.
void merge_order(std::vector<ClientId>& order, const std::vector<ClientId>& more) {
  const std::unordered_set<ClientId> known(order.begin(), order.end());
  for (const ClientId client : more) {
    if (!known.contains(client)) order.push_back(client);
  }
}

}  // namespace

void UndoManager::State::captured(Transaction& transaction) {
  Document& d = *document;
  TransactionState& t = d.transaction_of(transaction.serial);
  if (options.capture_transaction && !options.capture_transaction(transaction)) return;
  if (!whole_document && std::none_of(scope.begin(), scope.end(), [&](const Type& type) {
        return transaction.changed(type);
      })) {
    return;
  }
  if (!tracks(t.origin)) return;
  std::vector<StackItem>& stack = undoing ? redo_stack : undo_stack;
  if (undoing) {
    last_change.reset();  // the next undo begins a stack item of its own
  } else if (!redoing) {
    clear(false, true);
  }
  StackItem item;
  for (const auto& touched : t.touched) {
    if (touched.after > touched.before) {
      const ClientId client = d.clients[touched.client].id;
      item.insertions.append({client, touched.before, touched.after - touched.before});
      item.inserted_by.push_back(client);
    }
  }
  item.insertions.normalize();
  if (item.inserted_by.size() > 1) {
    // In the store's order.
    item.inserted_by.clear();
    for (const uint32_t client : d.store_order) {
      const ClientId id = d.clients[client].id;
      if (!item.insertions.of_client(id).empty()) item.inserted_by.push_back(id);
    }
  }
  item.deletions = transaction.delete_set();
  for (const auto& of : t.delete_clients) item.deleted_by.push_back(d.clients[of.client].id);
  if (item.deleted_by.empty() && !item.deletions.is_empty()) {
    item.deleted_by.push_back(item.deletions.ranges()[0].client);
  }
  const DeleteSet deletions = item.deletions;
  const std::vector<ClientId> deleted_by = item.deleted_by;
  const int64_t at = now();
  bool added = false;
  if (last_change && at - *last_change < options.capture_timeout_ms && !stack.empty() && !undoing &&
      !redoing) {
    StackItem& into = stack.back();
    merge_order(into.deleted_by, item.deleted_by);
    into.deletions.append(item.deletions);
    into.deletions.normalize();
    merge_order(into.inserted_by, item.inserted_by);
    into.insertions.append(item.insertions);
    into.insertions.normalize();
  } else {
    stack.push_back(std::move(item));
    added = true;
  }
  if (!undoing && !redoing) last_change = at;
  for (Ref ref : structs_of(deletions, deleted_by, t)) {
    if (d.items[ref].kind != Content::Gc && in_scope(d.items[ref])) keep(ref, true);
  }
  changed_types.clear();
  for (const auto& entry : t.changed) {
    for (uint32_t type = entry.type; type != 0; type = d.types[type].parent) {
      Type handle = d.handle(type);
      if (std::find(changed_types.begin(), changed_types.end(), handle) == changed_types.end()) {
        changed_types.push_back(std::move(handle));
      }
    }
  }
  UndoEvent event;
  event.kind = added ? UndoEvent::Kind::Added : UndoEvent::Kind::Updated;
  event.undo = !undoing;
  event.item = &stack.back();
  event.origin = t.origin;
  event.changed_types = changed_types;
  emit(event);
}

void UndoManager::State::release(const StackItem& item) {
  for (Ref ref : structs_of(item.deletions, item.deleted_by, *document->current)) {
    if (document->items[ref].kind != Content::Gc && in_scope(document->items[ref])) {
      keep(ref, false);
    }
  }
}

void UndoManager::State::clear(bool undo, bool redo) {
  if (!(undo && !undo_stack.empty()) && !(redo && !redo_stack.empty())) return;
  Doc(document).transact([&] {
    if (undo) {
      for (const StackItem& item : undo_stack) release(item);
      undo_stack.clear();
    }
    if (redo) {
      for (const StackItem& item : redo_stack) release(item);
      redo_stack.clear();
    }
    UndoEvent event;
    event.kind = UndoEvent::Kind::Cleared;
    event.undo_stack_cleared = undo;
    event.redo_stack_cleared = redo;
    emit(event);
  });
}

// Re-creates a deleted item beside its old neighbours; nil when that is not possible.
Ref UndoManager::State::redo_item(Ref ref, const std::unordered_set<Ref>& redo_items,
                                  const DeleteSet& insertions) {
  Document& d = *document;
  auto is_redone = [&](Ref of) { return (d.items[of].flags & Item::kHasRedone) != 0; };
  auto redone_of = [&](Ref of) { return d.clean_start(d.redone.at(of)); };
  if (is_redone(ref)) return redone_of(ref);
  Ref parent_item = d.types[d.items[ref].parent].item;
  if (parent_item != kNil && d.items[parent_item].deleted()) {
    if (!is_redone(parent_item) && (!redo_items.contains(parent_item) ||
                                    redo_item(parent_item, redo_items, insertions) == kNil)) {
      return kNil;
    }
    while (is_redone(parent_item)) parent_item = redone_of(parent_item);
  }
  uint32_t parent = d.items[ref].parent;
  if (parent_item != kNil) {
    if (d.items[parent_item].kind != Content::Type) return kNil;
    parent = d.items[parent_item].content;
  }
  auto parent_item_of = [&](Ref of) {
    const uint32_t type = d.items[of].parent;
    return type == 0 ? kNil : d.types[type].item;
  };
  auto traced = [&](Ref from) {
    Ref trace = from;
    while (trace != kNil && parent_item_of(trace) != parent_item) {
      trace = is_redone(trace) ? redone_of(trace) : kNil;
    }
    return trace;
  };
  Ref left = kNil;
  Ref right = kNil;
  const bool has_sub = d.items[ref].has_sub();
  const uint32_t sub = has_sub ? d.items[ref].sub : 0;
  if (!has_sub) {
    for (left = d.items[ref].left; left != kNil; left = d.items[left].left) {
      if (const Ref trace = traced(left); trace != kNil) {
        left = trace;
        break;
      }
    }
    for (right = ref; right != kNil; right = d.items[right].right) {
      if (const Ref trace = traced(right); trace != kNil) {
        right = trace;
        break;
      }
    }
  } else {
    if (d.items[ref].right != kNil && !options.ignore_remote_map_changes) {
      left = ref;
      for (;;) {
        const Ref next = d.items[left].right;
        if (next == kNil) break;
        const Id id = d.wire_id(d.items[next].id());
        if (!is_redone(next) && !insertions.contains(id) && !is_deleted_by(undo_stack, id) &&
            !is_deleted_by(redo_stack, id)) {
          break;
        }
        left = next;
        while (is_redone(left)) left = redone_of(left);
      }
      if (d.items[left].right != kNil) return kNil;  // somebody else has set the key since
    } else {
      left = d.types[parent].keys.get(sub);
    }
    // A left item under another parent would mislead peers about where this belongs.
    if (left != kNil && parent_item_of(left) != parent_item) left = d.types[parent].keys.get(sub);
  }
  Item copy;
  d.copy_content(d.items[ref], copy, d.current->face);
  const ItemId id{d.own_client(), d.clients[d.own_client()].state};
  const Ref made = d.insert_local(parent, left, right, copy.kind, copy.content, copy.length,
                                  has_sub, sub, copy.flags & Item::kWide);
  d.items[ref].flags |= Item::kHasRedone;
  d.redone[ref] = id;
  keep(made, true);
  return made;
}

bool UndoManager::State::pop(bool undo) {
  Document& d = *document;
  std::vector<StackItem>& stack = undo ? undo_stack : redo_stack;
  Doc(document).transact(
      [&] {
        while (!stack.empty() && !current) {
          StackItem item = std::move(stack.back());
          stack.pop_back();
          bool performed = false;
          std::vector<Ref> to_delete;
          for (Ref ref : structs_of(item.insertions, item.inserted_by, *d.current)) {
            if (d.items[ref].kind == Content::Gc) continue;
            if (d.items[ref].flags & Item::kHasRedone) {
              auto [followed, offset] = d.follow_redone(d.items[ref].id(), true);
              const ItemId at = d.items[followed].id();
              ref = offset > 0 ? d.clean_start({at.client, at.clock + offset}) : followed;
            }
            if (d.items[ref].kind != Content::Gc && !d.items[ref].deleted() &&
                in_scope(d.items[ref])) {
              to_delete.push_back(ref);
            }
          }
          std::vector<Ref> to_redo;
          std::unordered_set<Ref> redo_items;
          for (Ref ref : structs_of(item.deletions, item.deleted_by, *d.current)) {
            const Item& struct_ = d.items[ref];
            // What was made and deleted within the item never comes back.
            if (struct_.kind != Content::Gc && in_scope(struct_) &&
                !item.insertions.contains(d.wire_id(struct_.id())) &&
                redo_items.insert(ref).second) {
              to_redo.push_back(ref);
            }
          }
          for (Ref ref : to_redo) {
            performed |= redo_item(ref, redo_items, item.insertions) != kNil;
          }
          // Children before their parents, so that a filter sees them whole.
          for (size_t i = to_delete.size(); i-- > 0;) {
            if (options.delete_filter && !options.delete_filter(ItemView(d, to_delete[i]))) {
              continue;
            }
            d.delete_item(to_delete[i]);
            performed = true;
          }
          if (performed) current = std::move(item);
        }
      },
      origin());
  if (!current) return false;
  UndoEvent event;
  event.kind = UndoEvent::Kind::Popped;
  event.undo = undo;
  event.item = &*current;
  event.origin = origin();
  event.changed_types = changed_types;
  emit(event);
  current.reset();
  return true;
}

UndoManager::UndoManager(const Doc& doc, std::span<const Type> scope, UndoOptions options)
    : state_(std::make_shared<State>(doc, std::move(options))) {
  for (const Type& type : scope) add_scope(type);
  std::weak_ptr<State> weak = state_;
  state_->after_transaction = doc.on(DocEvent::AfterTransaction, [weak](Transaction& t) {
    if (const std::shared_ptr<State> state = weak.lock()) state->captured(t);
  });
}

UndoManager::UndoManager(const Doc& doc, UndoOptions options)
    : UndoManager(doc, std::span<const Type>{}, std::move(options)) {
  state_->whole_document = true;
}

UndoManager::~UndoManager() { state_->document->unobserve(state_->after_transaction); }

void UndoManager::add_scope(const Type& type) {
  if (type.document() != state_->document) {
    throw Error("UndoManager: the type belongs to another document");
  }
  auto& scope = state_->scope;
  if (std::find(scope.begin(), scope.end(), type) == scope.end()) scope.push_back(type);
}

void UndoManager::add_tracked_origin(Origin origin) {
  auto& tracked = state_->options.tracked_origins;
  if (std::find(tracked.begin(), tracked.end(), origin) == tracked.end()) {
    tracked.push_back(std::move(origin));
  }
}

void UndoManager::remove_tracked_origin(const Origin& origin) {
  std::erase(state_->options.tracked_origins, origin);
}

bool UndoManager::undo() {
  const std::shared_ptr<State> state = state_;
  state->undoing = true;
  struct Reset {
    bool& flag;
    ~Reset() { flag = false; }
  } reset{state->undoing};
  return state->pop(true);
}

bool UndoManager::redo() {
  const std::shared_ptr<State> state = state_;
  state->redoing = true;
  struct Reset {
    bool& flag;
    ~Reset() { flag = false; }
  } reset{state->redoing};
  return state->pop(false);
}

bool UndoManager::can_undo() const { return !state_->undo_stack.empty(); }
bool UndoManager::can_redo() const { return !state_->redo_stack.empty(); }
bool UndoManager::undoing() const { return state_->undoing; }
bool UndoManager::redoing() const { return state_->redoing; }
void UndoManager::clear(bool undo_stack, bool redo_stack) { state_->clear(undo_stack, redo_stack); }
void UndoManager::stop_capturing() { state_->last_change.reset(); }
std::span<StackItem> UndoManager::undo_stack() { return state_->undo_stack; }
std::span<StackItem> UndoManager::redo_stack() { return state_->redo_stack; }
StackItem* UndoManager::current_item() { return state_->current ? &*state_->current : nullptr; }
ObserverId UndoManager::on(std::function<void(UndoEvent&)> callback) {
  state_->observers.emplace_back(state_->next_observer, std::move(callback));
  return state_->next_observer++;
}
void UndoManager::off(ObserverId id) {
  std::erase_if(state_->observers, [&](const auto& observer) { return observer.first == id; });
}
Origin UndoManager::origin() const { return state_->origin(); }

}  // namespace lattice::crdt
