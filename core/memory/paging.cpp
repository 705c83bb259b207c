#include "core/memory/paging.h"

#include <bit>

namespace lapwing {

namespace {

namespace entry_bit {
constexpr u64 kPresent = 1u << 0, kWritable = 1u << 1, kUser = 1u << 2, kAccessed = 1u << 5, kDirty = 1u << 6,
              kLarge = 1u << 7, kGlobal = 1u << 8, kNoExecute = 1ull << 63;
}

constexpr u64 kPhysicalMask = (1ull << kPhysicalAddressBits) - 1;
constexpr u64 kFrameMask = kPhysicalMask & ~kPageMask;
constexpr u64 kPdpteReserved = 0x1E6 | (0xFFFull << 52);
constexpr unsigned kMaxLevels = 4;

// The entries met on the way to a leaf, so that accessed bits are set only once the walk has succeeded.
struct Path {
  u64 address[kMaxLevels];
  u64 entry[kMaxLevels];
  unsigned count = 0;
  unsigned entry_size = 8;
  u64 leaf_frame = 0;
  u64 offset_mask = kPageMask;
  bool writable = true;
  bool user = true;
  bool no_execute = false;
  bool large = false;

  u64 leaf() const { return entry[count - 1]; }
};

enum class WalkEnd : u8 { kLeaf, kNotPresent, kReserved };

// Bits 51:MAXPHYADDR must be zero.
u64 reserved_high(const PagingFeatures& features) {
  return ((1ull << 52) - 1) & ~features.physical_mask;
}

u64 reserved_bits(const CpuState& state, const PagingFeatures& features) {
  // PAE paging reserves what 4-level paging leaves to software.
  constexpr u64 kPaeReserved = 0x7FFull << 52;
  return reserved_high(features) | ((state.efer & efer::kNxe) != 0 ? 0 : entry_bit::kNoExecute) |
         (state.long_mode_active() ? 0 : kPaeReserved);
}

void add_entry(Path& path, u64 address, u64 entry) {
  path.address[path.count] = address;
  path.entry[path.count] = entry;
  ++path.count;
  path.writable = path.writable && (entry & entry_bit::kWritable) != 0;
  path.user = path.user && (entry & entry_bit::kUser) != 0;
}

WalkEnd walk_legacy(const CpuState& state, const PagingFeatures& features, PhysicalMemory& memory, u64 linear,
                    Path& path) {
  path.entry_size = 4;
  const u64 directory = (state.cr3 & 0xFFFFF000) + ((linear >> 22) & 0x3FF) * 4;
  const u64 pde = memory.read(directory, 4);
  if ((pde & entry_bit::kPresent) == 0) return WalkEnd::kNotPresent;
  add_entry(path, directory, pde);
  if ((pde & entry_bit::kLarge) != 0 && (state.cr4 & cr4::kPse) != 0) {
    // PSE-36: bits 20:13 of the entry are address bits 39:32; bit 21 and what the address lacks are reserved.
    const u64 frame = (pde & 0xFFC00000) | (((pde >> 13) & 0xFF) << 32);
    if (bit_of(pde, 21) || (frame & ~(features.pse36 ? features.physical_mask : 0xFFFFFFFF)) != 0)
      return WalkEnd::kReserved;
    path.large = true;
    path.offset_mask = (1ull << 22) - 1;
    path.leaf_frame = frame;
    return WalkEnd::kLeaf;
  }
  const u64 table = (pde & 0xFFFFF000) + ((linear >> 12) & 0x3FF) * 4;
  const u64 pte = memory.read(table, 4);
  if ((pte & entry_bit::kPresent) == 0) return WalkEnd::kNotPresent;
  add_entry(path, table, pte);
  path.leaf_frame = pte & 0xFFFFF000;
  return WalkEnd::kLeaf;
}

// Levels `level`..1 of 8-byte entries, starting at table `base`. Level 1 = page table, 2 = directory (2 MiB
// pages), 3 = directory pointers (1 GiB pages in 4-level paging), 4 = PML4.
WalkEnd walk_long(const CpuState& state, const PagingFeatures& features, PhysicalMemory& memory, u64 linear,
                  u64 base, unsigned level, Path& path) {
  const u64 reserved = reserved_bits(state, features);
  for (;; --level) {
    const unsigned shift = 12 + 9 * (level - 1);
    const u64 address = base + ((linear >> shift) & 0x1FF) * 8;
    const u64 entry = memory.read(address, 8);
    if ((entry & entry_bit::kPresent) == 0) return WalkEnd::kNotPresent;
    if ((entry & reserved) != 0) return WalkEnd::kReserved;
    const bool large = level > 1 && (entry & entry_bit::kLarge) != 0;
    if (large && (level == 4 || (level == 3 && !features.gib_pages))) return WalkEnd::kReserved;
    add_entry(path, address, entry);
    path.no_execute = path.no_execute || (entry & entry_bit::kNoExecute) != 0;
    if (level == 1 || large) {
      path.large = large;
      path.offset_mask = (1ull << shift) - 1;
      // A large page's address bits below its size are reserved, except bit 12 (PAT).
      if (large && (entry & path.offset_mask & kFrameMask & ~(1ull << 12)) != 0) return WalkEnd::kReserved;
      path.leaf_frame = entry & kFrameMask & ~path.offset_mask;
      return WalkEnd::kLeaf;
    }
    base = entry & kFrameMask;
  }
}

WalkEnd walk_tables(const CpuState& state, const PagingFeatures& features, const u64 (&pdptes)[4],
                    PhysicalMemory& memory, u64 linear, Path& path) {
  if ((state.cr4 & cr4::kPae) == 0) return walk_legacy(state, features, memory, linear, path);
  if (state.long_mode_active())
    return walk_long(state, features, memory, linear, state.cr3 & kFrameMask, 4, path);
  const u64 pdpte = pdptes[(linear >> 30) & 3];
  if ((pdpte & entry_bit::kPresent) == 0) return WalkEnd::kNotPresent;
  return walk_long(state, features, memory, linear, pdpte & kFrameMask, 2, path);
}

u32 access_bits(const CpuState& state, const WalkRequest& request) {
  u32 code = 0;
  if (request.type == AccessType::kWrite) code |= page_fault::kWrite;
  if (request.mode == AccessMode::kUser) code |= page_fault::kUser;
  // The I/D flag is reported only where it can matter (SDM vol. 3, "Page-Fault Exceptions").
  const bool nx = (state.cr4 & cr4::kPae) != 0 && (state.efer & efer::kNxe) != 0;
  if (request.type == AccessType::kFetch && (nx || (state.cr4 & cr4::kSmep) != 0)) code |= page_fault::kFetch;
  return code;
}

// PKRU: two bits per key, access-disable then write-disable; data accesses to user pages only.
bool key_denies(const CpuState& state, const WalkRequest& request, const Path& path) {
  if ((state.cr4 & cr4::kPke) == 0 || !state.long_mode_active() || !path.user) return false;
  if (request.type == AccessType::kFetch) return false;
  const unsigned key = static_cast<unsigned>(path.leaf() >> 59) & 15;
  const u32 rights = state.pkru >> (2 * key);
  if ((rights & 1) != 0) return true;
  const bool write_protected = request.mode == AccessMode::kUser || (state.cr0 & cr0::kWp) != 0;
  return (rights & 2) != 0 && request.type == AccessType::kWrite && write_protected;
}

bool rights_allow(const CpuState& state, const WalkRequest& request, const Path& path) {
  const bool user = request.mode == AccessMode::kUser;
  if (user && !path.user) return false;
  if (request.type == AccessType::kFetch) {
    if (path.no_execute) return false;
    return user || !path.user || (state.cr4 & cr4::kSmep) == 0;
  }
  if (request.mode == AccessMode::kKernelSmap && path.user) return false;
  if (request.type == AccessType::kRead || path.writable) return true;
  return !user && (state.cr0 & cr0::kWp) == 0;
}

bool write_would_pass(const CpuState& state, const WalkRequest& request, const Path& path) {
  const WalkRequest write{.linear = request.linear, .type = AccessType::kWrite, .mode = request.mode};
  return rights_allow(state, write, path) && !key_denies(state, write, path);
}

// Sets accessed bits along the path, and the leaf's dirty bit for a write.
void update_entries(PhysicalMemory& memory, Path& path, bool write) {
  for (unsigned i = 0; i < path.count; ++i) {
    u64 wanted = path.entry[i] | entry_bit::kAccessed;
    if (write && i + 1 == path.count) wanted |= entry_bit::kDirty;
    if (wanted == path.entry[i]) continue;
    memory.write(path.address[i], wanted, path.entry_size);
    path.entry[i] = wanted;
  }
}

}  // namespace

Translation walk(CpuState& state, const PagingFeatures& features, const u64 (&pdptes)[4],
                 PhysicalMemory& memory, const WalkRequest& request) {
  if ((state.cr0 & cr0::kPg) == 0) {
    return {.ok = true, .error_code = 0, .physical = request.linear, .writable = true, .global = false};
  }
  Path path;
  const u32 bits = access_bits(state, request);
  switch (walk_tables(state, features, pdptes, memory, request.linear, path)) {
    case WalkEnd::kNotPresent: return {.error_code = bits};
    case WalkEnd::kReserved: return {.error_code = bits | page_fault::kPresent | page_fault::kReserved};
    case WalkEnd::kLeaf: break;
  }
  // The key's verdict is reported also when the other rights deny the access.
  const bool denied_by_key = key_denies(state, request, path);
  if (denied_by_key || !rights_allow(state, request, path)) {
    return {.error_code = bits | page_fault::kPresent | (denied_by_key ? page_fault::kProtectionKey : 0)};
  }
  update_entries(memory, path, request.type == AccessType::kWrite);
  const bool dirty = (path.leaf() & entry_bit::kDirty) != 0;
  return {.ok = true,
          .error_code = 0,
          .physical = path.leaf_frame | (request.linear & path.offset_mask),
          .writable = dirty && write_would_pass(state, request, path),
          .global = (path.leaf() & entry_bit::kGlobal) != 0 && (state.cr4 & cr4::kPge) != 0,
          .page_shift = static_cast<u8>(std::bit_width(path.offset_mask))};
}

Translation probe(const CpuState& state, const PagingFeatures& features, const u64 (&pdptes)[4],
                  PhysicalMemory& memory, u64 linear) {
  if ((state.cr0 & cr0::kPg) == 0) return {.ok = true, .physical = linear};
  Path path;
  if (walk_tables(state, features, pdptes, memory, linear, path) != WalkEnd::kLeaf) return {};
  return {.ok = true, .physical = path.leaf_frame | (linear & path.offset_mask)};
}

bool load_pdptes(const CpuState& state, const PagingFeatures& features, PhysicalMemory& memory,
                 u64 (&pdptes)[4]) {
  u64 loaded[4];
  const u64 base = state.cr3 & 0xFFFFFFE0;
  for (unsigned i = 0; i < 4; ++i) {
    loaded[i] = memory.read(base + i * 8, 8);
    if ((loaded[i] & entry_bit::kPresent) != 0 &&
        (loaded[i] & (kPdpteReserved | reserved_high(features))) != 0)
      return false;
  }
  for (unsigned i = 0; i < 4; ++i) pdptes[i] = loaded[i];
  return true;
}

}  // namespace lapwing
