// Runs a sequence in the interpreter: one CPU at privilege level 3 in long mode (64-bit code, or 32-bit code
// in compatibility mode) under page tables that map what the host maps. Exceptions are delivered for real,
// through an IDT whose handlers halt.
#pragma once

#include <memory>

#include "core/cpu/cpu.h"
#include "tests/differential/layout.h"

namespace lapwing::differential {

class Guest {
 public:
  explicit Guest(const CpuModel& model);
  ~Guest();
  Outcome run(const Sequence& sequence, const std::vector<u8>& code, Memory& memory);

 private:
  struct Parts;
  void build_tables();
  void build_state();
  void put(u64 physical, u64 value);
  void load_registers(const Sequence& sequence);
  Outcome read_outcome(const Sequence& sequence, std::size_t code_size) const;

  std::unique_ptr<Parts> parts_;
  CpuState start_;
};

// The x87 and SSE state as an FXSAVE image, and back.
void store_image(const CpuState& state, FpImage& image);
void load_image(const FpImage& image, CpuState& state);

}  // namespace lapwing::differential
