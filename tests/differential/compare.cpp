#include "tests/differential/compare.h"

#include <bit>
#include <cinttypes>
#include <cmath>
#include <cstdarg>
#include <cstdio>

#include "core/cpu/decode/decoder.h"
#include "core/cpu/decode/disassembler.h"
#include "core/cpu/decode/op_info.h"
#include "tests/differential/generator.h"

namespace lapwing::differential {

namespace {

constexpr const char* kNames[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                    "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

// Compared in RFLAGS: the status flags, TF, DF, NT, AC, ID.
constexpr u64 kComparedFlags = 0x244FD5;

__attribute__((format(printf, 2, 3))) void add(std::string& text, const char* format, ...) {
  char line[256];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  text += line;
}

struct Half {
  u64 low;
  u64 high;
};

Half half_at(const FpImage& image, unsigned at, unsigned size) {
  Half value{};
  std::memcpy(&value, image.bytes + at, size);
  return value;
}

// At most one unit in the last place apart, also across a power of two.
bool next_to(const Half& a, const Half& b) {
  const Half& smaller = a.high < b.high ? a : b;
  const Half& larger = a.high < b.high ? b : a;
  if (a.high == b.high) return a.low - b.low + 1 <= 2;
  return larger.high == smaller.high + 1 && smaller.low == ~0ull && larger.low == 1ull << 63;
}

// Each float within the bound of RCPPS from the true value, so twice that apart.
bool lanes_close(u64 a, u64 b) {
  for (unsigned lane = 0; lane < 2; ++lane) {
    const float x = std::bit_cast<float>(static_cast<u32>(a >> (32 * lane)));
    const float y = std::bit_cast<float>(static_cast<u32>(b >> (32 * lane)));
    if (std::bit_cast<u32>(x) == std::bit_cast<u32>(y)) continue;
    constexpr float kBound = 2 * 1.5f / 4096;
    constexpr float kTiny = 1.001f * 0x1p-126f;  // may be flushed to zero
    if (std::fabs(x) <= kTiny && std::fabs(y) <= kTiny && std::signbit(x) == std::signbit(y)) continue;
    if (!(std::fabs(x - y) <= kBound * std::fabs(x))) return false;
  }
  return true;
}

void compare_fp(const FpImage& host, const FpImage& guest, bool approximate, std::string& text) {
  constexpr u64 kC1 = 0x200;  // rounding direction
  const auto field = [&](const char* name, unsigned at, unsigned size, u64 ignored = 0) {
    const u64 a = half_at(host, at, size).low & ~ignored;
    const u64 b = half_at(guest, at, size).low & ~ignored;
    if (a != b) add(text, "  %s: host %" PRIx64 " here %" PRIx64 "\n", name, a, b);
  };
  field("fcw", 0, 2);
  field("fsw", 2, 2, approximate ? kC1 : 0);
  field("ftw", 4, 1);
  field("mxcsr", 24, 4);
  const auto row = [&](const char* name, unsigned number, unsigned at, unsigned size) {
    const Half a = half_at(host, at, size);
    const Half b = half_at(guest, at, size);
    if (a.low == b.low && a.high == b.high) return;
    if (approximate &&
        (size == 10 ? next_to(a, b) : lanes_close(a.low, b.low) && lanes_close(a.high, b.high)))
      return;
    add(text, "  %s%u: host %016" PRIx64 ":%016" PRIx64 " here %016" PRIx64 ":%016" PRIx64 "\n", name, number,
        a.high, a.low, b.high, b.low);
  };
  for (unsigned i = 0; i < 8; ++i) row("st", i, 32 + 16 * i, 10);
  for (unsigned i = 0; i < 16; ++i) row("xmm", i, 160 + 16 * i, 16);
}

Instruction last_instruction(const Sequence& sequence) {
  const DecodeMode mode{.code_size = static_cast<u8>(sequence.long_mode ? 8 : 4), .flat = true};
  Instruction in;
  decode(sequence.pieces.back().bytes, sizeof sequence.pieces.back().bytes, mode, 0, in);
  return in;
}

}  // namespace

std::string compare(const Sequence& sequence, const Outcome& host, const Memory& host_memory,
                    const Outcome& guest, const Memory& guest_memory, bool strict) {
  std::string text;
  if (host.vector != guest.vector) add(text, "  vector: host %d here %d\n", host.vector, guest.vector);
  if (host.registers.rip != guest.registers.rip) {
    add(text, "  rip: host %" PRIx64 " here %" PRIx64 "\n", host.registers.rip, guest.registers.rip);
  }
  if (strict && host.vector == guest.vector && host.vector == 14) {
    if (host.cr2 != guest.cr2) add(text, "  cr2: host %" PRIx64 " here %" PRIx64 "\n", host.cr2, guest.cr2);
    // For addresses above the user's Linux always reports "present".
    const u32 hidden = host.cr2 >= 0x7FFFFFFFF000 ? 1 : 0;
    if ((host.error_code | hidden) != (guest.error_code | hidden)) {
      add(text, "  error code: host %x here %x, cr2 %" PRIx64 "\n", host.error_code, guest.error_code,
          host.cr2);
    }
  }
  // The upper halves and R8-R15 are not defined after 32-bit code.
  const u64 mask = sequence.long_mode ? ~0ull : 0xFFFFFFFF;
  for (unsigned i = 0; i < (sequence.long_mode ? 16u : 8u); ++i) {
    const u64 a = host.registers.gpr[i] & mask;
    const u64 b = guest.registers.gpr[i] & mask;
    if (a != b) add(text, "  %s: host %016" PRIx64 " here %016" PRIx64 "\n", kNames[i], a, b);
  }
  if (!strict) return text;
  const u64 host_flags = host.registers.rflags & kComparedFlags;
  const u64 guest_flags = guest.registers.rflags & kComparedFlags;
  if (host_flags != guest_flags)
    add(text, "  rflags: host %" PRIx64 " here %" PRIx64 "\n", host_flags, guest_flags);
  compare_fp(host.registers.fp, guest.registers.fp, is_approximate(last_instruction(sequence).op), text);
  if (std::memcmp(host_memory.bytes, guest_memory.bytes, kDataSize) != 0) {
    unsigned shown = 0;
    for (unsigned at = 0; at < kDataSize && shown < 8; ++at) {
      if (host_memory.bytes[at] == guest_memory.bytes[at]) continue;
      ++shown;
      add(text, "  [%08" PRIx64 "]: host %02x here %02x\n", kDataBase + at, host_memory.bytes[at],
          guest_memory.bytes[at]);
    }
  }
  return text;
}

std::string describe(const Sequence& sequence) {
  std::string text;
  const Registers& r = sequence.registers;
  add(text, "%d-bit, rflags %" PRIx64 ", fcw %02x%02x fsw %02x%02x mxcsr %02x%02x\n",
      sequence.long_mode ? 64 : 32, r.rflags, r.fp.bytes[1], r.fp.bytes[0], r.fp.bytes[3], r.fp.bytes[2],
      r.fp.bytes[25], r.fp.bytes[24]);
  for (unsigned i = 0; i < (sequence.long_mode ? 16u : 8u); ++i) {
    add(text, "  %s %016" PRIx64 "%s", kNames[i], r.gpr[i], i % 4 == 3 ? "\n" : "");
  }
  const std::vector<u8> code = assemble(sequence);
  std::size_t at = 0;
  for (const Piece& piece : sequence.pieces) {
    Instruction in;
    const DecodeMode mode{.code_size = static_cast<u8>(sequence.long_mode ? 8 : 4), .flat = true};
    decode(code.data() + at, static_cast<unsigned>(code.size() - at), mode, 0, in);
    add(text, "  %08" PRIx64 "  ", sequence.start + at);
    for (unsigned i = 0; i < piece.length; ++i) add(text, "%02x ", code[at + i]);
    add(text, "  %s\n", disassemble(in, sequence.start + at).c_str());
    at += piece.length;
  }
  return text;
}

std::string last_mnemonic(const Sequence& sequence) {
  return op_info(last_instruction(sequence).op).mnemonic;
}

}  // namespace lapwing::differential
