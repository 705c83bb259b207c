// Architectural state of one logical processor, plus the few words that the interpreter and generated code
// share. Field offsets are fixed: generated code addresses them from a base pointer (asserted in wasm_jit).
// Sources: Intel SDM vol. 1 "Basic Execution Environment", vol. 3 "System Architecture Overview".
#pragma once

#include "core/bitfield.h"
#include "core/types.h"

namespace lapwing {

// General-purpose registers by encoding, and two slots behind them that make effective addresses branch-free.
enum Gpr : u8 {
  kRax,
  kRcx,
  kRdx,
  kRbx,
  kRsp,
  kRbp,
  kRsi,
  kRdi,
  kR8,
  kR9,
  kR10,
  kR11,
  kR12,
  kR13,
  kR14,
  kR15,
  kZeroSlot,  // always 0: absent base or index
  kRipSlot,   // RIP of the first instruction of the executing block: base of RIP-relative operands
  kGprSlots,
};

// Segment registers by encoding, then the system ones; kFlat* are what the decoder stores when no check is
// needed.
enum Seg : u8 {
  kEs,
  kCs,
  kSs,
  kDs,
  kFs,
  kGs,
  kLdtr,
  kTr,
  kSegCount,
  kFlat = kSegCount,  // base 0, limit covers everything; a non-canonical address gives #GP
  kFlatStack,         // the same, but through SS: #SS instead of #GP
};

// RFLAGS bits (SDM vol. 1, "EFLAGS Register").
namespace rflags {
constexpr u64 kCf = 1u << 0, kFixed = 1u << 1, kPf = 1u << 2, kAf = 1u << 4, kZf = 1u << 6, kSf = 1u << 7,
              kTf = 1u << 8, kIf = 1u << 9, kDf = 1u << 10, kOf = 1u << 11, kIopl = 3u << 12, kNt = 1u << 14,
              kRf = 1u << 16, kVm = 1u << 17, kAc = 1u << 18, kVif = 1u << 19, kVip = 1u << 20,
              kId = 1u << 21;
constexpr u64 kStatus = kCf | kPf | kAf | kZf | kSf | kOf;
constexpr unsigned kIoplShift = 12;
}  // namespace rflags

namespace cr0 {
constexpr u64 kPe = 1u << 0, kMp = 1u << 1, kEm = 1u << 2, kTs = 1u << 3, kEt = 1u << 4, kNe = 1u << 5,
              kWp = 1u << 16, kAm = 1u << 18, kNw = 1u << 29, kCd = 1u << 30, kPg = 1u << 31;
}
namespace cr4 {
constexpr u64 kVme = 1u << 0, kPvi = 1u << 1, kTsd = 1u << 2, kDe = 1u << 3, kPse = 1u << 4, kPae = 1u << 5,
              kMce = 1u << 6, kPge = 1u << 7, kPce = 1u << 8, kOsfxsr = 1u << 9, kOsxmmexcpt = 1u << 10,
              kUmip = 1u << 11, kLa57 = 1u << 12, kFsgsbase = 1u << 16, kPcide = 1u << 17,
              kOsxsave = 1u << 18, kSmep = 1u << 20, kSmap = 1u << 21, kPke = 1u << 22;
}
namespace efer {
constexpr u64 kSce = 1u << 0, kLme = 1u << 8, kLma = 1u << 10, kNxe = 1u << 11;
}

// Exception vectors (SDM vol. 3, "Exception and Interrupt Vectors").
enum Vector : u8 {
  kDE = 0,
  kDB = 1,
  kNMI = 2,
  kBP = 3,
  kOF = 4,
  kBR = 5,
  kUD = 6,
  kNM = 7,
  kDF = 8,
  kTS = 10,
  kNP = 11,
  kSS = 12,
  kGP = 13,
  kPF = 14,
  kMF = 16,
  kAC = 17,
  kMC = 18,
  kXM = 19,
  kCP = 21,
};

// A segment register with its hidden part. `attributes` = descriptor bits 8-15 and 20-23 (access byte in bits
// 7:0, AVL/L/D/G in bits 15:12), as in LAR >> 8.
struct SegmentRegister {
  u64 base = 0;
  u32 limit = 0xFFFF;  // in bytes, granularity applied
  u16 selector = 0;
  u16 attributes = 0;

  u8 type() const { return static_cast<u8>(attributes & 0xF); }
  bool is_code_or_data() const { return bit_of(attributes, 4); }
  u8 dpl() const { return static_cast<u8>((attributes >> 5) & 3); }
  bool present() const { return bit_of(attributes, 7); }  // also "usable": a null selector clears it
  bool long_mode() const { return bit_of(attributes, 13); }
  bool big() const { return bit_of(attributes, 14); }
  bool is_code() const { return is_code_or_data() && bit_of(attributes, 3); }
  bool conforming() const { return bit_of(attributes, 2); }   // of code
  bool expand_down() const { return bit_of(attributes, 2); }  // of data
  bool writable() const { return !is_code() && bit_of(attributes, 1); }
  bool readable() const { return !is_code() || bit_of(attributes, 1); }
};

struct DescriptorTable {
  u64 base = 0;
  u16 limit = 0;
};

// 80-bit register contents; mantissa = bits 63:0 (with explicit integer bit), sign_exponent = bits 79:64.
struct FpuRegister {
  u64 mantissa = 0;
  u16 sign_exponent = 0;
};

// x87 state (SDM vol. 1, "x87 FPU Execution Environment"). `st` is indexed by physical register R0-R7; ST(i)
// is R[(TOP + i) & 7]. MMX register n is R[n].mantissa.
struct FpuState {
  FpuRegister st[8];
  u16 control = 0x037F;
  u16 status = 0;  // TOP in bits 13:11
  u8 valid = 0;    // bit n: physical register n is not empty (the abridged tag word)
  u16 opcode = 0;  // FOP, 11 bits
  u64 ip = 0;      // FIP
  u64 dp = 0;      // FDP
  u16 cs = 0;
  u16 ds = 0;
};

struct alignas(16) XmmRegister {
  u64 lo = 0;
  u64 hi = 0;
};

enum class Activity : u8 { kRunning, kHalted, kWaitForSipi, kShutdown };

struct CpuState {
  u64 gpr[kGprSlots] = {};
  // Lazy status flags, see core/cpu/exec/flags.h: one representation, whatever instruction wrote them.
  u64 flags_result = 1;
  u64 flags_carries = 0;
  u64 rip = 0xFFF0;                  // offset in CS; exact only between blocks (Cpu::current_rip within one)
  u64 rflags_rest = rflags::kFixed;  // all of RFLAGS except the six status flags
  i64 budget = 0;                    // instructions left in this slice, counted at block entry
  u64 stack_mask = 0xFFFF;           // width of the stack pointer: by SS.B, or 64 bits
  u8 cpl = 0;
  Activity activity = Activity::kRunning;
  bool interrupt_shadow = false;  // STI or MOV SS / POP SS just retired
  bool shadow_is_mov_ss = false;  // ... the second kind also holds back NMI and debug traps
  bool nmi_blocked = false;       // until IRET

  SegmentRegister seg[kSegCount];
  DescriptorTable gdtr{0, 0xFFFF};
  DescriptorTable idtr{0, 0xFFFF};
  u64 cr0 = cr0::kEt | cr0::kNw | cr0::kCd;
  u64 cr2 = 0;
  u64 cr3 = 0;
  u64 cr4 = 0;
  u64 efer = 0;
  u64 xcr0 = 1;
  u64 dr[8] = {0, 0, 0, 0, 0, 0, 0xFFFF0FF0, 0x400};
  u32 pkru = 0;
  u32 mxcsr = 0x1F80;
  XmmRegister xmm[16];
  FpuState fpu;

  // MSRs of the CPU itself (the local APIC's live in the local APIC). SDM vol. 4.
  u64 star = 0, lstar = 0, cstar = 0, fmask = 0, kernel_gs_base = 0;
  u64 sysenter_cs = 0, sysenter_esp = 0, sysenter_eip = 0;
  u64 pat = 0x0007040600070406ull;
  u64 tsc_offset = 0;  // TSC = virtual ns + tsc_offset; also IA32_TSC_ADJUST moves it
  u64 tsc_adjust = 0;
  u64 tsc_aux = 0;
  u64 misc_enable = 1;  // fast strings
  u64 mtrr_def_type = 0;
  u64 mtrr_fixed[11] = {};
  u64 mtrr_variable[16] = {};
  u64 mcg_status = 0;
  u64 spec_ctrl = 0;
  u64 debugctl = 0;
  u64 random_state = 0;  // RDRAND / RDSEED generator, seeded from the machine's seed

  bool long_mode_active() const { return (efer & efer::kLma) != 0; }
  bool protected_mode() const { return (cr0 & cr0::kPe) != 0; }
  bool v8086() const { return (rflags_rest & rflags::kVm) != 0; }
  bool code64() const { return long_mode_active() && seg[kCs].long_mode(); }
};

}  // namespace lapwing
