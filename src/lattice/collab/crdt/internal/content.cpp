// SPDX-License-Identifier: MIT
// What items hold: text in the text store, values, formats, types and sub-documents in pools.
#include "lattice/collab/crdt/internal/document.hpp"
#include "lattice/collab/crdt/utf.hpp"

namespace lattice::crdt::internal {

namespace {

// A high half at the end of `left` and a low half at the start of `right` are one character.
bool joins(std::string_view left, std::string_view right) {
  return left.size() >= 3 && right.size() >= 3 && left[left.size() - 3] == '\xED' &&
         (left[left.size() - 2] & 0xF0) == 0xA0 && right[0] == '\xED' && (right[1] & 0xF0) == 0xB0;
}

constexpr int kJsonDepthMax = 2000;

}  // namespace

void Document::set_text(Item& item, std::string_view value, bool ascii) {
  if (text.size() + value.size() > UINT32_MAX) throw Error("Doc: more than 4 GB of text");
  uint32_t offset = text.add(value);
  if (ascii) {
    item.flags &= static_cast<uint8_t>(~Item::kWide);
    item.content = offset;
  } else {
    item.flags |= Item::kWide;
    item.content = wide.add({offset, static_cast<uint32_t>(value.size())});
  }
}

void Document::append_text(Item& item, std::string_view value, uint32_t units, bool ascii) {
  if (text.size() + value.size() + item.length > UINT32_MAX - 64) {
    throw Error("Doc: more than 4 GB of text");
  }
  if (!(item.flags & Item::kWide)) {
    if (ascii) {
      item.content = text.extend(item.content, item.length, value);
    } else {
      uint32_t offset = text.extend(item.content, item.length, value);
      item.flags |= Item::kWide;
      item.content = wide.add({offset, item.length + static_cast<uint32_t>(value.size())});
    }
  } else {
    WideText& entry = wide[item.content];
    if (!ascii && joins(text.view(entry.offset, entry.bytes), value)) {
      std::string joined(text.view(entry.offset, entry.bytes));
      crdt::append_text(joined, value);
      text.free(entry.offset, entry.bytes);
      entry = {text.add(joined), static_cast<uint32_t>(joined.size())};
    } else {
      entry.offset = text.extend(entry.offset, entry.bytes, value);
      entry.bytes += static_cast<uint32_t>(value.size());
    }
  }
  item.length += units;
}

void Document::free_content(Item& item) {
  switch (item.kind) {
    case Content::String:
      if (item.flags & Item::kWide) {
        text.free(wide[item.content].offset, wide[item.content].bytes);
        wide.free(item.content);
        item.flags &= static_cast<uint8_t>(~Item::kWide);
      } else {
        text.free(item.content, item.length);
      }
      break;
    case Content::Json:
    case Content::Binary:
    case Content::Embed:
    case Content::Any:
      values.free(item.content);
      break;
    case Content::Format:
      formats.free(item.content);
      break;
    case Content::Doc:
      subdocs_pool.free(item.content);
      break;
    default:
      break;
  }
  item.content = 0;
}

void Document::split_content(Item& left, Item& right, uint32_t at) {
  switch (left.kind) {
    case Content::String: {
      if (!(left.flags & Item::kWide)) {
        right.content = left.content + at;
        return;
      }
      WideText entry = wide[left.content];
      std::string_view whole = text.view(entry.offset, entry.bytes);
      TextOffset cut = utf8_offset(whole, at);
      if (cut.cuts_pair) {
        SplitText parts = split_text(whole, at);
        text.free(entry.offset, entry.bytes);
        wide[left.content] = {text.add(parts.left), static_cast<uint32_t>(parts.left.size())};
        right.content =
            wide.add({text.add(parts.right), static_cast<uint32_t>(parts.right.size())});
        return;
      }
      uint32_t bytes = static_cast<uint32_t>(cut.bytes);
      wide[left.content].bytes = bytes;
      right.content = wide.add({entry.offset + bytes, entry.bytes - bytes});
      return;
    }
    case Content::Json:
    case Content::Any: {
      std::vector<Any>& all = values[left.content];
      std::vector<Any> tail(std::make_move_iterator(all.begin() + at),
                            std::make_move_iterator(all.end()));
      all.resize(at);
      right.content = values.add(std::move(tail));
      return;
    }
    default:
      right.content = 0;  // Deleted: nothing but a length
      return;
  }
}

bool Document::merge_content(Item& left, Item& right) {
  switch (left.kind) {
    case Content::Deleted:
      return true;
    case Content::Json:
    case Content::Any: {
      std::vector<Any>& into = values[left.content];
      std::vector<Any>& from = values[right.content];
      if (into.capacity() < into.size() + from.size()) {
        into.reserve(std::max(into.size() + from.size(), into.size() * 2));
      }
      into.insert(into.end(), std::make_move_iterator(from.begin()),
                  std::make_move_iterator(from.end()));
      values.free(right.content);
      return true;
    }
    case Content::String: {
      bool left_wide = left.flags & Item::kWide;
      bool right_wide = right.flags & Item::kWide;
      if (!left_wide && !right_wide && left.content + left.length == right.content) return true;
      if (left_wide && right_wide) {
        WideText& a = wide[left.content];
        WideText& b = wide[right.content];
        if (a.offset + a.bytes == b.offset &&
            !joins(text.view(a.offset, a.bytes), text.view(b.offset, b.bytes))) {
          a.bytes += b.bytes;
          wide.free(right.content);
          return true;
        }
      }
      std::string moved(text_of(right));
      uint32_t length = left.length;
      free_content(right);
      append_text(left, moved, 0, !right_wide);
      left.length = length;
      return true;
    }
    default:
      return false;
  }
}

void Document::copy_content(const Item& from, Item& to, Transaction& transaction) {
  (void)transaction;
  to.kind = from.kind;
  to.length = from.length;
  switch (from.kind) {
    case Content::String: {
      std::string copy(text_of(from));
      set_text(to, copy, !(from.flags & Item::kWide));
      return;
    }
    case Content::Json:
    case Content::Binary:
    case Content::Embed:
    case Content::Any:
      to.content = values.add(std::vector<Any>(values[from.content]));
      return;
    case Content::Format:
      to.content = formats.add(FormatValue(formats[from.content]));
      return;
    case Content::Type: {
      const TypeData& type = types[from.content];
      to.content = new_type(type.kind, strings[type.name]);
      return;
    }
    case Content::Doc: {
      const SubDoc& subdoc = subdocs_pool[from.content];
      to.content = subdocs_pool.add(subdoc_from(subdoc.document->guid, subdoc.options));
      return;
    }
    default:
      return;
  }
}

void Document::compact_text() {
  if (!text.wants_compaction()) return;
  size_t used = text.used();
  std::string old = text.take();
  text.reserve(used + used / 8);
  auto at = [&](uint32_t offset, uint32_t bytes) {
    return std::string_view(old.data() + offset, bytes);
  };
  for (Ref ref = 1; ref < items.size(); ++ref) {
    Item& item = items[ref];
    if (item.kind != Content::String) continue;
    if (item.flags & Item::kWide) {
      WideText& entry = wide[item.content];
      entry.offset = text.add(at(entry.offset, entry.bytes));
    } else {
      item.content = text.add(at(item.content, item.length));
    }
  }
}

Value Document::value_at(const Item& item, uint32_t offset) {
  switch (item.kind) {
    case Content::Json:
    case Content::Binary:
    case Content::Embed:
    case Content::Any:
      return Value(values[item.content][offset]);
    case Content::Type:
      return Value(handle(item.content));
    case Content::Doc:
      return Value(std::make_shared<Doc>(subdocs_pool[item.content].document));
    case Content::String: {
      std::string scratch;
      std::string_view rest = text_from(text_of(item), offset, scratch);
      if (rest.empty()) return Value(Any(std::string()));
      TextOffset one = utf8_offset(rest, 1);
      if (one.cuts_pair) return Value(Any(high_surrogate_of(rest.substr(0, 4))));
      return Value(Any(std::string(rest.substr(0, one.bytes))));
    }
    default:
      return Value();
  }
}

Any Document::json_of(const Item& item, uint32_t offset, int depth) {
  if (item.kind == Content::Type) return type_json(item.content, depth);
  if (item.kind == Content::Doc) return Any::object({});
  return value_at(item, offset).any();
}

Any Document::type_json(uint32_t index, int depth) {
  if (depth > kJsonDepthMax) {
    throw Error("Type::to_json: types are nested deeper than " + std::to_string(kJsonDepthMax));
  }
  const TypeData& type = types[index];
  switch (type.kind) {
    case TypeKind::Text:
      return Any(type_text(index));
    case TypeKind::XmlText:
    case TypeKind::XmlElement:
    case TypeKind::XmlFragment:
      return Any(xml_string(index, depth));
    case TypeKind::Map:
    case TypeKind::XmlHook: {
      Any::Object object;
      for (const KeyMap::Entry& entry : type.keys.entries()) {
        const Item& item = items[entry.item];
        if (item.deleted()) continue;
        object.emplace_back(strings[entry.key], json_of(item, item.length - 1, depth + 1));
      }
      return Any::object(std::move(object));
    }
    case TypeKind::Array: {
      Any::Array array;
      for (Ref ref = type.start; ref != kNil; ref = items[ref].right) {
        const Item& item = items[ref];
        if (item.visible() == 0) continue;
        if (item.kind == Content::Any) {
          const auto& run = values[item.content];
          array.insert(array.end(), run.begin(), run.end());
          continue;
        }
        for (uint32_t i = 0; i < item.length; ++i) array.push_back(json_of(item, i, depth + 1));
      }
      return Any::array(std::move(array));
    }
    default:
      return Any::undefined();
  }
}

std::string Document::type_text(uint32_t index) const {
  std::string out;
  const TypeData& type = types[index];
  out.reserve(type.length);
  for (Ref ref = type.start; ref != kNil; ref = items[ref].right) {
    const Item& item = items[ref];
    if (item.deleted() || item.kind != Content::String) continue;
    std::string_view part = text_of(item);
    if ((item.flags & Item::kWide) && joins(out, part)) {
      crdt::append_text(out, part);
    } else {
      out.append(part);
    }
  }
  return out;
}

}  // namespace lattice::crdt::internal
