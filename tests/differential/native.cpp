#include "tests/differential/native.h"

#include <cpuid.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <fstream>

namespace lapwing::differential {

namespace {

// A page that the stubs reach by absolute address, and the page that holds them.
constexpr u64 kSaveBase = 0x5A5A5000;
constexpr u64 kStubBase = 0x5A5B7000;

struct SaveArea {
  u64 in[16];
  u64 frame[5];  // for IRET: RIP, CS, RFLAGS, RSP, SS
  u64 in_fs_base;
  u64 in_gs_base;
  u64 harness_rsp;
  u64 harness_fs_base;
  u64 harness_gs_base;
  u64 padding[6];
  u64 out[16];
  u64 out_rflags;
  u64 padding2[15];
  FpImage in_fp;
  FpImage out_fp;
  FpImage harness_fp;
};
static_assert(offsetof(SaveArea, frame) == 0x80 && offsetof(SaveArea, in_fs_base) == 0xA8);
static_assert(offsetof(SaveArea, harness_rsp) == 0xB8 && offsetof(SaveArea, out) == 0x100);
static_assert(offsetof(SaveArea, out_rflags) == 0x180 && offsetof(SaveArea, in_fp) == 0x200);
static_assert(offsetof(SaveArea, out_fp) == 0x400 && offsetof(SaveArea, harness_fp) == 0x600);

SaveArea& save_area() {
  return *reinterpret_cast<SaveArea*>(kSaveBase);
}

}  // namespace

// Position-independent: copied to kStubBase, all data by absolute address.
extern "C" const u8 differential_enter[], differential_exit[], differential_resume[], differential_end[];
asm(R"(
.pushsection .text
.globl differential_enter, differential_exit, differential_resume, differential_end
differential_enter:
  push %rbx
  push %rbp
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, 0x5A5A50B8
  fxsave64 0x5A5A5600
  rdfsbase %rax
  mov %rax, 0x5A5A50C0
  rdgsbase %rax
  mov %rax, 0x5A5A50C8
  mov 0x5A5A50A8, %rax
  wrfsbase %rax
  mov 0x5A5A50B0, %rax
  wrgsbase %rax
  fxrstor64 0x5A5A5200
  mov 0x5A5A5000, %rax
  mov 0x5A5A5008, %rcx
  mov 0x5A5A5010, %rdx
  mov 0x5A5A5018, %rbx
  mov 0x5A5A5028, %rbp
  mov 0x5A5A5030, %rsi
  mov 0x5A5A5038, %rdi
  mov 0x5A5A5040, %r8
  mov 0x5A5A5048, %r9
  mov 0x5A5A5050, %r10
  mov 0x5A5A5058, %r11
  mov 0x5A5A5060, %r12
  mov 0x5A5A5068, %r13
  mov 0x5A5A5070, %r14
  mov 0x5A5A5078, %r15
  mov $0x5A5A5080, %rsp
  iretq
differential_exit:
  mov %rax, 0x5A5A5100
  mov %rcx, 0x5A5A5108
  mov %rdx, 0x5A5A5110
  mov %rbx, 0x5A5A5118
  mov %rsp, 0x5A5A5120
  mov %rbp, 0x5A5A5128
  mov %rsi, 0x5A5A5130
  mov %rdi, 0x5A5A5138
  mov %r8, 0x5A5A5140
  mov %r9, 0x5A5A5148
  mov %r10, 0x5A5A5150
  mov %r11, 0x5A5A5158
  mov %r12, 0x5A5A5160
  mov %r13, 0x5A5A5168
  mov %r14, 0x5A5A5170
  mov %r15, 0x5A5A5178
  mov 0x5A5A50B8, %rsp
  pushfq
  popq 0x5A5A5180
  fxsave64 0x5A5A5400
differential_resume:
  pushq $0x202
  popfq
  mov 0x5A5A50C0, %rax
  wrfsbase %rax
  mov 0x5A5A50C8, %rax
  wrgsbase %rax
  fxrstor64 0x5A5A5600
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbp
  pop %rbx
  ret
differential_end:
.popsection
)");

namespace {

struct FaultInfo {
  bool faulted;
  u8 vector;
  u32 error_code;
  u64 cr2;
  u64 rip;
};
FaultInfo fault_info;

constexpr int kGprOrder[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                               REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

// FS still holds the test's base: nothing here may use thread-local storage. Linux leaves RFLAGS.AC on.
void on_signal(int, siginfo_t*, void* context) {
  constexpr unsigned long long kAlignmentCheck = 1u << 18;
  __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() & ~kAlignmentCheck);
  auto* frame = static_cast<ucontext_t*>(context);
  greg_t* gregs = frame->uc_mcontext.gregs;
  SaveArea& save = save_area();
  fault_info.faulted = true;
  fault_info.vector = static_cast<u8>(gregs[REG_TRAPNO]);
  fault_info.error_code = static_cast<u32>(gregs[REG_ERR]);
  fault_info.cr2 = static_cast<u64>(gregs[REG_CR2]);
  fault_info.rip = static_cast<u64>(gregs[REG_RIP]);
  for (int i = 0; i < 16; ++i) save.out[i] = static_cast<u64>(gregs[kGprOrder[i]]);
  save.out_rflags = static_cast<u64>(gregs[REG_EFL]);
  std::memcpy(save.out_fp.bytes, frame->uc_mcontext.fpregs, sizeof save.out_fp.bytes);
  gregs[REG_RIP] =
      static_cast<greg_t>(kStubBase + static_cast<u64>(differential_resume - differential_enter));
  gregs[REG_RSP] = static_cast<greg_t>(save.harness_rsp);
  gregs[REG_EFL] = 0x202;
  const u64 segments = static_cast<u64>(gregs[REG_CSGSFS]) & 0x0000FFFFFFFF0000ull;
  gregs[REG_CSGSFS] = static_cast<greg_t>(segments | kCode64 | static_cast<u64>(kStack) << 48);
}

void* map_fixed(u64 address, u64 size, int protection, int flags, int file) {
  return mmap(reinterpret_cast<void*>(address), size, protection, flags | MAP_FIXED | MAP_POPULATE, file, 0);
}

bool is_test_page(u64 address) {
  return address - kCodeBase < kCodeSize || address - kDataBase < kDataSize ||
         address - kConstantBase < kConstantSize;
}

// The same pages twice: at `address` with `protection`, and writable somewhere else (returned).
u8* map_twice(u64 address, u64 size, int protection) {
  const int file = memfd_create("differential", 0);
  if (file < 0 || ftruncate(file, static_cast<off_t>(size)) != 0) return nullptr;
  void* alias = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file, 0);
  const bool mapped = map_fixed(address, size, protection, MAP_SHARED, file) != MAP_FAILED;
  close(file);
  return alias == MAP_FAILED || !mapped ? nullptr : static_cast<u8*>(alias);
}

bool install_handlers() {
  constexpr std::size_t kStackSize = 256 * 1024;
  void* stack = mmap(nullptr, kStackSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (stack == MAP_FAILED) return false;
  stack_t alternate{};
  alternate.ss_sp = stack;
  alternate.ss_size = kStackSize;
  if (sigaltstack(&alternate, nullptr) != 0) return false;
  struct sigaction action{};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE}) {
    if (sigaction(signal, &action, nullptr) != 0) return false;
  }
  return true;
}

}  // namespace

bool Native::owns(u64 address) const {
  constexpr u64 kMargin = 16u << 20;  // heap and stack grow
  for (const Range& range : own_ranges_) {
    if (address + kMargin >= range.first && address < range.end + kMargin) return true;
  }
  return false;
}

bool Native::set_up() {
  constexpr unsigned kFsgsbase = 1;
  unsigned a, b, c, d;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (b & kFsgsbase) == 0) {
    std::fputs("differential: the host CPU has no FSGSBASE\n", stderr);
    return false;
  }
  code_alias_ = map_twice(kCodeBase, kCodeSize, PROT_READ | PROT_EXEC);
  constants_alias_ = map_twice(kConstantBase, kConstantSize, PROT_READ);
  constexpr int kPrivate = MAP_PRIVATE | MAP_ANONYMOUS;
  const bool mapped =
      code_alias_ != nullptr && constants_alias_ != nullptr &&
      map_fixed(kDataBase, kDataSize, PROT_READ | PROT_WRITE, kPrivate, -1) != MAP_FAILED &&
      map_fixed(kSaveBase, 4096, PROT_READ | PROT_WRITE, kPrivate, -1) != MAP_FAILED &&
      map_fixed(kStubBase, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, kPrivate, -1) != MAP_FAILED;
  if (!mapped || !install_handlers()) {
    std::perror("differential: mapping the test's pages");
    return false;
  }
  std::memcpy(reinterpret_cast<void*>(kStubBase), differential_enter,
              static_cast<std::size_t>(differential_end - differential_enter));
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    Range range{};
    if (std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64, &range.first, &range.end) != 2) continue;
    if (!is_test_page(range.first) && range.first >> 63 == 0) own_ranges_.push_back(range);
  }
  // 32-bit code takes DS and ES from here; 64-bit code does not look at them.
  asm volatile("mov %0, %%ds\n mov %0, %%es" : : "r"(static_cast<unsigned>(kStack)));
  return true;
}

Outcome Native::run(const Sequence& sequence, const std::vector<u8>& code, Memory& memory) {
  SaveArea& save = save_area();
  const u64 exit = kStubBase + static_cast<u64>(differential_exit - differential_enter);
  u8* end = code_alias_ + (sequence.start - kCodeBase) + code.size();
  std::memcpy(code_alias_ + (sequence.start - kCodeBase), code.data(), code.size());
  if (sequence.long_mode) {
    const auto distance = static_cast<u32>(exit - (sequence.start + code.size() + 5));
    end[0] = 0xE9;
    std::memcpy(end + 1, &distance, 4);
  } else {
    const auto offset = static_cast<u32>(exit);
    end[0] = 0xEA;
    std::memcpy(end + 1, &offset, 4);
    std::memcpy(end + 5, &kCode64, 2);
  }
  std::memcpy(reinterpret_cast<void*>(kDataBase), memory.bytes, kDataSize);
  std::memcpy(constants_alias_, memory.bytes, kConstantSize);
  std::memcpy(save.in, sequence.registers.gpr, sizeof save.in);
  save.in_fp = sequence.registers.fp;
  save.in_fs_base = kFsBase;
  save.in_gs_base = kGsBase;
  const u64 frame[5] = {sequence.start, sequence.long_mode ? kCode64 : kCode32, sequence.registers.rflags,
                        sequence.registers.gpr[4], kStack};
  std::memcpy(save.frame, frame, sizeof frame);
  fault_info = FaultInfo{};
  reinterpret_cast<void (*)()>(kStubBase)();
  std::memset(end - code.size(), 0, code.size() + kTailSize);

  Outcome outcome;
  std::memcpy(outcome.registers.gpr, save.out, sizeof save.out);
  outcome.registers.rflags = save.out_rflags;
  outcome.registers.fp = save.out_fp;
  outcome.registers.rip = sequence.start + code.size();
  if (fault_info.faulted) {
    outcome.registers.rip = fault_info.rip;
    outcome.vector = fault_info.vector;
    outcome.error_code = fault_info.error_code;
    outcome.cr2 = fault_info.cr2;
  }
  std::memcpy(memory.bytes, reinterpret_cast<const void*>(kDataBase), kDataSize);
  return outcome;
}

void Native::limit_features(CpuModel& model) {
  const auto keep = [&](FeatureWord word, u32 bits) { model.words[static_cast<unsigned>(word)] &= bits; };
  unsigned a, b, c, d;
  __cpuid(1, a, b, c, d);
  keep(FeatureWord::k1Ecx, c);
  keep(FeatureWord::k1Edx, d);
  __cpuid_count(7, 0, a, b, c, d);
  keep(FeatureWord::k7Ebx, b);
  __cpuid(0x80000001, a, b, c, d);
  keep(FeatureWord::k80000001Ecx, c);
}

std::string Native::vendor() {
  unsigned a, b, c, d;
  char text[13] = {};
  if (__get_cpuid(0, &a, &b, &c, &d) == 0) return "";
  std::memcpy(text, &b, 4);
  std::memcpy(text + 4, &d, 4);
  std::memcpy(text + 8, &c, 4);
  return text;
}

}  // namespace lapwing::differential
