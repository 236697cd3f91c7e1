// SPDX-License-Identifier: MIT
// Documents, transactions and views of the store.
#include "lattice/collab/crdt/internal/document.hpp"
#include "node.hpp"

namespace addon {
namespace {

crdt::Doc& doc_of(const Call& call) { return unwrap<crdt::Doc>(call[0]); }

napi_value new_doc(const Call& call) {
  crdt::DocOptions options;
  options.guid = to_text(property(call[0], "guid"));
  options.gc = to_bool(property(call[0], "gc"));
  options.auto_load = to_bool(property(call[0], "autoLoad"));
  options.should_load = to_bool(property(call[0], "shouldLoad"));
  napi_value meta = property(call[0], "meta"), filter = property(call[0], "gcFilter");
  if (!is_nullish(meta)) options.meta = to_any(meta);
  if (is_function(filter)) {
    options.gc_filter = [keep = JsValue(filter)](const crdt::ItemView& item) {
      HandleScope scope;
      return to_bool(addon::call(keep, {to_js(item)}));
    };
  }
  return wrap(crdt::Doc(std::move(options)));
}

// For the fuzzer: small documents place items by lists of siblings too.
napi_value list_siblings_at_once(const Call& call) {
  auto& siblings = doc_of(call).document()->siblings;
  siblings.scan_max = siblings.cost_min = 0;
  return undefined();
}

napi_value key_of_doc(const Call& call) { return document_key(doc_of(call)); }

napi_value client_id(const Call& call) {
  return number(static_cast<double>(doc_of(call).client_id()));
}
napi_value set_client_id(const Call& call) {
  doc_of(call).set_client_id(to_id(call[1]));
  return undefined();
}
napi_value guid(const Call& call) { return text(doc_of(call).guid()); }
napi_value gc(const Call& call) { return boolean(doc_of(call).gc()); }
napi_value set_gc(const Call& call) {
  doc_of(call).set_gc(to_bool(call[1]));
  return undefined();
}
napi_value meta(const Call& call) {
  const crdt::Any& any = doc_of(call).meta();
  return any.is_undefined() ? null() : to_js(any);
}
napi_value auto_load(const Call& call) { return boolean(doc_of(call).auto_load()); }
napi_value should_load(const Call& call) { return boolean(doc_of(call).should_load()); }

napi_value get_root(const Call& call) {
  return to_js(doc_of(call).get(to_text(call[1]), static_cast<crdt::TypeKind>(to_uint(call[2]))));
}
napi_value roots(const Call& call) {
  std::vector<napi_value> pairs;
  for (const auto& [name, type] : doc_of(call).roots()) {
    const napi_value pair[] = {text(name), to_js(type)};
    pairs.push_back(array(pair));
  }
  return array(pairs);
}
napi_value to_json(const Call& call) { return to_js(doc_of(call).to_json()); }

napi_value transact(const Call& call) {
  const crdt::Doc doc = doc_of(call);
  crdt::Doc::Scope scope(doc, to_origin(call[2]), to_bool(call[3]));
  napi_value result = addon::call(JsValue(call[1]), {to_js(scope.transaction())});
  scope.close();
  return result;
}

napi_value apply_update(const Call& call) {
  // A copy: observers may do what they like to the array.
  const std::span<const uint8_t> view = to_bytes(call[1]);
  const crdt::Bytes update(view.begin(), view.end());
  const crdt::Doc doc = doc_of(call);
  const auto applied = doc.apply_update(update, to_version(call[2]), to_origin(call[3]));
  if (!applied.ok()) throw lattice::Error(applied.error());
  return undefined();
}
napi_value encode_state_as_update(const Call& call) {
  crdt::StateVector state;
  if (!is_nullish(call[1])) {
    auto decoded = crdt::StateVector::decode(to_bytes(call[1]));
    if (!decoded.ok()) throw lattice::Error(decoded.error());
    state = std::move(decoded).value();
  }
  return bytes(doc_of(call).encode_state_as_update(state, to_version(call[2])));
}
napi_value encode_state_vector(const Call& call) {
  return bytes(doc_of(call).encode_state_vector());
}
napi_value state_vector(const Call& call) { return to_js(doc_of(call).state_vector()); }
napi_value delete_set(const Call& call) { return to_js(doc_of(call).delete_set()); }

napi_value load(const Call& call) {
  doc_of(call).load();
  return undefined();
}
napi_value destroy(const Call& call) {
  const crdt::Doc doc = doc_of(call);
  doc.destroy();
  return undefined();
}
napi_value subdocs(const Call& call) {
  std::vector<napi_value> found;
  for (const crdt::Doc& doc : doc_of(call).subdocs()) found.push_back(to_js(doc));
  return array(found);
}

// [client, structs] pairs.
napi_value store(const Call& call) {
  const crdt::Doc& doc = doc_of(call);
  std::vector<napi_value> pairs;
  for (const crdt::ClientId client : doc.clients()) {
    std::vector<napi_value> structs;
    for (const crdt::ItemView& item : doc.structs(client)) {
      napi_escapable_handle_scope scope = nullptr;
      napi_value kept = nullptr;
      check(napi_open_escapable_handle_scope(env, &scope));
      check(napi_escape_handle(env, scope, to_js(item), &kept));
      check(napi_close_escapable_handle_scope(env, scope));
      structs.push_back(kept);
    }
    const napi_value pair[] = {number(static_cast<double>(client)), array(structs)};
    pairs.push_back(array(pair));
  }
  return array(pairs);
}
// {ref, values, type, key} of the item with this id, whatever its place in a run.
napi_value item_content(const Call& call) {
  const auto item = doc_of(call).find({to_id(call[1]), to_uint(call[2])});
  if (!item) return null();
  napi_value out = object();
  put(out, "ref", number(item->content_ref()));
  std::vector<napi_value> values;
  if (item->content_ref() == 7) {
    put(out, "type", to_js(item->type()));
  } else if (item->content_ref() == 6) {
    put(out, "key", text(item->format_key()));
  } else if (item->content_ref() > 1) {
    for (const crdt::Value& value : item->content()) values.push_back(to_js(value));
  }
  put(out, "values", array(values));
  return out;
}
napi_value pending_structs(const Call& call) {
  const auto pending = doc_of(call).pending_structs();
  if (!pending) return null();
  napi_value out = object();
  put(out, "missing", to_js(pending->missing));
  put(out, "update", bytes(pending->update_v2));
  return out;
}
napi_value pending_delete_set(const Call& call) {
  const auto pending = doc_of(call).pending_delete_set();
  return pending ? bytes(*pending) : null();
}
napi_value memory_used(const Call& call) {
  return number(static_cast<double>(doc_of(call).memory_used()));
}

}  // namespace

void add_docs(napi_value exports) {
  add<set_host>(exports, "setHost");
  add<new_doc>(exports, "newDoc");
  add<key_of_doc>(exports, "docKey");
  add<client_id>(exports, "clientId");
  add<set_client_id>(exports, "setClientId");
  add<guid>(exports, "guid");
  add<gc>(exports, "gc");
  add<set_gc>(exports, "setGc");
  add<meta>(exports, "meta");
  add<auto_load>(exports, "autoLoad");
  add<should_load>(exports, "shouldLoad");
  add<get_root>(exports, "getRoot");
  add<roots>(exports, "roots");
  add<to_json>(exports, "docToJson");
  add<transact>(exports, "transact");
  add<apply_update>(exports, "applyUpdate");
  add<encode_state_as_update>(exports, "encodeStateAsUpdate");
  add<encode_state_vector>(exports, "encodeStateVector");
  add<state_vector>(exports, "stateVector");
  add<delete_set>(exports, "deleteSet");
  add<load>(exports, "load");
  add<destroy>(exports, "destroy");
  add<subdocs>(exports, "subdocs");
  add<store>(exports, "store");
  add<item_content>(exports, "itemContent");
  add<list_siblings_at_once>(exports, "listSiblingsAtOnce");
  add<pending_structs>(exports, "pendingStructs");
  add<pending_delete_set>(exports, "pendingDeleteSet");
  add<memory_used>(exports, "memoryUsed");
}

}  // namespace addon
