#include "core/irq_trace.h"

#include "tests/unit/catch.h"
#include "tests/unit/irq_fakes.h"

using namespace lapwing;
using namespace lapwing::testing;

TEST_CASE("trace_counts_always_and_records_only_when_started") {
  Clock clock;
  IrqTrace trace(clock);
  trace.add(IrqEventKind::kNmi, DeviceId::kCpu, {});
  CHECK(trace.count(IrqEventKind::kNmi) == 1);
  CHECK(!trace.recording());
  trace.start(4, false);
  clock.retire(3);
  trace.set_executing(1, 0xFFF0);
  trace.add(IrqEventKind::kLapicIrrSet, DeviceId::kLapic,
            {.cause = 5, .line = 2, .vector = 0x31, .cpu = 0, .instance = 7, .data = 9});
  IrqEvent event{};
  REQUIRE(trace.drain(&event, 1) == 1);
  CHECK(event.instructions == 3);
  CHECK(event.ns == 15);
  CHECK(event.rip == 0xFFF0);
  CHECK(event.cause == 5);
  CHECK(event.line == 2);
  CHECK(event.vector == 0x31);
  CHECK(event.cpu == 0);
  CHECK(event.instance == 7);
  CHECK(event.data == 9);
}

TEST_CASE("lossless_ring_asks_to_be_drained_at_three_quarters") {
  Clock clock;
  IrqTrace trace(clock);
  trace.start(8, false);
  for (u32 i = 0; i < 5; ++i) trace.add(IrqEventKind::kNmi, DeviceId::kCpu, {.line = i});
  CHECK(!trace.wants_drain());
  trace.add(IrqEventKind::kNmi, DeviceId::kCpu, {.line = 5});
  CHECK(trace.wants_drain());
  IrqEvent events[8];
  CHECK(trace.drain(events, 8) == 6);
  CHECK(events[5].line == 5);
  CHECK(trace.lost() == 0);
}

TEST_CASE("overwriting_ring_keeps_the_newest_and_counts_the_lost") {
  Clock clock;
  IrqTrace trace(clock);
  trace.start(4, true);
  for (u32 i = 0; i < 10; ++i) trace.add(IrqEventKind::kNmi, DeviceId::kCpu, {.line = i});
  CHECK(!trace.wants_drain());
  CHECK(trace.lost() == 6);
  IrqEvent events[4];
  REQUIRE(trace.drain(events, 4) == 4);
  CHECK(events[0].line == 6);
  CHECK(events[3].line == 9);
}

TEST_CASE("cause_ids_do_not_depend_on_recording_and_are_saved") {
  Clock clock;
  IrqTrace trace(clock);
  CHECK(trace.new_cause() == 1);
  trace.start(4, true);
  CHECK(trace.new_cause() == 2);
  IrqTrace copy(clock);
  REQUIRE(restore(copy, saved(trace)));
  CHECK(copy.new_cause() == 3);
}
