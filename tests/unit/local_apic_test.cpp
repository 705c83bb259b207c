// SDM vol. 3, "Advanced Programmable Interrupt Controller".
#include "devices/interrupt/local_apic.h"

#include "tests/unit/catch.h"
#include "tests/unit/irq_fakes.h"

using namespace lapwing;
using namespace lapwing::testing;

namespace {

constexpr u32 kMasked = 1u << 16;
constexpr u32 kApicBaseMsr = 0x1B;
constexpr u64 kEnable = 1u << 11;
constexpr u64 kExtd = 1u << 10;
constexpr u64 kBsp = 1u << 8;

struct Apic {
  Clock clock;
  IrqTrace trace{clock};
  FakePins pins;
  FakeApicBus bus;
  FakePic pic;
  LocalApic apic;

  explicit Apic(const LocalApicConfig& config = {.bootstrap = true})
      : apic(config, clock, trace, pins, bus, pic) {
    write(0xF0, 0x1FF);
  }
  void write(u32 offset, u32 value) { apic.mmio_write(offset, value, 4); }
  u32 read(u32 offset) { return static_cast<u32>(apic.mmio_read(offset, 4)); }
  bool wrmsr(u32 msr, u64 value) { return apic.write_msr(msr, value); }
  // The MSR's value, or all ones on #GP.
  u64 rdmsr(u32 msr) {
    u64 value = 0;
    return apic.read_msr(msr, value) ? value : ~0ull;
  }
  bool x2apic() { return wrmsr(kApicBaseMsr, 0xFEE00000 | kEnable | kExtd | kBsp); }
  bool send(u8 vector, bool level = false) {
    return apic.deliver({.mode = DeliveryMode::kFixed, .vector = vector, .level = level, .cause = 9});
  }
  int ack() { return pins.intr ? apic.acknowledge().vector : -1; }
  bool bit(u32 set, u8 vector) { return bit_of(read(set + vector / 32 * 0x10), vector % 32); }
  u32 errors() {
    write(0x280, 0);
    return read(0x280);
  }
};

constexpr u32 kIsr = 0x100;
constexpr u32 kTmr = 0x180;
constexpr u32 kIrr = 0x200;

}  // namespace

TEST_CASE("local_apic_reset_values") {
  Clock clock;
  IrqTrace trace(clock);
  FakePins pins;
  FakeApicBus bus;
  FakePic pic;
  LocalApic apic({.cpu = 1, .id = 3}, clock, trace, pins, bus, pic);
  const auto read = [&](u32 offset) { return apic.mmio_read(offset, 4); };
  CHECK(read(0x20) == 0x03000000);
  CHECK(read(0x30) == 0x01060014);
  CHECK(read(0x80) == 0);
  CHECK(read(0xD0) == 0);
  CHECK(read(0xE0) == 0xFFFFFFFF);
  CHECK(read(0xF0) == 0xFF);
  for (const u32 lvt : {0x2F0u, 0x320u, 0x330u, 0x340u, 0x350u, 0x360u, 0x370u}) CHECK(read(lvt) == kMasked);
  u64 base = 0;
  CHECK(apic.read_msr(kApicBaseMsr, base));
  CHECK(base == (0xFEE00000 | kEnable));
  CHECK(apic.mmio_page() == 0xFEE00000);
}

TEST_CASE("local_apic_delivers_only_above_ppr_and_nests_by_class") {
  Apic a;
  CHECK(a.send(0x31));
  CHECK(a.send(0x38));
  CHECK(a.ack() == 0x38);
  CHECK(a.read(0xA0) == 0x30);
  CHECK(a.ack() == -1);  // 0x31 is of the same class
  CHECK(a.send(0x41));
  CHECK(a.ack() == 0x41);
  CHECK(a.read(0xA0) == 0x40);
  CHECK(a.bit(kIsr, 0x38));
  CHECK(a.bit(kIrr, 0x31));
  a.write(0xB0, 0);
  CHECK(a.ack() == -1);  // 0x38 still in service
  a.write(0xB0, 0);
  CHECK(a.ack() == 0x31);
  a.write(0xB0, 0);
  CHECK(a.read(0xA0) == 0);
  a.write(0xB0, 0);  // EOI without interrupt
  CHECK(a.bus.eois.empty());
}

TEST_CASE("local_apic_tpr_defers_delivery_and_is_cr8") {
  Apic a;
  a.apic.set_cr8(5);
  CHECK(a.read(0x80) == 0x50);
  CHECK(a.send(0x5F));
  CHECK(a.ack() == -1);
  a.write(0x80, 0x4F);
  CHECK(a.apic.cr8() == 4);
  CHECK(a.pins.intr);
  a.apic.set_cr8(5);
  CHECK(!a.pins.intr);
  CHECK(a.apic.acknowledge().vector == 0xFF);  // withdrawn at INTA: spurious vector, no ISR bit
  CHECK(a.apic.processor_priority() == 0x50);
  a.apic.set_cr8(0);
  CHECK(a.ack() == 0x5F);
  // PPR: the greater class; TPR's low bits only while TPR decides.
  a.write(0x80, 0x47);
  CHECK(a.read(0xA0) == 0x50);
  a.write(0x80, 0x57);
  CHECK(a.read(0xA0) == 0x57);
  CHECK(a.read(0x90) == 0x50);  // APR: TPR's class is not above ISRV's
}

TEST_CASE("local_apic_irr_holds_one_more_while_in_service_and_coalesces_the_rest") {
  Apic a;
  a.send(0x40);
  CHECK(a.ack() == 0x40);
  a.send(0x40);
  a.send(0x40);
  CHECK(a.trace.count(IrqEventKind::kLapicCoalesced) == 1);
  a.write(0xB0, 0);
  CHECK(a.ack() == 0x40);
  a.write(0xB0, 0);
  CHECK(a.ack() == -1);
}

TEST_CASE("local_apic_eoi_of_level_is_broadcast_unless_suppressed") {
  Apic a;
  a.send(0x40, true);
  CHECK(a.bit(kTmr, 0x40));
  a.ack();
  a.write(0xB0, 0);
  CHECK(a.bus.eois == std::vector<u8>{0x40});
  a.send(0x40, false);
  CHECK(!a.bit(kTmr, 0x40));
  a.ack();
  a.write(0xB0, 0);
  CHECK(a.bus.eois.size() == 1);
  a.write(0xF0, 0x11FF);
  CHECK(a.read(0xF0) == 0x11FF);
  a.send(0x40, true);
  a.ack();
  a.write(0xB0, 0);
  CHECK(a.bus.eois.size() == 1);
}

TEST_CASE("local_apic_software_disable_masks_the_lvt_and_refuses_fixed_but_not_nmi") {
  Apic a;
  a.write(0x350, 0x700);
  a.send(0x50);
  a.write(0xF0, 0xFF);
  CHECK(a.read(0x350) == (0x700 | kMasked));
  a.write(0x350, 0x700);
  CHECK(a.read(0x350) == (0x700 | kMasked));  // the mask cannot be cleared now
  CHECK(!a.send(0x60));
  CHECK(a.apic.deliver({.mode = DeliveryMode::kNmi, .vector = 2, .level = false, .cause = 0}));
  CHECK(a.apic.deliver({.mode = DeliveryMode::kInit, .vector = 0, .level = false, .cause = 0}));
  CHECK(a.apic.deliver({.mode = DeliveryMode::kStartUp, .vector = 0x9A, .level = false, .cause = 0}));
  CHECK(a.apic.deliver({.mode = DeliveryMode::kSmi, .vector = 0, .level = false, .cause = 0}));
  CHECK(a.pins.nmis == 1);
  CHECK(a.pins.inits == 1);
  CHECK(a.pins.sipis == std::vector<u8>{0x9A});
  CHECK(a.pins.smis == 1);
  CHECK(a.ack() == 0x50);  // what was pending is still handled
}

TEST_CASE("local_apic_esr_is_latched_by_a_write_and_raises_the_error_vector") {
  Apic a;
  a.write(0x370, 0x37);
  CHECK(!a.send(0x0F));
  CHECK(a.read(0x280) == 0);
  CHECK(a.ack() == 0x37);
  a.write(0xB0, 0);
  a.write(0x300, 0x0005);  // fixed IPI with an illegal vector
  a.read(0x040);           // reserved register
  CHECK(a.errors() == 0xE0);
  CHECK(a.read(0x280) == 0xE0);
  CHECK(a.errors() == 0);
  CHECK(a.bus.ipis.empty());
  a.write(0x370, 0x05);  // an error entry with an illegal vector must not recurse
  CHECK(!a.send(0x01));
  CHECK(a.errors() == 0x40);
}

TEST_CASE("local_apic_lint0_extint_is_the_virtual_wire_until_masked") {
  Apic a;
  a.apic.set_lint(0, true, 1);
  CHECK(a.ack() == -1);
  a.write(0x350, 0x700);
  CHECK(a.ack() == 0x20);
  CHECK(a.pic.acknowledged == 1);
  CHECK(!a.bit(kIsr, 0x20));  // ExtINT is not in service
  a.write(0x350, 0x10700);
  CHECK(!a.pins.intr);
  a.write(0x350, 0x700);
  a.apic.set_cr8(15);
  CHECK(a.pins.intr);  // PPR does not hold ExtINT back
  a.apic.set_lint(0, false, 0);
  CHECK(!a.pins.intr);
}

TEST_CASE("local_apic_disabled_connects_the_pins_directly") {
  Apic a;
  a.apic.set_lint(0, true, 1);
  CHECK(a.wrmsr(kApicBaseMsr, 0xFEE00000 | kBsp));
  CHECK(a.apic.mmio_page() == kNoApicPage);
  CHECK(a.ack() == 0x20);
  a.apic.set_lint(1, true, 2);
  CHECK(a.pins.nmis == 1);
  CHECK(!a.apic.deliver({.mode = DeliveryMode::kNmi, .vector = 2, .level = false, .cause = 0}));
  a.apic.set_cr8(7);
  CHECK(a.apic.cr8() == 7);
  CHECK(a.wrmsr(kApicBaseMsr, 0xFEE00000 | kEnable | kBsp));
  CHECK(!a.pins.intr);
  CHECK(a.read(0xF0) == 0xFF);

  Apic none({.present = false});
  none.apic.set_lint(0, true, 1);
  CHECK(none.ack() == 0x20);
  CHECK(none.rdmsr(kApicBaseMsr) == ~0ull);
}

TEST_CASE("local_apic_lvt_delivery_modes") {
  Apic a;
  a.write(0x360, 0x400);  // LINT1: NMI
  a.apic.set_lint(1, true, 1);
  a.apic.set_lint(1, true, 1);
  CHECK(a.pins.nmis == 1);
  a.write(0x330, 0x200);
  a.apic.fire_local(LocalApic::Lvt::kThermal);
  CHECK(a.pins.smis == 1);
  a.write(0x340, 0x400);
  a.apic.fire_local(LocalApic::Lvt::kPerformance);
  a.apic.fire_local(LocalApic::Lvt::kPerformance);  // the first set the mask
  CHECK(a.pins.nmis == 2);
  CHECK(a.read(0x340) == (0x400 | kMasked));
  a.write(0x2F0, 0x44);
  a.apic.fire_local(LocalApic::Lvt::kCmci);
  CHECK(a.ack() == 0x44);
}

TEST_CASE("local_apic_lint0_level_has_remote_irr") {
  Apic a;
  a.write(0x350, 0x8045);
  a.apic.set_lint(0, true, 1);
  CHECK(a.read(0x350) == 0xC045);
  CHECK(a.ack() == 0x45);
  a.write(0xB0, 0);
  CHECK(a.ack() == 0x45);  // still asserted
  a.apic.set_lint(0, false, 0);
  a.write(0xB0, 0);
  CHECK(a.read(0x350) == 0x8045);
  CHECK(a.ack() == -1);
  a.write(0x350, 0xA045);  // active low: the idle pin is asserted
  CHECK(a.ack() == 0x45);
}

TEST_CASE("local_apic_destinations") {
  Apic a({.id = 5});
  const auto matches = [&](u32 id, bool logical, bool wide = false) {
    return a.apic.matches({.id = id, .logical = logical, .wide = wide});
  };
  CHECK(matches(5, false));
  CHECK(!matches(4, false));
  CHECK(matches(0xFF, false));
  CHECK(!matches(0x20, true));
  a.write(0xD0, 0x24ABCDEF);
  CHECK(a.read(0xD0) == 0x24000000);
  CHECK(matches(0x20, true));
  CHECK(!matches(0x41, true));  // flat: no common bit
  CHECK(matches(0xFF, true));
  a.write(0xE0, 0x0FFFFFFF);  // cluster 2, member bit 2
  CHECK(matches(0x24, true));
  CHECK(matches(0x2F, true));
  CHECK(!matches(0x14, true));
  CHECK(!matches(0x21, true));
  CHECK(matches(0xFF, true));

  Apic x({.id = 0x123});
  REQUIRE(x.x2apic());
  CHECK(x.rdmsr(0x80D) == 0x00120008);
  CHECK(x.apic.matches({.id = 0x00120018, .logical = true, .wide = true}));
  CHECK(!x.apic.matches({.id = 0x00110008, .logical = true, .wide = true}));
  CHECK(x.apic.matches({.id = 0x123, .logical = false, .wide = true}));
  CHECK(x.apic.matches({.id = 0xFFFFFFFF, .logical = true, .wide = true}));
  CHECK(!x.apic.matches({.id = 0xFF, .logical = false, .wide = true}));
}

TEST_CASE("local_apic_icr_sends_with_mode_shorthand_and_destination") {
  Apic a;
  a.write(0x310, 0x03FFFFFF);
  CHECK(a.read(0x310) == 0x03000000);
  a.write(0x300, 0x000C48F1 | 0x1000);
  REQUIRE(a.bus.ipis.size() == 1);
  const InterprocessorInterrupt ipi = a.bus.ipis[0];
  CHECK(ipi.shorthand == Shorthand::kAllExcludingSelf);
  CHECK(ipi.destination.id == 3);
  CHECK(ipi.destination.logical);
  CHECK(ipi.delivery.vector == 0xF1);
  CHECK(a.read(0x300) == 0x000C48F1);  // delivery status reads idle
  a.write(0x300, 0x8500);              // INIT level de-assert: nothing to do
  CHECK(a.bus.ipis.size() == 1);
  a.write(0x300, 0xC500);
  CHECK(a.bus.ipis.back().delivery.mode == DeliveryMode::kInit);
  a.write(0x300, 0x4699);
  CHECK(a.bus.ipis.back().delivery.mode == DeliveryMode::kStartUp);
  CHECK(a.bus.ipis.back().delivery.vector == 0x99);
  a.write(0x300, 0xC0F2);  // the trigger bit is ignored
  CHECK(!a.bus.ipis.back().delivery.level);
}

TEST_CASE("local_apic_only_aligned_doublewords_are_registers") {
  Apic a;
  a.apic.mmio_write(0x80, 0x20, 1);
  a.apic.mmio_write(0x84, 0x20, 4);
  CHECK(a.read(0x80) == 0);
  CHECK(a.apic.mmio_read(0x32, 1) == 0x06);
  CHECK(a.apic.mmio_read(0x34, 4) == 0);
}

TEST_CASE("local_apic_timer_one_shot_and_divide") {
  Apic a;
  // Encoding in bits 3, 1, 0 and the divisor it means.
  const u32 codes[][2] = {{0x0, 2},  {0x1, 4},  {0x2, 8},   {0x3, 16},
                          {0x8, 32}, {0x9, 64}, {0xA, 128}, {0xB, 1}};
  a.write(0x320, 0x60);
  for (const auto& code : codes) {
    CAPTURE(code[0]);
    a.write(0x3E0, code[0]);
    a.write(0x380, 1000);
    CHECK(a.read(0x390) == 1000);
    advance(a.clock, 400 * code[1]);
    CHECK(a.read(0x390) == 600);
    advance(a.clock, 600 * code[1] - 1);
    CHECK(a.ack() == -1);
    advance(a.clock, 1);
    CHECK(a.ack() == 0x60);
    a.write(0xB0, 0);
    CHECK(a.read(0x390) == 0);
    advance(a.clock, 5000 * code[1]);
    CHECK(a.ack() == -1);
  }
  a.write(0x380, 1000);
  a.write(0x380, 0);  // stops
  advance(a.clock, 5000);
  CHECK(a.ack() == -1);
  CHECK(a.clock.next_deadline() == kNever);
}

TEST_CASE("local_apic_timer_periodic_keeps_its_phase_and_is_silent_while_masked") {
  Apic a;
  a.write(0x3E0, 0xB);
  a.write(0x320, 0x20060);
  a.write(0x380, 1000);
  for (int i = 0; i < 5; ++i) {
    advance(a.clock, 1000);
    CHECK(a.ack() == 0x60);
    a.write(0xB0, 0);
  }
  a.write(0x320, 0x20060 | kMasked);
  CHECK(a.clock.next_deadline() == kNever);
  advance(a.clock, 2300);
  CHECK(a.read(0x390) == 700);
  a.write(0x320, 0x20061);  // the vector is that of the moment of firing
  CHECK(a.ack() == -1);
  advance(a.clock, 699);
  CHECK(a.ack() == -1);
  advance(a.clock, 1);
  CHECK(a.ack() == 0x61);
  // Many periods in one step: one request stands for all, the phase is kept.
  a.write(0xB0, 0);
  a.clock.jump_to(a.clock.now_ns() + 10'250);
  a.clock.run_due_timers();
  CHECK(a.read(0x390) == 750);
  CHECK(a.ack() == 0x61);
}

TEST_CASE("local_apic_timer_tsc_deadline") {
  Apic a;
  a.clock.jump_to(1'000'000);
  CHECK(a.wrmsr(0x6E0, 5'000'000));  // ignored in other modes
  CHECK(a.rdmsr(0x6E0) == 0);
  a.write(0x320, 0x40070);
  CHECK(a.wrmsr(0x6E0, 5'000'000));
  CHECK(a.rdmsr(0x6E0) == 5'000'000);
  a.write(0x380, 77);  // initial count is ignored
  CHECK(a.read(0x390) == 0);
  advance_to(a.clock, 4'999'999);
  CHECK(a.ack() == -1);
  advance_to(a.clock, 5'000'000);
  CHECK(a.ack() == 0x70);
  CHECK(a.rdmsr(0x6E0) == 0);
  a.write(0xB0, 0);
  SECTION("a deadline in the past fires at once") {
    CHECK(a.wrmsr(0x6E0, 1));
    CHECK(a.ack() == 0x70);
  }
  SECTION("zero disarms") {
    CHECK(a.wrmsr(0x6E0, 6'000'000));
    CHECK(a.wrmsr(0x6E0, 0));
    advance(a.clock, 9'000'000);
    CHECK(a.ack() == -1);
  }
  SECTION("leaving the mode disarms") {
    CHECK(a.wrmsr(0x6E0, 6'000'000));
    a.write(0x320, 0x00070);
    a.write(0x320, 0x40070);
    CHECK(a.rdmsr(0x6E0) == 0);
  }
  SECTION("the TSC offset moves the moment") {
    CHECK(a.wrmsr(0x6E0, 6'000'000));
    a.apic.set_tsc_offset(500'000);
    advance_to(a.clock, 5'500'000);
    CHECK(a.ack() == 0x70);
  }
}

TEST_CASE("local_apic_base_transitions") {
  Apic a;
  CHECK(!a.wrmsr(kApicBaseMsr, 0xFEE00000 | kExtd));        // EXTD without EN
  CHECK(!a.wrmsr(kApicBaseMsr, 0xFEE00000 | kEnable | 1));  // reserved bits
  CHECK(!a.wrmsr(kApicBaseMsr, (1ull << 40) | 0xFEE00000 | kEnable));
  CHECK(a.wrmsr(kApicBaseMsr, 0xFEC80000 | kEnable | kBsp));  // relocation
  CHECK(a.apic.mmio_page() == 0xFEC80000);
  CHECK(a.wrmsr(kApicBaseMsr, 0xFEE00000 | kEnable | kBsp));
  a.write(0xD0, 0x01000000);
  CHECK(a.x2apic());
  CHECK(a.apic.mmio_page() == kNoApicPage);
  CHECK(!a.wrmsr(kApicBaseMsr, 0xFEE00000 | kEnable | kBsp));  // x2APIC to xAPIC
  CHECK(a.wrmsr(kApicBaseMsr, 0xFEE00000 | kBsp));
  CHECK(!a.wrmsr(kApicBaseMsr, 0xFEE00000 | kEnable | kExtd));  // disabled to x2APIC
  CHECK(a.wrmsr(kApicBaseMsr, 0xFEE00000 | kEnable | kBsp));
  CHECK(a.read(0xD0) == 0);

  Apic old({.x2apic = false});
  CHECK(!old.x2apic());
}

TEST_CASE("local_apic_x2apic_msrs_fault_as_the_manual_says") {
  Apic a({.id = 0x105});
  CHECK(a.rdmsr(0x802) == ~0ull);  // not in xAPIC mode
  REQUIRE(a.x2apic());
  CHECK(a.rdmsr(0x802) == 0x105);
  CHECK(a.rdmsr(0x803) == 0x01060014);
  CHECK(a.rdmsr(0x80F) == 0x1FF);
  for (const u32 absent :
       {0x800u, 0x801u, 0x804u, 0x809u, 0x80Cu, 0x80Eu, 0x829u, 0x831u, 0x83Au, 0x840u, 0x8FFu}) {
    CAPTURE(absent);
    CHECK(a.rdmsr(absent) == ~0ull);
    CHECK(!a.wrmsr(absent, 0));
  }
  for (const u32 read_only : {0x802u, 0x803u, 0x80Au, 0x80Du, 0x810u, 0x818u, 0x820u, 0x827u, 0x839u}) {
    CAPTURE(read_only);
    CHECK(a.rdmsr(read_only) != ~0ull);
    CHECK(!a.wrmsr(read_only, 0));
  }
  for (const u32 write_only : {0x80Bu, 0x83Fu}) CHECK(a.rdmsr(write_only) == ~0ull);
  CHECK(!a.wrmsr(0x80B, 1));
  CHECK(a.wrmsr(0x80B, 0));
  CHECK(!a.wrmsr(0x828, 1));
  CHECK(a.wrmsr(0x828, 0));
  CHECK(!a.wrmsr(0x808, 0x100));
  CHECK(a.wrmsr(0x808, 0x20));
  CHECK(a.apic.cr8() == 2);
  CHECK(!a.wrmsr(0x80F, 0x400));
  CHECK(!a.wrmsr(0x830, 0x1000));
  CHECK(!a.wrmsr(0x832, 1u << 8));
  CHECK(!a.wrmsr(0x838, 1ull << 32));
  CHECK(!a.wrmsr(0x83E, 4));
  CHECK(a.wrmsr(0x830, 0x0000000700004044ull | (7ull << 32)));
  CHECK(a.bus.ipis.back().destination.id == 7);
  CHECK(a.bus.ipis.back().destination.wide);
  CHECK(!a.wrmsr(0x83F, 0x100));
  CHECK(a.wrmsr(0x83F, 0x55));
  CHECK(a.bus.ipis.back().shorthand == Shorthand::kSelf);
  CHECK(a.bus.ipis.back().delivery.vector == 0x55);
  CHECK(a.rdmsr(0x830) == ((7ull << 32) | 0x4044));  // self-IPI leaves ICR alone
}

TEST_CASE("local_apic_init_keeps_id_and_base") {
  Apic a({.id = 9});
  a.write(0x350, 0x700);
  a.send(0x40);
  a.write(0x380, 100);
  CHECK(a.wrmsr(kApicBaseMsr, 0xFEC80000 | kEnable));
  a.apic.init_reset();
  CHECK(a.read(0x20) == 0x09000000);
  CHECK(a.apic.mmio_page() == 0xFEC80000);
  CHECK(a.read(0x350) == kMasked);
  CHECK(a.read(0xF0) == 0xFF);
  CHECK(!a.pins.intr);
  CHECK(a.clock.next_deadline() == kNever);
}

TEST_CASE("local_apic_restores_pending_in_service_and_timer") {
  Apic a;
  a.send(0x40, true);
  a.ack();
  a.send(0x91);
  a.send(0x33);
  a.write(0x320, 0x20060);
  a.write(0x380, 1000);
  advance(a.clock, 300);
  Apic b;
  b.clock.jump_to(a.clock.now_ns());
  REQUIRE(restore(b.apic, saved(a.apic)));
  CHECK(saved(b.apic) == saved(a.apic));
  CHECK(b.apic.acknowledge().vector == 0x91);
  CHECK(b.read(0x390) == a.read(0x390));
  b.write(0xB0, 0);
  b.write(0xB0, 0);
  CHECK(b.bus.eois == std::vector<u8>{0x40});
  CHECK(b.clock.next_deadline() == a.clock.next_deadline());
  CHECK(register_value(a.apic, "PPR") == 0x40);
}

TEST_CASE("local_apic_request_withdrawn_by_tpr_gives_the_spurious_vector_without_service") {
  Apic a;
  CHECK(a.send(0x41));
  REQUIRE(a.pins.intr);
  a.write(0x80, 0xF0);  // between INTR and INTA
  CHECK(!a.pins.intr);
  CHECK(a.apic.acknowledge().vector == 0xFF);
  CHECK(a.trace.count(IrqEventKind::kLapicSpurious) == 1);
  CHECK(!a.bit(kIsr, 0xFF));
  CHECK(a.bit(kIrr, 0x41));
  a.write(0x80, 0);
  CHECK(a.ack() == 0x41);
}

TEST_CASE("local_apic_eoi_without_service_changes_nothing") {
  Apic a;
  CHECK(a.send(0x41, true));
  a.write(0xB0, 0);
  CHECK(a.bus.eois.empty());
  CHECK(a.bit(kIrr, 0x41));
  CHECK(a.trace.count(IrqEventKind::kLapicEoi) == 0);
}

TEST_CASE("local_apic_masking_or_disabling_later_keeps_what_is_requested_or_in_service") {
  Apic a;
  a.write(0x330, 0x61);
  a.apic.fire_local(LocalApic::Lvt::kThermal);
  CHECK(a.send(0x51));
  CHECK(a.ack() == 0x61);
  a.write(0x330, 0x10061);
  a.write(0xF0, 0xFF);
  CHECK(a.bit(kIsr, 0x61));
  CHECK(a.bit(kIrr, 0x51));
  a.write(0xB0, 0);
  CHECK(a.ack() == 0x51);
}

TEST_CASE("local_apic_power_on_reset_forgets_what_init_keeps") {
  Apic a;
  a.write(0x20, 0x07000000);
  CHECK(a.wrmsr(kApicBaseMsr, 0xFED10000 | kEnable | kBsp));
  a.apic.init_reset();
  CHECK(a.read(0x20) == 0x07000000);
  CHECK(a.apic.mmio_page() == 0xFED10000);
  CHECK(a.read(0xF0) == 0xFF);
  a.apic.reset();
  CHECK(a.read(0x20) == 0);
  CHECK(a.apic.mmio_page() == 0xFEE00000);
  CHECK(a.rdmsr(kApicBaseMsr) == (0xFEE00000 | kEnable | kBsp));
}
