// Operation codes, sense keys and additional sense codes of the packet commands (MMC-4, SPC-3 4.5).
#pragma once

#include "core/types.h"

namespace lapwing::atapi {

enum Opcode : u8 {
  kTestUnitReady = 0x00,
  kRequestSense = 0x03,
  kInquiry = 0x12,
  kStartStop = 0x1B,
  kPreventAllow = 0x1E,
  kReadCapacity = 0x25,
  kRead10 = 0x28,
  kSeek10 = 0x2B,
  kReadToc = 0x43,
  kGetConfiguration = 0x46,
  kGetEventStatus = 0x4A,
  kReadDiscInformation = 0x51,
  kModeSense10 = 0x5A,
  kRead12 = 0xA8,
  kSetSpeed = 0xBB,
  kMechanismStatus = 0xBD,
  kReadCd = 0xBE,
};

enum SenseKey : u8 {
  kNoSense = 0,
  kNotReady = 2,
  kMediumError = 3,
  kIllegalRequest = 5,
  kUnitAttention = 6,
};

enum SenseCode : u8 {
  kAscUnrecoveredRead = 0x11,
  kAscInvalidOpcode = 0x20,
  kAscLbaOutOfRange = 0x21,
  kAscInvalidField = 0x24,
  kAscMediumChanged = 0x28,
  kAscReset = 0x29,
  kAscNotSaving = 0x39,
  kAscNoMedium = 0x3A,
  kAscRemovalPrevented = 0x53,
  kAscIllegalMode = 0x64,
};
constexpr u8 kAscqTrayClosed = 0x01;
constexpr u8 kAscqTrayOpen = 0x02;
constexpr u8 kAscqPrevented = 0x02;

}  // namespace lapwing::atapi
