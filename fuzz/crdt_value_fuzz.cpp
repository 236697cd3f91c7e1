// SPDX-License-Identifier: MIT
// libFuzzer target for lib0 values, JSON text and UTF arithmetic: the two readers of each agree,
// and what was read once reads the same again.
//
//   build/fuzz/fuzz/crdt_value_fuzz -max_total_time=60 -max_len=4096 -timeout=5
#include <cstdint>
#include <string>

#include "lattice/base/error.hpp"
#include "lattice/collab/crdt/any.hpp"
#include "lattice/collab/crdt/state_vector.hpp"
#include "lattice/collab/crdt/utf.hpp"

namespace {

using namespace lattice::crdt;

void any(ByteView bytes) {
  Decoder reader(bytes);
  Decoder skipper(bytes);
  const Any value = read_any(reader);
  skip_any(skipper);
  LATTICE_ASSERT(reader.ok() == skipper.ok());
  if (!reader.ok()) return;
  LATTICE_ASSERT(reader.offset() == skipper.offset());
  Encoder encoder;
  write_any(encoder, value);
  Decoder again(encoder.bytes());
  LATTICE_ASSERT(read_any(again) == value && again.at_end());
  static_cast<void>(to_json(value));
}

void json(ByteView bytes) {
  const lattice::Result<Any> value = parse_json(text_of(bytes));
  const bool is_utf8 = checked_utf16_length(text_of(bytes)) >= 0;
  LATTICE_ASSERT(value.ok() == (is_utf8 && is_valid_json(text_of(bytes))));
  if (!value.ok()) return;
  const std::string text = to_json(value.value()).value();
  const lattice::Result<Any> again = parse_json(text);
  // Numbers that JSON cannot write become null.
  LATTICE_ASSERT(again.ok() && to_json(again.value()) == text);
}

void utf(ByteView bytes) {
  const std::string_view text = text_of(bytes.subspan(1));
  const int64_t units = checked_utf16_length(text);
  if (units < 0) return;
  const std::u16string wide = utf16_of(text);
  LATTICE_ASSERT(wide.size() == static_cast<size_t>(units) && utf8_of(wide) == text);
  const uint32_t at = bytes[0] % static_cast<uint32_t>(units + 1);
  std::string scratch;
  const std::u16string tail = utf16_of(text_from(text, at, scratch));
  LATTICE_ASSERT(tail == wide.substr(at));
  const SplitText parts = split_text(text, at);
  LATTICE_ASSERT(utf16_length(parts.left) == at);
  LATTICE_ASSERT(utf16_length(parts.right) == static_cast<uint32_t>(units) - at);
  LATTICE_ASSERT(split_text_right(text, at, scratch) == parts.right);
  std::string joined = utf8_of(wide.substr(0, at));
  append_text(joined, utf8_of(wide.substr(at)));
  LATTICE_ASSERT(joined == text);
}

void state(ByteView bytes) {
  const lattice::Result<StateVector> state = StateVector::decode(bytes);
  if (!state.ok()) return;
  const lattice::Result<StateVector> again = StateVector::decode(state.value().encode());
  LATTICE_ASSERT(again.ok() && again.value() == state.value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const ByteView bytes(data + 1, size - 1);
  switch (data[0] & 3) {
    case 0:
      any(bytes);
      break;
    case 1:
      json(bytes);
      break;
    case 2:
      utf(bytes);
      break;
    default:
      state(bytes);
  }
  return 0;
}
