// What is known of where indirect jumps go.
#include "tests/unit/catch.h"
#include "wasm_jit/runtime/target_profile.h"

using lapwing::TargetProfile;

TEST_CASE("targets_of_indirect_jumps_are_counted_by_the_block_that_jumps") {
  TargetProfile profile;
  profile.note(0x1000, 0x20);
  profile.note(0x1000, -0x40);
  profile.note(0x1000, 0x20);
  profile.note(0x2000, 8);
  REQUIRE(profile.of(0x1000).size() == 2);
  CHECK(profile.of(0x1000)[0].delta == 0x20);
  CHECK(profile.of(0x1000)[0].count == 2);
  CHECK(profile.of(0x1000)[1].delta == -0x40);
  CHECK(profile.of(0x2000).size() == 1);
  CHECK(profile.of(0x3000).empty());
}

TEST_CASE("a_jump_to_everywhere_and_jumps_from_everywhere_take_bounded_memory") {
  TargetProfile profile;
  for (lapwing::i64 delta = 0; delta < 1000; ++delta) profile.note(0, delta);
  CHECK(profile.of(0).size() <= 100);
  for (lapwing::u64 physical = 0; physical < 100'000; ++physical) profile.note(physical, 1);
  unsigned known = 0;
  for (lapwing::u64 physical = 0; physical < 100'000; ++physical) known += !profile.of(physical).empty();
  CHECK(known <= 10'000);
  CHECK(known > 0);
}
