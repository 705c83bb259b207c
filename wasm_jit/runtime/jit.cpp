#include "wasm_jit/runtime/jit.h"

#include <algorithm>
#include <charconv>

#include "core/cpu/decode/op_info.h"
#include "core/cpu/exec/flags.h"
#include "core/cpu/exec/handlers.h"
#include "core/hex.h"
#include "wasm_jit/lazy_flags.h"
#include "wasm_jit/passes/passes.h"
#include "wasm_jit/runtime/compile.h"

namespace lapwing {

namespace {

constexpr u8 kGenerations = 3;  // a region is not grown again more often

std::string json_number(const char* name, u64 value) {
  return "\"" + std::string(name) + "\":" + std::to_string(value);
}

template <class T>
bool parse_number(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

bool parse_option(std::string_view name, std::string_view value, JitOptions& options) {
  if (name == "threshold") return parse_number(value, options.threshold) && options.threshold >= 1;
  if (name == "batch") return parse_number(value, options.batch) && options.batch >= 1;
  if (name == "patience") return parse_number(value, options.patience);
  if (name == "blocks") return parse_number(value, options.limits.blocks) && options.limits.blocks >= 1;
  if (name == "instructions") return parse_number(value, options.limits.instructions);
  if (name == "regrow") return parse_number(value, options.regrow) && options.regrow >= 1;
  if (name == "indirect") return parse_number(value, options.indirect);
  if (name == "sample") return parse_number(value, options.sample) && options.sample >= 1;
  if (name == "straddles") return parse_number(value, options.straddles) && options.straddles >= 1;
  if (name == "large") return parse_number(value, options.large.instructions);
  if (name == "large_blocks") return parse_number(value, options.large.blocks);
  if (name == "share") return parse_number(value, options.limits.share) && options.limits.share >= 1;
  if (name == "entries") return parse_number(value, options.limits.entries);
  if (name == "bytes") return parse_number(value, options.max_bytes);
  if (name == "list") return parse_number(value, options.list);
  if (name == "modules") return parse_number(value, options.max_modules);
  return false;
}

}  // namespace

Result<JitOptions> parse_jit_options(std::string_view text) {
  JitOptions options;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    const std::size_t equals = item.find('=');
    const std::string_view value = equals == std::string_view::npos ? "" : item.substr(equals + 1);
    if (!parse_option(item.substr(0, equals), value, options)) {
      return Error{"'" + std::string(item) +
                   "' is not an option of the translator; there are threshold, batch, patience, blocks, "
                   "instructions, bytes, modules and list"};
    }
  }
  return options;
}

Jit::Jit(ModuleHost& host, BlockCache& blocks, const CpuModel& model, const JitOptions& options)
    : host_(host),
      blocks_(blocks),
      model_(model),
      options_(options),
      thresholds_(options.threshold),
      cache_(host),
      front_(kFrontEntries, nullptr),
      interpreted_ops_(static_cast<std::size_t>(Op::kCount), 0) {}

Jit::~Jit() = default;

i32 Jit::threshold(u64 physical) const {
  if (cache_.has_detached(physical)) return 1;
  return thresholds_.of(physical);
}

// A block inside a region that is entered from elsewhere becomes one of the region's entries.
bool Jit::add_entry(const Cpu& cpu, const Block& block) {
  u16 number = 0;
  Region* region = cache_.find_inside(block, number);
  if (region == nullptr) return false;
  if (region->has_entry(number)) return true;
  if (region->entries.size() >= options_.limits.entries) return false;
  ++counters_.late_entries;
  region->add_entries(blocks_);
  if (!region->waiting) wait(cpu, *region);
  return true;
}

void Jit::hot(Cpu& cpu, Block& block) {
  if (!refusal_.empty() || cpu.mode().checked) return;
  if (cache_.has_detached(block.physical)) {
    returning_.push_back({block.physical, block.mode});
    return;
  }
  ++counters_.hot;
  if (add_entry(cpu, block)) return;
  std::unique_ptr<Region> region = grow_region(cpu, blocks_, profile_, block, thresholds_, options_.limits);
  if (region == nullptr) {
    ++counters_.refused;
    return;
  }
  wait(cpu, cache_.add(std::move(region)));
}

void Jit::wait(const Cpu& cpu, Region& region) {
  if (waiting_.empty()) waiting_since_ = cpu.clock.instructions();
  region.patience = options_.regrow << 2 * region.generation;
  region.waiting = true;
  waiting_.push_back(&region);
  u64 instructions = 0;
  for (const Region* each : waiting_) instructions += each->instructions;
  if (waiting_.size() >= options_.batch || instructions >= options_.batch_instructions) compile_waiting();
}

// A region keeps being left for `block`, where the CPU is: a larger one from there on has more of what is
// executed, also where indirect jumps go.
void Jit::regrow(Cpu& cpu, Region& left, Block& block) {
  left.patience = options_.regrow << 2 * (left.generation + 1);
  if (block.region == nullptr || block.region->generation >= kGenerations || !refusal_.empty()) return;
  std::unique_ptr<Region> region = grow_region(cpu, blocks_, profile_, block, thresholds_, options_.large);
  if (region == nullptr || region->instructions <= block.region->instructions) return;
  region->generation = static_cast<u8>(block.region->generation + 1);
  ++counters_.regrown;
  wait(cpu, cache_.add(std::move(region)));
}

// The CPU is where the indirect jump at the end of a region's block went.
void Jit::note_target(const Cpu& cpu, Region& region, u64 entry_rip, u32 block) {
  const u64 from = entry_rip + static_cast<u64>(region.blocks[block].rip_delta);
  profile_.note(region.copies[block].physical, static_cast<i64>(cpu.state.rip - from));
  const Block& copy = region.copies[block];
  if (copy.first[copy.count - 1].op != Op::RET) region.patience -= options_.indirect * options_.sample;
}

// Regions whose entries were met again after the block cache was emptied. Not done where they are met:
// decoding may empty the cache again, under the block that executes.
void Jit::reattach() {
  const u64 flushes = flushes_;
  for (const Place& place : returning_) {
    Block* entry = blocks_.find(place.physical, place.mode);
    if (entry == nullptr || entry->region != nullptr) continue;
    if (cache_.reattach(*entry, blocks_)) {
      ++counters_.reattached;
    } else if (flushes == flushes_) {
      entry->heat = thresholds_.of(place.physical);
    }
    if (flushes != flushes_) break;
  }
  returning_.clear();
}

void Jit::tick(u64 instructions) {
  cache_.collect();
  reattach();
  if (!waiting_.empty() && instructions - waiting_since_ >= options_.patience) compile_waiting();
}

void Jit::make_room() {
  while (cache_.live_modules() > 0 &&
         (cache_.live_bytes() > options_.max_bytes || cache_.live_modules() >= options_.max_modules ||
          cache_.copied_instructions() > options_.max_instructions)) {
    counters_.evicted += cache_.evict_oldest();
  }
}

void Jit::compile_waiting() {
  make_room();
  std::erase_if(waiting_, [](const Region* region) { return region->dead; });
  const double begin = host_.milliseconds();
  for (Region* region : waiting_) region->take_entries();
  std::vector<Region*> regions;
  std::vector<u8> bytes;
  compile_regions(waiting_, model_, options_.list, regions, bytes);
  counters_.refused += waiting_.size() - regions.size();
  for (Region* region : waiting_) {
    region->waiting = false;
    if (std::find(regions.begin(), regions.end(), region) == regions.end()) cache_.remove(*region);
  }
  waiting_.clear();
  if (regions.empty()) return;
  const std::vector<u32> slots = cache_.take_slots(regions);
  const double translated = host_.milliseconds();
  if (slots.empty() || !host_.install(bytes, slots)) {
    refusal_ = "the host does not let the engine make WebAssembly modules; the interpreter does everything";
    cache_.flush();
    return;
  }
  const double end = host_.milliseconds();
  counters_.translate_milliseconds += translated - begin;
  counters_.install_milliseconds += end - translated;
  counters_.longest_milliseconds = std::max(counters_.longest_milliseconds, end - begin);
  cache_.installed(regions, slots, static_cast<u32>(bytes.size()), blocks_);
  ++counters_.modules;
  counters_.regions += regions.size();
  counters_.module_bytes += bytes.size();
  for (const Region* region : regions) {
    counters_.instructions += region->instructions;
    listing_ += region->listing;
  }
}

void Jit::invalidate(u64 begin, u64 end) {
  const u32 dropped = cache_.invalidate(begin, end);
  if (dropped == 0) return;
  counters_.invalidated += dropped;
  thresholds_.note_change(begin & ~kPageMask);
  std::erase_if(waiting_, [](const Region* region) { return region->dead; });
}

void Jit::flush() {
  ++flushes_;
  for (Region* region : waiting_) region->waiting = false;
  waiting_.clear();
  cache_.detach_all();
  std::fill(front_.begin(), front_.end(), nullptr);
}

// Whether `block` is what the CPU would find at its RIP: without side effects, and only if the fetch TLB
// knows the page.
bool Jit::is_valid(const Cpu& cpu, const Block* block) {
  if (block == nullptr || block->mode != cpu.packed_mode()) return false;
  const u64 linear = (cpu.view.code_base + cpu.state.rip) & cpu.view.linear_mask;
  const FetchEntry& entry = cpu.view.fetch_tlb[Tlb::index_of(linear)];
  return entry.tag == (linear & ~kPageMask) && block->physical == (entry.physical | (linear & kPageMask));
}

Block* Jit::next_block(Cpu& cpu) {
  const u64 linear = (cpu.view.code_base + cpu.state.rip) & cpu.view.linear_mask;
  const FetchEntry& entry = cpu.view.fetch_tlb[Tlb::index_of(linear)];
  if (entry.tag == (linear & ~kPageMask)) {
    const u64 physical = entry.physical | (linear & kPageMask);
    Block* block = front_[front_slot(physical)];
    if (block != nullptr && block->physical == physical && block->mode == cpu.packed_mode()) return block;
  }
  ++counters_.lookups;
  Block* block = cpu.find_block();
  if (block != nullptr && block->second_page == kNoSecondPage) front_[front_slot(block->physical)] = block;
  return block;
}

Block* Jit::successor(Cpu& cpu, Region& region, u64 entry_rip, Region::Successor& known) {
  cpu.state.rip = cpu.wrap_rip(entry_rip + static_cast<u64>(known.delta));
  if (is_valid(cpu, known.block)) return known.block;
  Block* found = next_block(cpu);
  if (!region.dead && found != nullptr && found->second_page == kNoSecondPage) known.block = found;
  return found;
}

u32 Jit::enter(u32 slot, CpuState& state) {
#ifdef __wasm__
  using Function = u32 (*)(CpuState*);
  return reinterpret_cast<Function>(slot)(&state);
#else
  return host_.call(slot, state);
#endif
}

void Jit::note_entry(const Region& region, const CpuState& state) {
  last_.state = state;
  last_.region = region.listing;
}

std::string Jit::last_region() const {
  if (last_.region.empty()) return "no region has run\n";
  const CpuState& s = last_.state;
  std::string text;
  const auto add = [&](const char* name, u64 value, bool last) {
    text += std::string(name) + "=" + hex(value, 16) + (last ? "\n" : " ");
  };
  constexpr const char* kNames[] = {"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
                                    "R8 ", "R9 ", "R10", "R11", "R12", "R13", "R14", "R15"};
  add("RIP", s.rip, false);
  add("RFL", get_rflags(s), true);
  for (unsigned i = 0; i < 16; ++i) add(kNames[i], s.gpr[i], i % 4 == 3);
  return text + last_.region;
}

// The interpreter goes on at an instruction in the middle of a region's block.
GeneratedEnd Jit::at_instruction(Cpu& cpu, Region& region, u64 entry_rip, u32 block, u32 index) {
  Block& copy = region.copies[block];
  CpuState& s = cpu.state;
  s.gpr[kRipSlot] = cpu.wrap_rip(region.rip_of(entry_rip, block, 0));
  cpu.set_executing(&copy);
  return {GeneratedEnd::Then::kResume, &copy, copy.first + index};
}

// Left at the last instruction of a block, one that asks for the run loop: executes it. True: the CPU goes on
// with end.block, whatever mode it is in now.
bool Jit::run_last(Cpu& cpu, GeneratedEnd& end) {
  const Instruction& in = *end.in;
  if (!asks_for_run_loop(end.in[1])) return false;
  CpuState& s = cpu.state;
  settle_flags(s, cpu.view);
  if (!kGenericHandlers[static_cast<u16>(in.op)](cpu, in)) {
    end.then = GeneratedEnd::Then::kInterrupted;
    return false;
  }
  if (!writes_rip(in)) s.rip = cpu.next_rip(in);
  end.then = GeneratedEnd::Then::kLeave;
  if (!cpu.goes_on()) return false;
  end.block = cpu.mode().checked ? cpu.find_block() : next_block(cpu);
  end.then = end.block == nullptr ? GeneratedEnd::Then::kNoBlock : GeneratedEnd::Then::kEnter;
  return end.block != nullptr && end.block->region != nullptr && suits(cpu);
}

// What generated code takes for granted: RIP is further from the ends of the canonical halves than its direct
// jumps reach unchecked (64-bit mode), or the upper halves of registers are zero (outside it).
bool Jit::suits(const Cpu& cpu) {
  const CpuState& s = cpu.state;
  if (cpu.mode().code_size == 8) return !is_near_boundary(s.rip);
  u64 all = 0;
  for (unsigned i = 0; i < 8; ++i) all |= s.gpr[i];
  return all >> 32 == 0;
}

// A check for several accesses failed. When its first page is there, it will go on failing: the span reaches
// into the next page, or code lies beside what is written. Then the region is translated again with a check
// for each access of that block.
void Jit::note_span(const Cpu& cpu, Region& region, u32 block) {
  const u64 linear = cpu.view.span_address & cpu.view.linear_mask;
  const TlbEntry& entry = cpu.view.data_tlb[Tlb::index_of(linear)];
  const bool near_end = (linear & kPageMask) > kPageSize - jit::kMaxSpan;
  if (entry.tag_read != (linear & ~kPageMask) || !(near_end || entry.write_allowed != 0)) return;
  region.blocks[block].separate = true;
  if (++region.straddles < options_.straddles || region.waiting) return;
  region.straddles = 0;
  ++counters_.separated;
  wait(cpu, region);
}

GeneratedEnd Jit::run(Cpu& cpu, Block& first) {
  GeneratedEnd end{};
  if (suits(cpu)) {
    end = run_regions(cpu, first);
  } else {
    Region& region = *first.region;
    cpu.state.budget -= first.count;
    const u64 entry_rip = cpu.state.rip - static_cast<u64>(first.entry.delta);
    end = at_instruction(cpu, region, entry_rip, region.entries[first.entry.number], 0);
  }
  settle_flags(cpu.state, cpu.view);
  return end;
}

GeneratedEnd Jit::run_regions(Cpu& cpu, Block& first) {
  CpuState& s = cpu.state;
  Block* block = &first;
  GeneratedEnd end{};
  for (;;) {
    const u64 entry_rip = s.rip - static_cast<u64>(block->entry.delta);
    s.rip = entry_rip;
    cpu.view.region_entry = block->entry.number;
    Region& region = *block->region;
    if (options_.list != 0) [[unlikely]] {
      settle_flags(s, cpu.view);
      note_entry(region, s);
    }
    const i64 budget = s.budget;
    const u32 code = enter(block->entry.slot, s);
    counters_.generated_instructions += static_cast<u64>(budget - s.budget);
    const u32 kind = code & 15;
    const u32 index = (code >> 4) & 0xFFF;
    const u32 number = code >> 16;
    ASSERT(kind < kExitKinds && 2 * number < region.successors.size());
    ++counters_.exits[kind];
    switch (static_cast<GeneratedExit>(kind)) {
      case GeneratedExit::kEdge:
        block = successor(cpu, region, entry_rip, region.successors[2 * number + index]);
        break;
      case GeneratedExit::kNext:
        // Scattered, so that no loop of jumps hides some of them.
        if ((++indirect_exits_ * 0x9E3779B1u) <= ~0u / options_.sample)
          note_target(cpu, region, entry_rip, number);
        block = next_block(cpu);
        break;
      case GeneratedExit::kBudget:
        s.budget += region.copies[number].count;
        s.rip = cpu.wrap_rip(region.rip_of(entry_rip, number, 0));
        return {GeneratedEnd::Then::kBudget};
      case GeneratedExit::kSpan: note_span(cpu, region, number); [[fallthrough]];
      case GeneratedExit::kInterpret:
        ++interpreted_ops_[static_cast<u16>(region.copies[number].first[index].op)];
        end = at_instruction(cpu, region, entry_rip, number, index);
        if (!run_last(cpu, end)) return end;
        block = end.block;
        continue;
      case GeneratedExit::kInterrupted: {
        end = at_instruction(cpu, region, entry_rip, number, index);
        end.then = GeneratedEnd::Then::kInterrupted;
        return end;
      }
      case GeneratedExit::kLeave: return {GeneratedEnd::Then::kLeave};
    }
    if (block == nullptr) return {GeneratedEnd::Then::kNoBlock};
    if (--region.patience < 0) [[unlikely]]
      regrow(cpu, region, *block);
    if (block->region == nullptr || is_near_boundary(s.rip)) {
      ++counters_.to_interpreter;
      return {GeneratedEnd::Then::kEnter, block};
    }
  }
}

std::string Jit::statistics() const {
  const auto exits = [this](GeneratedExit kind) { return counters_.exits[static_cast<u32>(kind)]; };
  std::string text = "{" + json_number("generated_instructions", counters_.generated_instructions);
  const auto add = [&text](const char* name, u64 value) { text += "," + json_number(name, value); };
  add("hot_blocks", counters_.hot);
  add("regions", counters_.regions);
  add("regions_refused", counters_.refused);
  add("modules", counters_.modules);
  add("module_bytes", counters_.module_bytes);
  add("region_instructions", counters_.instructions);
  add("live_regions", cache_.live_regions());
  add("live_modules", cache_.live_modules());
  add("live_bytes", cache_.live_bytes());
  add("invalidated", counters_.invalidated);
  add("evicted", counters_.evicted);
  add("flushes", flushes_);
  add("reattached", counters_.reattached);
  add("regrown", counters_.regrown);
  add("separated", counters_.separated);
  add("late_entries", counters_.late_entries);
  add("lookups", counters_.lookups);
  add("translate_us", static_cast<u64>(1000 * counters_.translate_milliseconds));
  add("install_us", static_cast<u64>(1000 * counters_.install_milliseconds));
  add("longest_compile_us", static_cast<u64>(1000 * counters_.longest_milliseconds));
  text += ",\"exits\":{" + json_number("next", exits(GeneratedExit::kNext));
  add("edge", exits(GeneratedExit::kEdge));
  add("budget", exits(GeneratedExit::kBudget));
  add("interpret", exits(GeneratedExit::kInterpret));
  add("interrupted", exits(GeneratedExit::kInterrupted));
  add("leave", exits(GeneratedExit::kLeave));
  add("to_interpreter", counters_.to_interpreter);
  return text + "},\"interpreted_operations\":{" + interpreted_operations() + "}}";
}

// The operations that generated code left to the interpreter most often.
std::string Jit::interpreted_operations() const {
  constexpr std::size_t kMost = 24;
  std::vector<std::pair<u64, std::size_t>> counts;
  for (std::size_t op = 0; op < interpreted_ops_.size(); ++op) {
    if (interpreted_ops_[op] > 0) counts.emplace_back(interpreted_ops_[op], op);
  }
  std::sort(counts.rbegin(), counts.rend());
  counts.resize(std::min(counts.size(), kMost));
  std::string text;
  for (const auto& [count, op] : counts) {
    text += (text.empty() ? "" : ",") + json_number(op_info(static_cast<Op>(op)).mnemonic, count);
  }
  return text;
}

}  // namespace lapwing
