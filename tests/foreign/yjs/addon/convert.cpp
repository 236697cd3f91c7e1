// SPDX-License-Identifier: MIT
// The engine's own values as JavaScript's, and back.
#include <array>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include "node.hpp"

namespace addon {
namespace {

std::array<std::shared_ptr<JsValue>, 6> hosts;

// Origins that are objects: the boxes in which they travel, and those of undo managers.
std::unordered_map<const void*, JsValue> named;

struct OriginBox {
  explicit OriginBox(napi_value held) : value(held) {}
  JsValue value;
};
std::unordered_set<const void*> origin_boxes;

void add_id(std::vector<napi_value>& out, const std::optional<crdt::Id>& id) {
  out.push_back(number(id ? static_cast<double>(id->client) : -1));
  out.push_back(number(id ? id->clock : -1));
}

std::optional<crdt::Id> id_of(const std::optional<crdt::ItemView>& item) {
  if (!item) return std::nullopt;
  return item->id();
}

}  // namespace

napi_value host(Host function, std::initializer_list<napi_value> arguments) {
  return call(*hosts.at(static_cast<size_t>(function)), arguments);
}

napi_value set_host(const Call& call) {
  for (uint32_t i = 0; i < hosts.size(); ++i) {
    hosts[i] = std::make_shared<JsValue>(element(call[0], i));
  }
  return undefined();
}

napi_value document_key(const crdt::Doc& doc) {
  return number(static_cast<double>(reinterpret_cast<uintptr_t>(doc.document().get())));
}

napi_value to_js(const crdt::Type& type) {
  if (!type) return null();
  napi_value key = document_key(type.doc()), index = number(type.index());
  napi_value kind = number(static_cast<double>(type.kind()));
  napi_value found = host(Host::FindType, {key, index, kind});
  if (!is_nullish(found)) return found;
  napi_value name = undefined();
  if (type.kind() == crdt::TypeKind::XmlElement) {
    name = text(crdt::XmlElement(type.document(), type.index()).node_name());
  } else if (type.kind() == crdt::TypeKind::XmlHook) {
    name = text(crdt::XmlHook(type.document(), type.index()).hook_name());
  }
  return host(Host::NewType, {to_js(type.doc()), index, kind, name, wrap(crdt::Type(type))});
}

napi_value to_js(const crdt::Doc& doc) {
  return host(Host::WrapDoc, {document_key(doc), wrap(crdt::Doc(doc))});
}

napi_value to_js(const crdt::Value& value) {
  if (value.is_type()) return to_js(value.type());
  if (value.is_doc()) return to_js(value.doc());
  return to_js(value.any());
}

napi_value to_js(const crdt::Origin& origin) {
  switch (origin.index()) {
    case 0:
      return null();
    case 1:
      return number(static_cast<double>(std::get<int64_t>(origin)));
    case 2:
      return text(std::get<std::string>(origin));
    default:
      break;
  }
  const void* pointer = std::get<std::shared_ptr<const void>>(origin).get();
  if (const auto at = named.find(pointer); at != named.end()) {
    return call(at->second, {});
  }
  if (origin_boxes.contains(pointer)) return static_cast<const OriginBox*>(pointer)->value.get();
  return undefined();
}

crdt::Origin to_origin(napi_value value) {
  napi_valuetype type = napi_undefined;
  check(napi_typeof(env, value, &type));
  if (type == napi_null) return {};
  if (type == napi_string) return to_text(value);
  if (type == napi_number) {
    const double figure = to_double(value);
    if (std::floor(figure) == figure && std::fabs(figure) < 9e15) {
      return static_cast<int64_t>(figure);
    }
  }
  std::shared_ptr<OriginBox> box(new OriginBox(value), [](OriginBox* old) {
    origin_boxes.erase(old);
    delete old;
  });
  origin_boxes.insert(box.get());
  return std::shared_ptr<const void>(std::move(box));
}

void name_origin(const crdt::Origin& origin, napi_value shown) {
  if (const auto* pointer = std::get_if<std::shared_ptr<const void>>(&origin)) {
    named.insert_or_assign(pointer->get(), JsValue(shown));
  }
}

napi_value to_js(crdt::Transaction& transaction) {
  const crdt::Doc doc = transaction.doc();
  return host(Host::Transaction,
              {to_js(doc), number(transaction.serial), wrap(crdt::Transaction(transaction)),
               to_js(transaction.origin()), boolean(transaction.local())});
}

napi_value to_js(const crdt::ItemView& item) {
  std::vector<napi_value> fields;
  const crdt::Id id = item.id();
  fields.push_back(number(static_cast<double>(id.client)));
  fields.push_back(number(id.clock));
  fields.push_back(number(item.length()));
  fields.push_back(number(item.content_ref()));
  fields.push_back(boolean(item.deleted()));
  const bool linked = !item.is_gc();
  add_id(fields, linked ? item.origin() : std::nullopt);
  add_id(fields, linked ? item.right_origin() : std::nullopt);
  add_id(fields, linked ? id_of(item.left()) : std::nullopt);
  add_id(fields, linked ? id_of(item.right()) : std::nullopt);
  const std::optional<std::string> sub = linked ? item.parent_sub() : std::nullopt;
  fields.push_back(sub ? text(*sub) : null());
  fields.push_back(boolean(linked && item.keep()));
  add_id(fields, linked ? item.redone() : std::nullopt);
  return array(fields);
}

napi_value to_js(const crdt::DeleteSet& set) {
  std::vector<napi_value> flat;
  for (const crdt::IdRange& range : set.ranges()) {
    flat.push_back(number(static_cast<double>(range.client)));
    flat.push_back(number(range.clock));
    flat.push_back(number(range.length));
  }
  return array(flat);
}

crdt::DeleteSet to_delete_set(napi_value flat) {
  crdt::DeleteSet set;
  for (uint32_t i = 0; i + 2 < array_length(flat); i += 3) {
    set.append(
        {to_id(element(flat, i)), to_uint(element(flat, i + 1)), to_uint(element(flat, i + 2))});
  }
  return set;
}

napi_value to_js(const crdt::StateVector& state) {
  std::vector<napi_value> flat;
  for (const crdt::StateVector::Entry& entry : state.entries()) {
    flat.push_back(number(static_cast<double>(entry.client)));
    flat.push_back(number(entry.clock));
  }
  return array(flat);
}

crdt::StateVector to_state_vector(napi_value flat) {
  std::vector<crdt::StateVector::Entry> entries;
  for (uint32_t i = 0; i + 1 < array_length(flat); i += 2) {
    entries.push_back({to_id(element(flat, i)), to_uint(element(flat, i + 1))});
  }
  return crdt::StateVector::from_entries(std::move(entries));
}

crdt::Snapshot to_snapshot(napi_value pair) {
  return {to_delete_set(element(pair, 0)), to_state_vector(element(pair, 1))};
}

crdt::UpdateVersion to_version(napi_value value) {
  return to_uint(value) == 2 ? crdt::UpdateVersion::V2 : crdt::UpdateVersion::V1;
}

napi_value to_js(const std::vector<crdt::DeltaOp>& delta, bool list) {
  std::vector<napi_value> operations;
  for (const crdt::DeltaOp& op : delta) {
    napi_value out = object();
    if (op.action == crdt::DeltaOp::Action::Retain) {
      put(out, "retain", number(op.count));
    } else if (op.action == crdt::DeltaOp::Action::Delete) {
      put(out, "delete", number(op.count));
    } else if (list) {
      std::vector<napi_value> values;
      for (const crdt::Value& value : op.values) values.push_back(to_js(value));
      put(out, "insert", array(values));
    } else {
      put(out, "insert", op.values.empty() ? text(op.text) : to_js(op.values.front()));
    }
    if (!op.attributes.empty()) {
      napi_value attributes = object();
      for (const auto& [key, value] : op.attributes) {
        check(napi_set_property(env, attributes, text(key), to_js(value)));
      }
      put(out, "attributes", attributes);
    }
    operations.push_back(out);
  }
  return array(operations);
}

std::vector<crdt::DeltaOp> to_delta(napi_value array) {
  std::vector<crdt::DeltaOp> delta;
  for (uint32_t i = 0; i < array_length(array); ++i) {
    napi_value in = element(array, i);
    crdt::DeltaOp op;
    napi_value insert = property(in, "insert"), retain = property(in, "retain");
    napi_valuetype type = napi_undefined;
    check(napi_typeof(env, insert, &type));
    if (type != napi_undefined) {
      op.action = crdt::DeltaOp::Action::Insert;
      if (type == napi_string) {
        op.text = to_text(insert);
      } else {
        op.values.emplace_back(to_any(insert));
      }
    } else if (!is_nullish(retain)) {
      op.count = to_uint(retain);
    } else {
      op.action = crdt::DeltaOp::Action::Delete;
      op.count = to_uint(property(in, "delete"));
    }
    op.attributes = to_attributes(property(in, "attributes"));
    delta.push_back(std::move(op));
  }
  return delta;
}

}  // namespace addon
