// SPDX-License-Identifier: MIT
#include "lattice/ui/vdom/html.hpp"

#include <algorithm>
#include <array>

#include "lattice/base/error.hpp"

namespace lattice::vdom {

namespace {

using Kind = VNode::Kind;

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

// HTML white space is collapsed in an option's text when it stands in for a missing value.
std::string collapse_spaces(std::string_view text) {
  std::string out;
  bool pending = false;
  for (char c : text) {
    if (c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r') {
      pending = !out.empty();
      continue;
    }
    if (pending) out += ' ';
    pending = false;
    out += c;
  }
  return out;
}

void collect_text(std::string& out, const VNode& node, size_t depth) {
  internal::check_depth(depth);
  if (node.kind == Kind::Text) out += to_text(node.value);
  for (const VNode& child : node.children) collect_text(out, child, depth + 1);
}

// How the parser reads what stands between start and end tag.
enum class Content : uint8_t { Normal, Text, RawText };

class HtmlWriter {
 public:
  explicit HtmlWriter(std::string& out) : out_(out) {}

  void node(const VNode& node, size_t depth) {
    internal::check_depth(depth);
    switch (node.kind) {
      case Kind::Element:
        return element(node, depth);
      case Kind::Text:
        return text(to_text(node.value));
      case Kind::Fragment:
        for (const VNode& child : node.children) this->node(child, depth + 1);
        return;
      case Kind::RawHtml:
        return raw(node);
      case Kind::Slot:
        throw Error("a slot has no HTML: resolve it before writing");
    }
  }

 private:
  void text(std::string_view text) {
    if (content_ == Content::RawText) {
      out_ += text;
    } else if (content_ == Content::Text) {
      // Comments mean nothing in here, so adjacent texts become one node.
      escape_text(out_, text);
    } else if (text.empty()) {
      out_ += "<!--e-->";
      after_text_ = false;
    } else {
      if (after_text_) out_ += "<!---->";
      // A parser drops one newline directly after these start tags.
      if (drops_newline_ && text.front() == '\n') out_ += '\n';
      escape_text(out_, text);
      after_text_ = true;
    }
    drops_newline_ = false;
  }

  void raw(const VNode& node) {
    const std::string* html = std::get_if<std::string>(&node.value);
    if (html == nullptr) throw Error("raw HTML must be a string");
    begin_sibling();
    out_ += "<lattice-html style=\"display:contents\">";
    out_ += *html;
    out_ += "</lattice-html>";
  }

  void begin_sibling() noexcept { after_text_ = drops_newline_ = false; }

  void element(const VNode& node, size_t depth) {
    check_tag(node.tag);
    begin_sibling();
    out_ += '<';
    out_ += node.tag;
    attributes(node);
    out_ += '>';
    const bool was_foreign = in_foreign_;
    if (node.tag == "svg" || node.tag == "math") in_foreign_ = true;
    if (node.tag == "foreignObject") in_foreign_ = false;
    if (!in_foreign_ && is_void_tag(node.tag)) {
      if (!node.children.empty()) throw Error("<" + node.tag + "> takes no children");
    } else {
      content(node, depth);
      out_ += "</";
      out_ += node.tag;
      out_ += '>';
    }
    in_foreign_ = was_foreign;
    begin_sibling();
  }

  void content(const VNode& node, size_t depth) {
    const Content outer_content = content_;
    content_ = content_of(node.tag);
    drops_newline_ = node.tag == "pre" || node.tag == "listing";
    if (node.tag == "textarea" && !in_foreign_) {
      textarea(node);
    } else if (content_ == Content::RawText) {
      raw_text(node, depth);
    } else if (node.tag == "select") {
      select(node, depth);
    } else {
      for (const VNode& child : node.children) this->node(child, depth + 1);
    }
    content_ = outer_content;
  }

  Content content_of(const std::string& tag) const noexcept {
    if (in_foreign_) return Content::Normal;
    if (tag == "script" || tag == "style") return Content::RawText;
    return tag == "textarea" || tag == "title" ? Content::Text : Content::Normal;
  }

  // The value is the text, so that it shows before the client runs.
  void textarea(const VNode& node) {
    if (!node.children.empty()) {
      throw Error("<textarea> takes its text as value, not as children");
    }
    const Value* value = node.find_attr("value");
    const std::string text = value == nullptr ? std::string() : to_text(*value);
    if (text.starts_with('\n')) out_ += '\n';
    escape_text(out_, text);
  }

  void raw_text(const VNode& node, size_t depth) {
    const size_t start = out_.size();
    for (const VNode& child : node.children) {
      if (child.kind != Kind::Text) throw Error("<" + node.tag + "> takes only text");
      this->node(child, depth + 1);
    }
    const std::string body = lowered(std::string_view(out_).substr(start));
    // `<!--` can switch a script to a state in which its end tag does not end it.
    if (body.find("</" + node.tag) != std::string::npos || body.find("<!--") != std::string::npos) {
      throw Error("<" + node.tag + "> text is refused: it holds '</" + node.tag +
                  "' or '<!--' and could leave its element");
    }
  }

  void select(const VNode& node, size_t depth) {
    const Value* value = node.find_attr("value");
    const bool has_value = value != nullptr && !std::holds_alternative<std::nullptr_t>(*value);
    const std::string chosen =
        has_value ? to_text(wire_value(AttributeKind::InputValue, "value", *value)) : std::string();
    const std::string* outer = selected_value_;
    const bool outer_is_multiple = std::exchange(is_multiple_, is_multiple(node));
    selected_value_ = has_value ? &chosen : nullptr;
    for (const VNode& child : node.children) this->node(child, depth + 1);
    selected_value_ = outer;
    is_multiple_ = outer_is_multiple;
  }

  static bool is_multiple(const VNode& select) {
    const Value* multiple = select.find_attr("multiple");
    return multiple != nullptr && !std::holds_alternative<std::nullptr_t>(*multiple) &&
           *multiple != Value(false);
  }

  // The values of a multiple select come as lines.
  bool is_selected(const std::string& option) const {
    if (!is_multiple_) return option == *selected_value_;
    return ("\n" + *selected_value_ + "\n").find("\n" + option + "\n") != std::string::npos;
  }

  void attributes(const VNode& node) {
    std::string classes;
    std::string styles;
    for (const Attribute& attr : node.attrs) {
      check_attribute(attr.name, attr.value);
      switch (attribute_kind(node.tag, attr.name)) {
        case AttributeKind::Listen:
          break;
        case AttributeKind::Style:
          style(styles, attr);
          break;
        case AttributeKind::Class:
          switch_class(classes, attr);
          break;
        case AttributeKind::InputValue:
          input_value(node, attr);
          break;
        case AttributeKind::Property:
          property(node, attr);
          break;
        case AttributeKind::Attribute:
          plain(attr, classes, styles);
          break;
      }
    }
    if (selected_value_ != nullptr && node.tag == "option") {
      if (is_selected(option_value(node))) out_ += " selected=\"\"";
    }
    if (!classes.empty()) write("class", classes);
    if (!styles.empty()) write("style", styles);
  }

  static void style(std::string& styles, const Attribute& attr) {
    const Value value = wire_value(AttributeKind::Style, attr.name, attr.value);
    if (std::holds_alternative<std::nullptr_t>(value) || std::holds_alternative<bool>(value))
      return;
    const std::string text = to_text(value);
    if (text.empty() || !is_closed_css_value(text)) return;
    if (!styles.empty()) styles += styles.back() == ';' ? " " : "; ";
    styles += local_name(attr.name);
    styles += ": ";
    styles += text;
  }

  static void switch_class(std::string& classes, const Attribute& attr) {
    const bool* on = std::get_if<bool>(&attr.value);
    if (on == nullptr || !*on) return;
    if (!classes.empty()) classes += ' ';
    classes += local_name(attr.name);
  }

  void plain(const Attribute& attr, std::string& classes, std::string& styles) {
    const Value value = wire_value(AttributeKind::Attribute, attr.name, attr.value);
    if (std::holds_alternative<std::nullptr_t>(value)) return;
    if (const bool* flag = std::get_if<bool>(&value)) {
      if (*flag) write(attr.name, "");
      return;
    }
    const std::string text = to_text(value);
    if (attr.name == "class") {
      classes = classes.empty() ? text : text + " " + classes;
    } else if (attr.name == "style") {
      styles = styles.empty() ? text : text + "; " + styles;
    } else {
      write(attr.name, text);
    }
  }

  void input_value(const VNode& node, const Attribute& attr) {
    if (node.tag != "input") return;  // textarea: its text; select: its options
    const Value* type = node.find_attr("type");
    if (type != nullptr && *type == Value("file")) return;
    const Value value = wire_value(AttributeKind::InputValue, attr.name, attr.value);
    if (!std::holds_alternative<std::nullptr_t>(value)) write("value", to_text(value));
  }

  void property(const VNode& node, const Attribute& attr) {
    if (attr.name == "indeterminate") return;
    if (attr.name == "selected" && node.tag == "option" && selected_value_ != nullptr) return;
    const bool* flag = std::get_if<bool>(&attr.value);
    if (std::holds_alternative<std::nullptr_t>(attr.value) || (flag != nullptr && !*flag)) return;
    write(attr.name, flag != nullptr ? std::string() : to_text(attr.value));
  }

  static std::string option_value(const VNode& option) {
    if (const Value* value = option.find_attr("value")) {
      if (!std::holds_alternative<std::nullptr_t>(*value)) {
        return to_text(wire_value(AttributeKind::InputValue, "value", *value));
      }
    }
    std::string text;
    collect_text(text, option, 0);
    return collapse_spaces(text);
  }

  void write(std::string_view name, std::string_view value) {
    out_ += ' ';
    out_ += name;
    out_ += "=\"";
    escape_attribute(out_, value);
    out_ += '"';
  }

  std::string& out_;
  const std::string* selected_value_ = nullptr;  // of the <select> around
  bool is_multiple_ = false;
  Content content_ = Content::Normal;
  bool in_foreign_ = false;     // below <svg> or <math>
  bool after_text_ = false;     // the last thing written is a non-empty text
  bool drops_newline_ = false;  // directly after <pre>
};

void escape(std::string& out, std::string_view text, bool in_attribute) {
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\r':
        out += "&#13;";
        break;
      case '\0':
        out += kReplacement;
        break;
      case '"':
        if (in_attribute) {
          out += "&quot;";
        } else {
          out += c;
        }
        break;
      default:
        out += c;
    }
  }
}

struct Hazard {
  std::string_view parents;  // space-separated, with a space at both ends
  std::string_view children;
  std::string_view cure;
};

constexpr std::string_view kBlocks =
    " address article aside blockquote details dialog div dl fieldset figure footer form h1 h2 h3 "
    "h4 h5 h6 header hr main menu nav ol p pre section table ul ";

constexpr Hazard kHazards[] = {
    {" table ", " tr ", "put the rows into tbody, thead or tfoot"},
    {" table thead tbody tfoot ", " td th ", "put the cells into tr"},
    {" p ", kBlocks, "use div in place of p"},
    {" a ", " a ", "links do not nest"},
    {" button ", " button ", "buttons do not nest"},
    {" form ", " form ", "forms do not nest"},
    {" li ", " li ", "put the inner items into ul or ol"},
    {" option ", " option optgroup ", "options do not nest"},
    {" h1 h2 h3 h4 h5 h6 ", " h1 h2 h3 h4 h5 h6 ", "headings do not nest"},
};

bool has_word(std::string_view words, std::string_view word) {
  return words.find(std::string(" ").append(word).append(" ")) != std::string_view::npos;
}

}  // namespace

void write_html(std::string& out, const VNode& node) { HtmlWriter(out).node(node, 0); }

void escape_text(std::string& out, std::string_view text) { escape(out, text, false); }

void escape_attribute(std::string& out, std::string_view text) { escape(out, text, true); }

std::optional<std::string> nesting_hazard(std::string_view parent, std::string_view child) {
  std::string_view cure;
  for (const Hazard& hazard : kHazards) {
    if (has_word(hazard.parents, parent) && has_word(hazard.children, child)) cure = hazard.cure;
  }
  const bool is_table_part = has_word(" table thead tbody tfoot tr ", parent);
  if (cure.empty() && is_table_part &&
      !has_word(" caption colgroup thead tbody tfoot tr td th script style template ", child)) {
    cure = "only table parts may stand there";
  }
  if (cure.empty() && has_word(" html head body frame frameset noscript template ", child)) {
    cure = "the browser does not keep it in a page's body";
  }
  if (cure.empty()) return std::nullopt;
  std::string message("<");
  message.append(child).append("> directly in <").append(parent).append(">: ").append(cure);
  return message;
}

}  // namespace lattice::vdom
