; mode: long
; Which values model-specific and control registers take and which raise #GP; PCIDs, INVPCID, XSETBV, UMIP; null
; selectors on the way to user mode and back; calls of the hypervisor.
%include "long.inc"

%define NOT_CANONICAL 0AAAAAAAAAAAAAAAAh
%define ADDRESS 123456789ABCh

%macro WRITE_MSR 2                    ; MSR, value
  mov rax, %2
  mov rdx, rax
  shr rdx, 32
  mov ecx, %1
  wrmsr
%endmacro
%macro TAKES 2
  WRITE_MSR %1, %2
  rdmsr
  shl rdx, 32
  or rax, rdx
  mov rdx, %2
  CHECK_EQ rax, rdx
%endmacro
%macro REFUSES 2
  mov rax, %2
  mov rdx, rax
  shr rdx, 32
  mov ecx, %1
  FAULTS 13, 0, wrmsr
%endmacro
%macro UNKNOWN 1
  mov ecx, %1
  FAULTS 13, 0, rdmsr
  xor eax, eax
  xor edx, edx
  FAULTS 13, 0, wrmsr
%endmacro

start:
  SETUP
  TAKES 174h, 1234h                   ; SYSENTER_CS, ESP, EIP
  TAKES 175h, ADDRESS
  TAKES 176h, ADDRESS
  REFUSES 175h, NOT_CANONICAL
  REFUSES 176h, NOT_CANONICAL
  TAKES 277h, 07070707h               ; PAT
  REFUSES 277h, 2
  REFUSES 277h, 0300000000000000h
  TAKES 0C0000082h, ADDRESS           ; LSTAR, CSTAR, FMASK
  TAKES 0C0000083h, ADDRESS
  TAKES 0C0000084h, 0FFFFFFFFh
  REFUSES 0C0000082h, NOT_CANONICAL
  REFUSES 0C0000083h, NOT_CANONICAL
  REFUSES 0C0000084h, 100000000h
  TAKES 0C0000100h, ADDRESS           ; FS, GS, KERNEL_GS bases
  TAKES 0C0000101h, ADDRESS
  TAKES 0C0000102h, ADDRESS
  REFUSES 0C0000100h, NOT_CANONICAL
  REFUSES 0C0000101h, NOT_CANONICAL
  REFUSES 0C0000102h, NOT_CANONICAL
  REFUSES 0C0000080h, 0F01h           ; EFER: reserved bits, LME while paging
  REFUSES 0C0000080h, 1
  TAKES 200h, 0FE000006h              ; MTRRs
  REFUSES 200h, 0FE000002h
  REFUSES 200h, 0FE000007h
  REFUSES 200h, 0FE000106h
  REFUSES 201h, 400h
  TAKES 250h, 0606060606060606h
  REFUSES 250h, 0606060606060602h
  REFUSES 2FFh, 7
  REFUSES 0FEh, 508h                  ; read-only
  REFUSES 179h, 0
%assign bank 400h
%rep 16
  UNKNOWN bank
%assign bank bank + 1
%endrep
  UNKNOWN 12345678h
  mov ecx, 3Bh                        ; TSC_ADJUST follows the TSC
  rdmsr
  or eax, edx
  jnz .failed
  WRITE_MSR 10h, 100000000000
  mov ecx, 3Bh
  rdmsr
  or eax, edx
  jz .failed
  TAKES 3Bh, 0

  ; CR4.PCIDE: not while CR3 names a PCID, and paging stays on with it.
  mov rbx, cr4
  mov rax, cr3
  mov rsi, rax
  or eax, 1
  mov cr3, rax
  mov rax, rbx
  bts eax, 17
  FAULTS 13, 0, {mov cr4, rax}
  mov cr3, rsi
  mov cr4, rax
  mov rcx, cr0
  btr rcx, 31
  FAULTS 13, 0, {mov cr0, rcx}
  mov ecx, 2
  mov qword [descriptor], 10
  invpcid rcx, [descriptor]
  mov qword [descriptor], 1000h
  FAULTS 13, 0, {invpcid rcx, [descriptor]}
  mov qword [descriptor], 0
  mov ecx, 4
  FAULTS 13, 0, {invpcid rcx, [descriptor]}
  xor ecx, ecx
  mov rax, NOT_CANONICAL
  mov [descriptor + 8], rax
  FAULTS 13, 0, {invpcid rcx, [descriptor]}
  mov cr4, rbx
  mov ecx, 1
  mov qword [descriptor], 1
  FAULTS 13, 0, {invpcid rcx, [descriptor]}
  mov rax, rbx
  bts eax, 15                         ; reserved
  FAULTS 13, 0, {mov cr4, rax}
  mov rax, rbx
  btr eax, 5                          ; PAE is needed in long mode
  FAULTS 13, 0, {mov cr4, rax}
  mov rax, cr0
  bts rax, 32
  FAULTS 13, 0, {mov cr0, rax}
  mov eax, 16
  FAULTS 13, 0, {mov cr8, rax}

  ; XCR0
  xor ecx, ecx
  FAULTS 6, 0, xgetbv
  mov rax, rbx
  bts eax, 18
  mov cr4, rax
  xor edx, edx
  mov eax, 3
  xsetbv
  xgetbv
  CHECK_EQ eax, 3
  xor eax, eax
  FAULTS 13, 0, xsetbv
  mov eax, 2
  FAULTS 13, 0, xsetbv
  mov eax, 7
  FAULTS 13, 0, xsetbv
  mov ecx, 2
  FAULTS 13, 0, xgetbv
  mov eax, 3
  FAULTS 13, 0, xsetbv
  mov rcx, 1234500000000000h          ; the upper half does not count
  xsetbv
  mov cr4, rbx

  ; A null SS is fine at CPL 0 when its RPL is 0.
  xor eax, eax
  mov ss, eax
  mov eax, 3
  FAULTS 13, 0, {mov ss, eax}
  mov eax, DATA0
  mov ss, eax

  ; Calls of the hypervisor: one that does nothing, one that does not exist, IPIs to nobody.
  mov eax, 1
  vmcall
  CHECK_EQ rax, 0
  mov eax, 99
  vmmcall
  CHECK_EQ rax, -1000
  mov eax, 10
  mov ebx, -1
  xor ecx, ecx
  mov edx, -1
  xor esi, esi
  vmcall
  CHECK_EQ rax, 0

  ; IRET nullifies what user mode may not have, and leaves its base.
  mov eax, DATA0
  mov gs, eax
  WRITE_MSR 0C0000101h, thread
  GO_USER user
user:
  mov eax, gs
  CHECK_EQ eax, 0
  mov eax, [gs:abs 0]
  CHECK_EQ eax, 12345678h
  sgdt [scratch]                      ; without UMIP everybody may
  GO_KERNEL protect
protect:
  mov rax, cr4
  bts eax, 11
  mov cr4, rax
  sgdt [scratch]
  smsw eax
  GO_USER denied
denied:
  mov eax, 1
  vmcall
  CHECK_EQ rax, -1
  FAULTS 13, 0, {sgdt [scratch]}
  FAULTS 13, 0, {sidt [scratch]}
  FAULTS 13, 0, {sldt eax}
  FAULTS 13, 0, {str eax}
  FAULTS 13, 0, {smsw eax}
  FAULTS 13, 0, {mov rax, cr0}
  FAULTS 13, 0, {mov rax, dr7}
  FAULTS 13, 0, {rdmsr}
  FAULTS 13, 0, {invlpg [scratch]}
  FAULTS 13, 0, {mov cr8, rax}
  GO_KERNEL finish
finish:
  PASS
start.failed:
  FAIL

align 16
descriptor dq 0, 0
scratch dq 0, 0
thread dd 12345678h
