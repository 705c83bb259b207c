// Loads a multiboot 1 kernel with its modules, and gives the CPU state at its entry point.
// Multiboot Specification 0.6.96: ELF32 and ELF64 files, or the header's own address fields ("a.out kludge").
// Unsupported: video mode requests (honoured as "no information"), ELF symbol tables, APM, drives and VBE
// information.
//
// The information structure, followed by everything it points to, lies at kMultibootInfo unless the kernel
// itself occupies that place; then it follows the last module. A 64-bit ELF file is entered in 32-bit mode
// too.
#pragma once

#include <vector>

#include "core/memory/physical.h"
#include "core/result.h"
#include "devices/firmware/boot_state.h"
#include "devices/firmware/memory_map.h"

namespace lapwing {

constexpr u64 kMultibootInfo = 0x9000;
constexpr u64 kMultibootGdt = 0x8000;
constexpr u64 kMultibootStackTop = 0x8000;
constexpr u32 kMultibootBootloaderMagic = 0x2BADB002;

struct MultibootModule {
  BootFile file;
  std::string arguments;  // the string the kernel sees is "NAME ARGUMENTS"
};

struct MultibootRequest {
  BootFile kernel;
  std::vector<MultibootModule> modules;
  std::string command_line;  // the kernel sees "NAME COMMAND-LINE"
};

// Whether a valid multiboot header lies in the first 8 KiB.
bool is_multiboot_image(std::span<const u8> file);

Result<BootState> load_multiboot(PhysicalMemory& memory, const MemoryMap& map,
                                 const MultibootRequest& request);

}  // namespace lapwing
