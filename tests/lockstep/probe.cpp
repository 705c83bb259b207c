// What tests/lockstep/*.mjs calls in lockstep.wasm, the engine's processor with the test programs beside it.
#ifdef __wasm__
#include <cstdlib>

#include "tests/lockstep/fuzz.h"
#include "tests/lockstep/listing.h"
#include "tests/lockstep/silicon.h"
#include "web/engine/module_host.h"

#define LAPWING_PROBE(result, name) extern "C" __attribute__((export_name(#name))) result name

namespace lapwing::lockstep {

namespace {

struct Probe {
  WasmModuleHost host;
  std::unique_ptr<Fuzzer> fuzzer;
  std::string text;

  Fuzzer& fuzz() {
    if (fuzzer == nullptr) fuzzer = std::make_unique<Fuzzer>(host);
    return *fuzzer;
  }
};

Probe& probe() {
  static Probe* const the_probe = new Probe;
  return *the_probe;
}

}  // namespace

LAPWING_PROBE(void*, ls_alloc)(u32 size) {
  return std::malloc(size);
}
LAPWING_PROBE(const char*, ls_text)() {
  return probe().text.c_str();
}
LAPWING_PROBE(void, ls_corpus)(u32 code_size, const u8* bytes, u32 size) {
  probe().fuzz().add_corpus(static_cast<u8>(code_size), std::vector<u8>(bytes, bytes + size));
}
// 0: a difference, described in ls_text.
LAPWING_PROBE(u32, ls_batch)(double seed, u32 rounds) {
  probe().text = probe().fuzz().batch(static_cast<u64>(seed), rounds);
  return probe().text.empty() ? 1 : 0;
}
// 0: a difference, described in ls_text; else ls_text has counts.
LAPWING_PROBE(u32, ls_silicon)(const u8* records, u32 size) {
  Silicon silicon(probe().host, {records, size});
  probe().text = silicon.run();
  if (!probe().text.empty()) return 0;
  probe().text = silicon.counts();
  return 1;
}
LAPWING_PROBE(void, ls_listing)(u32 code_size, const u8* bytes, u32 size) {
  probe().text = listing_of({bytes, size}, static_cast<u8>(code_size));
}
LAPWING_PROBE(void, ls_counts)() {
  const FuzzCounts& c = probe().fuzz().counts();
  const auto item = [](const char* name, u64 value) {
    return "\"" + std::string(name) + "\":" + std::to_string(value);
  };
  probe().text = "{" + item("batches", c.batches) + "," + item("pieces", c.pieces) + "," +
                 item("executions", c.executions) + "," + item("generated", c.generated) + "," +
                 item("regions", c.regions) + "," + item("modules", c.modules) + "," +
                 item("moduleBytes", c.module_bytes) + "}";
}

}  // namespace lapwing::lockstep
#endif
