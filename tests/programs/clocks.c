// Reads RTC, HPET, ACPI PM timer, TSC and the kernel's own clock at an RTC second, sleeps, and reads them
// again at a later RTC second. Prints what each has advanced; the reader converts and compares. x86-64 only
// (64-bit HPET reads). Needs root, /dev/mem and I/O privilege. PM timer: FADT's block at 0x608, 24 bits that
// wrap every 4.7 s.
#include "guest.h"

enum { kRtcIndex = 0x70, kRtcData = 0x71, kRegisterA = 10, kUpdating = 0x80, kPmTimer = 0x608 };
static const word kHpet = 0xfed00000;

static u8 read_rtc(u8 index) {
  u8 value;
  __asm__ volatile("outb %0, %w1" ::"a"(index), "Nd"(kRtcIndex));
  __asm__ volatile("inb %w1, %0" : "=a"(value) : "Nd"(kRtcData));
  return value;
}

static u32 read_pm_timer(void) {
  u32 value;
  __asm__ volatile("inl %w1, %0" : "=a"(value) : "d"(kPmTimer));
  return value & 0xffffff;
}

static u64 read_tsc(void) {
  u32 low, high;
  __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high));
  return ((u64)high << 32) | low;
}

static u64 read_kernel(void) {
  enum { kMonotonicRaw = 4 };
  struct Time now;
  call(kClockGettime, kMonotonicRaw, (word)&now, 0, 0);
  return (u64)now.seconds * 1000000000u + (u64)now.nanoseconds;
}

struct Reading {
  u64 tsc, hpet, kernel;
  u32 pm_timer, rtc;
};

static u32 rtc_seconds_of_hour(void) {
  u32 bcd[2] = {read_rtc(0), read_rtc(2)};
  u32 seconds = (bcd[0] >> 4) * 10 + (bcd[0] & 15);
  return ((bcd[1] >> 4) * 10 + (bcd[1] & 15)) * 60 + seconds;
}

/** Waits for the end of the RTC's update cycle and reads all clocks there. */
static struct Reading read_at_second(volatile u64* hpet) {
  struct Reading now;
  while (!(read_rtc(kRegisterA) & kUpdating)) {
  }
  while (read_rtc(kRegisterA) & kUpdating) {
  }
  now.tsc = read_tsc();
  now.hpet = hpet[0xf0 / 8];
  now.pm_timer = read_pm_timer();
  now.kernel = read_kernel();
  now.rtc = rtc_seconds_of_hour();
  return now;
}

static void sleep_seconds(u32 seconds) {
  struct Time time = {(long)seconds, 0};
  call(kNanosleep, (word)&time, 0, 0, 0);
}

static void line(const char* name, u64 value) {
  print("clocks ");
  print(name);
  print(" ");
  print_decimal(value);
  print("\n");
}

int main(int argc, char** argv) {
  u32 seconds = work_argument(argc, argv, 60);
  enum { kReadWrite = 2, kSync = 04010000, kReadOnly = 1, kShared = 1 };
  long memory = call(kOpen, (word) "/dev/mem", kReadWrite | kSync, 0, 0);
  volatile u64* hpet = memory < 0 ? 0 : map(4096, kReadOnly, kShared, (int)memory, kHpet);
  if (memory < 0 || (word)hpet > (word)-4096 || call(kIopl, 3, 0, 0, 0) < 0) {
    print("clocks failed: no access to /dev/mem or ports\n");
    return 1;
  }
  struct Reading first = read_at_second(hpet);
  sleep_seconds(seconds - 1);
  struct Reading last = read_at_second(hpet);
  line("rtc_seconds", (last.rtc + 3600 - first.rtc) % 3600);
  line("tsc", last.tsc - first.tsc);
  line("hpet", last.hpet - first.hpet);
  line("hpet_period_fs", hpet[0] >> 32);
  line("pm_timer_mod_24_bits", (last.pm_timer - first.pm_timer) & 0xffffff);
  line("kernel_ns", last.kernel - first.kernel);
  print("clocks done\n");
  return 0;
}
