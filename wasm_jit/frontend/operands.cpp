// Registers, addresses and memory operands.
#include "wasm_jit/frontend/translator.h"

namespace lapwing::jit {

namespace {

constexpr u64 mask_of(unsigned size) {
  return size == 8 ? ~0ull : (1ull << (8 * size)) - 1;
}

}  // namespace

Value Translator::zero_extend(unsigned size, Value value) {
  if (size >= 4) return value;
  return builder_.binary(IrOp::kAnd32, value, builder_.c32(static_cast<u32>(mask_of(size))));
}

Value Translator::sign_extend(unsigned size, Value value) {
  if (size >= 4) return value;
  return builder_.unary(size == 1 ? IrOp::kSext832 : IrOp::kSext1632, value);
}

Value Translator::widen(unsigned from, unsigned to, Value value, bool is_signed) {
  if (from < 4) value = is_signed ? sign_extend(from, value) : zero_extend(from, value);
  if (from < 8 && to == 8) value = builder_.unary(is_signed ? IrOp::kExtendS : IrOp::kExtendU, value);
  return value;
}

Value Translator::to_word(unsigned size, Value value) {
  return size != 8 && is_64_bit() ? builder_.unary(IrOp::kExtendU, value) : value;
}

Value Translator::from_word(unsigned size, Value value) {
  return size != 8 && is_64_bit() ? builder_.unary(IrOp::kWrap, value) : value;
}

Value Translator::read_reg(unsigned size, u8 slot) {
  const Value value = from_word(size, word_reg(slot >> 3));
  if ((slot & 7) == 0) return value;
  return builder_.binary(IrOp::kShrU32, value, builder_.c32(8));
}

void Translator::write_reg(unsigned size, u8 slot, Value value) {
  const Var var = static_cast<Var>(kVarGpr + (slot >> 3));
  if (size >= 4) return builder_.write(var, to_word(size, value));
  const unsigned shift = (slot & 7) == 0 ? 0 : 8;
  Value part = zero_extend(size, value);
  if (shift != 0) part = builder_.binary(IrOp::kShl32, part, builder_.c32(shift));
  const IrOp keep = wide(IrOp::kAnd32, is_64_bit());
  const Value rest = builder_.binary(keep, builder_.read(var), builder_.word(~(mask_of(size) << shift)));
  builder_.write(var, builder_.binary(wide(IrOp::kOr32, is_64_bit()), rest, to_word(4, part)));
}

Value Translator::effective_address(const Instruction& in) {
  const bool is_wide = is_64_bit();
  const IrOp add = wide(IrOp::kAdd32, is_wide);
  Value sum = kNoValue;
  if (in.base == kRipSlot) {
    sum = rip_value(source_.blocks[block_].rip_delta + in.disp);
  } else {
    if (in.base != kZeroSlot) sum = word_reg(in.base);
    if (in.index != kZeroSlot) {
      const Value scaled =
          builder_.binary(wide(IrOp::kShl32, is_wide), word_reg(in.index), builder_.word(in.scale));
      sum = sum == kNoValue ? scaled : builder_.binary(add, sum, scaled);
    }
    const Value disp = builder_.word(static_cast<u64>(static_cast<i64>(in.disp)));
    sum = sum == kNoValue ? disp : builder_.binary(add, sum, disp);
  }
  if (in.address_size == 2) return builder_.binary(wide(IrOp::kAnd32, is_wide), sum, builder_.word(0xFFFF));
  if (in.address_size == 4 && is_wide) return to_word(4, from_word(4, sum));
  return sum;
}

Value Translator::linear(u8 segment, Value offset) {
  if (segment >= kFlat) return offset;
  const u32 at = kStateLayout.segment + segment * kStateLayout.segment_size + kStateLayout.segment_base;
  if (is_64_bit()) return builder_.binary(IrOp::kAdd64, offset, builder_.load_state(Type::kI64, at));
  const Value simple = builder_.load_state(Type::kI32, kStateLayout.simple_segments);
  const Value bit = builder_.binary(IrOp::kAnd32, simple, builder_.c32(1u << segment));
  builder_.exit_if(builder_.unary(IrOp::kEqz32, bit), here());
  return builder_.binary(IrOp::kAdd32, offset, builder_.load_state(Type::kI32, at));
}

Value Translator::load(unsigned size, u8 segment, Value offset) {
  const Type type = size == 8 ? Type::kI64 : size == 16 ? Type::kV128 : Type::kI32;
  return builder_.guest_load(type, size, linear(segment, offset), here());
}

void Translator::store(unsigned size, u8 segment, Value offset, Value value) {
  builder_.guest_store(size, linear(segment, offset), value, here());
}

Value Translator::read_rm(const Instruction& in, unsigned size) {
  if (!in.rm_is_memory()) return read_reg(size, in.rm);
  return load(size, in.segment, effective_address(in));
}

void Translator::write_rm(const Instruction& in, unsigned size, Value value) {
  if (!in.rm_is_memory()) return write_reg(size, in.rm, value);
  store(size, in.segment, effective_address(in), value);
}

Translator::Target Translator::begin_modify_at(unsigned size, u8 segment, Value offset) {
  Target target;
  target.host = builder_.guest_place(size, linear(segment, offset), here());
  target.value = builder_.host_load(size == 8 ? Type::kI64 : Type::kI32, size, target.host);
  return target;
}

Translator::Target Translator::begin_modify(const Instruction& in, unsigned size) {
  if (in.rm_is_memory()) return begin_modify_at(size, in.segment, effective_address(in));
  return Target{.value = read_reg(size, in.rm)};
}

void Translator::commit(const Instruction& in, unsigned size, const Target& target, Value value) {
  if (target.host == kNoValue) return write_reg(size, in.rm, value);
  builder_.host_store(size, target.host, value);
}

}  // namespace lapwing::jit
