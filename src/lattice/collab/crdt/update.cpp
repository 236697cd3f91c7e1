// SPDX-License-Identifier: MIT
#include "lattice/collab/crdt/update.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "lattice/collab/crdt/internal/merge_order.hpp"
#include "lattice/collab/crdt/struct_reader.hpp"
#include "lattice/collab/crdt/struct_writer.hpp"

namespace lattice::crdt {
namespace {

using Bytes = std::vector<uint8_t>;

template <Encoding kEncoding>
using DecoderOf = std::conditional_t<kEncoding == Encoding::V1, UpdateDecoderV1, UpdateDecoderV2>;
template <Encoding kEncoding>
using EncoderOf = std::conditional_t<kEncoding == Encoding::V1, UpdateEncoderV1, UpdateEncoderV2>;

// Merges sorted streams of structs: each update is one. The stream whose turn it is goes on until
// it jumps (internal/merge_order.hpp says whose turn that is).
template <Encoding kEncoding>
class Merger {
 public:
  explicit Merger(std::span<const ByteView> updates) : updates_(updates) {
    size_t bytes = 0;
    for (const ByteView update : updates) bytes += update.size();
    budget_ = structs_max(bytes);
  }

  Result<Bytes> run() {
    const bool is_done = updates_.size() <= internal::FewStreams::kMax ? merge_few() : merge_many();
    if (!is_done) return Failure{failed_};
    if (has_current_) writer_.write(current_, offset_);
    deleted_.normalize();
    return writer_.finish(deleted_);
  }

 private:
  using Reader = StructReader<DecoderOf<kEncoding>>;
  using Place = internal::StreamPlace;

  struct Source {
    Reader reader;
    StructView view;
    bool has_view = false;
    size_t index = 0;
    uint32_t slot = 0;
  };

  static Place place_of(const Source& source) noexcept {
    return {source.view.id.client, source.view.id.clock, source.view.kind == StructKind::Gc,
            source.slot};
  }

  bool merge_few() {
    internal::FewStreams streams;
    for (size_t i = 0; i < updates_.size(); ++i) {
      Source* const source = open(i);
      if (advance(*source)) streams.add(place_of(*source));
    }
    while (failed_.empty() && !streams.is_empty()) {
      streams.sort();
      Source& source = *sources_[streams.front().stream];
      take_turn(source);
      if (source.has_view) {
        streams.front() = place_of(source);
      } else {
        streams.drop_front();
      }
    }
    return failed_.empty();
  }

  bool merge_many() {
    internal::ManyStreams streams;
    streams.reserve(updates_.size());
    for (size_t i = 0; i < updates_.size(); ++i) {
      if (const std::optional<Place> place = find_start(i)) streams.add_waiting(*place);
      if (!failed_.empty()) return false;
    }
    streams.sort_waiting();
    for (internal::ManyStreams::Turn turn; failed_.empty() && streams.next(turn);) {
      Source* source = nullptr;
      if (turn.is_open) {
        source = sources_[turn.place.stream].get();
      } else {
        source = open(turn.place.stream);
        if (!advance(*source)) continue;
      }
      take_turn(*source);
      if (source->has_view) streams.add_open(place_of(*source));
    }
    return failed_.empty();
  }

  bool fail(const Source& source, const std::string& reason) {
    failed_ = "update " + std::to_string(source.index) + " of " + std::to_string(updates_.size()) +
              " cannot be merged: " + reason;
    return false;
  }

  // Where the update's first struct is, by the update's number. An update without structs is done
  // with at once.
  std::optional<Place> find_start(size_t index) {
    std::optional<Id> start = quick_start(updates_[index]);
    if (!start) {
      Source* const source = open(index);
      if (!advance(*source)) return std::nullopt;
      start = source->view.id;
      free_.push_back(source);
    }
    return Place{start->client, start->clock, false, static_cast<uint32_t>(index)};
  }

  // For v1 the first bytes tell, unless the update begins with a skip.
  static std::optional<Id> quick_start(ByteView update) noexcept {
    if constexpr (kEncoding == Encoding::V1) {
      Decoder decoder(update);
      const uint64_t clients = decoder.var_uint();
      const uint64_t structs = decoder.var_uint();
      const ClientId client = decoder.var_uint();
      const Clock clock = decoder.var_uint32();
      const uint8_t info = decoder.u8();
      const bool is_struct =
          clients != 0 && structs != 0 && info != static_cast<uint8_t>(StructKind::Skip);
      if (decoder.ok() && is_struct) return Id{client, clock};
    } else {
      static_cast<void>(update);
    }
    return std::nullopt;
  }

  Source* open(size_t index) {
    if (free_.empty()) {
      sources_.push_back(std::make_unique<Source>());
      sources_.back()->slot = static_cast<uint32_t>(sources_.size() - 1);
      free_.push_back(sources_.back().get());
    }
    Source* const source = free_.back();
    free_.pop_back();
    source->index = index;
    source->reader = Reader(updates_[index], budget_);
    return source;
  }

  // The source's next struct, skips left out. At its end, the delete set; then the source is free.
  bool advance(Source& source) {
    do {
      source.has_view = source.reader.next(source.view);
      if (!source.has_view) return close(source);
      if (budget_ == 0) {
        source.has_view = false;
        return fail(source, "more structs than so few bytes can mean");
      }
      --budget_;
    } while (source.view.kind == StructKind::Skip);
    return true;
  }

  // Always false.
  bool close(Source& source) {
    if (source.reader.ok()) {
      source.reader.read_deleted([this](ClientId client, Clock clock, Clock length) {
        deleted_.append({client, clock, length});
      });
    }
    if (!source.reader.ok()) return fail(source, source.reader.failure().message);
    // The current struct may have its text in there.
    if (&source == current_source_) {
      retired_ = &source;
    } else {
      free_.push_back(&source);
    }
    return false;
  }

  void set_current(const Source& source, Clock offset = 0) {
    current_ = source.view;
    offset_ = {offset, true};
    has_current_ = true;
    if (retired_ != nullptr && retired_ != &source) {
      free_.push_back(retired_);
      retired_ = nullptr;
    }
    current_source_ = &source;
  }

  void take_turn(Source& source) {
    const ClientId client = source.view.id.client;
    if (!has_current_) {
      set_current(source);
      advance(source);
    } else {
      // What has been written already, or stands in the current struct.
      bool is_moved = false;
      while (source.has_view && source.view.end() <= current_.end() &&
             source.view.id.client >= current_.id.client) {
        advance(source);
        is_moved = true;
      }
      const bool is_elsewhere = !source.has_view || source.view.id.client != client ||
                                (is_moved && source.view.id.clock > current_.end());
      if (is_elsewhere) return;
      join(source);
    }
    while (source.has_view && source.view.id.client == client &&
           source.view.id.clock == current_.end()) {
      writer_.write(current_, offset_);
      set_current(source);
      advance(source);
    }
  }

  // The source's struct after the current one, which ends before it.
  void join(Source& source) {
    const StructView& view = source.view;
    if (view.id.client != current_.id.client) {
      replace_current(source, 0);
      return;
    }
    if (current_.end() < view.id.clock) {
      writer_.write(current_, offset_);
      const Clock end = current_.end();
      current_ = {};
      current_.id = {view.id.client, end};
      current_.kind = StructKind::Skip;
      current_.length = view.id.clock - end;
      offset_ = {};
      return;
    }
    const Clock overlap = current_.end() - view.id.clock;
    if (current_.kind == StructKind::Gc && view.kind == StructKind::Gc) {
      // Stays where it is: its next turn passes over it.
      current_.length += view.length - overlap;
      return;
    }
    replace_current(source, overlap);
  }

  void replace_current(Source& source, Clock offset) {
    writer_.write(current_, offset_);
    set_current(source, offset);
    advance(source);
  }

  std::span<const ByteView> updates_;
  uint64_t budget_ = 0;
  std::vector<std::unique_ptr<Source>> sources_;
  std::vector<Source*> free_;
  Source* retired_ = nullptr;  // read, but the current struct looks into it

  StructView current_;  // not written yet
  ContentOffset offset_;
  bool has_current_ = false;
  const Source* current_source_ = nullptr;
  StructWriter<EncoderOf<kEncoding>> writer_;
  IdSet deleted_;
  std::string failed_;
};

template <Encoding kEncoding>
Result<Bytes> diff(ByteView update, const StateVector& state) {
  StructReader<DecoderOf<kEncoding>> reader(update);
  StructWriter<EncoderOf<kEncoding>> writer;
  StructView view;
  bool has_view = reader.next(view);
  while (has_view) {
    // The first struct of a client is never a skip.
    if (view.kind == StructKind::Skip) {
      has_view = reader.next(view);
      continue;
    }
    const ClientId client = view.id.client;
    const Clock known = state.get(client);
    if (view.end() <= known) {
      while (has_view && view.id.client == client && view.end() <= known) {
        has_view = reader.next(view);
      }
      continue;
    }
    writer.write(view, {known > view.id.clock ? known - view.id.clock : 0, false});
    while ((has_view = reader.next(view)) && view.id.client == client) writer.write(view);
  }
  if (!reader.ok()) return reader.failure();
  const IdSet deleted = reader.read_delete_set();
  if (!reader.ok()) return reader.failure();
  return writer.finish(deleted);
}

template <Encoding kFrom, Encoding kTo>
Result<Bytes> convert(ByteView update) {
  StructReader<DecoderOf<kFrom>> reader(update);
  StructWriter<EncoderOf<kTo>> writer;
  for (StructView view; reader.next(view);) writer.write(view);
  if (!reader.ok()) return reader.failure();
  const IdSet deleted = reader.read_delete_set();
  if (!reader.ok()) return reader.failure();
  return writer.finish(deleted);
}

template <Encoding kEncoding>
Result<StateVector> state_vector(ByteView update) {
  StructReader<DecoderOf<kEncoding>> reader(update);
  std::vector<StateVector::Entry> entries;
  ClientId client = 0;
  Clock clock = 0;
  bool is_first = true;
  bool is_ended = false;
  for (StructView view; reader.next(view);) {
    if (is_first || view.id.client != client) {
      if (clock != 0) entries.push_back({client, clock});
      client = view.id.client;
      clock = 0;
      is_ended = view.id.clock != 0;
      is_first = false;
    }
    is_ended = is_ended || view.kind == StructKind::Skip;
    if (!is_ended) clock = view.end();
  }
  if (!reader.ok()) return reader.failure();
  if (clock != 0) entries.push_back({client, clock});
  return StateVector::from_entries(std::move(entries));
}

template <Encoding kEncoding>
Result<UpdateMeta> meta(ByteView update) {
  StructReader<DecoderOf<kEncoding>> reader(update);
  std::vector<StateVector::Entry> from;
  std::vector<StateVector::Entry> to;
  for (StructView view; reader.next(view);) {
    if (from.empty() || from.back().client != view.id.client) {
      from.push_back({view.id.client, view.id.clock});
      to.push_back({view.id.client, 0});
    }
    to.back().clock = view.end();
  }
  if (!reader.ok()) return reader.failure();
  return UpdateMeta{StateVector::from_entries(std::move(from)),
                    StateVector::from_entries(std::move(to))};
}

template <Encoding kEncoding>
Result<bool> contains(const StateVector& state, const IdSet& deleted, ByteView update) {
  StructReader<DecoderOf<kEncoding>> reader(update);
  for (StructView view; reader.next(view);) {
    if (state.get(view.id.client) < view.end()) return false;
  }
  if (!reader.ok()) return reader.failure();
  IdSet known = deleted;
  known.normalize();
  IdSet both = known;
  reader.read_deleted([&both](ClientId client, Clock clock, Clock length) {
    both.append({client, clock, length});
  });
  if (!reader.ok()) return reader.failure();
  both.normalize();
  return both == known;
}

}  // namespace

Result<Bytes> merge_updates(std::span<const ByteView> updates, Encoding encoding) {
  if (updates.size() == 1) return Bytes(updates[0].begin(), updates[0].end());
  return encoding == Encoding::V1 ? Merger<Encoding::V1>(updates).run()
                                  : Merger<Encoding::V2>(updates).run();
}

Result<Bytes> diff_update(ByteView update, const StateVector& state, Encoding encoding) {
  return encoding == Encoding::V1 ? diff<Encoding::V1>(update, state)
                                  : diff<Encoding::V2>(update, state);
}

Result<Bytes> convert_update(ByteView update, Encoding from, Encoding to) {
  if (from == to) {
    return from == Encoding::V1 ? convert<Encoding::V1, Encoding::V1>(update)
                                : convert<Encoding::V2, Encoding::V2>(update);
  }
  return from == Encoding::V1 ? convert<Encoding::V1, Encoding::V2>(update)
                              : convert<Encoding::V2, Encoding::V1>(update);
}

Result<StateVector> state_vector_of_update(ByteView update, Encoding encoding) {
  return encoding == Encoding::V1 ? state_vector<Encoding::V1>(update)
                                  : state_vector<Encoding::V2>(update);
}

Result<UpdateMeta> update_meta(ByteView update, Encoding encoding) {
  return encoding == Encoding::V1 ? meta<Encoding::V1>(update) : meta<Encoding::V2>(update);
}

Result<bool> contains_update(const StateVector& state, const IdSet& deleted, ByteView update,
                             Encoding encoding) {
  return encoding == Encoding::V1 ? contains<Encoding::V1>(state, deleted, update)
                                  : contains<Encoding::V2>(state, deleted, update);
}

}  // namespace lattice::crdt
