// SPDX-License-Identifier: MIT
// StructReader: the structs of an update one after the other, without building any of them.
//
//   StructReaderV1 reader(update);
//   for (StructView view; reader.next(view);) ...
//   if (!reader.ok()) return reader.failure();
//   reader.read_deleted(...);
//
// Order: as the update has it; Yjs writes the highest client first and each client's clocks
// ascending. Everything that a view holds has been checked (struct_view.hpp).
//
// Bounds: no count is trusted with memory. Columns of v2 can say "the same again" 2^53 times in a
// few bytes, so an update may hold kStructsMin structs, and beyond that so many per byte; whoever
// loads bytes of its own may lift that.
// Source: Yjs 13.6 updates.js, lazyStructReaderGenerator.
#pragma once

#include <algorithm>

#include "lattice/collab/crdt/struct_view.hpp"
#include "lattice/collab/crdt/update_decoder.hpp"

namespace lattice::crdt {

// How many structs an update of so many bytes may hold. A v1 struct takes two bytes or more.
inline constexpr uint64_t kStructsMin = uint64_t{1} << 20;
inline constexpr uint64_t kStructsPerByte = 4;
constexpr uint64_t structs_max(size_t bytes) noexcept {
  return std::max(kStructsMin, kStructsPerByte * bytes);
}

template <class UpdateDecoder>
class StructReader {
 public:
  static constexpr Encoding kEncoding = UpdateDecoder::kEncoding;

  StructReader() = default;
  explicit StructReader(ByteView update) : StructReader(update, structs_max(update.size())) {}
  StructReader(ByteView update, uint64_t structs_max) : decoder_(update), budget_(structs_max) {
    clients_left_ = decoder_.rest().var_uint();
  }

  // The next struct; false at the end of the structs, and after a failure.
  bool next(StructView& view) {
    while (structs_left_ == 0) {
      if (clients_left_ == 0) return false;
      if (!begin_client()) return false;
    }
    --structs_left_;
    if (budget_ == 0) [[unlikely]]
      return refuse("more structs than so few bytes can mean");
    --budget_;
    const uint8_t info = decoder_.info();
    view.id = {client_, clock_};
    view.kind = static_cast<StructKind>(info & info_bits::kKind);
    uint64_t length = 0;
    if (view.kind == StructKind::Gc) {
      length = decoder_.length();
    } else if (info == static_cast<uint8_t>(StructKind::Skip)) {
      length = decoder_.rest().var_uint();
    } else {
      length = read_item(info, view);
    }
    if (!decoder_.ok()) [[unlikely]]
      return refuse(nullptr);
    if (length == 0) [[unlikely]]
      return refuse("struct without length");
    if (length > kClockMax - clock_) [[unlikely]]
      return refuse("struct ends past clock 2^32 - 1");
    view.length = static_cast<Clock>(length);
    clock_ += view.length;
    return true;
  }

  // The client to whom the last struct belongs, and how many of its structs are still to come.
  ClientId client() const noexcept { return client_; }
  uint64_t structs_left() const noexcept { return structs_left_; }

  // The delete set, range by range: take(client, clock, length). REQUIRES: next() returned false
  // and ok(). Ask ok() afterwards.
  template <class Take>
  void read_deleted(Take&& take) {
    read_id_ranges(decoder_.rest(), kEncoding, std::forward<Take>(take));
  }
  IdSet read_delete_set() { return IdSet::read(decoder_.rest(), kEncoding); }

  bool ok() const noexcept { return decoder_.ok(); }
  // REQUIRES: !ok().
  Failure failure() const { return decoder_.failure(); }

 private:
  bool begin_client() {
    --clients_left_;
    structs_left_ = decoder_.rest().var_uint();
    client_ = decoder_.client();
    clock_ = decoder_.rest().var_uint32();
    // A client without structs takes two bytes of `rest`, so this ends with the bytes.
    if (!decoder_.ok()) [[unlikely]]
      return refuse(nullptr);
    return true;
  }

  // Returns the length.
  uint64_t read_item(uint8_t info, StructView& view) {
    view.has_origin = (info & info_bits::kOrigin) != 0;
    view.has_right_origin = (info & info_bits::kRightOrigin) != 0;
    if (view.has_origin) view.origin = decoder_.left_id();
    if (view.has_right_origin) view.right_origin = decoder_.right_id();
    view.parent_kind = ParentKind::Inherited;
    view.has_parent_sub = false;
    if (!view.has_origin && !view.has_right_origin) {
      if (decoder_.is_parent_root()) {
        view.parent_kind = ParentKind::Root;
        view.parent_root = decoder_.text().text;
      } else {
        view.parent_kind = ParentKind::Item;
        view.parent = decoder_.left_id();
      }
      if ((info & info_bits::kParentSub) != 0) {
        view.has_parent_sub = true;
        view.parent_sub = decoder_.text().text;
      }
    }
    return read_content(view);
  }

  uint64_t read_content(StructView& view) {
    switch (view.kind) {
      case StructKind::String: {
        const auto text = decoder_.text();
        view.text = text.text;
        return text.units;
      }
      case StructKind::Deleted:
        return decoder_.length();
      case StructKind::Any: {
        const uint64_t count = decoder_.length();
        view.value = decoder_.anys(count);
        return count;
      }
      case StructKind::Json: {
        const uint64_t count = decoder_.length();
        view.value = decoder_.json_strings(count);
        return count;
      }
      case StructKind::Binary:
        view.value = decoder_.buffer();
        return 1;
      case StructKind::Embed:
        view.is_json_value = UpdateDecoder::kValueIsJson;
        view.value = decoder_.json_value();
        return 1;
      case StructKind::Format:
        view.is_json_value = UpdateDecoder::kValueIsJson;
        view.text = decoder_.key();
        view.value = decoder_.json_value();
        return 1;
      case StructKind::Type: {
        const uint64_t type = decoder_.type_ref();
        if (type > kTypeRefMax) [[unlikely]] {
          decoder_.fail("unknown shared type");
          return 0;
        }
        view.type_ref = static_cast<TypeRef>(type);
        view.text = has_node_name(view.type_ref) ? decoder_.key() : std::string_view();
        return 1;
      }
      case StructKind::Doc:
        view.text = decoder_.text().text;
        view.value = decoder_.any();
        return 1;
      default:
        decoder_.fail("unknown kind of struct");
        return 0;
    }
  }

  bool refuse(const char* reason) noexcept {
    if (reason != nullptr) decoder_.fail(reason);
    structs_left_ = 0;
    clients_left_ = 0;
    return false;
  }

  UpdateDecoder decoder_;
  uint64_t clients_left_ = 0;
  uint64_t structs_left_ = 0;
  uint64_t budget_ = 0;
  ClientId client_ = 0;
  Clock clock_ = 0;
};

using StructReaderV1 = StructReader<UpdateDecoderV1>;
using StructReaderV2 = StructReader<UpdateDecoderV2>;

}  // namespace lattice::crdt
