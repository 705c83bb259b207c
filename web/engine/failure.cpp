// Where a broken invariant goes: to the host, which shows it and stops.
#include "core/types.h"

#ifdef __wasm__
extern "C" __attribute__((import_module("env"), import_name("engine_failure"))) void host_engine_failure(
    const char* file, int line, const char* condition);
#else
#include <cstdio>
#include <cstdlib>
#endif

namespace lapwing {

void engine_failure(const char* file, int line, const char* condition) {
#ifdef __wasm__
  host_engine_failure(file, line, condition);
  __builtin_trap();
#else
  std::fprintf(stderr, "lapwing: engine error at %s:%d: %s\n", file, line, condition);
  std::abort();
#endif
}

}  // namespace lapwing
