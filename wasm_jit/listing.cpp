#include "wasm_jit/listing.h"

#include "core/cpu/decode/disassembler.h"
#include "core/hex.h"
#include "wasm_jit/backend/wasm_text.h"
#include "wasm_jit/ir/printer.h"
#include "wasm_jit/translate.h"

namespace lapwing {

namespace {

// Addresses are the physical ones that the entry's page gives, whatever RIP runs there.
std::string guest_text(const RegionSource& source) {
  const u64 entry = source.blocks[0].block->physical;
  std::string text;
  for (std::size_t b = 0; b < source.blocks.size(); ++b) {
    const Block& block = *source.blocks[b].block;
    text += "b" + std::to_string(b) + ":\n";
    for (unsigned i = 0; i < block.count; ++i) {
      const Instruction& in = block.first[i];
      const u64 at = entry + static_cast<u64>(source.blocks[b].rip_delta) + in.offset;
      Instruction alone = in;
      // A block's instructions count their targets and RIP-relative operands from the block's start.
      if (in.form == Form::kJ) alone.imm -= in.offset;
      if (in.base == kRipSlot) alone.disp -= in.offset;
      alone.offset = 0;
      text += "  " + hex(at, 8) + "  " + disassemble(alone, at) + "\n";
    }
  }
  return text;
}

}  // namespace

void list_region(Listing& listing, const RegionSource& source, const jit::Function& function,
                 const std::vector<u8>& body) {
  listing.text += "region at physical " + hex(source.blocks[0].block->physical, 8) + ", " +
                  std::to_string(8u * source.mode.code_size) + "-bit, " +
                  std::to_string(source.blocks.size()) + " blocks, " + std::to_string(body.size()) +
                  " bytes\n";
  if ((listing.parts & Listing::kGuest) != 0) listing.text += "IN:\n" + guest_text(source);
  if ((listing.parts & Listing::kIr) != 0) listing.text += "OP:\n" + jit::print(function);
  if ((listing.parts & Listing::kWasm) != 0) listing.text += "OUT:\n" + jit::wasm_text(body);
  listing.text += "\n";
}

}  // namespace lapwing
