// SPDX-License-Identifier: MIT
// Source: Yjs 13.6 RelativePosition.js.
#include "lattice/collab/crdt/relative_position.hpp"

#include "lattice/collab/crdt/internal/document.hpp"
#include "lattice/collab/crdt/utf.hpp"

namespace lattice::crdt {

using internal::Content;
using internal::Document;
using internal::Item;
using internal::ItemId;
using internal::kNil;
using internal::Ref;
using internal::TypeData;

namespace {

std::optional<ItemId> known(const Document& document, Id id) {
  const uint32_t client = document.find_client(id.client);
  if (client == internal::kNoClient || id.clock >= document.clients[client].state) {
    return std::nullopt;
  }
  return ItemId{client, id.clock};
}

}  // namespace

RelativePosition make_relative_position(const Type& type, uint32_t index, int32_t assoc) {
  Document& document = *type.document();
  const TypeData& list = document.types[type.index()];
  RelativePosition position;
  position.assoc = assoc;
  if (list.is_root()) {
    position.root_name = document.strings[list.name];
  } else {
    position.type = document.wire_id(list.owner);
  }
  if (assoc < 0) {
    if (index == 0) return position;
    --index;
  }
  auto place = document.sequences.find(list.root, index);
  if (place.item != kNil) {
    const Item& item = document.items[place.item];
    position.item = document.wire_id({item.client, item.clock + place.offset});
  } else if (assoc < 0) {
    if (const Ref last = document.sequences.last(list.root); last != kNil) {
      position.item = document.wire_id(document.items[last].last_id());
    }
  }
  return position;
}

std::optional<AbsolutePosition> resolve(const RelativePosition& position, const Doc& doc,
                                        bool follow_undone) {
  Document& document = *doc.document();
  if (position.item) {
    const auto id = known(document, *position.item);
    if (!id) return std::nullopt;
    auto [ref, offset] = document.follow_redone(*id, follow_undone);
    const Item& item = document.items[ref];
    if (item.kind == Content::Gc) return std::nullopt;
    AbsolutePosition at{document.handle(item.parent), 0, position.assoc};
    const TypeData& type = document.types[item.parent];
    if (!document.type_deleted(type) && !item.has_sub()) {
      at.index = document.sequences.index_of(ref);
      if (item.visible() != 0) at.index += offset + (position.assoc >= 0 ? 0 : 1);
    }
    return at;
  }
  AbsolutePosition at;
  at.assoc = position.assoc;
  if (position.root_name) {
    at.type = doc.get(*position.root_name);
  } else if (position.type) {
    const auto id = known(document, *position.type);
    if (!id) return std::nullopt;
    const Ref ref = document.follow_redone(*id, follow_undone).first;
    const Item& item = document.items[ref];
    if (item.kind != Content::Type) return std::nullopt;
    at.type = document.handle(item.content);
  } else {
    throw Error("resolve: the position names neither an item nor a type");
  }
  if (position.assoc >= 0) at.index = document.types[at.type.index()].length;
  return at;
}

Bytes encode(const RelativePosition& position) {
  Encoder encoder;
  if (position.item) {
    encoder.var_uint(0);
    encoder.var_uint(position.item->client);
    encoder.var_uint(position.item->clock);
  } else if (position.root_name) {
    encoder.u8(1);
    write_text(encoder, *position.root_name);
  } else if (position.type) {
    encoder.u8(2);
    encoder.var_uint(position.type->client);
    encoder.var_uint(position.type->clock);
  } else {
    throw Error("encode: the position names neither an item nor a type");
  }
  encoder.var_int(static_cast<int64_t>(position.assoc));
  return encoder.to_vector();
}

Result<RelativePosition> decode_relative_position(std::span<const uint8_t> bytes) {
  Decoder decoder(bytes);
  RelativePosition position;
  auto id = [&] {
    const ClientId client = decoder.var_uint();
    return Id{client, decoder.var_uint32()};
  };
  switch (decoder.var_uint()) {
    case 0:
      position.item = id();
      break;
    case 1: {
      const std::string_view name = decoder.var_string();
      if (checked_utf16_length(name) < 0) decoder.fail("root name is no well-formed UTF-8");
      position.root_name = std::string(name);
      break;
    }
    case 2:
      position.type = id();
      break;
    default:
      decoder.fail("unknown kind of position");
  }
  if (decoder.ok() && !decoder.at_end()) {
    const SignedVarint assoc = decoder.var_int();
    if (assoc.magnitude > INT32_MAX) decoder.fail("assoc does not fit in 32 bits");
    const auto magnitude = static_cast<int32_t>(assoc.magnitude);
    position.assoc = assoc.negative ? -magnitude : magnitude;
  }
  if (!decoder.ok()) return failure_of("relative position", decoder, bytes.size());
  return position;
}

Any to_json(const RelativePosition& position) {
  auto id = [](Id at) {
    return Any::object({{"client", Any(static_cast<double>(at.client))},
                        {"clock", Any(static_cast<double>(at.clock))}});
  };
  Any::Object json;
  if (position.type) json.emplace_back("type", id(*position.type));
  if (position.root_name && !position.root_name->empty()) {
    json.emplace_back("tname", Any(*position.root_name));
  }
  if (position.item) json.emplace_back("item", id(*position.item));
  json.emplace_back("assoc", Any(static_cast<double>(position.assoc)));
  return Any::object(std::move(json));
}

Result<RelativePosition> relative_position_from_json(const Any& json) {
  RelativePosition position;
  if (!json.is_object()) return Failure{"relative position: expected a JSON object"};
  bool ok = true;
  auto number = [&](const Any* value, double limit) {
    if (value == nullptr || value->kind() != Any::Kind::Number || value->as_number() < 0 ||
        value->as_number() > limit) {
      ok = false;
      return uint64_t{0};
    }
    return static_cast<uint64_t>(value->as_number());
  };
  auto id = [&](const char* key, std::optional<Id>& out) {
    const Any* value = json.find(key);
    if (value == nullptr || value->is_null() || value->is_undefined()) return;
    const uint64_t client = number(value->find("client"), 9007199254740991.0);
    out = Id{client, static_cast<Clock>(number(value->find("clock"), 4294967295.0))};
  };
  id("type", position.type);
  id("item", position.item);
  if (const Any* name = json.find("tname"); name != nullptr && name->is_string()) {
    position.root_name = name->as_string();
  }
  if (const Any* assoc = json.find("assoc");
      assoc != nullptr && assoc->kind() == Any::Kind::Number) {
    const double value = assoc->as_number();
    if (!(value >= INT32_MIN && value <= INT32_MAX)) ok = false;
    if (ok) position.assoc = static_cast<int32_t>(value);
  }
  if (!ok) return Failure{"relative position: an id or assoc in the JSON is no number in range"};
  return position;
}

}  // namespace lattice::crdt
