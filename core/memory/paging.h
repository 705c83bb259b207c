// Page walks: none, 32-bit 2-level (PSE, PSE-36), PAE, 4-level; NX, WP, U/S, SMEP, SMAP, PKU, global,
// accessed and dirty. Source: Intel SDM vol. 3, "Paging". 5-level paging and PKS are not supported (CPUID
// says so).
#pragma once

#include "core/cpu/state.h"
#include "core/memory/physical.h"
#include "core/memory/tlb.h"

namespace lapwing {

enum class AccessType : u8 { kRead, kWrite, kFetch };

// Page-fault error code bits (SDM vol. 3, "Page-Fault Exceptions").
namespace page_fault {
constexpr u32 kPresent = 1u << 0, kWrite = 1u << 1, kUser = 1u << 2, kReserved = 1u << 3, kFetch = 1u << 4,
              kProtectionKey = 1u << 5;
}

struct Translation {
  bool ok = false;
  u32 error_code = 0;     // of #PF when !ok
  u64 physical = 0;       // of the exact linear address
  bool writable = false;  // this mode may write: rights allow it and the dirty bit is set
  bool global = false;
  u8 page_shift = kPageShift;  // log2 of the page's size
};

// What a walk depends on besides CR0, CR3, CR4 and EFER.
struct WalkRequest {
  u64 linear;
  AccessType type;
  AccessMode mode;
};

// What page-table entries may hold, by CPU model.
struct PagingFeatures {
  u64 physical_mask = (1ull << kPhysicalAddressBits) - 1;  // MAXPHYADDR
  bool pse36 = true;  // 40-bit addresses in 4 MiB entries of 2-level paging
  bool gib_pages = true;
};

// Translates and sets accessed / dirty bits. Canonicality is the caller's to check.
Translation walk(CpuState& state, const PagingFeatures& features, const u64 (&pdptes)[4],
                 PhysicalMemory& memory, const WalkRequest& request);
// The same without side effects and without rights checks (debuggers, the view).
Translation probe(const CpuState& state, const PagingFeatures& features, const u64 (&pdptes)[4],
                  PhysicalMemory& memory, u64 linear);
// Loads the four PAE page-directory-pointer entries from CR3; false when one has a reserved bit set (#GP).
bool load_pdptes(const CpuState& state, const PagingFeatures& features, PhysicalMemory& memory,
                 u64 (&pdptes)[4]);

}  // namespace lapwing
