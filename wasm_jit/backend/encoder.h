// Bytes of a WebAssembly module: numbers in LEB128 and opcodes (WebAssembly core specification, "Binary
// Format").
#pragma once

#include <string_view>
#include <vector>

#include "core/types.h"

namespace lapwing::jit {

enum class WasmOp : u8 {
#define WASM_OP(name, code) k##name = code,
#include "wasm_jit/backend/wasm_opcodes.inc"
#undef WASM_OP
};

// Value types; the block type of blocks without a result.
constexpr u8 kWasmI32 = 0x7F, kWasmI64 = 0x7E, kWasmF32 = 0x7D, kWasmF64 = 0x7C, kWasmV128 = 0x7B,
             kWasmNoResult = 0x40;

class Encoder {
 public:
  std::vector<u8> bytes;

  void byte(u8 value) { bytes.push_back(value); }
  void op(WasmOp code) { byte(static_cast<u8>(code)); }
  void unsigned_number(u64 value) {
    for (; value >= 0x80; value >>= 7) byte(static_cast<u8>(value | 0x80));
    byte(static_cast<u8>(value));
  }
  void signed_number(i64 value) {
    for (; value < -0x40 || value >= 0x40; value >>= 7) byte(static_cast<u8>((value & 0x7F) | 0x80));
    byte(static_cast<u8>(value & 0x7F));
  }
  void op(WasmOp code, u64 operand) {
    op(code);
    unsigned_number(operand);
  }
  void i32_const(u32 value) {
    op(WasmOp::kI32Const);
    signed_number(static_cast<i32>(value));
  }
  void i64_const(u64 value) {
    op(WasmOp::kI64Const);
    signed_number(static_cast<i64>(value));
  }
  void memory(WasmOp code, u64 offset) {
    op(code);
    byte(0);  // no alignment is promised
    unsigned_number(offset);
  }
  void name(std::string_view text) {
    unsigned_number(text.size());
    bytes.insert(bytes.end(), text.begin(), text.end());
  }
  void append(const std::vector<u8>& more) { bytes.insert(bytes.end(), more.begin(), more.end()); }
};

}  // namespace lapwing::jit
