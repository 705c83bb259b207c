// AES-NI and PCLMULQDQ (Intel SDM vol. 1, 12.13; vol. 2; FIPS 197 for the cipher).
#include "core/cpu/exec/handlers.h"
#include "core/cpu/exec/sse.h"

namespace lapwing {

namespace {

using namespace sse;
using State = Lanes<u8>;  // column by column: byte 4c + r is row r of column c

// Multiplication in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1.
constexpr u8 multiply_field(u8 a, u8 b) {
  u8 product = 0;
  for (int bit = 0; bit < 8; ++bit) {
    if ((b & 1) != 0) product = static_cast<u8>(product ^ a);
    a = static_cast<u8>((a << 1) ^ ((a & 0x80) != 0 ? 0x1B : 0));
    b = static_cast<u8>(b >> 1);
  }
  return product;
}

struct Tables {
  std::array<u8, 256> substitute{};
  std::array<u8, 256> inverse{};
};

// The S-box: the inverse in the field (found by walking powers of the generator 3), then the affine map.
constexpr Tables make_tables() {
  Tables tables;
  u8 power = 1;
  u8 inverse = 1;
  do {
    power = multiply_field(power, 3);
    inverse = multiply_field(inverse, 0xF6);  // 1/3
    const u8 mapped = static_cast<u8>(inverse ^ std::rotl(inverse, 1) ^ std::rotl(inverse, 2) ^
                                      std::rotl(inverse, 3) ^ std::rotl(inverse, 4) ^ 0x63);
    tables.substitute[power] = mapped;
    tables.inverse[mapped] = power;
  } while (power != 1);
  tables.substitute[0] = 0x63;
  tables.inverse[0x63] = 0;
  return tables;
}

constexpr Tables kTables = make_tables();

State substitute(State state, const std::array<u8, 256>& table) {
  for (u8& byte : state) byte = table[byte];
  return state;
}

// Row r rotates left by r columns (right for the inverse).
State shift_rows(const State& state, bool inverse) {
  State result;
  for (unsigned i = 0; i < 16; ++i) {
    const unsigned row = i % 4;
    const unsigned from = inverse ? i + 16 - 4 * row : i + 4 * row;
    result[i] = state[from % 16];
  }
  return result;
}

// The column that a byte of row 0 contributes; the other rows' are rotations of it.
constexpr std::array<u32, 256> make_columns(u8 row0, u8 row1, u8 row2, u8 row3) {
  std::array<u32, 256> columns{};
  for (unsigned value = 0; value < 256; ++value) {
    const u8 byte = static_cast<u8>(value);
    columns[value] = u32{multiply_field(byte, row0)} | u32{multiply_field(byte, row1)} << 8 |
                     u32{multiply_field(byte, row2)} << 16 | u32{multiply_field(byte, row3)} << 24;
  }
  return columns;
}

constexpr std::array<u32, 256> kMix = make_columns(2, 1, 1, 3);
constexpr std::array<u32, 256> kInverseMix = make_columns(14, 9, 13, 11);

State mix_columns(const State& state, const std::array<u32, 256>& columns) {
  Lanes<u32> result;
  for (unsigned c = 0; c < 4; ++c) {
    const u8* column = &state[4 * c];
    result[c] = columns[column[0]] ^ std::rotl(columns[column[1]], 8) ^ std::rotl(columns[column[2]], 16) ^
                std::rotl(columns[column[3]], 24);
  }
  return std::bit_cast<State>(result);
}

State add_key(State state, const State& key) {
  for (unsigned i = 0; i < 16; ++i) state[i] = static_cast<u8>(state[i] ^ key[i]);
  return state;
}

u32 substitute_word(u32 word) {
  u32 result = 0;
  for (unsigned shift = 0; shift < 32; shift += 8) {
    result |= u32{kTables.substitute[(word >> shift) & 0xFF]} << shift;
  }
  return result;
}

// The 128-bit product of two polynomials over GF(2).
XmmRegister multiply_carryless(u64 a, u64 b) {
  XmmRegister product{0, 0};
  for (unsigned bit = 0; bit < 64; ++bit) {
    if (!bit_of(b, bit)) continue;
    product.lo ^= a << bit;
    product.hi ^= bit == 0 ? 0 : a >> (64 - bit);
  }
  return product;
}

}  // namespace

bool exec_AESENC(Cpu& cpu, const Instruction& in) {
  return packed_xmm<u8>(cpu, in, [](const State& a, const State& key) {
    return add_key(mix_columns(substitute(shift_rows(a, false), kTables.substitute), kMix), key);
  });
}

bool exec_AESENCLAST(Cpu& cpu, const Instruction& in) {
  return packed_xmm<u8>(cpu, in, [](const State& a, const State& key) {
    return add_key(substitute(shift_rows(a, false), kTables.substitute), key);
  });
}

bool exec_AESDEC(Cpu& cpu, const Instruction& in) {
  return packed_xmm<u8>(cpu, in, [](const State& a, const State& key) {
    return add_key(mix_columns(substitute(shift_rows(a, true), kTables.inverse), kInverseMix), key);
  });
}

bool exec_AESDECLAST(Cpu& cpu, const Instruction& in) {
  return packed_xmm<u8>(cpu, in, [](const State& a, const State& key) {
    return add_key(substitute(shift_rows(a, true), kTables.inverse), key);
  });
}

bool exec_AESIMC(Cpu& cpu, const Instruction& in) {
  return packed_xmm<u8>(cpu, in, [](const State&, const State& b) { return mix_columns(b, kInverseMix); });
}

bool exec_AESKEYGENASSIST(Cpu& cpu, const Instruction& in) {
  return packed_xmm<u32>(cpu, in, [&](const auto&, const auto& b) {
    const u32 first = substitute_word(b[1]);
    const u32 second = substitute_word(b[3]);
    const u32 round_constant = static_cast<u32>(in.imm & 0xFF);
    return Lanes<u32>{first, std::rotr(first, 8) ^ round_constant, second,
                      std::rotr(second, 8) ^ round_constant};
  });
}

bool exec_PCLMULQDQ(Cpu& cpu, const Instruction& in) {
  return packed_xmm<u64>(cpu, in, [&](const auto& a, const auto& b) {
    return lanes<u64>(multiply_carryless(a[in.imm & 1], b[(in.imm >> 4) & 1]));
  });
}

}  // namespace lapwing
