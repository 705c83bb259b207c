// 8259A data sheet, by section.
#include "devices/interrupt/pic8259.h"

#include "tests/unit/catch.h"
#include "tests/unit/irq_fakes.h"

using namespace lapwing;
using namespace lapwing::testing;

namespace {

constexpr u16 kMaster = 0x20;
constexpr u16 kSlave = 0xA0;

struct Pic {
  Clock clock;
  IrqTrace trace{clock};
  FakeLines intr;
  Pic8259Pair pic{trace, intr};

  // The PC's set-up: vectors 0x20 and 0x28, cascade on IR2, all inputs enabled.
  explicit Pic(u8 master_icw4 = 0x01, u8 slave_icw4 = 0x01) {
    program(kMaster, 0x20, 0x04, master_icw4);
    program(kSlave, 0x28, 0x02, slave_icw4);
  }
  void program(u16 port, u8 base, u8 icw3, u8 icw4) {
    out(port, 0x11);
    out(port + 1, base);
    out(port + 1, icw3);
    out(port + 1, icw4);
  }
  void out(int port, u8 value) { pic.port_write(static_cast<u16>(port), value, 1); }
  u8 in(int port) { return static_cast<u8>(pic.port_read(static_cast<u16>(port), 1)); }
  void raise(unsigned line) { pic.set_line(line, true, trace.new_cause()); }
  void lower(unsigned line) { pic.set_line(line, false, 0); }
  void edge(unsigned line) {
    lower(line);
    raise(line);
  }
  int ack() { return intr.levels[0] ? pic.acknowledge().vector : -1; }
  u8 isr(u16 port) {
    out(port, 0x0B);
    return in(port);
  }
  u8 irr(u16 port) {
    out(port, 0x0A);
    return in(port);
  }
};

}  // namespace

TEST_CASE("pic8259_fully_nested_mode_serves_higher_levels_only") {
  Pic p;
  p.raise(3);
  CHECK(p.ack() == 0x23);
  CHECK(p.isr(kMaster) == 0x08);
  p.raise(5);
  CHECK(p.ack() == -1);  // lower level waits
  p.raise(3);            // still high: no new edge
  p.edge(3);
  CHECK(p.ack() == -1);  // same level waits
  p.raise(1);
  CHECK(p.ack() == 0x21);
  CHECK(p.irr(kMaster) == 0x28);
  p.out(kMaster, 0x20);  // non-specific EOI ends level 1
  CHECK(p.isr(kMaster) == 0x08);
  p.out(kMaster, 0x63);  // specific EOI of level 3
  CHECK(p.ack() == 0x23);
  p.out(kMaster, 0x20);
  CHECK(p.ack() == 0x25);
}

TEST_CASE("pic8259_imr_holds_requests_and_reads_back") {
  Pic p;
  p.out(kMaster + 1, 0x10);
  p.raise(4);
  CHECK(p.ack() == -1);
  CHECK(p.irr(kMaster) == 0x10);
  CHECK(p.in(kMaster + 1) == 0x10);
  p.out(kMaster + 1, 0x00);
  CHECK(p.ack() == 0x24);
  CHECK(p.trace.count(IrqEventKind::kPicMasked) == 1);
}

TEST_CASE("pic8259_cascade_delivers_the_slaves_vector_and_needs_two_eois") {
  Pic p;
  p.raise(14);
  CHECK(p.ack() == 0x2E);
  CHECK(p.isr(kMaster) == 0x04);
  CHECK(p.isr(kSlave) == 0x40);
  p.raise(8);  // higher on the slave, but IR2 of the master is in service
  CHECK(p.ack() == -1);
  p.raise(1);  // higher on the master
  CHECK(p.ack() == 0x21);
  p.out(kMaster, 0x20);
  p.out(kSlave, 0x20);
  p.out(kMaster, 0x20);
  CHECK(p.ack() == 0x28);
}

TEST_CASE("pic8259_special_fully_nested_mode_lets_the_same_slave_interrupt_again") {
  Pic p(0x11);
  p.raise(14);
  CHECK(p.ack() == 0x2E);
  p.raise(8);
  CHECK(p.ack() == 0x28);
  CHECK(p.isr(kSlave) == 0x41);
}

TEST_CASE("pic8259_request_withdrawn_before_inta_gives_the_default_ir7") {
  Pic p;
  SECTION("of the master") {
    p.raise(4);
    p.lower(4);
    CHECK(p.ack() == 0x27);
    CHECK(p.isr(kMaster) == 0x00);
    CHECK(p.ack() == -1);
  }
  SECTION("of the slave: the master has IR2 in service") {
    p.raise(12);
    p.lower(12);
    CHECK(p.ack() == 0x2F);
    CHECK(p.isr(kSlave) == 0x00);
    CHECK(p.isr(kMaster) == 0x04);
  }
  CHECK(p.trace.count(IrqEventKind::kPicSpurious) == 1);
}

TEST_CASE("pic8259_edge_input_needs_a_new_edge_level_input_requests_while_high") {
  Pic p;
  p.out(0x4D1, 0xFF);
  CHECK(p.in(0x4D1) == 0xDE);  // IRQ8 and IRQ13 are hard-wired to edge
  p.out(0x4D0, 0xFF);
  CHECK(p.in(0x4D0) == 0xF8);
  p.out(0x4D0, 0x20);
  p.raise(4);
  CHECK(p.ack() == 0x24);
  p.out(kMaster, 0x20);
  CHECK(p.ack() == -1);
  p.raise(5);
  CHECK(p.ack() == 0x25);
  p.out(kMaster, 0x20);
  CHECK(p.ack() == 0x25);
  p.lower(5);
  p.out(kMaster, 0x20);
  CHECK(p.ack() == -1);
}

TEST_CASE("pic8259_rotation") {
  Pic p;
  SECTION("on non-specific EOI the level served becomes lowest") {
    p.raise(3);
    CHECK(p.ack() == 0x23);
    p.out(kMaster, 0xA0);
    p.raise(0);
    p.raise(4);
    CHECK(p.ack() == 0x24);  // 4 is highest now
  }
  SECTION("set priority command") {
    p.out(kMaster, 0xC5);  // IR5 lowest: IR6 highest
    p.raise(0);
    p.raise(6);
    CHECK(p.ack() == 0x26);
  }
  SECTION("on specific EOI") {
    p.raise(1);
    CHECK(p.ack() == 0x21);
    p.out(kMaster, 0xE1);
    p.raise(0);
    CHECK(p.ack() == 0x20);  // 2..7, 0, 1
    p.edge(1);
    CHECK(p.ack() == -1);
    p.raise(7);
    CHECK(p.ack() == 0x27);
  }
}

TEST_CASE("pic8259_automatic_eoi_leaves_no_isr_bit_and_can_rotate") {
  Pic p(0x03);
  p.raise(3);
  CHECK(p.ack() == 0x23);
  CHECK(p.isr(kMaster) == 0);
  p.out(kMaster, 0x80);  // rotate in AEOI mode: set
  p.raise(5);
  p.raise(6);
  CHECK(p.ack() == 0x25);
  p.edge(5);
  CHECK(p.ack() == 0x26);
  CHECK(p.ack() == 0x25);
}

TEST_CASE("pic8259_special_mask_mode_enables_lower_levels_around_a_masked_one") {
  Pic p;
  p.raise(3);
  CHECK(p.ack() == 0x23);
  p.raise(6);
  CHECK(p.ack() == -1);
  p.out(kMaster + 1, 0x08);
  CHECK(p.ack() == -1);
  p.out(kMaster, 0x68);  // ESMM, SMM
  CHECK(p.ack() == 0x26);
  p.out(kMaster, 0x20);  // non-specific EOI passes over the masked level
  CHECK(p.isr(kMaster) == 0x08);
  p.out(kMaster, 0x63);
  CHECK(p.isr(kMaster) == 0);
}

TEST_CASE("pic8259_poll_acknowledges_without_inta") {
  Pic p;
  p.raise(4);
  p.out(kMaster, 0x0C);
  CHECK(p.in(kMaster) == 0x84);
  CHECK(p.ack() == -1);
  CHECK(p.isr(kMaster) == 0x10);
  p.out(kMaster, 0x0C);
  CHECK((p.in(kMaster) & 0x80) == 0);
  CHECK(p.in(kMaster) == 0x10);  // the read after is an ordinary one again
}

TEST_CASE("pic8259_icw1_clears_masks_service_and_edges") {
  Pic p;
  p.raise(3);
  p.ack();
  p.out(kMaster + 1, 0xF0);
  p.raise(1);
  p.program(kMaster, 0x50, 0x04, 0x01);
  CHECK(p.in(kMaster + 1) == 0);
  CHECK(p.isr(kMaster) == 0);
  CHECK(p.irr(kMaster) == 0);  // line 1 is high, but its edge is forgotten
  CHECK(p.ack() == -1);
  p.edge(1);
  CHECK(p.ack() == 0x51);
}

TEST_CASE("pic8259_slave_with_another_id_does_not_answer") {
  Pic p;
  p.program(kSlave, 0x28, 0x03, 0x01);
  p.raise(9);
  CHECK(p.ack() == 0xFF);
}

TEST_CASE("pic8259_restores_pending_masked_and_in_service") {
  Pic p;
  p.raise(3);
  p.ack();
  p.raise(1);
  p.out(kSlave + 1, 0x40);
  p.raise(14);
  Pic q;
  REQUIRE(restore(q.pic, saved(p.pic)));
  CHECK(saved(q.pic) == saved(p.pic));
  CHECK(q.pic.intr());
  CHECK(q.pic.acknowledge().vector == 0x21);
  q.out(kMaster, 0x20);
  q.out(kMaster, 0x20);
  q.out(kSlave + 1, 0x00);
  CHECK(q.pic.acknowledge().vector == 0x2E);
}
