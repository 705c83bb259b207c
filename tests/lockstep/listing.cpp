#include "tests/lockstep/listing.h"

#include <map>
#include <memory>
#include <vector>

#include "core/cpu/decode/decoder.h"
#include "wasm_jit/backend/module_builder.h"
#include "wasm_jit/frontend/translator.h"
#include "wasm_jit/listing.h"
#include "wasm_jit/translate.h"

namespace lapwing::lockstep {

namespace {

constexpr u64 kPhysical = 0x1000;
constexpr std::size_t kMostInstructions = 64;

bool closes_block(const Instruction& in) {
  switch (in.op) {
    case Op::JMP:
    case Op::CALL:
    case Op::RET:
    case Op::HLT: return true;
    default: return in.form == Form::kJ;
  }
}

struct Decoded {
  Block block;
  std::vector<Instruction> instructions;
};

std::unique_ptr<Decoded> decode_block(std::span<const u8> code, u8 code_size, std::size_t at) {
  auto decoded = std::make_unique<Decoded>();
  const DecodeMode mode{.code_size = code_size, .flat = true};
  std::size_t offset = 0;
  do {
    Instruction in;
    decode(&code[at + offset], static_cast<unsigned>(code.size() - at - offset), mode,
           static_cast<u16>(offset), in);
    if (in.length == 0) break;
    decoded->instructions.push_back(in);
    offset += in.length;
  } while (!closes_block(decoded->instructions.back()) && decoded->instructions.size() < kMostInstructions &&
           at + offset < code.size());
  decoded->block.physical = kPhysical + at;
  decoded->block.count = static_cast<u16>(decoded->instructions.size());
  decoded->block.bytes = static_cast<u16>(offset);
  decoded->block.first = decoded->instructions.data();
  return decoded;
}

}  // namespace

std::string listing_of(std::span<const u8> code, u8 code_size) {
  std::map<std::size_t, std::unique_ptr<Decoded>> found;
  std::vector<std::size_t> work{0};
  while (!work.empty()) {
    const std::size_t at = work.back();
    work.pop_back();
    if (at >= code.size() || found.contains(at)) continue;
    auto& decoded = found[at] = decode_block(code, code_size, at);
    const Instruction& last = decoded->instructions.back();
    if (last.form == Form::kJ) work.push_back(at + static_cast<std::size_t>(last.imm));
    if (last.op != Op::RET) work.push_back(at + decoded->block.bytes);
  }
  // What lies behind jumps is where indirect ones go.
  std::vector<RegionBlock> blocks;
  std::vector<u16> targets;
  bool behind_jump = false;
  for (const auto& [at, decoded] : found) {
    if (behind_jump) targets.push_back(static_cast<u16>(blocks.size()));
    behind_jump = decoded->instructions.back().op == Op::JMP;
    blocks.push_back({.block = &decoded->block, .rip_delta = static_cast<i64>(at)});
  }
  for (RegionBlock& block : blocks) {
    const Instruction& last = block.block->first[block.block->count - 1];
    if (last.op == Op::JMP && last.form != Form::kJ) block.targets = targets;
  }
  std::vector<DispatchEntry> dispatch;
  const RegionSource source{.blocks = blocks,
                            .dispatch = &dispatch,
                            .mode = {.code_size = code_size,
                                     .flat = code_size == 4,
                                     .user = false,
                                     .checked = false,
                                     .wide_stack = true,
                                     .long_mode = code_size == 8},
                            .long_mode = code_size == 8,
                            .has_tzcnt = true,
                            .has_lzcnt = true};
  Listing listing{.parts = Listing::kGuest | Listing::kIr | Listing::kWasm, .text = {}};
  ModuleBuilder module;
  return translate(source, module, &listing) ? listing.text : "";
}

}  // namespace lapwing::lockstep
