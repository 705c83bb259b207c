#include "tests/lockstep/fuzz.h"

#include <algorithm>
#include <cstdlib>
#include <initializer_list>

#include "core/cpu/decode/decoder.h"

namespace lapwing::lockstep {

using differential::assemble;
using differential::Generator;
using differential::GeneratorOptions;
using differential::kCodeBase;
using differential::kCodeSize;
using differential::kConstantBase;
using differential::kDataBase;
using differential::kDataSize;

namespace {

constexpr unsigned kSlot = 128;  // bytes of code for each piece
constexpr unsigned kMemories = 32;
constexpr unsigned kWarmUps = 3;  // runs of each piece before its code is generated

CpuModel fuzz_model() {
  Result<CpuModel> model = make_cpu_model("max");
  if (!model.ok()) std::abort();
  return model.value();
}

GeneratorOptions options_for(bool code64) {
  return GeneratorOptions{.modes64 = code64, .modes32 = !code64, .max_pieces = 10, .only = {}};
}

GeneratorOptions x87_options_for(bool code64) {
  GeneratorOptions options = options_for(code64);
  options.integer = options.sse = false;
  options.max_pieces = 30;
  return options;
}

// Some registers full, the others empty: stack faults are rare.
void fill_some_x87_registers(Random& random, differential::FpImage& image) {
  const unsigned top = random.below(8);
  const unsigned full = (1u << (2 + random.below(5))) - 1;
  image.bytes[0] = 0x7F;
  image.bytes[1] = static_cast<u8>(random.chance(80) ? 3 : random.below(16));
  image.bytes[2] = static_cast<u8>(random.below(0x40));
  image.bytes[3] = static_cast<u8>((image.bytes[3] & 0x47) | top << 3);
  image.bytes[4] = static_cast<u8>(full << top | full << top >> 8);
}

JitOptions random_options(Random& random) {
  JitOptions options;
  options.threshold = static_cast<i32>(1 + random.below(kWarmUps));
  options.batch = 1000;
  options.patience = 0;
  options.straddles = 1 + random.below(8);
  options.limits.blocks = 1 + random.below(24);
  options.limits.instructions = 4 + random.below(146);
  options.regrow = 1 + random.below(100);
  options.sample = 1 + random.below(3);
  return options;
}

// DEC CX/ECX and a jump back to the start while it is not zero.
void add_loop(Piece& piece) {
  const auto size = static_cast<unsigned>(piece.code.size());
  piece.code.insert(piece.code.end(), {0xFF, 0xC9, 0x75, static_cast<u8>(0x100 - (size + 4))});
}

// A loop that goes to one of eight handlers by a computed jump, call or return; the handlers go back by jumps
// or returns, whether they were called or not.
void dispatch_code(Random& random, Piece& piece) {
  constexpr u8 kHandlerBytes = 8, kHandlers = 8;
  static constexpr u8 kAlu[] = {0x01, 0x09, 0x11, 0x19, 0x21, 0x29, 0x31, 0x39};
  std::vector<u8>& code = piece.code;
  const auto add = [&code](std::initializer_list<u8> bytes) { code.insert(code.end(), bytes); };
  const auto back = [&code] { return static_cast<u8>(0x100 - (code.size() + 1)); };
  const bool wide = piece.code_size == 8;
  add({0x69, 0xDB, 0x2D, 0xF4, 0x51, 0x58});                     // imul ebx, ebx, 0x5851F42D
  add({0x83, 0xC3, static_cast<u8>(random.below(128) | 1)});     // add ebx, odd
  add({0x89, 0xD8, 0xC1, 0xE8, 0x1D});                           // mov eax, ebx; shr eax, 29
  const auto before_handlers = static_cast<u32>(wide ? 10 : 9);  // behind the next instruction
  if (wide) {
    add({0x48, 0x8D, 0x15, static_cast<u8>(before_handlers), 0, 0, 0, 0x48});  // lea rdx, [rip + handlers]
  } else {
    const auto handlers = static_cast<u32>(piece.address + code.size() + 5 + before_handlers);
    add({0xBA, static_cast<u8>(handlers), static_cast<u8>(handlers >> 8), static_cast<u8>(handlers >> 16),
         static_cast<u8>(handlers >> 24)});
  }
  add({0x8D, 0x14, 0xC2});  // lea (r/e)dx, [(r/e)dx + 8 * (r/e)ax]
  switch (random.below(3)) {
    case 0: add({0xFF, 0xE2}); break;   // jmp
    case 1: add({0xFF, 0xD2}); break;   // call
    default: add({0x52, 0xC3}); break;  // push; ret
  }
  add({0xFF, 0xC9, 0x75});  // dec ecx; jnz
  code.push_back(back());
  const unsigned returns = random.below(3);
  for (unsigned i = 0; i < kHandlers; ++i) {
    const auto start = code.size();
    for (unsigned n = random.below(3); n > 0; --n)
      add({kAlu[random.below(8)], static_cast<u8>(0xC6 | random.below(8) << 3 | random.below(2))});
    if (random.chance(30)) code.push_back(0xF5);  // cmc
    if (returns == 0 || (returns == 1 && random.chance(50))) {
      code.push_back(0xC3);
    } else {
      code.push_back(0xEB);
      code.push_back(back());
    }
    while (code.size() < start + kHandlerBytes) code.push_back(0x90);
  }
}

// Accesses by one register at small displacements, often near the end of its page; pushes and pops between
// them.
void frame_code(Random& random, Piece& piece, unsigned room) {
  static constexpr u8 kBases[] = {3, 5, 6, 7};
  static constexpr u8 kAccesses[] = {0x8B, 0x8B, 0x89, 0x89, 0x01, 0x03, 0x8A, 0x88, 0x39};
  std::vector<u8>& code = piece.code;
  const bool wide = piece.code_size == 8;
  const u8 base = kBases[random.below(4)];
  if (random.chance(60)) {
    if (wide) code.push_back(0x48);
    code.insert(code.end(), {0x81, static_cast<u8>(0xC8 | base), 0xC0, 0x0F, 0, 0});  // or base, 0xFC0
  }
  while (code.size() + 5 < room && !random.chance(8)) {
    if (random.chance(15)) code.push_back(random.chance(50) ? 0x50 : 0x5A);  // push eax, pop edx
    if (wide && random.chance(50)) code.push_back(0x48);
    code.push_back(kAccesses[random.below(9)]);
    code.push_back(static_cast<u8>(0x40 | random.below(2) << 4 | base));
    code.push_back(static_cast<u8>(random.below(random.chance(70) ? 64 : 256)));
  }
}

u64 pointer_into(Random& random) {
  switch (random.below(4)) {
    case 0: return kConstantBase + random.below(4096);
    case 1: return kDataBase + 0x1000 - random.below(16);
    default: return kDataBase + random.below(kDataSize);
  }
}

}  // namespace

Fuzzer::Fuzzer(ModuleHost& host)
    : lockstep_(fuzz_model(), host),
      generator32_(options_for(false)),
      generator64_(options_for(true)),
      x87_generator32_(x87_options_for(false)),
      x87_generator64_(x87_options_for(true)) {
  memories_.resize(kMemories);
  for (unsigned i = 0; i < kMemories; ++i) Generator::fill_memory(i, memories_[i]);
}

void Fuzzer::table_code(Random& random, Piece& piece, unsigned room, bool only_x87) const {
  const Generator& generator = piece.code_size == 8 ? only_x87 ? x87_generator64_ : generator64_
                               : only_x87           ? x87_generator32_
                                                    : generator32_;
  Sequence sequence = generator.make(random.next());
  sequence.start = piece.address;
  piece.code = assemble(sequence);
  while (piece.code.size() > room) {
    sequence.pieces.pop_back();
    piece.code = assemble(sequence);
  }
}

void Fuzzer::corpus_code(Random& random, Piece& piece, unsigned room) const {
  const Corpus& corpus = corpora_[random.below(static_cast<unsigned>(corpora_.size()))];
  if (piece.code_size != 2 || random.chance(50)) piece.code_size = corpus.code_size;
  const unsigned size = 8 + random.below(room - 8);
  const unsigned at = random.below(static_cast<unsigned>(corpus.bytes.size()) - size);
  const u8* from = &corpus.bytes[at];
  piece.code.assign(from, from + size);
  for (unsigned changes = random.below(4); changes > 0; --changes) {
    u8& byte = piece.code[random.below(size)];
    byte =
        random.chance(50) ? static_cast<u8>(random.next()) : static_cast<u8>(byte ^ (1u << random.below(8)));
  }
}

Piece Fuzzer::make_piece(Random& random, u64 address, unsigned room) const {
  Piece piece;
  piece.address = address;
  static constexpr u8 kSizes[] = {8, 8, 8, 8, 8, 8, 4, 4, 4, 2};
  piece.code_size = kSizes[random.below(10)];
  const bool loop = random.chance(40);
  if (loop) room -= 4;
  const unsigned kind = random.below(100);
  if (piece.code_size != 2 && random.chance(10)) {
    dispatch_code(random, piece);
    return piece;
  }
  if (piece.code_size != 2 && random.chance(10)) {
    frame_code(random, piece, room);
  } else if (kind < 50 || (kind < 85 && corpora_.empty())) {
    table_code(random, piece, room, kind < 12);
  } else if (kind < 85) {
    corpus_code(random, piece, room);
  } else {
    piece.code.resize(4 + random.below(room - 4));
    for (u8& byte : piece.code) byte = static_cast<u8>(random.next());
  }
  if (piece.code_size == 2) piece.flat = false;
  if (piece.code_size == 4 && random.chance(20)) piece.flat = false;
  if (piece.code_size != 8 && random.chance(15)) piece.small_stack = true;
  if (loop) add_loop(piece);
  return piece;
}

Run Fuzzer::make_run(Random& random, const Piece& piece) const {
  Run run;
  run.piece = &piece;
  run.memory = &memories_[random.below(kMemories)];
  Sequence sequence;
  sequence.long_mode = piece.code_size == 8;
  Generator::fill_registers(random, sequence);
  if (random.chance(40)) fill_some_x87_registers(random, sequence.registers.fp);
  run.registers = sequence.registers;
  // Code that was not made for these registers wants pointers anywhere.
  if (random.chance(40)) {
    const unsigned count = sequence.long_mode ? 16 : 8;
    for (unsigned i = 1 + random.below(4); i > 0; --i)
      run.registers.gpr[random.below(count)] = pointer_into(random);
  }
  if (random.chance(50)) run.slices = random.next() | 1;
  if (random.chance(30)) run.interrupt_at = random.below(40);
  if (random.chance(5)) run.clean_pages = true;
  if (!random.chance(10)) return run;
  switch (random.below(6)) {
    case 0: run.cr0_flipped = cr0::kTs; break;
    case 1: run.cr0_flipped = cr0::kEm; break;
    case 2: run.cr4_flipped = random.chance(50) ? cr4::kOsfxsr : cr4::kOsxmmexcpt; break;
    case 3: run.rflags_set = rflags::kAc; break;
    case 4: run.rflags_set = rflags::kTf; break;
    default:
      run.dr[0] = random.chance(50) ? piece.address + random.below(40) : pointer_into(random);
      run.dr[1] = pointer_into(random);
      run.dr[6] = 0xFFFF0FF0;
      run.dr[7] = 0x400 | random.below(16) | (random.next() & 0xFF0000);
      return run;
  }
  return run;
}

std::string Fuzzer::batch(u64 seed, unsigned rounds) {
  Random random(seed);
  lockstep_.begin(random_options(random));
  std::vector<Piece> pieces;
  for (u64 at = 0; at + kSlot <= kCodeSize; at += kSlot) {
    // Those in the middle cross into the second page.
    const bool crosses = at + kSlot == kCodeSize / 2;
    const u64 address = kCodeBase + at + (crosses ? 60 + random.below(60) : 0);
    if (at == kCodeSize / 2) continue;
    pieces.push_back(make_piece(random, address, kSlot - 16));
    lockstep_.place(pieces.back());
  }
  std::string found;
  for (unsigned round = 0; round < kWarmUps + rounds && found.empty(); ++round) {
    for (const Piece& piece : pieces) {
      found = lockstep_.run(make_run(random, piece));
      if (!found.empty()) break;
      ++counts_.executions;
    }
    // Also in between: code that was met later, and regions that grew from several entries.
    if (round + 1 == kWarmUps || (round >= kWarmUps && random.below(8) == 0)) lockstep_.compile();
  }
  if (found.empty() && !lockstep_.deep_equal()) found = "after all pieces: TLB or page tables differ\n";
  count(lockstep_.jit());
  ++counts_.batches;
  counts_.pieces += pieces.size();
  lockstep_.end();
  return found;
}

namespace {

u64 number_in(const std::string& json, const char* name) {
  const std::string key = "\"" + std::string(name) + "\":";
  const std::size_t at = json.find(key);
  return at == std::string::npos ? 0 : std::strtoull(json.c_str() + at + key.size(), nullptr, 10);
}

}  // namespace

void Fuzzer::count(const Jit& jit) {
  const std::string statistics = jit.statistics();
  counts_.generated += number_in(statistics, "generated_instructions");
  counts_.regions += number_in(statistics, "regions");
  counts_.modules += number_in(statistics, "modules");
  counts_.module_bytes += number_in(statistics, "module_bytes");
}

}  // namespace lapwing::lockstep
