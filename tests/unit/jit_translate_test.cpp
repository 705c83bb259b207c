// Generated functions against the interpreter: random programs, from the same state, must leave the same
// state.
#include <cstdlib>
#include <map>

#include "core/cpu/decode/disassembler.h"
#include "core/cpu/decode/op_info.h"
#include "tests/guest/bare_machine.h"
#include "tests/unit/catch.h"
#include "tests/unit/jit_random_code.h"
#include "tests/unit/wasm_function.h"
#include "wasm_jit/backend/lower.h"
#include "wasm_jit/backend/module_builder.h"
#include "wasm_jit/frontend/translator.h"
#include "wasm_jit/ir/verifier.h"
#include "wasm_jit/lazy_flags.h"
#include "wasm_jit/passes/passes.h"

using namespace lapwing;
using lapwing::test::BareMachine;
using lapwing::test::RandomCode;
using lapwing::test::WasmFunction;

namespace {

// The blocks of a program as a region.
struct ProgramRegion {
  std::vector<std::unique_ptr<Block>> blocks;
  std::vector<std::unique_ptr<std::vector<Instruction>>> instructions;
  std::vector<RegionBlock> list;

  ProgramRegion(const std::vector<u8>& code, u8 code_size, u64 address) {
    std::map<i64, RegionBlock> found;
    std::vector<u64> work{0};
    while (!work.empty()) {
      const u64 at = work.back();
      work.pop_back();
      if (at >= code.size() || found.count(static_cast<i64>(at)) != 0) continue;
      auto& list_of = *instructions.emplace_back(std::make_unique<std::vector<Instruction>>());
      unsigned offset = 0;
      do {
        Instruction in;
        decode(&code[at + offset], static_cast<unsigned>(code.size() - at - offset),
               DecodeMode{.code_size = code_size, .flat = true}, static_cast<u16>(offset), in);
        list_of.push_back(in);
        offset += in.length;
      } while (!ends_block(list_of.back()) && list_of.size() < 64 && at + offset < code.size());
      Block& block = *blocks.emplace_back(std::make_unique<Block>());
      block.physical = address + at;
      block.count = static_cast<u16>(list_of.size());
      block.bytes = static_cast<u16>(offset);
      block.first = list_of.data();
      found[static_cast<i64>(at)] = RegionBlock{&block, static_cast<i64>(at)};
      const Instruction& last = list_of.back();
      if (last.form == Form::kJ) work.push_back(at + last.imm);
      work.push_back(at + offset);
    }
    for (const auto& [delta, block] : found) list.push_back(block);
  }
};

// The memory that a generated function sees: CpuState with its view, a TLB for the data area, the data.
struct World {
  static constexpr u32 kState = 0x1000, kTlb = 0x4000, kArea = 0x40000;
  std::vector<u8> memory = std::vector<u8>(kArea + RandomCode::kDataSize);

  CpuState& state() { return *reinterpret_cast<CpuState*>(memory.data() + kState); }
  // As settle_flags() does; the view lies as wasm32 has it.
  void settle() {
    const auto get = [&](u32 number) {
      u64 value;
      std::memcpy(&value, memory.data() + kState + kStateLayout.flags + 8 * number, 8);
      return value;
    };
    store_lazy_flags(state(), {static_cast<u32>(get(0)), get(1), get(2), get(3), static_cast<u32>(get(4))});
  }
  void put32(u32 at, u32 value) { std::memcpy(memory.data() + at, &value, 4); }
  void put64(u32 at, u64 value) { std::memcpy(memory.data() + at, &value, 8); }

  World(const Cpu& cpu, const u8* data) {
    std::memcpy(memory.data() + kState, &cpu.state, sizeof cpu.state);
    put32(kState + kStateLayout.data_tlb, kTlb);
    put32(kState + kStateLayout.simple_segments, cpu.simple_segments());
    for (u32 i = 0; i < kStateLayout.tlb_entries; ++i) {
      const u32 entry = kTlb + i * kStateLayout.tlb_entry_size;
      const bool mapped = i < RandomCode::kDataSize / kPageSize;
      const u64 tag = mapped ? RandomCode::kData + i * kPageSize : u64{i ^ 1} << kPageShift;
      put64(entry + kStateLayout.tlb_tag_read, tag);
      put64(entry + kStateLayout.tlb_tag_write, tag);
      put32(entry + kStateLayout.tlb_addend, kArea - static_cast<u32>(RandomCode::kData));
    }
    std::memcpy(memory.data() + kArea, data, RandomCode::kDataSize);
  }

  void call(u64 index, std::vector<u64>& stack) {
    using jit::Callee;
    const auto pop = [&] {
      const u64 value = stack.back();
      stack.pop_back();
      return value;
    };
    LazyFlags flags;
    switch (static_cast<Callee>(index)) {
      case Callee::kMulHighU:
      case Callee::kMulHighS: {
        const u64 y = pop();
        const u64 x = pop();
        const auto high = static_cast<u64>((static_cast<u128>(x) * y) >> 64);
        const u64 minus = (static_cast<i64>(x) < 0 ? y : 0) + (static_cast<i64>(y) < 0 ? x : 0);
        stack.push_back(static_cast<Callee>(index) == Callee::kMulHighU ? high : high - minus);
        return;
      }
      default: {
        const bool condition = static_cast<Callee>(index) == Callee::kCondition;
        const auto code = static_cast<unsigned>(condition ? pop() : 0);
        flags.c = static_cast<u32>(pop());
        flags.r = pop();
        flags.b = pop();
        flags.a = pop();
        flags.kind = static_cast<u32>(pop());
        pop();
        if (condition) {
          stack.push_back(lazy_condition(state(), flags, code) ? 1 : 0);
        } else {
          store_lazy_flags(state(), flags);
        }
      }
    }
  }
};

std::string registers(const CpuState& s) {
  std::string text;
  char line[40];
  for (unsigned i = 0; i < 16; ++i) {
    std::snprintf(line, sizeof line, "%016llx ", static_cast<unsigned long long>(s.gpr[i]));
    text += line;
  }
  std::snprintf(line, sizeof line, "rip %llx flags %llx", static_cast<unsigned long long>(s.rip),
                static_cast<unsigned long long>(get_rflags(s)));
  return text + line;
}

// False: the states differ.
bool run_both(u32 seed, bool code64, std::string& report) {
  RandomCode random(seed, code64);
  const std::vector<u8> code = random.program(1 + random.number(24));
  BareMachine m;
  if (code64) {
    m.start_long(RandomCode::kCode);
  } else {
    m.start_protected(RandomCode::kCode);
  }
  m.write(RandomCode::kCode, code.data(), code.size());
  std::vector<u8> data(RandomCode::kDataSize);
  for (u8& byte : data) byte = static_cast<u8>(random.number(256));
  m.write(RandomCode::kData, data.data(), data.size());
  for (unsigned i = 0; i < 16; ++i) {
    if (i != kRsp && (code64 || i < 8)) m.cpu.state.gpr[i] = random.interesting() & (code64 ? ~0ull : ~0u);
  }
  m.cpu.state.gpr[kRsp] = RandomCode::kData + 0x4000;
  set_status_flags(m.cpu.state, random.wide());

  ProgramRegion region(code, code64 ? 8 : 4, RandomCode::kCode);
  const RegionSource source{.blocks = region.list,
                            .mode = {.code_size = static_cast<u8>(code64 ? 8 : 4),
                                     .flat = !code64,
                                     .user = false,
                                     .checked = false,
                                     .wide_stack = true},
                            .has_tzcnt = m.model.has(Feature::BMI1),
                            .has_lzcnt = m.model.has(Feature::LZCNT)};
  jit::Function function;
  if (!jit::Translator(source, function).run()) return true;
  report = jit::verify(function);
  jit::remove_dead_writes(function);
  jit::remove_dead_code(function);
  report += jit::verify(function);
  if (!report.empty()) return false;
  WasmFunction compiled(jit::lower(function, jit::structure(function)));

  World world(m.cpu, data.data());
  const i64 budget = 1 + random.number(200);
  world.state().budget = budget;
  compiled.memory = &world.memory;
  compiled.call = [&](u64 index, std::vector<u64>& stack) { world.call(index, stack); };
  const u32 exit = compiled.run(World::kState);
  world.settle();
  if (compiled.failed) {
    report = "the function trapped";
    return false;
  }
  const u32 block = exit >> 16;
  const u32 index = (exit >> 4) & 0xFFF;
  const auto kind = static_cast<GeneratedExit>(exit & 15);
  const Block& left = *region.list[block].block;
  i64 executed = budget - world.state().budget;
  u64 rip = kind == GeneratedExit::kNext ? world.state().rip : RandomCode::kCode;
  if (kind == GeneratedExit::kBudget || kind == GeneratedExit::kInterpret || kind == GeneratedExit::kSpan) {
    executed -= left.count - index;
    rip += static_cast<u64>(region.list[block].rip_delta) + left.first[index].offset;
  } else if (kind == GeneratedExit::kEdge) {
    rip += static_cast<u64>(region.list[block].rip_delta) +
           (index == 0 ? left.bytes : left.first[left.count - 1].imm);
  }
  world.state().rip = rip;
  if (executed > 0) m.run(static_cast<u64>(executed));

  CpuState& got = world.state();
  bool same = got.rip == m.cpu.state.rip && get_rflags(got) == get_rflags(m.cpu.state);
  for (unsigned i = 0; i < 16; ++i) same = same && got.gpr[i] == m.gpr(i);
  std::vector<u8> expected(RandomCode::kDataSize);
  for (u64 i = 0; i < RandomCode::kDataSize; i += 8) {
    const u64 value = m.memory.read(RandomCode::kData + i, 8);
    std::memcpy(&expected[i], &value, 8);
  }
  same = same && std::memcmp(expected.data(), world.memory.data() + World::kArea, expected.size()) == 0;
  if (same) return true;
  report = "executed " + std::to_string(executed) + " exit " + std::to_string(exit & 15) + "\nexpected " +
           registers(m.cpu.state) + "\ngot      " + registers(got) + "\n";
  for (const RegionBlock& b : region.list) {
    for (unsigned i = 0; i < b.block->count; ++i) {
      const u64 at = RandomCode::kCode + static_cast<u64>(b.rip_delta) + b.block->first[i].offset;
      char line[32];
      std::snprintf(line, sizeof line, "%llx  ", static_cast<unsigned long long>(at));
      report += line + disassemble(b.block->first[i], at) + "\n";
    }
    report += "--\n";
  }
  return false;
}

void run_many(bool code64) {
  const char* wanted = std::getenv("LAPWING_RANDOM_PROGRAMS");
  const u32 count = wanted != nullptr ? static_cast<u32>(std::atoi(wanted)) : 60;
  for (u32 seed = 0; seed < count; ++seed) {
    std::string report;
    if (run_both(seed, code64, report)) continue;
    INFO("seed " << seed << "\n" << report);
    REQUIRE(false);
  }
}

}  // namespace

TEST_CASE("generated_64_bit_code_does_what_the_interpreter_does") {
  run_many(true);
}

TEST_CASE("generated_32_bit_code_does_what_the_interpreter_does") {
  run_many(false);
}
