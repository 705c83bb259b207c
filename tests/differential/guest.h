// Runs a sequence in the interpreter: one CPU at privilege level 3 in long mode (64-bit code, or 32-bit code
// in compatibility mode) under page tables that map what the host maps. Exceptions are delivered for real,
// through an IDT whose handlers halt. run() does all of it; the steps apart are for tests that run one piece
// of code many times, or with generated code.
#pragma once

#include <memory>
#include <span>

#include "core/cpu/cpu.h"
#include "tests/differential/layout.h"

namespace lapwing::differential {

class Guest {
 public:
  explicit Guest(const CpuModel& model);
  ~Guest();
  Outcome run(const Sequence& sequence, const std::vector<u8>& code, Memory& memory);

  // Puts code at `address`, within the code pages, and what `run` puts behind it: a breakpoint.
  void place(u64 address, std::span<const u8> code);
  void clear(u64 address, std::size_t code_size);
  static u64 code_physical(u64 address);
  // Registers and memory of the sequence's start.
  void start(const Sequence& sequence, const Memory& memory);
  // Until an exception's handler halts.
  void go();
  Outcome outcome(const Sequence& sequence, std::size_t code_size) const;
  Cpu& cpu();
  Clock& clock();
  BlockCache& blocks();
  u8* data();  // kDataSize bytes
  std::span<const u8> ram() const;
  // The data pages count as never accessed; their translations are forgotten.
  void clear_used_bits();
  // The read-only page becomes a device's registers.
  void map_device(MmioDevice& device);
  static constexpr u8 kInterruptVector = 31;  // what set_intr(true) delivers, once

 private:
  struct Parts;
  void build_tables();
  void build_state();
  void put(u64 physical, u64 value);
  void load_registers(const Sequence& sequence);

  std::unique_ptr<Parts> parts_;
  CpuState start_;
};

// The x87 and SSE state as an FXSAVE image, and back.
void store_image(const CpuState& state, FpImage& image);
void load_image(const FpImage& image, CpuState& state);

}  // namespace lapwing::differential
