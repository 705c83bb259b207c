#include "tests/differential/guest.h"

#include "core/cpu/block_cache.h"
#include "core/cpu/exec/flags.h"

namespace lapwing::differential {

namespace {

constexpr u64 kRamSize = 1 << 20;
constexpr unsigned kMaxInstructions = 20'000;

// Physical places.
constexpr u64 kPml4 = 0x1000, kPdpt = 0x2000, kDirectory = 0x4000, kFirstTable = 0x6000;
constexpr u64 kDataTable = kFirstTable + 0x1000;  // of the second part that is mapped
constexpr u64 kCodePhysical = 0x20000, kDataPhysical = 0x30000, kConstantPhysical = 0x33000,
              kSystem = 0x40000;
// The supervisor's pages: handlers, stack, tables.
constexpr u64 kHandlers = 0xFFFF800030000000, kKernelStackTop = kHandlers + 0x2000, kGdt = kHandlers + 0x2000,
              kIdt = kGdt + 0x100, kTss = kHandlers + 0x3000;
constexpr u16 kKernelCode = 0x10, kTssSelector = 0x40;

constexpr u64 kPresent = 1, kWritable = 2, kUser = 4, kUsedBits = 0x60, kNoExecute = 1ull << 63;

constexpr u8 kHlt = 0xF4, kInt3 = 0xCC;

constexpr bool has_error_code(u8 vector) {
  return vector == kDF || (vector >= kTS && vector <= kPF) || vector == kAC || vector == kCP;
}

class NoPorts final : public PortSpace {
 public:
  u32 port_in(u16, unsigned) override { return ~0u; }
  void port_out(u16, u32, unsigned) override {}
};

class OneInterrupt final : public InterruptUnit {
 public:
  Acknowledged acknowledge() override {
    pins->set_intr(false);
    return {Guest::kInterruptVector, 0};
  }
  CpuPins* pins = nullptr;
  u8 cr8() const override { return 0; }
  void set_cr8(u8) override {}
  bool read_msr(u32, u64&) override { return false; }
  bool write_msr(u32, u64) override { return false; }
  u64 mmio_page() const override { return kNoApicPage; }
  u64 mmio_read(u32, unsigned) override { return 0; }
  void mmio_write(u32, u64, unsigned) override {}
  void init_reset() override {}
};

SegmentRegister segment(u16 selector, u16 attributes) {
  return {.base = 0, .limit = 0xFFFFFFFF, .selector = selector, .attributes = attributes};
}

constexpr u16 kUserCode64 = 0xA0FB, kUserCode32 = 0xC0FB, kUserData = 0xC0F3, kBusyTss = 0x008B;

}  // namespace

struct Guest::Parts {
  explicit Parts(const CpuModel& wanted) : cpu_model(wanted) {}

  alignas(4096) u8 ram[kRamSize] = {};
  Clock clock;
  IrqTrace trace{clock};
  PhysicalMemory memory{ram, kRamSize};
  BlockCache blocks{memory};
  NoPorts ports;
  OneInterrupt unit;
  CpuModel cpu_model;
  Cpu cpu{Cpu::Wiring{clock, trace, memory, ports, blocks, cpu_model, 0, 1}};
};

Guest::Guest(const CpuModel& model) : parts_(std::make_unique<Parts>(model)) {
  Parts& p = *parts_;
  p.memory.on_code_write([&p](u64 address, u64 size) { p.blocks.invalidate(address, size); });
  p.memory.on_first_code([&p](u64 page) { p.cpu.drop_write_tags(page); });
  p.cpu.attach(p.unit);
  p.unit.pins = &p.cpu;
  p.cpu.reset();
  build_tables();
  build_state();
}

Guest::~Guest() = default;

void Guest::put(u64 physical, u64 value) {
  std::memcpy(parts_->ram + physical, &value, sizeof value);
}

void Guest::build_tables() {
  u64 next_table = kFirstTable;
  u64 tables[2][512] = {};  // by half and directory index
  const auto map = [&](u64 linear, u64 physical, u64 bits) {
    const u64 half = linear >> 63;
    const u64 directory_index = (linear >> 21) & 511;  // all in the first GiB of either half
    u64& table = tables[half][directory_index];
    if (table == 0) {
      table = next_table;
      next_table += kPageSize;
      put(kDirectory + half * kPageSize + 8 * directory_index,
          table | kPresent | kWritable | kUser | kUsedBits);
    }
    put(table + 8 * ((linear >> kPageShift) & 511), physical | kPresent | kUsedBits | bits);
  };
  for (u64 half = 0; half < 2; ++half) {
    const u64 pdpt = kPdpt + half * kPageSize;
    put(kPml4 + 8 * 256 * half, pdpt | kPresent | kWritable | kUser | kUsedBits);
    put(pdpt, (kDirectory + half * kPageSize) | kPresent | kWritable | kUser | kUsedBits);
  }
  for (u64 at = 0; at < kCodeSize; at += kPageSize) map(kCodeBase + at, kCodePhysical + at, kUser);
  for (u64 at = 0; at < kDataSize; at += kPageSize) {
    map(kDataBase + at, kDataPhysical + at, kUser | kWritable | kNoExecute);
  }
  map(kConstantBase, kConstantPhysical, kUser | kNoExecute);
  for (u64 at = 0; at < 0x4000; at += kPageSize) map(kHandlers + at, kSystem + at, kWritable);

  for (unsigned vector = 0; vector < 32; ++vector) {
    parts_->ram[kSystem + vector] = kHlt;
    const u64 handler = kHandlers + vector;
    const u64 low = handler & 0xFFFFFFFF;
    const u64 gate = (low & 0xFFFF) | static_cast<u64>(kKernelCode) << 16 | 0xEEull << 40 | (low >> 16) << 48;
    put(kSystem + (kIdt - kHandlers) + 16 * vector, gate);
    put(kSystem + (kIdt - kHandlers) + 16 * vector + 8, handler >> 32);
  }
  const u64 gdt = kSystem + (kGdt - kHandlers);
  put(gdt + kKernelCode, 0x00AF9B000000FFFF);
  put(gdt + (kCode32 & ~7u), 0x00CFFB000000FFFF);
  put(gdt + (kStack & ~7u), 0x00CFF3000000FFFF);
  put(gdt + (kCode64 & ~7u), 0x00AFFB000000FFFF);
  put(kSystem + (kTss - kHandlers) + 4, kKernelStackTop);
  put(kSystem + (kTss - kHandlers) + 0x60, 0xFFFFull << 48);  // no I/O map
}

void Guest::build_state() {
  start_ = parts_->cpu.state;
  CpuState& s = start_;
  s.cr0 = cr0::kPe | cr0::kPg | cr0::kWp | cr0::kNe | cr0::kEt | cr0::kAm | cr0::kMp;
  s.cr4 =
      cr4::kPae | cr4::kPge | cr4::kOsfxsr | cr4::kOsxmmexcpt | cr4::kFsgsbase | cr4::kUmip | cr4::kOsxsave;
  s.cr3 = kPml4;
  s.efer = efer::kLme | efer::kLma | efer::kNxe | efer::kSce;
  s.cpl = 3;
  s.activity = Activity::kRunning;
  s.gdtr = {.base = kGdt, .limit = 0x6F};
  s.idtr = {.base = kIdt, .limit = 32 * 16 - 1};
  s.seg[kTr] = {.base = kTss, .limit = 0x67, .selector = kTssSelector, .attributes = kBusyTss};
  s.seg[kLdtr] = SegmentRegister{.base = 0, .limit = 0, .selector = 0, .attributes = 0};
  s.seg[kSs] = s.seg[kDs] = s.seg[kEs] = segment(kStack, kUserData);
  s.seg[kFs] = s.seg[kGs] = SegmentRegister{.base = 0, .limit = 0, .selector = 0, .attributes = 0};
}

void Guest::load_registers(const Sequence& sequence) {
  CpuState& s = parts_->cpu.state;
  s = start_;
  s.seg[kCs] = sequence.long_mode ? segment(kCode64, kUserCode64) : segment(kCode32, kUserCode32);
  if (sequence.long_mode) {
    s.seg[kFs].base = kFsBase;
    s.seg[kGs].base = kGsBase;
  }
  const Registers& in = sequence.registers;
  std::memcpy(s.gpr, in.gpr, sizeof in.gpr);
  s.rip = sequence.start;
  set_status_flags(s, in.rflags);
  s.rflags_rest = (in.rflags & ~rflags::kStatus) | rflags::kFixed | rflags::kIf;
  load_image(in.fp, s);
  parts_->cpu.update_mode();
}

Outcome Guest::outcome(const Sequence& sequence, std::size_t code_size) const {
  const CpuState& s = parts_->cpu.state;
  Outcome outcome;
  std::memcpy(outcome.registers.gpr, s.gpr, sizeof outcome.registers.gpr);
  store_image(s, outcome.registers.fp);
  const u64 vector = s.rip - 1 - kHandlers;
  outcome.finished = s.activity == Activity::kHalted && vector < 32;
  if (!outcome.finished) return outcome;
  outcome.vector = static_cast<u8>(vector);
  // What the CPU pushed: [error code] RIP CS RFLAGS RSP SS, from the top of the page downwards.
  u64 frame[6];
  std::memcpy(frame, parts_->ram + kSystem + (kKernelStackTop - kHandlers) - sizeof frame, sizeof frame);
  if (has_error_code(outcome.vector)) outcome.error_code = static_cast<u32>(frame[0]);
  if (outcome.vector == kPF) outcome.cr2 = s.cr2;
  outcome.registers.rip = frame[1];
  outcome.registers.rflags = frame[3];
  outcome.registers.gpr[kRsp] = frame[4];
  if (outcome.vector == kBP && frame[1] == sequence.start + code_size + 1) {
    outcome.vector = kNoVector;
    outcome.registers.rip -= 1;
  }
  return outcome;
}

void Guest::place(u64 address, std::span<const u8> code) {
  u8 bytes[kCodeSize];
  std::memcpy(bytes, code.data(), code.size());
  bytes[code.size()] = kInt3;
  parts_->memory.write_ram(kCodePhysical + (address - kCodeBase), bytes, code.size() + 1);
}

u64 Guest::code_physical(u64 address) {
  return kCodePhysical + (address - kCodeBase);
}

void Guest::clear(u64 address, std::size_t code_size) {
  const u8 bytes[kCodeSize] = {};
  parts_->memory.write_ram(kCodePhysical + (address - kCodeBase), bytes, code_size + kTailSize);
}

void Guest::start(const Sequence& sequence, const Memory& memory) {
  std::memcpy(data(), memory.bytes, kDataSize);
  std::memcpy(parts_->ram + kConstantPhysical, memory.bytes, kConstantSize);
  load_registers(sequence);
}

void Guest::go() {
  Parts& p = *parts_;
  const u64 start = p.clock.instructions();
  while (!p.cpu.halted() && p.clock.instructions() - start < kMaxInstructions) {
    p.cpu.run(kMaxInstructions);
    if (p.cpu.take_request() != CpuRequest::kNone) break;
  }
}

Outcome Guest::run(const Sequence& sequence, const std::vector<u8>& code, Memory& memory) {
  place(sequence.start, code);
  start(sequence, memory);
  go();
  std::memcpy(memory.bytes, data(), kDataSize);
  clear(sequence.start, code.size());
  return outcome(sequence, code.size());
}

Cpu& Guest::cpu() {
  return parts_->cpu;
}

Clock& Guest::clock() {
  return parts_->clock;
}

BlockCache& Guest::blocks() {
  return parts_->blocks;
}

u8* Guest::data() {
  return parts_->ram + kDataPhysical;
}

std::span<const u8> Guest::ram() const {
  return parts_->ram;
}

void Guest::clear_used_bits() {
  for (u64 at = 0; at < kDataSize; at += kPageSize) {
    const u64 entry = kDataTable + 8 * (((kDataBase + at) >> kPageShift) & 511);
    put(entry, (kDataPhysical + at) | kPresent | kUser | kWritable | kNoExecute);
  }
  parts_->cpu.flush_tlb(true);
}

void Guest::map_device(MmioDevice& device) {
  constexpr u64 kDevice = 0xFF000000;
  Parts& p = *parts_;
  ASSERT(p.memory.map_mmio(kDevice, kPageSize, device, "device").ok());
  put(kDataTable + 8 * ((kConstantBase >> kPageShift) & 511),
      kDevice | kPresent | kUsedBits | kUser | kWritable | kNoExecute);
  p.cpu.flush_tlb(true);
}

namespace {

constexpr unsigned kMxcsrAt = 24, kMxcsrMaskAt = 28, kStAt = 32, kXmmAt = 160;
constexpr u32 kMxcsrMask = 0xFFFF;

template <class T>
void put_at(FpImage& image, unsigned at, T value) {
  std::memcpy(image.bytes + at, &value, sizeof value);
}

template <class T>
T get_at(const FpImage& image, unsigned at) {
  T value;
  std::memcpy(&value, image.bytes + at, sizeof value);
  return value;
}

unsigned top_of(const FpuState& fpu) {
  return (fpu.status >> 11) & 7;
}

}  // namespace

void store_image(const CpuState& state, FpImage& image) {
  const FpuState& fpu = state.fpu;
  image = FpImage{};
  put_at(image, 0, fpu.control);
  put_at(image, 2, fpu.status);
  put_at(image, 4, fpu.valid);
  put_at(image, 6, fpu.opcode);
  put_at(image, 8, fpu.ip);
  put_at(image, 16, fpu.dp);
  put_at(image, kMxcsrAt, state.mxcsr);
  put_at(image, kMxcsrMaskAt, kMxcsrMask);
  for (unsigned i = 0; i < 8; ++i) {
    const FpuRegister& st = fpu.st[(top_of(fpu) + i) & 7];
    put_at(image, kStAt + 16 * i, st.mantissa);
    put_at(image, kStAt + 16 * i + 8, st.sign_exponent);
  }
  for (unsigned i = 0; i < 16; ++i) {
    put_at(image, kXmmAt + 16 * i, state.xmm[i].lo);
    put_at(image, kXmmAt + 16 * i + 8, state.xmm[i].hi);
  }
}

void load_image(const FpImage& image, CpuState& state) {
  FpuState& fpu = state.fpu;
  fpu.control = get_at<u16>(image, 0);
  fpu.status = get_at<u16>(image, 2);
  fpu.valid = get_at<u8>(image, 4);
  fpu.opcode = get_at<u16>(image, 6);
  fpu.ip = get_at<u64>(image, 8);
  fpu.dp = get_at<u64>(image, 16);
  state.mxcsr = get_at<u32>(image, kMxcsrAt);
  for (unsigned i = 0; i < 8; ++i) {
    FpuRegister& st = fpu.st[(top_of(fpu) + i) & 7];
    st.mantissa = get_at<u64>(image, kStAt + 16 * i);
    st.sign_exponent = get_at<u16>(image, kStAt + 16 * i + 8);
  }
  for (unsigned i = 0; i < 16; ++i) {
    state.xmm[i].lo = get_at<u64>(image, kXmmAt + 16 * i);
    state.xmm[i].hi = get_at<u64>(image, kXmmAt + 16 * i + 8);
  }
}

}  // namespace lapwing::differential
