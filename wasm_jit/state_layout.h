// Where the words that generated code touches lie: byte offsets from $cpu, the address of CpuState. CpuState
// has no pointers, so its offsets are the same natively; structures that have some are described as wasm32
// lays them out (asserted when compiling for it), because the translator also runs in native tests.
#pragma once

#include <cstddef>

#include "core/cpu/generated.h"
#include "core/cpu/state.h"
#include "core/types.h"

namespace lapwing {

struct StateLayout {
  // CpuState
  u32 gpr;  // u64 each, indexed by Gpr; also kZeroSlot, and kRipSlot = RIP of the executing block's first
            // instruction
  u32 flags_result;
  u32 flags_carries;
  u32 rip;  // u64
  u32 rflags_rest;
  u32 budget;      // i64
  u32 stack_mask;  // u64
  u32 cpl;         // u8
  u32 segment;     // of Seg n: segment + n * segment_size
  u32 segment_size;
  u32 segment_base;   // u64, within a segment
  u32 segment_limit;  // u32, within a segment
  u32 segment_selector;
  u32 mxcsr;
  u32 xmm;  // 16 bytes each
  u32 fpu_st;
  u32 fpu_register_size;
  u32 fpu_mantissa;       // u64, within a register; MMX register n is the mantissa of physical register n
  u32 fpu_sign_exponent;  // u16, within a register
  u32 fpu_control;        // u16
  u32 fpu_status;         // u16
  u32 fpu_valid;          // u8
  u32 fpu_opcode;         // u16
  u32 fpu_ip;             // u64
  u32 fpu_dp;             // u64
  u32 fpu_cs;             // u16
  u32 fpu_ds;             // u16
  u32 cr0, cr4;
  // GeneratedView
  u32 data_tlb;         // i32 pointer to TlbEntry[tlb_entries]
  u32 fetch_tlb;        // i32 pointer to FetchEntry[tlb_entries]
  u32 linear_mask;      // u64
  u32 code_base;        // u64
  u32 simple_segments;  // u32
  u32 region_entry;     // u32
  u32 span_address;     // u64, or u32 outside 64-bit mode
  u32 flags;            // kind (u32), a, b, r (u64), c (u32), 8 bytes apart
  u32 x87_high;         // u32
  // TlbEntry; the slot of a linear address is (linear >> 12) & (tlb_entries - 1).
  u32 tlb_entries;
  u32 tlb_entry_size;
  u32 tlb_tag_read;   // u64
  u32 tlb_tag_write;  // u64
  u32 tlb_addend;     // i32: host address = (i32) linear + addend
  // FetchEntry
  u32 fetch_entry_size;
  u32 fetch_tag;       // u64
  u32 fetch_physical;  // u64: page address
};

namespace layout_detail {
constexpr u32 kView = sizeof(CpuState);  // Cpu's constructor asserts it
// What wasm32 makes of the structures with pointers.
constexpr u32 kTlbAddend = 24;
constexpr u32 kTlbEntrySize = 32;
#ifdef __wasm__
static_assert(offsetof(TlbEntry, addend) == kTlbAddend && sizeof(TlbEntry) == kTlbEntrySize);
#endif
}  // namespace layout_detail

constexpr StateLayout kStateLayout{
    .gpr = offsetof(CpuState, gpr),
    .flags_result = offsetof(CpuState, flags_result),
    .flags_carries = offsetof(CpuState, flags_carries),
    .rip = offsetof(CpuState, rip),
    .rflags_rest = offsetof(CpuState, rflags_rest),
    .budget = offsetof(CpuState, budget),
    .stack_mask = offsetof(CpuState, stack_mask),
    .cpl = offsetof(CpuState, cpl),
    .segment = offsetof(CpuState, seg),
    .segment_size = sizeof(SegmentRegister),
    .segment_base = offsetof(SegmentRegister, base),
    .segment_limit = offsetof(SegmentRegister, limit),
    .segment_selector = offsetof(SegmentRegister, selector),
    .mxcsr = offsetof(CpuState, mxcsr),
    .xmm = offsetof(CpuState, xmm),
    .fpu_st = offsetof(CpuState, fpu) + offsetof(FpuState, st),
    .fpu_register_size = sizeof(FpuRegister),
    .fpu_mantissa = offsetof(FpuRegister, mantissa),
    .fpu_sign_exponent = offsetof(FpuRegister, sign_exponent),
    .fpu_control = offsetof(CpuState, fpu) + offsetof(FpuState, control),
    .fpu_status = offsetof(CpuState, fpu) + offsetof(FpuState, status),
    .fpu_valid = offsetof(CpuState, fpu) + offsetof(FpuState, valid),
    .fpu_opcode = offsetof(CpuState, fpu) + offsetof(FpuState, opcode),
    .fpu_ip = offsetof(CpuState, fpu) + offsetof(FpuState, ip),
    .fpu_dp = offsetof(CpuState, fpu) + offsetof(FpuState, dp),
    .fpu_cs = offsetof(CpuState, fpu) + offsetof(FpuState, cs),
    .fpu_ds = offsetof(CpuState, fpu) + offsetof(FpuState, ds),
    .cr0 = offsetof(CpuState, cr0),
    .cr4 = offsetof(CpuState, cr4),
    .data_tlb = layout_detail::kView + offsetof(GeneratedView, data_tlb),
    .fetch_tlb = layout_detail::kView + offsetof(GeneratedView, fetch_tlb),
    .linear_mask = layout_detail::kView + offsetof(GeneratedView, linear_mask),
    .code_base = layout_detail::kView + offsetof(GeneratedView, code_base),
    .simple_segments = layout_detail::kView + offsetof(GeneratedView, simple_segments),
    .region_entry = layout_detail::kView + offsetof(GeneratedView, region_entry),
    .span_address = layout_detail::kView + offsetof(GeneratedView, span_address),
    .flags = layout_detail::kView + offsetof(GeneratedView, flag_kind),
    .x87_high = layout_detail::kView + offsetof(GeneratedView, x87_high),
    .tlb_entries = Tlb::kDataEntries,
    .tlb_entry_size = layout_detail::kTlbEntrySize,
    .tlb_tag_read = offsetof(TlbEntry, tag_read),
    .tlb_tag_write = offsetof(TlbEntry, tag_write),
    .tlb_addend = layout_detail::kTlbAddend,
    .fetch_entry_size = sizeof(FetchEntry),
    .fetch_tag = offsetof(FetchEntry, tag),
    .fetch_physical = offsetof(FetchEntry, physical),
};
static_assert(Tlb::kDataEntries == Tlb::kFetchEntries);
static_assert(kStateLayout.data_tlb % 8 == 0);
static_assert(offsetof(GeneratedView, flag_c) == offsetof(GeneratedView, flag_kind) + 32);

}  // namespace lapwing
