// From a line or a message to the CPUs: GSI routing, destinations, arbitration, EOI, and the whole chain.
#include "devices/interrupt/router.h"

#include <memory>

#include "devices/interrupt/pic8259.h"
#include "tests/unit/catch.h"
#include "tests/unit/irq_fakes.h"

using namespace lapwing;
using namespace lapwing::testing;

namespace {

// PIC, one or two I/O APICs and some CPUs, wired as a PC.
struct Pc {
  Clock clock;
  IrqTrace trace{clock};
  PicOutput pic_output;
  Pic8259Pair pic{trace, pic_output};
  MessageRouter messages{trace};
  IoApic ioapic{IoApicConfig{}, trace, messages};
  IoApic second{
      IoApicConfig{.instance = 1, .id = 1, .gsi_base = 24, .base = 0xFEC01000, .active_low_pins = 0}, trace,
      messages};
  GsiRouter gsi{&pic, trace};
  LineSink& source = gsi.new_source();
  LineSink& other = gsi.new_source();
  std::vector<std::unique_ptr<FakePins>> pins;
  std::vector<std::unique_ptr<LocalApic>> apics;

  explicit Pc(unsigned cpus = 4) {
    gsi.attach(ioapic);
    gsi.attach(second);
    messages.attach(static_cast<EoiSink&>(ioapic));
    messages.attach(static_cast<EoiSink&>(second));
    for (unsigned i = 0; i < cpus; ++i) {
      pins.push_back(std::make_unique<FakePins>());
      const LocalApicConfig config{.cpu = static_cast<u8>(i), .id = i, .bootstrap = i == 0};
      apics.push_back(std::make_unique<LocalApic>(config, clock, trace, *pins[i], messages, pic));
      messages.attach(*apics[i]);
      pic_output.attach(*apics[i]);
      apics[i]->mmio_write(0xF0, 0x1FF, 4);
      apics[i]->mmio_write(0xD0, 0x01000000u << i, 4);
    }
    pic.port_write(0x20, 0x11, 1);
    pic.port_write(0x21, 0x20, 1);
    pic.port_write(0x21, 0x04, 1);
    pic.port_write(0x21, 0x01, 1);
    pic.port_write(0x21, 0x00, 1);
  }
  void program(IoApic& chip, unsigned pin, u32 low, u32 high) {
    chip.mmio_write(0, 0x11 + 2 * pin, 4);
    chip.mmio_write(0x10, high, 4);
    chip.mmio_write(0, 0x10 + 2 * pin, 4);
    chip.mmio_write(0x10, low, 4);
  }
  bool send(u64 address, u32 data) { return messages.send({address, data, trace.new_cause()}); }
  // Who has the vector in IRR, as a bit mask of CPU numbers.
  unsigned who(u8 vector) const {
    unsigned mask = 0;
    for (std::size_t i = 0; i < apics.size(); ++i) mask |= apics[i]->requested(vector) ? 1u << i : 0;
    return mask;
  }
  void icr(unsigned cpu, u32 low, u32 destination = 0) {
    apics[cpu]->mmio_write(0x310, destination << 24, 4);
    apics[cpu]->mmio_write(0x300, low, 4);
  }
};

}  // namespace

TEST_CASE("gsi_below_16_reaches_pic_and_ioapic_and_irq0_is_pin_2") {
  Pc pc;
  pc.source.set_line(4, true, 1);
  CHECK(pc.pic.requested(4));
  CHECK(pc.ioapic.asserted(4));
  pc.source.set_line(0, true, 1);
  CHECK(pc.pic.requested(0));
  CHECK(!pc.ioapic.asserted(0));
  CHECK(pc.ioapic.asserted(2));
  pc.source.set_line(0, false, 0);
  CHECK(!pc.ioapic.asserted(2));
  pc.source.set_line(2, true, 1);
  CHECK(pc.ioapic.asserted(2));
  CHECK(!pc.pic.requested(2));
  pc.source.set_line(19, true, 1);
  CHECK(pc.ioapic.asserted(19));
  pc.source.set_line(30, true, 1);
  CHECK(pc.second.asserted(6));
}

TEST_CASE("gsi_sources_are_ored") {
  Pc pc;
  pc.source.set_line(11, true, 5);
  pc.other.set_line(11, true, 6);
  pc.source.set_line(11, false, 0);
  CHECK(pc.ioapic.asserted(11));
  CHECK(pc.pic.requested(11));
  Pc copy;
  REQUIRE(restore(copy.gsi, saved(pc.gsi)));
  CHECK(copy.gsi.level(11));
  pc.other.set_line(11, false, 0);
  CHECK(!pc.ioapic.asserted(11));
  CHECK(!pc.gsi.level(11));
}

TEST_CASE("a_shared_gsi_passes_to_the_next_raiser_and_is_asked_for_again_in_its_name") {
  Pc pc;
  pc.program(pc.ioapic, 11, 0x8031, 0);
  pc.trace.start(64, false);
  pc.other.set_line(11, true, 5);
  pc.source.set_line(11, true, 6);
  pc.other.set_line(11, false, 0);
  pc.ioapic.eoi_broadcast(0x31);
  IrqEvent events[32];
  const std::size_t count = pc.trace.drain(events, 32);
  std::vector<std::pair<IrqEventKind, CauseId>> seen;
  for (std::size_t i = 0; i < count; ++i) {
    const auto kind = static_cast<IrqEventKind>(events[i].kind);
    const bool is_line = kind == IrqEventKind::kLineJoined || kind == IrqEventKind::kLineKept;
    if (is_line) CHECK(events[i].data == 5);
    if (is_line || kind == IrqEventKind::kMessageSent || kind == IrqEventKind::kIoapicEoi)
      seen.emplace_back(kind, events[i].cause);
  }
  using Kind = IrqEventKind;
  CHECK(seen == std::vector<std::pair<Kind, CauseId>>{{Kind::kMessageSent, 5},
                                                      {Kind::kLineJoined, 6},
                                                      {Kind::kLineKept, 6},
                                                      {Kind::kIoapicEoi, 5},
                                                      {Kind::kMessageSent, 6}});
}

TEST_CASE("message_destinations") {
  Pc pc;
  CHECK(pc.send(0xFEE02000, 0x41));
  CHECK(pc.who(0x41) == 0b0100);
  CHECK(pc.send(0xFEEFF000, 0x42));
  CHECK(pc.who(0x42) == 0b1111);
  CHECK(pc.send(0xFEE0A004, 0x43));  // logical flat, CPUs 1 and 3
  CHECK(pc.who(0x43) == 0b1010);
  CHECK(!pc.send(0xFEE77000, 0x44));
  CHECK(!pc.send(0xFED02000, 0x45));
  CHECK(!pc.send(0xFEE02000, 0x346));   // reserved delivery mode
  CHECK(!pc.send(0xFEE02000, 0x8047));  // level de-assert
  CHECK(pc.trace.count(IrqEventKind::kMessageDropped) == 4);
  CHECK(pc.send(0xFEE01000, 0x0402));
  CHECK(pc.pins[1]->nmis == 1);
}

TEST_CASE("lowest_priority_goes_to_the_least_ppr_then_the_lowest_number") {
  Pc pc;
  pc.apics[0]->set_cr8(4);
  pc.apics[1]->set_cr8(2);
  pc.apics[2]->set_cr8(2);
  pc.apics[3]->set_cr8(9);
  CHECK(pc.send(0xFEE0F004, 0x0151));
  CHECK(pc.who(0x51) == 0b0010);
  CHECK(pc.send(0xFEE0900C, 0x52));  // redirection hint, CPUs 0 and 3
  CHECK(pc.who(0x52) == 0b0001);
  pc.apics[1]->mmio_write(0xF0, 0xFF, 4);  // software-disabled APICs do not take part
  CHECK(pc.send(0xFEE0F004, 0x0153));
  CHECK(pc.who(0x53) == 0b0100);
}

TEST_CASE("ipi_shorthands_and_bring_up") {
  Pc pc;
  pc.icr(1, 0x40000 | 0x4061);
  CHECK(pc.who(0x61) == 0b0010);
  pc.icr(1, 0x80000 | 0x4062);
  CHECK(pc.who(0x62) == 0b1111);
  pc.icr(1, 0xC0000 | 0x4063);
  CHECK(pc.who(0x63) == 0b1101);
  pc.icr(0, 0x4064, 3);
  CHECK(pc.who(0x64) == 0b1000);
  pc.icr(0, 0x4865, 0x06);
  CHECK(pc.who(0x65) == 0b0110);
  pc.icr(0, 0xC0000 | 0xC500);
  pc.icr(0, 0xC0000 | 0x4608);
  CHECK(pc.pins[0]->inits == 0);
  for (unsigned cpu = 1; cpu < 4; ++cpu) {
    CHECK(pc.pins[cpu]->inits == 1);
    CHECK(pc.pins[cpu]->sipis == std::vector<u8>{8});
  }
  pc.icr(0, 0x4066, 0x77);  // to no one
  CHECK(pc.trace.count(IrqEventKind::kMessageDropped) == 1);
}

TEST_CASE("x2apic_message_uses_the_extended_destination") {
  Pc pc;
  const LocalApicConfig config{.cpu = 4, .id = 0x1234};
  FakePins pins;
  LocalApic far(config, pc.clock, pc.trace, pins, pc.messages, pc.pic);
  pc.messages.attach(far);
  REQUIRE(far.write_msr(0x1B, 0xFEE00C00));
  REQUIRE(far.write_msr(0x80F, 0x1FF));
  CHECK(pc.send(0x0000120000000000ull | 0xFEE34000, 0x71));
  CHECK(far.requested(0x71));
  CHECK(pc.who(0x71) == 0);
}

TEST_CASE("level_interrupt_shared_by_two_devices_is_delivered_again_after_eoi") {
  Pc pc(1);
  pc.program(pc.ioapic, 11, 0x8081, 0);
  pc.source.set_line(11, true, pc.trace.new_cause());
  pc.other.set_line(11, true, pc.trace.new_cause());
  REQUIRE(pc.pins[0]->intr);
  CHECK(pc.apics[0]->acknowledge().vector == 0x81);
  pc.source.set_line(11, false, 0);  // one device served
  pc.apics[0]->mmio_write(0xB0, 0, 4);
  REQUIRE(pc.pins[0]->intr);
  CHECK(pc.apics[0]->acknowledge().vector == 0x81);
  pc.other.set_line(11, false, 0);
  pc.apics[0]->mmio_write(0xB0, 0, 4);
  CHECK(!pc.pins[0]->intr);
  CHECK(pc.trace.count(IrqEventKind::kIoapicEoi) == 2);
}

TEST_CASE("masking_lint0_stops_the_pic_copy_and_leaves_the_ioapic_copy") {
  Pc pc(1);
  pc.program(pc.ioapic, 1, 0x31, 0);
  pc.apics[0]->mmio_write(0x350, 0x700, 4);
  pc.source.set_line(1, true, 1);
  CHECK(pc.apics[0]->acknowledge().vector == 0x21);  // ExtINT first
  CHECK(pc.apics[0]->acknowledge().vector == 0x31);
  pc.apics[0]->mmio_write(0xB0, 0, 4);
  pc.pic.port_write(0x20, 0x20, 1);
  pc.source.set_line(1, false, 0);
  pc.apics[0]->mmio_write(0x350, 0x10700, 4);
  pc.source.set_line(1, true, 2);
  CHECK(pc.apics[0]->acknowledge().vector == 0x31);
  CHECK(!pc.pins[0]->intr);
  CHECK(pc.pic.requested(1));  // the PIC still holds its copy
}

TEST_CASE("extint_through_an_ioapic_pin_asks_the_pic_for_its_vector") {
  Pc pc(2);
  pc.pic_output.attach(pc.ioapic, 0);
  pc.program(pc.ioapic, 0, 0x700, 0x01000000);
  pc.source.set_line(3, true, 1);
  CHECK(!pc.pins[0]->intr);
  REQUIRE(pc.pins[1]->intr);
  CHECK(pc.apics[1]->acknowledge().vector == 0x23);
  CHECK(!pc.pins[1]->intr);
}

TEST_CASE("one_cause_names_the_whole_journey") {
  Pc pc(1);
  pc.program(pc.ioapic, 4, 0x34, 0);
  pc.trace.start(64, false);
  IrqPin pin(pc.source, 4, pc.trace, DeviceId::kUart);
  pin.raise();
  const Acknowledged taken = pc.apics[0]->acknowledge();
  CHECK(taken.cause == pin.cause());
  pc.apics[0]->mmio_write(0xB0, 0, 4);
  std::vector<IrqEvent> events(64);
  events.resize(pc.trace.drain(events.data(), events.size()));
  std::vector<u8> journey;
  for (const IrqEvent& event : events) {
    if (event.cause == pin.cause()) journey.push_back(event.kind);
  }
  // The PIC's copy ends at the masked LINT0; the I/O APIC's copy is served.
  const std::vector<IrqEventKind> expected = {IrqEventKind::kLineRaised,  IrqEventKind::kPicLatched,
                                              IrqEventKind::kLapicMasked, IrqEventKind::kIoapicLatched,
                                              IrqEventKind::kMessageSent, IrqEventKind::kLapicIrrSet,
                                              IrqEventKind::kLapicIsr,    IrqEventKind::kLapicEoi};
  REQUIRE(journey.size() == expected.size());
  for (std::size_t i = 0; i < journey.size(); ++i) CHECK(journey[i] == static_cast<u8>(expected[i]));
}

TEST_CASE("two_ioapics_share_a_vector_and_the_eoi_reaches_both") {
  constexpr u32 kLevel = 1u << 15, kRemoteIrr = 1u << 14;
  Pc pc(1);
  pc.program(pc.ioapic, 10, 0x55 | kLevel, 0);
  pc.program(pc.second, 6, 0x55 | kLevel, 0);
  pc.source.set_line(24 + 6, true, 1);
  CHECK(!pc.pic.requested(6));
  pc.other.set_line(10, true, 2);
  CHECK((pc.second.redirection(6) & kRemoteIrr) != 0);
  CHECK((pc.ioapic.redirection(10) & kRemoteIrr) != 0);
  CHECK(pc.trace.count(IrqEventKind::kLapicCoalesced) == 1);
  CHECK(pc.apics[0]->acknowledge().vector == 0x55);
  pc.source.set_line(24 + 6, false, 0);
  pc.apics[0]->mmio_write(0xB0, 0, 4);
  // One broadcast ends it at both; the pin that is still high asks again.
  CHECK((pc.second.redirection(6) & kRemoteIrr) == 0);
  CHECK((pc.ioapic.redirection(10) & kRemoteIrr) != 0);
  CHECK(pc.apics[0]->acknowledge().vector == 0x55);
  pc.other.set_line(10, false, 0);
  pc.apics[0]->mmio_write(0xB0, 0, 4);
  CHECK((pc.ioapic.redirection(10) & kRemoteIrr) == 0);
  CHECK(!pc.pins[0]->intr);
}

TEST_CASE("interrupts_for_nobody_are_dropped_and_counted") {
  Pc pc(2);
  pc.icr(0, 0x0004F, 9);  // no APIC 9
  CHECK(pc.trace.count(IrqEventKind::kMessageDropped) == 1);
  CHECK(!pc.send(0xFEE09000, 0x41));
  CHECK(!pc.send(0xFED00000, 0x41));          // not the APICs' window
  CHECK(!pc.send(0xFEE00000, 0x300 | 0x41));  // reserved delivery mode
  CHECK(!pc.send(0xFEE00000, 0x8041));        // level de-assert
  CHECK(pc.trace.count(IrqEventKind::kMessageDropped) == 5);
  CHECK(pc.who(0x41) == 0);
}

TEST_CASE("a_message_with_an_illegal_vector_is_an_error_of_the_receiver") {
  Pc pc(1);
  pc.apics[0]->mmio_write(0x370, 0xFE, 4);
  CHECK(!pc.send(0xFEE00000, 0x0F));
  CHECK(pc.apics[0]->acknowledge().vector == 0xFE);  // the error interrupt
  pc.apics[0]->mmio_write(0x280, 0, 4);
  CHECK(pc.apics[0]->mmio_read(0x280, 4) == 0x40);
}
