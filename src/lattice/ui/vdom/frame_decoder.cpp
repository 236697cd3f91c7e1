// SPDX-License-Identifier: MIT
#include "lattice/ui/vdom/frame_decoder.hpp"

namespace lattice::vdom {

namespace {

class Reader {
 public:
  Reader(std::span<const uint8_t> bytes, std::vector<std::string>& atoms)
      : reader_(bytes), atoms_(atoms) {}

  Result<DownFrame> run() {
    DownFrame frame;
    if (reader_.u8() != kProtocolVersion) fail("unknown version");
    frame.seq = reader_.varint();
    frame.ack = reader_.varint();
    while (ok() && !reader_.at_end()) op(frame.ops.emplace_back());
    if (!reader_.ok()) fail("the frame ends too early or holds a malformed number");
    if (message_ != nullptr) return Failure{message_};
    return frame;
  }

 private:
  bool ok() const noexcept { return message_ == nullptr && reader_.ok(); }
  void fail(const char* message) {
    if (message_ == nullptr) message_ = message;
  }

  std::string string() {
    const std::string_view text = reader_.string();
    if (!is_valid_utf8(text)) fail("a string is not valid UTF-8");
    return std::string(text);
  }

  std::string atom() {
    const uint32_t number = reader_.varint32();
    if (!reader_.ok()) return {};
    if (number == kLiteralAtom) return string();
    if (number == 0) return atoms_.emplace_back(string());
    if (number <= atoms_.size()) return atoms_[number - 1];
    fail("an atom that was never defined");
    return {};
  }

  Value value() {
    switch (static_cast<ValueTag>(reader_.u8())) {
      case ValueTag::Null:
        return nullptr;
      case ValueTag::False:
        return false;
      case ValueTag::True:
        return true;
      case ValueTag::Int:
        return reader_.svarint();
      case ValueTag::Float:
        return reader_.f64();
      case ValueTag::String:
        return string();
    }
    fail("unknown value tag");
    return nullptr;
  }

  ListenOptions options() {
    const uint8_t flags = reader_.u8();
    const auto has = [&](ListenFlag flag) { return (flags & static_cast<uint8_t>(flag)) != 0; };
    ListenOptions out;
    if (flags >= 64) fail("unknown listen flag");
    out.prevent_default = has(ListenFlag::PreventDefault);
    out.stop_propagation = has(ListenFlag::StopPropagation);
    out.two_way = has(ListenFlag::TwoWay);
    if (has(ListenFlag::Debounce)) out.debounce_ms = reader_.varint32();
    if (has(ListenFlag::Throttle)) out.throttle_ms = reader_.varint32();
    if (!has(ListenFlag::Keys)) return out;
    const size_t keys = count();
    for (size_t i = 0; i < keys && ok(); ++i) out.keys.push_back(string());
    return out;
  }

  size_t count() {
    const uint64_t count = reader_.varint();
    if (count <= reader_.remaining()) return static_cast<size_t>(count);
    fail("a list is longer than its frame");
    return 0;
  }

  void attribute(DownOp& op) {
    op.name = atom();
    switch (op.op) {
      case Op::SetAttr:
      case Op::SetProp:
      case Op::SetStyle:
        op.value = value();
        return;
      case Op::SetClass: {
        const uint8_t on = reader_.u8();
        if (on > 1) fail("a class switch is neither 0 nor 1");
        op.on = on == 1;
        return;
      }
      case Op::Listen:
        op.options = options();
        return;
      default:
        fail("an op that is no attribute");
    }
  }

  void op(DownOp& op) {
    op.op = static_cast<Op>(reader_.u8());
    switch (op.op) {
      case Op::Reset:
        return;
      case Op::Title:
      case Op::Reload:
        op.text = string();
        return;
      case Op::Insert:
        op.parent = reader_.varint32();
        op.before = reader_.varint32();
        op.first_id = reader_.varint32();
        tree(op.tree.emplace_back(), 0);
        return;
      case Op::Text:
      case Op::SetAttr:
      case Op::SetProp:
      case Op::SetStyle:
      case Op::SetClass:
      case Op::Remove:
      case Op::Move:
      case Op::Listen:
      case Op::Unlisten:
      case Op::InputValue:
      case Op::Error:
      case Op::ClearError:
        return node_op(op);
    }
    fail("unknown op code");
  }

  void node_op(DownOp& op) {
    op.id = reader_.varint32();
    switch (op.op) {
      case Op::Text:
        op.text = string();
        return;
      case Op::Move:
        op.parent = reader_.varint32();
        op.before = reader_.varint32();
        return;
      case Op::Unlisten:
        op.name = atom();
        return;
      case Op::InputValue:
        op.revision = reader_.varint();
        op.value = value();
        return;
      case Op::Error:
        op.text = string();
        op.detail = string();
        return;
      case Op::Remove:
      case Op::ClearError:
        return;
      default:
        attribute(op);
    }
  }

  void tree(DownTree& out, size_t depth) {
    if (depth > kTreeDepthMax) return fail("a tree is nested too deep");
    out.kind = static_cast<TreeKind>(reader_.u8());
    switch (out.kind) {
      case TreeKind::Text:
      case TreeKind::RawHtml:
        out.text = string();
        return;
      case TreeKind::Element:
        return element(out, depth);
    }
    fail("unknown kind of tree");
  }

  void element(DownTree& out, size_t depth) {
    out.tag = atom();
    const size_t attrs = count();
    for (size_t i = 0; i < attrs && ok(); ++i) {
      DownOp& attr = out.attrs.emplace_back();
      attr.op = static_cast<Op>(reader_.u8());
      attribute(attr);
    }
    const size_t children = count();
    for (size_t i = 0; i < children && ok(); ++i) tree(out.children.emplace_back(), depth + 1);
  }

  ByteReader reader_;
  std::vector<std::string>& atoms_;
  const char* message_ = nullptr;
};

}  // namespace

Result<DownFrame> FrameDecoder::decode(std::span<const uint8_t> bytes) {
  return Reader(bytes, atoms_).run();
}

}  // namespace lattice::vdom
