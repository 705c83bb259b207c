// The engine's heap in the wasm build: from the end of static data to the end of the module's declared
// minimum memory. The C library's own sbrk would take whatever memory the loader provides, which is where
// guest RAM lies.
#ifdef __wasm__
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

extern "C" {

extern char __heap_base;
extern char __heap_end;

void* sbrk(intptr_t increment) {
  static uintptr_t top = reinterpret_cast<uintptr_t>(&__heap_base);
  const uintptr_t end = reinterpret_cast<uintptr_t>(&__heap_end);
  const uintptr_t old_top = top;
  const uintptr_t step =
      (static_cast<uintptr_t>(increment) + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
  if (increment > 0 && step > end - top) {
    errno = ENOMEM;
    return reinterpret_cast<void*>(-1);
  }
  top += step;
  return reinterpret_cast<void*>(old_top);
}

}  // extern "C"
#endif
