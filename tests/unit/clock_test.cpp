#include "core/clock.h"

#include <vector>

#include "tests/unit/catch.h"
#include "tests/unit/irq_fakes.h"

using namespace lapwing;
using namespace lapwing::testing;

TEST_CASE("time_is_a_function_of_retired_instructions_charges_and_jumps") {
  Clock clock;
  clock.retire(10);
  CHECK(clock.now_ns() == 50);
  clock.charge(500);
  CHECK(clock.now_ns() == 550);
  clock.jump_to(1000);
  clock.jump_to(900);  // never backwards
  CHECK(clock.now_ns() == 1000);
  clock.set_rate((3ull << kRateShift) / 2);  // 1.5 ns
  clock.retire(3);
  CHECK(clock.now_ns() == 1004);
  CHECK(clock.instructions() == 13);
}

TEST_CASE("instructions_until_is_the_first_instruction_at_or_after_the_deadline") {
  for (const u64 rate : {u64{1}, u64{333'333}, kVirtualModeRate, kVirtualModeRate + 12'345, u64{1} << 30}) {
    CAPTURE(rate);
    Clock clock;
    clock.set_rate(rate);
    clock.retire(7);
    for (const u64 ahead : {u64{1}, u64{2}, u64{999}, u64{1'000'003}}) {
      const u64 deadline = clock.now_ns() + ahead;
      const u64 count = clock.instructions_until(deadline);
      REQUIRE(count > 0);
      Clock before = Clock();
      before.set_rate(rate);
      before.retire(7 + count - 1);
      CHECK(before.now_ns() < deadline);
      before.retire(1);
      CHECK(before.now_ns() >= deadline);
    }
    CHECK(clock.instructions_until(clock.now_ns()) == 0);
    CHECK(clock.instructions_until(kNever) == kNever);
  }
}

TEST_CASE("timers_fire_in_order_of_deadline_then_construction") {
  Clock clock;
  std::vector<int> fired;
  Timer a(clock, [&](u64) { fired.push_back(1); });
  Timer b(clock, [&](u64) { fired.push_back(2); });
  Timer c(clock, [&](u64 deadline) {
    fired.push_back(3);
    CHECK(deadline == 50);
  });
  a.arm(100);
  b.arm(100);
  c.arm(50);
  CHECK(clock.next_deadline() == 50);
  clock.jump_to(49);
  CHECK(!clock.timer_due());
  clock.jump_to(200);
  clock.run_due_timers();
  CHECK(fired == std::vector<int>{3, 1, 2});
  CHECK(clock.next_deadline() == kNever);
  CHECK(!a.armed());
}

TEST_CASE("a_timer_that_rearms_itself_keeps_its_period") {
  Clock clock;
  int count = 0;
  Timer* self = nullptr;
  Timer periodic(clock, [&](u64 deadline) {
    ++count;
    self->arm(deadline + 7);
  });
  self = &periodic;
  periodic.arm(7);
  clock.jump_to(70);
  clock.run_due_timers();
  CHECK(count == 10);
  CHECK(clock.next_deadline() == 77);
}

TEST_CASE("clock_restores_and_refuses_nonsense") {
  Clock clock;
  clock.retire(1000);
  clock.set_rate(12345);
  clock.retire(77);
  clock.charge(9);
  Clock copy;
  REQUIRE(restore(copy, saved(clock)));
  CHECK(copy.now_ns() == clock.now_ns());
  CHECK(copy.instructions() == 1077);
  std::vector<u8> damaged = saved(clock);
  damaged[24] = damaged[25] = 0;  // rate 0
  CHECK(!restore(copy, damaged));
  damaged.resize(10);
  CHECK(!restore(copy, damaged));
}
