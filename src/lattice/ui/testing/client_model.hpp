// SPDX-License-Identifier: MIT
// A model of the browser client, for tests: it decodes frames as protocol/README.md says and keeps
// the nodes they make. Every breach of the protocol (an unknown id, an id used twice, a move into
// the node itself, bytes left over) is collected in `failures`.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lattice/base/bytes.hpp"
#include "lattice/ui/vdom/attributes.hpp"
#include "lattice/ui/vdom/opcodes.hpp"
#include "lattice/ui/vdom/vnode.hpp"
#include "lattice/ui/vdom/wire.hpp"

namespace lattice::ui::testing {

struct ModelNode {
  uint32_t id = 0;
  std::string tag;   // "" for a text, "#raw" for raw HTML
  std::string text;  // of a text or raw HTML
  std::map<std::string, std::string> attributes, properties, styles;
  std::set<std::string> classes;
  std::map<std::string, vdom::ListenOptions> listeners;
  std::string error;  // title of the error box
  uint64_t edits = 0;
  ModelNode* parent = nullptr;
  std::vector<std::unique_ptr<ModelNode>> children;
};

// One tree as text, the same for the model and for what the server believes.
inline void print(std::ostream& out, const ModelNode& node) {
  if (node.tag.empty() || node.tag == "#raw") {
    out << node.tag << '"' << node.text << '"';
    return;
  }
  out << '<' << node.tag;
  for (const auto& [name, value] : node.attributes) out << ' ' << name << '=' << value;
  for (const auto& [name, value] : node.properties) out << " ." << name << '=' << value;
  for (const auto& [name, value] : node.styles) out << " style." << name << '=' << value;
  for (const auto& name : node.classes) out << " class." << name;
  for (const auto& [name, options] : node.listeners) {
    out << " on_" << name << (options.two_way ? "(two-way)" : "");
  }
  out << '>';
  for (const auto& child : node.children) print(out, *child);
  out << "</>";
}

class ClientModel {
 public:
  std::vector<std::string> failures;
  uint64_t last_seq = 0;
  uint64_t last_ack = 0;
  std::string title;
  std::map<vdom::Op, int> ops;  // how many of each so far
  ModelNode root;

  ClientModel() { nodes_[0] = &root; }

  // The content of #lattice-root as a browser would parse it; ids in document order from 1.
  uint32_t adopt_html(std::string_view html) {
    next_adopted_ = 1;
    HtmlReader reader{html, *this};
    reader.children(root, "");
    return next_adopted_ - 1;
  }
  // The same for trees, without HTML in between.
  void adopt(const std::vector<vdom::VNode>& trees, const vdom::ListenResolver& resolve) {
    uint32_t id = 1;
    for (const auto& tree : trees) place(build(tree, id, resolve), root, 0);
  }

  void apply(std::span<const uint8_t> bytes) {
    ByteReader reader(bytes);
    if (reader.u8() != vdom::kProtocolVersion) fail("version");
    uint64_t seq = reader.varint();
    if (seq != last_seq + 1) fail("seq " + std::to_string(seq));
    last_seq = seq;
    last_ack = reader.varint();
    while (reader.ok() && !reader.at_end()) op(reader);
    if (!reader.ok()) fail("frame is cut off");
  }

  ModelNode* find(uint32_t id) {
    auto found = nodes_.find(id);
    return found == nodes_.end() ? nullptr : found->second;
  }
  // First element in document order for which `matches` holds.
  template <class F>
  ModelNode* find_if(const F& matches) {
    return find_below(root, matches);
  }
  ModelNode* by_tag(std::string_view tag) {
    return find_if([&](const ModelNode& node) { return node.tag == tag; });
  }
  static std::string text_of(const ModelNode& node) {
    std::string out = node.tag.empty() ? node.text : "";
    for (const auto& child : node.children) out += text_of(*child);
    return out;
  }
  std::string text() const { return text_of(root); }
  std::string print_all() const {
    std::ostringstream out;
    for (const auto& child : root.children) print(out, *child);
    return out.str();
  }

  std::vector<uint8_t> hello(uint32_t count, std::string_view token = "token") const {
    ByteWriter writer = begin(vdom::ClientKind::Hello);
    writer.string(token);
    writer.varint(count);
    return writer.take();
  }
  std::vector<uint8_t> ack(uint64_t seq) const {
    ByteWriter writer = begin(vdom::ClientKind::Ack);
    writer.varint(seq);
    return writer.take();
  }
  std::vector<uint8_t> event(uint32_t node, std::string_view type) {
    return event_writer(node, type).take();
  }
  // The user edits: a new value with its revision; the model's field changes too.
  std::vector<uint8_t> edit(ModelNode& node, std::string value, std::string_view type = "input") {
    node.properties["value"] = value;
    ++node.edits;
    ByteWriter writer = event_writer(node.id, type);
    field(writer, vdom::FieldTag::Value).string(value);
    field(writer, vdom::FieldTag::Revision).varint(node.edits);
    return writer.take();
  }
  std::vector<uint8_t> check(ModelNode& node, bool on) {
    node.properties["checked"] = on ? "True" : "";
    if (!on) node.properties.erase("checked");
    ++node.edits;
    ByteWriter writer = event_writer(node.id, "input");
    field(writer, vdom::FieldTag::Checked).u8(on);
    field(writer, vdom::FieldTag::Revision).varint(node.edits);
    return writer.take();
  }
  uint64_t sent_events = 0;

  std::unique_ptr<ModelNode> build(const vdom::VNode& tree, uint32_t& id,
                                   const vdom::ListenResolver& resolve) {
    auto node = std::make_unique<ModelNode>();
    node->id = id++;
    if (tree.kind != vdom::VNode::Kind::Element) {
      node->tag = tree.kind == vdom::VNode::Kind::RawHtml ? "#raw" : "";
      node->text = vdom::to_text(tree.value);
      return node;
    }
    node->tag = tree.tag;
    // "class" as a whole first: setting it drops the switches.
    for (bool whole : {true, false}) {
      for (const auto& attribute : tree.attrs) {
        if ((attribute.name == "class") == whole) set_from_tree(*node, attribute, resolve);
      }
    }
    for (const auto& child : tree.children) adopt_child(*node, build(child, id, resolve));
    return node;
  }
  static void adopt_child(ModelNode& parent, std::unique_ptr<ModelNode> child) {
    child->parent = &parent;
    parent.children.push_back(std::move(child));
  }

 private:
  void fail(std::string what) { failures.push_back(std::move(what)); }

  template <class F>
  static ModelNode* find_below(ModelNode& node, const F& matches) {
    for (auto& child : node.children) {
      if (!child->tag.empty() && matches(*child)) return child.get();
      if (ModelNode* found = find_below(*child, matches)) return found;
    }
    return nullptr;
  }

  static ByteWriter begin(vdom::ClientKind kind) {
    ByteWriter writer;
    writer.u8(vdom::kProtocolVersion);
    writer.u8(static_cast<uint8_t>(kind));
    return writer;
  }
  ByteWriter event_writer(uint32_t node, std::string_view type) {
    ByteWriter writer = begin(vdom::ClientKind::Event);
    writer.varint(++sent_events);
    writer.varint(last_seq);
    writer.varint(node);
    writer.string(type);
    return writer;
  }
  static ByteWriter& field(ByteWriter& writer, vdom::FieldTag tag) {
    writer.u8(static_cast<uint8_t>(tag));
    return writer;
  }

  // ---- What a name and a value do to a node ----

  static bool absent(const vdom::Value& value) {
    return value == vdom::Value{nullptr} || value == vdom::Value{false};
  }
  static void set_class_list(ModelNode& node, const vdom::Value& value) {
    node.classes.clear();
    if (absent(value)) return;
    std::istringstream words(vdom::to_text(value));
    for (std::string word; words >> word;) node.classes.insert(word);
  }
  static void set_attribute(ModelNode& node, const std::string& name, const vdom::Value& value) {
    if (name == "class") return set_class_list(node, value);
    if (absent(value)) {
      node.attributes.erase(name);
    } else {
      node.attributes[name] = value == vdom::Value{true} ? "" : vdom::to_text(value);
    }
  }
  static void set_property(ModelNode& node, const std::string& name, const vdom::Value& value) {
    std::string text = absent(value) ? "" : vdom::to_text(value);
    if (text.empty()) {
      node.properties.erase(name);
    } else {
      node.properties[name] = text;
    }
  }
  static void set_style(ModelNode& node, const std::string& name, const vdom::Value& value) {
    if (absent(value)) {
      node.styles.erase(name);
    } else {
      node.styles[name] = vdom::to_text(value);
    }
  }
  static void set_class(ModelNode& node, const std::string& name, bool on) {
    if (on) {
      node.classes.insert(name);
    } else {
      node.classes.erase(name);
    }
  }
  static void set_from_tree(ModelNode& node, const vdom::Attribute& attribute,
                            const vdom::ListenResolver& resolve) {
    using Kind = vdom::AttributeKind;
    Kind kind = vdom::attribute_kind(node.tag, attribute.name);
    std::string local(vdom::local_name(attribute.name));
    if (kind == Kind::Listen) {
      const auto* options = resolve(std::get<vdom::SlotId>(attribute.value));
      node.listeners[vdom::event_name(attribute.name)] = *options;
      return;
    }
    vdom::Value value = vdom::wire_value(kind, attribute.name, attribute.value);
    if (kind == Kind::Attribute) set_attribute(node, local, value);
    if (kind == Kind::Property || kind == Kind::InputValue) set_property(node, local, value);
    if (kind == Kind::Style) set_style(node, local, value);
    if (kind == Kind::Class) set_class(node, local, !absent(value));
  }

  // ---- Decoding ----

  std::string atom(ByteReader& reader) {
    uint64_t number = reader.varint();
    if (number == vdom::kLiteralAtom) return std::string(reader.string());
    if (number == 0) return atoms_.emplace_back(reader.string());
    if (number <= atoms_.size()) return atoms_[number - 1];
    fail("unknown atom");
    return {};
  }
  vdom::Value value(ByteReader& reader) {
    switch (static_cast<vdom::ValueTag>(reader.u8())) {
      case vdom::ValueTag::Null:
        return nullptr;
      case vdom::ValueTag::False:
        return false;
      case vdom::ValueTag::True:
        return true;
      case vdom::ValueTag::Int:
        return reader.svarint();
      case vdom::ValueTag::Float:
        return reader.f64();
      case vdom::ValueTag::String:
        return std::string(reader.string());
    }
    fail("unknown value tag");
    return nullptr;
  }
  vdom::ListenOptions options(ByteReader& reader) {
    vdom::ListenOptions made;
    uint8_t flags = reader.u8();
    auto has = [&](vdom::ListenFlag flag) { return (flags & static_cast<uint8_t>(flag)) != 0; };
    made.prevent_default = has(vdom::ListenFlag::PreventDefault);
    made.stop_propagation = has(vdom::ListenFlag::StopPropagation);
    made.two_way = has(vdom::ListenFlag::TwoWay);
    if (has(vdom::ListenFlag::Debounce)) made.debounce_ms = reader.varint32();
    if (has(vdom::ListenFlag::Throttle)) made.throttle_ms = reader.varint32();
    if (has(vdom::ListenFlag::Keys)) {
      uint64_t count = reader.varint();
      for (uint64_t i = 0; i < count && reader.ok(); ++i) made.keys.emplace_back(reader.string());
    }
    return made;
  }
  ModelNode* node(ByteReader& reader) {
    uint32_t id = reader.varint32();
    ModelNode* found = find(id);
    if (found == nullptr) fail("op for the unknown node " + std::to_string(id));
    return found != nullptr ? found : &lost_;
  }

  void op(ByteReader& reader) {
    using vdom::Op;
    auto code = static_cast<Op>(reader.u8());
    ++ops[code];
    switch (code) {
      case Op::Text: {
        ModelNode* target = node(reader);
        if (!target->tag.empty()) fail("TEXT for an element");
        target->text = reader.string();
        return;
      }
      case Op::Insert:
        return insert(reader);
      case Op::Remove:
        return take(*node(reader), true);
      case Op::Move:
        return move(reader);
      case Op::Listen: {
        ModelNode* target = node(reader);
        std::string type = atom(reader);
        target->listeners[type] = options(reader);
        return;
      }
      case Op::Unlisten: {
        ModelNode* target = node(reader);
        if (target->listeners.erase(atom(reader)) == 0) fail("UNLISTEN of nothing");
        return;
      }
      case Op::InputValue: {
        ModelNode* target = node(reader);
        uint64_t revision = reader.varint();
        vdom::Value next = value(reader);
        if (target->edits <= revision) set_property(*target, "value", next);
        return;
      }
      case Op::Reset:
        while (!root.children.empty()) take(*root.children.back(), true);
        return;
      case Op::Title:
        title = reader.string();
        return;
      case Op::Reload:
        reader.string();
        return;
      case Op::Error: {
        ModelNode* target = node(reader);
        if (target->tag.empty()) fail("ERROR at a text");
        target->error = reader.string();
        reader.string();
        return;
      }
      case Op::ClearError:
        node(reader)->error.clear();
        return;
      default:
        set_op(reader, code);
    }
  }
  void set_op(ByteReader& reader, vdom::Op code) {
    ModelNode* target = node(reader);
    if (target->tag.empty() && target != &lost_) fail("an attribute for a text");
    set(*target, reader, code);
  }
  void set(ModelNode& target, ByteReader& reader, vdom::Op code) {
    std::string name = atom(reader);
    switch (code) {
      case vdom::Op::SetAttr:
        return set_attribute(target, name, value(reader));
      case vdom::Op::SetProp:
        return set_property(target, name, value(reader));
      case vdom::Op::SetStyle:
        return set_style(target, name, value(reader));
      case vdom::Op::SetClass:
        return set_class(target, name, reader.u8() == 1);
      case vdom::Op::Listen:
        target.listeners[name] = options(reader);
        return;
      default:
        fail("unknown op " + std::to_string(static_cast<int>(code)));
    }
  }

  void insert(ByteReader& reader) {
    ModelNode* parent = node(reader);
    uint32_t before = reader.varint32();
    uint32_t id = reader.varint32();
    place(read_tree(reader, id), *parent, before);
  }
  std::unique_ptr<ModelNode> read_tree(ByteReader& reader, uint32_t& id) {
    auto made = std::make_unique<ModelNode>();
    made->id = id++;
    switch (static_cast<vdom::TreeKind>(reader.u8())) {
      case vdom::TreeKind::Text:
        made->text = reader.string();
        return made;
      case vdom::TreeKind::RawHtml:
        made->tag = "#raw";
        made->text = reader.string();
        return made;
      case vdom::TreeKind::Element:
        break;
    }
    made->tag = atom(reader);
    uint64_t attributes = reader.varint();
    for (uint64_t i = 0; i < attributes && reader.ok(); ++i) {
      set(*made, reader, static_cast<vdom::Op>(reader.u8()));
    }
    uint64_t children = reader.varint();
    for (uint64_t i = 0; i < children && reader.ok(); ++i) {
      adopt_child(*made, read_tree(reader, id));
    }
    return made;
  }

  void enter(ModelNode& at) {
    if (!used_.insert(at.id).second) fail("id used twice: " + std::to_string(at.id));
    nodes_[at.id] = &at;
    for (auto& child : at.children) enter(*child);
  }
  void leave(ModelNode& at) {
    nodes_.erase(at.id);
    for (auto& child : at.children) leave(*child);
  }
  void place(std::unique_ptr<ModelNode> made, ModelNode& parent, uint32_t before) {
    enter(*made);
    put(std::move(made), parent, before);
  }
  void put(std::unique_ptr<ModelNode> made, ModelNode& parent, uint32_t before) {
    auto at = parent.children.end();
    if (before != 0) {
      at = std::find_if(parent.children.begin(), parent.children.end(),
                        [&](const auto& child) { return child->id == before; });
      if (at == parent.children.end()) fail("`before` is not a child of the parent");
    }
    made->parent = &parent;
    parent.children.insert(at, std::move(made));
  }
  std::unique_ptr<ModelNode> lift(ModelNode& at) {
    auto& siblings = at.parent->children;
    auto place = std::find_if(siblings.begin(), siblings.end(),
                              [&](const auto& child) { return child.get() == &at; });
    std::unique_ptr<ModelNode> lifted = std::move(*place);
    siblings.erase(place);
    return lifted;
  }
  void take(ModelNode& at, bool forget) {
    if (&at == &lost_) return;
    if (forget) leave(at);
    lift(at);
  }
  void move(ByteReader& reader) {
    ModelNode* moved = node(reader);
    ModelNode* parent = node(reader);
    uint32_t before = reader.varint32();
    if (moved == &lost_ || parent == &lost_) return;
    put(lift(*moved), *parent, before);
  }

  // ---- HTML, as far as write_html writes it ----

  struct HtmlReader {
    std::string_view html;
    ClientModel& model;
    size_t at = 0;

    bool take(std::string_view text) {
      if (!html.substr(at).starts_with(text)) return false;
      at += text.size();
      return true;
    }
    static std::string unescape(std::string_view text) {
      static const std::pair<std::string_view, char> kEntities[] = {
          {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&#13;", '\r'}};
      std::string out;
      for (size_t i = 0; i < text.size(); ++i) {
        bool found = false;
        for (const auto& [entity, c] : kEntities) {
          if (!text.substr(i).starts_with(entity)) continue;
          out += c;
          i += entity.size() - 1;
          found = true;
          break;
        }
        if (!found) out += text[i];
      }
      return out;
    }
    std::unique_ptr<ModelNode> made(std::string tag, std::string text) {
      auto node = std::make_unique<ModelNode>();
      node->id = model.next_adopted_++;
      node->tag = std::move(tag);
      node->text = std::move(text);
      return node;
    }
    void children(ModelNode& parent, const std::string& tag) {
      while (at < html.size()) {
        if (!tag.empty() && take("</" + tag + ">")) return;
        if (take("<!---->")) continue;
        if (take("<!--e-->")) {
          model.place(made("", ""), parent, 0);
        } else if (html[at] == '<') {
          element(parent);
        } else {
          size_t end = std::min(html.find('<', at), html.size());
          model.place(made("", unescape(html.substr(at, end - at))), parent, 0);
          at = end;
        }
      }
      if (!tag.empty()) model.fail("no end tag for " + tag);
    }
    void element(ModelNode& parent) {
      size_t end = html.find_first_of(" >", ++at);
      std::string tag(html.substr(at, end - at));
      at = end;
      auto node = made(tag, "");
      while (take(" ")) attribute(*node);
      take(">");
      if (tag == "lattice-html") {
        size_t close = html.find("</lattice-html>", at);
        node->tag = "#raw";
        node->attributes.clear();
        node->styles.clear();
        node->text = html.substr(at, close - at);
        at = close + std::string_view("</lattice-html>").size();
      }
      if (tag == "textarea") {  // the text inside is its value, no node
        size_t close = html.find("</textarea>", at);
        set_property(*node, "value", unescape(html.substr(at, close - at)));
        at = close;
      }
      ModelNode& placed = *node;
      model.place(std::move(node), parent, 0);
      if (placed.tag != "#raw" && !vdom::is_void_tag(tag)) children(placed, tag);
    }
    void attribute(ModelNode& node) {
      size_t equals = html.find('=', at);
      std::string name(html.substr(at, equals - at));
      size_t end = html.find('"', equals + 2);
      std::string value = unescape(html.substr(equals + 2, end - equals - 2));
      at = end + 1;
      if (name == "style") {
        std::istringstream entries(value);
        for (std::string entry; std::getline(entries >> std::ws, entry, ';');) {
          size_t colon = entry.find(": ");
          if (colon != std::string::npos)
            node.styles[entry.substr(0, colon)] = entry.substr(colon + 2);
        }
        return;
      }
      using Kind = vdom::AttributeKind;
      Kind kind = vdom::attribute_kind(node.tag, name);
      bool is_property = kind == Kind::Property || kind == Kind::InputValue;
      if (is_property) {
        set_property(node, name, value.empty() ? vdom::Value{true} : vdom::Value{value});
      } else {
        set_attribute(node, name, value);
      }
    }
  };

  std::map<uint32_t, ModelNode*> nodes_;
  std::set<uint32_t> used_{0};
  std::vector<std::string> atoms_;
  uint32_t next_adopted_ = 1;
  ModelNode lost_;  // takes the ops for unknown nodes
};

// What a page without regions should look like, in the words of print().
inline std::string print_trees(const std::vector<vdom::VNode>& trees,
                               const vdom::ListenResolver& resolve) {
  ClientModel scratch;
  uint32_t id = 1;
  std::ostringstream out;
  for (const auto& tree : trees) print(out, *scratch.build(tree, id, resolve));
  return out.str();
}

}  // namespace lattice::ui::testing
