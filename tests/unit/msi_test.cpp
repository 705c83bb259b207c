// PCI 3.0, 6.8: masks, pending bits and messages.
#include "devices/interrupt/msi.h"

#include "tests/unit/catch.h"
#include "tests/unit/irq_fakes.h"

using namespace lapwing;
using namespace lapwing::testing;

namespace {

struct Port {
  Clock clock;
  IrqTrace trace{clock};
  FakeMessages messages;
  MsiPort port{trace, messages};
};

}  // namespace

TEST_CASE("msi_sends_the_granted_vectors_in_the_low_data_bits") {
  Port p;
  MsiCapability msi(p.port, 8);
  CHECK(msi.read(2, 2) == 0x0186);  // 64-bit, per-vector masking, 8 vectors capable
  msi.write(4, 0xFEE01003, 4);
  msi.write(8, 0x2, 4);
  msi.write(0xC, 0x4047, 2);
  CHECK(msi.read(4, 4) == 0xFEE01000);
  msi.notify(0);
  CHECK(p.messages.sent.empty());  // not enabled
  msi.write(2, 0x0021, 2);         // enable, 4 vectors
  CHECK(msi.granted() == 4);
  msi.notify(2);
  REQUIRE(p.messages.sent.size() == 1);
  CHECK(p.messages.sent[0].address == 0x2FEE01000);
  CHECK(p.messages.sent[0].data == 0x4046);
  msi.notify(4);
  CHECK(p.messages.sent.size() == 1);
  msi.write(2, 0x0071, 2);  // more than it has: limited to 8
  CHECK(msi.granted() == 8);
}

TEST_CASE("msi_masked_vector_sets_pending_and_fires_on_unmask") {
  Port p;
  MsiCapability msi(p.port, 4);
  msi.write(2, 0x0021, 2);
  msi.write(0x10, 0xFF, 1);
  CHECK(msi.read(0x10, 4) == 0x0F);
  msi.notify(1);
  msi.notify(3);
  CHECK(p.messages.sent.empty());
  CHECK(msi.read(0x14, 4) == 0x0A);
  msi.write(0x14, 0, 4);  // read-only
  CHECK(msi.read(0x14, 4) == 0x0A);
  msi.clear_pending(3);
  msi.write(0x10, 0x00, 4);
  REQUIRE(p.messages.sent.size() == 1);
  CHECK(p.messages.sent[0].data == 1);
  CHECK(msi.read(0x14, 4) == 0);
  CHECK(p.trace.count(IrqEventKind::kMsiMasked) == 2);
}

TEST_CASE("msix_table_masks_and_pending_bits") {
  Port p;
  MsixCapability msix(p.port, 70,
                      {.table_bar = 4, .table_offset = 0x1000, .pba_bar = 4, .pba_offset = 0x2000});
  CHECK(msix.read(2, 2) == 69);
  CHECK(msix.read(4, 4) == 0x1004);
  CHECK(msix.read(8, 4) == 0x2004);
  CHECK(msix.table_read(16 * 3 + 12, 4) == 1);  // masked after reset
  msix.table_write(16 * 65, 0x00000001FEE02003ull, 8);
  msix.table_write(16 * 65 + 8, 0x4099, 4);
  msix.notify(65);
  CHECK(msix.pba_read(8, 8) == 0);  // nothing while the function's MSI-X is off
  msix.write(2, 0x8000, 2);
  msix.notify(65);
  CHECK(p.messages.sent.empty());
  CHECK(msix.pba_read(8, 8) == 2);
  CHECK(msix.pba_read(0, 4) == 0);
  msix.write(2, 0xC000, 2);  // function mask
  msix.table_write(16 * 65 + 12, 0, 4);
  CHECK(msix.pending(65));
  msix.write(2, 0x8000, 2);
  REQUIRE(p.messages.sent.size() == 1);
  CHECK(p.messages.sent[0].address == 0x1FEE02000);
  CHECK(p.messages.sent[0].data == 0x4099);
  CHECK(!msix.pending(65));
  msix.notify(65);
  CHECK(p.messages.sent.size() == 2);
  msix.notify(70);
  CHECK(msix.table_read(16 * 70, 4) == 0);
  CHECK(p.messages.sent.size() == 2);
}

TEST_CASE("msix_restores_pending") {
  Port p;
  MsixCapability msix(p.port, 2, {});
  msix.write(2, 0x8000, 2);
  msix.notify(1);
  MsixCapability copy(p.port, 2, {});
  REQUIRE(restore(copy, saved(msix)));
  CHECK(saved(copy) == saved(msix));
  copy.table_write(16 + 12, 0, 4);
  CHECK(p.messages.sent.size() == 1);
  MsiCapability msi(p.port, 2);
  msi.write(2, 0x0011, 2);
  msi.write(0x10, 2, 4);
  msi.notify(1);
  MsiCapability other(p.port, 2);
  REQUIRE(restore(other, saved(msi)));
  other.write(0x10, 0, 4);
  CHECK(p.messages.sent.size() == 2);
}

TEST_CASE("msi_and_msix_reset_forget_what_is_pending") {
  Port p;
  MsiCapability msi(p.port, 2);
  msi.write(2, 0x0011, 2);
  msi.write(0x10, 3, 4);
  msi.notify(1);
  msi.reset();
  CHECK(msi.read(0x14, 4) == 0);
  CHECK(msi.read(0x10, 4) == 0);
  CHECK(!msi.enabled());
  MsixCapability msix(p.port, 2, {});
  msix.write(2, 0x8000, 2);
  msix.notify(1);
  msix.reset();
  CHECK(!msix.pending(1));
  CHECK(msix.masked(1));
  msix.write(2, 0x8000, 2);
  msix.table_write(16 + 12, 0, 4);
  CHECK(p.messages.sent.empty());
}

TEST_CASE("msi_served_while_masked_is_not_sent_on_unmask") {
  Port p;
  MsiCapability msi(p.port, 1);
  msi.write(2, 0x0001, 2);
  msi.write(0x10, 1, 4);
  msi.notify(0);
  msi.clear_pending(0);
  msi.write(0x10, 0, 4);
  CHECK(p.messages.sent.empty());
}

TEST_CASE("message_capabilities_show_their_registers_by_field_and_their_writers") {
  Port p;
  MsixCapability msix(p.port, 40,
                      {.table_bar = 0, .table_offset = 0x2000, .pba_bar = 0, .pba_offset = 0x3000});
  const auto value = [&](const char* name) -> u64 {
    for (const RegisterValue& reg : msix.registers())
      if (std::string_view(reg.info->name) == name) return reg.value;
    return ~0ull;
  };
  CHECK(msix.registers().size() == 5);  // control, places, two words of pending bits
  p.trace.start(16, false);
  p.trace.set_executing(1, 0x1234);
  msix.table_write(16 * 33, 0xFEE01000, 4);
  msix.table_write(16 * 33 + 8, 0x31, 4);
  msix.write(2, 0x8000, 2);
  msix.notify(33);
  CHECK(value("message control") == 0x8027);
  CHECK(value("vector 33 address") == 0xFEE01000);
  CHECK(value("vector 33 data") == 0x31);
  CHECK(value("vector 33 control") == 1);
  CHECK(value("pending 32-39") == 2);
  CHECK(value("vector 0 data") == ~0ull);
  for (const RegisterValue& reg : msix.registers())
    if (std::string_view(reg.info->name) == "pending 32-39")
      CHECK(reg.info->fields[1].name == std::string_view("vector 33"));
  IrqEvent events[8];
  REQUIRE(p.trace.drain(events, 8) >= 3);
  CHECK(events[0].line == msi_trace::kMsixTable + 16 * 33);
  CHECK(events[0].rip == 0x1234);
  CHECK(events[2].line == msi_trace::kMsix);
  MsiCapability msi(p.port, 4);
  msi.write(4, 0xFEE02000, 4);
  CHECK(msi.registers()[1].value == 0xFEE02000);
  CHECK(msi.registers()[4].info->field_count == 4);
}
