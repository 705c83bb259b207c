#include "devices/serial/uart16550.h"

#include <string>

#include "tests/unit/catch.h"

using namespace lapwing;

namespace {

constexpr u16 kBase = 0x3F8;

class Wire final : public LineSink {
 public:
  void set_line(unsigned, bool level, CauseId) override {
    edges += level ? 1 : 0;
    high = level;
  }
  bool high = false;
  int edges = 0;
};

struct Bench {
  Clock clock;
  IrqTrace trace{clock};
  Wire wire;
  std::string sent;
  Uart16550 uart{clock, 0, kBase, IrqPin(wire, 4, trace, DeviceId::kUart),
                 [this](u8 c) { sent += static_cast<char>(c); }};

  void out(u16 offset, u8 value) { uart.port_write(static_cast<u16>(kBase + offset), value, 1); }
  u8 in(u16 offset) { return static_cast<u8>(uart.port_read(static_cast<u16>(kBase + offset), 1)); }
  void receive(const std::string& text) {
    uart.receive(reinterpret_cast<const u8*>(text.data()), text.size());
  }
  void pass(u64 ns) {
    const u64 end = clock.now_ns() + ns;
    while (clock.next_deadline() <= end) {
      clock.jump_to(clock.next_deadline());
      clock.run_due_timers();
    }
    clock.jump_to(end);
  }
};

}  // namespace

TEST_CASE("uart: transmitter interrupt comes on enable, is cleared by IIR and returns after a character") {
  Bench b;
  b.out(4, 0x08);
  CHECK(b.in(2) == 0x01);
  b.out(1, 0x02);
  CHECK(b.wire.high);
  CHECK(b.in(2) == 0x02);
  CHECK_FALSE(b.wire.high);
  CHECK(b.in(2) == 0x01);
  b.out(0, 'x');
  CHECK(b.sent == "x");
  CHECK(b.wire.high);
  CHECK((b.in(5) & 0x60) == 0x60);
}

TEST_CASE("uart: the interrupt line does not need OUT2") {
  Bench b;
  b.out(4, 0x00);
  b.out(1, 0x02);
  CHECK(b.wire.high);
  CHECK(b.in(2) == 0x02);
  CHECK_FALSE(b.wire.high);
}

TEST_CASE("uart: without FIFOs each received character makes its own edge and none is lost") {
  Bench b;
  b.out(4, 0x08);
  b.out(1, 0x01);
  b.receive("abc");
  std::string got;
  for (int i = 0; i < 3; ++i) {
    b.pass(1'000'000);
    REQUIRE(b.wire.high);
    CHECK(b.in(2) == 0x04);
    got += static_cast<char>(b.in(0));
    CHECK_FALSE(b.wire.high);
  }
  CHECK(got == "abc");
  CHECK(b.wire.edges == 3);
  CHECK((b.in(5) & 3) == 0);
}

TEST_CASE("uart: FIFO interrupts at its trigger level, and by timeout below it") {
  Bench b;
  b.out(2, 0x81);  // level 8
  b.out(4, 0x08);
  b.out(1, 0x01);
  CHECK(b.in(2) == 0xC1);
  b.receive("1234567");
  b.pass(6 * Uart16550::kReceiveIntervalNs);
  CHECK_FALSE(b.wire.high);
  b.pass(4 * Uart16550::kReceiveIntervalNs);
  CHECK(b.in(2) == 0xCC);
  CHECK(b.in(0) == '1');
  CHECK(b.in(2) == 0xC1);
  b.receive("89");
  b.pass(3 * Uart16550::kReceiveIntervalNs);
  CHECK(b.in(2) == 0xC4);
  CHECK(b.in(0) == '2');
  CHECK(b.in(2) == 0xC1);
}

TEST_CASE("uart: more than the FIFO holds waits until the guest reads") {
  Bench b;
  b.out(2, 0x01);
  std::string text;
  for (int i = 0; i < 100; ++i) text += static_cast<char>(' ' + i % 90);
  b.receive(text);
  std::string got;
  for (int i = 0; i < 1000 && got.size() < text.size(); ++i) {
    b.pass(100'000);
    while ((b.in(5) & 1) != 0) got += static_cast<char>(b.in(0));
  }
  CHECK(got == text);
  CHECK((b.in(5) & 2) == 0);
}

TEST_CASE("uart: a guest that polls finds at most 14 characters at a time, at the speed of the line") {
  Bench b;
  b.out(2, 0x01);
  std::string text;
  for (int i = 0; i < 100; ++i) text += static_cast<char>(' ' + i % 90);
  b.receive(text);
  std::string got;
  for (int tick = 0; tick < 20 && got.size() < text.size(); ++tick) {
    b.pass(55'000'000);
    std::size_t found = 0;
    for (; (b.in(5) & 1) != 0; ++found, b.pass(2'000)) got += static_cast<char>(b.in(0));
    CHECK(found <= 14);
  }
  CHECK(got == text);
  b.receive(text);
  b.pass(55'000'000);
  b.out(1, 0x01);  // a driver that takes interrupts gets the full FIFO
  b.pass(1'000'000);
  std::size_t found = 0;
  for (; (b.in(5) & 1) != 0; ++found) b.in(0);
  CHECK(found == 16);
}

TEST_CASE("uart: loopback returns characters, MCR shows in MSR, and an overrun is a line-status interrupt") {
  Bench b;
  b.in(6);
  b.out(4, 0x18 | 0x07);
  CHECK((b.in(6) & 0xF0) == 0xF0);
  b.out(4, 0x18);
  CHECK(b.in(6) == 0x80 + 0x07);  // CTS, DSR fell, trailing edge of RI; DCD follows OUT2
  b.out(1, 0x05);
  b.out(0, 'p');
  CHECK(b.sent.empty());
  CHECK(b.in(2) == 0x04);
  b.out(0, 'q');
  CHECK(b.in(2) == 0x06);
  CHECK((b.in(5) & 0x03) == 0x03);
  CHECK(b.in(2) == 0x04);
  CHECK(b.in(0) == 'q');
  CHECK(b.in(2) == 0x01);
}

TEST_CASE("uart: divisor latch, scratch register and FCR rules") {
  Bench b;
  b.out(3, 0x83);
  b.out(0, 0x01);
  b.out(1, 0x00);
  CHECK(b.in(0) == 1);
  CHECK(b.in(1) == 0);
  b.out(3, 0x03);
  CHECK(b.in(3) == 0x03);
  b.out(7, 0x5A);
  CHECK(b.in(7) == 0x5A);
  b.out(2, 0xC0);  // ignored without the enable bit
  CHECK(b.in(2) == 0x01);
}

TEST_CASE("uart: state survives save and load with a character waiting and the line high") {
  Bench a;
  a.out(2, 0x01);
  a.out(4, 0x08);
  a.out(1, 0x01);
  a.receive("hello");
  a.pass(2 * Uart16550::kReceiveIntervalNs);
  std::vector<u8> bytes;
  struct Sink final : StateSink {
    explicit Sink(std::vector<u8>& o) : out(o) {}
    void bytes(const void* data, std::size_t size) override {
      out.insert(out.end(), static_cast<const u8*>(data), static_cast<const u8*>(data) + size);
    }
    std::vector<u8>& out;
  } sink(bytes);
  StateWriter writer(sink);
  a.clock.save(writer);
  a.uart.save(writer);
  Bench b;
  StateReader reader(bytes.data(), bytes.size());
  REQUIRE(b.clock.load(reader));
  REQUIRE(b.uart.load(reader));
  CHECK(reader.remaining() == 0);
  b.pass(1'000'000);
  std::string got;
  while ((b.in(5) & 1) != 0) got += static_cast<char>(b.in(0));
  CHECK(got == "hello");
  StateReader truncated(bytes.data(), bytes.size() - 3);
  Bench c;
  CHECK((c.clock.load(truncated) && c.uart.load(truncated)) == false);
}
