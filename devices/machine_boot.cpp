// Files, reset, and how the first instruction is reached: a direct kernel boot (Linux, multiboot) or a BIOS
// image.
#include <algorithm>

#include "devices/firmware/direct_boot.h"
#include "devices/firmware/linux_boot.h"
#include "devices/firmware/memory_map.h"
#include "devices/firmware/multiboot.h"
#include "devices/machine.h"

namespace lapwing {

namespace {

SegmentRegister segment_of(const BootSegment& boot) {
  SegmentRegister segment;
  segment.selector = boot.selector;
  segment.base = boot.base;
  segment.limit = boot.limit;
  constexpr unsigned kLongBit = 13, kBigBit = 14, kGranularityBit = 15;
  u16 attributes = boot.access;
  attributes = with_bit<u16>(attributes, kLongBit, boot.long_mode);
  attributes = with_bit<u16>(attributes, kBigBit, boot.big);
  attributes = with_bit<u16>(attributes, kGranularityBit, boot.limit > 0xFFFFF);
  segment.attributes = attributes;
  return segment;
}

}  // namespace

Result<void> Machine::load_file(MachineFile file) {
  constexpr std::string_view kKinds[] = {"kernel", "initrd", "bios", "vgabios", "fw_cfg", "symbols"};
  if (std::find(std::begin(kKinds), std::end(kKinds), file.kind) == std::end(kKinds)) {
    std::string known;
    for (const std::string_view kind : kKinds) known += (known.empty() ? "" : ", ") + std::string(kind);
    return Error{"unknown kind of file '" + file.kind + "'; known: " + known};
  }
  if (file.kind == "fw_cfg") return board_->fw_cfg().add_file(file.arguments, std::move(file.data));
  if (file.data.empty()) return Error{"the " + file.kind + " file is empty"};
  if (file.kind == "vgabios") return board_->set_video_bios(std::move(file.data));
  if (file.kind == "symbols") return Error{"symbol files are not supported yet"};
  if (file.kind == "bios") {
    if (bios_.present()) return Error{"there can be only one BIOS image"};
    if (Result<void> set = bios_.set(file.data); !set.ok()) return set;
  }
  if (file.kind == "kernel" && this->file("kernel") != nullptr) return Error{"there can be only one kernel"};
  files_.push_back(std::make_unique<MachineFile>(std::move(file)));
  return {};
}

const MachineFile* Machine::file(std::string_view kind) const {
  for (const auto& file : files_) {
    if (file->kind == kind) return file.get();
  }
  return nullptr;
}

Result<void> Machine::boot() {
  const MachineFile* kernel = file("kernel");
  if (kernel == nullptr && !bios_.present()) return Error{"nothing to boot: give a kernel or a BIOS image"};
  if (kernel != nullptr && bios_.present())
    return Error{"a machine boots a kernel or a BIOS image, not both"};
  reset_requested_ = false;
  cpu_reset_requested_ = suspend_requested_ = wake_requested_ = asleep_ = false;
  turns_.reset();
  board_->reset();
  for (const auto& cpu : cpus_) cpu->reset();
  if (bios_.present()) return {};
  const MemoryMap map = make_memory_map(config_.memory);
  board_->enter_firmware_state(map);
  for (const auto& cpu : cpus_) set_boot_msrs(cpu->state);
  Result<BootState> loaded = load_kernel(*kernel, map);
  if (!loaded.ok()) return Error{loaded.error()};
  enter(loaded.value());
  return {};
}

Result<BootState> Machine::load_kernel(const MachineFile& kernel, const MemoryMap& map) {
  const BootFile file{"kernel", kernel.data};
  if (is_multiboot_image(kernel.data)) {
    MultibootRequest request{file, {}, config_.command_line};
    for (const auto& module : files_) {
      if (module->kind == "initrd") request.modules.push_back({{"initrd", module->data}, module->arguments});
    }
    return load_multiboot(memory_, map, request);
  }
  LinuxBootRequest request;
  request.kernel = file;
  if (const MachineFile* initrd = this->file("initrd")) request.initrd = BootFile{"initrd", initrd->data};
  request.command_line = config_.command_line;
  request.has_vga = config_.vga;
  request.cpu_has_long_mode = config_.cpu.has(Feature::LM);
  return load_linux(memory_, map, request);
}

// What the BIOS writes into a CPU's MSRs (SDM vol. 4: the memory type range registers).
void Machine::set_boot_msrs(CpuState& state) {
  constexpr u32 kVariable = 0x200, kFix64K = 0x250, kFix16K = 0x258, kFix4K = 0x268, kDefType = 0x2FF;
  for (const BootMsr& msr : boot_msrs()) {
    if (msr.index == kDefType)
      state.mtrr_def_type = msr.value;
    else if (msr.index == kFix64K)
      state.mtrr_fixed[0] = msr.value;
    else if (msr.index - kFix16K < 2)
      state.mtrr_fixed[1 + msr.index - kFix16K] = msr.value;
    else if (msr.index - kFix4K < 8)
      state.mtrr_fixed[3 + msr.index - kFix4K] = msr.value;
    else if (msr.index - kVariable < 16)
      state.mtrr_variable[msr.index - kVariable] = msr.value;
  }
}

void Machine::enter(const BootState& boot) {
  Cpu& cpu = *cpus_[0];
  CpuState& s = cpu.state;
  s.rip = boot.rip;
  s.gpr[kRsp] = boot.rsp;
  s.gpr[kRax] = boot.rax;
  s.gpr[kRbx] = boot.rbx;
  s.gpr[kRcx] = boot.rcx;
  s.gpr[kRdx] = boot.rdx;
  s.gpr[kRsi] = boot.rsi;
  s.gpr[kRdi] = boot.rdi;
  s.gpr[kRbp] = boot.rbp;
  s.rflags_rest = boot.rflags | rflags::kFixed;
  s.cr0 = boot.cr0;
  s.cr3 = boot.cr3;
  s.cr4 = boot.cr4;
  s.efer = boot.efer;
  s.gdtr = DescriptorTable{boot.gdt.base, boot.gdt.limit};
  s.idtr = DescriptorTable{boot.idt.base, boot.idt.limit};
  s.seg[kCs] = segment_of(boot.cs);
  for (const Seg segment : {kEs, kSs, kDs, kFs, kGs}) s.seg[segment] = segment_of(boot.data);
  cpu.flush_tlb(true);
  cpu.update_mode();
}

}  // namespace lapwing
