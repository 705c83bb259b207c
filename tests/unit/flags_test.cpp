// Lazy flags: every combination of the six survives, conditions follow the manual, and 8-bit arithmetic
// agrees with sums done bit by bit.
#include "core/cpu/exec/flags.h"

#include "core/cpu/exec/alu.h"
#include "core/cpu/exec/shift.h"
#include "tests/unit/catch.h"

using namespace lapwing;

namespace {

constexpr u64 kFlagBits[6] = {rflags::kCf, rflags::kPf, rflags::kAf, rflags::kZf, rflags::kSf, rflags::kOf};

u64 combination(unsigned number) {
  u64 flags = 0;
  for (unsigned i = 0; i < 6; ++i) flags |= bit_of(number, i) ? kFlagBits[i] : 0;
  return flags;
}

bool manual_condition(unsigned code, u64 f) {
  const auto on = [&](u64 bit) { return (f & bit) != 0; };
  const bool less = on(rflags::kSf) != on(rflags::kOf);
  const bool base[8] = {on(rflags::kOf),
                        on(rflags::kCf),
                        on(rflags::kZf),
                        on(rflags::kCf) || on(rflags::kZf),
                        on(rflags::kSf),
                        on(rflags::kPf),
                        less,
                        on(rflags::kZf) || less};
  return base[code >> 1] != bit_of(code, 0);
}

// The flags of a sum of two bytes and a carry, one bit after the other; subtraction adds the complement.
u64 byte_sum_flags(unsigned a, unsigned b, bool carry, bool subtract) {
  const unsigned addend = subtract ? b ^ 0xFF : b;
  unsigned result = 0;
  bool c = carry != subtract;
  bool into_top = false;
  bool half = false;
  for (unsigned i = 0; i < 8; ++i) {
    const unsigned sum = ((a >> i) & 1) + ((addend >> i) & 1) + (c ? 1 : 0);
    if (i == 7) into_top = c;
    result |= (sum & 1) << i;
    c = sum > 1;
    if (i == 3) half = c;
  }
  bool even = true;
  for (unsigned i = 0; i < 8; ++i) even = even != bit_of(result, i);
  return (c != subtract ? rflags::kCf : 0) | (half != subtract ? rflags::kAf : 0) | (even ? rflags::kPf : 0) |
         (result == 0 ? rflags::kZf : 0) | (bit_of(result, 7) ? rflags::kSf : 0) |
         (c != into_top ? rflags::kOf : 0);
}

template <Op op>
unsigned count_wrong(bool subtract) {
  unsigned wrong = 0;
  CpuState s;
  for (unsigned a = 0; a < 256; ++a) {
    for (unsigned b = 0; b < 256; ++b) {
      for (const bool carry : {false, true}) {
        set_status_flags(s, carry ? rflags::kCf : 0);
        alu_compute<op, u8>(s, static_cast<u8>(a), static_cast<u8>(b));
        const bool uses_carry = (op == Op::ADC || op == Op::SBB) && carry;
        wrong += status_flags(s) != byte_sum_flags(a, b, uses_carry, subtract) ? 1 : 0;
      }
    }
  }
  return wrong;
}

// One place at a time.
template <Op op>
u8 step(u8 value, bool& cf) {
  const bool top = top_bit(value);
  const bool low = bit_of(value, 0);
  const bool old_cf = cf;
  const bool left = op == Op::SHL || op == Op::ROL || op == Op::RCL;
  cf = left ? top : low;
  const auto shifted = static_cast<u8>(left ? value << 1 : value >> 1);
  const bool filled = op == Op::ROL                    ? top
                      : op == Op::ROR                  ? low
                      : op == Op::SAR                  ? top
                      : op == Op::RCL || op == Op::RCR ? old_cf
                                                       : false;
  return static_cast<u8>(shifted | (filled ? (left ? 1 : 0x80) : 0));
}

template <Op op>
u8 shift_by(CpuState& s, u8 value, unsigned count) {
  if constexpr (op == Op::ROL || op == Op::ROR) return rotate_compute<op, u8>(s, value, count, false);
  if constexpr (op == Op::RCL || op == Op::RCR) return rotate_carry_compute<op, u8>(s, value, count);
  if constexpr (op == Op::SHL || op == Op::SHR || op == Op::SAR)
    return shift_compute<op, u8>(s, value, count);
}

template <Op op>
unsigned count_wrong_shifts() {
  unsigned wrong = 0;
  for (unsigned value = 0; value < 256; ++value) {
    for (unsigned count = 1; count < 32; ++count) {
      for (const bool carry : {false, true}) {
        CpuState s;
        set_status_flags(s, carry ? rflags::kCf : 0);
        bool cf = carry;
        auto expected = static_cast<u8>(value);
        for (unsigned i = 0; i < count; ++i) expected = step<op>(expected, cf);
        const u8 result = shift_by<op>(s, static_cast<u8>(value), count);
        wrong += result != expected || flag_cf(s) != cf ? 1 : 0;
      }
    }
  }
  return wrong;
}

}  // namespace

TEST_CASE("flags_every_combination_survives_and_conditions_follow_the_manual") {
  for (unsigned number = 0; number < 64; ++number) {
    CpuState s;
    set_status_flags(s, combination(number));
    CAPTURE(number);
    CHECK(status_flags(s) == combination(number));
    for (unsigned code = 0; code < 16; ++code) {
      CAPTURE(code);
      CHECK(condition_holds(s, code) == manual_condition(code, combination(number)));
    }
    set_cf(s, true);
    CHECK(status_flags(s) == (combination(number) | rflags::kCf));
  }
}

TEST_CASE("flags_of_all_byte_sums_and_differences") {
  CHECK(count_wrong<Op::ADD>(false) == 0);
  CHECK(count_wrong<Op::ADC>(false) == 0);
  CHECK(count_wrong<Op::SUB>(true) == 0);
  CHECK(count_wrong<Op::SBB>(true) == 0);
  CHECK(count_wrong<Op::CMP>(true) == 0);
}

TEST_CASE("flags_inc_and_dec_keep_carry") {
  CpuState s;
  for (const bool carry : {false, true}) {
    set_status_flags(s, carry ? rflags::kCf : 0);
    CHECK(unary_compute<Op::INC, u32>(s, 0x7FFFFFFF) == 0x80000000);
    CHECK(flag_of(s));
    CHECK(flag_cf(s) == carry);
    CHECK(unary_compute<Op::DEC, u32>(s, 0) == 0xFFFFFFFF);
    CHECK(flag_cf(s) == carry);
    CHECK(flag_af(s));
    CHECK(!flag_of(s));
  }
}

TEST_CASE("shifts_of_all_bytes_equal_single_steps") {
  CHECK(count_wrong_shifts<Op::SHL>() == 0);
  CHECK(count_wrong_shifts<Op::SHR>() == 0);
  CHECK(count_wrong_shifts<Op::SAR>() == 0);
  CHECK(count_wrong_shifts<Op::ROL>() == 0);
  CHECK(count_wrong_shifts<Op::ROR>() == 0);
  CHECK(count_wrong_shifts<Op::RCL>() == 0);
  CHECK(count_wrong_shifts<Op::RCR>() == 0);
}
