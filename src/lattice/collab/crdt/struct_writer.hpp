// SPDX-License-Identifier: MIT
// StructWriter: writes structs one by one when nobody knows yet how many there will be.
//
// The number of structs stands before each client's first one, so the stream without columns is
// kept in pieces, one per client, which `finish` puts together.
//
//   StructWriter<UpdateEncoderV1> writer;
//   writer.write(view);            // a client's structs in a row, clocks ascending
//   writer.finish(delete_set);     // the update
//
// A writer that knows its counts beforehand (a document that encodes its own state) uses
// write_struct and the encoder itself.
// Source: Yjs 13.6 updates.js, LazyStructWriter.
#pragma once

#include <vector>

#include "lattice/collab/crdt/struct_view.hpp"
#include "lattice/collab/crdt/update_encoder.hpp"

namespace lattice::crdt {

// Where the first `skipped` units of a struct's content are left out.
struct ContentOffset {
  Clock units = 0;
  // A merge slices as an item is split: both halves of a cut surrogate pair become U+FFFD. A
  // document that writes an item from an offset on leaves the second half.
  bool replaces_cut_pair = false;
};

// Anys in a row, without the first `skipped`.
inline ByteView anys_from(ByteView anys, Clock skipped) noexcept {
  Decoder decoder(anys);
  for (Clock i = 0; i < skipped; ++i) skip_any(decoder);
  return {decoder.position(), decoder.remaining()};
}

template <class UpdateEncoder>
void write_json_strings(UpdateEncoder& encoder, ByteView strings, Clock skipped) {
  Decoder decoder(strings);
  for (Clock i = 0; i < skipped; ++i) decoder.var_string();
  if constexpr (UpdateEncoder::kEncoding == Encoding::V1) {
    encoder.encoded_anys({decoder.position(), decoder.remaining()});
  } else {
    while (!decoder.at_end()) encoder.text(decoder.var_string());
  }
}

// The value of an embed or a format, in whichever form the reader had it.
template <class UpdateEncoder>
void write_value(UpdateEncoder& encoder, const StructView& view) {
  constexpr bool kWritesJson = UpdateEncoder::kEncoding == Encoding::V1;
  if (view.is_json_value == kWritesJson) {
    if constexpr (kWritesJson) {
      encoder.buffer(view.value);
    } else {
      encoder.encoded_anys(view.value);
    }
  } else if (view.is_json_value) {
    const Result<Any> value = parse_json(text_of(view.value));
    encoder.json_value(value.ok() ? value.value() : Any::null());
  } else {
    Decoder decoder(view.value);
    encoder.json_value(read_any(decoder));
  }
}

template <class UpdateEncoder>
void write_content(UpdateEncoder& encoder, const StructView& view, ContentOffset offset) {
  const Clock skipped = offset.units;
  switch (view.kind) {
    case StructKind::String:
      if (skipped == 0) {
        encoder.text(view.text, view.length);
      } else {
        std::string scratch;
        encoder.text(offset.replaces_cut_pair ? split_text_right(view.text, skipped, scratch)
                                              : text_from(view.text, skipped, scratch),
                     view.length - skipped);
      }
      break;
    case StructKind::Gc:
    case StructKind::Deleted:
      encoder.length(view.length - skipped);
      break;
    case StructKind::Skip:
      // Skips have no predictable lengths, so they stay out of the column.
      encoder.rest().var_uint(view.length - skipped);
      break;
    case StructKind::Any:
      encoder.length(view.length - skipped);
      encoder.encoded_anys(skipped == 0 ? view.value : anys_from(view.value, skipped));
      break;
    case StructKind::Json:
      encoder.length(view.length - skipped);
      write_json_strings(encoder, view.value, skipped);
      break;
    case StructKind::Binary:
      encoder.buffer(view.value);
      break;
    case StructKind::Embed:
      write_value(encoder, view);
      break;
    case StructKind::Format:
      encoder.key(view.text);
      write_value(encoder, view);
      break;
    case StructKind::Type:
      encoder.type_ref(static_cast<uint64_t>(view.type_ref));
      if (has_node_name(view.type_ref)) encoder.key(view.text);
      break;
    case StructKind::Doc:
      encoder.text(view.text);
      encoder.encoded_anys(view.value);
      break;
  }
}

// One struct with its info byte, without the counts around it. REQUIRES: offset.units <
// view.length.
template <class UpdateEncoder>
void write_struct(UpdateEncoder& encoder, const StructView& view, ContentOffset offset = {}) {
  if (!view.is_item()) {
    encoder.info(static_cast<uint8_t>(view.kind));
    write_content(encoder, view, offset);
    return;
  }
  const bool has_origin = view.has_origin || offset.units != 0;
  encoder.info(static_cast<uint8_t>(static_cast<uint8_t>(view.kind) |
                                    (has_origin ? info_bits::kOrigin : 0) |
                                    (view.has_right_origin ? info_bits::kRightOrigin : 0) |
                                    (view.has_parent_sub ? info_bits::kParentSub : 0)));
  if (has_origin) {
    encoder.left_id(offset.units == 0 ? view.origin
                                      : Id{view.id.client, view.id.clock + offset.units - 1});
  }
  if (view.has_right_origin) encoder.right_id(view.right_origin);
  if (!has_origin && !view.has_right_origin) {
    const bool is_root = view.parent_kind == ParentKind::Root;
    encoder.parent_root(is_root);
    if (is_root) {
      encoder.text(view.parent_root);
    } else {
      encoder.left_id(view.parent);
    }
    if (view.has_parent_sub) encoder.text(view.parent_sub);
  }
  write_content(encoder, view, offset);
}

template <class UpdateEncoder>
class StructWriter {
 public:
  void write(const StructView& view, ContentOffset offset = {}) {
    if (pieces_.empty() || client_ != view.id.client) {
      client_ = view.id.client;
      pieces_.push_back({encoder_.rest().size(), 0});
      encoder_.client(client_);
      encoder_.rest().var_uint(view.id.clock + offset.units);
    }
    ++pieces_.back().structs;
    write_struct(encoder_, view, offset);
  }

  // Ends the structs, adds the delete set. Afterwards only clear() is of use.
  void finish(const IdSet& deleted, Encoder& out) {
    Encoder structs;
    structs.swap(encoder_.rest());
    Encoder& rest = encoder_.rest();
    rest.reserve(structs.size() + 16 + pieces_.size() * 4);
    rest.var_uint(pieces_.size());
    for (size_t i = 0; i < pieces_.size(); ++i) {
      const size_t begin = pieces_[i].begin;
      const size_t end = i + 1 < pieces_.size() ? pieces_[i + 1].begin : structs.size();
      rest.var_uint(pieces_[i].structs);
      rest.raw(structs.bytes().subspan(begin, end - begin));
    }
    deleted.write(rest, UpdateEncoder::kEncoding);
    encoder_.finish(out);
  }
  std::vector<uint8_t> finish(const IdSet& deleted) {
    Encoder out;
    finish(deleted, out);
    return out.to_vector();
  }
  void clear() noexcept {
    encoder_.clear();
    pieces_.clear();
  }

 private:
  struct Piece {
    size_t begin = 0;
    uint64_t structs = 0;
  };

  UpdateEncoder encoder_;
  ClientId client_ = 0;
  std::vector<Piece> pieces_;
};

}  // namespace lattice::crdt
