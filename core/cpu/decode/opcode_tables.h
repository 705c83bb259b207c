// The opcode maps (SDM vol. 2, appendix A "Opcode Map") as rows, and the lookup tables expanded from them
// when compiled. One row = one opcode (or a run of opcodes) under some mandatory prefixes; two rows in one
// place fail the compilation. Not in the tables: VEX-encoded vector instructions, EVEX, XOP, 3DNow!, VMX,
// SMX, MPX, SHA.
#pragma once

#include "core/cpu/decode/instruction.h"

namespace lapwing::opcode {

// Where the operands are encoded; each maps to one Form.
enum class Encoding : u8 {
  kNone,
  kM,
  kMR,
  kRM,
  kMI,
  kRMI,
  kMRI,
  kMRC,
  kM1,
  kMC,  // with a ModRM byte
  kRVM,
  kRMV,
  kVM,         // with VEX.vvvv
  kO,          // register in the opcode -> kM
  kOI,         // register in the opcode, immediate -> kMI
  kOA,         // register in the opcode, accumulator -> kMR
  kNopOrXchg,  // 90: NOP, PAUSE (F3), XCHG R8, rAX (REX.B)
  kAI,         // accumulator, immediate -> kMI
  kI,
  kII,
  kJ,
  kA,
  kMoffsLoad,
  kMoffsStore,
  kPortImm,
  kPortDx,
  kSegment,  // PUSH/POP segment register: bits 5:3 of the opcode
  kString,   // [rSI] and [rDI]
  kTable,    // XLAT: [rBX + AL]
  kInherit,  // (group rows) everything but op and flags as in the row of the opcode
};

// Operand size in bytes.
enum class Size : u8 {
  kNone,
  kB,
  kW,
  kD,
  kQ,
  kX,
  kT,       // 0 1 2 4 8 16 10
  kV,       // 2 4 8 by mode, 66 and REX.W
  kY,       // 4, or 8 with REX.W
  kZ,       // 2 4: as kV, REX.W gives 4
  kStack,   // as kV, but 8 by default in 64-bit mode, never 4
  kBranch,  // 8 in 64-bit mode whatever the prefixes (as Intel's CPUs do), else as kV
  kMode,    // 8 in 64-bit mode, else 4
};

enum class Immediate : u8 {
  kNone,
  kU8,  // zero-extended
  kS8,  // sign-extended
  kU16,
  kZ,  // 16 or 32 bits by operand size, sign-extended
  kV,  // of operand size
};

// What a register number names.
enum class RegisterClass : u8 {
  kGeneral,  // of operand size; 4-7 are AH CH DH BH for a byte without REX
  kByte,
  kWord,
  kDword,  // general, of that size whatever the operand size; kWord and kDword never AH..BH
  kMmx,
  kXmm,
  kSegment,
  kLoadableSegment,  // the second without CS
  kControl,
  kDebug,
  kStack,  // ST(i)
};

enum Flag : u8 {
  kLock = 1 << 0,        // LOCK allowed when rm is memory
  kNot64 = 1 << 1,       // #UD in 64-bit mode (in the one-byte map: another row may stand there)
  kOnly64 = 1 << 2,      // #UD outside
  kMem = 1 << 3,         // register form #UD
  kReg = 1 << 4,         // memory form #UD
  kWide = 1 << 5,        // REX.W selects the next Op and doubles the size
  kModIgnored = 1 << 6,  // rm is a register whatever mod says
  kNoPrefix = 1 << 7,    // #UD with 66, F2 or F3 ("NP" in the manual)
};

// Mandatory prefixes under which a row applies; also the index of the map's column.
enum PrefixSet : u8 { kNP = 1, k66 = 2, kF3 = 4, kF2 = 8, kAny = 15 };

enum class Table : u8 {
  kOneByte,
  kTwoByte,
  k0f38,
  k0f3a,
  kVex0f38,
  kVex0f3a,
  // Groups: the ModRM byte selects. x87 escapes are groups too.
  kG1,
  kG1a,
  kG2,
  kG3Byte,
  kG3,
  kG4,
  kG5,
  kG11,
  kMovFromSeg,
  kG6,
  kG7,
  kGP,
  kG16,
  kMovlps,
  kMovhps,
  kG12,
  kG13,
  kG14Mmx,
  kG14Xmm,
  kG15,
  kG15_66,
  kG15_f3,
  kG8,
  kG9,
  kG9_66,
  kG9_rep,
  kG17,
  kD8,
  kD9,
  kDA,
  kDB,
  kDC,
  kDD,
  kDE,
  kDF,
  kCount,
  kFirstGroup = kG1,
  kNoGroup = 0,
};
constexpr unsigned kGroupCount =
    static_cast<unsigned>(Table::kCount) - static_cast<unsigned>(Table::kFirstGroup);
constexpr unsigned group_index(Table table) {
  return static_cast<unsigned>(table) - static_cast<unsigned>(Table::kFirstGroup);
}

// A group has 8 slots for memory operands, by ModRM.reg, then 64 for ModRM C0-FF.
constexpr unsigned kGroupSlots = 72;
constexpr unsigned group_slot(u8 modrm) {
  return modrm >= 0xC0 ? 8u + (modrm & 63u) : (modrm >> 3) & 7u;
}

struct Row {
  Op op = Op::INVALID;
  Encoding encoding = Encoding::kNone;
  Size size = Size::kNone;
  Immediate immediate = Immediate::kNone;
  RegisterClass reg = RegisterClass::kGeneral;
  RegisterClass rm = RegisterClass::kGeneral;
  u8 flags = 0;
  Table group = Table::kNoGroup;
  // Its place: opcode or group slot, and how many in a run.
  Table table = Table::kNoGroup;
  u8 first = 0;
  u8 count = 0;
  u8 prefixes = 0;
};

// Row numbers; row 0 is the undefined opcode.
struct Lookup {
  u16 one_byte[2][256];  // [64-bit mode]
  u16 two_byte[4][256];  // [column: none, 66, F3, F2]
  u16 map_0f38[4][256];
  u16 map_0f3a[4][256];
  u16 vex_0f38[4][256];
  u16 vex_0f3a[4][256];
  u16 group[kGroupCount][kGroupSlots];
};

extern const Row kRows[];
extern const unsigned kRowCount;
const Lookup& lookup();

}  // namespace lapwing::opcode
