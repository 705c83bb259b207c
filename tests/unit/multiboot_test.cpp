#include "devices/firmware/multiboot.h"

#include <cstring>
#include <vector>

#include "tests/unit/catch.h"
#include "tests/unit/guest_ram.h"

using namespace lapwing;

namespace {

constexpr u64 kMiB = 1024 * 1024;

template <class T>
void put(std::vector<u8>& file, u64 offset, T value) {
  std::memcpy(file.data() + offset, &value, sizeof value);
}

void put_header(std::vector<u8>& file, u64 offset, u32 flags) {
  put<u32>(file, offset, 0x1BADB002);
  put<u32>(file, offset + 4, flags);
  put<u32>(file, offset + 8, 0u - 0x1BADB002u - flags);
}

// ELF with one segment: file bytes 0x1000-0x17FF at physical `paddr`, 0x3000 bytes in memory.
std::vector<u8> make_elf(bool wide, u64 vaddr, u64 paddr) {
  std::vector<u8> file(0x1800, 0xCC);
  std::fill(file.begin(), file.begin() + 0x1000, u8{0});
  std::memcpy(file.data(),
              "\x7f"
              "ELF",
              4);
  put<u8>(file, 4, wide ? 2 : 1);
  put<u8>(file, 5, 1);
  put<u16>(file, 18, wide ? 62 : 3);
  if (wide) {
    put<u64>(file, 24, vaddr + 0x20);
    put<u64>(file, 32, 64);
    put<u16>(file, 54, 56);
    put<u16>(file, 56, 1);
    put<u32>(file, 64, 1);
    const u64 values[] = {0x1000, vaddr, paddr, 0x800, 0x3000};
    for (u64 i = 0; i < 5; ++i) put<u64>(file, 72 + i * 8, values[i]);
  } else {
    put<u32>(file, 24, static_cast<u32>(vaddr + 0x20));
    put<u32>(file, 28, 52);
    put<u16>(file, 42, 32);
    put<u16>(file, 44, 1);
    put<u32>(file, 52, 1);
    const u64 values[] = {0x1000, vaddr, paddr, 0x800, 0x3000};
    for (u64 i = 0; i < 5; ++i) put<u32>(file, 56 + i * 4, static_cast<u32>(values[i]));
  }
  put_header(file, 0x100, 3);
  return file;
}

struct Fixture {
  explicit Fixture(u64 size = 32 * kMiB) : ram(size), memory(ram.page, size), map(make_memory_map(size)) {}
  Result<BootState> boot(const std::vector<u8>& file) {
    request.kernel = {"kernel.elf", file};
    return load_multiboot(memory, map, request);
  }
  u64 word(u64 address) { return memory.read(address, 4); }
  std::string text(u64 address) { return reinterpret_cast<const char*>(ram.page + address); }
  GuestRam ram;
  PhysicalMemory memory;
  MemoryMap map;
  MultibootRequest request;
};

}  // namespace

TEST_CASE("an_elf_kernel_is_entered_at_its_physical_address_with_magic_and_info", "[multiboot]") {
  for (const bool wide : {false, true}) {
    CAPTURE(wide);
    Fixture fixture;
    fixture.memory.write(0x102FFF, 0xFF, 1);
    const std::vector<u8> one(4097, 0x11);
    const std::vector<u8> two(16, 0x22);
    fixture.request.command_line = "debug";
    fixture.request.modules = {{{"one.bin", one}, "a b"}, {{"two.bin", two}, ""}};
    const Result<BootState> result = fixture.boot(make_elf(wide, 0xC0100000, 0x100000));
    REQUIRE(result.ok());
    const BootState& state = result.value();
    CHECK(state.rip == 0x100020);
    CHECK(state.rax == 0x2BADB002);
    CHECK(state.rbx == kMultibootInfo);
    CHECK(state.idt.base == 0);
    CHECK(state.idt.limit == 0x3FF);
    CHECK(!state.long_mode);
    CHECK((state.cr0 & kBootCr0Pg) == 0);
    CHECK(fixture.memory.read(0x1007FF, 2) == 0x00CC);
    CHECK(fixture.memory.read(0x102FFF, 1) == 0);

    const u64 info = state.rbx;
    CHECK(fixture.word(info) == 0x24D);
    CHECK(fixture.word(info + 4) == 639);
    CHECK(fixture.word(info + 8) == (fixture.map.acpi_base - 0x100000) / 1024);
    CHECK(fixture.text(fixture.word(info + 16)) == "kernel.elf debug");
    REQUIRE(fixture.word(info + 20) == 2);
    const u64 modules = fixture.word(info + 24);
    CHECK(fixture.word(modules) == 0x103000);
    CHECK(fixture.word(modules + 4) == 0x104001);
    CHECK(fixture.text(fixture.word(modules + 8)) == "one.bin a b");
    CHECK(fixture.word(modules + 16) == 0x105000);
    CHECK(fixture.memory.read(0x10500F, 1) == 0x22);
    const u64 map = fixture.word(info + 48);
    CHECK(fixture.word(info + 44) == fixture.map.ranges.size() * 24);
    CHECK(fixture.word(map) == 20);
    CHECK(fixture.memory.read(map + 12, 8) == 0x9FC00);
  }
}

TEST_CASE("address_fields_load_a_flat_kernel", "[multiboot]") {
  Fixture fixture;
  std::vector<u8> file(0x400, 0x90);
  put_header(file, 0x10, 0x00010003);
  const u32 fields[] = {0x200010, 0x200000, 0x200200, 0x201000, 0x200044};
  for (u64 i = 0; i < 5; ++i) put<u32>(file, 0x1C + i * 4, fields[i]);
  fixture.memory.write(0x200200, 0x55, 1);
  const Result<BootState> result = fixture.boot(file);
  REQUIRE(result.ok());
  CHECK(result.value().rip == 0x200044);
  CHECK(fixture.memory.read(0x2001FF, 2) == 0x0090);

  put<u32>(file, 0x20, 0x300000);
  CHECK(fixture.boot(file).error().find("contradict") != std::string::npos);
}

TEST_CASE("a_segment_of_headers_below_1_mib_is_left_out", "[multiboot]") {
  Fixture fixture;
  std::vector<u8> file = make_elf(false, 0x100000, 0x100000);
  put<u32>(file, 52 + 24, 5);
  put<u16>(file, 44, 2);
  const u32 headers[] = {1, 0, 0xFF000, 0xFF000, 0x74, 0x74, 4, 0x1000};
  for (u64 i = 0; i < 8; ++i) put<u32>(file, 52 + 32 + i * 4, headers[i]);
  CHECK(fixture.boot(file).ok());
  CHECK(fixture.memory.read(0xFF000, 4) == 0);
  put<u32>(file, 52 + 32 + 24, 6);
  CHECK(!fixture.boot(file).ok());
}

TEST_CASE("the_information_moves_when_the_kernel_takes_its_place", "[multiboot]") {
  Fixture fixture;
  const Result<BootState> result = fixture.boot(make_elf(false, 0x8000, 0x8000));
  REQUIRE(result.ok());
  CHECK(result.value().rbx == 0x100000);
  CHECK(fixture.memory.read(0x8000, 1) == 0xCC);
}

TEST_CASE("unusable_multiboot_files_are_refused_in_one_sentence", "[multiboot]") {
  Fixture fixture;
  const auto mentions = [&](const std::vector<u8>& file, const char* word) {
    const Result<BootState> result = fixture.boot(file);
    return !result.ok() && result.error().find(word) != std::string::npos;
  };
  CHECK(mentions(std::vector<u8>(64), "no multiboot header"));
  std::vector<u8> file = make_elf(false, 0x100000, 0x100000);
  put_header(file, 0x100, 0x8);
  CHECK(mentions(file, "requires"));
  file = make_elf(false, 0x100000, 0x100000);
  file.resize(0x1400);
  CHECK(mentions(file, "truncated"));
  file = make_elf(false, 0x100000, 0x100000);
  put<u16>(file, 18, 40);
  CHECK(mentions(file, "another processor"));
  CHECK(mentions(make_elf(false, 0x9F000, 0x9F000), "no usable memory"));
  CHECK(mentions(make_elf(false, 0x4000000, 0x4000000), "use -m 65"));
  CHECK(mentions(make_elf(true, ~0ull - 0x100, ~0ull - 0x100), "no usable memory"));
  const std::vector<u8> big(31 * kMiB);
  fixture.request.modules = {{{"big", big}, ""}};
  CHECK(mentions(make_elf(false, 0x100000, 0x100000), "use -m 33"));
}
