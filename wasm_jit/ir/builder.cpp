#include "wasm_jit/ir/builder.h"

#include <bit>
#include <cstring>
#include <utility>

#include "wasm_jit/ir/fold.h"

namespace lapwing::jit {

namespace {

constexpr std::size_t kMaxNodes = 30000;

// WebAssembly opcodes: lanes (that replace stands behind each), numbers as bits and back.
constexpr u32 kExtract32 = 27, kExtract64 = 29, kExtractF32 = 31, kExtractF64 = 33;
constexpr u8 kBits32 = 0xBC, kBits64 = 0xBD, kNumber32 = 0xBE, kNumber64 = 0xBF;

bool is_64(IrOp op) {
  const Type type = ir_op_info(op).type;
  if (type == Type::kI64) return true;
  return op >= IrOp::kEqz32 && op <= IrOp::kGeU64 &&
         (static_cast<u8>(op) - static_cast<u8>(IrOp::kEqz32)) % 2 == 1;
}

IrOp narrow_name(IrOp op) {
  return is_64(op) ? static_cast<IrOp>(static_cast<u8>(op) - 1) : op;
}

bool commutes(IrOp op32) {
  switch (op32) {
    case IrOp::kAdd32:
    case IrOp::kMul32:
    case IrOp::kAnd32:
    case IrOp::kOr32:
    case IrOp::kXor32:
    case IrOp::kEq32:
    case IrOp::kNe32: return true;
    default: return false;
  }
}

// The comparison that holds when `op` does not; kNop when there is none.
IrOp inverse(IrOp op) {
  const auto pair = [&](IrOp a, IrOp b) {
    if (op == a) return b;
    if (op == b) return a;
    return IrOp::kNop;
  };
  constexpr std::pair<IrOp, IrOp> kPairs[] = {{IrOp::kEq32, IrOp::kNe32},   {IrOp::kEq64, IrOp::kNe64},
                                              {IrOp::kLtS32, IrOp::kGeS32}, {IrOp::kLtS64, IrOp::kGeS64},
                                              {IrOp::kLtU32, IrOp::kGeU32}, {IrOp::kLtU64, IrOp::kGeU64},
                                              {IrOp::kGtS32, IrOp::kLeS32}, {IrOp::kGtS64, IrOp::kLeS64},
                                              {IrOp::kGtU32, IrOp::kLeU32}, {IrOp::kGtU64, IrOp::kLeU64}};
  for (const auto& [a, b] : kPairs) {
    if (const IrOp other = pair(a, b); other != IrOp::kNop) return other;
  }
  return IrOp::kNop;
}

}  // namespace

void Builder::start(IrBlock& block) {
  block_ = &block;
  forget_variables();
}

void Builder::forget_variables() {
  for (Value& value : current_) value = kNoValue;
}

Value Builder::append(const Node& node) {
  if (block_->nodes.size() >= kMaxNodes) {
    overflowed_ = true;
    block_->nodes.clear();
    forget_variables();
  }
  block_->nodes.push_back(node);
  return static_cast<Value>(block_->nodes.size() - 1);
}

Value Builder::append(IrOp op, Type type, u64 imm) {
  Node node;
  node.op = op;
  node.type = type;
  node.imm = imm;
  return append(node);
}

Value Builder::c32(u32 value) {
  return append(IrOp::kConst32, Type::kI32, value);
}

Value Builder::c64(u64 value) {
  return append(IrOp::kConst64, Type::kI64, value);
}

bool Builder::is_constant(Value value) const {
  return node(value).op == IrOp::kConst32 || node(value).op == IrOp::kConst64;
}

// How many low bits of a 32-bit value can be set.
unsigned Builder::known_bits(Value value) const {
  const Node& n = node(value);
  if (n.type != Type::kI32) return 64;
  if (n.op >= IrOp::kEqz32 && n.op <= IrOp::kGeU64) return 1;
  switch (n.op) {
    case IrOp::kConst32: return static_cast<unsigned>(std::bit_width(static_cast<u32>(n.imm)));
    case IrOp::kGuestLoad:
    case IrOp::kHostLoad: return static_cast<unsigned>(8 * n.imm);
    case IrOp::kCondition: return 1;
    case IrOp::kAnd32: {
      const unsigned a = known_bits(n.arguments[0]);
      const unsigned b = known_bits(n.arguments[1]);
      return a < b ? a : b;
    }
    case IrOp::kShrU32:
      return is_constant(n.arguments[1]) ? 32 - static_cast<unsigned>(node(n.arguments[1]).imm & 31) : 32;
    default: return 32;
  }
}

Value Builder::unary(IrOp op, Value a) {
  u64 result;
  const Type type = ir_op_info(op).type;
  if (is_constant(a) && evaluate(op, constant(a), 0, result))
    return type == Type::kI64 ? c64(result) : c32(static_cast<u32>(result));
  const Node& inner = node(a);
  if (op == IrOp::kWrap && (inner.op == IrOp::kExtendU || inner.op == IrOp::kExtendS))
    return inner.arguments[0];
  if (op == IrOp::kEqz32) {
    if (const IrOp other = inverse(inner.op); other != IrOp::kNop)
      return binary(other, inner.arguments[0], inner.arguments[1]);
  }
  Node n;
  n.op = op;
  n.type = type;
  n.argument_count = 1;
  n.arguments[0] = a;
  return append(n);
}

// x op x, and constants on the right.
Value Builder::fold_identity(IrOp op, Value a, Value b) {
  const bool is_wide = is_64(op);
  const IrOp name = narrow_name(op);
  const auto zero = [&] { return is_wide ? c64(0) : c32(0); };
  if (a == b) {
    if (name == IrOp::kAnd32 || name == IrOp::kOr32) return a;
    if (name == IrOp::kXor32 || name == IrOp::kSub32) return zero();
  }
  if (!is_constant(b)) return kNoValue;
  const u64 c = constant(b);
  const u64 ones = is_wide ? ~0ull : 0xFFFFFFFFull;
  switch (name) {
    case IrOp::kAdd32:
    case IrOp::kSub32:
    case IrOp::kOr32:
    case IrOp::kXor32:
    case IrOp::kShl32:
    case IrOp::kShrS32:
    case IrOp::kShrU32:
    case IrOp::kRotl32:
    case IrOp::kRotr32:
      if (c == 0) return a;
      break;
    case IrOp::kMul32:
      if (c == 1) return a;
      break;
    case IrOp::kAnd32:
      if (c == ones) return a;
      if (c == 0) return zero();
      if (!is_wide && std::has_single_bit(c + 1) && known_bits(a) <= static_cast<unsigned>(std::bit_width(c)))
        return a;
      break;
    default: break;
  }
  if (name == IrOp::kSub32)
    return binary(is_wide ? IrOp::kAdd64 : IrOp::kAdd32, a, is_wide ? c64(-c) : c32(static_cast<u32>(-c)));
  // (x op c1) op c2.
  const Node inner = node(a);
  if (inner.op == op && is_constant(inner.arguments[1])) {
    const u64 c1 = constant(inner.arguments[1]);
    u64 both;
    if ((name == IrOp::kAdd32 || name == IrOp::kAnd32) && evaluate(op, c1, c, both)) {
      return binary(op, inner.arguments[0], is_wide ? c64(both) : c32(static_cast<u32>(both)));
    }
  }
  return kNoValue;
}

Value Builder::binary(IrOp op, Value a, Value b) {
  const Type type = ir_op_info(op).type;
  u64 result;
  if (is_constant(a) && is_constant(b) && evaluate(op, constant(a), constant(b), result))
    return type == Type::kI64 ? c64(result) : c32(static_cast<u32>(result));
  if (is_constant(a) && commutes(narrow_name(op))) std::swap(a, b);
  if (op < IrOp::kMulHighU) {
    if (const Value folded = fold_identity(op, a, b); folded != kNoValue) return folded;
  }
  Node n;
  n.op = op;
  n.type = type;
  n.argument_count = 2;
  n.arguments[0] = a;
  n.arguments[1] = b;
  return append(n);
}

Value Builder::select(Value if_true, Value if_false, Value condition) {
  if (is_constant(condition)) return constant(condition) != 0 ? if_true : if_false;
  if (if_true == if_false) return if_true;
  const Type type = type_of(if_true);
  Node n;
  n.op = type == Type::kI64 ? IrOp::kSelect64 : IrOp::kSelect32;
  n.type = type;
  n.argument_count = 3;
  n.arguments[0] = if_true;
  n.arguments[1] = if_false;
  n.arguments[2] = condition;
  return append(n);
}

Value Builder::read(Var var) {
  if (current_[var] == kNoValue) current_[var] = append(IrOp::kReadVar, function_.type_of(var), var);
  return current_[var];
}

void Builder::write(Var var, Value value) {
  if (current_[var] == value) return;
  Node n;
  n.op = IrOp::kWriteVar;
  n.argument_count = 1;
  n.arguments[0] = value;
  n.imm = var;
  append(n);
  current_[var] = value;
}

Value Builder::entry_rip() {
  return append(IrOp::kEntryRip, Type::kI64, 0);
}

Value Builder::load_state(Type type, u32 offset) {
  return append(IrOp::kLoadState, type, offset);
}

void Builder::store_state(u32 offset, Value value) {
  Node n;
  n.op = IrOp::kStoreState;
  n.argument_count = 1;
  n.arguments[0] = value;
  n.imm = offset;
  append(n);
}

Value Builder::guest_load(Type type, unsigned size, Value address, u32 exit) {
  Node n;
  n.op = IrOp::kGuestLoad;
  n.type = type;
  n.argument_count = 1;
  n.arguments[0] = address;
  n.imm = size;
  n.exit = exit;
  return append(n);
}

void Builder::guest_store(unsigned size, Value address, Value value, u32 exit) {
  Node n;
  n.op = IrOp::kGuestStore;
  n.argument_count = 2;
  n.arguments[0] = address;
  n.arguments[1] = value;
  n.imm = size;
  n.exit = exit;
  append(n);
}

Value Builder::guest_place(unsigned size, Value address, u32 exit, bool is_read) {
  Node n;
  n.op = IrOp::kGuestPlace;
  n.type = Type::kI32;
  n.argument_count = 1;
  n.arguments[0] = address;
  n.imm = size;
  n.imm_high = is_read ? 1 : 0;
  n.exit = exit;
  return append(n);
}

Value Builder::host_load(Type type, unsigned size, Value host) {
  Node n;
  n.op = IrOp::kHostLoad;
  n.type = type;
  n.argument_count = 1;
  n.arguments[0] = host;
  n.imm = size;
  return append(n);
}

void Builder::host_store(unsigned size, Value host, Value value) {
  Node n;
  n.op = IrOp::kHostStore;
  n.argument_count = 2;
  n.arguments[0] = host;
  n.arguments[1] = value;
  n.imm = size;
  append(n);
}

void Builder::exit_if(Value condition, u32 exit) {
  if (is_constant(condition) && constant(condition) == 0) return;
  Node n;
  n.op = IrOp::kExitIf;
  n.argument_count = 1;
  n.arguments[0] = condition;
  n.exit = exit;
  append(n);
}

void Builder::exit_unless(Value likely, Value otherwise, u32 exit) {
  Node n;
  n.op = IrOp::kExitUnless;
  n.argument_count = 2;
  n.arguments[0] = likely;
  n.arguments[1] = otherwise;
  n.exit = exit;
  append(n);
}

void Builder::budget(u32 count, u32 exit) {
  Node n;
  n.op = IrOp::kBudget;
  n.imm = count;
  n.exit = exit;
  append(n);
}

void Builder::fetch_check(Value rip, u64 physical_page, u32 exit) {
  Node n;
  n.op = IrOp::kFetchCheck;
  n.argument_count = 2;
  n.arguments[0] = rip;
  n.arguments[1] = c64(physical_page);
  n.exit = exit;
  append(n);
}

Value Builder::condition(unsigned code, const Value (&flags)[5]) {
  Node n;
  n.op = IrOp::kCondition;
  n.type = Type::kI32;
  n.argument_count = 5;
  for (unsigned i = 0; i < 5; ++i) n.arguments[i] = flags[i];
  n.imm = code;
  return append(n);
}

void Builder::store_flags(const Value (&flags)[5]) {
  Node n;
  n.op = IrOp::kStoreFlags;
  n.argument_count = 5;
  for (unsigned i = 0; i < 5; ++i) n.arguments[i] = flags[i];
  append(n);
}

Value Builder::call(u32 callee, u32 constant, std::initializer_list<Value> arguments) {
  Node n;
  n.op = IrOp::kCall;
  n.type = Type::kI32;
  n.imm = callee;
  n.imm_high = constant;
  for (const Value argument : arguments) n.arguments[n.argument_count++] = argument;
  return append(n);
}

Value Builder::call_handler(u64 block, u64 instruction) {
  Node n;
  n.op = IrOp::kCallHandler;
  n.type = Type::kI32;
  n.imm = block;
  n.imm_high = instruction;
  return append(n);
}

Builder::X87Value Builder::x87(u32 callee, u32 constant, std::initializer_list<X87Value> arguments) {
  Node n;
  n.op = IrOp::kX87;
  n.type = Type::kI64;
  n.imm = callee;
  n.imm_high = constant;
  for (const X87Value& argument : arguments) {
    n.arguments[n.argument_count++] = argument.significand;
    n.arguments[n.argument_count++] = argument.exponent;
  }
  const Value significand = append(n);
  return {significand, append(IrOp::kX87High, Type::kI32, 0)};
}

void Builder::x87_spill() {
  append(IrOp::kX87Spill, Type::kVoid, 0);
}

void Builder::x87_reload(u32 top) {
  append(IrOp::kX87Reload, Type::kVoid, top);
  for (unsigned var = 0; var < kVarCount; ++var) {
    if (is_x87(static_cast<Var>(var))) current_[var] = kNoValue;
  }
}

Value Builder::const128(u64 low, u64 high) {
  Node n;
  n.op = IrOp::kConst128;
  n.type = Type::kV128;
  n.imm = low;
  n.imm_high = high;
  return append(n);
}

Value Builder::simd(u32 opcode, Type type, Value a, Value b, Value c, u8 lane) {
  // The lane that was just put there. Floating-point lanes stay where they are: bits of a number become its
  // lane.
  if (opcode == kExtract32 || opcode == kExtract64 || opcode == kExtractF32 || opcode == kExtractF64) {
    const Node from = node(a);
    const u64 at = u64{lane} << 16;
    if (from.op == IrOp::kSimd && from.imm == ((u64{opcode} + 1) | at)) return from.arguments[1];
    if (opcode == kExtract64 && from.op == IrOp::kSimd && from.imm == ((u64{kExtractF64} + 1) | at))
      return float_op(kBits64, Type::kI64, from.arguments[1]);
    if (opcode == kExtract32 && from.op == IrOp::kSimd && from.imm == ((u64{kExtractF32} + 1) | at))
      return float_op(kBits32, Type::kI32, from.arguments[1]);
  }
  if ((opcode == kExtract32 + 1 || opcode == kExtract64 + 1) && node(b).op == IrOp::kFloat) {
    const Node bits = node(b);
    const bool is_double = opcode == kExtract64 + 1;
    if (bits.imm == (is_double ? kBits64 : kBits32))
      return simd(is_double ? kExtractF64 + 1 : kExtractF32 + 1, type, a, bits.arguments[0], kNoValue, lane);
  }
  Node n;
  n.op = IrOp::kSimd;
  n.type = type;
  for (const Value v : {a, b, c}) {
    if (v != kNoValue) n.arguments[n.argument_count++] = v;
  }
  n.imm = opcode | u32{lane} << 16;
  return append(n);
}

Value Builder::float_op(u8 opcode, Type type, Value a, Value b) {
  // Bits that were a number of this type before, or a lane.
  if (opcode == kNumber32 || opcode == kNumber64) {
    const Node from = node(a);
    const bool is_double = opcode == kNumber64;
    if (from.op == IrOp::kFloat && from.imm == (is_double ? kBits64 : kBits32)) return from.arguments[0];
    if (from.op == IrOp::kSimd && (from.imm & 0xFFFF) == (is_double ? kExtract64 : kExtract32))
      return simd(is_double ? kExtractF64 : kExtractF32, type, from.arguments[0], kNoValue, kNoValue,
                  static_cast<u8>(from.imm >> 16));
  }
  const Value v = simd(opcode, type, a, b);
  block_->nodes[v].op = IrOp::kFloat;
  return v;
}

Value Builder::shuffle(Value a, Value b, const u8 (&lanes)[16]) {
  Node n;
  n.op = IrOp::kShuffle;
  n.type = Type::kV128;
  n.argument_count = 2;
  n.arguments[0] = a;
  n.arguments[1] = b;
  std::memcpy(&n.imm, lanes, 8);
  std::memcpy(&n.imm_high, lanes + 8, 8);
  return append(n);
}

}  // namespace lapwing::jit
