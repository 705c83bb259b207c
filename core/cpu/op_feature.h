// Which CPUID feature an instruction belongs to (SDM vol. 2, each instruction's "CPUID Feature Flag"): asked
// once, when decoding, so that it costs nothing at run time. Not here: what raises #UD by a control register
// that cannot be set without the feature (XSAVE, WRPKRU, RDFSBASE), and what its handler checks itself
// (RDTSC, RDTSCP, RDRAND, RDSEED, STAC, LAHF, RDMSR; LZCNT and TZCNT, which decay to BSR and BSF).
#pragma once

#include "core/cpu/decode/instruction.h"
#include "core/cpu/model.h"

namespace lapwing {

// False: the instruction is undefined (#UD) on this model.
bool model_has(const CpuModel& model, const Instruction& in);

}  // namespace lapwing
