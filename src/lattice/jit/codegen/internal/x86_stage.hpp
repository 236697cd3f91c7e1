// SPDX-License-Identifier: MIT
// One stage on its way to x86 machine code.
//
// Lanes. An iteration computes W elements. Values of 64 bits take a whole vector register when the
// stage has any ("wide"), and then those of 32 bits take half of one; narrower integers are kept
// sign- or zero-extended in 32-bit lanes. Booleans are k registers (AVX-512) or lane masks as wide
// as the widest element (AVX2). A scalar function is a stage of xmm registers without a loop.
//
// Registers. The body is SSA in execution order, so allocation and emission are one forward pass: a
// value gets a register at its definition, keeps it until its last use, and when there is none
// left, the one whose next use is farthest goes to its stack slot (values never change, so a slot
// once written stays valid). Loop arguments and If results have fixed homes. Where control flow
// meets (loop heads, ends of branches), what was in registers on entry is brought back.
//
// Interleaving. A stage with a loop per lane may compute several vectors in one iteration: its body
// holds parts (interleave.hpp), each with an active mask of its own.
//
// Masks. `active` is the set of lanes that run: all, but in the last iteration and inside Loop and
// If regions. Stores, gathers, status and updates of loop arguments look at it; arithmetic does
// not.
#pragma once

#include <asmjit/x86.h>

#include <array>
#include <span>
#include <string>
#include <vector>

#include "lattice/jit/codegen/internal/interleave.hpp"
#include "lattice/jit/codegen/isa.hpp"
#include "lattice/jit/ir/stage.hpp"

namespace lattice::jit::internal {

namespace x86 = asmjit::x86;

class X86Stage : public asmjit::ErrorHandler {
 public:
  // `is_scalar`: ScalarFn instead of StageFn.
  // What may use many registers, from the fastest to what always has enough of them.
  enum class Effort : uint8_t {
    Interleaved,  // several vectors side by side where that pays
    Plain,        // one vector; arguments of loops in registers
    Frugal,       // arguments of loops in the frame
  };
  X86Stage(const Stage& stage, std::span<const StrideClass> strides, Isa isa, bool is_scalar,
           Effort effort = Effort::Interleaved);

  // Position-independent bytes; empty on refusal, then why() says what it was.
  [[nodiscard]] std::vector<std::byte> compile(asmjit::Logger* logger = nullptr);
  [[nodiscard]] const std::string& why() const noexcept { return why_; }
  [[nodiscard]] bool lacks_registers() const noexcept { return lacks_registers_; }
  [[nodiscard]] int lanes() const noexcept { return lanes_ * parts_; }

  void handleError(asmjit::Error error, const char* message, asmjit::BaseEmitter*) override;

 private:
  using NodeId = ir::NodeId;
  using Node = ir::Node;
  using Operand = asmjit::Operand;

  enum class Class : uint8_t { None, Wide, Narrow, Mask };
  enum Bank : uint8_t { kVec, kPredicate };

  struct Value {
    int8_t reg = -1;
    Class cls = Class::None;
    bool slot_valid = false;
    bool is_fixed = false;  // a home: stays where it is
    bool is_invariant = false;
    int32_t slot = -1;               // frame offset
    mutable uint32_t first_use = 0;  // what lies ahead of it in uses_
    uint32_t end_use = 0;
    uint32_t use_count = 0;
    uint32_t last = 0;  // position of the last use, loops considered
  };
  struct Held {  // a value in a register where control flow forks
    NodeId value;
    int8_t reg;
    bool slot_valid;
  };
  struct LoopState {
    ir::RegionId region;
    asmjit::Label exit;
    std::vector<int> parts;  // that run it
    size_t exits_left;       // not emitted yet, one a part
    std::vector<Held> at_exit;
  };
  // An element pointer, of an operand or an output: in a register, or in the frame.
  struct Pointer {
    int8_t reg = -1;
    int32_t slot = -1;
    int32_t buffer = -1;  // frame offset of the padded copy of the last elements, part after part
    int32_t stride_slot = -1;   // Strided: bytes per element, the buffer's in the last iteration
    int32_t offsets_slot = -1;  // Strided: byte offset of each lane, 64 bits each
    StrideClass stride = StrideClass::Contiguous;
    Type type = Type::F64;
    bool is_output = false;
    uint16_t index = 0;  // into StageCall::in or ::out
  };
  struct Constant {
    Bits bits;
    int32_t offset;
    bool is_narrow;
  };

  // --- analysis (x86_stage.cpp) ---
  void choose_width();
  void divide_into_parts();
  void analyse();
  void mark_invariants();
  void number_region(ir::RegionId region);
  void note_use(NodeId value, ir::RegionId region, uint32_t position);
  void collect_uses(ir::RegionId region, std::vector<std::pair<NodeId, uint32_t>>& uses);
  Class class_of(Type type) const noexcept;
  bool is_memory_constant(NodeId value) const noexcept;
  bool is_reloadable(NodeId value) const noexcept;

  // --- loops (x86_loops.cpp) ---
  // Where a node is emitted: in its place; at its loop's Exit, as part of the condition; at the end
  // of the round, straight to the argument's home; with each Fma that reads it (negations).
  enum class Defer : uint8_t { No, ToExit, ToHome, ToFma };
  void plan_negations(std::span<const uint32_t> use_counts);
  void plan_loops();
  void plan_loop(ir::RegionId region, std::span<const uint32_t> use_counts);
  void plan_exit(NodeId exit, NodeId condition, std::span<const uint32_t> use_counts);
  void prove_sums();
  bool is_proven(NodeId sum, NodeId condition) const;
  bool may_go_home(NodeId next, size_t index, const ir::Region& region) const;
  void emit_to_home(NodeId id, NodeId home);
  int home_reserve(ir::RegionId region) const;

  // --- registers (x86_registers.cpp) ---
  Bank bank_of(Class cls) const noexcept;
  int value_bytes(Class cls) const noexcept;
  x86::Vec vec(int reg, Class cls) const noexcept;
  x86::Vec vec_bytes(int reg, int bytes) const noexcept;
  uint32_t next_use(NodeId value) const noexcept;
  int take_register(Bank bank);
  void evict(Bank bank, int reg);
  void store_to_slot(NodeId value);
  int32_t new_slot(int bytes);
  int temp(Class cls);  // until end_node()
  void release_temps(size_t kept);
  int define(NodeId value);       // its register; operands that died are free for it
  int use(NodeId value);          // in a register, kept there until end_node()
  Operand use_any(NodeId value);  // register or memory, for the last source of an instruction
  x86::Mem slot_memory(NodeId value) const noexcept;
  void release(NodeId value);
  void release_dead_operands();
  void end_node();
  void end_step();
  void touch(NodeId value) { touched_.push_back(value); }
  [[nodiscard]] bool is_fixed_in_register(NodeId value) const noexcept;
  [[nodiscard]] int part_of(NodeId value) const noexcept {
    return parts_ == 1 ? 0 : expanded_.parts[value];
  }
  std::vector<Held> snapshot() const;
  void restore(const std::vector<Held>& state, bool is_loop_end);
  void set_state(const std::vector<Held>& state);
  void drop(NodeId value);
  bool is_dead(NodeId value, uint32_t position) const noexcept;

  // --- constants ---
  static Bits extended(Bits bits, Type type) noexcept;
  int32_t new_constant(Bits bits, Class cls);
  x86::Mem memory_of_constant(NodeId value);
  void load_value(NodeId value, int reg);
  x86::Mem constant(Bits bits, Class cls);  // a source operand: broadcast, or replicated for AVX2
  x86::Mem constant_bytes(const void* bytes, size_t count, int alignment);
  x86::Mem broadcast(x86::Mem element, Class cls) const noexcept;
  int load_constant(Bits bits, Class cls);  // into a temp
  void load_constant_to(int reg, Bits bits, Class cls);

  // --- structure (x86_stage.cpp) ---
  void emit_prologue();
  void emit_iteration();
  void emit_epilogue();
  void emit_region(ir::RegionId region);
  void emit_node(NodeId id);
  void emit_loop(NodeId id);
  void emit_exit(NodeId id);
  void emit_if(NodeId id);
  bool has_registers(Bank bank, int count) const noexcept;
  void make_home(NodeId value, int reserve);
  void set_home(NodeId home, NodeId from, bool masked);
  void set_home_register(NodeId home, int source, bool masked);
  [[nodiscard]] std::vector<NodeId> results_of(NodeId owner, size_t count) const;
  void finish_home(NodeId home, NodeId result);
  void prepare_for_loop(uint32_t end);

  // --- the active mask ---
  x86::KReg active_k() const noexcept { return x86::KReg(static_cast<uint32_t>(1 + part_)); }
  x86::Mem active_memory() const noexcept {
    return x86::ptr(x86::rsp, active_slot_ + part_ * vec_bytes_);
  }
  int32_t save_active();
  void load_active(int32_t slot);
  int active();  // a register that holds it (AVX2: a temp)
  void and_active(NodeId condition);
  void test_active(std::span<const int> parts);  // sets the zero flag when no lane is left
  void and_not_active(int32_t saved, NodeId condition, asmjit::Label if_none);
  void raise(int mask_reg, uint32_t status);  // status |= where mask & active
  void raise_bits(const x86::Gp& lanes, uint32_t status);

  // --- memory (x86_memory.cpp) ---
  void assign_pointers();
  void load_scalars();
  void start_pointers();
  void enter_tail();
  void leave_tail();
  void write_offsets(const Pointer& pointer);
  int tail_byte_mask(Type type);
  void copy_elements(int bytes, bool strided_from, bool strided_to);
  void load_param(NodeId id, int dst);
  x86::Mem param_memory(NodeId id);              // REQUIRES: loads_plainly(id)
  bool loads_plainly(NodeId id) const noexcept;  // contiguous, of 4 or 8 bytes, no bool
  void store_outputs();
  void store_output(size_t index, int reg);
  x86::Mem element_address(const Pointer& pointer, int part);
  void load_lookup(NodeId id);
  void permute_table(int dst, int index, int32_t offset, size_t count);
  void load_gather(NodeId id);
  void lane_index(NodeId id);
  int wide_index(NodeId id);
  void unpin(NodeId value) noexcept;
  void gather(int dst, Class cls, const x86::Mem& from, bool masked);

  // --- operations (x86_ops.cpp, x86_casts.cpp) ---
  enum Bitwise { kAnd, kOr, kXor, kAndNot };  // kAndNot: ~a & b
  enum Predicate { kEq, kLt, kLe, kNe, kUnordered };
  static Predicate predicate_of(Op op) noexcept {
    return op == Op::Eq ? kEq : op == Op::Ne ? kNe : op == Op::Lt ? kLt : kLe;
  }
  static uint32_t arithmetic_id(Op op, Type type) noexcept;
  void emit_op(NodeId id);
  void emit_unary(NodeId id);
  void emit_binary(NodeId id);
  void emit_bool(NodeId id);
  void emit_compare(NodeId id);
  void emit_test(NodeId id);
  void emit_select(NodeId id);
  void emit_fma(NodeId id);
  void emit_min_max(NodeId id);
  void emit_shift(NodeId id);
  void emit_mul(NodeId id);
  void emit_mul_high(NodeId id);
  void emit_int_division(NodeId id);
  void emit_int_pow(NodeId id);
  void emit_clz(NodeId id);
  void emit_scale(NodeId id);
  void emit_logb(NodeId id);
  void emit_mantissa(NodeId id);
  void emit_cast(NodeId id);
  void cast_int_to_int(NodeId id);
  void cast_int_to_float(NodeId id);
  void cast_float_to_int(NodeId id);
  template <class Emit>
  void per_lane(NodeId id, Emit emit);
  int take_over(NodeId id, NodeId operand);
  [[nodiscard]] bool dies_in_register(NodeId operand) const noexcept;
  void check_add_sub(NodeId id, int a, int b, int result);
  void normalise(Type type, int reg, int from);
  void mul64(int dst, int a, int b);
  void round_to(int dst, const Operand& from, Type type, int mode);
  void blend(int dst, int mask, const Operand& yes, int no, Class cls);  // dst may be `no`
  int narrow_mask(int mask);  // AVX2: 64-bit lanes to 32-bit lanes
  int mask_for(int mask, Class cls);
  void compare(int dst_mask, int a, const Operand& b, Type type, Predicate predicate);
  void copy(int dst, int src, Class cls);
  void bitwise(Bitwise which, int dst, int a, const Operand& b, Class cls);
  int32_t spill_to_frame(int reg, Class cls);
  void refuse(std::string why);

  bool is_avx512() const noexcept { return isa_ == Isa::Avx512; }
  const Node& node(NodeId id) const noexcept { return body().nodes[id]; }
  const ir::Function& body() const noexcept { return *source_; }

  template <class... Operands>
  void op(uint32_t id, const Operands&... operands) {
    asm_.emit(id, operands...);
  }
  // Temps of a scope.
  struct TempScope {
    explicit TempScope(X86Stage& owner) : stage(owner), kept(owner.temps_.size()) {}
    TempScope(const TempScope&) = delete;
    TempScope& operator=(const TempScope&) = delete;
    ~TempScope() { stage.release_temps(kept); }
    X86Stage& stage;
    size_t kept;
  };

  void with_mask(int k) { asm_.k(x86::KReg(static_cast<uint32_t>(k))); }

  const Stage& stage_;
  const ir::Function* source_;  // the stage's body, or expanded_'s
  std::span<const StrideClass> strides_;
  bool streams_ = false;  // outputs are of class Stream
  Isa isa_;
  bool is_scalar_;
  Effort effort_;
  bool lacks_registers_ = false;
  int parts_ = 1;
  int part_ = 0;  // of the node at hand: whose active mask counts
  Interleaved expanded_;
  bool is_wide_ = false;
  int vec_bytes_ = 64;
  int lanes_ = 8;
  std::string why_;

  asmjit::CodeHolder code_;
  x86::Assembler asm_;

  std::vector<Value> values_;
  std::vector<uint32_t> uses_;                      // positions, by value
  std::vector<uint32_t> position_;                  // of each node
  std::vector<uint32_t> region_end_;                // position behind each region
  std::vector<Defer> defer_;                        // by node
  std::vector<bool> is_proven_sum_;                 // by node: checked, and cannot overflow
  std::vector<std::pair<NodeId, NodeId>> results_;  // (owner, Result node), sorted
  uint32_t now_ = 0;
  uint32_t end_ = 0;

  std::array<uint32_t, 2> free_{};
  std::array<uint32_t, 2> pinned_{};
  std::array<uint32_t, 2> fixed_{};
  std::array<std::array<NodeId, 32>, 2> owner_{};
  std::vector<NodeId> touched_;
  std::vector<std::pair<Bank, int>> temps_;
  std::vector<LoopState> loops_;

  asmjit::Label pool_;
  asmjit::Label nothing_;  // where a call without elements goes
  std::vector<std::byte> pool_bytes_;
  std::vector<Constant> constants_;
  std::vector<std::pair<const ir::Table*, uint32_t>> tables_;

  int32_t frame_ = 0;  // bytes of slots given out
  std::vector<std::pair<int32_t, int>> free_slots_;
  size_t frame_patch_ = 0;
  int32_t active_slot_ = -1;
  int32_t status_slot_ = -1;
  std::vector<Pointer> pointers_;  // Element operands that move, then outputs
  std::vector<int32_t>
      param_pointer_;        // by param: index into pointers_, -1: not an Element that moves
  size_t output_count_ = 0;  // of the stage: of one part
  size_t first_output_ = 0;  // of pointers_
  std::vector<int32_t> scalar_slots_;  // by param: the frame's copy; -1: the caller's array
  int32_t tail_slot_ = -1;             // elements of the last, partial iteration; 0 before it
  int32_t index_slot_ = -1;            // element index at the start of it
  int callee_saved_ = 0;
};

// Lane by lane in general registers: operands and result by way of the frame. `emit(lane, a, b,
// to)` may use rax, rcx, rdx, r10; r11 collects one bit a lane for raise_bits().
template <class Emit>
void X86Stage::per_lane(NodeId id, Emit emit) {
  const Node& n = node(id);
  const Class cls = values_[n.a].cls;
  const Class to_cls = values_[id].cls;
  const int32_t a = spill_to_frame(use(n.a), cls);
  const int32_t b = n.b == ir::kNone ? a : spill_to_frame(use(n.b), cls);
  const int32_t to = new_slot(value_bytes(to_cls));
  const int bytes = cls == Class::Wide ? 8 : 4;
  const int to_bytes = to_cls == Class::Wide ? 8 : 4;
  asm_.xor_(x86::r11d, x86::r11d);
  for (int lane = 0; lane < lanes_; ++lane) {
    const auto at = [&](int32_t slot, int size) {
      return x86::ptr(x86::rsp, slot + size * lane, static_cast<uint32_t>(size));
    };
    emit(lane, at(a, bytes), at(b, bytes), at(to, to_bytes));
  }
  const int dst = define(id);
  op(x86::Inst::kIdVmovups, vec(dst, to_cls), x86::ptr(x86::rsp, to));
  if (is_int(n.type) && byte_size(n.type) < 4) normalise(n.type, dst, dst);
  free_slots_.emplace_back(a, value_bytes(cls));
  if (b != a) free_slots_.emplace_back(b, value_bytes(cls));
  free_slots_.emplace_back(to, value_bytes(to_cls));
}

}  // namespace lattice::jit::internal
