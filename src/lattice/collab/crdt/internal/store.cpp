// SPDX-License-Identifier: MIT
// The struct store: finding, splitting and appending structs; shared types and their names.
#include <random>

#include "lattice/collab/crdt/internal/document.hpp"

namespace lattice::crdt::internal {

namespace {

// From the system each time: a generator's state (2.5 KB of it) has no place in the static thread
// storage of a module that Python loads.
uint64_t random_bits() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) | device();
}

std::string random_uuid() {
  uint64_t high = (random_bits() & ~0xF000ull) | 0x4000ull;
  uint64_t low = (random_bits() & ~(3ull << 62)) | (2ull << 62);
  char text[37];
  std::snprintf(text, sizeof text, "%08x-%04x-%04x-%04x-%012llx", static_cast<unsigned>(high >> 32),
                static_cast<unsigned>(high >> 16 & 0xFFFF), static_cast<unsigned>(high & 0xFFFF),
                static_cast<unsigned>(low >> 48),
                static_cast<unsigned long long>(low & 0xFFFFFFFFFFFFull));
  return text;
}

}  // namespace

uint64_t random_client_id() {
  uint64_t id = random_bits() & UINT32_MAX;
  return id == 0 ? 1 : id;
}

Document::Document(DocOptions options)
    : client_id(options.client_id != 0 ? options.client_id : random_client_id()),
      guid(options.guid.empty() ? random_uuid() : std::move(options.guid)),
      collection_id(std::move(options.collection_id)),
      has_collection_id(!collection_id.empty()),
      meta(std::move(options.meta)),
      gc(options.gc),
      auto_load(options.auto_load),
      should_load(options.should_load),
      gc_filter(std::move(options.gc_filter)) {
  if (client_id > kClientIdMax) {
    throw Error("Doc: client id " + std::to_string(client_id) + " is above 2^53 - 1");
  }
  if (meta.is_undefined()) meta = Any::null();
  types.emplace_back();
}

Document::~Document() = default;

uint32_t Document::client_index(ClientId id) {
  uint32_t known = find_client(id);
  if (known != kNoClient) return known;
  uint32_t index = static_cast<uint32_t>(clients.size());
  clients.emplace_back().id = id;
  client_indices.emplace(id, index);
  return last_client_ = index;
}

Ref Document::split(ClientRuns& client, RunIndex::Position position, uint32_t at) {
  Ref left_ref = client.runs.at(position).item;
  Ref right_ref = items.make();
  Item& left = items[left_ref];
  Item& right = items[right_ref];
  right.clock = left.clock + at;
  right.length = left.length - at;
  right.client = left.client;
  right.left = left_ref;
  right.right = left.right;
  right.origin = {left.client, left.clock + at - 1};
  right.right_origin = left.right_origin;
  right.parent = left.parent;
  right.sub = left.sub;
  right.kind = left.kind;
  right.flags = left.flags;
  split_content(left, right, at);
  left.length = at;
  if (left.flags & Item::kHasRedone) {
    ItemId to = redone[left_ref];
    redone[right_ref] = {to.client, to.clock + at};
  }
  left.right = right_ref;
  if (right.right != kNil) items[right.right].left = right_ref;
  TypeData& parent = types[right.parent];
  if (right.has_sub()) {
    if (right.right == kNil) parent.keys.set(right.sub, right_ref);
  } else {
    sequences.insert_split(parent.root, right_ref);
    parent.cursor_item = kNil;
  }
  current->merge_structs.push_back(right.id());
  client.runs.insert_after(position, right.clock, right_ref);
  return right_ref;
}

Ref Document::split(Ref left, uint32_t at) {
  ClientRuns& client = clients[items[left].client];
  return split(client, client.runs.find(items[left].clock), at);
}

Ref Document::clean_start(ItemId id) {
  ClientRuns& client = clients[id.client];
  RunIndex::Position position = client.runs.find(id.clock);
  Ref ref = client.runs.at(position).item;
  const Item& item = items[ref];
  if (item.clock < id.clock && item.kind != Content::Gc) {
    return split(client, position, id.clock - item.clock);
  }
  return ref;
}

Ref Document::clean_end(ItemId id) {
  ClientRuns& client = clients[id.client];
  RunIndex::Position position = client.runs.find(id.clock);
  Ref ref = client.runs.at(position).item;
  const Item& item = items[ref];
  if (id.clock + 1 != item.end() && item.kind != Content::Gc) {
    split(client, position, id.clock - item.clock + 1);
  }
  return ref;
}

std::pair<Ref, uint32_t> Document::follow_redone(ItemId id, bool follow) const {
  for (;;) {
    const Ref ref = find(id);
    const Item& item = items[ref];
    const uint32_t offset = id.clock - item.clock;
    if (!follow || !(item.flags & Item::kHasRedone)) return {ref, offset};
    const ItemId next = redone.at(ref);
    id = {next.client, next.clock + offset};
  }
}

void Document::touch(ClientRuns& client, uint32_t index) {
  if (client.touched_in == current->face.serial) return;
  client.touched_in = current->face.serial;
  client.before = client.state;
  current->touched.push_back({index, client.state, client.state});
}

void Document::add_struct(Ref ref) {
  const Item& item = items[ref];
  ClientRuns& client = clients[item.client];
  LATTICE_ASSERT(client.state == item.clock);
  touch(client, item.client);
  if (client.runs.empty()) store_order.push_back(item.client);
  client.runs.append(item.clock, ref);
  client.state = item.end();
}

uint32_t Document::new_type(TypeKind kind, std::string_view name) {
  if (types.size() >= UINT32_MAX) throw Error("Doc: more than 2^32 shared types");
  TypeData& type = types.emplace_back();
  type.kind = kind;
  type.name = strings.intern(name);
  return static_cast<uint32_t>(types.size() - 1);
}

uint32_t Document::add_root(uint32_t name, TypeKind kind) {
  uint32_t index = static_cast<uint32_t>(types.size());
  TypeData& type = types.emplace_back();
  type.kind = kind;
  type.name = name;
  roots.emplace_back(name, index);
  root_indices_.emplace(name, index);
  return index;
}

uint32_t Document::root_type(std::string_view name, TypeKind kind) {
  uint32_t key = strings.intern(name);
  auto found = root_indices_.find(key);
  if (found == root_indices_.end()) return add_root(key, kind);
  TypeData& type = types[found->second];
  if (kind != TypeKind::Undefined && type.kind != kind) {
    if (type.kind != TypeKind::Undefined) {
      throw Error("Doc: the root \"" + std::string(name) +
                  "\" has been asked for as another type before");
    }
    type.kind = kind;
  }
  return found->second;
}

size_t Document::memory() const {
  size_t bytes = sizeof(Document) + items.memory() + sequences.memory() + text.memory() +
                 wide.memory() + values.memory() + formats.memory();
  for (const ClientRuns& client : clients) bytes += sizeof client + client.runs.memory();
  for (const TypeData& type : types) bytes += sizeof type + type.keys.memory();
  for (size_t i = 0; i < values.size(); ++i) {
    bytes += values[static_cast<uint32_t>(i)].capacity() * sizeof(Any);
  }
  bytes += strings.size() * (sizeof(std::string) + 48);
  bytes += pending_structs.memory() + pending_deletes.memory();
  return bytes;
}

}  // namespace lattice::crdt::internal
