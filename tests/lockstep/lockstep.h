// One piece of user-mode code on two machines, the interpreter's and one with generated code, which must stay
// equal: registers, flags, memory, instruction counts, device accesses, TLB. Many pieces lie in the code
// pages at once, so that their regions share modules.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/differential/guest.h"
#include "wasm_jit/runtime/jit.h"

namespace lapwing::lockstep {

using differential::Guest;
using differential::Memory;
using differential::Random;
using differential::Sequence;

// Code in its slot of the code pages, and the kind of segments it runs in.
struct Piece {
  u64 address = 0;
  std::vector<u8> code;
  u8 code_size = 8;  // bytes: 8, 4, 2
  bool flat = true;  // outside 64-bit mode: segments with base 0 and no limit
  bool small_stack = false;
};

// Segments as `piece` wants them, in a state that starts in flat ones: those that are not flat lie where the
// pointers in registers go.
void adapt_segments(CpuState& s, const Piece& piece);

// How one run starts and goes.
struct Run {
  const Piece* piece = nullptr;
  const Memory* memory = nullptr;
  differential::Registers registers;
  u64 cr0_flipped = 0;
  u64 cr4_flipped = 0;
  u64 rflags_set = 0;
  u64 dr[8] = {};
  bool clean_pages = false;  // accessed and dirty bits clear, TLB empty
  u64 interrupt_at = ~0ull;  // instructions until one comes
  u64 slices = 0;            // seed of the lengths that the second machine runs in; 0 = in one go
  u64 limit = 300;
};

class Lockstep {
 public:
  Lockstep(const CpuModel& model, ModuleHost& host);
  ~Lockstep();

  // A fresh translator with these options, nothing generated yet.
  void begin(const JitOptions& options);
  void place(const Piece& piece);
  // Empty when both ended alike.
  std::string run(const Run& run);
  // Lets the translator compile what waits.
  void compile();
  // Whether everything is equal that run() does not look at: TLBs, page tables, all of RAM.
  bool deep_equal();
  // Takes the pieces out again.
  void end();
  const Jit& jit() const { return *jit_; }

 private:
  class Device;
  struct Side {
    std::unique_ptr<Device> device;
    std::unique_ptr<Guest> guest;
  };
  static Side make_side(const CpuModel& model);
  static void execute(Side& side, const Run& run, bool sliced);
  std::string difference() const;

  ModuleHost& host_;
  const CpuModel model_;
  Side interpreter_;
  Side generated_;
  std::unique_ptr<Jit> jit_;
  std::vector<Piece> placed_;
};

// A run as text, for reports.
std::string describe(const Run& run);

}  // namespace lapwing::lockstep
