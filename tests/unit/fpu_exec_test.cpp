// Runs every x87, MMX and SSE instruction that the decoder knows on the host and in the engine, from the same
// random state, and compares all registers, flags, MXCSR, the x87 environment and memory.
#include "core/cpu/decode/decoder.h"
#include "core/cpu/decode/op_info.h"
#include "core/cpu/exec/handlers.h"
#include "tests/guest/bare_machine.h"
#include "tests/unit/catch.h"
#include "tests/unit/fpu_host.h"

#if defined(__x86_64__) && defined(__linux__)

#include <sys/mman.h>

#include <csetjmp>
#include <csignal>
#include <set>
#include <vector>

namespace lapwing::test {
namespace {

constexpr std::size_t kOperandBytes = 512;
constexpr u64 kGuestOperand = 0x20000;
constexpr unsigned kPointer = kRbx;  // addresses the memory operand, and rDI for the masked stores

// What an instruction can see and change. The FXSAVE image is the hardware's own format.
struct alignas(64) HostState {
  u8 fxsave[512];
  u8 operand[kOperandBytes];
  u64 gpr[16];
  u64 flags;
};

template <class T>
T get(const u8* bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes + at, sizeof value);
  return value;
}
template <class T>
void put(u8* bytes, std::size_t at, T value) {
  std::memcpy(bytes + at, &value, sizeof value);
}

sigjmp_buf recovery;
void on_signal(int signal) {
  siglongjmp(recovery, signal);
}

// Executable memory that holds a HostState and code which loads it, runs one instruction and stores it back.
class HostRunner {
 public:
  HostRunner() {
    void* memory =
        mmap(nullptr, kSize, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    base_ = static_cast<u8*>(memory);
    for (const int number : {SIGILL, SIGSEGV, SIGFPE, SIGBUS}) signal(number, on_signal);
  }
  ~HostRunner() {
    munmap(base_, kSize);
    for (const int number : {SIGILL, SIGSEGV, SIGFPE, SIGBUS}) signal(number, SIG_DFL);
  }
  HostState& state() { return *reinterpret_cast<HostState*>(base_ + kStateOffset); }

  // False: the host raised a signal. (The sanitizer would look for a type in front of the generated code.)
  __attribute__((no_sanitize("undefined"))) bool run(const std::vector<u8>& instruction) {
    build(instruction);
    const int caught = sigsetjmp(recovery, 1);
    if (caught == 0) reinterpret_cast<void (*)()>(base_)();
    const u32 mxcsr = 0x1F80;
    __asm__ volatile("fninit\n\tldmxcsr %0" ::"m"(mxcsr));
    return caught == 0;
  }

 private:
  static constexpr std::size_t kSize = 8192;
  static constexpr std::size_t kStateOffset = 4096;
  static constexpr std::size_t kFlagsOffset = offsetof(HostState, flags);

  void emit(std::initializer_list<int> bytes) {
    for (const int byte : bytes) base_[at_++] = static_cast<u8>(byte);
  }
  // ModRM and displacement of a RIP-relative operand in the state.
  void emit_operand(unsigned reg, std::size_t field) {
    base_[at_++] = static_cast<u8>(0x05 | (reg & 7) << 3);
    put<i32>(base_, at_, static_cast<i32>(kStateOffset + field) - static_cast<i32>(at_ + 4));
    at_ += 4;
  }
  void move_registers(int opcode) {
    for (unsigned i = 0; i < 16; ++i) {
      if (i == kRsp) continue;
      emit({i < 8 ? 0x48 : 0x4C, opcode});
      emit_operand(i, offsetof(HostState, gpr) + 8 * i);
    }
  }
  void build(const std::vector<u8>& instruction) {
    at_ = 0;
    emit({0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57});  // push rbx rbp r12-r15
    emit({0x48, 0x0F, 0xAE});                                            // fxrstor64
    emit_operand(1, 0);
    emit({0xFF});  // push flags; popfq
    emit_operand(6, kFlagsOffset);
    emit({0x9D});
    move_registers(0x8B);
    for (const u8 byte : instruction) emit({byte});
    move_registers(0x89);
    emit({0x9C, 0x8F});  // pushfq; pop flags
    emit_operand(0, kFlagsOffset);
    emit({0x48, 0x0F, 0xAE});  // fxsave64
    emit_operand(0, 0);
    emit({0xDB, 0xE3, 0x68, 0x80, 0x1F, 0, 0, 0x0F, 0xAE, 0x14, 0x24, 0x58});  // fninit; ldmxcsr 1F80H
    emit({0x41, 0x5F, 0x41, 0x5E, 0x41, 0x5D, 0x41, 0x5C, 0x5D, 0x5B, 0xC3});
  }

  u8* base_ = nullptr;
  std::size_t at_ = 0;
};

u64 edge_double(Random& random) {
  static constexpr u64 kValues[] = {0,
                                    u64{1} << 63,
                                    0x7FF0000000000000,
                                    0xFFF0000000000000,
                                    0x7FF8000000000123,
                                    0x7FF0000000000123,
                                    1,
                                    0x000FFFFFFFFFFFFF,
                                    0x0010000000000000,
                                    0x7FEFFFFFFFFFFFFF,
                                    0x3FF0000000000000,
                                    0xC000000000000000,
                                    0x41DFFFFFFFC00000,
                                    0x43E0000000000000};
  return random.below(3) == 0 ? random.next() : kValues[random.below(sizeof kValues / sizeof kValues[0])];
}

u64 edge_single_pair(Random& random) {
  static constexpr u32 kValues[] = {0,          0x80000000, 0x7F800000, 0xFF800000, 0x7FC00123,
                                    0x7F800123, 1,          0x007FFFFF, 0x00800000, 0x7F7FFFFF,
                                    0x3F800000, 0xC0000000, 0x4F000000, 0x5F000000};
  constexpr std::size_t kCount = sizeof kValues / sizeof kValues[0];
  const u64 low = random.below(3) == 0 ? random.next() & 0xFFFFFFFF : kValues[random.below(kCount)];
  const u64 high = random.below(3) == 0 ? random.next() & 0xFFFFFFFF : kValues[random.below(kCount)];
  return low | high << 32;
}

u64 edge_quadword(Random& random) {
  switch (random.below(4)) {
    case 0: return edge_double(random);
    case 1: return edge_single_pair(random);
    case 2: return edge_bits(random);
    default: return random.next() & 0x0303030303030303;  // bytes likely to repeat
  }
}

void fill_x87(HostState& s, Random& random) {
  const bool masked = random.below(4) != 0;
  const u16 control = masked ? random_control(random) | 0x3F : random_control(random);
  const u16 flags = masked ? static_cast<u16>(random.next() & 0x7F) : u16{0};
  put<u16>(s.fxsave, 0, control | 0x40);
  put<u16>(s.fxsave, 2, static_cast<u16>((random.next() & 0x7F00) | flags));
  put<u8>(s.fxsave, 4, random.below(2) == 0 ? u8{0xFF} : static_cast<u8>(random.next() >> 9));
  put<u16>(s.fxsave, 6, 0);
  put<u64>(s.fxsave, 8, 0);
  put<u64>(s.fxsave, 16, 0);
  for (std::size_t i = 0; i < 8; ++i) {
    const Float80 value = edge_float80(random);
    put<u64>(s.fxsave, 32 + 16 * i, value.mantissa);
    put<u64>(s.fxsave, 40 + 16 * i, value.sign_exponent);
  }
}

void fill(HostState& s, Random& random) {
  fill_x87(s, random);
  const u32 modes = static_cast<u32>(random.below(4) << 13 | random.below(2) << 15 | random.below(2) << 6);
  const u32 sticky = random.below(2) == 0 ? 0x20 : static_cast<u32>(random.below(64));
  put<u32>(s.fxsave, 24, 0x1F80 | (random.below(2) == 0 ? 0 : modes) | sticky);
  for (std::size_t i = 0; i < 32; ++i) put<u64>(s.fxsave, 160 + 8 * i, edge_quadword(random));
  for (std::size_t i = 0; i < kOperandBytes; i += 8) put<u64>(s.operand, i, edge_quadword(random));
  if (random.below(2) == 0) put<u64>(s.operand, 24, random.next() & 0xFFFF);  // an MXCSR that FXRSTOR accepts
  for (u64& value : s.gpr) value = random.below(2) == 0 ? random.below(20) : edge_bits(random);
  s.flags = 0x202 | (random.next() & 0x8D5);
}

void load_guest(Cpu& cpu, const HostState& s) {
  CpuState& g = cpu.state;
  for (unsigned i = 0; i < 16; ++i) g.gpr[i] = s.gpr[i];
  g.gpr[kPointer] = kGuestOperand;
  g.gpr[kRdi] = kGuestOperand;
  set_status_flags(g, s.flags);
  FpuState& fpu = g.fpu;
  fpu = {};
  fpu.control = get<u16>(s.fxsave, 0);
  fpu.status = get<u16>(s.fxsave, 2);
  fpu.valid = get<u8>(s.fxsave, 4);
  for (unsigned i = 0; i < 8; ++i) {
    fpu.st[((fpu.status >> 11) + i) & 7] = {get<u64>(s.fxsave, 32 + 16 * i), get<u16>(s.fxsave, 40 + 16 * i)};
  }
  g.mxcsr = get<u32>(s.fxsave, 24);
  for (unsigned i = 0; i < 16; ++i) g.xmm[i] = get<XmmRegister>(s.fxsave, 160 + 16 * i);
}

// The first difference between the two states; empty when none.
std::string difference(const Cpu& cpu, const PhysicalMemory& memory, const HostState& s) {
  const CpuState& g = cpu.state;
  char line[160];
  const auto report = [&](const char* what, unsigned i, u64 host, u64 guest) {
    std::snprintf(line, sizeof line, "%s %u: host %016llx, engine %016llx", what, i,
                  static_cast<unsigned long long>(host), static_cast<unsigned long long>(guest));
    return std::string(line);
  };
  const u16 status = get<u16>(s.fxsave, 2);
  if (get<u16>(s.fxsave, 0) != g.fpu.control)
    return report("control", 0, get<u16>(s.fxsave, 0), g.fpu.control);
  if (status != g.fpu.status) return report("status", 0, status, g.fpu.status);
  if (get<u8>(s.fxsave, 4) != g.fpu.valid) return report("tags", 0, get<u8>(s.fxsave, 4), g.fpu.valid);
  for (unsigned i = 0; i < 8; ++i) {
    const FpuRegister& slot = g.fpu.st[((status >> 11) + i) & 7];
    const u64 mantissa = get<u64>(s.fxsave, 32 + 16 * i);
    const u16 exponent = get<u16>(s.fxsave, 40 + 16 * i);
    if (mantissa != slot.mantissa) return report("st mantissa", i, mantissa, slot.mantissa);
    if (exponent != slot.sign_exponent) return report("st exponent", i, exponent, slot.sign_exponent);
  }
  if (get<u32>(s.fxsave, 24) != g.mxcsr) return report("mxcsr", 0, get<u32>(s.fxsave, 24), g.mxcsr);
  for (unsigned i = 0; i < 16; ++i) {
    const XmmRegister host = get<XmmRegister>(s.fxsave, 160 + 16 * i);
    if (host.lo != g.xmm[i].lo) return report("xmm low", i, host.lo, g.xmm[i].lo);
    if (host.hi != g.xmm[i].hi) return report("xmm high", i, host.hi, g.xmm[i].hi);
  }
  for (unsigned i = 0; i < 16; ++i) {
    const bool is_address = g.gpr[i] == kGuestOperand;
    if (i != kRsp && !is_address && s.gpr[i] != g.gpr[i]) return report("gpr", i, s.gpr[i], g.gpr[i]);
  }
  const u64 flags = s.flags & rflags::kStatus;
  if (flags != status_flags(g)) return report("flags", 0, flags, status_flags(g));
  for (unsigned i = 0; i < kOperandBytes; i += 8) {
    const u64 guest = const_cast<PhysicalMemory&>(memory).read(kGuestOperand + i, 8);
    if (get<u64>(s.operand, i) != guest) return report("memory", i, get<u64>(s.operand, i), guest);
  }
  return {};
}

std::string hex(const std::vector<u8>& bytes) {
  std::string result;
  char digits[4];
  for (const u8 byte : bytes) {
    std::snprintf(digits, sizeof digits, "%02x ", byte);
    result += digits;
  }
  return result;
}

class Comparison {
 public:
  Comparison() { machine_.start_long(0x1000); }

  // Compares `rounds` random runs of one encoding; false when `wants` declines the decoded instruction.
  template <class Wants>
  bool compare(const std::vector<u8>& bytes, int rounds, Wants wants) {
    Instruction in;
    std::vector<u8> padded = bytes;
    padded.resize(kMaxInstructionLength);
    if (decode(padded.data(), kMaxInstructionLength, {.code_size = 8, .flat = true}, 0, in) !=
        DecodeResult::kOk) {
      return false;
    }
    if (in.length != bytes.size() || !wants(in)) return false;
    for (int i = 0; i < rounds; ++i) compare_once(bytes, in);
    seen_.insert(in.op);
    return true;
  }
  // The operations that `wants` and no encoding has reached.
  template <class Wants>
  std::string missing(Wants wants) const {
    std::string names;
    for (u16 number = 0; number < static_cast<u16>(Op::kCount); ++number) {
      Instruction in;
      in.op = static_cast<Op>(number);
      if (wants(in) && seen_.count(in.op) == 0) names += std::string(op_info(in.op).mnemonic) + " ";
    }
    return names;
  }

 private:
  void compare_once(const std::vector<u8>& bytes, const Instruction& in) {
    HostState& host = runner_.state();
    fill(host, random_);
    const HostState before = host;
    Cpu& cpu = machine_.cpu;
    load_guest(cpu, host);
    cpu.state.gpr[kRipSlot] = 0x1000;
    machine_.write(kGuestOperand, host.operand, kOperandBytes);
    const auto operand_address = reinterpret_cast<u64>(host.operand);
    host.gpr[kPointer] = operand_address;
    host.gpr[kRdi] = operand_address;
    const bool host_ran = runner_.run(bytes);
    const bool engine_ran = kGenericHandlers[static_cast<unsigned>(in.op)](cpu, in);
    const std::string found = host_ran != engine_ran ? "only one of host and engine faulted"
                              : host_ran             ? difference(cpu, machine_.memory, host)
                                                     : std::string();
    if (found.empty()) return;
    CAPTURE(hex(bytes), found, get<u16>(before.fxsave, 0), get<u16>(before.fxsave, 2), int{before.fxsave[4]});
    CAPTURE(get<u32>(before.fxsave, 24), host_ran, engine_ran);
    REQUIRE(false);
  }

  HostRunner runner_;
  BareMachine machine_;
  Random random_{0xE8EC};
  std::set<Op> seen_;
};

bool between(Op op, Op first, Op last) {
  return op >= first && op <= last;
}

// All of MMX and SSE; the approximations have no single right answer.
bool is_vector(const Instruction& in) {
  return between(in.op, Op::MOVD, Op::PCLMULQDQ) && !between(in.op, Op::RSQRTPS, Op::RCPSS);
}

// All of x87 but those that have other tests (within one ulp), and the images, which hold pointers.
bool is_x87(const Instruction& in) {
  const bool transcendental = between(in.op, Op::F2XM1, Op::FSINCOS);
  const bool image = between(in.op, Op::FLDENV, Op::FNSAVE);
  return between(in.op, Op::FADD, Op::FNSTSW) && !transcendental && !image;
}

// Images and control registers. The host's FIP and FDP are zero here: FXRSTOR loaded them just before.
bool is_image(const Instruction& in) {
  return between(in.op, Op::FLDENV, Op::FNSAVE) || between(in.op, Op::FXSAVE, Op::FXRSTOR) ||
         between(in.op, Op::LDMXCSR, Op::STMXCSR);
}

// Register and memory forms of ModRM; RSP is not used as an operand.
constexpr u8 kModrmMemory = 0x03;
constexpr u8 kAllRegs[] = {0, 1, 2, 3, 4, 5, 6, 7};
constexpr u8 kModrmForms[] = {kModrmMemory,      kModrmMemory | 1 << 3, kModrmMemory | 6 << 3,
                              0xC0 | 1 << 3 | 2, 0xC0 | 5 << 3 | 5,     0xC0 | 6 << 3 | 0};

void compare_opcode(Comparison& comparison, int prefix, std::initializer_list<u8> opcode, int rounds) {
  for (const int rex : {0, 0x48, 0x45}) {
    for (const u8 modrm : kModrmForms) {
      if (rex == 0x45 && (modrm & 0xC0) != 0xC0) continue;
      std::vector<u8> bytes;
      if (prefix != 0) bytes.push_back(static_cast<u8>(prefix));
      if (rex != 0) bytes.push_back(static_cast<u8>(rex));
      bytes.insert(bytes.end(), opcode);
      bytes.push_back(modrm);
      if (comparison.compare(bytes, rounds, is_vector)) continue;
      bytes.push_back(0);
      for (int imm = 0; imm < 256; imm += 7) {
        bytes.back() = static_cast<u8>(imm);
        if (!comparison.compare(bytes, 1 + rounds / 16, is_vector)) break;
      }
    }
  }
}

}  // namespace

TEST_CASE("every MMX and SSE instruction does what the host does") {
  Comparison comparison;
  constexpr int kRounds = 30;
  for (const int prefix : {0, 0x66, 0xF3, 0xF2}) {
    for (int opcode = 0; opcode < 256; ++opcode) {
      const u8 byte = static_cast<u8>(opcode);
      const bool escape = opcode == 0x38 || opcode == 0x3A;
      if (!escape) compare_opcode(comparison, prefix, {0x0F, byte}, kRounds);
      compare_opcode(comparison, prefix, {0x0F, 0x38, byte}, kRounds);
      compare_opcode(comparison, prefix, {0x0F, 0x3A, byte}, kRounds);
    }
  }
  // Shifts by imm8, where ModRM.reg selects the operation, and EMMS, which has no ModRM.
  for (const int group : {0x71, 0x72, 0x73}) {
    const u8 opcode = static_cast<u8>(group);
    for (int reg = 0; reg < 8; ++reg) {
      for (const int count : {0, 1, 7, 8, 15, 16, 31, 32, 63, 64, 255}) {
        const u8 imm = static_cast<u8>(count);
        const u8 modrm = static_cast<u8>(0xC0 | reg << 3 | 2);
        comparison.compare({0x0F, opcode, modrm, imm}, 10, is_vector);
        comparison.compare({0x66, 0x0F, opcode, modrm, imm}, 10, is_vector);
      }
    }
  }
  comparison.compare({0x0F, 0x77}, kRounds, is_vector);
  CHECK(comparison.missing(is_vector) == "");
}

TEST_CASE("state images equal the host's in every format") {
  Comparison comparison;
  constexpr int kRounds = 200;
  for (const u8 reg : kAllRegs) {
    const u8 modrm = static_cast<u8>(kModrmMemory | reg << 3);
    comparison.compare({0xD9, modrm}, kRounds, is_image);
    comparison.compare({0xDD, modrm}, kRounds, is_image);
    comparison.compare({0x66, 0xD9, modrm}, kRounds, is_image);
    comparison.compare({0x66, 0xDD, modrm}, kRounds, is_image);
    comparison.compare({0x0F, 0xAE, modrm}, kRounds, is_image);
    comparison.compare({0x48, 0x0F, 0xAE, modrm}, kRounds, is_image);
  }
  CHECK(comparison.missing(is_image) == "");
}

TEST_CASE("every x87 instruction does what the host does, stack faults and unmasked exceptions included") {
  Comparison comparison;
  constexpr int kRounds = 300;
  for (int opcode = 0xD8; opcode <= 0xDF; ++opcode) {
    for (int reg = 0; reg < 8; ++reg) {
      comparison.compare({static_cast<u8>(opcode), static_cast<u8>(kModrmMemory | reg << 3)}, kRounds * 4,
                         is_x87);
    }
    for (int modrm = 0xC0; modrm < 0x100; ++modrm) {
      comparison.compare({static_cast<u8>(opcode), static_cast<u8>(modrm)}, kRounds, is_x87);
    }
  }
  comparison.compare({0x9B}, kRounds, is_x87);
  CHECK(comparison.missing(is_x87) == "");
}

}  // namespace lapwing::test

#endif
