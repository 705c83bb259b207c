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

constexpr std::size_t kMaxBiosSize = 1u << 20;
constexpr std::size_t kBiosGranule = 64u << 10;
constexpr u64 kLowBiosSize = 0x20000;
constexpr u64 kLowBiosEnd = 0x100000;
constexpr u64 kMaskedBiosEnd = kFourGiB - 0x100000;

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
    if (file.data.size() > kMaxBiosSize || file.data.size() % kBiosGranule != 0) {
      return Error{"the BIOS image must have a multiple of 64 KiB and at most 1 MiB; it has " +
                   std::to_string(file.data.size()) + " bytes"};
    }
    if (this->file("bios") != nullptr) return Error{"there can be only one BIOS image"};
  }
  if (file.kind == "kernel" && this->file("kernel") != nullptr) return Error{"there can be only one kernel"};
  MachineFile& kept = *files_.emplace_back(std::make_unique<MachineFile>(std::move(file)));
  return kept.kind == "bios" ? map_bios(kept.data) : Result<void>();
}

// The image ends at 4 GiB; its last 128 KiB appear below 1 MiB too, and 1 MiB below their place at the top,
// where the reset vector's fetch lands while A20 is masked (PIIX3, "BIOS memory space").
Result<void> Machine::map_bios(const std::vector<u8>& image) {
  Result<void> high = memory_.map_rom(kFourGiB - image.size(), image.data(), image.size(), "bios");
  if (!high.ok()) return high;
  const u64 low_size = std::min<u64>(image.size(), kLowBiosSize);
  const u8* last = image.data() + image.size() - low_size;
  Result<void> masked = memory_.map_rom(kMaskedBiosEnd - low_size, last, low_size, "bios");
  return masked.ok() ? memory_.map_rom(kLowBiosEnd - low_size, last, low_size, "bios") : masked;
}

const MachineFile* Machine::file(std::string_view kind) const {
  for (const auto& file : files_) {
    if (file->kind == kind) return file.get();
  }
  return nullptr;
}

Result<void> Machine::boot() {
  const MachineFile* kernel = file("kernel");
  const MachineFile* bios = file("bios");
  if (kernel == nullptr && bios == nullptr) return Error{"nothing to boot: give a kernel or a BIOS image"};
  if (kernel != nullptr && bios != nullptr)
    return Error{"a machine boots a kernel or a BIOS image, not both"};
  reset_requested_ = false;
  cpu_reset_requested_ = suspend_requested_ = wake_requested_ = asleep_ = false;
  current_ = 0;
  quantum_left_ = kQuantum;
  board_->reset();
  for (const auto& cpu : cpus_) cpu->reset();
  if (bios != nullptr) return {};
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
