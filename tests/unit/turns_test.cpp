// Turns and visits of CPUs.
#include "devices/turns.h"

#include <algorithm>
#include <vector>

#include "tests/unit/catch.h"
#include "tests/unit/irq_fakes.h"

using namespace lapwing;
using namespace lapwing::testing;

namespace {

constexpr u32 kAll = 0b1111;

// Lets the chosen CPU run out its time; says who it was.
unsigned run(Turns& turns, u32 runnable = kAll) {
  REQUIRE(turns.choose(runnable, 0));
  const unsigned who = turns.current();
  turns.ran(turns.left(), false);
  return who;
}

}  // namespace

TEST_CASE("turns: cpus follow each other, those that cannot run are left out, none runs when none can") {
  Turns turns(4);
  std::vector<unsigned> order;
  for (int i = 0; i < 6; ++i) order.push_back(run(turns));
  CHECK(order == std::vector<unsigned>{0, 1, 2, 3, 0, 1});
  CHECK(run(turns, 0b0011) == 0);
  CHECK_FALSE(turns.choose(0, 0));
}

TEST_CASE("turns: a called cpu runs next, as a visit, and then the interrupted turn goes on") {
  Turns turns(4);
  REQUIRE(turns.choose(kAll, 0));
  turns.ran(400, false);
  turns.call(3);
  REQUIRE(turns.choose(kAll, 0));
  CHECK(turns.current() == 3);
  CHECK(turns.left() == Turns::kVisit);
  turns.ran(100, false);
  REQUIRE(turns.choose(kAll, 0));
  CHECK(turns.current() == 3);
  turns.ran(1, true);
  REQUIRE(turns.choose(kAll, 0));
  CHECK(turns.current() == 0);
  CHECK(turns.left() == Turns::kQuantum - 400);
}

TEST_CASE("turns: one that slept takes the turn over, and the round goes on behind it") {
  Turns turns(4);
  REQUIRE(turns.choose(0b1011, 0b0100));
  turns.ran(400, false);
  turns.call(2);
  REQUIRE(turns.choose(kAll, 0b0100));
  CHECK(turns.current() == 2);
  CHECK(turns.left() == Turns::kQuantum);
  CHECK(run(turns) == 2);
  CHECK(run(turns) == 3);
}

TEST_CASE("turns: several called at once follow in their order, and none interrupts another's visit") {
  Turns turns(4);
  REQUIRE(turns.choose(kAll, 0));
  turns.call(2);
  turns.call(1);
  REQUIRE(turns.choose(kAll, 0));
  CHECK(turns.current() == 1);
  turns.ran(10, false);
  turns.call(0);
  turns.call(3);
  CHECK(run(turns) == 1);
  CHECK(run(turns) == 2);
  CHECK(run(turns) == 3);
  CHECK(run(turns) == 0);
  CHECK(run(turns) == 1);
}

TEST_CASE("turns: two that keep calling each other, awake or asleep, do not starve a third") {
  constexpr u64 kBurst = 300;
  for (const u32 asleep : {0b000u, 0b011u}) {
    CAPTURE(asleep);
    Turns turns(3);
    std::array<u64, 3> ran{};
    u64 waited = 0;
    u64 longest = 0;
    for (int i = 0; i < 10'000; ++i) {
      REQUIRE(turns.choose(0b111, asleep));
      const unsigned who = turns.current();
      const u64 count = who == 2 ? turns.left() : std::min(kBurst, turns.left());
      turns.ran(count, who != 2);
      ran[who] += count;
      waited = who == 2 ? 0 : waited + count;
      longest = std::max(longest, waited);
      if (who != 2) turns.call(1 - who);
    }
    CHECK(longest <= 2 * (Turns::kCredit + Turns::kQuantum));
    for (const u64 count : ran) CHECK(count > Turns::kQuantum);
  }
}

TEST_CASE("turns: state is restored in the middle of a visit, damage is refused") {
  Turns turns(4);
  REQUIRE(turns.choose(kAll, 0));
  turns.ran(7, false);
  turns.call(2);
  turns.call(1);
  REQUIRE(turns.choose(kAll, 0));
  turns.ran(5, false);
  std::vector<u8> image = saved(turns);
  Turns copy(4);
  REQUIRE(restore(copy, image));
  for (int i = 0; i < 20; ++i) {
    CHECK(run(turns) == run(copy));
    CHECK(turns.left() == copy.left());
  }
  image[0] = 4;
  CHECK_FALSE(restore(copy, image));
}
