// 82093AA data sheet and the ICH EOI register.
#include "devices/interrupt/ioapic.h"

#include "tests/unit/catch.h"
#include "tests/unit/irq_fakes.h"

using namespace lapwing;
using namespace lapwing::testing;

namespace {

constexpr u32 kMasked = 1u << 16;
constexpr u32 kLevel = 1u << 15;
constexpr u32 kActiveLow = 1u << 13;
constexpr u32 kRemoteIrr = 1u << 14;
constexpr u32 kDeliveryStatus = 1u << 12;

struct Chip {
  Clock clock;
  IrqTrace trace{clock};
  FakeMessages messages;
  IoApic ioapic;

  explicit Chip(const IoApicConfig& config = {}) : ioapic(config, trace, messages) {}
  void write(u8 index, u32 value) {
    ioapic.mmio_write(0x00, index, 4);
    ioapic.mmio_write(0x10, value, 4);
  }
  u32 read(u8 index) {
    ioapic.mmio_write(0x00, index, 4);
    return static_cast<u32>(ioapic.mmio_read(0x10, 4));
  }
  void program(unsigned pin, u32 low, u32 high = 0) {
    write(static_cast<u8>(0x11 + 2 * pin), high);
    write(static_cast<u8>(0x10 + 2 * pin), low);
  }
  u32 low(unsigned pin) { return read(static_cast<u8>(0x10 + 2 * pin)); }
  void set(unsigned pin, bool level) { ioapic.set_line(pin, level, level ? trace.new_cause() : 0); }
  std::size_t sent() const { return messages.sent.size(); }
};

}  // namespace

TEST_CASE("ioapic_identifies_itself") {
  Chip c({.id = 5});
  CHECK(c.read(0) == 0x05000000);
  CHECK(c.read(1) == 0x00170020);
  CHECK(c.read(2) == 0x05000000);
  c.write(0, 0xF9FFFFFF);
  CHECK(c.read(0) == 0x09000000);
  CHECK(c.read(2) == 0x09000000);  // the arbitration ID is loaded with the ID
  c.write(1, 0);
  CHECK(c.read(1) == 0x00170020);
  CHECK(c.low(7) == kMasked);
  CHECK(c.read(0x50) == 0);
}

TEST_CASE("ioapic_edge_sends_one_message_per_rising_edge_and_loses_masked_ones") {
  Chip c;
  c.program(4, 0x34 | 0x800, 0x0F000000);  // logical, fixed
  c.set(4, true);
  REQUIRE(c.sent() == 1);
  CHECK(c.messages.sent[0].address == 0xFEE0F004);
  CHECK(c.messages.sent[0].data == 0x4034);
  c.set(4, false);
  c.set(4, true);
  CHECK(c.sent() == 2);
  c.program(4, 0x34 | kMasked);
  c.set(4, false);
  c.set(4, true);
  c.program(4, 0x34);
  CHECK(c.sent() == 2);
  CHECK(c.trace.count(IrqEventKind::kIoapicMasked) == 1);
}

TEST_CASE("ioapic_level_is_sent_again_after_eoi_while_asserted") {
  Chip c;
  c.program(11, 0x51 | kLevel);
  c.set(11, true);
  REQUIRE(c.sent() == 1);
  CHECK(c.messages.sent[0].data == (0x51 | 0x4000 | 0x8000));
  CHECK(c.low(11) == (0x51 | kLevel | kRemoteIrr));
  c.ioapic.eoi_broadcast(0x52);  // another vector
  CHECK(c.sent() == 1);
  c.ioapic.eoi_broadcast(0x51);
  CHECK(c.sent() == 2);
  c.set(11, false);
  c.ioapic.eoi_broadcast(0x51);
  CHECK(c.sent() == 2);
  CHECK((c.low(11) & kRemoteIrr) == 0);
}

TEST_CASE("ioapic_directed_eoi_through_the_eoi_register") {
  Chip c;
  c.program(11, 0x51 | kLevel);
  c.set(11, true);
  c.set(11, false);
  c.ioapic.mmio_write(0x40, 0x50, 4);
  CHECK((c.low(11) & kRemoteIrr) != 0);
  c.ioapic.mmio_write(0x40, 0x51, 4);
  CHECK((c.low(11) & kRemoteIrr) == 0);
}

TEST_CASE("ioapic_masked_level_is_evaluated_on_unmask") {
  Chip c;
  c.program(11, 0x51 | kLevel | kMasked);
  c.set(11, true);
  CHECK(c.sent() == 0);
  c.program(11, 0x51 | kLevel);
  CHECK(c.sent() == 1);
  // Masking with remote IRR set: EOI clears it, unmasking sends.
  c.program(11, 0x51 | kLevel | kMasked);
  c.ioapic.eoi_broadcast(0x51);
  CHECK(c.sent() == 1);
  c.program(11, 0x51 | kLevel);
  CHECK(c.sent() == 2);
}

TEST_CASE("ioapic_switching_to_edge_clears_remote_irr") {
  Chip c;
  c.program(9, 0x41 | kLevel);
  c.set(9, true);
  c.program(9, 0x41 | kMasked);
  c.program(9, 0x41 | kLevel | kMasked);
  CHECK(c.low(9) == (0x41 | kLevel | kMasked));
}

TEST_CASE("ioapic_refused_level_message_shows_send_pending_and_is_retried") {
  Chip c;
  c.messages.accept = false;
  c.program(10, 0x61 | kLevel);
  c.set(10, true);
  CHECK(c.low(10) == (0x61 | kLevel | kDeliveryStatus));
  c.messages.accept = true;
  c.program(10, 0x61 | kLevel);
  CHECK(c.sent() == 2);
  CHECK(c.low(10) == (0x61 | kLevel | kRemoteIrr));
}

TEST_CASE("ioapic_polarity_against_the_wire_inverts_it") {
  Chip c;
  SECTION("ISA pins are active high") {
    c.program(5, 0x55 | kLevel | kActiveLow);
    CHECK(c.sent() == 1);  // an idle wire looks asserted
  }
  SECTION("PCI pins are active low") {
    c.program(17, 0x55 | kLevel | kActiveLow);
    CHECK(c.sent() == 0);
    c.set(17, true);
    CHECK(c.sent() == 1);
  }
}

TEST_CASE("ioapic_delivery_modes_reach_the_message") {
  for (const unsigned mode : {0u, 1u, 2u, 4u, 5u, 7u}) {
    CAPTURE(mode);
    Chip c;
    c.program(3, 0x20 | mode << 8 | kLevel);
    c.set(3, true);
    REQUIRE(c.sent() == 1);
    CHECK(((c.messages.sent[0].data >> 8) & 7) == mode);
    // Only fixed and lowest priority can be level-triggered.
    CHECK(((c.messages.sent[0].data & kLevel) != 0) == (mode <= 1));
    CHECK(((c.low(3) & kRemoteIrr) != 0) == (mode <= 1));
    CHECK(((c.messages.sent[0].address & 8) != 0) == (mode == 1));  // redirection hint
  }
}

TEST_CASE("ioapic_second_chip_and_restore") {
  Chip c({.instance = 1, .id = 2, .gsi_base = 24, .base = 0xFEC01000, .active_low_pins = 0});
  CHECK(c.ioapic.name() == "ioapic1");
  c.program(1, 0x71 | kLevel);
  c.set(1, true);
  Chip d(c.ioapic.config());
  REQUIRE(restore(d.ioapic, saved(c.ioapic)));
  CHECK(saved(d.ioapic) == saved(c.ioapic));
  d.ioapic.eoi_broadcast(0x71);
  CHECK(d.sent() == 1);
  CHECK(register_value(d.ioapic, "IOREDTBL1") == (0x71 | kLevel | kRemoteIrr));
}

TEST_CASE("ioapic_level_pin_masked_while_in_service_waits_for_its_unmask") {
  Chip c;
  c.program(9, 0x59 | kLevel);
  c.set(9, true);
  c.program(9, 0x59 | kLevel | kMasked);
  CHECK((c.low(9) & kRemoteIrr) != 0);  // masking does not forget that the EOI is due
  c.ioapic.eoi_broadcast(0x59);
  CHECK((c.low(9) & kRemoteIrr) == 0);
  CHECK(c.sent() == 1);
  c.program(9, 0x59 | kLevel);
  CHECK(c.sent() == 2);
}

TEST_CASE("ioapic_reset_masks_all_pins_and_sees_the_wires_as_they_are") {
  Chip c({.id = 3});
  c.write(0, 0x07000000);
  c.program(9, 0x59 | kLevel);
  c.set(9, true);
  c.ioapic.reset();
  CHECK(c.read(0) == 0x03000000);
  for (unsigned pin = 0; pin < 24; ++pin) CHECK(c.low(pin) == kMasked);
  c.ioapic.eoi_broadcast(0x59);
  CHECK(c.sent() == 1);
  c.program(9, 0x5A | kLevel);
  REQUIRE(c.sent() == 2);
  CHECK(c.messages.vector() == 0x5A);
}
