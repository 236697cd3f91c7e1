// SPDX-License-Identifier: MIT
#include "lattice/jit/ir/text.hpp"

#include <charconv>
#include <cmath>
#include <unordered_map>

#include "lattice/jit/ir/builder.hpp"

namespace lattice::jit::ir {

namespace {

constexpr std::string_view kFpNames[] = {"strict", "contract", "fast"};
constexpr std::string_view kMathNames[] = {"own", "libm"};
constexpr std::string_view kBoundsNames[] = {"raise", "clip", "wrap", "proven"};
constexpr std::string_view kScatterNames[] = {"set", "add", "mul", "min", "max"};

std::string hex(uint64_t value) {
  char buffer[20];
  auto end = std::to_chars(buffer, buffer + sizeof(buffer), value, 16).ptr;
  return "0x" + std::string(buffer, end);
}

template <class T>
std::string float_text(T value) {
  // Payloads and signs of nans are part of the value.
  if (std::isnan(value)) return hex(to_bits(value));
  char buffer[40];
  auto end = std::to_chars(buffer, buffer + sizeof(buffer), value).ptr;
  std::string text(buffer, end);
  return text.find_first_of(".ein") == std::string::npos ? text + ".0" : text;
}

std::string constant_text(Type type, Bits bits) {
  if (type == Type::F64) return float_text(from_bits<double>(bits));
  if (type == Type::F32) return float_text(from_bits<float>(bits));
  if (type == Type::Bool) return bits != 0 ? "true" : "false";
  if (is_unsigned_int(type)) return std::to_string(bits);
  return dispatch_type(
      type, [&]<class T>() { return std::to_string(static_cast<long long>(from_bits<T>(bits))); });
}

class Printer {
 public:
  Printer(const Function& f, bool locations) : f_(f), locations_(locations) {}

  std::string run() {
    text_ = "kernel \"" + f_.name + "\" fp=" + std::string(kFpNames[static_cast<int>(f_.fp)]) +
            " math=" + std::string(kMathNames[static_cast<int>(f_.math)]) + "\n";
    for (const Parameter& param : f_.params) {
      text_ += "param " + param.name + ": " + type_text(param.type, param.rank) + "\n";
    }
    for (const ViewSpec& view : f_.views) text_ += "view " + view_text(view) + "\n";
    for (const Table& table : f_.tables) {
      text_ += "table " + std::string(type_name(table.type));
      for (Bits bits : table.values) text_ += " " + hex(bits);
      text_ += "\n";
    }
    region(0, 0);
    text_ += "return" + list(f_.regions[0].yields) + "\n";
    return std::move(text_);
  }

 private:
  static std::string type_text(Type type, int rank) {
    std::string text(type_name(type));
    return rank == 0 ? text : text + "[" + std::to_string(rank) + "]";
  }
  static std::string view_text(const ViewSpec& view) {
    std::string text = "[";
    for (const ViewItem& item : view) {
      if (text.size() > 1) text += ", ";
      if (item.kind == ViewItem::Kind::NewAxis) {
        text += "new";
      } else if (item.kind == ViewItem::Kind::Index) {
        text += std::to_string(item.start);
      } else {
        if (item.has_start) text += std::to_string(item.start);
        text += ":";
        if (item.has_stop) text += std::to_string(item.stop);
        text += ":" + std::to_string(item.step);
      }
    }
    return text + "]";
  }

  std::string name(NodeId id) const { return "%" + std::to_string(number_.at(id)); }
  std::string list(std::span<const NodeId> values) const {
    std::string text;
    for (NodeId value : values) text += (text.empty() ? " " : ", ") + name(value);
    return text;
  }

  void region(RegionId id, int depth) {
    for (NodeId node_id : f_.regions[id].nodes) {
      const Node& node = f_[node_id];
      text_.append(2 * static_cast<size_t>(depth), ' ');
      line(node_id, node, depth);
      if (locations_ && !f_.locations.empty() && f_.locations[node_id].line != 0) {
        const SourceLocation& at = f_.locations[node_id];
        text_ += "  ; " + f_.files[at.file] + ":" + std::to_string(at.line);
      }
      text_ += "\n";
    }
  }

  void inner(RegionId id, int depth) {
    region(id, depth + 1);
    text_.append(2 * static_cast<size_t>(depth) + 2, ' ');
    text_ += "yield" + list(f_.regions[id].yields) + "\n";
    text_.append(2 * static_cast<size_t>(depth), ' ');
  }

  void line(NodeId id, const Node& node, int depth) {
    if (node.op == Op::Exit || node.op == Op::Guard) {
      text_ += std::string(op_name(node.op)) + " " + name(node.a);
      return;
    }
    int number = next_++;
    number_[id] = number;
    text_ += "%" + std::to_string(number);
    if (node.op == Op::Loop) {
      text_ += " = loop" + list(f_.inits(node)) + " {\n";
      inner(node.c, depth);
      text_ += "}";
      return;
    }
    if (node.op == Op::If) {
      text_ += " = if " + name(node.a) + " {\n";
      inner(node.b, depth);
      text_ += "} else {\n";
      inner(node.c, depth);
      text_ += "}";
      return;
    }
    text_ += ": " + type_text(node.type, node.rank()) + " = " + std::string(op_name(node.op));
    if (node.op == Op::Const) {
      text_ += " " + constant_text(node.type, node.imm);
      return;
    }
    std::vector<NodeId> operands;
    for_each_operand(f_, node, [&](NodeId operand) { operands.push_back(operand); });
    text_ += list(operands);
    attributes(node);
  }

  void attributes(const Node& node) {
    switch (node.op) {
      case Op::Param:
      case Op::Arg:
      case Op::LaneIndex:
        text_ += " " + std::to_string(node.imm);
        break;
      case Op::Result:
      case Op::Iota:
      case Op::View:
      case Op::Lookup:
        text_ += " #" + std::to_string(node.imm);
        break;
      case Op::Gather:
        text_ += " " + std::string(kBoundsNames[node.imm]);
        break;
      case Op::Scatter:
        text_ += " " + std::string(kScatterNames[node.imm]);
        break;
      case Op::Extent:
      case Op::Transpose:
        text_ += " #" + hex(node.imm);
        break;
      default:
        if (op_kind(node.op) == OpKind::Reduce) text_ += " #" + hex(node.imm);
        if (op_kind(node.op) == OpKind::Scan) text_ += " #" + std::to_string(node.imm);
    }
    if (node.checked()) text_ += " checked";
    if ((node.flags & kKeepDims) != 0) text_ += " keepdims";
    if ((node.flags & kAnyOrder) != 0) text_ += " anyorder";
    if ((node.flags & kChunked) != 0) text_ += " chunked";
  }

  const Function& f_;
  bool locations_;
  std::string text_;
  std::unordered_map<NodeId, int> number_;
  int next_ = 0;
};

const std::unordered_map<std::string_view, Op>& ops_by_name() {
  static const auto kNames = [] {
    std::unordered_map<std::string_view, Op> names;
    for (int i = 0; i < kOpCount; ++i) names[kOps[i].text] = static_cast<Op>(i);
    return names;
  }();
  return kNames;
}

// Recursive descent over lines; every mistake throws IrError, which parse() turns into a Failure.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  int line() const noexcept { return line_; }

  Function run() {
    header();
    for (;;) {
      next_line();
      if (word_is("param"))
        parameter();
      else if (word_is("view"))
        view();
      else if (word_is("table"))
        table();
      else
        break;
    }
    region();
    expect_word("return");
    std::vector<NodeId> outputs = value_list();
    end_of_line();
    while (!at_end_) {
      next_line();
      if (!rest_.empty()) fail("text after return");
    }
    return builder_.finish(outputs);
  }

 private:
  [[noreturn]] static void fail(std::string_view why) { throw IrError(std::string(why)); }

  // --- lines and tokens ---

  void next_line() {
    do {
      if (text_.empty()) {
        at_end_ = true;
        rest_ = {};
        return;
      }
      size_t end = text_.find('\n');
      rest_ = text_.substr(0, end);
      text_ = end == std::string_view::npos ? std::string_view{} : text_.substr(end + 1);
      ++line_;
      size_t comment = rest_.find(';');
      if (comment != std::string_view::npos) rest_ = rest_.substr(0, comment);
      skip_spaces();
    } while (rest_.empty());
  }
  void skip_spaces() {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\t' || rest_[0] == '\r')) {
      rest_.remove_prefix(1);
    }
  }
  bool accept(std::string_view token) {
    skip_spaces();
    if (rest_.substr(0, token.size()) != token) return false;
    rest_.remove_prefix(token.size());
    return true;
  }
  void expect(std::string_view token) {
    if (!accept(token)) fail("expected '" + std::string(token) + "'");
  }
  static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  }
  std::string_view peek_word() {
    skip_spaces();
    size_t n = 0;
    while (n < rest_.size() && is_word(rest_[n])) ++n;
    return rest_.substr(0, n);
  }
  std::string_view word() {
    std::string_view w = peek_word();
    rest_.remove_prefix(w.size());
    return w;
  }
  bool word_is(std::string_view expected) {
    if (peek_word() != expected) return false;
    word();
    return true;
  }
  void expect_word(std::string_view expected) {
    if (!word_is(expected)) fail("expected '" + std::string(expected) + "'");
  }
  void end_of_line() {
    skip_spaces();
    if (!rest_.empty()) fail("unexpected '" + std::string(rest_.substr(0, 20)) + "'");
  }
  template <class T>
  T number() {
    skip_spaces();
    int base = 10;
    if (rest_.substr(0, 2) == "0x") {
      rest_.remove_prefix(2);
      base = 16;
    }
    T value{};
    auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value, base);
    if (error != std::errc{}) fail("expected a number");
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    return value;
  }

  template <size_t N>
  uint64_t choice(const std::string_view (&names)[N]) {
    std::string_view w = word();
    for (size_t i = 0; i < N; ++i) {
      if (names[i] == w) return i;
    }
    fail("unknown word '" + std::string(w) + "'");
  }

  // --- header ---

  void header() {
    next_line();
    expect_word("kernel");
    expect("\"");
    size_t end = rest_.find('"');
    if (end == std::string_view::npos) fail("name has no end");
    builder_.function().name = std::string(rest_.substr(0, end));
    rest_.remove_prefix(end + 1);
    if (accept("fp=")) builder_.function().fp = static_cast<FpPolicy>(choice(kFpNames));
    if (accept("math=")) builder_.function().math = static_cast<MathPolicy>(choice(kMathNames));
    end_of_line();
  }

  std::pair<Type, int> type() {
    std::string_view w = word();
    Type t = type_from_name(w);
    if (t == Type::Void) fail("unknown type '" + std::string(w) + "'");
    int rank = 0;
    if (accept("[")) {
      rank = number<int>();
      expect("]");
    }
    if (rank < 0 || rank > kRankMax) fail("rank out of range");
    return {t, rank};
  }

  void parameter() {
    skip_spaces();
    size_t colon = rest_.find(':');
    if (colon == std::string_view::npos) fail("expected ':'");
    Parameter param;
    param.name = std::string(rest_.substr(0, colon));
    rest_.remove_prefix(colon + 1);
    auto [t, rank] = type();
    param.type = t;
    param.rank = static_cast<uint8_t>(rank);
    end_of_line();
    builder_.function().params.push_back(std::move(param));
  }

  void view() {
    ViewSpec spec;
    expect("[");
    while (!accept("]")) {
      if (!spec.empty()) expect(",");
      ViewItem item;
      if (word_is("new")) {
        item.kind = ViewItem::Kind::NewAxis;
        spec.push_back(item);
        continue;
      }
      skip_spaces();
      item.has_start = !rest_.empty() && rest_[0] != ':';
      if (item.has_start) item.start = number<int64_t>();
      if (accept(":")) {
        item.has_stop = !accept(":");
        if (item.has_stop) {
          item.stop = number<int64_t>();
          expect(":");
        }
        item.step = number<int64_t>();
      } else {
        item.kind = ViewItem::Kind::Index;
        item.has_start = false;
      }
      spec.push_back(item);
    }
    end_of_line();
    builder_.function().views.push_back(std::move(spec));
  }

  void table() {
    Table t;
    t.type = type().first;
    skip_spaces();
    while (!rest_.empty()) {
      t.values.push_back(number<uint64_t>());
      skip_spaces();
    }
    builder_.function().tables.push_back(std::move(t));
  }

  // --- code ---

  NodeId value() {
    expect("%");
    auto found = values_.find(number<uint32_t>());
    if (found == values_.end()) fail("value is used before it is made");
    return found->second;
  }
  std::vector<NodeId> value_list() {
    std::vector<NodeId> out;
    skip_spaces();
    if (rest_.empty() || rest_[0] != '%') return out;
    do out.push_back(value());
    while (accept(","));
    return out;
  }
  std::vector<NodeId> yields() {
    expect_word("yield");
    std::vector<NodeId> out = value_list();
    end_of_line();
    next_line();
    return out;
  }

  // Lines up to one that is no node; that line stays unread.
  void region() {
    for (;;) {
      if (at_end_) fail("the text ends early");
      if (word_is("exit_unless")) {
        builder_.exit_unless(value());
        end_of_line();
      } else if (word_is("guard")) {
        builder_.guard(value());
        end_of_line();
      } else if (!rest_.empty() && rest_[0] == '%') {
        node();
      } else {
        return;
      }
      next_line();
    }
  }

  void node() {
    expect("%");
    uint32_t id = number<uint32_t>();
    if (values_.count(id) != 0) fail("value %" + std::to_string(id) + " is made twice");
    if (!accept(":")) {
      expect("=");
      values_[id] = word_is("loop") ? loop() : branch();
      return;
    }
    auto [t, rank] = type();
    expect("=");
    std::string_view name = word();
    auto op = ops_by_name().find(name);
    if (op == ops_by_name().end()) fail("unknown operation '" + std::string(name) + "'");
    NodeId made = plain(op->second, t, rank);
    end_of_line();
    const Node& check = builder_[made];
    // Ranks inside a loop may still rise when it ends.
    if (check.type != t) fail("the value is " + std::string(type_name(check.type)));
    values_[id] = made;
  }

  NodeId loop() {
    RegionId body = builder_.begin_loop(value_list());
    bodies_.push_back(body);
    expect("{");
    end_of_line();
    next_line();
    region();
    std::vector<NodeId> nexts = yields();
    expect("}");
    end_of_line();
    bodies_.pop_back();
    return builder_.end_loop(nexts);
  }

  NodeId branch() {
    expect_word("if");
    builder_.begin_if(value());
    expect("{");
    end_of_line();
    next_line();
    region();
    std::vector<NodeId> yes = yields();
    expect("} else {");
    end_of_line();
    builder_.begin_else(yes);
    next_line();
    region();
    std::vector<NodeId> no = yields();
    expect("}");
    end_of_line();
    return builder_.end_if(no);
  }

  NodeId plain(Op op, Type t, int rank) {
    Node node{op, t, static_cast<uint16_t>(rank), 0, kNone, kNone, kNone, kNone, 0};
    if (op == Op::Const) return builder_.constant(t, constant(t));
    if (op == Op::Arg) {
      uint64_t k = number<uint64_t>();
      RegionId body = builder_.region();
      const std::vector<NodeId>& args = builder_.function().regions[body].args;
      if (k >= args.size()) fail("no such arg");
      return args[k];
    }
    if (op == Op::Loop || op == Op::If || op == Op::Exit || op == Op::Guard) fail("is no value");
    std::vector<NodeId> operands = value_list();
    if (operands.size() > 4) fail("too many operands");
    NodeId* slots[4] = {&node.a, &node.b, &node.c, &node.d};
    for (size_t k = 0; k < operands.size(); ++k) *slots[k] = operands[k];
    if (op == Op::Gather) {
      node.imm = choice(kBoundsNames);
    } else if (op == Op::Scatter) {
      node.imm = choice(kScatterNames);
    } else if (accept("#") || op == Op::Param || op == Op::LaneIndex) {
      node.imm = number<uint64_t>();
    }
    if (word_is("checked")) node.flags |= kChecked;
    if (word_is("keepdims")) node.flags |= kKeepDims;
    if (word_is("anyorder")) node.flags |= kAnyOrder;
    if (word_is("chunked")) node.flags |= kChunked;
    if (op == Op::Result) {
      if (operands.size() != 1 || node.imm > 1u << 20) fail("result of what?");
      return builder_.result(node.a, static_cast<int>(node.imm));
    }
    if (op == Op::Param) {
      const std::vector<Parameter>& params = builder_.function().params;
      if (node.imm >= params.size() || params[node.imm].type != t ||
          params[node.imm].rank != rank) {
        fail("param is not what the signature says");
      }
    }
    return builder_.emit(node);
  }

  Bits constant(Type t) {
    skip_spaces();
    if (t == Type::Bool) {
      if (word_is("true")) return 1;
      expect_word("false");
      return 0;
    }
    if (is_float(t) && rest_.substr(0, 2) != "0x") {
      return t == Type::F64 ? to_bits(real<double>()) : to_bits(real<float>());
    }
    if (is_signed_int(t)) return static_cast<Bits>(number<int64_t>());
    return number<uint64_t>();
  }
  template <class T>
  T real() {
    T value{};
    auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc{}) fail("expected a number");
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    return value;
  }

  std::string_view text_;
  std::string_view rest_;
  int line_ = 0;
  bool at_end_ = false;
  Builder builder_;
  std::unordered_map<uint32_t, NodeId> values_;
  std::vector<RegionId> bodies_;
};

}  // namespace

std::string print(const Function& function, bool locations) {
  return Printer(function, locations).run();
}

Result<Function> parse(std::string_view text) {
  Parser parser(text);
  try {
    return parser.run();
  } catch (const IrError& error) {
    return Failure{"line " + std::to_string(parser.line()) + ": " + error.what()};
  }
}

}  // namespace lattice::jit::ir
