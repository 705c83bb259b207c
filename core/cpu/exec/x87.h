// The x87 register stack and status word as the instruction handlers use them.
// Intel SDM vol. 1, 8.1 (status word, tag word, last instruction pointers), 8.5 (exceptions), 8.7 (exception
// handling). Unsupported: the FERR#/IGNNE# pins. With CR0.NE clear a pending exception does not stop the next
// instruction, as with IGNNE# asserted.
#pragma once

#include "core/cpu/exec/access.h"
#include "core/cpu/fpu/float80.h"

namespace lapwing::x87 {

// Bits of the status word beyond the six exceptions.
constexpr u16 kStackFault = 0x0040;
constexpr u16 kErrorSummary = 0x0080;
constexpr u16 kC0 = 0x0100;
constexpr u16 kC1 = 0x0200;
constexpr u16 kC2 = 0x0400;
constexpr u16 kTopMask = 0x3800;
constexpr u16 kC3 = 0x4000;
constexpr u16 kBusy = 0x8000;
constexpr unsigned kTopShift = 11;

constexpr unsigned kRegisters = 8;
constexpr u16 kInitialControl = 0x037F;

inline unsigned top(const FpuState& fpu) {
  return (fpu.status & kTopMask) >> kTopShift;
}
inline void set_top(FpuState& fpu, unsigned top) {
  fpu.status = static_cast<u16>((fpu.status & ~kTopMask) | ((top & 7) << kTopShift));
}

// ES and B follow from the flags and the masks whenever either was written as a whole.
inline void update_summary(FpuState& fpu) {
  const bool pending = (fpu.status & ~fpu.control & kFpAllExceptions) != 0;
  fpu.status =
      static_cast<u16>((fpu.status & ~(kErrorSummary | kBusy)) | (pending ? kErrorSummary | kBusy : 0));
}

// Bit 6 always reads as one, the other reserved bits as zero.
constexpr u16 legal_control(u16 value) {
  return static_cast<u16>((value & 0x1F3F) | 0x40);
}

// FNINIT's state (SDM vol. 1, table 8-1 gives the resets).
void initialize(FpuState& fpu);

// The 16-bit tag word, from the contents of the registers (SDM vol. 1, 8.1.7).
u16 full_tag_word(const FpuState& fpu);
u8 abridged_tag_word(u16 full);

// #NM, then #MF for an exception left pending by an earlier instruction. False when raised.
inline bool check_available(Cpu& cpu) {
  return (cpu.state.cr0 & (cr0::kEm | cr0::kTs)) == 0 || cpu.raise(kNM);
}
inline bool check_pending(Cpu& cpu) {
  if ((cpu.state.fpu.status & kErrorSummary) == 0) return true;
  return (cpu.state.cr0 & cr0::kNe) == 0 ? cpu.report_fpu_error() : cpu.raise(kMF);
}

// One instruction at work on the stack. Nothing of the state changes before retire(), after which the handler
// writes its results if retire() allows it.
class Operation {
 public:
  Operation(Cpu& cpu, const Instruction& in)
      : cpu_(cpu), in_(in), fpu_(cpu.state.fpu), context(x87_context(cpu.state.fpu.control)) {}

  bool begin() { return check_available(cpu_) && check_pending(cpu_); }

  bool empty(unsigned i) const { return ((fpu_.valid >> physical(i)) & 1) == 0; }
  Float80 st(unsigned i) const {
    const FpuRegister& slot = fpu_.st[physical(i)];
    return {slot.mantissa, slot.sign_exponent};
  }
  void set(unsigned i, Float80 value) {
    const unsigned slot = physical(i);
    fpu_.st[slot] = {value.mantissa, value.sign_exponent};
    fpu_.valid = static_cast<u8>(fpu_.valid | (1u << slot));
  }
  void free(unsigned i) { fpu_.valid = static_cast<u8>(fpu_.valid & ~(1u << physical(i))); }
  void push(Float80 value) {
    rotate(-1);
    set(0, value);
  }
  void pop() {
    free(0);
    rotate(1);
  }
  void rotate(int by) { set_top(fpu_, static_cast<unsigned>(static_cast<int>(top(fpu_)) + by)); }

  void underflow() { stack_fault(false); }
  void overflow() { stack_fault(true); }
  bool has_stack_fault() const { return stack_fault_; }

  // FNOP, FCMOVcc and FCOMIxx leave C1 alone but for a stack fault.
  void keep_c1() { keeps_c1_ = true; }

  // Replaces C0, C2 and C3, and adds C1, at retire().
  void condition_codes(u16 codes) {
    codes_ = static_cast<u16>(codes_ | codes);
    replaced_codes_ = kC0 | kC2 | kC3;
  }
  // Replaces C2 alone.
  void condition_code_c2(bool on) {
    codes_ = static_cast<u16>(codes_ | (on ? kC2 : 0));
    replaced_codes_ = kC2;
  }

  // Puts flags, condition codes and the last-instruction pointers into the state. True: no unmasked
  // pre-computation exception, results are to be written. `aborting` narrows that set for instructions that
  // still write with others.
  bool retire(u32 aborting = kFpPreComputation);

  FpuState& fpu() { return fpu_; }

 private:
  unsigned physical(unsigned i) const { return (top(fpu_) + i) & 7; }
  void stack_fault(bool is_overflow) {
    context.raise(kFpInvalid | (is_overflow ? kFpRoundedUp : 0));
    stack_fault_ = true;
    if (is_overflow) {
      codes_ |= kC1;
    }
  }
  void record_pointers();

  Cpu& cpu_;
  const Instruction& in_;
  FpuState& fpu_;
  u16 codes_ = 0;
  u16 replaced_codes_ = 0;
  bool stack_fault_ = false;
  bool keeps_c1_ = false;

 public:
  FpContext context;
};

}  // namespace lapwing::x87
