#include "devices/firmware/multiboot.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

namespace lapwing {

namespace {

constexpr u32 kHeaderMagic = 0x1BADB002;
constexpr u64 kSearchLimit = 8192;
constexpr u32 kFlagAddressFields = 1u << 16;
constexpr u32 kUnderstoodRequirements = 0x7;  // page-aligned modules, memory information, video mode
constexpr u32 kRequirementMask = 0xFFFF;
constexpr u64 kMiB = 1024 * 1024;

// Bits of the information structure's flags word.
enum InfoFlag : u32 {
  kInfoMemory = 1u << 0,
  kInfoCommandLine = 1u << 2,
  kInfoModules = 1u << 3,
  kInfoMemoryMap = 1u << 6,
  kInfoLoaderName = 1u << 9,
};

// Offsets of the fields that are filled in.
enum InfoOffset : u32 {
  kOffFlags = 0,
  kOffMemLower = 4,
  kOffMemUpper = 8,
  kOffCommandLine = 16,
  kOffModuleCount = 20,
  kOffModules = 24,
  kOffMapLength = 44,
  kOffMap = 48,
  kOffLoaderName = 64,
  kInfoSize = 120,
};
constexpr u64 kModuleEntrySize = 16;
constexpr u64 kMapEntrySize = 24;

// A piece of the kernel: file bytes and zeros after them.
struct Segment {
  u64 address;
  u64 file_offset;
  u64 file_size;
  u64 memory_size;
  bool headers_only = false;  // may be left out
};

struct Kernel {
  u64 entry = 0;
  std::vector<Segment> segments;
};

template <class T>
T field(std::span<const u8> file, u64 offset) {
  T value = 0;
  if (offset <= file.size() && sizeof value <= file.size() - offset) {
    std::memcpy(&value, file.data() + offset, sizeof value);
  }
  return value;
}

std::optional<u64> find_header(std::span<const u8> file) {
  const u64 limit = std::min<u64>(file.size(), kSearchLimit);
  for (u64 at = 0; at + 12 <= limit; at += 4) {
    const u32 magic = field<u32>(file, at);
    if (magic == kHeaderMagic && magic + field<u32>(file, at + 4) + field<u32>(file, at + 8) == 0) return at;
  }
  return std::nullopt;
}

Error truncated(const BootFile& kernel) {
  return Error{"'" + kernel.name + "' is truncated: its headers point beyond its " +
               std::to_string(kernel.data.size()) + " bytes"};
}

// The header's own load addresses: header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr.
Result<Kernel> from_address_fields(const BootFile& kernel, u64 header) {
  const u64 header_address = field<u32>(kernel.data, header + 12);
  const u64 load = field<u32>(kernel.data, header + 16);
  const u64 load_end = field<u32>(kernel.data, header + 20);
  const u64 bss_end = field<u32>(kernel.data, header + 24);
  const u64 before_header = header_address - load;
  if (load > header_address || before_header > header) {
    return Error{"'" + kernel.name + "' has a multiboot header whose load addresses contradict each other"};
  }
  const u64 offset = header - before_header;
  const u64 size = load_end == 0 ? kernel.data.size() - offset : load_end - load;
  if (load_end != 0 && (load_end < load || size > kernel.data.size() - offset)) return truncated(kernel);
  const u64 in_memory = bss_end > load + size ? bss_end - load : size;
  return Kernel{field<u32>(kernel.data, header + 28), {{load, offset, size, in_memory}}};
}

// Where the two ELF classes keep what is needed (System V ABI, "ELF Header", "Program Header").
struct ElfLayout {
  u32 phoff, phentsize, phnum;
  u32 p_flags, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz;
  bool wide;
};
constexpr ElfLayout kElf32 = {28, 42, 44, 24, 4, 8, 12, 16, 20, false};
constexpr ElfLayout kElf64 = {32, 54, 56, 4, 8, 16, 24, 32, 40, true};
constexpr u32 kElfEntry = 24;
constexpr u32 kPtLoad = 1;
constexpr u32 kExecutable = 1;
constexpr u32 kWritable = 2;
constexpr u16 kMachine386 = 3;
constexpr u16 kMachineX86_64 = 62;

u64 elf_word(std::span<const u8> file, u64 offset, bool wide) {
  return wide ? field<u64>(file, offset) : field<u32>(file, offset);
}

Result<Kernel> from_elf(const BootFile& kernel) {
  const std::span<const u8> file = kernel.data;
  const u16 machine = field<u16>(file, 18);
  if (file[5] != 1 || (machine != kMachine386 && machine != kMachineX86_64)) {
    return Error{"'" + kernel.name + "' is an ELF file for another processor"};
  }
  const ElfLayout& layout = file[4] == 2 ? kElf64 : kElf32;
  const u64 entry = elf_word(file, kElfEntry, layout.wide);
  const u64 table = elf_word(file, layout.phoff, layout.wide);
  const u64 step = field<u16>(file, layout.phentsize);
  const u64 count = field<u16>(file, layout.phnum);
  if (table > file.size() || step * count > file.size() - table) return truncated(kernel);
  Kernel result{entry, {}};
  for (u64 i = 0; i < count; ++i) {
    const u64 at = table + i * step;
    const u64 memory_size = elf_word(file, at + layout.p_memsz, layout.wide);
    if (field<u32>(file, at) != kPtLoad || memory_size == 0) continue;
    Segment segment = {elf_word(file, at + layout.p_paddr, layout.wide),
                       elf_word(file, at + layout.p_offset, layout.wide),
                       elf_word(file, at + layout.p_filesz, layout.wide), memory_size};
    // Link editors like to load the ELF header itself, on the page below the text.
    const u32 flags = field<u32>(file, at + layout.p_flags);
    segment.headers_only = segment.file_offset == 0 && (flags & (kExecutable | kWritable)) == 0;
    if (segment.file_offset > file.size() || segment.file_size > file.size() - segment.file_offset) {
      return truncated(kernel);
    }
    // An entry point given as a virtual address means the place where that address is loaded.
    const u64 virtual_address = elf_word(file, at + layout.p_vaddr, layout.wide);
    if (entry >= virtual_address && entry - virtual_address < memory_size) {
      result.entry = segment.address + (entry - virtual_address);
    }
    result.segments.push_back(segment);
  }
  if (result.segments.empty()) return Error{"'" + kernel.name + "' is an ELF file with nothing to load"};
  return result;
}

bool is_elf(std::span<const u8> file) {
  return file.size() >= 52 && std::memcmp(file.data(),
                                          "\x7f"
                                          "ELF",
                                          4) == 0;
}

Result<Kernel> parse(const BootFile& kernel) {
  const std::optional<u64> header = find_header(kernel.data);
  if (!header) return Error{"'" + kernel.name + "' has no multiboot header in its first 8 KiB"};
  const u32 flags = field<u32>(kernel.data, *header + 4);
  if ((flags & kRequirementMask & ~kUnderstoodRequirements) != 0) {
    return Error{"'" + kernel.name + "' requires multiboot features that do not exist in version 1"};
  }
  if ((flags & kFlagAddressFields) != 0) return from_address_fields(kernel, *header);
  if (is_elf(kernel.data)) return from_elf(kernel);
  return Error{"'" + kernel.name + "' has a multiboot header without addresses and is not an ELF file"};
}

Error too_big(const MemoryMap& map, u64 needed_top) {
  const u64 machine = (needed_top + kAcpiReservedSize + kMiB - 1) / kMiB;
  return Error{"the kernel and its modules need " + std::to_string(machine) + " MiB, the machine has " +
               std::to_string(map.ram_size / kMiB) + "; use -m " + std::to_string(machine)};
}

// Collects the information structure and what it points to; addresses are relative to its own base.
class InfoBuilder {
 public:
  explicit InfoBuilder(u64 base) : base_(base), bytes_(kInfoSize) {}

  void put(u64 offset, u64 value, size_t size = 4) { std::memcpy(bytes_.data() + offset, &value, size); }
  u64 allocate(u64 size) {
    const u64 offset = (bytes_.size() + 7) & ~7ull;
    bytes_.resize(static_cast<size_t>(offset + size));
    return offset;
  }
  u64 add_string(const std::string& text) {
    const u64 offset = allocate(text.size() + 1);
    std::memcpy(bytes_.data() + offset, text.c_str(), text.size() + 1);
    return address(offset);
  }
  u64 address(u64 offset) const { return base_ + offset; }
  const std::vector<u8>& bytes() const { return bytes_; }

 private:
  u64 base_;
  std::vector<u8> bytes_;
};

struct PlacedModule {
  u64 start;
  u64 end;
  std::string text;
};

std::string joined(const std::string& name, const std::string& arguments) {
  return arguments.empty() ? name : name + " " + arguments;
}

std::vector<u8> build_info(u64 base, const MemoryMap& map, const MultibootRequest& request,
                           const std::vector<PlacedModule>& modules) {
  InfoBuilder info(base);
  u32 flags = kInfoMemory | kInfoCommandLine | kInfoMemoryMap | kInfoLoaderName;
  info.put(kOffMemLower, kEbdaAddress / 1024);
  info.put(kOffMemUpper, (map.acpi_base - kHighMemory) / 1024);
  info.put(kOffCommandLine, info.add_string(joined(request.kernel.name, request.command_line)));
  info.put(kOffLoaderName, info.add_string("Lapwing"));

  const u64 entries = info.allocate(map.ranges.size() * kMapEntrySize);
  info.put(kOffMapLength, map.ranges.size() * kMapEntrySize);
  info.put(kOffMap, info.address(entries));
  for (size_t i = 0; i < map.ranges.size(); ++i) {
    const u64 at = entries + i * kMapEntrySize;
    info.put(at, kMapEntrySize - 4);
    info.put(at + 4, map.ranges[i].base, 8);
    info.put(at + 12, map.ranges[i].size, 8);
    info.put(at + 20, static_cast<u32>(map.ranges[i].type));
  }

  if (!modules.empty()) {
    flags |= kInfoModules;
    const u64 table = info.allocate(modules.size() * kModuleEntrySize);
    info.put(kOffModuleCount, modules.size());
    info.put(kOffModules, info.address(table));
    for (size_t i = 0; i < modules.size(); ++i) {
      const u64 at = table + i * kModuleEntrySize;
      info.put(at, modules[i].start);
      info.put(at + 4, modules[i].end);
      info.put(at + 8, info.add_string(modules[i].text));
    }
  }
  info.put(kOffFlags, flags);
  return info.bytes();
}

void clear_ram(PhysicalMemory& memory, u64 address, u64 size) {
  const std::array<u8, kPageSize> zeros{};
  for (u64 done = 0; done < size; done += kPageSize) {
    ASSERT(memory.write_ram(address + done, zeros.data(), std::min<u64>(size - done, kPageSize)));
  }
}

Result<void> place_kernel(PhysicalMemory& memory, const MemoryMap& map, const BootFile& file,
                          const Kernel& kernel) {
  for (const Segment& segment : kernel.segments) {
    const u64 size = std::max(segment.file_size, segment.memory_size);
    if (segment.headers_only && !map.usable(segment.address, size)) continue;
    if (!map.usable(segment.address, size) || segment.address >= kFourGiB) {
      const u64 top = segment.address + size;
      const bool high = segment.address >= kHighMemory && top > segment.address && top < kPciHoleBase;
      if (high) return too_big(map, top);
      return Error{"'" + file.name + "' wants to be loaded where there is no usable memory"};
    }
    ASSERT(memory.write_ram(segment.address, file.data.data() + segment.file_offset, segment.file_size));
    clear_ram(memory, segment.address + segment.file_size, size - segment.file_size);
  }
  return {};
}

u64 page_up(u64 address) {
  return (address + kPageMask) & ~kPageMask;
}

Result<std::vector<PlacedModule>> place_modules(PhysicalMemory& memory, const MemoryMap& map,
                                                const MultibootRequest& request, u64& top) {
  std::vector<PlacedModule> placed;
  for (const MultibootModule& module : request.modules) {
    const std::span<const u8> data = module.file.data;
    if (data.empty()) return Error{"the module '" + module.file.name + "' is empty"};
    const u64 start = page_up(top);
    if (!map.usable(start, data.size())) return too_big(map, start + data.size());
    ASSERT(memory.write_ram(start, data.data(), data.size()));
    top = start + data.size();
    placed.push_back({start, top, joined(module.file.name, module.arguments)});
  }
  return placed;
}

// The documented place, unless the kernel uses it or the structure would reach the EBDA.
u64 choose_info_address(const Kernel& kernel, u64 size, u64 top) {
  const u64 end = kMultibootInfo + size;
  const bool taken = std::any_of(kernel.segments.begin(), kernel.segments.end(), [&](const Segment& segment) {
    return segment.address < end && kMultibootGdt < segment.address + segment.memory_size;
  });
  return taken || end > kEbdaAddress ? page_up(top) : kMultibootInfo;
}

BootState entry_state(u64 entry, u64 info) {
  BootState state;
  state.rip = entry;
  state.rsp = kMultibootStackTop;
  state.rax = kMultibootBootloaderMagic;
  state.rbx = info;
  state.cr0 = kBootCr0Pe | kBootCr0Et;
  state.gdt = {kMultibootGdt, 3 * 8 - 1};
  state.idt = {kIvtAddress, kIvtSize - 1};  // a kernel may go back to real mode and take interrupts there
  state.cs = {.selector = 0x08, .access = kBootCodeAccess, .big = true};
  state.data = {.selector = 0x10, .access = kBootDataAccess, .big = true};
  return state;
}

}  // namespace

bool is_multiboot_image(std::span<const u8> file) {
  return find_header(file).has_value();
}

Result<BootState> load_multiboot(PhysicalMemory& memory, const MemoryMap& map,
                                 const MultibootRequest& request) {
  const Result<Kernel> parsed = parse(request.kernel);
  if (!parsed.ok()) return Error{parsed.error()};
  const Kernel& kernel = parsed.value();
  // The flat GDT comes first: a kernel loaded over it has not been promised one.
  const std::array<u64, 3> gdt = {0, 0x00CF9B000000FFFFull, 0x00CF93000000FFFFull};
  ASSERT(memory.write_ram(kMultibootGdt, gdt.data(), sizeof gdt));
  const Result<void> loaded = place_kernel(memory, map, request.kernel, kernel);
  if (!loaded.ok()) return Error{loaded.error()};

  u64 top = kHighMemory;
  for (const Segment& segment : kernel.segments) top = std::max(top, segment.address + segment.memory_size);
  const Result<std::vector<PlacedModule>> modules = place_modules(memory, map, request, top);
  if (!modules.ok()) return Error{modules.error()};

  const u64 size = build_info(0, map, request, modules.value()).size();
  const u64 info = choose_info_address(kernel, size, top);
  if (!map.usable(info, size)) return too_big(map, info + size);
  const std::vector<u8> bytes = build_info(info, map, request, modules.value());
  ASSERT(memory.write_ram(info, bytes.data(), bytes.size()));
  return entry_state(kernel.entry, info);
}

}  // namespace lapwing
