// SPDX-License-Identifier: MIT
// Between Node-API and the CRDT engine: values, handles, callbacks. The addon translates and
// nothing else; what a document is, and every decision in it, is the engine's.
#pragma once

#include <node_api.h>

#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lattice/collab/crdt/doc.hpp"
#include "lattice/collab/crdt/snapshot.hpp"

namespace addon {

namespace crdt = lattice::crdt;

extern napi_env env;

void check(napi_status status);

// Any JavaScript value, kept. References hold objects only, hence the box.
class JsValue {
 public:
  explicit JsValue(napi_value value);
  napi_value get() const;

 private:
  std::shared_ptr<napi_ref__> reference_;
};

struct Call {
  napi_value arguments[8] = {};
  napi_value operator[](size_t index) const { return arguments[index]; }
};

// Handles of one callback end with it, however long the engine's call around it takes.
class HandleScope {
 public:
  HandleScope() { check(napi_open_handle_scope(env, &scope_)); }
  HandleScope(const HandleScope&) = delete;
  HandleScope& operator=(const HandleScope&) = delete;
  ~HandleScope() { napi_close_handle_scope(env, scope_); }

 private:
  napi_handle_scope scope_ = nullptr;
};

napi_value undefined();
napi_value null();
napi_value boolean(bool value);
napi_value number(double value);
napi_value text(std::string_view utf8);
napi_value array(std::span<const napi_value> items);
napi_value bytes(std::span<const uint8_t> bytes);
napi_value object();
void put(napi_value object, const char* key, napi_value value);

bool is_nullish(napi_value value);
bool is_function(napi_value value);
bool to_bool(napi_value value);
double to_double(napi_value value);
uint32_t to_uint(napi_value value);
uint64_t to_id(napi_value value);
std::string to_text(napi_value value);
std::span<const uint8_t> to_bytes(napi_value value);  // valid while `value` is
napi_value element(napi_value array, uint32_t index);
napi_value property(napi_value object, const char* key);
uint32_t array_length(napi_value array);

napi_value to_js(const crdt::Any& any);
crdt::Any to_any(napi_value value);
crdt::Attributes to_attributes(napi_value object);  // empty for null and undefined

// A JavaScript exception travels through the engine as a JsValue.
napi_value call(const JsValue& function, std::initializer_list<napi_value> arguments);

// Handles are opaque externals that own a copy.
template <class Handle>
napi_value wrap(Handle handle) {
  napi_value external = nullptr;
  auto* owned = new Handle(std::move(handle));
  auto destroy = [](napi_env, void* data, void*) { delete static_cast<Handle*>(data); };
  check(napi_create_external(env, owned, destroy, nullptr, &external));
  return external;
}
template <class Handle>
Handle& unwrap(napi_value external) {
  void* data = nullptr;
  check(napi_get_value_external(env, external, &data));
  return *static_cast<Handle*>(data);
}

// What the shim gives us to make its objects: see setHost in docs.cpp.
enum class Host { FindType, NewType, WrapDoc, Transaction, Event, StackItem };
napi_value host(Host function, std::initializer_list<napi_value> arguments);

napi_value document_key(const crdt::Doc& doc);
napi_value to_js(const crdt::Type& type);  // null when empty
napi_value to_js(const crdt::Doc& doc);
napi_value to_js(const crdt::Value& value);
napi_value to_js(const crdt::Origin& origin);
napi_value to_js(crdt::Transaction& transaction);
napi_value to_js(const crdt::ItemView& item);
napi_value to_js(const crdt::DeleteSet& set);
napi_value to_js(const crdt::StateVector& state);
napi_value to_js(const std::vector<crdt::DeltaOp>& delta, bool list);
crdt::Origin to_origin(napi_value value);
crdt::DeleteSet to_delete_set(napi_value flat);
crdt::StateVector to_state_vector(napi_value flat);
crdt::Snapshot to_snapshot(napi_value pair);
crdt::UpdateVersion to_version(napi_value value);
std::vector<crdt::DeltaOp> to_delta(napi_value array);

// An undo manager's transactions have its origin; JavaScript is to see the manager, which `shown`
// returns (it must not keep it alive).
void name_origin(const crdt::Origin& origin, napi_value shown);
napi_value set_host(const Call& call);

using Operation = napi_value (*)(const Call& call);
napi_value run(napi_callback_info info, Operation operation);
template <Operation operation>
napi_value entry_point(napi_env, napi_callback_info info) {
  return run(info, operation);
}
template <Operation operation>
void add(napi_value exports, const char* name) {
  napi_value function = nullptr;
  check(napi_create_function(env, name, NAPI_AUTO_LENGTH, entry_point<operation>, nullptr,
                             &function));
  check(napi_set_named_property(env, exports, name, function));
}

void add_docs(napi_value exports);
void add_lists(napi_value exports);
void add_texts(napi_value exports);
void add_events(napi_value exports);
void add_updates(napi_value exports);
void add_undo(napi_value exports);

}  // namespace addon
