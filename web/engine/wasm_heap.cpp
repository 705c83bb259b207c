// The engine's heap in the wasm build: from the end of static data to the end of the module's declared
// minimum memory; above that lies guest RAM, which the C library's own sbrk would take. What does not fit
// (a snapshot, a large file) goes on above guest RAM, in memory that is grown then.
#ifdef __wasm__
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

extern "C" {

extern char __heap_base;
extern char __heap_end;

static constexpr size_t kWasmPage = 65536;

void* sbrk(intptr_t increment) {
  static uintptr_t top = reinterpret_cast<uintptr_t>(&__heap_base);
  static uintptr_t end = reinterpret_cast<uintptr_t>(&__heap_end);
  const uintptr_t step =
      (static_cast<uintptr_t>(increment) + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
  if (increment > 0 && step > end - top) {
    const size_t pages = (step + kWasmPage - 1) / kWasmPage;
    const size_t old_pages = __builtin_wasm_memory_grow(0, pages);
    if (old_pages == ~size_t{0}) {
      errno = ENOMEM;
      return reinterpret_cast<void*>(-1);
    }
    if (old_pages * kWasmPage != end) top = old_pages * kWasmPage;
    end = (old_pages + pages) * kWasmPage;
  }
  const uintptr_t old_top = top;
  top += step;
  return reinterpret_cast<void*>(old_top);
}

}  // extern "C"
#endif
