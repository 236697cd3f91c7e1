// SPDX-License-Identifier: MIT
// Integrating updates of others.
//
// An update is read and checked as a whole before anything changes. Its structs are integrated
// highest client first; one that depends on a struct of another client waits on a stack until that
// one is in. What depends on structs that nobody has sent yet is kept as bytes (`pending`) and
// tried again when a client that it waits for has moved. Source: Yjs 13.6 encoding.js
// (integrateStructs, readUpdateV2), Item.js (getMissing).
#include <algorithm>
#include <map>

#include "lattice/collab/crdt/internal/document.hpp"
#include "lattice/collab/crdt/struct_reader.hpp"
#include "lattice/collab/crdt/struct_writer.hpp"
#include "lattice/collab/crdt/update.hpp"
#include "lattice/collab/crdt/utf.hpp"

namespace lattice::crdt::internal {

// What reading an update fills. The document keeps the last ones, so that the next small update
// allocates nothing.
struct ApplyBuffers {
  struct Group {
    ClientId client = 0;
    uint32_t next = 0;
    uint32_t end = 0;
    bool gone = false;
  };

  std::vector<StructView> views;
  std::vector<IdRange> deletes;
  std::vector<Group> groups;  // ascending client

  // After a large update they would only be memory that the document holds.
  bool is_worth_keeping() const noexcept {
    constexpr size_t kMax = 64;
    return views.capacity() <= kMax && deletes.capacity() <= kMax && groups.capacity() <= kMax;
  }
};

void ApplyBuffersDelete::operator()(ApplyBuffers* buffers) const noexcept { delete buffers; }

struct Applier {
  using Group = ApplyBuffers::Group;

  explicit Applier(Document& document)
      : doc(document),
        buffers(document.spare_buffers_ ? std::move(document.spare_buffers_)
                                        : ApplyBuffersPtr(new ApplyBuffers)),
        views(buffers->views),
        deletes(buffers->deletes),
        groups(buffers->groups) {}
  ~Applier() {
    if (doc.spare_buffers_ || !buffers->is_worth_keeping()) return;
    views.clear();
    deletes.clear();
    groups.clear();
    doc.spare_buffers_ = std::move(buffers);
  }
  Applier(const Applier&) = delete;
  Applier& operator=(const Applier&) = delete;

  Document& doc;
  ApplyBuffersPtr buffers;
  std::vector<StructView>& views;
  std::vector<IdRange>& deletes;
  std::vector<Group>& groups;
  std::map<ClientId, std::vector<StructView>, std::greater<>> rest;
  StateVector missing;
  StateVector needed;
  const char* malformed = nullptr;

  template <class Reader>
  bool read(Reader& reader, std::optional<Failure>& failure) {
    while (reader.next(views.emplace_back())) {
      const ClientId client = views.back().id.client;
      const uint32_t end = static_cast<uint32_t>(views.size());
      if (groups.empty() || groups.back().client != client) {
        groups.push_back({client, end - 1, end, false});
      } else {
        groups.back().end = end;
      }
    }
    views.pop_back();
    if (reader.ok()) {
      reader.read_deleted([&](ClientId client, Clock clock, Clock length) {
        deletes.push_back({client, clock, length});
      });
    }
    if (!reader.ok()) {
      failure = reader.failure();
      return false;
    }
    return true;
  }

  void update_missing(ClientId client, Clock clock, Clock needs) {
    if (!missing.contains(client) || missing.get(client) > clock) missing.set(client, clock);
    if (!needed.contains(client) || needed.get(client) > needs) needed.set(client, needs);
  }

  static bool is_ahead(const Document& d, Id id, const StructView& view) {
    return id.client != view.id.client && id.clock >= d.state_of(id.client);
  }
  // What has to be there first, if anything.
  std::optional<Id> missing_of(const StructView& view) const {
    if (!view.is_item()) return std::nullopt;
    if (view.has_origin && is_ahead(doc, view.origin, view)) return view.origin;
    if (view.has_right_origin && is_ahead(doc, view.right_origin, view)) {
      return view.right_origin;
    }
    if (view.parent_kind == ParentKind::Item && is_ahead(doc, view.parent, view)) {
      return view.parent;
    }
    return std::nullopt;
  }
  // A struct that names units of its own client which come after it: nobody can have written it.
  static bool points_ahead(const StructView& view) {
    auto later = [&](Id id) { return id.client == view.id.client && id.clock >= view.id.clock; };
    return view.is_item() && ((view.has_origin && later(view.origin)) ||
                              (view.has_right_origin && later(view.right_origin)) ||
                              (view.parent_kind == ParentKind::Item && later(view.parent)));
  }

  ItemId intern(Id id) { return {doc.client_index(id.client), id.clock}; }

  bool append_to_run(const StructView& view);
  void integrate(const StructView& view, uint32_t offset);
  void cut_for_known(const StructView& view);
  void integrate_all();
  // The same, into a document without structs: the indices are built once all are in.
  void load_all();
  void integrate_one_client(Group& group);
  void apply_deletes(std::span<const IdRange> ranges);
};

// Typing that goes on where the client's last run ended.
bool Applier::append_to_run(const StructView& view) {
  if (view.kind != StructKind::String || !view.has_origin || view.origin.client != view.id.client ||
      view.origin.clock + 1 != view.id.clock) {
    return false;
  }
  const uint32_t index = doc.find_client(view.id.client);
  ClientRuns& client = doc.clients[index];
  Item& run = doc.items[client.runs.at(client.runs.last()).item];
  if (run.kind != Content::String || run.deleted() || (run.flags & Item::kHasRedone) ||
      run.has_sub() || !doc.may_extend(run)) {
    return false;
  }
  if (view.has_right_origin) {
    if (!run.right_origin || run.right == kNil) return false;
    const Item& right = doc.items[run.right];
    if (view.right_origin.clock != run.right_origin.clock || !(right.id() == run.right_origin) ||
        doc.clients[run.right_origin.client].id != view.right_origin.client) {
      return false;
    }
  } else if (run.right_origin || run.right != kNil) {
    return false;
  }
  TypeData& type = doc.types[run.parent];
  if (doc.type_deleted(type)) return false;
  doc.touch(client, index);
  const bool ascii = view.text.size() == view.length;
  doc.append_text(run, view.text, view.length, ascii);
  client.state += view.length;
  type.length += view.length;
  doc.sequences.changed(client.runs.at(client.runs.last()).item, view.length);
  if (type.cursor_item != client.runs.at(client.runs.last()).item) type.cursor_item = kNil;
  doc.add_changed(run.parent, false, 0);
  return true;
}

void Document::read_content(Item& item, const StructView& view, uint32_t offset) {
  item.kind = static_cast<Content>(view.kind);
  item.length = view.length - offset;
  switch (view.kind) {
    case StructKind::String: {
      std::string scratch;
      const std::string_view units =
          offset == 0 ? view.text : split_text_right(view.text, offset, scratch);
      set_text(item, units, units.size() == item.length);
      break;
    }
    case StructKind::Any: {
      Decoder decoder(view.value);
      for (uint32_t i = 0; i < offset; ++i) skip_any(decoder);
      std::vector<Any> run;
      run.reserve(std::min<size_t>(item.length, 1024));
      for (uint32_t i = 0; i < item.length; ++i) run.push_back(read_any(decoder));
      item.content = values.add(std::move(run));
      break;
    }
    case StructKind::Json: {
      Decoder decoder(view.value);
      std::vector<Any> run;
      for (uint32_t i = 0; i < view.length; ++i) {
        const std::string_view json = decoder.var_string();
        if (i < offset) continue;
        Result<Any> value = json == "undefined" ? Result<Any>(Any()) : parse_json(json);
        run.push_back(value.ok() ? std::move(value).value() : Any());
      }
      item.content = values.add(std::move(run));
      break;
    }
    case StructKind::Binary:
      item.content =
          values.add({Any::bytes(std::vector<uint8_t>(view.value.begin(), view.value.end()))});
      break;
    case StructKind::Embed:
    case StructKind::Format: {
      Any value;
      if (view.is_json_value) {
        Result<Any> parsed = parse_json(crdt::text_of(view.value));
        if (parsed.ok()) value = std::move(parsed).value();
      } else {
        Decoder decoder(view.value);
        value = read_any(decoder);
      }
      if (view.kind == StructKind::Embed) {
        item.content = values.add({std::move(value)});
      } else {
        item.content = formats.add({strings.intern(view.text), std::move(value)});
      }
      break;
    }
    case StructKind::Type:
      item.content = new_type(static_cast<TypeKind>(view.type_ref), view.text);
      break;
    case StructKind::Doc: {
      Decoder decoder(view.value);
      item.content = subdocs_pool.add(subdoc_from(std::string(view.text), read_any(decoder)));
      break;
    }
    default:
      break;
  }
}

void Applier::integrate(const StructView& view, uint32_t offset) {
  if (offset == 0 && append_to_run(view)) return;
  Document& d = doc;
  const uint32_t client = d.client_index(view.id.client);
  Ref left = kNil;
  Ref right = kNil;
  uint32_t parent = 0;
  uint32_t sub = 0;
  bool has_sub = false;
  ItemId origin;
  ItemId right_origin;
  if (view.is_item()) {
    if (view.has_origin) {
      left = d.clean_end(intern(view.origin));
      origin = d.items[left].last_id();
    }
    if (view.has_right_origin) {
      right = d.clean_start(intern(view.right_origin));
      right_origin = d.items[right].id();
    }
    const bool collected = (left != kNil && d.items[left].kind == Content::Gc) ||
                           (right != kNil && d.items[right].kind == Content::Gc);
    if (!collected) {
      if (view.parent_kind == ParentKind::Inherited) {
        const Item& from = d.items[left != kNil ? left : right];
        parent = from.parent;
        has_sub = from.has_sub();
        if (has_sub) sub = from.sub;
      } else {
        has_sub = view.has_parent_sub;
        if (has_sub) sub = d.strings.intern(view.parent_sub);
        if (view.parent_kind == ParentKind::Root) {
          parent = d.root_type(view.parent_root, TypeKind::Undefined);
        } else {
          const Item& holder = d.items[d.find(intern(view.parent))];
          parent = holder.kind == Content::Type ? holder.content : 0;
        }
      }
    }
    if (offset > 0) {
      left = d.clean_end({client, view.id.clock + offset - 1});
      origin = d.items[left].last_id();
      const Item& first_part = d.items[left];
      if (first_part.kind == Content::Gc) parent = 0;
      if (parent != 0) {
        // Who sends a struct twice, differently, may have put the first part elsewhere: the rest
        // follows it.
        parent = first_part.parent;
        has_sub = first_part.has_sub();
        if (has_sub) sub = first_part.sub;
      }
    }
  }
  Ref ref = d.items.make();
  Item& item = d.items[ref];
  item.client = client;
  item.clock = view.id.clock + offset;
  item.length = view.length - offset;
  if (parent != 0) {
    item.parent = parent;
    item.left = left;
    item.right = right;
    item.origin = origin;
    item.right_origin = right_origin;
    if (has_sub) {
      item.flags |= Item::kHasSub;
      item.sub = sub;
    }
    d.read_content(item, view, offset);
  }
  d.integrate(ref);
}

// Yjs looks up the neighbours of a struct before it sees that it has the struct already, which cuts
// the runs there. They are merged again at the end, but a surrogate pair stays cut.
void Applier::cut_for_known(const StructView& view) {
  if (!view.is_item()) return;
  if (view.has_origin && view.origin.clock < doc.state_of(view.origin.client)) {
    doc.clean_end(intern(view.origin));
  }
  if (view.has_right_origin && view.right_origin.clock < doc.state_of(view.right_origin.client)) {
    doc.clean_start(intern(view.right_origin));
  }
}

void Applier::integrate_one_client(Group& group) {
  for (; group.next < group.end; ++group.next) {
    const StructView& view = views[group.next];
    if (view.kind == StructKind::Skip) continue;
    const uint32_t state = doc.state_of(view.id.client);
    std::optional<Id> waits_for;
    if (view.id.clock > state) {
      update_missing(view.id.client, view.id.clock - 1, view.id.clock - 1);
    } else if (view.end() > state && points_ahead(view)) {
      malformed = "struct refers to units of its own client that come after it";
      return;
    } else if ((waits_for = missing_of(view))) {
      update_missing(waits_for->client, doc.state_of(waits_for->client), waits_for->clock);
    } else if (view.end() <= state) {
      cut_for_known(view);
      continue;
    } else {
      integrate(view, state - view.id.clock);
      continue;
    }
    rest[group.client].assign(views.begin() + group.next, views.begin() + group.end);
    return;
  }
}

void Applier::integrate_all() {
  if (groups.empty()) return;
  if (groups.size() == 1) {
    integrate_one_client(groups[0]);
    return;
  }
  std::stable_sort(groups.begin(), groups.end(),
                   [](const Group& a, const Group& b) { return a.client < b.client; });
  // Of a client that is listed twice the last list counts.
  size_t kept = 0;
  for (size_t i = 0; i < groups.size(); ++i) {
    if (i + 1 < groups.size() && groups[i + 1].client == groups[i].client) continue;
    groups[kept++] = groups[i];
  }
  groups.resize(kept);
  auto group_of = [&](ClientId client) -> Group* {
    auto found = std::lower_bound(groups.begin(), groups.end(), client,
                                  [](const Group& g, ClientId id) { return g.client < id; });
    return found != groups.end() && found->client == client ? &*found : nullptr;
  };
  size_t open = groups.size();  // groups below are still to be begun
  auto next_target = [&]() -> Group* {
    while (open > 0) {
      Group& group = groups[open - 1];
      if (!group.gone && group.next < group.end) return &group;
      --open;
    }
    return nullptr;
  };
  std::vector<uint32_t> stack;
  auto give_up_stack = [&] {
    for (uint32_t index : stack) {
      const ClientId client = views[index].id.client;
      Group& group = *group_of(client);
      if (!group.gone) {
        // The struct itself is the one before `next`.
        rest[client].assign(views.begin() + (group.next - 1), views.begin() + group.end);
        group.gone = true;
        group.next = group.end;
      } else {
        rest[client].assign(1, views[index]);
      }
    }
    stack.clear();
  };
  Group* target = next_target();
  if (target == nullptr) return;
  uint32_t head = target->next++;
  for (;;) {
    const StructView& view = views[head];
    if (view.kind != StructKind::Skip) {
      const uint32_t state = doc.state_of(view.id.client);
      if (view.id.clock > state) {
        stack.push_back(head);
        update_missing(view.id.client, view.id.clock - 1, view.id.clock - 1);
        give_up_stack();
      } else {
        if (view.end() > state && points_ahead(view)) {
          malformed = "struct refers to units of its own client that come after it";
          Group& group = *group_of(view.id.client);
          group.gone = true;
          group.next = group.end;
        } else if (std::optional<Id> waits_for = missing_of(view)) {
          stack.push_back(head);
          Group* other = group_of(waits_for->client);
          if (other == nullptr || other->gone || other->next == other->end) {
            update_missing(waits_for->client, doc.state_of(waits_for->client), waits_for->clock);
            give_up_stack();
          } else {
            head = other->next++;
            continue;
          }
        } else if (view.end() <= state) {
          cut_for_known(view);
        } else {
          integrate(view, state - view.id.clock);
        }
      }
    }
    if (!stack.empty()) {
      head = stack.back();
      stack.pop_back();
    } else if (target != nullptr && !target->gone && target->next < target->end) {
      head = target->next++;
    } else {
      target = next_target();
      if (target == nullptr) break;
      head = target->next++;
    }
  }
}

void Applier::load_all() {
  struct Deferred {
    Document& doc;
    explicit Deferred(Document& document) : doc(document) { doc.sequences.defer(true); }
    ~Deferred() noexcept(false) {
      doc.sequences.defer(false);
      for (TypeData& type : doc.types) {
        if (type.start != kNil) doc.sequences.build(type.root, type.start);
      }
    }
  } deferred(doc);
  integrate_all();
}

void Applier::apply_deletes(std::span<const IdRange> ranges) {
  for (const IdRange& range : ranges) {
    const uint32_t index = doc.find_client(range.client);
    const uint32_t state = index == kNoClient ? 0 : doc.clients[index].state;
    if (range.clock >= state) {
      doc.pending_deletes.add(range);
      continue;
    }
    const uint32_t end = range.end();
    if (state < end) doc.pending_deletes.add({range.client, state, end - state});
    ClientRuns& client = doc.clients[index];
    RunIndex::Position p = client.runs.find(range.clock);
    Ref ref = client.runs.at(p).item;
    if (doc.shrink_tail(ref, range.clock, range.length)) continue;
    if (!doc.items[ref].deleted() && doc.items[ref].clock < range.clock) {
      doc.split(client, p, range.clock - doc.items[ref].clock);
      p = client.runs.find(range.clock);  // splitting may move runs to another chunk
    }
    for (;;) {
      ref = client.runs.at(p).item;
      const Item& item = doc.items[ref];
      if (item.clock >= end) break;
      if (!item.deleted()) {
        if (end < item.end()) {
          doc.split(client, p, end - item.clock);
          p = client.runs.find(item.clock);
        }
        doc.delete_item(ref);
        // Deleting a type deletes below it, which splits and merges nothing: `p` stays good.
      }
      if (client.runs.is_last(p)) break;
      p = client.runs.next(p);
    }
  }
}

void Document::apply_deletes(std::span<const IdRange> ranges) {
  Applier(*this).apply_deletes(ranges);
}

Result<void> Document::apply(std::span<const uint8_t> update, UpdateVersion version,
                             Origin origin) {
  if (store_order.empty()) {
    Result<Loaded> loaded = load(update, version, origin);
    if (!loaded.ok()) return Failure{"apply_update: " + loaded.error()};
    if (loaded.value() == Loaded::Yes) return {};
  }
  Bytes retried;
  const char* malformed = nullptr;
  bool outermost = false;
  bool begun = false;
  // Closes the transaction on every way out; what observers throw leaves from here.
  struct Closing {
    Document& document;
    const bool& outermost;
    bool done = false;
    void close() {
      done = true;
      if (outermost) document.commit();
    }
    ~Closing() noexcept(false) {
      if (!done && outermost) document.commit();
    }
  } closing{*this, outermost};
  for (;;) {
    Applier applier(*this);
    std::optional<Failure> failure;
    std::optional<StructReaderV2> v2;  // the views look into it
    if (version == UpdateVersion::V1) {
      StructReaderV1 v1(update);
      applier.read(v1, failure);
    } else {
      applier.read(v2.emplace(update), failure);
    }
    if (failure) {
      if (!begun) closing.done = true;
      if (begun) closing.close();
      return Failure{"apply_update: " + failure->message};
    }
    if (!begun) {
      begun = true;
      outermost = begin(std::exchange(origin, Origin{}), false);
    }
    current->local = false;
    if (store_order.empty()) {
      applier.load_all();
    } else {
      applier.integrate_all();
    }
    if (applier.malformed != nullptr) malformed = applier.malformed;
    bool retry = false;
    for (const auto& entry : pending_structs.needed().entries()) {
      retry |= entry.clock < state_of(entry.client);
    }
    if (!applier.rest.empty()) {
      StructWriter<UpdateEncoderV2> writer;
      for (const auto& [client, structs] : applier.rest) {
        for (const StructView& view : structs) writer.write(view);
      }
      pending_structs.add(applier.missing, applier.needed, writer.finish(IdSet{}));
    }
    applier.apply_deletes(applier.deletes);
    if (!pending_deletes.empty()) {
      applier.deletes.clear();
      for (const auto& touched : current->touched) {
        const ClientRuns& client = clients[touched.client];
        pending_deletes.take_below(client.id, client.state,
                                   [&](const IdRange& range) { applier.deletes.push_back(range); });
      }
      applier.apply_deletes(applier.deletes);
    }
    if (!retry) break;
    retried = pending_structs.take();
    update = retried;
    version = UpdateVersion::V2;
  }
  closing.close();
  if (malformed != nullptr) return Failure{std::string("apply_update: ") + malformed};
  return {};
}

}  // namespace lattice::crdt::internal
