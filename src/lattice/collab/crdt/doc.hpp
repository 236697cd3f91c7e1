// SPDX-License-Identifier: MIT
// A shared document: Yjs's document model, natively.
//
// A Doc holds named root types (Text, Array, Map, Xml...). Changes happen in transactions; each
// transaction ends with observers, garbage collection and, for whoever listens, one update in
// Yjs's bytes. Replicas that have applied the same set of updates, in any order, are equal.
//
// Handles (Doc, Text, Map, ...) are small copyable values that keep the document alive. A document
// belongs to one thread. Lengths and indices are UTF-16 code units, as on the wire; text goes in
// and out as UTF-8. Misuse (an index past the end, a root of another type) throws lattice::Error;
// bytes of peers never throw: apply_update returns a Result.
//
// Source: Yjs 13.6 (docs/crdt_format.md says where the structure differs and why the bytes do not).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "lattice/base/error.hpp"
#include "lattice/base/result.hpp"
#include "lattice/collab/crdt/any.hpp"
#include "lattice/collab/crdt/id.hpp"
#include "lattice/collab/crdt/id_set.hpp"
#include "lattice/collab/crdt/state_vector.hpp"

namespace lattice::crdt {

class Doc;
class Event;
class ItemView;
class Snapshot;
class Transaction;
class Type;

namespace internal {
class Document;
}

// The numbers are the wire's type references.
enum class TypeKind : uint8_t {
  Array = 0,
  Map = 1,
  Text = 2,
  XmlElement = 3,
  XmlFragment = 4,
  XmlHook = 5,
  XmlText = 6,
  Undefined = 15,  // a root that a peer wrote to and nobody here has named a type for
};

using UpdateVersion = Encoding;  // V1 or V2

using Bytes = std::vector<uint8_t>;
using ObserverId = uint64_t;

// Why a transaction happened; UndoManager tracks by it. Compared by value, objects by identity.
using Origin = std::variant<std::monostate, int64_t, std::string, std::shared_ptr<const void>>;

// Formatting attributes in order of first mention; a null value removes the attribute.
using Attributes = std::vector<std::pair<std::string, Any>>;

// What a place in a list or a map holds: a plain value, a shared type or a sub-document.
class Value;

// --- Types ------------------------------------------------------------------------------------

// A handle on a shared type of a document. Default constructed, it is empty (`!type`).
class Type {
 public:
  Type() = default;
  Type(std::shared_ptr<internal::Document> document, uint32_t index) noexcept
      : document_(std::move(document)), index_(index) {}

  explicit operator bool() const noexcept { return document_ != nullptr; }
  friend bool operator==(const Type& a, const Type& b) noexcept {
    return a.document_ == b.document_ && a.index_ == b.index_;
  }
  TypeKind kind() const;
  Doc doc() const;
  // The type that holds this one; empty for a root.
  Type parent() const;
  // The item that holds this type; none for a root.
  std::optional<ItemView> item() const;
  // The name of a root; empty for others.
  std::string_view root_name() const;
  bool deleted() const;
  // Plain data: what Yjs's toJSON gives.
  Any to_json() const;

  ObserverId observe(std::function<void(Event&)> callback) const;
  // Once per transaction with the events of this type and everything below it, outermost first.
  ObserverId observe_deep(std::function<void(std::span<Event>)> callback) const;
  void unobserve(ObserverId id) const;

  // Items of the sequence from the left, tombstones included; the current item of every key.
  std::vector<ItemView> items() const;
  std::vector<std::pair<std::string, ItemView>> entries() const;

  // For the engine and its tests: the type's index in its document.
  uint32_t index() const noexcept { return index_; }
  const std::shared_ptr<internal::Document>& document() const noexcept { return document_; }

 protected:
  std::shared_ptr<internal::Document> document_;
  uint32_t index_ = 0;
};

// What an insert can create; the new type is returned and filled afterwards, in the same
// transaction. `name` is the node name of an XmlElement or the hook name of an XmlHook.
struct NewType {
  TypeKind kind = TypeKind::Map;
  std::string name;
};

// Fills a type that is being embedded in a text, before the marks that end its attributes are made:
// the order in which Yjs writes both.
using FillType = std::function<void(const Type& made)>;

// One entry of a delta. `values` is set for list inserts and embeds, `text` for text inserts; to
// embed a new type in a text, `new_type` and `fill` say which and with what.
struct DeltaOp {
  enum class Action : uint8_t { Insert, Retain, Delete };
  Action action = Action::Retain;
  uint32_t count = 0;  // units retained or deleted
  std::string text;
  std::vector<Value> values;
  std::optional<NewType> new_type = std::nullopt;
  FillType fill = nullptr;
  Attributes attributes;
};

class Value {
 public:
  Value() = default;
  Value(Any any);
  Value(Type type);
  Value(std::shared_ptr<Doc> doc);

  bool is_any() const noexcept { return held_.index() == 0; }
  bool is_type() const noexcept { return held_.index() == 1; }
  bool is_doc() const noexcept { return held_.index() == 2; }
  const Any& any() const { return std::get<0>(held_); }
  const Type& type() const { return std::get<1>(held_); }
  const Doc& doc() const { return *std::get<2>(held_); }
  Any to_json() const;

 private:
  std::variant<Any, Type, std::shared_ptr<Doc>> held_;
};

class Array : public Type {
 public:
  using Type::Type;
  uint32_t length() const;
  // Bytes become binary content; runs of other values one item.
  void insert(uint32_t index, std::span<const Any> values) const;
  void insert(uint32_t index, Any value) const { insert(index, std::span<const Any>(&value, 1)); }
  Type insert(uint32_t index, const NewType& type) const;
  void insert(uint32_t index, const Doc& subdoc) const;
  void push(std::span<const Any> values) const;
  void push(Any value) const { push(std::span<const Any>(&value, 1)); }
  Type push(const NewType& type) const;
  void erase(uint32_t index, uint32_t count = 1) const;
  Value get(uint32_t index) const;  // undefined past the end
  std::vector<Value> slice(uint32_t begin, uint32_t end) const;
  std::vector<Value> to_vector() const;
};

class Map : public Type {
 public:
  using Type::Type;
  void set(std::string_view key, Any value) const;
  Type set(std::string_view key, const NewType& type) const;
  void set(std::string_view key, const Doc& subdoc) const;
  void erase(std::string_view key) const;
  void clear() const;
  std::optional<Value> get(std::string_view key) const;
  bool has(std::string_view key) const;
  uint32_t size() const;
  std::vector<std::string> keys() const;
  std::vector<std::pair<std::string, Value>> to_vector() const;
};

// Text and XmlText.
class Text : public Type {
 public:
  using Type::Type;
  uint32_t length() const;
  // Without attributes the text takes those of its place; with them exactly those.
  void insert(uint32_t index, std::string_view text) const;
  void insert(uint32_t index, std::string_view text, const Attributes& attributes) const;
  void insert_embed(uint32_t index, Any embed, const Attributes* attributes = nullptr) const;
  Type insert_embed(uint32_t index, const NewType& type, const Attributes* attributes = nullptr,
                    const FillType& fill = nullptr) const;
  void erase(uint32_t index, uint32_t count) const;
  void format(uint32_t index, uint32_t count, const Attributes& attributes) const;
  // `sanitize` = false drops the newline that ends a Quill document.
  void apply_delta(std::span<const DeltaOp> delta, bool sanitize = true) const;
  std::vector<DeltaOp> to_delta() const;
  // What the text was at `snapshot`; with `previous`, changes between the two are marked with the
  // attribute "ychange". REQUIRES: a document made with gc = false.
  using YChange = std::function<Any(bool added, Id id)>;
  std::vector<DeltaOp> to_delta(const Snapshot* snapshot, const Snapshot* previous,
                                const YChange& ychange = {}) const;
  std::string to_string() const;
  // Removes marks that say nothing; returns how many.
  uint32_t clean_up_formatting() const;

  void set_attribute(std::string_view key, Any value) const;
  void erase_attribute(std::string_view key) const;
  std::optional<Value> get_attribute(std::string_view key) const;
  std::vector<std::pair<std::string, Value>> attributes() const;
};

// XmlFragment, and what XmlElement and XmlHook share with it.
class XmlFragment : public Type {
 public:
  using Type::Type;
  uint32_t length() const;
  Type insert(uint32_t index, const NewType& type) const;  // XmlElement, XmlText or XmlHook
  // After `reference`, a child of this; empty means at the front.
  Type insert_after(const Type& reference, const NewType& type) const;
  Type push(const NewType& type) const;
  void erase(uint32_t index, uint32_t count = 1) const;
  Type get(uint32_t index) const;  // empty past the end
  Type first_child() const;
  std::vector<Type> children() const;
  // Everything below in document order.
  std::vector<Type> descendants() const;
  std::string to_string() const;
};

class XmlElement : public XmlFragment {
 public:
  using XmlFragment::XmlFragment;
  std::string_view node_name() const;
  void set_attribute(std::string_view key, Any value) const;
  void erase_attribute(std::string_view key) const;
  bool has_attribute(std::string_view key) const;
  std::optional<Value> get_attribute(std::string_view key) const;
  std::vector<std::pair<std::string, Value>> attributes() const;
};

class XmlText : public Text {
 public:
  using Text::Text;
  std::string to_xml_string() const;
};

class XmlHook : public Map {
 public:
  using Map::Map;
  std::string_view hook_name() const;
};

// The next or previous child of the same parent; empty at the ends.
Type next_sibling(const Type& type);
Type previous_sibling(const Type& type);

// --- Transactions and events --------------------------------------------------------------------

struct DocOptions {
  uint64_t client_id = 0;  // 0: random, 32 bit
  std::string guid;        // empty: random UUID
  std::string collection_id;
  Any meta;  // null or undefined: none
  bool gc = true;
  bool auto_load = false;
  bool should_load = true;
  std::function<bool(const ItemView&)> gc_filter;  // false keeps a deleted item's content
};

class Transaction {
 public:
  Doc doc() const;
  const Origin& origin() const;
  bool local() const;
  // What was deleted; sorted and merged once observers run.
  DeleteSet delete_set() const;
  StateVector before_state() const;
  StateVector after_state() const;
  uint64_t before_clock(ClientId client) const;
  // Types whose own content changed, each with its keys; an empty optional stands for the sequence.
  std::vector<std::pair<Type, std::vector<std::optional<std::string>>>> changed() const;
  bool changed(const Type& type) const;  // the type itself or anything below it
  // This transaction's update, as listeners get it; empty when nothing changed.
  Bytes update(UpdateVersion version = UpdateVersion::V1) const;

  internal::Document& document;
  uint32_t serial;
};

struct KeyChange {
  enum class Action : uint8_t { Add, Update, Delete };
  Action action = Action::Add;
  Value old_value;  // undefined for Add
};

using PathStep = std::variant<std::string, uint32_t>;

// What happened to one type in one transaction. Valid during the callback only.
class Event {
 public:
  const Type& target() const { return target_; }
  const Type& current_target() const { return current_target_; }
  Transaction& transaction() const { return *transaction_; }
  std::vector<PathStep> path() const;  // from current_target() to target()
  const std::vector<DeltaOp>& delta() const;
  const std::vector<std::pair<std::string, KeyChange>>& keys() const;
  const std::vector<std::string>& keys_changed() const { return keys_changed_; }
  bool child_list_changed() const { return child_list_changed_; }
  std::vector<ItemView> added() const;
  std::vector<ItemView> deleted() const;
  bool adds(const ItemView& item) const;
  bool deletes(const ItemView& item) const;

 private:
  friend class internal::Document;
  Type target_, current_target_;
  Transaction* transaction_ = nullptr;
  std::vector<std::string> keys_changed_;
  bool child_list_changed_ = false;
  mutable std::optional<std::vector<DeltaOp>> delta_;
  mutable std::optional<std::vector<std::pair<std::string, KeyChange>>> keys_;
};

// Read-only view of one struct of the store: for tests, debuggers and filters. Valid until the
// document changes.
class ItemView {
 public:
  ItemView(internal::Document& document, uint32_t ref) noexcept : document_(&document), ref_(ref) {}
  Id id() const;
  uint32_t length() const;
  // The wire's content reference: 0 GC, 1 Deleted, 2 JSON, ... 9 Doc.
  uint8_t content_ref() const;
  bool is_gc() const { return content_ref() == 0; }
  bool deleted() const;
  bool countable() const;
  bool keep() const;
  std::optional<Id> origin() const;
  std::optional<Id> right_origin() const;
  std::optional<Id> redone() const;
  std::optional<ItemView> left() const;
  std::optional<ItemView> right() const;
  Type parent() const;  // empty for GC
  std::optional<std::string> parent_sub() const;
  std::vector<Value> content() const;  // one per unit; a string gives one value
  std::string format_key() const;      // content_ref 6
  Type type() const;                   // content_ref 7
  uint32_t ref() const noexcept { return ref_; }
  friend bool operator==(const ItemView& a, const ItemView& b) noexcept {
    return a.document_ == b.document_ && a.ref_ == b.ref_;
  }

 private:
  internal::Document* document_;
  uint32_t ref_;
};

struct SubdocsEvent {
  std::vector<Doc> added, removed, loaded;
};

enum class DocEvent : uint8_t {
  BeforeAllTransactions,  // the Transaction is the one about to begin
  BeforeTransaction,
  BeforeObserverCalls,
  AfterTransaction,
  AfterTransactionCleanup,
  AfterAllTransactions,  // the last one
};

// --- The document
// ---------------------------------------------------------------------------------

class Doc {
 public:
  explicit Doc(DocOptions options = {});
  explicit Doc(std::shared_ptr<internal::Document> document) noexcept
      : document_(std::move(document)) {}
  friend bool operator==(const Doc& a, const Doc& b) noexcept { return a.document_ == b.document_; }

  ClientId client_id() const;
  void set_client_id(ClientId client) const;
  const std::string& guid() const;
  const std::string& collection_id() const;
  bool gc() const;
  void set_gc(bool gc) const;
  const Any& meta() const;
  bool auto_load() const;
  bool should_load() const;

  // Root types. One name has one type: asking for another throws Error.
  Text text(std::string_view name) const;
  Array array(std::string_view name) const;
  Map map(std::string_view name) const;
  XmlFragment xml_fragment(std::string_view name) const;
  XmlElement xml_element(std::string_view name) const;
  XmlText xml_text(std::string_view name) const;
  Type get(std::string_view name, TypeKind kind = TypeKind::Undefined) const;
  std::vector<std::pair<std::string, Type>> roots() const;
  Any to_json() const;

  // Runs `body` in a transaction; inside one it joins that. Observers and updates follow when the
  // outermost one ends, also when `body` throws.
  template <class Body>
  auto transact(Body&& body, Origin origin = {}) const {
    Scope scope(*this, std::move(origin), true);
    if constexpr (std::is_invocable_v<Body, Transaction&>) {
      return std::forward<Body>(body)(scope.transaction());
    } else {
      return std::forward<Body>(body)();
    }
  }
  // The open transaction; null outside.
  Transaction* current_transaction() const;

  // A transaction as an object, for bindings: begins at construction, ends at close() or
  // destruction. Observers' exceptions leave through close(), or end in the destructor when the
  // stack is unwinding.
  class Scope {
   public:
    Scope(const Doc& doc, Origin origin, bool local);
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() noexcept(false);
    Transaction& transaction() const;
    void close();

   private:
    std::shared_ptr<internal::Document> document_;
    bool outermost_ = false;
    bool open_ = true;
    int uncaught_ = 0;
  };

  Result<void> apply_update(std::span<const uint8_t> update,
                            UpdateVersion version = UpdateVersion::V1, Origin origin = {}) const;
  // What a peer with `state` lacks; an empty state vector gives everything. Holds what is pending.
  Bytes encode_state_as_update(const StateVector& state = {},
                               UpdateVersion version = UpdateVersion::V1) const;
  Bytes encode_state_vector() const;
  StateVector state_vector() const;
  uint64_t clock(ClientId client) const;
  DeleteSet delete_set() const;

  ObserverId on_update(
      std::function<void(std::span<const uint8_t> update, Transaction& transaction)> callback,
      UpdateVersion version = UpdateVersion::V1) const;
  ObserverId on(DocEvent event, std::function<void(Transaction&)> callback) const;
  ObserverId on_subdocs(std::function<void(const SubdocsEvent&, Transaction&)> callback) const;
  ObserverId on_destroy(std::function<void()> callback) const;
  void off(ObserverId id) const;

  // Sub-documents. load() asks the outer document's providers for the content.
  void load() const;
  void destroy() const;
  std::vector<Doc> subdocs() const;
  std::optional<ItemView> subdoc_item() const;  // where this one hangs in its outer document

  // Views of the store, for tests and debuggers.
  std::vector<ClientId> clients() const;
  std::vector<ItemView> structs(ClientId client) const;
  std::optional<ItemView> find(Id id) const;
  struct Pending {
    StateVector missing;
    Bytes update_v2;
  };
  std::optional<Pending> pending_structs() const;
  std::optional<Bytes> pending_delete_set() const;  // v2, without structs
  // Bytes that the document's structures hold.
  size_t memory_used() const;

  const std::shared_ptr<internal::Document>& document() const noexcept { return document_; }

 private:
  std::shared_ptr<internal::Document> document_;
};

}  // namespace lattice::crdt
