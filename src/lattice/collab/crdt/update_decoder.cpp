// SPDX-License-Identifier: MIT
#include "lattice/collab/crdt/update_decoder.hpp"

#include <array>
#include <utility>

namespace lattice::crdt {

ByteView UpdateDecoderV2::json_strings(uint64_t count) {
  Encoder strings;
  for (uint64_t i = 0; i < count && ok(); ++i) {
    const std::string_view text = string_.read().text;
    // Cut pairs show as halves, which JSON text never holds.
    const bool is_json = text == "undefined" || (!has_lone_surrogate(text) && is_valid_json(text));
    if (!is_json) rest_.fail("value is no JSON");
    strings.var_string(text);
  }
  if (!ok()) return {};
  const ByteView bytes = strings.bytes();
  char* const kept = json_.allocate(bytes.size());
  text_of(bytes).copy(kept, bytes.size());
  return bytes_of({kept, bytes.size()});
}

Failure UpdateDecoderV2::failure() const {
  const std::array<std::pair<const char*, const Decoder*>, 10> columns{{
      {"rest", &rest_},
      {"key clocks", &key_clock_.bytes()},
      {"clients", &client_.bytes()},
      {"left clocks", &left_clock_.bytes()},
      {"right clocks", &right_clock_.bytes()},
      {"infos", &info_.bytes()},
      {"strings", &string_.bytes()},
      {"parent infos", &parent_info_.bytes()},
      {"type refs", &type_ref_.bytes()},
      {"lengths", &length_.bytes()},
  }};
  for (const auto& [name, decoder] : columns) {
    if (decoder->error() == nullptr) continue;
    return Failure{"update (v2): " + std::string(decoder->error()) + " at byte " +
                   std::to_string(decoder->offset()) + " of its " + name};
  }
  return Failure{"update (v2): ?"};
}

}  // namespace lattice::crdt
