// Layout of XSAVE areas, shared by the instructions and CPUID leaf 0DH (Intel SDM vol. 1, 13.4).
#pragma once

#include "core/types.h"

namespace lapwing::xsave {

// Bits of XCR0.
constexpr u64 kX87 = u64{1} << 0;
constexpr u64 kSse = u64{1} << 1;
constexpr u64 kPkru = u64{1} << 9;

constexpr unsigned kLegacyBytes = 512;
constexpr unsigned kHeader = 512;
constexpr unsigned kExtended = 576;       // where the extended region begins
constexpr unsigned kStandardPkru = 2688;  // offset of PKRU in the standard format
constexpr unsigned kPkruBytes = 8;
constexpr unsigned kAreaAlignment = 64;

}  // namespace lapwing::xsave
