// Runs every assembled program of this folder on a bare machine and compares the end with the program's
// header:
//   ; mode: real | protected | long     the state it starts in at 1000h (bare_machine.h)
//   ; cpu: NAME                         CPU model, "lapwing" if absent
//   ; end: halt | shutdown              "halt" if absent
//   ; expect: rax=600D rbx=1 [2000]=5   registers and 32-bit words of memory at the end, in hexadecimal
// 64 KiB of device memory lie at FF000000h. Programs check themselves (check.inc): they halt with RAX =
// 600Dh, or behind the check that failed (RIP; nasm -l lists addresses from 0 where RIP starts at 1000h).
// Port F0h raises NMI, F1h a maskable interrupt with the written vector, F2h lowers it. Each program runs
// twice: in one go, and in slices of one instruction, with the same end.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "tests/guest/bare_machine.h"
#include "tests/unit/catch.h"

using namespace lapwing;
using lapwing::test::BareMachine;
namespace fs = std::filesystem;

namespace {

constexpr u64 kOrigin = 0x1000;
constexpr u64 kMaxInstructions = 2'000'000;

struct Program {
  std::string name;
  std::string mode = "protected";
  std::string cpu = "lapwing";
  std::string end = "halt";
  std::string expect = "rax=600D";
  std::vector<u8> image;
};

Program read_program(const fs::path& source) {
  Program program;
  program.name = source.stem().string();
  std::ifstream text(source);
  for (std::string line; std::getline(text, line) && line.starts_with(";");) {
    const auto field = [&](const char* key, std::string& value) {
      const std::string prefix = std::string("; ") + key + ": ";
      if (line.starts_with(prefix)) value = line.substr(prefix.size());
    };
    field("mode", program.mode);
    field("cpu", program.cpu);
    field("end", program.end);
    field("expect", program.expect);
  }
  std::ifstream binary(fs::path(LAPWING_GUEST_BINARIES) / (program.name + ".bin"), std::ios::binary);
  program.image.assign(std::istreambuf_iterator<char>(binary), std::istreambuf_iterator<char>());
  return program;
}

// Device memory at FF000000h, of which every access goes through the slow path.
class DeviceMemory final : public MmioDevice {
 public:
  static constexpr u64 kBase = 0xFF000000;
  static constexpr u64 kSize = 0x10000;
  u64 mmio_read(u64 offset, unsigned size) override {
    u64 value = 0;
    std::memcpy(&value, &bytes_[static_cast<std::size_t>(offset)], size);
    return value;
  }
  void mmio_write(u64 offset, u64 value, unsigned size) override {
    std::memcpy(&bytes_[static_cast<std::size_t>(offset)], &value, size);
  }

 private:
  std::vector<u8> bytes_ = std::vector<u8>(kSize);
};

void start(BareMachine& m, const Program& program) {
  m.write(kOrigin, program.image.data(), program.image.size());
  if (program.mode == "real") {
    m.start_real(0, kOrigin);
  } else if (program.mode == "protected") {
    m.start_protected(kOrigin);
  } else {
    REQUIRE(program.mode == "long");
    m.start_long(kOrigin);
  }
  m.ports.on_write = [&m](u16 port, u32 value) {
    if (port == 0xF0) m.cpu.nmi(0);
    if (port == 0xF2) m.cpu.set_intr(false);
    if (port == 0xF1) {
      m.unit.vector = static_cast<u8>(value);
      m.cpu.set_intr(true);
    }
  };
}

void run(BareMachine& m, u64 slice) {
  while (m.cpu.runnable() && m.clock.instructions() < kMaxInstructions) m.cpu.run(slice);
}

int register_number(const std::string& name) {
  static const std::string kNames[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"};
  const auto* at = std::find(std::begin(kNames), std::end(kNames), name);
  return at == std::end(kNames) ? -1 : static_cast<int>(at - kNames);
}

void check_end(BareMachine& m, const Program& program) {
  CAPTURE(m.gpr(kRax), m.gpr(kRbx), m.gpr(kRcx), m.gpr(kRdx), m.gpr(kRsi));
  INFO("rip " << std::hex << m.cpu.state.rip);
  CHECK((m.cpu.state.activity == Activity::kHalted) == (program.end == "halt"));
  CHECK((m.cpu.state.activity == Activity::kShutdown) == (program.end == "shutdown"));
  std::istringstream words(program.expect);
  for (std::string word; words >> word;) {
    const std::size_t equals = word.find('=');
    REQUIRE(equals != std::string::npos);
    const u64 value = std::stoull(word.substr(equals + 1), nullptr, 16);
    INFO(word);
    if (word[0] == '[') {
      CHECK(m.memory.read(std::stoull(word.substr(1), nullptr, 16), 4) == value);
    } else {
      const int number = register_number(word.substr(0, equals));
      REQUIRE(number >= 0);
      CHECK(m.gpr(static_cast<unsigned>(number)) == value);
    }
  }
}

void run_program(const Program& program) {
  REQUIRE(!program.image.empty());
  u64 instructions[2];
  unsigned runs = 0;
  for (const u64 slice : {kMaxInstructions, u64{1}}) {
    CAPTURE(slice);
    DeviceMemory device;
    BareMachine m(program.cpu.c_str());
    REQUIRE(m.memory.map_mmio(DeviceMemory::kBase, DeviceMemory::kSize, device, "device memory").ok());
    start(m, program);
    run(m, slice);
    check_end(m, program);
    instructions[runs++] = m.clock.instructions();
  }
  CHECK(instructions[0] == instructions[1]);
}

}  // namespace

TEST_CASE("guest_programs") {
  std::vector<fs::path> sources;
  for (const auto& entry : fs::directory_iterator(LAPWING_GUEST_SOURCES)) {
    if (entry.path().extension() == ".asm") sources.push_back(entry.path());
  }
  std::sort(sources.begin(), sources.end());
  CHECK(!sources.empty());
  for (const fs::path& source : sources) {
    SECTION(source.stem().string()) {
      run_program(read_program(source));
    }
  }
}
