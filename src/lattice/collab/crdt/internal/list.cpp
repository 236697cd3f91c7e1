// SPDX-License-Identifier: MIT
// Local edits of lists and maps.
// Source: Yjs 13.6 AbstractType.js (typeList..., typeMap...).
#include "lattice/collab/crdt/internal/document.hpp"

namespace lattice::crdt::internal {

void Document::list_place(uint32_t index_of_type, uint32_t index, Ref& left, Ref& right) {
  TypeData& type = types[index_of_type];
  if (index == 0) {
    left = kNil;
    right = type.start;
    return;
  }
  if (type.cursor_item != kNil) {
    const Item& item = items[type.cursor_item];
    if (index == type.cursor_index + item.visible()) {
      left = type.cursor_item;
      right = item.right;
      return;
    }
  }
  SequenceIndex::Place place = sequences.find(type.root, index - 1);
  if (place.offset + 1 < items[place.item].length) split(place.item, place.offset + 1);
  left = place.item;
  right = items[left].right;
}

Content Document::any_content(const Any& value) const {
  return value.kind() == Any::Kind::Bytes ? Content::Binary : Content::Any;
}

void Document::list_insert_after(uint32_t index_of_type, Ref left, std::span<const Any> all) {
  TypeData& type = types[index_of_type];
  const Ref right = left == kNil ? type.start : items[left].right;
  for (size_t i = 0; i < all.size();) {
    if (any_content(all[i]) == Content::Binary) {
      left = insert_local(index_of_type, left, right, Content::Binary, values.add({all[i]}), 1);
      ++i;
      continue;
    }
    size_t end = i;
    while (end < all.size() && any_content(all[end]) == Content::Any) ++end;
    if (end - i > UINT32_MAX) throw Error("Array::insert: more than 2^32 values");
    const uint32_t count = static_cast<uint32_t>(end - i);
    if (left != kNil) {
      // Appending to the run that this client wrote last needs no item of its own.
      Item& run = items[left];
      ClientRuns& own = clients[own_client()];
      if (run.kind == Content::Any && !run.deleted() && run.client == own_index_ &&
          run.end() == own.state && run.right == right &&
          run.right_origin == (right == kNil ? ItemId{} : items[right].id()) &&
          !(run.flags & (Item::kHasRedone | Item::kHasSub)) && may_extend(run) &&
          !type_deleted(type) && count <= UINT32_MAX - own.state) {
        touch(own, own_index_);
        auto& run_values = values[run.content];
        run_values.insert(run_values.end(), all.begin() + static_cast<ptrdiff_t>(i),
                          all.begin() + static_cast<ptrdiff_t>(end));
        run.length += count;
        own.state += count;
        type.length += count;
        sequences.changed(left, count);
        add_changed(index_of_type, false, 0);
        i = end;
        continue;
      }
    }
    left = insert_local(index_of_type, left, right, Content::Any,
                        values.add(std::vector<Any>(all.begin() + static_cast<ptrdiff_t>(i),
                                                    all.begin() + static_cast<ptrdiff_t>(end))),
                        count);
    i = end;
  }
}

void Document::list_insert(uint32_t index_of_type, uint32_t index, std::span<const Any> all) {
  TypeData& type = types[index_of_type];
  if (index > type.length) {
    throw Error("insert: index " + std::to_string(index) + " is past the end; the length is " +
                std::to_string(type.length));
  }
  Ref left;
  Ref right;
  list_place(index_of_type, index, left, right);
  const uint32_t begin = index;
  list_insert_after(index_of_type, left, all);
  // Typing goes on behind what was inserted: remember it when it is one item.
  Ref last = left == kNil ? type.start : items[left].right;
  if (left != kNil && last == right) last = left;  // it went into the run on the left
  if (last != kNil && items[last].right == right && !items[last].deleted()) {
    const uint32_t length = items[last].visible();
    const uint32_t end = begin + static_cast<uint32_t>(all.size());
    if (length <= end) {
      type.cursor_item = last;
      type.cursor_index = end - length;
    }
  }
}

void Document::list_delete(uint32_t index_of_type, uint32_t index, uint32_t count) {
  if (count == 0) return;
  TypeData& type = types[index_of_type];
  const uint32_t length = type.length;
  SequenceIndex::Place place = sequences.find(type.root, index);
  uint32_t left = count;
  Ref ref = place.item;
  if (ref != kNil && place.offset > 0) {
    if (shrink_tail(ref, items[ref].clock + place.offset, count)) return;
    ref = split(ref, place.offset);
  }
  while (left > 0 && ref != kNil) {
    const Item& item = items[ref];
    if (!item.deleted()) {
      if (left < item.length) split(ref, left);
      left -= item.length;
      delete_item(ref);
    }
    ref = item.right;
  }
  if (left > 0) {
    throw Error("erase: " + std::to_string(count) + " units at index " + std::to_string(index) +
                " reach past the end; the length is " + std::to_string(length));
  }
}

void Document::map_set(uint32_t index_of_type, std::string_view key, const Any& value) {
  const uint32_t sub = strings.intern(key);
  const Ref left = types[index_of_type].keys.get(sub);
  insert_local(index_of_type, left, kNil, any_content(value), values.add({value}), 1, true, sub);
}

void Document::map_delete(uint32_t index_of_type, std::string_view key) {
  const uint32_t sub = strings.find(key);
  if (sub == UINT32_MAX) return;
  const Ref ref = types[index_of_type].keys.get(sub);
  if (ref != kNil) delete_item(ref);
}

uint32_t Document::insert_type(uint32_t parent, Ref left, const NewType& type) {
  const Ref right = left == kNil ? types[parent].start : items[left].right;
  const uint32_t index = new_type(type.kind, type.name);
  insert_local(parent, left, right, Content::Type, index, 1);
  return index;
}

uint32_t Document::map_set_type(uint32_t parent, std::string_view key, const NewType& type) {
  const uint32_t sub = strings.intern(key);
  const uint32_t index = new_type(type.kind, type.name);
  insert_local(parent, types[parent].keys.get(sub), kNil, Content::Type, index, 1, true, sub);
  return index;
}

SubDoc Document::subdoc_of(const std::shared_ptr<Document>& doc) {
  if (doc->outer_item) {
    throw Error("insert: the document " + doc->guid +
                " is a sub-document already; make another one with the same guid");
  }
  Any::Object options;
  if (!doc->gc) options.emplace_back("gc", Any(false));
  if (doc->auto_load) options.emplace_back("autoLoad", Any(true));
  if (!doc->meta.is_null()) options.emplace_back("meta", doc->meta);
  return {doc, Any::object(std::move(options))};
}

SubDoc Document::subdoc_from(const std::string& guid, const Any& options) {
  DocOptions made;
  made.guid = guid;
  auto is_true = [&](const char* key) {
    const Any* value = options.find(key);
    return value != nullptr && value->kind() == Any::Kind::Boolean && value->as_boolean();
  };
  if (const Any* gc = options.find("gc"); gc != nullptr && gc->kind() == Any::Kind::Boolean) {
    made.gc = gc->as_boolean();
  }
  if (const Any* meta = options.find("meta")) made.meta = *meta;
  made.auto_load = is_true("autoLoad");
  made.should_load = is_true("shouldLoad") || made.auto_load;
  auto document = std::make_shared<Document>(std::move(made));
  if (guid.empty()) document->guid.clear();
  // What Yjs would write again: it builds the options anew from the document.
  Any::Object kept;
  if (!document->gc) kept.emplace_back("gc", Any(false));
  if (document->auto_load) kept.emplace_back("autoLoad", Any(true));
  if (!document->meta.is_null()) kept.emplace_back("meta", document->meta);
  return {std::move(document), Any::object(std::move(kept))};
}

void Document::insert_doc(uint32_t parent, Ref left, const std::shared_ptr<Document>& doc) {
  const Ref right = left == kNil ? types[parent].start : items[left].right;
  insert_local(parent, left, right, Content::Doc, subdocs_pool.add(subdoc_of(doc)), 1);
}

void Document::map_set_doc(uint32_t parent, std::string_view key,
                           const std::shared_ptr<Document>& doc) {
  const uint32_t sub = strings.intern(key);
  insert_local(parent, types[parent].keys.get(sub), kNil, Content::Doc,
               subdocs_pool.add(subdoc_of(doc)), 1, true, sub);
}

}  // namespace lattice::crdt::internal
