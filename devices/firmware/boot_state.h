// What CPU 0 looks like when a direct boot hands over to the guest: plain data that the machine copies into
// the CPU. Every register that is not named here keeps its power-on value; segments ds, es, ss, fs and gs are
// all `data`.
#pragma once

#include <span>
#include <string>

#include "core/types.h"

namespace lapwing {

// A file that the user named, for loading and for messages.
struct BootFile {
  std::string name;
  std::span<const u8> data;
};

// One flat segment: selector and descriptor cache (SDM vol. 3, "Segment Descriptors").
struct BootSegment {
  u16 selector = 0;
  u64 base = 0;
  u32 limit = 0xFFFFFFFF;  // in bytes, after granularity
  u8 access = 0;           // P, DPL, S, type: descriptor bits 40-47
  bool long_mode = false;  // L
  bool big = false;        // D/B
};

struct BootTable {
  u64 base = 0;
  u16 limit = 0;
};

struct BootState {
  bool long_mode = false;  // 64-bit code; otherwise 32-bit protected mode without paging
  u64 rip = 0;
  u64 rsp = 0;
  u64 rax = 0;
  u64 rbx = 0;
  u64 rcx = 0;
  u64 rdx = 0;
  u64 rsi = 0;
  u64 rdi = 0;
  u64 rbp = 0;
  u64 rflags = 0x2;  // interrupts off
  u64 cr0 = 0;
  u64 cr3 = 0;
  u64 cr4 = 0;
  u64 efer = 0;
  BootTable gdt;
  BootTable idt;
  BootSegment cs;
  BootSegment data;
};

// Architectural bits that a boot state is made of.
constexpr u64 kBootCr0Pe = 1ull << 0;
constexpr u64 kBootCr0Et = 1ull << 4;
constexpr u64 kBootCr0Pg = 1ull << 31;
constexpr u64 kBootCr4Pae = 1ull << 5;
constexpr u64 kBootEferLme = 1ull << 8;
constexpr u64 kBootEferLma = 1ull << 10;

constexpr u8 kBootCodeAccess = 0x9B;  // present, ring 0, execute/read, accessed
constexpr u8 kBootDataAccess = 0x93;  // present, ring 0, read/write, accessed

}  // namespace lapwing
