#ifdef __wasm__
#include "web/engine/module_host.h"

#include "core/cpu/exec/x87_fast.h"
#include "wasm_jit/runtime/helpers.h"

#define LAPWING_HOST(name) extern "C" __attribute__((import_module("env"), import_name(#name)))

namespace lapwing {

LAPWING_HOST(module_install)
u32 module_install(const u8* bytes, u32 size, const u32* slots, u32 count);
LAPWING_HOST(module_release) void module_release(const u32* slots, u32 count);
LAPWING_HOST(module_milliseconds) double module_milliseconds();
LAPWING_HOST(table_grow) u32 table_grow(u32 count);

bool WasmModuleHost::install(std::span<const u8> bytes, std::span<const u32> slots) {
  return module_install(bytes.data(), static_cast<u32>(bytes.size()), slots.data(),
                        static_cast<u32>(slots.size())) != 0;
}

void WasmModuleHost::release(std::span<const u32> slots) {
  module_release(slots.data(), static_cast<u32>(slots.size()));
}

u32 WasmModuleHost::grow_table(u32 count) {
  return table_grow(count);
}

double WasmModuleHost::milliseconds() {
  return module_milliseconds();
}

u32 WasmModuleHost::call(u32 slot, CpuState& state) {
  using Function = u32 (*)(CpuState*);
  return reinterpret_cast<Function>(slot)(&state);
}

#define LAPWING_HELPER(name) extern "C" __attribute__((export_name("lwj_" #name)))

LAPWING_HELPER(call_handler)
u32 lwj_call_handler(CpuState* state, const Block* block, const Instruction* in) {
  return call_handler(state, block, in);
}

LAPWING_HELPER(store_flags)
void lwj_store_flags(CpuState* state, u32 kind, u64 a, u64 b, u64 r, u32 c) {
  store_lazy_flags(*state, {kind, a, b, r, c});
}

LAPWING_HELPER(condition)
u32 lwj_condition(CpuState* state, u32 kind, u64 a, u64 b, u64 r, u32 c, u32 code) {
  return lazy_condition(*state, {kind, a, b, r, c}, code) ? 1 : 0;
}

LAPWING_HELPER(x87)
u64 lwj_x87(CpuState* state, u32 operation, u64 a, u32 a_exponent, u64 b, u32 b_exponent) {
  return x87::compute(*state, operation, a, a_exponent, b, b_exponent);
}

}  // namespace lapwing
#endif
