#include "tests/differential/generator.h"

#include "core/cpu/decode/op_info.h"
#include "tests/differential/encoder.h"

namespace lapwing::differential {

namespace {

using opcode::Encoding;
using opcode::Row;
using opcode::Table;

constexpr Op kExcluded[] = {
#define EXCLUDED(op, why) Op::op,
#define APPROXIMATE(op, bound)
#define UNDEFINED(op, flags, intel)
#include "tests/differential/vendor.inc"
#undef EXCLUDED
#undef APPROXIMATE
#undef UNDEFINED
};

constexpr Op kApproximate[] = {
#define EXCLUDED(op, why)
#define APPROXIMATE(op, bound) Op::op,
#define UNDEFINED(op, flags, intel)
#include "tests/differential/vendor.inc"
#undef EXCLUDED
#undef APPROXIMATE
#undef UNDEFINED
};

constexpr Op kUndefined[] = {
#define EXCLUDED(op, why)
#define APPROXIMATE(op, bound)
#define UNDEFINED(op, flags, intel) Op::op,
#include "tests/differential/vendor.inc"
#undef EXCLUDED
#undef APPROXIMATE
#undef UNDEFINED
};

template <std::size_t n>
bool among(const Op (&ops)[n], Op wanted) {
  for (const Op op : ops) {
    if (op == wanted) return true;
  }
  return false;
}

// Instructions that mostly end the sequence early: seldom.
unsigned keep_percent(Op op) {
  switch (op) {
    case Op::RET: return 10;
    case Op::CLI:
    case Op::STI:
    case Op::HLT:
    case Op::IN:
    case Op::OUT:
    case Op::INS:
    case Op::OUTS:
    case Op::INT3:
    case Op::INT1:
    case Op::INTO:
    case Op::BOUND:
    case Op::UD0:
    case Op::UD1:
    case Op::UD2:
    case Op::INVD:
    case Op::WBINVD:
    case Op::CLTS:
    case Op::LMSW:
    case Op::LGDT:
    case Op::LIDT:
    case Op::LLDT:
    case Op::LTR:
    case Op::INVLPG:
    case Op::INVPCID:
    case Op::MOV_FROM_CR:
    case Op::MOV_TO_CR:
    case Op::MOV_FROM_DR:
    case Op::MOV_TO_DR:
    case Op::RDMSR:
    case Op::WRMSR:
    case Op::SYSRET:
    case Op::SYSEXIT:
    case Op::RSM:
    case Op::SWAPGS:
    case Op::STAC:
    case Op::CLAC:
    case Op::XSETBV:
    case Op::INVALID: return 4;
    case Op::DIV:
    case Op::IDIV:
    case Op::POPF: return 40;
    default: return 100;
  }
}

u64 interesting(Random& random) {
  switch (random.below(8)) {
    case 0: return random.next() & 0xFF;
    case 1: return ~(random.next() & 0xFF);
    case 2: return 1ull << random.below(64);
    case 3: return (1ull << random.below(64)) - 1;
    case 4: return 0x8000000080008080ull >> (8 * random.below(8));
    case 5: return random.below(2) != 0 ? 0 : ~0ull;
    default: return random.next() >> random.below(64);
  }
}

u64 data_pointer(Random& random) {
  constexpr u64 kMiddle = kDataBase + 0x200;
  const u64 at = kMiddle + random.below(0x1C00);
  return random.chance(80) ? at & ~15ull : at;
}

// Registers that keep pointing into the data.
constexpr bool is_pointer(unsigned reg) {
  return reg == kRbx || (reg >= kRsp && reg <= kRdi) || (reg >= kR12 && reg <= kR14);
}

// An x87 or half-an-XMM value.
u64 floating(Random& random) {
  constexpr u64 kSpecial[] = {0x0000000000000000, 0x8000000000000000, 0x3FF0000000000000, 0xBFF0000000000000,
                              0x7FF0000000000000, 0xFFF0000000000000, 0x7FF8000000000000, 0xFFF8000000000000,
                              0x7FF0000000000001, 0x0000000000000001, 0x000FFFFFFFFFFFFF, 0x7FEFFFFFFFFFFFFF,
                              0x3F8000003F800000, 0xBF80000000000000, 0x7F8000007FC00000, 0x7F800001FF800000,
                              0x0000000100800000, 0x007FFFFF7F7FFFFF, 0x4F0000005F000000, 0x41E0000043E00000,
                              0x4330000000000000, 0x43E0000000000000, 0x41DFFFFFFFC00000, 0x3CA0000000000000};
  switch (random.below(5)) {
    case 0: return kSpecial[random.below(sizeof kSpecial / sizeof kSpecial[0])];
    case 1: {  // two floats near 1
      const u64 bits = random.next() & 0x8FFFFFFF8FFFFFFFull;
      return bits | 0x3800000038000000ull;
    }
    case 2: return (random.next() & 0x80FFFFFFFFFFFFFFull) | 0x3F00000000000000ull;
    default: return interesting(random);
  }
}

void fill_fp(Random& random, FpImage& image) {
  const auto put16 = [&](unsigned at, unsigned value) {
    image.bytes[at] = static_cast<u8>(value);
    image.bytes[at + 1] = static_cast<u8>(value >> 8);
  };
  put16(0, random.chance(92) ? 0x037Fu | (random.below(16) << 8) : 0x0040u | (random.below(0x1000) & 0xF3Fu));
  const unsigned top = random.below(8);
  put16(2, top << 11 | (random.below(2) << 8) | (random.below(2) << 10) | (random.below(2) << 14));
  image.bytes[4] = static_cast<u8>(random.chance(30) ? random.next() : 0xFF >> random.below(3));
  const u32 mxcsr = random.chance(92) ? 0x1F80u | (random.below(4) << 13) : random.below(0x10000);
  std::memcpy(image.bytes + 24, &mxcsr, 4);
  for (unsigned i = 0; i < 8; ++i) {
    u64 mantissa = interesting(random);
    u16 exponent = static_cast<u16>(random.next());
    switch (random.below(8)) {
      case 0: exponent = random.chance(50) ? 0x7FFF : 0xFFFF; break;
      case 1: exponent &= 0x8000; break;
      case 2: break;
      default: exponent = static_cast<u16>((exponent & 0x8000) | (0x3FFF - 40 + random.below(110)));
    }
    if (random.chance(90) && (exponent & 0x7FFF) != 0) mantissa |= 1ull << 63;
    if (random.chance(10)) {
      mantissa = random.chance(50) ? 0x8000000000000000 : 0;
      exponent &= 0x8000;
      if (mantissa != 0) exponent |= 0x3FFF;
    }
    std::memcpy(image.bytes + 32 + 16 * i, &mantissa, 8);
    std::memcpy(image.bytes + 32 + 16 * i + 8, &exponent, 2);
  }
  for (unsigned i = 0; i < 32; ++i) {
    const u64 value = floating(random);
    std::memcpy(image.bytes + 160 + 8 * i, &value, 8);
  }
}

}  // namespace

Family family_of(Op op) {
  if (op >= Op::MOVD || op == Op::LDMXCSR || op == Op::STMXCSR) return Family::kSse;
  return op >= Op::FADD ? Family::kX87 : Family::kInteger;
}

bool is_approximate(Op op) {
  return among(kApproximate, op);
}

Generator::Generator(const GeneratorOptions& options) : options_(options) {
  if (options.modes32) add_choices(false);
  if (options.modes64) add_choices(true);
}

bool Generator::allowed(Op op) const {
  if (op == Op::INVALID || op == Op::TOO_LONG || among(kExcluded, op)) return false;
  const Family family = family_of(op);
  if (family == Family::kInteger ? !options_.integer : family == Family::kX87 ? !options_.x87 : !options_.sse)
    return false;
  return options_.only.empty() || std::string(op_info(op).mnemonic).rfind(options_.only, 0) == 0;
}

// One choice per row: opcodes with many rows (memory and register, groups) come up more often.
void Generator::add_choices(bool long_mode) {
  std::vector<Choice>& choices = by_mode_[long_mode ? 1 : 0];
  for (unsigned i = 1; i < opcode::kRowCount; ++i) {
    const Row& row = opcode::kRows[i];
    if ((row.flags & (long_mode ? opcode::kNot64 : opcode::kOnly64)) != 0 || !allowed(row.op)) continue;
    if (row.table < Table::kFirstGroup) {
      choices.push_back({static_cast<u16>(i), 0});
      continue;
    }
    for (unsigned parent = 1; parent < opcode::kRowCount; ++parent) {
      const Row& candidate = opcode::kRows[parent];
      if (candidate.group != row.table) continue;
      if ((candidate.flags & (long_mode ? opcode::kNot64 : opcode::kOnly64)) != 0) continue;
      choices.push_back({static_cast<u16>(i), static_cast<u16>(parent)});
    }
  }
}

// False: try again.
bool Generator::make_piece(Random& random, bool long_mode, Piece& piece, Op& op) const {
  const std::vector<Choice>& choices = by_mode_[long_mode ? 1 : 0];
  const Choice& choice = choices[random.below(static_cast<unsigned>(choices.size()))];
  const Row& row = opcode::kRows[choice.row];
  if (!random.chance(keep_percent(row.op))) return false;
  Encoder encoder(random, long_mode, row, opcode::kRows[choice.parent]);
  encoder.encode(piece);
  Instruction in;
  const DecodeMode mode{.code_size = static_cast<u8>(long_mode ? 8 : 4), .flat = true};
  if (decode(piece.bytes, sizeof piece.bytes, mode, 0, in) != DecodeResult::kOk) return false;
  if (!allowed(in.op) && !(in.op == Op::INVALID && random.chance(keep_percent(in.op)))) return false;
  // Indirect branches go nowhere.
  if ((in.op == Op::JMP || in.op == Op::CALL) && in.form != Form::kJ && !random.chance(10)) return false;
  op = in.op;
  piece.length = in.length;
  if (in.form == Form::kJ) {
    piece.patch_size = encoder.branch_displacement_size(in);
    piece.skip = static_cast<u8>(random.below(4));
    // A taken branch with a 16-bit operand leaves the code page.
    if (in.operand_size == 2 && !random.chance(10)) return false;
  }
  // No reading of the code itself: what stands behind the sequence differs.
  if (in.base == kRipSlot && piece.rip_offset == 0) return false;
  if (in.base != kRipSlot) piece.rip_offset = 0;
  return true;
}

void Generator::fill_registers(Random& random, Sequence& sequence) {
  Registers& r = sequence.registers;
  for (unsigned i = 0; i < 16; ++i) {
    r.gpr[i] = is_pointer(i) ? data_pointer(random) : interesting(random);
    if (!sequence.long_mode) r.gpr[i] = i < 8 ? static_cast<u32>(r.gpr[i]) : 0;
  }
  if (random.chance(70)) r.gpr[kRcx] = random.below(40);
  if (random.chance(50)) r.gpr[kR15] = random.below(16);
  if (random.chance(70)) r.gpr[kRsp] &= ~7ull;
  r.rflags = 0x202 | (random.next() & 0x8D5);
  if (random.chance(10)) r.rflags |= rflags::kDf;
  if (random.chance(2)) r.rflags |= rflags::kAc;
  fill_fp(random, r.fp);
}

Sequence Generator::make(u64 seed) const {
  Random random(seed);
  Sequence sequence;
  sequence.seed = seed;
  sequence.long_mode = options_.modes64 && (!options_.modes32 || random.chance(60));
  // Now and then across the border of the two code pages.
  const u64 border = kCodeBase + kCodeSize / 2;
  sequence.start = random.chance(10) ? border - random.below(32) : kCodeBase + random.below(0xE00);
  fill_registers(random, sequence);
  const unsigned count = 1 + random.below(options_.max_pieces);
  while (sequence.pieces.size() < count) {
    Piece piece;
    Op op;
    if (!make_piece(random, sequence.long_mode, piece, op)) continue;
    sequence.pieces.push_back(piece);
    if (is_approximate(op)) break;
    if (options_.same_maker || !among(kUndefined, op)) continue;
    Piece compare;  // CMP AL, 5Ah
    compare.bytes[0] = 0x3C;
    compare.bytes[1] = 0x5A;
    compare.length = 2;
    sequence.pieces.push_back(compare);
  }
  return sequence;
}

void Generator::fill_memory(u64 seed, Memory& memory) {
  Random random(seed * 0x9E3779B97F4A7C15ull + 1);
  for (unsigned at = 0; at < kDataSize; at += 8) {
    u64 value;
    switch (random.below(4)) {
      case 0: value = floating(random); break;
      case 1: value = data_pointer(random); break;
      default: value = interesting(random);
    }
    std::memcpy(memory.bytes + at, &value, 8);
  }
}

}  // namespace lapwing::differential
