// Lazy flags of generated code against the interpreter's; structured control flow against the graph it came
// from.
#include <algorithm>
#include <random>

#include "core/cpu/exec/alu.h"
#include "core/cpu/exec/shift.h"
#include "tests/unit/catch.h"
#include "wasm_jit/ir/builder.h"
#include "wasm_jit/ir/verifier.h"
#include "wasm_jit/lazy_flags.h"
#include "wasm_jit/passes/passes.h"
#include "wasm_jit/translate.h"

using namespace lapwing;
using jit::BlockId;
using jit::Function;
using jit::IrBlock;
using jit::Step;
using jit::Terminator;

namespace {

u64 lazily(FlagClass flag_class, unsigned size, u64 a, u64 b, u64 r = 0, u32 extra = 0, u32 c = 0) {
  CpuState s;
  store_lazy_flags(s, {.kind = flag_kind(flag_class, size) | extra, .a = a, .b = b, .r = r, .c = c});
  return status_flags(s);
}

template <class T>
unsigned differences(T a, T b, bool carry) {
  CpuState s;
  unsigned wrong = 0;
  constexpr unsigned kSize = sizeof(T);
  // Operands may hold anything above their size.
  constexpr u64 kJunk = kSize == 8 ? 0 : 0x5A5A5A5A00000000;
  const auto check = [&](u64 lazy) { wrong += lazy != status_flags(s) ? 1 : 0; };
  alu_compute<Op::ADD, T>(s, a, b);
  check(lazily(FlagClass::kAdd, kSize, a | kJunk, b | kJunk));
  alu_compute<Op::SUB, T>(s, a, b);
  check(lazily(FlagClass::kSub, kSize, a | kJunk, b | kJunk));
  alu_compute<Op::AND, T>(s, a, b);
  check(lazily(FlagClass::kLogic, kSize, (a & b) | kJunk, 0));
  set_status_flags(s, carry ? rflags::kCf : 0);
  const T sum = alu_compute<Op::ADC, T>(s, a, b);
  check(lazily(FlagClass::kAdc, kSize, a | kJunk, b | kJunk, sum | kJunk));
  set_status_flags(s, carry ? rflags::kCf : 0);
  const T difference = alu_compute<Op::SBB, T>(s, a, b);
  check(lazily(FlagClass::kSbb, kSize, a | kJunk, b | kJunk, difference | kJunk));
  set_status_flags(s, carry ? rflags::kCf : 0);
  const T more = unary_compute<Op::INC, T>(s, a);
  check(lazily(FlagClass::kInc, kSize, more | kJunk, 0, 0, kFlagCfOverride, carry));
  set_status_flags(s, carry ? rflags::kCf : 0);
  const T less = unary_compute<Op::DEC, T>(s, a);
  check(lazily(FlagClass::kDec, kSize, less | kJunk, 0, 0, kFlagCfOverride, carry));
  const unsigned count = static_cast<unsigned>(b) & (kSize == 8 ? 63 : 31);
  if (count == 0) return wrong;
  shift_compute<Op::SHL, T>(s, a, count);
  check(lazily(FlagClass::kShl, kSize, a | kJunk, count));
  shift_compute<Op::SHR, T>(s, a, count);
  check(lazily(FlagClass::kShr, kSize, a | kJunk, count));
  shift_compute<Op::SAR, T>(s, a, count);
  check(lazily(FlagClass::kSar, kSize, a | kJunk, count));
  return wrong;
}

// Which blocks run, when each branch goes by the next bit of `choices`; stops at an exit.
std::vector<BlockId> walk_graph(const Function& function, BlockId block, u64 choices) {
  std::vector<BlockId> path;
  while (path.size() < 60) {
    path.push_back(block);
    const Terminator& end = function.blocks[block].end;
    if (end.target_count() == 0) break;
    unsigned way = 0;
    if (end.target_count() == 2) {
      way = (choices & 1) != 0 ? 0 : 1;
      choices = choices >> 1 | choices << 63;
    }
    block = end.targets[way];
  }
  return path;
}

std::size_t matching_end(const std::vector<Step>& steps, std::size_t open) {
  for (unsigned depth = 0;; ++open) {
    const Step::Kind kind = steps[open].kind;
    if (kind == Step::Kind::kBlock || kind == Step::Kind::kLoop || kind == Step::Kind::kIf) ++depth;
    if (kind == Step::Kind::kEnd && --depth == 0) return open;
  }
}

// The same of structured code entered at `entry`; `count`: blocks that the graph had.
std::vector<BlockId> walk_steps(const std::vector<Step>& steps, u32 entry, BlockId count, u64 choices) {
  std::vector<BlockId> path;
  std::vector<std::size_t> labels;
  const auto choose = [&] {
    const bool taken = (choices & 1) != 0;
    choices = choices >> 1 | choices << 63;
    return taken;
  };
  for (std::size_t pc = 0; pc < steps.size();) {
    const Step& step = steps[pc];
    const auto branch_by = [&](u32 depth) {
      labels.resize(labels.size() - depth);
      if (steps[labels.back()].kind == Step::Kind::kLoop) return labels.back() + 1;
      const std::size_t end = matching_end(steps, labels.back());
      labels.pop_back();
      return end + 1;
    };
    const auto branch = [&] { return branch_by(step.depth); };
    switch (step.kind) {
      case Step::Kind::kBlock:
      case Step::Kind::kLoop: labels.push_back(pc++); break;
      case Step::Kind::kIf:
        if (choose()) {
          labels.push_back(pc++);
        } else {
          pc = matching_end(steps, pc) + 1;
        }
        break;
      case Step::Kind::kEnd:
        labels.pop_back();
        ++pc;
        break;
      case Step::Kind::kBody:
        if (path.size() == 60) return path;
        if (step.block < count) path.push_back(step.block);
        ++pc;
        break;
      case Step::Kind::kEnter: pc = branch_by(step.depths[entry]); break;
      case Step::Kind::kDispatch:
        entry = step.entry;
        pc = branch();
        break;
      case Step::Kind::kBranch: pc = branch(); break;
      case Step::Kind::kBranchIf: pc = choose() ? branch() : pc + 1; break;
      case Step::Kind::kBranchUnless: pc = choose() ? pc + 1 : branch(); break;
      case Step::Kind::kExit: return path;
    }
  }
  path.push_back(jit::kNoBlock);  // fell out
  return path;
}

}  // namespace

TEST_CASE("lazy_flags_are_the_interpreters") {
  std::mt19937_64 random(1);
  unsigned wrong = 0;
  for (unsigned a = 0; a < 256; ++a) {
    for (unsigned b = 0; b < 256; ++b)
      wrong += differences<u8>(static_cast<u8>(a), static_cast<u8>(b), (a ^ b) & 1);
  }
  for (unsigned i = 0; i < 20000; ++i) {
    // Small numbers often, for carries and zero results.
    const u64 a = random() >> (random() % 64);
    const u64 b = random() % 3 == 0 ? ~a + random() % 3 : random() >> (random() % 64);
    wrong += differences<u16>(static_cast<u16>(a), static_cast<u16>(b), i & 1);
    wrong += differences<u32>(static_cast<u32>(a), static_cast<u32>(b), i & 1);
    wrong += differences<u64>(a, b, i & 1);
  }
  CHECK(wrong == 0);
}

TEST_CASE("structured_code_takes_the_same_ways_as_the_graph_from_every_entry") {
  std::mt19937 random(7);
  unsigned wrong = 0;
  for (unsigned round = 0; round < 3000; ++round) {
    Function function;
    const auto count = static_cast<unsigned>(1 + random() % 14);
    function.blocks.resize(count);
    for (IrBlock& block : function.blocks) {
      const auto kind = static_cast<unsigned>(random() % 5);
      if (kind == 0) continue;  // exit
      block.end.kind = kind == 1 ? Terminator::Kind::kJump : Terminator::Kind::kBranch;
      for (BlockId& target : block.end.targets) target = static_cast<BlockId>(random() % count);
    }
    while (random() % 3 == 0) {
      const auto entry = static_cast<BlockId>(random() % count);
      if (std::count(function.entries.begin(), function.entries.end(), entry) == 0)
        function.entries.push_back(entry);
    }
    const std::vector<BlockId> entries = function.entries;
    if (entries.size() > 1) function.add_dispatch();
    Function structured = function;
    const std::vector<Step> steps = jit::structure(structured);
    for (unsigned i = 0; i < 8; ++i) {
      const u64 choices = (u64{random()} << 32) | random();
      const u32 entry = i % static_cast<u32>(entries.size());
      const std::vector<BlockId> expected = walk_graph(function, entries[entry], choices);
      wrong += expected != walk_steps(steps, entry, static_cast<BlockId>(count), choices) ? 1 : 0;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("accesses_by_one_register_share_a_check_until_a_handler_may_change_what_is_mapped") {
  Function function;
  function.blocks.resize(1);
  jit::Builder builder(function);
  builder.start(function.blocks[0]);
  const jit::Value base = builder.read(jit::kVarGpr + kRbx);
  const auto at = [&](u64 offset) { return builder.binary(jit::IrOp::kAdd64, base, builder.c64(offset)); };
  const jit::Value first = builder.guest_load(jit::Type::kI64, 8, at(16), 0x12);
  builder.guest_store(8, at(static_cast<u64>(-8)), first, 0x22);
  builder.guest_load(jit::Type::kI64, 8, at(jit::kMaxSpan + 16), 0x32);
  builder.call_handler(0, 0);
  builder.guest_load(jit::Type::kI64, 8, at(16), 0x42);
  RegionSource source;
  RegionBlock block;
  const auto count = [&](jit::IrOp op) {
    const auto& nodes = function.blocks[0].nodes;
    return std::count_if(nodes.begin(), nodes.end(), [op](const jit::Node& node) { return node.op == op; });
  };
  SECTION("merged") {
    source.blocks = std::span(&block, 1);
    jit::merge_accesses(function, source);
    CHECK(jit::verify(function).empty());
    REQUIRE(count(jit::IrOp::kWriteSpan) == 1);
    CHECK(count(jit::IrOp::kHostLoad) == 1);
    CHECK(count(jit::IrOp::kHostStore) == 1);
    CHECK(count(jit::IrOp::kGuestLoad) == 2);  // too far away; behind the handler
    const auto& nodes = function.blocks[0].nodes;
    const auto span = std::find_if(nodes.begin(), nodes.end(),
                                   [](const jit::Node& node) { return node.op == jit::IrOp::kWriteSpan; });
    CHECK(span->imm == 32);
    CHECK(span->exit == exit_code(GeneratedExit::kSpan, 0, 1));
  }
  SECTION("kept apart") {
    block.separate = true;
    source.blocks = std::span(&block, 1);
    jit::merge_accesses(function, source);
    CHECK(count(jit::IrOp::kGuestLoad) == 3);
    CHECK(count(jit::IrOp::kGuestStore) == 1);
  }
}
