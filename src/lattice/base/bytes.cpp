// SPDX-License-Identifier: MIT
#include "lattice/base/bytes.hpp"

namespace lattice {

bool is_valid_utf8(std::string_view text) noexcept {
  const auto* p = reinterpret_cast<const uint8_t*>(text.data());
  const auto* end = p + text.size();
  while (p < end) {
    uint8_t lead = *p++;
    if (lead < 0x80) continue;
    int trailing;
    uint8_t low = 0x80, high = 0xbf;  // bounds of the first trailing byte
    if (lead >= 0xc2 && lead <= 0xdf) {
      trailing = 1;
    } else if (lead >= 0xe0 && lead <= 0xef) {
      trailing = 2;
      if (lead == 0xe0) low = 0xa0;
      if (lead == 0xed) high = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      trailing = 3;
      if (lead == 0xf0) low = 0x90;
      if (lead == 0xf4) high = 0x8f;
    } else {
      return false;
    }
    if (end - p < trailing) return false;
    if (*p < low || *p > high) return false;
    for (int i = 1; i < trailing; ++i) {
      if (p[i] < 0x80 || p[i] > 0xbf) return false;
    }
    p += trailing;
  }
  return true;
}

}  // namespace lattice
