// x87: register stack, status and pointers in region variables (ir.h), register numbers known statically.
// Loads, stores, moves and constants are done in place, addition and multiplication by functions of the
// module, the rest of arithmetic by x87::compute(). Each run of such instructions in a block begins with one
// test: x87 available, all exceptions masked, none pending, each register that is needed full or empty as it
// must be. What is rare (a denormal, infinite or NaN operand in memory, a store that overflows or is
// denormal) is left to the interpreter. Other x87 instructions go to their handlers. Intel SDM vol. 1, 8.1
// and 8.3.
#include "core/cpu/exec/x87.h"

#include "core/cpu/exec/x87_fast.h"
#include "wasm_jit/backend/module_builder.h"
#include "wasm_jit/frontend/families.h"

namespace lapwing::jit {

namespace {

using X87Value = Builder::X87Value;
using x87::Compute;

constexpr unsigned kStatusShift = 16;

bool is_between(Op op, Op first, Op last) {
  return op >= first && op <= last;
}

bool arithmetic_pops(Op op) {
  return op == Op::FADDP || op == Op::FMULP || op == Op::FSUBP || op == Op::FSUBRP || op == Op::FDIVP ||
         op == Op::FDIVRP;
}

unsigned compare_pops(Op op) {
  switch (op) {
    case Op::FCOMPP:
    case Op::FUCOMPP: return 2;
    case Op::FCOMP:
    case Op::FICOMP:
    case Op::FUCOMP:
    case Op::FCOMIP:
    case Op::FUCOMIP: return 1;
    default: return 0;
  }
}

// What an instruction does to the register stack.
struct Shape {
  u8 reads = 0;   // ST(i) that must be full
  u8 writes = 0;  // ST(i) that become full, before pops
  bool pushes = false;
  unsigned pops = 0;
};

// False: not one of those translated here.
bool shape_of(const Instruction& in, Shape& shape) {
  const Family family = family_of(in.op);
  const auto other = static_cast<u8>(in.rm < 8 ? 1u << in.rm : 0);
  if (family == family::x87_arithmetic) {
    shape = {.reads = static_cast<u8>(1 | other), .pops = arithmetic_pops(in.op) ? 1u : 0u};
  } else if (family == family::x87_load) {
    shape = {.reads = other, .pushes = true};
  } else if (family == family::x87_store) {
    shape = {.reads = 1, .writes = other, .pops = in.op == Op::FST || in.op == Op::FIST ? 0u : 1u};
  } else if (family == family::x87_compare) {
    const bool implicit = in.op == Op::FCOMPP || in.op == Op::FUCOMPP;
    const u8 second = implicit ? 2 : in.op == Op::FTST ? u8{0} : other;
    shape = {.reads = static_cast<u8>(1 | second), .pops = compare_pops(in.op)};
  } else if (family == family::x87_compare_flags) {
    shape = {.reads = static_cast<u8>(1 | other), .pops = compare_pops(in.op)};
  } else if (family == family::x87_exchange || family == family::x87_move_if) {
    shape = {.reads = static_cast<u8>(1 | other)};
  } else if (family == family::x87_unary) {
    shape = {.reads = 1};
  } else if (family == family::x87_constant) {
    shape = {.pushes = true};
  } else {
    return family == family::x87_control;
  }
  return true;
}

}  // namespace

// Register `n` must be full or empty.
bool X87Block::require(unsigned n, bool full) {
  const auto bit = static_cast<u8>(1u << n);
  if ((known & bit) != 0) return ((valid & bit) != 0) == full;
  known |= bit;
  if (full) valid |= bit;
  return true;
}

// False: a stack fault.
bool X87Block::apply(u8 reads, u8 writes, bool pushes, unsigned pops) {
  for (unsigned i = 0; i < 8; ++i) {
    if (bit_of(reads, i) && !require((top + i) & 7, true)) return false;
  }
  if (pushes) {
    top = (top - 1) & 7;
    if (!require(top, false)) return false;
    writes = 1;
  }
  for (unsigned i = 0; i < 8; ++i) {
    if (!bit_of(writes, i)) continue;
    known |= static_cast<u8>(1u << ((top + i) & 7));
    valid |= static_cast<u8>(1u << ((top + i) & 7));
  }
  for (; pops > 0; --pops) {
    valid &= static_cast<u8>(~(1u << top));
    top = (top + 1) & 7;
  }
  return true;
}

// What the run of instructions from here on needs at its start.
void Translator::x87_check() {
  X87Block needs{.top = x87_.top};
  const Block& block = *source_.blocks[block_].block;
  u8 mask = 0, full = 0;
  for (unsigned i = instruction_; i < block.count; ++i) {
    Shape shape;
    if (!shape_of(block.first[i], shape)) {
      if (family_of(block.first[i].op) == family::handler) break;
      continue;
    }
    // Registers that are written without being read first are not asked for.
    X87Block before = needs;
    const unsigned top = before.top;
    for (unsigned n = 0; n < 8; ++n) {
      if (bit_of(shape.reads, n)) before.require((top + n) & 7, true);
    }
    if (shape.pushes) before.require((top - 1) & 7, false);
    const auto asked = static_cast<u8>(before.known & ~needs.known);
    if (!needs.apply(shape.reads, shape.writes, shape.pushes, shape.pops)) break;
    mask |= asked;
    full |= asked & before.valid;
  }
  Builder& b = builder_;
  const Value cr0 = b.load_state(Type::kI32, kStateLayout.cr0);
  x87_.control = b.load_state(Type::kI32, kStateLayout.fpu_control);
  Value bad = b.binary(IrOp::kAnd32, cr0, b.c32(cr0::kEm | cr0::kTs));
  const auto also = [&](Value value) { bad = b.binary(IrOp::kOr32, bad, value); };
  const Value unmasked = b.binary(IrOp::kXor32, x87_.control, b.c32(kFpAllExceptions));
  also(b.binary(IrOp::kAnd32, unmasked, b.c32(kFpAllExceptions)));
  also(b.binary(IrOp::kAnd32, b.read(kVarX87Status), b.c32(u32{x87::kErrorSummary} << kStatusShift)));
  if (mask != 0) {
    const Value tested = b.binary(IrOp::kAnd32, b.read(kVarX87Valid), b.c32(mask));
    also(b.binary(IrOp::kXor32, tested, b.c32(full)));
  }
  b.exit_if(bad, here());
  x87_.checked = true;
  x87_.known = mask;
  x87_.valid = full;
}

void Translator::x87_spill() {
  builder_.x87_spill();
}

void Translator::x87_reload() {
  builder_.x87_reload(x87_.top);
  x87_ = {.top = x87_.top};
}

// `way` leads to `target`: with the registers numbered as there, if the two blocks differ. The first edge to
// a block decides how it numbers them.
BlockId Translator::x87_edge(BlockId target, BlockId way) {
  u8& top = x87_top_at_[target];
  if (top == kNoTop) top = static_cast<u8>(x87_.top);
  if (top == x87_.top) return way;
  IrBlock block;
  Builder b(function_);
  b.start(block);
  x87_renumber(b, top);
  block.end = Terminator{.kind = Terminator::Kind::kJump, .targets = {way, kNoBlock}};
  return add_block(std::move(block));
}

void Translator::x87_renumber(Builder& b, unsigned to) {
  const unsigned by = (x87_.top - to) & 7;
  Value values[16];
  for (unsigned i = 0; i < 16; ++i)
    values[i] = b.read(static_cast<Var>(kVarX87Significand + (i & 8) + ((i + by) & 7)));
  for (unsigned i = 0; i < 16; ++i) b.write(static_cast<Var>(kVarX87Significand + i), values[i]);
  const Value base = b.binary(IrOp::kAdd32, b.read(kVarX87Base), b.c32(by));
  b.write(kVarX87Base, b.binary(IrOp::kAnd32, base, b.c32(7)));
  const Value twice = b.binary(IrOp::kMul32, b.read(kVarX87Valid), b.c32(0x101));
  b.write(kVarX87Valid, b.binary(IrOp::kAnd32, b.binary(IrOp::kShrU32, twice, b.c32(by)), b.c32(0xFF)));
  b.write(kVarX87Top, b.c32(to));
}

i64 Translator::delta_of(const Instruction& in) const {
  return source_.blocks[block_].rip_delta + static_cast<i64>(in.offset);
}

namespace family {

namespace {

// One instruction at work.
struct Work {
  Translator& t;
  const Instruction& in;
  Builder& b = t.b();
  Value offset = kNoValue;

  // False: it faults, or its place cannot be recorded.
  bool begin() {
    const i64 delta = t.delta_of(in);
    if (delta != static_cast<i32>(delta) || static_cast<u32>(delta) == kNoX87Ip) return false;
    if (!t.x87().checked) t.x87_check();
    Shape shape;
    shape_of(in, shape);
    X87Block after = t.x87();
    const u8 known = after.known;
    return after.apply(shape.reads, shape.writes, shape.pushes, shape.pops) &&
           (after.known & ~known & ~writes_of(shape)) == 0;
  }
  u8 writes_of(const Shape& shape) const {
    unsigned mask = 0;
    for (unsigned i = 0; i < 8; ++i) {
      if (bit_of(shape.writes, i)) mask |= 1u << ((t.x87().top + i) & 7);
    }
    return static_cast<u8>(mask);
  }

  Var number(unsigned i) const { return static_cast<Var>((t.x87().top + i) & 7); }
  X87Value st(unsigned i) const {
    return {b.read(static_cast<Var>(kVarX87Significand + number(i))),
            b.read(static_cast<Var>(kVarX87Exponent + number(i)))};
  }
  void set(unsigned i, X87Value value) {
    b.write(static_cast<Var>(kVarX87Significand + number(i)), value.significand);
    b.write(static_cast<Var>(kVarX87Exponent + number(i)), value.exponent);
  }
  X87Value number(u64 significand, u32 exponent) const { return {b.c64(significand), b.c32(exponent)}; }

  // Moves the stack's top as the instruction says: before a result is pushed, behind everything else.
  void move() {
    Shape shape;
    shape_of(in, shape);
    X87Block& x87 = t.x87();
    const X87Block before = x87;
    x87.apply(shape.reads, shape.writes, shape.pushes, shape.pops);
    const auto filled = static_cast<u8>(x87.valid & ~(before.valid & before.known));
    const auto emptied = static_cast<u8>(before.valid & ~x87.valid);
    if (filled != 0) b.write(kVarX87Valid, b.binary(IrOp::kOr32, b.read(kVarX87Valid), b.c32(filled)));
    if (emptied != 0)
      b.write(kVarX87Valid, b.binary(IrOp::kAnd32, b.read(kVarX87Valid), b.c32(0xFFu & ~emptied)));
    if (x87.top != before.top) b.write(kVarX87Top, b.c32(x87.top));
  }
  void push(X87Value value) {
    move();
    set(0, value);
  }

  // The last instruction's place and operand.
  void record() {
    b.write(kVarX87Ip, b.c32(static_cast<u32>(t.delta_of(in))));
    if (offset == kNoValue) return;
    const u8 segment = in.segment == kFlat ? u8{kDs} : in.segment == kFlatStack ? u8{kSs} : in.segment;
    b.write(kVarX87Dp, offset);
    b.write(kVarX87Segment, b.c32(kStateLayout.segment + segment * kStateLayout.segment_size +
                                  kStateLayout.segment_selector));
  }
  void retire() {
    record();
    b.write(kVarX87Last, b.c32(0));
  }
  // With exceptions and C1.
  void retire(Value high) {
    record();
    b.write(kVarX87Last, high);
    note(high);
  }
  void note(Value high) { b.write(kVarX87Status, b.binary(IrOp::kOr32, b.read(kVarX87Status), high)); }

  Value op(IrOp what, Value x, u64 y) const {
    return b.binary(what, x, b.type_of(x) == Type::kI64 ? b.c64(y) : b.c32(static_cast<u32>(y)));
  }
  void locate() { offset = t.effective_address(in); }
  Value load() {
    locate();
    return t.load(in.operand_size, in.segment, offset);
  }

  X87Value compute(Compute what, std::initializer_list<X87Value> arguments, u32 flags = 0) const {
    return b.x87(static_cast<u32>(Callee::kX87), static_cast<u32>(what) | flags, arguments);
  }
  X87Value module_function(Callee callee, X87Value x, X87Value y) const {
    t.calls_x87();
    return b.x87(static_cast<u32>(callee), 0, {x, y});
  }
  X87Value subtract(X87Value x, X87Value y) const {
    return module_function(Callee::kX87Add, x, {y.significand, op(IrOp::kXor32, y.exponent, 0x80008000)});
  }

  // A zero or normal number of IEEE format.
  X87Value widened(Value bits) const {
    const bool is_double = in.operand_size == 8;
    const unsigned fraction = is_double ? 52 : 23;
    const u64 special = is_double ? 0x7FF : 0xFF;
    const auto sized = [&](IrOp what) { return wide(what, is_double); };
    const Value magnitude = op(sized(IrOp::kShl32), bits, 1);
    const Value zero = b.unary(sized(IrOp::kEqz32), magnitude);
    const Value above = op(sized(IrOp::kSub32), magnitude, u64{1} << (fraction + 1));
    const Value normal = op(sized(IrOp::kLtU32), above, (special - 1) << (fraction + 1));
    b.exit_if(b.unary(IrOp::kEqz32, b.binary(IrOp::kOr32, normal, zero)), t.here());
    const auto narrow = [&](Value value) { return is_double ? b.unary(IrOp::kWrap, value) : value; };
    const Value biased = narrow(op(sized(IrOp::kShrU32), magnitude, fraction + 1));
    const Value sign = op(IrOp::kAnd32, narrow(op(sized(IrOp::kShrU32), bits, is_double ? 48 : 16)), 0x8000);
    const Value exponent = op(IrOp::kAdd32, biased, float80::kBias - (special >> 1));
    const Value whole = is_double ? bits : b.unary(IrOp::kExtendU, bits);
    const Value significand = op(IrOp::kOr64, op(IrOp::kShl64, whole, 63 - fraction), float80::kIntegerBit);
    return {b.select(b.c64(0), significand, zero),
            b.binary(IrOp::kOr32, b.select(b.c32(0), exponent, zero), sign)};
  }

  X87Value from_integer(Value value) const {
    if (in.operand_size == 2) value = b.unary(IrOp::kSext1632, value);
    if (in.operand_size < 8) value = b.unary(IrOp::kExtendS, value);
    const Value negative = op(IrOp::kShrS64, value, 63);
    const Value magnitude = b.binary(IrOp::kSub64, b.binary(IrOp::kXor64, value, negative), negative);
    const Value zeros = b.unary(IrOp::kClz64, magnitude);
    const Value exponent = b.binary(IrOp::kSub32, b.c32(float80::kBias + 63), b.unary(IrOp::kWrap, zeros));
    const Value sign = op(IrOp::kAnd32, b.unary(IrOp::kWrap, negative), 0x8000);
    const Value zero = b.unary(IrOp::kEqz64, value);
    return {b.binary(IrOp::kShl64, magnitude, zeros),
            b.select(b.c32(0), b.binary(IrOp::kOr32, exponent, sign), zero)};
  }

  // To IEEE format, rounded to nearest; what is neither zero nor plainly normal there is left to the
  // interpreter.
  Value narrowed(X87Value from, Value& high) const {
    const bool is_double = in.operand_size == 8;
    const unsigned fraction = is_double ? 52 : 23, lost_bits = 63 - fraction;
    const u64 special = is_double ? 0x7FF : 0xFF;
    const Value field = op(IrOp::kAnd32, from.exponent, 0x7FFF);
    const Value zero =
        b.binary(IrOp::kAnd32, b.unary(IrOp::kEqz64, from.significand), b.unary(IrOp::kEqz32, field));
    // Exponent in the new format, less one.
    const Value exponent = op(IrOp::kSub32, field, float80::kBias - (special >> 1) + 1);
    const Value outside = op(IrOp::kGeU32, exponent, special - 2);
    const Value abnormal = b.binary(IrOp::kOr32, outside, op(IrOp::kGeS64, from.significand, 0));
    const Value bad = b.binary(IrOp::kAnd32, abnormal, b.unary(IrOp::kEqz32, zero));
    b.exit_if(b.binary(IrOp::kOr32, bad, op(IrOp::kAnd32, t.x87().control, 0xC00)), t.here());
    const Value lost = op(IrOp::kAnd64, from.significand, (u64{1} << lost_bits) - 1);
    const Value kept = op(IrOp::kShrU64, from.significand, lost_bits);
    const Value half = op(IrOp::kAdd64, lost, (u64{1} << (lost_bits - 1)) - 1);
    const Value up = op(IrOp::kShrU64, b.binary(IrOp::kAdd64, half, op(IrOp::kAnd64, kept, 1)), lost_bits);
    const Value inexact = op(IrOp::kShl32, op(IrOp::kNe64, lost, 0), kStatusShift + 5);
    high = b.binary(IrOp::kOr32, inexact, op(IrOp::kShl32, b.unary(IrOp::kWrap, up), kStatusShift + 9));
    const Value rounded = b.binary(IrOp::kAdd64, kept, up);
    const Value sign = op(IrOp::kAnd32, from.exponent, 0x8000);
    const Value part = op(IrOp::kShl64, b.unary(IrOp::kExtendU, exponent), fraction);
    const Value magnitude = b.select(b.c64(0), b.binary(IrOp::kAdd64, part, rounded), zero);
    if (is_double)
      return b.binary(IrOp::kOr64, magnitude, op(IrOp::kShl64, b.unary(IrOp::kExtendU, sign), 48));
    return b.binary(IrOp::kOr32, b.unary(IrOp::kWrap, magnitude), op(IrOp::kShl32, sign, 16));
  }

  bool is_integer() const {
    switch (in.op) {
      case Op::FIADD:
      case Op::FIMUL:
      case Op::FISUB:
      case Op::FISUBR:
      case Op::FIDIV:
      case Op::FIDIVR:
      case Op::FICOM:
      case Op::FICOMP: return true;
      default: return false;
    }
  }
  // The second operand: memory or a register.
  X87Value source() {
    if (!in.rm_is_memory()) return st(in.rm);
    const Value bits = load();
    return is_integer() ? from_integer(bits) : widened(bits);
  }
};

}  // namespace

bool x87_arithmetic(Translator& t, const Instruction& in) {
  Work w{t, in};
  if (!w.begin()) return false;
  const bool to_register = in.form == Form::kMR;
  const X87Value destination = w.st(to_register ? in.rm : 0);
  const X87Value source = to_register ? w.st(0) : w.source();
  X87Value result;
  switch (in.op) {
    case Op::FADD:
    case Op::FADDP:
    case Op::FIADD: result = w.module_function(Callee::kX87Add, destination, source); break;
    case Op::FMUL:
    case Op::FMULP:
    case Op::FIMUL: result = w.module_function(Callee::kX87Multiply, destination, source); break;
    case Op::FSUB:
    case Op::FSUBP:
    case Op::FISUB: result = w.subtract(destination, source); break;
    case Op::FSUBR:
    case Op::FSUBRP:
    case Op::FISUBR: result = w.subtract(source, destination); break;
    case Op::FDIV:
    case Op::FDIVP:
    case Op::FIDIV: result = w.compute(Compute::kDivide, {destination, source}); break;
    default: result = w.compute(Compute::kDivide, {source, destination}); break;
  }
  w.set(to_register ? in.rm : 0, result);
  w.retire(result.exponent);
  w.move();
  return true;
}

bool x87_load(Translator& t, const Instruction& in) {
  Work w{t, in};
  if (!w.begin()) return false;
  X87Value value;
  if (!in.rm_is_memory()) {
    value = w.st(in.rm);
  } else if (in.op == Op::FILD) {
    value = w.from_integer(w.load());
  } else if (in.operand_size == 10) {
    w.locate();
    const Value host = w.b.guest_place(10, t.linear(in.segment, w.offset), t.here(), true);
    value.significand = w.b.host_load(Type::kI64, 8, host);
    value.exponent = w.b.host_load(Type::kI32, 2, w.op(IrOp::kAdd32, host, 8));
  } else {
    value = w.widened(w.load());
  }
  w.retire();
  w.push(value);
  return true;
}

bool x87_store(Translator& t, const Instruction& in) {
  Work w{t, in};
  if (!w.begin()) return false;
  const X87Value value = w.st(0);
  Value high = w.b.c32(0);
  if (!in.rm_is_memory()) {
    w.set(in.rm, value);
  } else if (in.operand_size == 10) {
    w.locate();
    const Value host = w.b.guest_place(10, t.linear(in.segment, w.offset), t.here());
    w.b.host_store(8, host, value.significand);
    w.b.host_store(2, w.op(IrOp::kAdd32, host, 8), value.exponent);
  } else {
    w.locate();
    const Value linear = t.linear(in.segment, w.offset);
    Value bits;
    if (in.op == Op::FST || in.op == Op::FSTP) {
      bits = w.narrowed(value, high);
    } else {
      const Compute to = in.operand_size == 2   ? Compute::kToInt16
                         : in.operand_size == 4 ? Compute::kToInt32
                                                : Compute::kToInt64;
      const X87Value integer = w.compute(to, {value}, in.op == Op::FISTTP ? x87::kTruncates : 0);
      high = integer.exponent;
      bits = in.operand_size == 8 ? integer.significand : w.b.unary(IrOp::kWrap, integer.significand);
    }
    w.b.guest_store(in.operand_size, linear, bits, t.here());
  }
  w.retire(high);
  w.move();
  return true;
}

bool x87_compare(Translator& t, const Instruction& in) {
  Work w{t, in};
  if (!w.begin()) return false;
  const bool quiet = is_between(in.op, Op::FUCOM, Op::FUCOMPP);
  const bool implicit = in.op == Op::FCOMPP || in.op == Op::FUCOMPP;
  const X87Value second = implicit ? w.st(1) : in.op == Op::FTST ? w.number(0, 0) : w.source();
  const Value high =
      w.compute(quiet ? Compute::kCompareQuiet : Compute::kCompare, {w.st(0), second}).exponent;
  constexpr u32 kCodes = u32{x87::kC0 | x87::kC2 | x87::kC3} << kStatusShift;
  w.b.write(kVarX87Status, w.op(IrOp::kAnd32, w.b.read(kVarX87Status), ~u64{kCodes}));
  w.retire();
  w.note(high);
  w.move();
  return true;
}

bool x87_compare_flags(Translator& t, const Instruction& in) {
  Work w{t, in};
  if (!w.begin()) return false;
  const bool quiet = in.op == Op::FUCOMI || in.op == Op::FUCOMIP;
  const Compute what = quiet ? Compute::kCompareQuiet : Compute::kCompare;
  const Value high = w.compute(what, {w.st(0), w.st(in.rm)}).exponent;
  const auto code = [&](u16 bit) { return w.op(IrOp::kAnd32, high, u64{bit} << kStatusShift); };
  w.b.exit_if(code(x87::kC2), t.here());
  const Value zf = w.op(IrOp::kAnd32, w.op(IrOp::kShrU32, high, kStatusShift + 14), 1);
  const Value cf = w.op(IrOp::kAnd32, w.op(IrOp::kShrU32, high, kStatusShift + 8), 1);
  // As set_cf_zf_only() in bit.cpp.
  const Value carries = w.op(IrOp::kMul32, cf, 0xC0000000);
  t.set_canonical(4, w.op(IrOp::kXor32, zf, 1), w.b.binary(IrOp::kOr32, w.op(IrOp::kShl32, zf, 8), carries));
  w.record();
  w.note(code(kFpAllExceptions));
  w.move();
  return true;
}

bool x87_exchange(Translator& t, const Instruction& in) {
  Work w{t, in};
  if (!w.begin()) return false;
  const X87Value first = w.st(0), second = w.st(in.rm);
  w.set(0, second);
  w.set(in.rm, first);
  w.retire();
  return true;
}

bool x87_move_if(Translator& t, const Instruction& in) {
  Work w{t, in};
  if (!w.begin()) return false;
  unsigned code = 2;
  switch (in.op) {
    case Op::FCMOVNB: code = 3; break;
    case Op::FCMOVE: code = 4; break;
    case Op::FCMOVNE: code = 5; break;
    case Op::FCMOVBE: code = 6; break;
    case Op::FCMOVNBE: code = 7; break;
    case Op::FCMOVU: code = 10; break;
    case Op::FCMOVNU: code = 11; break;
    default: break;
  }
  const Value taken = t.condition(code);
  const X87Value old = w.st(0), other = w.st(in.rm);
  w.set(0, {w.b.select(other.significand, old.significand, taken),
            w.b.select(other.exponent, old.exponent, taken)});
  w.record();
  return true;
}

bool x87_unary(Translator& t, const Instruction& in) {
  Work w{t, in};
  if (!w.begin()) return false;
  X87Value value = w.st(0);
  if (in.op == Op::FCHS || in.op == Op::FABS) {
    value.exponent = in.op == Op::FCHS ? w.op(IrOp::kXor32, value.exponent, 0x8000)
                                       : w.op(IrOp::kAnd32, value.exponent, 0x7FFF);
    w.retire();
  } else {
    value = w.compute(in.op == Op::FSQRT ? Compute::kSquareRoot : Compute::kRoundToInteger, {value});
    w.retire(value.exponent);
  }
  w.set(0, value);
  return true;
}

bool x87_constant(Translator& t, const Instruction& in) {
  Work w{t, in};
  if (!w.begin()) return false;
  w.retire();
  w.push(in.op == Op::FLD1 ? w.number(float80::kIntegerBit, float80::kBias) : w.number(0, 0));
  return true;
}

// FNSTSW, FNSTCW and FLDCW; they record nothing.
bool x87_control(Translator& t, const Instruction& in) {
  Work w{t, in};
  if (!w.begin()) return false;
  Builder& b = w.b;
  if (in.op == Op::FNSTCW) {
    t.write_rm(in, 2, t.x87().control);
  } else if (in.op == Op::FNSTSW) {
    constexpr u32 kElsewhere = x87::kC1 | x87::kTopMask;
    const auto part = [&](Var var, u32 mask) {
      return w.op(IrOp::kAnd32, w.op(IrOp::kShrU32, b.read(var), kStatusShift), mask);
    };
    const Value top = w.op(IrOp::kAnd32, w.op(IrOp::kAdd32, b.read(kVarX87Base), t.x87().top), 7);
    const Value flags =
        b.binary(IrOp::kOr32, part(kVarX87Status, 0xFFFF & ~kElsewhere), part(kVarX87Last, x87::kC1));
    t.write_rm(in, 2, b.binary(IrOp::kOr32, flags, w.op(IrOp::kShl32, top, x87::kTopShift)));
  } else {
    const Value value = w.load();
    const Value unmasked = w.op(IrOp::kXor32, value, kFpAllExceptions);
    b.exit_if(w.op(IrOp::kAnd32, unmasked, kFpAllExceptions), t.here());
    const Value legal = w.op(IrOp::kOr32, w.op(IrOp::kAnd32, value, x87::legal_control(0xFFFF)), 0x40);
    // The status word, which lies behind, stays.
    static_assert(kStateLayout.fpu_status == kStateLayout.fpu_control + 2);
    const Value both = b.load_state(Type::kI32, kStateLayout.fpu_control);
    t.x87().control = b.binary(IrOp::kOr32, w.op(IrOp::kAnd32, both, 0xFFFF0000), legal);
    b.store_state(kStateLayout.fpu_control, t.x87().control);
  }
  return true;
}

}  // namespace family
}  // namespace lapwing::jit
