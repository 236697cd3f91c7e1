// SPDX-License-Identifier: MIT
// A document, or one transaction of it, as an update.
// Source: Yjs 13.6 encoding.js, Item.js (write).
#include <algorithm>

#include "lattice/collab/crdt/internal/document.hpp"
#include "lattice/collab/crdt/struct_view.hpp"
#include "lattice/collab/crdt/update.hpp"
#include "lattice/collab/crdt/update_encoder.hpp"
#include "lattice/collab/crdt/utf.hpp"

namespace lattice::crdt::internal {

template <class Writer>
void Document::write_item(Writer& writer, Ref ref, uint32_t offset) {
  const Item& item = items[ref];
  if (item.kind == Content::Gc) {
    writer.info(0);
    writer.length(item.length - offset);
    return;
  }
  const ItemId origin = offset > 0 ? ItemId{item.client, item.clock + offset - 1} : item.origin;
  const bool has_origin = static_cast<bool>(origin);
  const bool has_right = static_cast<bool>(item.right_origin);
  writer.info(static_cast<uint8_t>(
      static_cast<uint8_t>(item.kind) | (has_origin ? info_bits::kOrigin : 0) |
      (has_right ? info_bits::kRightOrigin : 0) | (item.has_sub() ? info_bits::kParentSub : 0)));
  if (has_origin) writer.left_id(wire_id(origin));
  if (has_right) writer.right_id(wire_id(item.right_origin));
  if (!has_origin && !has_right) {
    const TypeData& parent = types[item.parent];
    writer.parent_root(parent.is_root());
    if (parent.is_root()) {
      writer.text(strings[parent.name]);
    } else {
      writer.left_id(wire_id(parent.owner));
    }
    if (item.has_sub()) writer.text(strings[item.sub]);
  }
  switch (item.kind) {
    case Content::Deleted:
      writer.length(item.length - offset);
      break;
    case Content::String:
      if (offset == 0) {
        writer.text(text_of(item), item.length);
      } else if (!(item.flags & Item::kWide)) {
        writer.text(text_of(item).substr(offset), item.length - offset);
      } else {
        std::string scratch;
        writer.text(text_from(text_of(item), offset, scratch), item.length - offset);
      }
      break;
    case Content::Any:
      writer.length(item.length - offset);
      for (uint32_t i = offset; i < item.length; ++i) writer.any(values[item.content][i]);
      break;
    case Content::Json:
      writer.length(item.length - offset);
      for (uint32_t i = offset; i < item.length; ++i) {
        writer.text(to_json(values[item.content][i]).value_or("undefined"));
      }
      break;
    case Content::Binary:
      writer.buffer(values[item.content][0].as_bytes());
      break;
    case Content::Embed:
      writer.json_value(values[item.content][0]);
      break;
    case Content::Format:
      writer.key(strings[formats[item.content].key]);
      writer.json_value(formats[item.content].value);
      break;
    case Content::Type: {
      const TypeData& type = types[item.content];
      writer.type_ref(static_cast<uint64_t>(type.kind));
      if (type.kind == TypeKind::XmlElement || type.kind == TypeKind::XmlHook) {
        writer.key(strings[type.name]);
      }
      break;
    }
    case Content::Doc:
      writer.text(subdocs_pool[item.content].document->guid);
      writer.any(subdocs_pool[item.content].options);
      break;
    default:
      break;
  }
}

template <class Writer>
void Document::write_client(Writer& writer, uint32_t index, uint32_t clock) {
  const ClientRuns& client = clients[index];
  const RunIndex::Position first = client.runs.find(clock);
  writer.rest().var_uint(client.runs.count_from(first));
  writer.client(client.id);
  writer.rest().var_uint(clock);
  write_item(writer, client.runs.at(first).item, clock - client.runs.at(first).clock);
  client.runs.for_each_after(first,
                             [&](const RunIndex::Run& run) { write_item(writer, run.item, 0); });
}

namespace {

template <class Writer>
void write_deletes(Writer& writer, std::span<const IdRange> ranges) {
  Encoder& rest = writer.rest();
  size_t count = 0;
  for (size_t i = 0; i < ranges.size(); ++i) {
    count += i == 0 || ranges[i].client != ranges[i - 1].client;
  }
  rest.var_uint(count);
  for (size_t i = 0; i < ranges.size();) {
    size_t end = i;
    while (end < ranges.size() && ranges[end].client == ranges[i].client) ++end;
    rest.var_uint(ranges[i].client);
    rest.var_uint(end - i);
    uint32_t last = 0;
    for (; i < end; ++i) {
      if constexpr (Writer::kEncoding == Encoding::V1) {
        rest.var_uint(ranges[i].clock);
        rest.var_uint(ranges[i].length);
      } else {
        rest.var_uint(ranges[i].clock - last);
        rest.var_uint(ranges[i].length - 1);
        last = ranges[i].end();
      }
    }
  }
}

}  // namespace

template <class Writer>
bool Document::write_transaction(Writer& writer, TransactionState& transaction) {
  struct Part {
    uint32_t client;
    uint32_t clock;
  };
  Part few[4];
  std::vector<Part> many;
  size_t count = 0;
  bool reached = false;
  for (const auto& state : cleanups) {
    reached |= state.get() == &transaction;
    if (!reached) continue;
    for (const auto& touched : state->touched) {
      if (clients[touched.client].state == touched.before) continue;
      Part part{touched.client, touched.before};
      if (state.get() != &transaction) {
        part.clock = before_clock(transaction, touched.client);
        bool known = false;
        for (size_t i = 0; i < count; ++i) {
          known |= (many.empty() ? few[i] : many[i]).client == part.client;
        }
        if (known) continue;
      }
      if (count < 4 && many.empty()) {
        few[count] = part;
      } else {
        if (many.empty()) many.assign(few, few + count);
        many.push_back(part);
      }
      ++count;
    }
  }
  if (count == 0 && transaction.deletes.empty()) return false;
  if (!transaction.sorted) sort_deletes(transaction);
  std::span<Part> parts = many.empty() ? std::span<Part>(few, count) : std::span<Part>(many);
  if (count > 1) {
    std::sort(parts.begin(), parts.end(), [&](const Part& a, const Part& b) {
      return clients[a.client].id > clients[b.client].id;
    });
  }
  writer.rest().var_uint(count);
  for (const Part& part : parts) write_client(writer, part.client, part.clock);
  if (transaction.deletes.size() == 1) {
    const DeleteRange& range = transaction.deletes[0];
    const IdRange one{clients[range.client].id, range.clock, range.length};
    write_deletes(writer, std::span<const IdRange>(&one, 1));
  } else if (transaction.deletes.empty()) {
    writer.rest().var_uint(0);
  } else {
    std::vector<IdRange> ranges;
    ranges.reserve(transaction.deletes.size());
    for (const DeleteRange& range : transaction.deletes) {
      ranges.push_back({clients[range.client].id, range.clock, range.length});
    }
    write_deletes(writer, ranges);
  }
  return true;
}

Bytes Document::transaction_update(TransactionState& transaction, UpdateVersion version) {
  if (version == UpdateVersion::V1) {
    UpdateEncoderV1 writer;
    return write_transaction(writer, transaction) ? writer.finish() : Bytes{};
  }
  UpdateEncoderV2 writer;
  return write_transaction(writer, transaction) ? writer.finish() : Bytes{};
}

void Document::emit_updates(TransactionState& t, std::exception_ptr& error) {
  if (update_listeners_[0] == 0 && update_listeners_[1] == 0) return;
  for (UpdateVersion version : {UpdateVersion::V1, UpdateVersion::V2}) {
    if (update_listeners_[static_cast<size_t>(version)] == 0) continue;
    // The writer is moved out while listeners run: they may open transactions of their own.
    UpdateEncoderV1 v1 = std::move(update_writer_);
    Encoder out;
    ByteView bytes;
    bool written;
    if (version == UpdateVersion::V1) {
      v1.clear();
      written = write_transaction(v1, t);
      bytes = v1.rest().bytes();
    } else {
      UpdateEncoderV2 v2;
      written = write_transaction(v2, t);
      if (written) v2.finish(out);
      bytes = out.bytes();
    }
    if (written) {
      if (observers.size() == 1) {
        std::shared_ptr<DocObserver> only = observers[0];
        try {
          if (only->update && only->version == version) only->update(bytes, t.face);
        } catch (...) {
          if (!error) error = std::current_exception();
        }
      } else {
        for (const auto& observer : std::vector<std::shared_ptr<DocObserver>>(observers)) {
          if (!observer->update || observer->version != version) continue;
          try {
            observer->update(bytes, t.face);
          } catch (...) {
            if (!error) error = std::current_exception();
          }
        }
      }
    }
    update_writer_ = std::move(v1);
  }
}

DeleteSet Document::delete_set() const {
  DeleteSet deleted;
  std::vector<uint32_t> order(store_order);
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return clients[a].id > clients[b].id; });
  for (uint32_t index : order) {
    const ClientRuns& client = clients[index];
    client.runs.for_each([&](const RunIndex::Run& run) {
      const Item& item = items[run.item];
      if (item.deleted()) deleted.add(client.id, item.clock, item.length);
    });
  }
  return deleted;
}

StateVector Document::state_vector() const {
  std::vector<StateVector::Entry> entries;
  entries.reserve(store_order.size());
  for (uint32_t index : store_order) entries.push_back({clients[index].id, clients[index].state});
  return StateVector::from_entries(std::move(entries));
}

template <class Writer>
void Document::write_state(Writer& writer, const StateVector& state) {
  std::vector<std::pair<uint32_t, uint32_t>> parts;
  for (uint32_t index : store_order) {
    uint32_t known = state.get(clients[index].id);
    if (known < clients[index].state) parts.emplace_back(index, known);
  }
  std::sort(parts.begin(), parts.end(), [&](const auto& a, const auto& b) {
    return clients[a.first].id > clients[b.first].id;
  });
  writer.rest().var_uint(parts.size());
  for (auto [index, clock] : parts) write_client(writer, index, clock);
  const DeleteSet deleted = delete_set();
  write_deletes(writer, deleted.ranges());
}

void Document::write_client_until(UpdateEncoderV2& writer, uint32_t index, uint32_t until) {
  ClientRuns& client = clients[index];
  if (until < client.state) clean_start({index, until});
  std::vector<Ref> refs;
  client.runs.for_each([&](const RunIndex::Run& run) {
    if (run.clock < until) refs.push_back(run.item);
  });
  writer.rest().var_uint(refs.size());
  writer.client(client.id);
  writer.rest().var_uint(0);
  for (Ref ref : refs) write_item(writer, ref, 0);
}

Bytes Document::encode_state(const StateVector& state, UpdateVersion version) {
  Bytes own;
  if (version == UpdateVersion::V1) {
    UpdateEncoderV1 writer;
    write_state(writer, state);
    own = writer.finish();
  } else {
    UpdateEncoderV2 writer;
    write_state(writer, state);
    own = writer.finish();
  }
  if (pending_deletes.empty() && pending_structs.empty()) return own;
  std::vector<Bytes> parts;
  parts.push_back(std::move(own));
  auto add = [&](const Bytes& v2) {
    if (version == UpdateVersion::V2) {
      parts.push_back(v2);
    } else if (Result<Bytes> v1 = convert_update(v2, Encoding::V2, Encoding::V1); v1.ok()) {
      parts.push_back(std::move(v1).value());
    }
  };
  if (!pending_deletes.empty()) add(pending_deletes.update_v2());
  if (!pending_structs.empty()) {
    Result<Bytes> rest = diff_update(pending_structs.update_v2(), state, UpdateVersion::V2);
    if (rest.ok()) add(rest.value());
  }
  std::vector<ByteView> views(parts.begin(), parts.end());
  Result<Bytes> merged = merge_updates(views, version);
  LATTICE_ASSERT(merged.ok());  // all parts are our own
  return std::move(merged).value();
}

}  // namespace lattice::crdt::internal
