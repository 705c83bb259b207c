// Registers, commands and status codes of NVM Express 1.4 (NVM Express Base Specification, revision 1.4).
#pragma once

#include "core/bitfield.h"
#include "core/types.h"

namespace lapwing::nvme {

// Controller registers (3.1).
enum Reg : u32 {
  kCap = 0x00,
  kVs = 0x08,
  kIntms = 0x0C,
  kIntmc = 0x10,
  kCc = 0x14,
  kCsts = 0x1C,
  kAqa = 0x24,
  kAsq = 0x28,
  kAcq = 0x30,
  kDoorbells = 0x1000,
};

constexpr u32 kVersion = 0x00010400;
constexpr u32 kSmallestPage = 4096;  // smallest memory page (CAP.MPSMIN = 0)

namespace cap {
using Mqes = Field<u16, u64, 0, 16>;
using Cqr = Field<bool, u64, 16, 1>;
using To = Field<u8, u64, 24, 8>;
using CssNvm = Field<bool, u64, 37, 1>;
using Mpsmax = Field<u8, u64, 52, 4>;
}  // namespace cap

namespace cc {
using En = Field<bool, u32, 0, 1>;
using Css = Field<u8, u32, 4, 3>;
using Mps = Field<u8, u32, 7, 4>;
using Ams = Field<u8, u32, 11, 3>;
using Shn = Field<u8, u32, 14, 2>;
using Iosqes = Field<u8, u32, 16, 4>;
using Iocqes = Field<u8, u32, 20, 4>;
constexpr u32 kWritable = 0x00FFFFF1;
}  // namespace cc

namespace csts {
using Rdy = Field<bool, u32, 0, 1>;
using Cfs = Field<bool, u32, 1, 1>;
using Shst = Field<u8, u32, 2, 2>;
constexpr u8 kShutdownRunning = 1;
constexpr u8 kShutdownComplete = 2;
}  // namespace csts

namespace aqa {
using Asqs = Field<u16, u32, 0, 12>;
using Acqs = Field<u16, u32, 16, 12>;
constexpr u32 kWritable = 0x0FFF0FFF;
}  // namespace aqa

// Admin commands (5).
enum Admin : u8 {
  kDeleteSq = 0x00,
  kCreateSq = 0x01,
  kGetLogPage = 0x02,
  kDeleteCq = 0x04,
  kCreateCq = 0x05,
  kIdentify = 0x06,
  kAbort = 0x08,
  kSetFeatures = 0x09,
  kGetFeatures = 0x0A,
  kAsyncEventRequest = 0x0C,
};

// NVM commands (6).
enum Io : u8 {
  kFlush = 0x00,
  kWrite = 0x01,
  kRead = 0x02,
  kCompare = 0x05,
  kWriteZeroes = 0x08,
  kDatasetManagement = 0x09,
};

// Status (4.6.1): status code type in bits 10:8, status code in 7:0, do not retry in 14.
enum Status : u16 {
  kSuccess = 0x000,
  kInvalidOpcode = 0x4001,
  kInvalidField = 0x4002,
  kDataTransferError = 0x0004,
  kInternalError = 0x0006,
  kAbortRequested = 0x0007,
  kAbortedSqDeletion = 0x0008,
  kInvalidNamespace = 0x400B,
  kInvalidPrpOffset = 0x4013,
  kWriteProtected = 0x4020,
  kLbaOutOfRange = 0x4080,
  kCqInvalid = 0x4100,
  kInvalidQueueId = 0x4101,
  kInvalidQueueSize = 0x4102,
  kAerLimitExceeded = 0x4105,
  kInvalidVector = 0x4108,
  kInvalidLogPage = 0x4109,
  kInvalidQueueDeletion = 0x410C,
  kNotSaveable = 0x410D,
  kNotChangeable = 0x410E,
  kWriteFault = 0x0280,
  kUnrecoveredRead = 0x0281,
  kCompareFailure = 0x4285,
};

// Features (5.21.1).
enum Feature : u8 {
  kArbitration = 0x01,
  kPowerManagement = 0x02,
  kTemperatureThreshold = 0x04,
  kErrorRecovery = 0x05,
  kVolatileWriteCache = 0x06,
  kNumberOfQueues = 0x07,
  kInterruptCoalescing = 0x08,
  kInterruptVector = 0x09,
  kWriteAtomicity = 0x0A,
  kAsyncEventConfiguration = 0x0B,
};

enum Log : u8 { kErrorLog = 0x01, kSmartLog = 0x02, kFirmwareLog = 0x03 };

// Asynchronous events of type "error" (5.2.1, figure "Error Status").
enum ErrorEvent : u8 { kInvalidDoorbell = 0x00, kInvalidDoorbellValue = 0x01 };

constexpr u32 kAllNamespaces = 0xFFFFFFFF;
constexpr u32 kCommandSize = 64;
constexpr u32 kCompletionSize = 16;

// A submission queue entry (4.2), as far as this controller reads it.
struct Command {
  u8 opcode = 0;
  u8 flags = 0;  // FUSE 1:0, PSDT 7:6
  u16 id = 0;
  u32 nsid = 0;
  u64 prp1 = 0;
  u64 prp2 = 0;
  u32 cdw10 = 0, cdw11 = 0, cdw12 = 0, cdw13 = 0;
};

}  // namespace lapwing::nvme
