; mode: long
; Debug events around MOV SS, INT1, SYSRET and branches; NMIs while one is handled.
%include "long.inc"

%define STAR_MSR 0C0000081h
%define FMASK_MSR 0C0000084h
%define DEBUGCTL 1D9h

%macro WRMSR64 3                      ; MSR, high, low
  mov ecx, %1
  mov edx, %2
  mov eax, %3
  wrmsr
%endmacro

%macro SET_TF 0
  pushfq
  or dword [rsp], 100h
  popfq
%endmacro

%macro FORGET 0
  mov dword [count], 0
  xor eax, eax
  mov dr6, rax
%endmacro

start:
  SETUP
  SET_GATE 1, on_debug, 0EEh
  SET_GATE 2, on_nmi, 8Eh
  SET_GATE 3, on_debug, 0EEh
  SET_GATE 21h, back_to_kernel, 0EEh

  ; The single-step trap of MOV SS is lost: INT1 behind it reports no BS.
  FORGET
  mov eax, ss
  SET_TF
  mov ss, eax
  db 0F1h
after_icebp:
  pushfq
  and dword [rsp], ~100h
  popfq
  CHECK_MEM rips, after_icebp
  mov eax, [status]
  and eax, 0E00Fh
  CHECK_EQ eax, 0

  ; A data breakpoint of MOV SS comes with the #DB of INT1 behind it, once ...
  mov qword [stack_selector], DATA0
  mov eax, stack_selector
  mov dr0, rax
  mov eax, 0F0402h                    ; 4 bytes, reads and writes, G0
  mov dr7, rax
  FORGET
  mov ss, [stack_selector]
  db 0F1h
  CHECK_MEM count, 1
  mov eax, [status]
  and eax, 0E00Fh
  CHECK_EQ eax, 1
  ; ... behind INT n at the first instruction of its handler.
  FORGET
  mov ss, [stack_selector]
  int 1
after_int1:
  CHECK_MEM count, 2
  CHECK_MEM rips, on_debug
  CHECK_MEM rips + 4, after_int1
  FORGET
  mov ss, [stack_selector]
  int3
  CHECK_MEM count, 2
  mov eax, 400h
  mov dr7, rax

  ; Instruction breakpoints behind MOV SS are held back for good.
  mov eax, quiet
  mov dr0, rax
  mov eax, 402h
  mov dr7, rax
  FORGET
  mov ss, [stack_selector]
quiet:
  nop
  CHECK_MEM count, 0
  mov eax, 400h
  mov dr7, rax

  ; With BTF only taken branches trap; the trap clears BTF.
  FORGET
  WRMSR64 DEBUGCTL, 0, 2
  SET_TF
  nop
  nop
  jmp branched
  nop
branched:
  pushfq
  and dword [rsp], ~100h
  popfq
  CHECK_MEM rips, branched
  mov ecx, DEBUGCTL
  rdmsr
  CHECK_EQ eax, 0

  ; SYSRET that sets TF traps at once, in user mode.
  FORGET
  mov ecx, STAR_MSR
  mov edx, ((18h | 3) << 16) | CODE0
  xor eax, eax
  wrmsr
  mov [kernel_stack], rsp
  mov rcx, user_code
  mov r11d, 102h
  o64 sysret
user_code:
  int 21h
back_to_kernel:
  mov rsp, [kernel_stack]
  CHECK_MEM count, 1
  CHECK_MEM rips, user_code

  ; One NMI waits while another is handled, however many come.
  mov dx, 0F0h
  mov dword [nmis], 0
  mov dword [wanted_nmis], 3          ; the handler raises more: one of them waits
  out dx, al
  CHECK_MEM nmis, 2
  PASS

on_debug:
  push rax
  push rbx
  mov ebx, [count]
  and ebx, 3
  mov rax, [rsp + 16]
  mov [rips + rbx * 4], eax
  inc dword [count]
  mov rax, dr6
  mov [status], eax
  and dword [rsp + 32], ~100h
  pop rbx
  pop rax
  iretq

on_nmi:
  inc dword [nmis]
  cmp dword [nmis], 1
  jne .done
  mov ecx, [wanted_nmis]
.more:
  jecxz .done
  out dx, al
  dec ecx
  jmp .more
.done:
  iretq

align 16
stack_selector dq 0
kernel_stack dq 0
count dd 0
status dd 0
rips times 4 dd 0
nmis dd 0
wanted_nmis dd 0
