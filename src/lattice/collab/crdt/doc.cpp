// SPDX-License-Identifier: MIT
#include "lattice/collab/crdt/doc.hpp"

#include <algorithm>

#include "lattice/collab/crdt/internal/document.hpp"

namespace lattice::crdt {

using internal::Document;

Doc::Doc(DocOptions options) : document_(std::make_shared<Document>(std::move(options))) {}

ClientId Doc::client_id() const { return document_->client_id; }
void Doc::set_client_id(ClientId client) const {
  if (client > kClientIdMax) {
    throw Error("Doc: client id " + std::to_string(client) + " is above 2^53 - 1");
  }
  document_->client_id = client;
}
const std::string& Doc::guid() const { return document_->guid; }
const std::string& Doc::collection_id() const { return document_->collection_id; }
bool Doc::gc() const { return document_->gc; }
void Doc::set_gc(bool gc) const { document_->gc = gc; }
const Any& Doc::meta() const { return document_->meta; }
bool Doc::auto_load() const { return document_->auto_load; }
bool Doc::should_load() const { return document_->should_load; }

Type Doc::get(std::string_view name, TypeKind kind) const {
  return document_->handle(document_->root_type(name, kind));
}
Text Doc::text(std::string_view name) const {
  return Text(document_, document_->root_type(name, TypeKind::Text));
}
Array Doc::array(std::string_view name) const {
  return Array(document_, document_->root_type(name, TypeKind::Array));
}
Map Doc::map(std::string_view name) const {
  return Map(document_, document_->root_type(name, TypeKind::Map));
}
XmlFragment Doc::xml_fragment(std::string_view name) const {
  return XmlFragment(document_, document_->root_type(name, TypeKind::XmlFragment));
}
XmlElement Doc::xml_element(std::string_view name) const {
  return XmlElement(document_, document_->root_type(name, TypeKind::XmlElement));
}
XmlText Doc::xml_text(std::string_view name) const {
  return XmlText(document_, document_->root_type(name, TypeKind::XmlText));
}

std::vector<std::pair<std::string, Type>> Doc::roots() const {
  std::vector<std::pair<std::string, Type>> out;
  for (auto [name, type] : document_->roots) {
    out.emplace_back(document_->strings[name], document_->handle(type));
  }
  return out;
}

Any Doc::to_json() const {
  Any::Object object;
  for (auto [name, type] : document_->roots) {
    object.emplace_back(document_->strings[name], document_->type_json(type, 0));
  }
  return Any::object(std::move(object));
}

Transaction* Doc::current_transaction() const {
  return document_->current == nullptr ? nullptr : &document_->current->face;
}

Doc::Scope::Scope(const Doc& doc, Origin origin, bool local)
    : document_(doc.document()), uncaught_(std::uncaught_exceptions()) {
  outermost_ = document_->begin(std::move(origin), local);
}

Transaction& Doc::Scope::transaction() const { return document_->current->face; }

void Doc::Scope::close() {
  if (!open_) return;
  open_ = false;
  if (outermost_) document_->commit();
}

Doc::Scope::~Scope() noexcept(false) {
  if (!open_) return;
  if (std::uncaught_exceptions() == uncaught_) {
    close();
    return;
  }
  try {
    close();
  } catch (...) {
    // The exception that unwinds is the one the caller sees; observers have all run.
  }
}

Result<void> Doc::apply_update(std::span<const uint8_t> update, UpdateVersion version,
                               Origin origin) const {
  return document_->apply(update, version, std::move(origin));
}
Bytes Doc::encode_state_as_update(const StateVector& state, UpdateVersion version) const {
  return document_->encode_state(state, version);
}
Bytes Doc::encode_state_vector() const { return document_->state_vector().encode(); }
StateVector Doc::state_vector() const { return document_->state_vector(); }
uint64_t Doc::clock(ClientId client) const { return document_->state_of(client); }
DeleteSet Doc::delete_set() const { return document_->delete_set(); }

ObserverId Doc::on_update(std::function<void(std::span<const uint8_t>, Transaction&)> callback,
                          UpdateVersion version) const {
  Document::DocObserver observer{};
  observer.update = std::move(callback);
  observer.version = version;
  return document_->observe(std::move(observer));
}
ObserverId Doc::on(DocEvent event, std::function<void(Transaction&)> callback) const {
  Document::DocObserver observer{};
  observer.event = std::move(callback);
  observer.kind = event;
  return document_->observe(std::move(observer));
}
ObserverId Doc::on_subdocs(std::function<void(const SubdocsEvent&, Transaction&)> callback) const {
  Document::DocObserver observer{};
  observer.subdocs = std::move(callback);
  return document_->observe(std::move(observer));
}
ObserverId Doc::on_destroy(std::function<void()> callback) const {
  Document::DocObserver observer{};
  observer.destroy = std::move(callback);
  return document_->observe(std::move(observer));
}
void Doc::off(ObserverId id) const { document_->unobserve(id); }

void Doc::load() const {
  std::shared_ptr<Document> outer = document_->outer.lock();
  if (outer && document_->outer_item && !document_->should_load) {
    Scope scope(Doc(outer), Origin{}, true);
    outer->current->subdocs_loaded.push_back(document_);
    scope.close();
  }
  document_->should_load = true;
}

void Doc::destroy() const {
  if (document_->destroyed) return;
  document_->destroyed = true;
  for (const auto& subdoc : std::vector<std::shared_ptr<Document>>(document_->subdocs)) {
    Doc(subdoc).destroy();
  }
  std::shared_ptr<Document> outer = document_->outer.lock();
  if (outer && document_->outer_item) {
    const internal::ItemId at = document_->outer_item;
    document_->outer_item = {};
    const internal::Ref ref = outer->find(at);
    internal::Item& item = outer->items[ref];
    std::shared_ptr<Document> fresh;
    if (item.kind == internal::Content::Doc) {
      internal::SubDoc& held = outer->subdocs_pool[item.content];
      fresh = Document::subdoc_from(document_->guid, held.options).document;
      fresh->should_load = false;
      fresh->outer = outer;
      fresh->outer_item = at;
      held.document = fresh;
    }
    Scope scope(Doc(outer), Origin{}, true);
    if (fresh && !item.deleted()) outer->current->subdocs_added.push_back(fresh);
    outer->current->subdocs_removed.push_back(document_);
    scope.close();
  }
  for (const auto& observer :
       std::vector<std::shared_ptr<Document::DocObserver>>(document_->observers)) {
    if (observer->destroy) observer->destroy();
  }
  for (const auto& observer :
       std::vector<std::shared_ptr<Document::DocObserver>>(document_->observers)) {
    document_->unobserve(observer->id);
  }
}

std::vector<Doc> Doc::subdocs() const {
  std::vector<Doc> out;
  for (const auto& subdoc : document_->subdocs) out.emplace_back(subdoc);
  return out;
}

std::optional<ItemView> Doc::subdoc_item() const {
  std::shared_ptr<Document> outer = document_->outer.lock();
  if (!outer || !document_->outer_item) return std::nullopt;
  return ItemView(*outer, outer->find(document_->outer_item));
}

std::vector<ClientId> Doc::clients() const {
  std::vector<ClientId> out;
  for (uint32_t index : document_->store_order) out.push_back(document_->clients[index].id);
  return out;
}

std::vector<ItemView> Doc::structs(ClientId client) const {
  std::vector<ItemView> out;
  const uint32_t index = document_->find_client(client);
  if (index == internal::kNoClient) return out;
  document_->clients[index].runs.for_each(
      [&](const auto& run) { out.emplace_back(*document_, run.item); });
  return out;
}

std::optional<ItemView> Doc::find(Id id) const {
  const uint32_t index = document_->find_client(id.client);
  if (index == internal::kNoClient || id.clock >= document_->clients[index].state) {
    return std::nullopt;
  }
  return ItemView(*document_, document_->find({index, id.clock}));
}

std::optional<Doc::Pending> Doc::pending_structs() const {
  internal::PendingStructs& pending = document_->pending_structs;
  if (pending.empty()) return std::nullopt;
  // What has moved since, without being enough, would be here after trying again.
  StateVector missing;
  for (const auto& entry : pending.missing().entries()) {
    missing.set(entry.client, std::max<Clock>(entry.clock, document_->state_of(entry.client)));
  }
  return Pending{std::move(missing), pending.update_v2()};
}
std::optional<Bytes> Doc::pending_delete_set() const {
  if (document_->pending_deletes.empty()) return std::nullopt;
  return document_->pending_deletes.update_v2();
}
size_t Doc::memory_used() const { return document_->memory(); }

}  // namespace lattice::crdt
