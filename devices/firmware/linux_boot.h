// Loads a Linux bzImage as a boot loader does, and gives the CPU state at its entry point.
// Linux Documentation/arch/x86/boot.rst ("The Linux/x86 Boot Protocol"), versions 2.04 and up, 32-bit and
// 64-bit entry. Unsupported: zImage (not loaded high), the 16-bit entry point, setup_data, EFI handover,
// kernels above 4 GiB.
#pragma once

#include <optional>

#include "core/memory/physical.h"
#include "core/result.h"
#include "devices/firmware/boot_state.h"
#include "devices/firmware/memory_map.h"

namespace lapwing {

// Where the pieces go below 640 KiB; all of it is usable RAM to the guest.
constexpr u64 kLinuxStackTop = 0x9000;
constexpr u64 kLinuxBootParams = 0x10000;
constexpr u64 kLinuxGdt = 0x11000;
constexpr u64 kLinuxCommandLine = 0x20000;
constexpr u64 kLinuxPageTables = 0x30000;  // 6 pages: the first 4 GiB, identity-mapped by 2 MiB pages

enum class LinuxEntry : u8 { kAuto, k32, k64 };

struct LinuxBootRequest {
  BootFile kernel;
  std::optional<BootFile> initrd;
  std::string command_line;
  bool cpu_has_long_mode = true;
  bool has_vga = false;                  // a VGA in text mode 3 exists: said in screen_info
  LinuxEntry entry = LinuxEntry::kAuto;  // kAuto: 64-bit for 64-bit kernels
};

// Whether the file has the boot protocol's signature.
bool is_linux_image(std::span<const u8> file);

// Places kernel, initrd, command line and boot_params in RAM.
Result<BootState> load_linux(PhysicalMemory& memory, const MemoryMap& map, const LinuxBootRequest& request);

}  // namespace lapwing
