#include "wasm_jit/ir/printer.h"
#include "core/hex.h"

namespace lapwing::jit {

namespace {

const char* type_name(Type type) {
  constexpr const char* kNames[] = {"", "i32", "i64", "v128", "f32", "f64", "any"};
  return kNames[static_cast<unsigned>(type)];
}

std::string short_hex(u64 value) {
  return (value < 10 ? "" : "0x") + hex(value);
}

std::string value_name(Value value) {
  return "%" + std::to_string(value);
}

std::string var_name(u64 var) {
  constexpr const char* kGprs[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                   "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
  constexpr const char* kFlags[] = {"flags.kind", "flags.a", "flags.b", "flags.r", "flags.c"};
  if (var < kVarFlagKind) return kGprs[var];
  if (var < kVarXmm) return kFlags[var - kVarFlagKind];
  if (var == kVarTarget) return "target";
  if (var >= kVarX87Base) {
    constexpr const char* kX87[] = {"base", "top", "valid", "status", "last", "ip", "segment", "dp"};
    return std::string("x87.") + kX87[var - kVarX87Base];
  }
  if (var >= kVarX87Exponent) return "exponent" + std::to_string(var - kVarX87Exponent);
  if (is_x87(static_cast<Var>(var))) return "significand" + std::to_string(var - kVarX87Significand);
  return "xmm" + std::to_string(var - kVarXmm);
}

// Addresses of decoded instructions differ from run to run, so a handler call does not show them.
std::string immediate(const Node& node) {
  switch (node.op) {
    case IrOp::kReadVar:
    case IrOp::kWriteVar: return " " + var_name(node.imm);
    case IrOp::kConst32:
    case IrOp::kConst64:
    case IrOp::kLoadState:
    case IrOp::kStoreState:
    case IrOp::kGuestLoad:
    case IrOp::kGuestStore:
    case IrOp::kGuestPlace:
    case IrOp::kWriteSpan:
    case IrOp::kReadSpan:
    case IrOp::kBudget:
    case IrOp::kX87:
    case IrOp::kX87Reload:
    case IrOp::kCondition:
    case IrOp::kSimd:
    case IrOp::kFloat: return " " + short_hex(node.imm);
    case IrOp::kHostLoad:
    case IrOp::kHostStore:
      return " " + short_hex(node.imm) + (node.imm_high == 0 ? "" : " +" + short_hex(node.imm_high));
    case IrOp::kConst128:
    case IrOp::kShuffle: return " " + short_hex(node.imm_high) + ":" + short_hex(node.imm);
    default: return "";
  }
}

std::string print_node(const Node& node, Value number) {
  std::string text = "  ";
  if (node.type != Type::kVoid) text += value_name(number) + ":" + type_name(node.type) + " = ";
  text += ir_op_info(node.op).text + immediate(node);
  for (unsigned i = 0; i < node.argument_count; ++i) {
    text += (i == 0 ? " " : ", ") + value_name(node.arguments[i]);
  }
  if (node.effect() == Effect::kExit) text += " -> " + short_hex(node.exit);
  return text + "\n";
}

std::string print_end(const Terminator& end) {
  const auto target = [&](unsigned i) { return "b" + std::to_string(end.targets[i]); };
  switch (end.kind) {
    case Terminator::Kind::kJump: return "  jump " + target(0) + "\n";
    case Terminator::Kind::kBranch:
      return "  branch " + value_name(end.value) + " ? " + target(0) + " : " + target(1) + "\n";
    case Terminator::Kind::kEnter: return "  enter\n";
    case Terminator::Kind::kDispatch:
      return "  to entry " + (end.value != kNoValue ? value_name(end.value) : std::to_string(end.exit)) +
             "\n";
    case Terminator::Kind::kExit: return "  exit " + short_hex(end.exit) + "\n";
    default: return "  exit_next " + value_name(end.value) + " -> " + short_hex(end.exit) + "\n";
  }
}

}  // namespace

std::string print(const Function& function) {
  std::string text;
  for (std::size_t b = 0; b < function.blocks.size(); ++b) {
    const IrBlock& block = function.blocks[b];
    text += "b" + std::to_string(b) + ":\n";
    for (std::size_t i = 0; i < block.nodes.size(); ++i) {
      if (block.nodes[i].op == IrOp::kNop) continue;
      text += print_node(block.nodes[i], static_cast<Value>(i));
    }
    text += print_end(block.end);
  }
  return text;
}

}  // namespace lapwing::jit
