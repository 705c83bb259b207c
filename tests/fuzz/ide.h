// Drives the IDE controller of a PC with arbitrary guest accesses: task files, data ports, packets, bus
// master registers and tables, configuration space, and a user who changes discs while the medium fails.
// Nothing may break an invariant or touch anything but guest RAM and the images, and a machine restored in
// mid-run must go on exactly as the original.
#pragma once

#include <cstring>
#include <iterator>
#include <memory>

#include "tests/unit/ide_rig.h"

namespace lapwing::fuzz {

using namespace lapwing::testing;

// One guest access or outside event, decided before it is applied so that two machines can get the same one.
struct IdeStep {
  u8 kind;
  u8 a;
  u8 b;
  u32 value;
};

constexpr u8 kIdeStepKinds = 16;
constexpr u64 kFuzzRam = 64 << 10;
constexpr u64 kFuzzSectors = 300;
constexpr u64 kFuzzBlocks = 70;
constexpr unsigned kBulk[] = {1, 3, 128, 256};

inline void add_drives(IdeRig& rig, u8 layout) {
  rig.add_disk(0, kFuzzSectors);
  if ((layout & 1) != 0) rig.add_disk(1, 3);
  rig.add_cdrom(2, (layout & 2) != 0 ? 0 : kFuzzBlocks);
  if ((layout & 4) != 0) rig.add_cdrom(3, 1);
  rig.add_disc(2, 20);
  rig.add_disc(2, 0);
}

inline u8 fuzz_command(u8 choice) {
  constexpr u8 kCommands[] = {0x00, 0x08, 0x10, 0x20, 0x21, 0x24, 0x25, 0x27, 0x29, 0x30, 0x31,
                              0x34, 0x35, 0x39, 0x40, 0x42, 0x70, 0x90, 0x91, 0x94, 0x98, 0xA0,
                              0xA0, 0xA0, 0xA1, 0xB0, 0xC4, 0xC5, 0xC6, 0xC8, 0xCA, 0xE0, 0xE1,
                              0xE2, 0xE3, 0xE5, 0xE6, 0xE7, 0xEA, 0xEC, 0xEC, 0xEF, 0xF8};
  return choice < 0xE0 ? kCommands[choice % std::size(kCommands)] : choice;
}

inline u8 fuzz_opcode(u8 choice) {
  constexpr u8 kOpcodes[] = {0x00, 0x03, 0x12, 0x1B, 0x1E, 0x25, 0x28, 0x28, 0x2B, 0x43,
                             0x46, 0x4A, 0x51, 0x5A, 0xA8, 0xBB, 0xBD, 0xBE, 0xBE};
  return choice < 0xF0 ? kOpcodes[choice % std::size(kOpcodes)] : choice;
}

// Lets up to `most` timers fire.
inline void pass_time(IdeRig& rig, unsigned most) {
  for (unsigned i = 0; i < most && rig.clock.next_deadline() != kNever; ++i)
    advance_to(rig.clock, rig.clock.next_deadline());
}

// Mostly small addresses and counts, so that transfers happen.
inline void whole_command(IdeRig& rig, const IdeStep& step) {
  const u32 lba = (step.b & 0x80) != 0 ? step.value : step.value % (kFuzzSectors + 2);
  const auto count = static_cast<u16>((step.b & 0x40) != 0 ? step.value >> 16 : step.b & 15);
  const u8 device = (step.b & 0x20) != 0 ? ata::kDev : 0;
  if ((step.b & 0x10) != 0) {
    rig.command48(fuzz_command(step.a), lba, count);
  } else {
    rig.command28(fuzz_command(step.a), lba & 0x0FFFFFFF, static_cast<u8>(count), device);
  }
}

inline void whole_packet(IdeRig& rig, const IdeStep& step) {
  rig.out(ata::kFeatures, step.b & 3);
  rig.out(ata::kLbaMid, step.b & 0xF0);
  rig.out(ata::kLbaHigh, step.b >> 2);
  rig.out(ata::kCommand, ata::kPacket);
  pass_time(rig, 2);
  std::vector<u8> bytes(12);
  bytes[0] = fuzz_opcode(step.a);
  for (unsigned i = 1; i < bytes.size(); ++i) bytes[i] = static_cast<u8>(step.value >> (i * 5 % 25));
  if ((step.b & 4) != 0) {
    bytes[2] = bytes[3] = bytes[4] = bytes[6] = bytes[7] = 0;
    bytes[5] = static_cast<u8>(step.value % kFuzzBlocks);
    bytes[8] = bytes[9] = static_cast<u8>(step.value >> 8 & 0x13);
  }
  rig.write_data(bytes);
}

inline void user_acts(IdeRig& rig, const IdeStep& step) {
  AtapiCdrom* drive = rig.ide.cdrom((step.a & 1) != 0 && rig.ide.cdrom(3) != nullptr ? 3 : 2);
  switch (step.b % 5) {
    case 0: static_cast<void>(drive->insert(drive == rig.ide.cdrom(2) ? step.value % 3 : 0)); break;
    case 1: static_cast<void>(drive->press_eject()); break;
    case 2: rig.disks.readable = (step.value & 7) != 0; break;
    case 3: rig.disks.writable = (step.value & 7) != 0; break;
    default: rig.ide.reset(); break;
  }
}

inline u64 apply(IdeRig& rig, const IdeStep& step) {
  const unsigned size = 1u << (step.b % 3);
  switch (step.kind % kIdeStepKinds) {
    case 0: rig.out(step.a & 7, step.value, size); break;
    case 1: return rig.in(step.a & 7, size);
    case 2: whole_command(rig, step); break;
    case 3: whole_packet(rig, step); break;
    case 4: {
      u64 seen = 0;
      for (unsigned i = 0; i < kBulk[step.a & 3]; ++i) seen = seen * 31 + rig.in(ata::kData, size);
      return seen;
    }
    case 5:
      for (unsigned i = 0; i < kBulk[step.a & 3]; ++i) rig.out(ata::kData, step.value + i, size);
      break;
    case 6: rig.bus.port_out(rig.control(rig.channel), step.value & 0x87, 1); break;
    case 7: return rig.alternate();
    case 8:
      rig.bus.port_out(static_cast<u16>(kBusMasterBase + step.a % 16 / size * size), step.value, size);
      break;
    case 9: return rig.bus.port_in(static_cast<u16>(kBusMasterBase + step.a % 16 / size * size), size);
    case 10:
      // A table of small regions, some of them nowhere.
      for (u32 i = 0; i < step.a % 8u + 1; ++i) {
        const u32 address =
            (step.b & 0x80) != 0 ? step.value * (i + 1) : (step.value + i * 0x1800) % kFuzzRam;
        const u32 last = i + 1 == step.a % 8u + 1 && (step.b & 0x40) == 0 ? 0x80000000u : 0;
        rig.memory.write(0x1000 + i * 8, address, 4);
        rig.memory.write(0x1004 + i * 8, last | ((step.b & 0x3Fu) << 9), 4);
      }
      rig.bus.port_out(static_cast<u16>(rig.master(rig.channel) + 4), 0x1000, 4);
      break;
    case 11:
      rig.stop_master();
      rig.start_master((step.a & 1) != 0);
      break;
    case 12: pass_time(rig, step.a % 16 + 1); break;
    case 13: rig.channel = step.a & 1; break;
    case 14: {
      constexpr u8 kOffsets[] = {0x04, 0x20, 0x22, 0x3C, 0x40, 0x42, 0x44, 0x48};
      if ((step.b & 0xC0) != 0) return rig.pci.config_read(1, 1, kOffsets[step.a & 7], 2);
      rig.pci.config_write(1, 1, kOffsets[step.a & 7], step.value, 2);
      break;
    }
    default: user_acts(rig, step); break;
  }
  return 0;
}

// A machine that can be used again: back to power-on costs less than building it.
struct FuzzRig {
  explicit FuzzRig(u8 layout) : rig(kFuzzRam) {
    add_drives(rig, layout);
    pristine = rig.state();
    const unsigned disks = (layout & 1) != 0 ? 2 : 1;
    for (unsigned i = 0; i < disks; ++i) images.push_back(rig.disks.image(i));
  }
  bool power_on() {
    std::fill_n(rig.ram.page, kFuzzRam, u8{0});
    for (unsigned i = 0; i < images.size(); ++i) rig.disks.image(i) = images[i];
    rig.disks.readable = rig.disks.writable = true;
    rig.lines = {};
    rig.channel = 0;
    return rig.load(pristine);
  }
  IdeRig rig;
  std::vector<u8> pristine;
  std::vector<std::vector<u8>> images;  // of the disks, which alone can be written
};

class IdeInput {
 public:
  IdeInput(const u8* data, std::size_t size) : data_(data), size_(size) {}
  bool empty() const { return at_ >= size_; }
  u8 byte() { return empty() ? u8{0} : data_[at_++]; }
  IdeStep step() {
    IdeStep step{byte(), byte(), byte(), 0};
    for (unsigned i = 0; i < 4; ++i) step.value |= u32{byte()} << (i * 8);
    return step;
  }

 private:
  const u8* data_;
  std::size_t size_;
  std::size_t at_ = 0;
};

// False when an invariant broke; `why` then says which.
inline bool run_ide(const u8* data, std::size_t size, const char*& why) {
  IdeInput input(data, size);
  const u8 start = input.byte();
  const bool forks = (start & 0x80) != 0;
  const unsigned fork_at = start >> 3 & 15;
  static std::unique_ptr<FuzzRig> rigs[8][2];
  auto& [first, second] = rigs[start & 7];
  if (first == nullptr) {
    first = std::make_unique<FuzzRig>(start);
    second = std::make_unique<FuzzRig>(start);
  }
  IdeRig& rig = first->rig;
  if (!rig.ok) return why = "ports overlap", false;
  if (!first->power_on()) return why = "a power-on state does not load", false;
  IdeRig* twin = nullptr;
  for (unsigned count = 0; !input.empty(); ++count) {
    const IdeStep step = input.step();
    if (forks && count == fork_at) {
      const std::vector<u8> before = rig.state();
      static_cast<void>(rig.ide.registers());
      if (rig.state() != before) return why = "looking at registers changed the state", false;
      twin = &second->rig;
      twin->channel = rig.channel;
      if (!twin->restore_from(rig)) return why = "a saved state does not load", false;
      if (twin->state() != before) return why = "a restored state saves differently", false;
    }
    const u64 seen = apply(rig, step);
    if (twin != nullptr && apply(*twin, step) != seen)
      return why = "the restored machine answers differently", false;
  }
  if (twin == nullptr) return true;
  if (twin->state() != rig.state()) return why = "the restored machine went another way", false;
  if (twin->lines.levels != rig.lines.levels) return why = "an interrupt line differs after a restore", false;
  if (std::memcmp(rig.ram.page, twin->ram.page, kFuzzRam) != 0)
    return why = "memory differs after a restore", false;
  return true;
}

}  // namespace lapwing::fuzz
