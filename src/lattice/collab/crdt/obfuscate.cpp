// SPDX-License-Identifier: MIT
#include "lattice/collab/crdt/obfuscate.hpp"

#include <string>
#include <unordered_map>

#include "lattice/collab/crdt/any.hpp"
#include "lattice/collab/crdt/struct_reader.hpp"
#include "lattice/collab/crdt/struct_writer.hpp"

namespace lattice::crdt {
namespace {

ByteView view_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

class Obfuscator {
 public:
  // Changes the view; what it then points to lives until the next call.
  void replace(StructView& view) {
    if (!view.is_item()) return;
    const std::string number = std::to_string(items_);
    replace_content(view, number);
    if (view.has_parent_sub) view.parent_sub = known(keys_, view.parent_sub, number);
    ++items_;
  }

 private:
  using Names = std::unordered_map<std::string, std::string>;

  static std::string_view known(Names& names, std::string_view name, std::string replacement) {
    return names.try_emplace(std::string(name), std::move(replacement)).first->second;
  }

  void replace_content(StructView& view, const std::string& number) {
    switch (view.kind) {
      case StructKind::String:
        text_.assign(view.length, static_cast<char>('0' + items_ % 10));
        view.text = text_;
        break;
      case StructKind::Any:
        bytes_.clear();
        for (Clock i = 0; i < view.length; ++i) {
          write_any(bytes_, Any::number(static_cast<double>(items_)));
        }
        view.value = bytes_.bytes();
        break;
      case StructKind::Json:
        bytes_.clear();
        for (Clock i = 0; i < view.length; ++i) bytes_.var_string(number);
        view.value = bytes_.bytes();
        break;
      case StructKind::Binary:
        bytes_.clear();
        bytes_.u8(static_cast<uint8_t>(items_));
        view.value = bytes_.bytes();
        break;
      case StructKind::Embed:
        set_json(view, "{}");
        break;
      case StructKind::Format:
        set_json(view, format_value(view, number));
        view.text = known(format_keys_, view.text, number);
        break;
      case StructKind::Type:
        if (has_node_name(view.type_ref)) {
          view.text = known(names_, view.text,
                            (view.type_ref == TypeRef::XmlElement ? "node-" : "hook-") + number);
        }
        break;
      case StructKind::Doc:
        text_ = number;
        view.text = text_;
        bytes_.clear();
        write_any(bytes_, Any::object({}));
        view.value = bytes_.bytes();
        break;
      case StructKind::Gc:
      case StructKind::Deleted:
      case StructKind::Skip:
        break;
    }
  }

  // Equal scalars share a replacement; objects are, as in JavaScript, each their own.
  std::string format_value(const StructView& view, const std::string& number) {
    std::string value(reinterpret_cast<const char*>(view.value.data()), view.value.size());
    if (!view.is_json_value) {
      Decoder decoder(view.value);
      value = to_json(read_any(decoder)).value_or("null");
    }
    if (value == "null") return value;
    const std::string replacement = R"({"i":)" + number + "}";
    if (value.starts_with('{') || value.starts_with('[')) return replacement;
    return std::string(known(format_values_, value, replacement));
  }

  void set_json(StructView& view, std::string json) {
    json_ = std::move(json);
    view.value = view_of(json_);
    view.is_json_value = true;
  }

  uint64_t items_ = 0;
  Names keys_, names_, format_keys_, format_values_;
  std::string text_, json_;
  Encoder bytes_;
};

template <class Reader, class UpdateEncoder>
Result<std::vector<uint8_t>> obfuscated(ByteView update) {
  Reader reader(update);
  StructWriter<UpdateEncoder> writer;
  Obfuscator obfuscator;
  for (StructView view; reader.next(view);) {
    obfuscator.replace(view);
    writer.write(view);
  }
  IdSet deleted;
  if (reader.ok()) deleted = reader.read_delete_set();
  if (!reader.ok()) return reader.failure();
  return writer.finish(deleted);
}

}  // namespace

Result<std::vector<uint8_t>> obfuscate_update(ByteView update, Encoding encoding) {
  return encoding == Encoding::V1 ? obfuscated<StructReaderV1, UpdateEncoderV1>(update)
                                  : obfuscated<StructReaderV2, UpdateEncoderV2>(update);
}

}  // namespace lattice::crdt
