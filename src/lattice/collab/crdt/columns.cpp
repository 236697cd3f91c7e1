// SPDX-License-Identifier: MIT
#include "lattice/collab/crdt/columns.hpp"

namespace lattice::crdt {

StringColumnReader::Text StringColumnReader::read_utf8(uint32_t units) {
  if (units == 0) return {};
  const std::string_view rest = text_.substr(offset_);
  std::string first_half;
  uint32_t wanted = units;
  size_t begin = 0;
  if (in_pair_) {
    first_half = low_surrogate_of(rest.substr(0, 4));
    begin = 4;
    --wanted;
  }
  const TextOffset end = utf8_offset(rest.substr(begin), wanted);
  const std::string_view whole = rest.substr(begin, end.bytes);
  if (!end.cuts_pair && begin + end.bytes == rest.size() && utf16_length(whole) != wanted) {
    lengths_.fail("string runs past the end of its column");
    return {};
  }
  offset_ += begin + end.bytes;
  in_pair_ = end.cuts_pair;
  if (first_half.empty() && !end.cuts_pair) return {whole, units};
  const std::string last_half =
      end.cuts_pair ? high_surrogate_of(text_.substr(offset_, 4)) : std::string();
  const size_t size = first_half.size() + whole.size() + last_half.size();
  char* const text = halves_.allocate(size);
  first_half.copy(text, first_half.size());
  whole.copy(text + first_half.size(), whole.size());
  last_half.copy(text + first_half.size() + whole.size(), last_half.size());
  return {{text, size}, units};
}

void StringColumnWriter::finish(Encoder& out) {
  if (text_.size() >= 3) replace_lone_surrogates(text_.data(), text_.size());
  const ByteView lengths = lengths_.finish();
  // The text's own length prefix counts towards the column's.
  size_t prefix = 1;
  for (size_t rest = text_.size() >> 7; rest != 0; rest >>= 7) ++prefix;
  out.var_uint(prefix + text_.size() + lengths.size());
  out.var_string(text_);
  out.raw(lengths);
}

}  // namespace lattice::crdt
