// SSE data movement (interpreter: core/cpu/exec/sse_move.cpp).
#include "wasm_jit/frontend/families.h"
#include "wasm_jit/frontend/sse.h"

namespace lapwing::jit::family {

using namespace sse;

namespace {

bool must_be_aligned(Op op) {
  return op != Op::MOVUPS && op != Op::MOVUPD && op != Op::MOVDQU && op != Op::LDDQU;
}

Value from_low(Translator& t, unsigned size, Value value) {
  return with_low_lane(t, size, t.b().const128(0, 0), value);
}

}  // namespace

bool sse_move(Translator& t, const Instruction& in) {
  t.check_sse();
  const bool aligned = must_be_aligned(in.op);
  if (in.form != Form::kMR) {
    const bool copies = !in.rm_is_memory();
    const bool known[2] = {copies && t.is_ordinary(4, in.rm), copies && t.is_ordinary(8, in.rm)};
    write_xmm(t, in.reg, load_vector(t, in, aligned));
    if (known[0]) t.note_ordinary(4, in.reg);
    if (known[1]) t.note_ordinary(8, in.reg);
  } else if (in.rm_is_memory()) {
    t.b().guest_store(16, vector_address(t, in, aligned), read_xmm(t, in.reg), t.here());
  } else {
    write_xmm(t, in.rm, read_xmm(t, in.reg));
  }
  return true;
}

// MOVSS and MOVSD: between registers only the low part moves; a load clears the rest.
bool sse_move_scalar(Translator& t, const Instruction& in) {
  t.check_sse();
  const unsigned size = in.op == Op::MOVSD ? 8 : 4;
  if (in.form == Form::kMR) {
    const Value value = low_lane(t, size, read_xmm(t, in.reg));
    if (in.rm_is_memory()) {
      t.store(size, in.segment, t.effective_address(in), value);
    } else {
      write_xmm(t, in.rm, with_low_lane(t, size, read_xmm(t, in.rm), value));
    }
    return true;
  }
  const Value value = load_scalar(t, in, size);
  write_xmm(
      t, in.reg,
      in.rm_is_memory() ? from_low(t, size, value) : with_low_lane(t, size, read_xmm(t, in.reg), value));
  return true;
}

// Half a register and memory, or the other half of a register.
bool sse_move_half(Translator& t, const Instruction& in) {
  t.check_sse();
  Builder& b = t.b();
  const bool high = in.op == Op::MOVHPS || in.op == Op::MOVHPD || in.op == Op::MOVLHPS;
  const u8 lane = high ? 1 : 0;
  Value value;
  if (in.op == Op::MOVLHPS || in.op == Op::MOVHLPS) {
    value =
        b.simd(kExtractLane64, Type::kI64, read_xmm(t, in.rm), kNoValue, kNoValue, static_cast<u8>(1 - lane));
  } else if (in.form == Form::kMR) {
    value = b.simd(kExtractLane64, Type::kI64, read_xmm(t, in.reg), kNoValue, kNoValue, lane);
    t.store(8, in.segment, t.effective_address(in), value);
    return true;
  } else {
    value = t.load(8, in.segment, t.effective_address(in));
  }
  write_xmm(t, in.reg, b.simd(kReplaceLane64, Type::kV128, read_xmm(t, in.reg), value, kNoValue, lane));
  return true;
}

// A general register or memory, and the low part of an XMM register.
bool sse_move_general(Translator& t, const Instruction& in) {
  t.check_sse();
  const unsigned size = in.operand_size;
  if (in.form == Form::kMR) {
    t.write_rm(in, size, low_lane(t, size, read_xmm(t, in.reg)));
  } else {
    write_xmm(t, in.reg, from_low(t, size, t.read_rm(in, size)));
  }
  return true;
}

bool sse_movq(Translator& t, const Instruction& in) {
  t.check_sse();
  if (in.form != Form::kMR) {
    write_xmm(t, in.reg, from_low(t, 8, load_scalar(t, in, 8)));
    return true;
  }
  const Value value = low_lane(t, 8, read_xmm(t, in.reg));
  if (in.rm_is_memory()) {
    t.store(8, in.segment, t.effective_address(in), value);
  } else {
    write_xmm(t, in.rm, from_low(t, 8, value));
  }
  return true;
}

}  // namespace lapwing::jit::family
