#include "devices/machine.h"

#include <cstdlib>
#include <cstring>
#include <random>

#include "tests/unit/catch.h"

using namespace lapwing;

namespace {

constexpr u64 kRamSize = 2 << 20;
constexpr u64 kTickCounter = 0x6000;
constexpr u64 kSecond = 1'000'000'000;
constexpr char kSettings[] = "memory=2097152\napic=off\nno_reboot=1\ndevice=isa-debug-exit";

// A BIOS that counts timer interrupts (1 kHz) at 0x6000, echoes what COM1 receives, and writes 0x21 to
// isa-debug-exit when that is 'q'. Between interrupts it halts.
std::vector<u8> echo_bios() {
  constexpr u8 kStart[] = {
      0xFA, 0x31, 0xC0, 0x8E, 0xD8, 0x8E, 0xD0, 0xBC, 0x00, 0x70,  // cli; ds = ss = 0; sp = 0x7000
      0xC7, 0x06, 0x20, 0x00, 0x00, 0x01, 0xC7, 0x06, 0x22, 0x00,
      0x00, 0xF0,  // vector 8 = F000:0100
      0xC7, 0x06, 0x30, 0x00, 0x80, 0x01, 0xC7, 0x06, 0x32, 0x00,
      0x00, 0xF0,  // vector 12 = F000:0180
      0xB0, 0x11, 0xE6, 0x20, 0xB0, 0x08, 0xE6, 0x21, 0xB0, 0x04,
      0xE6, 0x21,                                      // PIC: ICW1-3
      0xB0, 0x01, 0xE6, 0x21, 0xB0, 0xEE, 0xE6, 0x21,  // ICW4; IRQ0 and IRQ4 open
      0xB0, 0x34, 0xE6, 0x43, 0xB0, 0xA9, 0xE6, 0x40, 0xB0, 0x04,
      0xE6, 0x40,  // PIT: mode 2, 1193
      0xBA, 0xFC, 0x03, 0xB0, 0x08, 0xEE, 0xBA, 0xF9, 0x03, 0xB0,
      0x01, 0xEE,              // UART: OUT2, receive interrupt
      0xFB, 0xF4, 0xEB, 0xFD,  // sti; hlt; jmp
  };
  constexpr u8 kTimer[] = {0xFF, 0x06, 0x00, 0x60, 0xB0, 0x20, 0xE6, 0x20, 0xCF};
  constexpr u8 kSerial[] = {0xBA, 0xF8, 0x03, 0xEC, 0xEE, 0x3C, 0x71, 0x75, 0x06, 0xBA,
                            0x01, 0x05, 0xB0, 0x21, 0xEE, 0xB0, 0x20, 0xE6, 0x20, 0xCF};
  constexpr u8 kReset[] = {0xEA, 0x00, 0x00, 0x00, 0xF0};
  std::vector<u8> image(0x10000);
  std::memcpy(&image[0x0000], kStart, sizeof kStart);
  std::memcpy(&image[0x0100], kTimer, sizeof kTimer);
  std::memcpy(&image[0x0180], kSerial, sizeof kSerial);
  std::memcpy(&image[0xFFF0], kReset, sizeof kReset);
  return image;
}

struct Free {
  void operator()(u8* memory) const { std::free(memory); }
};

struct Bench {
  explicit Bench(const std::string& settings = kSettings) {
    Result<MachineConfig> config = parse_machine_config(settings);
    REQUIRE(config.ok());
    ram.reset(static_cast<u8*>(std::aligned_alloc(kPageSize, kRamSize)));
    std::memset(ram.get(), 0, kRamSize);
    Result<std::unique_ptr<Machine>> made = Machine::create(std::move(config.value()), ram.get());
    REQUIRE(made.ok());
    machine = std::move(made.value());
    REQUIRE(machine->load_file({"bios", "", echo_bios()}).ok());
    REQUIRE(machine->boot().ok());
  }
  u64 ticks() { return machine->memory().read(kTickCounter, 2); }
  void type(const std::string& text) {
    REQUIRE(
        machine->input(InputKind::kSerial, 0, 0, reinterpret_cast<const u8*>(text.data()), text.size()).ok());
  }
  Stop run_until(u64 ns) { return machine->run(kNever, ns); }

  std::unique_ptr<u8, Free> ram;
  std::unique_ptr<Machine> machine;
};

std::string config_error(const std::string& text) {
  Result<MachineConfig> config = parse_machine_config(text);
  return config.ok() ? "" : config.error();
}

}  // namespace

TEST_CASE(
    "machine: a halted machine jumps from deadline to deadline and stops at the limit without moving time") {
  Bench b;
  CHECK(b.run_until(kSecond) == Stop::kHalted);
  const u64 ns = b.machine->clock().now_ns();
  CHECK(ns <= kSecond);
  CHECK(b.machine->clock().next_deadline() > kSecond);
  CHECK(b.ticks() >= 998);
  CHECK(b.ticks() <= 1001);
  CHECK(b.machine->clock().instructions() < 10'000);
  CHECK(b.run_until(kSecond) == Stop::kHalted);
  CHECK(b.machine->clock().now_ns() == ns);
  b.machine->advance(kSecond);
  CHECK(b.machine->clock().now_ns() == kSecond);
}

TEST_CASE("machine: where run() returns is invisible to the guest") {
  Bench whole, pieces;
  CHECK(whole.machine->run(20'000, kNever) == Stop::kPatience);
  std::mt19937 random(1);
  while (pieces.machine->clock().instructions() < 20'000) {
    const u64 left = 20'000 - pieces.machine->clock().instructions();
    pieces.machine->run(std::min<u64>(left, 1 + random() % 40), kNever);
  }
  CHECK(whole.machine->hash() == pieces.machine->hash());
  CHECK(whole.ticks() == pieces.ticks());
}

TEST_CASE("machine: console input is echoed and isa-debug-exit ends the run with its status") {
  Bench b;
  b.run_until(kSecond / 10);
  b.type("hello q");
  CHECK(b.run_until(kSecond) == Stop::kExitRequest);
  CHECK(b.machine->sent(0) == "hello q");
  CHECK(b.machine->exit_status() == 0x43);
  CHECK(b.run_until(2 * kSecond) == Stop::kExitRequest);
}

TEST_CASE("machine: a recorded run replays to the same hash, and a changed one is noticed") {
  Bench live;
  live.machine->start_recording();
  live.run_until(kSecond / 7);
  live.machine->advance(kSecond / 7);
  live.type("abc");
  REQUIRE(live.machine->set_rate(20).ok());
  live.machine->run(137, kNever);
  live.type("d");
  live.run_until(kSecond / 3);
  live.machine->advance(kSecond / 3);
  const std::vector<u8> log = *live.machine->recorded_log();

  Bench again;
  REQUIRE(again.machine->start_replay(log.data(), log.size()).ok());
  while (again.machine->run(11, kNever) == Stop::kPatience) {
  }
  CHECK(again.machine->replay_error().empty());
  CHECK(again.machine->sent(0) == "abcd");
  CHECK(again.machine->hash() == live.machine->hash());

  Bench other(std::string(kSettings) + "\nseed=1");
  CHECK_FALSE(other.machine->start_replay(log.data(), log.size()).ok());
  Bench late;
  late.machine->run(5, kNever);
  CHECK_FALSE(late.machine->start_replay(log.data(), log.size()).ok());
}

TEST_CASE("machine: a snapshot taken with a character in flight continues to the same hash") {
  Bench a;
  a.run_until(kSecond / 10);
  a.type("xyz");
  a.machine->run(30, kNever);
  const std::vector<u8> image = a.machine->save_snapshot();
  Bench b;
  REQUIRE(b.machine->load_snapshot(image.data(), image.size()).ok());
  CHECK(a.machine->hash() == b.machine->hash());
  a.machine->run(5000, kNever);
  b.machine->run(5000, kNever);
  CHECK(a.machine->hash() == b.machine->hash());
  CHECK(a.machine->sent(0) == "xyz");
  CHECK(a.machine->sent(0).ends_with(b.machine->sent(0)));

  std::vector<u8> damaged = image;
  damaged[damaged.size() / 2] ^= 1;
  const u64 before = b.machine->hash();
  CHECK_FALSE(b.machine->load_snapshot(damaged.data(), damaged.size()).ok());
  CHECK_FALSE(b.machine->load_snapshot(image.data(), image.size() - 1).ok());
  CHECK(b.machine->hash() == before);
  Bench hpetless(std::string(kSettings) + "\nhpet=off");
  CHECK_FALSE(hpetless.machine->load_snapshot(image.data(), image.size()).ok());
}

TEST_CASE("machine: resets that the guest or the host asks for stop a machine built with no_reboot") {
  Bench b;
  b.run_until(kSecond / 10);
  b.machine->board().ports().port_out(0x64, 0xFE, 1);
  CHECK(b.machine->run(1, kNever) == Stop::kReset);
  Bench c;
  c.machine->board().ports().port_out(0x92, 0x01, 1);
  CHECK(c.machine->run(1, kNever) == Stop::kReset);
  Bench d("memory=2097152\napic=off");
  d.run_until(kSecond / 10);
  REQUIRE(d.machine->input(InputKind::kReset, 0, 0, nullptr, 0).ok());
  d.machine->run(1, kNever);
  CHECK(d.machine->cpu(0).state.rip < 0x10);
}

TEST_CASE("machine: two devices on one port are refused by name") {
  Result<MachineConfig> config = parse_machine_config("memory=2097152\ndevice=isa-debugcon,iobase=0x60");
  REQUIRE(config.ok());
  std::vector<u8> memory(kRamSize + kPageSize);
  u8* aligned = memory.data() + (kPageSize - reinterpret_cast<std::uintptr_t>(memory.data()) % kPageSize);
  Result<std::unique_ptr<Machine>> made = Machine::create(std::move(config.value()), aligned);
  REQUIRE_FALSE(made.ok());
  CHECK(made.error().find("i8042") != std::string::npos);
  CHECK(made.error().find("isa-debugcon") != std::string::npos);
}

TEST_CASE("machine: settings that make no sense are refused with a sentence") {
  CHECK(config_error("memory=1048576").find("too little memory") == 0);
  CHECK(config_error("memory=4294967296").find("too much memory") == 0);
  CHECK(config_error("memory=2097153") != "");
  CHECK(config_error("memory=lots") != "");
  CHECK(config_error("cpus=9") == "cpus=9: give a number from 1 to 8");
  CHECK(config_error("clock=fast") == "clock=fast: give virtual or realtime");
  CHECK(config_error("apic=off\ncpus=2") != "");
  CHECK(config_error("colour=red") == "unknown machine setting 'colour'");
  CHECK(config_error("nonsense") == "machine setting 'nonsense' has no value");
  CHECK(config_error("device=isa-debug-exit,iosize=5") != "");
  CHECK(config_error("device=floppy").find("unknown device 'floppy'") == 0);
  CHECK(config_error("cmdline=a=b c=d") == "");
  Bench b;
  CHECK_FALSE(b.machine->load_file({"kernel", "", {}}).ok());
  CHECK_FALSE(b.machine->load_file({"disk", "", {1}}).ok());
  CHECK_FALSE(b.machine->query("info weather").ok());
  for (const char* what : {"registers", "pic", "ioapic", "lapic", "irq", "mem", "mtree", "hpet", "pci"}) {
    CHECK(b.machine->query(std::string("info ") + what).ok());
  }
  CHECK(b.machine->query("xp /2xb 0xfffffff0").value().find("00000000fffffff0: 0xea 0x00") == 0);
  CHECK_FALSE(b.machine->query("xp /1xw 0x80000000").ok());
  CHECK(b.machine->query("xp /4xb 0x20").value().find("0000000000000020: 0x00 0x00 0x00 0x00") == 0);
}
