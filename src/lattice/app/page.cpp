// SPDX-License-Identifier: MIT
#include "lattice/app/page.hpp"

#include "lattice/ui/vdom/html.hpp"

namespace lattice::app {

namespace {

// A JSON string for use inside <script>: `<` is escaped too, so that no text ends the element.
std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || c == '"' || c == '\\' || c == '<') {
      constexpr char kHex[] = "0123456789abcdef";
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

}  // namespace

std::string page_document(const PageOptions& options, const PageContext& context,
                          std::string_view content, uint32_t node_count) {
  std::string out;
  out.reserve(content.size() + 1024);
  out += "<!doctype html>\n<html lang=\"";
  vdom::escape_attribute(out, options.language);
  out +=
      "\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
      "<meta name=\"color-scheme\" content=\"light dark\"><title>";
  vdom::escape_text(out, options.title);
  out += "</title><link rel=\"stylesheet\" href=\"";
  vdom::escape_attribute(out, context.client_style_url);
  out += "\"><script type=\"module\" src=\"";
  vdom::escape_attribute(out, context.client_script_url);
  // No white space around the content: text there would be taken for nodes of the page.
  out += "\"></script></head><body><div id=\"lattice-root\">";
  out += content;
  out += "</div><script type=\"application/json\" id=\"lattice-boot\">{\"token\":";
  out += json_string(context.token);
  out += ",\"nodes\":" + std::to_string(node_count);
  out += ",\"socket\":\"/_lattice/ws\",\"dev\":";
  out += context.dev ? "true" : "false";
  out += "}</script></body></html>\n";
  return out;
}

}  // namespace lattice::app
