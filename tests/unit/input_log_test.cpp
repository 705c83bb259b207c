#include "core/input_log.h"

#include "tests/unit/catch.h"

using namespace lapwing;

namespace {

InputLog sample() {
  InputLog log;
  log.config = "memory=67108864\nseed=7";
  log.images = {{"kernel", 0x1234}, {"initrd", 0x5678}};
  log.entries.push_back({{100, 500, 3}, InputKind::kSerial, 0, 0, {'l', 's', '\n'}});
  log.entries.push_back({{100, 500, 4}, InputKind::kKey, 0x11D, 1, {}});
  log.entries.push_back({{2000, 90'000, 9}, InputKind::kRate, 7, 1, {}});
  log.end = {5000, 100'000, 12};
  return log;
}

}  // namespace

TEST_CASE("input log: what was recorded is read back") {
  const std::vector<u8> file = sample().encode();
  Result<InputLog> read = InputLog::decode(file.data(), file.size());
  REQUIRE(read.ok());
  const InputLog& log = read.value();
  CHECK(log.config == sample().config);
  REQUIRE(log.images.size() == 2);
  CHECK(log.images[1].hash == 0x5678);
  REQUIRE(log.entries.size() == 3);
  CHECK(log.entries[0].data == std::vector<u8>{'l', 's', '\n'});
  CHECK(log.entries[1].at.sequence == 4);
  CHECK(log.entries[2].kind == InputKind::kRate);
  CHECK(log.end.ns == 100'000);
  CHECK(log.encode() == file);
}

TEST_CASE("input log: any damage, truncation or wrong order is refused with a sentence") {
  const std::vector<u8> file = sample().encode();
  for (std::size_t size = 0; size < file.size(); ++size)
    CHECK_FALSE(InputLog::decode(file.data(), size).ok());
  for (std::size_t i = 0; i < file.size(); ++i) {
    std::vector<u8> bad = file;
    bad[i] ^= 0x10;
    CHECK_FALSE(InputLog::decode(bad.data(), bad.size()).ok());
  }
  InputLog backwards = sample();
  backwards.entries[2].at.instructions = 50;
  const std::vector<u8> wrong = backwards.encode();
  CHECK(InputLog::decode(wrong.data(), wrong.size()).error() ==
        "the input log is damaged or truncated; record it again");
}
