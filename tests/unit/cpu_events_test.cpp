// What programs cannot bring about by themselves: NMIs in the shadow of STI, x87 errors reported by FERR#.
#include "tests/guest/bare_machine.h"
#include "tests/unit/catch.h"

using namespace lapwing;
using lapwing::test::BareMachine;

namespace {

class Coprocessor final : public FpuErrorPins {
 public:
  void error_recorded() override { ignored = false; }
  bool report_error() override {
    ++reports;
    return ignored;
  }
  bool ignored = false;
  int reports = 0;
};

}  // namespace

TEST_CASE("sti_holds_an_nmi_back_for_one_instruction_and_two_at_once_are_two") {
  BareMachine m;
  m.start_real(0, 0x1000);
  m.memory.write(2 * 4, 0x2000, 4);
  m.code(0x1000, {0xFB, 0x40, 0x40, 0xF4});  // sti, inc ax, inc ax, hlt
  m.code(0x2000, {0x43, 0xCF});              // inc bx, iret
  m.cpu.run(1);
  m.cpu.nmi(0);
  m.cpu.nmi(0);
  m.cpu.nmi(0);  // the first counts as being handled, one waits
  m.cpu.run(1);
  CHECK(m.gpr(kRax) == 1);
  CHECK(m.gpr(kRbx) == 0);
  m.cpu.run(1);
  CHECK(m.gpr(kRax) == 1);
  CHECK(m.gpr(kRbx) == 1);
  m.run();
  CHECK(m.gpr(kRbx) == 2);
  CHECK(m.gpr(kRax) == 2);
}

TEST_CASE("with_ne_clear_an_x87_error_waits_for_an_interrupt_or_ignne") {
  BareMachine m;
  Coprocessor coprocessor;
  m.cpu.attach(coprocessor);
  m.start_real(0, 0x1000);
  m.memory.write(0x20 * 4, 0x2000, 4);
  // fninit; fldcw [2100h] (zero-divide unmasked); fldz; fld1; fdivrp st1... then fwait; inc ax; hlt
  m.memory.write(0x2100, 0x037B, 2);
  m.code(0x1000, {0xDB, 0xE3, 0xD9, 0x2E, 0x00, 0x21, 0xD9, 0xE8, 0xD9, 0xEE, 0xDE, 0xF9, 0x9B, 0x40, 0xF4});
  m.code(0x2000, {0xDB, 0xE2, 0x43, 0xCF});  // fnclex, inc bx, iret
  m.cpu.state.rflags_rest |= rflags::kIf;

  SECTION("the handler of IRQ13 clears the error") {
    m.run();
    CHECK(coprocessor.reports == 1);
    CHECK(m.cpu.state.rip == 0x100C);  // at FWAIT
    CHECK(m.gpr(kRax) == 0);
    m.unit.vector = 0x20;
    m.cpu.set_intr(true);
    while (m.cpu.runnable()) m.cpu.run(100);
    CHECK(m.gpr(kRbx) == 1);
    CHECK(m.gpr(kRax) == 1);
    CHECK(coprocessor.reports == 1);
  }
  SECTION("IGNNE# lets the program go on") {
    m.run();
    coprocessor.ignored = true;
    m.unit.vector = 0x20;
    m.code(0x2000, {0x43, 0xCF});
    m.cpu.set_intr(true);
    while (m.cpu.runnable()) m.cpu.run(100);
    CHECK(m.gpr(kRax) == 1);
    CHECK(coprocessor.reports == 2);
  }
}

TEST_CASE("cpu_models_take_qemus_properties") {
  const auto model = [](const char* text) { return make_cpu_model(text).value(); };
  CHECK(model("Opteron_G1,vendor=GenuineIntel").vendor == "GenuineIntel");
  CHECK(model("IvyBridge,phys-bits=36,host-phys-bits=off").physical_mask() == (1ull << 36) - 1);
  CHECK(model("max,migratable=no,-vmx,svm=off").physical_bits == kPhysicalAddressBits);
  CHECK_FALSE(model("qemu64,-pcid,+invpcid").has(Feature::INVPCID));
  CHECK(model("qemu64,+pcid,+invpcid").has(Feature::INVPCID));
  CHECK(make_cpu_model("qemu64,+kvm-pv-ipi,hv_time").ok());
  CHECK(make_cpu_model("max,+vmx").error() == "-cpu: this processor has no 'vmx'");
  CHECK(make_cpu_model("max,phys-bits=64").error() == "-cpu: phys-bits must be 32 to 40");
  CHECK(make_cpu_model("max,vendor=me").error() == "-cpu: vendor must have 12 characters");
}
