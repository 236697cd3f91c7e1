// SPDX-License-Identifier: MIT
// The wire codecs: FrameEncoder (server to client), decode_client_frame (client to server), and the
// FrameDecoder that tests read frames with. The format is protocol/README.md.
//
// An encoder belongs to one connection and is used by one thread at a time. Its frames share an
// atom table, so every frame taken must be sent, in order; a new connection starts with a new
// encoder. Encoding throws Error for what attributes.hpp refuses, and leaves the frame as it was
// before the call. Decoding never throws on bytes: work and memory are bounded by the frame's size.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "lattice/base/bytes.hpp"
#include "lattice/base/result.hpp"
#include "lattice/ui/vdom/attributes.hpp"
#include "lattice/ui/vdom/opcodes.hpp"
#include "lattice/ui/vdom/vnode.hpp"

namespace lattice::vdom {

inline constexpr uint32_t kAtomsMax = 65'535;
inline constexpr uint32_t kLiteralAtom = 1u << 20;

// Bounds of what a client may send; a browser in good faith stays far below.
inline constexpr size_t kClientFrameBytesMax = 1u << 20;
inline constexpr size_t kClientListItemsMax = 4096;  // files, selected options, form entries
inline constexpr size_t kEventNameBytesMax = 64;
inline constexpr size_t kTokenBytesMax = 128;
inline constexpr size_t kKeyNameBytesMax = 64;

struct ListenOptions {
  bool prevent_default = false;
  bool stop_propagation = false;
  bool two_way = false;  // the event only carries the value, with its revision
  uint32_t debounce_ms = 0;
  uint32_t throttle_ms = 0;
  std::vector<std::string> keys = {};  // KeyboardEvent.key; empty: every key
  friend bool operator==(const ListenOptions&, const ListenOptions&) = default;
};

// Options of the handler in a slot; null means the defaults.
using ListenResolver = std::function<const ListenOptions*(SlotId)>;

class FrameEncoder {
 public:
  // Starts a frame. REQUIRES: the last one was taken.
  void begin(uint64_t seq, uint64_t ack);
  bool is_open() const noexcept { return !writer_.empty(); }
  bool has_ops() const noexcept { return writer_.size() > header_bytes_; }
  size_t size() const noexcept { return writer_.size(); }
  std::vector<uint8_t> take() noexcept;

  // Names are local ones: "color" for a style, "click" for an event.
  void text(uint32_t id, std::string_view text);
  void set_attr(uint32_t id, std::string_view name, const Value& value);
  void set_prop(uint32_t id, std::string_view name, const Value& value);
  void set_style(uint32_t id, std::string_view name, const Value& value);
  void set_class(uint32_t id, std::string_view name, bool on);
  void insert(uint32_t parent, uint32_t before, uint32_t first_id, const VNode& tree,
              const ListenResolver& listen_options = {});
  void remove(uint32_t id);
  void move(uint32_t id, uint32_t parent, uint32_t before);
  void listen(uint32_t id, std::string_view event, const ListenOptions& options);
  void unlisten(uint32_t id, std::string_view event);
  // A boolean sets the checked, open or selected state, anything else the text of the field.
  void input_value(uint32_t id, uint64_t revision, const Value& value);
  void reset();
  void title(std::string_view title);
  void reload(std::string_view reason);
  void error(uint32_t id, std::string_view title, std::string_view detail);
  void clear_error(uint32_t id);

  // An attribute under its tree name ("style.color", "class.done", "value" ...) by the op that fits
  // the tag. `revision` counts for values of inputs. REQUIRES: not an on_* name.
  void set(uint32_t id, std::string_view tag, std::string_view name, const Value& value,
           uint64_t revision = 0);

 private:
  template <class Body>
  void transact(Body&& body);
  void rollback(size_t bytes, size_t atoms);
  void op(Op code, uint32_t id);
  void atom(std::string_view name);
  void value(const Value& value);
  void options(const ListenOptions& options);
  void tree(const VNode& node, const ListenResolver& resolve, size_t depth);
  void element(const VNode& node, const ListenResolver& resolve, size_t depth);
  void attributes(const VNode& node, const ListenResolver& resolve);
  void tree_attribute(std::string_view tag, const Attribute& attr, const ListenResolver& resolve);
  void tree_child(const VNode& child, const ListenResolver& resolve, size_t depth);

  struct NameHash {
    using is_transparent = void;
    size_t operator()(std::string_view name) const noexcept {
      return std::hash<std::string_view>{}(name);
    }
  };

  ByteWriter writer_;
  size_t header_bytes_ = 0;
  std::unordered_map<std::string, uint32_t, NameHash, std::equal_to<>> atoms_;
  std::vector<const std::string*> atom_names_;  // keys of atoms_ in order of definition
};

// What a browser says.
struct Hello {
  std::string token;
  uint64_t node_count = 0;  // 0: could not adopt the page
};
struct Acknowledgement {
  uint64_t ack = 0;
};
struct KeyField {
  std::string key;
  uint8_t modifiers = 0;
};
struct MouseField {
  int64_t x = 0;
  int64_t y = 0;
  uint8_t button = 0;
  uint8_t modifiers = 0;
};
struct FileField {
  std::string name;
  uint64_t bytes = 0;
  std::string mime_type;
};
struct ScrollField {
  uint64_t left = 0;
  uint64_t top = 0;
};
struct ClientEvent {
  uint64_t seq = 0;
  uint64_t ack = 0;
  uint32_t node = 0;
  std::string type;
  std::optional<std::string> value;
  std::optional<bool> checked;
  std::optional<KeyField> key;
  std::optional<MouseField> mouse;
  std::optional<std::vector<FileField>> files;
  std::optional<uint64_t> revision;
  std::optional<std::vector<std::string>> selected;
  std::optional<std::vector<std::pair<std::string, std::string>>> form;
  std::optional<bool> open;
  std::optional<ScrollField> scroll;
};
using ClientFrame = std::variant<Hello, ClientEvent, Acknowledgement>;

// On failure *close_code (when given) is 1002, 1007 for bad UTF-8, or 1009 for a frame over
// kClientFrameBytesMax. Whether HELLO comes first and seqs follow each other is the session's to
// say.
Result<ClientFrame> decode_client_frame(std::span<const uint8_t> bytes,
                                        uint16_t* close_code = nullptr);

}  // namespace lattice::vdom
