#include "core/snapshot.h"

#include "tests/unit/catch.h"
#include "tests/unit/irq_fakes.h"

using namespace lapwing;
using namespace lapwing::testing;

TEST_CASE("snapshot_sections_come_back_as_written") {
  const std::vector<SnapshotSection> sections = {
      {"cpu0", 3, {1, 2, 3}}, {"empty", 1, {}}, {"ram", 2, std::vector<u8>(5000, 0xA5)}};
  const std::vector<u8> image = encode_snapshot(sections);
  const auto decoded = decode_snapshot(image.data(), image.size());
  REQUIRE(decoded.ok());
  REQUIRE(decoded.value().size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(decoded.value()[i].name == sections[i].name);
    CHECK(decoded.value()[i].version == sections[i].version);
    CHECK(decoded.value()[i].data == sections[i].data);
  }
}

TEST_CASE("snapshot_refuses_every_single_damaged_or_missing_byte") {
  const std::vector<u8> image = encode_snapshot({{"a", 1, {1, 2, 3, 4, 5}}, {"b", 2, {9}}});
  for (std::size_t i = 0; i < image.size(); ++i) {
    CAPTURE(i);
    std::vector<u8> damaged = image;
    damaged[i] ^= 0x10;
    CHECK(!decode_snapshot(damaged.data(), damaged.size()).ok());
    CHECK(!decode_snapshot(image.data(), i).ok());
  }
}

TEST_CASE("state_reader_never_reads_past_the_end") {
  const u8 bytes[] = {1, 2, 3};
  StateReader in(bytes, sizeof bytes);
  CHECK(in.get_u16() == 0x0201);
  CHECK(in.ok());
  CHECK(in.get_u32() == 3);
  CHECK(!in.ok());
  CHECK(in.get_u64() == 0);
  CHECK(in.get_string().empty());
}

TEST_CASE("state_hash_tells_order_length_and_content_apart") {
  const auto hash = [](std::vector<u8> data) {
    StateHash state;
    state.add(data.data(), data.size());
    return state.value();
  };
  CHECK(hash({1, 2}) != hash({2, 1}));
  CHECK(hash({0}) != hash({0, 0}));
  CHECK(hash({}) != hash({0}));
  CHECK(hash({1, 2, 3, 4, 5, 6, 7, 8, 9}) == hash({1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST_CASE("state_integers_are_little_endian") {
  ByteSink sink;
  StateWriter out(sink);
  out.put_u16(0x0102);
  out.put_u32(0x03040506);
  out.put_u64(0x0708090A0B0C0D0E);
  out.put_bool(true);
  out.put_string("x");
  CHECK(sink.out == std::vector<u8>{2, 1, 6, 5, 4, 3, 0xE, 0xD, 0xC, 0xB, 0xA, 9, 8, 7, 1, 1, 0, 0, 0, 'x'});
  StateReader in(sink.out.data(), sink.out.size());
  CHECK(in.get_u16() == 0x0102);
  CHECK(in.get_u32() == 0x03040506);
  CHECK(in.get_u64() == 0x0708090A0B0C0D0E);
  CHECK(in.get_bool());
  CHECK(in.get_string() == "x");
}
