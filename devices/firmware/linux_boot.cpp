#include "devices/firmware/linux_boot.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace lapwing {

namespace {

// Offsets in the file's setup header; boot_params ("zero page") has them at the same place.
enum Offset : u32 {
  kScreenInfo = 0x000,
  kAltMemK = 0x1E0,
  kE820Entries = 0x1E8,
  kSetupHeader = 0x1F1,
  kSetupSects = 0x1F1,
  kSysSize = 0x1F4,
  kBootFlag = 0x1FE,
  kJumpOffset = 0x201,
  kHeaderMagic = 0x202,
  kVersion = 0x206,
  kTypeOfLoader = 0x210,
  kLoadFlags = 0x211,
  kCode32Start = 0x214,
  kRamdiskImage = 0x218,
  kRamdiskSize = 0x21C,
  kCmdLinePtr = 0x228,
  kInitrdAddrMax = 0x22C,
  kKernelAlignment = 0x230,
  kRelocatableKernel = 0x234,
  kXLoadFlags = 0x236,
  kCmdlineSize = 0x238,
  kPrefAddress = 0x258,
  kInitSize = 0x260,
  kE820Table = 0x2D0,
};

constexpr u32 kHdrS = 0x53726448;
constexpr u16 kBootFlagValue = 0xAA55;
constexpr u8 kLoadedHigh = 1 << 0;
constexpr u16 kXlfKernel64 = 1 << 0;
constexpr u8 kUnassignedLoader = 0xFF;
constexpr u64 kSectorSize = 512;
constexpr u64 kEntry64Offset = 0x200;
constexpr u64 kBootParamsSize = 4096;
constexpr u64 kE820EntrySize = 20;
constexpr u64 kMiB = 1024 * 1024;
constexpr u64 kLoadAddress = kHighMemory;

// The header's fields, with the defaults that older protocol versions imply.
struct Header {
  u16 version = 0;
  u64 setup_bytes = 0;
  u64 header_end = 0;
  u32 initrd_addr_max = 0x37FFFFFF;
  u32 cmdline_size = 255;
  u32 alignment = 1;
  bool relocatable = false;
  u64 pref_address = kLoadAddress;
  u64 init_size = 0;
  bool kernel_64 = false;
};

template <class T>
T field(std::span<const u8> file, u64 offset) {
  T value = 0;
  if (offset + sizeof value <= file.size()) std::memcpy(&value, file.data() + offset, sizeof value);
  return value;
}

template <class T>
void put(std::vector<u8>& page, u64 offset, T value) {
  std::memcpy(page.data() + offset, &value, sizeof value);
}

u64 mebibytes(u64 bytes) {
  return (bytes + kMiB - 1) / kMiB;
}

// What a file that is no bzImage most likely is.
Error wrong_kind(const BootFile& kernel) {
  const auto starts = [&](std::string_view magic) {
    return kernel.data.size() >= magic.size() &&
           std::memcmp(kernel.data.data(), magic.data(), magic.size()) == 0;
  };
  const std::string what = "'" + kernel.name + "' ";
  if (kernel.data.empty()) return Error{what + "is empty; give a Linux bzImage or a multiboot kernel"};
  if (starts("\x7f"
             "ELF")) {
    return Error{what + "is an ELF file without a multiboot header; for Linux give the bzImage, not vmlinux"};
  }
  if (starts("\x1f\x8b")) return Error{what + "is a gzip file; is it the initrd? -kernel takes a bzImage"};
  if (kernel.data.size() < kVersion) return Error{what + "is too short to be a kernel"};
  return Error{what + "is not a Linux bzImage (no HdrS at offset 0x202) nor a multiboot kernel"};
}

Result<Header> parse(const BootFile& kernel) {
  const std::span<const u8> file = kernel.data;
  const std::string what = "'" + kernel.name + "' ";
  if (!is_linux_image(file)) return wrong_kind(kernel);
  Header header;
  header.version = field<u16>(file, kVersion);
  if (header.version < 0x0204) return Error{what + "uses a boot protocol older than 2.04 (Linux 2.6.14)"};
  if ((field<u8>(file, kLoadFlags) & kLoadedHigh) == 0) return Error{what + "is a zImage; give a bzImage"};
  const u64 sectors = field<u8>(file, kSetupSects);
  header.setup_bytes = ((sectors == 0 ? 4 : sectors) + 1) * kSectorSize;
  header.header_end = kHeaderMagic + field<u8>(file, kJumpOffset);
  const u64 protected_bytes = u64{field<u32>(file, kSysSize)} * 16;
  // The last paragraph may lack its padding.
  const u64 least = header.setup_bytes + std::max<u64>(protected_bytes, 16) - 15;
  if (file.size() < least) {
    return Error{what + "is truncated: it has " + std::to_string(file.size()) + " bytes of " +
                 std::to_string(header.setup_bytes + protected_bytes)};
  }
  header.initrd_addr_max = field<u32>(file, kInitrdAddrMax);
  if (header.version >= 0x0205) {
    header.relocatable = field<u8>(file, kRelocatableKernel) != 0;
    header.alignment = std::max<u32>(field<u32>(file, kKernelAlignment), 1);
  }
  if (header.version >= 0x0206) header.cmdline_size = field<u32>(file, kCmdlineSize);
  if (header.version >= 0x020A) {
    header.pref_address = std::min(field<u64>(file, kPrefAddress), kFourGiB);
    header.init_size = field<u32>(file, kInitSize);
  }
  if (header.version >= 0x020C) header.kernel_64 = (field<u16>(file, kXLoadFlags) & kXlfKernel64) != 0;
  return header;
}

// End of the memory that the kernel needs while it unpacks itself.
u64 kernel_end(const Header& header, u64 image_size) {
  u64 start = kLoadAddress;
  if (header.relocatable) {
    start = (start + header.alignment - 1) / header.alignment * header.alignment;
    start = std::max(start, header.pref_address);
  }
  return std::max(start + header.init_size, kLoadAddress + image_size);
}

// Highest page-aligned address for the initrd, or an error when kernel and initrd do not fit together.
Result<u64> place_initrd(const MemoryMap& map, const Header& header, u64 end_of_kernel, u64 size) {
  const u64 top = std::min<u64>(map.acpi_base, u64{header.initrd_addr_max} + 1);
  const u64 needed = end_of_kernel + ((size + kPageMask) & ~kPageMask);
  if (needed > top) {
    const u64 machine = mebibytes(needed + kAcpiReservedSize);
    if (map.acpi_base > u64{header.initrd_addr_max}) {
      return Error{"the initrd does not fit below the address that this kernel allows (" +
                   std::to_string(mebibytes(header.initrd_addr_max)) + " MiB)"};
    }
    return Error{"kernel and initrd need " + std::to_string(machine) + " MiB, the machine has " +
                 std::to_string(map.ram_size / kMiB) + "; use -m " + std::to_string(machine)};
  }
  return (top - size) & ~kPageMask;
}

void describe_memory(std::vector<u8>& page, const MemoryMap& map) {
  put<u32>(page, kAltMemK, static_cast<u32>((map.acpi_base - kHighMemory) / 1024));
  put<u8>(page, kE820Entries, static_cast<u8>(map.ranges.size()));
  u64 at = kE820Table;
  for (const MemoryRange& range : map.ranges) {
    put<u64>(page, at, range.base);
    put<u64>(page, at + 8, range.size);
    put<u32>(page, at + 16, static_cast<u32>(range.type));
    at += kE820EntrySize;
  }
}

// struct screen_info for 80x25 colour text, as the setup code finds it after INT 10h mode 3.
void describe_screen(std::vector<u8>& page) {
  put<u8>(page, kScreenInfo + 0x06, 3);    // orig_video_mode
  put<u8>(page, kScreenInfo + 0x07, 80);   // orig_video_cols
  put<u16>(page, kScreenInfo + 0x0A, 3);   // orig_video_ega_bx: 256 KiB, colour
  put<u8>(page, kScreenInfo + 0x0E, 25);   // orig_video_lines
  put<u8>(page, kScreenInfo + 0x0F, 1);    // orig_video_isVGA
  put<u16>(page, kScreenInfo + 0x10, 16);  // orig_video_points
}

std::vector<u8> boot_params(const LinuxBootRequest& request, const MemoryMap& map, const Header& header,
                            u64 initrd_address) {
  std::vector<u8> page(kBootParamsSize);
  const u64 end = std::min<u64>({header.header_end, request.kernel.data.size(), kE820Table});
  std::memcpy(page.data() + kSetupHeader, request.kernel.data.data() + kSetupHeader,
              static_cast<size_t>(end - kSetupHeader));
  put<u8>(page, kTypeOfLoader, kUnassignedLoader);
  put<u32>(page, kCode32Start, static_cast<u32>(kLoadAddress));
  put<u32>(page, kCmdLinePtr, static_cast<u32>(kLinuxCommandLine));
  if (request.initrd) {
    put<u32>(page, kRamdiskImage, static_cast<u32>(initrd_address));
    put<u32>(page, kRamdiskSize, static_cast<u32>(request.initrd->data.size()));
  }
  describe_memory(page, map);
  if (request.has_vga) describe_screen(page);
  return page;
}

// Identity map of the first 4 GiB: PML4, PDPT, four page directories of 2 MiB pages.
std::vector<u8> identity_map() {
  constexpr u64 kTable = 0x3;  // present, writable
  constexpr u64 kLarge = 0x83;
  std::vector<u8> tables(6 * kPageSize);
  put<u64>(tables, 0, (kLinuxPageTables + kPageSize) | kTable);
  for (u64 i = 0; i < 4; ++i)
    put<u64>(tables, kPageSize + i * 8, (kLinuxPageTables + (2 + i) * kPageSize) | kTable);
  for (u64 i = 0; i < 4 * 512; ++i) put<u64>(tables, 2 * kPageSize + i * 8, (i << 21) | kLarge);
  return tables;
}

BootState entry_state(bool long_mode) {
  BootState state;
  state.long_mode = long_mode;
  state.rip = kLoadAddress + (long_mode ? kEntry64Offset : 0);
  state.rsp = kLinuxStackTop;
  state.rsi = kLinuxBootParams;
  state.cr0 = kBootCr0Pe | kBootCr0Et | (long_mode ? kBootCr0Pg : 0);
  if (long_mode) {
    state.cr3 = kLinuxPageTables;
    state.cr4 = kBootCr4Pae;
    state.efer = kBootEferLme | kBootEferLma;
  }
  state.gdt = {kLinuxGdt, 4 * 8 - 1};
  state.cs = {.selector = 0x10, .access = kBootCodeAccess, .long_mode = long_mode, .big = !long_mode};
  state.data = {.selector = 0x18, .access = kBootDataAccess, .big = true};
  return state;
}

// __BOOT_CS at 0x10 and __BOOT_DS at 0x18, flat.
std::array<u64, 4> boot_gdt(bool long_mode) {
  return {0, 0, long_mode ? 0x00AF9B000000FFFFull : 0x00CF9B000000FFFFull, 0x00CF93000000FFFFull};
}

Result<bool> choose_long_mode(const LinuxBootRequest& request, const Header& header) {
  if (request.entry == LinuxEntry::k32) return false;
  if (request.entry == LinuxEntry::k64 && !header.kernel_64) {
    return Error{"'" + request.kernel.name + "' has no 64-bit entry point"};
  }
  if (header.kernel_64 && !request.cpu_has_long_mode) {
    return Error{"'" + request.kernel.name +
                 "' is a 64-bit kernel and this CPU model is 32-bit; choose another -cpu"};
  }
  return header.kernel_64;
}

}  // namespace

bool is_linux_image(std::span<const u8> file) {
  return field<u16>(file, kBootFlag) == kBootFlagValue && field<u32>(file, kHeaderMagic) == kHdrS;
}

Result<BootState> load_linux(PhysicalMemory& memory, const MemoryMap& map, const LinuxBootRequest& request) {
  const Result<Header> parsed = parse(request.kernel);
  if (!parsed.ok()) return Error{parsed.error()};
  const Header& header = parsed.value();
  const Result<bool> long_mode = choose_long_mode(request, header);
  if (!long_mode.ok()) return Error{long_mode.error()};
  if (request.initrd && request.initrd->data.empty())
    return Error{"the initrd '" + request.initrd->name + "' is empty"};
  if (request.command_line.size() >
      std::min<u64>(header.cmdline_size, kLinuxPageTables - kLinuxCommandLine - 1)) {
    return Error{"the command line has " + std::to_string(request.command_line.size()) +
                 " characters; this kernel takes " + std::to_string(header.cmdline_size)};
  }
  const std::span<const u8> image = request.kernel.data.subspan(static_cast<size_t>(header.setup_bytes));
  const u64 initrd_size = request.initrd ? request.initrd->data.size() : 0;
  const Result<u64> initrd = place_initrd(map, header, kernel_end(header, image.size()), initrd_size);
  if (!initrd.ok()) return Error{initrd.error()};

  const std::vector<u8> params = boot_params(request, map, header, initrd.value());
  const std::vector<u8> tables = identity_map();
  const std::array<u64, 4> gdt = boot_gdt(long_mode.value());
  bool placed = memory.write_ram(kLoadAddress, image.data(), image.size());
  if (request.initrd)
    placed = placed && memory.write_ram(initrd.value(), request.initrd->data.data(), initrd_size);
  placed = placed && memory.write_ram(kLinuxBootParams, params.data(), params.size()) &&
           memory.write_ram(kLinuxGdt, gdt.data(), sizeof gdt) &&
           memory.write_ram(kLinuxCommandLine, request.command_line.c_str(), request.command_line.size() + 1);
  if (long_mode.value()) placed = placed && memory.write_ram(kLinuxPageTables, tables.data(), tables.size());
  ASSERT(placed);
  return entry_state(long_mode.value());
}

}  // namespace lapwing
