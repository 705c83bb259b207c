// Register offsets and fields of the local APIC (SDM vol. 3, "Local APIC Register Address Map"). Private to
// local_apic*.cpp.
#pragma once

#include "devices/interrupt/local_apic.h"

namespace lapwing {

// xAPIC offsets; the x2APIC MSR is 0x800 + offset / 16.
enum class LocalApic::Reg : u16 {
  kId = 0x020,
  kVersion = 0x030,
  kTpr = 0x080,
  kApr = 0x090,
  kPpr = 0x0A0,
  kEoi = 0x0B0,
  kRemoteRead = 0x0C0,
  kLdr = 0x0D0,
  kDfr = 0x0E0,
  kSvr = 0x0F0,
  kIsr = 0x100,
  kTmr = 0x180,
  kIrr = 0x200,
  kEsr = 0x280,
  kLvtCmci = 0x2F0,
  kIcrLow = 0x300,
  kIcrHigh = 0x310,
  kLvtTimer = 0x320,
  kLvtThermal = 0x330,
  kLvtPerformance = 0x340,
  kLvtLint0 = 0x350,
  kLvtLint1 = 0x360,
  kLvtError = 0x370,
  kInitialCount = 0x380,
  kCurrentCount = 0x390,
  kDivide = 0x3E0,
  kSelfIpi = 0x3F0,
};

namespace apic {

constexpr u16 kLvtOffset[LocalApic::kLvtEntries] = {0x320, 0x330, 0x340, 0x350, 0x360, 0x370, 0x2F0};

namespace id {
using Xapic = Field<u32, u32, 24, 8>;
}

namespace version {
using Version = Field<u8, u32, 0, 8>;
using MaxLvtEntry = Field<u8, u32, 16, 8>;
using EoiSuppression = Field<bool, u32, 24, 1>;
constexpr u8 kVersion = 0x14;
constexpr u32 kValue = kVersion | ((LocalApic::kLvtEntries - 1) << MaxLvtEntry::kLo) | EoiSuppression::kMask;
}  // namespace version

namespace svr {
using Vector = Field<u8, u32, 0, 8>;
using Enable = Field<bool, u32, 8, 1>;
using FocusDisable = Field<bool, u32, 9, 1>;
using SuppressEoi = Field<bool, u32, 12, 1>;
constexpr u32 kWritable = Vector::kMask | Enable::kMask | FocusDisable::kMask | SuppressEoi::kMask;
constexpr u32 kReset = 0xFF;
}  // namespace svr

namespace ldr {
using Xapic = Field<u32, u32, 24, 8>;
using Cluster = Field<u32, u32, 16, 16>;  // x2APIC
using Member = Field<u32, u32, 0, 16>;    // x2APIC
}  // namespace ldr

namespace dfr {
using Model = Field<u8, u32, 28, 4>;
constexpr u8 kFlat = 0xF;
constexpr u8 kCluster = 0x0;
}  // namespace dfr

namespace esr {
constexpr u32 kRedirectableIpi = 1u << 4;
constexpr u32 kSendIllegalVector = 1u << 5;
constexpr u32 kReceiveIllegalVector = 1u << 6;
constexpr u32 kIllegalRegister = 1u << 7;
}  // namespace esr

namespace icr {
using Vector = Field<u8, u32, 0, 8>;
using Mode = Field<DeliveryMode, u32, 8, 3>;
using Logical = Field<bool, u32, 11, 1>;
using Assert = Field<bool, u32, 14, 1>;
using LevelTriggered = Field<bool, u32, 15, 1>;
using DestinationShorthand = Field<Shorthand, u32, 18, 2>;
using XapicDestination = Field<u32, u32, 24, 8>;  // of the high half
constexpr u32 kWritable = Vector::kMask | Mode::kMask | Logical::kMask | Assert::kMask |
                          LevelTriggered::kMask | DestinationShorthand::kMask;
}  // namespace icr

namespace lvt {
using Vector = Field<u8, u32, 0, 8>;
using Mode = Field<DeliveryMode, u32, 8, 3>;
using DeliveryStatus = Field<bool, u32, 12, 1>;
using ActiveLow = Field<bool, u32, 13, 1>;
using RemoteIrr = Field<bool, u32, 14, 1>;
using Level = Field<bool, u32, 15, 1>;
using Mask = Field<bool, u32, 16, 1>;
using TimerMode = Field<u8, u32, 17, 2>;
}  // namespace lvt

namespace divide {
constexpr u32 kWritable = 0xB;
}

namespace base {
using Bootstrap = Field<bool, u64, 8, 1>;
using X2apic = Field<bool, u64, 10, 1>;
using Enable = Field<bool, u64, 11, 1>;
constexpr u64 kAddressMask = ((1ull << kPhysicalAddressBits) - 1) & ~kPageMask;
constexpr u64 kReset = 0xFEE00000;
}  // namespace base

// Writable bits of an LVT entry.
u32 lvt_writable(LocalApic::Lvt lvt, bool tsc_deadline);

constexpr u8 kFirstLegalVector = 16;
constexpr u8 priority_class(unsigned vector) {
  return static_cast<u8>(vector >> 4);
}

}  // namespace apic
}  // namespace lapwing
