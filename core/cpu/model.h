// A CPU model: what CPUID says and which features exist. Filled from a table of named models and +f,-f
// switches.
#pragma once

#include <string>
#include <string_view>

#include "core/memory/physical.h"
#include "core/result.h"
#include "core/types.h"

namespace lapwing {

// CPUID feature words that switches address. The order is the index into CpuModel::words.
enum class FeatureWord : u8 {
  k1Edx,
  k1Ecx,
  k7Ebx,
  k7Ecx,
  k7Edx,
  k7_2Edx,
  k80000001Edx,
  k80000001Ecx,
  k80000007Edx,
  kDEax,
  kArchCapabilities,
  kCount
};

// Rows of features.inc: FEATURE(name, word, bit, "QEMU's spelling").
enum class Feature : u16 {
#define FEATURE(name, word, bit, text) name,
#include "core/cpu/features.inc"
#undef FEATURE
  kCount,
};

struct CpuModel {
  std::string name;
  std::string vendor;  // 12 characters
  std::string brand;   // up to 48
  u32 family = 6, model = 0, stepping = 0;
  u32 words[static_cast<unsigned>(FeatureWord::kCount)] = {};
  unsigned physical_bits = kPhysicalAddressBits;  // MAXPHYADDR
  bool kvm_signature = false;                     // hv=kvm

  u64 physical_mask() const { return (1ull << physical_bits) - 1; }

  bool has(Feature feature) const;
  void set(Feature feature, bool on);
};

// "NAME[,+f,-f,f=on|off,vendor=,phys-bits=,hv=kvm]"; the error names the word it does not know and the
// nearest known one.
Result<CpuModel> make_cpu_model(std::string_view text);

struct CpuidResult {
  u32 eax, ebx, ecx, edx;
};

}  // namespace lapwing
