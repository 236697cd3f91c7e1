// SPDX-License-Identifier: MIT
// What both tiers execute: a stage is one fused loop over n elements of an inner axis.
//
// The scheduler cuts a Function into stages. The body of a stage is a Function in stage form: its
// params are the stage's operands, every node acts lane by lane (element-wise nodes, Loop, If,
// Gather from Source operands, Lookup, LaneIndex), and its outputs are stored element by element.
// There is no Reduce, Scan, View, Transpose, Iota, Extent or Scatter in a stage body: the driver
// (kernel.cpp) does outer axes, broadcasting, chunks, reductions and scans in C++ over tiles.
//
// Thread safety: a StageFn is pure code; one StageCall belongs to one thread.
#pragma once

#include <cstdint>
#include <vector>

#include "lattice/jit/ir/function.hpp"

namespace lattice::jit {

// Outcome of a run, in lanes that were active. The dispatcher turns them into Python's exceptions
// or NumPy's warnings.
enum StatusBits : uint32_t {
  kStatusIntOverflow = 1,    // a kChecked integer operation left its type
  kStatusZeroDivision = 2,   // a kChecked division (of floats too) by zero
  kStatusOutOfBounds = 4,    // Gather or Scatter with BoundsMode::Raise
  kStatusNegativePower = 8,  // IPow with a negative exponent
  // NumPy's warnings. Integer x // 0 counts as Divide and MIN // -1 as Overflow when not kChecked.
  kStatusFpInvalid = 16,
  kStatusFpDivide = 32,
  kStatusFpOverflow = 64,
  kStatusFpUnderflow = 128,
  kStatusGuard = 256,  // a Guard's condition was false
};

enum class OperandKind : uint8_t {
  Element,  // one element per lane: pointer and byte stride
  Scalar,   // one value for all lanes: Bits
  Source,   // an array that Gather indexes freely
};

struct StageOperand {
  OperandKind kind;
  Type type;
  uint8_t rank;   // Source: number of indices; otherwise 0
  uint16_t slot;  // index into the StageCall array of its kind
};

struct SourceArray {
  const void* base;
  int64_t extent[3];
  int64_t stride[3];  // bytes
};

struct StageCall {
  const void* const* in;      // by slot of Element operands
  const int64_t* in_stride;   // bytes; 0 broadcasts
  const Bits* scalar;         // by slot of Scalar operands
  const SourceArray* source;  // by slot of Source operands
  void* const* out;           // one per output of the body
  const int64_t* out_stride;  // bytes
  const int64_t* index;       // LaneIndex: index along axis k of lane 0 (axis 0 is the inner one)
  int64_t n;                  // lanes; 0 is allowed
  uint32_t status;            // or-ed into
};

// How an operand or output moves along the inner axis; machine code is specialised on it.
enum class StrideClass : uint8_t {
  Contiguous,  // stride == byte_size(type)
  Broadcast,   // stride == 0 (operands only)
  Strided,
  // Outputs only: contiguous, aligned to 64 bytes at lane 0, n a multiple of kStreamLanes; stored
  // past the caches where the machine can. The caller orders the stores (sfence).
  Stream,
};
inline constexpr int64_t kStreamLanes = 64;

// Memory rules that code may rely on: an output either does not overlap an Element operand, or
// starts at the same address with the same stride and size (in place); it never overlaps a Source.
// Pointers are aligned to the element's size at least.
using StageFn = void (*)(StageCall*);

// A function whose params and outputs are all scalars, as one call. Returns status bits.
using ScalarFn = uint32_t (*)(const Bits* args, Bits* results);

struct Stage {
  ir::Function body;                   // in stage form
  std::vector<StageOperand> operands;  // parallel to body.params
};

}  // namespace lattice::jit
