#include "devices/input/i8042.h"

#include <vector>

#include "tests/unit/catch.h"

using namespace lapwing;

namespace {

class Wires final : public LineSink {
 public:
  void set_line(unsigned line, bool level, CauseId) override {
    high[line] = level;
    edges[line] += level ? 1 : 0;
  }
  bool high[16] = {};
  int edges[16] = {};
};

class System final : public SystemControl {
 public:
  void set_a20_gate(bool enabled) override { a20 = enabled; }
  bool a20_gate() const override { return a20; }
  void request_cpu_reset() override { ++resets; }
  bool a20 = true;
  int resets = 0;
};

struct Bench {
  Clock clock;
  IrqTrace trace{clock};
  Wires wires;
  System system;
  I8042 kbc{clock, IrqPin(wires, 1, trace, DeviceId::kI8042), IrqPin(wires, 12, trace, DeviceId::kI8042),
            system};

  void command(u8 value) { kbc.port_write(0x64, value, 1); }
  void data(u8 value) { kbc.port_write(0x60, value, 1); }
  u8 status() { return static_cast<u8>(kbc.port_read(0x64, 1)); }
  u8 read() { return static_cast<u8>(kbc.port_read(0x60, 1)); }
  void pass(u64 ns) {
    const u64 end = clock.now_ns() + ns;
    while (clock.next_deadline() <= end) {
      clock.jump_to(clock.next_deadline());
      clock.run_due_timers();
    }
    clock.jump_to(end);
  }
  std::vector<u8> drain() {
    std::vector<u8> bytes;
    for (int i = 0; i < 64; ++i) {
      pass(I8042::kByteDelayNs);
      if ((status() & 1) != 0) bytes.push_back(read());
    }
    return bytes;
  }
  void write_mode(u8 mode) {
    command(0x60);
    data(mode);
  }
  std::vector<u8> keyboard(u8 value) {
    data(value);
    return drain();
  }
  std::vector<u8> mouse(u8 value) {
    command(0xD4);
    data(value);
    return drain();
  }
};

using Bytes = std::vector<u8>;

}  // namespace

TEST_CASE("i8042: a key pressed and released gives two codes with their own interrupts") {
  Bench b;
  b.kbc.enter_firmware_state();
  b.kbc.press_key(0x1E, true);
  b.kbc.press_key(0x1E, false);
  CHECK_FALSE(b.wires.high[1]);
  b.pass(I8042::kByteDelayNs);
  CHECK(b.wires.high[1]);
  CHECK((b.status() & 0x21) == 0x01);
  b.pass(10 * I8042::kByteDelayNs);
  CHECK(b.wires.edges[1] == 1);
  CHECK(b.read() == 0x1E);
  CHECK_FALSE(b.wires.high[1]);
  CHECK((b.status() & 1) == 0);
  b.pass(I8042::kByteDelayNs);
  CHECK(b.wires.high[1]);
  CHECK(b.read() == 0x9E);
  CHECK(b.wires.edges[1] == 2);
}

TEST_CASE("i8042: scan code sets and translation") {
  Bench b;
  b.write_mode(0x01);  // no translation: native set 2
  b.kbc.press_key(0x11D, true);
  b.kbc.press_key(0x11D, false);
  CHECK(b.drain() == Bytes{0xE0, 0x14, 0xE0, 0xF0, 0x14});
  b.kbc.press_key(0x41, true);  // F7
  CHECK(b.drain() == Bytes{0x83});
  CHECK(b.keyboard(0xF0) == Bytes{0xFA});
  CHECK(b.keyboard(1) == Bytes{0xFA});
  b.kbc.press_key(0x148, false);
  CHECK(b.drain() == Bytes{0xE0, 0xC8});
  b.keyboard(0xF0);
  b.keyboard(3);
  b.kbc.press_key(0x148, false);
  CHECK(b.drain() == Bytes{0xF0, 0x63});
  b.keyboard(0xF0);
  CHECK(b.keyboard(0) == Bytes{0xFA, 3});
  b.keyboard(0xF6);
  b.write_mode(0x41);
  b.kbc.press_key(0x137, true);
  b.kbc.press_key(0x137, false);
  CHECK(b.drain() == Bytes{0xE0, 0x2A, 0xE0, 0x37, 0xE0, 0xB7, 0xE0, 0xAA});
  b.kbc.press_key(0x245, true);
  CHECK(b.drain() == Bytes{0xE1, 0x1D, 0x45, 0xE1, 0x9D, 0xC5});
  for (u32 code = 1; code < 0x54; ++code) {
    b.kbc.press_key(code, true);
    CHECK(b.drain() == Bytes{static_cast<u8>(code)});
  }
}

TEST_CASE("i8042: keyboard commands") {
  Bench b;
  CHECK(b.keyboard(0xFF) == Bytes{0xFA, 0xAA});
  CHECK(b.keyboard(0xEE) == Bytes{0xEE});
  CHECK(b.keyboard(0xF2) == Bytes{0xFA, 0xAB, 0x83});
  CHECK(b.keyboard(0xFE) == Bytes{0x83});
  CHECK(b.keyboard(0xED) == Bytes{0xFA});
  CHECK(b.keyboard(0x06) == Bytes{0xFA});
  CHECK(b.kbc.leds() == 6);
  CHECK(b.keyboard(0xF5) == Bytes{0xFA});
  b.kbc.press_key(0x1E, true);
  CHECK(b.drain().empty());
  CHECK(b.keyboard(0xF4) == Bytes{0xFA});
  CHECK(b.keyboard(0xF1) == Bytes{0xFE});
  for (int i = 0; i < 40; ++i) b.kbc.press_key(0x1E, true);
  const Bytes full = b.drain();
  CHECK(full.size() == 17);
  CHECK(full.back() == 0);
}

TEST_CASE("i8042: controller commands") {
  Bench b;
  b.command(0xAA);
  CHECK(b.read() == 0x55);
  CHECK((b.status() & 0x04) == 0x04);
  b.command(0xAB);
  CHECK(b.read() == 0);
  b.command(0xA9);
  CHECK(b.read() == 0);
  b.write_mode(0x70);
  b.command(0x20);
  CHECK(b.read() == 0x70);
  b.command(0xA8);
  b.command(0xAE);
  b.command(0x20);
  CHECK(b.read() == 0x40);
  CHECK(b.wires.edges[1] == 3);  // the replies to 0xAA, 0xAB and 0xA9 found IRQ1 enabled by power-on
  b.command(0xD3);
  b.data(0x5A);
  CHECK((b.status() & 0x21) == 0x21);
  CHECK(b.read() == 0x5A);
  b.command(0xDD);
  CHECK_FALSE(b.system.a20);
  b.command(0xD1);
  b.data(0x03);
  CHECK(b.system.a20);
  b.command(0xD0);
  CHECK((b.read() & 0x03) == 0x03);
  CHECK(b.system.resets == 0);
  b.command(0xFE);
  CHECK(b.system.resets == 1);
  b.command(0xFF);
  CHECK(b.system.resets == 1);
}

TEST_CASE("i8042: a disabled interface holds its bytes back") {
  Bench b;
  b.kbc.enter_firmware_state();
  b.command(0xAD);
  b.kbc.press_key(0x02, true);
  CHECK(b.drain().empty());
  b.command(0xAE);
  CHECK(b.drain() == Bytes{0x02});
}

TEST_CASE("i8042: mouse identifies, reports motion on IRQ12 and learns the wheel") {
  Bench b;
  b.write_mode(0x03);
  CHECK(b.mouse(0xFF) == Bytes{0xFA, 0xAA, 0x00});
  b.kbc.move_mouse(5, 5, 0, 0);
  CHECK(b.drain().empty());
  CHECK(b.mouse(0xF4) == Bytes{0xFA});
  const int before = b.wires.edges[12];
  b.kbc.move_mouse(3, -2, 0, 1);
  CHECK(b.drain() == Bytes{0x29, 0x03, 0xFE});
  CHECK(b.wires.edges[12] == before + 3);
  b.kbc.move_mouse(300, 0, 0, 1);
  CHECK(b.drain() == Bytes{0x09, 0xFF, 0x00, 0x09, 0x2D, 0x00});
  CHECK(b.mouse(0xE9) == Bytes{0xFA, 0x24, 0x02, 0x64});
  for (const u8 rate : {u8{200}, u8{100}, u8{80}}) {
    b.mouse(0xF3);
    b.mouse(rate);
  }
  CHECK(b.mouse(0xF2) == Bytes{0xFA, 0x03});
  b.kbc.move_mouse(0, 0, -1, 0);
  CHECK(b.drain() == Bytes{0x08, 0x00, 0x00, 0xFF});
  b.mouse(0xF0);
  b.kbc.move_mouse(1, 1, 0, 0);
  CHECK(b.drain().empty());
  CHECK(b.mouse(0xEB) == Bytes{0xFA, 0x08, 0x01, 0x01, 0x00});
  b.mouse(0xEE);
  CHECK(b.mouse(0x42) == Bytes{0x42});
  CHECK(b.mouse(0xEC) == Bytes{0xFA});
}

TEST_CASE("i8042: the second knock adds the side buttons; scaling, resolution and defaults are reported") {
  Bench b;
  b.write_mode(0x03);
  const auto knock = [&b](std::initializer_list<u8> rates) {
    for (const u8 rate : rates) {
      b.mouse(0xF3);
      b.mouse(rate);
    }
  };
  knock({200, 100, 80});
  knock({200, 200, 80});
  CHECK(b.mouse(0xF2) == Bytes{0xFA, 0x04});
  b.mouse(0xF4);
  b.kbc.move_mouse(0, 0, 0, 0x18);
  CHECK(b.drain() == Bytes{0x08, 0x00, 0x00, 0x30});
  b.kbc.move_mouse(0, 0, 1, 0x18);
  CHECK(b.drain() == Bytes{0x08, 0x00, 0x00, 0x31});
  b.mouse(0xE7);
  b.mouse(0xE8);
  b.mouse(3);
  CHECK(b.mouse(0xE9) == Bytes{0xFA, 0x30, 0x03, 0x50});
  b.kbc.move_mouse(7, 3, 0, 0);
  CHECK(b.drain() == Bytes{0x08, 0x0E, 0x03, 0x00});
  CHECK(b.mouse(0xF6) == Bytes{0xFA});
  CHECK(b.mouse(0xE9) == Bytes{0xFA, 0x00, 0x02, 0x64});
  CHECK(b.mouse(0xFF) == Bytes{0xFA, 0xAA, 0x00});
  CHECK(b.mouse(0xF2) == Bytes{0xFA, 0x00});
}

TEST_CASE("i8042: keyboard takes rates and sets, and a command ends a list of keys") {
  Bench b;
  CHECK(b.keyboard(0xF3) == Bytes{0xFA});
  CHECK(b.keyboard(0x7F) == Bytes{0xFA});
  CHECK(b.keyboard(0xF0) == Bytes{0xFA});
  CHECK(b.keyboard(0x04) == Bytes{0xFE});
  CHECK(b.keyboard(0xF0) == Bytes{0xFA});
  CHECK(b.keyboard(0x03) == Bytes{0xFA});
  CHECK(b.keyboard(0xFC) == Bytes{0xFA});
  CHECK(b.keyboard(0x1C) == Bytes{0xFA});
  CHECK(b.keyboard(0x1B) == Bytes{0xFA});
  CHECK(b.keyboard(0xF0) == Bytes{0xFA});
  CHECK(b.keyboard(0x00) == Bytes{0xFA, 0x03});
  CHECK(b.keyboard(0xF6) == Bytes{0xFA});
  CHECK(b.keyboard(0xF0) == Bytes{0xFA});
  CHECK(b.keyboard(0x00) == Bytes{0xFA, 0x02});
}
