// SPDX-License-Identifier: MIT
// FrameDecoder reads what a FrameEncoder wrote: the server's view of its own frames, for tests and
// tools. The browser has its own decoder; both read the golden frames in protocol/golden/.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lattice/base/result.hpp"
#include "lattice/ui/vdom/wire.hpp"

namespace lattice::vdom {

struct DownTree;

// One op, or one attribute of a tree (then without id). Which fields count depends on `op`.
struct DownOp {
  Op op = Op::Text;
  uint32_t id = 0;
  uint32_t parent = 0;
  uint32_t before = 0;
  uint32_t first_id = 0;
  uint64_t revision = 0;
  std::string name;    // the atom
  std::string text;    // TEXT, TITLE, RELOAD; ERROR: the title
  std::string detail;  // ERROR
  Value value;
  bool on = false;  // SET_CLASS
  ListenOptions options;
  std::vector<DownTree> tree;  // INSERT: exactly one
};

struct DownTree {
  TreeKind kind = TreeKind::Element;
  std::string tag;
  std::string text;  // text and raw HTML
  std::vector<DownOp> attrs;
  std::vector<DownTree> children;
};

struct DownFrame {
  uint64_t seq = 0;
  uint64_t ack = 0;
  std::vector<DownOp> ops;
};

// Keeps the atom table of one connection. After a failure the connection is done.
class FrameDecoder {
 public:
  Result<DownFrame> decode(std::span<const uint8_t> bytes);

 private:
  std::vector<std::string> atoms_;
};

}  // namespace lattice::vdom
