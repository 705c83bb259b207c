// What the host CPU and the interpreter share in a differential test: addresses, the state that goes in and
// comes out.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "core/types.h"

namespace lapwing::differential {

// The same linear addresses on both sides, all below 4 GiB. What lies around them is not mapped in either.
constexpr u64 kCodeBase = 0x0B6D0000;  // user, read and execute
constexpr u64 kCodeSize = 0x2000;
constexpr u64 kDataBase = 0x20000000;  // user, read and write
constexpr u64 kDataSize = 0x2000;
constexpr u64 kConstantBase =
    kDataBase + 0x3000;  // user, read only; holds what the first data page held at the start
constexpr u64 kConstantSize = 0x1000;
// FS and GS bases in 64-bit mode.
constexpr u64 kFsBase = kDataBase + 0x400;
constexpr u64 kGsBase = kDataBase + 0x1400;

// What follows a sequence differs between the two sides; both clear it with the sequence, which a later one
// may read as data.
constexpr unsigned kTailSize = 8;

// Selectors as Linux has them.
constexpr u16 kCode32 = 0x23, kStack = 0x2B, kCode64 = 0x33;

constexpr u8 kNoVector = 0xFF;

// The FXSAVE image (SDM vol. 1, table "Layout of the 64-Bit Mode FXSAVE64 Map").
struct alignas(16) FpImage {
  u8 bytes[512] = {};
};

// Registers before or after.
struct Registers {
  u64 gpr[16] = {};
  u64 rflags = 0x202;
  u64 rip = 0;
  FpImage fp;
};

// How a run ended. kNoVector: at the end of the sequence.
struct Outcome {
  Registers registers;
  u8 vector = kNoVector;
  u32 error_code = 0;
  u64 cr2 = 0;
  bool finished = true;  // false: did not come to an end within the limit
};

struct Memory {
  u8 bytes[kDataSize];
};

// One instruction of a sequence, with what must be filled in once its place is known.
struct Piece {
  u8 bytes[16] = {};
  u8 length = 0;
  // A branch over the next `skip` pieces; its displacement is the last `patch_size` bytes.
  u8 skip = 0;
  u8 patch_size = 0;
  // RIP-relative operand: offset of the 32-bit displacement (0 = none) and the address it shall reach.
  u8 rip_offset = 0;
  u64 rip_target = 0;
};

struct Sequence {
  u64 seed = 0;
  bool long_mode = true;
  u64 start = kCodeBase;
  Registers registers;
  std::vector<Piece> pieces;
};

// The bytes of the sequence at its address, and a NOP: what follows it differs between the two sides, and
// POPF may have set TF.
inline std::vector<u8> assemble(const Sequence& sequence) {
  std::vector<u8> code;
  std::vector<std::size_t> ends;
  for (const Piece& piece : sequence.pieces) {
    code.insert(code.end(), piece.bytes, piece.bytes + piece.length);
    ends.push_back(code.size());
  }
  for (std::size_t i = 0; i < sequence.pieces.size(); ++i) {
    const Piece& piece = sequence.pieces[i];
    if (piece.patch_size != 0) {
      const std::size_t target = i + piece.skip < ends.size() ? ends[i + piece.skip] : ends.back();
      const u64 displacement = target - ends[i];
      std::memcpy(&code[ends[i] - piece.patch_size], &displacement, piece.patch_size);
    }
    if (piece.rip_offset != 0) {
      const u64 next = sequence.start + ends[i];
      const auto displacement = static_cast<u32>(piece.rip_target - next);
      std::memcpy(&code[ends[i] - piece.length + piece.rip_offset], &displacement, 4);
    }
  }
  code.push_back(0x90);
  return code;
}

// splitmix64.
class Random {
 public:
  explicit Random(u64 seed) : state_(seed) {}
  u64 next() {
    u64 z = (state_ += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }
  // 0 .. count - 1
  unsigned below(unsigned count) { return static_cast<unsigned>((next() >> 32) * count >> 32); }
  bool chance(unsigned percent) { return below(100) < percent; }

 private:
  u64 state_;
};

}  // namespace lapwing::differential
