// What each way to reset a PC resets, and suspend to RAM.
#include <cstdlib>
#include <cstring>

#include "devices/machine.h"
#include "tests/unit/catch.h"

using namespace lapwing;

namespace {

constexpr u64 kRamSize = 4 << 20;
constexpr u64 kStarts = 0x6000;
constexpr u64 kSecond = 1'000'000'000;
constexpr u16 kPm = 0x600;

// Counts its starts at 0x6000, sends CMOS byte 0x0F to COM1 and halts.
std::vector<u8> counting_bios() {
  constexpr u8 kStart[] = {
      0x31, 0xC0, 0x8E, 0xD8, 0xFF, 0x06, 0x00, 0x60,  // ds = 0; inc word [0x6000]
      0xB0, 0x0F, 0xE6, 0x70, 0xE4, 0x71,              // al = CMOS[0x0F]
      0xBA, 0xF8, 0x03, 0xEE, 0xFA, 0xF4, 0xEB, 0xFC,  // out 0x3F8, al; cli; hlt; jmp
  };
  constexpr u8 kReset[] = {0xEA, 0x00, 0x00, 0x00, 0xF0};
  std::vector<u8> image(0x10000);
  std::memcpy(&image[0], kStart, sizeof kStart);
  std::memcpy(&image[0xFFF0], kReset, sizeof kReset);
  return image;
}

// A multiboot kernel that halts.
std::vector<u8> halting_kernel() {
  constexpr u32 kMagic = 0x1BADB002, kFlags = 1 << 16, kLoad = 0x100000;
  const u32 words[] = {kMagic,     kFlags, 0u - kMagic - kFlags, kLoad,     kLoad,
                       kLoad + 64, 0,      kLoad + 32,           0xFCEBF4FA};
  std::vector<u8> image(64);
  std::memcpy(image.data(), words, sizeof words);
  return image;
}

struct Free {
  void operator()(u8* memory) const { std::free(memory); }
};

struct Pc {
  explicit Pc(const std::string& settings = "", MachineFile file = {"bios", "", counting_bios()}) {
    Result<MachineConfig> config = parse_machine_config("memory=4194304\n" + settings);
    REQUIRE(config.ok());
    ram.reset(static_cast<u8*>(std::aligned_alloc(kPageSize, kRamSize)));
    std::memset(ram.get(), 0, kRamSize);
    Result<std::unique_ptr<Machine>> made = Machine::create(std::move(config.value()), ram.get());
    REQUIRE(made.ok());
    machine = std::move(made.value());
    REQUIRE(machine->load_file(std::move(file)).ok());
    REQUIRE(machine->boot().ok());
    run();
  }
  Stop run(u64 until = kNever) { return machine->run(10'000, until); }
  void out(u16 port, u32 value, unsigned size = 1) { machine->board().ports().port_out(port, value, size); }
  u32 in(u16 port, unsigned size = 1) { return machine->board().ports().port_in(port, size); }
  u32 config(u32 slot, u32 function, u32 offset, u32 value, unsigned size) {
    out(0xCF8, 0x80000000 | (slot << 11) | (function << 8) | (offset & ~3u), 4);
    const auto port = static_cast<u16>(0xCFC + (offset & 3));
    const u32 old = in(port, size);
    out(port, value, size);
    return old;
  }
  u8 cmos(u8 index) {
    out(0x70, index);
    return static_cast<u8>(in(0x71));
  }
  void set_cmos(u8 index, u8 value) {
    out(0x70, index);
    out(0x71, value);
  }
  // As firmware does: the power management block at 0x600.
  void map_power_block() {
    config(1, 3, 0x40, kPm | 1, 4);
    config(1, 3, 0x80, 1, 1);
  }
  void sleep(u32 type) { out(kPm + 4, type << 10 | 1 << 13, 2); }
  // Marks in chips, CPU and RAM by which one sees what a reset has reached.
  void mark() {
    out(0x21, 0x5A);              // PIC mask
    out(0x3FB, 0x03);             // UART line control
    config(0, 0, 0x5A, 0x11, 1);  // PAM1
    machine->memory().write(0x7000, 0xCAFE, 2);
    set_cmos(0x0F, 0x0A);
    Cpu& cpu = machine->cpu(0);
    cpu.state.xmm[3].lo = 0x1234;
    cpu.state.mtrr_def_type = 0xC06;
    cpu.state.cr2 = 99;
    machine->sent(0).clear();
  }
  u64 starts() { return machine->memory().read(kStarts, 2); }
  void expect_cpu_reset_only(u64 expected_starts) {
    CHECK(starts() == expected_starts);
    CHECK(machine->sent(0) == "\x0A");
    CHECK(in(0x21) == 0x5A);
    CHECK(in(0x3FB) == 0x03);
    CHECK(config(0, 0, 0x5A, 0x11, 1) == 0x11);
    CHECK(machine->memory().read(0x7000, 2) == 0xCAFE);
    CHECK(cmos(0x0F) == 0x0A);
    CHECK(machine->cpu(0).state.xmm[3].lo == 0x1234);
    CHECK(machine->cpu(0).state.mtrr_def_type == 0xC06);
    CHECK(machine->cpu(0).state.cr2 == 0);
  }
  void press_power() { REQUIRE(machine->input(InputKind::kPowerButton, 0, 0, nullptr, 0).ok()); }

  std::unique_ptr<u8, Free> ram;
  std::unique_ptr<Machine> machine;
};

}  // namespace

TEST_CASE("port_92_i8042_soft_cf9_and_a_triple_fault_reset_the_cpus_alone", "[power]") {
  Pc pc;
  REQUIRE(pc.starts() == 1);
  SECTION("port 0x92, on its rising edge") {
    pc.mark();
    pc.out(0x92, 3);
    pc.run();
    pc.expect_cpu_reset_only(2);
    CHECK(pc.in(0x92) == 3);
    pc.out(0x92, 3);
    pc.run();
    CHECK(pc.starts() == 2);
    pc.out(0x92, 2);
    pc.out(0x92, 3);
    pc.run();
    CHECK(pc.starts() == 3);
  }
  SECTION("i8042, pulse of output line 0") {
    pc.mark();
    pc.out(0x64, 0xFE);
    pc.run();
    pc.expect_cpu_reset_only(2);
  }
  SECTION("0xCF9 without SRST") {
    pc.mark();
    pc.out(0xCF9, 0x00);
    pc.out(0xCF9, 0x04);
    pc.run();
    pc.expect_cpu_reset_only(2);
  }
  SECTION("triple fault") {
    pc.mark();
    pc.machine->cpu(0).triple_fault();
    pc.run();
    pc.expect_cpu_reset_only(2);
  }
}

TEST_CASE("hard_resets_reach_every_chip_but_neither_ram_nor_cmos", "[power]") {
  Pc pc;
  pc.mark();
  pc.machine->memory().set_a20(false);
  SECTION("0xCF9 with SRST") {
    pc.out(0xCF9, 0x02);
    pc.out(0xCF9, 0x06);
  }
  SECTION("reset button") {
    REQUIRE(pc.machine->input(InputKind::kReset, 0, 0, nullptr, 0).ok());
  }
  pc.run();
  CHECK(pc.starts() == 2);
  CHECK(pc.in(0x21) != 0x5A);
  CHECK(pc.in(0x3FB) == 0);
  CHECK(pc.config(0, 0, 0x5A, 0, 1) == 0);
  CHECK(pc.machine->memory().a20());
  CHECK(pc.machine->memory().read(0x7000, 2) == 0xCAFE);
  CHECK(pc.cmos(0x0F) == 0x0A);
  CHECK(pc.machine->cpu(0).state.xmm[3].lo == 0);
  CHECK(pc.machine->cpu(0).state.mtrr_def_type == 0);
}

TEST_CASE("the_reset_vector_is_reached_while_a20_is_masked", "[power]") {
  Pc pc;
  pc.out(0x92, 1);  // A20 off and INIT in one write
  pc.run();
  CHECK(pc.starts() == 2);
  CHECK(!pc.machine->memory().a20());
}

TEST_CASE("init_puts_application_processors_to_wait_and_keeps_the_apic_base", "[power]") {
  Pc pc("cpus=2");
  u64 base = 0;
  REQUIRE(pc.machine->cpu(1).unit().read_msr(0x1B, base));
  pc.machine->cpu(1).state.activity = Activity::kHalted;
  pc.machine->memory().write(0xFEE000F0, 0x1FF, 4);  // SVR
  pc.out(0x64, 0xFE);
  pc.run();
  CHECK(pc.machine->cpu(1).state.activity == Activity::kWaitForSipi);
  u64 after = 0;
  REQUIRE(pc.machine->cpu(1).unit().read_msr(0x1B, after));
  CHECK(after == base);
  CHECK(pc.machine->cpu(0).unit().mmio_read(0xF0, 4) == 0xFF);
}

TEST_CASE("without_firmware_a_cpu_reset_goes_through_40_67_or_restarts_the_kernel", "[power]") {
  Pc pc("", {"kernel", "", halting_kernel()});
  CHECK(pc.machine->cpu(0).state.seg[kCs].selector != 0);
  pc.set_cmos(0x0F, 0x0A);
  pc.machine->memory().write(0x467, 0x05001234, 4);
  pc.machine->memory().write(0x6234, 0xFCEBF4FA, 4);  // cli; hlt; jmp
  pc.out(0x64, 0xFE);
  pc.run();
  CHECK(pc.machine->cpu(0).state.seg[kCs].base == 0x5000);
  CHECK(pc.machine->cpu(0).state.rip == 0x1236);
  CHECK((pc.machine->cpu(0).state.cr0 & cr0::kPe) == 0);
  CHECK(pc.cmos(0x0F) == 0);
  pc.out(0x64, 0xFE);
  pc.run();
  CHECK((pc.machine->cpu(0).state.cr0 & cr0::kPe) != 0);
}

TEST_CASE("soft_off_ends_the_run", "[power]") {
  Pc pc;
  pc.map_power_block();
  pc.sleep(0);
  CHECK(pc.run() == Stop::kPowerOff);
}

TEST_CASE("suspend_to_ram_keeps_ram_cmos_and_pam_and_ends_by_button_key_or_alarm", "[power]") {
  Pc pc;
  pc.map_power_block();
  pc.mark();
  const u64 before = pc.starts();
  const auto woken = [&](u32 status) {
    CHECK(pc.starts() == before + 1);
    CHECK(pc.machine->sent(0) == "\xFE");
    CHECK(pc.in(0x21) != 0x5A);
    CHECK(pc.config(0, 0, 0x5A, 0x11, 1) == 0x11);
    CHECK(pc.machine->memory().read(0x7000, 2) == 0xCAFE);
    CHECK(pc.machine->cpu(0).state.xmm[3].lo == 0);
    pc.map_power_block();
    CHECK((pc.in(kPm, 2) & ~1u) == status);
    CHECK((pc.in(kPm + 4, 2) & 1) == 0);
  };
  SECTION("power button") {
    pc.sleep(1);
    CHECK(pc.run() == Stop::kIdleForever);
    CHECK(pc.starts() == before);
    pc.press_power();
    pc.run();
    woken(0x8100);
  }
  SECTION("key") {
    pc.sleep(1);
    pc.run();
    REQUIRE(pc.machine->input(InputKind::kKey, 0x1E, 1, nullptr, 0).ok());
    pc.run();
    woken(0x8000);
  }
  SECTION("alarm of the real-time clock") {
    const u64 now = pc.machine->clock().now_ns();
    pc.out(kPm + 2, 0x400, 2);  // RTC_EN
    for (const u8 index : {u8{1}, u8{3}, u8{5}}) pc.set_cmos(index, index == 1 ? 0x10 : 0x00);
    pc.set_cmos(0x0B, 0x22);
    pc.sleep(1);
    CHECK(pc.run(now + 5 * kSecond) == Stop::kHalted);
    CHECK(pc.starts() == before);
    CHECK(pc.run() == Stop::kIdleForever);
    woken(0x8400);
    CHECK(pc.machine->clock().now_ns() / (kSecond / 1000) == 10'000);
  }
}

TEST_CASE("a_snapshot_of_a_sleeping_machine_wakes_as_the_machine_does", "[power]") {
  Pc pc;
  pc.map_power_block();
  pc.mark();
  pc.sleep(1);
  pc.run();
  const std::vector<u8> image = pc.machine->save_snapshot();
  Pc other;
  REQUIRE(other.machine->load_snapshot(image.data(), image.size()).ok());
  CHECK(other.machine->hash() == pc.machine->hash());
  for (Pc* each : {&pc, &other}) {
    each->press_power();
    each->run();
    CHECK(each->starts() == 2);
  }
  CHECK(other.machine->hash() == pc.machine->hash());
}

TEST_CASE("a_snapshot_brings_its_bios_and_refuses_other_fw_cfg_files", "[power]") {
  Pc pc;
  const std::vector<u8> image = pc.machine->save_snapshot();
  std::vector<u8> other_bios = counting_bios();
  other_bios[0x100] = 0x90;
  Pc other("", {"bios", "", other_bios});
  CHECK(other.machine->hash() != pc.machine->hash());
  REQUIRE(other.machine->load_snapshot(image.data(), image.size()).ok());
  CHECK(other.machine->hash() == pc.machine->hash());
  CHECK(other.machine->memory().read(0xFFFF0100, 1) == 0);
  CHECK(other.machine->memory().read(0xF0100, 1) == 0);
  Pc without("", {"kernel", "", halting_kernel()});
  REQUIRE(without.machine->load_snapshot(image.data(), image.size()).ok());
  without.out(0x64, 0xFE);
  without.run();
  CHECK(without.starts() == 2);
  Pc more("fw_cfg=name=opt/a,string=b");
  CHECK(!more.machine->load_snapshot(image.data(), image.size()).ok());
}

TEST_CASE("bios_images_of_impossible_sizes_are_refused", "[power]") {
  Pc pc("", {"kernel", "", halting_kernel()});
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{0xFFFF}, std::size_t{0x10001}, std::size_t{2} << 20}) {
    CHECK(pc.machine->load_file({"bios", "", std::vector<u8>(size)}).error().find("64 KiB") !=
          std::string::npos);
  }
  CHECK(pc.machine->load_file({"bios", "", {}}).error() == "the bios file is empty");
  REQUIRE(pc.machine->load_file({"bios", "", counting_bios()}).ok());
  CHECK(pc.machine->load_file({"bios", "", counting_bios()}).error() == "there can be only one BIOS image");
  CHECK(pc.machine->boot().error() == "a machine boots a kernel or a BIOS image, not both");
}
