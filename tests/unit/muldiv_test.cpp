// Multiplication and division: all bytes, and wide operands against 128-bit arithmetic.
#include "core/cpu/exec/muldiv.h"

#include "tests/unit/catch.h"

using namespace lapwing;

namespace {

// Wrong results among all dividends with the given high byte.
unsigned wrong_byte_divisions(unsigned high) {
  unsigned wrong = 0;
  for (unsigned low = 0; low < 256; ++low) {
    for (unsigned divisor = 1; divisor < 256; ++divisor) {
      const WidePair<u8> pair{static_cast<u8>(low), static_cast<u8>(high)};
      u8 quotient = 0;
      u8 remainder = 0;
      const unsigned dividend = high << 8 | low;
      const bool fits = divide<u8>(pair, static_cast<u8>(divisor), quotient, remainder);
      wrong += fits != (dividend / divisor <= 0xFF) ? 1 : 0;
      wrong += fits && (quotient != dividend / divisor || remainder != dividend % divisor) ? 1 : 0;

      const int signed_dividend = static_cast<i16>(dividend);
      const int signed_divisor = static_cast<i8>(divisor);
      const int expected = signed_dividend / signed_divisor;
      const bool signed_fits = divide_signed<u8>(pair, static_cast<u8>(divisor), quotient, remainder);
      wrong += signed_fits != (expected >= -128 && expected <= 127) ? 1 : 0;
      const bool equal = static_cast<i8>(quotient) == expected &&
                         static_cast<i8>(remainder) == signed_dividend % signed_divisor;
      wrong += signed_fits && !equal ? 1 : 0;
    }
  }
  return wrong;
}

WidePair<u64> halves(i128 value) {
  return {static_cast<u64>(value), static_cast<u64>(value >> 64)};
}

}  // namespace

TEST_CASE("division_of_all_words_by_all_bytes") {
  unsigned wrong = 0;
  for (unsigned high = 0; high < 256; ++high) wrong += wrong_byte_divisions(high);
  CHECK(wrong == 0);
}

TEST_CASE("division_of_128_bits_at_the_edges") {
  constexpr i128 kMin = i128{1} << 63;
  u64 quotient;
  u64 remainder;
  CHECK(divide_signed<u64>(halves(-kMin), 1, quotient, remainder));
  CHECK(quotient == 1ull << 63);
  CHECK(!divide_signed<u64>(halves(kMin), 1, quotient, remainder));
  CHECK(!divide_signed<u64>(halves(-kMin), ~0ull, quotient, remainder));
  CHECK(divide_signed<u64>(halves(kMin), ~0ull, quotient, remainder));
  CHECK(quotient == 1ull << 63);
  CHECK(divide_signed<u64>(halves(kMin * 1000 - 7), static_cast<u64>(-1001), quotient, remainder));
  CHECK(static_cast<i64>(quotient) == static_cast<i64>((kMin * 1000 - 7) / -1001));
  CHECK(static_cast<i64>(remainder) == static_cast<i64>((kMin * 1000 - 7) % -1001));
  CHECK(!divide<u64>({0, 5}, 5, quotient, remainder));
  CHECK(divide<u64>({~0ull, 4}, 5, quotient, remainder));
  CHECK(quotient == ~0ull);
  CHECK(remainder == 4);
}

TEST_CASE("products_and_their_overflow") {
  const WidePair<u64> square = multiply_wide_signed<u64>(1ull << 63, 1ull << 63);
  CHECK(square.high == 1ull << 62);
  CHECK(square.low == 0);
  CHECK(signed_overflow(square));
  CHECK(!signed_overflow(multiply_wide_signed<u64>(~0ull, 5)));
  CHECK(signed_overflow(multiply_wide_signed<u8>(0x80, 0xFF)));
  CHECK(!signed_overflow(multiply_wide_signed<u8>(0x80, 1)));
  CpuState s;
  set_multiply_flags<u32>(s, 0, true);
  CHECK(status_flags(s) == (rflags::kCf | rflags::kOf | rflags::kPf));
}
