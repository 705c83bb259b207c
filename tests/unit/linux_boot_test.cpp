#include "devices/firmware/linux_boot.h"

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

// A bzImage of one setup sector and `paragraphs` * 16 bytes of protected-mode code.
std::vector<u8> make_kernel(bool kernel_64, u32 paragraphs = 64) {
  std::vector<u8> file(1024 + paragraphs * 16, 0x90);
  std::fill(file.begin(), file.begin() + 1024, u8{0});
  put<u8>(file, 0x1F1, 1);
  put<u32>(file, 0x1F4, paragraphs);
  put<u16>(file, 0x1FE, 0xAA55);
  put<u8>(file, 0x201, 0x6A);
  put<u32>(file, 0x202, 0x53726448);
  put<u16>(file, 0x206, 0x020F);
  put<u8>(file, 0x211, 1);
  put<u32>(file, 0x22C, 0x7FFFFFFF);
  put<u32>(file, 0x230, 0x200000);
  put<u8>(file, 0x234, 1);
  put<u16>(file, 0x236, kernel_64 ? 1 : 0);
  put<u32>(file, 0x238, 2047);
  put<u64>(file, 0x258, 0x1000000);
  put<u32>(file, 0x260, 0x400000);
  put<u8>(file, 1024, 0xFA);
  return file;
}

struct Fixture {
  explicit Fixture(u64 size = 64 * kMiB) : ram(size), memory(ram.page, size), map(make_memory_map(size)) {}
  Result<BootState> boot(const std::vector<u8>& file) {
    request.kernel = {"vmlinuz", file};
    return load_linux(memory, map, request);
  }
  GuestRam ram;
  PhysicalMemory memory;
  MemoryMap map;
  LinuxBootRequest request;
};

}  // namespace

TEST_CASE("a_64_bit_kernel_starts_at_0x200_in_identity_mapped_long_mode", "[linux_boot]") {
  Fixture fixture;
  const std::vector<u8> initrd(5000, 0x77);
  fixture.request.initrd = BootFile{"initrd.gz", initrd};
  fixture.request.command_line = "console=ttyS0";
  const Result<BootState> result = fixture.boot(make_kernel(true));
  REQUIRE(result.ok());
  const BootState& state = result.value();
  CHECK(state.long_mode);
  CHECK(state.rip == 0x100200);
  CHECK(state.rsi == kLinuxBootParams);
  CHECK(state.cs.selector == 0x10);
  CHECK(state.cs.long_mode);
  CHECK(state.data.selector == 0x18);
  CHECK((state.rflags & 0x200) == 0);
  CHECK(fixture.memory.read(0x100000, 1) == 0xFA);
  const auto zero_page = [&](u64 offset, unsigned size) {
    return fixture.memory.read(kLinuxBootParams + offset, size);
  };
  CHECK(zero_page(0x202, 4) == 0x53726448);
  CHECK(zero_page(0x210, 1) == 0xFF);
  const u64 initrd_address = zero_page(0x218, 4);
  CHECK(zero_page(0x21C, 4) == 5000);
  CHECK(initrd_address == fixture.map.acpi_base - 8192);
  CHECK(fixture.memory.read(initrd_address + 4999, 1) == 0x77);
  CHECK(std::strcmp(reinterpret_cast<const char*>(fixture.ram.page + zero_page(0x228, 4)), "console=ttyS0") ==
        0);
  CHECK(zero_page(0x1E8, 1) == fixture.map.ranges.size());
  CHECK(zero_page(0x2D0 + 3 * 20, 8) == 0x100000);
  CHECK(zero_page(0x2D0 + 3 * 20 + 8, 8) == fixture.map.acpi_base - 0x100000);

  INFO("walk the page tables for the initrd's address");
  const u64 address = initrd_address;
  u64 entry = fixture.memory.read(state.cr3 + ((address >> 39) & 511) * 8, 8);
  entry = fixture.memory.read((entry & ~0xFFFull) + ((address >> 30) & 511) * 8, 8);
  entry = fixture.memory.read((entry & ~0xFFFull) + ((address >> 21) & 511) * 8, 8);
  CHECK(entry == ((address & ~0x1FFFFFull) | 0x83));
  CHECK(fixture.memory.read(state.gdt.base + 0x10, 8) == 0x00AF9B000000FFFFull);
}

TEST_CASE("a_32_bit_kernel_starts_at_code32_start_without_paging", "[linux_boot]") {
  Fixture fixture;
  const Result<BootState> result = fixture.boot(make_kernel(false));
  REQUIRE(result.ok());
  CHECK(!result.value().long_mode);
  CHECK(result.value().rip == 0x100000);
  CHECK(result.value().cr0 == 0x11);
  CHECK(result.value().cs.big);
  CHECK(result.value().rbx == 0);
  CHECK(fixture.memory.read(kLinuxBootParams + 0x218, 4) == 0);
}

TEST_CASE("the_kernel_and_the_cpu_choose_the_entry", "[linux_boot]") {
  Fixture fixture;
  fixture.request.entry = LinuxEntry::k32;
  CHECK(!fixture.boot(make_kernel(true)).value().long_mode);
  fixture.request.entry = LinuxEntry::k64;
  CHECK(!fixture.boot(make_kernel(false)).ok());
  fixture.request.entry = LinuxEntry::kAuto;
  fixture.request.cpu_has_long_mode = false;
  CHECK(fixture.boot(make_kernel(true)).error().find("-cpu") != std::string::npos);
}

TEST_CASE("unusable_kernels_are_refused_in_one_sentence", "[linux_boot]") {
  Fixture fixture;
  const auto error_of = [&](const std::vector<u8>& file) {
    const Result<BootState> result = fixture.boot(file);
    REQUIRE(!result.ok());
    CHECK(result.error().find("vmlinuz") != std::string::npos);
    CHECK(result.error().find('\n') == std::string::npos);
    return result.error();
  };
  const auto mentions = [](const std::string& text, const char* word) {
    return text.find(word) != std::string::npos;
  };
  std::vector<u8> file = make_kernel(true);
  CHECK(mentions(error_of({}), "empty"));
  CHECK(mentions(error_of({1, 2, 3}), "too short"));
  CHECK(mentions(error_of(std::vector<u8>(4096)), "not a Linux bzImage"));
  CHECK(mentions(error_of({0x7F, 'E', 'L', 'F'}), "vmlinux"));
  CHECK(mentions(error_of({0x1F, 0x8B, 8}), "gzip"));
  file.resize(file.size() - 100);
  CHECK(mentions(error_of(file), "truncated"));
  file.resize(0x210);
  error_of(file);
  file = make_kernel(true);
  put<u8>(file, 0x211, 0);
  CHECK(mentions(error_of(file), "zImage"));
  file = make_kernel(true);
  put<u16>(file, 0x206, 0x0203);
  CHECK(mentions(error_of(file), "older"));
}

TEST_CASE("what_does_not_fit_names_the_memory_it_needs", "[linux_boot]") {
  Fixture fixture(16 * kMiB);
  const Result<BootState> result = fixture.boot(make_kernel(true));
  REQUIRE(!result.ok());
  CHECK(result.error() == "kernel and initrd need 21 MiB, the machine has 16; use -m 21");
  Fixture enough(21 * kMiB);
  CHECK(enough.boot(make_kernel(true)).ok());
  enough.request.command_line = std::string(2048, 'x');
  CHECK(enough.boot(make_kernel(true)).error().find("2047") != std::string::npos);
  enough.request.command_line.clear();
  enough.request.initrd = BootFile{"initrd.gz", {}};
  CHECK(enough.boot(make_kernel(true)).error() == "the initrd 'initrd.gz' is empty");
}

TEST_CASE("the_initrd_stays_below_the_kernels_limit", "[linux_boot]") {
  Fixture fixture;
  std::vector<u8> file = make_kernel(false);
  put<u32>(file, 0x22C, 0x1FFFFFF);
  const std::vector<u8> initrd(4096, 1);
  fixture.request.initrd = BootFile{"initrd", initrd};
  REQUIRE(fixture.boot(file).ok());
  CHECK(fixture.memory.read(kLinuxBootParams + 0x218, 4) == 0x1FFF000);
}
