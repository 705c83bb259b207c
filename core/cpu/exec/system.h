// What the system instructions share with the rest: model-specific registers and CPUID by number.
#pragma once

#include "core/cpu/cpu.h"

namespace lapwing {

// RDMSR / WRMSR of one register; false = #GP(0) (not raised here).
bool read_msr(Cpu& cpu, u32 index, u64& value);
bool write_msr(Cpu& cpu, u32 index, u64 value);

CpuidResult cpuid(Cpu& cpu, u32 leaf, u32 subleaf);

// XCR0 bits the model can enable.
u64 xcr0_supported(const CpuModel& model);

}  // namespace lapwing
