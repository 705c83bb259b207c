; mode: protected
; cpu: pentium
; Instructions that came after the Pentium are undefined on it.
%include "protected.inc"

start:
  SETUP
  mov eax, 1
  cpuid
  test edx, 1 << 25
  jnz bad
  FAULTS 6, 0, cmove eax, ebx
  FAULTS 6, 0, fcmove st0, st1
  FAULTS 6, 0, sysenter
  FAULTS 6, 0, syscall
  FAULTS 6, 0, movaps xmm0, xmm1
  FAULTS 6, 0, paddb xmm0, xmm1
  FAULTS 6, 0, pshufw mm0, mm1, 0
  FAULTS 6, 0, paddq mm0, mm1
  FAULTS 6, 0, pshufb mm0, mm1
  FAULTS 6, 0, crc32 eax, bl
  FAULTS 6, 0, popcnt eax, ebx
  FAULTS 6, 0, fxsave [10000h]
  FAULTS 6, 0, mfence
  FAULTS 6, 0, clflush [10000h]
  FAULTS 6, 0, movnti [10000h], eax
  FAULTS 6, 0, db 0Fh, 1Fh, 0C0h      ; NOP EAX
  FAULTS 6, 0, rdrand eax
  FAULTS 6, 0, movbe eax, [10000h]
  FAULTS 6, 0, andn eax, ebx, ecx
  FAULTS 6, 0, rdtscp
  FAULTS 6, 0, xgetbv
  mov eax, 200h                       ; OSFXSR
  FAULTS 13, 0, mov cr4, eax
  rdtsc
  paddb mm0, mm1
  emms
  mov eax, 1
  cmpxchg8b [10000h]
  PASS
bad:
  FAIL
