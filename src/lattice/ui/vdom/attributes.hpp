// SPDX-License-Identifier: MIT
// What an attribute name means: which op carries it, which values it takes, what is refused.
//
// Refused, by throwing Error with the cure: names that are no names (they would break out of the
// HTML), `onclick="..."` strings (pass a function as on_click), javascript: and vbscript: URLs in
// attributes that navigate or load, and srcdoc (an HTML string: ui::raw_html is the one door).
//
// "class" as a whole and "class.x" switches of one node do not mix well: setting the whole drops
// the switches. Who sends a new "class" for a node with switches sends those that are on again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lattice/ui/vdom/vnode.hpp"

namespace lattice::vdom {

// One kind per wire op; see protocol/README.md.
enum class AttributeKind : uint8_t { Attribute, Property, InputValue, Style, Class, Listen };

AttributeKind attribute_kind(std::string_view tag, std::string_view name) noexcept;

// The part of the name that goes on the wire: "color" of "style.color", "done" of "class.done",
// "click" of "on_click", else the name itself. A view into `name`, except for events.
std::string_view local_name(std::string_view name) noexcept;

// The DOM event of a handler attribute: on_click -> click, on_key_down -> keydown (a DOM event
// under its spelled-out name), on_wa_show -> wa-show (a custom event: underscores become hyphens).
std::string event_name(std::string_view attribute);

// A property that HTML cannot express (indeterminate; any property of a custom element): after the
// first paint it must be sent once.
bool is_property_only(std::string_view tag, std::string_view name) noexcept;

// The value as the wire and the HTML carry it. Attributes and styles: floats become text, booleans
// of aria-* and of enumerated attributes (draggable ...) "true" and "false". Integers beyond 2**53
// become text everywhere, since a JavaScript number cannot hold them.
Value wire_value(AttributeKind kind, std::string_view name, const Value& value);

bool is_valid_tag(std::string_view tag) noexcept;
bool is_valid_attribute_name(
    std::string_view name) noexcept;  // by kind: class names, CSS names ...

// Throw Error when the name, or the value under this name, is refused.
void check_tag(std::string_view tag);
void check_attribute_name(std::string_view name);
void check_attribute(std::string_view name, const Value& value);

// True for a CSS value that stays inside its declaration: no `;` or `}` outside of quotes and
// parentheses, nothing left open. A browser's setProperty ignores the others, and so does our HTML.
bool is_closed_css_value(std::string_view value) noexcept;

// HTML elements without end tag and children: br, img, input ...
bool is_void_tag(std::string_view tag) noexcept;

}  // namespace lattice::vdom
