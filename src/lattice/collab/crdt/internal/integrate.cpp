// SPDX-License-Identifier: MIT
// Where an item goes among its concurrent siblings, and what deleting and collecting it mean.
// Source: Yjs 13.6 Item.js (YATA).
#include <algorithm>

#include "lattice/collab/crdt/internal/document.hpp"

namespace lattice::crdt::internal {

namespace {

// The items that a conflict scan has passed, by their order. Ordinals are looked up only when an
// item with another origin turns up, so the map is filled lazily.
class Scanned {
 public:
  void push(Ref ref) { refs_.push_back(ref); }
  uint32_t size() const { return static_cast<uint32_t>(refs_.size()); }
  // The ordinal, or UINT32_MAX.
  uint32_t ordinal(Ref ref) {
    if (refs_.size() <= 16) {
      for (uint32_t i = 0; i < refs_.size(); ++i) {
        if (refs_[i] == ref) return i;
      }
      return UINT32_MAX;
    }
    for (; mapped_ < refs_.size(); ++mapped_) ordinals_.emplace(refs_[mapped_], mapped_);
    auto found = ordinals_.find(ref);
    return found == ordinals_.end() ? UINT32_MAX : found->second;
  }

 private:
  std::vector<Ref> refs_;
  std::unordered_map<Ref, uint32_t> ordinals_;
  uint32_t mapped_ = 0;
};

}  // namespace

namespace {

SiblingKey key_of(const Item& item) {
  return {item.parent, item.has_sub() ? item.sub : UINT32_MAX, item.origin};
}

}  // namespace

void Document::make_siblings(const SiblingKey& key, Ref first, uint32_t steps_max) {
  Siblings list;
  Scanned scanned;
  Ref last = kNil;
  for (Ref o = first; o != kNil; o = items[o].right) {
    if (scanned.size() == steps_max) return;
    const Item& item = items[o];
    const bool is_child = item.origin == key.origin;
    if (!is_child && (!item.origin || scanned.ordinal(find(item.origin)) == UINT32_MAX)) break;
    scanned.push(o);
    if (!is_child) continue;
    list.insert(last, o, clients[item.client].id, item.right_origin);
    last = o;
  }
  siblings.add(key, std::move(list));
}

bool Document::place_among_siblings(Ref ref) {
  Item& item = items[ref];
  Siblings* list = siblings.find(key_of(item));
  if (list == nullptr) return false;
  const auto [before, next] = list->find(clients[item.client].id, item.right_origin, item.right);
  if (before != kNil) {
    if (next != kNil) {
      item.left = items[next].left;
    } else {
      // The last child: its descendants end where an origin is none of them.
      Scanned scanned;
      item.left = before;
      scanned.push(before);
      for (Ref o = items[before].right; o != kNil && o != item.right; o = items[o].right) {
        if (!items[o].origin || scanned.ordinal(find(items[o].origin)) == UINT32_MAX) break;
        scanned.push(o);
        item.left = o;
      }
      scan_steps += scanned.size();
    }
  }
  list->insert(before, ref, clients[item.client].id, item.right_origin);
  return true;
}

void Document::scan_conflicts(Ref ref, TypeData& parent) {
  Item& item = items[ref];
  Ref left = item.left;
  Ref o;
  uint32_t steps = 0;
  if (left != kNil) {
    o = items[left].right;
  } else if (item.has_sub()) {
    o = parent.keys.get(item.sub);
    for (; o != kNil && items[o].left != kNil; o = items[o].left) ++steps;
  } else {
    o = parent.start;
  }
  const Ref first = o;
  const ClientId own = clients[item.client].id;
  Scanned scanned;
  uint32_t conflicting_from = 0;  // ordinals from here on are Yjs's conflictingItems
  while (o != kNil && o != item.right) {
    const Item& other = items[o];
    scanned.push(o);
    if (item.origin == other.origin) {
      if (clients[other.client].id < own) {
        left = o;
        conflicting_from = scanned.size();
      } else if (item.right_origin == other.right_origin) {
        break;  // same integration points: the lower id goes first, and this is it
      }
    } else if (other.origin) {
      uint32_t ordinal = scanned.ordinal(find(other.origin));
      if (ordinal == UINT32_MAX) break;
      if (ordinal < conflicting_from) {
        left = o;
        conflicting_from = scanned.size();
      }
    } else {
      break;
    }
    o = other.right;
  }
  item.left = left;
  steps += scanned.size();
  scan_steps += steps;
  if (steps > siblings.scan_max) {
    const SiblingKey key = key_of(item);
    const uint32_t steps_max = siblings.charge(key, steps);
    if (steps_max != 0) {
      // This one is no part of the list yet: it is placed once more, through it.
      make_siblings(key, first, steps_max);
      item.left = item.origin ? clean_end(item.origin) : kNil;
      if (!place_among_siblings(ref)) item.left = left;
    }
  }
}

// Where `ref` goes between its origins: item.left then says behind what.
void Document::place_between(Ref ref, TypeData& parent) {
  Item& item = items[ref];
  if ((item.left == kNil && (item.right == kNil || items[item.right].left != kNil)) ||
      (item.left != kNil && items[item.left].right != item.right)) {
    if (siblings.empty() || !place_among_siblings(ref)) scan_conflicts(ref, parent);
  } else if (!siblings.empty()) {
    // Right behind its origin, so before all other children.
    if (Siblings* list = siblings.find(key_of(item))) {
      list->insert(kNil, ref, clients[item.client].id, item.right_origin);
    }
  }
}

void Document::link_sequence(TypeData& parent, Ref ref) {
  Item& item = items[ref];
  if (item.left != kNil) {
    item.right = items[item.left].right;
    items[item.left].right = ref;
  } else if (item.has_sub()) {
    Ref first = parent.keys.get(item.sub);
    const Siblings* list = siblings.empty() ? nullptr : siblings.find(key_of(item));
    if (list != nullptr && first != kNil) {
      first = list->next_of(ref);
    } else {
      while (first != kNil && items[first].left != kNil) first = items[first].left;
    }
    item.right = first;
  } else {
    item.right = parent.start;
    parent.start = ref;
  }
  if (item.right != kNil) {
    items[item.right].left = ref;
  } else if (item.has_sub()) {
    parent.keys.set(item.sub, ref);
    if (item.left != kNil) delete_item(item.left);
  }
  if (!item.has_sub()) {
    sequences.insert(parent.root, ref);
    parent.length += item.visible();
    parent.cursor_item = kNil;
  }
}

void Document::integrate(Ref ref) {
  Item& item = items[ref];
  if (item.parent == 0) {
    free_content(item);
    item.kind = Content::Gc;
    item.flags = Item::kDeleted;
    item.left = item.right = kNil;
    item.origin = item.right_origin = ItemId{};
    item.sub = 0;
    add_struct(ref);
    return;
  }
  TypeData& parent = types[item.parent];
  place_between(ref, parent);
  link_sequence(parent, ref);
  add_struct(ref);
  switch (item.kind) {
    case Content::Deleted:
      current->deletes.push_back({item.client, item.clock, item.length});
      item.flags |= Item::kDeleted;
      break;
    case Content::Format:
      parent.has_formatting = true;
      break;
    case Content::Type: {
      TypeData& type = types[item.content];
      type.owner = item.id();
      type.item = ref;
      type.parent = item.parent;
      break;
    }
    case Content::Doc: {
      const std::shared_ptr<Document>& subdoc = subdocs_pool[item.content].document;
      subdoc->outer = weak_from_this();
      subdoc->outer_item = item.id();
      current->subdocs_added.push_back(subdoc);
      if (subdoc->should_load) current->subdocs_loaded.push_back(subdoc);
      break;
    }
    default:
      break;
  }
  add_changed(item.parent, item.has_sub(), item.sub);
  if (type_deleted(parent) || (item.has_sub() && item.right != kNil)) delete_item(ref);
}

Ref Document::insert_local(uint32_t type, Ref left, Ref right, Content kind, uint32_t content,
                           uint32_t length, bool has_sub, uint32_t sub, uint8_t flags) {
  uint32_t own = own_client();
  uint32_t state = clients[own].state;
  if (length > UINT32_MAX - state) {
    throw Error("Doc: client " + std::to_string(client_id) + " has used up its 2^32 clocks");
  }
  Ref ref = items.make();
  Item& item = items[ref];
  item.clock = state;
  item.length = length;
  item.client = own;
  item.left = left;
  item.right = right;
  if (left != kNil) item.origin = items[left].last_id();
  if (right != kNil) item.right_origin = items[right].id();
  item.parent = type;
  item.kind = kind;
  item.content = content;
  item.flags = flags;
  if (has_sub) {
    item.flags |= Item::kHasSub;
    item.sub = sub;
  }
  integrate(ref);
  return ref;
}

void Document::add_changed(uint32_t index, bool has_key, uint32_t key) {
  TypeData& type = types[index];
  if (type.owner && (type_deleted(type) || type.owner.clock >= before_now(type.owner.client))) {
    return;
  }
  TransactionState& t = *current;
  if (type.entry_of != t.face.serial) {
    type.entry_of = t.face.serial;
    type.entry = static_cast<uint32_t>(t.changed.size());
    t.changed.push_back({index, false});
  }
  if (!has_key) {
    t.changed[type.entry].list = true;
    return;
  }
  if (KeyMap::Entry* entry = type.keys.find(key)) {
    if (entry->changed_in == t.face.serial) return;
    entry->changed_in = t.face.serial;
  }
  t.changed_keys.emplace_back(type.entry, key);
}

void Document::delete_item(Ref first) {
  if (items[first].deleted()) return;
  const size_t base = delete_stack_.size();
  delete_stack_.push_back(first);
  while (delete_stack_.size() > base) {
    Ref ref = delete_stack_.back();
    delete_stack_.pop_back();
    Item& item = items[ref];
    if (item.deleted()) continue;
    TypeData& parent = types[item.parent];
    if (!item.has_sub()) {
      uint32_t visible = item.visible();
      parent.length -= visible;
      sequences.changed(ref, -static_cast<int64_t>(visible), item.kind == Content::Format ? -1 : 0);
      parent.cursor_item = kNil;
    }
    item.flags |= Item::kDeleted;
    current->deletes.push_back({item.client, item.clock, item.length});
    add_changed(item.parent, item.has_sub(), item.sub);
    if (item.kind == Content::Type) {
      const TypeData& type = types[item.content];
      const size_t from = delete_stack_.size();
      auto visit = [&](Ref child) {
        const Item& c = items[child];
        if (!c.deleted()) {
          delete_stack_.push_back(child);
        } else if (c.clock < before_now(c.client)) {
          // It will be collected and may then merge with what nothing else in this transaction
          // points to.
          current->merge_structs.push_back(c.id());
        }
      };
      for (Ref child = type.start; child != kNil; child = items[child].right) visit(child);
      for (const KeyMap::Entry& entry : type.keys.entries()) visit(entry.item);
      std::reverse(delete_stack_.begin() + static_cast<ptrdiff_t>(from), delete_stack_.end());
    } else if (item.kind == Content::Doc) {
      const std::shared_ptr<Document>& subdoc = subdocs_pool[item.content].document;
      auto& added = current->subdocs_added;
      auto found = std::find(added.begin(), added.end(), subdoc);
      if (found != added.end()) {
        added.erase(found);
      } else {
        current->subdocs_removed.push_back(subdoc);
      }
    }
  }
}

void Document::kill_type(uint32_t index) {
  TypeData& type = types[index];
  type.start = kNil;
  if (!siblings.empty()) siblings.forget_type(index);
  sequences.clear(type.root);
  type.length = 0;
  type.keys.clear();
  type.observers.reset();
  type.dead = true;
  type.item = kNil;
  type.cursor_item = kNil;
}

void Document::gc_item(Ref first, bool parent_collected) {
  std::vector<std::pair<Ref, bool>> stack{{first, parent_collected}};
  while (!stack.empty()) {
    auto [ref, orphan] = stack.back();
    stack.pop_back();
    Item& item = items[ref];
    if (item.kind == Content::Gc) continue;
    LATTICE_ASSERT(item.deleted());
    if (item.kind == Content::Type) {
      const TypeData& type = types[item.content];
      for (Ref child = type.start; child != kNil; child = items[child].right) {
        stack.emplace_back(child, true);
      }
      for (const KeyMap::Entry& entry : type.keys.entries()) {
        for (Ref child = entry.item; child != kNil; child = items[child].left) {
          stack.emplace_back(child, true);
        }
      }
      kill_type(item.content);
    }
    free_content(item);
    if (orphan) {
      if (item.flags & Item::kHasRedone) redone.erase(ref);
      item.kind = Content::Gc;
      item.flags = Item::kDeleted;
      item.parent = 0;
      item.sub = 0;
      item.left = item.right = kNil;
      item.origin = item.right_origin = ItemId{};
    } else {
      item.kind = Content::Deleted;
    }
  }
}

}  // namespace lattice::crdt::internal
