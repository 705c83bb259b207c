// Stack instructions: pointers that wrap or are pushed themselves, nested frames, flag images by privilege
// and mode.
#include "tests/guest/bare_machine.h"
#include "tests/unit/catch.h"

using namespace lapwing;
using lapwing::test::BareMachine;

TEST_CASE("push_of_the_stack_pointer_pushes_its_old_value_and_pop_loads_it") {
  BareMachine m;
  m.code(0x1000,
         {0x54, 0x5B, 0x54, 0x83, 0x04, 0x24, 0x10, 0x5C, 0xF4});  // push/pop; push, add [esp], 16, pop esp
  m.start_protected(0x1000);
  m.run();
  CHECK(m.gpr(kRbx) == 0x80000);
  CHECK(m.gpr(kRsp) == 0x80010);
}

TEST_CASE("a_16_bit_stack_pointer_wraps_and_leaves_the_upper_half") {
  BareMachine m;
  m.code(0x1000, {0x50, 0x5B, 0x50, 0xF4});
  m.start_real(0, 0x1000);
  m.cpu.state.gpr[kRsp] = 0x12340000;
  m.cpu.state.gpr[kRax] = 0xBEEF;
  m.run();
  CHECK(m.gpr(kRsp) == 0x1234FFFE);
  CHECK(m.gpr(kRbx) == 0xBEEF);
  CHECK(m.memory.read(0xFFFE, 2) == 0xBEEF);
}

TEST_CASE("pop_to_memory_addresses_with_the_incremented_stack_pointer") {
  BareMachine m;
  m.code(0x1000, {0x6A, 0x77, 0x8F, 0x44, 0x24, 0x08, 0xF4});  // push 0x77; pop [rsp + 8]
  m.start_long(0x1000);
  m.run();
  CHECK(m.memory.read(0x80008, 8) == 0x77);
}

TEST_CASE("enter_copies_the_frames_of_the_outer_procedures") {
  BareMachine m;
  m.code(0x1000, {0xC8, 0x20, 0x00, 0x03, 0xF4});  // enter 32, 3
  m.start_protected(0x1000);
  m.cpu.state.gpr[kRbp] = 0x70000;
  m.memory.write(0x70000 - 4, 0x1111, 4);
  m.memory.write(0x70000 - 8, 0x2222, 4);
  m.run();
  const u64 frame = 0x80000 - 4;
  CHECK(m.gpr(kRbp) == frame);
  CHECK(m.memory.read(frame, 4) == 0x70000);
  CHECK(m.memory.read(frame - 4, 4) == 0x1111);
  CHECK(m.memory.read(frame - 8, 4) == 0x2222);
  CHECK(m.memory.read(frame - 12, 4) == frame);
  CHECK(m.gpr(kRsp) == frame - 12 - 32);
}

TEST_CASE("popf_changes_iopl_only_at_privilege_0_and_if_only_within_iopl") {
  constexpr u64 kWanted =
      rflags::kFixed | rflags::kIf | rflags::kIopl | rflags::kNt | rflags::kDf | rflags::kCf;
  for (const unsigned cpl : {0u, 3u}) {
    for (const u64 iopl : {u64{0}, rflags::kIopl}) {
      BareMachine m;
      m.code(0x1000, {0x9D, 0x90});
      m.start_long(0x1000);
      m.memory.write(0x80000, kWanted, 8);
      m.cpu.state.cpl = static_cast<u8>(cpl);
      m.cpu.state.rflags_rest = rflags::kFixed | iopl;
      m.cpu.update_mode();
      m.cpu.run(1);
      CAPTURE(cpl, iopl);
      const bool privileged = cpl == 0;
      const bool if_allowed = privileged || iopl != 0;
      const u64 expected = (kWanted & ~(rflags::kIopl | rflags::kIf)) | (privileged ? rflags::kIopl : iopl) |
                           (if_allowed ? rflags::kIf : 0);
      CHECK(get_rflags(m.cpu.state) == expected);
    }
  }
}
