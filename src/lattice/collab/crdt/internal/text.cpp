// SPDX-License-Identifier: MIT
// Local edits of texts: inserting and deleting. Formats are in format.cpp.
//
// A text that never had a format takes the short way: the index finds the place, tombstones there
// are passed (as Yjs passes them), and text that goes on from this client's last run makes that run
// longer.
// Source: Yjs 13.6 YText.js.
#include "lattice/collab/crdt/internal/document.hpp"
#include "lattice/collab/crdt/utf.hpp"

namespace lattice::crdt::internal {

void Document::plain_place(uint32_t index_of_type, uint32_t index, Ref& left, Ref& right) {
  TypeData& type = types[index_of_type];
  if (type.cursor_item != kNil) {
    const Item& item = items[type.cursor_item];
    if (index == type.cursor_index + item.visible()) {
      left = type.cursor_item;
      right = item.right;
      while (right != kNil && items[right].deleted()) {
        left = right;
        right = items[right].right;
      }
      return;
    }
  }
  if (index >= type.length) {
    left = sequences.last(type.root);
    right = kNil;
    return;
  }
  SequenceIndex::Place place = sequences.find(type.root, index);
  if (place.offset == 0) {
    right = place.item;
    left = items[right].left;
  } else {
    left = place.item;
    right = split(place.item, place.offset);
  }
}

void Document::insert_string(uint32_t index_of_type, Ref left, Ref right, std::string_view value,
                             Ref* inserted) {
  TypeData& type = types[index_of_type];
  const uint32_t units = value.size() == 1 ? 1 : utf16_length(value);
  const bool ascii = units == value.size();
  if (left != kNil) {
    Item& run = items[left];
    ClientRuns& own = clients[own_client()];
    if (run.kind == Content::String && run.client == own_index_ && run.end() == own.state &&
        !(run.flags & (Item::kDeleted | Item::kHasRedone | Item::kHasSub)) && run.right == right &&
        run.right_origin == (right == kNil ? ItemId{} : items[right].id()) && may_extend(run) &&
        !type_deleted(type) && units <= UINT32_MAX - own.state) {
      touch(own, own_index_);
      append_text(run, value, units, ascii);
      own.state += units;
      type.length += units;
      sequences.changed(left, units);
      add_changed(index_of_type, false, 0);
      if (inserted != nullptr) *inserted = left;
      return;
    }
  }
  Item holder;
  holder.length = units;
  set_text(holder, value, ascii);
  Ref ref = insert_local(index_of_type, left, right, Content::String, holder.content, units, false,
                         0, holder.flags & Item::kWide);
  if (inserted != nullptr) *inserted = ref;
}

void Document::text_insert(uint32_t index_of_type, uint32_t index, std::string_view value,
                           const Attributes* attributes) {
  if (value.empty()) return;
  TypeData& type = types[index_of_type];
  if (!type.has_formatting && (attributes == nullptr || attributes->empty())) {
    if (index > type.length) index = type.length;
    Ref left;
    Ref right;
    plain_place(index_of_type, index, left, right);
    Ref inserted = kNil;
    const uint32_t before = type.length;
    insert_string(index_of_type, left, right, value, &inserted);
    const uint32_t units = type.length - before;
    if (units != 0) {
      type.cursor_item = inserted;
      type.cursor_index = index + units - items[inserted].length;
    }
    return;
  }
  TextPosition position = text_position(index_of_type, index);
  AttributeMap wanted = attributes == nullptr ? position.attributes : to_map(*attributes);
  text_insert_at(index_of_type, position, value, std::move(wanted));
}

void Document::text_insert_at(uint32_t type, TextPosition& position, std::string_view value,
                              AttributeMap attributes) {
  Item holder;
  holder.length = utf16_length(value);
  set_text(holder, value, holder.length == value.size());
  for (const auto& [key, unused] : position.attributes) {
    bool given = false;
    for (const auto& entry : attributes) given |= entry.first == key;
    if (!given) attributes.emplace_back(key, Any::null());
  }
  minimize(position, attributes);
  AttributeMap negated = insert_attributes(type, position, attributes);
  position.right =
      insert_local(type, position.left, position.right, Content::String, holder.content,
                   holder.length, false, 0, holder.flags & Item::kWide);
  forward(position);
  insert_negated(type, position, negated);
}

Ref Document::text_insert_item(uint32_t type, TextPosition& position, Content kind,
                               uint32_t content, AttributeMap attributes, const FillType& fill) {
  for (const auto& [key, unused] : position.attributes) {
    bool given = false;
    for (const auto& entry : attributes) given |= entry.first == key;
    if (!given) attributes.emplace_back(key, Any::null());
  }
  minimize(position, attributes);
  AttributeMap negated = insert_attributes(type, position, attributes);
  position.right = insert_local(type, position.left, position.right, kind, content, 1);
  const Ref made = position.right;
  if (fill) fill(handle(content));
  forward(position);
  insert_negated(type, position, negated);
  return made;
}

Type Document::text_insert_type(uint32_t type, TextPosition& position, const NewType& made,
                                AttributeMap attributes, const FillType& fill) {
  const uint32_t index = new_type(made.kind, made.name);
  text_insert_item(type, position, Content::Type, index, std::move(attributes), fill);
  return handle(index);
}

void Document::text_delete(uint32_t index_of_type, uint32_t index, uint32_t count) {
  if (count == 0) return;
  TypeData& type = types[index_of_type];
  if (type.has_formatting) {
    TextPosition position = text_position(index_of_type, index);
    text_delete_at(position, count);
    return;
  }
  if (index >= type.length) return;
  if (count > type.length - index) count = type.length - index;
  list_delete(index_of_type, index, count);
}

bool Document::shrink_tail(Ref, uint32_t, uint32_t) { return false; }

}  // namespace lattice::crdt::internal
