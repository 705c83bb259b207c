// Random integer instructions that mostly stay within a data area, for tests of the translator.
#pragma once

#include <random>
#include <vector>

#include "core/cpu/decode/decoder.h"
#include "wasm_jit/frontend/translator.h"

namespace lapwing::test {

class RandomCode {
 public:
  static constexpr u64 kCode = 0x1000, kData = 0x200000, kDataSize = 0x8000;

  RandomCode(u32 seed, bool code64) : random_(seed), code64_(code64) {}

  u32 number(u32 below) { return static_cast<u32>(random_() % below); }
  u64 wide() { return (u64{static_cast<u32>(random_())} << 32) | static_cast<u32>(random_()); }
  // Values with many carries and sign changes.
  u64 interesting() {
    switch (number(6)) {
      case 0: return number(4);
      case 1: return ~u64{number(4)};
      case 2: return 1ull << number(64);
      case 3: return kData + 0x1000 + number(0x4000);
      default: return wide();
    }
  }

  // `count` instructions, with conditional jumps between them, and a HLT.
  std::vector<u8> program(unsigned count) {
    std::vector<u8> code;
    std::vector<std::size_t> starts, jumps;
    for (unsigned i = 0; i < count; ++i) {
      starts.push_back(code.size());
      if (number(8) == 0) {
        jumps.push_back(code.size());
        const u8 jcc = static_cast<u8>(0x80 | number(16));
        code.insert(code.end(), {0x0F, jcc, 0, 0, 0, 0});
      } else {
        const std::vector<u8> in = instruction(kCode + code.size());
        code.insert(code.end(), in.begin(), in.end());
      }
    }
    for (const std::size_t jump : jumps) {
      const auto distance = static_cast<u32>(starts[number(count)] - (jump + 6));
      for (unsigned i = 0; i < 4; ++i) code[jump + 2 + i] = static_cast<u8>(distance >> (8 * i));
    }
    code.push_back(0xF4);
    return code;
  }

  std::vector<u8> instruction(u64 address) {
    for (;;) {
      std::vector<u8> bytes = attempt();
      bytes.resize(bytes.size() + 8);
      for (std::size_t i = bytes.size() - 8; i < bytes.size(); ++i) bytes[i] = static_cast<u8>(number(256));
      Instruction in;
      const DecodeMode mode{.code_size = static_cast<u8>(code64_ ? 8 : 4), .flat = true};
      bytes.resize(40);
      if (decode(bytes.data(), 40, mode, 0, in) != DecodeResult::kOk) continue;
      if (jit::family_of(in.op) == nullptr || ends_block(in)) continue;
      bytes.resize(in.length);
      if (displacement_ != 0) {
        u64 target = kData + number(kDataSize);
        if (code64_) target -= address + in.length;
        for (unsigned i = 0; i < 4; ++i) bytes[displacement_ + i] = static_cast<u8>(target >> (8 * i));
      }
      return bytes;
    }
  }

 private:
  static bool ends_block(const Instruction& in) {
    return in.op == Op::JMP || in.form == Form::kJ || in.op == Op::CALL || in.op == Op::RET;
  }

  void operand(std::vector<u8>& out) {
    const u8 reg = static_cast<u8>(number(8) << 3);
    displacement_ = 0;
    switch (number(6)) {
      case 0:
      case 1:
      case 2: out.push_back(static_cast<u8>(0xC0 | reg | number(8))); break;
      case 3:
      case 4:
        out.push_back(static_cast<u8>(reg | 5));
        displacement_ = out.size();
        out.insert(out.end(), {0, 0, 0, 0});
        break;
      default: {
        static constexpr u8 kBases[] = {3, 5, 6, 7};
        out.push_back(static_cast<u8>(0x40 | reg | kBases[number(4)]));
        out.push_back(static_cast<u8>(number(256)));
      }
    }
  }

  std::vector<u8> attempt() {
    std::vector<u8> out;
    if (number(6) == 0) out.push_back(0x66);
    static constexpr u8 kTwoByte[] = {0xA3, 0xAB, 0xB3, 0xBB, 0xBA, 0xA4, 0xA5, 0xAC, 0xAD, 0xAF, 0xB0,
                                      0xB1, 0xB6, 0xB7, 0xBE, 0xBF, 0xBC, 0xBD, 0xC0, 0xC1, 0xB8};
    static constexpr u8 kPlain[] = {0x50, 0x51, 0x58, 0x5B, 0x91, 0x98, 0x99, 0xB0, 0xB4, 0xBA, 0xF5,
                                    0xF8, 0xF9, 0xA8, 0xA9, 0x04, 0x15, 0x2D, 0x6A, 0x68, 0x40, 0x4B};
    static constexpr u8 kModRm[] = {0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8B, 0x63,
                                    0x69, 0x6B, 0x80, 0x81, 0x83, 0xC0, 0xC1, 0xD0, 0xD1,
                                    0xD2, 0xD3, 0xF6, 0xF7, 0xFE, 0xFF, 0xC6, 0xC7, 0x8D};
    const auto pick = [&](const auto& list) { return list[number(sizeof list)]; };
    const u32 kind = number(10);
    const u8 two =
        number(3) == 0 ? static_cast<u8>((number(2) != 0 ? 0x40 : 0x90) + number(16)) : pick(kTwoByte);
    if (kind >= 6 && kind < 8 && (two == 0xB8 || number(8) == 0)) out.push_back(0xF3);
    if (code64_ && number(2) == 0) out.push_back(static_cast<u8>(0x40 | number(16)));
    displacement_ = 0;
    if (kind < 3) {
      out.push_back(static_cast<u8>(number(8) << 3 | number(4)));
      operand(out);
    } else if (kind < 6) {
      out.push_back(pick(kModRm));
      operand(out);
    } else if (kind < 8) {
      out.push_back(0x0F);
      out.push_back(two);
      operand(out);
    } else if (kind == 8) {
      out.push_back(pick(kPlain));
    } else {
      out.push_back(0x0F);
      out.push_back(static_cast<u8>(0xC8 + number(8)));
    }
    return out;
  }

  std::mt19937 random_;
  bool code64_;
  std::size_t displacement_ = 0;
};

}  // namespace lapwing::test
