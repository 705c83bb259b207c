// How long IDE devices take, in virtual time, beyond what the medium behind them takes (block_device.h) and
// what each port access costs the host (core/clock.h). Plausible for a drive of the PIIX's time with a RAM
// cache; the same on every host. docs/STORAGE.md shows the table.
#pragma once

#include "core/types.h"

namespace lapwing::ide_timing {

constexpr u64 kCommandNs = 10'000;       // a command that moves no data, and IDENTIFY
constexpr u64 kPacketRequestNs = 5'000;  // from PACKET to the request for the packet
constexpr u64 kPacketNs = 20'000;    // from the packet to its status or its first data, if not from the disc
constexpr u64 kResetNs = 1'000'000;  // SRST, EXECUTE DEVICE DIAGNOSTIC
constexpr u64 kSeekNs = 500'000;     // SEEK, RECALIBRATE
constexpr u64 kVerifySectorNs = 1'000;  // READ VERIFY, per sector

}  // namespace lapwing::ide_timing
