// The slow path of memory accesses: translation, TLB fills, device windows, code pages, watched pages, page
// crossings; and instruction fetch.
#include <algorithm>
#include <bit>
#include <cstring>

#include "core/cpu/cpu.h"
#include "core/cpu/debug.h"

namespace lapwing {

namespace {

bool is_canonical(u64 linear) {
  const i64 sign = static_cast<i64>(linear) >> 47;
  return sign == 0 || sign == -1;
}

// Present, writable data that expands up, and all of the address space.
bool is_simple_data(const SegmentRegister& segment) {
  constexpr u16 kPresent = 0x80, kCodeOrData = 0x10, kCode = 8, kExpandDown = 4, kWritable = 2;
  constexpr u16 kLooked = kPresent | kCodeOrData | kCode | kExpandDown | kWritable;
  return (segment.attributes & kLooked) == (kPresent | kCodeOrData | kWritable) &&
         segment.limit == 0xFFFFFFFF;
}

u64 page_of(u64 address) {
  return address & ~kPageMask;
}

}  // namespace

bool Cpu::raise(Vector vector) {
  interruption_ = Interruption::kFault;
  fault_ = Fault{.vector = vector};
  return false;
}

bool Cpu::raise(Vector vector, u32 error_code) {
  interruption_ = Interruption::kFault;
  fault_ = Fault{.vector = vector, .has_error_code = true, .error_code = error_code};
  return false;
}

bool Cpu::raise_page_fault(u64 linear, u32 error_code) {
  state.cr2 = linear;
  return raise(kPF, error_code);
}

bool Cpu::raise_address(bool stack) {
  return raise(stack ? kSS : kGP, 0);
}

bool Cpu::need_slow() {
  interruption_ = Interruption::kSlow;
  return false;
}

AccessMode Cpu::system_mode() const {
  return (state.cr4 & cr4::kSmap) != 0 ? AccessMode::kKernelSmap : AccessMode::kKernel;
}

void Cpu::update_mode() {
  const bool code64 = state.code64();
  const bool user = state.cpl == 3;
  const bool smap = (state.cr4 & cr4::kSmap) != 0 && (state.rflags_rest & rflags::kAc) == 0;
  data_mode_ = user ? AccessMode::kUser : (smap ? AccessMode::kKernelSmap : AccessMode::kKernel);
  checks_alignment_ = user && (state.cr0 & cr0::kAm) != 0 && (state.rflags_rest & rflags::kAc) != 0;
  tlb_entries_ = checks_alignment_ ? tlb_.absent() : tlb_.data(data_mode_);

  rip_mask_ = code64 ? ~0ull : 0xFFFFFFFF;
  linear_mask_ = rip_mask_;
  simple_segments_ = code64 ? 0xFF : 0;
  bool flat = !code64;
  if (!code64) {
    for (const Seg seg : {kEs, kSs, kDs, kFs, kGs}) {
      const bool simple = is_simple_data(state.seg[seg]);
      if (simple) simple_segments_ |= 1u << seg;
      if (seg <= kDs) flat = flat && simple && state.seg[seg].base == 0;
    }
  }
  const SegmentRegister& ss = state.seg[kSs];
  state.stack_mask = code64 ? ~0ull : (ss.big() ? 0xFFFFFFFFull : 0xFFFFull);
  const SegmentRegister& cs = state.seg[kCs];
  mode_ = ModeKey{.code_size = static_cast<u8>(code64 ? 8 : (cs.big() ? 4 : 2)),
                  .flat = flat,
                  .user = user,
                  .checked = !code64 && cs.limit != 0xFFFFFFFF,
                  .wide_stack = state.stack_mask != 0xFFFF,
                  .long_mode = state.long_mode_active()};
  packed_mode_ = mode_.packed();
  view.data_tlb = tlb_entries_;
  view.fetch_tlb = &tlb_.fetch(user, 0);
  view.linear_mask = linear_mask_;
  view.code_base = code64 ? 0 : cs.base;
  view.simple_segments = simple_segments_;
}

void Cpu::flush_tlb(bool including_global) {
  if (including_global) {
    tlb_.flush_all();
  } else {
    tlb_.flush_non_global();
  }
}

void Cpu::invalidate_page(u64 linear) {
  tlb_.flush_page(linear);
}

bool Cpu::set_cr3(u64 value) {
  constexpr u64 kNoFlush = 1ull << 63;
  const u64 old = state.cr3;
  // With PCIDs bit 63 asks to keep translations of the new PCID; ours are not tagged, so non-global ones
  // always go.
  state.cr3 = (state.cr4 & cr4::kPcide) != 0 ? value & ~kNoFlush : value;
  if ((state.cr0 & cr0::kPg) != 0 && (state.cr4 & cr4::kPae) != 0 && !state.long_mode_active()) {
    if (!load_pdptes(state, paging_features_, memory, pdptes_)) {
      state.cr3 = old;
      return raise_gp(0);
    }
  }
  flush_tlb(false);
  return true;
}

bool Cpu::page_watched(u64 linear) const {
  if (!breakpoints_enabled(state)) return false;
  const unsigned kinds = kind_bit(BreakOn::kWrite) | kind_bit(BreakOn::kReadWrite);
  return matching_breakpoints(state, page_of(linear), kPageSize, kinds, true) != 0;
}

bool Cpu::alignment_faults(u64 linear, unsigned size) const {
  if (!checks_alignment_ || !std::has_single_bit(size) || size > 8) return false;
  return (linear & (size - 1)) != 0;
}

void Cpu::fill_entry(u64 linear, AccessMode mode, const Translation& found) {
  const u64 physical = page_of(found.physical);
  u8* host = memory.readable_page(physical);
  if (host == nullptr || page_watched(linear)) return;
  const bool direct =
      found.writable && memory.writable_page(physical) == host && memory.code_bits(physical) == 0;
  const u64 tag = page_of(linear);
  tlb_.fill(mode, linear,
            TlbEntry{.tag_read = tag,
                     .tag_write = direct ? tag : Tlb::absent_tag(Tlb::index_of(linear)),
                     .physical = physical,
                     .addend = reinterpret_cast<std::uintptr_t>(host) - static_cast<std::uintptr_t>(tag),
                     .write_allowed = static_cast<u8>(found.writable ? 1 : 0),
                     .global = static_cast<u8>(found.global ? 1 : 0),
                     .page_shift = found.page_shift,
                     .listed = 0});
  if (found.page_shift != kPageShift) tlb_.note_large_page(linear, found.page_shift);
}

// Physical address of a canonical linear address; fills the TLB. False: #PF raised.
bool Cpu::locate_page(u64 linear, AccessType type, AccessMode mode, u64& physical) {
  const TlbEntry& entry = tlb_.data(mode)[Tlb::index_of(linear)];
  if (entry.tag_read == page_of(linear) && (type == AccessType::kRead || entry.write_allowed != 0)) {
    physical = entry.physical | (linear & kPageMask);
    return true;
  }
  Translation found =
      walk(state, paging_features_, pdptes_, memory, {.linear = linear, .type = type, .mode = mode});
  if (!found.ok) return raise_page_fault(linear, found.error_code);
  found.physical = memory.gate(found.physical);
  physical = found.physical;
  if (page_of(physical) != unit_->mmio_page()) fill_entry(linear, mode, found);
  return true;
}

// Lets stores to a page go directly again after its mark or its code was taken away.
void Cpu::restore_write_tag(u64 linear, AccessMode mode, const u8* page) {
  TlbEntry& entry = tlb_.data(mode)[Tlb::index_of(linear)];
  const u64 tag = page_of(linear);
  const bool same = entry.tag_read == tag && entry.write_allowed != 0 &&
                    static_cast<std::uintptr_t>(tag) + entry.addend == reinterpret_cast<std::uintptr_t>(page);
  if (same && !page_watched(linear)) entry.tag_write = tag;
}

// Finds [linear, linear + size), which lies in one page.
bool Cpu::locate(u64 linear, unsigned size, AccessType type, bool stack, AccessMode mode, HostPointer& out) {
  if (state.code64() && !is_canonical(linear)) return raise_address(stack);
  if (alignment_faults(linear, size) && mode == AccessMode::kUser) return raise(kAC, 0);
  if (!locate_page(linear, type, mode, out.physical)) return false;
  const bool write = type == AccessType::kWrite;
  const bool apic = page_of(out.physical) == unit_->mmio_page();
  u8* page =
      apic ? nullptr : (write ? memory.writable_page(out.physical) : memory.readable_page(out.physical));
  out.pointer = page == nullptr ? nullptr : page + (out.physical & kPageMask);
  if (page == nullptr && !slow_mode_) return need_slow();
  if (page_watched(linear)) {
    if (!slow_mode_) return need_slow();
    const unsigned kinds = kind_bit(BreakOn::kReadWrite) | (write ? kind_bit(BreakOn::kWrite) : 0);
    if (matching_breakpoints(state, linear, size, kinds, true) != 0) {
      pending_debug_ |= matching_breakpoints(state, linear, size, kinds, false);
    }
  }
  if (!write || page == nullptr) return true;
  const u32 code = memory.code_bits(out.physical);
  if (code == 0) {
    restore_write_tag(linear, mode, page);
    return true;
  }
  if (!blocks_.overlaps_code(out.physical, size)) return true;
  if (!slow_mode_) return need_slow();
  blocks_.invalidate(out.physical, size);
  return true;
}

void Cpu::mmio_transfer(u64 physical, u8* data, unsigned size, bool write) {
  if (block_ != nullptr) {
    sync_time(*block_->first);
  } else {
    retire_executed();
  }
  // What happens inside the local APIC when its registers are read or TPR is written concerns this CPU alone.
  constexpr u64 kTaskPriority = 0x80;
  const bool own = page_of(physical) == unit_->mmio_page() && block_ != nullptr &&
                   (!write || (physical & kPageMask) == kTaskPriority) && clock.epoch() == epoch_;
  while (size > 0) {
    // Device windows take 1, 2, 4 or 8 bytes at a time.
    unsigned piece = std::bit_floor(size > 8 ? 8u : size);
    while ((physical & (piece - 1)) != 0) piece >>= 1;
    u64 value = 0;
    const bool apic = page_of(physical) == unit_->mmio_page();
    if (write) {
      std::memcpy(&value, data, piece);
      if (apic) {
        unit_->mmio_write(static_cast<u32>(physical & kPageMask), value, piece);
      } else {
        memory.write(physical, value, piece);
      }
    } else {
      value = apic ? unit_->mmio_read(static_cast<u32>(physical & kPageMask), piece)
                   : memory.read(physical, piece);
      std::memcpy(data, &value, piece);
    }
    physical += piece;
    data += piece;
    size -= piece;
  }
  const bool unplanned = clock.epoch() != epoch_;
  clock.charge(kIoChargeNs);
  if (own && !unplanned) keep_slice();
}

bool Cpu::transfer_piece(u64 linear, u8* data, unsigned size, bool write, bool stack, AccessMode mode) {
  HostPointer place;
  if (!locate(linear, size, write ? AccessType::kWrite : AccessType::kRead, stack, mode, place)) return false;
  if (place.pointer == nullptr) {
    mmio_transfer(place.physical, data, size, write);
  } else if (write) {
    std::memcpy(place.pointer, data, size);
  } else {
    std::memcpy(data, place.pointer, size);
  }
  return true;
}

// Where an access that leaves its page goes on. System tables lie anywhere, also while code is 32 bits wide.
u64 Cpu::following_page(u64 linear) const {
  const u64 next = page_of(linear) + kPageSize;
  return linear > 0xFFFFFFFF ? next : next & linear_mask_;
}

bool Cpu::transfer(u64 linear, u8* data, unsigned size, bool write, bool stack, AccessMode mode) {
  const u64 room = kPageSize - (linear & kPageMask);
  if (size <= room) return transfer_piece(linear, data, size, write, stack, mode);
  const auto low = static_cast<unsigned>(room);
  const u64 next = following_page(linear);
  if (state.code64() && !is_canonical(linear)) return raise_address(stack);
  if (alignment_faults(linear, size) && mode == AccessMode::kUser) return raise(kAC, 0);
  if (state.code64() && !is_canonical(next)) return raise_address(stack);
  // Nothing may be written before both pages are known to be writable.
  if (write && !probe_write(linear, size, stack, mode)) return false;
  return transfer_piece(linear, data, low, write, stack, mode) &&
         transfer_piece(next, data + low, size - low, write, stack, mode);
}

bool Cpu::read_slow(u64 linear, void* out, unsigned size, bool stack, AccessMode mode) {
  // Of another mode than data_mode(): what it knows needs no look at tables either.
  const TlbEntry& entry = tlb_.data(mode)[Tlb::index_of(linear)];
  if (linear - entry.tag_read <= kPageSize - size && !checks_alignment_) {
    std::memcpy(out, reinterpret_cast<const void*>(static_cast<std::uintptr_t>(linear) + entry.addend), size);
    return true;
  }
  return transfer(linear, static_cast<u8*>(out), size, false, stack, mode);
}

bool Cpu::write_slow(u64 linear, const void* data, unsigned size, bool stack, AccessMode mode) {
  const TlbEntry& entry = tlb_.data(mode)[Tlb::index_of(linear)];
  if (linear - entry.tag_write <= kPageSize - size && !checks_alignment_) {
    std::memcpy(reinterpret_cast<void*>(static_cast<std::uintptr_t>(linear) + entry.addend), data, size);
    return true;
  }
  u8 copy[64];
  ASSERT(size <= sizeof copy);
  std::memcpy(copy, data, size);
  return transfer(linear, copy, size, true, stack, mode);
}

bool Cpu::probe_write(u64 linear, unsigned size, bool stack, AccessMode mode) {
  HostPointer place;
  const u64 room = kPageSize - (linear & kPageMask);
  if (size <= room) return locate(linear, size, AccessType::kWrite, stack, mode, place);
  const auto low = static_cast<unsigned>(room);
  const u64 next = following_page(linear);
  if (state.code64() && !is_canonical(linear)) return raise_address(stack);
  if (alignment_faults(linear, size) && mode == AccessMode::kUser) return raise(kAC, 0);
  if (state.code64() && !is_canonical(next)) return raise_address(stack);
  return locate(linear, low, AccessType::kWrite, stack, mode, place) &&
         locate(next, size - low, AccessType::kWrite, stack, mode, place);
}

u8* Cpu::host_pointer(u64 linear, AccessType type, AccessMode mode) {
  const unsigned slot = Tlb::index_of(linear);
  TlbEntry* table = mode == data_mode_ ? tlb_entries_ : tlb_.data(mode);
  const TlbEntry& entry = table[slot];
  const u64 tag = type == AccessType::kWrite ? entry.tag_write : entry.tag_read;
  if (page_of(linear) != tag) return nullptr;
  return reinterpret_cast<u8*>(static_cast<std::uintptr_t>(linear) + entry.addend);
}

bool Cpu::fetch_address(u64& linear) {
  if (state.code64()) {
    linear = state.rip;
    return is_canonical(linear) ? true : raise_gp(0);
  }
  if (state.rip > state.seg[kCs].limit) return raise_gp(0);
  linear = static_cast<u32>(state.seg[kCs].base + state.rip);
  return true;
}

bool Cpu::translate_fetch(u64 linear, u64& physical) {
  const bool user = state.cpl == 3;
  const FetchEntry& entry = tlb_.fetch(user, linear);
  if (entry.tag == page_of(linear)) {
    physical = entry.physical | (linear & kPageMask);
    return true;
  }
  const AccessMode mode = user ? AccessMode::kUser : AccessMode::kKernel;
  const Translation found = walk(state, paging_features_, pdptes_, memory,
                                 {.linear = linear, .type = AccessType::kFetch, .mode = mode});
  if (!found.ok) return raise_page_fault(linear, found.error_code);
  physical = memory.gate(found.physical);
  tlb_.fill_fetch(user, linear,
                  FetchEntry{.tag = page_of(linear),
                             .physical = page_of(physical),
                             .global = static_cast<u8>(found.global ? 1 : 0),
                             .page_shift = found.page_shift,
                             .listed = 0});
  if (found.page_shift != kPageShift) tlb_.note_large_page(linear, found.page_shift);
  return true;
}

bool Cpu::find_second_page(u64 linear, u64& second_page) {
  const u64 next = (page_of(linear) + kPageSize) & linear_mask_;
  if (state.code64() && !is_canonical(next)) return raise_gp(0);
  return translate_fetch(next, second_page);
}

Block* Cpu::find_block() {
  interruption_ = Interruption::kNone;
  u64 linear;
  u64 physical;
  if (!fetch_address(linear) || !translate_fetch(linear, physical)) return nullptr;
  Block* block = blocks_.find(physical, packed_mode_);
  if (block == nullptr) {
    block = blocks_.build(physical, mode_, kNoSecondPage);
  } else if (block->second_page != kNoSecondPage) {
    u64 second_page;
    if (!find_second_page(linear, second_page)) return nullptr;
    if (second_page != block->second_page) {
      blocks_.invalidate(physical, 1);
      block = blocks_.build(physical, mode_, second_page);
    }
  }
  if (block == nullptr && memory.readable_page(physical) != nullptr) {
    u64 second_page;
    if (!find_second_page(linear, second_page)) return nullptr;
    block = blocks_.build(physical, mode_, second_page);
  }
  refresh_stamp();
  if (block != nullptr && mode_.checked && state.rip + block->bytes - 1 > state.seg[kCs].limit)
    return nullptr;
  return block;
}

bool Cpu::probe_linear(u64 linear, u64& physical) const {
  const Translation found = probe(state, paging_features_, pdptes_, memory, linear & linear_mask_);
  physical = found.physical;
  return found.ok;
}

}  // namespace lapwing
