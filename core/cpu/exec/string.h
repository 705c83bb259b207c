// String instructions: how an element's addresses advance, and how REP runs (SDM vol. 2,
// "REP/REPE/REPZ/REPNE/REPNZ"). Every iteration commits its registers, so an interrupted instruction simply
// runs again. The flags of a repeated CMPS or SCAS change when it is complete: after a fault they are as
// before it.
#pragma once

#include <algorithm>

#include "core/cpu/exec/operand.h"

namespace lapwing {

// Registers of a string instruction at its address size.
struct StringAddress {
  u64 mask;

  explicit StringAddress(const Instruction& in)
      : mask(in.address_size == 8   ? ~0ull
             : in.address_size == 4 ? 0xFFFFFFFFull
                                    : 0xFFFFull) {}

  u64 get(const CpuState& s, Gpr reg) const { return s.gpr[reg] & mask; }
  void set(CpuState& s, Gpr reg, u64 value) const {
    const u64 keep = mask == 0xFFFF ? ~mask : 0;
    s.gpr[reg] = (s.gpr[reg] & keep) | (value & mask);
  }
  // `count` elements on, in the direction DF says.
  void advance(CpuState& s, Gpr reg, u64 count, unsigned size) const {
    const u64 bytes = count * size;
    set(s, reg, (s.rflags_rest & rflags::kDf) != 0 ? s.gpr[reg] - bytes : s.gpr[reg] + bytes);
  }
};

inline bool repeats(const Instruction& in) {
  return (in.prefixes & (kPrefixRep | kPrefixRepne)) != 0;
}
inline bool runs_backward(const CpuState& s) {
  return (s.rflags_rest & rflags::kDf) != 0;
}

// Elements of a string in host memory: those of one page that can be reached without a check.
struct StringSpan {
  u8* pointer = nullptr;  // of the first element; nullptr: use the ordinary path
  u64 count = 0;
};

StringSpan string_span(Cpu& cpu, u8 segment, u64 offset, u64 offset_mask, bool write, unsigned size);

// Registers of 32-bit addresses lose their upper halves even when nothing was done: the counter of all
// instructions, and what Element::truncate() names. Runs Element::one() and, where possible, Element::bulk()
// under the REP rules: an iteration counts as an instruction, the first is paid for by the instruction
// itself. Slow mode and single-stepping do one iteration at a time.
template <class Element>
bool run_string(Cpu& cpu, const Instruction& in) {
  if (!repeats(in)) return Element::one(cpu, in);
  CpuState& s = cpu.state;
  const StringAddress address(in);
  const u64 count = address.get(s, kRcx);
  if (count == 0) {
    Element::truncate(s, address);
    address.set(s, kRcx, 0);
    s.rip = cpu.next_rip(in);
    return true;
  }
  const bool single = cpu.slow_mode() || (s.rflags_rest & rflags::kTf) != 0;
  const u64 allowed = single ? 1 : std::min(count, static_cast<u64>(s.budget) + 1);
  u64 done = 0;
  bool stopped = false;
  const u64 old_result = s.flags_result;
  const u64 old_carries = s.flags_carries;
  const auto keep_flags = [&] {
    s.flags_result = old_result;
    s.flags_carries = old_carries;
  };
  while (done < allowed && !stopped) {
    u64 iterations = single ? 0 : Element::bulk(cpu, in, allowed - done);
    if (iterations == 0) {
      if (!Element::one(cpu, in)) {
        keep_flags();
        Element::truncate(s, address);
        address.set(s, kRcx, count - done);
        s.budget -= static_cast<i64>(done);
        return false;
      }
      iterations = 1;
    }
    done += iterations;
    address.set(s, kRcx, count - done);
    if constexpr (Element::kCompares) stopped = flag_zf(s) != ((in.prefixes & kPrefixRep) != 0);
  }
  s.budget -= static_cast<i64>(done - 1);
  if (done == count || stopped) {
    s.rip = cpu.next_rip(in);
  } else {
    keep_flags();
    s.rip = cpu.current_rip(in);
  }
  return true;
}

}  // namespace lapwing
