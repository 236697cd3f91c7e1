// SPDX-License-Identifier: MIT
// decode_client_frame: bytes of a browser, in good faith or not, to a ClientFrame.
#include <algorithm>
#include <limits>

#include "lattice/ui/vdom/wire.hpp"

namespace lattice::vdom {

namespace {

constexpr uint16_t kProtocolError = 1002;
constexpr uint16_t kInvalidText = 1007;
constexpr uint16_t kTooBig = 1009;

constexpr uint8_t kModifiersMask =
    static_cast<uint8_t>(Modifier::Alt) | static_cast<uint8_t>(Modifier::Ctrl) |
    static_cast<uint8_t>(Modifier::Meta) | static_cast<uint8_t>(Modifier::Shift) |
    static_cast<uint8_t>(Modifier::Repeat);

// Keeps the first failure; after one, every read returns zero or empty, so loops end by their
// checks.
class Decoder {
 public:
  explicit Decoder(std::span<const uint8_t> bytes) : reader_(bytes) {}

  Result<ClientFrame> run(uint16_t* close_code) {
    ClientFrame frame = this->frame();
    if (!reader_.ok()) fail("the frame ends too early or holds a malformed number");
    if (!failed_ && !reader_.at_end()) fail("bytes after the end of the frame");
    if (!failed_) return frame;
    if (close_code != nullptr) *close_code = code_;
    return Failure{message_};
  }

 private:
  bool ok() const noexcept { return !failed_ && reader_.ok(); }

  void fail(const char* message, uint16_t code = kProtocolError) {
    if (failed_) return;
    failed_ = true;
    message_ = message;
    code_ = code;
  }

  std::string string(size_t bytes_max = kClientFrameBytesMax) {
    const std::string_view text = reader_.string();
    if (text.size() > bytes_max) {
      fail("a string is too long");
      return {};
    }
    if (!is_valid_utf8(text)) {
      fail("a string is not valid UTF-8", kInvalidText);
      return {};
    }
    return std::string(text);
  }

  bool boolean() {
    const uint8_t byte = reader_.u8();
    if (byte > 1) fail("a boolean is neither 0 nor 1");
    return byte == 1;
  }

  uint8_t modifiers() {
    const uint8_t bits = reader_.u8();
    if ((bits & ~kModifiersMask) != 0) fail("unknown modifier bits");
    return bits;
  }

  int64_t coordinate() {
    const int64_t value = reader_.svarint();
    if (value < std::numeric_limits<int32_t>::min() ||
        value > std::numeric_limits<int32_t>::max()) {
      fail("a coordinate is out of range");
    }
    return value;
  }

  // Every item takes at least `item_bytes`, so a count that cannot be true is refused before it
  // costs memory.
  size_t count(size_t item_bytes) {
    const uint64_t count = reader_.varint();
    if (count <= kClientListItemsMax && count <= reader_.remaining() / item_bytes) {
      return static_cast<size_t>(count);
    }
    fail("a list is longer than its frame or than allowed");
    return 0;
  }

  ClientFrame frame() {
    if (reader_.u8() != kProtocolVersion && reader_.ok()) {
      fail("unknown protocol version");
      return Acknowledgement{};
    }
    const uint8_t kind = reader_.u8();
    if (!reader_.ok()) return Acknowledgement{};
    switch (static_cast<ClientKind>(kind)) {
      case ClientKind::Hello: {
        Hello hello;
        hello.token = string(kTokenBytesMax);
        hello.node_count = reader_.varint();
        return hello;
      }
      case ClientKind::Event:
        return event();
      case ClientKind::Ack:
        return Acknowledgement{.ack = reader_.varint()};
    }
    fail("unknown kind of frame");
    return Acknowledgement{};
  }

  ClientEvent event() {
    ClientEvent event;
    event.seq = reader_.varint();
    event.ack = reader_.varint();
    event.node = reader_.varint32();
    event.type = string(kEventNameBytesMax);
    if (ok() && event.seq == 0) fail("a client seq of 0");
    if (ok() && event.type.empty()) fail("an event without a type");
    while (ok() && !reader_.at_end()) field(event);
    return event;
  }

  template <class T, class Read>
  void once(std::optional<T>& field, Read&& read) {
    if (field.has_value()) return fail("a field occurs twice");
    field = read();
  }

  template <class Read>
  auto list(size_t item_bytes, Read&& read) {
    std::vector<decltype(read())> items;
    const size_t size = count(item_bytes);
    for (size_t i = 0; i < size && ok(); ++i) items.push_back(read());
    return items;
  }

  void field(ClientEvent& event) {
    switch (static_cast<FieldTag>(reader_.u8())) {
      case FieldTag::Value:
        return once(event.value, [&] { return string(); });
      case FieldTag::Checked:
        return once(event.checked, [&] { return boolean(); });
      case FieldTag::Key:
        return once(event.key, [&] { return key(); });
      case FieldTag::Mouse:
        return once(event.mouse, [&] { return mouse(); });
      case FieldTag::Files:
        return once(event.files, [&] { return list(3, [&] { return file(); }); });
      case FieldTag::Revision:
        return once(event.revision, [&] { return reader_.varint(); });
      case FieldTag::Selected:
        return once(event.selected, [&] { return list(1, [&] { return string(); }); });
      case FieldTag::Form:
        return once(event.form, [&] { return list(2, [&] { return form_entry(); }); });
      case FieldTag::Open:
        return once(event.open, [&] { return boolean(); });
      case FieldTag::Scroll:
        return once(event.scroll, [&] { return scroll(); });
    }
    fail("unknown field");
  }

  KeyField key() {
    KeyField field;
    field.key = string(kKeyNameBytesMax);
    field.modifiers = modifiers();
    return field;
  }

  MouseField mouse() {
    MouseField field;
    field.x = coordinate();
    field.y = coordinate();
    field.button = reader_.u8();
    field.modifiers = modifiers();
    return field;
  }

  FileField file() {
    FileField field;
    field.name = string();
    field.bytes = reader_.varint();
    field.mime_type = string();
    return field;
  }

  std::pair<std::string, std::string> form_entry() {
    std::string name = string();
    std::string value = string();
    return {std::move(name), std::move(value)};
  }

  ScrollField scroll() {
    ScrollField field;
    field.left = reader_.varint();
    field.top = reader_.varint();
    return field;
  }

  ByteReader reader_;
  bool failed_ = false;
  const char* message_ = "";
  uint16_t code_ = kProtocolError;
};

}  // namespace

Result<ClientFrame> decode_client_frame(std::span<const uint8_t> bytes, uint16_t* close_code) {
  if (bytes.size() > kClientFrameBytesMax) {
    if (close_code != nullptr) *close_code = kTooBig;
    return Failure{"the frame is too big"};
  }
  return Decoder(bytes).run(close_code);
}

}  // namespace lattice::vdom
