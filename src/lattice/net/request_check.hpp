// SPDX-License-Identifier: MIT
// The strict check of a request head before the HTTP parser sees it.
//
// Parsers and proxies disagree about sloppy heads, and request smuggling lives on that. So what is
// ambiguous is refused here, whatever the parser would make of it: bare CR or LF, folded lines,
// white space before a colon, control characters, Content-Length beside Transfer-Encoding, either
// of them twice, a missing or second Host. Pure; the whole head is at hand.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lattice::net {

struct HeadVerdict {
  uint16_t status = 0;  // 0 = fine, else the HTTP status to answer with
  std::string reason;
  bool ok() const noexcept { return status == 0; }
};

// `head` runs from the request line through the empty line, CRLFs included.
HeadVerdict check_request_head(std::string_view head);

}  // namespace lattice::net
