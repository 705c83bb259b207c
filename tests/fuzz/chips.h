// Drives one controller alone, between recording stand-ins, with arbitrary accesses to its registers,
// arbitrary inputs and arbitrary time: the register interface of every chip gets all of a fuzzer's attention.
// (controllers.h drives them wired together.) Looking at registers must not change the state, and a state
// that was saved must load and save the same again.
#pragma once

#include <algorithm>
#include <functional>
#include <iterator>
#include <memory>
#include <string_view>

#include "devices/firmware/fw_cfg.h"
#include "devices/firmware/memory_map.h"
#include "devices/input/i8042.h"
#include "devices/interrupt/fpu_error.h"
#include "devices/interrupt/ioapic.h"
#include "devices/interrupt/local_apic.h"
#include "devices/interrupt/msi.h"
#include "devices/interrupt/pic8259.h"
#include "devices/interrupt/router.h"
#include "devices/serial/uart16550.h"
#include "devices/test/pc_testdev.h"
#include "devices/timer/acpi_pm.h"
#include "devices/timer/cmos_rtc.h"
#include "devices/timer/hpet.h"
#include "devices/timer/pit8254.h"
#include "tests/fuzz/controllers.h"
#include "tests/unit/guest_ram.h"

namespace lapwing::fuzz {

struct Access {
  u8 kind;
  u8 a;
  u8 b;
  u64 value;
};

class NoSystem final : public SystemControl {
 public:
  void set_a20_gate(bool enabled) override { a20_ = enabled; }
  bool a20_gate() const override { return a20_; }
  void request_cpu_reset() override {}

 private:
  bool a20_ = true;
};

// A chip with what surrounds it. `inputs` applies what comes from outside, and accesses that are neither
// ports nor memory.
struct Bench {
  Clock clock;
  IrqTrace trace{clock};
  FakeLines lines;
  FakeMessages messages;
  FakePins pins;
  FakeApicBus apic_bus;
  FakePic acknowledge;
  NoSystem system;
  PicOutput pic_output;
  std::unique_ptr<Device> chip;
  std::unique_ptr<Saveable> part;  // a chip that is no Device
  PortDevice* ports = nullptr;
  std::vector<u16> port_list;
  unsigned widest = 1;
  MmioDevice* mmio = nullptr;
  u64 window = 0;
  std::function<u64(const Access&)> inputs = [](const Access&) { return u64{0}; };

  IrqPin pin(unsigned line) { return IrqPin(lines, line, trace, DeviceId::kNone); }
  Saveable& state() { return chip != nullptr ? static_cast<Saveable&>(*chip) : *part; }
  template <class Chip>
  Chip& install(std::unique_ptr<Chip> made) {
    Chip& reference = *made;
    if constexpr (std::is_base_of_v<Device, Chip>) {
      chip = std::move(made);
      chip->reset();
    } else {
      part = std::move(made);
    }
    return reference;
  }
  // The bus gives a chip only accesses that it takes, and that lie wholly in its ports.
  unsigned port_size(u16 port, unsigned size) const {
    for (size = std::min(size, widest); size > 1; size /= 2) {
      if (std::find(port_list.begin(), port_list.end(), port + size - 1) != port_list.end()) break;
    }
    return size;
  }
  void add_ports(PortDevice& device, u16 first, unsigned count) {
    ports = &device;
    for (unsigned i = 0; i < count; ++i) port_list.push_back(static_cast<u16>(first + i));
  }
};

inline void make_pic(Bench& bench) {
  Pic8259Pair& pic = bench.install(std::make_unique<Pic8259Pair>(bench.trace, bench.pic_output));
  for (const u16 port : {u16{0x20}, u16{0xA0}, u16{0x4D0}}) bench.add_ports(pic, port, 2);
  bench.inputs = [&pic, &bench](const Access& access) -> u64 {
    if ((access.b & 1) != 0) return pic.acknowledge().vector;
    pic.set_line(access.a % 16, (access.value & 1) != 0, bench.trace.new_cause());
    return 0;
  };
}

inline void make_ioapic(Bench& bench) {
  IoApic& chip = bench.install(std::make_unique<IoApic>(IoApicConfig{}, bench.trace, bench.messages));
  bench.mmio = &chip;
  bench.window = 0x50;
  bench.inputs = [&chip, &bench](const Access& access) -> u64 {
    if ((access.b & 3) == 0) {
      chip.eoi_broadcast(static_cast<u8>(access.value));
    } else {
      chip.set_line(access.a % IoApic::kPins, (access.b & 1) != 0, bench.trace.new_cause());
    }
    return 0;
  };
}

inline void make_local_apic(Bench& bench) {
  LocalApic& chip = bench.install(std::make_unique<LocalApic>(LocalApicConfig{}, bench.clock, bench.trace,
                                                              bench.pins, bench.apic_bus, bench.acknowledge));
  bench.inputs = [&chip, &bench](const Access& access) -> u64 {
    u64 value = 0;
    switch (access.b % 10) {
      case 0: return chip.write_msr(fuzz_msr(access.a), access.value) ? 1 : 0;
      case 1: return chip.read_msr(fuzz_msr(access.a), value) ? value : 1;
      case 2: chip.mmio_write((access.a & 0x3Fu) * 16, access.value, 4); return 0;
      case 3: return chip.mmio_read((access.a & 0x3Fu) * 16, 4);
      case 4: return bench.pins.intr ? chip.acknowledge().vector : 0;
      case 5: chip.set_cr8(access.a); return chip.cr8();
      case 6: chip.set_lint(access.a & 1, (access.value & 1) != 0, 1); return 0;
      case 7:
        return chip.deliver({.mode = static_cast<DeliveryMode>(access.b >> 5),
                             .vector = static_cast<u8>(access.value),
                             .level = (access.a & 1) != 0,
                             .cause = bench.trace.new_cause()})
                   ? 1
                   : 0;
      case 8:
        return chip.matches({.id = static_cast<u32>(access.value),
                             .logical = (access.a & 1) != 0,
                             .wide = (access.a & 2) != 0})
                   ? 1
                   : 0;
      default: chip.fire_local(static_cast<LocalApic::Lvt>(access.a % LocalApic::kLvtEntries)); return 0;
    }
  };
}

inline void make_pit(Bench& bench) {
  Pit8254& chip = bench.install(std::make_unique<Pit8254>(bench.clock, bench.pin(0)));
  bench.add_ports(chip, Pit8254::kPort, Pit8254::kPorts);
  bench.add_ports(chip, Pit8254::kControlPort, 1);
}

inline void make_hpet(Bench& bench) {
  Hpet& chip = bench.install(
      std::make_unique<Hpet>(bench.clock, bench.trace, bench.lines, bench.lines, bench.messages));
  bench.mmio = &chip;
  bench.window = 0x180;
}

inline void make_rtc(Bench& bench) {
  CmosRtc& chip = bench.install(std::make_unique<CmosRtc>(bench.clock, bench.pin(8)));
  bench.add_ports(chip, CmosRtc::kPort, CmosRtc::kPorts);
}

inline void make_acpi_pm(Bench& bench) {
  AcpiPm& chip = bench.install(std::make_unique<AcpiPm>(bench.clock, bench.pin(9)));
  // Without a bus the block lies at port 0.
  bench.add_ports(chip, 0, 64);
  bench.widest = 4;
  bench.inputs = [&chip](const Access& access) -> u64 {
    if ((access.b & 1) != 0) chip.press_power_button();
    if ((access.b & 1) == 0) chip.set_gpe(access.a % 64, (access.value & 1) != 0);
    return 0;
  };
}

inline void make_msi(Bench& bench) {
  MsiCapability& chip =
      bench.install(std::make_unique<MsiCapability>(MsiPort{bench.trace, bench.messages}, 4));
  bench.inputs = [&chip](const Access& access) -> u64 {
    if ((access.b & 3) == 0) return chip.read(access.a % 0x17u & ~3u, 4);
    if ((access.b & 3) == 1) chip.notify(access.a % 40);
    if ((access.b & 3) >= 2) chip.write(access.a % 0x17u & ~1u, static_cast<u32>(access.value), 2);
    return 0;
  };
}

inline void make_msix(Bench& bench) {
  MsixCapability& chip = bench.install(
      std::make_unique<MsixCapability>(MsiPort{bench.trace, bench.messages}, 5, MsixCapability::Layout{}));
  bench.inputs = [&chip](const Access& access) -> u64 {
    switch (access.b % 5) {
      case 0: chip.table_write(access.a & ~3u, access.value, 4); return 0;
      case 1: return chip.table_read(access.a & ~3u, 4);
      case 2: chip.write(2, static_cast<u32>(access.value), 2); return 0;
      case 3: chip.notify(access.a % 8); return 0;
      default: return chip.pba_read(access.a & ~7u, 8);
    }
  };
}

inline void make_i8042(Bench& bench) {
  I8042& chip = bench.install(std::make_unique<I8042>(bench.clock, bench.pin(1), bench.pin(12),
                                                      static_cast<SystemControl&>(bench.system)));
  bench.add_ports(chip, I8042::kDataPort, 1);
  bench.add_ports(chip, I8042::kCommandPort, 1);
}

inline void make_uart(Bench& bench) {
  Uart16550& chip =
      bench.install(std::make_unique<Uart16550>(bench.clock, 0, u16{0x3F8}, bench.pin(4), [](u8) {}));
  bench.add_ports(chip, 0x3F8, Uart16550::kPorts);
  bench.inputs = [&chip](const Access& access) -> u64 {
    u8 bytes[8];
    for (unsigned i = 0; i < 8; ++i) bytes[i] = static_cast<u8>(access.value >> (8 * i));
    chip.receive(bytes, 1 + access.a % 8);
    return 0;
  };
}

inline void make_fw_cfg(Bench& bench) {
  static GuestRam ram(1 << 20);
  static PhysicalMemory memory(ram.page, 1 << 20);
  FwCfg& chip = bench.install(std::make_unique<FwCfg>(memory));
  chip.add_standard_items(make_memory_map(1 << 24), 2, false);
  bench.add_ports(chip, 0x510, FwCfg::kPorts);
  bench.widest = 4;
}

inline void make_test_device(Bench& bench) {
  PcTestDevice& chip =
      bench.install(std::make_unique<PcTestDevice>([&bench](unsigned gsi) { return bench.pin(gsi); }));
  bench.add_ports(chip, PcTestDevice::kLatchPort, PcTestDevice::kLatchPorts);
  bench.add_ports(chip, PcTestDevice::kIrqPort, PcTestDevice::kIrqLines);
  bench.widest = 4;
  bench.mmio = &chip;
  bench.window = PcTestDevice::kWindowSize;
}

inline void make_fpu_error(Bench& bench) {
  FpuError& chip = bench.install(std::make_unique<FpuError>(bench.pin(13)));
  bench.add_ports(chip, FpuError::kPort, 1);
  bench.inputs = [&chip](const Access& access) -> u64 {
    if ((access.b & 1) != 0) return chip.report_error() ? 1 : 0;
    chip.error_recorded();
    return 0;
  };
}

struct ChipRow {
  std::string_view name;
  void (*make)(Bench&);
};
constexpr ChipRow kChips[] = {{"pic8259", make_pic},
                              {"ioapic", make_ioapic},
                              {"local_apic", make_local_apic},
                              {"pit8254", make_pit},
                              {"hpet", make_hpet},
                              {"cmos_rtc", make_rtc},
                              {"acpi_pm", make_acpi_pm},
                              {"msi", make_msi},
                              {"msix", make_msix},
                              {"i8042", make_i8042},
                              {"uart16550", make_uart},
                              {"fw_cfg", make_fw_cfg},
                              {"pc_testdev", make_test_device},
                              {"fpu_error", make_fpu_error}};

inline u64 apply(Bench& bench, const Access& access) {
  const unsigned size = 1u << (access.b & 7) % 4;
  const u16 port = bench.port_list.empty() ? u16{0} : bench.port_list[access.a % bench.port_list.size()];
  const unsigned narrow = bench.port_size(port, size);
  const u64 offset = bench.window == 0 ? 0 : (access.a * 8u + (access.b >> 3)) % bench.window / size * size;
  switch (access.kind % 8) {
    case 0:
    case 1:
      if (bench.ports != nullptr) bench.ports->port_write(port, static_cast<u32>(access.value), narrow);
      return 0;
    case 2: return bench.ports != nullptr ? bench.ports->port_read(port, narrow) : 0;
    case 3:
      if (bench.mmio != nullptr) bench.mmio->mmio_write(offset, access.value, size);
      return 0;
    case 4: return bench.mmio != nullptr ? bench.mmio->mmio_read(offset, size) : 0;
    case 5:
      bench.clock.jump_to(bench.clock.now_ns() + (access.value & ((1ull << (access.b % 40)) - 1)));
      bench.clock.run_due_timers();
      return 0;
    default: return bench.inputs(access);
  }
}

inline std::vector<u8> state_of(Bench& bench) {
  ByteSink sink;
  StateWriter out(sink);
  bench.state().save(out);
  return sink.out;
}

// False when an invariant broke; `why` then says which.
inline bool run_chip(const ChipRow& row, const u8* data, std::size_t size, const char*& why) {
  Bench bench;
  row.make(bench);
  Input input(data, size);
  while (!input.empty()) {
    Access access{};
    access.kind = input.byte();
    access.a = input.byte();
    access.b = input.byte();
    access.value = (access.kind & 0x80) != 0 ? input.wide() : input.byte();
    apply(bench, access);
  }
  // Saving is slow beside an access: only some inputs end with it.
  if (size % 8 != 0) return true;
  const std::vector<u8> before = state_of(bench);
  if (bench.chip != nullptr) static_cast<void>(bench.chip->registers());
  if (state_of(bench) != before) return why = "looking at registers changed the state", false;
  StateReader in(before.data(), before.size());
  if (!bench.state().load(in) || in.remaining() != 0) return why = "a saved state does not load", false;
  if (state_of(bench) != before) return why = "a restored state saves differently", false;
  return true;
}

}  // namespace lapwing::fuzz
