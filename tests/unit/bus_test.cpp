#include "devices/bus.h"

#include <string>

#include "tests/unit/catch.h"

using namespace lapwing;

namespace {

// Remembers accesses as text; reads give the port number's low byte in every byte.
class Recorder final : public PortDevice {
 public:
  u32 port_read(u16 port, unsigned size) override {
    log += "r" + std::to_string(port) + "/" + std::to_string(size) + " ";
    return (port & 0xFFu) * 0x01010101u;
  }
  void port_write(u16 port, u32 value, unsigned size) override {
    log += "w" + std::to_string(port) + "/" + std::to_string(size) + "=" + std::to_string(value) + " ";
  }
  std::string log;
};

struct Ports {
  Clock clock;
  IrqTrace trace{clock};
  PortBus bus{clock, trace};
  Recorder a;
  Recorder b;
};

}  // namespace

TEST_CASE("port_overlap_names_both_owners") {
  Ports p;
  CHECK(p.bus.claim(0x60, 4, p.a, "keyboard").ok());
  const Result<void> overlap = p.bus.claim(0x61, 1, p.b, "timer");
  REQUIRE(!overlap.ok());
  CHECK(overlap.error() == "port 0x0061 is claimed by both keyboard and timer");
  CHECK(!p.bus.claim(0xFFFF, 2, p.b, "late").ok());
  CHECK(p.bus.claim(0xFFFF, 1, p.b, "last").ok());
  CHECK(p.bus.owner(0x63) == "keyboard");
}

TEST_CASE("port_accesses_are_split_to_what_the_owner_takes") {
  Ports p;
  REQUIRE(p.bus.claim(0x10, 4, p.a, "bytes").ok());
  REQUIRE(p.bus.claim(0x14, 4, p.b, "doublewords", 4).ok());
  CHECK(p.bus.port_in(0x10, 4) == 0x13121110);
  CHECK(p.a.log == "r16/1 r17/1 r18/1 r19/1 ");
  CHECK(p.bus.port_in(0x14, 4) == 0x14141414);
  p.bus.port_out(0x13, 0xBBAA, 2);  // across two owners
  CHECK(p.a.log == "r16/1 r17/1 r18/1 r19/1 w19/1=170 ");
  CHECK(p.b.log == "r20/4 w20/1=187 ");
  CHECK(p.bus.port_in(0x16, 4) == 0xFFFF1616);
  CHECK(p.bus.port_in(0x400, 2) == 0xFFFF);
}

TEST_CASE("port_release_gives_the_range_back") {
  Ports p;
  REQUIRE(p.bus.claim(0xC000, 16, p.a, "old BAR", 4).ok());
  p.bus.release(0xC000, 16);
  CHECK(p.bus.port_in(0xC000, 1) == 0xFF);
  CHECK(p.bus.owner(0xC000).empty());
  CHECK(p.bus.claim(0xC008, 16, p.b, "new BAR", 4).ok());
}

TEST_CASE("port_access_costs_time_and_writes_are_logged_with_their_author") {
  Ports p;
  REQUIRE(p.bus.claim(0x21, 1, p.a, "pic", 1, DeviceId::kPic).ok());
  REQUIRE(p.bus.claim(0x1F0, 1, p.b, "data", 1).ok());
  p.trace.start(8, false);
  p.trace.set_executing(2, 0x1234);
  p.bus.port_out(0x21, 0xFB, 1);
  p.bus.port_out(0x1F0, 0xFB, 1);
  CHECK(p.clock.now_ns() == 2 * kIoChargeNs);
  IrqEvent event{};
  REQUIRE(p.trace.drain(&event, 1) == 1);
  CHECK(event.kind == static_cast<u8>(IrqEventKind::kRegisterWrite));
  CHECK(event.device == static_cast<u8>(DeviceId::kPic));
  CHECK(event.line == 0x21);
  CHECK(event.data == 0xFB);
  CHECK(event.cpu == 2);
  CHECK(event.rip == 0x1234);
  CHECK(event.ns == 0);  // the charge comes after the access
  CHECK(p.trace.drain(&event, 1) == 0);
}
