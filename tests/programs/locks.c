// Threads on every processor fight over locks; each part counts, and a wrong sum says what broke:
//   spin     locked exchange with PAUSE          ticket   locked add, first come first served
//   futex    a lock that sleeps in the kernel    atomics  CMPXCHG, CMPXCHG8B, XADD, BTS, INC under LOCK
//   peterson store, MFENCE, load                 shoot    a page is replaced; a stale translation shows
//   tsc      never goes backwards across processors       migrate  threads move while they hold a lock
// Usage: locks THREADS. Prints "locks done N" with N threads. x86-64 only.
#include "guest.h"

enum {
  kMaxThreads = 8,
  kPage = 4096,
  kCloneThread = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x200000,  // VM ... CHILD_CLEARTID
  kFutexWait = 0,
  kFutexWake = 1,
  kFixedAnonymous = 0x10 | 0x20 | 0x02,
  kReadWrite = 3,
};
enum { kMmapCall = 9, kSchedYield = 24, kClone = 56, kFutexCall = 202, kSchedSetaffinity = 203 };

static u32 thread_count;
static volatile u32 failures;
static int alive[kMaxThreads];

static long system(word number, word a, word b, word c, word d, word e, word f) {
  register word r10 __asm__("r10") = d;
  register word r8 __asm__("r8") = e;
  register word r9 __asm__("r9") = f;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

static inline void pause(void) {
  __asm__ volatile("pause" ::: "memory");
}

static void move_to(u32 processor) {
  u64 mask = 1ull << processor;
  system(kSchedSetaffinity, 0, sizeof mask, (word)&mask, 0, 0, 0);
}

/** All threads meet here; the last one lets the others go. */
static void meet(void) {
  static volatile u32 arrived, round;
  u32 mine = round;
  if (__atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST) == thread_count) {
    arrived = 0;
    __atomic_add_fetch(&round, 1, __ATOMIC_SEQ_CST);
    return;
  }
  while (__atomic_load_n(&round, __ATOMIC_SEQ_CST) == mine) pause();
}

static void expect(const char* part, u64 value, u64 wanted) {
  if (value == wanted) return;
  __atomic_add_fetch(&failures, 1, __ATOMIC_SEQ_CST);
  print("locks failed: ");
  print(part);
  print(" counts ");
  print_decimal(value);
  print(" of ");
  print_decimal(wanted);
  print("\n");
}

/** The counter that a lock protects: its two halves are changed apart, so that an intruder is seen. */
static struct { volatile u64 count, twin; } shared;

static void protected_step(void) {
  u64 count = shared.count, twin = shared.twin;
  if (count != twin) __atomic_add_fetch(&failures, 1, __ATOMIC_SEQ_CST);
  shared.count = count + 1;
  __asm__ volatile("" ::: "memory");
  shared.twin = twin + 1;
}

static volatile u32 spin_lock_word;
static void spin(u32 rounds) {
  for (u32 i = 0; i < rounds; i++) {
    while (__atomic_exchange_n(&spin_lock_word, 1, __ATOMIC_SEQ_CST)) {
      while (spin_lock_word) pause();
    }
    protected_step();
    __atomic_store_n(&spin_lock_word, 0, __ATOMIC_RELEASE);
  }
}

static volatile u32 next_ticket, now_serving;
static void ticket(u32 rounds) {
  for (u32 i = 0; i < rounds; i++) {
    u32 mine = __atomic_fetch_add(&next_ticket, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&now_serving, __ATOMIC_SEQ_CST) != mine) pause();
    protected_step();
    __atomic_store_n(&now_serving, mine + 1, __ATOMIC_RELEASE);
  }
}

// 0 free, 1 held, 2 held and somebody sleeps.
static volatile u32 futex_word;
static void futex_lock(void) {
  u32 free = 0;
  if (__atomic_compare_exchange_n(&futex_word, &free, 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) return;
  while (__atomic_exchange_n(&futex_word, 2, __ATOMIC_SEQ_CST) != 0)
    system(kFutexCall, (word)&futex_word, kFutexWait, 2, 0, 0, 0);
}

static void futex_unlock(void) {
  if (__atomic_exchange_n(&futex_word, 0, __ATOMIC_SEQ_CST) == 2)
    system(kFutexCall, (word)&futex_word, kFutexWake, 1, 0, 0, 0);
}

static void futex(u32 rounds) {
  for (u32 i = 0; i < rounds; i++) {
    futex_lock();
    protected_step();
    if (i % 64 == 0) system(kSchedYield, 0, 0, 0, 0, 0, 0);
    futex_unlock();
  }
}

static struct {
  volatile u64 exchanged, pair, added;
  volatile u32 incremented, bits, bits_won;
} atoms;

static void atomics(u32 rounds) {
  for (u32 i = 0; i < rounds; i++) {
    u64 old = atoms.exchanged;
    while (!__atomic_compare_exchange_n(&atoms.exchanged, &old, old + 1, 0, 5, 5)) {
    }
    u32 low = (u32)atoms.pair, high = (u32)(atoms.pair >> 32);
    u8 done;
    do {
      u32 new_low = low + 1, new_high = high + (new_low == 0);
      __asm__ volatile("lock cmpxchg8b %0; sete %3"
                       : "+m"(atoms.pair), "+a"(low), "+d"(high), "=q"(done)
                       : "b"(new_low), "c"(new_high)
                       : "memory", "cc");
    } while (!done);
    __asm__ volatile("lock incl %0" : "+m"(atoms.incremented)::"memory", "cc");
    __atomic_fetch_add(&atoms.added, 3, __ATOMIC_SEQ_CST);
    u8 was_set;
    __asm__ volatile("lock btsl $7, %0; setc %1" : "+m"(atoms.bits), "=q"(was_set)::"memory", "cc");
    if (was_set) continue;
    atoms.bits_won++;  // only the winner is here
    __asm__ volatile("lock btrl $7, %0" : "+m"(atoms.bits)::"memory", "cc");
  }
}

/** Two threads exclude each other with plain stores and a fence between store and load. */
static volatile u32 wants[2], last_to_ask;
static void peterson(u32 self, u32 rounds) {
  if (self > 1) return;
  for (u32 i = 0; i < rounds; i++) {
    wants[self] = 1;
    last_to_ask = self;
    __asm__ volatile("mfence" ::: "memory");
    while (wants[!self] && last_to_ask == self) pause();
    protected_step();
    wants[self] = 0;
  }
}

/** Thread 0 replaces a page by a new one; when the others hear of it, none may see the old page any more. */
static volatile u32* page;
static volatile u32 generation, seen;
static void shoot(u32 self, u32 rounds) {
  for (u32 i = 1; i <= rounds; i++) {
    if (self == 0) {
      while (__atomic_load_n(&seen, __ATOMIC_SEQ_CST) != (i - 1) * (thread_count - 1)) pause();
      long moved = system(kMmapCall, (word)page, kPage, kReadWrite, kFixedAnonymous, ~0ul, 0);
      if (moved != (long)page) expect("mmap", (u64)moved, (word)page);
      page[5] = i;
      __atomic_store_n(&generation, i, __ATOMIC_SEQ_CST);
    } else {
      while (__atomic_load_n(&generation, __ATOMIC_SEQ_CST) != i) pause();
      if (page[5] != i) expect("shoot: generation", page[5], i);
      __atomic_add_fetch(&seen, 1, __ATOMIC_SEQ_CST);
    }
  }
}

static volatile u64 latest_tsc;
static void tsc(u32 rounds) {
  for (u32 i = 0; i < rounds; i++) {
    futex_lock();
    u32 low, high;
    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high));
    u64 now = ((u64)high << 32) | low;
    if (now < latest_tsc) expect("tsc", now, latest_tsc);
    latest_tsc = now;
    futex_unlock();
  }
}

static void migrate(u32 self, u32 rounds) {
  u32 random = self * 77 + 1;
  for (u32 i = 0; i < rounds; i++) {
    futex_lock();
    u32 target = next_random(&random) % thread_count;
    move_to(target);
    u32 aux;
    __asm__ volatile("rdtscp" : "=c"(aux)::"eax", "edx");
    expect("migrate: processor", aux & 0xfff, target);
    protected_step();
    futex_unlock();
  }
  move_to(self);
}

static void finish_part(u32 self, const char* part, u64 wanted) {
  meet();
  if (self == 0) {
    expect(part, shared.count, wanted);
    expect(part, shared.twin, wanted);
    shared.count = shared.twin = 0;
    print("locks: ");
    print(part);
    print("\n");
  }
  meet();
}

static void work(u32 self) {
  enum { kRounds = 20000, kFew = 1000 };
  const u64 all = (u64)thread_count * kRounds;
  move_to(self);
  meet();
  spin(kRounds);
  finish_part(self, "spin", all);
  ticket(kRounds / 4);
  finish_part(self, "ticket", all / 4);
  futex(kRounds);
  finish_part(self, "futex", all);
  atomics(kRounds);
  meet();
  if (self == 0) {
    expect("cmpxchg", atoms.exchanged, all);
    expect("cmpxchg8b", atoms.pair, all);
    expect("inc", atoms.incremented, all);
    expect("xadd", atoms.added, 3 * all);
  }
  finish_part(self, "atomics", 0);
  peterson(self, kRounds);
  finish_part(self, "peterson", 2 * kRounds);
  shoot(self, kFew);
  finish_part(self, "shoot", 0);
  tsc(kFew);
  finish_part(self, "tsc", 0);
  migrate(self, kFew / 3);
  finish_part(self, "migrate", (u64)thread_count * (kFew / 3));
}

__attribute__((used)) static void thread_main(u32 self) {
  work(self);
  leave(0);
}

/** The new thread starts on its own stack, with its number in EDI. */
static long start_thread(u32 self) {
  enum { kStack = 65536 };
  u8* stack = map(kStack, kReadWrite, 0x22, -1, 0);
  word* top = (word*)(stack + kStack - 64);
  register word r10 __asm__("r10") = (word)&alive[self];
  register word r8 __asm__("r8") = 0;
  register word r12 __asm__("r12") = self;
  long result;
  alive[self] = 1;
  __asm__ volatile(
      "syscall\n"
      "testq %%rax, %%rax\n"
      "jnz 1f\n"
      "movl %%r12d, %%edi\n"
      "call thread_main\n"
      "1:"
      : "=a"(result)
      : "a"(kClone), "D"(kCloneThread), "S"(top), "d"(0), "r"(r10), "r"(r8), "r"(r12)
      : "rcx", "r11", "memory");
  return result;
}

int main(int argc, char** argv) {
  thread_count = work_argument(argc, argv, 2);
  if (thread_count < 2 || thread_count > kMaxThreads) return 1;
  page = map(kPage, kReadWrite, 0x22, -1, 0);
  for (u32 i = 1; i < thread_count; i++) {
    if (start_thread(i) < 0) {
      print("locks failed: no thread\n");
      return 1;
    }
  }
  work(0);
  for (u32 i = 1; i < thread_count; i++) {
    int now;
    while ((now = __atomic_load_n(&alive[i], __ATOMIC_SEQ_CST)) != 0)
      system(kFutexCall, (word)&alive[i], kFutexWait, (word)now, 0, 0, 0);
  }
  print(failures ? "locks failed\n" : "locks done ");
  if (!failures) print_decimal(thread_count);
  print("\n");
  return failures != 0;
}
