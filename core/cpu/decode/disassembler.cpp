#include "core/cpu/decode/disassembler.h"

#include <string_view>

#include "core/cpu/decode/op_info.h"
#include "core/cpu/decode/opcode_tables.h"
#include "core/hex.h"

namespace lapwing {
namespace {

using opcode::Encoding;
using opcode::RegisterClass;
using opcode::Row;
using opcode::Size;

constexpr const char* kByteNames[16] = {"al",  "cl",  "dl",   "bl",   "spl",  "bpl",  "sil",  "dil",
                                        "r8b", "r9b", "r10b", "r11b", "r12b", "r13b", "r14b", "r15b"};
constexpr const char* kHighNames[4] = {"ah", "ch", "dh", "bh"};
constexpr const char* kWordNames[8] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
constexpr const char* kSegmentNames[8] = {"es", "cs", "ss", "ds", "fs", "gs", "seg6", "seg7"};
constexpr const char* kConditions[16] = {"o", "no", "b", "ae", "e", "ne", "be", "a",
                                         "s", "ns", "p", "np", "l", "ge", "le", "g"};

std::string prefixed(u64 value) {
  return "0x" + hex(value);
}

std::string signed_hex(i64 value) {
  return value < 0 ? "-" + prefixed(~static_cast<u64>(value) + 1) : "+" + prefixed(static_cast<u64>(value));
}

u64 truncate(u64 value, unsigned bytes) {
  return bytes >= 8 ? value : value & ((u64{1} << (bytes * 8)) - 1);
}

std::string general_name(unsigned number, unsigned size) {
  if (size == 1) return kByteNames[number];
  if (number >= 8) return "r" + std::to_string(number) + (size == 2 ? "w" : size == 4 ? "d" : "");
  return (size == 2 ? "" : size == 4 ? "e" : "r") + std::string(kWordNames[number]);
}

struct Classes {
  RegisterClass reg = RegisterClass::kGeneral;
  RegisterClass rm = RegisterClass::kGeneral;
};

Form form_of(Encoding encoding) {
  switch (encoding) {
    case Encoding::kM:
    case Encoding::kO: return Form::kM;
    case Encoding::kMR:
    case Encoding::kOA:
    case Encoding::kMoffsStore: return Form::kMR;
    case Encoding::kRM:
    case Encoding::kMoffsLoad: return Form::kRM;
    case Encoding::kMI:
    case Encoding::kOI:
    case Encoding::kAI: return Form::kMI;
    case Encoding::kRMI: return Form::kRMI;
    case Encoding::kMRI: return Form::kMRI;
    default: return Form::kNone;
  }
}

bool shape_fits(const Row& shape, const Instruction& in) {
  if (form_of(shape.encoding) != in.form) return false;
  if (in.op == Op::FNSTSW && in.rm_is_memory() != (shape.rm == RegisterClass::kStack)) return false;
  if (shape.size == Size::kQ) return in.operand_size == 8;
  return shape.size != Size::kX || in.operand_size == 16;
}

// Operation, form and size tell the row, as far as register classes go.
Classes classes_of(const Instruction& in) {
  for (unsigned i = 1; i < opcode::kRowCount; ++i) {
    const Row& row = opcode::kRows[i];
    if (row.op != in.op) continue;
    if (row.encoding != Encoding::kInherit) {
      if (shape_fits(row, in)) return {row.reg, row.rm};
      continue;
    }
    for (unsigned j = 1; j < opcode::kRowCount; ++j) {
      const Row& parent = opcode::kRows[j];
      if (parent.group == row.table && shape_fits(parent, in)) return {parent.reg, parent.rm};
    }
  }
  return {};
}

std::string register_name(RegisterClass cls, u8 slot, unsigned operand_size) {
  const std::string number = std::to_string(slot);
  switch (cls) {
    case RegisterClass::kMmx: return "mm" + number;
    case RegisterClass::kXmm: return "xmm" + number;
    case RegisterClass::kSegment:
    case RegisterClass::kLoadableSegment: return kSegmentNames[slot & 7];
    case RegisterClass::kControl: return "cr" + number;
    case RegisterClass::kDebug: return "dr" + number;
    case RegisterClass::kStack: return "st(" + number + ")";
    default: break;
  }
  if ((slot & 7) == 1) return kHighNames[slot >> 3];
  unsigned size = operand_size;
  if (cls == RegisterClass::kByte) size = 1;
  if (cls == RegisterClass::kWord) size = 2;
  if (cls == RegisterClass::kDword) size = 4;
  return general_name(slot >> 3, size);
}

// Bytes of the memory operand, 0 where no width is written.
unsigned memory_width(const Instruction& in, Classes classes) {
  if (classes.rm == RegisterClass::kByte) return 1;
  if (classes.rm == RegisterClass::kWord) return 2;
  switch (in.op) {
    case Op::LEA:
    case Op::SGDT:
    case Op::SIDT:
    case Op::LGDT:
    case Op::LIDT:
    case Op::FXSAVE:
    case Op::FXRSTOR:
    case Op::XSAVE:
    case Op::XRSTOR:
    case Op::XSAVEOPT:
    case Op::XSAVEC:
    case Op::XSAVES:
    case Op::XRSTORS:
    case Op::FLDENV:
    case Op::FNSTENV:
    case Op::FRSTOR:
    case Op::FNSAVE: return 0;
    case Op::MOVSXD:
    case Op::CVTSS2SI:
    case Op::CVTTSS2SI: return 4;
    case Op::CVTSD2SI:
    case Op::CVTTSD2SI: return 8;
    case Op::PINSRW: return 2;
    case Op::INVPCID: return 16;
    case Op::BOUND: return in.operand_size * 2u;
    case Op::PUNPCKLBW:
    case Op::PUNPCKLWD:
    case Op::PUNPCKLDQ: return in.operand_size == 8 ? 4 : 16;
    case Op::CALL_FAR:
    case Op::JMP_FAR:
    case Op::LDS:
    case Op::LES:
    case Op::LSS:
    case Op::LFS:
    case Op::LGS: return in.operand_size + 2u;
    default: return in.operand_size;
  }
}

const char* width_name(unsigned width) {
  switch (width) {
    case 1: return "byte ptr ";
    case 2: return "word ptr ";
    case 4: return "dword ptr ";
    case 6: return "fword ptr ";
    case 8: return "qword ptr ";
    case 10: return "tbyte ptr ";
    case 16: return "xmmword ptr ";
    default: return "";
  }
}

// The override, if it differs from the default. Flat ones are told apart only outside 64-bit mode.
std::string segment_text(const Instruction& in) {
  u8 segment = in.segment;
  if (segment >= kSegCount) {
    if (in.code_size == 8) return "";
    segment = segment == kFlatStack ? kSs : kDs;
  }
  const bool stack = in.base == kRsp || in.base == kRbp;
  if (segment == (stack ? kSs : kDs)) return "";
  return std::string(kSegmentNames[segment]) + ":";
}

std::string address_text(const Instruction& in) {
  if (in.form == Form::kMoffsLoad || in.form == Form::kMoffsStore) return "[" + prefixed(in.imm) + "]";
  if (in.base == kRipSlot) {
    const i64 from_next = i64{in.disp} - in.offset - in.length;
    return (in.address_size == 8 ? "[rip" : "[eip") + signed_hex(from_next) + "]";
  }
  const auto disp = static_cast<u64>(i64{in.disp});
  std::string text = "[";
  if (in.base != kZeroSlot) text += general_name(in.base, in.address_size);
  if (in.index != kZeroSlot) {
    if (in.base != kZeroSlot) text += "+";
    text += general_name(in.index, in.address_size);
    if (in.address_size != 2) text += "*" + std::to_string(1 << in.scale);
  }
  if (text == "[") return text + prefixed(truncate(disp, in.address_size)) + "]";
  if (in.disp != 0) text += signed_hex(in.disp);
  return text + "]";
}

std::string memory_text(const Instruction& in, Classes classes) {
  return width_name(memory_width(in, classes)) + segment_text(in) + address_text(in);
}

// "a/b/c" by size 2/4/8, '*' the size's letter, '?' the condition.
std::string mnemonic_text(const Instruction& in) {
  std::string_view pattern = op_info(in.op).mnemonic;
  unsigned size = in.op == Op::JCXZ ? in.address_size : in.operand_size;
  for (std::size_t slash; (slash = pattern.find('/')) != pattern.npos; size /= 2) {
    if (size <= 2) {
      pattern = pattern.substr(0, slash);
      break;
    }
    pattern = pattern.substr(slash + 1);
  }
  std::string text(pattern);
  const char last = text.back();
  if (last != '*' && last != '?') return text;
  text.pop_back();
  if (last == '?') return text + kConditions[in.condition()];
  return text + (in.operand_size == 1 ? "b" : in.operand_size == 2 ? "w" : in.operand_size == 4 ? "d" : "q");
}

std::string prefix_text(const Instruction& in) {
  if ((in.prefixes & kPrefixLock) != 0) return "lock ";
  if ((op_info(in.op).attributes & kAttrRepBranch) == 0) return "";
  const bool compares = in.op == Op::SCAS || in.op == Op::CMPS;
  if ((in.prefixes & kPrefixRep) != 0) return compares ? "repe " : "rep ";
  return (in.prefixes & kPrefixRepne) != 0 ? (compares ? "repne " : "rep ") : "";
}

class Operands {
 public:
  Operands(const Instruction& in, u64 rip) : in_(in), rip_(rip), classes_(classes_of(in)) {}

  std::string text() const {
    if (classes_.reg == RegisterClass::kStack) return x87_text();
    switch (in_.form) {
      case Form::kNone: return none_text();
      case Form::kM: return rm();
      case Form::kMR: return rm() + ", " + reg();
      case Form::kRM: return reg() + ", " + rm() + blend_mask();
      case Form::kMI: return rm() + ", " + immediate();
      case Form::kRMI: return reg() + ", " + rm() + ", " + immediate();
      case Form::kMRI: return rm() + ", " + reg() + ", " + immediate();
      case Form::kMRC: return rm() + ", " + reg() + ", cl";
      case Form::kM1: return rm() + ", 1";
      case Form::kMC: return rm() + ", cl";
      case Form::kI: return immediate();
      case Form::kII: return prefixed(in_.imm & 0xFFFF) + ", " + prefixed(in_.imm >> 16);
      case Form::kJ: return prefixed(truncate(block_start() + in_.imm, in_.operand_size));
      case Form::kRVM: return reg() + ", " + vex() + ", " + rm();
      case Form::kRMV: return reg() + ", " + rm() + ", " + vex();
      case Form::kVM: return vex() + ", " + rm();
      case Form::kA: return prefixed(static_cast<u64>(in_.disp)) + ":" + prefixed(in_.imm);
      case Form::kMoffsLoad: return reg() + ", " + memory_text(in_, classes_);
      case Form::kMoffsStore: return memory_text(in_, classes_) + ", " + reg();
      case Form::kPortImm:
      case Form::kPortDx: return port_text();
    }
    return "";
  }

  std::string note() const {
    if (in_.base != kRipSlot) return "";
    const u64 target = block_start() + static_cast<u64>(i64{in_.disp});
    return "  # " + prefixed(truncate(target, in_.address_size));
  }

 private:
  u64 block_start() const { return rip_ - in_.offset; }
  std::string reg() const { return register_name(classes_.reg, in_.reg, in_.operand_size); }
  std::string vex() const { return register_name(RegisterClass::kGeneral, in_.vex, in_.operand_size); }
  std::string rm() const {
    return in_.rm_is_memory() ? memory_text(in_, classes_)
                              : register_name(classes_.rm, in_.rm, in_.operand_size);
  }
  std::string immediate() const {
    const bool general = classes_.rm == RegisterClass::kGeneral && in_.operand_size != 0;
    const bool narrow = in_.form == Form::kMI || in_.form == Form::kRMI || in_.form == Form::kI;
    return prefixed(general && narrow && in_.op != Op::RET_FAR ? truncate(in_.imm, in_.operand_size)
                                                               : in_.imm);
  }
  std::string none_text() const {
    return in_.op == Op::PUSH_SEG || in_.op == Op::POP_SEG ? kSegmentNames[in_.reg & 7] : "";
  }
  std::string blend_mask() const {
    const bool blends = in_.op == Op::PBLENDVB || in_.op == Op::BLENDVPS || in_.op == Op::BLENDVPD;
    return blends ? ", xmm0" : "";
  }
  std::string port_text() const {
    const std::string port = in_.form == Form::kPortDx ? "dx" : prefixed(in_.imm);
    const std::string accumulator = general_name(kRax, in_.operand_size);
    return in_.op == Op::IN ? accumulator + ", " + port : port + ", " + accumulator;
  }
  std::string x87_text() const {
    if (in_.form == Form::kNone) return "";
    if (in_.form == Form::kMR) return rm() + ", st";
    const bool names_st = in_.form == Form::kRM && !in_.rm_is_memory() && in_.op != Op::FXCH &&
                          in_.op != Op::FCOM && in_.op != Op::FCOMP && in_.op != Op::FUCOM &&
                          in_.op != Op::FUCOMP;
    return names_st ? "st, " + rm() : rm();
  }

  const Instruction& in_;
  u64 rip_;
  Classes classes_;
};

}  // namespace

std::string disassemble(const Instruction& in, u64 rip) {
  const Operands operands(in, rip);
  std::string text = prefix_text(in) + mnemonic_text(in);
  const std::string list = operands.text();
  if (!list.empty()) text += " " + list;
  return text + operands.note();
}

}  // namespace lapwing
