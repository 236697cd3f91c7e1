// SPDX-License-Identifier: MIT
// Text and relative positions.
#include "lattice/collab/crdt/relative_position.hpp"
#include "node.hpp"

namespace addon {
namespace {

crdt::Text text_of(const Call& call) {
  const crdt::Type& type = unwrap<crdt::Type>(call[0]);
  return {type.document(), type.index()};
}

napi_value text_length(const Call& call) { return number(text_of(call).length()); }
napi_value text_insert(const Call& call) {
  if (is_nullish(call[3])) {
    text_of(call).insert(to_uint(call[1]), to_text(call[2]));
  } else {
    text_of(call).insert(to_uint(call[1]), to_text(call[2]), to_attributes(call[3]));
  }
  return undefined();
}
napi_value text_embed(const Call& call) {
  const crdt::Attributes attributes = to_attributes(call[3]);
  text_of(call).insert_embed(to_uint(call[1]), to_any(call[2]),
                             is_nullish(call[3]) ? nullptr : &attributes);
  return undefined();
}
// JavaScript fills a type that was just embedded: fill([index, handle]).
crdt::FillType filler(const JsValue& fill) {
  return [fill](const crdt::Type& made) {
    const napi_value pair[] = {number(made.index()), wrap(crdt::Type(made))};
    addon::call(fill, {array(pair)});
  };
}
napi_value text_embed_type(const Call& call) {
  const crdt::Attributes attributes = to_attributes(call[4]);
  const crdt::NewType type{static_cast<crdt::TypeKind>(to_uint(call[2])),
                           is_nullish(call[3]) ? "" : to_text(call[3])};
  text_of(call).insert_embed(to_uint(call[1]), type, is_nullish(call[4]) ? nullptr : &attributes,
                             filler(JsValue(call[5])));
  return undefined();
}
napi_value text_delete(const Call& call) {
  text_of(call).erase(to_uint(call[1]), to_uint(call[2]));
  return undefined();
}
napi_value text_format(const Call& call) {
  text_of(call).format(to_uint(call[1]), to_uint(call[2]), to_attributes(call[3]));
  return undefined();
}
napi_value text_apply_delta(const Call& call) {
  // A new type comes as [kind, name, fill] beside the delta, for the entry of the same place.
  std::vector<crdt::DeltaOp> delta = to_delta(call[1]);
  for (uint32_t i = 0; i < delta.size() && !is_nullish(call[3]); ++i) {
    const napi_value made = element(call[3], i);
    if (is_nullish(made)) continue;
    const napi_value name = element(made, 1);
    delta[i].new_type = crdt::NewType{static_cast<crdt::TypeKind>(to_uint(element(made, 0))),
                                      is_nullish(name) ? "" : to_text(name)};
    delta[i].fill = filler(JsValue(element(made, 2)));
  }
  text_of(call).apply_delta(delta, to_bool(call[2]));
  return undefined();
}
napi_value text_to_delta(const Call& call) {
  if (is_nullish(call[1]) && is_nullish(call[2])) return to_js(text_of(call).to_delta(), false);
  std::optional<crdt::Snapshot> at, before;
  if (!is_nullish(call[1])) at = to_snapshot(call[1]);
  if (!is_nullish(call[2])) before = to_snapshot(call[2]);
  crdt::Text::YChange ychange;
  if (is_function(call[3])) {
    ychange = [compute = JsValue(call[3])](bool added, crdt::Id id) {
      const napi_value pair[] = {number(static_cast<double>(id.client)), number(id.clock)};
      return to_any(addon::call(compute, {text(added ? "added" : "removed"), array(pair)}));
    };
  }
  return to_js(text_of(call).to_delta(at ? &*at : nullptr, before ? &*before : nullptr, ychange),
               false);
}
napi_value text_to_string(const Call& call) { return text(text_of(call).to_string()); }
napi_value clean_up_formatting(const Call& call) {
  return number(text_of(call).clean_up_formatting());
}

// A position crosses as [typeClient, typeClock, name, itemClient, itemClock, assoc], null for what
// it lacks.
void add_id(std::vector<napi_value>& fields, const std::optional<crdt::Id>& id) {
  fields.push_back(id ? number(static_cast<double>(id->client)) : null());
  fields.push_back(id ? number(id->clock) : null());
}
napi_value position_to_js(const crdt::RelativePosition& position) {
  std::vector<napi_value> fields;
  add_id(fields, position.type);
  fields.push_back(position.root_name ? text(*position.root_name) : null());
  add_id(fields, position.item);
  fields.push_back(number(position.assoc));
  return array(fields);
}
crdt::RelativePosition to_position(napi_value fields) {
  crdt::RelativePosition position;
  if (!is_nullish(element(fields, 0))) {
    position.type = crdt::Id{to_id(element(fields, 0)), to_uint(element(fields, 1))};
  }
  if (!is_nullish(element(fields, 2))) position.root_name = to_text(element(fields, 2));
  if (!is_nullish(element(fields, 3))) {
    position.item = crdt::Id{to_id(element(fields, 3)), to_uint(element(fields, 4))};
  }
  position.assoc = static_cast<int32_t>(to_double(element(fields, 5)));
  return position;
}

napi_value make_position(const Call& call) {
  return position_to_js(crdt::make_relative_position(unwrap<crdt::Type>(call[0]), to_uint(call[1]),
                                                     static_cast<int32_t>(to_double(call[2]))));
}
napi_value resolve_position(const Call& call) {
  const auto found =
      crdt::resolve(to_position(call[0]), unwrap<crdt::Doc>(call[1]), to_bool(call[2]));
  if (!found) return null();
  const napi_value fields[] = {to_js(found->type), number(found->index), number(found->assoc)};
  return array(fields);
}
napi_value encode_position(const Call& call) { return bytes(crdt::encode(to_position(call[0]))); }
napi_value decode_position(const Call& call) {
  const auto decoded = crdt::decode_relative_position(to_bytes(call[0]));
  if (!decoded.ok()) throw lattice::Error(decoded.error());
  return position_to_js(decoded.value());
}

}  // namespace

void add_texts(napi_value exports) {
  add<text_length>(exports, "textLength");
  add<text_insert>(exports, "textInsert");
  add<text_embed>(exports, "textEmbed");
  add<text_embed_type>(exports, "textEmbedType");
  add<text_delete>(exports, "textDelete");
  add<text_format>(exports, "textFormat");
  add<text_apply_delta>(exports, "textApplyDelta");
  add<text_to_delta>(exports, "textToDelta");
  add<text_to_string>(exports, "textToString");
  add<clean_up_formatting>(exports, "cleanUpFormatting");
  add<make_position>(exports, "makePosition");
  add<resolve_position>(exports, "resolvePosition");
  add<encode_position>(exports, "encodePosition");
  add<decode_position>(exports, "decodePosition");
}

}  // namespace addon
