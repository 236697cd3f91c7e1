// SPDX-License-Identifier: MIT
// How diagnostics write: a small JSON writer, DOT strings, ids of nodes.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "lattice/reactive/graph.hpp"

namespace lattice::inspect {

// "17.3": slot and generation, never given to two nodes.
std::string id_text(reactive::NodeHandle handle);
// No node for what is no id.
reactive::NodeHandle handle_of_id(std::string_view id) noexcept;

// In quotes; what is no UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);
void append_dot_string(std::string& out, std::string_view text);

// Writes members in the order of the calls and sets the commas.
class JsonWriter {
 public:
  void begin_object(std::string_view name = {}) { open(name, '{'); }
  void end_object() { close('}'); }
  void begin_array(std::string_view name = {}) { open(name, '['); }
  void end_array() { close(']'); }
  void text(std::string_view name, std::string_view value);
  void number(std::string_view name, uint64_t value);
  void seconds(std::string_view name, std::chrono::nanoseconds value);
  void boolean(std::string_view name, bool value);
  void item(std::string_view value);
  std::string take() { return std::move(out_); }

 private:
  void start(std::string_view name);
  void open(std::string_view name, char bracket);
  void close(char bracket);

  std::string out_;
  bool needs_comma_ = false;
};

}  // namespace lattice::inspect
