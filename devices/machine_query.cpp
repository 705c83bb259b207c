// Monitor commands: what people and tests ask a stopped machine. Nothing here has side effects on the guest.
#include <algorithm>
#include <charconv>

#include "core/cpu/decode/decoder.h"
#include "core/cpu/decode/disassembler.h"
#include "core/cpu/exec/flags.h"
#include "core/hex.h"
#include "devices/machine.h"

namespace lapwing {

namespace {

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.resize(width, ' ');
  return text;
}

// One register with its fields by name, as its table tells.
std::string describe(const RegisterValue& reg) {
  const RegisterInfo& info = *reg.info;
  std::string line = padded(info.name, 28) + " " + hex(reg.value, std::max(2u, info.width / 4u));
  for (unsigned i = 0; i < info.field_count; ++i) {
    const FieldInfo& field = info.fields[i];
    const u64 mask = field.width >= 64 ? ~0ull : (1ull << field.width) - 1;
    const u64 value = (reg.value >> field.lo) & mask;
    line += (i == 0 ? "  " : ", ") + std::string(field.name) + "=";
    line += value < 10 ? std::to_string(value) : "0x" + hex(value, (field.width + 3u) / 4u);
  }
  return line + "\n";
}

std::string describe(const std::string& name, const std::vector<RegisterValue>& registers) {
  if (registers.empty()) return {};
  std::string text = name + ":\n";
  for (const RegisterValue& reg : registers) text += "  " + describe(reg);
  return text;
}

std::string describe(const Device& device) {
  return describe(std::string(device.name()), device.registers());
}

std::string_view next_word(std::string_view& rest) {
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  const std::size_t end = rest.find(' ');
  const std::string_view word = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end);
  return word;
}

bool parse_number(std::string_view text, u64& value) {
  int base = 10;
  if (text.starts_with("0x")) {
    base = 16;
    text.remove_prefix(2);
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc() && end == text.data() + text.size();
}

// The monitor's /COUNT FORMAT SIZE, e.g. "/4xg".
struct ExamineFormat {
  unsigned count = 1;
  unsigned size = 4;
  char format = 'x';
};

bool parse_format(std::string_view text, ExamineFormat& out) {
  unsigned count = 0;
  while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
    count = std::min(count * 10 + static_cast<unsigned>(text[0] - '0'), 65536u);
    text.remove_prefix(1);
  }
  if (count > 0) out.count = count;
  for (const char letter : text) {
    switch (letter) {
      case 'b': out.size = 1; break;
      case 'h': out.size = 2; break;
      case 'w': out.size = 4; break;
      case 'g': out.size = 8; break;
      case 'x':
      case 'd':
      case 'u':
      case 'i':
      case 'c': out.format = letter; break;
      default: return false;
    }
  }
  return true;
}

const char* segment_name(unsigned index) {
  constexpr const char* kNames[] = {"ES", "CS", "SS", "DS", "FS", "GS", "LDT", "TR"};
  return kNames[index];
}

std::string segment_line(unsigned index, const SegmentRegister& segment) {
  return padded(segment_name(index), 3) + " =" + hex(segment.selector, 4) + " " + hex(segment.base, 16) +
         " " + hex(segment.limit, 8) + " " + hex(segment.attributes, 4) + "\n";
}

std::string cpu_text(const Cpu& cpu) {
  constexpr const char* kNames[] = {"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
                                    "R8 ", "R9 ", "R10", "R11", "R12", "R13", "R14", "R15"};
  constexpr const char* kActivities[] = {"running", "halted", "waits for SIPI", "shut down"};
  const CpuState& s = cpu.state;
  std::string text =
      "CPU#" + std::to_string(cpu.index) + " " + kActivities[static_cast<unsigned>(s.activity)] + "\n";
  for (unsigned i = 0; i < 16; ++i) {
    text += std::string(kNames[i]) + "=" + hex(s.gpr[i], 16) + (i % 4 == 3 ? "\n" : " ");
  }
  text += "RIP=" + hex(s.rip, 16) + " RFL=" + hex(s.rflags_rest | status_flags(s), 8) +
          " CPL=" + std::to_string(s.cpl) + " shadow=" + std::to_string(s.interrupt_shadow) + "\n";
  for (unsigned i = 0; i < kSegCount; ++i) text += segment_line(i, s.seg[i]);
  text += "GDT=" + hex(s.gdtr.base, 16) + " " + hex(s.gdtr.limit, 4) + " IDT=" + hex(s.idtr.base, 16) + " " +
          hex(s.idtr.limit, 4) + "\n";
  text += "CR0=" + hex(s.cr0, 8) + " CR2=" + hex(s.cr2, 16) + " CR3=" + hex(s.cr3, 16) +
          " CR4=" + hex(s.cr4, 8) + " EFER=" + hex(s.efer, 8) + "\n";
  text += "DR6=" + hex(s.dr[6], 8) + " DR7=" + hex(s.dr[7], 8) + " FCW=" + hex(s.fpu.control, 4) +
          " FSW=" + hex(s.fpu.status, 4) + " MXCSR=" + hex(s.mxcsr, 8) + "\n";
  for (unsigned i = 0; i < 16; ++i) {
    const std::string name = "XMM" + std::to_string(i);
    text += padded(name, 5) + "=" + hex(s.xmm[i].hi, 16) + hex(s.xmm[i].lo, 16) + (i % 2 == 1 ? "\n" : " ");
  }
  return text;
}

// Lists the mapped linear ranges, merging neighbours that are contiguous in physical memory and have equal
// rights.
class PageTableLister {
 public:
  PageTableLister(PhysicalMemory& memory, bool wide) : memory_(memory), entry_size_(wide ? 8 : 4) {}

  void list(u64 table, unsigned level, u64 linear, unsigned shift, unsigned entries) {
    const unsigned index_bits = entry_size_ == 8 ? 9 : 10;
    for (unsigned i = 0; i < entries && text_.size() < kLimit; ++i) {
      const u64 entry = memory_.read(table + u64{i} * entry_size_, entry_size_);
      const u64 at = canonical(linear + (u64{i} << shift));
      if ((entry & 1) == 0) continue;
      const bool large = level == 1 || (level < 4 && bit_of(entry, 7) && shift < 32);
      if (large) {
        add(at, entry & kAddress & ~((1ull << shift) - 1), 1ull << shift, rights(entry));
      } else {
        list(entry & kAddress, level - 1, at, shift - index_bits, 1u << index_bits);
      }
    }
  }
  std::string finish() {
    flush();
    return std::move(text_);
  }

 private:
  static constexpr u64 kAddress = 0x000FFFFFFFFFF000;
  static constexpr std::size_t kLimit = 1u << 20;

  static u64 canonical(u64 linear) { return bit_of(linear, 47) ? linear | 0xFFFF000000000000 : linear; }
  static std::string rights(u64 entry) {
    return std::string(bit_of(entry, 2) ? "u" : "-") + "r" + (bit_of(entry, 1) ? "w" : "-") +
           (bit_of(entry, 63) ? "-" : "x");
  }
  void add(u64 linear, u64 physical, u64 size, const std::string& rights) {
    if (size_ > 0 && linear == linear_ + size_ && physical == physical_ + size_ && rights == rights_) {
      size_ += size;
      return;
    }
    flush();
    linear_ = linear;
    physical_ = physical;
    size_ = size;
    rights_ = rights;
  }
  void flush() {
    if (size_ == 0) return;
    text_ += hex(linear_, 16) + "-" + hex(linear_ + size_ - 1, 16) + " -> " + hex(physical_, 10) + " " +
             rights_ + "\n";
    size_ = 0;
  }

  PhysicalMemory& memory_;
  unsigned entry_size_;
  u64 linear_ = 0, physical_ = 0, size_ = 0;
  std::string rights_, text_;
};

}  // namespace

std::string Machine::registers_text() const {
  std::string text;
  for (const auto& cpu : cpus_) text += cpu_text(*cpu);
  return text;
}

std::string Machine::stats_json() const {
  std::string text =
      "{\"instructions\":" + std::to_string(clock_.instructions()) +
      ",\"ns\":" + std::to_string(clock_.now_ns()) + ",\"halted_ns\":" + std::to_string(halted_ns_) +
      ",\"blocks_built\":" + std::to_string(blocks_.built()) +
      ",\"block_flushes\":" + std::to_string(blocks_.flushes()) +
      ",\"block_invalidations\":" + std::to_string(blocks_.invalidations()) +
      (generated_ == nullptr ? "" : ",\"jit\":" + generated_->statistics()) + ",\"interrupts\":{";
  for (unsigned kind = 0; kind < kIrqEventKinds; ++kind) {
    const auto event = static_cast<IrqEventKind>(kind);
    text += (kind == 0 ? "\"" : ",\"") + std::string(irq_event_name(event)) +
            "\":" + std::to_string(trace_.count(event));
  }
  return text + "}}";
}

std::string Machine::query_info(std::string_view what, bool& known) {
  known = true;
  if (what == "registers") return registers_text();
  if (what == "pic") return describe(board_->pic());
  if (what == "ioapic")
    return board_->ioapic() ? describe(*board_->ioapic()) : "this machine has no I/O APIC\n";
  if (what == "lapic") {
    std::string text;
    for (unsigned index = 0; index < cpu_count(); ++index) {
      text += "CPU#" + std::to_string(index) + " " + describe(board_->local_apic(index));
    }
    return text;
  }
  if (what == "irq") return irq_text();
  if (what == "msi") {
    std::string text;
    for (const Board::RegisterTable& table : board_->message_capabilities())
      text += describe(table.name, table.registers);
    return text.empty() ? "this machine has no function with MSI or MSI-X\n" : text;
  }
  if (what == "mem") return translations_text();
  if (what == "mtree") return board_->address_map();
  if (what == "pci") return board_->pci_text();
  if (what == "hpet" && !config_.hpet) return "this machine has no HPET\n";
  std::string text;
  for (const Device* device : board_->devices()) {
    if (device->name() == what) text += describe(*device);
  }
  known = !text.empty();
  return text;
}

std::string Machine::irq_text() const {
  std::string text = "GSI levels:";
  for (unsigned gsi = 0; gsi < 24; ++gsi) text += board_->gsis().level(gsi) ? " " + std::to_string(gsi) : "";
  text += "\nlines raised since power-on:\n";
  for (unsigned gsi = 0; gsi < GsiRouter::kGsis; ++gsi) {
    const u64 count = trace_.raised(gsi);
    if (count != 0) text += "  GSI " + padded(std::to_string(gsi), 16) + std::to_string(count) + "\n";
  }
  text += "handlers entered, by CPU:\n";
  for (unsigned vector = 0; vector < 256; ++vector) {
    u64 all = 0;
    std::string row;
    for (unsigned cpu = 0; cpu < cpu_count(); ++cpu) {
      const u64 count = trace_.entered(cpu, static_cast<u8>(vector));
      all += count;
      row += padded(std::to_string(count), 12);
    }
    row.erase(row.find_last_not_of(' ') + 1);
    if (all != 0) text += "  vector " + padded("0x" + hex(vector, 2), 13) + row + "\n";
  }
  text += "hops:\n";
  for (unsigned kind = 0; kind < kIrqEventKinds; ++kind) {
    const auto event = static_cast<IrqEventKind>(kind);
    if (trace_.count(event) == 0) continue;
    text += "  " + padded(irq_event_name(event), 20) + std::to_string(trace_.count(event)) + "\n";
  }
  return text;
}

std::string Machine::translations_text() {
  const CpuState& s = cpus_[turns_.current()]->state;
  if ((s.cr0 & cr0::kPg) == 0) return "paging is off\n";
  const bool wide = (s.cr4 & cr4::kPae) != 0;
  PageTableLister lister(memory_, wide);
  constexpr u64 kTable = 0x000FFFFFFFFFF000;
  if (s.long_mode_active()) {
    lister.list(s.cr3 & kTable, 4, 0, 39, 512);
  } else if (wide) {
    lister.list(s.cr3 & 0xFFFFFFE0, 3, 0, 30, 4);
  } else {
    lister.list(s.cr3 & 0xFFFFF000, 2, 0, 22, 1024);
  }
  return lister.finish();
}

bool Machine::read_memory(bool is_virtual, u64 address, u8* out, u64 size) {
  while (size > 0) {
    u64 physical = address;
    if (is_virtual && !cpus_[turns_.current()]->probe_linear(address, physical)) return false;
    const u64 piece = std::min(size, kPageSize - (address & kPageMask));
    const u8* page = memory_.readable_page(physical);
    if (page == nullptr) return false;
    std::copy_n(page + (physical & kPageMask), piece, out);
    address += piece;
    out += piece;
    size -= piece;
  }
  return true;
}

Result<std::string> Machine::examine(std::string_view arguments, bool is_virtual) {
  ExamineFormat format;
  std::string_view word = next_word(arguments);
  if (word.starts_with('/')) {
    if (!parse_format(word.substr(1), format)) return Error{"unknown format '" + std::string(word) + "'"};
    word = next_word(arguments);
  }
  u64 address = 0;
  if (!parse_number(word, address)) return Error{"give an address, such as 0x1000"};
  if (format.format == 'i') return disassembly(word, format.count, is_virtual);
  const unsigned per_line = format.size == 8 ? 2 : 16 / format.size / (format.size == 1 ? 2 : 1);
  std::string text;
  for (unsigned i = 0; i < format.count; ++i, address += format.size) {
    u8 bytes[8] = {};
    if (!read_memory(is_virtual, address, bytes, format.size)) {
      return Error{"0x" + hex(address, 16) + " is not guest memory"};
    }
    u64 value = 0;
    for (unsigned byte = 0; byte < format.size; ++byte) value |= static_cast<u64>(bytes[byte]) << (8 * byte);
    if (i % per_line == 0) text += (i == 0 ? "" : "\n") + hex(address, 16) + ":";
    switch (format.format) {
      case 'c':
        text += std::string(" '") + (value >= 32 && value < 127 ? static_cast<char>(value) : '.') + "'";
        break;
      case 'u': text += " " + std::to_string(value); break;
      case 'd': {
        const unsigned shift = 64 - 8 * format.size;
        text += " " + std::to_string(static_cast<i64>(value << shift) >> shift);
        break;
      }
      default: text += " 0x" + hex(value, 2 * format.size);
    }
  }
  return text + "\n";
}

Result<std::string> Machine::disassembly(std::string_view where, unsigned count, bool is_virtual) {
  u64 address = 0;
  if (!parse_number(where, address)) return Error{"give an address, such as 0x1000"};
  const CpuState& s = cpus_[turns_.current()]->state;
  const u8 code_size = s.code64() ? 8 : s.seg[kCs].big() ? 4 : 2;
  std::string text;
  for (unsigned i = 0; i < count; ++i) {
    u8 bytes[kMaxInstructionLength] = {};
    unsigned available = 0;
    while (available < sizeof bytes && read_memory(is_virtual, address + available, bytes + available, 1))
      ++available;
    Instruction in;
    if (available == 0) return Error{"0x" + hex(address, 16) + " is not guest memory"};
    if (decode(bytes, available, DecodeMode{code_size, code_size == 8}, 0, in) != DecodeResult::kOk) break;
    std::string raw;
    for (unsigned byte = 0; byte < in.length; ++byte) raw += hex(bytes[byte], 2);
    text += hex(address, 16) + ": " + padded(raw, 20) + " " + disassemble(in, address) + "\n";
    address += in.length;
  }
  return text;
}

Result<std::string> Machine::query(std::string_view command) {
  std::string_view rest = command;
  const std::string_view word = next_word(rest);
  if (word == "hash") return hex(hash(), 16);
  if (word == "registers") return registers_text();
  if (word == "stats") return stats_json();
  if (word == "screen") {
    if (board_->screen() == nullptr) return Error{"this machine has no screen"};
    return board_->screen()->text();
  }
  if (word == "state") {
    const std::string_view what = next_word(rest);
    if (what.empty()) return state_summary();
    if (what == "interrupts") return interrupt_state_json();
  }
  if (word == "break") {
    breakpoints_.clear();
    for (u64 address; parse_number(next_word(rest), address);) breakpoints_.push_back(address);
    return std::string();
  }
  if (word == "x" || word == "xp") return examine(rest, word == "x");
  if (word == "disassemble") {
    const std::string_view address = next_word(rest);
    u64 count = 10;
    if (const std::string_view number = next_word(rest); !number.empty() && !parse_number(number, count)) {
      return Error{"disassemble ADDRESS [COUNT]"};
    }
    return disassembly(address, static_cast<unsigned>(std::min<u64>(count, 10'000)), true);
  }
  if (word == "info") {
    bool known = false;
    std::string text = query_info(next_word(rest), known);
    if (known) return text;
  }
  return Error{
      "unknown question '" + std::string(command) +
      "'; known: hash, registers, screen, stats, state, state interrupts, x, xp, break, disassemble, info "
      "pic|ioapic|lapic|"
      "irq|msi|registers|mem|mtree|hpet|pci|vga"};
}

}  // namespace lapwing
