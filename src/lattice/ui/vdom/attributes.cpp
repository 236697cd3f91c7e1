// SPDX-License-Identifier: MIT
#include "lattice/ui/vdom/attributes.hpp"

#include <algorithm>
#include <array>

#include "lattice/base/error.hpp"

namespace lattice::vdom {

namespace {

using namespace std::string_view_literals;

constexpr int64_t kSafeIntegerMax = (int64_t{1} << 53) - 1;

template <size_t N>
bool one_of(const std::array<std::string_view, N>& sorted, std::string_view name) noexcept {
  return std::ranges::binary_search(sorted, name);
}

constexpr auto kVoidTags =
    std::to_array<std::string_view>({"area", "base", "br", "col", "embed", "hr", "img", "input",
                                     "link", "meta", "param", "source", "track", "wbr"});

// Booleans that live in the DOM object: the attribute is only their initial value.
constexpr auto kProperties =
    std::to_array<std::string_view>({"checked", "indeterminate", "muted", "open", "selected"});

// Attributes whose "true" and "false" are words, not presence.
constexpr auto kWordBooleans = std::to_array<std::string_view>(
    {"contenteditable", "draggable", "spellcheck", "writingsuggestions"});

// Attributes whose URL is followed, loaded or run. `to`, `from`, `by` and `values` are here because
// an SVG animation can write them into an href.
constexpr auto kUrlNames = std::to_array<std::string_view>(
    {"action", "by", "data", "formaction", "from", "href", "src", "to", "values", "xlink:href"});

// DOM events of more than one word, as the DOM spells them.
constexpr auto kCompoundEvents = std::to_array<std::string_view>({"animationend",
                                                                  "animationiteration",
                                                                  "animationstart",
                                                                  "auxclick",
                                                                  "beforeinput",
                                                                  "beforetoggle",
                                                                  "canplay",
                                                                  "canplaythrough",
                                                                  "compositionend",
                                                                  "compositionstart",
                                                                  "compositionupdate",
                                                                  "contextmenu",
                                                                  "cuechange",
                                                                  "dblclick",
                                                                  "dragend",
                                                                  "dragenter",
                                                                  "dragleave",
                                                                  "dragover",
                                                                  "dragstart",
                                                                  "durationchange",
                                                                  "focusin",
                                                                  "focusout",
                                                                  "fullscreenchange",
                                                                  "gotpointercapture",
                                                                  "keydown",
                                                                  "keypress",
                                                                  "keyup",
                                                                  "loadeddata",
                                                                  "loadedmetadata",
                                                                  "loadstart",
                                                                  "lostpointercapture",
                                                                  "mousedown",
                                                                  "mouseenter",
                                                                  "mouseleave",
                                                                  "mousemove",
                                                                  "mouseout",
                                                                  "mouseover",
                                                                  "mouseup",
                                                                  "pointercancel",
                                                                  "pointerdown",
                                                                  "pointerenter",
                                                                  "pointerleave",
                                                                  "pointermove",
                                                                  "pointerout",
                                                                  "pointerover",
                                                                  "pointerup",
                                                                  "ratechange",
                                                                  "scrollend",
                                                                  "selectionchange",
                                                                  "selectstart",
                                                                  "slotchange",
                                                                  "timeupdate",
                                                                  "touchcancel",
                                                                  "touchend",
                                                                  "touchmove",
                                                                  "touchstart",
                                                                  "transitioncancel",
                                                                  "transitionend",
                                                                  "transitionrun",
                                                                  "transitionstart",
                                                                  "volumechange"});

static_assert(std::ranges::is_sorted(kVoidTags) && std::ranges::is_sorted(kProperties) &&
              std::ranges::is_sorted(kWordBooleans) && std::ranges::is_sorted(kUrlNames) &&
              std::ranges::is_sorted(kCompoundEvents));

constexpr bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

std::string lowered(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), lower);
  return out;
}

bool is_custom_element(std::string_view tag) noexcept {
  return tag.find('-') != std::string_view::npos;
}

bool is_plain_name(std::string_view name, std::string_view also) noexcept {
  return std::ranges::all_of(name, [&](char c) {
    return is_letter(c) || is_digit(c) || also.find(c) != std::string_view::npos;
  });
}

bool is_css_name(std::string_view name) noexcept {
  return !name.empty() && !is_digit(name.front()) && is_plain_name(name, "-_");
}

// classList refuses white space; the rest ("md:w-1/2") is the style sheet's business.
bool is_class_name(std::string_view name) noexcept {
  return !name.empty() && name.find_first_of(" \t\n\f\r"sv) == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

bool is_handler_string(std::string_view name) noexcept {
  return name.size() > 2 && lower(name[0]) == 'o' && lower(name[1]) == 'n' &&
         std::ranges::all_of(name.substr(2), is_letter);
}

// Browsers drop leading control characters and spaces, and tabs and newlines anywhere, before they
// look at the scheme. A list (SVG `values`) is looked at entry by entry.
bool runs_script(std::string_view url) {
  std::string scheme;
  for (char c : url) {
    if (c == ';') scheme.clear();
    if (c == ':') {
      if (scheme == "javascript" || scheme == "vbscript") return true;
      scheme += c;
    } else if (static_cast<unsigned char>(c) > 0x20 && c != ';') {
      scheme += lower(c);
    }
  }
  return false;
}

}  // namespace

AttributeKind attribute_kind(std::string_view tag, std::string_view name) noexcept {
  if (name.starts_with("on_")) return AttributeKind::Listen;
  if (name.starts_with("style.")) return AttributeKind::Style;
  if (name.starts_with("class.")) return AttributeKind::Class;
  if (name == "value") {
    if (tag == "input" || tag == "textarea" || tag == "select") return AttributeKind::InputValue;
    return is_custom_element(tag) ? AttributeKind::Property : AttributeKind::Attribute;
  }
  return one_of(kProperties, name) ? AttributeKind::Property : AttributeKind::Attribute;
}

std::string_view local_name(std::string_view name) noexcept {
  if (name.starts_with("style.") || name.starts_with("class.")) return name.substr(6);
  return name.starts_with("on_") ? name.substr(3) : name;
}

std::string event_name(std::string_view attribute) {
  std::string name(local_name(attribute));
  if (name.find('_') == std::string::npos) return name;
  std::string joined = name;
  std::erase(joined, '_');
  if (joined == "doubleclick") return "dblclick";
  if (one_of(kCompoundEvents, joined)) return joined;
  std::ranges::replace(name, '_', '-');
  return name;
}

bool is_property_only(std::string_view tag, std::string_view name) noexcept {
  if (attribute_kind(tag, name) != AttributeKind::Property) return false;
  return name == "indeterminate" || is_custom_element(tag);
}

Value wire_value(AttributeKind kind, std::string_view name, const Value& value) {
  const bool is_text_form = kind != AttributeKind::Property;
  if (const bool* flag = std::get_if<bool>(&value)) {
    const bool words = kind == AttributeKind::InputValue ||
                       (kind == AttributeKind::Attribute &&
                        (name.starts_with("aria-") || one_of(kWordBooleans, name)));
    return words ? Value(*flag ? "true" : "false") : value;
  }
  if (const int64_t* number = std::get_if<int64_t>(&value)) {
    const bool is_safe = *number <= kSafeIntegerMax && *number >= -kSafeIntegerMax;
    return is_safe ? value : Value(to_text(value));
  }
  if (std::holds_alternative<double>(value) && is_text_form) return Value(to_text(value));
  return value;
}

bool is_valid_tag(std::string_view tag) noexcept {
  return !tag.empty() && is_letter(tag.front()) && is_plain_name(tag, "-_.");
}

bool is_valid_attribute_name(std::string_view name) noexcept {
  if (name.starts_with("style.")) return is_css_name(local_name(name));
  if (name.starts_with("class.")) return is_class_name(local_name(name));
  if (name.starts_with("on_")) {
    return name.size() > 3 && is_plain_name(name.substr(3), "-_:.");
  }
  return !name.empty() && (is_letter(name.front()) || name.front() == '_') &&
         is_plain_name(name, "-_:.");
}

void check_tag(std::string_view tag) {
  if (!is_valid_tag(tag)) {
    throw Error("'" + std::string(tag) +
                "' is not an element name: expected a letter, then letters, "
                "digits, '-', '_' or '.'");
  }
  if (tag == "plaintext") {
    throw Error("<plaintext> is refused: it swallows the rest of the page");
  }
}

void check_attribute_name(std::string_view name) {
  if (!is_valid_attribute_name(name)) {
    throw Error("'" + std::string(name) + "' is not an attribute name");
  }
  if (is_handler_string(name)) {
    throw Error("attribute '" + std::string(name) + "' is refused: pass a function as on_" +
                lowered(name.substr(2)));
  }
  if (lowered(name) == "srcdoc") {
    throw Error("attribute 'srcdoc' is refused: trusted HTML goes through raw_html");
  }
}

void check_attribute(std::string_view name, const Value& value) {
  check_attribute_name(name);
  const std::string* text = std::get_if<std::string>(&value);
  if (text == nullptr || text->find(':') == std::string::npos) return;
  if (one_of(kUrlNames, lowered(name)) && runs_script(*text)) {
    throw Error("attribute '" + std::string(name) +
                "' got a script URL: javascript: and vbscript: "
                "are refused");
  }
}

bool is_closed_css_value(std::string_view value) noexcept {
  char quote = 0;
  int depth = 0;
  for (size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    if (c == '\\') {
      if (++i == value.size()) return false;
    } else if (quote != 0) {
      if (c == '\n') return false;
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '(') {
      ++depth;
    } else if (c == ')') {
      if (--depth < 0) return false;
    } else if (c == '{' || c == '}' || (c == ';' && depth == 0)) {
      return false;
    } else if (c == '/' && i + 1 < value.size() && value[i + 1] == '*') {
      return false;  // a comment could swallow the declarations that follow
    }
  }
  return quote == 0 && depth == 0;
}

bool is_void_tag(std::string_view tag) noexcept { return one_of(kVoidTags, tag); }

}  // namespace lattice::vdom
