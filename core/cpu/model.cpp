#include "core/cpu/model.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <iterator>
#include <vector>

namespace lapwing {

namespace {

struct FeatureInfo {
  FeatureWord word;
  u8 bit;
  const char* text;
};

constexpr FeatureInfo kFeatures[] = {
#define FEATURE(name, word, bit, text) {FeatureWord::word, bit, text},
#include "core/cpu/features.inc"
#undef FEATURE
};

// Feature sets, each on top of the one before.
using F = Feature;
constexpr F kSet486[] = {F::FPU, F::VME, F::PSE};
constexpr F kSetPentium[] = {F::DE, F::TSC, F::MSR, F::MCE, F::CX8, F::APIC, F::MMX};
constexpr F kSetPentium3[] = {F::PAE, F::SEP,   F::MTRR, F::PGE, F::MCA,        F::CMOV,
                              F::PAT, F::PSE36, F::FXSR, F::SSE, F::HYPERVISOR, F::TSC_DEADLINE};
constexpr F kSetQemu32[] = {F::SSE2, F::CLFSH, F::SSE3, F::CX16, F::NX, F::X2APIC, F::POPCNT};
constexpr F kSetQemu64[] = {F::LM, F::SYSCALL, F::LAHF_LM};
constexpr F kSetCore2[] = {F::SSSE3, F::SS};
constexpr F kSetNehalem[] = {F::SSE4_1, F::SSE4_2, F::RDTSCP};
constexpr F kSetWestmere[] = {F::AES, F::PCLMULQDQ, F::PCID, F::INVTSC};
constexpr F kSetIvyBridge[] = {F::XSAVE, F::RDRAND, F::FSGSBASE, F::SMEP, F::ERMS, F::XSAVEOPT};
constexpr F kSetHaswell[] = {F::MOVBE, F::BMI1, F::BMI2, F::INVPCID, F::LZCNT};
constexpr F kSetSkylake[] = {F::RDSEED,     F::ADX,     F::SMAP,   F::PREFETCHW,
                             F::CLFLUSHOPT, F::PDPE1GB, F::XSAVEC, F::XGETBV1};
constexpr F kSetLapwing[] = {F::TSC_ADJUST, F::UMIP,  F::PKU,  F::FSRM,
                             F::SPEC_CTRL,  F::STIBP, F::SSBD, F::ARCH_CAPABILITIES,
                             F::BHI_CTRL};

// A model = the sets up to `sets`, and its identification.
struct ModelRow {
  const char* name;
  const char* vendor;
  const char* brand;
  u32 family, model, stepping;
  unsigned sets;
};

constexpr const char* kIntel = "GenuineIntel";
constexpr const char* kAmd = "AuthenticAMD";
// Family 6 model 0xFE is nobody's: no quirk or vulnerability list names it.
constexpr ModelRow kModels[] = {
    {"lapwing", kIntel, "Lapwing virtual CPU", 6, 0xFE, 1, 12},
    {"max", kIntel, "Lapwing virtual CPU", 6, 0xFE, 1, 12},
    {"base", kIntel, "Lapwing virtual CPU (base)", 6, 0xFE, 1, 5},
    {"qemu64", kAmd, "Lapwing virtual CPU (qemu64)", 15, 107, 1, 5},
    {"qemu32", kIntel, "Lapwing virtual CPU (qemu32)", 6, 6, 3, 4},
    {"kvm64", kIntel, "Lapwing virtual CPU (kvm64)", 15, 6, 1, 5},
    {"kvm32", kIntel, "Lapwing virtual CPU (kvm32)", 15, 6, 1, 4},
    {"Skylake-Client", kIntel, "Lapwing virtual CPU (Skylake)", 6, 94, 3, 11},
    {"Haswell", kIntel, "Lapwing virtual CPU (Haswell)", 6, 60, 4, 10},
    {"IvyBridge", kIntel, "Lapwing virtual CPU (Ivy Bridge)", 6, 58, 9, 9},
    {"Westmere", kIntel, "Lapwing virtual CPU (Westmere)", 6, 44, 1, 8},
    {"Nehalem", kIntel, "Lapwing virtual CPU (Nehalem)", 6, 26, 3, 7},
    {"core2duo", kIntel, "Lapwing virtual CPU (Core 2)", 6, 15, 11, 6},
    {"Conroe", kIntel, "Lapwing virtual CPU (Core 2)", 6, 15, 3, 6},
    {"Opteron_G1", kAmd, "Lapwing virtual CPU (Opteron)", 15, 6, 1, 5},
    {"EPYC", kAmd, "Lapwing virtual CPU (EPYC)", 23, 1, 2, 11},
    {"pentium3", kIntel, "Lapwing virtual CPU (Pentium III)", 6, 8, 3, 3},
    {"pentium", kIntel, "Lapwing virtual CPU (Pentium)", 5, 4, 3, 2},
    {"486", kIntel, "Lapwing virtual CPU (486)", 4, 8, 0, 1},
};

template <std::size_t n>
void add(CpuModel& model, const F (&features)[n]) {
  for (const F feature : features) model.set(feature, true);
}

CpuModel build(const ModelRow& row) {
  CpuModel model;
  model.name = row.name;
  model.vendor = row.vendor;
  model.brand = row.brand;
  model.family = row.family;
  model.model = row.model;
  model.stepping = row.stepping;
  if (row.sets >= 1) add(model, kSet486);
  if (row.sets >= 2) add(model, kSetPentium);
  if (row.sets >= 3) add(model, kSetPentium3);
  if (row.sets >= 4) add(model, kSetQemu32);
  if (row.sets >= 5) add(model, kSetQemu64);
  if (row.sets >= 6) add(model, kSetCore2);
  if (row.sets >= 7) add(model, kSetNehalem);
  if (row.sets >= 8) add(model, kSetWestmere);
  if (row.sets >= 9) add(model, kSetIvyBridge);
  if (row.sets >= 10) add(model, kSetHaswell);
  if (row.sets >= 11) add(model, kSetSkylake);
  if (row.sets >= 12) add(model, kSetLapwing);
  return model;
}

// Edit distance, for "did you mean".
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

template <class Rows, class Name>
std::string nearest(const Rows& rows, std::string_view word, Name name) {
  const auto best = std::min_element(std::begin(rows), std::end(rows), [&](const auto& a, const auto& b) {
    return distance(name(a), word) < distance(name(b), word);
  });
  return name(*best);
}

// QEMU writes some names with an underscore or a dot as well.
std::string canonical(std::string_view text) {
  std::string result(text);
  std::replace(result.begin(), result.end(), '_', '-');
  if (result == "sse4-1" || result == "sse4-2") result[4] = '.';
  if (result == "sse3") return "pni";
  if (result == "lzcnt") return "abm";
  return result;
}

// Features and properties of QEMU's models that do not exist here: they can be switched off, not on.
constexpr const char* kAbsent[] = {
    "3dnow",    "3dnowext", "acpi",    "arat",     "avx",  "avx2",     "avx512f", "cid",     "clwb",
    "dca",      "ds",       "ds-cpl",  "dtes64",   "est",  "f16c",     "fma",     "fma4",    "fxsr-opt",
    "gfni",     "hle",      "ibpb",    "intel-pt", "la57", "md-clear", "mmxext",  "monitor", "mpx",
    "npt",      "pbe",      "pcommit", "pdcm",     "pks",  "pmu",      "rdpid",   "rtm",     "sha-ni",
    "smx",      "sse4a",    "svm",     "tm",       "tm2",  "topoext",  "vaes",    "vmx",     "waitpkg",
    "wbnoinvd", "xop",      "xsaves",  "xtpr"};
// Properties about the host or about the form of CPUID, without a meaning here.
constexpr const char* kIgnored[] = {"check", "enforce", "host-phys-bits", "kvm", "l3-cache", "migratable"};
// What only KVM adds to a processor; QEMU's TCG leaves it out too.
bool is_kvms_own(std::string_view name) {
  return name.starts_with("kvm-") || name.starts_with("hv-");
}

template <std::size_t n>
bool is_among(const char* const (&names)[n], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

Result<void> set_physical_bits(CpuModel& model, std::string_view value) {
  unsigned bits = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), bits);
  if (error != std::errc() || end != value.data() + value.size() || bits < 32 ||
      bits > kPhysicalAddressBits) {
    return Error{"-cpu: phys-bits must be 32 to " + std::to_string(kPhysicalAddressBits)};
  }
  model.physical_bits = bits;
  return {};
}

// vendor= and phys-bits=; `done` tells whether it was one of them.
Result<void> apply_property(CpuModel& model, std::string_view name, std::string_view value, bool& done) {
  done = true;
  if (name == "phys-bits") return set_physical_bits(model, value);
  if (name == "vendor") {
    if (value.size() != 12) return Error{"-cpu: vendor must have 12 characters"};
    model.vendor = value;
    return {};
  }
  done = false;
  return {};
}

Result<void> apply_switch(CpuModel& model, std::string_view word) {
  bool on = true;
  std::string name(word);
  if (word == "hv=kvm") {
    model.kvm_signature = true;
    return {};
  }
  const std::size_t equals = word.find('=');
  if (!word.empty() && (word[0] == '+' || word[0] == '-')) {
    on = word[0] == '+';
    name = canonical(word.substr(1));
  } else if (equals != std::string_view::npos) {
    const std::string_view value = word.substr(equals + 1);
    on = value == "on" || value == "yes";
    name = canonical(word.substr(0, equals));
    bool done = false;
    if (Result<void> applied = apply_property(model, name, value, done); done) return applied;
    if (!on && value != "off" && value != "no" && value != "yes") {
      return Error{"-cpu: '" + std::string(word) + "' must end in =on or =off"};
    }
  } else {
    name = canonical(word);
  }
  for (unsigned i = 0; i < std::size(kFeatures); ++i) {
    if (name != kFeatures[i].text) continue;
    model.set(static_cast<Feature>(i), on);
    return {};
  }
  if (is_among(kIgnored, name) || is_kvms_own(name) || (!on && is_among(kAbsent, name))) return {};
  if (is_among(kAbsent, name)) return Error{"-cpu: this processor has no '" + name + "'"};
  return Error{"-cpu: no feature '" + name + "'; the nearest is '" +
               nearest(kFeatures, name, [](const FeatureInfo& f) { return std::string(f.text); }) + "'"};
}

// What Linux reads to know that no mitigation is needed: RDCL_NO, IBRS_ALL, SKIP_L1DFL_VMENTRY, SSB_NO,
// MDS_NO, PSCHANGE_MC_NO, TAA_NO, SBDR_SSDP_NO, FBSDP_NO, PSDP_NO, BHI_NO, PBRSB_NO, GDS_NO, RFDS_NO.
constexpr u32 kNotVulnerable = 1u << 0 | 1u << 1 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 8 |
                               1u << 13 | 1u << 14 | 1u << 15 | 1u << 20 | 1u << 24 | 1u << 26 | 1u << 27;

}  // namespace

bool CpuModel::has(Feature feature) const {
  const FeatureInfo& info = kFeatures[static_cast<unsigned>(feature)];
  return ((words[static_cast<unsigned>(info.word)] >> info.bit) & 1) != 0;
}

void CpuModel::set(Feature feature, bool on) {
  const FeatureInfo& info = kFeatures[static_cast<unsigned>(feature)];
  u32& word = words[static_cast<unsigned>(info.word)];
  word = on ? word | (1u << info.bit) : word & ~(1u << info.bit);
}

Result<CpuModel> make_cpu_model(std::string_view text) {
  const std::size_t comma = text.find(',');
  std::string_view name = text.substr(0, comma);
  if (name.empty() || name == "default" || name == "host") name = "lapwing";
  const auto row =
      std::find_if(std::begin(kModels), std::end(kModels), [&](const ModelRow& r) { return name == r.name; });
  if (row == std::end(kModels)) {
    return Error{"-cpu: no model '" + std::string(name) + "'; the nearest is '" +
                 nearest(kModels, name, [](const ModelRow& r) { return std::string(r.name); }) + "'"};
  }
  CpuModel model = build(*row);
  std::string_view rest = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
  while (!rest.empty()) {
    const std::size_t end = rest.find(',');
    const Result<void> applied = apply_switch(model, rest.substr(0, end));
    if (!applied.ok()) return Error{applied.error()};
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  }
  // INVPCID comes with PCIDs only.
  if (!model.has(Feature::PCID)) model.set(Feature::INVPCID, false);
  if (model.has(Feature::ARCH_CAPABILITIES)) {
    model.words[static_cast<unsigned>(FeatureWord::kArchCapabilities)] = kNotVulnerable;
  }
  return model;
}

}  // namespace lapwing
