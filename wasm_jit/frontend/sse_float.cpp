// SSE arithmetic on host floating point under the conditions of core/cpu/fpu/fast_sse.h: round to nearest,
// inexactness recorded and masked, no denormal operand, result safe or an exact zero. Whatever fails them is
// left to the interpreter.
#include "core/cpu/fpu/fast_sse.h"
#include "wasm_jit/frontend/families.h"
#include "wasm_jit/frontend/sse.h"

namespace lapwing::jit {

void Translator::check_mxcsr() {
  if (mxcsr_checked_) return;
  mxcsr_checked_ = true;
  const Value mxcsr = builder_.load_state(Type::kI32, kStateLayout.mxcsr);
  const Value relevant = builder_.binary(IrOp::kAnd32, mxcsr, builder_.c32(fast_sse::kConditionMask));
  builder_.exit_if(builder_.binary(IrOp::kNe32, relevant, builder_.c32(fast_sse::kCondition)), here());
}

namespace family {

using namespace sse;

namespace {

// WebAssembly opcodes on scalars, binary64 and binary32.
struct FloatOps {
  u8 add, subtract, multiply, divide, square_root, equal, less, from_bits, to_bits;
};
constexpr FloatOps kDouble{0xA0, 0xA1, 0xA2, 0xA3, 0x9F, 0x61, 0x63, 0xBF, 0xBD};
constexpr FloatOps kSingle{0x92, 0x93, 0x94, 0x95, 0x91, 0x5B, 0x5D, 0xBE, 0xBC};

struct Scalar {
  Translator& t;
  unsigned size;  // 4 or 8

  const FloatOps& ops() const { return size == 8 ? kDouble : kSingle; }
  Type float_type() const { return size == 8 ? Type::kF64 : Type::kF32; }
  Type bits_type() const { return size == 8 ? Type::kI64 : Type::kI32; }
  unsigned fraction() const { return size == 8 ? 52 : 23; }
  u64 exponents() const { return size == 8 ? 0x7FF : 0xFF; }
  Value from_bits(Value bits) const { return t.b().float_op(ops().from_bits, float_type(), bits); }
  Value to_bits(Value value) const { return t.b().float_op(ops().to_bits, bits_type(), value); }
  Value compute(u8 op, Value a, Value b) const {
    return to_bits(t.b().float_op(op, float_type(), from_bits(a), from_bits(b)));
  }
  Value compare(u8 op, Value a, Value b) const {
    return t.b().float_op(op, Type::kI32, from_bits(a), from_bits(b));
  }
  // The word with sign and exponent, without the sign.
  Value high_magnitude(Value bits) const {
    if (size == 4) return magnitude(bits);
    const Value high = t.b().unary(IrOp::kWrap, t.b().binary(IrOp::kShrU64, bits, t.b().c64(32)));
    return t.b().binary(IrOp::kShl32, high, t.b().c32(1));
  }
  u32 exponent_bit() const { return size == 8 ? 1u << 21 : 1u << 24; }
  void refuse_denormal(Value bits) const {
    const Value normal = t.b().binary(IrOp::kGeU32, high_magnitude(bits), t.b().c32(exponent_bit()));
    t.b().exit_unless(normal, is_zero(magnitude(bits)), t.here());
  }
  // Exponent field in [2, all ones), or the zero is right.
  void require_safe(Value bits, Value exact_zero) const {
    const Value above = t.b().binary(IrOp::kSub32, high_magnitude(bits), t.b().c32(2 * exponent_bit()));
    const Value limit = t.b().c32(static_cast<u32>(exponents() - 2) * exponent_bit());
    t.b().exit_unless(t.b().binary(IrOp::kLtU32, above, limit), exact_zero, t.here());
  }
  // Without the sign.
  Value magnitude(Value bits) const { return t.op(IrOp::kShl32, size, bits, t.number(size, 1)); }
  Value is_zero(Value magnitude) const { return t.op(IrOp::kEqz32, size, magnitude); }
  // Exponent field in [lowest, all ones).
  Value is_normal(Value magnitude, u64 lowest) const {
    const unsigned shift = fraction() + 1;
    const Value above = t.op(IrOp::kSub32, size, magnitude, t.number(size, lowest << shift));
    return t.op(IrOp::kLtU32, size, above, t.number(size, (exponents() - lowest) << shift));
  }
  Value is_normal_or_zero(Value bits) const {
    const Value m = magnitude(bits);
    return either(is_normal(m, 1), is_zero(m));
  }
  Value either(Value a, Value b) const { return t.b().binary(IrOp::kOr32, a, b); }
  Value both(Value a, Value b) const { return t.b().binary(IrOp::kAnd32, a, b); }
  void require(Value holds) const { t.b().exit_if(t.b().unary(IrOp::kEqz32, holds), t.here()); }
  void require_ordinary(Value a, Value b) const { require(both(is_normal_or_zero(a), is_normal_or_zero(b))); }
};

enum class Arithmetic : u8 { kAdd, kSubtract, kMultiply, kDivide };

// A NaN or infinite operand makes a result that is not safe, so operands are checked for denormals alone.
// Those that are known to be none are not looked at.
Value arithmetic(const Scalar& s, Arithmetic what, Value a, Value b, bool a_known, bool b_known) {
  const FloatOps& ops = s.ops();
  const Value ma = s.magnitude(a);
  const Value mb = s.magnitude(b);
  if (!a_known) s.refuse_denormal(a);
  if (!b_known) s.refuse_denormal(b);
  u8 op = ops.add;
  if (what == Arithmetic::kSubtract) op = ops.subtract;
  if (what == Arithmetic::kMultiply) op = ops.multiply;
  if (what == Arithmetic::kDivide) op = ops.divide;
  const Value result = s.compute(op, a, b);
  Value exact_zero = s.is_zero(s.magnitude(result));
  if (what == Arithmetic::kMultiply) exact_zero = s.both(exact_zero, s.either(s.is_zero(ma), s.is_zero(mb)));
  if (what == Arithmetic::kDivide) exact_zero = s.both(exact_zero, s.is_zero(ma));
  s.require_safe(result, exact_zero);
  return result;
}

void prepare(Translator& t) {
  t.check_sse();
  t.check_mxcsr();
}

}  // namespace

bool sse_arithmetic(Translator& t, const Instruction& in) {
  prepare(t);
  const Scalar s{t, in.operand_size};
  const Value b = load_scalar(t, in, s.size);
  const Value target = read_xmm(t, in.reg);
  const Value a = low_lane(t, s.size, target);
  Arithmetic what = Arithmetic::kAdd;
  switch (in.op) {
    case Op::SUBSS:
    case Op::SUBSD: what = Arithmetic::kSubtract; break;
    case Op::MULSS:
    case Op::MULSD: what = Arithmetic::kMultiply; break;
    case Op::DIVSS:
    case Op::DIVSD: what = Arithmetic::kDivide; break;
    default: break;
  }
  const bool b_known = !in.rm_is_memory() && t.is_ordinary(s.size, in.rm);
  const Value result = arithmetic(s, what, a, b, t.is_ordinary(s.size, in.reg), b_known);
  write_xmm(t, in.reg, with_low_lane(t, s.size, target, result));
  t.note_ordinary(s.size, in.reg);
  return true;
}

bool sse_square_root(Translator& t, const Instruction& in) {
  prepare(t);
  const Scalar s{t, in.operand_size};
  const Value b = load_scalar(t, in, s.size);
  const Value negative = t.op(IrOp::kLtS32, s.size, b, t.number(s.size, 0));
  s.require(s.both(s.is_normal_or_zero(b), t.b().unary(IrOp::kEqz32, negative)));
  const Value root = s.to_bits(t.b().float_op(s.ops().square_root, s.float_type(), s.from_bits(b)));
  write_xmm(t, in.reg, with_low_lane(t, s.size, read_xmm(t, in.reg), root));
  t.note_ordinary(s.size, in.reg);
  return true;
}

// The second operand unless the first is less (or greater).
bool sse_min_max(Translator& t, const Instruction& in) {
  t.check_sse();
  const Scalar s{t, in.operand_size};
  const Value b = load_scalar(t, in, s.size);
  const Value target = read_xmm(t, in.reg);
  const Value a = low_lane(t, s.size, target);
  s.require_ordinary(a, b);
  const bool minimum = in.op == Op::MINSS || in.op == Op::MINSD;
  const Value first = minimum ? s.compare(s.ops().less, a, b) : s.compare(s.ops().less, b, a);
  write_xmm(t, in.reg, with_low_lane(t, s.size, target, t.b().select(a, b, first)));
  return true;
}

bool sse_compare_flags(Translator& t, const Instruction& in) {
  t.check_sse();
  const Scalar s{t, in.operand_size};
  const Value b = load_scalar(t, in, s.size);
  const Value a = low_lane(t, s.size, read_xmm(t, in.reg));
  s.require_ordinary(a, b);
  const Value zf = s.compare(s.ops().equal, a, b);
  const Value cf = s.compare(s.ops().less, a, b);
  // As set_cf_zf_only() in bit.cpp.
  const Value flip = t.b().binary(IrOp::kShl32, zf, t.b().c32(8));
  const Value carries = t.b().binary(IrOp::kMul32, cf, t.b().c32(0xC0000000));
  t.set_canonical(4, t.b().binary(IrOp::kXor32, zf, t.b().c32(1)), s.either(flip, carries));
  return true;
}

bool sse_from_integer(Translator& t, const Instruction& in) {
  prepare(t);
  const bool to_double = in.op == Op::CVTSI2SD;
  const Scalar s{t, to_double ? 8u : 4u};
  const Value integer = t.read_rm(in, in.operand_size);
  const u8 op = to_double ? (in.operand_size == 8 ? 0xB9 : 0xB7) : (in.operand_size == 8 ? 0xB4 : 0xB2);
  const Value bits = s.to_bits(t.b().float_op(op, s.float_type(), integer));
  write_xmm(t, in.reg, with_low_lane(t, s.size, read_xmm(t, in.reg), bits));
  t.note_ordinary(s.size, in.reg);
  return true;
}

// Truncation or rounding to nearest; what does not fit is left to the interpreter.
bool sse_to_integer(Translator& t, const Instruction& in) {
  prepare(t);
  const bool from_double = in.op == Op::CVTTSD2SI || in.op == Op::CVTSD2SI;
  const bool truncates = in.op == Op::CVTTSD2SI || in.op == Op::CVTTSS2SI;
  const Scalar s{t, from_double ? 8u : 4u};
  Builder& b = t.b();
  Value value = s.from_bits(load_scalar(t, in, s.size));
  if (!truncates) value = b.float_op(from_double ? 0x9E : 0x90, s.float_type(), value);
  // |value| < 2^31 or 2^63.
  const Value size_of_value = b.float_op(from_double ? 0x99 : 0x8B, s.float_type(), value);
  const u64 limit_bits = from_double ? (in.operand_size == 8 ? 0x43E0000000000000 : 0x41E0000000000000)
                                     : (in.operand_size == 8 ? 0x5F000000 : 0x4F000000);
  const Value limit = s.from_bits(t.number(s.size, limit_bits));
  s.require(b.float_op(s.ops().less, Type::kI32, size_of_value, limit));
  const u8 op = from_double ? (in.operand_size == 8 ? 0xB0 : 0xAA) : (in.operand_size == 8 ? 0xAE : 0xA8);
  t.write_reg(in.operand_size, in.reg, b.float_op(op, in.operand_size == 8 ? Type::kI64 : Type::kI32, value));
  return true;
}

bool sse_change_precision(Translator& t, const Instruction& in) {
  prepare(t);
  const bool widens = in.op == Op::CVTSS2SD;
  const Scalar from{t, widens ? 4u : 8u};
  const Scalar to{t, widens ? 8u : 4u};
  const Value source = load_scalar(t, in, from.size);
  from.require(from.is_normal_or_zero(source));
  const Value result =
      to.to_bits(t.b().float_op(widens ? 0xBB : 0xB6, to.float_type(), from.from_bits(source)));
  if (!widens) {
    const Value zero = from.is_zero(from.magnitude(source));
    to.require(to.either(to.is_normal(to.magnitude(result), 2), zero));
  }
  write_xmm(t, in.reg, with_low_lane(t, to.size, read_xmm(t, in.reg), result));
  t.note_ordinary(to.size, in.reg);
  return true;
}

}  // namespace family
}  // namespace lapwing::jit
