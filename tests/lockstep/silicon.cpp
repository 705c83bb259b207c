#include "tests/lockstep/silicon.h"

#include "tests/differential/compare.h"
#include "tests/differential/guest.h"

namespace lapwing::lockstep {

using differential::Generator;
using differential::Guest;
using differential::kNoVector;
using differential::Memory;
using differential::Outcome;
using differential::Record;
using differential::Sequence;

namespace {

// Everything is hot when it is met, and compiled as soon as tick() is called.
JitOptions eager() {
  JitOptions options;
  options.threshold = 1;
  options.batch = 1000;
  options.patience = 0;
  return options;
}

u64 number_in(const std::string& json, const std::string& name) {
  const std::size_t at = json.find("\"" + name + "\":");
  return at == std::string::npos ? 0 : std::strtoull(json.c_str() + at + name.size() + 3, nullptr, 10);
}

}  // namespace

Silicon::Silicon(ModuleHost& host, std::span<const u8> bytes)
    : host_(host), reader_(bytes), valid_(reader_.next(header_)) {}

std::string Silicon::run() {
  if (!valid_) return "these are not records of tests/differential\n";
  const CpuModel model = header_.model();
  const Generator generator(header_.options());
  Guest guest(model);
  Memory memory, before;
  for (Record record; !reader_.at_end(); ++done_) {
    if (!reader_.next(record)) return "the records end in the middle of one\n";
    const Sequence sequence = generator.make(record.seed);
    const std::vector<u8> code = assemble(sequence);
    differential::memory_of(record.seed, before);
    Jit jit(host_, guest.blocks(), model, eager());
    guest.blocks().set_generated(&jit);
    guest.cpu().set_generated(&jit);
    guest.place(sequence.start, code);
    guest.start(sequence, before);
    guest.go();
    jit.tick(guest.clock().instructions());
    const u64 begin = guest.clock().instructions();
    guest.start(sequence, before);
    guest.go();
    std::memcpy(memory.bytes, guest.data(), sizeof memory.bytes);
    const Outcome outcome = guest.outcome(sequence, code.size());
    instructions_ += guest.clock().instructions() - begin;
    generated_ += number_in(jit.statistics(), "generated_instructions");
    guest.clear(sequence.start, code.size());
    guest.blocks().set_generated(nullptr);
    guest.cpu().set_generated(nullptr);
    jit.tick(0);
    const bool strict = header_.same_maker != 0 || record.host.vector == kNoVector;
    const std::string found =
        differential::compare(sequence, record.host, record.memory, outcome, memory, strict);
    if (!found.empty()) return describe(sequence) + found;
  }
  return "";
}

std::string Silicon::counts() const {
  return "{\"sequences\":" + std::to_string(done_) + ",\"instructions\":" + std::to_string(instructions_) +
         ",\"generated\":" + std::to_string(generated_) + "}";
}

}  // namespace lapwing::lockstep
