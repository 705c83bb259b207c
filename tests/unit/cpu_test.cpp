// The run loop: counting, modes, faults, self-modifying code, events.
#include "tests/guest/bare_machine.h"
#include "tests/unit/catch.h"

using namespace lapwing;
using lapwing::test::BareMachine;

TEST_CASE("real_mode_loop_counts_every_instruction") {
  BareMachine m;
  m.code(0x1000, {0xB9, 0x0A, 0x00,  // mov cx, 10
                  0x40,              // inc ax
                  0xE2, 0xFD,        // loop -3
                  0xF4});            // hlt
  m.start_real(0, 0x1000);
  CHECK(m.run() == 1 + 20 + 1);
  CHECK(m.gpr(kRax) == 10);
}

TEST_CASE("long_mode_runs_and_zero_extends") {
  BareMachine m;
  m.code(0x1000, {0x48, 0xC7, 0xC0, 0xFF, 0xFF, 0xFF, 0xFF,  // mov rax, -1
                  0xB8, 0x01, 0x00, 0x00, 0x00,              // mov eax, 1
                  0x48, 0x8D, 0x1D, 0xF9, 0xFF, 0xFF, 0xFF,  // lea rbx, [rip - 7]
                  0x50, 0x59,                                // push rax; pop rcx
                  0xF4});
  m.start_long(0x1000);
  m.run();
  CHECK(m.gpr(kRax) == 1);
  CHECK(m.gpr(kRbx) == 0x100C);
  CHECK(m.gpr(kRcx) == 1);
}

TEST_CASE("a_running_block_sees_its_own_modification") {
  BareMachine m;
  m.code(0x1000,
         {0xC6, 0x05, 0x02, 0x00, 0x00, 0x00, 0xC3,  // mov byte [rip + 2], 0xC3: inc eax becomes inc ebx
          0x90, 0xFF, 0xC0, 0xF4});
  m.start_long(0x1000);
  m.run();
  CHECK(m.gpr(kRax) == 0);
  CHECK(m.gpr(kRbx) == 1);
}

TEST_CASE("time_is_a_function_of_instructions") {
  BareMachine m;
  m.code(0x1000, {0x90, 0x90, 0x0F, 0x31, 0xF4});  // nop nop rdtsc hlt
  m.start_long(0x1000);
  m.run();
  CHECK(m.gpr(kRax) == 2 * 5);
  CHECK(m.clock.now_ns() == 4 * 5);
}

TEST_CASE("a_faulting_instruction_does_not_retire_and_enters_its_handler") {
  BareMachine m;
  const u64 idt = 0x3000;
  const u64 handler = 0x2000;
  const auto gate = [&](unsigned vector) {
    m.memory.write(idt + vector * 16, (handler & 0xFFFF) | (8ull << 16) | (0x8E00ull << 32), 8);
    m.memory.write(idt + vector * 16 + 8, 0, 8);
  };
  gate(kUD);
  m.cpu.state.idtr = DescriptorTable{.base = idt, .limit = 0xFFF};
  m.code(0x1000, {0x90, 0x0F, 0x0B});
  m.code(0x2000, {0xF4});
  m.start_long(0x1000);
  CHECK(m.run() == 2);
  CHECK(m.memory.read(m.gpr(kRsp), 8) == 0x1001);
}

TEST_CASE("sti_delays_the_interrupt_by_one_instruction") {
  BareMachine m;
  const u64 idt = 0x3000;
  m.memory.write(idt + 0x20 * 16, 0x2000 | (8ull << 16) | (0x8E00ull << 32), 8);
  m.cpu.state.idtr = DescriptorTable{.base = idt, .limit = 0xFFF};
  m.code(0x1000, {0xFB, 0xFF, 0xC0, 0xFF, 0xC0, 0xF4});  // sti; inc eax; inc eax; hlt
  m.code(0x2000, {0xF4});
  m.start_long(0x1000);
  m.cpu.set_intr(true);
  m.run();
  CHECK(m.gpr(kRax) == 1);
  CHECK(m.unit.acknowledged == 1);
}

TEST_CASE("a_slice_ends_exactly_at_its_budget") {
  BareMachine m;
  m.code(0x1000, {0xFF, 0xC0, 0xFF, 0xC0, 0xFF, 0xC0, 0xEB, 0xF8});  // three inc, jmp back
  m.start_long(0x1000);
  for (u64 step = 1; step < 50; ++step) {
    const u64 before = m.clock.instructions();
    m.cpu.run(step);
    CHECK(m.clock.instructions() - before == step);
  }
}
