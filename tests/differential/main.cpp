// The differential test: random sequences on the host CPU and in the interpreter, compared in registers,
// flags, memory and faults. A difference is shrunk to the fewest instructions that still show it, and printed
// with its seed.
#include <unistd.h>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string_view>

#include "tests/differential/compare.h"
#include "tests/differential/generator.h"
#include "tests/differential/guest.h"
#include "tests/differential/native.h"
#include "tests/differential/records.h"

namespace lapwing::differential {

namespace {

struct Options {
  u64 seed = 1;
  u64 count = 100'000;
  u64 one = 0;  // run just this sequence
  unsigned max_reports = 20;
  bool verbose = false;
  std::string record;  // file for what the host made of the sequences
  GeneratorOptions generator;
};

constexpr const char* kUsage =
    "differential [--seed N] [--count N] [--sequence SEED] [--only MNEMONIC] [--families ixs] [--mode "
    "32|64]\n"
    "             [--pieces N] [--reports N] [--record FILE] [--verbose]\n";

// The interpreter's processor has what both sides know.
CpuModel host_model() {
  Result<CpuModel> model = make_cpu_model("max");
  if (!model.ok()) std::abort();
  Native::limit_features(model.value());
  return model.value();
}

class Session {
 public:
  explicit Session(const Options& options) : options_(options), generator_(options.generator) {}

  int run() {
    if (!native_.set_up()) return 2;
    if (!options_.record.empty()) return record();
    const auto begin = std::chrono::steady_clock::now();
    Random seeds(options_.seed);
    const u64 count = options_.one != 0 ? 1 : options_.count;
    for (u64 i = 0; i < count && reports_ < options_.max_reports; ++i) {
      const u64 seed = options_.one != 0 ? options_.one : seeds.next();
      test(seed);
      ++done_;
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    std::printf(
        "%llu sequences in %.1f s from seed %llu, %llu ended by a fault, %llu skipped, %u differences\n",
        static_cast<unsigned long long>(done_), seconds.count(),
        static_cast<unsigned long long>(options_.seed), static_cast<unsigned long long>(faults_),
        static_cast<unsigned long long>(skipped_), reports_);
    for (const auto& [name, number] : culprits_) std::printf("  %4u  %s\n", number, name.c_str());
    return reports_ == 0 ? 0 : 1;
  }

 private:
  struct Pair {
    Outcome host;
    Outcome guest;
    Memory host_memory;
    Memory guest_memory;
    bool comparable = false;
  };

  void execute(const Sequence& sequence, Pair& pair) {
    const std::vector<u8> code = assemble(sequence);
    memory_of(sequence.seed, pair.guest_memory);
    pair.host_memory = pair.guest_memory;
    pair.guest = guest_.run(sequence, code, pair.guest_memory);
    const bool reached_host = pair.guest.vector == kPF && native_.owns(pair.guest.cr2);
    pair.comparable = pair.guest.finished && !reached_host;
    if (!pair.comparable) return;
    alarm(10);  // the host must not run for ever where the interpreter came to an end
    pair.host = native_.run(sequence, code, pair.host_memory);
    alarm(0);
  }

  std::string difference(const Sequence& sequence) {
    execute(sequence, pair_);
    if (!pair_.comparable) return "";
    // After a fault CPUs of other makers may have got further with stores, flags and the x87 state.
    const bool strict = options_.generator.same_maker || pair_.host.vector == kNoVector;
    return compare(sequence, pair_.host, pair_.host_memory, pair_.guest, pair_.guest_memory, strict);
  }

  void test(u64 seed) {
    Sequence sequence = generator_.make(seed);
    if (options_.verbose) std::fputs(describe(sequence).c_str(), stdout);
    const std::string found = difference(sequence);
    if (!pair_.comparable) {
      ++skipped_;
      return;
    }
    if (pair_.host.vector != kNoVector) ++faults_;
    if (found.empty()) return;
    ++reports_;
    shrink(sequence);
    const std::string shrunk = difference(sequence);
    ++culprits_[last_mnemonic(sequence)];
    std::printf("--- seed %llu\n%s%s\n", static_cast<unsigned long long>(seed), describe(sequence).c_str(),
                (shrunk.empty() ? found + "(does not repeat)" : shrunk).c_str());
    std::fflush(stdout);
  }

  // Only sequences on which interpreter and host agree: the rest is for run() to report.
  int record() {
    std::FILE* file = std::fopen(options_.record.c_str(), "wb");
    if (file == nullptr) {
      std::perror(options_.record.c_str());
      return 2;
    }
    RecordWriter writer(file);
    writer.add(RecordHeader(options_.generator, host_model()));
    Random seeds(options_.seed);
    for (; done_ < options_.count && !writer.failed(); ++done_) {
      const u64 seed = seeds.next();
      const std::string found = difference(generator_.make(seed));
      if (!pair_.comparable || !found.empty()) continue;
      writer.add(Record{seed, pair_.host, pair_.host_memory});
    }
    const bool closed = std::fclose(file) == 0;
    if (!closed || writer.failed()) std::fprintf(stderr, "cannot write %s\n", options_.record.c_str());
    return closed && !writer.failed() ? 0 : 2;
  }

  void shrink(Sequence& sequence) {
    for (std::size_t i = sequence.pieces.size(); i-- > 0 && sequence.pieces.size() > 1;) {
      Sequence smaller = sequence;
      smaller.pieces.erase(smaller.pieces.begin() + static_cast<std::ptrdiff_t>(i));
      if (!difference(smaller).empty()) sequence = smaller;
    }
  }

  const Options options_;
  Generator generator_;
  Native native_;
  Guest guest_{host_model()};
  Pair pair_;
  std::map<std::string, unsigned> culprits_;
  u64 done_ = 0;
  u64 faults_ = 0;
  u64 skipped_ = 0;
  unsigned reports_ = 0;
};

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--verbose") {
      options.verbose = true;
      continue;
    }
    if (i + 1 >= argc) return false;
    const char* value = argv[++i];
    const u64 number = std::strtoull(value, nullptr, 0);
    GeneratorOptions& generator = options.generator;
    if (name == "--seed") {
      options.seed = number;
    } else if (name == "--count") {
      options.count = number;
    } else if (name == "--sequence") {
      options.one = number;
    } else if (name == "--reports") {
      options.max_reports = static_cast<unsigned>(number);
    } else if (name == "--pieces") {
      generator.max_pieces = static_cast<unsigned>(number);
    } else if (name == "--record") {
      options.record = value;
    } else if (name == "--only") {
      generator.only = value;
    } else if (name == "--mode") {
      generator.modes64 = number == 64;
      generator.modes32 = number == 32;
    } else if (name == "--families") {
      const std::string_view families = value;
      generator.integer = families.find('i') != std::string_view::npos;
      generator.x87 = families.find('x') != std::string_view::npos;
      generator.sse = families.find('s') != std::string_view::npos;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

}  // namespace lapwing::differential

namespace lapwing {

void engine_failure(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, condition);
  std::abort();
}

}  // namespace lapwing

int main(int argc, char** argv) {
  using namespace lapwing::differential;
  Options options;
  if (!parse(argc, argv, options)) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  options.generator.same_maker = Native::vendor() == "GenuineIntel";
  return Session(options).run();
}
