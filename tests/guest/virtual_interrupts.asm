; mode: protected
; cpu: pentium
; Protected-mode virtual interrupts (CR4.PVI): CLI and STI of CPL 3 work on VIF; STI with VIP, and VIF with VIP at an
; instruction boundary, are #GP.
%include "protected.inc"

%define VIF (1 << 19)
%define VIP (1 << 20)

start:
  SETUP
  mov eax, cr4
  or eax, 2
  mov cr4, eax
  GO_USER user
user:
  mov ax, DATA3
  mov ds, ax
  sti
  pushfd
  pop eax
  and eax, VIF | 200h
  CHECK_EQ eax, VIF
  cli
  pushfd
  pop eax
  and eax, VIF
  CHECK_EQ eax, 0
  GO_KERNEL pending
pending:
  push dword DATA3
  push dword 70000h
  push dword 2 | VIP
  push dword CODE3
  push dword with_pending
  iretd
with_pending:
  mov ax, DATA3
  mov ds, ax
  FAULTS 13, 0, sti
  GO_KERNEL both
both:
  SET_GATE 13, not_at_once, 8Eh       ; the flags stay set, so that going on faults again
  push dword DATA3
  push dword 70000h
  push dword 2 | VIF | VIP
  push dword CODE3
  push dword at_once
  iretd
at_once:
  FAIL
not_at_once:
  mov eax, [esp + 4]
  CHECK_EQ eax, at_once
  PASS
