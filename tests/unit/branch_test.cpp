// Near branches: widths of RIP and counter, targets outside the segment.
#include "tests/guest/bare_machine.h"
#include "tests/unit/catch.h"

using namespace lapwing;
using lapwing::test::BareMachine;

TEST_CASE("a_16_bit_branch_wraps_within_its_segment") {
  BareMachine m;
  m.code(0x10, {0xE9, 0xE1, 0xFF});  // jmp -31: to FFF4
  m.code(0xFFF4, {0xF4});
  m.start_real(0, 0x10);
  m.run(10);
  CHECK(m.cpu.state.rip == 0xFFF5);
}

TEST_CASE("loop_counts_in_the_width_of_addresses") {
  BareMachine m;
  m.code(0x1000, {0x67, 0xE2, 0xFD, 0xF4});  // loop with ecx
  m.start_long(0x1000);
  m.cpu.state.gpr[kRcx] = 0xFFFFFFFF00000003;
  CHECK(m.run() == 4);
  CHECK(m.gpr(kRcx) == 0);
}

TEST_CASE("a_target_beyond_the_limit_faults_before_anything_changes") {
  BareMachine m;
  m.code(0x1000, {0xE8, 0x00, 0x10, 0x00, 0x00});  // call +0x1000
  m.start_protected(0x1000);
  m.cpu.state.seg[kCs].limit = 0x1FFF;
  m.cpu.state.idtr.limit = 0;  // the fault cannot be delivered
  m.cpu.update_mode();
  m.run(10);
  CHECK(m.cpu.take_request() == CpuRequest::kTripleFault);
  CHECK(m.gpr(kRsp) == 0x80000);
}

TEST_CASE("ret_takes_its_immediate_off_the_stack") {
  BareMachine m;
  m.code(0x1000, {0x6A, 0x01, 0x6A, 0x02, 0xE8, 0x01, 0x00, 0x00, 0x00, 0xF4,  // push, push, call
                  0xC2, 0x10, 0x00});                                          // ret 16
  m.start_long(0x1000);
  m.run(20);
  CHECK(m.gpr(kRsp) == 0x80000);
  CHECK(m.cpu.state.rip == 0x100A);
}
