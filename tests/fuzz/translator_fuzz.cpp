// Fuzzer of the translator: the input's code is cut into blocks, which all count as hot; the region that
// grows from the first goes through IR and passes into a module. An input is a mode, limits, where indirect
// jumps are said to go, and code. That what comes out is valid and does the same is for tests/lockstep; here
// the translator itself runs under sanitizers, led by its coverage.
//   node tests/fuzz/run.mjs translator
#include <cstdlib>
#include <memory>

#include "tests/differential/generator.h"
#include "tests/lockstep/lockstep.h"
#include "wasm_jit/listing.h"
#include "wasm_jit/runtime/compile.h"

namespace lapwing {

namespace {

using differential::Generator;
using differential::kCodeBase;
using lockstep::Guest;
using lockstep::Memory;
using lockstep::Piece;
using lockstep::Random;
using lockstep::Sequence;

constexpr std::size_t kHeader = 6;
constexpr std::size_t kMostCode = 250;
constexpr i32 kThreshold = 2;

CpuModel most_features() {
  Result<CpuModel> model = make_cpu_model("max");
  if (!model.ok()) std::abort();
  return model.value();
}

// Translates what becomes hot, and runs nothing of it.
class Translations final : public GeneratedCode {
 public:
  Translations(BlockCache& blocks, const CpuModel& model) : blocks_(blocks), model_(model) {}

  RegionLimits limits;
  TargetProfile profile;
  Thresholds thresholds{kThreshold};
  u32 listing_parts = 0;

  GeneratedEnd run(Cpu&, Block&) override { std::abort(); }
  void hot(Cpu& cpu, Block& block) override {
    std::unique_ptr<Region> region = grow_region(cpu, blocks_, profile, block, thresholds, limits);
    if (region == nullptr) return;
    Region* const regions[] = {region.get()};
    std::vector<Region*> translated;
    std::vector<u8> bytes;
    compile_regions(regions, model_, listing_parts, translated, bytes);
    ASSERT(translated.empty() || bytes.size() > 8);
  }
  i32 threshold(u64) const override { return kThreshold; }
  void invalidate(u64, u64) override {}
  void flush() override {}
  std::string statistics() const override { return "{}"; }

 private:
  BlockCache& blocks_;
  const CpuModel& model_;
};

struct Machine {
  CpuModel model = most_features();
  Guest guest{model};
  Translations translations{guest.blocks(), model};
  Memory memory;

  Machine() {
    Generator::fill_memory(1, memory);
    guest.blocks().set_generated(&translations);
    guest.cpu().set_generated(&translations);
  }

  void run(const Piece& piece, u64 seed) {
    Sequence sequence;
    sequence.long_mode = piece.code_size == 8;
    sequence.start = piece.address;
    Random random(seed);
    Generator::fill_registers(random, sequence);
    Cpu& cpu = guest.cpu();
    guest.place(piece.address, piece.code);
    // Once for the fetch TLB, without which nothing grows.
    for (unsigned i = 0; i < 2; ++i) {
      guest.start(sequence, memory);
      adapt_segments(cpu.state, piece);
      cpu.update_mode();
      if (i == 0) guest.go();
    }
    if (Block* entry = build_blocks(piece)) translations.hot(cpu, *entry);
    guest.clear(piece.address, piece.code.size());
  }

 private:
  Block* build(u64 physical) {
    const Cpu& cpu = guest.cpu();
    Block* block = guest.blocks().find(physical, cpu.packed_mode());
    if (block == nullptr) block = guest.blocks().build(physical, cpu.mode(), kNoSecondPage);
    if (block != nullptr) block->heat = 0;
    return block;
  }

  // One behind the other, and where their branches go.
  Block* build_blocks(const Piece& piece) {
    const u64 begin = Guest::code_physical(piece.address);
    const u64 end = begin + piece.code.size();
    Block* const entry = build(begin);
    for (u64 at = begin; at < end;) {
      const Block* block = build(at);
      if (block == nullptr) break;
      const Instruction& last = block->first[block->count - 1];
      const u64 target = at + last.imm;
      if (last.form == Form::kJ && target >= begin && target < end) build(target);
      at += block->bytes;
    }
    return entry;
  }
};

}  // namespace

}  // namespace lapwing

extern "C" int LLVMFuzzerTestOneInput(const lapwing::u8* data, std::size_t size) {
  using namespace lapwing;
  static Machine* const machine = new Machine;
  if (size <= kHeader || size > kHeader + kMostCode) return 0;
  Piece piece;
  piece.address = kCodeBase + ((data[0] & 8) != 0 ? kPageSize - data[1] : data[1]);
  piece.code_size = (data[0] & 3) == 0 ? 2 : (data[0] & 3) == 1 ? 4 : 8;
  piece.flat = (data[0] & 4) != 0 && piece.code_size != 2;
  piece.small_stack = (data[0] & 16) != 0 && piece.code_size != 8;
  piece.code.assign(data + kHeader, data + size);
  Translations& translations = machine->translations;
  translations.limits = {.blocks = 1u + data[2] % 40, .instructions = 4u + data[3]};
  translations.listing_parts = data[5] % 16 == 0 ? ~0u : 0;
  translations.profile = {};
  for (unsigned i = 0; i < data[4] % 40; ++i) {
    translations.profile.note(Guest::code_physical(piece.address + 3 * i),
                              static_cast<i64>(data[5]) - 7 * static_cast<i64>(i));
  }
  machine->run(piece, data[5]);
  return 0;
}
