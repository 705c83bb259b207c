// What the SSE families share: XMM registers and their memory operands.
#pragma once

#include "wasm_jit/frontend/translator.h"

namespace lapwing::jit::sse {

// WebAssembly SIMD opcodes named in code.
constexpr u32 kXor = 81, kExtractLane32 = 27, kReplaceLane32 = 28, kExtractLane64 = 29, kReplaceLane64 = 30;

inline Value read_xmm(Translator& t, u8 number) {
  return t.b().read(static_cast<Var>(kVarXmm + number));
}
inline void write_xmm(Translator& t, u8 number, Value value) {
  t.b().write(static_cast<Var>(kVarXmm + number), value);
  t.forget_ordinary(number);
}

// The linear address of the memory operand; a misaligned one is left to the interpreter when it must not be.
inline Value vector_address(Translator& t, const Instruction& in, bool aligned) {
  const Value address = t.linear(in.segment, t.effective_address(in));
  if (aligned) {
    const Value low = t.b().binary(IrOp::kAnd32, t.from_word(4, address), t.b().c32(15));
    t.b().exit_if(low, t.here());
  }
  return address;
}

inline Value load_vector(Translator& t, const Instruction& in, bool aligned) {
  if (!in.rm_is_memory()) return read_xmm(t, in.rm);
  return t.b().guest_load(Type::kV128, 16, vector_address(t, in, aligned), t.here());
}

inline Value low_lane(Translator& t, unsigned size, Value xmm) {
  return size == 8 ? t.b().simd(kExtractLane64, Type::kI64, xmm)
                   : t.b().simd(kExtractLane32, Type::kI32, xmm);
}
inline Value with_low_lane(Translator& t, unsigned size, Value xmm, Value value) {
  return t.b().simd(size == 8 ? kReplaceLane64 : kReplaceLane32, Type::kV128, xmm, value);
}

// The scalar source: the register's low part or `size` bytes of memory.
inline Value load_scalar(Translator& t, const Instruction& in, unsigned size) {
  if (in.rm_is_memory()) return t.load(size, in.segment, t.effective_address(in));
  return low_lane(t, size, read_xmm(t, in.rm));
}

}  // namespace lapwing::jit::sse
