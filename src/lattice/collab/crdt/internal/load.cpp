// SPDX-License-Identifier: MIT
// Loading: an update into a document that has no structs yet.
//
// Structs go from the wire into the arena at once, each client's in clock order, so a client's runs
// are an array and a unit is found by its clock without a search tree. Then the items are linked,
// clients in the order in which apply.cpp would take them: most stand between their two origins
// already, the others go through the conflict scan. The sequence indices are built at the end, from
// the left. When nothing was deleted on the way and no neighbours could be merged, the transaction
// has nothing to collect or merge either (`settled`).
//
// All of this holds for what a whole document encodes. Anything else (structs that are missing,
// doubled or refer into the middle of others, parents that are gone) is given up before the
// transaction has said anything, and apply.cpp integrates it struct by struct: Outcome No.
#include <algorithm>
#include <bit>

#include "lattice/collab/crdt/internal/document.hpp"
#include "lattice/collab/crdt/struct_reader.hpp"

namespace lattice::crdt::internal {

struct Loader {
  // Until an item is placed, `flags` also says what `parent`, `left` and `right` hold.
  static constexpr uint8_t kParentRoot = 64;   // parent: the number of the root's name
  static constexpr uint8_t kParentItem = 128;  // left, right: client and clock of the parent

  struct Group {
    ClientId id = 0;
    uint32_t client = 0;
    Ref first = kNil;
    uint32_t count = 0;
    uint32_t state = 0;
    uint32_t taken = 0;
    uint32_t placed = 0;
    // A clock's bucket is where the search for its run begins.
    uint32_t shift = 0;
    std::vector<uint32_t> buckets;
    std::vector<RunIndex::Run> runs;
    const RunIndex::Run* at = nullptr;  // runs, also once the document has them
  };

  explicit Loader(Document& document) : doc(document) {
    types_before = doc.types.size();
    roots_before = doc.roots.size();
    clients_before = doc.clients.size();
  }

  Document& doc;
  std::vector<Group> groups;  // as on the wire: highest client first
  std::vector<uint32_t> group_of;
  std::vector<IdRange> deletes;
  size_t types_before, roots_before, clients_before;
  TypeData* parent = nullptr;  // of the item placed last
  uint32_t parent_index = 0;
  bool is_listed = false;  // its sequence is in the transaction's changes
  uint32_t deleted_items = 0;
  ClientId last_id = UINT64_MAX;
  uint32_t last_client = 0;
  std::string_view last_root;
  uint32_t last_root_name = 0;

  uint32_t intern(ClientId id) {
    if (id != last_id) {
      last_client = doc.client_index(id);
      last_id = id;
    }
    return last_client;
  }

  template <class Reader>
  bool read(Reader& reader, size_t bytes);
  bool add(Group& group, const StructView& view);
  template <class Reader>
  void read_deletes(Reader& reader) {
    reader.read_deleted([&](ClientId client, Clock clock, Clock length) {
      deletes.push_back({client, clock, length});
    });
  }
  void index(Group& group);
  uint32_t slot_of(const Group& group, uint32_t clock) const;
  Group* group_at(uint32_t client) {
    const uint32_t number = client < group_of.size() ? group_of[client] : UINT32_MAX;
    return number == UINT32_MAX ? nullptr : &groups[number];
  }
  void count_placed(Group& group) {
    if (group.placed++ != 0) return;
    doc.store_order.push_back(group.client);
    doc.current->touched.push_back({group.client, 0, 0});
  }
  bool place_all();
  enum class Step : uint8_t { Placed, Waits, Doubt };
  Step place(Group& group, Group*& waits_for);
  bool is_deleted_already();
  bool may_merge(const Item& left, Ref right_ref, const Item& right) const;
  bool has_merges();
  void adopt();
  void undo();
  // Of one that has said nothing yet.
  void end_transaction(Origin& origin);
};

template <class Reader>
bool Loader::read(Reader& reader, size_t bytes) {
  StructView view;
  Group* group = nullptr;
  while (reader.next(view)) {
    if (view.kind == StructKind::Skip || view.kind == StructKind::Doc) return false;
    if (group == nullptr || view.id.client != group->id) {
      if (group != nullptr && view.id.client > group->id) return false;
      group = &groups.emplace_back();
      group->id = view.id.client;
      group->client = intern(group->id);
      group->first = doc.items.size();
      group->runs.reserve(std::min<uint64_t>(reader.structs_left() + 1, bytes));
    }
    if (view.id.clock != group->state) return false;
    if (!add(*group, view)) return false;
  }
  return true;
}

// The struct as an item whose neighbours are still to be found.
bool Loader::add(Group& group, const StructView& view) {
  const Ref ref = doc.items.make();
  Item& item = doc.items[ref];
  item.client = group.client;
  item.clock = view.id.clock;
  item.length = view.length;
  group.runs.push_back({item.clock, ref});
  group.state = view.end();
  ++group.count;
  if (view.kind == StructKind::Gc) {
    item.flags = Item::kDeleted;
    return true;
  }
  if (view.has_origin) {
    item.origin.client = view.origin.client == group.id ? group.client : intern(view.origin.client);
    item.origin.clock = view.origin.clock;
  }
  if (view.has_right_origin) {
    item.right_origin.client =
        view.right_origin.client == group.id ? group.client : intern(view.right_origin.client);
    item.right_origin.clock = view.right_origin.clock;
  }
  if (view.parent_kind != ParentKind::Inherited) {
    if (view.parent_kind == ParentKind::Root) {
      item.flags |= kParentRoot;
      if (last_root_name == 0 || view.parent_root != last_root) {
        last_root = view.parent_root;
        last_root_name = doc.strings.intern(last_root);
      }
      item.parent = last_root_name;
    } else {
      item.flags |= kParentItem;
      item.left = view.parent.client == group.id ? group.client : intern(view.parent.client);
      item.right = view.parent.clock;
    }
    if (view.has_parent_sub) {
      item.flags |= Item::kHasSub;
      item.sub = doc.strings.intern(view.parent_sub);
    }
  }
  if (view.kind == StructKind::Deleted) {
    item.kind = Content::Deleted;
  } else {
    doc.read_content(item, view, 0);
  }
  return true;
}

void Loader::index(Group& group) {
  if (group_of.size() <= group.client) group_of.resize(group.client + 1, UINT32_MAX);
  group_of[group.client] = static_cast<uint32_t>(&group - groups.data());
  group.at = group.runs.data();
  if (group.count < 16) return;
  group.shift = static_cast<uint32_t>(std::bit_width(group.state / group.count) - 1);
  group.buckets.resize((group.state >> group.shift) + 2);
  uint32_t filled = 0;
  for (uint32_t slot = 0; slot < group.count; ++slot) {
    // Buckets that begin before this run belong to the one before it.
    const uint64_t begin = uint64_t{group.at[slot].clock} + (uint64_t{1} << group.shift) - 1;
    const auto bucket = static_cast<uint32_t>(begin >> group.shift);
    while (filled < bucket) group.buckets[filled++] = slot - 1;
  }
  while (filled < group.buckets.size()) group.buckets[filled++] = group.count - 1;
}

// REQUIRES: clock < group.state.
uint32_t Loader::slot_of(const Group& group, uint32_t clock) const {
  uint32_t low = 0;
  uint32_t high = group.count - 1;
  if (!group.buckets.empty()) {
    low = group.buckets[clock >> group.shift];
    high = group.buckets[(clock >> group.shift) + 1];
  }
  // The last run that begins at `clock` or before it.
  while (high - low > 3) {
    const uint32_t middle = low + (high - low) / 2;
    if (group.at[middle].clock <= clock) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  // Clocks ascend, so counting does without branches that nobody could predict.
  uint32_t slot = low;
  for (uint32_t i = 1; i <= 3; ++i) {
    const uint32_t next = std::min(low + i, high);
    slot += static_cast<uint32_t>(low + i <= high) &
            static_cast<uint32_t>(group.at[next].clock <= clock);
  }
  return slot;
}

Loader::Step Loader::place(Group& group, Group*& waits_for) {
  const uint32_t own = group.placed;
  const Ref ref = group.first + own;
  Item& item = doc.items[ref];
  if (item.kind == Content::Gc) {
    count_placed(group);
    return Step::Placed;
  }
  // Where a unit is; false when this has to wait, or when nobody can know.
  Step outcome = Step::Doubt;
  auto find = [&](ItemId id, bool at_end, Ref& found) {
    Group* in = id.client == group.client ? &group : group_at(id.client);
    if (in == nullptr || id.clock >= in->state) return false;
    const uint32_t slot = slot_of(*in, id.clock);
    if (slot >= in->placed) {
      if (in == &group) return false;
      waits_for = in;
      outcome = Step::Waits;
      return false;
    }
    found = in->first + slot;
    const Item& there = doc.items[found];
    return there.kind != Content::Gc &&
           (at_end ? there.end() == id.clock + 1 : there.clock == id.clock);
  };
  Ref left = kNil;
  Ref right = kNil;
  uint32_t index = 0;
  if (item.origin && !find(item.origin, true, left)) return outcome;
  if (item.right_origin && !find(item.right_origin, false, right)) return outcome;
  if (item.flags & kParentRoot) {
    index = item.parent;  // the name
  } else if (item.flags & kParentItem) {
    const ItemId id{item.left, item.right};
    Group* in = group_at(id.client);
    if (in == nullptr || id.clock >= in->state) return Step::Doubt;
    const uint32_t slot = slot_of(*in, id.clock);
    if (slot >= in->placed) {
      if (in == &group) return Step::Doubt;
      waits_for = in;
      return Step::Waits;
    }
    const Item& holder = doc.items[in->first + slot];
    if (holder.kind != Content::Type) return Step::Doubt;
    index = holder.content;
  } else {
    const Item& from = doc.items[left != kNil ? left : right];
    index = from.parent;
    if (from.has_sub()) {
      item.flags |= Item::kHasSub;
      item.sub = from.sub;
    }
  }
  if (item.flags & kParentRoot) {
    const auto known = doc.root_indices_.find(index);
    index =
        known == doc.root_indices_.end() ? doc.add_root(index, TypeKind::Undefined) : known->second;
  }
  if (index != parent_index) {
    parent_index = index;
    parent = &doc.types[index];
    is_listed = false;
  }
  // Left and right of an item are of one list, or its sender lies.
  const bool has_sub = item.has_sub();
  for (const Ref beside : {left, right}) {
    if (beside == kNil) continue;
    const Item& other = doc.items[beside];
    if (other.parent != index || other.has_sub() != has_sub || (has_sub && other.sub != item.sub)) {
      return Step::Doubt;
    }
  }
  item.flags &= static_cast<uint8_t>(~(kParentRoot | kParentItem));
  item.parent = index;
  item.left = left;
  item.right = right;
  count_placed(group);
  const bool is_between = left != kNil ? doc.items[left].right == right
                                       : right != kNil && doc.items[right].left == kNil;
  if (is_between && !has_sub && doc.siblings.empty()) {
    if (left != kNil) {
      doc.items[left].right = ref;
    } else {
      parent->start = ref;
    }
    if (right != kNil) doc.items[right].left = ref;
    parent->length += item.visible();
  } else {
    doc.place_between(ref, *parent);
    doc.link_sequence(*parent, ref);
  }
  switch (item.kind) {
    case Content::Deleted:
      doc.current->deletes.push_back({item.client, item.clock, item.length});
      item.flags |= Item::kDeleted;
      ++deleted_items;
      break;
    case Content::Format:
      parent->has_formatting = true;
      break;
    case Content::Type: {
      TypeData& type = doc.types[item.content];
      type.owner = item.id();
      type.item = ref;
      type.parent = index;
      break;
    }
    default:
      break;
  }
  // A sequence need be listed once.
  if (has_sub || !is_listed) {
    doc.add_changed(index, has_sub, item.sub);
    is_listed = !has_sub;
  }
  if (doc.type_deleted(*parent) || (has_sub && item.right != kNil)) doc.delete_item(ref);
  return Step::Placed;
}

// The order is that of Applier::integrate_all, so that types, keys and changes come in the same
// order.
bool Loader::place_all() {
  struct Deferred {
    SequenceIndex& sequences;
    explicit Deferred(SequenceIndex& index) : sequences(index) { sequences.defer(true); }
    ~Deferred() { sequences.defer(false); }
  } deferred(doc.sequences);
  std::vector<Group*> stack;
  for (Group& target : groups) {
    while (target.taken < target.count) {
      Group* head = &target;
      ++head->taken;
      for (;;) {
        // Something of this client waits further down: each waits for the other.
        if (head->placed + 1 != head->taken) return false;
        Group* waits_for = nullptr;
        const Step step = place(*head, waits_for);
        if (step == Step::Doubt) return false;
        if (step == Step::Waits) {
          if (waits_for->taken == waits_for->count) return false;
          stack.push_back(head);
          head = waits_for;
          ++head->taken;
          continue;
        }
        if (stack.empty()) break;
        head = stack.back();
        stack.pop_back();
      }
    }
  }
  return true;
}

// Whether the delete set says nothing that the structs did not say.
bool Loader::is_deleted_already() {
  Group* group = nullptr;
  uint32_t slot = 0;
  for (const IdRange& range : deletes) {
    if (group == nullptr || group->id != range.client) {
      const uint32_t client = doc.find_client(range.client);
      group = client == kNoClient ? nullptr : group_at(client);
      if (group == nullptr) return false;
      slot = 0;
    }
    if (range.clock >= group->state || range.end() > group->state) return false;
    if (group->at[slot].clock > range.clock || slot + 1 == group->count ||
        group->at[slot + 1].clock <= range.clock) {
      slot = slot_of(*group, range.clock);
    }
    for (;; ++slot) {
      if (!doc.items[group->first + slot].deleted()) return false;
      if (slot + 1 == group->count || group->at[slot + 1].clock >= range.end()) break;
    }
  }
  return true;
}

// Document::try_merge, without doing it.
bool Loader::may_merge(const Item& left, Ref right_ref, const Item& right) const {
  if (left.kind != right.kind) return false;
  if (left.kind == Content::Gc) return true;
  return left.deleted() == right.deleted() && left.right == right_ref &&
         right.origin == left.last_id() && left.right_origin == right.right_origin &&
         (left.kind == Content::String || left.kind == Content::Any ||
          left.kind == Content::Deleted || left.kind == Content::Json);
}

bool Loader::has_merges() {
  for (const Group& group : groups) {
    const Item* left = &doc.items[group.first];
    for (uint32_t i = 1; i < group.count; ++i) {
      const Ref ref = group.first + i;
      const Item& right = doc.items[ref];
      if (may_merge(*left, ref, right)) return true;
      left = &right;
    }
  }
  return false;
}

// The document gets the runs before they are placed: the conflict scan looks origins up in them.
void Loader::adopt() {
  for (Group& group : groups) {
    index(group);
    ClientRuns& client = doc.clients[group.client];
    client.runs.adopt(std::move(group.runs));
    client.state = group.state;
    client.touched_in = doc.current->face.serial;
    client.before = 0;
  }
}

void Loader::undo() {
  doc.siblings = SiblingLists();
  doc.items = ItemArena();
  doc.text = TextStore();
  doc.wide = {};
  doc.values = {};
  doc.formats = {};
  while (doc.roots.size() > roots_before) {
    doc.root_indices_.erase(doc.roots.back().first);
    doc.roots.pop_back();
  }
  doc.types.resize(types_before);
  for (TypeData& type : doc.types) {
    type.start = kNil;
    type.root = SequenceIndex::kNoNode;
    type.length = 0;
    type.has_formatting = false;
    type.cursor_item = kNil;
    type.entry_of = 0;
    type.keys.clear();
  }
  while (doc.clients.size() > clients_before) {
    doc.client_indices.erase(doc.clients.back().id);
    doc.clients.pop_back();
  }
  for (ClientRuns& client : doc.clients) {
    client.state = 0;
    client.touched_in = 0;
    client.runs = {};
  }
  doc.last_client_ = 0;
  doc.own_index_ = kNoClient;
  doc.store_order.clear();
  if (TransactionState* t = doc.current) {
    t->deletes.clear();
    t->merge_structs.clear();
    t->touched.clear();
    t->changed.clear();
    t->changed_keys.clear();
  }
}

void Loader::end_transaction(Origin& origin) {
  Document& d = doc;
  origin = std::move(d.current->origin);
  d.spare = std::move(d.cleanups.back());
  d.spare->clear();
  d.cleanups.pop_back();
  d.current = nullptr;
}

Result<Document::Loaded> Document::load(std::span<const uint8_t> update, UpdateVersion version,
                                        Origin& origin) {
  // Whoever looks into the document before the structs are in may also change it; and what a
  // transaction holds already could not be told from what this load adds.
  const bool is_untouched = current != nullptr
                                ? current->touched.empty() && current->deletes.empty() &&
                                      current->changed.empty() && current->merge_structs.empty()
                                : cleanups.empty() && !emits(DocEvent::BeforeTransaction) &&
                                      !emits(DocEvent::BeforeAllTransactions);
  constexpr size_t kBytesMax = size_t{1} << 30;  // refs and offsets of text have 32 bits
  if (!store_order.empty() || !pending_structs.empty() || !pending_deletes.empty() ||
      !is_untouched || update.size() > kBytesMax) {
    return Loaded::No;
  }
  items = ItemArena();
  Loader loader(*this);
  struct Undo {
    Loader* loader;
    ~Undo() {
      if (loader != nullptr) loader->undo();
    }
  } undo{&loader};
  bool proven = false;
  std::optional<Failure> failure;
  std::optional<StructReaderV2> v2;
  text.reserve(update.size());
  auto read = [&](auto& reader) {
    proven = loader.read(reader, update.size());
    if (proven && reader.ok()) loader.read_deletes(reader);
    if (!reader.ok()) failure = reader.failure();
  };
  if (version == UpdateVersion::V1) {
    StructReaderV1 reader(update);
    read(reader);
  } else {
    read(v2.emplace(update));
  }
  if (failure) return *std::move(failure);
  if (!proven || loader.groups.empty()) return Loaded::No;
  text.trim();
  const bool outermost = begin(std::exchange(origin, Origin{}), false);
  current->local = false;
  loader.adopt();
  if (!loader.place_all()) {
    if (outermost) loader.end_transaction(origin);
    return Loaded::No;
  }
  undo.loader = nullptr;
  for (TypeData& type : types) {
    if (type.start != kNil) sequences.build(type.root, type.start);
  }
  const bool is_deleted = loader.is_deleted_already();
  if (!is_deleted) apply_deletes(loader.deletes);
  current->settled = outermost && is_deleted && current->deletes.size() == loader.deleted_items &&
                     !loader.has_merges();
  if (outermost) commit();
  return Loaded::Yes;
}

}  // namespace lattice::crdt::internal
