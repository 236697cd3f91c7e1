// SPDX-License-Identifier: MIT
// The HTML document around a first paint; its parts are described in protocol/README.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lattice/app/hosted_session.hpp"

namespace lattice::app {

struct PageOptions {
  std::string title = "Lattice";
  std::string language = "en";
};

// `content` is HTML as vdom::write_html makes it; everything else is escaped here.
std::string page_document(const PageOptions& options, const PageContext& context,
                          std::string_view content, uint32_t node_count);

}  // namespace lattice::app
