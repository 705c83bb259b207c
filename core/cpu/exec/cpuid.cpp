// CPUID: what the model has, told truthfully. SDM vol. 2, "CPUID"; hypervisor leaves as KVM documents them.
#include <algorithm>
#include <bit>
#include <cstring>

#include "core/cpu/exec/access.h"
#include "core/cpu/exec/handlers.h"
#include "core/cpu/exec/system.h"
#include "core/cpu/exec/xsave.h"

namespace lapwing {

namespace {

constexpr u32 kMaxBasicLeaf = 0x16;
constexpr u32 kMaxExtendedLeaf = 0x80000008;
constexpr u32 kApicBaseMsr = 0x1B;
constexpr u32 kHypervisorLeaf = 0x40000000;
constexpr u32 kCoreCrystalHz = 1'000'000'000;  // also the local APIC timer's clock

u32 word(const Cpu& cpu, FeatureWord which) {
  return cpu.model.words[static_cast<unsigned>(which)];
}

u32 four_bytes(const std::string& text, std::size_t at) {
  u32 value = 0;
  if (at < text.size()) std::memcpy(&value, text.data() + at, std::min<std::size_t>(4, text.size() - at));
  return value;
}

u32 signature(const CpuModel& model) {
  const u32 family = std::min(model.family, 15u);
  const u32 extended_family = model.family - family;
  return model.stepping | (model.model & 15) << 4 | family << 8 | (model.model >> 4) << 16 |
         extended_family << 20;
}

// Bits of an APIC ID that number the CPUs of one package.
u32 id_bits(const Cpu& cpu) {
  return static_cast<u32>(std::bit_width(cpu.package_cores - 1));
}

u32 max_basic_leaf(const CpuModel& model) {
  if (model.family < 6) return 1;
  if (model.has(Feature::XSAVE)) return kMaxBasicLeaf;
  if (model.has(Feature::SSE4_1) || model.has(Feature::X2APIC)) return 0xB;
  u32 structured = 0;
  for (const FeatureWord which : {FeatureWord::k7Ebx, FeatureWord::k7Ecx, FeatureWord::k7Edx})
    structured |= model.words[static_cast<unsigned>(which)];
  return structured != 0 ? 7 : 6;
}

CpuidResult features(Cpu& cpu) {
  const CpuModel& model = cpu.model;
  const u32 count = 1u << id_bits(cpu);
  u32 ebx = cpu.index << 24 | (model.has(Feature::CLFSH) ? 8u << 8 : 0);
  u32 edx = word(cpu, FeatureWord::k1Edx);
  if (cpu.package_cores > 1) {
    ebx |= count << 16;
    edx |= 1u << 28;
  }
  u32 ecx = word(cpu, FeatureWord::k1Ecx);
  if ((cpu.state.cr4 & cr4::kOsxsave) != 0) ecx |= 1u << 27;
  u64 apic_base = 0;
  if (cpu.unit().read_msr(kApicBaseMsr, apic_base) && !bit_of(apic_base, 11)) edx &= ~(1u << 9);
  return {signature(model), ebx, ecx, edx};
}

// Deterministic cache parameters: 32 KiB L1 each, 4 MiB shared L2.
CpuidResult caches(const Cpu& cpu, u32 index) {
  struct Cache {
    u32 type, level, ways, sets;
  };
  static constexpr Cache kCaches[] = {{1, 1, 8, 64}, {2, 1, 8, 64}, {3, 2, 16, 4096}};
  if (index >= std::size(kCaches)) return {};
  const Cache& cache = kCaches[index];
  const u32 sharing = cache.level == 1 ? 0 : (1u << id_bits(cpu)) - 1;
  const u32 cores = (1u << id_bits(cpu)) - 1;
  return {cache.type | cache.level << 5 | 1u << 8 | sharing << 14 | cores << 26, 63u | (cache.ways - 1) << 22,
          cache.sets - 1, 0};
}

CpuidResult topology(const Cpu& cpu, u32 level) {
  switch (level) {
    case 0: return {0, 1, 0x100, cpu.index};  // one thread a core
    case 1: return {id_bits(cpu), cpu.package_cores, 0x201, cpu.index};
    default: return {0, 0, level, cpu.index};
  }
}

// Bytes of an XSAVE area in the standard format, and in the compacted one, for a set of components.
u32 area_size(u64 components) {
  return (components & xsave::kPkru) != 0 ? xsave::kStandardPkru + xsave::kPkruBytes : xsave::kExtended;
}
u32 compacted_size(u64 components) {
  return xsave::kExtended + ((components & xsave::kPkru) != 0 ? xsave::kPkruBytes : 0);
}

CpuidResult extended_state(const Cpu& cpu, u32 index) {
  const CpuModel& model = cpu.model;
  if (!model.has(Feature::XSAVE)) return {};
  const u64 supported = xcr0_supported(model);
  switch (index) {
    case 0: return {static_cast<u32>(supported), area_size(cpu.state.xcr0), area_size(supported), 0};
    case 1: return {word(cpu, FeatureWord::kDEax), compacted_size(cpu.state.xcr0), 0, 0};
    case 9:
      if ((supported & xsave::kPkru) == 0) return {};
      return {xsave::kPkruBytes, xsave::kStandardPkru, 0, 0};
    default: return {};
  }
}

CpuidResult brand(const Cpu& cpu, u32 leaf) {
  const std::size_t at = (leaf - 0x80000002) * 16;
  const std::string& text = cpu.model.brand;
  return {four_bytes(text, at), four_bytes(text, at + 4), four_bytes(text, at + 8),
          four_bytes(text, at + 12)};
}

CpuidResult extended(const Cpu& cpu, u32 leaf) {
  const CpuModel& model = cpu.model;
  switch (leaf) {
    case 0x80000000: {
      const std::string& vendor = model.vendor;
      return {model.family < 6 ? 0x80000000 : kMaxExtendedLeaf, four_bytes(vendor, 0), four_bytes(vendor, 8),
              four_bytes(vendor, 4)};
    }
    case 0x80000001: {
      u32 edx = word(cpu, FeatureWord::k80000001Edx);
      // Intel shows SYSCALL in 64-bit mode only.
      if (model.vendor == "GenuineIntel" && !cpu.state.code64()) edx &= ~(1u << 11);
      // AMD repeats most of leaf 1.
      constexpr u32 kRepeated = 0x0183F3FF;
      if (model.vendor == "AuthenticAMD") edx |= word(cpu, FeatureWord::k1Edx) & kRepeated;
      return {signature(model), 0, word(cpu, FeatureWord::k80000001Ecx), edx};
    }
    case 0x80000002:
    case 0x80000003:
    case 0x80000004: return brand(cpu, leaf);
    case 0x80000006: return {0, 0, 4096u << 16 | 8u << 12 | 64, 0};
    case 0x80000007: return {0, 0, 0, word(cpu, FeatureWord::k80000007Edx)};
    case 0x80000008: return {model.physical_bits | (model.has(Feature::LM) ? 48u << 8 : 32u << 8), 0, 0, 0};
    default: return {};
  }
}

CpuidResult hypervisor(const Cpu& cpu, u32 leaf) {
  if (!cpu.model.kvm_signature) return {};
  // "KVMKVMKVM" and an empty feature word.
  if (leaf == kHypervisorLeaf) return {kHypervisorLeaf + 1, 0x4B4D564B, 0x564B4D56, 0x4D};
  return {};
}

CpuidResult basic(Cpu& cpu, u32 leaf, u32 subleaf) {
  const CpuModel& model = cpu.model;
  switch (leaf) {
    case 0: {
      const std::string& vendor = model.vendor;
      return {max_basic_leaf(model), four_bytes(vendor, 0), four_bytes(vendor, 8), four_bytes(vendor, 4)};
    }
    case 1: return features(cpu);
    case 2: return {0x00FF0001, 0, 0, 0};  // "see leaf 4"
    case 4: return caches(cpu, subleaf);
    case 5: return {0, 0, 0, 0};
    case 6: return {1u << 2, 0, 0, 0};  // ARAT: the APIC timer never stops
    case 7:
      if (subleaf == 2) return {0, 0, 0, word(cpu, FeatureWord::k7_2Edx)};
      if (subleaf != 0) return {};
      return {word(cpu, FeatureWord::k7_2Edx) != 0 ? 2u : 0u, word(cpu, FeatureWord::k7Ebx),
              word(cpu, FeatureWord::k7Ecx) | ((cpu.state.cr4 & cr4::kPke) != 0 ? 1u << 4 : 0),
              word(cpu, FeatureWord::k7Edx)};
    case 0xB: return topology(cpu, subleaf);
    case 0xD: return extended_state(cpu, subleaf);
    case 0x15: return {1, static_cast<u32>(kTscHz / kCoreCrystalHz), kCoreCrystalHz, 0};
    case 0x16: return {1000, 1000, 1000, 0};
    default: return {};
  }
}

}  // namespace

u64 xcr0_supported(const CpuModel& model) {
  return xsave::kX87 | xsave::kSse | (model.has(Feature::PKU) ? xsave::kPkru : 0);
}

CpuidResult cpuid(Cpu& cpu, u32 leaf, u32 subleaf) {
  if (leaf >= 0x80000000) return extended(cpu, std::min(leaf, kMaxExtendedLeaf + 1));
  if ((leaf >> 16) == (kHypervisorLeaf >> 16)) return hypervisor(cpu, leaf);
  // Intel CPUs answer a leaf beyond the last with the last.
  return basic(cpu, std::min(leaf, max_basic_leaf(cpu.model)), subleaf);
}

bool exec_CPUID(Cpu& cpu, const Instruction&) {
  CpuState& s = cpu.state;
  const CpuidResult result = cpuid(cpu, static_cast<u32>(s.gpr[kRax]), static_cast<u32>(s.gpr[kRcx]));
  s.gpr[kRax] = result.eax;
  s.gpr[kRbx] = result.ebx;
  s.gpr[kRcx] = result.ecx;
  s.gpr[kRdx] = result.edx;
  return true;
}

}  // namespace lapwing
