// Availability of the FPU and vector units, exception delivery, and XSAVE areas.
#include "core/cpu/exec/handlers.h"
#include "core/cpu/exec/xsave.h"
#include "tests/guest/bare_machine.h"
#include "tests/unit/catch.h"

namespace lapwing::test {
namespace {

constexpr u64 kArea = 0x20000;

// One instruction with the memory operand [rbx] = kArea.
struct Runner {
  Runner() {
    machine.start_long(0x1000);
    machine.cpu.state.cr4 |= cr4::kOsxsave;
    machine.cpu.state.xcr0 = xsave::kX87 | xsave::kSse | xsave::kPkru;
    machine.cpu.state.gpr[kRbx] = kArea;
  }
  bool run(Op op, u8 operand_size = 8) {
    Instruction in;
    in.op = op;
    in.form = Form::kM;
    in.base = kRbx;
    in.operand_size = operand_size;
    in.code_size = 8;
    in.address_size = 8;
    return kGenericHandlers[static_cast<unsigned>(op)](machine.cpu, in);
  }
  bool faults(Op op, u8 vector, u8 operand_size = 8) {
    return !run(op, operand_size) && machine.cpu.fault().vector == vector;
  }
  void select(u64 components) {
    machine.cpu.state.gpr[kRax] = static_cast<u32>(components);
    machine.cpu.state.gpr[kRdx] = components >> 32;
  }
  u64 read(u64 offset) { return machine.memory.read(kArea + offset, 8); }
  void write(u64 offset, u64 value) { machine.memory.write(kArea + offset, value, 8); }

  BareMachine machine;
};

constexpr u64 kAll = xsave::kX87 | xsave::kSse | xsave::kPkru;

TEST_CASE("cr0 and cr4 decide which fault the fpu and sse raise") {
  Runner r;
  CpuState& s = r.machine.cpu.state;
  s.cr0 |= cr0::kTs;
  CHECK(r.faults(Op::FLD, kNM));
  CHECK(r.faults(Op::ADDPS, kNM));
  CHECK(r.faults(Op::PADDB, kNM));
  CHECK(r.faults(Op::FXSAVE, kNM));
  CHECK(r.faults(Op::FWAIT, kNM));
  s.cr0 &= ~cr0::kMp;
  CHECK(r.run(Op::FWAIT));
  s.cr0 = (s.cr0 & ~cr0::kTs) | cr0::kEm;
  CHECK(r.faults(Op::FLD, kNM));
  CHECK(r.faults(Op::ADDPS, kUD));
  CHECK(r.faults(Op::PADDB, kUD));
  s.cr0 &= ~cr0::kEm;
  s.cr4 &= ~cr4::kOsfxsr;
  CHECK(r.faults(Op::ADDPS, kUD));
  s.cr4 &= ~cr4::kOsxsave;
  CHECK(r.faults(Op::XSAVE, kUD));
}

TEST_CASE("an unmasked x87 exception waits for the next waiting instruction") {
  Runner r;
  CpuState& s = r.machine.cpu.state;
  s.fpu.control = 0x037B;  // ZE unmasked
  CHECK(r.run(Op::FLD1));
  CHECK(r.run(Op::FLDZ));
  Instruction divide;
  divide.op = Op::FDIVR;
  divide.form = Form::kRM;
  divide.rm = 1;
  CHECK(exec_FDIVR(r.machine.cpu, divide));
  CHECK((s.fpu.status & 0x8084) == 0x8084);
  CHECK(r.run(Op::FNSTSW, 2));
  CHECK(r.faults(Op::FLD1, kMF));
  s.cr0 &= ~cr0::kNe;
  CHECK(r.run(Op::FLD1));
}

TEST_CASE("an unmasked sse exception sets its flag, keeps the register and raises xm or ud") {
  Runner r;
  CpuState& s = r.machine.cpu.state;
  s.mxcsr = 0x1F80 & ~0x200u;  // ZE unmasked
  s.xmm[0] = {0x3FF0000000000000, 7};
  r.write(0, 0);
  CHECK(r.faults(Op::DIVSD, kXM));
  CHECK(s.xmm[0].lo == 0x3FF0000000000000);
  CHECK((s.mxcsr & 0x3F) == 0x04);
  s.cr4 &= ~cr4::kOsxmmexcpt;
  CHECK(r.faults(Op::DIVSD, kUD));
}

TEST_CASE("misaligned 16 byte operands raise gp unless the instruction allows them") {
  Runner r;
  r.machine.cpu.state.gpr[kRbx] = kArea + 8;
  CHECK(r.faults(Op::ADDPS, kGP));
  CHECK(r.faults(Op::MOVAPS, kGP));
  CHECK(r.run(Op::MOVUPS));
  CHECK(r.faults(Op::FXSAVE, kGP));
  CHECK(r.faults(Op::XSAVE, kGP));
}

TEST_CASE("xsave and xrstor carry every component in both formats") {
  for (const Op save : {Op::XSAVE, Op::XSAVEOPT, Op::XSAVEC}) {
    Runner r;
    CpuState& s = r.machine.cpu.state;
    r.select(kAll);
    for (unsigned i = 0; i < 16; ++i) s.xmm[i] = {i + 1, ~u64{i}};
    s.fpu.st[3] = {u64{1} << 63, 0x3FFF};
    s.fpu.status = 0x1800;
    s.fpu.valid = 0x08;
    s.mxcsr = 0x1FA0;
    s.pkru = 0x55555554;
    CHECK(r.run(save));
    CHECK(r.read(512) == kAll);
    CHECK(r.read(520) == (save == Op::XSAVEC ? kAll | u64{1} << 63 : 0));
    CHECK(r.read(save == Op::XSAVEC ? 576 : 2688) == 0x55555554);
    const CpuState saved = s;
    for (XmmRegister& value : s.xmm) value = {};
    s.fpu = {};
    s.mxcsr = 0x1F80;
    s.pkru = 0;
    CHECK(r.run(Op::XRSTOR));
    for (unsigned i = 0; i < 16; ++i)
      CHECK((s.xmm[i].lo == saved.xmm[i].lo && s.xmm[i].hi == saved.xmm[i].hi));
    CHECK(s.fpu.st[3].sign_exponent == 0x3FFF);
    CHECK(s.fpu.valid == 0x08);
    CHECK(s.mxcsr == 0x1FA0);
    CHECK(s.pkru == 0x55555554);
  }
}

TEST_CASE("components in their initial state are omitted and restored as such") {
  Runner r;
  CpuState& s = r.machine.cpu.state;
  r.select(kAll);
  s.fpu.st[0] = {};
  s.pkru = 1;
  r.write(160, 0x1234);
  CHECK(r.run(Op::XSAVEOPT));
  CHECK(r.read(512) == xsave::kPkru);
  CHECK(r.read(160) == 0x1234);
  CHECK(r.run(Op::XSAVE));
  CHECK(r.read(160) == 0);
  s.xmm[2].lo = 5;
  s.fpu.control = 0x0C7F;
  CHECK(r.run(Op::XRSTOR));
  CHECK(s.xmm[2].lo == 0);
  CHECK(s.fpu.control == 0x037F);
  s.gpr[kRcx] = 1;
  CHECK(r.run(Op::XGETBV));
  CHECK(s.gpr[kRax] == xsave::kPkru);
}

TEST_CASE("xrstor refuses broken headers and reserved mxcsr bits without changing anything") {
  Runner r;
  CpuState& s = r.machine.cpu.state;
  r.select(kAll);
  s.xmm[1].lo = 9;
  CHECK(r.run(Op::XSAVE));
  r.write(512, u64{1} << 2);  // a component that XCR0 lacks
  CHECK(r.faults(Op::XRSTOR, kGP));
  r.write(512, kAll);
  r.write(520, 1);  // XCOMP_BV without the compaction flag
  CHECK(r.faults(Op::XRSTOR, kGP));
  r.write(520, u64{1} << 63);  // components that the compacted layout lacks
  CHECK(r.faults(Op::XRSTOR, kGP));
  r.write(520, 0);
  r.write(24, 0x10000);
  CHECK(r.faults(Op::XRSTOR, kGP));
  CHECK(s.xmm[1].lo == 9);
}

// Formats of the x87 environment that depend on the mode (SDM vol. 1, figures 8-9 to 8-12).
TEST_CASE("fnstenv lays the pointers out by mode and operand size") {
  Runner r;
  CpuState& s = r.machine.cpu.state;
  const auto prepare = [&] {
    s.fpu = {};
    s.fpu.ip = 0x1234;
    s.fpu.cs = 0xF000;
    s.fpu.dp = 0x5678;
    s.fpu.ds = 0x2000;
    s.fpu.opcode = 0x7AB;
  };
  prepare();
  CHECK(r.run(Op::FNSTENV, 4));
  CHECK(static_cast<u32>(r.read(12)) == 0x1234);
  CHECK(static_cast<u32>(r.read(16)) == 0x07ABF000);
  CHECK(static_cast<u32>(r.read(20)) == 0x5678);
  CHECK(static_cast<u32>(r.read(24)) == 0xFFFF2000);

  BareMachine real;
  real.start_real(0, 0x1000);
  real.cpu.state.fpu = s.fpu;
  real.cpu.state.gpr[kRbx] = 0x3000;
  Instruction in;
  in.op = Op::FNSTENV;
  in.form = Form::kM;
  in.base = kRbx;
  in.address_size = 2;
  in.segment = kDs;
  in.operand_size = 2;
  CHECK(exec_FNSTENV(real.cpu, in));
  CHECK(real.memory.read(0x3006, 2) == 0x1234);
  CHECK(real.memory.read(0x3008, 2) == 0xF7AB);  // linear 0F1234H
  CHECK(real.memory.read(0x300A, 2) == 0x5678);
  CHECK(real.memory.read(0x300C, 2) == 0x2000);  // linear 25678H
}

}  // namespace
}  // namespace lapwing::test
