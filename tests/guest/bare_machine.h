// A CPU with RAM and nothing else, for tests of instructions and of the run loop: no devices, ports read as
// ones.
#pragma once

#include <cstring>
#include <functional>
#include <initializer_list>
#include <memory>
#include <vector>

#include "core/cpu/block_cache.h"
#include "core/cpu/cpu.h"
#include "core/cpu/exec/flags.h"

namespace lapwing::test {

// An interrupt unit that hands out one vector at a time.
class ScriptedUnit final : public InterruptUnit {
 public:
  Acknowledged acknowledge() override {
    ++acknowledged;
    if (pins != nullptr) pins->set_intr(false);
    return {vector, 0};
  }
  u8 cr8() const override { return tpr; }
  void set_cr8(u8 value) override { tpr = value; }
  bool read_msr(u32, u64&) override { return false; }
  bool write_msr(u32, u64) override { return false; }
  u64 mmio_page() const override { return kNoApicPage; }
  u64 mmio_read(u32, unsigned) override { return 0; }
  void mmio_write(u32, u64, unsigned) override {}
  void init_reset() override {}

  CpuPins* pins = nullptr;
  u8 vector = 0x20;
  u8 tpr = 0;
  unsigned acknowledged = 0;
};

// Logs what is written; reads give ones.
class RecordingPorts final : public PortSpace {
 public:
  u32 port_in(u16, unsigned size) override { return size == 4 ? ~0u : (1u << (8 * size)) - 1; }
  void port_out(u16 port, u32 value, unsigned) override {
    if (port == 0xE9) output.push_back(static_cast<char>(value));
    if (on_write) on_write(port, value);
  }
  std::string output;
  std::function<void(u16 port, u32 value)> on_write;
};

class BareMachine {
 public:
  static constexpr u64 kRamSize = 16u << 20;
  static constexpr u64 kPageTables = 0x100000;
  static constexpr u64 kGdt = 0x110000;

  explicit BareMachine(const char* model_name = "lapwing")
      : storage_(kRamSize + kPageSize),
        memory(aligned(), kRamSize),
        trace(clock),
        model(make_cpu_model(model_name).value()),
        blocks(memory),
        cpu({clock, trace, memory, ports, blocks, model, 0, 1}) {
    cpu.attach(unit);
    unit.pins = &cpu;
    memory.on_first_code([this](u64 page) { cpu.drop_write_tags(page); });
    memory.on_map_change([this] {
      cpu.flush_tlb(true);
      blocks.flush();
    });
  }

  void write(u64 address, const void* data, std::size_t size) { memory.write_ram(address, data, size); }
  void code(u64 address, std::initializer_list<int> bytes) {
    std::vector<u8> image;
    for (const int byte : bytes) image.push_back(static_cast<u8>(byte));
    write(address, image.data(), image.size());
  }

  void start_real(u16 segment, u16 offset) {
    cpu.state.seg[kCs].selector = segment;
    cpu.state.seg[kCs].base = static_cast<u64>(segment) << 4;
    cpu.state.rip = offset;
    cpu.state.gpr[kRsp] = 0x7000;
    cpu.update_mode();
  }

  // Flat 32-bit protected mode at CPL 0, paging off; GDT: 8 code, 16 data.
  void start_protected(u64 address) {
    write_gdt(0x00CF9B000000FFFFull);
    cpu.state.cr0 |= cr0::kPe;
    flat_segments(0xC09B);
    enter(address);
  }

  // 64-bit mode at CPL 0, the first GiB mapped one to one (2 MiB pages), user-accessible; GDT: 8 code, 16
  // data.
  void start_long(u64 address) {
    write_gdt(0x00AF9B000000FFFFull);
    put(kPageTables, kPageTables + 0x1000 + 7);
    put(kPageTables + 0x1000, kPageTables + 0x2000 + 7);
    for (u64 i = 0; i < 512; ++i) put(kPageTables + 0x2000 + i * 8, (i << 21) | 0x87);
    cpu.state.cr3 = kPageTables;
    cpu.state.cr4 = cr4::kPae | cr4::kOsfxsr | cr4::kOsxmmexcpt;
    cpu.state.efer = efer::kLme | efer::kLma | efer::kNxe | efer::kSce;
    cpu.state.cr0 = cr0::kPe | cr0::kPg | cr0::kEt | cr0::kNe | cr0::kWp | cr0::kMp;
    flat_segments(0xA09B);
    enter(address);
  }

  // Runs until HLT or `max` instructions; returns instructions retired.
  u64 run(u64 max = 1'000'000) {
    const u64 start = clock.instructions();
    while (!cpu.halted() && clock.instructions() - start < max) {
      cpu.run(max - (clock.instructions() - start));
    }
    return clock.instructions() - start;
  }

  u64 gpr(unsigned number) const { return cpu.state.gpr[number]; }

 private:
  u8* aligned() {
    const auto address = reinterpret_cast<std::uintptr_t>(storage_.data());
    return storage_.data() + ((kPageSize - (address & kPageMask)) & kPageMask);
  }
  void put(u64 address, u64 value) { memory.write(address, value, 8); }
  void write_gdt(u64 code_descriptor) {
    put(kGdt, 0);
    put(kGdt + 8, code_descriptor);
    put(kGdt + 16, 0x00CF93000000FFFFull);
    cpu.state.gdtr = DescriptorTable{.base = kGdt, .limit = 0x7F};
  }
  void flat_segments(u16 code_attributes) {
    for (const Seg seg : {kEs, kSs, kDs, kFs, kGs}) {
      cpu.state.seg[seg] = SegmentRegister{.base = 0, .limit = ~0u, .selector = 16, .attributes = 0xC093};
    }
    cpu.state.seg[kCs] =
        SegmentRegister{.base = 0, .limit = ~0u, .selector = 8, .attributes = code_attributes};
  }
  void enter(u64 address) {
    cpu.state.rip = address;
    cpu.state.gpr[kRsp] = 0x80000;
    cpu.flush_tlb(true);
    cpu.update_mode();
  }

  std::vector<u8> storage_;

 public:
  Clock clock;
  PhysicalMemory memory;
  IrqTrace trace;
  RecordingPorts ports;
  CpuModel model;
  BlockCache blocks;
  ScriptedUnit unit;
  Cpu cpu;
};

}  // namespace lapwing::test
