// Lazy status flags (wasm_jit/lazy_flags.h) in region variables, and conditions from them: inline where the
// kind is known, else by the core.
#include "wasm_jit/frontend/translator.h"

namespace lapwing::jit {

void Translator::set_flags(FlagClass flag_class, unsigned size, Value a, Value second, Value r) {
  kind_ = flag_kind(flag_class, size);
  kind_known_ = true;
  builder_.write(kVarFlagKind, builder_.c32(kind_));
  builder_.write(kVarFlagA, to_word(size, a));
  if (second != kNoValue) builder_.write(kVarFlagB, to_word(size, second));
  if (r != kNoValue) builder_.write(kVarFlagR, to_word(size, r));
}

void Translator::set_cf(Value cf) {
  const bool maybe_of = !kind_known_ || (kind_ & kFlagOfOverride) != 0;
  Value c = cf;
  if (maybe_of) {
    const Value of = builder_.binary(IrOp::kAnd32, builder_.read(kVarFlagC), builder_.c32(2));
    c = builder_.binary(IrOp::kOr32, of, cf);
  }
  if (kind_known_) {
    kind_ |= kFlagCfOverride;
    builder_.write(kVarFlagKind, builder_.c32(kind_));
  } else {
    kind_changed_ = true;
    const Value kind = builder_.read(kVarFlagKind);
    builder_.write(kVarFlagKind, builder_.binary(IrOp::kOr32, kind, builder_.c32(kFlagCfOverride)));
  }
  builder_.write(kVarFlagC, c);
  cf_known_ = true;
}

void Translator::set_cf_of(Value cf, Value of) {
  constexpr u32 kBoth = kFlagCfOverride | kFlagOfOverride;
  if (kind_known_) {
    kind_ |= kBoth;
    builder_.write(kVarFlagKind, builder_.c32(kind_));
  } else {
    kind_changed_ = true;
    const Value kind = builder_.read(kVarFlagKind);
    builder_.write(kVarFlagKind, builder_.binary(IrOp::kOr32, kind, builder_.c32(kBoth)));
  }
  const Value shifted = builder_.binary(IrOp::kShl32, of, builder_.c32(1));
  builder_.write(kVarFlagC, builder_.binary(IrOp::kOr32, shifted, cf));
  cf_known_ = true;
}

// INC and DEC.
void Translator::keep_cf_for_step(FlagClass flag_class, unsigned size, Value result) {
  const Value old = carry();
  set_flags(flag_class, size, result);
  kind_ |= kFlagCfOverride;
  builder_.write(kVarFlagKind, builder_.c32(kind_));
  builder_.write(kVarFlagC, old);
  cf_known_ = true;
}

void Translator::set_canonical(unsigned size, Value result, Value carries) {
  kind_ = flag_kind(FlagClass::kCanonical, size == 8 ? 8 : 4);
  kind_known_ = true;
  builder_.write(kVarFlagKind, builder_.c32(kind_));
  builder_.write(kVarFlagA, to_word(size, result));
  builder_.write(kVarFlagB, to_word(4, carries));
}

Translator::SavedFlags Translator::save_flags() {
  SavedFlags saved;
  for (Var i = 0; i < 5; ++i) saved.vars[i] = builder_.read(static_cast<Var>(kVarFlagKind + i));
  return saved;
}

void Translator::restore_flags_unless(Value happens, const SavedFlags& saved) {
  for (Var i = 0; i < 5; ++i) {
    const Var var = static_cast<Var>(kVarFlagKind + i);
    builder_.write(var, builder_.select(builder_.read(var), saved.vars[i], happens));
  }
  kind_known_ = false;
  kind_changed_ = true;
  cf_known_ = false;
}

Value Translator::flag_value(Var var, unsigned size) {
  return from_word(size, builder_.read(var));
}

Value Translator::parity(Value result) {
  const Value low = builder_.binary(IrOp::kAnd32, result, builder_.c32(0xFF));
  const Value ones = builder_.unary(IrOp::kPopcnt32, low);
  return builder_.unary(IrOp::kEqz32, builder_.binary(IrOp::kAnd32, ones, builder_.c32(1)));
}

// Conditions that need nothing but the result: Z, S, P. kNoValue: another one.
Value Translator::result_condition(unsigned pair, unsigned size, Value result) {
  switch (pair) {
    case 2: return op(IrOp::kEqz32, size, zero_extend(size, result));
    case 4: return op(IrOp::kLtS32, size, sign_extend(size, result), number(size, 0));
    case 5: return parity(size == 8 ? builder_.unary(IrOp::kWrap, result) : result);
    default: return kNoValue;
  }
}

// After a - b.
Value Translator::compare_condition(unsigned pair, unsigned size) {
  const Value a = flag_value(kVarFlagA, size);
  const Value second = flag_value(kVarFlagB, size);
  const auto unsigned_test = [&](IrOp test) {
    return op(test, size, zero_extend(size, a), zero_extend(size, second));
  };
  const auto signed_test = [&](IrOp test) {
    return op(test, size, sign_extend(size, a), sign_extend(size, second));
  };
  switch (pair) {
    case 1: return unsigned_test(IrOp::kLtU32);
    case 2: return unsigned_test(IrOp::kEq32);
    case 3: return unsigned_test(IrOp::kLeU32);
    case 6: return signed_test(IrOp::kLtS32);
    case 7: return signed_test(IrOp::kLeS32);
    default: return result_condition(pair, size, op(IrOp::kSub32, size, a, second));
  }
}

// The even condition of `pair` when the kind is known; kNoValue: leave it to the core.
Value Translator::known_condition(unsigned pair) {
  const unsigned size = 1u << (kind_ & 3);
  const bool cf_apart = (kind_ & kFlagCfOverride) != 0;
  const bool of_apart = (kind_ & kFlagOfOverride) != 0;
  const bool wants_cf = pair == 1 || pair == 3;
  const bool wants_of = pair == 0 || pair >= 6;
  if (of_apart && wants_of) return kNoValue;
  if (cf_apart && wants_cf) {
    const Value cf = builder_.binary(IrOp::kAnd32, builder_.read(kVarFlagC), builder_.c32(1));
    if (pair == 1) return cf;
    const Value zf = known_condition(2);
    return zf == kNoValue ? zf : builder_.binary(IrOp::kOr32, cf, zf);
  }
  const Value a = flag_value(kVarFlagA, size);
  switch (static_cast<FlagClass>((kind_ >> 2) & 15)) {
    case FlagClass::kSub: return compare_condition(pair, size);
    case FlagClass::kAdd: {
      const Value sum = op(IrOp::kAdd32, size, a, flag_value(kVarFlagB, size));
      if (pair == 1) return op(IrOp::kLtU32, size, zero_extend(size, sum), zero_extend(size, a));
      return result_condition(pair, size, sum);
    }
    case FlagClass::kLogic:
      if (pair <= 1) return builder_.c32(0);
      if (pair == 3) return result_condition(2, size, a);
      if (pair == 6) return result_condition(4, size, a);
      if (pair == 7) return op(IrOp::kLeS32, size, sign_extend(size, a), number(size, 0));
      return result_condition(pair, size, a);
    case FlagClass::kAdc:
    case FlagClass::kSbb: return result_condition(pair, size, flag_value(kVarFlagR, size));
    case FlagClass::kInc:
    case FlagClass::kDec: return result_condition(pair, size, a);
    case FlagClass::kShifted:
      if (pair == 1) return builder_.binary(IrOp::kAnd32, flag_value(kVarFlagB, 4), builder_.c32(1));
      return result_condition(pair, size, a);
    case FlagClass::kShl:
      return result_condition(pair, size, op(IrOp::kShl32, size, a, flag_value(kVarFlagB, size)));
    case FlagClass::kShr: {
      const Value value = zero_extend(size, a);
      return result_condition(pair, size, op(IrOp::kShrU32, size, value, flag_value(kVarFlagB, size)));
    }
    case FlagClass::kSar: {
      const Value value = sign_extend(size, a);
      return result_condition(pair, size, op(IrOp::kShrS32, size, value, flag_value(kVarFlagB, size)));
    }
    case FlagClass::kMultiply:
      if (pair <= 1) return flag_value(kVarFlagB, 4);
      return kNoValue;
    case FlagClass::kCanonical: {
      const Value carries = flag_value(kVarFlagB, 4);
      const Value zf = op(IrOp::kEqz32, size, a);
      if (pair == 2) return zf;
      const Value cf = builder_.binary(IrOp::kShrU32, carries, builder_.c32(31));
      if (pair == 1) return cf;
      if (pair == 3) return builder_.binary(IrOp::kOr32, cf, zf);
      if (pair != 5) return kNoValue;
      const Value low = size == 8 ? builder_.unary(IrOp::kWrap, a) : a;
      return parity(
          builder_.binary(IrOp::kXor32, low, builder_.binary(IrOp::kShrU32, carries, builder_.c32(8))));
    }
    default: return kNoValue;
  }
}

Value Translator::condition(unsigned code) {
  const unsigned pair = code >> 1;
  Value holds = kNoValue;
  if (kind_known_) holds = known_condition(pair);
  if (holds == kNoValue && !kind_known_ && cf_known_ && pair == 1) {
    holds = builder_.binary(IrOp::kAnd32, builder_.read(kVarFlagC), builder_.c32(1));
  }
  if (holds == kNoValue) {
    wants_kind_[block_] = wants_kind_[block_] || !kind_known_;
    const SavedFlags flags = save_flags();
    holds = builder_.condition(pair << 1, flags.vars);
  }
  return (code & 1) != 0 ? builder_.unary(IrOp::kEqz32, holds) : holds;
}

}  // namespace lapwing::jit
