#include "wasm_jit/backend/x87_functions.h"

#include <span>

#include "core/cpu/exec/x87_fast.h"
#include "wasm_jit/backend/encoder.h"
#include "wasm_jit/backend/module_builder.h"
#include "wasm_jit/state_layout.h"

namespace lapwing::jit {

namespace {

enum : u8 {
  kGet = 0x20,
  kSet,
  kTee,
  kBranchIf = 0x0D,
  kReturn = 0x0F,
  kSelect = 0x1B,
  kI32 = 0x41,
  kI64,
  kEqz32 = 0x45,
  kEq32,
  kNe32,
  kLtU32 = 0x49,
  kGeU32 = 0x4F,
  kEqz64,
  kNe64 = 0x52,
  kLtU64 = 0x54,
  kGeS64 = 0x59,
  kAdd32 = 0x6A,
  kSub32,
  kAnd32 = 0x71,
  kOr32,
  kXor32,
  kShl32,
  kClz64 = 0x79,
  kAdd64 = 0x7C,
  kSub64,
  kMul64,
  kAnd64 = 0x83,
  kOr64,
  kXor64,
  kShl64,
  kShrU64 = 0x88,
  kWrap = 0xA7,
  kExtend = 0xAD,
  // Locals.
  kCpu = 0,
  kSignA,
  kExpA,
  kSignB,
  kExpB,
  kHigh,
  kLow,
  kT,
  kU,
  kExponent,
  kX,
  kY,
  kC,
};

#include "wasm_jit/backend/x87_functions.inc"

}  // namespace

std::vector<u8> x87_function(bool adds) {
  Encoder out;
  const auto append = [&](std::span<const u8> bytes) {
    out.bytes.insert(out.bytes.end(), bytes.begin(), bytes.end());
  };
  constexpr u8 kLocals[] = {2, 4, kWasmI64, 4, kWasmI32};
  append(kLocals);
  out.op(WasmOp::kBlock);
  out.byte(kWasmNoResult);
  out.op(WasmOp::kLocalGet, kCpu);
  out.memory(WasmOp::kI32Load16U, kStateLayout.fpu_control);
  out.i32_const(0xF00);
  out.op(WasmOp::kI32And);
  out.i32_const(0x300);
  out.op(WasmOp::kI32Ne);
  append(kOperands);
  if (adds) {
    append(kAdd);
  } else {
    append(kMultiply);
  }
  append(kRound);
  out.op(WasmOp::kLocalGet, kCpu);
  out.i32_const(static_cast<u32>(adds ? x87::Compute::kAdd : x87::Compute::kMultiply));
  for (u32 local = kSignA; local <= kExpB; ++local) out.op(WasmOp::kLocalGet, local);
  out.op(WasmOp::kCall, static_cast<u32>(Callee::kX87));
  out.op(WasmOp::kLocalGet, kCpu);
  out.memory(WasmOp::kI32Load, kStateLayout.x87_high);
  out.op(WasmOp::kEnd);
  return std::move(out.bytes);
}

}  // namespace lapwing::jit
