// SPDX-License-Identifier: MIT
#include "lattice/jit/ir/canonical.hpp"

#include <bit>
#include <string>

#include "lattice/base/bytes.hpp"
#include "lattice/jit/ir/builder.hpp"

namespace lattice::jit::ir {

namespace {

constexpr uint16_t kStoredFlags = kChecked | kKeepDims | kAnyOrder | kChunked;
constexpr uint8_t kEndOfRegion = 0xff;
static_assert(kOpCount < kEndOfRegion);

bool has_immediate(Op op) noexcept {
  switch (op_kind(op)) {
    case OpKind::Reduce:
    case OpKind::Scan:
      return true;
    default:
      break;
  }
  switch (op) {
    case Op::Param:
    case Op::Iota:
    case Op::LaneIndex:
    case Op::View:
    case Op::Transpose:
    case Op::Extent:
    case Op::Gather:
    case Op::Scatter:
    case Op::Lookup:
    case Op::Result:
      return true;
    default:
      return false;
  }
}

class Encoder {
 public:
  explicit Encoder(const Function& f) : f_(f), number_(f.nodes.size(), 0) {}

  void code() {
    out_.u8(kFormatVersion);
    out_.u8(static_cast<uint8_t>(f_.fp));
    out_.u8(static_cast<uint8_t>(f_.math));
    out_.varint(f_.params.size());
    for (const Parameter& param : f_.params) {
      out_.u8(static_cast<uint8_t>(param.type));
      out_.u8(param.rank);
    }
    out_.varint(f_.views.size());
    for (const ViewSpec& view : f_.views) {
      out_.varint(view.size());
      for (const ViewItem& item : view) {
        out_.u8(static_cast<uint8_t>(static_cast<int>(item.kind) | (item.has_start ? 4 : 0) |
                                     (item.has_stop ? 8 : 0)));
        out_.svarint(item.start);
        out_.svarint(item.stop);
        out_.svarint(item.step);
      }
    }
    out_.varint(f_.tables.size());
    for (const Table& table : f_.tables) {
      out_.u8(static_cast<uint8_t>(table.type));
      out_.varint(table.values.size());
      for (Bits bits : table.values) out_.f64(std::bit_cast<double>(bits));
    }
    region(0);
  }

  // Names and locations, in the order of the nodes above.
  void names() {
    out_.string(f_.name);
    for (const Parameter& param : f_.params) out_.string(param.name);
    out_.varint(f_.files.size());
    for (const std::string& file : f_.files) out_.string(file);
    bool located = !f_.locations.empty();
    out_.u8(located ? 1 : 0);
    if (!located) return;
    for (NodeId id : order_) {
      const SourceLocation& at = f_.locations[id];
      out_.varint(at.file);
      out_.varint(at.line);
      out_.varint(at.column);
    }
  }

  std::vector<uint8_t> take() { return out_.take(); }

 private:
  void operand(NodeId id) { out_.varint(next_ - number_[id]); }

  void region(RegionId id) {
    for (NodeId node_id : f_.regions[id].nodes) {
      const Node& node = f_[node_id];
      if (node.op != Op::Arg) write(node_id, node);
    }
    out_.u8(kEndOfRegion);
    out_.varint(f_.regions[id].yields.size());
    for (NodeId value : f_.regions[id].yields) operand(value);
  }

  void write(NodeId id, const Node& node) {
    out_.u8(static_cast<uint8_t>(node.op));
    switch (node.op) {
      case Op::Const:
        out_.u8(static_cast<uint8_t>(node.type));
        out_.varint(node.imm);
        break;
      case Op::Loop:
        out_.varint(node.b);
        for (NodeId init : f_.inits(node)) operand(init);
        for (NodeId arg : f_.regions[node.c].args) {
          order_.push_back(arg);
          number_[arg] = next_++;
        }
        region(node.c);
        break;
      case Op::If:
        operand(node.a);
        region(node.b);
        region(node.c);
        break;
      default: {
        if (node.op == Op::Cast || node.op == Op::Bitcast) {
          out_.u8(static_cast<uint8_t>(node.type));
        }
        int count = 0;
        for_each_operand(f_, node, [&](NodeId) { ++count; });
        if (node.op == Op::Gather) out_.u8(static_cast<uint8_t>(count));
        for_each_operand(f_, node, [&](NodeId value) { operand(value); });
        out_.varint(static_cast<uint64_t>(node.flags & kStoredFlags));
        if (has_immediate(node.op)) out_.varint(node.imm);
      }
    }
    order_.push_back(id);
    number_[id] = next_++;
  }

  const Function& f_;
  ByteWriter out_;
  std::vector<uint64_t> number_;
  std::vector<NodeId> order_;
  uint64_t next_ = 0;
};

class Decoder {
 public:
  explicit Decoder(std::span<const uint8_t> bytes) : in_(bytes) {}

  Function run() {
    if (in_.u8() != kFormatVersion) fail("was written by another version of Lattice");
    Function& f = builder_.function();
    f.fp = enumerator<FpPolicy>(2);
    f.math = enumerator<MathPolicy>(1);
    for (uint64_t n = count(2); n > 0; --n) {
      Parameter param;
      param.type = type();
      param.rank = in_.u8();
      if (param.rank > kRankMax) fail("rank out of range");
      param.name = "p" + std::to_string(f.params.size());
      f.params.push_back(std::move(param));
    }
    for (uint64_t n = count(1); n > 0; --n) {
      ViewSpec view;
      for (uint64_t items = count(4); items > 0; --items) {
        uint8_t bits = in_.u8();
        if ((bits & 3) > 2 || bits > 15) fail("bad view");
        ViewItem item;
        item.kind = static_cast<ViewItem::Kind>(bits & 3);
        item.has_start = (bits & 4) != 0;
        item.has_stop = (bits & 8) != 0;
        item.start = in_.svarint();
        item.stop = in_.svarint();
        item.step = in_.svarint();
        view.push_back(item);
      }
      f.views.push_back(std::move(view));
    }
    for (uint64_t n = count(2); n > 0; --n) {
      Table table;
      table.type = type();
      for (uint64_t values = count(8); values > 0; --values) {
        table.values.push_back(std::bit_cast<Bits>(in_.f64()));
      }
      f.tables.push_back(std::move(table));
    }
    std::vector<NodeId> outputs = region();
    if (in_.ok() && !in_.at_end()) names();
    if (!in_.ok()) fail("ends early");
    if (!in_.at_end()) fail("has bytes at its end");
    return builder_.finish(outputs);
  }

 private:
  [[noreturn]] static void fail(const char* why) { throw IrError(why); }

  template <class E>
  E enumerator(uint8_t last) {
    uint8_t value = in_.u8();
    if (value > last) fail("unknown policy");
    return static_cast<E>(value);
  }
  Type type() {
    uint8_t value = in_.u8();
    if (value == 0 || value >= kTypeCount) fail("unknown type");
    return static_cast<Type>(value);
  }
  // How many items of at least `bytes` follow; more than can follow is a mistake.
  uint64_t count(size_t bytes) {
    uint64_t n = in_.varint();
    if (!in_.ok() || n > in_.remaining() / bytes) fail("ends early");
    return n;
  }
  NodeId operand() {
    uint64_t back = in_.varint();
    if (!in_.ok() || back == 0 || back > values_.size()) fail("operand out of range");
    return values_[values_.size() - back];
  }

  std::vector<NodeId> region() {
    for (;;) {
      uint8_t code = in_.u8();
      if (!in_.ok()) fail("ends early");
      if (code == kEndOfRegion) break;
      if (code >= kOpCount) fail("unknown operation");
      read(static_cast<Op>(code));
    }
    std::vector<NodeId> yields;
    for (uint64_t n = count(1); n > 0; --n) yields.push_back(operand());
    return yields;
  }

  void read(Op op) {
    switch (op) {
      case Op::Const: {
        Type t = type();
        values_.push_back(builder_.constant(t, in_.varint()));
        return;
      }
      case Op::Loop: {
        std::vector<NodeId> inits;
        for (uint64_t n = count(1); n > 0; --n) inits.push_back(operand());
        RegionId body = builder_.begin_loop(inits);
        for (size_t k = 0; k < inits.size(); ++k) {
          values_.push_back(builder_.arg(body, static_cast<int>(k)));
        }
        std::vector<NodeId> nexts = region();
        values_.push_back(builder_.end_loop(nexts));
        return;
      }
      case Op::If: {
        builder_.begin_if(operand());
        std::vector<NodeId> yes = region();
        builder_.begin_else(yes);
        std::vector<NodeId> no = region();
        values_.push_back(builder_.end_if(no));
        return;
      }
      case Op::Arg:
        fail("arg outside a loop");
      default:
        break;
    }
    Node node{op, Type::Void, 0, 0, kNone, kNone, kNone, kNone, 0};
    if (op == Op::Cast || op == Op::Bitcast) node.type = type();
    int operands = op == Op::Gather ? in_.u8() : op_info(op).operand_count;
    if (operands > 4) fail("too many operands");
    NodeId* slots[4] = {&node.a, &node.b, &node.c, &node.d};
    for (int k = 0; k < operands; ++k) *slots[k] = operand();
    uint64_t flags = in_.varint();
    if ((flags & ~uint64_t{kStoredFlags}) != 0) fail("unknown flags");
    node.flags = static_cast<uint16_t>(flags);
    if (has_immediate(op)) node.imm = in_.varint();
    if (!in_.ok()) fail("ends early");
    switch (op) {
      case Op::Exit:
        unnamed_.emplace_back(values_.size(), builder_.exit_unless(node.a));
        values_.push_back(kNone);
        return;
      case Op::Guard:
        unnamed_.emplace_back(values_.size(), builder_.guard(node.a));
        values_.push_back(kNone);
        return;
      case Op::Result:
        if (node.imm > 1u << 20) fail("result out of range");
        values_.push_back(builder_.result(node.a, static_cast<int>(node.imm)));
        return;
      case Op::Param: {
        const std::vector<Parameter>& params = builder_.function().params;
        if (node.imm >= params.size()) fail("no such param");
        node.type = params[node.imm].type;
        node.flags |= params[node.imm].rank;
        break;
      }
      default:
        break;
    }
    values_.push_back(builder_.emit(node));
  }

  void names() {
    Function& f = builder_.function();
    f.name = in_.string();
    for (Parameter& param : f.params) param.name = in_.string();
    f.files.clear();
    for (uint64_t n = count(1); n > 0; --n) f.files.emplace_back(in_.string());
    if (in_.u8() == 0) return;
    std::vector<NodeId> nodes = values_;
    for (auto [number, id] : unnamed_) nodes[number] = id;
    for (NodeId id : nodes) {
      SourceLocation at;
      at.file = in_.varint32();
      at.line = in_.varint32();
      at.column = in_.varint32();
      if (at.file >= f.files.size()) fail("location in no file");
      f.locations[id] = at;
    }
  }

  ByteReader in_;
  Builder builder_;
  std::vector<std::pair<size_t, NodeId>> unnamed_;  // exits and guards, by canonical number
  std::vector<NodeId> values_;  // by canonical number; kNone for nodes that are no values
};

uint64_t mix(uint64_t h) noexcept {
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccdULL;
  h ^= h >> 33;
  h *= 0xc4ceb9fe1a85ec53ULL;
  return h ^ (h >> 33);
}

}  // namespace

std::vector<uint8_t> canonical_bytes(const Function& function) {
  Encoder encoder(function);
  encoder.code();
  return encoder.take();
}

ContentHash content_hash(const Function& function) {
  std::vector<uint8_t> bytes = canonical_bytes(function);
  uint64_t low = mix(bytes.size());
  uint64_t high = ~low;
  for (size_t i = 0; i < bytes.size(); i += 8) {
    uint64_t word = 0;
    for (size_t k = 0; k < 8 && i + k < bytes.size(); ++k) {
      word |= static_cast<uint64_t>(bytes[i + k]) << (8 * k);
    }
    low = mix(low ^ word) + 0x9e3779b97f4a7c15ULL;
    high = mix(high + word * 0xd6e8feb86659fd93ULL) ^ low;
  }
  ContentHash hash{};
  for (size_t k = 0; k < 8; ++k) {
    hash[k] = static_cast<uint8_t>(low >> (8 * k));
    hash[8 + k] = static_cast<uint8_t>(high >> (8 * k));
  }
  return hash;
}

std::vector<uint8_t> encode(const Function& function) {
  Encoder encoder(function);
  encoder.code();
  encoder.names();
  return encoder.take();
}

Result<Function> decode(std::span<const uint8_t> bytes) {
  try {
    return Decoder(bytes).run();
  } catch (const IrError& error) {
    return Failure{std::string("kernel bytes: ") + error.what()};
  }
}

}  // namespace lattice::jit::ir
