// String instructions: counting, slices, overlap, wrapping, faults in the middle, flags of repeated compares.
#include <cstring>

#include "tests/guest/bare_machine.h"
#include "tests/unit/catch.h"

using namespace lapwing;
using lapwing::test::BareMachine;

namespace {

constexpr u64 kCode = 0x1000, kData = 0x20000;

struct StringMachine : BareMachine {
  void start(u64 count, u64 source, u64 target) {
    start_long(kCode);
    cpu.state.gpr[kRcx] = count;
    cpu.state.gpr[kRsi] = source;
    cpu.state.gpr[kRdi] = target;
  }
  u8 byte(u64 address) { return static_cast<u8>(memory.read(address, 1)); }
};

}  // namespace

TEST_CASE("rep_movsb_repeats_a_pattern_when_it_reads_what_it_wrote") {
  StringMachine m;
  m.code(kCode, {0xF3, 0xA4, 0xF4});
  m.write(kData, "ab", 2);
  m.start(10'000, kData, kData + 2);
  CHECK(m.run() == 10'000 + 1);
  bool pattern = true;
  for (u64 i = 0; i < 10'002; ++i) pattern = pattern && m.byte(kData + i) == "ab"[i & 1];
  CHECK(pattern);
  CHECK(m.byte(kData + 10'002) == 0);
  CHECK(m.gpr(kRcx) == 0);
  CHECK(m.gpr(kRdi) == kData + 10'002);
}

TEST_CASE("rep_movsq_backwards_copies_overlapping_upwards") {
  StringMachine m;
  m.code(kCode, {0xFD, 0xF3, 0x48, 0xA5, 0xF4});
  for (u64 i = 0; i < 1000; ++i) m.memory.write(kData + 8 * i, i + 1, 8);
  m.start(1000, kData + 8 * 999, kData + 8 * 1002);
  m.run();
  bool copied = true;
  for (u64 i = 0; i < 1000; ++i) copied = copied && m.memory.read(kData + 8 * (i + 3), 8) == i + 1;
  CHECK(copied);
  CHECK(m.gpr(kRsi) == kData - 8);
}

TEST_CASE("a_slice_ends_in_the_middle_of_rep_and_goes_on") {
  StringMachine m;
  m.code(kCode, {0xF3, 0xAA, 0xF4});
  m.start(1000, 0, kData);
  m.cpu.state.gpr[kRax] = 0x5A;
  m.cpu.run(300);
  CHECK(m.clock.instructions() == 300);
  CHECK(m.gpr(kRcx) == 700);
  CHECK(m.cpu.state.rip == kCode);
  CHECK(m.byte(kData + 299) == 0x5A);
  CHECK(m.byte(kData + 300) == 0);
  CHECK(m.run() == 701);
  CHECK(m.byte(kData + 999) == 0x5A);
}

TEST_CASE("repeated_compares_change_flags_only_at_their_end") {
  StringMachine m;
  m.code(kCode, {0xF2, 0xAE, 0xF4});  // repne scasb
  m.write(kData + 500, "x", 1);
  m.start(1000, 0, kData);
  m.cpu.state.gpr[kRax] = 'x';
  set_status_flags(m.cpu.state, rflags::kOf | rflags::kPf);
  m.cpu.run(100);
  CHECK(status_flags(m.cpu.state) == (rflags::kOf | rflags::kPf));
  m.run();
  CHECK(flag_zf(m.cpu.state));
  CHECK(m.gpr(kRdi) == kData + 501);
  CHECK(m.gpr(kRcx) == 499);
}

TEST_CASE("sixteen_bit_string_addresses_wrap_within_64_kib") {
  BareMachine m;
  m.code(0x1000, {0xF3, 0xA5, 0xF4});  // rep movsw
  m.start_real(0, 0x1000);
  m.cpu.state.gpr[kRcx] = 4;
  m.cpu.state.gpr[kRsi] = 0xABCDFFFC;
  m.cpu.state.gpr[kRdi] = 0x5000;
  for (const u64 at : {0xFFFCull, 0xFFFEull, 0x0ull, 0x2ull}) m.memory.write(at, at + 1, 2);
  m.run();
  CHECK(m.gpr(kRsi) == 0xABCD0004);
  CHECK(m.memory.read(0x5000, 8) == 0x000300010000FFFDull + 0xFFFF0000ull);
}
