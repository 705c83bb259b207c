#include "core/cpu/decode/decoder.h"

#include <cstring>

#include "core/cpu/decode/opcode_tables.h"

namespace lapwing {
namespace {

using opcode::Encoding;
using opcode::Immediate;
using opcode::RegisterClass;
using opcode::Row;
using opcode::Size;
using opcode::Table;

// A prefix, an opcode of at most three bytes, ModRM, SIB, displacement and immediate never reach further than
// this behind the 15th byte.
constexpr unsigned kWindow = 32;
constexpr u8 kNoOverride = 0xFF;

enum PrefixKind : u8 {
  kNotPrefix,
  kSegmentPrefix,
  kOpsizePrefix,
  kAddressPrefix,
  kLockPrefix,
  kRepPrefix,
  kRepnePrefix,
  kRexPrefix
};

struct PrefixTable {
  PrefixKind kind[256];
};
constexpr u8 kSegmentBytes[] = {0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65};
constexpr PrefixTable make_prefix_table() {
  PrefixTable table{};
  for (u8 byte : kSegmentBytes) table.kind[byte] = kSegmentPrefix;
  for (unsigned byte = 0x40; byte < 0x50; ++byte) table.kind[byte] = kRexPrefix;
  table.kind[0x66] = kOpsizePrefix;
  table.kind[0x67] = kAddressPrefix;
  table.kind[0xF0] = kLockPrefix;
  table.kind[0xF2] = kRepnePrefix;
  table.kind[0xF3] = kRepPrefix;
  return table;
}
constexpr PrefixTable kPrefixes = make_prefix_table();

// REX bits (VEX delivers the same, inverted).
constexpr u8 kRexB = 1, kRexX = 2, kRexR = 4, kRexW = 8;

// Base and index of 16-bit addressing by ModRM.rm (SDM vol. 2, table 2-1).
constexpr u8 kBase16[8] = {kRbx, kRbx, kRbp, kRbp, kRsi, kRdi, kRbp, kRbx};
constexpr u8 kIndex16[8] = {kRsi, kRdi, kRsi, kRdi, kZeroSlot, kZeroSlot, kZeroSlot, kZeroSlot};

constexpr u8 general_slot(unsigned number) {
  return static_cast<u8>(number * 8);
}

class Decoder {
 public:
  Decoder(const u8* bytes, DecodeMode mode, Instruction& out)
      : p_(bytes), start_(bytes), out_(out), mode_(mode) {}

  // Sets everything except offset, length and what depends on them. False: undefined (length() bytes were
  // looked at).
  bool run();
  unsigned length() const { return static_cast<unsigned>(p_ - start_); }
  bool relative_to_next() const { return relative_; }

 private:
  bool code64() const { return mode_.code_size == 8; }
  u8 byte() { return *p_++; }
  template <class T>
  T fetch() {
    T value;
    std::memcpy(&value, p_, sizeof(T));
    p_ += sizeof(T);
    return value;
  }

  u8 scan_prefixes();
  const Row* select(u8 first);
  const Row* select_two_byte();
  const Row* select_vex(u8 first);
  unsigned column() const;
  u8 size_of(Size size) const;
  u8 resolve_segment(u8 segment) const;
  u8 override_or(u8 segment) const { return segment_ != kNoOverride ? segment_ : segment; }

  bool operands(const Row& row, const Row& shape);
  bool legal(const Row& row, const Row& shape) const;
  bool modrm_operands(const Row& row, const Row& shape);
  bool set_register(u8& slot, RegisterClass cls, unsigned number) const;
  void memory_operand();
  void memory_operand16();
  void implicit_operands(const Row& shape);
  void set_memory_segment(u8 base) {
    const bool stack = base == kRsp || base == kRbp;
    out_.segment = resolve_segment(override_or(stack ? kSs : kDs));
  }
  void opcode_register(Form form) {
    out_.form = form;
    set_register(out_.rm, RegisterClass::kGeneral, (out_.opcode & 7u) | ((rex_ & kRexB) != 0 ? 8u : 0u));
  }
  void moffs(bool load);
  void immediate(Immediate kind);

  const u8* p_;
  const u8* start_;
  Instruction& out_;
  DecodeMode mode_;
  u8 segment_ = kNoOverride;
  u8 prefixes_ = 0;
  u8 rex_ = 0;
  u8 vvvv_ = 0;
  u8 modrm_ = 0;
  bool address_prefix_ = false;
  bool relative_ = false;
};

// Returns the first opcode byte. REX counts only right before it (SDM vol. 2, "REX Prefixes"). In 64-bit mode
// CS, DS, ES and SS overrides are ignored; otherwise the last override wins, as does the last of F2 and F3.
u8 Decoder::scan_prefixes() {
  for (;;) {
    const u8 value = byte();
    const PrefixKind kind = kPrefixes.kind[value];
    if (kind == kNotPrefix) [[likely]]
      return value;
    if (kind == kRexPrefix) {
      if (!code64()) return value;
      if (length() > kMaxInstructionLength) return value;
      rex_ = value;
      continue;
    }
    rex_ = 0;
    switch (kind) {
      case kSegmentPrefix: {
        const u8 segment =
            value >= 0x64 ? static_cast<u8>(value - 0x64 + kFs) : static_cast<u8>((value >> 3) & 3);
        if (!code64() || segment >= kFs) segment_ = segment;
        break;
      }
      case kOpsizePrefix: prefixes_ |= kPrefixOpsize; break;
      case kAddressPrefix: address_prefix_ = true; break;
      case kLockPrefix: prefixes_ |= kPrefixLock; break;
      case kRepPrefix: prefixes_ = static_cast<u8>((prefixes_ & ~kPrefixRepne) | kPrefixRep); break;
      default: prefixes_ = static_cast<u8>((prefixes_ & ~kPrefixRep) | kPrefixRepne); break;
    }
    if (length() > kMaxInstructionLength) return value;
  }
}

// Mandatory prefix: F2 and F3 go before 66.
unsigned Decoder::column() const {
  if ((prefixes_ & kPrefixRep) != 0) return 2;
  if ((prefixes_ & kPrefixRepne) != 0) return 3;
  return (prefixes_ & kPrefixOpsize) != 0 ? 1 : 0;
}

const Row* Decoder::select_two_byte() {
  out_.opcode = byte();
  unsigned row;
  if (out_.opcode == 0x38) {
    out_.opcode = byte();
    row = opcode::lookup().map_0f38[column()][out_.opcode];
  } else if (out_.opcode == 0x3A) {
    out_.opcode = byte();
    row = opcode::lookup().map_0f3a[column()][out_.opcode];
  } else {
    row = opcode::lookup().two_byte[column()][out_.opcode];
  }
  return &opcode::kRows[row];
}

// C4 and C5 (SDM vol. 2, "The VEX Prefix"). Outside 64-bit mode R, X, the top bit of vvvv and B do not exist.
const Row* Decoder::select_vex(u8 first) {
  constexpr u8 kForbidden = kPrefixLock | kPrefixRep | kPrefixRepne | kPrefixOpsize;
  constexpr u8 kMandatory[4] = {0, kPrefixOpsize, kPrefixRep, kPrefixRepne};
  const bool bad_prefix = (prefixes_ & kForbidden) != 0 || rex_ != 0;
  unsigned map = 1;
  u8 rex = 0;
  u8 last = byte();
  if (first == 0xC4) {
    map = last & 31;
    rex = static_cast<u8>((~last >> 5) & 7);
    last = byte();
    rex = static_cast<u8>(rex | ((last >> 7) * kRexW));
  } else {
    rex = static_cast<u8>((~last >> 5) & kRexR);
  }
  rex_ = code64() ? static_cast<u8>(0x40 | rex) : 0;
  vvvv_ = static_cast<u8>((~last >> 3) & (code64() ? 15 : 7));
  prefixes_ = kMandatory[last & 3];
  const bool wide_vector = bit_of(last, 2);
  out_.opcode = byte();
  unsigned row = 0;
  if (map == 2) row = opcode::lookup().vex_0f38[last & 3][out_.opcode];
  if (map == 3) row = opcode::lookup().vex_0f3a[last & 3][out_.opcode];
  if (bad_prefix || wide_vector) row = 0;
  return &opcode::kRows[row];
}

const Row* Decoder::select(u8 first) {
  out_.opcode = first;
  if (first == 0x0F) return select_two_byte();
  if (first == 0xC4 || first == 0xC5) {
    if (code64() || *p_ >= 0xC0) return select_vex(first);
  }
  return &opcode::kRows[opcode::lookup().one_byte[code64()][first]];
}

// Operand sizes by rule and by what they depend on.
constexpr unsigned kSizeRules = static_cast<unsigned>(Size::kMode) + 1;
enum SizeInput : unsigned {
  kSizeNarrow = 1,
  kSizeWide = 2,
  kSizeCode16 = 4,
  kSizeCode64 = 8,
  kSizeInputs = 16
};

constexpr u8 size_by_rule(Size size, unsigned input) {
  const bool wide = (input & kSizeWide) != 0;
  const bool narrow = (input & kSizeNarrow) != 0;
  const bool code64 = (input & kSizeCode64) != 0;
  const u8 legacy = ((input & kSizeCode16) != 0) != narrow ? 2 : 4;
  switch (size) {
    case Size::kNone: return 0;
    case Size::kB: return 1;
    case Size::kW: return 2;
    case Size::kD: return 4;
    case Size::kQ: return 8;
    case Size::kX: return 16;
    case Size::kT: return 10;
    case Size::kV: return wide ? 8 : legacy;
    case Size::kY: return wide ? 8 : 4;
    case Size::kZ: return wide ? 4 : legacy;
    case Size::kStack: return !code64 ? legacy : narrow && !wide ? 2 : 8;
    case Size::kBranch: return code64 ? 8 : legacy;
    case Size::kMode: return code64 ? 8 : 4;
  }
  return 0;
}

struct SizeTable {
  u8 bytes[kSizeRules][kSizeInputs];
};
constexpr SizeTable make_size_table() {
  SizeTable table{};
  for (unsigned rule = 0; rule < kSizeRules; ++rule) {
    for (unsigned input = 0; input < kSizeInputs; ++input) {
      table.bytes[rule][input] = size_by_rule(static_cast<Size>(rule), input);
    }
  }
  return table;
}
constexpr SizeTable kSizes = make_size_table();

u8 Decoder::size_of(Size size) const {
  unsigned input = mode_.code_size == 2 ? kSizeCode16 : mode_.code_size & kSizeCode64;
  if ((prefixes_ & kPrefixOpsize) != 0) input |= kSizeNarrow;
  if ((rex_ & kRexW) != 0) input |= kSizeWide;
  return kSizes.bytes[static_cast<unsigned>(size)][input];
}

u8 Decoder::resolve_segment(u8 segment) const {
  if (!code64() && !mode_.flat) return segment;
  if (segment == kSs) return kFlatStack;
  return segment == kDs || segment == kEs ? u8{kFlat} : segment;
}

bool Decoder::set_register(u8& slot, RegisterClass cls, unsigned number) const {
  if (cls == RegisterClass::kGeneral && out_.operand_size != 1) [[likely]] {
    slot = general_slot(number);
    return true;
  }
  switch (cls) {
    case RegisterClass::kGeneral:
    case RegisterClass::kByte: {
      const bool byte_operand = cls == RegisterClass::kByte || out_.operand_size == 1;
      const bool high = byte_operand && rex_ == 0 && number >= 4;
      slot = high ? static_cast<u8>(general_slot(number - 4) + 1) : general_slot(number);
      return true;
    }
    case RegisterClass::kWord:
    case RegisterClass::kDword: slot = general_slot(number); return true;
    case RegisterClass::kXmm: slot = static_cast<u8>(number); return true;
    case RegisterClass::kMmx:
    case RegisterClass::kStack: slot = static_cast<u8>(number & 7); return true;
    case RegisterClass::kSegment: slot = static_cast<u8>(number & 7); return slot <= kGs;
    case RegisterClass::kLoadableSegment:
      slot = static_cast<u8>(number & 7);
      return slot <= kGs && slot != kCs;
    case RegisterClass::kControl:
      slot = static_cast<u8>(number);
      return number == 0 || number == 2 || number == 3 || number == 4 || number == 8;
    case RegisterClass::kDebug: slot = static_cast<u8>(number); return number < 8;
  }
  return false;
}

void Decoder::memory_operand16() {
  const unsigned mod = modrm_ >> 6;
  const unsigned rm = modrm_ & 7;
  out_.base = kBase16[rm];
  out_.index = kIndex16[rm];
  if (mod == 0 && rm == 6) {
    out_.base = kZeroSlot;
    out_.disp = fetch<i16>();
  } else if (mod == 1) {
    out_.disp = fetch<i8>();
  } else if (mod == 2) {
    out_.disp = fetch<i16>();
  }
  set_memory_segment(out_.base);
}

void Decoder::memory_operand() {
  out_.rm = kMemory;
  if (out_.address_size == 2) return memory_operand16();
  const unsigned mod = modrm_ >> 6;
  unsigned base = modrm_ & 7;
  if (base == 4) {
    const u8 sib = byte();
    const unsigned index = ((sib >> 3) & 7u) | ((rex_ & kRexX) ? 8u : 0u);
    base = sib & 7;
    if (index != kRsp) {
      out_.index = static_cast<u8>(index);
      out_.scale = static_cast<u8>(sib >> 6);
    }
    if (mod == 0 && base == 5) base = kZeroSlot;
  } else if (mod == 0 && base == 5) {
    base = code64() ? kRipSlot : kZeroSlot;
    relative_ = code64();
  }
  if (base < 8 && (rex_ & kRexB) != 0) base += 8;
  out_.base = static_cast<u8>(base);
  if (mod == 1) {
    out_.disp = fetch<i8>();
  } else if (mod == 2 || base >= kZeroSlot) {
    out_.disp = fetch<i32>();
  }
  set_memory_segment(out_.base);
}

bool Decoder::modrm_operands(const Row& row, const Row& shape) {
  const unsigned reg = ((modrm_ >> 3) & 7u) | ((rex_ & kRexR) ? 8u : 0u);
  if (modrm_ >= 0xC0 || (row.flags & opcode::kModIgnored) != 0) {
    // x87 has no register that REX could extend, not even AX in FNSTSW AX.
    const bool extended = (rex_ & kRexB) != 0 && row.table < Table::kD8;
    const unsigned rm = (modrm_ & 7u) | (extended ? 8u : 0u);
    set_register(out_.rm, shape.rm, rm);
    if ((row.flags & opcode::kMem) != 0) return false;
    if ((row.flags & opcode::kReg) != 0)
      out_.segment = resolve_segment(override_or(kDs));  // MASKMOVQ's [rDI]
  } else {
    memory_operand();
    if ((row.flags & opcode::kReg) != 0) return false;
  }
  return set_register(out_.reg, shape.reg, reg);
}

// Accumulator and absolute address. One that fits in a displacement becomes an ordinary memory operand.
void Decoder::moffs(bool load) {
  u64 address;
  if (out_.address_size == 8) {
    address = fetch<u64>();
  } else {
    address = out_.address_size == 4 ? fetch<u32>() : fetch<u16>();
  }
  out_.disp = static_cast<i32>(address);
  out_.reg = general_slot(kRax);
  out_.segment = resolve_segment(override_or(kDs));
  if (out_.address_size == 8 && static_cast<u64>(static_cast<i64>(out_.disp)) != address) {
    out_.disp = 0;
    out_.imm = address;
    out_.form = load ? Form::kMoffsLoad : Form::kMoffsStore;
  } else {
    out_.form = load ? Form::kRM : Form::kMR;
  }
}

void Decoder::immediate(Immediate kind) {
  const unsigned size = out_.operand_size;
  switch (kind) {
    case Immediate::kNone: break;
    case Immediate::kU8: out_.imm = byte(); break;
    case Immediate::kS8: out_.imm = static_cast<u64>(static_cast<i64>(fetch<i8>())); break;
    case Immediate::kU16: out_.imm = fetch<u16>(); break;
    case Immediate::kV:
      if (size == 8) {
        out_.imm = fetch<u64>();
        break;
      }
      [[fallthrough]];
    case Immediate::kZ:
      out_.imm = size == 2 ? static_cast<u64>(static_cast<i64>(fetch<i16>()))
                           : static_cast<u64>(static_cast<i64>(fetch<i32>()));
      break;
  }
}

// Encodings without ModRM.
void Decoder::implicit_operands(const Row& shape) {
  switch (shape.encoding) {
    case Encoding::kO: opcode_register(Form::kM); break;
    case Encoding::kOI: opcode_register(Form::kMI); break;
    case Encoding::kOA:
      opcode_register(Form::kMR);
      out_.reg = general_slot(kRax);
      break;
    case Encoding::kNopOrXchg:
      if ((prefixes_ & kPrefixRep) != 0) {
        out_.op = Op::PAUSE;
      } else if ((rex_ & kRexB) != 0) {
        out_.op = Op::XCHG;
        opcode_register(Form::kMR);
        out_.reg = general_slot(kRax);
      }
      break;
    case Encoding::kAI:
      out_.form = Form::kMI;
      out_.rm = general_slot(kRax);
      break;
    case Encoding::kI: out_.form = Form::kI; break;
    case Encoding::kII: {
      out_.form = Form::kII;
      const u64 frame = fetch<u16>();
      out_.imm = frame | static_cast<u64>(byte()) << 16;
      break;
    }
    case Encoding::kJ: out_.form = Form::kJ; break;
    case Encoding::kA:
      out_.form = Form::kA;
      out_.imm = out_.operand_size == 2 ? fetch<u16>() : fetch<u32>();
      out_.disp = fetch<u16>();
      break;
    case Encoding::kMoffsLoad:
    case Encoding::kMoffsStore: moffs(shape.encoding == Encoding::kMoffsLoad); break;
    case Encoding::kPortImm: out_.form = Form::kPortImm; break;
    case Encoding::kPortDx: out_.form = Form::kPortDx; break;
    case Encoding::kSegment: out_.reg = (out_.opcode >> 3) & 7; break;
    case Encoding::kString:
      out_.segment = resolve_segment(override_or(kDs));
      out_.reg = resolve_segment(kEs);
      break;
    case Encoding::kTable:
      out_.segment = resolve_segment(override_or(kDs));
      out_.base = kRbx;
      break;
    default: break;
  }
}

bool Decoder::operands(const Row& row, const Row& shape) {
  static constexpr Form kForms[] = {Form::kNone, Form::kM,   Form::kMR,  Form::kRM, Form::kMI,
                                    Form::kRMI,  Form::kMRI, Form::kMRC, Form::kM1, Form::kMC,
                                    Form::kRVM,  Form::kRMV, Form::kVM};
  if (shape.encoding > Encoding::kVM) {
    implicit_operands(shape);
  } else {
    out_.form = kForms[static_cast<unsigned>(shape.encoding)];
    if (shape.encoding != Encoding::kNone && !modrm_operands(row, shape)) return false;
  }
  if (shape.immediate != Immediate::kNone) immediate(shape.immediate);
  return true;
}

// Checked after all bytes are consumed, so that an undefined instruction that is also too long raises #GP.
bool Decoder::legal(const Row& row, const Row& shape) const {
  if ((prefixes_ & kPrefixLock) != 0 && ((row.flags & opcode::kLock) == 0 || !out_.rm_is_memory()))
    return false;
  if ((row.flags & opcode::kOnly64) != 0 && !code64()) return false;
  if ((row.flags & opcode::kNoPrefix) != 0 && column() != 0) return false;
  const bool takes_vvvv = shape.encoding >= Encoding::kRVM && shape.encoding <= Encoding::kVM;
  return vvvv_ == 0 || takes_vvvv;
}

bool Decoder::run() {
  const u8 first = scan_prefixes();
  if (length() > kMaxInstructionLength) return false;
  const Row* row = select(first);
  const Row* shape = row;
  if (row->group != Table::kNoGroup) {
    modrm_ = byte();
    row = &opcode::kRows[opcode::lookup().group[opcode::group_index(row->group)][opcode::group_slot(modrm_)]];
    if (row->encoding != Encoding::kInherit) shape = row;
  } else if (row->encoding > Encoding::kNone && row->encoding <= Encoding::kVM) {
    modrm_ = byte();
  }
  if (row->op == Op::INVALID) return false;

  out_.op = row->op;
  out_.code_size = mode_.code_size;
  out_.operand_size = size_of(shape->size);
  if ((row->flags & opcode::kWide) != 0 && (rex_ & kRexW) != 0) {
    out_.op = static_cast<Op>(static_cast<u16>(row->op) + 1);
    out_.operand_size = static_cast<u8>(out_.operand_size * 2);
  }
  const u8 other_size = code64() ? u8{4} : static_cast<u8>(6 - mode_.code_size);
  out_.address_size = address_prefix_ ? other_size : mode_.code_size;
  out_.vex = general_slot(vvvv_);
  out_.prefixes =
      static_cast<u8>(prefixes_ | (rex_ != 0 ? kPrefixRex : 0) | ((rex_ & kRexW) != 0 ? kPrefixRexW : 0));
  if (!operands(*row, *shape)) return false;
  if (row->table >= Table::kD8) out_.imm = (first & 7u) << 8 | modrm_;
  return legal(*row, *shape);
}

void make_undefined(Instruction& out, Op op, DecodeMode mode) {
  out = Instruction{};
  out.op = op;
  out.code_size = mode.code_size;
}

}  // namespace

DecodeResult decode(const u8* bytes, unsigned available, DecodeMode mode, u16 offset, Instruction& out) {
  u8 window[kWindow];
  if (available < kWindow) {
    std::memset(window, 0, sizeof(window));
    std::memcpy(window, bytes, available);
    bytes = window;
  }
  out = Instruction{};
  Decoder decoder(bytes, mode, out);
  const bool defined = decoder.run();
  unsigned length = decoder.length();
  if (length > available && available < kMaxInstructionLength) return DecodeResult::kNeedMore;
  if (length > kMaxInstructionLength) {
    make_undefined(out, Op::TOO_LONG, mode);
    length = kMaxInstructionLength;
  } else if (!defined) {
    make_undefined(out, Op::INVALID, mode);
  }
  out.offset = offset;
  out.length = static_cast<u8>(length);
  if (decoder.relative_to_next() && out.base == kRipSlot)
    out.disp = static_cast<i32>(static_cast<u32>(out.disp) + offset + length);
  if (out.form == Form::kJ) out.imm += out.next_offset();
  return DecodeResult::kOk;
}

}  // namespace lapwing
