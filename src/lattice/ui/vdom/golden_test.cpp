// SPDX-License-Identifier: MIT
// The golden frames of protocol/golden/, read by the client's tests as well.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "lattice/ui/vdom/frame_decoder.hpp"
#include "lattice/ui/vdom/html.hpp"
#include "lattice/ui/vdom/internal/json_for_tests.hpp"

namespace lattice::vdom {
namespace {

using internal::from_hex;
using internal::Json;
using internal::read_golden;
using internal::to_hex;

Value to_value(const Json& json) {
  struct Convert {
    Value operator()(std::nullptr_t) const { return nullptr; }
    Value operator()(bool v) const { return v; }
    Value operator()(int64_t v) const { return v; }
    Value operator()(double) const { throw std::runtime_error("a float is {\"f64\": ...}"); }
    Value operator()(const std::string& v) const { return v; }
    Value operator()(const Json::Array&) const { throw std::runtime_error("not a value"); }
    Value operator()(const Json::Object& v) const {
      const Json& number = v.at("f64");
      if (const auto* text = std::get_if<std::string>(&number.data)) {
        EXPECT_EQ(*text, "nan");
        return std::numeric_limits<double>::quiet_NaN();
      }
      if (const auto* whole = std::get_if<int64_t>(&number.data))
        return static_cast<double>(*whole);
      return std::get<double>(number.data);
    }
  };
  return std::visit(Convert{}, json.data);
}

ListenOptions to_options(const Json& json) {
  ListenOptions out;
  const auto flag = [&](const char* name) {
    const Json* found = json.find(name);
    return found != nullptr && found->boolean();
  };
  const auto number = [&](const char* name) {
    const Json* found = json.find(name);
    return found == nullptr ? 0u : static_cast<uint32_t>(found->integer());
  };
  out.prevent_default = flag("prevent_default");
  out.stop_propagation = flag("stop_propagation");
  out.two_way = flag("two_way");
  out.debounce_ms = number("debounce");
  out.throttle_ms = number("throttle");
  if (const Json* keys = json.find("keys")) {
    for (const Json& key : keys->array()) out.keys.push_back(key.string());
  }
  return out;
}

// Encodes golden ops; the slot of a handler is its position among the options seen.
class GoldenEncoder {
 public:
  std::vector<uint8_t> frame(const Json& frame) {
    encoder_.begin(static_cast<uint64_t>(frame["seq"].integer()),
                   static_cast<uint64_t>(frame["ack"].integer()));
    for (const Json& op : frame["ops"].array()) this->op(op["op"].string(), op);
    return encoder_.take();
  }

 private:
  static uint32_t id(const Json& op, const char* name = "id") {
    return static_cast<uint32_t>(op[name].integer());
  }

  void op(const std::string& name, const Json& op) {
    if (name == "TEXT") return encoder_.text(id(op), op["text"].string());
    if (name == "SET_ATTR") {
      return encoder_.set_attr(id(op), op["name"].string(), to_value(op["value"]));
    }
    if (name == "SET_PROP") {
      return encoder_.set_prop(id(op), op["name"].string(), to_value(op["value"]));
    }
    if (name == "SET_STYLE") {
      return encoder_.set_style(id(op), op["name"].string(), to_value(op["value"]));
    }
    if (name == "SET_CLASS") {
      return encoder_.set_class(id(op), op["name"].string(), op["on"].boolean());
    }
    if (name == "INSERT") {
      return encoder_.insert(id(op, "parent"), id(op, "before"), id(op, "first"), tree(op["tree"]),
                             [this](SlotId slot) { return &options_.at(slot.value); });
    }
    if (name == "REMOVE") return encoder_.remove(id(op));
    if (name == "MOVE") return encoder_.move(id(op), id(op, "parent"), id(op, "before"));
    if (name == "LISTEN") {
      return encoder_.listen(id(op), op["name"].string(), to_options(op["options"]));
    }
    if (name == "UNLISTEN") return encoder_.unlisten(id(op), op["name"].string());
    if (name == "INPUT_VALUE") {
      return encoder_.input_value(id(op), static_cast<uint64_t>(op["revision"].integer()),
                                  to_value(op["value"]));
    }
    if (name == "RESET") return encoder_.reset();
    if (name == "TITLE") return encoder_.title(op["text"].string());
    if (name == "RELOAD") return encoder_.reload(op["text"].string());
    if (name == "ERROR") {
      return encoder_.error(id(op), op["title"].string(), op["detail"].string());
    }
    if (name == "CLEAR_ERROR") return encoder_.clear_error(id(op));
    FAIL() << "the golden file has an unknown op " << name;
  }

  VNode tree(const Json& json) {
    if (const Json* text = json.find("text")) return VNode::text(text->string());
    if (const Json* html = json.find("html")) return VNode::raw_html(html->string());
    VNode node = VNode::element(json["tag"].string());
    for (const Json& attr : json["attrs"].array()) node.attrs.push_back(attribute(attr));
    for (const Json& child : json["children"].array()) node.children.push_back(tree(child));
    return node;
  }

  Attribute attribute(const Json& attr) {
    const std::string& op = attr["op"].string();
    const std::string& name = attr["name"].string();
    if (op == "SET_STYLE") return {"style." + name, to_value(attr["value"])};
    if (op == "SET_CLASS") return {"class." + name, attr["on"].boolean()};
    if (op != "LISTEN") return {name, to_value(attr["value"])};
    options_.push_back(to_options(attr["options"]));
    return {"on_" + name, SlotId{static_cast<uint32_t>(options_.size() - 1)}};
  }

  FrameEncoder encoder_;
  std::vector<ListenOptions> options_;
};

// What a decoded frame means, in the words of the golden file, to be encoded once more.
class Replay {
 public:
  std::vector<uint8_t> frame(const DownFrame& frame) {
    encoder_.begin(frame.seq, frame.ack);
    for (const DownOp& op : frame.ops) this->op(op);
    return encoder_.take();
  }

 private:
  void op(const DownOp& op) {
    switch (op.op) {
      case Op::Text:
        return encoder_.text(op.id, op.text);
      case Op::SetAttr:
        return encoder_.set_attr(op.id, op.name, op.value);
      case Op::SetProp:
        return encoder_.set_prop(op.id, op.name, op.value);
      case Op::SetStyle:
        return encoder_.set_style(op.id, op.name, op.value);
      case Op::SetClass:
        return encoder_.set_class(op.id, op.name, op.on);
      case Op::Insert:
        return encoder_.insert(op.parent, op.before, op.first_id, tree(op.tree.front()),
                               [this](SlotId slot) { return &options_.at(slot.value); });
      case Op::Remove:
        return encoder_.remove(op.id);
      case Op::Move:
        return encoder_.move(op.id, op.parent, op.before);
      case Op::Listen:
        return encoder_.listen(op.id, op.name, op.options);
      case Op::Unlisten:
        return encoder_.unlisten(op.id, op.name);
      case Op::InputValue:
        return encoder_.input_value(op.id, op.revision, op.value);
      case Op::Reset:
        return encoder_.reset();
      case Op::Title:
        return encoder_.title(op.text);
      case Op::Reload:
        return encoder_.reload(op.text);
      case Op::Error:
        return encoder_.error(op.id, op.text, op.detail);
      case Op::ClearError:
        return encoder_.clear_error(op.id);
    }
  }

  VNode tree(const DownTree& tree) {
    if (tree.kind == TreeKind::Text) return VNode::text(tree.text);
    if (tree.kind == TreeKind::RawHtml) return VNode::raw_html(tree.text);
    VNode node = VNode::element(tree.tag);
    for (const DownOp& attr : tree.attrs) node.attrs.push_back(attribute(attr));
    for (const DownTree& child : tree.children) node.children.push_back(this->tree(child));
    return node;
  }

  Attribute attribute(const DownOp& attr) {
    if (attr.op == Op::SetStyle) return {"style." + attr.name, attr.value};
    if (attr.op == Op::SetClass) return {"class." + attr.name, attr.on};
    if (attr.op != Op::Listen) return {attr.name, attr.value};
    options_.push_back(attr.options);
    return {"on_" + attr.name, SlotId{static_cast<uint32_t>(options_.size() - 1)}};
  }

  FrameEncoder encoder_;
  std::vector<ListenOptions> options_;
};

TEST(GoldenDown, EncodingTheOpsGivesTheBytes) {
  for (const Json& connection : read_golden("down.json").array()) {
    SCOPED_TRACE(connection["name"].string());
    GoldenEncoder encoder;
    for (const Json& frame : connection["frames"].array()) {
      EXPECT_EQ(to_hex(encoder.frame(frame)), frame["hex"].string());
    }
  }
}

TEST(GoldenDown, DecodingAndEncodingAgainGivesTheSameBytes) {
  for (const Json& connection : read_golden("down.json").array()) {
    SCOPED_TRACE(connection["name"].string());
    FrameDecoder decoder;
    Replay replay;
    for (const Json& frame : connection["frames"].array()) {
      const Result<DownFrame> decoded = decoder.decode(from_hex(frame["hex"].string()));
      ASSERT_TRUE(decoded.ok()) << decoded.error();
      EXPECT_EQ(decoded.value().ops.size(), frame["ops"].array().size());
      EXPECT_EQ(to_hex(replay.frame(decoded.value())), frame["hex"].string());
    }
  }
}

TEST(GoldenDown, EveryOpIsCovered) {
  std::map<std::string, int> seen;
  for (const Json& connection : read_golden("down.json").array()) {
    for (const Json& frame : connection["frames"].array()) {
      for (const Json& op : frame["ops"].array()) ++seen[op["op"].string()];
    }
  }
  EXPECT_EQ(seen.size(), 16u);
}

TEST(GoldenDown, ATruncatedFrameNeverDecodesToTheSameOps) {
  for (const Json& connection : read_golden("down.json").array()) {
    for (const Json& frame : connection["frames"].array()) {
      const std::vector<uint8_t> bytes = from_hex(frame["hex"].string());
      for (size_t size = 0; size < bytes.size(); ++size) {
        FrameDecoder decoder;
        const Result<DownFrame> decoded = decoder.decode(std::span(bytes).first(size));
        EXPECT_TRUE(!decoded.ok() || decoded.value().ops.size() < frame["ops"].array().size());
      }
    }
  }
}

TEST(GoldenDown, MalformedFramesAreRefused) {
  for (const Json& entry : read_golden("down_malformed.json").array()) {
    FrameDecoder decoder;
    EXPECT_FALSE(decoder.decode(from_hex(entry["hex"].string())).ok()) << entry["name"].string();
  }
}

void expect_fields(const ClientEvent& event, const Json& fields) {
  EXPECT_EQ(event.value.has_value(), fields.find("value") != nullptr);
  EXPECT_EQ(event.checked.has_value(), fields.find("checked") != nullptr);
  EXPECT_EQ(event.key.has_value(), fields.find("key") != nullptr);
  EXPECT_EQ(event.mouse.has_value(), fields.find("mouse") != nullptr);
  EXPECT_EQ(event.files.has_value(), fields.find("files") != nullptr);
  EXPECT_EQ(event.revision.has_value(), fields.find("revision") != nullptr);
  EXPECT_EQ(event.selected.has_value(), fields.find("selected") != nullptr);
  EXPECT_EQ(event.form.has_value(), fields.find("form") != nullptr);
  EXPECT_EQ(event.open.has_value(), fields.find("open") != nullptr);
  EXPECT_EQ(event.scroll.has_value(), fields.find("scroll") != nullptr);
  if (event.value) {
    EXPECT_EQ(*event.value, fields["value"].string());
  }
  if (event.checked) {
    EXPECT_EQ(*event.checked, fields["checked"].boolean());
  }
  if (event.open) {
    EXPECT_EQ(*event.open, fields["open"].boolean());
  }
  if (event.revision) {
    EXPECT_EQ(static_cast<int64_t>(*event.revision), fields["revision"].integer());
  }
  if (event.key) {
    EXPECT_EQ(event.key->key, fields["key"]["key"].string());
    EXPECT_EQ(event.key->modifiers, fields["key"]["modifiers"].integer());
  }
  if (event.mouse) {
    EXPECT_EQ(event.mouse->x, fields["mouse"]["x"].integer());
    EXPECT_EQ(event.mouse->y, fields["mouse"]["y"].integer());
    EXPECT_EQ(event.mouse->button, fields["mouse"]["button"].integer());
    EXPECT_EQ(event.mouse->modifiers, fields["mouse"]["modifiers"].integer());
  }
  if (event.scroll) {
    EXPECT_EQ(static_cast<int64_t>(event.scroll->left), fields["scroll"]["left"].integer());
    EXPECT_EQ(static_cast<int64_t>(event.scroll->top), fields["scroll"]["top"].integer());
  }
}

void expect_lists(const ClientEvent& event, const Json& fields) {
  if (event.files) {
    const Json::Array& files = fields["files"].array();
    ASSERT_EQ(event.files->size(), files.size());
    for (size_t i = 0; i < files.size(); ++i) {
      EXPECT_EQ((*event.files)[i].name, files[i]["name"].string());
      EXPECT_EQ(static_cast<int64_t>((*event.files)[i].bytes), files[i]["bytes"].integer());
      EXPECT_EQ((*event.files)[i].mime_type, files[i]["type"].string());
    }
  }
  if (event.selected) {
    const Json::Array& selected = fields["selected"].array();
    ASSERT_EQ(event.selected->size(), selected.size());
    for (size_t i = 0; i < selected.size(); ++i) {
      EXPECT_EQ((*event.selected)[i], selected[i].string());
    }
  }
  if (event.form) {
    const Json::Array& form = fields["form"].array();
    ASSERT_EQ(event.form->size(), form.size());
    for (size_t i = 0; i < form.size(); ++i) {
      EXPECT_EQ((*event.form)[i].first, form[i].array()[0].string());
      EXPECT_EQ((*event.form)[i].second, form[i].array()[1].string());
    }
  }
}

TEST(GoldenClient, FramesDecodeToTheirMeaning) {
  for (const Json& entry : read_golden("client.json").array()) {
    SCOPED_TRACE(entry["name"].string());
    const Result<ClientFrame> decoded = decode_client_frame(from_hex(entry["hex"].string()));
    ASSERT_TRUE(decoded.ok()) << decoded.error();
    const Json& frame = entry["frame"];
    if (frame["kind"].string() == "HELLO") {
      const Hello& hello = std::get<Hello>(decoded.value());
      EXPECT_EQ(hello.token, frame["token"].string());
      EXPECT_EQ(static_cast<int64_t>(hello.node_count), frame["nodes"].integer());
    } else if (frame["kind"].string() == "ACK") {
      EXPECT_EQ(static_cast<int64_t>(std::get<Acknowledgement>(decoded.value()).ack),
                frame["ack"].integer());
    } else {
      const ClientEvent& event = std::get<ClientEvent>(decoded.value());
      EXPECT_EQ(static_cast<int64_t>(event.seq), frame["seq"].integer());
      EXPECT_EQ(static_cast<int64_t>(event.ack), frame["ack"].integer());
      EXPECT_EQ(static_cast<int64_t>(event.node), frame["id"].integer());
      EXPECT_EQ(event.type, frame["type"].string());
      expect_fields(event, frame["fields"]);
      expect_lists(event, frame["fields"]);
    }
  }
}

TEST(GoldenClient, MalformedFramesAreRefusedWithTheirCloseCode) {
  for (const Json& entry : read_golden("client_malformed.json").array()) {
    uint16_t code = 0;
    EXPECT_FALSE(decode_client_frame(from_hex(entry["hex"].string()), &code).ok())
        << entry["name"].string();
    EXPECT_EQ(code, entry["close"].integer()) << entry["name"].string();
  }
}

VNode first_paint_tree(const Json& json) {
  if (const Json* text = json.find("text")) return VNode::text(text->string());
  if (const Json* html = json.find("html")) return VNode::raw_html(html->string());
  VNode node = VNode::element(json["tag"].string());
  for (const Json& attr : json["attrs"].array()) {
    node.attrs.push_back({attr["name"].string(), to_value(attr["value"])});
  }
  for (const Json& child : json["children"].array()) {
    node.children.push_back(first_paint_tree(child));
  }
  return node;
}

TEST(GoldenFirstPaint, TreesBecomeTheirHtmlAndNodeCount) {
  for (const Json& entry : read_golden("first_paint.json").array()) {
    SCOPED_TRACE(entry["name"].string());
    const VNode tree = first_paint_tree(entry["tree"]);
    std::string html;
    write_html(html, tree);
    EXPECT_EQ(html, entry["html"].string());
    EXPECT_EQ(count_nodes(tree), entry["nodes"].array().size());
  }
}

}  // namespace
}  // namespace lattice::vdom
