#include "wasm_jit/backend/wasm_text.h"

#include "core/hex.h"
#include "wasm_jit/backend/module_builder.h"

namespace lapwing::jit {

namespace {

const char* plain_name(u64 code) {
  switch (code) {
#define NAME(code, text) \
  case code: return text;
#include "wasm_jit/backend/wasm_names.inc"
    default: return nullptr;
  }
}

const char* saturating_name(u64 code) {
  switch (code) {
#define NAME_FC(code, text) \
  case code: return text;
#include "wasm_jit/backend/wasm_names.inc"
    case 10: return "memory.copy";
    case 11: return "memory.fill";
    default: return nullptr;
  }
}

const char* simd_name(u64 code) {
  switch (code) {
#define NAME_FD(code, text) \
  case code: return text;
#include "wasm_jit/backend/wasm_names.inc"
    default: return nullptr;
  }
}

const char* type_name(u8 type) {
  switch (type) {
    case 0x7F: return "i32";
    case 0x7E: return "i64";
    case 0x7D: return "f32";
    case 0x7C: return "f64";
    default: return "v128";
  }
}

std::string callee_name(u64 index) {
  constexpr const char* kNames[] = {
#define IMPORT(name, text, ...) text,
#include "wasm_jit/backend/imports.inc"
#undef IMPORT
      "mul_high_u", "mul_high_s", "x87_add", "x87_multiply"};
  if (index < sizeof kNames / sizeof kNames[0]) return "$" + std::string(kNames[index]);
  return std::to_string(index);
}

class Printer {
 public:
  explicit Printer(const std::vector<u8>& body) : body_(body) {}

  std::string print() {
    u64 first = 1;  // behind $cpu
    for (u64 runs = unsigned_number(); runs > 0; --runs) {
      const u64 count = unsigned_number();
      text_ += "  (local $" + std::to_string(first);
      if (count > 1) text_ += "-$" + std::to_string(first + count - 1);
      text_ += " " + std::string(type_name(byte())) + ")\n";
      first += count;
    }
    while (at_ < body_.size()) instruction();
    return std::move(text_);
  }

 private:
  u8 byte() { return at_ < body_.size() ? body_[at_++] : u8{0}; }
  u64 unsigned_number() {
    u64 value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const u8 next = byte();
      value |= static_cast<u64>(next & 0x7F) << shift;
      if ((next & 0x80) == 0) break;
    }
    return value;
  }
  i64 signed_number() {
    u64 value = 0;
    for (unsigned shift = 0; shift < 70;) {
      const u8 next = byte();
      if (shift < 64) value |= static_cast<u64>(next & 0x7F) << shift;
      shift += 7;
      if ((next & 0x80) != 0) continue;
      if ((next & 0x40) != 0 && shift < 64) value |= ~0ull << shift;
      break;
    }
    return static_cast<i64>(value);
  }
  std::string memory_immediate() {
    unsigned_number();  // alignment
    const u64 offset = unsigned_number();
    return offset == 0 ? "" : " offset=" + std::to_string(offset);
  }
  std::string bytes(unsigned count) {
    std::string text;
    for (unsigned i = 0; i < count; ++i) text += " " + hex(byte(), 2);
    return text;
  }
  void line(const std::string& words) { text_ += std::string(2 * (depth_ + 1), ' ') + words + "\n"; }
  // block, loop, if: a block type of no result (40) or one value.
  void open(const char* word) {
    const u8 type = byte();
    line(type == 0x40 ? word : std::string(word) + " (result " + type_name(type) + ")");
    ++depth_;
  }
  void close() {
    if (depth_ > 0) --depth_;
    if (at_ < body_.size()) line("end");
  }
  void prefixed_saturating() {
    const u64 code = unsigned_number();
    const char* name = saturating_name(code);
    if (code == 10) bytes(2);
    if (code == 11) bytes(1);
    line(name != nullptr ? name : "fc " + std::to_string(code));
  }
  void prefixed_simd() {
    const u64 code = unsigned_number();
    const char* name = simd_name(code);
    std::string words = name != nullptr ? name : "fd " + std::to_string(code);
    if (code <= 0x0B || (code >= 0x54 && code <= 0x5D)) words += memory_immediate();
    if (code == 0x0C || code == 0x0D) words += bytes(16);
    if ((code >= 0x15 && code <= 0x22) || (code >= 0x54 && code <= 0x5B)) words += bytes(1);
    line(words);
  }
  void branch_table() {
    std::string words = "br_table";
    for (u64 targets = unsigned_number() + 1; targets > 0; --targets)
      words += " " + std::to_string(unsigned_number());
    line(words);
  }
  void instruction() {
    const u8 code = byte();
    const char* name = plain_name(code);
    const auto number = [this] { return std::to_string(unsigned_number()); };
    switch (code) {
      case 0x02: return open("block");
      case 0x03: return open("loop");
      case 0x04: return open("if");
      case 0x0B: return close();
      case 0x0C: return line("br " + number());
      case 0x0D: return line("br_if " + number());
      case 0x0E: return branch_table();
      case 0x10: return line("call " + callee_name(unsigned_number()));
      case 0x12: return line("return_call " + callee_name(unsigned_number()));
      case 0x11: {
        const std::string type = number();
        return line("call_indirect (type " + type + ") " + number());
      }
      case 0x20: return local("local.get ");
      case 0x21: return local("local.set ");
      case 0x22: return local("local.tee ");
      case 0x23: return line("global.get " + number());
      case 0x24: return line("global.set " + number());
      case 0x41: return line("i32.const " + std::to_string(signed_number()));
      case 0x42: return line("i64.const " + std::to_string(signed_number()));
      case 0x43: return line("f32.const" + bytes(4));
      case 0x44: return line("f64.const" + bytes(8));
      case 0xFC: return prefixed_saturating();
      case 0xFD: return prefixed_simd();
      default: break;
    }
    std::string words = name != nullptr ? name : "opcode " + std::to_string(code);
    if (code >= 0x28 && code <= 0x3E) words += memory_immediate();
    line(words);
  }
  void local(const char* word) {
    const u64 index = unsigned_number();
    line(word + (index == 0 ? "$cpu" : "$" + std::to_string(index)));
  }

  const std::vector<u8>& body_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  std::string text_;
};

}  // namespace

std::string wasm_text(const std::vector<u8>& body) {
  return Printer(body).print();
}

}  // namespace lapwing::jit
