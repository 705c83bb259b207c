// x87: the usual instructions call the core's short forms (core/cpu/exec/x87_fast.h) with operands loaded and
// stores checked here; what those refuse is left to the interpreter. The rest go to their handlers.
#include "core/cpu/exec/x87_fast.h"

#include "wasm_jit/backend/module_builder.h"
#include "wasm_jit/frontend/families.h"

namespace lapwing::jit::family {

namespace {

using x87::Call;
using x87::Width;

u8 recorded_segment(const Instruction& in) {
  return in.segment == kFlat ? u8{kDs} : in.segment == kFlatStack ? u8{kSs} : in.segment;
}

Width float_width(unsigned size) {
  return size == 4 ? Width::kFloat32 : size == 8 ? Width::kFloat64 : Width::kFloat80;
}
Width integer_width(unsigned size) {
  return size == 2 ? Width::kInt16 : size == 4 ? Width::kInt32 : Width::kInt64;
}

bool is_integer(Op op) {
  switch (op) {
    case Op::FIADD:
    case Op::FIMUL:
    case Op::FISUB:
    case Op::FISUBR:
    case Op::FIDIV:
    case Op::FIDIVR:
    case Op::FICOM:
    case Op::FICOMP:
    case Op::FILD:
    case Op::FIST:
    case Op::FISTP:
    case Op::FISTTP: return true;
    default: return false;
  }
}

// What calls of the short forms are made of.
struct Operands {
  Translator& t;
  const Instruction& in;
  Call call{};
  Value offset = kNoValue;
  Value bits = kNoValue;

  Value c64(u64 value) const { return t.b().c64(value); }
  Value rip() const { return t.rip_of(in); }
  Value data_pointer() const {
    if (offset == kNoValue) return c64(0);
    return t.is_64_bit() ? offset : t.b().unary(IrOp::kExtendU, offset);
  }
  void locate() {
    call.segment = recorded_segment(in);
    call.width = is_integer(in.op) ? integer_width(in.operand_size) : float_width(in.operand_size);
    offset = t.effective_address(in);
  }
  // The memory operand, if there is one; 80-bit ones leave their upper part to the caller.
  void load() {
    bits = c64(0);
    if (!in.rm_is_memory()) return;
    locate();
    const unsigned size = in.operand_size == 10 ? 8 : in.operand_size;
    bits = t.load(size, in.segment, offset);
    if (size < 8) bits = t.b().unary(IrOp::kExtendU, bits);
  }
  Value finish(Callee callee, std::initializer_list<Value> arguments) const {
    const Value done = t.b().call(static_cast<u32>(callee), call.pack(), arguments);
    t.b().exit_if(t.b().unary(IrOp::kEqz32, done), t.here());
    return done;
  }
};

x87::Arithmetic arithmetic_of(Op op) {
  using x87::Arithmetic;
  switch (op) {
    case Op::FADD:
    case Op::FADDP:
    case Op::FIADD: return Arithmetic::kAdd;
    case Op::FMUL:
    case Op::FMULP:
    case Op::FIMUL: return Arithmetic::kMul;
    case Op::FSUB:
    case Op::FSUBP:
    case Op::FISUB: return Arithmetic::kSub;
    case Op::FSUBR:
    case Op::FSUBRP:
    case Op::FISUBR: return Arithmetic::kSubr;
    case Op::FDIV:
    case Op::FDIVP:
    case Op::FIDIV: return Arithmetic::kDiv;
    default: return Arithmetic::kDivr;
  }
}

bool arithmetic_pops(Op op) {
  return op == Op::FADDP || op == Op::FMULP || op == Op::FSUBP || op == Op::FSUBRP || op == Op::FDIVP ||
         op == Op::FDIVRP;
}

}  // namespace

bool x87_arithmetic(Translator& t, const Instruction& in) {
  Operands o{t, in};
  o.call.operation = static_cast<u8>(arithmetic_of(in.op));
  o.call.pops = arithmetic_pops(in.op) ? 1 : 0;
  const bool to_register = in.form == Form::kMR;
  if (to_register) o.call.destination = in.rm;
  if (!to_register && !in.rm_is_memory()) o.call.source = in.rm;
  o.load();
  o.finish(Callee::kX87Arithmetic, {o.bits, o.rip(), o.data_pointer()});
  return true;
}

bool x87_load(Translator& t, const Instruction& in) {
  Operands o{t, in};
  if (!in.rm_is_memory()) o.call.source = in.rm;
  o.load();
  Value high = t.b().c32(0);
  if (in.rm_is_memory() && in.operand_size == 10) {
    const Value behind = t.b().binary(wide(IrOp::kAdd32, t.is_64_bit()), o.offset, t.b().word(sizeof(u64)));
    high = t.load(2, in.segment, behind);
  }
  o.finish(Callee::kX87Load, {o.bits, high, o.rip(), o.data_pointer()});
  return true;
}

bool x87_store(Translator& t, const Instruction& in) {
  Operands o{t, in};
  o.call.pops = in.op == Op::FST || in.op == Op::FIST ? 0 : 1;
  o.call.truncates = in.op == Op::FISTTP;
  Value host = t.b().c32(0);
  if (in.rm_is_memory()) {
    o.locate();
    host = t.b().guest_place(in.operand_size, t.linear(in.segment, o.offset), t.here());
  } else {
    o.call.destination = in.rm;
  }
  o.finish(Callee::kX87Store, {host, o.rip(), o.data_pointer()});
  return true;
}

bool x87_compare(Translator& t, const Instruction& in) {
  Operands o{t, in};
  switch (in.op) {
    case Op::FCOMP:
    case Op::FICOMP:
    case Op::FUCOMP: o.call.pops = 1; break;
    case Op::FCOMPP:
    case Op::FUCOMPP: o.call.pops = 2; break;
    default: break;
  }
  o.call.quiet = in.op == Op::FUCOM || in.op == Op::FUCOMP || in.op == Op::FUCOMPP;
  const bool implicit = in.op == Op::FCOMPP || in.op == Op::FUCOMPP;
  if (implicit) {
    o.call.source = 1;
    o.bits = o.c64(0);
  } else {
    if (!in.rm_is_memory()) o.call.source = in.rm;
    o.load();
  }
  o.finish(Callee::kX87Compare, {o.bits, o.rip(), o.data_pointer()});
  return true;
}

bool x87_compare_flags(Translator& t, const Instruction& in) {
  Operands o{t, in};
  o.call.source = in.rm;
  o.call.quiet = in.op == Op::FUCOMI || in.op == Op::FUCOMIP;
  o.call.pops = in.op == Op::FCOMIP || in.op == Op::FUCOMIP ? 1 : 0;
  const Value order = o.finish(Callee::kX87CompareFlags, {o.rip()});
  Builder& b = t.b();
  const Value zf = b.binary(IrOp::kAnd32, b.binary(IrOp::kShrU32, order, b.c32(1)), b.c32(1));
  const Value cf = b.binary(IrOp::kShrU32, order, b.c32(2));
  // As set_cf_zf_only() in bit.cpp.
  const Value flip = b.binary(IrOp::kShl32, zf, b.c32(8));
  const Value carries = b.binary(IrOp::kMul32, cf, b.c32(0xC0000000));
  t.set_canonical(4, b.binary(IrOp::kXor32, zf, b.c32(1)), b.binary(IrOp::kOr32, flip, carries));
  return true;
}

bool x87_misc(Translator& t, const Instruction& in) {
  using x87::Misc;
  Operands o{t, in};
  Misc operation = Misc::kFrndint;
  switch (in.op) {
    case Op::FXCH:
      operation = Misc::kFxch;
      o.call.source = in.rm;
      break;
    case Op::FCHS: operation = Misc::kFchs; break;
    case Op::FABS: operation = Misc::kFabs; break;
    case Op::FSQRT: operation = Misc::kFsqrt; break;
    case Op::FLD1: operation = Misc::kFld1; break;
    case Op::FLDZ: operation = Misc::kFldz; break;
    default: break;
  }
  o.call.operation = static_cast<u8>(operation);
  o.finish(Callee::kX87Misc, {o.rip()});
  return true;
}

}  // namespace lapwing::jit::family
