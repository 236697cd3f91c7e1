// SPDX-License-Identifier: MIT
// The handles on shared types: every call finds its TypeData and runs in a transaction.
#include <algorithm>

#include "lattice/collab/crdt/doc.hpp"
#include "lattice/collab/crdt/internal/document.hpp"

namespace lattice::crdt {

using internal::Content;
using internal::Document;
using internal::Item;
using internal::KeyMap;
using internal::kNil;
using internal::Ref;
using internal::TypeData;

namespace {

TypeData& data(const Type& type) {
  if (!type) throw Error("Type: the handle is empty");
  return type.document()->types[type.index()];
}

// The transaction that every edit runs in.
class Edit {
 public:
  explicit Edit(const Type& type) : document_(*type.document()) {
    outermost_ = document_.begin(Origin{}, true);
    uncaught_ = std::uncaught_exceptions();
  }
  ~Edit() noexcept(false) {
    if (!outermost_) return;
    if (std::uncaught_exceptions() == uncaught_) {
      document_.commit();
      return;
    }
    try {
      document_.commit();
    } catch (...) {
      // The error that unwinds is the caller's; observers have all run.
    }
  }
  Edit(const Edit&) = delete;
  Edit& operator=(const Edit&) = delete;

 private:
  Document& document_;
  bool outermost_ = false;
  int uncaught_ = 0;
};

Ref place_for(const Type& type, uint32_t index) {
  TypeData& list = data(type);
  if (index > list.length) {
    throw Error("insert: index " + std::to_string(index) + " is past the end; the length is " +
                std::to_string(list.length));
  }
  Ref left;
  Ref right;
  type.document()->list_place(type.index(), index, left, right);
  return left;
}

std::optional<Value> entry(const Type& type, std::string_view key) {
  TypeData& map = data(type);
  Document& document = *type.document();
  const Ref ref = map.keys.get(document.strings.find(key));
  if (ref == kNil || document.items[ref].deleted()) return std::nullopt;
  return document.value_at(document.items[ref], document.items[ref].length - 1);
}

std::vector<std::pair<std::string, Value>> entries_of(const Type& type) {
  std::vector<std::pair<std::string, Value>> out;
  Document& document = *type.document();
  for (const KeyMap::Entry& e : data(type).keys.entries()) {
    const Item& item = document.items[e.item];
    if (!item.deleted()) {
      out.emplace_back(document.strings[e.key], document.value_at(item, item.length - 1));
    }
  }
  return out;
}

}  // namespace

// --- Type, Value
// ----------------------------------------------------------------------------------

TypeKind Type::kind() const { return data(*this).kind; }
Doc Type::doc() const { return Doc(document_); }
Type Type::parent() const { return document_->handle(data(*this).parent); }
std::optional<ItemView> Type::item() const {
  const TypeData& type = data(*this);
  if (type.item == kNil) return std::nullopt;
  return ItemView(*document_, type.item);
}
std::string_view Type::root_name() const {
  const TypeData& type = data(*this);
  return type.is_root() ? std::string_view(document_->strings[type.name]) : std::string_view();
}
bool Type::deleted() const { return document_->type_deleted(data(*this)); }
Any Type::to_json() const { return document_->type_json((data(*this), index_), 0); }

ObserverId Type::observe(std::function<void(Event&)> callback) const {
  internal::Observer observer{};
  observer.shallow = std::move(callback);
  return document_->observe_type(index_, std::move(observer));
}
ObserverId Type::observe_deep(std::function<void(std::span<Event>)> callback) const {
  internal::Observer observer{};
  observer.deep = std::move(callback);
  return document_->observe_type(index_, std::move(observer));
}
void Type::unobserve(ObserverId id) const { document_->unobserve_type(index_, id); }

std::vector<ItemView> Type::items() const {
  std::vector<ItemView> out;
  for (Ref ref = data(*this).start; ref != kNil; ref = document_->items[ref].right) {
    out.emplace_back(*document_, ref);
  }
  return out;
}
std::vector<std::pair<std::string, ItemView>> Type::entries() const {
  std::vector<std::pair<std::string, ItemView>> out;
  for (const KeyMap::Entry& e : data(*this).keys.entries()) {
    out.emplace_back(document_->strings[e.key], ItemView(*document_, e.item));
  }
  return out;
}

Value::Value(Any any) : held_(std::move(any)) {}
Value::Value(Type type) : held_(std::move(type)) {}
Value::Value(std::shared_ptr<Doc> doc) : held_(std::move(doc)) {}
Any Value::to_json() const {
  if (is_any()) return any();
  if (is_type()) return type().to_json();
  return Any::object({});
}

// --- Array
// ----------------------------------------------------------------------------------------

uint32_t Array::length() const { return data(*this).length; }
void Array::insert(uint32_t index, std::span<const Any> values) const {
  Edit edit(*this);
  document_->list_insert(index_, index, values);
}
Type Array::insert(uint32_t index, const NewType& type) const {
  Edit edit(*this);
  return document_->handle(document_->insert_type(index_, place_for(*this, index), type));
}
void Array::insert(uint32_t index, const Doc& subdoc) const {
  Edit edit(*this);
  document_->insert_doc(index_, place_for(*this, index), subdoc.document());
}
void Array::push(std::span<const Any> values) const {
  Edit edit(*this);
  // Behind tombstones too, as Yjs pushes.
  document_->list_insert_after(index_, document_->sequences.last(data(*this).root), values);
}
Type Array::push(const NewType& type) const {
  Edit edit(*this);
  return document_->handle(
      document_->insert_type(index_, document_->sequences.last(data(*this).root), type));
}
void Array::erase(uint32_t index, uint32_t count) const {
  Edit edit(*this);
  document_->list_delete(index_, index, count);
}
Value Array::get(uint32_t index) const {
  auto place = document_->sequences.find(data(*this).root, index);
  if (place.item == kNil) return {};
  return document_->value_at(document_->items[place.item], place.offset);
}
std::vector<Value> Array::slice(uint32_t begin, uint32_t end) const {
  std::vector<Value> out;
  end = std::min(end, length());
  if (begin >= end) return out;
  auto place = document_->sequences.find(data(*this).root, begin);
  uint32_t left = end - begin;
  for (Ref ref = place.item; ref != kNil && left > 0; ref = document_->items[ref].right) {
    const Item& item = document_->items[ref];
    if (item.visible() == 0) continue;
    for (uint32_t i = place.offset; i < item.length && left > 0; ++i, --left) {
      out.push_back(document_->value_at(item, i));
    }
    place.offset = 0;
  }
  return out;
}
std::vector<Value> Array::to_vector() const { return slice(0, length()); }

// --- Map
// ------------------------------------------------------------------------------------------

void Map::set(std::string_view key, Any value) const {
  Edit edit(*this);
  document_->map_set(index_, key, value);
}
Type Map::set(std::string_view key, const NewType& type) const {
  Edit edit(*this);
  return document_->handle(document_->map_set_type(index_, key, type));
}
void Map::set(std::string_view key, const Doc& subdoc) const {
  Edit edit(*this);
  document_->map_set_doc(index_, key, subdoc.document());
}
void Map::erase(std::string_view key) const {
  Edit edit(*this);
  document_->map_delete(index_, key);
}
void Map::clear() const {
  Edit edit(*this);
  const auto all = data(*this).keys.entries();
  for (const KeyMap::Entry& e : all) {
    if (!document_->items[e.item].deleted()) document_->delete_item(e.item);
  }
}
std::optional<Value> Map::get(std::string_view key) const { return entry(*this, key); }
bool Map::has(std::string_view key) const {
  const Ref ref = data(*this).keys.get(document_->strings.find(key));
  return ref != kNil && !document_->items[ref].deleted();
}
uint32_t Map::size() const {
  uint32_t count = 0;
  for (const KeyMap::Entry& e : data(*this).keys.entries()) {
    count += !document_->items[e.item].deleted();
  }
  return count;
}
std::vector<std::string> Map::keys() const {
  std::vector<std::string> out;
  for (const KeyMap::Entry& e : data(*this).keys.entries()) {
    if (!document_->items[e.item].deleted()) out.push_back(document_->strings[e.key]);
  }
  return out;
}
std::vector<std::pair<std::string, Value>> Map::to_vector() const { return entries_of(*this); }

// --- Text
// -----------------------------------------------------------------------------------------

uint32_t Text::length() const { return data(*this).length; }
void Text::insert(uint32_t index, std::string_view text) const {
  Edit edit(*this);
  document_->text_insert(index_, index, text, nullptr);
}
void Text::insert(uint32_t index, std::string_view text, const Attributes& attributes) const {
  Edit edit(*this);
  document_->text_insert(index_, index, text, &attributes);
}
void Text::insert_embed(uint32_t index, Any embed, const Attributes* attributes) const {
  Edit edit(*this);
  auto position = document_->text_position(index_, index);
  document_->text_insert_item(
      index_, position, Content::Embed, document_->values.add({std::move(embed)}),
      attributes == nullptr ? internal::AttributeMap{} : document_->to_map(*attributes));
}
Type Text::insert_embed(uint32_t index, const NewType& type, const Attributes* attributes,
                        const FillType& fill) const {
  Edit edit(*this);
  auto position = document_->text_position(index_, index);
  return document_->text_insert_type(
      index_, position, type,
      attributes == nullptr ? internal::AttributeMap{} : document_->to_map(*attributes), fill);
}
void Text::erase(uint32_t index, uint32_t count) const {
  Edit edit(*this);
  document_->text_delete(index_, index, count);
}
void Text::format(uint32_t index, uint32_t count, const Attributes& attributes) const {
  if (count == 0) return;
  Edit edit(*this);
  auto position = document_->text_position(index_, index);
  if (position.right == kNil) return;
  document_->text_format(index_, position, count, document_->to_map(attributes));
}
void Text::apply_delta(std::span<const DeltaOp> delta, bool sanitize) const {
  Edit edit(*this);
  internal::TextPosition position;
  position.right = data(*this).start;
  for (size_t i = 0; i < delta.size(); ++i) {
    const DeltaOp& op = delta[i];
    switch (op.action) {
      case DeltaOp::Action::Insert: {
        internal::AttributeMap attributes = document_->to_map(op.attributes);
        if (op.new_type) {
          document_->text_insert_type(index_, position, *op.new_type, std::move(attributes),
                                      op.fill);
          break;
        }
        if (!op.values.empty()) {
          const Value& value = op.values[0];
          if (value.is_any()) {
            document_->text_insert_item(index_, position, Content::Embed,
                                        document_->values.add({value.any()}),
                                        std::move(attributes));
          } else if (value.is_type()) {
            const TypeData& source = data(value.type());
            document_->text_insert_type(index_, position,
                                        {source.kind, document_->strings[source.name]},
                                        std::move(attributes), nullptr);
          }
          break;
        }
        std::string_view text = op.text;
        if (!sanitize && i + 1 == delta.size() && position.right == kNil && !text.empty() &&
            text.back() == '\n') {
          text.remove_suffix(1);
        }
        if (!text.empty()) {
          document_->text_insert_at(index_, position, text, std::move(attributes));
        }
        break;
      }
      case DeltaOp::Action::Retain:
        document_->text_format(index_, position, op.count, document_->to_map(op.attributes));
        break;
      case DeltaOp::Action::Delete:
        document_->text_delete_at(position, op.count);
        break;
    }
  }
}
uint32_t Text::clean_up_formatting() const {
  Edit edit(*this);
  return document_->cleanup_type(index_);
}
std::string Text::to_string() const { return document_->type_text((data(*this), index_)); }
void Text::set_attribute(std::string_view key, Any value) const {
  Map(document_, index_).set(key, std::move(value));
}
void Text::erase_attribute(std::string_view key) const { Map(document_, index_).erase(key); }
std::optional<Value> Text::get_attribute(std::string_view key) const { return entry(*this, key); }
std::vector<std::pair<std::string, Value>> Text::attributes() const { return entries_of(*this); }

// --- Xml
// ------------------------------------------------------------------------------------------

uint32_t XmlFragment::length() const { return data(*this).length; }
Type XmlFragment::insert(uint32_t index, const NewType& type) const {
  return Array(document_, index_).insert(index, type);
}
Type XmlFragment::insert_after(const Type& reference, const NewType& type) const {
  Edit edit(*this);
  Ref left = kNil;
  if (reference) {
    const TypeData& sibling = data(reference);
    if (reference.document() != document_ || sibling.parent != index_ || sibling.item == kNil) {
      throw Error("XmlFragment::insert_after: the reference is no child of this fragment");
    }
    left = sibling.item;
  }
  return document_->handle(document_->insert_type(index_, left, type));
}
Type XmlFragment::push(const NewType& type) const { return insert(length(), type); }
void XmlFragment::erase(uint32_t index, uint32_t count) const {
  Array(document_, index_).erase(index, count);
}
Type XmlFragment::get(uint32_t index) const {
  Value value = Array(document_, index_).get(index);
  return value.is_type() ? value.type() : Type();
}
Type XmlFragment::first_child() const {
  for (Ref ref = data(*this).start; ref != kNil; ref = document_->items[ref].right) {
    const Item& item = document_->items[ref];
    if (!item.deleted()) {
      return item.kind == Content::Type ? document_->handle(item.content) : Type();
    }
  }
  return {};
}
std::vector<Type> XmlFragment::children() const {
  std::vector<Type> out;
  for (Ref ref = data(*this).start; ref != kNil; ref = document_->items[ref].right) {
    const Item& item = document_->items[ref];
    if (!item.deleted() && item.kind == Content::Type) {
      out.push_back(document_->handle(item.content));
    }
  }
  return out;
}
std::vector<Type> XmlFragment::descendants() const {
  std::vector<Type> out;
  std::vector<Ref> stack{data(*this).start};
  while (!stack.empty()) {
    const Ref ref = stack.back();
    stack.pop_back();
    if (ref == kNil) continue;
    const Item& item = document_->items[ref];
    stack.push_back(item.right);
    if (item.deleted() || item.kind != Content::Type) continue;
    out.push_back(document_->handle(item.content));
    const TypeData& type = document_->types[item.content];
    if (type.kind == TypeKind::XmlElement || type.kind == TypeKind::XmlFragment) {
      stack.push_back(type.start);
    }
  }
  return out;
}
std::string XmlFragment::to_string() const {
  return document_->xml_string((data(*this), index_), 0);
}

std::string_view XmlElement::node_name() const {
  return data(*this).is_root() ? "UNDEFINED"
                               : std::string_view(document_->strings[data(*this).name]);
}
void XmlElement::set_attribute(std::string_view key, Any value) const {
  Map(document_, index_).set(key, std::move(value));
}
void XmlElement::erase_attribute(std::string_view key) const { Map(document_, index_).erase(key); }
bool XmlElement::has_attribute(std::string_view key) const {
  return Map(document_, index_).has(key);
}
std::optional<Value> XmlElement::get_attribute(std::string_view key) const {
  return entry(*this, key);
}
std::vector<std::pair<std::string, Value>> XmlElement::attributes() const {
  return entries_of(*this);
}
std::string XmlText::to_xml_string() const {
  return document_->xml_string((data(*this), index_), 0);
}
std::string_view XmlHook::hook_name() const { return document_->strings[data(*this).name]; }

namespace {

Type sibling(const Type& type, Ref Item::* direction) {
  const TypeData& of = data(type);
  if (of.item == kNil) return {};
  Document& document = *type.document();
  Ref ref = document.items[of.item].*direction;
  while (ref != kNil && document.items[ref].deleted()) ref = document.items[ref].*direction;
  if (ref == kNil || document.items[ref].kind != Content::Type) return {};
  return document.handle(document.items[ref].content);
}

}  // namespace

Type next_sibling(const Type& type) { return sibling(type, &Item::right); }
Type previous_sibling(const Type& type) { return sibling(type, &Item::left); }

// --- ItemView
// ---------------------------------------------------------------------------------------

Id ItemView::id() const { return document_->wire_id(document_->items[ref_].id()); }
uint32_t ItemView::length() const { return document_->items[ref_].length; }
uint8_t ItemView::content_ref() const { return static_cast<uint8_t>(document_->items[ref_].kind); }
bool ItemView::deleted() const { return document_->items[ref_].deleted(); }
bool ItemView::countable() const { return document_->items[ref_].countable(); }
bool ItemView::keep() const { return document_->items[ref_].keep(); }
std::optional<Id> ItemView::origin() const {
  const Item& item = document_->items[ref_];
  if (!item.origin) return std::nullopt;
  return document_->wire_id(item.origin);
}
std::optional<Id> ItemView::right_origin() const {
  const Item& item = document_->items[ref_];
  if (!item.right_origin) return std::nullopt;
  return document_->wire_id(item.right_origin);
}
std::optional<Id> ItemView::redone() const {
  auto found = document_->redone.find(ref_);
  if (found == document_->redone.end()) return std::nullopt;
  return document_->wire_id(found->second);
}
std::optional<ItemView> ItemView::left() const {
  const Ref left = document_->items[ref_].left;
  if (left == kNil) return std::nullopt;
  return ItemView(*document_, left);
}
std::optional<ItemView> ItemView::right() const {
  const Ref right = document_->items[ref_].right;
  if (right == kNil) return std::nullopt;
  return ItemView(*document_, right);
}
Type ItemView::parent() const { return document_->handle(document_->items[ref_].parent); }
std::optional<std::string> ItemView::parent_sub() const {
  const Item& item = document_->items[ref_];
  if (!item.has_sub()) return std::nullopt;
  return document_->strings[item.sub];
}
std::vector<Value> ItemView::content() const {
  const Item& item = document_->items[ref_];
  std::vector<Value> out;
  switch (item.kind) {
    case Content::String:
      out.emplace_back(Any(std::string(document_->text_of(item))));
      break;
    case Content::Format:
      out.emplace_back(document_->formats[item.content].value);
      break;
    case Content::Gc:
    case Content::Deleted:
      break;
    default:
      for (uint32_t i = 0; i < item.length; ++i) out.push_back(document_->value_at(item, i));
  }
  return out;
}
std::string ItemView::format_key() const {
  const Item& item = document_->items[ref_];
  return item.kind == Content::Format ? document_->strings[document_->formats[item.content].key]
                                      : std::string();
}
Type ItemView::type() const {
  const Item& item = document_->items[ref_];
  return item.kind == Content::Type ? document_->handle(item.content) : Type();
}

}  // namespace lattice::crdt
