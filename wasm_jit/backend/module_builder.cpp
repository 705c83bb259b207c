#include "wasm_jit/backend/module_builder.h"

#include <string>
#include <string_view>

#include "wasm_jit/backend/encoder.h"
#include "wasm_jit/backend/x87_functions.h"

namespace lapwing {

namespace jit {
namespace {

struct Import {
  std::string_view name;
  std::string_view parameters;
  std::string_view results;
};
constexpr Import kImports[] = {
#define IMPORT(name, text, parameters, results) {text, parameters, results},
#include "wasm_jit/backend/imports.inc"
#undef IMPORT
};
constexpr unsigned kImportCount = static_cast<unsigned>(Callee::kImportCount);

// Type indices: the imports' in order, then these.
constexpr u32 kRegionType = kImportCount, kMulHighType = kImportCount + 1, kX87Type = kImportCount + 2;

void function_type(Encoder& out, std::string_view parameters, std::string_view results) {
  const auto list = [&](std::string_view letters) {
    out.unsigned_number(letters.size());
    for (const char letter : letters) out.byte(letter == 'I' ? kWasmI64 : kWasmI32);
  };
  out.byte(0x60);
  list(parameters);
  list(results);
}

void section(Encoder& module, u8 id, const Encoder& content) {
  module.byte(id);
  module.unsigned_number(content.bytes.size());
  module.append(content.bytes);
}

// High half of a 64 x 64 bit product, by 32-bit halves. Locals 0, 1: factors; 2: low product, then middle
// sum; 3: first cross product, then its middle sum.
void mul_high_unsigned(Encoder& out) {
  const auto half = [&](u32 local, bool high) {
    out.op(WasmOp::kLocalGet, local);
    if (high) {
      out.i64_const(32);
      out.op(WasmOp::kI64ShrU);
    } else {
      out.i64_const(0xFFFFFFFF);
      out.op(WasmOp::kI64And);
    }
  };
  const auto product = [&](bool first_high, bool second_high) {
    half(0, first_high);
    half(1, second_high);
    out.op(WasmOp::kI64Mul);
  };
  // t = x1 * y0 + (x0 * y0 >> 32)
  product(true, false);
  product(false, false);
  out.i64_const(32);
  out.op(WasmOp::kI64ShrU);
  out.op(WasmOp::kI64Add);
  out.op(WasmOp::kLocalSet, 2);
  // u = x0 * y1 + (t & 0xFFFFFFFF)
  product(false, true);
  half(2, false);
  out.op(WasmOp::kI64Add);
  out.op(WasmOp::kLocalSet, 3);
  // x1 * y1 + (t >> 32) + (u >> 32)
  product(true, true);
  half(2, true);
  out.op(WasmOp::kI64Add);
  half(3, true);
  out.op(WasmOp::kI64Add);
}

std::vector<u8> mul_high_body(bool is_signed) {
  Encoder out;
  out.unsigned_number(1);
  out.unsigned_number(2);
  out.byte(kWasmI64);
  mul_high_unsigned(out);
  if (is_signed) {
    // Minus y where x is negative, and the other way round.
    for (const u32 local : {0u, 1u}) {
      out.op(WasmOp::kLocalGet, local);
      out.i64_const(63);
      out.op(WasmOp::kI64ShrS);
      out.op(WasmOp::kLocalGet, 1 - local);
      out.op(WasmOp::kI64And);
      out.op(WasmOp::kI64Sub);
    }
  }
  out.op(WasmOp::kEnd);
  return std::move(out.bytes);
}

Encoder type_section() {
  Encoder out;
  out.unsigned_number(kImportCount + 3);
  for (const Import& import : kImports) function_type(out, import.parameters, import.results);
  function_type(out, "i", "i");
  function_type(out, "II", "I");
  function_type(out, "iIiIi", "Ii");
  return out;
}

Encoder import_section() {
  Encoder out;
  out.unsigned_number(kImportCount + 1);
  out.name("e");
  out.name("m");
  out.byte(0x02);  // memory, of any size
  out.byte(0x00);
  out.byte(0x00);
  for (unsigned i = 0; i < kImportCount; ++i) {
    out.name("e");
    out.name(kImports[i].name);
    out.byte(0x00);
    out.unsigned_number(i);
  }
  return out;
}

}  // namespace
}  // namespace jit

unsigned ModuleBuilder::add(std::vector<u8> body, bool uses_x87) {
  uses_x87_ = uses_x87_ || uses_x87;
  bytes_ += body.size() + 8;
  bodies_.push_back(std::move(body));
  return count() - 1;
}

std::vector<u8> ModuleBuilder::finish() {
  using namespace jit;
  constexpr u32 kOwn = static_cast<u32>(Callee::kFirstRegion) - kImportCount;
  Encoder functions;
  functions.unsigned_number(bodies_.size() + kOwn);
  for (const u32 type : {kMulHighType, kMulHighType, kX87Type, kX87Type}) functions.unsigned_number(type);
  for (std::size_t i = 0; i < bodies_.size(); ++i) functions.unsigned_number(kRegionType);

  Encoder exports;
  exports.unsigned_number(bodies_.size());
  for (std::size_t i = 0; i < bodies_.size(); ++i) {
    exports.name(std::to_string(i));
    exports.byte(0x00);
    exports.unsigned_number(i + static_cast<u32>(Callee::kFirstRegion));
  }

  const std::vector<u8> kUnused{0, static_cast<u8>(WasmOp::kUnreachable), static_cast<u8>(WasmOp::kEnd)};
  Encoder code;
  code.unsigned_number(bodies_.size() + kOwn);
  const auto body = [&](const std::vector<u8>& bytes) {
    code.unsigned_number(bytes.size());
    code.append(bytes);
  };
  body(mul_high_body(false));
  body(mul_high_body(true));
  for (const bool adds : {true, false}) body(uses_x87_ ? x87_function(adds) : kUnused);
  for (const std::vector<u8>& bytes : bodies_) body(bytes);

  Encoder module;
  constexpr u8 kMagicAndVersion[] = {0x00, 0x61, 0x73, 0x6D, 0x01, 0x00, 0x00, 0x00};
  for (const u8 value : kMagicAndVersion) module.byte(value);
  section(module, 1, type_section());
  section(module, 2, import_section());
  section(module, 3, functions);
  section(module, 7, exports);
  section(module, 10, code);
  bodies_.clear();
  bytes_ = 0;
  uses_x87_ = false;
  return std::move(module.bytes);
}

}  // namespace lapwing
