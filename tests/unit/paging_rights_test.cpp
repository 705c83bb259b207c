// Every combination of page-entry bits, control bits and kinds of access, against a model written from the
// text of SDM vol. 3, "Access Rights" and "Page-Fault Exceptions".
#include "core/memory/paging.h"

#include "tests/unit/catch.h"
#include "tests/unit/guest_ram.h"

using namespace lapwing;

namespace {

constexpr u64 kPml4 = 0x1000, kPointers = 0x2000, kDirectory = 0x3000, kTable = 0x4000, kPage = 0x200000;
constexpr u64 kP = 1, kW = 2, kU = 4, kA = 0x20, kD = 0x40, kPs = 0x80, kKey1 = 1ull << 59, kNx = 1ull << 63;

// What is varied; each is one bit of the case's number.
struct Case {
  bool pte_w, pte_u, pte_nx, pte_p, pte_51;
  bool pde_w, pde_u, pde_nx, pde_p, pde_51, pde_ps, pde_13;
  bool pdpte_w, key, key_ad, key_wd;
  bool user, write, fetch;
  bool nxe, wp, smep, smap, pke;

  explicit Case(u32 bits) {
    for (bool* field : {&pte_w, &pte_u,  &pte_nx, &pte_p,  &pte_51,  &pde_w, &pde_u,  &pde_nx,
                        &pde_p, &pde_51, &pde_ps, &pde_13, &pdpte_w, &key,   &key_ad, &key_wd,
                        &user,  &write,  &fetch,  &nxe,    &wp,      &smep,  &smap,   &pke}) {
      *field = (bits & 1) != 0;
      bits >>= 1;
    }
  }
};
constexpr u32 kCaseBits = 24;

struct Expected {
  bool ok = false;
  u32 error = 0;
};

Expected expect(const Case& c) {
  u32 error = (c.write ? 2u : 0u) | (c.user ? 4u : 0u) | (c.fetch && (c.nxe || c.smep) ? 16u : 0u);
  if (!c.pde_p) return {false, error};
  if (c.pde_51 || (c.pde_nx && !c.nxe) || (c.pde_ps && c.pde_13)) return {false, error | 9};
  bool writable = c.pdpte_w && c.pde_w, user_page = c.pde_u, no_execute = c.pde_nx;
  if (!c.pde_ps) {
    if (!c.pte_p) return {false, error};
    if (c.pte_51 || (c.pte_nx && !c.nxe)) return {false, error | 9};
    writable = writable && c.pte_w;
    user_page = user_page && c.pte_u;
    no_execute = no_execute || c.pte_nx;
  }
  bool denied = false;
  if (c.user && !user_page) denied = true;
  if (c.write && !writable && (c.user || c.wp)) denied = true;
  if (c.fetch && no_execute) denied = true;
  if (c.fetch && !c.user && user_page && c.smep) denied = true;
  if (!c.fetch && !c.user && user_page && c.smap) denied = true;
  if (!c.fetch && user_page && c.pke && c.key) {
    const bool write_denied = c.write && c.key_wd && (c.user || c.wp);
    if (c.key_ad || write_denied) {
      denied = true;
      error |= 32;
    }
  }
  return denied ? Expected{false, error | 1} : Expected{true, 0};
}

void write_entries(PhysicalMemory& memory, const Case& c) {
  const auto bits = [](bool p, bool w, bool u, bool nx, bool b51) {
    return (p ? kP : 0) | (w ? kW : 0) | (u ? kU : 0) | (nx ? kNx : 0) | (b51 ? 1ull << 51 : 0);
  };
  memory.write(kPml4, kPointers | kP | kW | kU, 8);
  memory.write(kPointers, kDirectory | kP | kU | (c.pdpte_w ? kW : 0), 8);
  u64 pde = bits(c.pde_p, c.pde_w, c.pde_u, c.pde_nx, c.pde_51);
  // The key of an entry that is no leaf does not count.
  pde |= c.pde_ps ? kPage | kPs | (c.pde_13 ? 0x2000 : 0) | (c.key ? kKey1 : 0) : kTable | 2 * kKey1;
  memory.write(kDirectory, pde, 8);
  const u64 pte = bits(c.pte_p, c.pte_w, c.pte_u, c.pte_nx, c.pte_51);
  memory.write(kTable, pte | kPage | (c.key ? kKey1 : 0), 8);
}

CpuState state_of(const Case& c) {
  CpuState s;
  s.cr0 = cr0::kPe | cr0::kPg | (c.wp ? cr0::kWp : 0);
  s.cr3 = kPml4;
  s.cr4 = cr4::kPae | (c.smep ? cr4::kSmep : 0) | (c.smap ? cr4::kSmap : 0) | (c.pke ? cr4::kPke : 0);
  s.efer = efer::kLme | efer::kLma | (c.nxe ? efer::kNxe : 0);
  s.pkru = 0x30 | (c.key_ad ? 4u : 0u) | (c.key_wd ? 8u : 0u);
  return s;
}

bool same(PhysicalMemory& memory, const Case& c) {
  write_entries(memory, c);
  CpuState s = state_of(c);
  const u64 none[4] = {};
  const AccessMode kernel = c.smap ? AccessMode::kKernelSmap : AccessMode::kKernel;
  const WalkRequest request{
      .linear = 0x123,
      .type = c.fetch ? AccessType::kFetch : (c.write ? AccessType::kWrite : AccessType::kRead),
      .mode = c.user ? AccessMode::kUser : kernel};
  const Translation found = walk(s, {}, none, memory, request);
  const Expected wanted = expect(c);
  if (found.ok != wanted.ok) return false;
  const u64 leaf = memory.read(c.pde_ps ? kDirectory : kTable, 8);
  if (!found.ok) return found.error_code == wanted.error && (!c.pde_ps || (leaf & (kA | kD)) == 0);
  const u64 marks = kA | (c.write ? kD : 0);
  return found.physical == kPage + 0x123 && (leaf & (kA | kD)) == marks;
}

}  // namespace

TEST_CASE("access_rights_of_every_combination_of_page_and_control_bits") {
  constexpr u64 kRam = 1 << 22;
  GuestRam ram(kRam);
  PhysicalMemory memory(ram.page, kRam);
  u64 tried = 0;
  // An odd stride visits every combination of any few of the bits.
  constexpr u32 kStride = 11;
  for (u32 bits = 0; bits < 1u << kCaseBits; bits += kStride) {
    const Case c(bits);
    if (c.write && c.fetch) continue;
    ++tried;
    if (same(memory, c)) continue;
    CAPTURE(bits);
    REQUIRE(same(memory, c));
  }
  CHECK(tried > 1'000'000);
}

TEST_CASE("reserved_bits_of_page_entries_follow_the_processor") {
  constexpr u64 kRam = 1 << 22;
  GuestRam ram(kRam);
  PhysicalMemory memory(ram.page, kRam);
  const u64 none[4] = {};
  CpuState s;
  s.cr0 = cr0::kPe | cr0::kPg;
  s.cr3 = kPml4;
  const auto error = [&](const PagingFeatures& features) {
    return walk(s, features, none, memory,
                {.linear = 0, .type = AccessType::kRead, .mode = AccessMode::kKernel})
        .error_code;
  };
  // PSE-36 in a 4 MiB entry.
  s.cr4 = cr4::kPse;
  memory.write(kPml4, kP | kPs | 1u << 13, 4);
  CHECK(error({}) == 0);
  CHECK(error({.pse36 = false}) == 9);
  CHECK(error({.physical_mask = (1ull << 32) - 1}) == 9);
  memory.write(kPml4, kP | kPs | 1u << 21, 4);
  CHECK(error({}) == 9);
  // 1 GiB pages, and MAXPHYADDR.
  s.cr4 = cr4::kPae;
  s.efer = efer::kLme | efer::kLma;
  memory.write(kPml4, kPointers | kP, 8);
  memory.write(kPointers, kP | kPs, 8);
  CHECK(error({}) == 0);
  CHECK(error({.gib_pages = false}) == 9);
  memory.write(kPointers, kP | kPs | 1ull << 37, 8);
  CHECK(error({}) == 0);
  CHECK(error({.physical_mask = (1ull << 36) - 1}) == 9);
}
