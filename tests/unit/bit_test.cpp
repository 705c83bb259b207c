// Bit strings in memory, CRC-32C, and the instructions whose zero source is special.
#include "tests/guest/bare_machine.h"
#include "tests/unit/catch.h"

using namespace lapwing;
using lapwing::test::BareMachine;

TEST_CASE("bit_string_offsets_reach_before_and_behind_their_operand") {
  BareMachine m;
  m.code(0x1000, {0x0F, 0xAB, 0x03,        // bts [rbx], eax
                  0x48, 0x0F, 0xAB, 0x0B,  // bts [rbx], rcx
                  0x66, 0x0F, 0xAB, 0x13,  // bts [rbx], dx
                  0xF4});
  m.start_long(0x1000);
  m.cpu.state.gpr[kRbx] = 0x20000;
  m.cpu.state.gpr[kRax] = static_cast<u32>(-1);
  m.cpu.state.gpr[kRcx] = 64 * 100 + 5;
  m.cpu.state.gpr[kRdx] = 0x8000;  // -32768
  m.run();
  CHECK(m.memory.read(0x20000 - 4, 4) == 0x80000000);
  CHECK(m.memory.read(0x20000 + 800, 8) == 1 << 5);
  CHECK(m.memory.read(0x20000 - 4096, 2) == 1);
}

TEST_CASE("crc32_of_the_standard_check_string") {
  BareMachine m;
  m.code(0x1000, {0x83, 0xC8, 0xFF,                    // or eax, -1
                  0xF2, 0x48, 0x0F, 0x38, 0xF1, 0x03,  // crc32 rax, qword [rbx]
                  0xF2, 0x0F, 0x38, 0xF0, 0x43, 0x08,  // crc32 eax, byte [rbx + 8]
                  0xF7, 0xD0, 0xF4});
  m.write(0x20000, "123456789", 9);
  m.start_long(0x1000);
  m.cpu.state.gpr[kRbx] = 0x20000;
  m.run();
  CHECK(m.gpr(kRax) == 0xE3069283);
}

TEST_CASE("bit_scans_of_zero_leave_the_destination_and_counts_give_the_width") {
  BareMachine m;
  m.code(0x1000, {0x0F, 0xBC, 0xC3,              // bsf eax, ebx
                  0xF3, 0x0F, 0xBC, 0xCB,        // tzcnt ecx, ebx
                  0xF3, 0x66, 0x0F, 0xBD, 0xD3,  // lzcnt dx, bx
                  0xF4});
  m.start_long(0x1000);
  m.cpu.state.gpr[kRax] = 0x123456789ABCDEF0;
  m.cpu.state.gpr[kRbx] = 0;
  m.cpu.state.gpr[kRdx] = 0;
  m.run();
  CHECK(m.gpr(kRax) == 0x123456789ABCDEF0);
  CHECK(m.gpr(kRcx) == 32);
  CHECK(m.gpr(kRdx) == 16);
}
