// The question "state interrupts": all registers of the interrupt system and what of each CPU decides on
// delivery, as JSON for the interrupt view. Built from the register tables, without side effects. Values are
// hexadecimal strings, because JSON numbers are exact to 53 bits only; a field is [name, lowest bit, width].
#include "core/hex.h"
#include "devices/machine.h"

namespace lapwing {

namespace {

std::string hex_text(u64 value) {
  return "\"0x" + hex(value) + "\"";
}

std::string quoted(std::string_view text) {
  return "\"" + std::string(text) + "\"";
}

const char* truth(bool value) {
  return value ? "true" : "false";
}

std::string register_json(const RegisterValue& reg) {
  const RegisterInfo& info = *reg.info;
  std::string text = "{\"name\":" + quoted(info.name) + ",\"offset\":" + std::to_string(info.offset) +
                     ",\"width\":" + std::to_string(info.width) + ",\"section\":" + quoted(info.section) +
                     ",\"value\":" + hex_text(reg.value) + ",\"fields\":[";
  for (unsigned i = 0; i < info.field_count; ++i) {
    const FieldInfo& field = info.fields[i];
    text += std::string(i == 0 ? "" : ",") + "[" + quoted(field.name) + "," + std::to_string(field.lo) + "," +
            std::to_string(field.width) + "]";
  }
  return text + "]}";
}

std::string registers_json(const std::vector<RegisterValue>& registers) {
  std::string text = "[";
  for (const RegisterValue& reg : registers) {
    if (text.size() > 1) text += ",";
    text += register_json(reg);
  }
  return text + "]";
}

// [vector, count] of the handlers that a CPU has entered since power-on.
std::string entered_json(const IrqTrace& trace, unsigned cpu) {
  std::string text;
  for (unsigned vector = 0; vector < 256; ++vector) {
    const u64 count = trace.entered(cpu, static_cast<u8>(vector));
    if (count == 0) continue;
    text += (text.empty() ? "[" : ",[") + std::to_string(vector) + "," + std::to_string(count) + "]";
  }
  return "[" + text + "]";
}

std::string cpu_json(const Cpu& cpu, const LocalApic& apic) {
  constexpr const char* kActivities[] = {"running", "halted", "waits for SIPI", "shut down"};
  constexpr const char* kModes[] = {"disabled", "xAPIC", "x2APIC"};
  const CpuState& s = cpu.state;
  const char* mode = s.long_mode_active() ? "long" : (s.cr0 & cr0::kPe) != 0 ? "protected" : "real";
  return "{\"index\":" + std::to_string(cpu.index) + ",\"apicId\":" + std::to_string(apic.config().id) +
         ",\"apicMode\":" + quoted(kModes[static_cast<unsigned>(apic.mode())]) +
         ",\"activity\":" + quoted(kActivities[static_cast<unsigned>(s.activity)]) +
         ",\"mode\":" + quoted(mode) + ",\"rip\":" + hex_text(s.rip) +
         ",\"interruptFlag\":" + truth((s.rflags_rest & rflags::kIf) != 0) +
         ",\"shadow\":" + truth(s.interrupt_shadow) + ",\"nmiBlocked\":" + truth(s.nmi_blocked) +
         ",\"idtBase\":" + hex_text(s.idtr.base) + ",\"idtLimit\":" + std::to_string(s.idtr.limit) +
         ",\"entered\":" + entered_json(cpu.trace, cpu.index) +
         ",\"registers\":" + registers_json(apic.registers()) + "}";
}

}  // namespace

std::string Machine::interrupt_state_json() const {
  u64 levels = 0;
  for (unsigned gsi = 0; gsi < GsiRouter::kGsis; ++gsi)
    levels = with_bit(levels, gsi, board_->gsis().level(gsi));
  std::string text = "{\"instructions\":" + std::to_string(clock_.instructions()) +
                     ",\"ns\":" + std::to_string(clock_.now_ns()) +
                     ",\"lost\":" + std::to_string(trace_.lost()) + ",\"gsiLevels\":" + hex_text(levels) +
                     ",\"counts\":[";
  for (unsigned kind = 0; kind < kIrqEventKinds; ++kind) {
    text += (kind == 0 ? "" : ",") + std::to_string(trace_.count(static_cast<IrqEventKind>(kind)));
  }
  text += "],\"raised\":[";
  for (unsigned gsi = 0; gsi < GsiRouter::kGsis; ++gsi) {
    text += (gsi == 0 ? "" : ",") + std::to_string(trace_.raised(gsi));
  }
  text += "],\"devices\":[";
  bool first = true;
  for (const Device* device : board_->devices()) {
    if (device->name() == "local_apic" || device->name() == "vga" || device->registers().empty()) continue;
    text += std::string(first ? "" : ",") + "{\"name\":" + quoted(device->name()) +
            ",\"registers\":" + registers_json(device->registers()) + "}";
    first = false;
  }
  for (const Board::RegisterTable& table : board_->message_capabilities()) {
    text += std::string(first ? "" : ",") + "{\"name\":" + quoted(table.name) +
            ",\"registers\":" + registers_json(table.registers) + "}";
    first = false;
  }
  text += "],\"cpus\":[";
  for (unsigned i = 0; i < cpu_count(); ++i)
    text += (i == 0 ? "" : ",") + cpu_json(*cpus_[i], board_->local_apic(i));
  return text + "]}";
}

}  // namespace lapwing
