// SPDX-License-Identifier: MIT
// Texts as deltas, now and at snapshots, and XML as text.
#include <algorithm>

#include "lattice/collab/crdt/doc.hpp"
#include "lattice/collab/crdt/internal/document.hpp"
#include "lattice/collab/crdt/internal/visibility.hpp"
#include "lattice/collab/crdt/utf.hpp"

namespace lattice::crdt {

using internal::AttributeMap;
using internal::Content;
using internal::Document;
using internal::Item;
using internal::kNil;
using internal::Ref;
using internal::TypeData;

namespace {

// JavaScript's String(value), as far as it has a sensible text.
std::string display_text(const Any& value) {
  switch (value.kind()) {
    case Any::Kind::String:
      return value.as_string();
    case Any::Kind::Number:
      return number_text(value.as_number());
    case Any::Kind::BigInt:
      return std::to_string(value.as_bigint());
    case Any::Kind::Boolean:
      return value.as_boolean() ? "true" : "false";
    case Any::Kind::Null:
      return "null";
    case Any::Kind::Undefined:
      return "undefined";
    case Any::Kind::Array: {
      std::string out;
      for (const Any& item : value.as_array()) {
        if (&item != value.as_array().data()) out += ",";
        if (!item.is_null() && !item.is_undefined()) out += display_text(item);
      }
      return out;
    }
    default:
      return "[object Object]";
  }
}

}  // namespace

std::vector<DeltaOp> Text::to_delta() const { return to_delta(nullptr, nullptr); }

std::vector<DeltaOp> Text::to_delta(const Snapshot* snapshot, const Snapshot* previous,
                                    const YChange& ychange) const {
  Document& document = *document_;
  std::optional<Doc::Scope> scope;
  if (snapshot != nullptr || previous != nullptr) {
    scope.emplace(Doc(document_), Origin(std::string("cleanup")), true);
    if (snapshot != nullptr) internal::split_at(document, *snapshot);
    if (previous != nullptr) internal::split_at(document, *previous);
  }
  std::vector<DeltaOp> ops;
  AttributeMap attributes;
  std::string text;
  const uint32_t ychange_key = document.strings.intern("ychange");
  auto pack = [&] {
    if (text.empty()) return;
    DeltaOp op;
    op.action = DeltaOp::Action::Insert;
    op.text = std::move(text);
    op.attributes = document.from_map(attributes);
    ops.push_back(std::move(op));
    text.clear();
  };
  auto mark = [&](bool added, const Item& item) {
    const char* kind = added ? "added" : "removed";
    const Id id = document.wire_id(item.id());
    const Any* now = nullptr;
    for (const auto& entry : attributes) {
      if (entry.first == ychange_key) now = &entry.second;
    }
    if (now != nullptr) {
      const Any* user = now->find("user");
      const Any* type = now->find("type");
      if (user != nullptr && *user == Any(static_cast<double>(id.client)) && type != nullptr &&
          *type == Any(kind)) {
        return;
      }
    }
    pack();
    std::erase_if(attributes, [&](const auto& entry) { return entry.first == ychange_key; });
    attributes.emplace_back(ychange_key,
                            ychange ? ychange(added, id) : Any::object({{"type", Any(kind)}}));
  };
  for (Ref ref = document.types[index_].start; ref != kNil; ref = document.items[ref].right) {
    const Item& item = document.items[ref];
    const bool visible = internal::is_visible(document, item, snapshot);
    if (!visible && (previous == nullptr || !internal::is_visible(document, item, previous))) {
      continue;
    }
    switch (item.kind) {
      case Content::String: {
        if (snapshot != nullptr && !visible) {
          mark(false, item);
        } else if (previous != nullptr && !internal::is_visible(document, item, previous)) {
          mark(true, item);
        } else if (std::any_of(attributes.begin(), attributes.end(),
                               [&](const auto& entry) { return entry.first == ychange_key; })) {
          pack();
          std::erase_if(attributes, [&](const auto& entry) { return entry.first == ychange_key; });
        }
        append_text(text, document.text_of(item));
        break;
      }
      case Content::Type:
      case Content::Embed: {
        pack();
        DeltaOp op;
        op.action = DeltaOp::Action::Insert;
        op.values.push_back(document.value_at(item, 0));
        op.attributes = document.from_map(attributes);
        ops.push_back(std::move(op));
        break;
      }
      case Content::Format:
        if (visible) {
          pack();
          document.update_attributes(attributes, item);
        }
        break;
      default:
        break;
    }
  }
  pack();
  if (scope) scope->close();
  return ops;
}

namespace {

std::string xml_text(const Text& text) {
  std::string out;
  for (const DeltaOp& op : text.to_delta()) {
    std::vector<std::pair<std::string, std::string>> nodes;  // name, opening tag
    for (const auto& [name, value] : op.attributes) {
      std::string open = "<" + name;
      if (value.is_object()) {
        Any::Object sorted = value.as_object();
        std::sort(sorted.begin(), sorted.end(),
                  [](const auto& a, const auto& b) { return a.first < b.first; });
        for (const auto& [key, attribute] : sorted) {
          open += " " + key + "=\"" + display_text(attribute) + "\"";
        }
      }
      nodes.emplace_back(name, open + ">");
    }
    std::sort(nodes.begin(), nodes.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& node : nodes) out += node.second;
    if (op.values.empty()) {
      out += op.text;
    } else if (op.values[0].is_any()) {
      out += display_text(op.values[0].any());
    } else {
      out += "[object Object]";
    }
    for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) out += "</" + node->first + ">";
  }
  return out;
}

}  // namespace

namespace internal {

std::string Document::xml_string(uint32_t index, int depth) {
  if (depth > 2000) throw Error("to_string: elements are nested deeper than 2000");
  const TypeData& type = types[index];
  if (type.kind == TypeKind::XmlText) return xml_text(Text(shared_from_this(), index));
  std::string out;
  std::string name;
  if (type.kind == TypeKind::XmlElement) {
    name = type.is_root() ? "UNDEFINED" : strings[type.name];
    for (char& c : name) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    }
    std::vector<std::pair<std::string, std::string>> attributes;
    for (const KeyMap::Entry& entry : type.keys.entries()) {
      const Item& item = items[entry.item];
      if (item.deleted()) continue;
      Value value = value_at(item, item.length - 1);
      attributes.emplace_back(strings[entry.key],
                              value.is_any() ? display_text(value.any()) : "[object Object]");
    }
    std::sort(attributes.begin(), attributes.end());
    out = "<" + name;
    for (const auto& [key, value] : attributes) out += " " + key + "=\"" + value + "\"";
    out += ">";
  }
  for (Ref ref = type.start; ref != kNil; ref = items[ref].right) {
    const Item& item = items[ref];
    if (item.visible() == 0) continue;
    if (item.kind == Content::Type) {
      const TypeKind kind = types[item.content].kind;
      if (kind == TypeKind::Text) {
        out += type_text(item.content);
      } else if (kind == TypeKind::XmlElement || kind == TypeKind::XmlFragment ||
                 kind == TypeKind::XmlText) {
        out += xml_string(item.content, depth + 1);
      } else {
        out += "[object Object]";
      }
    } else {
      for (uint32_t i = 0; i < item.length; ++i) {
        Value value = value_at(item, i);
        out += value.is_any() ? display_text(value.any()) : "[object Object]";
      }
    }
  }
  if (type.kind == TypeKind::XmlElement) out += "</" + name + ">";
  return out;
}

}  // namespace internal

}  // namespace lattice::crdt
