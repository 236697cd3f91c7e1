// SPDX-License-Identifier: MIT
// Lists (Array, Xml*), maps and attributes, and what all types have.
#include "node.hpp"

namespace addon {
namespace {

crdt::Type& type_of(const Call& call) { return unwrap<crdt::Type>(call[0]); }
template <class Handle>
Handle as(const Call& call) {
  const crdt::Type& type = type_of(call);
  return Handle(type.document(), type.index());
}
crdt::NewType new_type(napi_value kind, napi_value name) {
  return {static_cast<crdt::TypeKind>(to_uint(kind)), is_nullish(name) ? "" : to_text(name)};
}
// [index, handle]: the shim has the object already.
napi_value created(const crdt::Type& type) {
  const napi_value pair[] = {number(type.index()), wrap(crdt::Type(type))};
  return array(pair);
}
std::vector<crdt::Any> values_of(napi_value list) {
  std::vector<crdt::Any> values;
  for (uint32_t i = 0; i < array_length(list); ++i) values.push_back(to_any(element(list, i)));
  return values;
}
napi_value values_to_js(const std::vector<crdt::Value>& values) {
  std::vector<napi_value> found;
  for (const crdt::Value& value : values) found.push_back(to_js(value));
  return array(found);
}

napi_value parent(const Call& call) { return to_js(type_of(call).parent()); }
napi_value item(const Call& call) {
  const auto found = type_of(call).item();
  return found ? to_js(*found) : null();
}
napi_value to_json(const Call& call) { return to_js(type_of(call).to_json()); }
napi_value items(const Call& call) {
  std::vector<napi_value> found;
  for (const crdt::ItemView& view : type_of(call).items()) found.push_back(to_js(view));
  return array(found);
}
napi_value entry_items(const Call& call) {
  std::vector<napi_value> found;
  for (const auto& [key, view] : type_of(call).entries()) {
    const napi_value pair[] = {text(key), to_js(view)};
    found.push_back(array(pair));
  }
  return array(found);
}

napi_value list_length(const Call& call) { return number(as<crdt::Array>(call).length()); }
napi_value list_insert(const Call& call) {
  as<crdt::Array>(call).insert(to_uint(call[1]), values_of(call[2]));
  return undefined();
}
napi_value list_insert_type(const Call& call) {
  return created(as<crdt::Array>(call).insert(to_uint(call[1]), new_type(call[2], call[3])));
}
napi_value list_insert_doc(const Call& call) {
  as<crdt::Array>(call).insert(to_uint(call[1]), unwrap<crdt::Doc>(call[2]));
  return undefined();
}
napi_value list_push(const Call& call) {
  as<crdt::Array>(call).push(values_of(call[1]));
  return undefined();
}
napi_value list_push_type(const Call& call) {
  return created(as<crdt::Array>(call).push(new_type(call[1], call[2])));
}
napi_value list_insert_type_after(const Call& call) {
  const crdt::Type reference = is_nullish(call[1]) ? crdt::Type() : unwrap<crdt::Type>(call[1]);
  return created(as<crdt::XmlFragment>(call).insert_after(reference, new_type(call[2], call[3])));
}
napi_value list_delete(const Call& call) {
  as<crdt::Array>(call).erase(to_uint(call[1]), to_uint(call[2]));
  return undefined();
}
napi_value list_get(const Call& call) { return to_js(as<crdt::Array>(call).get(to_uint(call[1]))); }
napi_value list_slice(const Call& call) {
  return values_to_js(as<crdt::Array>(call).slice(to_uint(call[1]), to_uint(call[2])));
}
napi_value list_to_array(const Call& call) {
  return values_to_js(as<crdt::Array>(call).to_vector());
}
napi_value list_at_snapshot(const Call& call) {
  return values_to_js(crdt::to_vector_at(as<crdt::Array>(call), to_snapshot(call[1])));
}

napi_value map_set(const Call& call) {
  as<crdt::Map>(call).set(to_text(call[1]), to_any(call[2]));
  return undefined();
}
napi_value map_set_type(const Call& call) {
  return created(as<crdt::Map>(call).set(to_text(call[1]), new_type(call[2], call[3])));
}
napi_value map_set_doc(const Call& call) {
  as<crdt::Map>(call).set(to_text(call[1]), unwrap<crdt::Doc>(call[2]));
  return undefined();
}
napi_value map_delete(const Call& call) {
  as<crdt::Map>(call).erase(to_text(call[1]));
  return undefined();
}
napi_value map_clear(const Call& call) {
  as<crdt::Map>(call).clear();
  return undefined();
}
napi_value map_get(const Call& call) {
  const auto value = as<crdt::Map>(call).get(to_text(call[1]));
  return value ? to_js(*value) : undefined();
}
napi_value map_has(const Call& call) { return boolean(as<crdt::Map>(call).has(to_text(call[1]))); }
napi_value map_size(const Call& call) { return number(as<crdt::Map>(call).size()); }
napi_value pairs(const std::vector<std::pair<std::string, crdt::Value>>& entries) {
  std::vector<napi_value> found;
  for (const auto& [key, value] : entries) {
    const napi_value pair[] = {text(key), to_js(value)};
    found.push_back(array(pair));
  }
  return array(found);
}
napi_value map_entries(const Call& call) { return pairs(as<crdt::Map>(call).to_vector()); }
napi_value map_entries_at(const Call& call) {
  return pairs(crdt::entries_at(type_of(call), to_snapshot(call[1])));
}
napi_value map_get_at(const Call& call) {
  const auto value = crdt::get_at(type_of(call), to_text(call[1]), to_snapshot(call[2]));
  return value ? to_js(*value) : undefined();
}

napi_value next_sibling(const Call& call) { return to_js(crdt::next_sibling(type_of(call))); }
napi_value previous_sibling(const Call& call) {
  return to_js(crdt::previous_sibling(type_of(call)));
}
napi_value first_child(const Call& call) {
  return to_js(as<crdt::XmlFragment>(call).first_child());
}
napi_value descendants(const Call& call) {
  std::vector<napi_value> found;
  for (const crdt::Type& type : as<crdt::XmlFragment>(call).descendants()) {
    found.push_back(to_js(type));
  }
  return array(found);
}
napi_value xml_to_string(const Call& call) {
  const crdt::Type& type = type_of(call);
  if (type.kind() == crdt::TypeKind::XmlText) return text(as<crdt::XmlText>(call).to_xml_string());
  return text(as<crdt::XmlFragment>(call).to_string());
}

}  // namespace

void add_lists(napi_value exports) {
  add<parent>(exports, "parent");
  add<item>(exports, "item");
  add<to_json>(exports, "toJson");
  add<items>(exports, "items");
  add<entry_items>(exports, "entryItems");
  add<list_length>(exports, "listLength");
  add<list_insert>(exports, "listInsert");
  add<list_insert_type>(exports, "listInsertType");
  add<list_insert_doc>(exports, "listInsertDoc");
  add<list_push>(exports, "listPush");
  add<list_push_type>(exports, "listPushType");
  add<list_insert_type_after>(exports, "listInsertTypeAfter");
  add<list_delete>(exports, "listDelete");
  add<list_get>(exports, "listGet");
  add<list_slice>(exports, "listSlice");
  add<list_to_array>(exports, "listToArray");
  add<list_at_snapshot>(exports, "listAtSnapshot");
  add<map_set>(exports, "mapSet");
  add<map_set_type>(exports, "mapSetType");
  add<map_set_doc>(exports, "mapSetDoc");
  add<map_delete>(exports, "mapDelete");
  add<map_clear>(exports, "mapClear");
  add<map_get>(exports, "mapGet");
  add<map_has>(exports, "mapHas");
  add<map_size>(exports, "mapSize");
  add<map_entries>(exports, "mapEntries");
  add<map_entries_at>(exports, "mapEntriesAtSnapshot");
  add<map_get_at>(exports, "mapGetAtSnapshot");
  add<next_sibling>(exports, "nextSibling");
  add<previous_sibling>(exports, "previousSibling");
  add<first_child>(exports, "firstChild");
  add<descendants>(exports, "descendants");
  add<xml_to_string>(exports, "xmlToString");
}

}  // namespace addon
