#include "wasm_jit/ir/verifier.h"

namespace lapwing::jit {

namespace {

constexpr const char* kParameters[] = {
#define IMPORT(name, text, parameters, results) parameters,
#include "wasm_jit/backend/imports.inc"
#undef IMPORT
};

// Of a call's argument; CPU and constant come before the arguments.
Type parameter_type(u64 callee, unsigned index) {
  return kParameters[callee][2 + index] == 'i' ? Type::kI32 : Type::kI64;
}

// The type that argument `index` of a row with a WebAssembly opcode, or of another operation, must have;
// kAny: whatever.
Type argument_type(const Function& function, const Node& node, unsigned index) {
  const IrOp op = node.op;
  if (op >= IrOp::kSelect32 && op <= IrOp::kSelect64) return index == 2 ? Type::kI32 : node.type;
  if (op >= IrOp::kEqz32 && op <= IrOp::kGeU64) {
    const bool wide = (static_cast<u8>(op) - static_cast<u8>(IrOp::kEqz32)) % 2 != 0;
    return wide ? Type::kI64 : Type::kI32;
  }
  switch (op) {
    case IrOp::kWrap: return Type::kI64;
    case IrOp::kExtendS:
    case IrOp::kExtendU: return Type::kI32;
    case IrOp::kWriteVar: return function.type_of(static_cast<Var>(node.imm));
    case IrOp::kGuestLoad:
    case IrOp::kGuestPlace:
    case IrOp::kWriteSpan:
    case IrOp::kReadSpan: return function.word;
    case IrOp::kGuestStore: return index == 0 ? function.word : Type::kAny;
    case IrOp::kHostLoad: return Type::kI32;
    case IrOp::kHostStore: return index == 0 ? Type::kI32 : Type::kAny;
    case IrOp::kExitUnless:
    case IrOp::kExitIf: return Type::kI32;
    case IrOp::kFetchCheck: return Type::kI64;
    case IrOp::kStoreFlags:
    case IrOp::kCondition: return index == 0 || index == 4 ? Type::kI32 : function.word;
    case IrOp::kCall: return parameter_type(node.imm, index);
    case IrOp::kX87: return index % 2 == 0 ? Type::kI64 : Type::kI32;
    case IrOp::kShuffle: return Type::kV128;
    case IrOp::kStoreState:
    case IrOp::kSimd:
    case IrOp::kFloat: return Type::kAny;
    default: return ir_op_info(op).type;
  }
}

std::string verify_node(const Function& function, const IrBlock& block, std::size_t at) {
  const Node& node = block.nodes[at];
  const IrOpInfo& info = ir_op_info(node.op);
  const bool variable_arguments =
      node.op == IrOp::kSimd || node.op == IrOp::kFloat || node.op == IrOp::kCall || node.op == IrOp::kX87;
  if (!variable_arguments && node.argument_count != info.arguments) return "number of arguments";
  if (info.type != Type::kAny && info.type != node.type) return "type of the result";
  if (node.op == IrOp::kReadVar && node.type != function.type_of(static_cast<Var>(node.imm)))
    return "type of a variable";
  for (unsigned i = 0; i < node.argument_count; ++i) {
    if (node.arguments[i] >= at) return "use before definition";
    const Type type = block.nodes[node.arguments[i]].type;
    const Type wanted = argument_type(function, node, i);
    if (type == Type::kVoid || (wanted != Type::kAny && wanted != type))
      return std::string("type of an argument of ") + info.text;
  }
  return "";
}

}  // namespace

std::string verify(const Function& function) {
  for (std::size_t b = 0; b < function.blocks.size(); ++b) {
    const IrBlock& block = function.blocks[b];
    const std::string where = "block " + std::to_string(b);
    for (std::size_t i = 0; i < block.nodes.size(); ++i) {
      const std::string wrong = verify_node(function, block, i);
      if (!wrong.empty()) return where + ", value " + std::to_string(i) + ": " + wrong;
    }
    const Terminator& end = block.end;
    const bool has_value = end.kind == Terminator::Kind::kBranch || end.kind == Terminator::Kind::kExitNext ||
                           (end.kind == Terminator::Kind::kDispatch && end.value != kNoValue);
    if (has_value && end.value >= block.nodes.size()) return where + ": value of the terminator";
    if (has_value) {
      const Type wanted = end.kind == Terminator::Kind::kExitNext ? Type::kI64 : Type::kI32;
      if (block.nodes[end.value].type != wanted) return where + ": type of the terminator's value";
    }
    for (unsigned i = 0; i < end.target_count(); ++i) {
      if (end.targets[i] >= function.blocks.size()) return where + ": target";
    }
  }
  return "";
}

}  // namespace lapwing::jit
