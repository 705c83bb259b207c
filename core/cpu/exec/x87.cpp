#include "core/cpu/exec/x87.h"

namespace lapwing::x87 {

void initialize(FpuState& fpu) {
  fpu.control = kInitialControl;
  fpu.status = 0;
  fpu.valid = 0;
  fpu.opcode = 0;
  fpu.ip = 0;
  fpu.dp = 0;
  fpu.cs = 0;
  fpu.ds = 0;
}

u16 full_tag_word(const FpuState& fpu) {
  constexpr unsigned kValid = 0, kZero = 1, kSpecial = 2, kEmpty = 3;
  unsigned tags = 0;
  for (unsigned i = 0; i < kRegisters; ++i) {
    unsigned tag = kEmpty;
    if (bit_of(fpu.valid, i)) {
      const float80::Kind kind = float80::classify({fpu.st[i].mantissa, fpu.st[i].sign_exponent});
      tag = kind == float80::Kind::normal ? kValid : kind == float80::Kind::zero ? kZero : kSpecial;
    }
    tags |= tag << (2 * i);
  }
  return static_cast<u16>(tags);
}

u8 abridged_tag_word(u16 full) {
  unsigned valid = 0;
  for (unsigned i = 0; i < kRegisters; ++i) {
    valid |= ((full >> (2 * i)) & 3u) != 3 ? 1u << i : 0;
  }
  return static_cast<u8>(valid);
}

void Operation::record_pointers() {
  const CpuState& s = cpu_.state;
  fpu_.ip = cpu_.current_rip(in_);
  fpu_.cs = s.seg[kCs].selector;
  if (in_.rm_is_memory() && in_.form != Form::kNone) {
    const u8 segment = in_.segment == kFlat ? u8{kDs} : in_.segment == kFlatStack ? u8{kSs} : in_.segment;
    fpu_.dp = effective_address(s, in_);
    fpu_.ds = s.seg[segment].selector;
  }
}

bool Operation::retire(u32 aborting) {
  record_pointers();
  const bool unwritten = context.unmasked(aborting);
  if (unwritten) {
    context.settle();
  }
  const u16 cleared = static_cast<u16>((keeps_c1_ && !stack_fault_ ? 0 : kC1) | replaced_codes_);
  u16 status = static_cast<u16>(fpu_.status & ~cleared);
  status = static_cast<u16>(status | codes_ | (context.flags & kFpAllExceptions));
  if (stack_fault_) {
    status |= kStackFault;
  } else if ((context.flags & kFpRoundedUp) != 0) {
    status |= kC1;
  }
  if (context.unmasked(kFpAllExceptions)) {
    if ((fpu_.status & kErrorSummary) == 0) cpu_.note_fpu_error();
    status |= kErrorSummary | kBusy;
    // Since the Pentium 4 the opcode is recorded for unmasked exceptions only (SDM vol. 1, 8.1.9.1).
    fpu_.opcode = static_cast<u16>(in_.imm & 0x7FF);
  }
  fpu_.status = status;
  return !unwritten;
}

}  // namespace lapwing::x87
