// SSE integer and logic instructions on XMM registers as WebAssembly SIMD (interpreter:
// core/cpu/exec/sse_integer.cpp, sse_shift.cpp, sse_shuffle.cpp). MMX forms go to their handlers.
#include "wasm_jit/frontend/families.h"
#include "wasm_jit/frontend/sse.h"

namespace lapwing::jit::family {

using namespace sse;

namespace {

struct SimdRow {
  u8 opcode = 0;
  bool swapped = false;
};

struct SimdTable {
  SimdRow of[static_cast<unsigned>(Op::kCount)] = {};
  constexpr SimdTable() {
#define SIMD(op, opcode) of[static_cast<unsigned>(Op::op)] = {opcode, false};
#define SIMD_SWAPPED(op, opcode) of[static_cast<unsigned>(Op::op)] = {opcode, true};
#include "wasm_jit/frontend/sse.inc"
#undef SIMD
#undef SIMD_SWAPPED
  }
};
constexpr SimdTable kSimd;

// Lanes of a shuffle in units of `bytes`, from lane numbers (those of the second operand follow the first's).
template <class Lane>
Value shuffle_units(Translator& t, Value a, Value b, unsigned bytes, Lane lane) {
  u8 lanes[16];
  for (unsigned i = 0; i < 16; ++i) lanes[i] = static_cast<u8>(lane(i / bytes) * bytes + i % bytes);
  return t.b().shuffle(a, b, lanes);
}

}  // namespace

bool sse_simd(Translator& t, const Instruction& in) {
  if (in.operand_size != 16) return handler(t, in);
  t.check_sse();
  const SimdRow row = kSimd.of[static_cast<unsigned>(in.op)];
  const Value source = load_vector(t, in, true);
  const Value target = read_xmm(t, in.reg);
  const Value result = row.swapped ? t.b().simd(row.opcode, Type::kV128, source, target)
                                   : t.b().simd(row.opcode, Type::kV128, target, source);
  const bool is_zero = row.opcode == kXor && !in.rm_is_memory() && in.rm == in.reg;
  write_xmm(t, in.reg, is_zero ? t.b().const128(0, 0) : result);
  return true;
}

bool sse_unpack(Translator& t, const Instruction& in) {
  if (in.operand_size != 16) return handler(t, in);
  unsigned bytes = 1;
  bool high = false;
  switch (in.op) {
    case Op::PUNPCKHBW: high = true; break;
    case Op::PUNPCKHWD: high = true; [[fallthrough]];
    case Op::PUNPCKLWD: bytes = 2; break;
    case Op::PUNPCKHDQ:
    case Op::UNPCKHPS: high = true; [[fallthrough]];
    case Op::PUNPCKLDQ:
    case Op::UNPCKLPS: bytes = 4; break;
    case Op::PUNPCKHQDQ:
    case Op::UNPCKHPD: high = true; [[fallthrough]];
    case Op::PUNPCKLQDQ:
    case Op::UNPCKLPD: bytes = 8; break;
    default: break;
  }
  t.check_sse();
  const Value source = load_vector(t, in, true);
  const unsigned count = 16 / bytes;
  const unsigned first = high ? count / 2 : 0;
  const auto lane = [&](unsigned i) { return first + i / 2 + (i % 2 != 0 ? count : 0); };
  write_xmm(t, in.reg, shuffle_units(t, read_xmm(t, in.reg), source, bytes, lane));
  return true;
}

bool sse_shuffle(Translator& t, const Instruction& in) {
  if (in.operand_size != 16) return handler(t, in);
  t.check_sse();
  const auto imm = static_cast<unsigned>(in.imm);
  const Value source = load_vector(t, in, true);
  const Value target = read_xmm(t, in.reg);
  const auto two_bits = [imm](unsigned i) { return (imm >> (2 * i)) & 3; };
  Value result;
  switch (in.op) {
    case Op::PSHUFD: result = shuffle_units(t, source, source, 4, two_bits); break;
    case Op::PSHUFLW:
      result = shuffle_units(t, source, source, 2, [&](unsigned i) { return i < 4 ? two_bits(i) : i; });
      break;
    case Op::PSHUFHW:
      result =
          shuffle_units(t, source, source, 2, [&](unsigned i) { return i < 4 ? i : 4 + two_bits(i - 4); });
      break;
    case Op::SHUFPS:
      result = shuffle_units(t, target, source, 4, [&](unsigned i) { return two_bits(i) + (i < 2 ? 0 : 4); });
      break;
    case Op::SHUFPD:
      result = shuffle_units(t, target, source, 8, [&](unsigned i) { return ((imm >> i) & 1) + 2 * i; });
      break;
    default: {  // PALIGNR: the target lies above the source
      if (imm >= 32) {
        result = t.b().const128(0, 0);
        break;
      }
      const Value zero = t.b().const128(0, 0);
      result = imm <= 16 ? shuffle_units(t, source, target, 1, [&](unsigned i) { return i + imm; })
                         : shuffle_units(t, target, zero, 1, [&](unsigned i) { return i + imm - 16; });
    }
  }
  write_xmm(t, in.reg, result);
  return true;
}

// Shifts by an immediate count; whole-register shifts. A count in a register goes to the handler.
bool sse_shift(Translator& t, const Instruction& in) {
  if (in.operand_size != 16 || in.form != Form::kMI) return handler(t, in);
  t.check_sse();
  Builder& b = t.b();
  const auto count = static_cast<u32>(in.imm & 0xFF);
  const Value value = read_xmm(t, in.rm);
  const Value zero = b.const128(0, 0);
  const auto by = [&](u32 opcode, u32 width, bool arithmetic) {
    if (count >= width && !arithmetic) return zero;
    return b.simd(opcode, Type::kV128, value, b.c32(count >= width ? width - 1 : count));
  };
  Value result;
  switch (in.op) {
    case Op::PSLLW: result = by(139, 16, false); break;
    case Op::PSRAW: result = by(140, 16, true); break;
    case Op::PSRLW: result = by(141, 16, false); break;
    case Op::PSLLD: result = by(171, 32, false); break;
    case Op::PSRAD: result = by(172, 32, true); break;
    case Op::PSRLD: result = by(173, 32, false); break;
    case Op::PSLLQ: result = by(203, 64, false); break;
    case Op::PSRLQ: result = by(205, 64, false); break;
    case Op::PSLLDQ:
      result =
          count > 15 ? zero : shuffle_units(t, zero, value, 1, [&](unsigned i) { return 16 + i - count; });
      break;
    default:
      result = count > 15 ? zero : shuffle_units(t, value, zero, 1, [&](unsigned i) { return i + count; });
  }
  write_xmm(t, in.rm, result);
  return true;
}

bool sse_mask(Translator& t, const Instruction& in) {
  if (in.op == Op::PMOVMSKB && in.operand_size != 16) return handler(t, in);
  t.check_sse();
  const u32 opcode = in.op == Op::PMOVMSKB ? 100 : in.op == Op::MOVMSKPS ? 164 : 196;
  t.write_reg(4, in.reg, t.b().simd(opcode, Type::kI32, read_xmm(t, in.rm)));
  return true;
}

}  // namespace lapwing::jit::family
