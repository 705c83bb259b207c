// Registers and command codes of the ATA task file: ATA/ATAPI-6 (T13/1410D), sections 7 "Interface register
// definitions" and 8 "Command descriptions"; the ATAPI meaning of the registers from section 8.23 (PACKET).
#pragma once

#include "core/types.h"

namespace lapwing::ata {

// Offsets in the command block; in a pair the first name is of the reads.
enum Reg : u8 {
  kData = 0,
  kError = 1,
  kFeatures = 1,
  kSectorCount = 2,
  kInterruptReason = 2,  // of PACKET devices
  kLbaLow = 3,
  kLbaMid = 4,
  kLbaHigh = 5,
  kDevice = 6,
  kStatus = 7,
  kCommand = 7,
};
constexpr unsigned kCommandBlockPorts = 8;

// Status (7.15).
constexpr u8 kErr = 1 << 0;  // CHK of PACKET devices
constexpr u8 kDrq = 1 << 3;
constexpr u8 kDsc = 1 << 4;  // seek complete of older standards; SERV of PACKET devices
constexpr u8 kDf = 1 << 5;
constexpr u8 kDrdy = 1 << 6;
constexpr u8 kBsy = 1 << 7;

// Error (7.9).
constexpr u8 kAbrt = 1 << 2;
constexpr u8 kIdnf = 1 << 4;
constexpr u8 kUnc = 1 << 6;
constexpr u8 kDiagnosticPassed = 0x01;

// Device (7.7).
constexpr u8 kDev = 1 << 4;
constexpr u8 kLba = 1 << 6;
constexpr u8 kHeadMask = 0x0F;

// Device control (7.8).
constexpr u8 kNien = 1 << 1;
constexpr u8 kSrst = 1 << 2;
constexpr u8 kHob = 1 << 7;

// Interrupt reason (8.23).
constexpr u8 kReasonCommand = 1 << 0;  // C/D
constexpr u8 kReasonToHost = 1 << 1;   // I/O

// Features of PACKET.
constexpr u8 kPacketDma = 1 << 0;
constexpr u8 kPacketOverlap = 1 << 1;

enum Command : u8 {
  kNop = 0x00,
  kDeviceReset = 0x08,
  kRecalibrate = 0x10,  // and the 15 codes after it, in older standards
  kReadSectors = 0x20,
  kReadSectorsNoRetry = 0x21,
  kReadSectorsExt = 0x24,
  kReadDmaExt = 0x25,
  kReadNativeMaxExt = 0x27,
  kReadMultipleExt = 0x29,
  kWriteSectors = 0x30,
  kWriteSectorsNoRetry = 0x31,
  kWriteSectorsExt = 0x34,
  kWriteDmaExt = 0x35,
  kWriteMultipleExt = 0x39,
  kVerify = 0x40,
  kVerifyNoRetry = 0x41,
  kVerifyExt = 0x42,
  kSeek = 0x70,
  kDiagnostic = 0x90,
  kInitializeParameters = 0x91,
  kStandbyImmediateOld = 0x94,
  kIdleImmediateOld = 0x95,
  kStandbyOld = 0x96,
  kIdleOld = 0x97,
  kCheckPowerOld = 0x98,
  kSleepOld = 0x99,
  kPacket = 0xA0,
  kIdentifyPacket = 0xA1,
  kSmart = 0xB0,
  kReadMultiple = 0xC4,
  kWriteMultiple = 0xC5,
  kSetMultiple = 0xC6,
  kReadDma = 0xC8,
  kReadDmaNoRetry = 0xC9,
  kWriteDma = 0xCA,
  kWriteDmaNoRetry = 0xCB,
  kStandbyImmediate = 0xE0,
  kIdleImmediate = 0xE1,
  kStandby = 0xE2,
  kIdle = 0xE3,
  kCheckPower = 0xE5,
  kSleep = 0xE6,
  kFlushCache = 0xE7,
  kFlushCacheExt = 0xEA,
  kIdentify = 0xEC,
  kSetFeatures = 0xEF,
  kReadNativeMax = 0xF8,
};

// SET FEATURES (8.46).
enum Feature : u8 {
  kEnableWriteCache = 0x02,
  kSetTransferMode = 0x03,
  kDisableLookAhead = 0x55,
  kKeepSettings = 0x66,
  kDisableWriteCache = 0x82,
  kEnableLookAhead = 0xAA,
  kRevertSettings = 0xCC,
};

// What the devices support, and how IDENTIFY words 63, 64 and 88 say it.
constexpr unsigned kMaxPioMode = 4;
constexpr unsigned kMaxMultiwordMode = 2;
constexpr unsigned kMaxUltraMode = 5;

}  // namespace lapwing::ata
