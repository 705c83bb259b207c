#include "core/cpu/decode/decoder.h"

#include <cstring>
#include <memory>
#include <vector>

#include "core/cpu/decode/op_info.h"
#include "tests/unit/catch.h"

using namespace lapwing;

namespace {

constexpr DecodeMode k64{8, true}, k32{4, true}, k16{2, false}, k32Segmented{4, false};

Instruction decode_bytes(std::vector<u8> bytes, DecodeMode mode, u16 offset = 0) {
  Instruction in;
  REQUIRE(decode(bytes.data(), static_cast<unsigned>(bytes.size()), mode, offset, in) == DecodeResult::kOk);
  return in;
}

// xorshift64: the same bytes everywhere.
class Random {
 public:
  u8 byte() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<u8>(state_ >> 32);
  }

 private:
  u64 state_ = 0x9E3779B97F4A7C15;
};

// Random bytes, often after prefixes and escapes, so that deep paths are reached.
std::vector<u8> random_instruction(Random& random) {
  constexpr u8 kStarts[] = {0x66, 0x67, 0xF0, 0xF2, 0xF3, 0x48, 0x41, 0x64, 0x0F, 0xC4, 0xC5, 0x36};
  std::vector<u8> bytes(40);
  for (u8& byte : bytes) byte = random.byte();
  const unsigned prefixes = random.byte() % 5;
  for (unsigned i = 0; i < prefixes; ++i) bytes[i] = kStarts[random.byte() % sizeof(kStarts)];
  if (random.byte() < 8) std::memset(bytes.data(), 0x66, random.byte() % 17);
  return bytes;
}

bool same(const Instruction& a, const Instruction& b) {
  return std::memcmp(&a, &b, sizeof(a)) == 0;
}

// Decodes from a buffer of exactly `available` bytes, so that the address sanitizer sees a byte too far.
DecodeResult decode_exact(const std::vector<u8>& bytes, unsigned available, DecodeMode mode,
                          Instruction& out) {
  const std::unique_ptr<u8[]> copy(new u8[available]);
  std::memcpy(copy.get(), bytes.data(), available);
  return decode(copy.get(), available, mode, 0, out);
}

void check_truncation(const std::vector<u8>& bytes, DecodeMode mode) {
  Instruction whole;
  REQUIRE(decode(bytes.data(), static_cast<unsigned>(bytes.size()), mode, 0, whole) == DecodeResult::kOk);
  REQUIRE(whole.length >= 1);
  REQUIRE(whole.length <= kMaxInstructionLength);
  for (unsigned available = 0; available <= kMaxInstructionLength + 2; ++available) {
    Instruction part;
    const bool enough = available >= whole.length;
    REQUIRE((decode_exact(bytes, available, mode, part) == DecodeResult::kOk) == enough);
    if (enough) REQUIRE(same(part, whole));
  }
}

}  // namespace

TEST_CASE("decoding asks for more exactly while bytes of the instruction are missing") {
  Random random;
  for (int round = 0; round < 20000; ++round) {
    const std::vector<u8> bytes = random_instruction(random);
    for (DecodeMode mode : {k64, k32, k16}) check_truncation(bytes, mode);
  }
}

TEST_CASE("register and memory operands of decoded instructions are in range") {
  Random random;
  for (int round = 0; round < 100000; ++round) {
    const std::vector<u8> bytes = random_instruction(random);
    for (DecodeMode mode : {k64, k32, k32Segmented, k16}) {
      Instruction in;
      decode(bytes.data(), static_cast<unsigned>(bytes.size()), mode, 0, in);
      REQUIRE(in.op < Op::kCount);
      REQUIRE(in.base < kGprSlots);
      REQUIRE(in.index < kRipSlot);
      REQUIRE(in.scale < 4);
      REQUIRE(in.reg < 128);
      REQUIRE((in.rm_is_memory() || in.rm < 128));
      REQUIRE(in.segment <= kFlatStack);
      if (mode.code_size != 8) REQUIRE((in.base == kZeroSlot || in.base < kR8));
    }
  }
}

TEST_CASE("targets and RIP-relative displacements count from the block's first byte") {
  const Instruction jump = decode_bytes({0xEB, 0xFE}, k64, 0x20);
  CHECK(jump.imm == 0x20);
  CHECK(jump.offset == 0x20);
  CHECK(jump.length == 2);
  CHECK(decode_bytes({0xE8, 0x00, 0x01, 0, 0}, k32, 0x10).imm == 0x115);
  const Instruction load = decode_bytes({0x48, 0x8B, 0x05, 0x10, 0, 0, 0}, k64, 0x30);
  CHECK(load.base == kRipSlot);
  CHECK(load.disp == 0x10 + 0x30 + 7);
  const Instruction with_immediate = decode_bytes({0x83, 0x3D, 0x10, 0, 0, 0, 1}, k64);
  CHECK(with_immediate.disp == 0x10 + 7);
  CHECK(decode_bytes({0x8B, 0x05, 0x10, 0, 0, 0}, k32).base == kZeroSlot);
}

TEST_CASE("segments are resolved to flat ones where no check is needed") {
  CHECK(decode_bytes({0x8B, 0x03}, k64).segment == kFlat);
  CHECK(decode_bytes({0x8B, 0x45, 0}, k64).segment == kFlatStack);
  CHECK(decode_bytes({0x41, 0x8B, 0x45, 0}, k64).segment == kFlat);
  CHECK(decode_bytes({0x36, 0x8B, 0x03}, k64).segment == kFlat);
  CHECK(decode_bytes({0x65, 0x3E, 0x8B, 0x03}, k64).segment == kGs);
  CHECK(decode_bytes({0x36, 0x8B, 0x03}, k32).segment == kFlatStack);
  CHECK(decode_bytes({0x2E, 0x8B, 0x03}, k32).segment == kCs);
  CHECK(decode_bytes({0x26, 0x64, 0x8B, 0x03}, k32).segment == kFs);
  CHECK(decode_bytes({0x8B, 0x03}, k32Segmented).segment == kDs);
  CHECK(decode_bytes({0x8B, 0x04, 0x24}, k32Segmented).segment == kSs);
  CHECK(decode_bytes({0x8B, 0x02}, k16).segment == kSs);
  CHECK(decode_bytes({0x8B, 0x06, 0, 0}, k16).segment == kDs);
  const Instruction copy = decode_bytes({0x2E, 0xA4}, k16);
  CHECK(copy.segment == kCs);
  CHECK(copy.reg == kEs);
  CHECK(decode_bytes({0xA4}, k64).reg == kFlat);
  CHECK(decode_bytes({0x64, 0x0F, 0xF7, 0xC1}, k64).segment == kFs);
}

TEST_CASE("general registers are byte offsets and the high bytes need no REX") {
  CHECK(decode_bytes({0x88, 0xE0}, k64).reg == 8 * kRax + 1);
  CHECK(decode_bytes({0x40, 0x88, 0xE0}, k64).reg == 8 * kRsp);
  CHECK(decode_bytes({0x0F, 0xB6, 0xC7}, k32).rm == 8 * kRbx + 1);
  CHECK(decode_bytes({0x0F, 0xB6, 0xC7}, k32).reg == 8 * kRax);
  CHECK(decode_bytes({0x45, 0x89, 0xF8}, k64).rm == 8 * kR8);
  CHECK(decode_bytes({0x66, 0x0F, 0x3A, 0x14, 0xE5, 1}, k64).rm == 8 * kRbp);
  const Instruction andn = decode_bytes({0xC4, 0xE2, 0x60, 0xF2, 0xCA}, k64);
  CHECK(andn.op == Op::ANDN);
  CHECK(andn.form == Form::kRVM);
  CHECK(andn.vex == 8 * kRbx);
}

TEST_CASE("an absolute address that fits a displacement is an ordinary memory operand") {
  const Instruction near = decode_bytes({0xA1, 0x44, 0x33, 0x22, 0x81}, k32);
  CHECK(near.form == Form::kRM);
  CHECK(near.rm_is_memory());
  CHECK(static_cast<u32>(near.disp) == 0x81223344);
  CHECK(decode_bytes({0xA3, 0, 0, 0, 0x80, 0xFF, 0xFF, 0xFF, 0xFF}, k64).form == Form::kMR);
  const Instruction far = decode_bytes({0xA3, 0, 0, 0, 0x80, 0, 0, 0, 0}, k64);
  CHECK(far.form == Form::kMoffsStore);
  CHECK(far.imm == 0x80000000);
}

TEST_CASE("immediates are extended as the manual says") {
  CHECK(decode_bytes({0x48, 0x83, 0xEC, 0x80}, k64).imm == ~u64{0x7F});
  CHECK(decode_bytes({0x48, 0x81, 0xC0, 0, 0, 0, 0x80}, k64).imm == 0xFFFFFFFF80000000);
  CHECK(decode_bytes({0x48, 0xB8, 0, 0, 0, 0x80, 0, 0, 0, 0}, k64).imm == 0x80000000);
  CHECK(decode_bytes({0xC1, 0xE0, 0xFF}, k64).imm == 0xFF);
  CHECK(decode_bytes({0xC2, 0xFF, 0xFF}, k32).imm == 0xFFFF);
  CHECK(decode_bytes({0xC8, 0x34, 0x12, 0x05}, k32).imm == 0x51234);
  CHECK(decode_bytes({0xD8, 0xC1}, k64).imm == 0x0C1);
  CHECK(decode_bytes({0xDF, 0x2B}, k64).imm == 0x72B);
}

TEST_CASE("rules that depend on the mode or on prefixes") {
  CHECK(decode_bytes({0x66, 0xE8, 0, 0, 0, 0}, k64).operand_size == 8);
  CHECK(decode_bytes({0x66, 0xE8, 0, 0}, k32).operand_size == 2);
  CHECK(decode_bytes({0x63, 0xC3}, k64).op == Op::MOVSXD);
  CHECK(decode_bytes({0x63, 0xC3}, k32).op == Op::ARPL);
  CHECK(decode_bytes({0xC5, 0x03}, k32).op == Op::LDS);
  CHECK(decode_bytes({0x82, 0xC0, 1}, k32).op == Op::ADD);
  CHECK(decode_bytes({0x82, 0xC0, 1}, k64).op == Op::INVALID);
  CHECK(decode_bytes({0xF0, 0x01, 0x03}, k64).op == Op::ADD);
  CHECK(decode_bytes({0xF0, 0x01, 0xC3}, k64).op == Op::INVALID);
  CHECK(decode_bytes({0x8E, 0xC8}, k32).op == Op::INVALID);
  CHECK(decode_bytes({0x0F, 0x20, 0x03}, k64).rm == 8 * kRbx);
  CHECK(decode_bytes({0x48, 0x0F, 0xC7, 0x0B}, k64).op == Op::CMPXCHG16B);
  const Instruction long_one = decode_bytes(std::vector<u8>(15, 0x66), k64);
  CHECK(long_one.op == Op::TOO_LONG);
  CHECK(long_one.length == 15);
}

TEST_CASE("flags that an operation reads follow its condition") {
  CHECK(flags_read(decode_bytes({0x74, 0}, k64)) == kStatusZ);
  CHECK(flags_read(decode_bytes({0x0F, 0x9F, 0xC0}, k64)) == (kStatusZ | kStatusS | kStatusO));
  CHECK(flags_read(decode_bytes({0x11, 0xC0}, k64)) == kStatusC);
  CHECK(ends_block(decode_bytes({0xF3, 0xA4}, k64)));
  CHECK(!ends_block(decode_bytes({0xA4}, k64)));
}
