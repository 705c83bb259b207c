// Multiplication and division (interpreter: core/cpu/exec/muldiv.h). What raises #DE, and 128-bit dividends,
// are left to the interpreter.
#include "wasm_jit/frontend/families.h"

namespace lapwing::jit::family {

namespace {

struct Product {
  Value low;
  Value high;
  Value overflow;  // 0 or 1
};

Product multiply_64(Translator& t, Value x, Value y, bool is_signed) {
  Builder& b = t.b();
  Product p{};
  p.low = b.binary(IrOp::kMul64, x, y);
  p.high = b.binary(is_signed ? IrOp::kMulHighS : IrOp::kMulHighU, x, y);
  const Value expected = is_signed ? b.binary(IrOp::kShrS64, p.low, b.c64(63)) : b.c64(0);
  p.overflow = b.binary(IrOp::kNe64, p.high, expected);
  return p;
}

// Halves as 32-bit values.
Product multiply_narrow(Translator& t, unsigned size, Value x, Value y, bool is_signed) {
  Builder& b = t.b();
  const IrOp extend = is_signed ? IrOp::kExtendS : IrOp::kExtendU;
  const auto operand = [&](Value v) { return is_signed ? t.sign_extend(size, v) : t.zero_extend(size, v); };
  Product p{};
  if (size == 4) {
    const Value product = b.binary(IrOp::kMul64, b.unary(extend, x), b.unary(extend, y));
    p.low = b.unary(IrOp::kWrap, product);
    p.high = b.unary(IrOp::kWrap, b.binary(IrOp::kShrU64, product, b.c64(32)));
    p.overflow = b.binary(IrOp::kNe64, product, b.unary(extend, p.low));
    return p;
  }
  const Value product = b.binary(IrOp::kMul32, operand(x), operand(y));
  p.low = product;
  p.high = b.binary(IrOp::kShrU32, product, b.c32(8 * size));
  p.overflow = b.binary(IrOp::kNe32, product, operand(product));
  return p;
}

Product multiply_values(Translator& t, unsigned size, Value x, Value y, bool is_signed) {
  const Product p = size == 8 ? multiply_64(t, x, y, is_signed) : multiply_narrow(t, size, x, y, is_signed);
  const Value overflow = size == 8 ? t.b().unary(IrOp::kExtendU, p.overflow) : p.overflow;
  t.set_flags(FlagClass::kMultiply, size, p.low, overflow);
  return p;
}

void write_pair(Translator& t, unsigned size, Value low, Value high) {
  t.write_reg(size, 8 * kRax, low);
  t.write_reg(size, size == 1 ? 8 * kRax + 1 : 8 * kRdx, high);
}

bool multiply_accumulator(Translator& t, const Instruction& in, bool is_signed) {
  const unsigned size = in.operand_size;
  const Value source = t.read_rm(in, size);
  const Product p = multiply_values(t, size, t.read_reg(size, 8 * kRax), source, is_signed);
  write_pair(t, size, p.low, p.high);
  return true;
}

// A 64-bit dividend or smaller, as 64 bits with its sign; the divisor likewise.
void divide_wide(Translator& t, unsigned size, Value dividend, Value divisor, bool is_signed) {
  Builder& b = t.b();
  b.exit_if(b.unary(IrOp::kEqz64, divisor), t.here());
  if (is_signed && size == 4) {
    // The one division that traps in wasm.
    const Value smallest = b.binary(IrOp::kEq64, dividend, b.c64(1ull << 63));
    const Value by_minus_one = b.binary(IrOp::kEq64, divisor, b.c64(~0ull));
    b.exit_if(b.binary(IrOp::kAnd32, smallest, by_minus_one), t.here());
  }
  const Value quotient = b.binary(is_signed ? IrOp::kDivS64 : IrOp::kDivU64, dividend, divisor);
  const Value remainder = b.binary(is_signed ? IrOp::kRemS64 : IrOp::kRemU64, dividend, divisor);
  const Value q = b.unary(IrOp::kWrap, quotient);
  const Value fits = t.widen(size, 8, q, is_signed);
  b.exit_if(b.binary(IrOp::kNe64, quotient, fits), t.here());
  write_pair(t, size, q, b.unary(IrOp::kWrap, remainder));
}

void divide_64(Translator& t, Value divisor, bool is_signed) {
  Builder& b = t.b();
  const Value low = t.read_reg(8, 8 * kRax);
  const Value high = t.read_reg(8, 8 * kRdx);
  const Value expected = is_signed ? b.binary(IrOp::kShrS64, low, b.c64(63)) : b.c64(0);
  b.exit_if(b.binary(IrOp::kNe64, high, expected), t.here());
  b.exit_if(b.unary(IrOp::kEqz64, divisor), t.here());
  if (is_signed) {
    const Value smallest = b.binary(IrOp::kEq64, low, b.c64(1ull << 63));
    const Value by_minus_one = b.binary(IrOp::kEq64, divisor, b.c64(~0ull));
    b.exit_if(b.binary(IrOp::kAnd32, smallest, by_minus_one), t.here());
  }
  const Value quotient = b.binary(is_signed ? IrOp::kDivS64 : IrOp::kDivU64, low, divisor);
  const Value remainder = b.binary(is_signed ? IrOp::kRemS64 : IrOp::kRemU64, low, divisor);
  write_pair(t, 8, quotient, remainder);
}

}  // namespace

bool multiply(Translator& t, const Instruction& in) {
  return multiply_accumulator(t, in, false);
}

bool imul(Translator& t, const Instruction& in) {
  const unsigned size = in.operand_size;
  if (in.form == Form::kM) return multiply_accumulator(t, in, true);
  const Value source = t.read_rm(in, size);
  const Value factor = in.form == Form::kRMI ? t.number(size, in.imm) : t.read_reg(size, in.reg);
  t.write_reg(size, in.reg, multiply_values(t, size, source, factor, true).low);
  return true;
}

bool divide(Translator& t, const Instruction& in) {
  const unsigned size = in.operand_size;
  const bool is_signed = in.op == Op::IDIV;
  Builder& b = t.b();
  const Value divisor = t.read_rm(in, size);
  if (size == 8) {
    divide_64(t, divisor, is_signed);
    return true;
  }
  Value dividend;
  if (size == 1) {
    dividend = t.widen(2, 8, t.read_reg(2, 8 * kRax), is_signed);
  } else {
    const Value low = t.zero_extend(size, t.read_reg(size, 8 * kRax));
    const Value high = t.widen(size, 8, t.read_reg(size, 8 * kRdx), is_signed);
    dividend =
        b.binary(IrOp::kOr64, b.binary(IrOp::kShl64, high, b.c64(8 * size)), b.unary(IrOp::kExtendU, low));
  }
  divide_wide(t, size, dividend, t.widen(size, 8, divisor, is_signed), is_signed);
  return true;
}

// The high half wins when both destinations are the same register.
bool mulx(Translator& t, const Instruction& in) {
  const unsigned size = in.operand_size;
  const Value source = t.read_rm(in, size);
  const Value factor = t.read_reg(size, 8 * kRdx);
  const Product p =
      size == 8 ? multiply_64(t, factor, source, false) : multiply_narrow(t, size, factor, source, false);
  t.write_reg(size, in.vex, p.low);
  t.write_reg(size, in.reg, p.high);
  return true;
}

}  // namespace lapwing::jit::family
