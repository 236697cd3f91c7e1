// SPDX-License-Identifier: MIT
#include "node.hpp"

#include <cmath>
#include <cstdlib>

#include "lattice/collab/crdt/utf.hpp"

namespace addon {

napi_env env = nullptr;

void check(napi_status status) {
  if (status == napi_ok) return;
  const napi_extended_error_info* info = nullptr;
  napi_get_last_error_info(env, &info);
  const char* message = info != nullptr ? info->error_message : nullptr;
  throw lattice::Error(std::string("a call of Node-API failed: ") +
                       (message != nullptr ? message : "no message"));
}

JsValue::JsValue(napi_value value) {
  napi_value box = nullptr;
  napi_ref reference = nullptr;
  check(napi_create_object(env, &box));
  check(napi_set_element(env, box, 0, value));
  check(napi_create_reference(env, box, 1, &reference));
  reference_.reset(reference, [](napi_ref old) { napi_delete_reference(env, old); });
}

napi_value JsValue::get() const {
  napi_value box = nullptr, value = nullptr;
  check(napi_get_reference_value(env, reference_.get(), &box));
  check(napi_get_element(env, box, 0, &value));
  return value;
}

napi_value undefined() {
  napi_value value = nullptr;
  check(napi_get_undefined(env, &value));
  return value;
}
napi_value null() {
  napi_value value = nullptr;
  check(napi_get_null(env, &value));
  return value;
}
napi_value boolean(bool flag) {
  napi_value value = nullptr;
  check(napi_get_boolean(env, flag, &value));
  return value;
}
napi_value number(double figure) {
  napi_value value = nullptr;
  check(napi_create_double(env, figure, &value));
  return value;
}
napi_value text(std::string_view utf8) {
  napi_value value = nullptr;
  if (crdt::is_ascii(utf8)) {
    check(napi_create_string_latin1(env, utf8.data(), utf8.size(), &value));
  } else {
    const std::u16string units = crdt::utf16_of(utf8);
    check(napi_create_string_utf16(env, units.data(), units.size(), &value));
  }
  return value;
}
napi_value array(std::span<const napi_value> items) {
  napi_value value = nullptr;
  check(napi_create_array_with_length(env, items.size(), &value));
  for (uint32_t i = 0; i < items.size(); ++i) check(napi_set_element(env, value, i, items[i]));
  return value;
}
napi_value bytes(std::span<const uint8_t> bytes) {
  napi_value buffer = nullptr, value = nullptr;
  void* data = nullptr;
  check(napi_create_arraybuffer(env, bytes.size(), &data, &buffer));
  if (!bytes.empty()) std::copy(bytes.begin(), bytes.end(), static_cast<uint8_t*>(data));
  check(napi_create_typedarray(env, napi_uint8_array, bytes.size(), buffer, 0, &value));
  return value;
}
napi_value object() {
  napi_value value = nullptr;
  check(napi_create_object(env, &value));
  return value;
}
void put(napi_value object, const char* key, napi_value value) {
  check(napi_set_named_property(env, object, key, value));
}

namespace {

napi_valuetype type_of(napi_value value) {
  napi_valuetype type = napi_undefined;
  check(napi_typeof(env, value, &type));
  return type;
}

}  // namespace

bool is_nullish(napi_value value) {
  const napi_valuetype type = type_of(value);
  return type == napi_undefined || type == napi_null;
}
bool is_function(napi_value value) { return type_of(value) == napi_function; }
bool to_bool(napi_value value) {
  napi_value coerced = nullptr;
  bool flag = false;
  check(napi_coerce_to_bool(env, value, &coerced));
  check(napi_get_value_bool(env, coerced, &flag));
  return flag;
}
double to_double(napi_value value) {
  double figure = 0;
  check(napi_get_value_double(env, value, &figure));
  return figure;
}
uint32_t to_uint(napi_value value) {
  const double figure = to_double(value);
  if (!(figure >= 0 && figure <= UINT32_MAX)) {
    throw lattice::Error("expected an index or a length, got " + std::to_string(figure));
  }
  return static_cast<uint32_t>(figure);
}
uint64_t to_id(napi_value value) { return static_cast<uint64_t>(to_double(value)); }
std::string to_text(napi_value value) {
  size_t length = 0;
  check(napi_get_value_string_utf16(env, value, nullptr, 0, &length));
  std::u16string units(length + 1, u'\0');
  check(napi_get_value_string_utf16(env, value, units.data(), units.size(), &length));
  units.resize(length);
  return crdt::utf8_of(units);
}
std::span<const uint8_t> to_bytes(napi_value value) {
  bool typed = false;
  check(napi_is_typedarray(env, value, &typed));
  if (!typed) throw lattice::Error("expected a Uint8Array");
  napi_typedarray_type type = napi_uint8_array;
  size_t length = 0;
  void* data = nullptr;
  check(napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr));
  return {static_cast<const uint8_t*>(data), length};
}
napi_value element(napi_value array, uint32_t index) {
  napi_value value = nullptr;
  check(napi_get_element(env, array, index, &value));
  return value;
}
napi_value property(napi_value object, const char* key) {
  napi_value value = nullptr;
  check(napi_get_named_property(env, object, key, &value));
  return value;
}
uint32_t array_length(napi_value array) {
  uint32_t length = 0;
  check(napi_get_array_length(env, array, &length));
  return length;
}

napi_value to_js(const crdt::Any& any) {
  using Kind = crdt::Any::Kind;
  switch (any.kind()) {
    case Kind::Undefined:
      return undefined();
    case Kind::Null:
      return null();
    case Kind::Boolean:
      return boolean(any.as_boolean());
    case Kind::Number:
      return number(any.as_number());
    case Kind::BigInt: {
      napi_value value = nullptr;
      check(napi_create_bigint_int64(env, any.as_bigint(), &value));
      return value;
    }
    case Kind::String:
      return text(any.as_string());
    case Kind::Bytes:
      return bytes(any.as_bytes());
    case Kind::Array: {
      std::vector<napi_value> items;
      for (const crdt::Any& item : any.as_array()) items.push_back(to_js(item));
      return array(items);
    }
    case Kind::Object: {
      napi_value value = object();
      for (const auto& [key, item] : any.as_object()) {
        check(napi_set_property(env, value, text(key), to_js(item)));
      }
      return value;
    }
  }
  return undefined();
}

namespace {

crdt::Any::Object entries_of(napi_value object) {
  napi_value keys = nullptr;
  check(napi_get_all_property_names(
      env, object, napi_key_own_only,
      static_cast<napi_key_filter>(napi_key_enumerable | napi_key_skip_symbols),
      napi_key_numbers_to_strings, &keys));
  crdt::Any::Object entries;
  for (uint32_t i = 0; i < array_length(keys); ++i) {
    napi_value key = element(keys, i), value = nullptr;
    check(napi_get_property(env, object, key, &value));
    entries.emplace_back(to_text(key), to_any(value));
  }
  return entries;
}

}  // namespace

crdt::Any to_any(napi_value value) {
  switch (type_of(value)) {
    case napi_undefined:
      return crdt::Any::undefined();
    case napi_null:
      return crdt::Any::null();
    case napi_boolean:
      return crdt::Any(to_bool(value));
    case napi_number:
      return crdt::Any::number(to_double(value));
    case napi_string:
      return crdt::Any(to_text(value));
    case napi_bigint: {
      int64_t figure = 0;
      bool lossless = false;
      check(napi_get_value_bigint_int64(env, value, &figure, &lossless));
      return crdt::Any::bigint(figure);
    }
    case napi_object:
      break;
    default:
      throw lattice::Error("a function or a symbol is no content of a document");
  }
  bool is = false;
  check(napi_is_array(env, value, &is));
  if (is) {
    crdt::Any::Array items;
    for (uint32_t i = 0; i < array_length(value); ++i) items.push_back(to_any(element(value, i)));
    return crdt::Any::array(std::move(items));
  }
  check(napi_is_typedarray(env, value, &is));
  if (is) {
    const std::span<const uint8_t> view = to_bytes(value);
    return crdt::Any::bytes({view.begin(), view.end()});
  }
  return crdt::Any::object(entries_of(value));
}

crdt::Attributes to_attributes(napi_value object) {
  crdt::Attributes attributes;
  if (is_nullish(object)) return attributes;
  for (auto& [key, value] : entries_of(object)) attributes.emplace_back(key, value);
  return attributes;
}

napi_value call(const JsValue& function, std::initializer_list<napi_value> arguments) {
  napi_value result = nullptr, thrown = nullptr;
  if (napi_call_function(env, undefined(), function.get(), arguments.size(), arguments.begin(),
                         &result) == napi_ok) {
    return result;
  }
  check(napi_get_and_clear_last_exception(env, &thrown));
  throw JsValue(thrown);
}

napi_value run(napi_callback_info info, Operation operation) {
  Call call;
  size_t count = 8;
  try {
    check(napi_get_cb_info(env, info, &count, call.arguments, nullptr, nullptr));
    return operation(call);
  } catch (const JsValue& thrown) {
    napi_throw(env, thrown.get());
  } catch (const std::exception& exception) {
    napi_throw_error(env, nullptr, exception.what());
  }
  return nullptr;
}

}  // namespace addon

NAPI_MODULE_INIT(/* napi_env env, napi_value exports */) {
  addon::env = env;
  addon::add_docs(exports);
  addon::add_lists(exports);
  addon::add_texts(exports);
  addon::add_events(exports);
  addon::add_updates(exports);
  addon::add_undo(exports);
  return exports;
}
