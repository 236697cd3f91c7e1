// SPDX-License-Identifier: MIT
// HTML of a tree for the first paint, such that a browser parses it back into the same nodes.
//
// The rules that keep HTML and tree equal (protocol/README.md): `<!---->` between adjacent texts,
// `<!--e-->` for an empty text, raw HTML inside <lattice-html>, a second newline after <pre> whose
// text begins with one, U+FFFD for NUL (a parser drops that), `&#13;` for a carriage return.
//
// Refused with Error: slots, <plaintext> (nothing can follow it), children of void elements, and a
// script or style text that would end its element early. A textarea has no child nodes in a tree:
// its text is `value`, and the text that the HTML shows inside it is not numbered.
//
// HTML parsers move some nestings (a <tr> directly in <table> gets a <tbody>, <div> ends an open
// <p>). What is written is always well-formed, but the browser then counts other nodes than the
// server, and the page is built anew by RESET. nesting_hazard() names the usual cases.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lattice/ui/vdom/attributes.hpp"
#include "lattice/ui/vdom/vnode.hpp"

namespace lattice::vdom {

// Appends the HTML of the node; a fragment's children count as siblings. REQUIRES: no slots.
// Throws Error as said above; `out` may then hold a part.
void write_html(std::string& out, const VNode& node);

void escape_text(std::string& out, std::string_view text);
void escape_attribute(std::string& out, std::string_view text);

// Why an HTML parser would not keep `child` directly inside `parent`, with the cure; else nothing.
std::optional<std::string> nesting_hazard(std::string_view parent, std::string_view child);

}  // namespace lattice::vdom
