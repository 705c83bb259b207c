// The engine behind accel=jit: chooses regions by how often blocks are entered, has them translated in
// batches, runs their functions and goes from one to the next without leaving this loop. The interpreter does
// whatever generated code leaves to it. Nothing here is machine state: the same run with any options gives
// the same machine.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/result.h"
#include "wasm_jit/runtime/code_cache.h"

namespace lapwing {

struct JitOptions {
  i32 threshold = 12'000;         // entries until a block is hot
  unsigned batch = 16;            // regions collected before they are compiled together
  u64 batch_instructions = 1500;  // ... or so many instructions, which bounds the pause
  u64 patience = 500'000;         // ... or instructions since the first of them became hot
  RegionLimits limits;
  i64 regrow = 800'000;  // exits to other code, after which a large region is grown from where they go
  i64 indirect = 16;     // exits that one by an indirect jump or call counts for besides
  u32 sample = 16;       // one of so many of them is noted
  u32 straddles = 2000;  // failed checks of spans, after which a region is translated without them
  RegionLimits large{.blocks = 80, .instructions = 600, .entries = 48, .indirect = true, .share = 1'000'000};
  u64 max_bytes = 24u << 20;  // of live modules; beyond, the oldest go
  u32 max_modules = 4000;
  u64 max_instructions = 400'000;  // copied into live regions
  u32 list = 0;  // Listing's parts: what to keep as text, for take_listing() and last_region()
};

// "name=value,name=value..."
Result<JitOptions> parse_jit_options(std::string_view text);

class Jit final : public GeneratedCode {
 public:
  Jit(ModuleHost& host, BlockCache& blocks, const CpuModel& model, const JitOptions& options);
  ~Jit() override;

  GeneratedEnd run(Cpu& cpu, Block& block) override;
  void hot(Cpu& cpu, Block& block) override;
  i32 threshold(u64 physical) const override;
  void invalidate(u64 begin, u64 end) override;
  void flush() override;
  std::string statistics() const override;
  // Between two runs of the machine: compiles what has waited long enough, frees what was dropped.
  void tick(u64 instructions);
  // With options.list: the text of what was translated since the last call; the region that ran last, with
  // the registers at its entry.
  std::string take_listing() { return std::exchange(listing_, {}); }
  std::string last_region() const;
  // Why there is no generated code although it was asked for; empty when there is.
  const std::string& refusal() const { return refusal_; }

 private:
  void reattach();
  void regrow(Cpu& cpu, Region& left, Block& block);
  void note_target(const Cpu& cpu, Region& region, u64 entry_rip, u32 block);
  void wait(const Cpu& cpu, Region& region);
  bool add_entry(const Cpu& cpu, const Block& block);
  void note_span(const Cpu& cpu, Region& region, u32 block);
  Block* next_block(Cpu& cpu);
  Block* successor(Cpu& cpu, Region& region, u64 entry_rip, Region::Successor& known);
  bool run_last(Cpu& cpu, GeneratedEnd& end);
  GeneratedEnd at_instruction(Cpu& cpu, Region& region, u64 entry_rip, u32 block, u32 index);
  void note_entry(const Region& region, const CpuState& state);
  static bool is_valid(const Cpu& cpu, const Block* block);
  void compile_waiting();
  void make_room();
  std::string interpreted_operations() const;
  static bool suits(const Cpu& cpu);
  GeneratedEnd run_regions(Cpu& cpu, Block& first);
  u32 enter(u32 slot, CpuState& state);

  static constexpr unsigned kFrontEntries = 4096;
  static unsigned front_slot(u64 physical) {
    return static_cast<unsigned>(physical ^ (physical >> 12)) & (kFrontEntries - 1);
  }

  ModuleHost& host_;
  BlockCache& blocks_;
  const CpuModel& model_;
  JitOptions options_;
  Thresholds thresholds_;
  CodeCache cache_;
  TargetProfile profile_;
  u32 indirect_exits_ = 0;
  std::vector<Region*> waiting_;
  u64 flushes_ = 0;
  struct Place {
    u64 physical;
    u32 mode;
  };
  std::vector<Place> returning_;
  u64 waiting_since_ = 0;  // instructions retired when the first of them came
  // Front of the block cache for indirect jumps: by physical address, checked before use.
  std::vector<Block*> front_;
  std::string refusal_;
  std::string listing_;
  struct Entry {
    CpuState state;
    std::string region;
  };
  Entry last_;

  static constexpr unsigned kExitKinds = 7;
  struct Counters {
    u64 exits[kExitKinds] = {};
    u64 to_interpreter = 0;  // edge and next exits to blocks without generated code
    u64 hot = 0;
    u64 refused = 0;
    u64 modules = 0;
    u64 regions = 0;
    u64 instructions = 0;
    u64 module_bytes = 0;
    u64 invalidated = 0;
    u64 evicted = 0;
    u64 reattached = 0;
    u64 regrown = 0;
    u64 separated = 0;
    u64 late_entries = 0;
    u64 lookups = 0;
    u64 generated_instructions = 0;
    double translate_milliseconds = 0;
    double install_milliseconds = 0;
    double longest_milliseconds = 0;
  } counters_;
  // Instructions left to the interpreter, by operation.
  std::vector<u64> interpreted_ops_;
};

}  // namespace lapwing
