; mode: protected
; 16-bit gates and stacks: word frames, the upper half of ESP, 16-bit code, SP wrap and limits.
%include "protected.inc"

start:
  SETUP
  SET_GATE 21h, word_frame, 0E6h
  mov esp, 80000h
  int 21h
after_int:
  CHECK_EQ esp, 80000h

  ; 16-bit error code.
  SET_GATE 13, word_error, 86h
  mov ax, 0FF8h
bad_load:
  mov ds, ax
after_bad_load:
  SET_GATE 13, stubs + 13 * 16, 8Eh

  ; A 16-bit call gate with two word parameters from CPL 3; the inner stack is 16 bits wide, ESP comes whole from the TSS.
  mov word [gate_descriptor], call_entry
  mov word [gate_descriptor + 2], CODE0
  mov dword [gate_descriptor + 4], 0E402h
  mov word [tss + 8], DATA16
  mov dword [tss + 4], 3F000h
  GO_USER user
user:
  mov ax, DATA3
  mov ds, ax
  mov es, ax
  push word 1111h
  push word 2222h
  call GATE_SEL:0
after_call:
  mov esp, 70000h
  mov word [tss + 8], DATA16
  GO_KERNEL kernel
kernel:
  mov ax, DATA0
  mov ss, ax
  mov esp, 80000h

  ; 16-bit code: the offset is truncated to 16 bits, EIP beyond the limit faults.
  call CODE16:AT(code16)
  CHECK_EQ ebx, 77h

  ; SP of a 16-bit stack wraps; the upper half of ESP stays.
  mov ax, DATA16
  mov ss, ax
  mov esp, 120000h
  push eax
  CHECK_EQ esp, 12FFFCh
  pop eax
  CHECK_EQ esp, 120000h
  mov ax, DATA0
  mov ss, ax
  mov esp, 80000h
  PASS

word_frame:
  cmp word [esp], after_int
  jne bad
  cmp word [esp + 2], CODE0
  jne bad
  CHECK_EQ esp, 80000h - 6
  o16 iret

word_error:
  cmp word [esp], 0FF8h
  jne bad
  cmp word [esp + 2], bad_load
  jne bad
  add esp, 2
  mov word [esp], after_bad_load
  o16 iret

call_entry:
  CHECK_EQ esp, 3F000h - 12
  movzx ebp, sp
  cmp word [ebp], after_call
  jne bad
  cmp word [ebp + 2], CODE3
  jne bad
  cmp word [ebp + 4], 2222h
  jne bad
  cmp word [ebp + 6], 1111h
  jne bad
  cmp word [ebp + 8], 0FFFCh       ; low half of the caller's ESP
  jne bad
  cmp word [ebp + 10], DATA3
  jne bad
  o16 retf 4

bad:
  FAIL

bits 16
code16:
  mov bx, 77h
  o32 retf
bits 32
