// SPDX-License-Identifier: MIT
// Formatted text: marks are items without width that switch an attribute to a value.
//
// Inserting and formatting put a mark where an attribute changes and one that restores the old
// value behind. Marks that no longer say anything are removed: at once in the place of a deletion,
// and after remote transactions in every text that they touched.
// Source: Yjs 13.6 YText.js.
#include <algorithm>

#include "lattice/collab/crdt/internal/document.hpp"

namespace lattice::crdt::internal {

namespace {

// JavaScript's ===: objects are equal to themselves only. Copies of an Any share their contents, so
// "itself" survives copying here as it does there.
bool identical(const Any& a, const Any& b) {
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Any::Kind::Object:
      return &a.as_object() == &b.as_object();
    case Any::Kind::Array:
      return &a.as_array() == &b.as_array();
    case Any::Kind::Bytes:
      return &a.as_bytes() == &b.as_bytes();
    case Any::Kind::Number:
      return a.as_number() == b.as_number();
    default:
      return a == b;
  }
}

// Yjs's equalAttrs: objects count as equal when their entries are identical.
bool same_value(const Any& a, const Any& b) {
  if (identical(a, b)) return true;
  if (a.is_object() && b.is_object()) {
    const auto& left = a.as_object();
    const auto& right = b.as_object();
    if (left.size() != right.size()) return false;
    return std::all_of(left.begin(), left.end(), [&](const Any::Entry& entry) {
      const Any* other = b.find(entry.first);
      return other != nullptr && identical(*other, entry.second);
    });
  }
  if (a.is_array() && b.is_array()) {
    const auto& left = a.as_array();
    const auto& right = b.as_array();
    return std::equal(left.begin(), left.end(), right.begin(), right.end(), identical);
  }
  return false;
}

const Any* find_in(const AttributeMap& map, uint32_t key) {
  for (const auto& entry : map) {
    if (entry.first == key) return &entry.second;
  }
  return nullptr;
}

const Any kNull = Any::null();

// The value, null when there is none.
const Any& value_or_null(const AttributeMap& map, uint32_t key) {
  const Any* value = find_in(map, key);
  return value == nullptr || value->is_undefined() ? kNull : *value;
}

void set(AttributeMap& map, uint32_t key, const Any& value) {
  for (auto& entry : map) {
    if (entry.first == key) {
      entry.second = value;
      return;
    }
  }
  map.emplace_back(key, value);
}

void erase(AttributeMap& map, uint32_t key) {
  for (auto at = map.begin(); at != map.end(); ++at) {
    if (at->first == key) {
      map.erase(at);
      return;
    }
  }
}

}  // namespace

bool same_attribute(const Any& a, const Any& b) { return same_value(a, b); }

void Document::update_attributes(AttributeMap& map, const Item& item) const {
  const FormatValue& format = formats[item.content];
  if (format.value.is_null()) {
    erase(map, format.key);
  } else {
    set(map, format.key, format.value);
  }
}

AttributeMap Document::to_map(const Attributes& attributes) {
  AttributeMap map;
  for (const auto& [name, value] : attributes) set(map, strings.intern(name), value);
  return map;
}

Attributes Document::from_map(const AttributeMap& attributes) const {
  Attributes out;
  for (const auto& [key, value] : attributes) out.emplace_back(strings[key], value);
  return out;
}

void Document::forward(TextPosition& position) {
  const Item& item = items[position.right];
  if (!item.deleted()) {
    if (item.kind == Content::Format) {
      update_attributes(position.attributes, item);
    } else {
      position.index += item.length;
    }
  }
  position.left = position.right;
  position.right = item.right;
}

TextPosition Document::text_position(uint32_t index_of_type, uint32_t index) {
  TypeData& type = types[index_of_type];
  TextPosition position;
  position.index = std::min(index, type.length);
  if (index > type.length) {
    position.left = sequences.last(type.root);
  } else {
    list_place(index_of_type, index, position.left, position.right);
  }
  if (type.has_formatting && position.left != kNil) {
    sequences.for_each_format_before(type.root, position.right, [&](Ref ref) {
      update_attributes(position.attributes, items[ref]);
    });
  }
  return position;
}

void Document::minimize(TextPosition& position, const AttributeMap& attributes) {
  while (position.right != kNil) {
    const Item& item = items[position.right];
    if (!item.deleted()) {
      if (item.kind != Content::Format) return;
      const FormatValue& format = formats[item.content];
      if (!same_value(value_or_null(attributes, format.key), format.value)) return;
    }
    forward(position);
  }
}

void Document::insert_format(uint32_t type, TextPosition& position, uint32_t key,
                             const Any& value) {
  position.right = insert_local(type, position.left, position.right, Content::Format,
                                formats.add({key, value}), 1);
  forward(position);
}

AttributeMap Document::insert_attributes(uint32_t type, TextPosition& position,
                                         const AttributeMap& attributes) {
  AttributeMap negated;
  for (const auto& [key, value] : attributes) {
    const Any now = value_or_null(position.attributes, key);
    if (same_value(now, value)) continue;
    set(negated, key, now);
    insert_format(type, position, key, value);
  }
  return negated;
}

void Document::insert_negated(uint32_t type, TextPosition& position, AttributeMap& negated) {
  while (position.right != kNil) {
    const Item& item = items[position.right];
    if (!item.deleted()) {
      if (item.kind != Content::Format) break;
      const FormatValue& format = formats[item.content];
      const Any* wanted = find_in(negated, format.key);
      if (wanted == nullptr || !same_value(*wanted, format.value)) break;
      erase(negated, format.key);
    }
    forward(position);
  }
  for (const auto& [key, value] : negated) insert_format(type, position, key, value);
}

void Document::text_format(uint32_t type, TextPosition& position, uint32_t length,
                           const AttributeMap& attributes) {
  minimize(position, attributes);
  AttributeMap negated = insert_attributes(type, position, attributes);
  while (position.right != kNil) {
    const Ref ref = position.right;
    const Item& item = items[ref];
    if (length == 0 && (negated.empty() || (!item.deleted() && item.kind != Content::Format))) {
      break;
    }
    if (!item.deleted()) {
      if (item.kind == Content::Format) {
        const FormatValue format = formats[item.content];
        const Any* wanted = find_in(attributes, format.key);
        if (wanted != nullptr && !wanted->is_undefined()) {
          if (same_value(*wanted, format.value)) {
            erase(negated, format.key);
          } else {
            if (length == 0) break;
            set(negated, format.key, format.value);
          }
          delete_item(ref);
        } else {
          set(position.attributes, format.key, format.value);
        }
      } else {
        if (length < item.length) split(ref, length);
        length -= item.length;
      }
    }
    forward(position);
  }
  if (length > 0) {
    // Quill takes a final newline for granted, so a format may reach past the end.
    Item holder;
    holder.length = length;
    set_text(holder, std::string(length, '\n'), true);
    position.right =
        insert_local(type, position.left, position.right, Content::String, holder.content, length);
    forward(position);
  }
  insert_negated(type, position, negated);
}

void Document::text_delete_at(TextPosition& position, uint32_t count) {
  const AttributeMap start_attributes = position.attributes;
  const Ref start = position.right;
  while (count > 0 && position.right != kNil) {
    const Ref ref = position.right;
    const Item& item = items[ref];
    if (!item.deleted() && item.kind != Content::Format && item.countable()) {
      if (count < item.length) split(ref, count);
      count -= item.length;
      delete_item(ref);
    }
    forward(position);
  }
  if (start != kNil) cleanup_gap(start, position.right, start_attributes, position.attributes);
}

uint32_t Document::cleanup_gap(Ref start, Ref current_item, const AttributeMap& start_attributes,
                               AttributeMap& attributes) {
  Ref end = start;
  std::vector<std::pair<uint32_t, Ref>> end_formats;  // the last mark of each key in the gap
  while (end != kNil && (!items[end].countable() || items[end].deleted())) {
    const Item& item = items[end];
    if (!item.deleted() && item.kind == Content::Format) {
      const uint32_t key = formats[item.content].key;
      bool known = false;
      for (auto& entry : end_formats) {
        if (entry.first == key) {
          entry.second = end;
          known = true;
        }
      }
      if (!known) end_formats.emplace_back(key, end);
    }
    end = item.right;
  }
  uint32_t removed = 0;
  bool reached = false;
  for (; start != end; start = items[start].right) {
    if (start == current_item) reached = true;
    const Item& item = items[start];
    if (item.deleted() || item.kind != Content::Format) continue;
    const uint32_t key = formats[item.content].key;
    const Any value = formats[item.content].value;
    const Any& before = value_or_null(start_attributes, key);
    bool is_last = false;
    for (const auto& entry : end_formats) is_last |= entry.first == key && entry.second == start;
    if (!is_last || identical(before, value)) {
      delete_item(start);
      ++removed;
      if (!reached && identical(value_or_null(attributes, key), value) &&
          !identical(before, value)) {
        if (before.is_null()) {
          erase(attributes, key);
        } else {
          set(attributes, key, before);
        }
      }
    }
    if (!reached && !item.deleted()) update_attributes(attributes, item);
  }
  return removed;
}

void Document::cleanup_contextless(Ref ref) {
  while (ref != kNil && items[ref].right != kNil &&
         (items[items[ref].right].deleted() || !items[items[ref].right].countable())) {
    ref = items[ref].right;
  }
  std::vector<uint32_t> seen;
  while (ref != kNil && (items[ref].deleted() || !items[ref].countable())) {
    const Item& item = items[ref];
    if (!item.deleted() && item.kind == Content::Format) {
      const uint32_t key = formats[item.content].key;
      if (std::find(seen.begin(), seen.end(), key) != seen.end()) {
        delete_item(ref);
      } else {
        seen.push_back(key);
      }
    }
    ref = item.left;
  }
}

uint32_t Document::cleanup_type(uint32_t index) {
  const bool outermost = begin(Origin{}, true);
  uint32_t removed = 0;
  Ref start = types[index].start;
  AttributeMap start_attributes;
  AttributeMap attributes;
  for (Ref end = start; end != kNil; end = items[end].right) {
    const Item& item = items[end];
    if (item.deleted()) continue;
    if (item.kind == Content::Format) {
      update_attributes(attributes, item);
    } else {
      removed += cleanup_gap(start, end, start_attributes, attributes);
      start_attributes = attributes;
      start = end;
    }
  }
  if (outermost) commit();
  return removed;
}

void Document::cleanup_after(TransactionState& t) {
  std::vector<uint32_t> full;
  auto needs_full = [&](uint32_t type) {
    if (std::find(full.begin(), full.end(), type) == full.end()) full.push_back(type);
  };
  // Boundaries first: splitting belongs to the transaction that has ended.
  auto split_around = [&](uint32_t client, uint32_t from, uint32_t to) {
    TransactionState* const open = std::exchange(current, &t);
    clean_start({client, from});
    if (to < clients[client].state) clean_start({client, to});
    current = open;
  };
  auto for_each = [&](uint32_t index, uint32_t from, uint32_t to, auto&& f) {
    if (from >= to) return;
    split_around(index, from, to);
    ClientRuns& client = clients[index];
    RunIndex::Position p = client.runs.find(from);
    for (;;) {
      Ref ref = client.runs.at(p).item;
      if (items[ref].clock >= to) break;
      f(ref);
      if (client.runs.is_last(p)) break;
      p = client.runs.next(p);
    }
  };
  for (const auto& touched : t.touched) {
    for_each(touched.client, touched.before, touched.after, [&](Ref ref) {
      const Item& item = items[ref];
      if (!item.deleted() && item.kind == Content::Format) needs_full(item.parent);
    });
  }
  const bool outermost = begin(Origin{}, true);
  for_each_delete(t, [&](const DeleteRange& range) {
    for_each(range.client, range.clock, range.clock + range.length, [&](Ref ref) {
      const Item& item = items[ref];
      if (item.kind == Content::Gc || !types[item.parent].has_formatting ||
          std::find(full.begin(), full.end(), item.parent) != full.end()) {
        return;
      }
      if (item.kind == Content::Format) {
        needs_full(item.parent);
      } else {
        cleanup_contextless(ref);
      }
    });
  });
  for (uint32_t type : full) cleanup_type(type);
  if (outermost) commit();
}

}  // namespace lattice::crdt::internal
