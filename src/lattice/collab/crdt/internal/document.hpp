// SPDX-License-Identifier: MIT
// The document engine: structs of all clients, the lists and maps they form, and transactions over
// them. Handles in doc.hpp are a shared_ptr to this and an index.
//
// Invariants between transactions:
//   - A client's runs cover 0 .. state without gaps.
//   - Left and right links of a list agree; a list's items are in the index of its type (sequences)
//     or in the chain that ends in the type's key map (map entries, rightmost is current).
//   - Runs that Yjs would have merged are merged; they are inside a transaction as well where the
//     result is the same (typing extends the run at once).
#pragma once

#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lattice/collab/crdt/doc.hpp"
#include "lattice/collab/crdt/internal/item.hpp"
#include "lattice/collab/crdt/internal/key_map.hpp"
#include "lattice/collab/crdt/internal/pending.hpp"
#include "lattice/collab/crdt/internal/run_index.hpp"
#include "lattice/collab/crdt/internal/sequence.hpp"
#include "lattice/collab/crdt/internal/siblings.hpp"
#include "lattice/collab/crdt/internal/text_store.hpp"
#include "lattice/collab/crdt/update_encoder.hpp"

namespace lattice::crdt {
struct StructView;
}

namespace lattice::crdt::internal {

uint64_t random_client_id();

// Strings by number; 0 is the empty string.
class StringTable {
 public:
  StringTable() { intern(""); }
  uint32_t intern(std::string_view text) {
    auto found = numbers_.find(text);
    if (found != numbers_.end()) return found->second;
    uint32_t number = static_cast<uint32_t>(strings_.size());
    strings_.emplace_back(text);
    numbers_.emplace(strings_.back(), number);
    return number;
  }
  // The number of a string that is already here, or UINT32_MAX.
  uint32_t find(std::string_view text) const {
    auto found = numbers_.find(text);
    return found == numbers_.end() ? UINT32_MAX : found->second;
  }
  const std::string& operator[](uint32_t number) const noexcept { return strings_[number]; }
  size_t size() const noexcept { return strings_.size(); }

 private:
  std::deque<std::string> strings_;
  std::unordered_map<std::string_view, uint32_t> numbers_;
};

struct ClientRuns {
  ClientId id = 0;
  uint32_t state = 0;       // the next clock
  uint32_t touched_in = 0;  // serial of the last transaction that added structs
  uint32_t before = 0;      // state when that one began
  RunIndex runs;
};

struct Observer {
  ObserverId id;
  std::function<void(Event&)> shallow;
  std::function<void(std::span<Event>)> deep;
};

struct TypeData {
  TypeKind kind = TypeKind::Undefined;
  bool has_formatting = false;
  bool dead = false;    // its item was collected
  uint32_t name = 0;    // root name, node name or hook name
  uint32_t parent = 0;  // of the item that holds it; 0 for roots
  ItemId owner;         // the id of that item
  Ref item = kNil;      // the item; nil for roots and once dead
  Ref start = kNil;     // leftmost item of the sequence
  uint32_t root = SequenceIndex::kNoNode;
  uint32_t length = 0;      // visible units
  uint32_t changed_in = 0;  // serial of the transaction that last changed its sequence
  uint32_t entry_of = 0;    // serial of the transaction in whose `changed` it is listed
  uint32_t entry = 0;       // and where
  // Where the last local edit ended: typing goes on there.
  Ref cursor_item = kNil;
  uint32_t cursor_index = 0;  // visible index where cursor_item begins
  KeyMap keys;
  std::unique_ptr<std::vector<Observer>> observers;

  bool is_root() const noexcept { return !owner; }
};

struct FormatValue {
  uint32_t key = 0;
  Any value;
};
struct WideText {
  uint32_t offset = 0;
  uint32_t bytes = 0;
};
struct SubDoc {
  std::shared_ptr<Document> document;
  Any options;
};

struct DeleteRange {
  uint32_t client;
  uint32_t clock;
  uint32_t length;
};

struct TransactionState {
  explicit TransactionState(Document& document, uint32_t serial) : face{document, serial} {}
  Transaction face;
  Origin origin;
  bool local = true;
  bool needs_formatting_cleanup = false;
  bool sorted = false;   // deletes are sorted and merged
  bool settled = false;  // a load that left nothing to collect or to merge, and nothing came after
  std::vector<DeleteRange> deletes;
  // Clients in the order of their first deletion, when there are several: the order in which Yjs
  // visits them, which decides what undo brings back first. Filled when deletes are sorted.
  struct DeleteClient {
    uint32_t client;
    uint32_t first;  // its ranges in `deletes`
    uint32_t end;
  };
  std::vector<DeleteClient> delete_clients;
  std::vector<ItemId> merge_structs;
  struct Touched {
    uint32_t client;
    uint32_t before;
    uint32_t after;
  };
  std::vector<Touched> touched;
  struct Changed {
    uint32_t type;
    bool list = false;
  };
  std::vector<Changed> changed;                             // in order of first change
  std::vector<std::pair<uint32_t, uint32_t>> changed_keys;  // index into `changed`, key
  // Types above what changed, with the events below them (indices into `events`).
  std::vector<std::pair<uint32_t, std::vector<uint32_t>>> changed_parents;
  std::vector<std::unique_ptr<Event>> events;
  std::vector<std::shared_ptr<Document>> subdocs_added, subdocs_removed, subdocs_loaded;

  // For the next transaction; what it allocated stays.
  void clear() {
    if (origin.index() != 0) origin = Origin{};
    needs_formatting_cleanup = false;
    sorted = false;
    settled = false;
    deletes.clear();
    delete_clients.clear();
    merge_structs.clear();
    touched.clear();
    changed.clear();
    changed_keys.clear();
    changed_parents.clear();
    events.clear();
    subdocs_added.clear();
    subdocs_removed.clear();
    subdocs_loaded.clear();
  }
};

// Attributes at a place of a text, in the order JavaScript's Map would keep.
using AttributeMap = std::vector<std::pair<uint32_t, Any>>;

// A place in a text between two items, with the attributes in force.
struct TextPosition {
  Ref left = kNil;
  Ref right = kNil;
  uint32_t index = 0;
  AttributeMap attributes;
};

struct Loader;        // load.cpp
struct ApplyBuffers;  // apply.cpp
struct ApplyBuffersDelete {
  void operator()(ApplyBuffers* buffers) const noexcept;
};
using ApplyBuffersPtr = std::unique_ptr<ApplyBuffers, ApplyBuffersDelete>;

class Document : public std::enable_shared_from_this<Document> {
 public:
  explicit Document(DocOptions options);
  ~Document();
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;

  // --- options and identity
  ClientId client_id = 0;
  std::string guid;
  std::string collection_id;
  bool has_collection_id = false;
  Any meta;
  bool gc = true;
  bool auto_load = false;
  bool should_load = true;
  bool destroyed = false;
  std::function<bool(const ItemView&)> gc_filter;

  // --- store (store.cpp)
  ItemArena items;
  SequenceIndex sequences{items};
  TextStore text;
  Pool<WideText> wide;
  Pool<std::vector<Any>> values;
  Pool<FormatValue> formats;
  Pool<SubDoc> subdocs_pool;
  std::deque<TypeData> types;  // 0 is no type
  StringTable strings;
  std::deque<ClientRuns> clients;
  std::unordered_map<ClientId, uint32_t> client_indices;
  std::vector<uint32_t> store_order;  // clients with structs, in order of their first one
  std::unordered_map<Ref, ItemId> redone;
  SiblingLists siblings;
  uint64_t scan_steps = 0;  // items that conflict scans have passed, for tests of their bound
  std::vector<std::pair<uint32_t, uint32_t>> roots;  // name, type

  uint32_t client_index(ClientId id);
  uint32_t own_client() {
    if (own_index_ == kNoClient || clients[own_index_].id != client_id) {
      own_index_ = client_index(client_id);
    }
    return own_index_;
  }
  Id wire_id(ItemId id) const { return {clients[id.client].id, id.clock}; }
  // kNoClient when the client is unknown.
  uint32_t find_client(ClientId id) const {
    if (last_client_ < clients.size() && clients[last_client_].id == id) return last_client_;
    auto found = client_indices.find(id);
    if (found == client_indices.end()) return kNoClient;
    return last_client_ = found->second;
  }
  uint32_t state_of(ClientId id) const {
    uint32_t client = find_client(id);
    return client == kNoClient ? 0 : clients[client].state;
  }
  // REQUIRES: id.clock < state of its client.
  Ref find(ItemId id) const {
    const ClientRuns& c = clients[id.client];
    return c.runs.at(c.runs.find(id.clock)).item;
  }
  Ref clean_start(ItemId id);
  Ref clean_end(ItemId id);
  // The item that holds `id`, or that undo put in its place, and the offset in it.
  std::pair<Ref, uint32_t> follow_redone(ItemId id, bool follow) const;
  // Splits at a position in the runs; returns the right part.
  Ref split(ClientRuns& client, RunIndex::Position position, uint32_t at);
  Ref split(Ref left, uint32_t at);
  void add_struct(Ref ref);
  void touch(ClientRuns& client, uint32_t index);

  // --- contents (content.cpp)
  std::string_view text_of(const Item& item) const {
    if (item.flags & Item::kWide)
      return text.view(wide[item.content].offset, wide[item.content].bytes);
    return text.view(item.content, item.length);
  }
  void set_text(Item& item, std::string_view value, bool ascii);
  void append_text(Item& item, std::string_view value, uint32_t units, bool ascii);
  void free_content(Item& item);
  // Moves the units from `at` on into `right`, whose other fields are set.
  void split_content(Item& left, Item& right, uint32_t at);
  bool merge_content(Item& left, Item& right);
  void copy_content(const Item& from, Item& to, Transaction& transaction);
  void compact_text();
  Value value_at(const Item& item, uint32_t offset);
  Any json_of(const Item& item, uint32_t offset, int depth);

  // --- types
  uint32_t new_type(TypeKind kind, std::string_view name);
  uint32_t root_type(std::string_view name, TypeKind kind);
  uint32_t add_root(uint32_t name, TypeKind kind);
  bool type_deleted(const TypeData& type) const {
    return type.dead || (type.item != kNil && items[type.item].deleted());
  }
  Type handle(uint32_t type) { return type == 0 ? Type() : Type(shared_from_this(), type); }
  Any type_json(uint32_t type, int depth);
  std::string xml_string(uint32_t type, int depth);

  // --- integration (integrate.cpp)
  // `left` and `right` are resolved in the item.
  void integrate(Ref ref);
  void delete_item(Ref ref);
  void gc_item(Ref ref, bool parent_collected);
  void add_changed(uint32_t type, bool has_key, uint32_t key);
  Ref insert_local(uint32_t type, Ref left, Ref right, Content kind, uint32_t content,
                   uint32_t length, bool has_sub = false, uint32_t sub = 0, uint8_t flags = 0);

  // --- transactions (transaction.cpp)
  TransactionState* current = nullptr;
  std::vector<std::unique_ptr<TransactionState>> cleanups;
  uint32_t last_serial = 0;
  bool begin(Origin origin, bool local);  // true: outermost
  void commit();
  TransactionState& transaction_of(uint32_t serial);
  uint32_t before_clock(const TransactionState& transaction, uint32_t client) const;
  // The same for the open transaction.
  uint32_t before_now(uint32_t client) const {
    const ClientRuns& runs = clients[client];
    return runs.touched_in == current->face.serial ? runs.before : runs.state;
  }
  void sort_deletes(TransactionState& transaction);
  bool deleted_in(const TransactionState& transaction, ItemId id) const;
  // Its clients' deletions, in the order of TransactionState::delete_clients.
  template <class F>
  static void for_each_delete(const TransactionState& transaction, F&& f) {
    if (transaction.delete_clients.empty()) {
      for (const DeleteRange& range : transaction.deletes) f(range);
    }
    for (const auto& of : transaction.delete_clients) {
      for (uint32_t i = of.first; i < of.end; ++i) f(transaction.deletes[i]);
    }
  }
  void collect(std::span<const DeleteRange> deletes);
  void merge_deletes(std::span<const DeleteRange> deletes);
  void collect_and_merge(TransactionState& transaction);
  // Merges leftwards from `p` as far as possible; returns the surviving position, counts merges.
  RunIndex::Position merge_lefts(ClientRuns& client, RunIndex::Position p, uint32_t& merged);
  Bytes transaction_update(TransactionState& transaction, UpdateVersion version);
  // Whether units may go on in the run at once. They become the first child of its last unit, which
  // no list of siblings would know.
  bool may_extend(const Item& item);

  // --- encoding (encode.cpp)
  template <class Writer>
  void write_item(Writer& writer, Ref ref, uint32_t offset);
  template <class Writer>
  void write_client(Writer& writer, uint32_t client, uint32_t clock);
  template <class Writer>
  bool write_transaction(Writer& writer, TransactionState& transaction);
  template <class Writer>
  void write_state(Writer& writer, const StateVector& state);
  // A client's structs below `until`, which is made a boundary. REQUIRES: an open transaction.
  void write_client_until(UpdateEncoderV2& writer, uint32_t client, uint32_t until);
  Bytes encode_state(const StateVector& state, UpdateVersion version);
  DeleteSet delete_set() const;
  StateVector state_vector() const;

  // --- applying (apply.cpp, load.cpp)
  Result<void> apply(std::span<const uint8_t> update, UpdateVersion version, Origin origin);
  // An update into a document without structs, when its bytes prove where everything goes. Nothing
  // has changed when they do not: apply() then goes the long way.
  enum class Loaded : uint8_t { No, Yes };
  Result<Loaded> load(std::span<const uint8_t> update, UpdateVersion version, Origin& origin);
  void read_content(Item& item, const StructView& view, uint32_t offset);
  void apply_deletes(std::span<const IdRange> ranges);
  PendingStructs pending_structs;
  PendingDeletes pending_deletes;

  // --- lists and maps (list.cpp)
  // The items around visible index `index`, which is made a boundary.
  void list_place(uint32_t type, uint32_t index, Ref& left, Ref& right);
  void list_insert_after(uint32_t type, Ref left, std::span<const Any> values);
  void list_insert(uint32_t type, uint32_t index, std::span<const Any> values);
  void list_delete(uint32_t type, uint32_t index, uint32_t count);
  void map_set(uint32_t type, std::string_view key, const Any& value);
  void map_delete(uint32_t type, std::string_view key);
  uint32_t insert_type(uint32_t parent, Ref left, const NewType& type);
  uint32_t map_set_type(uint32_t parent, std::string_view key, const NewType& type);
  void insert_doc(uint32_t parent, Ref left, const std::shared_ptr<Document>& doc);
  void map_set_doc(uint32_t parent, std::string_view key, const std::shared_ptr<Document>& doc);
  Content any_content(const Any& value) const;
  SubDoc subdoc_of(const std::shared_ptr<Document>& doc);
  // A new document for a sub-document that came from elsewhere.
  static SubDoc subdoc_from(const std::string& guid, const Any& options);

  // --- text (text.cpp, format.cpp)
  void forward(TextPosition& position);
  TextPosition text_position(uint32_t type, uint32_t index);
  // Where plain text goes at `index`: behind the deleted items there. For texts without formats.
  void plain_place(uint32_t type, uint32_t index, Ref& left, Ref& right);
  void text_insert(uint32_t type, uint32_t index, std::string_view value,
                   const Attributes* attributes);
  void text_insert_at(uint32_t type, TextPosition& position, std::string_view value,
                      AttributeMap attributes);
  Ref text_insert_item(uint32_t type, TextPosition& position, Content kind, uint32_t content,
                       AttributeMap attributes, const FillType& fill = nullptr);
  Type text_insert_type(uint32_t type, TextPosition& position, const NewType& made,
                        AttributeMap attributes, const FillType& fill);
  void insert_string(uint32_t type, Ref left, Ref right, std::string_view value, Ref* inserted);
  void text_format(uint32_t type, TextPosition& position, uint32_t length,
                   const AttributeMap& attributes);
  void text_delete(uint32_t type, uint32_t index, uint32_t count);
  void text_delete_at(TextPosition& position, uint32_t count);
  void insert_format(uint32_t type, TextPosition& position, uint32_t key, const Any& value);
  void insert_negated(uint32_t type, TextPosition& position, AttributeMap& negated);
  AttributeMap insert_attributes(uint32_t type, TextPosition& position,
                                 const AttributeMap& attributes);
  void minimize(TextPosition& position, const AttributeMap& attributes);
  uint32_t cleanup_gap(Ref start, Ref current_item, const AttributeMap& start_attributes,
                       AttributeMap& attributes);
  void cleanup_contextless(Ref item);
  uint32_t cleanup_type(uint32_t type);
  void cleanup_after(TransactionState& transaction);
  AttributeMap to_map(const Attributes& attributes);
  Attributes from_map(const AttributeMap& attributes) const;
  void update_attributes(AttributeMap& map, const Item& format) const;
  // One backspace, without splitting and merging: the last units of a run become the first of the
  // deleted run behind it. False when it is not that.
  bool shrink_tail(Ref ref, uint32_t clock, uint32_t count);
  std::string type_text(uint32_t type) const;

  // --- events (event.cpp)
  uint64_t next_observer = 1;
  uint32_t item_observers = 0;  // whoever may look at items before they are merged
  struct DocObserver {
    ObserverId id;
    std::function<void(std::span<const uint8_t>, Transaction&)> update;
    UpdateVersion version = UpdateVersion::V1;
    std::function<void(Transaction&)> event;
    DocEvent kind = DocEvent::AfterTransaction;
    std::function<void(const SubdocsEvent&, Transaction&)> subdocs;
    std::function<void()> destroy;
  };
  std::vector<std::shared_ptr<DocObserver>> observers;
  bool emits(DocEvent kind) const { return event_counts_[static_cast<size_t>(kind)] != 0; }
  void emit(DocEvent kind, Transaction& transaction, std::exception_ptr& error) {
    if (emits(kind)) emit_to_observers(kind, transaction, error);
  }
  ObserverId observe(DocObserver observer);
  void unobserve(ObserverId id);
  ObserverId observe_type(uint32_t type, Observer observer);
  void unobserve_type(uint32_t type, ObserverId id);
  void call_observers(TransactionState& transaction, std::exception_ptr& error);
  std::vector<DeltaOp> list_delta(const Event& event);
  std::vector<DeltaOp> text_delta(const Event& event);
  std::vector<std::pair<std::string, KeyChange>> key_changes(const Event& event);
  std::vector<PathStep> path_between(uint32_t from, uint32_t to) const;
  static std::unique_ptr<Event> make_event(Type target, Transaction& transaction,
                                           std::vector<std::string> keys, bool list);
  static void set_current_target(Event& event, Type type) {
    event.current_target_ = std::move(type);
  }

  // --- sub-documents
  std::vector<std::shared_ptr<Document>> subdocs;
  std::weak_ptr<Document> outer;
  ItemId outer_item;  // where this hangs in the outer document

  size_t memory() const;

  // Reused between transactions, so that they allocate nothing.
  std::unique_ptr<TransactionState> spare;

 private:
  void emit_to_observers(DocEvent kind, Transaction& transaction, std::exception_ptr& error);
  void cleanup(size_t i, std::exception_ptr& error);
  void emit_updates(TransactionState& t, std::exception_ptr& error);
  void emit_subdocs(TransactionState& t, std::exception_ptr& error);
  void link_sequence(TypeData& parent, Ref ref);
  void unlink_merged(ClientRuns& client, Item& left, Ref left_ref, Ref right_ref);
  void place_between(Ref ref, TypeData& parent);
  void scan_conflicts(Ref ref, TypeData& parent);
  // Finds the item's place by the list of its siblings, if there is one, and adds it to that.
  bool place_among_siblings(Ref ref);
  void make_siblings(const SiblingKey& key, Ref first, uint32_t steps_max);
  bool try_merge(Ref left_ref, Ref right_ref);
  void kill_type(uint32_t type);
  friend struct Applier;
  friend struct Loader;

  std::unordered_map<uint32_t, uint32_t> root_indices_;  // name -> type
  uint32_t own_index_ = kNoClient;
  mutable uint32_t last_client_ = 0;
  uint32_t event_counts_[6] = {};
  uint32_t type_observers_ = 0;
  uint32_t update_listeners_[2] = {};
  UpdateEncoderV1 update_writer_;
  std::vector<Ref> delete_stack_;
  ApplyBuffersPtr spare_buffers_;
  friend class lattice::crdt::Event;
};

}  // namespace lattice::crdt::internal
