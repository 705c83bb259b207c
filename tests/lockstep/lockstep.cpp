#include "tests/lockstep/lockstep.h"

#include <algorithm>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>

#include "core/cpu/decode/decoder.h"
#include "core/cpu/decode/disassembler.h"
#include "core/cpu/exec/flags.h"

namespace lapwing::lockstep {

using differential::kCodeBase;
using differential::kDataBase;
using differential::kDataSize;

namespace {

__attribute__((format(printf, 2, 3))) void add(std::string& text, const char* format, ...) {
  char line[256];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  text += line;
}

constexpr u16 kDefaultBig = 0x4000;  // D/B of a segment's attributes

void adapt(CpuState& s, const Run& run) {
  adapt_segments(s, *run.piece);
  s.cr0 ^= run.cr0_flipped;
  s.cr4 ^= run.cr4_flipped;
  s.rflags_rest |= run.rflags_set;
  std::memcpy(s.dr, run.dr, sizeof s.dr);
}

class Text final : public StateSink {
 public:
  void bytes(const void* data, std::size_t size) override {
    text.append(static_cast<const char*>(data), size);
  }
  std::string text;
};

}  // namespace

void adapt_segments(CpuState& s, const Piece& piece) {
  if (piece.code_size == 8) return;
  if (piece.code_size == 2) {
    s.seg[kCs].attributes &= static_cast<u16>(~kDefaultBig);
    s.seg[kCs].base = kCodeBase;
    s.rip -= kCodeBase;
  }
  if (!piece.flat || piece.code_size == 2) {
    for (const Seg seg : {kEs, kSs, kDs, kFs, kGs}) {
      s.seg[seg] = s.seg[kSs];
      s.seg[seg].base = kDataBase;
      s.seg[seg].limit = seg == kFs ? 0xFFF : kDataSize - 1;
    }
    for (unsigned reg = kRbx; reg <= kRdi; ++reg) s.gpr[reg] &= 0xFFFF;
  }
  if (piece.small_stack) s.seg[kSs].attributes &= static_cast<u16>(~kDefaultBig);
}

// Reads give numbers that depend on all accesses so far, which are also the only thing to compare.
class Lockstep::Device final : public MmioDevice {
 public:
  explicit Device(const Clock& clock) : clock_(clock) {}
  u64 mmio_read(u64 offset, unsigned size) override { return note(offset * 16 + size); }
  void mmio_write(u64 offset, u64 value, unsigned size) override {
    note(value ^ ((offset * 16 + size) << 40));
  }
  u64 accesses = 0;

 private:
  u64 note(u64 what) {
    accesses = (accesses ^ what ^ (clock_.instructions() << 20)) * 0x9E3779B97F4A7C15ull;
    accesses ^= accesses >> 29;
    return accesses;
  }
  const Clock& clock_;
};

Lockstep::Lockstep(const CpuModel& model, ModuleHost& host)
    : host_(host), model_(model), interpreter_(make_side(model)), generated_(make_side(model)) {}

Lockstep::~Lockstep() = default;

Lockstep::Side Lockstep::make_side(const CpuModel& model) {
  Side side;
  side.guest = std::make_unique<Guest>(model);
  side.device = std::make_unique<Device>(side.guest->clock());
  side.guest->map_device(*side.device);
  return side;
}

void Lockstep::begin(const JitOptions& options) {
  jit_ = std::make_unique<Jit>(host_, generated_.guest->blocks(), model_, options);
  generated_.guest->blocks().set_generated(jit_.get());
  generated_.guest->cpu().set_generated(jit_.get());
  interpreter_.guest->blocks().flush();
}

void Lockstep::place(const Piece& piece) {
  for (const Side* side : {&interpreter_, &generated_}) side->guest->place(piece.address, piece.code);
  placed_.push_back(piece);
}

void Lockstep::compile() {
  jit_->tick(generated_.guest->clock().instructions() + (u64{1} << 40));
}

void Lockstep::end() {
  for (const Piece& piece : placed_) {
    for (const Side* side : {&interpreter_, &generated_}) {
      side->guest->clear(piece.address, piece.code.size());
    }
  }
  placed_.clear();
  compile();
  generated_.guest->blocks().set_generated(nullptr);
  generated_.guest->cpu().set_generated(nullptr);
  jit_->tick(0);
  jit_.reset();
}

void Lockstep::execute(Side& side, const Run& run, bool sliced) {
  Guest& guest = *side.guest;
  Cpu& cpu = guest.cpu();
  Sequence sequence;
  sequence.long_mode = run.piece->code_size == 8;
  sequence.start = run.piece->address;
  sequence.registers = run.registers;
  if (run.clean_pages) guest.clear_used_bits();
  guest.start(sequence, *run.memory);
  adapt(cpu.state, run);
  cpu.update_mode();
  Random lengths(run.slices);
  const u64 begin = guest.clock().instructions();
  const auto go_until = [&](u64 count) {
    for (unsigned idle = 0; idle < 64 && !cpu.halted();) {
      const u64 done = guest.clock().instructions() - begin;
      if (done >= count) return;
      const u64 slice = sliced ? 1 + lengths.below(40) : count;
      cpu.run(std::min(slice, count - done));
      if (cpu.take_request() != CpuRequest::kNone) return;
      idle = guest.clock().instructions() - begin == done ? idle + 1 : 0;
    }
  };
  cpu.set_intr(false);
  if (run.interrupt_at < run.limit) {
    go_until(run.interrupt_at);
    cpu.set_intr(true);
  }
  go_until(run.limit);
  cpu.set_intr(false);
}

std::string Lockstep::run(const Run& run) {
  execute(interpreter_, run, false);
  execute(generated_, run, run.slices != 0);
  const std::string found = difference();
  return found.empty() ? found : describe(run) + found;
}

std::string Lockstep::difference() const {
  const CpuState& a = interpreter_.guest->cpu().state;
  const CpuState& b = generated_.guest->cpu().state;
  std::string text;
  const auto field = [&text](const char* name, unsigned number, u64 x, u64 y) {
    if (x != y)
      add(text, "  %s%u: interpreted %016" PRIx64 " generated %016" PRIx64 "\n", name, number, x, y);
  };
  for (unsigned i = 0; i < kRipSlot; ++i) field("r", i, a.gpr[i], b.gpr[i]);
  field("rip", 0, a.rip, b.rip);
  field("status flags", 0, status_flags(a), status_flags(b));
  field("rflags", 0, a.rflags_rest, b.rflags_rest);
  field("cpl", 0, a.cpl, b.cpl);
  field("activity", 0, static_cast<u64>(a.activity), static_cast<u64>(b.activity));
  field("shadow", 0, a.interrupt_shadow, b.interrupt_shadow);
  field("cr", 2, a.cr2, b.cr2);
  field("dr", 6, a.dr[6], b.dr[6]);
  field("dr", 7, a.dr[7], b.dr[7]);
  field("mxcsr", 0, a.mxcsr, b.mxcsr);
  for (unsigned i = 0; i < kSegCount; ++i) {
    field("segment base", i, a.seg[i].base, b.seg[i].base);
    field("segment selector", i, a.seg[i].selector, b.seg[i].selector);
  }
  for (unsigned i = 0; i < 16; ++i) {
    field("xmm.lo", i, a.xmm[i].lo, b.xmm[i].lo);
    field("xmm.hi", i, a.xmm[i].hi, b.xmm[i].hi);
  }
  for (unsigned i = 0; i < 8; ++i) {
    field("fpu mantissa", i, a.fpu.st[i].mantissa, b.fpu.st[i].mantissa);
    field("fpu exponent", i, a.fpu.st[i].sign_exponent, b.fpu.st[i].sign_exponent);
  }
  field("fpu control", 0, a.fpu.control, b.fpu.control);
  field("fpu status", 0, a.fpu.status, b.fpu.status);
  field("fpu valid", 0, a.fpu.valid, b.fpu.valid);
  field("fpu opcode", 0, a.fpu.opcode, b.fpu.opcode);
  field("fpu ip", 0, a.fpu.ip, b.fpu.ip);
  field("fpu dp", 0, a.fpu.dp, b.fpu.dp);
  field("fpu cs", 0, a.fpu.cs, b.fpu.cs);
  field("fpu ds", 0, a.fpu.ds, b.fpu.ds);
  field("instructions", 0, interpreter_.guest->clock().instructions(),
        generated_.guest->clock().instructions());
  field("time", 0, interpreter_.guest->clock().now_ns(), generated_.guest->clock().now_ns());
  field("device accesses", 0, interpreter_.device->accesses, generated_.device->accesses);
  const u8* x = interpreter_.guest->data();
  const u8* y = generated_.guest->data();
  if (std::memcmp(x, y, kDataSize) != 0) {
    unsigned shown = 0;
    for (unsigned at = 0; at < kDataSize && shown < 8; ++at) {
      if (x[at] == y[at]) continue;
      ++shown;
      add(text, "  [%08" PRIx64 "]: interpreted %02x generated %02x\n", kDataBase + at, x[at], y[at]);
    }
  }
  return text;
}

bool Lockstep::deep_equal() {
  const auto saved = [](const Side& side) {
    Text text;
    StateWriter writer(text);
    side.guest->cpu().save(writer);
    return text.text;
  };
  const auto a = interpreter_.guest->ram();
  const auto b = generated_.guest->ram();
  return saved(interpreter_) == saved(generated_) && std::memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string describe(const Run& run) {
  const Piece& piece = *run.piece;
  const differential::Registers& r = run.registers;
  std::string text;
  add(text,
      "%u-bit%s%s, rflags %" PRIx64 " + %" PRIx64 ", fcw %02x%02x fsw %02x%02x mxcsr %02x%02x, cr0 ^ %" PRIx64
      " cr4 ^ %" PRIx64 " dr7 %" PRIx64 ", interrupt at %" PRId64 "%s\n",
      8u * piece.code_size, piece.flat ? "" : ", segments", piece.small_stack ? ", small stack" : "",
      r.rflags, run.rflags_set, r.fp.bytes[1], r.fp.bytes[0], r.fp.bytes[3], r.fp.bytes[2], r.fp.bytes[25],
      r.fp.bytes[24], run.cr0_flipped, run.cr4_flipped, run.dr[7], static_cast<i64>(run.interrupt_at),
      run.clean_pages ? ", clean pages" : "");
  for (unsigned i = 0; i < 16; ++i)
    add(text, "  r%-2u %016" PRIx64 "%s", i, r.gpr[i], i % 4 == 3 ? "\n" : "");
  for (std::size_t at = 0; at < piece.code.size();) {
    Instruction in;
    const DecodeMode mode{.code_size = piece.code_size, .flat = piece.flat};
    u8 bytes[16] = {};
    std::memcpy(bytes, &piece.code[at], std::min<std::size_t>(16, piece.code.size() - at));
    if (decode(bytes, 16, mode, 0, in) != DecodeResult::kOk) in.length = 1;
    add(text, "  %08" PRIx64 "  ", piece.address + at);
    for (unsigned i = 0; i < in.length; ++i) add(text, "%02x ", bytes[i]);
    add(text, "  %s\n", disassemble(in, piece.address + at).c_str());
    at += in.length;
  }
  return text;
}

}  // namespace lapwing::lockstep
