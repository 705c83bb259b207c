// Type 00h configuration header: offsets and bits (PCI Local Bus Specification 3.0, section 6.1 and 6.2).
#pragma once

#include "core/bitfield.h"
#include "core/types.h"

namespace lapwing::pci {

enum Reg : u8 {
  kVendorId = 0x00,
  kDeviceId = 0x02,
  kCommand = 0x04,
  kStatus = 0x06,
  kRevisionId = 0x08,
  kClassCode = 0x09,
  kCacheLineSize = 0x0C,
  kLatencyTimer = 0x0D,
  kHeaderType = 0x0E,
  kBar0 = 0x10,
  kSubsystemVendorId = 0x2C,
  kSubsystemId = 0x2E,
  kExpansionRom = 0x30,
  kCapabilities = 0x34,
  kInterruptLine = 0x3C,
  kInterruptPin = 0x3D,
  kFirstDeviceSpecific = 0x40,
};

constexpr unsigned kConfigSize = 256;
constexpr unsigned kBars = 6;

// Command register (6.2.2).
constexpr u16 kCommandIo = 1 << 0;
constexpr u16 kCommandMemory = 1 << 1;
constexpr u16 kCommandBusMaster = 1 << 2;
constexpr u16 kCommandSerr = 1 << 8;
constexpr u16 kCommandInterruptDisable = 1 << 10;

// Status register (6.2.3).
constexpr u16 kStatusInterrupt = 1 << 3;
constexpr u16 kStatusCapabilities = 1 << 4;
constexpr u16 kStatusDevselMedium = 1 << 9;
constexpr u16 kStatusErrors = 0xF900;  // write 1 to clear

// Base address registers (6.2.5.1).
constexpr u32 kBarIo = 1 << 0;
constexpr u32 kBarMemory64 = 2 << 1;
constexpr u32 kBarPrefetchable = 1 << 3;
constexpr u32 kBarIoMask = ~3u;
constexpr u32 kBarMemoryMask = ~15u;

// Expansion ROM base address register (6.2.5.2).
constexpr u32 kRomEnable = 1 << 0;
constexpr u32 kRomMask = ~0x7FFu;

constexpr u8 kMultifunction = 0x80;

enum CapabilityId : u8 { kCapMsi = 0x05, kCapVendor = 0x09, kCapMsix = 0x11 };

}  // namespace lapwing::pci
