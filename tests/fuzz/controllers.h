// Drives every interrupt controller and timer of a PC with arbitrary guest accesses: registers, ports, MSRs,
// lines, messages, time. Nothing a guest does may break an invariant, and a machine restored in mid-run must
// go on exactly as the original (compared by saved state).
#pragma once

#include <iterator>
#include <memory>

#include "devices/interrupt/ioapic.h"
#include "devices/interrupt/local_apic.h"
#include "devices/interrupt/msi.h"
#include "devices/interrupt/pic8259.h"
#include "devices/interrupt/router.h"
#include "devices/timer/acpi_pm.h"
#include "devices/timer/cmos_rtc.h"
#include "devices/timer/hpet.h"
#include "devices/timer/pit8254.h"
#include "tests/unit/irq_fakes.h"

namespace lapwing::fuzz {

using namespace lapwing::testing;

constexpr unsigned kCpus = 3;
constexpr u16 kPmBase = 0x600;

// Everything between a device's line and a CPU's INTR, wired as a PC; two I/O APICs.
struct Board {
  Board() {
    gsi.attach(ioapic);
    gsi.attach(second);
    messages.attach(static_cast<EoiSink&>(ioapic));
    messages.attach(static_cast<EoiSink&>(second));
    for (u8 i = 0; i < kCpus; ++i) {
      const LocalApicConfig config{.cpu = i, .id = i, .bootstrap = i == 0};
      apics.push_back(std::make_unique<LocalApic>(config, clock, trace, pins[i], messages, pic));
      messages.attach(*apics[i]);
      pic_output.attach(*apics[i]);
    }
    pic_output.attach(ioapic, 0);
    saveables = {&clock, &trace, &pic, &ioapic, &second, &gsi, &pit, &rtc, &hpet, &pm, &msi, &msix};
    for (auto& apic : apics) saveables.push_back(apic.get());
    devices = {&pic, &ioapic, &second, &pit, &rtc, &hpet, &pm};
    for (auto& apic : apics) devices.push_back(apic.get());
    for (const auto& [first, count] : {std::pair{0x20, 2}, {0xA0, 2}, {0x4D0, 2}}) {
      claimed &= bus.claim(static_cast<u16>(first), static_cast<unsigned>(count), pic, "pic").ok();
    }
    claimed &= bus.claim(Pit8254::kPort, Pit8254::kPorts, pit, "pit").ok();
    claimed &= bus.claim(Pit8254::kControlPort, 1, pit, "port 61").ok();
    claimed &= bus.claim(CmosRtc::kPort, CmosRtc::kPorts, rtc, "rtc").ok();
    claimed &= pm.map(bus, kPmBase).ok();
  }

  std::vector<u8> state() const {
    ByteSink sink;
    StateWriter out(sink);
    for (const Saveable* part : saveables) part->save(out);
    return sink.out;
  }
  bool restore_from(const Board& other) {
    const std::vector<u8> bytes = other.state();
    StateReader in(bytes.data(), bytes.size());
    for (Saveable* part : saveables) {
      if (!part->load(in)) return false;
    }
    for (unsigned i = 0; i < kCpus; ++i) pins[i].intr = other.pins[i].intr;
    return in.remaining() == 0;
  }

  Clock clock;
  IrqTrace trace{clock};
  PortBus bus{clock, trace};
  PicOutput pic_output;
  Pic8259Pair pic{trace, pic_output};
  MessageRouter messages{trace};
  IoApic ioapic{IoApicConfig{}, trace, messages};
  IoApic second{
      IoApicConfig{.instance = 1, .id = 1, .gsi_base = 24, .base = 0xFEC01000, .active_low_pins = 0}, trace,
      messages};
  GsiRouter gsi{&pic, trace};
  Hpet hpet{clock, trace, gsi.new_source(), gsi.new_source(), messages};
  Pit8254 pit{clock, IrqPin(hpet.legacy_input(), 0, trace, DeviceId::kPit)};
  CmosRtc rtc{clock, IrqPin(hpet.legacy_input(), 8, trace, DeviceId::kRtc)};
  AcpiPm pm{clock, IrqPin(gsi.new_source(), 9, trace, DeviceId::kAcpiPm)};
  LineSink& lines = gsi.new_source();
  MsiCapability msi{MsiPort{trace, messages}, 4};
  MsixCapability msix{MsiPort{trace, messages}, 5, {}};
  std::array<FakePins, kCpus> pins;
  std::vector<std::unique_ptr<LocalApic>> apics;
  std::vector<Saveable*> saveables;
  std::vector<const Device*> devices;
  bool claimed = true;
};

class Input {
 public:
  Input(const u8* data, std::size_t size) : data_(data), size_(size) {}
  bool empty() const { return at_ >= size_; }
  u8 byte() { return empty() ? u8{0} : data_[at_++]; }
  u32 word() {
    u32 value = 0;
    for (unsigned i = 0; i < 4; ++i) value |= static_cast<u32>(byte()) << (i * 8);
    return value;
  }
  u64 wide() { return word() | static_cast<u64>(word()) << 32; }

 private:
  const u8* data_;
  std::size_t size_;
  std::size_t at_ = 0;
};

// One guest access or outside event, decided before it is applied so that two boards can get the same one.
struct Step {
  u8 kind;
  u8 a;
  u8 b;
  u32 value;
  u32 high;
};

constexpr u8 kStepKinds = 18;

inline u16 fuzz_port(u8 choice) {
  constexpr u16 kPorts[] = {0x20,  0x21,  0xA0,  0xA1,  0x4D0, 0x4D1, 0x40,  0x41,  0x42,
                            0x43,  0x61,  0x70,  0x71,  0x72,  0x73,  0x600, 0x601, 0x602,
                            0x603, 0x604, 0x605, 0x608, 0x60C, 0x60D, 0x60E, 0x610, 0x63E};
  return kPorts[choice % std::size(kPorts)];
}

// MSRs of the local APIC, with the ones around them.
inline u32 fuzz_msr(u8 choice) {
  if (choice < 8) return 0x1B;
  if (choice < 24) return 0x6E0;
  return 0x800 + choice % 0x45u;
}

// The state of a running guest: controllers programmed, everything unmasked.
inline void set_up(Board& board) {
  for (const auto& [port, value] : {std::pair{0x20, 0x11},
                                    {0x21, 0x20},
                                    {0x21, 0x04},
                                    {0x21, 0x01},
                                    {0x21, 0x00},
                                    {0xA0, 0x11},
                                    {0xA1, 0x28},
                                    {0xA1, 0x02},
                                    {0xA1, 0x01},
                                    {0xA1, 0x00},
                                    {0x43, 0x34},
                                    {0x40, 0x00},
                                    {0x40, 0x10}}) {
    board.bus.port_out(static_cast<u16>(port), static_cast<u32>(value), 1);
  }
  for (auto& apic : board.apics) {
    const u32 registers[][2] = {{0xF0, 0x1FF},    {0xD0, 0x01000000u << apic->config().cpu},
                                {0x320, 0x200EC}, {0x350, 0x700},
                                {0x360, 0x400},   {0x370, 0xFE},
                                {0x380, 100'000}};
    for (const auto& [offset, value] : registers) apic->mmio_write(offset, value, 4);
  }
  for (unsigned pin = 0; pin < IoApic::kPins; ++pin) {
    // Alternate edge and level, CPUs in turn.
    board.ioapic.mmio_write(0x00, 0x11 + 2 * pin, 4);
    board.ioapic.mmio_write(0x10, pin % kCpus << 24, 4);
    board.ioapic.mmio_write(0x00, 0x10 + 2 * pin, 4);
    board.ioapic.mmio_write(0x10, (0x30 + 4 * pin) | (pin % 2) << 15 | (pin >= 16 ? 1u << 13 : 0), 4);
  }
  board.hpet.mmio_write(0x10, 1, 4);
  board.msi.write(2, 0x21, 2);
  board.msi.write(4, 0xFEE00000, 4);
  board.msi.write(12, 0x40A0, 2);
  board.msix.write(2, 0x8000, 2);
}

inline u64 apply(Board& board, const Step& step) {
  LocalApic& apic = *board.apics[step.a % kCpus];
  FakePins& pins = board.pins[step.a % kCpus];
  const unsigned size = 1u << (step.b % 4);
  const u64 wide = step.value | static_cast<u64>(step.high) << 32;
  u64 result = 0;
  switch (step.kind % kStepKinds) {
    case 0:
    case 1: {
      // Mostly clock registers, not CMOS memory.
      const u16 port = fuzz_port(step.a);
      board.bus.port_out(port, port == CmosRtc::kPort ? step.value & 0x8F : step.value, 1u << (step.b % 3));
      break;
    }
    case 2: return board.bus.port_in(fuzz_port(step.a), 1u << (step.b % 3));
    case 3: board.hpet.mmio_write(step.a * 2u / size * size % 0x180, wide, size); break;
    case 4: return board.hpet.mmio_read(step.a * 2u / size * size % 0x180, size);
    case 5:
    case 6: {
      IoApic& chip = (step.b & 1) != 0 ? board.second : board.ioapic;
      chip.mmio_write(0x00, step.a % 0x48u, 4);
      chip.mmio_write((step.b & 0xE0) == 0 ? 0x40 : 0x10, step.value, 4);
      return chip.mmio_read(0x10, size);
    }
    case 7:
    case 8: apic.mmio_write((step.b & 0x3Fu) * 16, step.value, 4); break;
    case 9: return apic.mmio_read((step.b & 0x3Fu) * 16 + (step.high & 15) / size * size, size);
    case 10: {
      const u32 msr = fuzz_msr(step.b);
      const u64 value = msr == 0x1B && (step.a & 0x80) != 0 ? 0xFEE00000 | (step.value & 0xD00) : wide;
      return apic.write_msr(msr, value) ? 1 : 0;
    }
    case 11: return apic.read_msr(fuzz_msr(step.b), result) ? result : 0;
    case 12: board.lines.set_line(step.a % 48, (step.value & 1) != 0, board.trace.new_cause()); break;
    case 13:
      if (pins.intr) return apic.acknowledge().vector;
      apic.set_cr8(step.b);
      return apic.cr8();
    case 14:
      board.clock.jump_to(board.clock.now_ns() + (wide & ((1ull << (step.b % 40)) - 1)));
      board.clock.run_due_timers();
      break;
    case 15: return board.messages.send({0xFEE00000ull | (wide & 0xFF000000FFFFFull), step.value, 0}) ? 1 : 0;
    case 16:
      switch (step.b % 6) {
        case 0: apic.set_lint(1, (step.value & 1) != 0, 1); break;
        case 1: apic.fire_local(static_cast<LocalApic::Lvt>(step.value % LocalApic::kLvtEntries)); break;
        case 2: apic.init_reset(); break;
        case 3: apic.set_tsc_offset(wide); break;
        case 4: board.pm.press_power_button(); break;
        default: board.pm.set_gpe(step.value % 64, (step.high & 1) != 0); break;
      }
      break;
    default:
      switch (step.b % 5) {
        case 0: board.msi.write(step.a % 0x17u & ~1u, step.value, 2); break;
        case 1: board.msix.table_write(step.a & ~3u, wide, 4); break;
        case 2: board.msix.write(2, step.value, 2); break;
        case 3: board.msi.notify(step.value % 40); break;
        default: board.msix.notify(step.value % 8); break;
      }
      return board.msi.read(step.a % 0x17u & ~3u, 4) ^ board.msix.pba_read(0, 8);
  }
  return 0;
}

// False when an invariant broke; `why` then says which.
inline bool run_controllers(const u8* data, std::size_t size, const char*& why) {
  Board board;
  std::unique_ptr<Board> twin;
  Input input(data, size);
  if (!board.claimed) return why = "ports overlap", false;
  const u8 start = input.byte();
  const unsigned fork_at = start & 0x7Fu;
  if ((start & 0x80) != 0) set_up(board);
  for (unsigned count = 0; !input.empty(); ++count) {
    Step step{};
    step.kind = input.byte();
    step.a = input.byte();
    step.b = input.byte();
    step.value = input.word();
    if ((step.kind & 0x80) != 0) step.high = input.word();
    if (count == fork_at) {
      const std::vector<u8> before = board.state();
      for (const Device* device : board.devices) static_cast<void>(device->registers());
      if (board.state() != before) return why = "looking at registers changed the state", false;
      twin = std::make_unique<Board>();
      if (!twin->restore_from(board)) return why = "a saved state does not load", false;
      if (twin->state() != before) return why = "a restored state saves differently", false;
    }
    const u64 seen = apply(board, step);
    if (twin != nullptr && apply(*twin, step) != seen)
      return why = "the restored machine answers differently", false;
  }
  if (twin != nullptr && twin->state() != board.state())
    return why = "the restored machine went another way", false;
  for (unsigned i = 0; i < kCpus && twin != nullptr; ++i) {
    if (twin->pins[i].intr != board.pins[i].intr) return why = "INTR differs after a restore", false;
  }
  return true;
}

}  // namespace lapwing::fuzz
