; mode: long
; 64-bit mode: frames, IST, canonical checks, null SS, IRETQ, far transfers, SYSCALL and SYSENTER,
; compatibility mode.
%include "long.inc"

NOT_CANONICAL equ 1000000000000h

start:
  SETUP
  ; The frame is aligned to 16 bytes, SS and RSP are always pushed.
  mov rsp, 7FFF8h
  TRAPS 3, int3
  CHECK_EQ rsp, 7FFF8h
  mov rax, [seen_rsp]
  CHECK_EQ rax, 7FFF0h - 40 - 24
  CHECK_MEM seen_ss, DATA0
  mov rsp, 80000h
  FAULTS 6, 0, ud2
  FAULTS 6, 0, db 06h                 ; PUSH ES
  FAULTS 6, 0, db 0CEh                ; INTO
  FAULTS 6, 0, db 0EAh, 0, 0, 0, 0, 8, 0

  ; IST.
  SET_GATE 6, stubs + 6 * 16, 8Eh, 1
  FAULTS 6, 0, ud2
  mov rax, [seen_rsp]
  CHECK_EQ rax, 58000h - 40 - 24
  SET_GATE 6, stubs + 6 * 16, 8Eh, 2
  FAULTS 12, 1, ud2
  SET_GATE 6, stubs + 6 * 16, 8Eh, 0, CODE0_32
  FAULTS 13, CODE0_32 + 1, ud2
  SET_GATE 6, stubs + 6 * 16, 8Eh, 0, CODE_LD
  FAULTS 13, CODE_LD + 1, ud2
  SET_GATE 6, stubs + 6 * 16, 85h     ; no task gates
  FAULTS 13, 6 * 8 + 3, ud2
  SET_GATE 6, stubs + 6 * 16, 8Eh
  FAULTS 13, 60 * 8 + 2, int 60

  ; Canonical addresses.
  mov rbx, NOT_CANONICAL
  FAULTS 13, 0, mov eax, [rbx]
  mov rbp, rbx
  FAULTS 12, 0, mov eax, [rbp]
  mov rcx, rsp
  EXPECT 12, 0, push_bad, push_after
  mov eax, 1
  SET_GATE 12, stubs + 12 * 16, 8Eh, 1
  mov rsp, rbx
push_bad:
  push rax
  FAIL
push_after:
  mov rsp, rcx
  FAULTS 13, 0, jmp rbx
  FAULTS 13, 0, call rbx
  CHECK_EQ rsp, 80000h
  push rbx
  FAULTS 13, 0, ret
  mov rsp, 80000h
  mov rbx, 7FFFFFFFFFFEh
  FAULTS 13, 0, mov eax, [rbx]        ; crosses the last canonical byte
  FAULTS 13, 0, lgdt [bad_pointer]

  ; Segments: null SS at CPL 0, ignored bases, FS base by MSR.
  xor eax, eax
  mov ss, ax
  push rax
  pop rax
  TRAPS 3, int3
  CHECK_MEM seen_ss, 0
  mov ax, 3
  FAULTS 13, 0, mov ss, ax
  mov ax, DATA0
  mov ss, ax
  mov ecx, 0C0000100h
  mov eax, 5000h
  xor edx, edx
  wrmsr
  mov dword [9000h], 77h
  mov eax, [fs:4000h]
  CHECK_EQ eax, 77h
  mov edx, 10000h
  FAULTS 13, 0, wrmsr
  xor eax, eax
  mov fs, ax
  rdmsr
  CHECK_EQ eax, 0

  ; IRETQ: same level pops SS:RSP; NT faults; bad selectors.
  pushfq
  or qword [rsp], 4000h
  popfq
  FAULTS 13, 0, iretq
  pushfq
  and qword [rsp], ~4000h
  popfq
  push qword 0
  push qword 50000h
  push qword 2
  push qword CODE0
  push qword same_level
  iretq
same_level:
  CHECK_EQ rsp, 50000h
  mov ax, ss
  and eax, 0FFFFh
  CHECK_EQ eax, 0
  mov ax, DATA0
  mov ss, ax
  mov rsp, 80000h
  push qword 0                        ; null SS is for CPL 0-2 only
  push qword 50000h
  push qword 2
  push qword CODE3
  push qword same_level
  FAULTS 13, 0, iretq
  mov qword [rsp + 8], NOT_PRESENT
  FAULTS 11, NOT_PRESENT, iretq
  mov qword [rsp + 8], CODE_LD
  FAULTS 13, CODE_LD, iretq
  mov qword [rsp + 8], CODE0
  mov rax, NOT_CANONICAL
  mov [rsp], rax
  FAULTS 13, 0, iretq
  mov rsp, 80000h

  ; To CPL 3: exceptions switch to RSP0 with a null SS.
  GO_USER user
user:
  TRAPS 3, int3
  mov rax, [seen_rsp]
  CHECK_EQ rax, 60000h - 40 - 24
  CHECK_MEM seen_ss, DATA3
  CHECK_MEM handler_ss, 0
  FAULTS 13, 0, hlt
  FAULTS 13, 0, swapgs
  FAULTS 13, 0, o64 sysret
  GO_KERNEL calls

  ; SYSCALL and SYSRET.
calls:
  mov ecx, 0C0000081h
  xor eax, eax
  mov edx, ((CODE3_32 & ~3) << 16) | CODE0
  wrmsr
  inc ecx
  mov eax, syscall_entry
  xor edx, edx
  wrmsr
  mov ecx, 0C0000084h
  mov eax, 4700h                      ; NT DF IF TF
  wrmsr
  GO_USER user_calls
user_calls:
  std
  syscall
after_syscall:
  mov eax, cs
  CHECK_EQ eax, CODE3
  mov eax, ss
  CHECK_EQ eax, DATA3
  pushfq
  pop rax
  and eax, 400h
  CHECK_EQ eax, 400h
  cld
  GO_KERNEL sysenter

sysenter:
  mov ecx, 0C0000080h
  rdmsr
  and eax, ~1
  wrmsr
  FAULTS 6, 0, syscall
  or eax, 1
  wrmsr
  mov ecx, 174h
  xor eax, eax
  xor edx, edx
  wrmsr
  FAULTS 13, 0, sysenter
  mov eax, CODE0
  wrmsr
  inc ecx
  mov eax, 50000h
  wrmsr
  inc ecx
  mov eax, sysenter_entry
  wrmsr
  sysenter
sysenter_entry:
  CHECK_EQ rsp, 50000h
  mov eax, cs
  CHECK_EQ eax, CODE0
  mov eax, ss
  CHECK_EQ eax, DATA0
  mov rsp, 80000h

  ; A call gate to 64-bit code from compatibility mode, and exceptions there.
  mov qword [gate_descriptor], (CODE0 << 16) | (AT(gate_entry) & 0FFFFh)
  mov dword [gate_descriptor + 4], 0EC00h
  push qword DATA3
  push qword 70000h
  push qword 2
  push qword CODE3_32
  push qword compatible
  iretq

syscall_entry:
  CHECK_EQ rcx, after_syscall
  mov rax, r11
  and eax, 400h
  CHECK_EQ eax, 400h
  pushfq
  pop rax
  and eax, 400h
  CHECK_EQ eax, 0
  mov eax, cs
  CHECK_EQ eax, CODE0
  mov eax, ss
  CHECK_EQ eax, DATA0
  o64 sysret

gate_entry:
  mov rax, [rsp]
  CHECK_EQ rax, gate_return
  mov rax, [rsp + 8]
  CHECK_EQ rax, CODE3_32
  mov rax, [rsp + 16]
  CHECK_EQ rax, 70000h
  mov rax, [rsp + 24]
  CHECK_EQ rax, DATA3
  mov eax, ss
  CHECK_EQ eax, 0
  o64 retf

finish:
  PASS

bits 32
compatible:
  mov eax, DATA3
  mov ds, ax
  mov es, ax
  FAULTS 13, 0, hlt
  FAULTS 6, 0, syscall                ; Intel: 64-bit mode only
  call GATE_SEL:0
gate_return:
  mov eax, cs
  CHECK_EQ eax, CODE3_32
  mov dword [kernel_resume], finish
  int 30h
bits 64

align 8
bad_pointer:
  dw 7Fh
  dq NOT_CANONICAL
